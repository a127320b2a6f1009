//! From the command line to a client on a port.
use crate::args::{
    CommonArguments, KeepAlive, MqttArguments, MqttVersion, NetworkArguments, SessionArguments,
    WillArguments, no_credentials,
};
use crate::check;
use crate::exit::{Failure, Status};
use crate::idn::{self, to_ascii};
use crate::revocable::{Revocable, Revoker};
use crate::trust::{read, tls_config};
use std::io::ErrorKind;
use std::iter;
use std::net::{SocketAddr, SocketAddrV6};
use std::path::Path;
use std::time::Duration;
use thread_mqtt_client::{Broker, Client, Config, ConfigError, Failover, Retry, Timers};
use thread_mqtt_driver::Driver;
use thread_mqtt_host::{FileStore, HostPort, Options, is_localhost};
use thread_mqtt_resolve::resolver::{self, AddressSource};
use thread_mqtt_resolve::uri::UriError;
use thread_mqtt_resolve::{BrokerUri, Host, Scheme};
use thread_mqtt_seal::{Key, SealedStore};
use thread_mqtt_session::{Message, Store, Version};
use zeroize::Zeroizing;

/// How to handle messages that the broker holds for the session.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Inbound {
    /// Leave them at the broker for a command that receives them.
    Left,
    Whole,
    /// Receive large ones in pieces.
    InPieces,
}

/// Creates a client for the brokers of the command line, on this host's sockets, and the handle
/// that undoes its latest stores.
pub(crate) fn driver(
    arguments: &CommonArguments,
    session: &SessionArguments,
    retry: Retry,
    inbound: Inbound,
) -> Result<(Driver<HostPort>, Revoker), Failure> {
    let brokers = arguments.brokers()?;
    check::common(arguments, &brokers)?;
    check::expiry(arguments, Some(session))?;
    let mut config = config(arguments.mqtt.version, arguments, brokers, retry)?;
    match inbound {
        Inbound::Left => config.session.leave_messages = true,
        Inbound::Whole => {}
        Inbound::InPieces => config.session.max_size_in_pieces = LARGEST_PACKET,
    }
    let revoker = Revoker::default();
    let client = match &session.directory {
        Some(directory) => {
            set_persistent(&mut config.session, &arguments.mqtt);
            let store = store(directory, session, &arguments.mqtt)?;
            let store = Revocable::new(store, revoker.clone());
            Client::with_store(config, Box::new(store))
        }
        None => Client::new(config),
    };
    Ok((driver_of(client, arguments)?, revoker))
}

/// Opens the directory. Encrypts its records if there is a key.
fn store(
    directory: &Path,
    session: &SessionArguments,
    mqtt: &MqttArguments,
) -> Result<Box<dyn Store>, Failure> {
    let store = open_store(directory)?;
    let Some(path) = &session.session_key else {
        return Ok(Box::new(store));
    };
    let content = match read(path, "--session-key") {
        Ok(content) => Zeroizing::new(content),
        Err(failure) if !path.exists() => {
            let path = path.display();
            return Err(failure.cure(format_args!(
                "check the path, or create a key there: openssl rand -hex -out {path} 32"
            )));
        }
        Err(failure) => return Err(failure),
    };
    let bytes = from_hex(content.trim_ascii());
    let bytes = bytes.as_ref().unwrap_or(&content);
    let fill = |buf: &mut [u8]| {
        let filled = getrandom::fill(buf);
        filled.map_err(|error| error.raw_os_error().map_or(-1, i32::wrapping_neg))
    };
    // Suggest a new file: this one may be needed.
    let key = Key::soft(bytes, fill).map_err(|error| {
        Failure::usage(format_args!("--session-key {}: {error}", path.display())).cure(
            "give the file with the key, or create one in a new file: openssl rand -hex -out NEW-FILE 32",
        )
    })?;
    let id = mqtt.id.as_deref().unwrap_or_default();
    Ok(Box::new(SealedStore::new(store, key, id)))
}

/// Decodes 32 or 64 hexadecimal digits.
fn from_hex(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let text = std::str::from_utf8(text).ok()?;
    if !matches!(text.len(), 32 | 64) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let byte = |at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    (0..text.len())
        .step_by(2)
        .map(byte)
        .collect::<Option<Vec<_>>>()
        .map(Zeroizing::new)
}

fn open_store(directory: &Path) -> Result<FileStore, Failure> {
    let shown = directory.display();
    FileStore::open(directory).map_err(|error| match error.kind() {
        ErrorKind::ResourceBusy => {
            Failure::usage(format_args!("--session {shown}: another process uses it"))
                .cure("wait for it to end, or give each process its own directory and --id")
        }
        _ if directory.exists() && !directory.is_dir() => {
            Failure::usage(format_args!("--session {shown} is a file, not a directory"))
                .cure("give a directory; it is created if missing")
        }
        _ => Failure::new(
            Status::Input,
            format_args!("--session {shown} cannot be created or opened: {error}"),
        )
        .cure("give a directory that this user can create and write"),
    })
}

