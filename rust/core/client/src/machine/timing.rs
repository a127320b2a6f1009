//! The time: asked of an SNTP server before the first connection with TLS, where the platform does
//! not know it.
//!
//! ```text
//!  server ─▶ its name resolves ─▶ question, sent twice ─▶ answer: the clock is set
//!    ▲                │                  │    ▲ next address
//!    └── next ◀───────┴──────────────────┘    │
//!                                             └── no answer, a refusal, a server without the time
//! ```
use super::{Client, State};
use crate::action::Action;
use crate::alarms::Alarm;
use crate::error::Cause;
use crate::event::{Event, Reached};
use crate::sntp::{self, Answer};
use crate::time::{TimeConfig, TimeError, TimePolicy};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::{Ipv6Addr, SocketAddrV6};
use core::time::Duration;
use rand_core::Rng;
use thread_mqtt_resolve::resolver::{Candidate, Report};

/// Addresses of one server that are asked: more of the same would not know better.
const ADDRESSES: usize = 2;

/// Times that a question is sent.
const ATTEMPTS: u8 = 2;

/// How long an address is left alone that asks for it: at a code that a pause may cure, and at the
/// others (RFC 5905 section 7.4).
const PAUSE_AT_RATE: Duration = Duration::from_secs(900);
const PAUSE_AT_REFUSAL: Duration = Duration::from_secs(86_400);

/// Addresses remembered that asked to be left alone.
const REFUSALS: usize = 4;

/// How long a client that can do without connects without asking again when nobody has answered:
/// where a firewall drops the questions, each reconnect would take the whole deadline longer.
const PAUSE_IN_VAIN: Duration = Duration::from_secs(600);

/// The ephemeral ports begin here (RFC 6335 section 6) and reach to 65535.
const FIRST_PORT: u16 = 49152;

/// What outlives one search for the time.
#[derive(Debug)]
pub(super) struct TimeServers {
    config: TimeConfig,
    /// The one to be asked first.
    first: usize,
    refusals: Vec<Refusal>,
    /// The last search was in vain.
    failed: Option<(TimeError, Duration)>,
    /// A socket was opened that nobody listens on any more.
    pub(super) close_udp: bool,
}

/// An address that asked to be left alone.
#[derive(Debug)]
struct Refusal {
    address: Ipv6Addr,
    code: [u8; 4],
    until: Duration,
}

/// One search for the time.
#[derive(Debug)]
pub(super) struct Timing {
    ends_at: Duration,
    /// Servers that are left, the one asked now included.
    servers_left: usize,
    /// Its addresses that are left.
    addresses: Vec<Candidate>,
    question: Option<Question>,
    /// What the last one had to say.
    error: TimeError,
}

/// The question under way.
#[derive(Debug)]
struct Question {
    server: Candidate,
    to: SocketAddrV6,
    /// Cookie and local port, drawn when first sent: a late answer to that is still one.
    drawn: Option<(u64, u16)>,
    is_due: bool,
    attempts_left: u8,
}

impl TimeServers {
    pub(super) fn new(config: TimeConfig) -> Self {
        Self {
            config,
            first: 0,
            refusals: Vec::new(),
            failed: None,
            close_udp: false,
        }
    }

    /// The server asked last was of no use: another one comes first from now on.
    pub(super) fn next(&mut self) {
        self.first = (self.first + 1) % self.config.servers.len().max(1);
    }

    fn note_refusal(&mut self, address: Ipv6Addr, code: [u8; 4], now: Duration) {
        let pause = match [*b"RATE", *b"STEP", *b"INIT"].contains(&code) {
            true => PAUSE_AT_RATE,
            false => PAUSE_AT_REFUSAL,
        };
        if self.refusals.len() == REFUSALS {
            self.refusals.remove(0);
        }
        self.refusals.push(Refusal {
            address,
            code,
            until: now + pause,
        });
    }

