//! A storage that can lose power, even during a write.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use thread_mqtt_session::{Store, StoreError};

/// The storage, as held by the test.
#[derive(Debug, Clone)]
pub(crate) struct Flash(Arc<Mutex<Medium>>);

#[derive(Debug)]
pub(crate) struct Medium {
    pub(crate) records: BTreeMap<u16, Vec<u8>>,
    writes: u64,
    written: u64,
    loads: u64,
    /// The write during which the power fails.
    cut: Option<u64>,
    off: bool,
    tear: u64,
    /// Every write fails with this.
    failure: Option<StoreError>,
    /// The next write under this key fails. A new message is stored nevertheless.
    fail_once: Option<(u16, StoreError)>,
    /// Full: nothing more is stored, but records can be deleted.
    full: bool,
    /// It was full when the session had to store something other than a new message.
    missed: bool,
}

impl Medium {
    /// Number of states in which a power cut can leave a record being written.
    pub(crate) const TEARS: u64 = 4;

    fn write(&mut self, key: u16, record: Option<&[u8]>) -> Result<(), StoreError> {
        if self.off {
            return Err(StoreError::Failed(-1));
        }
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        if let Some((_, failure)) = self.fail_once.take_if(|(once, _)| *once == key) {
            if let Some(record) = record.filter(|_| key >= 0x8000) {
                self.records.entry(key).or_insert(record.to_vec());
            }
            return Err(failure);
        }
        if self.full && record.is_some() {
            self.missed |= key < 0x8000 || self.records.contains_key(&key);
            return Err(StoreError::Full);
        }
        if self.cut == Some(self.writes) {
            self.off = true;
            self.tear(key, record);
            return Err(StoreError::Failed(-1));
        }
        self.writes += 1;
        match record {
            Some(record) => {
                self.written += record.len() as u64;
                self.records.insert(key, record.to_vec());
            }
            None => drop(self.records.remove(&key)),
        }
        Ok(())
    }

    /// Leaves a state that the contract of [`Store`] allows.
    fn tear(&mut self, key: u16, record: Option<&[u8]>) {
        let is_new = !self.records.contains_key(&key);
        let way = self.tear % Self::TEARS;
        let stepped = self.tear.wrapping_mul(6_364_136_223_846_793_005);
        self.tear = stepped
            .wrapping_add(1_442_695_040_888_963_407)
            .rotate_left(17);
        match (way, record) {
            // As before.
            (0, _) => {}
            (1, Some(record)) => drop(self.records.insert(key, record.to_vec())),
            (1 | 2, None) => drop(self.records.remove(&key)),
            (2, Some(record)) if is_new => {
                let part = self.tear as usize % (record.len() + 1);
                self.records.insert(key, record[..part].to_vec());
            }
            (3, Some(record)) if is_new => {
                let part = self.tear as usize % record.len();
                let mut damaged = record.to_vec();
                damaged[part..].fill(0xFF);
                self.records.insert(key, damaged);
            }
            _ => {}
        }
    }
}

impl Flash {
    pub(crate) fn new(seed: u64) -> Self {
        Flash(Arc::new(Mutex::new(Medium {
            records: BTreeMap::new(),
            writes: 0,
            written: 0,
            loads: 0,
            cut: None,
            off: false,
            tear: seed,
            failure: None,
            fail_once: None,
            full: false,
            missed: false,
        })))
    }

    pub(crate) fn medium(&self) -> MutexGuard<'_, Medium> {
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Returns the storage, as held by a session.
    pub(crate) fn store(&self) -> Box<dyn Store> {
        Box::new(self.clone())
    }

    pub(crate) fn is_off(&self) -> bool {
        self.medium().off
    }

    pub(crate) fn turn_off(&self) {
        self.medium().off = true;
    }

    pub(crate) fn turn_off_in(&self, writes: u64) {
        let mut medium = self.medium();
        medium.cut = Some(medium.writes + writes);
    }

    pub(crate) fn tear_like(&self, way: u64) {
        self.medium().tear = way;
    }

    pub(crate) fn turn_on(&self) {
        let mut medium = self.medium();
        (medium.off, medium.cut) = (false, None);
    }

    pub(crate) fn stay_on(&self) {
        self.medium().cut = None;
    }

    pub(crate) fn fail(&self, failure: Option<StoreError>) {
        self.medium().failure = failure;
    }

    pub(crate) fn fail_once(&self, key: u16) {
        self.fail_once_with(key, StoreError::Failed(-5));
    }

    pub(crate) fn fail_once_with(&self, key: u16, failure: StoreError) {
        self.medium().fail_once = Some((key, failure));
    }

    pub(crate) fn is_full(&self) -> bool {
        self.medium().full
    }

    pub(crate) fn has_missed(&self) -> bool {
        self.medium().missed
    }

    pub(crate) fn fill(&self, full: bool) {
        self.medium().full = full;
    }

    /// Returns the number of writes and deletions so far.
    pub(crate) fn writes(&self) -> u64 {
        self.medium().writes
    }

    /// Returns the bytes of all records written so far.
    pub(crate) fn written(&self) -> u64 {
        self.medium().written
    }

    /// Returns how often it was loaded.
    pub(crate) fn loads(&self) -> u64 {
        self.medium().loads
    }

    pub(crate) fn keys(&self) -> Vec<u16> {
        self.medium().records.keys().copied().collect()
    }

    /// Returns the number of stored messages.
    pub(crate) fn messages(&self) -> usize {
        self.medium().records.range(0x8000..).count()
    }
}

impl Store for Flash {
    fn load(&mut self, found: &mut dyn FnMut(u16, &[u8])) -> Result<(), StoreError> {
        let mut medium = self.medium();
        medium.loads += 1;
        if let Some(failure) = medium.failure {
            return Err(failure);
        }
        let records = medium.records.clone();
        drop(medium);
        for (key, record) in &records {
            found(*key, record);
        }
        Ok(())
    }

    fn put(&mut self, key: u16, record: &[u8]) -> Result<(), StoreError> {
        self.medium().write(key, Some(record))
    }

    fn delete(&mut self, key: u16) -> Result<(), StoreError> {
        self.medium().write(key, None)
    }
}
