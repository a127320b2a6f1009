//! What the application asked for and the broker has not yet confirmed.
//!
//! Items stand in queues by what is to be done with them next; moving one, finding one by its
//! packet identifier and removing one take the same time however many there are.

use alloc::vec::Vec;
use core::iter;
use core::time::Duration;

use crate::config::{Config, Overflow, QoS, Version};
use crate::durable::StoreError;
#[cfg(feature = "durable")]
use crate::durable::Stored;
use crate::error::{CommandError, PublishError};
use crate::event::Token;
use crate::message::{Message, check_properties, check_topic};
use crate::options::{Priority, PublishOptions};
use crate::packet;
use crate::pieces::Supply;
use crate::request::Request;
pub(crate) use crate::room::REQUESTS;
use crate::room::{LISTS, POLICIES, PRIORITIES, Room, WAITING, check_options, waiting_list};
use crate::slab::{Index, Key, Slab};

/// Staged or sent on this connection, in the order of sending; with PUBREC an item goes to the end.
pub(crate) const BEGUN: usize = 0;
/// PUBREL to be repeated.
pub(crate) const RELEASES: usize = 1;
/// PUBLISH to be sent again.
pub(crate) const RESEND: usize = 3;
/// What was under way at the end of several connections.
pub(crate) const SUSPECTS: usize = 4;

/// Whether this build has messages that expire.
const EXPIRES: bool = POLICIES || cfg!(feature = "properties");

/// Requests unanswered at once.
const REQUEST_WINDOW: usize = 16;

/// Packet identifiers of messages that are not kept over a restart are below, of others above.
const IDS: u16 = 32_767;
const STORED_IDS: u16 = 0x8000;

/// In [`Item::sent_on`]: a connection of an earlier life.
#[cfg(feature = "durable")]
const EARLIER_LIFE: u32 = u32::MAX;

/// One command under way.
#[derive(Debug)]
pub(crate) struct Item {
    /// `None`: on the session's own account.
    pub(crate) token: Option<Token>,
    /// Older items have lower numbers (modulo 2^32).
    pub(crate) order: u32,
    /// 0 until it is first sent.
    pub(crate) packet_id: u16,
    pub(crate) work: Work,
    /// The connection on which it was last handed to the transport in full; 0 is none.
    pub(crate) sent_on: u32,
    /// When that was, or when the broker last answered it.
    pub(crate) since: Duration,
    /// Connections that ended while it was under way.
    pub(crate) ends: u8,
    /// The weight of those that ended while nothing else was.
    pub(crate) proofs: u8,
    pub(crate) foreign: Foreign,
}

/// Whether the broker may remember the identifier of an item from an earlier life of this device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Foreign {
    No,
    /// PUBREL goes first, which ends what it remembers.
    ReleaseFirst,
    /// PUBREL went first.
    Released,
}

#[derive(Debug)]
pub(crate) enum Work {
    Publish(Outgoing),
    Request(Request),
}

/// A message on its way to the broker.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) message: Message,
    pub(crate) priority: Priority,
    latest: bool,
    /// Whether it is to outlive a restart; `None`: as the configuration says.
    pub(crate) durable: Option<bool>,
    /// See [`Work::stored_id`].
    pub(crate) stored: u16,
    expires: Expiry,
    /// Where its payload comes from, if it is not in the message.
    pub(crate) supply: Supply,
    /// QoS 2: PUBREC arrived, PUBREL is to be answered. The message is kept, for a broker that
    /// loses the session before it has passed it on.
    pub(crate) released: bool,
    pub(crate) dup: Dup,
    /// In pieces, which the application cannot supply once more.
    pub(crate) given_up: bool,
}

/// Whether a message is marked as one that the broker may have already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dup {
    No,
    /// The next time.
    Next,
    /// It was sent so.
    Sent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expiry {
    Never,
    /// So many seconds from the next time that the session is told.
    In(u32),
    /// Second of the session's clock.
    At(u32),
}

impl Outgoing {
    pub(crate) fn qos(&self) -> QoS {
        self.message.qos
    }

    /// One of an earlier life.
    #[cfg(feature = "durable")]
    pub(crate) fn restored(id: u16, stored: Stored, released: bool, dup: bool) -> Self {
        Outgoing {
            message: stored.message,
            priority: Priority::Normal,
            latest: false,
            durable: Some(true),
            stored: id,
            expires: stored.expiry.map_or(Expiry::Never, Expiry::In),
            supply: Supply::default(),
            released,
            dup: if dup { Dup::Next } else { Dup::No },
            given_up: false,
        }
    }

    /// Bytes of the whole payload.
    pub(crate) fn payload_len(&self) -> usize {
        self.supply.total().unwrap_or(self.message.payload.len())
    }

    /// Bytes counted against the outbox: of a payload in pieces the largest piece.
    fn bytes(&self) -> usize {
        match self.supply.most() {
            Some(most) => self.message.size() - self.message.payload.len() + most,
            None => self.message.size(),
        }
    }

    /// Begins its payload again.
    pub(crate) fn begin_payload(&mut self) {
        if self.supply.begin() {
            self.message.payload = Vec::new();
        }
    }

