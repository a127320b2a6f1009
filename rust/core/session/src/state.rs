//! What survives a lost connection: the session state of section 4.1 of both standards.

use alloc::string::String;
use alloc::vec::Vec;

use crate::config::Config;
use crate::durable::Journal;
use crate::error::SessionError;
use crate::outbox::Outbox;
use crate::subscriptions::Subscriptions;

/// The session state.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) outbox: Outbox,
    pub(crate) subscriptions: Subscriptions,
    /// Maximum filters in one renewing SUBSCRIBE; reduced after one that ended the connection.
    pub(crate) repeat: usize,
    /// Maximum QoS 1 and 2 messages in flight; reduced if connections end without an answer.
    pub(crate) window: u16,
    /// QoS 2 messages delivered and not yet released by the broker.
    received: Vec<u16>,
    /// Those received before the broker may have lost the session.
    doubtful: Vec<u16>,
    max_received: u16,
    /// The identifier assigned by an MQTT 5 broker.
    pub(crate) client_id: Option<String>,
    /// A CONNACK was accepted before: if the broker has a session, it is ours.
    pub(crate) established: bool,
    /// The broker has a session that is not ours: the next CONNECT asks for a new one.
    pub(crate) start_clean: bool,
    /// The next broker does not know this session: see
    /// [`Session::start_anew`](crate::Session::start_anew).
    pub(crate) anew: bool,
    /// A CONNECT was sent and no CONNACK seen: the broker may have lost the session and started a
    /// new one that it will report as present.
    pub(crate) unsure: bool,
    /// The connection on which the session began; 0 for one from before a restart.
    pub(crate) began: u32,
    /// The broker of the next connection, as named by the owner, and the one that has the session.
    pub(crate) next_peer: String,
    pub(crate) peer: String,
    pub(crate) journal: Journal,
    /// An MQTT 5 broker has ignored our packet size limit before.
    pub(crate) limit_ignored: bool,
}

impl State {
    pub(crate) fn new(config: &Config) -> Self {
        State {
            outbox: Outbox::new(config),
            subscriptions: Subscriptions::default(),
            repeat: crate::request::FILTERS,
            window: u16::MAX,
            received: Vec::new(),
            doubtful: Vec::new(),
            max_received: config.received_ids.max(config.receive_maximum),
            client_id: None,
            established: false,
            start_clean: false,
            anew: false,
            unsure: false,
            began: 0,
            next_peer: String::new(),
            peer: String::new(),
            journal: Journal::default(),
            limit_ignored: false,
        }
    }

    /// Handles a received QoS 2 message. Returns `Ok(true)` if it is new, an error if there are too
    /// many. A repeated one has `dup` \[MQTT-3.3.1-1\]. If `accepted`, PUBREC reports success for a
    /// new message, and a PUBREL will follow.
    pub(crate) fn receive(
        &mut self,
        packet_id: u16,
        dup: bool,
        accepted: bool,
    ) -> Result<bool, SessionError> {
        let is_new = self.is_new(packet_id, dup)?;
        self.doubtful.retain(|id| *id != packet_id);
        if is_new && !accepted {
            self.released(packet_id);
        } else if !self.received.contains(&packet_id) {
            let reserved = self.received.try_reserve(1);
            reserved.map_err(|_| SessionError::ReceiveMaximumExceeded)?;
            self.received.push(packet_id);
        }
        Ok(is_new)
    }

    /// Returns what [`receive`](Self::receive) will return for a message that has begun to arrive.
    pub(crate) fn is_new(&self, packet_id: u16, dup: bool) -> Result<bool, SessionError> {
        if self.received.contains(&packet_id) {
            Ok(self.doubtful.contains(&packet_id) && !dup)
        } else if self.is_received_full() {
            Err(SessionError::ReceiveMaximumExceeded)
        } else {
            Ok(true)
        }
    }

    /// Returns whether there is no room for another QoS 2 message.
    pub(crate) fn is_received_full(&self) -> bool {
        self.received.len() >= self.max_received.into()
    }

    /// Restores identifiers from before a restart.
    #[cfg(feature = "durable")]
    pub(crate) fn set_received(&mut self, ids: Vec<u16>) {
        self.received = ids;
    }

    /// Notes that the application is about to get a QoS 2 message that arrived on this connection.
    pub(crate) fn note_taken(&mut self, packet_id: u16, connection: u32) {
        if self.journal.is_on() && connection >= self.began && self.received.contains(&packet_id) {
            self.journal.note_received(packet_id);
        }
    }

    /// Handles PUBREL. Returns whether the identifier was known.
    pub(crate) fn released(&mut self, packet_id: u16) -> bool {
        self.journal.forget_received(packet_id);
        self.doubtful.retain(|id| *id != packet_id);
        let found = self.received.iter().position(|id| *id == packet_id);
        found.map(|at| self.received.swap_remove(at)).is_some()
    }

    /// Forgets received identifiers, because the broker lost the session.
    pub(crate) fn forget_received(&mut self) {
        self.received.clear();
        self.doubtful.clear();
    }

    /// Stores that the broker's subscriptions and identifiers match the stored ones, if they do, so
    /// that they need not be verified after a restart.
    pub(crate) fn settle(&mut self) {
        if self.subscriptions.are_confirmed() && self.doubtful.is_empty() {
            self.journal.settle();
        }
    }

    /// Prepares for a broker that may have lost the session although it reports it as present:
    /// subscribing again is harmless, and a message without DUP is treated as new.
    pub(crate) fn doubt(&mut self) {
        self.subscriptions.begin_anew(&mut self.journal);
        self.doubtful.clone_from(&self.received);
    }
}
