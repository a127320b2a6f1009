//! Subscriptions, first and renewed.

use thread_mqtt_session::{Event, Message, QoS, ReasonCode, Version};

use crate::common::{Client, Seen, VERSIONS, at, lasting, wire};
use crate::{QOS1, QOS2, online_with};

#[test]
fn subscribe_and_unsubscribe() {
    for version in VERSIONS {
        let mut client = Client::online(lasting(version));
        let filters = [("a/#", QOS1), ("b", QOS2), ("c", QOS1)];
        let token = client.session.subscribe(&filters).expect("room");
        let names = [("a/#".into(), 1), ("b".into(), 2), ("c".into(), 1)];
        assert_eq!(client.sent(at(1)), [Seen::Subscribe(1, names.to_vec())]);
        client.receive(&wire::suback(version, 1, &[1, 0, 0x80]), at(1));
        let codes = vec![Ok(QOS1), Ok(QoS::AtMostOnce), Err(ReasonCode(0x80))];
        assert_eq!(client.events(), [Event::Subscribed(token, codes)]);
        assert!(client.session.is_idle());

        let token = client.session.unsubscribe(&["a/#", "x"]).expect("room");
        let names = vec!["a/#".into(), "x".into()];
        assert_eq!(client.sent(at(1)), [Seen::Unsubscribe(2, names)]);
        client.receive(&wire::unsuback(version, 2, &[0, 0x11]), at(1));
        let codes = vec![Ok(()), Ok(())];
        assert_eq!(client.events(), [Event::Unsubscribed(token, codes)]);

        // What is left is renewed if the broker lost the session, and only then.
        client.reconnect(at(2), true);
        assert_eq!(client.sent(at(2)), []);
        client.reconnect(at(3), false);
        let sent = client.sent(at(3));
        assert_eq!(sent, [Seen::Subscribe(3, vec![("b".into(), 2)])]);
        // Lost again before it was answered: once more.
        client.reconnect(at(4), false);
        let sent = client.sent(at(4));
        assert_eq!(sent, [Seen::Subscribe(4, vec![("b".into(), 2)])]);
        client.receive(&wire::suback(version, 4, &[2]), at(4));
        assert_eq!(client.events(), []);
        client.reconnect(at(5), false);
        client.transmit(at(5));
        client.receive(&wire::suback(version, 5, &[0x80]), at(5));
        let lost = Event::SubscriptionLost {
            filter: "b".into(),
            reason: ReasonCode(0x80),
        };
        assert_eq!(client.events(), [lost]);
        client.reconnect(at(6), false);
        assert_eq!(client.sent(at(6)), []);
    }
}

#[test]
fn unsubscribing_while_the_subscription_is_under_way() {
    for version in VERSIONS {
        let mut client = Client::online(lasting(version));
        client.session.subscribe(&[("a", QOS1)]).expect("room");
        client.session.unsubscribe(&["a"]).expect("room");
        client.transmit(at(1));
        client.receive(&wire::suback(version, 1, &[1]), at(1));
        client.receive(&wire::unsuback(version, 2, &[0]), at(1));
        client.events();
        client.reconnect(at(2), false);
        assert_eq!(client.sent(at(2)), []);
    }
}

#[test]
fn repeated_subscriptions_come_first_in_order_and_in_packets_of_bounded_size() {
    let mut client = Client::online(lasting(Version::V311));
    let names: Vec<String> = (0..30)
        .map(|n| format!("{n:02}/{}", "x".repeat(97)))
        .collect();
    for name in &names {
        client.session.subscribe(&[(name, QOS1)]).expect("room");
        let sent = client.sent(at(1));
        let [Seen::Subscribe(id, _)] = sent[..] else {
            panic!("{sent:?}");
        };
        client.receive(&wire::suback(Version::V311, id, &[1]), at(1));
    }
    client.events();
    client.session.publish(Message::new("t", "")).expect("room");
    client.reconnect(at(2), false);
    let sent = client.sent(at(2));
    let mut repeated = Vec::new();
    for packet in &sent[..sent.len() - 1] {
        let Seen::Subscribe(_, filters) = packet else {
            panic!("{packet:?}");
        };
        assert!(filters.len() <= 10, "{}", filters.len());
        repeated.extend(filters.iter().map(|(name, _)| name.clone()));
    }
    assert_eq!(repeated, names);
    assert!(matches!(sent.last(), Some(Seen::Publish(_))));
}

#[test]
fn filters_the_broker_announced_not_to_support_are_not_sent() {
    let mut client = online_with(|p| {
        p.wildcard_subscription_available = Some(false);
        p.shared_subscription_available = Some(false);
    });
    let filters = [("a/#", QOS1), ("b", QOS1), ("$share/g/c", QOS1)];
    let mixed = client.session.subscribe(&filters).expect("room");
    let none = client.session.subscribe(&[("+", QOS1)]).expect("room");
    let sent = client.sent(at(1));
    assert_eq!(sent, [Seen::Subscribe(1, vec![("b".into(), 1)])]);
    client.receive(&wire::suback(Version::V5, 1, &[1]), at(1));
    let (wildcard, shared) = (Err(ReasonCode(0xA2)), Err(ReasonCode(0x9E)));
    assert_eq!(
        client.events(),
        [
            Event::Subscribed(none, vec![wildcard]),
            Event::Subscribed(mixed, vec![wildcard, Ok(QOS1), shared]),
        ]
    );
}

