//! Answers that do not arrive, or have arrived and were not read.

use thread_mqtt_session::{
    Config, Event, Message, PacketType, PublishError, ReasonCode, SessionError, Version,
};

use crate::common::{Client, Publish, Seen, VERSIONS, at, lasting, wire};
use crate::{QOS1, QOS2};

#[test]
fn answers_that_never_come_while_pings_are_answered() {
    for version in VERSIONS {
        let subscribe = |client: &mut Client| {
            client.session.subscribe(&[("a", QOS1)]).expect("room");
        };
        let unsubscribe = |client: &mut Client| {
            client.session.unsubscribe(&["a"]).expect("room");
        };
        let one = |client: &mut Client| {
            client
                .session
                .publish(Message::new("t", "").qos(QOS1))
                .expect("room");
        };
        let two = |client: &mut Client| {
            client
                .session
                .publish(Message::new("t", "").qos(QOS2))
                .expect("room");
        };
        type Command<'a> = (u8, &'a dyn Fn(&mut Client));
        let commands: [Command<'_>; 5] = [
            (4, &one),
            (5, &two),
            (7, &two),
            (9, &subscribe),
            (11, &unsubscribe),
        ];
        for (number, command) in commands {
            let mut client = Client::online(lasting(version));
            command(&mut client);
            client.transmit(at(1));
            let mut since = 1;
            if number == 7 {
                client.receive(&wire::pubrec(1, 0), at(20));
                client.transmit(at(20));
                since = 20;
            }
            for now in [60, 90, 120] {
                client.handle_timeout(at(now)).expect("in time");
                client.transmit(at(now));
                client.receive(&wire::PINGRESP, at(now));
            }
            let due = at(since + 120);
            assert!(
                client
                    .session
                    .poll_timeout()
                    .is_some_and(|next| next <= due)
            );
            let missing = PacketType::new(number);
            let error = SessionError::AckTimeout { missing };
            assert_eq!(client.handle_timeout(due), Err(error));
            client.reconnect(at(200), true);
            assert_eq!(client.sent(at(200)).len(), 1, "it is sent again");
        }
    }
}

/// Untaken events may delay the answer, or the owner was away and has not read it: the connection
/// is not ended yet. Without an answer, it ends eventually.
#[test]
fn an_answer_that_may_be_unread_is_not_missing() {
    for version in VERSIONS {
        for (is_away, answered) in [(false, true), (false, false), (true, true), (true, false)] {
            let mut client = Client::online(Config {
                keep_alive: at(3_600),
                event_bytes: 600,
                ..lasting(version)
            });
            let token = client.session.publish(Message::new("u", "x").qos(QOS1));
            client.transmit(at(1));
            let message = wire::publish(version, &Publish::new("t", [0; 200], 0, 0));
            let mut unread = message.repeat(10);
            if !is_away {
                let taken = client.session.handle_input(&unread, at(2)).expect("valid");
                assert!(taken < unread.len());
                unread.drain(..taken);
                for second in 3..130 {
                    client.handle_timeout(at(second)).expect("it stands");
                }
                client.events();
            }
            // It continues reading, and checks the time before it has read everything.
            for _ in 0..10 {
                let taken = client
                    .session
                    .handle_input(&unread, at(130))
                    .expect("valid");
                unread.drain(..taken);
                let due = client.session.poll_timeout();
                if due.is_some_and(|due| due <= at(130)) {
                    client.handle_timeout(at(130)).expect("it stands");
                }
                client.events();
            }
            assert!(unread.is_empty());
            let due = client.session.poll_timeout().expect("a time");
            assert!(due > at(130) && due <= at(250), "{due:?}");
            if answered {
                client.receive(&wire::puback(1, 0), at(131));
                assert_eq!(client.events(), [Event::Published(token.expect("room"))]);
            } else {
                let missing = PacketType::new(4);
                let ended = client.handle_timeout(due);
                assert_eq!(ended, Err(SessionError::AckTimeout { missing }));
            }
        }
    }
}

