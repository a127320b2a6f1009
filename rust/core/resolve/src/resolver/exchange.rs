//! Queries to one server: A and AAAA in parallel, retransmitted until answered.

use super::order::Addresses;
use super::tcp::{Tcp, TooLarge};
use super::{LookupError, Output, later};
use crate::dns::{Answer, MAX_ALIASES, Name, Question, RecordType};
use alloc::vec::Vec;
use core::net::SocketAddrV6;
use core::time::Duration;

/// First ephemeral port (RFC 6335 section 6); the range ends at 65535.
const FIRST_PORT: u16 = 49152;

/// How often an alias without a target record is followed by a query for the target.
const MAX_FOLLOW_UPS: u8 = MAX_ALIASES as u8;

/// All queries for a name to one server.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) server: SocketAddrV6,
    /// When the last question was sent first.
    pub(super) began: Duration,
    queries: Vec<Query>,
    /// Addresses from the answers so far.
    addresses: Addresses,
    /// Time between two transmissions.
    patience: Duration,
    resend_at: Duration,
    ends_at: Duration,
    /// When it ends at the latest, including TCP.
    deadline: Duration,
    /// When to stop waiting for the other half.
    settles_at: Option<Duration>,
    tcp: Tcp,
    /// The last datagram has timed out, or datagrams do not arrive.
    exhausted: bool,
    /// The error to report if there is no answer.
    silence: LookupError,
}

/// How long a server is queried.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) now: Duration,
    /// Between two transmissions.
    pub(super) patience: Duration,
    pub(super) ends_at: Duration,
    pub(super) deadline: Duration,
}

#[derive(Debug)]
struct Query {
    question: Question,
    /// Id and source port are drawn on the first transmission (RFC 5452 section 9.2) and kept for
    /// retransmissions, so that a late answer to the first one still counts.
    id: Option<u16>,
    port: Option<u16>,
    /// The shortest TTL of the aliases followed so far.
    ttl: u32,
    follow_ups_left: u8,
    /// Its answer did not fit into a datagram.
    was_cut: bool,
    state: State,
}

#[derive(Debug, Clone, Copy)]
enum State {
    ToSend,
    Sent,
    /// The answer did not fit into a datagram: query over TCP next.
    Cut,
    Answered,
    Failed(Unheard),
}

/// The answer of a server.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) addresses: Addresses,
    /// In seconds.
    pub(super) ttl: u32,
    /// A half of the answer is missing, although the server did not deny it.
    pub(super) half_missing: bool,
    /// That half might have arrived, but was not waited for.
    pub(super) was_settled: bool,
}

/// Why a server did not help, and how long in seconds that may be cached.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unheard {
    pub(super) error: LookupError,
    pub(super) ttl: Option<u32>,
}

impl Exchange {
    pub(super) fn new(
        server: SocketAddrV6,
        name: &Name,
        record_types: &[RecordType],
        times: Times,
        over_tcp: bool,
    ) -> Self {
        let mut queries = Vec::with_capacity(record_types.len());
        for record_type in record_types {
            queries.push(Query {
                question: Question {
                    name: name.clone(),
                    record_type: *record_type,
                },
                id: None,
                port: None,
                ttl: u32::MAX,
                follow_ups_left: MAX_FOLLOW_UPS,
                was_cut: false,
                state: State::ToSend,
            });
        }
        Self {
            server,
            began: times.now,
            queries,
            addresses: Addresses::default(),
            patience: times.patience,
            resend_at: later(times.now, times.patience),
            ends_at: times.ends_at,
            deadline: times.deadline,
            settles_at: None,
            tcp: match over_tcp {
                true => Tcp::Spare,
                false => Tcp::Off,
            },
            exhausted: false,
            silence: LookupError::Timeout,
        }
    }

    /// Returns whether ports were drawn, and therefore sockets opened.
    pub(super) fn used_ports(&self) -> bool {
        self.queries.iter().any(|query| query.port.is_some())
    }

    pub(super) fn uses_tcp(&self) -> bool {
        self.tcp.is_used()
    }

