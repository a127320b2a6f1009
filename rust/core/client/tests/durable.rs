//! A client restarted with its storage: which broker holds its session.

#![cfg(feature = "durable")]

use chacha20::ChaCha8Rng;
use rand_core::SeedableRng;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use thread_mqtt_client::{Action, Client, Config};
use thread_mqtt_resolve::Network;
use thread_mqtt_session::{Store, StoreError};

#[derive(Clone, Default)]
struct Memory(Arc<Mutex<BTreeMap<u16, Vec<u8>>>>);

impl Store for Memory {
    fn load(&mut self, found: &mut dyn FnMut(u16, &[u8])) -> Result<(), StoreError> {
        for (key, record) in self.0.lock().expect("one thread").iter() {
            found(*key, record);
        }
        Ok(())
    }

    fn put(&mut self, key: u16, record: &[u8]) -> Result<(), StoreError> {
        self.0
            .lock()
            .expect("one thread")
            .insert(key, record.into());
        Ok(())
    }

    fn delete(&mut self, key: u16) -> Result<(), StoreError> {
        self.0.lock().expect("one thread").remove(&key);
        Ok(())
    }
}

const NOW: Duration = Duration::from_secs(1);
const CLEAN_START: u8 = 2;

/// Connects, after a restart, to this broker, which accepts. Returns whether it asked for a new
/// session.
fn asks_for_a_new_session(broker: &str, cluster: bool, store: &Memory) -> bool {
    let mut config = Config::new(broker.parse().unwrap());
    config.session.client_id = "device".into();
    config.session.clean_start = false;
    config.session.session_expiry = u32::MAX;
    config.failover.cluster = cluster;
    let mut client = Client::with_store(config, Box::new(store.clone())).unwrap();
    let network = Network {
        attached: true,
        native_ipv4: true,
        ..Network::default()
    };
    client.handle_network(&network, NOW);
    client.start(NOW);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let action = client.poll_action(NOW, &mut rng);
    assert!(matches!(action, Some(Action::TcpConnect(_))), "{action:?}");
    client.handle_tcp_connected(NOW);
    let connect = client.transmit(NOW).to_vec();
    // Fixed header of two bytes, "MQTT" with its length, version, flags.
    assert_eq!(&connect[2..9], b"\0\x04MQTT\x05");
    client.consume_transmit(connect.len());
    let connack = [0x20, 3, 0, 0, 0];
    assert_eq!(client.handle_tcp_data(&connack, NOW), connack.len());
    assert!(client.is_online());
    connect[9] & CLEAN_START != 0
}

#[test]
fn another_broker_than_before_the_restart_is_asked_for_a_new_session() {
    let store = Memory::default();
    let (a, b) = ("mqtt://192.0.2.1", "mqtt://192.0.2.2");
    assert!(!asks_for_a_new_session(a, false, &store));
    assert!(!asks_for_a_new_session(a, false, &store));
    assert!(asks_for_a_new_session(b, false, &store));
    assert!(!asks_for_a_new_session(b, false, &store));
    // What it knows of this client is out of date.
    assert!(asks_for_a_new_session(a, false, &store));
    // They share their sessions.
    assert!(!asks_for_a_new_session(b, true, &store));
}
