//! TLS 1.2 and 1.3 by rustls as a byte-stream machine without sockets or clocks.
//!
//! A device speaks TLS to its broker through rustls's *unbuffered* API, behind a small machine:
//! bytes in, bytes out, plain text on the other side. No `std`, no thread, no socket, no clock and
//! no source of random numbers of its own; the cryptography is a
//! [`CryptoProvider`] that is handed in. Only this crate and the crypto providers
//! know rustls: what a user meets are the names of this crate.
//!
//! ```text
//!          handle_ciphertext, handle_eof   +------------+   plaintext, consume_plaintext
//!  TCP  ---------------------------------> | Connection | -------------------------------->  MQTT
//!       <--------------------------------- |            | <--------------------------------
//!          ciphertext, consume_ciphertext  +------------+   write, close, refresh_keys
//!                                             |      |
//!           Config: CAs, identity, suites, limits    SessionStore: outlives connections
//! ```
//!
//! # A run loop
//! ```
//! use std::error::Error;
//! use std::io::{Read, Write};
//! use thread_mqtt_tls::{Config, Connection, CryptoProvider, Suite};
//!
//! /// Made once: the one suite that this broker speaks, and the CA that issued its certificate.
//! fn configure(provider: CryptoProvider, ca: &[u8]) -> Result<Config, Box<dyn Error>> {
//!     let suite: Suite = "ECDHE-RSA-AES128-GCM-SHA256".parse()?;
//!     Ok(Config::builder(provider).ca(ca)?.suites(&[suite]).build()?)
//! }
//!
//! /// Sends `request` over a connected socket and returns the beginning of the answer.
//! fn ask(
//!     config: &Config,
//!     socket: &mut (impl Read + Write),
//!     unix_time: u64,
//!     mut request: &[u8],
//! ) -> Result<Vec<u8>, Box<dyn Error>> {
//!     let mut tls = Connection::new(config, "broker.example", unix_time)?;
//!     let mut received = [0; 1500];
//!     loop {
//!         // What the application has to say: nothing is taken before the handshake is done.
//!         let n = tls.write(request)?;
//!         request = &request[n..];
//!         // What TLS has to say.
//!         let n = socket.write(tls.ciphertext())?;
//!         tls.consume_ciphertext(n);
//!         if !tls.ciphertext().is_empty() {
//!             continue;
//!         }
//!         // What the peer has to say.
//!         let n = socket.read(&mut received)?;
//!         if n == 0 {
//!             tls.handle_eof()?;
//!         }
//!         let mut rest = &received[..n];
//!         while !rest.is_empty() {
//!             match tls.handle_ciphertext(rest) {
//!                 Ok(n) => rest = &rest[n..],
//!                 Err(error) => {
//!                     // The alert that tells the peer why.
//!                     let _ = socket.write(tls.ciphertext());
//!                     return Err(format!("{error}; {}", error.cure()).into());
//!                 }
//!             }
//!             if !tls.plaintext().is_empty() {
//!                 return Ok(tls.plaintext().to_vec());
//!             }
//!         }
//!     }
//! }
//! # #[derive(Debug)]
//! # struct R;
//! # impl thread_mqtt_soft_provider::Random for R {
//! #     fn fill(b: &mut [u8]) -> Result<(), thread_mqtt_soft_provider::RandomError> {
//! #         b.fill(4);
//! #         Ok(())
//! #     }
//! # }
//! # let error = configure(thread_mqtt_soft_provider::provider::<R>(), b"").unwrap_err();
//! # assert!(error.to_string().starts_with("a CA certificate is needed"));
//! ```
//!
//! # What can be chosen
//! Versions, [suites](Suite) and [groups](Group) one by one and in order
//! ([`ConfigBuilder`]); CAs as PEM bundle, DER or constants in flash; a client certificate, also
//! with a key that never leaves its keystore; [pins](Pin), beside a CA or in its place; ALPN; the
//! extended master secret; the size of buffers and fragments; the [`SessionStore`]. A choice that cannot work is refused when the configuration is built, with a
//! [`ConfigError`] that names the culprit.
//!
//! # Files
//! Certificates and keys are read in every wrapping that leaves one meaning: PEM with a byte order
//! mark, as UTF-16, with any line ends or with those written out, indented, in strings of C or JSON;
//! DER with padding. What is something else is named for what it is ([`FileKind`]), with the command
//! that converts it; what is damaged, with its place ([`Damage`]); and [`ConfigError::given`] says
//! which of the things given it was.
//!
//! # Chains
//! The certificates that a broker sends may be more than those of the path to a CA, and in any order.
//! The path is found by names before anything is verified, and bounded
//! ([`ConfigBuilder::max_chain`]).
//!
//! # Time
//! Certificates are checked against the time given to [`Connection::new`]. A device whose clock is
//! not set yet says so with [`CertificateTime::AtLeast`]; the check is never skipped.
//!
//! # Errors
//! A [`TlsError`] is a sentence with the cause, and has a cure. It tells apart what looks alike from
//! afar: a port that does not speak TLS, a broker that hangs up, each alert, each fault of a
//! certificate with its names and dates. [`Connection::peer_certificates`] shows what the broker
//! sent, also when it was refused. A crypto provider that can tell what failed inside it is asked
//! for that ([`ConfigBuilder::provider_failures`]).
//!
//! After an error, drop the connection before making another: a provider on PSA Crypto refuses to
//! work for connections that were open when a hash failed.
//!
//! # Memory
//! What a handshake takes at most and what an open connection keeps, on a Cortex-M4 with either
//! provider, stands in docs/footprint.md with the command that measures it. Most of it is the chain:
//! as received, copied by rustls, and copied again into a kept session.
//!
//! Receiving a record of *n* bytes takes *n*, above 4 KiB in whole KiB (but not beyond a full record), in one piece, which then hold the plaintext
//! until it is read. Without [`ConfigBuilder::in_place`] rustls takes *n* more for a moment, for a copy. A record is
//! only as long as the peer makes it. Where the heap has no room for one, the sessions kept for resumption
//! are forgotten for it. Sending takes the outbound buffer (limit: [`ConfigBuilder::max_outbound`]) and one
//! record inside rustls. [`Connection::buffer_sizes`] says what the buffers take at a moment:
//! nothing while they are empty.
//!
//! What a peer sends costs memory before it has shown who it is, so the heap is asked first: for a
//! copy of what was received and 1 KiB, at least 2.5 KiB, in a handshake; for 384 bytes after it, and for
//! the copies that a record or a ticket takes (on 32 bits, twice that on 64). Where that is missing the connection fails with
//! [`TlsError::OutOfMemory`]. RSA, where it is in Rust, asks for its numbers itself: 1.5 kB with a key of
//! 2048 bits, 3 kB with 4096. Names in certificates are cut ([`CertificateSummary`]) and left out
//! without room for them, and a chain is bounded ([`ConfigBuilder::max_chain`]). Not bounded is what
//! rustls makes of long lists of short elements before anybody can look at them, such as the names
//! of thousands of CAs in a CertificateRequest: several times what was received, and a program
//! without heap ends. [`ConfigBuilder::max_inbound`] bounds that, too.
//!
//! # What it is not
//! - No server. No 0-RTT (MQTT has nothing in it that may be replayed). No renegotiation.
//! - No revocation lists and no OCSP: a revoked certificate is accepted until it expires.
//! - It cannot ask the peer for small records (RFC 8449): rustls has no such extension.
//! - Sessions do not survive a reset; [`SessionStore`] says why.
//!
//! # Features
//! `tls12` (default): TLS 1.2. Without it TLS 1.3 alone is built, which saves some 15 kB of flash.
//! `choice` (default): suites and groups by name. Without it they are the provider's.
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
mod damage;
mod der;
mod error;
mod fault;
mod identity;
mod kind;
mod mismatch;
mod path;
#[cfg(feature = "pem")]
mod pem;
mod pin;
mod resume;
mod roots;
mod verify;

pub use rustls::KeyLog;
pub use rustls::SignatureScheme;
pub use rustls::crypto::CryptoProvider;
pub use rustls::sign::SigningKey;
pub use rustls_pki_types::TrustAnchor;

pub use alert::{Alert, AlertContext};
pub use certificate::{CertificateSummary, PublicKey};
pub use choice::{Group, Suite, UnknownName, Version};
pub use clock::CertificateTime;
pub use config::{Config, ConfigBuilder};
pub use config_error::{ConfigError, Fault, Given};
pub use connection::{Agreed, BufferSizes, Connection};
pub use damage::Damage;
pub use der::civil;
pub use error::{BadMessage, Greeting, Incompatible, Misbehaviour, ProviderFailure, TlsError};
pub use fault::{CertificateFault, NameMismatch, NotPinned, Signature};
pub use kind::FileKind;
pub use pin::{BadPin, Pin};
pub use resume::{SessionCounters, SessionStore};
