//! A command in the outbox: a message or a request.

use alloc::vec::Vec;
use core::time::Duration;

use crate::config::{Overflow, QoS, Version};
#[cfg(feature = "durable")]
use crate::durable::Stored;
use crate::error::{CommandError, PublishError};
use crate::event::Token;
use crate::message::{Message, check_properties, check_topic};
use crate::options::{Priority, PublishOptions};
use crate::outbox::seconds_of;
use crate::packet;
use crate::pieces::Supply;
use crate::request::Request;
use crate::room::{POLICIES, check_options, waiting_list};

/// A command in the outbox.
#[derive(Debug)]
pub(crate) struct Item {
    /// `None` if the session itself made it.
    pub(crate) token: Option<Token>,
    /// Order of creation, modulo 2^32: older items have lower numbers.
    pub(crate) order: u32,
    /// 0 until it is first sent, unless it is stored.
    pub(crate) packet_id: u16,
    pub(crate) work: Work,
    /// The connection on which it was last handed to the transport in full; 0 for none.
    pub(crate) sent_on: u32,
    /// When that was, or when the broker last answered it.
    pub(crate) since: Duration,
    /// Number of connections that ended while it was in flight as the oldest one.
    pub(crate) ends: u8,
    /// Weight of the connections that ended while it was sent alone.
    pub(crate) proofs: u8,
    pub(crate) foreign: Foreign,
}

/// Whether the broker may still know the item's identifier from a previous run of this device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Foreign {
    No,
    /// PUBREL is sent first, to clear what the broker remembers.
    ReleaseFirst,
    /// PUBREL was answered.
    Released,
    /// PUBREL was read but not answered. A late PUBCOMP may be for it, and not for the message.
    Unanswered,
}

#[derive(Debug)]
pub(crate) enum Work {
    Publish(Outgoing),
    Request(Request),
}

/// An outgoing message.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) message: Message,
    pub(crate) priority: Priority,
    pub(crate) latest: bool,
    /// Whether it is to survive a restart; `None`: as configured.
    pub(crate) durable: Option<bool>,
    /// See [`Work::stored_id`].
    pub(crate) stored: u16,
    pub(crate) expires: Expiry,
    /// The source of its payload, if that is not in the message.
    pub(crate) supply: Supply,
    /// QoS 2: PUBREC arrived, PUBREL is to be answered. The message is kept in case the broker
    /// loses the session before forwarding it.
    pub(crate) released: bool,
    pub(crate) dup: Dup,
    /// In pieces, and the application can no longer supply them.
    pub(crate) given_up: bool,
}

/// Whether a message is marked as a possible duplicate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dup {
    No,
    /// From the next transmission on.
    Next,
    /// It was sent with DUP.
    Sent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expiry {
    Never,
    /// Seconds, counted from the next time passed to the session.
    In(u32),
    /// Second of the session's clock.
    At(u32),
}

impl Outgoing {
    pub(crate) fn qos(&self) -> QoS {
        self.message.qos
    }

    /// Creates a message that was stored before a restart.
    #[cfg(feature = "durable")]
    pub(crate) fn restored(id: u16, stored: Stored, released: bool, dup: bool) -> Self {
        Outgoing {
            message: stored.message,
            priority: Priority::Normal,
            latest: false,
            durable: Some(true),
            stored: id,
            expires: stored.expiry.map_or(Expiry::Never, Expiry::In),
            supply: Supply::default(),
            released,
            dup: if dup { Dup::Next } else { Dup::No },
            given_up: false,
        }
    }

    /// Returns the bytes of the whole payload.
    pub(crate) fn payload_len(&self) -> usize {
        self.supply.total().unwrap_or(self.message.payload.len())
    }

    /// Returns the bytes counted against the outbox. Of a payload in pieces, the largest piece
    /// counts.
    pub(crate) fn bytes(&self) -> usize {
        match self.supply.most() {
            Some(most) => self.message.size() - self.message.payload.len() + most,
            None => self.message.size(),
        }
    }

    /// Resets the payload to its beginning.
    pub(crate) fn begin_payload(&mut self) {
        if self.supply.begin() {
            self.message.payload = Vec::new();
        }
    }

    /// Returns the seconds left for a message being sent, at least one.
    pub(crate) fn seconds_left(&self, now: Duration) -> Option<u32> {
        match self.expires {
            Expiry::Never => None,
            Expiry::In(seconds) => Some(seconds),
            Expiry::At(second) => Some(second.saturating_sub(seconds_of(now)).max(1)),
        }
    }

