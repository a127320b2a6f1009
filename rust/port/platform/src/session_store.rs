//! A client whose session is kept in the platform's storage.
use crate::ffi;
use alloc::boxed::Box;
use core::ffi::CStr;
use core::fmt;
use thread_mqtt_client::{self as client, Client, ConfigError};
#[cfg(feature = "durable")]
use thread_mqtt_session::Store;

/// Maximum bytes of a session name: platform storage has short keys.
pub(crate) const NAME: usize = ffi::TMQ_SESSION_SIZE as usize - 1;

/// The name of a stored session. Empty, the default, if the session is not stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SessionName([u8; NAME + 1]);

impl SessionName {
    #[cfg(feature = "durable")]
    fn new(name: &str) -> Self {
        let mut made = Self::default();
        for (to, byte) in made.0.iter_mut().zip(name.bytes().take(NAME)) {
            *to = byte;
        }
        made
    }

    pub(crate) fn as_c(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.0).unwrap_or_default()
    }
}

/// How the records of a stored session are encrypted.
#[derive(Clone, Copy, Default)]
pub enum SessionKey<'a> {
    /// Not encrypted.
    #[default]
    None,
    /// With a key that stays in PSA Crypto, by its identifier.
    Id(u32),
    /// With a key of 16 or 32 bytes, for AES-GCM.
    Bytes(&'a [u8]),
}

impl SessionKey<'static> {
    /// Returns the key of `CONFIG_THREAD_MQTT_SESSION_KEY_ID`.
    pub fn of_options() -> Self {
        match crate::options().session_key_id {
            0 => Self::None,
            id => Self::Id(id),
        }
    }
}

