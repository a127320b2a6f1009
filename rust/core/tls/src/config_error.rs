//! What may be wrong with a configuration.

use core::fmt;

use crate::choice::{Group, Suite, Version};

/// Configuration errors name the culprit: which certificate of the bundle, which suite. Indices
/// count from 0; the sentences count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The CA bundle holds no certificate, or none was given.
    NoCertificate,
    /// A certificate of the CA bundle is broken.
    BadCertificate {
        /// Which.
        index: u16,
    },
    /// The client chain holds no certificate.
    NoClientCertificate,
    /// A certificate of the client chain is broken.
    BadClientCertificate {
        /// Which.
        index: u16,
    },
    /// The client certificate is not of X.509 version 3, the only one that TLS takes here.
    ClientCertificateVersion,
    /// There is no private key where one should be.
    NoKey,
    /// The private key cannot be decoded.
    BadKey,
    /// The private key is encrypted with a password.
    KeyEncrypted,
    /// The crypto provider has no use for a key of this kind.
    KeyNotSupported,
    /// The private key does not belong to the client certificate.
    KeyMismatch,
    /// The crypto provider does not have this suite.
    SuiteNotOffered(Suite),
    /// The crypto provider does not have this group.
    GroupNotOffered(Group),
    /// This version was asked for and left out when the program was built.
    VersionNotBuilt(Version),
    /// This version was asked for without a suite of its own.
    VersionWithoutSuite(Version),
    /// This version was asked for without a group that it can use.
    VersionWithoutGroup(Version),
    /// This suite was asked for without its version.
    SuiteWithoutVersion(Suite),
    /// There is no suite, or no version, left to use.
    NoSuite,
    /// An ALPN name is empty or longer than 255 bytes.
    BadAlpn {
        /// Which.
        index: u16,
    },
    /// The fragment size is not within 64 to 16,384.
    FragmentSize,
    /// The inbound buffer is smaller than 512 bytes.
    InboundTooSmall,
    /// The outbound buffer is smaller than 128 bytes.
    OutboundTooSmall,
    /// The most certificates of a chain are not within 1 to 7.
    ChainLength,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NoCertificate => f.write_str(
                "there is no CA certificate; give at least one, as PEM (BEGIN CERTIFICATE) or DER",
            ),
            Self::BadCertificate { index } => write!(
                f,
                "certificate {} of the CA bundle is broken; export it again, as PEM or DER",
                u32::from(index) + 1
            ),
            Self::NoClientCertificate => f.write_str(
                "there is no client certificate where one should be; give it as PEM (BEGIN \
                 CERTIFICATE) or DER",
            ),
            Self::BadClientCertificate { index } => write!(
                f,
                "certificate {} of the client chain is broken; export it again, as PEM or DER",
                u32::from(index) + 1
            ),
            Self::ClientCertificateVersion => f.write_str(
                "the client certificate is of an outdated X.509 version; have it issued anew as \
                 version 3, which openssl does as soon as it has an extension, such as \
                 extendedKeyUsage=clientAuth",
            ),
            Self::NoKey => f.write_str(
                "there is no private key where one should be; give it in PKCS#8, PKCS#1 or SEC1, \
                 as PEM or DER",
            ),
            Self::BadKey => f.write_str(
                "the private key cannot be decoded; export it again, in PKCS#8, as PEM or DER",
            ),
            Self::KeyEncrypted => f.write_str(
                "the private key is encrypted with a password; decrypt it, for instance with \
                 openssl pkey",
            ),
            Self::KeyNotSupported => f.write_str(
                "the crypto provider does not support a private key of this kind; use an ECDSA \
                 P-256 key",
            ),
            Self::KeyMismatch => f.write_str(
                "the private key does not belong to the client certificate; give the pair that \
                 was issued together, the device's own certificate first",
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
                "{version} was left out of this build; build with it, or do not ask for it"
            ),
            Self::VersionWithoutSuite(version) => write!(
                f,
                "{version} is asked for, but there is no suite for it; add one, or do not ask for \
                 this version"
            ),
            Self::VersionWithoutGroup(version) => write!(
                f,
                "{version} is asked for, but none of the groups can be used with it; add one"
            ),
            Self::SuiteWithoutVersion(suite) => write!(
                f,
                "the suite {suite} belongs to {}, which is not asked for; add the version, or drop \
                 the suite",
                suite.version()
            ),
            Self::NoSuite => f.write_str(
                "there is no cipher suite left to use; choose at least one version and one suite",
            ),
            Self::BadAlpn { index } => write!(
                f,
                "ALPN name {} is empty or longer than 255 bytes (RFC 7301)",
                u32::from(index) + 1
            ),
            Self::FragmentSize => f.write_str("the fragment size is not within 64 to 16,384 bytes"),
            Self::InboundTooSmall => {
                f.write_str("the inbound buffer is smaller than 512 bytes; give it more")
            }
            Self::OutboundTooSmall => {
                f.write_str("the outbound buffer is smaller than 128 bytes; give it more")
            }
            Self::ChainLength => {
                f.write_str("the most certificates that a broker may present are not within 1 to 7")
            }
        }
    }
}

impl core::error::Error for ConfigError {}
