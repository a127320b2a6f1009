//! What the owner of a session decides about its connections: to which broker they lead, how long
//! they may be silent, and whether they were worth anything.
use core::time::Duration;

use crate::config::Version;
use crate::error::SessionError;
use crate::link::Link;
use crate::session::Session;

impl Session {
    /// Events that [`poll_event`](Self::poll_event) has not returned yet.
    pub fn events_len(&self) -> usize {
        self.events.len()
    }

    /// Whether the broker has answered anything on this connection after its CONNACK: a message,
    /// a request or a ping. A broker that accepts and then ends every connection never does.
    pub fn was_answered(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.answered)
    }

    /// The next broker is another one, which knows nothing of this session, or only something that
    /// is out of date: with `true` connections ask for a clean start until one is accepted; then messages are
    /// sent anew and subscriptions repeated. `false` takes it back.
    pub fn start_anew(&mut self, anew: bool) {
        self.state.anew = anew;
    }

    /// Whether the connection that this error ended made way all the same. The broker has more
    /// messages than this side can remember at once, and is rid of some of them: a new session would
    /// lose the rest. Or the next CONNECT asks for what this one did not: a clean start, or another name in the
    /// place of an assigned one.
    pub fn goes_on_after(&self, error: SessionError) -> bool {
        self.link.as_ref().is_some_and(|link| match error {
            SessionError::ReceiveMaximumExceeded | SessionError::Refused(_) => link.gained,
            // A broker that claims a session in spite of a clean start would claim it for ever.
            SessionError::UnexpectedSession => !link.clean,
            _ => false,
        })
    }

    /// Names the broker of the next connection. Once it accepts the session, the name is kept with
    /// that in the storage.
    pub fn set_peer(&mut self, peer: &str) {
        if self.state.journal.is_on() {
            self.state.next_peer.clear();
            self.state.next_peer.push_str(peer);
        }
    }

    /// The name of the broker that has the session, of the [storage](Self::with_store); empty if
    /// there is none.
    pub fn peer(&self) -> &str {
        &self.state.peer
    }

    /// Whether the session has a storage that works.
    pub fn is_durable(&self) -> bool {
        self.state.journal.is_on()
    }

    /// Whether the broker has accepted the session on this connection, whatever happened since.
    pub fn was_accepted(&self) -> bool {
        self.link.as_ref().is_some_and(Link::was_online)
    }

    /// Speaks another version of MQTT from the next connection on; the current one is given up.
    /// Messages that wait are kept, but MQTT 3.1.1 has no place for their properties, and refuses new
    /// messages that have some. A password without a user name, and a will with properties, are things
    /// that only MQTT 5 knows: a session that has them stays as it is (`false`), as it does where the other
    /// version is not built in.
    pub fn set_version(&mut self, version: Version) -> bool {
        if !version.is_built() {
            return false;
        }
        let config = &self.config;
        let will = config.will.as_ref();
        let needs_v5 = config.password.is_some() && config.username.is_none()
            || will.is_some_and(|will| will.properties.is_some());
        if version == Version::V311 && needs_v5 {
            return false;
        }
        if self.config.version != version {
            self.handle_network_lost();
            self.config.version = version;
        }
        true
    }

    /// Announces another [`keep_alive`](crate::Config::keep_alive) from the next connection on.
    /// What MQTT cannot say (a fraction of a second, more than 65,535 s) is cut off.
    pub fn set_keep_alive(&mut self, keep_alive: Duration) {
        let seconds = keep_alive.as_secs().min(u16::MAX.into());
        self.config.keep_alive = Duration::from_secs(seconds);
    }

    /// Sends PINGREQ after this much silence where the keep-alive in force is longer, or off, also on
    /// the current connection; `None` leaves it to the keep-alive.
    pub fn set_ping_after(&mut self, silence: Option<Duration>) {
        self.ping_after = silence;
        if let Some(link) = &mut self.link {
            link.ping_after = silence;
        }
    }
}