/// Why a client cannot be created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientError {
    /// The session name is invalid.
    SessionName,
    /// Another client uses a session of this name.
    SessionTaken,
    /// Durable sessions or their encryption are not built in: the name of the option, without
    /// `CONFIG_THREAD_MQTT_`.
    NotBuilt(&'static str),
    /// The key cannot be used.
    #[cfg(feature = "session-encryption")]
    Key(thread_mqtt_seal::KeyError),
    /// The key is in PSA Crypto, which the image does not have.
    NoPsa,
    /// The client's configuration is refused.
    Config(ConfigError),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SessionName => write!(
                f,
                "the name of the stored session must be 1 to {NAME} characters from a-z, A-Z, \
                 0-9, - and _"
            ),
            Self::SessionTaken => f.write_str(
                "another client stores its session under the same name; give each its own name",
            ),
            Self::NotBuilt(option) => write!(
                f,
                "this image cannot store the session like this: set \
                 CONFIG_THREAD_MQTT_{option}=y, or configure no session name or no key"
            ),
            #[cfg(feature = "session-encryption")]
            Self::Key(error) => error.fmt(f),
            Self::NoPsa => f.write_str(
                "session_key_id names a key in PSA Crypto; set CONFIG_THREAD_MQTT_CRYPTO_PSA=y, \
                 or set session_key instead",
            ),
            Self::Config(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ClientError {}

/// Creates a client with this configuration. If the name is not empty, its session survives
/// restarts: see [`SessionStore::open`]. Fails with [`ClientError::SessionTaken`] while another
/// client has the name.
pub fn client(
    config: Box<client::Config>,
    session: &str,
    key: SessionKey<'_>,
) -> Result<Box<Client>, ClientError> {
    let store = SessionStore::claimed(session, key)?;
    let mut client = Client::boxed(config).map_err(ClientError::Config)?;
    if let Some(store) = store {
        store.restore(&mut client);
    }
    Ok(client)
}

/// Where a client's session is stored: in the platform's storage.
pub struct SessionStore(
    #[cfg(feature = "durable")] Box<dyn Store>,
    #[cfg(not(feature = "durable"))] core::convert::Infallible,
    SessionName,
);

impl SessionStore {
    /// Opens the storage of the session with this name, encrypted if there is a key. Returns `None`
    /// for an empty name, because the session is not stored. Reads nothing yet. The caller must
    /// give each client its own name, as the C API does with its
    /// [`Registration`](crate::Registration).
    pub fn open(name: &str, key: SessionKey<'_>) -> Result<Option<Self>, ClientError> {
        Self::named(name, key, false)
    }

    /// Same as [`open`](Self::open), but claims the name until this value, or the client it is
    /// restored to, is dropped.
    pub fn claimed(name: &str, key: SessionKey<'_>) -> Result<Option<Self>, ClientError> {
        Self::named(name, key, true)
    }

    #[cfg(feature = "durable")]
    fn named(name: &str, key: SessionKey<'_>, claims: bool) -> Result<Option<Self>, ClientError> {
        if name.is_empty() {
            return Ok(None);
        }
        let store = match claims {
            true => PlatformStore::new(name)?,
            false => PlatformStore::unclaimed(name)?,
        };
        let store = sealed(store, name, key)?;
        Ok(Some(Self(store, SessionName::new(name))))
    }

    #[cfg(not(feature = "durable"))]
    fn named(name: &str, _: SessionKey<'_>, _: bool) -> Result<Option<Self>, ClientError> {
        match name {
            "" => Ok(None),
            _ => Err(ClientError::NotBuilt("DURABLE")),
        }
    }

    /// Returns the session name.
    pub fn name(&self) -> SessionName {
        self.1
    }

    /// Reads the stored session, and makes a new client resume it. The duration depends on the
    /// storage. Uses as much stack as a connection.
    pub fn restore(self, client: &mut Client) {
        #[cfg(feature = "durable")]
        client.restore(self.0);
        #[cfg(not(feature = "durable"))]
        match (self.0, client) {}
    }
}

#[cfg(feature = "durable")]
fn sealed(
    store: PlatformStore,
    session: &str,
    key: SessionKey<'_>,
) -> Result<Box<dyn Store>, ClientError> {
    if matches!(key, SessionKey::None) {
        return Ok(Box::new(store));
    }
    #[cfg(feature = "session-encryption")]
    {
        let key = sealing_key(key)?;
        Ok(Box::new(thread_mqtt_seal::SealedStore::new(
            store, key, session,
        )))
    }
    #[cfg(not(feature = "session-encryption"))]
    {
        let _ = session;
        Err(ClientError::NotBuilt("SESSION_ENCRYPTION"))
    }
}

#[cfg(all(feature = "session-encryption", feature = "crypto-psa"))]
fn sealing_key(key: SessionKey<'_>) -> Result<thread_mqtt_seal::Key, ClientError> {
    match key {
        SessionKey::Bytes(bytes) => thread_mqtt_seal::Key::import(bytes),
        SessionKey::Id(id) => thread_mqtt_seal::Key::psa(id),
        SessionKey::None => thread_mqtt_seal::Key::import(&[]),
    }
    .map_err(ClientError::Key)
}

#[cfg(all(feature = "session-encryption", not(feature = "crypto-psa")))]
fn sealing_key(key: SessionKey<'_>) -> Result<thread_mqtt_seal::Key, ClientError> {
    match key {
        SessionKey::Bytes(bytes) => {
            let key = thread_mqtt_seal::Key::soft(bytes, crate::port::fill_random);
            key.map_err(ClientError::Key)
        }
        SessionKey::Id(_) | SessionKey::None => Err(ClientError::NoPsa),
    }
}

#[cfg(feature = "durable")]
pub use store::PlatformStore;

#[cfg(feature = "durable")]
mod store {
    use super::{ClientError, NAME, SessionName};
    use crate::ffi;
    use alloc::boxed::Box;
    use core::ffi::{CStr, c_char, c_void};
    use core::ptr;
    use core::slice;
    use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
    use thread_mqtt_session::{Store, StoreError};

    /// Bytes of ".8001" and the terminating NUL.
    const END: usize = 6;

    /// The records of one session in the platform's storage. Each is stored under the session's
    /// name, a dot, and the record's key in hexadecimal.
    #[derive(Debug)]
    pub struct PlatformStore {
        key: [u8; NAME + END],
        name: usize,
        claim: Option<Claim>,
    }

    impl PlatformStore {
        /// Opens the storage under a name of 1 to 12 of a-z, A-Z, 0-9, - and _. Fails with
        /// [`ClientError::SessionName`] for other names, and with [`ClientError::SessionTaken`] if
        /// another store has the name.
        pub fn new(name: &str) -> Result<Self, ClientError> {
            let mut store = Self::unclaimed(name)?;
            store.claim = Some(Claim::new(name).ok_or(ClientError::SessionTaken)?);
            Ok(store)
        }

        pub(super) fn unclaimed(name: &str) -> Result<Self, ClientError> {
            let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            if !(1..=NAME).contains(&name.len()) || !name.bytes().all(is_allowed) {
                return Err(ClientError::SessionName);
            }
            let mut key = [0; NAME + END];
            let bytes = name.bytes().chain([b'.']);
            for (to, byte) in key.iter_mut().zip(bytes) {
                *to = byte;
            }
            Ok(Self {
                key,
                name: name.len() + 1,
                claim: None,
            })
        }

        /// Returns the key of a record, NUL-terminated.
        fn key(&mut self, number: u16) -> *const c_char {
            let digits = self.key.get_mut(self.name..).unwrap_or_default();
            for (place, digit) in digits.iter_mut().zip(0..4) {
                let value = number >> (12 - 4 * digit) & 0xF;
                *place = b"0123456789abcdef"
                    .get(usize::from(value))
                    .copied()
                    .unwrap_or_default();
            }
            self.key.as_ptr().cast()
        }

        /// Returns the common prefix of all keys, NUL-terminated.
        fn prefix(&mut self) -> *const c_char {
            if let Some(end) = self.key.get_mut(self.name) {
                *end = 0;
            }
            self.key.as_ptr().cast()
        }
    }

    /// A name in use now or earlier. Names are never removed, because there are few. New ones are
    /// added at the front.
    struct Name {
        name: SessionName,
        is_taken: AtomicBool,
        next: *const Name,
    }

    static NAMES: AtomicPtr<Name> = AtomicPtr::new(ptr::null_mut());

    /// A claim to a name, exclusive until dropped.
    #[derive(Debug)]
    struct Claim(&'static AtomicBool);

    impl Claim {
        /// Returns `None` if another store has the name.
        fn new(name: &str) -> Option<Self> {
            let name = SessionName::new(name);
            loop {
                let first = NAMES.load(Ordering::Acquire);
                let mut at: *const Name = first;
                // SAFETY: NULL, or a name of the list, which is never removed or changed.
                while let Some(known) = unsafe { at.as_ref() } {
                    if known.name == name {
                        let was_taken = known.is_taken.swap(true, Ordering::AcqRel);
                        // Do not construct a claim on a name that is taken: dropping it would free
                        // the name.
                        return (!was_taken).then(|| Self(&known.is_taken));
                    }
                    at = known.next;
                }
                let new = Box::into_raw(Box::new(Name {
                    name,
                    is_taken: AtomicBool::new(true),
                    next: first,
                }));
                match NAMES.compare_exchange(first, new, Ordering::AcqRel, Ordering::Acquire) {
                    // SAFETY: it is never removed from now on.
                    Ok(_) => return Some(Self(unsafe { &(*new).is_taken })),
                    // Another thread was faster.
                    // SAFETY: it was not shared.
                    Err(_) => drop(unsafe { Box::from_raw(new) }),
                }
            }
        }
    }

    impl Drop for Claim {
        fn drop(&mut self) {
            self.0.store(false, Ordering::Release);
        }
    }

    /// Returns the number that follows the name in a key.
    fn number(key: &[u8], name: usize) -> Option<u16> {
        let digits = key.get(name..).filter(|digits| digits.len() == 4)?;
        let digits = core::str::from_utf8(digits).ok()?;
        u16::from_str_radix(digits, 16).ok()
    }

    struct Found<'a> {
        name: usize,
        found: &'a mut dyn FnMut(u16, &[u8]),
    }

    unsafe extern "C" fn found(
        context: *mut c_void,
        key: *const c_char,
        data: *const u8,
        length: usize,
    ) {
        // SAFETY: the context is the `Found` of `load`, which nothing else uses meanwhile.
        let to = unsafe { &mut *context.cast::<Found<'_>>() };
        // SAFETY: the key ends with a NUL.
        let key = unsafe { CStr::from_ptr(key) };
        let data = match length {
            0 => &[],
            // SAFETY: the data is valid for its length.
            _ => unsafe { slice::from_raw_parts(data, length) },
        };
        if let Some(number) = number(key.to_bytes(), to.name) {
            (to.found)(number, data);
        }
    }

    impl Store for PlatformStore {
        fn load(&mut self, to: &mut dyn FnMut(u16, &[u8])) -> Result<(), StoreError> {
            let mut context = Found {
                name: self.name,
                found: to,
            };
            let prefix = self.prefix();
            let context = (&raw mut context).cast();
            // SAFETY: the prefix ends with a NUL, and `found` is called with this context until the
            // call returns.
            result(unsafe { ffi::tmq_port_store_each(prefix, Some(found), context) })
        }

        fn put(&mut self, key: u16, record: &[u8]) -> Result<(), StoreError> {
            let key = self.key(key);
            // SAFETY: the key ends with a NUL, and the record is valid for its length.
            result(unsafe { ffi::tmq_port_store_write(key, record.as_ptr(), record.len()) })
        }

        fn delete(&mut self, key: u16) -> Result<(), StoreError> {
            let key = self.key(key);
            // SAFETY: the key ends with a NUL.
            result(unsafe { ffi::tmq_port_store_delete(key) })
        }
    }

    /// errno values that mean that a record is too large: NVS and ZMS return EINVAL, files EFBIG.
    const EINVAL: i32 = ffi::TMQ_ERRNO_BASE - 22;
    const EFBIG: i32 = ffi::TMQ_ERRNO_BASE - 27;

    fn result(code: i32) -> Result<(), StoreError> {
        match code {
            0 => Ok(()),
            ffi::TMQ_STORAGE_FULL => Err(StoreError::Full),
            ffi::TMQ_NOT_SUPPORTED => Err(StoreError::Unavailable),
            EINVAL | EFBIG => Err(StoreError::TooLarge),
            code => Err(StoreError::Failed(code)),
        }
    }
}
