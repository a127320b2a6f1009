//! State that belongs to one connection and ends with it.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::config::{Config, QoS};
use crate::packet::frame::Framer;
use crate::packet::{Connack, PINGREQ};
use crate::pieces::{Incoming, Wanted};
use crate::slab::Key;

/// Delay before an allocation that failed is tried again.
const HEAP_PAUSE: Duration = Duration::from_secs(1);

/// The broker's limits on this connection. MQTT 3.1.1 does not announce any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Maximum number of unacknowledged QoS 1 and 2 messages to the broker: the smaller of its and
    /// our limit.
    pub receive_maximum: u16,
    /// Highest QoS the broker accepts.
    pub maximum_qos: QoS,
    /// Whether the broker supports retained messages.
    pub retain_available: bool,
    /// Largest packet the broker accepts, in bytes.
    pub maximum_packet_size: Option<u32>,
    /// Whether subscriptions may contain `+` and `#`.
    pub wildcards_available: bool,
    /// Whether subscriptions may begin with `$share/`.
    pub shared_available: bool,
    /// Maximum number of topic aliases that the broker accepts (MQTT 5). This session uses none.
    pub topic_alias_maximum: u16,
    /// The keep-alive in force: the broker's if it set one, otherwise ours. Zero means off.
    pub keep_alive: Duration,
    /// Seconds the broker keeps the session after the connection ends (MQTT 5; 0 with MQTT 3.1.1).
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
    /// CONNECT is queued or sent, CONNACK is awaited.
    Connecting,
    /// CONNACK was accepted.
    Online,
    /// DISCONNECT follows whatever can still be sent.
    Leaving,
    /// Nothing more is sent or decoded, except that staged bytes are still sent.
    Over,
}

