//! RFC 6052 prefixes: embedding and extraction for all six lengths.

use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

/// The six lengths RFC 6052 section 2.2 allows, longest (most common) first.
pub const LENGTHS: [u8; 6] = [96, 64, 56, 48, 40, 32];

/// Bits 64 to 71 (octet 8) are zero in every synthesised address.
const RESERVED_OCTET: usize = 8;

/// A NAT64 prefix of 32, 40, 48, 56, 64 or 96 bits (RFC 6052 section 2.2).
///
/// ```
/// use core::net::Ipv4Addr;
/// use thread_mqtt_resolve::prefix::{Prefix, PrefixError};
///
/// let prefix: Prefix = "fd3e:1c2b:9::/96".parse()?;
/// let address = prefix.embed(Ipv4Addr::new(192, 0, 2, 33));
/// assert_eq!(address.to_string(), "fd3e:1c2b:9::c000:221");
/// assert_eq!(prefix.extract(address), Some(Ipv4Addr::new(192, 0, 2, 33)));
/// # Ok::<(), PrefixError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Prefix {
    address: Ipv6Addr,
    length: u8,
}

/// Why a prefix is invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PrefixError {
    /// The text is not `address/length`.
    Syntax,
    /// The length is not one of the six in RFC 6052.
    Length(u8),
    /// Bits beyond the length are set.
    HostBits,
    /// Bits 64 to 71 of a /96 are set.
    ReservedBits,
}

impl fmt::Display for PrefixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PrefixError::Syntax => "a NAT64 prefix is an IPv6 address and a length, for example \
                64:ff9b::/96",
            PrefixError::Length(length) => {
                return write!(
                    f,
                    "a NAT64 prefix cannot be {length} bits long: RFC 6052 allows 32, 40, 48, 56, 64 and 96"
                );
            }
            PrefixError::HostBits => "bits after the NAT64 prefix's length are set: write zeros \
                there",
            PrefixError::ReservedBits => "bits 64 to 71 of the NAT64 prefix are set: RFC 6052 requires zeros there",
        })
    }
}

impl core::error::Error for PrefixError {}

impl Prefix {
    /// `64:ff9b::/96`, the well-known prefix (RFC 6052 section 2.1).
    pub const WELL_KNOWN: Self = Self {
        address: Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0),
        length: 96,
    };

    /// Creates a prefix. Checks the length, the host bits and bits 64 to 71.
    pub fn new(address: Ipv6Addr, length: u8) -> Result<Self, PrefixError> {
        let prefix = Self::covering(address, length)?;
        if prefix.address == address {
            Ok(prefix)
        } else {
            Err(PrefixError::HostBits)
        }
    }

    /// Returns the prefix of `length` bits that contains `address`; bits beyond the length are
    /// dropped.
    ///
    /// For sources that supply whole addresses, such as a stack's prefix structure whose unused
    /// bits are not cleared.
    pub fn covering(address: Ipv6Addr, length: u8) -> Result<Self, PrefixError> {
        if !LENGTHS.contains(&length) {
            return Err(PrefixError::Length(length));
        }
        let mut octets = address.octets();
        octets[usize::from(length / 8)..].fill(0);
        if octets[RESERVED_OCTET] != 0 {
            return Err(PrefixError::ReservedBits);
        }
        Ok(Self {
            address: octets.into(),
            length,
        })
    }

    /// Returns the prefix bits, followed by zeros.
    pub const fn address(&self) -> Ipv6Addr {
        self.address
    }

    /// Returns the length: 32, 40, 48, 56, 64 or 96.
    pub const fn length(&self) -> u8 {
        self.length
    }

    /// Returns whether `address` begins with this prefix.
    pub fn contains(&self, address: Ipv6Addr) -> bool {
        let octets = usize::from(self.length / 8);
        address.octets()[..octets] == self.address.octets()[..octets]
    }

    /// Returns the IPv6 address that represents `ipv4` under this prefix.
    pub fn embed(&self, ipv4: Ipv4Addr) -> Ipv6Addr {
        let mut octets = self.address.octets();
        for (position, octet) in self.positions().into_iter().zip(ipv4.octets()) {
            octets[position] = octet;
        }
        octets.into()
    }

    /// Returns the IPv4 address inside `ipv6`, if that has this prefix and bits 64 to 71 are zero.
    ///
    /// The suffix, which follows the IPv4 address, is ignored, as RFC 6052 section 2.2 requires.
    pub fn extract(&self, ipv6: Ipv6Addr) -> Option<Ipv4Addr> {
        let octets = ipv6.octets();
        if !self.contains(ipv6) || octets[RESERVED_OCTET] != 0 {
            return None;
        }
        Some(self.positions().map(|position| octets[position]).into())
    }

    /// Returns the positions of the IPv4 address's four octets: after the prefix, skipping octet 8.
    fn positions(&self) -> [usize; 4] {
        let first = usize::from(self.length / 8);
        [0, 1, 2, 3].map(|n| {
            let position = first + n;
            position + usize::from(first <= RESERVED_OCTET && position >= RESERVED_OCTET)
        })
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let (address, length) = text.split_once('/').ok_or(PrefixError::Syntax)?;
        let address = address.parse().map_err(|_| PrefixError::Syntax)?;
        let length = length.parse().map_err(|_| PrefixError::Syntax)?;
        Self::new(address, length)
    }
}

/// Route preference of a prefix in the Thread network data (RFC 4191 section 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Preference {
    /// -1
    Low,
    /// 0
    Medium,
    /// 1
    High,
}

/// A prefix as the Thread network data publishes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AdvertisedPrefix {
    /// The prefix.
    pub prefix: Prefix,
    /// Its preference; the highest is tried first.
    pub preference: Preference,
}

