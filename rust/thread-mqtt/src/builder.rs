//! What to connect to, and how.
use crate::mqtt::Mqtt;
#[cfg(feature = "durable")]
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;
#[cfg(feature = "durable")]
use thread_mqtt_client::Client;
use thread_mqtt_client::{
    Broker, BrokerListError, Config, ConfigError, Failover, KeepAlive, Retry, TimeConfig,
    TimePolicy, TimeServer, Timers,
};
use thread_mqtt_driver::Port;
use thread_mqtt_resolve::resolver;
use thread_mqtt_session::{self as session, Message, Overflow, Secret, Version};
use thread_mqtt_tls::{self as tls, CryptoProvider};

/// Builds a configuration. [`build`](Self::build) reports anything wrong with it.
///
/// The defaults are those of the underlying configurations: MQTT 5, a clean start, a keep-alive of
/// 60 s, an outbox of 16 messages and 16 KiB.
#[derive(Debug)]
pub struct Builder {
    brokers: Result<Vec<Broker>, BrokerListError>,
    failover: Failover,
    redirects: u8,
    fallback_to_v311: bool,
    keep_alive: KeepAlive,
    tls: Option<Result<tls::ConfigBuilder, tls::ConfigError>>,
    session: session::Config,
    resolver: resolver::Config,
    time: TimeConfig,
    timers: Timers,
    retry: Retry,
    time_floor: u64,
    wrong: Option<Error>,
}

