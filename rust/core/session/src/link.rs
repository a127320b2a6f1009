//! What belongs to one connection and dies with it.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::config::{Config, QoS};
use crate::packet::frame::Framer;
use crate::packet::{Connack, PINGREQ};

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
        let session_expiry = match config.version {
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

/// One connection.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) phase: Phase,
    /// `None` before CONNACK.
    limits: Option<Limits>,
    pub(crate) clean: bool,
    pub(crate) framer: Framer,
    /// Acknowledgements and pings waiting for the next packet boundary.
    pub(crate) control: Vec<u8>,
    /// Whole packets being transmitted; the last one may lack its large payload.
    pub(crate) staged: Vec<u8>,
    /// How much of `staged` is gone.
    pub(crate) consumed: usize,
    /// Where in `staged` the packets of outbox items end.
    pub(crate) ends: Vec<usize>,
    /// The large payload that follows `staged` (of the outbox item number `sent`, once the items
    /// in `ends` are counted), and how much of it is gone.
    pub(crate) payload: Option<usize>,
    /// Outbox items before this one were handed to the transport.
    pub(crate) sent: usize,
    /// QoS 1 and 2 messages among the sent and the staged.
    pub(crate) in_flight: u16,
    /// Topic names by alias, the broker's.
    pub(crate) aliases: Vec<String>,
    /// When the transport last took bytes.
    last_sent: Duration,
    /// Since when an answer is owed without a sign of life.
    waiting_since: Option<Duration>,
    /// CONNACK or PINGRESP must be there by then.
    pub(crate) response_by: Option<Duration>,
    /// Time of the last `transmit`.
    pub(crate) now: Duration,
}

impl Link {
    pub(crate) fn new(now: Duration, response_timeout: Duration, clean: bool) -> Self {
        Link {
            phase: Phase::Connecting,
            limits: None,
            clean,
            framer: Framer::default(),
            control: Vec::new(),
            staged: Vec::new(),
            consumed: 0,
            ends: Vec::new(),
            payload: None,
            sent: 0,
            in_flight: 0,
            aliases: Vec::new(),
            last_sent: now,
            waiting_since: None,
            response_by: Some(later(now, response_timeout)),
            now,
        }
    }

    pub(crate) fn limits(&self) -> Option<&Limits> {
        match self.phase {
            Phase::Over => None,
            _ => self.limits.as_ref(),
        }
    }

    pub(crate) fn awaits_connack(&self) -> bool {
        self.limits.is_none()
    }

    /// CONNACK was accepted.
    pub(crate) fn come_online(&mut self, limits: Limits) {
        self.limits = Some(limits);
        self.response_by = None;
        if self.phase == Phase::Connecting {
            self.phase = Phase::Online;
        }
    }

    /// Outbox items staged or sent.
    pub(crate) fn begun(&self) -> usize {
        self.sent + self.ends.len()
    }

    /// Nothing is half transmitted.
    pub(crate) fn is_drained(&self) -> bool {
        self.consumed == self.staged.len() && self.payload.is_none()
    }

    /// The broker owes an answer.
    pub(crate) fn awaits_answer(&self) -> bool {
        self.phase != Phase::Over && (self.response_by.is_some() || self.waiting_since.is_some())
    }

    /// When a PINGREQ is due, unless one is under way.
    pub(crate) fn ping_due(&self) -> Option<Duration> {
        let limits = self.limits.as_ref()?;
        let keeps_alive = self.phase == Phase::Online && !limits.keep_alive.is_zero();
        if !keeps_alive || self.response_by.is_some() {
            return None;
        }
        let since = match self.waiting_since {
            Some(waiting) => waiting.min(self.last_sent),
            None => self.last_sent,
        };
        Some(later(since, limits.keep_alive))
    }

    pub(crate) fn ping(&mut self, now: Duration, response_timeout: Duration) {
        self.control.extend_from_slice(&PINGREQ);
        self.response_by = Some(later(now, response_timeout));
    }

    /// The transport took bytes.
    pub(crate) fn note_sent(&mut self) {
        self.last_sent = self.now;
    }

    /// A packet that will be answered is with the transport.
    pub(crate) fn note_waiting(&mut self) {
        if self.waiting_since.is_none() {
            self.waiting_since = Some(self.now);
        }
    }

    /// A packet arrived.
    pub(crate) fn note_received(&mut self, now: Duration, waiting: bool) {
        self.waiting_since = waiting.then_some(now);
    }
}

/// The time after `delay`, as far as time goes. One place for arithmetic that is dozens of bytes long.
#[inline(never)]
pub(crate) fn later(now: Duration, delay: Duration) -> Duration {
    now.saturating_add(delay)
}
