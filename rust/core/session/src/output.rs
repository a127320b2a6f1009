//! Output: from the outbox to the transport.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::config::{QoS, Version};
use crate::error::{PublishError, SessionError};
use crate::item::{Dup, Item, Work};
use crate::link::{Limits, Link, Phase};
use crate::message::{has_wildcard, shared_part};
use crate::outbox::{BEGUN, REQUESTS, SUSPECTS};
use crate::packet::{self, AckKind, frame};
use crate::reason::ReasonCode;
use crate::request::{Filter, Request, RequestKind, bytes};
use crate::session::Session;
use crate::slab::Key;

/// Packets are combined up to this many bytes.
const STAGE: usize = 1_024;

/// Payloads up to this size are copied after their packet's head.
const INLINE_PAYLOAD: usize = 512;

/// Maximum unanswered SUBSCRIBE packets that renew subscriptions.
const REPEAT_WINDOW: usize = 16;

/// Result of staging an item.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Staged {
    /// Staged completely.
    Done,
    /// Staged; its payload has to follow before anything else.
    Payload,
    /// No room in the stage for now.
    Later,
    /// No room on the heap for now.
    NoHeap,
    /// It is no longer to be sent.
    Gone,
}

impl Session {
    /// Prepares the next bytes to transmit, once the last ones are sent.
    pub(crate) fn stage(&mut self, now: Duration) {
        self.note_time(now);
        let Some(link) = &mut self.link else {
            return;
        };
        if !link.is_drained() || link.phase == Phase::Over {
            return;
        }
        link.staged.shrink_to(2 * STAGE);
        link.stage_control();
        link.heap_due = None;
        let limits = link.limits().copied();
        match (link.phase, limits) {
            (Phase::Leaving, limits) => {
                if let Some(limits) = limits {
                    self.stage_last_words(&limits);
                }
                if let Some(link) = &mut self.link {
                    let version = self.config.version();
                    packet::push_disconnect(&mut link.staged, version, ReasonCode::SUCCESS);
                    link.phase = Phase::Over;
                }
            }
            (_, Some(limits)) => {
                let mut closed = 0;
                while self.has_stage_room() && self.stage_next(&limits, &mut closed) {}
                // A ping that must be answered before a suspect is sent.
                if let Some(link) = self.link.as_mut().filter(|link| link.staged.is_empty()) {
                    link.stage_control();
                }
            }
            _ => {}
        }
    }

    fn has_stage_room(&self) -> bool {
        let room = |link: &Link| link.payload.is_none() && link.staged.len() < STAGE;
        self.link.as_ref().is_some_and(room) && !self.events.is_full()
    }

    /// Stages the next item. Returns false if there is none for now. `closed` has a bit for each
    /// queue whose first item found no heap, so that all behind it wait.
    fn stage_next(&mut self, limits: &Limits, closed: &mut u32) -> bool {
        let Some(link) = &mut self.link else {
            return false;
        };
        if link.alone_until().is_some() {
            return false;
        }
        let window = link.in_flight < self.state.window;
        let quota = window && link.in_flight < limits.receive_maximum && link.releasing.is_none();
        let requests = link.requests;
        if is_open(*closed, REQUESTS) {
            if let Some((key, last)) = self.next_repeat() {
                return self.stage_repeat(key, last, limits, closed);
            }
        }
        let outbox = &self.state.outbox;
        match outbox.next_to_send(quota, window, requests, *closed) {
            Some(key) if self.is_suspected_release(key) => self.stage_alone(key, limits),
            Some(key) if !self.suspects_turn() => self.stage_or_close(key, limits, closed),
            _ => match self.state.outbox.first(SUSPECTS) {
                Some(key) => self.stage_alone(key, limits),
                None => false,
            },
        }
    }

    /// Stages a suspect once nothing else is in flight. Returns false if nothing else can be staged
    /// now.
    fn stage_alone(&mut self, key: Key, limits: &Limits) -> bool {
        if !self.may_go_alone() {
            return false;
        }
        let staged = self.stage_item(key, limits);
        if matches!(staged, Staged::Done | Staged::Payload) {
            self.leave_alone(key);
        }
        staged == Staged::Gone
    }