    /// Seconds left, at least one: of a message that is sent.
    pub(crate) fn seconds_left(&self, now: Duration) -> Option<u32> {
        match self.expires {
            Expiry::Never => None,
            Expiry::In(seconds) => Some(seconds),
            Expiry::At(second) => Some(second.saturating_sub(seconds_of(now)).max(1)),
        }
    }

    /// Seconds that it has to be sent in, of a message that was not queued yet.
    pub(crate) fn expiry(&self) -> Option<u32> {
        match self.expires {
            Expiry::In(seconds) => Some(seconds),
            Expiry::Never | Expiry::At(_) => None,
        }
    }

    /// Why it is not sent to this broker, but for its size.
    pub(crate) fn refused_by(&self, limits: &crate::link::Limits) -> Option<PublishError> {
        if self.message.qos > limits.maximum_qos {
            let maximum = limits.maximum_qos;
            return Some(PublishError::QosNotSupported { maximum });
        }
        if self.message.retain && !limits.retain_available {
            return Some(PublishError::RetainNotSupported);
        }
        self.given_up.then_some(PublishError::NotSupplied)
    }

    /// The queue it waits in.
    pub(crate) fn waiting_list(&self) -> usize {
        waiting_list(self.priority, self.message.qos)
    }

    /// How it is to be treated, as far as that decides on its place.
    pub(crate) fn options(&self) -> PublishOptions {
        PublishOptions {
            priority: self.priority,
            latest: self.latest,
            expiry: None,
            durable: None,
        }
    }

    fn is_latest(&self, overflow: Overflow) -> bool {
        POLICIES && (self.latest || overflow == Overflow::LatestPerTopic)
    }
}

impl Work {
    /// A message, checked.
    pub(crate) fn publish(
        version: Version,
        message: Message,
        supply: Supply,
        options: PublishOptions,
    ) -> Result<Self, CommandError> {
        check_topic(&message.topic)?;
        check_properties(&message, version)?;
        check_options(options)?;
        let payload_len = supply.total().unwrap_or(message.payload.len());
        if packet::publish_size(version, &message, payload_len) > packet::MAX_SIZE {
            return Err(CommandError::PayloadTooLarge);
        }
        let in_message = message.carried().and_then(|p| p.message_expiry);
        let local = options.expiry.map(|expiry| {
            let seconds = expiry.as_secs() + u64::from(expiry.subsec_nanos() != 0);
            u32::try_from(seconds).unwrap_or(u32::MAX)
        });
        let expires = match (in_message, local) {
            (None, None) => Expiry::Never,
            (a, b) => Expiry::In(a.unwrap_or(u32::MAX).min(b.unwrap_or(u32::MAX))),
        };
        Ok(Self::Publish(Outgoing {
            message,
            priority: options.priority,
            latest: options.latest,
            durable: options.durable,
            stored: 0,
            expires,
            supply,
            released: false,
            dup: Dup::No,
            given_up: false,
        }))
    }

    /// Bytes counted against the outbox.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Work::Publish(outgoing) => outgoing.bytes(),
            Work::Request(request) => request.bytes(),
        }
    }

    /// A QoS 1 or 2 message in any stage: it counts against the broker's Receive Maximum.
    pub(crate) fn counts_in_flight(&self) -> bool {
        matches!(self, Work::Publish(outgoing) if outgoing.qos() != QoS::AtMostOnce)
    }

    /// The packet identifier with which it is in the storage; 0 if it is not.
    pub(crate) fn stored_id(&self) -> u16 {
        match self {
            Work::Publish(outgoing) if cfg!(feature = "durable") => outgoing.stored,
            _ => 0,
        }
    }

    /// The broker will answer it.
    pub(crate) fn is_answered(&self) -> bool {
        matches!(self, Work::Request(_)) || self.counts_in_flight()
    }
}

impl Item {
    /// Whether it is in the storage.
    pub(crate) fn is_stored(&self) -> bool {
        self.work.stored_id() != 0
    }
}

/// Everything unconfirmed, bounded in number and bytes. It outlives connections.
#[derive(Debug)]
pub(crate) struct Outbox {
    items: Slab<Item, LISTS>,
    room: Room,
    /// By packet identifier.
    ids: Index,
    /// Waiting messages of which only the latest of a topic counts, by topic.
    latest: Index,
    /// Messages whose expiry has not begun to count.
    unstamped: Vec<Key>,
    /// Not before this second a message expires.
    next_expiry: Option<u32>,
    /// The last identifier in use of those below, and of those of stored messages above.
    last_id: u16,
    last_stored_id: u16,
    /// So many identifiers more of each may be known to the broker from an earlier life.
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

    /// The oldest item of a queue.
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

    /// The message in pieces of this name; looks through all.
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

    /// The item with this packet identifier.
    pub(crate) fn by_id(&self, packet_id: u16) -> Option<Key> {
        self.ids.get(packet_id.into())
    }

    // Room.

    pub(crate) fn room(&self) -> &Room {
        &self.room
    }