/// State of a PINGREQ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ping {
    None,
    /// To be sent, since this time.
    Queued(Duration),
    /// Handed to the transport at this time; nothing has arrived since.
    Sent(Duration),
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) phase: Phase,
    /// `None` before CONNACK.
    limits: Option<Limits>,
    pub(crate) clean: bool,
    /// The end is not the fault of a message we sent: the application or incoming data caused it.
    pub(crate) left: bool,
    pub(crate) framer: Framer,
    /// The message that is arriving in pieces.
    pub(crate) incoming: Option<Incoming>,
    /// The piece that the application was asked for.
    pub(crate) wanted: Option<Wanted>,
    /// Acknowledgements and pings waiting for the next packet boundary.
    pub(crate) control: Vec<u8>,
    /// Whole packets being transmitted; the last one may lack its large payload.
    pub(crate) staged: Vec<u8>,
    /// How much of `staged` was sent.
    pub(crate) consumed: usize,
    /// Offsets in `staged` where the packets of outbox items end.
    pub(crate) ends: Vec<(usize, Key)>,
    /// The outbox item whose large payload follows `staged`, and how much of it was sent.
    pub(crate) payload: Option<(Key, usize)>,
    /// QoS 1 and 2 messages that are sent or staged.
    pub(crate) in_flight: u16,
    /// Requests that are sent or staged.
    pub(crate) requests: usize,
    /// Subscriptions are renewed starting after this one, by name.
    pub(crate) repeated: Option<String>,
    /// The suspect in flight. Nothing else is sent until this time.
    pub(crate) alone: Option<(Key, Duration)>,
    /// The message whose PUBREL the broker may leave unanswered: a PUBREL sent before the first use
    /// of the identifier, or sent on an earlier connection. Others wait for its PUBCOMP, or for
    /// PINGRESP.
    pub(crate) releasing: Option<Key>,
    /// PINGREQ was sent after that unanswered PUBREL.
    pub(crate) pinged_behind: bool,
    /// Number of unanswered PINGREQs.
    pings: u8,
    /// The answer timeout of messages and requests starts no earlier than this.
    pub(crate) judged_from: Duration,
    /// Number of messages and requests that the broker answered.
    pub(crate) passed: u32,
    /// A packet arrived after CONNACK.
    pub(crate) proven: bool,
    /// The broker answered something after CONNACK, even if only a ping.
    pub(crate) answered: bool,
    /// The connection made progress, whatever ends it: a QoS 2 message arrived for the first time,
    /// or the broker rejected an identifier that it had assigned.
    pub(crate) gained: bool,
    /// PINGREQ is due after this much silence if the keep-alive is longer or off.
    pub(crate) ping_after: Option<Duration>,
    /// The broker's topic names by alias.
    pub(crate) aliases: Vec<String>,
    /// When the transport last took bytes.
    last_sent: Duration,
    /// When it last delivered some.
    last_read: Duration,
    ping: Ping,
    /// Offset in `staged` where a PINGREQ ends.
    ping_end: Option<usize>,
    response_timeout: Duration,
    /// Deadline for CONNACK.
    connack_by: Duration,
    /// When to retry what failed because the heap was exhausted.
    pub(crate) heap_due: Option<Duration>,
    /// The latest time passed to the session.
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

    /// Returns until when nothing may follow the suspect in flight, if that is in the future.
    pub(crate) fn alone_until(&self) -> Option<Duration> {
        let (_, until) = self.alone?;
        Some(until).filter(|_| !is_due(Some(until), self.now))
    }

    /// Returns whether CONNACK was accepted at some time.
    pub(crate) fn was_online(&self) -> bool {
        self.limits.is_some()
    }

    /// Returns whether CONNECT may have reached the broker.
    pub(crate) fn connect_sent(&self) -> bool {
        self.control.is_empty() && self.is_drained() && self.phase != Phase::Over
    }

    /// Handles an accepted CONNACK.
    pub(crate) fn come_online(&mut self, limits: Limits) {
        self.limits = Some(limits);
        if self.phase == Phase::Connecting {
            self.phase = Phase::Online;
        }
    }

    /// Returns whether nothing is half transmitted.
    pub(crate) fn is_drained(&self) -> bool {
        self.consumed == self.staged.len() && self.payload.is_none()
    }

    /// Returns whether the broker owes CONNACK or PINGRESP.
    pub(crate) fn awaits_response(&self) -> bool {
        self.phase != Phase::Over && (self.limits.is_none() || self.ping != Ping::None)
    }

    /// Returns the deadline for CONNACK, or for any data after a PINGREQ.
    pub(crate) fn response_due(&self) -> Option<Duration> {
        match (self.phase, self.ping) {
            (Phase::Connecting, _) => Some(self.connack_by),
            (Phase::Online, Ping::Sent(at)) => Some(later(at, self.response_timeout)),
            // A transport that takes bytes slowly is not dead.
            (Phase::Online, Ping::Queued(since)) => {
                Some(later(since.max(self.last_sent), self.response_timeout))
            }
            _ => None,
        }
    }

    /// Returns when a PINGREQ is due: nothing was sent, or nothing received, for a keep-alive.
    /// While an answer is awaited for longer than a keep-alive, another one is sent (MQTT 5
    /// section 3.1.2.10).
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

    /// Schedules a retry, because nothing signals that the heap has room again.
    #[inline(never)]
    pub(crate) fn wait_for_heap(&mut self) {
        self.heap_due = Some(later(self.now, HEAP_PAUSE));
    }

    /// Returns whether PINGREQ can be queued: online, and none is pending.
    pub(crate) fn may_ping(&self) -> bool {
        self.phase == Phase::Online && self.ping == Ping::None
    }

    /// Queues PINGREQ, unless one is pending.
    pub(crate) fn ping(&mut self, now: Duration) {
        if self.ping == Ping::None {
            self.queue_ping();
            self.ping = Ping::Queued(now);
        }
    }

    /// Queues PINGREQ. The timeout of a pending one is not restarted.
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

    /// Queues PINGREQ to find out whether the broker ignores a PUBREL.
    pub(crate) fn ping_behind(&mut self, now: Duration) {
        self.pinged_behind = true;
        // A pending one may have been sent before the PUBREL.
        if !matches!(self.ping, Ping::Queued(_)) {
            self.ping_again(now);
        }
    }

    /// Handles PINGRESP. Returns whether it proves that the broker has read what was sent before.
    pub(crate) fn note_pingresp(&mut self) -> bool {
        self.pings = self.pings.saturating_sub(1);
        self.pinged_behind && self.pings == 0
    }

    /// Restarts the answer timeout.
    pub(crate) fn wait_longer(&mut self, now: Duration) {
        self.ping = Ping::Sent(now);
    }

    /// Stages what waited, to be sent next.
    pub(crate) fn stage_control(&mut self) {
        self.staged.clear();
        self.consumed = 0;
        core::mem::swap(&mut self.staged, &mut self.control);
        self.ping_end = matches!(self.ping, Ping::Queued(_)).then_some(self.staged.len());
    }

    /// Notes that the transport took bytes.
    pub(crate) fn note_sent(&mut self) {
        self.last_sent = self.now;
    }

    /// Notes that the transport has taken `consumed` bytes of what is staged.
    pub(crate) fn note_consumed(&mut self) {
        if self.ping_end.is_some_and(|end| end <= self.consumed) {
            self.ping_end = None;
            if self.ping != Ping::None {
                self.ping = Ping::Sent(self.now);
            }
        }
    }

    /// Notes that the transport delivered bytes: the connection is alive.
    pub(crate) fn note_read(&mut self) {
        self.last_read = self.now;
        // A PINGREQ still queued is sent anyway, but its question is answered.
        self.ping = Ping::None;
    }
}

/// Returns the earlier of two times.
#[inline(never)]
pub(crate) fn earliest(a: Option<Duration>, b: Option<Duration>) -> Option<Duration> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// Returns whether a time has come.
#[inline(never)]
pub(crate) fn is_due(due: Option<Duration>, now: Duration) -> bool {
    due.is_some_and(|due| now >= due)
}

/// Adds `delay`, saturating. A separate function because the arithmetic takes dozens of bytes.
#[inline(never)]
pub(crate) fn later(now: Duration, delay: Duration) -> Duration {
    now.saturating_add(delay)
}
