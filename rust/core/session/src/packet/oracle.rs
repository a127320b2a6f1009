//! Compares our decoder with that of the codec mqtt-proto, on valid and malformed packets. The
//! codec does not check for bytes after the end of a packet, over-long variable byte integers, zero
//! where the standard forbids it, and U+0000. It also rejects multiple subscription identifiers,
//! which a PUBLISH may carry.

use alloc::vec::Vec;

use mqtt_proto::v3;
use mqtt_proto::v5::{
    self, Connack, ConnackProperties, ConnectReasonCode, ErrorV5, Header, PacketType, PropertyId,
    PublishProperties, UserProperty,
};
use mqtt_proto::{Encodable, TopicFilter};
use proptest::prelude::*;

use super::frame::{Body, Frame, check_control};
use super::{Fault, Packet, decode};
use crate::config::{QoS, Version};
use crate::error::SessionError;
use crate::message::{Properties, check_filter};
use crate::reason::{ConnectRefusal, ReasonCode};

/// The codec must have consumed the whole body.
fn finished<T>(body: &[u8], offset: usize, packet: T) -> Result<T, Fault> {
    if offset == body.len() {
        Ok(packet)
    } else {
        Err(Fault::TooLong)
    }
}

fn decode_v311(control: u8, body: &[u8]) -> Result<Packet, SessionError> {
    let body = Body::Borrowed(body);
    decode::decode(Version::V311, Frame { control, body })
}

/// A change at a relative position.
type Mutation = (prop::sample::Index, u8, u8);

fn mutations() -> impl Strategy<Value = Vec<Mutation>> {
    prop::collection::vec(any::<Mutation>(), 0..3)
}

fn mutate(bytes: &mut Vec<u8>, mutations: &[Mutation]) {
    for (index, action, value) in mutations {
        if bytes.is_empty() {
            return;
        }
        let at = index.index(bytes.len());
        match action % 4 {
            0 => bytes[at] ^= 1 << (value % 8),
            1 => bytes[at] = *value,
            2 => bytes.insert(at, *value),
            _ => {
                bytes.remove(at);
            }
        }
    }
}

fn text() -> impl Strategy<Value = alloc::string::String> {
    "[a-zäß/]{0,12}"
}

prop_compose! {
    fn publish_properties()(
        utf8 in any::<Option<bool>>(),
        expiry in any::<Option<u32>>(),
        alias in any::<Option<u16>>(),
        response in prop::option::of(text()),
        data in any::<Option<Vec<u8>>>(),
        users in prop::collection::vec((text(), text()), 0..4),
        subscription in prop::option::of(1u32..300_000),
        content in prop::option::of(text()),
    ) -> PublishProperties {
        PublishProperties {
            payload_is_utf8: utf8,
            message_expiry_interval: expiry,
            topic_alias: alias,
            response_topic: response.map(|t| t.as_str().try_into().unwrap()),
            correlation_data: data.map(Into::into),
            user_properties: users
                .iter()
                .map(|(n, v)| UserProperty { name: n.as_str().into(), value: v.as_str().into() })
                .collect(),
            subscription_id: subscription.map(|n| n.try_into().unwrap()),
            content_type: content.map(|t| t.as_str().into()),
        }
    }
}

prop_compose! {
    fn connack_properties()(
        numbers in any::<(Option<u32>, Option<u16>, Option<u32>, Option<u16>, Option<u16>)>(),
        bools in any::<(Option<bool>, Option<bool>, Option<bool>, Option<bool>)>(),
        one in prop::option::of(text()),
        two in prop::option::of(text()),
        users in 0usize..3,
    ) -> ConnackProperties {
        let user = UserProperty { name: "n".into(), value: "v".into() };
        ConnackProperties {
            session_expiry_interval: numbers.0,
            receive_max: numbers.1,
            max_packet_size: numbers.2,
            topic_alias_max: numbers.3,
            server_keep_alive: numbers.4,
            max_qos: bools.0.map(|one| if one { mqtt_proto::QoS::Level1 } else { mqtt_proto::QoS::Level0 }),
            retain_available: bools.1,
            wildcard_subscription_available: bools.2,
            shared_subscription_available: bools.3,
            assigned_client_id: one.clone().map(|t| t.as_str().into()),
            response_info: one.map(|t| t.as_str().into()),
            reason_string: two.clone().map(|t| t.as_str().into()),
            server_reference: two.map(|t| t.as_str().into()),
            user_properties: alloc::vec![user; users],
            ..ConnackProperties::default()
        }
    }
}

