//! The keep-alive that learns how long the path bears silence.
use core::mem;
use core::time::Duration;

/// Whether this build learns it.
pub(crate) const LEARNS: bool = cfg!(feature = "keep-alive-auto");

/// How long a connection may be silent before a ping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeepAlive {
    /// As long as the session's [`keep_alive`](thread_mqtt_session::Config::keep_alive) says.
    #[default]
    Fixed,
    /// As long as the path bears, which is found out: what stands between device and broker (a NAT64
    /// border router, a home router, a firewall of a mobile network) forgets a silent connection
    /// after a time that is not announced. It takes the place of the session's
    /// [`keep_alive`](thread_mqtt_session::Config::keep_alive).
    Auto {
        /// Shortest silence before a ping, and the first that is tried unless `start` is given. From
        /// 10 s to `max`.
        min: Duration,
        /// Longest silence, at most 65,535 s.
        max: Duration,
        /// What an earlier life has learnt ([`Event::KeepAlive`](crate::Event::KeepAlive)).
        start: Option<Duration>,
    },
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Death {
    /// Nothing comes any more.
    Silent,
    /// By a RST.
    Reset,
    /// By a FIN.
    Closed,
}

impl KeepAlive {
    /// `Auto` between 100 s, below the two minutes after which OpenThread's NAT64 drops an idle
    /// mapping when it needs the place, and an hour.
    pub const AUTO: Self = Self::Auto {
        min: Duration::from_secs(100),
        max: Duration::from_secs(3_600),
        start: None,
    };

    /// Shortest silence that makes sense for `min`.
    const LEAST: Duration = Duration::from_secs(10);

    /// Whether the limits fit.
    pub(crate) fn is_valid(&self) -> bool {
        match self {
            Self::Fixed => true,
            Self::Auto { min, max, .. } => {
                *min >= Self::LEAST && min <= max && max.as_secs() <= u16::MAX.into()
            }
        }
    }
}

/// What is known of the path.
///
/// A silence is proven when the broker answers what ends it. It has failed when the connection turns
/// out to be dead instead, or when the path ends it before. The next silence is half as long again as the proven one, or in the
/// middle between the two when one has failed; where they are close, the proven one stays. After a
/// failure the proven one is kept for a while before the next trial.
#[derive(Debug)]
pub(crate) struct Learner {
    min: Duration,
    max: Duration,
    proven: Duration,
    failed: Option<(Duration, Duration)>,
    /// Silences at the proven length before the next trial.
    hold: u8,
    /// The connection: its longest silence allowed, the time of the last byte, and the silence that
    /// is not proven yet.
    announced: Duration,
    last: Option<Duration>,
    pending: Option<Duration>,
    /// The same silence as pings count it, from what was sent: longer by the time that its answer took.
    counts_from: Option<Duration>,
    waited: Duration,
    /// A silence was proven that is as long as this connection allows.
    full: bool,
    /// The silence in which the last connection was closed or reset.
    ended: Duration,
}

/// Silences that are kept at the proven length after one that failed.
const HOLD: u8 = 12;

const HALF: Duration = Duration::from_millis(500);

/// How many times the next silence is announced as the keep-alive: what a connection may learn at
/// most. Then a new one begins, with more room.
const ROOM: u32 = 4;

/// Silences that differ by no more are the same.
const SAME: Duration = Duration::from_secs(2);

/// After this time a failure is history: paths change.
const FORGET: Duration = Duration::from_secs(86_400);

impl Learner {
    /// `None` for a fixed keep-alive.
    pub(crate) fn new(keep_alive: KeepAlive) -> Option<Self> {
        match keep_alive {
            KeepAlive::Auto { min, max, start } if LEARNS => Some(Self {
                min,
                max,
                proven: start.unwrap_or(min).clamp(min, max),
                failed: None,
                hold: 0,
                announced: max,
                last: None,
                pending: None,
                counts_from: None,
                waited: Duration::ZERO,
                full: false,
                ended: Duration::ZERO,
            }),
            _ => None,
        }
    }

    /// The longest silence that was proven: worth keeping over a restart.
    pub(crate) fn proven(&self) -> Duration {
        self.proven
    }

    /// The silence after which a ping is due.
    pub(crate) fn silence(&self) -> Duration {
        self.next().min(self.announced)
    }

    /// Whether the path bears more than this connection could announce, and may bear still more.
    pub(crate) fn wants_room(&self) -> bool {
        self.full && self.announced < self.max
    }

    fn next(&self) -> Duration {
        // Whole seconds, as MQTT counts.
        let whole = |length: Duration| Duration::from_secs(length.as_secs());
        if self.hold > 0 {
            return self.proven;
        }
        let longer = self.proven + self.proven / 2;
        match self.failed {
            Some((failed, _)) if longer >= failed => {
                let middle = self.proven + failed.saturating_sub(self.proven) / 2;
                match middle >= self.proven + self.proven / 8 {
                    true => whole(middle).min(self.max),
                    false => self.proven,
                }
            }
            _ => whole(longer).min(self.max),
        }
    }

