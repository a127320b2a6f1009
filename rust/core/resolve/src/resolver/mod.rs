//! The resolver machine: from a host to addresses, through a chain of resolvers.
//!
//! ```text
//!  start(host)
//!     |
//!     v
//!  prefix discovery ---> cache ---> source 1 ---> source 2 ---> ... ---> report
//!  (RFC 7050, if the     (if it     (platform, border router,        (addresses, or what
//!   network data has      knows)     public server, literal)          each source said)
//!   no prefix)
//! ```
//!
//! The deadline is shared fairly: a source gets at most the time that is left, divided
//! by the sources that are left, so that a dead source cannot eat the time of the others.
//! A source that fails fast leaves its time to those behind it.
//!
//! Prefixes are kept apart from answers. The cache holds what the DNS said, an IPv4
//! address, and the addresses handed out are made from it with the prefixes usable
//! at that moment. A DNS64's AAAA answer inside a known prefix is taken apart the
//! same way. So nothing cached goes stale when a prefix comes or goes.

mod cache;
mod chain;
mod class;
mod discover;
mod exchange;
mod order;
mod report;
mod tcp;

pub use report::{Candidate, Failure, LookupError, Origin, Report, UdpError};

use crate::prefix::{AdvertisedPrefix, Preference, Prefix, PrefixSource, UsablePrefix};
use crate::uri::Host;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use cache::Cache;
use chain::{PlatformQuestion, Walk};
use core::net::{IpAddr, Ipv4Addr, SocketAddrV6};
use core::time::Duration;
use discover::Discovery;
use exchange::Exchange;

/// Prefixes kept at a time, and servers asked per source: what a network offers beyond is ignored.
const MAX_PREFIXES: usize = 4;
const MAX_SERVERS: usize = 3;

/// Whether this build speaks DNS over TCP.
const TCP: bool = cfg!(feature = "dns-tcp");

/// What the port knows of the network right now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Network {
    /// Attached to a Thread network (or simply: the interface is up) with an address that can reach beyond the mesh.
    pub attached: bool,
    /// NAT64 prefixes in the Thread network data; empty if none.
    pub prefixes: Vec<AdvertisedPrefix>,
    /// DNS servers the network offers (the border router's), IPv6, port 53 unless said.
    pub dns_servers: Vec<SocketAddrV6>,
    /// Native IPv4 works without NAT64 (a laptop). Candidates are then IPv4-mapped (`::ffff:a.b.c.d`).
    pub native_ipv4: bool,
}

/// Which addresses are wanted of a name, after `getaddrinfo`'s `ai_family`.
///
/// A literal is what it is under every hint: an IPv4 literal is synthesised even for
/// an `AF_INET6` socket, an IPv6 literal is passed through even for `AF_INET`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Family {
    /// Both.
    #[default]
    Unspecified,
    /// A records only (synthesised).
    Inet,
    /// AAAA records only.
    Inet6,
}

/// In which order A (synthesised) and AAAA (native) addresses are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Policy {
    /// Synthesised addresses first: behind most border routers only these work.
    #[default]
    PreferNat64,
    /// Native IPv6 first.
    PreferNative,
    /// One of each in turn, native first (RFC 8305 section 4).
    Interleaved,
}

/// One source of the chain of resolvers, tried in the order configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AddressSource {
    /// The platform's own resolver (`getaddrinfo`).
    Platform,
    /// The DNS servers of [`Network::dns_servers`], at most three: on a Thread network the border
    /// router's, on a laptop those it is configured with.
    BorderRouter,
    /// A public IPv4 server reached through NAT64 (with native IPv4: directly), port 53. Not
    /// asked for local names: `.local`, `.localhost`, `.internal`, `.home.arpa`, `.service.arpa`.
    Public(Ipv4Addr),
    /// A server by IPv6 address.
    Server(SocketAddrV6),
    /// A configured answer: no question asked. The last resort.
    Literal(IpAddr),
}

