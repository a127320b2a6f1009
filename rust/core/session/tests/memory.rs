//! A heap too small for what the broker sends.

mod common;

#[cfg(feature = "durable")]
use common::flash::Flash;
use common::{Client, Publish, Seen, VERSIONS, at, lasting, wire};
use mqtt_proto::v5;
use thread_mqtt_session::{
    Command, CommandError, Config, Event, Message, Properties, QoS, SessionError, SkipReason,
    Token, Version,
};
#[cfg(feature = "durable")]
use thread_mqtt_session::{Session, StoreError};
use thread_mqtt_test_support::heap::{Heap, with_heap};

#[global_allocator]
static HEAP: Heap = Heap;

fn large() -> Publish {
    Publish::new("t", [7; 9_000], 1, 1)
}

/// Many small parts, and a topic as large as the packet.
fn crumbs() -> Vec<u8> {
    let mut publish = Publish::new("t", "", 1, 1);
    publish.topic = "t".repeat(5_000);
    wire::publish_v5(&publish, |properties: &mut v5::PublishProperties| {
        let pair = |i| (format!("{i}").into(), "v".into());
        properties.user_properties = (0..300)
            .map(pair)
            .map(|(name, value)| v5::UserProperty { name, value })
            .collect();
    })
}

/// An answer for each of 6,000 filters that were not requested.
fn suback() -> Vec<u8> {
    let mut packet = vec![0x90, 0xF3, 0x2E, 0, 1, 0];
    packet.resize(3 + 6_003, 0);
    packet
}

/// With any amount of heap for each piece of a packet, the packet arrives, or is skipped if it is a
/// message, or the connection ends with the size that was missing.
#[test]
fn too_little_heap_skips_a_message_and_ends_the_connection_for_anything_else() {
    let packets = [wire::publish(Version::V5, &large()), crumbs(), suback()];
    for packet in &packets {
        for piece in [packet.len(), 1_000] {
            let (mut missing, mut arrived) = (0, 0);
            for bytes in (0..24_000).step_by(211) {
                let mut client = Client::lasting(Version::V5);
                client.session.connect(at(0));
                client.sent(at(0));
                client.receive(&wire::connack(Version::V5, false), at(0));
                client.events();
                let mut pieces = packet.chunks(piece);
                let received = pieces.try_for_each(|piece| {
                    let take = || client.session.handle_input(piece, at(1)).map(drop);
                    with_heap(bytes, take).0
                });
                match received {
                    Err(SessionError::OutOfMemory { size }) => {
                        // Without room for an event, it cannot be reported in any other way.
                        assert!(packet[0] == 0x90 || bytes < 2_500, "{bytes}");
                        assert!(size as usize > packet.len() - 10, "{size}");
                        assert!(
                            client.session.is_disconnected() || !client.transmit(at(1)).is_empty()
                        );
                        missing += 1;
                    }
                    Err(other) => panic!("{other}"),
                    // The SUBACK answers no request.
                    Ok(()) if packet[0] == 0x90 => arrived += 1,
                    Ok(()) => match client.events().pop() {
                        Some(Event::Message(_)) => arrived += 1,
                        Some(Event::Skipped {
                            topic,
                            size,
                            reason,
                            ..
                        }) => {
                            assert!("t".repeat(5_000).starts_with(&topic));
                            assert_eq!(size as usize, packet.len());
                            assert_eq!(reason, SkipReason::OutOfMemory);
                            // The broker is told that the message was not accepted.
                            assert_eq!(client.transmit(at(1)), [0x40, 3, 0, 1, 0x97]);
                            assert!(client.session.is_connected());
                            missing += 1;
                        }
                        other => panic!("{other:?}"),
                    },
                }
            }
            assert!(missing > 10 && arrived > 10, "{missing}, {arrived}");
        }
    }
}

