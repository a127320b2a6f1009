//! The session with Eclipse Mosquitto over real sockets on the loopback interface.

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use common::VERSIONS;
use common::mosquitto::Broker;
use thread_mqtt_session::{
    Config, ConnectRefusal, Event, Message, Properties, PublishError, QoS, Session, SessionError,
    Version,
};

const QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

/// Longer than any step takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A session on a socket.
struct Client {
    session: Session,
    stream: TcpStream,
    start: Instant,
    untaken: Vec<u8>,
    /// Added to the clock, so that a keep-alive passes without waiting for it.
    skipped: Duration,
}

impl Client {
    fn start(broker: &Broker, config: Config) -> Self {
        let mut client = Client {
            session: Session::new(config).expect("a valid configuration"),
            stream: broker.connect(),
            start: Instant::now(),
            untaken: Vec::new(),
            skipped: Duration::ZERO,
        };
        client.session.connect(client.now());
        client
    }

    fn online(broker: &Broker, config: Config) -> Self {
        let mut client = Client::start(broker, config);
        client.expect_connected(false);
        client
    }

    fn now(&self) -> Duration {
        self.start.elapsed() + self.skipped
    }

    /// Breaks the connection now and begins the next one.
    fn break_off(&mut self, broker: &Broker) {
        self.session.handle_network_lost();
        self.untaken.clear();
        self.stream = broker.connect();
        self.session.connect(self.now());
    }

    /// One iteration of the loop: output, input, time. Returns false once the broker has closed.
    fn turn(&mut self) -> Result<bool, SessionError> {
        loop {
            let now = self.now();
            let bytes = self.session.transmit(now);
            if bytes.is_empty() {
                break;
            }
            let Ok(n) = self.stream.write(bytes) else {
                return Ok(false);
            };
            self.session.consume_transmit(n);
        }
        let mut buffer = [0; 4096];
        let mut open = true;
        if self.untaken.is_empty() {
            match self.stream.read(&mut buffer) {
                Ok(0) => open = false,
                Ok(n) => self.untaken.extend_from_slice(&buffer[..n]),
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => open = false,
            }
        }
        let taken = self.session.handle_input(&self.untaken, self.now())?;
        self.untaken.drain(..taken);
        self.session.handle_timeout(self.now())?;
        Ok(open)
    }

    /// Runs until this many events have arrived.
    fn events(&mut self, count: usize) -> Vec<Event> {
        let mut events = Vec::new();
        let start = Instant::now();
        while events.len() < count {
            assert!(start.elapsed() < PATIENCE, "only these came: {events:?}");
            let open = self.turn().expect("no error");
            let before = events.len();
            events.extend(std::iter::from_fn(|| self.session.poll_event()));
            assert!(open || events.len() > before, "the broker closed");
        }
        events
    }

    fn event(&mut self) -> Event {
        let mut events = self.events(1);
        assert_eq!(events.len(), 1, "{events:?}");
        events.remove(0)
    }

    fn expect_connected(&mut self, session_present: bool) {
        assert_eq!(self.event(), Event::Connected { session_present });
    }

    fn subscribe(&mut self, filter: &str, qos: QoS) {
        let token = self.session.subscribe(&[(filter, qos)]).expect("room");
        assert_eq!(self.event(), Event::Subscribed(token, vec![Ok(qos)]));
    }

    fn publish(&mut self, message: Message) {
        let token = self.session.publish(message).expect("room");
        assert_eq!(self.event(), Event::Published(token));
    }

    fn settle(&mut self) {
        let start = Instant::now();
        while !self.session.is_idle() {
            assert!(start.elapsed() < PATIENCE, "{:?}", self.session);
            self.turn().expect("no error");
        }
    }

    /// Disconnects cleanly and waits for the broker to close, so that it has handled everything.
    fn leave(&mut self) {
        self.settle();
        self.session.disconnect();
        self.wait_for_close();
        assert!(self.session.is_disconnected());
        self.session.handle_transport_closed();
    }

    fn wait_for_close(&mut self) {
        let start = Instant::now();
        while self.turn().expect("no error") {
            assert!(start.elapsed() < PATIENCE, "the broker does not close");
        }
    }
}

fn config(version: Version, client_id: &str) -> Config {
    Config {
        version,
        client_id: client_id.into(),
        outbox_bytes: 100_000,
        outbox_messages: 200,
        max_packet_size: 50_000,
        ..Config::default()
    }
}

fn lasting(version: Version, client_id: &str) -> Config {
    Config {
        clean_start: false,
        session_expiry: 3_600,
        ..config(version, client_id)
    }
}

