//! Errors of commands, of queued messages and of the connection.

use core::fmt;

use crate::config::QoS;
use crate::durable::StoreError;
use crate::packet::{Fault, PacketType};
use crate::reason::{ConnectRefusal, ReasonCode};

/// Why a command was refused. Nothing was queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommandError {
    /// The outbox is full; retry after an acknowledgement.
    Full,
    /// The command would not fit even into an empty outbox.
    LargerThanOutbox,
    /// The heap is exhausted.
    OutOfMemory,
    /// The message must be durable, and the storage did not accept it.
    NotStored(StoreError),
    /// The topic is empty.
    EmptyTopic,
    /// The topic name or filter has more than 65,535 bytes.
    TopicTooLong,
    /// `+` or `#` in the topic of a message.
    WildcardInTopic,
    /// U+0000 in a topic.
    NulInTopic,
    /// The topic filter is invalid (section 4.7.1 of both standards).
    InvalidFilter,
    /// The shared subscription is invalid (MQTT 5 section 4.8.2): `$share/` without a group, or
    /// without a filter after it.
    InvalidShare,
    /// A subscribe or unsubscribe without any filter.
    NoFilters,
    /// The packet would exceed MQTT's own limit, 268,435,455 bytes of remaining length.
    PayloadTooLarge,
    /// Message properties with MQTT 3.1.1.
    PropertiesNeedV5,
    /// A property string with U+0000 or a property above 65,535 bytes.
    InvalidProperty,
    /// A message in pieces must start without a payload, have at least one byte in total and per
    /// piece, and not be durable.
    InvalidPieces,
    /// The piece is empty or longer than requested.
    PieceLength,
    /// The piece is not wanted, or no longer: the connection or the message has ended in the
    /// meantime. If the message is to be sent again,
    /// [`Event::PieceWanted`](crate::Event::PieceWanted) asks for its first piece.
    PieceNotWanted,
    /// This build lacks the capability. The string is the name of its Kconfig option without the
    /// prefix `CONFIG_THREAD_MQTT_`; in lower case and with hyphens it is the name of the cargo
    /// feature.
    NotBuilt(&'static str),
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CommandError::NotStored(error) => return error.fmt(f),
            CommandError::Full => {
                "the outbox is full; wait for an acknowledgement or configure a larger outbox"
            }
            CommandError::LargerThanOutbox => {
                "the message is larger than the whole outbox; configure a larger outbox"
            }
            CommandError::OutOfMemory => {
                "not enough heap; wait for an acknowledgement, or enlarge the heap"
            }
            CommandError::EmptyTopic => "the topic is empty",
            CommandError::TopicTooLong => "the topic is longer than the 65,535 bytes MQTT allows",
            CommandError::WildcardInTopic => {
                "the topic of a message must not contain the wildcards + and #"
            }
            CommandError::NulInTopic => "the topic contains a NUL character, which MQTT forbids",
            CommandError::InvalidFilter => {
                "the topic filter is not valid: + must fill a whole level, # must be the last \
                 level"
            }
            CommandError::InvalidShare => {
                "a shared subscription must have the form $share/GROUP/FILTER, with no + or # in \
                 the group"
            }
            CommandError::NoFilters => "at least one topic filter is needed",
            CommandError::PayloadTooLarge => {
                "the message is larger than MQTT's limit of 268,435,455 bytes"
            }
            CommandError::PropertiesNeedV5 => {
                "message properties need MQTT 5; this session speaks MQTT 3.1.1"
            }
            CommandError::InvalidProperty => {
                "a message property is longer than 65,535 bytes or contains a NUL character"
            }
            CommandError::InvalidPieces => {
                "a message in pieces must begin without a payload, have at least one byte in \
                 total and per piece, and not be durable"
            }
            CommandError::PieceLength => {
                "the piece is empty or longer than requested; supply what the event requests"
            }
            CommandError::PieceNotWanted => {
                "no piece is requested now; wait for the event that requests one"
            }
            CommandError::NotBuilt(option) => return write_not_built(f, option),
        })
    }
}

impl core::error::Error for CommandError {}

/// Writes how to enable a capability that this build lacks.
pub(crate) fn write_not_built(f: &mut fmt::Formatter<'_>, option: &str) -> fmt::Result {
    write!(
        f,
        "this build lacks the feature; set CONFIG_THREAD_MQTT_{option}=y, or enable the cargo \
         feature of that name"
    )
}