/// Creates a client for one of the brokers, in this MQTT version and for one attempt.
pub(crate) fn driver_for(
    version: MqttVersion,
    arguments: &CommonArguments,
    broker: &Broker,
) -> Result<Driver<HostPort>, Failure> {
    let mut config = config(version, arguments, vec![broker.clone()], Retry::Never)?;
    config.session.leave_messages = true;
    driver_of(Client::new(config), arguments)
}

fn config(
    version: MqttVersion,
    arguments: &CommonArguments,
    mut others: Vec<Broker>,
    retry: Retry,
) -> Result<Config, Failure> {
    let first = others.remove(0);
    let is_secure = |broker: &Broker| broker.uri.scheme == Scheme::Mqtts;
    let tls = match is_secure(&first) || others.iter().any(is_secure) {
        true => Some(tls_config(&arguments.tls)?),
        false => None,
    };
    let hosts = iter::once(&first).chain(&others);
    let hosts: Vec<_> = hosts.map(|broker| &broker.uri.host).collect();
    Ok(Config {
        resolver: resolver_config(&arguments.network, &hosts),
        tls,
        session: session_config(version, &arguments.mqtt, &arguments.will)?,
        timers: timers(),
        retry,
        failover: Failover {
            others,
            weight: first.weight,
            ..Failover::default()
        },
        redirects: arguments.redirects.unwrap_or(3),
        fallback_to_v311: arguments.mqtt.fallback,
        keep_alive: match arguments.mqtt.keepalive {
            KeepAlive::Seconds(_) => thread_mqtt_client::KeepAlive::Fixed,
            KeepAlive::Auto => thread_mqtt_client::KeepAlive::AUTO,
        },
        ..Config::new(first.uri)
    })
}

fn driver_of(
    client: Result<Client, ConfigError>,
    arguments: &CommonArguments,
) -> Result<Driver<HostPort>, Failure> {
    let client = client.map_err(Failure::usage)?;
    // A buffer for a whole TLS record.
    let buffer = vec![0; 18 * 1024].into_boxed_slice();
    Ok(Driver::with_buffer(
        client,
        port(&arguments.network)?,
        buffer,
    ))
}

/// Returns timers shorter than a device's, because a person is waiting.
fn timers() -> Timers {
    Timers {
        tcp_connect: Duration::from_secs(10),
        tls_handshake: Duration::from_secs(20),
        backoff_min: Duration::from_secs(1),
        backoff_max: Duration::from_secs(60),
        network_jitter: Duration::from_secs(1),
        close: Duration::from_secs(2),
        ..Timers::default()
    }
}

pub(crate) fn port(arguments: &NetworkArguments) -> Result<HostPort, Failure> {
    let options = Options {
        ipv6_only: arguments.ipv6_only || arguments.nat64_prefix.is_some(),
        dns_servers: match arguments.dns_server.as_slice() {
            [] => None,
            servers => Some(servers.iter().map(|server| mapped(*server)).collect()),
        },
    };
    Ok(HostPort::new(options)?)
}

pub(crate) fn resolver_config(arguments: &NetworkArguments, hosts: &[&Host]) -> resolver::Config {
    let is_local = |host: &&Host| matches!(host, Host::Name(name) if is_localhost(name));
    let chain = match arguments.dns_server.as_slice() {
        // Can be resolved without a DNS server.
        [] if hosts.iter().all(is_local) => vec![AddressSource::Platform],
        [] => vec![AddressSource::Platform, AddressSource::BorderRouter],
        servers => {
            let source = |server: &SocketAddr| AddressSource::Server(mapped(*server));
            servers.iter().map(source).collect()
        }
    };
    resolver::Config {
        chain,
        deadline: arguments.dns_timeout,
        policy: arguments.policy.unwrap_or_default().into(),
        family: arguments.family.into(),
        configured_prefix: arguments.nat64_prefix,
        discover_prefix: arguments.ipv6_only && arguments.nat64_prefix.is_none(),
        // In a fast network, the second half of the answer follows soon.
        resolution_delay: Duration::from_millis(50),
        ..resolver::Config::default()
    }
}

/// Size of the largest packet that MQTT allows.
const LARGEST_PACKET: u32 = 268_435_460;

