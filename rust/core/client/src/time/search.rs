//! The search for the time among SNTP servers.
//!
//! ```text
//!  server ─▶ its name resolves ─▶ question, sent twice ─▶ answer: the time
//!    ▲                │                  │    ▲ next address
//!    └── next ◀───────┴──────────────────┘    │
//!                                             └── no answer, a refusal, a server without the time
//! ```
use super::sntp::{self, Answer};
use super::source::{Datagram, TimeSource, Told};
use super::{TimeConfig, TimeError, TimeServer};
use crate::alarms::{is_due, later};
use alloc::vec::Vec;
use core::mem;
use core::net::SocketAddrV6;
use core::time::Duration;
use rand_core::Rng;
use thread_mqtt_resolve::Host;
use thread_mqtt_resolve::resolver::{Candidate, Report};

/// How many addresses of one server are queried: more of them would know no better.
const ADDRESSES: usize = 2;

/// How often a query is sent.
const ATTEMPTS: u8 = 2;

/// How long a server is left alone if it asks for that, because it was queried too often or does
/// not serve this client at all (RFC 5905 section 7.4). No longer, because a refusal is as easily
/// forged as a time, and it stops a device that does not connect without the time.
const PAUSE_AT_RATE: Duration = Duration::from_secs(900);
const PAUSE_AT_REFUSAL: Duration = Duration::from_secs(3600);

/// The code, not of a refusal, of a server whose time a certificate contradicted. It is queried
/// after the others for as long as after RATE.
const DOUBTED: [u8; 4] = [0; 4];

/// How many pauses are kept for each configured server: its name may have several addresses.
const PAUSES: usize = 8;

/// First ephemeral port (RFC 6335 section 6); the range ends at 65535.
const FIRST_PORT: u16 = 49152;

/// Queries SNTP servers in turn.
#[derive(Debug)]
pub(crate) struct SntpSearch {
    servers: Vec<TimeServer>,
    deadline: Duration,
    attempt_timeout: Duration,
    /// Index of the server to query first.
    first: usize,
    /// How many addresses of a name to pass over, so that each of them has its turn.
    offset: usize,
    refusals: Vec<Refusal>,
    /// The server that supplied the last time.
    told_by: Option<SocketAddrV6>,
    /// Its name has an address that is not doubted.
    has_other: bool,
    /// An open socket is no longer needed.
    close_udp: bool,
    search: Option<Search>,
    outcome: Option<Result<Told, TimeError>>,
}

/// A server that asked to be left alone, or that is doubted. Another one may run at the same
/// address.
#[derive(Debug)]
struct Refusal {
    server: SocketAddrV6,
    code: [u8; 4],
    until: Duration,
}

/// One search.
#[derive(Debug)]
struct Search {
    floor: u64,
    ends_at: Duration,
    /// When to send again, or to give up.
    due: Duration,
    /// Servers left, including the current one.
    servers_left: usize,
    /// The name to resolve next, and the deadline.
    lookup: Option<(Host, Duration)>,
    /// The server's remaining addresses.
    addresses: Vec<Candidate>,
    question: Option<Question>,
    /// Why the last one failed.
    error: TimeError,
}

/// The query in flight.
#[derive(Debug)]
struct Question {
    server: Candidate,
    to: SocketAddrV6,
    /// Cookie and local port, drawn on the first send, so that a late answer to it still counts.
    drawn: Option<(u64, u16)>,
    is_due: bool,
    attempts_left: u8,
}

impl SntpSearch {
    pub(crate) fn new(config: TimeConfig) -> Self {
        Self {
            servers: config.servers,
            deadline: config.deadline,
            attempt_timeout: config.attempt_timeout,
            first: 0,
            offset: 0,
            refusals: Vec::new(),
            told_by: None,
            has_other: false,
            close_udp: false,
            search: None,
            outcome: None,
        }
    }

    /// Makes another server the first.
    fn next(&mut self) {
        self.first = (self.first + 1) % self.servers.len().max(1);
        if self.first == 0 {
            self.offset = self.offset.wrapping_add(ADDRESSES);
        }
    }

