//! How long a peer may stay silent.
use smoltcp::socket::tcp::{Socket, State};
use smoltcp::time::{Duration, Instant};

/// Gives a peer up that does not answer what was sent to it. The time-out of smoltcp runs on idle connections as
/// well, which may be silent for ever.
#[derive(Debug)]
pub(crate) struct Patience {
    silence: Duration,
    idle_since: Option<Instant>,
}

impl Patience {
    /// `silence` is how long the peer may take.
    pub(crate) fn new(silence: Duration, socket: &mut Socket<'_>) -> Self {
        socket.set_timeout(Some(silence));
        Self {
            silence,
            idle_since: None,
        }
    }

    /// To be called before the socket is polled.
    pub(crate) fn watch(&mut self, socket: &mut Socket<'_>, now: Instant) {
        let is_open = matches!(socket.state(), State::Established | State::CloseWait);
        let is_idle = is_open && socket.send_queue() == 0;
        match (is_idle, self.idle_since) {
            (true, None) => {
                self.idle_since = Some(now);
                socket.set_timeout(None);
            }
            (false, Some(since)) => {
                self.idle_since = None;
                // smoltcp counts from when bytes are queued, and for a FIN from when the peer was last heard.
                let counted = match socket.send_queue() {
                    0 => now - since,
                    _ => Duration::ZERO,
                };
                socket.set_timeout(Some(self.silence + counted));
            }
            _ => {}
        }
    }
}
