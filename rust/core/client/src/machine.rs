//! The machine: which stage the client is in, and what leads to the next.
//!
//! ```text
//!  Idle ──start──▶ Attaching ──▶ Resolving ──▶ Connecting ──▶ Securing ──▶ Up (greeting, online)
//!   ▲                  ▲    └▶ Timing ▲ │              │ ▲ next      │             │
//!   │                  │         └────┘ │              └─┘ address   │             │
//!   │               Waiting ◀────────┴──┴─ Closing ◀──────────────┴─────────────┘
//!   └──────────────────┴──── stop, or Retry::Never ────┘
//! ```
//!
//! Timing is there only for a device that does not know the time.
mod resolving;
mod timing;

use crate::action::Action;
use crate::addresses::{Addresses, withdrawn};
use crate::alarms::{Alarm, Alarms, earliest};
use crate::backoff::Backoff;
use crate::config::{Config, ConfigError, Retry, Timers};
use crate::error::{Cause, TcpError};
use crate::event::{Event, Reached, Stage};
use crate::stream::Stream;
use crate::time::clock::Clock;
use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::mem;
use core::net::{IpAddr, SocketAddrV6};
use core::time::Duration;
use rand_core::Rng;
use thread_mqtt_resolve::resolver::{Candidate, Network, Output};
use thread_mqtt_resolve::{BrokerUri, Host, Resolver, Scheme};
use thread_mqtt_session::{Command, CommandError, Message, QoS, Session, Token};
use thread_mqtt_tls::{CertificateSummary, Connection};
use timing::Timing;

/// Keeps one MQTT session connected to one broker. See the [crate's manual](crate).
///
/// Commands and inputs may come in any order; a spurious one is harmless. After each, and after
/// [`poll_timeout`](Self::poll_timeout)'s time, call the outputs: [`poll_action`](Self::poll_action)
/// until `None`, [`transmit`](Self::transmit) as long as TCP takes bytes, and
/// [`poll_event`](Self::poll_event) until `None`. Time must not run backwards.
#[derive(Debug)]
pub struct Client {
    broker: BrokerUri,
    tls: Option<thread_mqtt_tls::Config>,
    timers: Timers,
    retry: Retry,

    // What survives a connection.
    resolver: Box<Resolver>,
    session: Box<Session>,
    addresses: Addresses,
    backoff: Backoff,

    // What is known of the world.
    network: Network,
    clock: Clock,
    timing: Timing,

    // The attempt or connection of now.
    state: State,
    alarms: Alarms,
    /// The prefix was announced in this attempt.
    announced_prefix: bool,
    tcp_open: bool,

    actions: VecDeque<Action>,
    events: VecDeque<Event>,
}

#[derive(Debug)]
enum State {
    /// Not started, or stopped.
    Idle,
    /// Until the network is up.
    Attaching,
    /// Until the source of time has an outcome.
    Timing,
    /// Until the resolver reports.
    Resolving,
    /// TCP is being connected; `rest` are the addresses to try after this one.
    Connecting {
        candidate: Candidate,
        rest: Vec<Candidate>,
    },
    /// The TLS handshake.
    Securing {
        candidate: Candidate,
        connection: Box<Connection>,
    },
    /// MQTT is spoken; `online` after CONNACK.
    Up {
        candidate: Candidate,
        stream: Stream,
        online: bool,
    },
    /// The last words are sent, then TCP is closed.
    Closing {
        stream: Option<Stream>,
        ending: Ending,
    },
    /// The pause after a failure.
    Waiting {
        /// Only the time is missing.
        for_time: bool,
    },
}

/// What follows after [`State::Closing`].
#[derive(Debug)]
enum Ending {
    Failed(Stage, Cause),
    Stopped,
}

