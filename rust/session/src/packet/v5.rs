//! MQTT 5 to and from the internal form.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use mqtt_proto::v5::{
    Connect, LastWill, PropertyId, PublishProperties as CodecPublishProperties, RetainHandling,
    Subscribe, SubscriptionOptions, Unsubscribe, UserProperty, WillProperties,
};
use mqtt_proto::{TopicFilter, TopicName};

use super::properties::Value::{Bytes, Number, Pair};
use super::properties::{Properties, set, set_bool, set_text, text};
use super::{Connack, Packet, codec_qos, granted, kind, pid, push_packet, split_u16};
use crate::config::{Config, QoS, Version};
use crate::error::SessionError;
use crate::message;
use crate::reason::{ConnectRefusal, ReasonCode};

/// User properties of a received message that are kept.
const USER_PROPERTIES: usize = 32;

pub(super) fn decode_connack(body: &[u8]) -> Result<Packet, SessionError> {
    let (flags, code, properties) = match body {
        // A broker that knows only 3.1.1 may say so in its own words.
        [0, code @ 1..=5] => {
            let refusal = Some(ConnectRefusal::new(Version::V311, *code));
            let connack = Connack {
                refusal,
                ..Connack::default()
            };
            return Ok(Packet::Connack(connack.into()));
        }
        [flags @ 0..=1, code @ (0 | 0x80..), properties @ ..] => (*flags, *code, properties),
        _ => return Err(SessionError::Malformed),
    };
    let mut connack = Connack {
        session_present: flags == 1,
        refusal: (code != 0).then(|| ConnectRefusal::new(Version::V5, code)),
        ..Connack::default()
    };
    let c = &mut connack;
    for property in Properties::all(properties)? {
        use PropertyId::*;
        match property? {
            (SessionExpiryInterval, Number(n)) => set(&mut c.session_expiry, n)?,
            (ReceiveMaximum, Number(n @ 1..)) => set(&mut c.receive_maximum, n as u16)?,
            (MaximumQoS, Number(0)) => set(&mut c.maximum_qos, QoS::AtMostOnce)?,
            (MaximumQoS, Number(1)) => set(&mut c.maximum_qos, QoS::AtLeastOnce)?,
            (RetainAvailable, Number(n)) => set_bool(&mut c.retain_available, n)?,
            (MaximumPacketSize, Number(n @ 1..)) => set(&mut c.maximum_packet_size, n)?,
            (AssignedClientIdentifier, Bytes(id)) => set_text(&mut c.client_id, id)?,
            (ReasonString, Bytes(text)) => set_text(&mut c.text, text)?,
            (WildcardSubscriptionAvailable, Number(n)) => {
                set_bool(&mut c.wildcards_available, n)?;
            }
            (SharedSubscriptionAvailable, Number(n)) => set_bool(&mut c.shared_available, n)?,
            (ServerKeepAlive, Number(n)) => set(&mut c.keep_alive, n as u16)?,
            (ServerReference, Bytes(name)) => set_text(&mut c.server_reference, name)?,
            (
                TopicAliasMaximum
                | SubscriptionIdentifierAvailable
                | ResponseInformation
                | AuthenticationMethod
                | AuthenticationData
                | UserProperty,
                _,
            ) => {}
            _ => return Err(SessionError::Malformed),
        }
    }
    Ok(Packet::Connack(connack.into()))
}

/// PUBACK, PUBREC, PUBREL and PUBCOMP have the same form and the same properties.
pub(super) fn decode_ack(body: &[u8]) -> Result<(u16, ReasonCode), SessionError> {
    let (id, rest) = split_packet_id(body)?;
    let (reason, properties) = rest.split_first().unwrap_or((&0, &[]));
    if !properties.is_empty() {
        skip(Properties::all(properties)?)?;
    }
    Ok((id, ReasonCode(*reason)))
}

