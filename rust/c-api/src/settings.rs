//! A C configuration, checked and turned into a client's.
use crate::ffi;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::ffi::{CStr, c_char, c_void};
use core::time::Duration;
use core::{fmt, slice};
use thread_mqtt_client::{Client, ConfigError, TimeConfig};
use thread_mqtt_platform::config;
use thread_mqtt_platform::credentials::{Kind, credential};
use thread_mqtt_platform::crypto::{self, NoProvider};
use thread_mqtt_platform::{OptionError, hardware_client_id};
use thread_mqtt_resolve::{BrokerUri, Scheme};
use thread_mqtt_session::{self as session, CommandError, Message, QoS};
use thread_mqtt_tls as tls;
use zeroize::Zeroizing;

/// What the credentials' store keeps; wiped when dropped.
type Kept = Zeroizing<Vec<u8>>;

/// A C string, `None` for NULL.
///
/// # Safety
/// `text` is NULL or ends with a NUL, and lives as long as the result is used.
pub(crate) unsafe fn string<'a>(text: *const c_char) -> Result<Option<&'a str>, i32> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: promised by the caller.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str()
        .map(Some)
        .map_err(|_| ffi::THREAD_MQTT_ERROR_ARGUMENT)
}

/// Bytes, `None` for NULL; NULL with a length is an error.
///
/// # Safety
/// `data` is NULL or valid for `length` bytes as long as the result is used.
pub(crate) unsafe fn bytes<'a>(
    data: *const c_void,
    length: usize,
) -> Result<Option<&'a [u8]>, i32> {
    if data.is_null() {
        return match length {
            0 => Ok(None),
            _ => Err(ffi::THREAD_MQTT_ERROR_ARGUMENT),
        };
    }
    if isize::try_from(length).is_err() {
        return Err(ffi::THREAD_MQTT_ERROR_ARGUMENT);
    }
    // SAFETY: promised by the caller; the length was checked.
    Ok(Some(unsafe { slice::from_raw_parts(data.cast(), length) }))
}

/// A quality of service.
pub(crate) fn qos(qos: u8) -> Result<QoS, i32> {
    match qos {
        0 => Ok(QoS::AtMostOnce),
        1 => Ok(QoS::AtLeastOnce),
        2 => Ok(QoS::ExactlyOnce),
        _ => Err(ffi::THREAD_MQTT_ERROR_ARGUMENT),
    }
}

/// A message that is still the caller's.
pub(crate) struct Borrowed<'a> {
    pub(crate) topic: &'a str,
    pub(crate) payload: &'a [u8],
    pub(crate) qos: QoS,
    retain: bool,
}

impl Borrowed<'_> {
    /// A copy, if the heap has room.
    pub(crate) fn copy(&self) -> Result<Message, i32> {
        Ok(Message {
            topic: copy_text(self.topic)?,
            payload: copy(self.payload)?,
            qos: self.qos,
            retain: self.retain,
            ..Message::default()
        })
    }
}

/// A message, checked as far as C lets it be wrong.
///
/// # Safety
/// The pointers in `message` are NULL or valid as thread_mqtt.h says, as long as the result is used.
pub(crate) unsafe fn borrowed<'a>(message: &ffi::thread_mqtt_message) -> Result<Borrowed<'a>, i32> {
    // SAFETY: promised by the caller, for both.
    let (topic, payload) = unsafe {
        (
            string(message.topic)?.ok_or(ffi::THREAD_MQTT_ERROR_ARGUMENT)?,
            bytes(message.payload, message.payload_len)?.unwrap_or_default(),
        )
    };
    Ok(Borrowed {
        topic,
        payload,
        qos: qos(message.qos)?,
        retain: message.retain,
    })
}

/// A copy, if the heap has room.
fn copy(bytes: &[u8]) -> Result<Vec<u8>, i32> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(bytes.len())
        .map_err(|_| ffi::THREAD_MQTT_ERROR_MEMORY)?;
    copy.extend_from_slice(bytes);
    Ok(copy)
}

