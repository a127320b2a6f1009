//! Short exchanges at QoS 1 and 2, cut at every byte in both directions.
//!
//! Each direction of the connection carries a limited number of bytes before it ends, in every
//! combination; or the connection ends twice, each time after any number of bytes. This is done
//! with both versions, both kinds of broker, a session that the broker keeps and one that it loses
//! at the first cut, an application that takes its events at once and one that takes none before
//! the cut, and messages whole and in pieces. Nothing that was accepted is lost, and with a kept
//! session no QoS 2 message arrives twice.

mod common;

use std::time::Duration;

use common::broker::{Broker, KINDS, Kind};
use common::{Assembly, VERSIONS, qos};
use thread_mqtt_session::{
    CommandError, Config, Event, Message, Pieces, PublishOptions, Session, SessionError, Token,
    Version,
};

const NOW: Duration = Duration::ZERO;

/// What is exchanged, and between which ends.
#[derive(Debug, Clone, Copy)]
struct Case {
    version: Version,
    kind: Kind,
    /// From the client to the broker, or the other way.
    up: bool,
    level: u8,
    /// The broker loses the session at the first cut.
    loses: bool,
    /// The application takes its events at once.
    eager: bool,
    pieces: bool,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let flags = |bits: u8| [0, 1, 2, 3].map(|bit| bits >> bit & 1 == 1);
    for version in VERSIONS {
        for kind in KINDS {
            for level in [1, 2] {
                for [up, loses, eager, pieces] in (0..16).map(flags) {
                    cases.push(Case {
                        version,
                        kind,
                        up,
                        level,
                        loses,
                        eager,
                        pieces: pieces && cfg!(feature = "pieces"),
                    });
                }
            }
        }
    }
    cases
}

/// Bytes that a connection carries.
#[derive(Debug, Clone, Copy)]
enum Until {
    /// In each direction.
    Each(usize, usize),
    /// In both directions together.
    All(usize),
    End,
}

/// Both ends.
struct Run {
    case: Case,
    session: Session,
    broker: Broker,
    assembly: Assembly,
    token: Option<Token>,
    payload: Vec<u8>,
    published: usize,
    again: usize,
    received: Vec<Vec<u8>>,
    /// Bytes sent up and down on the current connection.
    moved: (usize, usize),
    online: bool,
    /// The broker lost the session, and the CONNACK that says so was lost as well. MQTT has no way
    /// to detect this.
    deceived: bool,
}

impl Run {
    fn new(case: Case) -> Self {
        let config = common::lasting(case.version);
        let mut session = Session::new(match case.pieces {
            false => config,
            true => Config {
                max_packet_size: 64,
                max_size_in_pieces: 1_000,
                ..config
            },
        })
        .expect("a valid configuration");
        let mut broker = Broker::new(case.version, case.kind, 4);
        let payload = vec![b'p'; if case.pieces { 70 } else { 3 }];
        let mut token = None;
        if case.up {
            token = Some(publish(&mut session, case, &payload));
        } else {
            broker.queue.push_back((case.level, payload.clone()));
        }
        Run {
            case,
            session,
            broker,
            assembly: Assembly::default(),
            token,
            payload,
            published: 0,
            again: 0,
            received: Vec::new(),
            moved: (0, 0),
            online: false,
            deceived: false,
        }
    }

    /// Runs one connection.
    fn connect(&mut self, until: Until) {
        self.session.connect(NOW);
        self.moved = (0, 0);
        self.online = false;
        loop {
            let moved = self.moved;
            let refused = !self.turn(until);
            if self.case.eager || matches!(until, Until::End) {
                self.poll();
            }
            if refused || self.moved == moved && self.session.transmit(NOW).is_empty() {
                break;
            }
            if self.moved == moved && !matches!(until, Until::End) {
                break;
            }
        }
    }

    /// Moves what can be moved. Returns false if the client ends the connection.
    fn turn(&mut self, until: Until) -> bool {
        let (up, down) = self.moved;
        let left = match until {
            Until::Each(i, _) => i - up,
            // One byte at a time, so that both directions get their turns.
            Until::All(all) => (all - up - down).min(1),
            Until::End => usize::MAX,
        };
        let shown = self.session.transmit(NOW);
        let bytes = shown[..shown.len().min(left)].to_vec();
        self.session.consume_transmit(bytes.len());
        self.broker.handle_input(&bytes);
        self.moved.0 += bytes.len();
        let left = match until {
            Until::Each(_, j) => j - down,
            Until::All(all) => (all - up - down - bytes.len()).min(1),
            Until::End => usize::MAX,
        };
        let n = self.broker.output.len().min(left);
        match self.session.handle_input(&self.broker.output[..n], NOW) {
            Ok(taken) => {
                self.broker.output.drain(..taken);
                self.moved.1 += taken;
            }
            // The first CONNACK was lost: MQTT 5 then asks for a new session.
            Err(SessionError::UnexpectedSession) => return false,
            Err(error) => panic!("the broker behaves: {error}"),
        }
        if self.session.is_connected() && !std::mem::replace(&mut self.online, true) {
            self.deceived |= self.broker.called_present && self.broker.untold_loss;
            self.broker.untold_loss = false;
        }
        true
    }

