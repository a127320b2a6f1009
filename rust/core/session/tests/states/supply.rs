//! Messages that are published in pieces.

use std::time::Duration;

use thread_mqtt_session::{
    CommandError, Config, Event, LostSession, Message, Overflow, Pieces, PublishError,
    PublishOptions, QoS, SessionError, Token, Version,
};

use crate::common::{self, Client, Publish, Seen, VERSIONS, at, lasting, wire};
use crate::{QOS1, QOS2, online_with};

const PIECES: Pieces = Pieces {
    total: 1_000,
    piece: 300,
};

fn pattern() -> Vec<u8> {
    (0..1_000).map(|at| (at * 7 % 251) as u8).collect()
}

fn publish(client: &mut Client, qos: QoS) -> Token {
    publish_with(client, qos, PublishOptions::default()).expect("room")
}

fn publish_with(
    client: &mut Client,
    qos: QoS,
    options: PublishOptions,
) -> Result<Token, CommandError> {
    let message = Message::new("t", "").qos(qos);
    client.session.publish_in_pieces(message, PIECES, options)
}

fn wanted(token: Token, offset: u32) -> Event {
    let length = 300.min(1_000 - offset);
    Event::PieceWanted {
        token,
        offset,
        length,
    }
}

/// Supplies every requested piece as it is requested. Returns the other events, and what was sent.
fn supply_all(client: &mut Client, now: Duration) -> (Vec<Event>, Vec<u8>) {
    let (mut others, mut sent) = (Vec::new(), client.transmit(now));
    while let Some(event) = client.session.poll_event() {
        match event {
            Event::PieceWanted { .. } => supply(client, &event),
            other => others.push(other),
        }
        sent.extend(client.transmit(now));
    }
    (others, sent)
}

fn supply(client: &mut Client, event: &Event) {
    let Event::PieceWanted {
        token,
        offset,
        length,
    } = *event
    else {
        panic!("{event:?}");
    };
    let piece = &pattern()[offset as usize..][..length as usize];
    let supplied = client.session.supply(token, offset, piece.into());
    assert_eq!(supplied, Ok(()));
}

fn seen(qos: QoS, id: u16) -> Publish {
    Publish::new("t", pattern(), qos as u8, id)
}

#[test]
fn a_message_goes_out_as_its_pieces_are_supplied() {
    for version in VERSIONS {
        for level in 0..3 {
            let mut client = Client::online(lasting(version));
            let qos = common::qos(level);
            let token = publish(&mut client, qos);
            assert_eq!(client.session.outbox_bytes(), 301, "topic and one piece");
            // Not a byte is sent before the first piece is supplied.
            assert_eq!(client.sent(at(1)), []);
            assert_eq!(client.events(), [wanted(token, 0)]);
            assert_eq!(client.sent(at(1)), []);
            assert_eq!(client.events(), [], "it asks once");
            let mut sent = Vec::new();
            for offset in [0, 300, 600, 900] {
                supply(&mut client, &wanted(token, offset));
                sent.extend(client.transmit(at(1)));
                let mut events = client.events();
                if offset < 900 {
                    assert_eq!(events, [wanted(token, offset + 300)]);
                } else if level == 0 {
                    assert_eq!(events.pop(), Some(Event::Published(token)));
                }
            }
            let sent = common::parse_all(version, sent);
            let id = if level == 0 { 0 } else { 1 };
            assert_eq!(sent, [Seen::Publish(seen(qos, id))]);
            match level {
                0 => {}
                1 => client.receive(&wire::puback(1, 0), at(2)),
                _ => {
                    client.receive(&wire::pubrec(1, 0), at(2));
                    assert_eq!(client.sent(at(2)), [Seen::Pubrel(1, 0)]);
                    client.receive(&wire::pubcomp(1), at(2));
                }
            }
            if level != 0 {
                assert_eq!(client.events(), [Event::Published(token)]);
            }
            assert!(client.session.is_idle());
            assert_eq!(client.session.outbox_bytes(), 0);
        }
    }
}

