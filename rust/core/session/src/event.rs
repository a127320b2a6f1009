//! Events and their bounded queue.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use crate::config::QoS;
use crate::durable::StoreError;
use crate::error::PublishError;
use crate::message::Message;
use crate::packet::skip::SkipReason;
use crate::reason::ReasonCode;

/// Identifies a publish or subscribe command in its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub u32);

impl Token {
    /// Tokens from here on identify messages stored before a restart: this value plus the packet
    /// identifier.
    const RESTORED: u32 = 0xFFFF_0000;

    /// Returns whether the token identifies a message that was stored before a restart.
    pub fn is_restored(self) -> bool {
        self.0 >= Self::RESTORED
    }

    /// Returns the token for the next command.
    pub fn next(self) -> Self {
        let next = self.0.wrapping_add(1);
        Token(if next < Self::RESTORED {
            next.max(1)
        } else {
            1
        })
    }

    #[cfg(feature = "durable")]
    pub(crate) fn restored(packet_id: u16) -> Self {
        Token(Self::RESTORED | u32::from(packet_id))
    }
}

/// What happened on the session.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The broker accepted the connection.
    Connected {
        /// Whether the broker still had our session.
        session_present: bool,
    },
    /// A QoS 0 message was handed to the transport, or a QoS 1 or 2 message was fully acknowledged.
    Published(Token),
    /// A message was given up.
    PublishFailed(Token, PublishError),
    /// A durable message that was [submitted](crate::Session::submit) is stored and will be sent
    /// even after a restart. After a successful [`publish`](crate::Session::publish), it is stored
    /// as well.
    Stored(Token),
    /// The session continues with what was stored before a restart.
    Restored {
        /// Number of messages, which are sent first. Their outcome is reported as usual, with
        /// [tokens of their own](Token::is_restored).
        messages: usize,
        /// Number of subscriptions, which are renewed if the broker has lost them.
        subscriptions: usize,
    },
    /// A stored record was damaged, for example by a power cut, and was dropped. The others are
    /// intact.
    RecordDamaged {
        /// Key of the record: from 0x8000 on, it was the message with this packet identifier.
        key: u16,
    },
    /// The storage is full or has failed. The session continues, but what cannot be stored may be
    /// lost, or arrive twice, if the power fails now. Reported once, until everything is written
    /// again.
    StorageFailed(StoreError),
    /// The broker lost the session while this QoS 2 message was in flight. It is sent again and may
    /// arrive twice. [`Published`](Self::Published) or [`PublishFailed`](Self::PublishFailed) still
    /// follows.
    SentAgain(Token),
    /// The broker answered this QoS 2 message as if it were QoS 1, so it may arrive twice.
    /// [`Published`](Self::Published) follows.
    QosLowered(Token),
    /// The broker answered a subscribe: per filter, the granted QoS or the refusal.
    Subscribed(Token, Vec<Result<QoS, ReasonCode>>),
    /// The broker answered an unsubscribe, per filter. A subscription that did not exist is not an
    /// error. A filter that the broker refuses to remove is still subscribed.
    Unsubscribed(Token, Vec<Result<(), ReasonCode>>),
    /// The broker had lost the session and refused to renew this subscription.
    SubscriptionLost {
        /// The topic filter, which is now forgotten.
        filter: String,
        /// The broker's reason.
        reason: ReasonCode,
    },
    /// The broker had lost the session and renewed this subscription with a lower QoS than before.
    SubscriptionLowered {
        /// The topic filter.
        filter: String,
        /// The QoS it now has.
        granted: QoS,
    },
    /// A message arrived. Polling this event acknowledges it.
    Message(Message),
    /// A message arrived that exceeds a limit or the available memory. Its content is lost. Polling
    /// this event acknowledges it.
    Skipped {
        /// Its topic, cut to the first 256 bytes. Empty if the topic was an alias.
        topic: String,
        /// Size of the whole packet in bytes.
        size: u32,
        /// Its quality of service.
        qos: QoS,
        /// Why it was skipped.
        reason: SkipReason,
    },
    /// A message larger than [`max_packet_size`](crate::Config::max_packet_size) starts to arrive.
    /// Its payload follows in consecutive pieces, until [`Piece`](Self::Piece) delivers the last
    /// byte or [`MessageCut`](Self::MessageCut) reports that no more will come.
    MessageBegins {
        /// The message, without its payload.
        message: Message,
        /// Size of the payload in bytes.
        total: u32,
    },
    /// The next piece of that payload. Polling the last piece acknowledges the message.
    Piece {
        /// Offset of the piece in the payload, in bytes.
        offset: u32,
        /// Size of the whole payload in bytes. It is complete if `offset + payload.len() == total`.
        total: u32,
        /// The bytes of the piece, never empty.
        payload: Vec<u8>,
    },
    /// The message that was arriving in pieces ends here, incomplete.
    MessageCut {
        /// Bytes of the payload received so far.
        received: u32,
        /// Why it ended. This also tells whether the message will come again.
        reason: CutReason,
    },
    /// The session needs the next piece of a message that was
    /// [published in pieces](crate::Session::publish_in_pieces). [Supply](crate::Session::supply)
    /// it within [`response_timeout`](crate::Config::response_timeout).
    PieceWanted {
        /// The message.
        token: Token,
        /// Offset of the piece in the payload, in bytes. If it is 0 again after pieces were
        /// supplied, the connection was lost, and the message is sent again from its first byte.
        offset: u32,
        /// Maximum size of the piece: as given when the message was published, or what is left.
        length: u32,
    },
    /// The broker sent text for a person or the application (MQTT 5). It comes before the event it
    /// belongs to.
    BrokerText {
        /// The command it answers, or `None` if it came with CONNACK or DISCONNECT.
        about: Option<Token>,
        /// The text.
        text: BrokerText,
    },
}

