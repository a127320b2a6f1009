//! Keeps a device connected to its broker: resolve, connect, TLS, MQTT, back off, again.
//!
//! ```text
//!  attach ─▶ prefix ─▶ time ─▶ resolve ─▶ TCP ─▶ TLS ─▶ MQTT ─▶ online
//!    ▲                             │      │       │        │
//!    │                             ▼      ▼       ▼        ▼
//!    └──── pause, with jitter ◀────┴──────┴───────┴────────┘
//! ```
//!
//! [`Client`] owns the order of things and nothing else: [`thread_mqtt_resolve`] makes addresses of
//! a name, [`thread_mqtt_tls`] encrypts, [`thread_mqtt_session`] speaks MQTT. It is a machine
//! without sockets, clock or randomness of its own; `thread-mqtt-driver` runs it over a platform.
//!
//! # What it decides
//!
//! docs/reconnect.md tells it to users, with the reasons.
//!
//! - **Addresses.** All are tried, one after the other, until TCP connects; a silent one gets
//!   [`Timers::next_address`] while there is another. A failure after that, of TLS or of MQTT, ends the
//!   attempt: the same broker is behind all of its addresses, and a handshake is dear. Addresses that
//!   failed since they were last good come last, so that none blocks the others. The one that last
//!   proved stable comes first, and alone when no resolver answers: DNS may fail while the broker is
//!   well.
//! - **Brokers.** Of several ([`Failover`]) the next one is tried when an attempt has failed, in order
//!   or by weight, and a preferred one again after a while. Each is checked for its own name. A session
//!   belongs to the broker that holds it, unless they are a cluster. A broker of MQTT 5 may point to
//!   another one.
//! - **Pauses.** Every failure is followed by another attempt, after a pause drawn evenly between zero
//!   and a ceiling that doubles ("full jitter"), so that a fleet does not come back in waves. A
//!   connection that proved stable resets it: the broker answered something after its CONNACK, and
//!   [`Timers::stable_after`] has passed. What only a person can correct (a certificate, credentials)
//!   is tried at the slowest pace from the start, but it *is* tried: a device in the field must come
//!   back by itself when the other side works again. A better network, attached again or with a prefix
//!   that was missing, shortens the pause: to an instant within [`Timers::network_jitter`], because
//!   every device sees the change at once, and not more often than once a minute after the first few:
//!   the pause then lasts until the minute is over.
//! - **The network.** A connection outlives a detachment: TCP retransmits, and the keep-alive
//!   decides. It does not outlive the NAT64 prefix it goes through: when the border router withdraws
//!   that, packets lead nowhere, and the client connects anew through another.
//! - **Silence.** [`KeepAlive::Auto`] finds out how long the path bears it.
//! - **The time.** A device that boots without a clock asks for the time before it looks at a
//!   certificate ([`TimeConfig`]). What it is told is believed as long as no certificate contradicts
//!   it. Without an answer it connects with weaker checks, and says so, or not at all.
//! - **What survives.** The MQTT session with its unacknowledged messages, the TLS tickets, the DNS
//!   cache, and what was learnt of addresses, brokers and path outlive a connection. Buffers and
//!   handshakes do not.
//! - **Memory.** Nothing grows without a bound: of its own events the client keeps the latest 32 that
//!   the application has not taken ([`Event::Missed`]), and the session holds the broker back.
//!
//! # What it is not
//!
//! Not an executor and not a socket library, and it keeps nothing in flash: what should survive a
//! reboot is the application's to store ([`Client::time_floor`] as a [`KeptFloor`], the session store
//! of TLS).
//!
//! # Use
//!
//! Each stage that is reached and each that fails is an [`Event`] with a cause in words; messages
//! and acknowledgements come as [`Event::Session`].
//!
//! ```
//! use core::time::Duration;
//! use thread_mqtt_client::{Action, Client, Config, Event, Reached, Stage};
//! use thread_mqtt_resolve::Network;
//! # struct Zeros;
//! # impl rand_core::TryRng for Zeros {
//! #     type Error = core::convert::Infallible;
//! #     fn try_next_u32(&mut self) -> Result<u32, Self::Error> { Ok(0) }
//! #     fn try_next_u64(&mut self) -> Result<u64, Self::Error> { Ok(0) }
//! #     fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Self::Error> { dst.fill(0); Ok(()) }
//! # }
//! # let mut rng = Zeros;
//!
//! let config = Config::new("mqtt://[2001:db8::1]".parse()?);
//! let mut client = Client::new(config)?;
//! let now = Duration::ZERO;
//! client.start(now);
//! assert_eq!(client.stage(), Some(Stage::Attach));
//!
//! // The platform tells that the network is up; the client asks for a connection.
//! let network = Network { attached: true, ..Network::default() };
//! client.handle_network(&network, now);
//! let action = client.poll_action(now, &mut rng);
//! assert_eq!(action, Some(Action::TcpConnect("[2001:db8::1]:1883".parse()?)));
//! assert_eq!(client.poll_event(), Some(Event::Reached(Reached::Attached)));
//!
//! // It is there: CONNECT goes out.
//! client.handle_tcp_connected(now);
//! let sent = client.transmit(now).len();
//! client.consume_transmit(sent);
//!
//! // CONNACK comes in.
//! assert_eq!(client.handle_tcp_data(&[0x20, 3, 0, 0, 0], now), 5);
//! assert!(client.is_online());
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

mod action;
mod addresses;
mod alarms;
mod backoff;
mod brokers;
mod config;
mod error;
mod event;
mod keepalive;
mod machine;
mod queue;
mod stream;
mod time;

pub use action::Action;
pub use brokers::{Broker, BrokerListError, Failover};
pub use config::{Config, ConfigError, Retry, Timers};
pub use error::{Cause, SetupError, TcpError};
pub use event::{Event, Reached, Stage};
pub use keepalive::KeepAlive;
pub use machine::Client;
pub use time::{FloorError, KeptFloor, TimeConfig, TimeError, TimePolicy, TimeServer, Utc};
