//! Every state and transition at explicit times.

mod common;

use common::{Client, Publish, Seen, VERSIONS, at, lasting, wire};
use mqtt_proto::v5::DisconnectReasonCode;
use thread_mqtt_session::{
    CommandError, Config, ConfigError, ConnectRefusal, Event, Message, Properties, PublishError,
    QoS, ReasonCode, Session, SessionError, Token, Version,
};

const QOS1: QoS = QoS::AtLeastOnce;
const QOS2: QoS = QoS::ExactlyOnce;

fn publish_v5(set: impl FnOnce(&mut mqtt_proto::v5::ConnackProperties)) -> Client {
    let mut client = Client::lasting(Version::V5);
    client.session.connect(at(0));
    client.sent(at(0));
    client.receive(&wire::connack_v5(false, set), at(0));
    client.events();
    client
}

// Connecting.

#[test]
fn connect_says_what_was_configured() {
    for version in VERSIONS {
        let mut client = Client::new(Config {
            version,
            client_id: "device".into(),
            keep_alive: at(77),
            ..Config::default()
        });
        assert!(client.session.transmit(at(0)).is_empty());
        client.session.connect(at(0));
        let connect = Seen::Connect {
            clean: true,
            keep_alive: 77,
            client_id: "device".into(),
        };
        assert_eq!(client.sent(at(0)), [connect]);
        assert!(!client.session.is_connected());
        client.receive(&wire::connack(version, false), at(1));
        assert!(client.session.is_connected());
        assert_eq!(
            client.events(),
            [Event::Connected {
                session_present: false
            }]
        );
    }
}

#[test]
fn connect_carries_credentials_and_will() {
    let config = |version| Config {
        version,
        username: Some("user".into()),
        password: Some(b"secret".to_vec()),
        will: Some(Message::new("gone", "bye").qos(QOS1).retain(true)),
        will_delay: 30,
        session_expiry: 3600,
        topic_alias_maximum: 5,
        ..Config::default()
    };
    let mut old = Client::new(config(Version::V311));
    old.session.connect(at(0));
    let bytes = old.transmit(at(0));
    let Ok(Some(mqtt_proto::v3::Packet::Connect(connect))) = mqtt_proto::v3::Packet::decode(&bytes)
    else {
        panic!("no CONNECT: {bytes:02X?}");
    };
    assert_eq!(connect.username.as_deref(), Some("user"));
    assert_eq!(connect.password.as_deref(), Some(&b"secret"[..]));
    let will = connect.last_will.expect("a will");
    assert_eq!(
        (&*will.topic_name, &will.message[..]),
        ("gone", &b"bye"[..])
    );
    assert_eq!((will.qos as u8, will.retain), (1, true));

    let mut new = Client::new(config(Version::V5));
    new.session.connect(at(0));
    let bytes = new.transmit(at(0));
    let Ok(Some(mqtt_proto::v5::Packet::Connect(connect))) = mqtt_proto::v5::Packet::decode(&bytes)
    else {
        panic!("no CONNECT: {bytes:02X?}");
    };
    assert_eq!(connect.username.as_deref(), Some("user"));
    let will = connect.last_will.expect("a will");
    assert_eq!(will.properties.delay_interval, Some(30));
    assert_eq!(connect.properties.session_expiry_interval, Some(3600));
    assert_eq!(connect.properties.receive_max, Some(16));
    assert_eq!(connect.properties.max_packet_size, Some(16_384));
    assert_eq!(connect.properties.topic_alias_max, Some(5));
}

#[test]
fn configurations_that_cannot_work_are_refused() {
    let refused = |change: fn(&mut Config)| {
        let mut config = Config::default();
        change(&mut config);
        Session::new(config).err()
    };
    assert_eq!(refused(|_| {}), None);
    assert_eq!(
        refused(|c| c.clean_start = false),
        Some(ConfigError::ClientIdMissing)
    );
    assert_eq!(
        refused(|c| c.keep_alive = at(65_536)),
        Some(ConfigError::KeepAlive)
    );
    assert_eq!(
        refused(|c| c.keep_alive += core::time::Duration::from_millis(1)),
        Some(ConfigError::KeepAlive)
    );
    assert_eq!(
        refused(|c| c.will = Some(Message::new("a/#", ""))),
        Some(ConfigError::Will(CommandError::WildcardInTopic))
    );
    assert_eq!(
        refused(|c| c.receive_maximum = 0),
        Some(ConfigError::ReceiveMaximum)
    );
    assert_eq!(
        refused(|c| c.max_packet_size = 63),
        Some(ConfigError::MaxPacketSize)
    );
    assert_eq!(
        refused(|c| c.outbox_messages = 32_768),
        Some(ConfigError::OutboxMessages)
    );
    assert_eq!(
        refused(|c| {
            c.version = Version::V311;
            c.password = Some(vec![]);
        }),
        Some(ConfigError::PasswordWithoutUsername)
    );
    let too_long = refused(|c| c.client_id = "x".repeat(65_536)).expect("an error");
    assert_eq!(
        too_long.to_string(),
        "the client identifier is longer than the 65,535 bytes MQTT allows"
    );
}

