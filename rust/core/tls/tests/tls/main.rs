//! The connection against rustls over aws-lc-rs in this process. `rust/test/interop` has OpenSSL.

mod configuration;
mod files;
mod handshake;
mod memory;
mod mutation;
mod pair;
mod peers;
mod pins;
mod pki;
mod refusal;
mod resumption;
mod stream;
mod withdrawn;