/// A QoS 2 message that has already arrived is only acknowledged, even if there is no room for it,
/// and its identifier is free after PUBREL.
#[test]
fn a_repetition_without_room_is_acknowledged_like_any_other() {
    for version in VERSIONS {
        let publish = Publish::new("t", [7; 9_000], 2, 5);
        let packet = wire::publish(version, &publish);
        let mut client = Client::online(lasting(version));
        client.receive(&packet, at(1));
        assert_eq!(client.events().len(), 1);
        assert_eq!(client.sent(at(1)), [Seen::Pubrec(5)]);
        client.reconnect(at(2), true);
        let again = wire::publish(version, &publish.dup());
        let take = || client.session.handle_input(&again, at(2));
        assert_eq!(with_heap(4_000, take).0, Ok(again.len()));
        assert_eq!(client.events(), []);
        assert_eq!(client.sent(at(2)), [Seen::Pubrec(5)]);
        client.receive(&wire::pubrel(5), at(2));
        assert_eq!(client.sent(at(2)), [Seen::Pubcomp(5, 0)]);
        client.receive(&packet, at(3));
        assert_eq!(client.events().len(), 1, "a new message");
    }
}

/// A message that may be new, because the session may have been lost, is refused and not
/// remembered.
#[test]
fn what_is_refused_is_not_remembered() {
    let publish = Publish::new("t", [7; 9_000], 2, 5);
    let packet = wire::publish(Version::V5, &publish);
    let mut client = Client::online(lasting(Version::V5));
    client.receive(&packet, at(1));
    client.events();
    // Without a CONNACK, the broker may have lost the session.
    client.session.connect(at(2));
    client.sent(at(2));
    client.session.handle_transport_closed();
    client.reconnect(at(3), true);
    let take = || client.session.handle_input(&packet, at(3));
    assert_eq!(with_heap(4_000, take).0, Ok(packet.len()));
    assert!(matches!(client.events()[..], [Event::Skipped { .. }]));
    assert_eq!(client.transmit(at(3)), [0x50, 3, 0, 5, 0x97]);
    client.receive(&wire::publish(Version::V5, &publish.dup()), at(4));
    assert_eq!(client.events().len(), 1, "a new message");
}

/// A broker chooses the number of an alias and the length of its name.
#[test]
fn too_little_heap_for_a_topic_alias_ends_the_connection_and_not_the_program() {
    let aliased = |topic: &str, payload: usize, alias| {
        let publish = Publish::new(topic, vec![7; payload], 0, 0);
        wire::publish_v5(&publish, |properties| properties.topic_alias = Some(alias))
    };
    let name = "t".repeat(5_000);
    for packet in [
        aliased("", 0, 1),
        aliased(&name, 0, 2),
        aliased("u", 0, 1_000),
        aliased("u", 20_000, 1_000),
    ] {
        let (mut missing, mut arrived) = (0, 0);
        for bytes in (0..50_000).step_by(211) {
            let mut client = Client::online(Config {
                topic_alias_maximum: 1_000,
                max_packet_size: 32_768,
                ..lasting(Version::V5)
            });
            client.receive(&aliased(&name, 0, 1), at(1));
            client.events();
            let take = || client.session.handle_input(&packet, at(1)).map(drop);
            let received = with_heap(bytes, take).0;
            match (received, client.events().pop()) {
                (Ok(()), Some(Event::Message(_))) => arrived += 1,
                (Ok(()), Some(Event::Skipped { .. }))
                | (Err(SessionError::OutOfMemory { .. }), _) => missing += 1,
                other => panic!("{bytes}: {other:?}"),
            }
        }
        assert!(missing > 10 && arrived > 10, "{missing}, {arrived}");
    }
}

