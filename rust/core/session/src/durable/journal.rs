//! Writes the session's state to its storage.
//!
//! When each record is written, in the order of events:
//!
//! - A message is stored before `publish` accepts it, with its future packet identifier, and
//!   deleted after PUBACK or PUBCOMP.
//! - That the broker has a QoS 2 message (PUBREC) is stored before PUBREL is sent.
//! - In a session that was taken over, PUBREL is sent before the first use of a packet identifier
//!   with QoS 2. That PUBLISH follows the PUBREL is stored before it is sent.
//! - The identifier of a received QoS 2 message is stored before the application gets the message,
//!   so before PUBREC, and deleted before PUBCOMP.
//! - The identity of the session is stored when CONNACK arrives, before anything else is sent.
//! - That the broker's session and the stored one match (SETTLED) is stored when all subscriptions
//!   are known to be there and everything else is written. It is deleted before CONNECT and when a
//!   write fails.
//! - A subscription is stored or deleted when the broker has answered.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use super::record::{self, Identity, key};
use super::store::{ENCRYPTED, Store, StoreError};
use crate::config::QoS;
use crate::message::Message;
use crate::outbox::Outbox;
use crate::subscriptions::Subscriptions;

/// Numbers in one record of a set.
const CHUNK: usize = 16;

/// First keys of the sets of message orders.
const SETS: [u16; 2] = [*key::RELEASED.start(), *key::SENT.start()];

/// Maximum number of keys tracked as out of date.
const LATE: usize = 256;

/// Writes records. Without a store it does nothing.
#[derive(Default)]
pub(crate) struct Journal {
    store: Option<Box<dyn Store>>,
    /// What the store should contain: this and the following fields.
    identity: Option<Identity>,
    /// Whether it should contain SETTLED, once everything else is written.
    settled: bool,
    received: Vec<u16>,
    released: Vec<u32>,
    sent: Vec<u32>,
    /// Filter indices that are free again, and the first that was never used.
    free: Vec<u16>,
    next_filter: u16,
    /// The store has a record that could not be loaded: its key must not be used.
    pub(super) incomplete: bool,
    /// Keys whose record in the store is out of date, see [`catch_up`](Self::catch_up).
    late: Vec<u16>,
    /// There are more, whose keys are not tracked.
    lost: bool,
    /// The last write succeeded, so others may succeed as well.
    works: bool,
    /// The last failed write, if not everything has been written since. It was reported.
    failing: Option<StoreError>,
    untold: Option<StoreError>,
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal")
            .field("on", &self.is_on())
            .field("identity", &self.identity)
            .field("received", &self.received)
            .field("released", &self.released)
            .field("sent", &self.sent)
            .finish_non_exhaustive()
    }
}

impl Journal {
    /// Reads a store, and passes every record to `found`.
    pub(super) fn open(
        mut store: Box<dyn Store>,
        mut found: impl FnMut(u16, Loaded),
    ) -> Result<Self, StoreError> {
        let mut journal = Journal::default();
        let (mut is_encrypted, mut is_newer) = (false, false);
        store.load(&mut |key, bytes| {
            is_encrypted |= key == ENCRYPTED;
            // Decoding takes at most twice its bytes and a little more.
            let mut room = Vec::<u8>::new();
            if room.try_reserve_exact(2 * bytes.len() + 256).is_err() {
                journal.incomplete = true;
                found(key, Loaded::NoMemory);
                return;
            }
            drop(room);
            match record::read(key, bytes) {
                Some(record) => found(key, Loaded::Record(record)),
                None => {
                    is_newer |= record::is_newer(key, bytes);
                    found(key, Loaded::Damaged);
                }
            }
        })?;
        if is_encrypted {
            return Err(StoreError::Encrypted);
        }
        if is_newer {
            return Err(StoreError::Newer);
        }
        journal.store = Some(store);
        Ok(journal)
    }

    pub(super) fn set_identity(&mut self, identity: Identity) {
        self.identity = Some(identity);
    }

    pub(super) fn set_settled(&mut self, settled: bool) {
        self.settled = settled;
    }

    pub(super) fn add_received(&mut self, key: u16, ids: &[u16]) {
        fill(&mut self.received, key - key::RECEIVED.start(), ids);
    }

    pub(super) fn add_released(&mut self, key: u16, orders: &[u32]) {
        let (places, chunk) = self.set(key);
        fill(places, chunk, orders);
    }

    /// Returns the set of message orders that a record belongs to, and its index in the set.
    fn set(&mut self, key: u16) -> (&mut Vec<u32>, u16) {
        match key::SENT.contains(&key) {
            true => (&mut self.sent, key - key::SENT.start()),
            false => (&mut self.released, key - key::RELEASED.start()),
        }
    }

