//! Control over connections: which broker they lead to, how long they may be silent, and whether
//! they made progress.
use core::time::Duration;

use crate::config::Version;
use crate::error::SessionError;
use crate::link::Link;
use crate::session::Session;

impl Session {
    /// Returns the number of events not yet returned by [`poll_event`](Self::poll_event).
    pub fn events_len(&self) -> usize {
        self.events.len()
    }

    /// Returns whether the broker has answered a message, request or ping on this connection since
    /// CONNACK. A broker that accepts and then ends every connection never does.
    pub fn was_answered(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.answered)
    }

    /// Declares that the next broker does not know this session, or knows only an outdated state.
    /// With `true`, connections ask for a clean start until one is accepted; messages are then sent
    /// as new ones and subscriptions are renewed. `false` revokes this.
    pub fn start_anew(&mut self, anew: bool) {
        self.state.anew = anew;
    }

    /// Returns whether the connection made progress although it ended with this error. Either the
    /// broker has more messages than this side can remember at once, but some of them were
    /// delivered; a new session would lose the rest. Or the next CONNECT differs from this one: it
    /// asks for a clean start, or for another identifier in place of an assigned one.
    pub fn goes_on_after(&self, error: SessionError) -> bool {
        self.link.as_ref().is_some_and(|link| match error {
            SessionError::ReceiveMaximumExceeded | SessionError::Refused(_) => link.gained,
            // A broker that resumes a session despite a clean start would do so forever.
            SessionError::UnexpectedSession => !link.clean,
            _ => false,
        })
    }

    /// Sets the name of the broker for the next connection. Once it accepts the session, the name
    /// is stored with it.
    pub fn set_peer(&mut self, peer: &str) {
        if self.state.journal.is_on() {
            self.state.next_peer.clear();
            self.state.next_peer.push_str(peer);
        }
    }

    /// Returns the stored name of the broker that has the session. Empty if there is none, or no
    /// [storage](Self::with_store).
    pub fn peer(&self) -> &str {
        &self.state.peer
    }

    /// Returns whether the session has a working storage.
    pub fn is_durable(&self) -> bool {
        self.state.journal.is_on()
    }

    /// Returns whether the broker has accepted the session on this connection, whatever happened
    /// since.
    pub fn was_accepted(&self) -> bool {
        self.link.as_ref().is_some_and(Link::was_online)
    }

    /// Switches to another version of MQTT for the next connection; the current one is abandoned.
    ///
    /// Waiting messages are kept, but MQTT 3.1.1 cannot send their properties, and new messages
    /// with properties are refused. Returns `false` and changes nothing if the version is not built
    /// in, or if the configuration needs MQTT 5: a password without a user name, or a will with
    /// properties.
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

    /// Returns whether a queued message has properties, which MQTT 3.1.1 cannot send.
    pub fn has_properties(&self) -> bool {
        self.state.outbox.has_properties()
    }

    /// Sets another [`keep_alive`](crate::Config::keep_alive) from the next connection on. It is
    /// reduced to what MQTT can express: whole seconds, at most 65,535.
    pub fn set_keep_alive(&mut self, keep_alive: Duration) {
        let seconds = keep_alive.as_secs().min(u16::MAX.into());
        self.config.keep_alive = Duration::from_secs(seconds);
    }

    /// Sends PINGREQ after this much silence if the keep-alive in force is longer, or off; also on
    /// the current connection. `None` leaves it to the keep-alive.
    pub fn set_ping_after(&mut self, silence: Option<Duration>) {
        self.ping_after = silence;
        if let Some(link) = &mut self.link {
            link.ping_after = silence;
        }
    }
}
