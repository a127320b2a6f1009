//! The running timers.
use core::time::Duration;

/// What a timer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alarm {
    /// [`Timers::tcp_connect`](crate::Timers::tcp_connect) has elapsed.
    TcpConnect,
    /// [`Timers::tls_handshake`](crate::Timers::tls_handshake) has elapsed.
    TlsHandshake,
    /// [`Timers::close`](crate::Timers::close) has elapsed.
    Close,
    /// The pause after a failure has ended.
    Backoff,
    /// A preferred broker is due to be tried again.
    Return,
}

const COUNT: usize = Alarm::Return as usize + 1;
const ALL: [Alarm; COUNT] = [
    Alarm::TcpConnect,
    Alarm::TlsHandshake,
    Alarm::Close,
    Alarm::Backoff,
    Alarm::Return,
];

/// The running timers, at most one of each kind.
#[derive(Debug, Default)]
pub(crate) struct Alarms {
    due: [Option<Duration>; COUNT],
}

impl Alarms {
    /// Starts or restarts a timer.
    pub(crate) fn set(&mut self, alarm: Alarm, due: Duration) {
        self.due[alarm as usize] = Some(due);
    }

    /// Like [`set`](Self::set), with a delay from now.
    #[inline(never)]
    pub(crate) fn start(&mut self, alarm: Alarm, now: Duration, length: Duration) {
        self.set(alarm, later(now, length));
    }

    /// Stops a timer.
    pub(crate) fn cancel(&mut self, alarm: Alarm) {
        self.due[alarm as usize] = None;
    }

    /// Stops all timers.
    pub(crate) fn clear(&mut self) {
        self.due = [None; COUNT];
    }

    /// Returns when this timer fires, if it is running.
    pub(crate) fn due(&self, alarm: Alarm) -> Option<Duration> {
        self.due.get(alarm as usize).copied().flatten()
    }

    /// Returns when the next timer fires.
    pub(crate) fn next(&self) -> Option<Duration> {
        self.due.into_iter().fold(None, earliest)
    }

    /// Takes a timer that has fired.
    pub(crate) fn pop(&mut self, now: Duration) -> Option<Alarm> {
        let alarm = ALL
            .into_iter()
            .find(|alarm| is_due(self.due[*alarm as usize], now))?;
        self.cancel(alarm);
        Some(alarm)
    }
}

/// Returns whether a time has come.
#[inline(never)]
pub(crate) fn is_due(due: Option<Duration>, now: Duration) -> bool {
    due.is_some_and(|due| now >= due)
}

/// Adds `delay` to a time, saturating. In one place, because the arithmetic takes dozens of bytes.
#[inline(never)]
pub(crate) fn later(now: Duration, delay: Duration) -> Duration {
    now.saturating_add(delay)
}

/// Returns the earlier of two times.
#[inline(never)]
pub(crate) fn earliest(a: Option<Duration>, b: Option<Duration>) -> Option<Duration> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn fires_when_due_and_once() {
        let mut alarms = Alarms::default();
        alarms.set(Alarm::Close, s(5));
        alarms.set(Alarm::TcpConnect, s(3));
        assert_eq!(alarms.next(), Some(s(3)));
        assert_eq!(alarms.pop(s(2)), None);
        assert_eq!(alarms.pop(s(3)), Some(Alarm::TcpConnect));
        assert_eq!(alarms.pop(s(3)), None);
        assert_eq!(alarms.next(), Some(s(5)));
    }

    #[test]
    fn every_kind_has_its_own_place() {
        for (place, alarm) in ALL.into_iter().enumerate() {
            assert_eq!(place, alarm as usize);
            let mut alarms = Alarms::default();
            alarms.set(alarm, s(1));
            assert_eq!(alarms.pop(s(1)), Some(alarm));
        }
    }

    #[test]
    fn cancelled_does_not_fire() {
        let mut alarms = Alarms::default();
        alarms.set(Alarm::Return, s(1));
        alarms.set(Alarm::Backoff, s(1));
        alarms.cancel(Alarm::Return);
        assert_eq!(alarms.pop(s(9)), Some(Alarm::Backoff));
        alarms.set(Alarm::Backoff, s(1));
        alarms.clear();
        assert_eq!(alarms.next(), None);
    }
}
