//! Messages to the broker.

use thread_mqtt_session::{
    Command, CommandError, Config, Event, Message, Properties, PublishError, ReasonCode, Token,
    Version,
};

use crate::common::{self, Client, Publish, Seen, VERSIONS, at, lasting, wire};
use crate::{QOS1, QOS2, online_with};

/// MQTT 5 defines two codes for PUBCOMP. With any other one, the broker has not completed the
/// exchange.
#[test]
fn a_pubcomp_with_an_error_is_no_success() {
    for (code, is_published) in [(0, true), (0x92, true), (0x80, false), (0x97, false)] {
        let mut client = Client::online(lasting(Version::V5));
        let message = Message::new("t", "").qos(QOS2);
        let token = client.session.publish(message).expect("room");
        client.transmit(at(1));
        client.receive(&wire::pubrec(1, 0), at(1));
        client.transmit(at(1));
        client.receive(&[0x70, 3, 0, 1, code], at(1));
        let refused = PublishError::Refused(ReasonCode(code));
        let end = match is_published {
            true => Event::Published(token),
            false => Event::PublishFailed(token, refused),
        };
        assert_eq!(client.events(), [end]);
        assert!(client.session.is_idle());
    }
}

#[test]
fn publish_at_each_qos() {
    for version in VERSIONS {
        let mut client = Client::online(lasting(version));
        let zero = client.session.publish(Message::new("t", "0"));
        assert_eq!(client.events(), []);
        let sent = client.sent(at(1));
        assert_eq!(sent, [Seen::Publish(Publish::new("t", "0", 0, 0))]);
        assert_eq!(client.events(), [Event::Published(zero.expect("room"))]);

        let one = client.session.publish(Message::new("t", "1").qos(QOS1));
        let sent = client.sent(at(1));
        assert_eq!(sent, [Seen::Publish(Publish::new("t", "1", 1, 1))]);
        assert_eq!(client.events(), []);
        assert_eq!(client.session.in_flight(), 1);
        assert!(!client.session.is_idle());
        client.receive(&wire::puback(1, 0), at(1));
        assert_eq!(client.events(), [Event::Published(one.expect("room"))]);

        let two = client.session.publish(Message::new("t", "2").qos(QOS2));
        let sent = client.sent(at(1));
        assert_eq!(sent, [Seen::Publish(Publish::new("t", "2", 2, 2))]);
        client.receive(&wire::pubrec(2, 0), at(1));
        assert_eq!(client.events(), []);
        assert_eq!(client.sent(at(1)), [Seen::Pubrel(2, 0)]);
        assert_eq!(client.session.in_flight(), 1);
        client.receive(&wire::pubcomp(2), at(1));
        assert_eq!(client.events(), [Event::Published(two.expect("room"))]);
        assert!(client.session.is_idle());
        assert_eq!(client.session.in_flight(), 0);
    }
}

#[test]
fn small_packets_leave_together_and_a_large_payload_is_not_copied() {
    let mut client = Client::online(lasting(Version::V5));
    let payload = vec![7; 3_000];
    let memory = payload.as_ptr();
    client
        .session
        .publish(Message::new("a", "1"))
        .expect("room");
    client
        .session
        .publish(Message::new("b", "2"))
        .expect("room");
    let large = Message::new("c", payload).qos(QOS1);
    client.session.publish(large).expect("room");
    client
        .session
        .publish(Message::new("d", "4"))
        .expect("room");

    let first = client.session.transmit(at(1)).to_vec();
    client.session.consume_transmit(first.len());
    let second = client.session.transmit(at(1));
    assert_eq!((second.as_ptr(), second.len()), (memory, 3_000));
    let second = second.to_vec();
    client.session.consume_transmit(2_999);
    // Incoming messages are answered at the next packet boundary.
    let incoming = wire::publish(Version::V5, &Publish::new("t", "x", 1, 9));
    client.receive(&incoming, at(1));
    client.events();
    assert_eq!(client.session.transmit(at(1)), [7]);
    client.session.consume_transmit(1);
    let rest = client.transmit(at(1));
    let seen = common::parse_all(Version::V5, [first, second, rest].concat());
    let topics = seen.iter().map(|packet| match packet {
        Seen::Publish(publish) => publish.topic.as_str(),
        Seen::Puback(9) => "PUBACK",
        other => panic!("{other:?}"),
    });
    assert_eq!(topics.collect::<Vec<_>>(), ["a", "b", "c", "PUBACK", "d"]);
}

