//! The published rustls, for tests that use it as a server.
//!
//! A client can be built with a rustls without server code
//! (`CONFIG_THREAD_MQTT_RUSTLS_CLIENT_ONLY`). The tests of `thread-mqtt-tls` and
//! `thread-mqtt-interop` also run with that one, while their server uses the complete crate from
//! here. Otherwise the two are the same.
#![forbid(unsafe_code)]

pub use rustls::*;
