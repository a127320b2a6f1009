//! The options that a user can set.
use clap::{ArgAction, Parser, ValueEnum};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;
use std::time::Duration;
use thread_mqtt_session::{QoS, Version as MqttVersion};
use thread_mqtt_tls::Version as TlsVersion;

/// Name of the broker inside the demo. Only an A record exists for it.
pub const BROKER_NAME: &str = "broker.example.com";

/// The apparent address of that broker; reserved for documentation (RFC 5737).
pub const BROKER_ADDRESS: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(203, 0, 113, 10), 8883);

/// A Thread device publishes through NAT64, over TLS, to an IPv4-only MQTT broker.
///
/// A real OpenThread border router and a real OpenThread device run in this process on a
/// simulated radio, without hardware and without root. By default the broker runs here too: on
/// 127.0.0.1, behind TLS 1.2 with ECDHE-RSA-AES128-GCM-SHA256 and a test certificate with RSA-2048.
/// The device finds it by name, through the border router's DNS and NAT64, subscribes to
/// a topic, publishes to it, and waits for everything to come back.
#[derive(Debug, Clone, Parser)]
#[command(name = "thread-mqtt-demo", version, disable_help_flag = true, after_long_help = AFTER_HELP)]
pub struct Options {
    /// Use your own broker: mqtts://HOST or mqtts://HOST:PORT; mqtt:// without TLS
    #[arg(long, value_name = "URI")]
    pub broker: Option<String>,

    /// Trust this CA bundle (PEM or DER) [default: the demo's own; this system's with --broker]
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,

    /// User name for the broker
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    pub username: Option<String>,

    /// Password for the broker
    #[arg(long, value_name = "WORD", allow_hyphen_values = true)]
    pub password: Option<String>,

    /// TLS version [default: 1.2; with --broker, any that the broker supports]
    #[arg(long, value_name = "VERSION")]
    pub tls: Option<Tls>,

    /// MQTT version
    #[arg(long, value_name = "VERSION", default_value = "5")]
    pub mqtt: Mqtt,

    /// Quality of service, from 0 to 2: 0 at most once, 1 at least once, 2 exactly once
    #[arg(long, value_name = "QOS", default_value = "1", value_parser = number::<u8>(0, 2, 1), allow_negative_numbers = true)]
    pub qos: u8,

    /// Messages to publish, from 1 to 10000
    #[arg(long, value_name = "N", default_value = "5", value_parser = number::<u32>(1, 10_000, 5), allow_negative_numbers = true)]
    pub messages: u32,

    /// Topic to publish and subscribe to
    #[arg(long, default_value = "thread-mqtt/demo", allow_hyphen_values = true)]
    pub topic: String,

    /// Pad each message to this many bytes, from 0 to 4000000
    #[arg(long, value_name = "BYTES", default_value = "0", value_parser = number::<u32>(0, 4_000_000, 1_000), allow_negative_numbers = true)]
    pub size: u32,

    /// Frames lost on the radio, from 0 to 100 percent
    #[arg(long, value_name = "PERCENT", default_value = "0", value_parser = percent, allow_negative_numbers = true)]
    pub loss: f64,

    /// Routers between the border router and the device, from 0 to 8
    #[arg(long, value_name = "N", default_value = "0", value_parser = number::<u8>(0, u64::from(thread_sim::MAX_HOPS), 2), allow_negative_numbers = true)]
    pub hops: u8,

    /// Make the device sleepy: it polls its parent every MS milliseconds, from 10 to 240000, and above about 10000 answers from DNS or the broker may arrive too late
    #[arg(long, value_name = "MS", num_args = 0..=1, default_missing_value = "500", value_parser = number::<u32>(10, 240_000, 500), allow_negative_numbers = true)]
    pub sleepy: Option<u32>,

    /// Seed of the simulation's random numbers, from 0 to 18446744073709551615
    ///
    /// The broker and the random numbers of TLS are not part of the simulation, so times and frames differ
    /// slightly between two runs with the same seed.
    #[arg(long, value_name = "N", default_value = "1", value_parser = number::<u64>(0, u64::MAX, 7), allow_negative_numbers = true)]
    pub seed: u64,

    /// Run the simulation in real time instead of as fast as possible
    #[arg(long)]
    pub real_time: bool,

    /// Disable NAT64 on the border router, to see what fails
    #[arg(long)]
    pub no_nat64: bool,

    /// Give up after this many simulated seconds, from 1 to 86400
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = number::<u32>(1, 86_400, 300), allow_negative_numbers = true)]
    pub timeout: u32,

    /// Retry after a failure, as a real device does, until --timeout
    #[arg(long)]
    pub retry: bool,

    /// Write every radio frame to a pcap file for Wireshark (IEEE 802.15.4)
    #[arg(long, value_name = "FILE")]
    pub pcap: Option<PathBuf>,

    /// Append the TLS secrets to this file, for Wireshark [default: $SSLKEYLOGFILE, if it is set]
    #[arg(long, value_name = "FILE")]
    pub keylog: Option<PathBuf>,

    /// Draw the timeline as an SVG file
    #[arg(long, value_name = "FILE.svg")]
    pub plot: Option<PathBuf>,

    /// Print one JSON object instead of the timeline
    #[arg(long)]
    pub json: bool,

    /// Print help
    #[arg(short, long, action = ArgAction::HelpLong)]
    pub help: Option<bool>,

    /// Print docs/measurements.md: what connecting and publishing cost on the air, over SEEDS
    /// seeds.
    #[arg(long, hide = true, value_name = "SEEDS", num_args = 0..=1, default_missing_value = "25", value_parser = clap::value_parser!(u64).range(1..))]
    pub measure: Option<u64>,

    /// Where the demo's own broker runs. `virtual` puts it inside the simulation, for tests: runs
    /// with the same seed are then identical byte for byte.
    #[arg(long, hide = true, default_value = "broker")]
    pub peer: Peer,
}

