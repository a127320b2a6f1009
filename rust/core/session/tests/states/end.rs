//! How connections end, cleanly and otherwise.

use mqtt_proto::v5::DisconnectReasonCode;
use thread_mqtt_session::{Config, Message, QoS, ReasonCode, SessionError, Token, Version};

use crate::common::{Client, Seen, VERSIONS, at, lasting, wire};
use crate::{QOS1, QOS2};

#[test]
fn disconnect_follows_what_can_be_sent() {
    for version in VERSIONS {
        let mut client = Client::online(Config {
            receive_maximum: 1,
            ..lasting(version)
        });
        assert!(!client.session.is_disconnected());
        for level in [QoS::AtMostOnce, QOS1, QOS1] {
            let message = Message::new("t", vec![1; 600]).qos(level);
            client.session.publish(message).expect("room");
        }
        client.session.disconnect();
        assert!(!client.session.is_disconnected());
        let sent = client.sent(at(1));
        assert!(
            matches!(
                &sent[..],
                [Seen::Publish(zero), Seen::Publish(one), Seen::Disconnect(0)]
                    if zero.qos == 0 && one.qos == 1
            ),
            "{sent:?}"
        );
        assert!(client.session.is_disconnected());
        assert!(!client.session.is_connected());
        assert_eq!(client.session.poll_timeout(), None);
        assert_eq!(client.session.outbox_len(), 2);
        assert_eq!(client.events().len(), 1);
        client.session.handle_transport_closed();
        client.reconnect(at(2), true);
        assert_eq!(client.session.outbox_len(), 2);
    }
}

#[test]
fn disconnect_before_connack_and_without_a_connection() {
    let mut client = Client::lasting(Version::V5);
    client.session.disconnect();
    assert!(client.session.is_disconnected());
    client.session.connect(at(0));
    client.session.publish(Message::new("t", "")).expect("room");
    client.session.disconnect();
    let sent = client.sent(at(0));
    assert!(
        matches!(sent[..], [Seen::Connect { .. }, Seen::Disconnect(0)]),
        "{sent:?}"
    );
    assert!(client.session.is_disconnected());
}

#[test]
fn the_broker_disconnects() {
    let mut client = Client::online(lasting(Version::V5));
    let packet = wire::disconnect(DisconnectReasonCode::SessionTakenOver, "see device 2");
    // Success is no reason to close a connection.
    let silent = SessionError::ServerDisconnected(ReasonCode::SUCCESS).to_string();
    assert!(silent.contains("gives no reason"), "{silent}");
    assert!(!silent.contains("success"), "{silent}");
    let error = SessionError::ServerDisconnected(ReasonCode(0x8E));
    client.fails(&packet, error);
    assert_eq!(client.session.broker_reason(), Some("see device 2"));
    assert!(error.to_string().contains("took over"));
    assert!(client.transmit(at(1)).is_empty());
    // 3.1.1 knows no such packet.
    let mut client = Client::online(lasting(Version::V311));
    client.fails(&[0xE0, 0], SessionError::UnexpectedPacket);
}

#[test]
fn packets_that_have_no_place() {
    for version in VERSIONS {
        let online = || {
            let mut client = Client::online(lasting(version));
            client
                .session
                .publish(Message::new("t", "").qos(QOS1))
                .expect("room");
            client
                .session
                .publish(Message::new("t", "").qos(QOS2))
                .expect("room");
            client.session.subscribe(&[("t", QOS1)]).expect("room");
            client.transmit(at(1));
            client
        };
        let unknown = SessionError::UnknownPacketId(9);
        online().fails(&wire::puback(9, 0), unknown);
        online().fails(&wire::suback(version, 9, &[0]), unknown);
        online().fails(&wire::unsuback(version, 9, &[0]), unknown);
        let unexpected = SessionError::UnexpectedPacket;
        online().fails(&wire::pubrec(1, 0), unexpected);
        online().fails(&wire::puback(2, 0), unexpected);
        online().fails(&wire::pubcomp(2), unexpected);
        online().fails(&wire::suback(version, 1, &[0]), unexpected);
        online().fails(&wire::unsuback(version, 3, &[0]), unexpected);
        online().fails(&wire::suback(version, 3, &[0, 0]), SessionError::Malformed);
        online().fails(&wire::puback(0, 0), SessionError::Malformed);
        // QoS 0 with DUP, and QoS 3.
        online().fails(&[0x38, 4, 0, 1, b't', 0], SessionError::Malformed);
        online().fails(&[0x36, 6, 0, 1, b't', 0, 1, 0], SessionError::Malformed);
        // PINGREQ, SUBSCRIBE: a client's packets.
        online().fails(&[0xC0, 0], unexpected);
        online().fails(&[0x82, 5, 0, 1, 0, 0, 0], unexpected);
        // PUBREC for an unknown message ends the broker's exchange.
        let mut client = online();
        client.receive(&wire::pubrec(9, 0), at(1));
        let code = if version == Version::V5 { 0x92 } else { 0 };
        assert_eq!(client.sent(at(1)), [Seen::Pubrel(9, code)]);
    }
}

#[test]
fn a_protocol_error_is_told_to_an_mqtt_5_broker() {
    let mut client = Client::online(lasting(Version::V5));
    client.session.publish(Message::new("t", "")).expect("room");
    client.fails(&[0xFF], SessionError::Malformed);
    assert_eq!(client.sent(at(1)), [Seen::Disconnect(0x81)]);
    let mut client = Client::online(lasting(Version::V311));
    client.fails(&[0xFF], SessionError::Malformed);
    assert_eq!(client.sent(at(1)), []);
    // Not in the middle of a packet.
    let mut client = Client::online(lasting(Version::V5));
    let message = Message::new("t", vec![0; 2_000]);
    client.session.publish(message).expect("room");
    let shown = client.session.transmit(at(1)).len();
    client.session.consume_transmit(shown);
    client.fails(&[0xFF], SessionError::Malformed);
    assert!(client.transmit(at(1)).is_empty());
    assert!(client.session.is_disconnected());
}

#[test]
fn a_packet_above_our_limit_is_refused_by_its_header() {
    let mut client = Client::online(Config {
        max_packet_size: 100,
        ..lasting(Version::V5)
    });
    let error = SessionError::PacketTooLarge {
        size: 1_003,
        limit: 100,
    };
    client.fails(&[0x30, 0xE8, 0x07], error);
    assert_eq!(client.sent(at(1)), [Seen::Disconnect(0x95)]);
}

#[test]
fn spurious_calls_are_harmless() {
    let mut client = Client::lasting(Version::V5);
    let session = &mut client.session;
    session.consume_transmit(10);
    session.handle_transport_closed();
    session.disconnect();
    assert_eq!(session.handle_timeout(at(1_000)), Ok(()));
    assert_eq!(session.poll_timeout(), None);
    assert_eq!(session.handle_input(&[1, 2, 3], at(1)), Ok(3));
    assert_eq!(session.poll_event(), None);
    assert_eq!(session.limits(), None);
    assert!(session.is_idle());
    session.connect(at(0));
    session.connect(at(1));
    assert_eq!(client.sent(at(1)).len(), 1);
    assert_eq!(client.session.publish(Message::new("t", "")), Ok(Token(1)));
}
