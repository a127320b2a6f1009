//! What happened, and the bounded queue it waits in.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use crate::config::QoS;
use crate::durable::StoreError;
use crate::error::PublishError;
use crate::message::Message;
use crate::packet::skip::SkipReason;
use crate::reason::ReasonCode;

/// Names a publish or subscribe command in its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub u32);

impl Token {
    /// Tokens from here on are those of messages that an earlier life has stored: this, and the packet
    /// identifier.
    const RESTORED: u32 = 0xFFFF_0000;

    /// Whether it names a message that was stored before a restart.
    pub fn is_restored(self) -> bool {
        self.0 >= Self::RESTORED
    }

    /// The name for the next command.
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

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// CONNACK accepted.
    Connected {
        /// The broker still had our session.
        session_present: bool,
    },
    /// A QoS 0 message was handed to the transport, a QoS 1 or 2 message was fully acknowledged.
    Published(Token),
    /// A message was given up.
    PublishFailed(Token, PublishError),
    /// A durable message that was [submitted](crate::Session::submit) is in the storage: it will be
    /// sent even after a restart. (When [`publish`](crate::Session::publish) returns, it is as well.)
    Stored(Token),
    /// The session goes on with what an earlier life has stored.
    Restored {
        /// Messages that are sent first. They end like others, with
        /// [tokens of their own](Token::is_restored).
        messages: usize,
        /// Subscriptions that are repeated if the broker should have lost them.
        subscriptions: usize,
    },
    /// A record in the storage was damaged, as by a power cut, and was dropped. The others stand.
    RecordDamaged {
        /// Its key: from 0x8000 on it was a message, with this packet identifier.
        key: u16,
    },
    /// The storage fails: it is full or worn out. The session goes on; what cannot be stored may be
    /// lost, or arrive twice, if the power fails now. Told once, until everything is written.
    StorageFailed(StoreError),
    /// The broker lost the session while it had this QoS 2 message under way. It is sent again and
    /// may arrive twice. [`Published`](Self::Published) or [`PublishFailed`](Self::PublishFailed)
    /// still follows.
    SentAgain(Token),
    /// The broker answered this QoS 2 message as one of QoS 1, so it may arrive twice:
    /// [`Published`](Self::Published) follows.
    QosLowered(Token),
    /// Subscription answered: per filter the granted QoS or the broker's refusal.
    Subscribed(Token, Vec<Result<QoS, ReasonCode>>),
    /// Unsubscription answered, per filter. That there was no such subscription is no error. A
    /// filter the broker refuses to give up is still subscribed.
    Unsubscribed(Token, Vec<Result<(), ReasonCode>>),
    /// The broker had lost the session and refused to renew this subscription.
    SubscriptionLost {
        /// The topic filter; it is forgotten.
        filter: String,
        /// Why.
        reason: ReasonCode,
    },
    /// The broker had lost the session and renewed this subscription with a lower QoS than before.
    SubscriptionLowered {
        /// The topic filter.
        filter: String,
        /// The QoS it has now.
        granted: QoS,
    },
    /// A message arrived. Polling it acknowledges it.
    Message(Message),
    /// A message arrived for which there is no room. Its bytes are gone; polling this
    /// acknowledges it.
    Skipped {
        /// Its topic; of a longer one the first 256 bytes. Empty if it was a topic alias.
        topic: String,
        /// Bytes of the whole packet.
        size: u32,
        /// Its quality of service.
        qos: QoS,
        /// Why.
        reason: SkipReason,
    },
    /// A message begins to arrive that is larger than
    /// [`max_packet_size`](crate::Config::max_packet_size): its payload follows in pieces, next to
    /// each other, until [`Piece`](Self::Piece) has brought the last byte or
    /// [`MessageCut`](Self::MessageCut) says that there will be no more.
    MessageBegins {
        /// The message, without its payload.
        message: Message,
        /// Bytes of the payload.
        total: u32,
    },
    /// The next part of that payload. Polling the last one acknowledges the message.
    Piece {
        /// Where it belongs: bytes before it.
        offset: u32,
        /// Bytes of the whole payload: with `offset + payload.len() == total` it is complete.
        total: u32,
        /// The part, never empty.
        payload: Vec<u8>,
    },
    /// The message that was arriving in pieces ends here, incomplete.
    MessageCut {
        /// Bytes of the payload that came.
        received: u32,
        /// Why, and with it whether the message comes again.
        reason: CutReason,
    },
    /// The next piece of a message that was
    /// [published in pieces](crate::Session::publish_in_pieces) is to be
    /// [supplied](crate::Session::supply), within
    /// [`response_timeout`](crate::Config::response_timeout).
    PieceWanted {
        /// The message.
        token: Token,
        /// Bytes of the payload before the piece. 0 again after more was supplied: the connection was
        /// lost, and the message is sent again from its first byte.
        offset: u32,
        /// Most bytes of the piece: as was said when the message was published, or what is left.
        length: u32,
    },
    /// The broker says something for a person to read, or for the application to use (MQTT 5). It
    /// comes before the event it belongs to.
    BrokerText {
        /// The command it answers; `None`: it came with CONNACK or DISCONNECT.
        about: Option<Token>,
        /// What it says.
        text: BrokerText,
    },
}

/// Why a message that was arriving in pieces ended too early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CutReason {
    /// The connection ended. With QoS 1 and 2 a broker that keeps the session sends the message again,
    /// from its first byte.
    ConnectionLost,
    /// The heap had no room for a piece. The rest passed by; polling this acknowledges the message.
    OutOfMemory,
}

/// Text of an MQTT 5 broker.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BrokerText {
    /// Reason String (section 3.2.2.3.9 and others).
    Reason(String),
    /// Server Reference: the other server to use (section 4.11).
    ServerReference(String),
    /// Response Information: what response topics are to begin with (section 3.2.2.3.15).
    ResponseInformation(String),
}

/// The acknowledgement a message is owed once the application has taken it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owed {
    /// The connection it arrived on; it is owed on no other.
    pub(crate) connection: u32,
    pub(crate) qos: QoS,
    pub(crate) packet_id: u16,
    pub(crate) reason: ReasonCode,
}

/// Undelivered events, bounded in bytes by a caller that asks [`is_full`](Self::is_full) first.
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

    /// Nothing that leads to another event may be begun. An empty queue is never full.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes > self.limit
    }

    /// Makes room for one more event, but for what it holds; false if the heap has none.
    pub(crate) fn reserve(&mut self) -> bool {
        self.queue.try_reserve(1).is_ok()
    }

    /// A QoS 2 message that was not taken yet has arrived again, on this connection: true if there is
    /// one. Its acknowledgement is owed there.
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
        // What a crowd took is given back, what a few take is not asked for each time.
        if self.queue.is_empty() && self.queue.capacity() > Self::FEW {
            self.queue = VecDeque::new();
        }
        Some(popped)
    }
}

/// Memory an event occupies, near enough for a limit.
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
