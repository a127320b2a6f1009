//! TLS 1.2 and 1.3 on rustls, as a byte-stream state machine without sockets or clocks.
//!
//! This crate wraps rustls's *unbuffered* API in a small state machine: ciphertext in and out on
//! one side, plaintext on the other. It uses no `std`, threads, sockets, clocks or random number
//! source of its own. The caller supplies the cryptography as a [`CryptoProvider`]. Only this crate
//! and the crypto providers depend on rustls; its public API uses names of its own.
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
//! /// Called once: with the suite that this broker supports and the CA that issued its certificate.
//! fn configure(provider: CryptoProvider, ca: &[u8]) -> Result<Config, Box<dyn Error>> {
//!     let suite: Suite = "ECDHE-RSA-AES128-GCM-SHA256".parse()?;
//!     Ok(Config::builder(provider).ca(ca)?.suites(&[suite]).build()?)
//! }
//!
//! /// Sends `request` over a connected socket and returns the start of the response.
//! fn ask(
//!     config: &Config,
//!     socket: &mut (impl Read + Write),
//!     unix_time: u64,
//!     mut request: &[u8],
//! ) -> Result<Vec<u8>, Box<dyn Error>> {
//!     let mut tls = Connection::new(config, "broker.example", unix_time)?;
//!     let mut received = [0; 1500];
//!     loop {
//!         // Application data; nothing is taken before the handshake is done.
//!         let n = tls.write(request)?;
//!         request = &request[n..];
//!         // Ciphertext for the peer.
//!         let n = socket.write(tls.ciphertext())?;
//!         tls.consume_ciphertext(n);
//!         if !tls.ciphertext().is_empty() {
//!             continue;
//!         }
//!         // Ciphertext from the peer.
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
//! # assert!(error.to_string().starts_with("expected a CA certificate"));
//! ```
//!
//! # What can be configured
//! - Versions, [suites](Suite) and [groups](Group), one by one and in order of preference
//!   ([`ConfigBuilder`]).
//! - CAs, as a PEM bundle, as DER, or as constants in flash.
//! - A client certificate. Its key may stay in a keystore that never releases it.
//! - [Pins](Pin), in addition to a CA or instead of one.
//! - ALPN and the extended master secret.
//! - The sizes of buffers and fragments, and the [`SessionStore`].
//!
//! A combination that cannot work is rejected when the configuration is built, with a
//! [`ConfigError`] that names the culprit.
//!
//! # Files
//! Certificates and keys are accepted in any unambiguous encoding: PEM with a byte order mark, as
//! UTF-16, with any line endings or with escaped ones, indented, or in C or JSON strings; DER with
//! padding. If the input is something else, the error says what it is ([`FileKind`]) and gives the
//! command that converts it. If it is damaged, the error says where ([`Damage`]).
//! [`ConfigError::given`] says which of the inputs is at fault.
//!
//! # Chains
//! A broker may send more certificates than the path to a CA needs, and in any order. The path is
//! built by name before any signature is verified, and its length is limited
//! ([`ConfigBuilder::max_chain`]).
//!
//! # Time
//! Certificates are checked against the time passed to [`Connection::new`]. If the clock is not set
//! yet, pass [`CertificateTime::AtLeast`]. The check is never skipped.
//!
//! # Errors
//! A [`TlsError`] states the cause in one sentence and has a cure. It distinguishes failures that
//! look alike from the outside: a port that does not speak TLS, a broker that hangs up, each alert,
//! and each certificate fault with its names and dates. [`Connection::peer_certificates`] returns
//! what the broker sent, even if it was refused. A crypto provider that records its own failures is
//! queried for them ([`ConfigBuilder::provider_failures`]).
//!
//! After an error, drop the connection before making another one: a provider on PSA Crypto refuses
//! to work for connections that were open when a hash failed.
//!
//! # Memory
//! docs/footprint.md lists the peak of a handshake and the size of an open connection on a
//! Cortex-M4 for either provider, with the command that measures them. Most of it is the
//! certificate chain: as received, as copied by rustls, and as copied again into a kept session.
//!
//! Receiving a record of *n* bytes takes *n* bytes in one piece, rounded up to whole KiB above 4
//! KiB (but not beyond a full record). The same buffer then holds the plaintext until it is read.
//! Without [`ConfigBuilder::in_place`], rustls briefly takes another *n* bytes for a copy. A record
//! is only as long as the peer makes it. If the heap has no room for it, the sessions kept for
//! resumption are dropped to make room. Sending takes the outbound buffer (limited by
//! [`ConfigBuilder::max_outbound`]) and one record inside rustls. [`Connection::buffer_sizes`]
//! returns the current size of the buffers, which is zero while they are empty.
//!
//! A peer can make the device allocate before it has authenticated itself, so the heap is checked
//! first. During a handshake there must be room for a copy of the received bytes plus 1 KiB, and
//! for at least 2.5 KiB. Afterwards there must be room for 384 bytes plus the copies that a record
//! or a ticket needs. (These figures are for 32 bits; they double on 64.) Otherwise the connection
//! fails with [`TlsError::OutOfMemory`]. RSA in Rust checks the room for its numbers itself: 1.5 kB
//! for a 2048-bit key, 3 kB for 4096. Names in certificates are truncated ([`CertificateSummary`])
//! or, without room for them, left out, and the length of a chain is limited
//! ([`ConfigBuilder::max_chain`]). One case has no limit: rustls parses long lists of short
//! elements, such as the names of thousands of CAs in a CertificateRequest, before anything can
//! inspect them. That takes several times the received size, and if the heap runs out the program
//! aborts. [`ConfigBuilder::max_inbound`] limits this case, too.
//!
//! # Limitations
//! - No server side, no 0-RTT (MQTT has nothing that may be replayed) and no renegotiation.
//! - No revocation lists and no OCSP: a revoked certificate is accepted until it expires.
//! - It cannot ask the peer for small records (RFC 8449), because rustls lacks that extension.
//! - Sessions do not survive a reset; [`SessionStore`] explains why.
//!
//! # Features
//! - `tls12` (default): TLS 1.2. Without it only TLS 1.3 is built, which saves some 15 kB of flash.
//! - `choice` (default): suites and groups by name. Without it the provider's are used.
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
