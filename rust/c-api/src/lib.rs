//! The functions of `include/thread_mqtt.h`, for a C product.
//!
//! ```text
//!  C product          include/thread_mqtt.h
//!      |
//!  api, settings      the functions; a C configuration, checked and made into a client's
//!      |
//!  handle             a client with its thread, and the lock around it
//!      |
//!  thread-mqtt-platform   sockets, thread, lock, clock and storage, over port.h
//! ```
//!
//! Built by `zephyr/CMakeLists.txt` as a static library with the feature `runtime`. What it can do
//! is chosen by features, which Kconfig's `THREAD_MQTT_*` options set.
#![no_std]
extern crate alloc;

mod api;
mod credentials;
mod failure;
mod handle;
#[cfg(feature = "shell")]
mod questions;
mod settings;
mod text;

use thread_mqtt_platform::ffi;
