//! Measures what connecting and publishing cost on the air, and writes a page of the documentation.
//!
//! Everything runs against the broker inside the world, so the page repeats byte for byte.
use crate::device::Device;
use crate::entropy::Entropy;
use crate::failure::{Failure, stage_name};
use crate::network::Network;
use crate::options::{Mqtt, Options, Peer, Tls};
use crate::screen::thousands;
use crate::timeline::Mark;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;
use thread_mqtt_client::{Event, Reached, Stage};
use thread_mqtt_session::{Event as Mqttd, Message, QoS};

const TOPIC: &str = "home/kitchen/temperature";
const PAYLOAD: &[u8] = b"{\"temperature\":21.5}";

/// The protocol versions of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Variant {
    tls: &'static str,
    certificate: &'static str,
    mqtt: &'static str,
}

const VARIANTS: [(Variant, Tls, Peer, Mqtt); 6] = [
    variant(
        "TLS 1.2",
        "RSA-2048",
        "5",
        Tls::V12,
        Peer::Virtual,
        Mqtt::V5,
    ),
    variant(
        "TLS 1.3",
        "RSA-2048",
        "5",
        Tls::V13,
        Peer::Virtual,
        Mqtt::V5,
    ),
    variant(
        "TLS 1.2",
        "P-256",
        "5",
        Tls::V12,
        Peer::VirtualEcdsa,
        Mqtt::V5,
    ),
    variant(
        "TLS 1.3",
        "P-256",
        "5",
        Tls::V13,
        Peer::VirtualEcdsa,
        Mqtt::V5,
    ),
    variant(
        "TLS 1.2",
        "RSA-2048",
        "3.1.1",
        Tls::V12,
        Peer::Virtual,
        Mqtt::V311,
    ),
    variant(
        "TLS 1.3",
        "RSA-2048",
        "3.1.1",
        Tls::V13,
        Peer::Virtual,
        Mqtt::V311,
    ),
];

const fn variant(
    version: &'static str,
    certificate: &'static str,
    mqtt: &'static str,
    tls: Tls,
    peer: Peer,
    protocol: Mqtt,
) -> (Variant, Tls, Peer, Mqtt) {
    let variant = Variant {
        tls: version,
        certificate,
        mqtt,
    };
    (variant, tls, peer, protocol)
}

