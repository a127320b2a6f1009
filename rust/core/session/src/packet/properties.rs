//! MQTT 5 properties (section 2.2.2), read in place.
//!
//! A codec that makes two strings of each user property, which can be five bytes on the wire, needs
//! about twenty times the size of a packet full of them. Any client that may publish to a topic can
//! have the broker forward such a packet. Here, the reader decides what to keep.

use alloc::string::String;
use alloc::vec::Vec;

use super::Fault;

/// The identifiers of section 2.2.2.2.
pub(super) mod id {
    pub(in crate::packet) const PAYLOAD_FORMAT_INDICATOR: u8 = 0x01;
    pub(in crate::packet) const MESSAGE_EXPIRY_INTERVAL: u8 = 0x02;
    pub(in crate::packet) const CONTENT_TYPE: u8 = 0x03;
    pub(in crate::packet) const RESPONSE_TOPIC: u8 = 0x08;
    pub(in crate::packet) const CORRELATION_DATA: u8 = 0x09;
    pub(in crate::packet) const SUBSCRIPTION_IDENTIFIER: u8 = 0x0B;
    pub(in crate::packet) const SESSION_EXPIRY_INTERVAL: u8 = 0x11;
    pub(in crate::packet) const ASSIGNED_CLIENT_IDENTIFIER: u8 = 0x12;
    pub(in crate::packet) const SERVER_KEEP_ALIVE: u8 = 0x13;
    pub(in crate::packet) const AUTHENTICATION_METHOD: u8 = 0x15;
    pub(in crate::packet) const AUTHENTICATION_DATA: u8 = 0x16;
    pub(in crate::packet) const REQUEST_PROBLEM_INFORMATION: u8 = 0x17;
    pub(in crate::packet) const WILL_DELAY_INTERVAL: u8 = 0x18;
    pub(in crate::packet) const REQUEST_RESPONSE_INFORMATION: u8 = 0x19;
    pub(in crate::packet) const RESPONSE_INFORMATION: u8 = 0x1A;
    pub(in crate::packet) const SERVER_REFERENCE: u8 = 0x1C;
    pub(in crate::packet) const REASON_STRING: u8 = 0x1F;
    pub(in crate::packet) const RECEIVE_MAXIMUM: u8 = 0x21;
    pub(in crate::packet) const TOPIC_ALIAS_MAXIMUM: u8 = 0x22;
    pub(in crate::packet) const TOPIC_ALIAS: u8 = 0x23;
    pub(in crate::packet) const MAXIMUM_QOS: u8 = 0x24;
    pub(in crate::packet) const RETAIN_AVAILABLE: u8 = 0x25;
    pub(in crate::packet) const USER_PROPERTY: u8 = 0x26;
    pub(in crate::packet) const MAXIMUM_PACKET_SIZE: u8 = 0x27;
    pub(in crate::packet) const WILDCARD_SUBSCRIPTION_AVAILABLE: u8 = 0x28;
    pub(in crate::packet) const SUBSCRIPTION_IDENTIFIER_AVAILABLE: u8 = 0x29;
    pub(in crate::packet) const SHARED_SUBSCRIPTION_AVAILABLE: u8 = 0x2A;
}

/// The value of one property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// Byte, two byte, four byte and variable byte integer.
    Number(u32),
    /// UTF-8 string, not validated yet, and binary data.
    Bytes(&'a [u8]),
    /// UTF-8 string pair, not validated yet.
    Pair(&'a [u8], &'a [u8]),
}

/// The properties of one packet, complete and allowed in it. Values are validated when they are
/// used: unused ones are harmless.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Properties<'a> {
    rest: &'a [u8],
}

impl<'a> Properties<'a> {
    /// Splits bytes that begin with a property length into the properties and what follows them.
    pub(super) fn split(mut bytes: &'a [u8], allowed: &[u8]) -> Result<(Self, &'a [u8]), Fault> {
        let length = take_var_int(&mut bytes).ok_or(Fault::Property)?;
        let rest = take(&mut bytes, length as usize).ok_or(Fault::TooShort)?;
        let properties = Properties { rest };
        let mut unread = properties;
        for (id, _) in unread.by_ref() {
            if !allowed.contains(&id) {
                return Err(Fault::Property);
            }
        }
        match unread.rest {
            [] => Ok((properties, bytes)),
            _ => Err(Fault::Property),
        }
    }

    /// Like [`split`](Self::split), but nothing may follow.
    pub(super) fn all(bytes: &'a [u8], allowed: &[u8]) -> Result<Self, Fault> {
        match Self::split(bytes, allowed)? {
            (properties, []) => Ok(properties),
            _ => Err(Fault::TooLong),
        }
    }

