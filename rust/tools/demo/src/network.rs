//! The world of one run: Thread network, DNS, and a broker somewhere behind NAT64.
use crate::check;
use crate::failure::Failure;
use crate::options::{BROKER_ADDRESS, BROKER_NAME, Options, Peer};
use crate::trust::{self, Trust};
use std::env;
use std::fs::File;
use std::io::{self, BufWriter, ErrorKind};
use std::net::SocketAddrV4;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use thread_mqtt_resolve::uri::{self, UriError};
use thread_mqtt_resolve::{BrokerUri, Host, Scheme};
use thread_mqtt_testkit::broker::{self, Broker};
use thread_mqtt_testkit::fixed::{Fixed, UNIX_TIME};
use thread_mqtt_testkit::front::Front;
use thread_mqtt_testkit::identity::Identity;
use thread_mqtt_testkit::peer::{self, Ending, Server, Stream};
use thread_mqtt_testkit::tls::{Tls, Version};
use thread_sim::{
    Closing, Device, HostAccess, Pacing, Radio, Record, Unknown, VirtualServer, VirtualStream,
    World, WorldConfig,
};

/// The packet limit of the demo's broker; brokers on the Internet have one as well.
const LARGEST_PACKET: u32 = 256 * 1024;

/// The world, the broker in it, and the CAs that the device trusts.
#[derive(Debug)]
pub struct Network {
    /// The world.
    pub world: World,
    /// The broker.
    pub broker: BrokerUri,
    /// The trust anchors.
    pub trust: Trust,
    /// Everything is repeatable: no host socket is involved.
    pub deterministic: bool,
    /// What must live as long as the run.
    _behind: Behind,
}

/// The server behind the broker's address.
#[derive(Debug)]
enum Behind {
    /// The embedded broker and its TLS front.
    Embedded(#[expect(dead_code, reason = "kept for their drop")] Box<(Front, Broker)>),
    /// The world itself, or the user's broker.
    Nothing,
}

impl Network {
    /// Builds what the options describe. Nothing has run yet.
    pub fn new(options: &Options) -> Result<Self, Failure> {
        check::options(options)?;
        let broker = options.broker.as_deref().map(parse_uri).transpose()?;
        if let Some(broker) = &broker {
            check::tls(options, broker)?;
        }
        match (broker, options.peer) {
            (broker, Peer::Virtual | Peer::VirtualEcdsa) => {
                Self::with_virtual_peer(options, broker.unwrap_or_else(demo_broker))
            }
            (Some(broker), Peer::Broker) => Self::with_users_broker(options, broker),
            (None, Peer::Broker) => Self::with_embedded_broker(options),
        }
    }

    fn with_users_broker(options: &Options, broker: BrokerUri) -> Result<Self, Failure> {
        let trust = match &options.ca {
            Some(file) => Trust::Bundle(trust::read(file)?),
            None => Trust::System,
        };
        let world = world(options, HostAccess::Any, now())?;
        world.zone(|zone| zone.unknown = Unknown::AskHost);
        Ok(Self {
            world,
            broker,
            trust,
            deterministic: false,
            _behind: Behind::Nothing,
        })
    }

    fn with_embedded_broker(options: &Options) -> Result<Self, Failure> {
        let failed = |what: &str, error: &dyn std::fmt::Display| {
            Failure::new(
                "setup",
                &format!("the embedded {what} could not be started ({error})"),
                "make sure that programs can listen on 127.0.0.1, or use --broker",
            )
        };
        let broker = Broker::start(&broker::Config {
            credentials: options
                .username
                .clone()
                .map(|name| (name, options.password.clone().unwrap_or_default())),
            max_packet_size: Some(LARGEST_PACKET),
        })
        .map_err(|error| match error.kind() {
            ErrorKind::NotADirectory
            | ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::StorageFull => folder_failure(&error),
            ErrorKind::NotFound if !env::temp_dir().is_dir() => folder_failure(&error),
            ErrorKind::NotFound => Failure::new(
                "setup",
                "the broker Mosquitto is not installed",
                "sudo apt-get install mosquitto, or use --broker",
            ),
            _ => failed("broker", &error),
        })?;
        let chain = Fixed::Rsa2048;
        let front = Front::start(&server_tls(options, chain.server()), broker.address())
            .map_err(|error| failed("TLS front", &error))?;
        let trust = match &options.ca {
            Some(file) => trust::read(file)?,
            None => chain.root_pem().as_bytes().to_vec(),
        };
        let world = world(options, HostAccess::OnlyMapped, now())?;
        world.map(BROKER_ADDRESS, front.address());
        Ok(Self {
            world,
            broker: demo_broker(),
            trust: Trust::Bundle(trust),
            deterministic: false,
            _behind: Behind::Embedded(Box::new((front, broker))),
        })
    }

