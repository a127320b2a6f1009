//! What other threads leave for the client's thread.
use alloc::vec::Vec;
use core::mem;
use thread_mqtt_client::Client;
use thread_mqtt_session::{
    Command, CommandError, Load, Pieces, PublishError, PublishOptions, QoS, Room, Token, Version,
};

/// Commands of other threads, kept until the client's thread takes them.
///
/// A program whose threads share a client puts a mailbox, and not the driver, behind a lock: the
/// lock is then never held while the client computes, and a command is accepted or refused at
/// once. The client's thread calls [`Driver::collect`](crate::Driver::collect) under the lock
/// before each turn; a thread that leaves something here wakes it afterwards.
///
/// The mailbox counts against the limits of the outbox what the session holds as well as what
/// waits here, and knows its policy, so what it accepts is not refused later. With a policy that
/// drops messages the outbox may exceed its limits for a moment, at most by as much again: what
/// could have been dropped is perhaps being sent when the new ones arrive. If the client's thread stays away
/// for longer, in a handshake for instance, the policy acts on what waits here.
///
/// A client with a mailbox takes its commands from there alone: those given to it directly have tokens of a
/// count of their own, which would name two messages alike.
#[derive(Debug)]
pub struct Mailbox {
    version: Version,
    /// What the driver has, as of its last visit, and what waits here.
    room: Room,
    commands: Vec<(Token, Command)>,
    /// What the policy has dropped here, and why.
    dropped: Vec<(Token, PublishError)>,
    /// Such messages whose ends the driver still has to tell, as of its last visit.
    untold: usize,
    pieces: Vec<Piece>,
    /// The piece that the session awaits, as of the driver's last visit: its message, its offset, and the most bytes.
    wanted: Option<(Token, u32, u32)>,
    given_up: Vec<Token>,
    last_token: Token,
    started: bool,
    stops: bool,
    retries: bool,
}

/// Messages that are dropped here at most before their ends were told: 3 KiB.
const MOST_DROPPED: usize = 256;

/// Pieces that wait at most. The session wants one at a time; others may be left over from a connection
/// that has ended.
const PIECES: usize = 4;

/// A piece of a message: its message, the bytes before it, and what it holds.
pub(crate) type Piece = (Token, u32, Vec<u8>);

/// What the driver took out of a mailbox.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    pub(crate) commands: Vec<(Token, Command)>,
    pub(crate) dropped: Vec<(Token, PublishError)>,
    pub(crate) pieces: Vec<Piece>,
    /// Messages in pieces that are not to be sent.
    pub(crate) given_up: Vec<Token>,
    /// Disconnect first.
    pub(crate) stops: bool,
    /// The application wants the client to be connected.
    pub(crate) started: bool,
    /// The pause after a failure ends.
    pub(crate) retries: bool,
}

impl Mailbox {
    /// An empty mailbox for a client that is idle.
    pub fn new(client: &Client) -> Self {
        let session = client.session();
        Self {
            version: session.version(),
            room: session.outbox_room(),
            commands: Vec::new(),
            dropped: Vec::new(),
            untold: 0,
            pieces: Vec::new(),
            wanted: None,
            given_up: Vec::new(),
            last_token: Token(0),
            started: false,
            stops: false,
            retries: false,
        }
    }

    /// The version of MQTT, which [`Command::publish`] asks for.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Messages and requests that are queued or unacknowledged.
    pub fn load(&self) -> Load {
        self.room.load()
    }

    /// Whether there is room for a message with this topic and a payload of this length.
    pub fn check_publish(
        &self,
        topic: &str,
        payload_len: usize,
        qos: QoS,
        options: PublishOptions,
    ) -> Result<(), CommandError> {
        let room = self.room.check_publish(topic, payload_len, qos, options);
        let waits = !self.commands.is_empty() && self.may_drop(1);
        match room {
            // What has to go is found out with the command.
            Err(CommandError::Full) if waits && self.room.policy_acts(options) => Ok(()),
            room => room,
        }
    }

    /// Whether there is room for a request with this filter.
    pub fn check_filter(&self, filter: &str) -> Result<(), CommandError> {
        self.room.check_filter(filter)
    }