/// Queuing and sending a message or a request both check the heap, and both succeed later.
#[test]
fn commands_that_find_no_room_are_refused_or_wait() {
    let with_properties = || {
        let user = (0..40).map(|n| (format!("{n}"), "v".repeat(100)));
        let properties = Properties {
            content_type: Some("c".repeat(2_000)),
            correlation_data: Some(vec![7; 2_000]),
            user: user.collect(),
            ..Properties::default()
        };
        Message {
            properties: Some(properties.into()),
            ..Message::new("t", "x").qos(QoS::AtLeastOnce)
        }
    };
    // For a request: the number of filters, and the length of each.
    for kind in [
        None,
        Some((1, 8_000)),
        Some((8, 1_000)),
        Some((9, 1_000)),
        Some((100, 100)),
    ] {
        let (count, length) = kind.unwrap_or_default();
        let filters: Vec<_> = (0..count)
            .map(|n| format!("{n:03}{}", "f".repeat(length - 3)))
            .collect();
        let filters: Vec<_> = filters.iter().map(|f| (&**f, QoS::AtLeastOnce)).collect();
        let whole = kind.map_or(8_000, |_| count.min(8) * length);
        let (mut refused, mut waited, mut sent) = (0, 0, 0);
        for bytes in (0..60_000).step_by(397) {
            let mut client = Client::online(lasting(Version::V5));
            let message = with_properties();
            let command = || match kind {
                None => client.session.publish(message),
                Some(_) => client.session.subscribe(&filters),
            };
            match with_heap(bytes, command).0 {
                Ok(_) => {}
                Err(CommandError::OutOfMemory) => {
                    refused += 1;
                    continue;
                }
                Err(other) => panic!("{other}"),
            }
            // Returned bytes stay in the session until they are consumed.
            let shown = || client.session.transmit(at(1)).is_empty();
            match with_heap(bytes, shown).0 {
                true => {
                    // Nothing signals that there is room: it is retried soon.
                    assert_eq!(client.session.poll_timeout(), Some(at(2)));
                    waited += 1;
                }
                false => sent += 1,
            }
            assert!(client.transmit(at(2)).len() > whole, "{bytes}");
        }
        assert!(
            refused > 3 && waited + sent > 10,
            "{kind:?}: {refused}, {waited}, {sent}"
        );
        // A request is copied when queued, and each of its packets once more when sent. A queued
        // message is sent from where it is.
        assert!(
            !(1..10).contains(&count) || waited > 3,
            "{kind:?}: {waited}"
        );
    }
}

/// Commands that were queued while there was room, and find none when it is their turn.
#[test]
fn what_waits_for_the_heap_is_tried_again_each_second() {
    for command in [true, false] {
        let mut client = Client::online(lasting(Version::V5));
        let properties = Properties {
            content_type: Some("c".repeat(2_000)),
            ..Properties::default()
        };
        let message = Message::new("t", "x").properties(properties);
        match command {
            true => client.session.publish(message),
            false => client
                .session
                .subscribe(&[(&*"f".repeat(2_000), QoS::AtLeastOnce)]),
        }
        .unwrap();
        for second in 1..4 {
            let shown = with_heap(2_000, || client.session.transmit(at(second)).is_empty());
            assert!(shown.0);
            assert_eq!(client.session.poll_timeout(), Some(at(second + 1)));
            // Without a transmission in between, it is not retried again and again.
            client.handle_timeout(at(second + 1)).unwrap();
            assert_eq!(client.session.poll_timeout(), Some(at(60)));
        }
        assert!(client.transmit(at(4)).len() > 2_000);
        assert!(client.session.poll_timeout() >= Some(at(60)));
    }
}

