//! Pings and their answers.

use thread_mqtt_session::{Config, Message, QoS, SessionError, Version};

use crate::common::{Client, Publish, Seen, VERSIONS, at, lasting, wire};
use crate::{QOS1, online_with};

#[test]
fn a_ping_when_nothing_was_sent() {
    for version in VERSIONS {
        let mut client = Client::online(lasting(version));
        assert_eq!(client.session.poll_timeout(), Some(at(60)));
        client
            .session
            .publish(Message::new("t", "x"))
            .expect("room");
        // Queued does not mean sent: only consumed bytes count.
        assert_eq!(client.session.poll_timeout(), Some(at(60)));
        client.transmit(at(50));
        let message = Publish::new("t", "y", 0, 0);
        client.receive(&wire::publish(version, &message), at(55));
        assert_eq!(client.session.poll_timeout(), Some(at(110)));
        assert_eq!(client.handle_timeout(at(109)), Ok(()));
        assert_eq!(client.sent(at(109)), []);
        assert_eq!(client.handle_timeout(at(110)), Ok(()));
        assert_eq!(client.session.poll_timeout(), Some(at(130)));
        assert_eq!(client.sent(at(110)), [Seen::Pingreq]);
        client.receive(&wire::PINGRESP, at(111));
        assert_eq!(client.session.poll_timeout(), Some(at(170)));
    }
}

#[test]
fn a_broker_that_does_not_answer_a_ping() {
    let mut client = Client::online(lasting(Version::V5));
    assert_eq!(client.handle_timeout(at(60)), Ok(()));
    client.transmit(at(60));
    assert_eq!(client.handle_timeout(at(79)), Ok(()));
    assert_eq!(
        client.handle_timeout(at(80)),
        Err(SessionError::PingTimeout)
    );
    assert_eq!(client.sent(at(80)), [Seen::Disconnect(0x80)]);
    assert!(client.session.is_disconnected());
}

/// MQTT 5 section 3.1.2.10: at most one keep-alive between two packets, whatever is awaited.
#[test]
fn a_late_answer_does_not_stretch_the_keep_alive() {
    let mut client = online_with(|p| p.server_keep_alive = Some(5));
    for time in [5, 10, 15, 20] {
        assert_eq!(client.session.poll_timeout(), Some(at(time)));
        assert_eq!(client.session.handle_timeout(at(time)), Ok(()));
        // It is not queued again while the transport does not take it.
        assert_eq!(client.session.poll_timeout(), Some(at(25)));
        assert_eq!(client.sent(at(time)), [Seen::Pingreq]);
    }
    // The first one is the one that must be answered.
    let overdue = client.session.handle_timeout(at(25));
    assert_eq!(overdue, Err(SessionError::PingTimeout));
}

#[test]
fn sending_does_not_hide_a_dead_path_while_an_answer_is_owed() {
    let mut client = Client::online(lasting(Version::V311));
    for time in [10, 30, 50] {
        let message = Message::new("t", "x").qos(QOS1);
        client.session.publish(message).expect("room");
        client.transmit(at(time));
    }
    // Nothing has arrived since 0.
    assert_eq!(client.session.poll_timeout(), Some(at(60)));
    client.receive(&wire::puback(1, 0), at(55));
    assert_eq!(client.session.poll_timeout(), Some(at(110)));
}

#[test]
fn an_answer_is_awaited_until_it_comes() {
    let mut client = Client::online(lasting(Version::V5));
    assert!(!client.session.awaits_answer());
    let message = |qos| Message::new("t", "x").qos(qos);
    client
        .session
        .publish(message(QoS::AtMostOnce))
        .expect("room");
    client.transmit(at(1));
    assert!(!client.session.awaits_answer());
    client.session.publish(message(QOS1)).expect("room");
    client.transmit(at(2));
    assert!(client.session.awaits_answer());
    client.receive(&wire::puback(1, 0), at(3));
    assert!(!client.session.awaits_answer());
    client.handle_timeout(at(62)).expect("a ping");
    client.transmit(at(62));
    assert!(client.session.awaits_answer());
    client.receive(&wire::PINGRESP, at(63));
    assert!(!client.session.awaits_answer());
}

#[test]
fn a_pingresp_behind_untaken_events_is_not_missed() {
    let mut client = Client::online(Config {
        event_bytes: 0,
        ..lasting(Version::V5)
    });
    let message = wire::publish(Version::V5, &Publish::new("t", "x", 0, 0));
    client.receive(&message, at(59));
    client.handle_timeout(at(60)).expect("a ping");
    assert_eq!(client.session.handle_input(&wire::PINGRESP, at(61)), Ok(0));
    assert_eq!(client.handle_timeout(at(80)), Ok(()));
    assert_eq!(client.session.poll_timeout(), Some(at(100)));
    assert_eq!(client.events().len(), 1);
    client.receive(&wire::PINGRESP, at(90));
    assert_eq!(client.handle_timeout(at(100)), Ok(()));
}