    pub(super) fn has_tcp_to_close(&self) -> bool {
        self.tcp.is_to_close()
    }

    pub(super) fn poll_transmit(&mut self, rng: &mut dyn rand_core::Rng) -> Option<Output> {
        match self.tcp {
            Tcp::Wanted | Tcp::Again => {
                self.tcp = Tcp::Connecting;
                return Some(Output::TcpConnect(self.server));
            }
            Tcp::Ended => {
                self.tcp = Tcp::Over;
                return Some(Output::TcpClose);
            }
            _ => {}
        }
        let taken = |port: u16| move |query: &Query| query.port == Some(port);
        loop {
            let index = self
                .queries
                .iter()
                .position(|query| matches!(query.state, State::ToSend))?;
            let random = rng.next_u32();
            let mut port = FIRST_PORT | (random >> 16) as u16;
            if self.queries.iter().any(taken(port)) {
                port ^= 1;
            }
            let query = self.queries.get_mut(index)?;
            query.state = State::Sent;
            let id = *query.id.get_or_insert(random as u16);
            let payload = query.question.encode(id);
            if let Tcp::Open(stream) = &mut self.tcp {
                stream.push(&payload);
                continue;
            }
            let from_port = *query.port.get_or_insert(port);
            return Some(Output::Transmit {
                from_port,
                to: self.server,
                payload,
            });
        }
    }

    /// Takes an answer. It must come from the server and to the port of the query (RFC 5452 section
    /// 9.1); anything else is ignored.
    pub(super) fn handle_datagram(
        &mut self,
        from: SocketAddrV6,
        to_port: u16,
        payload: &[u8],
        now: Duration,
    ) {
        if (from.ip(), from.port()) != (self.server.ip(), self.server.port()) {
            return;
        }
        let is_awaited = |query: &&mut Query| query.port == Some(to_port) && query.is_open();
        let Some(query) = self.queries.iter_mut().find(is_awaited) else {
            return;
        };
        let Some(answer) = query
            .id
            .and_then(|id| query.question.read_answer(id, payload))
        else {
            return;
        };
        let may_follow = !matches!(self.tcp, Tcp::Off | Tcp::Ended | Tcp::Over);
        if may_follow && matches!(answer, Answer::Truncated) {
            query.was_cut = true;
            // On an open connection the query was sent already, or is next.
            if !matches!(self.tcp, Tcp::Open(_)) {
                query.state = State::Cut;
                self.begin_tcp(now);
            }
            return;
        }
        if query.take(answer, &mut self.addresses) {
            self.begin_again(now);
        }
    }

    /// Gives the question for the target of an alias as much time as the first one.
    fn begin_again(&mut self, now: Duration) {
        let time = self.ends_at.saturating_sub(self.began);
        self.began = now;
        self.ends_at = later(now, time).min(self.deadline);
        self.resend_at = later(now, self.patience);
    }

    /// Handles a datagram to this server that was not delivered. Another one would not be either,
    /// so open queries move to TCP at once; without TCP the server has failed.
    pub(super) fn handle_undelivered(
        &mut self,
        to: SocketAddrV6,
        error: LookupError,
        now: Duration,
    ) {
        if self.exhausted || (to.ip(), to.port()) != (self.server.ip(), self.server.port()) {
            return;
        }
        self.exhausted = true;
        self.silence = error;
        if let Tcp::Spare = self.tcp {
            self.ends_at = now;
        }
        self.begin_tcp(now);
        let has_way = !matches!(self.tcp, Tcp::Off | Tcp::Ended | Tcp::Over);
        for query in &mut self.queries {
            match query.state {
                State::ToSend | State::Sent if !has_way => {
                    query.state = State::Failed(Unheard { error, ttl: None });
                }
                // No datagram while TCP is not connected yet.
                State::ToSend if !matches!(self.tcp, Tcp::Open(_)) => query.state = State::Sent,
                _ => {}
            }
        }
    }

    /// Returns the addresses so far, while the other half still has the full time.
    pub(super) fn half(&self) -> Option<&Addresses> {
        let half = self.settles_at.is_none().then_some(&self.addresses);
        half.filter(|addresses| !addresses.is_empty())
    }