#[test]
fn a_broker_that_does_not_answer_connect() {
    let mut client = Client::lasting(Version::V5);
    client.session.connect(at(100));
    assert_eq!(client.session.poll_timeout(), Some(at(120)));
    assert_eq!(client.session.handle_timeout(at(119)), Ok(()));
    assert_eq!(
        client.session.handle_timeout(at(120)),
        Err(SessionError::ConnackTimeout)
    );
    assert_eq!(client.session.poll_timeout(), None);
    assert!(client.session.is_disconnected());
}

#[test]
fn refusals() {
    for (version, code) in [(Version::V311, 5), (Version::V5, 0x87)] {
        let mut client = Client::lasting(version);
        client.session.connect(at(0));
        client.transmit(at(0));
        let error = SessionError::Refused(ConnectRefusal::new(version, code));
        client.fails(&wire::refusal(version, code), error);
        assert!(error.to_string().contains("not authorized"));
        // Nothing is sent after that, and more input is ignored.
        assert!(client.transmit(at(1)).is_empty());
        assert!(client.session.is_disconnected());
        client.receive(&wire::PINGRESP, at(1));
        assert_eq!(client.events(), []);
    }
}

#[test]
fn a_3_1_1_broker_refuses_mqtt_5_in_its_own_words() {
    let mut client = Client::lasting(Version::V5);
    client.session.connect(at(0));
    client.fails(
        &[0x20, 2, 0, 1],
        SessionError::Refused(ConnectRefusal::new(Version::V311, 1)),
    );
}

#[test]
fn packets_before_connack_and_a_second_connack() {
    for version in VERSIONS {
        let mut client = Client::lasting(version);
        client.session.connect(at(0));
        client.fails(&wire::PINGRESP, SessionError::BeforeConnack);
        let mut client = Client::online(lasting(version));
        client.fails(
            &wire::connack(version, false),
            SessionError::UnexpectedPacket,
        );
    }
}

#[test]
fn a_clean_session_cannot_be_resumed() {
    for version in VERSIONS {
        let mut client = Client::new(Config {
            version,
            ..Config::default()
        });
        client.session.connect(at(0));
        client.fails(
            &wire::connack(version, true),
            SessionError::UnexpectedSession,
        );
    }
}

#[test]
fn clean_start_is_for_the_first_connection_clean_session_for_every() {
    for version in VERSIONS {
        let mut client = Client::new(Config {
            version,
            client_id: "device".into(),
            session_expiry: 60,
            ..Config::default()
        });
        for round in 0..2 {
            client.session.connect(at(0));
            let clean_now = version == Version::V311 || round == 0;
            let sent = client.sent(at(0));
            assert!(
                matches!(sent[..], [Seen::Connect { clean, .. }] if clean == clean_now),
                "{sent:?}"
            );
            client.receive(&wire::connack(version, false), at(0));
        }
    }
}

#[test]
fn an_assigned_client_identifier_is_kept() {
    let mut client = Client::new(Config::default());
    client.session.connect(at(0));
    client.transmit(at(0));
    let connack = wire::connack_v5(false, |p| p.assigned_client_id = Some("auto-7".into()));
    client.receive(&connack, at(0));
    assert_eq!(client.session.client_id(), "auto-7");
    client.session.connect(at(1));
    let sent = client.sent(at(1));
    assert!(matches!(&sent[..], [Seen::Connect { client_id, .. }] if client_id == "auto-7"));
}

// Keep-alive.

#[test]
fn a_ping_when_nothing_was_sent() {
    for version in VERSIONS {
        let mut client = Client::online(lasting(version));
        assert_eq!(client.session.poll_timeout(), Some(at(60)));
        client
            .session
            .publish(Message::new("t", "x"))
            .expect("room");
        // Queued is not sent: only consumed bytes count.
        assert_eq!(client.session.poll_timeout(), Some(at(60)));
        client.transmit(at(50));
        assert_eq!(client.session.poll_timeout(), Some(at(110)));
        assert_eq!(client.session.handle_timeout(at(109)), Ok(()));
        assert_eq!(client.sent(at(109)), []);
        assert_eq!(client.session.handle_timeout(at(110)), Ok(()));
        assert_eq!(client.session.poll_timeout(), Some(at(130)));
        assert_eq!(client.sent(at(110)), [Seen::Pingreq]);
        client.receive(&wire::PINGRESP, at(111));
        assert_eq!(client.session.poll_timeout(), Some(at(170)));
    }
}

