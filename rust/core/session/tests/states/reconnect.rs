//! What survives a connection.

use thread_mqtt_session::{Config, Event, LostSession, Message, PublishError, ReasonCode, Version};

use crate::common::{Client, Publish, Seen, VERSIONS, at, lasting, wire};
use crate::{QOS1, QOS2};

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
                Seen::Pubrel(2, 0),
                Seen::Publish(Publish::new("t", "", 1, 1).dup()),
                Seen::Publish(Publish::new("t", "", 2, 3).dup()),
                Seen::Publish(Publish::new("t", "", 1, 4).dup()),
                Seen::Publish(Publish::new("late", "", 0, 0)),
            ]
        );
        client.receive(&wire::pubcomp(2), at(2));
        assert_eq!(client.session.in_flight(), 3);
    }
}

/// A broker that forwards a message with PUBREL (Mosquitto) has not done so; one that forwards it
/// with PUBLISH has. There is no way to know which it is.
#[test]
fn without_the_old_session_messages_are_new() {
    for version in VERSIONS {
        for lost_session in [LostSession::SendAgain, LostSession::Report] {
            let mut client = Client::online(Config {
                lost_session,
                ..lasting(version)
            });
            let mut tokens = Vec::new();
            for level in [QOS1, QOS2, QOS2, QOS2] {
                let message = Message::new("t", "x").qos(level);
                tokens.push(client.session.publish(message).expect("room"));
            }
            // The last one is sent only in part: the broker cannot have it.
            let bytes = client.session.transmit(at(1)).len();
            client.session.consume_transmit(bytes - 1);
            client.receive(&wire::pubrec(2, 0), at(1));
            client.reconnect(at(2), false);
            let sent = client.sent(at(2));
            let publish = |qos, id| Seen::Publish(Publish::new("t", "x", qos, id));
            match lost_session {
                LostSession::SendAgain => {
                    let again = [Event::SentAgain(tokens[1]), Event::SentAgain(tokens[2])];
                    assert_eq!(client.events(), again);
                    let all = [publish(2, 2), publish(1, 1), publish(2, 3), publish(2, 4)];
                    assert_eq!(sent, all);
                    client.receive(&wire::pubrec(2, 0), at(2));
                    client.receive(&wire::pubcomp(2), at(2));
                    assert_eq!(client.events(), [Event::Published(tokens[1])]);
                }
                LostSession::Report => {
                    let failed = |token| Event::PublishFailed(token, PublishError::SessionLost);
                    assert_eq!(client.events(), [failed(tokens[1]), failed(tokens[2])]);
                    assert_eq!(sent, [publish(1, 1), publish(2, 4)]);
                }
            }
        }
    }
}

