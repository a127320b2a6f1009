//! Cipher suites by their IANA names.
//!
//! [`crate::provider`] offers those of them whose algorithms the backend has.

#[cfg(feature = "tls12")]
pub use crate::tls12::*;
pub use crate::tls13::*;
