//! Hand-written messages. `tests/dns_oracle.rs` compares the decoder with another implementation.

use super::*;
use alloc::vec;
use proptest::prelude::*;

const ID: u16 = 0x1234;

fn question(record_type: RecordType) -> Question {
    Question {
        name: Name::new("Broker.example").unwrap(),
        record_type,
    }
}

/// A response to [`question`] with hand-written sections.
struct Message(Vec<u8>);

impl Message {
    fn new(flags: u16, record_type: RecordType) -> Self {
        let mut bytes = question(record_type).encode(ID);
        bytes[2..4].copy_from_slice(&(0x8180 | flags).to_be_bytes());
        Self(bytes)
    }

    fn record(mut self, section: usize, owner: &[u8], kind: u16, ttl: u32, data: &[u8]) -> Self {
        self.0[5 + 2 * section] += 1;
        self.0.extend(owner);
        self.0.extend(kind.to_be_bytes());
        self.0.extend(CLASS_IN.to_be_bytes());
        self.0.extend(ttl.to_be_bytes());
        self.0.extend((data.len() as u16).to_be_bytes());
        self.0.extend(data);
        self
    }

    fn answer(self, owner: &[u8], kind: u16, ttl: u32, data: &[u8]) -> Self {
        self.record(1, owner, kind, ttl, data)
    }

    fn soa(self, ttl: u32, minimum: u32) -> Self {
        let mut data = vec![0, 0];
        data.extend([0; 16]);
        data.extend(minimum.to_be_bytes());
        self.record(2, &[0], TYPE_SOA, ttl, &data)
    }
}

/// A pointer to the name in the question.
const ASKED: &[u8] = &[0xc0, 12];

fn read(record_type: RecordType, message: &Message) -> Option<Answer> {
    question(record_type).read_answer(ID, &message.0)
}

fn wire(text: &str) -> Vec<u8> {
    Name::new(text).unwrap().0
}

fn ipv4(last: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, last).into()
}

#[test]
fn a_query_is_what_rfc_1035_says() {
    let expected = b"\x12\x34\x01\x00\x00\x01\0\0\0\0\0\0\x06broker\x07example\0\x00\x1c\x00\x01";
    assert_eq!(question(RecordType::Aaaa).encode(ID), expected);
}

#[test]
fn names_are_bounded() {
    let label = "a".repeat(63);
    let longest = [label.as_str(), &label, &label, &"b".repeat(61)].join(".");
    assert_eq!(Name::new(&longest).unwrap().as_wire().len(), 255);
    assert_eq!(Name::new(&(longest + "b")), None);
    for bad in ["", ".", "a..b", ".a", &"a".repeat(64), &"a".repeat(300)] {
        assert_eq!(Name::new(bad), None, "{bad}");
    }
}

#[test]
fn a_name_in_a_message_is_bounded_too() {
    let alias_of = |last: u8| {
        let mut target = Vec::new();
        for length in [63, 63, 63, last] {
            target.push(length);
            target.extend(vec![b'a'; usize::from(length)]);
        }
        target.push(0);
        read(
            RecordType::A,
            &Message::new(0, RecordType::A).answer(ASKED, TYPE_CNAME, 1, &target),
        )
    };
    assert!(
        matches!(alias_of(61), Some(Answer::Alias { .. })),
        "255 octets"
    );
    assert_eq!(alias_of(62), Some(Answer::Malformed), "256 octets");
}

#[test]
fn addresses_of_both_types() {
    let message = Message::new(0, RecordType::A)
        .answer(ASKED, 1, 300, &[192, 0, 2, 1])
        .answer(&wire("bROKER.EXAMPLE"), 1, 60, &[192, 0, 2, 2])
        .answer(&wire("other.example"), 1, 5, &[192, 0, 2, 3]);
    assert_eq!(
        read(RecordType::A, &message),
        Some(Answer::Addresses {
            addresses: vec![ipv4(1), ipv4(2)],
            ttl: 60
        })
    );
    let message = Message::new(0, RecordType::Aaaa).answer(ASKED, 28, 0x8000_0001, &[1; 16]);
    let addresses = vec![Ipv6Addr::from([1; 16]).into()];
    assert_eq!(
        read(RecordType::Aaaa, &message),
        Some(Answer::Addresses { addresses, ttl: 0 })
    );
}

