//! Packet types, and what can be wrong with a packet.

use core::fmt;

/// The type of a control packet (section 2.1.2 of both standards).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PacketType(pub(crate) u8);

impl PacketType {
    /// The broker's answer to CONNECT.
    pub const CONNACK: Self = Self(2);
    /// A message.
    pub const PUBLISH: Self = Self(3);

    /// Returns the type in the first byte of a packet.
    pub(crate) fn of(control: u8) -> Self {
        PacketType(control >> 4)
    }

    /// Creates it from its number on the wire, 0 to 15.
    pub fn new(number: u8) -> Self {
        PacketType(number & 0x0F)
    }

    /// Returns its number on the wire, 0 to 15.
    pub fn number(self) -> u8 {
        self.0
    }

    fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            1 => "CONNECT",
            2 => "CONNACK",
            3 => "PUBLISH",
            4 => "PUBACK",
            5 => "PUBREC",
            6 => "PUBREL",
            7 => "PUBCOMP",
            8 => "SUBSCRIBE",
            9 => "SUBACK",
            10 => "UNSUBSCRIBE",
            11 => "UNSUBACK",
            12 => "PINGREQ",
            13 => "PINGRESP",
            14 => "DISCONNECT",
            15 => "AUTH",
            _ => return None,
        })
    }
}

impl fmt::Display for PacketType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "packet of undefined type {}", self.0),
        }
    }
}

impl fmt::Debug for PacketType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a packet could not be decoded: it is malformed according to the standards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The packet type is undefined, or its flags are invalid.
    FirstByte,
    /// The remaining length takes more than four bytes or, with MQTT 5, more than necessary.
    Length,
    /// The packet ends before its content does.
    TooShort,
    /// Bytes follow the content.
    TooLong,
    /// The packet identifier is 0.
    PacketId,
    /// A string is not UTF-8 or contains U+0000.
    Text,
    /// The topic name is empty or contains a wildcard.
    Topic,
    /// A property is undefined here, occurs twice, or has a forbidden value.
    Property,
    /// A code or flag is undefined here.
    Code,
    /// The number of answers does not match the number of requested filters.
    Count,
    /// The packet has the format of MQTT 3.1.1 on an MQTT 5 connection.
    OldVersion,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::FirstByte => "its first byte is not valid for a packet from a broker",
            Fault::Length => "its length is not encoded correctly",
            Fault::TooShort => "it ends too early",
            Fault::TooLong => "bytes follow its content",
            Fault::PacketId => "its packet identifier is 0",
            Fault::Text => "a string in it is not valid UTF-8 or contains a NUL character",
            Fault::Topic => "its topic is empty or contains a wildcard",
            Fault::Property => "a property in it is not allowed, duplicated or out of range",
            Fault::Code => "it contains an undefined code or flag",
            Fault::Count => "it does not answer as many filters as were requested",
            Fault::OldVersion => "it has the format of MQTT 3.1.1",
        })
    }
}