#[test]
fn requests_larger_than_the_broker_allows_are_answered_here() {
    let mut client = online_with(|p| p.max_packet_size = Some(20));
    let subscribe = client.session.subscribe(&[("a/long/topic/filter", QOS1)]);
    let unsubscribe = client.session.unsubscribe(&["a/long/topic/filter"]);
    assert_eq!(client.sent(at(1)), []);
    let too_large = ReasonCode::PACKET_TOO_LARGE;
    assert_eq!(
        client.events(),
        [
            Event::Subscribed(subscribe.expect("room"), vec![Err(too_large)]),
            Event::Unsubscribed(unsubscribe.expect("room"), vec![Err(too_large)]),
        ]
    );
}

#[test]
fn a_filter_the_broker_does_not_give_up_is_still_subscribed() {
    let mut client = Client::online(lasting(Version::V5));
    client
        .session
        .subscribe(&[("a", QOS1), ("b", QOS1)])
        .expect("room");
    client.transmit(at(1));
    client.receive(&wire::suback(Version::V5, 1, &[1, 1]), at(1));
    let token = client.session.unsubscribe(&["a", "b"]).expect("room");
    client.transmit(at(1));
    client.receive(&wire::unsuback(Version::V5, 2, &[0x87, 0]), at(1));
    let answers = vec![Err(ReasonCode::NOT_AUTHORIZED), Ok(())];
    assert_eq!(
        client.events().pop(),
        Some(Event::Unsubscribed(token, answers))
    );
    client.reconnect(at(2), false);
    let sent = client.sent(at(2));
    assert!(matches!(&sent[..], [Seen::Subscribe(_, names)] if names == &[("a".into(), 1)]));
}

#[test]
fn a_subscription_renewed_with_a_lower_qos_is_told() {
    for version in VERSIONS {
        let mut client = Client::online(lasting(version));
        client
            .session
            .subscribe(&[("a", QOS2), ("b", QOS2)])
            .expect("room");
        client.transmit(at(1));
        client.receive(&wire::suback(version, 1, &[2, 1]), at(1));
        client.events();
        client.reconnect(at(2), false);
        client.transmit(at(2));
        client.receive(&wire::suback(version, 2, &[1, 1]), at(2));
        let (filter, granted) = ("a".into(), QOS1);
        let lowered = Event::SubscriptionLowered { filter, granted };
        assert_eq!(client.events(), [lowered]);
        // With the QoS that was originally requested.
        client.reconnect(at(3), false);
        let names = [("a".into(), 2), ("b".into(), 2)];
        assert_eq!(client.sent(at(3)), [Seen::Subscribe(3, names.to_vec())]);
    }
}

/// The CONNACK of a new session may be lost; the next one reports that session as present. Retained
/// messages would arrive twice.
#[test]
fn what_the_application_asks_for_itself_is_not_repeated_beside_that() {
    for version in VERSIONS {
        let mut client = Client::online(lasting(version));
        let filters = [("a", QOS1), ("b", QOS1), ("c", QOS1)];
        client.session.subscribe(&filters).unwrap();
        client.sent(at(1));
        client.receive(&wire::suback(version, 1, &[1, 1, 1]), at(1));
        client.session.handle_transport_closed();
        client.session.subscribe(&[("b", QOS2)]).unwrap();
        client.session.subscribe(&[("c", QOS1)]).unwrap();
        client.events();
        client.reconnect(at(2), false);
        let sent = client.sent(at(2));
        let [
            Seen::Subscribe(_, a),
            Seen::Subscribe(b_id, b),
            Seen::Subscribe(c_id, c),
        ] = &sent[..]
        else {
            panic!("{sent:?}");
        };
        assert_eq!(*a, [("a".into(), 1)]);
        assert_eq!(*b, [("b".into(), 2)]);
        assert_eq!(*c, [("c".into(), 1)]);
        // A filter that is refused to the application is no longer subscribed.
        client.receive(&wire::suback(version, *b_id, &[2]), at(2));
        client.receive(&wire::suback(version, *c_id, &[0x80]), at(2));
        client.events();
        client.reconnect(at(3), false);
        let sent = client.sent(at(3));
        let filters = vec![("a".into(), 1), ("b".into(), 2)];
        let [Seen::Subscribe(_, repeated)] = &sent[..] else {
            panic!("{sent:?}");
        };
        assert_eq!(*repeated, filters);
    }
}

/// A broker that refuses another QoS still has the subscription.
#[test]
fn what_is_refused_the_second_time_is_subscribed_as_before() {
    for version in VERSIONS {
        let mut client = Client::online(lasting(version));
        for (id, qos, code) in [(1, QOS1, 1), (2, QOS2, 0x80)] {
            client.session.subscribe(&[("a", qos)]).unwrap();
            client.sent(at(1));
            client.receive(&wire::suback(version, id, &[code]), at(1));
        }
        client.events();
        client.reconnect(at(2), false);
        let sent = client.sent(at(2));
        assert!(matches!(&sent[..], [Seen::Subscribe(_, names)] if names == &[("a".into(), 1)]));
    }
}

#[test]
fn a_lost_connack_does_not_leave_the_client_deaf() {
    for version in VERSIONS {
        let mut client = Client::online(lasting(version));
        client.session.subscribe(&[("a", QOS1)]).expect("room");
        client.transmit(at(1));
        client.receive(&wire::suback(version, 1, &[1]), at(1));
        client.events();
        client.session.connect(at(2));
        client.transmit(at(2));
        client.reconnect(at(3), true);
        let names = vec![("a".into(), 1)];
        assert_eq!(client.sent(at(3)), [Seen::Subscribe(2, names)]);
    }
}
