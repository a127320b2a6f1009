//! Classifies addresses by whether a broker can have them.

use crate::prefix::Prefix;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A special-purpose address range (the IANA registries of RFC 6890).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// `0.0.0.0/8`, `::`: what block lists answer.
    Unspecified,
    /// `127.0.0.0/8`, `::1`.
    Loopback,
    /// `169.254.0.0/16`, `fe80::/10`.
    LinkLocal,
    /// `224.0.0.0/4`, `ff00::/8`.
    Multicast,
    /// `240.0.0.0/4`, including the broadcast address.
    Reserved,
    /// RFC 1918 and RFC 6598.
    Private,
    /// Everything else, including IPv6 ULAs.
    Ordinary,
}

impl Class {
    pub(super) fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(ipv4) => Self::of_ipv4(ipv4),
            IpAddr::V6(ipv6) => Self::of_ipv6(ipv6),
        }
    }

    pub(super) fn of_ipv4(address: Ipv4Addr) -> Self {
        match address.octets() {
            [0, ..] => Self::Unspecified,
            [127, ..] => Self::Loopback,
            [169, 254, ..] => Self::LinkLocal,
            [224..=239, ..] => Self::Multicast,
            [240..=255, ..] => Self::Reserved,
            [100, 64..=127, ..] => Self::Private,
            _ if address.is_private() => Self::Private,
            _ => Self::Ordinary,
        }
    }

    /// Returns the class. An address made with the well-known prefix has the class of the IPv4
    /// address in it.
    pub(super) fn of_ipv6(address: Ipv6Addr) -> Self {
        if let Some(ipv4) = Prefix::WELL_KNOWN.extract(address) {
            return Self::of_ipv4(ipv4);
        }
        match address.segments() {
            [0, 0, 0, 0, 0, 0, 0, 0] => Self::Unspecified,
            [0, 0, 0, 0, 0, 0, 0, 1] => Self::Loopback,
            [0xfe80..=0xfebf, ..] => Self::LinkLocal,
            [0xff00..=0xffff, ..] => Self::Multicast,
            _ => Self::Ordinary,
        }
    }

    /// Returns whether a broker can have such an address anywhere.
    pub(super) fn is_possible(self) -> bool {
        !matches!(self, Self::Unspecified | Self::Multicast | Self::Reserved)
    }
}

/// The end of the sentence that refuses an address.
pub(super) struct Refused(pub(super) IpAddr);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(address) = self;
        let what = match Class::of(*address) {
            Class::Unspecified => "the unspecified address",
            Class::Loopback => "the loopback address of this device",
            Class::LinkLocal => "a link-local address, which is valid only on one link",
            Class::Multicast => "a multicast address",
            Class::Reserved => "a reserved address",
            Class::Private => {
                "a private address, which the well-known NAT64 prefix 64:ff9b::/96 must not \
                 carry (RFC 6052 section 3.1)"
            }
            Class::Ordinary => "which cannot be used here",
        };
        write!(f, "{address}, {what}")
    }
}

/// Returns what to do about a refused address.
pub(super) fn cure(address: IpAddr) -> &'static str {
    match Class::of(address) {
        Class::Unspecified => {
            "if this server has a block list, remove the name from it (block lists answer like \
             this)"
        }
        Class::Loopback => {
            "give the broker's host an address that other devices can reach, and use it in the \
             DNS or the URI"
        }
        Class::LinkLocal => "use a routed address of the broker: global, or unique local (fd...)",
        Class::Private => {
            "make the border router publish its own NAT64 prefix (OpenThread's does), configure \
             your network's prefix, or use the broker's IPv6 address"
        }
        Class::Multicast | Class::Reserved | Class::Ordinary => {
            "correct the address of the broker in the DNS or in the URI"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first and last address of each range, and their neighbours.
    #[test]
    fn ranges_begin_and_end_where_the_registries_say() {
        for (address, class) in [
            ("0.0.0.0", Class::Unspecified),
            ("0.255.255.255", Class::Unspecified),
            ("1.0.0.0", Class::Ordinary),
            ("9.255.255.255", Class::Ordinary),
            ("10.0.0.0", Class::Private),
            ("10.255.255.255", Class::Private),
            ("11.0.0.0", Class::Ordinary),
            ("100.63.255.255", Class::Ordinary),
            ("100.64.0.0", Class::Private),
            ("100.127.255.255", Class::Private),
            ("100.128.0.0", Class::Ordinary),
            ("126.255.255.255", Class::Ordinary),
            ("127.0.0.0", Class::Loopback),
            ("127.255.255.255", Class::Loopback),
            ("128.0.0.0", Class::Ordinary),
            ("169.253.255.255", Class::Ordinary),
            ("169.254.0.0", Class::LinkLocal),
            ("169.254.255.255", Class::LinkLocal),
            ("169.255.0.0", Class::Ordinary),
            ("172.15.255.255", Class::Ordinary),
            ("172.16.0.0", Class::Private),
            ("172.31.255.255", Class::Private),
            ("172.32.0.0", Class::Ordinary),
            ("192.167.255.255", Class::Ordinary),
            ("192.168.0.0", Class::Private),
            ("192.168.255.255", Class::Private),
            ("192.169.0.0", Class::Ordinary),
            ("223.255.255.255", Class::Ordinary),
            ("224.0.0.0", Class::Multicast),
            ("239.255.255.255", Class::Multicast),
            ("240.0.0.0", Class::Reserved),
            ("255.255.255.255", Class::Reserved),
            ("::", Class::Unspecified),
            ("::1", Class::Loopback),
            ("::2", Class::Ordinary),
            ("fd00::1", Class::Ordinary),
            ("fe7f::", Class::Ordinary),
            ("fe80::", Class::LinkLocal),
            ("febf:ffff::", Class::LinkLocal),
            ("fec0::", Class::Ordinary),
            ("feff::", Class::Ordinary),
            ("ff00::", Class::Multicast),
            ("ffff::", Class::Multicast),
            ("64:ff9b::192.168.1.1", Class::Private),
            ("64:ff9b::127.0.0.1", Class::Loopback),
            ("64:ff9b::198.51.100.1", Class::Ordinary),
            // Another prefix may carry them.
            ("fd64::192.168.1.1", Class::Ordinary),
            ("64:ff9b:1::192.168.1.1", Class::Ordinary),
        ] {
            assert_eq!(Class::of(address.parse().unwrap()), class, "{address}");
        }
    }
}
