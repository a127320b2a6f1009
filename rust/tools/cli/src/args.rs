//! The command line. Options that mosquitto_pub and mosquitto_sub also have use the same names.
use crate::exit;
use crate::idn::{self, to_ascii};
use crate::number::{CHAIN, COUNT, PACKET, PORT, REDIRECTS, U32};
use crate::value::{format, keep_alive, pair, qos, seconds, server};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use std::env;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::Duration;
use thread_mqtt_client::Broker;
use thread_mqtt_resolve::uri::without_credentials;
use thread_mqtt_resolve::{Host, Prefix, resolver};
use thread_mqtt_session::{Properties, QoS, Secret};
use thread_mqtt_tls::{Group, Pin, Suite, Version};

/// The environment variable for a password, which may contain any bytes.
const PASSWORD: &str = "THREAD_MQTT_PASSWORD";

/// MQTT over TLS from a laptop, through NAT64 on IPv6-only networks: the command-line client of
/// thread-mqtt
#[derive(Debug, Parser)]
#[command(name = "thread-mqtt", version, after_help = exit::HELP)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Publish messages
    #[command(disable_help_flag = true, after_help = exit::HELP)]
    Pub(Box<PubArguments>),
    /// Subscribe and print messages
    #[command(disable_help_flag = true, after_help = exit::HELP)]
    Sub(Box<SubArguments>),
    /// Show the addresses of a name and where they came from
    #[command(after_help = exit::HELP)]
    Resolve(ResolveArguments),
    /// Check each stage from the network to MQTT and report the first that fails
    #[command(disable_help_flag = true, after_help = exit::HELP)]
    Doctor(Box<DoctorArguments>),
}

