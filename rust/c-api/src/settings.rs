//! A C configuration, checked and turned into a client's.
use crate::ffi;
use crate::given::{borrowed, bytes, copy, copy_text, not_built, string};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;
use thread_mqtt_client::{self as client, Broker, Client, ConfigError, KeepAlive, TimeConfig};
use thread_mqtt_platform::config::{self, TlsChoice};
use thread_mqtt_platform::credentials::{Kind, credential};
use thread_mqtt_platform::crypto::{self, NoProvider};
use thread_mqtt_platform::port::fill_random;
use thread_mqtt_platform::{ClientError, NoStack, OptionError, SessionKey, hardware_client_id};
use thread_mqtt_session::{self as session, CommandError, LostSession};
use thread_mqtt_tls as tls;
use zeroize::Zeroizing;

/// What the credentials' store keeps; wiped when dropped.
type Kept = Zeroizing<Vec<u8>>;

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
        CommandError::InvalidPieces | CommandError::PieceLength => ffi::THREAD_MQTT_ERROR_ARGUMENT,
        CommandError::NotBuilt(option) => not_built(option),
        _ => ffi::THREAD_MQTT_ERROR_SETTING,
    }
}

/// More than a client at rest takes of the heap, beside copies of what it is given: 12 KiB. The
/// ztest `test_a_client_at_rest` holds it to that.
const AT_REST: usize = 12 * 1024;

/// Tickets of TLS 1.3 that are kept at most, as Kconfig's range has it.
const MOST_TICKETS: u8 = 4;

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
    let brokers = config::brokers(uri).map_err(|error| match error {
        OptionError::Broker(error) => refused(format_args!("{error}"), ffi::THREAD_MQTT_ERROR_URI),
        error => of_option(&error),
    })?;
    let tls = match config::needs_tls(&brokers) {
        // SAFETY: promised by the caller.
        true => Some(unsafe { tls_config(given)? }),
        false => None,
    };
    // SAFETY: promised by the caller.
    unsafe { client_of(brokers, tls, given) }
}

/// # Safety
/// As [`client`].
#[inline(never)]
unsafe fn client_of(
    brokers: Vec<Broker>,
    tls: Option<tls::Config>,
    given: &ffi::thread_mqtt_config,
) -> Result<Box<Client>, i32> {
    // Client and configuration are large: one after the other they take less of the caller's stack.
    // SAFETY: promised by the caller.
    let made = unsafe { client_config(brokers, tls, given)? };
    // SAFETY: promised by the caller.
    let name = unsafe { string(given.session_name)? };
    // SAFETY: promised by the caller.
    let key = unsafe { session_key(given)? };
    let name = name.unwrap_or_else(config::session_name);
    thread_mqtt_platform::client_on_client_stack(made, name, key).map_err(|error| {
        let number = match error {
            ClientError::Config(error) => number(error),
            ClientError::NoStack(why) => no_stack(why),
            ClientError::NotBuilt(_) => ffi::THREAD_MQTT_ERROR_NOT_BUILT,
            _ => ffi::THREAD_MQTT_ERROR_SETTING,
        };
        refused(format_args!("{error}"), number)
    })
}

/// # Safety
/// As [`client`].
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
            Err(refused(why, ffi::THREAD_MQTT_ERROR_SETTING))
        }
    }
}

/// # Safety
/// As [`client`].
#[inline(never)]
unsafe fn client_config(
    brokers: Vec<Broker>,
    tls: Option<tls::Config>,
    given: &ffi::thread_mqtt_config,
) -> Result<Box<thread_mqtt_client::Config>, i32> {
    let mut made = config::client_config(brokers, tls)
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

/// An option or field that cannot be understood.
fn of_option(error: &OptionError) -> i32 {
    let number = match error {
        OptionError::NotBuilt(_) => ffi::THREAD_MQTT_ERROR_NOT_BUILT,
        _ => ffi::THREAD_MQTT_ERROR_SETTING,
    };
    refused(format_args!("{error}"), number)
}

/// How the connection is made and kept.
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
            error => of_option(&error),
        })?;
    Ok(())
}

fn provider() -> Result<tls::CryptoProvider, i32> {
    crypto::provider_on_client_stack().map_err(|why| match why {
        NoProvider::Unusable => ffi::THREAD_MQTT_ERROR_CRYPTO,
        NoProvider::NoStack(why) => refused(format_args!("{why}"), no_stack(why)),
    })
}

/// The number for a stack that is not to be had.
fn no_stack(why: NoStack) -> i32 {
    match why {
        NoStack::NoClientFree => ffi::THREAD_MQTT_ERROR_CLIENTS,
        NoStack::NoThread(code) => code.min(ffi::THREAD_MQTT_ERROR_PLATFORM),
    }
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

    // SAFETY: promised by the caller.
    let choice = unsafe { tls_choice(given)? };
    let kept = ca.kept(given_ca.is_some())?;
    let ca_bytes = given_ca.or(kept.as_deref().map(Vec::as_slice));
    // A pin alone may decide.
    if ca_bytes.is_none() && choice.pins.is_empty() {
        return Err(ca.is_missing());
    }
    let mut builder = config::tls_builder(provider()?);
    if let Some(ca_bytes) = ca_bytes {
        builder = builder
            .ca(ca_bytes)
            .map_err(|error| ca.is_wrong(kept.is_some(), error))?;
    }

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
    let builder = choice.apply(builder).map_err(|error| of_option(&error))?;
    builder
        .build()
        .map_err(|error| refused(format_args!("{error}"), ffi::THREAD_MQTT_ERROR_SETTING))
}

/// # Safety
/// As [`client`].
#[inline(never)]
unsafe fn tls_choice<'a>(given: &ffi::thread_mqtt_config) -> Result<TlsChoice<'a>, i32> {
    let options = TlsChoice::of_options();
    // SAFETY: promised by the caller, for all four.
    let (alpn, pins, suites, groups) = unsafe {
        (
            string(given.tls_alpn)?.unwrap_or(options.alpn),
            string(given.tls_pins)?.unwrap_or(options.pins),
            string(given.tls_suites)?.unwrap_or(options.suites),
            string(given.tls_groups)?.unwrap_or(options.groups),
        )
    };
    if given.tls_tickets > MOST_TICKETS {
        let why = format_args!("tls_tickets: at most {MOST_TICKETS} are kept");
        return Err(refused(why, ffi::THREAD_MQTT_ERROR_SETTING));
    }
    Ok(TlsChoice {
        alpn,
        pins,
        suites,
        groups,
        versions: given.tls_versions,
        require_ems: given.tls_require_ems,
        tickets: given.tls_tickets,
    })
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
    session.durable = given.durable;
    session.adopt_session = given.adopt_session;
    session.accept_lower_qos = given.accept_lower_qos;
    session.suspect_after = given.suspect_after;
    session.first_packet_id = match given.first_packet_id {
        0 => random_packet_id()?,
        id => id,
    };
    session.will_delay = given.will_delay_s;
    session.request_response_information = given.request_response_information;
    session.overflow = config::overflow(given.overflow).ok_or(ffi::THREAD_MQTT_ERROR_SETTING)?;
    session.lost_session = match given.report_lost_session {
        true => LostSession::Report,
        false => LostSession::SendAgain,
    };
    Ok(())
}

/// One of 1 to 32,767.
fn random_packet_id() -> Result<u16, i32> {
    let mut bytes = [0; 2];
    fill_random(&mut bytes).map_err(|_| ffi::THREAD_MQTT_ERROR_ENTROPY)?;
    Ok((u16::from_le_bytes(bytes) & 0x7FFF).max(1))
}
