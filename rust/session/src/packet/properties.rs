//! Reads MQTT 5 properties (section 2.2.2) where they lie.
//!
//! The codec makes two strings of each user property, which may be five bytes on the wire: a
//! packet full of them takes some twenty times its size in memory, and whoever may publish to a
//! topic can have the broker pass one on. Here the reader decides what is worth keeping.

use alloc::string::String;

use mqtt_proto::v5::PropertyId;

use crate::error::SessionError;

/// The value of one property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// Byte, two byte, four byte and variable byte integer.
    Number(u32),
    /// UTF-8 string, not yet checked, and binary data.
    Bytes(&'a [u8]),
    /// UTF-8 string pair, not yet checked.
    Pair(&'a [u8], &'a [u8]),
}

/// The properties of one packet, in order. After an error it ends.
#[derive(Debug)]
pub(super) struct Properties<'a> {
    rest: &'a [u8],
}

impl<'a> Properties<'a> {
    /// Splits bytes that begin with a property length: the properties, and what follows them.
    pub(super) fn split(mut bytes: &'a [u8]) -> Result<(Self, &'a [u8]), SessionError> {
        let length = take_var_int(&mut bytes).ok_or(SessionError::Malformed)?;
        let (rest, after) = bytes
            .split_at_checked(length as usize)
            .ok_or(SessionError::Malformed)?;
        Ok((Properties { rest }, after))
    }

    /// The same where nothing may follow.
    pub(super) fn all(bytes: &'a [u8]) -> Result<Self, SessionError> {
        match Self::split(bytes)? {
            (properties, []) => Ok(properties),
            _ => Err(SessionError::Malformed),
        }
    }

    fn take_property(&mut self) -> Option<(PropertyId, Value<'a>)> {
        use PropertyId::*;
        let rest = &mut self.rest;
        let id = PropertyId::from_u8(take_number(rest, 1)? as u8).ok()?;
        let value = match id {
            PayloadFormatIndicator
            | RequestProblemInformation
            | RequestResponseInformation
            | MaximumQoS
            | RetainAvailable
            | WildcardSubscriptionAvailable
            | SubscriptionIdentifierAvailable
            | SharedSubscriptionAvailable => Value::Number(take_number(rest, 1)?),
            ServerKeepAlive | ReceiveMaximum | TopicAliasMaximum | TopicAlias => {
                Value::Number(take_number(rest, 2)?)
            }
            MessageExpiryInterval
            | SessionExpiryInterval
            | WillDelayInterval
            | MaximumPacketSize => Value::Number(take_number(rest, 4)?),
            SubscriptionIdentifier => Value::Number(take_var_int(rest)?),
            ContentType
            | ResponseTopic
            | CorrelationData
            | AssignedClientIdentifier
            | AuthenticationMethod
            | AuthenticationData
            | ResponseInformation
            | ServerReference
            | ReasonString => Value::Bytes(take_bytes(rest)?),
            UserProperty => Value::Pair(take_bytes(rest)?, take_bytes(rest)?),
        };
        Some((id, value))
    }
}

impl<'a> Iterator for Properties<'a> {
    type Item = Result<(PropertyId, Value<'a>), SessionError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let property = self.take_property();
        if property.is_none() {
            self.rest = &[];
        }
        Some(property.ok_or(SessionError::Malformed))
    }
}

/// A UTF-8 string of section 1.5.4.
pub(super) fn text(bytes: &[u8]) -> Result<&str, SessionError> {
    match core::str::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => Ok(text),
        _ => Err(SessionError::Malformed),
    }
}

/// Sets what must not be there twice.
pub(super) fn set<T>(slot: &mut Option<T>, value: T) -> Result<(), SessionError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(SessionError::Malformed),
    }
}

pub(super) fn set_text(slot: &mut Option<String>, bytes: &[u8]) -> Result<(), SessionError> {
    set(slot, String::from(text(bytes)?))
}

pub(super) fn set_bool(slot: &mut Option<bool>, number: u32) -> Result<(), SessionError> {
    match number {
        0 | 1 => set(slot, number == 1),
        _ => Err(SessionError::Malformed),
    }
}

fn take_number(rest: &mut &[u8], bytes: usize) -> Option<u32> {
    let (number, after) = rest.split_at_checked(bytes)?;
    *rest = after;
    let value = number
        .iter()
        .fold(0, |sum, byte| sum << 8 | u32::from(*byte));
    Some(value)
}

fn take_bytes<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take_number(rest, 2)?;
    let (bytes, after) = rest.split_at_checked(length as usize)?;
    *rest = after;
    Some(bytes)
}

/// Variable byte integer: at most four bytes, none of them needless (section 1.5.5).
fn take_var_int(rest: &mut &[u8]) -> Option<u32> {
    let mut value = 0;
    for shift in [0, 7, 14, 21] {
        let byte = take_number(rest, 1)?;
        value |= (byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return (byte != 0 || shift == 0).then_some(value);
        }
    }
    None
}