pub(super) fn decode_suback(body: &[u8]) -> Result<Packet, SessionError> {
    let (id, codes) = split_answer(body)?;
    let codes = codes.iter().map(|code| match code {
        0..=2 | 0x80.. => Ok(granted(*code)),
        _ => Err(SessionError::Malformed),
    });
    Ok(Packet::Suback(id, codes.collect::<Result<_, _>>()?))
}

pub(super) fn decode_unsuback(body: &[u8]) -> Result<Packet, SessionError> {
    let (id, codes) = split_answer(body)?;
    let codes = codes.iter().map(|code| match code {
        0x00 | 0x11 => Ok(Ok(())),
        0x80.. => Ok(Err(ReasonCode(*code))),
        _ => Err(SessionError::Malformed),
    });
    Ok(Packet::Unsuback(id, Some(codes.collect::<Result<_, _>>()?)))
}

pub(super) fn decode_disconnect(body: &[u8]) -> Result<Packet, SessionError> {
    let (reason, properties) = body.split_first().unwrap_or((&0, &[]));
    let (mut text, mut server_reference) = (None, None);
    if !properties.is_empty() {
        for property in Properties::all(properties)? {
            use PropertyId::*;
            match property? {
                (ReasonString, Bytes(bytes)) => set_text(&mut text, bytes)?,
                (ServerReference, Bytes(bytes)) => set_text(&mut server_reference, bytes)?,
                (SessionExpiryInterval | UserProperty, _) => {}
                _ => return Err(SessionError::Malformed),
            }
        }
    }
    Ok(Packet::Disconnect {
        reason: ReasonCode(*reason),
        text,
        server_reference,
    })
}

/// What a PUBLISH says besides its payload.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PublishProperties {
    pub(super) topic_alias: Option<u16>,
    pub(super) properties: Option<Box<message::Properties>>,
    /// Length of what was read.
    pub(super) length: usize,
}

pub(super) fn decode_publish_properties(bytes: &[u8]) -> Result<PublishProperties, SessionError> {
    let (read, payload) = Properties::split(bytes)?;
    let mut topic_alias = None;
    let mut ours = message::Properties::default();
    for property in read {
        use PropertyId::*;
        match property? {
            (PayloadFormatIndicator, Number(n)) => set_bool(&mut ours.payload_is_utf8, n)?,
            (MessageExpiryInterval, Number(n)) => set(&mut ours.message_expiry, n)?,
            (TopicAlias, Number(n)) => set(&mut topic_alias, n as u16)?,
            (ContentType, Bytes(text)) => set_text(&mut ours.content_type, text)?,
            (ResponseTopic, Bytes(topic)) => {
                if topic.contains(&b'+') || topic.contains(&b'#') {
                    return Err(SessionError::Malformed);
                }
                set_text(&mut ours.response_topic, topic)?;
            }
            (CorrelationData, Bytes(data)) => set(&mut ours.correlation_data, data.to_vec())?,
            (UserProperty, Pair(name, value)) => {
                if ours.user.len() < USER_PROPERTIES {
                    let pair = (String::from(text(name)?), String::from(text(value)?));
                    ours.user.push(pair);
                }
            }
            (SubscriptionIdentifier, Number(1..)) => {}
            _ => return Err(SessionError::Malformed),
        }
    }
    let some = ours != message::Properties::default();
    Ok(PublishProperties {
        topic_alias,
        properties: some.then(|| Box::new(ours)),
        length: bytes.len() - payload.len(),
    })
}

fn split_packet_id(body: &[u8]) -> Result<(u16, &[u8]), SessionError> {
    match split_u16(body)? {
        (0, _) => Err(SessionError::Malformed),
        split => Ok(split),
    }
}

/// SUBACK and UNSUBACK: packet identifier, properties, codes.
fn split_answer(body: &[u8]) -> Result<(u16, &[u8]), SessionError> {
    let (id, rest) = split_packet_id(body)?;
    let (properties, codes) = Properties::split(rest)?;
    skip(properties)?;
    Ok((id, codes))
}

/// Reason String and User Property, for which nobody has a use.
fn skip(properties: Properties<'_>) -> Result<(), SessionError> {
    for property in properties {
        match property?.0 {
            PropertyId::ReasonString | PropertyId::UserProperty => {}
            _ => return Err(SessionError::Malformed),
        }
    }
    Ok(())
}