    /// A connection begins. Returns the keep-alive to announce: with room to grow, and not longer
    /// than needed, because the broker publishes the will after one and a half of it.
    pub(crate) fn begin(&mut self, now: Duration) -> Duration {
        self.forget(now);
        self.announced = (ROOM * self.next()).min(self.max);
        self.last = None;
        self.pending = None;
        self.counts_from = None;
        self.waited = Duration::ZERO;
        self.full = false;
        self.announced
    }

    fn forget(&mut self, now: Duration) {
        if self
            .failed
            .is_some_and(|(_, at)| now.saturating_sub(at) >= FORGET)
        {
            self.failed = None;
        }
    }

    /// Bytes went to the broker.
    pub(crate) fn sent(&mut self, now: Duration) {
        if let Some(last) = self.last {
            let silence = now.saturating_sub(last);
            self.pending = self.pending.max(Some(silence));
        }
        if let Some(last) = self.counts_from {
            self.waited = self.waited.max(now.saturating_sub(last));
        }
        self.last = Some(now);
        self.counts_from = Some(now);
    }

    /// Bytes came from the broker. Returns whether something was learnt.
    pub(crate) fn received(&mut self, now: Duration) -> bool {
        self.forget(now);
        let is_rest = self.last.replace(now) == Some(now);
        let Some(silence) = self.pending.take() else {
            // Not an answer to what was sent: the path has not been silent.
            if !is_rest {
                self.counts_from = Some(now);
            }
            return false;
        };
        let whole = |length: Duration| Duration::from_secs((length + HALF).as_secs());
        let (silence, waited) = (whole(silence), whole(mem::take(&mut self.waited)));
        if waited >= self.proven && self.hold > 0 {
            self.hold -= 1;
        }
        self.full |= waited >= self.announced;
        let longer = silence.min(self.max) > self.proven;
        if longer {
            self.proven = silence.min(self.max);
            if self.failed.is_some_and(|(failed, _)| failed <= self.proven) {
                self.failed = None;
            }
        }
        longer
    }

