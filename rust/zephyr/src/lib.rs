//! The client for Zephyr.
//!
//! ```text
//!  C product                       include/thread_mqtt.h
//!      |
//!  api, handle      the C functions; a thread that runs the client, a lock around it
//!      |
//!  port             thread_mqtt_driver::Port over zephyr/src/port.h
//!      |
//!  zephyr/src/*.c   sockets, OpenThread, entropy, log: every name of Zephyr is there
//! ```
//!
//! Built by `zephyr/CMakeLists.txt` as a static library with the feature `runtime`. What it can do
//! is chosen by features, which Kconfig's `THREAD_MQTT_*` options set.
#![no_std]
extern crate alloc;

mod api;
mod ffi;
mod handle;
mod port;
#[cfg(all(feature = "runtime", target_os = "none"))]
mod runtime;
mod settings;
mod text;
