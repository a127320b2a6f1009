//! Encrypts the records that a session stores: topics, payloads, properties, the client identifier.
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
//! The cipher is AES-GCM (NIST SP 800-38D) with a key of 128 or 256 bits, or ChaCha20-Poly1305 (RFC
//! 8439) with a ChaCha20-Poly1305 key in PSA Crypto. The additional data are the format, the
//! record's key and the name of the session, so a record that was copied elsewhere does not open.
//!
//! # Nonces
//!
//! A nonce is 96 random bits from the platform's generator. No state is kept, so a power cut, a
//! reset or an older copy of the flash cannot set it back. SP 800-38D section 8.3 allows 2^32
//! encryptions per key this way. Flash wears out long before that.
//!
//! # Limitations
//!
//! - The flash may be restored to an older state, as a whole or record by record, and records may
//!   be deleted. Each record remains genuine, and this crate cannot tell which one is newest.
//!   Preventing this takes a hardware counter.
//! - The number of records, when they change, their lengths and their keys, which are packet
//!   identifiers, are visible.
//! - The key must be stored where a reader of the flash cannot find it.
//!
//! # The wrong key
//!
//! The record [`ENCRYPTED`] identifies the right key. It is written before any other. If neither it
//! nor any other record opens, nothing is changed, and the store cannot be read
//! ([`StoreError::WrongKey`]). If it opens but another record does not, that record was altered or
//! torn: the session drops and reports it
//! ([`Event::RecordDamaged`](thread_mqtt_session::Event::RecordDamaged)).
//!
//! A store written without a key has no such record, and has at least one plain record of a
//! session, whatever has happened to the others. It is not changed either
//! ([`StoreError::NotEncrypted`]). A store with a record `ENCRYPTED`, in whatever state, counts as
//! encrypted, also for a session without a key.
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

/// Length of a nonce in bytes.
const NONCE: usize = 12;
/// Length of a tag in bytes.
const TAG: usize = 16;
/// The first byte of a record in this encrypted format.
const FORMAT: u8 = 0xE1;
/// Bytes that encryption adds to a record.
pub const OVERHEAD: usize = 1 + NONCE + TAG;

/// The plaintext of the record [`ENCRYPTED`].
const CHECK: &[u8] = b"thread-mqtt";

/// A [`Store`] that encrypts its records and keeps them in another store.
#[derive(Debug)]
pub struct SealedStore<S> {
    store: S,
    sealer: Sealer,
}

impl<S: Store> SealedStore<S> {
    /// Encrypts the records in `store`. `name` is the session's name: a record does not open under
    /// another name.
    pub fn new(store: S, key: Key, name: &str) -> Self {
        let mut context = Vec::with_capacity(3 + name.len());
        context.extend_from_slice(&[FORMAT, 0, 0]);
        context.extend_from_slice(name.as_bytes());
        Self {
            store,
            sealer: Sealer { key, context },
        }
    }

    /// Checks whether the key is right, and stores what the next start needs to check it.
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

    /// Checks that another record opens, because the identifying record is missing or does not open
    /// (`is_named`).
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
                // Not a valid record: the session drops and reports it.
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

/// The key, and the data authenticated together with a record.
#[derive(Debug)]
struct Sealer {
    key: Key,
    /// The format, two bytes for the record's key, the session's name.
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

    /// Returns the record, or `None` if it was not encrypted with this key and for this place.
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

/// Returns a vector with this capacity, if the heap has room.
fn room(bytes: usize) -> Result<Vec<u8>, StoreError> {
    let mut room = Vec::new();
    room.try_reserve_exact(bytes)
        .map_err(|_| StoreError::OutOfMemory)?;
    Ok(room)
}
