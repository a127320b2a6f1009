//! What waits, in which order, and what is dropped.

use std::time::Duration;

use thread_mqtt_session::{
    Command, CommandError, Config, Event, Message, Overflow, Priority, Properties, PublishError,
    PublishOptions, QoS, Token, Version,
};

use crate::common::{Client, Seen, VERSIONS, at, lasting, wire};
use crate::{QOS1, online_with};

const QOS0: QoS = QoS::AtMostOnce;

fn offline(overflow: Overflow, outbox_messages: usize) -> Client {
    Client::new(Config {
        overflow,
        outbox_messages,
        ..lasting(Version::V5)
    })
}

fn publish(client: &mut Client, topic: &str, qos: QoS) -> Result<Token, CommandError> {
    client.session.publish(Message::new(topic, "").qos(qos))
}

fn failed(token: Result<Token, CommandError>, error: PublishError) -> Event {
    Event::PublishFailed(token.expect("it was queued"), error)
}

/// Returns the topics that are sent after connecting.
fn sent_topics(client: &mut Client, now: Duration) -> Vec<String> {
    client.session.connect(now);
    client.transmit(now);
    let connack = wire::connack(client.version, false);
    client.receive(&connack, now);
    let topic = |seen| match seen {
        Seen::Publish(publish) => publish.topic,
        other => panic!("{other:?}"),
    };
    client.sent(now).into_iter().map(topic).collect()
}

#[test]
fn qos_0_leaves_a_part_of_the_outbox_to_the_others() {
    let mut client = offline(Overflow::Refuse, 8);
    let mut readings = 0;
    while publish(&mut client, "reading", QOS0).is_ok() {
        readings += 1;
    }
    assert_eq!(readings, 6);
    assert!(publish(&mut client, "alarm", QOS1).is_ok());
    assert!(publish(&mut client, "alarm", QOS1).is_ok());
    assert_eq!(publish(&mut client, "alarm", QOS1), Err(CommandError::Full));
    // The same in bytes; a single large message is allowed nevertheless.
    let mut client = Client::new(Config {
        outbox_bytes: 1_000,
        ..lasting(Version::V311)
    });
    let message = |size| Message::new("t", vec![0; size]);
    assert!(client.session.publish(message(900)).is_ok());
    assert_eq!(client.session.publish(message(10)), Err(CommandError::Full));
    assert!(client.session.publish(message(10).qos(QOS1)).is_ok());
}

#[test]
fn the_oldest_qos_0_message_goes_first() {
    let mut client = offline(Overflow::DropOldestQos0, 3);
    let one = publish(&mut client, "1", QOS0);
    publish(&mut client, "2", QOS1).expect("room");
    let three = publish(&mut client, "3", QOS0);
    publish(&mut client, "4", QOS1).expect("in the place of 1");
    publish(&mut client, "5", QOS1).expect("in the place of 3");
    assert_eq!(publish(&mut client, "6", QOS1), Err(CommandError::Full));
    assert_eq!(publish(&mut client, "7", QOS0), Err(CommandError::Full));
    let displaced = PublishError::Displaced;
    assert_eq!(
        client.events(),
        [failed(one, displaced), failed(three, displaced)]
    );
    assert_eq!(sent_topics(&mut client, at(0)), ["2", "4", "5"]);
}

#[test]
fn the_oldest_message_goes_first() {
    let mut client = offline(Overflow::DropOldest, 3);
    let tokens: Vec<_> = ["1", "2", "3", "4", "5"]
        .map(|topic| publish(&mut client, topic, QOS1))
        .into();
    let displaced = PublishError::Displaced;
    let gone = [failed(tokens[0], displaced), failed(tokens[1], displaced)];
    assert_eq!(client.events(), gone);
    assert_eq!(sent_topics(&mut client, at(0)), ["3", "4", "5"]);
    // Sent messages are never dropped.
    assert_eq!(publish(&mut client, "6", QOS1), Err(CommandError::Full));
}

