//! Decodes packets from the broker, of either version, into one form.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::frame::Frame;
use super::properties::{Properties, Value, id, text};
use super::{
    Ack, AckKind, Answers, Connack, DUP, Fault, Packet, PacketType, Publish, RETAIN, kind,
};
use crate::config::{QoS, Version};
use crate::error::SessionError;
use crate::message::{self, Message, has_wildcard};
use crate::reason::{ConnectRefusal, ReasonCode};
use crate::request::RequestKind;

/// Maximum user properties kept of a received message.
const USER_PROPERTIES: usize = 32;

/// Properties allowed in an acknowledgement.
const OF_ANSWERS: &[u8] = &[id::REASON_STRING, id::USER_PROPERTY];

/// Decodes a packet from the broker.
pub(crate) fn decode(version: Version, frame: Frame<'_>) -> Result<Packet, SessionError> {
    let packet = PacketType::of(frame.control);
    let body = frame.body.as_slice();
    let ack = |kind| decode_ack(version, kind, body).map(Packet::Ack);
    let answers = |kind| decode_answers(version, kind, body).map(Packet::Answers);
    let decoded = match (frame.control >> 4, version) {
        (kind::CONNACK, _) => decode_connack(version, body).map(Packet::Connack),
        (kind::PUBLISH, _) => decode_publish(version, frame).map(Packet::Publish),
        (kind::PUBACK, _) => ack(AckKind::Puback),
        (kind::PUBREC, _) => ack(AckKind::Pubrec),
        (kind::PUBREL, _) => ack(AckKind::Pubrel),
        (kind::PUBCOMP, _) => ack(AckKind::Pubcomp),
        (kind::SUBACK, _) => answers(RequestKind::Subscribe),
        (kind::UNSUBACK, _) => answers(RequestKind::Unsubscribe),
        (kind::PINGRESP, _) if body.is_empty() => Ok(Packet::Pingresp),
        (kind::PINGRESP, _) => Err(Fault::TooLong),
        (kind::DISCONNECT, Version::V5) => decode_disconnect(body),
        _ => return Err(SessionError::UnexpectedPacket(packet)),
    };
    decoded.map_err(|fault| SessionError::Malformed { packet, fault })
}

pub(super) fn decode_connack(version: Version, body: &[u8]) -> Result<Box<Connack>, Fault> {
    let mut connack = Box::new(Connack::default());
    let c = &mut *connack;
    match (version, body) {
        (Version::V311, [flags @ 0..=1, 0]) => c.session_present = *flags == 1,
        // A refusal, whatever else it contains. Some brokers give the reason as an MQTT 5 code, or
        // append properties.
        (Version::V311, [_, code @ 1..=255, ..]) => c.refusal = refusal(version, *code),
        (Version::V311, [_, 0, _, ..]) => return Err(Fault::TooLong),
        // A broker that supports only 3.1.1 may answer with its codes.
        (Version::V5, [_, code @ 1..=5]) => {
            let refusal = ConnectRefusal::new(Version::V311, *code);
            c.refusal = Some(refusal.of(Version::V5));
        }
        (Version::V5, [_, 0]) => return Err(Fault::OldVersion),
        // Without the property length.
        (Version::V5, [_, code @ 0x80..=0xFF]) => c.refusal = refusal(version, *code),
        (Version::V5, [flags @ 0..=1, code @ (0 | 0x80..), properties @ ..]) => {
            c.session_present = *flags == 1;
            c.refusal = refusal(version, *code);
            let properties = Properties::all(
                properties,
                &[
                    id::SESSION_EXPIRY_INTERVAL,
                    id::RECEIVE_MAXIMUM,
                    id::MAXIMUM_QOS,
                    id::RETAIN_AVAILABLE,
                    id::MAXIMUM_PACKET_SIZE,
                    id::ASSIGNED_CLIENT_IDENTIFIER,
                    id::TOPIC_ALIAS_MAXIMUM,
                    id::REASON_STRING,
                    id::USER_PROPERTY,
                    id::WILDCARD_SUBSCRIPTION_AVAILABLE,
                    id::SUBSCRIPTION_IDENTIFIER_AVAILABLE,
                    id::SHARED_SUBSCRIPTION_AVAILABLE,
                    id::SERVER_KEEP_ALIVE,
                    id::RESPONSE_INFORMATION,
                    id::SERVER_REFERENCE,
                    id::AUTHENTICATION_METHOD,
                    id::AUTHENTICATION_DATA,
                ],
            )?;
            properties.non_zero(id::RECEIVE_MAXIMUM, &mut c.receive_maximum)?;
            properties.bool(id::MAXIMUM_QOS, &mut c.maximum_qos_is_1)?;
            properties.bool(id::RETAIN_AVAILABLE, &mut c.retain_available)?;
            properties.non_zero(id::MAXIMUM_PACKET_SIZE, &mut c.maximum_packet_size)?;
            properties.bool(
                id::WILDCARD_SUBSCRIPTION_AVAILABLE,
                &mut c.wildcards_available,
            )?;
            properties.bool(id::SHARED_SUBSCRIPTION_AVAILABLE, &mut c.shared_available)?;
            properties.number(id::TOPIC_ALIAS_MAXIMUM, &mut c.topic_alias_maximum)?;
            properties.number(id::SERVER_KEEP_ALIVE, &mut c.keep_alive)?;
            properties.number(id::SESSION_EXPIRY_INTERVAL, &mut c.session_expiry)?;
            properties.text(id::ASSIGNED_CLIENT_IDENTIFIER, &mut c.client_id)?;
            properties.text(id::REASON_STRING, &mut c.text)?;
            properties.text(id::SERVER_REFERENCE, &mut c.server_reference)?;
            properties.text(id::RESPONSE_INFORMATION, &mut c.response_information)?;
        }
        (_, [_, _, ..]) => return Err(Fault::Code),
        _ => return Err(Fault::TooShort),
    }
    Ok(connack)
}

