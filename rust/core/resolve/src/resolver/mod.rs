//! The resolver's state machine: from a host to addresses, through a chain of resolvers.
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
//! The deadline is shared fairly: a source gets at most the remaining time, divided by the number
//! of remaining sources, so that a dead source cannot use up the time of the others. A source that
//! fails fast leaves its time to the later ones.
//!
//! Prefixes are kept apart from answers. The cache holds the IPv4 address that the DNS returned.
//! The addresses handed out are made from it with the prefixes usable at that moment. A DNS64's
//! AAAA answer inside a known prefix is converted back to IPv4. So nothing in the cache goes stale
//! when a prefix comes or goes.

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

/// Prefixes kept at a time, and servers queried per source; anything beyond is ignored.
const MAX_PREFIXES: usize = 4;
const MAX_SERVERS: usize = 3;

/// Whether this build supports DNS over TCP.
const TCP: bool = cfg!(feature = "dns-tcp");

/// The current state of the network.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Network {
    /// Attached to a Thread network (or simply: the interface is up) with an address that can reach
    /// beyond the mesh.
    pub attached: bool,
    /// NAT64 prefixes in the Thread network data; empty if none.
    pub prefixes: Vec<AdvertisedPrefix>,
    /// DNS servers that the network offers (the border router's): IPv6, port 53 by default.
    pub dns_servers: Vec<SocketAddrV6>,
    /// Native IPv4 works without NAT64 (a laptop). Candidates are then IPv4-mapped
    /// (`::ffff:a.b.c.d`).
    pub native_ipv4: bool,
}

/// The address family requested, like `getaddrinfo`'s `ai_family`.
///
/// It does not apply to literals: an IPv4 literal is synthesised even for an `AF_INET6` socket, and
/// an IPv6 literal is passed through even for `AF_INET`.
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

/// The order in which A (synthesised) and AAAA (native) addresses are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Policy {
    /// Synthesised addresses first: with most border routers only these work.
    #[default]
    PreferNat64,
    /// Native IPv6 first.
    PreferNative,
    /// Alternating, native first (RFC 8305 section 4).
    Interleaved,
}

/// One source in the chain of resolvers, which are tried in the configured order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AddressSource {
    /// The platform's own resolver (`getaddrinfo`).
    Platform,
    /// The DNS servers of [`Network::dns_servers`], at most three: on a Thread network the border
    /// router's, on a laptop those it is configured with.
    BorderRouter,
    /// A public IPv4 server, port 53, reached through NAT64 (or directly with native IPv4). Not
    /// queried for local names: `.local`, `.localhost`, `.internal`, `.home.arpa`, `.service.arpa`.
    Public(Ipv4Addr),
    /// A server, by its IPv6 address.
    Server(SocketAddrV6),
    /// A configured answer, without any query: the last resort.
    Literal(IpAddr),
}

/// Limits of the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheLimits {
    /// Number of answers kept; the one next to expire is evicted. Each takes some 100 to 500 bytes.
    /// 0 turns the cache off.
    pub entries: usize,
    /// Longest time that an answer is used, whatever its TTL.
    pub max_ttl: Duration,
    /// The same for "no such name" and "no such address" (RFC 2308), for an answer with one half
    /// missing, and for a prefix discovery that found nothing.
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
    /// The chain of sources; the first usable answer wins.
    pub chain: Vec<AddressSource>,
    /// Time limit of the whole chain.
    pub deadline: Duration,
    /// Time for one attempt at one server before the next attempt or source. Shorter if the fair
    /// share of the deadline requires it.
    pub attempt_timeout: Duration,
    /// Attempts per server, because DNS over UDP loses messages; 0 counts as 1.
    pub attempts: u8,
    /// How long to wait for the other half of A and AAAA once one half is usable (RFC 8305 section
    /// 3, whose 50 ms suit networks faster than a mesh of sleepy devices).
    pub resolution_delay: Duration,
    /// Order of the addresses.
    pub policy: Policy,
    /// Address families requested.
    pub family: Family,
    /// A prefix to use after those that the network publishes, or alone if it publishes none.
    pub configured_prefix: Option<Prefix>,
    /// Whether 64:ff9b::/96 may be assumed if no other prefix is known. This is a guess:
    /// OpenThread's border routers translate a prefix of their own, and then 64:ff9b::/96 leads
    /// nowhere.
    pub allow_well_known_prefix: bool,
    /// Whether the broker may have a loopback address (127.0.0.0/8, ::1). With native IPv4, and for
    /// the name `localhost`, it always may. Behind a NAT64 such an address means the device itself,
    /// but in an emulated network it can mean the machine that runs the emulation.
    pub loopback: bool,
    /// Whether RFC 7050 discovery is tried if the network data has no prefix. It queries the
    /// servers of [`Network::dns_servers`].
    pub discover_prefix: bool,
    /// Whether servers are also queried over TCP (RFC 7766): if an answer does not fit into a
    /// datagram, and after the last datagram without an answer. On by default in a build with the
    /// feature `dns-tcp`, and always off without it.
    pub tcp: bool,
    /// Most candidates in a report; 0 counts as 1. If a name has more, [`Resolver::forget`] moves
    /// on to the next ones.
    pub max_candidates: usize,
    /// Limits of the cache.
    pub cache: CacheLimits,
}

