//! What belongs to one connection and dies with it.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::config::{Config, QoS};
use crate::packet::frame::Framer;
use crate::packet::{Connack, PINGREQ};
use crate::pieces::{Incoming, Wanted};
use crate::slab::Key;

/// How long what found no heap waits before it is tried again.
const HEAP_PAUSE: Duration = Duration::from_secs(1);

/// What the broker allows on this connection; MQTT 3.1.1 has no limits to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Most QoS 1 and 2 messages to the broker unacknowledged at once: the smaller of its and
    /// our own limit.
    pub receive_maximum: u16,
    /// Highest QoS the broker accepts.
    pub maximum_qos: QoS,
    /// The broker keeps retained messages.
    pub retain_available: bool,
    /// Largest packet the broker accepts, bytes.
    pub maximum_packet_size: Option<u32>,
    /// Subscriptions may contain `+` and `#`.
    pub wildcards_available: bool,
    /// Subscriptions may begin with `$share/`.
    pub shared_available: bool,
    /// Most topic aliases that the broker accepts (MQTT 5); this session uses none.
    pub topic_alias_maximum: u16,
    /// The keep-alive in force: the broker's if it gave one, else ours. Zero is off.
    pub keep_alive: Duration,
    /// Seconds the broker keeps the session once disconnected (MQTT 5; 0 with MQTT 3.1.1).
    pub session_expiry: u32,
}

impl Limits {
    pub(crate) fn new(config: &Config, connack: &Connack) -> Self {
        let theirs = connack.receive_maximum.map_or(u16::MAX, |n| n as u16);
        let keep_alive = match connack.keep_alive {
            Some(seconds) => Duration::from_secs(seconds.into()),
            None => config.keep_alive,
        };
        let session_expiry = match config.version() {
            crate::Version::V311 => 0,
            crate::Version::V5 => connack.session_expiry.unwrap_or(config.session_expiry),
        };
        Limits {
            receive_maximum: theirs.min(config.receive_maximum),
            maximum_qos: match connack.maximum_qos_is_1 {
                None => QoS::ExactlyOnce,
                Some(true) => QoS::AtLeastOnce,
                Some(false) => QoS::AtMostOnce,
            },
            retain_available: connack.retain_available.unwrap_or(true),
            maximum_packet_size: connack.maximum_packet_size,
            wildcards_available: connack.wildcards_available.unwrap_or(true),
            shared_available: connack.shared_available.unwrap_or(true),
            topic_alias_maximum: connack.topic_alias_maximum.map_or(0, |n| n as u16),
            keep_alive,
            session_expiry,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// CONNECT is on its way, CONNACK awaited.
    Connecting,
    /// CONNACK was accepted.
    Online,
    /// DISCONNECT follows what can still be sent.
    Leaving,
    /// Nothing more will be sent or understood but what is already staged.
    Over,
}

/// The way of a PINGREQ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ping {
    None,
    /// To be sent, since then.
    Queued(Duration),
    /// Handed to the transport; nothing arrived since then.
    Sent(Duration),
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) phase: Phase,
    /// `None` before CONNACK.
    limits: Option<Limits>,
    pub(crate) clean: bool,
    /// No message of this side is to blame for its end: the application ended it, or what came in.
    pub(crate) left: bool,
    pub(crate) framer: Framer,
    /// The message that is arriving in pieces.
    pub(crate) incoming: Option<Incoming>,
    /// The piece that the application is asked for.
    pub(crate) wanted: Option<Wanted>,
    /// Acknowledgements and pings waiting for the next packet boundary.
    pub(crate) control: Vec<u8>,
    /// Whole packets being transmitted; the last one may lack its large payload.
    pub(crate) staged: Vec<u8>,
    /// How much of `staged` is gone.
    pub(crate) consumed: usize,
    /// Where in `staged` the packets of outbox items end.
    pub(crate) ends: Vec<(usize, Key)>,
    /// The outbox item whose large payload follows `staged`, and how much of it is gone.
    pub(crate) payload: Option<(Key, usize)>,
    /// QoS 1 and 2 messages among the sent and the staged.
    pub(crate) in_flight: u16,
    /// Requests among them.
    pub(crate) requests: usize,
    /// Subscriptions are repeated after this one, by name.
    pub(crate) repeated: Option<String>,
    /// The suspect under way, which nothing else follows until then.
    pub(crate) alone: Option<(Key, Duration)>,
    /// The message of a PUBREL that the broker may leave unanswered: of one that goes before the first use of its
    /// identifier, or that went before. Others wait behind it for PUBCOMP, or for PINGRESP.
    pub(crate) releasing: Option<Key>,
    /// PINGREQ went behind that PUBREL, which was not answered.
    pub(crate) pinged_behind: bool,
    /// PINGREQs that were not answered.
    pings: u8,
    /// The time in which messages and requests are to be answered begins no earlier.
    pub(crate) judged_from: Duration,
    /// Messages and requests that the broker answered.
    pub(crate) passed: u32,
    /// Any packet arrived after CONNACK.
    pub(crate) proven: bool,
    /// The broker answered something after CONNACK, be it a ping.
    pub(crate) answered: bool,
    /// It made way, whatever ends it: a QoS 2 message arrived for the first time, or an assigned client
    /// identifier was taken back.
    pub(crate) gained: bool,
    /// PINGREQ is due after this much silence, if the keep-alive is longer or off.
    pub(crate) ping_after: Option<Duration>,
    /// Topic names by alias, the broker's.
    pub(crate) aliases: Vec<String>,
    /// When the transport last took bytes.
    last_sent: Duration,
    /// When it last brought some.
    last_read: Duration,
    ping: Ping,
    /// Where in `staged` a PINGREQ ends.
    ping_end: Option<usize>,
    response_timeout: Duration,
    /// CONNACK must be there by then.
    connack_by: Duration,
    /// What found no heap is tried again then.
    pub(crate) heap_due: Option<Duration>,
    /// The latest time that the session was told.
    pub(crate) now: Duration,
}

