//! The state machine: its states and data.
//!
//! ```text
//!  Idle ──start──▶ Attaching ──▶ Resolving ──▶ Connecting ──▶ Securing ──▶ Up (greeting, online)
//!   ▲                  ▲    └▶ Timing ▲ │              │ ▲ next      │             │
//!   │                  │         └────┘ │              └─┘ address   │             │
//!   │               Waiting ◀────────┴──┴─ Closing ◀──────────────┴─────────────┘
//!   └──────────────────┴──── stop, or Retry::Never ────┘
//! ```
//!
//! Timing occurs only if the device does not know the time. Attaching leads to Unusable if TLS
//! cannot be set up.
//!
//! The driver calls [`inputs`] and [`outputs`]. [`stages`] leads up to CONNACK, [`ending`] down and
//! to the next attempt. [`resolving`] and [`timing`] are stages that send queries of their own.
mod ending;
mod inputs;
mod outputs;
mod resolving;
mod stages;
mod timing;

use crate::action::Action;
use crate::alarms::Alarms;
use crate::backoff::{Backoff, Budget};
use crate::brokers::Targets;
use crate::config::{Config, ConfigError, Retry, Timers};
use crate::error::SetupError;
use crate::event::{Event, Reached, Stage};
use crate::keepalive::{LEARNS, Learner};
use crate::queue::Queue;
use crate::stream::Stream;
use crate::time::clock::Clock;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;
use core::time::Duration;
use ending::{Ending, LastWords};
use stages::Turn;
use thread_mqtt_resolve::resolver::{Candidate, Network};
use thread_mqtt_resolve::{BrokerUri, Resolver};
#[cfg(feature = "durable")]
use thread_mqtt_session::Store;
use thread_mqtt_session::{
    self as session, Command, CommandError, Message, Pieces, PublishError, PublishOptions, QoS,
    Session, StoreError, Token, Version,
};
use thread_mqtt_tls::{CertificateSummary, Connection};
use timing::Timing;

/// Keeps one MQTT session connected to a broker. See the [crate documentation](crate).
///
/// Commands and inputs may come in any order; spurious ones are harmless. After each of them, and
/// at the time that [`poll_timeout`](Self::poll_timeout) returns, call the outputs:
/// [`poll_action`](Self::poll_action) until `None`, [`transmit`](Self::transmit) as long as TCP
/// takes bytes, and [`poll_event`](Self::poll_event) until `None`. Time must not run backwards.
#[derive(Debug)]
pub struct Client {
    tls: Tls,
    timers: Timers,
    retry: Retry,
    /// Most redirects followed in a row.
    redirects: u8,
    fallback_to_v311: bool,
    /// The configured version.
    version: Version,
    /// The brokers share their sessions.
    cluster: bool,
    return_after: Option<Duration>,
    /// How often a return was postponed because messages were in flight.
    returns_waited: u8,

    // What survives a connection.
    resolver: Box<Resolver>,
    session: Box<Session>,
    targets: Targets,
    /// The broker that last accepted the session.
    session_at: Option<BrokerUri>,
    backoff: Backoff,
    /// Connections that ended because this side could not process the input: a record too large, or
    /// a malformed message. Reset when a connection is stable, or when it led to a new session.
    undigested: u8,
    /// After this many of them the session at the broker is discarded; zero means never.
    suspect_after: u8,
    /// Every failure since all brokers were tried needs a person.
    hopeless: bool,
    learner: Option<Learner>,

    // What is known about the environment.
    network: Network,
    was_attached: bool,
    /// The network was lost since the broker last sent something.
    away: bool,
    /// The network has improved.
    news: bool,
    budget: Budget,
    clock: Clock,
    timing: Timing,

    // The current attempt or connection.
    state: State,
    alarms: Alarms,
    /// The prefix was announced in this attempt.
    announced_prefix: bool,
    /// The resolver did not wait for all answers, so the broker may have more addresses.
    half_missing: bool,
    tcp_open: bool,
    /// When `transmit` last returned bytes.
    shown_at: Duration,

    /// Actions in the order to be returned.
    actions: Vec<Action>,
    events: Queue,
}

/// TLS, and whether it is available yet.
#[derive(Debug)]
enum Tls {
    None,
    Awaited,
    Ready(thread_mqtt_tls::Config),
    Failed(SetupError),
}

