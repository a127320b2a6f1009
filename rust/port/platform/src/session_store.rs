//! A client whose session is kept in the platform's storage.
use crate::ffi;
use alloc::boxed::Box;
use core::ffi::CStr;
use core::fmt;
use thread_mqtt_client::{self as client, Client, ConfigError};
#[cfg(feature = "durable")]
use thread_mqtt_session::Store;

/// Bytes in the name of a session: the storage of a platform has short keys.
pub(crate) const NAME: usize = ffi::TMQ_SESSION_SIZE as usize - 1;

/// The name of a stored session; by default that of a session that is not stored, which is empty.
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

/// With what the records of a stored session are encrypted.
#[derive(Clone, Copy, Default)]
pub enum SessionKey<'a> {
    /// Nothing: they are stored as they are.
    #[default]
    None,
    /// A key that stays in PSA Crypto, by its identifier.
    Id(u32),
    /// A key of 16 or 32 bytes, for AES-GCM.
    Bytes(&'a [u8]),
}

impl SessionKey<'static> {
    /// By `CONFIG_THREAD_MQTT_SESSION_KEY_ID`.
    pub fn of_options() -> Self {
        match crate::options().session_key_id {
            0 => Self::None,
            id => Self::Id(id),
        }
    }
}

/// Why there is no client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientError {
    /// The name under which its session is to be kept is not one.
    SessionName,
    /// Another client has a session of this name.
    SessionTaken,
    /// The build has no durable sessions, or does not encrypt them: the option's name behind
    /// `CONFIG_THREAD_MQTT_`.
    NotBuilt(&'static str),
    /// The key cannot be used.
    #[cfg(feature = "session-encryption")]
    Key(thread_mqtt_seal::KeyError),
    /// The key is one in PSA Crypto, and the image has none.
    NoPsa,
    /// Its configuration is refused.
    Config(ConfigError),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SessionName => write!(
                f,
                "the name of the stored session has to be 1 to {NAME} characters of a-z, A-Z, 0-9, \
                 - and _"
            ),
            Self::SessionTaken => f.write_str(
                "another client stores its session under the same name; give each a name of its own",
            ),
            Self::NotBuilt(option) => write!(
                f,
                "a session is to be kept as this image cannot: set CONFIG_THREAD_MQTT_{option}=y, or \
                 give the session no name or no key"
            ),
            #[cfg(feature = "session-encryption")]
            Self::Key(error) => error.fmt(f),
            Self::NoPsa => f.write_str(
                "session_key_id names a key in PSA Crypto; set CONFIG_THREAD_MQTT_CRYPTO_PSA=y, or \
                 give the key as session_key",
            ),
            Self::Config(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ClientError {}

/// A client by this configuration. With a name that is not empty its session outlives restarts: see
/// [`SessionStore::open`]. [`ClientError::SessionTaken`] as long as another client has the name.
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

/// Where a client's session outlives restarts: in the platform's storage.
pub struct SessionStore(
    #[cfg(feature = "durable")] Box<dyn Store>,
    #[cfg(not(feature = "durable"))] core::convert::Infallible,
    SessionName,
);

impl SessionStore {
    /// The place under a name, whose records are encrypted if there is a key; `None` for the empty name: the
    /// session is not stored. Nothing is read yet. The caller sees to it that each client has a name of its own, as
    /// the C API does by its [`Registration`](crate::Registration).
    pub fn open(name: &str, key: SessionKey<'_>) -> Result<Option<Self>, ClientError> {
        Self::named(name, key, false)
    }

    /// The same, and the name is taken as long as this lives, or the client that it was restored to.
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

    /// The name of the place.
    pub fn name(&self) -> SessionName {
        self.1
    }

    /// Reads what is there, and has a client that was just made go on from it. It takes as long as the storage
    /// does, and stack like a connection.
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

    /// Bytes of ".8001" and the final NUL.
    const END: usize = 6;

    /// The records of one session in the platform's storage: under its name, a dot, and the record's
    /// key in hexadecimal.
    #[derive(Debug)]
    pub struct PlatformStore {
        key: [u8; NAME + END],
        name: usize,
        claim: Option<Claim>,
    }

    impl PlatformStore {
        /// Storage under a name of 1 to 12 of a-z, A-Z, 0-9, - and _, or [`ClientError::SessionName`]. A name has
        /// one at a time, else [`ClientError::SessionTaken`].
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

        /// The key of a record, up to its NUL.
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

        /// What all keys begin with, up to its NUL.
        fn prefix(&mut self) -> *const c_char {
            if let Some(end) = self.key.get_mut(self.name) {
                *end = 0;
            }
            self.key.as_ptr().cast()
        }
    }

    /// A name that a session has or had. They stay: there are few, and another one is added in front.
    struct Name {
        name: SessionName,
        is_taken: AtomicBool,
        next: *const Name,
    }

    static NAMES: AtomicPtr<Name> = AtomicPtr::new(ptr::null_mut());

    /// A name that no other store has, until dropped.
    #[derive(Debug)]
    struct Claim(&'static AtomicBool);

    impl Claim {
        /// `None` if another store has the name.
        fn new(name: &str) -> Option<Self> {
            let name = SessionName::new(name);
            loop {
                let first = NAMES.load(Ordering::Acquire);
                let mut at: *const Name = first;
                // SAFETY: NULL, or a name of the list, which stays and does not change.
                while let Some(known) = unsafe { at.as_ref() } {
                    if known.name == name {
                        let was_taken = known.is_taken.swap(true, Ordering::AcqRel);
                        // Not made where it is another's: dropping it would free the name.
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
                    // SAFETY: it stays from now on.
                    Ok(_) => return Some(Self(unsafe { &(*new).is_taken })),
                    // Another one came first.
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

    /// The number behind the name in a key.
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

    /// Numbers of errno that say that a record is too large: NVS and ZMS answer EINVAL, files EFBIG.
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
