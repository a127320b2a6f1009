//! The result of a resolution, as values and as sentences.

use super::class::{self, Class, Refused};
use super::{AddressSource, TCP};
use crate::prefix::{Prefix, PrefixSource, UsablePrefix};
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV6};
use core::time::Duration;

/// The origin of a candidate address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A literal or AAAA answer, used unchanged.
    Native,
    /// Synthesised from an IPv4 address with a NAT64 prefix, by this crate or by a DNS64.
    Synthesised {
        /// The IPv4 address.
        ipv4: Ipv4Addr,
        /// The prefix.
        prefix: Prefix,
        /// The source of the prefix.
        source: PrefixSource,
    },
    /// An IPv4-mapped address for native IPv4.
    Mapped(Ipv4Addr),
}

/// One address to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Candidate {
    /// The address.
    pub address: Ipv6Addr,
    /// Its origin.
    pub origin: Origin,
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.origin {
            Origin::Native => self.address.fmt(f),
            Origin::Synthesised { ipv4, .. } => write!(f, "{} (NAT64 for {ipv4})", self.address),
            Origin::Mapped(ipv4) => ipv4.fmt(f),
        }
    }
}

/// Why a source gave no usable answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LookupError {
    /// No answer in time.
    Timeout,
    /// There is no route to the server.
    Unreachable,
    /// Nothing listens at that port of the server.
    NotListening,
    /// The platform's resolver got no answer, or a server failed or refused; it does not tell
    /// which.
    Unanswered,
    /// RCODE 3: the name does not exist. The remaining sources are queried nevertheless.
    NameError,
    /// The name exists, but has no address of the requested family.
    NoData,
    /// RCODE 2: the server failed, usually because its own upstream does not answer.
    ServerFailure,
    /// RCODE 5: the server refuses to serve this client.
    Refused,
    /// Another RCODE.
    ResponseCode(u8),
    /// The answer did not fit into a datagram and contained no address.
    Truncated,
    /// The server only named other servers and does not query them itself.
    Referral,
    /// The answer is not a valid DNS message.
    Malformed,
    /// The chain of CNAMEs is too long, or a loop.
    AliasLoop,
    /// No broker can have any of the addresses, or this network reaches none of them. Contains the
    /// first one.
    Unusable(IpAddr),
    /// There are only IPv4 addresses, or an IPv4 server, but no NAT64 prefix to reach them.
    NoPrefix,
    /// The network offers no DNS server.
    NoServer,
    /// Not queried: the name is meaningful only in the local network, and must not leave it.
    LocalName,
    /// The host is not a valid DNS name.
    InvalidName,
    /// The platform's resolver failed with this code of its own.
    Platform(i32),
    /// The platform's resolver is still busy with another name.
    PlatformBusy,
    /// Not queried: the deadline of the whole chain had passed.
    Deadline,
    /// The server has no DNS64, or one that synthesises nothing for `ipv4only.arpa` (prefix
    /// discovery only).
    NoPrefixFound,
}