#[test]
fn as_many_as_it_takes_are_dropped_and_none_in_vain() {
    let mut client = Client::new(Config {
        overflow: Overflow::DropOldest,
        outbox_bytes: 100,
        ..lasting(Version::V311)
    });
    let mut publish = |size: usize, priority| {
        let message = Message::new("t", vec![0; size - 1]).qos(QOS1);
        let options = PublishOptions {
            priority,
            ..PublishOptions::default()
        };
        client.session.publish_with(message, options)
    };
    let first = publish(30, Priority::Normal);
    let second = publish(30, Priority::Normal);
    publish(30, Priority::High).expect("room");
    assert_eq!(publish(80, Priority::Normal), Err(CommandError::Full));
    assert_eq!(
        publish(101, Priority::High),
        Err(CommandError::LargerThanOutbox)
    );
    assert!(publish(60, Priority::Normal).is_ok());
    let displaced = PublishError::Displaced;
    assert_eq!(
        client.events(),
        [failed(first, displaced), failed(second, displaced)]
    );
}

#[test]
fn only_the_latest_of_a_topic_waits() {
    for overflow in [Overflow::LatestPerTopic, Overflow::Refuse] {
        let mut client = offline(overflow, 2);
        let options = PublishOptions {
            latest: overflow == Overflow::Refuse,
            ..PublishOptions::default()
        };
        let mut publish = |topic: &str, payload: &str| {
            let message = Message::new(topic, payload).qos(QOS1);
            client.session.publish_with(message, options)
        };
        let one = publish("a", "1");
        publish("b", "1").expect("room");
        // Full, except for a message that replaces another.
        let two = publish("a", "2");
        publish("a", "3").expect("room");
        assert_eq!(publish("c", "1"), Err(CommandError::Full));
        let superseded = PublishError::Superseded;
        assert_eq!(
            client.events(),
            [failed(one, superseded), failed(two, superseded)]
        );
        assert_eq!(sent_topics(&mut client, at(0)), ["b", "a"]);
        // Sent messages are not replaced.
        client.receive(&wire::puback(1, 0), at(0));
        client.events();
        let again = client
            .session
            .publish_with(Message::new("a", "4").qos(QOS1), options);
        assert!(again.is_ok());
        assert_eq!(client.events(), []);
    }
}

/// A QoS 0 message that was not sent in full waits again as if it had never left.
#[test]
fn what_waits_again_is_replaced_and_expires() {
    let options = PublishOptions {
        latest: true,
        expiry: Some(at(30)),
        ..PublishOptions::default()
    };
    let stalled = || {
        let mut client = Client::online(lasting(Version::V5));
        let one = client.session.publish_with(Message::new("a", "1"), options);
        client.handle_timeout(at(1)).expect("in time");
        assert!(!client.session.transmit(at(1)).is_empty());
        (client, one)
    };
    let two = Message::new("a", "2");

    let (mut client, one) = stalled();
    client.session.handle_network_lost();
    client
        .session
        .publish_with(two.clone(), options)
        .expect("room");
    assert_eq!(client.events(), [failed(one, PublishError::Superseded)]);
    client
        .session
        .publish_with(two.clone(), options)
        .expect("room");
    assert_eq!(client.session.outbox_len(), 1);

    // A newer one is already there.
    let (mut client, one) = stalled();
    client.session.publish_with(two, options).expect("room");
    assert_eq!(client.session.outbox_len(), 2);
    client.session.handle_network_lost();
    assert_eq!(client.events(), [failed(one, PublishError::Superseded)]);
    assert_eq!(client.session.outbox_len(), 1);

    // It expires while it is being sent.
    let (mut client, one) = stalled();
    client.handle_timeout(at(35)).expect("in time");
    assert_eq!(client.events(), []);
    client.session.handle_network_lost();
    assert!(client.session.poll_timeout() <= Some(at(35)));
    client.handle_timeout(at(36)).expect("offline");
    assert_eq!(client.events(), [failed(one, PublishError::Expired)]);
}

