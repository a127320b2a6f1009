//! The ciphers, behind an object-safe trait, so that the record layers of both protocol versions
//! are compiled once and not once per cipher.

use alloc::boxed::Box;

use aes_gcm::KeyInit;
use aes_gcm::aead::AeadInOut;
use aes_gcm::aead::consts::{U12, U16};
use rustls::crypto::cipher::{AeadKey, Iv, NONCE_LEN, Nonce, UnsupportedOperationError};
use rustls::{ConnectionTrafficSecrets, Error};
use thread_mqtt_crypto_record as record;

pub(crate) use record::TAG_LEN;

pub(crate) static AES_128_GCM: Algorithm = Algorithm {
    key_len: 16,
    make: make::<aes_gcm::Aes128Gcm>,
    secrets: |key, iv| ConnectionTrafficSecrets::Aes128Gcm { key, iv },
};

#[cfg(feature = "aes256")]
pub(crate) static AES_256_GCM: Algorithm = Algorithm {
    key_len: 32,
    make: make::<aes_gcm::Aes256Gcm>,
    secrets: |key, iv| ConnectionTrafficSecrets::Aes256Gcm { key, iv },
};

#[cfg(feature = "chacha20")]
pub(crate) static CHACHA20_POLY1305: Algorithm = Algorithm {
    key_len: 32,
    make: make::<chacha20poly1305::ChaCha20Poly1305>,
    secrets: |key, iv| ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv },
};

/// An AEAD algorithm. All of TLS's have 12-byte nonces and 16-byte tags.
pub(crate) struct Algorithm {
    key_len: usize,
    make: fn(&[u8]) -> Option<Box<dyn Cipher>>,
    secrets: fn(AeadKey, Iv) -> ConnectionTrafficSecrets,
}

impl Algorithm {
    /// Creates a cipher for one direction of one connection.
    pub(crate) fn keyed(&self, key: &[u8], iv: Iv) -> Keyed {
        Keyed {
            cipher: (self.make)(key),
            iv,
        }
    }
}

impl record::Aead for Algorithm {
    type Keyed = Keyed;

    fn key_len(&self) -> usize {
        self.key_len
    }

    fn encrypter(&self, key: &[u8], iv: Iv) -> Keyed {
        self.keyed(key, iv)
    }

    fn decrypter(&self, key: &[u8], iv: Iv) -> Keyed {
        self.keyed(key, iv)
    }

    fn secrets(
        &self,
        key: AeadKey,
        iv: Iv,
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        Ok((self.secrets)(key, iv))
    }
}

/// A cipher with its key, and the IV that is combined with a record's sequence number.
pub(crate) struct Keyed {
    /// `None` if the key did not have the algorithm's length: rustls never does that, and its
    /// traits have no other way to report it.
    cipher: Option<Box<dyn Cipher>>,
    iv: Iv,
}

impl Keyed {
    /// Returns the nonce of record `seq` (RFC 8446, section 5.3; RFC 7905, section 2).
    pub(crate) fn nonce(&self, seq: u64) -> [u8; NONCE_LEN] {
        Nonce::new(&self.iv, seq).0
    }

    /// Encrypts `text` in place and returns its tag.
    pub(crate) fn seal(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
    ) -> Result<[u8; TAG_LEN], Error> {
        let cipher = self.cipher.as_ref().ok_or(Error::EncryptError)?;
        cipher.seal(nonce, aad, text).ok_or(Error::EncryptError)
    }

    /// Decrypts `payload`, a ciphertext followed by its tag, in place. Returns the
    /// length of the plaintext at its start.
    pub(crate) fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        payload: &mut [u8],
    ) -> Result<usize, Error> {
        let cipher = self.cipher.as_ref().ok_or(Error::DecryptError)?;
        let (text, tag) = payload
            .split_last_chunk_mut::<TAG_LEN>()
            .ok_or(Error::DecryptError)?;
        cipher
            .open(nonce, aad, text, tag)
            .ok_or(Error::DecryptError)?;
        Ok(text.len())
    }
}

impl record::Keyed for Keyed {
    fn nonce(&self, seq: u64) -> [u8; NONCE_LEN] {
        self.nonce(seq)
    }

    fn seal(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], buf: &mut [u8]) -> Result<(), Error> {
        let (text, tag) = buf
            .split_last_chunk_mut::<TAG_LEN>()
            .ok_or(Error::EncryptError)?;
        *tag = self.seal(nonce, aad, text)?;
        Ok(())
    }

    fn open(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], buf: &mut [u8]) -> Result<usize, Error> {
        self.open(nonce, aad, buf)
    }
}

/// A cipher with its key.
trait Cipher: Send + Sync {
    fn seal(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], text: &mut [u8]) -> Option<[u8; TAG_LEN]>;

    fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Option<()>;
}

impl<A: AeadInOut<NonceSize = U12, TagSize = U16> + Send + Sync> Cipher for A {
    fn seal(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], text: &mut [u8]) -> Option<[u8; TAG_LEN]> {
        self.encrypt_inout_detached(nonce.into(), aad, text.into())
            .ok()
            .map(Into::into)
    }

    fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Option<()> {
        self.decrypt_inout_detached(nonce.into(), aad, text.into(), tag.into())
            .ok()
    }
}

fn make<A: Cipher + KeyInit + 'static>(key: &[u8]) -> Option<Box<dyn Cipher>> {
    let cipher = A::new_from_slice(key).ok()?;
    Some(Box::new(cipher))
}
