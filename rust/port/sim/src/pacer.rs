//! How virtual time follows the wall clock.
use core::time::Duration;
use std::time::Instant;

/// Ties virtual time to the wall clock when required.
#[derive(Default)]
pub(crate) struct Pacer {
    /// The same moment on both clocks, virtual in microseconds.
    anchor: Option<(Instant, u64)>,
}

impl Pacer {
    /// Lets virtual time run freely.
    pub(crate) fn release(&mut self) {
        self.anchor = None;
    }

    /// Returns how long the wall clock still needs to reach `target`; zero if it already has.
    pub(crate) fn until(&mut self, now: u64, target: u64) -> Duration {
        let (wall, virtual_) = *self.anchor.get_or_insert_with(|| (Instant::now(), now));
        Duration::from_micros(target.saturating_sub(virtual_)).saturating_sub(wall.elapsed())
    }

    /// Returns the virtual time that corresponds to the wall clock, between `now` and `target`.
    pub(crate) fn reached(&self, now: u64, target: u64) -> u64 {
        let wall = self.anchor.map_or(now, |(wall, virtual_)| {
            virtual_.saturating_add(wall.elapsed().as_micros() as u64)
        });
        wall.clamp(now, target)
    }
}
