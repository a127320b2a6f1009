//! What is stored and when, and how it is used after a restart.

use thread_mqtt_session::{
    BrokerText, CommandError, Config, Event, LostSession, Message, PublishError, PublishOptions,
    QoS, ReasonCode, Session, StoreError, Token, Version,
};

use crate::common::flash::Flash;
use crate::common::{Client, Publish, Seen, VERSIONS, at, lasting, wire};
use crate::{QOS1, QOS2};

pub(crate) fn client(config: Config, flash: &Flash) -> Client {
    Client {
        version: config.version,
        session: Session::with_store(config, flash.store()).expect("a valid configuration"),
    }
}

/// Returns a connected client with its events taken.
pub(crate) fn online(version: Version, flash: &Flash, session_present: bool) -> Client {
    let mut client = client(lasting(version), flash);
    client.session.connect(at(0));
    client.transmit(at(0));
    client.receive(&wire::connack(version, session_present), at(0));
    client.events();
    client
}

pub(crate) fn message(topic: &str, qos: QoS) -> Message {
    Message::new(topic, "payload").qos(qos)
}

pub(crate) fn publish(topic: &str, qos: u8, id: u16) -> Publish {
    Publish::new(topic, "payload", qos, id)
}

#[test]
fn a_message_is_sent_again_by_the_next_life_with_its_identifier_and_dup() {
    for version in VERSIONS {
        let flash = Flash::new(0);
        let mut first = online(version, &flash, false);
        first.session.publish(message("one", QOS1)).unwrap();
        first.session.publish(message("two", QOS2)).unwrap();
        let sent = first.sent(at(1));
        let publishes = [publish("one", 1, 0x8000), publish("two", 2, 0x8001)];
        assert_eq!(sent, publishes.clone().map(Seen::Publish));
        drop(first);

        let mut second = client(lasting(version), &flash);
        let restored = Event::Restored {
            messages: 2,
            subscriptions: 0,
        };
        assert_eq!(second.events(), [restored]);
        second.reconnect(at(0), true);
        let sent = second.sent(at(1));
        assert_eq!(sent, publishes.map(|one| Seen::Publish(one.dup())));
        second.receive(&wire::puback(0x8000, 0), at(1));
        let token = Token(0xFFFF_8000);
        assert_eq!(second.events(), [Event::Published(token)]);
        assert!(token.is_restored());

        // PUBREC is remembered, so that the message is not sent a third time.
        second.receive(&wire::pubrec(0x8001, 0), at(1));
        drop(second);
        let mut third = client(lasting(version), &flash);
        third.events();
        third.reconnect(at(0), true);
        assert_eq!(third.sent(at(1)), [Seen::Pubrel(0x8001, 0)]);
        third.receive(&wire::pubcomp(0x8001), at(1));
        assert_eq!(third.events(), [Event::Published(Token(0xFFFF_8001))]);
        assert_eq!(flash.messages(), 0);
        assert!(third.session.is_idle());
    }
}

#[test]
fn what_was_never_connected_is_no_repetition() {
    let flash = Flash::new(0);
    let mut first = client(lasting(Version::V5), &flash);
    first.session.publish(message("t", QOS2)).unwrap();
    drop(first);
    let mut second = client(lasting(Version::V5), &flash);
    second.events();
    second.reconnect(at(0), false);
    assert_eq!(second.events(), [], "nothing is sent again");
    let sent = second.sent(at(0));
    assert_eq!(sent, [Seen::Publish(publish("t", 2, 0x8000))]);
}

#[test]
fn if_the_broker_lost_the_session_messages_of_an_earlier_life_are_new() {
    for version in VERSIONS {
        let flash = Flash::new(0);
        let mut first = online(version, &flash, false);
        first.session.publish(message("t", QOS2)).unwrap();
        first.sent(at(1));
        first.receive(&wire::pubrec(0x8000, 0), at(1));
        drop(first);
        let mut second = client(lasting(version), &flash);
        second.events();
        second.reconnect(at(0), false);
        assert_eq!(second.events(), [Event::SentAgain(Token(0xFFFF_8000))]);
        let expected = publish("t", 2, 0x8000);
        let sent = second.sent(at(1));
        assert_eq!(sent, [Seen::Publish(expected.clone())]);
        drop(second);
        // It is remembered that PUBREC no longer applies.
        let mut third = client(lasting(version), &flash);
        third.events();
        third.reconnect(at(0), true);
        assert_eq!(third.sent(at(1)), [Seen::Publish(expected.dup())]);
    }
}

