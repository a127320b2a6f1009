//! What outlives a connection.

use thread_mqtt_session::{Event, Message, Version};

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
                Seen::Publish(Publish::new("t", "", 1, 1).dup()),
                Seen::Pubrel(2, 0),
                Seen::Publish(Publish::new("t", "", 2, 3).dup()),
                Seen::Publish(Publish::new("t", "", 1, 4).dup()),
                Seen::Publish(Publish::new("late", "", 0, 0)),
            ]
        );
        client.receive(&wire::pubcomp(2), at(2));
        assert_eq!(client.session.in_flight(), 3);
    }
}

#[test]
fn without_the_old_session_messages_are_new_and_released_ones_count_as_published() {
    for version in VERSIONS {
        let mut client = Client::online(lasting(version));
        client
            .session
            .publish(Message::new("t", "").qos(QOS1))
            .expect("room");
        let two = client.session.publish(Message::new("t", "").qos(QOS2));
        client.transmit(at(1));
        client.receive(&wire::pubrec(2, 0), at(1));
        client.reconnect(at(2), false);
        assert_eq!(client.events(), [Event::Published(two.expect("room"))]);
        let sent = client.sent(at(2));
        assert_eq!(sent, [Seen::Publish(Publish::new("t", "", 1, 1))]);
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
    // A broker that answers from memory, before the message was repeated.
    client.receive(&wire::pubrec(1, 0), at(2));
    let sent = client.sent(at(2));
    assert_eq!(sent, [Seen::Publish(Publish::new("t", "", 2, 1).dup())]);
    client.receive(&wire::pubrec(1, 0), at(2));
    assert_eq!(client.sent(at(2)), [Seen::Pubrel(1, 0)]);
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
    assert_eq!(client.sent(at(2)).len(), 1);
    for id in 1..3 {
        client.receive(&wire::pubrec(id, 0), at(2));
        client.receive(&wire::pubcomp(id), at(2));
        client.transmit(at(2));
    }
    client.receive(&wire::pubcomp(3), at(2));
    assert!(client.session.is_idle());
}
