//! The MQTT 3.1.1 and 5 session as a machine without sockets or clocks.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

mod config;
mod error;
mod event;
mod finish;
mod input;
mod link;
mod message;
mod outbox;
mod output;
mod packet;
mod reason;
mod session;
mod state;

pub use config::{Config, ConfigError, Field, QoS, Version};
pub use error::{CommandError, PublishError, SessionError};
pub use event::{Event, Token};
pub use link::Limits;
pub use message::{Message, Properties};
pub use reason::{ConnectRefusal, ReasonCode};
pub use session::Session;