impl Link {
    pub(crate) fn new(now: Duration, response_timeout: Duration, clean: bool) -> Self {
        Link {
            phase: Phase::Connecting,
            limits: None,
            clean,
            left: false,
            framer: Framer::default(),
            incoming: None,
            wanted: None,
            control: Vec::new(),
            staged: Vec::new(),
            consumed: 0,
            ends: Vec::new(),
            payload: None,
            in_flight: 0,
            requests: 0,
            repeated: None,
            alone: None,
            releasing: None,
            pinged_behind: false,
            pings: 0,
            judged_from: now,
            passed: 0,
            proven: false,
            answered: false,
            gained: false,
            ping_after: None,
            aliases: Vec::new(),
            last_sent: now,
            last_read: now,
            ping: Ping::None,
            ping_end: None,
            response_timeout,
            connack_by: later(now, response_timeout),
            heap_due: None,
            now,
        }
    }

    pub(crate) fn limits(&self) -> Option<&Limits> {
        match self.phase {
            Phase::Over => None,
            _ => self.limits.as_ref(),
        }
    }

    /// Until when nothing follows the suspect under way, if that is still to come.
    pub(crate) fn alone_until(&self) -> Option<Duration> {
        let (_, until) = self.alone?;
        Some(until).filter(|_| !is_due(Some(until), self.now))
    }

    /// CONNACK was accepted at some time.
    pub(crate) fn was_online(&self) -> bool {
        self.limits.is_some()
    }

    /// CONNECT may have reached the broker.
    pub(crate) fn connect_sent(&self) -> bool {
        self.control.is_empty() && self.is_drained() && self.phase != Phase::Over
    }

    /// CONNACK was accepted.
    pub(crate) fn come_online(&mut self, limits: Limits) {
        self.limits = Some(limits);
        if self.phase == Phase::Connecting {
            self.phase = Phase::Online;
        }
    }

    /// Nothing is half transmitted.
    pub(crate) fn is_drained(&self) -> bool {
        self.consumed == self.staged.len() && self.payload.is_none()
    }

    /// The broker owes CONNACK or PINGRESP.
    pub(crate) fn awaits_response(&self) -> bool {
        self.phase != Phase::Over && (self.limits.is_none() || self.ping != Ping::None)
    }

    /// When CONNACK, or anything after a PINGREQ, must have arrived.
    pub(crate) fn response_due(&self) -> Option<Duration> {
        match (self.phase, self.ping) {
            (Phase::Connecting, _) => Some(self.connack_by),
            (Phase::Online, Ping::Sent(at)) => Some(later(at, self.response_timeout)),
            // A transport that takes bytes slowly is not a dead one.
            (Phase::Online, Ping::Queued(since)) => {
                Some(later(since.max(self.last_sent), self.response_timeout))
            }
            _ => None,
        }
    }

