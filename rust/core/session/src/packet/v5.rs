//! MQTT 5 encoding, using the codec.

use alloc::vec::Vec;

use mqtt_proto::v5::{
    Connect, LastWill, PublishProperties as CodecPublishProperties, RetainHandling, Subscribe,
    SubscriptionOptions, Unsubscribe, UserProperty, WillProperties,
};
use mqtt_proto::{TopicFilter, TopicName};

use super::{codec_qos, frame, kind, pid, push_packet};
use crate::config::{Config, QoS};
use crate::message;

/// Converts our properties to the codec's form, with the remaining expiry.
/// `message::check_properties` has checked them before. They are copied: returns `None` if the heap
/// has no room.
pub(super) fn publish_properties(
    properties: Option<&message::Properties>,
    expiry: Option<u32>,
) -> Option<CodecPublishProperties> {
    let Some(properties) = properties else {
        return Some(CodecPublishProperties::default());
    };
    if !frame::heap_has(2 * properties.size()) {
        return None;
    }
    Some(CodecPublishProperties {
        payload_is_utf8: properties.payload_is_utf8,
        // The remaining time is rounded up, but does not exceed what was requested.
        message_expiry_interval: properties
            .message_expiry
            .map(|all| expiry.map_or(all, |left| left.min(all))),
        topic_alias: None,
        response_topic: response_topic(properties),
        correlation_data: properties.correlation_data.clone().map(Into::into),
        user_properties: user_properties(properties),
        subscription_id: None,
        content_type: properties.content_type.as_deref().map(Into::into),
    })
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
    connect.properties.max_packet_size =
        Some(config.max_packet_size.max(config.max_size_in_pieces));
    connect.properties.request_response_info = config.request_response_information.then_some(true);
    connect.properties.topic_alias_max =
        (config.topic_alias_maximum != 0).then_some(config.topic_alias_maximum);
    connect.last_will = config.will.as_ref().and_then(|will| {
        let mut properties = WillProperties {
            delay_interval: non_zero(config.will_delay),
            ..WillProperties::default()
        };
        if let Some(ours) = will.carried() {
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
    connect.password = config
        .password
        .as_ref()
        .map(|secret| secret.to_vec().into());
    push_packet(out, kind::CONNECT << 4, &connect);
}

pub(super) fn push_subscribe<'a>(
    out: &mut Vec<u8>,
    packet_id: u16,
    filters: impl Iterator<Item = (&'a str, QoS)>,
) {
    // The codec's default sets "retain as published". With it, a live message with the flag cannot
    // be distinguished from a stored one.
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
