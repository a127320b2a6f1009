//! Detection of messages and requests that cause connections to end.
//!
//! A broker processes packets in order, so the oldest one that it has not answered is the one to
//! suspect. If that is the same one at the end of [`suspect_after`](crate::Config::suspect_after)
//! connections, it becomes a suspect: it waits behind everything else and is then sent alone, on a
//! connection that is known to be alive. Other packets follow after a while even without an answer.
//! If that connection ends before the answer as well, this counts as proof, and twice if the broker
//! had answered another message or request on it (a ping is not enough). At [`GUILTY`], the suspect
//! is given up. A broker that restarts creates suspects too, but acknowledges each of them once it
//! stays up.
//!
//! A broker that answers late has answered nothing before the packet that ends the connection, so
//! every packet in flight would have to become a suspect first. Therefore, after the second such
//! end, fewer are sent at once, down to one, until a connection has brought some answers.
//!
//! PUBREL is judged separately. A broker that has lost the state of the packet identifier may close
//! the connection instead of answering (rumqttd does), although the message was not at fault. So
//! may a broker that never had it, if PUBREL is sent before the first use of an identifier. That is
//! considered proven after two more connections that end when it was sent alone: the broker then
//! remembers no identifiers from a previous run, and no further PUBREL is sent first.

use crate::config::QoS;
use crate::error::PublishError;
use crate::item::{Foreign, Item, Work};
use crate::link::{Phase, later};
use crate::outbox::{BEGUN, RELEASES, REQUESTS, RESEND, SUSPECTS};
use crate::reason::ReasonCode;
use crate::room::WAITING;
use crate::session::Session;
use crate::slab::Key;

/// Weight of proof at which an item is given up.
const GUILTY: u8 = 4;

/// After this many answers, a suspect is sent even if other items wait.
const OTHERS_FIRST: u32 = 16;

impl Session {
    /// Handles the end of the connection. What was in flight returns to its queue. `blame`: it may
    /// have caused the end.
    pub(crate) fn end_link(&mut self, blame: bool) {
        self.cut_pieces();
        let Some(link) = self.link.take() else {
            return;
        };
        if !link.was_online() && link.connect_sent() {
            self.state.unsure = true;
        }
        let blame = blame && link.was_online() && !link.left;
        let alone = link.alone.map(|(key, _)| key).filter(|_| blame);
        let weight = if link.passed > 0 { 2 } else { 1 };
        // Giving up the PUBREL is only a precaution.
        let releases_first =
            |key: Key| self.state.outbox.get(key).is_some_and(Item::releases_first);
        let weight = if alone.is_some_and(releases_first) {
            2
        } else {
            weight
        };
        let oldest = self.state.outbox.first(BEGUN).filter(|_| blame);
        let mut at = self.state.outbox.last(BEGUN);
        while let Some(key) = at {
            at = self.state.outbox.previous(key);
            self.put_back(key, blame, oldest == Some(key));
        }
        self.drop_repeats();
        // Not if this side closed: a packet that is never answered must not slow down the others.
        if blame && link.phase != Phase::Over {
            self.narrow(oldest, link.in_flight);
        }
        if let Some(item) = alone.and_then(|key| self.state.outbox.get_mut(key)) {
            item.proofs = item.proofs.saturating_add(weight);
            if item.proofs >= GUILTY {
                self.give_up(alone);
            }
        }
    }

    /// Drops waiting packets of renewed subscriptions; they are taken from the list again.
    fn drop_repeats(&mut self) {
        let outbox = &mut self.state.outbox;
        let mut at = outbox.first(REQUESTS);
        while let Some(key) = at {
            at = outbox.next(key);
            if (outbox.get(key)).is_some_and(|item| item.token.is_none() && item.ends == 0) {
                outbox.remove(key);
            }
        }
    }

    /// Halves the number of messages in flight. If a broker answers late, any of those in flight
    /// may be the cause; with fewer at once, the others get their answers and the cause is found
    /// sooner.
    fn narrow(&mut self, oldest: Option<Key>, in_flight: u16) {
        let oldest = oldest.and_then(|key| self.state.outbox.get(key));
        let is_repeated = oldest.is_some_and(|item| item.ends > 1);
        let is_narrow = self.state.window != u16::MAX;
        if self.config.suspect_after != 0 && in_flight != 0 && (is_repeated || is_narrow) {
            self.state.window = (in_flight / 2).max(1);
        }
    }

    /// Notes that an item in flight was answered.
    pub(crate) fn note_passed(&mut self) {
        if let Some(link) = &mut self.link {
            link.passed = link.passed.saturating_add(1);
            if link.passed >= OTHERS_FIRST {
                self.state.window = u16::MAX;
            }
        }
    }

