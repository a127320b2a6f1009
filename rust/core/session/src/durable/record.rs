//! The format of the records. Each has a version, a kind, and a checksum over them and the key.
//!
//! ```text
//!   version  kind  body ...  CRC-32
//!      1      1                4       bytes, numbers little-endian
//! ```
//!
//! A record that does not match is damaged. It is dropped, and the others stay valid.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::config::QoS;
use crate::message::{Message, Properties};
use crate::packet;

/// Keys by kind of record.
pub(super) mod key {
    use core::ops::RangeInclusive;

    pub(in crate::durable) const SESSION: u16 = 0;
    pub(in crate::durable) const SETTLED: u16 = 2;
    /// Received identifiers, several in a record.
    pub(in crate::durable) const RECEIVED: RangeInclusive<u16> = 0x1000..=0x1FFF;
    /// Messages for which the broker has sent PUBREC, also several in a record.
    pub(in crate::durable) const RELEASED: RangeInclusive<u16> = 0x2000..=0x2FFF;
    /// Messages sent in a session that was taken over, also several in a record.
    pub(in crate::durable) const SENT: RangeInclusive<u16> = 0x3000..=0x3FFF;
    pub(in crate::durable) const FILTERS: RangeInclusive<u16> = 0x4000..=0x4FFF;
    /// The key of a message is its packet identifier.
    pub(in crate::durable) const MESSAGES: RangeInclusive<u16> = 0x8000..=0xFFFF;
}

const VERSION: u8 = 1;

mod kind {
    pub(super) const SESSION: u8 = 1;
    pub(super) const RECEIVED: u8 = 2;
    pub(super) const RELEASED: u8 = 3;
    pub(super) const FILTER: u8 = 4;
    pub(super) const MESSAGE: u8 = 5;
    pub(super) const RELEASE: u8 = 6;
    pub(super) const SETTLED: u8 = 7;
}

/// Bytes of version, kind and checksum.
const FRAME: usize = 6;

/// A decoded record.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Record {
    Session(Identity),
    /// The broker's session matches the stored one: no CONNECT is unanswered.
    Settled,
    Received(Vec<u16>),
    /// Orders of messages.
    Released(Vec<u32>),
    Filter {
        name: String,
        qos: QoS,
        granted: QoS,
    },
    Message(Stored),
    /// The order of a message that was given up, of which only PUBREL is left.
    Release(u32),
}

/// The identity of a session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The broker has accepted it.
    pub(crate) established: bool,
    /// The broker may know identifiers of stored messages from a previous run of which nothing else
    /// is stored.
    pub(crate) adopted: bool,
    /// The client identifier under which the broker knows the session.
    pub(crate) client_id: String,
    /// The broker, as named by the owner.
    pub(crate) peer: String,
}

/// A message as it was published.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) order: u32,
    /// Seconds left when it was published.
    pub(crate) expiry: Option<u32>,
    pub(crate) message: Message,
}

/// A record being written; `None` if the heap has no room for `size` bytes of body.
struct Writer(Vec<u8>);

impl Writer {
    fn new(kind: u8, size: usize) -> Option<Self> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(FRAME + size).ok()?;
        bytes.extend_from_slice(&[VERSION, kind]);
        Some(Writer(bytes))
    }

    fn u32(&mut self, number: u32) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.0.extend_from_slice(&(text.len() as u16).to_le_bytes());
        self.0.extend_from_slice(text.as_bytes());
    }

    fn end(mut self, key: u16) -> Vec<u8> {
        let sum = checksum(key, &self.0);
        self.u32(sum);
        self.0
    }
}

const ESTABLISHED: u8 = 1;
const ADOPTED: u8 = 2;

pub(super) fn session(identity: &Identity) -> Option<Vec<u8>> {
    let Identity {
        established,
        adopted,
        client_id,
        peer,
    } = identity;
    let mut record = Writer::new(kind::SESSION, 5 + client_id.len() + peer.len())?;
    let established = if *established { ESTABLISHED } else { 0 };
    let adopted = if *adopted { ADOPTED } else { 0 };
    record.0.push(established | adopted);
    record.text(client_id);
    record.text(peer);
    Some(record.end(key::SESSION))
}

pub(super) fn settled() -> Option<Vec<u8>> {
    Some(Writer::new(kind::SETTLED, 0)?.end(key::SETTLED))
}

/// Encodes received identifiers. Zeros are free places and are left out.
pub(super) fn received(key: u16, ids: &[u16]) -> Option<Vec<u8>> {
    let mut record = Writer::new(kind::RECEIVED, 2 * ids.len())?;
    for id in ids.iter().filter(|id| **id != 0) {
        record.0.extend_from_slice(&id.to_le_bytes());
    }
    Some(record.end(key))
}

/// Encodes the orders of released messages, without zeros.
pub(super) fn released(key: u16, orders: &[u32]) -> Option<Vec<u8>> {
    let mut record = Writer::new(kind::RELEASED, 4 * orders.len())?;
    for order in orders.iter().filter(|order| **order != 0) {
        record.u32(*order);
    }
    Some(record.end(key))
}

