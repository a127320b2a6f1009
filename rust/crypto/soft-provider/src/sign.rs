//! Client authentication: private keys, and signatures with them.

#[cfg(feature = "client-auth")]
mod ecdsa;

use rustls::crypto::KeyProvider;

/// Loads private keys for client certificates: ECDSA with P-256 or P-384 (feature `p384`), in
/// PKCS#8 or SEC 1.
///
/// RSA keys are refused with an error that says so: this provider cannot offer a private RSA
/// operation free of timing leaks (RUSTSEC-2023-0071 shows how easily they occur). Without the
/// feature `client-auth`, every key is refused.
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
             thread-mqtt-soft-provider"
                .into(),
        ))
    }
}
