//! TLS of a C configuration. `thread_mqtt_init()` refuses what is cheap to check: missing
//! credentials, conflicting settings, data that is not a certificate or key at all. The client's
//! thread does the rest when it starts: it asks the crypto backend for its capabilities, reads
//! certificates and keys, and checks that they match.
use crate::ffi;
use crate::given::{bytes, copy, string};
use crate::text::SENTENCES;
use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt;
use thread_mqtt_client::SetupError;
use thread_mqtt_platform::config::{self, ReadChoice, TlsChoice};
use thread_mqtt_platform::credentials::{Kind, NO_ROOM, credential, is_kept};
use thread_mqtt_platform::{OptionError, crypto};
use thread_mqtt_session::heap_has;
use thread_mqtt_tls::{self as tls, Given};
use zeroize::Zeroizing;

/// A credential, wiped when dropped.
type Bytes = Zeroizing<Vec<u8>>;

/// Upper bound of the heap that idle TLS uses with a CA, not counting the credentials: 4 KiB on 32
/// bits. The crate `tls` checks the heap for what it decodes.
const ROOM: usize = 1024 * size_of::<usize>();

/// Maximum number of TLS 1.3 tickets kept, as in Kconfig's range.
const MOST_TICKETS: u8 = 4;

/// Makes an error for C. The log says why, and so does the event, if one reports the error.
#[inline(never)]
fn failed(number: i32, why: fmt::Arguments<'_>) -> SetupError {
    log::error!("{why}");
    let sentence = match SENTENCES {
        true => why.to_string().into_boxed_str(),
        false => Box::default(),
    };
    SetupError {
        code: number,
        sentence,
    }
}

/// What the client's thread builds TLS from.
pub(crate) struct TlsSetup {
    tag: i32,
    choice: ReadChoice,
    /// The credentials as passed in. Missing ones are read from the tag.
    ca: Option<Bytes>,
    certificate: Option<Bytes>,
    key: Option<Bytes>,
    /// The key in PSA Crypto to use instead; 0 for none.
    key_id: u32,
}

impl TlsSetup {
    /// Checks a configuration, and copies what it points to.
    ///
    /// # Safety
    /// The pointers in `given` are NULL or valid as thread_mqtt.h requires.
    #[inline(never)]
    pub(crate) unsafe fn look(given: &ffi::thread_mqtt_config) -> Result<Self, SetupError> {
        // SAFETY: promised by the caller.
        let choice = unsafe { choice(given)? };
        let (ca, certificate, key) = parts(given.sec_tag);
        // SAFETY: promised by the caller, for all three.
        let (given_ca, given_certificate, given_key) = unsafe {
            (
                bytes(given.ca, given.ca_len).map_err(argument)?,
                bytes(given.certificate, given.certificate_len).map_err(argument)?,
                bytes(given.private_key, given.private_key_len).map_err(argument)?,
            )
        };
        // A pin may be enough.
        if given_ca.is_none() && !ca.is_kept()? && !choice.has_pins() {
            return Err(ca.is_missing(false));
        }
        // Both come from one place: a certificate that was passed in is not used with a stored key.
        let is_given = given_certificate.is_some() || given_key.is_some();
        let key_id = given.private_key_id;
        let has_certificate = given_certificate.is_some() || !is_given && certificate.is_kept()?;
        let has_key = given_key.is_some() || !is_given && key_id == 0 && key.is_kept()?;
        match (has_certificate, has_key, key_id) {
            (false, false, 0) | (true, true, 0) | (true, false, 1..) => {}
            (true, false, 0) => return Err(key.is_missing(is_given)),
            (false, ..) => return Err(certificate.is_missing(is_given)),
            (true, true, 1..) => {
                return Err(failed(
                    key.number,
                    format_args!(
                        "private_key and private_key_id exclude each other: set one of them"
                    ),
                ));
            }
        }
        if key_id != 0 && !crypto::HAS_KEYS {
            signer(key_id, &key)?;
        }
        Ok(Self {
            tag: given.sec_tag,
            choice,
            ca: ca.taken(given_ca)?,
            certificate: certificate.taken(given_certificate)?,
            key: key.taken(given_key)?,
            key_id,
        })
    }

