//! The broker's end of the connection, version-neutral, using the codec's packet types.
#![allow(dead_code, reason = "each test uses its part")]

pub(crate) mod broker;
#[cfg(feature = "durable")]
pub(crate) mod flash;
pub(crate) mod mosquitto;

use std::time::Duration;

use mqtt_proto::{Pid, QosPid, TopicName, v3, v5};
use thread_mqtt_session::{Config, Event, Message, QoS, Session, SessionError, Version};

pub(crate) const VERSIONS: [Version; 2] = [Version::V311, Version::V5];

pub(crate) const fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A packet from a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    Connect {
        clean: bool,
        keep_alive: u16,
        client_id: String,
    },
    Publish(Publish),
    Puback(u16),
    Pubrec(u16),
    Pubrel(u16, u8),
    Pubcomp(u16, u8),
    Subscribe(u16, Vec<(String, u8)>),
    Unsubscribe(u16, Vec<String>),
    Pingreq,
    Disconnect(u8),
}

/// A PUBLISH in either direction; `id` is 0 for QoS 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Publish {
    pub(crate) dup: bool,
    pub(crate) retain: bool,
    pub(crate) qos: u8,
    pub(crate) id: u16,
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
}

impl Publish {
    pub(crate) fn new(topic: &str, payload: impl Into<Vec<u8>>, qos: u8, id: u16) -> Self {
        Publish {
            dup: false,
            retain: false,
            qos,
            id,
            topic: topic.into(),
            payload: payload.into(),
        }
    }

    pub(crate) fn dup(mut self) -> Self {
        self.dup = true;
        self
    }

    fn qos_pid(&self) -> QosPid {
        let pid = || Pid::try_from(self.id).expect("an identifier");
        match self.qos {
            0 => QosPid::Level0,
            1 => QosPid::Level1(pid()),
            _ => QosPid::Level2(pid()),
        }
    }
}

/// Takes one packet off the front of what the client sent.
pub(crate) fn parse(version: Version, bytes: &mut Vec<u8>) -> Option<Seen> {
    match version {
        Version::V311 => parse_v3(bytes),
        Version::V5 => parse_v5(bytes),
    }
}

/// Parses everything the client sent so far.
pub(crate) fn parse_all(version: Version, mut bytes: Vec<u8>) -> Vec<Seen> {
    let seen = std::iter::from_fn(|| parse(version, &mut bytes)).collect();
    assert!(
        bytes.is_empty(),
        "an incomplete packet is left: {bytes:02X?}"
    );
    seen
}

fn publish(dup: bool, retain: bool, qos_pid: QosPid, topic: &str, payload: &[u8]) -> Seen {
    Seen::Publish(Publish {
        dup,
        retain,
        qos: qos_pid.qos() as u8,
        id: qos_pid.pid().map_or(0, Pid::value),
        topic: topic.into(),
        payload: payload.into(),
    })
}

fn parse_v3(bytes: &mut Vec<u8>) -> Option<Seen> {
    let packet = v3::Packet::decode(bytes).expect("the client sends valid packets")?;
    bytes.drain(..packet.encode_len().expect("a length"));
    Some(match packet {
        v3::Packet::Connect(p) => Seen::Connect {
            clean: p.clean_session,
            keep_alive: p.keep_alive,
            client_id: p.client_id.to_string(),
        },
        v3::Packet::Publish(p) => publish(p.dup, p.retain, p.qos_pid, &p.topic_name, &p.payload),
        v3::Packet::Puback(id) => Seen::Puback(id.value()),
        v3::Packet::Pubrec(id) => Seen::Pubrec(id.value()),
        v3::Packet::Pubrel(id) => Seen::Pubrel(id.value(), 0),
        v3::Packet::Pubcomp(id) => Seen::Pubcomp(id.value(), 0),
        v3::Packet::Subscribe(p) => Seen::Subscribe(
            p.pid.value(),
            p.topics
                .iter()
                .map(|(filter, qos)| (filter.to_string(), *qos as u8))
                .collect(),
        ),
        v3::Packet::Unsubscribe(p) => Seen::Unsubscribe(
            p.pid.value(),
            p.topics.iter().map(|filter| filter.to_string()).collect(),
        ),
        v3::Packet::Pingreq => Seen::Pingreq,
        v3::Packet::Disconnect => Seen::Disconnect(0),
        other => panic!("a client does not send {other:?}"),
    })
}

