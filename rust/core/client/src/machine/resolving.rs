//! Resolving names: the broker's, and those of time servers.
use super::{Client, State};
use crate::error::Cause;
use crate::event::Reached;
use crate::time::source::TimeSource;
use alloc::boxed::Box;
use core::mem;
use core::time::Duration;
use thread_mqtt_resolve::Host;
use thread_mqtt_resolve::prefix::UsablePrefix;
use thread_mqtt_resolve::resolver::Origin;

impl Client {
    /// Resolves the broker's name.
    pub(super) fn resolve(&mut self, now: Duration) {
        // The address that works may be in the half of the answer that arrives late.
        let patient = self.targets.current().addresses.lack_a_good_one();
        self.resolve_patiently(patient, now);
    }

    /// Like [`resolve`](Self::resolve); `patient` waits for both halves of the answer.
    pub(super) fn resolve_patiently(&mut self, patient: bool, now: Duration) {
        if let State::Timing = mem::replace(&mut self.state, State::Resolving) {
            self.end_search();
        }
        self.resolver.set_patient(patient);
        self.look_up(self.targets.uri().host.clone(), now, Duration::MAX);
    }

    /// Starts the resolver, and announces the prefix it starts with. The report is due at `latest`.
    pub(super) fn look_up(&mut self, host: Host, now: Duration, latest: Duration) {
        self.resolver.start_until(&host, &self.network, now, latest);
        if !self.network.native_ipv4 && !matches!(host, Host::Ipv6(_)) {
            let first = self.resolver.prefixes().first().copied();
            self.announce_prefix(first);
        }
        self.take_report(now);
    }

    /// Continues once the resolver has finished.
    pub(super) fn take_report(&mut self, now: Duration) {
        if !matches!(self.state, State::Resolving | State::Timing) {
            return;
        }
        let Some(report) = self.resolver.poll_report() else {
            return;
        };
        if let State::Timing = self.state {
            self.timing.source().handle_report(report, now);
            return self.advance_time(now);
        }
        self.half_missing = report.half_missing;
        let report = Box::new(report);
        let addresses = &self.targets.current().addresses;
        let order = addresses.order(&report, &self.network);
        if order.is_empty() {
            let cause = Cause::Resolve(report);
            self.fail(cause.resolving_stage(), cause, now);
            return;
        }
        let first = order.iter().find_map(|candidate| match candidate.origin {
            Origin::Synthesised { prefix, source, .. } => Some(UsablePrefix { prefix, source }),
            _ => None,
        });
        self.announce_prefix(first);
        self.reached(Reached::Resolved(report));
        self.connect_in_turn(&order, now);
    }

    /// Announces the prefix that will be tried first, once per attempt.
    fn announce_prefix(&mut self, first: Option<UsablePrefix>) {
        if let Some(first) = first.filter(|_| !self.announced_prefix) {
            self.announced_prefix = true;
            self.reached(Reached::Prefix(first.prefix, first.source));
        }
    }
}
