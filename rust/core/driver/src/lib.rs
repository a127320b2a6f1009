//! Runs a client on a port: sockets, wake-up, clock and entropy.
//!
//! ```text
//!             ┌──────────────────── Driver::turn ───────────────────┐
//!  Client ◀───┤ network, clock, TCP, datagrams, answers, timers     ├◀─── Port
//!  (machine)  │                                                     │    (platform)
//!         ───▶│ connect, close, send, datagrams, names, wait        ├───▶
//!             └─────────────────────────────────────────────────────┘
//! ```
//!
//! A [`Port`] is the interface to the platform: one TCP connection, UDP for DNS, a resolver, a
//! clock, entropy, and one call that waits. Every other call returns at once, so a single thread is
//! enough, and the application may share it.
//!
//! The following loop is for applications that do other work between turns. For all others,
//! [`run`](Driver::run) does the same:
//!
//! ```no_run
//! use thread_mqtt_client::Event;
//! use thread_mqtt_driver::{Driver, Port};
//!
//! fn keep_connected<P: Port>(driver: &mut Driver<P>) {
//!     driver.start();
//!     loop {
//!         let mut busy = driver.turn();
//!         while let Some(event) = driver.poll_event() {
//!             busy = true;
//!             if event == Event::Stopped {
//!                 return;
//!             }
//!         }
//!         if !busy {
//!             driver.wait();
//!         }
//!     }
//! }
//! ```
//!
//! Back-pressure reaches from the application to the broker. If events are not taken, the session
//! fills up and takes no more bytes. The bytes stay in the driver's buffer, TCP's window closes,
//! and the wait no longer asks for data that cannot be taken ([`Interest`]).
//!
//! On a platform without entropy, no weak random numbers are used. A query that needs them is not
//! sent, and the attempt fails with [`Cause::NoEntropy`](thread_mqtt_client::Cause::NoEntropy). The
//! pauses between attempts then have no jitter and take their maximum length.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

mod driver;
mod mailbox;
mod port;
mod rng;

pub use driver::{Driver, RECEIVE_BUFFER};
pub use mailbox::Mailbox;
pub use port::{Interest, Port, Received, TcpState};
pub use rng::PortRng;
