//! The whole path in one command: a Thread device publishes through NAT64, over TLS, to an
//! IPv4-only broker.
//!
//! ```text
//! device ))) border router ── NAT64 ── bridge ── TLS front ── broker
//! └──────── thread-sim, one process ────────┘    └── 127.0.0.1 ──┘
//! ```
//!
//! The device and the border router are real OpenThread on a simulated radio ([`thread_sim`]), the
//! client is the project's own ([`thread_mqtt_client`]), and the broker is
//! [`thread_mqtt_testkit`]'s or the user's. [`run`](run::run) performs one run and returns its
//! [`Outcome`](run::Outcome). Other modules present it: [`screen`] to a person, [`json`] to a
//! program, [`plot`] as a picture, [`measure`] as a page of the documentation.
//!
//! If the broker is inside the simulated world, a run repeats byte for byte, which the tests use:
//!
//! ```
//! use thread_mqtt_demo::options::{Options, Peer};
//! use thread_mqtt_demo::run::{Silent, run};
//!
//! let options = Options {
//!     peer: Peer::Virtual,
//!     loss: 10.0,
//!     seed: 7,
//!     ..Options::new()
//! };
//! let outcome = run(&options, &mut Silent);
//! assert!(outcome.ok());
//! assert_eq!(outcome.total, run(&options, &mut Silent).total);
//! ```
//!
//! This is a demonstration and a test bench. The client to use is `thread-mqtt`.
#![forbid(unsafe_code)]
pub mod check;
pub mod device;
pub mod entropy;
pub mod failure;
pub mod json;
pub mod keylog;
pub mod measure;
pub mod network;
pub mod options;
pub mod plot;
pub mod run;
pub mod screen;
pub mod timeline;
pub mod trust;
