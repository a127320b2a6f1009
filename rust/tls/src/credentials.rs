//! Certificates and keys as users have them: PEM or DER, told apart by content.

use alloc::vec::Vec;

use rustls_pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer,
};

use crate::certificate::CertificateSummary;
use crate::config_error::ConfigError;
use crate::pem;

/// DER begins with a SEQUENCE; in text that byte is the digit 0, with which no PEM file begins.
fn is_der(bytes: &[u8]) -> bool {
    bytes.first() == Some(&0x30) && !bytes.is_ascii()
}

/// The certificates of a PEM bundle, or the one in DER, checked to be certificates. `bad` makes the
/// error from the index of the culprit.
pub(crate) fn certificates(
    bytes: &[u8],
    none: ConfigError,
    bad: fn(u16) -> ConfigError,
) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let mut certificates = Vec::new();
    if is_der(bytes) {
        certificates.push(CertificateDer::from(bytes.to_vec()));
    } else {
        // A section of another kind is skipped, a broken one is not: it may be the one needed.
        let mut sections = pem::Sections::new(bytes);
        let broken = |found: &Vec<_>| bad(index(found.len()));
        while let Some(section) = sections.next().map_err(|_| broken(&certificates))? {
            if section.label == b"CERTIFICATE" {
                let der = section.der().ok_or_else(|| broken(&certificates))?;
                certificates.push(CertificateDer::from(der));
            }
        }
    }
    if certificates.is_empty() {
        return Err(none);
    }
    for (i, certificate) in certificates.iter().enumerate() {
        if CertificateSummary::read(certificate).is_none() {
            return Err(bad(index(i)));
        }
    }
    Ok(certificates)
}

fn index(i: usize) -> u16 {
    u16::try_from(i).unwrap_or(u16::MAX)
}

/// A private key in PKCS#8, PKCS#1 or SEC1.
pub(crate) fn private_key(bytes: &[u8]) -> Result<PrivateKeyDer<'static>, ConfigError> {
    if is_der(bytes) {
        return PrivateKeyDer::try_from(bytes.to_vec()).map_err(|_| ConfigError::BadKey);
    }
    const ENCRYPTED: [&[u8]; 2] = [b"BEGIN ENCRYPTED PRIVATE KEY", b"Proc-Type: 4,ENCRYPTED"];
    let encrypted = |mark: &&[u8]| bytes.windows(mark.len()).any(|w| w == *mark);
    if ENCRYPTED.iter().any(encrypted) {
        return Err(ConfigError::KeyEncrypted);
    }
    let mut sections = pem::Sections::new(bytes);
    while let Some(section) = sections.next().map_err(|_| ConfigError::BadKey)? {
        let kind: fn(Vec<u8>) -> PrivateKeyDer<'static> = match section.label {
            b"PRIVATE KEY" => |der| PrivatePkcs8KeyDer::from(der).into(),
            b"RSA PRIVATE KEY" => |der| PrivatePkcs1KeyDer::from(der).into(),
            b"EC PRIVATE KEY" => |der| PrivateSec1KeyDer::from(der).into(),
            _ => continue,
        };
        return section.der().map(kind).ok_or(ConfigError::BadKey);
    }
    Err(ConfigError::NoKey)
}
