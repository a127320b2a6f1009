//! The time that certificates are checked against.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;

use rustls::time_provider::TimeProvider;
use rustls_pki_types::UnixTime;

/// What the device knows about the time when it connects, in Unix seconds.
///
/// A device without a battery-backed clock boots in 1970, when every certificate is "not valid
/// yet". Many implementations then skip the check. This crate never does. Instead, pass a time that
/// is known to have passed, such as the build time of the firmware or the last time stored in
/// flash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateTime {
    /// The current time.
    Known(u64),
    /// The current time is unknown, but not before this.
    ///
    /// The whole chain must have been valid at this time or at some later one. A certificate that
    /// expired before it is refused; one that becomes valid after it is accepted. One risk remains:
    /// a certificate that expired *after* this time is still accepted. So keep the floor fresh (for
    /// example, store the time regularly), and pass [`Known`](Self::Known) as soon as the time is
    /// known.
    AtLeast(u64),
}

impl CertificateTime {
    /// Returns the contained time.
    pub const fn unix_seconds(self) -> u64 {
        match self {
            Self::Known(seconds) | Self::AtLeast(seconds) => seconds,
        }
    }
}

impl From<u64> for CertificateTime {
    /// Converts the Unix seconds of a clock that is right.
    fn from(unix_seconds: u64) -> Self {
        Self::Known(unix_seconds)
    }
}

/// The clock of one connection, as rustls reads it.
///
/// Each connection has its own, so that updating one does not affect the checks of another. It
/// stands still unless updated. The age of tickets received by a long connection is counted from
/// the last update, so they look older than they are, never younger.
///
/// It has 32 bits, because Cortex-M has no 64-bit atomics; it stops at the end of them, in 2106.
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
