//! Starting a session from what was stored before a restart.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::journal::{Journal, Loaded};
use super::record::{Identity, Record, Stored, key};
use super::store::{Store, StoreError};
use crate::config::{Config, ConfigError, QoS};
use crate::event::{Event, Token};
use crate::item::Outgoing;
use crate::message::Message;
use crate::outbox::{Outbox, RELEASES, RESEND};
use crate::session::Session;

/// The order of a message whose record is damaged; no message has it.
const NO_ORDER: u32 = 0;

/// Loaded records by kind.
#[derive(Default)]
struct Found {
    identity: Option<Identity>,
    settled: bool,
    received: Vec<(u16, Vec<u16>)>,
    released: Vec<(u16, Vec<u32>)>,
    filters: Vec<(u16, String, QoS, QoS)>,
    messages: Vec<(u16, Stored)>,
    releases: Vec<(u16, u32)>,
    damaged: Vec<u16>,
    no_memory: bool,
}

impl Found {
    fn take(&mut self, key: u16, loaded: Loaded) {
        let record = match loaded {
            Loaded::Record(record) => record,
            Loaded::Damaged => return self.damaged.push(key),
            Loaded::NoMemory => {
                self.no_memory = true;
                return;
            }
        };
        match record {
            Record::Session(identity) => self.identity = Some(identity),
            Record::Settled => self.settled = true,
            Record::Received(ids) => self.received.push((key, ids)),
            Record::Released(orders) => self.released.push((key, orders)),
            Record::Filter { name, qos, granted } => self.filters.push((key, name, qos, granted)),
            Record::Message(stored) => self.messages.push((key, stored)),
            Record::Release(order) => self.releases.push((key, order)),
        }
    }
}

impl Session {
    /// Creates a session that keeps its state in `store` and continues from what is there: see
    /// [`restore`](Self::restore).
    pub fn with_store(config: Config, store: Box<dyn Store>) -> Result<Self, ConfigError> {
        let mut session = Self::new(config)?;
        session.restore(store);
        Ok(session)
    }

    /// Keeps the state in `store` from now on, and continues from what is there. Blocks while the
    /// store is read. Only for a new session: one that was used before or has a store is left
    /// unchanged.
    ///
    /// Events report what was found: [`Event::Restored`], [`Event::RecordDamaged`] and
    /// [`Event::StorageFailed`]. Messages from before the restart have
    /// [tokens of their own](crate::Token::is_restored). If the store cannot be read, the session
    /// continues without it and refuses messages that
    /// [have to be durable](crate::PublishOptions::durable).
    pub fn restore(&mut self, store: Box<dyn Store>) {
        if !self.is_new() {
            return;
        }
        let mut found = Found::default();
        match Journal::open(store, |key, loaded| found.take(key, loaded)) {
            Ok(journal) => self.take_up(journal, found),
            Err(error) => self.events.push(Event::StorageFailed(error)),
        }
    }

    /// Returns whether the session was not used yet.
    fn is_new(&self) -> bool {
        self.connection == 0 && self.outbox_len() == 0 && !self.state.journal.is_on()
    }

    fn take_up(&mut self, mut journal: Journal, mut found: Found) {
        let is_unknown = found.damaged.contains(&key::SESSION);
        for key in found.damaged {
            if key::MESSAGES.contains(&key) {
                // The broker may have that message.
                journal.put_release(key, NO_ORDER);
                found.releases.push((key, NO_ORDER));
            } else {
                journal.forget(key);
            }
            self.events.push(Event::RecordDamaged { key });
        }
        if found.no_memory {
            let error = StoreError::OutOfMemory;
            self.events.push(Event::StorageFailed(error));
        }
        for (key, ids) in &found.received {
            journal.add_received(*key, ids);
        }
        for (key, orders) in &found.released {
            journal.add_released(*key, orders);
        }
        let places = found
            .filters
            .iter()
            .map(|(key, ..)| key - key::FILTERS.start());
        journal.set_filters(places.collect());

        let configured = self.config.client_id.as_str();
        let identity = found.identity.unwrap_or_default();
        let is_renamed =
            identity.established && !configured.is_empty() && identity.client_id != configured;
        if is_renamed {
            // The broker knows the session under an identifier that is no longer used.
            journal.clear_received();
            journal.clear_released();
        } else {
            if identity.established && configured.is_empty() {
                self.state.client_id = Some(identity.client_id.clone());
            }
            self.state.established = identity.established;
            // If it saw no CONNACK, the last CONNECT before the restart may have started a new
            // session.
            self.state.unsure = !(found.settled && identity.established);
            self.state.set_received(journal.received());
            // Messages that were not stored may be in flight with any identifier.
            let foreign = identity.established;
            self.state.outbox.set_foreign(foreign, identity.adopted);
        }
        journal.set_settled(found.settled);
        let may_be_sent = identity.established || is_unknown;
        // Which messages were sent, if PUBREL is sent first, is known unless that was dropped or
        // the heap had no room. With a damaged record, none count as sent: one may then arrive
        // twice, but would be lost otherwise.
        let is_known = !is_renamed && !found.no_memory;
        self.state.peer.clone_from(&identity.peer);
        journal.set_identity(identity);

        let (messages, subscriptions) = (found.messages.len(), found.filters.len());
        found
            .messages
            .sort_unstable_by_key(|(_, stored)| stored.order);
        let last_released = journal.last_released();
        if !found.no_memory {
            let messages = &found.messages;
            let is_there = |order: &u32| messages.binary_search_by_key(order, |(_, m)| m.order);
            journal.keep_released(|order| is_there(&order).is_ok());
        }
        found.releases.sort_unstable_by_key(|(_, order)| *order);
        let mut complete = true;
        for (id, order) in found.releases {
            complete &= self.state.outbox.restore_release(id, order);
        }
        for (id, stored) in found.messages {
            let released = journal.is_released(stored.order);
            let is_kept = is_known && stored.message.qos == QoS::ExactlyOnce;
            let sent = may_be_sent && (!is_kept || journal.may_be_sent(stored.order));
            complete &= self.state.outbox.restore(id, stored, released, sent);
        }
        self.state.outbox.begin_after(last_released);
        journal.incomplete |= !complete;
        for (key, name, qos, granted) in found.filters {
            let place = key - key::FILTERS.start();
            let subscriptions = &mut self.state.subscriptions;
            subscriptions.restore(name, qos, granted, place);
        }
        self.state.journal = journal;
        if messages + subscriptions > 0 {
            self.events.push(Event::Restored {
                messages,
                subscriptions,
            });
        }
        if is_renamed {
            // Nothing was sent under the new identifier, whatever the broker has for it.
            self.begin_anew();
        }
    }
}

impl Outbox {
    /// Restores a message that may have been sent. Returns false if the heap is exhausted.
    fn restore(&mut self, id: u16, stored: Stored, released: bool, sent: bool) -> bool {
        let list = if released { RELEASES } else { RESEND };
        let order = stored.order;
        let outgoing = Outgoing::restored(id, stored, released, sent);
        self.push_restored(list, Some(Token::restored(id)), order, outgoing, sent)
    }

    /// Restores the PUBREL of a message that was given up.
    fn restore_release(&mut self, id: u16, order: u32) -> bool {
        let stored = Stored {
            order,
            expiry: None,
            message: Message::default().qos(QoS::ExactlyOnce),
        };
        let outgoing = Outgoing::restored(id, stored, true, true);
        self.push_restored(RELEASES, None, order, outgoing, true)
    }
}
