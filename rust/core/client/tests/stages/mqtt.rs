//! The MQTT stage.
use super::*;

#[test]
fn every_refusal_is_told_and_retried_at_its_own_pace() {
    let v5 = [
        0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95, 0x97,
        0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9f,
    ];
    let refusals = (1..=5)
        .map(|code| (Version::V311, code))
        .chain(v5.map(|code| (Version::V5, code)));
    for (version, code) in refusals {
        let mut config = config(PLAIN);
        config.session.version = version;
        let server = peer::Config {
            refuse: Some(code),
            ..plain()
        };
        let mut world = World::started(config, server);
        let (stage, cause, retry_in) = world.run_until_failed(s(5));
        let Cause::Mqtt(SessionError::Refused(refusal)) = cause else {
            panic!("{cause:?}");
        };
        assert_eq!((stage, refusal.code()), (Stage::Mqtt, code));
        let slow = (s(32)..=s(64)).contains(&retry_in.unwrap());
        assert_eq!(slow, refusal.is_permanent(), "{code}: {retry_in:?}");

        // Once fixed at the broker, the client recovers by itself.
        world.server.configure(|config| config.refuse = None);
        world.run_until_online(s(65));
    }
}

#[test]
fn a_broker_that_closes_instead_of_answering() {
    for fault in [Fault::CloseAfterReceived(1), Fault::ResetAfterSent(0)] {
        let server = peer::Config {
            faults: vec![fault],
            ..plain()
        };
        let mut world = World::started(config(PLAIN), server);
        let (stage, cause, _) = world.run_until_failed(s(5));
        assert_eq!((stage, cause), (Stage::Mqtt, Cause::ClosedBeforeConnack));
    }
}

#[test]
fn a_silent_broker_is_left_when_connack_does_not_come() {
    let mut world = World::new(config(PLAIN), plain());
    world.network = attached();
    world.paths.push_back(Path::SilentAfter(0));
    world.start();
    let (stage, cause, _) = world.run_until_failed(s(60));
    assert_eq!(
        (stage, cause),
        (Stage::Mqtt, Cause::Mqtt(SessionError::ConnackTimeout))
    );
}

/// A broker that accepts a topic with a NUL delivers it, and keeps it until it is acknowledged.
#[test]
fn a_malformed_message_does_not_come_for_ever() {
    for (version, suspect_after) in [(Version::V311, 3), (Version::V5, 3), (Version::V5, 0)] {
        let mut config = config(PLAIN);
        config.session.version = version;
        config.session.suspect_after = suspect_after;
        let mut world = World::started(config, plain());
        world.lets_pass = Some((b'~', 0));
        world.run_until_online(s(5));
        let filters = [("bad/#", QoS::AtLeastOnce)];
        world.client.subscribe(&filters).unwrap();
        world.run_for(s(5));
        world.server.publish(&peer::Message {
            topic: "bad/~".into(),
            payload: vec![],
            qos: 1,
            retain: false,
        });
        let alarms = world.alarms();
        let malformed = Cause::Mqtt(SessionError::Malformed {
            packet: PacketType::PUBLISH,
            fault: session::Fault::Text,
        });
        let failures = world.failures();
        assert!(
            failures.iter().all(|(_, cause, _)| *cause == malformed),
            "{failures:?}"
        );
        if suspect_after == 0 {
            assert!(failures.len() > 8, "{failures:?}");
            continue;
        }
        assert_eq!(failures.len(), 3, "{version:?}");
        for token in alarms {
            assert!(world.session_events().any(|e| *e == Mqtt::Published(token)));
        }
        assert!(world.client.is_online());
    }
}

/// MQTT 3.1.1 has no Receive Maximum: a broker may send all waiting messages at once, more than
/// this side can track.
#[test]
fn a_backlog_larger_than_the_memory_for_it_arrives_over_some_connections() {
    let mut config = config(PLAIN);
    config.session.version = Version::V311;
    config.session.receive_maximum = 8;
    config.session.received_ids = 8;
    config.session.suspect_after = 1;
    let mut world = World::started(config, plain());
    world.run_until_online(s(5));
    world.client.subscribe(&[("t", QoS::ExactlyOnce)]).unwrap();
    world.run_for(s(5));
    world.set_network(Network::default());
    world.run_for(s(600));
    for number in 0..100 {
        world.server.publish(&peer::Message {
            topic: "t".into(),
            payload: vec![number],
            qos: 2,
            retain: false,
        });
    }
    world.set_network(attached());
    world.run_for(s(300));
    let received = world.session_events().filter_map(|event| match event {
        Mqtt::Message(message) => message.payload.first().copied(),
        _ => None,
    });
    assert_eq!(received.collect::<Vec<_>>(), (0..100).collect::<Vec<_>>());
    let log = world.server.log();
    assert!(log.connects.iter().skip(1).all(|connect| !connect.clean));
    assert!(world.client.is_online());
}