#[derive(Debug, Args)]
pub(crate) struct PubArguments {
    #[command(flatten)]
    pub(crate) payload: PayloadArguments,
    #[command(flatten)]
    pub(crate) message: MessageArguments,
    #[command(flatten)]
    pub(crate) session: SessionArguments,
    #[command(flatten)]
    pub(crate) common: CommonArguments,
    /// Same as --debug
    #[arg(short, long, help_heading = "Connection")]
    pub(crate) verbose: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Message")]
pub(crate) struct MessageArguments {
    /// Topic
    #[arg(short, long, allow_hyphen_values = true)]
    pub(crate) topic: String,
    /// Quality of service
    #[arg(short, long, value_parser = qos, allow_negative_numbers = true, default_value = "0", value_name = "0|1|2")]
    pub(crate) qos: QoS,
    /// Retain the message at the broker for later subscribers
    #[arg(short, long)]
    pub(crate) retain: bool,
    #[command(flatten)]
    pub(crate) properties: PropertyArguments,
}

/// The properties that MQTT 5 sends with a payload.
#[derive(Debug, Args, Default)]
#[command(next_help_heading = "Message properties (MQTT 5)")]
pub(crate) struct PropertyArguments {
    /// Content type of the payload, usually a MIME type
    #[arg(long, value_name = "TYPE", allow_hyphen_values = true)]
    pub(crate) content_type: Option<String>,
    /// Format of the payload: bytes, or UTF-8 text
    #[arg(long, value_name = "bytes|utf8")]
    pub(crate) payload_format: Option<PayloadFormat>,
    /// Seconds after which the message expires
    #[arg(long, value_parser = U32, allow_negative_numbers = true, value_name = "SECONDS")]
    pub(crate) message_expiry: Option<u32>,
    /// Topic for the response
    #[arg(long, value_name = "TOPIC", allow_hyphen_values = true)]
    pub(crate) response_topic: Option<String>,
    /// Data that the response repeats, so that the requester can match it
    #[arg(long, value_name = "DATA", allow_hyphen_values = true)]
    pub(crate) correlation_data: Option<String>,
    /// User property; may be given several times. For a name that contains =, use
    /// -D publish user-property NAME VALUE
    #[arg(long, value_parser = pair, value_name = "NAME=VALUE", allow_hyphen_values = true)]
    pub(crate) user_property: Vec<(String, String)>,
}

impl PropertyArguments {
    /// Returns the properties, if any are given.
    pub(crate) fn properties(&self) -> Option<Properties> {
        let given = Properties {
            payload_is_utf8: self
                .payload_format
                .map(|format| format == PayloadFormat::Utf8),
            message_expiry: self.message_expiry,
            content_type: self.content_type.clone(),
            response_topic: self.response_topic.clone(),
            correlation_data: self.correlation_data.clone().map(String::into_bytes),
            user: self.user_property.clone(),
        };
        (given != Properties::default()).then_some(given)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PayloadFormat {
    #[value(alias = "0")]
    Bytes,
    #[value(alias = "1")]
    Utf8,
}

/// Exactly one of these.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
#[command(next_help_heading = "Payload (exactly one)")]
pub(crate) struct PayloadArguments {
    /// Publish this text
    #[arg(short, long, allow_hyphen_values = true)]
    pub(crate) message: Option<OsString>,
    /// Publish an empty message
    #[arg(short, long)]
    pub(crate) null_message: bool,
    /// Publish the content of this file
    #[arg(short, long)]
    pub(crate) file: Option<PathBuf>,
    /// Publish each line of standard input as a message; an empty line is an empty message
    #[arg(short = 'l', long)]
    pub(crate) stdin_line: bool,
    /// Publish all of standard input as one message
    #[arg(short, long)]
    pub(crate) stdin_file: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SubArguments {
    #[command(flatten)]
    pub(crate) subscription: SubscriptionArguments,
    #[command(flatten)]
    pub(crate) session: SessionArguments,
    #[command(flatten)]
    pub(crate) common: CommonArguments,
}

/// What outlives the command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Session")]
pub(crate) struct SessionArguments {
    /// Keep the session in this directory, so that the next command with the same directory, broker and
    /// --id resumes it, even if this one is killed: unacknowledged QoS 1 and 2 messages are
    /// retransmitted, and no QoS 2 message arrives twice. Implies -c
    #[arg(long = "session", value_name = "DIRECTORY", requires = "id")]
    pub(crate) directory: Option<PathBuf>,
    /// Encrypt the stored session with the key in this file: 16 or 32 random bytes, or twice as many
    /// hexadecimal digits (openssl rand -hex -out FILE 32)
    #[arg(long = "session-key", value_name = "FILE", requires = "directory")]
    pub(crate) session_key: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Subscription")]
pub(crate) struct SubscriptionArguments {
    /// Topic filter; may be given several times
    #[arg(short, long, required = true, allow_hyphen_values = true)]
    pub(crate) topic: Vec<String>,
    /// Maximum quality of service
    #[arg(short, long, value_parser = qos, allow_negative_numbers = true, default_value = "0", value_name = "0|1|2")]
    pub(crate) qos: QoS,
    /// Stop after this many messages
    #[arg(short = 'C', long, value_parser = COUNT, allow_negative_numbers = true, value_name = "N")]
    pub(crate) count: Option<u64>,
    /// Print the topic before each message
    #[arg(short, long, conflicts_with = "format")]
    pub(crate) verbose: bool,
    /// Write a message larger than --max-packet as it arrives, instead of skipping it
    #[arg(long, conflicts_with = "format")]
    pub(crate) pieces: bool,
    /// Print each message in this format: %t topic, %p payload, %x payload in hex, %l payload length,
    /// %q QoS, %r retain flag; properties: %C content type, %D correlation data, %E expiry in seconds,
    /// %F payload format, %P user properties, %R response topic; %% is a percent sign
    #[arg(short = 'F', long, value_parser = format, value_name = "FORMAT", allow_hyphen_values = true)]
    pub(crate) format: Option<String>,
    /// Print no newline after each message
    #[arg(short = 'N', long)]
    pub(crate) no_newline: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ResolveArguments {
    /// Host name, address or broker's URI
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) network: NetworkArguments,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArguments {
    #[command(flatten)]
    pub(crate) common: CommonArguments,
}

/// What every command needs that speaks to a broker.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct CommonArguments {
    /// Broker: mqtts://HOST:PORT with TLS (default port 8883), mqtt://HOST:PORT without (1883).
    /// Several brokers, separated by commas, are tried in order
    #[arg(required_unless_present = "host", conflicts_with = "host")]
    pub(crate) uri: Option<String>,
    /// Broker's host, instead of a URI
    #[arg(short = 'h', long)]
    pub(crate) host: Option<String>,
    /// Broker's port, with --host; 8883 or any TLS option enables TLS
    #[arg(short, long, value_parser = PORT, allow_negative_numbers = true, requires = "host")]
    pub(crate) port: Option<u16>,
    /// Print each stage with its time to standard error
    #[arg(short, long)]
    pub(crate) debug: bool,
    /// Give up after this many seconds
    #[arg(short = 'W', long, value_parser = seconds, allow_negative_numbers = true, value_name = "SECONDS")]
    pub(crate) timeout: Option<Duration>,
    /// Keep trying if the first connection fails; a connection that is lost later is always
    /// re-established
    #[arg(long)]
    pub(crate) retry: bool,
    /// Follow at most this many broker redirects (MQTT 5) in a row; default: 3
    #[arg(long, value_parser = REDIRECTS, allow_negative_numbers = true, value_name = "N")]
    pub(crate) redirects: Option<u8>,
    /// Print help
    #[arg(long, action = ArgAction::Help)]
    pub(crate) help: Option<bool>,
    #[command(flatten)]
    pub(crate) mqtt: MqttArguments,
    #[command(flatten)]
    pub(crate) will: WillArguments,
    #[command(flatten)]
    pub(crate) tls: TlsArguments,
    #[command(flatten)]
    pub(crate) network: NetworkArguments,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "MQTT")]
pub(crate) struct MqttArguments {
    /// MQTT version
    #[arg(
        short = 'V',
        long = "mqtt",
        alias = "protocol-version",
        default_value = "5"
    )]
    pub(crate) version: MqttVersion,
    /// Try MQTT 3.1.1 if the broker does not accept version 5
    #[arg(long)]
    pub(crate) fallback: bool,
    /// Client identifier; default: random
    #[arg(short, long = "id", allow_hyphen_values = true)]
    pub(crate) id: Option<String>,
    /// User name
    #[arg(short, long, allow_hyphen_values = true)]
    pub(crate) username: Option<String>,
    /// Password. Other users of this computer can see it in the process list: to avoid that, use
    /// --password-file or the environment variable THREAD_MQTT_PASSWORD, which is read if neither
    /// option is given
    #[arg(short = 'P', long = "pw", allow_hyphen_values = true)]
    pub(crate) password: Option<Secret>,
    /// File whose first line is the password
    #[arg(long, value_name = "FILE", conflicts_with = "password")]
    pub(crate) password_file: Option<PathBuf>,
    /// Keep-alive in seconds; 0 disables it, auto measures how long the path stays open
    #[arg(short, long, default_value = "60", value_parser = keep_alive, allow_negative_numbers = true, value_name = "SECONDS|auto")]
    pub(crate) keepalive: KeepAlive,
    /// Keep the session at the broker (needs --id)
    #[arg(short = 'c', long = "disable-clean-session", requires = "id")]
    pub(crate) persistent: bool,
    /// Seconds that the broker keeps the session after the connection ends (MQTT 5, with -c); 0 resumes
    /// the stored session and then ends it
    #[arg(short = 'x', long, value_parser = U32, allow_negative_numbers = true, value_name = "SECONDS")]
    pub(crate) session_expiry_interval: Option<u32>,
    /// MQTT 5 property in the syntax of mosquitto_pub and mosquitto_sub: publish (only with pub), will
    /// or connect, then the property's name and its value (for a user property, name and value)
    #[arg(short = 'D', long, num_args = 3.., value_names = ["COMMAND", "PROPERTY", "VALUE"], allow_hyphen_values = true)]
    property: Vec<String>,
    /// Largest packet kept in memory, in bytes: pub reads a larger --file in pieces; sub skips a larger
    /// message or, with --pieces, writes it as it arrives
    #[arg(long, default_value_t = 16 << 20, hide_default_value = true, value_parser = PACKET, allow_negative_numbers = true, value_name = "BYTES")]
    pub(crate) max_packet: u32,
}

impl MqttArguments {
    /// Returns the password of the option, or else of the environment, unless there is a file. clap
    /// does not read the variable, because it would treat it as the option, which conflicts with
    /// the file.
    pub(crate) fn password(&self) -> Option<Secret> {
        let variable = || env::var_os(PASSWORD).map(|password| password.into_vec().into());
        self.password.clone().or_else(variable)
    }

