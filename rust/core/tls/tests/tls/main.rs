//! The connection against rustls with aws-lc-rs in the same process. `rust/test/interop` uses
//! OpenSSL.

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