/// A packet is sent whole: other packets follow it. Before its first piece is supplied, it delays
/// only the messages behind it.
#[test]
fn what_goes_out_meanwhile() {
    for version in VERSIONS {
        let mut client = Client::online(lasting(version));
        let token = publish(&mut client, QOS1);
        let behind = Message::new("u", "behind");
        client.session.publish(behind).expect("room");
        client.transmit(at(1));
        assert_eq!(client.events(), [wanted(token, 0)]);
        let acknowledged = wire::publish(version, &Publish::new("d", "x", 1, 9));
        client.receive(&acknowledged, at(1));
        assert_eq!(client.events().len(), 1);
        assert_eq!(client.sent(at(1)), [Seen::Puback(9)]);
        supply(&mut client, &wanted(token, 0));
        let mut sent = client.transmit(at(1));
        assert_eq!(client.events(), [wanted(token, 300)]);
        client.receive(&acknowledged, at(1));
        assert_eq!(client.events().len(), 1);
        assert!(client.transmit(at(1)).is_empty(), "not into the packet");
        supply(&mut client, &wanted(token, 300));
        let (events, rest) = supply_all(&mut client, at(1));
        assert_eq!(
            events.len(),
            1,
            "the QoS 0 message is published: {events:?}"
        );
        sent.extend(rest);
        let behind = Seen::Publish(Publish::new("u", "behind", 0, 0));
        let whole = Seen::Publish(seen(QOS1, 1));
        let sent = common::parse_all(version, sent);
        assert_eq!(sent, [whole, Seen::Puback(9), behind]);
    }
}

/// Wherever the connection ends, the message starts again with its first piece, under the same
/// token.
#[test]
fn a_cut_message_is_asked_for_again() {
    for version in VERSIONS {
        for level in 0..3 {
            let qos = common::qos(level);
            let whole = 1_000 + 7 + usize::from(version == Version::V5);
            for cut in (0..whole + 2).step_by(7).chain(whole - 3..whole + 2) {
                let mut client = Client::online(lasting(version));
                let token = publish(&mut client, qos);
                let mut left = cut;
                let mut published = false;
                while left > 0 {
                    let shown = client.session.transmit(at(1)).len();
                    let taken = shown.min(left);
                    client.session.consume_transmit(taken);
                    left -= taken;
                    match client.session.poll_event() {
                        Some(event @ Event::PieceWanted { .. }) => supply(&mut client, &event),
                        Some(Event::Published(_)) => published = true,
                        None if taken == 0 => break,
                        None => {}
                        other => panic!("{other:?}"),
                    }
                }
                client.session.handle_network_lost();
                client.events();
                client.reconnect(at(2), true);
                let (mut events, sent) = supply_all(&mut client, at(2));
                let sent = common::parse_all(version, sent);
                if published {
                    assert_eq!((sent, events), (vec![], vec![]));
                    continue;
                }
                let mut expected = seen(qos, if level == 0 { 0 } else { 1 });
                expected.dup = level > 0 && cut > 0;
                assert_eq!(sent, [Seen::Publish(expected)], "cut at {cut}");
                if level == 0 {
                    assert_eq!(events.pop(), Some(Event::Published(token)));
                }
                assert_eq!(events, []);
            }
        }
    }
}

/// QoS 2: after PUBREC, the payload is no longer requested, unless the broker loses the session.
#[test]
fn a_released_message_needs_its_payload_only_for_a_new_session() {
    for version in VERSIONS {
        for lost_session in [LostSession::SendAgain, LostSession::Report] {
            let mut client = Client::online(Config {
                lost_session,
                ..lasting(version)
            });
            let token = publish(&mut client, QOS2);
            supply_all(&mut client, at(1));
            client.receive(&wire::pubrec(1, 0), at(1));
            client.session.handle_network_lost();
            client.reconnect(at(2), true);
            assert_eq!(client.sent(at(2)), [Seen::Pubrel(1, 0)]);
            assert_eq!(client.events(), []);
            client.session.handle_network_lost();
            client.reconnect(at(3), false);
            let (events, sent) = supply_all(&mut client, at(3));
            let sent = common::parse_all(version, sent);
            if lost_session == LostSession::SendAgain {
                assert_eq!(events, [Event::SentAgain(token)]);
                assert_eq!(sent, [Seen::Publish(seen(QOS2, 1))]);
            } else {
                let error = PublishError::SessionLost;
                assert_eq!(events, [Event::PublishFailed(token, error)]);
                assert_eq!(sent, []);
            }
        }
    }
}

