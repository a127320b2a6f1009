//! Values in one vector, each in one of several queues. Every operation takes constant time.

use alloc::vec::Vec;
use core::num::NonZeroU32;

/// Identifies a value until it is removed: its slot number, counted from 1, so that an `Option` of
/// it is a single word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key(NonZeroU32);

impl Key {
    fn of(slot: usize) -> Self {
        Key(NonZeroU32::MIN.saturating_add(slot as u32))
    }

    fn slot(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// `LISTS` queues over one vector of slots. Free slots are reused.
#[derive(Debug)]
pub(crate) struct Slab<T, const LISTS: usize> {
    slots: Vec<Slot<T>>,
    /// First of the free slots, which are linked by `next`.
    free: Option<Key>,
    lists: [Ends; LISTS],
    len: usize,
}

#[derive(Debug)]
struct Slot<T> {
    value: Option<T>,
    previous: Option<Key>,
    next: Option<Key>,
    list: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct Ends {
    first: Option<Key>,
    last: Option<Key>,
}

impl<T, const LISTS: usize> Slab<T, LISTS> {
    const FEW: usize = 4;

    pub(crate) fn new() -> Self {
        Slab {
            slots: Vec::new(),
            free: None,
            lists: [Ends::default(); LISTS],
            len: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Makes room for one more value. Returns false if the heap is exhausted.
    pub(crate) fn reserve(&mut self) -> bool {
        self.free.is_some() || self.slots.try_reserve(1).is_ok()
    }

    /// Returns the slot that the next value will have.
    pub(crate) fn next_key(&self) -> Key {
        self.free.unwrap_or_else(|| Key::of(self.slots.len()))
    }

    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        self.slots.get(key.slot())?.value.as_ref()
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.slots.get_mut(key.slot())?.value.as_mut()
    }

    pub(crate) fn list(&self, key: Key) -> Option<usize> {
        let slot = self.slots.get(key.slot())?;
        slot.value.as_ref().map(|_| slot.list)
    }

    pub(crate) fn first(&self, list: usize) -> Option<Key> {
        self.lists.get(list)?.first
    }

    pub(crate) fn last(&self, list: usize) -> Option<Key> {
        self.lists.get(list)?.last
    }

    pub(crate) fn previous(&self, key: Key) -> Option<Key> {
        self.slots.get(key.slot())?.previous
    }

    pub(crate) fn next(&self, key: Key) -> Option<Key> {
        self.slots.get(key.slot())?.next
    }

    /// Adds a value at the end of a queue.
    pub(crate) fn push(&mut self, list: usize, value: T) -> Key {
        let key = self.next_key();
        match self.slots.get_mut(key.slot()) {
            Some(slot) => {
                self.free = slot.next;
                slot.value = Some(value);
            }
            None => self.slots.push(Slot {
                value: Some(value),
                previous: None,
                next: None,
                list,
            }),
        }
        self.len += 1;
        self.link_last(key, list);
        key
    }

    /// Removes a value.
    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        self.get(key)?;
        self.unlink(key);
        let free = self.free;
        let slot = self.slots.get_mut(key.slot())?;
        slot.next = free;
        self.free = Some(key);
        self.len -= 1;
        let value = slot.value.take();
        // Frees the memory of a burst, but keeps a small vector to avoid reallocation.
        if self.len == 0 && self.slots.capacity() > Self::FEW {
            self.slots = Vec::new();
            self.free = None;
        }
        value
    }

    /// Moves a value to the end of a queue.
    pub(crate) fn move_last(&mut self, key: Key, list: usize) {
        if self.get(key).is_some() {
            self.unlink(key);
            self.link_last(key, list);
        }
    }

    /// Moves a value to the front of a queue.
    pub(crate) fn move_first(&mut self, key: Key, list: usize) {
        if self.get(key).is_none() {
            return;
        }
        self.unlink(key);
        let Some(ends) = self.lists.get_mut(list) else {
            return;
        };
        let next = ends.first.replace(key);
        if let Some(slot) = self.slots.get_mut(key.slot()) {
            (slot.previous, slot.next, slot.list) = (None, next, list);
        }
        match next.and_then(|next| self.slots.get_mut(next.slot())) {
            Some(slot) => slot.previous = Some(key),
            None => ends.last = Some(key),
        }
    }

    fn link_last(&mut self, key: Key, list: usize) {
        let Some(ends) = self.lists.get_mut(list) else {
            return;
        };
        let previous = ends.last.replace(key);
        if let Some(slot) = self.slots.get_mut(key.slot()) {
            (slot.previous, slot.next, slot.list) = (previous, None, list);
        }
        match previous.and_then(|previous| self.slots.get_mut(previous.slot())) {
            Some(slot) => slot.next = Some(key),
            None => ends.first = Some(key),
        }
    }

    fn unlink(&mut self, key: Key) {
        let Some(slot) = self.slots.get(key.slot()) else {
            return;
        };
        let (previous, next, list) = (slot.previous, slot.next, slot.list);
        let Some(ends) = self.lists.get_mut(list) else {
            return;
        };
        match previous.and_then(|previous| self.slots.get_mut(previous.slot())) {
            Some(slot) => slot.next = next,
            None => ends.first = next,
        }
        match next.and_then(|next| self.slots.get_mut(next.slot())) {
            Some(slot) => slot.previous = previous,
            None => ends.last = previous,
        }
    }
}

/// Maps numbers to values: a hash table with linear probing. Numbers are not 0.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Number and key; number 0 marks an empty place. The length is a power of two.
    table: Vec<(u32, Option<Key>)>,
    len: usize,
}

impl Index {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn get(&self, number: u32) -> Option<Key> {
        let at = self.find(number)?;
        self.table.get(at)?.1
    }

    /// Makes room for one more. Returns false if the heap is exhausted.
    pub(crate) fn reserve(&mut self) -> bool {
        let wanted = 2 * (self.len + 1);
        if wanted <= self.table.len() {
            return true;
        }
        let mut larger = Vec::new();
        let size = wanted.next_power_of_two().max(16);
        if larger.try_reserve_exact(size).is_err() {
            return false;
        }
        larger.resize(size, (0, None));
        let old = core::mem::replace(&mut self.table, larger);
        self.len = 0;
        for (number, key) in &old {
            if let Some(key) = key {
                self.insert(*number, *key);
            }
        }
        true
    }

    /// Adds a number, for which there must be room, or replaces its key.
    pub(crate) fn insert(&mut self, number: u32, key: Key) {
        let known = self.find(number);
        let Some(at) = known.or_else(|| self.empty_place(number)) else {
            return;
        };
        if let Some(place) = self.table.get_mut(at) {
            *place = (number, Some(key));
            self.len += usize::from(known.is_none());
        }
    }

    pub(crate) fn remove(&mut self, number: u32) {
        let Some(mut hole) = self.find(number) else {
            return;
        };
        self.len -= 1;
        let mask = self.table.len() - 1;
        let mut at = hole;
        loop {
            at = (at + 1) & mask;
            let entry = self.table.get(at).copied().unwrap_or_default();
            if entry.0 == 0 {
                break;
            }
            // Entries displaced past the hole move back into it.
            let home = home(entry.0, mask);
            if (at.wrapping_sub(home) & mask) >= (at.wrapping_sub(hole) & mask) {
                if let Some(place) = self.table.get_mut(hole) {
                    *place = entry;
                }
                hole = at;
            }
        }
        if let Some(place) = self.table.get_mut(hole) {
            *place = (0, None);
        }
    }

    fn find(&self, number: u32) -> Option<usize> {
        self.probe(number, number)
    }

    fn empty_place(&self, number: u32) -> Option<usize> {
        self.probe(number, 0)
    }

    /// Returns the first place, from the number's home on, that holds `wanted`, searching up to an
    /// empty one. At least half of the places are empty.
    fn probe(&self, number: u32, wanted: u32) -> Option<usize> {
        if number == 0 || self.table.is_empty() {
            return None;
        }
        let mask = self.table.len() - 1;
        let mut at = home(number, mask);
        loop {
            match self.table.get(at)?.0 {
                found if found == wanted => return Some(at),
                0 => return None,
                _ => at = (at + 1) & mask,
            }
        }
    }
}

fn home(number: u32, mask: usize) -> usize {
    number as usize & mask
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::{BTreeMap, VecDeque};
    use proptest::prelude::*;

    fn keys<const N: usize>(slab: &Slab<u32, N>, list: usize) -> VecDeque<u32> {
        let mut keys = VecDeque::new();
        let mut at = slab.first(list);
        while let Some(key) = at {
            assert_eq!(slab.list(key), Some(list));
            keys.push_back(*slab.get(key).expect("a linked value"));
            at = slab.next(key);
        }
        keys
    }

    proptest! {
        #[test]
        fn queues_are_those_of_a_plain_model(steps in prop::collection::vec((0u8..5, 0usize..3, any::<prop::sample::Index>()), 1..200)) {
            let mut slab = Slab::<u32, 3>::new();
            let mut model: [VecDeque<u32>; 3] = Default::default();
            let mut known = BTreeMap::new();
            let mut serial = 0;
            for (action, list, index) in steps {
                let pick = |known: &BTreeMap<u32, Key>| (!known.is_empty()).then(|| {
                    known.iter().nth(index.index(known.len())).map(|(value, key)| (*value, *key)).unwrap()
                });
                if action < 2 {
                    serial += 1;
                    prop_assert!(slab.reserve());
                    let expected = slab.next_key();
                    let key = slab.push(list, serial);
                    prop_assert_eq!(key, expected);
                    known.insert(serial, key);
                    model[list].push_back(serial);
                } else if let Some((value, key)) = pick(&known) {
                    for queue in &mut model {
                        queue.retain(|other| *other != value);
                    }
                    match action {
                        2 => {
                            prop_assert_eq!(slab.remove(key), Some(value));
                            known.remove(&value);
                        }
                        3 => {
                            slab.move_last(key, list);
                            model[list].push_back(value);
                        }
                        _ => {
                            slab.move_first(key, list);
                            model[list].push_front(value);
                        }
                    }
                }
                for (list, queue) in model.iter().enumerate() {
                    prop_assert_eq!(&keys(&slab, list), queue);
                }
                prop_assert_eq!(slab.len(), known.len());
            }
        }

        #[test]
        fn the_index_is_a_map(steps in prop::collection::vec((any::<bool>(), 1u32..60, any::<u16>()), 1..300)) {
            let mut index = Index::default();
            let mut model = BTreeMap::new();
            for (add, number, slot) in steps {
                let key = Key::of(slot.into());
                // Numbers that share a place and numbers that do not.
                let number = if number % 2 == 0 { number << 12 } else { number };
                if add {
                    prop_assert!(index.reserve());
                    index.insert(number, key);
                    model.insert(number, key);
                } else {
                    index.remove(number);
                    model.remove(&number);
                }
                prop_assert_eq!(index.len(), model.len());
                for (number, key) in &model {
                    prop_assert_eq!(index.get(*number), Some(*key));
                }
                prop_assert_eq!(index.get(7 << 20), None);
            }
        }
    }
}
