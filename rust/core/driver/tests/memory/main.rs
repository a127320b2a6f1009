//! The loop over a port that is all memory: what it asks of the port, and what it makes of the
//! answers.
use std::collections::VecDeque;
use std::mem;
use std::net::{IpAddr, SocketAddrV6};
use std::ops::ControlFlow;
use std::time::Duration;
use thread_mqtt_client::{Cause, Client, Config, Event, Retry, Stage, TcpError, Timers};
use thread_mqtt_driver::{Driver, Interest, Mailbox, Port, Received, TcpState};
use thread_mqtt_resolve::resolver::{self, AddressSource, Family, LookupError};
use thread_mqtt_resolve::{AdvertisedPrefix, Network, Preference};
use thread_mqtt_session::{
    Command, CommandError, Message, Overflow, Priority, PublishError, PublishOptions, QoS,
    SessionError, Token, Version,
};
use thread_mqtt_test_support::heap::{Heap, with_heap};

#[global_allocator]
static HEAP: Heap = Heap;

/// A port without anything behind it: what happens there is scripted.
#[derive(Debug, Default)]
struct Memory {
    now: Duration,
    network: Network,
    tcp: Option<TcpState>,
    /// Refuses the next connect on the spot.
    connect_error: Option<TcpError>,
    /// Bytes for the client, in the pieces they arrive in.
    incoming: VecDeque<Vec<u8>>,
    /// What follows when `incoming` is empty.
    end: Option<Result<Received, TcpError>>,
    /// Bytes from the client.
    sent: Vec<u8>,
    /// Bytes taken by each send; then nothing fits.
    room: VecDeque<usize>,
    send_error: Option<TcpError>,
    datagrams: Vec<(u16, SocketAddrV6, Vec<u8>)>,
    names: Vec<String>,
    answer: Option<Result<Vec<IpAddr>, LookupError>>,
    entropy: Option<i32>,
    /// Calls of note, in order.
    calls: Vec<String>,
    waits: Vec<(Option<Duration>, Interest)>,
}

impl Port for Memory {
    fn now(&self) -> Duration {
        self.now
    }
    fn unix_time(&self) -> Option<u64> {
        None
    }
    fn fill_random(&mut self, buf: &mut [u8]) -> Result<(), i32> {
        buf.fill(0x55);
        self.entropy.map_or(Ok(()), Err)
    }
    fn network(&mut self) -> Network {
        self.network.clone()
    }
    fn tcp_connect(&mut self, to: SocketAddrV6) -> Result<(), TcpError> {
        self.calls.push(format!("connect {to}"));
        if let Some(error) = self.connect_error.take() {
            return Err(error);
        }
        self.tcp = Some(TcpState::Connecting);
        Ok(())
    }
    fn tcp_state(&mut self) -> TcpState {
        self.tcp.unwrap_or(TcpState::Closed)
    }
    fn tcp_send(&mut self, data: &[u8]) -> Result<usize, TcpError> {
        if let Some(error) = self.send_error {
            return Err(error);
        }
        let n = self.room.pop_front().unwrap_or(0).min(data.len());
        self.sent.extend_from_slice(&data[..n]);
        Ok(n)
    }
    fn tcp_receive(&mut self, buf: &mut [u8]) -> Result<Received, TcpError> {
        match self.incoming.front_mut() {
            Some(piece) => {
                let n = piece.len().min(buf.len());
                buf[..n].copy_from_slice(&piece[..n]);
                piece.drain(..n);
                if piece.is_empty() {
                    self.incoming.pop_front();
                }
                Ok(Received::Bytes(n))
            }
            None => self.end.unwrap_or(Ok(Received::WouldBlock)),
        }
    }
    fn tcp_close(&mut self, abort: bool) {
        self.calls.push(format!("close {abort}"));
        self.tcp = None;
    }
    fn udp_send(&mut self, from_port: u16, to: SocketAddrV6, payload: &[u8]) -> Result<(), i32> {
        self.datagrams.push((from_port, to, payload.to_vec()));
        Err(-105)
    }
    fn udp_receive(&mut self, _buf: &mut [u8]) -> Option<(SocketAddrV6, u16, usize)> {
        None
    }
    fn udp_close(&mut self) {
        self.calls.push("udp close".to_owned());
    }
    fn platform_lookup(&mut self, name: &str, _family: Family) -> Result<(), LookupError> {
        self.names.push(name.to_owned());
        Ok(())
    }
    fn poll_platform_lookup(&mut self) -> Option<Result<Vec<IpAddr>, LookupError>> {
        self.answer.take()
    }
    /// Time passes up to the next timer, or a minute.
    fn wait(&mut self, until: Option<Duration>, interest: Interest) {
        self.waits.push((until, interest));
        self.now = until.unwrap_or(self.now + Duration::from_secs(60));
    }
}