impl LookupError {
    /// Returns what to do about it, if that is known.
    pub fn cure(&self) -> Option<&'static str> {
        Some(match self {
            LookupError::Timeout => {
                "check that the server is up, and on a Thread network that the border router has an uplink"
            }
            LookupError::Unreachable => {
                "check the network connection, and that the address of the DNS server is right"
            }
            LookupError::NotListening => {
                "check that the DNS server runs, and that its address and port are right"
            }
            LookupError::Unanswered => {
                "check the network connection, and that the platform's DNS server works"
            }
            LookupError::NameError => {
                "check the spelling of the host name and whether this server serves its zone"
            }
            LookupError::NoData => {
                "request both address families, or give the name an A or AAAA record"
            }
            LookupError::ServerFailure => {
                "check the upstream DNS of this server; a public server as an additional source \
                 works around it"
            }
            LookupError::Refused => "allow this server to answer queries from the Thread network",
            LookupError::Truncated if TCP => {
                "allow the server to answer over TCP as well (at most 4096 bytes), or give the \
                 name fewer records"
            }
            LookupError::Truncated => {
                "build with DNS over TCP (CONFIG_THREAD_MQTT_DNS_TCP=y), or give the name fewer records"
            }
            LookupError::Referral => "use a server that resolves names recursively",
            LookupError::AliasLoop => "fix the CNAME records of the name",
            LookupError::Unusable(address) => class::cure(*address),
            LookupError::NoPrefix | LookupError::NoPrefixFound => {
                "enable NAT64 on the border router (OpenThread: nat64 enable), or configure the NAT64 prefix of your network"
            }
            LookupError::NoServer => {
                "enable DNS on the border router (OpenThread: dns server upstream enable, srp server enable)"
            }
            LookupError::LocalName => {
                "make the border router serve this name, or use a public DNS name"
            }
            LookupError::InvalidName => {
                "use a name with labels of 1 to 63 characters between \
                 dots"
            }
            LookupError::Deadline => "configure a longer deadline or fewer sources",
            LookupError::Malformed | LookupError::ResponseCode(_) => {
                "use another DNS server, or check the log of this one"
            }
            LookupError::Platform(_) => {
                "check the platform's DNS settings, and look up the code there"
            }
            LookupError::PlatformBusy => return None,
        })
    }

    /// Returns whether nothing was queried, so that nothing is known about the name or a server.
    pub fn is_unasked(&self) -> bool {
        matches!(
            self,
            LookupError::NoServer
                | LookupError::LocalName
                | LookupError::InvalidName
                | LookupError::PlatformBusy
                | LookupError::Deadline
        )
    }

    /// Ranks the errors of two halves that both failed: one that may hide an address outranks one
    /// that is sure there is none.
    pub(super) fn rank(self) -> u8 {
        match self {
            LookupError::NameError => 0,
            LookupError::NoData => 1,
            LookupError::Timeout => 2,
            _ => 3,
        }
    }

    /// Returns whether the server itself says that there is no such address. With an SOA record,
    /// another server would say the same.
    pub(super) fn is_negative(self) -> bool {
        matches!(self, LookupError::NameError | LookupError::NoData)
    }
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LookupError::Timeout => "no answer",
            LookupError::Unreachable => "no route to the server",
            LookupError::NotListening => "nothing listens on the server's port",
            LookupError::Unanswered => "no answer, or the server failed or refused",
            LookupError::NameError => "the name does not exist (NXDOMAIN)",
            LookupError::NoData => "the name exists but has no address of the requested family",
            LookupError::ServerFailure => "the server failed (SERVFAIL)",
            LookupError::Refused => "the server refused the query (REFUSED)",
            LookupError::ResponseCode(rcode) => {
                return write!(f, "the server answered with response code {rcode}");
            }
            LookupError::Truncated => "the answer is too large for a datagram",
            LookupError::Referral => "the server returned only a referral",
            LookupError::Malformed => "the answer is malformed",
            LookupError::AliasLoop => "CNAME loop, or too many CNAMEs",
            LookupError::Unusable(address) => {
                return write!(f, "no usable address: {}", Refused(*address));
            }
            LookupError::NoPrefix => "only reachable through NAT64, but no NAT64 prefix is known",
            LookupError::NoServer => "the network offers no DNS server",
            LookupError::LocalName => "not asked, the name belongs to the local network",
            LookupError::InvalidName => "the host is not a valid DNS name",
            LookupError::Platform(code) => {
                return write!(f, "the platform's resolver failed with code {code}");
            }
            LookupError::PlatformBusy => "the platform's resolver is still busy with another name",
            LookupError::Deadline => "not asked, resolution timed out",
            LookupError::NoPrefixFound => "the server synthesises no address for ipv4only.arpa",
        })
    }
}

impl core::error::Error for LookupError {}

/// Why a datagram was not delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UdpError {
    /// No route, on this device or on the way.
    Unreachable,
    /// Nothing listens at that port of the host.
    Refused,
}

impl fmt::Display for AddressSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AddressSource::Platform => f.write_str("platform resolver"),
            AddressSource::BorderRouter => f.write_str("network's DNS server"),
            AddressSource::Public(address) => write!(f, "public server {address}"),
            AddressSource::Server(server) => write!(f, "server {}", Server(*server)),
            AddressSource::Literal(address) => write!(f, "literal address {address}"),
        }
    }
}

/// Shows a server without the default port, and in IPv4 if reached by IPv4.
struct Server(SocketAddrV6);

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.ip().to_canonical(), self.0.port()) {
            (address, 53) => address.fmt(f),
            (IpAddr::V4(address), port) => write!(f, "{address}:{port}"),
            (IpAddr::V6(address), port) => write!(f, "[{address}]:{port}"),
        }
    }
}

