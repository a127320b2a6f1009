//! Completion of commands: the item leaves the outbox, and an event reports it.

use core::time::Duration;

use crate::config::QoS;
use crate::error::PublishError;
use crate::event::Event;
use crate::item::{Item, Work};
use crate::outbox::{BEGUN, REQUESTS, SUSPECTS};
use crate::request::{Answer, RequestKind};
use crate::session::Session;
use crate::slab::Key;

impl Session {
    /// Removes a message that is done, sent or not.
    pub(crate) fn finish_publish(&mut self, key: Key, result: Result<(), PublishError>) {
        if let Some(token) = self.take_item(key).and_then(|item| item.token) {
            self.events.push(match result {
                Ok(()) => Event::Published(token),
                Err(error) => Event::PublishFailed(token, error),
            });
        }
    }

    /// Gives up a message that the broker may have. For QoS 2, a PUBREL must still clear what the
    /// broker remembers of the packet identifier.
    pub(crate) fn give_up_publish(&mut self, key: Key, error: PublishError) {
        let Some(item) = self.state.outbox.get(key) else {
            return;
        };
        let known = matches!(&item.work, Work::Publish(outgoing)
            if outgoing.qos() == QoS::ExactlyOnce && item.sent_on != 0);
        if !known {
            self.finish_publish(key, Err(error));
            return;
        }
        let token = item.token;
        self.forget_wanted(key);
        if let Some(token) = token {
            self.events.push(Event::PublishFailed(token, error));
        }
        let stored = self.state.outbox.get(key).filter(|item| item.is_stored());
        if let Some((id, order)) = stored.map(|item| (item.packet_id, item.order)) {
            self.state.journal.put_release(id, order);
        }
        self.leave_link(key);
        self.state.outbox.reduce_to_release(key);
        self.state.outbox.move_last(key, crate::outbox::RELEASES);
    }

    /// Handles the answers to a packet of a request, given by the broker or locally.
    pub(crate) fn answer_request(&mut self, key: Key, answers: &[Answer]) {
        let Some(item) = self.state.outbox.get_mut(key) else {
            return;
        };
        let own = item.token.is_none();
        let suspect = item.proofs != 0 || item.ends != 0;
        let Work::Request(request) = &mut item.work else {
            return;
        };
        let done = request.answer(answers);
        self.note_answers(key, own);
        if done {
            self.finish_request(key);
            return;
        }
        self.leave_link(key);
        if let Some(item) = self.state.outbox.get_mut(key) {
            (item.sent_on, item.ends, item.proofs) = (0, 0, 0);
        }
        if suspect {
            self.state.outbox.move_last(key, SUSPECTS);
        } else {
            self.state.outbox.move_first(key, REQUESTS);
        }
    }

    /// Updates the subscriptions from the broker's last answers.
    fn note_answers(&mut self, key: Key, own: bool) {
        let subscriptions = &mut self.state.subscriptions;
        let Some(Work::Request(request)) = self.state.outbox.get(key).map(|item| &item.work) else {
            return;
        };
        for filter in request.last_answered() {
            match (request.kind, filter.answer) {
                (RequestKind::Subscribe, Some(Ok(granted))) => {
                    let before = subscriptions.get(&filter.name).map(|one| one.granted);
                    if own && before.is_some_and(|before| granted < before) {
                        let filter = filter.name.clone();
                        self.events
                            .push(Event::SubscriptionLowered { filter, granted });
                    }
                    let journal = &mut self.state.journal;
                    subscriptions.granted(&filter.name, filter.qos, granted, journal);
                }
                (RequestKind::Subscribe, Some(Err(reason))) if own => {
                    subscriptions.remove(&filter.name, &mut self.state.journal);
                    let filter = filter.name.clone();
                    self.events.push(Event::SubscriptionLost { filter, reason });
                }
                (RequestKind::Subscribe, Some(Err(_))) => {
                    subscriptions.refused(&filter.name, &mut self.state.journal);
                }
                (RequestKind::Unsubscribe, Some(Ok(_))) => {
                    subscriptions.remove(&filter.name, &mut self.state.journal);
                }
                (RequestKind::Unsubscribe, Some(Err(_))) => {
                    subscriptions.set_leaving(&filter.name, false);
                }
                _ => {}
            }
        }
        if subscriptions.unconfirmed() == 0 {
            self.state.repeat = crate::request::FILTERS;
        }
        self.state.settle();
    }

    fn finish_request(&mut self, key: Key) {
        let Some(item) = self.take_item(key) else {
            return;
        };
        let (Some(token), Work::Request(request)) = (item.token, item.work) else {
            return;
        };
        let answers = request.answers();
        self.events.push(match request.kind {
            RequestKind::Subscribe => Event::Subscribed(token, answers),
            RequestKind::Unsubscribe => {
                let codes = answers.iter().map(|answer| answer.map(|_| ()));
                Event::Unsubscribed(token, codes.collect())
            }
        });
    }

    /// Drops expired messages that are waiting.
    pub(crate) fn drop_expired(&mut self, now: Duration) {
        if self.events.is_full() {
            return;
        }
        for key in self.state.outbox.expired(now) {
            self.finish_publish(key, Err(PublishError::Expired));
        }
    }

    pub(crate) fn take_item(&mut self, key: Key) -> Option<Item> {
        self.forget_wanted(key);
        self.leave_link(key);
        let item = self.state.outbox.remove(key)?;
        if item.is_stored() {
            let journal = &mut self.state.journal;
            journal.delete_message(item.packet_id, item.order);
        }
        Some(item)
    }

    /// Removes an item from those in flight.
    pub(crate) fn leave_link(&mut self, key: Key) {
        let under_way = self.state.outbox.list(key) == Some(BEGUN);
        let Some(link) = self.link.as_mut().filter(|_| under_way) else {
            return;
        };
        match self.state.outbox.get(key).map(|item| &item.work) {
            Some(Work::Request(_)) => link.requests = link.requests.saturating_sub(1),
            Some(work) if work.counts_in_flight() => {
                link.in_flight = link.in_flight.saturating_sub(1);
            }
            _ => {}
        }
        if link.alone.is_some_and(|(alone, _)| alone == key) {
            link.alone = None;
        }
        if link.releasing == Some(key) {
            let next = |key: &Key| self.state.outbox.next(*key);
            let mut begun = core::iter::successors(self.state.outbox.first(BEGUN), next);
            let is_other = |other: &Key| {
                *other != key
                    && self
                        .state
                        .outbox
                        .get(*other)
                        .is_some_and(Item::releases_first)
            };
            link.releasing = begun.find(is_other);
            link.pinged_behind = false;
        }
    }
}
