//! Errors in a configuration.

use core::fmt;

use crate::certificate::PublicKey;
use crate::choice::{Group, Suite, Version};
use crate::credentials;
use crate::damage::Damage;
use crate::kind::FileKind;

/// An input of a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Given {
    /// The CA certificates.
    Ca,
    /// The client certificate, and the intermediates between it and its CA.
    Certificate,
    /// The private key of the client certificate.
    Key,
}

impl Given {
    pub(crate) const fn at_fault(self, fault: Fault) -> ConfigError {
        ConfigError::Given(self, fault)
    }

    /// Refuses bytes that are of another kind or truncated, as far as that shows without decoding
    /// them: this takes a few instructions per byte, decoding takes hundreds. What passes may still
    /// be refused when it is decoded.
    pub fn glance(self, bytes: &[u8]) -> Result<(), ConfigError> {
        credentials::glance(bytes, self)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Ca => "CA certificate",
            Self::Certificate => "client certificate",
            Self::Key => "private key",
        }
    }
}

/// What is wrong with an input. Indices count from 0; the sentences count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// It is something else.
    Is(FileKind),
    /// One of its certificates, or the key, is damaged.
    Damaged {
        /// The index of the certificate.
        index: u16,
        /// The damage.
        damage: Damage,
    },
    /// One of its certificates is something else, whatever its label says.
    CertificateIs {
        /// The index of the certificate.
        index: u16,
        /// What it is.
        kind: FileKind,
    },
    /// OpenSSL's trust settings exclude servers (BEGIN TRUSTED CERTIFICATE).
    NotForServers {
        /// The index of the certificate.
        index: u16,
    },
    /// The heap has no room to decode it.
    OutOfMemory,
}

impl From<Damage> for Fault {
    fn from(damage: Damage) -> Self {
        Self::Damaged { index: 0, damage }
    }
}

impl Fault {
    /// Returns the same fault for the certificate with this index.
    pub(crate) fn of_certificate(self, index: u16) -> Self {
        match self {
            Self::Damaged { damage, .. } => Self::Damaged { index, damage },
            Self::NotForServers { .. } => Self::NotForServers { index },
            Self::OutOfMemory => self,
            Self::Is(kind) | Self::CertificateIs { kind, .. } => {
                Self::CertificateIs { index, kind }
            }
        }
    }
}

/// Why a configuration is refused. Errors name the culprit: which certificate of the bundle, which
/// suite. Indices count from 0; the sentences count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// Neither a CA certificate nor a pin was given.
    NoCertificate,
    /// An input is not usable.
    Given(Given, Fault),
    /// There are pins, but the crypto provider has no SHA-256.
    PinWithoutSha256,
    /// This build leaves the capability out. Contains the name of its Kconfig option, without the
    /// prefix `CONFIG_THREAD_MQTT_`.
    NotBuilt(&'static str),
    /// The client certificate is not an X.509 version 3 certificate, the only version accepted
    /// here.
    ClientCertificateVersion,
    /// The crypto provider does not support a private key of this kind.
    KeyNotSupported(PublicKey),
    /// The private key does not belong to the client certificate.
    KeyMismatch,
    /// The crypto provider does not have this suite.
    SuiteNotOffered(Suite),
    /// The crypto provider does not have this group.
    GroupNotOffered(Group),
    /// This version was requested but is not in this build.
    VersionNotBuilt(Version),
    /// This version was requested without a suite for it.
    VersionWithoutSuite(Version),
    /// This version was requested without a group that it can use.
    VersionWithoutGroup(Version),
    /// This suite was requested without its version.
    SuiteWithoutVersion(Suite),
    /// No usable suite or version is left.
    NoSuite,
    /// An ALPN name is empty or longer than 255 bytes.
    BadAlpn {
        /// The index of the name.
        index: u16,
    },
    /// The fragment size is not within 64 to 16,384.
    FragmentSize,
    /// The inbound buffer is smaller than 512 bytes.
    InboundTooSmall,
    /// The outbound buffer is smaller than 128 bytes.
    OutboundTooSmall,
    /// The maximum path length is not within 1 to 7.
    ChainLength,
}

impl ConfigError {
    /// Returns which input is at fault, if one is.
    pub const fn given(&self) -> Option<Given> {
        match self {
            Self::NoCertificate => Some(Given::Ca),
            Self::Given(given, _) => Some(*given),
            Self::ClientCertificateVersion => Some(Given::Certificate),
            Self::KeyNotSupported(_) | Self::KeyMismatch => Some(Given::Key),
            _ => None,
        }
    }
}