fn same_publish_properties(bytes: &[u8]) {
    let mut offset = 0;
    let theirs = PublishProperties::decode(bytes, &mut offset, PacketType::Publish);
    if !Properties::BUILT {
        // Their contents are ignored, so not all of them are validated.
        if let (Ok(theirs), Ok(ours)) = (theirs, decode::decode_publish_properties(bytes, 32)) {
            assert_eq!(ours, (theirs.topic_alias, None, &bytes[offset..]));
        }
        return;
    }
    match (theirs, decode::decode_publish_properties(bytes, 32)) {
        (Ok(theirs), Ok((topic_alias, properties, payload))) => {
            assert_eq!(topic_alias, theirs.topic_alias);
            let p = properties.unwrap_or_default();
            assert_eq!(p.payload_is_utf8, theirs.payload_is_utf8);
            assert_eq!(p.message_expiry, theirs.message_expiry_interval);
            assert_eq!(p.content_type.as_deref(), theirs.content_type.as_deref());
            assert_eq!(
                p.response_topic.as_deref(),
                theirs.response_topic.as_deref()
            );
            assert_eq!(
                p.correlation_data.as_deref(),
                theirs.correlation_data.as_deref()
            );
            assert_eq!(p.user.len(), theirs.user_properties.len());
            for ((name, value), pair) in p.user.iter().zip(&theirs.user_properties) {
                assert_eq!((name.as_str(), value.as_str()), (&*pair.name, &*pair.value));
            }
            assert_eq!(payload, &bytes[offset..]);
        }
        (Ok(theirs), Err(_)) => {
            let nul = |text: &str| text.contains('\0');
            let needless = theirs.encode_len() != offset;
            let zero = theirs.subscription_id.is_some_and(|id| id.value() == 0);
            let mut users = theirs.user_properties.iter();
            let nuls = theirs.content_type.as_deref().is_some_and(nul)
                || users.any(|pair| nul(&pair.name) || nul(&pair.value));
            assert!(needless || zero || nuls, "{theirs:?} {bytes:02X?}");
        }
        (Err(theirs), Ok(_)) => {
            let twice = ErrorV5::DuplicatedProperty(PropertyId::SubscriptionIdentifier);
            assert_eq!(theirs, twice, "{bytes:02X?}");
        }
        (Err(_), Err(_)) => {}
    }
}