/// Why a queued message was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublishError {
    /// The broker answered with this code (MQTT 5).
    Refused(ReasonCode),
    /// The broker does not accept packets of this size (MQTT 5, Maximum Packet Size).
    TooLarge {
        /// Size of the whole packet in bytes.
        size: u32,
        /// The broker's limit in bytes.
        limit: u32,
    },
    /// The broker does not support this quality of service (MQTT 5, Maximum QoS).
    QosNotSupported {
        /// The highest one it supports.
        maximum: QoS,
    },
    /// The broker does not support retained messages (MQTT 5, Retain Available).
    RetainNotSupported,
    /// The broker lost the session while this QoS 2 message was in flight, and
    /// [`Config::lost_session`](crate::Config::lost_session) says not to send it again. It may have
    /// arrived.
    SessionLost,
    /// It expired before it could be sent.
    Expired,
    /// The outbox was full, and a new message displaced it.
    Displaced,
    /// A newer message of the same topic replaced it.
    Superseded,
    /// The outbox was full and held no message of this topic to replace.
    NoRoom,
    /// Connections kept ending before it was answered, even when it was sent alone: see
    /// [`Config::suspect_after`](crate::Config::suspect_after). If it was a QoS 2 message waiting
    /// for PUBCOMP, it may have arrived.
    EndsConnection,
    /// It was to be durable, and the storage did not accept it. It was not sent.
    NotStored(StoreError),
    /// The application gave up a message in pieces, or did not supply a piece within
    /// [`response_timeout`](crate::Config::response_timeout).
    NotSupplied,
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PublishError::Refused(reason) => write!(f, "the broker refused the message: {reason}"),
            PublishError::TooLarge { size, limit } => write!(
                f,
                "the message needs a packet of {size} bytes, but the broker accepts at most \
                 {limit}; send smaller messages or raise the broker's limit"
            ),
            PublishError::QosNotSupported { maximum } => write!(
                f,
                "the broker supports at most QoS {}; publish with a lower QoS",
                *maximum as u8
            ),
            PublishError::RetainNotSupported => f.write_str(
                "the broker does not support retained messages; publish without the retain flag",
            ),
            PublishError::SessionLost => f.write_str(
                "the broker lost the session before the message was complete, so it may or may \
                 not have arrived; let the session send it again if duplicates are acceptable",
            ),
            PublishError::Expired => f.write_str(
                "the message expired before it could be sent; allow more time or connect more \
                 often",
            ),
            PublishError::Displaced => f.write_str(
                "the outbox was full and a new message replaced it; configure a larger outbox or \
                 send less",
            ),
            PublishError::Superseded => {
                f.write_str("a newer message on the same topic replaced it")
            }
            PublishError::NoRoom => f.write_str(
                "the outbox was full and held no message on this topic to replace; configure a \
                 larger outbox or send less",
            ),
            PublishError::EndsConnection => f.write_str(
                "connections kept ending while this message was unanswered; it may be too large \
                 or its topic not allowed; check the broker's log",
            ),
            PublishError::NotStored(error) => error.fmt(f),
            PublishError::NotSupplied => f.write_str(
                "the application gave up the message, or did not supply a piece in time; supply \
                 each piece when it is requested",
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
    /// The broker sent DISCONNECT with this reason (MQTT 5).
    ServerDisconnected(ReasonCode),
    /// A message or request was not answered within [`ack_timeout`](crate::Config::ack_timeout).
    AckTimeout {
        /// The packet that did not arrive.
        missing: PacketType,
    },
    /// The application did not supply the rest of a half-sent message, see
    /// [`PublishError::NotSupplied`]. No other packet can be sent in the middle of one.
    NotSupplied,
    /// The first packet from the peer was not CONNACK, as MQTT requires \[MQTT-3.2.0-1\].
    NotMqtt {
        /// The first byte it sent instead.
        first: u8,
    },
    /// A packet could not be decoded.
    Malformed {
        /// The packet.
        packet: PacketType,
        /// What is wrong with it.
        fault: Fault,
    },
    /// A packet exceeds our [`max_packet_size`](crate::Config::max_packet_size).
    PacketTooLarge {
        /// Size of the whole packet in bytes.
        size: u32,
        /// Our limit in bytes.
        limit: u32,
    },
    /// The heap is exhausted; it has no room for a packet.
    OutOfMemory {
        /// Size of the packet in bytes, without its fixed header.
        size: u32,
    },
    /// A packet that a broker must not send at all, or not at this point.
    UnexpectedPacket(PacketType),
    /// An acknowledgement whose type does not match what was sent with its identifier.
    WrongAcknowledgement {
        /// The packet.
        packet: PacketType,
        /// Its packet identifier.
        id: u16,
    },
    /// The broker resumed a session that this side does not have (MQTT 5, \[MQTT-3.2.2-4\]), or
    /// that this side asked it to end. The next connection asks for a new session.
    UnexpectedSession,
    /// The broker has more QoS 2 messages in flight than
    /// [`received_ids`](crate::Config::received_ids) or the heap allows. It sends the
    /// unacknowledged ones again on the next connection.
    ReceiveMaximumExceeded,
    /// A topic alias that was not announced or is out of range (MQTT 5).
    TopicAliasInvalid,
}

