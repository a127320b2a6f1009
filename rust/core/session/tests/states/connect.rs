//! From the transport being up to CONNACK.

use thread_mqtt_session::{
    CommandError, Config, ConfigError, ConnectRefusal, Event, Message, Session, SessionError,
    Version,
};

use crate::QOS1;
use crate::common::{Client, Seen, VERSIONS, at, lasting, wire};

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
    // Not as text, nor byte by byte.
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
