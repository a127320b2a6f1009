//! What is known about the time.
//!
//! **Nothing that an SNTP server says moves the floor.** The floor is stored in flash and survives
//! reboots. If it lay in the future, the device would refuse every certificate; with a private CA
//! that does not renew in time, for good. So it rises only to what is proven:
//!
//! - A chain was verified, so its leaf was issued: the leaf's notBefore has passed.
//! - The platform supplied the time, and a chain was valid at that time. The platform is trusted.
//! - Uptime since either of these.
//!
//! The time of an SNTP server is used to check certificates, and dropped if one contradicts it. It
//! never lies before the floor. So whatever is forged, a valid certificate is accepted once the
//! forger is gone, and one that expired before the floor never is.
use core::time::Duration;
use thread_mqtt_tls::CertificateTime;

/// How far a clock may lie before the floor and still be believed: clocks drift.
pub(crate) const SLACK: u64 = 3600;

/// The time from the platform, from an SNTP server, and the time known to have passed.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    platform: Option<Told>,
    network: Option<Told>,
    /// What the last verified chain proved.
    proven: Option<Told>,
    floor: u64,
}

/// Unix seconds, and when they were learned.
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

    /// Takes the platform's time, and returns it if it is believed. It takes precedence over a
    /// server's, but a clock that lies before the floor was never set.
    pub(crate) fn tell(&mut self, unix_seconds: Option<u64>, now: Duration) -> Option<u64> {
        self.raise(now);
        let believed = unix_seconds.filter(|seconds| seconds.saturating_add(SLACK) >= self.floor);
        self.platform = believed.map(|seconds| Told { seconds, at: now });
        believed
    }

    /// Takes an SNTP server's time.
    pub(crate) fn synchronise(&mut self, seconds: u64, now: Duration) {
        self.network = Some(Told { seconds, at: now });
    }

    /// Notes that a chain was verified whose leaf was issued at this time.
    pub(crate) fn prove(&mut self, issued: Option<u64>, now: Duration) {
        let told = self.platform.map(|told| told.now(now));
        if let Some(seconds) = issued.max(told) {
            let earlier = self.proven.map_or(self.floor, |proven| proven.now(now));
            let seconds = seconds.max(earlier);
            self.proven = Some(Told { seconds, at: now });
            self.raise(now);
        }
    }

    /// Notes that a certificate was not valid at the known time: drops the server's time, which may
    /// be wrong. Returns whether that was in use.
    pub(crate) fn doubt(&mut self) -> bool {
        self.network.take().is_some() && self.platform.is_none()
    }

    fn raise(&mut self, now: Duration) {
        if let Some(proven) = self.proven {
            self.floor = self.floor.max(proven.now(now));
        }
    }

    /// Returns a time known to have passed, in Unix seconds.
    pub(crate) fn floor(&self) -> u64 {
        self.floor
    }

    /// Returns the time in Unix seconds, if known.
    pub(crate) fn unix_seconds(&self, now: Duration) -> Option<u64> {
        let told = self.platform.or(self.network)?;
        Some(told.now(now).max(self.floor))
    }

    /// Returns whether a source should be queried, because the time is older than `refresh` or
    /// unknown.
    pub(crate) fn is_stale(&self, refresh: Duration, now: Duration) -> bool {
        let fresh = |told: Told| now.saturating_sub(told.at) < refresh;
        self.platform.is_none() && !self.network.is_some_and(fresh)
    }

    /// Returns the time to check certificates with.
    pub(crate) fn certificate_time(&self, now: Duration) -> CertificateTime {
        self.unix_seconds(now)
            .map_or(CertificateTime::AtLeast(self.floor), CertificateTime::Known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

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
        assert_eq!(clock.tell(Some(2_000), s(0)), Some(2_000));
        assert_eq!(clock.unix_seconds(s(1)), Some(2_001));
        clock.tell(None, s(1));
        assert_eq!(clock.unix_seconds(s(1)), Some(9_001));
    }

    #[test]
    fn a_platform_clock_before_the_floor_was_never_set() {
        let mut clock = Clock::new(1_000_000);
        assert_eq!(clock.tell(Some(0), s(0)), None);
        assert_eq!(
            clock.certificate_time(s(0)),
            CertificateTime::AtLeast(1_000_000)
        );
        // A slightly slow clock is believed, but the time does not run backwards.
        assert!(clock.tell(Some(1_000_000 - SLACK), s(0)).is_some());
        assert_eq!(
            clock.certificate_time(s(0)),
            CertificateTime::Known(1_000_000)
        );
    }

    #[test]
    fn a_servers_word_does_not_raise_the_floor() {
        let mut clock = Clock::new(1_000);
        clock.synchronise(9_000, s(0));
        clock.prove(Some(2_000), s(5));
        assert_eq!(clock.floor(), 2_000);
        clock.tell(None, s(7));
        assert_eq!(clock.floor(), 2_002);
    }

    #[test]
    fn a_leaf_is_proof_without_any_clock() {
        let mut clock = Clock::new(1_000);
        clock.prove(Some(2_000), s(0));
        assert_eq!(
            clock.certificate_time(s(1)),
            CertificateTime::AtLeast(2_000)
        );
        // An older one changes nothing.
        clock.prove(Some(1_500), s(10));
        clock.tell(None, s(20));
        assert_eq!(clock.floor(), 2_020);
        // An unreadable one proves nothing.
        clock.prove(None, s(20));
        assert_eq!(clock.floor(), 2_020);
    }

    #[test]
    fn the_platforms_word_raises_the_floor_once_a_chain_was_valid_then() {
        let mut clock = Clock::new(1_000);
        clock.tell(Some(9_000), s(0));
        assert_eq!(clock.floor(), 1_000);
        clock.tell(Some(3_000), s(1));
        clock.prove(Some(2_000), s(1));
        assert_eq!(clock.floor(), 3_000);
        clock.tell(Some(9_000), s(3));
        assert_eq!(clock.floor(), 3_002);
    }

    #[test]
    fn in_doubt_the_floor_stays() {
        let mut clock = Clock::new(1_000);
        clock.synchronise(9_000, s(0));
        clock.prove(Some(2_000), s(0));
        clock.doubt();
        assert_eq!(
            clock.certificate_time(s(0)),
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

    /// What can happen to a clock whose server is forged.
    #[derive(Debug, Clone)]
    enum Happens {
        /// The forger sends any time.
        Forged(u64),
        /// A chain is verified whose leaf was issued this long ago.
        Verified(u64),
        /// A certificate contradicts the known time.
        Contradicted,
        /// Time passes.
        Passes(u32),
        /// The device reboots with the floor it has stored.
        Reboots,
    }

    fn happens() -> impl Strategy<Value = Happens> {
        prop_oneof![
            any::<u64>().prop_map(Happens::Forged),
            (0..10_000_000_u64).prop_map(Happens::Forged),
            (0..1_000_000_u64).prop_map(Happens::Verified),
            Just(Happens::Contradicted),
            (0..10_000_000_u32).prop_map(Happens::Passes),
            Just(Happens::Reboots),
        ]
    }

    proptest! {
        /// The floor never lies in the future, so the check against it refuses no valid
        /// certificate. No check uses a time before the floor, so no certificate passes that
        /// expired before it.
        #[test]
        fn no_forgery_locks_out_or_lets_in(story in prop::collection::vec(happens(), 0..40)) {
            let begin = 1_000_000_u64;
            let (mut truth, mut up) = (begin, Duration::ZERO);
            let mut clock = Clock::new(begin);
            let mut floors = Vec::from([begin]);
            for event in story {
                match event {
                    Happens::Forged(seconds) => clock.synchronise(seconds, up),
                    Happens::Verified(ago) => clock.prove(Some(truth - ago), up),
                    Happens::Contradicted => {
                        clock.doubt();
                    }
                    Happens::Passes(seconds) => {
                        truth += u64::from(seconds);
                        up += s(seconds.into());
                        clock.tell(None, up);
                    }
                    Happens::Reboots => {
                        clock = Clock::new(clock.floor());
                        up = Duration::ZERO;
                    }
                }
                let floor = clock.floor();
                prop_assert!(floor <= truth, "the floor lies {} s ahead", floor - truth);
                prop_assert!(floor >= *floors.last().unwrap());
                floors.push(floor);
                let checked = match clock.certificate_time(up) {
                    CertificateTime::Known(seconds) | CertificateTime::AtLeast(seconds) => seconds,
                };
                prop_assert!(checked >= floor);
            }
            // The forger is gone, and its time is found to be wrong.
            clock.doubt();
            prop_assert_eq!(clock.certificate_time(up), CertificateTime::AtLeast(clock.floor()));
            clock.synchronise(truth, up);
            prop_assert_eq!(clock.certificate_time(up), CertificateTime::Known(truth));
        }
    }
}
