//! Faults of the broker's certificate.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use crate::certificate::PublicKey;
use crate::der::{self, Reader, civil};
use crate::path::MAX_PATH;
use crate::pin::Pin;

/// Why the broker's certificate was rejected. Dates are Unix seconds; `subject` and `issuer` are
/// names as in [`CertificateSummary`](crate::CertificateSummary).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateFault {
    /// A certificate of the chain has expired.
    Expired {
        /// The subject of the certificate.
        subject: Box<str>,
        /// When it expired.
        not_after: u64,
        /// The time it was checked against.
        checked_at: u64,
        /// Whether it is the broker's own certificate.
        is_leaf: bool,
    },
    /// A certificate of the chain is not valid yet.
    NotYetValid {
        /// The subject of the certificate.
        subject: Box<str>,
        /// When it becomes valid.
        not_before: u64,
        /// The time it was checked against.
        checked_at: u64,
    },
    /// The certificate is for other names.
    NameMismatch {
        /// The name connected to.
        expected: Box<str>,
        /// The names in the certificate, of the kinds dNSName and iPAddress.
        presented: Box<[String]>,
        /// How they differ from it.
        mismatch: NameMismatch,
    },
    /// Neither the certificate nor its key is [pinned](crate::ConfigBuilder::pin).
    NotPinned(Box<NotPinned>),
    /// No configured CA has issued the chain.
    UnknownIssuer {
        /// The issuer of the last certificate presented.
        issuer: Box<str>,
        /// How many certificates were presented.
        presented: u8,
        /// Whether the certificate is its own issuer.
        self_signed: bool,
    },
    /// A certificate is not signed by the issuer that it names.
    BadSignature,
    /// A signature was made with an RSA key of a length that is not accepted.
    RsaKeyLength {
        /// The owner of the key.
        subject: Box<str>,
        /// The length of its modulus.
        bits: u16,
    },
    /// The handshake is not signed with the key of the certificate.
    BadHandshakeSignature,
    /// The broker presents a CA certificate as its own.
    CaUsedAsEndEntity,
    /// The broker presents a CA certificate before its own.
    LeafNotFirst,
    /// A certificate was issued by one that is not a CA.
    EndEntityUsedAsCa,
    /// A signature was made with an algorithm that the crypto provider does not offer.
    UnsupportedSignatureAlgorithm {
        /// The algorithm.
        signature: Signature,
        /// The kind of key that made it, if that is what the provider lacks.
        key: Option<PublicKey>,
    },
    /// The certificate has been revoked.
    Revoked,
    /// The revocation status of the certificate is not known.
    RevocationUnknown,
    /// A certificate of the chain is not valid for servers (extendedKeyUsage).
    WrongPurpose,
    /// A certificate could not be decoded.
    BadEncoding,
    /// The broker's certificate has version 1 or 2; only version 3 is accepted. Without the feature
    /// `summaries` this may mean another certificate of the chain.
    UnsupportedVersion,
    /// A certificate has an unknown critical extension. Both texts are empty if it is not known
    /// which.
    UnknownCriticalExtension {
        /// The subject of the certificate.
        subject: Box<str>,
        /// The name of the extension, or its number.
        extension: Box<str>,
    },
    /// Another certificate of the chain has version 1 or 2.
    IntermediateVersion,
    /// The validity of a certificate ends before it begins.
    NeverValid,
    /// A name lies outside of what its CA may certify (nameConstraints).
    NameConstraint,
    /// A CA of the chain limits DNS names (nameConstraints), and the certificate contains a
    /// malformed one.
    InvalidDnsName {
        /// That name; empty if it is not known.
        name: Box<str>,
    },
    /// A CA of the chain limits the subjects that it may certify (a directoryName in
    /// nameConstraints), which cannot be checked here.
    DirectoryNameConstraint,
    /// The chain is longer than its CA allows (pathLenConstraint).
    ChainTooLong,
    /// The path to a CA has more certificates than
    /// [`ConfigBuilder::max_chain`](crate::ConfigBuilder::max_chain) allows.
    PathTooLong {
        /// Length of the shortest path, counting the broker's own certificate but not the root.
        length: u8,
        /// The limit.
        most: u8,
    },
    /// Checking the chain takes too much work.
    TooComplex,
    /// Another fault.
    Other,
}

