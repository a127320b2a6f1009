//! Checks a C configuration and turns it into a client's.
use crate::ffi;
use crate::given::{borrowed, bytes, copy, copy_text, message_len, not_built, string, text_len};
use crate::setup::TlsSetup;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;
use thread_mqtt_client::{self as client, Broker, Client, ConfigError, KeepAlive, TimeConfig};
use thread_mqtt_platform::config;
use thread_mqtt_platform::port::{fill_random, on_client_stack};
use thread_mqtt_platform::{
    ClientError, NoStack, OptionError, SessionKey, SessionStore, hardware_client_id,
};
use thread_mqtt_session::{self as session, CommandError, LostSession, heap_has};

/// Returns the error number for a refused command.
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
        CommandError::InvalidPieces | CommandError::PieceLength => ffi::THREAD_MQTT_ERROR_ARGUMENT,
        CommandError::NotBuilt(option) => not_built(option),
        _ => ffi::THREAD_MQTT_ERROR_SETTING,
    }
}

/// Upper bound of the heap that an idle client uses, not counting copies of its configuration: 12
/// KiB. The ztest `test_a_client_at_rest` checks it.
const AT_REST: usize = 12 * 1024;

/// Returns the most heap bytes needed while a list of brokers is read: names, and a growing vector.
pub(crate) fn room_for_brokers(list: &str) -> usize {
    let separators = list.bytes().filter(|byte| b" ,|".contains(byte));
    list.len() + 4 * size_of::<Broker>() * (1 + separators.count())
}

/// Refuses a setting: logs the reason and returns the number for C.
#[inline(never)]
fn refused(why: fmt::Arguments<'_>, number: i32) -> i32 {
    log::error!("{why}");
    number
}

/// Refuses a setting with THREAD_MQTT_ERROR_SETTING. The log names the setting.
pub(crate) fn setting(why: fmt::Arguments<'_>) -> i32 {
    refused(why, ffi::THREAD_MQTT_ERROR_SETTING)
}

/// What a C configuration produces. Boxed, because it is large.
pub(crate) struct Made {
    pub(crate) client: Box<Client>,
    /// The first work of the client's thread.
    pub(crate) start: Start,
}

/// Slow work that is left to the client's thread.
#[derive(Default)]
pub(crate) struct Start {
    /// Where the session to resume is stored.
    pub(crate) store: Option<SessionStore>,
    /// What TLS is built from.
    pub(crate) tls: Option<Box<TlsSetup>>,
}

/// Checks a C configuration.
///
/// The steps are not inlined: a single frame would hold the locals of all of them, on the stack of
/// the application's thread.
///
/// # Safety
/// The pointers in `config` are NULL or valid as thread_mqtt.h requires.
#[inline(never)]
pub(crate) unsafe fn read(given: &ffi::thread_mqtt_config) -> Result<Made, i32> {
    if given.abi != ffi::THREAD_MQTT_ABI {
        let why = format_args!(
            "the configuration has another version: use THREAD_MQTT_CONFIG_DEFAULT() and \
             recompile the application"
        );
        return Err(refused(why, ffi::THREAD_MQTT_ERROR_ABI));
    }
    // SAFETY: promised by the caller.
    if !heap_has(unsafe { copied(given) }.saturating_add(AT_REST)) {
        return Err(ffi::THREAD_MQTT_ERROR_MEMORY);
    }
    // SAFETY: promised by the caller.
    let uri = unsafe { string(given.broker)? }.ok_or(ffi::THREAD_MQTT_ERROR_ARGUMENT)?;
    let brokers = config::brokers(uri).map_err(|error| match error {
        OptionError::Broker(error) => refused(format_args!("{error}"), ffi::THREAD_MQTT_ERROR_URI),
        error => of_option(&error),
    })?;
    let tls = match config::needs_tls(&brokers) {
        // SAFETY: promised by the caller.
        true => match unsafe { TlsSetup::look(given) } {
            Ok(setup) => Some(Box::new(setup)),
            Err(error) => return Err(error.code),
        },
        false => None,
    };
    // SAFETY: promised by the caller, for both.
    let (store, client) = unsafe { (store(given)?, client(brokers, tls.is_some(), given)?) };
    Ok(Made {
        client,
        start: Start { store, tls },
    })
}

