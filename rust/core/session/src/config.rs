//! What a session is told once, and the checks on it.

use alloc::string::String;
use core::fmt;
use core::time::Duration;

use crate::error::{self, CommandError};
use crate::message::{self, Message};
use crate::pieces::PIECES;
use crate::room::POLICIES;
use crate::secret::Secret;

/// Protocol version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// MQTT 3.1.1 (OASIS standard, 29 October 2014).
    V311,
    /// MQTT 5 (OASIS standard, 7 March 2019).
    V5,
}

impl Version {
    /// Whether this build speaks it.
    pub const fn is_built(self) -> bool {
        match self {
            Version::V311 => cfg!(feature = "v311"),
            Version::V5 => cfg!(feature = "v5"),
        }
    }
}

#[cfg(not(any(feature = "v311", feature = "v5")))]
compile_error!("thread-mqtt-session speaks no version of MQTT: enable v311 or v5");

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Version::V311 => "MQTT 3.1.1",
            Version::V5 => "MQTT 5",
        })
    }
}

/// Quality of service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum QoS {
    /// At most once.
    #[default]
    AtMostOnce = 0,
    /// At least once.
    AtLeastOnce = 1,
    /// Exactly once.
    ExactlyOnce = 2,
}

/// What becomes of a QoS 2 message that the broker had begun to take when it lost the session.
/// Whether the message was passed on to its subscribers cannot be known then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LostSession {
    /// It is sent again, after [`Event::SentAgain`](crate::Event::SentAgain): it arrives, perhaps twice.
    #[default]
    SendAgain,
    /// It is given up with [`PublishError::SessionLost`](crate::PublishError::SessionLost): it
    /// arrives once or not at all.
    Report,
}

/// What a full outbox does with a new message. Only messages that have not been sent yet are
/// dropped, none of a higher priority than the new one, and each with
/// [`PublishError::Displaced`](crate::PublishError::Displaced).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overflow {
    /// Refuses the new one.
    #[default]
    Refuse,
    /// Drops the oldest QoS 0 message of the lowest priority.
    DropOldestQos0,
    /// Drops the oldest message of the lowest priority, whatever its QoS.
    DropOldest,
    /// Keeps only the latest message of each topic while it waits, as with
    /// [`PublishOptions::latest`](crate::PublishOptions::latest) for every message; refuses the
    /// new one if that makes no room.
    LatestPerTopic,
}