#[test]
fn a_received_message_is_not_delivered_to_two_lives() {
    for version in VERSIONS {
        let flash = Flash::new(0);
        let incoming = wire::publish(version, &publish("t", 2, 7));
        let again = wire::publish(version, &publish("t", 2, 7).dup());
        let mut first = online(version, &flash, false);
        first.receive(&incoming, at(1));
        drop(first);

        // It was not delivered: it arrives again.
        let mut second = online(version, &flash, true);
        second.receive(&again, at(1));
        assert_eq!(second.events().len(), 1);
        drop(second);

        // It was delivered: it only gets PUBREC.
        let mut third = online(version, &flash, true);
        third.receive(&again, at(1));
        assert_eq!(third.events(), []);
        assert_eq!(third.sent(at(1)), [Seen::Pubrec(7)]);
        third.receive(&wire::pubrel(7), at(1));
        drop(third);

        // The identifier is free again, even with DUP.
        let mut fourth = online(version, &flash, true);
        fourth.receive(&again, at(1));
        assert_eq!(fourth.events().len(), 1);
        drop(fourth);

        // A broker that has lost the session restarts its identifiers.
        drop(online(version, &flash, false));
        let mut sixth = online(version, &flash, true);
        sixth.receive(&again, at(1));
        assert_eq!(sixth.events().len(), 1);
    }
}

#[test]
fn a_new_message_with_an_identifier_of_an_earlier_life_is_delivered() {
    let flash = Flash::new(0);
    let incoming = wire::publish(Version::V5, &publish("t", 2, 7));
    let mut first = online(Version::V5, &flash, false);
    first.receive(&incoming, at(1));
    first.events();
    drop(first);
    // The broker lost the session, and the power failed before the CONNACK that says so. This is
    // not a retransmission, which would have DUP.
    let mut second = online(Version::V5, &flash, true);
    second.receive(&incoming, at(1));
    assert_eq!(second.events().len(), 1);
}

#[test]
fn a_skipped_message_that_is_refused_leaves_nothing_behind() {
    let flash = Flash::new(0);
    let mut client = client(
        Config {
            max_packet_size: 64,
            ..lasting(Version::V5)
        },
        &flash,
    );
    let large = wire::publish(Version::V5, &Publish::new("t", [0; 100], 2, 7));
    for (time, present) in [(0, false), (1, true)] {
        client.session.connect(at(time));
        client.transmit(at(time));
        client.receive(&wire::connack(Version::V5, present), at(time));
        client.events();
        let before = flash.writes();
        // The first one ends the connection, to tell the broker its limit.
        let _ = client.session.handle_input(&large, at(time));
        client.events();
        assert_eq!(flash.writes(), before);
    }
    let sent = client.sent(at(1));
    assert_eq!(sent, [Seen::Pubrec(7)]);
}

/// The broker may have lost the session in which it sent a message, which must be known after a
/// restart.
#[test]
fn a_received_identifier_is_doubted_until_it_is_known_to_be_the_brokers() {
    let flash = Flash::new(0);
    let mut first = online(Version::V5, &flash, false);
    first.session.subscribe(&[("a", QOS2)]).unwrap();
    first.sent(at(1));
    first.receive(&wire::suback(Version::V5, 1, &[2]), at(1));
    first.receive(&wire::publish(Version::V5, &publish("a", 2, 7)), at(1));
    first.events();
    first.sent(at(1));
    // The CONNACK of a new session is lost, and the next one reports that session as present.
    first.session.connect(at(2));
    first.transmit(at(2));
    first.reconnect(at(3), true);
    let sent = first.sent(at(3));
    let [Seen::Subscribe(id, _)] = sent[..] else {
        panic!("{sent:?}");
    };
    first.receive(&wire::suback(Version::V5, id, &[2]), at(3));
    drop(first);
    let mut second = online(Version::V5, &flash, true);
    second.sent(at(1));
    second.receive(&wire::publish(Version::V5, &publish("a", 2, 7)), at(1));
    let events = second.events();
    assert!(matches!(events[..], [Event::Message(_)]), "{events:?}");
}

