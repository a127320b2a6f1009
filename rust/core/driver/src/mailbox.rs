//! What other threads leave for the client's thread.
use alloc::vec::Vec;
use core::mem;
use thread_mqtt_client::Client;
use thread_mqtt_session::{Command, CommandError, Load, Token, Version};

/// Commands of other threads, kept until the client's thread takes them.
///
/// A program whose threads share a client puts a mailbox, and not the driver, behind a lock: the
/// lock is then never held while the client computes, and a command is accepted or refused at
/// once. The client's thread calls [`Driver::collect`](crate::Driver::collect) under the lock
/// before each turn; a thread that leaves something here wakes it afterwards.
///
/// The mailbox counts against the limits of the outbox what the session holds as well as what
/// waits here, so what it accepts is never refused later.
#[derive(Debug)]
pub struct Mailbox {
    version: Version,
    limit: Load,
    /// What the driver has, as of its last visit.
    held: Load,
    waiting: Load,
    commands: Vec<(Token, Command)>,
    last_token: u32,
    started: bool,
    stops: bool,
}

/// What the driver took out of a mailbox.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    pub(crate) commands: Vec<(Token, Command)>,
    /// Disconnect first.
    pub(crate) stops: bool,
    /// The application wants the client to be connected.
    pub(crate) started: bool,
}

impl Mailbox {
    /// An empty mailbox for a client that is idle.
    pub fn new(client: &Client) -> Self {
        let session = client.session();
        Self {
            version: session.version(),
            limit: session.outbox_limit(),
            held: session.outbox_load(),
            waiting: Load::default(),
            commands: Vec::new(),
            last_token: 0,
            started: false,
            stops: false,
        }
    }

    /// The version of MQTT, which [`Command::publish`] asks for.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Messages and requests that are queued or unacknowledged.
    pub fn load(&self) -> Load {
        self.held + self.waiting
    }

    /// Whether there is room for a message with this topic and a payload of this length.
    pub fn check_publish(&self, topic: &str, payload_len: usize) -> Result<(), CommandError> {
        self.limit.check_publish(self.load(), topic, payload_len)
    }

    /// Whether there is room for a request with this filter.
    pub fn check_filter(&self, filter: &str) -> Result<(), CommandError> {
        self.limit.check_filter(self.load(), filter)
    }

    /// Accepts a command, or gives it back with the reason. The token names it in its event.
    pub fn submit(&mut self, command: Command) -> Result<Token, (CommandError, Command)> {
        let bytes = command.bytes();
        if let Err(error) = self.limit.check_room(self.load(), bytes) {
            return Err((error, command));
        }
        if self.commands.try_reserve(1).is_err() {
            return Err((CommandError::OutOfMemory, command));
        }
        self.last_token = self.last_token.wrapping_add(1);
        let token = Token(self.last_token);
        self.waiting = self.waiting + Load { commands: 1, bytes };
        self.commands.push((token, command));
        Ok(token)
    }

    /// Has the client connect and stay connected; after a stop, once it has stopped. False if it
    /// was started already.
    pub fn start(&mut self) -> bool {
        !mem::replace(&mut self.started, true)
    }

    /// Has the client disconnect; [`Event::Stopped`](thread_mqtt_client::Event::Stopped) follows.
    /// False if it was not started.
    pub fn stop(&mut self) -> bool {
        let was_started = mem::replace(&mut self.started, false);
        self.stops |= was_started;
        was_started
    }

    /// Whether the client was started and not stopped since.
    pub fn is_started(&self) -> bool {
        self.started
    }

    /// Moves everything to `orders`; `held` is what the driver has, without `orders`. True if
    /// there is more room than before.
    pub(crate) fn empty_into(&mut self, orders: &mut Orders, held: Load) -> bool {
        let before = self.load();
        let mut left: Load = (orders.commands.iter()).fold(held, |load, (_, command)| {
            let bytes = command.bytes();
            load + Load { commands: 1, bytes }
        });
        // What the heap had no room for last time goes first.
        if orders.commands.is_empty() {
            mem::swap(&mut self.commands, &mut orders.commands);
            left = left + mem::take(&mut self.waiting);
        }
        self.held = left;
        orders.started = self.started;
        orders.stops |= mem::take(&mut self.stops);
        let now = self.load();
        now.commands < before.commands || now.bytes < before.bytes
    }
}
