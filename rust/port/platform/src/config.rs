//! A client's configuration by the platform's options: the one place where `CONFIG_THREAD_MQTT_*`
//! becomes what the core crates are told, for the C API and for applications in Rust.
use crate::credentials::{Kind, credential};
use crate::options::constant;
use crate::{OptionError, crypto, hardware_client_id, options, resolver_config, time_floor};
use alloc::string::{String, ToString};
use core::fmt;
use core::num::NonZeroU16;
use core::time::Duration;
use thread_mqtt_client::{self as client, TimeConfig, TimePolicy, TimeServer};
use thread_mqtt_resolve::uri::UriError;
use thread_mqtt_resolve::{BrokerUri, Scheme};
use thread_mqtt_session::{self as session, Version};
use thread_mqtt_tls as tls;

/// The whole configuration by the options, for an application in Rust: broker, TLS with the CA that
/// is handed over or else with the credentials of `CONFIG_THREAD_MQTT_SEC_TAG`, session and time.
pub fn from_options(ca: &[u8]) -> Result<client::Config, SetupError> {
    let broker = broker().map_err(SetupError::Option)?;
    let tls = match broker.scheme {
        Scheme::Mqtt => None,
        Scheme::Mqtts => Some(tls_config(ca)?),
    };
    client_config(broker, tls).map_err(SetupError::Option)
}

fn tls_config(ca: &[u8]) -> Result<tls::Config, SetupError> {
    let kept = |kind| match sec_tag() {
        None => Ok(None),
        Some(tag) => credential(tag, kind).map_err(|code| SetupError::Unreadable(tag, kind, code)),
    };
    let kept_ca = if ca.is_empty() { kept(Kind::Ca)? } else { None };
    let ca = kept_ca.as_ref().map_or(ca, |kept| kept);
    if ca.is_empty() {
        return Err(SetupError::CaMissing);
    }
    let provider = crypto::provider().map_err(|error| SetupError::Crypto(error.to_string()))?;
    let wrong = |kind| move |error| SetupError::Wrong(kind, error);
    let mut builder = tls_builder(provider).ca(ca).map_err(wrong(Kind::Ca))?;
    if let Some(chain) = kept(Kind::Certificate)? {
        let key = kept(Kind::Key)?.unwrap_or_default();
        let identity = builder.client_identity(&chain, &key);
        builder = identity.map_err(wrong(Kind::Certificate))?;
    }
    builder.build().map_err(wrong(Kind::Ca))
}

/// Why there is no client by the options.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SetupError {
    /// An option cannot be understood.
    Option(OptionError),
    /// The crypto backend does not work.
    Crypto(String),
    /// `mqtts://`, and no CA certificate.
    CaMissing,
    /// A credential of this tag cannot be read, with the platform's code.
    Unreadable(i32, Kind, i32),
    /// A credential is not usable.
    Wrong(Kind, tls::ConfigError),
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option(error) => error.fmt(f),
            Self::Crypto(error) => f.write_str(error),
            Self::CaMissing => f.write_str(
                "the broker's URI begins with mqtts://, and there is no CA certificate; compile one \
                 in, or keep one under CONFIG_THREAD_MQTT_SEC_TAG",
            ),
            Self::Unreadable(tag, kind, code) => write!(
                f,
                "credential {tag} {kind} cannot be read, code {code}; add it under \
                 CONFIG_THREAD_MQTT_SEC_TAG, or set that to -1"
            ),
            Self::Wrong(kind, error) => write!(f, "{kind}: {error}"),
        }
    }
}

impl core::error::Error for SetupError {}

/// A broker's URI. One without a port has that of `CONFIG_THREAD_MQTT_PORT`.
pub fn parse_broker(uri: &str) -> Result<BrokerUri, UriError> {
    BrokerUri::parse(uri, NonZeroU16::new(options().port))
}

/// The broker of `CONFIG_THREAD_MQTT_BROKER`.
pub fn broker() -> Result<BrokerUri, OptionError> {
    // SAFETY: the options' strings are constants.
    let uri = unsafe { constant(options().broker) };
    parse_broker(uri).map_err(OptionError::Broker)
}

/// The tag of credentials in `CONFIG_THREAD_MQTT_SEC_TAG`, if there is one.
pub fn sec_tag() -> Option<i32> {
    let tag = options().sec_tag;
    (tag >= 0).then_some(tag)
}

/// Everything but TLS: limits, resolver, session and time as the options say.
pub fn client_config(
    broker: BrokerUri,
    tls: Option<tls::Config>,
) -> Result<client::Config, OptionError> {
    // SAFETY: the options' strings are constants.
    let servers = unsafe { constant(options().time_servers) };
    Ok(client::Config {
        resolver: resolver_config()?,
        tls,
        session: session_config(),
        time: time_config(
            servers,
            options().time_strict != 0,
            options().time_deadline_s,
        )?,
        time_floor: time_floor(),
        ..client::Config::new(broker)
    })
}

/// How the time is learnt: the servers, whether a connection is refused without it, and the
/// deadline in seconds.
pub fn time_config(
    servers: &str,
    strict: bool,
    deadline_s: u32,
) -> Result<TimeConfig, OptionError> {
    Ok(TimeConfig {
        servers: TimeServer::list(servers)
            .map_err(|error| OptionError::TimeServers(alloc::format!("{error}")))?,
        policy: if strict {
            TimePolicy::Strict
        } else {
            TimePolicy::Lenient
        },
        deadline: Duration::from_secs(deadline_s.into()),
        ..TimeConfig::default()
    })
}

fn session_config() -> session::Config {
    let options = options();
    session::Config {
        version: if options.mqtt_version == 4 {
            Version::V311
        } else {
            Version::V5
        },
        // SAFETY: the options' strings are constants.
        client_id: match unsafe { constant(options.client_id) } {
            "" => hardware_client_id(),
            id => String::from(id),
        },
        keep_alive: Duration::from_secs(options.keep_alive_s.into()),
        receive_maximum: options.receive_maximum,
        max_packet_size: options.max_packet_size,
        outbox_messages: to_usize(options.outbox_messages),
        outbox_bytes: to_usize(options.outbox_bytes),
        ..session::Config::default()
    }
}

/// TLS on the image's crypto backend, with the limits of the options: `max_chain` bounds the stack,
/// the others the heap.
pub fn tls_builder(provider: tls::CryptoProvider) -> tls::ConfigBuilder {
    let options = options();
    tls::Config::builder(provider)
        .provider_failures(crate::crypto::take_failure)
        .max_inbound(to_usize(options.tls_inbound))
        .max_outbound(to_usize(options.tls_outbound))
        .max_fragment(to_usize(options.tls_fragment))
        .max_chain(to_usize(options.max_chain))
}

fn to_usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