#[test]
fn a_broker_that_does_not_answer_a_ping() {
    let mut client = Client::online(lasting(Version::V5));
    assert_eq!(client.session.handle_timeout(at(60)), Ok(()));
    client.transmit(at(60));
    assert_eq!(client.session.handle_timeout(at(79)), Ok(()));
    assert_eq!(
        client.session.handle_timeout(at(80)),
        Err(SessionError::PingTimeout)
    );
    assert_eq!(client.sent(at(80)), [Seen::Disconnect(0x80)]);
    assert!(client.session.is_disconnected());
}

#[test]
fn sending_does_not_hide_a_dead_path_while_an_answer_is_owed() {
    let mut client = Client::online(lasting(Version::V311));
    for time in [10, 30, 50] {
        let message = Message::new("t", "x").qos(QOS1);
        client.session.publish(message).expect("room");
        client.transmit(at(time));
    }
    // The first of them has waited since 10.
    assert_eq!(client.session.poll_timeout(), Some(at(70)));
    client.receive(&wire::puback(1, 0), at(55));
    assert_eq!(client.session.poll_timeout(), Some(at(110)));
}

#[test]
fn a_pingresp_behind_untaken_events_is_not_missed() {
    let mut client = Client::online(Config {
        event_bytes: 0,
        ..lasting(Version::V5)
    });
    let message = wire::publish(Version::V5, &Publish::new("t", "x", 0, 0));
    client.receive(&message, at(59));
    client.session.handle_timeout(at(60)).expect("a ping");
    assert_eq!(client.session.handle_input(&wire::PINGRESP, at(61)), Ok(0));
    assert_eq!(client.session.handle_timeout(at(80)), Ok(()));
    assert_eq!(client.session.poll_timeout(), Some(at(100)));
    assert_eq!(client.events().len(), 1);
    client.receive(&wire::PINGRESP, at(90));
    assert_eq!(client.session.handle_timeout(at(100)), Ok(()));
}

#[test]
fn the_broker_sets_the_keep_alive() {
    let client = publish_v5(|p| p.server_keep_alive = Some(5));
    assert_eq!(client.session.poll_timeout(), Some(at(5)));
    let client = publish_v5(|p| p.server_keep_alive = Some(0));
    assert_eq!(client.session.poll_timeout(), None);
    let mut client = Client::new(Config {
        keep_alive: at(0),
        ..lasting(Version::V311)
    });
    client.reconnect(at(0), false);
    assert_eq!(client.session.poll_timeout(), None);
}

// Publishing.

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
    // What comes in meanwhile is answered at the next packet boundary.
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
    let filters = [("a", QOS1)];
    assert_eq!(client.session.subscribe(&filters), Err(CommandError::Full));
    client.reconnect(at(0), false);
    client.transmit(at(0));
    client.receive(&wire::puback(1, 0), at(0));
    assert_eq!(client.session.outbox_len(), 1);
    assert_eq!(publish(&mut client, 1), Ok(()));
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
    assert_eq!(session.unsubscribe(&[""]), Err(CommandError::InvalidFilter));
    assert_eq!(session.outbox_len(), 0);
}

