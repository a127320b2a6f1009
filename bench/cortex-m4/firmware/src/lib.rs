//! What is measured: TLS alone, with MQTT, or the whole client, on an emulated board.
//!
//! `../c` brings the board and calls `board_client`; `../measure.py` builds, runs and reports.
#![no_std]
extern crate alloc;

mod board;
#[cfg(feature = "client")]
mod client;
#[cfg(feature = "mqtt")]
mod mqtt;
#[cfg(not(feature = "client"))]
mod tls;

use core::fmt::Display;
#[cfg(feature = "psa")]
use thread_mqtt_psa_provider::suites;
#[cfg(feature = "soft")]
use thread_mqtt_soft_provider::suites;
use thread_mqtt_tls::{Config, CryptoProvider, Group, Version};

#[cfg(feature = "client")]
use client::run;
#[cfg(feature = "mqtt")]
use mqtt::run;
#[cfg(not(any(feature = "client", feature = "mqtt")))]
use tls::run;

#[cfg(any(feature = "client", feature = "mqtt"))]
const TOPIC: &str = "thread-mqtt/cortex-m4";

#[cfg(any(feature = "client", feature = "mqtt"))]
fn mqtt_version() -> thread_mqtt_session::Version {
    match board::parameters().mqtt_version {
        4 => thread_mqtt_session::Version::V311,
        _ => thread_mqtt_session::Version::V5,
    }
}

/// Records of the peer are 4 KiB at most, and one flight of handshake messages fits beside.
const INBOUND: usize = 4_096 + 256;
/// Ours are short.
const OUTBOUND: usize = 1_024;

#[cfg(feature = "soft")]
fn provider() -> Result<CryptoProvider, &'static str> {
    Ok(CryptoProvider {
        #[cfg(feature = "ed25519")]
        signature_verification_algorithms:
            thread_mqtt_soft_provider::verify::SUPPORTED_WITH_ED25519,
        ..thread_mqtt_soft_provider::provider::<board::Board>()
    })
}

#[cfg(feature = "psa")]
fn provider() -> Result<CryptoProvider, &'static str> {
    match thread_mqtt_psa_provider::provider() {
        Ok(detected) => Ok(detected.provider),
        Err(_) => Err("PSA is of no use"),
    }
}

/// TLS as a run is told to do it. Its frame is gone before the connection begins.
#[inline(never)]
fn configure() -> Result<Config, &'static str> {
    let parameters = board::parameters();
    let provider = provider()?;
    board::phase(c"provider");
    let wanted = |id| move |choice: &&Version| choice.id() == id;
    let version = Version::ALL.iter().find(wanted(parameters.tls_version));
    let group = Group::ALL
        .iter()
        .find(|group| group.id() == parameters.group);
    let (Some(version), Some(group)) = (version, group) else {
        return Err("no such version or group");
    };
    let config = Config::builder(provider)
        .in_place(suites::in_place)
        .ca(parameters.ca)
        .map_err(|_| "the CA is of no use")?
        .versions(&[*version])
        .groups(&[*group])
        .max_inbound(INBOUND)
        .max_outbound(OUTBOUND)
        .build()
        .map_err(|_| "the configuration is of no use")?;
    board::phase(c"configure");
    Ok(config)
}

/// Says what went wrong in the library's own words, as a product would that has them.
fn said(error: impl Display) -> &'static str {
    if cfg!(feature = "sentences") {
        board::say(&alloc::format!("{error}"));
    }
    "it failed"
}

#[unsafe(no_mangle)]
extern "C" fn board_client() -> i32 {
    match run() {
        Ok(()) => 0,
        Err(reason) => {
            board::say(reason);
            -1
        }
    }
}
