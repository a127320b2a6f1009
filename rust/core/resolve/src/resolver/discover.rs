//! RFC 7050: a DNS64 reveals its prefix by how it synthesises `ipv4only.arpa`.
//!
//! The name has exactly two IPv4 addresses and no IPv6 address. An AAAA answer is therefore
//! synthesised, and the position of a known address in it reveals the prefix and its length.

use crate::prefix::{LENGTHS, Prefix};
use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::time::Duration;

/// The name to query (RFC 7050).
pub(super) const NAME: &str = "ipv4only.arpa";

/// Its two IPv4 addresses (RFC 7050).
const ADDRESSES: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 0, 0, 170), Ipv4Addr::new(192, 0, 0, 171)];

/// The result of discovery. Prefixes stay usable until a later discovery replaces them.
#[derive(Debug, Default)]
pub(super) struct Discovery {
    /// The prefixes found.
    pub(super) prefixes: Vec<Prefix>,
    /// When to query again: the answer's TTL has expired, or some time has passed since a failure.
    pub(super) due: Duration,
    /// When to query again at the earliest. It may be needed before `due` if no address under the
    /// prefixes answers.
    pub(super) earliest: Duration,
}

/// Returns the prefixes that a DNS64 used to make these addresses (RFC 7050 section 3).
///
/// A prefix may by chance contain the bits of a well-known address, so that an answer can be read
/// in two ways. Only the true prefix also explains the record of the other well-known address; a
/// reading that no other record confirms is dropped.
pub(super) fn prefixes_in(answers: &[Ipv6Addr]) -> Vec<Prefix> {
    let mut found = Vec::new();
    for answer in answers {
        let readings = readings(*answer);
        for (prefix, ipv4) in &readings {
            let is_twin =
                |other: &Ipv4Addr| other != ipv4 && answers.contains(&prefix.embed(*other));
            let is_sure = readings.len() == 1 || ADDRESSES.iter().any(is_twin);
            if is_sure && is_plausible(prefix) && !found.contains(prefix) {
                found.push(*prefix);
            }
        }
    }
    found
}

/// Returns whether unicast addresses can begin this way: global, unique local, or of RFC 6052 and
/// RFC 8215.
///
/// A device cannot check more. RFC 7050 section 3.1 wants the prefix validated by DNSSEC or over a
/// secured channel. Without either it is a guess, and is shown as one.
fn is_plausible(prefix: &Prefix) -> bool {
    let first = prefix.address().segments();
    matches!(
        first,
        [0x2000..=0x3fff | 0xfc00..=0xfdff, ..] | [0x64, 0xff9b, ..]
    )
}

/// Returns every prefix that would make `address` from one of the two well-known addresses.
fn readings(address: Ipv6Addr) -> Vec<(Prefix, Ipv4Addr)> {
    let mut readings = Vec::new();
    for length in LENGTHS {
        let Ok(prefix) = Prefix::covering(address, length) else {
            continue;
        };
        if let Some(ipv4) = prefix
            .extract(address)
            .filter(|ipv4| ADDRESSES.contains(ipv4))
        {
            readings.push((prefix, ipv4));
        }
    }
    readings
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn discover(prefix: &Prefix) -> Vec<Prefix> {
        prefixes_in(&ADDRESSES.map(|ipv4| prefix.embed(ipv4)))
    }

    #[test]
    fn one_of_the_two_addresses_suffices() {
        for ipv4 in ADDRESSES {
            assert_eq!(
                prefixes_in(&[Prefix::WELL_KNOWN.embed(ipv4)]),
                [Prefix::WELL_KNOWN]
            );
        }
    }

    #[test]
    fn a_prefix_that_no_host_can_have_is_not_believed() {
        for bad in [
            "ff0e::/96",
            "fe80::/64",
            "::/96",
            "0:0:0:1::/64",
            "5f00::/32",
        ] {
            assert_eq!(discover(&bad.parse().unwrap()), [], "{bad}");
        }
        for good in [
            "2001:db8::/32",
            "fd00:64::/96",
            "64:ff9b::/96",
            "64:ff9b:1::/48",
        ] {
            let good = good.parse().unwrap();
            assert_eq!(discover(&good), [good]);
        }
    }

    #[test]
    fn addresses_nobody_synthesised_give_nothing() {
        assert_eq!(prefixes_in(&[]), []);
        assert_eq!(prefixes_in(&["2001:db8::1".parse().unwrap()]), []);
        // 192.0.0.172 is not one of the two.
        assert_eq!(prefixes_in(&["64:ff9b::c000:ac".parse().unwrap()]), []);
    }

    #[test]
    fn an_ambiguous_answer_is_settled_by_its_twin() {
        // 192.0.0.170 follows both 32 bits and 96.
        let tricky: Prefix = "2001:db8:c000:aa::/96".parse().unwrap();
        assert_eq!(readings(tricky.embed(ADDRESSES[0])).len(), 2);
        assert_eq!(
            prefixes_in(&[tricky.embed(ADDRESSES[0])]),
            [],
            "cannot be told"
        );
        assert_eq!(discover(&tricky), [tricky]);
    }

    #[test]
    fn several_prefixes_are_all_found() {
        let second: Prefix = "2001:db8:64::/48".parse().unwrap();
        let answers = [
            Prefix::WELL_KNOWN.embed(ADDRESSES[0]),
            second.embed(ADDRESSES[1]),
        ];
        assert_eq!(prefixes_in(&answers), [Prefix::WELL_KNOWN, second]);
    }

    proptest! {
        #[test]
        fn every_prefix_of_every_length_is_found(bits: u128, length in prop::sample::select(&LENGTHS[..])) {
            // 2000::/3
            let bits = bits & !(0xff << 56) & (u128::MAX >> 3) | 1 << 125;
            let prefix = Prefix::covering(bits.into(), length).unwrap();
            prop_assert_eq!(discover(&prefix), [prefix]);
        }
    }
}