/// Why a configuration is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The broker URI or the list of brokers is invalid.
    Broker(BrokerListError),
    /// TLS is configured, but without a crypto provider.
    ProviderMissing,
    /// A certificate, a key or a TLS limit is not usable.
    Tls(tls::ConfigError),
    /// The list of time servers is invalid.
    TimeServers(String),
    /// Settings conflict, or MQTT does not allow one of them.
    Client(ConfigError),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broker(error) => error.fmt(f),
            Self::ProviderMissing => f.write_str(
                "a certificate is configured without a crypto provider; set the provider first",
            ),
            Self::Tls(error) => error.fmt(f),
            Self::TimeServers(error) => write!(f, "time servers: {error}"),
            Self::Client(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for Error {}

impl Builder {
    /// Creates a builder for one broker, `mqtt://host[:1883]` or `mqtts://host[:8883]`, or for a
    /// list of brokers in order of preference: see [`Broker::list`].
    pub fn new(brokers: &str) -> Self {
        Self {
            brokers: Broker::list(brokers),
            failover: Failover::default(),
            redirects: 3,
            fallback_to_v311: false,
            keep_alive: KeepAlive::Fixed,
            tls: None,
            session: session::Config::default(),
            resolver: resolver::Config::default(),
            time: TimeConfig::default(),
            timers: Timers::default(),
            retry: Retry::default(),
            time_floor: 0,
            wrong: None,
        }
    }

    /// Sets the crypto provider for TLS. Call this before adding certificates.
    pub fn tls(mut self, provider: CryptoProvider) -> Self {
        self.tls = Some(Ok(tls::Config::builder(provider)));
        self
    }

    /// Changes TLS settings that have no method here.
    pub fn with_tls(
        mut self,
        change: impl FnOnce(tls::ConfigBuilder) -> Result<tls::ConfigBuilder, tls::ConfigError>,
    ) -> Self {
        match self.tls.take() {
            Some(builder) => self.tls = Some(builder.and_then(change)),
            None => self.wrong = self.wrong.or(Some(Error::ProviderMissing)),
        }
        self
    }

    /// Adds trust anchors: a PEM bundle or one DER certificate. Parses them immediately, in the
    /// calling thread, which takes 0.3 million instructions per RSA-2048 certificate.
    pub fn ca(self, pem_or_der: &[u8]) -> Self {
        self.with_tls(|tls| tls.ca(pem_or_der))
    }

    /// Sets the client's certificate chain, leaf first, and its private key, in PEM or DER. Parses
    /// them immediately, as [`ca`](Self::ca) does. Checking that the key matches may take 20
    /// million instructions.
    pub fn identity(self, chain: &[u8], key: &[u8]) -> Self {
        self.with_tls(|tls| tls.client_identity(chain, key))
    }

    /// Pins a certificate or key that the broker must present: see
    /// [`ConfigBuilder::pin`](tls::ConfigBuilder::pin). Without a CA, the pin alone decides.
    pub fn pin(self, pin: tls::Pin) -> Self {
        self.with_tls(|tls| Ok(tls.pin(pin)))
    }

    /// Sets the ALPN protocol names, in order of preference (RFC 7301): `x-amzn-mqtt-ca` for AWS
    /// IoT on port 443.
    pub fn alpn(self, protocols: &[&str]) -> Self {
        let names: Vec<&[u8]> = protocols.iter().map(|name| name.as_bytes()).collect();
        self.with_tls(|tls| Ok(tls.alpn(&names)))
    }

    /// Sets the client identifier. Without one, the broker assigns it.
    pub fn client_id(mut self, id: impl Into<String>) -> Self {
        self.session.client_id = id.into();
        self
    }

    /// Sets user name and password.
    pub fn credentials(mut self, username: impl Into<String>, password: impl Into<Secret>) -> Self {
        self.session.username = Some(username.into());
        self.session.password = Some(password.into());
        self
    }

    /// Sets the MQTT version.
    pub fn version(mut self, version: Version) -> Self {
        self.session.version = version;
        self
    }

    /// Sets the keep-alive in whole seconds; zero disables it.
    pub fn keep_alive(mut self, period: Duration) -> Self {
        self.session.keep_alive = period;
        self
    }

    /// Learns the keep-alive, for example with [`KeepAlive::AUTO`], instead of using a fixed one.
    pub fn learn_keep_alive(mut self, keep_alive: KeepAlive) -> Self {
        self.keep_alive = keep_alive;
        self
    }

    /// Falls back to MQTT 3.1.1 if a broker does not accept MQTT 5: see
    /// [`Config::fallback_to_v311`].
    pub fn fallback_to_v311(mut self) -> Self {
        self.fallback_to_v311 = true;
        self
    }

    /// Limits how many redirects in a row are followed: see [`Config::redirects`]. The default is
    /// three.
    pub fn redirects(mut self, most: u8) -> Self {
        self.redirects = most;
        self
    }

    /// Configures whether several brokers share sessions, and when to try a preferred one again.
    pub fn with_failover(mut self, change: impl FnOnce(&mut Failover)) -> Self {
        change(&mut self.failover);
        self
    }

    /// Sets the range of the delay between attempts: see [`Timers::backoff_min`].
    pub fn backoff(mut self, min: Duration, max: Duration) -> Self {
        self.timers.backoff_min = min;
        self.timers.backoff_max = max;
        self
    }

    /// Receives messages larger than `max_packet` bytes in pieces, up to `max_size`: see
    /// [`max_size_in_pieces`](session::Config::max_size_in_pieces).
    pub fn receive_in_pieces(mut self, max_packet: u32, max_size: u32) -> Self {
        self.session.max_packet_size = max_packet;
        self.session.max_size_in_pieces = max_size;
        self
    }

    /// Sets what a full outbox does with a new message. The default is to refuse it.
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.session.overflow = overflow;
        self
    }

    /// Sets how many seconds the broker waits before it publishes the will (MQTT 5).
    pub fn will_delay(mut self, seconds: u32) -> Self {
        self.session.will_delay = seconds;
        self
    }

    /// Sets the message that the broker publishes when the connection is lost.
    pub fn will(mut self, message: Message) -> Self {
        self.session.will = Some(message);
        self
    }

    /// Asks the broker to keep the session for this many seconds after a disconnect (MQTT 5).
    pub fn session_expiry(mut self, seconds: u32) -> Self {
        self.session.session_expiry = seconds;
        self
    }

    /// Sets the SNTP servers for a device without a clock: names or addresses, separated by spaces.
    pub fn time_servers(mut self, servers: &str) -> Self {
        match TimeServer::list(servers) {
            Ok(servers) => self.time.servers = servers,
            Err(error) => {
                let error = Error::TimeServers(error.to_string());
                self.wrong = self.wrong.or(Some(error));
            }
        }
        self
    }

    /// Refuses TLS until the time is known, instead of checking certificates against the [time
    /// floor](Self::time_floor).
    pub fn strict_time(mut self) -> Self {
        self.time.policy = TimePolicy::Strict;
        self
    }

    /// Sets a time known to have passed, in Unix seconds: see [`Config::time_floor`].
    pub fn time_floor(mut self, unix_seconds: u64) -> Self {
        self.time_floor = unix_seconds;
        self
    }

    /// Makes a single attempt instead of retrying forever.
    pub fn once(mut self) -> Self {
        self.retry = Retry::Never;
        self
    }

    /// Changes other settings of the MQTT session.
    pub fn with_session(mut self, change: impl FnOnce(&mut session::Config)) -> Self {
        change(&mut self.session);
        self
    }

    /// Changes how names are resolved to addresses.
    pub fn with_resolver(mut self, change: impl FnOnce(&mut resolver::Config)) -> Self {
        change(&mut self.resolver);
        self
    }

    /// Changes the timeouts of the stages.
    pub fn with_timers(mut self, change: impl FnOnce(&mut Timers)) -> Self {
        change(&mut self.timers);
        self
    }

    /// Returns the configuration.
    pub fn build(self) -> Result<Config, Error> {
        if let Some(wrong) = self.wrong {
            return Err(wrong);
        }
        let mut brokers = self.brokers.map_err(Error::Broker)?;
        let others = brokers.split_off(brokers.len().min(1));
        let preferred = brokers.pop();
        let preferred = preferred.ok_or(Error::Broker(BrokerListError::Empty))?;
        let tls = self
            .tls
            .map(|builder| builder.and_then(tls::ConfigBuilder::build));
        Ok(Config {
            failover: Failover {
                others,
                weight: preferred.weight,
                ..self.failover
            },
            redirects: self.redirects,
            fallback_to_v311: self.fallback_to_v311,
            keep_alive: self.keep_alive,
            resolver: self.resolver,
            tls: tls.transpose().map_err(Error::Tls)?,
            session: self.session,
            timers: self.timers,
            retry: self.retry,
            time: self.time,
            time_floor: self.time_floor,
            ..Config::new(preferred.uri)
        })
    }

    /// Creates a client with this configuration on a port. It is idle until [started](Mqtt::start).
    pub fn open<P: Port>(self, port: P) -> Result<Mqtt<P>, Error> {
        Mqtt::new(self.build()?, port).map_err(Error::Client)
    }

    /// Same as [`open`](Self::open), with a session in this storage that survives a restart. The
    /// broker must keep the session as well: see [`session_expiry`](Self::session_expiry).
    #[cfg(feature = "durable")]
    pub fn open_with_store<P: Port>(
        self,
        port: P,
        store: Box<dyn session::Store>,
    ) -> Result<Mqtt<P>, Error> {
        let client = Client::with_store(self.build()?, store).map_err(Error::Client)?;
        Ok(Mqtt::with_client(client, port))
    }
}
