//! An MQTT broker with one client: what it publishes comes back if it has subscribed.
//!
//! Retained messages, shared subscriptions, topic aliases and other clients are left out, because
//! nothing here needs them.
use super::codec::{self, Ack, Connect, Filter, Incoming, Message, Outgoing, Version, Violation};
use super::topic::matches;
use super::{Config, Log, OnlyV311};
use mqtt_proto::v5::DisconnectReasonCode;
use std::collections::{BTreeSet, VecDeque};

/// The state that survives a connection.
#[derive(Debug, Default)]
pub(super) struct Session {
    client_id: String,
    subscriptions: Vec<Filter>,
    /// QoS 2 messages from the client that wait for its PUBREL.
    unreleased: BTreeSet<u16>,
    /// Unfinished messages to the client, oldest first.
    inflight: VecDeque<Inflight>,
    next_pid: u16,
}

#[derive(Debug)]
struct Inflight {
    /// 0 until first sent.
    pid: u16,
    message: Message,
    state: Delivery,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Delivery {
    /// Not sent on any connection yet.
    Queued,
    /// Waits for PUBACK or PUBREC.
    Published,
    /// Waits for PUBCOMP.
    Released,
}

/// The MQTT state of one connection.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    input: Vec<u8>,
    output: Vec<u8>,
    connect: Option<Connect>,
    ended: bool,
}

impl Exchange {
    /// Returns plaintext for the client.
    pub(super) fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// Returns whether the broker has finished with this connection.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// Processes plaintext from the client.
    pub(super) fn handle_input(
        &mut self,
        data: &[u8],
        config: &Config,
        session: &mut Session,
        log: &mut Log,
    ) {
        self.input.extend_from_slice(data);
        while !self.ended {
            let version = self.connect.as_ref().map(|connect| connect.version);
            let result = match codec::decode(&mut self.input, version, config.max_packet_size) {
                Ok(None) => return,
                Ok(Some(incoming)) => self.handle(incoming, config, session, log),
                Err(violation) => Err(violation),
            };
            if let Err(violation) = result {
                self.end(violation, log);
            }
        }
    }

    /// Called when the transport is gone. Publishes the will of a client that has not disconnected.
    pub(super) fn handle_closed(&mut self, log: &mut Log) {
        if let Some(will) = self.connect.take().and_then(|connect| connect.will) {
            log.wills.push(will);
        }
    }

    fn handle(
        &mut self,
        incoming: Incoming,
        config: &Config,
        session: &mut Session,
        log: &mut Log,
    ) -> Result<(), Violation> {
        match (incoming, &self.connect) {
            (Incoming::Connect(connect), None) => self.accept(connect, config, session, log)?,
            (Incoming::Connect(_), Some(_)) | (_, None) => return Err(Violation::Protocol),
            (Incoming::Publish { message, pid }, Some(_)) => {
                self.handle_publish(message, pid, session, log)?;
            }
            (Incoming::Ack(ack, pid), Some(_)) => self.handle_ack(ack, pid, session)?,
            (Incoming::Subscribe { pid, filters }, Some(_)) => {
                let codes: Vec<u8> = filters.iter().map(|filter| filter.qos).collect();
                for filter in filters {
                    session
                        .subscriptions
                        .retain(|old| old.filter != filter.filter);
                    session.subscriptions.push(filter);
                }
                self.send(&Outgoing::Suback { pid, codes: &codes })?;
            }
            (Incoming::Unsubscribe { pid, filters }, Some(_)) => {
                let found: Vec<bool> = filters
                    .iter()
                    .map(|filter| {
                        let before = session.subscriptions.len();
                        session.subscriptions.retain(|old| old.filter != *filter);
                        session.subscriptions.len() < before
                    })
                    .collect();
                self.send(&Outgoing::Unsuback { pid, found: &found })?;
            }
            (Incoming::Ping, Some(_)) => {
                log.pings += 1;
                self.send(&Outgoing::Pong)?;
            }
            (Incoming::Disconnect, Some(_)) => {
                log.disconnects += 1;
                self.connect = None;
                self.ended = true;
            }
        }
        if !self.ended {
            self.deliver(session)?;
        }
        Ok(())
    }

    fn accept(
        &mut self,
        connect: Connect,
        config: &Config,
        session: &mut Session,
        log: &mut Log,
    ) -> Result<(), Violation> {
        log.connects.push(connect.clone());
        let version = connect.version;
        if let (Version::V5, Some(reaction)) = (version, config.only_v311) {
            if reaction == OnlyV311::Refuses {
                self.output.extend_from_slice(&[0x20, 2, 0, 1]);
            }
            self.ended = true;
            return Ok(());
        }
        let known = !connect.clean
            && session.client_id == connect.client_id
            && !connect.client_id.is_empty();
        if !known {
            *session = Session {
                client_id: connect.client_id.clone(),
                ..Session::default()
            };
        }
        self.connect = Some(connect);
        let refused = config.refuse.unwrap_or(0);
        if let (Version::V5, 1.., Some(reference)) = (version, refused, &config.server_reference) {
            codec::push_redirect(&mut self.output, refused, reference);
            self.connect = None;
            self.ended = true;
            return Ok(());
        }
        self.send(&Outgoing::Connack {
            session_present: known && refused == 0,
            code: refused,
            max_packet_size: (version == Version::V5 && config.max_packet_size < u32::MAX)
                .then_some(config.max_packet_size),
        })?;
        if refused != 0 {
            self.connect = None;
            self.ended = true;
            return Ok(());
        }
        self.resume(session)
    }

