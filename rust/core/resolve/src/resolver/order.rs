//! Orders DNS addresses into candidates.

use super::class::Class;
use super::{Candidate, Family, LookupError, Network, Origin, Policy};
use crate::prefix::{Prefix, UsablePrefix};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The addresses of a name, IPv4 and IPv6 separately, without duplicates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Addresses {
    pub(super) ipv4: Vec<Ipv4Addr>,
    pub(super) ipv6: Vec<Ipv6Addr>,
}

impl Addresses {
    pub(super) fn is_empty(&self) -> bool {
        self.ipv4.is_empty() && self.ipv6.is_empty()
    }

    /// Adds the addresses of an answer. Returns an error if no broker can have any of them.
    pub(super) fn add_all(&mut self, addresses: Vec<IpAddr>) -> Option<LookupError> {
        let first = addresses.first().copied();
        let mut is_usable = false;
        for address in addresses {
            is_usable |= self.add(address);
        }
        first.filter(|_| !is_usable).map(LookupError::Unusable)
    }

    /// Adds an address. Returns false if no broker can have it.
    pub(super) fn add(&mut self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let is_possible = Class::of(address).is_possible();
        match address {
            _ if !is_possible => {}
            IpAddr::V4(ipv4) => add_once(&mut self.ipv4, ipv4),
            IpAddr::V6(ipv6) => add_once(&mut self.ipv6, ipv6),
        }
        is_possible
    }

    /// Undoes the work of a DNS64: an IPv6 address inside a known prefix becomes the IPv4 address
    /// it represents. It is then synthesised with every usable prefix, and does not go stale with
    /// its own.
    pub(super) fn separate(&mut self, prefixes: &[UsablePrefix]) {
        let mut ipv6 = core::mem::take(&mut self.ipv6);
        ipv6.retain(|address| {
            match prefixes
                .iter()
                .find_map(|usable| usable.prefix.extract(*address))
            {
                Some(ipv4) => {
                    add_once(&mut self.ipv4, ipv4);
                    false
                }
                None => true,
            }
        });
        self.ipv6 = ipv6;
    }

    /// Drops addresses of other families than requested. Call it before
    /// [`separate`](Self::separate), because a DNS64's AAAA answer counts as AAAA.
    pub(super) fn keep(&mut self, family: Family) {
        match family {
            Family::Unspecified => {}
            Family::Inet => self.ipv6.clear(),
            Family::Inet6 => self.ipv4.clear(),
        }
    }

    /// Returns why these addresses give no [`candidates`](Self::candidates).
    pub(super) fn refusal(&self, prefixes: &[UsablePrefix], place: &Place<'_>) -> LookupError {
        let carried = |ipv4: &&Ipv4Addr| place.carries(Class::of_ipv4(**ipv4), None);
        // A prefix would help.
        if prefixes.is_empty() && self.ipv4.iter().any(|ipv4| carried(&ipv4)) {
            return LookupError::NoPrefix;
        }
        let ipv4 = self.ipv4.first().copied().map(IpAddr::from);
        let ipv6 = self.ipv6.first().copied().map(IpAddr::from);
        (ipv4.or(ipv6)).map_or(LookupError::NoData, LookupError::Unusable)
    }

    /// Returns the candidates, first choice first. Every prefix is tried with an IPv4 address
    /// before the next address: a border router that publishes a prefix it does not translate is
    /// more common than a broker with several addresses, one of them dead. If there are more than
    /// `limit`, those after the first `skip` are returned, wrapping around.
    pub(super) fn candidates(
        &self,
        prefixes: &[UsablePrefix],
        place: &Place<'_>,
        policy: Policy,
        (skip, limit): (usize, usize),
    ) -> Vec<Candidate> {
        let mut from_ipv4 = Vec::new();
        for ipv4 in &self.ipv4 {
            let class = Class::of_ipv4(*ipv4);
            if place.network.native_ipv4 && class.is_possible() {
                from_ipv4.push(Candidate {
                    address: ipv4.to_ipv6_mapped(),
                    origin: Origin::Mapped(*ipv4),
                });
                continue;
            }
            for usable in prefixes {
                if !place.carries(class, Some(&usable.prefix)) {
                    continue;
                }
                from_ipv4.push(Candidate {
                    address: usable.prefix.embed(*ipv4),
                    origin: Origin::Synthesised {
                        ipv4: *ipv4,
                        prefix: usable.prefix,
                        source: usable.source,
                    },
                });
            }
        }
        let mut native = Vec::new();
        for address in &self.ipv6 {
            if place.reaches(*address) {
                native.push(Candidate {
                    address: *address,
                    origin: Origin::Native,
                });
            }
        }
        let mut turns = [native.into_iter(), from_ipv4.into_iter()];
        if policy == Policy::PreferNat64 {
            turns.reverse();
        }
        let mut candidates = Vec::new();
        loop {
            let [first, second] = &mut turns;
            let Some(candidate) = first.next().or_else(|| second.next()) else {
                break;
            };
            candidates.push(candidate);
            if policy == Policy::Interleaved {
                turns.reverse();
            }
        }
        let count = candidates.len();
        if count <= limit {
            return candidates;
        }
        let (before, from) = candidates.split_at(skip % count);
        let mut some = from.to_vec();
        some.extend_from_slice(before);
        some.truncate(limit);
        some
    }
}

fn add_once<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if !list.contains(&item) {
        list.push(item);
    }
}

/// Where the addresses would be used, and what was resolved.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub(super) network: &'a Network,
    /// The host was written as an address, which is used as it is.
    pub(super) is_literal: bool,
    /// A broker may run on this host.
    pub(super) loopback: bool,
}

impl Place<'_> {
    /// Returns whether NAT64 carries IPv4 addresses of this class. With the well-known prefix it
    /// must not carry private ones (RFC 6052 section 3.1).
    fn carries(&self, class: Class, prefix: Option<&Prefix>) -> bool {
        match class {
            Class::Ordinary => true,
            Class::Private => prefix != Some(&Prefix::WELL_KNOWN),
            Class::Loopback => self.loopback,
            _ => false,
        }
    }

    fn reaches(&self, address: Ipv6Addr) -> bool {
        match Class::of_ipv6(address) {
            Class::Ordinary => true,
            Class::Loopback if address.is_loopback() => self.loopback,
            Class::Private | Class::Loopback => self.is_literal,
            Class::LinkLocal if Prefix::WELL_KNOWN.contains(address) => self.is_literal,
            _ => false,
        }
    }
}
