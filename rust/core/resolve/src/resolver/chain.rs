//! Walking the chain: which source is next, for how long, and what its answer means.

use super::discover::{self, Discovery};
use super::exchange::{Exchange, Heard, Times, Unheard};
use super::order::{Addresses, Place};
use super::{
    AddressSource, Candidate, Failure, Family, HandedOut, LookupError, MAX_SERVERS, Origin, Output,
    Report, Resolver, later, times,
};
use crate::dns::{Name, RecordType};
use crate::uri::Host;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV6};
use core::time::Duration;

const DNS_PORT: u16 = 53;

/// A resolution in progress.
#[derive(Debug)]
pub(super) struct Walk {
    host: Host,
    began: Duration,
    deadline: Duration,
    /// Remaining tasks, the next one last.
    agenda: Vec<Task>,
    step: Step,
    failures: Vec<Failure>,
    discovery: Option<Failure>,
    /// A half of the answer was not waited for.
    was_settled: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Task {
    /// Find the network's prefix (RFC 7050).
    Discover,
    /// Search the cache.
    Recall,
    /// Query a source.
    Ask(AddressSource),
}

#[derive(Debug)]
enum Step {
    /// Not waiting.
    Idle,
    /// Waiting for a server.
    Server(Box<ServerStep>),
    /// Waiting for the platform.
    Platform { began: Duration, until: Duration },
}

#[derive(Debug)]
struct ServerStep {
    task: Task,
    exchange: Exchange,
    /// Remaining servers of the source.
    rest: Vec<SocketAddrV6>,
    patience: Duration,
}

/// What the platform is to resolve, and whether it was asked yet.
#[derive(Debug)]
pub(super) struct PlatformQuestion {
    pub(super) name: String,
    pub(super) asked: bool,
}

impl Walk {
    pub(super) fn poll_transmit(&mut self, rng: &mut dyn rand_core::Rng) -> Option<Output> {
        match &mut self.step {
            Step::Server(step) => step.exchange.poll_transmit(rng),
            Step::Idle | Step::Platform { .. } => None,
        }
    }

    pub(super) fn exchange(&self) -> Option<&Exchange> {
        match &self.step {
            Step::Server(step) => Some(&step.exchange),
            Step::Idle | Step::Platform { .. } => None,
        }
    }

    pub(super) fn exchange_mut(&mut self) -> Option<&mut Exchange> {
        match &mut self.step {
            Step::Server(step) => Some(&mut step.exchange),
            Step::Idle | Step::Platform { .. } => None,
        }
    }

    pub(super) fn next_timeout(&self) -> Duration {
        match &self.step {
            Step::Idle => self.deadline,
            Step::Server(step) => step.exchange.next_timeout(),
            Step::Platform { until, .. } => *until,
        }
    }

    fn name(&self) -> Option<&str> {
        match &self.host {
            Host::Name(name) => Some(name),
            Host::Ipv4(_) | Host::Ipv6(_) => None,
        }
    }

    fn fail(
        &mut self,
        source: AddressSource,
        server: Option<SocketAddrV6>,
        error: LookupError,
        after: Duration,
    ) {
        self.failures.push(Failure {
            source,
            server,
            error,
            after,
        });
    }

    /// Returns a fair share of the remaining time: the same for each remaining source.
    fn share(&self, now: Duration) -> Duration {
        let others = self
            .agenda
            .iter()
            .filter(|task| **task != Task::Recall)
            .count();
        let sharers = u32::try_from(others + 1).unwrap_or(u32::MAX);
        self.deadline.saturating_sub(now) / sharers
    }
}

impl Resolver {
    pub(super) fn begin(&mut self, host: &Host, now: Duration, latest: Duration) {
        let deadline = later(now, self.config.deadline).min(latest);
        self.set_out(host.clone(), now, deadline);
    }

    /// Starts over after a change of the network, which may have made earlier queries futile.
    pub(super) fn begin_again(&mut self, now: Duration) {
        if let Some(walk) = self.drop_walk() {
            self.set_out(walk.host, walk.began, walk.deadline);
            self.advance(now);
        }
    }