/// Whatever the outbox has room for at that moment, lost subscriptions are renewed on the same
/// connection.
#[test]
fn a_subscription_that_finds_no_room_is_repeated_later() {
    let mut delayed = 0;
    for waiting in 0..40 {
        let mut client = Client::online(Config {
            outbox_messages: 64,
            ..lasting(Version::V5)
        });
        client
            .session
            .subscribe(&[("t", QoS::AtLeastOnce)])
            .expect("room");
        client.transmit(at(1));
        client.receive(&wire::suback(Version::V5, 1, &[1]), at(1));
        client.events();
        client.session.handle_network_lost();
        for _ in 0..waiting {
            let message = Message::new("u", "x").qos(QoS::AtLeastOnce);
            client.session.publish(message).expect("room");
        }
        client.reconnect(at(2), false);
        let is_subscribe = |seen: &Seen| matches!(seen, Seen::Subscribe(..));
        let (sent, _) = with_heap(1_600, || client.transmit(at(2)));
        let at_once = sent.first() == Some(&0x82);
        delayed += usize::from(!at_once);
        let rest = client.sent(at(3));
        assert_eq!(
            rest.iter().filter(|seen| is_subscribe(seen)).count(),
            usize::from(!at_once)
        );
    }
    assert!(delayed > 0 && delayed < 40, "{delayed}");
}

/// Stored messages that do not fit on the heap after a restart keep their identifiers. Finding
/// these takes one or two scans of the storage, even if that fails.
#[cfg(feature = "durable")]
#[test]
fn a_storage_that_was_not_restored_is_seldom_read() {
    let flash = Flash::new(0);
    let config = Config {
        outbox_messages: 64,
        outbox_bytes: 2_000_000,
        ..lasting(Version::V5)
    };
    let message = |payload| Message::new("t", vec![7; payload]).qos(QoS::AtLeastOnce);
    let mut first = Session::with_store(config.clone(), flash.store()).expect("valid");
    for _ in 0..40 {
        first.publish(message(20_000)).expect("room");
    }
    drop(first);
    let all: usize = flash.medium().records.values().map(Vec::len).sum();
    let restore = || Session::with_store(config, flash.store()).expect("valid");
    let (mut second, _) = with_heap(all + 30_000, restore);
    assert_eq!(second.outbox_len(), 0);
    let before = flash.loads();
    second.publish(message(1)).expect("room");
    assert_eq!(flash.messages(), 41);
    assert!(flash.loads() - before <= 2, "{}", flash.loads() - before);
    let (before, failure) = (flash.loads(), StoreError::Failed(-5));
    flash.fail(Some(failure));
    assert_eq!(
        second.publish(message(1)),
        Err(CommandError::NotStored(failure))
    );
    assert_eq!(flash.loads() - before, 1);
    flash.fail(None);
    second.publish(message(1)).expect("room");
    assert_eq!(flash.messages(), 42);
}

/// Whatever the number of its filters, a request needs only the heap for its next packet.
#[test]
fn a_long_request_is_sent_in_parts_that_find_room() {
    let mut client = Client::online(lasting(Version::V5));
    let filters: Vec<_> = (0..100).map(|n| format!("{n:0100}")).collect();
    let filters: Vec<_> = filters.iter().map(|f| (&**f, QoS::AtLeastOnce)).collect();
    client.session.subscribe(&filters).expect("room");
    let (shown, _) = with_heap(5_000, || client.session.transmit(at(1)).len());
    assert!(shown > 800, "{shown}");
}

/// An item that finds no heap delays the items behind it, and nothing else.
#[test]
fn an_item_that_finds_no_room_does_not_hold_back_others() {
    let long = || Properties {
        content_type: Some("c".repeat(4_000)),
        ..Properties::default()
    };
    let filter = "f".repeat(3_000);
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        // Behind a request.
        let mut client = Client::online(lasting(Version::V5));
        let filters = [(&*filter, QoS::AtLeastOnce)];
        client.session.subscribe(&filters).expect("room");
        let short = Message::new("t", "x").qos(qos);
        client.session.publish(short.clone()).expect("room");
        let (sent, _) = with_heap(3_000, || client.transmit(at(1)));
        assert_eq!(sent[0] >> 4, 3, "{sent:?}");
        assert_eq!(client.session.poll_timeout(), Some(at(2)));
        assert!(client.transmit(at(2)).len() > 3_000);

        // Behind a message: nothing of its own kind is sent.
        let mut client = Client::online(lasting(Version::V5));
        let message = Message::new("t", "x").qos(qos).properties(long());
        client.session.publish(message).expect("room");
        client.session.publish(short).expect("room");
        client
            .session
            .subscribe(&[("f", QoS::AtLeastOnce)])
            .expect("room");
        let (sent, _) = with_heap(3_000, || client.transmit(at(1)));
        assert_eq!(sent[0], 0x82, "{sent:?}");
        assert_eq!(sent.len(), 2 + usize::from(sent[1]));
        let rest = client.sent(at(2));
        assert!(matches!(rest[..], [Seen::Publish(_), Seen::Publish(_)]));
    }
}

