//! How commands end: the item leaves the outbox, the application hears of it.

use alloc::vec::Vec;

use crate::config::QoS;
use crate::error::PublishError;
use crate::event::Event;
use crate::outbox::{Item, Work};
use crate::reason::ReasonCode;
use crate::session::Session;

impl Session {
    /// Removes a message that is done, sent or not.
    pub(crate) fn finish_publish(&mut self, index: usize, result: Result<(), PublishError>) {
        if let Some(token) = self.take_item(index).and_then(|item| item.token) {
            self.events.push(match result {
                Ok(()) => Event::Published(token),
                Err(error) => Event::PublishFailed(token, error),
            });
        }
    }

    /// Removes an UNSUBSCRIBE that is done, sent or not.
    pub(crate) fn finish_unsubscribe(&mut self, index: usize, codes: Vec<Result<(), ReasonCode>>) {
        if let Some(token) = self.take_item(index).and_then(|item| item.token) {
            self.events.push(Event::Unsubscribed(token, codes));
        }
    }

    /// Removes a SUBSCRIBE that is answered: `codes` are the broker's, for the filters that were
    /// sent to it.
    pub(crate) fn finish_subscribe(&mut self, index: usize, codes: &[Result<QoS, ReasonCode>]) {
        let Some(item) = self.take_item(index) else {
            return;
        };
        let Work::Subscribe(filters) = item.work else {
            return;
        };
        let mut codes = codes.iter().copied();
        let mut results = Vec::with_capacity(filters.len());
        for filter in filters {
            let result = match filter.refused {
                Some(reason) => Err(reason),
                None => codes.next().unwrap_or(Err(ReasonCode::UNSPECIFIED)),
            };
            results.push(result);
            match (item.token, result) {
                (_, Ok(_)) => self.state.subscribed(filter),
                (Some(_), Err(_)) => {}
                (None, Err(reason)) => {
                    let filter = filter.name;
                    self.events.push(Event::SubscriptionLost { filter, reason });
                }
            }
        }
        if let Some(token) = item.token {
            self.events.push(Event::Subscribed(token, results));
        }
    }

    fn take_item(&mut self, index: usize) -> Option<Item> {
        let item = self.state.outbox.remove(index)?;
        if let Some(link) = self.link.as_mut().filter(|link| index < link.sent) {
            link.sent -= 1;
            if item.work.counts_in_flight() {
                link.in_flight = link.in_flight.saturating_sub(1);
            }
        }
        Some(item)
    }
}
