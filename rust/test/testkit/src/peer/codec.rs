//! MQTT 3.1.1 and 5 packets as common types, on top of mqtt-proto.
use mqtt_proto::{Error, Pid, Protocol, QoS, QosPid, TopicName, v3, v5};

/// Protocol version of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// MQTT 3.1.1.
    V311,
    /// MQTT 5.
    V5,
}

/// An application message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Topic name.
    pub topic: String,
    /// Payload.
    pub payload: Vec<u8>,
    /// 0, 1 or 2.
    pub qos: u8,
    /// Retain flag.
    pub retain: bool,
}

/// The contents of a CONNECT packet, as far as this broker uses them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connect {
    /// Version.
    pub version: Version,
    /// Client identifier; may be empty.
    pub client_id: String,
    /// Clean session (3.1.1) or clean start (5).
    pub clean: bool,
    /// Whether the session survives the connection.
    pub keep_session: bool,
    /// In seconds; 0 for none.
    pub keep_alive: u16,
    /// User name.
    pub username: Option<String>,
    /// Password.
    pub password: Option<Vec<u8>>,
    /// Will message.
    pub will: Option<Message>,
    /// Maximum number of QoS 1 and 2 messages in flight to the client.
    pub receive_maximum: u16,
    /// Maximum packet size that the client accepts.
    pub max_packet_size: Option<u32>,
}

/// The four acknowledgements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ack {
    Puback,
    Pubrec,
    Pubrel,
    Pubcomp,
}

/// A packet from the client.
#[derive(Debug)]
pub(super) enum Incoming {
    Connect(Connect),
    Publish { message: Message, pid: u16 },
    Ack(Ack, u16),
    Subscribe { pid: u16, filters: Vec<Filter> },
    Unsubscribe { pid: u16, filters: Vec<String> },
    Ping,
    Disconnect,
}

/// One entry of a SUBSCRIBE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) filter: String,
    pub(super) qos: u8,
    pub(super) no_local: bool,
}

/// A packet to the client.
#[derive(Debug)]
pub(super) enum Outgoing<'a> {
    Connack {
        session_present: bool,
        code: u8,
        max_packet_size: Option<u32>,
    },
    Publish {
        message: &'a Message,
        pid: u16,
        dup: bool,
    },
    Ack(Ack, u16),
    Suback {
        pid: u16,
        codes: &'a [u8],
    },
    Unsuback {
        pid: u16,
        found: &'a [bool],
    },
    Pong,
    /// MQTT 5 only. Encodes to nothing in 3.1.1, where a server cannot send it.
    Disconnect(v5::DisconnectReasonCode),
}

/// The client violated the protocol, or its packet is larger than allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Violation {
    Malformed,
    Protocol,
    TooLarge,
}

impl From<Error> for Violation {
    fn from(_: Error) -> Self {
        Self::Malformed
    }
}

impl From<v5::ErrorV5> for Violation {
    fn from(_: v5::ErrorV5) -> Self {
        Self::Malformed
    }
}

/// Returns the length of the first packet in `bytes`, or `None` while its header is incomplete
/// (section 2.1.4 of MQTT 5, 2.2.3 of 3.1.1).
fn packet_length(bytes: &[u8]) -> Result<Option<usize>, Violation> {
    let mut remaining = 0;
    for (index, byte) in bytes.iter().skip(1).take(4).enumerate() {
        remaining |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok(Some(2 + index + remaining));
        }
    }
    if bytes.len() > 4 {
        return Err(Violation::Malformed);
    }
    Ok(None)
}