#[test]
fn no_more_addresses_than_the_limit() {
    let mut message = Message::new(0, RecordType::A);
    for last in 0..20 {
        message = message.answer(ASKED, 1, 300 - u32::from(last), &[192, 0, 2, last]);
    }
    let mut kept = [0; 20];
    for id in 0..1000u16 {
        message.0[..2].copy_from_slice(&id.to_be_bytes());
        let answer = question(RecordType::A).read_answer(id, &message.0);
        let Some(Answer::Addresses { addresses, ttl }) = answer else {
            panic!("{answer:?}")
        };
        assert_eq!((addresses.len(), ttl), (MAX_ADDRESSES, 281));
        for (last, times) in (0..).zip(&mut kept) {
            *times += u32::from(addresses.contains(&ipv4(last)));
        }
    }
    // Each gets its turn eventually.
    assert!(kept.iter().all(|times| *times > 100), "{kept:?}");
}

#[test]
fn only_the_answer_to_the_question_is_read() {
    let good = Message::new(0, RecordType::A)
        .answer(ASKED, 1, 1, &[1, 2, 3, 4])
        .0;
    let asked = question(RecordType::A);
    assert!(asked.read_answer(ID, &good).is_some());
    assert_eq!(asked.read_answer(ID + 1, &good), None, "another id");
    assert_eq!(
        question(RecordType::Aaaa).read_answer(ID, &good),
        None,
        "another type"
    );
    let mut query = good.clone();
    query[2] &= 0x7f;
    assert_eq!(asked.read_answer(ID, &query), None, "a query");
    let mut notify = good.clone();
    notify[2] |= 4 << 3;
    assert_eq!(asked.read_answer(ID, &notify), None, "another opcode");
    let mut other = good.clone();
    other[13] = b'x';
    assert_eq!(asked.read_answer(ID, &other), None, "another name");
    let mut chaos = good.clone();
    chaos[31] = 3;
    assert_eq!(asked.read_answer(ID, &chaos), None, "another class");
    for count in [0, 2] {
        let mut counted = good.clone();
        counted[5] = count;
        assert_eq!(asked.read_answer(ID, &counted), None, "{count} questions");
    }
    for length in 0..32 {
        assert_eq!(
            asked.read_answer(ID, &good[..length]),
            None,
            "cut to {length}"
        );
    }
}

#[test]
fn aliases_are_followed_in_any_order() {
    let message = Message::new(0, RecordType::A)
        .answer(&wire("c.example"), 1, 300, &[192, 0, 2, 1])
        .answer(&wire("b.example"), TYPE_CNAME, 20, &wire("c.example"))
        .answer(ASKED, TYPE_CNAME, 100, &wire("b.example"));
    assert_eq!(
        read(RecordType::A, &message),
        Some(Answer::Addresses {
            addresses: vec![ipv4(1)],
            ttl: 20
        })
    );
}

#[test]
fn an_alias_without_target_differs_from_no_data() {
    let dangling =
        || Message::new(0, RecordType::A).answer(ASKED, TYPE_CNAME, 100, &wire("B.example"));
    let target = Name::new("b.example").unwrap();
    assert_eq!(
        read(RecordType::A, &dangling()),
        Some(Answer::Alias { target, ttl: 100 })
    );
    assert_eq!(
        read(RecordType::A, &dangling().soa(900, 800)),
        Some(Answer::NoData { ttl: Some(100) })
    );
}