/// A caller that always passes the time late waits twice as long for the answer, not forever.
#[test]
fn a_clock_that_is_always_late_finds_an_answer_missing() {
    let mut client = Client::online(Config {
        keep_alive: at(0),
        ..lasting(Version::V5)
    });
    let message = Message::new("u", "x").qos(QOS1);
    client.session.publish(message).expect("room");
    client.transmit(at(1));
    for (due, ends) in [(at(121), false), (at(246), true)] {
        assert_eq!(client.session.poll_timeout(), Some(due));
        let ended = client.handle_timeout(due + at(5));
        assert_eq!(ended.is_err(), ends);
    }
}

/// Runs a connection whose broker answers neither this PUBLISH or PUBREL nor requests, until the
/// client ends it. Returns what was taken.
fn until_it_waits_no_longer(client: &mut Client, start: u64, never: (&str, u16)) -> Vec<String> {
    let mut taken = Vec::new();
    client.reconnect(at(start), true);
    for now in start..start + 400 {
        if client
            .session
            .poll_timeout()
            .is_some_and(|due| due <= at(now))
        {
            let due = client.handle_timeout(at(now));
            assert!(
                client
                    .session
                    .poll_timeout()
                    .is_none_or(|due| due > at(now)),
                "it waits for nothing"
            );
            if due.is_err() {
                assert!(
                    matches!(due, Err(SessionError::AckTimeout { .. })),
                    "{due:?}"
                );
                client.session.handle_transport_closed();
                return taken;
            }
        }
        for packet in client.sent(at(now)) {
            let answer = match packet {
                Seen::Publish(publish) if publish.topic == never.0 => continue,
                Seen::Pubrel(id, _) if id == never.1 => continue,
                Seen::Publish(publish) => {
                    taken.push(publish.topic);
                    match publish.qos {
                        1 => wire::puback(publish.id, 0),
                        _ => wire::pubrec(publish.id, 0),
                    }
                }
                Seen::Pubrel(id, _) => wire::pubcomp(id),
                Seen::Subscribe(..) | Seen::Unsubscribe(..) => continue,
                Seen::Pingreq => wire::PINGRESP.to_vec(),
                other => panic!("{other:?}"),
            };
            client.receive(&answer, at(now));
        }
        if client.session.is_idle() {
            return taken;
        }
    }
    panic!("the connection did not end");
}

/// What the broker never answers is given up after everything else is done: after seven connections
/// if nothing but pings was answered, after five if other messages were answered before it.
/// Nothing waits for it longer than for the answer to a ping.
#[test]
fn what_is_never_answered_is_given_up() {
    for version in VERSIONS {
        for qos in [QOS1, QOS2] {
            let never = ("silent", 0);
            for others in [false, true] {
                let mut client = Client::online(lasting(version));
                let publish = |client: &mut Client, topic: &str, qos| {
                    client
                        .session
                        .publish(Message::new(topic, "").qos(qos))
                        .expect("room")
                };
                let silent = publish(&mut client, "silent", qos);
                let (mut count, mut events) = (0, Vec::new());
                while !events
                    .iter()
                    .any(|event| matches!(event, Event::PublishFailed(..)))
                {
                    let new = format!("new {count}");
                    if others {
                        publish(&mut client, &new, QOS1);
                    }
                    let taken = until_it_waits_no_longer(&mut client, 1_000 * (count + 1), never);
                    assert_eq!(taken.contains(&new), others, "{taken:?}");
                    events.extend(client.events());
                    count += 1;
                    assert!(count < 20, "never given up");
                }
                assert_eq!(
                    count,
                    if others { 5 } else { 7 },
                    "{version:?} {qos:?} {never:?} {others}"
                );
                let given_up = Event::PublishFailed(silent, PublishError::EndsConnection);
                events.retain(|event| matches!(event, Event::PublishFailed(..)));
                assert_eq!(events, [given_up]);
            }
        }
    }
}