fn parse_v5(bytes: &mut Vec<u8>) -> Option<Seen> {
    let packet = v5::Packet::decode(bytes).expect("the client sends valid packets")?;
    bytes.drain(..packet.encode_len().expect("a length"));
    Some(match packet {
        v5::Packet::Connect(p) => Seen::Connect {
            clean: p.clean_start,
            keep_alive: p.keep_alive,
            client_id: p.client_id.to_string(),
        },
        v5::Packet::Publish(p) => publish(p.dup, p.retain, p.qos_pid, &p.topic_name, &p.payload),
        v5::Packet::Puback(p) => Seen::Puback(p.pid.value()),
        v5::Packet::Pubrec(p) => Seen::Pubrec(p.pid.value()),
        v5::Packet::Pubrel(p) => Seen::Pubrel(p.pid.value(), p.reason_code as u8),
        v5::Packet::Pubcomp(p) => Seen::Pubcomp(p.pid.value(), p.reason_code as u8),
        v5::Packet::Subscribe(p) => Seen::Subscribe(
            p.pid.value(),
            p.topics
                .iter()
                .map(|(filter, options)| (filter.to_string(), options.max_qos as u8))
                .collect(),
        ),
        v5::Packet::Unsubscribe(p) => Seen::Unsubscribe(
            p.pid.value(),
            p.topics.iter().map(|filter| filter.to_string()).collect(),
        ),
        v5::Packet::Pingreq => Seen::Pingreq,
        v5::Packet::Disconnect(p) => Seen::Disconnect(p.reason_code as u8),
        other => panic!("a client does not send {other:?}"),
    })
}

/// Packets from a broker.
pub(crate) mod wire {
    use super::*;

    pub(crate) fn connack(version: Version, session_present: bool) -> Vec<u8> {
        match version {
            Version::V311 => vec![0x20, 2, session_present.into(), 0],
            Version::V5 => connack_v5(session_present, |_| {}),
        }
    }

    pub(crate) fn connack_v5(
        session_present: bool,
        set: impl FnOnce(&mut v5::ConnackProperties),
    ) -> Vec<u8> {
        let mut connack = v5::Connack::new(session_present, v5::ConnectReasonCode::Success);
        set(&mut connack.properties);
        encode_v5(connack.into())
    }

    pub(crate) fn refusal(version: Version, code: u8) -> Vec<u8> {
        match version {
            Version::V311 => vec![0x20, 2, 0, code],
            Version::V5 => vec![0x20, 3, 0, code, 0],
        }
    }

    pub(crate) fn publish(version: Version, p: &Publish) -> Vec<u8> {
        let topic = TopicName::try_from(p.topic.as_str()).expect("a topic");
        match version {
            Version::V311 => {
                let mut packet = v3::Publish::new(p.qos_pid(), topic, p.payload.clone().into());
                (packet.dup, packet.retain) = (p.dup, p.retain);
                let packet = v3::Packet::from(packet);
                packet.encode().expect("encodes").as_ref().to_vec()
            }
            Version::V5 => publish_v5(p, |_| {}),
        }
    }

    pub(crate) fn publish_v5(p: &Publish, set: impl FnOnce(&mut v5::PublishProperties)) -> Vec<u8> {
        let topic = TopicName::try_from(p.topic.as_str()).expect("a topic");
        let mut packet = v5::Publish::new(p.qos_pid(), topic, p.payload.clone().into());
        (packet.dup, packet.retain) = (p.dup, p.retain);
        set(&mut packet.properties);
        encode_v5(packet.into())
    }

    fn ack(control: u8, id: u16, code: u8) -> Vec<u8> {
        let [high, low] = id.to_be_bytes();
        match code {
            0 => vec![control, 2, high, low],
            code => vec![control, 3, high, low, code],
        }
    }

    pub(crate) fn puback(id: u16, code: u8) -> Vec<u8> {
        ack(0x40, id, code)
    }
    pub(crate) fn pubrec(id: u16, code: u8) -> Vec<u8> {
        ack(0x50, id, code)
    }
    pub(crate) fn pubrel(id: u16) -> Vec<u8> {
        ack(0x62, id, 0)
    }
    pub(crate) fn pubcomp(id: u16) -> Vec<u8> {
        ack(0x70, id, 0)
    }

    pub(crate) fn suback(version: Version, id: u16, codes: &[u8]) -> Vec<u8> {
        answer(version, 0x90, id, codes)
    }

    pub(crate) fn unsuback(version: Version, id: u16, codes: &[u8]) -> Vec<u8> {
        match version {
            Version::V311 => ack(0xB0, id, 0),
            Version::V5 => answer(version, 0xB0, id, codes),
        }
    }

    fn answer(version: Version, control: u8, id: u16, codes: &[u8]) -> Vec<u8> {
        let mut body = id.to_be_bytes().to_vec();
        if version == Version::V5 {
            body.push(0);
        }
        body.extend_from_slice(codes);
        let mut packet = vec![control, u8::try_from(body.len()).expect("a short packet")];
        packet.append(&mut body);
        packet
    }

    pub(crate) const PINGRESP: [u8; 2] = [0xD0, 0];

    pub(crate) fn disconnect(code: v5::DisconnectReasonCode, text: &str) -> Vec<u8> {
        let mut packet = v5::Disconnect::new(code);
        packet.properties.reason_string = Some(text.into());
        encode_v5(packet.into())
    }