    fn set_out(&mut self, host: Host, began: Duration, deadline: Duration) {
        let mut agenda = Vec::new();
        match host {
            Host::Ipv4(address) => agenda.push(Task::Ask(AddressSource::Literal(address.into()))),
            Host::Ipv6(address) => agenda.push(Task::Ask(AddressSource::Literal(address.into()))),
            Host::Name(_) => {
                for source in self.config.chain.iter().rev() {
                    agenda.push(Task::Ask(*source));
                }
                agenda.push(Task::Recall);
            }
        }
        if self.needs_discovery(&host, began) {
            agenda.push(Task::Discover);
        }
        let (failures, discovery) = (Vec::new(), None);
        self.walk = Some(Walk {
            host,
            began,
            deadline,
            agenda,
            step: Step::Idle,
            failures,
            discovery,
            was_settled: false,
        });
    }

    fn needs_discovery(&self, host: &Host, now: Duration) -> bool {
        self.config.discover_prefix
            && self.network.prefixes.is_empty()
            && !self.network.native_ipv4
            && !self.network.dns_servers.is_empty()
            && !matches!(host, Host::Ipv6(_))
            && now >= self.discovery.due
    }

    /// Ends a resolution without a report, and has its sockets closed.
    pub(super) fn drop_walk(&mut self) -> Option<Walk> {
        self.platform.take_if(|question| !question.asked);
        let walk = self.walk.take()?;
        if let Some(exchange) = walk.exchange() {
            self.leave(exchange);
        }
        Some(walk)
    }

    /// Has the sockets of an exchange closed.
    fn leave(&mut self, exchange: &Exchange) {
        self.close_udp |= exchange.used_ports();
        self.close_tcp |= exchange.has_tcp_to_close();
    }

    /// Proceeds as far as possible without waiting.
    pub(super) fn advance(&mut self, now: Duration) {
        while let Some(walk) = self.walk.as_mut() {
            match &mut walk.step {
                Step::Idle => self.next_task(now),
                Step::Platform { began, until } => {
                    if now < *until {
                        return;
                    }
                    let after = now.saturating_sub(*began);
                    walk.step = Step::Idle;
                    walk.fail(AddressSource::Platform, None, LookupError::Timeout, after);
                }
                Step::Server(step) => {
                    step.exchange.handle_timeout(now);
                    let Some(outcome) = step.exchange.outcome(now) else {
                        return;
                    };
                    let Step::Server(step) = core::mem::replace(&mut walk.step, Step::Idle) else {
                        return;
                    };
                    self.leave(&step.exchange);
                    match step.task {
                        Task::Ask(source) => self.source_answered(source, step, outcome, now),
                        Task::Discover | Task::Recall => {
                            self.discovery_answered(step, outcome, now)
                        }
                    }
                }
            }
        }
    }

    /// Limits the wait for the other half, once one half of the answer is usable.
    pub(super) fn settle(&mut self, now: Duration) {
        let exchange = self.walk.as_ref().and_then(Walk::exchange);
        let exchange = exchange.filter(|_| !self.patient);
        let Some(mut half) = exchange.and_then(Exchange::half).cloned() else {
            return;
        };
        half.separate(&self.prefixes());
        let is_usable = self.candidates(&half, AddressSource::BorderRouter).is_ok();
        let exchange = self.walk.as_mut().and_then(Walk::exchange_mut);
        if let (Some(exchange), true) = (exchange, is_usable) {
            exchange.settle(later(now, self.config.resolution_delay));
        }
    }

    fn next_task(&mut self, now: Duration) {
        let Some(walk) = self.walk.as_mut() else {
            return;
        };
        let Some(task) = walk.agenda.pop() else {
            return self.conclude(None, None, Vec::new(), false, now);
        };
        match task {
            Task::Recall => self.recall(now),
            // A literal needs no query, so it is never too late for it.
            Task::Ask(AddressSource::Literal(address)) => self.take_literal(address, now),
            Task::Ask(source) if now >= walk.deadline => self.fail(source, LookupError::Deadline),
            Task::Ask(source) => self.ask(source, now),
            Task::Discover => {
                let servers = self.network.dns_servers.clone();
                self.ask_servers(Task::Discover, servers, now);
            }
        }
    }

    /// Uses the cache instead of the chain, if possible.
    fn recall(&mut self, now: Duration) {
        let name = self.walk.as_ref().and_then(Walk::name);
        let known = name.and_then(|name| self.cache.addresses(name, self.config.family, now));
        let Some((addresses, source, server)) = known else {
            return;
        };
        if let Ok(candidates) = self.candidates(addresses, source) {
            self.conclude(Some(source), server, candidates, true, now);
        }
    }

