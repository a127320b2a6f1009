//! Keeps a connection to an MQTT broker, over TLS, and moves messages, on a Thread device behind
//! NAT64 or on a laptop.
//!
//! An application depends only on this crate and a port.
//!
//! ```text
//!  your application
//!      |
//!  Builder, Mqtt        this crate: what to connect to, and the connection's life
//!      |
//!  a port               thread-mqtt-platform on Zephyr, thread-mqtt-host on a laptop,
//!                       or a Port of your own
//! ```
//!
//! # Use
//!
//! The crates are not in a registry. Use `path`, or `git` with a commit (`rev`):
//!
//! ```toml
//! [dependencies]
//! thread-mqtt = { path = "modules/thread-mqtt/rust/thread-mqtt", features = ["soft"] }
//! thread-mqtt-host = { path = "modules/thread-mqtt/rust/port/host" }
//! ```
//!
//! Name the broker, supply a port, and process the events. The client reconnects after every
//! failure, with growing delays. Messages wait in the outbox meanwhile.
//!
//! ```no_run
//! use thread_mqtt::{Builder, Event, Message, QoS, SessionEvent};
//! use thread_mqtt_host::{HostPort, Options};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let port = HostPort::new(Options::default())?;
//! let mut mqtt = Builder::new("mqtt://broker.example.org")
//!     .client_id("sensor-1")
//!     .will(Message::new("sensor-1/state", "lost").retain(true))
//!     .open(port)?;
//! mqtt.subscribe(&[("sensor-1/set", QoS::AtLeastOnce)])?;
//! mqtt.publish(Message::new("sensor-1/state", "here").qos(QoS::AtLeastOnce))?;
//! mqtt.start();
//! // Yields events, and ends once the connection was stopped.
//! while let Some(event) = mqtt.next() {
//!     match event {
//!         Event::Session(SessionEvent::Message(message)) => println!("{}", message.topic),
//!         Event::Failed { cause, .. } => eprintln!("{cause}"),
//!         Event::Session(SessionEvent::Published(_)) => mqtt.stop(),
//!         _ => {}
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A program with other work to do can poll for events [until](Mqtt::next_until) a given time;
//! [`examples/publish.rs`] does so. A program that only reacts can pass a [callback](Mqtt::run).
//!
//! # TLS
//!
//! `mqtts://` needs a crypto provider and the certificate of the broker's CA. On a device, use the
//! platform's provider (`thread_mqtt_platform::crypto::provider()`, PSA Crypto or Rust). On other
//! systems, the feature `soft` of this crate supplies one.
//!
//! ```
//! use thread_mqtt::Builder;
//!
//! # fn configure(provider: thread_mqtt::tls::CryptoProvider, pem: &[u8]) -> Builder {
//! Builder::new("mqtts://broker.example.org")
//!     .tls(provider)
//!     .ca(pem)
//!     .time_servers("time.cloudflare.com time.google.com")
//! # }
//! ```
//!
//! A device without a clock queries the time servers before its first connection.
//!
//! # Several brokers, and message priorities
//!
//! ```
//! use core::time::Duration;
//! use thread_mqtt::{Builder, KeepAlive, Message, Overflow, Priority, Properties, PublishOptions};
//!
//! let config = Builder::new("mqtt://near.example*2|mqtt://also.example, mqtt://far.example")
//!     .with_failover(|failover| failover.return_after = Some(Duration::from_secs(600)))
//!     .fallback_to_v311()
//!     .learn_keep_alive(KeepAlive::AUTO)
//!     .overflow(Overflow::DropOldestQos0)
//!     .build()?;
//! let alarm = Message::new("alarm", "hot").properties(Properties {
//!     content_type: Some("text/plain".into()),
//!     user: vec![("unit".into(), "K".into())],
//!     ..Properties::default()
//! });
//! // For Mqtt::publish_with().
//! let first = PublishOptions {
//!     priority: Priority::High,
//!     expiry: Some(Duration::from_secs(3_600)),
//!     ..PublishOptions::default()
//! };
//! # Ok::<(), thread_mqtt::Error>(())
//! ```
//!
//! # A session that survives a restart
//!
//! With a [`Store`], unacknowledged messages, QoS 2 state and subscriptions survive a restart. The
//! same function works on a laptop, where the store is a directory (`thread_mqtt_host::FileStore`),
//! and on a device, where it is the platform's storage (`thread_mqtt_platform::PlatformStore`):
//!
//! ```
//! use thread_mqtt::{Builder, Error, Mqtt, Port, QoS, Store};
//!
//! fn open<P: Port>(port: P, store: Box<dyn Store>) -> Result<Mqtt<P>, Error> {
//!     Builder::new("mqtt://broker.example.org")
//!         .client_id("sensor-1")
//!         .session_expiry(86_400)
//!         .with_session(|session| session.clean_start = false)
//!         .open_with_store(port, store)
//! }
//! ```
//!
//! The feature `seal` encrypts the records; `examples/stored.rs` shows both.
//!
//! Disable the crate's features that the application does not need, to save flash on a device. A
//! configuration that asks for a disabled feature is refused.
//!
//! # On Zephyr
//!
//! `thread_mqtt_platform::config` builds the configuration from the Kconfig options, for
//! [`Mqtt::new`]. `rust/app` in the repository is a complete application.
//!
//! # Several threads
//!
//! [`Mqtt`] belongs to one thread. Other threads leave commands in a [`Mailbox`] behind a lock that
//! the program provides, and wake the port. They never wait for a handshake. See
//! [`Driver::collect`].
//!
//! # Limits
//!
//! The client is not asynchronous: one thread runs a connection, and the port's `wait` is the only
//! call that blocks. Without a [`Store`], messages and sessions are kept in memory only.
//!
//! **Every message ends with exactly one event, published or given up, no matter how often the
//! connection fails in between.**
//!
//! [`examples/publish.rs`]: https://doc.rust-lang.org/cargo/reference/cargo-targets.html#examples
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

mod builder;
mod mqtt;

pub use builder::{Builder, Error};
pub use mqtt::Mqtt;

pub use thread_mqtt_client::{
    Action, Broker, BrokerListError, Cause, Client, Config, ConfigError, Event, Failover,
    FloorError, KeepAlive, KeptFloor, Reached, Retry, SetupError, Stage, TcpError, TimeConfig,
    TimeError, TimePolicy, TimeServer, Timers, Utc,
};
pub use thread_mqtt_driver::{Driver, Interest, Mailbox, Port, Received, TcpState};
pub use thread_mqtt_resolve::{
    AdvertisedPrefix, BrokerUri, Host, Preference, Prefix, PrefixSource, resolver, uri,
};
#[cfg(feature = "seal")]
pub use thread_mqtt_seal as seal;
pub use thread_mqtt_session::{
    BrokerText, Command, CommandError, Config as SessionConfig, ConfigError as SessionConfigError,
    ConnectRefusal, CutReason, ENCRYPTED, Event as SessionEvent, Fault, Field, Limits, Load,
    LostSession, Message, Overflow, PacketType, Pieces, Priority, Properties, PublishError,
    PublishOptions, QoS, ReasonCode, Room, Secret, SessionError, SkipReason, Store, StoreError,
    Token, Version,
};
#[cfg(feature = "soft")]
pub use thread_mqtt_soft_provider as soft;
pub use thread_mqtt_tls as tls;