/// Returns the size in bytes of all copies made of a configuration.
///
/// # Safety
/// See [`read`].
#[inline(never)]
unsafe fn copied(given: &ffi::thread_mqtt_config) -> usize {
    let texts = [
        given.client_id,
        given.username,
        given.session_name,
        given.time_servers,
        given.tls_alpn,
        given.tls_pins,
        given.tls_suites,
        given.tls_groups,
    ];
    let bytes = [
        given.ca_len,
        given.certificate_len,
        given.private_key_len,
        given.password_len,
    ];
    // SAFETY: promised by the caller, for all of it.
    unsafe {
        let texts = texts.map(|text| text_len(text));
        let will = given.will.as_ref().map_or(0, |will| message_len(will));
        let list = string(given.broker).ok().flatten();
        let brokers = list.map_or(0, room_for_brokers);
        let all = texts.into_iter().chain(bytes).chain([will, brokers]);
        all.fold(0, usize::saturating_add)
    }
}

/// # Safety
/// See [`read`].
#[inline(never)]
unsafe fn client(
    brokers: Vec<Broker>,
    tls_follows: bool,
    given: &ffi::thread_mqtt_config,
) -> Result<Box<Client>, i32> {
    // Client and configuration are large. Building one after the other saves the caller's stack.
    // SAFETY: promised by the caller.
    let mut made = unsafe { client_config(brokers, given)? };
    made.tls_follows = tls_follows;
    Client::boxed(made).map_err(|error| refused(format_args!("{error}"), number(error)))
}

/// Returns where the session is stored. Reads nothing from there.
///
/// # Safety
/// See [`read`].
#[inline(never)]
unsafe fn store(given: &ffi::thread_mqtt_config) -> Result<Option<SessionStore>, i32> {
    // SAFETY: promised by the caller.
    let name = unsafe { string(given.session_name)? }.unwrap_or_else(config::session_name);
    // SAFETY: promised by the caller.
    let key = unsafe { session_key(given)? };
    if !name.is_empty() && given.mqtt_version == 4 && given.clean_start {
        log::warn!(
            "with MQTT 3.1.1, the broker keeps its part of the stored session only without \
             clean_start; clear it"
        );
    }
    SessionStore::open(name, key).map_err(|error| {
        let number = match error {
            ClientError::NotBuilt(_) => ffi::THREAD_MQTT_ERROR_NOT_BUILT,
            _ => ffi::THREAD_MQTT_ERROR_SETTING,
        };
        refused(format_args!("{error}"), number)
    })
}

/// # Safety
/// See [`read`].
unsafe fn session_key<'a>(given: &ffi::thread_mqtt_config) -> Result<SessionKey<'a>, i32> {
    // SAFETY: promised by the caller.
    let key = unsafe { bytes(given.session_key, given.session_key_len)? };
    match (key, given.session_key_id) {
        (None, 0) => Ok(SessionKey::None),
        (None, id) => Ok(SessionKey::Id(id)),
        (Some(key), 0) => Ok(SessionKey::Bytes(key)),
        (Some(_), _) => {
            let why =
                format_args!("session_key and session_key_id exclude each other: set one of them");
            Err(setting(why))
        }
    }
}

/// # Safety
/// See [`read`].
#[inline(never)]
unsafe fn client_config(
    brokers: Vec<Broker>,
    given: &ffi::thread_mqtt_config,
) -> Result<Box<thread_mqtt_client::Config>, i32> {
    let mut made = config::client_config(brokers, None)
        .map(Box::new)
        .map_err(|error| of_option(&error))?;
    set_connection(&mut made, given);
    // SAFETY: promised by the caller, for both.
    unsafe {
        set_session(&mut made.session, given)?;
        set_time(&mut made.time, given)?;
    }
    Ok(made)
}

/// Returns the error number for an option or field that cannot be parsed.
fn of_option(error: &OptionError) -> i32 {
    let number = match error {
        OptionError::NotBuilt(_) => ffi::THREAD_MQTT_ERROR_NOT_BUILT,
        _ => ffi::THREAD_MQTT_ERROR_SETTING,
    };
    refused(format_args!("{error}"), number)
}

