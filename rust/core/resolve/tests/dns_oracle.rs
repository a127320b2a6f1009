//! Tests the DNS decoder with the crate `domain` as the oracle.
//!
//! `domain` builds messages, a seeded mutation engine damages them, and both implementations decode
//! them. They must agree on every message, including malformed ones.

use chacha20::ChaCha8Rng;
use core::net::{IpAddr, Ipv6Addr};
use domain::base::iana::{Class, Opcode, Rcode, Rtype};
use domain::base::message_builder::TreeCompressor;
use domain::base::name::{FlattenInto, ParsedName, ToName};
use domain::base::{Message, MessageBuilder, Name as OracleName, Serial, Ttl};
use domain::rdata::{A, Aaaa, Cname, Soa, Txt};
use rand_core::{Rng, SeedableRng};
use thread_mqtt_resolve::dns::{Answer, MAX_ADDRESSES, MAX_ALIASES, Name, Question, RecordType};

const SEED: u64 = 0x6e61_7436_3464_6e73;
const MESSAGES: usize = 200_000;
const ID: u16 = 0x4d51;

type Owned = OracleName<Vec<u8>>;

fn below(rng: &mut ChaCha8Rng, limit: usize) -> usize {
    rng.next_u32() as usize % limit
}

fn chance(rng: &mut ChaCha8Rng, percent: usize) -> bool {
    below(rng, 100) < percent
}

fn name(number: usize) -> Owned {
    let text = match number {
        0 => "broker.example".to_string(),
        n if n % 3 == 0 => format!("n{n}.broker.example"),
        n if n % 3 == 1 => format!("n{n}.{}.cdn.test", "x".repeat(63)),
        n => format!("n{n}"),
    };
    text.parse().unwrap()
}

/// Makes a message as servers send them, and a few that no server should send.
fn message(rng: &mut ChaCha8Rng, record_type: RecordType) -> Vec<u8> {
    let mut builder = MessageBuilder::from_target(TreeCompressor::new(Vec::new())).unwrap();
    let header = builder.header_mut();
    header.set_id(ID);
    header.set_qr(true);
    header.set_rd(true);
    header.set_tc(chance(rng, 10));
    if chance(rng, 20) {
        header.set_rcode([Rcode::NXDOMAIN, Rcode::SERVFAIL, Rcode::REFUSED][below(rng, 3)]);
    }
    let mut section = builder.question();
    section
        .push((name(0), Rtype::from_int(record_type.code())))
        .unwrap();

    let mut section = section.answer();
    let aliases = if chance(rng, 5) {
        below(rng, MAX_ALIASES + 3)
    } else {
        below(rng, 4)
    };
    for alias in 0..aliases {
        let target = if chance(rng, 3) { alias } else { alias + 1 };
        section
            .push((
                name(alias),
                30 + rng.next_u32() % 300,
                Cname::new(name(target)),
            ))
            .unwrap();
    }
    let addresses = if chance(rng, 5) {
        below(rng, 2 * MAX_ADDRESSES)
    } else {
        below(rng, 4)
    };
    for _ in 0..addresses {
        let (owner, ttl) = (name(aliases), rng.next_u32());
        if (record_type == RecordType::A) != chance(rng, 10) {
            section
                .push((owner, ttl, A::new(rng.next_u32().into())))
                .unwrap();
        } else {
            let bits = u128::from(rng.next_u64()) << 64 | u128::from(rng.next_u64());
            section
                .push((owner, ttl, Aaaa::new(Ipv6Addr::from(bits))))
                .unwrap();
        }
    }
    if chance(rng, 10) {
        let text = Txt::<Vec<u8>>::build_from_slice(b"v=spf1 -all").unwrap();
        section.push((name(0), 60, text)).unwrap();
    }

    let mut section = section.authority();
    if chance(rng, 40) {
        let seconds = Ttl::from_secs(300);
        let minimum = Ttl::from_secs(rng.next_u32() >> below(rng, 32));
        let soa = Soa::new(
            name(1),
            name(2),
            Serial(1),
            seconds,
            seconds,
            seconds,
            minimum,
        );
        section.push((name(3), rng.next_u32() % 1000, soa)).unwrap();
    }
    let mut section = section.additional();
    if chance(rng, 30) {
        section.opt(|_| Ok(())).unwrap();
    }
    section.finish().into_target()
}