fn session_config(
    version: MqttVersion,
    arguments: &MqttArguments,
    will: &WillArguments,
) -> Result<thread_mqtt_session::Config, Failure> {
    let password = match &arguments.password_file {
        Some(path) => {
            let mut content = read(path, "--password-file")?;
            // Editors on some systems start a file with a byte order mark.
            if content.starts_with(b"\xEF\xBB\xBF") {
                content.drain(..3).for_each(drop);
            } else if content.starts_with(b"\xFF\xFE") || content.starts_with(b"\xFE\xFF") {
                return Err(Failure::usage(format_args!(
                    "the file {} given by --password-file is text in UTF-16",
                    path.display()
                ))
                .cure("save it as UTF-8"));
            }
            let line = content
                .iter()
                .position(|byte| matches!(byte, b'\r' | b'\n'));
            content.truncate(line.unwrap_or(content.len()));
            if content.is_empty() {
                return Err(Failure::usage(format_args!(
                    "the first line of the file {} given by --password-file is empty",
                    path.display()
                ))
                .cure("put the password in the first line, or leave --password-file out"));
            }
            Some(content.into())
        }
        None => arguments.password(),
    };
    let message = will.will_topic.as_ref().map(|topic| Message {
        properties: will.properties().map(Box::new),
        ..Message::new(topic.as_str(), will.will_payload.as_bytes())
            .qos(will.will_qos)
            .retain(will.will_retain)
    });
    let mut config = thread_mqtt_session::Config {
        version: match version {
            MqttVersion::V311 => Version::V311,
            MqttVersion::V5 => Version::V5,
        },
        client_id: match &arguments.id {
            Some(id) => id.clone(),
            None => random_id()?,
        },
        username: arguments.username.clone(),
        password,
        keep_alive: match arguments.keepalive {
            KeepAlive::Seconds(seconds) => Duration::from_secs(seconds.into()),
            KeepAlive::Auto => thread_mqtt_session::Config::default().keep_alive,
        },
        will: message,
        will_delay: will.will_delay.unwrap_or(0),
        max_packet_size: arguments.max_packet,
        received_ids: u16::MAX,
        outbox_messages: 256,
        outbox_bytes: 512 << 20,
        event_bytes: 1 << 20,
        ..thread_mqtt_session::Config::default()
    };
    if arguments.persistent {
        set_persistent(&mut config, arguments);
    }
    Ok(config)
}

/// Keeps the session at the broker.
fn set_persistent(config: &mut thread_mqtt_session::Config, arguments: &MqttArguments) {
    config.clean_start = false;
    config.adopt_session = true;
    config.session_expiry = arguments.session_expiry_interval.unwrap_or(u32::MAX);
}

fn random_id() -> Result<String, Failure> {
    let number = getrandom::u64().map_err(|error| {
        Failure::usage(format_args!("no entropy available on this host: {error}"))
    })?;
    Ok(format!("thread-mqtt-{number:016x}"))
}

fn mapped(server: SocketAddr) -> SocketAddrV6 {
    match server {
        SocketAddr::V4(ipv4) => SocketAddrV6::new(ipv4.ip().to_ipv6_mapped(), ipv4.port(), 0, 0),
        // With the zone, if there is one.
        SocketAddr::V6(ipv6) => ipv6,
    }
}

/// Parses the argument of `resolve`: a URI, or anything that can be the host of one.
pub(crate) fn broker_of(name: &str) -> Result<BrokerUri, Failure> {
    no_credentials("the name", name)?;
    if name.is_empty() {
        return Err(Failure::usage("the name is empty")
            .cure("write a host name, an address or a broker's URI"));
    }
    idn::check(name)?;
    let name = &*to_ascii(name);
    let bare_ipv6 = name.parse::<std::net::Ipv6Addr>().is_ok();
    let text = match (name.contains("://"), bare_ipv6) {
        (true, _) => name.to_owned(),
        (false, true) => format!("mqtts://[{name}]"),
        (false, false) => format!("mqtts://{name}"),
    };
    text.parse().map_err(|error| {
        let error = match (error, name.parse::<Host>()) {
            // Brackets would not help.
            (UriError::HostUnbracketed, Err(UriError::HostIpv6)) => UriError::HostIpv6,
            (error, _) => error,
        };
        Failure::usage(format_args!("{name:?}: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_ipv6_address_is_called_one() {
        for name in ["1::2::3", "12345::"] {
            let failure = broker_of(name).unwrap_err();
            assert!(
                failure.cause().contains("not a valid IPv6 address"),
                "{name}"
            );
        }
        let failure = broker_of("mqtt://::1").unwrap_err();
        assert!(failure.cause().contains("brackets"), "{}", failure.cause());
    }

    #[test]
    fn a_link_local_server_keeps_its_zone() {
        let server = "[fe80::1%4]:5353".parse().unwrap();
        assert_eq!(mapped(server).scope_id(), 4);
        let server = "192.0.2.1:53".parse().unwrap();
        assert_eq!(mapped(server), "[::ffff:192.0.2.1]:53".parse().unwrap());
    }
}
