//! Events that the application has not polled yet.
use crate::event::Event;
use alloc::vec::Vec;

/// A bounded queue of the client's events, in order with those of the session. An application that
/// does not poll loses the oldest ones, and is told how many.
///
/// The session's events stay in the session, because taking a message acknowledges it. Each event
/// here records how many of the session's precede it.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// Oldest first. There are few: moving them takes less flash than a ring buffer.
    events: Vec<(u64, Event)>,
    /// Session events taken so far.
    taken: u64,
    missed: u32,
}

/// Most events kept: a few attempts with all of their stages.
const MOST: usize = 32;

impl Queue {
    /// Adds an event after `pending` events of the session.
    pub(crate) fn push(&mut self, event: Event, pending: usize) {
        if self.events.len() == MOST {
            // Never dropped: the application waits for it.
            let oldest = self
                .events
                .iter()
                .position(|(_, old)| *old != Event::Stopped);
            self.events.remove(oldest.unwrap_or(0));
            self.missed = self.missed.saturating_add(1);
        }
        self.events.push((self.taken + pending as u64, event));
    }

    /// Takes the next event; `session` takes one from the session.
    pub(crate) fn pop(
        &mut self,
        session: impl FnOnce() -> Option<thread_mqtt_session::Event>,
    ) -> Option<Event> {
        if self.missed > 0 {
            return Some(Event::Missed(core::mem::take(&mut self.missed)));
        }
        let first = self.events.first().map(|(after, _)| *after);
        if first.is_none_or(|after| after > self.taken) {
            if let Some(event) = session() {
                self.taken += 1;
                return Some(Event::of_session(event));
            }
        }
        (!self.events.is_empty()).then(|| self.events.remove(0).1)
    }
}