impl Tls {
    fn config(&self) -> Option<&thread_mqtt_tls::Config> {
        match self {
            Self::Ready(config) => Some(config),
            _ => None,
        }
    }
}

#[derive(Debug)]
enum State {
    /// Not started, or stopped.
    Idle,
    /// TLS cannot be set up, and the application was told.
    Unusable,
    /// Waiting for the network.
    Attaching,
    /// Waiting for the source of time.
    Timing,
    /// Waiting for the resolver.
    Resolving,
    /// TCP is connecting; `rest` has the addresses to try after this one.
    Connecting { turn: Turn, rest: Vec<Turn> },
    /// The TLS handshake is in progress.
    Securing {
        candidate: Candidate,
        connection: Box<Connection>,
    },
    /// MQTT is in use; `since` the CONNACK that accepted the session.
    Up {
        candidate: Candidate,
        stream: Stream,
        since: Option<Duration>,
        /// Stability was noted.
        stable: bool,
    },
    /// Final packets are being sent; then TCP is closed.
    Closing {
        /// `None` once the connection is gone, or its time is up.
        stream: Option<Stream>,
        ending: Ending,
        words: LastWords,
    },
    /// Pausing after a failure.
    Waiting {
        /// The time is all that is missing.
        for_time: bool,
    },
}

// Session and resolver are large. Built here, they are off the stack before the client is
// assembled.
#[inline(never)]
fn boxed_session(config: session::Config) -> Result<Box<Session>, ConfigError> {
    Session::new(config)
        .map(Box::new)
        .map_err(ConfigError::Session)
}

#[inline(never)]
fn boxed_resolver(config: thread_mqtt_resolve::resolver::Config) -> Box<Resolver> {
    Box::new(Resolver::new(config))
}

/// Returns the learner, in a build that has it.
fn learner(learner: &mut Option<Learner>) -> Option<&mut Learner> {
    learner.as_mut().filter(|_| LEARNS)
}

impl Client {
    /// Creates an idle client. Fails if the configuration is invalid.
    #[inline(never)]
    pub fn new(mut config: Config) -> Result<Self, ConfigError> {
        config.check()?;
        let version = config.session.version;
        let suspect_after = config.session.suspect_after;
        Ok(Self {
            session: boxed_session(config.session)?,
            resolver: boxed_resolver(config.resolver),
            targets: Targets::new(config.broker, &mut config.failover),
            session_at: None,
            backoff: Backoff::new(config.timers.backoff_min, config.timers.backoff_max),
            undigested: 0,
            suspect_after,
            hopeless: true,
            learner: Learner::new(config.keep_alive),
            tls: match config.tls {
                Some(tls) => Tls::Ready(tls),
                None if config.tls_follows => Tls::Awaited,
                None => Tls::None,
            },
            timers: config.timers,
            retry: config.retry,
            redirects: config.redirects,
            fallback_to_v311: config.fallback_to_v311,
            version,
            cluster: config.failover.cluster,
            return_after: config.failover.return_after,
            returns_waited: 0,
            network: Network::default(),
            was_attached: false,
            away: false,
            news: false,
            budget: Budget::default(),
            clock: Clock::new(config.time_floor),
            timing: Timing::new(config.time),
            state: State::Idle,
            alarms: Alarms::default(),
            announced_prefix: false,
            half_missing: false,
            tcp_open: false,
            shown_at: Duration::ZERO,
            actions: Vec::new(),
            events: Queue::default(),
        })
    }

    /// Creates an idle client on the heap; otherwise like [`new`](Self::new). The calling thread
    /// needs less stack, because the configuration is not on it as well.
    #[inline(never)]
    pub fn boxed(config: Box<Config>) -> Result<Box<Self>, ConfigError> {
        Self::new(*config).map(Box::new)
    }

    /// Creates a client whose session survives a restart: see [`restore`](Self::restore).
    #[cfg(feature = "durable")]
    pub fn with_store(config: Config, store: Box<dyn Store>) -> Result<Self, ConfigError> {
        let mut client = Self::new(config)?;
        client.restore(store);
        Ok(client)
    }

