//! The time certificates are checked against.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;

use rustls::time_provider::TimeProvider;
use rustls_pki_types::UnixTime;

/// What the device knows of the time when it connects, in Unix seconds.
///
/// A device without a battery-backed clock boots in 1970, where every certificate is "not valid
/// yet". The usual way out, to skip the check, is never taken here. Instead say what *is* known:
/// a moment that is known to have passed, such as the build time of the firmware or the last time kept
/// in flash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateTime {
    /// The time is this.
    Known(u64),
    /// The time is not known, but is not before this.
    ///
    /// The chain must have been valid as a whole at this moment or at one after it: a certificate
    /// that expired before it is refused, one whose validity begins after it is accepted. What
    /// remains open: a certificate that expired *after* this moment is still accepted, so keep the
    /// floor fresh (for instance, store the time now and then) and prefer [`Known`](Self::Known)
    /// as soon as the time is there.
    AtLeast(u64),
}

impl CertificateTime {
    /// The number in it.
    pub const fn unix_seconds(self) -> u64 {
        match self {
            Self::Known(seconds) | Self::AtLeast(seconds) => seconds,
        }
    }
}

impl From<u64> for CertificateTime {
    /// Unix seconds of a clock that is right.
    fn from(unix_seconds: u64) -> Self {
        Self::Known(unix_seconds)
    }
}

/// The clock of one connection, as rustls reads it.
///
/// Each connection has its own, so that what one is told cannot change what another checks. It
/// stands still unless told: the age of the tickets a long connection receives is counted from the
/// last time told, which makes them look older than they are, never younger.
///
/// 32 bits because Cortex-M has no 64-bit atomics; the time sticks at the end of them, in 2106.
#[derive(Debug)]
pub(crate) struct Clock(AtomicU32);

impl Clock {
    pub(crate) fn new(unix_seconds: u64) -> Arc<Self> {
        let clock = Self(AtomicU32::new(0));
        clock.set(unix_seconds);
        Arc::new(clock)
    }

    pub(crate) fn set(&self, unix_seconds: u64) {
        let seconds = u32::try_from(unix_seconds).unwrap_or(u32::MAX);
        self.0.store(seconds, Ordering::Relaxed);
    }
}

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = self.0.load(Ordering::Relaxed);
        Some(UnixTime::since_unix_epoch(Duration::from_secs(u64::from(
            seconds,
        ))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_stands_until_told_and_saturates() {
        let clock = Clock::new(7);
        assert_eq!(clock.current_time().unwrap().as_secs(), 7);
        clock.set(1 << 40);
        assert_eq!(clock.current_time().unwrap().as_secs(), u64::from(u32::MAX));
    }
}
