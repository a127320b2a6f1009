//! The client for Zephyr.
//!
//! ```text
//!  C product                       include/thread_mqtt.h
//!      |
//!  api, handle      the C functions; a thread that runs the client, a lock around it
//!      |
//!  port, crypto     thread_mqtt_driver::Port over zephyr/src/port.h; the crypto backend
//!      |
//!  zephyr/src/*.c   sockets, OpenThread, entropy, log: every name of Zephyr is there
//! ```
//!
//! Built by `zephyr/CMakeLists.txt` as a static library with the features `c-api` and `runtime`.
//! What it can do is chosen by features, which Kconfig's `THREAD_MQTT_*` options set.
//!
//! An application in Rust needs neither: it runs a [`Driver`](thread_mqtt_driver::Driver) over a
//! [`PlatformPort`], as `rust/app` does.
#![no_std]
extern crate alloc;

#[cfg(feature = "c-api")]
mod api;
#[cfg(feature = "c-api")]
mod credentials;
pub mod crypto;
#[cfg(feature = "c-api")]
mod failure;
mod ffi;
#[cfg(feature = "c-api")]
mod handle;
#[cfg(all(feature = "allocator", target_os = "none"))]
mod heap;
#[cfg(feature = "logger")]
mod logger;
mod options;
mod port;
#[cfg(feature = "shell")]
mod questions;
#[cfg(all(feature = "runtime", target_os = "none"))]
mod runtime;
#[cfg(feature = "c-api")]
mod settings;
mod storage;
#[cfg(any(feature = "c-api", feature = "logger"))]
mod text;

#[cfg(feature = "logger")]
pub use logger::start_log;
pub use options::{OptionError, hardware_client_id, resolver_config};
pub use port::{PlatformPort, build_time, set_unix_time};
pub use storage::{keep_time, time_floor};
