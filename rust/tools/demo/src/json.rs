//! The outcome as one JSON object, which `--help` documents.
use crate::options::Options;
use crate::run::Outcome;
use serde::Serialize;

#[derive(Serialize)]
struct Report<'a> {
    ok: bool,
    broker: &'a str,
    nat64_prefix: Option<&'a str>,
    broker_address: Option<&'a str>,
    tls_version: Option<String>,
    cipher_suite: Option<&'a str>,
    mqtt_version: &'a str,
    qos: u8,
    seed: u64,
    stages: Vec<Stage<'a>>,
    published: u32,
    received: u32,
    frames: u64,
    bytes: u64,
    wireshark: Option<&'a str>,
    error: Option<Error<'a>>,
}

#[derive(Serialize)]
struct Stage<'a> {
    name: &'a str,
    ms: f64,
    frames: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct Error<'a> {
    stage: &'a str,
    cause: &'a str,
    cure: &'a str,
}

/// Returns one object on several lines.
pub fn render(options: &Options, outcome: &Outcome) -> String {
    let stages = outcome.stages.iter().map(|stage| Stage {
        name: stage.name,
        // Whole microseconds, so that the decimal fraction is exact.
        ms: stage.cost.at.as_micros() as f64 / 1000.0,
        frames: stage.cost.frames,
        bytes: stage.cost.bytes,
    });
    let report = Report {
        ok: outcome.ok(),
        broker: &outcome.broker,
        nat64_prefix: outcome.nat64_prefix.as_deref(),
        broker_address: outcome.broker_address.as_deref(),
        tls_version: outcome.tls.as_ref().map(|tls| tls.version.to_string()),
        cipher_suite: outcome.tls.as_ref().map(|tls| tls.suite()),
        mqtt_version: options.mqtt.number(),
        qos: options.qos,
        seed: options.seed,
        stages: stages.collect(),
        published: outcome.published,
        received: outcome.received,
        frames: outcome.total.frames,
        bytes: outcome.total.bytes,
        wireshark: outcome.wireshark.as_deref(),
        error: outcome.failure.as_ref().map(|failure| Error {
            stage: failure.stage,
            cause: &failure.cause,
            cure: &failure.cure,
        }),
    };
    serde_json::to_string_pretty(&report).expect("numbers, strings and lists are JSON")
}