#[test]
fn every_qos_in_both_directions_small_and_large() {
    let broker = Broker::start("");
    for version in VERSIONS {
        let mut client = Client::online(&broker, config(version, "both"));
        client.subscribe("t/+", QoS::ExactlyOnce);
        for size in [0, 1, 600, 20_000] {
            for qos in QOS {
                let payload: Vec<u8> = (0..size).map(|n| n as u8).collect();
                let message = Message::new("t/x", payload).qos(qos);
                let token = client.session.publish(message.clone()).expect("room");
                let events = client.events(2);
                assert!(events.contains(&Event::Published(token)));
                assert!(events.contains(&Event::Message(message)), "{qos:?} {size}");
            }
        }
        let token = client.session.unsubscribe(&["t/+", "t/+"]).expect("room");
        let event = client.event();
        assert_eq!(event, Event::Unsubscribed(token, vec![Ok(()), Ok(())]));
        client.publish(Message::new("t/x", "unheard").qos(QoS::ExactlyOnce));
        client.leave();
    }
}

#[test]
fn the_will_is_published_when_the_connection_breaks_and_only_then() {
    let broker = Broker::start("");
    for version in VERSIONS {
        let mut watcher = Client::online(&broker, config(version, "watcher"));
        watcher.subscribe("#", QoS::AtLeastOnce);
        let will = |payload: &str| Message::new("will", payload).qos(QoS::AtLeastOnce);
        let mortal = |payload: &str| Config {
            will: Some(will(payload)),
            ..config(version, "mortal")
        };
        let mut clean = Client::online(&broker, mortal("left"));
        clean.leave();
        let broken = Client::online(&broker, mortal("broken off"));
        drop(broken);
        assert_eq!(watcher.event(), Event::Message(will("broken off")));
        // And no other message arrives before the one sent now.
        let end = Message::new("end", "").qos(QoS::AtLeastOnce);
        let token = watcher.session.publish(end.clone()).expect("room");
        let events = watcher.events(2);
        assert_eq!(events.len(), 2, "{events:?}");
        assert!(events.contains(&Event::Published(token)), "{events:?}");
        assert!(events.contains(&Event::Message(end)), "{events:?}");
        watcher.leave();
    }
}

#[test]
fn retained_messages() {
    let broker = Broker::start("");
    for version in VERSIONS {
        let mut live = Client::online(&broker, config(version, "live"));
        live.subscribe("kept", QoS::AtLeastOnce);
        let mut writer = Client::online(&broker, config(version, "writer"));
        let message = Message::new("kept", "1").qos(QoS::AtLeastOnce);
        writer.publish(message.clone().retain(true));
        assert_eq!(live.event(), Event::Message(message.clone()));
        let mut late = Client::online(&broker, config(version, "late"));
        let token = late.session.subscribe(&[("kept", QoS::AtLeastOnce)]);
        let events = late.events(2);
        let kept = Event::Message(message.clone().retain(true));
        let granted = vec![Ok(QoS::AtLeastOnce)];
        let subscribed = Event::Subscribed(token.expect("room"), granted);
        assert_eq!(events, [subscribed, kept]);
        writer.publish(Message::new("kept", "").qos(QoS::AtLeastOnce).retain(true));
        for client in [&mut live, &mut writer, &mut late] {
            client.leave();
        }
    }
}

#[test]
fn messages_wait_at_the_broker_for_a_session_that_is_kept() {
    let broker = Broker::start("");
    for version in VERSIONS {
        let mut away = Client::online(&broker, lasting(version, &format!("away-{version}")));
        away.subscribe("for/you", QoS::ExactlyOnce);
        away.leave();
        let mut writer = Client::online(&broker, config(version, "writer"));
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            writer.publish(Message::new("for/you", "x").qos(qos));
        }
        // Commands given while offline wait as well.
        let own = Message::new("for/you", "own").qos(QoS::AtLeastOnce);
        let token = away.session.publish(own.clone()).expect("room");
        away.break_off(&broker);
        let mut events = away.events(5);
        let present = Event::Connected {
            session_present: true,
        };
        assert_eq!(events.remove(0), present);
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let message = Message::new("for/you", "x").qos(qos);
            assert!(events.contains(&Event::Message(message)), "{events:?}");
        }
        assert!(events.contains(&Event::Published(token)), "{events:?}");
        assert!(events.contains(&Event::Message(own)), "{events:?}");
        away.leave();
    }
}

#[test]
fn exactly_once_over_a_connection_that_keeps_breaking() {
    const MESSAGES: u32 = 60;
    let broker = Broker::start("max_queued_messages 0\n");
    for version in VERSIONS {
        let mut reader = Client::online(&broker, lasting(version, &format!("reader-{version}")));
        reader.subscribe("count", QoS::ExactlyOnce);
        let mut writer = Client::online(&broker, lasting(version, &format!("writer-{version}")));
        let mut received = Vec::new();
        let mut published = 0;
        let (mut next, mut turns) = (0, 0u32);
        let start = Instant::now();
        while received.len() < MESSAGES as usize || published < MESSAGES {
            assert!(start.elapsed() < 2 * PATIENCE, "{published} {received:?}");
            for _ in 0..3 {
                if next < MESSAGES {
                    let message = Message::new("count", next.to_be_bytes());
                    let message = message.qos(QoS::ExactlyOnce);
                    writer.session.publish(message).expect("room");
                    next += 1;
                }
            }
            turns += 1;
            for (client, every) in [(&mut writer, 3), (&mut reader, 4)] {
                client.turn().expect("no error");
                while let Some(event) = client.session.poll_event() {
                    match event {
                        Event::Published(_) => published += 1,
                        Event::Message(message) => received.push(message.payload),
                        Event::Connected { session_present } => assert!(session_present),
                        other => panic!("{other:?}"),
                    }
                }
                // While there is work, no connection lasts long.
                if turns % every == 0 && turns < 100 {
                    client.break_off(&broker);
                }
            }
        }
        let sent: Vec<Vec<u8>> = (0..MESSAGES).map(|n| n.to_be_bytes().to_vec()).collect();
        assert_eq!(received, sent, "each one once, in order");
        assert_eq!(published, MESSAGES);
    }
}

