//! rustls as it was published, for tests whose server is made of it.
//!
//! A client can be built of a rustls that is no server any more (`CONFIG_THREAD_MQTT_RUSTLS_CLIENT_ONLY`).
//! The tests of `thread-mqtt-tls` and `thread-mqtt-interop` run with that one, too, and their server still
//! has the whole crate from here. Otherwise the two are the same.
#![forbid(unsafe_code)]

pub use rustls::*;