    /// Builds TLS. Each RSA-2048 certificate in PEM takes about 0.3 million instructions, and a key
    /// without its public half several million. This therefore runs in the client's thread.
    #[inline(never)]
    pub(crate) fn run(mut self) -> Result<tls::Config, SetupError> {
        if !heap_has(ROOM) {
            return Err(failed(
                ffi::THREAD_MQTT_ERROR_MEMORY,
                format_args!(
                    "not enough heap to set up TLS; raise CONFIG_COMMON_LIBC_MALLOC_ARENA_SIZE"
                ),
            ));
        }
        let provider = crypto::provider()
            .map_err(|error| failed(ffi::THREAD_MQTT_ERROR_CRYPTO, format_args!("{error}")))?;
        let mut builder = config::tls_builder(provider);
        let (ca, ..) = parts(self.tag);
        let is_kept = self.ca.is_none();
        match ca.read(self.ca.take())? {
            Some(bytes) => {
                let read = builder.ca(&bytes);
                builder = read.map_err(|error| ca.is_wrong(is_kept, error))?;
            }
            None if self.choice.has_pins() => {}
            None => return Err(ca.is_missing(false)),
        }
        let builder = self.identify(builder)?;
        self.choice
            .apply(builder)
            .build()
            .map_err(|error| failed(ffi::THREAD_MQTT_ERROR_SETTING, format_args!("{error}")))
    }

    /// Configures the client's own certificate and its key.
    #[inline(never)]
    fn identify(&mut self, builder: tls::ConfigBuilder) -> Result<tls::ConfigBuilder, SetupError> {
        let (_, certificate, key) = parts(self.tag);
        let is_kept = self.certificate.is_none();
        let Some(chain) = certificate.read(self.certificate.take())? else {
            return Ok(builder);
        };
        if self.key_id != 0 {
            let signer = signer(self.key_id, &key)?;
            return builder
                .client_signer(&chain, signer)
                .map_err(|error| certificate.is_wrong(is_kept, error));
        }
        let bytes = key.read(self.key.take())?;
        let bytes = bytes.ok_or_else(|| key.is_missing(false))?;
        builder
            .client_identity(&chain, &bytes)
            .map_err(|error| match error.given() {
                Some(Given::Certificate) => certificate.is_wrong(is_kept, error),
                _ => key.is_wrong(is_kept, error),
            })
    }
}

fn signer(id: u32, key: &Part) -> Result<alloc::sync::Arc<dyn tls::SigningKey>, SetupError> {
    crypto::signing_key(id)
        .map_err(|error| failed(key.number, format_args!("private_key_id {id}: {error}")))
}

/// Reports an invalid pointer, length or string from C.
fn argument(number: i32) -> SetupError {
    SetupError {
        code: number,
        sentence: Box::default(),
    }
}

/// # Safety
/// See [`TlsSetup::look`].
#[inline(never)]
unsafe fn choice(given: &ffi::thread_mqtt_config) -> Result<ReadChoice, SetupError> {
    let options = TlsChoice::of_options();
    // SAFETY: promised by the caller, for all four.
    let (alpn, pins, suites, groups) = unsafe {
        (
            string(given.tls_alpn).map_err(argument)?,
            string(given.tls_pins).map_err(argument)?,
            string(given.tls_suites).map_err(argument)?,
            string(given.tls_groups).map_err(argument)?,
        )
    };
    if given.tls_tickets > MOST_TICKETS {
        return Err(failed(
            ffi::THREAD_MQTT_ERROR_SETTING,
            format_args!("tls_tickets: at most {MOST_TICKETS} are kept"),
        ));
    }
    let choice = TlsChoice {
        alpn: alpn.unwrap_or(options.alpn),
        pins: pins.unwrap_or(options.pins),
        suites: suites.unwrap_or(options.suites),
        groups: groups.unwrap_or(options.groups),
        versions: given.tls_versions,
        require_ems: given.tls_require_ems,
        tickets: given.tls_tickets,
    };
    choice.read().map_err(|error| {
        let number = match error {
            OptionError::NotBuilt(_) => ffi::THREAD_MQTT_ERROR_NOT_BUILT,
            _ => ffi::THREAD_MQTT_ERROR_SETTING,
        };
        failed(number, format_args!("{error}"))
    })
}

