//! The order in which addresses are tried, and what is remembered of them.
use alloc::vec::Vec;
use core::net::Ipv6Addr;
use thread_mqtt_resolve::PrefixSource;
use thread_mqtt_resolve::resolver::{Candidate, Network, Origin, Report};

/// How many failed addresses are remembered; the oldest are dropped first.
const REMEMBERED: usize = 8;

/// What earlier attempts showed about a broker's addresses.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    /// The address that last proved good: tried first, and alone if no resolver answers.
    good: Option<Candidate>,
    /// Addresses that failed since they were last good, latest failure last.
    failed: Vec<Failed>,
}

#[derive(Debug)]
struct Failed {
    address: Ipv6Addr,
    penalty: u8,
}

/// How far a connection got before it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No CONNACK.
    NoBroker = 2,
    /// The broker accepted the session, but the connection was lost before it was stable.
    NotStable = 1,
}

impl Addresses {
    /// Notes that this address led to a stable connection.
    pub(crate) fn praise(&mut self, candidate: &Candidate) {
        self.good = Some(*candidate);
        self.failed
            .retain(|failed| failed.address != candidate.address);
    }

    /// Notes that this address did not lead to a stable connection.
    pub(crate) fn blame(&mut self, address: Ipv6Addr, fault: Fault) {
        let mut penalty = 0;
        if let Some(known) = self.failed.iter().position(|old| old.address == address) {
            penalty = self.failed.remove(known).penalty;
        } else if self.failed.len() == REMEMBERED {
            self.failed.remove(0);
        }
        self.failed.push(Failed {
            address,
            penalty: penalty.saturating_add(fault as u8),
        });
    }

    /// Returns whether addresses failed and none is known to be good.
    pub(crate) fn lack_a_good_one(&self) -> bool {
        let is_bad = |good: Candidate| self.place(good.address).0 != 0;
        !self.failed.is_empty() && self.good.is_none_or(is_bad)
    }

    /// Returns the addresses of a report in the order to try them. Those without failures come
    /// first: the good one, then the rest in the resolver's order. Those with failures follow, by
    /// severity and then by time of the last failure.
    pub(crate) fn order(&self, report: &Report, network: &Network) -> Vec<Candidate> {
        let mut order = report.candidates.clone();
        if let (Some(good), true) = (self.good, order.is_empty()) {
            order.extend(renew(good, network));
        }
        self.sort(&mut order);
        order
    }

    /// Sorts by `place`, stably. By insertion: there are few addresses, and the library's sort is
    /// larger.
    fn sort(&self, order: &mut [Candidate]) {
        for end in 1..order.len() {
            for at in (1..=end).rev() {
                let (Some(before), Some(this)) = (order.get(at - 1), order.get(at)) else {
                    return;
                };
                if self.place(before.address) <= self.place(this.address) {
                    break;
                }
                order.swap(at - 1, at);
            }
        }
    }

    fn place(&self, address: Ipv6Addr) -> (u8, bool, usize) {
        let is_good = self.good.is_some_and(|good| good.address == address);
        let failed = self.failed.iter().position(|old| old.address == address);
        let penalty = failed.and_then(|place| self.failed.get(place));
        let penalty = penalty.map_or(0, |failed| failed.penalty);
        (penalty, !is_good, failed.unwrap_or(0))
    }
}

/// Returns whether the network withdrew the prefix that `candidate` was made with.
pub(crate) fn withdrawn(candidate: &Candidate, network: &Network) -> bool {
    match candidate.origin {
        Origin::Synthesised {
            prefix,
            source: PrefixSource::NetworkData,
            ..
        } => {
            network.attached
                && network
                    .prefixes
                    .iter()
                    .all(|advertised| advertised.prefix != prefix)
        }
        _ => false,
    }
}

/// Returns the same host under the network's current prefixes.
fn renew(candidate: Candidate, network: &Network) -> Option<Candidate> {
    if !withdrawn(&candidate, network) {
        return Some(candidate);
    }
    let Origin::Synthesised { ipv4, source, .. } = candidate.origin else {
        return None;
    };
    let best = network
        .prefixes
        .iter()
        .max_by_key(|advertised| advertised.preference)?;
    Some(Candidate {
        address: best.prefix.embed(ipv4),
        origin: Origin::Synthesised {
            ipv4,
            prefix: best.prefix,
            source,
        },
    })
}