/// As [`copy`].
fn copy_text(text: &str) -> Result<String, i32> {
    let mut copy = String::new();
    copy.try_reserve_exact(text.len())
        .map_err(|_| ffi::THREAD_MQTT_ERROR_MEMORY)?;
    copy.push_str(text);
    Ok(copy)
}

/// The number for a command that was refused.
pub(crate) fn command_error(error: CommandError) -> i32 {
    match error {
        CommandError::Full => ffi::THREAD_MQTT_ERROR_FULL,
        CommandError::LargerThanOutbox | CommandError::PayloadTooLarge => {
            ffi::THREAD_MQTT_ERROR_TOO_LARGE
        }
        CommandError::OutOfMemory => ffi::THREAD_MQTT_ERROR_MEMORY,
        CommandError::EmptyTopic
        | CommandError::TopicTooLong
        | CommandError::WildcardInTopic
        | CommandError::NulInTopic
        | CommandError::InvalidFilter
        | CommandError::InvalidShare
        | CommandError::NoFilters => ffi::THREAD_MQTT_ERROR_TOPIC,
        _ => ffi::THREAD_MQTT_ERROR_SETTING,
    }
}

/// More than a client at rest takes of the heap, beside copies of what it is given: 12 KiB. The
/// ztest `test_a_client_at_rest` holds it to that.
const AT_REST: usize = 12 * 1024;

/// A setting that is refused: the log says why, C gets the number.
#[inline(never)]
fn refused(why: fmt::Arguments<'_>, number: i32) -> i32 {
    log::error!("{why}");
    number
}

/// A client by a C configuration; in a box, for it is large.
///
/// The steps are not inlined: one frame would hold what each of them needs, on the stack of the
/// application's thread.
///
/// # Safety
/// The pointers in `config` are NULL or valid as thread_mqtt.h says.
#[inline(never)]
pub(crate) unsafe fn client(given: &ffi::thread_mqtt_config) -> Result<Box<Client>, i32> {
    let mut room = Vec::<u8>::new();
    let reserved = room.try_reserve_exact(AT_REST);
    // A compiler may leave out an allocation that is not used.
    core::hint::black_box(&room);
    reserved.map_err(|_| ffi::THREAD_MQTT_ERROR_MEMORY)?;
    drop(room);
    if given.abi != ffi::THREAD_MQTT_ABI {
        let why = format_args!(
            "the configuration is not this version's: use THREAD_MQTT_CONFIG_DEFAULT() and compile \
             the application again"
        );
        return Err(refused(why, ffi::THREAD_MQTT_ERROR_ABI));
    }
    // SAFETY: promised by the caller.
    let uri = unsafe { string(given.broker)? }.ok_or(ffi::THREAD_MQTT_ERROR_ARGUMENT)?;
    let broker = config::parse_broker(uri)
        .map_err(|error| refused(format_args!("{error}"), ffi::THREAD_MQTT_ERROR_URI))?;
    let tls = match broker.scheme {
        Scheme::Mqtt => None,
        // SAFETY: promised by the caller.
        Scheme::Mqtts => Some(unsafe { tls_config(given)? }),
    };
    // SAFETY: promised by the caller.
    unsafe { client_of(broker, tls, given) }
}

/// # Safety
/// As [`client`].
#[inline(never)]
unsafe fn client_of(
    broker: BrokerUri,
    tls: Option<tls::Config>,
    given: &ffi::thread_mqtt_config,
) -> Result<Box<Client>, i32> {
    // Client and configuration are large: one after the other they take less of the caller's stack.
    // SAFETY: promised by the caller.
    let made = unsafe { client_config(broker, tls, given)? };
    Client::boxed(made).map_err(|error| refused(format_args!("{error}"), number(error)))
}

/// # Safety
/// As [`client`].
#[inline(never)]
unsafe fn client_config(
    broker: BrokerUri,
    tls: Option<tls::Config>,
    given: &ffi::thread_mqtt_config,
) -> Result<Box<thread_mqtt_client::Config>, i32> {
    let mut made = config::client_config(broker, tls)
        .map(Box::new)
        .map_err(|error| refused(format_args!("{error}"), ffi::THREAD_MQTT_ERROR_SETTING))?;
    // SAFETY: promised by the caller, for both.
    unsafe {
        set_session(&mut made.session, given)?;
        set_time(&mut made.time, given)?;
    }
    Ok(made)
}

