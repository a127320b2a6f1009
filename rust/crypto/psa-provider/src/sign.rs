//! Client authentication: private keys in PSA, and signatures with them.

#[cfg(feature = "client-auth")]
mod import;
#[cfg(feature = "client-auth")]
mod key;

use rustls::crypto::KeyProvider;

#[cfg(feature = "client-auth")]
pub use key::{KeyError, signing_key};

/// Loads private keys for client certificates into PSA, for the lifetime of the configuration that
/// uses them: ECDSA with P-256 or P-384, and RSA, in PKCS#8, SEC 1 or PKCS#1. Wipes the copy that
/// was passed in.
///
/// A key that is already in PSA does not need loading: see `signing_key`. Without the feature
/// `client-auth`, every key is refused.
pub static KEYS: &dyn KeyProvider = &Keys;

#[derive(Debug)]
struct Keys;

#[cfg(not(feature = "client-auth"))]
impl KeyProvider for Keys {
    fn load_private_key(
        &self,
        _key: rustls::pki_types::PrivateKeyDer<'static>,
    ) -> Result<alloc::sync::Arc<dyn rustls::sign::SigningKey>, rustls::Error> {
        Err(rustls::Error::General(
            "this build has no client authentication: enable the feature client-auth of \
             thread-mqtt-psa-provider"
                .into(),
        ))
    }
}