    pub(crate) fn has_password(&self) -> bool {
        self.password_file.is_some() || self.password().is_some()
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Will")]
pub(crate) struct WillArguments {
    /// Topic of the will, which the broker publishes if this client disappears
    #[arg(long, value_name = "TOPIC", allow_hyphen_values = true)]
    pub(crate) will_topic: Option<String>,
    /// Payload of the will
    #[arg(
        long,
        requires = "will_topic",
        default_value = "",
        hide_default_value = true,
        allow_hyphen_values = true
    )]
    pub(crate) will_payload: String,
    /// Quality of service of the will
    #[arg(long, requires = "will_topic", value_parser = qos, allow_negative_numbers = true, default_value = "0", value_name = "0|1|2")]
    pub(crate) will_qos: QoS,
    /// Retain the will at the broker for later subscribers
    #[arg(long, requires = "will_topic")]
    pub(crate) will_retain: bool,
    /// Seconds that the broker waits before publishing the will (MQTT 5)
    #[arg(
        long,
        requires = "will_topic",
        value_parser = U32,
        allow_negative_numbers = true,
        value_name = "SECONDS"
    )]
    pub(crate) will_delay: Option<u32>,
    /// Content type of the will (MQTT 5)
    #[arg(
        long,
        requires = "will_topic",
        value_name = "TYPE",
        allow_hyphen_values = true
    )]
    pub(crate) will_content_type: Option<String>,
    /// Format of the will's payload (MQTT 5)
    #[arg(long, requires = "will_topic", value_name = "bytes|utf8")]
    pub(crate) will_payload_format: Option<PayloadFormat>,
    /// Seconds after which the will expires (MQTT 5)
    #[arg(long, requires = "will_topic", value_parser = U32, allow_negative_numbers = true, value_name = "SECONDS")]
    pub(crate) will_expiry: Option<u32>,
    /// Topic for the response to the will (MQTT 5)
    #[arg(
        long,
        requires = "will_topic",
        value_name = "TOPIC",
        allow_hyphen_values = true
    )]
    pub(crate) will_response_topic: Option<String>,
    /// Data that the response to the will repeats (MQTT 5)
    #[arg(
        long,
        requires = "will_topic",
        value_name = "DATA",
        allow_hyphen_values = true
    )]
    pub(crate) will_correlation_data: Option<String>,
    /// User property of the will (MQTT 5); may be given several times. For a name that contains =,
    /// use -D will user-property NAME VALUE
    #[arg(long, requires = "will_topic", value_parser = pair, value_name = "NAME=VALUE", allow_hyphen_values = true)]
    pub(crate) will_user_property: Vec<(String, String)>,
}