/// Bounds of the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheLimits {
    /// Answers kept; the one next to expire makes room. Each takes some 100 to 500 bytes. 0 turns the cache off.
    pub entries: usize,
    /// An answer is believed no longer than this, whatever its TTL.
    pub max_ttl: Duration,
    /// The same for "no such name" and "no such address" (RFC 2308), for an answer of
    /// which one half is missing, and for a prefix discovery that found nothing.
    pub max_negative_ttl: Duration,
}

impl Default for CacheLimits {
    /// Four answers, an hour, one minute.
    fn default() -> Self {
        Self {
            entries: 4,
            max_ttl: Duration::from_secs(3600),
            max_negative_ttl: Duration::from_secs(60),
        }
    }
}

/// Configuration of a [`Resolver`].
#[derive(Debug, Clone)]
pub struct Config {
    /// The chain, first usable answer wins.
    pub chain: Vec<AddressSource>,
    /// One deadline over the whole chain.
    pub deadline: Duration,
    /// Time for one attempt at one server before the next try or source. Shorter when the deadline's fair share demands it.
    pub attempt_timeout: Duration,
    /// Attempts per server (DNS over UDP loses messages); 0 counts as 1.
    pub attempts: u8,
    /// How long to wait for the other half of A and AAAA once one half is usable
    /// (RFC 8305 section 3; its 50 ms are for networks faster than a mesh of sleepy devices).
    pub resolution_delay: Duration,
    /// Address order.
    pub policy: Policy,
    /// Address families wanted.
    pub family: Family,
    /// A prefix to use behind those the network publishes, or alone if it publishes none.
    pub configured_prefix: Option<Prefix>,
    /// Whether 64:ff9b::/96 may be assumed when nothing else is known. A guess: OpenThread's
    /// border routers translate a prefix of their own, behind which 64:ff9b::/96 leads nowhere.
    pub allow_well_known_prefix: bool,
    /// Whether a loopback address (127.0.0.0/8, ::1) may be the broker's. With native IPv4, and for
    /// the name `localhost`, it may anyway. To a device behind a NAT64 it is itself, but to one in an
    /// emulated network it can be the machine that emulates it.
    pub loopback: bool,
    /// Whether RFC 7050 discovery is tried when the network data has no prefix. It asks the
    /// servers of [`Network::dns_servers`].
    pub discover_prefix: bool,
    /// Whether a server is asked over TCP, too (RFC 7766): for an answer that does not fit into a
    /// datagram, and after the last datagram without an answer. Default: where the crate has the
    /// feature `dns-tcp`; without it nothing is.
    pub tcp: bool,
    /// Most candidates in a report; 0 counts as 1. Where a name has more, those behind them have their turn after
    /// [`Resolver::forget`].
    pub max_candidates: usize,
    /// Bounds of the cache.
    pub cache: CacheLimits,
}

impl Default for Config {
    /// The platform, the border router, then Quad9 (9.9.9.9) and Google (8.8.8.8) through NAT64:
    /// two public operators, because a border router whose upstream DNS is broken often still
    /// translates. Remove the [`AddressSource::Public`]s where names must not leave the house.
    ///
    /// 20 s over all, 3 s an attempt, two attempts, 1 s for the other half, NAT64 first, both
    /// families, discovery on, the well-known prefix not assumed, no loopback, at most 12 candidates.
    fn default() -> Self {
        Self {
            chain: vec![
                AddressSource::Platform,
                AddressSource::BorderRouter,
                AddressSource::Public(Ipv4Addr::new(9, 9, 9, 9)),
                AddressSource::Public(Ipv4Addr::new(8, 8, 8, 8)),
            ],
            deadline: Duration::from_secs(20),
            attempt_timeout: Duration::from_secs(3),
            attempts: 2,
            resolution_delay: Duration::from_secs(1),
            policy: Policy::default(),
            family: Family::default(),
            configured_prefix: None,
            allow_well_known_prefix: false,
            loopback: false,
            discover_prefix: true,
            tcp: TCP,
            max_candidates: 12,
            cache: CacheLimits::default(),
        }
    }
}