#[test]
fn a_message_taken_after_its_session_is_gone_leaves_nothing_behind() {
    let flash = Flash::new(0);
    let mut first = online(Version::V5, &flash, false);
    let incoming = publish("t", 2, 7);
    first.receive(&wire::publish(Version::V5, &incoming), at(1));
    first.session.handle_network_lost();
    first.session.connect(at(2));
    first.transmit(at(2));
    first.receive(&wire::connack(Version::V5, false), at(2));
    // Another message with the same identifier, in the new session.
    let second = wire::publish(Version::V5, &publish("u", 2, 7));
    first.receive(&second, at(2));
    let taken = first.session.poll_event();
    assert!(matches!(taken, Some(Event::Message(message)) if message.topic == "t"));
    drop(first);
    let mut next = online(Version::V5, &flash, true);
    let again = wire::publish(Version::V5, &publish("u", 2, 7).dup());
    next.receive(&again, at(1));
    assert_eq!(next.events().len(), 1, "it was not handed out before");
}

#[test]
fn a_message_not_taken_yet_is_acknowledged_when_it_is() {
    let mut client = Client::online(lasting(Version::V5));
    let incoming = publish("t", 2, 7);
    client.receive(&wire::publish(Version::V5, &incoming), at(1));
    client.session.handle_network_lost();
    client.session.connect(at(2));
    client.transmit(at(2));
    client.receive(&wire::connack(Version::V5, true), at(2));
    let again = wire::publish(Version::V5, &incoming.dup());
    client.receive(&again, at(2));
    assert_eq!(client.sent(at(2)), []);
    assert_eq!(client.events().len(), 2, "the message, once, and Connected");
    assert_eq!(client.sent(at(2)), [Seen::Pubrec(7)]);
}

#[test]
fn subscriptions_are_stored_once_and_repeated_by_the_next_life() {
    let flash = Flash::new(0);
    let mut first = online(Version::V5, &flash, false);
    // The second write records that the broker has all that is stored.
    for expected in [2, 0] {
        let before = flash.writes();
        first.session.subscribe(&[("a/#", QOS1)]).unwrap();
        let id = match &first.sent(at(1))[..] {
            [Seen::Subscribe(id, _)] => *id,
            other => panic!("{other:?}"),
        };
        first.receive(&wire::suback(Version::V5, id, &[1]), at(1));
        first.events();
        assert_eq!(
            flash.writes() - before,
            expected,
            "what is known is not written"
        );
    }
    drop(first);
    // A lost answer to CONNECT, before the power failed, may have announced a new session.
    for (present, answered, expected) in [
        (true, true, 0),
        (true, true, 0),
        (true, false, 0),
        (true, true, 1),
        (true, true, 1),
        (false, true, 1),
    ] {
        let mut next = client(lasting(Version::V5), &flash);
        let restored = Event::Restored {
            messages: 0,
            subscriptions: 1,
        };
        assert_eq!(next.events(), [restored]);
        if !answered {
            next.session.connect(at(0));
            next.transmit(at(0));
            continue;
        }
        next.reconnect(at(0), present);
        let repeated = Seen::Subscribe(1, vec![("a/#".into(), 1)]);
        let repeated: Vec<_> = (0..expected).map(|_| repeated.clone()).collect();
        assert_eq!(next.sent(at(0)), repeated);
    }
    let mut last = online(Version::V5, &flash, true);
    last.sent(at(0));
    last.receive(&wire::suback(Version::V5, 1, &[1]), at(0));
    last.session.unsubscribe(&["a/#"]).unwrap();
    last.sent(at(0));
    last.receive(&wire::unsuback(Version::V5, 2, &[0]), at(0));
    assert_eq!(client(lasting(Version::V5), &flash).events(), []);
}

