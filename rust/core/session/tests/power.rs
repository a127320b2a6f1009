//! A session on a device that loses power: between any two writes to its storage, and during each
//! write, which then leaves what the contract of the storage allows.
//!
//! In addition, connections break at any byte, caused by the network or the broker, with both
//! versions and both kinds of broker. No accepted durable message is lost, and while the broker
//! keeps the session, no QoS 2 message arrives twice in either direction. A storage that is
//! temporarily full may cause a message to arrive twice, but loses none.
//!
//! `THREAD_MQTT_SEEDS=100000 cargo test -p thread-mqtt-session --test power` runs more than the
//! default of 5,000 seeds.

#![cfg(feature = "durable")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use common::broker::{Broker, KINDS, Kind};
use common::flash::{Flash, Medium};
use common::{VERSIONS, qos};
use thread_mqtt_seal::{Key, SealedStore};
use thread_mqtt_session::{
    CommandError, Config, Event, Message, PublishOptions, Session, SessionError, Store, StoreError,
    Token, Version,
};

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn size(&mut self) -> usize {
        match self.below(5) {
            0 => 500 + self.below(1_500) as usize,
            _ => self.below(40) as usize,
        }
    }

    /// Returns how many bytes to transfer.
    fn bytes(&mut self) -> usize {
        match self.below(2) {
            0 => 1 + self.below(12) as usize,
            _ => 1 + self.below(3_000) as usize,
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// The application publishes.
    Publish {
        qos: u8,
        size: usize,
        durable: bool,
    },
    /// The broker has a message for the application.
    Down {
        qos: u8,
        size: usize,
    },
    Up(usize),
    Back(usize),
    Poll(usize),
    /// The connection breaks.
    Break,
    /// The power fails now.
    PowerOff,
    /// The power fails in a write, after this many more.
    PowerOffIn(u64),
    /// The storage is full from now on, or has room again.
    Fill(bool),
}

fn step(random: &mut Random) -> Step {
    match random.below(37) {
        0..4 => Step::Publish {
            qos: random.below(3) as u8,
            size: random.size(),
            durable: random.below(4) != 0,
        },
        4..7 => Step::Down {
            qos: random.below(3) as u8,
            size: random.size(),
        },
        7..18 => Step::Up(random.bytes()),
        18..28 => Step::Back(random.bytes()),
        28..32 => Step::Poll(1 + random.below(4) as usize),
        32 => Step::Break,
        33 => Step::PowerOff,
        34..36 => Step::Fill(random.below(3) == 0),
        _ => Step::PowerOffIn(random.below(8)),
    }
}

#[derive(Debug)]
struct Sent {
    qos: u8,
    durable: bool,
    /// Whether it may be lost: the power failed before `publish` returned, or it was not durable.
    may_be_lost: bool,
    ended: bool,
}

/// Returns the storage as held by a session, encrypted or not.
fn store(flash: &Flash, sealed: bool) -> Box<dyn Store> {
    static NONCES: AtomicU64 = AtomicU64::new(0);
    let fill = |buf: &mut [u8]| {
        let number = NONCES.fetch_add(1, Ordering::Relaxed);
        buf[..8].copy_from_slice(&number.to_le_bytes());
        Ok(())
    };
    if !sealed {
        return flash.store();
    }
    let key = Key::soft(&[7; 16], fill).expect("16 bytes");
    Box::new(SealedStore::new(flash.clone(), key, "device"))
}

/// Adverse conditions in addition to power cuts and broken connections.
#[derive(Debug, Clone, Copy, Default)]
struct Against {
    /// The broker loses its session now and then.
    forgetful: bool,
    /// The records are encrypted.
    sealed: bool,
    /// The storage is full now and then.
    fills: bool,
    /// The broker ends the connections, so that messages become suspects.
    broker: bool,
    /// The broker has a session and messages from a previous run, of which nothing is stored.
    adopts: bool,
}

/// A whole run: device, storage, broker, the commands and their results.
struct Run {
    config: Config,
    session: Session,
    flash: Flash,
    broker: Broker,
    serial: u32,
    up: BTreeMap<u32, Sent>,
    down: BTreeMap<u32, u8>,
    tokens: BTreeMap<Token, u32>,
    received: Vec<u32>,
    /// The power failed while the application was receiving these.
    excused: BTreeSet<u32>,
    against: Against,
    /// The broker lost its session, and the device could not know.
    deceived: bool,
    /// The record of the session's identity was damaged.
    unknown: bool,
    was_online: bool,
    online: bool,
    restarts: u32,
}

impl Run {
    fn new(version: Version, kind: Kind, against: Against, seed: u64) -> Self {
        let config = Config {
            adopt_session: against.adopts,
            ..common::narrow(version)
        };
        let mut broker = Broker::new(version, kind, 4);
        if against.adopts {
            broker.has_session = true;
            let held = (1..20).chain(0x8000..0x8020);
            broker.received = held.map(|id| (id, None)).collect();
        }
        let flash = Flash::new(seed);
        let session = Session::with_store(config.clone(), store(&flash, against.sealed));
        let mut run = Run {
            config,
            session: session.expect("a valid configuration"),
            flash,
            broker,
            serial: 0,
            up: BTreeMap::new(),
            down: BTreeMap::new(),
            tokens: BTreeMap::new(),
            received: Vec::new(),
            excused: BTreeSet::new(),
            against,
            deceived: false,
            unknown: false,
            was_online: false,
            online: false,
            restarts: 0,
        };
        run.session.connect(Duration::ZERO);
        run
    }

    fn payload(&mut self, size: usize) -> (u32, Vec<u8>) {
        self.serial += 1;
        let mut payload = self.serial.to_be_bytes().to_vec();
        payload.resize(4 + size, 0xA5);
        (self.serial, payload)
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Publish { qos, size, durable } => self.publish(qos, size, durable),
            Step::Down { qos, size } => {
                let (serial, payload) = self.payload(size);
                self.down.insert(serial, qos);
                self.broker.queue.push_back((qos, payload));
                self.broker.send_queue();
            }
            Step::Up(n) => {
                let bytes = self.session.transmit(Duration::ZERO);
                let bytes = bytes[..n.min(bytes.len())].to_vec();
                if !self.flash.is_off() {
                    self.session.consume_transmit(bytes.len());
                    self.broker.handle_input(&bytes);
                }
            }
            Step::Back(n) => self.back(n),
            Step::Poll(n) => {
                for _ in 0..n {
                    self.poll();
                }
            }
            Step::Break => self.reconnect(),
            Step::PowerOff => self.flash.turn_off(),
            Step::PowerOffIn(writes) => self.flash.turn_off_in(writes),
            Step::Fill(full) => self.flash.fill(full && self.against.fills),
        }
        if self.flash.is_off() {
            self.restart();
        }
    }

    fn publish(&mut self, level: u8, size: usize, durable: bool) {
        let (serial, payload) = self.payload(size);
        let message = Message::new("up", payload).qos(qos(level));
        let options = PublishOptions {
            durable: if durable { None } else { Some(false) },
            ..PublishOptions::default()
        };
        let published = self.session.publish_with(message, options);
        let off = self.flash.is_off();
        let sent = Sent {
            qos: level,
            durable: durable && level != 0,
            may_be_lost: off,
            ended: false,
        };
        match published {
            Ok(token) => {
                self.up.insert(serial, sent);
                assert!(!token.is_restored());
                self.tokens.insert(token, serial);
            }
            Err(CommandError::NotStored(_)) if off => drop(self.up.insert(serial, sent)),
            Err(CommandError::NotStored(StoreError::Full)) if self.flash.is_full() => {}
            Err(error) => assert_eq!(error, CommandError::Full),
        }
    }

    fn back(&mut self, n: usize) {
        let n = n.min(self.broker.output.len());
        let taken = self
            .session
            .handle_input(&self.broker.output[..n], Duration::ZERO);
        if self.flash.is_off() {
            return;
        }
        if self.session.is_connected() && !std::mem::replace(&mut self.online, true) {
            self.deceived |= self.broker.called_present && self.broker.untold_loss;
            self.broker.untold_loss = false;
            self.was_online = true;
        }
        match taken {
            Ok(taken) => drop(self.broker.output.drain(..taken)),
            Err(SessionError::UnexpectedSession) => {
                assert!(
                    !self.was_online || self.flash.has_missed(),
                    "the session was stored"
                );
                self.reconnect();
            }
            Err(error) => panic!("the broker behaves: {error}"),
        }
    }

    fn poll(&mut self) -> bool {
        let Some(event) = self.session.poll_event() else {
            return false;
        };
        let off = self.flash.is_off();
        match event {
            Event::Message(message) => {
                let serial = message.payload[..4].try_into().expect("a serial");
                let serial = u32::from_be_bytes(serial);
                if off {
                    self.excused.insert(serial);
                } else {
                    self.received.push(serial);
                }
            }
            Event::Published(token) if token.is_restored() => {}
            Event::Published(token) if !off => {
                let serial = self.tokens[&token];
                let sent = self.up.get_mut(&serial).expect("published");
                assert!(!std::mem::replace(&mut sent.ended, true), "one end");
            }
            Event::Connected { .. } | Event::Restored { .. } | Event::Published(_) => {}
            // As left by a power cut during a write.
            Event::RecordDamaged { key } => self.unknown |= key == 0,
            Event::SentAgain(_) => assert!(!self.keeps_sessions() || self.unknown),
            Event::StorageFailed(_) if off => {}
            Event::StorageFailed(StoreError::Full) => assert!(self.against.fills),
            other => panic!("unexpected {other:?}"),
        }
        true
    }

    fn reconnect(&mut self) {
        self.cut();
        if self.against.broker {
            self.session.handle_transport_closed();
        } else {
            self.session.handle_network_lost();
        }
        self.session.connect(Duration::ZERO);
    }

    /// Returns whether both sides knew the session's identity at all times.
    fn keeps_sessions(&self) -> bool {
        !self.against.forgetful && !self.flash.has_missed()
    }

    fn cut(&mut self) {
        self.broker.cut();
        self.online = false;
        if self.against.forgetful && self.serial % 3 == 0 {
            self.broker.lose_session();
        }
    }

    /// Restarts the device. Only the storage survives.
    fn restart(&mut self) {
        self.cut();
        self.flash.turn_on();
        self.restarts += 1;
        for sent in self.up.values_mut() {
            sent.may_be_lost |= !sent.durable && !sent.ended;
        }
        self.tokens.clear();
        let session =
            Session::with_store(self.config.clone(), store(&self.flash, self.against.sealed));
        self.session = session.expect("a valid configuration");
        self.session.connect(Duration::ZERO);
    }

    /// Lets everything settle on a stable connection and storage.
    fn settle(&mut self) {
        self.flash.stay_on();
        self.flash.fill(false);
        self.step(Step::Break);
        for _ in 0..10_000 {
            self.step(Step::Up(usize::MAX));
            self.step(Step::Back(usize::MAX));
            while self.poll() {}
            let quiet = self.session.is_idle() && self.broker.output.is_empty();
            if quiet && self.broker.queue.is_empty() && self.broker.open.is_empty() {
                assert_eq!(self.session.outbox_bytes(), 0);
                assert_eq!(self.flash.messages(), 0, "what is done is forgotten");
                return;
            }
        }
        panic!("did not come to rest: {:?}", self.session);
    }

    fn check(&self) {
        let delivered: Vec<u32> = (self.broker.delivered.iter())
            .map(|payload| u32::from_be_bytes(payload[..4].try_into().expect("a serial")))
            .collect();
        for (serial, sent) in &self.up {
            let count = delivered.iter().filter(|one| *one == serial).count();
            let lost_by_the_broker = self.deceived && sent.qos == 2;
            if sent.qos > 0 && !sent.may_be_lost && !lost_by_the_broker {
                assert!(count > 0, "message {serial}, {sent:?}, is lost");
            }
            if sent.qos != 1 && self.keeps_sessions() {
                assert!(
                    count <= 1,
                    "message {serial}, {sent:?}, arrived {count} times"
                );
            }
        }
        if self.keeps_sessions() && !self.against.broker {
            self.check_order(&delivered);
        }
        for (serial, qos) in &self.down {
            let count = self.received.iter().filter(|one| *one == serial).count();
            let excused = self.excused.contains(serial);
            if *qos == 1 || *qos == 2 && !excused {
                let lost_by_the_broker = !self.keeps_sessions();
                assert!(count > 0 || lost_by_the_broker, "{serial} was not received");
            }
            if *qos != 1 && self.keeps_sessions() {
                assert!(count <= 1, "{serial} was received {count} times");
            }
        }
    }

    /// Checks that durable messages of one QoS arrive in the order of publishing.
    fn check_order(&self, delivered: &[u32]) {
        for level in 1..3 {
            let mut seen = Vec::new();
            for serial in delivered {
                let sent = &self.up[serial];
                if sent.durable && sent.qos == level && !seen.contains(serial) {
                    seen.push(*serial);
                }
            }
            assert!(seen.is_sorted(), "QoS {level} out of order: {seen:?}");
        }
    }
}

