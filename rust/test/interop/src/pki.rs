//! Certificates for the tests.

use std::collections::HashMap;
use std::fmt;
use std::sync::{LazyLock, Mutex};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, RsaKeySize, SignatureAlgorithm,
};

pub(crate) const NAME: &str = "broker.test";
/// 2026-11-23: within the validity of every certificate, unless stated otherwise.
pub(crate) const NOW: u64 = 1_795_392_000;

/// A type of key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Rsa2048,
    Rsa3072,
    Rsa4096,
    P256,
    P384,
    Ed25519,
}

impl Kind {
    pub(crate) const ALL: [Self; 6] = [
        Self::Rsa2048,
        Self::Rsa3072,
        Self::Rsa4096,
        Self::P256,
        Self::P384,
        Self::Ed25519,
    ];

    pub(crate) fn is_rsa(self) -> bool {
        matches!(self, Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096)
    }

    fn algorithm(self) -> &'static SignatureAlgorithm {
        match self {
            Self::Rsa2048 => &rcgen::PKCS_RSA_SHA256,
            Self::Rsa3072 => &rcgen::PKCS_RSA_SHA384,
            Self::Rsa4096 => &rcgen::PKCS_RSA_SHA512,
            Self::P256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            Self::P384 => &rcgen::PKCS_ECDSA_P384_SHA384,
            Self::Ed25519 => &rcgen::PKCS_ED25519,
        }
    }

    fn generate(self) -> KeyPair {
        let rsa = |size| KeyPair::generate_rsa_for(self.algorithm(), size);
        match self {
            Self::Rsa2048 => rsa(RsaKeySize::_2048),
            Self::Rsa3072 => rsa(RsaKeySize::_3072),
            Self::Rsa4096 => rsa(RsaKeySize::_4096),
            _ => KeyPair::generate_for(self.algorithm()),
        }
        .unwrap()
    }

    /// Returns a key. RSA keys take long to generate, so each is generated once and reused.
    pub(crate) fn key(self, nth: usize) -> KeyPair {
        static KEYS: LazyLock<Mutex<HashMap<(Kind, usize), String>>> =
            LazyLock::new(Mutex::default);
        let pem = KEYS
            .lock()
            .unwrap()
            .entry((self, nth))
            .or_insert_with(|| self.generate().serialize_pem())
            .clone();
        KeyPair::from_pem_and_sign_algo(&pem, self.algorithm()).unwrap()
    }

    /// Returns PKCS#8 in PEM, without the public half that rcgen adds to an Ed25519 key (RFC 5958),
    /// because OpenSSL 3.0 does not accept it.
    pub(crate) fn pkcs8(self, nth: usize) -> String {
        let key = self.key(nth);
        if self != Self::Ed25519 {
            return key.serialize_pem();
        }
        const HEAD: &[u8] = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
        let der = key.serialize_der();
        let at = der.windows(4).position(|w| w == &HEAD[12..]).unwrap() + 4;
        let der = [HEAD, &der[at..at + 32]].concat();
        pem::encode(&pem::Pem::new("PRIVATE KEY", der))
    }

    /// Returns the PKCS#1 key inside rcgen's PKCS#8: the content of the last OCTET STRING.
    pub(crate) fn pkcs1(self, nth: usize) -> Vec<u8> {
        let der = self.key(nth).serialize_der();
        let at = der.windows(2).position(|w| w == [0x04, 0x82]).unwrap();
        der[at + 4..].to_vec()
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rsa2048 => "RSA-2048",
            Self::Rsa3072 => "RSA-3072",
            Self::Rsa4096 => "RSA-4096",
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::Ed25519 => "Ed25519",
        })
    }
}

pub(crate) fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    // Mosquitto checks the real time.
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2099, 1, 1);
    params
}

pub(crate) fn ca_params(name: &str) -> CertificateParams {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    params
}

/// Returns the parameters of a server certificate, for [`NAME`] and this host.
pub(crate) fn leaf_params() -> CertificateParams {
    let mut leaf = params(NAME);
    leaf.subject_alt_names = [NAME, "localhost"]
        .map(|name| rcgen::SanType::DnsName(name.try_into().unwrap()))
        .to_vec();
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    leaf
}

/// What a server sends, and the root that it is verified with.
#[derive(Debug, Clone)]
pub(crate) struct Chain {
    /// PEM, leaf first, without the root.
    pub(crate) sent: Vec<String>,
    /// The leaf's key, PEM.
    pub(crate) key: String,
    /// PEM.
    pub(crate) root: String,
}

impl Chain {
    /// Creates a chain with keys of these types, the root's first and the leaf's last.
    pub(crate) fn new(kinds: &[Kind]) -> Self {
        let last = kinds.len() - 1;
        Self::of(kinds.iter().enumerate().map(|(nth, kind)| {
            let params = match nth {
                0 => ca_params("Root"),
                nth if nth == last => leaf_params(),
                nth => ca_params(&format!("Middle {nth}")),
            };
            (*kind, params)
        }))
    }

    /// Creates a chain, the root first and the leaf last.
    pub(crate) fn of(steps: impl IntoIterator<Item = (Kind, CertificateParams)>) -> Self {
        let mut steps = steps.into_iter();
        let (kind, params) = steps.next().unwrap();
        let mut last = (kind, 0);
        let root_key = kind.key(0);
        let root = params.self_signed(&root_key).unwrap().pem();
        let mut issuer = Issuer::new(params, root_key);
        let mut sent = Vec::new();
        for ((kind, params), nth) in steps.zip(1..) {
            let key = kind.key(nth);
            sent.insert(0, params.signed_by(&key, &issuer).unwrap().pem());
            issuer = Issuer::new(params, key);
            last = (kind, nth);
        }
        Self {
            sent,
            key: last.0.pkcs8(last.1),
            root,
        }
    }

    pub(crate) fn leaf_pem(&self) -> &str {
        &self.sent[0]
    }

    pub(crate) fn intermediates_pem(&self) -> String {
        self.sent[1..].concat()
    }
}

/// A device's certificate and key, PEM.
#[derive(Debug, Clone)]
pub(crate) struct Device {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Device {
    /// Keys that a device may have.
    pub(crate) const KINDS: [Kind; 3] = [Kind::P256, Kind::P384, Kind::Rsa2048];

    pub(crate) fn of(kind: Kind) -> Self {
        let key = kind.key(80);
        Self {
            certificate: Self::sign(&key).pem(),
            key: key.serialize_pem(),
        }
    }

    /// Issues a certificate for a key of which only the public half is available.
    pub(crate) fn certify(kind: Kind, public: &[u8]) -> String {
        Self::sign(&Public(kind, public)).pem()
    }

    fn sign(key: &impl PublicKeyData) -> Certificate {
        let mut device = params("device");
        device.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let issuer = Issuer::new(ca_params("Devices"), Kind::P256.key(70));
        device.signed_by(key, &issuer).unwrap()
    }

    /// Returns the CA of all devices, PEM.
    pub(crate) fn root() -> String {
        let key = Kind::P256.key(70);
        ca_params("Devices").self_signed(&key).unwrap().pem()
    }
}

struct Public<'a>(Kind, &'a [u8]);

impl PublicKeyData for Public<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.1
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.0.algorithm()
    }
}
