//! DNS messages: small, panic-free encoding and decoding (RFC 1035).
//!
//! A message carries one question, and only what answers it is read. Decoding allocates only for
//! what it returns and follows compression pointers backwards only. It is bounded in every
//! direction: 255 octets and 255 pointers per name, [`MAX_ALIASES`] CNAMEs, [`MAX_ADDRESSES`]
//! addresses.
//!
//! There is no EDNS. Without it an answer has at most 512 octets (RFC 1035 section 4.2.1), which
//! cross a mesh in half the fragments of a full packet.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// CNAMEs followed from the queried name to its addresses.
pub const MAX_ALIASES: usize = 8;

/// Addresses taken from one answer. If there are more, the message id selects which, so that each
/// gets its turn eventually.
pub const MAX_ADDRESSES: usize = 8;

/// Longest message without EDNS (RFC 1035 section 4.2.1).
const MAX_PLAIN: usize = 512;

/// Longest name on the wire, including the root's zero octet (RFC 1035 section 2.3.4).
const MAX_NAME: usize = 255;

/// Compression pointers followed in one name.
const MAX_POINTERS: usize = 255;

const CLASS_IN: u16 = 1;
const TYPE_CNAME: u16 = 5;
const TYPE_SOA: u16 = 6;

/// A domain name in wire format, lower-cased.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Name(Vec<u8>);

impl Name {
    /// Encodes text such as `broker.example`, with or without trailing dot. Returns `None` if a
    /// label is empty or longer than 63 octets, or if the name is longer than 255 on the wire.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.strip_suffix('.').unwrap_or(text);
        let mut wire = Vec::with_capacity(text.len() + 2);
        for label in text.split('.') {
            let length = u8::try_from(label.len())
                .ok()
                .filter(|length| (1..=63).contains(length))?;
            wire.push(length);
            wire.extend(label.bytes().map(|byte| byte.to_ascii_lowercase()));
        }
        wire.push(0);
        (wire.len() <= MAX_NAME).then_some(Self(wire))
    }

    /// Returns the name on the wire: labels with their lengths, ending in zero.
    pub fn as_wire(&self) -> &[u8] {
        &self.0
    }
}

/// The two record types that are queried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecordType {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses (RFC 3596).
    Aaaa,
}

impl RecordType {
    /// Returns the type's number on the wire.
    pub const fn code(self) -> u16 {
        match self {
            RecordType::A => 1,
            RecordType::Aaaa => 28,
        }
    }

    fn address(self, data: &[u8]) -> Option<IpAddr> {
        match self {
            RecordType::A => <[u8; 4]>::try_from(data)
                .ok()
                .map(|octets| Ipv4Addr::from(octets).into()),
            RecordType::Aaaa => <[u8; 16]>::try_from(data)
                .ok()
                .map(|octets| Ipv6Addr::from(octets).into()),
        }
    }
}

/// A question, which also decodes its answers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Question {
    /// The queried name.
    pub name: Name,
    /// The queried type.
    pub record_type: RecordType,
}

/// What a message answers to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The addresses, at least one, and the shortest TTL of all records that led to them.
    Addresses {
        /// At most [`MAX_ADDRESSES`].
        addresses: Vec<IpAddr>,
        /// In seconds.
        ttl: u32,
    },
    /// The name is an alias, and the message has no records of the target, or they did not fit into
    /// the datagram.
    Alias {
        /// The end of the chain of CNAMEs.
        target: Name,
        /// In seconds.
        ttl: u32,
    },
    /// The name exists, but has no address of this type (RFC 2308 section 2.2).
    NoData {
        /// How long this may be cached, in seconds. `None` without an SOA record, in which case it
        /// should not be cached (RFC 2308 section 5).
        ttl: Option<u32>,
    },
    /// The name does not exist (NXDOMAIN).
    NameError {
        /// As in [`Answer::NoData`].
        ttl: Option<u32>,
    },
    /// No answer, only the names of other servers (RFC 2308 section 2.2).
    Referral,
    /// A response code other than success and NXDOMAIN (RFC 1035 section 4.1.1).
    Refused {
        /// 1 format error, 2 server failure, 4 not implemented, 5 refused…
        rcode: u8,
    },
    /// The answer did not fit into a datagram, and the part that did has neither address nor alias.
    Truncated,
    /// The message ends early or has an invalid format.
    Malformed,
    /// More than [`MAX_ALIASES`] CNAMEs, or a loop of them.
    AliasLoop,
}