/// Takes the first packet out of `buffer`, or returns `None` until it is complete. `version` is
/// known after CONNECT.
pub(super) fn decode(
    buffer: &mut Vec<u8>,
    version: Option<Version>,
    max_packet_size: u32,
) -> Result<Option<Incoming>, Violation> {
    let Some(length) = packet_length(buffer)? else {
        return Ok(None);
    };
    if length > usize::try_from(max_packet_size).unwrap_or(usize::MAX) {
        return Err(Violation::TooLarge);
    }
    if buffer.len() < length {
        return Ok(None);
    }
    let packet: Vec<u8> = buffer.drain(..length).collect();
    let incoming = match version {
        Some(Version::V311) => from_v3(v3::Packet::decode(&packet)?.ok_or(Violation::Malformed)?),
        Some(Version::V5) => from_v5(v5::Packet::decode(&packet)?.ok_or(Violation::Malformed)?),
        None => match v3::Packet::decode(&packet) {
            Err(Error::UnexpectedProtocol(Protocol::V500)) => {
                from_v5(v5::Packet::decode(&packet)?.ok_or(Violation::Malformed)?)
            }
            other => from_v3(other?.ok_or(Violation::Malformed)?),
        },
    };
    incoming.map(Some)
}

fn from_v3(packet: v3::Packet) -> Result<Incoming, Violation> {
    Ok(match packet {
        v3::Packet::Connect(connect) => Incoming::Connect(Connect {
            version: Version::V311,
            client_id: connect.client_id.to_string(),
            clean: connect.clean_session,
            keep_session: !connect.clean_session,
            keep_alive: connect.keep_alive,
            username: connect.username.map(|name| name.to_string()),
            password: connect.password.map(|password| password.to_vec()),
            will: connect.last_will.map(|will| Message {
                topic: will.topic_name.to_string(),
                payload: will.message.to_vec(),
                qos: will.qos as u8,
                retain: will.retain,
            }),
            receive_maximum: u16::MAX,
            max_packet_size: None,
        }),
        v3::Packet::Publish(publish) => Incoming::Publish {
            pid: publish.qos_pid.pid().map_or(0, Pid::value),
            message: Message {
                topic: publish.topic_name.to_string(),
                payload: publish.payload.to_vec(),
                qos: publish.qos_pid.qos() as u8,
                retain: publish.retain,
            },
        },
        v3::Packet::Puback(pid) => Incoming::Ack(Ack::Puback, pid.value()),
        v3::Packet::Pubrec(pid) => Incoming::Ack(Ack::Pubrec, pid.value()),
        v3::Packet::Pubrel(pid) => Incoming::Ack(Ack::Pubrel, pid.value()),
        v3::Packet::Pubcomp(pid) => Incoming::Ack(Ack::Pubcomp, pid.value()),
        v3::Packet::Subscribe(subscribe) => Incoming::Subscribe {
            pid: subscribe.pid.value(),
            filters: subscribe
                .topics
                .iter()
                .map(|(filter, qos)| Filter {
                    filter: filter.to_string(),
                    qos: *qos as u8,
                    no_local: false,
                })
                .collect(),
        },
        v3::Packet::Unsubscribe(unsubscribe) => Incoming::Unsubscribe {
            pid: unsubscribe.pid.value(),
            filters: unsubscribe.topics.iter().map(|f| f.to_string()).collect(),
        },
        v3::Packet::Pingreq => Incoming::Ping,
        v3::Packet::Disconnect => Incoming::Disconnect,
        v3::Packet::Connack(_)
        | v3::Packet::Suback(_)
        | v3::Packet::Unsuback(_)
        | v3::Packet::Pingresp => return Err(Violation::Protocol),
    })
}