pub(super) fn filter(key: u16, name: &str, qos: QoS, granted: QoS) -> Option<Vec<u8>> {
    let mut record = Writer::new(kind::FILTER, 3 + name.len())?;
    record.0.push(qos as u8 | (granted as u8) << 4);
    record.text(name);
    Some(record.end(key))
}

const RETAIN: u8 = 0x10;
const EXPIRES: u8 = 0x20;

pub(super) fn message(
    key: u16,
    order: u32,
    expiry: Option<u32>,
    message: &Message,
) -> Option<Vec<u8>> {
    let properties = packet::encode_properties(message.properties.as_deref())?;
    let size = 11 + message.topic.len() + properties.len() + message.payload.len();
    let mut record = Writer::new(kind::MESSAGE, size)?;
    record.u32(order);
    let retain = if message.retain { RETAIN } else { 0 };
    let expires = if expiry.is_some() { EXPIRES } else { 0 };
    record.0.push(message.qos as u8 | retain | expires);
    if let Some(seconds) = expiry {
        record.u32(seconds);
    }
    record.text(&message.topic);
    record.0.extend_from_slice(&properties);
    record.0.extend_from_slice(&message.payload);
    Some(record.end(key))
}

pub(super) fn release(key: u16, order: u32) -> Option<Vec<u8>> {
    let mut record = Writer::new(kind::RELEASE, 4)?;
    record.u32(order);
    Some(record.end(key))
}

/// Returns whether a record has no body.
pub(super) fn is_empty(record: &[u8]) -> bool {
    record.len() <= FRAME
}

/// Returns whether these bytes are a session's record under this key, written by this version of
/// the crate or a later one.
pub fn is_record(key: u16, bytes: &[u8]) -> bool {
    read(key, bytes).is_some() || is_newer(key, bytes)
}

/// Returns whether these bytes are the record of a message to be sent under this key, and not the
/// rest of one that was given up.
pub fn is_message(key: u16, bytes: &[u8]) -> bool {
    matches!(read(key, bytes), Some(Record::Message(_)))
}

/// Returns whether these bytes are a record under this key, written by a later version of this
/// crate.
pub(super) fn is_newer(key: u16, bytes: &[u8]) -> bool {
    let whole = bytes.split_last_chunk().filter(|(content, sum)| {
        // Version and kind are present.
        content.len() >= FRAME - 4 && checksum(key, content) == u32::from_le_bytes(**sum)
    });
    matches!(whole, Some(([version, ..], _)) if *version > VERSION)
}

/// Decodes a record. Returns `None` if it is damaged or does not belong under this key.
pub(super) fn read(key: u16, bytes: &[u8]) -> Option<Record> {
    let (content, sum) = bytes.split_last_chunk()?;
    if checksum(key, content) != u32::from_le_bytes(*sum) {
        return None;
    }
    let ([VERSION, kind], body) = content.split_first_chunk()? else {
        return None;
    };
    let mut reader = Reader(body);
    let record = match *kind {
        kind::SESSION if key == key::SESSION => {
            let flags = reader.u8()?;
            Record::Session(Identity {
                established: flags & ESTABLISHED != 0,
                adopted: flags & ADOPTED != 0,
                client_id: reader.text()?,
                peer: reader.text()?,
            })
        }
        kind::SETTLED if key == key::SETTLED => Record::Settled,
        kind::RECEIVED if key::RECEIVED.contains(&key) => {
            let ids = reader.rest().chunks_exact(2).map(|id| match id {
                [low, high] => u16::from_le_bytes([*low, *high]),
                _ => 0,
            });
            Record::Received(ids.collect())
        }
        kind::RELEASED if key::RELEASED.contains(&key) || key::SENT.contains(&key) => {
            let orders = reader.rest().chunks_exact(4).map(|order| match order {
                [a, b, c, d] => u32::from_le_bytes([*a, *b, *c, *d]),
                _ => 0,
            });
            Record::Released(orders.collect())
        }
        kind::FILTER if key::FILTERS.contains(&key) => {
            let levels = reader.u8()?;
            Record::Filter {
                name: reader.text()?,
                qos: qos(levels & 0xF)?,
                granted: qos(levels >> 4)?,
            }
        }
        kind::MESSAGE if key::MESSAGES.contains(&key) => Record::Message(reader.message()?),
        kind::RELEASE if key::MESSAGES.contains(&key) => Record::Release(reader.u32()?),
        _ => return None,
    };
    reader.0.is_empty().then_some(record)
}

fn qos(level: u8) -> Option<QoS> {
    match level {
        0 => Some(QoS::AtMostOnce),
        1 => Some(QoS::AtLeastOnce),
        2 => Some(QoS::ExactlyOnce),
        _ => None,
    }
}