#[test]
fn a_first_piece_that_does_not_come_ends_the_message_alone() {
    for version in VERSIONS {
        let mut client = Client::online(lasting(version));
        let token = publish(&mut client, QOS1);
        client
            .session
            .publish(Message::new("u", "behind"))
            .expect("room");
        client.transmit(at(1));
        assert_eq!(client.session.poll_timeout(), Some(at(21)));
        client.handle_timeout(at(20)).expect("there is time");
        client.handle_timeout(at(21)).expect("it stands");
        let failed = Event::PublishFailed(token, PublishError::NotSupplied);
        assert_eq!(client.events(), [wanted(token, 0), failed]);
        let behind = Publish::new("u", "behind", 0, 0);
        assert_eq!(client.sent(at(21)), [Seen::Publish(behind)]);
        let late = client.session.supply(token, 0, vec![1]);
        assert_eq!(late, Err(CommandError::PieceNotWanted));
    }
}

/// No packet can follow half of another one, so the connection ends, and this side is the cause.
#[test]
fn a_later_piece_that_does_not_come_ends_the_connection() {
    for version in VERSIONS {
        for gives_up in [false, true] {
            let mut client = Client::online(Config {
                suspect_after: 1,
                keep_alive: at(0),
                ..lasting(version)
            });
            let other = client.session.publish(Message::new("u", "other").qos(QOS1));
            client.transmit(at(1));
            let token = publish(&mut client, QOS1);
            client.transmit(at(1));
            supply(&mut client, &wanted(token, 0));
            client.transmit(at(1));
            client.events();
            let now = if gives_up {
                assert!(client.session.give_up_pieces(token));
                assert_eq!(client.session.poll_timeout(), Some(at(0)));
                at(2)
            } else {
                assert_eq!(client.session.poll_timeout(), Some(at(21)));
                at(21)
            };
            let ended = client.handle_timeout(now);
            assert_eq!(ended, Err(SessionError::NotSupplied));
            assert!(client.transmit(now).is_empty(), "nothing into the packet");
            assert!(client.session.is_disconnected());
            let failed = Event::PublishFailed(token, PublishError::NotSupplied);
            assert_eq!(client.events(), [failed]);
            client.session.handle_transport_closed();
            // The other message is not a suspect, although here the first end of a connection makes
            // one.
            client.reconnect(at(30), true);
            let again = Publish::new("u", "other", 1, 1).dup();
            assert_eq!(client.sent(at(30)), [Seen::Publish(again)]);
            client.receive(&wire::puback(1, 0), at(30));
            assert_eq!(client.events(), [Event::Published(other.expect("room"))]);
            assert!(client.session.is_idle());
        }
    }
}

#[test]
fn a_message_is_given_up_wherever_it_is() {
    for version in VERSIONS {
        let failed = |token| Event::PublishFailed(token, PublishError::NotSupplied);
        // Offline; afterwards there is no such message.
        let mut client = Client::lasting(version);
        let token = publish(&mut client, QOS1);
        assert!(client.session.give_up_pieces(token));
        assert_eq!(client.events(), [failed(token)]);
        assert!(!client.session.give_up_pieces(token));
        // Other messages are not affected.
        let whole = client.session.publish(Message::new("u", "x"));
        assert!(!client.session.give_up_pieces(whole.expect("room")));
        // Requested, and nothing sent.
        client.reconnect(at(1), false);
        client.transmit(at(1));
        client.events();
        let token = publish(&mut client, QOS2);
        assert_eq!(client.sent(at(1)), []);
        assert!(client.session.give_up_pieces(token));
        assert_eq!(client.events(), [wanted(token, 0), failed(token)]);
        client
            .handle_timeout(at(100))
            .expect("the connection stands");
        client.sent(at(100));
        client.receive(&wire::PINGRESP, at(100));
        // Sent and not answered: PUBREL frees the identifier that the broker remembers.
        let token = publish(&mut client, QOS2);
        supply_all(&mut client, at(100));
        client.session.handle_network_lost();
        client.reconnect(at(101), true);
        client.transmit(at(101));
        assert!(client.session.give_up_pieces(token));
        assert_eq!(client.events(), [wanted(token, 0), failed(token)]);
        assert_eq!(client.sent(at(101)), [Seen::Pubrel(2, 0)]);
        client.receive(&wire::pubcomp(2), at(101));
        assert!(client.session.is_idle());
    }
}