fn refusal(version: Version, code: u8) -> Option<ConnectRefusal> {
    (code != 0).then(|| ConnectRefusal::new(version, code))
}

/// PUBLISH (section 3.3). The payload keeps the memory in which the packet arrived.
fn decode_publish(version: Version, frame: Frame<'_>) -> Result<Publish, Fault> {
    let Frame { control, body } = frame;
    let bytes = body.as_slice();
    let qos = match (control >> 1) & 3 {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        2 => QoS::ExactlyOnce,
        _ => return Err(Fault::Code),
    };
    // DUP is meaningless with QoS 0. Brokers that set it there (against MQTT-3.3.1-2) are
    // tolerated.
    let (topic_len, rest) = split_u16(bytes)?;
    let (topic, mut rest) = rest
        .split_at_checked(topic_len.into())
        .ok_or(Fault::TooShort)?;
    let topic = text(topic)?;
    if has_wildcard(&topic) {
        return Err(Fault::Topic);
    }
    let mut packet_id = 0;
    if qos != QoS::AtMostOnce {
        (packet_id, rest) = split_packet_id(rest)?;
    }
    let (mut topic_alias, mut properties) = (None, None);
    if version == Version::V5 {
        (topic_alias, properties, rest) = decode_publish_properties(rest, USER_PROPERTIES)?;
    }
    if topic.is_empty() && topic_alias.is_none() {
        return Err(Fault::Topic);
    }
    let offset = bytes.len() - rest.len();
    Ok(Publish {
        dup: control & DUP != 0,
        packet_id,
        topic_alias,
        message: Message {
            topic,
            payload: body.into_rest(offset),
            qos,
            retain: control & RETAIN != 0,
            properties,
        },
    })
}

type PublishProperties<'a> = (Option<u16>, Option<Box<message::Properties>>, &'a [u8]);

/// Returns the topic alias, the properties for the application, with at most this many user
/// properties, and the bytes that follow.
pub(super) fn decode_publish_properties(
    bytes: &[u8],
    user_properties: usize,
) -> Result<PublishProperties<'_>, Fault> {
    let (topic_alias, properties, payload) = split_publish_properties(bytes)?;
    if !message::Properties::BUILT {
        return Ok((topic_alias, None, payload));
    }
    let mut ours = message::Properties::default();
    let mut any = false;
    for (id, value) in properties {
        match (id, value) {
            (id::SUBSCRIPTION_IDENTIFIER, Value::Number(0)) => return Err(Fault::Property),
            (id::SUBSCRIPTION_IDENTIFIER | id::TOPIC_ALIAS, _) => continue,
            (_, Value::Pair(name, value)) if ours.user.len() < user_properties => {
                ours.user.push((text(name)?, text(value)?));
            }
            _ => {}
        }
        any = true;
    }
    properties.bool(id::PAYLOAD_FORMAT_INDICATOR, &mut ours.payload_is_utf8)?;
    properties.number(id::MESSAGE_EXPIRY_INTERVAL, &mut ours.message_expiry)?;
    properties.text(id::CONTENT_TYPE, &mut ours.content_type)?;
    properties.text(id::RESPONSE_TOPIC, &mut ours.response_topic)?;
    properties.bytes(id::CORRELATION_DATA, &mut ours.correlation_data)?;
    match &ours.response_topic {
        Some(topic) if has_wildcard(topic) => Err(Fault::Topic),
        _ => Ok((topic_alias, any.then(|| Box::new(ours)), payload)),
    }
}

