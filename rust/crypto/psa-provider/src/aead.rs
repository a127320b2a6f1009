//! The ciphers. Keys are imported into PSA and destroyed when their owner is dropped.

use rustls::Error;
use rustls::crypto::cipher::{Iv, NONCE_LEN, Nonce};
use thread_mqtt_crypto_record as record;
use thread_mqtt_psa::{self as psa, Algorithm, Attributes, Key, KeyType, Status, Usage};

use crate::fault::{self, Lease};

pub(crate) use record::TAG_LEN;

pub(crate) static AES_128_GCM: Aead = Aead {
    key_len: 16,
    key_type: KeyType::AES,
    algorithm: Algorithm::GCM,
};

#[cfg(feature = "aes256")]
pub(crate) static AES_256_GCM: Aead = Aead {
    key_len: 32,
    key_type: KeyType::AES,
    algorithm: Algorithm::GCM,
};

#[cfg(feature = "chacha20")]
pub(crate) static CHACHA20_POLY1305: Aead = Aead {
    key_len: 32,
    key_type: KeyType::CHACHA20,
    algorithm: Algorithm::CHACHA20_POLY1305,
};

/// An AEAD algorithm. All of TLS's have 12-byte nonces and 16-byte tags.
pub(crate) struct Aead {
    pub(crate) key_len: usize,
    key_type: KeyType,
    pub(crate) algorithm: Algorithm,
}

impl Aead {
    pub(crate) fn import(&self, key: &[u8], usage: Usage) -> Result<Key, psa::Error> {
        let attributes = Attributes {
            key_type: self.key_type,
            bits: 0,
            usage,
            algorithm: self.algorithm,
        };
        Key::import(&attributes, key)
    }

    /// Creates a cipher for one direction of one connection.
    pub(crate) fn keyed(&self, key: &[u8], iv: Iv, usage: Usage) -> Keyed {
        let lease = Lease::new();
        let key = self.import(key, usage);
        if let Err(error) = key {
            fault::latch(error);
        }
        Keyed {
            key,
            algorithm: self.algorithm,
            iv,
            _lease: lease,
        }
    }
}

/// Does not implement `secrets`: the purpose of this provider is that keys do not leave PSA.
impl record::Aead for Aead {
    type Keyed = Keyed;

    fn key_len(&self) -> usize {
        self.key_len
    }

    fn encrypter(&self, key: &[u8], iv: Iv) -> Keyed {
        self.keyed(key, iv, Usage::ENCRYPT)
    }

    fn decrypter(&self, key: &[u8], iv: Iv) -> Keyed {
        self.keyed(key, iv, Usage::DECRYPT)
    }
}

/// A cipher with its key, and the IV that is combined with a record's sequence number.
pub(crate) struct Keyed {
    key: Result<Key, psa::Error>,
    algorithm: Algorithm,
    iv: Iv,
    _lease: Lease,
}

impl Keyed {
    /// Returns the nonce of record `seq` (RFC 8446, section 5.3; RFC 7905, section 2).
    pub(crate) fn nonce(&self, seq: u64) -> [u8; NONCE_LEN] {
        Nonce::new(&self.iv, seq).0
    }

    /// Encrypts the text in `buf`, which ends with room for the tag.
    ///
    /// rustls panics if a record cannot be encrypted. A record that cannot be encrypted is
    /// therefore filled with zeros, which reveal nothing and which no peer accepts, and the failure
    /// is latched.
    pub(crate) fn seal(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], buf: &mut [u8]) {
        let sealed = self
            .key()
            .and_then(|key| key.seal(self.algorithm, nonce, aad, buf, TAG_LEN));
        if let Err(error) = sealed {
            fault::latch(error);
            buf.fill(0);
        }
    }

    /// Decrypts `payload`, a ciphertext followed by its tag, in place. Returns the
    /// length of the plaintext at its start.
    pub(crate) fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        payload: &mut [u8],
    ) -> Result<usize, Error> {
        if payload.len() < TAG_LEN {
            return Err(Error::DecryptError);
        }
        let opened = self
            .key()
            .and_then(|key| key.open(self.algorithm, nonce, aad, payload));
        match opened {
            Ok(len) if len + TAG_LEN == payload.len() => Ok(len),
            Ok(_) => Err(Error::DecryptError),
            Err(error) if error.status == Status::INVALID_SIGNATURE => Err(Error::DecryptError),
            Err(error) => Err(fault::report(error)),
        }
    }

    fn key(&self) -> Result<&Key, psa::Error> {
        fault::check()?;
        self.key.as_ref().map_err(|error| *error)
    }
}

impl record::Keyed for Keyed {
    fn nonce(&self, seq: u64) -> [u8; NONCE_LEN] {
        self.nonce(seq)
    }

    fn seal(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], buf: &mut [u8]) -> Result<(), Error> {
        self.seal(nonce, aad, buf);
        Ok(())
    }

    fn open(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], buf: &mut [u8]) -> Result<usize, Error> {
        self.open(nonce, aad, buf)
    }
}
