//! Certificates, brokers and TLS servers for tests and the demo.
//!
//! For hosts only. Nothing here belongs on a device or in production: some keys are public, and
//! some randomness repeats by design.
//!
//! | module | contents |
//! | --- | --- |
//! | [`identity`] | a certificate chain with its key |
//! | `pki` | certificate chains generated on the fly, with any key, name and date (feature `generate`) |
//! | [`fixed`] | two chains that never change, for runs that must repeat byte for byte |
//! | [`broker`] | Mosquitto on a plain loopback port |
//! | [`front`] | TLS in front of any plain port, with control over versions, suites and misbehaviour |
//! | [`peer`] | a small broker with TLS as a deterministic state machine without sockets |
//! | [`tls`] | the settings of a TLS server, the same for `front` and `peer` |
//! | [`random`] | seeded randomness behind the device's crypto provider |
//!
//! Two ways to test a client:
//!
//! ```text
//! real sockets     client ── TLS ──> front ── plain ──> broker (or mosquitto, or yours)
//! simulated world  client ── bytes in memory ──> peer, on virtual time
//! ```
//!
//! A broker that supports only TLS 1.2 with ECDHE-RSA-AES128-GCM-SHA256:
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