/// Configuration of a [`Session`](crate::Session).
///
/// `..Config::default()` fills in what an application has no opinion on; the defaults suit a
/// device that sends small messages and are given per field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Protocol version. Default: MQTT 5.
    pub version: Version,
    /// Client identifier; empty asks the broker for one (then `clean_start` must be true).
    /// At most 65,535 bytes. Default: empty.
    ///
    /// An identifier assigned by an MQTT 5 broker is used from then on.
    pub client_id: String,
    /// User name, at most 65,535 bytes. Default: none.
    pub username: Option<String>,
    /// Password, at most 65,535 bytes. MQTT 3.1.1 allows one only beside a user name. Default: none.
    pub password: Option<Secret>,
    /// Keep-alive; zero switches it off. Whole seconds, at most 65,535. Default: 60 s.
    ///
    /// An MQTT 5 broker may replace it, see [`Limits::keep_alive`](crate::Limits::keep_alive).
    pub keep_alive: Duration,
    /// Clean session (3.1.1) or clean start (5). Default: true.
    ///
    /// MQTT 3.1.1: said in every CONNECT, so `true` means that the broker keeps nothing between
    /// connections. MQTT 5: said until the first CONNACK only; how long the broker keeps the
    /// session afterwards is [`session_expiry`](Self::session_expiry).
    ///
    /// With `false`, a broker may still hold the session of an earlier life of this device. With
    /// MQTT 5 the connection is closed then, as the standard demands, and the next one begins a
    /// new session. With MQTT 3.1.1 the session goes on, and before a packet identifier is used
    /// for the first time with QoS 2, PUBREL ends what the broker may remember of it. The message
    /// follows the answer.
    pub clean_start: bool,
    /// Takes over the session that the broker kept for an earlier life of this client, also with
    /// MQTT 5: for a program that has nothing unacknowledged to remember between its runs, such as a
    /// subscriber. What the broker queued meanwhile is delivered; packet identifiers are treated as
    /// with MQTT 3.1.1 above. Default: false.
    pub adopt_session: bool,
    /// Leaves messages of QoS 1 and 2 at the broker: they are neither told nor acknowledged, and come
    /// again to the next connection that takes them. For a program that only publishes under an
    /// identifier that has subscriptions. Default: false.
    pub leave_messages: bool,
    /// Session expiry (5): how many seconds the broker keeps the session after the connection is
    /// gone; `u32::MAX` is for ever. Default: 0.
    pub session_expiry: u32,
    /// Will message; payload at most 65,535 bytes. Default: none.
    pub will: Option<Message>,
    /// Seconds the broker waits before it publishes the will (5). Default: 0.
    pub will_delay: u32,
    /// Largest packet accepted from the broker, bytes; told to an MQTT 5 broker. At least 64.
    /// Default: 16,384.
    ///
    /// A larger message is skipped with [`Event::Skipped`](crate::Event::Skipped). An MQTT 5 broker
    /// that ignores the limit is first told so by the end of the connection (section 3.1.2.11.4).
    pub max_packet_size: u32,
    /// Largest packet accepted from the broker in pieces, bytes; told to an MQTT 5 broker instead of a
    /// smaller [`max_packet_size`](Self::max_packet_size). A message above that arrives as
    /// [`Event::MessageBegins`](crate::Event::MessageBegins) and
    /// [`Event::Piece`](crate::Event::Piece)s, none of them larger than `max_packet_size`. Topic and
    /// properties have to fit into `max_packet_size`, or the message is skipped. Default: 0, none.
    pub max_size_in_pieces: u32,
    /// Most QoS 1/2 messages unacknowledged at once, each direction; not 0. Default: 16.
    ///
    /// Towards the broker a smaller value of the broker wins. An MQTT 5 broker is told ours; one
    /// that exceeds it, and any MQTT 3.1.1 broker, may have up to
    /// [`received_ids`](Self::received_ids) QoS 2 messages under way.
    pub receive_maximum: u16,
    /// Most QoS 2 messages from the broker whose packet identifiers are remembered until PUBREL, if
    /// `receive_maximum` is not larger; 2 bytes each, taken from the heap when they are needed. This
    /// bounds the memory, because MQTT 3.1.1 has no Receive Maximum to tell and some brokers of
    /// MQTT 5 exceed it. A broker with more under way at once is left and connected to again, and sends
    /// the rest then: nothing is lost. Default: 1,024.
    pub received_ids: u16,
    /// Topic aliases the broker may use towards us (5). Each costs the memory of one topic name
    /// and saves that many bytes per message. Default: 0.
    pub topic_alias_maximum: u16,
    /// Time allowed for CONNACK, and for PINGRESP. Default: 20 s.
    pub response_timeout: Duration,
    /// Most messages in the outbox, 1 to 32,767; as many requests may wait beside them. Default: 16.
    pub outbox_messages: usize,
    /// Most bytes in the outbox: topics, payloads, properties; filters as above. Default: 16,384.
    pub outbox_bytes: usize,
    /// Percent of the outbox, in messages and in bytes, that QoS 0 leaves to QoS 1 and 2: so that
    /// a burst of readings cannot keep an alarm out. At most 100. Default: 25.
    pub outbox_reserve: u8,
    /// What a full outbox does with a new message. Default: refuse it.
    pub overflow: Overflow,
    /// What becomes of a QoS 2 message when the broker loses the session. Default: send it again.
    pub lost_session: LostSession,
    /// A broker that answers a QoS 2 message with PUBACK, as RabbitMQ does, has taken it at QoS 1.
    /// `true`: that is good enough, told by [`Event::QosLowered`](crate::Event::QosLowered).
    /// `false`: the message is given up with
    /// [`PublishError::QosNotSupported`](crate::PublishError::QosNotSupported). Default: true.
    pub accept_lower_qos: bool,
    /// Time allowed for the answer to a message or request that was sent in full. If a broker
    /// that answers pings does not answer one of them, the connection is closed and it is sent
    /// again on the next. Zero waits for ever. Default: 120 s.
    pub ack_timeout: Duration,
    /// A message or request that was under way when so many connections ended is suspected of
    /// having ended them: it waits behind the others and is sent alone. It is given up if it ends
    /// connections then, too, on which the broker has answered others before. A client over TLS begins a new session
    /// at the broker after so many connections that a record ended which is too large for this side. Zero suspects
    /// none. Default: 3.
    pub suspect_after: u8,
    /// The first packet identifier used, 1 to 32,767. A random one avoids that a broker's late
    /// answer to an earlier life of this device is taken for one to this. Default: 1.
    pub first_packet_id: u16,
    /// Keeps messages of QoS 1 and 2 in the storage, if the session
    /// [has one](crate::Session::with_store), unless
    /// [`PublishOptions::durable`](crate::PublishOptions::durable) says otherwise. Default: true.
    pub durable: bool,
    /// Asks an MQTT 5 broker for Response Information, see
    /// [`BrokerText`](crate::BrokerText). Default: false.
    pub request_response_information: bool,
    /// Bytes of undelivered events above which no further packet is taken from the broker.
    /// Default: 4,096.
    pub event_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            version: match Version::V5.is_built() {
                true => Version::V5,
                false => Version::V311,
            },
            client_id: String::new(),
            username: None,
            password: None,
            keep_alive: Duration::from_secs(60),
            clean_start: true,
            adopt_session: false,
            leave_messages: false,
            session_expiry: 0,
            will: None,
            will_delay: 0,
            max_packet_size: 16_384,
            max_size_in_pieces: 0,
            receive_maximum: 16,
            received_ids: 1_024,
            topic_alias_maximum: 0,
            response_timeout: Duration::from_secs(20),
            outbox_messages: 16,
            outbox_bytes: 16_384,
            outbox_reserve: 25,
            overflow: Overflow::Refuse,
            lost_session: LostSession::SendAgain,
            accept_lower_qos: true,
            ack_timeout: Duration::from_secs(120),
            suspect_after: 3,
            first_packet_id: 1,
            durable: true,
            request_response_information: false,
            event_bytes: 4_096,
        }
    }
}

