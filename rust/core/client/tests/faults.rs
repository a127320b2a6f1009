//! Whatever breaks, and wherever: the client gets back online, and every message arrives as often
//! as its QoS promises.
mod world;

use proptest::collection::vec;
use proptest::prelude::*;
use std::time::Duration;
use thread_mqtt_session::{Event as Mqtt, Message, QoS, Version};
use thread_mqtt_testkit::peer::{self, Fault};
use world::{Path, World, attached, broker_tls, config, s};

fn fault() -> impl Strategy<Value = Fault> {
    // A handshake and a few messages have some 3,000 bytes, so every part of them is hit.
    prop_oneof![
        Just(Fault::Refuse),
        (1..4000_u64).prop_map(Fault::CloseAfterReceived),
        (0..4000_u64).prop_map(Fault::CloseAfterSent),
        (0..4000_u64).prop_map(Fault::ResetAfterSent),
    ]
}

fn path() -> impl Strategy<Value = Path> {
    prop_oneof![
        6 => Just(Path::Good),
        1 => Just(Path::Refused),
        1 => Just(Path::Unreachable),
        1 => Just(Path::BlackHole),
        2 => (0..4000_usize).prop_map(Path::SilentAfter),
    ]
}

fn qos() -> impl Strategy<Value = QoS> {
    prop_oneof![
        Just(QoS::AtMostOnce),
        Just(QoS::AtLeastOnce),
        Just(QoS::ExactlyOnce)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_message_arrives_as_its_qos_promises(
        seed in any::<u64>(),
        secure in any::<bool>(),
        v5 in any::<bool>(),
        messages in vec((qos(), 0..400_usize, 0..5000_u64), 1..10),
        faults in vec(fault(), 0..6),
        paths in vec(path(), 0..8),
        latency in 1..400_u64,
        window in 16..4096_usize,
        piece in 1..4096_usize,
    ) {
        let (uri, tls) = match secure {
            true => ("mqtts://203.0.113.10", Some(broker_tls())),
            false => ("mqtt://203.0.113.10", None),
        };
        let mut config = config(uri);
        config.session.version = if v5 { Version::V5 } else { Version::V311 };
        let server = peer::Config { faults, ..peer::Config::new(tls) };
        let mut world = World::seeded(config, server, seed);
        world.latency = Duration::from_millis(latency);
        world.window = window;
        world.piece = piece;
        world.paths.extend(paths);
        world.network = attached();
        world.client.subscribe(&[("#", QoS::ExactlyOnce)]).unwrap();
        world.start();

        let mut tokens = Vec::new();
        for (n, (qos, size, pause)) in messages.iter().enumerate() {
            let mut payload = vec![0; *size + 1];
            payload[0] = n as u8;
            tokens.push(world.client.publish(Message::new("t", payload).qos(*qos)).unwrap());
            world.run_for(Duration::from_millis(*pause));
        }
        let published = |world: &World| {
            tokens.iter().all(|token| world.session_events().any(|e| *e == Mqtt::Published(*token)))
        };
        // At most 14 broken connections, each with its timeouts and a pause of at most 64 s.
        prop_assert!(world.run_until(s(3600), published), "{:#?}", world.events);
        world.run_until_online(s(3600));
        world.run_for(s(10));

        let log = world.server.log();
        prop_assert_eq!(&log.violations, &Vec::<u8>::new());
        let times = |messages: &mut dyn Iterator<Item = &[u8]>, n: usize| {
            messages.filter(|payload| payload[0] == n as u8).count()
        };
        for (n, (qos, size, _)) in messages.iter().enumerate() {
            let mut at_broker = log.published.iter().map(|message| message.payload.as_slice());
            let there = times(&mut at_broker, n);
            let mut received = world.session_events().filter_map(|event| match event {
                Mqtt::Message(message) => Some(message.payload.as_slice()),
                _ => None,
            });
            let back = times(&mut received, n);
            match qos {
                QoS::AtMostOnce => prop_assert!(there <= 1, "message {n} {there} times"),
                QoS::AtLeastOnce => prop_assert!(there >= 1, "message {n} never"),
                QoS::ExactlyOnce => {
                    prop_assert!(there == 1, "message {n} {there} times");
                    prop_assert!(back <= 1, "message {n} came back {back} times");
                }
            }
            let whole = log.published.iter().filter(|m| m.payload[0] == n as u8);
            for message in whole {
                prop_assert_eq!(message.payload.len(), *size + 1);
            }
        }
    }
}

/// The same seed gives the same bytes, so that a failing case can be repeated.
#[test]
fn the_same_seed_repeats() {
    let run = || {
        let server = peer::Config {
            faults: vec![Fault::CloseAfterSent(900), Fault::ResetAfterSent(1500)],
            ..peer::Config::new(Some(broker_tls()))
        };
        let mut world = World::seeded(config("mqtts://203.0.113.10"), server, 7);
        world.piece = 64;
        world.network = attached();
        world.start();
        world.run_until_online(s(600));
        world.events
    };
    assert_eq!(run(), run());
}