/// However often renewing subscriptions finds no room, and on however many connections.
#[test]
fn subscriptions_that_find_no_room_are_repeated_once() {
    let mut client = Client::online(lasting(Version::V5));
    for n in 0..24 {
        let filter = format!("{n:0200}");
        let filters = [(&*filter, QoS::AtLeastOnce)];
        client.session.subscribe(&filters).expect("room");
        client.sent(at(1));
        let answer = wire::suback(Version::V5, n + 1, &[1]);
        client.receive(&answer, at(1));
        client.events();
    }
    for round in 1..5 {
        let now = at(10 * round);
        client.session.handle_transport_closed();
        client.reconnect(now, false);
        for second in 0..5 {
            let now = now + at(second);
            let (shown, _) = with_heap(3_700, || client.session.transmit(now).len());
            assert_eq!((shown, client.session.outbox_len()), (0, 0));
            assert_eq!(client.session.poll_timeout(), Some(now + at(1)));
        }
    }
    let sent = client.sent(at(60));
    let mut filters: Vec<_> = sent
        .into_iter()
        .flat_map(|seen| match seen {
            Seen::Subscribe(_, filters) => filters,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(filters.len(), 24);
    filters.dedup();
    assert_eq!(filters.len(), 24);
}

/// A request refused for lack of heap changes nothing: subscriptions are still renewed, and ended
/// only if the application was told so.
#[test]
fn a_request_that_was_refused_leaves_the_subscription_as_it_is() {
    for subscribes in [true, false] {
        for apart in [true, false] {
            let mut refused = 0;
            for waiting in 0..40 {
                for bytes in (100..12_000).step_by(500) {
                    let mut client = Client::online(Config {
                        outbox_messages: 64,
                        ..lasting(Version::V5)
                    });
                    let filters = [("t", QoS::AtLeastOnce)];
                    client.session.subscribe(&filters).expect("room");
                    client.transmit(at(1));
                    client.receive(&wire::suback(Version::V5, 1, &[1]), at(1));
                    client.events();
                    client.session.handle_network_lost();
                    for _ in 0..waiting {
                        let message = Message::new("u", "x");
                        client.session.publish(message).expect("room");
                    }
                    let command = match subscribes {
                        true => Command::subscribe(&filters),
                        false => Command::unsubscribe(&["t"]),
                    };
                    let command = command.expect("a filter");
                    let request = || match (apart, subscribes) {
                        (true, _) => client.session.submit(Token(100), command).is_ok(),
                        (false, true) => client.session.subscribe(&filters).is_ok(),
                        (false, false) => client.session.unsubscribe(&["t"]).is_ok(),
                    };
                    if with_heap(bytes, request).0 {
                        continue;
                    }
                    refused += 1;
                    client.reconnect(at(2), false);
                    let sent = client.sent(at(2));
                    let is_subscribe = |seen: &&Seen| matches!(seen, Seen::Subscribe(..));
                    assert_eq!(sent.iter().filter(is_subscribe).count(), 1);
                }
            }
            assert!(refused > 3, "{refused}");
        }
    }
}
