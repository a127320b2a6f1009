//! Encrypts what a session keeps in its storage: topics, payloads, properties, the client identifier.
//!
//! ```text
//!  thread-mqtt-session      writes records under 16-bit keys, into a Store
//!        |
//!  SealedStore              this crate: each record encrypted and authenticated
//!        |
//!  a Store                  settings of a device, files
//! ```
//!
//! # A record
//!
//! ```text
//!   format  nonce  ciphertext ...  tag
//!      1      12                    16      bytes
//! ```
//!
//! It is AES-GCM (NIST SP 800-38D) with a key of 128 or 256 bits, or ChaCha20-Poly1305 (RFC 8439) with
//! a key in PSA Crypto for that. The additional data are the format, the record's key and the name of
//! the session: a record that was copied to another place does not open.
//!
//! # Nonces
//!
//! Each is 96 random bits of the platform's generator. Nothing has to be remembered for it, so there is
//! nothing that a power cut, a reset or an older copy of the flash could set back. SP 800-38D section
//! 8.3 allows 2^32 encryptions with one key this way; flash wears out long before that.
//!
//! # What is not promised
//!
//! - The flash may be set back to an older state, as a whole or record by record, and records may be
//!   deleted: each of them is genuine, and nothing here knows which one is the newest. Against that
//!   takes a counter in hardware.
//! - How many records there are, when they change and how long they are can be seen, and so can their
//!   keys, which are packet identifiers.
//! - The key has to be kept where the reader of the flash does not find it.
//!
//! # The wrong key
//!
//! One record says which key is the right one: [`ENCRYPTED`]. It is written before any other. If neither it
//! nor any other opens, nothing is touched, and the store cannot be read ([`StoreError::WrongKey`]). If it opens
//! and another one does not, that one was altered or torn: the session drops it and tells so
//! ([`Event::RecordDamaged`](thread_mqtt_session::Event::RecordDamaged)).
//!
//! A store from before there was a key has no such record, and at least one that a session wrote without a
//! key, whatever has become of the others. It is not touched either ([`StoreError::NotEncrypted`]). With
//! `ENCRYPTED`, in whatever state, the store counts as encrypted, as it does for a session without a key.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

mod key;
#[cfg(feature = "psa")]
mod psa;
#[cfg(feature = "soft")]
mod soft;

use alloc::vec::Vec;

use thread_mqtt_session::{ENCRYPTED, Store, StoreError, is_record};

pub use key::{Key, KeyError};
#[cfg(feature = "soft")]
pub use soft::Fill;

/// Bytes of a nonce.
const NONCE: usize = 12;
/// Bytes of a tag.
const TAG: usize = 16;
/// The first byte of a record that is encrypted in this way.
const FORMAT: u8 = 0xE1;
/// Bytes by which a record grows.
pub const OVERHEAD: usize = 1 + NONCE + TAG;

/// What the record under [`ENCRYPTED`] says.
const CHECK: &[u8] = b"thread-mqtt";

/// A [`Store`] whose records are encrypted in another one.
#[derive(Debug)]
pub struct SealedStore<S> {
    store: S,
    sealer: Sealer,
}

impl<S: Store> SealedStore<S> {
    /// Encrypts what is kept in `store`. The name is the session's: a record does not open under another
    /// one.
    pub fn new(store: S, key: Key, name: &str) -> Self {
        let mut context = Vec::with_capacity(3 + name.len());
        context.extend_from_slice(&[FORMAT, 0, 0]);
        context.extend_from_slice(name.as_bytes());
        Self {
            store,
            sealer: Sealer { key, context },
        }
    }

    /// Finds out whether the key is the right one, and sees to it that the next start can.
    fn check(&mut self) -> Result<(), StoreError> {
        let Self { store, sealer } = self;
        let (mut is_right, mut is_named, mut has_others) = (Ok(false), false, false);
        store.load(&mut |key, bytes| match key {
            ENCRYPTED => {
                let opened = sealer.open(key, bytes);
                is_right = opened.map(|text| text.as_deref() == Some(CHECK));
                is_named = true;
            }
            _ => has_others = true,
        })?;
        if is_right? {
            return Ok(());
        }
        if has_others {
            self.check_others(is_named)?;
        }
        let check = self.sealer.seal(ENCRYPTED, CHECK)?;
        self.store.put(ENCRYPTED, &check)
    }

