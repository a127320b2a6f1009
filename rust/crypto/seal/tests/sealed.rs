//! Encrypted records, with both backends: read back, altered, moved, opened with other keys.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thread_mqtt_psa::{Algorithm, Attributes, KeyType, Usage};
use thread_mqtt_seal::{Key, KeyError, OVERHEAD, SealedStore};
use thread_mqtt_session::{
    Config, ENCRYPTED, Event, Message, QoS, Session, Store, StoreError, is_record,
};

type Records = BTreeMap<u16, Vec<u8>>;

/// A storage in memory that the test can access.
#[derive(Debug, Clone, Default)]
struct Memory(Arc<Mutex<Records>>);

impl Memory {
    fn of(records: Records) -> Self {
        Self(Arc::new(Mutex::new(records)))
    }

    fn records(&self) -> Records {
        self.0.lock().unwrap().clone()
    }

    fn sealed(&self, key: Key) -> SealedStore<Self> {
        SealedStore::new(self.clone(), key, "device")
    }
}

impl Store for Memory {
    fn load(&mut self, found: &mut dyn FnMut(u16, &[u8])) -> Result<(), StoreError> {
        for (key, record) in self.records() {
            found(key, &record);
        }
        Ok(())
    }

    fn put(&mut self, key: u16, record: &[u8]) -> Result<(), StoreError> {
        self.0.lock().unwrap().insert(key, record.to_vec());
        Ok(())
    }

    fn delete(&mut self, key: u16) -> Result<(), StoreError> {
        self.0.lock().unwrap().remove(&key);
        Ok(())
    }
}

fn fill(buf: &mut [u8]) -> Result<(), i32> {
    getrandom::fill(buf).map_err(|_| -1)
}

const RIGHT: [u8; 32] = [7; 32];
const WRONG: [u8; 32] = [8; 32];

/// Held by each test with keys in PSA Crypto, which reuses the identifier of a destroyed key.
fn one_at_a_time() -> MutexGuard<'static, ()> {
    static TESTS: Mutex<()> = Mutex::new(());
    TESTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the same key in both backends, and a short one.
fn keys(bytes: &[u8; 32]) -> [Key; 3] {
    [
        Key::soft(bytes, fill).unwrap(),
        Key::import(bytes).unwrap(),
        Key::soft(&bytes[..16], fill).unwrap(),
    ]
}

fn loaded(store: &mut SealedStore<Memory>) -> Result<Records, StoreError> {
    let mut found = Records::new();
    store.load(&mut |key, record| drop(found.insert(key, record.to_vec())))?;
    Ok(found)
}

fn two() -> Records {
    Records::from([
        (0x8001, b"a secret payload".to_vec()),
        (0x8002, b"another one".to_vec()),
    ])
}

/// Returns a storage with two records.
fn filled(key: Key) -> Memory {
    let memory = Memory::default();
    let mut store = memory.sealed(key);
    assert_eq!(loaded(&mut store), Ok(Records::new()));
    for (key, record) in two() {
        store.put(key, &record).unwrap();
    }
    memory
}

#[test]
fn records_are_there_again_and_cannot_be_read_without_the_key() {
    let _alone = one_at_a_time();
    for (key, again) in keys(&RIGHT).into_iter().zip(keys(&RIGHT)) {
        let memory = filled(key);
        let records = memory.records();
        assert_eq!(records[&0x8001].len(), 16 + OVERHEAD);
        let holds = |text: &[u8]| {
            let mut all = records.values();
            all.any(|record| record.windows(text.len()).any(|part| part == text))
        };
        assert!(!holds(b"secret") && !holds(b"another"));
        let mut store = memory.sealed(again);
        assert_eq!(loaded(&mut store), Ok(two()));
        store.delete(0x8001).unwrap();
        store.put(0x8002, b"").unwrap();
        let left = Records::from([(0x8002, Vec::new())]);
        assert_eq!(loaded(&mut store), Ok(left));
    }
}

#[test]
fn what_one_backend_wrote_the_other_reads() {
    let _alone = one_at_a_time();
    let [soft, psa, _] = keys(&RIGHT);
    assert_eq!(loaded(&mut filled(soft).sealed(psa)), Ok(two()));
    let [soft, psa, _] = keys(&RIGHT);
    assert_eq!(loaded(&mut filled(psa).sealed(soft)), Ok(two()));
}

