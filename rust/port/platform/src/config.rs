//! Builds a client's configuration from the platform's options. This is the only place that turns
//! `CONFIG_THREAD_MQTT_*` into the core crates' settings, for the C API and for Rust applications.
use crate::credentials::{Kind, NO_ROOM, credential};
use crate::options::{constant, set_resolver};
use crate::{
    ClientError, OptionError, SessionKey, crypto, ffi, hardware_client_id, options, time_floor,
};
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::num::NonZeroU16;
use core::str::FromStr;
use core::time::Duration;
use thread_mqtt_client::{
    self as client, Broker, BrokerListError, Client, Failover, KeepAlive, TimeConfig, TimePolicy,
    TimeServer,
};
use thread_mqtt_resolve::{BrokerUri, Scheme};
use thread_mqtt_session::{self as session, Overflow, Version};
use thread_mqtt_tls as tls;

/// Creates a client from the options, for a Rust application: [`from_options`], with the session
/// stored under `CONFIG_THREAD_MQTT_SESSION_NAME` and encrypted with the key
/// `CONFIG_THREAD_MQTT_SESSION_KEY_ID`. If the session is stored, asks the broker to keep it as
/// well.
pub fn client_from_options(ca: &[u8]) -> Result<Box<Client>, SetupError> {
    let mut config = Box::new(from_options(ca)?);
    let name = session_name();
    if !name.is_empty() && !config.session.client_id.is_empty() {
        config.session.clean_start = false;
    }
    crate::client(config, name, SessionKey::of_options()).map_err(SetupError::Client)
}

/// Returns the name of the stored session, `CONFIG_THREAD_MQTT_SESSION_NAME`; empty if none is
/// stored.
pub fn session_name() -> &'static str {
    // SAFETY: the options' strings are constants.
    unsafe { constant(options().session_name) }
}

/// Builds the complete configuration from the options, for a Rust application: broker, session,
/// time, and TLS with the given CA or else with the credentials of `CONFIG_THREAD_MQTT_SEC_TAG`.
pub fn from_options(ca: &[u8]) -> Result<client::Config, SetupError> {
    // SAFETY: the options' strings are constants.
    let list = unsafe { constant(options().broker) };
    let brokers = brokers(list).map_err(SetupError::Option)?;
    let tls = match needs_tls(&brokers) {
        true => Some(tls_config(ca)?),
        false => None,
    };
    client_config(brokers, tls).map_err(SetupError::Option)
}

fn tls_config(ca: &[u8]) -> Result<tls::Config, SetupError> {
    let kept = |kind| match sec_tag() {
        None => Ok(None),
        Some(tag) => credential(tag, kind).map_err(|code| SetupError::Unreadable(tag, kind, code)),
    };
    let kept_ca = if ca.is_empty() { kept(Kind::Ca)? } else { None };
    let ca = kept_ca.as_ref().map_or(ca, |kept| kept);
    let choice = TlsChoice::of_options().read();
    let choice = choice.map_err(SetupError::Option)?;
    if ca.is_empty() && !choice.has_pins() {
        return Err(SetupError::CaMissing);
    }
    let provider = crypto::provider().map_err(|error| SetupError::Crypto(error.to_string()))?;
    let wrong = |kind| move |error| SetupError::Wrong(kind, error);
    let mut builder = tls_builder(provider);
    if !ca.is_empty() {
        builder = builder.ca(ca).map_err(wrong(Kind::Ca))?;
    }
    if let Some(chain) = kept(Kind::Certificate)? {
        let key = kept(Kind::Key)?.unwrap_or_default();
        let identity = builder.client_identity(&chain, &key);
        builder = identity.map_err(wrong(Kind::Certificate))?;
    }
    choice.apply(builder).build().map_err(SetupError::Tls)
}