    fn encode_v5(packet: v5::Packet) -> Vec<u8> {
        packet.encode().expect("encodes").as_ref().to_vec()
    }
}

/// A session with the steps that every test needs.
pub(crate) struct Client {
    pub(crate) session: Session,
    pub(crate) version: Version,
}

impl Client {
    pub(crate) fn new(config: Config) -> Self {
        Client {
            version: config.version,
            session: Session::new(config).expect("a valid configuration"),
        }
    }

    /// Creates a client that wants to keep its session.
    pub(crate) fn lasting(version: Version) -> Self {
        Client::new(lasting(version))
    }

    /// Creates a connected client, with its event taken and CONNECT and everything else sent.
    pub(crate) fn online(config: Config) -> Self {
        let mut client = Client::new(config);
        client.reconnect(at(0), false);
        client
    }

    pub(crate) fn reconnect(&mut self, now: Duration, session_present: bool) {
        self.session.connect(now);
        let sent = self.sent(now);
        assert!(matches!(sent[..], [Seen::Connect { .. }]), "{sent:?}");
        self.receive(&wire::connack(self.version, session_present), now);
        let event = self.session.poll_event();
        assert_eq!(event, Some(Event::Connected { session_present }));
    }

    /// Returns everything the session wants to send now.
    pub(crate) fn transmit(&mut self, now: Duration) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let bytes = self.session.transmit(now);
            if bytes.is_empty() {
                return all;
            }
            all.extend_from_slice(bytes);
            let n = bytes.len();
            self.session.consume_transmit(n);
        }
    }

    pub(crate) fn sent(&mut self, now: Duration) -> Vec<Seen> {
        parse_all(self.version, self.transmit(now))
    }

    /// Passes bytes to the session, which must take all of them.
    pub(crate) fn receive(&mut self, bytes: &[u8], now: Duration) {
        let taken = self.session.handle_input(bytes, now);
        assert_eq!(taken, Ok(bytes.len()));
    }

    /// Handles the time. Afterwards, nothing may be overdue.
    pub(crate) fn handle_timeout(&mut self, now: Duration) -> Result<(), SessionError> {
        let result = self.session.handle_timeout(now);
        if result.is_ok() {
            let due = self.session.poll_timeout();
            assert!(due.is_none_or(|due| due > now), "{due:?} at {now:?}");
        }
        result
    }

    pub(crate) fn fails(&mut self, bytes: &[u8], error: SessionError) {
        assert_eq!(self.session.handle_input(bytes, at(1)), Err(error));
    }

    pub(crate) fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.session.poll_event()).collect()
    }
}

pub(crate) fn lasting(version: Version) -> Config {
    Config {
        version,
        client_id: "device".into(),
        clean_start: false,
        session_expiry: u32::MAX,
        ..Config::default()
    }
}

/// Like [`lasting`], but with such low limits that each is reached in a short run.
pub(crate) fn narrow(version: Version) -> Config {
    Config {
        receive_maximum: 4,
        outbox_messages: 8,
        outbox_bytes: 6_000,
        event_bytes: 600,
        ..lasting(version)
    }
}

/// Receives messages above 200 bytes in pieces, in a build that supports them.
pub(crate) fn in_pieces(config: Config) -> Config {
    if cfg!(not(feature = "pieces")) {
        return config;
    }
    Config {
        max_packet_size: 200,
        max_size_in_pieces: 1 << 20,
        ..config
    }
}

/// Reassembles messages that arrive in pieces.
#[derive(Debug, Default)]
pub(crate) struct Assembly {
    begun: Option<(Message, u32)>,
}

impl Assembly {
    /// Takes an event. Returns the event with any pieces reassembled, or `None` if more pieces must
    /// come.
    pub(crate) fn take(&mut self, event: Event) -> Option<Event> {
        match event {
            Event::MessageBegins { message, total } => {
                assert!(message.payload.is_empty());
                assert_eq!(self.begun.replace((message, total)), None);
                None
            }
            Event::Piece {
                offset,
                total,
                payload,
            } => {
                let (message, of) = self.begun.as_mut().expect("a message has begun");
                assert_eq!((offset as usize, total), (message.payload.len(), *of));
                assert!(!payload.is_empty());
                message.payload.extend(payload);
                let is_whole = message.payload.len() == total as usize;
                let (message, _) = self.begun.take_if(|_| is_whole)?;
                Some(Event::Message(message))
            }
            Event::MessageCut { received, .. } => {
                let (message, total) = self.begun.take().expect("a message has begun");
                assert_eq!(message.payload.len(), received as usize);
                assert!(received < total);
                Some(event)
            }
            event => {
                let between = matches!(event, Event::Message(_) | Event::Skipped { .. });
                assert!(!between || self.begun.is_none(), "{event:?}");
                Some(event)
            }
        }
    }
}

pub(crate) fn qos(level: u8) -> QoS {
    match level {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    }
}
