//! The time: queried from a [`TimeSource`] before the first TLS connection, if the platform does
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

/// How long to connect without querying again after no server answered, if the time is not
/// required. Otherwise, where a firewall drops the queries, each reconnect would take the whole
/// deadline longer.
const PAUSE_IN_VAIN: Duration = Duration::from_secs(600);

/// The source of the time, and what to do if it fails.
#[derive(Debug)]
pub(super) struct Timing {
    source: Box<SntpSearch>,
    policy: TimePolicy,
    refresh: Duration,
    /// The last search failed.
    failed: Option<(TimeError, Duration)>,
    /// Why the time is unknown, as reported to the application.
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

    /// Returns the age at which a server's time is queried again.
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
    /// Starts a search, unless one failed a moment ago.
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

    /// Handles the outputs of the source that need no socket.
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

    /// Returns the query datagram when it is due.
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

    /// Handles the end of the search.
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

    /// Returns whether an older time is available, or none is required.
    fn can_do_without(&self, now: Duration) -> bool {
        self.timing.policy == TimePolicy::Lenient || self.clock.unix_seconds(now).is_some()
    }

    /// Continues with an older time, or with the floor, and reports that unless it was already
    /// reported.
    fn go_without_time(&mut self, why: TimeError, now: Duration) {
        let told = self.timing.told.as_ref().map(mem::discriminant);
        if self.clock.unix_seconds(now).is_none() && told != Some(mem::discriminant(&why)) {
            self.timing.told = Some(why.clone());
            let floor = self.clock.floor();
            self.tell(Event::TimeUnknown { why, floor });
        }
        self.resolve(now);
    }

    /// Drops the current query of the resolver or of the source of time.
    pub(super) fn end_search(&mut self) {
        self.resolver.cancel();
        self.timing.source.cancel();
    }
}
