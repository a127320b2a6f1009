//! The client's configuration.
use crate::brokers::{Failover, SEVERAL};
use crate::keepalive::{KeepAlive, LEARNS};
use crate::time::TimeConfig;
use core::fmt;
use core::time::Duration;
use thread_mqtt_resolve::{BrokerUri, Scheme};

/// The configuration of a client. [`Config::new`] fills in the defaults.
#[derive(Debug, Clone)]
pub struct Config {
    /// The broker; the preferred one if there are several.
    pub broker: BrokerUri,
    /// The other brokers, if there are several.
    pub failover: Failover,
    /// Limits the redirects followed in a row. An MQTT 5 broker may redirect to another one (Server
    /// Reference, with reason code 0x9C or 0x9D). The scheme stays the same, and the certificate
    /// must contain the new name. 0 follows none; neither does a build without the feature
    /// `failover`.
    pub redirects: u8,
    /// Tries MQTT 3.1.1 with a broker that refuses MQTT 5, or closes the connection instead of
    /// answering. If the broker said that it does not support MQTT 5, or after three such
    /// connections in a row, 3.1.1 is used with it from then on; otherwise for one connection.
    pub fallback_to_v311: bool,
    /// How long a connection may be silent.
    pub keep_alive: KeepAlive,
    /// How the broker's name is resolved.
    pub resolver: thread_mqtt_resolve::resolver::Config,
    /// TLS: required for `mqtts://`, ignored for `mqtt://`.
    pub tls: Option<thread_mqtt_tls::Config>,
    /// TLS is supplied later, through [`Client::handle_tls`](crate::Client::handle_tls), so that
    /// certificates and keys can be decoded when there is time for it. No attempt begins before
    /// that.
    pub tls_follows: bool,
    /// The MQTT session.
    pub session: thread_mqtt_session::Config,
    /// The time limits of the stages, and the back-off between attempts.
    pub timers: Timers,
    /// What to do after a failure.
    pub retry: Retry,
    /// How to learn the time if the platform does not know it.
    pub time: TimeConfig,
    /// A time known to have passed, in Unix seconds, for a device that boots without a clock: the
    /// build time of the firmware or, better, the [`Client::time_floor`](crate::Client::time_floor)
    /// saved before the reboot. Used only until the time is known.
    pub time_floor: u64,
}

/// Longest duration that may be configured, for back-off and everything else: 30 days.
pub(crate) const LONGEST: Duration = Duration::from_secs(30 * 86_400);

impl Config {
    /// Creates a configuration for this broker with every default: no TLS (`mqtts://` needs it),
    /// one broker, three redirects, no fallback to MQTT 3.1.1, a fixed keep-alive, unlimited
    /// attempts.
    pub fn new(broker: BrokerUri) -> Self {
        Self {
            broker,
            failover: Failover::default(),
            redirects: 3,
            fallback_to_v311: false,
            keep_alive: KeepAlive::default(),
            resolver: thread_mqtt_resolve::resolver::Config::default(),
            tls: None,
            tls_follows: false,
            session: thread_mqtt_session::Config::default(),
            timers: Timers::default(),
            retry: Retry::default(),
            time: TimeConfig::default(),
            time_floor: 0,
        }
    }

    /// Rejects what cannot work on any network.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let others = self.failover.others.iter().map(|other| &other.uri);
        let mut brokers = others.chain([&self.broker]);
        let has_tls = self.tls.is_some() || self.tls_follows;
        if !has_tls && brokers.any(|broker| broker.scheme == Scheme::Mqtts) {
            return Err(ConfigError::TlsMissing);
        }
        if !SEVERAL && !self.failover.others.is_empty() {
            return Err(ConfigError::NotBuilt("FAILOVER"));
        }
        if !cfg!(feature = "fallback-v311") && self.fallback_to_v311 {
            return Err(ConfigError::NotBuilt("FALLBACK_V311"));
        }
        if !LEARNS && self.keep_alive != KeepAlive::Fixed {
            return Err(ConfigError::NotBuilt("KEEP_ALIVE_AUTO"));
        }
        if LEARNS && !self.keep_alive.is_valid() {
            return Err(ConfigError::KeepAlive);
        }
        let return_after = self.failover.return_after.unwrap_or_default();
        // The flag says whether zero is invalid, because no answer can arrive in that time.
        let times = [
            ("tcp_connect", &self.timers.tcp_connect, true),
            ("next_address", &self.timers.next_address, false),
            ("tls_handshake", &self.timers.tls_handshake, true),
            ("backoff_min", &self.timers.backoff_min, false),
            ("backoff_max", &self.timers.backoff_max, false),
            ("stable_after", &self.timers.stable_after, false),
            ("network_jitter", &self.timers.network_jitter, false),
            ("close", &self.timers.close, false),
            ("deadline", &self.time.deadline, false),
            ("attempt_timeout", &self.time.attempt_timeout, false),
            ("response_timeout", &self.session.response_timeout, true),
            ("return_after", &return_after, false),
        ];
        for (name, time, is_needed) in times {
            if *time > LONGEST {
                return Err(ConfigError::TooLong(name));
            }
            if is_needed && time.is_zero() {
                return Err(ConfigError::Zero(name));
            }
        }
        if self.timers.backoff_min.is_zero() {
            return Err(ConfigError::BackoffZero);
        }
        if self.timers.backoff_min > self.timers.backoff_max {
            return Err(ConfigError::BackoffOrder);
        }
        Ok(())
    }
}