#[test]
fn circles_and_long_chains_of_aliases_end() {
    let circle = Message::new(0, RecordType::A)
        .answer(ASKED, TYPE_CNAME, 1, &wire("b.example"))
        .answer(&wire("b.example"), TYPE_CNAME, 1, ASKED);
    assert_eq!(read(RecordType::A, &circle), Some(Answer::AliasLoop));

    let chain = |links: u8| {
        let label = |n: u8| [1, b'a' + n, 0];
        let mut message = Message::new(0, RecordType::A).answer(ASKED, TYPE_CNAME, 1, &label(1));
        for n in 1..links {
            message = message.answer(&label(n), TYPE_CNAME, 1, &label(n + 1));
        }
        read(
            RecordType::A,
            &message.answer(&label(links), 1, 1, &[192, 0, 2, 1]),
        )
        .unwrap()
    };
    assert!(matches!(chain(MAX_ALIASES as u8), Answer::Addresses { .. }));
    assert_eq!(chain(MAX_ALIASES as u8 + 1), Answer::AliasLoop);
}

#[test]
fn negative_answers_carry_the_lesser_ttl() {
    assert_eq!(
        read(RecordType::A, &Message::new(0, RecordType::A)),
        Some(Answer::NoData { ttl: None })
    );
    assert_eq!(
        read(RecordType::A, &Message::new(3, RecordType::A)),
        Some(Answer::NameError { ttl: None })
    );
    let referral =
        Message::new(0, RecordType::A).record(2, &wire("example"), 2, 60, &wire("ns.example"));
    assert_eq!(read(RecordType::A, &referral), Some(Answer::Referral));
    let soa = |flags| Message::new(flags, RecordType::A).soa(600, 300);
    assert_eq!(
        read(RecordType::A, &soa(0)),
        Some(Answer::NoData { ttl: Some(300) })
    );
    assert_eq!(
        read(RecordType::A, &soa(3)),
        Some(Answer::NameError { ttl: Some(300) })
    );
    let soa = Message::new(3, RecordType::A).soa(100, 300);
    assert_eq!(
        read(RecordType::A, &soa),
        Some(Answer::NameError { ttl: Some(100) })
    );
    // With a broken SOA the answer is still negative.
    let mut cut = Message::new(3, RecordType::A).soa(100, 300);
    cut.0.pop();
    assert_eq!(
        read(RecordType::A, &cut),
        Some(Answer::NameError { ttl: None })
    );
}

#[test]
fn other_response_codes_are_kept() {
    for rcode in [1, 2, 4, 5, 15] {
        let message = Message::new(rcode, RecordType::A).answer(ASKED, 1, 1, &[1, 2, 3, 4]);
        assert_eq!(
            read(RecordType::A, &message),
            Some(Answer::Refused { rcode: rcode as u8 })
        );
    }
}

/// Some servers answer an error with only a header, or without the question.
#[test]
fn an_error_needs_no_question() {
    for rcode in [1, 2, 3, 4, 5] {
        let whole = Message::new(rcode, RecordType::A);
        let expected = read(RecordType::A, &whole);
        assert!(expected.is_some());
        let mut header = whole.0[..12].to_vec();
        header[5] = 0;
        assert_eq!(
            question(RecordType::A).read_answer(ID, &header),
            expected,
            "response code {rcode}"
        );
        assert_eq!(question(RecordType::A).read_answer(ID + 1, &header), None);
        // An answer that repeats another question does not belong to this one.
        let mut other = whole.0;
        other[13] = b'x';
        assert_eq!(question(RecordType::A).read_answer(ID, &other), None);
    }
}