/// Returns the topic alias, all properties, and the bytes that follow.
pub(super) fn split_publish_properties(
    bytes: &[u8],
) -> Result<(Option<u16>, Properties<'_>, &[u8]), Fault> {
    let (properties, payload) = Properties::split(
        bytes,
        &[
            id::PAYLOAD_FORMAT_INDICATOR,
            id::MESSAGE_EXPIRY_INTERVAL,
            id::CONTENT_TYPE,
            id::RESPONSE_TOPIC,
            id::CORRELATION_DATA,
            id::SUBSCRIPTION_IDENTIFIER,
            id::TOPIC_ALIAS,
            id::USER_PROPERTY,
        ],
    )?;
    let mut topic_alias = None;
    properties.number(id::TOPIC_ALIAS, &mut topic_alias)?;
    Ok((topic_alias.map(|alias| alias as u16), properties, payload))
}

/// Decodes PUBACK, PUBREC, PUBREL or PUBCOMP, which have the same form and the same properties.
fn decode_ack(version: Version, kind: AckKind, body: &[u8]) -> Result<Ack, Fault> {
    let (id, rest) = split_packet_id(body)?;
    let mut text = None;
    let reason = match (version, rest) {
        (_, []) => 0,
        (Version::V5, [reason]) => *reason,
        (Version::V5, [reason, properties @ ..]) => {
            let properties = Properties::all(properties, OF_ANSWERS)?;
            properties.text(id::REASON_STRING, &mut text)?;
            *reason
        }
        (Version::V311, _) => return Err(Fault::TooLong),
    };
    Ok(Ack {
        kind,
        id,
        reason: ReasonCode(reason),
        text,
    })
}

/// Decodes SUBACK or UNSUBACK. The latter has no codes in 3.1.1: none are returned.
fn decode_answers(version: Version, kind: RequestKind, body: &[u8]) -> Result<Answers, Fault> {
    let (id, mut bytes) = split_packet_id(body)?;
    let mut text = None;
    match (version, kind) {
        (Version::V311, RequestKind::Unsubscribe) if !bytes.is_empty() => {
            return Err(Fault::TooLong);
        }
        (Version::V311, _) => {}
        (Version::V5, _) => {
            let (properties, codes) = Properties::split(bytes, OF_ANSWERS)?;
            properties.text(id::REASON_STRING, &mut text)?;
            bytes = codes;
        }
    }
    let mut codes = Vec::with_capacity(bytes.len());
    for byte in bytes {
        codes.push(match (kind, *byte) {
            (_, 0) => Ok(QoS::AtMostOnce),
            (RequestKind::Subscribe, 1) => Ok(QoS::AtLeastOnce),
            (RequestKind::Subscribe, 2) => Ok(QoS::ExactlyOnce),
            // There was no such subscription.
            (RequestKind::Unsubscribe, 0x11) => Ok(QoS::AtMostOnce),
            // Above 0x80, an MQTT 5 code, which some brokers send with either version.
            (_, 0x80..) => Err(ReasonCode(*byte)),
            _ => return Err(Fault::Code),
        });
    }
    Ok(Answers {
        kind,
        id,
        codes,
        text,
    })
}

fn decode_disconnect(body: &[u8]) -> Result<Packet, Fault> {
    let (reason, properties) = match body {
        [] => (0, Properties::default()),
        [reason] => (*reason, Properties::default()),
        [reason, properties @ ..] => {
            let allowed = &[
                id::SESSION_EXPIRY_INTERVAL,
                id::REASON_STRING,
                id::USER_PROPERTY,
                id::SERVER_REFERENCE,
            ];
            (*reason, Properties::all(properties, allowed)?)
        }
    };
    let (mut text, mut server_reference) = (None, None);
    properties.text(id::REASON_STRING, &mut text)?;
    properties.text(id::SERVER_REFERENCE, &mut server_reference)?;
    Ok(Packet::Disconnect {
        reason: ReasonCode(reason),
        text,
        server_reference,
    })
}

fn split_u16(bytes: &[u8]) -> Result<(u16, &[u8]), Fault> {
    match bytes {
        [high, low, rest @ ..] => Ok((u16::from_be_bytes([*high, *low]), rest)),
        _ => Err(Fault::TooShort),
    }
}

fn split_packet_id(bytes: &[u8]) -> Result<(u16, &[u8]), Fault> {
    match split_u16(bytes)? {
        (0, _) => Err(Fault::PacketId),
        split => Ok(split),
    }
}
