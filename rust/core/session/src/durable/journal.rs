//! What is written when: the session's side of its storage.
//!
//! Commit points, in the order in which things happen:
//!
//! - A message is stored before `publish` accepts it, with the packet identifier that it will have,
//!   and forgotten after PUBACK or PUBCOMP.
//! - That the broker has a QoS 2 message (PUBREC) is stored before PUBREL is sent.
//! - The identifier of a received QoS 2 message is stored before the application is handed the
//!   message, so before PUBREC, and forgotten before PUBCOMP.
//! - Whose session it is, is stored when CONNACK arrives, before anything else is sent.
//! - That the broker's session and the stored one are the same is stored when all subscriptions are
//!   known to be there, and forgotten before CONNECT.
//! - A subscription is stored or forgotten when the broker has answered.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use super::record::{self, Identity, key};
use super::store::{ENCRYPTED, Store, StoreError};
use crate::config::QoS;
use crate::message::Message;

/// Numbers in one record of a set.
const CHUNK: usize = 16;

/// Writes records. Without a store it does nothing.
#[derive(Default)]
pub(crate) struct Journal {
    store: Option<Box<dyn Store>>,
    /// What the store holds.
    identity: Option<Identity>,
    settled: bool,
    received: Vec<u16>,
    released: Vec<u32>,
    /// Places of filters that are free again, and the first that was never used.
    free: Vec<u16>,
    next_filter: u16,
    /// A record is in the store that could not be loaded: its key is not to be used.
    pub(super) incomplete: bool,
    /// The last write failed, which was told.
    failing: bool,
    untold: Option<StoreError>,
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal")
            .field("on", &self.is_on())
            .field("identity", &self.identity)
            .field("received", &self.received)
            .field("released", &self.released)
            .finish_non_exhaustive()
    }
}

impl Journal {
    /// Reads a store: every record to `found`, damaged ones as `None`.
    pub(super) fn open(
        mut store: Box<dyn Store>,
        mut found: impl FnMut(u16, Loaded),
    ) -> Result<Self, StoreError> {
        let mut journal = Journal::default();
        let (mut is_encrypted, mut is_newer) = (false, false);
        store.load(&mut |key, bytes| {
            is_encrypted |= key == ENCRYPTED;
            // What it becomes is not larger than twice its bytes and a little.
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
        fill(&mut self.released, key - key::RELEASED.start(), orders);
    }

    pub(super) fn received(&self) -> Vec<u16> {
        self.received
            .iter()
            .copied()
            .filter(|id| *id != 0)
            .collect()
    }

    /// Whether the store has a message of this place in the order as released.
    pub(super) fn is_released(&self, order: u32) -> bool {
        self.released.contains(&order)
    }

    /// The latest place in the order that is named.
    pub(super) fn last_released(&self) -> u32 {
        self.released.iter().copied().max().unwrap_or(0)
    }

    /// Messages that are done leave what says that they were released, see
    /// [`delete_message`](Self::delete_message): drops it, so that the places are free again. The first record
    /// stays, for the next.
    pub(super) fn keep_released(&mut self, is_there: impl Fn(u32) -> bool) {
        for place in &mut self.released {
            if !is_there(*place) {
                *place = 0;
            }
        }
        let used = chunks(&self.released);
        let all = (self.released.len() / CHUNK) as u16;
        for chunk in (1..all).filter(|chunk| !used.contains(chunk)) {
            self.delete(key::RELEASED.start() + chunk);
        }
    }

    /// The filters in the store have these places.
    pub(super) fn set_filters(&mut self, mut places: Vec<u16>) {
        places.sort_unstable();
        self.next_filter = places.last().map_or(0, |last| last + 1);
        let free = (0..self.next_filter).filter(|place| places.binary_search(place).is_err());
        self.free = free.collect();
    }

    pub(super) fn forget(&mut self, key: u16) {
        self.delete(key);
    }

    pub(crate) fn is_on(&self) -> bool {
        self.store.is_some()
    }

    /// The last write failed and was not told yet.
    pub(crate) fn take_failure(&mut self) -> Option<StoreError> {
        self.untold.take()
    }

    /// Which packet identifiers, of this one and the 31 after it, messages in the store have that are
    /// not known here. The first is the lowest bit.
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
        self.put(id, record)
    }

    /// What is left of the message is PUBREL.
    pub(crate) fn put_release(&mut self, id: u16, order: u32) {
        let _ = self.put(id, record::release(id, order));
        self.end_release(order);
    }

    /// A message is done. What says that it was released goes with the next write there: no other
    /// message will have its place in the order.
    pub(crate) fn delete_message(&mut self, id: u16, order: u32) {
        self.delete(id);
        self.end_release(order);
    }

    fn end_release(&mut self, order: u32) {
        let place = self.released.iter_mut().find(|place| **place == order);
        if let Some(place) = place {
            *place = 0;
        }
    }

    /// PUBREC arrived.
    pub(crate) fn note_released(&mut self, order: u32) {
        if !self.is_on() || self.is_released(order) {
            return;
        }
        if let Some(chunk) = occupy(&mut self.released, order) {
            self.put_released(chunk);
        }
    }

    /// The broker has lost the session: messages are sent anew.
    pub(crate) fn clear_released(&mut self) {
        let used = chunks(&self.released);
        self.released.fill(0);
        // Deleted and not overwritten, which a storage that is full would refuse: the next life would send
        // PUBREL to a broker that has no message.
        for chunk in used {
            self.delete(key::RELEASED.start() + chunk);
        }
    }

    fn put_released(&mut self, chunk: u16) {
        let key = key::RELEASED.start() + chunk;
        let _ = self.put(key, record::released(key, slice(&self.released, chunk)));
    }

    /// A QoS 2 message is about to be handed to the application.
    pub(crate) fn note_received(&mut self, id: u16) {
        if !self.is_on() || self.received.contains(&id) {
            return;
        }
        if let Some(chunk) = occupy(&mut self.received, id) {
            self.put_received(chunk);
        }
    }

    /// PUBREL arrived.
    pub(crate) fn forget_received(&mut self, id: u16) {
        let Some(at) = self.received.iter().position(|place| *place == id) else {
            return;
        };
        if let Some(place) = self.received.get_mut(at) {
            *place = 0;
        }
        self.put_received((at / CHUNK) as u16);
    }

    /// The broker has lost the session.
    pub(crate) fn clear_received(&mut self) {
        let all = self.received.len().div_ceil(CHUNK) as u16;
        self.received.fill(0);
        // Also those that are empty here: the storage may have had no room to be told.
        for chunk in 0..all {
            self.delete(key::RECEIVED.start() + chunk);
        }
    }

    fn put_received(&mut self, chunk: u16) {
        let key = key::RECEIVED.start() + chunk;
        let _ = self.put(key, record::received(key, slice(&self.received, chunk)));
    }

    /// A subscription as it is now, in the place of an earlier record of it; its place.
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
        let earlier = place.is_some();
        let place = place.or_else(|| self.free.pop()).unwrap_or_else(|| {
            self.next_filter += 1;
            self.next_filter - 1
        });
        let key = key::FILTERS.start() + place;
        let record = match key::FILTERS.contains(&key) {
            true => record::filter(key, name, qos, granted),
            false => None,
        };
        if self.put(key, record).is_err() {
            // The earlier record would be left there, without a place here.
            if earlier {
                self.delete(key);
            }
            self.free.push(place);
            return None;
        }
        Some(place)
    }

