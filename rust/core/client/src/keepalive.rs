//! The keep-alive, which can learn how long the path tolerates silence.
use core::mem;
use core::time::Duration;

/// Whether this build can learn it.
pub(crate) const LEARNS: bool = cfg!(feature = "keep-alive-auto");

/// How long a connection may be silent before a ping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeepAlive {
    /// As long as the session's [`keep_alive`](thread_mqtt_session::Config::keep_alive).
    #[default]
    Fixed,
    /// As long as the path tolerates, which the client finds out. Devices between client and broker
    /// (a NAT64 border router, a home router, a mobile network's firewall) drop the state of a
    /// silent connection after a time that they do not announce. Replaces the session's
    /// [`keep_alive`](thread_mqtt_session::Config::keep_alive).
    Auto {
        /// Shortest silence before a ping, and the first that is tried unless `start` is given.
        /// From 10 s to `max`.
        min: Duration,
        /// Longest silence, at most 65,535 s.
        max: Duration,
        /// The value learned before the reboot ([`Event::KeepAlive`](crate::Event::KeepAlive)).
        start: Option<Duration>,
    },
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Death {
    /// Nothing arrived any more.
    Silent,
    /// With a RST.
    Reset,
    /// With a FIN.
    Closed,
}

impl KeepAlive {
    /// `Auto` from 100 s to an hour. 100 s is below the two minutes after which OpenThread's NAT64
    /// may evict an idle mapping when it needs the entry.
    pub const AUTO: Self = Self::Auto {
        min: Duration::from_secs(100),
        max: Duration::from_secs(3_600),
        start: None,
    };

    /// Smallest useful value of `min`.
    const LEAST: Duration = Duration::from_secs(10);

    /// Returns whether the limits are consistent.
    pub(crate) fn is_valid(&self) -> bool {
        match self {
            Self::Fixed => true,
            Self::Auto { min, max, .. } => {
                *min >= Self::LEAST && min <= max && max.as_secs() <= u16::MAX.into()
            }
        }
    }
}

/// What is known about the path.
///
/// A silence is proven when the broker answers the packet that ends it. It has failed when the
/// connection turns out to be dead, or when the path closes it during the silence. The next trial
/// is one and a half times the proven silence, or midway between the proven and the failed one if
/// that is shorter. If the two are close, the proven one stays. After a failure the proven silence
/// is kept for a while before the next trial.
#[derive(Debug)]
pub(crate) struct Learner {
    min: Duration,
    max: Duration,
    proven: Duration,
    failed: Option<(Duration, Duration)>,
    /// Silences of the proven length before the next trial.
    hold: u8,
    /// The current connection: its longest allowed silence, the time of the last byte, and the
    /// silence not yet proven.
    announced: Duration,
    last: Option<Duration>,
    pending: Option<Duration>,
    /// The same silence as pings count it, from the last send: longer by the time the answer took.
    counts_from: Option<Duration>,
    waited: Duration,
    /// A silence as long as this connection allows was proven.
    full: bool,
    /// The silence that ended when the last connection was closed or reset.
    ended: Duration,
}

/// Silences of the proven length after a failed one.
const HOLD: u8 = 12;

const HALF: Duration = Duration::from_millis(500);

/// The announced keep-alive is this many times the next silence: the most that one connection can
/// learn. After that, a new connection begins with more room.
const ROOM: u32 = 4;

/// Silences that differ by no more than this are considered equal.
const SAME: Duration = Duration::from_secs(2);

/// Age at which a failure is disregarded: paths change.
const FORGET: Duration = Duration::from_secs(86_400);

impl Learner {
    /// Returns `None` for a fixed keep-alive.
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

    /// Returns the longest proven silence, which is worth keeping across a restart.
    pub(crate) fn proven(&self) -> Duration {
        self.proven
    }

    /// Returns the silence after which a ping is due.
    pub(crate) fn silence(&self) -> Duration {
        self.next().min(self.announced)
    }

    /// Returns whether the path tolerates all that this connection could announce, and perhaps
    /// more.
    pub(crate) fn wants_room(&self) -> bool {
        self.full && self.announced < self.max
    }

    fn next(&self) -> Duration {
        // Whole seconds, the unit of MQTT.
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

    /// Begins a connection. Returns the keep-alive to announce: with room to grow, but no longer
    /// than needed, because the broker publishes the will after one and a half times this.
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

    /// Notes that bytes were sent to the broker.
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

    /// Notes that bytes arrived from the broker. Returns whether a longer silence was proven.
    pub(crate) fn received(&mut self, now: Duration) -> bool {
        self.forget(now);
        let is_rest = self.last.replace(now) == Some(now);
        let Some(silence) = self.pending.take() else {
            // Not a reply to anything sent: the path was not silent.
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

    /// Notes the end of the connection. Returns whether the proven silence became shorter.
    pub(crate) fn died(&mut self, death: Death, now: Duration) -> bool {
        if death == Death::Closed {
            // It may be the reply to what was sent after the silence, so the silence was tolerated.
            self.pending = None;
        }
        let mut idle = None;
        if let (Some(last), Death::Closed | Death::Reset) = (self.last, death) {
            let silence = now.saturating_sub(last);
            let before = mem::replace(&mut self.ended, silence);
            // A restarting broker ends connections, too: the proven silence stays unless this
            // happens twice after the same silence.
            if silence > self.proven || silence.abs_diff(before) <= SAME {
                idle = Some(silence);
            }
        }
        let Some(silence) = self.pending.take().max(idle) else {
            return false;
        };
        // Too short a silence to be the cause.
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

    /// Simulates a path that drops a connection after `limit`, for this many silences. Returns how
    /// often the connection died.
    fn live(learner: &mut Learner, now: &mut Duration, limit: Duration, silences: usize) -> usize {
        let mut deaths = 0;
        let mut fresh = true;
        for n in 0..silences {
            // Connections also end for other reasons.
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
            // Once found, it stays, and costs hardly any more connections.
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
        // Nor does a time-out of a connection on which no answer was due.
        learner.begin(s(30));
        learner.sent(s(30));
        learner.received(s(31));
        assert!(!learner.died(Death::Silent, s(500)));
        assert_eq!(learner.silence(), s(90));
    }

    /// Closes or resets a connection after it was silent for `silence` from `now` on.
    fn ended_after(learner: &mut Learner, silence: u64, now: &mut Duration) -> bool {
        learner.begin(*now);
        learner.sent(*now);
        learner.received(*now);
        // QoS 0 is not acknowledged.
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