#[test]
fn what_is_shown_stays_until_it_is_consumed() {
    let mut client = Client::online(lasting(Version::V311));
    client
        .session
        .publish(Message::new("t", "abc"))
        .expect("room");
    let shown = client.session.transmit(at(1)).to_vec();
    client.receive(
        &wire::publish(Version::V311, &Publish::new("t", "x", 1, 5)),
        at(1),
    );
    client.events();
    client
        .session
        .publish(Message::new("t", "def"))
        .expect("room");
    assert_eq!(client.session.transmit(at(1)), shown);
    client.session.consume_transmit(0);
    client.session.consume_transmit(3);
    assert_eq!(client.session.transmit(at(1)), &shown[3..]);
    assert_eq!(client.events(), []);
    client.session.consume_transmit(shown.len() - 3);
    assert_eq!(client.events().len(), 1);
    let rest = client.sent(at(1));
    assert!(matches!(rest[..], [Seen::Puback(5), Seen::Publish(_)]));
}

#[test]
fn the_outbox_has_bounds_and_nothing_is_queued_beyond() {
    let mut client = Client::new(Config {
        outbox_messages: 2,
        outbox_bytes: 100,
        ..lasting(Version::V5)
    });
    let publish = |client: &mut Client, size| {
        let message = Message::new("t", vec![0; size]).qos(QOS1);
        client.session.publish(message).map(|_| ())
    };
    assert_eq!(
        publish(&mut client, 100),
        Err(CommandError::LargerThanOutbox)
    );
    assert_eq!(publish(&mut client, 50), Ok(()));
    assert_eq!(publish(&mut client, 50), Err(CommandError::Full));
    assert_eq!(client.session.outbox_len(), 1);
    assert_eq!(publish(&mut client, 1), Ok(()));
    assert_eq!(publish(&mut client, 1), Err(CommandError::Full));
    client.reconnect(at(0), false);
    client.transmit(at(0));
    client.receive(&wire::puback(1, 0), at(0));
    assert_eq!(client.session.outbox_len(), 1);
    assert_eq!(publish(&mut client, 1), Ok(()));
}

/// As when messages from before a restart fill it: an application subscribes once, at startup.
#[test]
fn requests_have_room_of_their_own() {
    for apart in [false, true] {
        let mut client = Client::new(Config {
            outbox_messages: 2,
            outbox_bytes: 100,
            ..lasting(Version::V5)
        });
        for _ in 0..2 {
            let message = Message::new("t", vec![0; 49]).qos(QOS1);
            client.session.publish(message).expect("room");
        }
        let full = "f".repeat(60);
        let mut token = 2;
        let mut subscribe = |client: &mut Client, filter: &str| {
            let command = Command::subscribe(&[(filter, QOS1)])?;
            if !apart {
                return client.session.subscribe(&[(filter, QOS1)]).map(drop);
            }
            client.session.outbox_room().check(&command)?;
            token += 1;
            let submitted = client.session.submit(Token(token), command);
            submitted.map_err(|_| CommandError::OutOfMemory)
        };
        assert_eq!(subscribe(&mut client, &full), Ok(()));
        // By bytes, and by number.
        assert_eq!(subscribe(&mut client, &full), Err(CommandError::Full));
        assert_eq!(subscribe(&mut client, "a"), Ok(()));
        assert_eq!(subscribe(&mut client, "b"), Err(CommandError::Full));
        let room = client.session.outbox_room();
        assert_eq!(room.check_filter("b"), Err(CommandError::Full));
        client.reconnect(at(0), false);
        assert_eq!(client.sent(at(0)).len(), 4);
        // Requests in flight do not count.
        assert_eq!(subscribe(&mut client, "b"), Ok(()));
        // They do not block messages either.
        client.receive(&wire::puback(1, 0), at(0));
        let message = Message::new("t", "").qos(QOS1);
        client.session.publish(message).expect("room");
    }
}

#[test]
fn commands_are_checked() {
    let mut client = Client::online(lasting(Version::V311));
    let session = &mut client.session;
    let mut publish = |topic: &str| session.publish(Message::new(topic, "")).err();
    assert_eq!(publish(""), Some(CommandError::EmptyTopic));
    assert_eq!(publish("a/+"), Some(CommandError::WildcardInTopic));
    assert_eq!(
        publish(&"x".repeat(65_536)),
        Some(CommandError::TopicTooLong)
    );
    let message = Message::new("t", "").properties(Properties::default());
    assert_eq!(
        session.publish(message),
        Err(CommandError::PropertiesNeedV5)
    );
    assert_eq!(session.subscribe(&[]), Err(CommandError::NoFilters));
    assert_eq!(
        session.subscribe(&[("ok", QOS1), ("a#", QOS1)]),
        Err(CommandError::InvalidFilter)
    );
    assert_eq!(session.unsubscribe(&[""]), Err(CommandError::EmptyTopic));
    for half in ["$share/", "$share/g", "$share/g/", "$share//a"] {
        let error = session.subscribe(&[(half, QOS1)]).unwrap_err();
        assert_eq!(error, CommandError::InvalidShare, "{half}");
        assert!(error.to_string().contains("$share/GROUP/FILTER"));
    }
    assert_eq!(session.outbox_len(), 0);
}