    /// Returns the seconds within which a message that was not queued yet has to be sent.
    pub(crate) fn expiry(&self) -> Option<u32> {
        match self.expires {
            Expiry::In(seconds) => Some(seconds),
            Expiry::Never | Expiry::At(_) => None,
        }
    }

    /// Returns why this broker cannot be sent the message, apart from its size.
    pub(crate) fn refused_by(&self, limits: &crate::link::Limits) -> Option<PublishError> {
        if self.message.qos > limits.maximum_qos {
            let maximum = limits.maximum_qos;
            return Some(PublishError::QosNotSupported { maximum });
        }
        if self.message.retain && !limits.retain_available {
            return Some(PublishError::RetainNotSupported);
        }
        self.given_up.then_some(PublishError::NotSupplied)
    }

    /// Returns the queue it waits in.
    pub(crate) fn waiting_list(&self) -> usize {
        waiting_list(self.priority, self.message.qos)
    }

    /// Returns the options that determine its place in the queue.
    pub(crate) fn options(&self) -> PublishOptions {
        PublishOptions {
            priority: self.priority,
            latest: self.latest,
            expiry: None,
            durable: None,
        }
    }

    pub(crate) fn is_latest(&self, overflow: Overflow) -> bool {
        POLICIES && (self.latest || overflow == Overflow::LatestPerTopic)
    }
}

impl Work {
    /// Creates a message after checking it.
    pub(crate) fn publish(
        version: Version,
        message: Message,
        supply: Supply,
        options: PublishOptions,
    ) -> Result<Self, CommandError> {
        check_topic(&message.topic)?;
        check_properties(&message, version)?;
        check_options(options)?;
        let payload_len = supply.total().unwrap_or(message.payload.len());
        let size = packet::publish_size(version, &message, payload_len);
        if size.ok_or(CommandError::OutOfMemory)? > packet::MAX_SIZE {
            return Err(CommandError::PayloadTooLarge);
        }
        let in_message = message.carried().and_then(|p| p.message_expiry);
        let local = options.expiry.map(|expiry| {
            let seconds = (expiry.as_secs()).saturating_add(u64::from(expiry.subsec_nanos() != 0));
            u32::try_from(seconds).unwrap_or(u32::MAX)
        });
        let expires = match (in_message, local) {
            (None, None) => Expiry::Never,
            (a, b) => Expiry::In(a.unwrap_or(u32::MAX).min(b.unwrap_or(u32::MAX))),
        };
        Ok(Self::Publish(Outgoing {
            message,
            priority: options.priority,
            latest: options.latest,
            durable: options.durable,
            stored: 0,
            expires,
            supply,
            released: false,
            dup: Dup::No,
            given_up: false,
        }))
    }

    /// Returns the bytes counted against the outbox.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Work::Publish(outgoing) => outgoing.bytes(),
            Work::Request(request) => request.bytes(),
        }
    }

    /// Returns whether it is a QoS 1 or 2 message, which counts against the broker's Receive
    /// Maximum.
    pub(crate) fn counts_in_flight(&self) -> bool {
        matches!(self, Work::Publish(outgoing) if outgoing.qos() != QoS::AtMostOnce)
    }

    /// Returns the packet identifier under which it is stored; 0 if it is not.
    pub(crate) fn stored_id(&self) -> u16 {
        match self {
            Work::Publish(outgoing) if cfg!(feature = "durable") => outgoing.stored,
            _ => 0,
        }
    }

    /// Returns whether the broker will answer it.
    pub(crate) fn is_answered(&self) -> bool {
        matches!(self, Work::Request(_)) || self.counts_in_flight()
    }
}

impl Item {
    /// Returns whether it is stored.
    pub(crate) fn is_stored(&self) -> bool {
        self.work.stored_id() != 0
    }

    /// Returns whether PUBREL must be sent before the message, to clear what the broker remembers
    /// of the identifier. PUBCOMP has to arrive first: if the connection broke in between, the
    /// broker would take the message for a retransmission of the one it remembers.
    pub(crate) fn releases_first(&self) -> bool {
        let is_qos_2 = |outgoing: &Outgoing| outgoing.qos() == QoS::ExactlyOnce;
        self.foreign == Foreign::ReleaseFirst
            && matches!(&self.work, Work::Publish(outgoing) if is_qos_2(outgoing))
    }
}
