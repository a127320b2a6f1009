//! Keeps a connection to an MQTT broker, over TLS, and moves messages: for a Thread device behind
//! NAT64, and for a laptop.
//!
//! This crate and a port are all that an application depends on.
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
//! The crates are in this repository and in no registry: name them by `path`, or by `git` and a commit (`rev`).
//!
//! ```toml
//! [dependencies]
//! thread-mqtt = { path = "modules/thread-mqtt/rust/thread-mqtt", features = ["soft"] }
//! thread-mqtt-host = { path = "modules/thread-mqtt/rust/port/host" }
//! ```
//!
//! Name the broker, hand over a port, and take the events. The connection is made again after every
//! failure, with pauses that grow; messages wait in the outbox meanwhile.
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
//! // An iterator of events that ends when the connection was stopped.
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
//! A program that has something else to do asks for events [until](Mqtt::next_until) a time of its
//! own; [`examples/publish.rs`] does so. One that only reacts hands over a [callback](Mqtt::run).
//!
//! # TLS
//!
//! `mqtts://` needs a crypto provider and the certificate of the broker's CA. On a device the
//! provider is the platform's (`thread_mqtt_platform::crypto::provider()`, PSA Crypto or Rust); with
//! the feature `soft` this crate brings one.
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
//! A device without a clock asks the time servers before its first connection.
//!
//! # Several brokers, and what a message is worth
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
//! # A session that outlives a restart
//!
//! With a [`Store`] messages that are not acknowledged, the state of QoS 2 and subscriptions are there
//! again after a restart. The same function serves a laptop, where the store is a directory
//! (`thread_mqtt_host::FileStore`), and a device, where it is the platform's storage
//! (`thread_mqtt_platform::PlatformStore`):
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
//! With the feature `seal` the records are encrypted; `examples/stored.rs` shows both.
//!
//! What an application does not need it leaves out by the crate's features: without one of them the
//! configuration that asks for it is refused, and a device saves the flash.
//!
//! # On Zephyr
//!
//! `thread_mqtt_platform::config` makes the configuration of Kconfig's options, for
//! [`Mqtt::new`]; `rust/app` in the repository is a whole application.
//!
//! # Several threads
//!
//! [`Mqtt`] belongs to one thread. The others leave commands in a [`Mailbox`] behind a lock of the
//! program's and wake the port; nothing waits for a handshake then. See [`Driver::collect`].
//!
//! # What it is not
//!
//! Not asynchronous: one thread runs a connection, and its port's `wait` is the only call that
//! blocks. Not a store: without a [`Store`] messages and sessions live in memory.
//!
//! **Every message ends in one event, published or given up, however often the connection fails in
//! between.**
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