    fn note_refusal(&mut self, server: SocketAddrV6, code: [u8; 4], now: Duration) {
        let pause = match code == *b"RATE" || code == DOUBTED {
            true => PAUSE_AT_RATE,
            false => PAUSE_AT_REFUSAL,
        };
        let holds =
            |refusal: &Refusal| refusal.server != server && !is_due(Some(refusal.until), now);
        self.refusals.retain(holds);
        // A name may resolve to other addresses each time.
        if self.refusals.len() >= self.servers.len() * PAUSES {
            self.refusals.remove(0);
        }
        self.refusals.push(Refusal {
            server,
            code,
            until: later(now, pause),
        });
    }

    /// Returns the code with which a server asked to be left alone, or [`DOUBTED`], if that is still
    /// in effect.
    fn refusal(&self, server: SocketAddrV6, now: Duration) -> Option<[u8; 4]> {
        let holds =
            |refusal: &&Refusal| refusal.server == server && !is_due(Some(refusal.until), now);
        self.refusals.iter().find(holds).map(|refusal| refusal.code)
    }

    /// Looks up the next server, or gives up if all were queried.
    fn ask_server(&mut self, now: Duration) {
        let Some(search) = &mut self.search else {
            return;
        };
        match self.servers.get(self.first) {
            Some(server) if search.servers_left > 0 => {
                // The remaining servers share the remaining time.
                let share = search.ends_at.saturating_sub(now) / search.servers_left as u32;
                search.lookup = Some((server.host.clone(), later(now, share)));
                search.due = search.ends_at;
            }
            _ => {
                let error = search.error.clone();
                self.end(Err(error));
            }
        }
    }

    /// Queries the next address, or the next server if none is left.
    fn ask_address(&mut self, now: Duration) {
        let Some(search) = &mut self.search else {
            return;
        };
        self.close_udp |= search.question.take().is_some_and(|old| old.was_sent());
        let port = self.servers.get(self.first).map(|server| server.port);
        let next = (!search.addresses.is_empty()).then(|| search.addresses.remove(0));
        let (Some(server), Some(port)) = (next, port) else {
            search.servers_left = search.servers_left.saturating_sub(1);
            self.next();
            return self.ask_server(now);
        };
        search.question = Some(Question {
            server,
            to: SocketAddrV6::new(server.address, port, 0, 0),
            drawn: None,
            is_due: true,
            attempts_left: ATTEMPTS,
        });
        self.send_question(now);
    }

    /// Sends the query, or moves on if it was sent often enough.
    fn send_question(&mut self, now: Duration) {
        let Some(search) = &mut self.search else {
            return;
        };
        search.due = search.ends_at;
        match &mut search.question {
            Some(question) if question.attempts_left > 0 => {
                question.attempts_left -= 1;
                question.is_due = true;
                search.due = search.ends_at.min(later(now, self.attempt_timeout));
            }
            Some(_) => {
                search.error = TimeError::NoAnswer;
                self.ask_address(now);
            }
            // The name is being resolved.
            None => {}
        }
    }

    fn end(&mut self, outcome: Result<Told, TimeError>) {
        self.cancel();
        self.outcome = Some(outcome);
    }
}

impl TimeSource for SntpSearch {
    fn start(&mut self, floor: u64, now: Duration) {
        self.cancel();
        let ends_at = later(now, self.deadline);
        self.search = Some(Search {
            floor,
            ends_at,
            due: ends_at,
            servers_left: self.servers.len(),
            lookup: None,
            addresses: Vec::new(),
            question: None,
            error: TimeError::NoServer,
        });
        self.ask_server(now);
    }

    fn cancel(&mut self) {
        self.outcome = None;
        let question = self.search.take().and_then(|search| search.question);
        self.close_udp |= question.is_some_and(|question| question.was_sent());
    }

    fn doubt(&mut self, now: Duration) -> bool {
        let Some(server) = self.told_by.take() else {
            return false;
        };
        let is_new = self.refusal(server, now).is_none();
        self.note_refusal(server, DOUBTED, now);
        self.next();
        // The addresses of a pool never end, and a certificate may really be invalid.
        let doubts = |refusal: &&Refusal| refusal.code == DOUBTED;
        let addresses = if self.has_other { ADDRESSES } else { 1 };
        is_new && self.refusals.iter().filter(doubts).count() < self.servers.len() * addresses
    }

