//! Keeps a device connected to its broker: resolve, connect, TLS, MQTT, back off, again.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

mod action;
mod addresses;
mod alarms;
mod backoff;
mod config;
mod error;
mod event;
mod link;
mod machine;

pub use action::Action;
pub use config::{Config, ConfigError, Retry, Timers};
pub use error::{Cause, TcpError};
pub use event::{Event, Reached, Stage};
pub use machine::Client;
