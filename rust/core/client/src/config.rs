//! What a client is told once.
use crate::time::TimeConfig;
use core::fmt;
use core::time::Duration;
use thread_mqtt_resolve::{BrokerUri, Scheme};

/// Everything a client is told once.
#[derive(Debug, Clone)]
pub struct Config {
    /// The broker.
    pub broker: BrokerUri,
    /// How its name becomes addresses.
    pub resolver: thread_mqtt_resolve::resolver::Config,
    /// TLS; needed for `mqtts://`, ignored for `mqtt://`.
    pub tls: Option<thread_mqtt_tls::Config>,
    /// MQTT.
    pub session: thread_mqtt_session::Config,
    /// The time each stage may take, and the back-off between attempts.
    pub timers: Timers,
    /// What follows a failure.
    pub retry: Retry,
    /// How the time is learnt where the platform does not know it.
    pub time: TimeConfig,
    /// Unix seconds that have surely passed, for a device that boots without a clock: the build
    /// time of the firmware, or better the [`Client::time_floor`](crate::Client::time_floor) of
    /// its last life. Used only until the clock is known.
    pub time_floor: u64,
}

impl Config {
    /// Finds what cannot work whatever the network does.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if self.broker.scheme == Scheme::Mqtts && self.tls.is_none() {
            return Err(ConfigError::TlsMissing);
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
    /// when its broker, its certificate or its border router has been mended.
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
    /// TLS handshake.
    pub tls_handshake: Duration,
    /// Shortest pause after a failure.
    pub backoff_min: Duration,
    /// Longest pause. Each failure doubles the range from which the pause is drawn, up to here.
    pub backoff_max: Duration,
    /// Online this long resets the back-off.
    pub stable_after: Duration,
    /// Time to send what closes a connection in good order: DISCONNECT, a TLS alert.
    pub close: Duration,
}

impl Default for Timers {
    /// For a device several hops deep in a mesh: patient with the network, kind to the broker.
    fn default() -> Self {
        Self {
            tcp_connect: Duration::from_secs(20),
            tls_handshake: Duration::from_secs(60),
            backoff_min: Duration::from_secs(2),
            backoff_max: Duration::from_secs(300),
            stable_after: Duration::from_secs(60),
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
            Self::Session(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ConfigError {}