    /// Sets the time to wait for the other half, because this one is usable.
    pub(super) fn settle(&mut self, at: Duration) {
        self.settles_at = Some(at);
    }

    /// Moves open queries to TCP, unless that was done.
    fn begin_tcp(&mut self, now: Duration) {
        if let Tcp::Spare = self.tcp {
            self.tcp = Tcp::Wanted;
            self.ends_at = later(now, self.patience)
                .max(self.ends_at)
                .min(self.deadline);
        }
    }

    pub(super) fn handle_tcp_connected(&mut self) {
        if let Tcp::Connecting = self.tcp {
            self.tcp = Tcp::Open(Default::default());
            for query in self.queries.iter_mut().filter(|query| query.is_open()) {
                query.state = State::ToSend;
            }
        }
    }

    pub(super) fn tcp_outbound(&self) -> &[u8] {
        match &self.tcp {
            Tcp::Open(stream) => stream.outbound(),
            _ => &[],
        }
    }

    pub(super) fn consume_tcp(&mut self, n: usize) {
        if let Tcp::Open(stream) = &mut self.tcp {
            stream.consume(n);
        }
    }

    pub(super) fn handle_tcp_data(&mut self, mut data: &[u8], now: Duration) {
        while let (Tcp::Open(stream), false) = (&mut self.tcp, data.is_empty()) {
            let taken = stream.receive(data);
            let message = stream.take_message();
            match taken {
                Ok(taken) => data = data.get(taken..).unwrap_or_default(),
                Err(TooLarge) => return self.end_tcp(LookupError::Truncated),
            }
            let Some(message) = message else {
                continue;
            };
            let mut open = self.queries.iter_mut().filter(|query| query.is_open());
            let answered = open.find_map(|query| {
                let answer = query.question.read_answer(query.id?, &message)?;
                Some((query, answer))
            });
            if let Some((query, answer)) = answered {
                stream.has_answered = true;
                if query.take(answer, &mut self.addresses) {
                    self.begin_again(now);
                }
            }
        }
    }

    /// Handles the end of the connection. A server may close it after each answer (RFC 7766 section
    /// 6.2.4): remaining queries use another one. Only after an answer, so that this terminates.
    pub(super) fn handle_tcp_closed(&mut self) {
        let has_answered = matches!(&self.tcp, Tcp::Open(stream) if stream.has_answered);
        if !has_answered || !self.queries.iter().any(Query::is_open) {
            return self.end_tcp(self.silence);
        }
        self.tcp = Tcp::Again;
        for query in &mut self.queries {
            // No datagram while TCP is not connected yet.
            if let State::ToSend = query.state {
                query.state = State::Sent;
            }
        }
    }

    /// Gives up TCP. Queries sent over it fail, and those too large for datagrams have no answer.
    /// Queries sent only by datagram may still get one.
    fn end_tcp(&mut self, asked: LookupError) {
        if !self.tcp.is_used() {
            return;
        }
        let was_open = matches!(self.tcp, Tcp::Open(_));
        self.tcp = Tcp::Ended;
        for query in &mut self.queries {
            let error = match query.state {
                State::Cut => LookupError::Truncated,
                // The server has answered this as far as it could.
                State::ToSend | State::Sent if query.was_cut => LookupError::Truncated,
                State::ToSend | State::Sent if was_open || self.exhausted => asked,
                _ => continue,
            };
            query.state = State::Failed(Unheard { error, ttl: None });
        }
    }

    /// Returns when to stop waiting for the other half; `None` while that is fetched over TCP
    /// because it was truncated.
    fn settles_at(&self) -> Option<Duration> {
        let is_fetched = |query: &Query| query.was_cut && query.is_open();
        let is_final = !self.queries.iter().any(is_fetched);
        self.settles_at.filter(|_| is_final)
    }

