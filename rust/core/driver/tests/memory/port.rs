//! What the driver asks of the port, and what it does with the answers.
use crate::{CONNACK, Memory, connected, driver, driver_that, settle};
use std::mem;
use std::ops::ControlFlow;
use thread_mqtt_client::{Cause, Client, Config, Event, Retry, Stage, TcpError, Timers};
use thread_mqtt_driver::{Driver, Received, TcpState};
use thread_mqtt_resolve::resolver::{LookupError, UdpError};
use thread_mqtt_session::{Message, Overflow, QoS, SessionError, Version};
use thread_mqtt_test_support::heap::with_heap;

/// CONNACK of MQTT 3.1.1: not authorized.
const NOT_AUTHORIZED: [u8; 4] = [0x20, 2, 0, 5];

fn cause(events: &[Event]) -> Option<(Stage, Cause)> {
    events.iter().find_map(|event| match event {
        Event::Failed { stage, cause, .. } => Some((*stage, cause.clone())),
        _ => None,
    })
}

#[test]
fn from_start_to_online_and_stopped() {
    let mut driver = connected();
    assert_eq!(driver.port().calls, ["connect [64:ff9b::c000:201]:1883"]);
    assert_eq!(driver.port().sent[0], 0x10, "CONNECT");
    driver.port_mut().incoming.push_back(CONNACK.into());
    settle(&mut driver);
    assert!(driver.client().is_online());

    driver.stop();
    assert_eq!(settle(&mut driver), [], "the broker may close first");
    assert!(driver.port().sent.ends_with(&[0xe0, 0]), "DISCONNECT");
    driver.port_mut().end = Some(Ok(Received::EndOfStream));
    let events = settle(&mut driver);
    assert_eq!(events, [Event::Stopped]);
    assert_eq!(driver.port().calls.last().unwrap(), "close false");
}

#[test]
fn partial_sends_go_on_where_they_ended() {
    let mut whole = connected();
    whole.turn();
    let mut driver = driver("mqtt://192.0.2.1");
    driver.start();
    settle(&mut driver);
    driver.port_mut().tcp = Some(TcpState::Connected);
    for _ in 0..whole.port().sent.len() {
        driver.port_mut().room.push_back(1);
        settle(&mut driver);
    }
    assert_eq!(driver.port().sent, whole.port().sent);
}

#[test]
fn what_is_waited_for() {
    let mut driver = driver("mqtt://192.0.2.1");
    driver.start();
    settle(&mut driver);
    let (until, interest) = driver.waits_for();
    assert_eq!(until, Some(Timers::default().tcp_connect));
    assert!(!interest.receive && !interest.send);

    driver.port_mut().tcp = Some(TcpState::Connected);
    settle(&mut driver);
    let (_, interest) = driver.waits_for();
    assert!(interest.receive && interest.send, "CONNECT does not fit");

    driver.port_mut().room.push_back(10_000);
    settle(&mut driver);
    let (_, interest) = driver.waits_for();
    assert!(interest.receive && !interest.send);
    driver.wait();
    assert_eq!(driver.port_mut().waits.len(), 1);
    assert!(driver.port_mut().waits[0].1.receive);
}

#[test]
fn bytes_the_client_does_not_take_are_kept_and_not_waited_for() {
    let mut driver = connected();
    driver.port_mut().incoming.push_back(CONNACK.into());
    settle(&mut driver);

    // PUBLISH at QoS 0, topic "t", 40 bytes.
    let mut publish = vec![0x30, 43, 0, 1, b't'];
    publish.extend([b'x'; 40]);
    for _ in 0..20 {
        driver.port_mut().incoming.push_back(publish.clone());
    }
    // The events are not taken.
    while driver.turn() {}
    assert!(!driver.port().incoming.is_empty(), "the rest stays in TCP");
    let (_, interest) = driver.waits_for();
    assert!(!interest.receive);

    let events = settle(&mut driver);
    assert_eq!(events.len(), 20);
    assert!(driver.waits_for().1.receive);
}

#[test]
fn a_connect_that_fails_at_once_is_a_failure_of_tcp() {
    let mut driver = driver("mqtt://192.0.2.1");
    driver.port_mut().connect_error = Some(TcpError::Unreachable);
    driver.start();
    let events = settle(&mut driver);
    let expected = (Stage::Tcp, Cause::Tcp(TcpError::Unreachable));
    assert_eq!(cause(&events), Some(expected));
}

