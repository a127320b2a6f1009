//! What can go wrong: with a command, with a queued message, with the connection.

use core::fmt;

use crate::config::QoS;
use crate::reason::{ConnectRefusal, ReasonCode};

/// Why a command was refused; nothing was queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommandError {
    /// The outbox is full; try again after an acknowledgement.
    Full,
    /// It would not fit into an empty outbox either.
    LargerThanOutbox,
    /// The heap has no room for it.
    OutOfMemory,
    /// The topic is empty.
    EmptyTopic,
    /// The topic name or filter has more than 65,535 bytes.
    TopicTooLong,
    /// `+` or `#` in the topic of a message.
    WildcardInTopic,
    /// U+0000 in a topic.
    NulInTopic,
    /// Not a topic filter (section 4.7.1 of both standards).
    InvalidFilter,
    /// Not a shared subscription (MQTT 5 section 4.8.2): `$share/` without a group or without a
    /// filter behind it.
    InvalidShare,
    /// A subscribe or unsubscribe without any filter.
    NoFilters,
    /// The packet would exceed MQTT's own limit, 268,435,455 bytes of remaining length.
    PayloadTooLarge,
    /// Message properties with MQTT 3.1.1.
    PropertiesNeedV5,
    /// A property string with U+0000 or a property above 65,535 bytes.
    InvalidProperty,
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CommandError::Full => {
                "the outbox is full; wait for an acknowledgement or configure a larger outbox"
            }
            CommandError::LargerThanOutbox => {
                "the message is larger than the whole outbox; configure more outbox_bytes"
            }
            CommandError::OutOfMemory => {
                "the heap has no room for it; wait for an acknowledgement, or give the heap more"
            }
            CommandError::EmptyTopic => "the topic is empty",
            CommandError::TopicTooLong => "the topic is longer than the 65,535 bytes MQTT allows",
            CommandError::WildcardInTopic => {
                "the topic of a message must not contain the wildcards + and #"
            }
            CommandError::NulInTopic => "the topic contains a zero character, which MQTT forbids",
            CommandError::InvalidFilter => {
                "the topic filter is not valid: + must fill a whole level, # must be the last one"
            }
            CommandError::InvalidShare => {
                "a shared subscription is written $share/GROUP/FILTER: the group, which has no + and \
                 no #, or the filter is missing"
            }
            CommandError::NoFilters => "at least one topic filter is needed",
            CommandError::PayloadTooLarge => {
                "the message is larger than MQTT's limit of 268,435,455 bytes"
            }
            CommandError::PropertiesNeedV5 => {
                "message properties need MQTT 5; this session speaks MQTT 3.1.1"
            }
            CommandError::InvalidProperty => {
                "a message property is longer than 65,535 bytes or contains a zero character"
            }
        })
    }
}

impl core::error::Error for CommandError {}

/// Why a queued message was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublishError {
    /// The broker answered with this code (MQTT 5).
    Refused(ReasonCode),
    /// The broker accepts no packet of this size (MQTT 5, Maximum Packet Size).
    TooLarge {
        /// Bytes of the whole packet.
        size: u32,
        /// The broker's limit in bytes.
        limit: u32,
    },
    /// The broker does not offer this quality of service (MQTT 5, Maximum QoS).
    QosNotSupported {
        /// The highest it offers.
        maximum: QoS,
    },
    /// The broker keeps no retained messages (MQTT 5, Retain Available).
    RetainNotSupported,
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PublishError::Refused(reason) => write!(f, "the broker refused the message: {reason}"),
            PublishError::TooLarge { size, limit } => write!(
                f,
                "the message makes a packet of {size} bytes, the broker accepts at most {limit}; \
                 send less at once or raise the broker's limit"
            ),
            PublishError::QosNotSupported { maximum } => write!(
                f,
                "the broker supports QoS {} at most; publish with a lower one",
                *maximum as u8
            ),
            PublishError::RetainNotSupported => f.write_str(
                "the broker does not keep retained messages; publish without the retain flag",
            ),
        }
    }
}

impl core::error::Error for PublishError {}