    /// Retransmits what is due, and moves to TCP if no datagram was answered.
    pub(super) fn handle_timeout(&mut self, now: Duration) {
        if now >= self.ends_at && self.settles_at.is_none() {
            self.exhausted = true;
            return self.begin_tcp(now);
        }
        if now >= self.ends_at || now < self.resend_at || !self.sends_datagrams() {
            return;
        }
        self.resend_at = later(now, self.patience);
        for query in &mut self.queries {
            if let State::Sent = query.state {
                query.state = State::ToSend;
            }
        }
    }

    /// Returns whether unanswered queries are retransmitted.
    fn sends_datagrams(&self) -> bool {
        !self.exhausted && !matches!(self.tcp, Tcp::Open(_))
    }

    pub(super) fn next_timeout(&self) -> Duration {
        let next = match self.sends_datagrams() {
            true => self.resend_at.min(self.ends_at),
            false => self.ends_at,
        };
        self.settles_at()
            .map_or(next, |settles_at| settles_at.min(next))
    }

    /// Returns the outcome, once there is one.
    pub(super) fn outcome(&mut self, now: Duration) -> Option<Result<Heard, Unheard>> {
        let is_complete = !self.queries.iter().any(Query::is_open);
        let is_over = now >= self.ends_at || is_complete;
        let is_settled = self
            .settles_at()
            .is_some_and(|settles_at| now >= settles_at);
        if !is_over && !is_settled {
            return None;
        }
        let mut heard = Heard {
            addresses: core::mem::take(&mut self.addresses),
            ttl: u32::MAX,
            half_missing: false,
            was_settled: !is_over,
        };
        // Of several failures the worst, cached as long as all of them may be.
        let (mut worst, mut ttl): (Option<LookupError>, _) = (None, Some(u32::MAX));
        for query in &self.queries {
            let (error, believed) = match query.state {
                State::Answered => {
                    heard.ttl = heard.ttl.min(query.ttl);
                    continue;
                }
                State::Failed(Unheard { error, ttl }) => (error, ttl),
                // The server has answered this as far as it could.
                _ if query.was_cut => (LookupError::Truncated, None),
                _ => (self.silence, None),
            };
            heard.half_missing |= !error.is_negative();
            ttl = ttl.min(believed);
            if worst.is_none_or(|worst| error.rank() > worst.rank()) {
                worst = Some(error);
            }
        }
        Some(match worst {
            Some(error) if heard.addresses.is_empty() => Err(Unheard { error, ttl }),
            _ => Ok(heard),
        })
    }
}

impl Query {
    fn is_open(&self) -> bool {
        matches!(self.state, State::ToSend | State::Sent | State::Cut)
    }

    /// Takes an answer. Returns whether that is an alias, whose target is the next question.
    fn take(&mut self, answer: Answer, found: &mut Addresses) -> bool {
        let failed = |error, ttl| State::Failed(Unheard { error, ttl });
        self.state = match answer {
            Answer::Addresses { addresses, ttl } => {
                self.ttl = self.ttl.min(ttl);
                match found.add_all(addresses) {
                    Some(error) => failed(error, None),
                    None => State::Answered,
                }
            }
            Answer::Alias { target, ttl } if self.follow_ups_left > 0 => {
                self.follow_ups_left -= 1;
                self.ttl = self.ttl.min(ttl);
                self.question.name = target;
                // A new question needs a new id. Keep the socket, because sockets are scarce.
                self.id = None;
                State::ToSend
            }
            Answer::Alias { .. } | Answer::AliasLoop => failed(LookupError::AliasLoop, None),
            Answer::NoData { ttl } => failed(LookupError::NoData, ttl.map(|ttl| ttl.min(self.ttl))),
            Answer::NameError { ttl } => {
                failed(LookupError::NameError, ttl.map(|ttl| ttl.min(self.ttl)))
            }
            Answer::Referral => failed(LookupError::Referral, None),
            Answer::Refused { rcode: 2 } => failed(LookupError::ServerFailure, None),
            Answer::Refused { rcode: 5 } => failed(LookupError::Refused, None),
            Answer::Refused { rcode } => failed(LookupError::ResponseCode(rcode), None),
            Answer::Truncated => failed(LookupError::Truncated, None),
            Answer::Malformed => failed(LookupError::Malformed, None),
        };
        matches!(self.state, State::ToSend)
    }
}
