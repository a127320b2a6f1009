//! Certificates made for the tests.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SignatureAlgorithm,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

pub(crate) const NAME: &str = "broker.test";
/// 2026-11-23: within the validity of every certificate that does not set its own.
pub(crate) const NOW: u64 = 1_795_392_000;

/// The chain of a server, and its root.
#[derive(Clone)]
pub(crate) struct Pki {
    /// Leaf first, without the root.
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key_pem: String,
    pub(crate) root: CertificateDer<'static>,
}

/// Generating RSA keys takes long: each kind of key is generated a few times and reused.
fn key(algorithm: &'static SignatureAlgorithm, nth: usize) -> KeyPair {
    static KEYS: LazyLock<Mutex<HashMap<(String, usize), String>>> = LazyLock::new(Mutex::default);
    let mut keys = KEYS.lock().unwrap();
    let pem = keys
        .entry((format!("{algorithm:?}"), nth))
        .or_insert_with(|| KeyPair::generate_for(algorithm).unwrap().serialize_pem());
    KeyPair::from_pem_and_sign_algo(pem, algorithm).unwrap()
}

pub(crate) fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = rcgen::date_time_ymd(2026, 1, 1);
    params.not_after = rcgen::date_time_ymd(2027, 1, 1);
    params
}

pub(crate) fn ca_params(name: &str) -> CertificateParams {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// Returns a leaf for [`NAME`], 192.0.2.1 and 2001:db8::1.
pub(crate) fn leaf_params() -> CertificateParams {
    let mut leaf = params(NAME);
    leaf.subject_alt_names = [NAME, "192.0.2.1", "2001:db8::1"]
        .iter()
        .map(|name| match name.parse() {
            Ok(ip) => rcgen::SanType::IpAddress(ip),
            Err(_) => rcgen::SanType::DnsName((*name).try_into().unwrap()),
        })
        .collect();
    leaf.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    leaf
}

impl Pki {
    /// Makes a chain of `length` certificates below a root, all with the same kind of key.
    pub(crate) fn new(algorithm: &'static SignatureAlgorithm, length: usize) -> Self {
        let middle = (1..length).map(|i| ca_params(&format!("Middle {i}")));
        Self::of(algorithm, ca_params("Root"), middle, leaf_params())
    }

    /// Makes a leaf directly below its root.
    pub(crate) fn with_leaf(leaf: CertificateParams) -> Self {
        let algorithm = &rcgen::PKCS_ECDSA_P256_SHA256;
        Self::of(algorithm, ca_params("Root"), [], leaf)
    }

    pub(crate) fn of(
        algorithm: &'static SignatureAlgorithm,
        root: CertificateParams,
        middle: impl IntoIterator<Item = CertificateParams>,
        leaf: CertificateParams,
    ) -> Self {
        let root_key = key(algorithm, 0);
        let root_der = root.self_signed(&root_key).unwrap().der().clone();
        let mut issuer = Issuer::new(root, root_key);
        let mut chain = Vec::new();
        for (params, nth) in middle.into_iter().zip(1..) {
            let key = key(algorithm, nth);
            chain.insert(0, params.signed_by(&key, &issuer).unwrap().der().clone());
            issuer = Issuer::new(params, key);
        }
        let key = key(algorithm, chain.len() + 1);
        chain.insert(0, leaf.signed_by(&key, &issuer).unwrap().der().clone());
        Self {
            chain,
            key_pem: key.serialize_pem(),
            root: root_der,
        }
    }

    /// Makes a root with the same name as the real one, but another key.
    pub(crate) fn impostor(algorithm: &'static SignatureAlgorithm) -> CertificateDer<'static> {
        let key = key(algorithm, 99);
        ca_params("Root").self_signed(&key).unwrap().der().clone()
    }

    pub(crate) fn key(&self) -> PrivateKeyDer<'static> {
        let pem = KeyPair::from_pem(&self.key_pem).unwrap();
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pem.serialize_der()))
    }

    pub(crate) fn chain_pem(&self) -> String {
        self.chain.iter().map(pem).collect()
    }
}

pub(crate) fn pem(der: &CertificateDer<'_>) -> String {
    pem_of("CERTIFICATE", der)
}

pub(crate) fn pem_of(label: &str, der: &[u8]) -> String {
    use std::fmt::Write;
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in der.chunks(48) {
        for group in line.chunks(3) {
            let bits = group
                .iter()
                .chain(&[0; 2])
                .take(3)
                .fold(0_usize, |n, b| n << 8 | usize::from(*b));
            for i in 0..4 {
                let c = match i <= group.len() {
                    true => char::from(ALPHABET[bits >> (18 - 6 * i) & 63]),
                    false => '=',
                };
                text.push(c);
            }
        }
        writeln!(text).unwrap();
    }
    text + &format!("-----END {label}-----\n")
}