    fn take_literal(&mut self, address: IpAddr, now: Duration) {
        // A literal is not converted: an IPv6 address inside a prefix stays as written.
        let addresses = match address.to_canonical() {
            IpAddr::V4(ipv4) => Addresses {
                ipv4: vec![ipv4],
                ipv6: Vec::new(),
            },
            IpAddr::V6(ipv6) => Addresses {
                ipv4: Vec::new(),
                ipv6: vec![ipv6],
            },
        };
        let source = AddressSource::Literal(address);
        self.finish_source(source, None, &addresses, Duration::ZERO, now);
    }

    fn ask(&mut self, source: AddressSource, now: Duration) {
        let name = self.walk.as_ref().and_then(Walk::name);
        let known = name.and_then(|name| self.cache.failure(name, self.config.family, source, now));
        if let Some(error) = known {
            return self.fail(source, error);
        }
        match source {
            AddressSource::Platform => self.ask_platform(now),
            AddressSource::Literal(address) => self.take_literal(address, now),
            AddressSource::Server(server) => self.ask_servers(Task::Ask(source), vec![server], now),
            AddressSource::BorderRouter if self.network.dns_servers.is_empty() => {
                self.fail(source, LookupError::NoServer)
            }
            AddressSource::BorderRouter => {
                self.ask_servers(Task::Ask(source), self.network.dns_servers.clone(), now)
            }
            AddressSource::Public(_) if name.is_some_and(is_local) => {
                self.fail(source, LookupError::LocalName)
            }
            AddressSource::Public(server) => match self.reach(server) {
                ways if ways.is_empty() => self.fail(source, LookupError::NoPrefix),
                ways => self.ask_servers(Task::Ask(source), ways, now),
            },
        }
    }

    /// Notes a source that failed without being queried.
    fn fail(&mut self, source: AddressSource, error: LookupError) {
        if let Some(walk) = self.walk.as_mut() {
            walk.fail(source, None, error, Duration::ZERO);
        }
    }

    /// Returns the ways to reach an IPv4 server.
    fn reach(&self, server: Ipv4Addr) -> Vec<SocketAddrV6> {
        let at = |address: Ipv6Addr| SocketAddrV6::new(address, DNS_PORT, 0, 0);
        if self.network.native_ipv4 {
            return vec![at(server.to_ipv6_mapped())];
        }
        self.prefixes()
            .iter()
            .map(|usable| at(usable.prefix.embed(server)))
            .collect()
    }

    fn ask_platform(&mut self, now: Duration) {
        let patience = times(self.attempts(), self.config.attempt_timeout);
        let Some(walk) = self.walk.as_mut() else {
            return;
        };
        let Some(name) = walk.name() else {
            return;
        };
        let question = self.platform.get_or_insert_with(|| PlatformQuestion {
            name: name.into(),
            asked: false,
        });
        if question.name != name {
            return walk.fail(
                AddressSource::Platform,
                None,
                LookupError::PlatformBusy,
                Duration::ZERO,
            );
        }
        let patience = patience.min(walk.share(now));
        walk.step = Step::Platform {
            began: now,
            until: later(now, patience),
        };
    }

    /// Divides the source's time among its servers and attempts.
    fn ask_servers(&mut self, task: Task, mut servers: Vec<SocketAddrV6>, now: Duration) {
        servers.truncate(MAX_SERVERS);
        servers.reverse();
        let sendings = self.sendings() * servers.len().max(1) as u32;
        let Some(walk) = self.walk.as_mut() else {
            return;
        };
        let patience = self.config.attempt_timeout.min(walk.share(now) / sendings);
        self.ask_next_server(task, servers, patience, now);
    }

    /// Queries the last of `servers`, if there is one.
    fn ask_next_server(
        &mut self,
        task: Task,
        mut servers: Vec<SocketAddrV6>,
        patience: Duration,
        now: Duration,
    ) {
        let attempts = self.attempts();
        let (Some(walk), Some(server)) = (self.walk.as_mut(), servers.pop()) else {
            return;
        };
        let (name, record_types): (_, &[RecordType]) = match (task, self.config.family) {
            (Task::Discover, _) => (Some(discover::NAME), &[RecordType::Aaaa]),
            (_, Family::Unspecified) => (walk.name(), &[RecordType::A, RecordType::Aaaa]),
            (_, Family::Inet) => (walk.name(), &[RecordType::A]),
            (_, Family::Inet6) => (walk.name(), &[RecordType::Aaaa]),
        };
        let name = name.and_then(Name::new);
        let (Some(name), true) = (&name, now < walk.deadline) else {
            if let Task::Ask(source) = task {
                let error = match name {
                    Some(_) => LookupError::Deadline,
                    None => LookupError::InvalidName,
                };
                walk.fail(source, Some(server), error, Duration::ZERO);
            }
            return;
        };
        let times = Times {
            now,
            patience,
            ends_at: later(now, times(attempts, patience)).min(walk.deadline),
            deadline: walk.deadline,
        };
        let exchange = Exchange::new(server, name, record_types, times, self.config.tcp);
        walk.step = Step::Server(Box::new(ServerStep {
            task,
            exchange,
            rest: servers,
            patience,
        }));
    }