#[test]
fn the_broker_sets_the_keep_alive() {
    let client = online_with(|p| p.server_keep_alive = Some(5));
    assert_eq!(client.session.poll_timeout(), Some(at(5)));
    let client = online_with(|p| p.server_keep_alive = Some(0));
    assert_eq!(client.session.poll_timeout(), None);
    let mut client = Client::new(Config {
        keep_alive: at(0),
        ..lasting(Version::V311)
    });
    client.reconnect(at(0), false);
    assert_eq!(client.session.poll_timeout(), None);
}

/// A client may send pings at any time.
#[test]
fn a_broker_that_wants_no_keep_alive_does_not_forbid_pings() {
    let mut client = online_with(|p| p.server_keep_alive = Some(0));
    client.session.set_ping_after(Some(at(100)));
    assert_eq!(client.session.poll_timeout(), Some(at(100)));
    client.handle_timeout(at(100)).expect("a ping");
    assert_eq!(client.sent(at(100)), [Seen::Pingreq]);
    let timeout = client.handle_timeout(at(120));
    assert_eq!(timeout, Err(SessionError::PingTimeout));
}

/// A client that only publishes at QoS 0, and more often than its keep-alive, must nevertheless
/// detect a dead connection.
#[test]
fn sending_at_qos_0_does_not_hide_a_dead_path() {
    for version in VERSIONS {
        let mut client = Client::online(lasting(version));
        let mut pinged = None;
        for now in (10..200).step_by(10) {
            match client.handle_timeout(at(now)) {
                Ok(()) => {}
                Err(error) => {
                    assert_eq!(error, SessionError::PingTimeout);
                    assert_eq!((pinged, now), (Some(60), 80));
                    break;
                }
            }
            let message = Message::new("t", "x");
            client.session.publish(message).expect("room");
            if client.sent(at(now)).contains(&Seen::Pingreq) {
                pinged = Some(now);
            }
            client.events();
        }
        assert!(!client.session.is_connected());
    }
}

/// A packet so large that it takes longer than a keep-alive, or a steady stream of messages, shows
/// that the connection is alive.
#[test]
fn whatever_arrives_keeps_the_connection() {
    for version in VERSIONS {
        let mut client = Client::online(lasting(version));
        let large = wire::publish(version, &Publish::new("t", [7; 200], 0, 0));
        for (second, byte) in large.iter().enumerate() {
            let now = at(second as u64);
            client.handle_timeout(now).expect("alive");
            client.transmit(now);
            client.receive(&[*byte], now);
        }
        assert_eq!(client.events().len(), 1);
    }
}

/// As long as the transport takes bytes, PINGREQ is still on its way.
#[test]
fn a_slow_upload_is_not_a_dead_path() {
    let mut client = Client::online(Config {
        outbox_bytes: 100_000,
        ..lasting(Version::V5)
    });
    let message = Message::new("t", vec![7; 20_000]);
    client.session.publish(message).expect("room");
    let mut now = 0;
    let mut sent = Vec::new();
    while client.session.outbox_len() > 0 {
        now += 10;
        client.handle_timeout(at(now)).expect("alive");
        let bytes = client.session.transmit(at(now)).to_vec();
        let count = bytes.len().min(1_000);
        sent.extend_from_slice(&bytes[..count]);
        client.session.consume_transmit(count);
    }
    assert!(now > 200);
    assert_eq!(client.sent(at(now)), [Seen::Pingreq]);
    assert_eq!(client.session.poll_timeout(), Some(at(now + 20)));
    let timeout = client.handle_timeout(at(now + 20));
    assert_eq!(timeout, Err(SessionError::PingTimeout));
}

/// Acknowledgements that the transport does not take stop the input, but not the timers.
#[test]
fn unsent_acknowledgements_do_not_hide_a_dead_path() {
    for version in VERSIONS {
        let mut client = Client::online(Config {
            event_bytes: 1_000_000,
            ..lasting(version)
        });
        for id in 1..=70 {
            let publish = wire::publish(version, &Publish::new("t", "", 1, id));
            client.session.handle_input(&publish, at(1)).expect("valid");
            client.events();
        }
        assert!(!client.session.wants_input());
        client.handle_timeout(at(61)).expect("a ping");
        let timeout = client.handle_timeout(at(81));
        assert_eq!(timeout, Err(SessionError::PingTimeout));
    }
}