fn run(seed: u64, mut against: Against) -> u32 {
    let mut random = Random(seed);
    let version = VERSIONS[random.below(2) as usize];
    let kind = KINDS[random.below(2) as usize];
    against.broker = random.below(2) == 0;
    let mut run = Run::new(version, kind, against, seed);
    for _ in 0..30 + random.below(200) {
        run.step(step(&mut random));
    }
    run.settle();
    run.check();
    run.restarts
}

fn seeds() -> u64 {
    match std::env::var("THREAD_MQTT_SEEDS") {
        Ok(number) => number.parse().expect("THREAD_MQTT_SEEDS is a number"),
        Err(_) => 5_000,
    }
}

fn run_all(seeds: u64, against: Against) {
    let mut restarts = 0;
    for seed in 0..seeds {
        let one = std::panic::catch_unwind(|| run(seed, against));
        restarts += one.unwrap_or_else(|_| panic!("seed {seed}"));
    }
    assert!(u64::from(restarts) > 3 * seeds, "{restarts} power cuts");
}

#[test]
fn nothing_accepted_is_lost_and_qos_2_arrives_once() {
    run_all(seeds(), Against::default());
}

#[test]
fn nothing_accepted_is_lost_with_a_broker_that_forgets() {
    let forgetful = true;
    let against = Against {
        forgetful,
        ..Against::default()
    };
    run_all(seeds(), against);
}

