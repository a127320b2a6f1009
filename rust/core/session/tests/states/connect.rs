//! From an open transport to CONNACK.

use thread_mqtt_session::{
    BrokerText, CommandError, Config, ConfigError, ConnectRefusal, Event, Fault, Message,
    PacketType, QoS, ReasonCode, Session, SessionError, Version,
};

use crate::common::{Client, Publish, Seen, VERSIONS, at, lasting, wire};
use crate::{QOS1, QOS2};

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
        password: Some("secret".into()),
        will: Some(Message::new("gone", "bye").qos(QOS1).retain(true)),
        will_delay: 30,
        session_expiry: 3600,
        topic_alias_maximum: 5,
        ..Config::default()
    };
    // Neither as text nor as bytes.
    let shown = format!("{:?}", config(Version::V5));
    assert!(shown.contains("password: Some((secret))"), "{shown}");
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
            c.password = Some(Vec::new().into());
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
    assert_eq!(client.handle_timeout(at(119)), Ok(()));
    assert_eq!(
        client.handle_timeout(at(120)),
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
        // Nothing is sent after that, and further input is ignored.
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
    client.receive(&[0x20, 2, 0], at(1));
    let error = client.session.handle_input(&[1], at(1)).unwrap_err();
    let SessionError::Refused(refusal) = error else {
        panic!("{error}");
    };
    assert_eq!(refusal.reason(), ReasonCode::UNSUPPORTED_VERSION);
    assert_eq!(refusal.code(), 1);
    // The refused version is that of the CONNECT, not that of the answer.
    assert_eq!(refusal.version(), Version::V5);
}

#[test]
fn packets_before_connack_and_a_second_connack() {
    for version in VERSIONS {
        let mut client = Client::lasting(version);
        client.session.connect(at(0));
        client.fails(&wire::PINGRESP, SessionError::NotMqtt { first: 0xD0 });
        let mut client = Client::online(lasting(version));
        client.fails(
            &wire::connack(version, false),
            SessionError::UnexpectedPacket(PacketType::new(2)),
        );
    }
}

/// A program without unacknowledged state of its own may take over what the broker kept.
#[test]
fn an_earlier_life_s_session_is_adopted_where_that_is_asked_for() {
    for version in VERSIONS {
        let mut client = Client::new(Config {
            clean_start: false,
            adopt_session: true,
            ..lasting(version)
        });
        client.session.connect(at(0));
        client.transmit(at(0));
        client.receive(&wire::connack(version, true), at(0));
        assert!(client.session.is_connected(), "{version:?}");
    }
    // Not a session that the broker reports as present although a new one was requested
    // [MQTT-3.2.2-2].
    let mut client = Client::new(Config {
        clean_start: true,
        adopt_session: true,
        ..lasting(Version::V5)
    });
    client.session.connect(at(0));
    client.transmit(at(0));
    client.fails(
        &wire::connack(Version::V5, true),
        SessionError::UnexpectedSession,
    );
}

/// \[MQTT-3.2.2-4\]: "If the Client does not have Session State and receives Session Present set to
/// 1 it MUST close the Network Connection." Continuing requires a new session.
#[test]
fn a_session_that_is_not_ours_ends_an_mqtt_5_connection() {
    for clean_start in [true, false] {
        let mut client = Client::new(Config {
            clean_start,
            ..lasting(Version::V5)
        });
        client
            .session
            .publish(Message::new("t", "").qos(QOS2))
            .expect("room");
        client.session.connect(at(0));
        client.transmit(at(0));
        let connack = wire::connack(Version::V5, true);
        client.fails(&connack, SessionError::UnexpectedSession);
        assert_eq!(client.events(), []);
        client.session.connect(at(1));
        let sent = client.sent(at(1));
        assert!(
            matches!(sent[..], [Seen::Connect { clean: true, .. }]),
            "{sent:?}"
        );
        client.receive(&wire::connack(Version::V5, false), at(1));
        let publish = Publish::new("t", "", 2, 1);
        assert_eq!(client.sent(at(1)), [Seen::Publish(publish)]);
        // From now on it is ours.
        client.events();
        client.reconnect(at(2), true);
    }
}