    /// When a PINGREQ is due: nothing was sent for a keep-alive, or nothing arrived. Where an answer is awaited
    /// for longer than a keep-alive, another one goes out (MQTT 5 section 3.1.2.10).
    pub(crate) fn ping_due(&self) -> Option<Duration> {
        let limits = self.limits.as_ref()?;
        let keep_alive = Some(limits.keep_alive).filter(|silence| !silence.is_zero());
        let (from, silence) = match (self.phase, self.ping) {
            (Phase::Online, Ping::None) => {
                let silence = earliest(keep_alive, self.ping_after);
                (self.last_sent.min(self.last_read), silence)
            }
            (Phase::Online, Ping::Sent(_)) if self.control.is_empty() && self.is_drained() => {
                (self.last_sent, keep_alive)
            }
            _ => return None,
        };
        Some(later(from, silence?))
    }

    /// Something has to wait for the heap, of which nothing tells.
    #[inline(never)]
    pub(crate) fn wait_for_heap(&mut self) {
        self.heap_due = Some(later(self.now, HEAP_PAUSE));
    }

    /// Whether PINGREQ can be asked for: online, and none is under way.
    pub(crate) fn may_ping(&self) -> bool {
        self.phase == Phase::Online && self.ping == Ping::None
    }

    /// Queues PINGREQ, unless one is under way.
    pub(crate) fn ping(&mut self, now: Duration) {
        if self.ping == Ping::None {
            self.queue_ping();
            self.ping = Ping::Queued(now);
        }
    }

    /// Queues PINGREQ; the time in which one under way is to be answered goes on.
    pub(crate) fn ping_again(&mut self, now: Duration) {
        match self.ping {
            Ping::None => self.ping(now),
            _ => self.queue_ping(),
        }
    }

    fn queue_ping(&mut self) {
        self.control.extend_from_slice(&PINGREQ);
        self.pings = self.pings.saturating_add(1);
    }

    /// Asks whether the broker has passed over a PUBREL that it does not answer.
    pub(crate) fn ping_behind(&mut self, now: Duration) {
        self.pinged_behind = true;
        // One under way may have been sent before.
        if !matches!(self.ping, Ping::Queued(_)) {
            self.ping_again(now);
        }
    }

    /// PINGRESP came; whether it says that the broker has read what was sent before.
    pub(crate) fn note_pingresp(&mut self) -> bool {
        self.pings = self.pings.saturating_sub(1);
        self.pinged_behind && self.pings == 0
    }

    /// The time in which it was to be answered begins again.
    pub(crate) fn wait_longer(&mut self, now: Duration) {
        self.ping = Ping::Sent(now);
    }

    /// What waited goes to the transport next.
    pub(crate) fn stage_control(&mut self) {
        self.staged.clear();
        self.consumed = 0;
        core::mem::swap(&mut self.staged, &mut self.control);
        self.ping_end = matches!(self.ping, Ping::Queued(_)).then_some(self.staged.len());
    }

    /// The transport took bytes.
    pub(crate) fn note_sent(&mut self) {
        self.last_sent = self.now;
    }

    /// The transport has taken `consumed` bytes of what is staged.
    pub(crate) fn note_consumed(&mut self) {
        if self.ping_end.is_some_and(|end| end <= self.consumed) {
            self.ping_end = None;
            if self.ping != Ping::None {
                self.ping = Ping::Sent(self.now);
            }
        }
    }

    /// The transport brought bytes: the path is alive.
    pub(crate) fn note_read(&mut self) {
        self.last_read = self.now;
        // A PINGREQ that is still here goes out all the same; what it asks is answered.
        self.ping = Ping::None;
    }
}

/// The earlier of two times.
#[inline(never)]
pub(crate) fn earliest(a: Option<Duration>, b: Option<Duration>) -> Option<Duration> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// Whether a time has come.
#[inline(never)]
pub(crate) fn is_due(due: Option<Duration>, now: Duration) -> bool {
    due.is_some_and(|due| now >= due)
}

/// The time after `delay`, as far as time goes. One place for arithmetic that is dozens of bytes long.
#[inline(never)]
pub(crate) fn later(now: Duration, delay: Duration) -> Duration {
    now.saturating_add(delay)
}
