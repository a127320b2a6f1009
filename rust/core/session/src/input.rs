//! Input: from transport bytes to answers and events.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::config::{LostSession, QoS, Version};
use crate::durable::Identity;
use crate::error::{PublishError, SessionError};
use crate::event::{BrokerText, Event, Owed, Token};
use crate::item::{Dup, Foreign, Item, Work};
use crate::link::{Limits, Phase};
use crate::outbox::{BEGUN, RELEASES, RESEND, SUSPECTS};
use crate::packet::frame::{self, Piece};
use crate::packet::pieces::Bounds;
use crate::packet::skip::Skipped;
use crate::packet::{self, Ack, AckKind, Answers, Connack, Fault, Packet, PacketType, Publish};
use crate::reason::ReasonCode;
use crate::request::RequestKind;
use crate::session::Session;
use crate::slab::Key;

impl Session {
    /// Decodes and handles packets while there is room for what they cause.
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
            if rest.is_empty() {
                break;
            }
            link.now = now;
            link.note_read();
            if let (Some(first), false) = (link.framer.first_of(rest), link.was_online()) {
                // "The first packet sent from the Server to the Client MUST be a CONNACK Packet
                // [MQTT-3.2.0-1]." Fails at once if the peer speaks something else.
                if first != packet::CONNACK {
                    return Err(SessionError::NotMqtt { first });
                }
            }
            let (n, whole) = self.take_piece(rest)?;
            taken += n;
            if !whole {
                break;
            }
        }
        Ok(taken)
    }

    /// Takes bytes up to the end of a packet and handles it. Returns how many, and whether it was
    /// whole.
    fn take_piece(&mut self, data: &[u8]) -> Result<(usize, bool), SessionError> {
        let Some(link) = &mut self.link else {
            return Ok((data.len(), false));
        };
        let version = self.config.version();
        let bounds = Bounds {
            packet: self.config.max_packet_size,
            pieces: self.config.max_size_in_pieces,
            strict: version == Version::V5 && !self.state.limit_ignored,
            aliases: version == Version::V5 && self.config.topic_alias_maximum != 0,
        };
        let taken = link.framer.take(version, data, bounds);
        if let Err(SessionError::PacketTooLarge { .. }) = taken {
            self.state.limit_ignored = true;
        }
        let (n, piece) = taken?;
        match piece {
            None => return Ok((n, false)),
            Some(Piece::Skipped(skipped)) => self.handle_skipped(skipped, bounds)?,
            Some(Piece::Packet(frame)) if !frame::has_room(&frame) => {
                let skipped = frame::skip_frame(&frame, bounds)?;
                self.handle_skipped(skipped, bounds)?;
            }
            Some(Piece::Head(frame, total)) => {
                if let Packet::Publish(publish) = packet::decode(version, frame)? {
                    self.begin_pieces(publish, total)?;
                }
            }
            Some(Piece::Payload(bytes, is_last)) => self.handle_piece(bytes, is_last)?,
            Some(Piece::Packet(frame)) => {
                let packet_type = PacketType::of(frame.control);
                let packet = packet::decode(version, frame)?;
                self.handle_packet(packet, packet_type)?;
            }
        }
        Ok((n, true))
    }

    fn handle_packet(
        &mut self,
        packet: Packet,
        packet_type: PacketType,
    ) -> Result<(), SessionError> {
        let Some(link) = &mut self.link else {
            return Ok(());
        };
        if !link.was_online() {
            return match packet {
                Packet::Connack(connack) => self.handle_connack(connack),
                _ => Err(SessionError::UnexpectedPacket(packet_type)),
            };
        }
        link.proven = true;
        link.answered |= !matches!(packet, Packet::Publish(_) | Packet::Disconnect { .. });
        match packet {
            Packet::Connack(_) => Err(SessionError::UnexpectedPacket(packet_type)),
            Packet::Publish(publish) => self.handle_publish(publish),
            Packet::Ack(ack) => self.handle_ack(ack, packet_type),
            Packet::Answers(answers) => self.handle_answers(answers, packet_type),
            Packet::Pingresp => {
                // Otherwise it only shows, like any packet, that the connection is alive.
                if let (true, Some(key)) = (link.note_pingresp(), link.releasing) {
                    self.pass_over_release(key);
                }
                Ok(())
            }
            Packet::Disconnect {
                reason,
                text,
                server_reference,
            } => {
                self.keep_words(text, server_reference);
                Err(SessionError::ServerDisconnected(reason))
            }
        }
    }

    fn handle_connack(&mut self, mut connack: Box<Connack>) -> Result<(), SessionError> {
        let Some(link) = &mut self.link else {
            return Ok(());
        };
        let clean = link.clean;
        self.keep_words(connack.text.take(), connack.server_reference.take());
        if let Some(refusal) = connack.refusal {
            let is_name = refusal.reason() == ReasonCode::CLIENT_ID_NOT_VALID;
            if is_name && self.state.client_id.take().is_some() {
                // An assigned identifier was rejected: the next connection needs another one, and a
                // new session.
                self.state.start_clean = true;
                if let Some(link) = &mut self.link {
                    link.gained = true;
                }
            }
            return Err(SessionError::Refused(refusal));
        }
        let mut session_present = connack.session_present;
        if session_present && (clean || !self.state.established) {
            // A session from a previous run, or of another client with this identifier.
            if self.config.version() == Version::V5 && (clean || !self.config.adopt_session) {
                // "If a Client without a Session State receives Session Present set to 1 it MUST
                // close the Network Connection [MQTT-3.2.2-4]."
                self.state.start_clean = true;
                return Err(SessionError::UnexpectedSession);
            }
            // MQTT 3.1.1 requires nothing of the client (section 3.2.2.2).
            session_present = !clean;
            self.state.outbox.set_foreign(true, true);
        } else if !session_present {
            self.state.outbox.set_foreign(false, false);
        }
        if let Some(link) = &mut self.link {
            link.come_online(Limits::new(&self.config, &connack));
        }
        // Only a client without an identifier is assigned one (MQTT 5 section 3.2.2.3.7).
        if connack.client_id.is_some() && self.config.client_id.is_empty() {
            self.state.client_id = connack.client_id;
        }
        self.store_session(session_present);
        let is_adopted = session_present && !self.state.established;
        self.state.established = true;
        self.state.start_clean = false;
        self.state.anew = false;
        let information = connack.response_information;
        self.tell(None, information, BrokerText::ResponseInformation);
        self.events.push(Event::Connected { session_present });
        let unsure = core::mem::take(&mut self.state.unsure);
        if is_adopted {
            // Taken over from a previous run whose session is no longer known: the broker may have
            // messages sent then.
            self.begin_messages_anew();
        }
        if !session_present {
            self.begin_anew();
        } else if unsure {
            self.state.doubt();
        }
        self.state.settle();
        Ok(())
    }

    /// Stores which session the broker has, before anything else is sent on it.
    fn store_session(&mut self, session_present: bool) {
        if !session_present {
            self.state.began = self.connection;
        }
        if !self.state.journal.is_on() {
            return;
        }
        if !session_present {
            // Otherwise, after a restart, PUBREL would be sent for messages this session has never
            // seen.
            self.state.journal.clear_released();
            self.state.journal.clear_received();
        }
        let state = &mut self.state;
        state.peer.clone_from(&state.next_peer);
        let (client_id, peer) = (self.client_id().into(), self.state.peer.clone());
        self.state.journal.put_identity(Identity {
            established: true,
            adopted: self.state.outbox.has_foreign_stored(),
            client_id,
            peer,
        });
    }

    /// Starts over with a broker that has no session: messages are sent as new ones, subscriptions
    /// renewed.
    pub(crate) fn begin_anew(&mut self) {
        self.state.forget_received();
        let subscriptions = &mut self.state.subscriptions;
        subscriptions.begin_anew(&mut self.state.journal);
        // Released messages were sent before the others.
        let mut at = self.state.outbox.last(RELEASES);
        while let Some(key) = at {
            at = self.state.outbox.previous(key);
            self.state.outbox.move_first(key, RESEND);
        }
        self.begin_messages_anew();
    }

    fn begin_messages_anew(&mut self) {
        for list in [RESEND, SUSPECTS] {
            let mut at = self.state.outbox.first(list);
            while let Some(key) = at {
                at = self.state.outbox.next(key);
                self.begin_message_anew(key);
            }
        }
    }

    fn begin_message_anew(&mut self, key: Key) {
        let foreign = self.state.outbox.is_foreign(key);
        let Some(item) = self.state.outbox.get_mut(key) else {
            return;
        };
        let sent = core::mem::take(&mut item.sent_on) != 0;
        let token = item.token;
        let Work::Publish(outgoing) = &mut item.work else {
            return;
        };
        let Some(token) = token else {
            // It was given up, and the broker has forgotten its identifier.
            self.take_item(key);
            return;
        };
        outgoing.dup = Dup::No;
        outgoing.released = false;
        item.foreign = match foreign && item.packet_id != 0 {
            true => Foreign::ReleaseFirst,
            false => Foreign::No,
        };
        if outgoing.qos() != QoS::ExactlyOnce || !sent {
            return;
        }
        match self.config.lost_session {
            _ if outgoing.given_up => {
                self.finish_publish(key, Err(PublishError::NotSupplied));
            }
            LostSession::SendAgain => self.events.push(Event::SentAgain(token)),
            LostSession::Report => self.finish_publish(key, Err(PublishError::SessionLost)),
        }
    }

    fn handle_publish(&mut self, mut publish: Publish) -> Result<(), SessionError> {
        let Some(link) = &mut self.link else {
            return Ok(());
        };
        if let Some(alias) = publish.topic_alias {
            let maximum = self.config.topic_alias_maximum;
            resolve_alias(
                &mut link.aliases,
                alias,
                maximum,
                &mut publish.message.topic,
            )?;
        }
        let owed = Owed {
            connection: self.connection,
            qos: publish.message.qos,
            packet_id: publish.packet_id,
            reason: ReasonCode::SUCCESS,
        };
        self.deliver(Event::Message(publish.message), owed, publish.dup)
    }

    /// Handles a message that was not kept. It is acknowledged like any other, otherwise it would
    /// come again and again. MQTT 5 can say that it was not accepted.
    fn handle_skipped(&mut self, mut skipped: Skipped, bounds: Bounds) -> Result<(), SessionError> {
        let Some(link) = &mut self.link else {
            return Ok(());
        };
        link.proven = true;
        if bounds.aliases {
            let maximum = self.config.topic_alias_maximum;
            let is_known = match skipped.topic_alias() {
                Ok(None) => true,
                Ok(Some(alias)) => {
                    match resolve_alias(&mut link.aliases, alias, maximum, &mut skipped.topic) {
                        Err(SessionError::OutOfMemory { .. }) => false,
                        resolved => resolved.map(|()| true)?,
                    }
                }
                Err(_) => false,
            };
            // It may have defined any alias: the next use of one ends the connection.
            if !is_known {
                link.aliases.clear();
            }
        }
        let Skipped {
            qos,
            packet_id,
            dup,
            topic,
            size,
            reason,
            ..
        } = skipped;
        if !self.events.reserve() {
            return Err(SessionError::OutOfMemory { size });
        }
        let owed = Owed {
            connection: self.connection,
            qos,
            packet_id,
            reason: self.not_taken(),
        };
        let event = Event::Skipped {
            topic,
            size,
            qos,
            reason,
        };
        self.deliver(event, owed, dup)
    }

    /// Delivers a message that has arrived, for the first time or again: its event, and the
    /// acknowledgement that is due when the application takes that event.
    pub(crate) fn deliver(
        &mut self,
        event: Event,
        owed: Owed,
        dup: bool,
    ) -> Result<(), SessionError> {
        let Owed { qos, packet_id, .. } = owed;
        if self.leaves(qos) {
            return Ok(());
        }
        // PUBREC with a failure ends the exchange, so there is nothing to remember.
        let accepted = !owed.reason.is_error();
        if qos == QoS::ExactlyOnce && !self.state.receive(packet_id, dup, accepted)? {
            self.answer_again(packet_id);
        } else {
            if let (QoS::ExactlyOnce, Some(link)) = (qos, &mut self.link) {
                link.gained = true;
            }
            let owed = (qos != QoS::AtMostOnce).then_some(owed);
            self.events.push_owing(event, owed);
        }
        Ok(())
    }

    /// Returns whether a message is left at the broker.
    pub(crate) fn leaves(&self, qos: QoS) -> bool {
        self.config.leave_messages && qos != QoS::AtMostOnce
    }

    /// Returns the code that acknowledges a message that was not kept.
    pub(crate) fn not_taken(&self) -> ReasonCode {
        match self.config.version() {
            Version::V311 => ReasonCode::SUCCESS,
            Version::V5 => ReasonCode::QUOTA_EXCEEDED,
        }
    }

    /// Sends PUBREC for a QoS 2 message that has already arrived: now, or when the application
    /// takes it.
    pub(crate) fn answer_again(&mut self, packet_id: u16) {
        let (began, connection) = (self.state.began, self.connection);
        if !self.events.owe_again(packet_id, began, connection) {
            self.answer(AckKind::Pubrec, packet_id, ReasonCode::SUCCESS);
        }
    }

    /// Handles PUBACK, PUBREC, PUBREL or PUBCOMP. One with an unused identifier is left over from a
    /// completed exchange, or from a previous run of this device.
    fn handle_ack(&mut self, ack: Ack, packet: PacketType) -> Result<(), SessionError> {
        let Ack {
            kind,
            id,
            reason,
            text,
        } = ack;
        if kind == AckKind::Pubrel {
            self.handle_pubrel(id);
            return Ok(());
        }
        let Some(key) = self.state.outbox.by_id(id) else {
            if kind == AckKind::Pubrec {
                // Lets the broker forget it as well.
                self.answer(AckKind::Pubrel, id, ReasonCode::PACKET_ID_NOT_FOUND);
            }
            return Ok(());
        };
        if !self.is_sent(key) {
            return Ok(());
        }
        let Some(item) = self.state.outbox.get_mut(key) else {
            return Ok(());
        };
        if item.releases_first() {
            if kind == AckKind::Pubcomp {
                self.send_released(key, Foreign::Released);
            }
            return Ok(());
        }
        if kind == AckKind::Pubcomp && item.foreign == Foreign::Unanswered {
            item.foreign = Foreign::Released;
            if matches!(&item.work, Work::Publish(outgoing) if outgoing.released) {
                // It is unknown which of the two it answers. PINGRESP after the second one settles
                // it.
                self.await_release(key);
            }
            return Ok(());
        }
        let (token, stored, order) = (item.token, item.is_stored(), item.order);
        let Work::Publish(outgoing) = &mut item.work else {
            return Err(SessionError::WrongAcknowledgement { packet, id });
        };
        // EMQX sends this for a message that it has, where an ordinary PUBREC is due (MQTT 5
        // section 4.3.3).
        let has_it = kind == AckKind::Pubrec
            && reason == ReasonCode::PACKET_ID_IN_USE
            && outgoing.dup == Dup::Sent;
        let result = match (kind, outgoing.qos(), outgoing.released) {
            (AckKind::Puback, QoS::AtLeastOnce, _) => accepted(reason),
            (AckKind::Puback, QoS::ExactlyOnce, false) if !reason.is_error() => {
                if self.config.accept_lower_qos {
                    if let Some(token) = token {
                        self.events.push(Event::QosLowered(token));
                    }
                    Ok(())
                } else {
                    let maximum = QoS::AtLeastOnce;
                    Err(PublishError::QosNotSupported { maximum })
                }
            }
            (AckKind::Puback | AckKind::Pubrec, QoS::ExactlyOnce, false)
                if reason.is_error() && !has_it =>
            {
                accepted(reason)
            }
            (AckKind::Pubrec, QoS::ExactlyOnce, _) => {
                outgoing.released = true;
                // Its PUBREL is another packet.
                item.ends = 0;
                item.proofs = 0;
                if stored {
                    self.state.journal.note_released(order);
                }
                item.since = self.link.as_ref().map_or(Duration::ZERO, |link| link.now);
                self.state.outbox.move_last(key, BEGUN);
                self.tell(token, text, BrokerText::Reason);
                self.answer(AckKind::Pubrel, id, ReasonCode::SUCCESS);
                return Ok(());
            }
            // Not found: the exchange was completed before (MQTT 5 section 3.7.2.1 has no other
            // code).
            (AckKind::Pubcomp, QoS::ExactlyOnce, true)
                if reason == ReasonCode::PACKET_ID_NOT_FOUND =>
            {
                Ok(())
            }
            (AckKind::Pubcomp, QoS::ExactlyOnce, true) => accepted(reason),
            // Duplicate or late.
            (_, QoS::ExactlyOnce, _) => return Ok(()),
            _ => return Err(SessionError::WrongAcknowledgement { packet, id }),
        };
        self.tell(token, text, BrokerText::Reason);
        self.note_passed();
        self.finish_publish(key, result);
        Ok(())
    }

    /// Handles a PUBREL that the broker has read but does not answer: it had nothing to release.
    fn pass_over_release(&mut self, key: Key) {
        let item = self.state.outbox.get(key);
        if item.is_some_and(Item::releases_first) {
            self.send_released(key, Foreign::Unanswered);
        } else {
            self.note_passed();
            self.finish_publish(key, Ok(()));
        }
    }

    /// Queues the message, because the broker no longer remembers anything of its identifier.
    fn send_released(&mut self, key: Key, foreign: Foreign) {
        self.note_passed();
        self.leave_link(key);
        if let Some(item) = self.state.outbox.get_mut(key) {
            item.foreign = foreign;
            // PUBLISH is another packet, which was not sent.
            (item.sent_on, item.ends, item.proofs) = (0, 0, 0);
        }
        self.state.outbox.move_first(key, RESEND);
    }

    fn handle_pubrel(&mut self, id: u16) {
        let reason = if self.state.released(id) {
            ReasonCode::SUCCESS
        } else {
            ReasonCode::PACKET_ID_NOT_FOUND
        };
        self.answer(AckKind::Pubcomp, id, reason);
    }

    /// Handles SUBACK or UNSUBACK.
    fn handle_answers(&mut self, answers: Answers, packet: PacketType) -> Result<(), SessionError> {
        let Answers {
            kind,
            id,
            mut codes,
            text,
        } = answers;
        let key = self.state.outbox.by_id(id).filter(|key| self.is_sent(*key));
        let Some((key, item)) = key.and_then(|key| Some((key, self.state.outbox.get(key)?))) else {
            return Ok(());
        };
        let asked = match &item.work {
            Work::Request(request) if request.kind == kind => request.asked(),
            _ => return Err(SessionError::WrongAcknowledgement { packet, id }),
        };
        if kind == RequestKind::Unsubscribe && self.config.version() == Version::V311 {
            codes.resize(asked, Ok(QoS::AtMostOnce));
        }
        if codes.len() != asked {
            let fault = Fault::Count;
            return Err(SessionError::Malformed { packet, fault });
        }
        self.tell(item.token, text, BrokerText::Reason);
        self.note_passed();
        self.answer_request(key, &codes);
        Ok(())
    }

    /// Returns whether it was handed to the transport in full on this connection. An answer that
    /// arrives before that is a late one, and the broker will answer again.
    fn is_sent(&self, key: Key) -> bool {
        let sent = |item: &Item| item.sent_on == self.connection;
        self.state.outbox.list(key) == Some(BEGUN) && self.state.outbox.get(key).is_some_and(sent)
    }

    /// Reports and keeps the broker's texts about the connection.
    fn keep_words(&mut self, text: Option<String>, server_reference: Option<String>) {
        self.tell(None, text.clone(), BrokerText::Reason);
        self.tell(None, server_reference.clone(), BrokerText::ServerReference);
        self.broker_reason = text;
        self.server_reference = server_reference;
    }

    /// Reports a text from the broker.
    fn tell(&mut self, about: Option<Token>, text: Option<String>, kind: fn(String) -> BrokerText) {
        if let Some(text) = text.map(kind) {
            self.events.push(Event::BrokerText { about, text });
        }
    }

    fn answer(&mut self, kind: AckKind, id: u16, reason: ReasonCode) {
        if let Some(link) = &mut self.link {
            packet::push_ack(&mut link.control, self.config.version(), kind, id, reason);
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

/// MQTT 5 section 3.3.2.3.4: a name with an alias defines it, an empty name uses it. The broker
/// chooses the number and the length of both.
pub(crate) fn resolve_alias(
    aliases: &mut Vec<String>,
    alias: u16,
    maximum: u16,
    topic: &mut String,
) -> Result<(), SessionError> {
    if alias == 0 || alias > maximum {
        return Err(SessionError::TopicAliasInvalid);
    }
    let wanted = usize::from(alias);
    let no_room = |size| SessionError::OutOfMemory { size: size as u32 };
    if aliases.len() < wanted {
        let more = wanted - aliases.len();
        let reserved = aliases.try_reserve_exact(more);
        reserved.map_err(|_| no_room(more * size_of::<String>()))?;
        aliases.resize(wanted, String::new());
    }
    let known = aliases
        .get_mut(wanted - 1)
        .ok_or(SessionError::TopicAliasInvalid)?;
    let (from, to) = match topic.is_empty() {
        true => (known, topic),
        false => (topic, known),
    };
    if from.is_empty() {
        return Err(SessionError::TopicAliasInvalid);
    }
    to.clear();
    // As in `packet::properties::text`.
    let reserved = to.try_reserve_exact(from.len() + 1);
    reserved.map_err(|_| no_room(from.len()))?;
    to.push_str(from);
    Ok(())
}
