//! The pause between attempts.
use core::time::Duration;
use rand_core::Rng;

/// Exponential back-off with full jitter: each pause is drawn evenly between the shortest pause
/// and a ceiling that doubles with every failure.
///
/// A fleet whose broker restarts comes back spread over the whole range, not in waves.
#[derive(Debug)]
pub(crate) struct Backoff {
    min: Duration,
    max: Duration,
    failures: u32,
}

impl Backoff {
    /// Pauses between `min` and `max`.
    pub(crate) fn new(min: Duration, max: Duration) -> Self {
        Self {
            min,
            max,
            failures: 0,
        }
    }

    /// The last connection was good: the next failure is the first.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// The pause after one more failure. `patient` draws it from the upper half of the whole
    /// range at once: for what only a person can mend.
    pub(crate) fn next(&mut self, patient: bool, rng: &mut dyn Rng) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let (floor, ceiling) = if patient {
            (self.min.max(self.max / 2), self.max)
        } else {
            let factor = 1_u32.checked_shl(self.failures).unwrap_or(u32::MAX);
            (self.min, self.min.saturating_mul(factor).min(self.max))
        };
        between(floor, ceiling, rng.next_u32())
    }
}

/// The point that `draw` names on the way from `floor` to `ceiling`.
fn between(floor: Duration, ceiling: Duration, draw: u32) -> Duration {
    let range = ceiling.saturating_sub(floor);
    // In 64 bits, which hold ranges of weeks: division in 128 costs a kilobyte of flash.
    let range = range.as_secs() * 1_000 + u64::from(range.subsec_millis());
    let part = range.saturating_mul(draw.into()) / u64::from(u32::MAX);
    floor + Duration::from_millis(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::convert::Infallible;
    use rand_core::TryRng;

    /// Always the same draw.
    struct Draws(u32);

    impl TryRng for Draws {
        type Error = Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            Ok(self.0)
        }
        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            Ok(u64::from(self.0))
        }
        fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
            dst.fill(self.0 as u8);
            Ok(())
        }
    }

    const MIN: Duration = Duration::from_secs(2);
    const MAX: Duration = Duration::from_secs(300);

    #[test]
    fn the_ceiling_doubles_up_to_the_longest_pause() {
        let mut backoff = Backoff::new(MIN, MAX);
        let ceilings: [u64; 9] =
            core::array::from_fn(|_| backoff.next(false, &mut Draws(u32::MAX)).as_secs());
        assert_eq!(ceilings, [4, 8, 16, 32, 64, 128, 256, 300, 300]);
    }

    #[test]
    fn the_floor_stays_at_the_shortest_pause() {
        let mut backoff = Backoff::new(MIN, MAX);
        for _ in 0..100 {
            assert_eq!(backoff.next(false, &mut Draws(0)), MIN);
        }
        assert_eq!(backoff.next(false, &mut Draws(u32::MAX)), MAX);
    }

    #[test]
    fn a_draw_in_the_middle_is_in_the_middle() {
        let mut backoff = Backoff::new(MIN, MAX);
        assert_eq!(
            backoff.next(false, &mut Draws(u32::MAX / 2)).as_millis(),
            2_999
        );
    }

    #[test]
    fn reset_begins_again() {
        let mut backoff = Backoff::new(MIN, MAX);
        for _ in 0..5 {
            backoff.next(false, &mut Draws(0));
        }
        backoff.reset();
        assert_eq!(backoff.next(false, &mut Draws(u32::MAX)).as_secs(), 4);
    }

    #[test]
    fn patience_takes_the_upper_half_at_once() {
        let mut backoff = Backoff::new(MIN, MAX);
        assert_eq!(backoff.next(true, &mut Draws(0)).as_secs(), 150);
        assert_eq!(backoff.next(true, &mut Draws(u32::MAX)), MAX);
    }

    #[test]
    fn one_fixed_pause() {
        let mut backoff = Backoff::new(MIN, MIN);
        assert_eq!(backoff.next(false, &mut Draws(7)), MIN);
        assert_eq!(backoff.next(true, &mut Draws(7)), MIN);
    }
}