/// The session is from a previous run, whose identifiers the broker remembers.
#[test]
fn nothing_accepted_is_lost_in_a_session_that_was_taken_over() {
    for forgetful in [false, true] {
        let adopts = true;
        let against = Against {
            forgetful,
            adopts,
            ..Against::default()
        };
        run_all(seeds() / 2, against);
    }
}

#[test]
fn the_same_where_the_storage_is_encrypted() {
    for forgetful in [false, true] {
        let sealed = true;
        let against = Against {
            forgetful,
            sealed,
            ..Against::default()
        };
        run_all(seeds() / 5, against);
    }
}

#[test]
fn nothing_accepted_is_lost_where_the_storage_is_full_for_a_while() {
    for forgetful in [false, true] {
        for sealed in [false, true] {
            let fills = true;
            let against = Against {
                forgetful,
                sealed,
                fills,
                ..Against::default()
            };
            run_all(seeds() / 5, against);
        }
    }
}

/// One exchange of each kind, with a power cut in each of its writes, in each way.
#[test]
fn a_cut_in_each_write_of_each_exchange() {
    for version in VERSIONS {
        for kind in KINDS {
            for sealed in [false, true] {
                for adopts in [false, true] {
                    let against = Against {
                        sealed,
                        adopts,
                        ..Against::default()
                    };
                    let writes = writes_of(version, kind, against, None);
                    assert!(writes >= 8, "{writes} writes");
                    for write in 0..writes {
                        for tear in 0..Medium::TEARS {
                            writes_of(version, kind, against, Some((write, tear)));
                        }
                    }
                }
            }
        }
    }
}

fn writes_of(version: Version, kind: Kind, against: Against, cut: Option<(u64, u64)>) -> u64 {
    let mut run = Run::new(version, kind, against, 0);
    if let Some((write, tear)) = cut {
        run.flash.turn_off_in(write);
        run.flash.tear_like(tear);
    }
    for qos in [1, 2] {
        let (size, durable) = (20, true);
        run.step(Step::Publish { qos, size, durable });
        run.step(Step::Down { qos, size });
    }
    for _ in 0..8 {
        run.step(Step::Up(usize::MAX));
        run.step(Step::Back(usize::MAX));
        run.step(Step::Poll(4));
    }
    run.settle();
    run.check();
    run.flash.writes()
}