    /// The code with which an address asked to be left alone, if that still holds.
    fn refusal(&self, address: Ipv6Addr, now: Duration) -> Option<[u8; 4]> {
        let holds = |refusal: &&Refusal| refusal.address == address && now < refusal.until;
        self.refusals.iter().find(holds).map(|refusal| refusal.code)
    }
}

impl Client {
    /// The age at which a time told by a server is asked for anew.
    pub(super) fn refresh(&self) -> Duration {
        self.time_servers.config.refresh
    }

    /// Begins to ask, unless it was in vain a moment ago.
    pub(super) fn learn_time(&mut self, now: Duration) {
        if let Some((error, at)) = &self.time_servers.failed {
            if self.can_do_without(now) && now.saturating_sub(*at) < PAUSE_IN_VAIN {
                let error = error.clone();
                return self.go_without_time(error, now);
            }
        }
        let config = &self.time_servers.config;
        let ends_at = now + config.deadline;
        let servers_left = config.servers.len();
        self.state = State::Timing(Box::new(Timing {
            ends_at,
            servers_left,
            addresses: Vec::new(),
            question: None,
            error: TimeError::NoServer,
        }));
        self.alarms.set(Alarm::Time, ends_at);
        self.ask_server(now);
    }

    /// Looks the first server up, or gives up if all were asked.
    fn ask_server(&mut self, now: Duration) {
        let State::Timing(timing) = &self.state else {
            return;
        };
        let servers = &self.time_servers;
        match servers.config.servers.get(servers.first) {
            Some(server) if timing.servers_left > 0 => self.look_up(server.host.clone(), now),
            _ => self.give_up(now),
        }
    }

    /// The server's name has resolved, or has not.
    pub(super) fn take_time_servers(&mut self, report: Box<Report>, now: Duration) {
        let State::Timing(timing) = &mut self.state else {
            return;
        };
        for candidate in report.candidates.iter().take(ADDRESSES) {
            match self.time_servers.refusal(candidate.address, now) {
                Some(code) => timing.error = TimeError::Refused(code),
                None => timing.addresses.push(*candidate),
            }
        }
        if report.candidates.is_empty() {
            timing.error = TimeError::Resolve(report.into());
        }
        self.ask_address(now);
    }

    /// Asks the next address, or the next server if none is left.
    fn ask_address(&mut self, now: Duration) {
        let State::Timing(timing) = &mut self.state else {
            return;
        };
        self.time_servers.close_udp |= timing.question.take().is_some_and(|old| old.was_sent());
        let servers = &self.time_servers;
        let port = servers.config.servers.get(servers.first);
        let next = (!timing.addresses.is_empty()).then(|| timing.addresses.remove(0));
        let (Some(server), Some(port)) = (next, port.map(|server| server.port)) else {
            timing.servers_left = timing.servers_left.saturating_sub(1);
            self.time_servers.next();
            return self.ask_server(now);
        };
        timing.question = Some(Question {
            server,
            to: SocketAddrV6::new(server.address, port, 0, 0),
            drawn: None,
            is_due: true,
            attempts_left: ATTEMPTS,
        });
        self.send_question(now);
    }

    /// Has the question sent, or goes on if it was sent often enough.
    fn send_question(&mut self, now: Duration) {
        let patience = self.time_servers.config.attempt_timeout;
        let State::Timing(timing) = &mut self.state else {
            return;
        };
        match &mut timing.question {
            Some(question) if question.attempts_left > 0 => {
                question.attempts_left -= 1;
                question.is_due = true;
                let resend_at = now + patience;
                self.alarms.set(Alarm::Time, resend_at.min(timing.ends_at));
            }
            Some(_) => {
                timing.error = TimeError::NoAnswer;
                self.alarms.set(Alarm::Time, timing.ends_at);
                self.ask_address(now);
            }
            // The name is being looked up.
            None => self.alarms.set(Alarm::Time, timing.ends_at),
        }
    }

