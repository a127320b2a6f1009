//! The client certificate and its key.
use alloc::sync::Arc;
use alloc::vec::Vec;

use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::sign::{CertifiedKey, SigningKey};
use rustls_pki_types::CertificateDer;

use crate::alert::AlertContext;
use crate::certificate;
use crate::config_error::{ConfigError, Given};
use crate::damage::Damage;

/// What this device presents to a broker that asks for a certificate.
#[derive(Debug)]
pub(crate) struct Identity {
    certified: Option<Arc<CertifiedKey>>,
    /// Why the last broker that asked got none. Shared by all connections, like
    /// `Verifier::refused`.
    missed: spin::Mutex<AlertContext>,
}

impl Identity {
    pub(crate) fn new(certified: Option<Arc<CertifiedKey>>) -> Self {
        Self {
            certified,
            missed: spin::Mutex::new(AlertContext::Unknown),
        }
    }

    /// Returns why the broker got no client certificate, if it asked for one.
    pub(crate) fn missed(&self) -> AlertContext {
        let missed = self.missed.try_lock();
        missed.map_or(AlertContext::Unknown, |missed| *missed)
    }

    pub(crate) fn set_missed(&self, why: AlertContext) {
        if let Some(mut missed) = self.missed.try_lock() {
            *missed = why;
        }
    }
}

impl ResolvesClientCert for Identity {
    fn resolve(&self, _: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        if cfg!(feature = "summaries") {
            // rustls sends none if the key supports none of the schemes.
            self.set_missed(match &self.certified {
                None => AlertContext::NoClientCertificate,
                Some(certified) if certified.key.choose_scheme(schemes).is_none() => {
                    AlertContext::ClientKeyNotAllowed
                }
                Some(_) => AlertContext::Unknown,
            });
        }
        self.certified.clone()
    }

    fn has_certs(&self) -> bool {
        self.certified.is_some()
    }
}

/// Returns the key and its certificate, which is moved to the front.
pub(crate) fn certified_key(
    chain: Vec<CertificateDer<'static>>,
    key: Arc<dyn SigningKey>,
) -> Result<Arc<CertifiedKey>, ConfigError> {
    let mut certified = CertifiedKey::new(chain, key);
    let mut outcome = matches(&certified);
    for other in 1..certified.cert.len() {
        if outcome != Err(ConfigError::KeyMismatch) {
            break;
        }
        let own = certified.cert.remove(other);
        certified.cert.insert(0, own);
        match matches(&certified) {
            Ok(()) => outcome = Ok(()),
            Err(_) => {
                let other_own = certified.cert.remove(0);
                certified.cert.insert(other, other_own);
            }
        }
    }
    outcome.map(|()| Arc::new(certified))
}

/// Checks that the key belongs to the certificate. The broker judges the rest of the certificate.
fn matches(certified: &CertifiedKey) -> Result<(), ConfigError> {
    // A key that cannot return its public half is trusted to match.
    let (Some(key), Some(certificate)) = (certified.key.public_key(), certified.cert.first())
    else {
        return Ok(());
    };
    match certificate::public_key_info(certificate) {
        None => Err(Given::Certificate.at_fault(Damage::Content.into())),
        Some(_) if !certificate::is_version_3(certificate) => {
            Err(ConfigError::ClientCertificateVersion)
        }
        Some(of_certificate) if of_certificate == key.as_ref() => Ok(()),
        Some(_) => Err(ConfigError::KeyMismatch),
    }
}