    pub(super) fn received(&self) -> Vec<u16> {
        self.received
            .iter()
            .copied()
            .filter(|id| *id != 0)
            .collect()
    }

    /// Returns whether the store has the message of this order as released.
    pub(super) fn is_released(&self, order: u32) -> bool {
        self.released.contains(&order)
    }

    /// Returns whether a QoS 2 message of this order may have been sent, and not only the PUBREL
    /// before it.
    pub(super) fn may_be_sent(&self, order: u32) -> bool {
        !self.is_adopted() || self.sent.contains(&order) || self.is_released(order)
    }

    /// Returns the highest order in the sets.
    pub(super) fn last_released(&self) -> u32 {
        let places = self.released.iter().chain(&self.sent);
        places.copied().max().unwrap_or(0)
    }

    /// Removes the orders of completed messages, which [`delete_message`](Self::delete_message)
    /// leaves in the store, to free their places. The first record is kept for later use.
    pub(super) fn keep_released(&mut self, is_there: impl Fn(u32) -> bool) {
        for first in SETS {
            let (places, _) = self.set(first);
            for place in places.iter_mut() {
                if !is_there(*place) {
                    *place = 0;
                }
            }
            let used = chunks(places);
            let all = (places.len() / CHUNK) as u16;
            for chunk in (1..all).filter(|chunk| !used.contains(chunk)) {
                let _ = self.delete(first + chunk);
            }
        }
    }

    /// Sets the indices of the filters in the store.
    pub(super) fn set_filters(&mut self, mut places: Vec<u16>) {
        places.sort_unstable();
        self.next_filter = places.last().map_or(0, |last| last + 1);
        let free = (0..self.next_filter).filter(|place| places.binary_search(place).is_err());
        self.free = free.collect();
    }

    pub(super) fn forget(&mut self, key: u16) {
        let _ = self.delete(key);
    }

    pub(crate) fn is_on(&self) -> bool {
        self.store.is_some()
    }

    /// Returns the last failure, if it was not reported yet.
    pub(crate) fn take_failure(&mut self) -> Option<StoreError> {
        self.untold.take()
    }

    /// Returns the last failure if the store is out of date because of it.
    pub(crate) fn failure(&self) -> Option<StoreError> {
        self.failing.filter(|_| self.lost || !self.late.is_empty())
    }

    /// Returns which packet identifiers, of this one and the 31 after it, belong to stored messages
    /// that are not loaded. The first is the lowest bit.
    pub(crate) fn occupied(&mut self, first: u16) -> Result<u32, StoreError> {
        let mut occupied = 0;
        if let Some(store) = self.store.as_mut().filter(|_| self.incomplete) {
            let count = 1 + (key::MESSAGES.end() - key::MESSAGES.start());
            store.load(&mut |key, _| {
                let distance = key.wrapping_sub(first) % count;
                if key::MESSAGES.contains(&key) && distance < 32 {
                    occupied |= 1 << distance;
                }
            })?;
        }
        Ok(occupied)
    }

    pub(crate) fn put_message(
        &mut self,
        id: u16,
        order: u32,
        expiry: Option<u32>,
        message: &Message,
    ) -> Result<(), StoreError> {
        let record = record::message(id, order, expiry, message);
        let result = self.write(id, Some(record));
        if let Err(error) = result {
            self.fail(error);
            // It may have been stored anyway, but was not accepted.
            let may_be_there = matches!(error, StoreError::Failed(_) | StoreError::Full);
            if may_be_there && self.write(id, None).is_err() {
                self.note_late(id);
            }
            return result;
        }
        self.note(id, result)
    }

    /// Replaces a message by its PUBREL.
    pub(crate) fn put_release(&mut self, id: u16, order: u32) {
        let record = record::release(id, order);
        if self.put(id, record).is_ok() {
            self.end_release(order);
        }
    }

    /// Deletes a completed message. The note that it was released is removed by the next write of
    /// that record: no other message will have its order.
    pub(crate) fn delete_message(&mut self, id: u16, order: u32) {
        if self.delete(id).is_ok() {
            self.end_release(order);
        }
    }

    fn end_release(&mut self, order: u32) {
        for place in self.released.iter_mut().chain(&mut self.sent) {
            if *place == order {
                *place = 0;
            }
        }
    }

    /// Handles PUBREC.
    pub(crate) fn note_released(&mut self, order: u32) {
        self.note_order(*key::RELEASED.start(), order);
    }

    /// Notes that a QoS 2 message is about to be sent.
    pub(crate) fn note_sent(&mut self, order: u32) {
        if self.is_adopted() {
            self.note_order(*key::SENT.start(), order);
        }
    }

    fn is_adopted(&self) -> bool {
        self.identity.as_ref().is_some_and(|one| one.adopted)
    }

