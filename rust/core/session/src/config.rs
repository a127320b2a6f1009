//! Session configuration and its validation.

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
    /// Returns whether this build supports the version.
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

/// What to do with a QoS 2 message that was in flight when the broker lost the session. In that
/// case there is no way to know whether the broker had already forwarded it to its subscribers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LostSession {
    /// Send it again, after [`Event::SentAgain`](crate::Event::SentAgain). It arrives, possibly
    /// twice.
    #[default]
    SendAgain,
    /// Give it up with [`PublishError::SessionLost`](crate::PublishError::SessionLost). It arrives
    /// once or not at all.
    Report,
}

/// What a full outbox does with a new message. Only messages that have not been sent yet are
/// dropped, and none of a higher priority than the new one. Each dropped message is reported with
/// [`PublishError::Displaced`](crate::PublishError::Displaced).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overflow {
    /// Refuse the new message.
    #[default]
    Refuse,
    /// Drop the oldest QoS 0 message of the lowest priority.
    DropOldestQos0,
    /// Drop the oldest message of the lowest priority, whatever its QoS.
    DropOldest,
    /// Keep only the latest waiting message of each topic, as if every message had
    /// [`PublishOptions::latest`](crate::PublishOptions::latest) set. Refuse the new message if
    /// that does not make enough room.
    LatestPerTopic,
}

/// Configuration of a [`Session`](crate::Session).
///
/// Use `..Config::default()` for everything you do not need to set. The defaults suit a device that
/// sends small messages; each field documents its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Protocol version. Default: MQTT 5.
    pub version: Version,
    /// Client identifier, at most 65,535 bytes. If empty, the broker assigns one (`clean_start`
    /// must then be true). Default: empty.
    ///
    /// An identifier assigned by an MQTT 5 broker is used from then on.
    pub client_id: String,
    /// User name, at most 65,535 bytes. Default: none.
    pub username: Option<String>,
    /// Password, at most 65,535 bytes. MQTT 3.1.1 allows one only with a user name. Default: none.
    pub password: Option<Secret>,
    /// Keep-alive, in whole seconds, at most 65,535; zero disables it. Default: 60 s.
    ///
    /// An MQTT 5 broker may override it, see [`Limits::keep_alive`](crate::Limits::keep_alive).
    pub keep_alive: Duration,
    /// Clean session (3.1.1) or clean start (5). Default: true.
    ///
    /// MQTT 3.1.1: sent in every CONNECT, so `true` means that the broker keeps nothing between
    /// connections. MQTT 5: sent only until the first CONNACK. How long the broker keeps the
    /// session afterwards is set by [`session_expiry`](Self::session_expiry).
    ///
    /// With `false`, the broker may still have a session from a previous run of this device. With
    /// MQTT 5, the connection is then closed, as the standard requires, and the next one starts a
    /// new session. With MQTT 3.1.1 the session continues: before a packet identifier is first used
    /// with QoS 2, a PUBREL clears any state that the broker may still have for it, and the message
    /// follows the PUBCOMP.
    pub clean_start: bool,
    /// Takes over the session that the broker kept from a previous run of this client, with MQTT 5
    /// as well. For programs that have nothing unacknowledged to remember between runs, such as
    /// subscribers. Messages that the broker queued in the meantime are delivered. Packet
    /// identifiers are treated as described for MQTT 3.1.1 above. Default: false.
    pub adopt_session: bool,
    /// Leaves QoS 1 and 2 messages at the broker: they are neither delivered nor acknowledged, and
    /// the broker sends them again to the next connection that accepts them. For programs that only
    /// publish, under a client identifier that has subscriptions. Default: false.
    pub leave_messages: bool,
    /// Session expiry (5): how many seconds the broker keeps the session after the connection ends.
    /// `u32::MAX` means forever. Default: 0.
    pub session_expiry: u32,
    /// Will message, with a payload of at most 65,535 bytes. Default: none.
    pub will: Option<Message>,
    /// Seconds the broker waits before it publishes the will (5). Default: 0.
    pub will_delay: u32,
    /// Largest packet accepted from the broker, in bytes, at least 64; sent to an MQTT 5 broker.
    /// Default: 16,384.
    ///
    /// A larger message is skipped with [`Event::Skipped`](crate::Event::Skipped). If an MQTT 5
    /// broker ignores the limit, the first such message closes the connection (section 3.1.2.11.4),
    /// and later ones are skipped.
    pub max_packet_size: u32,
    /// Largest packet accepted from the broker in pieces, in bytes. If it is larger than
    /// [`max_packet_size`](Self::max_packet_size), it is sent to an MQTT 5 broker in its place. A
    /// message larger than `max_packet_size` then arrives as
    /// [`Event::MessageBegins`](crate::Event::MessageBegins) and
    /// [`Event::Piece`](crate::Event::Piece)s, none of them larger than `max_packet_size`. Its
    /// topic and properties must fit into `max_packet_size`, otherwise it is skipped. Default: 0,
    /// none.
    pub max_size_in_pieces: u32,
    /// Maximum number of unacknowledged QoS 1 and 2 messages in each direction; not 0. Default: 16.
    ///
    /// For outgoing messages, the broker's limit applies if it is smaller. An MQTT 5 broker is told
    /// this value. An MQTT 5 broker that exceeds it, and any MQTT 3.1.1 broker, may have up to
    /// [`received_ids`](Self::received_ids) QoS 2 messages in flight.
    pub receive_maximum: u16,
    /// Maximum number of QoS 2 messages from the broker whose packet identifiers are remembered
    /// until PUBREL; `receive_maximum` applies if it is larger. Each takes 2 bytes, allocated when
    /// needed. The limit bounds the memory, because MQTT 3.1.1 has no Receive Maximum and some
    /// MQTT 5 brokers exceed it. If a broker has more in flight at once, the connection is closed,
    /// and the broker sends the rest on the next one: nothing is lost. Default: 1,024.
    pub received_ids: u16,
    /// Maximum number of topic aliases that the broker may use (5). Each takes the memory of one
    /// topic name and saves that many bytes per message. Default: 0.
    pub topic_alias_maximum: u16,
    /// Timeout for CONNACK, and for PINGRESP. Default: 20 s.
    pub response_timeout: Duration,
    /// Maximum number of messages in the outbox, 1 to 32,767. As many requests may wait in
    /// addition. Default: 16.
    pub outbox_messages: usize,
    /// Maximum bytes in the outbox: topics, payloads and properties; the filters of requests are
    /// limited to the same number in addition. Default: 16,384.
    pub outbox_bytes: usize,
    /// Percentage of the outbox, in messages and in bytes, that is reserved for QoS 1 and 2, so
    /// that a burst of readings cannot block an alarm. At most 100. Default: 25.
    pub outbox_reserve: u8,
    /// What a full outbox does with a new message. Default: refuse it.
    pub overflow: Overflow,
    /// What to do with a QoS 2 message when the broker loses the session. Default: send it again.
    pub lost_session: LostSession,
    /// Whether to accept that a broker answers a QoS 2 message with PUBACK, as RabbitMQ does, and
    /// so handles it with QoS 1. If `true`, the message counts as delivered, and
    /// [`Event::QosLowered`](crate::Event::QosLowered) reports it. If `false`, it is given up with
    /// [`PublishError::QosNotSupported`](crate::PublishError::QosNotSupported). Default: true.
    pub accept_lower_qos: bool,
    /// Time allowed for the answer to a message or request, counted from when it was sent in full.
    /// If the broker answers pings but not the message, the connection is closed, and the message
    /// is sent again on the next one. Zero waits forever. Default: 120 s.
    pub ack_timeout: Duration,
    /// Number of ended connections after which a message or request becomes suspect. It is
    /// suspected of having ended them if it was the oldest one unanswered each time. A suspect
    /// waits behind the others and is sent alone. It is given up after four more connections end
    /// while it is sent alone; a connection on which the broker had answered another message or
    /// request counts twice. Over TLS, the client also starts a new session at the broker after
    /// this many connections were ended by a record too large for this device. Zero disables the
    /// detection. Default: 3.
    pub suspect_after: u8,
    /// The first packet identifier to use, 1 to 32,767. With a random one, a late answer to a
    /// previous run of this device is not mistaken for an answer to this run. Default: 1.
    pub first_packet_id: u16,
    /// Keeps QoS 1 and 2 messages in the storage, if the session
    /// [has one](crate::Session::with_store), unless
    /// [`PublishOptions::durable`](crate::PublishOptions::durable) overrides it. Default: true.
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
    /// Returns the protocol version. It is a constant in a build with one version, so that the code
    /// of the other is not linked.
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