/// Bytes with a meaning: ends of names, pointers, lengths, limits.
const TELLING: [u8; 14] = [
    0, 1, 2, 4, 5, 12, 16, 28, 0x3f, 0x40, 0x80, 0xc0, 0xc1, 0xff,
];

fn mutate(rng: &mut ChaCha8Rng, message: &mut Vec<u8>) {
    for _ in 0..below(rng, 4) {
        if message.is_empty() {
            return;
        }
        // Mutations of header and question mostly make the message foreign; mutate what follows
        // them.
        let first = if chance(rng, 90) {
            message.len().min(12 + 16 + 4)
        } else {
            0
        };
        let at = (first + below(rng, message.len() - first + 1)).min(message.len() - 1);
        match below(rng, 10) {
            0..=3 => message[at] = TELLING[below(rng, TELLING.len())],
            4 => message[at] ^= 1 << below(rng, 8),
            5 => message[at] = rng.next_u32() as u8,
            6 => message.truncate(at),
            7 => drop(message.remove(at)),
            8 => message.insert(at, TELLING[below(rng, TELLING.len())]),
            _ => {
                // A pointer to anywhere, including to itself and forward.
                let target = 0xc000 | below(rng, message.len() + 8) as u16;
                for (byte, new) in message[at..].iter_mut().zip(target.to_be_bytes()) {
                    *byte = new;
                }
            }
        }
    }
}

/// Does what [`Question::read_answer`] does, by means of the oracle.
fn oracle(record_type: RecordType, message: &[u8]) -> Option<Answer> {
    let message = Message::from_slice(message).ok()?;
    let header = message.header();
    if header.id() != ID || !header.qr() || header.opcode() != Opcode::QUERY {
        return None;
    }
    // An error may lack the question.
    if header.rcode() == Rcode::NOERROR || message.header_counts().qdcount() != 0 {
        let question = message.sole_question().ok()?;
        let wanted = Rtype::from_int(record_type.code());
        if !question.qname().name_eq(&name(0))
            || question.qtype() != wanted
            || question.qclass() != Class::IN
        {
            return None;
        }
    }
    match header.rcode() {
        Rcode::NOERROR => Some(oracle_records(record_type, message, header.tc())),
        Rcode::NXDOMAIN => Some(Answer::NameError {
            ttl: oracle_negative_ttl(message),
        }),
        other => Some(Answer::Refused {
            rcode: other.to_int(),
        }),
    }
}

fn oracle_records(record_type: RecordType, message: &Message<[u8]>, mut truncated: bool) -> Answer {
    let mut owner: Owned = name(0);
    let mut is_alias = false;
    let mut ttl = u32::MAX;
    for _ in 0..=MAX_ALIASES {
        let mut addresses = Vec::new();
        let mut next: Option<(Owned, u32)> = None;
        let mut scan = || -> Result<(), domain::base::wire::ParseError> {
            for record in message.answer()? {
                let record = record?;
                if record.class() != Class::IN || !record.owner().name_eq(&owner) {
                    continue;
                }
                let address: Option<IpAddr> = match (record_type, record.rtype()) {
                    (RecordType::A, Rtype::A) => record
                        .to_record::<A>()?
                        .map(|record| record.data().addr().into()),
                    (RecordType::Aaaa, Rtype::AAAA) => record
                        .to_record::<Aaaa>()?
                        .map(|record| record.data().addr().into()),
                    (_, Rtype::CNAME) if next.is_none() => {
                        let alias = record.to_record::<Cname<ParsedName<&[u8]>>>()?.unwrap();
                        let target = alias.data().cname().try_flatten_into().unwrap();
                        next = Some((target, sane(alias.ttl())));
                        None
                    }
                    _ => None,
                };
                if let Some(address) = address {
                    addresses.push(address);
                    ttl = ttl.min(sane(record.ttl()));
                }
            }
            Ok(())
        };
        let broken = scan().is_err();
        // An answer of 512 octets was truncated there, whatever its flags say.
        truncated |= broken && message.as_slice().len() >= 512;
        if broken && !truncated {
            return Answer::Malformed;
        }
        if !addresses.is_empty() {
            return Answer::Addresses { addresses, ttl };
        }
        let Some((target, alias_ttl)) = next else {
            if truncated && !is_alias {
                return Answer::Truncated;
            }
            let negative = match truncated {
                true => None,
                false => oracle_negative_ttl(message),
            };
            if is_alias && negative.is_none() {
                return Answer::Alias {
                    target: to_ours(&owner),
                    ttl,
                };
            }
            if negative.is_none() && message.header_counts().nscount() > 0 {
                return Answer::Referral;
            }
            return Answer::NoData {
                ttl: negative.map(|negative| negative.min(ttl)),
            };
        };
        (owner, is_alias, ttl) = (target, true, ttl.min(alias_ttl));
    }
    Answer::AliasLoop
}

