//! The MQTT 3.1.1 and 5 session as a machine without sockets or clocks.
//!
//! [`Session`] turns commands (publish, subscribe, …) and the bytes of a broker into bytes for the
//! broker and events for the application. It opens no connection, reads no clock, and knows
//! nothing of TLS: its owner moves the bytes and says what time it is.
//!
//! ```text
//!              publish, subscribe,             Event::Published,
//!              unsubscribe, disconnect         Event::Message, …
//!                        |                            ^
//!   application          v                            |
//!   --------------- +---------------------------------------------+ --------------
//!   Session         |  outbox  --->  staged packets      events   |
//!                   |    ^  survives a lost connection      ^     |
//!                   |    |           |                      |     |
//!                   |    +-- acknowledgements <-- packets --+     |
//!   --------------- +---------------------------------------------+ --------------
//!   byte stream                      |                  ^
//!   (TCP or TLS)          transmit / consume_transmit   handle_input
//! ```
//!
//! # Example
//!
//! One turn of a loop that owns a session and a byte stream:
//!
//! ```
//! use std::io::{Read, Write};
//! use std::time::Duration;
//! use thread_mqtt_session::{Config, Event, Message, QoS, Session, SessionError};
//!
//! /// Call when the stream can be read or written, or when the time in the result has come.
//! fn turn(
//!     session: &mut Session,
//!     stream: &mut (impl Read + Write),
//!     received: &[u8],
//!     now: Duration,
//! ) -> Result<Option<Duration>, SessionError> {
//!     let taken = session.handle_input(received, now)?;
//!     assert_eq!(taken, received.len(), "this loop takes every event at once");
//!     session.handle_timeout(now)?;
//!     while let Some(event) = session.poll_event() {
//!         match event {
//!             Event::Message(message) => println!("{}", message.topic),
//!             Event::Published(token) => println!("{token:?} is with the broker"),
//!             other => println!("{other:?}"),
//!         }
//!     }
//!     loop {
//!         let bytes = session.transmit(now);
//!         if bytes.is_empty() {
//!             return Ok(session.poll_timeout());
//!         }
//!         let n = stream.write(bytes).expect("a stream that works");
//!         session.consume_transmit(n);
//!     }
//! }
//!
//! let mut session = Session::new(Config {
//!     client_id: "sensor-7".into(),
//!     keep_alive: Duration::from_secs(300),
//!     ..Config::default()
//! })?;
//! session.subscribe(&[("sensor/7/set", QoS::AtLeastOnce)])?;
//! session.publish(Message::new("sensor/7/temperature", "21.5").qos(QoS::AtLeastOnce))?;
//!
//! // The stream is open: CONNECT goes out, and with the CONNACK everything queued.
//! # struct Broker;
//! # impl Read for Broker { fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> { Ok(0) } }
//! # impl Write for Broker {
//! #     fn write(&mut self, b: &[u8]) -> std::io::Result<usize> { Ok(b.len()) }
//! #     fn flush(&mut self) -> std::io::Result<()> { Ok(()) }
//! # }
//! # let mut stream = Broker;
//! session.connect(Duration::ZERO);
//! turn(&mut session, &mut stream, &[], Duration::ZERO)?;
//! let connack = [0x20, 3, 0, 0, 0];
//! let due = turn(&mut session, &mut stream, &connack, Duration::from_secs(1))?;
//! assert!(session.is_connected());
//! assert_eq!(due, Some(Duration::from_secs(121)), "SUBACK and PUBACK have to be there by then");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is promised
//!
//! - **QoS 0** arrives at most once. It waits in the outbox like everything else while there is no
//!   connection, and is done ([`Event::Published`]) when the transport has taken it.
//! - **QoS 1** arrives at least once, **QoS 2** exactly once, over any number of connections, as
//!   long as both sides keep the session. After a reconnect what is unacknowledged goes out again
//!   in the original order, with DUP, or as PUBREL once the broker had it (section 4.4). A QoS 2
//!   message is kept until PUBCOMP.
//! - If the **broker lost the session** (Session Present is 0), unacknowledged messages are sent
//!   anew, and granted subscriptions are repeated before them. A QoS 2 message that was under way
//!   may then arrive twice, and [`Event::SentAgain`] says so; or it is given up, as
//!   [`Config::lost_session`] says.
//! - A **session that is not ours** (after a restart, or a client identifier used twice) ends an
//!   MQTT 5 connection \[MQTT-3.2.2-4\]; the next one asks for a new session. With MQTT 3.1.1 it
//!   goes on, and PUBREL before the first use of a packet identifier with QoS 2 ends what the broker
//!   may remember of it.
//! - **Received messages are acknowledged when the application takes them** from
//!   [`Session::poll_event`]. One not taken before the connection is lost is still delivered; QoS 1
//!   may then come a second time, QoS 2 not. QoS 2 follows method B of section 4.3.3: the
//!   identifier is kept, not the message, and it is delivered before PUBREL.
//! - **No message and no filter keeps the others from passing**: one that is too large to be
//!   received is skipped ([`Event::Skipped`]), one that ends every connection is found and given up
//!   ([`Config::suspect_after`]), and an answer that never comes ends the connection
//!   ([`Config::ack_timeout`]).
//! - **A restart** loses nothing that was accepted as durable, if the session
//!   [has a storage](Session::with_store) and the broker keeps the session: messages are stored before
//!   they are accepted and forgotten when they are acknowledged, with the state of QoS 2 in both
//!   directions, the subscriptions and whose session it is.
//! - **A message larger than a packet may be** arrives in pieces, where
//!   [`Config::max_size_in_pieces`] allows it, in the memory that a packet takes. It is acknowledged
//!   with its last piece; one that is cut is told ([`Event::MessageCut`]) and begins again. On its
//!   way out it takes the memory of one piece ([`Session::publish_in_pieces`]).
//! - **Back-pressure** reaches the broker: [`Session::handle_input`] takes no more packets than
//!   there is room for the events they lead to.
//! - **Keep-alive** (section 3.1.2.10): PINGREQ when for that long the transport took no byte, or
//!   brought none. Anything that arrives is a sign of life; if nothing does within
//!   [`Config::response_timeout`] after PINGREQ was handed to the transport, the path is dead.
//! - **A broken or hostile broker** leads to a [`SessionError`], never to a panic, and never to
//!   memory beyond the limits. Acknowledgements of nothing are passed over.
//! - **Time**: to publish, send or acknowledge one message scans and moves nothing, however many
//!   wait (`examples/outbox.rs`).
//!
//! # What it is not
//!
//! Not a connection manager: reconnecting, back-off, names and TLS live in the crate above. No
//! storage of its own: a [`Store`] is what its owner brings. No enhanced authentication (AUTH), no
//! subscription identifiers, no topic aliases of our own, no subscription options but the QoS.
//!
//! One thing MQTT has no means for: if a broker loses the session, and the CONNACK that says so is
//! lost as well, the next CONNACK calls the new session present. Subscriptions are repeated then to
//! be sure, but what was between PUBREC and PUBCOMP may be lost or arrive twice.
//!
//! # Memory
//!
//! Nothing is allocated without a bound. The most a session holds, in bytes:
//!
//! ```text
//!   outbox_bytes + 250 x outbox_messages     commands under way
//! + max_packet_size                          one packet being put together
//! + event_bytes + 2 x max_packet_size        events not taken, and the packet that filled them
//! + topic_alias_maximum x longest topic      MQTT 5 only
//! + the filters subscribed to
//! + 5 KiB                                    packets being transmitted, received identifiers
//! ```
//!
//! A payload above 512 bytes is never copied on its way out: [`Session::transmit`] shows the
//! application's own memory. On its way in it is copied once, from the transport's buffer.
//! Besides, CONNECT is encoded when a connection begins and let go when it is sent.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

mod command;
mod config;
mod durable;
mod error;
mod event;
mod finish;
mod input;
mod item;
mod link;
mod message;
mod options;
mod outbox;
mod output;
mod packet;
mod pieces;
mod reason;
mod request;
mod room;
mod secret;
mod session;
mod slab;
mod state;
mod steer;
mod subscriptions;
mod suspects;

pub use command::{Command, Load};
pub use config::{Config, ConfigError, Field, LostSession, Overflow, QoS, Version};
pub use durable::{ENCRYPTED, Store, StoreError};
#[cfg(feature = "durable")]
pub use durable::{is_message, is_record};
pub use error::{CommandError, PublishError, SessionError};
pub use event::{BrokerText, CutReason, Event, Token};
pub use link::Limits;
pub use message::{Message, Properties};
pub use options::{Priority, PublishOptions};
pub use packet::frame::heap_has;
pub use packet::skip::SkipReason;
pub use packet::{Fault, PacketType};
pub use pieces::Pieces;
pub use reason::{ConnectRefusal, ReasonCode};
pub use room::Room;
pub use secret::Secret;
pub use session::Session;