/// One of the credentials, for error messages.
#[derive(Clone, Copy)]
struct Part {
    kind: Kind,
    tag: i32,
    number: i32,
}

/// Returns the CA certificates, the client's certificate and its key.
fn parts(tag: i32) -> (Part, Part, Part) {
    let part = |kind, number| Part { kind, tag, number };
    (
        part(Kind::Ca, ffi::THREAD_MQTT_ERROR_CA),
        part(Kind::Certificate, ffi::THREAD_MQTT_ERROR_IDENTITY),
        part(Kind::Key, ffi::THREAD_MQTT_ERROR_IDENTITY),
    )
}

impl Part {
    fn given(&self) -> Given {
        match self.kind {
            Kind::Ca => Given::Ca,
            Kind::Certificate => Given::Certificate,
            Kind::Key => Given::Key,
        }
    }

    /// Copies what was passed in, unless a glance shows that it is something else.
    fn taken(&self, given: Option<&[u8]>) -> Result<Option<Bytes>, SetupError> {
        let Some(given) = given else {
            return Ok(None);
        };
        let look = self.given().glance(given);
        look.map_err(|error| self.is_wrong(false, error))?;
        let copy = copy(given).map_err(argument)?;
        Ok(Some(Bytes::new(copy)))
    }

    /// Returns whether the credential is stored under the tag.
    fn is_kept(&self) -> Result<bool, SetupError> {
        match self.tag {
            ..0 => Ok(false),
            tag => is_kept(tag, self.kind).map_err(|code| self.is_unreadable(code)),
        }
    }

    /// Returns what was passed in, or else what is stored under the tag.
    fn read(&self, given: Option<Bytes>) -> Result<Option<Bytes>, SetupError> {
        match (given, self.tag) {
            (Some(given), _) => Ok(Some(given)),
            (None, ..0) => Ok(None),
            (None, tag) => credential(tag, self.kind).map_err(|code| self.is_unreadable(code)),
        }
    }

    fn is_unreadable(&self, code: i32) -> SetupError {
        let Self { kind, tag, number } = *self;
        match code {
            ffi::TMQ_NOT_SUPPORTED => failed(
                number,
                format_args!(
                    "sec_tag {tag} is set, but this image stores no credentials: set \
                     CONFIG_TLS_CREDENTIALS=y, or on Linux the variable THREAD_MQTT_CREDENTIALS"
                ),
            ),
            ffi::TMQ_TOO_SMALL => failed(
                number,
                format_args!(
                    "credential {tag} {kind} is longer than 32 KiB: remove what is not needed"
                ),
            ),
            NO_ROOM => failed(
                ffi::THREAD_MQTT_ERROR_MEMORY,
                format_args!("not enough heap for credential {tag} {kind}: enlarge the heap"),
            ),
            code => failed(
                number,
                format_args!("credential {tag} {kind} cannot be read, code {code}"),
            ),
        }
    }

    /// If the counterpart was passed in, a credential stored under the tag does not count.
    fn is_missing(&self, has_counterpart: bool) -> SetupError {
        let Self { kind, tag, number } = *self;
        if tag >= 0 && !has_counterpart {
            return failed(
                number,
                format_args!(
                    "credential {tag} {kind} is missing: add it with tls_credential_add() or the \
                     shell command \"cred\""
                ),
            );
        }
        let what = match kind {
            Kind::Ca => "no CA: set ca, or sec_tag",
            Kind::Certificate => "a private key but no certificate: set certificate",
            Kind::Key => "a certificate but no private key: set private_key or private_key_id",
        };
        failed(number, format_args!("thread_mqtt_config has {what}"))
    }

    fn is_wrong(&self, is_kept: bool, error: tls::ConfigError) -> SetupError {
        let Self { kind, tag, number } = *self;
        let number = match error {
            tls::ConfigError::Given(_, tls::Fault::OutOfMemory) => ffi::THREAD_MQTT_ERROR_MEMORY,
            _ => number,
        };
        match is_kept {
            true => failed(number, format_args!("credential {tag} {kind}: {error}")),
            false => failed(number, format_args!("{error}")),
        }
    }
}
