//! What is known of the time.
use core::time::Duration;
use thread_mqtt_tls::CertificateTime;

/// The platform's word, that of an SNTP server, and what has surely passed.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    platform: Option<Told>,
    network: Option<Told>,
    /// A time at which a broker's certificate was valid; it goes on from there, whatever is told
    /// later.
    confirmed: Option<Told>,
    floor: u64,
}

/// Unix seconds, and when they were told.
#[derive(Debug, Clone, Copy)]
struct Told {
    seconds: u64,
    at: Duration,
}

impl Told {
    fn now(self, now: Duration) -> u64 {
        let passed = now.saturating_sub(self.at).as_secs();
        self.seconds.saturating_add(passed)
    }
}

impl Clock {
    pub(crate) fn new(floor: u64) -> Self {
        Self {
            floor,
            ..Self::default()
        }
    }

    /// What the platform says now; it comes before what a server says.
    pub(crate) fn tell(&mut self, unix_seconds: Option<u64>, now: Duration) {
        self.platform = unix_seconds.map(|seconds| Told { seconds, at: now });
        self.raise(now);
    }

    /// What an SNTP server says.
    pub(crate) fn synchronise(&mut self, seconds: u64, now: Duration) {
        self.network = Some(Told { seconds, at: now });
    }

    /// A chain of certificates was valid at the time known. Only this raises the floor: it is kept
    /// in flash, and a wrong clock must not lock a device out of its broker for good.
    pub(crate) fn confirm(&mut self, now: Duration) {
        if let Some(seconds) = self.unix_seconds(now) {
            self.confirmed = Some(Told { seconds, at: now });
            self.raise(now);
        }
    }

    /// A certificate was not valid at the time known. A server's word may be the wrong one.
    pub(crate) fn doubt(&mut self) {
        self.network = None;
    }

    fn raise(&mut self, now: Duration) {
        if let Some(confirmed) = self.confirmed {
            self.floor = self.floor.max(confirmed.now(now));
        }
    }

    /// Unix seconds that have surely passed.
    pub(crate) fn floor(&self) -> u64 {
        self.floor
    }

    /// Unix seconds, if they are known.
    pub(crate) fn unix_seconds(&self, now: Duration) -> Option<u64> {
        self.platform.or(self.network).map(|told| told.now(now))
    }

    /// Whether an SNTP server should be asked: nobody has told the time for so long.
    pub(crate) fn is_stale(&self, refresh: Duration, now: Duration) -> bool {
        let fresh = |told: Told| now.saturating_sub(told.at) < refresh;
        self.platform.is_none() && !self.network.is_some_and(fresh)
    }

    /// For the check of certificates.
    pub(crate) fn certificate_time(&self, now: Duration) -> CertificateTime {
        self.unix_seconds(now)
            .map_or(CertificateTime::AtLeast(self.floor), CertificateTime::Known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn goes_on_by_itself() {
        let mut clock = Clock::new(1_000);
        assert_eq!(
            clock.certificate_time(s(5)),
            CertificateTime::AtLeast(1_000)
        );
        clock.synchronise(2_000, s(10));
        assert_eq!(clock.certificate_time(s(15)), CertificateTime::Known(2_005));
    }

    #[test]
    fn the_platform_comes_first() {
        let mut clock = Clock::new(1_000);
        clock.synchronise(9_000, s(0));
        clock.tell(Some(2_000), s(0));
        assert_eq!(clock.unix_seconds(s(1)), Some(2_001));
        clock.tell(None, s(1));
        assert_eq!(clock.unix_seconds(s(1)), Some(9_001));
    }

    #[test]
    fn the_floor_rises_once_a_certificate_agrees() {
        let mut clock = Clock::new(1_000);
        clock.confirm(s(0));
        assert_eq!(clock.floor(), 1_000);
        clock.synchronise(2_000, s(0));
        clock.tell(None, s(5));
        assert_eq!(clock.floor(), 1_000);
        clock.confirm(s(5));
        assert_eq!(clock.floor(), 2_005);
        clock.tell(None, s(7));
        assert_eq!(clock.floor(), 2_007);
    }

    #[test]
    fn without_a_certificate_nobodys_word_raises_the_floor() {
        let mut clock = Clock::new(1_000);
        clock.tell(Some(9_000), s(0));
        assert_eq!(clock.floor(), 1_000);
        clock.tell(Some(2_000), s(1));
        clock.confirm(s(1));
        clock.tell(Some(9_000), s(3));
        clock.synchronise(9_000, s(3));
        clock.tell(None, s(3));
        assert_eq!(clock.floor(), 2_002);
    }

    #[test]
    fn in_doubt_the_floor_stays() {
        let mut clock = Clock::new(1_000);
        clock.synchronise(2_000, s(0));
        clock.confirm(s(0));
        clock.doubt();
        assert_eq!(
            clock.certificate_time(s(1)),
            CertificateTime::AtLeast(2_000)
        );
        assert!(clock.is_stale(s(100), s(1)));
    }

    #[test]
    fn stale_is_what_is_old_or_unknown() {
        let mut clock = Clock::new(0);
        assert!(clock.is_stale(s(100), s(0)));
        clock.synchronise(2_000, s(0));
        assert!(!clock.is_stale(s(100), s(99)));
        assert!(clock.is_stale(s(100), s(100)));
        clock.tell(Some(2_000), s(0));
        assert!(!clock.is_stale(s(100), s(1_000)));
    }
}
