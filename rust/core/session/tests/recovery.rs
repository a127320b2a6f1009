//! A session with a small broker over connections that break at any byte, seeded.
//!
//! Whatever happens: QoS 0 arrives at most once, QoS 1 at least once and QoS 2 exactly once, in
//! both directions, with both versions and both kinds of broker, and every command ends in exactly
//! one event. Large messages arrive whole, or in pieces that add up. If the broker loses the
//! session, QoS 2 may arrive twice, and that is reported.

mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use common::broker::{Broker, KINDS, Kind};
use common::{Assembly, VERSIONS, qos};
use proptest::prelude::*;
use thread_mqtt_session::{
    CommandError, CutReason, Event, Message, Pieces, PublishOptions, Session, SessionError, Token,
    Version,
};

/// One random step.
#[derive(Debug, Clone)]
enum Step {
    /// The application publishes.
    Publish { qos: u8, size: usize },
    /// The broker has a message for the application.
    Down { qos: u8, size: usize },
    /// Up to this many bytes go to the broker.
    Up(usize),
    /// Up to this many bytes come from the broker.
    Back(usize),
    /// The application takes this many events.
    Poll(usize),
    /// The connection breaks.
    Cut,
    /// A second passes.
    Wait,
}

fn step() -> impl Strategy<Value = Step> {
    let size = prop_oneof![4 => 0usize..40, 1 => 500usize..2_000];
    prop_oneof![
        3 => (0u8..3, size.clone()).prop_map(|(qos, size)| Step::Publish { qos, size }),
        3 => (0u8..3, size).prop_map(|(qos, size)| Step::Down { qos, size }),
        8 => prop_oneof![1usize..12, 1usize..3_000].prop_map(Step::Up),
        8 => prop_oneof![1usize..12, 1usize..3_000].prop_map(Step::Back),
        4 => (1usize..5).prop_map(Step::Poll),
        2 => Just(Step::Cut),
        1 => Just(Step::Wait),
    ]
}

/// A whole run: both ends, the commands and their results.
struct Run {
    session: Session,
    broker: Broker,
    now: Duration,
    serial: u32,
    /// QoS of every message, by the first four bytes of its payload.
    up: BTreeMap<u32, u8>,
    down: BTreeMap<u32, u8>,
    tokens: BTreeMap<Token, u32>,
    published: Vec<Token>,
    received: Vec<u32>,
    assembly: Assembly,
    /// Whether large messages are published in pieces as well, and their payloads.
    pieces: bool,
    payloads: BTreeMap<Token, Vec<u8>>,
    /// Messages reported as possibly arriving twice.
    again: Vec<u32>,
    /// The broker may lose the session at a cut.
    forgetful: bool,
    /// The network ends the connections, not the broker: nothing is suspected, and the order is
    /// preserved.
    network: bool,
    was_online: bool,
    online: bool,
    /// The broker lost the session, and the CONNACK that says so was lost as well: messages between
    /// PUBREC and PUBCOMP may be lost or arrive twice, and MQTT has no way to detect this.
    deceived: bool,
}

impl Run {
    fn new(version: Version, kind: Kind, forgetful: bool, network: bool, pieces: bool) -> Self {
        let mut config = common::narrow(version);
        if pieces {
            config = common::in_pieces(config);
        }
        let mut run = Run {
            session: Session::new(config).expect("a valid configuration"),
            broker: Broker::new(version, kind, 4),
            now: Duration::ZERO,
            serial: 0,
            up: BTreeMap::new(),
            down: BTreeMap::new(),
            tokens: BTreeMap::new(),
            published: Vec::new(),
            received: Vec::new(),
            assembly: Assembly::default(),
            pieces,
            payloads: BTreeMap::new(),
            again: Vec::new(),
            forgetful,
            network,
            was_online: false,
            online: false,
            deceived: false,
        };
        run.session.connect(run.now);
        run
    }