/// What the resolver wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send a UDP datagram from local port `from_port`. The same datagram may be sent again
    /// from the same port; at most two ports are in use at a time.
    Transmit {
        /// Random source port to bind.
        from_port: u16,
        /// The server.
        to: SocketAddrV6,
        /// The message.
        payload: Vec<u8>,
    },
    /// No answer is awaited any more on any port used so far: close the UDP sockets.
    CloseUdp,
    /// Open a TCP connection to this server; tell
    /// [`handle_tcp_connected`](Resolver::handle_tcp_connected).
    TcpConnect(SocketAddrV6),
    /// That connection is of no use any more: close it.
    TcpClose,
    /// Ask the platform's resolver; answer with [`Resolver::handle_platform_lookup`].
    /// Not asked again before it is answered: a `getaddrinfo` cannot be called off.
    PlatformLookup {
        /// The name.
        name: String,
        /// The family wanted.
        family: Family,
    },
}

/// Turns a host into addresses. One resolution at a time; the cache survives them all.
///
/// Inputs are `handle_*`, commands are plain verbs, outputs are `poll_*`. After every
/// input and command, call [`poll_output`](Self::poll_output) until `None`, then ask
/// [`poll_report`](Self::poll_report) and [`poll_timeout`](Self::poll_timeout). Time is a
/// [`Duration`] since any fixed start (uptime); it must not run backwards. Spurious calls
/// are harmless. See the [crate's documentation](crate) for the loop.
#[derive(Debug)]
pub struct Resolver {
    config: Config,
    network: Network,
    discovery: Discovery,
    cache: Cache,
    /// Of more candidates than a report holds so many had their turn.
    skip: usize,
    walk: Option<Walk>,
    /// The question the platform has not answered yet. Outlives the resolution that asked it.
    platform: Option<PlatformQuestion>,
    /// The other half of an answer has all of its time.
    patient: bool,
    /// Ports are open that are no longer needed.
    close_udp: bool,
    /// So is a connection.
    close_tcp: bool,
    report: Option<Report>,
    handed_out: Option<HandedOut>,
}

/// What the last report depends on.
#[derive(Debug)]
struct HandedOut {
    prefixes: Vec<Prefix>,
    mapped: bool,
    failed: bool,
}

impl Resolver {
    /// A resolver with an empty cache.
    pub fn new(mut config: Config) -> Self {
        config.tcp &= TCP;
        Self {
            cache: Cache::new(config.cache),
            skip: 0,
            config,
            network: Network::default(),
            discovery: Discovery::default(),
            walk: None,
            platform: None,
            patient: false,
            close_udp: false,
            close_tcp: false,
            report: None,
            handed_out: None,
        }
    }

    /// Its configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Begins a resolution; an unfinished one is dropped.
    ///
    /// Call it once [`Network::attached`]: the resolver does not wait for the network, its
    /// deadline runs from here.
    pub fn start(&mut self, host: &Host, network: &Network, now: Duration) {
        self.start_until(host, network, now, Duration::MAX);
    }

    /// As [`start`](Self::start), with a report at `latest`, where that is before the deadline.
    pub fn start_until(&mut self, host: &Host, network: &Network, now: Duration, latest: Duration) {
        self.cancel();
        self.handed_out = None;
        self.learn(network);
        self.cache.separate(&self.prefixes());
        self.begin(host, now, latest);
        self.advance(now);
    }

    /// Whether the other half of A and AAAA has all of its time from now on, and not only
    /// [`resolution_delay`](Config::resolution_delay): for a name of which known addresses failed.
    pub fn set_patient(&mut self, patient: bool) {
        self.patient = patient;
    }

    /// Drops an unfinished resolution, without a report.
    pub fn cancel(&mut self) {
        self.drop_walk();
        self.report = None;
    }

    /// Forgets what the cache knows of a name: call it when none of its addresses could be
    /// reached, so that the next resolution asks again. It also asks again for a prefix that was
    /// discovered, at most once in [`max_negative_ttl`](CacheLimits::max_negative_ttl). Of more addresses than
    /// [`max_candidates`](Config::max_candidates) the next ones have their turn.
    pub fn forget(&mut self, host: &Host) {
        self.skip = self.skip.wrapping_add(self.limit());
        self.discovery.due = self.discovery.due.min(self.discovery.earliest);
        if let Host::Name(name) = host {
            self.cache.forget(name);
        }
    }