#[test]
fn a_connect_that_fails_later_is_too() {
    for (state, error) in [
        (TcpState::Failed(TcpError::Refused), TcpError::Refused),
        (TcpState::Closed, TcpError::Closed),
    ] {
        let mut driver = driver("mqtt://192.0.2.1");
        driver.start();
        settle(&mut driver);
        driver.port_mut().tcp = Some(state);
        let events = settle(&mut driver);
        assert_eq!(cause(&events), Some((Stage::Tcp, Cause::Tcp(error))));
    }
}

#[test]
fn the_ends_of_a_connection() {
    for (end, error) in [
        (Ok(Received::EndOfStream), TcpError::Closed),
        (Err(TcpError::Reset), TcpError::Reset),
    ] {
        let mut driver = connected();
        driver.port_mut().incoming.push_back(CONNACK.into());
        driver.port_mut().end = Some(end);
        let events = settle(&mut driver);
        assert_eq!(cause(&events), Some((Stage::Mqtt, Cause::Tcp(error))));
        assert_eq!(driver.port().calls.last().unwrap(), "close true");
    }
}

#[test]
fn a_refusal_is_heard_although_sending_has_failed() {
    let mut driver = driver("mqtt://192.0.2.1");
    driver.start();
    settle(&mut driver);
    driver.port_mut().tcp = Some(TcpState::Connected);
    driver.port_mut().send_error = Some(TcpError::Reset);
    driver.port_mut().incoming.push_back(NOT_AUTHORIZED.into());
    driver.port_mut().end = Some(Err(TcpError::Reset));
    let events = settle(&mut driver);
    let (stage, cause) = cause(&events).unwrap();
    assert_eq!(stage, Stage::Mqtt);
    assert!(matches!(cause, Cause::Mqtt(_)), "{cause:?}");
}

#[test]
fn the_platform_resolves() {
    let mut driver = driver("mqtt://broker.example.com");
    driver.start();
    settle(&mut driver);
    assert_eq!(driver.port().names, ["broker.example.com"]);
    driver.port_mut().answer = Some(Ok(vec!["192.0.2.7".parse().unwrap()]));
    settle(&mut driver);
    assert_eq!(
        driver.port().calls.last().unwrap(),
        "connect [64:ff9b::c000:207]:1883"
    );
}

/// Lets the platform's lookup fail, so that the border router's DNS is queried.
fn asking(entropy: Option<i32>) -> (Driver<Memory>, Vec<Event>) {
    let mut driver = driver("mqtt://broker.example.com");
    driver.port_mut().entropy = entropy;
    driver.start();
    settle(&mut driver);
    driver.port_mut().answer = Some(Err(LookupError::Platform(-2)));
    let events = settle(&mut driver);
    (driver, events)
}

#[test]
fn a_datagram_that_cannot_be_sent_is_one_that_got_lost() {
    let (driver, events) = asking(None);
    assert!(!driver.port().datagrams.is_empty());
    let (_, to, _) = driver.port().datagrams[0];
    assert_eq!(to.to_string(), "[fd00::1]:53");
    assert_eq!(cause(&events), None);
}

/// The client does not wait for servers that the port refuses or that the network reports as
/// unreachable.
#[test]
fn a_dns_server_that_cannot_be_reached_is_not_waited_for() {
    let server = "[fd00::1]:53".parse().unwrap();
    for at_once in [true, false] {
        let mut driver = driver("mqtt://broker.example.com");
        let refused = UdpError::Refused;
        driver.port_mut().udp_error = at_once.then_some(refused);
        driver.port_mut().connect_error = Some(TcpError::Refused);
        driver.start();
        settle(&mut driver);
        driver.port_mut().answer = Some(Err(LookupError::Platform(-2)));
        let mut events = settle(&mut driver);
        assert_eq!(cause(&events).is_some(), at_once);
        driver.port_mut().undelivered.push_back((server, refused));
        events.extend(settle(&mut driver));
        let Some((Stage::Resolve, Cause::Resolve(report))) = cause(&events) else {
            panic!("{events:?}");
        };
        let text = report.to_string();
        assert!(
            text.contains("nothing listens on the server's port"),
            "{text}"
        );
    }
}

#[test]
fn without_entropy_no_question_leaves_the_device() {
    let (driver, events) = asking(Some(-5));
    assert!(driver.port().datagrams.is_empty());
    assert_eq!(cause(&events), Some((Stage::Resolve, Cause::NoEntropy(-5))));
}