const AFTER_HELP: &str = "\
JSON: one object with
  ok              whether every message came back
  broker          the broker's URI
  nat64_prefix    the prefix in use, such as fd7d:1f5e:a8d2:2::/96, or null
  broker_address  the IPv6 address connected to, or null
  tls_version     \"TLS 1.2\" or \"TLS 1.3\", or null
  cipher_suite    its IANA name, or null
  mqtt_version    \"3.1.1\" or \"5\"
  qos, seed       as chosen
  stages          one object per stage: name, ms (duration), frames and bytes on air during it
  published       messages acknowledged (QoS 0: sent)
  received        messages that came back
  frames, bytes   total on air, from power-on of the device to its disconnect
  wireshark       with --pcap: the tshark arguments that decrypt the file, else null
  error           null, or stage, cause and cure

Frames and bytes are those of all nodes, including retransmissions and acknowledgements; a frame's
bytes are counted from its MAC header to its checksum. Times are simulated.

Exit status: 0 if every message came back, 1 if not, 2 for invalid options, 130 after Ctrl-C or SIGTERM.";

/// `--tls`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Tls {
    /// TLS 1.2.
    #[value(name = "1.2")]
    V12,
    /// TLS 1.3.
    #[value(name = "1.3")]
    V13,
}

impl From<Tls> for TlsVersion {
    fn from(tls: Tls) -> Self {
        match tls {
            Tls::V12 => Self::Tls12,
            Tls::V13 => Self::Tls13,
        }
    }
}

/// `--mqtt`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mqtt {
    /// MQTT 3.1.1.
    #[value(name = "3.1.1")]
    V311,
    /// MQTT 5.
    #[value(name = "5")]
    V5,
}

impl Mqtt {
    /// Returns the version as in the option.
    pub fn number(self) -> &'static str {
        match self {
            Self::V311 => "3.1.1",
            Self::V5 => "5",
        }
    }
}

impl From<Mqtt> for MqttVersion {
    fn from(mqtt: Mqtt) -> Self {
        match mqtt {
            Mqtt::V311 => Self::V311,
            Mqtt::V5 => Self::V5,
        }
    }
}

/// `--peer`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Peer {
    /// A complete broker on 127.0.0.1 behind a TLS front.
    Broker,
    /// The deterministic one inside the world, with the fixed RSA-2048 test chain.
    Virtual,
    /// The same with the fixed P-256 chain.
    VirtualEcdsa,
}

impl Options {
    /// Returns the defaults, as for an empty command line.
    pub fn new() -> Self {
        Self::parse_from(["thread-mqtt-demo"])
    }

    /// Returns `--qos` as the session's type.
    pub fn qos(&self) -> QoS {
        match self.qos {
            0 => QoS::AtMostOnce,
            1 => QoS::AtLeastOnce,
            _ => QoS::ExactlyOnce,
        }
    }

    /// Returns `--keylog`, or else the file from the environment.
    pub fn keylog(&self) -> Option<PathBuf> {
        let named = || std::env::var_os("SSLKEYLOGFILE").filter(|name| !name.is_empty());
        self.keylog.clone().or_else(|| named().map(PathBuf::from))
    }

    /// Returns `--timeout`.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(u64::from(self.timeout))
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

/// Parses a number in this range.
fn number<T: TryFrom<u64>>(
    least: u64,
    most: u64,
    example: u64,
) -> impl Fn(&str) -> Result<T, String> + Clone {
    move |text| {
        let read = text.parse().ok();
        let fits = read.filter(|number| (least..=most).contains(number));
        let number = fits.and_then(|number| T::try_from(number).ok());
        number
            .ok_or_else(|| format!("write a number from {least} to {most}, for example {example}"))
    }
}

fn percent(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (0.0..=100.0).contains(&value) => Ok(value),
        _ => Err("write a number of percent from 0 to 100, for example 20".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        <Options as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn sleepy_has_a_period_of_its_own_and_a_default() {
        let parse = |words: &[&str]| Options::parse_from([&["demo"], words].concat()).sleepy;
        assert_eq!(parse(&[]), None);
        assert_eq!(parse(&["--sleepy"]), Some(500));
        assert_eq!(parse(&["--sleepy", "2000"]), Some(2000));
    }

    /// `./demo` checks its ranges before it builds.
    #[test]
    fn help_has_the_range_of_each_number() {
        let takes = |option: &str, value: &str| {
            Options::try_parse_from(["demo", &format!("{option}={value}")]).is_ok()
        };
        let mut checked = 0;
        let mut option = "";
        for line in include_str!("../help.txt").lines() {
            let words: Vec<_> = line.split_whitespace().collect();
            if let Some(name) = words.first().filter(|word| word.starts_with("--")) {
                option = name;
            }
            for range in words
                .windows(4)
                .filter(|four| four[0] == "from" && four[2] == "to")
            {
                let [least, most] = [range[1], range[3]];
                let most = most.trim_end_matches([':', ',']);
                assert!(takes(option, least) && takes(option, most), "{option}");
                let above = (most.parse::<u128>().unwrap() + 1).to_string();
                let below = (least.parse::<i128>().unwrap() - 1).to_string();
                assert!(!takes(option, &below) && !takes(option, &above), "{option}");
                checked += 1;
            }
        }
        assert_eq!(checked, 8);
    }

    #[test]
    fn percentages_stay_within_bounds() {
        assert_eq!(percent("12.5"), Ok(12.5));
        for wrong in ["-1", "101", "NaN", "many", ""] {
            assert!(percent(wrong).is_err(), "{wrong}");
        }
    }
}