impl Config {
    /// Checks what the protocol and this crate demand.
    /// The version that is spoken: a constant in a build of one, so that the other's code is not in
    /// the image.
    pub(crate) fn version(&self) -> Version {
        match (Version::V311.is_built(), Version::V5.is_built()) {
            (true, false) => Version::V311,
            (false, true) => Version::V5,
            _ => self.version,
        }
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if !self.version.is_built() {
            return Err(ConfigError::NotBuilt(match self.version {
                Version::V311 => "V311",
                Version::V5 => "V5",
            }));
        }
        if self.client_id.is_empty() && !self.clean_start {
            return Err(ConfigError::ClientIdMissing);
        }
        check_string(&self.client_id, Field::ClientId)?;
        if let Some(name) = &self.username {
            check_string(name, Field::Username)?;
        }
        if let Some(password) = &self.password {
            if password.len() > usize::from(u16::MAX) {
                return Err(ConfigError::TooLong(Field::Password));
            }
            if self.version() == Version::V311 && self.username.is_none() {
                return Err(ConfigError::PasswordWithoutUsername);
            }
        }
        if self.keep_alive.subsec_nanos() != 0 || self.keep_alive.as_secs() > u64::from(u16::MAX) {
            return Err(ConfigError::KeepAlive);
        }
        if let Some(will) = &self.will {
            message::check_topic(&will.topic).map_err(ConfigError::Will)?;
            message::check_properties(will, self.version()).map_err(ConfigError::Will)?;
            if will.payload.len() > usize::from(u16::MAX) {
                return Err(ConfigError::TooLong(Field::WillPayload));
            }
        }
        if self.max_packet_size < MIN_PACKET_SIZE {
            return Err(ConfigError::MaxPacketSize);
        }
        if !PIECES && self.max_size_in_pieces != 0 {
            return Err(ConfigError::NotBuilt("PIECES"));
        }
        if self.receive_maximum == 0 {
            return Err(ConfigError::ReceiveMaximum);
        }
        if self.outbox_messages == 0 || self.outbox_messages > MAX_OUTBOX_MESSAGES {
            return Err(ConfigError::OutboxMessages);
        }
        if self.outbox_reserve > 100 {
            return Err(ConfigError::OutboxReserve);
        }
        if !POLICIES && self.overflow != Overflow::Refuse {
            return Err(ConfigError::NotBuilt("OUTBOX_POLICIES"));
        }
        if self.first_packet_id == 0 || self.first_packet_id > MAX_PACKET_ID {
            return Err(ConfigError::FirstPacketId);
        }
        Ok(())
    }
}