    fn cut(&mut self, loses: bool) {
        self.broker.cut();
        if loses {
            self.broker.lose_session();
        }
        self.session.handle_transport_closed();
    }

    fn poll(&mut self) {
        while let Some(event) = self.session.poll_event() {
            let Some(event) = self.assembly.take(event) else {
                continue;
            };
            match event {
                Event::Connected { .. } | Event::MessageCut { .. } => {}
                Event::Published(token) => {
                    assert_eq!(Some(token), self.token);
                    self.published += 1;
                }
                Event::SentAgain(token) => {
                    assert_eq!(Some(token), self.token);
                    self.again += 1;
                }
                Event::Message(message) => {
                    assert_eq!(message.qos, qos(self.case.level));
                    self.received.push(message.payload);
                }
                Event::PieceWanted {
                    token,
                    offset,
                    length,
                } => {
                    let piece = self.payload[offset as usize..][..length as usize].to_vec();
                    let supplied = self.session.supply(token, offset, piece);
                    let is_late = supplied == Err(CommandError::PieceNotWanted);
                    assert!(supplied.is_ok() || is_late, "{supplied:?}");
                }
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    /// Lets everything settle, and checks the result.
    fn finish(mut self, what: &dyn std::fmt::Debug) {
        for _ in 0..3 {
            self.connect(Until::End);
            if self.session.is_connected() {
                break;
            }
            self.cut(false);
        }
        let case = self.case;
        assert!(self.session.is_idle(), "{case:?} {what:?}");
        assert!(self.broker.output.is_empty() && self.broker.open.is_empty());
        let kept = !case.loses;
        if case.up {
            let count = self.broker.delivered.len();
            assert!(self.broker.delivered.iter().all(|one| *one == self.payload));
            assert_eq!(self.published, 1, "{case:?} {what:?}");
            match case.level {
                1 => assert!(count >= 1, "{case:?} {what:?}"),
                _ if self.deceived => {}
                _ if self.again > 0 => assert!(count >= 1 && !kept, "{case:?} {what:?}"),
                _ => assert_eq!(count, 1, "{case:?} {what:?}"),
            }
        } else {
            let count = self.received.len();
            assert!(self.received.iter().all(|one| *one == self.payload));
            match case.level {
                _ if !kept => assert!(case.level == 1 || count <= 1, "{case:?} {what:?}"),
                1 => assert!(count >= 1, "{case:?} {what:?}"),
                _ => assert_eq!(count, 1, "{case:?} {what:?}"),
            }
            // Whatever happened, the next message arrives exactly once.
            self.broker.queue.push_back((case.level, b"next".to_vec()));
            self.payload = b"next".to_vec();
            self.received.clear();
            self.broker.send_queue();
            while !self.broker.output.is_empty() || !self.session.transmit(NOW).is_empty() {
                assert!(self.turn(Until::End));
                self.poll();
            }
            assert_eq!(self.received, [b"next"], "{case:?} {what:?}");
        }
    }
}

fn publish(session: &mut Session, case: Case, payload: &[u8]) -> Token {
    let message = |payload: &[u8]| Message::new("up", payload).qos(qos(case.level));
    let published = match case.pieces {
        false => session.publish(message(payload)),
        true => {
            let pieces = Pieces {
                total: payload.len() as u32,
                piece: 30,
            };
            session.publish_in_pieces(message(b""), pieces, PublishOptions::default())
        }
    };
    published.expect("room")
}

/// Returns how many bytes an uncut exchange takes in each direction.
fn whole(case: Case) -> (usize, usize) {
    let mut run = Run::new(case);
    run.connect(Until::End);
    assert!(run.session.is_idle() && run.published + run.received.len() == 1);
    run.moved
}

#[test]
fn one_cut_at_any_byte_of_either_direction() {
    let mut runs = 0;
    for case in cases() {
        let (up, down) = whole(case);
        assert!(up > 20 && down > 7, "{up} {down}");
        for i in 0..=up {
            for j in 0..=down {
                let mut run = Run::new(case);
                run.connect(Until::Each(i, j));
                run.cut(case.loses);
                run.finish(&(i, j));
                runs += 1;
            }
        }
    }
    assert!(runs > 50_000, "{runs}");
}

#[test]
fn two_cuts_after_any_number_of_bytes() {
    let mut runs = 0;
    // For incoming messages, it matters when events are taken.
    let twice = |case: &Case| !case.pieces && (case.eager || !case.up);
    for case in cases().into_iter().filter(twice) {
        let (up, down) = whole(case);
        // A retransmission takes no more than the exchange.
        for (first, second) in (0..=up + down).flat_map(|n| (0..=up + down).map(move |m| (n, m))) {
            let mut run = Run::new(case);
            run.connect(Until::All(first));
            run.cut(case.loses);
            run.connect(Until::All(second));
            run.cut(false);
            run.finish(&(first, second));
            runs += 1;
        }
    }
    assert!(runs > 50_000, "{runs}");
}
