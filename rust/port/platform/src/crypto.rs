//! The crypto backend that `CONFIG_THREAD_MQTT_CRYPTO_*` chose: one place for the C API and for
//! applications in Rust, which need not know which one it is.
//!
//! Of PSA Crypto the image's headers tell what it can do, or it is asked once, by doing it; what it does
//! not have is not offered to brokers.
//! [`provider`] logs the outcome, [`report`] tells it again.

use alloc::sync::Arc;
use thread_mqtt_tls::SigningKey;

#[cfg(feature = "crypto-psa")]
mod psa;
#[cfg(all(feature = "crypto-soft", not(feature = "crypto-psa")))]
mod soft;

#[cfg(feature = "crypto-psa")]
use psa as backend;
#[cfg(all(feature = "crypto-soft", not(feature = "crypto-psa")))]
use soft as backend;

#[cfg(not(any(feature = "crypto-psa", feature = "crypto-soft")))]
compile_error!("thread-mqtt-platform needs a crypto backend: enable crypto-psa or crypto-soft");

pub use backend::{NAME, Unusable, in_place, provider, report, scheme_is_withdrawn, take_failure};

/// Whether the image has private keys by their identifier in PSA: [`signing_key`].
pub const HAS_KEYS: bool = cfg!(all(feature = "crypto-psa", feature = "client-auth"));

/// The client's private key by its identifier in PSA.
#[cfg(all(feature = "crypto-psa", feature = "client-auth"))]
pub fn signing_key(id: u32) -> Result<Arc<dyn SigningKey>, thread_mqtt_psa_provider::KeyError> {
    thread_mqtt_psa_provider::signing_key(thread_mqtt_psa_provider::KeyId(id))
}

/// There are no such keys in this image.
#[cfg(not(all(feature = "crypto-psa", feature = "client-auth")))]
pub fn signing_key(_: u32) -> Result<Arc<dyn SigningKey>, &'static str> {
    Err(
        "private_key_id names a key in PSA Crypto; set CONFIG_THREAD_MQTT_CRYPTO_PSA=y and \
         CONFIG_THREAD_MQTT_CLIENT_AUTH=y",
    )
}