/// The measured quantities, with their values for all seeds.
type Results = BTreeMap<(Variant, &'static str), Vec<Mark>>;

/// Measures over the seeds 1 to `seeds`, and writes the page.
pub fn document(seeds: u64) -> Result<String, Failure> {
    let mut results = Results::new();
    for (variant, tls, peer, mqtt) in VARIANTS {
        for seed in 1..=seeds {
            let options = Options {
                tls: Some(tls),
                peer,
                mqtt,
                seed,
                ..Options::new()
            };
            for (what, cost) in measure(&options)? {
                results.entry((variant, what)).or_default().push(cost);
            }
        }
    }
    Ok(page(&results, seeds))
}

/// Measures one seed: connect, publish at each QoS, disconnect, connect again.
fn measure(options: &Options) -> Result<Vec<(&'static str, Mark)>, Failure> {
    let network = Network::new(options)?;
    let entropy = Entropy::seeded(options.seed);
    let mut bench = Bench {
        device: Device::new(options, &network, entropy, "sensor-1".to_owned())?,
        network,
        costs: Vec::new(),
    };
    let first = ["attach", "", "", "dns", "tcp", "tls", "connack"];
    bench.connect(first, "all")?;
    for (what, qos) in [
        ("qos 0", QoS::AtMostOnce),
        ("qos 1", QoS::AtLeastOnce),
        ("qos 2", QoS::ExactlyOnce),
    ] {
        bench.publish(what, qos)?;
    }
    bench.disconnect();
    let again = ["", "", "", "", "tcp again", "tls again", "connack again"];
    bench.connect(again, "all again")?;
    Ok(bench.costs)
}

struct Bench {
    device: Device,
    network: Network,
    costs: Vec<(&'static str, Mark)>,
}

impl Bench {
    fn next_event(&mut self, patience: Duration) -> Option<Event> {
        let limit = self.network.world.now() + patience;
        self.device.next_event(limit, || true)
    }

    /// Connects, and records the cost of each stage under its name, if it has one. Records the sum
    /// from TCP to the end, including late frames, under `all`.
    fn connect(&mut self, names: [&'static str; 7], all: &'static str) -> Result<(), Failure> {
        let mut last = Mark::now(&self.network.world);
        let mut resolved = last;
        self.device.start();
        loop {
            match self.next_event(Duration::from_secs(300)) {
                Some(Event::Reached(reached)) => {
                    let now = Mark::now(&self.network.world);
                    let name = names[reached.stage() as usize];
                    if !name.is_empty() {
                        self.costs.push((name, now.since(last)));
                    }
                    last = now;
                    match reached {
                        Reached::Resolved(_) => resolved = now,
                        Reached::Online { .. } => {
                            self.settle(all, resolved, now);
                            return Ok(());
                        }
                        _ => {}
                    }
                }
                Some(Event::Failed { stage, cause, .. }) => {
                    return Err(Failure::from_cause(stage, &cause));
                }
                Some(_) => {}
                None => return Err(out_of_time(stage_name(Stage::Attach))),
            }
        }
    }

    fn publish(&mut self, what: &'static str, qos: QoS) -> Result<(), Failure> {
        let before = Mark::now(&self.network.world);
        let message = Message::new(TOPIC, PAYLOAD).qos(qos);
        self.device
            .client()
            .publish(message)
            .map_err(|error| Failure::from_error("publish", &error))?;
        loop {
            match self.next_event(Duration::from_secs(60)) {
                Some(Event::Session(Mqttd::Published(_))) => break,
                Some(Event::Failed { stage, cause, .. }) => {
                    return Err(Failure::from_cause(stage, &cause));
                }
                Some(_) => {}
                None => return Err(out_of_time("publish")),
            }
        }
        self.settle(what, before, Mark::now(&self.network.world));
        Ok(())
    }

    fn disconnect(&mut self) {
        self.device.stop();
        let begun = Mark::now(&self.network.world);
        while !matches!(
            self.next_event(Duration::from_secs(30)),
            Some(Event::Stopped) | None
        ) {}
        self.settle("disconnect", begun, Mark::now(&self.network.world));
    }

    /// Records the traffic between two moments, including frames soon afterwards: a late TCP
    /// acknowledgement, for example, belongs to what caused it.
    fn settle(&mut self, what: &'static str, from: Mark, to: Mark) {
        const SOON: Duration = Duration::from_secs(1);
        while self.next_event(SOON).is_some() {}
        let late = Mark::now(&self.network.world).since(from);
        let at = to.since(from).at;
        self.costs.push((what, Mark { at, ..late }));
    }
}

fn out_of_time(stage: &'static str) -> Failure {
    Failure::new(
        stage,
        "the measurement timed out",
        "run the demo with the same --seed to see where it stalls",
    )
}

fn page(results: &Results, seeds: u64) -> String {
    let mut page = String::new();
    // Writing to a string cannot fail.
    write_page(&mut page, results, seeds).ok();
    page
}

fn write_page(page: &mut String, results: &Results, seeds: u64) -> std::fmt::Result {
    writeln!(
        page,
        "\
# Measured on the air

Generated by `cargo run -p thread-mqtt-demo -- --measure > docs/measurements.md`. The output is reproducible
byte for byte. Do not edit by hand.

A real OpenThread device talks to a real OpenThread border router over a simulated lossless radio. The
broker is inside the simulation, 10 ms behind the border router. Figures are medians over {seeds} seeds, with
the minimum and maximum in brackets if they differ. Frames and bytes are those of both nodes, including
retransmissions, acknowledgements and any other traffic on the air. The bytes of a frame are counted from
its MAC header to its checksum; the 6 bytes of preamble and length before it are not. Times are network
time: the device's own computation takes no time here and comes on top. The device's TCP is configured like
Zephyr's TCP in a product; `rust/port/sim/src/port.rs` lists what is equal and what differs.

The certificate chain has three certificates (the root is not sent). The key exchange is X25519, without a
client certificate. The sums from TCP to CONNACK include one more second, because TLS 1.3 sends its session
ticket after the handshake.

## Connect

| stage | ms | frames | bytes |
| --- | ---: | ---: | ---: |"
    )?;
    let rsa12 = VARIANTS[0].0;
    for (name, what) in [
        ("attach (from switching the device on)", "attach"),
        ("DNS: A and AAAA", "dns"),
        ("TCP", "tcp"),
    ] {
        row(page, name, results, rsa12, what)?;
    }
    for (variant, ..) in VARIANTS.iter().take(4) {
        let name = format!("{}, {} chain", variant.tls, variant.certificate);
        row(page, &name, results, *variant, "tls")?;
    }
    for (variant, ..) in [VARIANTS[0], VARIANTS[4]] {
        let name = format!("CONNECT to CONNACK, MQTT {}", variant.mqtt);
        row(page, &name, results, variant, "connack")?;
    }
    for (variant, ..) in VARIANTS.iter().take(4) {
        let name = format!(
            "**TCP to CONNACK, {}, {}, MQTT 5**",
            variant.tls, variant.certificate
        );
        row(page, &name, results, *variant, "all")?;
    }
    writeln!(
        page,
        "
## Connect again, TLS resumed

| stage | ms | frames | bytes |
| --- | ---: | ---: | ---: |"
    )?;
    row(page, "TCP", results, rsa12, "tcp again")?;
    for (variant, ..) in VARIANTS.iter().take(2) {
        let name = format!("{}, resumed", variant.tls);
        row(page, &name, results, *variant, "tls again")?;
    }
    for (variant, ..) in [VARIANTS[0], VARIANTS[4]] {
        let name = format!("CONNECT to CONNACK, MQTT {}", variant.mqtt);
        row(page, &name, results, variant, "connack again")?;
    }
    for (variant, ..) in VARIANTS.iter().take(2) {
        let name = format!("**TCP to CONNACK, {}, MQTT 5**", variant.tls);
        row(page, &name, results, *variant, "all again")?;
    }
    writeln!(
        page,
        "
## One message

{} bytes of payload on a topic of {} bytes. The time is until the acknowledgement (QoS 0: until
the message is passed to TCP). Frames and bytes include one more second and so TCP's last acknowledgement.

| | ms | frames | bytes |
| --- | ---: | ---: | ---: |",
        PAYLOAD.len(),
        TOPIC.len()
    )?;
    for (variant, ..) in [VARIANTS[4], VARIANTS[5], VARIANTS[0], VARIANTS[1]] {
        for qos in ["qos 0", "qos 1", "qos 2"] {
            let name = format!(
                "MQTT {}, {}, {}",
                variant.mqtt,
                variant.tls,
                qos.replace("qos", "QoS")
            );
            row(page, &name, results, variant, qos)?;
        }
    }
    writeln!(
        page,
        "
A normal DISCONNECT, including the TLS alert and TCP's FIN in both directions:

| | ms | frames | bytes |
| --- | ---: | ---: | ---: |"
    )?;
    row(page, "MQTT 5, TLS 1.2", results, rsa12, "disconnect")
}

fn row(
    page: &mut String,
    name: &str,
    results: &Results,
    variant: Variant,
    what: &'static str,
) -> std::fmt::Result {
    let costs = results.get(&(variant, what)).map_or(&[][..], Vec::as_slice);
    let of = |part: fn(&Mark) -> u64| spread(costs.iter().map(part).collect());
    writeln!(
        page,
        "| {name} | {} | {} | {} |",
        of(|cost| u64::try_from(cost.at.as_millis()).unwrap_or(u64::MAX)),
        of(|cost| cost.frames),
        of(|cost| cost.bytes)
    )
}

/// Formats `median (min–max)`, or the single value.
fn spread(mut values: Vec<u64>) -> String {
    values.sort_unstable();
    match (values.first(), values.get(values.len() / 2), values.last()) {
        (Some(min), Some(median), Some(max)) if min < max => format!(
            "{} ({}–{})",
            thousands(*median),
            thousands(*min),
            thousands(*max)
        ),
        (Some(only), ..) => thousands(*only),
        _ => "not measured".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads_show_the_median_and_the_ends() {
        assert_eq!(spread(vec![3, 1, 2000]), "3 (1–2,000)");
        assert_eq!(spread(vec![7, 7]), "7");
        assert_eq!(spread(Vec::new()), "not measured");
    }
}