#[test]
fn pings_are_answered() {
    let broker = Broker::start("");
    for version in VERSIONS {
        let mut client = Client::online(&broker, config(version, "quiet"));
        client.skipped += Duration::from_secs(60);
        client.turn().expect("a ping is due");
        client.turn().expect("and sent");
        let start = Instant::now();
        let answered = |client: &Client| {
            let due = client.session.poll_timeout().expect("a keep-alive");
            due > client.now() + Duration::from_secs(30)
        };
        while !answered(&client) {
            assert!(start.elapsed() < PATIENCE, "no PINGRESP");
            client.turn().expect("no error");
        }
        client.leave();
    }
}

#[test]
fn what_an_mqtt_5_broker_announces_is_kept() {
    let broker = Broker::start(
        "max_keepalive 17\nmax_packet_size 2000\nmax_inflight_messages 3\nmax_qos 1\nretain_available false\n",
    );
    let mut client = Client::online(&broker, config(Version::V5, ""));
    let limits = *client.session.limits().expect("online");
    assert_eq!(limits.keep_alive, Duration::from_secs(17));
    assert_eq!(limits.maximum_packet_size, Some(2_000));
    assert_eq!(limits.receive_maximum, 3);
    assert_eq!(limits.maximum_qos, QoS::AtLeastOnce);
    assert!(!limits.retain_available);
    assert!(!client.session.client_id().is_empty(), "assigned");

    let mut expect_failure = |message: Message, error| {
        let token = client.session.publish(message).expect("room");
        assert_eq!(client.event(), Event::PublishFailed(token, error));
    };
    // Fixed header 3, topic 3, properties 1, payload.
    let size = 2_001;
    let large = Message::new("t", vec![0; 1_994]);
    let limit = 2_000;
    expect_failure(large, PublishError::TooLarge { size, limit });
    let maximum = QoS::AtLeastOnce;
    let twice = Message::new("t", "").qos(QoS::ExactlyOnce);
    expect_failure(twice, PublishError::QosNotSupported { maximum });
    let retained = Message::new("t", "").retain(true);
    expect_failure(retained, PublishError::RetainNotSupported);
    client.publish(Message::new("t", vec![0; 1_993]));

    for _ in 0..50 {
        let message = Message::new("t", "x").qos(QoS::AtLeastOnce);
        client.session.publish(message).expect("room");
    }
    assert_eq!(client.events(50).len(), 50);
    client.leave();
}

#[test]
fn properties_arrive_as_they_were_sent() {
    let broker = Broker::start("");
    let mut client = Client::online(&broker, config(Version::V5, "props"));
    client.subscribe("t", QoS::AtMostOnce);
    let message = Message::new("t", "text").properties(Properties {
        payload_is_utf8: Some(true),
        content_type: Some("text/plain".into()),
        response_topic: Some("answer/here".into()),
        correlation_data: Some(vec![0, 1, 255]),
        user: vec![("a".into(), "1".into()), ("a".into(), "2".into())],
        ..Properties::default()
    });
    client.session.publish(message.clone()).expect("room");
    assert!(client.events(2).contains(&Event::Message(message)));
    client.leave();
}

#[test]
fn subscriptions_are_repeated_when_the_broker_lost_the_session() {
    for version in VERSIONS {
        let first = Broker::start("");
        let mut client = Client::online(&first, lasting(version, "stays"));
        client.subscribe("t", QoS::AtLeastOnce);
        client.settle();
        drop(first);
        let second = Broker::start("");
        client.break_off(&second);
        client.expect_connected(false);
        let message = Message::new("t", "again").qos(QoS::AtLeastOnce);
        let token = client.session.publish(message.clone()).expect("room");
        let events = client.events(2);
        assert!(events.contains(&Event::Message(message)), "{events:?}");
        assert!(events.contains(&Event::Published(token)), "{events:?}");
        client.leave();
    }
}

#[test]
fn a_broker_that_wants_credentials() {
    let broker = Broker::start("allow_anonymous false\n");
    for (version, code) in [(Version::V311, 5), (Version::V5, 0x87)] {
        let mut client = Client::start(&broker, config(version, "stranger"));
        let start = Instant::now();
        let error = loop {
            assert!(start.elapsed() < PATIENCE);
            if let Err(error) = client.turn() {
                break error;
            }
        };
        let refusal = ConnectRefusal::new(version, code);
        assert_eq!(error, SessionError::Refused(refusal));
        assert!(refusal.is_permanent());
    }
}
