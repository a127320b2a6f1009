//! The application's subscriptions, kept so that they can be renewed.

use alloc::string::String;
use alloc::vec::Vec;

use crate::config::QoS;
use crate::durable::Journal;
use crate::request::Filter;

/// One filter granted by the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Subscription {
    /// QoS requested.
    pub(crate) qos: QoS,
    /// QoS granted.
    pub(crate) granted: QoS,
    /// The broker has it in its current session.
    confirmed: bool,
    /// UNSUBSCRIBE is pending: do not renew it.
    leaving: bool,
    /// A SUBSCRIBE by the application is pending: do not renew it as well.
    asked: bool,
    /// It is being renewed as a suspect, not from this list.
    suspected: bool,
    /// Number of connections that ended while it was renewed alone.
    ends: u8,
    /// Its index in the storage.
    place: Option<u16>,
}

/// Filters in the order of their names, so a search takes logarithmic time. A vector instead of the
/// library's map saves 5 kB of flash.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    filters: Vec<(String, Subscription)>,
    /// Number of filters to be renewed.
    unconfirmed: usize,
}

impl Subscriptions {
    pub(crate) fn unconfirmed(&self) -> usize {
        self.unconfirmed
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Subscription> {
        let at = self.find(name).ok()?;
        self.filters.get(at).map(|(_, one)| one)
    }

    /// Notes that the broker granted this filter, perhaps again.
    pub(crate) fn granted(&mut self, name: &str, qos: QoS, granted: QoS, journal: &mut Journal) {
        let found = self.find(name);
        let old = found.ok().and_then(|at| self.filters.get(at));
        let old = old.map(|(_, one)| one);
        let mut place = old.and_then(|old| old.place);
        let is_known = old.is_some_and(|old| (old.qos, old.granted) == (qos, granted));
        if !is_known || place.is_none() {
            place = journal.put_filter(place, name, qos, granted);
        }
        let one = Subscription {
            qos,
            granted,
            confirmed: true,
            leaving: false,
            asked: false,
            suspected: false,
            ends: 0,
            place,
        };
        match found {
            Ok(_) => self.change(name, |old| *old = one),
            Err(at) => self.filters.insert(at, (name.into(), one)),
        }
    }

    /// Returns the subscription at this index of the storage.
    #[cfg(feature = "durable")]
    pub(crate) fn at(&self, place: u16) -> Option<(&str, &Subscription)> {
        let mut filters = self.filters.iter();
        let found = filters.find(|(_, one)| one.place == Some(place));
        found.map(|(name, one)| (name.as_str(), one))
    }

    /// Restores a subscription from before a restart.
    #[cfg(feature = "durable")]
    pub(crate) fn restore(&mut self, name: String, qos: QoS, granted: QoS, place: u16) {
        let one = Subscription {
            qos,
            granted,
            confirmed: true,
            leaving: false,
            asked: false,
            suspected: false,
            ends: 0,
            place: Some(place),
        };
        if let Err(at) = self.find(&name) {
            self.filters.insert(at, (name, one));
        }
    }

    pub(crate) fn remove(&mut self, name: &str, journal: &mut Journal) -> bool {
        let Ok(at) = self.find(name) else {
            return false;
        };
        let (_, old) = self.filters.remove(at);
        journal.delete_filter(old.place);
        self.unconfirmed -= usize::from(old.wants());
        true
    }

    /// Notes that the application unsubscribes from it (`leaving`), or that the broker refused
    /// that.
    pub(crate) fn set_leaving(&mut self, name: &str, leaving: bool) {
        self.change(name, |one| {
            one.leaving = leaving;
            // The suspect was removed before.
            one.suspected = false;
        });
    }

    /// Notes that it ended connections. It stays here and in the storage until it is answered or
    /// given up.
    pub(crate) fn set_suspected(&mut self, name: &str) {
        self.change(name, |one| one.suspected = true);
    }

    /// Notes that the application subscribes to it.
    pub(crate) fn set_asked(&mut self, name: &str) {
        self.change(name, |one| one.asked = true);
    }

    /// Handles a refused SUBSCRIBE of the application. A subscription in the broker's current
    /// session stays.
    pub(crate) fn refused(&mut self, name: &str, journal: &mut Journal) {
        if self.get(name).is_some_and(|one| one.confirmed) {
            self.change(name, |one| one.asked = false);
        } else {
            self.remove(name, journal);
        }
    }

    /// Returns whether there are filters and the broker has all of them in its current session.
    pub(crate) fn are_confirmed(&self) -> bool {
        !self.filters.is_empty() && self.filters.iter().all(|(_, one)| one.confirmed)
    }

    /// Marks all filters for renewal, because the broker lost the session; drops those being left.
    pub(crate) fn begin_anew(&mut self, journal: &mut Journal) {
        self.filters.retain(|(_, one)| {
            if one.leaving {
                journal.delete_filter(one.place);
            }
            !one.leaving
        });
        for (_, one) in &mut self.filters {
            one.confirmed = false;
        }
        let wanted = self.filters.iter().filter(|(_, one)| one.wants());
        self.unconfirmed = wanted.count();
    }

    /// Notes that the connection ended while this filter was requested. Returns how often that
    /// happened while it was in a packet of its own (`alone`).
    pub(crate) fn note_end(&mut self, name: &str, alone: bool) -> u8 {
        let mut ends = 0;
        self.change(name, |one| {
            one.ends = one.ends.saturating_add(alone.into());
            ends = one.ends;
        });
        ends
    }

    /// Returns the next `count` filters to renew, after the one with this name.
    pub(crate) fn next(&self, after: Option<&str>, count: usize) -> Vec<Filter> {
        let from = match after.map(|name| self.find(name)) {
            None => 0,
            Some(Ok(at)) => at + 1,
            Some(Err(at)) => at,
        };
        let mut next = Vec::new();
        for (name, one) in self.filters.get(from..).unwrap_or_default() {
            if one.wants() && next.len() < count {
                next.push(Filter::new(name.clone(), one.qos, next.len()));
            }
        }
        next
    }

    /// Returns the position of a filter, or where it would be inserted.
    fn find(&self, name: &str) -> Result<usize, usize> {
        self.filters
            .binary_search_by(|(other, _)| other.as_str().cmp(name))
    }

    fn change(&mut self, name: &str, change: impl FnOnce(&mut Subscription)) {
        let at = self.find(name).ok();
        let Some((_, one)) = at.and_then(|at| self.filters.get_mut(at)) else {
            return;
        };
        let before = one.wants();
        change(one);
        let after = one.wants();
        self.unconfirmed = self.unconfirmed + usize::from(after) - usize::from(before);
    }
}

impl Subscription {
    /// Returns whether it is to be renewed.
    fn wants(&self) -> bool {
        !self.confirmed && !self.leaving && !self.asked && !self.suspected
    }
}
