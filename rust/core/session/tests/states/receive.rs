//! Messages from the broker.

use thread_mqtt_session::{Config, Event, Fault, Message, PacketType, SessionError, Version};

use crate::common::{self, Client, Publish, Seen, VERSIONS, at, lasting, wire};

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
        // An unknown identifier is answered nevertheless, otherwise the broker would ask forever.
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
        // It was taken after its connection had ended: PUBREC is not due on this one yet.
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
        // The broker retransmits it, and this time the acknowledgement is due.
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
    let default = Config::default().received_ids;
    for (receive_maximum, received_ids, bound) in
        [(1, default, 1_024), (2_000, default, 2_000), (1, 8, 8)]
    {
        let publish = |id| wire::publish(Version::V5, &Publish::new("t", "", 2, id));
        let mut client = Client::online(Config {
            receive_maximum,
            received_ids,
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
fn a_client_that_only_publishes_leaves_messages_at_the_broker() {
    for version in VERSIONS {
        let publish = |qos, id| wire::publish(version, &Publish::new("t", "", qos, id));
        let mut client = Client::online(Config {
            leave_messages: true,
            ..lasting(version)
        });
        for _ in 0..2 {
            client.receive(&publish(1, 7), at(1));
            client.receive(&publish(2, 8), at(1));
            assert_eq!(client.events(), []);
            assert_eq!(client.sent(at(1)), []);
        }
        client.receive(&publish(0, 0), at(1));
        assert_eq!(client.events().len(), 1);
    }
}

/// MQTT 3.1.1 has no Receive Maximum: a broker may send everything at once.
#[test]
fn what_was_received_is_acknowledged_before_a_message_too_many_ends_the_connection() {
    let error = SessionError::ReceiveMaximumExceeded;
    let publish = |id| wire::publish(Version::V311, &Publish::new("t", "", 2, id));
    let mut client = Client::online(Config {
        receive_maximum: 1,
        received_ids: 2,
        ..lasting(Version::V311)
    });
    let all = [publish(1), publish(2), publish(3)].concat();
    let taken = client.session.handle_input(&all, at(1)).expect("valid");
    assert_eq!(taken, 2 * publish(1).len());
    assert!(!client.session.wants_input());
    assert_eq!(client.events().len(), 2);
    client.fails(&publish(3), error);
    assert_eq!(client.sent(at(1)), [Seen::Pubrec(1), Seen::Pubrec(2)]);
    assert!(client.session.goes_on_after(error));
    assert!(
        !client
            .session
            .goes_on_after(SessionError::TopicAliasInvalid)
    );

    // Not if nothing was new.
    client.reconnect(at(2), true);
    client.receive(&publish(2), at(2));
    client.fails(&publish(3), error);
    assert!(!client.session.goes_on_after(error));
    // A release makes room.
    client.reconnect(at(3), true);
    client.receive(&wire::pubrel(1), at(3));
    client.receive(&publish(3), at(3));
    client.events();
    client.fails(&publish(4), error);
    assert!(client.session.goes_on_after(error));
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
    let (packet, fault) = (PacketType::new(3), Fault::Topic);
    new(2).fails(
        &with_alias("", None),
        SessionError::Malformed { packet, fault },
    );
}

/// Returns a client online with a broker that was told once that packets above 100 bytes are too
/// large.
fn online_with_aliases() -> Client {
    let mut client = Client::online(Config {
        topic_alias_maximum: 2,
        max_packet_size: 100,
        ..lasting(Version::V5)
    });
    let large = wire::publish(Version::V5, &Publish::new("t", [7; 200], 0, 0));
    let ended = client.session.handle_input(&large, at(1));
    assert!(matches!(ended, Err(SessionError::PacketTooLarge { .. })));
    client.reconnect(at(2), true);
    client
}

fn aliased(publish: &Publish, alias: u16) -> Vec<u8> {
    wire::publish_v5(publish, |properties| properties.topic_alias = Some(alias))
}

/// A skipped message defines and uses topic aliases like any other.
#[test]
fn a_skipped_message_defines_its_topic_alias() {
    for level in 0..3 {
        let mut client = online_with_aliases();
        let id = level.into();
        client.receive(&aliased(&Publish::new("old", "x", 0, 0), 1), at(2));
        let defines = Publish::new("new", [7; 200], level, id);
        client.receive(&aliased(&defines, 1), at(2));
        client.receive(&aliased(&Publish::new("", "y", 0, 0), 1), at(2));
        let uses = Publish::new("", [7; 200], level, id);
        client.receive(&aliased(&uses, 1), at(2));
        let mut topics = Vec::new();
        for event in client.events() {
            topics.push(match event {
                Event::Message(message) => (message.topic, true),
                Event::Skipped { topic, .. } => (topic, false),
                other => panic!("{other:?}"),
            });
        }
        let new = |whole| ("new".to_string(), whole);
        assert_eq!(
            topics,
            [("old".into(), true), new(false), new(true), new(false)]
        );
        let invalid = aliased(&Publish::new("t", [7; 200], 0, 0), 3);
        client.fails(&invalid, SessionError::TopicAliasInvalid);
    }
}

/// If an alias cannot be read, it is not used with a topic that may be the old one.
#[test]
fn an_alias_that_cannot_be_read_is_forgotten() {
    let topic = "t".repeat(300);
    let padding = "x".repeat(300);
    let long_topic = aliased(&Publish::new(&topic, "", 0, 0), 1);
    let long_properties = wire::publish_v5(&Publish::new("t", "", 0, 0), |properties| {
        properties.topic_alias = Some(1);
        properties.content_type = Some(padding.as_str().into());
    });
    let without = wire::publish(Version::V5, &Publish::new("t", [7; 200], 0, 0));
    for (skipped, is_known) in [
        (long_topic, false),
        (long_properties, false),
        (without, true),
    ] {
        let mut client = online_with_aliases();
        client.receive(&aliased(&Publish::new("old", "x", 0, 0), 1), at(2));
        client.receive(&skipped, at(2));
        let uses = aliased(&Publish::new("", "y", 0, 0), 1);
        if is_known {
            client.receive(&uses, at(2));
        } else {
            client.fails(&uses, SessionError::TopicAliasInvalid);
        }
    }
}