fn number(error: ConfigError) -> i32 {
    match error {
        ConfigError::TlsMissing => ffi::THREAD_MQTT_ERROR_CA,
        ConfigError::Session(session::ConfigError::Will(error)) => command_error(error),
        ConfigError::Session(session::ConfigError::TooLong(session::Field::WillPayload)) => {
            ffi::THREAD_MQTT_ERROR_TOO_LARGE
        }
        _ => ffi::THREAD_MQTT_ERROR_SETTING,
    }
}

/// # Safety
/// As [`client`].
#[inline(never)]
unsafe fn set_time(time: &mut TimeConfig, given: &ffi::thread_mqtt_config) -> Result<(), i32> {
    // SAFETY: promised by the caller.
    let servers = unsafe { string(given.time_servers)? }.unwrap_or_default();
    let deadline = given.time_deadline_s.into();
    *time =
        config::time_config(servers, given.time_strict, deadline).map_err(|error| match error {
            OptionError::TimeServers(error) => refused(
                format_args!("time_servers: {error}"),
                ffi::THREAD_MQTT_ERROR_SETTING,
            ),
            error => refused(format_args!("{error}"), ffi::THREAD_MQTT_ERROR_SETTING),
        })?;
    Ok(())
}

fn provider() -> Result<tls::CryptoProvider, i32> {
    crypto::provider_on_client_stack().map_err(|why| match why {
        NoProvider::Unusable => ffi::THREAD_MQTT_ERROR_CRYPTO,
        NoProvider::NoClientFree => ffi::THREAD_MQTT_ERROR_CLIENTS,
    })
}

/// # Safety
/// As [`client`].
#[inline(never)]
unsafe fn tls_config(given: &ffi::thread_mqtt_config) -> Result<tls::Config, i32> {
    let ca = Part {
        kind: Kind::Ca,
        tag: given.sec_tag,
        number: ffi::THREAD_MQTT_ERROR_CA,
    };
    let chain = Part {
        kind: Kind::Certificate,
        number: ffi::THREAD_MQTT_ERROR_IDENTITY,
        ..ca
    };
    let key = Part {
        kind: Kind::Key,
        ..chain
    };
    // SAFETY: promised by the caller, for all three.
    let (given_ca, given_chain, given_key) = unsafe {
        (
            bytes(given.ca, given.ca_len)?,
            bytes(given.certificate, given.certificate_len)?,
            bytes(given.private_key, given.private_key_len)?,
        )
    };
    // What is read out of them is no larger than they are, and is kept in several pieces.
    for given in [given_ca, given_chain, given_key].into_iter().flatten() {
        drop(copy(given)?);
    }

    let kept = ca.kept(given_ca.is_some())?;
    let ca_bytes =
        (given_ca.or(kept.as_deref().map(Vec::as_slice))).ok_or_else(|| ca.is_missing())?;
    let mut builder = config::tls_builder(provider()?)
        .ca(ca_bytes)
        .map_err(|error| ca.is_wrong(kept.is_some(), error))?;

    // Both come from one place: a certificate handed over does not go with a key that is kept.
    let is_given = given_chain.is_some() || given_key.is_some();
    let kept_chain = chain.kept(is_given)?;
    let kept_key = key.kept(is_given || given.private_key_id != 0)?;
    let chain_bytes = given_chain.or(kept_chain.as_deref().map(Vec::as_slice));
    let key_bytes = given_key.or(kept_key.as_deref().map(Vec::as_slice));
    match (chain_bytes, key_bytes, given.private_key_id) {
        (None, None, 0) => {}
        (Some(chain_bytes), Some(key_bytes), 0) => {
            builder =
                builder
                    .client_identity(chain_bytes, key_bytes)
                    .map_err(|error| match error.given() {
                        Some(tls::Given::Certificate) => chain.is_wrong(!is_given, error),
                        _ => key.is_wrong(!is_given, error),
                    })?;
        }
        (Some(chain_bytes), None, id @ 1..) => {
            let signer = crypto::signing_key(id).map_err(|error| {
                refused(format_args!("private_key_id {id}: {error}"), key.number)
            })?;
            builder = builder
                .client_signer(chain_bytes, signer)
                .map_err(|error| chain.is_wrong(!is_given, error))?;
        }
        (Some(_), None, 0) => return Err(key.is_missing()),
        (None, ..) => return Err(chain.is_missing()),
        (Some(_), Some(_), 1..) => {
            let why =
                format_args!("private_key and private_key_id exclude each other: set one of them");
            return Err(refused(why, key.number));
        }
    }
    builder
        .build()
        .map_err(|error| refused(format_args!("{error}"), ffi::THREAD_MQTT_ERROR_SETTING))
}