    /// Stages an item. Returns false if nothing else can be staged now. If the heap had no room,
    /// only its queue waits.
    fn stage_or_close(&mut self, key: Key, limits: &Limits, closed: &mut u32) -> bool {
        match self.stage_item(key, limits) {
            Staged::Later => false,
            Staged::NoHeap => {
                let list = self.state.outbox.list(key);
                *closed |= list.map_or(0, |list| 1 << list);
                list.is_some()
            }
            _ => true,
        }
    }

    /// Stages small QoS 0 messages before DISCONNECT.
    fn stage_last_words(&mut self, limits: &Limits) {
        while self.has_stage_room() {
            let Some(key) = self.state.outbox.next_qos0() else {
                return;
            };
            let small = match self.state.outbox.get(key).map(|item| &item.work) {
                Some(Work::Publish(outgoing)) => {
                    outgoing.supply.total().is_none()
                        && outgoing.message.payload.len() <= INLINE_PAYLOAD
                }
                _ => false,
            };
            if !small || matches!(self.stage_item(key, limits), Staged::Later | Staged::NoHeap) {
                return;
            }
        }
    }

    /// Stages some of the subscriptions that a broker has lost, up to `last`. If the heap has no
    /// room, they are taken from the list again.
    fn stage_repeat(&mut self, key: Key, last: String, limits: &Limits, closed: &mut u32) -> bool {
        let goes_on = self.stage_or_close(key, limits, closed);
        if !is_open(*closed, REQUESTS) {
            self.state.outbox.remove(key);
        } else if let Some(link) = &mut self.link {
            link.repeated = Some(last);
        }
        goes_on
    }

    /// Creates a request for the next subscriptions that a broker has lost. Returns it and its last
    /// filter.
    fn next_repeat(&mut self) -> Option<(Key, String)> {
        let link = self.link.as_mut()?;
        let subscriptions = &mut self.state.subscriptions;
        let count = self.state.repeat;
        // A packet that ended a connection is sent alone.
        let window = if count == crate::request::FILTERS {
            REPEAT_WINDOW
        } else {
            1
        };
        if subscriptions.unconfirmed() == 0 || link.requests >= window {
            return None;
        }
        let filters = subscriptions.next(link.repeated.as_deref(), count);
        let last = filters.last()?.name.clone();
        let request = Request::new(RequestKind::Subscribe, filters);
        let Some(key) = self.state.outbox.own_request(request) else {
            link.wait_for_heap();
            return None;
        };
        Some((key, last))
    }

    /// Stages an item and adds it to those in flight.
    fn stage_item(&mut self, key: Key, limits: &Limits) -> Staged {
        let answered = |item: &Item| item.work.is_answered();
        if self.state.outbox.get(key).is_some_and(answered) && !self.state.outbox.assign_id(key) {
            return self.wait_for_heap();
        }
        let Some(item) = self.state.outbox.get(key) else {
            return Staged::Gone;
        };
        let staged = match &item.work {
            Work::Publish(outgoing) if outgoing.released || item.releases_first() => {
                self.stage_release(key)
            }
            Work::Publish(_) => self.stage_publish(key, limits),
            Work::Request(_) => self.stage_request(key, limits),
        };
        if matches!(staged, Staged::Done | Staged::Payload) {
            self.note_begun(key);
        }
        staged
    }

    fn wait_for_heap(&mut self) -> Staged {
        if let Some(link) = &mut self.link {
            link.wait_for_heap();
        }
        Staged::NoHeap
    }

    fn note_begun(&mut self, key: Key) {
        self.state.outbox.move_last(key, BEGUN);
        let (Some(link), Some(item)) = (&mut self.link, self.state.outbox.get(key)) else {
            return;
        };
        match &item.work {
            Work::Request(_) => link.requests += 1,
            work => {
                let counts = work.counts_in_flight();
                link.in_flight = link.in_flight.saturating_add(counts.into());
            }
        }
        if link.payload.is_none() {
            link.ends.push((link.staged.len(), key));
        }
    }

