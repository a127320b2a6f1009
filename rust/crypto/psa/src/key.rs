//! Keys: created and destroyed here, or opaque keys that others own.

use core::ops::Deref;
use core::sync::atomic::{AtomicU32, Ordering};

use crate::error::{Call, Error, Status};
use crate::{Algorithm, KeyType, Usage, ffi};

/// The attributes of a key and its permitted uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Attributes {
    /// The type of key.
    pub key_type: KeyType,
    /// The size in bits; 0 on import, where the data determines it.
    pub bits: u32,
    /// The permitted operations.
    pub usage: Usage,
    /// The single permitted algorithm.
    pub algorithm: Algorithm,
}

/// `c/thread_mqtt_psa.c` asserts the same numbers.
const _: () = {
    use core::mem::offset_of;
    assert!(offset_of!(Attributes, key_type) == 0 && size_of::<KeyType>() == 4);
    assert!(offset_of!(Attributes, bits) == 4);
    assert!(offset_of!(Attributes, usage) == 8 && size_of::<Usage>() == 4);
    assert!(offset_of!(Attributes, algorithm) == 12 && size_of::<Algorithm>() == 4);
    assert!(size_of::<Attributes>() == 16);
};

/// A key by its PSA identifier (`psa_key_id_t`), volatile or persistent, created by the
/// application, a provisioning step or a secure element. Dropping this does not affect the key.
///
/// An identifier without a key is harmless: PSA returns an error status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyId(pub u32);

impl KeyId {
    /// Returns what PSA knows about the key.
    pub fn attributes(self) -> Result<Attributes, Error> {
        let mut attributes = Attributes {
            key_type: KeyType(0),
            bits: 0,
            usage: Usage(0),
            algorithm: Algorithm(0),
        };
        // SAFETY: `attributes` has the layout of the C structure and outlives the call.
        let status = unsafe { ffi::thread_mqtt_psa_attributes(self.0, &mut attributes) };
        Call::GetKeyAttributes.check(status)?;
        Ok(attributes)
    }

    /// Writes the public key of a pair to `out` in PSA's format: a point for
    /// elliptic curves, a DER `RSAPublicKey` for RSA.
    pub fn export_public(self, out: &mut [u8]) -> Result<&mut [u8], Error> {
        let mut len = 0;
        // SAFETY: `out` is writable for the length passed.
        let status = unsafe {
            ffi::thread_mqtt_psa_export_public(self.0, out.as_mut_ptr(), out.len(), &mut len)
        };
        filled(Call::ExportPublicKey, status, out, len)
    }