/// The codec's form of our properties; checked by `message::check_properties` before.
pub(super) fn publish_properties(
    properties: Option<&message::Properties>,
) -> CodecPublishProperties {
    let Some(properties) = properties else {
        return CodecPublishProperties::default();
    };
    CodecPublishProperties {
        payload_is_utf8: properties.payload_is_utf8,
        message_expiry_interval: properties.message_expiry,
        topic_alias: None,
        response_topic: response_topic(properties),
        correlation_data: properties.correlation_data.clone().map(Into::into),
        user_properties: user_properties(properties),
        subscription_id: None,
        content_type: properties.content_type.as_deref().map(Into::into),
    }
}

fn response_topic(properties: &message::Properties) -> Option<TopicName> {
    TopicName::try_from(properties.response_topic.as_deref()?).ok()
}

fn user_properties(properties: &message::Properties) -> Vec<UserProperty> {
    let pairs = properties.user.iter().map(|(name, value)| UserProperty {
        name: name.as_str().into(),
        value: value.as_str().into(),
    });
    pairs.collect()
}

pub(super) fn push_connect(out: &mut Vec<u8>, config: &Config, client_id: &str, clean: bool) {
    let mut connect = Connect::new(client_id.into(), config.keep_alive.as_secs() as u16);
    connect.clean_start = clean;
    let non_zero = |value: u32| (value != 0).then_some(value);
    connect.properties.session_expiry_interval = non_zero(config.session_expiry);
    connect.properties.receive_max = Some(config.receive_maximum);
    connect.properties.max_packet_size = Some(config.max_packet_size);
    connect.properties.topic_alias_max =
        (config.topic_alias_maximum != 0).then_some(config.topic_alias_maximum);
    connect.last_will = config.will.as_ref().and_then(|will| {
        let mut properties = WillProperties {
            delay_interval: non_zero(config.will_delay),
            ..WillProperties::default()
        };
        if let Some(ours) = &will.properties {
            properties.payload_is_utf8 = ours.payload_is_utf8;
            properties.message_expiry_interval = ours.message_expiry;
            properties.content_type = ours.content_type.as_deref().map(Into::into);
            properties.response_topic = response_topic(ours);
            properties.correlation_data = ours.correlation_data.clone().map(Into::into);
            properties.user_properties = user_properties(ours);
        }
        Some(LastWill {
            qos: codec_qos(will.qos),
            retain: will.retain,
            topic_name: TopicName::try_from(will.topic.as_str()).ok()?,
            payload: will.payload.clone().into(),
            properties,
        })
    });
    connect.username = config.username.as_deref().map(Into::into);
    connect.password = config.password.clone().map(Into::into);
    push_packet(out, kind::CONNECT << 4, &connect);
}

pub(super) fn push_subscribe<'a>(
    out: &mut Vec<u8>,
    packet_id: u16,
    filters: impl Iterator<Item = (&'a str, QoS)>,
) {
    // The codec's own default sets "retain as published", under which a live message with the
    // flag cannot be told from a stored one.
    let topics = filters.filter_map(|(name, qos)| {
        let options = SubscriptionOptions {
            max_qos: codec_qos(qos),
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::SendAtSubscribe,
        };
        Some((TopicFilter::try_from(name).ok()?, options))
    });
    let subscribe = Subscribe::new(pid(packet_id), topics.collect());
    push_packet(out, kind::SUBSCRIBE << 4 | 0b0010, &subscribe);
}

pub(super) fn push_unsubscribe<'a>(
    out: &mut Vec<u8>,
    packet_id: u16,
    filters: impl Iterator<Item = &'a str>,
) {
    let topics = filters.filter_map(|name| TopicFilter::try_from(name).ok());
    let unsubscribe = Unsubscribe::new(pid(packet_id), topics.collect());
    push_packet(out, kind::UNSUBSCRIBE << 4 | 0b0010, &unsubscribe);
}
