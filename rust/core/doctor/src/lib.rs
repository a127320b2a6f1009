//! Walks through the stages from a device to its broker, reports what each one found, up to the
//! first that fails, and says what to do about it.
//!
//! ```text
//!  begin            follow                                   finish
//!  network ─▶ DNS, server by server ─▶ TCP ─▶ TLS ─▶ MQTT ─▶ what to do
//!  time                                        └─ certificates: names and dates
//! ```
//!
//! It only prints lines. The same code runs on a laptop (`thread-mqtt doctor`) and in the shell of
//! a device. It has no client of its own but watches a running one, because a device has memory for
//! one connection, and because a broker closes a client's first connection when a second one with
//! the same client identifier arrives:
//!
//! 1. [`Doctor::begin`], with the client idle: the doctor uses the port.
//! 2. The client is started. Pass its events to [`Doctor::follow`] until that returns a
//!    [`Verdict`].
//! 3. [`Doctor::finish`], which may use the port again.
//!
//! [`look_up`] runs a single resolution, [`show`] prints one.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

mod certificates;
mod resolve;

pub use resolve::{look_up, show};

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddrV6;
use core::time::Duration;
use thread_mqtt_client::{Cause, Client, Event, Reached, Stage, Utc};
use thread_mqtt_driver::{Interest, Port};
use thread_mqtt_resolve::resolver::{AddressSource, Config, Failure};
use thread_mqtt_resolve::{BrokerUri, Host, Scheme};
use thread_mqtt_tls::CertificateSummary;

/// Receives the findings.
pub trait Listener {
    /// Takes a line, without its line end. It may contain text that the broker chose.
    fn line(&mut self, line: fmt::Arguments<'_>);
    /// Returns whether the listener has gone. Checked in every wait.
    fn is_gone(&self) -> bool {
        self.time_left().is_some_and(|left| left.is_zero())
    }
    /// Returns how much longer it listens, which limits every wait. `None` means without limit.
    fn time_left(&self) -> Option<Duration> {
        None
    }
}

/// Returns when a wait must end that begins now and has a limit of its own.
fn wait_until(
    until: Option<Duration>,
    now: Duration,
    listener: &(impl Listener + ?Sized),
) -> Option<Duration> {
    let gone_at = listener.time_left().map(|left| now.saturating_add(left));
    match (until, gone_at) {
        (Some(until), Some(gone_at)) => Some(until.min(gone_at)),
        (until, gone_at) => until.or(gone_at),
    }
}

impl<F: FnMut(fmt::Arguments<'_>)> Listener for F {
    fn line(&mut self, line: fmt::Arguments<'_>) {
        self(line);
    }
}

/// What is examined: the configuration of the client.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The broker.
    pub broker: BrokerUri,
    /// How its name is resolved.
    pub resolver: Config,
    /// TLS, if it is used.
    pub tls: Option<thread_mqtt_tls::Config>,
    /// A time known to have passed, in Unix seconds, to check certificates with if there is no
    /// clock.
    pub time_floor: u64,
}

impl Subject {
    /// Returns the configuration of this client.
    pub fn of(client: &Client) -> Self {
        Self {
            broker: client.broker().clone(),
            resolver: client.resolver_config().clone(),
            tls: client.tls().cloned(),
            time_floor: client.time_floor(),
        }
    }
}

/// The result of the walk.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// Every stage was reached.
    Well,
    /// The first stage that failed, and why.
    Ill(Stage, Cause),
    /// The client was stopped, or the listener has gone.
    Abandoned,
}

/// Longest wait for the network, before the walk begins.
const ATTACH: Duration = Duration::from_secs(30);

/// An examination in progress. See the [crate documentation](crate).
pub struct Doctor<'a> {
    subject: Subject,
    listener: &'a mut dyn Listener,
    reached: Option<SocketAddrV6>,
    /// Sources of addresses that were queried, and those that failed.
    asked: usize,
    unanswered: usize,
    /// Addresses at which TCP failed.
    unreached: usize,
    /// The broker's certificates were shown.
    has_shown: bool,
    /// Advice given so far, which is not repeated.
    advised: Vec<&'static str>,
}

impl fmt::Debug for Doctor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doctor")
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}

impl<'a> Doctor<'a> {
    /// Creates a doctor that has not begun.
    pub fn new(subject: Subject, listener: &'a mut dyn Listener) -> Self {
        Self {
            subject,
            listener,
            reached: None,
            asked: 0,
            unanswered: 0,
            unreached: 0,
            has_shown: false,
            advised: Vec::new(),
        }
    }