/// A broker that restarts repeatedly makes a subscription a suspect, but it must not be forgotten.
#[test]
fn a_suspected_subscription_is_stored_until_it_is_given_up() {
    let flash = Flash::new(0);
    let mut first = online(Version::V5, &flash, false);
    first.session.subscribe(&[("a/#", QOS1)]).unwrap();
    first.sent(at(0));
    first.receive(&wire::suback(Version::V5, 1, &[1]), at(0));
    let mut ends = 0;
    loop {
        first.session.handle_transport_closed();
        let lost = Event::SubscriptionLost {
            filter: "a/#".into(),
            reason: ReasonCode::UNSPECIFIED,
        };
        let is_lost = first.events().contains(&lost);
        assert_eq!(flash.keys().contains(&0x4000), !is_lost, "{ends}");
        if is_lost {
            break;
        }
        ends += 1;
        assert!(ends < 20);
        first.session.connect(at(ends));
        first.transmit(at(ends));
        first.receive(&wire::connack(Version::V5, false), at(ends));
        let sent = first.sent(at(ends));
        // Alone, after an answer.
        if sent == [Seen::Pingreq] {
            first.receive(&wire::PINGRESP, at(ends));
            first.sent(at(ends));
        }
    }
    assert!(ends > 5, "{ends}");
}

#[test]
fn the_assigned_client_identifier_and_the_broker_outlive_a_restart() {
    let config = Config {
        session_expiry: u32::MAX,
        ..Config::default()
    };
    let flash = Flash::new(0);
    let mut first = client(config.clone(), &flash);
    first.session.set_peer("mqtts://a:8883");
    first.session.connect(at(0));
    first.transmit(at(0));
    let assign = |properties: &mut mqtt_proto::v5::ConnackProperties| {
        properties.assigned_client_id = Some("assigned".into());
    };
    first.receive(&wire::connack_v5(false, assign), at(0));
    drop(first);
    let mut second = client(config.clone(), &flash);
    assert_eq!(second.session.client_id(), "assigned");
    assert_eq!(second.session.peer(), "mqtts://a:8883");
    second.session.connect(at(0));
    let sent = second.sent(at(0));
    let resumes = matches!(&sent[..], [Seen::Connect { clean: false, client_id, .. }]
        if client_id == "assigned");
    assert!(resumes, "{sent:?}");
    // With a configured identifier, the client is a different one, and that session is not its own.
    let mut renamed = config;
    renamed.client_id = "named".into();
    let mut third = client(renamed, &flash);
    third.session.connect(at(0));
    assert!(matches!(
        &third.sent(at(0))[..],
        [Seen::Connect { clean: true, .. }]
    ));
}

/// Messages sent under another identifier count as unsent under this one, even if the broker has a
/// session of it.
#[test]
fn with_another_client_identifier_messages_of_an_earlier_life_are_new() {
    for version in VERSIONS {
        for (lost_session, present) in [
            (LostSession::SendAgain, true),
            (LostSession::SendAgain, false),
            (LostSession::Report, true),
        ] {
            let flash = Flash::new(0);
            let mut first = online(version, &flash, false);
            first.session.publish(message("one", QOS1)).unwrap();
            first.session.publish(message("two", QOS2)).unwrap();
            first.session.publish(message("three", QOS2)).unwrap();
            first.sent(at(1));
            first.receive(&wire::pubrec(0x8001, 0), at(1));
            drop(first);

            let config = Config {
                client_id: "renamed".into(),
                adopt_session: true,
                lost_session,
                ..lasting(version)
            };
            let mut second = client(config, &flash);
            let mut events = second.events();
            second.reconnect(at(0), present);
            events.extend(second.events());
            let tokens = [0xFFFF_8001, 0xFFFF_8002].map(Token);
            let lost = |token| match lost_session {
                LostSession::SendAgain => Event::SentAgain(token),
                LostSession::Report => Event::PublishFailed(token, PublishError::SessionLost),
            };
            assert_eq!(events[1..], tokens.map(lost));
            let mut expected = vec![Seen::Publish(publish("one", 1, 0x8000))];
            let mut sent = second.sent(at(1));
            if lost_session == LostSession::SendAgain {
                for (topic, id) in [("two", 0x8001), ("three", 0x8002)] {
                    if present {
                        expected.push(Seen::Pubrel(id, 0));
                        second.receive(&wire::pubcomp(id), at(1));
                        sent.extend(second.sent(at(1)));
                    }
                    expected.push(Seen::Publish(publish(topic, 2, id)));
                }
            }
            assert_eq!(sent, expected, "{lost_session:?} {present}");
        }
    }
}