/// 3.1.1 requires nothing of the client, and leaves it with a session whose packet identifiers it
/// does not know. A PUBREL before the first use of one clears whatever the broker remembers of it.
#[test]
fn a_session_that_is_not_ours_goes_on_with_3_1_1() {
    for clean_start in [true, false] {
        let mut client = Client::new(Config {
            clean_start,
            ..lasting(Version::V311)
        });
        for level in [QOS1, QOS2, QOS2] {
            let message = Message::new("t", "").qos(level);
            client.session.publish(message).expect("room");
        }
        client.session.connect(at(0));
        client.transmit(at(0));
        client.receive(&wire::connack(Version::V311, true), at(0));
        let session_present = !clean_start;
        assert_eq!(client.events(), [Event::Connected { session_present }]);
        assert_eq!(
            client.sent(at(0)),
            [
                Seen::Publish(Publish::new("t", "", 1, 1)),
                Seen::Pubrel(2, 0),
            ]
        );
        // Answers to PUBREL, and to messages from a previous run.
        client.receive(&wire::puback(9, 0), at(1));
        client.receive(&wire::pubcomp(2), at(1));
        let publish = Seen::Publish(Publish::new("t", "", 2, 2));
        assert_eq!(client.sent(at(1)), [publish, Seen::Pubrel(3, 0)]);
        client.receive(&wire::pubcomp(3), at(1));
        let publish = Seen::Publish(Publish::new("t", "", 2, 3));
        assert_eq!(client.sent(at(1)), [publish]);
        client.receive(&wire::pubrec(2, 0), at(1));
        client.receive(&wire::pubcomp(2), at(1));
        assert_eq!(client.events().len(), 1);
        // Known to be in flight from now on: retransmitted, and not released.
        let connack = wire::connack(Version::V311, true);
        client.session.connect(at(2));
        client.transmit(at(2));
        client.receive(&connack, at(2));
        let sent = client.sent(at(2));
        assert_eq!(client.session.outbox_len(), 2);
        let (one, two) = (Publish::new("t", "", 1, 1), Publish::new("t", "", 2, 3));
        let expected = match clean_start {
            true => [Seen::Publish(one), Seen::Pubrel(3, 0)],
            false => [one, two].map(|publish| Seen::Publish(publish.dup())),
        };
        assert_eq!(sent, expected);
    }
}

#[test]
fn a_refusal_in_any_form_is_a_refusal() {
    let refused = |version, bytes: &[u8], reason, permanent| {
        let mut client = Client::lasting(version);
        client.session.connect(at(0));
        client.transmit(at(0));
        match client.session.handle_input(bytes, at(1)) {
            Err(SessionError::Refused(refusal)) => {
                assert_eq!(refusal.reason(), ReasonCode(reason), "{bytes:02X?}");
                assert_eq!(refusal.is_permanent(), permanent);
            }
            other => panic!("{bytes:02X?}: {other:?}"),
        }
    };
    // MQTT 5 codes in a CONNACK of 3.1.1, alone and with properties.
    refused(Version::V311, &[0x20, 2, 0, 0x87], 0x87, true);
    refused(Version::V311, &[0x20, 2, 1, 0x89], 0x89, false);
    refused(Version::V311, &[0x20, 3, 0, 0x84, 0], 0x84, true);
    refused(Version::V311, &[0x20, 2, 0, 6], 0x80, false);
    // A length in more bytes than necessary, as 3.1.1 allows.
    refused(Version::V311, &[0x20, 0x82, 0, 0, 5], 0x87, true);
    refused(Version::V5, &[0x20, 2, 0, 1], 0x84, true);
    refused(Version::V5, &[0x20, 2, 0, 0x87], 0x87, true);
    let mut client = Client::lasting(Version::V311);
    client.session.connect(at(0));
    client.receive(&[0x20, 0x82, 0x80, 0, 0, 0], at(1));
    assert!(client.session.is_connected());
}

#[test]
fn what_is_no_mqtt_is_named_so_at_its_first_byte() {
    // HTTP, SSH, SMTP or FTP, POP3, Redis; a PUBLISH, and a CONNACK with a flag. Some of them would
    // start a packet that never ends.
    for first in *b"HS2+-\x30\x21" {
        for version in VERSIONS {
            let mut client = Client::lasting(version);
            client.session.connect(at(0));
            client.transmit(at(0));
            let error = SessionError::NotMqtt { first };
            client.fails(&[first], error);
            assert!(error.to_string().contains("does not speak MQTT"), "{error}");
            assert_eq!(client.sent(at(1)), []);
        }
    }
}

#[test]
fn a_connack_that_is_not_valid_is_that_of_a_broker() {
    for (connack, fault) in [
        // The broker accepts, in the format of 3.1.1.
        (&[0x20, 2, 0, 0][..], Fault::OldVersion),
        // Receive Maximum 0.
        (&[0x20, 6, 0, 0, 3, 0x21, 0, 0], Fault::Property),
        (&[0x20, 1, 0], Fault::TooShort),
        (&[0x20, 0xFF, 0xFF, 0xFF, 0xFF], Fault::Length),
    ] {
        let mut client = Client::lasting(Version::V5);
        client.session.connect(at(0));
        client.transmit(at(0));
        let packet = PacketType::new(2);
        let error = SessionError::Malformed { packet, fault };
        client.fails(connack, error);
        assert!(
            error
                .to_string()
                .starts_with("the broker sent an invalid CONNACK: "),
            "{error}"
        );
        assert_eq!(client.sent(at(1)), []);
    }
}