/// How the names of a certificate differ from the one connected to (RFC 9525).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameMismatch {
    /// It has other names.
    OtherNames,
    /// It has the address as a dNSName, but only an iPAddress counts.
    AddressAsDnsName,
    /// It has the name with a trailing dot, which certificates must not have.
    FinalDot,
    /// It covers the name with a wildcard above a single label, such as `*.local`, which does not
    /// count.
    WideWildcard,
    /// Its subjectAltName has only entries of other kinds, such as URI or e-mail.
    OtherKinds,
    /// It has the name as its common name, which does not count, and no subjectAltName.
    CommonName,
    /// It has no subjectAltName.
    NoNames,
    /// Not determined, in a build without the feature `summaries`.
    Unknown,
}

/// What was presented instead of what is pinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotPinned {
    /// SHA-256 of the certificate.
    pub certificate: Pin,
    /// SHA-256 of its key.
    pub key: Pin,
}

/// The algorithm of a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Signature {
    /// RSA or ECDSA with MD5 or SHA-1, which are broken.
    Sha1,
    /// RSA or ECDSA with SHA-224.
    Sha224,
    /// ECDSA with SHA-256, SHA-384 or SHA-512.
    Ecdsa,
    /// RSA, PKCS #1 v1.5, with SHA-256, SHA-384 or SHA-512.
    RsaPkcs1,
    /// RSASSA-PSS with parameters that TLS does not allow.
    RsaPss,
    /// Ed25519.
    Ed25519,
    /// Another one, or not known.
    Other,
}

/// The common prefix of signature algorithms with RSA (RFC 8017 appendix C) and with ECDSA (RFC
/// 5758 section 3.2).
const PKCS1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
const ECDSA_WITH: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04];

impl Signature {
    /// Classifies the content of an AlgorithmIdentifier.
    pub(crate) fn of(algorithm: &[u8]) -> Self {
        let id = Reader::new(algorithm).optional(der::OID);
        let id = id.unwrap_or_default();
        if let Some(of_pkcs1) = id.strip_prefix(PKCS1) {
            return match of_pkcs1 {
                // 4 means MD5, 5 means SHA-1.
                [2..=5] => Self::Sha1,
                [10] => Self::RsaPss,
                [11..=13] => Self::RsaPkcs1,
                [14] => Self::Sha224,
                _ => Self::Other,
            };
        }
        match id.strip_prefix(ECDSA_WITH) {
            // With SHA-1; 1 to 4 are those of the SHA-2 family.
            Some([1]) => Self::Sha1,
            Some([3, 1]) => Self::Sha224,
            Some([3, 2..=4]) => Self::Ecdsa,
            _ if id == [0x2b, 0x65, 0x70] => Self::Ed25519,
            _ => Self::Other,
        }
    }

    /// Returns the fault of a signature that no algorithm of the provider can verify. Takes the
    /// content of its AlgorithmIdentifier and, if the key does not fit, that of the key's. Without
    /// the feature `summaries` the fault contains neither.
    pub(crate) fn unsupported(algorithm: &[u8], key: Option<&[u8]>) -> CertificateFault {
        if !cfg!(feature = "summaries") {
            return CertificateFault::UnsupportedSignatureAlgorithm {
                signature: Self::Other,
                key: None,
            };
        }
        let signature = Self::of(algorithm);
        let has_parameters = |id: &[u8]| {
            let mut rest = Reader::new(id);
            rest.optional(der::OID);
            !rest.is_empty()
        };
        let kind = key.and_then(|key| PublicKey::of_algorithm(Reader::new(key)));
        // RFC 5758 section 3.2 and RFC 3279 section 2.3.1: none with ECDSA, NULL with an RSA key.
        let is_ill_formed = match (signature, key, kind) {
            (Self::Ecdsa, None, _) => has_parameters(algorithm),
            (_, Some(key), Some(PublicKey::Rsa(_))) => !has_parameters(key),
            _ => false,
        };
        match is_ill_formed {
            true => CertificateFault::BadEncoding,
            false => CertificateFault::UnsupportedSignatureAlgorithm {
                signature,
                key: kind,
            },
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA-1 or MD5",
            Self::Sha224 => "SHA-224",
            Self::Ecdsa => "ECDSA",
            Self::RsaPkcs1 => "RSA (PKCS #1 v1.5)",
            Self::RsaPss => "RSASSA-PSS",
            Self::Ed25519 => "Ed25519",
            Self::Other => "an unknown algorithm",
        }
    }
}

/// How to make a certificate for one's own broker, which is then its own CA.
const MAKE_ONE: &str = "pin it instead (its SHA-256), or give the broker a suitable one: openssl \
    req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN=NAME \
    -addext basicConstraints=critical,CA:FALSE -addext subjectAltName=DNS:NAME -keyout broker.key \
    -out broker.crt; and configure that one as CA";