    /// Which waiting message has to go next for a message that does not fit.
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

    /// The waiting message that a new one replaces.
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

    /// Whether a command is a message that replaces one of its topic.
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

    /// Makes room on the heap for a message that is to be stored, and names it there: its packet
    /// identifier and its place in the order. `occupied` are those of the next 32 identifiers that the
    /// storage has.
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
        // 0 is none.
        self.last_order.wrapping_add(1).max(1)
    }

    /// Queues a command, whatever the limits. Gives it back if the heap is full.
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

    /// A command of this name came, and was not queued.
    pub(crate) fn pass_over(&mut self, token: Token) {
        self.last_token = token.0;
    }

    /// Queues a request on the session's own account, whatever the limits; `None` if the heap has
    /// no room.
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
        let key = self.items.push(list, item);
        if packet_id != 0 {
            self.ids.insert(packet_id.into(), key);
        }
        Ok(key)
    }

    /// Queues a message of an earlier life in its place of the order; `sent`: it may have been sent.
    /// False if the heap has no room.
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

    /// New items come after this place in the order.
    #[cfg(feature = "durable")]
    pub(crate) fn begin_after(&mut self, order: u32) {
        self.last_order = self.last_order.max(order);
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<Item> {
        let list = self.items.list(key)?;
        self.forget_latest(key);
        let item = self.items.remove(key)?;
        self.room.leave(list, item.work.bytes());
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

    /// Moves a QoS 0 message that was not sent in full back to where it waited. False if a newer one of its topic
    /// waits in its place.
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

    /// A message that is not to be sent any more, but whose identifier is in use: what is left is
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

    // What to send.

    /// The item to be sent next, but for suspects. Only PUBLISH waits for quota; what was released on an
    /// earlier connection goes out as far as the `window` of this session allows.
    pub(crate) fn next_to_send(
        &self,
        quota: bool,
        window: bool,
        unanswered_requests: usize,
    ) -> Option<Key> {
        let release = window.then(|| self.first(RELEASES)).flatten();
        let request = (unanswered_requests < REQUEST_WINDOW)
            .then(|| self.first(REQUESTS))
            .flatten();
        release.or_else(|| self.older(request, self.next_message(quota)))
    }

    fn next_message(&self, quota: bool) -> Option<Key> {
        let again = self.first(RESEND);
        if again.is_some() && quota {
            return again;
        }
        (0..PRIORITIES).find_map(|rank| {
            let list = WAITING + 2 * rank;
            let acknowledged = quota.then(|| self.first(list)).flatten();
            self.older(acknowledged, self.first(list + 1))
        })
    }

    /// The first QoS 0 message that waits, if no other message waits before it.
    pub(crate) fn next_qos0(&self) -> Option<Key> {
        let key = self.next_message(true)?;
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

    /// Gives an item a packet identifier if it has none; false if that is not possible now.
    pub(crate) fn assign_id(&mut self, key: Key) -> bool {
        match self.items.get_mut(key) {
            // Stored with one, and not sent yet.
            Some(item) if item.is_stored() && item.sent_on == 0 && self.foreign_stored_ids != 0 => {
                if matches!(&item.work, Work::Publish(outgoing) if outgoing.dup == Dup::No) {
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

    /// The broker may remember identifiers of an earlier life of this device, or it does not: of
    /// messages that are not stored, and of those that are.
    pub(crate) fn set_foreign(&mut self, foreign: bool, stored: bool) {
        self.foreign_ids = if foreign { IDS } else { 0 };
        self.foreign_stored_ids = if stored { IDS } else { 0 };
    }

    /// The same about the identifier of an item.
    pub(crate) fn is_foreign(&self, key: Key) -> bool {
        match self.get(key).is_some_and(Item::is_stored) {
            true => self.foreign_stored_ids != 0,
            false => self.foreign_ids != 0,
        }
    }

    // Time.

    /// Lets the expiry of new messages count from now.
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
                // Rounded up, so that no message goes early and a scan follows at most once a second.
                let second = seconds_of(now)
                    .saturating_add(u32::from(now.subsec_nanos() != 0))
                    .saturating_add(seconds);
                outgoing.expires = Expiry::At(second);
                let next = self.next_expiry.unwrap_or(u32::MAX);
                self.next_expiry = Some(next.min(second));
            }
        }
    }

    /// Whether there are such messages.
    pub(crate) fn awaits_time(&self) -> bool {
        EXPIRES && !self.unstamped.is_empty()
    }

    /// When a message may expire next.
    pub(crate) fn next_expiry(&self) -> Option<Duration> {
        let second = self.next_expiry?;
        Some(Duration::from_secs(second.into()))
    }

    /// The waiting messages that have expired, as many as the heap has room to name; sets the time
    /// of the next look.
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

fn seconds_of(now: Duration) -> u32 {
    now.as_secs() as u32
}

/// FNV-1a, not 0. Two topics with the same hash are told apart where it matters.
fn hash(topic: &str) -> u32 {
    let hash = topic.bytes().fold(0x811C_9DC5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    hash.max(1)
}