impl Question {
    /// Encodes the query: recursion desired, one question, nothing else. At most 271 octets.
    pub fn encode(&self, id: u16) -> Vec<u8> {
        const RECURSION_DESIRED: u16 = 0x0100;
        let mut message = Vec::with_capacity(12 + self.name.0.len() + 4);
        for word in [id, RECURSION_DESIRED, 1, 0, 0, 0] {
            message.extend(word.to_be_bytes());
        }
        message.extend(&self.name.0);
        for word in [self.record_type.code(), CLASS_IN] {
            message.extend(word.to_be_bytes());
        }
        message
    }

    /// Decodes the answer to this question. Returns `None` if the message is not one (not a
    /// response, another id, another question) and must be ignored.
    ///
    /// An error may lack the question: some servers send only a header (RFC 1035 section 4.1.1
    /// requires no more for a format error).
    ///
    /// The caller must check the sender's address and port (RFC 5452 section 9.1). Never panics,
    /// whatever `message` contains.
    pub fn read_answer(&self, id: u16, message: &[u8]) -> Option<Answer> {
        const RESPONSE_AND_OPCODE: u16 = 0xf800;
        const RESPONSE: u16 = 0x8000;
        const TRUNCATED: u16 = 0x0200;

        let mut reader = Reader::new(message);
        let [
            message_id,
            flags,
            questions,
            answers,
            authorities,
            _additional,
        ] = reader.header()?;
        if message_id != id || flags & RESPONSE_AND_OPCODE != RESPONSE {
            return None;
        }
        let rcode = (flags & 0xf) as u8;
        match questions {
            1 if self.is_asked_by(&mut reader)? => {}
            0 if rcode != 0 => {}
            _ => return None,
        }
        let sections = Sections {
            after_question: reader,
            answers,
            authorities,
        };
        Some(match rcode {
            // Some middleboxes truncate an answer at 512 octets without setting TC.
            0 => self.read_records(
                &sections,
                id,
                flags & TRUNCATED != 0,
                message.len() >= MAX_PLAIN,
            ),
            3 => Answer::NameError {
                ttl: sections.negative_ttl(),
            },
            _ => Answer::Refused { rcode },
        })
    }

    fn is_asked_by(&self, reader: &mut Reader<'_>) -> Option<bool> {
        let name = reader.name()?;
        let record_type = reader.u16()?;
        let class = reader.u16()?;
        Some(name.is(&self.name) && record_type == self.record_type.code() && class == CLASS_IN)
    }