    /// [`Alarm::Time`]: sends again, or ends the search.
    pub(super) fn time_is_late(&mut self, now: Duration) {
        let State::Timing(timing) = &mut self.state else {
            return;
        };
        if now < timing.ends_at {
            return self.send_question(now);
        }
        if timing.question.is_some() || timing.error == TimeError::NoServer {
            timing.error = TimeError::NoAnswer;
        }
        self.time_servers.next();
        self.give_up(now);
    }

    /// The datagram with the question, when it is due.
    pub(super) fn ask_time(&mut self, rng: &mut dyn Rng) -> Option<Action> {
        let State::Timing(timing) = &mut self.state else {
            return None;
        };
        let question = timing.question.as_mut()?;
        if !core::mem::take(&mut question.is_due) {
            return None;
        }
        let (cookie, port) = *question.drawn.get_or_insert_with(|| {
            let port = FIRST_PORT | (rng.next_u32() >> 16) as u16;
            // Zero is what a server writes that has not seen a cookie.
            (rng.next_u64().max(1), port)
        });
        Some(Action::UdpSend {
            from_port: port,
            to: question.to,
            payload: sntp::request(cookie).into(),
        })
    }

    /// Takes a datagram if it answers the question. Others may be the resolver's.
    pub(super) fn take_time(
        &mut self,
        from: SocketAddrV6,
        to_port: u16,
        payload: &[u8],
        now: Duration,
    ) -> bool {
        let State::Timing(timing) = &mut self.state else {
            return false;
        };
        let Some(question) = &timing.question else {
            return false;
        };
        let Some((cookie, port)) = question.drawn else {
            return false;
        };
        if (from.ip(), from.port(), to_port) != (question.to.ip(), question.to.port(), port) {
            return false;
        }
        let server = question.server;
        let Some(answer) = sntp::read(payload, cookie, self.clock.floor()) else {
            return false;
        };
        timing.error = match answer {
            Answer::Time(seconds) => {
                self.clock.synchronise(seconds, now);
                self.time_servers.failed = None;
                self.reached(Reached::Time(seconds, server));
                self.resolve(now);
                return true;
            }
            Answer::Kiss(code) => {
                self.time_servers.note_refusal(server.address, code, now);
                TimeError::Refused(code)
            }
            Answer::Unsynchronised => TimeError::Unsynchronised,
            Answer::BeforeFloor => TimeError::BeforeFloor,
        };
        self.alarms.set(Alarm::Time, timing.ends_at);
        self.ask_address(now);
        true
    }

    /// Nobody has told the time.
    fn give_up(&mut self, now: Duration) {
        let State::Timing(timing) = &self.state else {
            return;
        };
        let error = timing.error.clone();
        self.time_servers.failed = Some((error.clone(), now));
        if self.can_do_without(now) {
            self.go_without_time(error, now);
        } else {
            let cause = Cause::Time(error);
            self.fail(cause.resolving_stage(), cause, now);
        }
    }

    /// Whether there is an older time, or none is needed.
    fn can_do_without(&self, now: Duration) -> bool {
        self.time_servers.config.policy == TimePolicy::Lenient
            || self.clock.unix_seconds(now).is_some()
    }

    /// Goes on with an older time, or with the floor, which is told.
    fn go_without_time(&mut self, why: TimeError, now: Duration) {
        if self.clock.unix_seconds(now).is_none() {
            let floor = self.clock.floor();
            self.events.push_back(Event::TimeUnknown { why, floor });
        }
        self.resolve(now);
    }

    /// Drops what is asked, of the resolver or of a time server.
    pub(super) fn end_search(&mut self, search: &Timing) {
        self.resolver.cancel();
        self.alarms.cancel(Alarm::Time);
        self.time_servers.close_udp |= search.question.as_ref().is_some_and(Question::was_sent);
    }
}

impl Question {
    fn was_sent(&self) -> bool {
        self.drawn.is_some()
    }
}