    fn attempts(&self) -> u32 {
        self.config.attempts.max(1).into()
    }

    /// Returns how often a server is queried: by datagram and, if configured, once over TCP.
    fn sendings(&self) -> u32 {
        self.attempts() + u32::from(self.config.tcp)
    }

    fn source_answered(
        &mut self,
        source: AddressSource,
        step: Box<ServerStep>,
        outcome: Result<Heard, Unheard>,
        now: Duration,
    ) {
        let Some(walk) = self.walk.as_mut() else {
            return;
        };
        let server = step.exchange.server;
        let after = now.saturating_sub(step.exchange.began);
        match outcome {
            Ok(mut heard) => {
                walk.was_settled = heard.was_settled;
                heard.addresses.separate(&self.prefixes());
                if let Some(name) = self.walk.as_ref().and_then(Walk::name) {
                    let key = (name, self.config.family, source);
                    self.cache.keep_addresses(
                        key,
                        &heard.addresses,
                        server,
                        (heard.ttl, heard.half_missing),
                        now,
                    );
                }
                self.finish_source(source, Some(server), &heard.addresses, after, now);
            }
            Err(Unheard { error, ttl }) => {
                walk.fail(source, Some(server), error, after);
                match (error.is_negative(), ttl, walk.name()) {
                    (true, Some(ttl), Some(name)) => {
                        self.cache
                            .keep_failure((name, self.config.family, source), error, ttl, now)
                    }
                    // A denial has an SOA record (RFC 2308 section 2.1), except from OpenThread's
                    // border router while it has no upstream server. Another server may have one.
                    _ => self.ask_next_server(step.task, step.rest, step.patience, now),
                }
            }
        }
    }

    /// Handles a source's addresses, which may still not be usable.
    fn finish_source(
        &mut self,
        source: AddressSource,
        server: Option<SocketAddrV6>,
        addresses: &Addresses,
        after: Duration,
        now: Duration,
    ) {
        match self.candidates(addresses, source) {
            Ok(candidates) => self.conclude(Some(source), server, candidates, false, now),
            Err(error) => {
                if let Some(walk) = self.walk.as_mut() {
                    walk.fail(source, server, error, after);
                }
            }
        }
    }

    fn discovery_answered(
        &mut self,
        step: Box<ServerStep>,
        outcome: Result<Heard, Unheard>,
        now: Duration,
    ) {
        let limits = self.config.cache;
        let (found, error, ttl) = match outcome {
            Ok(heard) => {
                let found = discover::prefixes_in(&heard.addresses.ipv6);
                let error = found.is_empty().then_some(LookupError::NoPrefixFound);
                let ttl = if found.is_empty() { 0 } else { heard.ttl };
                (Some(found), error, ttl)
            }
            Err(Unheard { error, .. }) if error.is_negative() => {
                (Some(Vec::new()), Some(LookupError::NoPrefixFound), 0)
            }
            Err(Unheard { error, .. }) => (None, Some(error), 0),
        };
        let after = now.saturating_sub(step.exchange.began);
        if let Some(walk) = self.walk.as_mut() {
            let (source, server) = (AddressSource::BorderRouter, Some(step.exchange.server));
            walk.discovery = error.map(|error| Failure {
                source,
                server,
                error,
                after,
            });
        }
        let prefixes = match found {
            // The next server may have DNS64.
            Some(prefixes) if !prefixes.is_empty() || step.rest.is_empty() => prefixes,
            // A prefix found earlier outlives a server that is silent now.
            _ => {
                self.discovery.due = later(now, limits.max_negative_ttl);
                self.ask_next_server(Task::Discover, step.rest, step.patience, now);
                return;
            }
        };
        // At most one query in the time that a failure is cached.
        let lifetime = Duration::from_secs(ttl.into())
            .min(limits.max_ttl)
            .max(limits.max_negative_ttl);
        self.discovery = Discovery {
            prefixes,
            due: later(now, lifetime),
            earliest: later(now, limits.max_negative_ttl),
        };
        self.cache.separate(&self.prefixes());
    }

