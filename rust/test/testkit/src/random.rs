//! Repeatable randomness.
//!
//! The device's crypto provider takes its randomness from a *type*
//! ([`thread_mqtt_soft_provider::Random`]), because a microcontroller has one source and no
//! allocation to spare for passing it around. A simulated world has many sources, one per node,
//! each with its own seed. [`Seeded::scope`] connects the two: while the closure runs,
//! [`SeededRandom`] draws from that generator.
use chacha20::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use std::cell::RefCell;
use thread_mqtt_soft_provider::{Random, RandomError};

thread_local! {
    static CURRENT: RefCell<Option<ChaCha8Rng>> = const { RefCell::new(None) };
}

/// A generator with a seed. Not for secrets.
#[derive(Debug)]
pub struct Seeded {
    /// `None` only while [`scope`](Self::scope) runs.
    rng: Option<ChaCha8Rng>,
}

impl Seeded {
    /// `stream` separates generators with the same seed, such as a device's from its peer's.
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Self { rng: Some(rng) }
    }

    /// Runs `work` with this generator behind [`SeededRandom`] on this thread. Scopes nest; the
    /// innermost is used.
    pub fn scope<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let outer = CURRENT.replace(self.rng.take());
        let _restore = Restore {
            inner: &mut self.rng,
            outer,
        };
        work()
    }

    /// Fills `buf`.
    pub fn fill(&mut self, buf: &mut [u8]) {
        if let Some(rng) = &mut self.rng {
            rng.fill_bytes(buf);
        }
    }
}

/// Restores the generators, also if the closure panics.
struct Restore<'a> {
    inner: &'a mut Option<ChaCha8Rng>,
    outer: Option<ChaCha8Rng>,
}

impl Drop for Restore<'_> {
    fn drop(&mut self) {
        *self.inner = CURRENT.replace(self.outer.take());
    }
}

/// The generator of the innermost [`Seeded::scope`]. Outside any scope it returns an error, so that
/// a handshake fails instead of silently not being repeatable.
#[derive(Debug, Clone, Copy)]
pub struct SeededRandom;

impl Random for SeededRandom {
    fn fill(buf: &mut [u8]) -> Result<(), RandomError> {
        CURRENT.with_borrow_mut(|current| {
            current.as_mut().ok_or(RandomError)?.fill_bytes(buf);
            Ok(())
        })
    }
}

/// The host's entropy.
#[derive(Debug, Clone, Copy)]
pub struct HostRandom;

impl Random for HostRandom {
    fn fill(buf: &mut [u8]) -> Result<(), RandomError> {
        getrandom::fill(buf).map_err(|_| RandomError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw() -> [u8; 8] {
        let mut buf = [0; 8];
        SeededRandom::fill(&mut buf).unwrap();
        buf
    }

    #[test]
    fn the_same_seed_and_stream_repeat_and_others_differ() {
        let first = |seed, stream| Seeded::new(seed, stream).scope(draw);
        assert_eq!(first(1, 0), first(1, 0));
        assert_ne!(first(1, 0), first(1, 1));
        assert_ne!(first(1, 0), first(2, 0));
    }

    #[test]
    fn a_scope_goes_on_where_the_last_one_ended_however_scopes_interleave() {
        let mut alone = Seeded::new(7, 0);
        let expected = alone.scope(|| [draw(), draw(), draw()]);

        let (mut a, mut b) = (Seeded::new(7, 0), Seeded::new(7, 1));
        let got = a.scope(|| {
            let first = draw();
            b.scope(draw);
            [first, draw()]
        });
        b.scope(draw);
        assert_eq!([got[0], got[1], a.scope(draw)], expected);
    }

    #[test]
    fn outside_of_a_scope_there_is_no_randomness() {
        assert!(SeededRandom::fill(&mut [0; 4]).is_err());
        let panicked = std::panic::catch_unwind(|| Seeded::new(1, 1).scope(|| panic!("inside")));
        assert!(panicked.is_err());
        assert!(SeededRandom::fill(&mut [0; 4]).is_err());
    }
}
