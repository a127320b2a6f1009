//! The broker's byte stream: fragmented in every way, and broken in every way.

mod common;

use common::{Assembly, Client, Publish, VERSIONS, at, in_pieces, lasting, wire};
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng};
use thread_mqtt_session::{Config, Event, Message, QoS, Version};

/// A conversation with every packet a broker sends, after CONNACK.
fn conversation(version: Version) -> Vec<u8> {
    let publish = |topic, payload: &[u8], qos, id| {
        wire::publish(version, &Publish::new(topic, payload, qos, id))
    };
    let mut packets = vec![
        wire::suback(version, 3, &[2]),
        publish("a", b"zero", 0, 0),
        publish("b/c", b"one", 1, 1),
        publish("d/e/f", b"two", 2, 2),
        publish("large", &[0x55; 700], 1, 3),
        wire::pubrel(2),
        wire::puback(1, 0),
        wire::pubrec(2, 0),
        wire::pubcomp(2),
        wire::unsuback(version, 4, &[0]),
        wire::PINGRESP.to_vec(),
    ];
    if version == Version::V5 {
        packets.push(wire::publish_v5(&Publish::new("p", "x", 0, 0), |p| {
            p.content_type = Some("text/plain".into());
            p.correlation_data = Some(vec![1, 2, 3].into());
            p.message_expiry_interval = Some(9);
            p.payload_is_utf8 = Some(true);
            p.response_topic = Some("r".try_into().expect("a topic"));
            p.user_properties.push(mqtt_proto::v5::UserProperty {
                name: "k".into(),
                value: "v".into(),
            });
        }));
    }
    packets.concat()
}

fn connack(version: Version) -> Vec<u8> {
    match version {
        Version::V311 => wire::connack(version, false),
        Version::V5 => wire::connack_v5(false, |p| {
            p.receive_max = Some(20);
            p.max_packet_size = Some(100_000);
            p.server_keep_alive = Some(30);
            p.assigned_client_id = Some("x".into());
            p.reason_string = Some("welcome".into());
        }),
    }
}

/// Creates a client whose outbox fits the conversation. It may take large messages in pieces.
fn client(version: Version, pieces: bool) -> Client {
    let config = Config {
        event_bytes: 1_000_000,
        ..lasting(version)
    };
    let mut client = Client::new(if pieces { in_pieces(config) } else { config });
    let session = &mut client.session;
    session.connect(at(0));
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let message = Message::new("up", "x").qos(qos);
        session.publish(message).expect("room");
    }
    session.subscribe(&[("a", QoS::ExactlyOnce)]).expect("room");
    session.unsubscribe(&["b"]).expect("room");
    client
}

/// Creates a connected client, with everything sent.
fn online(version: Version, pieces: bool) -> Client {
    let mut client = client(version, pieces);
    client.transmit(at(0));
    client.receive(&connack(version), at(0));
    client.transmit(at(0));
    client
}

/// Returns the events, with messages in pieces reassembled.
fn events(client: &mut Client) -> Vec<Event> {
    let mut assembly = Assembly::default();
    let events = client.events().into_iter();
    events.filter_map(|event| assembly.take(event)).collect()
}

fn reference(version: Version) -> Vec<Event> {
    let mut client = online(version, false);
    client.receive(&conversation(version), at(1));
    let events = client.events();
    // Connected, and with MQTT 5 the texts of the CONNACK.
    let expected = if version == Version::V5 { 11 } else { 9 };
    assert_eq!(events.len(), expected, "{events:?}");
    assert!(client.session.outbox_len() == 0);
    events
}

#[test]
fn every_cut_in_two_and_byte_by_byte() {
    for (version, pieces) in variants() {
        let expected = reference(version);
        let bytes = conversation(version);
        for cut in 0..=bytes.len() {
            let mut client = online(version, pieces);
            client.receive(&bytes[..cut], at(1));
            client.receive(&bytes[cut..], at(1));
            assert_eq!(events(&mut client), expected, "cut at {cut}");
        }
        let mut client = online(version, pieces);
        for byte in &bytes {
            client.receive(&[*byte], at(1));
        }
        assert_eq!(events(&mut client), expected);
    }
}

fn variants() -> impl Iterator<Item = (Version, bool)> {
    let both = |version| [(version, false), (version, true)];
    VERSIONS.into_iter().flat_map(both)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_fragmentation(sizes in prop::collection::vec(1usize..200, 1..400)) {
        for (version, pieces) in variants() {
            let expected = reference(version);
            let mut client = online(version, pieces);
            let bytes = conversation(version);
            let mut rest = &bytes[..];
            for size in sizes.iter().cycle() {
                let (now, later) = rest.split_at((*size).min(rest.len()));
                client.receive(now, at(1));
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(events(&mut client), expected);
        }
    }
}

/// 75,000 broken conversations per version, with and without pieces: no panic, no memory beyond the
/// limits, and the state machine stays consistent.
#[test]
fn broken_input_never_panics() {
    for (version, pieces) in variants() {
        let whole = [connack(version), conversation(version)].concat();
        let mut rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let (mut failed, mut survived) = (0u32, 0u32);
        for _ in 0..75_000 {
            let mut bytes = whole.clone();
            for _ in 0..rng.random_range(1..4) {
                mutate(&mut bytes, &mut rng);
            }
            let mut client = client(version, pieces);
            client.transmit(at(0));
            match feed(&mut client, &bytes, &mut rng) {
                true => survived += 1,
                false => failed += 1,
            }
        }
        // Both outcomes must occur often, otherwise the mutations are ineffective.
        assert!(failed > 5_000 && survived > 5_000, "{failed} {survived}");
    }
}

fn mutate(bytes: &mut Vec<u8>, rng: &mut TestRng) {
    let at = rng.random_range(0..bytes.len());
    match rng.random_range(0..6) {
        0 => bytes[at] ^= 1 << rng.random_range(0..8),
        1 => bytes[at] = rng.random_range(0..=255),
        2 => bytes.truncate(at.max(1)),
        3 => {
            bytes.remove(at);
            if bytes.is_empty() {
                bytes.push(0);
            }
        }
        4 => bytes.insert(at, rng.random_range(0..=255)),
        _ => {
            let end = bytes.len().min(at + rng.random_range(1..30));
            let piece = bytes[at..end].to_vec();
            let to = rng.random_range(0..=bytes.len());
            bytes.splice(to..to, piece);
        }
    }
}

/// Returns true if the client took everything without an error.
fn feed(client: &mut Client, bytes: &[u8], rng: &mut TestRng) -> bool {
    let cut = rng.random_range(0..=bytes.len());
    for mut part in [&bytes[..cut], &bytes[cut..]] {
        while !part.is_empty() {
            match client.session.handle_input(part, at(1)) {
                Ok(taken) => {
                    assert!(taken <= part.len());
                    part = &part[taken..];
                }
                Err(_) => {
                    assert!(!client.session.is_connected());
                    client.transmit(at(1));
                    assert!(client.session.is_disconnected());
                    return false;
                }
            }
            client.events();
            client.transmit(at(1));
            assert!(client.session.wants_input());
            assert!(client.session.in_flight() <= client.session.outbox_len());
        }
    }
    true
}
