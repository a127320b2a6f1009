//! The connection against other TLS stacks: rustls over aws-lc-rs in this process, and OpenSSL.

mod configuration;
mod handshake;
mod mutation;
mod openssl;
mod pair;
mod pki;
mod refusal;
mod resumption;
mod stream;