/// Each was delivered once, with a stable connection in between: none of them arrives again.
#[test]
fn malformed_messages_far_apart_do_not_end_the_session() {
    let mut world = World::started(config(PLAIN), plain());
    world.lets_pass = Some((b'~', 0));
    world.run_until_online(s(5));
    world
        .client
        .subscribe(&[("bad/#", QoS::AtMostOnce)])
        .unwrap();
    for failures in 1..6 {
        let report = Message::new("t", "").qos(QoS::AtLeastOnce);
        world.client.publish(report).unwrap();
        world.run_for(s(600));
        assert!(world.client.is_online());
        world.server.publish(&peer::Message {
            topic: "bad/~".into(),
            payload: vec![],
            qos: 0,
            retain: false,
        });
        world.run_until(s(5), |world| world.failures().len() == failures);
        world.run_for(s(30));
        let resumed = Event::Reached(Reached::Online {
            session_present: true,
        });
        let online = world.events.iter().filter(|(_, event)| *event == resumed);
        assert_eq!(online.count(), failures);
    }
}

#[test]
fn a_dead_connection_is_found_by_the_keep_alive() {
    let mut world = World::started(config(PLAIN), plain());
    world.run_until_online(s(5));
    world.silence();
    let (stage, cause, _) = world.run_until_failed(s(120));
    assert_eq!(
        (stage, cause),
        (Stage::Mqtt, Cause::Mqtt(SessionError::PingTimeout))
    );
    world.run_until_online(s(60));
}

#[test]
fn what_was_queued_offline_goes_out_online_and_over_a_loss() {
    let mut world = World::new(config(SECURE), secure());
    let message = |n: u8| Message::new("t", [n]).qos(QoS::ExactlyOnce);
    let first = world.client.publish(message(1)).unwrap();
    world.network = attached();
    world.start();
    world.run_until_online(s(5));
    let second = world.client.publish(message(2)).unwrap();
    // Lost before any of it can arrive.
    world.settle();
    world.cut();
    assert_eq!(world.failures()[0].0, Stage::Mqtt);
    assert!(!world.client.session().is_connected());
    let both = world.run_until(s(60), |world| {
        let published = |token| world.session_events().any(|e| *e == Mqtt::Published(token));
        published(first) && published(second)
    });
    assert!(both, "{:?}", world.events);
    let payloads: Vec<_> = world.server.log().published;
    let payloads: Vec<u8> = payloads.iter().map(|message| message.payload[0]).collect();
    assert_eq!(payloads, [1, 2]);
}

#[test]
fn events_the_application_does_not_take_hold_the_broker_back() {
    let mut config = config(SECURE);
    config.session.event_bytes = 256;
    let mut world = World::started(config, secure());
    world.run_until_online(s(5));
    world.client.subscribe(&[("#", QoS::AtLeastOnce)]).unwrap();
    let subscribed = |world: &World| {
        let mut events = world.session_events();
        events.any(|event| matches!(event, Mqtt::Subscribed(..)))
    };
    assert!(world.run_until(s(5), subscribed));

    // To itself, through the broker.
    world.polls = false;
    for n in 0..12_u8 {
        let message = Message::new("t", vec![n; 1000]).qos(QoS::AtLeastOnce);
        world.client.publish(message).unwrap();
    }
    world.run_for(s(30));
    world.polls = true;
    let received = |world: &World| {
        let messages = world.session_events().filter_map(|event| match event {
            Mqtt::Message(message) => Some(message.payload[0]),
            _ => None,
        });
        messages.collect::<Vec<u8>>()
    };
    let all = world.run_until(s(30), |world| received(world).len() >= 12);
    assert!(all, "{:?}", received(&world));
    assert_eq!(received(&world), (0..12).collect::<Vec<u8>>());
    assert!(world.failures().is_empty(), "{:?}", world.failures());
}

/// The broker's last bytes may be decrypted already when the application makes room.
#[test]
fn what_tls_holds_back_is_not_forgotten() {
    let mut config = config(SECURE);
    config.session.event_bytes = 256;
    let mut world = World::started(config, secure());
    world.run_until_online(s(5));
    world.client.subscribe(&[("#", QoS::AtMostOnce)]).unwrap();
    world.run_for(s(5));
    world.polls = false;
    for n in 0..2_u8 {
        let message = Message::new("t", vec![n; 1000]);
        world.client.publish(message).unwrap();
    }
    world.run_for(s(1));
    world.polls = true;
    world.settle();
    let messages = world.session_events();
    let messages = messages.filter(|event| matches!(event, Mqtt::Message(_)));
    assert_eq!(messages.count(), 2);
}

#[test]
fn what_the_broker_said_before_a_loss_comes_before_it() {
    let mut world = World::started(config(PLAIN), plain());
    world.run_until_online(s(5));
    world.client.subscribe(&[("#", QoS::AtMostOnce)]).unwrap();
    world.run_for(s(5));
    world.polls = false;
    world.client.publish(Message::new("t", "x")).unwrap();
    world.run_for(s(1));
    world.cut();
    world.polls = true;
    world.settle();
    let place = |wanted: fn(&Event) -> bool| {
        let mut events = world.events.iter();
        events.position(|(_, event)| wanted(event)).unwrap()
    };
    let message = place(|event| matches!(event, Event::Session(Mqtt::Message(_))));
    let failed = place(|event| matches!(event, Event::Failed { .. }));
    assert!(message < failed);
}
