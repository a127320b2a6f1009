//! The session as its owner sees it: commands, inputs, outputs, time.

use alloc::string::String;
use core::time::Duration;

use crate::command::{Command, Load};
use crate::config::{Config, ConfigError, QoS, Version};
use crate::error::{CommandError, SessionError};
use crate::event::{Event, Events, Owed, Token};
use crate::link::{Limits, Link, Phase, later};
use crate::message::Message;
use crate::outbox::Work;
use crate::packet::{self, AckKind};
use crate::reason::ReasonCode;
use crate::state::{State, forget};

/// Unsent acknowledgements above which no further packet is taken from the broker, bytes.
const CONTROL_LIMIT: usize = 256;

/// The session: what survives a lost connection (packet identifiers, unacknowledged messages,
/// subscriptions) and, while there is one, the connection itself.
///
/// The transport is a byte stream: hand received bytes to [`handle_input`](Self::handle_input),
/// send what [`transmit`](Self::transmit) shows and say so with
/// [`consume_transmit`](Self::consume_transmit). The order of a turn is: inputs and commands,
/// then [`poll_event`](Self::poll_event) until `None`, then `transmit` until empty, then wait for
/// the transport or until [`poll_timeout`](Self::poll_timeout). Spurious calls are harmless.
///
/// `now` is the time since any fixed start and never runs backwards.
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
}

