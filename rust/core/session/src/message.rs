//! Messages, their MQTT 5 properties, and the rules for topics.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::config::{QoS, Version};
use crate::error::CommandError;

/// A message, to publish or received.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    /// Topic name: 1 to 65,535 bytes, no wildcards, no U+0000.
    pub topic: String,
    /// Payload: any bytes.
    pub payload: Vec<u8>,
    /// Quality of service.
    pub qos: QoS,
    /// When publishing: asks the broker to keep it for later subscribers. When received: the broker
    /// had kept it from before.
    pub retain: bool,
    /// MQTT 5 properties; `None` costs nothing. Must be `None` with MQTT 3.1.1.
    pub properties: Option<Box<Properties>>,
}

impl Message {
    /// Creates a QoS 0 message, not retained.
    pub fn new(topic: impl Into<String>, payload: impl Into<Vec<u8>>) -> Self {
        Message {
            topic: topic.into(),
            payload: payload.into(),
            ..Message::default()
        }
    }

    /// Sets the quality of service.
    pub fn qos(mut self, qos: QoS) -> Self {
        self.qos = qos;
        self
    }

    /// Sets the retain flag.
    pub fn retain(mut self, retain: bool) -> Self {
        self.retain = retain;
        self
    }

    /// Sets the properties.
    pub fn properties(mut self, properties: Properties) -> Self {
        self.properties = Some(Box::new(properties));
        self
    }
}

impl Message {
    /// Returns the properties if this build supports them ([`Properties::BUILT`]), so that the
    /// compiler can drop the calling code if not.
    pub fn carried(&self) -> Option<&Properties> {
        self.properties.as_deref().filter(|_| Properties::BUILT)
    }

    /// Returns the bytes of topic, payload and properties, as counted against the outbox.
    pub(crate) fn size(&self) -> usize {
        let properties = self.carried().map_or(0, Properties::size);
        self.topic.len() + self.payload.len() + properties
    }
}

/// MQTT 5 properties of a message (section 3.3.2.3).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Properties {
    /// Whether the payload is UTF-8 text (`Some(true)`), unspecified bytes (`Some(false)`), or not
    /// declared. This crate does not check the payload against it, neither sending nor receiving.
    pub payload_is_utf8: Option<bool>,
    /// Seconds after which the broker need not deliver the message. The time that it waits in the
    /// outbox is subtracted. A message that expires there is dropped.
    pub message_expiry: Option<u32>,
    /// Content type, by convention a MIME type.
    pub content_type: Option<String>,
    /// Topic name for a response.
    pub response_topic: Option<String>,
    /// Data to include in the response, so that the requester can match it.
    pub correlation_data: Option<Vec<u8>>,
    /// Pairs defined by the applications, in order; names may repeat. Of a received message, only
    /// the first 32 are kept.
    pub user: Vec<(String, String)>,
}

impl Properties {
    /// Whether this build supports properties (cargo feature `properties`). If not, a message with
    /// properties is refused, and received messages have none.
    pub const BUILT: bool = cfg!(feature = "properties");

    /// Returns the heap bytes that they occupy, slightly more than in a packet.
    pub(crate) fn size(&self) -> usize {
        let user: usize = self.user.iter().map(|(n, v)| 48 + n.len() + v.len()).sum();
        128 + user
            + self.content_type.as_ref().map_or(0, String::len)
            + self.response_topic.as_ref().map_or(0, String::len)
            + self.correlation_data.as_ref().map_or(0, Vec::len)
    }
}

/// Checks the topic name of an outgoing message (MQTT 3.1.1 and 5, section 4.7).
pub(crate) fn check_topic(topic: &str) -> Result<(), CommandError> {
    if topic.is_empty() {
        Err(CommandError::EmptyTopic)
    } else if topic.len() > usize::from(u16::MAX) {
        Err(CommandError::TopicTooLong)
    } else if has_wildcard(topic) {
        Err(CommandError::WildcardInTopic)
    } else if topic.contains('\0') {
        Err(CommandError::NulInTopic)
    } else {
        Ok(())
    }
}

/// Returns whether the text contains `+` or `#` anywhere.
pub(crate) fn has_wildcard(text: &str) -> bool {
    text.bytes().any(|byte| matches!(byte, b'+' | b'#'))
}

/// Checks a topic filter (section 4.7.1 of both standards), with or without the `$share/NAME/` of
/// MQTT 5 section 4.8.2, which brokers accept from MQTT 3.1.1 clients as well.
pub(crate) fn check_filter(filter: &str) -> Result<(), CommandError> {
    if filter.is_empty() {
        return Err(CommandError::EmptyTopic);
    }
    if filter.len() > usize::from(u16::MAX) {
        return Err(CommandError::TopicTooLong);
    }
    if filter.contains('\0') {
        return Err(CommandError::NulInTopic);
    }
    let mut levels = filter;
    if let Some(shared) = shared_part(filter) {
        let (name, rest) = shared.split_once('/').ok_or(CommandError::InvalidShare)?;
        if name.is_empty() || has_wildcard(name) || rest.is_empty() {
            return Err(CommandError::InvalidShare);
        }
        levels = rest;
    }
    let mut levels = levels.split('/').peekable();
    while let Some(level) = levels.next() {
        let valid = match level {
            "#" => levels.peek().is_none(),
            "+" => true,
            other => !has_wildcard(other),
        };
        if !valid {
            return Err(CommandError::InvalidFilter);
        }
    }
    Ok(())
}