    fn with_virtual_peer(options: &Options, broker: BrokerUri) -> Result<Self, Failure> {
        let fixed = match options.peer {
            Peer::VirtualEcdsa => Fixed::P256,
            Peer::Broker | Peer::Virtual => Fixed::Rsa2048,
        };
        let tls = match fixed {
            Fixed::Rsa2048 => server_tls(options, fixed.server()),
            Fixed::P256 => Tls {
                versions: vec![server_version(options)],
                ..Tls::new(fixed.server())
            },
        };
        let server = Server::new(peer::Config::new(Some(tls)), options.seed, UNIX_TIME)
            .map_err(|error| Failure::from_error("setup", &error))?;
        let trust = match &options.ca {
            Some(file) => trust::read(file)?,
            None => fixed.root_pem().as_bytes().to_vec(),
        };
        let world = world(options, HostAccess::OnlyMapped, UNIX_TIME)?;
        world.serve(BROKER_ADDRESS, InWorld(server));
        Ok(Self {
            world,
            broker,
            trust: Trust::Bundle(trust),
            deterministic: true,
            _behind: Behind::Nothing,
        })
    }
}

/// Reports that the folder for Mosquitto's files cannot be created.
fn folder_failure(error: &io::Error) -> Failure {
    Failure::new(
        "setup",
        &format!(
            "no file can be created in {}, the folder for temporary files ({error})",
            env::temp_dir().display()
        ),
        "set TMPDIR to a folder that can be written, or use --broker",
    )
}

fn demo_broker() -> BrokerUri {
    BrokerUri {
        scheme: Scheme::Mqtts,
        host: Host::Name(BROKER_NAME.to_owned()),
        port: BROKER_ADDRESS.port(),
    }
}

fn parse_uri(uri: &str) -> Result<BrokerUri, Failure> {
    uri.parse().map_err(|error: UriError| {
        let told = error.to_string();
        let (cause, cure) = told.split_once(": ").unwrap_or((&told, "see --help"));
        let cure = match error {
            UriError::UserInfo => "remove them, and give --username and --password",
            _ => cure,
        };
        let shown = uri::without_credentials(uri);
        let cause = format!("\"{shown}\" is not a broker's URI: {cause}");
        Failure::usage(&cause, cure)
    })
}

fn server_version(options: &Options) -> Version {
    match options.tls {
        Some(crate::options::Tls::V13) => Version::Tls13,
        _ => Version::Tls12,
    }
}

/// Returns the TLS of the demo's broker, with one version: 1.2 with the single suite of many
/// brokers on the Internet, or 1.3.
fn server_tls(options: &Options, identity: Identity) -> Tls {
    match server_version(options) {
        Version::Tls12 => Tls::tls12_ecdhe_rsa(identity),
        Version::Tls13 => Tls {
            versions: vec![Version::Tls13],
            ..Tls::new(identity)
        },
    }
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(UNIX_TIME, |since| since.as_secs())
}

fn world(options: &Options, host_access: HostAccess, epoch: u64) -> Result<World, Failure> {
    let config = WorldConfig {
        seed: options.seed,
        radio: Radio {
            loss: options.loss / 100.0,
            ..Radio::default()
        },
        hops: options.hops,
        device: match options.sleepy {
            None => Device::Mtd,
            Some(poll) => Device::Sleepy {
                poll: Duration::from_millis(u64::from(poll)),
            },
        },
        epoch: Some(epoch),
        pacing: match options.real_time {
            true => Pacing::RealTime,
            false => Pacing::Virtual,
        },
        host_access,
        ..WorldConfig::default()
    };
    let world = World::new(config).map_err(|error| {
        Failure::new(
            "setup",
            &format!("the simulated network cannot be created: {error}"),
            "change the options that describe the network (--loss, --hops, --sleepy)",
        )
    })?;
    world.zone(|zone| zone.set(BROKER_NAME, Record::a(*BROKER_ADDRESS.ip())));
    if options.no_nat64 {
        world.set_nat64(false);
    }
    if let Some(path) = &options.pcap {
        let unwritable = |error: io::Error| {
            Failure::usage(
                &format!(
                    "the pcap file {} cannot be written ({error})",
                    path.display()
                ),
                "give --pcap a path that can be written",
            )
        };
        let file = File::create(path).map_err(unwritable)?;
        world.capture(BufWriter::new(file)).map_err(unwritable)?;
    }
    Ok(world)
}

/// The testkit's broker as a server in the world.
#[derive(Debug)]
pub struct InWorld(pub Server);

impl VirtualServer for InWorld {
    fn accept(&mut self, _peer: SocketAddrV4, now: Duration) -> Option<Box<dyn VirtualStream>> {
        Some(Box::new(InWorldStream(self.0.accept(now)?)))
    }
}

#[derive(Debug)]
struct InWorldStream(Stream);

impl VirtualStream for InWorldStream {
    fn receive(&mut self, data: &[u8], now: Duration) -> usize {
        self.0.receive(data, now);
        data.len()
    }

    fn end_of_stream(&mut self, now: Duration) {
        self.0.end_of_stream(now);
    }

    fn closed(&mut self, _now: Duration) {
        self.0.closed();
    }

    fn transmit(&mut self, _now: Duration) -> Vec<u8> {
        self.0.transmit()
    }

    fn closing(&self) -> Closing {
        match self.0.ending() {
            Ending::Open => Closing::Open,
            Ending::Finish => Closing::Finish,
            Ending::Reset => Closing::Abort,
        }
    }
}
