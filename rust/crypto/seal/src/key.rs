//! Keys, for all backends.

use alloc::boxed::Box;
use core::fmt;

use thread_mqtt_session::StoreError;

use crate::NONCE;

/// A key for a [`SealedStore`](crate::SealedStore).
pub struct Key(pub(crate) Box<dyn Aead>);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// A backend's operations with a key.
pub(crate) trait Aead: Send {
    /// Draws a nonce.
    fn draw(&mut self, nonce: &mut [u8; NONCE]) -> Result<(), StoreError>;
    /// Encrypts in place: `buf` is the text and room for a tag.
    fn seal(
        &mut self,
        nonce: &[u8; NONCE],
        context: &[u8],
        buf: &mut [u8],
    ) -> Result<(), StoreError>;
    /// Decrypts in place: `buf` is the ciphertext and its tag, and at least as long as a tag.
    /// Returns whether it is genuine.
    fn open(
        &mut self,
        nonce: &[u8; NONCE],
        context: &[u8],
        buf: &mut [u8],
    ) -> Result<bool, StoreError>;
}

/// Why a key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// Its length in bytes is not an AES key length.
    Length(usize),
    /// PSA Crypto does not have it, or does not work.
    #[cfg(feature = "psa")]
    Psa(thread_mqtt_psa::Error),
    /// It is a PSA Crypto key for another purpose.
    #[cfg(feature = "psa")]
    Policy,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(bytes) => write!(
                f,
                "the key of the stored session has {bytes} bytes; use 16 or 32 random bytes, for \
                 AES-GCM"
            ),
            #[cfg(feature = "psa")]
            Self::Psa(error) => write!(
                f,
                "the key of the stored session cannot be used: {error}; generate or import it \
                 before creating the client"
            ),
            #[cfg(feature = "psa")]
            Self::Policy => f.write_str(
                "the key of the stored session has the wrong type or policy; use an AES key for \
                 PSA_ALG_GCM or a ChaCha20 key for PSA_ALG_CHACHA20_POLY1305, with \
                 PSA_KEY_USAGE_ENCRYPT and PSA_KEY_USAGE_DECRYPT",
            ),
        }
    }
}

impl core::error::Error for KeyError {}