/// It is sent in full: the answer decides, and then its place in flight is free.
#[test]
fn a_message_that_is_given_up_when_it_is_sent_ends_with_its_answer() {
    for version in VERSIONS {
        for (qos, received) in [(QOS1, false), (QOS2, false), (QOS2, true)] {
            let mut client = Client::online(Config {
                receive_maximum: 1,
                ..lasting(version)
            });
            let token = publish(&mut client, qos);
            supply_all(&mut client, at(1));
            if received {
                client.receive(&wire::pubrec(1, 0), at(1));
                assert_eq!(client.sent(at(1)), [Seen::Pubrel(1, 0)]);
            }
            assert!(client.session.give_up_pieces(token));
            assert_eq!(client.sent(at(1)), [], "no second PUBREL");
            assert_eq!((client.events(), client.session.in_flight()), (vec![], 1));
            if qos == QOS1 {
                client.receive(&wire::puback(1, 0), at(1));
            } else {
                if !received {
                    client.receive(&wire::pubrec(1, 0), at(1));
                    assert_eq!(client.sent(at(1)), [Seen::Pubrel(1, 0)]);
                }
                client.receive(&wire::pubcomp(1), at(1));
            }
            assert_eq!(client.events(), [Event::Published(token)]);
            assert_eq!(client.session.in_flight(), 0);
            let next = Message::new("u", "next").qos(QOS1);
            client.session.publish(next).expect("room");
            let next = Seen::Publish(Publish::new("u", "next", 1, 2));
            assert_eq!(client.sent(at(1)), [next]);
        }
    }
}

/// The same if the answer does not arrive on that connection.
#[test]
fn a_message_that_is_given_up_when_it_is_sent_is_not_asked_for_again() {
    for version in VERSIONS {
        let failed = |token| Event::PublishFailed(token, PublishError::NotSupplied);
        let given_up = |qos, received: bool| {
            let mut client = Client::online(lasting(version));
            let token = publish(&mut client, qos);
            supply_all(&mut client, at(1));
            if received {
                client.receive(&wire::pubrec(1, 0), at(1));
            }
            assert!(client.session.give_up_pieces(token));
            client.session.handle_transport_closed();
            (client, token)
        };
        let (mut client, token) = given_up(QOS1, false);
        client.reconnect(at(2), true);
        assert_eq!(client.sent(at(2)), []);
        assert_eq!(client.events(), [failed(token)]);
        assert!(client.session.is_idle());

        let (mut client, token) = given_up(QOS2, false);
        client.reconnect(at(2), true);
        assert_eq!(client.sent(at(2)), [Seen::Pubrel(1, 0)]);
        assert_eq!(client.events(), [failed(token)]);
        client.receive(&wire::pubcomp(1), at(2));
        assert!(client.session.is_idle());

        // The broker has it.
        let (mut client, token) = given_up(QOS2, true);
        assert!(client.session.give_up_pieces(token), "once more, offline");
        client.reconnect(at(2), true);
        assert_eq!(client.sent(at(2)), [Seen::Pubrel(1, 0)]);
        client.receive(&wire::pubcomp(1), at(2));
        assert_eq!(client.events(), [Event::Published(token)]);

        // The broker has lost it.
        let (mut client, token) = given_up(QOS2, true);
        client.reconnect(at(2), false);
        assert_eq!(client.sent(at(2)), []);
        assert_eq!(client.events(), [failed(token)]);
        assert!(client.session.is_idle());
    }
}

/// A message that waits for its first piece may expire or be replaced like any other, and leaves
/// nothing behind.
#[test]
fn what_is_asked_for_may_still_go() {
    for version in VERSIONS {
        let options = PublishOptions {
            expiry: Some(at(5)),
            ..PublishOptions::default()
        };
        let mut client = Client::online(Config {
            keep_alive: at(0),
            ..lasting(version)
        });
        let token = publish_with(&mut client, QOS1, options).expect("room");
        client.transmit(at(1));
        client.handle_timeout(at(10)).expect("it stands");
        let expired = Event::PublishFailed(token, PublishError::Expired);
        assert_eq!(client.events(), [wanted(token, 0), expired]);
        let mut client = Client::online(Config {
            overflow: Overflow::LatestPerTopic,
            keep_alive: at(0),
            ..lasting(version)
        });
        let old = publish(&mut client, QOS1);
        client.transmit(at(1));
        let new = publish(&mut client, QOS1);
        let replaced = Event::PublishFailed(old, PublishError::Superseded);
        assert_eq!(client.events(), [wanted(old, 0), replaced]);
        client.transmit(at(15));
        assert_eq!(client.events(), [wanted(new, 0)]);
        client.handle_timeout(at(30)).expect("it has its own time");
        let (events, sent) = supply_all(&mut client, at(31));
        assert_eq!(
            (events.len(), sent.len()),
            (0, 0),
            "it was asked for already"
        );
        supply(&mut client, &wanted(new, 0));
        let (_, sent) = supply_all(&mut client, at(31));
        assert_eq!(common::parse_all(version, sent).len(), 1);
    }
}

