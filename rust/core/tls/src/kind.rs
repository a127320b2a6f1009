//! Recognises files that were given as a certificate or key but are something else.

use crate::certificate::{CertificateSummary, PublicKey};
use crate::config_error::Given;
use crate::der::{self, Reader};

/// What an input is instead of what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileKind {
    /// Empty or blank.
    Empty,
    /// An X.509 certificate.
    Certificate,
    /// A private key.
    PrivateKey,
    /// A private key encrypted with a password.
    EncryptedKey,
    /// A private key in OpenSSH's format.
    OpenSshKey,
    /// A public key in a format of SSH (OpenSSH's or RFC 4716's).
    SshPublicKey,
    /// A private key in PuTTY's format.
    PuttyKey,
    /// A private key for DSA, which TLS no longer has.
    DsaKey,
    /// A public key.
    PublicKey,
    /// A certificate request (PKCS#10).
    CertificateRequest,
    /// A certificate revocation list.
    RevocationList,
    /// Parameters of a curve or of Diffie-Hellman.
    Parameters,
    /// A PKCS#7 file (.p7b).
    Pkcs7,
    /// A PKCS#12 archive (.p12, .pfx).
    Pkcs12,
    /// A Java key store.
    JavaKeyStore,
    /// A ZIP archive.
    Zip,
    /// A web page.
    Html,
    /// JSON without PEM inside.
    Json,
    /// A PEM file encoded in base64.
    Base64OfPem,
    /// Text with malformed BEGIN lines, for example without five dashes.
    BadDashes,
    /// PEM with an unknown label.
    UnknownLabel,
    /// Text without a BEGIN line.
    Text,
    /// Unrecognised bytes.
    Binary,
    /// Something else, in a build that does not analyse it (without the feature `summaries`).
    Other,
    /// Not DER, in a build that reads only DER (without the feature `pem`).
    NotDer,
}

#[cfg(feature = "pem")]
/// Labels of PEM sections (RFC 7468 section 4 and what tools write).
const LABELS: [(&[u8], FileKind); 12] = [
    (b"CERTIFICATE", FileKind::Certificate),
    (b"X509 CERTIFICATE", FileKind::Certificate),
    (b"TRUSTED CERTIFICATE", FileKind::Certificate),
    (b"ENCRYPTED PRIVATE KEY", FileKind::EncryptedKey),
    (b"OPENSSH PRIVATE KEY", FileKind::OpenSshKey),
    (b"DSA PRIVATE KEY", FileKind::DsaKey),
    (b"CERTIFICATE REQUEST", FileKind::CertificateRequest),
    (b"NEW CERTIFICATE REQUEST", FileKind::CertificateRequest),
    (b"X509 CRL", FileKind::RevocationList),
    (b"PKCS7", FileKind::Pkcs7),
    (b"CMS", FileKind::Pkcs7),
    (b"PKCS #7 SIGNED DATA", FileKind::Pkcs7),
];

#[cfg(feature = "pem")]
/// Endings of other labels.
const LABEL_ENDS: [(&[u8], FileKind); 3] = [
    (b"PARAMETERS", FileKind::Parameters),
    (b"PRIVATE KEY", FileKind::PrivateKey),
    (b"PUBLIC KEY", FileKind::PublicKey),
];

impl FileKind {
    #[cfg(feature = "pem")]
    /// Recognises the label of a PEM section.
    pub(crate) fn of_label(label: &[u8]) -> Option<Self> {
        let has_label = |(known, _): &&(&[u8], Self)| *known == label;
        if let Some((_, kind)) = LABELS.iter().find(has_label) {
            return Some(*kind);
        }
        let ends_so = |(end, _): &&(&[u8], Self)| label.ends_with(end);
        LABEL_ENDS.iter().find(ends_so).map(|(_, kind)| *kind)
    }