impl Session {
    /// A new session; the configuration is checked.
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
        })
    }

    // Getters.

    /// CONNACK was accepted and neither side has ended the connection.
    pub fn is_connected(&self) -> bool {
        matches!(&self.link, Some(link) if link.phase == Phase::Online)
    }

    /// Nothing is left to be sent on this connection: after [`disconnect`](Self::disconnect) or an
    /// error, once everything up to and including DISCONNECT was consumed; and without a
    /// connection. The transport may be closed.
    pub fn is_disconnected(&self) -> bool {
        match &self.link {
            Some(link) => link.phase == Phase::Over && link.is_drained(),
            None => true,
        }
    }

    /// The outbox is empty and no acknowledgement waits to be sent: leaving now loses nothing.
    pub fn is_idle(&self) -> bool {
        let quiet = |link: &Link| link.control.is_empty() && link.is_drained();
        self.state.outbox.len() == 0 && self.link.as_ref().is_none_or(quiet)
    }

    /// The broker owes an answer: CONNACK, PINGRESP, or to a message or request.
    pub fn awaits_answer(&self) -> bool {
        self.link.as_ref().is_some_and(Link::awaits_answer)
    }

    /// What the broker allows; `None` before CONNACK.
    pub fn limits(&self) -> Option<&Limits> {
        self.link.as_ref()?.limits()
    }

    /// The client identifier in use: configured, or assigned by an MQTT 5 broker.
    pub fn client_id(&self) -> &str {
        let assigned = self.state.client_id.as_deref();
        assigned.unwrap_or(&self.config.client_id)
    }

    /// QoS 1 and 2 messages sent on this connection and not yet acknowledged.
    pub fn in_flight(&self) -> usize {
        self.link.as_ref().map_or(0, |link| link.in_flight.into())
    }

    /// Messages and requests queued or unacknowledged.
    pub fn outbox_len(&self) -> usize {
        self.state.outbox.len()
    }

    /// Bytes they occupy, as counted against [`Config::outbox_bytes`].
    pub fn outbox_bytes(&self) -> usize {
        self.state.outbox.bytes()
    }

    /// What the outbox holds.
    pub fn outbox_load(&self) -> Load {
        self.state.outbox.load()
    }

    /// What it holds at most.
    pub fn outbox_limit(&self) -> Load {
        self.state.outbox.limit()
    }

    /// The version of the protocol.
    pub fn version(&self) -> Version {
        self.config.version
    }

    /// The broker's own words for its last CONNACK or DISCONNECT on this connection (MQTT 5
    /// Reason String), for a person to read.
    pub fn broker_reason(&self) -> Option<&str> {
        self.broker_reason.as_deref()
    }

    /// The other server the broker points to (MQTT 5 Server Reference).
    pub fn server_reference(&self) -> Option<&str> {
        self.server_reference.as_deref()
    }

    /// Whether [`handle_input`](Self::handle_input) takes anything now. If not: poll events, and
    /// transmit what there is.
    pub fn wants_input(&self) -> bool {
        let room = |link: &Link| link.control.len() <= CONTROL_LIMIT;
        !self.events.is_full() && self.link.as_ref().is_none_or(room)
    }

    // Inputs.

    /// The transport is up: queues CONNECT. A connection that still exists is given up.
    pub fn connect(&mut self, now: Duration) {
        self.handle_transport_closed();
        self.connection = self.connection.wrapping_add(1);
        self.broker_reason = None;
        self.server_reference = None;
        let resumes = self.config.version == Version::V5 && self.state.established;
        let clean = self.config.clean_start && !resumes;
        let mut link = Link::new(now, self.config.response_timeout, clean);
        packet::push_connect(&mut link.control, &self.config, self.client_id(), clean);
        self.link = Some(link);
    }

    /// Bytes from the broker; returns how many were taken.
    ///
    /// Fewer than given means that undelivered events or unsent acknowledgements have to go
    /// first ([`wants_input`](Self::wants_input)): offer the rest again then. Not reading the
    /// transport meanwhile lets the back-pressure reach the broker.
    ///
    /// After an error the connection is over. An MQTT 5 broker may be told why: send what
    /// [`transmit`](Self::transmit) still shows, then close the transport.
    pub fn handle_input(&mut self, data: &[u8], now: Duration) -> Result<usize, SessionError> {
        let result = self.take_packets(data, now);
        if let Err(error) = result {
            self.fail(error);
        }
        result
    }

    /// The transport is gone; unacknowledged messages wait for the next connection.
    pub fn handle_transport_closed(&mut self) {
        self.link = None;
    }

    /// Time has passed: sends PINGREQ, or finds the broker silent.
    pub fn handle_timeout(&mut self, now: Duration) -> Result<(), SessionError> {
        let wants_input = self.wants_input();
        let response_timeout = self.config.response_timeout;
        let Some(link) = &mut self.link else {
            return Ok(());
        };
        let overdue = link.response_by.is_some_and(|by| now >= by);
        let error = match link.phase {
            Phase::Connecting if overdue => SessionError::ConnackTimeout,
            // The answer may be waiting behind what the application has not taken yet.
            Phase::Online if overdue && !wants_input => {
                link.response_by = Some(later(now, response_timeout));
                return Ok(());
            }
            Phase::Online if overdue => SessionError::PingTimeout,
            _ => {
                if link.ping_due().is_some_and(|due| now >= due) {
                    link.ping(now, response_timeout);
                }
                return Ok(());
            }
        };
        self.fail(error);
        Err(error)
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called next.
    pub fn poll_timeout(&self) -> Option<Duration> {
        let link = self.link.as_ref()?;
        match link.phase {
            Phase::Connecting | Phase::Online => link.response_by.or_else(|| link.ping_due()),
            Phase::Leaving | Phase::Over => None,
        }
    }

    // Commands.

    /// Queues a message, also while offline.
    ///
    /// Its end is one event, [`Event::Published`] or [`Event::PublishFailed`]. Messages of every
    /// QoS stay in the outbox, in order, until they are sent (QoS 0) or acknowledged; a full
    /// outbox refuses new ones and drops none.
    pub fn publish(&mut self, message: Message) -> Result<Token, CommandError> {
        let work = Work::publish(self.config.version, message)?;
        self.state.outbox.push(work)
    }

    /// Queues a command that was made apart from the session, under a name of the caller's choice
    /// and whatever the outbox holds: the caller has asked [`outbox_limit`](Self::outbox_limit)
    /// for room. Gives it back if the heap is full; submit it again later.
    pub fn submit(&mut self, token: Token, command: Command) -> Result<(), Command> {
        let work = match command.work {
            Work::Unsubscribe(names) => {
                for name in &names {
                    forget(&mut self.state.subscriptions, name);
                }
                Work::Unsubscribe(names)
            }
            work => work,
        };
        let queued = self.state.outbox.submit(token, work);
        queued.map_err(|work| Command { work })
    }

    /// Subscribes; remembered and repeated on a connection without the old session.
    pub fn subscribe(&mut self, filters: &[(&str, QoS)]) -> Result<Token, CommandError> {
        for (name, _) in filters {
            self.state.outbox.check_room(name.len())?;
        }
        self.state.outbox.push(Command::subscribe(filters)?.work)
    }

    /// Unsubscribes.
    pub fn unsubscribe(&mut self, filters: &[&str]) -> Result<Token, CommandError> {
        for name in filters {
            self.state.outbox.check_room(name.len())?;
        }
        let token = self
            .state
            .outbox
            .push(Command::unsubscribe(filters)?.work)?;
        for name in filters {
            forget(&mut self.state.subscriptions, name);
        }
        Ok(token)
    }

    /// Queues DISCONNECT (clean: the will is not published) behind everything that can be sent
    /// without waiting for an acknowledgement. [`is_disconnected`](Self::is_disconnected) tells
    /// when it is out.
    ///
    /// Who wants acknowledgements first waits for [`is_idle`](Self::is_idle) before. What is not
    /// sent or not acknowledged stays for the next connection.
    pub fn disconnect(&mut self) {
        if let Some(link) = &mut self.link {
            if link.phase != Phase::Over {
                link.phase = Phase::Leaving;
            }
        }
    }

    // Outputs.

    /// Bytes for the broker; stays the same until consumed. Small packets come together, so that
    /// they share a TLS record and a segment.
    pub fn transmit(&mut self, now: Duration) -> &[u8] {
        self.stage(now);
        let Some(link) = &self.link else {
            return &[];
        };
        let staged = link.staged.get(link.consumed..).unwrap_or_default();
        if !staged.is_empty() {
            return staged;
        }
        match (link.payload, self.state.outbox.get(link.sent)) {
            (Some(gone), Some(item)) => match &item.work {
                Work::Publish(outgoing) => outgoing.payload.get(gone..).unwrap_or_default(),
                _ => &[],
            },
            _ => &[],
        }
    }

    /// The first `n` bytes of [`transmit`](Self::transmit) were handed to the transport, at the
    /// time that was given there. From here the keep-alive counts.
    pub fn consume_transmit(&mut self, n: usize) {
        self.consume(n);
    }

    /// What happened, until `None`. Taking a message acknowledges it: PUBACK and PUBREC are sent
    /// no earlier, so that what the application never saw is delivered again.
    pub fn poll_event(&mut self) -> Option<Event> {
        let (event, owed) = self.events.pop()?;
        if let Some(owed) = owed {
            self.acknowledge(owed);
        }
        Some(event)
    }

    fn acknowledge(&mut self, owed: Owed) {
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
        let (version, reason) = (self.config.version, ReasonCode::SUCCESS);
        packet::push_ack(&mut link.control, version, kind, owed.packet_id, reason);
    }
}