/// One of the credentials, for what is said when it is not right.
#[derive(Clone, Copy)]
struct Part {
    kind: Kind,
    tag: i32,
    number: i32,
}

impl Part {
    /// What is kept under the tag, unless it was `given`.
    fn kept(&self, given: bool) -> Result<Option<Kept>, i32> {
        if given || self.tag < 0 {
            return Ok(None);
        }
        let Self { kind, tag, number } = *self;
        credential(tag, kind).map_err(|code| {
            let refuse = |why: fmt::Arguments<'_>| refused(why, number);
            match code {
                ffi::TMQ_NOT_SUPPORTED => refuse(format_args!(
                    "sec_tag {tag} is set, but this image keeps no credentials: set \
                     CONFIG_TLS_CREDENTIALS=y"
                )),
                ffi::TMQ_TOO_SMALL => refuse(format_args!(
                    "credential {tag} {kind} is longer than 32 KiB: leave out what is not needed"
                )),
                code => refuse(format_args!(
                    "credential {tag} {kind} cannot be read, code {code}"
                )),
            }
        })
    }

    fn is_missing(&self) -> i32 {
        let Self { kind, tag, number } = *self;
        match tag {
            ..0 => refused(
                format_args!("{kind} is missing: set it in thread_mqtt_config, or set sec_tag"),
                number,
            ),
            _ => refused(
                format_args!(
                    "credential {tag} {kind} is missing: add it with tls_credential_add() or the \
                     shell command \"cred\""
                ),
                number,
            ),
        }
    }

    fn is_wrong(&self, is_kept: bool, error: tls::ConfigError) -> i32 {
        let Self { kind, tag, number } = *self;
        match is_kept {
            true => refused(format_args!("credential {tag} {kind}: {error}"), number),
            false => refused(format_args!("{error}"), number),
        }
    }
}

/// # Safety
/// As [`client`].
#[inline(never)]
unsafe fn set_session(
    session: &mut session::Config,
    given: &ffi::thread_mqtt_config,
) -> Result<(), i32> {
    // SAFETY: promised by the caller, for all of them.
    let (client_id, username, password, will) = unsafe {
        (
            string(given.client_id)?,
            string(given.username)?,
            bytes(given.password, given.password_len)?,
            given.will.as_ref(),
        )
    };
    session.version = match given.mqtt_version {
        4 => session::Version::V311,
        5 => session::Version::V5,
        _ => return Err(ffi::THREAD_MQTT_ERROR_SETTING),
    };
    session.client_id = match client_id {
        Some("") => hardware_client_id(),
        id => copy_text(id.unwrap_or_default())?,
    };
    session.username = username.map(copy_text).transpose()?;
    session.password = password.map(copy).transpose()?.map(Into::into);
    if let Some(will) = will {
        // SAFETY: promised by the caller.
        session.will = Some(unsafe { borrowed(will) }?.copy()?);
    }
    session.keep_alive = Duration::from_secs(given.keep_alive_s.into());
    session.clean_start = given.clean_start;
    session.session_expiry = given.session_expiry_s;
    Ok(())
}
