//! What is wrong with the broker's certificate.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use crate::der::civil;

/// Why the broker's certificate was refused. Dates are Unix seconds; `subject` and `issuer` are
/// names as in [`CertificateSummary`](crate::CertificateSummary).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateFault {
    /// The validity of a certificate of the chain has ended.
    Expired {
        /// Whose.
        subject: Box<str>,
        /// When.
        not_after: u64,
        /// The time it was checked against.
        checked_at: u64,
    },
    /// The validity of a certificate of the chain has not begun.
    NotYetValid {
        /// Whose.
        subject: Box<str>,
        /// When it will.
        not_before: u64,
        /// The time it was checked against.
        checked_at: u64,
    },
    /// The certificate is for other names.
    NameMismatch {
        /// The name connected to.
        expected: Box<str>,
        /// The names in the certificate.
        presented: Box<[String]>,
    },
    /// No configured CA vouches for the chain.
    UnknownIssuer {
        /// Who issued the last certificate presented.
        issuer: Box<str>,
        /// Certificates presented.
        presented: u8,
        /// The certificate is its own issuer.
        self_signed: bool,
    },
    /// A certificate is not signed by the issuer it names.
    BadSignature,
    /// A signature was made with an RSA key of a length that is not accepted.
    RsaKeyLength {
        /// Whose.
        subject: Box<str>,
        /// Of its modulus.
        bits: u16,
    },
    /// The handshake is not signed by the key of the certificate.
    BadHandshakeSignature,
    /// The broker presents a CA certificate as its own.
    CaUsedAsEndEntity,
    /// A certificate that is no CA issued another.
    EndEntityUsedAsCa,
    /// A signature was made with an algorithm that the crypto provider does not offer.
    UnsupportedSignatureAlgorithm,
    /// The certificate has been revoked.
    Revoked,
    /// Whether the certificate has been revoked could not be found out.
    RevocationUnknown,
    /// The certificate is not meant for a server (extendedKeyUsage).
    WrongPurpose,
    /// A certificate could not be decoded.
    BadEncoding,
    /// A certificate is of version 1 or 2; only version 3 is accepted.
    UnsupportedVersion,
    /// A certificate has a critical extension that is not understood.
    UnknownCriticalExtension,
    /// A name lies outside of what its CA may certify (nameConstraints).
    NameConstraint,
    /// The chain is longer than its CA allows (pathLenConstraint).
    ChainTooLong,
    /// More certificates than [`ConfigBuilder::max_chain`](crate::ConfigBuilder::max_chain) allows.
    TooManyCertificates {
        /// How many the broker presented; 255 stands for more, too.
        presented: u8,
        /// How many are taken.
        most: u8,
    },
    /// The chain takes more work to check than is reasonable.
    TooComplex,
    /// Another fault.
    Other,
}

impl CertificateFault {
    pub(crate) fn cure(&self) -> &'static str {
        match self {
            Self::Expired { .. } => {
                "renew the broker's certificate, or correct the clock of this device if it is wrong"
            }
            Self::NotYetValid { .. } => {
                "correct the clock of this device if it is wrong, or wait until the certificate's \
                 validity begins"
            }
            Self::NameMismatch { .. } => {
                "connect by a name that the certificate has, or give the broker a certificate for \
                 this name"
            }
            Self::UnknownIssuer {
                self_signed: true, ..
            } => {
                "if this is your broker, configure this very certificate as CA, or let a CA sign one"
            }
            Self::UnknownIssuer {
                presented: 0 | 1, ..
            } => {
                "configure the CA that issued the broker's certificate; if you did, let the broker \
                 send its intermediate certificates as well"
            }
            Self::UnknownIssuer { .. } => {
                "configure the CA at the root of the broker's chain, not another one"
            }
            Self::BadSignature => {
                "compare the CA certificate with the one that really issued the broker's: it has \
                 the same name and another key"
            }
            Self::RsaKeyLength { .. } => {
                "replace that certificate by one with an RSA key of 2048 to 4096 bits, or with an \
                 ECDSA key (P-256, P-384)"
            }
            Self::BadHandshakeSignature => {
                "give the broker the private key that belongs to its certificate"
            }
            Self::CaUsedAsEndEntity => {
                "give the broker a certificate of its own, issued by that CA (basicConstraints \
                 CA:FALSE)"
            }
            Self::EndEntityUsedAsCa => {
                "have the broker's certificate issued by a CA certificate (basicConstraints CA:TRUE)"
            }
            Self::UnsupportedSignatureAlgorithm => {
                "use RSA (PKCS#1 or PSS, SHA-256 or better) or ECDSA (P-256, P-384) certificates, \
                 as the crypto provider offers"
            }
            Self::Revoked => "replace the broker's certificate; do not trust it any more",
            Self::RevocationUnknown => "provide a current revocation list",
            Self::WrongPurpose => {
                "give the broker a certificate whose extendedKeyUsage has serverAuth"
            }
            Self::BadEncoding | Self::UnsupportedVersion | Self::UnknownCriticalExtension => {
                "have the broker's certificate issued anew, as X.509 version 3 (RFC 5280)"
            }
            Self::NameConstraint => {
                "have the certificate issued by a CA that may certify this name"
            }
            Self::ChainTooLong | Self::TooComplex => {
                "shorten the broker's chain; send no certificate that does not belong to it"
            }
            Self::TooManyCertificates { .. } => {
                "let the broker send its own certificate and those between it and the CA, and no \
                 other; or allow more, each of which takes stack"
            }
            Self::Other => "examine the broker's certificate, for instance with openssl verify",
        }
    }
}

