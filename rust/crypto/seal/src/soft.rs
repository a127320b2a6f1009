//! AES-GCM in Rust.

use alloc::boxed::Box;

use aes_gcm::aead::AeadInOut;
use aes_gcm::aead::consts::{U12, U16};
use aes_gcm::{Aes128Gcm, Aes256Gcm, KeyInit};
use thread_mqtt_session::StoreError;

use crate::key::{Aead, Key, KeyError};
use crate::{NONCE, TAG};

/// Fills a buffer with random bytes of a cryptographically secure generator; the platform's code if it
/// cannot.
pub type Fill = fn(&mut [u8]) -> Result<(), i32>;

impl Key {
    /// AES-GCM in Rust, with a key of 16 or 32 bytes.
    pub fn soft(bytes: &[u8], fill: Fill) -> Result<Self, KeyError> {
        let wrong = |_| KeyError::Length(bytes.len());
        Ok(Self(match bytes.len() {
            16 => boxed(Aes128Gcm::new_from_slice(bytes).map_err(wrong)?, fill),
            _ => boxed(Aes256Gcm::new_from_slice(bytes).map_err(wrong)?, fill),
        }))
    }
}

fn boxed<C: AeadInOut<NonceSize = U12, TagSize = U16> + Send + 'static>(
    cipher: C,
    fill: Fill,
) -> Box<dyn Aead> {
    Box::new(Soft { cipher, fill })
}

/// A cipher, which wipes its key when it is dropped.
struct Soft<C> {
    cipher: C,
    fill: Fill,
}

impl<C: AeadInOut<NonceSize = U12, TagSize = U16> + Send> Aead for Soft<C> {
    fn draw(&mut self, nonce: &mut [u8; NONCE]) -> Result<(), StoreError> {
        (self.fill)(nonce).map_err(StoreError::Key)
    }

    fn seal(
        &mut self,
        nonce: &[u8; NONCE],
        context: &[u8],
        buf: &mut [u8],
    ) -> Result<(), StoreError> {
        let Some((text, tag)) = buf.split_last_chunk_mut::<TAG>() else {
            return Err(StoreError::TooLarge);
        };
        let sealed = (self.cipher).encrypt_inout_detached(nonce.into(), context, text.into());
        // It fails for texts of 64 GiB alone.
        *tag = sealed.map_err(|_| StoreError::TooLarge)?.into();
        Ok(())
    }

    fn open(
        &mut self,
        nonce: &[u8; NONCE],
        context: &[u8],
        buf: &mut [u8],
    ) -> Result<bool, StoreError> {
        let Some((text, tag)) = buf.split_last_chunk_mut::<TAG>() else {
            return Ok(false);
        };
        let opened = (self.cipher).decrypt_inout_detached(
            nonce.into(),
            context,
            text.into(),
            (&*tag).into(),
        );
        Ok(opened.is_ok())
    }
}