/// A middlebox passes 512 octets of an answer and does not set TC.
#[test]
fn an_answer_cut_at_512_octets_counts_as_truncated() {
    let filler = vec![b'x'; 60];
    let long = |mut message: Message| {
        while message.0.len() <= 512 {
            message = message.answer(&wire("z.example"), 16, 9, &filler);
        }
        message.0.truncate(512);
        read(RecordType::A, &message)
    };
    let new = || Message::new(0, RecordType::A);
    assert_eq!(
        long(new().answer(ASKED, 1, 8, &[192, 0, 2, 1])),
        Some(Answer::Addresses {
            addresses: vec![ipv4(1)],
            ttl: 8
        })
    );
    assert_eq!(
        long(new().answer(ASKED, TYPE_CNAME, 9, &wire("b.example"))),
        Some(Answer::Alias {
            target: Name::new("b.example").unwrap(),
            ttl: 9
        })
    );
    assert_eq!(long(new()), Some(Answer::Truncated));
    // Truncated anywhere else it is malformed.
    let mut short = new().answer(ASKED, 1, 8, &[192, 0, 2, 1]);
    short.0.pop();
    assert_eq!(read(RecordType::A, &short), Some(Answer::Malformed));
}

#[test]
fn truncation_counts_only_without_an_address() {
    const TC: u16 = 0x0200;
    assert_eq!(
        read(RecordType::A, &Message::new(TC, RecordType::A)),
        Some(Answer::Truncated)
    );
    // The rest must be queried under the name that the aliases lead to.
    let truncated =
        |flags| Message::new(flags, RecordType::A).answer(ASKED, TYPE_CNAME, 9, &wire("b.example"));
    assert_eq!(
        read(RecordType::A, &truncated(TC)),
        Some(Answer::Alias {
            target: Name::new("b.example").unwrap(),
            ttl: 9
        })
    );

    let with_address = |flags| {
        let mut message = truncated(flags).answer(&wire("b.example"), 1, 8, &[192, 0, 2, 1]);
        message.0[7] += 1;
        message.0.extend(b"\x01");
        message
    };
    assert_eq!(
        read(RecordType::A, &with_address(TC)),
        Some(Answer::Addresses {
            addresses: vec![ipv4(1)],
            ttl: 8
        })
    );
    assert_eq!(
        read(RecordType::A, &with_address(0)),
        Some(Answer::Malformed)
    );
}

#[test]
fn broken_records_are_malformed() {
    let cases: &[(&str, Message)] = &[
        (
            "A of three octets",
            Message::new(0, RecordType::A).answer(ASKED, 1, 1, &[1, 2, 3]),
        ),
        (
            "A of five octets",
            Message::new(0, RecordType::A).answer(ASKED, 1, 1, &[1, 2, 3, 4, 5]),
        ),
        (
            "pointer to itself",
            Message::new(0, RecordType::A).answer(&[0xc0, 32], 1, 1, &[1, 2, 3, 4]),
        ),
        (
            "pointer forward",
            Message::new(0, RecordType::A).answer(&[0xc0, 40], 1, 1, &[1, 2, 3, 4]),
        ),
        (
            "label type 01",
            Message::new(0, RecordType::A).answer(&[0x41, 0], 1, 1, &[1, 2, 3, 4]),
        ),
        (
            "bytes behind the CNAME",
            Message::new(0, RecordType::A).answer(ASKED, TYPE_CNAME, 1, &[0, 0]),
        ),
        (
            "CNAME cut off",
            Message::new(0, RecordType::A).answer(ASKED, TYPE_CNAME, 1, &[1]),
        ),
    ];
    for (what, message) in cases {
        assert_eq!(
            read(RecordType::A, message),
            Some(Answer::Malformed),
            "{what}"
        );
    }
    let mut counted = Message::new(0, RecordType::A);
    counted.0[7] = 1;
    assert_eq!(
        read(RecordType::A, &counted),
        Some(Answer::Malformed),
        "a record that is not there"
    );
}

proptest! {
    #[test]
    fn no_message_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut message = question(RecordType::A).encode(ID);
        message[2] |= 0x80;
        message[7] = 3;
        message.extend(&bytes);
        let _ = question(RecordType::A).read_answer(ID, &message);
        let _ = question(RecordType::A).read_answer(ID, &bytes);
    }
}