/// The rest of a body.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn u8(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn u32(&mut self) -> Option<u32> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*number))
    }

    fn text(&mut self) -> Option<String> {
        let (length, rest) = self.0.split_first_chunk()?;
        let (text, rest) = rest.split_at_checked(u16::from_le_bytes(*length).into())?;
        self.0 = rest;
        core::str::from_utf8(text).ok().map(Into::into)
    }

    fn rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.0)
    }

    fn message(&mut self) -> Option<Stored> {
        let order = self.u32()?;
        let flags = self.u8()?;
        let expiry = match flags & EXPIRES {
            0 => None,
            _ => Some(self.u32()?),
        };
        let topic = self.text()?;
        let (properties, payload): (Option<Box<Properties>>, &[u8]) =
            packet::take_properties(self.rest())?;
        let message = Message {
            topic,
            payload: payload.to_vec(),
            qos: qos(flags & 0xF)?,
            retain: flags & RETAIN != 0,
            properties,
        };
        Some(Stored {
            order,
            expiry,
            message,
        })
    }
}

/// CRC-32 (ISO-HDLC, as in Ethernet) over the key and the bytes. It uses no table: the tables of 1
/// to 16 kB in the crates for it cost more flash than the microseconds are worth, compared to those
/// of a write.
fn checksum(key: u16, bytes: &[u8]) -> u32 {
    let key = key.to_le_bytes();
    !key.iter().chain(bytes).fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ (0xEDB8_8320 & (sum & 1).wrapping_neg())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn full() -> Message {
        let pair = |n: usize| (alloc::format!("name {n}"), "value".into());
        Message::new("a/topic", [0xA5; 300])
            .qos(QoS::ExactlyOnce)
            .retain(true)
            .properties(Properties {
                payload_is_utf8: Some(false),
                message_expiry: Some(3_600),
                content_type: Some("text/plain".into()),
                response_topic: Some("answer".into()),
                correlation_data: Some(vec![1, 2, 3]),
                // More than are kept of a received message.
                user: (0..100).map(pair).collect(),
            })
    }

    #[test]
    fn checksum_is_the_standard_one() {
        // The check value of CRC-32/ISO-HDLC: of "123456789".
        assert_eq!(
            checksum(u16::from_le_bytes(*b"12"), b"3456789"),
            0xCBF4_3926
        );
    }

    #[test]
    fn every_kind_of_record_is_read_as_it_was_written() {
        let identity = Identity {
            established: true,
            adopted: true,
            client_id: "device".into(),
            peer: "mqtts://broker:8883".into(),
        };
        let record = session(&identity).unwrap();
        assert_eq!(read(0, &record), Some(Record::Session(identity)));
        let record = settled().unwrap();
        assert_eq!(read(2, &record), Some(Record::Settled));
        let record = received(0x1003, &[7, 0, 65_535]).unwrap();
        let read_back = Record::Received(vec![7, 65_535]);
        assert_eq!(read(0x1003, &record), Some(read_back));
        let record = released(0x2000, &[0, 1, u32::MAX]).unwrap();
        let read_back = Record::Released(vec![1, u32::MAX]);
        assert_eq!(read(0x2000, &record), Some(read_back));
        let (qos, granted) = (QoS::ExactlyOnce, QoS::AtLeastOnce);
        let record = filter(0x4000, "a/#", qos, granted).unwrap();
        let name = "a/#".into();
        assert_eq!(
            read(0x4000, &record),
            Some(Record::Filter { name, qos, granted })
        );
        let record = release(0x8001, 9).unwrap();
        assert_eq!(read(0x8001, &record), Some(Record::Release(9)));
        for (expiry, original) in [
            (None, Message::new("t", "")),
            (Some(0), Message::new("t", "x").qos(QoS::AtLeastOnce)),
            (Some(u32::MAX), full()),
        ] {
            let record = message(0x8001, 5, expiry, &original).unwrap();
            // A build without properties reads records of another build and ignores their
            // properties.
            let properties = original.properties.clone().filter(|_| Properties::BUILT);
            let stored = Stored {
                order: 5,
                expiry,
                message: Message {
                    properties,
                    ..original
                },
            };
            assert_eq!(read(0x8001, &record), Some(Record::Message(stored)));
        }
    }

    #[test]
    fn a_damaged_record_is_recognised() {
        let record = message(0x8001, 5, None, &full()).unwrap();
        for at in 0..record.len() {
            assert_eq!(read(0x8001, &record[..at]), None, "cut at {at}");
            for bit in 0..8 {
                let mut damaged = record.clone();
                damaged[at] ^= 1 << bit;
                assert_eq!(read(0x8001, &damaged), None, "bit {bit} of byte {at}");
            }
        }
        assert_eq!(read(0x8002, &record), None, "another key");
        assert_eq!(read(0x8001, &[]), None);
        let mut newer = Writer::new(kind::RELEASE, 4).unwrap();
        newer.0[0] = VERSION + 1;
        newer.u32(1);
        let newer = newer.end(0x8001);
        assert_eq!(read(0x8001, &newer), None, "another version");
        assert!(is_newer(0x8001, &newer));
        assert!(!is_newer(0x8002, &newer), "another key");
        assert!(!is_newer(0x8001, &newer[1..]), "damaged");
        assert!(!is_newer(0x8001, &record), "this version");
        let misplaced = release(0x4001, 1).unwrap();
        assert_eq!(read(0x4001, &misplaced), None, "another kind of key");
    }
}
