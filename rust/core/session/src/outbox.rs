//! What the application asked for and the broker has not yet confirmed, in order.

use alloc::string::String;
use alloc::vec::Vec;

use crate::command::Load;
use crate::config::{QoS, Version};
use crate::error::{CommandError, PublishError};
use crate::event::Token;
use crate::message::{Message, check_properties, check_topic};
use crate::packet;
use crate::reason::ReasonCode;

/// Payloads up to this size are kept behind their packet's head in one piece of memory.
const INLINE_PAYLOAD: usize = 512;

/// One command under way.
#[derive(Debug)]
pub(crate) struct Item {
    /// `None`: a subscription repeated on the session's own account.
    pub(crate) token: Option<Token>,
    /// 0 for QoS 0.
    pub(crate) packet_id: u16,
    pub(crate) work: Work,
}

#[derive(Debug)]
pub(crate) enum Work {
    /// PUBLISH, to be confirmed according to its QoS.
    Publish(Outgoing),
    /// QoS 2 and PUBREC arrived: the message is the broker's, PUBREL is to be answered.
    Release,
    Subscribe(Vec<Filter>),
    Unsubscribe(Vec<String>),
}

/// A PUBLISH as it goes over the wire: `head`, then `payload`.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    /// Everything before the payload, and a small payload too.
    pub(crate) head: Vec<u8>,
    /// A large payload, in the memory the application gave.
    pub(crate) payload: Vec<u8>,
}

impl Outgoing {
    pub(crate) fn size(&self) -> usize {
        self.head.len() + self.payload.len()
    }

    /// Puts the packet identifier behind the topic (section 3.3.2.2 of both standards).
    fn set_packet_id(&mut self, packet_id: u16) {
        let mut at = packet::topic_offset(&self.head);
        if let Some([high, low]) = self.head.get(at..at + 2) {
            at += 2 + usize::from(u16::from_be_bytes([*high, *low]));
        }
        if let Some(place) = self.head.get_mut(at..at + 2) {
            place.copy_from_slice(&packet_id.to_be_bytes());
        }
    }

    /// From now on a transmission is a repetition.
    pub(crate) fn mark_dup(&mut self, dup: bool) {
        if let (Some(control), true) = (self.head.first_mut(), self.qos != QoS::AtMostOnce) {
            *control = *control & !packet::DUP | if dup { packet::DUP } else { 0 };
        }
    }

    /// Why this broker would not take it.
    pub(crate) fn refused_by(&self, limits: &crate::link::Limits) -> Option<PublishError> {
        let size = self.size() as u32;
        match limits.maximum_packet_size {
            Some(limit) if size > limit => return Some(PublishError::TooLarge { size, limit }),
            _ => {}
        }
        if self.qos > limits.maximum_qos {
            let maximum = limits.maximum_qos;
            return Some(PublishError::QosNotSupported { maximum });
        }
        if self.retain && !limits.retain_available {
            return Some(PublishError::RetainNotSupported);
        }
        None
    }
}

/// One topic filter of a SUBSCRIBE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) name: String,
    pub(crate) qos: QoS,
    /// Known to be refused by this broker, therefore not sent.
    pub(crate) refused: Option<ReasonCode>,
}

impl Work {
    /// A message, checked and encoded; its packet identifier is set when it is queued.
    pub(crate) fn publish(version: Version, message: Message) -> Result<Self, CommandError> {
        check_topic(&message.topic)?;
        check_properties(&message, version)?;
        let mut head = packet::publish_head(version, &message, 0)?;
        let mut payload = message.payload;
        if payload.len() <= INLINE_PAYLOAD {
            head.try_reserve_exact(payload.len())
                .map_err(|_| CommandError::OutOfMemory)?;
            head.append(&mut payload);
            payload = Vec::new();
        }
        Ok(Self::Publish(Outgoing {
            qos: message.qos,
            retain: message.retain,
            head,
            payload,
        }))
    }