/// CONNACK of MQTT 3.1.1: accepted, no session (section 3.2).
const CONNACK: [u8; 4] = [0x20, 2, 0, 0];
/// CONNACK of MQTT 3.1.1: not authorized.
const NOT_AUTHORIZED: [u8; 4] = [0x20, 2, 0, 5];

fn driver(uri: &str) -> Driver<Memory> {
    driver_with(uri, Overflow::Refuse)
}

fn driver_with(uri: &str, overflow: Overflow) -> Driver<Memory> {
    driver_that(Retry::Never, uri, overflow)
}

fn driver_that(retry: Retry, uri: &str, overflow: Overflow) -> Driver<Memory> {
    let client = Client::new(Config {
        resolver: resolver::Config {
            chain: vec![AddressSource::Platform, AddressSource::BorderRouter],
            ..resolver::Config::default()
        },
        session: thread_mqtt_session::Config {
            version: Version::V311,
            event_bytes: 64,
            overflow,
            ..thread_mqtt_session::Config::default()
        },
        retry,
        ..Config::new(uri.parse().unwrap())
    });
    let network = Network {
        attached: true,
        prefixes: vec![AdvertisedPrefix {
            prefix: "64:ff9b::/96".parse().unwrap(),
            preference: Preference::Medium,
        }],
        dns_servers: vec!["[fd00::1]:53".parse().unwrap()],
        native_ipv4: false,
    };
    let port = Memory {
        network,
        ..Memory::default()
    };
    Driver::new(client.unwrap(), port)
}

/// Turns until nothing moves any more, taking the events.
fn settle(driver: &mut Driver<Memory>) -> Vec<Event> {
    let mut events = Vec::new();
    loop {
        let mut busy = driver.turn();
        while let Some(event) = driver.poll_event() {
            busy = true;
            events.push(event);
        }
        if !busy {
            return events;
        }
    }
}

/// A driver whose TCP connection is there and takes everything.
fn connected() -> Driver<Memory> {
    let mut driver = driver("mqtt://192.0.2.1");
    driver.start();
    settle(&mut driver);
    driver.port_mut().tcp = Some(TcpState::Connected);
    driver.port_mut().room = [10_000; 100].into();
    settle(&mut driver);
    driver
}

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

/// Fails the platform's link, so that the border router's DNS is asked.
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

#[test]
fn without_entropy_no_question_leaves_the_device() {
    let (driver, events) = asking(Some(-5));
    assert!(driver.port().datagrams.is_empty());
    assert_eq!(cause(&events), Some((Stage::Resolve, Cause::NoEntropy(-5))));
}

/// Whether the attempt needs entropy or not: its failure is followed by the whole pause.
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

fn message(payload: usize) -> Command {
    let message = Message::new("t", vec![b'x'; payload]).qos(QoS::AtLeastOnce);
    Command::publish(Version::V311, message).unwrap()
}

#[test]
fn commands_without_heap_are_tried_again_soon() {
    let mut driver = driver("mqtt://192.0.2.1");
    driver.port_mut().network = Network::default();
    settle(&mut driver);
    let mut mailbox = Mailbox::new(driver.client());
    for _ in 0..16 {
        mailbox.submit(message(1)).unwrap();
    }
    driver.collect(&mut mailbox);
    with_heap(800, || driver.turn());
    assert!(driver.client().session().outbox_len() < 16);
    assert_eq!(driver.waits_for().0, Some(Duration::from_secs(1)));
    driver.turn();
    assert_eq!(driver.client().session().outbox_len(), 16);
    assert_eq!(driver.waits_for().0, None);
}

/// CONNECT has a copy of the will: without room for it the attempt fails, and the session stays.
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
        // Flags of CONNECT: a will, and no clean start.
        let sent = &driver.port().sent;
        assert!(sent.len() > 20_000);
        assert_eq!(sent[4 + 2 + 4 + 1], 0b100, "{:?}", &sent[..20]);
    }
}