impl WillArguments {
    /// Returns the will's properties as a message's.
    pub(crate) fn properties(&self) -> Option<Properties> {
        self.property_arguments().properties()
    }

    /// Returns the will's property options as a message's.
    pub(crate) fn property_arguments(&self) -> PropertyArguments {
        PropertyArguments {
            content_type: self.will_content_type.clone(),
            payload_format: self.will_payload_format,
            message_expiry: self.will_expiry,
            response_topic: self.will_response_topic.clone(),
            correlation_data: self.will_correlation_data.clone(),
            user_property: self.will_user_property.clone(),
        }
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "TLS")]
pub(crate) struct TlsArguments {
    /// CA certificates, PEM or DER; default: those of this system
    #[arg(long, alias = "cafile", value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Require this SHA-256 of the broker's certificate or its key: sha256:HEX or sha256//BASE64. With
    /// --ca, all other checks also apply. Without --ca, or for a self-issued certificate in the --ca
    /// file, it replaces them (names, dates and CAs are not checked). May be given several times
    #[arg(long, value_name = "SHA256")]
    pub(crate) pin: Vec<Pin>,
    /// Client certificate and its chain, PEM or DER
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) cert: Option<PathBuf>,
    /// Private key of the client certificate, PEM or DER
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
    /// Allow only this TLS version; may be given twice
    #[arg(long, value_name = "1.2|1.3")]
    pub(crate) tls: Vec<Version>,
    /// Allow only this cipher suite (IANA or OpenSSL name); may be given several times, in order
    #[arg(long, value_name = "NAME")]
    pub(crate) suite: Vec<Suite>,
    /// Allow only this key exchange group, such as x25519 or secp256r1; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) group: Vec<Group>,
    /// Application protocol (ALPN) to offer, such as mqtt, or x-amzn-mqtt-ca for AWS on port 443; may
    /// be given several times
    #[arg(long, alias = "tls-alpn", value_name = "NAME")]
    pub(crate) alpn: Vec<String>,
    /// Maximum number of certificates from the broker's to a CA, not counting the CA's own
    #[arg(
        long,
        value_parser = CHAIN,
        allow_negative_numbers = true,
        value_name = "1-7"
    )]
    pub(crate) max_chain: Option<usize>,
    /// Refuse TLS 1.2 without the extended master secret (RFC 7627)
    #[arg(long)]
    pub(crate) require_ems: bool,
    /// Make a full handshake each time instead of resuming a TLS session
    #[arg(long)]
    pub(crate) no_resumption: bool,
    /// Supported by mosquitto_pub and mosquitto_sub, but not here
    #[arg(long, hide = true)]
    pub(crate) insecure: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Network")]