fn same_connack(body: &[u8]) {
    let header = Header::new_with(0x20, body.len() as u32, 0).unwrap();
    let mut offset = 0;
    let theirs = Connack::decode(body, &mut offset, header);
    let theirs = theirs.map(|connack| finished(body, offset, connack));
    match (theirs, decode::decode_connack(Version::V5, body)) {
        (Ok(Ok(theirs)), Ok(ours)) => {
            let code = theirs.reason_code as u8;
            assert_eq!(ours.session_present, theirs.session_present);
            assert_eq!(ours.refusal.map_or(0, |refusal| refusal.code()), code);
            let p = theirs.properties;
            assert_eq!(ours.session_expiry, p.session_expiry_interval);
            assert_eq!(ours.receive_maximum, p.receive_max.map(u32::from));
            assert_eq!(
                ours.maximum_qos_is_1.map(u8::from),
                p.max_qos.map(|q| q as u8)
            );
            assert_eq!(ours.retain_available, p.retain_available);
            assert_eq!(ours.maximum_packet_size, p.max_packet_size);
            assert_eq!(ours.wildcards_available, p.wildcard_subscription_available);
            assert_eq!(ours.shared_available, p.shared_subscription_available);
            assert_eq!(ours.keep_alive, p.server_keep_alive.map(u32::from));
            assert_eq!(ours.client_id.as_deref(), p.assigned_client_id.as_deref());
            assert_eq!(ours.text.as_deref(), p.reason_string.as_deref());
            assert_eq!(
                ours.server_reference.as_deref(),
                p.server_reference.as_deref()
            );
        }
        (Ok(Ok(theirs)), Err(_)) => {
            let p = &theirs.properties;
            let nul = |text: &Option<alloc::sync::Arc<str>>| {
                text.as_deref().is_some_and(|text| text.contains('\0'))
            };
            let known = theirs.encode_len() != body.len()
                || p.receive_max == Some(0)
                || p.max_packet_size == Some(0)
                || nul(&p.assigned_client_id)
                || nul(&p.reason_string)
                || nul(&p.server_reference)
                || nul(&p.response_info);
            assert!(known, "{theirs:?} {body:02X?}");
        }
        // Codes unknown to the codec, and invalid values of properties that are not used here.
        (Err(_) | Ok(Err(_)), Ok(_)) => {
            let [_, code, ..] = body else {
                panic!("{body:02X?}");
            };
            let unknown = ConnectReasonCode::from_u8(*code).is_none();
            let ignored = body.iter().any(|byte| {
                use PropertyId::*;
                [
                    TopicAliasMaximum,
                    SubscriptionIdentifierAvailable,
                    ResponseInformation,
                    AuthenticationMethod,
                    AuthenticationData,
                    UserProperty,
                ]
                .iter()
                .any(|id| *id as u8 == *byte)
            });
            // A refusal may end after its code, be it one of 3.1.1 or of 5.
            let short = matches!(body, [_, 1..=5 | 0x80..=0xFF]);
            assert!(unknown || ignored || short, "{body:02X?}");
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn publish_properties_are_read_as_the_codec_reads_them(
        properties in publish_properties(),
        mutations in mutations(),
    ) {
        let mut bytes = Vec::new();
        properties.encode(&mut bytes).unwrap();
        if mutations.is_empty() {
            prop_assert!(decode::decode_publish_properties(&bytes, 32).is_ok());
        }
        mutate(&mut bytes, &mutations);
        same_publish_properties(&bytes);
    }

    #[test]
    fn connacks_are_read_as_the_codec_reads_them(
        session_present in any::<bool>(),
        properties in connack_properties(),
        mutations in mutations(),
    ) {
        let mut connack = Connack::new(session_present, ConnectReasonCode::Success);
        connack.properties = properties;
        let mut bytes = Vec::new();
        connack.encode(&mut bytes).unwrap();
        mutate(&mut bytes, &mutations);
        same_connack(&bytes);
    }

    #[test]
    fn connacks_of_version_3_are_read_as_the_codec_reads_them(
        body in prop::collection::vec(0u8..8, 0..4),
    ) {
        let mut offset = 0;
        let theirs = v3::Connack::decode(&body, &mut offset)
            .ok()
            .and_then(|connack| finished(&body, offset, connack).ok())
            .map(|connack| (connack.session_present, connack.code as u8));
        let ours = match decode_v311(0x20, &body) {
            Ok(Packet::Connack(connack)) => {
                let code = connack.refusal.map_or(0, ConnectRefusal::code);
                Some((connack.session_present, code))
            }
            _ => None,
        };
        // What the codec rejects may be a refusal that 3.1.1 does not define.
        let refused = matches!(body[..], [_, code, ..] if code != 0);
        prop_assert!(ours == theirs || refused && ours.is_some(), "{ours:?} {theirs:?}");
    }

    #[test]
    fn subacks_of_version_3_are_read_as_the_codec_reads_them(
        body in prop::collection::vec(prop_oneof![0u8..4, Just(0x80), any::<u8>()], 0..6),
    ) {
        let mut offset = 0;
        let header = v3::Header::new_with(0x90, body.len() as u32, 0).unwrap();
        let theirs = v3::Suback::decode(&body, &mut offset, header)
            .ok()
            .and_then(|suback| finished(&body, offset, suback).ok())
            .map(|suback| {
                let codes = suback.topics.iter().map(|code| match code {
                    v3::SubscribeReturnCode::Failure => 0x80,
                    granted => *granted as u8,
                });
                (suback.pid.value(), codes.collect::<Vec<_>>())
            });
        let code = |granted: &Result<QoS, ReasonCode>| match granted {
            Ok(qos) => *qos as u8,
            Err(reason) => reason.0,
        };
        let ours = match decode_v311(0x90, &body) {
            Ok(Packet::Answers(answers)) => {
                Some((answers.id, answers.codes.iter().map(code).collect()))
            }
            _ => None,
        };
        let newer = body.iter().skip(2).any(|code| *code > 0x80);
        prop_assert!(ours == theirs || theirs.is_none() && newer, "{ours:?} {theirs:?}");
    }

    #[test]
    fn filters_are_judged_as_the_codec_judges_them(
        filter in "(\\$share/)?[ab+#/\0]{0,8}",
    ) {
        let (invalid, _) = TopicFilter::is_invalid(&filter);
        match check_filter(&filter) {
            Ok(()) => prop_assert!(!invalid),
            // The codec accepts `a/+b`.
            Err(_) => prop_assert!(invalid || filter.contains("+a") || filter.contains("+b")),
        }
    }
}

#[test]
fn connacks_without_properties_are_read_as_the_codec_reads_them() {
    for [flags, code] in (0..=u16::MAX).map(u16::to_be_bytes) {
        same_connack(&[flags, code]);
        same_connack(&[flags, code, 0]);
    }
}

#[test]
fn fixed_headers_are_judged_as_the_codec_judges_them() {
    for control in 0..=255 {
        let v311 = v3::Header::new_with(control, 0, 0).is_ok();
        assert_eq!(check_control(Version::V311, control).is_ok(), v311);
        let v5 = v5::Header::new_with(control, 0, 0).is_ok();
        assert_eq!(check_control(Version::V5, control).is_ok(), v5);
    }
}

#[test]
fn user_properties_do_not_multiply_in_memory() {
    // A length of 15,000.
    let mut bytes = Vec::from([0x98, 0x75]);
    bytes.extend([0x26, 0, 0, 0, 0].repeat(3_000));
    let (_, properties, payload) = decode::decode_publish_properties(&bytes, 32).unwrap();
    let kept = properties.map(|properties| properties.user.len());
    assert_eq!(kept, Properties::BUILT.then_some(32));
    assert_eq!(payload, []);
}

#[test]
fn several_subscription_identifiers_are_no_error() {
    let read = decode::decode_publish_properties(&[4, 0x0B, 1, 0x0B, 2], 32);
    assert_eq!(read, Ok((None, None, &[][..])));
}
