//! The interop matrix: this project's TLS, over both crypto providers, against
//! implementations that share no code with it. There is nothing here but tests.
//!
//! ```text
//!   thread-mqtt-client ──▶ Mosquitto          MQTT there and back, over each kind of handshake
//!           │
//!   thread-mqtt-tls ─────▶ openssl s_server   every combination, written out in `matrix`
//!      │         │
//!  soft-provider  psa-provider
//! ```
//!
//! A combination that a provider cannot do is not left out: it must be refused, and with
//! the reason that the test expects. What was run is counted, and the counts stand in
//! `docs/interop.md`, which a test compares with what it has just seen. To write the page
//! anew: `THREAD_MQTT_WRITE_DOCS=1 cargo test -p thread-mqtt-interop`.
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
