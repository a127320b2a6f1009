//! What the application asked for and the broker has not yet confirmed, in order.

use alloc::string::String;
use alloc::vec::Vec;

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
    /// Bytes counted against the outbox.
    fn bytes(&self) -> usize {
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
    max_items: usize,
    max_bytes: usize,
    last_packet_id: u16,
    last_token: u32,
}

impl Outbox {
    pub(crate) fn new(max_items: usize, max_bytes: usize) -> Self {
        Outbox {
            items: Vec::new(),
            bytes: 0,
            max_items,
            max_bytes,
            last_packet_id: 0,
            last_token: 0,
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

    /// Queues a message at the end.
    pub(crate) fn publish(
        &mut self,
        version: Version,
        message: Message,
    ) -> Result<Token, CommandError> {
        check_topic(&message.topic)?;
        check_properties(&message, version)?;
        let packet_id = match message.qos {
            QoS::AtMostOnce => 0,
            _ => self.free_packet_id(),
        };
        let mut head = packet::publish_head(version, &message, packet_id)?;
        let mut payload = message.payload;
        self.check_room(head.len() + payload.len())?;
        if payload.len() <= INLINE_PAYLOAD {
            head.try_reserve_exact(payload.len())
                .map_err(|_| CommandError::OutOfMemory)?;
            head.append(&mut payload);
            payload = Vec::new();
        }
        let outgoing = Outgoing {
            qos: message.qos,
            retain: message.retain,
            head,
            payload,
        };
        self.push(packet_id, Work::Publish(outgoing))
    }

    /// Queues a SUBSCRIBE or UNSUBSCRIBE at the end.
    pub(crate) fn request(&mut self, work: Work) -> Result<Token, CommandError> {
        let bytes = work.bytes();
        // Each filter counts.
        if bytes == 0 {
            return Err(CommandError::NoFilters);
        }
        self.check_room(bytes)?;
        let packet_id = self.free_packet_id();
        self.push(packet_id, work)
    }

    /// Queues a repeated SUBSCRIBE before everything else, whatever the limits.
    pub(crate) fn subscribe_again(&mut self, filters: Vec<Filter>) {
        let work = Work::Subscribe(filters);
        self.bytes += work.bytes();
        let packet_id = self.free_packet_id();
        self.note_packet_id(packet_id);
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
        if bytes > self.max_bytes {
            Err(CommandError::LargerThanOutbox)
        } else if self.items.len() >= self.max_items
            || bytes > self.max_bytes - self.bytes.min(self.max_bytes)
        {
            Err(CommandError::Full)
        } else {
            Ok(())
        }
    }

    fn push(&mut self, packet_id: u16, work: Work) -> Result<Token, CommandError> {
        let reserved = self.items.try_reserve(1);
        reserved.map_err(|_| CommandError::OutOfMemory)?;
        self.last_token = self.last_token.wrapping_add(1);
        let token = Token(self.last_token);
        self.note_packet_id(packet_id);
        self.bytes += work.bytes();
        self.items.push(Item {
            token: Some(token),
            packet_id,
            work,
        });
        Ok(token)
    }

    fn note_packet_id(&mut self, packet_id: u16) {
        if packet_id != 0 {
            self.last_packet_id = packet_id;
        }
    }

    /// The next identifier not in use. One exists because `max_items` is at most 32,767 and
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