    /// Returns whether the listener has gone.
    pub fn is_gone(&self) -> bool {
        self.listener.is_gone()
    }

    /// Returns how much longer it listens.
    pub fn time_left(&self) -> Option<Duration> {
        self.listener.time_left()
    }

    /// Reports a stage that is OK.
    pub fn ok(&mut self, what: &str, found: impl fmt::Display) {
        self.listener
            .line(format_args!("ok      {what:<12} {found}"));
    }

    /// Reports a stage that failed.
    pub fn failed(&mut self, what: &str, why: impl fmt::Display) {
        self.listener.line(format_args!("FAILED  {what:<12} {why}"));
    }

    /// Reports what was skipped, and why.
    pub fn skipped(&mut self, what: &str, why: impl fmt::Display) {
        self.listener.line(format_args!("skipped {what:<12} {why}"));
    }

    /// Reports what to do, unless that was reported before.
    fn advise(&mut self, cure: &'static str) {
        if !self.advised.contains(&cure) {
            self.advised.push(cure);
            self.note("", cure);
        }
    }

    /// Reports a detail.
    pub fn note(&mut self, what: &str, found: impl fmt::Display) {
        self.listener
            .line(format_args!("        {what:<12} {found}"));
    }

    /// Runs everything before the client starts. `network` describes the network once it is up. An
    /// error ends the examination.
    pub fn begin<P: Port>(
        &mut self,
        port: &mut P,
        network: impl FnOnce() -> String,
    ) -> Result<(), Verdict> {
        let broker = self.subject.broker.to_string();
        self.ok("broker", broker);
        self.await_network(port)?;
        self.ok("network", network());
        let network = port.network();
        for advertised in &network.prefixes {
            self.note("", format_args!("NAT64 prefix {}", advertised.prefix));
        }
        match self.subject.resolver.configured_prefix {
            Some(prefix) => self.note("", format_args!("NAT64 prefix {prefix}, configured")),
            None if network.prefixes.is_empty() && !network.native_ipv4 => {
                self.note("", "no NAT64 prefix in the network data");
            }
            None => {}
        }
        if self.subject.broker.scheme == Scheme::Mqtts {
            match port.unix_time() {
                Some(seconds) => self.ok("time", Utc(seconds)),
                None => {
                    let floor = Utc(self.subject.time_floor);
                    self.note("time", format_args!("unknown, but after {floor}"));
                }
            }
        }
        self.ask_every_server(port)
    }

    fn await_network<P: Port>(&mut self, port: &mut P) -> Result<(), Verdict> {
        let until = port.now() + ATTACH;
        while !port.network().attached {
            if self.listener.is_gone() {
                return Err(Verdict::Abandoned);
            }
            if port.now() >= until {
                let cause = Cause::NetworkLost;
                let stage = Stage::Attach;
                self.failed(&stage.to_string(), "the device is not attached");
                return Err(Verdict::Ill(stage, cause));
            }
            let until = wait_until(Some(until), port.now(), self.listener);
            port.wait(until, IDLE);
        }
        Ok(())
    }

    /// Queries each DNS server separately: the client stops at the first that answers.
    fn ask_every_server<P: Port>(&mut self, port: &mut P) -> Result<(), Verdict> {
        let host = self.subject.broker.host.clone();
        if !matches!(host, Host::Name(_)) {
            return Ok(());
        }
        let servers = port.network().dns_servers;
        let chain = self.subject.resolver.chain.clone();
        let each = chain.iter().flat_map(|source| match source {
            AddressSource::BorderRouter if !servers.is_empty() => servers
                .iter()
                .map(|server| AddressSource::Server(*server))
                .collect(),
            other => vec![*other],
        });
        for source in each {
            let alone = Config {
                chain: vec![source],
                ..self.subject.resolver.clone()
            };
            let report = look_up(&host, alone, port, self.listener).ok_or(Verdict::Abandoned)?;
            let unasked = |failure: &Failure| failure.error.is_unasked();
            match (report.answered_by, report.failures.as_slice()) {
                (Some(_), _) => {
                    self.asked += 1;
                    self.ok("DNS", &report);
                    continue;
                }
                (None, [only]) if unasked(only) => self.skipped("DNS", only),
                (None, failures) => {
                    self.asked += 1;
                    self.unanswered += 1;
                    for failure in report.discovery.iter().chain(failures) {
                        self.failed("DNS", failure);
                    }
                }
            }
            if let Some(cure) = report.cure() {
                self.advise(cure);
            }
        }
        Ok(())
    }

