//! Storage of records across restarts.

use core::fmt;

/// Storage for the records of one session: any key-value store, such as a device's settings or
/// files.
///
/// If the power fails during a call, the session relies on the following:
///
/// - [`put`](Self::put) under a new key leaves nothing, the record, or something damaged;
/// - `put` under an existing key leaves the old record or the new one;
/// - both hold for a `put` that returns an error, too;
/// - [`delete`](Self::delete) leaves the record or nothing;
/// - the results of completed calls persist, and no other record changes.
///
/// The calls return when the operation is complete. The session's thread waits that long.
pub trait Store: Send {
    /// Passes every record with its key to `found`, in any order.
    fn load(&mut self, found: &mut dyn FnMut(u16, &[u8])) -> Result<(), StoreError>;
    /// Stores a record, replacing an earlier one under this key.
    fn put(&mut self, key: u16, record: &[u8]) -> Result<(), StoreError>;
    /// Deletes a record. It is not an error if there is none.
    fn delete(&mut self, key: u16) -> Result<(), StoreError>;
}

/// A key that no session uses for its own records. A [`Store`] that encrypts the records keeps one
/// here, so that a session opened without the encryption leaves the data alone.
pub const ENCRYPTED: u16 = 1;

/// Why a record was not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no storage, or its contents could not be read.
    Unavailable,
    /// The storage is full.
    Full,
    /// The record is larger than the storage accepts.
    TooLarge,
    /// The heap has no room for the record while it is written.
    OutOfMemory,
    /// The records are encrypted, and no key was given.
    Encrypted,
    /// The records were encrypted with another key.
    WrongKey,
    /// A key was given, but the records are not encrypted.
    NotEncrypted,
    /// The records were written by a later version of this crate. They are left alone.
    Newer,
    /// The key cannot be used, or no nonce could be generated: a code of PSA Crypto or of the
    /// platform.
    Key(i32),
    /// The platform's own code, negative by convention.
    Failed(i32),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Unavailable => f.write_str(
                "there is no session storage; configure it, or publish messages that are not \
                 durable",
            ),
            // A build without durable sessions has no other error, and no room for the messages.
            _ if !cfg!(feature = "durable") => Ok(()),
            StoreError::Full => {
                f.write_str("the session storage is full; wait for acknowledgements or enlarge it")
            }
            StoreError::TooLarge => f.write_str(
                "the message is too large for one storage record; split it, or publish it as not \
                 durable",
            ),
            StoreError::OutOfMemory => {
                f.write_str("not enough heap for a session storage record; enlarge the heap")
            }
            StoreError::Encrypted => f.write_str(
                "the session storage is encrypted; provide the key, or erase the storage",
            ),
            StoreError::WrongKey => f.write_str(
                "this key decrypts nothing in the session storage; provide the key it was \
                 encrypted with, or erase the storage",
            ),
            StoreError::NotEncrypted => f.write_str(
                "the session storage is not encrypted, but a key is set; run once without the key \
                 until all messages are delivered, then erase the storage",
            ),
            StoreError::Newer => f.write_str(
                "the session was stored by a newer version of this software; update this one, or \
                 erase the storage",
            ),
            StoreError::Key(code) => write!(
                f,
                "the key of the session storage cannot be used, code {code}; do not destroy it \
                 while the client exists"
            ),
            StoreError::Failed(code) => write!(
                f,
                "the session storage failed with code {code}; if this persists, erase it"
            ),
        }
    }
}

impl core::error::Error for StoreError {}