impl Default for Config {
    /// The platform, the border router, then Quad9 (9.9.9.9) and Google (8.8.8.8) through NAT64:
    /// two public operators, because a border router with a broken upstream DNS often still
    /// translates. Remove the [`AddressSource::Public`]s if names must not leave the site.
    ///
    /// 20 s in total, 3 s per attempt, two attempts, 1 s for the other half, NAT64 first, both
    /// families, discovery on, the well-known prefix not assumed, no loopback, at most 12
    /// candidates.
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

/// An action that the resolver requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send a UDP datagram from local port `from_port`. The same datagram may be sent again from
    /// the same port; at most two ports are in use at a time.
    Transmit {
        /// The random source port to bind.
        from_port: u16,
        /// The server.
        to: SocketAddrV6,
        /// The message.
        payload: Vec<u8>,
    },
    /// Close the UDP sockets: no more answers are expected on any port used so far.
    CloseUdp,
    /// Open a TCP connection to this server, and report it with
    /// [`handle_tcp_connected`](Resolver::handle_tcp_connected).
    TcpConnect(SocketAddrV6),
    /// Close that connection: it is no longer needed.
    TcpClose,
    /// Query the platform's resolver; answer with [`Resolver::handle_platform_lookup`]. Not
    /// requested again before the answer, because `getaddrinfo` cannot be cancelled.
    PlatformLookup {
        /// The name.
        name: String,
        /// The requested family.
        family: Family,
    },
}

/// Resolves a host to addresses. Runs one resolution at a time; the cache is kept across them.
///
/// Inputs are `handle_*`, commands are plain verbs, outputs are `poll_*`. After every input and
/// command, call [`poll_output`](Self::poll_output) until `None`, then
/// [`poll_report`](Self::poll_report) and [`poll_timeout`](Self::poll_timeout). Time is a
/// [`Duration`] since any fixed start (uptime); it must not run backwards. Spurious calls are
/// harmless. See the [crate documentation](crate) for the loop.
#[derive(Debug)]
pub struct Resolver {
    config: Config,
    network: Network,
    discovery: Discovery,
    cache: Cache,
    /// How many candidates had their turn already, if there are more than a report holds.
    skip: usize,
    walk: Option<Walk>,
    /// The query that the platform has not answered yet. Outlives the resolution that sent it.
    platform: Option<PlatformQuestion>,
    /// Wait the full time for the other half of an answer.
    patient: bool,
    /// Open ports are no longer needed.
    close_udp: bool,
    /// An open connection is no longer needed.
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
    /// Creates a resolver with an empty cache.
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

    /// Returns the configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Starts a resolution and drops an unfinished one.
    ///
    /// Call it once [`Network::attached`] is true: the resolver does not wait for the network, and
    /// its deadline starts here.
    pub fn start(&mut self, host: &Host, network: &Network, now: Duration) {
        self.start_until(host, network, now, Duration::MAX);
    }

    /// Like [`start`](Self::start), with a report no later than `latest`, if that is before the
    /// deadline.
    pub fn start_until(&mut self, host: &Host, network: &Network, now: Duration, latest: Duration) {
        self.cancel();
        self.handed_out = None;
        self.learn(network);
        self.cache.separate(&self.prefixes());
        self.begin(host, now, latest);
        self.advance(now);
    }

    /// Sets whether to wait the full time for the other half of A and AAAA, instead of just
    /// [`resolution_delay`](Config::resolution_delay): for a name whose known addresses failed.
    pub fn set_patient(&mut self, patient: bool) {
        self.patient = patient;
    }

    /// Drops an unfinished resolution, without a report.
    pub fn cancel(&mut self) {
        self.drop_walk();
        self.report = None;
    }