    fn note_order(&mut self, first: u16, order: u32) {
        if !self.is_on() {
            return;
        }
        let (places, _) = self.set(first);
        if places.contains(&order) {
            return;
        }
        if let Some(chunk) = occupy(places, order) {
            self.put_set(first + chunk);
        }
    }

    /// Forgets what was released, because the broker has lost the session: messages are sent as new
    /// ones.
    pub(crate) fn clear_released(&mut self) {
        for first in SETS {
            let (places, _) = self.set(first);
            let used = chunks(places);
            places.fill(0);
            // Deleted rather than overwritten, which a full storage would refuse. Otherwise, after
            // a restart, PUBREL would be sent to a broker that has no message.
            for chunk in used {
                let _ = self.delete(first + chunk);
            }
        }
    }

    fn put_set(&mut self, key: u16) {
        let record = self.present(key);
        let _ = self.put(key, record);
    }

    /// Notes that a QoS 2 message is about to be handed to the application.
    pub(crate) fn note_received(&mut self, id: u16) {
        if !self.is_on() || self.received.contains(&id) {
            return;
        }
        if let Some(chunk) = occupy(&mut self.received, id) {
            self.put_set(key::RECEIVED.start() + chunk);
        }
    }

    /// Handles PUBREL.
    pub(crate) fn forget_received(&mut self, id: u16) {
        let Some(at) = self.received.iter().position(|place| *place == id) else {
            return;
        };
        if let Some(place) = self.received.get_mut(at) {
            *place = 0;
        }
        self.put_set(key::RECEIVED.start() + (at / CHUNK) as u16);
    }

    /// Forgets received identifiers, because the broker has lost the session.
    pub(crate) fn clear_received(&mut self) {
        let all = self.received.len().div_ceil(CHUNK) as u16;
        self.received.fill(0);
        // Also those that are empty here, because a full storage may not have been updated.
        for chunk in 0..all {
            let _ = self.delete(key::RECEIVED.start() + chunk);
        }
    }

    /// Stores a subscription. Returns its index in the store, which does not change.
    pub(crate) fn put_filter(
        &mut self,
        place: Option<u16>,
        name: &str,
        qos: QoS,
        granted: QoS,
    ) -> Option<u16> {
        if !self.is_on() {
            return None;
        }
        let place = place
            .or_else(|| self.free.pop())
            .unwrap_or(self.next_filter);
        let key = key::FILTERS.start() + place;
        if !key::FILTERS.contains(&key) {
            self.lost = true;
            self.fail(StoreError::Full);
            return None;
        }
        self.next_filter = self.next_filter.max(place + 1);
        let record = record::filter(key, name, qos, granted);
        let _ = self.put(key, record);
        Some(place)
    }

    pub(crate) fn delete_filter(&mut self, place: Option<u16>) {
        if let Some(place) = place {
            let _ = self.delete(key::FILTERS.start() + place);
            self.free.push(place);
        }
    }

    /// Stores the identity of the session, if it has changed.
    pub(crate) fn put_identity(&mut self, identity: Identity) {
        if !self.is_on() || self.identity.as_ref() == Some(&identity) {
            return;
        }
        self.identity = Some(identity);
        let record = self.present(key::SESSION);
        let _ = self.put(key::SESSION, record);
    }

    /// Notes that the broker's session matches what is to be stored.
    pub(crate) fn settle(&mut self) {
        if self.is_on() && !self.settled {
            self.settled = true;
            self.note_late(key::SETTLED);
            self.works = true;
        }
    }

    /// Deletes SETTLED before CONNECT is sent. If the answer is lost in a power failure, the broker
    /// may have started a new session that it will report as present. Deleted rather than
    /// overwritten, which a full storage would refuse.
    pub(crate) fn unsettle(&mut self) {
        if self.settled {
            self.settled = false;
            let _ = self.delete(key::SETTLED);
        }
    }

    fn put(&mut self, key: u16, record: Option<Vec<u8>>) -> Result<(), StoreError> {
        let result = self.write(key, Some(record));
        self.note(key, result)
    }

    fn delete(&mut self, key: u16) -> Result<(), StoreError> {
        let result = self.write(key, None);
        self.note(key, result)
    }

    /// Writes a record, or deletes it. The inner `None` means that the heap had no room for it.
    fn write(&mut self, key: u16, record: Option<Option<Vec<u8>>>) -> Result<(), StoreError> {
        match (&mut self.store, record) {
            (None, _) => Ok(()),
            (Some(store), None) => store.delete(key),
            (Some(store), Some(Some(record))) => store.put(key, &record),
            (_, Some(None)) => Err(StoreError::OutOfMemory),
        }
    }