/// Identifiers above are for messages that survive a restart.
pub(crate) const MAX_PACKET_ID: u16 = 32_767;

/// Half of the packet identifiers, so that one is always free.
const MAX_OUTBOX_MESSAGES: usize = 32_767;

/// Below this, not even a CONNACK with its usual properties fits.
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
    /// A session is to be resumed, but has no client identifier.
    ClientIdMissing,
    /// Longer than the 65,535 bytes that MQTT's length field allows.
    TooLong(Field),
    /// U+0000 in a string (MQTT 3.1.1 and 5, section 1.5).
    Nul(Field),
    /// A password without a user name: MQTT 3.1.1 \[MQTT-3.1.2-22\].
    PasswordWithoutUsername,
    /// The keep-alive is not in whole seconds, or above 65,535 s.
    KeepAlive,
    /// The will message cannot be published.
    Will(CommandError),
    /// `max_packet_size` is below 64.
    MaxPacketSize,
    /// `receive_maximum` is 0.
    ReceiveMaximum,
    /// `outbox_messages` is 0 or above 32,767.
    OutboxMessages,
    /// `outbox_reserve` is above 100.
    OutboxReserve,
    /// `first_packet_id` is 0 or above 32,767.
    FirstPacketId,
    /// This build lacks the capability, see [`CommandError::NotBuilt`].
    NotBuilt(&'static str),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::ClientIdMissing => f.write_str(
                "resuming a session needs a client identifier; set one, or set clean_start",
            ),
            ConfigError::TooLong(field) => {
                write!(f, "the {field} is longer than the 65,535 bytes MQTT allows")
            }
            ConfigError::Nul(field) => {
                write!(
                    f,
                    "the {field} contains a NUL character, which MQTT forbids"
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