#[test]
fn a_message_is_durable_if_the_configuration_or_the_caller_says_so() {
    let with = |durable| PublishOptions {
        durable,
        ..PublishOptions::default()
    };
    for default in [true, false] {
        let flash = Flash::new(0);
        let config = Config {
            durable: default,
            ..lasting(Version::V5)
        };
        let mut client = client(config, &flash);
        for (wish, qos, stored) in [
            (None, QOS1, default),
            (Some(true), QOS1, true),
            (Some(true), QOS2, true),
            (Some(false), QOS2, false),
            (Some(true), QoS::AtMostOnce, false),
        ] {
            let before = flash.messages();
            let published = client.session.publish_with(message("t", qos), with(wish));
            published.unwrap();
            assert_eq!(flash.messages() - before, usize::from(stored), "{wish:?}");
        }
    }
    let mut without = Client::lasting(Version::V5);
    let refused = without
        .session
        .publish_with(message("t", QOS1), with(Some(true)));
    let error = CommandError::NotStored(StoreError::Unavailable);
    assert_eq!(refused, Err(error));
    without.session.publish(message("t", QOS1)).unwrap();
}

/// That the broker may know identifiers of messages that were never stored also survives a restart,
/// until the session ends.
#[test]
fn a_session_that_was_adopted_is_known_to_be_foreign_by_the_next_life() {
    for version in VERSIONS {
        let adopting = Config {
            adopt_session: true,
            ..lasting(version)
        };
        let flash = Flash::new(0);
        for _ in 0..2 {
            let mut adopted = client(adopting.clone(), &flash);
            adopted.reconnect(at(0), true);
        }
        let mut next = client(adopting, &flash);
        next.reconnect(at(0), true);
        next.session.publish(message("t", QOS2)).unwrap();
        assert_eq!(next.sent(at(0)), [Seen::Pubrel(0x8000, 0)]);
        next.reconnect(at(1), false);
        drop(next);
        let mut last = online(version, &flash, true);
        last.sent(at(0));
        last.session.publish(message("t", QOS2)).unwrap();
        let sent = last.sent(at(0));
        assert_eq!(sent, [Seen::Publish(publish("t", 2, 0x8001))]);
    }
}

/// In such a session, PUBREL is the first packet with an identifier, after each restart, until the
/// broker has answered it. Otherwise the message would be taken for a retransmission of what the
/// broker may have. Then follow the message and, after PUBREC, another PUBREL.
#[test]
fn each_step_of_a_message_in_an_adopted_session_outlives_a_restart() {
    for version in VERSIONS {
        let flash = Flash::new(0);
        let life = || {
            let config = Config {
                adopt_session: true,
                ..lasting(version)
            };
            let mut client = client(config, &flash);
            client.events();
            client.reconnect(at(0), true);
            client
        };
        let mut first = life();
        first.session.publish(message("t", QOS2)).unwrap();
        let before = flash.writes();
        let released = [Seen::Pubrel(0x8000, 0)];
        assert_eq!(first.sent(at(0)), released);
        drop(first);
        let mut second = life();
        assert_eq!(second.sent(at(0)), released);
        second.receive(&wire::pubcomp(0x8000), at(0));
        drop(second);
        // The message was not sent: the repeated PUBREL costs one packet and no write.
        let mut third = life();
        assert_eq!(third.sent(at(0)), released);
        assert_eq!(flash.writes(), before);
        third.receive(&wire::pubcomp(0x8000), at(0));
        let sent = publish("t", 2, 0x8000);
        assert_eq!(third.sent(at(0)), [Seen::Publish(sent.clone())]);
        assert_eq!(flash.writes(), before + 1);
        drop(third);
        let mut fourth = life();
        assert_eq!(fourth.sent(at(0)), [Seen::Publish(sent.dup())]);
        fourth.receive(&wire::pubrec(0x8000, 0), at(0));
        assert_eq!(fourth.sent(at(0)), released);
        drop(fourth);
        let mut fifth = life();
        assert_eq!(fifth.sent(at(0)), released);
        fifth.receive(&wire::pubcomp(0x8000), at(0));
        assert_eq!(fifth.events(), [Event::Published(Token(0xFFFF_8000))]);
        assert_eq!(flash.writes(), before + 3, "sent, released, deleted");
        // QoS 1 costs what it always does.
        fifth.session.publish(message("t", QOS1)).unwrap();
        fifth.sent(at(1));
        fifth.receive(&wire::puback(0x8001, 0), at(1));
        assert_eq!(flash.writes(), before + 5);
    }
}