fn from_v5(packet: v5::Packet) -> Result<Incoming, Violation> {
    Ok(match packet {
        v5::Packet::Connect(connect) => Incoming::Connect(Connect {
            version: Version::V5,
            client_id: connect.client_id.to_string(),
            clean: connect.clean_start,
            keep_session: connect.properties.session_expiry_interval.unwrap_or(0) > 0,
            keep_alive: connect.keep_alive,
            username: connect.username.map(|name| name.to_string()),
            password: connect.password.map(|password| password.to_vec()),
            will: connect.last_will.map(|will| Message {
                topic: will.topic_name.to_string(),
                payload: will.payload.to_vec(),
                qos: will.qos as u8,
                retain: will.retain,
            }),
            receive_maximum: connect.properties.receive_max.unwrap_or(u16::MAX),
            max_packet_size: connect.properties.max_packet_size,
        }),
        v5::Packet::Publish(publish) => Incoming::Publish {
            pid: publish.qos_pid.pid().map_or(0, Pid::value),
            message: Message {
                topic: publish.topic_name.to_string(),
                payload: publish.payload.to_vec(),
                qos: publish.qos_pid.qos() as u8,
                retain: publish.retain,
            },
        },
        v5::Packet::Puback(ack) => Incoming::Ack(Ack::Puback, ack.pid.value()),
        v5::Packet::Pubrec(ack) => Incoming::Ack(Ack::Pubrec, ack.pid.value()),
        v5::Packet::Pubrel(ack) => Incoming::Ack(Ack::Pubrel, ack.pid.value()),
        v5::Packet::Pubcomp(ack) => Incoming::Ack(Ack::Pubcomp, ack.pid.value()),
        v5::Packet::Subscribe(subscribe) => Incoming::Subscribe {
            pid: subscribe.pid.value(),
            filters: subscribe
                .topics
                .iter()
                .map(|(filter, options)| Filter {
                    filter: filter.to_string(),
                    qos: options.max_qos as u8,
                    no_local: options.no_local,
                })
                .collect(),
        },
        v5::Packet::Unsubscribe(unsubscribe) => Incoming::Unsubscribe {
            pid: unsubscribe.pid.value(),
            filters: unsubscribe.topics.iter().map(|f| f.to_string()).collect(),
        },
        v5::Packet::Pingreq => Incoming::Ping,
        v5::Packet::Disconnect(_) => Incoming::Disconnect,
        v5::Packet::Connack(_)
        | v5::Packet::Suback(_)
        | v5::Packet::Unsuback(_)
        | v5::Packet::Pingresp
        | v5::Packet::Auth(_) => return Err(Violation::Protocol),
    })
}

/// Appends the bytes of a packet to `to`.
pub(super) fn encode(
    packet: &Outgoing<'_>,
    version: Version,
    to: &mut Vec<u8>,
) -> Result<(), Violation> {
    if let Outgoing::Connack {
        session_present,
        code: code @ 1..,
        ..
    } = packet
    {
        // Encoded by hand, so that any code can be sent, even one that no specification defines.
        let flags = u8::from(*session_present);
        match version {
            Version::V311 => to.extend_from_slice(&[0x20, 2, flags, *code]),
            Version::V5 => to.extend_from_slice(&[0x20, 3, flags, *code, 0]),
        }
        return Ok(());
    }
    match version {
        Version::V311 => {
            if let Some(packet) = to_v3(packet)? {
                to.extend_from_slice(packet.encode()?.as_ref());
            }
        }
        Version::V5 => to.extend_from_slice(to_v5(packet)?.encode()?.as_ref()),
    }
    Ok(())
}

/// Appends an MQTT 5 CONNACK that refuses with this code and a Server Reference (section
/// 3.2.2.3.16).
pub(super) fn push_redirect(to: &mut Vec<u8>, code: u8, reference: &str) {
    const SERVER_REFERENCE: u8 = 0x1C;
    let length = 3 + reference.len();
    // Short enough for lengths of one byte.
    to.extend_from_slice(&[0x20, length as u8 + 3, 0, code, length as u8]);
    to.push(SERVER_REFERENCE);
    to.extend_from_slice(&(reference.len() as u16).to_be_bytes());
    to.extend_from_slice(reference.as_bytes());
}

fn qos_pid(qos: u8, pid: u16) -> Result<QosPid, Violation> {
    Ok(match QoS::from_u8(qos)? {
        QoS::Level0 => QosPid::Level0,
        QoS::Level1 => QosPid::Level1(Pid::try_from(pid)?),
        QoS::Level2 => QosPid::Level2(Pid::try_from(pid)?),
    })
}