#[test]
fn what_is_refused() {
    let mut client = Client::online(lasting(Version::V5));
    let none = PublishOptions::default();
    let durable = PublishOptions {
        durable: Some(true),
        ..none
    };
    let mut try_one = |payload: &str, total, piece, options| {
        let pieces = Pieces { total, piece };
        let message = Message::new("t", payload);
        client.session.publish_in_pieces(message, pieces, options)
    };
    let invalid = Err(CommandError::InvalidPieces);
    assert_eq!(try_one("x", 10, 10, none), invalid);
    assert_eq!(try_one("", 0, 10, none), invalid);
    assert_eq!(try_one("", 10, 0, none), invalid);
    assert_eq!(try_one("", 10, 10, durable), invalid);
    let too_large = Err(CommandError::PayloadTooLarge);
    assert_eq!(try_one("", u32::MAX, 10, none), too_large);
    let larger = Err(CommandError::LargerThanOutbox);
    assert_eq!(try_one("", 20_000, 20_000, none), larger);
    // A piece larger than the whole payload takes no more room than that.
    let token = try_one("", 10, 20_000, none).expect("room");
    client.transmit(at(1));
    client.events();
    for (token, offset, length, error) in [
        (token, 0, 0, CommandError::PieceLength),
        (token, 0, 11, CommandError::PieceLength),
        (token, 1, 1, CommandError::PieceNotWanted),
        (token.next(), 0, 1, CommandError::PieceNotWanted),
    ] {
        let supplied = client.session.supply(token, offset, vec![0; length]);
        assert_eq!(supplied, Err(error));
    }
    assert_eq!(client.session.supply(token, 0, vec![7; 10]), Ok(()));
    let twice = client.session.supply(token, 0, vec![7; 10]);
    assert_eq!(twice, Err(CommandError::PieceNotWanted));
    let sent = client.sent(at(1));
    let publish = Publish::new("t", [7; 10], 0, 0);
    assert_eq!(sent, [Seen::Publish(publish)]);
}

#[test]
fn what_the_broker_does_not_take_is_given_up() {
    let mut client = online_with(|properties| {
        properties.max_packet_size = Some(900);
        properties.max_qos = Some(mqtt_proto::QoS::Level1);
    });
    let refused = publish(&mut client, QOS2);
    let large = publish(&mut client, QOS1);
    let (events, sent) = supply_all(&mut client, at(1));
    let maximum = QOS1;
    let (size, limit) = (1_009, 900);
    assert_eq!(
        events,
        [
            Event::PublishFailed(refused, PublishError::QosNotSupported { maximum }),
            Event::PublishFailed(large, PublishError::TooLarge { size, limit }),
        ]
    );
    assert!(sent.is_empty());
    assert!(client.session.is_idle());
}

/// DISCONNECT waits for the rest of a half-sent message, but not for one that has not begun.
#[test]
fn leaving_in_the_middle() {
    for version in VERSIONS {
        for (begun, ends) in [(false, true), (true, true), (true, false)] {
            let mut client = Client::online(lasting(version));
            let token = publish(&mut client, QOS1);
            client.transmit(at(1));
            let mut sent = Vec::new();
            if begun {
                supply(&mut client, &wanted(token, 0));
                sent = client.transmit(at(1));
            } else {
                client.events();
            }
            client.session.disconnect();
            if !ends {
                let due = client.session.poll_timeout();
                assert_eq!(due, Some(at(21)));
                let ended = client.handle_timeout(at(21));
                assert_eq!(ended, Err(SessionError::NotSupplied));
                assert!(client.session.is_disconnected());
                continue;
            }
            while client.session.poll_event().is_some_and(|event| {
                if event != wanted(token, 0) {
                    supply(&mut client, &event);
                }
                true
            }) {
                sent.extend(client.transmit(at(1)));
            }
            sent.extend(client.transmit(at(1)));
            let sent = common::parse_all(version, sent);
            let goodbye = Seen::Disconnect(0);
            if begun {
                assert_eq!(sent, [Seen::Publish(seen(QOS1, 1)), goodbye]);
            } else {
                assert_eq!(sent, [goodbye]);
            }
            assert!(client.session.is_disconnected());
        }
    }
}