    /// Follows the aliases from the queried name to its addresses. A message may be marked
    /// `truncated`, or be `full` and end early.
    fn read_records(
        &self,
        sections: &Sections<'_>,
        mut draw: u16,
        mut truncated: bool,
        full: bool,
    ) -> Answer {
        let mut alias: Option<WireName<'_>> = None;
        let mut ttl = u32::MAX;
        for _ in 0..=MAX_ALIASES {
            let owner = alias;
            let is_owner = |name: &WireName<'_>| match owner {
                Some(owner) => name.same(&owner),
                None => name.is(&self.name),
            };
            let mut next = None;
            let mut addresses = Vec::new();
            let mut count = 0;
            let mut records = sections.answers();
            let mut broken = false;
            for record in &mut records {
                if record.class != CLASS_IN || !is_owner(&record.owner) {
                    continue;
                }
                if record.record_type == self.record_type.code() {
                    let Some(address) = self.record_type.address(record.data()) else {
                        broken = true;
                        break;
                    };
                    ttl = ttl.min(record.ttl);
                    count += 1;
                    if addresses.len() < MAX_ADDRESSES {
                        addresses.push(address);
                        continue;
                    }
                    draw = draw.wrapping_mul(0x6255).wrapping_add(0x3619);
                    if let (Some(kept), 0x8000..) = (addresses.get_mut(count % MAX_ADDRESSES), draw)
                    {
                        *kept = address;
                    }
                } else if record.record_type == TYPE_CNAME && next.is_none() {
                    let Some(target) = record.name_in_data() else {
                        broken = true;
                        break;
                    };
                    next = Some((target, record.ttl));
                }
            }
            broken |= records.broken;
            truncated |= full && broken;

            if broken && !truncated {
                return Answer::Malformed;
            }
            if !addresses.is_empty() {
                return Answer::Addresses { addresses, ttl };
            }
            match next {
                Some((target, alias_ttl)) => {
                    alias = Some(target);
                    ttl = ttl.min(alias_ttl);
                }
                // What did not fit must be queried: the name that the aliases lead to.
                None if truncated => {
                    return alias.map_or(Answer::Truncated, |target| Answer::Alias {
                        target: target.to_name(),
                        ttl,
                    });
                }
                None => {
                    let negative = sections.negative_ttl();
                    return match alias {
                        Some(target) if negative.is_none() => Answer::Alias {
                            target: target.to_name(),
                            ttl,
                        },
                        _ if negative.is_none() && sections.authorities > 0 => Answer::Referral,
                        _ => Answer::NoData {
                            ttl: negative.map(|negative| negative.min(ttl)),
                        },
                    };
                }
            }
        }
        Answer::AliasLoop
    }
}

/// A message after its question.
struct Sections<'a> {
    after_question: Reader<'a>,
    answers: u16,
    authorities: u16,
}

impl<'a> Sections<'a> {
    fn answers(&self) -> Records<'a> {
        Records {
            reader: self.after_question,
            left: self.answers,
            broken: false,
        }
    }

    /// Returns the negative TTL of RFC 2308 section 5: the lesser of the SOA record's own TTL and
    /// its MINIMUM field. The first SOA counts. `None` if the message is broken before it.
    fn negative_ttl(&self) -> Option<u32> {
        let mut answers = self.answers();
        answers.by_ref().for_each(drop);
        let mut authorities = Records {
            left: self.authorities,
            ..answers
        };
        let soa = authorities
            .find(|record| record.record_type == TYPE_SOA && record.class == CLASS_IN)?;
        let mut data = soa.reader_of_data();
        data.name()?;
        data.name()?;
        // SERIAL, REFRESH, RETRY, EXPIRE
        data.take(16)?;
        let minimum = data.ttl()?;
        data.is_empty().then(|| soa.ttl.min(minimum))
    }
}

/// Iterates over the records of a section until its end or the first broken record.
struct Records<'a> {
    reader: Reader<'a>,
    left: u16,
    broken: bool,
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        if self.broken || self.left == 0 {
            return None;
        }
        self.left -= 1;
        let record = self.reader.record();
        self.broken = record.is_none();
        record
    }
}

/// A resource record; its data is not decoded yet.
struct Record<'a> {
    owner: WireName<'a>,
    record_type: u16,
    class: u16,
    ttl: u32,
    /// The message up to the end of the data.
    message: &'a [u8],
    /// Offset of the data.
    data: usize,
}

impl<'a> Record<'a> {
    fn reader_of_data(&self) -> Reader<'a> {
        Reader {
            message: self.message,
            position: self.data,
        }
    }

    fn data(&self) -> &'a [u8] {
        self.message.get(self.data..).unwrap_or_default()
    }

    fn name_in_data(&self) -> Option<WireName<'a>> {
        let mut reader = self.reader_of_data();
        let name = reader.name()?;
        reader.is_empty().then_some(name)
    }
}

