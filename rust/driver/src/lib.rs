//! Runs a client over a port: sockets, wake-up, clock and entropy.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

mod driver;
mod port;
mod rng;

pub use driver::{Driver, RECEIVE_BUFFER};
pub use port::{Interest, Port, Received, TcpState};