#[test]
fn no_two_records_have_a_nonce_in_common() {
    let _alone = one_at_a_time();
    for key in keys(&RIGHT) {
        let memory = filled(key);
        let mut nonces = Vec::new();
        for again in keys(&RIGHT) {
            let mut store = memory.sealed(again);
            for _ in 0..100 {
                store.put(0x8003, b"the same").unwrap();
                nonces.push(memory.records()[&0x8003][1..13].to_vec());
            }
        }
        let count = nonces.len();
        nonces.sort();
        nonces.dedup();
        assert_eq!(nonces.len(), count);
    }
}

/// A session drops an empty record and reports it.
fn one_is_lost(records: Records, key: Key, what: &str) {
    let mut expected = two();
    expected.insert(0x8001, Vec::new());
    let mut store = Memory::of(records).sealed(key);
    assert_eq!(loaded(&mut store), Ok(expected), "{what}");
}

#[test]
fn an_altered_record_does_not_open_and_the_others_do() {
    let _alone = one_at_a_time();
    for number in 0..3 {
        let key = || keys(&RIGHT).into_iter().nth(number).unwrap();
        let records = filled(key()).records();
        let original = records[&0x8001].clone();
        for at in 0..original.len() {
            let mut altered = records.clone();
            altered.get_mut(&0x8001).unwrap()[at] ^= 1 << (at % 8);
            one_is_lost(altered, key(), &format!("byte {at} altered"));
            let mut cut = records.clone();
            cut.get_mut(&0x8001).unwrap().truncate(at);
            one_is_lost(cut, key(), &format!("cut after {at} bytes"));
        }
        let mut longer = records.clone();
        longer.get_mut(&0x8001).unwrap().push(0);
        one_is_lost(longer, key(), "a byte more");
        let mut moved = records.clone();
        moved.insert(0x8001, records[&0x8002].clone());
        one_is_lost(moved, key(), "another record in its place");
        let mut copied = records.clone();
        copied.insert(0x8001, records[&ENCRYPTED].clone());
        one_is_lost(copied, key(), "the record that names the key in its place");
    }
}

#[test]
fn records_of_another_session_do_not_open() {
    let _alone = one_at_a_time();
    let [key, ..] = keys(&RIGHT);
    let memory = filled(key);
    let before = memory.records();
    let [key, ..] = keys(&RIGHT);
    let mut other = SealedStore::new(memory.clone(), key, "other");
    assert_eq!(loaded(&mut other), Err(StoreError::WrongKey));
    assert_eq!(memory.records(), before);
}

#[test]
fn with_another_key_nothing_is_touched() {
    let _alone = one_at_a_time();
    for number in 0..3 {
        let key = |bytes| keys(bytes).into_iter().nth(number).unwrap();
        let memory = filled(key(&RIGHT));
        let before = memory.records();
        let mut store = memory.sealed(key(&WRONG));
        assert_eq!(loaded(&mut store), Err(StoreError::WrongKey));
        assert_eq!(memory.records(), before);
        assert_eq!(loaded(&mut memory.sealed(key(&RIGHT))), Ok(two()));
    }
}

#[test]
fn the_record_that_names_the_key_is_made_again() {
    let _alone = one_at_a_time();
    let key = || Key::soft(&RIGHT, fill).unwrap();
    let records = filled(key()).records();
    let mut damaged = records.clone();
    damaged.get_mut(&ENCRYPTED).unwrap()[20] ^= 1;
    let mut missing = records.clone();
    missing.remove(&ENCRYPTED);
    for wrong in [damaged, missing] {
        let memory = Memory::of(wrong);
        assert_eq!(loaded(&mut memory.sealed(key())), Ok(two()));
        // Only the record that identifies the key, again.
        let mut only = memory.records();
        only.retain(|key, _| *key == ENCRYPTED || *key == 0x8001);
        only.get_mut(&0x8001).unwrap()[20] ^= 1;
        let expected = Records::from([(0x8001, Vec::new())]);
        assert_eq!(loaded(&mut Memory::of(only).sealed(key())), Ok(expected));
    }
    // Alone, as after a power failure during the first start: there is nothing to lose.
    let torn = Records::from([(ENCRYPTED, vec![0xE1, 1, 2, 3])]);
    let memory = Memory::of(torn);
    assert_eq!(loaded(&mut memory.sealed(key())), Ok(Records::new()));
    memory.sealed(key()).put(0x8001, b"x").unwrap();
    let other = Key::soft(&WRONG, fill).unwrap();
    let found = loaded(&mut memory.sealed(other));
    assert_eq!(found, Err(StoreError::WrongKey));
}