    /// Keeps the session in `store`, and resumes from what it contains, as [`Session::restore`]
    /// does. Call it before anything else.
    #[cfg(feature = "durable")]
    #[inline(never)]
    pub fn restore(&mut self, store: Box<dyn Store>) {
        self.session.restore(store);
        self.session_at = self.session.peer().parse().ok();
    }

    // ------------------------------------------------------------ getters

    /// Returns the stage in progress; `None` while idle and during the pause after a failure.
    pub fn stage(&self) -> Option<Stage> {
        match &self.state {
            State::Idle | State::Unusable | State::Waiting { .. } | State::Closing { .. } => None,
            State::Attaching => Some(Stage::Attach),
            State::Timing => Some(Stage::Time),
            State::Resolving => Some(Stage::Resolve),
            State::Connecting { .. } => Some(Stage::Tcp),
            State::Securing { .. } => Some(Stage::Tls),
            State::Up { .. } => Some(Stage::Mqtt),
        }
    }

    /// Returns whether the broker has accepted the session on the current connection.
    pub fn is_online(&self) -> bool {
        matches!(self.state, State::Up { since: Some(_), .. })
    }

    /// Returns whether an answer from a DNS server or the broker is pending. A sleepy device should
    /// poll its parent more often meanwhile.
    pub fn awaits_answer(&self) -> bool {
        match &self.state {
            State::Idle | State::Unusable | State::Attaching | State::Waiting { .. } => false,
            State::Up { .. } => self.session.awaits_answer(),
            _ => true,
        }
    }

    /// Returns when the pause after a failure ends; `None` if there is no pause.
    pub fn next_attempt(&self) -> Option<Duration> {
        match self.state {
            State::Waiting { .. } => self.alarms.next(),
            _ => None,
        }
    }

    /// Returns whether the client is idle until [`start`](Self::start) is called.
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    /// Returns whether TLS cannot be set up ([`handle_tls`](Self::handle_tls)). Nothing happens
    /// then before [`retry_now`](Self::retry_now), which reports the same error again, or
    /// [`stop`](Self::stop).
    pub fn is_unusable(&self) -> bool {
        matches!(self.state, State::Unusable)
    }

    /// Returns the broker being tried or connected: one of several, or the target of a redirect.
    pub fn broker(&self) -> &BrokerUri {
        self.targets.uri()
    }

    /// Returns the longest silence that [`KeepAlive::Auto`](crate::KeepAlive::Auto) knows the path
    /// to tolerate; `None` with a fixed keep-alive.
    pub fn learnt_keep_alive(&self) -> Option<Duration> {
        self.learner.as_ref().map(Learner::proven)
    }

    /// Returns the TLS configuration; `None` while it is awaited, and if TLS cannot be set up.
    pub fn tls(&self) -> Option<&thread_mqtt_tls::Config> {
        self.tls.config()
    }

    /// Returns the configuration of name resolution.
    pub fn resolver_config(&self) -> &thread_mqtt_resolve::resolver::Config {
        self.resolver.config()
    }

    /// Returns the broker's certificates on the current connection, leaf first; empty without TLS.
    pub fn peer_certificates(&self) -> Vec<CertificateSummary> {
        match &self.state {
            State::Securing { connection, .. } => connection.peer_certificates(),
            State::Up { stream, .. } => stream.peer_certificates(),
            _ => Vec::new(),
        }
    }

    /// Returns the session: what is queued, what the broker allows, what it said.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Returns the failure that keeps the stored session out of date: see
    /// [`Session::storage_failure`].
    pub fn storage_failure(&mut self) -> Option<StoreError> {
        self.session.storage_failure()
    }

    /// Returns the address of the current connection.
    pub fn candidate(&self) -> Option<Candidate> {
        match &self.state {
            State::Connecting {
                turn: Turn { candidate, .. },
                ..
            }
            | State::Securing { candidate, .. }
            | State::Up { candidate, .. } => Some(*candidate),
            _ => None,
        }
    }

    /// Returns the latest Unix time that is proven to have passed. Store it in flash, as the
    /// [`Config::time_floor`] of the next boot. A certificate of the broker proves when it was
    /// issued, the platform is trusted ([`handle_unix_time`](Self::handle_unix_time)), and a time
    /// server proves nothing.
    pub fn time_floor(&self) -> u64 {
        self.clock.floor()
    }