/// A broker that speaks 3.1.1 alone: what 5 has is refused from then on.
#[test]
fn a_mailbox_knows_the_version_that_is_spoken() {
    let mut driver = Driver::new(
        Client::new(Config {
            session: thread_mqtt_session::Config {
                version: Version::V5,
                ..thread_mqtt_session::Config::default()
            },
            fallback_to_v311: true,
            ..Config::new("mqtt://192.0.2.1".parse().unwrap())
        })
        .unwrap(),
        mem::take(driver("mqtt://192.0.2.1").port_mut()),
    );
    let mut mailbox = Mailbox::new(driver.client());
    driver.start();
    settle(&mut driver);
    driver.port_mut().tcp = Some(TcpState::Connected);
    driver.port_mut().room = [10_000; 100].into();
    settle(&mut driver);
    assert_eq!(mailbox.version(), Version::V5);
    // Unacceptable protocol version.
    driver.port_mut().incoming.push_back(vec![0x20, 2, 0, 1]);
    settle(&mut driver);
    driver.collect(&mut mailbox);
    assert_eq!(mailbox.version(), Version::V311);
}

#[test]
fn a_mailbox_counts_what_the_session_holds() {
    let mut driver = driver("mqtt://192.0.2.1");
    let mut mailbox = Mailbox::new(driver.client());
    let mut tokens = Vec::new();
    for _ in 0..10 {
        tokens.push(mailbox.submit(message(1)).unwrap().0);
    }
    driver.collect(&mut mailbox);
    assert_eq!(mailbox.load().commands, 10, "on their way to the session");
    driver.turn();
    assert_eq!(driver.client().session().outbox_len(), 10);
    for _ in 10..16 {
        tokens.push(mailbox.submit(message(1)).unwrap().0);
    }
    let refused = mailbox.submit(message(1)).map_err(|(error, _)| error);
    assert_eq!(refused, Err(CommandError::Full));
    assert_eq!(
        mailbox.check_publish("t", 1, QoS::AtLeastOnce, PublishOptions::default()),
        Err(CommandError::Full),
        "and says so beforehand"
    );
    assert_eq!(
        mailbox.check_publish("t", 20_000, QoS::AtLeastOnce, PublishOptions::default()),
        Err(CommandError::LargerThanOutbox)
    );
    driver.collect(&mut mailbox);
    driver.turn();
    assert_eq!(driver.client().session().outbox_len(), 16);
    assert_eq!(mailbox.load(), driver.client().session().outbox_load());
    assert_eq!(tokens, (1..=16).collect::<Vec<_>>());
}

#[test]
fn a_mailbox_has_the_room_that_acknowledgements_make() {
    let mut driver = connected();
    let mut mailbox = Mailbox::new(driver.client());
    mailbox.start();
    for _ in 0..16 {
        mailbox.submit(message(900)).unwrap();
    }
    assert!(!driver.collect(&mut mailbox), "no room came of that");
    driver.port_mut().incoming.push_back(CONNACK.into());
    settle(&mut driver);
    assert!(!driver.collect(&mut mailbox));
    driver.port_mut().incoming.push_back(vec![0x40, 2, 0, 1]);
    let events = settle(&mut driver);
    let published = thread_mqtt_session::Event::Published(Token(1));
    assert!(events.contains(&Event::Session(published)), "{events:?}");
    assert!(driver.collect(&mut mailbox));
    assert!(mailbox.submit(message(900)).is_ok());
}

fn of_qos(topic: &str, qos: QoS, options: PublishOptions) -> Command {
    let message = Message::new(topic, "x").qos(qos);
    Command::publish_with(Version::V311, message, options).unwrap()
}

fn reading(topic: &str) -> Command {
    of_qos(topic, QoS::AtMostOnce, PublishOptions::default())
}

/// What became of the messages that were given up.
fn given_up(driver: &mut Driver<Memory>) -> Vec<(Token, PublishError)> {
    let failed = |event| match event {
        Event::Session(thread_mqtt_session::Event::PublishFailed(token, error)) => {
            Some((token, error))
        }
        _ => None,
    };
    settle(driver).into_iter().filter_map(failed).collect()
}

#[test]
fn a_burst_of_qos_0_in_a_mailbox_leaves_room_for_an_alarm() {
    let mut driver = driver("mqtt://192.0.2.1");
    let mut mailbox = Mailbox::new(driver.client());
    let mut readings = 0;
    // Before and after the session has taken the first of them.
    for _ in 0..2 {
        while mailbox.submit(reading("r")).is_ok() {
            readings += 1;
        }
        driver.collect(&mut mailbox);
        driver.turn();
    }
    assert_eq!(readings, 12, "three quarters of the outbox");
    for _ in 0..4 {
        mailbox.submit(message(1)).expect("an alarm");
    }
    let refused = mailbox.submit(message(1)).map_err(|(error, _)| error);
    assert_eq!(refused, Err(CommandError::Full));
}