/// A date as people read it: `2026-11-23 01:53:18 UTC`.
struct Date(u64);

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [year, month, day, hour, minute, second] = civil(self.0);
        write!(
            f,
            "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC"
        )
    }
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired {
                subject,
                not_after,
                checked_at,
            } => write!(
                f,
                "the certificate of \"{subject}\" expired on {}, and it is {} now",
                Date(*not_after),
                Date(*checked_at)
            ),
            Self::NotYetValid {
                subject,
                not_before,
                checked_at,
            } => write!(
                f,
                "the certificate of \"{subject}\" is valid from {} on, and the clock of this \
                 device says {}",
                Date(*not_before),
                Date(*checked_at)
            ),
            Self::NameMismatch {
                expected,
                presented,
            } => {
                write!(f, "the broker's certificate is not for \"{expected}\" but for ")?;
                match presented.split_last() {
                    None => f.write_str("no name at all (it has no subjectAltName)"),
                    Some((last, [])) => f.write_str(last),
                    Some((last, others)) => {
                        for name in others {
                            write!(f, "{name}, ")?;
                        }
                        write!(f, "and {last}")
                    }
                }
            }
            Self::UnknownIssuer {
                issuer,
                self_signed: true,
                ..
            } => write!(
                f,
                "the broker presented a certificate that \"{issuer}\" issued for itself, and it is \
                 not among the configured CAs"
            ),
            Self::UnknownIssuer { issuer, .. } => write!(
                f,
                "the broker's certificate chain ends at \"{issuer}\", which is not among the \
                 configured CAs"
            ),
            Self::BadSignature => f.write_str(
                "a certificate of the broker's chain is not signed by the issuer it names",
            ),
            Self::RsaKeyLength { subject, bits } => write!(
                f,
                "the RSA key of \"{subject}\" has {bits} bits, and only 2048 to 4096 are accepted"
            ),
            Self::BadHandshakeSignature => f.write_str(
                "the broker did not prove that it owns its certificate: the signature on the \
                 handshake is wrong",
            ),
            Self::CaUsedAsEndEntity => f.write_str("the broker presented a CA certificate as its own"),
            Self::EndEntityUsedAsCa => f.write_str(
                "a certificate of the broker's chain was issued by one that is no CA",
            ),
            Self::UnsupportedSignatureAlgorithm => f.write_str(
                "the broker's certificate or handshake is signed with an algorithm that this \
                 device does not have",
            ),
            Self::Revoked => f.write_str("the broker's certificate has been revoked"),
            Self::RevocationUnknown => f.write_str(
                "it could not be found out whether the broker's certificate has been revoked",
            ),
            Self::WrongPurpose => {
                f.write_str("the broker's certificate is not meant for a server (extendedKeyUsage)")
            }
            Self::BadEncoding => {
                f.write_str("a certificate of the broker's chain could not be decoded")
            }
            Self::UnsupportedVersion => f.write_str(
                "a certificate of the broker's chain is of an outdated X.509 version",
            ),
            Self::UnknownCriticalExtension => f.write_str(
                "a certificate of the broker's chain has a critical extension that is not understood",
            ),
            Self::NameConstraint => f.write_str(
                "the broker's certificate is for a name that its CA may not certify (nameConstraints)",
            ),
            Self::ChainTooLong => {
                f.write_str("the broker's certificate chain is longer than its CA allows")
            }
            Self::TooManyCertificates { presented, most } => write!(
                f,
                "the broker presented {presented} certificates, and no more than {most} are taken"
            ),
            Self::TooComplex => {
                f.write_str("the broker's certificate chain takes too much work to check")
            }
            Self::Other => f.write_str("the broker's certificate was refused"),
        }
    }
}
