//! From the transport to events and answers.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::config::QoS;
use crate::error::{PublishError, SessionError};
use crate::event::{Event, Owed};
use crate::link::{Limits, Phase};
use crate::message::Message;
use crate::outbox::{Filter, Work};
use crate::packet::{self, AckKind, Connack, Packet, Publish};
use crate::reason::ReasonCode;
use crate::session::Session;
use crate::state::forget;

/// A repeated SUBSCRIBE is filled up to this many bytes.
const SUBSCRIBE_AGAIN: usize = 1_024;

impl Session {
    /// Decodes and handles packets while there is room for what they lead to.
    pub(crate) fn take_packets(
        &mut self,
        data: &[u8],
        now: Duration,
    ) -> Result<usize, SessionError> {
        let mut taken = 0;
        while self.wants_input() {
            let Some(link) = &mut self.link else {
                return Ok(data.len());
            };
            if link.phase == Phase::Over {
                return Ok(data.len());
            }
            let rest = data.get(taken..).unwrap_or_default();
            let (version, limit) = (self.config.version, self.config.max_packet_size);
            let (n, frame) = link.framer.take(version, rest, limit)?;
            taken += n;
            let Some(frame) = frame else {
                break;
            };
            packet::check_room(&frame)?;
            let packet = packet::decode(version, frame)?;
            self.handle_packet(packet)?;
            if let Some(link) = &mut self.link {
                link.note_received(now, link.sent > 0);
            }
        }
        Ok(taken)
    }

    fn handle_packet(&mut self, packet: Packet) -> Result<(), SessionError> {
        let Some(link) = &mut self.link else {
            return Ok(());
        };
        if link.awaits_connack() {
            return match packet {
                Packet::Connack(connack) => self.handle_connack(*connack),
                _ => Err(SessionError::BeforeConnack),
            };
        }
        match packet {
            Packet::Connack(_) => Err(SessionError::UnexpectedPacket),
            Packet::Publish(publish) => self.handle_publish(publish),
            Packet::Ack(AckKind::Puback, id, reason) => self.handle_puback(id, reason),
            Packet::Ack(AckKind::Pubrec, id, reason) => self.handle_pubrec(id, reason),
            Packet::Ack(AckKind::Pubrel, id, _) => {
                self.handle_pubrel(id);
                Ok(())
            }
            Packet::Ack(AckKind::Pubcomp, id, _) => self.handle_pubcomp(id),
            Packet::Suback(id, codes) => self.handle_suback(id, &codes),
            Packet::Unsuback(id, codes) => self.handle_unsuback(id, codes),
            Packet::Pingresp => {
                link.response_by = None;
                Ok(())
            }
            Packet::Disconnect {
                reason,
                text,
                server_reference,
            } => {
                self.broker_reason = text;
                self.server_reference = server_reference;
                Err(SessionError::ServerDisconnected(reason))
            }
        }
    }

    fn handle_connack(&mut self, connack: Connack) -> Result<(), SessionError> {
        let Some(link) = &mut self.link else {
            return Ok(());
        };
        let limits = Limits::new(&self.config, &connack);
        self.broker_reason = connack.text;
        self.server_reference = connack.server_reference;
        if let Some(refusal) = connack.refusal {
            return Err(SessionError::Refused(refusal));
        }
        let session_present = connack.session_present;
        if session_present && link.clean {
            return Err(SessionError::UnexpectedSession);
        }
        link.come_online(limits);
        self.state.established = true;
        if connack.client_id.is_some() {
            self.state.client_id = connack.client_id;
        }
        self.events.push(Event::Connected { session_present });
        if !session_present {
            self.begin_anew(&limits);
        }
        Ok(())
    }

    /// The broker has nothing of the session: messages are sent anew, subscriptions repeated.
    /// A released message is the broker's since its PUBREC and cannot be sent again without the
    /// risk of a second delivery; it counts as published.
    fn begin_anew(&mut self, limits: &Limits) {
        self.state.forget_received();
        let mut index = 0;
        while let Some(item) = self.state.outbox.get_mut(index) {
            match &mut item.work {
                Work::Publish(outgoing) => outgoing.mark_dup(false),
                Work::Release => {
                    self.finish_publish(index, Ok(()));
                    continue;
                }
                Work::Subscribe(_) | Work::Unsubscribe(_) => {}
            }
            index += 1;
        }
        let room = match limits.maximum_packet_size {
            Some(limit) => SUBSCRIBE_AGAIN.min((limit as usize).saturating_sub(16)),
            None => SUBSCRIBE_AGAIN,
        };
        let mut filters = core::mem::take(&mut self.state.subscriptions);
        while !filters.is_empty() {
            // From the end, because each packet is put before the one made last.
            let mut bytes = 0;
            let fits = |filter: &&Filter| {
                bytes += 3 + filter.name.len();
                bytes <= room
            };
            let count = filters.iter().rev().take_while(fits).count().max(1);
            let packet = filters.split_off(filters.len() - count);
            self.state.outbox.subscribe_again(packet);
        }
    }

    fn handle_publish(&mut self, mut publish: Publish) -> Result<(), SessionError> {
        let Some(link) = &mut self.link else {
            return Ok(());
        };
        if let Some(alias) = publish.topic_alias {
            let maximum = self.config.topic_alias_maximum;
            resolve_alias(&mut link.aliases, alias, maximum, &mut publish.message)?;
        }
        let (qos, packet_id) = (publish.message.qos, publish.packet_id);
        if qos == QoS::AtMostOnce {
            self.events.push(Event::Message(publish.message));
            return Ok(());
        }
        if qos == QoS::ExactlyOnce && !self.state.receive(packet_id)? {
            self.answer(AckKind::Pubrec, packet_id, ReasonCode::SUCCESS);
            return Ok(());
        }
        let owed = Owed {
            connection: self.connection,
            qos,
            packet_id,
        };
        let event = Event::Message(publish.message);
        self.events.push_owing(event, Some(owed));
        Ok(())
    }