    /// Performs ECDH with the peer's public key, and writes the shared secret to `out`. PSA refuses
    /// points that are not on the curve.
    pub fn agree<'o>(self, peer: &[u8], out: &'o mut [u8]) -> Result<&'o mut [u8], Error> {
        let mut len = 0;
        // SAFETY: `peer` is readable and `out` is writable for the lengths passed.
        let status = unsafe {
            ffi::thread_mqtt_psa_agree(
                self.0,
                peer.as_ptr(),
                peer.len(),
                out.as_mut_ptr(),
                out.len(),
                &mut len,
            )
        };
        filled(Call::RawKeyAgreement, status, out, len)
    }

    /// Encrypts in place: `buf` is the text followed by room for a tag of
    /// `tag_len` bytes.
    pub fn seal(
        self,
        algorithm: Algorithm,
        nonce: &[u8],
        aad: &[u8],
        buf: &mut [u8],
        tag_len: usize,
    ) -> Result<(), Error> {
        let mut len = 0;
        // SAFETY: `nonce` and `aad` are readable and `buf` is writable for the lengths passed.
        let status = unsafe {
            ffi::thread_mqtt_psa_seal(
                self.0,
                algorithm.0,
                nonce.as_ptr(),
                nonce.len(),
                aad.as_ptr(),
                aad.len(),
                buf.as_mut_ptr(),
                buf.len(),
                tag_len,
                &mut len,
            )
        };
        let expected = buf.len();
        match filled(Call::AeadEncrypt, status, buf, len)?.len() {
            len if len == expected => Ok(()),
            _ => Err(Call::AeadEncrypt.failed(Status::CORRUPTION_DETECTED)),
        }
    }

    /// Decrypts in place: `buf` is the ciphertext followed by its tag. Returns
    /// the length of the text at its start.
    pub fn open(
        self,
        algorithm: Algorithm,
        nonce: &[u8],
        aad: &[u8],
        buf: &mut [u8],
    ) -> Result<usize, Error> {
        let mut len = 0;
        // SAFETY: `nonce` and `aad` are readable and `buf` is writable for the lengths passed.
        let status = unsafe {
            ffi::thread_mqtt_psa_open(
                self.0,
                algorithm.0,
                nonce.as_ptr(),
                nonce.len(),
                aad.as_ptr(),
                aad.len(),
                buf.as_mut_ptr(),
                buf.len(),
                &mut len,
            )
        };
        filled(Call::AeadDecrypt, status, buf, len).map(|text| text.len())
    }

    /// Signs a hash. An ECDSA signature is r followed by s.
    pub fn sign_hash<'o>(
        self,
        algorithm: Algorithm,
        hash: &[u8],
        out: &'o mut [u8],
    ) -> Result<&'o mut [u8], Error> {
        let mut len = 0;
        // SAFETY: `hash` is readable and `out` is writable for the lengths passed.
        let status = unsafe {
            ffi::thread_mqtt_psa_sign_hash(
                self.0,
                algorithm.0,
                hash.as_ptr(),
                hash.len(),
                out.as_mut_ptr(),
                out.len(),
                &mut len,
            )
        };
        filled(Call::SignHash, status, out, len)
    }

    /// Verifies the signature of a hash. Returns [`Status::INVALID_SIGNATURE`] if it is wrong; any
    /// other status means that it could not be verified.
    pub fn verify_hash(
        self,
        algorithm: Algorithm,
        hash: &[u8],
        signature: &[u8],
    ) -> Result<(), Error> {
        // SAFETY: both slices are readable for the lengths passed.
        let status = unsafe {
            ffi::thread_mqtt_psa_verify_hash(
                self.0,
                algorithm.0,
                hash.as_ptr(),
                hash.len(),
                signature.as_ptr(),
                signature.len(),
            )
        };
        Call::VerifyHash.check(status)
    }

    /// Same as [`KeyId::verify_hash`], for algorithms that do their own hashing.
    pub fn verify_message(
        self,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), Error> {
        // SAFETY: both slices are readable for the lengths passed.
        let status = unsafe {
            ffi::thread_mqtt_psa_verify_message(
                self.0,
                algorithm.0,
                message.as_ptr(),
                message.len(),
                signature.as_ptr(),
                signature.len(),
            )
        };
        Call::VerifyMessage.check(status)
    }
}

/// Returns the part of `out` that a call reports as filled, if the call succeeded and the length is
/// valid.
pub(crate) fn filled(
    call: Call,
    status: i32,
    out: &mut [u8],
    len: usize,
) -> Result<&mut [u8], Error> {
    call.check(status)?;
    out.get_mut(..len)
        .ok_or(call.failed(Status::CORRUPTION_DETECTED))
}

/// A volatile key that we own; destroyed when dropped.
#[derive(Debug)]
pub struct Key(KeyId);

impl Key {
    /// Imports a key. `data` is in the format of its type.
    pub fn import(attributes: &Attributes, data: &[u8]) -> Result<Self, Error> {
        let mut id = 0;
        // SAFETY: `attributes` has the layout of the C structure; `data` is readable
        // for its length; both and `id` outlive the call.
        let status =
            unsafe { ffi::thread_mqtt_psa_import(attributes, data.as_ptr(), data.len(), &mut id) };
        Call::ImportKey.check(status)?;
        Ok(Self(KeyId(id)))
    }

    /// Generates a key.
    pub fn generate(attributes: &Attributes) -> Result<Self, Error> {
        let mut id = 0;
        // SAFETY: `attributes` has the layout of the C structure and, like `id`,
        // outlives the call.
        let status = unsafe { ffi::thread_mqtt_psa_generate(attributes, &mut id) };
        Call::GenerateKey.check(status)?;
        Ok(Self(KeyId(id)))
    }
}

impl Deref for Key {
    type Target = KeyId;

    fn deref(&self) -> &KeyId {
        &self.0
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        // SAFETY: no pointers; PSA checks the identifier.
        let status = unsafe { ffi::thread_mqtt_psa_destroy(self.0.0) };
        if Status(status) != Status::SUCCESS {
            NOT_DESTROYED.fetch_add(1, Ordering::Relaxed);
        }
    }
}

static NOT_DESTROYED: AtomicU32 = AtomicU32::new(0);

/// Returns how many of our keys PSA has failed to destroy since the start. Each may still occupy a
/// slot and hold its secret. On a working backend this stays 0.
pub fn keys_not_destroyed() -> u32 {
    NOT_DESTROYED.load(Ordering::Relaxed)
}