/// Shows a duration in seconds with one decimal, without floating point.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounded = self.0.saturating_add(Duration::from_millis(50));
        write!(
            f,
            "{}.{} s",
            rounded.as_secs(),
            rounded.subsec_millis() / 100
        )
    }
}

/// A source, or one of its servers, that gave no usable answer. As text:
/// `network's DNS server fd00::1: no answer in 2.0 s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Failure {
    /// The source.
    pub source: AddressSource,
    /// The server that was queried, if any.
    pub server: Option<SocketAddrV6>,
    /// The error.
    pub error: LookupError,
    /// Time spent on it.
    pub after: Duration,
}

impl Failure {
    /// Returns what to do about it, if that is known.
    pub fn cure(&self) -> Option<&'static str> {
        match (self.error, self.source) {
            (LookupError::Timeout, AddressSource::Public(_)) => Some(
                "check that NAT64 is enabled on the border router and that its IPv4 uplink passes \
                 DNS",
            ),
            // OpenThread's border router answers this while it has no upstream server.
            (LookupError::NameError, AddressSource::Platform | AddressSource::BorderRouter) => {
                Some(
                    "check the spelling of the host name; if it is right, the network's DNS server may lack an upstream server (an OpenThread border router needs dns server upstream enable)",
                )
            }
            (LookupError::Timeout, AddressSource::Platform) => {
                Some("check the network connection, and that a configured DNS server answers")
            }
            // No server was involved.
            (LookupError::Unusable(address), AddressSource::Literal(_))
                if Class::of(address) == Class::Unspecified =>
            {
                Some("use the address of the broker's host")
            }
            (error, _) => error.cure(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)?;
        match (self.source, self.server) {
            (AddressSource::BorderRouter, Some(server)) => write!(f, " {}", Server(server))?,
            (AddressSource::Public(_), Some(server)) if server.ip().to_ipv4_mapped().is_none() => {
                write!(f, " through {}", server.ip())?;
            }
            _ => {}
        }
        write!(f, ": {}", self.error)?;
        match self.error {
            LookupError::Timeout => write!(f, " in {}", Seconds(self.after)),
            _ => Ok(()),
        }
    }
}

impl core::error::Error for Failure {}

/// The result of a resolution: the addresses, or what each source said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Addresses in the order to try; empty if every source failed.
    pub candidates: Vec<Candidate>,
    /// The source that answered; for a literal host, an [`AddressSource::Literal`] of it.
    pub answered_by: Option<AddressSource>,
    /// The server that answered, if one was queried.
    pub server: Option<SocketAddrV6>,
    /// Whether the answer came from the cache.
    pub cached: bool,
    /// One half of A and AAAA was not waited for longer than
    /// [`resolution_delay`](super::Config::resolution_delay). A
    /// [patient](super::Resolver::set_patient) resolution may find more addresses.
    pub half_missing: bool,
    /// The sources that failed, in order, and why. A source with several servers may appear several
    /// times.
    pub failures: Vec<Failure>,
    /// The usable prefixes, in order.
    pub prefixes: Vec<UsablePrefix>,
    /// Why RFC 7050 discovery found no prefix, if it was tried in this resolution.
    pub discovery: Option<Failure>,
    /// Time from the start to this report.
    pub elapsed: Duration,
}

impl Report {
    /// Returns the first cure among the failures; those about NAT64 take precedence.
    pub fn cure(&self) -> Option<&'static str> {
        let no_prefix = |failure: &&Failure| failure.error == LookupError::NoPrefix;
        let failure = self.failures.iter().find(no_prefix);
        failure
            .and_then(Failure::cure)
            .or_else(|| self.failures.iter().find_map(Failure::cure))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        match self.answered_by {
            Some(source) => {
                source.fmt(f)?;
                if let (AddressSource::BorderRouter, Some(server)) = (source, self.server) {
                    write!(f, " {}", Server(server))?;
                }
                write!(f, ": ")?;
                for candidate in &self.candidates {
                    write!(f, "{separator}{candidate}")?;
                    separator = ", ";
                }
                if self.cached {
                    return write!(f, ", from the cache");
                }
                return write!(f, " in {}", Seconds(self.elapsed));
            }
            None => write!(f, "no address: ")?,
        }
        if self.failures.is_empty() {
            return write!(f, "no resolver is configured");
        }
        for failure in self.discovery.iter().chain(&self.failures) {
            write!(f, "{separator}{failure}")?;
            separator = "; ";
        }
        Ok(())
    }
}
