//! The MQTT 3.1.1 and 5 session as a state machine without sockets or clocks.
//!
//! [`Session`] turns commands (publish, subscribe, …) and bytes from the broker into bytes for the
//! broker and events for the application. It opens no connection, reads no clock and knows nothing
//! about TLS. Its owner moves the bytes and passes in the current time.
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
//! One iteration of a loop that owns a session and a byte stream:
//!
//! ```
//! use std::io::{Read, Write};
//! use std::time::Duration;
//! use thread_mqtt_session::{Config, Event, Message, QoS, Session, SessionError};
//!
//! /// Call when the stream is readable or writable, or at the time returned by the last call.
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
//! // The stream is open: sends CONNECT, and after the CONNACK everything queued.
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
//! # Guarantees
//!
//! - **QoS 0** messages arrive at most once. They wait in the outbox like all others while there is
//!   no connection, and are done ([`Event::Published`]) once the transport has taken them.
//! - **QoS 1** messages arrive at least once and **QoS 2** messages exactly once, over any number
//!   of connections, as long as both sides keep the session. After a reconnect, everything
//!   unacknowledged is retransmitted in the original order: as PUBLISH with DUP, or as PUBREL if
//!   the broker already has the message (section 4.4). A QoS 2 message is kept until PUBCOMP.
//! - **If the broker lost the session** (Session Present is 0), granted subscriptions are renewed
//!   first, then unacknowledged messages are sent as new ones. A QoS 2 message that was in flight
//!   may then arrive twice, which [`Event::SentAgain`] reports, or is given up, depending on
//!   [`Config::lost_session`].
//! - **If the broker resumes a session that is not ours** (after a restart, or because a client
//!   identifier is used twice), an MQTT 5 connection is closed \[MQTT-3.2.2-4\] and the next one
//!   asks for a new session. With MQTT 3.1.1 the session continues: before a packet identifier is
//!   first used with QoS 2, a PUBREL clears any state that the broker may still have for it.
//! - **Received messages are acknowledged when the application takes them** from
//!   [`Session::poll_event`]. A message that was not taken before the connection was lost is still
//!   delivered. It may then arrive a second time with QoS 1, but not with QoS 2. QoS 2 follows
//!   method B of section 4.3.3: the session keeps the identifier, not the message, and delivers the
//!   message before PUBREL.
//! - **No message or filter blocks the others.** A message too large to receive is skipped
//!   ([`Event::Skipped`]). One that ends every connection is found and given up
//!   ([`Config::suspect_after`]). An answer that never comes ends the connection
//!   ([`Config::ack_timeout`]).
//! - **A restart** loses nothing that was accepted as durable, provided the session
//!   [has a store](Session::with_store) and the broker keeps the session. Messages are stored
//!   before they are accepted and deleted when they are acknowledged. Also stored are the QoS 2
//!   state in both directions, the subscriptions, and which client identifier and broker the
//!   session belongs to.
//! - **A message larger than the maximum packet size** arrives in pieces if
//!   [`Config::max_size_in_pieces`] allows it, using the memory of one packet. It is acknowledged
//!   with its last piece. If it is cut short, [`Event::MessageCut`] reports it; [`CutReason`] tells
//!   whether it will come again. An outgoing message in pieces uses the memory of one piece
//!   ([`Session::publish_in_pieces`]).
//! - **Back-pressure** reaches the broker: [`Session::handle_input`] takes no more packets than
//!   there is room for the events they cause.
//! - **Keep-alive** (section 3.1.2.10): PINGREQ is sent when the transport has taken no bytes, or
//!   delivered none, for that long. Any received byte shows that the connection is alive. If none
//!   arrives within [`Config::response_timeout`] after PINGREQ was handed to the transport, the
//!   connection is considered dead.
//! - **A broken or hostile broker** causes a [`SessionError`], never a panic, and never memory use
//!   beyond the limits. Acknowledgements that match nothing outstanding are ignored.
//! - **Constant cost**: publishing, sending or acknowledging a message neither scans nor moves the
//!   others, however many are queued (`examples/outbox.rs`).
//!
//! # Out of scope
//!
//! The session is not a connection manager: reconnecting, back-off, names and TLS belong to the
//! crate above. It has no storage of its own: its owner provides a [`Store`]. It supports no
//! enhanced authentication (AUTH), no subscription identifiers, no outgoing topic aliases, and no
//! subscription options except the QoS.
//!
//! MQTT itself cannot handle one case. If a broker loses the session, and the CONNACK that says so
//! is lost as well, the next CONNACK reports the new session as present. The session then renews
//! its subscriptions to be safe, but messages between PUBREC and PUBCOMP may be lost or arrive
//! twice.
//!
//! # Memory
//!
//! All allocations are bounded. A session uses at most, in bytes:
//!
//! ```text
//!   outbox_bytes + 250 x outbox_messages     commands in the outbox
//! + max_packet_size                          one packet being assembled
//! + event_bytes + 2 x max_packet_size        untaken events, and the packet that exceeded the limit
//! + topic_alias_maximum x longest topic      MQTT 5 only
//! + the subscribed filters
//! + 5 KiB                                    packets being transmitted, received identifiers
//! ```
//!
//! An outgoing payload above 512 bytes is never copied: [`Session::transmit`] returns a view of the
//! application's own memory. An incoming payload is copied once, from the transport's buffer. In
//! addition, CONNECT is encoded when a connection begins and freed when it is sent.
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
