//! The time: asked of a [`TimeSource`] before the first connection with TLS, where the platform does
//! not know it.
use super::{Client, State};
use crate::action::Action;
use crate::error::Cause;
use crate::event::{Event, Reached};
use crate::time::search::SntpSearch;
use crate::time::source::{Datagram, TimeSource, Told};
use crate::time::{TimeConfig, TimeError, TimePolicy};
use alloc::boxed::Box;
use core::mem;
use core::time::Duration;
use rand_core::Rng;

/// How long a client that can do without connects without asking again when no server has answered:
/// where a firewall drops the questions, each reconnect would take the whole deadline longer.
const PAUSE_IN_VAIN: Duration = Duration::from_secs(600);

/// Where the time comes from, and what follows if it does not come.
#[derive(Debug)]
pub(super) struct Timing {
    source: Box<SntpSearch>,
    policy: TimePolicy,
    refresh: Duration,
    /// The last search was in vain.
    failed: Option<(TimeError, Duration)>,
    /// Why the time is unknown, as the application was told.
    told: Option<TimeError>,
}

impl Timing {
    pub(super) fn new(config: TimeConfig) -> Self {
        Self {
            policy: config.policy,
            refresh: config.refresh,
            source: Box::new(SntpSearch::new(config)),
            failed: None,
            told: None,
        }
    }

    /// The age at which a time told by a server is asked for anew.
    pub(super) fn refresh(&self) -> Duration {
        self.refresh
    }

    pub(super) fn source(&mut self) -> &mut impl TimeSource {
        &mut *self.source
    }

    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        self.source.poll_timeout()
    }
}

impl Client {
    /// Begins to ask, unless it was in vain a moment ago.
    pub(super) fn learn_time(&mut self, now: Duration) {
        if let Some((error, at)) = &self.timing.failed {
            if self.can_do_without(now) && now.saturating_sub(*at) < PAUSE_IN_VAIN {
                let error = error.clone();
                return self.go_without_time(error, now);
            }
        }
        self.state = State::Timing;
        self.timing.source.start(self.clock.floor(), now);
        self.advance_time(now);
    }

    /// Does what the source of time asks for, as far as it needs no socket.
    pub(super) fn advance_time(&mut self, now: Duration) {
        while let State::Timing = self.state {
            if let Some(outcome) = self.timing.source.poll_outcome() {
                return self.take_time(outcome, now);
            }
            let Some((host, latest)) = self.timing.source.poll_lookup() else {
                return;
            };
            self.resolver.set_patient(false);
            self.look_up(host, now, latest);
        }
    }

    /// The datagram with the question, when it is due.
    pub(super) fn ask_time(&mut self, rng: &mut dyn Rng) -> Option<Action> {
        let Datagram {
            from_port,
            to,
            payload,
        } = self.timing.source.poll_transmit(rng)?;
        Some(Action::UdpSend {
            from_port,
            to,
            payload,
        })
    }

    /// The search has ended.
    fn take_time(&mut self, outcome: Result<Told, TimeError>, now: Duration) {
        match outcome {
            Ok(Told { seconds, server }) => {
                self.clock.synchronise(seconds, now);
                self.timing.failed = None;
                self.timing.told = None;
                self.reached(Reached::Time(seconds, server));
                self.resolve(now);
            }
            Err(error) => {
                self.timing.failed = Some((error.clone(), now));
                if self.can_do_without(now) {
                    self.go_without_time(error, now);
                } else {
                    let cause = Cause::Time(error);
                    self.fail(cause.resolving_stage(), cause, now);
                }
            }
        }
    }

    /// Whether there is an older time, or none is needed.
    fn can_do_without(&self, now: Duration) -> bool {
        self.timing.policy == TimePolicy::Lenient || self.clock.unix_seconds(now).is_some()
    }

    /// Goes on with an older time, or with the floor, which is told unless it was already.
    fn go_without_time(&mut self, why: TimeError, now: Duration) {
        let told = self.timing.told.as_ref().map(mem::discriminant);
        if self.clock.unix_seconds(now).is_none() && told != Some(mem::discriminant(&why)) {
            self.timing.told = Some(why.clone());
            let floor = self.clock.floor();
            self.tell(Event::TimeUnknown { why, floor });
        }
        self.resolve(now);
    }

    /// Drops what is asked, of the resolver or of the source of time.
    pub(super) fn end_search(&mut self) {
        self.resolver.cancel();
        self.timing.source.cancel();
    }
}
