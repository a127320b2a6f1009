//! DNS answers, for as long as they are valid. Prefixes are not part of them.

use super::order::Addresses;
use super::{AddressSource, CacheLimits, Family, LookupError, later};
use crate::prefix::UsablePrefix;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddrV6;
use core::time::Duration;

#[derive(Debug)]
pub(super) struct Cache {
    limits: CacheLimits,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    name: String,
    family: Family,
    source: AddressSource,
    known: Known,
    expires: Duration,
}

#[derive(Debug)]
enum Known {
    Addresses(Addresses, Option<SocketAddrV6>),
    Failure(LookupError),
}

impl Entry {
    fn is_about(&self, name: &str, family: Family) -> bool {
        self.name == name && self.family == family
    }
}

impl Cache {
    pub(super) fn new(limits: CacheLimits) -> Self {
        Self {
            limits,
            entries: Vec::new(),
        }
    }

    /// Returns the addresses of a name, and their source.
    pub(super) fn addresses(
        &self,
        name: &str,
        family: Family,
        now: Duration,
    ) -> Option<(&Addresses, AddressSource, Option<SocketAddrV6>)> {
        let mut entries = self
            .entries
            .iter()
            .filter(|entry| entry.expires > now && entry.is_about(name, family));
        entries.find_map(|entry| match &entry.known {
            Known::Addresses(addresses, server) => Some((addresses, entry.source, *server)),
            Known::Failure(_) => None,
        })
    }

    /// Returns a source's cached negative answer: that there is no such address.
    pub(super) fn failure(
        &self,
        name: &str,
        family: Family,
        source: AddressSource,
        now: Duration,
    ) -> Option<LookupError> {
        let mut entries = self
            .entries
            .iter()
            .filter(|entry| entry.expires > now && entry.source == source);
        entries.find_map(|entry| match entry.known {
            Known::Failure(error) if entry.is_about(name, family) => Some(error),
            _ => None,
        })
    }

    /// Caches an answer. If a half is `missing` it is cached only briefly, so that the other half
    /// is queried again.
    pub(super) fn keep_addresses(
        &mut self,
        (name, family, source): (&str, Family, AddressSource),
        addresses: &Addresses,
        server: SocketAddrV6,
        (ttl, missing): (u32, bool),
        now: Duration,
    ) {
        let limit = if missing {
            self.limits.max_negative_ttl
        } else {
            self.limits.max_ttl
        };
        let known = Known::Addresses(addresses.clone(), Some(server));
        self.insert(name, family, source, known, lifetime(ttl, limit), now);
    }

    /// Caches a negative answer (RFC 2308 section 5).
    pub(super) fn keep_failure(
        &mut self,
        (name, family, source): (&str, Family, AddressSource),
        error: LookupError,
        ttl: u32,
        now: Duration,
    ) {
        let lifetime = lifetime(ttl, self.limits.max_negative_ttl);
        self.insert(name, family, source, Known::Failure(error), lifetime, now);
    }

    fn insert(
        &mut self,
        name: &str,
        family: Family,
        source: AddressSource,
        known: Known,
        lifetime: Duration,
        now: Duration,
    ) {
        self.retain(&|entry| {
            entry.expires > now && !(entry.source == source && entry.is_about(name, family))
        });
        if lifetime.is_zero() || self.limits.entries == 0 {
            return;
        }
        if self.entries.len() >= self.limits.entries {
            let mut next_to_expire = 0;
            for (index, entry) in self.entries.iter().enumerate() {
                if entry.expires < self.entries[next_to_expire].expires {
                    next_to_expire = index;
                }
            }
            self.entries.swap_remove(next_to_expire);
        }
        self.entries.push(Entry {
            name: name.into(),
            family,
            source,
            known,
            expires: later(now, lifetime),
        });
    }

    /// Extracts the IPv4 addresses inside the prefixes known now, while they are known.
    pub(super) fn separate(&mut self, prefixes: &[UsablePrefix]) {
        for entry in &mut self.entries {
            if let Known::Addresses(addresses, _) = &mut entry.known {
                addresses.separate(prefixes);
            }
        }
    }

    pub(super) fn forget(&mut self, name: &str) {
        self.retain(&|entry| entry.name != name);
    }

    /// Drops negative answers: another network may know other names.
    pub(super) fn forget_failures(&mut self) {
        self.retain(&|entry| matches!(entry.known, Known::Addresses(..)));
    }

    fn retain(&mut self, keep: &dyn Fn(&Entry) -> bool) {
        self.entries.retain(keep);
    }
}

fn lifetime(ttl: u32, limit: Duration) -> Duration {
    Duration::from_secs(ttl.into()).min(limit)
}