/// A position in a message. Every read is checked; `None` means that the message ends too early.
#[derive(Clone, Copy)]
struct Reader<'a> {
    message: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    fn new(message: &'a [u8]) -> Self {
        Self {
            message,
            position: 0,
        }
    }

    fn is_empty(&self) -> bool {
        self.position >= self.message.len()
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.position.checked_add(length)?;
        let bytes = self.message.get(self.position..end)?;
        self.position = end;
        Some(bytes)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_be_bytes)
    }

    /// Reads a TTL. One with its top bit set counts as zero (RFC 2181 section 8).
    fn ttl(&mut self) -> Option<u32> {
        self.u32()
            .map(|ttl| if ttl > i32::MAX as u32 { 0 } else { ttl })
    }

    /// Reads id, flags, and the counts of the four sections.
    fn header(&mut self) -> Option<[u16; 6]> {
        let mut header = [0; 6];
        for word in &mut header {
            *word = self.u16()?;
        }
        Some(header)
    }

    fn record(&mut self) -> Option<Record<'a>> {
        let owner = self.name()?;
        let record_type = self.u16()?;
        let class = self.u16()?;
        let ttl = self.ttl()?;
        let length = self.u16()?;
        let data = self.position;
        self.take(usize::from(length))?;
        let message = self.message.get(..self.position)?;
        Some(Record {
            owner,
            record_type,
            class,
            ttl,
            message,
            data,
        })
    }

    /// Checks a name and skips it.
    fn name(&mut self) -> Option<WireName<'a>> {
        let name = WireName {
            message: self.message,
            start: self.position,
        };
        let mut labels = name.labels();
        labels.by_ref().for_each(drop);
        self.position = labels.end()?;
        Some(name)
    }
}

/// A valid name inside a message, compressed or not.
#[derive(Clone, Copy)]
struct WireName<'a> {
    message: &'a [u8],
    start: usize,
}

impl<'a> WireName<'a> {
    fn labels(&self) -> Labels<'a> {
        Labels {
            reader: Reader {
                message: self.message,
                position: self.start,
            },
            octets_left: MAX_NAME - 1,
            pointers_left: MAX_POINTERS,
            end: None,
            complete: false,
        }
    }

    /// Compares names without regard to case (RFC 4343).
    fn same(&self, other: &WireName<'_>) -> bool {
        let (mut ours, mut theirs) = (self.labels(), other.labels());
        loop {
            match (ours.next(), theirs.next()) {
                (None, None) => return true,
                (Some(a), Some(b)) if a.eq_ignore_ascii_case(b) => {}
                _ => return false,
            }
        }
    }

    fn is(&self, name: &Name) -> bool {
        self.same(&WireName {
            message: &name.0,
            start: 0,
        })
    }

    fn to_name(self) -> Name {
        let mut wire = Vec::new();
        for label in self.labels() {
            // A label is at most 63 octets long, so its length fits.
            wire.push(label.len() as u8);
            wire.extend(label.iter().map(u8::to_ascii_lowercase));
        }
        wire.push(0);
        Name(wire)
    }
}

/// Iterates over the labels of a name, following pointers, without the root.
struct Labels<'a> {
    reader: Reader<'a>,
    /// Budget for labels and their lengths, not counting the root's octet.
    octets_left: usize,
    pointers_left: usize,
    /// Where the name ends at its original position: after the first pointer or the root.
    end: Option<usize>,
    /// The root was reached: the name is complete.
    complete: bool,
}

impl<'a> Labels<'a> {
    fn end(&self) -> Option<usize> {
        self.end.filter(|_| self.complete)
    }

    fn step(&mut self) -> Option<&'a [u8]> {
        loop {
            let at = self.reader.position;
            let first = self.reader.u8()?;
            match first {
                0 => {
                    self.end.get_or_insert(self.reader.position);
                    self.complete = true;
                    return None;
                }
                1..=0x3f => {
                    self.octets_left = self.octets_left.checked_sub(1 + usize::from(first))?;
                    return self.reader.take(usize::from(first));
                }
                0xc0.. => {
                    let second = self.reader.u8()?;
                    self.end.get_or_insert(self.reader.position);
                    self.pointers_left = self.pointers_left.checked_sub(1)?;
                    let target = usize::from(u16::from_be_bytes([first & 0x3f, second]));
                    if target >= at {
                        return None;
                    }
                    self.reader.position = target;
                }
                // Unused label types (RFC 6891 section 5).
                0x40..0xc0 => return None,
            }
        }
    }
}

impl<'a> Iterator for Labels<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        // Only `Reader::name` can see an end without the root, since names checked by it are
        // complete.
        if self.complete { None } else { self.step() }
    }
}

#[cfg(test)]
mod tests;