#[test]
fn a_policy_acts_on_what_comes_through_a_mailbox() {
    let mut driver = driver_with("mqtt://192.0.2.1", Overflow::DropOldestQos0);
    let mut mailbox = Mailbox::new(driver.client());
    for _ in 0..12 {
        mailbox.submit(reading("r")).expect("room");
    }
    for _ in 0..12 {
        mailbox
            .submit(message(1))
            .expect("in the place of a reading");
    }
    driver.collect(&mut mailbox);
    let dropped = given_up(&mut driver);
    let expected: Vec<_> = (1..=8)
        .map(|n| (Token(n), PublishError::Displaced))
        .collect();
    assert_eq!(dropped, expected);
    assert_eq!(driver.client().session().outbox_len(), 16);
    // Four readings are left to be dropped; then nothing is.
    driver.collect(&mut mailbox);
    for _ in 0..4 {
        mailbox
            .submit(message(1))
            .expect("in the place of a reading");
    }
    let refused = mailbox.submit(message(1)).map_err(|(error, _)| error);
    assert_eq!(refused, Err(CommandError::Full));
}

/// However many come while the client's thread computes, up to a bound on what there is to tell.
#[test]
fn a_policy_acts_while_the_clients_thread_is_away() {
    let tokens = |range: std::ops::RangeInclusive<u32>, error| {
        range.map(|n| (Token(n), error)).collect::<Vec<_>>()
    };
    for (overflow, error, bound) in [
        (Overflow::DropOldest, PublishError::Displaced, 16 + 16 + 256),
        (
            Overflow::LatestPerTopic,
            PublishError::Superseded,
            16 + 16 + 256,
        ),
    ] {
        let mut driver = driver_with("mqtt://192.0.2.1", overflow);
        let mut mailbox = Mailbox::new(driver.client());
        let mut accepted = 0;
        let refused = loop {
            let none = PublishOptions::default();
            let room = mailbox.check_publish("t", 1, QoS::AtLeastOnce, none);
            match mailbox.submit(message(1)) {
                Ok(token) => assert_eq!((room, token), (Ok(()), Token(accepted + 1))),
                Err((error, _)) => break error,
            }
            accepted += 1;
        };
        assert_eq!(
            (refused, accepted),
            (CommandError::Full, bound),
            "{overflow:?}"
        );
        let mut told = Vec::new();
        for _ in 0..10 {
            driver.collect(&mut mailbox);
            told.extend(given_up(&mut driver));
        }
        told.sort_unstable_by_key(|(token, _)| *token);
        let left = driver.client().session().outbox_len() as u32;
        assert_eq!(told, tokens(1..=accepted - left, error), "{overflow:?}");
        let most = if overflow == Overflow::DropOldest {
            16
        } else {
            1
        };
        assert_eq!(left, most);
        mailbox.submit(message(1)).expect("it acts again");
    }
}

#[test]
fn a_message_of_a_lower_priority_displaces_none() {
    let mut driver = driver_with("mqtt://192.0.2.1", Overflow::DropOldest);
    let mut mailbox = Mailbox::new(driver.client());
    let of = |priority| PublishOptions {
        priority,
        ..PublishOptions::default()
    };
    for _ in 0..16 {
        let command = of_qos("t", QoS::AtLeastOnce, of(Priority::Normal));
        mailbox.submit(command).expect("room");
    }
    let low = of_qos("t", QoS::AtLeastOnce, of(Priority::Low));
    let refused = mailbox.submit(low).map_err(|(error, _)| error);
    assert_eq!(refused, Err(CommandError::Full));
    let high = of_qos("t", QoS::AtLeastOnce, of(Priority::High));
    mailbox.submit(high).expect("in the place of another");
    driver.collect(&mut mailbox);
    assert_eq!(given_up(&mut driver), [(Token(1), PublishError::Displaced)]);
}

