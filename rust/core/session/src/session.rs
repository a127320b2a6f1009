//! The session's public interface: commands, inputs, outputs and time.

use alloc::string::String;
use core::time::Duration;

use crate::command::{Command, Load};
use crate::config::{Config, ConfigError, QoS, Version};
use crate::durable::StoreError;
use crate::error::{CommandError, PublishError, SessionError};
use crate::event::{Event, Events, Owed, Token};
use crate::item::{Item, Work};
use crate::link::{Limits, Link, Phase, earliest, is_due, later};
use crate::message::Message;
use crate::options::PublishOptions;
use crate::outbox::{BEGUN, SUSPECTS};
use crate::packet::{self, AckKind, PacketType, frame};
use crate::pieces::Supply;
use crate::request::{Request, RequestKind};
use crate::room::Room;
use crate::slab::Key;
use crate::state::State;

/// Bytes of unsent acknowledgements above which no further packet is taken from the broker.
const CONTROL_LIMIT: usize = 256;

/// If a timeout is handled this much later than requested, the owner was away and did not read
/// either.
const AWAY: Duration = Duration::from_secs(1);
/// Most brokers answer PUBREL within this time.
const PUBCOMP_PATIENCE: Duration = Duration::from_secs(2);

/// An MQTT session: what survives a lost connection (packet identifiers, unacknowledged messages,
/// subscriptions) and the current connection, if there is one.
///
/// The transport is a byte stream: pass received bytes to [`handle_input`](Self::handle_input),
/// send what [`transmit`](Self::transmit) returns, and confirm it with
/// [`consume_transmit`](Self::consume_transmit). In each iteration, first handle inputs and
/// commands, then call [`poll_event`](Self::poll_event) until `None`, then `transmit` until it is
/// empty, then wait for the transport or until [`poll_timeout`](Self::poll_timeout). Spurious calls
/// are harmless.
///
/// `now` is the time since any fixed start and never goes backwards.
#[derive(Debug)]
pub struct Session {
    pub(crate) config: Config,
    pub(crate) state: State,
    pub(crate) link: Option<Link>,
    pub(crate) events: Events,
    /// Counts connections, so that no acknowledgement is sent on the wrong one.
    pub(crate) connection: u32,
    pub(crate) broker_reason: Option<String>,
    pub(crate) server_reference: Option<String>,
    pub(crate) ping_after: Option<Duration>,
}