impl Client {
    /// A client at rest; the configuration is checked.
    #[inline(never)]
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        config.check()?;
        let session = Session::new(config.session).map_err(ConfigError::Session)?;
        Ok(Self {
            resolver: Box::new(Resolver::new(config.resolver)),
            session: Box::new(session),
            addresses: Addresses::default(),
            backoff: Backoff::new(config.timers.backoff_min, config.timers.backoff_max),
            broker: config.broker,
            tls: config.tls,
            timers: config.timers,
            retry: config.retry,
            network: Network::default(),
            clock: Clock::new(config.time_floor),
            timing: Timing::new(&config.time),
            state: State::Idle,
            alarms: Alarms::default(),
            announced_prefix: false,
            tcp_open: false,
            actions: VecDeque::new(),
            events: VecDeque::new(),
        })
    }

    // ------------------------------------------------------------ getters

    /// The stage that is being worked on; `None` while idle and while pausing after a failure.
    pub fn stage(&self) -> Option<Stage> {
        match &self.state {
            State::Idle | State::Waiting { .. } | State::Closing { .. } => None,
            State::Attaching => Some(Stage::Attach),
            State::Timing => Some(Stage::Time),
            State::Resolving => Some(Stage::Resolve),
            State::Connecting { .. } => Some(Stage::Tcp),
            State::Securing { .. } => Some(Stage::Tls),
            State::Up { .. } => Some(Stage::Mqtt),
        }
    }

    /// Whether the broker has accepted the session on the connection of now.
    pub fn is_online(&self) -> bool {
        matches!(self.state, State::Up { online: true, .. })
    }

    /// Whether an answer is awaited, of a DNS server or the broker. A device that sleeps between
    /// looks for messages should look often meanwhile.
    pub fn awaits_answer(&self) -> bool {
        match &self.state {
            State::Idle | State::Attaching | State::Waiting { .. } => false,
            State::Up { .. } => self.session.awaits_answer(),
            _ => true,
        }
    }

    /// When the pause after a failure ends; `None` while there is none.
    pub fn next_attempt(&self) -> Option<Duration> {
        match self.state {
            State::Waiting { .. } => self.alarms.next(),
            _ => None,
        }
    }

    /// Whether nothing happens before [`start`](Self::start).
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    /// The broker.
    pub fn broker(&self) -> &BrokerUri {
        &self.broker
    }

    /// What TLS was configured with.
    pub fn tls(&self) -> Option<&thread_mqtt_tls::Config> {
        self.tls.as_ref()
    }

    /// What name resolution was configured with.
    pub fn resolver_config(&self) -> &thread_mqtt_resolve::resolver::Config {
        self.resolver.config()
    }

    /// The certificates of the broker on the connection of now, leaf first; empty without TLS.
    pub fn peer_certificates(&self) -> Vec<CertificateSummary> {
        match &self.state {
            State::Securing { connection, .. } => connection.peer_certificates(),
            State::Up { stream, .. } => stream.peer_certificates(),
            _ => Vec::new(),
        }
    }

    /// The session: what is queued, what the broker allows, what it said.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The address of the connection of now.
    pub fn candidate(&self) -> Option<Candidate> {
        match &self.state {
            State::Connecting { candidate, .. }
            | State::Securing { candidate, .. }
            | State::Up { candidate, .. } => Some(*candidate),
            _ => None,
        }
    }

    /// The latest Unix time that is proven to have passed: worth keeping in flash, as the next boot's
    /// [`Config::time_floor`]. A certificate of the broker proves that it was issued, the platform is
    /// trusted ([`handle_unix_time`](Self::handle_unix_time)), and a time server proves nothing.
    pub fn time_floor(&self) -> u64 {
        self.clock.floor()
    }

    /// The time in Unix seconds, if the platform or a time server has told it.
    pub fn unix_time(&self, now: Duration) -> Option<u64> {
        self.clock.unix_seconds(now)
    }

    // ----------------------------------------------------------- commands

    /// Begins to connect, and stays at it. No effect unless idle.
    pub fn start(&mut self, now: Duration) {
        if self.is_idle() {
            self.backoff.reset();
            self.begin(now);
        }
    }

    /// Disconnects in good order (the broker drops the will) and rests; ends with
    /// [`Event::Stopped`] after at most [`Timers::close`]. Messages not yet acknowledged stay in
    /// the session for the next [`start`](Self::start).
    pub fn stop(&mut self, now: Duration) {
        if self.is_online() {
            self.session.disconnect();
        }
        if let State::Closing { ending, .. } = &mut self.state {
            if let Ending::Failed(stage, cause) = mem::replace(ending, Ending::Stopped) {
                self.events.push_back(Event::Failed {
                    stage,
                    cause,
                    retry_in: None,
                });
            }
        }
        let stream = self.leave();
        self.close(stream, Ending::Stopped, now);
    }

    /// Queues a message, also while offline.
    pub fn publish(&mut self, message: Message) -> Result<Token, CommandError> {
        self.session.publish(message)
    }

    /// Subscribes to topic filters; the session repeats it wherever the broker forgot it.
    pub fn subscribe(&mut self, filters: &[(&str, QoS)]) -> Result<Token, CommandError> {
        self.session.subscribe(filters)
    }

    /// Ends subscriptions.
    pub fn unsubscribe(&mut self, filters: &[&str]) -> Result<Token, CommandError> {
        self.session.unsubscribe(filters)
    }

    /// Queues a command that was made apart from the client: see [`Session::submit`].
    pub fn submit(&mut self, token: Token, command: Command) -> Result<(), Command> {
        self.session.submit(token, command)
    }

    // ------------------------------------------------------------- inputs
    //
    // Not inlined, nor are the outputs: the frame of the loop that calls them lies under every
    // handshake.

    /// Whether the network is up, its prefixes and servers. Tell it as often as you like.
    ///
    /// An established connection outlives a short detachment: TCP and the keep-alive decide. It
    /// does not outlive the prefix it was made with.
    #[inline(never)]
    pub fn handle_network(&mut self, network: &Network, now: Duration) {
        if self.network == *network {
            return;
        }
        let before = mem::replace(&mut self.network, network.clone());
        let stale = self.resolver.handle_network(network, now);
        match &self.state {
            State::Attaching if network.attached => self.begin(now),
            // What failed may work now: do not sleep through it.
            State::Waiting { .. } if network.attached && (stale || !before.attached) => {
                self.alarms.clear();
                self.begin(now);
            }
            State::Timing if !network.attached => self.fail(Stage::Time, Cause::NetworkLost, now),
            State::Resolving if !network.attached => {
                self.fail(Stage::Resolve, Cause::NetworkLost, now)
            }
            State::Timing | State::Resolving => self.take_report(now),
            State::Connecting { .. } if !network.attached => {
                self.fail(Stage::Tcp, Cause::NetworkLost, now);
            }
            State::Connecting { candidate, .. }
            | State::Securing { candidate, .. }
            | State::Up { candidate, .. }
                if withdrawn(candidate, network) =>
            {
                let stage = self.stage().unwrap_or(Stage::Tcp);
                self.fail(stage, Cause::PrefixWithdrawn, now);
            }
            _ => {}
        }
    }

    /// The wall clock, or that there is none. Certificates are checked against it.
    ///
    /// It is trusted: once a certificate was valid at this time it raises the
    /// [floor](Self::time_floor), which outlives a reboot. Do not pass what an unauthenticated server
    /// said; configure that server in [`TimeConfig`](crate::TimeConfig) instead. A time before the
    /// floor is a clock that was never set, and is ignored.
    pub fn handle_unix_time(&mut self, unix_seconds: Option<u64>, now: Duration) {
        let believed = self.clock.tell(unix_seconds, now);
        match (&mut self.state, believed) {
            (State::Securing { connection, .. }, Some(seconds)) => connection.set_time(seconds),
            (State::Up { stream, .. }, Some(seconds)) => stream.set_time(seconds),
            (State::Timing, Some(_)) => self.resolve(now),
            (State::Waiting { for_time: true }, Some(_)) => {
                self.alarms.clear();
                self.begin(now);
            }
            _ => {}
        }
    }

    /// The connection asked for by [`Action::TcpConnect`] is there.
    #[inline(never)]
    pub fn handle_tcp_connected(&mut self, now: Duration) {
        let candidate = match mem::replace(&mut self.state, State::Idle) {
            State::Connecting { candidate, .. } => candidate,
            other => {
                self.state = other;
                return;
            }
        };
        self.alarms.cancel(Alarm::TcpConnect);
        self.reached(Reached::Tcp(candidate, self.broker.port));
        let tls = match &self.tls {
            Some(tls) if self.broker.scheme == Scheme::Mqtts => tls,
            _ => {
                self.greet(candidate, Stream::plain(), now);
                return;
            }
        };
        let name = server_name(&self.broker.host);
        match Connection::new(tls, &name, self.clock.certificate_time(now)) {
            Ok(connection) => {
                self.alarms
                    .start(Alarm::TlsHandshake, now, self.timers.tls_handshake);
                self.state = State::Securing {
                    candidate,
                    connection: Box::new(connection),
                };
            }
            Err(error) => self.fail(Stage::Tls, Cause::Tls(error), now),
        }
    }

    /// Bytes from the broker. Returns how many were taken; offer the rest again after the next
    /// output (back-pressure: the session's buffers or the application's events are full).
    #[inline(never)]
    pub fn handle_tcp_data(&mut self, data: &[u8], now: Duration) -> usize {
        let mut taken = 0;
        if let State::Securing { connection, .. } = &mut self.state {
            match connection.handle_ciphertext(data) {
                Ok(n) => taken = n,
                Err(error) => {
                    self.fail(Stage::Tls, Cause::Tls(error), now);
                    return data.len();
                }
            }
            self.promote(now);
        }
        let rest = data.get(taken..).unwrap_or_default();
        match &mut self.state {
            State::Up { stream, .. } => match stream.receive(rest, &mut self.session, now) {
                Ok(n) => {
                    self.notice_connack(now);
                    taken + n
                }
                Err(cause) => {
                    self.fail_up(cause, now);
                    data.len()
                }
            },
            State::Securing { .. } => taken,
            // Nobody is interested any more.
            _ => data.len(),
        }
    }

    /// The connection failed, or the peer closed it. Bytes that came before must have been given
    /// to [`handle_tcp_data`](Self::handle_tcp_data).
    pub fn handle_tcp_closed(&mut self, error: TcpError, now: Duration) {
        match &mut self.state {
            State::Connecting { .. } => self.next_candidate(error, now),
            State::Securing { connection, .. } => {
                let cause = match error {
                    TcpError::Closed | TcpError::Reset => {
                        connection.handle_eof().err().map(Cause::Tls)
                    }
                    _ => None,
                };
                self.fail(Stage::Tls, cause.unwrap_or(Cause::Tcp(error)), now);
            }
            State::Up { online, .. } => {
                let cause = match error {
                    TcpError::Closed | TcpError::Reset if !*online => Cause::ClosedBeforeConnack,
                    _ => Cause::Tcp(error),
                };
                self.fail_up(cause, now);
            }
            // No last words without a connection.
            State::Closing { stream, .. } => *stream = None,
            _ => {}
        }
    }

    /// A datagram from a DNS or time server to the local port `to_port`.
    #[inline(never)]
    pub fn handle_datagram(
        &mut self,
        from: SocketAddrV6,
        to_port: u16,
        payload: &[u8],
        now: Duration,
    ) {
        if self
            .timing
            .source()
            .handle_datagram(from, to_port, payload, now)
        {
            return self.advance_time(now);
        }
        self.resolver.handle_datagram(from, to_port, payload, now);
        self.take_report(now);
    }

    /// The platform's answer to [`Action::PlatformLookup`]; `Err` carries the port's own code.
    pub fn handle_platform_lookup(&mut self, answer: Result<Vec<IpAddr>, i32>, now: Duration) {
        self.resolver.handle_platform_lookup(answer, now);
        self.take_report(now);
    }

    /// The generator handed to [`poll_action`](Self::poll_action) had no randomness to give: what
    /// it returned is not to be used. A guessable DNS query is worse than none.
    pub fn handle_entropy_failure(&mut self, code: i32, now: Duration) {
        if let Some(stage) = self.stage() {
            self.fail(stage, Cause::NoEntropy(code), now);
        }
    }

    /// Time has passed.
    #[inline(never)]
    pub fn handle_timeout(&mut self, now: Duration) {
        while let Some(alarm) = self.alarms.pop(now) {
            match alarm {
                Alarm::TcpConnect => self.next_candidate(TcpError::TimedOut, now),
                Alarm::TlsHandshake => self.fail(Stage::Tls, Cause::HandshakeTimedOut, now),
                Alarm::Stable => self.backoff.reset(),
                Alarm::Close => {
                    if let State::Closing { stream, .. } = &mut self.state {
                        *stream = None;
                    }
                }
                Alarm::Backoff => self.begin(now),
            }
        }
        self.timing.source().handle_timeout(now);
        self.advance_time(now);
        self.resolver.handle_timeout(now);
        self.take_report(now);
        if let State::Up { .. } = self.state {
            if let Err(error) = self.session.handle_timeout(now) {
                self.fail_up(Cause::Mqtt(error), now);
            }
        }
    }

    // ------------------------------------------------------------ outputs

    /// The next thing the driver is asked to do, until `None`. `rng` must be cryptographically
    /// secure: DNS query ids and ports come from it, the cookies of time servers, and the jitter of
    /// the back-off.
    #[inline(never)]
    pub fn poll_action(&mut self, now: Duration, rng: &mut dyn Rng) -> Option<Action> {
        if let State::Up { stream, .. } = &mut self.state {
            match stream.pump(&mut self.session, now) {
                Ok(()) => self.notice_connack(now),
                Err(cause) => self.fail_up(cause, now),
            }
        }
        self.settle(now, rng);
        // Before the resolver opens its own.
        if self.timing.source().poll_close() {
            return Some(Action::UdpClose);
        }
        if let Some(output) = self.resolver.poll_output(now, rng) {
            return Some(match output {
                Output::Transmit {
                    from_port,
                    to,
                    payload,
                } => Action::UdpSend {
                    from_port,
                    to,
                    payload,
                },
                Output::CloseUdp => Action::UdpClose,
                Output::PlatformLookup { name, family } => Action::PlatformLookup { name, family },
            });
        }
        self.ask_time(rng).or_else(|| self.actions.pop_front())
    }

    /// Bytes for the broker, to be sent in order.
    pub fn transmit(&mut self, now: Duration) -> &[u8] {
        match &mut self.state {
            State::Securing { connection, .. } => connection.ciphertext(),
            State::Up { stream, .. }
            | State::Closing {
                stream: Some(stream),
                ..
            } => stream.transmit(&mut self.session, now),
            _ => &[],
        }
    }

    /// The first `n` bytes of [`transmit`](Self::transmit) were handed to TCP.
    pub fn consume_transmit(&mut self, n: usize) {
        match &mut self.state {
            State::Securing { connection, .. } => connection.consume_ciphertext(n),
            State::Up { stream, .. }
            | State::Closing {
                stream: Some(stream),
                ..
            } => stream.consume_transmit(n, &mut self.session),
            _ => {}
        }
    }

    /// What happened, until `None`.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events
            .pop_front()
            .or_else(|| self.session.poll_event().map(Event::Session))
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called next.
    pub fn poll_timeout(&self) -> Option<Duration> {
        let session = match self.state {
            State::Up { .. } => self.session.poll_timeout(),
            _ => None,
        };
        let names = earliest(self.resolver.poll_timeout(), self.timing.poll_timeout());
        earliest(earliest(self.alarms.next(), names), session)
    }

    // -------------------------------------------------- from stage to stage

    fn begin(&mut self, now: Duration) {
        if !self.network.attached {
            self.state = State::Attaching;
            return;
        }
        self.reached(Reached::Attached);
        self.announced_prefix = false;
        if self.broker.scheme == Scheme::Mqtts && self.clock.is_stale(self.timing.refresh(), now) {
            self.learn_time(now);
        } else {
            self.resolve(now);
        }
    }

    /// Connects to the first of these; `order` is not empty.
    fn connect(&mut self, mut order: Vec<Candidate>, now: Duration) {
        let candidate = order.remove(0);
        let to = SocketAddrV6::new(candidate.address, self.broker.port, 0, 0);
        self.actions.push_back(Action::TcpConnect(to));
        self.tcp_open = true;
        self.alarms
            .start(Alarm::TcpConnect, now, self.timers.tcp_connect);
        self.state = State::Connecting {
            candidate,
            rest: order,
        };
    }

    /// The address of now does not answer: the next one, if there is one.
    fn next_candidate(&mut self, error: TcpError, now: Duration) {
        let State::Connecting { candidate, rest } = &mut self.state else {
            return;
        };
        self.events
            .push_back(Event::CandidateFailed(*candidate, Cause::Tcp(error)));
        let rest = mem::take(rest);
        if rest.is_empty() {
            // The name may have moved.
            self.resolver.forget(&self.broker.host);
            self.fail(Stage::Tcp, Cause::Tcp(error), now);
        } else {
            self.close_tcp(true);
            self.connect(rest, now);
        }
    }

    /// From TLS to MQTT, once the handshake is done.
    fn promote(&mut self, now: Duration) {
        let State::Securing { connection, .. } = &self.state else {
            return;
        };
        let Some(agreed) = connection.agreed() else {
            return;
        };
        let agreed = agreed.clone();
        self.alarms.cancel(Alarm::TlsHandshake);
        // A resumed session is as old as the certificate that was looked at then.
        if !agreed.resumed {
            let issued = connection.issued();
            self.clock.prove(issued, now);
        }
        self.reached(Reached::Tls(agreed));
        if let State::Securing {
            candidate,
            connection,
        } = mem::replace(&mut self.state, State::Idle)
        {
            self.greet(candidate, Stream::tls(connection), now);
        }
    }

    fn greet(&mut self, candidate: Candidate, stream: Stream, now: Duration) {
        self.session.connect(now);
        self.state = State::Up {
            candidate,
            stream,
            online: false,
        };
    }

    /// Looks whether the session was accepted. Later events wait in the session until the
    /// application takes them: its queue is what holds the broker back.
    fn notice_connack(&mut self, now: Duration) {
        while let State::Up {
            online: online @ false,
            candidate,
            ..
        } = &mut self.state
        {
            match self.session.poll_event() {
                Some(thread_mqtt_session::Event::Connected { session_present }) => {
                    *online = true;
                    self.addresses.praise(*candidate);
                    self.alarms
                        .start(Alarm::Stable, now, self.timers.stable_after);
                    self.reached(Reached::Online { session_present });
                }
                Some(other) => self.events.push_back(Event::Session(other)),
                None => return,
            }
        }
    }

    /// A failure after TLS. A client certificate refused under TLS 1.3 shows only here.
    fn fail_up(&mut self, cause: Cause, now: Duration) {
        let stage = match cause {
            Cause::Tls(_) if !self.is_online() => Stage::Tls,
            _ => Stage::Mqtt,
        };
        self.fail(stage, cause, now);
    }

    /// Ends the attempt or the connection.
    fn fail(&mut self, stage: Stage, cause: Cause, now: Duration) {
        if let State::Securing { candidate, .. }
        | State::Up {
            candidate,
            online: false,
            ..
        } = &self.state
        {
            self.addresses.blame(*candidate);
        }
        let stream = self.leave();
        if cause.contradicts_time() {
            self.clock.doubt();
            self.timing.source().doubt();
        }
        // The peer is told what it did wrong: a TLS alert, an MQTT 5 DISCONNECT.
        let stream = stream.filter(|_| matches!(cause, Cause::Tls(_) | Cause::Mqtt(_)));
        self.close(stream, Ending::Failed(stage, cause), now);
    }

    /// Gives up what is under way; on a connection there may be last words to say.
    fn leave(&mut self) -> Option<Stream> {
        match mem::replace(&mut self.state, State::Idle) {
            State::Securing { connection, .. } => return Some(Stream::tls(connection)),
            State::Up { stream, .. } => return Some(stream),
            State::Closing { stream, .. } => return stream,
            State::Timing => self.end_search(),
            State::Resolving => self.resolver.cancel(),
            State::Idle | State::Attaching | State::Connecting { .. } | State::Waiting { .. } => {}
        }
        None
    }

    fn close(&mut self, stream: Option<Stream>, ending: Ending, now: Duration) {
        self.alarms.clear();
        if stream.is_some() {
            self.alarms.start(Alarm::Close, now, self.timers.close);
        }
        self.state = State::Closing { stream, ending };
    }

    /// Leaves [`State::Closing`] when the last words are said.
    #[inline(never)]
    fn settle(&mut self, now: Duration, rng: &mut dyn Rng) {
        let State::Closing { stream, .. } = &mut self.state else {
            return;
        };
        if let Some(stream) = stream {
            let mut speaks = !stream.transmit(&mut self.session, now).is_empty();
            if !speaks && stream.close() {
                speaks = !stream.transmit(&mut self.session, now).is_empty();
            }
            if speaks {
                return;
            }
        }
        let State::Closing { stream, ending } = mem::replace(&mut self.state, State::Idle) else {
            return;
        };
        self.alarms.clear();
        self.close_tcp(stream.is_none());
        // What the broker said before the end comes before the end.
        while let Some(event) = self.session.poll_event() {
            self.events.push_back(Event::Session(event));
        }
        self.session.handle_transport_closed();
        match ending {
            Ending::Stopped => self.events.push_back(Event::Stopped),
            Ending::Failed(stage, cause) => {
                let retry_in = match self.retry {
                    Retry::Never => None,
                    Retry::Forever => Some(self.backoff.next(cause.needs_a_person(), rng)),
                };
                if let Some(pause) = retry_in {
                    self.alarms.start(Alarm::Backoff, now, pause);
                    let for_time = matches!(cause, Cause::Time(_));
                    self.state = State::Waiting { for_time };
                }
                self.events.push_back(Event::Failed {
                    stage,
                    cause,
                    retry_in,
                });
            }
        }
    }

    // ------------------------------------------------------------- helpers

    fn reached(&mut self, reached: Reached) {
        self.events.push_back(Event::Reached(reached));
    }

    fn close_tcp(&mut self, abort: bool) {
        if mem::take(&mut self.tcp_open) {
            self.actions.push_back(Action::TcpClose { abort });
        }
    }
}

/// What the certificate must say.
fn server_name(host: &Host) -> Cow<'_, str> {
    match host {
        Host::Name(name) => Cow::Borrowed(name),
        Host::Ipv4(address) => Cow::Owned(address.to_string()),
        Host::Ipv6(address) => Cow::Owned(address.to_string()),
    }
}
