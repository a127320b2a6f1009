//! Detects peers that stop responding.
use smoltcp::socket::tcp::{Socket, State};
use smoltcp::time::{Duration, Instant};

/// Gives up a peer that does not acknowledge what was sent. smoltcp's own timeout also applies to
/// idle connections, which may be silent indefinitely.
#[derive(Debug)]
pub(crate) struct Patience {
    silence: Duration,
    idle_since: Option<Instant>,
}

impl Patience {
    /// `silence` is how long the peer may take to respond.
    pub(crate) fn new(silence: Duration, socket: &mut Socket<'_>) -> Self {
        socket.set_timeout(Some(silence));
        Self {
            silence,
            idle_since: None,
        }
    }

    /// Call this before the socket is polled.
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
                // smoltcp counts from when bytes are queued, and for a FIN from when it last heard
                // the peer.
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
