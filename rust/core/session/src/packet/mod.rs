//! One internal form for the packets of both protocol versions.
//!
//! The codec is mqtt-proto; [`v3`] and [`v5`] use it to encode what a client sends. The following
//! is done here instead:
//!
//! - Framing: the codec reads whole packets. Here, the size is checked before a byte is buffered.
//! - PUBLISH, both ways, so that a payload is never copied, neither on the way in nor out.
//! - Decoding: so that MQTT 5 properties cannot multiply in memory, see [`properties`], and the few
//!   packet types have one form for both versions. The tests compare it with the codec.
//! - Checks that the codec omits: bytes after the end of a packet, a body in PINGRESP (its
//!   `decode_buffer` panics on one), over-long variable byte integers, and zero where the standard
//!   forbids it. The codec also rejects multiple subscription identifiers, which a PUBLISH may
//!   carry.

mod decode;
mod fault;
pub(crate) mod frame;
#[cfg(test)]
mod oracle;
pub(crate) mod pieces;
mod properties;
pub(crate) mod skip;
mod v3;
mod v5;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use mqtt_proto::{Encodable, Pid};

use crate::config::{Config, QoS, Version};
use crate::message::Message;
#[cfg(feature = "durable")]
use crate::message::Properties;
use crate::reason::{ConnectRefusal, ReasonCode};
use crate::request::{Answer, RequestKind};

pub(crate) use decode::decode;
pub use fault::{Fault, PacketType};

