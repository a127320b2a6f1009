//! What happened, and the bounded queue it waits in.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use crate::config::QoS;
use crate::error::PublishError;
use crate::message::Message;
use crate::reason::ReasonCode;

/// Names a publish or subscribe command in its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub u32);

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
    /// Subscription answered: per filter the granted QoS or the broker's refusal.
    Subscribed(Token, Vec<Result<QoS, ReasonCode>>),
    /// Unsubscription answered, per filter. That there was no such subscription is no error.
    Unsubscribed(Token, Vec<Result<(), ReasonCode>>),
    /// The broker had lost the session and refused to renew this subscription.
    SubscriptionLost {
        /// The topic filter; it is forgotten.
        filter: String,
        /// Why.
        reason: ReasonCode,
    },
    /// A message arrived. Polling it acknowledges it.
    Message(Message),
}

/// The acknowledgement a message is owed once the application has taken it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owed {
    /// The connection it arrived on; it is owed on no other.
    pub(crate) connection: u32,
    pub(crate) qos: QoS,
    pub(crate) packet_id: u16,
}

/// Undelivered events, bounded in bytes by whoever asks [`is_full`](Self::is_full) first.
#[derive(Debug)]
pub(crate) struct Events {
    queue: VecDeque<(Event, Option<Owed>)>,
    bytes: usize,
    limit: usize,
}

impl Events {
    pub(crate) fn new(limit: usize) -> Self {
        Events {
            queue: VecDeque::new(),
            bytes: 0,
            limit,
        }
    }

    /// Nothing that leads to another event may be begun. An empty queue is never full.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes > self.limit
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
        Some(popped)
    }
}

/// Memory an event occupies, near enough for a limit.
fn cost(event: &Event) -> usize {
    let heap = match event {
        Event::Message(message) => {
            let properties = message.properties.as_ref().map_or(0, |p| {
                let user: usize = p.user.iter().map(|(n, v)| 48 + n.len() + v.len()).sum();
                128 + user
                    + p.content_type.as_ref().map_or(0, String::len)
                    + p.response_topic.as_ref().map_or(0, String::len)
                    + p.correlation_data.as_ref().map_or(0, Vec::len)
            });
            message.topic.len() + message.payload.len() + properties
        }
        Event::Subscribed(_, codes) => 2 * codes.len(),
        Event::Unsubscribed(_, codes) => 2 * codes.len(),
        Event::SubscriptionLost { filter, .. } => filter.len(),
        Event::Connected { .. } | Event::Published(_) | Event::PublishFailed(..) => 0,
    };
    size_of::<(Event, Option<Owed>)>() + heap
}
