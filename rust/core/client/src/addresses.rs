//! In which order addresses are tried, and what is remembered of them.
use alloc::vec::Vec;
use core::net::Ipv6Addr;
use thread_mqtt_resolve::PrefixSource;
use thread_mqtt_resolve::resolver::{Candidate, Network, Origin, Report};

/// What earlier attempts taught about the broker's addresses.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    /// The one that last led to a CONNACK: tried first, and alone when no resolver answers.
    good: Option<Candidate>,
    /// The one that last connected but failed at TLS or MQTT: tried last.
    bad: Option<Ipv6Addr>,
}

impl Addresses {
    /// This address led to a CONNACK.
    pub(crate) fn praise(&mut self, candidate: Candidate) {
        self.good = Some(candidate);
        self.bad = None;
    }

    /// This address connected, but what answered there was no working broker.
    pub(crate) fn blame(&mut self, candidate: Candidate) {
        self.bad = Some(candidate.address);
        if self
            .good
            .is_some_and(|good| good.address == candidate.address)
        {
            self.good = None;
        }
    }

    /// The addresses of a report in the order to try them.
    pub(crate) fn order(&self, report: &Report, network: &Network) -> Vec<Candidate> {
        let mut order = report.candidates.clone();
        let place = |order: &[Candidate], address| order.iter().position(|c| c.address == address);
        if let Some(bad) = self.bad.and_then(|bad| place(&order, bad)) {
            let bad = order.remove(bad);
            order.push(bad);
        }
        if let Some(good) = self.good {
            match place(&order, good.address) {
                Some(place) => {
                    let good = order.remove(place);
                    order.insert(0, good);
                }
                None if order.is_empty() => order.extend(renew(good, network)),
                None => {}
            }
        }
        order
    }
}

/// Whether the network took back the prefix that `candidate` was made with.
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

/// The same host under the network's prefixes of today.
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