#[test]
fn a_payload_above_what_mqtt_can_carry() {
    let mut client = Client::online(Config {
        outbox_bytes: usize::MAX,
        ..lasting(Version::V311)
    });
    // The topic and its length take three bytes. Untouched zero pages cost no memory.
    let message = Message::new("t", vec![0; 268_435_455 - 2]);
    assert_eq!(
        client.session.publish(message),
        Err(CommandError::PayloadTooLarge)
    );
    let message = Message::new("t", vec![0; 268_435_455 - 3]);
    assert!(client.session.publish(message).is_ok());
}

#[test]
fn the_brokers_receive_maximum_is_kept() {
    let mut client = online_with(|p| p.receive_max = Some(2));
    assert_eq!(client.session.limits().expect("online").receive_maximum, 2);
    for level in [QOS1, QOS2, QOS1] {
        let message = Message::new("t", "").qos(level);
        client.session.publish(message).expect("room");
    }
    assert_eq!(client.sent(at(1)).len(), 2);
    assert_eq!(client.session.in_flight(), 2);
    // PUBREC does not make room, PUBCOMP does.
    client.receive(&wire::pubrec(2, 0), at(1));
    assert_eq!(client.sent(at(1)), [Seen::Pubrel(2, 0)]);
    client.receive(&wire::pubcomp(2), at(1));
    let sent = client.sent(at(1));
    assert_eq!(sent, [Seen::Publish(Publish::new("t", "", 1, 3))]);
}

#[test]
fn what_this_broker_cannot_take_is_given_up_with_the_reason() {
    let mut client = online_with(|p| {
        p.max_packet_size = Some(30);
        p.max_qos = Some(mqtt_proto::QoS::Level1);
        p.retain_available = Some(false);
    });
    let mut publish = |message: Message| client.session.publish(message).expect("room");
    let large = publish(Message::new("t", vec![0; 25]));
    let fits = publish(Message::new("t", vec![0; 24]));
    let qos2 = publish(Message::new("t", "").qos(QOS2));
    let retained = publish(Message::new("t", "").retain(true));
    assert_eq!(client.sent(at(1)).len(), 1);
    let too_large = PublishError::TooLarge {
        size: 31,
        limit: 30,
    };
    let qos = PublishError::QosNotSupported { maximum: QOS1 };
    assert_eq!(
        client.events(),
        [
            Event::PublishFailed(large, too_large),
            Event::PublishFailed(qos2, qos),
            Event::PublishFailed(retained, PublishError::RetainNotSupported),
            Event::Published(fits),
        ]
    );
    assert!(too_large.to_string().contains("31 bytes"));
    assert!(client.session.is_idle());
}

#[test]
fn refused_publishes_say_why() {
    let mut client = Client::online(lasting(Version::V5));
    let refused =
        |token, code| Event::PublishFailed(token, PublishError::Refused(ReasonCode(code)));
    let one = client.session.publish(Message::new("t", "").qos(QOS1));
    let two = client.session.publish(Message::new("t", "").qos(QOS2));
    let three = client.session.publish(Message::new("t", "").qos(QOS1));
    client.transmit(at(1));
    client.receive(&wire::puback(1, 0x87), at(1));
    client.receive(&wire::pubrec(2, 0x97), at(1));
    // 0x10, no matching subscribers, is not a failure.
    client.receive(&wire::puback(3, 0x10), at(1));
    assert_eq!(
        client.events(),
        [
            refused(one.expect("room"), 0x87),
            refused(two.expect("room"), 0x97),
            Event::Published(three.expect("room")),
        ]
    );
    // No PUBREL for a refused message.
    assert_eq!(client.sent(at(1)), []);
    assert!(client.session.is_idle());
}

#[test]
fn properties_travel_both_ways() {
    let properties = Properties {
        payload_is_utf8: Some(true),
        message_expiry: Some(300),
        content_type: Some("text/plain".into()),
        response_topic: Some("answers".into()),
        correlation_data: Some(vec![1, 2, 3]),
        user: vec![("k".into(), "v".into()), ("k".into(), "w".into())],
    };
    let message = Message::new("t", "x").properties(properties);
    let mut client = Client::online(lasting(Version::V5));
    client.session.publish(message.clone()).expect("room");
    // A PUBLISH looks the same in both directions.
    let bytes = client.transmit(at(1));
    client.events();
    client.receive(&bytes, at(1));
    assert_eq!(client.events(), [Event::Message(message)]);
}