/// Configures how the connection is made and kept.
#[inline(never)]
fn set_connection(config: &mut client::Config, given: &ffi::thread_mqtt_config) {
    let seconds = |seconds: u16| Duration::from_secs(seconds.into());
    let milliseconds = |milliseconds: u32| Duration::from_millis(milliseconds.into());
    config.failover.cluster = given.brokers_cluster;
    config.failover.return_after = config::return_after(given.return_after_s);
    config.redirects = given.redirects;
    config.fallback_to_v311 = given.fallback_v311;
    config.keep_alive = match given.keep_alive_auto {
        false => KeepAlive::Fixed,
        true => KeepAlive::Auto {
            min: seconds(given.keep_alive_min_s),
            max: seconds(given.keep_alive_max_s),
            start: (given.keep_alive_start_s != 0).then_some(seconds(given.keep_alive_start_s)),
        },
    };
    config.timers.tcp_connect = milliseconds(given.tcp_connect_ms);
    config.timers.tls_handshake = milliseconds(given.tls_handshake_ms);
    config.session.response_timeout = milliseconds(given.response_timeout_ms);
    config.timers.backoff_min = milliseconds(given.backoff_min_ms);
    config.timers.backoff_max = milliseconds(given.backoff_max_ms);
    config.timers.stable_after = milliseconds(given.stable_after_ms);
    config.timers.network_jitter = milliseconds(given.network_jitter_ms);
}

fn number(error: ConfigError) -> i32 {
    match error {
        ConfigError::NotBuilt(_) | ConfigError::Session(session::ConfigError::NotBuilt(_)) => {
            ffi::THREAD_MQTT_ERROR_NOT_BUILT
        }
        ConfigError::TlsMissing => ffi::THREAD_MQTT_ERROR_CA,
        ConfigError::Session(session::ConfigError::Will(error)) => command_error(error),
        ConfigError::Session(session::ConfigError::TooLong(session::Field::WillPayload)) => {
            ffi::THREAD_MQTT_ERROR_TOO_LARGE
        }
        _ => ffi::THREAD_MQTT_ERROR_SETTING,
    }
}

/// # Safety
/// See [`read`].
#[inline(never)]
unsafe fn set_time(time: &mut TimeConfig, given: &ffi::thread_mqtt_config) -> Result<(), i32> {
    // SAFETY: promised by the caller.
    let servers = unsafe { string(given.time_servers)? }.unwrap_or_default();
    let deadline = given.time_deadline_s.into();
    *time =
        config::time_config(servers, given.time_strict, deadline).map_err(|error| match error {
            OptionError::TimeServers(error) => setting(format_args!("time_servers: {error}")),
            error => of_option(&error),
        })?;
    Ok(())
}

/// Reads the credentials of a configuration the way the client's thread does, on a stack of the
/// same size. Returns the number of the error found.
pub(crate) fn try_setup(setup: Box<TlsSetup>) -> Result<(), i32> {
    let made = on_client_stack(|| setup.run().map(drop));
    let made = made.map_err(|why| refused(format_args!("{why}"), no_stack(why)))?;
    made.map_err(|error| error.code)
}

/// Returns the error number for a stack that is not available.
fn no_stack(why: NoStack) -> i32 {
    match why {
        NoStack::NoClientFree => ffi::THREAD_MQTT_ERROR_CLIENTS,
        NoStack::NoThread(code) => code.min(ffi::THREAD_MQTT_ERROR_PLATFORM),
    }
}

/// # Safety
/// See [`read`].
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
        other => {
            return Err(setting(format_args!(
                "mqtt_version is {other}; set 5, or 4 for MQTT 3.1.1"
            )));
        }
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
    session.durable = given.durable;
    session.adopt_session = given.adopt_session;
    session.leave_messages = given.leave_messages;
    session.accept_lower_qos = given.accept_lower_qos;
    session.suspect_after = given.suspect_after;
    session.first_packet_id = match given.first_packet_id {
        0 => random_packet_id()?,
        id => id,
    };
    session.will_delay = given.will_delay_s;
    session.request_response_information = given.request_response_information;
    session.overflow = config::overflow(given.overflow).ok_or_else(|| {
        let overflow = given.overflow;
        setting(format_args!(
            "overflow is {overflow}; set a THREAD_MQTT_OVERFLOW_*"
        ))
    })?;
    session.lost_session = match given.report_lost_session {
        true => LostSession::Report,
        false => LostSession::SendAgain,
    };
    Ok(())
}

/// Returns a random number from 1 to 32,767.
fn random_packet_id() -> Result<u16, i32> {
    let mut bytes = [0; 2];
    fill_random(&mut bytes).map_err(|_| ffi::THREAD_MQTT_ERROR_ENTROPY)?;
    Ok((u16::from_le_bytes(bytes) & 0x7FFF).max(1))
}