    /// Drops what the cache knows about a name. Call it if none of its addresses could be reached,
    /// so that the next resolution queries again. Prefix discovery is repeated too, at most once
    /// per [`max_negative_ttl`](CacheLimits::max_negative_ttl). If there are more addresses than
    /// [`max_candidates`](Config::max_candidates), the next ones get their turn.
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

    /// Returns whether a resolution is in progress.
    pub fn is_busy(&self) -> bool {
        self.walk.is_some()
    }

    /// Returns the prefixes usable now, first choice first.
    pub fn prefixes(&self) -> Vec<UsablePrefix> {
        let mut usable: Vec<UsablePrefix> = Vec::new();
        let mut add = |prefix, source| {
            let is_new = usable.iter().all(|known| known.prefix != prefix);
            if is_new && usable.len() < MAX_PREFIXES {
                usable.push(UsablePrefix { prefix, source });
            }
        };
        // One pass per preference: for so few prefixes, sorting would be larger code.
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

    /// Returns the next action; call it until `None`. First does what has become due by `now`.
    ///
    /// Query ids and ports are drawn from `rng`, which must be unpredictable (RFC 5452 section
    /// 9.2).
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

    /// Takes a datagram. Ignores anything but the answer to the current query from the queried
    /// server.
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

    /// Reports that a datagram to a server was not delivered: the port could not send it, or the
    /// network said so (ICMP). The server is sent no more datagrams.
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

    /// Returns whether the resolver has, or awaits, the connection of [`Output::TcpConnect`]. If
    /// so, TCP events belong to the resolver.
    pub fn uses_tcp(&self) -> bool {
        let exchange = self.walk.as_ref().and_then(Walk::exchange);
        TCP && exchange.is_some_and(Exchange::uses_tcp)
    }

    /// Reports that the connection of [`Output::TcpConnect`] is established.
    pub fn handle_tcp_connected(&mut self) {
        if let Some(exchange) = self.exchange_over_tcp() {
            exchange.handle_tcp_connected();
        }
    }

    /// Returns bytes to send, in order, to the server over that connection. Call it after
    /// [`poll_output`](Self::poll_output).
    pub fn tcp_transmit(&self) -> &[u8] {
        let exchange = self.walk.as_ref().and_then(Walk::exchange);
        let outbound = exchange.filter(|_| TCP).map(Exchange::tcp_outbound);
        outbound.unwrap_or_default()
    }

    /// Removes the first `n` of them, which were passed to TCP.
    pub fn consume_tcp_transmit(&mut self, n: usize) {
        if let Some(exchange) = self.exchange_over_tcp() {
            exchange.consume_tcp(n);
        }
    }

    /// Takes bytes from the server.
    pub fn handle_tcp_data(&mut self, data: &[u8], now: Duration) {
        if let Some(exchange) = self.exchange_over_tcp() {
            exchange.handle_tcp_data(data, now);
            self.settle(now);
            self.advance(now);
        }
    }

    /// Reports that the connection failed or has ended.
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

    /// Takes the platform's answer to [`Output::PlatformLookup`]. Report an error that has no
    /// variant of its own as [`LookupError::Platform`] with the platform's code.
    ///
    /// A late answer is used if it is positive and the same name is still being resolved.
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

    /// Reports that the network changed: a prefix or a server came or went. Cached answers follow.
    ///
    /// A resolution in progress starts over with the same deadline. Returns true if the caller
    /// should resolve again: addresses handed out before no longer work because their prefix is
    /// gone, or the last resolution failed and may succeed now.
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

    /// Handles the passing of time.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.advance(now);
    }

    /// Returns when to call [`handle_timeout`](Self::handle_timeout) next.
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.walk.as_ref().map(Walk::next_timeout)
    }

    /// Returns the result, once.
    pub fn poll_report(&mut self) -> Option<Report> {
        self.report.take()
    }

    /// Stores the state of the network. Returns true if anything relevant has changed.
    fn learn(&mut self, network: &Network) -> bool {
        let servers_changed = self.network.dns_servers != network.dns_servers;
        if servers_changed {
            // Another DNS64 may use another prefix.
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

/// Adds `delay` to a time, saturating. In one place, because the arithmetic takes dozens of bytes.
#[inline(never)]
fn later(now: Duration, delay: Duration) -> Duration {
    now.saturating_add(delay)
}

/// Multiplies a duration, likewise.
#[inline(never)]
fn times(n: u32, duration: Duration) -> Duration {
    duration.saturating_mul(n)
}
