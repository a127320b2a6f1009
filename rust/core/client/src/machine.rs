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
//! Timing is there only for a device that does not know the time. Attaching leads to Unusable if TLS cannot be
//! set up.
//!
//! The files: [`inputs`] and [`outputs`] are what the driver calls; [`stages`] leads up, [`ending`]
//! down and to the next attempt; [`resolving`] and [`timing`] are stages with questions of their own.
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
    Session, Token, Version,
};
use thread_mqtt_tls::{CertificateSummary, Connection};
use timing::Timing;

/// Keeps one MQTT session connected to a broker. See the [crate's manual](crate).
///
/// Commands and inputs may come in any order; a spurious one is harmless. After each, and after
/// [`poll_timeout`](Self::poll_timeout)'s time, call the outputs: [`poll_action`](Self::poll_action)
/// until `None`, [`transmit`](Self::transmit) as long as TCP takes bytes, and
/// [`poll_event`](Self::poll_event) until `None`. Time must not run backwards.
#[derive(Debug)]
pub struct Client {
    tls: Tls,
    timers: Timers,
    retry: Retry,
    /// Most redirects in a row.
    redirects: u8,
    fallback_to_v311: bool,
    /// The configured one.
    version: Version,
    /// The brokers share their sessions.
    cluster: bool,
    return_after: Option<Duration>,
    /// Moments that a return has waited for silence.
    returns_waited: u8,

    // What survives a connection.
    resolver: Box<Resolver>,
    session: Box<Session>,
    targets: Targets,
    /// The broker that accepted the session last.
    session_at: Option<BrokerUri>,
    backoff: Backoff,
    /// Connections that ended because of what came in, a record too large for this side or a message that is
    /// malformed, since one was stable or a session began because of them.
    undigested: u8,
    /// So many of them end the session at the broker; zero: none does.
    suspect_after: u8,
    /// Every failure since all brokers were tried was one for a person.
    hopeless: bool,
    learner: Option<Learner>,

    // What is known of the world.
    network: Network,
    was_attached: bool,
    /// The network was away since something came from the broker.
    away: bool,
    /// The network has changed for the better.
    news: bool,
    budget: Budget,
    clock: Clock,
    timing: Timing,

    // The current attempt or connection.
    state: State,
    alarms: Alarms,
    /// The prefix was announced in this attempt.
    announced_prefix: bool,
    /// The broker may have more addresses than were waited for.
    half_missing: bool,
    tcp_open: bool,
    /// When bytes were last shown to the driver.
    shown_at: Duration,

    /// In their order.
    actions: Vec<Action>,
    events: Queue,
}

/// TLS, as far as it is there.
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
    /// There is no TLS to connect with, which was told.
    Unusable,
    /// Until the network is up.
    Attaching,
    /// Until the source of time has an outcome.
    Timing,
    /// Until the resolver reports.
    Resolving,
    /// TCP is being connected; `rest` are the addresses to try after this one.
    Connecting { turn: Turn, rest: Vec<Turn> },
    /// The TLS handshake.
    Securing {
        candidate: Candidate,
        connection: Box<Connection>,
    },
    /// MQTT is spoken, `since` CONNACK with the broker's consent.
    Up {
        candidate: Candidate,
        stream: Stream,
        since: Option<Duration>,
        /// It has proved stable, which was noted.
        stable: bool,
    },
    /// The last words are sent, then TCP is closed.
    Closing {
        /// `None` once the connection is over, or its time is.
        stream: Option<Stream>,
        ending: Ending,
        words: LastWords,
    },
    /// The pause after a failure.
    Waiting {
        /// Only the time is missing.
        for_time: bool,
    },
}

// Session and resolver are large: made here, they are off the stack before the client is put together.
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

/// What is known of the path, in a build that learns it.
fn learner(learner: &mut Option<Learner>) -> Option<&mut Learner> {
    learner.as_mut().filter(|_| LEARNS)
}

impl Client {
    /// A client at rest; the configuration is checked.
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

    /// A client at rest on the heap, as [`new`](Self::new). The thread that makes it needs less stack,
    /// because the configuration is not there as well.
    #[inline(never)]
    pub fn boxed(config: Box<Config>) -> Result<Box<Self>, ConfigError> {
        Self::new(*config).map(Box::new)
    }

    /// A client whose session outlives a restart: see [`restore`](Self::restore).
    #[cfg(feature = "durable")]
    pub fn with_store(config: Config, store: Box<dyn Store>) -> Result<Self, ConfigError> {
        let mut client = Self::new(config)?;
        client.restore(store);
        Ok(client)
    }