fn session(store: Box<dyn Store>) -> (Session, Vec<Event>) {
    let config = Config {
        client_id: "device".into(),
        clean_start: false,
        ..Config::default()
    };
    let mut session = Session::with_store(config, store).unwrap();
    let events = std::iter::from_fn(|| session.poll_event()).collect();
    (session, events)
}

fn publish(session: &mut Session) {
    let message = Message::new("t", "secret").qos(QoS::AtLeastOnce);
    session.publish(message).unwrap();
}

/// A session's events and actions, with the key and without.
#[test]
fn a_session_leaves_alone_what_it_cannot_read() {
    let _alone = one_at_a_time();
    let sealed = |memory: &Memory, bytes| -> Box<dyn Store> {
        Box::new(memory.sealed(Key::soft(bytes, fill).unwrap()))
    };
    let told = |error| vec![Event::StorageFailed(error)];
    let memory = Memory::default();
    let (mut first, events) = session(sealed(&memory, &RIGHT));
    assert_eq!(events, []);
    publish(&mut first);
    let before = memory.records();
    let (mut keyless, events) = session(Box::new(memory.clone()));
    assert_eq!(events, told(StoreError::Encrypted));
    publish(&mut keyless);
    let (mut wrong, events) = session(sealed(&memory, &WRONG));
    assert_eq!(events, told(StoreError::WrongKey));
    publish(&mut wrong);
    assert_eq!(memory.records(), before);
    let restored = Event::Restored {
        messages: 1,
        subscriptions: 0,
    };
    let (_, events) = session(sealed(&memory, &RIGHT));
    assert_eq!(events, std::slice::from_ref(&restored));

    // The altered record is reported by its key; the others remain.
    memory.0.lock().unwrap().get_mut(&0x8000).unwrap()[15] ^= 1;
    let (_, events) = session(sealed(&memory, &RIGHT));
    assert_eq!(events, [Event::RecordDamaged { key: 0x8000 }]);

    // A storage written without a key.
    let memory = Memory::default();
    let (mut plain, _) = session(Box::new(memory.clone()));
    publish(&mut plain);
    let before = memory.records();
    assert!(before.iter().all(|(key, record)| is_record(*key, record)));
    let (_, events) = session(sealed(&memory, &RIGHT));
    assert_eq!(events, told(StoreError::NotEncrypted));
    assert_eq!(memory.records(), before);
    let (_, events) = session(Box::new(memory.clone()));
    assert_eq!(events, [restored]);
}

/// Returns the checksum of key and bytes with which a session's records end.
fn crc32(key: u16, bytes: &[u8]) -> u32 {
    let key = key.to_le_bytes();
    !key.iter().chain(bytes).fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| match sum & 1 {
            0 => sum >> 1,
            _ => sum >> 1 ^ 0xEDB8_8320,
        })
    })
}

