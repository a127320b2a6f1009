//! The crypto backend chosen by `CONFIG_THREAD_MQTT_CRYPTO_*`. The C API and Rust applications use
//! this module and need not know which backend it is.
//!
//! For PSA Crypto, the image's headers say what it supports, or it is probed once, by trying.
//! Algorithms it lacks are not offered to brokers. [`provider`] logs the result, [`report`] returns
//! it.

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

/// Whether the image supports private keys by their identifier in PSA: [`signing_key`].
pub const HAS_KEYS: bool = cfg!(all(feature = "crypto-psa", feature = "client-auth"));

/// Returns the client's private key by its identifier in PSA.
#[cfg(all(feature = "crypto-psa", feature = "client-auth"))]
pub fn signing_key(id: u32) -> Result<Arc<dyn SigningKey>, thread_mqtt_psa_provider::KeyError> {
    thread_mqtt_psa_provider::signing_key(thread_mqtt_psa_provider::KeyId(id))
}

/// This image does not support such keys.
#[cfg(not(all(feature = "crypto-psa", feature = "client-auth")))]
pub fn signing_key(_: u32) -> Result<Arc<dyn SigningKey>, &'static str> {
    Err(
        "private_key_id names a key in PSA Crypto; set CONFIG_THREAD_MQTT_CRYPTO_PSA=y and \
         CONFIG_THREAD_MQTT_CLIENT_AUTH=y",
    )
}