    /// Returns the time in Unix seconds, if the platform or a time server supplied it.
    pub fn unix_time(&self, now: Duration) -> Option<u64> {
        self.clock.unix_seconds(now)
    }

    // ----------------------------------------------------------- commands

    /// Starts connecting, and keeps at it. No effect unless idle.
    pub fn start(&mut self, now: Duration) {
        if self.is_idle() {
            self.backoff.reset();
            self.begin_anew(now);
        }
    }

    /// Ends the pause after a failure: the next attempt begins now. Otherwise no effect. The
    /// back-off is not reset, so that a stuck button cannot bypass it.
    pub fn retry_now(&mut self, now: Duration) {
        if let State::Waiting { .. } | State::Unusable = self.state {
            self.begin_anew(now);
        }
    }

    /// Disconnects cleanly and becomes idle. [`Event::Stopped`] follows after at most
    /// [`Timers::close`] plus the half second in which the broker may close first.
    ///
    /// What the application has taken is acknowledged. Then DISCONNECT is sent after the packet in
    /// progress, not after the outbox, and the broker discards the will. If the transport takes
    /// nothing for [`Timers::close`], the connection is reset and the broker publishes the will.
    /// Messages not yet acknowledged stay in the session for the next [`start`](Self::start).
    pub fn stop(&mut self, now: Duration) {
        if let State::Closing { ending, .. } = &mut self.state {
            if let Ending::Failed { stage, cause, .. } = mem::replace(ending, Ending::Stopped) {
                let retry_in = None;
                self.tell(Event::Failed {
                    stage,
                    cause,
                    retry_in,
                });
            }
        }
        self.end_in_good_order(Ending::Stopped, now);
    }

    /// Queues a message, even while offline.
    pub fn publish(&mut self, message: Message) -> Result<Token, CommandError> {
        self.session.publish(message)
    }

    /// Queues a message with a priority, an expiry, or as the latest of its topic.
    pub fn publish_with(
        &mut self,
        message: Message,
        options: PublishOptions,
    ) -> Result<Token, CommandError> {
        self.session.publish_with(message, options)
    }

    /// Queues a message whose payload follows in pieces: see [`Session::publish_in_pieces`].
    pub fn publish_in_pieces(
        &mut self,
        message: Message,
        pieces: Pieces,
        options: PublishOptions,
    ) -> Result<Token, CommandError> {
        self.session.publish_in_pieces(message, pieces, options)
    }

    /// Supplies the requested piece: see [`Session::supply`].
    pub fn supply(
        &mut self,
        token: Token,
        offset: u32,
        piece: Vec<u8>,
    ) -> Result<(), CommandError> {
        self.session.supply(token, offset, piece)
    }

    /// Abandons a message in pieces: see [`Session::give_up_pieces`].
    pub fn give_up_pieces(&mut self, token: Token) -> bool {
        self.session.give_up_pieces(token)
    }

    /// Subscribes to topic filters. The session subscribes again if the broker lost its state.
    pub fn subscribe(&mut self, filters: &[(&str, QoS)]) -> Result<Token, CommandError> {
        self.session.subscribe(filters)
    }

    /// Ends subscriptions.
    pub fn unsubscribe(&mut self, filters: &[&str]) -> Result<Token, CommandError> {
        self.session.unsubscribe(filters)
    }

    /// Queues a command that was built outside the client: see [`Session::submit`].
    pub fn submit(&mut self, token: Token, command: Command) -> Result<(), Command> {
        self.session.submit(token, command)
    }

    /// Reports a command that was dropped on its way here: see [`Session::drop_command`].
    pub fn drop_command(&mut self, token: Token, error: PublishError) {
        self.session.drop_command(token, error);
    }

    // ------------------------------------------------------------- helpers

    /// Queues an event after those of the session.
    fn tell(&mut self, event: Event) {
        self.events.push(event, self.session.events_len());
    }

    fn reached(&mut self, reached: Reached) {
        self.tell(Event::Reached(reached));
    }

    /// Reports which broker is tried next.
    fn tell_broker(&mut self) {
        let broker = self.targets.uri().clone();
        self.tell(Event::Broker(broker));
    }

    fn close_tcp(&mut self, abort: bool) {
        if mem::take(&mut self.tcp_open) {
            self.actions.push(Action::TcpClose { abort });
        }
    }
}