impl Session {
    /// Creates a session. Fails if the configuration is invalid.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Session {
            state: State::new(&config),
            events: Events::new(config.event_bytes),
            config,
            link: None,
            connection: 0,
            broker_reason: None,
            server_reference: None,
            ping_after: None,
        })
    }

    // Getters.

    /// Returns whether CONNACK was accepted and neither side has ended the connection.
    pub fn is_connected(&self) -> bool {
        matches!(&self.link, Some(link) if link.phase == Phase::Online)
    }

    /// Returns whether the transport may be closed: there is no connection, or nothing is left to
    /// send on it. The latter is so after [`disconnect`](Self::disconnect) or an error, once
    /// everything up to and including DISCONNECT was consumed.
    pub fn is_disconnected(&self) -> bool {
        match &self.link {
            Some(link) => link.phase == Phase::Over && link.is_drained(),
            None => true,
        }
    }

    /// Returns whether leaving now loses nothing: the outbox is empty, no subscription is to be
    /// renewed and no acknowledgement waits to be sent.
    pub fn is_idle(&self) -> bool {
        let quiet = |link: &Link| {
            link.control.is_empty()
                && link.is_drained()
                && (self.state.subscriptions.unconfirmed() == 0 || link.limits().is_none())
        };
        self.state.outbox.len() == 0 && self.link.as_ref().is_none_or(quiet)
    }

    /// Returns whether the broker owes an answer: CONNACK, PINGRESP, or one to a message or
    /// request.
    pub fn awaits_answer(&self) -> bool {
        let owed = |link: &Link| {
            link.awaits_response() || link.phase != Phase::Over && self.unanswered().is_some()
        };
        self.link.as_ref().is_some_and(owed)
    }

    /// Returns the broker's limits, or `None` before CONNACK.
    pub fn limits(&self) -> Option<&Limits> {
        self.link.as_ref()?.limits()
    }

    /// Returns the client identifier in use: the configured one, or the one assigned by an MQTT 5
    /// broker until a broker rejects it.
    pub fn client_id(&self) -> &str {
        let assigned = self.state.client_id.as_deref();
        assigned.unwrap_or(&self.config.client_id)
    }

    /// Returns the number of QoS 1 and 2 messages sent on this connection and not yet acknowledged.
    pub fn in_flight(&self) -> usize {
        self.link.as_ref().map_or(0, |link| link.in_flight.into())
    }

    /// Returns the number of messages and requests that are queued or unacknowledged.
    pub fn outbox_len(&self) -> usize {
        self.state.outbox.len()
    }

    /// Returns the bytes they occupy, as counted against [`Config::outbox_bytes`].
    pub fn outbox_bytes(&self) -> usize {
        self.state.outbox.bytes()
    }

    /// Returns the contents of the outbox.
    pub fn outbox_load(&self) -> Load {
        self.state.outbox.room().load()
    }

    /// Returns a copy of the outbox's room, for threads that cannot ask the session itself.
    pub fn outbox_room(&self) -> Room {
        self.state.outbox.room().copy(!self.events.is_full())
    }

    /// Returns the protocol version.
    pub fn version(&self) -> Version {
        self.config.version()
    }

    /// Returns the broker's text in its last CONNACK or DISCONNECT on this connection (MQTT 5
    /// Reason String), meant for a person.
    pub fn broker_reason(&self) -> Option<&str> {
        self.broker_reason.as_deref()
    }

    /// Returns the other server that the broker refers to (MQTT 5 Server Reference).
    pub fn server_reference(&self) -> Option<&str> {
        self.server_reference.as_deref()
    }

    /// Returns whether [`handle_input`](Self::handle_input) currently takes anything. If not, poll
    /// events and transmit pending bytes first.
    pub fn wants_input(&self) -> bool {
        let room = |link: &Link| link.control.len() <= CONTROL_LIMIT;
        !self.events_wait() && self.link.as_ref().is_none_or(room)
    }

    /// Returns whether events must be taken before anything else is read: there are too many, or
    /// one more QoS 2 message would end the connection before the queued ones are acknowledged.
    fn events_wait(&self) -> bool {
        self.events.is_full() || self.state.is_received_full() && self.events.len() != 0
    }

    // Inputs.

    /// Checks whether the heap has room for CONNECT, which the codec copies. Call it before
    /// [`connect`](Self::connect).
    pub fn connect_room(&self) -> Result<(), SessionError> {
        let config = &self.config;
        let size = self.client_id().len()
            + config.will.as_ref().map_or(0, Message::size)
            + config.username.as_ref().map_or(0, String::len)
            + config.password.as_ref().map_or(0, |secret| secret.len());
        frame::heap_has(2 * size + 256)
            .then_some(())
            .ok_or(SessionError::OutOfMemory { size: size as u32 })
    }

    /// Queues CONNECT; call it when the transport is open. Abandons an existing connection.
    pub fn connect(&mut self, now: Duration) {
        self.end_link(false);
        self.connection = self.connection.checked_add(1).unwrap_or(1);
        self.broker_reason = None;
        self.server_reference = None;
        self.note_time(now);
        let resumes = self.config.version() == Version::V5 && self.state.established;
        let clean =
            self.config.clean_start && !resumes || self.state.start_clean || self.state.anew;
        self.state.journal.unsettle();
        let mut link = Link::new(now, self.config.response_timeout, clean);
        packet::push_connect(&mut link.control, &self.config, self.client_id(), clean);
        link.ping_after = self.ping_after;
        self.link = Some(link);
    }

    /// Handles bytes from the broker and returns how many were taken.
    ///
    /// If fewer were taken than given, undelivered events or unsent acknowledgements have to go
    /// first ([`wants_input`](Self::wants_input)); offer the rest again afterwards. Do not read
    /// from the transport in the meantime, so that the back-pressure reaches the broker.
    ///
    /// After an error, the connection is over. An MQTT 5 broker may be told why: send what
    /// [`transmit`](Self::transmit) still returns, then close the transport.
    pub fn handle_input(&mut self, data: &[u8], now: Duration) -> Result<usize, SessionError> {
        let result = self.take_packets(data, now);
        if let Err(error) = result {
            self.fail(error);
        }
        result
    }

    /// Ends the connection because the transport is gone, for whatever reason. Unacknowledged
    /// messages wait for the next connection. What was in flight may have been the cause, see
    /// [`Config::suspect_after`](crate::Config::suspect_after).
    pub fn handle_transport_closed(&mut self) {
        self.end_link(true);
    }

    /// Ends the connection for a reason known to be on this side, such as a lost network, so
    /// nothing in flight is suspected.
    pub fn handle_network_lost(&mut self) {
        self.end_link(false);
    }

    /// Handles timers: sends PINGREQ, drops expired messages, or fails if the broker is silent.
    pub fn handle_timeout(&mut self, now: Duration) -> Result<(), SessionError> {
        self.note_time(now);
        self.check_supply(now)?;
        let events_wait = self.events_wait();
        let ack_due = self.ack_due();
        // The answer may have arrived but be unread: behind untaken events, behind acknowledgements
        // that wait for a payload to be sent, or because the owner was away.
        let is_late = is_due(ack_due.map(|due| later(due, AWAY)), now);
        let since = self.unanswered().map(|item| item.since);
        let is_full = !self.wants_input();
        let release_due = is_due(self.release_due(), now);
        let repeated_release = self.repeated_release();
        let Some(link) = &mut self.link else {
            return Ok(());
        };
        // `transmit` tries again.
        link.heap_due = link.heap_due.filter(|due| now < *due);
        // Late once only: if the clock is always late, the second time counts.
        let was_away = is_late && since >= Some(link.judged_from);
        let may_be_unread = was_away || is_full;
        let overdue = is_due(link.response_due(), now);
        let error = match link.phase {
            Phase::Connecting if overdue => SessionError::ConnackTimeout,
            // The answer may be waiting behind untaken events.
            Phase::Online if overdue && events_wait => {
                link.wait_longer(now);
                return Ok(());
            }
            Phase::Online if overdue => SessionError::PingTimeout,
            Phase::Online if is_due(ack_due, now) && may_be_unread => {
                link.judged_from = now;
                return Ok(());
            }
            // A connection has already ended because PUBCOMP was missing. PINGRESP tells whether
            // PUBREL was read.
            Phase::Online if is_due(ack_due, now) && repeated_release.is_some() => {
                link.releasing = repeated_release;
                link.ping_behind(now);
                link.judged_from = now;
                return Ok(());
            }
            Phase::Online if is_due(ack_due, now) => {
                let missing = self.missing_answer();
                SessionError::AckTimeout { missing }
            }
            _ => {
                if release_due {
                    link.ping_behind(now);
                } else if is_due(link.ping_due(), now) {
                    link.ping_again(now);
                }
                return Ok(());
            }
        };
        self.fail(error);
        Err(error)
    }

    /// Returns when to call [`handle_timeout`](Self::handle_timeout) next. Zero means immediately,
    /// because the expiry time of a new message has not started.
    pub fn poll_timeout(&self) -> Option<Duration> {
        if self.state.outbox.awaits_time() {
            return Some(Duration::ZERO);
        }
        let full = self.events.is_full();
        let expiry = self.state.outbox.next_expiry().filter(|_| !full);
        let Some(link) = &self.link else {
            return expiry;
        };
        let due = earliest(expiry, self.supply_due());
        if let Phase::Leaving | Phase::Over = link.phase {
            return due;
        }
        let response = earliest(link.response_due(), link.ping_due());
        let due = earliest(earliest(due, response), self.ack_due());
        let due = earliest(earliest(due, link.alone_until()), link.heap_due);
        earliest(due, self.release_due())
    }

    pub(crate) fn note_time(&mut self, now: Duration) {
        self.state.outbox.stamp(now);
        if let Some(link) = &mut self.link {
            link.now = now;
        }
        self.drop_expired(now);
    }

    /// Returns the item that has waited longest for an answer on this connection.
    fn unanswered(&self) -> Option<&Item> {
        let item = self.state.outbox.get(self.state.outbox.first(BEGUN)?)?;
        (item.sent_on == self.connection).then_some(item)
    }

    fn ack_due(&self) -> Option<Duration> {
        let timeout = self.config.ack_timeout;
        let item = self.unanswered().filter(|_| !timeout.is_zero())?;
        let from = self.link.as_ref()?.judged_from;
        Some(later(item.since.max(from), timeout))
    }

    /// Returns when to send PINGREQ after an unanswered PUBREL. Some brokers do not answer a PUBREL
    /// for an unknown identifier; PINGRESP then shows that it was read.
    fn release_due(&self) -> Option<Duration> {
        let link = self.link.as_ref()?;
        if !link.may_ping() || link.pinged_behind {
            return None;
        }
        let item = self.state.outbox.get(link.releasing?)?;
        (item.sent_on == self.connection).then(|| later(item.since, PUBCOMP_PATIENCE))
    }

    /// Starts the wait for the answer to this item's PUBREL, after which PINGREQ is sent.
    pub(crate) fn await_release(&mut self, key: Key) {
        let (Some(link), Some(item)) = (&mut self.link, self.state.outbox.get_mut(key)) else {
            return;
        };
        item.since = link.now;
        (link.releasing, link.pinged_behind) = (Some(key), false);
    }

    /// Returns the longest waiting item if it waits for PUBCOMP, and not on its first connection.
    fn repeated_release(&self) -> Option<Key> {
        let key = self.state.outbox.first(BEGUN)?;
        let item = self.state.outbox.get(key).filter(|item| item.ends > 0)?;
        matches!(&item.work, Work::Publish(outgoing) if outgoing.released).then_some(key)
    }

    fn missing_answer(&self) -> PacketType {
        let item = self.unanswered();
        let releases_first = item.is_some_and(Item::releases_first);
        PacketType::of(match item.map(|item| &item.work) {
            Some(Work::Publish(outgoing)) if outgoing.released || releases_first => 0x70,
            Some(Work::Publish(outgoing)) if outgoing.qos() == QoS::ExactlyOnce => 0x50,
            Some(Work::Request(request)) if request.kind == RequestKind::Subscribe => 0x90,
            Some(Work::Request(_)) => 0xB0,
            _ => 0x40,
        })
    }

    // Commands.

    /// Queues a message with the default [`PublishOptions`], also while offline.
    pub fn publish(&mut self, message: Message) -> Result<Token, CommandError> {
        self.publish_with(message, PublishOptions::default())
    }

    /// Queues a message, also while offline.
    ///
    /// Exactly one event reports the outcome: [`Event::Published`] or [`Event::PublishFailed`].
    /// Messages of every QoS stay in the outbox until they are sent (QoS 0) or acknowledged.
    /// [`Config::overflow`] determines whether a full outbox refuses the new message or drops
    /// another one. Nothing is dropped while the event queue is full.
    pub fn publish_with(
        &mut self,
        message: Message,
        options: PublishOptions,
    ) -> Result<Token, CommandError> {
        let supply = Supply::default();
        let work = Work::publish(self.config.version(), message, supply, options)?;
        self.queue(work)
    }

    /// Queues a command that was created outside the session, with a token chosen by the caller.
    ///
    /// The limits of the outbox do not apply: the caller has already checked the command against a
    /// copy of [`outbox_room`](Self::outbox_room), to which it had added the commands before it.
    /// There is one exception: a message that fits only by replacing one of its topic, and finds
    /// none, fails with [`PublishError::NoRoom`]. Returns the command if the heap is exhausted;
    /// submit it again later.
    pub fn submit(&mut self, token: Token, command: Command) -> Result<(), Command> {
        let Command { mut work } = command;
        match self.store(&mut work) {
            Ok(()) => {}
            Err(CommandError::NotStored(error)) => {
                self.state.outbox.pass_over(token);
                let error = PublishError::NotStored(error);
                self.events.push(Event::PublishFailed(token, error));
                return Ok(());
            }
            Err(_) => return Err(Command { work }),
        }
        let stored_id = work.stored_id();
        self.make_room(&work);
        let outbox = &mut self.state.outbox;
        if outbox.is_latest(&work) && outbox.room().check_work(&work, None).is_err() {
            outbox.pass_over(token);
            if stored_id != 0 {
                self.state.journal.delete_message(stored_id, 0);
            }
            let error = PublishError::NoRoom;
            self.events.push(Event::PublishFailed(token, error));
            return Ok(());
        }
        if !self.note_named(&work) {
            return Err(Command { work });
        }
        let queued = self.state.outbox.submit(token, work);
        queued.map_err(|work| Command { work })?;
        if stored_id != 0 {
            self.events.push(Event::Stored(token));
        }
        Ok(())
    }

    /// Reports a command that was dropped before it was submitted, see [`Room::victims_of`].
    pub fn drop_command(&mut self, token: Token, error: PublishError) {
        self.state.outbox.pass_over(token);
        self.events.push(Event::PublishFailed(token, error));
    }

    /// Subscribes. The filters are remembered and renewed on a connection without the old session.
    ///
    /// They are sent in packets of at most eight filters, within the broker's packet size limit. A
    /// single event at the end has the answers for all of them.
    pub fn subscribe(&mut self, filters: &[(&str, QoS)]) -> Result<Token, CommandError> {
        self.queue(Command::subscribe(filters)?.work)
    }

    /// Unsubscribes.
    pub fn unsubscribe(&mut self, filters: &[&str]) -> Result<Token, CommandError> {
        self.queue(Command::unsubscribe(filters)?.work)
    }

    pub(crate) fn queue(&mut self, mut work: Work) -> Result<Token, CommandError> {
        let outbox = &self.state.outbox;
        let replaced = outbox.replaced(&work);
        let old = replaced.and_then(|key| outbox.get(key));
        outbox
            .room()
            .check_work(&work, old.map(|item| &item.work))?;
        let drops = replaced.is_some() || outbox.victim(&work).is_some();
        if drops && self.events.is_full() {
            return Err(CommandError::Full);
        }
        self.store(&mut work)?;
        self.make_room(&work);
        if !self.note_named(&work) {
            return Err(CommandError::OutOfMemory);
        }
        self.state.outbox.queue(work)
    }

    /// Stores a message that is to survive a restart, before it is accepted.
    fn store(&mut self, work: &mut Work) -> Result<(), CommandError> {
        let Work::Publish(outgoing) = work else {
            return Ok(());
        };
        let journal = &mut self.state.journal;
        let wanted = match outgoing.durable {
            None => self.config.durable && journal.is_on(),
            Some(wanted) => wanted,
        };
        if !wanted || outgoing.qos() == QoS::AtMostOnce {
            return Ok(());
        }
        if !journal.is_on() {
            return Err(CommandError::NotStored(StoreError::Unavailable));
        }
        let (id, order) = self.state.outbox.prepare(|id| journal.occupied(id))?;
        journal
            .put_message(id, order, outgoing.expiry(), &outgoing.message)
            .map_err(CommandError::NotStored)?;
        outgoing.stored = id;
        Ok(())
    }

    /// Drops what a new message replaces or displaces.
    fn make_room(&mut self, work: &Work) {
        if let Some(key) = self.state.outbox.replaced(work) {
            self.finish_publish(key, Err(PublishError::Superseded));
        }
        while let Some(key) = self.state.outbox.victim(work) {
            self.finish_publish(key, Err(PublishError::Displaced));
        }
    }

    /// Excludes filters that the application requests itself from being renewed. Returns false if
    /// the heap has no room for the request.
    fn note_named(&mut self, work: &Work) -> bool {
        let Work::Request(request) = work else {
            return true;
        };
        if !self.state.outbox.reserve() {
            return false;
        }
        for filter in request.filters() {
            if request.kind == RequestKind::Subscribe {
                self.state.subscriptions.set_asked(&filter.name);
            } else {
                self.state.subscriptions.set_leaving(&filter.name, true);
                self.leave_suspect(&filter.name);
            }
        }
        true
    }

    /// Removes a suspected subscription that the session was renewing by itself.
    fn leave_suspect(&mut self, filter: &str) {
        let is_it = |item: &Item| {
            let names = |request: &Request| request.filters().iter().any(|one| one.name == filter);
            item.token.is_none() && matches!(&item.work, Work::Request(one) if names(one))
        };
        let outbox = &mut self.state.outbox;
        let mut at = outbox.first(SUSPECTS);
        while let Some(key) = at {
            at = outbox.next(key);
            if outbox.get(key).is_some_and(is_it) {
                outbox.remove(key);
            }
        }
    }

    /// Queues DISCONNECT, a clean one: the will is not published. The session first sends the
    /// acknowledgements of what the application has taken, the rest of a half-sent message, and up
    /// to a kilobyte of QoS 0 messages that are next in line. Once DISCONNECT is sent,
    /// [`is_disconnected`](Self::is_disconnected) returns true.
    ///
    /// To wait for acknowledgements, wait for [`is_idle`](Self::is_idle) first. What is not sent or
    /// not acknowledged stays for the next connection.
    pub fn disconnect(&mut self) {
        if let Some(link) = &mut self.link {
            link.left = true;
            if link.phase != Phase::Over {
                link.phase = Phase::Leaving;
            }
        }
    }

    // Outputs.

    /// Returns bytes for the broker; the same ones until they are consumed. Small packets are
    /// combined so that they share a TLS record and a TCP segment.
    pub fn transmit(&mut self, now: Duration) -> &[u8] {
        self.stage(now);
        let Some(link) = &self.link else {
            return &[];
        };
        let staged = link.staged.get(link.consumed..).unwrap_or_default();
        if !staged.is_empty() {
            return staged;
        }
        let Some((key, gone)) = link.payload else {
            return &[];
        };
        match self.state.outbox.get(key).map(|item| &item.work) {
            Some(Work::Publish(outgoing)) => {
                outgoing.message.payload.get(gone..).unwrap_or_default()
            }
            _ => &[],
        }
    }

    /// Confirms that the first `n` bytes of [`transmit`](Self::transmit) were handed to the
    /// transport, at the time passed to that call. The keep-alive counts from then.
    pub fn consume_transmit(&mut self, n: usize) {
        self.consume(n);
    }

    /// Writes to the storage what is missing there, and returns the last failure if something still
    /// is. Call it before dropping the session: an event would come too late.
    pub fn storage_failure(&mut self) -> Option<StoreError> {
        let state = &mut self.state;
        state.journal.catch_up(&state.outbox, &state.subscriptions);
        state.journal.failure()
    }

    /// Returns the next event, or `None`. Taking a message acknowledges it: PUBACK and PUBREC are
    /// never sent earlier, so a message that the application has not seen is delivered again.
    pub fn poll_event(&mut self) -> Option<Event> {
        let state = &mut self.state;
        state.journal.catch_up(&state.outbox, &state.subscriptions);
        if let Some(error) = self.state.journal.take_failure() {
            self.events.push(Event::StorageFailed(error));
        }
        let (event, owed) = self.events.pop()?;
        if let Some(owed) = owed {
            self.acknowledge(owed);
        }
        Some(event)
    }

    fn acknowledge(&mut self, owed: Owed) {
        if owed.qos == QoS::ExactlyOnce {
            self.state.note_taken(owed.packet_id, owed.connection);
        }
        let Some(link) = &mut self.link else {
            return;
        };
        if owed.connection != self.connection || link.phase == Phase::Over {
            return;
        }
        let kind = match owed.qos {
            QoS::ExactlyOnce => AckKind::Pubrec,
            _ => AckKind::Puback,
        };
        let (version, reason) = (self.config.version(), owed.reason);
        packet::push_ack(&mut link.control, version, kind, owed.packet_id, reason);
    }
}