#[test]
fn a_payload_above_what_mqtt_can_carry() {
    let mut client = Client::online(Config {
        outbox_bytes: usize::MAX,
        ..lasting(Version::V311)
    });
    // Topic and its length take three bytes. Untouched zero pages cost no memory.
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
    let mut client = publish_v5(|p| p.receive_max = Some(2));
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
    let mut client = publish_v5(|p| {
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
    // 0x10, no matching subscribers, is no failure.
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

// Receiving.

#[test]
fn messages_are_acknowledged_when_they_are_taken() {
    for version in VERSIONS {
        let mut client = Client::online(lasting(version));
        for level in 0..3 {
            let publish = Publish::new("t", [level], level, level.into());
            client.receive(&wire::publish(version, &publish), at(1));
        }
        assert_eq!(client.sent(at(1)), []);
        for level in 0..3 {
            let message = Message::new("t", [level]).qos(common::qos(level));
            let event = client.session.poll_event();
            assert_eq!(event, Some(Event::Message(message)));
        }
        assert_eq!(client.sent(at(1)), [Seen::Puback(1), Seen::Pubrec(2)]);
        client.receive(&wire::pubrel(2), at(1));
        assert_eq!(client.sent(at(1)), [Seen::Pubcomp(2, 0)]);
        // An identifier unknown here is answered all the same, or the broker would ask for ever.
        client.receive(&wire::pubrel(3), at(1));
        let code = if version == Version::V5 { 0x92 } else { 0 };
        assert_eq!(client.sent(at(1)), [Seen::Pubcomp(3, code)]);
    }
}

#[test]
fn a_repeated_qos_2_message_is_not_delivered_again() {
    for version in VERSIONS {
        let mut client = Client::online(lasting(version));
        let publish = Publish::new("t", "x", 2, 7);
        client.receive(&wire::publish(version, &publish), at(1));
        client.session.handle_transport_closed();
        assert_eq!(client.events().len(), 1);
        client.reconnect(at(2), true);
        // It was taken after its connection had ended: no PUBREC was owed on this one yet.
        assert_eq!(client.sent(at(2)), []);
        client.receive(&wire::publish(version, &publish.clone().dup()), at(2));
        assert_eq!(client.events(), []);
        assert_eq!(client.sent(at(2)), [Seen::Pubrec(7)]);
        client.receive(&wire::pubrel(7), at(2));
        client.receive(&wire::publish(version, &publish), at(2));
        assert_eq!(client.events().len(), 1, "a new message with an old number");
    }
}

#[test]
fn no_acknowledgement_is_sent_on_the_wrong_connection() {
    for version in VERSIONS {
        let mut client = Client::online(lasting(version));
        let publish = wire::publish(version, &Publish::new("t", "x", 1, 7));
        client.receive(&publish, at(1));
        client.session.connect(at(2));
        client.transmit(at(2));
        client.receive(&wire::connack(version, true), at(2));
        let taken = client.events();
        assert!(matches!(
            taken[..],
            [Event::Message(_), Event::Connected { .. }]
        ));
        assert_eq!(client.sent(at(2)), []);
        // The broker repeats it, and this time it is owed.
        client.receive(&publish, at(2));
        assert_eq!(client.events().len(), 1);
        assert_eq!(client.sent(at(2)), [Seen::Puback(7)]);
    }
}

#[test]
fn without_the_old_session_received_numbers_are_forgotten() {
    for version in VERSIONS {
        let mut client = Client::online(lasting(version));
        let publish = wire::publish(version, &Publish::new("t", "x", 2, 7));
        client.receive(&publish, at(1));
        client.events();
        client.reconnect(at(2), false);
        client.receive(&publish, at(2));
        assert_eq!(client.events().len(), 1);
    }
}

#[test]
fn untaken_events_stop_the_input() {
    let mut client = Client::online(Config {
        event_bytes: 1_000,
        ..lasting(Version::V5)
    });
    let one = wire::publish(Version::V5, &Publish::new("t", [0; 400], 0, 0));
    let all = one.repeat(20);
    let taken = client.session.handle_input(&all, at(1)).expect("valid");
    assert_eq!(taken % one.len(), 0);
    assert!(taken > 0 && taken < all.len());
    assert!(!client.session.wants_input());
    assert_eq!(client.session.handle_input(&all[taken..], at(1)), Ok(0));
    let mut messages = client.events().len();
    let mut rest = &all[taken..];
    while !rest.is_empty() {
        let taken = client.session.handle_input(rest, at(1)).expect("valid");
        rest = &rest[taken..];
        messages += client.events().len();
    }
    assert_eq!(messages, 20);
}

#[test]
fn unsent_acknowledgements_stop_the_input() {
    for version in VERSIONS {
        let mut client = Client::online(lasting(version));
        let flood = wire::pubrel(1).repeat(1_000);
        let taken = client.session.handle_input(&flood, at(1)).expect("valid");
        assert!(taken < 400, "{taken}");
        client.transmit(at(1));
        assert!(client.session.wants_input());
    }
}

#[test]
fn the_memory_for_qos_2_identifiers_has_a_bound() {
    for (receive_maximum, bound) in [(1, 1_024), (2_000, 2_000)] {
        let publish = |id| wire::publish(Version::V5, &Publish::new("t", "", 2, id));
        let mut client = Client::online(Config {
            receive_maximum,
            ..lasting(Version::V5)
        });
        for id in 1..=bound {
            client.receive(&publish(id), at(1));
            client.events();
            client.transmit(at(1));
        }
        client.receive(&wire::pubrel(7), at(1));
        client.receive(&publish(bound + 1), at(1));
        client.events();
        client.transmit(at(1));
        client.fails(&publish(bound + 2), SessionError::ReceiveMaximumExceeded);
        assert_eq!(client.sent(at(1)), [Seen::Disconnect(0x93)]);
    }
}

#[test]
fn topic_aliases_of_the_broker() {
    let with_alias = |topic: &str, alias| {
        wire::publish_v5(&Publish::new(topic, "x", 0, 0), |p| p.topic_alias = alias)
    };
    let new = |topic_alias_maximum| {
        Client::online(Config {
            topic_alias_maximum,
            ..lasting(Version::V5)
        })
    };
    let mut client = new(2);
    client.receive(&with_alias("long/topic/name", Some(2)), at(1));
    client.receive(&with_alias("", Some(2)), at(1));
    let message = Event::Message(Message::new("long/topic/name", "x"));
    assert_eq!(client.events(), [message.clone(), message]);
    for alias in [0, 1, 3] {
        let topic = if alias == 1 { "" } else { "t" };
        let mut client = new(2);
        client.fails(
            &with_alias(topic, Some(alias)),
            SessionError::TopicAliasInvalid,
        );
    }
    // Aliases end with the connection.
    client.reconnect(at(2), true);
    client.fails(&with_alias("", Some(2)), SessionError::TopicAliasInvalid);
    new(0).fails(&with_alias("t", Some(1)), SessionError::TopicAliasInvalid);
    new(2).fails(&with_alias("", None), SessionError::Malformed);
}

// Subscriptions.

#[test]
fn subscribe_and_unsubscribe() {
    for version in VERSIONS {
        let mut client = Client::online(lasting(version));
        let filters = [("a/#", QOS1), ("b", QOS2), ("c", QOS1)];
        let token = client.session.subscribe(&filters).expect("room");
        let names = [("a/#".into(), 1), ("b".into(), 2), ("c".into(), 1)];
        assert_eq!(client.sent(at(1)), [Seen::Subscribe(1, names.to_vec())]);
        client.receive(&wire::suback(version, 1, &[1, 0, 0x80]), at(1));
        let codes = vec![Ok(QOS1), Ok(QoS::AtMostOnce), Err(ReasonCode(0x80))];
        assert_eq!(client.events(), [Event::Subscribed(token, codes)]);
        assert!(client.session.is_idle());

        let token = client.session.unsubscribe(&["a/#", "x"]).expect("room");
        let names = vec!["a/#".into(), "x".into()];
        assert_eq!(client.sent(at(1)), [Seen::Unsubscribe(2, names)]);
        client.receive(&wire::unsuback(version, 2, &[0, 0x11]), at(1));
        let codes = vec![Ok(()), Ok(())];
        assert_eq!(client.events(), [Event::Unsubscribed(token, codes)]);

        // What is left is repeated when the broker lost the session, and only then.
        client.reconnect(at(2), true);
        assert_eq!(client.sent(at(2)), []);
        client.reconnect(at(3), false);
        let sent = client.sent(at(3));
        assert_eq!(sent, [Seen::Subscribe(3, vec![("b".into(), 2)])]);
        // Lost again before it was answered: once more.
        client.reconnect(at(4), false);
        let sent = client.sent(at(4));
        assert_eq!(sent, [Seen::Subscribe(3, vec![("b".into(), 2)])]);
        client.receive(&wire::suback(version, 3, &[2]), at(4));
        assert_eq!(client.events(), []);
        client.reconnect(at(5), false);
        client.transmit(at(5));
        client.receive(&wire::suback(version, 4, &[0x80]), at(5));
        let lost = Event::SubscriptionLost {
            filter: "b".into(),
            reason: ReasonCode(0x80),
        };
        assert_eq!(client.events(), [lost]);
        client.reconnect(at(6), false);
        assert_eq!(client.sent(at(6)), []);
    }
}

#[test]
fn unsubscribing_while_the_subscription_is_under_way() {
    for version in VERSIONS {
        let mut client = Client::online(lasting(version));
        client.session.subscribe(&[("a", QOS1)]).expect("room");
        client.session.unsubscribe(&["a"]).expect("room");
        client.transmit(at(1));
        client.receive(&wire::suback(version, 1, &[1]), at(1));
        client.receive(&wire::unsuback(version, 2, &[0]), at(1));
        client.events();
        client.reconnect(at(2), false);
        assert_eq!(client.sent(at(2)), []);
    }
}

#[test]
fn repeated_subscriptions_come_first_in_order_and_in_packets_of_bounded_size() {
    let mut client = Client::online(lasting(Version::V311));
    let names: Vec<String> = (0..30)
        .map(|n| format!("{n:02}/{}", "x".repeat(97)))
        .collect();
    for name in &names {
        client.session.subscribe(&[(name, QOS1)]).expect("room");
        let sent = client.sent(at(1));
        let [Seen::Subscribe(id, _)] = sent[..] else {
            panic!("{sent:?}");
        };
        client.receive(&wire::suback(Version::V311, id, &[1]), at(1));
    }
    client.events();
    client.session.publish(Message::new("t", "")).expect("room");
    client.reconnect(at(2), false);
    let sent = client.sent(at(2));
    let mut repeated = Vec::new();
    for packet in &sent[..sent.len() - 1] {
        let Seen::Subscribe(_, filters) = packet else {
            panic!("{packet:?}");
        };
        assert!(filters.len() <= 10, "{}", filters.len());
        repeated.extend(filters.iter().map(|(name, _)| name.clone()));
    }
    assert_eq!(repeated, names);
    assert!(matches!(sent.last(), Some(Seen::Publish(_))));
}

#[test]
fn filters_the_broker_announced_not_to_support_are_not_sent() {
    let mut client = publish_v5(|p| {
        p.wildcard_subscription_available = Some(false);
        p.shared_subscription_available = Some(false);
    });
    let filters = [("a/#", QOS1), ("b", QOS1), ("$share/g/c", QOS1)];
    let mixed = client.session.subscribe(&filters).expect("room");
    let none = client.session.subscribe(&[("+", QOS1)]).expect("room");
    let sent = client.sent(at(1));
    assert_eq!(sent, [Seen::Subscribe(1, vec![("b".into(), 1)])]);
    client.receive(&wire::suback(Version::V5, 1, &[1]), at(1));
    let (wildcard, shared) = (Err(ReasonCode(0xA2)), Err(ReasonCode(0x9E)));
    assert_eq!(
        client.events(),
        [
            Event::Subscribed(none, vec![wildcard]),
            Event::Subscribed(mixed, vec![wildcard, Ok(QOS1), shared]),
        ]
    );
}

#[test]
fn requests_larger_than_the_broker_allows_are_answered_here() {
    let mut client = publish_v5(|p| p.max_packet_size = Some(20));
    let subscribe = client.session.subscribe(&[("a/long/topic/filter", QOS1)]);
    let unsubscribe = client.session.unsubscribe(&["a/long/topic/filter"]);
    assert_eq!(client.sent(at(1)), []);
    let too_large = ReasonCode::PACKET_TOO_LARGE;
    assert_eq!(
        client.events(),
        [
            Event::Subscribed(subscribe.expect("room"), vec![Err(too_large)]),
            Event::Unsubscribed(unsubscribe.expect("room"), vec![Err(too_large)]),
        ]
    );
}

// Reconnecting.

#[test]
fn what_was_not_acknowledged_is_sent_again_in_order() {
    for version in VERSIONS {
        let mut client = Client::online(lasting(version));
        for level in [QOS1, QOS2, QOS2, QOS1] {
            let message = Message::new("t", "").qos(level);
            client.session.publish(message).expect("room");
        }
        client.transmit(at(1));
        client.receive(&wire::pubrec(2, 0), at(1));
        client
            .session
            .publish(Message::new("late", ""))
            .expect("room");
        client.reconnect(at(2), true);
        assert_eq!(
            client.sent(at(2)),
            [
                Seen::Publish(Publish::new("t", "", 1, 1).dup()),
                Seen::Pubrel(2, 0),
                Seen::Publish(Publish::new("t", "", 2, 3).dup()),
                Seen::Publish(Publish::new("t", "", 1, 4).dup()),
                Seen::Publish(Publish::new("late", "", 0, 0)),
            ]
        );
        client.receive(&wire::pubcomp(2), at(2));
        assert_eq!(client.session.in_flight(), 3);
    }
}

#[test]
fn without_the_old_session_messages_are_new_and_released_ones_count_as_published() {
    for version in VERSIONS {
        let mut client = Client::online(lasting(version));
        client
            .session
            .publish(Message::new("t", "").qos(QOS1))
            .expect("room");
        let two = client.session.publish(Message::new("t", "").qos(QOS2));
        client.transmit(at(1));
        client.receive(&wire::pubrec(2, 0), at(1));
        client.reconnect(at(2), false);
        assert_eq!(client.events(), [Event::Published(two.expect("room"))]);
        let sent = client.sent(at(2));
        assert_eq!(sent, [Seen::Publish(Publish::new("t", "", 1, 1))]);
    }
}

#[test]
fn acknowledgements_that_cross_a_reconnect_are_left_alone() {
    let mut client = Client::online(lasting(Version::V311));
    client
        .session
        .publish(Message::new("t", "").qos(QOS2))
        .expect("room");
    client.transmit(at(1));
    client.session.connect(at(2));
    client.transmit(at(2));
    client.receive(&wire::connack(Version::V311, true), at(2));
    // A broker that answers from memory, before the message was repeated.
    client.receive(&wire::pubrec(1, 0), at(2));
    let sent = client.sent(at(2));
    assert_eq!(sent, [Seen::Publish(Publish::new("t", "", 2, 1).dup())]);
    client.receive(&wire::pubrec(1, 0), at(2));
    assert_eq!(client.sent(at(2)), [Seen::Pubrel(1, 0)]);
}

#[test]
fn a_half_written_message_is_sent_again_in_full() {
    for version in VERSIONS {
        let mut client = Client::online(lasting(version));
        let zero = client.session.publish(Message::new("zero", vec![0; 2_000]));
        let shown = client.session.transmit(at(1)).len();
        client.session.consume_transmit(shown);
        client.session.transmit(at(1));
        client.session.consume_transmit(1_999);
        assert_eq!(client.events(), []);
        client.reconnect(at(2), true);
        let sent = client.sent(at(2));
        let again = Publish::new("zero", vec![0; 2_000], 0, 0);
        assert_eq!(sent, [Seen::Publish(again)]);
        assert_eq!(client.events(), [Event::Published(zero.expect("room"))]);
    }
}

#[test]
fn a_smaller_receive_maximum_after_a_reconnect() {
    let mut client = Client::online(lasting(Version::V5));
    for _ in 0..3 {
        let message = Message::new("t", "").qos(QOS2);
        client.session.publish(message).expect("room");
    }
    client.transmit(at(1));
    client.receive(&wire::pubrec(3, 0), at(1));
    client.session.connect(at(2));
    client.transmit(at(2));
    client.receive(&wire::connack_v5(true, |p| p.receive_max = Some(1)), at(2));
    assert_eq!(client.sent(at(2)).len(), 1);
    for id in 1..3 {
        client.receive(&wire::pubrec(id, 0), at(2));
        client.receive(&wire::pubcomp(id), at(2));
        client.transmit(at(2));
    }
    client.receive(&wire::pubcomp(3), at(2));
    assert!(client.session.is_idle());
}

// Ending.

#[test]
fn disconnect_follows_what_can_be_sent() {
    for version in VERSIONS {
        let mut client = Client::online(Config {
            receive_maximum: 1,
            ..lasting(version)
        });
        assert!(!client.session.is_disconnected());
        for level in [QoS::AtMostOnce, QOS1, QOS1] {
            let message = Message::new("t", vec![1; 600]).qos(level);
            client.session.publish(message).expect("room");
        }
        client.session.disconnect();
        assert!(!client.session.is_disconnected());
        let sent = client.sent(at(1));
        assert!(
            matches!(
                &sent[..],
                [Seen::Publish(zero), Seen::Publish(one), Seen::Disconnect(0)]
                    if zero.qos == 0 && one.qos == 1
            ),
            "{sent:?}"
        );
        assert!(client.session.is_disconnected());
        assert!(!client.session.is_connected());
        assert_eq!(client.session.poll_timeout(), None);
        assert_eq!(client.session.outbox_len(), 2);
        assert_eq!(client.events().len(), 1);
        client.session.handle_transport_closed();
        client.reconnect(at(2), true);
        assert_eq!(client.session.outbox_len(), 2);
    }
}

#[test]
fn disconnect_before_connack_and_without_a_connection() {
    let mut client = Client::lasting(Version::V5);
    client.session.disconnect();
    assert!(client.session.is_disconnected());
    client.session.connect(at(0));
    client.session.publish(Message::new("t", "")).expect("room");
    client.session.disconnect();
    let sent = client.sent(at(0));
    assert!(
        matches!(sent[..], [Seen::Connect { .. }, Seen::Disconnect(0)]),
        "{sent:?}"
    );
    assert!(client.session.is_disconnected());
}

#[test]
fn the_broker_disconnects() {
    let mut client = Client::online(lasting(Version::V5));
    let packet = wire::disconnect(DisconnectReasonCode::SessionTakenOver, "see device 2");
    let error = SessionError::ServerDisconnected(ReasonCode(0x8E));
    client.fails(&packet, error);
    assert_eq!(client.session.broker_reason(), Some("see device 2"));
    assert!(error.to_string().contains("took over"));
    assert!(client.transmit(at(1)).is_empty());
    // 3.1.1 knows no such packet.
    let mut client = Client::online(lasting(Version::V311));
    client.fails(&[0xE0, 0], SessionError::UnexpectedPacket);
}

#[test]
fn packets_that_have_no_place() {
    for version in VERSIONS {
        let online = || {
            let mut client = Client::online(lasting(version));
            client
                .session
                .publish(Message::new("t", "").qos(QOS1))
                .expect("room");
            client
                .session
                .publish(Message::new("t", "").qos(QOS2))
                .expect("room");
            client.session.subscribe(&[("t", QOS1)]).expect("room");
            client.transmit(at(1));
            client
        };
        let unknown = SessionError::UnknownPacketId(9);
        online().fails(&wire::puback(9, 0), unknown);
        online().fails(&wire::suback(version, 9, &[0]), unknown);
        online().fails(&wire::unsuback(version, 9, &[0]), unknown);
        let unexpected = SessionError::UnexpectedPacket;
        online().fails(&wire::pubrec(1, 0), unexpected);
        online().fails(&wire::puback(2, 0), unexpected);
        online().fails(&wire::pubcomp(2), unexpected);
        online().fails(&wire::suback(version, 1, &[0]), unexpected);
        online().fails(&wire::unsuback(version, 3, &[0]), unexpected);
        online().fails(&wire::suback(version, 3, &[0, 0]), SessionError::Malformed);
        online().fails(&wire::puback(0, 0), SessionError::Malformed);
        // QoS 0 with DUP, and QoS 3.
        online().fails(&[0x38, 4, 0, 1, b't', 0], SessionError::Malformed);
        online().fails(&[0x36, 6, 0, 1, b't', 0, 1, 0], SessionError::Malformed);
        // PINGREQ, SUBSCRIBE: a client's packets.
        online().fails(&[0xC0, 0], unexpected);
        online().fails(&[0x82, 5, 0, 1, 0, 0, 0], unexpected);
        // PUBREC for an unknown message ends the broker's exchange.
        let mut client = online();
        client.receive(&wire::pubrec(9, 0), at(1));
        let code = if version == Version::V5 { 0x92 } else { 0 };
        assert_eq!(client.sent(at(1)), [Seen::Pubrel(9, code)]);
    }
}

#[test]
fn a_protocol_error_is_told_to_an_mqtt_5_broker() {
    let mut client = Client::online(lasting(Version::V5));
    client.session.publish(Message::new("t", "")).expect("room");
    client.fails(&[0xFF], SessionError::Malformed);
    assert_eq!(client.sent(at(1)), [Seen::Disconnect(0x81)]);
    let mut client = Client::online(lasting(Version::V311));
    client.fails(&[0xFF], SessionError::Malformed);
    assert_eq!(client.sent(at(1)), []);
    // Not in the middle of a packet.
    let mut client = Client::online(lasting(Version::V5));
    let message = Message::new("t", vec![0; 2_000]);
    client.session.publish(message).expect("room");
    let shown = client.session.transmit(at(1)).len();
    client.session.consume_transmit(shown);
    client.fails(&[0xFF], SessionError::Malformed);
    assert!(client.transmit(at(1)).is_empty());
    assert!(client.session.is_disconnected());
}

#[test]
fn a_packet_above_our_limit_is_refused_by_its_header() {
    let mut client = Client::online(Config {
        max_packet_size: 100,
        ..lasting(Version::V5)
    });
    let error = SessionError::PacketTooLarge {
        size: 1_003,
        limit: 100,
    };
    client.fails(&[0x30, 0xE8, 0x07], error);
    assert_eq!(client.sent(at(1)), [Seen::Disconnect(0x95)]);
}

#[test]
fn spurious_calls_are_harmless() {
    let mut client = Client::lasting(Version::V5);
    let session = &mut client.session;
    session.consume_transmit(10);
    session.handle_transport_closed();
    session.disconnect();
    assert_eq!(session.handle_timeout(at(1_000)), Ok(()));
    assert_eq!(session.poll_timeout(), None);
    assert_eq!(session.handle_input(&[1, 2, 3], at(1)), Ok(3));
    assert_eq!(session.poll_event(), None);
    assert_eq!(session.limits(), None);
    assert!(session.is_idle());
    session.connect(at(0));
    session.connect(at(1));
    assert_eq!(client.sent(at(1)).len(), 1);
    assert_eq!(client.session.publish(Message::new("t", "")), Ok(Token(1)));
}
