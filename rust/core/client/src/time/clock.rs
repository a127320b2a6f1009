//! What is known of the time.
//!
//! **Nothing that an SNTP server says moves the floor.** The floor is kept in flash and outlives
//! reboots: one that lies in the future makes a device refuse every certificate, for good where a
//! private CA does not renew it in time. So it rises only to what is proven:
//!
//! - A chain was verified, so its leaf has been issued: the leaf's notBefore has passed.
//! - The platform told the time, and a chain was valid then. The platform is trusted.
//! - Either goes on by the uptime.
//!
//! What an SNTP server says is used for the check of certificates and dropped when one contradicts
//! it. It never lies before the floor. Therefore, whatever is forged: a certificate that is valid
//! is accepted once the forger is gone, and one that expired before the floor never is.
use core::time::Duration;
use thread_mqtt_tls::CertificateTime;

/// How far a clock may lie before the floor and still be believed: clocks drift.
pub(crate) const SLACK: u64 = 3600;

/// The platform's word, that of an SNTP server, and what is known to have passed.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    platform: Option<Told>,
    network: Option<Told>,
    /// What the last verified chain proved.
    proven: Option<Told>,
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

    /// Takes what the platform says now, and returns what is believed of it. It takes precedence
    /// over what a server says, but a clock that runs before the floor was never set.
    pub(crate) fn tell(&mut self, unix_seconds: Option<u64>, now: Duration) -> Option<u64> {
        self.raise(now);
        let believed = unix_seconds.filter(|seconds| seconds.saturating_add(SLACK) >= self.floor);
        self.platform = believed.map(|seconds| Told { seconds, at: now });
        believed
    }

    /// Takes what an SNTP server says.
    pub(crate) fn synchronise(&mut self, seconds: u64, now: Duration) {
        self.network = Some(Told { seconds, at: now });
    }

    /// A chain was verified whose leaf was issued at this time.
    pub(crate) fn prove(&mut self, issued: Option<u64>, now: Duration) {
        let told = self.platform.map(|told| told.now(now));
        if let Some(seconds) = issued.max(told) {
            let earlier = self.proven.map_or(self.floor, |proven| proven.now(now));
            let seconds = seconds.max(earlier);
            self.proven = Some(Told { seconds, at: now });
            self.raise(now);
        }
    }

    /// A certificate was not valid at the time known. The server's word may be the wrong one.
    pub(crate) fn doubt(&mut self) {
        self.network = None;
    }

    fn raise(&mut self, now: Duration) {
        if let Some(proven) = self.proven {
            self.floor = self.floor.max(proven.now(now));
        }
    }

    /// Unix seconds that are known to have passed.
    pub(crate) fn floor(&self) -> u64 {
        self.floor
    }

    /// Unix seconds, if they are known.
    pub(crate) fn unix_seconds(&self, now: Duration) -> Option<u64> {
        let told = self.platform.or(self.network)?;
        Some(told.now(now).max(self.floor))
    }

    /// Whether a source should be asked: the time has not been told for so long.
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
        // One that is a little slow is believed, but time does not run backwards.
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
        // An older one takes nothing back.
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
        /// The forger says anything.
        Forged(u64),
        /// A chain is verified whose leaf was issued this long ago.
        Verified(u64),
        /// A certificate contradicts the time known.
        Contradicted,
        /// The time goes on.
        Passes(u32),
        /// The device boots anew with the floor it has kept.
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
        /// The floor never reaches the future, so the check against it refuses no valid
        /// certificate; and no check is made against a time before the floor, so none is passed
        /// that expired before it.
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
                    Happens::Contradicted => clock.doubt(),
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
            // The forger is gone, and what it said is found out.
            clock.doubt();
            prop_assert_eq!(clock.certificate_time(up), CertificateTime::AtLeast(clock.floor()));
            clock.synchronise(truth, up);
            prop_assert_eq!(clock.certificate_time(up), CertificateTime::Known(truth));
        }
    }
}
