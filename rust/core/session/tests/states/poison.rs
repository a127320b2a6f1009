//! Packets that end connections, and messages that do not fit.

use thread_mqtt_session::{
    Config, Event, Message, PacketType, PublishError, QoS, ReasonCode, SessionError, SkipReason,
    Version,
};

use crate::common::{Client, Publish, Seen, VERSIONS, at, lasting, wire};
use crate::{QOS1, QOS2};

/// A broker that closes the connection on a message with a certain payload.
struct Closing {
    client: Client,
    present: bool,
    /// Pings are answered, messages are not.
    mute: bool,
    /// The connection is closed on the next PUBREL.
    cut_at_release: bool,
    /// Everything sent at once is read before any of it is answered.
    late: bool,
    /// This PUBREL closes the connection as well.
    poison_release: u16,
    /// Connections so far, and the number of packets sent at once on the last one.
    connections: u32,
    seen: usize,
    /// Identifiers of QoS 2 messages are forgotten with the connection, and a PUBREL for an unknown
    /// one closes it.
    forgets: bool,
}

impl Closing {
    fn new(version: Version) -> Self {
        Closing {
            client: Client::lasting(version),
            present: false,
            mute: false,
            cut_at_release: false,
            late: false,
            poison_release: 0,
            connections: 0,
            seen: 0,
            forgets: false,
        }
    }

    fn publish(&mut self, topic: &str, qos: QoS) -> thread_mqtt_session::Token {
        let message = Message::new(topic, "").qos(qos);
        self.client.session.publish(message).expect("room")
    }

    /// Returns the messages that were given up, from the events so far.
    fn failures(&mut self) -> Vec<Event> {
        let mut events = self.client.events();
        events.retain(|event| matches!(event, Event::PublishFailed(..)));
        events
    }

    /// Runs one connection until the broker closes it (false) or all is quiet. Returns what the
    /// broker took.
    fn connection(&mut self, poison: &str) -> (bool, Vec<String>) {
        let version = self.client.version;
        self.connections += 1;
        self.client.session.connect(at(1));
        self.client.transmit(at(1));
        self.client
            .receive(&wire::connack(version, self.present), at(1));
        self.present = true;
        let mut taken = Vec::new();
        let mut known = Vec::new();
        loop {
            let sent = self.client.sent(at(1));
            if sent.is_empty() {
                return (true, taken);
            }
            self.seen = sent.len();
            let is_poison = |packet: &Seen| match packet {
                Seen::Publish(publish) => publish.topic == poison,
                Seen::Pubrel(id, _) => *id == self.poison_release,
                _ => false,
            };
            if self.late && sent.iter().any(is_poison) {
                self.client.session.handle_transport_closed();
                return (false, taken);
            }
            for packet in sent {
                let answer = match packet {
                    Seen::Publish(publish) if publish.topic == poison => {
                        self.client.session.handle_transport_closed();
                        return (false, taken);
                    }
                    Seen::Publish(_) | Seen::Subscribe(..) if self.mute => {
                        self.client.session.handle_transport_closed();
                        return (false, taken);
                    }
                    Seen::Publish(publish) => {
                        taken.push(publish.topic);
                        match publish.qos {
                            0 => continue,
                            1 => wire::puback(publish.id, 0),
                            _ => {
                                known.push(publish.id);
                                wire::pubrec(publish.id, 0)
                            }
                        }
                    }
                    Seen::Pubrel(id, _)
                        if self.cut_at_release || self.forgets && !known.contains(&id) =>
                    {
                        self.cut_at_release = false;
                        self.client.session.handle_transport_closed();
                        return (false, taken);
                    }
                    Seen::Pubrel(id, _) => wire::pubcomp(id),
                    Seen::Pingreq => wire::PINGRESP.to_vec(),
                    Seen::Subscribe(id, filters) => {
                        if filters.len() > 8 || filters.iter().any(|(name, _)| name == poison) {
                            self.client.session.handle_transport_closed();
                            return (false, taken);
                        }
                        let codes: Vec<u8> = filters.iter().map(|(_, qos)| *qos).collect();
                        taken.extend(filters.into_iter().map(|(name, _)| name));
                        wire::suback(version, id, &codes)
                    }
                    Seen::Unsubscribe(id, filters) => {
                        wire::unsuback(version, id, &vec![0; filters.len()])
                    }
                    other => panic!("{other:?}"),
                };
                self.client.receive(&answer, at(1));
            }
        }
    }
}

