//! The storage of a session whose latest writes can be undone, and which counts its stored
//! messages.
//!
//! The session stores the identifier of a QoS 2 message before it delivers the message. If the
//! message then cannot be written anywhere, it must be delivered again, so its identifier must be
//! removed.
use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use thread_mqtt_session::{Store, StoreError, is_message};

/// Keys from here on belong to outgoing messages, which are counted and never undone.
const MESSAGES: u16 = 0x8000;

#[derive(Debug, Default)]
struct Latest {
    /// What the latest writes have replaced, in order.
    replaced: Vec<(u16, Option<Vec<u8>>)>,
    revoked: bool,
    /// The stored outgoing messages.
    messages: BTreeSet<u16>,
}

/// Undoes the latest writes, and knows the messages waiting to be sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Revoker(Arc<Mutex<Latest>>);

impl Revoker {
    /// Keeps everything written so far.
    pub(crate) fn begin(&self) {
        self.with(|latest| latest.replaced.clear());
    }

    /// Undoes everything written since, when the session is dropped.
    pub(crate) fn revoke(&self) {
        self.with(|latest| latest.revoked = true);
    }

    /// Returns the number of stored messages that are not acknowledged.
    pub(crate) fn messages(&self) -> usize {
        self.with(|latest| latest.messages.len())
    }

    fn with<T>(&self, f: impl FnOnce(&mut Latest) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A store that records what its latest writes have replaced.
pub(crate) struct Revocable {
    store: Box<dyn Store>,
    records: BTreeMap<u16, Vec<u8>>,
    revoker: Revoker,
}

impl Revocable {
    pub(crate) fn new(store: Box<dyn Store>, revoker: Revoker) -> Self {
        Self {
            store,
            records: BTreeMap::new(),
            revoker,
        }
    }

    /// Records the new content under this key.
    fn note(&mut self, key: u16, record: Option<&[u8]>) {
        if key >= MESSAGES {
            let is_message = record.is_some_and(|record| is_message(key, record));
            self.revoker.with(|latest| match is_message {
                true => latest.messages.insert(key),
                false => latest.messages.remove(&key),
            });
            return;
        }
        let before = match record {
            Some(record) => self.records.insert(key, record.to_vec()),
            None => self.records.remove(&key),
        };
        self.revoker
            .with(|latest| latest.replaced.push((key, before)));
    }
}

impl Store for Revocable {
    fn load(&mut self, found: &mut dyn FnMut(u16, &[u8])) -> Result<(), StoreError> {
        let records = &mut self.records;
        let mut messages = BTreeSet::new();
        self.store.load(&mut |key, record| {
            if key < MESSAGES {
                records.insert(key, record.to_vec());
            } else if is_message(key, record) {
                messages.insert(key);
            }
            found(key, record);
        })?;
        self.revoker.with(|latest| latest.messages = messages);
        Ok(())
    }

    fn put(&mut self, key: u16, record: &[u8]) -> Result<(), StoreError> {
        self.store.put(key, record)?;
        self.note(key, Some(record));
        Ok(())
    }

    fn delete(&mut self, key: u16) -> Result<(), StoreError> {
        self.store.delete(key)?;
        self.note(key, None);
        Ok(())
    }
}

impl Drop for Revocable {
    fn drop(&mut self) {
        let mut replaced = self.revoker.with(|latest| match latest.revoked {
            true => mem::take(&mut latest.replaced),
            false => Vec::new(),
        });
        while let Some((key, before)) = replaced.pop() {
            // At worst, the message is not delivered again.
            let _ = match before {
                Some(record) => self.store.put(key, &record),
                None => self.store.delete(key),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use thread_mqtt_session::{Config, Message, QoS, Session};

    /// The records, accessible from outside.
    #[derive(Default, Clone)]
    struct Memory(Arc<Mutex<BTreeMap<u16, Vec<u8>>>>);

    impl Store for Memory {
        fn load(&mut self, found: &mut dyn FnMut(u16, &[u8])) -> Result<(), StoreError> {
            for (key, record) in &*self.0.lock().unwrap() {
                found(*key, record);
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

    /// Returns the records of two messages, 8000 and 8001.
    fn messages() -> [Vec<u8>; 2] {
        let memory = Memory::default();
        let store = Box::new(memory.clone());
        let mut session = Session::with_store(Config::default(), store).unwrap();
        for _ in 0..2 {
            let message = Message::new("t", "").qos(QoS::AtLeastOnce);
            session.publish(message).unwrap();
        }
        let records = memory.0.lock().unwrap();
        [records[&0x8000].clone(), records[&0x8001].clone()]
    }

    #[test]
    fn what_is_left_of_a_message_that_was_given_up_is_none() {
        let [message, other] = messages();
        // The release of 8001, with its CRC-32.
        let release = [1, 6, 0, 0, 0, 0, 0x00, 0x13, 0x82, 0x65];
        let memory = Memory::default();
        memory.clone().put(0x8000, &message).unwrap();
        memory.clone().put(0x8001, &release).unwrap();
        let revoker = Revoker::default();
        let mut store = Revocable::new(Box::new(memory), revoker.clone());
        store.load(&mut |_, _| {}).unwrap();
        assert_eq!(revoker.messages(), 1);
        store.put(0x8001, &other).unwrap();
        assert_eq!(revoker.messages(), 2);
        store.put(0x8001, &release).unwrap();
        assert_eq!(revoker.messages(), 1);
    }

    #[test]
    fn the_latest_writes_are_taken_back_and_no_others() {
        let [first, second] = messages();
        for revokes in [false, true] {
            let memory = Memory::default();
            memory.clone().put(1, b"loaded").unwrap();
            let revoker = Revoker::default();
            memory.clone().put(0x8001, &second).unwrap();
            let mut store = Revocable::new(Box::new(memory.clone()), revoker.clone());
            store.load(&mut |_, _| {}).unwrap();
            assert_eq!(revoker.messages(), 1);
            store.put(2, b"early").unwrap();
            revoker.begin();
            store.put(1, b"a").unwrap();
            store.put(1, b"b").unwrap();
            store.delete(2).unwrap();
            store.put(3, b"new").unwrap();
            store.put(0x8000, &first).unwrap();
            store.put(0x8000, &first).unwrap();
            assert_eq!(revoker.messages(), 2);
            store.delete(0x8001).unwrap();
            assert_eq!(revoker.messages(), 1);
            if revokes {
                revoker.revoke();
            }
            drop(store);
            let left: Vec<_> = memory.0.lock().unwrap().clone().into_iter().collect();
            let expected: &[(u16, &[u8])] = match revokes {
                true => &[(1, b"loaded"), (2, b"early"), (0x8000, &first)],
                false => &[(1, b"b"), (3, b"new"), (0x8000, &first)],
            };
            let expected: Vec<_> = expected.iter().map(|(k, r)| (*k, r.to_vec())).collect();
            assert_eq!(left, expected);
        }
    }
}
