//! Commands from other threads to the client's thread.
use alloc::vec::Vec;
use core::mem;
use thread_mqtt_client::Client;
use thread_mqtt_session::{
    Command, CommandError, Load, Pieces, PublishError, PublishOptions, QoS, Room, Token, Version,
};

/// Commands from other threads, kept until the client's thread collects them.
///
/// If threads share a client, put a mailbox behind a lock, not the driver. The lock is then never
/// held while the client computes, and a command is accepted or refused at once. The client's
/// thread calls [`Driver::collect`](crate::Driver::collect) under the lock before each turn. A
/// thread that submits something wakes it afterwards.
///
/// The mailbox counts both the contents of the session and its own against the outbox limits and
/// applies the overflow policy, so an accepted command is not refused later. With a policy that
/// drops messages, the outbox may briefly hold up to twice its limits, because messages that could
/// have been dropped may already be in flight when the new ones arrive. If the client's thread is
/// busy for longer, for example in a handshake, the policy is applied to the messages in the
/// mailbox.
///
/// A client with a mailbox must get all its commands from it. Tokens of commands given to it
/// directly are counted separately and would collide.
#[derive(Debug)]
pub struct Mailbox {
    version: Version,
    /// Contents of the session as of the driver's last visit, plus the mailbox's own.
    room: Room,
    commands: Vec<(Token, Command)>,
    /// Messages that the policy dropped here, and why.
    dropped: Vec<(Token, PublishError)>,
    /// How many of them the driver still had to report at its last visit.
    untold: usize,
    pieces: Vec<Piece>,
    /// The piece that the session awaited at the driver's last visit: message, offset and maximum
    /// size.
    wanted: Option<(Token, u32, u32)>,
    given_up: Vec<Token>,
    last_token: Token,
    started: bool,
    stops: bool,
    retries: bool,
}

/// Maximum number of dropped messages that are not reported yet: 3 KiB.
const MOST_DROPPED: usize = 256;

/// Maximum number of waiting pieces. The session wants one at a time; others may be left over from
/// a connection that has ended.
const PIECES: usize = 4;

/// A piece of a message: token, offset and bytes.
pub(crate) type Piece = (Token, u32, Vec<u8>);

/// What the driver took from a mailbox.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    pub(crate) commands: Vec<(Token, Command)>,
    pub(crate) dropped: Vec<(Token, PublishError)>,
    pub(crate) pieces: Vec<Piece>,
    /// Messages in pieces to give up.
    pub(crate) given_up: Vec<Token>,
    /// Disconnect first.
    pub(crate) stops: bool,
    /// Whether the application wants the client to be connected.
    pub(crate) started: bool,
    /// End the pause after a failure.
    pub(crate) retries: bool,
}

impl Mailbox {
    /// Creates an empty mailbox for an idle client.
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

    /// Returns the MQTT version, which [`Command::publish`] needs.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Returns the number and bytes of messages and requests that are queued or unacknowledged.
    pub fn load(&self) -> Load {
        self.room.load()
    }

    /// Checks whether there is room for a message with this topic and payload length.
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
            // What to drop is determined when the command arrives.
            Err(CommandError::Full) if waits && self.room.policy_acts(options) => Ok(()),
            room => room,
        }
    }

    /// Checks whether there is room for a request with this filter.
    pub fn check_filter(&self, filter: &str) -> Result<(), CommandError> {
        self.room.check_filter(filter)
    }

    /// Accepts a command and returns the token for its event, or returns the command with an error.
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

    /// Drops messages from the mailbox for a new command, if the policy says so. The session's
    /// thread cannot do it until its next visit.
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
    /// [`Client::supply`]. A piece that is not wanted when the client's thread takes it is dropped.
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

    /// Notes the current MQTT version and the piece that the session awaits.
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

    /// Makes the client connect and stay connected; after a stop, once it has stopped. Returns
    /// false if it was already started.
    pub fn start(&mut self) -> bool {
        !mem::replace(&mut self.started, true)
    }

    /// Makes the client disconnect; [`Event::Stopped`](thread_mqtt_client::Event::Stopped) follows.
    /// Returns false if it was not started.
    pub fn stop(&mut self) -> bool {
        let was_started = mem::replace(&mut self.started, false);
        self.stops |= was_started;
        was_started
    }

    /// Ends the client's pause after a failure, see
    /// [`Client::retry_now`](thread_mqtt_client::Client::retry_now). Returns false if it was not
    /// started.
    pub fn retry_now(&mut self) -> bool {
        self.retries |= self.started;
        self.started
    }

    /// Returns whether the client was started and not stopped since.
    pub fn is_started(&self) -> bool {
        self.started
    }

    /// Moves everything to `orders`; `room` is the session's, without `orders`. Returns true if
    /// there may be more room than before.
    pub(crate) fn empty_into(&mut self, orders: &mut Orders, room: Room) -> bool {
        let before = self.load();
        let could_drop = self.room.may_drop();
        // What did not fit on the heap last time goes first.
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