    fn limit(&self) -> usize {
        self.config.max_candidates.max(1)
    }

    /// Whether a resolution is under way.
    pub fn is_busy(&self) -> bool {
        self.walk.is_some()
    }

    /// The prefixes usable now, first choice first.
    pub fn prefixes(&self) -> Vec<UsablePrefix> {
        let mut usable: Vec<UsablePrefix> = Vec::new();
        let mut add = |prefix, source| {
            let is_new = usable.iter().all(|known| known.prefix != prefix);
            if is_new && usable.len() < MAX_PREFIXES {
                usable.push(UsablePrefix { prefix, source });
            }
        };
        // A pass for each preference: for the few that there are, sorting is the larger program.
        for preference in [Preference::High, Preference::Medium, Preference::Low] {
            for advertised in &self.network.prefixes {
                if advertised.preference == preference {
                    add(advertised.prefix, PrefixSource::NetworkData);
                }
            }
        }
        for prefix in &self.discovery.prefixes {
            add(*prefix, PrefixSource::Discovered);
        }
        if let Some(prefix) = self.config.configured_prefix {
            add(prefix, PrefixSource::Configured);
        }
        if usable.is_empty() && self.config.allow_well_known_prefix {
            usable.push(UsablePrefix {
                prefix: Prefix::WELL_KNOWN,
                source: PrefixSource::WellKnown,
            });
        }
        usable
    }

    /// The next thing to do, until `None`. What has become due by `now` is done first.
    ///
    /// Ids and ports of queries are drawn from `rng`, which must be unpredictable
    /// (RFC 5452 section 9.2).
    pub fn poll_output(&mut self, now: Duration, rng: &mut dyn rand_core::Rng) -> Option<Output> {
        self.advance(now);
        if core::mem::take(&mut self.close_udp) {
            return Some(Output::CloseUdp);
        }
        if TCP && core::mem::take(&mut self.close_tcp) {
            return Some(Output::TcpClose);
        }
        if let Some(platform) = self.platform.as_mut() {
            if !core::mem::replace(&mut platform.asked, true) {
                return Some(Output::PlatformLookup {
                    name: platform.name.clone(),
                    family: self.config.family,
                });
            }
        }
        self.walk.as_mut()?.poll_transmit(rng)
    }

    /// A datagram that arrived. Anything but the answer to the question asked, from the server asked, is ignored.
    pub fn handle_datagram(
        &mut self,
        from: SocketAddrV6,
        to_port: u16,
        payload: &[u8],
        now: Duration,
    ) {
        let Some(walk) = self.walk.as_mut() else {
            return;
        };
        if let Some(exchange) = walk.exchange_mut() {
            exchange.handle_datagram(from, to_port, payload, now);
            self.settle(now);
            self.advance(now);
        }
    }

    /// A datagram to a server did not arrive: the port could not send it, or the network says so (ICMP). The
    /// server is not asked by datagrams any more.
    pub fn handle_undelivered(&mut self, to: SocketAddrV6, error: UdpError, now: Duration) {
        let error = match error {
            UdpError::Unreachable => LookupError::Unreachable,
            UdpError::Refused => LookupError::NotListening,
        };
        if let Some(exchange) = self.walk.as_mut().and_then(Walk::exchange_mut) {
            exchange.handle_undelivered(to, error, now);
            self.advance(now);
        }
    }

    /// Whether it has, or awaits, the connection of [`Output::TcpConnect`]: then what happens to TCP is
    /// for the resolver.
    pub fn uses_tcp(&self) -> bool {
        let exchange = self.walk.as_ref().and_then(Walk::exchange);
        TCP && exchange.is_some_and(Exchange::uses_tcp)
    }

    /// The connection of [`Output::TcpConnect`] is there.
    pub fn handle_tcp_connected(&mut self) {
        if let Some(exchange) = self.exchange_over_tcp() {
            exchange.handle_tcp_connected();
        }
    }