impl CertificateFault {
    pub(crate) fn cure(&self) -> &'static str {
        match self {
            Self::Expired { is_leaf: false, .. } => {
                "make the broker send its CA's renewed certificates, configure a newer CA, or \
                 correct this device's clock if it is wrong"
            }
            Self::Expired { .. } => {
                "renew the broker's certificate, or correct this device's clock if it is wrong"
            }
            Self::NotYetValid { .. } => {
                "correct this device's clock if it is wrong, or wait until the certificate is \
                 valid"
            }
            Self::NameMismatch { mismatch, .. } => match mismatch {
                NameMismatch::OtherNames | NameMismatch::Unknown => {
                    "connect by a name in the certificate, or give the broker a certificate for \
                     this name"
                }
                NameMismatch::AddressAsDnsName => {
                    "reissue the certificate with the address as an IP address (openssl: \
                     subjectAltName=IP:ADDRESS)"
                }
                NameMismatch::OtherKinds
                | NameMismatch::CommonName
                | NameMismatch::NoNames
                | NameMismatch::FinalDot
                | NameMismatch::WideWildcard => {
                    "reissue the certificate with the broker's name: openssl req -addext \
                     subjectAltName=DNS:NAME (or IP:ADDRESS)"
                }
            },
            Self::NotPinned(_) => {
                "if the broker has a new certificate, pin that one; if not, something else is \
                 answering in its place"
            }
            Self::UnknownIssuer {
                self_signed: true, ..
            } => "if this is your broker, configure this certificate as CA, or have a CA sign one",
            Self::UnknownIssuer {
                presented: 0 | 1, ..
            } => {
                "configure the CA that issued the broker's certificate; if you did, make the \
                 broker also send its intermediate certificates"
            }
            Self::UnknownIssuer { .. } => {
                "configure the CA at the root of the broker's chain, not another one"
            }
            Self::BadSignature => {
                "compare the CA certificate with the one that issued the broker's: it has the \
                 same name but another key"
            }
            Self::RsaKeyLength { .. } => {
                "replace that certificate with one that has an RSA key of 2048 to 4096 bits, or \
                 an ECDSA key (P-256, P-384)"
            }
            Self::BadHandshakeSignature => {
                "give the broker the private key that belongs to its certificate"
            }
            Self::CaUsedAsEndEntity | Self::UnsupportedVersion => MAKE_ONE,
            Self::LeafNotFirst => {
                "give the broker its certificates in order: its own first, then the intermediates"
            }
            Self::IntermediateVersion => {
                "reissue that certificate as X.509 version 3 with basicConstraints CA:TRUE"
            }
            Self::NeverValid => {
                "reissue that certificate with a validity that ends after it begins"
            }
            Self::EndEntityUsedAsCa => {
                "have the broker's certificate issued by a CA certificate (basicConstraints CA:TRUE, and \
                 keyCertSign if it has keyUsage)"
            }
            Self::UnsupportedSignatureAlgorithm {
                key: Some(PublicKey::RsaPss),
                ..
            } => {
                "use certificates with ECDSA keys, or with RSA keys made by openssl's -algorithm \
                 RSA"
            }
            Self::UnsupportedSignatureAlgorithm {
                signature: Signature::Sha1 | Signature::Sha224 | Signature::RsaPss,
                ..
            } => "reissue the certificate with a SHA-256 signature (openssl: -sha256)",
            Self::UnsupportedSignatureAlgorithm {
                key: Some(PublicKey::P521),
                ..
            } => "build with P-521, or use certificates with keys on P-256 or P-384",
            Self::UnsupportedSignatureAlgorithm {
                key: Some(PublicKey::P384),
                ..
            } => "build with P-384, or use certificates with keys on P-256",
            Self::UnsupportedSignatureAlgorithm {
                signature: Signature::RsaPkcs1,
                ..
            } => "build with RSA, or use certificates with ECDSA keys",
            Self::UnsupportedSignatureAlgorithm { .. } => {
                "build the crypto provider with this algorithm, or use certificates with keys it \
                 supports"
            }
            Self::Revoked => "replace the broker's certificate, and no longer trust it",
            Self::RevocationUnknown => "provide a current revocation list",
            Self::WrongPurpose => {
                "give the broker a certificate with serverAuth in extendedKeyUsage; an \
                 intermediate certificate with extendedKeyUsage needs it too"
            }
            Self::UnknownCriticalExtension { .. } => {
                "reissue that certificate without this extension, or mark it as not critical"
            }
            Self::BadEncoding => "reissue the broker's certificate as X.509 version 3 (RFC 5280)",
            Self::NameConstraint => {
                "have the certificate issued by a CA that may certify this name"
            }
            Self::InvalidDnsName { .. } => {
                "reissue the certificate without this name: an address must be an IP:ADDRESS \
                 entry, and a wildcard must stand above two labels"
            }
            Self::DirectoryNameConstraint => {
                "configure a CA that is closer to the broker's certificate, or one without such a \
                 limit"
            }
            Self::ChainTooLong | Self::TooComplex => {
                "shorten the broker's chain; send only certificates that belong to it"
            }
            Self::PathTooLong { most, .. } if usize::from(*most) >= MAX_PATH => {
                "configure a CA that is closer to the broker's certificate"
            }
            Self::PathTooLong { .. } => {
                "configure a CA that is closer to the broker's certificate, or allow a longer \
                 path (each certificate takes stack)"
            }
            Self::Other => "check the broker's certificate, for instance with openssl verify",
        }
    }
}

