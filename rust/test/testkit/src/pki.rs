//! Certificate chains with control over every date, name and key.
//!
//! [`Authority`] signs, [`Identity`] is what a server or a client presents, and [`Chain`] is the
//! usual three: root → intermediate → leaf.
//!
//! Keys come from the host's entropy, so two chains always differ. Use [`fixed`](crate::fixed) for
//! runs that must repeat byte for byte.
use crate::identity::pem;
pub use crate::identity::{Identity, Validity};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, RsaKeySize,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest, Sha256};
use std::fmt;
use time::OffsetDateTime;

/// Type and size of a key; determines the signature as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// RSA 2048, the most common key of brokers on the Internet.
    Rsa2048,
    /// RSA 3072.
    Rsa3072,
    /// RSA 4096: the largest that a device must accept. Takes a second to generate.
    Rsa4096,
    /// ECDSA P-256 with SHA-256.
    P256,
    /// ECDSA P-384 with SHA-384.
    P384,
}

impl KeyKind {
    fn generate(self) -> Result<KeyPair, rcgen::Error> {
        let rsa = |size| KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size);
        match self {
            Self::Rsa2048 => rsa(RsaKeySize::_2048),
            Self::Rsa3072 => rsa(RsaKeySize::_3072),
            Self::Rsa4096 => rsa(RsaKeySize::_4096),
            Self::P256 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256),
            Self::P384 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384),
        }
    }
}

impl Validity {
    /// Returns yesterday until a year from now.
    pub fn current() -> Self {
        Self::days_from_now(-1, 365)
    }

    /// Returns a year that ended yesterday.
    pub fn expired() -> Self {
        Self::days_from_now(-366, -1)
    }

    /// Returns a year that begins tomorrow.
    pub fn not_yet() -> Self {
        Self::days_from_now(1, 366)
    }

    fn days_from_now(first: i64, last: i64) -> Self {
        const DAY: i64 = 24 * 60 * 60;
        let now = OffsetDateTime::now_utc().unix_timestamp();
        Self {
            not_before: now + first * DAY,
            not_after: now + last * DAY,
        }
    }
}

/// The purpose of a leaf certificate (RFC 5280 section 4.2.1.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// serverAuth.
    Server,
    /// clientAuth.
    Client,
}

/// Why a certificate could not be created.
#[derive(Debug)]
#[non_exhaustive]
pub enum PkiError {
    /// A date that X.509 cannot encode.
    Date,
    /// A name that is not a DNS name, or the generator failed.
    Generator(rcgen::Error),
}

impl fmt::Display for PkiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Date => f.write_str("The certificate's date is outside the years 1 to 9999."),
            Self::Generator(error) => {
                write!(f, "The certificate could not be created: {error}.")
            }
        }
    }
}

impl std::error::Error for PkiError {}

impl From<rcgen::Error> for PkiError {
    fn from(error: rcgen::Error) -> Self {
        Self::Generator(error)
    }
}

/// A certificate authority: its certificate, its key and the path to the root.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    /// What a peer must send so that the root is a sufficient trust anchor: this authority and
    /// those above it, without the root.
    path: Vec<CertificateDer<'static>>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("path", &self.path.len())
            .finish_non_exhaustive()
    }
}

impl Authority {
    /// Creates a self-signed root.
    pub fn root(name: &str, kind: KeyKind, validity: Validity) -> Result<Self, PkiError> {
        let key = kind.generate()?;
        let params = authority_params(name, &key, validity)?;
        let certificate = params.self_signed(&key)?.der().clone();
        Ok(Self {
            issuer: Issuer::new(params, key),
            certificate,
            path: Vec::new(),
        })
    }

    /// Creates an authority below this one.
    pub fn intermediate(
        &self,
        name: &str,
        kind: KeyKind,
        validity: Validity,
    ) -> Result<Self, PkiError> {
        let key = kind.generate()?;
        let params = authority_params(name, &key, validity)?;
        let certificate = params.signed_by(&key, &self.issuer)?.der().clone();
        let mut path = vec![certificate.clone()];
        path.extend(self.path.iter().cloned());
        Ok(Self {
            issuer: Issuer::new(params, key),
            certificate,
            path,
        })
    }

    /// Issues a certificate for a server or a client. `names` become subject alternative names: IP
    /// addresses as iPAddress, everything else as dNSName. The first is also the common name.
    pub fn issue(
        &self,
        names: &[&str],
        usage: Usage,
        kind: KeyKind,
        validity: Validity,
    ) -> Result<Identity, PkiError> {
        let key = kind.generate()?;
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let common_name = names.first().cloned().unwrap_or_default();
        let mut params = dated(CertificateParams::new(names)?, validity)?;
        params
            .distinguished_name
            .push(DnType::CommonName, common_name);
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![match usage {
            Usage::Server => ExtendedKeyUsagePurpose::ServerAuth,
            Usage::Client => ExtendedKeyUsagePurpose::ClientAuth,
        }];
        params.use_authority_key_identifier_extension = true;
        let mut chain = vec![params.signed_by(&key, &self.issuer)?.der().clone()];
        chain.extend(self.path.iter().cloned());
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Ok(Identity::new(chain, key))
    }

    /// Returns the certificate, DER.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// Returns the certificate, PEM: the format for `--ca` and a device's trust store.
    pub fn certificate_pem(&self) -> String {
        pem("CERTIFICATE", &self.certificate)
    }

    /// Returns the private key, PKCS#8 PEM.
    pub fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }
}

/// The common name ends with a fingerprint of the key, so that two authorities never have the same
/// name: a verifier would then report an invalid signature instead of an unknown issuer.
fn authority_params(
    name: &str,
    key: &KeyPair,
    validity: Validity,
) -> Result<CertificateParams, PkiError> {
    let digest = Sha256::digest(key.public_key_raw());
    let fingerprint: String = digest.iter().take(4).map(|b| format!("{b:02x}")).collect();
    let mut params = dated(CertificateParams::default(), validity)?;
    params
        .distinguished_name
        .push(DnType::CommonName, format!("{name} {fingerprint}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

/// Sets the dates, and an organisation that distinguishes a test certificate from a real one.
fn dated(mut params: CertificateParams, validity: Validity) -> Result<CertificateParams, PkiError> {
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::OrganizationName, "thread-mqtt test");
    let date = |seconds| OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| PkiError::Date);
    params.not_before = date(validity.not_before)?;
    params.not_after = date(validity.not_after)?;
    Ok(params)
}

/// Root, intermediate and a server's leaf, all with the same type of key.
#[derive(Debug)]
pub struct Chain {
    /// The trust anchor.
    pub root: Authority,
    /// Signed by the root; signs the leaf.
    pub intermediate: Authority,
    /// The server.
    pub leaf: Identity,
}

impl Chain {
    /// Generates a chain that is valid today, for a server with these names.
    pub fn generate(kind: KeyKind, names: &[&str]) -> Result<Self, PkiError> {
        Self::with_validity(kind, names, Validity::current(), Validity::current())
    }

    /// Generates a chain whose authorities and leaf have different dates.
    pub fn with_validity(
        kind: KeyKind,
        names: &[&str],
        authorities: Validity,
        leaf: Validity,
    ) -> Result<Self, PkiError> {
        let root = Authority::root("thread-mqtt test root", kind, authorities)?;
        let intermediate = root.intermediate("thread-mqtt test intermediate", kind, authorities)?;
        let leaf = intermediate.issue(names, Usage::Server, kind, leaf)?;
        Ok(Self {
            root,
            intermediate,
            leaf,
        })
    }
}