    fn stage_release(&mut self, key: Key) -> Staged {
        let (Some(link), Some(item)) = (&mut self.link, self.state.outbox.get(key)) else {
            return Staged::Gone;
        };
        let (version, id) = (self.config.version(), item.packet_id);
        let reason = ReasonCode::SUCCESS;
        packet::push_ack(&mut link.staged, version, AckKind::Pubrel, id, reason);
        if item.releases_first() {
            (link.releasing, link.pinged_behind) = (Some(key), false);
        }
        Staged::Done
    }

    fn stage_publish(&mut self, key: Key, limits: &Limits) -> Staged {
        if self.awaits_first_piece(key, limits) {
            return Staged::Later;
        }
        let version = self.config.version();
        let (Some(link), Some(item)) = (&mut self.link, self.state.outbox.get_mut(key)) else {
            return Staged::Gone;
        };
        let Work::Publish(outgoing) = &mut item.work else {
            return Staged::Gone;
        };
        let before = link.staged.len();
        if let Some(error) = outgoing.refused_by(limits) {
            self.give_up_publish(key, error);
            return Staged::Gone;
        }
        let (message, id) = (&outgoing.message, item.packet_id);
        let (payload_len, supplied) = (outgoing.payload_len(), outgoing.supply.total().is_some());
        let dup = outgoing.dup != Dup::No && message.qos != QoS::AtMostOnce;
        let expiry = outgoing.seconds_left(link.now);
        let out = &mut link.staged;
        if !packet::push_publish_head(out, version, message, payload_len, id, dup, expiry) {
            link.staged.truncate(before);
            return self.wait_for_heap();
        }
        let inline = payload_len <= INLINE_PAYLOAD && !supplied;
        let head = link.staged.len() - before;
        if let Some(limit) = exceeded(head + payload_len, limits) {
            let size = (head + payload_len) as u32;
            link.staged.truncate(before);
            self.give_up_publish(key, PublishError::TooLarge { size, limit });
            return Staged::Gone;
        }
        let room = inline && link.staged.try_reserve(message.payload.len()).is_ok();
        if before != 0 && (link.staged.len() > STAGE || inline && !room) {
            link.staged.truncate(before);
            return Staged::Later;
        }
        if item.packet_id == outgoing.stored && message.qos == QoS::ExactlyOnce {
            self.state.journal.note_sent(item.order);
        }
        outgoing.dup = if dup { Dup::Sent } else { Dup::Next };
        if room {
            link.staged.extend_from_slice(&message.payload);
            Staged::Done
        } else {
            link.payload = Some((key, 0));
            Staged::Payload
        }
    }

    fn stage_request(&mut self, key: Key, limits: &Limits) -> Staged {
        let version = self.config.version();
        let (Some(link), Some(item)) = (&mut self.link, self.state.outbox.get_mut(key)) else {
            return Staged::Gone;
        };
        let Work::Request(request) = &mut item.work else {
            return Staged::Gone;
        };
        // The codec copies the filters in parts, and makes a packet from that.
        let (kind, next) = (request.kind, request.next());
        if !frame::heap_has(2 * bytes(next) + 512) {
            return self.wait_for_heap();
        }
        let count = choose(next, kind, limits);
        request.ask(count);
        if request.asked() == 0 {
            self.answer_request(key, &[]);
            return Staged::Gone;
        }
        let wanted = request
            .asked_filters()
            .filter(|filter| filter.answer.is_none());
        let (out, id) = (&mut link.staged, item.packet_id);
        match kind {
            RequestKind::Subscribe => {
                let pairs = wanted.map(|filter| (filter.name.as_str(), filter.qos));
                packet::push_subscribe(out, version, id, pairs);
            }
            RequestKind::Unsubscribe => {
                let names = wanted.map(|filter| filter.name.as_str());
                packet::push_unsubscribe(out, version, id, names);
            }
        }
        Staged::Done
    }

    /// Consumes `n` bytes that the transport took.
    pub(crate) fn consume(&mut self, n: usize) {
        let Some(link) = &mut self.link else {
            return;
        };
        if n == 0 {
            return;
        }
        link.note_sent();
        if link.consumed < link.staged.len() {
            link.consumed = link.staged.len().min(link.consumed + n);
            link.note_consumed();
            while let Some(key) = self.next_sent() {
                self.item_is_sent(key);
            }
        } else if let Some((key, gone)) = link.payload {
            let length = match self.state.outbox.get(key).map(|item| &item.work) {
                Some(Work::Publish(outgoing)) => outgoing.message.payload.len(),
                _ => 0,
            };
            if gone + n < length {
                link.payload = Some((key, gone + n));
            } else if !self.want_next_piece(key) {
                self.end_payload(key);
            }
        }
    }

