//! Each transition of the state machine, at explicit times.
#[path = "../world/mod.rs"]
mod world;

mod addresses;
mod backoff;
mod brokers;
mod events;
mod keep_alive;
mod mqtt;
mod network;
mod stair;
mod stop;
mod time;
mod tls;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use thread_mqtt_client::{
    Cause, Client, Config, ConfigError, Event, Reached, Retry, SetupError, Stage, TcpError,
};
use thread_mqtt_resolve::resolver::{AddressSource, LookupError};
use thread_mqtt_resolve::{Network, PrefixSource};
use thread_mqtt_session::{
    self as session, Event as Mqtt, Message, PacketType, QoS, SessionError, Version,
};
use thread_mqtt_testkit::fixed::{UNIX_TIME, VALIDITY};
use thread_mqtt_testkit::peer::{self, Fault};
use thread_mqtt_testkit::pki::{Authority, KeyKind, Usage};
use thread_mqtt_testkit::tls::{Tls, Version as TlsVersion};
use thread_mqtt_tls::{CertificateFault, Greeting, TlsError};
use world::{Path, World, attached, broker_tls, config, device_tls_for, prefix, s};

const PLAIN: &str = "mqtt://203.0.113.10";
const SECURE: &str = "mqtts://203.0.113.10";

fn plain() -> peer::Config {
    peer::Config::new(None)
}

fn secure() -> peer::Config {
    peer::Config::new(Some(broker_tls()))
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}