/// The source of a prefix, in the order they are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PrefixSource {
    /// The Thread network data.
    NetworkData,
    /// RFC 7050 discovery through `ipv4only.arpa`: a guess, because the answer is not
    /// authenticated.
    Discovered,
    /// Configured by the application.
    Configured,
    /// 64:ff9b::/96, only if the configuration allows it.
    WellKnown,
}

impl fmt::Display for PrefixSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PrefixSource::NetworkData => "Thread network data",
            PrefixSource::Discovered => "RFC 7050 discovery, not validated",
            PrefixSource::Configured => "configuration",
            PrefixSource::WellKnown => "well-known prefix",
        })
    }
}

/// A prefix that can be used now, and its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UsablePrefix {
    /// The prefix.
    pub prefix: Prefix,
    /// Its source.
    pub source: PrefixSource,
}

impl fmt::Display for UsablePrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.prefix, self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    /// RFC 6052 section 2.4, both tables.
    const RFC_TABLE: &[(&str, &str)] = &[
        ("2001:db8::/32", "2001:db8:c000:221::"),
        ("2001:db8:100::/40", "2001:db8:1c0:2:21::"),
        ("2001:db8:122::/48", "2001:db8:122:c000:2:2100::"),
        ("2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"),
        ("2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::"),
        ("2001:db8:122:344::/96", "2001:db8:122:344::192.0.2.33"),
        ("64:ff9b::/96", "64:ff9b::192.0.2.33"),
    ];

    #[test]
    fn the_rfcs_own_table() {
        let ipv4 = Ipv4Addr::new(192, 0, 2, 33);
        for (prefix, address) in RFC_TABLE {
            let parsed: Prefix = prefix.parse().unwrap();
            let address: Ipv6Addr = address.parse().unwrap();
            assert_eq!(parsed.embed(ipv4), address, "{prefix}");
            assert_eq!(parsed.extract(address), Some(ipv4), "{prefix}");
            assert_eq!(parsed.to_string(), *prefix);
        }
    }

    #[test]
    fn what_is_no_prefix_is_refused() {
        let bad = [
            ("64:ff9b::", PrefixError::Syntax),
            ("64:ff9b::/", PrefixError::Syntax),
            ("64:ff9b::/300", PrefixError::Syntax),
            ("192.0.2.0/96", PrefixError::Syntax),
            ("/96", PrefixError::Syntax),
            ("64:ff9b::/95", PrefixError::Length(95)),
            ("64:ff9b::/128", PrefixError::Length(128)),
            ("64:ff9b::/0", PrefixError::Length(0)),
            ("64:ff9b::1/96", PrefixError::HostBits),
            ("2001:db8:1::/32", PrefixError::HostBits),
            ("2001:db8:0:0:100::/64", PrefixError::HostBits),
            ("2001:db8:0:0:100::/96", PrefixError::ReservedBits),
        ];
        for (text, error) in bad {
            assert_eq!(text.parse::<Prefix>(), Err(error), "{text}");
            assert!(error.to_string().contains("NAT64 prefix"));
        }
        assert_eq!(
            "2001:db8:0:0:ff::/96".parse::<Prefix>().unwrap().length(),
            96
        );
    }

    #[test]
    fn covering_drops_host_bits_only() {
        let dirty = "64:ff9b::dead:beef".parse().unwrap();
        assert_eq!(Prefix::covering(dirty, 96), Ok(Prefix::WELL_KNOWN));
        assert_eq!(Prefix::covering(dirty, 95), Err(PrefixError::Length(95)));
        assert_eq!(
            Prefix::covering("2001:db8::100:0:0:0".parse().unwrap(), 96),
            Err(PrefixError::ReservedBits)
        );
    }

    #[test]
    fn an_address_with_reserved_bits_set_carries_no_ipv4() {
        let prefix: Prefix = "2001:db8::/32".parse().unwrap();
        assert_eq!(
            prefix.extract("2001:db8:c000:221:100::".parse().unwrap()),
            None
        );
        // A suffix must be ignored.
        assert!(
            prefix
                .extract("2001:db8:c000:221::1".parse().unwrap())
                .is_some()
        );
    }

    fn any_prefix() -> impl Strategy<Value = Prefix> {
        (any::<u128>(), prop::sample::select(&LENGTHS[..])).prop_map(|(bits, length)| {
            let clean = bits & !(0xff << 56);
            Prefix::covering(clean.into(), length).unwrap()
        })
    }

    proptest! {
        #[test]
        fn embedding_is_undone_by_extraction(prefix in any_prefix(), ipv4: u32) {
            let address = prefix.embed(ipv4.into());
            prop_assert!(prefix.contains(address));
            prop_assert_eq!(address.octets()[8], 0);
            prop_assert_eq!(prefix.extract(address), Some(ipv4.into()));
        }

        #[test]
        fn embedding_sets_nothing_else(prefix in any_prefix()) {
            prop_assert_eq!(prefix.embed(Ipv4Addr::UNSPECIFIED), prefix.address());
            prop_assert_eq!(
                prefix.embed(Ipv4Addr::BROADCAST).to_bits().count_ones(),
                prefix.address().to_bits().count_ones() + 32
            );
        }

        #[test]
        fn other_prefixes_carry_nothing(prefix in any_prefix(), address: u128) {
            let address = Ipv6Addr::from(address);
            prop_assert_eq!(
                prefix.extract(address).is_some(),
                prefix.contains(address) && address.octets()[8] == 0
            );
        }

        #[test]
        fn text_survives(prefix in any_prefix()) {
            prop_assert_eq!(prefix.to_string().parse(), Ok(prefix));
        }
    }
}