#[test]
fn a_message_that_ends_every_connection_is_given_up_and_no_other() {
    for version in VERSIONS {
        for qos in [QOS1, QOS2] {
            let mut broker = Closing::new(version);
            broker.publish("first", QOS1);
            let poison = broker.publish("poison", qos);
            for topic in ["a", "b", "c"] {
                broker.publish(topic, QOS1);
            }
            let mut taken = Vec::new();
            let mut ends = 0;
            loop {
                let (quiet, topics) = broker.connection("poison");
                taken.extend(topics);
                if quiet {
                    break;
                }
                ends += 1;
                // Work continues after it.
                broker.publish("new", QOS1);
                assert!(ends < 20, "never given up");
            }
            // Three times in flight, then twice alone after others were answered.
            assert_eq!(ends, 5);
            for topic in ["first", "a", "b", "c", "new"] {
                assert!(taken.iter().any(|one| one == topic), "{topic}: {taken:?}");
            }
            let given_up = Event::PublishFailed(poison, PublishError::EndsConnection);
            assert_eq!(broker.failures(), [given_up]);
            assert!(broker.client.session.is_idle());
        }
    }
}

/// The broker has a session that is not ours, and PUBREL before the first use of an identifier ends
/// the connection. This costs some connections once, and no message.
#[test]
fn a_release_of_an_identifier_that_the_broker_does_not_know_costs_no_message() {
    for version in VERSIONS {
        let mut broker = Closing::new(version);
        broker.client = Client::new(Config {
            adopt_session: true,
            ..lasting(version)
        });
        (broker.present, broker.forgets) = (true, true);
        let topics = ["a", "b", "c", "d"];
        for topic in topics {
            broker.publish(topic, QOS2);
        }
        // Three that may have ended by chance, and two with PUBREL alone, after PINGRESP.
        for _ in 0..5 {
            let (quiet, taken) = broker.connection("none");
            assert!(!quiet && taken.is_empty(), "{taken:?}");
        }
        assert_eq!(
            broker.connection("none"),
            (true, topics.map(Into::into).into())
        );
        assert_eq!(broker.failures(), []);
        assert!(broker.client.session.is_idle());
    }
}

/// A QoS 1 message at fault says nothing about what the broker remembers of QoS 2.
#[test]
fn a_poison_of_qos_1_leaves_the_release_that_goes_first() {
    for version in VERSIONS {
        let mut broker = Closing::new(version);
        broker.client = Client::new(Config {
            adopt_session: true,
            ..lasting(version)
        });
        broker.present = true;
        let poison = broker.publish("poison", QOS1);
        for _ in 0..7 {
            assert_eq!(broker.failures(), []);
            broker.connection("poison");
        }
        let given_up = Event::PublishFailed(poison, PublishError::EndsConnection);
        assert_eq!(broker.failures(), [given_up]);
        broker.publish("next", QOS2);
        broker.client.reconnect(at(9), true);
        let sent = broker.client.sent(at(9));
        assert!(matches!(sent[..], [Seen::Pubrel(..)]), "{sent:?}");
    }
}

/// As with rumqttd 0.20: what was released on an earlier connection ends each later one.
#[test]
fn a_release_that_ends_every_connection_does_not_keep_back_the_others() {
    for version in VERSIONS {
        let mut broker = Closing::new(version);
        broker.forgets = true;
        broker.cut_at_release = true;
        let released = ["r", "s"].map(|topic| broker.publish(topic, QOS2));
        assert!(!broker.connection("none").0);
        for topic in ["a", "b"] {
            broker.publish(topic, QOS2);
        }
        let mut taken = Vec::new();
        let mut ends = 0;
        loop {
            let (quiet, topics) = broker.connection("none");
            taken.extend(topics);
            if quiet {
                break;
            }
            ends += 1;
            assert!(ends < 30, "never given up");
        }
        for topic in ["a", "b"] {
            assert!(taken.iter().any(|one| one == topic), "{topic}: {taken:?}");
        }
        let given_up =
            released.map(|token| Event::PublishFailed(token, PublishError::EndsConnection));
        assert_eq!(broker.failures(), given_up);
        assert!(broker.client.session.is_idle());
    }
}

/// Whatever its position among the messages that are sent at once.
#[test]
fn a_broker_that_answers_late_keeps_no_message_back() {
    for version in VERSIONS {
        for place in 0..16 {
            let mut broker = Closing::new(version);
            broker.late = true;
            let topics: Vec<_> = (0..16).map(|n| format!("t{n}")).collect();
            let tokens: Vec<_> = topics
                .iter()
                .map(|topic| broker.publish(topic, QOS1))
                .collect();
            let mut taken = Vec::new();
            let failures = loop {
                // Making each of the others a suspect first would take three times as many.
                assert!(broker.connections < 16, "{place}");
                taken.extend(broker.connection(&topics[place]).1);
                let failures = broker.failures();
                if !failures.is_empty() {
                    break failures;
                }
            };
            let guilty = PublishError::EndsConnection;
            assert_eq!(failures, [Event::PublishFailed(tokens[place], guilty)]);
            taken.sort();
            let mut others = topics.clone();
            others.remove(place);
            others.sort();
            assert_eq!(taken, others, "{place}");
        }
    }
}

