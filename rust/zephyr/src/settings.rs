//! A C configuration, checked and turned into a client's.
use crate::port::build_time;
use crate::{crypto, ffi};
use alloc::string::{String, ToString};
use core::ffi::{CStr, c_char, c_void};
use core::slice;
use core::time::Duration;
use thread_mqtt_client::{Client, Config, ConfigError, Retry, TimeConfig, Timers};
use thread_mqtt_nat64::{BrokerUri, Scheme};
use thread_mqtt_session::{self as session, CommandError, Message, QoS};
use thread_mqtt_tls as tls;

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

/// A message, copied.
///
/// # Safety
/// The pointers in `message` are NULL or valid as thread_mqtt.h says.
pub(crate) unsafe fn message(message: &ffi::thread_mqtt_message) -> Result<Message, i32> {
    // SAFETY: promised by the caller, for both.
    let (topic, payload) = unsafe {
        (
            string(message.topic)?.ok_or(ffi::THREAD_MQTT_ERROR_ARGUMENT)?,
            bytes(message.payload, message.payload_len)?.unwrap_or_default(),
        )
    };
    Ok(Message {
        topic: topic.to_string(),
        payload: payload.to_vec(),
        qos: qos(message.qos)?,
        retain: message.retain,
        ..Message::default()
    })
}

/// The number for a command that was refused.
pub(crate) fn command_error(error: CommandError) -> i32 {
    match error {
        CommandError::Full => ffi::THREAD_MQTT_ERROR_FULL,
        CommandError::LargerThanOutbox | CommandError::PayloadTooLarge => {
            ffi::THREAD_MQTT_ERROR_TOO_LARGE
        }
        CommandError::EmptyTopic
        | CommandError::TopicTooLong
        | CommandError::WildcardInTopic
        | CommandError::NulInTopic
        | CommandError::InvalidFilter
        | CommandError::NoFilters => ffi::THREAD_MQTT_ERROR_TOPIC,
        _ => ffi::THREAD_MQTT_ERROR_SETTING,
    }
}

/// A client by a C configuration.
///
/// # Safety
/// The pointers in `config` are NULL or valid as thread_mqtt.h says.
pub(crate) unsafe fn client(config: &ffi::thread_mqtt_config) -> Result<Client, i32> {
    // SAFETY: promised by the caller.
    let uri = unsafe { string(config.broker)? }.ok_or(ffi::THREAD_MQTT_ERROR_ARGUMENT)?;
    let broker: BrokerUri = uri.parse().map_err(|error| {
        log::error!("{error}");
        ffi::THREAD_MQTT_ERROR_URI
    })?;
    let tls = match broker.scheme {
        Scheme::Mqtt => None,
        // SAFETY: promised by the caller.
        Scheme::Mqtts => Some(unsafe { tls_config(config)? }),
    };
    // SAFETY: promised by the caller.
    let session = unsafe { session_config(config)? };
    let config = Config {
        broker,
        resolver: thread_mqtt_nat64::resolver::Config::default(),
        tls,
        session,
        timers: Timers::default(),
        retry: Retry::Forever,
        time: TimeConfig::default(),
        time_floor: build_time(),
    };
    Client::new(config).map_err(|error| {
        log::error!("{error}");
        match error {
            ConfigError::TlsMissing => ffi::THREAD_MQTT_ERROR_CA,
            ConfigError::Session(session::ConfigError::Will(error)) => command_error(error),
            _ => ffi::THREAD_MQTT_ERROR_SETTING,
        }
    })
}

/// # Safety
/// As [`client`].
unsafe fn tls_config(config: &ffi::thread_mqtt_config) -> Result<tls::Config, i32> {
    // SAFETY: promised by the caller, for all three.
    let (ca, chain, key) = unsafe {
        (
            bytes(config.ca, config.ca_len)?,
            bytes(config.certificate, config.certificate_len)?,
            bytes(config.private_key, config.private_key_len)?,
        )
    };
    let said = |number: i32| {
        move |error: tls::ConfigError| {
            log::error!("{error}");
            number
        }
    };
    let ca = ca.ok_or(ffi::THREAD_MQTT_ERROR_CA)?;
    let provider = crypto::provider_for_c()?;
    let builder = tls::Config::builder(provider)
        .ca(ca)
        .map_err(said(ffi::THREAD_MQTT_ERROR_CA))?;
    let builder = match (chain, key, config.private_key_id) {
        (None, None, 0) => builder,
        (Some(chain), Some(key), 0) => builder
            .client_identity(chain, key)
            .map_err(said(ffi::THREAD_MQTT_ERROR_IDENTITY))?,
        (Some(chain), None, id) => {
            let signer = crypto::signing_key(id).map_err(|error| {
                log::error!("{error}");
                ffi::THREAD_MQTT_ERROR_IDENTITY
            })?;
            builder
                .client_signer(chain, signer)
                .map_err(said(ffi::THREAD_MQTT_ERROR_IDENTITY))?
        }
        _ => return Err(ffi::THREAD_MQTT_ERROR_IDENTITY),
    };
    builder
        .build()
        .map_err(said(ffi::THREAD_MQTT_ERROR_SETTING))
}

/// # Safety
/// As [`client`].
unsafe fn session_config(config: &ffi::thread_mqtt_config) -> Result<session::Config, i32> {
    // SAFETY: promised by the caller, for all of them.
    let (client_id, username, password, will) = unsafe {
        (
            string(config.client_id)?,
            string(config.username)?,
            bytes(config.password, config.password_len)?,
            config.will.as_ref().map(|will| message(will)).transpose()?,
        )
    };
    Ok(session::Config {
        version: match config.mqtt_version {
            4 => session::Version::V311,
            5 => session::Version::V5,
            _ => return Err(ffi::THREAD_MQTT_ERROR_SETTING),
        },
        client_id: String::from(client_id.unwrap_or_default()),
        username: username.map(String::from),
        password: password.map(<[u8]>::to_vec),
        keep_alive: Duration::from_secs(config.keep_alive_s.into()),
        clean_start: config.clean_start,
        session_expiry: config.session_expiry_s,
        will,
        ..session::Config::default()
    })
}