#[test]
fn higher_priorities_go_first_and_are_not_dropped_for_lower_ones() {
    let mut client = offline(Overflow::DropOldest, 4);
    let mut publish = |topic: &str, priority, qos| {
        let options = PublishOptions {
            priority,
            ..PublishOptions::default()
        };
        let message = Message::new(topic, "").qos(qos);
        client.session.publish_with(message, options)
    };
    let low = publish("low", Priority::Low, QOS1);
    publish("normal 1", Priority::Normal, QOS0).expect("room");
    publish("high", Priority::High, QOS1).expect("room");
    publish("normal 2", Priority::Normal, QOS1).expect("room");
    publish("normal 3", Priority::Normal, QOS0).expect("in the place of low");
    assert_eq!(publish("low", Priority::Low, QOS1), Err(CommandError::Full));
    assert_eq!(client.events(), [failed(low, PublishError::Displaced)]);
    assert_eq!(
        sent_topics(&mut client, at(0)),
        ["high", "normal 1", "normal 2", "normal 3"]
    );
}

#[test]
fn an_untaken_event_is_never_lost_to_a_drop() {
    let mut client = Client::new(Config {
        overflow: Overflow::DropOldest,
        outbox_messages: 4,
        event_bytes: 500,
        ..lasting(Version::V5)
    });
    let mut queued = 0;
    while publish(&mut client, "t", QOS1).is_ok() {
        queued += 1;
        assert!(queued < 100, "events are bounded");
    }
    let events = client.events().len();
    assert_eq!(queued, events + 4);
    assert!(publish(&mut client, "t", QOS1).is_ok());
}

#[test]
fn expiry_counts_down_while_a_message_waits() {
    for version in VERSIONS {
        let mut client = Client::lasting(version);
        let options = |seconds: u64| PublishOptions {
            expiry: Some(Duration::from_millis(seconds * 1000 - 500)),
            ..PublishOptions::default()
        };
        let short = Message::new("short", "").qos(QOS1);
        let short = client.session.publish_with(short, options(10));
        let long = Message::new("long", "").qos(QOS1);
        client
            .session
            .publish_with(long, options(100))
            .expect("room");
        // The time starts when the session is first told the time.
        client.handle_timeout(at(1_000)).expect("offline");
        assert_eq!(client.session.poll_timeout(), Some(at(1_010)));
        client.handle_timeout(at(1_009)).expect("offline");
        assert_eq!(client.events(), []);
        client.handle_timeout(at(1_010)).expect("offline");
        assert_eq!(client.events(), [failed(short, PublishError::Expired)]);
        assert_eq!(client.session.poll_timeout(), Some(at(1_100)));
        assert_eq!(sent_topics(&mut client, at(1_099)), ["long"]);
        // A sent message is acknowledged or retransmitted, but not dropped.
        client.handle_timeout(at(1_101)).expect("in time");
        assert_eq!(client.session.outbox_len(), 1);
    }
}

/// With the maximum duration there is no second to round up to.
#[test]
fn the_longest_expiry_is_not_the_shortest() {
    let mut client = Client::lasting(Version::V5);
    let options = PublishOptions {
        expiry: Some(Duration::MAX),
        ..PublishOptions::default()
    };
    let message = Message::new("t", "").qos(QOS1);
    let queued = client.session.publish_with(message, options);
    queued.expect("room");
    client.session.handle_timeout(at(1_000)).expect("offline");
    assert_eq!(client.events(), []);
}

