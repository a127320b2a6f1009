//! What the application requested and the broker has not yet confirmed.
//!
//! Items are queued by what is to be done with them next. Moving an item, finding it by its packet
//! identifier and removing it take constant time.

use alloc::vec::Vec;
use core::iter;
use core::time::Duration;

use crate::config::Config;
use crate::durable::StoreError;
use crate::error::CommandError;
use crate::event::Token;
#[cfg(feature = "durable")]
use crate::item::Outgoing;
use crate::item::{Dup, Expiry, Foreign, Item, Work};
use crate::output::is_open;
use crate::pieces::Supply;
use crate::request::Request;
pub(crate) use crate::room::REQUESTS;
use crate::room::{LISTS, POLICIES, PRIORITIES, Room, WAITING};
use crate::slab::{Index, Key, Slab};

/// Staged or sent on this connection, in the order of sending. An item moves to the end with
/// PUBREC.
pub(crate) const BEGUN: usize = 0;
/// PUBREL to be retransmitted.
pub(crate) const RELEASES: usize = 1;
/// PUBLISH to be retransmitted.
pub(crate) const RESEND: usize = 3;
/// Items that were in flight when several connections ended.
pub(crate) const SUSPECTS: usize = 4;

/// Whether this build has messages that expire.
const EXPIRES: bool = POLICIES || cfg!(feature = "properties");

/// Maximum unanswered requests.
const REQUEST_WINDOW: usize = 16;

/// Packet identifiers of messages that are not stored are at or below this, those of stored ones
/// above.
const IDS: u16 = 32_767;
const STORED_IDS: u16 = 0x8000;

/// In [`Item::sent_on`]: a connection from before a restart.
#[cfg(feature = "durable")]
const EARLIER_LIFE: u32 = u32::MAX;

/// Everything unconfirmed, limited in number and bytes. It outlives connections.
#[derive(Debug)]
pub(crate) struct Outbox {
    items: Slab<Item, LISTS>,
    room: Room,
    /// Items by packet identifier.
    ids: Index,
    /// Waiting messages that a newer one replaces, by topic.
    latest: Index,
    /// Messages whose expiry time has not started.
    unstamped: Vec<Key>,
    /// No message expires before this second.
    next_expiry: Option<u32>,
    /// The last identifier used for messages that are not stored, and for stored ones.
    last_id: u16,
    last_stored_id: u16,
    /// How many more identifiers of each kind the broker may know from a previous run.
    foreign_ids: u16,
    foreign_stored_ids: u16,
    last_token: u32,
    last_order: u32,
}

impl Outbox {
    pub(crate) fn new(config: &Config) -> Self {
        Outbox {
            items: Slab::new(),
            room: Room::new(config),
            ids: Index::default(),
            latest: Index::default(),
            unstamped: Vec::new(),
            next_expiry: None,
            last_id: config.first_packet_id.saturating_sub(1) % IDS,
            last_stored_id: u16::MAX,
            foreign_ids: 0,
            foreign_stored_ids: 0,
            last_token: 0,
            last_order: 0,
        }
    }