    fn put_back(&mut self, key: Key, blame: bool, oldest: bool) {
        let limit = self.config.suspect_after;
        let Some(item) = self.state.outbox.get_mut(key) else {
            return;
        };
        let own = item.token.is_none();
        let releases_first = item.releases_first();
        if releases_first {
            // The message itself was not sent.
            item.sent_on = 0;
        }
        if item.foreign == Foreign::Unanswered {
            item.foreign = Foreign::Released;
        }
        let list = match &mut item.work {
            Work::Publish(outgoing) if outgoing.released => {
                item.ends = item.ends.saturating_add(oldest.into());
                RELEASES
            }
            Work::Publish(outgoing) => {
                outgoing.begin_payload();
                item.ends = item.ends.saturating_add(oldest.into());
                // QoS 0 was not sent in full, and keeps its place among its equals.
                match outgoing.qos() {
                    QoS::AtMostOnce => outgoing.waiting_list(),
                    _ => RESEND,
                }
            }
            Work::Request(request) => {
                let count = request.asked();
                let single = request.split(blame);
                if own && item.ends == 0 {
                    self.put_back_repeat(key, count, blame, oldest);
                    return;
                }
                item.ends = item.ends.saturating_add(u8::from(oldest && single));
                REQUESTS
            }
        };
        if limit != 0 && item.ends >= limit && !releases_first {
            self.state.outbox.move_last(key, SUSPECTS);
        } else if list < WAITING {
            self.state.outbox.move_first(key, list);
        } else if !self.state.outbox.wait_again(key, list) {
            self.finish_publish(key, Err(PublishError::Superseded));
        }
    }

    /// Drops a packet of renewed subscriptions, whose filters are taken from the list again, unless
    /// a single filter has become a suspect.
    fn put_back_repeat(&mut self, key: Key, count: usize, blame: bool, oldest: bool) {
        if !blame {
            self.state.outbox.remove(key);
            return;
        }
        self.state.repeat = if count > 1 { count / 2 } else { 1 };
        let (limit, mut ends) = (self.config.suspect_after, 0);
        if let Some(Work::Request(request)) = self.state.outbox.get(key).map(|item| &item.work) {
            for filter in request.filters() {
                ends = self
                    .state
                    .subscriptions
                    .note_end(&filter.name, oldest && count == 1);
            }
            if count == 1 && limit != 0 && ends >= limit {
                for filter in request.filters() {
                    self.state.subscriptions.set_suspected(&filter.name);
                }
                if let Some(item) = self.state.outbox.get_mut(key) {
                    item.ends = ends;
                }
                self.state.outbox.move_last(key, SUSPECTS);
                return;
            }
        }
        self.state.outbox.remove(key);
    }

    /// Returns whether a suspect may be sent although others wait: not while another one is
    /// unanswered.
    pub(crate) fn suspects_turn(&self) -> bool {
        let link = self.link.as_ref().filter(|link| link.alone.is_none());
        let passed = link.map_or(0, |link| link.passed);
        passed >= OTHERS_FIRST && !self.state.outbox.is_empty(SUSPECTS)
    }

    /// Returns whether a suspect can be sent now: nothing else is in flight, and the connection is
    /// alive.
    pub(crate) fn may_go_alone(&mut self) -> bool {
        let Some(link) = self
            .link
            .as_mut()
            .filter(|_| self.state.outbox.is_empty(BEGUN))
        else {
            return false;
        };
        if !link.proven {
            link.ping(link.now);
        }
        link.proven
    }

    /// Returns whether a PUBREL that is sent first may be the reason why connections end. It is
    /// sent alone, but in its turn, because others wait behind it.
    pub(crate) fn is_suspected_release(&self, key: Key) -> bool {
        let limit = self.config.suspect_after;
        let item = self.state.outbox.get(key);
        limit != 0 && item.is_some_and(|item| item.releases_first() && item.ends >= limit)
    }

    /// Makes this item the suspect in flight: nothing else is sent until it is answered or times
    /// out.
    pub(crate) fn leave_alone(&mut self, key: Key) {
        if let Some(link) = &mut self.link {
            link.alone = Some((key, later(link.now, self.config.response_timeout)));
            link.passed = link.passed.min(1);
        }
    }

    fn give_up(&mut self, key: Option<Key>) {
        let Some((key, item)) = key.and_then(|key| Some((key, self.state.outbox.get_mut(key)?)))
        else {
            return;
        };
        let releases_first = item.releases_first();
        match &mut item.work {
            Work::Publish(_) if releases_first => {
                (item.foreign, item.ends, item.proofs) = (Foreign::Released, 0, 0);
                self.state.outbox.set_foreign(false, false);
            }
            // Its PUBREL, which no further PUBREL can follow.
            Work::Publish(outgoing) if outgoing.released => {
                self.finish_publish(key, Err(PublishError::EndsConnection));
            }
            Work::Publish(_) => self.give_up_publish(key, PublishError::EndsConnection),
            Work::Request(request) => {
                request.ask_last();
                self.answer_request(key, &[Err(ReasonCode::UNSPECIFIED)]);
            }
        }
    }
}