#[test]
fn the_broker_is_told_what_is_left() {
    let mut client = Client::lasting(Version::V5);
    let with_expiry = |topic: &str| {
        Message::new(topic, "").qos(QOS1).properties(Properties {
            message_expiry: Some(60),
            ..Properties::default()
        })
    };
    client.session.publish(with_expiry("a")).expect("room");
    let local = PublishOptions {
        expiry: Some(at(30)),
        ..PublishOptions::default()
    };
    let short = client.session.publish_with(with_expiry("b"), local);
    let plain = Message::new("c", "").qos(QOS1);
    client
        .session
        .publish_with(
            plain,
            PublishOptions {
                expiry: Some(at(90)),
                ..local
            },
        )
        .expect("room");
    client.handle_timeout(at(100)).expect("offline");
    client.session.connect(at(140));
    client.transmit(at(140));
    client.receive(&wire::connack(Version::V5, false), at(140));
    assert_eq!(client.events()[0], failed(short, PublishError::Expired));
    let left = |client: &mut Client, now| {
        let mut bytes = &client.transmit(now)[..];
        let mut left = Vec::new();
        while let Ok(Some(packet)) = mqtt_proto::v5::Packet::decode(bytes) {
            bytes = &bytes[packet.encode_len().expect("a length")..];
            if let mqtt_proto::v5::Packet::Publish(publish) = packet {
                left.push(publish.properties.message_expiry_interval);
            }
        }
        left
    };
    // A local expiry alone is not sent to the broker.
    assert_eq!(left(&mut client, at(140)), [Some(20), None]);
    client.session.connect(at(150));
    client.transmit(at(150));
    client.receive(&wire::connack(Version::V5, true), at(150));
    assert_eq!(left(&mut client, at(150)), [Some(10), None]);
    let sent = client.session.transmit(at(150)).len();
    client.session.consume_transmit(sent);
    // Rounded up, but at most what was requested. It starts now, whenever that is.
    client.session.publish(with_expiry("d")).expect("room");
    assert_eq!(client.session.poll_timeout(), Some(Duration::ZERO));
    let now = at(150) + Duration::from_millis(500);
    client.handle_timeout(now).expect("in time");
    assert_ne!(client.session.poll_timeout(), Some(Duration::ZERO));
    assert_eq!(left(&mut client, now), [Some(60)]);
}

/// 72 hours offline with a message a minute: every outcome is reported, and memory stays flat.
#[test]
fn three_days_offline() {
    for overflow in [Overflow::DropOldest, Overflow::LatestPerTopic] {
        let mut client = offline(overflow, 64);
        let mut told = 0;
        let mut most = 0;
        for minute in 0..72 * 60 {
            let topic = format!("sensor/{}", minute % 50);
            publish(&mut client, &topic, QOS1).expect("the policy makes room");
            client.handle_timeout(at(60 * minute)).expect("offline");
            told += client.events().len();
            most = most.max(client.session.outbox_bytes());
        }
        assert_eq!(told + client.session.outbox_len(), 72 * 60);
        assert!(most <= 64 * "sensor/49".len(), "{most}");
    }
}

/// \[MQTT-3.3.4-8\]: "The Client MUST NOT delay the sending of any packets other than PUBLISH
/// packets due to having sent Receive Maximum PUBLISH packets without receiving acknowledgements."
#[test]
fn only_publish_waits_for_the_quota() {
    let mut client = online_with(|p| p.receive_max = Some(1));
    for topic in ["1", "2"] {
        publish(&mut client, topic, QOS1).expect("room");
    }
    client.session.subscribe(&[("s", QOS1)]).expect("room");
    client.session.unsubscribe(&["u"]).expect("room");
    publish(&mut client, "0", QOS0).expect("room");
    let sent = client.sent(at(1));
    assert!(
        matches!(
            &sent[..],
            [Seen::Publish(one), Seen::Subscribe(..), Seen::Unsubscribe(..), Seen::Publish(zero)]
                if one.topic == "1" && zero.topic == "0"
        ),
        "{sent:?}"
    );
}

/// Requests have limits separate from messages: no message is replaced or displaced for them.
#[test]
fn requests_displace_no_message() {
    for overflow in [Overflow::LatestPerTopic, Overflow::DropOldest] {
        let mut client = Client::new(Config {
            outbox_messages: 4,
            overflow,
            ..lasting(Version::V5)
        });
        let message = |topic: &str| Message::new(topic, "").qos(QOS1);
        let queued: Vec<_> = ["a", "b", "c", "d"]
            .map(|topic| client.session.publish(message(topic)).expect("room"))
            .into();
        for filter in ["f", "g", "h"] {
            client.session.subscribe(&[(filter, QOS1)]).expect("room");
        }
        // Checked by another thread, and by the session.
        let command = Command::publish(Version::V5, message("a")).expect("valid");
        assert_eq!(client.session.outbox_room().check(&command), Ok(()));
        let submitted = client.session.submit(Token(99), command);
        submitted.expect("room");
        client.session.publish(message("b")).expect("room");
        let error = match overflow {
            Overflow::DropOldest => PublishError::Displaced,
            _ => PublishError::Superseded,
        };
        let gone = [&queued[0], &queued[1]].map(|token| Event::PublishFailed(*token, error));
        assert_eq!(client.events(), gone);
    }
}