#[test]
fn the_latest_of_a_topic_takes_the_place_of_the_one_before_or_is_told_to_have_none() {
    let mut driver = driver_with("mqtt://192.0.2.1", Overflow::LatestPerTopic);
    let mut mailbox = Mailbox::new(driver.client());
    for n in 0..16 {
        let topic = format!("t{n}");
        let command = of_qos(&topic, QoS::AtLeastOnce, PublishOptions::default());
        mailbox.submit(command).expect("room");
    }
    // Whether their topics wait is known to the session alone.
    let again = of_qos("t0", QoS::AtLeastOnce, PublishOptions::default());
    let other = of_qos("u", QoS::AtLeastOnce, PublishOptions::default());
    driver.collect(&mut mailbox);
    driver.turn();
    driver.collect(&mut mailbox);
    assert_eq!(mailbox.submit(again).expect("perhaps"), Token(17));
    assert_eq!(mailbox.submit(other).expect("perhaps"), Token(18));
    driver.collect(&mut mailbox);
    let ends = given_up(&mut driver);
    assert_eq!(
        ends,
        [
            (Token(1), PublishError::Superseded),
            (Token(18), PublishError::NoRoom)
        ]
    );
    assert_eq!(driver.client().session().outbox_len(), 16);
    // Not more at once than an outbox holds, and what there is to tell of those replaced here.
    driver.collect(&mut mailbox);
    let mut sent = 0;
    while mailbox
        .submit(of_qos("u", QoS::AtLeastOnce, PublishOptions::default()))
        .is_ok()
    {
        sent += 1;
    }
    assert_eq!(sent, 16 + 256);
}

#[test]
fn nothing_is_dropped_while_the_events_that_tell_of_it_wait() {
    let mut driver = driver_with("mqtt://192.0.2.1", Overflow::DropOldest);
    let mut mailbox = Mailbox::new(driver.client());
    let mut accepted = 0;
    // The application publishes, and takes no event.
    for _ in 0..100 {
        while mailbox.submit(message(1)).is_ok() {
            accepted += 1;
            assert!(accepted <= 16 + 16 + 256, "without a bound");
        }
        driver.collect(&mut mailbox);
        driver.turn();
    }
    assert!(!driver.collect(&mut mailbox));
    assert_eq!(given_up(&mut driver).len(), accepted - 16);
    assert!(driver.collect(&mut mailbox), "now there is room");
    assert!(mailbox.submit(message(1)).is_ok());
}

#[test]
fn a_mailbox_stops_before_it_starts() {
    let mut driver = driver("mqtt://192.0.2.1");
    let mut mailbox = Mailbox::new(driver.client());
    assert!(!mailbox.stop(), "it was not started");
    assert!(mailbox.start());
    assert!(!mailbox.start(), "it was started already");
    driver.collect(&mut mailbox);
    settle(&mut driver);
    assert_eq!(driver.client().stage(), Some(Stage::Tcp));

    assert!(mailbox.stop());
    assert!(mailbox.start());
    driver.collect(&mut mailbox);
    let events = settle(&mut driver);
    assert!(events.contains(&Event::Stopped), "{events:?}");
    assert_eq!(driver.client().stage(), Some(Stage::Tcp), "and begun anew");

    assert!(mailbox.stop());
    driver.collect(&mut mailbox);
    assert_eq!(settle(&mut driver), [Event::Stopped]);
    assert!(driver.client().is_idle());
}

#[test]
fn a_held_driver_takes_commands_only() {
    let mut driver = driver("mqtt://192.0.2.1");
    let mut mailbox = Mailbox::new(driver.client());
    mailbox.start();
    mailbox.submit(message(1)).unwrap();
    driver.hold(true);
    driver.collect(&mut mailbox);
    settle(&mut driver);
    assert!(driver.client().is_idle());
    assert!(driver.is_wanted());
    assert_eq!(driver.client().session().outbox_len(), 1);
    driver.hold(false);
    settle(&mut driver);
    assert!(!driver.client().is_idle());
}

#[test]
fn messages_keep_their_order_and_identifiers() {
    let mut driver = connected();
    let mut mailbox = Mailbox::new(driver.client());
    mailbox.start();
    driver.port_mut().incoming.push_back(CONNACK.into());
    settle(&mut driver);
    driver.port_mut().sent.clear();
    mailbox.submit(message(1)).unwrap();
    let filter = Command::subscribe(&[("f", QoS::AtMostOnce)]).unwrap();
    mailbox.submit(filter).unwrap();
    mailbox.submit(message(1)).unwrap();
    driver.collect(&mut mailbox);
    settle(&mut driver);
    let expected = [
        &[0x32, 6, 0, 1, b't', 0, 1, b'x'][..],
        &[0x82, 6, 0, 2, 0, 1, b'f', 0],
        &[0x32, 6, 0, 1, b't', 0, 3, b'x'],
    ];
    assert_eq!(driver.port().sent, expected.concat());
}
