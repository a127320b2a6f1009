//! The functions of `include/thread_mqtt.h`, for C applications.
//!
//! ```text
//!  C application      include/thread_mqtt.h
//!      |
//!  api, settings      the functions; validates a C configuration and builds the client's
//!      |  setup       its certificates and keys, which the client's thread reads
//!  given, events      data from C, and data to C
//!      |
//!  handle             shared by the application's threads and the client's: a mailbox
//!      |
//!  worker             the client's thread, which owns the client
//!      |
//!  thread-mqtt-platform   sockets, thread, lock, clock and storage, over port.h
//! ```
//!
//! `zephyr/CMakeLists.txt` builds it as a static library with the feature `runtime`. Features
//! select its capabilities; Kconfig's `THREAD_MQTT_*` options set them.
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
