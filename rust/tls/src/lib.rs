//! TLS 1.2 and 1.3 by rustls as a byte-stream machine without sockets or clocks.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod alert;
mod buffer;
mod certificate;
mod choice;
mod clock;
mod config;
mod config_error;
mod connection;
mod credentials;
mod der;
mod error;
mod fault;
mod resume;
mod verify;

pub use rustls::crypto::CryptoProvider;
pub use rustls::sign::SigningKey;
pub use rustls_pki_types::TrustAnchor;

pub use alert::Alert;
pub use certificate::{CertificateSummary, PublicKey};
pub use choice::{Group, Suite, UnknownName, Version};
pub use clock::CertificateTime;
pub use config::{Config, ConfigBuilder};
pub use config_error::ConfigError;
pub use connection::{Agreed, BufferSizes, Connection};
pub use error::{BadMessage, Greeting, Incompatible, Misbehaviour, TlsError};
pub use fault::CertificateFault;
pub use resume::{SessionCounters, SessionStore};