/// Why a message that was arriving in pieces ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CutReason {
    /// The connection ended. With QoS 1 and 2, a broker that keeps the session sends the message
    /// again from its first byte.
    ConnectionLost,
    /// The heap had no room for a piece. The rest is discarded; polling this acknowledges the
    /// message.
    OutOfMemory,
}

/// Text from an MQTT 5 broker.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BrokerText {
    /// Reason String (section 3.2.2.3.9 and others).
    Reason(String),
    /// Server Reference: another server to use (section 4.11).
    ServerReference(String),
    /// Response Information: the prefix for response topics (section 3.2.2.3.15).
    ResponseInformation(String),
}

/// The acknowledgement to send for a message once the application has taken it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owed {
    /// The connection on which the message arrived. It is acknowledged on no other.
    pub(crate) connection: u32,
    pub(crate) qos: QoS,
    pub(crate) packet_id: u16,
    pub(crate) reason: ReasonCode,
}

/// Undelivered events. The caller bounds their bytes by checking [`is_full`](Self::is_full) first.
#[derive(Debug)]
pub(crate) struct Events {
    queue: VecDeque<(Event, Option<Owed>)>,
    bytes: usize,
    limit: usize,
}

impl Events {
    const FEW: usize = 4;

    pub(crate) fn new(limit: usize) -> Self {
        Events {
            queue: VecDeque::new(),
            bytes: 0,
            limit,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// If full, nothing may be started that causes another event. An empty queue is never full.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes > self.limit
    }

    /// Makes room for one more event, without its contents; returns false if the heap is exhausted.
    pub(crate) fn reserve(&mut self) -> bool {
        self.queue.try_reserve(1).is_ok()
    }

    /// Returns true if a QoS 2 message that has just arrived again on this connection is still
    /// queued. Its acknowledgement is then due on this connection.
    pub(crate) fn owe_again(&mut self, packet_id: u16, since: u32, connection: u32) -> bool {
        let mut owed = self.queue.iter_mut().filter_map(|(_, owed)| owed.as_mut());
        let again = owed.find(|owed| {
            owed.qos == QoS::ExactlyOnce && owed.packet_id == packet_id && owed.connection >= since
        });
        match again {
            Some(owed) => {
                owed.connection = connection;
                true
            }
            None => false,
        }
    }

    pub(crate) fn push(&mut self, event: Event) {
        self.push_owing(event, None);
    }

    pub(crate) fn push_owing(&mut self, event: Event, owed: Option<Owed>) {
        self.bytes += cost(&event);
        self.queue.push_back((event, owed));
    }

    pub(crate) fn pop(&mut self) -> Option<(Event, Option<Owed>)> {
        let popped = self.queue.pop_front()?;
        self.bytes -= cost(&popped.0);
        // Frees the memory of a burst, but keeps a small queue to avoid reallocation.
        if self.queue.is_empty() && self.queue.capacity() > Self::FEW {
            self.queue = VecDeque::new();
        }
        Some(popped)
    }
}

/// Returns the approximate memory of an event, close enough for a limit.
fn cost(event: &Event) -> usize {
    let heap = match event {
        Event::Message(message) | Event::MessageBegins { message, .. } => message.size(),
        Event::Piece { payload, .. } => payload.len(),
        Event::Subscribed(_, codes) => 2 * codes.len(),
        Event::Unsubscribed(_, codes) => 2 * codes.len(),
        Event::SubscriptionLost { filter, .. } | Event::SubscriptionLowered { filter, .. } => {
            filter.len()
        }
        Event::Skipped { topic, .. } => topic.len(),
        Event::BrokerText { text, .. } => match text {
            BrokerText::Reason(text)
            | BrokerText::ServerReference(text)
            | BrokerText::ResponseInformation(text) => text.len(),
        },
        Event::Connected { .. }
        | Event::Published(_)
        | Event::PublishFailed(..)
        | Event::Stored(_)
        | Event::Restored { .. }
        | Event::RecordDamaged { .. }
        | Event::StorageFailed(_)
        | Event::SentAgain(_)
        | Event::QosLowered(_)
        | Event::MessageCut { .. }
        | Event::PieceWanted { .. } => 0,
    };
    size_of::<(Event, Option<Owed>)>() + heap
}
