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
    /// Filters in one repeated SUBSCRIBE at most: fewer after one that ended the connection.
    pub(crate) repeat: usize,
    /// QoS 1 and 2 messages under way at once at most: fewer where connections end without an answer.
    pub(crate) window: u16,
    /// QoS 2 messages delivered and not yet released by the broker.
    received: Vec<u16>,
    /// Those of them from before the broker may have lost the session.
    doubtful: Vec<u16>,
    max_received: u16,
    /// The identifier an MQTT 5 broker assigned.
    pub(crate) client_id: Option<String>,
    /// A CONNACK was accepted before: the broker's session, if it has one, is ours.
    pub(crate) established: bool,
    /// The broker has a session that is not ours: the next CONNECT asks for a new one.
    pub(crate) start_clean: bool,
    /// The next broker does not know this session: see [`Session::start_anew`](crate::Session::start_anew).
    pub(crate) anew: bool,
    /// A CONNECT was sent and no CONNACK seen: the broker may have lost the session and begun a new
    /// one that it will call present.
    pub(crate) unsure: bool,
    /// The connection on which the session began; 0 is an earlier life.
    pub(crate) began: u32,
    /// The broker of the next connection, and the one that has the session, as the owner names them.
    pub(crate) next_peer: String,
    pub(crate) peer: String,
    pub(crate) journal: Journal,
    /// The broker ignored our limit on the size of packets before (MQTT 5).
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

    /// A QoS 2 message arrived: `Ok(true)` if for the first time, an error if there are too many.
    /// A repeated one has `dup` \[MQTT-3.3.1-1\]. `accepted`: PUBREC will say so if it is new, and a
    /// PUBREL will follow.
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

    /// What [`receive`](Self::receive) will say, of a message that has begun to arrive.
    pub(crate) fn is_new(&self, packet_id: u16, dup: bool) -> Result<bool, SessionError> {
        if self.received.contains(&packet_id) {
            Ok(self.doubtful.contains(&packet_id) && !dup)
        } else if self.is_received_full() {
            Err(SessionError::ReceiveMaximumExceeded)
        } else {
            Ok(true)
        }
    }

    /// There is no place for another QoS 2 message.
    pub(crate) fn is_received_full(&self) -> bool {
        self.received.len() >= self.max_received.into()
    }

    /// Identifiers of an earlier life.
    #[cfg(feature = "durable")]
    pub(crate) fn set_received(&mut self, ids: Vec<u16>) {
        self.received = ids;
    }

    /// A QoS 2 message that arrived on this connection is about to be handed to the application.
    pub(crate) fn note_taken(&mut self, packet_id: u16, connection: u32) {
        if self.journal.is_on() && connection >= self.began && self.received.contains(&packet_id) {
            self.journal.note_received(packet_id);
        }
    }

    /// PUBREL arrived: whether the identifier was known.
    pub(crate) fn released(&mut self, packet_id: u16) -> bool {
        self.journal.forget_received(packet_id);
        self.doubtful.retain(|id| *id != packet_id);
        let found = self.received.iter().position(|id| *id == packet_id);
        found.map(|at| self.received.swap_remove(at)).is_some()
    }

    /// The broker lost the session.
    pub(crate) fn forget_received(&mut self) {
        self.received.clear();
        self.doubtful.clear();
    }

    /// Stores that the broker has the subscriptions and identifiers as they are stored, if it has: the next
    /// life need not doubt them.
    pub(crate) fn settle(&mut self) {
        if self.subscriptions.are_confirmed() && self.doubtful.is_empty() {
            self.journal.settle();
        }
    }

    /// The broker may have lost the session although it calls it present: subscribing again does no
    /// harm, and a message that is not a repetition is a new one.
    pub(crate) fn doubt(&mut self) {
        self.subscriptions.begin_anew(&mut self.journal);
        self.doubtful.clone_from(&self.received);
    }
}
