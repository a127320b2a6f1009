//! MQTT 3.1.1 encoding, using the codec.

use alloc::vec::Vec;

use mqtt_proto::v3::{Connect, LastWill, Subscribe, Unsubscribe};
use mqtt_proto::{Protocol, TopicFilter, TopicName};

use super::{codec_qos, kind, pid, push_packet};
use crate::config::{Config, QoS};

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
        password: config
            .password
            .as_ref()
            .map(|secret| secret.to_vec().into()),
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