    /// Bytes for the server, to be sent over that connection in order; ask after
    /// [`poll_output`](Self::poll_output).
    pub fn tcp_transmit(&self) -> &[u8] {
        let exchange = self.walk.as_ref().and_then(Walk::exchange);
        let outbound = exchange.filter(|_| TCP).map(Exchange::tcp_outbound);
        outbound.unwrap_or_default()
    }

    /// The first `n` of them were handed to TCP.
    pub fn consume_tcp_transmit(&mut self, n: usize) {
        if let Some(exchange) = self.exchange_over_tcp() {
            exchange.consume_tcp(n);
        }
    }

    /// Bytes from the server.
    pub fn handle_tcp_data(&mut self, data: &[u8], now: Duration) {
        if let Some(exchange) = self.exchange_over_tcp() {
            exchange.handle_tcp_data(data);
            self.settle(now);
            self.advance(now);
        }
    }

    /// The connection could not be made, or has ended.
    pub fn handle_tcp_closed(&mut self, now: Duration) {
        if let Some(exchange) = self.exchange_over_tcp() {
            exchange.handle_tcp_closed();
            self.advance(now);
        }
    }

    fn exchange_over_tcp(&mut self) -> Option<&mut Exchange> {
        let exchange = self.walk.as_mut().and_then(Walk::exchange_mut);
        exchange.filter(|_| TCP)
    }

    /// The platform's answer to [`Output::PlatformLookup`]. An error that has no variant of its own is
    /// [`LookupError::Platform`] with the platform's code.
    ///
    /// An answer that comes after its source's time is used if it is positive and the same name is still sought.
    pub fn handle_platform_lookup(
        &mut self,
        answer: Result<Vec<IpAddr>, LookupError>,
        now: Duration,
    ) {
        let Some(question) = self.platform.take_if(|question| question.asked) else {
            return;
        };
        self.platform_answered(&question, answer, now);
    }

    /// The network changed: a prefix or a server came or went. Cached answers follow.
    ///
    /// A resolution under way starts over, its deadline unchanged. Returns true if addresses
    /// handed out before can no longer work, because their prefix is gone, or if the last
    /// resolution failed and may fare better now: the caller should resolve again.
    pub fn handle_network(&mut self, network: &Network, now: Duration) -> bool {
        let before = self.prefixes();
        let changed = self.learn(network);
        let prefixes = self.prefixes();
        self.cache.separate(&prefixes);
        let changed = changed || before != prefixes;
        if changed && self.walk.is_some() {
            self.begin_again(now);
            return false;
        }
        let Some(handed_out) = &self.handed_out else {
            return false;
        };
        let usable = |wanted: &Prefix| prefixes.iter().any(|usable| usable.prefix == *wanted);
        (handed_out.failed && changed)
            || (handed_out.mapped && !self.network.native_ipv4)
            || !handed_out.prefixes.iter().all(usable)
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.advance(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called next.
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.walk.as_ref().map(Walk::next_timeout)
    }

    /// The result, once.
    pub fn poll_report(&mut self) -> Option<Report> {
        self.report.take()
    }

    /// Takes note of the network; true if anything that matters here has changed.
    fn learn(&mut self, network: &Network) -> bool {
        let servers_changed = self.network.dns_servers != network.dns_servers;
        if servers_changed {
            // Another DNS64 may synthesise another prefix.
            self.discovery = Discovery::default();
        }
        let changed = servers_changed
            || self.network.prefixes != network.prefixes
            || self.network.native_ipv4 != network.native_ipv4;
        if changed {
            self.cache.forget_failures();
        }
        self.network.clone_from(network);
        changed
    }
}

/// The time after `delay`, as far as time goes. One place for arithmetic that is dozens of bytes long.
#[inline(never)]
fn later(now: Duration, delay: Duration) -> Duration {
    now.saturating_add(delay)
}

/// So many times a duration, likewise.
#[inline(never)]
fn times(n: u32, duration: Duration) -> Duration {
    duration.saturating_mul(n)
}