    pub(super) fn platform_answered(
        &mut self,
        question: &PlatformQuestion,
        answer: Result<Vec<IpAddr>, LookupError>,
        now: Duration,
    ) {
        let Some(walk) = self.walk.as_mut() else {
            return;
        };
        if walk.name() != Some(question.name.as_str()) {
            return;
        }
        let after = match walk.step {
            Step::Platform { began, .. } => {
                walk.step = Step::Idle;
                Some(now.saturating_sub(began))
            }
            // Its time is up and its failure noted; only addresses matter now.
            Step::Idle | Step::Server(_) => None,
        };
        let mut addresses = Addresses::default();
        let error = match answer {
            Err(error) => Some(error),
            Ok(answer) if answer.is_empty() => Some(LookupError::NoData),
            Ok(answer) => {
                let unusable = addresses.add_all(answer);
                addresses.keep(self.config.family);
                unusable.or(addresses.is_empty().then_some(LookupError::NoData))
            }
        };
        match (error, after) {
            (None, after) => {
                addresses.separate(&self.prefixes());
                let source = AddressSource::Platform;
                if after.is_some() || self.candidates(&addresses, source).is_ok() {
                    let after = after.unwrap_or_default();
                    self.finish_source(source, None, &addresses, after, now);
                }
            }
            (Some(error), Some(after)) => walk.fail(AddressSource::Platform, None, error, after),
            (Some(_), None) => {}
        }
        self.advance(now);
    }

    /// Returns the candidates among the addresses of a source, at least one.
    fn candidates(
        &self,
        addresses: &Addresses,
        source: AddressSource,
    ) -> Result<Vec<Candidate>, LookupError> {
        let name = self.walk.as_ref().and_then(Walk::name);
        let place = Place {
            network: &self.network,
            is_literal: matches!(source, AddressSource::Literal(_)),
            // RFC 6761 section 6.3.
            loopback: self.config.loopback
                || self.network.native_ipv4
                || name.is_some_and(|name| is_in(name, "localhost")),
        };
        let prefixes = self.prefixes();
        let part = (self.skip, self.limit());
        let candidates = addresses.candidates(&prefixes, &place, self.config.policy, part);
        match candidates.is_empty() {
            true => Err(addresses.refusal(&prefixes, &place)),
            false => Ok(candidates),
        }
    }

    fn conclude(
        &mut self,
        answered_by: Option<AddressSource>,
        server: Option<SocketAddrV6>,
        candidates: Vec<Candidate>,
        cached: bool,
        now: Duration,
    ) {
        let Some(walk) = self.drop_walk() else { return };
        let mut handed_out = HandedOut {
            prefixes: Vec::new(),
            mapped: false,
            failed: candidates.is_empty(),
        };
        for candidate in &candidates {
            match candidate.origin {
                Origin::Synthesised { prefix, .. } if !handed_out.prefixes.contains(&prefix) => {
                    handed_out.prefixes.push(prefix);
                }
                Origin::Mapped(_) => handed_out.mapped = true,
                Origin::Synthesised { .. } | Origin::Native => {}
            }
        }
        self.handed_out = Some(handed_out);
        self.report = Some(Report {
            candidates,
            answered_by,
            server,
            cached,
            half_missing: walk.was_settled,
            failures: walk.failures,
            prefixes: self.prefixes(),
            discovery: walk.discovery,
            elapsed: now.saturating_sub(walk.began),
        });
    }
}

/// Returns whether a name is meaningful only in the local network: mDNS (RFC 6762), RFC 6761, RFC
/// 8375, Thread's service registrations (RFC 9665) and the private-use domain reserved by ICANN.
fn is_local(name: &str) -> bool {
    const DOMAINS: [&str; 5] = [
        "local",
        "localhost",
        "home.arpa",
        "service.arpa",
        "internal",
    ];
    DOMAINS.iter().any(|domain| is_in(name, domain))
}

/// Returns whether a name is this domain or inside it.
fn is_in(name: &str, domain: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let front = name.strip_suffix(domain);
    front.is_some_and(|front| front.is_empty() || front.ends_with('.'))
}
