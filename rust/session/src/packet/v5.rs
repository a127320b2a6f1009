//! MQTT 5 to and from the internal form.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use mqtt_proto::v5::{
    Connack as CodecConnack, Connect, ConnectReasonCode, Disconnect, Header, LastWill, PacketType,
    PubackProperties, PublishProperties, RetainHandling, Suback, Subscribe, SubscriptionOptions,
    Unsuback, Unsubscribe, UserProperty, WillProperties,
};
use mqtt_proto::{TopicFilter, TopicName};

use super::{Connack, Packet, codec_qos, finished, granted, kind, pid, push_packet, split_u16};
use crate::config::{Config, QoS, Version};
use crate::error::SessionError;
use crate::message::Properties;
use crate::reason::{ConnectRefusal, ReasonCode};

fn header(control: u8, body: &[u8]) -> Result<Header, SessionError> {
    Header::new_with(control, body.len() as u32, 0).map_err(|_| SessionError::Malformed)
}

fn owned(text: Option<Arc<str>>) -> Option<String> {
    text.as_deref().map(String::from)
}

pub(super) fn decode_connack(control: u8, body: &[u8]) -> Result<Packet, SessionError> {
    // A broker that knows only 3.1.1 may say so in its own words.
    if let [0, code @ 1..=5] = body {
        return Ok(Packet::Connack(
            Connack {
                refusal: Some(ConnectRefusal::new(Version::V311, *code)),
                ..Connack::default()
            }
            .into(),
        ));
    }
    let mut offset = 0;
    let connack = CodecConnack::decode(body, &mut offset, header(control, body)?)
        .map_err(|_| SessionError::Malformed)?;
    let connack = finished(body, offset, connack)?;
    let refusal = match connack.reason_code {
        ConnectReasonCode::Success => None,
        code => Some(ConnectRefusal::new(Version::V5, code as u8)),
    };
    let properties = connack.properties;
    if properties.receive_max == Some(0) || properties.max_packet_size == Some(0) {
        return Err(SessionError::Malformed);
    }
    Ok(Packet::Connack(
        Connack {
            session_present: connack.session_present,
            refusal,
            receive_maximum: properties.receive_max,
            maximum_qos: properties.max_qos.and_then(|qos| granted(qos as u8).ok()),
            retain_available: properties.retain_available,
            maximum_packet_size: properties.max_packet_size,
            wildcards_available: properties.wildcard_subscription_available,
            shared_available: properties.shared_subscription_available,
            keep_alive: properties.server_keep_alive,
            session_expiry: properties.session_expiry_interval,
            client_id: owned(properties.assigned_client_id),
            text: owned(properties.reason_string),
            server_reference: owned(properties.server_reference),
        }
        .into(),
    ))
}

/// PUBACK, PUBREC, PUBREL and PUBCOMP have the same form and the same properties.
pub(super) fn decode_ack(body: &[u8]) -> Result<(u16, ReasonCode), SessionError> {
    let (id, rest) = split_u16(body)?;
    if id == 0 {
        return Err(SessionError::Malformed);
    }
    match rest {
        [] => Ok((id, ReasonCode::SUCCESS)),
        [reason] => Ok((id, ReasonCode(*reason))),
        [reason, properties @ ..] => {
            let mut offset = 0;
            PubackProperties::decode(properties, &mut offset, PacketType::Puback)
                .map_err(|_| SessionError::Malformed)?;
            finished(properties, offset, (id, ReasonCode(*reason)))
        }
    }
}

pub(super) fn decode_suback(control: u8, body: &[u8]) -> Result<Packet, SessionError> {
    let mut offset = 0;
    let suback = Suback::decode(body, &mut offset, header(control, body)?)
        .map_err(|_| SessionError::Malformed)?;
    let suback = finished(body, offset, suback)?;
    let codes = suback.topics.iter().map(|code| granted(*code as u8));
    Ok(Packet::Suback(suback.pid.value(), codes.collect()))
}

pub(super) fn decode_unsuback(control: u8, body: &[u8]) -> Result<Packet, SessionError> {
    let mut offset = 0;
    let unsuback = Unsuback::decode(body, &mut offset, header(control, body)?)
        .map_err(|_| SessionError::Malformed)?;
    let unsuback = finished(body, offset, unsuback)?;
    let codes = unsuback.topics.iter().map(|code| {
        let reason = ReasonCode(*code as u8);
        if reason.is_error() {
            Err(reason)
        } else {
            Ok(())
        }
    });
    Ok(Packet::Unsuback(
        unsuback.pid.value(),
        Some(codes.collect()),
    ))
}

pub(super) fn decode_disconnect(control: u8, body: &[u8]) -> Result<Packet, SessionError> {
    let mut offset = 0;
    let disconnect = Disconnect::decode(body, &mut offset, header(control, body)?)
        .map_err(|_| SessionError::Malformed)?;
    let disconnect = finished(body, offset, disconnect)?;
    Ok(Packet::Disconnect {
        reason: ReasonCode(disconnect.reason_code as u8),
        text: owned(disconnect.properties.reason_string),
        server_reference: owned(disconnect.properties.server_reference),
    })
}

/// Topic alias and the properties an application cares for.
pub(super) fn decode_publish_properties(
    body: &[u8],
    offset: &mut usize,
) -> Result<(Option<u16>, Option<Box<Properties>>), SessionError> {
    let decoded = PublishProperties::decode(body, offset, PacketType::Publish)
        .map_err(|_| SessionError::Malformed)?;
    let alias = decoded.topic_alias;
    let properties = Properties {
        payload_is_utf8: decoded.payload_is_utf8,
        message_expiry: decoded.message_expiry_interval,
        content_type: owned(decoded.content_type),
        response_topic: decoded.response_topic.map(|topic| String::from(&*topic)),
        correlation_data: decoded.correlation_data.map(Vec::from),
        user: decoded
            .user_properties
            .iter()
            .map(|pair| (String::from(&*pair.name), String::from(&*pair.value)))
            .collect(),
    };
    let some = properties != Properties::default();
    Ok((alias, some.then(|| Box::new(properties))))
}

/// The codec's form of our properties; checked by `message::check_properties` before.
pub(super) fn publish_properties(properties: Option<&Properties>) -> PublishProperties {
    let Some(properties) = properties else {
        return PublishProperties::default();
    };
    PublishProperties {
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

fn response_topic(properties: &Properties) -> Option<TopicName> {
    TopicName::try_from(properties.response_topic.as_deref()?).ok()
}

fn user_properties(properties: &Properties) -> Vec<UserProperty> {
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
