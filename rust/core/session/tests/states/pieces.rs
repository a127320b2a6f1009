//! Messages larger than the maximum packet size, in pieces.

use mqtt_proto::v5;
use thread_mqtt_session::{
    Config, CutReason, Event, Fault, Message, PacketType, SessionError, SkipReason, Version,
};

use crate::common::{self, Client, Publish, Seen, VERSIONS, at, lasting, wire};

/// Packets of 100 bytes, messages of 10,000.
fn config(version: Version) -> Config {
    Config {
        max_packet_size: 100,
        max_size_in_pieces: 10_000,
        ..lasting(version)
    }
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 7 % 251) as u8).collect()
}

/// Reassembles the pieces of one whole message.
fn assemble(events: &[Event], most: usize) -> Message {
    let [Event::MessageBegins { message, total }, pieces @ ..] = events else {
        panic!("{events:?}");
    };
    let mut message = message.clone();
    assert!(message.payload.is_empty());
    for piece in pieces {
        let Event::Piece {
            offset,
            total: of,
            payload,
        } = piece
        else {
            panic!("{piece:?}");
        };
        assert_eq!((*offset as usize, of), (message.payload.len(), total));
        assert!((1..=most).contains(&payload.len()), "{}", payload.len());
        message.payload.extend_from_slice(payload);
    }
    assert_eq!(message.payload.len(), *total as usize);
    message
}

/// Messages left at the broker are discarded as a whole.
#[test]
fn a_large_message_that_is_left_at_the_broker_does_not_begin() {
    for version in VERSIONS {
        let mut client = Client::online(Config {
            leave_messages: true,
            ..config(version)
        });
        for level in [1, 2] {
            let publish = Publish::new("t", pattern(1_000), level, level.into());
            client.receive(&wire::publish(version, &publish), at(1));
        }
        client.session.handle_transport_closed();
        assert_eq!(client.events(), []);
        client.reconnect(at(2), true);
        client.events();
        let publish = Publish::new("t", pattern(1_000), 0, 0);
        client.receive(&wire::publish(version, &publish), at(2));
        let message = Message::new("t", pattern(1_000)).qos(common::qos(0));
        assert_eq!(assemble(&client.events(), 100), message);
        assert_eq!(client.sent(at(2)), []);
    }
}

#[test]
fn a_large_message_arrives_in_pieces_and_is_acknowledged_with_the_last() {
    for version in VERSIONS {
        for level in 0..3 {
            let mut client = Client::online(config(version));
            let mut publish = Publish::new("t", pattern(1_000), level, level.into());
            publish.retain = true;
            let packet = wire::publish(version, &publish);
            client.receive(&packet[..packet.len() - 1], at(1));
            let mut events = client.events();
            assert_eq!(client.sent(at(1)), [], "nothing yet");
            client.receive(&packet[packet.len() - 1..], at(1));
            assert_eq!(client.sent(at(1)), [], "the last piece was not taken");
            events.extend(client.events());
            let message = Message::new("t", pattern(1_000))
                .qos(common::qos(level))
                .retain(true);
            assert_eq!(assemble(&events, 100), message);
            match level {
                0 => assert_eq!(client.sent(at(1)), []),
                1 => assert_eq!(client.sent(at(1)), [Seen::Puback(1)]),
                _ => {
                    assert_eq!(client.sent(at(1)), [Seen::Pubrec(2)]);
                    client.receive(&wire::pubrel(2), at(1));
                    assert_eq!(client.sent(at(1)), [Seen::Pubcomp(2, 0)]);
                }
            }
            // The packet after it is read.
            client.receive(
                &wire::publish(version, &Publish::new("u", "x", 0, 0)),
                at(1),
            );
            assert_eq!(client.events(), [Event::Message(Message::new("u", "x"))]);
        }
    }
}

/// At exactly the limit, a message is one event; one byte above it, it arrives in pieces, up to the
/// limit for pieces. Above that, it is skipped.
#[test]
fn which_messages_come_in_pieces() {
    for version in VERSIONS {
        let around = |size: usize| {
            let publish = |payload| Publish::new("t", pattern(payload), 0, 0);
            let mut packets = (0..=size)
                .rev()
                .map(|n| wire::publish(version, &publish(n)));
            packets.find(|packet| packet.len() == size).expect("a size")
        };
        let mut client = Client::online(config(version));
        client.receive(&around(100), at(1));
        assert!(matches!(client.events()[..], [Event::Message(_)]));
        for size in [101, 10_000] {
            let packet = around(size);
            let mut events = Vec::new();
            let mut rest = &packet[..];
            while !rest.is_empty() {
                let taken = client.session.handle_input(rest, at(1)).expect("valid");
                rest = &rest[taken..];
                events.extend(client.events());
            }
            assemble(&events, 100);
        }
        let skipped = client.session.handle_input(&around(10_001), at(1));
        match version {
            Version::V311 => {
                let events = client.events();
                let is_skipped = matches!(&events[..], [Event::Skipped { size: 10_001, .. }]);
                assert!(is_skipped, "{events:?}");
            }
            // The broker was told the limit.
            Version::V5 => {
                let (size, limit) = (10_001, 10_000);
                assert_eq!(skipped, Err(SessionError::PacketTooLarge { size, limit }));
            }
        }
    }
}