#[test]
fn a_message_given_up_leaves_its_release() {
    for fails in [false, true] {
        let flash = Flash::new(0);
        let mut first = online(Version::V5, &flash, false);
        first.session.publish(message("t", QOS2)).unwrap();
        first.sent(at(1));
        first.session.handle_network_lost();
        first.session.connect(at(2));
        first.transmit(at(2));
        let only_qos_1 = |properties: &mut mqtt_proto::v5::ConnackProperties| {
            properties.max_qos = Some(mqtt_proto::QoS::Level1);
        };
        if fails {
            flash.fail_once(0x8000);
        }
        first.receive(&wire::connack_v5(true, only_qos_1), at(2));
        first.transmit(at(2));
        let failed = first.events().pop();
        if fails {
            assert!(matches!(failed, Some(Event::StorageFailed(_))));
            first.session.publish(message("u", QOS1)).unwrap();
            first.sent(at(2));
            first.receive(&wire::puback(0x8001, 0), at(2));
            first.events();
        } else {
            assert!(matches!(failed, Some(Event::PublishFailed(Token(1), _))));
        }
        drop(first);
        let mut second = client(lasting(Version::V5), &flash);
        assert_eq!(second.events(), [], "no message is left");
        second.reconnect(at(0), true);
        assert_eq!(second.sent(at(0)), [Seen::Pubrel(0x8000, 0)]);
        second.receive(&wire::pubcomp(0x8000), at(0));
        assert_eq!(second.events(), []);
        assert_eq!(flash.messages(), 0);
    }
}

#[test]
fn an_expiry_goes_on_in_the_next_life() {
    let flash = Flash::new(0);
    let mut first = client(lasting(Version::V5), &flash);
    let properties = thread_mqtt_session::Properties {
        message_expiry: Some(60),
        ..Default::default()
    };
    let mut expiring = message("t", QOS1);
    expiring.properties = Some(Box::new(properties));
    first.session.publish(expiring.clone()).unwrap();
    drop(first);
    let mut second = client(lasting(Version::V5), &flash);
    second.events();
    second.session.handle_timeout(at(0)).unwrap();
    second.session.connect(at(20));
    second.transmit(at(20));
    second.receive(&wire::connack(Version::V5, false), at(20));
    let packet = second.transmit(at(20));
    let expiry = [2, 0, 0, 0, 40];
    assert!(packet.windows(5).any(|part| part == expiry), "{packet:?}");
}

#[test]
fn texts_of_the_broker_about_a_restored_message_name_it() {
    let flash = Flash::new(0);
    let mut first = online(Version::V5, &flash, false);
    first.session.publish(message("t", QOS1)).unwrap();
    drop(first);
    let mut second = online(Version::V5, &flash, true);
    second.sent(at(0));
    // PUBACK with 0x97, quota exceeded, and the reason "no".
    let refused = [0x40, 9, 0x80, 0, 0x97, 5, 0x1F, 0, 2, b'n', b'o'];
    second.receive(&refused, at(0));
    let about = Some(Token(0xFFFF_8000));
    let text = BrokerText::Reason("no".into());
    let events = second.events();
    assert_eq!(events[0], Event::BrokerText { about, text });
    assert!(matches!(
        events[1],
        Event::PublishFailed(Token(0xFFFF_8000), _)
    ));
    assert_eq!(flash.messages(), 0);
}
