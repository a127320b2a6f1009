//! A small broker of either kind. It keeps a session and can lose it.

use std::collections::VecDeque;

use thread_mqtt_session::Version;

use super::{Publish, Seen, parse, wire};

/// When a broker forwards a QoS 2 message (section 4.3.3, figure 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// With PUBLISH.
    AtPublish,
    /// With PUBREL, as Mosquitto does.
    AtPubrel,
}

pub(crate) const KINDS: [Kind; 2] = [Kind::AtPublish, Kind::AtPubrel];

/// What a broker keeps for a client while it is away, and its end of the connection.
pub(crate) struct Broker {
    pub(crate) version: Version,
    pub(crate) kind: Kind,
    /// Forwarded payloads, in order.
    pub(crate) delivered: Vec<Vec<u8>>,
    /// QoS 2 messages received and not released, with the payload if it was not forwarded yet.
    pub(crate) received: Vec<(u16, Option<Vec<u8>>)>,
    /// Messages for the client that were not sent yet.
    pub(crate) queue: VecDeque<(u8, Vec<u8>)>,
    /// Messages in flight: identifier, and the message until PUBREC.
    pub(crate) open: VecDeque<(u16, Option<Publish>)>,
    pub(crate) next_id: u16,
    pub(crate) window: usize,
    pub(crate) has_session: bool,
    /// Whether it lost a session that it has not replaced yet; whether it has replaced one without
    /// the client knowing; and the last CONNACK's Session Present.
    pub(crate) lost: bool,
    pub(crate) untold_loss: bool,
    pub(crate) called_present: bool,
    pub(crate) online: bool,
    pub(crate) input: Vec<u8>,
    pub(crate) output: Vec<u8>,
}

impl Broker {
    pub(crate) fn new(version: Version, kind: Kind, window: usize) -> Self {
        Broker {
            version,
            kind,
            delivered: Vec::new(),
            received: Vec::new(),
            queue: VecDeque::new(),
            open: VecDeque::new(),
            next_id: 0,
            window,
            has_session: false,
            lost: false,
            untold_loss: false,
            called_present: false,
            online: false,
            input: Vec::new(),
            output: Vec::new(),
        }
    }

    pub(crate) fn cut(&mut self) {
        self.online = false;
        self.input.clear();
        self.output.clear();
    }

    pub(crate) fn lose_session(&mut self) {
        self.has_session = false;
        self.lost = true;
        self.received.clear();
        // Messages in flight to the client are lost; the test queues none in that case.
        self.open.clear();
    }

    pub(crate) fn handle_input(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        while let Some(packet) = parse(self.version, &mut self.input) {
            self.handle(packet);
        }
        self.send_queue();
    }

    pub(crate) fn handle(&mut self, packet: Seen) {
        match packet {
            Seen::Connect { clean, .. } => {
                assert!(!self.online, "a second CONNECT");
                if clean {
                    // What was in flight starts over in the new session, and received messages are
                    // done.
                    self.has_session = false;
                    self.received.clear();
                    let open = std::mem::take(&mut self.open).into_iter().rev();
                    for message in open.filter_map(|(_, message)| message) {
                        self.queue.push_front((message.qos, message.payload));
                    }
                }
                self.online = true;
                self.output
                    .extend(wire::connack(self.version, self.has_session));
                self.untold_loss |= std::mem::take(&mut self.lost);
                self.called_present = self.has_session;
                self.has_session = true;
                for (id, message) in &self.open {
                    let again = match message {
                        Some(message) => wire::publish(self.version, &message.clone().dup()),
                        None => wire::pubrel(*id),
                    };
                    self.output.extend(again);
                }
            }
            _ if !self.online => panic!("{packet:?} before CONNECT"),
            Seen::Publish(p) => match p.qos {
                0 => self.delivered.push(p.payload),
                1 => {
                    self.delivered.push(p.payload);
                    self.output.extend(wire::puback(p.id, 0));
                }
                _ => {
                    if self.received.iter().any(|(id, _)| *id == p.id) {
                        assert!(p.dup, "packet identifier {} is in use", p.id);
                    } else if self.kind == Kind::AtPublish {
                        self.received.push((p.id, None));
                        self.delivered.push(p.payload);
                    } else {
                        self.received.push((p.id, Some(p.payload)));
                    }
                    self.output.extend(wire::pubrec(p.id, 0));
                }
            },
            Seen::Pubrel(id, _) => {
                if let Some(at) = self.received.iter().position(|(known, _)| *known == id) {
                    self.delivered.extend(self.received.remove(at).1);
                }
                self.output.extend(wire::pubcomp(id));
            }
            Seen::Puback(id) | Seen::Pubcomp(id, _) => self.open.retain(|(open, _)| *open != id),
            Seen::Pubrec(id) => {
                for (open, message) in &mut self.open {
                    if *open == id {
                        *message = None;
                    }
                }
                self.output.extend(wire::pubrel(id));
            }
            Seen::Pingreq => self.output.extend(wire::PINGRESP),
            other => panic!("not part of this test: {other:?}"),
        }
    }

    pub(crate) fn send_queue(&mut self) {
        while self.online && self.open.len() < self.window {
            let Some((qos, payload)) = self.queue.pop_front() else {
                return;
            };
            let mut publish = Publish::new("down", payload, qos, 0);
            if qos > 0 {
                self.next_id = self.next_id % 50 + 1;
                while self.open.iter().any(|(id, _)| *id == self.next_id) {
                    self.next_id = self.next_id % 50 + 1;
                }
                publish.id = self.next_id;
                self.open.push_back((publish.id, Some(publish.clone())));
            }
            self.output.extend(wire::publish(self.version, &publish));
        }
    }
}