/// Describes what is wrong with an input, and what to do about it.
fn describe(given: Given, fault: Fault, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let place = |f: &mut fmt::Formatter<'_>, index: u16| match given {
        Given::Key => f.write_str("the private key"),
        _ => write!(f, "{} {}", given.name(), u32::from(index) + 1),
    };
    match fault {
        Fault::Is(kind) => write!(
            f,
            "expected a {}, found {}; {}",
            given.name(),
            kind.name(),
            kind.cure(given)
        ),
        Fault::CertificateIs { index, kind } => {
            place(f, index)?;
            write!(
                f,
                " is {}, despite its BEGIN line; {}",
                kind.name(),
                kind.cure(given)
            )
        }
        Fault::Damaged { index, damage } => {
            place(f, index)?;
            f.write_str(match damage {
                Damage::EndLine => {
                    " has no END line that matches its BEGIN line; copy the whole file again"
                }
                Damage::Character => {
                    " contains a character that is not base64; copy the file again without \
                     changes"
                }
                Damage::CutShort => " is cut short; copy the whole file again",
                Damage::Content => {
                    " cannot be decoded: it is damaged or has an unsupported form (RFC 5280); \
                     export it again as PEM or DER, or reissue it"
                }
                Damage::Trailing => {
                    " is followed by extra bytes; convert it to PEM, which removes them: openssl \
                     x509 (or pkey) -inform DER -in FILE"
                }
            })
        }
        Fault::OutOfMemory => write!(
            f,
            "not enough heap to read the {}; enlarge the heap, or remove what is not needed",
            given.name()
        ),
        Fault::NotForServers { index } => {
            place(f, index)?;
            f.write_str(
                " has OpenSSL trust settings that exclude servers; remove them: openssl x509 -in \
                 FILE -out ca.pem",
            )
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NoCertificate => f.write_str(
                "there is no CA certificate; provide at least one, as PEM (BEGIN CERTIFICATE) or \
                 DER",
            ),
            Self::PinWithoutSha256 => f.write_str(
                "pins need SHA-256, which the crypto provider lacks; build it with a suite that \
                 has SHA256 in its name",
            ),
            Self::NotBuilt(option) => write!(
                f,
                "this build lacks the feature; set CONFIG_THREAD_MQTT_{option}=y, or enable the \
                 cargo feature of that capability"
            ),
            Self::Given(given, fault) => describe(given, fault, f),
            Self::ClientCertificateVersion => f.write_str(
                "the client certificate has an outdated X.509 version; reissue it as version 3, \
                 which openssl does if it has an extension such as extendedKeyUsage=clientAuth",
            ),
            Self::KeyNotSupported(kind @ (PublicKey::P256 | PublicKey::P384)) => write!(
                f,
                "the crypto provider rejected the private key ({kind}); it is damaged, or this \
                 build lacks its curve"
            ),
            // With a key size that a provider may support.
            Self::KeyNotSupported(
                kind @ (PublicKey::Rsa(2048..) | PublicKey::P521 | PublicKey::Ed25519),
            ) => write!(
                f,
                "the crypto provider rejected the private key ({kind}); it is damaged or has an \
                 unusual form, or this build lacks its kind: use a certificate with an ECDSA \
                 P-256 key"
            ),
            Self::KeyNotSupported(PublicKey::UnnamedCurve) => f.write_str(
                "the private key has explicit curve parameters instead of a named curve; convert \
                 it: openssl pkey -in FILE -ec_param_enc named_curve -out key.pem",
            ),
            Self::KeyNotSupported(kind) => write!(
                f,
                "the private key is {kind}, which the crypto provider cannot sign with; use a \
                 certificate with an ECDSA P-256 key"
            ),
            Self::KeyMismatch => f.write_str(
                "the private key does not belong to the client certificate; use a certificate and \
                 key that belong together",
            ),
            Self::SuiteNotOffered(suite) => write!(
                f,
                "the crypto provider does not have the suite {suite}; choose another, or build \
                 the provider with it"
            ),
            Self::GroupNotOffered(group) => write!(
                f,
                "the crypto provider does not have the group {group}; choose another, or build \
                 the provider with it"
            ),
            Self::VersionNotBuilt(version) => write!(
                f,
                "{version} is not in this build; build with it, or do not select it"
            ),
            Self::VersionWithoutSuite(version) => write!(
                f,
                "{version} is selected without a suite for it; add one, or do not select this \
                 version"
            ),
            Self::VersionWithoutGroup(version) => write!(
                f,
                "{version} is selected, but it can use none of the groups; add one"
            ),
            Self::SuiteWithoutVersion(suite) => write!(
                f,
                "the suite {suite} belongs to {}, which is not selected; add the version, or \
                 remove the suite",
                suite.version()
            ),
            Self::NoSuite => {
                f.write_str("no cipher suite is left; choose at least one version and one suite")
            }
            Self::BadAlpn { index } => write!(
                f,
                "ALPN name {} is empty or longer than 255 bytes (RFC 7301)",
                u32::from(index) + 1
            ),
            Self::FragmentSize => f.write_str("the fragment size must be from 64 to 16,384 bytes"),
            Self::InboundTooSmall => {
                f.write_str("the inbound buffer is smaller than 512 bytes; enlarge it")
            }
            Self::OutboundTooSmall => {
                f.write_str("the outbound buffer is smaller than 128 bytes; enlarge it")
            }
            Self::ChainLength => f.write_str(
                "the maximum number of certificates on the path to a CA (max_chain) must be from \
                 1 to 7",
            ),
        }
    }
}

impl core::error::Error for ConfigError {}