/// Returns what follows `$share/`.
pub(crate) fn shared_part(filter: &str) -> Option<&str> {
    filter.strip_prefix("$share/")
}

/// Checks the properties: they need MQTT 5, and each field has a 16-bit length.
pub(crate) fn check_properties(message: &Message, version: Version) -> Result<(), CommandError> {
    let Some(properties) = &message.properties else {
        return Ok(());
    };
    if !Properties::BUILT {
        return Err(CommandError::NotBuilt("PROPERTIES"));
    }
    if version == Version::V311 {
        return Err(CommandError::PropertiesNeedV5);
    }
    if let Some(topic) = &properties.response_topic {
        check_topic(topic)?;
    }
    let strings = properties.content_type.iter().chain(
        properties
            .user
            .iter()
            .flat_map(|(name, value)| [name, value]),
    );
    for text in strings {
        if text.len() > usize::from(u16::MAX) || text.contains('\0') {
            return Err(CommandError::InvalidProperty);
        }
    }
    match &properties.correlation_data {
        Some(data) if data.len() > usize::from(u16::MAX) => Err(CommandError::InvalidProperty),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn topics() {
        assert_eq!(check_topic("a"), Ok(()));
        assert_eq!(check_topic("/"), Ok(()));
        assert_eq!(check_topic(&"a".repeat(65_535)), Ok(()));
        assert_eq!(check_topic(""), Err(CommandError::EmptyTopic));
        assert_eq!(
            check_topic(&"a".repeat(65_536)),
            Err(CommandError::TopicTooLong)
        );
        assert_eq!(check_topic("a/+"), Err(CommandError::WildcardInTopic));
        assert_eq!(check_topic("a#"), Err(CommandError::WildcardInTopic));
        assert_eq!(check_topic("a\0b"), Err(CommandError::NulInTopic));
    }

    #[test]
    fn filters() {
        for good in ["a", "/", "+", "#", "a/+/b", "a/#", "+/+/#", "//", "$SYS/#"] {
            assert_eq!(check_filter(good), Ok(()), "{good}");
        }
        for bad in ["a+", "+a", "a/+b", "a/b+", "#/a", "a#", "a/#/b"] {
            let got = check_filter(bad);
            assert_eq!(got, Err(CommandError::InvalidFilter), "{bad:?}");
        }
        assert_eq!(check_filter(""), Err(CommandError::EmptyTopic));
        assert_eq!(check_filter("a\0"), Err(CommandError::NulInTopic));
        let long = "a".repeat(65_536);
        assert_eq!(check_filter(&long), Err(CommandError::TopicTooLong));
    }

    #[test]
    fn shared_filters() {
        for good in ["$share/g/a", "$share/g/#", "$share/g//", "$shared"] {
            assert_eq!(check_filter(good), Ok(()), "{good}");
        }
        for bad in [
            "$share/",
            "$share/g",
            "$share/g/",
            "$share//a",
            "$share/+/a",
        ] {
            let got = check_filter(bad);
            assert_eq!(got, Err(CommandError::InvalidShare), "{bad}");
        }
    }

    #[test]
    fn properties() {
        let with = |properties| Message::new("t", "").properties(properties);
        let plain = with(Properties::default());
        if !Properties::BUILT {
            for version in [Version::V311, Version::V5] {
                assert_eq!(
                    check_properties(&plain, version),
                    Err(CommandError::NotBuilt("PROPERTIES"))
                );
            }
            return;
        }
        assert_eq!(check_properties(&plain, Version::V5), Ok(()));
        assert_eq!(
            check_properties(&plain, Version::V311),
            Err(CommandError::PropertiesNeedV5)
        );
        let bad_response = with(Properties {
            response_topic: Some("a/#".into()),
            ..Properties::default()
        });
        assert_eq!(
            check_properties(&bad_response, Version::V5),
            Err(CommandError::WildcardInTopic)
        );
        for bad in [
            Properties {
                user: vec![("n".into(), "v".repeat(65_536))],
                ..Properties::default()
            },
            Properties {
                correlation_data: Some(vec![0; 65_536]),
                ..Properties::default()
            },
            Properties {
                content_type: Some("\0".into()),
                ..Properties::default()
            },
        ] {
            assert_eq!(
                check_properties(&with(bad), Version::V5),
                Err(CommandError::InvalidProperty)
            );
        }
    }
}