    fn payload(&mut self, size: usize) -> (u32, Vec<u8>) {
        self.serial += 1;
        let mut payload = self.serial.to_be_bytes().to_vec();
        payload.resize(4 + size, 0xA5);
        (self.serial, payload)
    }

    fn publish(&mut self, level: u8, payload: Vec<u8>) -> Result<Token, CommandError> {
        let message = |payload| Message::new("up", payload).qos(qos(level));
        if !self.pieces || payload.len() < 500 || cfg!(not(feature = "pieces")) {
            return self.session.publish(message(payload));
        }
        let (total, piece) = (payload.len() as u32, 100 + payload.len() as u32 % 400);
        let pieces = Pieces { total, piece };
        let options = PublishOptions::default();
        let message = message(Vec::new());
        let token = self.session.publish_in_pieces(message, pieces, options)?;
        self.payloads.insert(token, payload);
        Ok(token)
    }

    /// Supplies a piece of any allowed length. A connection may have ended since it was requested.
    fn supply(&mut self, token: Token, offset: u32, length: u32) {
        let payload = &self.payloads[&token];
        let length = 1 + self.serial.wrapping_mul(7) % length;
        let piece = payload[offset as usize..][..length as usize].to_vec();
        match self.session.supply(token, offset, piece) {
            Ok(()) | Err(CommandError::PieceNotWanted) => {}
            Err(error) => panic!("{error}"),
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Publish { qos: level, size } => {
                let (serial, payload) = self.payload(size);
                match self.publish(level, payload) {
                    Ok(token) => {
                        self.up.insert(serial, level);
                        assert_eq!(self.tokens.insert(token, serial), None);
                    }
                    Err(error) => assert_eq!(error, CommandError::Full),
                }
            }
            Step::Down { qos, size } => {
                let (serial, payload) = self.payload(size);
                self.down.insert(serial, qos);
                self.broker.queue.push_back((qos, payload));
                self.broker.send_queue();
            }
            Step::Up(n) => {
                let bytes = self.session.transmit(self.now);
                let bytes = bytes[..n.min(bytes.len())].to_vec();
                self.session.consume_transmit(bytes.len());
                self.broker.handle_input(&bytes);
            }
            Step::Back(n) => {
                let n = n.min(self.broker.output.len());
                let taken = self
                    .session
                    .handle_input(&self.broker.output[..n], self.now);
                if self.session.is_connected() && !std::mem::replace(&mut self.online, true) {
                    // The client has seen the CONNACK of this connection.
                    self.deceived |= self.broker.called_present && self.broker.untold_loss;
                    self.broker.untold_loss = false;
                }
                match taken {
                    Ok(taken) => drop(self.broker.output.drain(..taken)),
                    // The first CONNACK was lost: MQTT 5 then asks for a new session.
                    Err(SessionError::UnexpectedSession) => {
                        assert!(!self.was_online);
                        self.step(&Step::Cut);
                    }
                    Err(error) => panic!("the broker behaves: {error}"),
                }
            }
            Step::Poll(n) => {
                for _ in 0..n {
                    self.poll();
                }
            }
            Step::Cut => {
                self.broker.cut();
                self.online = false;
                if self.forgetful && self.serial % 3 == 0 {
                    self.broker.lose_session();
                }
                if self.network {
                    self.session.handle_network_lost();
                } else {
                    self.session.handle_transport_closed();
                }
                self.session.connect(self.now);
            }
            Step::Wait => {
                self.now += Duration::from_secs(1);
                self.session
                    .handle_timeout(self.now)
                    .expect("nothing is overdue");
                let due = self.session.poll_timeout();
                assert!(due.is_none_or(|due| due > self.now), "{due:?}");
            }
        }
    }

