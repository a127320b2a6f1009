//! What the application has not been told yet.
use crate::event::Event;
use alloc::vec::Vec;

/// Events of the client, in order with those of the session, and bounded: an application that polls
/// none loses the oldest stages, and is told how many.
///
/// The session's events stay in the session, because taking a message acknowledges it. Each event
/// here knows how many of the session's come before it.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// The oldest first. They are few: moving them takes less than a ring buffer does of flash.
    events: Vec<(u64, Event)>,
    /// Events of the session that were taken so far.
    taken: u64,
    missed: u32,
}

/// Most events kept: a few attempts with all of their stages.
const MOST: usize = 32;

impl Queue {
    /// Adds one behind `pending` events of the session.
    pub(crate) fn push(&mut self, event: Event, pending: usize) {
        if self.events.len() == MOST {
            // The application waits for the end of a stop.
            let oldest = self
                .events
                .iter()
                .position(|(_, old)| *old != Event::Stopped);
            self.events.remove(oldest.unwrap_or(0));
            self.missed = self.missed.saturating_add(1);
        }
        self.events.push((self.taken + pending as u64, event));
    }

    /// The next one; `session` takes one from the session.
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