    fn handle_report(&mut self, report: Report, now: Duration) {
        let Some(mut search) = self.search.take() else {
            return;
        };
        let port = self.servers.get(self.first).map_or(0, |server| server.port);
        let known = report.candidates.len();
        let in_turn = report
            .candidates
            .iter()
            .cycle()
            .skip(self.offset % known.max(1));
        let mut doubted = Vec::new();
        for candidate in in_turn.take(known) {
            let server = SocketAddrV6::new(candidate.address, port, 0, 0);
            match self.refusal(server, now) {
                Some(DOUBTED) => doubted.push(*candidate),
                Some(code) => search.error = TimeError::Refused(code),
                None => search.addresses.push(*candidate),
            }
        }
        self.has_other = search.addresses.len() > 1;
        search.addresses.append(&mut doubted);
        search.addresses.truncate(ADDRESSES);
        if report.candidates.is_empty() {
            search.error = TimeError::Resolve(report.into());
        }
        self.search = Some(search);
        self.ask_address(now);
    }

    fn handle_datagram(
        &mut self,
        from: SocketAddrV6,
        to_port: u16,
        payload: &[u8],
        now: Duration,
    ) -> bool {
        let Some(search) = &mut self.search else {
            return false;
        };
        let Some(question) = &search.question else {
            return false;
        };
        let Some((cookie, port)) = question.drawn else {
            return false;
        };
        if (from.ip(), from.port(), to_port) != (question.to.ip(), question.to.port(), port) {
            return false;
        }
        let (server, to) = (question.server, question.to);
        let Some(answer) = sntp::read(payload, cookie, search.floor) else {
            return false;
        };
        search.error = match answer {
            Answer::Time(seconds) => {
                self.told_by = Some(to);
                self.end(Ok(Told { seconds, server }));
                return true;
            }
            Answer::Kiss(code) => TimeError::Refused(code),
            Answer::Unsynchronised => TimeError::Unsynchronised,
            Answer::BeforeFloor => TimeError::BeforeFloor,
        };
        if let Answer::Kiss(code) = answer {
            self.note_refusal(to, code, now);
        }
        self.ask_address(now);
        true
    }

    /// Sends again, or ends the search.
    fn handle_timeout(&mut self, now: Duration) {
        let Some(search) = &mut self.search else {
            return;
        };
        if !is_due(Some(search.due), now) {
            return;
        }
        if !is_due(Some(search.ends_at), now) {
            return self.send_question(now);
        }
        let is_silent = search.question.is_some() || search.error == TimeError::NoServer;
        let error = match is_silent {
            true => TimeError::NoAnswer,
            false => search.error.clone(),
        };
        self.next();
        self.end(Err(error));
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.search.as_ref().map(|search| search.due)
    }

    fn poll_lookup(&mut self) -> Option<(Host, Duration)> {
        self.search.as_mut()?.lookup.take()
    }

    fn poll_transmit(&mut self, rng: &mut dyn Rng) -> Option<Datagram> {
        let question = self.search.as_mut()?.question.as_mut()?;
        if !mem::take(&mut question.is_due) {
            return None;
        }
        let (cookie, from_port) = *question.drawn.get_or_insert_with(|| {
            let port = FIRST_PORT | (rng.next_u32() >> 16) as u16;
            // A server that has not seen a cookie writes zero.
            (rng.next_u64().max(1), port)
        });
        Some(Datagram {
            from_port,
            to: question.to,
            payload: sntp::request(cookie).into(),
        })
    }

    fn poll_close(&mut self) -> bool {
        mem::take(&mut self.close_udp)
    }

    fn poll_outcome(&mut self) -> Option<Result<Told, TimeError>> {
        self.outcome.take()
    }
}

impl Question {
    fn was_sent(&self) -> bool {
        self.drawn.is_some()
    }
}
