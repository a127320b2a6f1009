//! MQTT 3.1.1 to and from the internal form.

use alloc::vec::Vec;

use mqtt_proto::v3::{Connack as CodecConnack, Connect, LastWill, Suback, Subscribe, Unsubscribe};
use mqtt_proto::v3::{ConnectReturnCode, Header, SubscribeReturnCode};
use mqtt_proto::{Protocol, TopicFilter, TopicName};

use super::{Connack, Packet, codec_qos, finished, granted, kind, pid, push_packet, split_u16};
use crate::config::{Config, QoS, Version};
use crate::error::SessionError;
use crate::reason::{ConnectRefusal, ReasonCode};

pub(super) fn decode_connack(body: &[u8]) -> Result<Packet, SessionError> {
    let mut offset = 0;
    let connack = CodecConnack::decode(body, &mut offset).map_err(|_| SessionError::Malformed)?;
    let connack = finished(body, offset, connack)?;
    let refusal = match connack.code {
        ConnectReturnCode::Accepted => None,
        code => Some(ConnectRefusal::new(Version::V311, code as u8)),
    };
    Ok(Packet::Connack(
        Connack {
            session_present: connack.session_present,
            refusal,
            ..Connack::default()
        }
        .into(),
    ))
}

pub(super) fn decode_ack(body: &[u8]) -> Result<(u16, ReasonCode), SessionError> {
    match split_u16(body)? {
        (0, _) => Err(SessionError::Malformed),
        (id, []) => Ok((id, ReasonCode::SUCCESS)),
        _ => Err(SessionError::Malformed),
    }
}

pub(super) fn decode_suback(control: u8, body: &[u8]) -> Result<Packet, SessionError> {
    let header = Header::new_with(control, body.len() as u32, 0);
    let header = header.map_err(|_| SessionError::Malformed)?;
    let mut offset = 0;
    let suback = Suback::decode(body, &mut offset, header).map_err(|_| SessionError::Malformed)?;
    let suback = finished(body, offset, suback)?;
    let codes = suback.topics.iter().map(|code| match code {
        SubscribeReturnCode::MaxLevel0 => Ok(QoS::AtMostOnce),
        SubscribeReturnCode::MaxLevel1 => Ok(QoS::AtLeastOnce),
        SubscribeReturnCode::MaxLevel2 => Ok(QoS::ExactlyOnce),
        SubscribeReturnCode::Failure => granted(ReasonCode::UNSPECIFIED.0),
    });
    Ok(Packet::Suback(suback.pid.value(), codes.collect()))
}

pub(super) fn decode_unsuback(body: &[u8]) -> Result<Packet, SessionError> {
    let (id, _) = decode_ack(body)?;
    Ok(Packet::Unsuback(id, None))
}

pub(super) fn push_connect(out: &mut Vec<u8>, config: &Config, client_id: &str, clean: bool) {
    let will = config.will.as_ref().and_then(|will| {
        Some(LastWill {
            qos: codec_qos(will.qos),
            retain: will.retain,
            topic_name: TopicName::try_from(will.topic.as_str()).ok()?,
            message: will.payload.clone().into(),
        })
    });
    let connect = Connect {
        protocol: Protocol::V311,
        clean_session: clean,
        keep_alive: config.keep_alive.as_secs() as u16,
        client_id: client_id.into(),
        last_will: will,
        username: config.username.as_deref().map(Into::into),
        password: config.password.clone().map(Into::into),
    };
    push_packet(out, kind::CONNECT << 4, &connect);
}

pub(super) fn push_subscribe<'a>(
    out: &mut Vec<u8>,
    packet_id: u16,
    filters: impl Iterator<Item = (&'a str, QoS)>,
) {
    let topics = filters
        .filter_map(|(name, qos)| Some((TopicFilter::try_from(name).ok()?, codec_qos(qos))))
        .collect();
    let subscribe = Subscribe::new(pid(packet_id), topics);
    push_packet(out, kind::SUBSCRIBE << 4 | 0b0010, &subscribe);
}

pub(super) fn push_unsubscribe<'a>(
    out: &mut Vec<u8>,
    packet_id: u16,
    filters: impl Iterator<Item = &'a str>,
) {
    let topics = filters
        .filter_map(|name| TopicFilter::try_from(name).ok())
        .collect();
    let unsubscribe = Unsubscribe::new(pid(packet_id), topics);
    push_packet(out, kind::UNSUBSCRIBE << 4 | 0b0010, &unsubscribe);
}
