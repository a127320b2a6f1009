//! AES-GCM in Rust.

use alloc::boxed::Box;

use aes_gcm::aead::AeadInOut;
use aes_gcm::aead::consts::{U12, U16};
use aes_gcm::{Aes128Gcm, Aes256Gcm, KeyInit};
use thread_mqtt_session::StoreError;
use zeroize::Zeroizing;

use crate::key::{Aead, Key, KeyError};
use crate::{NONCE, TAG};

/// Fills a buffer with random bytes from a cryptographically secure generator, or returns the
/// platform's error code.
pub type Fill = fn(&mut [u8]) -> Result<(), i32>;

impl Key {
    /// Returns a key of 16 or 32 bytes, for AES-GCM in Rust.
    pub fn soft(bytes: &[u8], fill: Fill) -> Result<Self, KeyError> {
        let aead = match bytes.len() {
            16 => boxed::<Aes128Gcm>(bytes, fill),
            _ => boxed::<Aes256Gcm>(bytes, fill),
        };
        aead.map(Self).ok_or(KeyError::Length(bytes.len()))
    }
}

/// Returns `None` if the key does not have the cipher's length.
fn boxed<C: Cipher>(bytes: &[u8], fill: Fill) -> Option<Box<dyn Aead>> {
    Some(Box::new(Soft::<C> {
        key: Zeroizing::new(aes_gcm::Key::<C>::try_from(bytes).ok()?),
        cipher: None,
        fill,
    }))
}

trait Cipher: AeadInOut<NonceSize = U12, TagSize = U16> + KeyInit + Send + 'static {}
impl<C: AeadInOut<NonceSize = U12, TagSize = U16> + KeyInit + Send + 'static> Cipher for C {}

/// A key. It and its cipher are wiped when dropped.
struct Soft<C: Cipher> {
    key: Zeroizing<aes_gcm::Key<C>>,
    /// Created on first use, because that takes 3 kB of stack, and the thread that passes the key
    /// may have little.
    cipher: Option<C>,
    fill: Fill,
}

impl<C: Cipher> Soft<C> {
    fn cipher(&mut self) -> &C {
        self.cipher.get_or_insert_with(|| C::new(&self.key))
    }
}

impl<C: Cipher> Aead for Soft<C> {
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
        let sealed = (self.cipher()).encrypt_inout_detached(nonce.into(), context, text.into());
        // Only fails for texts of 64 GiB.
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
        let opened = self.cipher().decrypt_inout_detached(
            nonce.into(),
            context,
            text.into(),
            (&*tag).into(),
        );
        Ok(opened.is_ok())
    }
}