    /// Recognises the beginning of a DER structure.
    pub(crate) fn of_der(der: &[u8]) -> Option<Self> {
        let mut outer = Reader::new(der);
        let mut inside = outer.inside(der::SEQUENCE)?;
        let (first, value) = inside.any()?;
        let second = inside.any().map(|(tag, _)| tag);
        let third = inside.any().map(|(tag, _)| tag);
        match (first, second, third) {
            (der::OID, ..) => Some(Self::Pkcs7),
            (der::INTEGER, Some(der::SEQUENCE), _) if value == [3] => Some(Self::Pkcs12),
            // PKCS#8, SEC1 and PKCS#1. A timestamp request (RFC 3161) begins like the first.
            (der::INTEGER, Some(der::SEQUENCE), Some(der::OCTET_STRING) | None)
            | (der::INTEGER, Some(der::OCTET_STRING), _)
            | (der::INTEGER, Some(der::INTEGER), Some(_)) => Some(Self::PrivateKey),
            (der::INTEGER, Some(der::INTEGER), None)
            | (der::SEQUENCE, Some(der::BIT_STRING), None) => Some(Self::PublicKey),
            (der::SEQUENCE, Some(der::OCTET_STRING), None) => Some(Self::EncryptedKey),
            (der::SEQUENCE, Some(der::SEQUENCE), Some(der::BIT_STRING)) => {
                if CertificateSummary::read(der).is_some() {
                    return Some(Self::Certificate);
                }
                let mut signed = Reader::new(value);
                signed.optional(der::INTEGER);
                let (tag, _) = signed.any()?;
                signed.any()?;
                // A request continues with the key, a revocation list with its time of issue.
                match (tag, signed.any()?.0) {
                    (der::SEQUENCE, der::UTC_TIME | der::GENERALIZED_TIME) => {
                        Some(Self::RevocationList)
                    }
                    (der::SEQUENCE, tag) if tag == der::explicit(0) => {
                        Some(Self::CertificateRequest)
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    #[cfg(feature = "pem")]
    /// Guesses the kind of bytes that are neither DER nor contain a PEM section with a known label.
    pub(crate) fn guess(text: &[u8]) -> Self {
        if !cfg!(feature = "summaries") {
            return Self::Other;
        }
        if let Some(section) = crate::pem::Sections::new(text).next() {
            // Known except for blanks and case.
            let label = section.label.trim_ascii().to_ascii_uppercase();
            return match Self::of_label(&label) {
                Some(_) => Self::BadDashes,
                None => Self::UnknownLabel,
            };
        }
        let in_line = |line: &[u8], mark: &[u8]| {
            line.windows(mark.len())
                .any(|w| w.eq_ignore_ascii_case(mark))
        };
        let has = |mark: &[u8]| in_line(text, mark);
        let text = text.trim_ascii();
        match text {
            [] => Self::Empty,
            [0xfe, 0xed, 0xfe, 0xed, ..] | [0xce, 0xce, 0xce, 0xce, ..] => Self::JavaKeyStore,
            [b'P', b'K', 3 | 5, ..] => Self::Zip,
            text if text.iter().all(|byte| *byte == 0) => Self::Empty,
            [b'<', ..] if has(b"<html") || has(b"<!doctype") || has(b"<?xml") => Self::Html,
            text if text.starts_with(b"LS0tLS1CRUdJTi") => Self::Base64OfPem,
            text if text.starts_with(b"PuTTY-User-Key-File") => Self::PuttyKey,
            text if text.starts_with(b"ssh-")
                || text.starts_with(b"ecdsa-sha2-")
                || text.starts_with(b"---- BEGIN SSH2") =>
            {
                Self::SshPublicKey
            }
            // Prose may mention private keys, too.
            _ if text.split(|byte| *byte == b'\n').any(|line| {
                in_line(line, b"BEGIN")
                    && (in_line(line, b"CERTIFICATE") || in_line(line, b"PRIVATE KEY"))
            }) =>
            {
                Self::BadDashes
            }
            [b'{' | b'[', ..] => Self::Json,
            text if text.iter().any(|b| *b < 9) || core::str::from_utf8(text).is_err() => {
                Self::Binary
            }
            _ => Self::Text,
        }
    }

    /// Returns a description, as the end of a sentence.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Empty => "nothing",
            Self::Certificate => "a certificate",
            Self::PrivateKey => "a private key",
            Self::EncryptedKey => "a private key encrypted with a password",
            Self::OpenSshKey => "a private key in OpenSSH format",
            Self::SshPublicKey => "an SSH public key",
            Self::PuttyKey => "a private key in PuTTY format",
            Self::DsaKey => "a DSA key, which TLS no longer supports",
            Self::PublicKey => "a public key",
            Self::CertificateRequest => "a certificate request (CSR)",
            Self::RevocationList => "a certificate revocation list (CRL)",
            Self::Parameters => "key parameters without a key",
            Self::Pkcs7 => "a PKCS#7 file (.p7b)",
            Self::Pkcs12 => "a PKCS#12 archive (.p12, .pfx)",
            Self::JavaKeyStore => "a Java key store",
            Self::Zip => "a ZIP archive",
            Self::Html => "a web page",
            Self::Json => "JSON without a PEM section",
            Self::Base64OfPem => "a PEM file encoded in base64 again, as in Kubernetes secrets",
            Self::BadDashes => "PEM with a malformed BEGIN line",
            Self::UnknownLabel => "PEM with another BEGIN line",
            Self::Text => "text without a PEM section (BEGIN CERTIFICATE, BEGIN PRIVATE KEY)",
            Self::Binary => "neither PEM nor DER",
            Self::Other => "something else",
            Self::NotDer => "something other than DER, which this build needs",
        }
    }

    /// Returns how to make the required input from it.
    pub(crate) fn cure(self, given: Given) -> &'static str {
        let key = given == Given::Key;
        match self {
            Self::Certificate => "use the private key that belongs to it",
            Self::PrivateKey => "use the certificate that was issued for it",
            Self::EncryptedKey if key => "decrypt it: openssl pkey -in FILE -out key.pem",
            Self::OpenSshKey if key => "convert a copy of it: ssh-keygen -p -m PKCS8 -f COPY",
            Self::PuttyKey if key => "convert it: puttygen FILE -O private-openssh -o key.pem",
            Self::PublicKey | Self::SshPublicKey if key => "use the matching private key",
            Self::CertificateRequest if !key => "use the certificate that the CA issued for it",
            Self::Pkcs7 if !key => {
                "convert it: openssl pkcs7 -in FILE -print_certs -out cert.pem (with -inform DER if it \
                 is binary)"
            }
            Self::Pkcs12 => match given {
                Given::Ca => "convert it: openssl pkcs12 -in FILE -cacerts -nokeys -out ca.pem",
                Given::Certificate => {
                    "convert it: openssl pkcs12 -in FILE -clcerts -nokeys -out cert.pem"
                }
                Given::Key => "convert it: openssl pkcs12 -in FILE -nocerts -nodes -out key.pem",
            },
            Self::JavaKeyStore if key => {
                "convert it: keytool -importkeystore -srckeystore FILE -destkeystore store.p12 \
                 -deststoretype PKCS12, then openssl pkcs12 -in store.p12 -nocerts -nodes -out key.pem"
            }
            Self::JavaKeyStore => "convert it: keytool -list -rfc -keystore FILE > cert.pem",
            Self::Zip => "unpack it and use the file inside",
            Self::Html => "download the file itself, not the page that shows it",
            Self::Base64OfPem => "decode it: base64 -d FILE",
            Self::NotDer => {
                "convert it (openssl x509 -in FILE -outform DER -out FILE.der), or build with the feature \
                 pem (CONFIG_THREAD_MQTT_PEM=y)"
            }
            Self::BadDashes if key => {
                "write it as -----BEGIN PRIVATE KEY-----, with five dashes before and after, and the END line \
                 likewise"
            }
            Self::BadDashes => {
                "write it as -----BEGIN CERTIFICATE-----, with five dashes before and after, and the END line \
                 likewise"
            }
            _ if key => "use the private key, as PEM (BEGIN PRIVATE KEY) or DER",
            _ => "use the certificate, as PEM (BEGIN CERTIFICATE) or DER",
        }
    }
}

/// The encoding of a private key: PKCS#8, PKCS#1 or SEC1 in DER.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Pkcs8,
    Pkcs1,
    Sec1,
}

/// Returns how a private key is encoded, and its kind.
pub(crate) fn private_key(der: &[u8]) -> Option<(Encoding, PublicKey)> {
    let mut info = Reader::new(der).inside(der::SEQUENCE)?;
    info.expect(der::INTEGER)?;
    let (tag, value) = info.any()?;
    match tag {
        der::INTEGER => Some((Encoding::Pkcs1, PublicKey::of_rsa(value)?)),
        der::OCTET_STRING => {
            let curve = info
                .optional(der::explicit(0))
                .map(|parameters| PublicKey::of_curve(Reader::new(parameters).optional(der::OID)));
            let by_length = || match value.len() {
                32 => PublicKey::P256,
                48 => PublicKey::P384,
                66 => PublicKey::P521,
                _ => PublicKey::Other,
            };
            Some((Encoding::Sec1, curve.unwrap_or_else(by_length)))
        }
        der::SEQUENCE => {
            let algorithm = Reader::new(value);
            let key = info.expect(der::OCTET_STRING)?;
            let kind = PublicKey::of_algorithm(algorithm)?;
            let kind = match kind {
                PublicKey::Rsa(_) => private_key(key).map_or(PublicKey::Other, |(_, kind)| kind),
                kind => kind,
            };
            Some((Encoding::Pkcs8, kind))
        }
        _ => None,
    }
}

/// Returns the number of an EC private key, in SEC1 or PKCS#8, exactly as encoded.
pub(crate) fn ec_number(der: &[u8]) -> Option<&[u8]> {
    let mut info = Reader::new(der).inside(der::SEQUENCE)?;
    info.expect(der::INTEGER)?;
    match info.any()? {
        (der::OCTET_STRING, number) => Some(number),
        (der::SEQUENCE, _) => ec_number(info.expect(der::OCTET_STRING)?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_request_of_a_timestamp_is_no_key() {
        let key = b"\x30\x09\x02\x01\x00\x30\x00\x04\x02\x30\x00";
        assert_eq!(FileKind::of_der(key), Some(FileKind::PrivateKey));
        for rest in [&b"\x01\x01\xff"[..], b"\x02\x01\x07", b"\x06\x01\x2a"] {
            let query = [&b"\x30\x08\x02\x01\x01\x30\x00"[..], rest].concat();
            assert_eq!(FileKind::of_der(&query), None);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut der = std::vec![0x30, 0x81, u8::try_from(bytes.len()).unwrap()];
            der.extend(&bytes);
            for bytes in [bytes, der] {
                FileKind::of_der(&bytes);
                FileKind::guess(&bytes);
                private_key(&bytes);
                ec_number(&bytes);
            }
        }
    }
}