    fn poll(&mut self) -> bool {
        let Some(event) = self.session.poll_event() else {
            return false;
        };
        let Some(event) = self.assembly.take(event) else {
            return true;
        };
        match event {
            Event::MessageCut { reason, .. } => assert_eq!(reason, CutReason::ConnectionLost),
            Event::PieceWanted {
                token,
                offset,
                length,
            } => self.supply(token, offset, length),
            Event::Connected { .. } => self.was_online = true,
            Event::SentAgain(token) => {
                assert!(self.forgetful);
                self.again.push(self.tokens[&token]);
            }
            Event::Published(token) => self.published.push(token),
            Event::Message(message) => {
                assert_eq!(message.topic, "down");
                let (serial, rest) = message.payload.split_first_chunk().expect("a serial");
                let serial = u32::from_be_bytes(*serial);
                assert_eq!(message.qos, qos(self.down[&serial]));
                assert!(rest.iter().all(|byte| *byte == 0xA5));
                self.received.push(serial);
            }
            other => panic!("unexpected {other:?}"),
        }
        true
    }

    /// Lets everything settle on a stable connection.
    fn settle(&mut self) {
        self.step(&Step::Cut);
        for _ in 0..10_000 {
            self.step(&Step::Up(usize::MAX));
            self.step(&Step::Back(usize::MAX));
            while self.poll() {}
            let quiet = self.session.is_idle() && self.broker.output.is_empty();
            if quiet && self.broker.queue.is_empty() && self.broker.open.is_empty() {
                assert_eq!(self.session.in_flight(), 0);
                assert_eq!(self.session.outbox_bytes(), 0);
                return;
            }
        }
        panic!("did not come to rest: {:?}", self.session);
    }

    fn check(&self) {
        let delivered: Vec<u32> = self
            .broker
            .delivered
            .iter()
            .map(|payload| u32::from_be_bytes(payload[..4].try_into().expect("a serial")))
            .collect();
        let order = self.network && !self.forgetful;
        if !self.deceived {
            check_counts(&self.up, &delivered, &self.again, order);
        }
        if !self.forgetful {
            check_counts(&self.down, &self.received, &[], true);
        }
        let mut published = self.published.clone();
        published.sort();
        let tokens: Vec<Token> = self.tokens.keys().copied().collect();
        assert_eq!(published, tokens, "one end for every command");
    }
}

/// Checks that each message arrived as often as its QoS promises, QoS 2 twice only if that was
/// reported, and that first arrivals are in the order of sending.
fn check_counts(sent: &BTreeMap<u32, u8>, arrived: &[u32], again: &[u32], order: bool) {
    for (serial, qos) in sent {
        let count = arrived.iter().filter(|one| *one == serial).count();
        match qos {
            0 => assert!(count <= 1, "QoS 0 message {serial} arrived {count} times"),
            1 => assert!(count >= 1, "QoS 1 message {serial} did not arrive"),
            _ if again.contains(serial) => {
                assert!(count >= 1, "QoS 2 message {serial} did not arrive")
            }
            _ => assert_eq!(count, 1, "QoS 2 message {serial}"),
        }
    }
    for level in (0..3).filter(|_| order) {
        let mut seen = Vec::new();
        for serial in arrived {
            if sent.get(serial) == Some(&level) && !seen.contains(serial) {
                seen.push(*serial);
            }
        }
        assert!(seen.is_sorted(), "QoS {level} out of order: {seen:?}");
    }
}

fn run(steps: &[Step], forgetful: bool, network: bool) {
    for version in VERSIONS {
        for kind in KINDS {
            for pieces in [false, true] {
                let mut run = Run::new(version, kind, forgetful, network, pieces);
                for step in steps {
                    run.step(step);
                }
                run.settle();
                run.check();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_promise_of_each_qos_holds(steps in prop::collection::vec(step(), 1..250)) {
        run(&steps, false, true);
    }

    #[test]
    fn a_broker_that_forgets_still_gets_everything(steps in prop::collection::vec(step(), 1..150)) {
        run(&steps, true, true);
    }

    #[test]
    fn connections_that_the_broker_ends_lose_nothing(
        steps in prop::collection::vec(step(), 1..150),
        forgetful in any::<bool>(),
    ) {
        run(&steps, forgetful, false);
    }
}