fn to_v3(packet: &Outgoing<'_>) -> Result<Option<v3::Packet>, Violation> {
    Ok(Some(match packet {
        Outgoing::Connack {
            session_present,
            code,
            ..
        } => v3::Packet::Connack(v3::Connack::new(
            *session_present,
            v3::ConnectReturnCode::from_u8(*code)?,
        )),
        Outgoing::Publish { message, pid, dup } => v3::Packet::Publish(v3::Publish {
            dup: *dup,
            retain: message.retain,
            qos_pid: qos_pid(message.qos, *pid)?,
            topic_name: TopicName::try_from(message.topic.as_str())?,
            payload: message.payload.clone().into(),
        }),
        Outgoing::Ack(Ack::Puback, pid) => v3::Packet::Puback(Pid::try_from(*pid)?),
        Outgoing::Ack(Ack::Pubrec, pid) => v3::Packet::Pubrec(Pid::try_from(*pid)?),
        Outgoing::Ack(Ack::Pubrel, pid) => v3::Packet::Pubrel(Pid::try_from(*pid)?),
        Outgoing::Ack(Ack::Pubcomp, pid) => v3::Packet::Pubcomp(Pid::try_from(*pid)?),
        Outgoing::Suback { pid, codes } => v3::Packet::Suback(v3::Suback::new(
            Pid::try_from(*pid)?,
            codes
                .iter()
                .map(|code| v3::SubscribeReturnCode::from_u8(*code))
                .collect::<Result<_, _>>()?,
        )),
        Outgoing::Unsuback { pid, .. } => v3::Packet::Unsuback(Pid::try_from(*pid)?),
        Outgoing::Pong => v3::Packet::Pingresp,
        Outgoing::Disconnect(_) => return Ok(None),
    }))
}

fn to_v5(packet: &Outgoing<'_>) -> Result<v5::Packet, Violation> {
    Ok(match packet {
        Outgoing::Connack {
            session_present,
            max_packet_size,
            ..
        } => {
            let mut connack = v5::Connack::new(*session_present, v5::ConnectReasonCode::Success);
            connack.properties.max_packet_size = *max_packet_size;
            v5::Packet::Connack(connack)
        }
        Outgoing::Publish { message, pid, dup } => {
            let mut publish = v5::Publish::new(
                qos_pid(message.qos, *pid)?,
                TopicName::try_from(message.topic.as_str())?,
                message.payload.clone().into(),
            );
            publish.dup = *dup;
            publish.retain = message.retain;
            v5::Packet::Publish(publish)
        }
        Outgoing::Ack(Ack::Puback, pid) => {
            v5::Packet::Puback(v5::Puback::new_success(Pid::try_from(*pid)?))
        }
        Outgoing::Ack(Ack::Pubrec, pid) => {
            v5::Packet::Pubrec(v5::Pubrec::new_success(Pid::try_from(*pid)?))
        }
        Outgoing::Ack(Ack::Pubrel, pid) => {
            v5::Packet::Pubrel(v5::Pubrel::new_success(Pid::try_from(*pid)?))
        }
        Outgoing::Ack(Ack::Pubcomp, pid) => {
            v5::Packet::Pubcomp(v5::Pubcomp::new_success(Pid::try_from(*pid)?))
        }
        Outgoing::Suback { pid, codes } => v5::Packet::Suback(v5::Suback::new(
            Pid::try_from(*pid)?,
            codes
                .iter()
                .map(|code| v5::SubscribeReasonCode::from_u8(*code).ok_or(Violation::Protocol))
                .collect::<Result<_, _>>()?,
        )),
        Outgoing::Unsuback { pid, found } => v5::Packet::Unsuback(v5::Unsuback::new(
            Pid::try_from(*pid)?,
            found
                .iter()
                .map(|found| match found {
                    true => v5::UnsubscribeReasonCode::Success,
                    false => v5::UnsubscribeReasonCode::NoSubscriptionExisted,
                })
                .collect(),
        )),
        Outgoing::Pong => v5::Packet::Pingresp,
        Outgoing::Disconnect(code) => v5::Packet::Disconnect(v5::Disconnect::new(*code)),
    })
}