    /// Bytes counted against the outbox.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Work::Publish(outgoing) => outgoing.size(),
            Work::Release => 0,
            Work::Subscribe(filters) => filters.iter().map(|f| f.name.len() + 3).sum(),
            Work::Unsubscribe(filters) => filters.iter().map(|f| f.len() + 2).sum(),
        }
    }

    /// A QoS 1 or 2 message in any stage: it counts against the broker's Receive Maximum.
    pub(crate) fn counts_in_flight(&self) -> bool {
        match self {
            Work::Publish(outgoing) => outgoing.qos != QoS::AtMostOnce,
            Work::Release => true,
            Work::Subscribe(_) | Work::Unsubscribe(_) => false,
        }
    }

    /// The broker will answer it.
    pub(crate) fn is_answered(&self) -> bool {
        !matches!(self, Work::Publish(outgoing) if outgoing.qos == QoS::AtMostOnce)
    }
}

/// Everything unconfirmed, bounded in number and bytes. It outlives connections.
#[derive(Debug)]
pub(crate) struct Outbox {
    /// A vector, though they leave at the front: they are searched from end to end for each new one.
    items: Vec<Item>,
    bytes: usize,
    limit: Load,
    last_packet_id: u16,
    last_token: u32,
}

impl Outbox {
    pub(crate) fn new(limit: Load) -> Self {
        Outbox {
            items: Vec::new(),
            bytes: 0,
            limit,
            last_packet_id: 0,
            last_token: 0,
        }
    }

    pub(crate) fn limit(&self) -> Load {
        self.limit
    }

    pub(crate) fn load(&self) -> Load {
        Load {
            commands: self.items.len(),
            bytes: self.bytes,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn get(&self, index: usize) -> Option<&Item> {
        self.items.get(index)
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut Item> {
        self.items.get_mut(index)
    }

    pub(crate) fn position(&self, packet_id: u16) -> Option<usize> {
        let mut items = self.items.iter();
        items.position(|item| item.packet_id == packet_id)
    }

    /// Queues a command at the end, if there is room.
    pub(crate) fn push(&mut self, work: Work) -> Result<Token, CommandError> {
        self.check_room(work.bytes())?;
        let token = Token(self.last_token.wrapping_add(1));
        let queued = self.submit(token, work);
        queued.map_err(|_| CommandError::OutOfMemory)?;
        Ok(token)
    }

    /// Queues a command at the end, whatever the limits. Gives it back if the heap is full.
    pub(crate) fn submit(&mut self, token: Token, mut work: Work) -> Result<(), Work> {
        if self.items.try_reserve(1).is_err() {
            return Err(work);
        }
        let mut packet_id = 0;
        if work.is_answered() {
            packet_id = self.free_packet_id();
            self.last_packet_id = packet_id;
        }
        if let (Work::Publish(outgoing), 1..) = (&mut work, packet_id) {
            outgoing.set_packet_id(packet_id);
        }
        self.last_token = token.0;
        self.bytes += work.bytes();
        self.items.push(Item {
            token: Some(token),
            packet_id,
            work,
        });
        Ok(())
    }

    /// Queues a repeated SUBSCRIBE before everything else, whatever the limits.
    pub(crate) fn subscribe_again(&mut self, filters: Vec<Filter>) {
        let work = Work::Subscribe(filters);
        self.bytes += work.bytes();
        let packet_id = self.free_packet_id();
        self.last_packet_id = packet_id;
        let token = None;
        let item = Item {
            token,
            packet_id,
            work,
        };
        self.items.insert(0, item);
    }

    pub(crate) fn remove(&mut self, index: usize) -> Option<Item> {
        if index >= self.items.len() {
            return None;
        }
        let item = self.items.remove(index);
        self.bytes -= item.work.bytes();
        Some(item)
    }

    /// PUBREC arrived: the message itself is no longer needed.
    pub(crate) fn release(&mut self, index: usize) {
        if let Some(item) = self.items.get_mut(index) {
            self.bytes -= item.work.bytes();
            item.work = Work::Release;
        }
    }

    pub(crate) fn check_room(&self, bytes: usize) -> Result<(), CommandError> {
        self.limit.check_room(self.load(), bytes)
    }

    /// The next identifier not in use. One exists because the limit is at most 32,767 and
    /// one repeated SUBSCRIBE holds about a kibibyte of filters.
    fn free_packet_id(&self) -> u16 {
        let mut id = self.last_packet_id;
        loop {
            id = id.checked_add(1).unwrap_or(1);
            if self.position(id).is_none() {
                return id;
            }
        }
    }
}
