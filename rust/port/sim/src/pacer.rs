//! How virtual time follows the wall clock.
use core::time::Duration;
use std::time::Instant;

/// Ties virtual time to the wall clock while it has to be tied.
#[derive(Default)]
pub(crate) struct Pacer {
    /// A moment on both clocks, virtual in microseconds.
    anchor: Option<(Instant, u64)>,
}

impl Pacer {
    /// Virtual time runs free.
    pub(crate) fn release(&mut self) {
        self.anchor = None;
    }

    /// How long the wall clock still takes to `target`; zero if it is there.
    pub(crate) fn until(&mut self, now: u64, target: u64) -> Duration {
        let (wall, virtual_) = *self.anchor.get_or_insert_with(|| (Instant::now(), now));
        Duration::from_micros(target.saturating_sub(virtual_)).saturating_sub(wall.elapsed())
    }

    /// The virtual time that the wall clock shows, between `now` and `target`.
    pub(crate) fn reached(&self, now: u64, target: u64) -> u64 {
        let wall = self.anchor.map_or(now, |(wall, virtual_)| {
            virtual_.saturating_add(wall.elapsed().as_micros() as u64)
        });
        wall.clamp(now, target)
    }
}