    /// Resends what an earlier connection left unfinished (MQTT 5 section 4.4).
    fn resume(&mut self, session: &Session) -> Result<(), Violation> {
        for Inflight {
            pid,
            message,
            state,
        } in &session.inflight
        {
            match state {
                Delivery::Queued => {}
                Delivery::Published => self.send(&Outgoing::Publish {
                    message,
                    pid: *pid,
                    dup: true,
                })?,
                Delivery::Released => self.send(&Outgoing::Ack(Ack::Pubrel, *pid))?,
            }
        }
        Ok(())
    }

    fn handle_publish(
        &mut self,
        message: Message,
        pid: u16,
        session: &mut Session,
        log: &mut Log,
    ) -> Result<(), Violation> {
        // A QoS 2 message is passed on when it first arrives, and recognised by its identifier
        // until released.
        let first = message.qos < 2 || session.unreleased.insert(pid);
        match message.qos {
            0 => {}
            1 => self.send(&Outgoing::Ack(Ack::Puback, pid))?,
            _ => self.send(&Outgoing::Ack(Ack::Pubrec, pid))?,
        }
        if first {
            session.pass_on(&message);
            log.published.push(message);
        } else {
            log.duplicates += 1;
        }
        Ok(())
    }

    fn handle_ack(&mut self, ack: Ack, pid: u16, session: &mut Session) -> Result<(), Violation> {
        let entry = session.inflight.iter().position(|one| one.pid == pid);
        match (ack, entry) {
            (Ack::Puback | Ack::Pubcomp, Some(index)) => {
                session.inflight.remove(index);
            }
            (Ack::Pubrec, Some(index)) => {
                if let Some(one) = session.inflight.get_mut(index) {
                    one.state = Delivery::Released;
                }
                self.send(&Outgoing::Ack(Ack::Pubrel, pid))?;
            }
            (Ack::Pubrel, _) => {
                session.unreleased.remove(&pid);
                self.send(&Outgoing::Ack(Ack::Pubcomp, pid))?;
            }
            // A repeated acknowledgement of a finished message.
            (Ack::Pubrec, None) => self.send(&Outgoing::Ack(Ack::Pubrel, pid))?,
            (Ack::Puback | Ack::Pubcomp, None) => {}
        }
        Ok(())
    }

    /// Sends waiting messages, up to the client's receive maximum.
    fn deliver(&mut self, session: &mut Session) -> Result<(), Violation> {
        let Some(connect) = &self.connect else {
            return Ok(());
        };
        let (maximum, version) = (usize::from(connect.receive_maximum), connect.version);
        let limit = connect.max_packet_size;
        let mut open = session
            .inflight
            .iter()
            .filter(|one| one.state != Delivery::Queued)
            .count();
        let mut index = 0;
        while let Some(one) = session.inflight.get_mut(index) {
            if one.state != Delivery::Queued {
                index += 1;
                continue;
            }
            let acknowledged = one.message.qos > 0;
            if acknowledged && open >= maximum {
                return Ok(());
            }
            if acknowledged {
                session.next_pid = session.next_pid.checked_add(1).unwrap_or(1);
                one.pid = session.next_pid;
            }
            let mut bytes = Vec::new();
            let publish = Outgoing::Publish {
                message: &one.message,
                pid: one.pid,
                dup: false,
            };
            codec::encode(&publish, version, &mut bytes)?;
            // Messages larger than the client accepts are not sent (MQTT 5, 3.1.2.11.4).
            let fits = limit.is_none_or(|limit| bytes.len() <= limit as usize);
            if fits {
                self.output.extend_from_slice(&bytes);
            }
            if fits && acknowledged {
                one.state = Delivery::Published;
                open += 1;
                index += 1;
            } else {
                session.inflight.remove(index);
            }
        }
        Ok(())
    }

    fn send(&mut self, packet: &Outgoing<'_>) -> Result<(), Violation> {
        let version = self.connect.as_ref().map_or(Version::V311, |c| c.version);
        codec::encode(packet, version, &mut self.output)
    }

    /// Closes the connection after a violation; MQTT 5 lets the server send the reason.
    fn end(&mut self, violation: Violation, log: &mut Log) {
        let code = match violation {
            Violation::Malformed => DisconnectReasonCode::MalformedPacket,
            Violation::Protocol => DisconnectReasonCode::ProtocolError,
            Violation::TooLarge => DisconnectReasonCode::PacketTooLarge,
        };
        if self.connect.is_some() {
            // Encoding a code without properties cannot fail.
            self.send(&Outgoing::Disconnect(code)).ok();
        }
        log.violations.push(code as u8);
        self.ended = true;
    }
}

impl Session {
    /// Queues a message for the client if one of its filters matches, once, with the highest QoS
    /// granted (MQTT 5 section 3.3.4).
    pub(super) fn pass_on(&mut self, message: &Message) {
        let granted = self
            .subscriptions
            .iter()
            .filter(|filter| !filter.no_local && matches(&filter.filter, &message.topic))
            .map(|filter| filter.qos)
            .max();
        if let Some(granted) = granted {
            self.inflight.push_back(Inflight {
                pid: 0,
                message: Message {
                    qos: message.qos.min(granted),
                    retain: false,
                    ..message.clone()
                },
                state: Delivery::Queued,
            });
        }
    }
}