#[test]
fn what_the_broker_says_reaches_the_application() {
    let mut client = Client::new(Config {
        request_response_information: true,
        ..lasting(Version::V5)
    });
    client.session.connect(at(0));
    let bytes = client.transmit(at(0));
    let Ok(Some(mqtt_proto::v5::Packet::Connect(connect))) = mqtt_proto::v5::Packet::decode(&bytes)
    else {
        panic!("no CONNECT: {bytes:02X?}");
    };
    assert_eq!(connect.properties.request_response_info, Some(true));
    let connack = wire::connack_v5(false, |p| {
        p.reason_string = Some("welcome".into());
        p.response_info = Some("answers/7".into());
        p.server_reference = Some("other.example".into());
    });
    client.receive(&connack, at(0));
    let text = |about, text| Event::BrokerText { about, text };
    assert_eq!(
        client.events(),
        [
            text(None, BrokerText::Reason("welcome".into())),
            text(None, BrokerText::ServerReference("other.example".into())),
            text(None, BrokerText::ResponseInformation("answers/7".into())),
            Event::Connected {
                session_present: false
            },
        ]
    );
    // PUBACK and SUBACK with a reason.
    let token = client
        .session
        .publish(Message::new("t", "").qos(QOS1))
        .expect("room");
    client.transmit(at(1));
    let reason = [0x1F, 0, 2, b'n', b'o'];
    let mut puback = vec![0x40, 4 + 5, 0, 1, 0x97, 5];
    puback.extend(reason);
    client.receive(&puback, at(1));
    let events = client.events();
    assert_eq!(
        events[0],
        text(Some(token), BrokerText::Reason("no".into()))
    );
    assert!(matches!(events[1], Event::PublishFailed(failed, _) if failed == token));
    let token = client
        .session
        .subscribe(&[("t", QoS::AtMostOnce)])
        .expect("room");
    client.transmit(at(1));
    let mut suback = vec![0x90, 3 + 5 + 1, 0, 2, 5];
    suback.extend(reason);
    suback.push(0);
    client.receive(&suback, at(1));
    let events = client.events();
    assert_eq!(
        events[0],
        text(Some(token), BrokerText::Reason("no".into()))
    );
    assert!(matches!(&events[1], Event::Subscribed(subscribed, _) if *subscribed == token));
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

/// Only a client without an identifier is assigned one (MQTT 5 section 3.2.2.3.7).
#[test]
fn a_configured_client_identifier_is_not_replaced() {
    let mut client = Client::new(lasting(Version::V5));
    client.session.connect(at(0));
    client.transmit(at(0));
    let configured = client.session.client_id().to_owned();
    assert!(!configured.is_empty());
    let connack = wire::connack_v5(false, |p| p.assigned_client_id = Some("auto-7".into()));
    client.receive(&connack, at(0));
    assert_eq!(client.session.client_id(), configured);
    client.session.connect(at(1));
    let sent = client.sent(at(1));
    assert!(matches!(&sent[..], [Seen::Connect { client_id, .. }] if *client_id == configured));
}

#[test]
fn an_assigned_client_identifier_that_is_not_accepted_is_given_up_with_its_session() {
    let mut client = Client::new(Config {
        session_expiry: 60,
        ..Config::default()
    });
    let assigned =
        |name: &str| wire::connack_v5(false, |p| p.assigned_client_id = Some(name.into()));
    client.session.connect(at(0));
    client.transmit(at(0));
    client.receive(&assigned("auto-7"), at(0));
    let message = Message::new("t", "x").qos(QoS::ExactlyOnce);
    let token = client.session.publish(message).expect("room");
    client.transmit(at(0));
    client.events();
    // Other refusals do not concern the client identifier.
    for (code, next, is_clean) in [(0x88, "auto-7", false), (0x85, "", true)] {
        client.session.connect(at(1));
        client.transmit(at(1));
        let refused = client
            .session
            .handle_input(&wire::refusal(Version::V5, code), at(1));
        let Err(refused @ SessionError::Refused(_)) = refused else {
            panic!("{refused:?}");
        };
        // The next attempt is a different one, so a short pause is enough.
        assert_eq!(client.session.goes_on_after(refused), is_clean);
        client.session.connect(at(2));
        let sent = client.sent(at(2));
        assert!(
            matches!(&sent[..], [Seen::Connect { client_id, clean, .. }]
                if client_id == next && *clean == is_clean),
            "{sent:?}"
        );
    }
    client.receive(&assigned("auto-8"), at(2));
    assert_eq!(client.session.client_id(), "auto-8");
    let session_present = false;
    let events = [
        Event::Connected { session_present },
        Event::SentAgain(token),
    ];
    assert_eq!(client.events(), events);
}