    /// Returns the value of a property that may occur once.
    fn find(mut self, id: u8) -> Result<Option<Value<'a>>, Fault> {
        let mut found = None;
        for (other, value) in self.by_ref() {
            if other == id && found.replace(value).is_some() {
                return Err(Fault::Property);
            }
        }
        Ok(found)
    }

    pub(super) fn number(self, id: u8, slot: &mut Option<u32>) -> Result<(), Fault> {
        if let Some(Value::Number(number)) = self.find(id)? {
            *slot = Some(number);
        }
        Ok(())
    }

    pub(super) fn non_zero(self, id: u8, slot: &mut Option<u32>) -> Result<(), Fault> {
        self.number(id, slot)?;
        match slot {
            Some(0) => Err(Fault::Property),
            _ => Ok(()),
        }
    }

    pub(super) fn bool(self, id: u8, slot: &mut Option<bool>) -> Result<(), Fault> {
        match self.find(id)? {
            Some(Value::Number(number @ 0..=1)) => *slot = Some(number == 1),
            Some(_) => return Err(Fault::Property),
            None => {}
        }
        Ok(())
    }

    pub(super) fn bytes(self, id: u8, slot: &mut Option<Vec<u8>>) -> Result<(), Fault> {
        if let Some(Value::Bytes(bytes)) = self.find(id)? {
            *slot = Some(bytes.to_vec());
        }
        Ok(())
    }

    pub(super) fn text(self, id: u8, slot: &mut Option<String>) -> Result<(), Fault> {
        if let Some(Value::Bytes(bytes)) = self.find(id)? {
            *slot = Some(text(bytes)?);
        }
        Ok(())
    }

    fn take_property(&mut self) -> Option<(u8, Value<'a>)> {
        use id::*;
        let mut rest = self.rest;
        let id = take_number(&mut rest, 1)? as u8;
        let value = match id {
            PAYLOAD_FORMAT_INDICATOR
            | REQUEST_PROBLEM_INFORMATION
            | REQUEST_RESPONSE_INFORMATION
            | MAXIMUM_QOS
            | RETAIN_AVAILABLE
            | WILDCARD_SUBSCRIPTION_AVAILABLE
            | SUBSCRIPTION_IDENTIFIER_AVAILABLE
            | SHARED_SUBSCRIPTION_AVAILABLE => Value::Number(take_number(&mut rest, 1)?),
            SERVER_KEEP_ALIVE | RECEIVE_MAXIMUM | TOPIC_ALIAS_MAXIMUM | TOPIC_ALIAS => {
                Value::Number(take_number(&mut rest, 2)?)
            }
            MESSAGE_EXPIRY_INTERVAL
            | SESSION_EXPIRY_INTERVAL
            | WILL_DELAY_INTERVAL
            | MAXIMUM_PACKET_SIZE => Value::Number(take_number(&mut rest, 4)?),
            SUBSCRIPTION_IDENTIFIER => Value::Number(take_var_int(&mut rest)?),
            CONTENT_TYPE
            | RESPONSE_TOPIC
            | CORRELATION_DATA
            | ASSIGNED_CLIENT_IDENTIFIER
            | AUTHENTICATION_METHOD
            | AUTHENTICATION_DATA
            | RESPONSE_INFORMATION
            | SERVER_REFERENCE
            | REASON_STRING => Value::Bytes(take_bytes(&mut rest)?),
            USER_PROPERTY => Value::Pair(take_bytes(&mut rest)?, take_bytes(&mut rest)?),
            _ => return None,
        };
        self.rest = rest;
        Some((id, value))
    }
}

/// Ends before the first malformed property.
impl<'a> Iterator for Properties<'a> {
    type Item = (u8, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.take_property()
    }
}

/// Decodes a UTF-8 string (section 1.5.4), with room for a NUL so that C needs no second copy.
pub(super) fn text(bytes: &[u8]) -> Result<String, Fault> {
    match core::str::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => {
            let mut owned = String::with_capacity(text.len() + 1);
            owned.push_str(text);
            Ok(owned)
        }
        _ => Err(Fault::Text),
    }
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(taken)
}

fn take_number(rest: &mut &[u8], bytes: usize) -> Option<u32> {
    let number = take(rest, bytes)?.iter();
    Some(number.fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
}

fn take_bytes<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take_number(rest, 2)?;
    take(rest, length as usize)
}

/// Takes a variable byte integer: at most four bytes, in the shortest form (section 1.5.5).
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
