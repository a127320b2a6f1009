//! SUBSCRIBE and UNSUBSCRIBE: one request of the application, sent in as many packets as needed.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::config::QoS;
use crate::reason::ReasonCode;

/// Maximum filters in one packet. AWS IoT ends the connection on a ninth.
pub(crate) const FILTERS: usize = 8;

/// The broker's answer for one filter.
pub(crate) type Answer = Result<QoS, ReasonCode>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestKind {
    Subscribe,
    Unsubscribe,
}

/// One topic filter of a request.
#[derive(Debug)]
pub(crate) struct Filter {
    pub(crate) name: String,
    pub(crate) qos: QoS,
    pub(crate) answer: Option<Answer>,
    /// Position in the application's list.
    index: usize,
}

/// A list of filters in this order: answered ones, those requested in the packet in flight, and
/// those still to be requested.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) kind: RequestKind,
    filters: Vec<Filter>,
    /// Filters before this one are answered.
    answered: usize,
    /// The last packet answered the filters from this one on.
    last: usize,
    /// Number of filters, from `answered` on, in the packet in flight.
    asked: usize,
    /// Maximum filters in the next packet.
    chunk: usize,
}

impl Request {
    pub(crate) fn new(kind: RequestKind, filters: Vec<Filter>) -> Self {
        Request {
            kind,
            filters,
            answered: 0,
            last: 0,
            asked: 0,
            chunk: FILTERS,
        }
    }

    /// Returns the bytes counted against the outbox.
    pub(crate) fn bytes(&self) -> usize {
        bytes(&self.filters)
    }

    /// Returns the filters to request next.
    pub(crate) fn next(&mut self) -> &mut [Filter] {
        let end = self.filters.len().min(self.answered + self.chunk);
        self.filters.get_mut(self.answered..end).unwrap_or_default()
    }

    /// Notes that the first `count` filters of [`next`](Self::next) are in the packet in flight,
    /// except those answered locally.
    pub(crate) fn ask(&mut self, count: usize) {
        self.asked = count;
    }

    /// Returns the number of filters that the broker has to answer.
    pub(crate) fn asked(&self) -> usize {
        let asked = self.asked_filters();
        asked.filter(|filter| filter.answer.is_none()).count()
    }

    /// Returns the filters of the packet in flight.
    pub(crate) fn asked_filters(&self) -> impl Iterator<Item = &Filter> {
        let asked = self.filters.get(self.answered..self.answered + self.asked);
        asked.unwrap_or_default().iter()
    }

    /// Takes the broker's answers to the packet in flight. Returns whether all filters are now
    /// answered.
    pub(crate) fn answer(&mut self, answers: &[Answer]) -> bool {
        let mut answers = answers.iter().copied();
        let asked = self.answered..self.answered + self.asked;
        for filter in self.filters.get_mut(asked).unwrap_or_default() {
            if filter.answer.is_none() {
                filter.answer = answers.next();
            }
        }
        self.last = self.answered;
        self.answered += core::mem::take(&mut self.asked);
        self.answered >= self.filters.len()
    }

    /// Returns the filters of the packet that was answered last.
    pub(crate) fn last_answered(&self) -> &[Filter] {
        self.filters
            .get(self.last..self.answered)
            .unwrap_or_default()
    }

    /// Handles the end of the connection before the answer. If the packet may be the cause
    /// (`blame`), the next one is half as large, and a filter that was alone moves behind the
    /// others. Returns whether it was alone.
    pub(crate) fn split(&mut self, blame: bool) -> bool {
        let asked = core::mem::take(&mut self.asked);
        if !blame || asked == 0 {
            return false;
        }
        self.chunk = (asked / 2).max(1);
        if asked == 1 {
            let open = self.filters.get_mut(self.answered..).unwrap_or_default();
            open.rotate_left(1);
        }
        asked == 1
    }

    /// Treats the filter that was last moved behind the others as in flight again.
    pub(crate) fn ask_last(&mut self) {
        let open = self.filters.get_mut(self.answered..).unwrap_or_default();
        open.rotate_right(1.min(open.len()));
        self.asked = 1;
    }

    /// Returns the answers in the order of the application's list.
    pub(crate) fn answers(&self) -> Vec<Answer> {
        let mut answers = vec![Err(ReasonCode::UNSPECIFIED); self.filters.len()];
        for filter in &self.filters {
            if let (Some(place), Some(answer)) = (answers.get_mut(filter.index), filter.answer) {
                *place = answer;
            }
        }
        answers
    }

    pub(crate) fn filters(&self) -> &[Filter] {
        &self.filters
    }
}

/// Returns the bytes of filters.
pub(crate) fn bytes(filters: &[Filter]) -> usize {
    filters.iter().map(|filter| filter.name.len() + 3).sum()
}

impl Filter {
    pub(crate) fn new(name: String, qos: QoS, index: usize) -> Self {
        Filter {
            name,
            qos,
            answer: None,
            index,
        }
    }
}