/// MQTT 5 brokers may allow less on the next connection. What was sent before cannot be
/// retransmitted, but the broker still knows its identifier.
#[test]
fn a_qos_2_message_under_way_when_the_limits_shrink() {
    let limits: [fn(&mut mqtt_proto::v5::ConnackProperties); 2] = [
        |p| p.max_qos = Some(mqtt_proto::QoS::Level1),
        |p| p.max_packet_size = Some(20),
    ];
    for limit in limits {
        let mut client = Client::online(lasting(Version::V5));
        let sent = Message::new("t", vec![7; 50]).qos(QOS2);
        let sent = client.session.publish(sent).expect("room");
        client.transmit(at(1));
        let released = Message::new("t", vec![7; 50]).qos(QOS2);
        let released = client.session.publish(released).expect("room");
        client.transmit(at(1));
        client.receive(&wire::pubrec(2, 0), at(1));
        client.session.connect(at(2));
        client.transmit(at(2));
        client.receive(&wire::connack_v5(true, limit), at(2));
        assert_eq!(client.sent(at(2)), [Seen::Pubrel(2, 0), Seen::Pubrel(1, 0)]);
        let events = client.events();
        assert!(
            matches!(events[1..], [Event::PublishFailed(failed, _)] if failed == sent),
            "{events:?}"
        );
        client.receive(&wire::pubcomp(2), at(2));
        client.receive(&wire::pubcomp(1), at(2));
        assert_eq!(client.events(), [Event::Published(released)]);
        assert!(client.session.is_idle());
        // The identifiers are free again.
        let one = Message::new("t", "").qos(QOS1);
        client.session.publish(one).expect("room");
        let sent = client.sent(at(3));
        assert_eq!(sent, [Seen::Publish(Publish::new("t", "", 1, 3))]);
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
    // The broker answers from memory, before the message was retransmitted.
    client.receive(&wire::pubrec(1, 0), at(2));
    let sent = client.sent(at(2));
    assert_eq!(sent, [Seen::Publish(Publish::new("t", "", 2, 1).dup())]);
    client.receive(&wire::pubrec(1, 0), at(2));
    assert_eq!(client.sent(at(2)), [Seen::Pubrel(1, 0)]);
}

/// EMQX, and older versions of FlashMQ, answer a QoS 2 message that they have with 0x91, packet
/// identifier in use.
#[test]
fn a_broker_that_has_a_repeated_message_may_say_so_by_an_error() {
    let mut client = Client::online(lasting(Version::V5));
    let message = Message::new("t", "").qos(QOS2);
    let token = client.session.publish(message.clone()).expect("room");
    client.transmit(at(1));
    client.reconnect(at(2), true);
    let again = Publish::new("t", "", 2, 1).dup();
    assert_eq!(client.sent(at(2)), [Seen::Publish(again)]);
    client.receive(&wire::pubrec(1, 0x91), at(2));
    assert_eq!(client.sent(at(2)), [Seen::Pubrel(1, 0)]);
    client.receive(&wire::pubcomp(1), at(2));
    assert_eq!(client.events(), [Event::Published(token)]);
    // Not so for a message that it never saw: the identifier is in use for something else there.
    let token = client.session.publish(message).expect("room");
    client.transmit(at(3));
    client.receive(&wire::pubrec(2, 0x91), at(3));
    let refused = PublishError::Refused(ReasonCode(0x91));
    assert_eq!(client.events(), [Event::PublishFailed(token, refused)]);
    assert!(client.session.is_idle());
}

/// The broker may have a message from a previous run under the identifier. A PUBREL handed to the
/// transport has not necessarily arrived. Therefore the message follows PUBCOMP, otherwise the
/// broker would take it for a retransmission.
#[test]
fn a_message_follows_the_answer_to_the_release_of_its_identifier() {
    let config = Config {
        adopt_session: true,
        ..lasting(Version::V5)
    };
    let mut client = Client::new(config);
    let message = |topic| Message::new(topic, "").qos(QOS2);
    let token = client.session.publish(message("t")).expect("room");
    client.session.publish(message("u")).expect("room");
    client.session.publish(Message::new("v", "")).expect("room");
    client.session.connect(at(0));
    client.transmit(at(0));
    client.receive(&wire::connack(Version::V5, true), at(0));
    let release = Seen::Pubrel(1, 0);
    let zero = Seen::Publish(Publish::new("v", "", 0, 0));
    assert_eq!(client.sent(at(0)), [release.clone(), zero]);
    for time in 2..4 {
        client.reconnect(at(time), true);
        assert_eq!(client.sent(at(time)), std::slice::from_ref(&release));
        client.events();
    }
    // Not an answer to PUBREL.
    client.receive(&wire::pubrec(1, 0), at(4));
    assert_eq!(client.sent(at(4)), []);
    // Packet identifier not found.
    client.receive(&[0x70, 3, 0, 1, 0x92], at(4));
    let publish = Publish::new("t", "", 2, 1);
    let expected = [Seen::Publish(publish.clone()), Seen::Pubrel(2, 0)];
    assert_eq!(client.sent(at(4)), expected);
    client.reconnect(at(5), true);
    let expected = [Seen::Publish(publish.dup()), Seen::Pubrel(2, 0)];
    assert_eq!(client.sent(at(5)), expected);
    client.events();
    // The message the broker has under that identifier is this one.
    client.receive(&wire::pubrec(1, 0x91), at(5));
    assert_eq!(client.sent(at(5)), [release]);
    client.receive(&wire::pubcomp(1), at(5));
    assert_eq!(client.events(), [Event::Published(token)]);
}

/// aMQTT does not answer a PUBREL with an unknown identifier. A PINGRESP to a PINGREQ after it
/// shows that it was read; one to an earlier PINGREQ shows nothing.
#[test]
fn a_release_that_is_not_answered_is_followed_by_a_ping() {
    for asked_before in [false, true] {
        let mut client = Client::new(Config {
            adopt_session: true,
            keep_alive: at(if asked_before { 10 } else { 0 }),
            ..lasting(Version::V5)
        });
        client.reconnect(at(0), true);
        client.events();
        if asked_before {
            client.handle_timeout(at(10)).expect("alive");
            assert_eq!(client.sent(at(10)), [Seen::Pingreq]);
        }
        client
            .session
            .publish(Message::new("t", "").qos(QOS2))
            .expect("room");
        assert_eq!(client.sent(at(11)), [Seen::Pubrel(1, 0)]);
        if asked_before {
            // This does not delay a ping's answer either.
            client.receive(
                &wire::publish(Version::V5, &Publish::new("v", "", 0, 0)),
                at(12),
            );
            client.events();
        }
        assert_eq!(client.session.poll_timeout(), Some(at(13)));
        client.handle_timeout(at(13)).expect("alive");
        assert_eq!(client.sent(at(13)), [Seen::Pingreq]);
        let publish = [Seen::Publish(Publish::new("t", "", 2, 1))];
        client.receive(&wire::PINGRESP, at(14));
        if asked_before {
            assert_eq!(client.sent(at(14)), []);
            client.receive(&wire::PINGRESP, at(14));
        }
        assert_eq!(client.sent(at(14)), publish);
        // Late.
        client.receive(&wire::pubcomp(1), at(14));
        client.receive(&wire::pubrec(1, 0), at(14));
        assert_eq!(client.sent(at(14)), [Seen::Pubrel(1, 0)]);
        client.receive(&wire::pubcomp(1), at(14));
        assert!(matches!(client.events()[..], [Event::Published(_)]));
    }
}

/// With a broker that does not answer a PUBREL that it does not know, several such messages take
/// their turns, in order.
#[test]
fn releases_that_are_not_answered_follow_one_another() {
    for version in VERSIONS {
        let mut client = Client::new(Config {
            adopt_session: true,
            keep_alive: at(0),
            ..lasting(version)
        });
        client.reconnect(at(0), true);
        let topics = ["a", "b", "c"];
        for topic in topics {
            let message = Message::new(topic, "").qos(QOS2);
            client.session.publish(message).expect("room");
        }
        let (mut known, mut taken) = (Vec::new(), Vec::new());
        for now in 1..30 {
            let due = client.session.poll_timeout();
            if due.is_some_and(|due| due <= at(now)) {
                client.handle_timeout(at(now)).expect("alive");
            }
            for packet in client.sent(at(now)) {
                let answer = match packet {
                    Seen::Publish(publish) => {
                        known.push(publish.id);
                        taken.push(publish.topic);
                        wire::pubrec(publish.id, 0)
                    }
                    Seen::Pubrel(id, _) if known.contains(&id) => wire::pubcomp(id),
                    Seen::Pubrel(..) => continue,
                    Seen::Pingreq => wire::PINGRESP.to_vec(),
                    other => panic!("{other:?}"),
                };
                client.receive(&answer, at(now));
            }
        }
        assert_eq!(taken, topics);
        assert!(client.session.is_idle());
    }
}

/// The PUBCOMP for the PUBREL that was sent first may arrive after PINGRESP, and even after PUBREC.
/// The message ends with its own PUBCOMP, or with a PINGRESP after its PUBREL.
#[test]
fn a_late_answer_to_the_release_is_not_that_of_the_message() {
    for (answer, ends) in [
        (wire::pubcomp(1), true),
        (wire::PINGRESP.to_vec(), true),
        (wire::pubrec(1, 0), false),
    ] {
        let mut client = Client::new(Config {
            adopt_session: true,
            ..lasting(Version::V311)
        });
        client.reconnect(at(0), true);
        let message = Message::new("t", "").qos(QOS2);
        let token = client.session.publish(message).expect("room");
        client.transmit(at(1));
        client.handle_timeout(at(3)).expect("alive");
        client.transmit(at(3));
        client.receive(&wire::PINGRESP, at(4));
        client.transmit(at(4));
        client.receive(&wire::pubrec(1, 0), at(4));
        assert_eq!(client.sent(at(4)), [Seen::Pubrel(1, 0)]);
        client.events();
        client.receive(&wire::pubcomp(1), at(4));
        assert_eq!(client.events(), []);
        assert_eq!(client.session.poll_timeout(), Some(at(6)));
        client.handle_timeout(at(6)).expect("alive");
        assert_eq!(client.sent(at(6)), [Seen::Pingreq]);
        client.receive(&answer, at(7));
        let published = [Event::Published(token)];
        assert_eq!(client.events(), &published[..usize::from(ends)]);
        if !ends {
            client.reconnect(at(8), true);
            assert_eq!(client.sent(at(8)), [Seen::Pubrel(1, 0)]);
            client.receive(&wire::pubcomp(1), at(9));
            assert!(client.events().contains(&published[0]));
        }
    }
}

/// A broken connection says nothing about what the broker remembers: PUBREL is sent first until a
/// responsive broker has ended two connections because of it.
#[test]
fn broken_connections_do_not_end_the_release_that_goes_first() {
    for version in VERSIONS {
        let mut client = Client::new(Config {
            adopt_session: true,
            ..lasting(version)
        });
        let messages = ["a", "b"].map(|topic| Message::new(topic, "").qos(QOS2));
        for message in messages {
            client.session.publish(message).expect("room");
        }
        for time in 0..20 {
            client.reconnect(at(time), true);
            let sent = client.sent(at(time));
            let first = match time {
                0..3 => Seen::Pubrel(1, 0),
                _ => Seen::Pingreq,
            };
            assert_eq!(sent, [first], "{time}");
            if time < 19 {
                client.session.handle_transport_closed();
            }
        }
        client.receive(&wire::PINGRESP, at(20));
        assert_eq!(client.sent(at(20)), [Seen::Pubrel(1, 0)]);
        client.receive(&wire::pubcomp(1), at(20));
        let publish = Seen::Publish(Publish::new("a", "", 2, 1));
        assert_eq!(client.sent(at(20)), [publish]);
        client.receive(&wire::pubrec(1, 0), at(20));
        assert_eq!(client.sent(at(20)), [Seen::Pubrel(1, 0)]);
        client.receive(&wire::pubcomp(1), at(20));
        assert_eq!(client.sent(at(20)), [Seen::Pubrel(2, 0)]);
    }
}

/// Such a message was not sent, and is not reported as one of a lost session.
#[test]
fn a_message_whose_identifier_is_released_first_was_not_sent() {
    let mut client = Client::new(Config {
        adopt_session: true,
        lost_session: LostSession::Report,
        ..lasting(Version::V5)
    });
    let message = Message::new("t", "").qos(QOS2);
    client.session.publish(message).expect("room");
    client.session.connect(at(0));
    client.transmit(at(0));
    client.receive(&wire::connack(Version::V5, true), at(0));
    assert_eq!(client.sent(at(0)), [Seen::Pubrel(1, 0)]);
    client.events();
    client.reconnect(at(1), false);
    assert_eq!(client.events(), []);
    let publish = Publish::new("t", "", 2, 1);
    assert_eq!(client.sent(at(1)), [Seen::Publish(publish)]);
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
    assert_eq!(client.sent(at(2)), [Seen::Pubrel(3, 0)]);
    client.receive(&wire::pubcomp(3), at(2));
    for id in 1..3 {
        let publish = Publish::new("t", "", 2, id).dup();
        assert_eq!(client.sent(at(2)), [Seen::Publish(publish)]);
        client.receive(&wire::pubrec(id, 0), at(2));
        assert_eq!(client.sent(at(2)), [Seen::Pubrel(id, 0)]);
        client.receive(&wire::pubcomp(id), at(2));
    }
    assert!(client.session.is_idle());
}

/// The rest of a renewing SUBSCRIBE in several packets is not kept in addition to the next renewal.
#[test]
fn a_repetition_of_subscriptions_that_is_cut_short_begins_again() {
    let small = |properties: &mut mqtt_proto::v5::ConnackProperties| {
        properties.max_packet_size = Some(100);
    };
    let mut client = Client::online(lasting(Version::V5));
    let names: Vec<_> = (0..8).map(|n| format!("{n:040}")).collect();
    let filters: Vec<_> = names.iter().map(|name| (&**name, QOS1)).collect();
    client.session.subscribe(&filters).expect("room");
    client.sent(at(0));
    client.receive(&wire::suback(Version::V5, 1, &[1; 8]), at(0));
    client.events();
    for round in 1..5 {
        client.session.handle_transport_closed();
        client.session.connect(at(round));
        client.sent(at(round));
        client.receive(&wire::connack_v5(false, small), at(round));
        client.events();
        let sent = client.sent(at(round));
        let [Seen::Subscribe(id, asked)] = &sent[..] else {
            panic!("{sent:?}");
        };
        assert_eq!(asked.len(), 2);
        client.receive(&wire::suback(Version::V5, *id, &[1; 2]), at(round));
        assert_eq!(client.session.outbox_len(), 1);
    }
}