/// A packet from the broker.
#[derive(Debug)]
pub(crate) enum Packet {
    Connack(Box<Connack>),
    Publish(Publish),
    Ack(Ack),
    Answers(Answers),
    Pingresp,
    Disconnect {
        reason: ReasonCode,
        text: Option<String>,
        server_reference: Option<String>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AckKind {
    Puback,
    Pubrec,
    Pubrel,
    Pubcomp,
}

#[derive(Debug)]
pub(crate) struct Ack {
    pub(crate) kind: AckKind,
    pub(crate) id: u16,
    pub(crate) reason: ReasonCode,
    pub(crate) text: Option<String>,
}

/// SUBACK, or UNSUBACK, which has no codes in 3.1.1.
#[derive(Debug)]
pub(crate) struct Answers {
    pub(crate) kind: RequestKind,
    pub(crate) id: u16,
    pub(crate) codes: Vec<Answer>,
    pub(crate) text: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Publish {
    pub(crate) dup: bool,
    pub(crate) packet_id: u16,
    pub(crate) topic_alias: Option<u16>,
    pub(crate) message: Message,
}

#[derive(Debug, Default)]
pub(crate) struct Connack {
    pub(crate) session_present: bool,
    pub(crate) refusal: Option<ConnectRefusal>,
    pub(crate) receive_maximum: Option<u32>,
    /// Maximum QoS 1 or 0; `None` means 2.
    pub(crate) maximum_qos_is_1: Option<bool>,
    pub(crate) retain_available: Option<bool>,
    pub(crate) maximum_packet_size: Option<u32>,
    pub(crate) wildcards_available: Option<bool>,
    pub(crate) shared_available: Option<bool>,
    pub(crate) topic_alias_maximum: Option<u32>,
    pub(crate) keep_alive: Option<u32>,
    pub(crate) session_expiry: Option<u32>,
    pub(crate) client_id: Option<String>,
    pub(crate) text: Option<String>,
    pub(crate) server_reference: Option<String>,
    pub(crate) response_information: Option<String>,
}

/// Packet types (section 2.1.2), in the high nibble of the first byte.
mod kind {
    pub(super) const CONNECT: u8 = 1;
    pub(super) const CONNACK: u8 = 2;
    pub(super) const PUBLISH: u8 = 3;
    pub(super) const PUBACK: u8 = 4;
    pub(super) const PUBREC: u8 = 5;
    pub(super) const PUBREL: u8 = 6;
    pub(super) const PUBCOMP: u8 = 7;
    pub(super) const SUBSCRIBE: u8 = 8;
    pub(super) const SUBACK: u8 = 9;
    pub(super) const UNSUBSCRIBE: u8 = 10;
    pub(super) const UNSUBACK: u8 = 11;
    pub(super) const PINGRESP: u8 = 13;
    pub(super) const DISCONNECT: u8 = 14;
    pub(super) const AUTH: u8 = 15;
}

/// The DUP flag in the first byte of a PUBLISH.
pub(crate) const DUP: u8 = 0b1000;
const RETAIN: u8 = 0b0001;

pub(crate) const PINGREQ: [u8; 2] = [0xC0, 0];

/// The first byte of a CONNACK, which has no flags.
pub(crate) const CONNACK: u8 = kind::CONNACK << 4;

/// Appends PUBACK, PUBREC, PUBREL or PUBCOMP. Success is encoded the same in both versions.
pub(crate) fn push_ack(
    out: &mut Vec<u8>,
    version: Version,
    kind: AckKind,
    packet_id: u16,
    reason: ReasonCode,
) {
    let control = match kind {
        AckKind::Puback => kind::PUBACK << 4,
        AckKind::Pubrec => kind::PUBREC << 4,
        AckKind::Pubrel => kind::PUBREL << 4 | 0b0010,
        AckKind::Pubcomp => kind::PUBCOMP << 4,
    };
    let [high, low] = packet_id.to_be_bytes();
    if version == Version::V311 || reason == ReasonCode::SUCCESS {
        out.extend_from_slice(&[control, 2, high, low]);
    } else {
        out.extend_from_slice(&[control, 3, high, low, reason.0]);
    }
}

/// Appends DISCONNECT. In 3.1.1 it has no reason.
pub(crate) fn push_disconnect(out: &mut Vec<u8>, version: Version, reason: ReasonCode) {
    let control = kind::DISCONNECT << 4;
    if version == Version::V311 || reason == ReasonCode::SUCCESS {
        out.extend_from_slice(&[control, 0]);
    } else {
        out.extend_from_slice(&[control, 1, reason.0]);
    }
}

/// Appends CONNECT. `client_id` may be assigned by the broker.
pub(crate) fn push_connect(out: &mut Vec<u8>, config: &Config, client_id: &str, clean: bool) {
    match config.version() {
        Version::V311 => v3::push_connect(out, config, client_id, clean),
        Version::V5 => v5::push_connect(out, config, client_id, clean),
    }
}

/// Appends SUBSCRIBE.
pub(crate) fn push_subscribe<'a>(
    out: &mut Vec<u8>,
    version: Version,
    packet_id: u16,
    filters: impl Iterator<Item = (&'a str, QoS)>,
) {
    match version {
        Version::V311 => v3::push_subscribe(out, packet_id, filters),
        Version::V5 => v5::push_subscribe(out, packet_id, filters),
    }
}

/// Appends UNSUBSCRIBE.
pub(crate) fn push_unsubscribe<'a>(
    out: &mut Vec<u8>,
    version: Version,
    packet_id: u16,
    filters: impl Iterator<Item = &'a str>,
) {
    match version {
        Version::V311 => v3::push_unsubscribe(out, packet_id, filters),
        Version::V5 => v5::push_unsubscribe(out, packet_id, filters),
    }
}

/// The largest packet that MQTT can carry, in bytes.
pub(crate) const MAX_SIZE: usize = 5 + frame::MAX_REMAINING_LENGTH;

/// Returns the size of the whole PUBLISH of a message with this payload length, including the fixed
/// header; a value above [`MAX_SIZE`] if no packet can carry it. Returns `None` if the heap has no
/// room to determine it.
pub(crate) fn publish_size(
    version: Version,
    message: &Message,
    payload_len: usize,
) -> Option<usize> {
    let properties = match (version, message.carried()) {
        (Version::V311, _) => 0,
        // The codec cannot express their length.
        (Version::V5, Some(properties)) if properties.size() > MAX_SIZE => return Some(usize::MAX),
        (Version::V5, properties) => v5::publish_properties(properties, None)?.encode_len(),
    };
    let id_len = if message.qos == QoS::AtMostOnce { 0 } else { 2 };
    // On a device, the length announced for a message in pieces may fill the 32-bit word.
    let remaining = payload_len.saturating_add(2 + message.topic.len() + id_len + properties);
    Some(remaining.saturating_add(1 + frame::length_of_length(remaining)))
}

/// Appends a PUBLISH without its payload: fixed header, topic, packet identifier and properties.
/// The message was checked before. Returns false if the heap is exhausted.
pub(crate) fn push_publish_head(
    out: &mut Vec<u8>,
    version: Version,
    message: &Message,
    payload_len: usize,
    packet_id: u16,
    dup: bool,
    expiry: Option<u32>,
) -> bool {
    let Message { topic, qos, .. } = message;
    let properties = match version {
        Version::V311 => None,
        Version::V5 => {
            let properties = v5::publish_properties(message.carried(), expiry);
            if properties.is_none() {
                return false;
            }
            properties
        }
    };
    let id_len = if *qos == QoS::AtMostOnce { 0 } else { 2 };
    let properties_len = properties.as_ref().map_or(0, Encodable::encode_len);
    let head_len = 2 + topic.len() + id_len + properties_len;
    if out.try_reserve(5 + head_len).is_err() {
        return false;
    }
    let dup = if dup { DUP } else { 0 };
    out.push(kind::PUBLISH << 4 | dup | (*qos as u8) << 1 | u8::from(message.retain));
    frame::push_length(out, head_len + payload_len);
    push_u16(out, topic.len() as u16);
    out.extend_from_slice(topic.as_bytes());
    if *qos != QoS::AtMostOnce {
        push_u16(out, packet_id);
    }
    if let Some(properties) = properties {
        push_body(out, &properties);
    }
    true
}

/// Encodes the properties of a PUBLISH as in MQTT 5, preceded by their length. Returns `None` if
/// the heap has no room.
#[cfg(feature = "durable")]
pub(crate) fn encode_properties(properties: Option<&Properties>) -> Option<Vec<u8>> {
    let properties = v5::publish_properties(properties, None)?;
    let mut out = Vec::new();
    out.try_reserve_exact(properties.encode_len()).ok()?;
    push_body(&mut out, &properties);
    Some(out)
}

/// Decodes them from the front of `bytes`. Also returns what follows.
#[cfg(feature = "durable")]
pub(crate) fn take_properties(bytes: &[u8]) -> Option<(Option<Box<Properties>>, &[u8])> {
    let read = decode::decode_publish_properties(bytes, usize::MAX);
    let (_, properties, rest) = read.ok()?;
    Some((properties, rest))
}

fn push_u16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_be_bytes());
}