/// The same for PUBRELs, all begun on an earlier connection.
#[test]
fn a_broker_that_answers_late_keeps_no_release_back() {
    for version in VERSIONS {
        for place in 0..8 {
            let mut broker = Closing::new(version);
            broker.late = true;
            let tokens: Vec<_> = (0..8).map(|_| broker.publish("t", QOS2)).collect();
            broker.poison_release = place + 1;
            let mut events = Vec::new();
            while broker.client.session.outbox_len() > 0 {
                assert!(broker.connections < 16, "{place}");
                broker.connection("none");
                events.extend(broker.client.events());
            }
            for (token, number) in tokens.into_iter().zip(0..) {
                let ended = match number == place {
                    true => Event::PublishFailed(token, PublishError::EndsConnection),
                    false => Event::Published(token),
                };
                assert!(events.contains(&ended), "{place}: {ended:?} in {events:?}");
            }
        }
    }
}

/// One cut does not reduce the number in flight, and a reduced number grows again with the answers.
#[test]
fn the_window_widens_again() {
    let mut broker = Closing::new(Version::V5);
    broker.client = Client::new(Config {
        outbox_messages: 64,
        ..lasting(Version::V5)
    });
    broker.mute = true;
    for n in 0..40 {
        broker.publish(&format!("t{n}"), QOS1);
    }
    let mut at_once = Vec::new();
    for _ in 0..4 {
        broker.connection("");
        at_once.push(broker.seen);
    }
    assert_eq!(at_once, [16, 16, 8, 4]);
    broker.mute = false;
    assert!(broker.connection("").0);
    assert_eq!(broker.client.session.outbox_len(), 0);
    for n in 0..20 {
        broker.publish(&format!("t{n}"), QOS1);
    }
    assert_eq!(broker.client.sent(at(1)).len(), 16);
}

#[test]
fn a_message_on_its_own_is_judged_more_slowly() {
    let mut broker = Closing::new(Version::V5);
    broker.publish("poison", QOS1);
    let mut ends = 0;
    while !broker.connection("poison").0 {
        ends += 1;
    }
    assert_eq!(ends, 3 + 4);
}

/// A broker that restarts before it answers anything proves nothing against a message, however
/// often.
#[test]
fn a_restarting_broker_makes_no_message_guilty() {
    for version in VERSIONS {
        let mut broker = Closing::new(version);
        for topic in ["a", "b", "c"] {
            broker.publish(topic, QOS2);
        }
        for _ in 0..50 {
            // It stops before it has answered anything.
            broker.client.session.connect(at(1));
            broker.client.transmit(at(1));
            let connack = wire::connack(version, broker.present);
            broker.present = true;
            broker.client.receive(&connack, at(1));
            broker.client.transmit(at(1));
            broker.client.session.handle_transport_closed();
        }
        let failed = |event: &Event| matches!(event, Event::PublishFailed(..));
        assert!(!broker.client.events().iter().any(failed));
        let (quiet, mut taken) = broker.connection("none");
        assert!(quiet);
        taken.sort();
        assert_eq!(taken, ["a", "b", "c"]);
        let published = |event: &Event| matches!(event, Event::Published(_));
        let events = broker.client.events();
        assert_eq!(events.iter().filter(|event| published(event)).count(), 3);
    }
}

/// A connection ended by this side or by the network is not evidence.
#[test]
fn a_lost_network_makes_no_suspects() {
    let mut client = Client::online(lasting(Version::V5));
    for topic in ["a", "b"] {
        let message = Message::new(topic, "").qos(QOS1);
        client.session.publish(message).expect("room");
    }
    for now in 1..10 {
        client.transmit(at(now));
        client.session.handle_network_lost();
        client.reconnect(at(now), true);
        let sent = client.sent(at(now));
        let again = |topic, id| Seen::Publish(Publish::new(topic, "", 1, id).dup());
        assert_eq!(sent, [again("a", 1), again("b", 2)]);
    }
}

