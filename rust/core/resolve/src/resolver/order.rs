//! From addresses as the DNS gave them to candidates in the order to try.

use super::{Candidate, Family, Network, Origin, Policy};
use crate::prefix::UsablePrefix;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The addresses of a name, IPv4 and IPv6 apart, without doubles.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Addresses {
    pub(super) ipv4: Vec<Ipv4Addr>,
    pub(super) ipv6: Vec<Ipv6Addr>,
}

impl Addresses {
    pub(super) fn is_empty(&self) -> bool {
        self.ipv4.is_empty() && self.ipv6.is_empty()
    }

    /// Adds an address; false if it is nobody's, as a block list answers.
    pub(super) fn add(&mut self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => self.add_ipv4(address),
            IpAddr::V6(address) => match address.to_ipv4_mapped() {
                Some(ipv4) => self.add_ipv4(ipv4),
                None if address.is_unspecified() || address.is_multicast() => false,
                None => add_once(&mut self.ipv6, address),
            },
        }
    }

    fn add_ipv4(&mut self, address: Ipv4Addr) -> bool {
        let nobodys = address.is_unspecified() || address.is_multicast() || address.is_broadcast();
        !nobodys && add_once(&mut self.ipv4, address)
    }

    /// Takes a DNS64's work apart: an IPv6 address inside a known prefix counts as the IPv4
    /// address it stands for. It is then made again with every usable prefix, and not stale
    /// when its own prefix goes.
    pub(super) fn separate(&mut self, prefixes: &[UsablePrefix]) {
        let mut ipv6 = core::mem::take(&mut self.ipv6);
        ipv6.retain(|address| {
            match prefixes
                .iter()
                .find_map(|usable| usable.prefix.extract(*address))
            {
                Some(ipv4) => {
                    self.add_ipv4(ipv4);
                    false
                }
                None => true,
            }
        });
        self.ipv6 = ipv6;
    }

    /// Drops what the hint does not want. To be called before [`separate`](Self::separate): a
    /// DNS64's AAAA answer is an AAAA answer.
    pub(super) fn keep(&mut self, family: Family) {
        match family {
            Family::Unspecified => {}
            Family::Inet => self.ipv6.clear(),
            Family::Inet6 => self.ipv4.clear(),
        }
    }

    /// The candidates, first choice first. Of one IPv4 address, every prefix is tried before
    /// the next address is: a border router that publishes a prefix it does not translate is
    /// more common than a broker of several addresses of which one is dead.
    pub(super) fn candidates(
        &self,
        prefixes: &[UsablePrefix],
        network: &Network,
        policy: Policy,
        limit: usize,
    ) -> Vec<Candidate> {
        let mut from_ipv4 = Vec::new();
        for ipv4 in &self.ipv4 {
            if network.native_ipv4 {
                from_ipv4.push(Candidate {
                    address: ipv4.to_ipv6_mapped(),
                    origin: Origin::Mapped(*ipv4),
                });
                continue;
            }
            for usable in prefixes {
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
        let mut from_ipv4 = from_ipv4.into_iter();
        let mut native = self.ipv6.iter().map(|address| Candidate {
            address: *address,
            origin: Origin::Native,
        });
        let mut natives_turn = policy != Policy::PreferNat64;
        let mut candidates = Vec::new();
        while candidates.len() < limit {
            let next = match natives_turn {
                true => native.next().or_else(|| from_ipv4.next()),
                false => from_ipv4.next().or_else(|| native.next()),
            };
            let Some(candidate) = next else {
                break;
            };
            candidates.push(candidate);
            natives_turn ^= policy == Policy::Interleaved;
        }
        candidates
    }
}

fn add_once<T: PartialEq>(list: &mut Vec<T>, item: T) -> bool {
    if !list.contains(&item) {
        list.push(item);
    }
    true
}
