//! How connections end, cleanly and otherwise.

use mqtt_proto::v5::DisconnectReasonCode;
use thread_mqtt_session::{
    Config, Event, Fault, Message, PacketType, QoS, ReasonCode, SessionError, Token, Version,
};

use crate::common::{self, Client, Publish, Seen, VERSIONS, at, lasting, wire};
use crate::{QOS1, QOS2};

#[test]
fn disconnect_is_not_behind_the_outbox() {
    for version in VERSIONS {
        let mut client = Client::online(lasting(version));
        assert!(!client.session.is_disconnected());
        // Small QoS 0 messages that are next in line are sent first; others wait for the next
        // connection.
        let queued = [(QoS::AtMostOnce, 10), (QOS1, 10), (QoS::AtMostOnce, 10)];
        for (level, size) in queued {
            let message = Message::new("t", vec![1; size]).qos(level);
            client.session.publish(message).expect("room");
        }
        client.session.disconnect();
        assert!(!client.session.is_disconnected());
        let sent = client.sent(at(1));
        assert!(
            matches!(&sent[..], [Seen::Publish(zero), Seen::Disconnect(0)] if zero.qos == 0),
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
fn disconnect_is_not_behind_a_large_message_that_was_not_begun() {
    let mut client = Client::online(Config {
        outbox_bytes: 1_000_000,
        ..lasting(Version::V5)
    });
    for _ in 0..3 {
        let message = Message::new("t", vec![1; 2_000]);
        client.session.publish(message).expect("room");
    }
    // The first one is partly sent: it is completed, otherwise the broker could not decode
    // DISCONNECT.
    let head = client.session.transmit(at(1)).to_vec();
    client.session.consume_transmit(head.len());
    client.session.disconnect();
    let sent = common::parse_all(Version::V5, [head, client.transmit(at(1))].concat());
    assert!(matches!(sent[..], [Seen::Publish(_), Seen::Disconnect(0)]));
    assert_eq!(client.session.outbox_len(), 2);
}

#[test]
fn what_the_application_has_taken_is_acknowledged_before_the_end() {
    for version in VERSIONS {
        let incoming = |id| wire::publish(version, &Publish::new("t", "x", 1, id));
        // Ended by this side.
        let mut client = Client::online(lasting(version));
        client.receive(&incoming(7), at(1));
        assert_eq!(client.events().len(), 1);
        client.session.disconnect();
        client.receive(&incoming(8), at(1));
        assert_eq!(client.events().len(), 1);
        let sent = [Seen::Puback(7), Seen::Puback(8), Seen::Disconnect(0)];
        assert_eq!(client.sent(at(1)), sent);
        // Ended by a broker error.
        let mut client = Client::online(lasting(version));
        client.receive(&incoming(7), at(1));
        assert_eq!(client.events().len(), 1);
        let packet = PacketType::new(0);
        let fault = Fault::FirstByte;
        client.fails(&[0], SessionError::Malformed { packet, fault });
        let mut sent = client.sent(at(1));
        assert_eq!(sent.remove(0), Seen::Puback(7));
        let told = match version {
            Version::V311 => vec![],
            Version::V5 => vec![Seen::Disconnect(0x81)],
        };
        assert_eq!(sent, told);
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
    // Success is not a reason to close a connection.
    let silent = SessionError::ServerDisconnected(ReasonCode::SUCCESS).to_string();
    assert!(silent.contains("without giving a reason"), "{silent}");
    assert!(!silent.contains("success"), "{silent}");
    let error = SessionError::ServerDisconnected(ReasonCode(0x8E));
    client.fails(&packet, error);
    assert_eq!(client.session.broker_reason(), Some("see device 2"));
    assert!(error.to_string().contains("took over"));
    assert!(client.transmit(at(1)).is_empty());
    // 3.1.1 has no such packet from the broker.
    let mut client = Client::online(lasting(Version::V311));
    client.fails(&[0xE0, 0], unexpected(14));
}

fn malformed(number: u8, fault: Fault) -> SessionError {
    let packet = PacketType::new(number);
    SessionError::Malformed { packet, fault }
}

fn unexpected(number: u8) -> SessionError {
    SessionError::UnexpectedPacket(PacketType::new(number))
}

/// Returns a client with these in flight: a QoS 1 message (identifier 1), a QoS 2 message (2),
/// SUBSCRIBE (3), UNSUBSCRIBE (4).
fn with_all_under_way(version: Version) -> Client {
    let mut client = Client::online(lasting(version));
    for level in [QOS1, QOS2] {
        let message = Message::new("t", "").qos(level);
        client.session.publish(message).expect("room");
    }
    client.session.subscribe(&[("t", QOS1)]).expect("room");
    client.session.unsubscribe(&["t"]).expect("room");
    client.transmit(at(1));
    client
}

#[test]
fn acknowledgements_of_nothing_are_passed_over() {
    for version in VERSIONS {
        let mut client = with_all_under_way(version);
        for packet in [
            wire::puback(9, 0),
            wire::pubcomp(9),
            wire::suback(version, 9, &[0]),
            wire::suback(version, 9, &[0, 0x80, 1]),
            wire::unsuback(version, 9, &[0]),
            // The broker has not confirmed yet that it has the message.
            wire::pubcomp(2),
        ] {
            client.receive(&packet, at(1));
        }
        assert_eq!(client.events(), []);
        assert_eq!(client.sent(at(1)), []);
        assert_eq!(client.session.outbox_len(), 4);
        // PUBREC for an unknown message ends the broker's exchange.
        client.receive(&wire::pubrec(9, 0), at(1));
        let code = if version == Version::V5 { 0x92 } else { 0 };
        assert_eq!(client.sent(at(1)), [Seen::Pubrel(9, code)]);
        // The right ones, each of them twice.
        for packet in [
            wire::puback(1, 0),
            wire::pubrec(2, 0),
            wire::pubcomp(2),
            wire::suback(version, 3, &[1]),
            wire::unsuback(version, 4, &[0]),
        ] {
            client.receive(&packet, at(1));
            client.receive(&packet, at(1));
        }
        assert_eq!(client.events().len(), 4);
        assert_eq!(client.session.outbox_len(), 0);
        assert!(client.session.is_connected());
    }
}

#[test]
fn packets_that_have_no_place() {
    for version in VERSIONS {
        let online = || with_all_under_way(version);
        let wrong = |number, id| SessionError::WrongAcknowledgement {
            packet: PacketType::new(number),
            id,
        };
        online().fails(&wire::pubrec(1, 0), wrong(5, 1));
        online().fails(&wire::pubcomp(1), wrong(7, 1));
        online().fails(&wire::puback(3, 0), wrong(4, 3));
        online().fails(&wire::suback(version, 1, &[0]), wrong(9, 1));
        online().fails(&wire::suback(version, 4, &[0]), wrong(9, 4));
        online().fails(&wire::unsuback(version, 3, &[0]), wrong(11, 3));
        let two = wire::suback(version, 3, &[0, 0]);
        online().fails(&two, malformed(9, Fault::Count));
        online().fails(&wire::puback(0, 0), malformed(4, Fault::PacketId));
        let three = [0x36, 6, 0, 1, b't', 0, 1, 0];
        online().fails(&three, malformed(3, Fault::FirstByte));
        online().fails(&[0xD0, 1, 0], malformed(13, Fault::TooLong));
        // PINGREQ and SUBSCRIBE: packets that only a client sends.
        online().fails(&[0xC0, 0], unexpected(12));
        online().fails(&[0x82, 5, 0, 1, 0, 0, 0], unexpected(8));
    }
    let sentences = [
        (malformed(9, Fault::Count), "SUBACK"),
        (unexpected(12), "PINGREQ"),
        (malformed(0, Fault::FirstByte), "type 0"),
    ];
    for (error, name) in sentences {
        assert!(error.to_string().contains(name), "{error}");
    }
}

/// Violates MQTT-3.3.1-2, but is harmless: some brokers do it.
#[test]
fn qos_0_with_dup_is_a_message() {
    for (version, bytes) in [
        (Version::V311, &[0x38, 4, 0, 1, b't', b'x'][..]),
        (Version::V5, &[0x38, 5, 0, 1, b't', 0, b'x']),
    ] {
        let mut client = Client::online(lasting(version));
        client.receive(bytes, at(1));
        let message = Message::new("t", "x");
        assert_eq!(client.events(), [Event::Message(message)]);
    }
}

#[test]
fn a_protocol_error_is_told_to_an_mqtt_5_broker() {
    let error = malformed(15, Fault::FirstByte);
    let mut client = Client::online(lasting(Version::V5));
    client.session.publish(Message::new("t", "")).expect("room");
    client.fails(&[0xFF], error);
    assert_eq!(client.sent(at(1)), [Seen::Disconnect(0x81)]);
    let mut client = Client::online(lasting(Version::V311));
    client.fails(&[0xFF], error);
    assert_eq!(client.sent(at(1)), []);
    // Not in the middle of a packet.
    let mut client = Client::online(lasting(Version::V5));
    let message = Message::new("t", vec![0; 2_000]);
    client.session.publish(message).expect("room");
    let shown = client.session.transmit(at(1)).len();
    client.session.consume_transmit(shown);
    client.fails(&[0xFF], error);
    assert!(client.transmit(at(1)).is_empty());
    assert!(client.session.is_disconnected());
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