#[test]
fn a_large_message_that_is_never_sent_in_full_is_given_up() {
    for qos in [QoS::AtMostOnce, QOS1] {
        let mut client = Client::lasting(Version::V311);
        let message = Message::new("large", vec![0; 3_000]).qos(qos);
        let large = client.session.publish(message).expect("room");
        client
            .session
            .publish(Message::new("small", "").qos(QOS1))
            .expect("room");
        let mut events = Vec::new();
        let mut ends = 0;
        while client.session.outbox_len() > 0 {
            client.reconnect(at(1), ends > 0);
            while client.session.outbox_len() > 0 {
                let bytes = client.session.transmit(at(1)).to_vec();
                client.session.consume_transmit(bytes.len().min(700));
                if bytes.is_empty() {
                    break;
                }
                // The broker reads the header and closes the connection; or it answers.
                if bytes.starts_with(&[0x30 | (qos as u8) << 1])
                    || bytes.starts_with(&[0x38 | (qos as u8) << 1])
                {
                    break;
                }
                if bytes[0] & 0xF0 == 0x30 {
                    let id = u16::from_be_bytes([bytes[9], bytes[10]]);
                    client.receive(&wire::puback(id, 0), at(1));
                } else if bytes == [0xC0, 0] {
                    client.receive(&wire::PINGRESP, at(1));
                }
            }
            client.session.handle_transport_closed();
            ends += 1;
            assert!(ends < 20);
            events.extend(client.events());
        }
        let given_up = Event::PublishFailed(large, PublishError::EndsConnection);
        assert!(events.contains(&given_up), "{events:?}");
    }
}

/// At most eight in a packet, even if the application requests more, and the answers in its order.
#[test]
fn more_filters_than_a_packet_takes() {
    for version in VERSIONS {
        let mut broker = Closing::new(version);
        let names: Vec<String> = (0..20).map(|n| format!("f{n:02}")).collect();
        let filters: Vec<(&str, QoS)> = names.iter().map(|name| (name.as_str(), QOS1)).collect();
        let token = broker.client.session.subscribe(&filters).expect("room");
        let (quiet, taken) = broker.connection("none");
        assert!(quiet);
        assert_eq!(taken, names);
        let answered = Event::Subscribed(token, vec![Ok(QOS1); 20]);
        assert_eq!(broker.client.events().pop(), Some(answered));
        // Renewed the same way.
        broker.present = false;
        assert_eq!(broker.connection("none"), (true, names));
    }
}

/// It would be sent after UNSUBSCRIBE, because it waits behind all others.
#[test]
fn a_suspected_subscription_is_not_repeated_once_it_is_given_up() {
    for version in VERSIONS {
        let mut broker = Closing::new(version);
        broker
            .client
            .session
            .subscribe(&[("f", QOS1)])
            .expect("room");
        assert!(broker.connection("none").0);
        broker.present = false;
        for _ in 0..3 {
            assert!(!broker.connection("f").0);
            broker.present = false;
        }
        broker.client.session.unsubscribe(&["f"]).expect("room");
        for _ in 0..2 {
            assert_eq!(broker.connection("none"), (true, vec![]));
            broker.present = false;
        }
        assert!(broker.client.session.is_idle());
    }
}

#[test]
fn a_filter_that_ends_the_connection_is_found() {
    for version in VERSIONS {
        let mut broker = Closing::new(version);
        let names: Vec<String> = (0..12).map(|n| format!("f{n:02}")).collect();
        let filters: Vec<(&str, QoS)> = names.iter().map(|name| (name.as_str(), QOS1)).collect();
        let token = broker.client.session.subscribe(&filters).expect("room");
        broker.publish("message", QOS1);
        let mut taken = Vec::new();
        for ends in 0.. {
            let (quiet, topics) = broker.connection("f05");
            taken.extend(topics);
            if quiet {
                break;
            }
            assert!(ends < 30, "never given up");
        }
        let mut answers = vec![Ok(QOS1); 12];
        answers[5] = Err(ReasonCode::UNSPECIFIED);
        assert!(
            broker
                .client
                .events()
                .contains(&Event::Subscribed(token, answers))
        );
        assert!(taken.contains(&"message".into()));
        // The same for an old subscription that the broker no longer tolerates.
        broker.present = false;
        for ends in 0.. {
            let (quiet, _) = broker.connection("f03");
            if quiet {
                break;
            }
            assert!(ends < 30, "never given up");
        }
        let lost = Event::SubscriptionLost {
            filter: "f03".into(),
            reason: ReasonCode::UNSPECIFIED,
        };
        assert!(broker.client.events().contains(&lost));
        broker.present = false;
        let (quiet, taken) = broker.connection("none");
        assert!(quiet);
        assert_eq!(taken.len(), 10);
    }
}