    // Getters.

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.room.load().bytes
    }

    pub(crate) fn is_empty(&self, list: usize) -> bool {
        self.items.first(list).is_none()
    }

    pub(crate) fn get(&self, key: Key) -> Option<&Item> {
        self.items.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut Item> {
        self.items.get_mut(key)
    }

    /// Returns the oldest item of a queue.
    pub(crate) fn first(&self, list: usize) -> Option<Key> {
        self.items.first(list)
    }

    pub(crate) fn last(&self, list: usize) -> Option<Key> {
        self.items.last(list)
    }

    pub(crate) fn next(&self, key: Key) -> Option<Key> {
        self.items.next(key)
    }

    pub(crate) fn previous(&self, key: Key) -> Option<Key> {
        self.items.previous(key)
    }

    pub(crate) fn list(&self, key: Key) -> Option<usize> {
        self.items.list(key)
    }

    /// Finds the message in pieces with this token by searching all queues.
    pub(crate) fn supplied(&self, token: Token) -> Option<Key> {
        let mut lists = (0..LISTS).filter_map(|list| self.first(list));
        lists.find_map(|first| {
            let mut keys = iter::successors(Some(first), |key| self.next(*key));
            keys.find(|key| {
                let item = self.get(*key).filter(|item| item.token == Some(token));
                matches!(item.map(|item| &item.work), Some(Work::Publish(outgoing))
                    if outgoing.supply.total().is_some())
            })
        })
    }

    /// Returns whether a message that may still have to be sent has properties.
    pub(crate) fn has_properties(&self) -> bool {
        let lists = (0..LISTS).filter_map(|list| self.first(list));
        let mut keys = lists.flat_map(|first| iter::successors(Some(first), |key| self.next(*key)));
        keys.any(|key| {
            matches!(self.get(key).map(|item| &item.work), Some(Work::Publish(outgoing))
                if !outgoing.released && outgoing.message.properties.is_some())
        })
    }

    /// Returns the item with this packet identifier.
    pub(crate) fn by_id(&self, packet_id: u16) -> Option<Key> {
        self.ids.get(packet_id.into())
    }

    // Room.

    pub(crate) fn room(&self) -> &Room {
        &self.room
    }

    /// Returns the waiting message to drop next for a message that does not fit.
    pub(crate) fn victim(&self, work: &Work) -> Option<Key> {
        let (first, only_qos0) = self.room.victims(work)?;
        (first..PRIORITIES).rev().find_map(|rank| {
            let list = WAITING + 2 * rank;
            let qos0 = self.first(list + 1);
            if only_qos0 {
                return qos0;
            }
            self.older(self.first(list), qos0)
        })
    }

    // Commands.

    /// Returns the waiting message that a new one replaces.
    pub(crate) fn replaced(&self, work: &Work) -> Option<Key> {
        let Work::Publish(new) = work else {
            return None;
        };
        if !new.is_latest(self.room.overflow()) {
            return None;
        }
        let key = self.latest.get(hash(&new.message.topic))?;
        match &self.get(key)?.work {
            Work::Publish(old) if old.message.topic == new.message.topic => Some(key),
            _ => None,
        }
    }

    /// Returns whether a command is a message that replaces one of its topic.
    pub(crate) fn is_latest(&self, work: &Work) -> bool {
        matches!(work, Work::Publish(new) if new.is_latest(self.room.overflow()))
    }

    /// Queues a command under the next token.
    pub(crate) fn queue(&mut self, work: Work) -> Result<Token, CommandError> {
        let token = Token(self.last_token).next();
        let queued = self.submit(token, work);
        queued.map_err(|_| CommandError::OutOfMemory)?;
        Ok(token)
    }

    /// Reserves heap for a message to be stored, and chooses its packet identifier and its place in
    /// the order. `occupied` returns which of the next 32 identifiers the storage already has.
    pub(crate) fn prepare(
        &mut self,
        mut occupied: impl FnMut(u16) -> Result<u32, StoreError>,
    ) -> Result<(u16, u32), CommandError> {
        let room = self.items.reserve() && self.ids.reserve() && self.latest.reserve();
        if !room || self.unstamped.try_reserve(1).is_err() {
            return Err(CommandError::OutOfMemory);
        }
        let mut stored = 0;
        for n in 0..=IDS {
            self.last_stored_id = self.last_stored_id.wrapping_add(1) | STORED_IDS;
            let id = self.last_stored_id;
            stored = match n % 32 {
                0 => occupied(id).map_err(CommandError::NotStored)?,
                _ => stored >> 1,
            };
            if self.by_id(id).is_none() && stored & 1 == 0 {
                return Ok((id, self.next_order()));
            }
        }
        Err(CommandError::OutOfMemory)
    }

    fn next_order(&self) -> u32 {
        // 0 means none.
        self.last_order.wrapping_add(1).max(1)
    }

    /// Queues a command, ignoring the limits. Returns it if the heap is exhausted.
    pub(crate) fn submit(&mut self, token: Token, mut work: Work) -> Result<(), Work> {
        let overflow = self.room.overflow();
        let (mut list, mut topic, mut expires) = (REQUESTS, None, false);
        if let Work::Publish(outgoing) = &mut work {
            outgoing.latest = outgoing.is_latest(overflow);
            list = outgoing.waiting_list();
            topic = outgoing.latest.then(|| hash(&outgoing.message.topic));
            expires = outgoing.expires != Expiry::Never;
        }
        if topic.is_some() && !self.latest.reserve()
            || expires && self.unstamped.try_reserve(1).is_err()
        {
            return Err(work);
        }
        let key = self.push(list, Some(token), work)?;
        self.last_token = token.0;
        if let Some(topic) = topic {
            self.latest.insert(topic, key);
        }
        if expires {
            self.unstamped.push(key);
        }
        Ok(())
    }

    /// Reserves heap for a request.
    pub(crate) fn reserve(&mut self) -> bool {
        self.items.reserve()
    }

    /// Skips the token of a command that was not queued.
    pub(crate) fn pass_over(&mut self, token: Token) {
        self.last_token = token.0;
    }

    /// Queues a request of the session itself, ignoring the limits. Returns `None` if the heap is
    /// exhausted.
    pub(crate) fn own_request(&mut self, request: Request) -> Option<Key> {
        self.push(REQUESTS, None, Work::Request(request)).ok()
    }

    fn push(&mut self, list: usize, token: Option<Token>, work: Work) -> Result<Key, Work> {
        if !self.items.reserve() {
            return Err(work);
        }
        self.last_order = self.next_order();
        let packet_id = work.stored_id();
        let item = Item {
            token,
            order: self.last_order,
            packet_id,
            work,
            sent_on: 0,
            since: Duration::ZERO,
            ends: 0,
            proofs: 0,
            foreign: Foreign::No,
        };
        if packet_id != 0 && !self.ids.reserve() {
            return Err(item.work);
        }
        self.room.enter(list, item.work.bytes());
        self.room.enter_request(&item.work);
        let key = self.items.push(list, item);
        if packet_id != 0 {
            self.ids.insert(packet_id.into(), key);
        }
        Ok(key)
    }

    /// Queues a message from before a restart at its place in the order; `sent`: it may have been
    /// sent. Returns false if the heap is exhausted.
    #[cfg(feature = "durable")]
    pub(crate) fn push_restored(
        &mut self,
        list: usize,
        token: Option<Token>,
        order: u32,
        outgoing: Outgoing,
        sent: bool,
    ) -> bool {
        let expires = outgoing.expires != Expiry::Never;
        if expires && self.unstamped.try_reserve(1).is_err() {
            return false;
        }
        self.last_stored_id = outgoing.stored;
        let Ok(key) = self.push(list, token, Work::Publish(outgoing)) else {
            return false;
        };
        self.begin_after(order);
        if expires {
            self.unstamped.push(key);
        }
        if let Some(item) = self.items.get_mut(key) {
            item.order = order;
            item.sent_on = if sent { EARLIER_LIFE } else { 0 };
        }
        true
    }

    /// Makes new items follow this place in the order.
    #[cfg(feature = "durable")]
    pub(crate) fn begin_after(&mut self, order: u32) {
        self.last_order = self.last_order.max(order);
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<Item> {
        let list = self.items.list(key)?;
        self.forget_latest(key);
        let item = self.items.remove(key)?;
        self.room.leave(list, item.work.bytes());
        self.room.leave_request(&item.work);
        self.ids.remove(item.packet_id.into());
        Some(item)
    }

    /// Moves an item to the end of a queue.
    pub(crate) fn move_last(&mut self, key: Key, list: usize) {
        self.leave(key, list);
        self.items.move_last(key, list);
    }

    /// Moves an item to the front of a queue.
    pub(crate) fn move_first(&mut self, key: Key, list: usize) {
        self.leave(key, list);
        self.items.move_first(key, list);
    }

    /// Moves a QoS 0 message that was not sent in full back to where it waited. Returns false if a
    /// newer one of its topic already waits there.
    pub(crate) fn wait_again(&mut self, key: Key, list: usize) -> bool {
        self.move_first(key, list);
        let Some(Work::Publish(outgoing)) = self.items.get(key).map(|item| &item.work) else {
            return true;
        };
        if let (Expiry::At(second), true) = (outgoing.expires, EXPIRES) {
            let next = self.next_expiry.unwrap_or(u32::MAX);
            self.next_expiry = Some(next.min(second));
        }
        if !outgoing.latest || !POLICIES {
            return true;
        }
        let name = &outgoing.message.topic;
        let topic = hash(name);
        if let Some(newer) = self
            .latest
            .get(topic)
            .and_then(|newer| self.items.get(newer))
        {
            return !matches!(&newer.work, Work::Publish(newer) if newer.message.topic == *name);
        }
        if self.latest.reserve() {
            self.latest.insert(topic, key);
        }
        true
    }

    /// Reduces a message that will not be sent again, but whose identifier is in use, to its
    /// PUBREL.
    pub(crate) fn reduce_to_release(&mut self, key: Key) {
        self.forget_latest(key);
        let (Some(list), Some(item)) = (self.items.list(key), self.items.get_mut(key)) else {
            return;
        };
        let before = item.work.bytes();
        item.token = None;
        item.ends = 0;
        item.proofs = 0;
        if let Work::Publish(outgoing) = &mut item.work {
            outgoing.released = true;
            outgoing.message.topic = Default::default();
            outgoing.message.payload = Default::default();
            outgoing.message.properties = None;
            outgoing.supply = Supply::default();
        }
        let after = item.work.bytes();
        self.room.shrink(list, before - after);
    }

    fn leave(&mut self, key: Key, list: usize) {
        self.forget_latest(key);
        if let (Some(old), Some(item)) = (self.items.list(key), self.items.get(key)) {
            let bytes = item.work.bytes();
            self.room.leave(old, bytes);
            self.room.enter(list, bytes);
        }
    }

    fn forget_latest(&mut self, key: Key) {
        if let Some(Work::Publish(outgoing)) = self.items.get(key).map(|item| &item.work) {
            let topic = hash(&outgoing.message.topic);
            if outgoing.latest && POLICIES && self.latest.get(topic) == Some(key) {
                self.latest.remove(topic);
            }
        }
    }

    // Sending.

    /// Returns the next item to send, not counting suspects. Only PUBLISH needs quota; PUBRELs from
    /// earlier connections are limited only by the session's `window`. Queues in `closed` are
    /// skipped.
    pub(crate) fn next_to_send(
        &self,
        quota: bool,
        window: bool,
        unanswered_requests: usize,
        closed: u32,
    ) -> Option<Key> {
        let release = window.then(|| self.first(RELEASES)).flatten();
        let request = (unanswered_requests < REQUEST_WINDOW)
            .then(|| self.first_open(REQUESTS, closed))
            .flatten();
        release.or_else(|| self.older(request, self.next_message(quota, closed)))
    }

    fn first_open(&self, list: usize, closed: u32) -> Option<Key> {
        self.first(list).filter(|_| is_open(closed, list))
    }

    fn next_message(&self, quota: bool, closed: u32) -> Option<Key> {
        // New messages do not overtake retransmitted ones.
        let quota = quota && is_open(closed, RESEND);
        let again = self.first(RESEND);
        if again.is_some() && quota {
            return again;
        }
        (0..PRIORITIES).find_map(|rank| {
            let list = WAITING + 2 * rank;
            let acknowledged = quota.then(|| self.first_open(list, closed)).flatten();
            self.older(acknowledged, self.first_open(list + 1, closed))
        })
    }

    /// Returns the first waiting QoS 0 message, if no other message waits before it.
    pub(crate) fn next_qos0(&self) -> Option<Key> {
        let key = self.next_message(true, 0)?;
        let item = self.get(key)?;
        (!item.work.counts_in_flight()).then_some(key)
    }

    fn older(&self, a: Option<Key>, b: Option<Key>) -> Option<Key> {
        match (a, b) {
            (Some(x), Some(y)) => {
                let order = |key| self.get(key).map_or(0, |item| item.order);
                let later = order(x).wrapping_sub(order(y)) < 1 << 31 && x != y;
                if later { b } else { a }
            }
            (a, b) => a.or(b),
        }
    }

    /// Assigns a packet identifier to an item without one. Returns false if that is not possible
    /// now.
    pub(crate) fn assign_id(&mut self, key: Key) -> bool {
        match self.items.get_mut(key) {
            // It was stored with one, and not sent yet.
            Some(item) if item.is_stored() && item.sent_on == 0 && self.foreign_stored_ids != 0 => {
                let is_new =
                    matches!(&item.work, Work::Publish(outgoing) if outgoing.dup == Dup::No);
                if is_new && item.foreign == Foreign::No {
                    item.foreign = Foreign::ReleaseFirst;
                    self.foreign_stored_ids -= 1;
                }
                return true;
            }
            Some(item) if item.packet_id != 0 => return true,
            Some(_) => {}
            None => return true,
        }
        if self.ids.len() >= usize::from(IDS) || !self.ids.reserve() {
            return false;
        }
        let mut id = self.last_id;
        loop {
            id = id % IDS + 1;
            if self.by_id(id).is_none() {
                break;
            }
        }
        self.last_id = id;
        let foreign = self.foreign_ids != 0;
        self.foreign_ids = self.foreign_ids.saturating_sub(1);
        self.ids.insert(id.into(), key);
        if let Some(item) = self.items.get_mut(key) {
            item.packet_id = id;
            if foreign {
                item.foreign = Foreign::ReleaseFirst;
            }
        }
        true
    }

    /// Sets whether the broker may know identifiers from a previous run of this device: those of
    /// messages that are not stored, and those of stored ones.
    pub(crate) fn set_foreign(&mut self, foreign: bool, stored: bool) {
        self.foreign_ids = if foreign { IDS } else { 0 };
        self.foreign_stored_ids = if stored { IDS } else { 0 };
    }

    /// Returns whether it may know identifiers of stored messages.
    pub(crate) fn has_foreign_stored(&self) -> bool {
        self.foreign_stored_ids != 0
    }

    /// Returns whether it may know the identifier of this item.
    pub(crate) fn is_foreign(&self, key: Key) -> bool {
        match self.get(key).is_some_and(Item::is_stored) {
            true => self.has_foreign_stored(),
            false => self.foreign_ids != 0,
        }
    }

    // Time.

    /// Starts the expiry time of new messages.
    pub(crate) fn stamp(&mut self, now: Duration) {
        if !EXPIRES {
            return;
        }
        while let Some(key) = self.unstamped.pop() {
            let Some(Work::Publish(outgoing)) = self.items.get_mut(key).map(|item| &mut item.work)
            else {
                continue;
            };
            if let Expiry::In(seconds) = outgoing.expires {
                // Rounded up, so that no message expires early and scans are at least a second
                // apart.
                let second = seconds_of(now)
                    .saturating_add(u32::from(now.subsec_nanos() != 0))
                    .saturating_add(seconds);
                outgoing.expires = Expiry::At(second);
                let next = self.next_expiry.unwrap_or(u32::MAX);
                self.next_expiry = Some(next.min(second));
            }
        }
    }

    /// Returns whether there are messages whose expiry time has not started.
    pub(crate) fn awaits_time(&self) -> bool {
        EXPIRES && !self.unstamped.is_empty()
    }

    /// Returns when a message may expire next.
    pub(crate) fn next_expiry(&self) -> Option<Duration> {
        let second = self.next_expiry?;
        Some(Duration::from_secs(second.into()))
    }

    /// Returns the waiting messages that have expired, as many as fit on the heap, and sets the
    /// time of the next scan.
    pub(crate) fn expired(&mut self, now: Duration) -> Vec<Key> {
        let mut expired = Vec::new();
        let now = seconds_of(now);
        if !EXPIRES || self.next_expiry.is_none_or(|second| second > now) {
            return expired;
        }
        let mut next = u32::MAX;
        for list in WAITING..LISTS {
            let mut at = self.first(list);
            while let Some(key) = at {
                if let Some(Work::Publish(outgoing)) = self.get(key).map(|item| &item.work) {
                    match outgoing.expires {
                        Expiry::At(second) if second <= now && expired.try_reserve(1).is_ok() => {
                            expired.push(key);
                        }
                        Expiry::At(second) => next = next.min(second.max(now + 1)),
                        Expiry::Never | Expiry::In(_) => {}
                    }
                }
                at = self.next(key);
            }
        }
        self.next_expiry = (next != u32::MAX).then_some(next);
        expired
    }
}

pub(crate) fn seconds_of(now: Duration) -> u32 {
    now.as_secs() as u32
}

/// FNV-1a, but never 0. Topics with the same hash are compared where it matters.
fn hash(topic: &str) -> u32 {
    let hash = topic.bytes().fold(0x811C_9DC5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    hash.max(1)
}
