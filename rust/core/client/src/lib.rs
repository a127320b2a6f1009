//! Keeps a device connected to its broker: resolve, connect, TLS, MQTT, back off, repeat.
//!
//! ```text
//!  attach ─▶ prefix ─▶ time ─▶ resolve ─▶ TCP ─▶ TLS ─▶ MQTT ─▶ online
//!    ▲                             │      │       │        │
//!    │                             ▼      ▼       ▼        ▼
//!    └──── pause, with jitter ◀────┴──────┴───────┴────────┘
//! ```
//!
//! [`Client`] controls the order of these stages and nothing else: [`thread_mqtt_resolve`] turns a
//! name into addresses, [`thread_mqtt_tls`] encrypts, [`thread_mqtt_session`] speaks MQTT. It is a
//! state machine without sockets, a clock or randomness of its own; `thread-mqtt-driver` runs it on
//! a platform.
//!
//! # Behaviour
//!
//! docs/reconnect.md explains this to users, with the reasons.
//!
//! - **Addresses.** The client tries all addresses in turn until TCP connects. A silent one gets
//!   only [`Timers::next_address`] while there are others. A later failure, in TLS or MQTT, ends
//!   the attempt: all addresses lead to the same broker, and a handshake is expensive. Addresses
//!   that failed since they last worked come last, so that they do not hold up the others. The
//!   address that last proved stable comes first. If no resolver answers it is the only one tried,
//!   since DNS may fail while the broker is up.
//! - **Brokers.** If several are configured ([`Failover`]), a failed attempt moves on to the next
//!   one, in order or by weight. After a while the client returns to a preferred one. Each broker's
//!   certificate is checked for that broker's own name. A session belongs to the broker that holds
//!   it, unless the brokers form a cluster. An MQTT 5 broker may redirect to another one.
//! - **Pauses.** Every failure is followed by another attempt. The pause before it is drawn evenly
//!   between zero and a ceiling that doubles ("full jitter"), so that a fleet does not reconnect in
//!   waves. A connection that proves stable resets the ceiling: the broker answered something after
//!   its CONNACK, and [`Timers::stable_after`] has passed. Failures that only a person can fix (a
//!   certificate, credentials) are retried at the slowest pace from the start, but they *are*
//!   retried: a device in the field must recover by itself once the other side works again. If the
//!   network improves (attached again, or a missing prefix appeared), the pause is cut to a random
//!   instant within [`Timers::network_jitter`], because every device sees the change at once. After
//!   the first few times this happens at most once a minute: the pause then lasts until the minute
//!   is over.
//! - **The network.** A connection survives a detachment: TCP retransmits, and the keep-alive
//!   decides. It does not survive the loss of its NAT64 prefix. If the border router withdraws
//!   that, packets lead nowhere, and the client reconnects through another prefix.
//! - **Silence.** [`KeepAlive::Auto`] finds out how long the path tolerates silence.
//! - **The time.** A device that boots without a clock queries the time before it checks a
//!   certificate ([`TimeConfig`]). The answer is believed as long as no certificate contradicts it.
//!   Without an answer the client either connects with weaker checks and reports that, or does not
//!   connect.
//! - **What survives.** The MQTT session with its unacknowledged messages, the TLS tickets, the DNS
//!   cache, and what was learned about addresses, brokers and the path outlive a connection.
//!   Buffers and handshakes do not.
//! - **Memory.** Everything is bounded. The client keeps the latest 32 of its own events that the
//!   application has not polled ([`Event::Missed`]), and the session applies back-pressure to the
//!   broker.
//!
//! # Limitations
//!
//! It is neither an executor nor a socket library, and it stores nothing in flash. What should
//! survive a reboot is the application's to store ([`Client::time_floor`] as a [`KeptFloor`], the
//! session store of TLS).
//!
//! # Use
//!
//! Each stage that succeeds or fails is an [`Event`], with the cause as a sentence. Messages and
//! acknowledgements arrive as [`Event::Session`].
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
//! // The platform reports that the network is up; the client asks for a connection.
//! let network = Network { attached: true, ..Network::default() };
//! client.handle_network(&network, now);
//! let action = client.poll_action(now, &mut rng);
//! assert_eq!(action, Some(Action::TcpConnect("[2001:db8::1]:1883".parse()?)));
//! assert_eq!(client.poll_event(), Some(Event::Reached(Reached::Attached)));
//!
//! // TCP is connected: CONNECT goes out.
//! client.handle_tcp_connected(now);
//! let sent = client.transmit(now).len();
//! client.consume_transmit(sent);
//!
//! // CONNACK arrives.
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