    /// Reports an event of the client. Returns the verdict, once.
    pub fn follow(&mut self, event: &Event, client: &Client) -> Option<Verdict> {
        match event {
            Event::Reached(Reached::Attached) => None,
            Event::Reached(found) => {
                self.ok(&found.stage().to_string(), found);
                match found {
                    Reached::Tcp(candidate, port) => {
                        self.reached = Some(SocketAddrV6::new(candidate.address, *port, 0, 0));
                    }
                    Reached::Tls(_) => self.show_certificates(&client.peer_certificates()),
                    Reached::Online { .. } => {
                        self.show_limits(client);
                        return Some(Verdict::Well);
                    }
                    _ => {}
                }
                None
            }
            Event::TimeUnknown { why, .. } => {
                self.note("time", format_args!("still unknown: {why}"));
                if let Some(cure) = why.cure() {
                    self.advise(cure);
                }
                None
            }
            Event::CandidateFailed(candidate, cause) => {
                self.unreached += 1;
                self.failed("TCP", format_args!("{candidate}: {cause}"));
                None
            }
            Event::Failed { stage, cause, .. } => {
                self.show_failure(*stage, cause);
                Some(Verdict::Ill(*stage, cause.clone()))
            }
            Event::Stopped => Some(Verdict::Abandoned),
            _ => None,
        }
    }

    /// Reports what remains. If TLS failed, this uses the TCP connection of the port, because the
    /// client has dropped the certificates by then.
    pub fn finish<P: Port>(&mut self, verdict: &Verdict, port: &mut P) {
        let cure = match verdict {
            Verdict::Ill(_, cause) => cause.cure(),
            Verdict::Well | Verdict::Abandoned => None,
        };
        self.finish_with(verdict, port, cure);
    }

    /// Like [`finish`](Self::finish), with this cure, for programs that know how their own options
    /// are named.
    pub fn finish_with<P: Port>(&mut self, verdict: &Verdict, port: &mut P, cure: Option<&str>) {
        let stage = match verdict {
            Verdict::Ill(stage, _) => stage,
            Verdict::Well if self.unanswered > 0 => {
                let (unanswered, asked) = (self.unanswered, self.asked);
                return self.note(
                    "result",
                    format_args!(
                        "all stages OK, but {unanswered} of {asked} ways to resolve the name failed"
                    ),
                );
            }
            Verdict::Well => return self.note("result", "all stages OK"),
            Verdict::Abandoned => return,
        };
        // With TLS 1.3 the broker may refuse after this side is done and the certificates were
        // shown.
        if let (Stage::Tls, Some(address), false) = (stage, self.reached, self.has_shown) {
            let shown = certificates::fetch(&self.subject, address, port, self.listener);
            self.show_certificates(&shown);
        }
        let is_new = |cure: &&str| !self.advised.iter().any(|advised| advised == cure);
        if let Some(cure) = cure.filter(is_new) {
            self.note("what to do", cure);
        }
    }

    /// Reports the failure that ends the walk, without what was reported before.
    fn show_failure(&mut self, stage: Stage, cause: &Cause) {
        let what = stage.to_string();
        match cause {
            Cause::Resolve(_) if self.unanswered > 0 => {
                let host = self.subject.broker.host.clone();
                self.failed(&what, format_args!("no usable address of {host} was found"));
            }
            Cause::Tcp(_) if stage == Stage::Tcp && self.unreached == 1 => {}
            Cause::Tcp(_) if stage == Stage::Tcp && self.unreached > 1 => {
                let count = self.unreached;
                self.failed(
                    &what,
                    format_args!("none of the {count} addresses reached the broker"),
                );
            }
            _ => self.failed(&what, cause),
        }
    }

    fn show_limits(&mut self, client: &Client) {
        let session = client.session();
        self.note("client id", session.client_id());
        if let Some(limits) = session.limits() {
            let seconds = limits.keep_alive.as_secs();
            self.note("keep-alive", format_args!("{seconds} s"));
        }
    }

    fn show_certificates(&mut self, certificates: &[CertificateSummary]) {
        self.has_shown |= !certificates.is_empty();
        for certificate in certificates {
            self.note("certificate", &certificate.subject);
            if !certificate.names.is_empty() {
                self.note("", format_args!("for {}", certificate.names.join(", ")));
            }
            self.note("", format_args!("by {}", certificate.issuer));
            let (from, until) = (Utc(certificate.not_before), Utc(certificate.not_after));
            self.note("", format_args!("valid from {from} until {until}"));
        }
    }
}

/// Does not wait for TCP.
const IDLE: Interest = Interest {
    receive: false,
    send: false,
};
