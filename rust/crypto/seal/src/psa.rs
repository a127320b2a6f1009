//! Keys in PSA Crypto.

use alloc::boxed::Box;

use thread_mqtt_psa::{self as psa, Algorithm, Attributes, KeyId, KeyType, Status, Usage};
use thread_mqtt_session::StoreError;

use crate::key::{Aead, Key, KeyError};
use crate::{NONCE, TAG};

const USAGE: Usage = Usage(Usage::ENCRYPT.0 | Usage::DECRYPT.0);

impl Key {
    /// Returns a key in PSA Crypto, by its identifier (`psa_key_id_t`), normally persistent: AES for
    /// GCM, or ChaCha20 for ChaCha20-Poly1305, permitted to encrypt and to decrypt. Dropping this
    /// does not destroy the key.
    pub fn psa(id: u32) -> Result<Self, KeyError> {
        psa::init().map_err(KeyError::Psa)?;
        let id = KeyId(id);
        let attributes = id.attributes().map_err(KeyError::Psa)?;
        let is_known = match attributes.key_type {
            KeyType::AES => attributes.algorithm == Algorithm::GCM,
            KeyType::CHACHA20 => attributes.algorithm == Algorithm::CHACHA20_POLY1305,
            _ => false,
        };
        if !is_known || !attributes.usage.contains(USAGE) {
            return Err(KeyError::Policy);
        }
        Ok(Self(Box::new(InPsa {
            id,
            algorithm: attributes.algorithm,
            _ours: None,
        })))
    }

    /// Imports a key of 16 or 32 bytes into PSA Crypto, for AES-GCM. The key is destroyed when this
    /// is dropped.
    pub fn import(bytes: &[u8]) -> Result<Self, KeyError> {
        if !matches!(bytes.len(), 16 | 32) {
            return Err(KeyError::Length(bytes.len()));
        }
        psa::init().map_err(KeyError::Psa)?;
        let attributes = Attributes {
            key_type: KeyType::AES,
            bits: 0,
            usage: USAGE,
            algorithm: Algorithm::GCM,
        };
        let key = psa::Key::import(&attributes, bytes).map_err(KeyError::Psa)?;
        Ok(Self(Box::new(InPsa {
            id: *key,
            algorithm: Algorithm::GCM,
            _ours: Some(key),
        })))
    }
}

struct InPsa {
    id: KeyId,
    algorithm: Algorithm,
    /// Destroyed when this is dropped.
    _ours: Option<psa::Key>,
}

fn failed(error: psa::Error) -> StoreError {
    match error.status {
        Status::INSUFFICIENT_MEMORY => StoreError::OutOfMemory,
        Status(status) => StoreError::Key(status),
    }
}

impl Aead for InPsa {
    fn draw(&mut self, nonce: &mut [u8; NONCE]) -> Result<(), StoreError> {
        psa::random(nonce).map_err(failed)
    }

    fn seal(
        &mut self,
        nonce: &[u8; NONCE],
        context: &[u8],
        buf: &mut [u8],
    ) -> Result<(), StoreError> {
        self.id
            .seal(self.algorithm, nonce, context, buf, TAG)
            .map_err(failed)
    }

    fn open(
        &mut self,
        nonce: &[u8; NONCE],
        context: &[u8],
        buf: &mut [u8],
    ) -> Result<bool, StoreError> {
        match self.id.open(self.algorithm, nonce, context, buf) {
            Ok(_) => Ok(true),
            Err(error) if error.status == Status::INVALID_SIGNATURE => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }
}