/// Appends a whole packet of the codec.
fn push_packet(out: &mut Vec<u8>, control: u8, body: &impl Encodable) {
    let remaining = body.encode_len();
    out.reserve(5 + remaining);
    out.push(control);
    frame::push_length(out, remaining);
    push_body(out, body);
}

fn push_body(out: &mut Vec<u8>, body: &impl Encodable) {
    let written = body.encode(out);
    debug_assert!(written.is_ok(), "writing to a Vec does not fail");
}

/// Converts a packet identifier for the codec. Ours are never 0.
fn pid(packet_id: u16) -> Pid {
    Pid::try_from(packet_id).unwrap_or_default()
}

fn codec_qos(qos: QoS) -> mqtt_proto::QoS {
    match qos {
        QoS::AtMostOnce => mqtt_proto::QoS::Level0,
        QoS::AtLeastOnce => mqtt_proto::QoS::Level1,
        QoS::ExactlyOnce => mqtt_proto::QoS::Level2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An application with 32-bit words can announce a length that fills one.
    #[test]
    fn a_length_that_fills_a_word_is_too_large() {
        let message = Message::new("t", "").qos(QoS::AtLeastOnce);
        for version in [Version::V311, Version::V5] {
            for payload_len in [usize::MAX, usize::MAX - 7, MAX_SIZE] {
                assert!(publish_size(version, &message, payload_len) > Some(MAX_SIZE));
            }
            assert!(publish_size(version, &message, MAX_SIZE - 20) <= Some(MAX_SIZE));
        }
    }
}
