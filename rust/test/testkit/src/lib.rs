//! Certificates, brokers and TLS servers that tests and the demo talk to.
//!
//! Host side only. Nothing here belongs on a device, and nothing here is for
//! production: some keys are public, some randomness repeats by design.
//!
//! | module | what it gives |
//! | --- | --- |
//! | [`identity`] | a certificate chain with its key |
//! | `pki` | certificate chains made on the spot, with any key, name and date (feature `generate`) |
//! | [`fixed`] | two chains that never change, for runs that must repeat byte for byte |
//! | [`broker`] | Mosquitto on a plain loopback port |
//! | [`front`] | TLS before any plain port, with control over versions, suites and misbehaviour |
//! | [`peer`] | a small broker with TLS as a deterministic machine without sockets |
//! | [`tls`] | the choices of a TLS server, the same for `front` and `peer` |
//! | [`random`] | seeded randomness behind the device's crypto provider |
//!
//! Two ways to stand opposite a client:
//!
//! ```text
//! real sockets     client ── TLS ──> front ── plain ──> broker (or mosquitto, or yours)
//! simulated world  client ── bytes in memory ──> peer, on virtual time
//! ```
//!
//! A broker that speaks exactly TLS 1.2 with ECDHE-RSA-AES128-GCM-SHA256:
//!
//! ```
//! use thread_mqtt_testkit::broker::{Broker, Config};
//! use thread_mqtt_testkit::front::Front;
//! use thread_mqtt_testkit::fixed::Fixed;
//! use thread_mqtt_testkit::tls::Tls;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let broker = Broker::start(&Config::default())?;
//! let front = Front::start(&Tls::tls12_ecdhe_rsa(Fixed::Rsa2048.server()), broker.address())?;
//! println!("mqtts://{} trusting {}", front.address(), Fixed::Rsa2048.root_pem());
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]
mod background;
pub mod broker;
pub mod fixed;
pub mod front;
pub mod identity;
pub mod peer;
#[cfg(feature = "generate")]
pub mod pki;
pub mod random;
pub mod tls;