fn oracle_negative_ttl(message: &Message<[u8]>) -> Option<u32> {
    let mut answers = message.answer().ok()?;
    if !answers.by_ref().all(|record| record.is_ok()) {
        return None;
    }
    for record in answers.next_section().ok()?? {
        let record = record.ok()?;
        if record.rtype() == Rtype::SOA && record.class() == Class::IN {
            let soa = record.to_record::<Soa<ParsedName<&[u8]>>>().ok()??;
            return Some(sane(soa.ttl()).min(sane(soa.data().minimum())));
        }
    }
    None
}

/// RFC 2181 section 8.
fn sane(ttl: Ttl) -> u32 {
    if ttl.as_secs() >> 31 == 1 {
        0
    } else {
        ttl.as_secs()
    }
}

/// Converts a name of the oracle through its wire format: a label may contain any octet.
fn to_ours(target: &Owned) -> Name {
    let mut message = Vec::new();
    for word in [ID, 0x8180, 1, 1, 0, 0] {
        message.extend(word.to_be_bytes());
    }
    message.extend(name(0).as_slice());
    message.extend([0, 1, 0, 1, 0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 0]);
    message.extend((target.as_slice().len() as u16).to_be_bytes());
    message.extend(target.as_slice());
    match question(RecordType::A).read_answer(ID, &message) {
        Some(Answer::Alias { target, .. }) => target,
        other => panic!("{target} read as {other:?}"),
    }
}

fn question(record_type: RecordType) -> Question {
    Question {
        name: Name::new("broker.example").unwrap(),
        record_type,
    }
}

#[test]
fn both_agree_on_every_message() {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    // Addresses, Alias, NoData, NameError, Refused, Truncated, Malformed, AliasLoop, ignored,
    // Referral.
    let mut seen = [0usize; 10];
    for _ in 0..MESSAGES {
        let record_type = if chance(&mut rng, 50) {
            RecordType::A
        } else {
            RecordType::Aaaa
        };
        let mut bytes = message(&mut rng, record_type);
        mutate(&mut rng, &mut bytes);
        let ours = question(record_type).read_answer(ID, &bytes);
        let mut theirs = oracle(record_type, &bytes);
        if let (
            Some(Answer::Addresses { addresses, .. }),
            Some(Answer::Addresses { addresses: all, .. }),
        ) = (&ours, &mut theirs)
        {
            if all.len() > MAX_ADDRESSES {
                assert_eq!(addresses.len(), MAX_ADDRESSES);
                assert!(addresses.iter().all(|address| all.contains(address)));
                all.clone_from(addresses);
            }
        }
        assert_eq!(ours, theirs, "{record_type:?} in {bytes:02x?}");
        seen[match ours {
            Some(Answer::Addresses { .. }) => 0,
            Some(Answer::Alias { .. }) => 1,
            Some(Answer::NoData { .. }) => 2,
            Some(Answer::NameError { .. }) => 3,
            Some(Answer::Refused { .. }) => 4,
            Some(Answer::Truncated) => 5,
            Some(Answer::Malformed) => 6,
            Some(Answer::AliasLoop) => 7,
            None => 8,
            Some(Answer::Referral) => 9,
        }] += 1;
    }
    // Every outcome must have occurred.
    assert!(
        seen.iter().all(|count| *count >= MESSAGES / 500),
        "{seen:?}"
    );
}

#[test]
fn the_oracle_reads_our_queries() {
    for record_type in [RecordType::A, RecordType::Aaaa] {
        let bytes = question(record_type).encode(ID);
        let message = Message::from_slice(&bytes).unwrap();
        let header = message.header();
        assert_eq!((header.id(), header.qr(), header.rd()), (ID, false, true));
        assert_eq!(header.opcode(), Opcode::QUERY);
        let asked = message.sole_question().unwrap();
        assert!(asked.qname().name_eq(&name(0)));
        assert_eq!(
            (asked.qtype(), asked.qclass()),
            (Rtype::from_int(record_type.code()), Class::IN)
        );
        assert_eq!(message.answer().unwrap().count(), 0);
        assert_eq!(bytes.len(), 12 + 16 + 4);
    }
}
