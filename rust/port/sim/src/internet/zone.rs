//! The zone of the world's DNS server.
use core::net::{Ipv4Addr, Ipv6Addr};
use core::time::Duration;
use std::collections::BTreeMap;

/// The answer for one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// The name's addresses. The answer is NODATA for a family without addresses.
    Addresses {
        /// A records.
        ipv4: Vec<Ipv4Addr>,
        /// AAAA records.
        ipv6: Vec<Ipv6Addr>,
    },
    /// An alias, followed inside the zone.
    Alias(String),
    /// RCODE 3.
    NameError,
    /// RCODE 2.
    ServerFailure,
    /// RCODE 5.
    Refused,
    /// No answer.
    Silence,
}

impl Record {
    /// Returns a name that has only A records.
    pub fn a(ipv4: Ipv4Addr) -> Self {
        Self::Addresses {
            ipv4: vec![ipv4],
            ipv6: Vec::new(),
        }
    }
}

/// The names of a world's DNS server, which answers at every IPv4 address and as the border
/// router's upstream.
#[derive(Debug, Clone)]
pub struct Zone {
    /// Lower-case names without the final dot.
    pub names: BTreeMap<String, Record>,
    /// The answer for a name that is not listed.
    pub unknown: Unknown,
    /// Time to live of every record, seconds.
    pub ttl: u32,
    /// Delay before the server answers.
    pub delay: Duration,
}

/// The answer for a name that is not in the zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unknown {
    /// RCODE 3.
    #[default]
    NameError,
    /// The result of the host's own resolver (`getaddrinfo`), in real time.
    AskHost,
}

impl Default for Zone {
    fn default() -> Self {
        Self {
            names: BTreeMap::new(),
            unknown: Unknown::default(),
            ttl: 300,
            delay: Duration::from_millis(5),
        }
    }
}

impl Zone {
    /// Adds or replaces a name.
    pub fn set(&mut self, name: &str, record: Record) {
        self.names
            .insert(name.trim_end_matches('.').to_ascii_lowercase(), record);
    }
}