/// Identifiers above are for messages that outlive a restart.
pub(crate) const MAX_PACKET_ID: u16 = 32_767;

/// Half of the packet identifiers, so that one is always free.
const MAX_OUTBOX_MESSAGES: usize = 32_767;

/// Below this not even a CONNACK with its usual properties fits.
const MIN_PACKET_SIZE: u32 = 64;

fn check_string(text: &str, field: Field) -> Result<(), ConfigError> {
    if text.len() > usize::from(u16::MAX) {
        Err(ConfigError::TooLong(field))
    } else if text.contains('\0') {
        Err(ConfigError::Nul(field))
    } else {
        Ok(())
    }
}

/// The part of a [`Config`] that an error is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Field {
    /// [`Config::client_id`].
    ClientId,
    /// [`Config::username`].
    Username,
    /// [`Config::password`].
    Password,
    /// The payload of [`Config::will`].
    WillPayload,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Field::ClientId => "client identifier",
            Field::Username => "user name",
            Field::Password => "password",
            Field::WillPayload => "will payload",
        })
    }
}

/// Why a [`Config`] cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// A session is to be resumed, but without a name for it.
    ClientIdMissing,
    /// More than the 65,535 bytes that MQTT's length field allows.
    TooLong(Field),
    /// U+0000 in a string (MQTT 3.1.1 and 5, section 1.5).
    Nul(Field),
    /// MQTT 3.1.1 \[MQTT-3.1.2-22\].
    PasswordWithoutUsername,
    /// Not whole seconds, or above 65,535.
    KeepAlive,
    /// The will message is not publishable.
    Will(CommandError),
    /// `max_packet_size` below 64.
    MaxPacketSize,
    /// `receive_maximum` is 0.
    ReceiveMaximum,
    /// `outbox_messages` is 0 or above 32,767.
    OutboxMessages,
    /// `outbox_reserve` is above 100.
    OutboxReserve,
    /// `first_packet_id` is 0 or above 32,767.
    FirstPacketId,
    /// A capability that this build leaves out, see [`CommandError::NotBuilt`].
    NotBuilt(&'static str),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::ClientIdMissing => f.write_str(
                "the client identifier is empty although the session is to be resumed; \
                 set a client identifier or clean_start",
            ),
            ConfigError::TooLong(field) => {
                write!(f, "the {field} is longer than the 65,535 bytes MQTT allows")
            }
            ConfigError::Nul(field) => {
                write!(
                    f,
                    "the {field} contains a zero character, which MQTT forbids"
                )
            }
            ConfigError::PasswordWithoutUsername => f.write_str(
                "MQTT 3.1.1 does not allow a password without a user name; set one or use MQTT 5",
            ),
            ConfigError::KeepAlive => {
                f.write_str("the keep-alive must be whole seconds from 0 to 65,535")
            }
            ConfigError::Will(why) => write!(f, "the will message cannot be used: {why}"),
            ConfigError::MaxPacketSize => {
                write!(
                    f,
                    "max_packet_size must be at least {MIN_PACKET_SIZE} bytes"
                )
            }
            ConfigError::ReceiveMaximum => f.write_str("receive_maximum must not be 0"),
            ConfigError::OutboxMessages => f.write_str("outbox_messages must be from 1 to 32,767"),
            ConfigError::OutboxReserve => f.write_str("outbox_reserve must be from 0 to 100"),
            ConfigError::FirstPacketId => f.write_str("first_packet_id must be from 1 to 32,767"),
            ConfigError::NotBuilt(option) => error::write_not_built(f, option),
        }
    }
}

impl core::error::Error for ConfigError {}
