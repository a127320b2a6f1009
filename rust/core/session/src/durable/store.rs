//! What keeps records over restarts.

use core::fmt;

/// Storage for the records of one session: any store of keys and values, such as the settings of a
/// device or files.
///
/// What the session relies on when the power fails during a call:
///
/// - [`put`](Self::put) under a new key leaves nothing, the record, or something damaged;
/// - `put` under a key in use leaves the old record or the new one;
/// - [`delete`](Self::delete) leaves the record or nothing;
/// - what an earlier call has finished stays, and no other record changes.
///
/// The calls return when that is done, which takes as long as the medium takes: the session's thread
/// waits for it.
pub trait Store: Send {
    /// Hands every record to `found`, in any order, with its key.
    fn load(&mut self, found: &mut dyn FnMut(u16, &[u8])) -> Result<(), StoreError>;
    /// Keeps a record, in the place of an earlier one under this key.
    fn put(&mut self, key: u16, record: &[u8]) -> Result<(), StoreError>;
    /// Forgets a record; nothing there is no error.
    fn delete(&mut self, key: u16) -> Result<(), StoreError>;
}

/// A key that no session uses for a record of its own. What encrypts the records of a [`Store`] keeps
/// one here, so that a session that gets the store without its key leaves it alone.
pub const ENCRYPTED: u16 = 1;

/// Why a record is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no storage, or what it holds could not be read.
    Unavailable,
    /// It is full.
    Full,
    /// The record is larger than any that it takes.
    TooLarge,
    /// The heap has no room for the record while it is written.
    OutOfMemory,
    /// The records are encrypted, and there is no key.
    Encrypted,
    /// The records were encrypted with another key.
    WrongKey,
    /// There is a key, and the records are not encrypted.
    NotEncrypted,
    /// A later version of this crate wrote the records. They are left alone.
    Newer,
    /// The key cannot be used, or there was no nonce: a code of PSA Crypto or of the platform.
    Key(i32),
    /// The platform's own code, negative by custom.
    Failed(i32),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Unavailable => f.write_str(
                "there is no storage for the session; give the client one, or publish messages that \
                 are not durable",
            ),
            // A build without durable sessions has nothing else to say, and no room for the sentences.
            _ if !cfg!(feature = "durable") => Ok(()),
            StoreError::Full => f.write_str(
                "the storage of the session is full; wait for acknowledgements or give it more room",
            ),
            StoreError::TooLarge => f.write_str(
                "the message is larger than the storage takes in one record; publish it in parts, or \
                 not durable",
            ),
            StoreError::OutOfMemory => f.write_str(
                "the heap has no room for a record of the session's storage; give the heap more",
            ),
            StoreError::Encrypted => f.write_str(
                "the storage of the session is encrypted; give the key, or erase the storage",
            ),
            StoreError::WrongKey => f.write_str(
                "nothing in the storage of the session can be decrypted; give the key that it was \
                 encrypted with, or erase the storage",
            ),
            StoreError::NotEncrypted => f.write_str(
                "the storage of the session is not encrypted, although there is a key; run once \
                 without the key until all messages are delivered, and erase the storage then",
            ),
            StoreError::Newer => f.write_str(
                "a newer version of this software stored the session; update this one, or erase the \
                 storage",
            ),
            StoreError::Key(code) => write!(
                f,
                "the key of the session's storage cannot be used, code {code}; see that it is not \
                 destroyed while the client lives"
            ),
            StoreError::Failed(code) => write!(
                f,
                "the storage of the session failed with code {code}; if it stays so, erase it"
            ),
        }
    }
}

impl core::error::Error for StoreError {}