pub(crate) struct NetworkArguments {
    /// NAT64 prefix of an IPv6-only network, for example 64:ff9b::/96; implies --ipv6-only
    #[arg(long, value_name = "PREFIX/LENGTH")]
    pub(crate) nat64_prefix: Option<Prefix>,
    /// Reach IPv4 hosts through NAT64 only. The prefix is discovered (RFC 7050) unless it is given
    #[arg(long)]
    pub(crate) ipv6_only: bool,
    /// Address family
    #[arg(long, default_value = "any")]
    pub(crate) family: FamilyArgument,
    /// Which addresses to try first; default: those that need no NAT64
    #[arg(long)]
    pub(crate) policy: Option<PolicyArgument>,
    /// Query only this DNS server; may be given several times, in order; write 192.0.2.1:5353 for a
    /// port other than 53
    #[arg(long, value_parser = server, value_name = "ADDRESS")]
    pub(crate) dns_server: Vec<SocketAddr>,
    /// Time limit for the whole resolution
    #[arg(long, value_parser = seconds, allow_negative_numbers = true, default_value = "20", value_name = "SECONDS")]
    pub(crate) dns_timeout: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeepAlive {
    Seconds(u16),
    Auto,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MqttVersion {
    #[value(name = "3.1.1", aliases = ["311", "mqttv311"])]
    V311,
    #[value(name = "5", aliases = ["5.0", "mqttv5"])]
    V5,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FamilyArgument {
    Any,
    Ipv4,
    Ipv6,
}

impl From<FamilyArgument> for resolver::Family {
    fn from(argument: FamilyArgument) -> Self {
        match argument {
            FamilyArgument::Any => Self::Unspecified,
            FamilyArgument::Ipv4 => Self::Inet,
            FamilyArgument::Ipv6 => Self::Inet6,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum PolicyArgument {
    PreferNat64,
    #[default]
    PreferNative,
    Interleaved,
}

impl From<PolicyArgument> for resolver::Policy {
    fn from(argument: PolicyArgument) -> Self {
        match argument {
            PolicyArgument::PreferNat64 => Self::PreferNat64,
            PolicyArgument::PreferNative => Self::PreferNative,
            PolicyArgument::Interleaved => Self::Interleaved,
        }
    }
}

impl CommonArguments {
    /// Returns the brokers from the URIs or from --host, in order of preference.
    pub(crate) fn brokers(&self) -> Result<Vec<Broker>, exit::Failure> {
        let text = match (&self.uri, &self.host) {
            (Some(uri), _) => {
                if let Some(port) = self.port {
                    return Err(exit::Failure::usage(format_args!(
                        "--port needs --host, but the broker is given as a URI"
                    ))
                    .cure(format_args!("put the port in the URI: mqtt://HOST:{port}")));
                }
                no_credentials("the broker", uri)?;
                let is_empty = |entry: &str| entry.trim_matches(' ').is_empty();
                if uri.contains(',') && uri.split(',').any(is_empty) {
                    return Err(exit::Failure::usage(format_args!(
                        "the list of brokers {uri:?} has an empty entry"
                    ))
                    .cure("separate brokers with one comma, and put none at either end"));
                }
                uri.clone()
            }
            (None, host) => {
                let host = host.as_deref().unwrap_or_default();
                host_alone(host)?;
                let bracketed = host.contains(':') && !host.starts_with('[');
                let tls = self.port == Some(8883) || self.tls.given().is_some();
                let scheme = if tls { "mqtts" } else { "mqtt" };
                let mut text = match bracketed {
                    true => format!("{scheme}://[{host}]"),
                    false => format!("{scheme}://{host}"),
                };
                if let Some(port) = self.port {
                    text.push_str(&format!(":{port}"));
                }
                text
            }
        };
        text.split(BETWEEN).try_for_each(idn::check)?;
        let brokers = Broker::list(&list_to_ascii(&text)).map_err(|error| {
            // In a list, name the one that is wrong.
            let is_wrong =
                |one: &&str| !one.is_empty() && Broker::list(&list_to_ascii(one)).is_err();
            let wrong = text.split([',', '|', ' ']).find(is_wrong);
            exit::Failure::usage(format_args!(
                "the broker {:?}: {error}",
                wrong.unwrap_or(&text)
            ))
        })?;
        // A broker that is listed twice is tried once.
        let mut each: Vec<Broker> = Vec::new();
        for broker in brokers {
            if each.iter().all(|other| other.uri != broker.uri) {
                each.push(broker);
            }
        }
        Ok(each)
    }
}

/// Refuses user name and password before a host. Searches the whole text for them first: a password
/// may contain the separators of a broker list, and no message may then show a part of it.
pub(crate) fn no_credentials(of: &str, text: &str) -> Result<(), exit::Failure> {
    if !text.contains('@') {
        return Ok(());
    }
    let shown = without_credentials(text);
    Err(exit::Failure::usage(format_args!(
        "{of} {shown:?}: credentials before the host are not supported"
    ))
    .cure("remove them, and give the user name with -u and the password with --password-file"))
}

/// Refuses a host that includes anything with an option of its own.
fn host_alone(host: &str) -> Result<(), exit::Failure> {
    no_credentials("--host", host)?;
    if host.is_empty() {
        return Err(exit::Failure::usage("--host is empty")
            .cure("give the broker's name or address after --host"));
    }
    if host.contains("://") {
        return Err(
            exit::Failure::usage(format_args!("--host {host:?} is a URI, not a host")).cure(
                format_args!("leave out --host and give only the URI: {host}"),
            ),
        );
    }
    if host.contains([' ', ',', '|', '*']) {
        return Err(
            exit::Failure::usage(format_args!("--host {host:?} is not a single host"))
                .cure("give one name or address, or give several brokers as URIs without --host"),
        );
    }
    // An IPv6 address has more than one.
    match host.split_once(':') {
        Some((name, port)) if !port.contains(':') && !host.starts_with('[') => {
            let failure = exit::Failure::usage(format_args!(
                "--host {host:?} contains a colon; give the port with --port"
            ));
            Err(match port.parse::<u16>() {
                Ok(port) if !name.is_empty() => {
                    failure.cure(format_args!("write --host {name} --port {port}"))
                }
                _ => failure.cure("write --host NAME --port NUMBER"),
            })
        }
        _ => match host.split_once("]:") {
            Some((name, port)) => Err(exit::Failure::usage(format_args!(
                "--host {host:?} contains a port; give it with --port"
            ))
            .cure(format_args!("write --host {name}] --port {port}"))),
            None => {
                idn::check(host)?;
                match to_ascii(host).parse::<Host>() {
                    Ok(_) => Ok(()),
                    Err(error) => Err(exit::Failure::usage(format_args!(
                        "--host {host:?}: {error}"
                    ))),
                }
            }
        },
    }
}

/// The separators in a list of brokers.
const BETWEEN: [char; 4] = [',', '|', ' ', '*'];

/// Returns a list of brokers with each host name in ASCII.
fn list_to_ascii(text: &str) -> String {
    let mut ascii = String::new();
    for piece in text.split_inclusive(BETWEEN) {
        let uri = piece.trim_end_matches(BETWEEN);
        ascii.push_str(&to_ascii(uri));
        ascii.push_str(&piece[uri.len()..]);
    }
    ascii
}

impl TlsArguments {
    /// Returns the first TLS option, if one was given.
    pub(crate) fn given(&self) -> Option<&'static str> {
        let options = [
            (self.ca.is_some(), "--ca"),
            (!self.pin.is_empty(), "--pin"),
            (self.cert.is_some(), "--cert"),
            (!self.tls.is_empty(), "--tls"),
            (!self.suite.is_empty(), "--suite"),
            (!self.group.is_empty(), "--group"),
            (!self.alpn.is_empty(), "--alpn"),
            (self.max_chain.is_some(), "--max-chain"),
            (self.require_ems, "--require-ems"),
            (self.no_resumption, "--no-resumption"),
            (self.insecure, "--insecure"),
        ];
        let given = options.into_iter().find(|(is_given, _)| *is_given);
        given.map(|(_, option)| option)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::property;
    use clap::CommandFactory;

    #[test]
    fn the_options_do_not_contradict_each_other() {
        Arguments::command().debug_assert();
    }

    /// Returns the broker that these options name.
    fn broker(options: &str) -> String {
        let words = "thread-mqtt pub -t t -n".split(' ');
        let arguments = Arguments::parse_from(words.chain(options.split(' ')));
        match arguments.command {
            Command::Pub(arguments) => {
                let brokers = arguments.common.brokers().unwrap();
                brokers[0].uri.to_string()
            }
            _ => unreachable!("the command is pub"),
        }
    }

    #[test]
    fn host_and_port_are_a_uri() {
        for (options, uri) in [
            ("mqtts://a.example", "mqtts://a.example:8883"),
            ("-h a.example", "mqtt://a.example:1883"),
            ("-h a.example -p 1884", "mqtt://a.example:1884"),
            ("-h a.example -p 8883", "mqtts://a.example:8883"),
            ("-h a.example --cafile ca.pem", "mqtts://a.example:8883"),
            ("-h a.example -p 1883 --tls 1.3", "mqtts://a.example:1883"),
            ("-h a.example --max-chain 2", "mqtts://a.example:8883"),
            ("-h 2001:db8::1", "mqtt://[2001:db8::1]:1883"),
            ("-h [2001:db8::1] -p 1", "mqtt://[2001:db8::1]:1"),
        ] {
            assert_eq!(broker(options), uri, "{options}");
        }
    }

    /// Returns the user properties of a message and of a will.
    #[test]
    fn user_properties_are_exact() {
        for (options, pairs) in [
            (&["--user-property", "a=b=c"][..], &[("a", "b=c")][..]),
            (&["--user-property", "="], &[("", "")]),
            (
                &["-D", "publish", "user-property", "a=b", "c"],
                &[("a=b", "c")],
            ),
            (
                &[
                    "-D",
                    "publish",
                    "user-property",
                    "=",
                    "-x =",
                    "--user-property",
                    "a=b",
                ],
                &[("=", "-x ="), ("a", "b")],
            ),
            (&["-D", "publish", "user-property", "", ""], &[("", "")]),
            (
                &[
                    "--will-topic",
                    "w",
                    "-D",
                    "will",
                    "user-property",
                    "ä=",
                    "--",
                ],
                &[("ä=", "--")],
            ),
        ] {
            let words = ["thread-mqtt", "pub", "mqtt://b.example", "-t", "t", "-n"];
            let words = words.iter().chain(options).map(std::ffi::OsString::from);
            let arguments =
                Arguments::parse_from(property::rewrite(words, &Arguments::command()).unwrap());
            let Command::Pub(arguments) = arguments.command else {
                unreachable!("the command is pub")
            };
            let mut found = arguments.message.properties.user_property;
            found.extend(arguments.common.will.will_user_property);
            let found: Vec<_> = found
                .iter()
                .map(|(name, value)| (&**name, &**value))
                .collect();
            assert_eq!(found, pairs, "{options:?}");
        }
    }
}