/// MQTT 5 section 3.1.2.11.4: Maximum Packet Size is what this side accepts in any form.
#[test]
fn the_larger_limit_is_announced() {
    for (pieces, announced) in [(0, 100u32), (50, 100), (10_000, 10_000)] {
        let mut client = Client::new(Config {
            max_size_in_pieces: pieces,
            ..config(Version::V5)
        });
        client.session.connect(at(0));
        let packet = v5::Packet::decode(&client.transmit(at(0)));
        let Ok(Some(v5::Packet::Connect(connect))) = packet else {
            panic!("{packet:?}");
        };
        assert_eq!(connect.properties.max_packet_size, Some(announced));
    }
}

#[test]
fn properties_and_an_alias_come_first() {
    let mut client = Client::online(Config {
        topic_alias_maximum: 1,
        ..config(Version::V5)
    });
    let mut send = |topic: &str| {
        let mut publish = Publish::new("t", pattern(300), 0, 0);
        publish.topic = topic.into();
        let packet = wire::publish_v5(&publish, |properties| {
            properties.topic_alias = Some(1);
            properties.content_type = Some("text/plain".into());
        });
        client.receive(&packet, at(1));
        assemble(&client.events(), 100)
    };
    for topic in ["name", "name"] {
        let message = send(topic);
        assert_eq!(message.topic, "name");
        let properties = message.properties.expect("properties");
        assert_eq!(properties.content_type.as_deref(), Some("text/plain"));
    }
}

/// A head above the limit for packets cannot be kept: the message is skipped although it could have
/// arrived in pieces, and the connection stays up.
#[test]
fn a_head_that_is_too_large_skips_the_message() {
    for version in VERSIONS {
        for topic in [95, 96, 97, 120, 2_000] {
            let mut client = Client::online(config(version));
            let mut publish = Publish::new("t", pattern(500), 1, 9);
            publish.topic = "t".repeat(topic);
            let packet = wire::publish(version, &publish);
            for bytes in packet.chunks(64) {
                client.receive(bytes, at(1));
            }
            let head = packet.len() - 500;
            let events = client.events();
            if head <= 100 {
                assert_eq!(assemble(&events, 100).topic.len(), topic);
                assert_eq!(client.sent(at(1)), [Seen::Puback(9)]);
                continue;
            }
            let size = packet.len() as u32;
            let [
                Event::Skipped {
                    size: told, reason, ..
                },
            ] = events[..]
            else {
                panic!("{topic}: {events:?}");
            };
            assert_eq!((told, reason), (size, SkipReason::TooLarge));
            assert!(!client.transmit(at(1)).is_empty(), "acknowledged");
            assert!(client.session.is_connected());
        }
    }
}

#[test]
fn a_broken_head_ends_the_connection() {
    let packet = PacketType::new(3);
    let long = |head: &[u8]| {
        let mut bytes = vec![0x32, 0xE8, 7];
        bytes.extend_from_slice(head);
        bytes.resize(3 + 1_000, 0);
        bytes
    };
    for (version, head, fault) in [
        (Version::V311, &[0, 1, b'+', 0, 1][..], Fault::Topic),
        (Version::V311, &[0, 1, 0xFF, 0, 1], Fault::Text),
        (Version::V311, &[0, 1, b't', 0, 0], Fault::PacketId),
        (Version::V311, &[0xFF, 0xFF], Fault::TooShort),
        (
            Version::V5,
            &[0, 1, b't', 0, 1, 0xFF, 0xFF, 0xFF, 0xFF],
            Fault::Property,
        ),
        (
            Version::V5,
            &[0, 1, b't', 0, 1, 0xFF, 0x7F],
            Fault::TooShort,
        ),
        (Version::V5, &[0, 0, 0, 1, 0], Fault::Topic),
    ] {
        let mut client = Client::online(config(version));
        client.fails(&long(head), SessionError::Malformed { packet, fault });
        assert_eq!(client.events(), [], "{head:?}");
    }
}

