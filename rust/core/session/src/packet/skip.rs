//! A PUBLISH for which there is no room. It is discarded, except for what is needed to acknowledge
//! it and to inform the application.

use alloc::string::String;
use alloc::vec::Vec;

use super::decode::split_publish_properties;
use super::{DUP, Fault, PacketType};
use crate::config::QoS;
use crate::error::SessionError;

/// Bytes of the topic that are kept.
const TOPIC: usize = 256;

/// Bytes after the packet identifier that are kept, to find a topic alias.
const PROPERTIES: usize = 256;

/// Why a received message was skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkipReason {
    /// Its packet exceeds [`max_packet_size`](crate::Config::max_packet_size).
    TooLarge,
    /// The heap had no room for it.
    OutOfMemory,
}

/// A message that was skipped completely.
#[derive(Debug)]
pub(crate) struct Skipped {
    pub(crate) dup: bool,
    pub(crate) qos: QoS,
    pub(crate) packet_id: u16,
    pub(crate) topic: String,
    pub(crate) size: u32,
    pub(crate) reason: SkipReason,
    is_topic_whole: bool,
    properties: Vec<u8>,
}

impl Skipped {
    /// Returns the topic alias (MQTT 5), or an error if it could not be read.
    pub(crate) fn topic_alias(&self) -> Result<Option<u16>, Fault> {
        let is_bad = |byte| matches!(byte, 0 | b'+' | b'#');
        if !self.is_topic_whole || self.topic.bytes().any(is_bad) {
            return Err(Fault::Topic);
        }
        split_publish_properties(&self.properties).map(|(alias, ..)| alias)
    }
}

/// A message being skipped.
#[derive(Debug)]
pub(crate) struct Skip {
    control: u8,
    size: u32,
    reason: SkipReason,
    /// Bytes of the body that were discarded, and those still to come.
    seen: usize,
    left: usize,
    topic_length: usize,
    topic: Vec<u8>,
    packet_id: u16,
    properties: Vec<u8>,
    /// How many of their bytes to keep.
    wanted: usize,
}

impl Skip {
    /// `body` is the remaining length, `size` that of the whole packet. `aliases`: it may have a
    /// topic alias.
    pub(super) fn new(
        control: u8,
        body: usize,
        size: u32,
        reason: SkipReason,
        aliases: bool,
    ) -> Self {
        Skip {
            control,
            size,
            reason,
            seen: 0,
            left: body,
            topic_length: 0,
            topic: Vec::new(),
            packet_id: 0,
            properties: Vec::new(),
            wanted: if aliases { PROPERTIES } else { 0 },
        }
    }

    fn qos(&self) -> QoS {
        match (self.control >> 1) & 3 {
            0 => QoS::AtMostOnce,
            1 => QoS::AtLeastOnce,
            _ => QoS::ExactlyOnce,
        }
    }

    /// Returns the bytes before the properties of MQTT 5, once the topic's length is known.
    fn head_len(&self) -> usize {
        let id_len = if self.qos() == QoS::AtMostOnce { 0 } else { 2 };
        2 + self.topic_length + id_len
    }

    /// Discards bytes. Returns how many, and whether these were the last.
    pub(super) fn pass(&mut self, data: &[u8]) -> (usize, bool) {
        let count = self.left.min(data.len());
        let head = if self.seen < 2 {
            2 + 65_535 + 2
        } else {
            self.head_len()
        };
        let wanted = (head + self.wanted).saturating_sub(self.seen);
        for byte in data.iter().take(count.min(wanted)) {
            self.take(*byte);
        }
        self.seen += count.saturating_sub(wanted);
        self.left -= count;
        (count, self.left == 0)
    }

    fn take(&mut self, byte: u8) {
        let position = self.seen;
        self.seen += 1;
        if position < 2 {
            self.topic_length = self.topic_length << 8 | usize::from(byte);
        } else if position < 2 + self.topic_length {
            if self.topic.len() < TOPIC && self.topic.try_reserve(1).is_ok() {
                self.topic.push(byte);
            }
        } else if position < self.head_len() {
            self.packet_id = self.packet_id << 8 | u16::from(byte);
        } else if self.properties.len() < self.wanted && self.properties.try_reserve(1).is_ok() {
            self.properties.push(byte);
        }
    }

    /// Returns the result after the last byte.
    pub(super) fn finish(self) -> Result<Skipped, SessionError> {
        let qos = self.qos();
        let malformed = |fault| SessionError::Malformed {
            packet: PacketType::of(self.control),
            fault,
        };
        if self.seen < self.head_len() {
            return Err(malformed(Fault::TooShort));
        }
        if qos != QoS::AtMostOnce && self.packet_id == 0 {
            return Err(malformed(Fault::PacketId));
        }
        let topic = text(self.topic);
        Ok(Skipped {
            dup: self.control & DUP != 0,
            qos,
            packet_id: self.packet_id,
            is_topic_whole: topic.len() == self.topic_length,
            topic,
            size: self.size,
            reason: self.reason,
            properties: self.properties,
        })
    }
}

/// Returns the valid UTF-8 prefix.
fn text(mut bytes: Vec<u8>) -> String {
    if let Err(error) = core::str::from_utf8(&bytes) {
        bytes.truncate(error.valid_up_to());
    }
    String::from_utf8(bytes).unwrap_or_default()
}
