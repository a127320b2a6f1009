//! The functions of `include/thread_mqtt.h`, for a C product.
//!
//! ```text
//!  C product          include/thread_mqtt.h
//!      |
//!  api, settings      the functions; a C configuration, checked and made into a client's
//!      |  setup       its certificates and keys, which the client's thread reads
//!  given, events      what C hands over, and what it is handed
//!      |
//!  handle             what the application's threads share with the client's: a mailbox
//!      |
//!  worker             the client's thread, to which the client belongs
//!      |
//!  thread-mqtt-platform   sockets, thread, lock, clock and storage, over port.h
//! ```
//!
//! Built by `zephyr/CMakeLists.txt` as a static library with the feature `runtime`. What it can do
//! is chosen by features, which Kconfig's `THREAD_MQTT_*` options set.
#![no_std]
extern crate alloc;

mod api;
mod events;
mod failure;
mod given;
mod handle;
#[cfg(feature = "shell")]
mod questions;
mod receipts;
mod settings;
mod setup;
mod text;
mod worker;

use thread_mqtt_platform::ffi;