    pub(crate) fn delete_filter(&mut self, place: Option<u16>) {
        if let Some(place) = place {
            self.delete(key::FILTERS.start() + place);
            self.free.push(place);
        }
    }

    /// Whose session it is, if that has changed.
    pub(crate) fn put_identity(&mut self, identity: Identity) {
        if !self.is_on() || self.identity.as_ref() == Some(&identity) {
            return;
        }
        if self.put(key::SESSION, record::session(&identity)).is_ok() {
            self.identity = Some(identity);
        }
    }

    /// The broker has what is stored.
    pub(crate) fn settle(&mut self) {
        if self.is_on() && !self.settled {
            self.settled = self.put(key::SETTLED, record::settled()).is_ok();
        }
    }

    /// A CONNECT is sent. If its answer is lost with the power, the broker may have begun a new session
    /// that it will call present. Deleted and not overwritten, which a storage that is full would refuse.
    pub(crate) fn unsettle(&mut self) {
        if self.settled {
            self.settled = false;
            self.delete(key::SETTLED);
        }
    }

    fn put(&mut self, key: u16, record: Option<Vec<u8>>) -> Result<(), StoreError> {
        let Some(store) = &mut self.store else {
            return Ok(());
        };
        let result = match record {
            Some(record) => store.put(key, &record),
            None => Err(StoreError::OutOfMemory),
        };
        self.note(result);
        result
    }

    fn delete(&mut self, key: u16) {
        if let Some(store) = &mut self.store {
            let result = store.delete(key);
            self.note(result);
        }
    }

    /// Each failure is told once, until a write succeeds.
    fn note(&mut self, result: Result<(), StoreError>) {
        match result {
            Ok(()) => self.failing = false,
            Err(error) if !self.failing => {
                self.failing = true;
                self.untold = Some(error);
            }
            Err(_) => {}
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

/// Puts what a record says into its places.
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

/// Puts a value into a free place: the record that this is in. `None` if the heap has no room.
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

/// The records with any value.
fn chunks<T: Copy + Default + PartialEq>(places: &[T]) -> Vec<u16> {
    let chunks = places.chunks(CHUNK).zip(0..);
    let used = chunks.filter(|(values, _)| values.iter().any(|value| *value != T::default()));
    used.map(|(_, chunk)| chunk).collect()
}

fn slice<T>(places: &[T], chunk: u16) -> &[T] {
    let start = usize::from(chunk) * CHUNK;
    places.get(start..start + CHUNK).unwrap_or_default()
}