impl SessionError {
    /// Returns whether the cause is part of the session that the broker keeps: a message that no
    /// client can decode, or too many messages. The error then recurs on each connection until a
    /// new session starts, unless [fewer are left each time](crate::Session::goes_on_after).
    pub fn comes_again(self) -> bool {
        matches!(
            self,
            SessionError::Malformed {
                packet: PacketType::PUBLISH,
                ..
            } | SessionError::ReceiveMaximumExceeded
        )
    }

    /// Returns the reason code to send to an MQTT 5 broker when closing because of this error.
    pub(crate) fn disconnect_reason(self) -> Option<ReasonCode> {
        match self {
            SessionError::Refused(_)
            | SessionError::ConnackTimeout
            | SessionError::ServerDisconnected(_) => None,
            SessionError::NotMqtt { .. } | SessionError::NotSupplied => None,
            SessionError::PingTimeout | SessionError::AckTimeout { .. } => {
                Some(ReasonCode::UNSPECIFIED)
            }
            SessionError::Malformed { .. } => Some(ReasonCode::MALFORMED_PACKET),
            SessionError::PacketTooLarge { .. } => Some(ReasonCode::PACKET_TOO_LARGE),
            SessionError::OutOfMemory { .. } => Some(ReasonCode::QUOTA_EXCEEDED),
            SessionError::UnexpectedPacket(_)
            | SessionError::WrongAcknowledgement { .. }
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
                "the broker closed the connection without giving a reason; check its log, and \
                 whether it was shut down",
            ),
            SessionError::ServerDisconnected(reason) => {
                write!(f, "the broker closed the connection: {reason}")
            }
            SessionError::AckTimeout { missing } => write!(
                f,
                "the broker did not send {missing} in time; check its log"
            ),
            SessionError::NotSupplied => f.write_str(
                "the application did not supply the rest of a partly sent message, so nothing \
                 else could be sent; supply each piece when it is requested",
            ),
            SessionError::NotMqtt { first } => write!(
                f,
                "the peer does not speak MQTT: its answer begins with 0x{first:02X} instead of \
                 the 0x20 of a CONNACK; check the address and the port"
            ),
            SessionError::Malformed { packet, fault } => write!(
                f,
                "the broker sent an invalid {packet}: {fault}; update the broker, or try the other \
                 MQTT version"
            ),
            SessionError::PacketTooLarge { size, limit } => write!(
                f,
                "the broker sent a packet of {size} bytes, but the limit is {limit}"
            ),
            SessionError::OutOfMemory { size } => write!(
                f,
                "not enough heap for a packet of {size} bytes; enlarge the heap, configure a \
                 smaller maximum packet size or will, or subscribe to fewer topics"
            ),
            SessionError::UnexpectedPacket(packet) => write!(
                f,
                "the broker sent {packet}, which is not allowed here; update the broker, or try the \
                 other MQTT version"
            ),
            SessionError::WrongAcknowledgement { packet, id } => write!(
                f,
                "the broker sent {packet} for packet identifier {id}, which awaits a different \
                 answer; check the broker's log"
            ),
            SessionError::UnexpectedSession => f.write_str(
                "the broker resumed a session that it was asked to end or that this client does \
                 not have, for example after a restart or with a duplicate client identifier; the \
                 next connection requests a new one",
            ),
            SessionError::ReceiveMaximumExceeded => f.write_str(
                "the broker has more QoS 2 messages in flight than this session can track; the \
                 rest follows on the next connection; limit the messages in flight at the broker, \
                 or subscribe with QoS 1",
            ),
            SessionError::TopicAliasInvalid => {
                f.write_str("the broker used an invalid topic alias; update the broker")
            }
        }
    }
}

impl core::error::Error for SessionError {}