    /// Keeps the session in `store`, and goes on from what is there, as [`Session::restore`]: before
    /// anything else is asked of the client.
    #[cfg(feature = "durable")]
    #[inline(never)]
    pub fn restore(&mut self, store: Box<dyn Store>) {
        self.session.restore(store);
        self.session_at = self.session.peer().parse().ok();
    }

    // ------------------------------------------------------------ getters

    /// The stage that is being worked on; `None` while idle and while pausing after a failure.
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

    /// Whether the broker has accepted the session on the current connection.
    pub fn is_online(&self) -> bool {
        matches!(self.state, State::Up { since: Some(_), .. })
    }

    /// Whether an answer is awaited, of a DNS server or the broker. A device that sleeps between
    /// looks for messages should look often meanwhile.
    pub fn awaits_answer(&self) -> bool {
        match &self.state {
            State::Idle | State::Unusable | State::Attaching | State::Waiting { .. } => false,
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

    /// Whether there is no TLS to connect with ([`handle_tls`](Self::handle_tls)): nothing happens before
    /// [`retry_now`](Self::retry_now), which tells that again, or [`stop`](Self::stop).
    pub fn is_unusable(&self) -> bool {
        matches!(self.state, State::Unusable)
    }

    /// The broker that is tried or connected: of several, or where one pointed to.
    pub fn broker(&self) -> &BrokerUri {
        self.targets.uri()
    }

    /// The longest silence that [`KeepAlive::Auto`](crate::KeepAlive::Auto) knows the path to bear;
    /// `None` with a fixed keep-alive.
    pub fn learnt_keep_alive(&self) -> Option<Duration> {
        self.learner.as_ref().map(Learner::proven)
    }

    /// What TLS was configured with; `None` as long as it is awaited, and where it cannot be set up.
    pub fn tls(&self) -> Option<&thread_mqtt_tls::Config> {
        self.tls.config()
    }

    /// What name resolution was configured with.
    pub fn resolver_config(&self) -> &thread_mqtt_resolve::resolver::Config {
        self.resolver.config()
    }

    /// The certificates of the broker on the current connection, leaf first; empty without TLS.
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

    /// The address of the current connection.
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
            self.begin_anew(now);
        }
    }

    /// Ends the pause after a failure: the next attempt begins now. No effect otherwise. The
    /// back-off goes on from where it is, so that this is no way around it for a button that sticks.
    pub fn retry_now(&mut self, now: Duration) {
        if let State::Waiting { .. } | State::Unusable = self.state {
            self.begin_anew(now);
        }
    }

    /// Disconnects in good order and rests; ends with [`Event::Stopped`] after at most
    /// [`Timers::close`] and the half second in which the broker may close first.
    ///
    /// In good order: what the application has taken is acknowledged, then DISCONNECT goes out behind
    /// the packet that is being sent, not behind the outbox, and the broker drops the will. If the
    /// transport takes nothing for [`Timers::close`] the connection is reset, and the broker
    /// publishes the will. Messages not yet acknowledged stay in the session for the next
    /// [`start`](Self::start).
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

    /// Queues a message, also while offline.
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

    /// Queues a message whose payload follows in pieces: see
    /// [`Session::publish_in_pieces`].
    pub fn publish_in_pieces(
        &mut self,
        message: Message,
        pieces: Pieces,
        options: PublishOptions,
    ) -> Result<Token, CommandError> {
        self.session.publish_in_pieces(message, pieces, options)
    }

    /// Supplies the piece that is asked for: see [`Session::supply`].
    pub fn supply(
        &mut self,
        token: Token,
        offset: u32,
        piece: Vec<u8>,
    ) -> Result<(), CommandError> {
        self.session.supply(token, offset, piece)
    }

    /// Gives up a message in pieces: see [`Session::give_up_pieces`].
    pub fn give_up_pieces(&mut self, token: Token) -> bool {
        self.session.give_up_pieces(token)
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

    /// Tells of a command that was dropped on its way here: see [`Session::drop_command`].
    pub fn drop_command(&mut self, token: Token, error: PublishError) {
        self.session.drop_command(token, error);
    }

    // ------------------------------------------------------------- helpers

    /// Queues an event behind what the session has to tell.
    fn tell(&mut self, event: Event) {
        self.events.push(event, self.session.events_len());
    }

    fn reached(&mut self, reached: Reached) {
        self.tell(Event::Reached(reached));
    }

    /// Tells which broker is tried next.
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