    /// The connection is over. Returns whether something was learnt.
    pub(crate) fn died(&mut self, death: Death, now: Duration) -> bool {
        if death == Death::Closed {
            // It may be the answer to what was sent after the silence, which has passed then.
            self.pending = None;
        }
        let mut idle = None;
        if let (Some(last), Death::Closed | Death::Reset) = (self.last, death) {
            let silence = now.saturating_sub(last);
            let before = mem::replace(&mut self.ended, silence);
            // A broker that restarts ends connections as well: what was proven stays, unless it happens
            // twice after the same silence.
            if silence > self.proven || silence.abs_diff(before) <= SAME {
                idle = Some(silence);
            }
        }
        let Some(silence) = self.pending.take().max(idle) else {
            return false;
        };
        // Without a silence of note it was not the silence.
        if silence < self.min {
            return false;
        }
        let shortest = self
            .failed
            .map_or(silence, |(failed, _)| failed.min(silence));
        self.failed = Some((shortest, now));
        self.hold = HOLD;
        let shrinks = silence <= self.proven + Duration::from_secs(1) && self.proven > self.min;
        if shrinks {
            self.proven = (silence / 2).max(self.min);
            self.proven = Duration::from_secs(self.proven.as_secs());
        }
        shrinks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Lives on a path that forgets a connection after `limit`, for this many silences; returns how
    /// often the connection died.
    fn live(learner: &mut Learner, now: &mut Duration, limit: Duration, silences: usize) -> usize {
        let mut deaths = 0;
        let mut fresh = true;
        for n in 0..silences {
            // Connections end for other reasons, too.
            if core::mem::take(&mut fresh) || n % 15 == 0 {
                learner.begin(*now);
                learner.sent(*now);
                learner.received(*now);
            }
            let silence = learner.silence();
            *now += silence;
            learner.sent(*now);
            if silence < limit {
                learner.received(*now);
            } else {
                *now += s(20);
                learner.died(Death::Silent, *now);
                deaths += 1;
                fresh = true;
            }
        }
        deaths
    }

    fn learner(min: u64, max: u64) -> Learner {
        let auto = KeepAlive::Auto {
            min: s(min),
            max: s(max),
            start: None,
        };
        Learner::new(auto).unwrap()
    }

    #[test]
    fn what_the_path_bears_is_found() {
        for limit in [120, 300, 600, 1_800, 7_200] {
            let mut learner = learner(100, 3_600);
            let mut now = Duration::ZERO;
            let deaths = live(&mut learner, &mut now, s(limit), 60);
            let reached = learner.proven();
            let possible = s(limit).min(s(3_600));
            assert!(reached <= possible, "{limit}: {reached:?}");
            assert!(reached >= possible * 3 / 4, "{limit}: {reached:?}");
            assert!(deaths <= 4, "{limit}: {deaths} deaths");
            // Once found it stays, and costs hardly a connection more.
            let found_at = now;
            let deaths = live(&mut learner, &mut now, s(limit), 100);
            let days = (now - found_at).as_secs() / 86_400 + 1;
            assert!(deaths as u64 <= 2 * days, "{limit}: {deaths} deaths later");
        }
    }

    #[test]
    fn a_path_that_bears_less_than_before_makes_it_shrink() {
        let mut learner = learner(60, 3_600);
        let mut now = Duration::ZERO;
        live(&mut learner, &mut now, s(3_000), 40);
        assert!(learner.proven() > s(2_000));
        let deaths = live(&mut learner, &mut now, s(150), 40);
        assert!(deaths <= 8, "{deaths}");
        let silence = learner.silence();
        assert!((s(60)..s(150)).contains(&silence), "{silence:?}");
    }

    #[test]
    fn a_death_without_a_silence_teaches_nothing() {
        let mut learner = learner(60, 600);
        learner.begin(s(0));
        learner.sent(s(0));
        learner.received(s(1));
        learner.sent(s(5));
        assert!(!learner.died(Death::Silent, s(25)));
        assert_eq!(learner.silence(), s(90));
        // Nor does a time-out of a connection that owed no answer.
        learner.begin(s(30));
        learner.sent(s(30));
        learner.received(s(31));
        assert!(!learner.died(Death::Silent, s(500)));
        assert_eq!(learner.silence(), s(90));
    }

    /// A connection that is silent from `now` on, and closed or reset after `silence`.
    fn ended_after(learner: &mut Learner, silence: u64, now: &mut Duration) -> bool {
        learner.begin(*now);
        learner.sent(*now);
        learner.received(*now);
        // QoS 0 is not answered.
        learner.sent(*now);
        *now += s(silence);
        learner.died(Death::Closed, *now)
    }

    /// A broker of MQTT 3.1.1 has no other way to refuse a packet.
    #[test]
    fn a_fin_that_answers_a_packet_proves_no_silence_wrong() {
        for (death, learns) in [(Death::Closed, false), (Death::Reset, true)] {
            let auto = KeepAlive::Auto {
                min: s(60),
                max: s(600),
                start: Some(s(400)),
            };
            let mut learner = Learner::new(auto).unwrap();
            learner.begin(s(0));
            learner.sent(s(0));
            learner.received(s(0));
            learner.sent(s(300));
            assert_eq!(learner.died(death, s(301)), learns);
            assert_eq!(learner.proven() < s(400), learns);
        }
    }

    #[test]
    fn an_end_in_a_silence_that_is_not_proven_is_a_failure() {
        let (mut learner, mut now) = (learner(100, 600), s(0));
        assert_eq!(learner.silence(), s(150));
        assert!(!ended_after(&mut learner, 105, &mut now));
        assert_eq!(learner.silence(), s(100));
    }

    #[test]
    fn an_end_in_a_silence_that_is_proven_is_a_failure_when_it_repeats() {
        let auto = KeepAlive::Auto {
            min: s(60),
            max: s(600),
            start: Some(s(400)),
        };
        let (mut learner, mut now) = (Learner::new(auto).unwrap(), s(0));
        for restart in [100, 200, 150, 10, 10] {
            assert!(!ended_after(&mut learner, restart, &mut now));
        }
        assert_eq!(learner.silence(), s(600));
        assert!(!ended_after(&mut learner, 180, &mut now));
        assert!(ended_after(&mut learner, 181, &mut now));
        assert_eq!(learner.silence(), s(90));
    }

    #[test]
    fn any_traffic_after_a_silence_proves_it() {
        let mut learner = learner(60, 600);
        learner.begin(s(0));
        learner.sent(s(0));
        learner.received(s(0));
        learner.sent(s(200));
        assert_eq!(learner.proven(), s(60));
        assert!(learner.received(s(201)));
        assert_eq!(learner.proven(), s(200));
    }

    #[test]
    fn it_goes_no_further_than_was_announced() {
        let mut learner = learner(60, 3_600);
        let announced = learner.begin(s(0));
        assert_eq!(announced, s(360));
        let mut now = s(0);
        learner.sent(now);
        learner.received(now);
        for _ in 0..10 {
            let silence = learner.silence();
            assert!(silence <= announced);
            now += silence;
            learner.sent(now);
            learner.received(now);
        }
        assert_eq!(learner.silence(), announced);
        assert!(learner.wants_room());
        assert!(learner.begin(now) > announced);
    }

    #[test]
    fn what_an_earlier_life_learnt_is_the_start() {
        let auto = |start| KeepAlive::Auto {
            min: s(60),
            max: s(600),
            start,
        };
        for (start, proven) in [
            (None, 60),
            (Some(s(240)), 240),
            (Some(s(5)), 60),
            (Some(s(9_999)), 600),
        ] {
            assert_eq!(Learner::new(auto(start)).unwrap().proven(), s(proven));
        }
        assert!(Learner::new(KeepAlive::Fixed).is_none());
    }

    #[test]
    fn limits_that_do_not_fit_are_refused() {
        let auto = |min, max| KeepAlive::Auto {
            min: s(min),
            max: s(max),
            start: None,
        };
        assert!(KeepAlive::AUTO.is_valid() && KeepAlive::Fixed.is_valid());
        assert!(auto(10, 65_535).is_valid());
        assert!(!auto(9, 60).is_valid());
        assert!(!auto(61, 60).is_valid());
        assert!(!auto(60, 65_536).is_valid());
    }
}