    fn handle_puback(&mut self, id: u16, reason: ReasonCode) -> Result<(), SessionError> {
        let Some(index) = self.find_sent(id)? else {
            return Ok(());
        };
        match self.state.outbox.get(index).map(|item| &item.work) {
            Some(Work::Publish(outgoing)) if outgoing.qos == QoS::AtLeastOnce => {
                self.finish_publish(index, accepted(reason));
                Ok(())
            }
            _ => Err(SessionError::UnexpectedPacket),
        }
    }

    fn handle_pubrec(&mut self, id: u16, reason: ReasonCode) -> Result<(), SessionError> {
        let Ok(found) = self.find_sent(id) else {
            // Left over from an exchange we finished: the broker may forget it too.
            self.answer(AckKind::Pubrel, id, ReasonCode::PACKET_ID_NOT_FOUND);
            return Ok(());
        };
        let Some(index) = found else {
            return Ok(());
        };
        match self.state.outbox.get(index).map(|item| &item.work) {
            Some(Work::Publish(outgoing)) if outgoing.qos == QoS::ExactlyOnce => {
                if reason.is_error() {
                    self.finish_publish(index, accepted(reason));
                } else {
                    self.state.outbox.release(index);
                    self.answer(AckKind::Pubrel, id, ReasonCode::SUCCESS);
                }
                Ok(())
            }
            Some(Work::Release) => {
                self.answer(AckKind::Pubrel, id, ReasonCode::SUCCESS);
                Ok(())
            }
            _ => Err(SessionError::UnexpectedPacket),
        }
    }

    fn handle_pubcomp(&mut self, id: u16) -> Result<(), SessionError> {
        let Ok(Some(index)) = self.find_sent(id) else {
            return Ok(());
        };
        match self.state.outbox.get(index).map(|item| &item.work) {
            Some(Work::Release) => {
                self.finish_publish(index, Ok(()));
                Ok(())
            }
            _ => Err(SessionError::UnexpectedPacket),
        }
    }

    fn handle_pubrel(&mut self, id: u16) {
        let reason = if self.state.released(id) {
            ReasonCode::SUCCESS
        } else {
            ReasonCode::PACKET_ID_NOT_FOUND
        };
        self.answer(AckKind::Pubcomp, id, reason);
    }

    fn handle_suback(
        &mut self,
        id: u16,
        codes: &[Result<QoS, ReasonCode>],
    ) -> Result<(), SessionError> {
        let Some(index) = self.find_sent(id)? else {
            return Ok(());
        };
        let Some(Work::Subscribe(filters)) = self.state.outbox.get(index).map(|item| &item.work)
        else {
            return Err(SessionError::UnexpectedPacket);
        };
        let asked = filters.iter().filter(|filter| filter.refused.is_none());
        if asked.count() != codes.len() {
            return Err(SessionError::Malformed);
        }
        self.finish_subscribe(index, codes);
        Ok(())
    }

    fn handle_unsuback(
        &mut self,
        id: u16,
        codes: Option<Vec<Result<(), ReasonCode>>>,
    ) -> Result<(), SessionError> {
        let Some(index) = self.find_sent(id)? else {
            return Ok(());
        };
        let Some(Work::Unsubscribe(names)) = self.state.outbox.get(index).map(|item| &item.work)
        else {
            return Err(SessionError::UnexpectedPacket);
        };
        let codes = codes.unwrap_or_else(|| alloc::vec![Ok(()); names.len()]);
        if names.len() != codes.len() {
            return Err(SessionError::Malformed);
        }
        for name in names {
            forget(&mut self.state.subscriptions, name);
        }
        self.finish_unsubscribe(index, codes);
        Ok(())
    }

    /// The outbox item that an acknowledgement is for. `None` if it was not sent in full on this
    /// connection: the acknowledgement is a late one, and the broker will answer again.
    fn find_sent(&self, id: u16) -> Result<Option<usize>, SessionError> {
        let index = self.state.outbox.position(id);
        let index = index.ok_or(SessionError::UnknownPacketId(id))?;
        let sent = self.link.as_ref().map_or(0, |link| link.sent);
        Ok((index < sent).then_some(index))
    }

    fn answer(&mut self, kind: AckKind, id: u16, reason: ReasonCode) {
        if let Some(link) = &mut self.link {
            packet::push_ack(&mut link.control, self.config.version, kind, id, reason);
        }
    }
}

fn accepted(reason: ReasonCode) -> Result<(), PublishError> {
    if reason.is_error() {
        Err(PublishError::Refused(reason))
    } else {
        Ok(())
    }
}

/// MQTT 5 section 3.3.2.3.4: a name with an alias defines it, an empty name uses it.
fn resolve_alias(
    aliases: &mut Vec<String>,
    alias: u16,
    maximum: u16,
    message: &mut Message,
) -> Result<(), SessionError> {
    if alias == 0 || alias > maximum {
        return Err(SessionError::TopicAliasInvalid);
    }
    let slot = usize::from(alias) - 1;
    while aliases.len() <= slot {
        aliases.push(String::new());
    }
    let known = aliases
        .get_mut(slot)
        .ok_or(SessionError::TopicAliasInvalid)?;
    if !message.topic.is_empty() {
        known.clone_from(&message.topic);
    } else if known.is_empty() {
        return Err(SessionError::TopicAliasInvalid);
    } else {
        message.topic.clone_from(known);
    }
    Ok(())
}
