//! The interop matrix: this project's TLS, with both crypto providers, against implementations that
//! share no code with it. This crate contains only tests.
//!
//! ```text
//! thread-mqtt-client ──▶ Mosquitto          MQTT in both directions, over each kind of handshake
//!           │
//!   thread-mqtt-tls ─────▶ openssl s_server   every combination, written out in `matrix`
//!      │         │
//!  soft-provider  psa-provider
//! ```
//!
//! A combination that a provider does not support is not skipped: it must be refused, with the
//! expected reason. The tests count what they run, and a test compares the counts with
//! `docs/interop.md`. To update the page: `THREAD_MQTT_WRITE_DOCS=1 cargo test -p
//! thread-mqtt-interop`.
#![forbid(unsafe_code)]

#[cfg(test)]
mod backend;
#[cfg(test)]
mod clouds;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod files;
#[cfg(test)]
mod known;
#[cfg(test)]
mod matrix;
#[cfg(test)]
mod mosquitto;
#[cfg(test)]
mod openssl;
#[cfg(test)]
mod page;
#[cfg(test)]
mod pki;
#[cfg(test)]
mod refusal;
#[cfg(test)]
mod scratch;
#[cfg(test)]
mod shapes;
#[cfg(test)]
mod wire;