/// Shows a date for people: `2026-11-23 01:53:18 UTC`.
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
                ..
            } => write!(
                f,
                // Without a set clock, the time is a floor.
                "the certificate of \"{subject}\" expired on {}, and it is {} or later",
                Date(*not_after),
                Date(*checked_at)
            ),
            Self::NotYetValid {
                subject,
                not_before,
                checked_at,
            } => write!(
                f,
                "the certificate of \"{subject}\" is not valid before {}; this device's clock \
                 says {}",
                Date(*not_before),
                Date(*checked_at)
            ),
            Self::NameMismatch {
                expected,
                presented,
                mismatch,
            } => match mismatch {
                NameMismatch::Unknown => {
                    f.write_str("the broker's certificate is not for the name used to connect")
                }
                NameMismatch::AddressAsDnsName => write!(
                    f,
                    "the broker's certificate has {expected} only as a DNS name; it must be an IP \
                     address entry in subjectAltName (RFC 5280 section 4.2.1.6)"
                ),
                NameMismatch::FinalDot => write!(
                    f,
                    "the broker's certificate has \"{expected}\" only with a final dot, which \
                     does not count (RFC 5280 section 4.2.1.6)"
                ),
                NameMismatch::WideWildcard => write!(
                    f,
                    "the broker's certificate covers \"{expected}\" only by a wildcard above a \
                     single label, such as *.local, which does not count"
                ),
                NameMismatch::CommonName => write!(
                    f,
                    "the broker's certificate has \"{expected}\" only as its common name, which \
                     does not count (RFC 9525)"
                ),
                NameMismatch::OtherKinds => write!(
                    f,
                    "the broker's certificate is not for \"{expected}\": it has names, but no DNS \
                     name or IP address"
                ),
                _ => {
                    write!(f, "the broker's certificate is not for \"{expected}\" but for ")?;
                    match presented.split_last() {
                        None => f.write_str("no name at all (it has no subjectAltName)"),
                        Some((last, [])) => f.write_str(last),
                        Some((last, others)) => {
                            let mut separator = "";
                            for name in others {
                                write!(f, "{separator}{name}")?;
                                separator = ", ";
                            }
                            write!(f, " and {last}")
                        }
                    }
                }
            },
            Self::NotPinned(seen) => write!(
                f,
                "the broker's certificate is not pinned: it has {}, and its key {}",
                seen.certificate, seen.key
            ),
            Self::UnknownIssuer {
                issuer,
                self_signed: true,
                ..
            } => write!(
                f,
                "the broker presented a self-signed certificate of \"{issuer}\", which is not \
                 among the configured CAs"
            ),
            Self::UnknownIssuer { issuer, .. } => write!(
                f,
                "the broker's certificate chain ends at \"{issuer}\", which is not among the \
                 configured CAs"
            ),
            Self::BadSignature => f.write_str(
                "a certificate in the broker's chain is not signed by the issuer it names",
            ),
            Self::RsaKeyLength { subject, bits } => write!(
                f,
                "the RSA key of \"{subject}\" has {bits} bits, but only 2048 to 4096 are accepted"
            ),
            Self::BadHandshakeSignature => f.write_str(
                "the broker did not prove that it owns its certificate: the handshake signature \
                 is wrong",
            ),
            Self::CaUsedAsEndEntity => f.write_str("the broker presented a CA certificate as its own (basicConstraints CA:TRUE)"),
            Self::LeafNotFirst => f.write_str("the broker presented a CA certificate before its own"),
            Self::IntermediateVersion => f.write_str(
                "a certificate between the broker's and its CA has an outdated X.509 version",
            ),
            Self::NeverValid => f.write_str(
                "the validity of a certificate in the broker's chain ends before it begins",
            ),
            Self::EndEntityUsedAsCa => f.write_str(
                "a certificate in the broker's chain was issued by a certificate that is not a CA",
            ),
            Self::UnsupportedSignatureAlgorithm { signature, key } => {
                write!(
                    f,
                    "the broker's certificate or handshake is signed with {}",
                    signature.name()
                )?;
                match key {
                    Some(PublicKey::Other) => f.write_str(" by a key of another kind")?,
                    Some(key) => write!(f, " by a key of kind {key}")?,
                    None if *signature == Signature::RsaPss => {
                        f.write_str(" with parameters that TLS does not allow")?;
                    }
                    None => {}
                }
                f.write_str(", which this device does not support")
            }
            Self::Revoked => f.write_str("the broker's certificate has been revoked"),
            Self::RevocationUnknown => f.write_str(
                "the revocation status of the broker's certificate is unknown",
            ),
            Self::WrongPurpose => {
                f.write_str("a certificate in the broker's chain is not meant for a server \
                    (extendedKeyUsage)")
            }
            Self::BadEncoding => {
                f.write_str("a certificate in the broker's chain could not be decoded")
            }
            Self::UnsupportedVersion => f.write_str(
                "a certificate in the broker's chain has an outdated X.509 version",
            ),
            Self::UnknownCriticalExtension { extension, .. } if extension.is_empty() => f.write_str(
                "a certificate in the broker's chain has a critical extension that is not \
                 supported",
            ),
            Self::UnknownCriticalExtension { subject, extension } => write!(
                f,
                "the certificate of \"{subject}\" has a critical extension that this device does \
                 not support: {extension}"
            ),
            Self::NameConstraint => f.write_str(
                "the broker's certificate is for a name that its CA may not certify (nameConstraints)",
            ),
            Self::InvalidDnsName { name } => write!(
                f,
                "the broker's certificate has a DNS name, \"{name}\", that cannot be checked \
                 against what its CA may certify (nameConstraints)"
            ),
            Self::DirectoryNameConstraint => f.write_str(
                "a CA in the broker's chain limits the subjects of certificates (a directoryName \
                 in nameConstraints), which this device cannot check",
            ),
            Self::ChainTooLong => {
                f.write_str("the broker's certificate chain is longer than its CA allows")
            }
            Self::PathTooLong { length, most } => write!(
                f,
                "the path from the broker's certificate to a configured CA has {length} \
                 certificates, but at most {most} are followed"
            ),
            Self::TooComplex => {
                f.write_str("the broker's certificate chain is too costly to check")
            }
            Self::Other => f.write_str("the broker's certificate was rejected"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    const ECDSA_SHA256: &[u8] = b"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02";
    const RSA_SHA256: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00";
    const PSS: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a\x30\x00";
    const RSA_KEY: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";
    const NULL: &[u8] = &[5, 0];

    #[test]
    fn signatures_that_are_not_verified() {
        let rsa_key = [RSA_KEY, NULL].concat();
        for (algorithm, key, says, cure) in [
            (
                ECDSA_SHA256,
                None,
                "signed with ECDSA, which",
                "build the crypto provider",
            ),
            (
                RSA_SHA256,
                Some(&rsa_key[..]),
                "by a key of kind RSA, which",
                "build with RSA",
            ),
            (
                PSS,
                Some(PSS),
                "RSASSA-PSS by a key of kind RSA for RSASSA-PSS only,",
                "-algorithm RSA",
            ),
            (
                PSS,
                None,
                "RSASSA-PSS with parameters that TLS does not allow,",
                "-sha256",
            ),
            (
                &[6, 1, 0x2a],
                None,
                "signed with an unknown algorithm,",
                "keys it supports",
            ),
            (
                ECDSA_SHA256,
                Some(&[6, 1, 0x2a]),
                "ECDSA by a key of another kind,",
                "keys it supports",
            ),
            // Parameters where none belong, or none where they are required: the device supports
            // the algorithm.
            (
                &[ECDSA_SHA256, NULL].concat(),
                None,
                "could not be decoded",
                "RFC 5280",
            ),
            (
                RSA_SHA256,
                Some(RSA_KEY),
                "could not be decoded",
                "RFC 5280",
            ),
        ] {
            let fault = Signature::unsupported(algorithm, key);
            assert!(fault.to_string().contains(says), "{fault}");
            assert!(fault.cure().contains(cure), "{fault}; {}", fault.cure());
        }
    }
}
