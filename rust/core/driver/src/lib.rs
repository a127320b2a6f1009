//! Runs a client over a port: sockets, wake-up, clock and entropy.
//!
//! ```text
//!             ┌──────────────────── Driver::turn ───────────────────┐
//!  Client ◀───┤ network, clock, TCP, datagrams, answers, timers     ├◀─── Port
//!  (machine)  │                                                     │    (platform)
//!         ───▶│ connect, close, send, datagrams, names, wait        ├───▶
//!             └─────────────────────────────────────────────────────┘
//! ```
//!
//! A [`Port`] is what a platform brings: one TCP connection, UDP for DNS, a resolver, a clock,
//! entropy, and one call that waits. Every other call returns at once, so one thread is enough,
//! and the application may share it.
//!
//! The loop, for an application that does something else in between;
//! [`run`](Driver::run) is the same for one that does not:
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
//! Back-pressure reaches from the application to the broker: events not taken fill the session,
//! which then takes no more bytes; they wait in the driver's buffer, TCP's window closes, and the
//! wait no longer asks for what cannot be taken ([`Interest`]).
//!
//! A platform without entropy does not get weak random numbers: the query that needed them is not
//! sent, and the attempt fails with [`Cause::NoEntropy`](thread_mqtt_client::Cause::NoEntropy). The pauses
//! between attempts have no jitter then, they are as long as they may be.
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