/// Every mixture of records, with and without the record that identifies the key: of this key, of
/// another key, torn. Power cuts leave some of them, damaged flash others.
#[test]
fn what_a_store_is_does_not_depend_on_one_record() {
    let _alone = one_at_a_time();
    let key = |bytes| Key::soft(bytes, fill).unwrap();
    let plain = Memory::default();
    publish(&mut session(Box::new(plain.clone())).0);
    let plain = plain.records()[&0x8000].clone();
    let mut newer = plain.clone();
    newer[0] += 1;
    let end = newer.len() - 4;
    let sum = crc32(0x8002, &newer[..end]);
    newer[end..].copy_from_slice(&sum.to_le_bytes());
    let [ours, foreign] = [&RIGHT, &WRONG].map(|bytes| filled(key(bytes)).records());
    let kinds = [
        (0x8000, plain.clone()),
        (0x8003, plain[..plain.len() - 3].to_vec()),
        (0x8002, newer),
        (0x8001, ours[&0x8001].clone()),
        (0x8004, foreign[&0x8001].clone()),
    ];
    let names = [
        None,
        Some(&ours[&ENCRYPTED][..]),
        Some(&foreign[&ENCRYPTED]),
        Some(&ours[&ENCRYPTED][..9]),
    ];
    for (name, set) in names
        .iter()
        .flat_map(|name| (0..32).map(move |set| (name, set)))
    {
        let has = |kind: usize| set >> kind & 1 == 1;
        let mut records: Records = (0..kinds.len())
            .filter(|kind| has(*kind))
            .map(|kind| kinds[kind].clone())
            .collect();
        let mut opened = records.clone();
        for (key, record) in &mut opened {
            *record = if *key == 0x8001 {
                two()[key].clone()
            } else {
                Vec::new()
            };
        }
        let is_right = *name == names[1];
        let expected = match (is_right || set == 0 || has(3), name) {
            (true, _) => Ok(opened),
            (false, None) if has(0) || has(2) => Err(StoreError::NotEncrypted),
            (false, _) => Err(StoreError::WrongKey),
        };
        if let Some(name) = name {
            records.insert(ENCRYPTED, name.to_vec());
        }
        let memory = Memory::of(records.clone());
        let found = loaded(&mut memory.sealed(key(&RIGHT)));
        assert_eq!(found, expected, "{records:02x?}");
        if found.is_err() {
            assert_eq!(memory.records(), records);
        }
    }
}

#[test]
fn keys_of_other_lengths_are_refused() {
    for length in [0, 15, 17, 24, 31, 33, 64] {
        let bytes = vec![1; length];
        let expected = KeyError::Length(length);
        assert_eq!(Key::soft(&bytes, fill).unwrap_err(), expected);
        assert_eq!(Key::import(&bytes).unwrap_err(), expected);
        assert!(expected.to_string().contains(&length.to_string()));
    }
}

fn attributes(key_type: KeyType, algorithm: Algorithm, usage: Usage) -> Attributes {
    Attributes {
        key_type,
        bits: if key_type == KeyType::AES { 128 } else { 256 },
        usage,
        algorithm,
    }
}

#[test]
fn keys_in_psa_by_their_identifier() {
    let _alone = one_at_a_time();
    thread_mqtt_psa::init().unwrap();
    let both = Usage(Usage::ENCRYPT.0 | Usage::DECRYPT.0);
    for (key_type, algorithm) in [
        (KeyType::AES, Algorithm::GCM),
        (KeyType::CHACHA20, Algorithm::CHACHA20_POLY1305),
    ] {
        let made = thread_mqtt_psa::Key::generate(&attributes(key_type, algorithm, both)).unwrap();
        let memory = filled(Key::psa(made.0).unwrap());
        assert_eq!(
            loaded(&mut memory.sealed(Key::psa(made.0).unwrap())),
            Ok(two())
        );
        // Destroyed while a client uses it.
        let mut store = memory.sealed(Key::psa(made.0).unwrap());
        let id = made.0;
        drop(made);
        let before = memory.records();
        assert!(matches!(store.put(0x8003, b"x"), Err(StoreError::Key(_))));
        assert!(matches!(loaded(&mut store), Err(StoreError::Key(_))));
        assert_eq!(memory.records(), before);
        let error = Key::psa(id).unwrap_err();
        assert!(matches!(error, KeyError::Psa(_)), "{error}");
        assert!(error.to_string().contains("no such key"), "{error}");
    }
    for (key_type, algorithm, usage) in [
        (KeyType::AES, Algorithm::GCM, Usage::ENCRYPT),
        (KeyType::AES, Algorithm::GCM, Usage::DECRYPT),
        (KeyType::AES, Algorithm::CHACHA20_POLY1305, both),
        (KeyType::HMAC, Algorithm::GCM, both),
    ] {
        let made = thread_mqtt_psa::Key::generate(&attributes(key_type, algorithm, usage));
        let error = Key::psa(made.unwrap().0).unwrap_err();
        assert_eq!(error, KeyError::Policy);
    }
}