/// Why no client can be created from the options.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SetupError {
    /// An option cannot be parsed.
    Option(OptionError),
    /// The crypto backend does not work.
    Crypto(String),
    /// The broker URI is `mqtts://`, but there is no CA certificate.
    CaMissing,
    /// The credential of this tag cannot be read; with the platform's code.
    Unreadable(i32, Kind, i32),
    /// A credential is not usable.
    Wrong(Kind, tls::ConfigError),
    /// TLS settings conflict.
    Tls(tls::ConfigError),
    /// The client cannot be created.
    Client(ClientError),
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option(error) => error.fmt(f),
            Self::Crypto(error) => f.write_str(error),
            Self::CaMissing => f.write_str(
                "the broker's URI begins with mqtts://, but there is no CA certificate; compile \
                 one in, or store one under CONFIG_THREAD_MQTT_SEC_TAG",
            ),
            Self::Unreadable(tag, kind, NO_ROOM) => write!(
                f,
                "not enough heap for credential {tag} {kind}; enlarge the heap"
            ),
            Self::Unreadable(tag, kind, code) => write!(
                f,
                "credential {tag} {kind} cannot be read, code {code}; add it under \
                 CONFIG_THREAD_MQTT_SEC_TAG, or set that to -1"
            ),
            Self::Wrong(kind, error) => write!(f, "{kind}: {error}"),
            Self::Tls(error) => error.fmt(f),
            Self::Client(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for SetupError {}

/// Parses a list of brokers, in order of preference: see [`Broker::list`].
/// `CONFIG_THREAD_MQTT_PORT` is the default port.
pub fn brokers(list: &str) -> Result<Vec<Broker>, OptionError> {
    let port = NonZeroU16::new(options().port);
    if cfg!(feature = "failover") {
        return Broker::list_with_port(list, port).map_err(OptionError::Broker);
    }
    let mut bytes = list.trim_ascii().bytes();
    if bytes.any(|byte| matches!(byte, b' ' | b',' | b'|' | b'*')) {
        return Err(OptionError::NotBuilt("FAILOVER"));
    }
    let uri = BrokerUri::parse(list, port);
    let uri = uri.map_err(|error| OptionError::Broker(BrokerListError::Uri(error)))?;
    Ok(vec![Broker {
        uri,
        priority: 0,
        weight: 1,
    }])
}

/// Returns whether any of these brokers uses TLS.
pub fn needs_tls(brokers: &[Broker]) -> bool {
    let mut schemes = brokers.iter().map(|broker| broker.uri.scheme);
    schemes.any(|scheme| scheme == Scheme::Mqtts)
}

/// Returns the credential tag `CONFIG_THREAD_MQTT_SEC_TAG`, if set.
pub fn sec_tag() -> Option<i32> {
    let tag = options().sec_tag;
    (tag >= 0).then_some(tag)
}

/// Configures everything but TLS from the options: limits, resolver, session and time.
// Changes each part in place: a second copy of all defaults would be on the stack.
#[inline(never)]
pub fn client_config(
    mut brokers: Vec<Broker>,
    tls: Option<tls::Config>,
) -> Result<client::Config, OptionError> {
    if brokers.is_empty() {
        return Err(OptionError::Broker(BrokerListError::Empty));
    }
    let options = options();
    // SAFETY: the options' strings are constants.
    let servers = unsafe { constant(options.time_servers) };
    let preferred = brokers.remove(0);
    let mut config = client::Config::new(preferred.uri);
    config.failover = Failover {
        others: brokers,
        weight: preferred.weight,
        cluster: options.brokers_cluster != 0,
        return_after: return_after(options.return_after_s),
    };
    config.redirects = options.redirects;
    config.fallback_to_v311 = options.fallback_v311 != 0;
    if options.keep_alive_auto != 0 {
        config.keep_alive = KeepAlive::Auto {
            min: seconds(options.keep_alive_min_s),
            max: seconds(options.keep_alive_max_s),
            start: None,
        };
    }
    let timers = &mut config.timers;
    timers.tcp_connect = milliseconds(options.tcp_connect_ms);
    timers.tls_handshake = milliseconds(options.tls_handshake_ms);
    timers.backoff_min = milliseconds(options.backoff_min_ms);
    timers.backoff_max = milliseconds(options.backoff_max_ms);
    timers.stable_after = milliseconds(options.stable_after_ms);
    timers.network_jitter = milliseconds(options.network_jitter_ms);
    timers.next_address = milliseconds(options.next_address_ms);
    set_resolver(&mut config.resolver)?;
    config.tls = tls;
    set_session(&mut config.session);
    config.time = time_config(servers, options.time_strict != 0, options.time_deadline_s)?;
    config.time_floor = time_floor();
    Ok(config)
}

fn seconds(seconds: impl Into<u64>) -> Duration {
    Duration::from_secs(seconds.into())
}

// Not inlined: each call site would contain a division.
#[inline(never)]
fn milliseconds(milliseconds: u32) -> Duration {
    Duration::from_millis(milliseconds.into())
}

/// Returns the time to stay with a less preferred broker; `None` for 0 seconds, which means to stay
/// there.
pub fn return_after(seconds: u32) -> Option<Duration> {
    (seconds != 0).then_some(Duration::from_secs(seconds.into()))
}

/// Returns what a full outbox does, from its number in `thread_mqtt.h`.
pub fn overflow(number: u8) -> Option<Overflow> {
    Some(match u32::from(number) {
        ffi::THREAD_MQTT_OVERFLOW_REFUSE => Overflow::Refuse,
        ffi::THREAD_MQTT_OVERFLOW_DROP_OLDEST_QOS0 => Overflow::DropOldestQos0,
        ffi::THREAD_MQTT_OVERFLOW_DROP_OLDEST => Overflow::DropOldest,
        ffi::THREAD_MQTT_OVERFLOW_LATEST_PER_TOPIC => Overflow::LatestPerTopic,
        _ => return None,
    })
}

/// Configures how to learn the time: the servers, whether to refuse a connection without it, and
/// the deadline in seconds.
pub fn time_config(
    servers: &str,
    strict: bool,
    deadline_s: u32,
) -> Result<TimeConfig, OptionError> {
    Ok(TimeConfig {
        servers: TimeServer::list(servers).map_err(OptionError::TimeServers)?,
        policy: if strict {
            TimePolicy::Strict
        } else {
            TimePolicy::Lenient
        },
        deadline: Duration::from_secs(deadline_s.into()),
        ..TimeConfig::default()
    })
}

fn set_session(config: &mut session::Config) {
    let options = options();
    config.version = if options.mqtt_version == 4 {
        Version::V311
    } else {
        Version::V5
    };
    // SAFETY: the options' strings are constants.
    config.client_id = match unsafe { constant(options.client_id) } {
        "" => hardware_client_id(),
        id => String::from(id),
    };
    config.keep_alive = seconds(options.keep_alive_s);
    config.session_expiry = options.session_expiry_s;
    config.receive_maximum = options.receive_maximum;
    config.received_ids = options.received_ids;
    config.max_packet_size = options.max_packet_size;
    config.max_size_in_pieces = options.max_size_in_pieces;
    config.outbox_messages = to_usize(options.outbox_messages);
    config.outbox_bytes = to_usize(options.outbox_bytes);
    config.outbox_reserve = options.outbox_reserve;
    config.overflow = overflow(options.overflow).unwrap_or_default();
    config.topic_alias_maximum = options.topic_alias_maximum;
    config.ack_timeout = seconds(options.ack_timeout_s);
    config.response_timeout = milliseconds(options.response_timeout_ms);
    config.suspect_after = options.suspect_after;
}

/// Configures TLS on the image's crypto backend, with the limits of the options: `max_chain` limits
/// stack use, the others limit heap use.
pub fn tls_builder(provider: tls::CryptoProvider) -> tls::ConfigBuilder {
    let options = options();
    tls::Config::builder(provider)
        .in_place(crate::crypto::in_place)
        .provider_failures(crate::crypto::take_failure)
        .withdrawn_schemes(crate::crypto::scheme_is_withdrawn)
        .max_inbound(to_usize(options.tls_inbound))
        .max_outbound(to_usize(options.tls_outbound))
        .max_fragment(to_usize(options.tls_fragment))
        .max_chain(to_usize(options.max_chain))
}

/// The TLS choices, as in the options and the fields of `thread_mqtt_config`. List elements are
/// separated by spaces.
#[derive(Debug, Clone, Copy)]
pub struct TlsChoice<'a> {
    /// ALPN protocol names, in order of preference.
    pub alpn: &'a str,
    /// Hashes of the broker's certificate or key.
    pub pins: &'a str,
    /// Cipher suites, by name.
    pub suites: &'a str,
    /// Key exchange groups, by name.
    pub groups: &'a str,
    /// Bit 0 for TLS 1.2, bit 1 for 1.3; 0 for all.
    pub versions: u8,
    /// Requires the extended master secret.
    pub require_ems: bool,
    /// Tickets kept for resumption; 0 disables resumption.
    pub tickets: u8,
}

