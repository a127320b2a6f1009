//! What a durable message costs in writes and flash.
//!
//! ```text
//! cargo run -p thread-mqtt-session --example durable
//! ```
//!
//! Counts the writes of a session that exchanges messages of 100 bytes with a broker, and what they
//! take in Zephyr's settings on NVS, by the formats of `settings_nvs.c` and `nvs.c` (Zephyr 4). An
//! entry is its data, padded to the write block of 4 bytes, plus 8 bytes of metadata. A setting is
//! an entry for its value and, the first time, one for its name and one that counts the names.
//! Deleting it takes two entries without data, and the count.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use thread_mqtt_session::{Config, Event, Message, QoS, Session, Store, StoreError};

const MESSAGES: u16 = 1_000;
const PAYLOAD: usize = 100;
const TOPIC: &str = "sensor/7/temperature";
const NOW: Duration = Duration::ZERO;

/// "thread_mqtt/" and a key such as "s.8001".
const NAME: usize = 18;
/// Metadata of an entry in NVS.
const ENTRY: usize = 8;
const SECTOR: usize = 4_096;
/// A sector's closing entry, the one for garbage collection and an empty one.
const SECTOR_HEAD: usize = 3 * ENTRY;
/// Erase cycles that a page of the nRF52840 endures (product specification, section 6.11).
const ERASES: usize = 10_000;

#[derive(Default)]
struct Counter {
    records: BTreeMap<u16, usize>,
    writes: usize,
    deletions: usize,
    bytes: usize,
    nvs: usize,
}

fn padded(length: usize) -> usize {
    length.next_multiple_of(4)
}

#[derive(Clone, Default)]
struct Counting(Arc<Mutex<Counter>>);

impl Store for Counting {
    fn load(&mut self, _: &mut dyn FnMut(u16, &[u8])) -> Result<(), StoreError> {
        Ok(())
    }

    fn put(&mut self, key: u16, record: &[u8]) -> Result<(), StoreError> {
        let mut counter = self.0.lock().expect("one thread");
        counter.writes += 1;
        counter.bytes += record.len();
        counter.nvs += ENTRY + padded(record.len());
        if counter.records.insert(key, record.len()).is_none() {
            counter.nvs += ENTRY + padded(NAME) + ENTRY + padded(2);
        }
        Ok(())
    }

    fn delete(&mut self, key: u16) -> Result<(), StoreError> {
        let mut counter = self.0.lock().expect("one thread");
        counter.deletions += 1;
        if counter.records.remove(&key).is_some() {
            counter.nvs += 2 * ENTRY + ENTRY + padded(2);
        }
        Ok(())
    }
}

fn transmit(session: &mut Session) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let bytes = session.transmit(NOW);
        if bytes.is_empty() {
            while session.poll_event().is_some() {}
            return all;
        }
        all.extend_from_slice(bytes);
        let length = bytes.len();
        session.consume_transmit(length);
    }
}

fn receive(session: &mut Session, bytes: &[u8]) {
    let taken = session.handle_input(bytes, NOW);
    assert_eq!(taken, Ok(bytes.len()));
    while let Some(event) = session.poll_event() {
        assert!(!matches!(event, Event::PublishFailed(..)), "{event:?}");
    }
}

/// Returns the packet identifier of a PUBLISH.
fn id_of(packet: &[u8]) -> [u8; 2] {
    let at = packet
        .windows(TOPIC.len())
        .position(|part| part == TOPIC.as_bytes())
        .expect("the topic")
        + TOPIC.len();
    [packet[at], packet[at + 1]]
}

fn send(session: &mut Session, qos: QoS) {
    let message = Message::new(TOPIC, [7; PAYLOAD]).qos(qos);
    session.publish(message).expect("there is room");
    let packet = transmit(session);
    match qos {
        QoS::AtMostOnce => {}
        QoS::AtLeastOnce => {
            let [high, low] = id_of(&packet);
            receive(session, &[0x40, 2, high, low]);
        }
        QoS::ExactlyOnce => {
            let [high, low] = id_of(&packet);
            receive(session, &[0x50, 2, high, low]);
            transmit(session);
            receive(session, &[0x70, 2, high, low]);
        }
    }
    transmit(session);
}

fn take(session: &mut Session, qos: u8, id: u16) {
    let [high, low] = id.to_be_bytes();
    let length = 2 + TOPIC.len() + if qos == 0 { 0 } else { 2 } + 1 + PAYLOAD;
    let mut packet = vec![0x30 | qos << 1, length as u8, 0, TOPIC.len() as u8];
    packet.extend_from_slice(TOPIC.as_bytes());
    if qos > 0 {
        packet.extend_from_slice(&[high, low]);
    }
    packet.push(0);
    packet.extend_from_slice(&[7; PAYLOAD]);
    receive(session, &packet);
    transmit(session);
    if qos == 2 {
        receive(session, &[0x62, 2, high, low]);
        transmit(session);
    }
}

fn main() {
    println!(
        "                 writes  deletions  record bytes  NVS bytes  messages per sector and life"
    );
    println!("                 ------------ per message, {PAYLOAD} bytes of payload ------------");
    for outbound in [true, false] {
        for (level, qos) in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce]
            .into_iter()
            .enumerate()
        {
            let store = Counting::default();
            let config = Config {
                client_id: "device".into(),
                clean_start: false,
                session_expiry: u32::MAX,
                ..Config::default()
            };
            let session = Session::with_store(config, Box::new(store.clone()));
            let mut session = session.expect("a valid configuration");
            session.connect(NOW);
            transmit(&mut session);
            receive(&mut session, &[0x20, 3, 0, 0, 0]);
            let begun = std::mem::take(&mut *store.0.lock().expect("one thread"));
            assert_eq!(begun.writes, 1, "whose session it is");
            for message in 1..=MESSAGES {
                if outbound {
                    send(&mut session, qos);
                } else {
                    take(&mut session, level as u8, message);
                }
            }
            let counter = store.0.lock().expect("one thread");
            let each = |number: usize| number as f64 / f64::from(MESSAGES);
            let nvs = each(counter.nvs);
            let life = match counter.nvs {
                0 => "any number".into(),
                _ => format!("{:.0}", ((SECTOR - SECTOR_HEAD) * ERASES) as f64 / nvs),
            };
            println!(
                "QoS {level} {:9} {:8.2} {:9.2} {:12.1} {nvs:10.1}  {life:>12}",
                if outbound { "sent" } else { "received" },
                each(counter.writes),
                each(counter.deletions),
                each(counter.bytes),
            );
        }
    }
}