/// Cut after every byte, the message starts again from its first piece, whatever its QoS was, and
/// the cut is reported.
#[test]
fn a_cut_message_is_told_and_comes_again_whole() {
    for version in VERSIONS {
        for level in 0..3u8 {
            let publish = Publish::new("t", pattern(150), level, level.into());
            let packet = wire::publish(version, &publish);
            let head = packet.len() - 150;
            for cut in 0..packet.len() {
                let mut client = Client::online(config(version));
                client.receive(&packet[..cut], at(1));
                let mut events = client.events();
                assert_eq!(client.sent(at(1)), []);
                client.session.handle_transport_closed();
                events.extend(client.events());
                if cut < head {
                    assert_eq!(events, [], "{cut}");
                } else {
                    let (received, reason) = ((cut - head) as u32, CutReason::ConnectionLost);
                    let last = events.pop();
                    assert_eq!(last, Some(Event::MessageCut { received, reason }));
                    assert!(matches!(events[0], Event::MessageBegins { total: 150, .. }));
                    let pieces = events[1..].iter().map(|event| match event {
                        Event::Piece { payload, .. } => payload.len(),
                        other => panic!("{other:?}"),
                    });
                    assert_eq!(pieces.sum::<usize>(), cut - head);
                }
                client.reconnect(at(2), true);
                let again = match level {
                    0 => publish.clone(),
                    _ => publish.clone().dup(),
                };
                client.receive(&wire::publish(version, &again), at(2));
                let message = assemble(&client.events(), 100);
                assert_eq!(message.payload, pattern(150));
                let acks = client.sent(at(2));
                match level {
                    0 => assert_eq!(acks, []),
                    1 => assert_eq!(acks, [Seen::Puback(1)]),
                    _ => assert_eq!(acks, [Seen::Pubrec(2)]),
                }
            }
        }
    }
}

/// QoS 2: once it has arrived completely, it is not delivered again, taken or not.
#[test]
fn a_repeated_message_passes_by() {
    for version in VERSIONS {
        for taken in [false, true] {
            let mut client = Client::online(config(version));
            let publish = Publish::new("t", pattern(300), 2, 7);
            client.receive(&wire::publish(version, &publish), at(1));
            let mut events = Vec::new();
            if taken {
                events = client.events();
            }
            client.session.connect(at(2));
            client.transmit(at(2));
            client.receive(&wire::connack(version, true), at(2));
            client.receive(&wire::publish(version, &publish.clone().dup()), at(2));
            let mut rest = client.events();
            let connected = rest.pop();
            assert!(matches!(connected, Some(Event::Connected { .. })));
            events.extend(rest);
            assert_eq!(assemble(&events, 100).payload, pattern(300));
            assert_eq!(client.sent(at(2)), [Seen::Pubrec(7)]);
            client.receive(&wire::pubrel(7), at(2));
            assert_eq!(client.sent(at(2)), [Seen::Pubcomp(7, 0)]);
            // A cut retransmission does not matter: none of it was reported.
            let packet = wire::publish(version, &publish);
            client.receive(&packet, at(3));
            assert_eq!(assemble(&client.events(), 100).payload, pattern(300));
            client.reconnect(at(4), true);
            let packet = wire::publish(version, &publish.clone().dup());
            client.receive(&packet[..200], at(4));
            client.session.handle_transport_closed();
            assert_eq!(client.events(), []);
        }
    }
}

/// Pieces wait for the application like other events, and the broker waits for them.
#[test]
fn back_pressure_reaches_into_a_message() {
    for version in VERSIONS {
        let mut client = Client::online(Config {
            event_bytes: 150,
            ..config(version)
        });
        let packet = wire::publish(version, &Publish::new("t", pattern(5_000), 1, 1));
        let (mut given, mut events, mut most) = (0, Vec::new(), 0);
        while given < packet.len() {
            let taken = client.session.handle_input(&packet[given..], at(1));
            given += taken.expect("valid");
            if !client.session.wants_input() || given == packet.len() {
                let new = client.events();
                most = most.max(new.len());
                events.extend(new);
            }
        }
        assert_eq!(assemble(&events, 100).payload, pattern(5_000));
        assert!(most <= 3, "{most} events at once");
    }
}

/// A broker that is slow in the middle of a message is not considered dead while anything arrives.
/// One that falls silent there is.
#[test]
fn a_slow_message_is_a_sign_of_life() {
    for version in VERSIONS {
        let mut client = Client::online(Config {
            keep_alive: at(60),
            ..config(version)
        });
        let packet = wire::publish(version, &Publish::new("t", pattern(200), 1, 1));
        let mut now = 1;
        for byte in packet.chunks(4) {
            client.receive(byte, at(now));
            client.events();
            now += 50;
            client.handle_timeout(at(now)).expect("alive");
            client.transmit(at(now));
        }
        client.receive(&packet[..100], at(now));
        client.handle_timeout(at(now + 60)).expect("a ping");
        assert_eq!(client.sent(at(now + 60)), [Seen::Pingreq]);
        let silent = client.handle_timeout(at(now + 80));
        assert_eq!(silent, Err(SessionError::PingTimeout));
        client.session.handle_transport_closed();
        let events = client.events();
        assert!(matches!(events.last(), Some(Event::MessageCut { .. })));
    }
}
