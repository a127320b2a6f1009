//! The port over `include/thread_mqtt_port.h`: what the client needs from a platform written in C.
//!
//! ```text
//!  thread-mqtt-c-api    rust/app
//!            \         /
//!     port, crypto, config, storage     thread_mqtt_driver::Port; the crypto backend; the options
//!                |
//!         thread_mqtt_port.h            implemented by zephyr/src/*.c, rust/port/posix/c/*.c
//! ```
//!
//! A Rust application runs a [`Driver`](thread_mqtt_driver::Driver) over a [`PlatformPort`], as
//! `rust/app` does. A C application uses the crate `thread-mqtt-c-api`.
#![no_std]
extern crate alloc;

pub mod config;
pub mod credentials;
pub mod crypto;
pub mod ffi;
#[cfg(feature = "allocator")]
mod heap;
#[cfg(feature = "logger")]
mod line;
#[cfg(feature = "logger")]
mod logger;
mod options;
pub mod port;
#[cfg(feature = "runtime")]
mod runtime;
mod session_store;
mod storage;

#[cfg(feature = "logger")]
pub use logger::start_log;
pub use options::{OptionError, hardware_client_id, options, resolver_config};
pub use port::{
    NoStack, PlatformPort, PortGuard, PortLock, PortMutex, PortThread, Registration, Waker,
    build_time, set_unix_time,
};
#[cfg(feature = "durable")]
pub use session_store::PlatformStore;
pub use session_store::{ClientError, SessionKey, SessionName, SessionStore, client};
pub use storage::{keep_time, time_floor};
