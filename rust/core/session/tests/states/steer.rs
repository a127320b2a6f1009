//! What the owner of a session controls about its connections, and learns about them.

use std::time::Duration;
use thread_mqtt_session::{Config, Message, Properties, Version};

use crate::common::{Client, Seen, VERSIONS, at, lasting, wire};
use crate::{QOS1, QOS2};

#[test]
fn what_the_broker_answers_is_a_proof_and_what_it_says_unasked_is_none() {
    for version in VERSIONS {
        let mut client = Client::online(lasting(version));
        assert!(!client.session.was_answered());
        let message = crate::common::Publish::new("t", "x", 0, 0);
        client.receive(&wire::publish(version, &message), at(1));
        assert!(!client.session.was_answered());
        client.receive(&wire::PINGRESP, at(2));
        assert!(client.session.was_answered());
        // It belongs to the connection.
        client.session.handle_transport_closed();
        assert!(!client.session.was_answered());
        client.events();
        client.reconnect(at(3), true);
        assert!(!client.session.was_answered());
        client
            .session
            .publish(Message::new("t", "x").qos(QOS1))
            .expect("room");
        client.sent(at(3));
        client.receive(&wire::puback(1, 0), at(4));
        assert!(client.session.was_answered());
    }
}

/// Another broker may hold an outdated session of this client identifier.
#[test]
fn a_session_that_starts_anew_asks_for_a_clean_start_until_it_is_accepted() {
    for version in VERSIONS {
        let mut client = Client::online(lasting(version));
        client.session.subscribe(&[("f", QOS2)]).expect("room");
        client.sent(at(1));
        client.receive(&wire::suback(version, 1, &[2]), at(1));
        client.events();
        client.session.start_anew(true);
        for n in 2..4 {
            client.session.connect(at(n));
            let sent = client.sent(at(n));
            assert!(
                matches!(sent[..], [Seen::Connect { clean: true, .. }]),
                "{sent:?}"
            );
        }
        client.receive(&wire::connack(version, false), at(4));
        let sent = client.sent(at(4));
        assert!(matches!(&sent[..], [Seen::Subscribe(_, filters)] if filters[0].0 == "f"));
        // From now on it is this broker's session.
        client.session.connect(at(5));
        let sent = client.sent(at(5));
        assert!(
            matches!(sent[..], [Seen::Connect { clean: false, .. }]),
            "{sent:?}"
        );
    }
}

#[test]
fn a_ping_may_be_earlier_than_the_keep_alive_but_not_later() {
    for (ours, due) in [(Some(20), 20), (Some(90), 60), (None, 60)] {
        let mut client = Client::new(Config {
            keep_alive: Duration::from_secs(60),
            ..lasting(Version::V5)
        });
        client.session.set_ping_after(ours.map(Duration::from_secs));
        client.reconnect(at(0), false);
        assert_eq!(client.session.poll_timeout(), Some(at(due)), "{ours:?}");
        client.session.set_ping_after(Some(Duration::from_secs(10)));
        assert_eq!(client.session.poll_timeout(), Some(at(10)));
    }
}

#[test]
fn another_keep_alive_is_announced_by_the_next_connect() {
    let mut client = Client::online(lasting(Version::V311));
    for (wanted, said) in [(300, 300), (1_000_000, 65_535), (0, 0)] {
        client.session.set_keep_alive(Duration::from_secs(wanted));
        client.session.connect(at(1));
        let sent = client.sent(at(1));
        assert!(
            matches!(sent[..], [Seen::Connect { keep_alive, .. }] if keep_alive == said),
            "{sent:?}"
        );
    }
}

#[test]
fn events_are_counted_until_they_are_taken() {
    let mut client = Client::lasting(Version::V5);
    client.session.connect(at(0));
    client.sent(at(0));
    assert_eq!(client.session.events_len(), 0);
    client.receive(&wire::connack(Version::V5, false), at(0));
    assert_eq!(client.session.events_len(), 1);
    client.session.handle_transport_closed();
    assert_eq!(client.session.events_len(), 1);
    client.events();
    assert_eq!(client.session.events_len(), 0);
}

/// A broker may turn out to support another version: waiting messages are sent in that version.
#[test]
fn messages_that_wait_change_the_version_with_the_session() {
    let properties = Properties {
        content_type: Some("text/plain".into()),
        ..Properties::default()
    };
    let mut client = Client::lasting(Version::V5);
    for (qos, length) in [(QOS1, 200), (QOS2, 5_000)] {
        let message = Message::new("a/topic", vec![7; length]).qos(qos);
        let message = message.properties(properties.clone());
        client.session.publish(message).expect("room");
    }
    for version in [Version::V311, Version::V5] {
        assert!(client.session.set_version(version));
        client.version = version;
        assert_eq!(client.session.version(), version);
        client.session.connect(at(0));
        client.sent(at(0));
        client.receive(&wire::connack(version, false), at(0));
        let sent = client.sent(at(0));
        let sizes = sent.iter().map(|seen| match seen {
            Seen::Publish(publish) => (publish.qos, publish.payload.len()),
            other => panic!("{other:?}"),
        });
        let messages: Vec<_> = sizes.collect();
        assert_eq!(messages, [(1, 200), (2, 5_000)]);
        client.session.handle_transport_closed();
    }
}

#[test]
fn what_only_mqtt_5_can_say_keeps_the_version() {
    let mut client = Client::new(Config {
        password: Some("token".into()),
        ..lasting(Version::V5)
    });
    assert!(!client.session.set_version(Version::V311));
    assert_eq!(client.session.version(), Version::V5);
}