/// A PUBREL that was read, because PINGRESP followed it, but is not answered on a second connection
/// either, has released the message: some brokers do not answer one that they have already
/// answered.
#[test]
fn a_repeated_release_that_is_never_answered_ends_the_message_all_the_same() {
    for version in VERSIONS {
        for others in [false, true] {
            let mut client = Client::online(lasting(version));
            let message = |topic: &str| Message::new(topic, "").qos(QOS2);
            let token = client.session.publish(message("t")).expect("room");
            let never = ("none", 1);
            let taken = until_it_waits_no_longer(&mut client, 1_000, never);
            assert_eq!(taken, ["t"]);
            assert_eq!(client.events(), []);
            if others {
                client.session.publish(message("other")).expect("room");
            }
            let taken = until_it_waits_no_longer(&mut client, 2_000, never);
            assert_eq!(taken.len(), usize::from(others));
            let events = client.events();
            assert!(events.contains(&Event::Published(token)), "{events:?}");
            assert!(client.session.is_idle());
        }
    }
}

/// The same for requests, by then with one filter each: answered with a failure code.
#[test]
fn a_request_that_is_never_answered_is_given_up() {
    for version in VERSIONS {
        for subscribes in [true, false] {
            let mut client = Client::online(lasting(version));
            let unspecified = ReasonCode::UNSPECIFIED;
            let answered = if subscribes {
                let token = client.session.subscribe(&[("a", QOS1)]).expect("room");
                Event::Subscribed(token, vec![Err(unspecified)])
            } else {
                let token = client.session.unsubscribe(&["a"]).expect("room");
                Event::Unsubscribed(token, vec![Err(unspecified)])
            };
            for count in 1..=7 {
                assert_eq!(client.events(), [], "after {count} connections");
                until_it_waits_no_longer(&mut client, 1_000 * count, ("none", 0));
            }
            assert_eq!(client.events(), [answered]);
        }
    }
}

/// While a ping is unanswered, another one after PUBREL would show nothing: it is sent after that
/// one's answer.
#[test]
fn a_ping_behind_a_pubrel_waits_for_the_one_before() {
    for version in VERSIONS {
        let mut client = Client::new(Config {
            adopt_session: true,
            keep_alive: at(10),
            ..lasting(version)
        });
        client.reconnect(at(0), true);
        client.handle_timeout(at(10)).expect("alive");
        assert_eq!(client.sent(at(10)), [Seen::Pingreq]);
        let message = Message::new("t", "").qos(QOS2);
        client.session.publish(message).expect("room");
        assert_eq!(client.sent(at(11)), [Seen::Pubrel(1, 0)]);
        client.handle_timeout(at(13)).expect("alive");
        assert_eq!(client.sent(at(13)), []);
        client.receive(&wire::PINGRESP, at(14));
        assert_eq!(client.session.poll_timeout(), Some(at(13)));
        client.handle_timeout(at(14)).expect("alive");
        assert_eq!(client.sent(at(14)), [Seen::Pingreq]);
        client.receive(&wire::PINGRESP, at(15));
        let sent = client.sent(at(15));
        assert!(matches!(sent[..], [Seen::Publish(_)]), "{sent:?}");
    }
}

#[test]
fn no_ping_goes_behind_a_pubrel_while_leaving() {
    for version in VERSIONS {
        let mut client = Client::new(Config {
            adopt_session: true,
            ..lasting(version)
        });
        client.reconnect(at(0), true);
        let message = Message::new("t", "").qos(QOS2);
        client.session.publish(message).expect("room");
        assert_eq!(client.sent(at(1)), [Seen::Pubrel(1, 0)]);
        client.session.disconnect();
        client.handle_timeout(at(3)).expect("alive");
        assert_eq!(client.sent(at(3)), [Seen::Disconnect(0)]);
    }
}