impl TlsChoice<'static> {
    /// Returns the choice set by the options.
    pub fn of_options() -> Self {
        let options = options();
        // SAFETY: the options' strings are constants, all four.
        unsafe {
            Self {
                alpn: constant(options.tls_alpn),
                pins: constant(options.tls_pins),
                suites: constant(options.tls_suites),
                groups: constant(options.tls_groups),
                versions: 0,
                require_ems: options.tls_require_ems != 0,
                tickets: options.tls_tickets,
            }
        }
    }
}

/// Parses the elements of a list from the option of this name.
fn read<T: FromStr<Err: fmt::Display>>(
    option: &'static str,
    list: &str,
) -> Result<Vec<T>, OptionError> {
    let read = |element: &str| {
        let wrong = |error| OptionError::Tls(option, alloc::format!("{element:?}: {error}"));
        element.parse().map_err(wrong)
    };
    list.split_ascii_whitespace().map(read).collect()
}

impl TlsChoice<'_> {
    /// Parses the choice; does not need the crypto provider yet.
    #[inline(never)]
    pub fn read(self) -> Result<ReadChoice, OptionError> {
        let mut names = Vec::new();
        for name in self.alpn.split_ascii_whitespace() {
            if name.len() > 255 {
                return Err(OptionError::AlpnName(name.len()));
            }
            names.push(Vec::from(name));
        }
        if !cfg!(feature = "tls-pinning") && !self.pins.is_empty() {
            return Err(OptionError::NotBuilt("TLS_PINNING"));
        }
        let has_choice = !self.suites.is_empty() || !self.groups.is_empty();
        if has_choice && !cfg!(feature = "tls-choice") {
            return Err(OptionError::NotBuilt("TLS_CHOICE"));
        }
        Ok(ReadChoice {
            alpn: names,
            pins: match cfg!(feature = "tls-pinning") {
                true => read("TLS_PINS", self.pins)?,
                false => Vec::new(),
            },
            #[cfg(feature = "tls-choice")]
            suites: read("TLS_SUITES", self.suites)?,
            #[cfg(feature = "tls-choice")]
            groups: read("TLS_GROUPS", self.groups)?,
            versions: match self.versions {
                0 | 3 => None,
                1 => Some(tls::Version::Tls12),
                2 => Some(tls::Version::Tls13),
                _ => return Err(OptionError::TlsVersions),
            },
            // TLS 1.3 does not need it.
            #[cfg(feature = "tls12")]
            require_ems: self.require_ems,
            tickets: self.tickets,
        })
    }
}

