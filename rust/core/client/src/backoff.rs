//! The pause between attempts.
use crate::alarms::later;
use core::time::Duration;
use rand_core::Rng;

/// Exponential back-off with full jitter: each pause is drawn evenly between zero and a ceiling
/// that doubles with every failure, starting with the first pause.
///
/// Devices that lose their broker at the same instant return spread over the whole range, not in
/// waves.
#[derive(Debug)]
pub(crate) struct Backoff {
    min: Duration,
    max: Duration,
    failures: u32,
}

impl Backoff {
    /// Creates a back-off with ceilings from `min` to `max`.
    pub(crate) fn new(min: Duration, max: Duration) -> Self {
        Self {
            min,
            max,
            failures: 0,
        }
    }

    /// Starts over: the last connection was good.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// Returns the pause after another failure. `patient` draws from the upper half of the full
    /// range immediately: for failures that only a person can fix.
    pub(crate) fn next(&mut self, patient: bool, rng: &mut dyn Rng) -> Duration {
        let factor = 1_u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        self.failures = self.failures.saturating_add(1);
        let draw = rng.next_u32();
        if patient {
            return part_of(self.max, draw >> 1 | 1 << 31);
        }
        let ceiling = self.min.saturating_mul(factor).min(self.max);
        part_of(ceiling, draw)
    }

    /// Returns a pause of the shortest range before another broker is tried. Not counted as a
    /// failure.
    pub(crate) fn short(&self, rng: &mut dyn Rng) -> Duration {
        spread(self.min, rng)
    }
}

/// Returns a random instant within `range`.
pub(crate) fn spread(range: Duration, rng: &mut dyn Rng) -> Duration {
    part_of(range, rng.next_u32())
}

/// Scales `range` by the ratio of `draw` to its maximum.
fn part_of(range: Duration, draw: u32) -> Duration {
    // In 64 bits, enough for 49 days, which is longer than any configured range: 128-bit division
    // costs a kilobyte of flash.
    let range = range.as_secs() * 1_000 + u64::from(range.subsec_millis());
    let part = range.saturating_mul(draw.into()) / u64::from(u32::MAX);
    Duration::from_millis(part)
}

/// Limits how often a change of the network may start an attempt early: an unstable network must
/// not cause a flood of handshakes.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    /// Attempts spent, in units of [`REFILL`]; decreases with time.
    spent: Duration,
    told_at: Duration,
}

/// Attempts allowed in immediate succession.
const BURST: u32 = 4;

/// Time after which one more is allowed.
const REFILL: Duration = Duration::from_secs(60);

impl Budget {
    /// Returns how long until the next one is allowed.
    pub(crate) fn wait(&self, now: Duration) -> Duration {
        later(self.left(now), REFILL).saturating_sub(BURST * REFILL)
    }

    /// Spends one, for use after [`wait`](Self::wait).
    pub(crate) fn take(&mut self, now: Duration) {
        self.spent = later(self.left(now), REFILL);
        self.told_at = now;
    }

    /// Returns what is still spent.
    fn left(&self, now: Duration) -> Duration {
        self.spent.saturating_sub(now.saturating_sub(self.told_at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::convert::Infallible;
    use rand_core::TryRng;

    /// Always returns the same draw.
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
        let ceilings: [u64; 10] =
            core::array::from_fn(|_| backoff.next(false, &mut Draws(u32::MAX)).as_secs());
        assert_eq!(ceilings, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    }

    #[test]
    fn the_jitter_is_full_from_the_first_pause() {
        let mut backoff = Backoff::new(MIN, MAX);
        for _ in 0..100 {
            assert_eq!(backoff.next(false, &mut Draws(0)), Duration::ZERO);
        }
        assert_eq!(backoff.next(false, &mut Draws(u32::MAX)), MAX);
    }

    #[test]
    fn a_draw_in_the_middle_is_in_the_middle() {
        let mut backoff = Backoff::new(MIN, MAX);
        let pause = backoff.next(false, &mut Draws(u32::MAX / 2));
        assert_eq!(pause.as_millis(), 999);
    }

    #[test]
    fn reset_begins_again() {
        let mut backoff = Backoff::new(MIN, MAX);
        for _ in 0..5 {
            backoff.next(false, &mut Draws(0));
        }
        backoff.reset();
        assert_eq!(backoff.next(false, &mut Draws(u32::MAX)), MIN);
    }

    #[test]
    fn a_short_pause_counts_as_no_failure() {
        let mut backoff = Backoff::new(MIN, MAX);
        for _ in 0..5 {
            assert_eq!(backoff.short(&mut Draws(u32::MAX)), MIN);
        }
        assert_eq!(backoff.next(false, &mut Draws(u32::MAX)), MIN);
    }

    #[test]
    fn patience_takes_the_upper_half_at_once() {
        let mut backoff = Backoff::new(MIN, MAX);
        assert_eq!(backoff.next(true, &mut Draws(0)).as_secs(), 150);
        assert_eq!(backoff.next(true, &mut Draws(u32::MAX)), MAX);
    }

    /// The longest allowed range does not overflow: half of the draws lie in its lower half.
    #[test]
    fn the_longest_range_is_drawn_from_evenly() {
        let longest = crate::config::LONGEST;
        let mut backoff = Backoff::new(longest, longest);
        let pause = backoff.next(false, &mut Draws(u32::MAX / 2));
        let half = longest / 2;
        assert!(pause <= half && half - pause < Duration::from_secs(1));
    }

    #[test]
    fn a_budget_allows_a_burst_and_then_one_a_minute() {
        let mut budget = Budget::default();
        let mut taken = alloc::vec::Vec::new();
        for second in 0..600 {
            let now = Duration::from_secs(second);
            if budget.wait(now).is_zero() {
                budget.take(now);
                taken.push(second);
            }
        }
        assert_eq!(
            taken,
            [0, 1, 2, 3, 60, 120, 180, 240, 300, 360, 420, 480, 540]
        );
    }

    #[test]
    fn a_quiet_hour_makes_the_burst_whole_and_no_more() {
        let mut budget = Budget::default();
        for now in [Duration::ZERO, Duration::from_secs(3_600)] {
            for _ in 0..4 {
                assert_eq!(budget.wait(now), Duration::ZERO);
                budget.take(now);
            }
            assert_eq!(budget.wait(now), Duration::from_secs(60));
        }
    }

    /// An attempt taken early is still paid for.
    #[test]
    fn a_place_taken_in_advance_counts() {
        let mut budget = Budget::default();
        for _ in 0..5 {
            budget.take(Duration::ZERO);
        }
        assert_eq!(
            budget.wait(Duration::from_secs(60)),
            Duration::from_secs(60)
        );
    }
}