    /// The record that would say it is missing, or does not open (`is_named`): then the others have to.
    fn check_others(&mut self, is_named: bool) -> Result<(), StoreError> {
        let Self { store, sealer } = self;
        let (mut any_opens, mut any_plain) = (Ok(false), false);
        store.load(&mut |key, bytes| {
            if key == ENCRYPTED || !matches!(any_opens, Ok(false)) {
                return;
            }
            any_opens = sealer.open(key, bytes).map(|text| text.is_some());
            any_plain |= is_record(key, bytes);
        })?;
        match any_opens? {
            true => Ok(()),
            false if any_plain && !is_named => Err(StoreError::NotEncrypted),
            false => Err(StoreError::WrongKey),
        }
    }
}

impl<S: Store> Store for SealedStore<S> {
    fn load(&mut self, found: &mut dyn FnMut(u16, &[u8])) -> Result<(), StoreError> {
        self.check()?;
        let Self { store, sealer } = self;
        let mut result = Ok(());
        store.load(&mut |key, bytes| {
            if key == ENCRYPTED || result.is_err() {
                return;
            }
            match sealer.open(key, bytes) {
                Ok(Some(text)) => found(key, &text),
                // No record of a session: it drops it and tells so.
                Ok(None) => found(key, &[]),
                Err(error) => result = Err(error),
            }
        })?;
        result
    }

    fn put(&mut self, key: u16, record: &[u8]) -> Result<(), StoreError> {
        let sealed = self.sealer.seal(key, record)?;
        self.store.put(key, &sealed)
    }

    fn delete(&mut self, key: u16) -> Result<(), StoreError> {
        self.store.delete(key)
    }
}

/// The key, and what is authenticated beside a record.
#[derive(Debug)]
struct Sealer {
    key: Key,
    /// The format, two bytes for a record's key, the name of the session.
    context: Vec<u8>,
}

impl Sealer {
    fn context(&mut self, key: u16) -> &[u8] {
        if let Some(place) = self.context.get_mut(1..3) {
            place.copy_from_slice(&key.to_le_bytes());
        }
        &self.context
    }

    fn seal(&mut self, key: u16, record: &[u8]) -> Result<Vec<u8>, StoreError> {
        let mut nonce = [0; NONCE];
        self.key.0.draw(&mut nonce)?;
        let mut sealed = room(record.len() + OVERHEAD)?;
        sealed.push(FORMAT);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(record);
        sealed.resize(record.len() + OVERHEAD, 0);
        self.context(key);
        let text = sealed.get_mut(1 + NONCE..).unwrap_or_default();
        self.key.0.seal(&nonce, &self.context, text)?;
        Ok(sealed)
    }

    /// The record, or `None` if it is not one that was encrypted with this key, for this place.
    fn open(&mut self, key: u16, sealed: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let Some((&[FORMAT], rest)) = sealed.split_first_chunk() else {
            return Ok(None);
        };
        let Some((nonce, text)) = rest.split_first_chunk::<NONCE>() else {
            return Ok(None);
        };
        if text.len() < TAG {
            return Ok(None);
        }
        let mut record = room(text.len())?;
        record.extend_from_slice(text);
        self.context(key);
        let is_genuine = self.key.0.open(nonce, &self.context, &mut record)?;
        record.truncate(text.len() - TAG);
        Ok(is_genuine.then_some(record))
    }
}

/// A vector for so many bytes, if the heap has them.
fn room(bytes: usize) -> Result<Vec<u8>, StoreError> {
    let mut room = Vec::new();
    room.try_reserve_exact(bytes)
        .map_err(|_| StoreError::OutOfMemory)?;
    Ok(room)
}