    /// Accepts a command, or gives it back with the reason. The token names it in its event.
    pub fn submit(&mut self, command: Command) -> Result<Token, (CommandError, Command)> {
        self.make_room(&command);
        if let Err(error) = self.room.check(&command) {
            return Err((error, command));
        }
        if self.commands.try_reserve(1).is_err() {
            return Err((CommandError::OutOfMemory, command));
        }
        let token = self.last_token.next();
        self.last_token = token;
        self.room.add(&command);
        self.commands.push((token, command));
        Ok(token)
    }

    /// Drops what waits here for a new command, where the policy says so and the session, whose thread
    /// has not come by, cannot.
    fn make_room(&mut self, command: &Command) {
        let mut victims = self.room.victims_of(command, &self.commands);
        if !self.may_drop(victims.len()) || self.dropped.try_reserve(victims.len()).is_err() {
            return;
        }
        victims.sort_unstable();
        for index in victims.into_iter().rev() {
            let (token, victim) = self.commands.remove(index);
            self.room.remove(&victim);
            self.dropped.push((token, self.room.why_dropped()));
        }
    }

    fn may_drop(&self, count: usize) -> bool {
        self.untold + self.dropped.len() + count <= MOST_DROPPED
    }

    /// Supplies a piece of a message that was queued [in pieces](Command::publish_in_pieces): see
    /// [`Client::supply`]. One that is not wanted when the client's thread takes it is dropped.
    pub fn supply(
        &mut self,
        token: Token,
        offset: u32,
        piece: Vec<u8>,
    ) -> Result<(), CommandError> {
        if !Pieces::BUILT {
            return Err(CommandError::NotBuilt("PIECES"));
        }
        let most = match self.wanted {
            Some((wanted, at, most)) if (wanted, at) == (token, offset) => most as usize,
            _ => usize::MAX,
        };
        if piece.is_empty() || piece.len() > most {
            return Err(CommandError::PieceLength);
        }
        if self.pieces.len() >= PIECES {
            return Err(CommandError::Full);
        }
        let room = self.pieces.try_reserve(1);
        room.map_err(|_| CommandError::OutOfMemory)?;
        self.pieces.push((token, offset, piece));
        Ok(())
    }

    /// Notes the version of MQTT that is spoken, and the piece that the session awaits.
    pub(crate) fn want(&mut self, version: Version, piece: Option<(Token, u32, u32)>) {
        self.version = version;
        self.wanted = piece.filter(|_| Pieces::BUILT);
    }

    /// Gives up a message that was queued in pieces: see [`Client::give_up_pieces`].
    pub fn give_up_pieces(&mut self, token: Token) -> Result<(), CommandError> {
        if !Pieces::BUILT || self.given_up.contains(&token) {
            return Ok(());
        }
        let room = self.given_up.try_reserve(1);
        room.map_err(|_| CommandError::OutOfMemory)?;
        self.given_up.push(token);
        Ok(())
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

    /// Has the client end its pause after a failure, see
    /// [`Client::retry_now`](thread_mqtt_client::Client::retry_now). False if it was not started.
    pub fn retry_now(&mut self) -> bool {
        self.retries |= self.started;
        self.started
    }

    /// Whether the client was started and not stopped since.
    pub fn is_started(&self) -> bool {
        self.started
    }

    /// Moves everything to `orders`; `room` is the session's, without `orders`. True if there may be
    /// more room than before.
    pub(crate) fn empty_into(&mut self, orders: &mut Orders, room: Room) -> bool {
        let before = self.load();
        let could_drop = self.room.may_drop();
        // What the heap had no room for last time goes first.
        if orders.commands.is_empty() {
            mem::swap(&mut self.commands, &mut orders.commands);
        }
        orders.dropped.append(&mut self.dropped);
        self.untold = orders.dropped.len();
        if Pieces::BUILT {
            orders.pieces.append(&mut self.pieces);
            orders.given_up.append(&mut self.given_up);
        }
        self.room = room;
        for (_, command) in orders.commands.iter().chain(&self.commands) {
            self.room.add(command);
        }
        orders.started = self.started;
        orders.stops |= mem::take(&mut self.stops);
        orders.retries |= mem::take(&mut self.retries);
        let now = self.load();
        now.commands < before.commands
            || now.bytes < before.bytes
            || self.room.may_drop() && !could_drop
    }
}