/// A parsed [`TlsChoice`].
#[derive(Debug)]
pub struct ReadChoice {
    alpn: Vec<Vec<u8>>,
    pins: Vec<tls::Pin>,
    #[cfg(feature = "tls-choice")]
    suites: Vec<tls::Suite>,
    #[cfg(feature = "tls-choice")]
    groups: Vec<tls::Group>,
    /// `None` for all.
    versions: Option<tls::Version>,
    #[cfg(feature = "tls12")]
    require_ems: bool,
    tickets: u8,
}

impl ReadChoice {
    /// Returns whether there is a pin, which can replace a CA.
    pub fn has_pins(&self) -> bool {
        !self.pins.is_empty()
    }

    /// Applies the choice.
    #[inline(never)]
    pub fn apply(self, mut builder: tls::ConfigBuilder) -> tls::ConfigBuilder {
        if !self.alpn.is_empty() {
            let names: Vec<&[u8]> = self.alpn.iter().map(Vec::as_slice).collect();
            builder = builder.alpn(&names);
        }
        if cfg!(feature = "tls-pinning") {
            for pin in self.pins {
                builder = builder.pin(pin);
            }
        }
        #[cfg(feature = "tls-choice")]
        {
            if !self.suites.is_empty() {
                builder = builder.suites(&self.suites);
            }
            if !self.groups.is_empty() {
                builder = builder.groups(&self.groups);
            }
        }
        if let Some(version) = self.versions {
            builder = builder.versions(&[version]);
        }
        #[cfg(feature = "tls12")]
        if self.require_ems {
            builder = builder.require_extended_master_secret();
        }
        match self.tickets {
            0 => builder.no_resumption(),
            1 => builder,
            count => builder.sessions(&tls::SessionStore::new(1, count.into())),
        }
    }
}

fn to_usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