    /// Takes the first staged item that the transport has in full.
    fn next_sent(&mut self) -> Option<Key> {
        let link = self.link.as_mut()?;
        let (end, key) = *link.ends.first()?;
        (end <= link.consumed).then(|| {
            link.ends.remove(0);
            key
        })
    }

    fn end_payload(&mut self, key: Key) {
        if let Some(link) = &mut self.link {
            link.payload = None;
        }
        self.item_is_sent(key);
    }

    /// Marks an item as sent, or finishes it, once the transport has it in full.
    fn item_is_sent(&mut self, key: Key) {
        let (Some(link), Some(item)) = (&self.link, self.state.outbox.get_mut(key)) else {
            return;
        };
        if item.work.is_answered() {
            item.sent_on = self.connection;
            item.since = link.now;
        } else {
            self.finish_publish(key, Ok(()));
        }
    }

    /// Ends the connection from our side. If a packet boundary can be reached, acknowledges what
    /// the application has taken, and tells an MQTT 5 broker why.
    pub(crate) fn fail(&mut self, error: SessionError) {
        let Some(link) = &mut self.link else {
            return;
        };
        let listens = link.was_online() && !matches!(error, SessionError::ServerDisconnected(_));
        link.left |= error.comes_again() || matches!(error, SessionError::TopicAliasInvalid);
        let already_over = link.phase == Phase::Over;
        link.phase = Phase::Over;
        if already_over {
            return;
        }
        if listens && link.payload.is_none() {
            let control = core::mem::take(&mut link.control);
            // Sent only if the heap has room.
            if link.staged.try_reserve(control.len() + 8).is_err() {
                return;
            }
            link.staged.extend_from_slice(&control);
            if let (Version::V5, Some(reason)) = (self.config.version(), error.disconnect_reason())
            {
                packet::push_disconnect(&mut link.staged, self.config.version(), reason);
            }
        } else {
            link.control = Vec::new();
            link.staged.truncate(link.consumed);
            link.ends.clear();
            link.payload = None;
        }
    }
}

/// Returns whether the queue is open, that is, not closed for lack of heap.
pub(crate) fn is_open(closed: u32, list: usize) -> bool {
    closed & 1 << list == 0
}

/// Returns the broker's limit if a packet of this size exceeds it.
fn exceeded(size: usize, limits: &Limits) -> Option<u32> {
    let limit = limits.maximum_packet_size?;
    (size > limit as usize).then_some(limit)
}

/// Returns how many filters go into the next packet. Filters that the broker does not support are
/// answered here: a broker that announced this may close the connection otherwise (MQTT 5 sections
/// 3.2.2.3.11 and 3.2.2.3.13).
fn choose(filters: &mut [Filter], kind: RequestKind, limits: &Limits) -> usize {
    /// Fixed header, packet identifier and properties.
    const HEAD: usize = 5 + 2 + 1;
    let room = limits
        .maximum_packet_size
        .map_or(usize::MAX, |limit| (limit as usize).saturating_sub(HEAD));
    let (mut used, mut count) = (0, 0);
    for filter in filters {
        let size = filter.name.len() + 3;
        filter.answer = if size > room {
            Some(Err(ReasonCode::PACKET_TOO_LARGE))
        } else if kind == RequestKind::Subscribe {
            unsupported(&filter.name, limits).map(Err)
        } else {
            None
        };
        if filter.answer.is_none() {
            used += size;
            if used > room {
                break;
            }
        }
        count += 1;
    }
    count
}

fn unsupported(filter: &str, limits: &Limits) -> Option<ReasonCode> {
    if shared_part(filter).is_some() && !limits.shared_available {
        Some(ReasonCode::NO_SHARED_SUBSCRIPTIONS)
    } else if has_wildcard(filter) && !limits.wildcards_available {
        Some(ReasonCode::NO_WILDCARD_SUBSCRIPTIONS)
    } else {
        None
    }
}