    fn note(&mut self, key: u16, result: Result<(), StoreError>) -> Result<(), StoreError> {
        if let Err(error) = result {
            self.fail(error);
            self.note_late(key);
            if key != key::SETTLED {
                // After a restart, everything is in doubt until all is written.
                let deleted = self.write(key::SETTLED, None);
                if self.settled || deleted.is_err() {
                    self.note_late(key::SETTLED);
                }
            }
        } else {
            self.late.retain(|late| *late != key);
            self.works = true;
        }
        result
    }

    /// Notes a failure, which is reported once until everything is written.
    fn fail(&mut self, error: StoreError) {
        self.works = false;
        if self.failing.replace(error).is_none() {
            self.untold = Some(error);
        }
    }

    fn note_late(&mut self, key: u16) {
        self.late.retain(|late| *late != key);
        if self.late.len() < LATE && self.late.try_reserve(1).is_ok() {
            self.late.push(key);
        } else {
            self.lost = true;
        }
    }

    /// Writes records that are out of date, after a write that succeeded and until one fails.
    pub(crate) fn catch_up(&mut self, outbox: &Outbox, subscriptions: &Subscriptions) {
        while core::mem::take(&mut self.works) {
            // SETTLED comes last.
            let mut others = self.late.iter().filter(|key| **key != key::SETTLED);
            let Some(key) = others.next().or(self.late.first()).copied() else {
                self.failing = self.failing.filter(|_| self.lost);
                return;
            };
            let record = self.record(key, outbox, subscriptions);
            let result = self.write(key, record);
            let _ = self.note(key, result);
        }
    }

    /// Returns what should be stored under a key; `Some(None)` if the heap has no room for it.
    fn record(
        &self,
        key: u16,
        outbox: &Outbox,
        subscriptions: &Subscriptions,
    ) -> Option<Option<Vec<u8>>> {
        if key::MESSAGES.contains(&key) {
            let item = outbox.get(outbox.by_id(key)?)?;
            // The message itself was stored before it was accepted.
            Some(record::release(key, item.order))
        } else if key::FILTERS.contains(&key) {
            let (name, one) = subscriptions.at(key - key::FILTERS.start())?;
            Some(record::filter(key, name, one.qos, one.granted))
        } else if key == key::SETTLED {
            (self.settled && !self.lost).then(record::settled)
        } else {
            // An empty set is deleted, which even a full storage accepts.
            let record = self.present(key);
            let is_empty = record.as_deref().is_some_and(record::is_empty);
            (!is_empty).then_some(record)
        }
    }

    /// Returns the current contents of the record.
    fn present(&self, key: u16) -> Option<Vec<u8>> {
        if key::RECEIVED.contains(&key) {
            record::received(key, slice(&self.received, key - key::RECEIVED.start()))
        } else if key::RELEASED.contains(&key) {
            record::released(key, slice(&self.released, key - key::RELEASED.start()))
        } else if key::SENT.contains(&key) {
            record::released(key, slice(&self.sent, key - key::SENT.start()))
        } else {
            record::session(self.identity.as_ref()?)
        }
    }
}

/// A record of a store that was opened.
#[derive(Debug)]
pub(super) enum Loaded {
    Record(record::Record),
    Damaged,
    NoMemory,
}

/// Copies the values of a record to their places.
fn fill<T: Copy + Default>(places: &mut Vec<T>, chunk: u16, values: &[T]) {
    let start = usize::from(chunk) * CHUNK;
    if places.len() < start + CHUNK {
        places.resize(start + CHUNK, T::default());
    }
    let free = places.get_mut(start..start + CHUNK).unwrap_or_default();
    for (place, value) in free.iter_mut().zip(values) {
        *place = *value;
    }
}

/// Puts a value into a free place. Returns the index of its record, or `None` if the heap has no
/// room.
fn occupy<T: Copy + Default + PartialEq>(places: &mut Vec<T>, value: T) -> Option<u16> {
    let free = places.iter().position(|place| *place == T::default());
    let at = match free {
        Some(at) => at,
        None => {
            places.try_reserve_exact(CHUNK).ok()?;
            let at = places.len();
            places.resize(at + CHUNK, T::default());
            at
        }
    };
    *places.get_mut(at)? = value;
    u16::try_from(at / CHUNK)
        .ok()
        .filter(|chunk| *chunk < 0x1000)
}

/// Returns the indices of records that have any value.
fn chunks<T: Copy + Default + PartialEq>(places: &[T]) -> Vec<u16> {
    let chunks = places.chunks(CHUNK).zip(0..);
    let used = chunks.filter(|(values, _)| values.iter().any(|value| *value != T::default()));
    used.map(|(_, chunk)| chunk).collect()
}

fn slice<T>(places: &[T], chunk: u16) -> &[T] {
    let start = usize::from(chunk) * CHUNK;
    places.get(start..start + CHUNK).unwrap_or_default()
}