/// What to do after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Retry {
    /// Try again after a pause, without limit: a device in the field must recover by itself once
    /// its broker, its certificate or its border router has been fixed.
    #[default]
    Forever,
    /// Become idle. For a command that makes a single attempt.
    Never,
}

/// All timers of the client. Name resolution and MQTT have their own: see
/// [`deadline`](thread_mqtt_resolve::resolver::Config::deadline) and
/// [`response_timeout`](thread_mqtt_session::Config::response_timeout).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timers {
    /// Limit of a TCP connect, per candidate address.
    pub tcp_connect: Duration,
    /// The same for an address while there are others to try. If none answers that fast, the silent
    /// ones are tried again with the full time.
    pub next_address: Duration,
    /// Limit of the TLS handshake.
    pub tls_handshake: Duration,
    /// The pause after the first failure is drawn evenly between zero and this.
    pub backoff_min: Duration,
    /// Longest pause. Each failure doubles the range that the pause is drawn from, up to this.
    pub backoff_max: Duration,
    /// A connection resets the back-off once the broker has answered something after its CONNACK
    /// and this time has passed since CONNACK. If zero, the answer is enough.
    pub stable_after: Duration,
    /// After a change of the network (attached again, another prefix) an attempt begins at a random
    /// instant within this time, because all devices of the network see the change at once.
    pub network_jitter: Duration,
    /// Time allowed to send what closes a connection cleanly: DISCONNECT, a TLS alert.
    pub close: Duration,
}

impl Default for Timers {
    /// For a device several hops deep in a mesh: patient with the network, easy on the broker.
    fn default() -> Self {
        Self {
            tcp_connect: Duration::from_secs(20),
            next_address: Duration::from_secs(3),
            tls_handshake: Duration::from_secs(60),
            backoff_min: Duration::from_secs(10),
            backoff_max: Duration::from_secs(300),
            stable_after: Duration::from_secs(10),
            network_jitter: Duration::from_secs(5),
            close: Duration::from_secs(5),
        }
    }
}

/// Why a configuration is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The URI is `mqtts://`, but there is no TLS configuration.
    TlsMissing,
    /// [`Timers::backoff_min`] is zero.
    BackoffZero,
    /// [`Timers::backoff_min`] is longer than [`Timers::backoff_max`].
    BackoffOrder,
    /// The duration with this name is zero, which leaves no time for an answer.
    Zero(&'static str),
    /// The duration with this name is longer than 30 days.
    TooLong(&'static str),
    /// The limits of [`KeepAlive::Auto`] are inconsistent.
    KeepAlive,
    /// This build leaves the capability out. Contains the name of its Kconfig option without the
    /// prefix `CONFIG_THREAD_MQTT_`; in lower case with hyphens it is the name of the cargo
    /// feature.
    NotBuilt(&'static str),
    /// The MQTT configuration is invalid.
    Session(thread_mqtt_session::ConfigError),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TlsMissing => f.write_str(
                "the broker's URI begins with mqtts://, but TLS is not configured; configure it, \
                 or use mqtt:// for a broker without TLS",
            ),
            Self::BackoffZero => f.write_str(
                "backoff_min is zero, which would flood the broker; set it to at least a second",
            ),
            Self::BackoffOrder => f.write_str("backoff_min is longer than backoff_max; swap them"),
            Self::Zero(name) => write!(
                f,
                "{name} is zero, so every attempt would fail at once; set it to a few seconds"
            ),
            Self::TooLong(name) => {
                write!(f, "{name} is longer than 30 days; choose a shorter time")
            }
            Self::KeepAlive => f.write_str(
                "the limits of the automatic keep-alive are invalid; choose a minimum of at least \
                 10 s, and a maximum from there to 65,535 s",
            ),
            Self::NotBuilt(option) => write!(
                f,
                "this build lacks the feature; set CONFIG_THREAD_MQTT_{option}=y, or enable the \
                 cargo feature of that name"
            ),
            Self::Session(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ConfigError {}
