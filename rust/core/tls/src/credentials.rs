//! Certificates and keys as users have them: PEM or DER, told apart by content.

use alloc::vec;
use alloc::vec::Vec;

use rustls_pki_types::pem::{PemObject, SectionKind};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::certificate::CertificateSummary;
use crate::config_error::ConfigError;

/// DER begins with a SEQUENCE; in text that byte is the digit 0, with which no PEM file begins.
fn is_der(bytes: &[u8]) -> bool {
    bytes.first() == Some(&0x30) && !bytes.is_ascii()
}

/// The certificates of a PEM bundle, or the one in DER, checked to be certificates. `bad` makes the
/// error from the index of the culprit.
pub(crate) fn certificates(
    bytes: &[u8],
    none: ConfigError,
    bad: impl Fn(u16) -> ConfigError,
) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let certificates = if is_der(bytes) {
        vec![CertificateDer::from(bytes.to_vec())]
    } else {
        let mut found = Vec::new();
        // A section of another kind is skipped, a broken one is not: it may be the one needed.
        for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(bytes) {
            match section {
                Ok((SectionKind::Certificate, der)) => found.push(CertificateDer::from(der)),
                Ok(_) => (),
                Err(_) => return Err(bad(index(found.len()))),
            }
        }
        found
    };
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
    match PrivateKeyDer::from_pem_slice(bytes) {
        Ok(key) => Ok(key),
        Err(rustls_pki_types::pem::Error::NoItemsFound) => Err(ConfigError::NoKey),
        Err(_) => Err(ConfigError::BadKey),
    }
}
