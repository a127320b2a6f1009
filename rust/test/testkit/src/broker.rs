//! A complete MQTT broker inside the process: 3.1.1 and 5 on one port, QoS 0 to 2,
//! retained messages, wills and offline queues, all in memory.
//!
//! It is [`mqtt5`](https://crates.io/crates/mqtt5)'s broker on a plain loopback port;
//! TLS is the matter of a [`Front`](crate::front::Front) before it. One peculiarity: it adds a
//! user property `x-mqtt-client-id` to the messages it delivers over MQTT 5.
use crate::background::Background;
use mqtt5::broker::config::{BrokerConfig, StorageBackend, StorageConfig};
use mqtt5::broker::{MqttBroker, PasswordAuthProvider};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// What the broker allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Only this user with this password; `None` lets everybody in.
    pub credentials: Option<(String, String)>,
    /// Largest packet taken, bytes, at least 1024; MQTT 5 clients are told.
    pub max_packet_size: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            credentials: None,
            max_packet_size: 256 * 1024,
        }
    }
}

/// The running broker; it ends when dropped.
#[derive(Debug)]
pub struct Broker {
    address: SocketAddr,
    _service: Background,
}

impl Broker {
    /// Starts on a free port of 127.0.0.1, and returns when it accepts connections.
    pub fn start(config: Config) -> io::Result<Self> {
        let (service, address) = Background::spawn("mqtt-broker", async move || {
            let mut broker = build(config).await.map_err(io::Error::other)?;
            let address = broker
                .local_addr()
                .ok_or_else(|| io::Error::other("the broker has no listener"))?;
            // The listener is bound: whoever connects from here on waits in its backlog.
            let run = async move {
                if let Err(error) = broker.run().await {
                    eprintln!("The embedded broker ended: {error}.");
                }
            };
            Ok((address, run))
        })?;
        Ok(Self {
            address,
            _service: service,
        })
    }

    /// Where it listens, without TLS.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn build(config: Config) -> mqtt5::Result<MqttBroker> {
    let storage = StorageConfig::new()
        .with_backend(StorageBackend::Memory)
        .with_persistence(true);
    let settings = BrokerConfig::new()
        .with_bind_address((Ipv4Addr::LOCALHOST, 0))
        .with_storage(storage)
        .with_sys_topics_enabled(false)
        .with_max_packet_size(config.max_packet_size);
    let broker = MqttBroker::with_config(settings).await?;
    Ok(match config.credentials {
        None => broker,
        Some((user, password)) => {
            let users = PasswordAuthProvider::new();
            users.add_user(user, &password)?;
            broker.with_auth_provider(Arc::new(users))
        }
    })
}