/// Whether or not the attempt needs entropy, its failure is followed by the maximum pause.
#[test]
fn without_entropy_pauses_are_the_longest() {
    for uri in ["mqtt://192.0.2.1", "mqtt://broker.example.com"] {
        let mut driver = driver_that(Retry::Forever, uri, Overflow::Refuse);
        driver.port_mut().entropy = Some(-5);
        driver.start();
        let mut pauses = Vec::new();
        while pauses.len() < 7 {
            driver.port_mut().connect_error = Some(TcpError::Refused);
            for event in settle(&mut driver) {
                if let Event::Failed { retry_in, .. } = event {
                    pauses.push(retry_in.unwrap().as_secs());
                }
            }
            if !driver.port_mut().names.is_empty() {
                driver.port_mut().names.clear();
                driver.port_mut().answer = Some(Err(LookupError::Platform(-2)));
            } else {
                driver.wait();
            }
        }
        assert_eq!(pauses, [10, 20, 40, 80, 160, 300, 300], "{uri}");
    }
}

#[test]
fn run_hands_the_client_to_the_application() {
    let mut driver = connected();
    driver.port_mut().incoming.push_back(CONNACK.into());
    let token = driver.run(|client, event| match event {
        Event::Reached(_) if client.is_online() => {
            let message = Message::new("t", "hello").qos(QoS::AtMostOnce);
            client.publish(message).unwrap();
            ControlFlow::Continue(())
        }
        Event::Session(thread_mqtt_session::Event::Published(token)) => ControlFlow::Break(token),
        _ => ControlFlow::Continue(()),
    });
    assert!(driver.port().sent.ends_with(b"\0\x01thello"), "{token:?}");
}

#[test]
fn run_waits_until_the_timer() {
    let mut driver = driver("mqtt://192.0.2.1");
    driver.start();
    let cause = driver.run(|_, event| match event {
        Event::Failed { cause, .. } => ControlFlow::Break(cause),
        _ => ControlFlow::Continue(()),
    });
    assert_eq!(cause, Cause::Tcp(TcpError::TimedOut));
    assert_eq!(driver.port().now, Timers::default().tcp_connect);
}

/// The network data is copied in each turn; this must not end the program.
#[test]
fn a_turn_without_heap_looks_at_the_network_later() {
    let mut driver = driver("mqtt://192.0.2.1");
    with_heap(16, || driver.turn());
    driver.start();
    with_heap(16, || driver.turn());
    assert_eq!(driver.port().calls, [""; 0], "not known to be attached");
    settle(&mut driver);
    assert!(driver.port().calls[0].starts_with("connect"));
}

/// CONNECT has a copy of the will: without room for it the attempt fails, but the session
/// continues.
#[test]
fn a_will_without_heap_fails_the_attempt_and_not_the_session() {
    for version in [Version::V311, Version::V5] {
        let client = Client::new(Config {
            session: thread_mqtt_session::Config {
                version,
                client_id: "a".to_owned(),
                clean_start: false,
                session_expiry: 1_000,
                will: Some(Message::new("w", [7; 20_000])),
                suspect_after: 2,
                ..thread_mqtt_session::Config::default()
            },
            ..Config::new("mqtt://192.0.2.1".parse().unwrap())
        });
        let memory = mem::take(driver("mqtt://192.0.2.1").port_mut());
        let mut driver = Driver::new(client.unwrap(), memory);
        driver.start();
        for attempt in 0..6 {
            settle(&mut driver);
            driver.port_mut().sent.clear();
            driver.port_mut().tcp = Some(TcpState::Connected);
            driver.port_mut().room = [100_000; 10].into();
            if attempt == 5 {
                break;
            }
            let (events, _) = with_heap(10_000 + 9_000 * (attempt % 4), || settle(&mut driver));
            let no_room = SessionError::OutOfMemory { size: 20_002 };
            assert_eq!(cause(&events), Some((Stage::Mqtt, Cause::Mqtt(no_room))));
            assert_eq!(driver.port().sent, []);
            driver.wait();
        }
        settle(&mut driver);
        // CONNECT flags: a will, and no clean start.
        let sent = &driver.port().sent;
        assert!(sent.len() > 20_000);
        assert_eq!(sent[4 + 2 + 4 + 1], 0b100, "{:?}", &sent[..20]);
    }
}