/// Why the MQTT connection must be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionError {
    /// The broker refused the connection.
    Refused(ConnectRefusal),
    /// No CONNACK within [`response_timeout`](crate::Config::response_timeout).
    ConnackTimeout,
    /// No PINGRESP within [`response_timeout`](crate::Config::response_timeout).
    PingTimeout,
    /// The broker said DISCONNECT with this reason (MQTT 5).
    ServerDisconnected(ReasonCode),
    /// A packet could not be decoded.
    Malformed,
    /// A packet above our [`max_packet_size`](crate::Config::max_packet_size).
    PacketTooLarge {
        /// Bytes of the whole packet.
        size: u32,
        /// Our limit in bytes.
        limit: u32,
    },
    /// The heap has no room for a packet.
    OutOfMemory {
        /// Bytes of it, without its fixed header.
        size: u32,
    },
    /// Another packet before CONNACK.
    BeforeConnack,
    /// A packet that a broker must not send, or not now.
    UnexpectedPacket,
    /// An acknowledgement of something that was not sent.
    UnknownPacketId(u16),
    /// The broker claims to resume a session although a clean one was asked for.
    UnexpectedSession,
    /// The broker has more QoS 2 messages under way than there is memory for: 1,024, or
    /// [`receive_maximum`](crate::Config::receive_maximum) if that is larger.
    ReceiveMaximumExceeded,
    /// A topic alias that was not announced or is out of range (MQTT 5).
    TopicAliasInvalid,
}

impl SessionError {
    /// What an MQTT 5 broker is told when we close because of this.
    pub(crate) fn disconnect_reason(self) -> Option<ReasonCode> {
        match self {
            SessionError::Refused(_)
            | SessionError::ConnackTimeout
            | SessionError::ServerDisconnected(_)
            | SessionError::BeforeConnack => None,
            SessionError::PingTimeout => Some(ReasonCode::UNSPECIFIED),
            SessionError::Malformed => Some(ReasonCode::MALFORMED_PACKET),
            SessionError::PacketTooLarge { .. } => Some(ReasonCode::PACKET_TOO_LARGE),
            SessionError::OutOfMemory { .. } => Some(ReasonCode::QUOTA_EXCEEDED),
            SessionError::UnexpectedPacket
            | SessionError::UnknownPacketId(_)
            | SessionError::UnexpectedSession => Some(ReasonCode::PROTOCOL_ERROR),
            SessionError::ReceiveMaximumExceeded => Some(ReasonCode::RECEIVE_MAXIMUM_EXCEEDED),
            SessionError::TopicAliasInvalid => Some(ReasonCode::TOPIC_ALIAS_INVALID),
        }
    }
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SessionError::Refused(refusal) => refusal.fmt(f),
            SessionError::ConnackTimeout => f.write_str(
                "the broker did not answer CONNECT in time; check that it is an MQTT broker, and \
                 whether its port expects TLS",
            ),
            SessionError::PingTimeout => {
                f.write_str("the broker did not answer a ping in time; the path to it is broken")
            }
            SessionError::ServerDisconnected(ReasonCode::SUCCESS) => f.write_str(
                "the broker closed the connection and gives no reason; check its log, and whether \
                 it was shut down",
            ),
            SessionError::ServerDisconnected(reason) => {
                write!(f, "the broker closed the connection: {reason}")
            }
            SessionError::Malformed => f.write_str(
                "the peer sent something that is not an MQTT packet; check that it is an MQTT \
                 broker and speaks this version",
            ),
            SessionError::PacketTooLarge { size, limit } => write!(
                f,
                "the broker sent a packet of {size} bytes, the limit here is {limit}; \
                 configure a larger max_packet_size or subscribe to less"
            ),
            SessionError::OutOfMemory { size } => write!(
                f,
                "the heap has no room for a packet of {size} bytes; give it more, configure a \
                 smaller max_packet_size or subscribe to less"
            ),
            SessionError::BeforeConnack => {
                f.write_str("the broker sent another packet before CONNACK")
            }
            SessionError::UnexpectedPacket => {
                f.write_str("the broker sent a packet that is not allowed here")
            }
            SessionError::UnknownPacketId(id) => write!(
                f,
                "the broker acknowledged packet identifier {id}, which was not in use"
            ),
            SessionError::UnexpectedSession => {
                f.write_str("the broker resumed a session although a clean one was asked for")
            }
            SessionError::ReceiveMaximumExceeded => f.write_str(
                "the broker has more QoS 2 messages under way than this session can remember",
            ),
            SessionError::TopicAliasInvalid => {
                f.write_str("the broker used a topic alias that it had no right to")
            }
        }
    }
}

impl core::error::Error for SessionError {}
