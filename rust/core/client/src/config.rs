//! What a client is told once.
use crate::brokers::{Failover, SEVERAL};
use crate::keepalive::{KeepAlive, LEARNS};
use crate::time::TimeConfig;
use core::fmt;
use core::time::Duration;
use thread_mqtt_resolve::{BrokerUri, Scheme};

/// Everything a client is told once. [`Config::new`] fills in what an application has no opinion on.
#[derive(Debug, Clone)]
pub struct Config {
    /// The broker, or of several the preferred one.
    pub broker: BrokerUri,
    /// The other brokers, if there are several.
    pub failover: Failover,
    /// Most redirects in a row that are followed: a broker of MQTT 5 may point to another one (Server
    /// Reference, with reason code 0x9C or 0x9D). The scheme stays the same, and the certificate must
    /// carry the new name. 0 follows none, nor does a build without the feature `failover`.
    pub redirects: u8,
    /// A broker that refuses MQTT 5, or closes the connection instead of answering, is tried with MQTT
    /// 3.1.1; if it accepts that, it is spoken to in it from then on.
    pub fallback_to_v311: bool,
    /// How long a connection may be silent.
    pub keep_alive: KeepAlive,
    /// How its name becomes addresses.
    pub resolver: thread_mqtt_resolve::resolver::Config,
    /// TLS; needed for `mqtts://`, ignored for `mqtt://`.
    pub tls: Option<thread_mqtt_tls::Config>,
    /// TLS follows, by [`Client::handle_tls`](crate::Client::handle_tls): certificates and keys are read where
    /// there is time for it. Until then no attempt begins.
    pub tls_follows: bool,
    /// MQTT.
    pub session: thread_mqtt_session::Config,
    /// The time each stage may take, and the back-off between attempts.
    pub timers: Timers,
    /// What follows a failure.
    pub retry: Retry,
    /// How the time is learnt where the platform does not know it.
    pub time: TimeConfig,
    /// Unix seconds that are known to have passed, for a device that boots without a clock: the build
    /// time of the firmware, or better the [`Client::time_floor`](crate::Client::time_floor) of
    /// its last life. Used only until the clock is known.
    pub time_floor: u64,
}

/// Longest time that may be configured, for a back-off and everything else: 30 days.
pub(crate) const LONGEST: Duration = Duration::from_secs(30 * 86_400);

impl Config {
    /// A client of this broker with every default: no TLS, which `mqtts://` needs, one broker, three
    /// redirects, no other version of MQTT, a fixed keep-alive, attempts for ever.
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

    /// Finds what cannot work whatever the network does.
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
        // Whether nothing can be answered in a time of zero.
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

/// What follows a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Retry {
    /// Another attempt after a pause, for ever: a device in the field must come back by itself
    /// when its broker, its certificate or its border router has been fixed.
    #[default]
    Forever,
    /// Nothing: the client is idle again. For a command that makes one attempt.
    Never,
}

/// The table of timers. Name resolution and MQTT bring their own: see
/// [`deadline`](thread_mqtt_resolve::resolver::Config::deadline) and
/// [`response_timeout`](thread_mqtt_session::Config::response_timeout).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timers {
    /// TCP connect, per candidate address.
    pub tcp_connect: Duration,
    /// The same for an address while there is another one to try. If none answers that fast, those
    /// that stayed silent are asked again with all of their time.
    pub next_address: Duration,
    /// TLS handshake.
    pub tls_handshake: Duration,
    /// The pause after the first failure is drawn evenly between zero and this.
    pub backoff_min: Duration,
    /// Longest pause. Each failure doubles the range from which the pause is drawn, up to here.
    pub backoff_max: Duration,
    /// A connection on which the broker has answered something after its CONNACK, and which has
    /// lasted this long since, resets the back-off. Zero: with the answer.
    pub stable_after: Duration,
    /// A change of the network (attached again, another prefix) begins an attempt within this time,
    /// at an instant that is drawn: all devices of the network see the change at once.
    pub network_jitter: Duration,
    /// Time to send what closes a connection in good order: DISCONNECT, a TLS alert.
    pub close: Duration,
}

impl Default for Timers {
    /// For a device several hops deep in a mesh: patient with the network, kind to the broker.
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
    /// `mqtts://` without a TLS configuration.
    TlsMissing,
    /// [`Timers::backoff_min`] is zero.
    BackoffZero,
    /// [`Timers::backoff_min`] is longer than [`Timers::backoff_max`].
    BackoffOrder,
    /// The time of this name is zero, in which nothing can be answered.
    Zero(&'static str),
    /// The time of this name is longer than 30 days.
    TooLong(&'static str),
    /// The limits of [`KeepAlive::Auto`] do not fit.
    KeepAlive,
    /// A capability that this build leaves out: the name of its Kconfig option behind
    /// `CONFIG_THREAD_MQTT_`, and in lower case with hyphens that of the cargo feature.
    NotBuilt(&'static str),
    /// The MQTT configuration is refused.
    Session(thread_mqtt_session::ConfigError),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TlsMissing => f.write_str(
                "the broker's URI begins with mqtts:// but there is no TLS configuration; give one, \
                 or use mqtt:// for a broker without TLS",
            ),
            Self::BackoffZero => f.write_str(
                "the shortest pause between attempts is zero, which would flood the broker; set \
                 backoff_min to a second or more",
            ),
            Self::BackoffOrder => f.write_str(
                "the shortest pause between attempts, backoff_min, is longer than the longest, \
                 backoff_max; exchange them",
            ),
            Self::Zero(name) => write!(
                f,
                "the time {name} is zero, so that every attempt would fail at once; set it to some \
                 seconds"
            ),
            Self::TooLong(name) => {
                write!(f, "the time {name} is longer than 30 days; choose a shorter one")
            }
            Self::KeepAlive => f.write_str(
                "the limits of the automatic keep-alive do not fit; choose at least 10 s for the \
                 shortest silence, and for the longest one at least as much and at most 65,535 s",
            ),
            Self::NotBuilt(option) => write!(
                f,
                "this build leaves out what is asked for; set CONFIG_THREAD_MQTT_{option}=y, or \
                 enable the cargo feature of that name"
            ),
            Self::Session(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ConfigError {}