#[test]
fn a_message_above_the_limit_is_skipped_and_acknowledged() {
    for (qos, first) in [
        (0, None),
        (1, Some(Seen::Puback(9))),
        (2, Some(Seen::Pubrec(9))),
    ] {
        let mut client = Client::online(Config {
            max_packet_size: 100,
            ..lasting(Version::V311)
        });
        let id = if qos == 0 { 0 } else { 9 };
        let large = wire::publish(Version::V311, &Publish::new("big", [7; 5_000], qos, id));
        let small = wire::publish(Version::V311, &Publish::new("good", "x", 1, 10));
        client.receive(&[large.clone(), small].concat(), at(1));
        // Nothing is acknowledged before the application knows.
        assert_eq!(client.sent(at(1)), []);
        let events = client.events();
        assert_eq!(
            events[0],
            Event::Skipped {
                topic: "big".into(),
                size: large.len() as u32,
                qos: crate::common::qos(qos),
                reason: SkipReason::TooLarge,
            }
        );
        assert!(matches!(&events[1], Event::Message(message) if message.topic == "good"));
        let expected: Vec<Seen> = first.into_iter().chain([Seen::Puback(10)]).collect();
        assert_eq!(client.sent(at(1)), expected);
        if qos == 2 {
            client.receive(&wire::pubrel(9), at(1));
            assert_eq!(client.sent(at(1)), [Seen::Pubcomp(9, 0)]);
        }
    }
}

/// MQTT 5 section 3.1.2.11.4 requires the connection to end. A broker that repeats this must not
/// keep a device out of service.
#[test]
fn an_mqtt_5_broker_that_ignores_the_limit_is_told_once() {
    let mut client = Client::online(Config {
        max_packet_size: 100,
        ..lasting(Version::V5)
    });
    let large = wire::publish(Version::V5, &Publish::new("big", [7; 500], 1, 9));
    let error = SessionError::PacketTooLarge {
        size: large.len() as u32,
        limit: 100,
    };
    client.fails(&large, error);
    assert_eq!(client.sent(at(1)), [Seen::Disconnect(0x95)]);
    client.reconnect(at(2), true);
    client.receive(&large, at(2));
    assert!(matches!(client.events()[..], [Event::Skipped { .. }]));
    // PUBACK with "quota exceeded".
    assert_eq!(client.transmit(at(2)), [0x40, 3, 0, 9, 0x97]);
    // Only messages can be skipped.
    client.fails(
        &[0x90, 0xE8, 0x07],
        SessionError::PacketTooLarge {
            size: 1_003,
            limit: 100,
        },
    );
}

/// As RabbitMQ answers.
#[test]
fn puback_to_a_qos_2_message() {
    for version in VERSIONS {
        for accept_lower_qos in [true, false] {
            let mut client = Client::online(Config {
                accept_lower_qos,
                ..lasting(version)
            });
            let message = Message::new("t", "").qos(QOS2);
            let token = client.session.publish(message).expect("room");
            client.transmit(at(1));
            client.receive(&wire::puback(1, 0), at(1));
            let maximum = QOS1;
            let lower = PublishError::QosNotSupported { maximum };
            let expected = match accept_lower_qos {
                true => vec![Event::QosLowered(token), Event::Published(token)],
                false => vec![Event::PublishFailed(token, lower)],
            };
            assert_eq!(client.events(), expected);
            assert!(client.session.is_connected() && client.session.is_idle());
        }
    }
}

/// Incoming packets are not evidence against outgoing ones, however often they end the connection.
#[test]
fn a_malformed_message_makes_no_suspect() {
    // Topic "+".
    let malformed = [0x32, 6, 0, 1, b'+', 0, 9, 0];
    for version in VERSIONS {
        let mut client = Client::online(lasting(version));
        let token = client.session.publish(Message::new("t", "x").qos(QOS1));
        for second in 1..20 {
            let mut publish = Publish::new("t", "x", 1, 1);
            publish.dup = second > 1;
            // At once, which would not be so for a suspect.
            assert_eq!(client.sent(at(second)), [Seen::Publish(publish)]);
            let ended = client.session.handle_input(&malformed, at(second));
            let packet = PacketType::PUBLISH;
            assert!(
                matches!(ended, Err(SessionError::Malformed { packet: of, .. }) if of == packet)
            );
            assert!(ended.is_err_and(SessionError::comes_again));
            client.transmit(at(second));
            client.session.handle_transport_closed();
            client.reconnect(at(second), true);
        }
        client.transmit(at(20));
        client.receive(&wire::puback(1, 0), at(20));
        assert_eq!(client.events(), [Event::Published(token.expect("room"))]);
    }
}
