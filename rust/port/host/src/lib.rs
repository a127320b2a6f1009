//! The port over a laptop's own sockets.
//!
//! ```text
//!   thread-mqtt-driver ── Port ──▶ HostPort ──▶ TCP, UDP     non-blocking, waited for by mio
//!                                          └──▶ getaddrinfo  on a thread of its own
//!   another thread ──── Waker ───▶ ends a wait
//! ```
//!
//! A laptop is always "attached" and reaches IPv4 natively: candidates are IPv4-mapped addresses
//! (`::ffff:192.0.2.1`), and the port connects to them with IPv4 sockets. With
//! [`Options::ipv6_only`] it behaves like a host behind NAT64, where every IPv4 address must be
//! synthesised.
//!
//! [`FileStore`] keeps a session in a directory, so that it survives restarts.
//!
//! This port does not supply NAT64 prefixes, because a laptop has no Thread network data. Discover
//! the prefix (RFC 7050), or configure it in the resolver.
//!
//! ```
//! use thread_mqtt_driver::{Interest, Port};
//! use thread_mqtt_host::{HostPort, Options};
//!
//! let mut port = HostPort::new(Options::default())?;
//! assert!(port.network().attached);
//! let waker = port.waker();
//! let other = std::thread::spawn(move || waker.wake());
//! port.wait(None, Interest { receive: false, send: false });
//! # other.join().unwrap();
//! # Ok::<(), std::io::Error>(())
//! ```
#![forbid(unsafe_code)]

mod lookup;
mod resolv_conf;
mod store;
mod tcp;
mod udp;

pub use lookup::is_localhost;
pub use resolv_conf::with_zone;
pub use store::FileStore;

use lookup::Lookup;
use mio::{Events, Poll, Token};
use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tcp::Tcp;
use thread_mqtt_client::TcpError;
use thread_mqtt_driver::{Interest, Port, Received, TcpState};
use thread_mqtt_resolve::Network;
use thread_mqtt_resolve::resolver::{Family, LookupError, UdpError};
use udp::Udp;

/// What a [`HostPort`] reports about its network.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// IPv4 is reachable through NAT64 only.
    pub ipv6_only: bool,
    /// The DNS servers of the network; by default those of `/etc/resolv.conf`.
    pub dns_servers: Option<Vec<SocketAddrV6>>,
}

/// The port over this host's sockets.
#[derive(Debug)]
pub struct HostPort {
    poll: Poll,
    events: Events,
    waker: Waker,
    started: Instant,
    network: Network,
    tcp: Tcp,
    udp: Udp,
    lookup: Lookup,
}

/// Ends a [`wait`](Port::wait) from another thread.
#[derive(Debug, Clone)]
pub struct Waker(Arc<mio::Waker>);

impl Waker {
    /// Ends the current wait, or the next one.
    pub fn wake(&self) {
        // This fails only if the port is gone, and then nothing waits.
        let _ = self.0.wake();
    }
}

const WAKER: Token = Token(0);
const TCP: Token = Token(1);
const UDP: Token = Token(2);

impl HostPort {
    /// Creates a port without connections.
    pub fn new(options: Options) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Waker(Arc::new(mio::Waker::new(poll.registry(), WAKER)?));
        let dns_servers = options.dns_servers.unwrap_or_else(|| {
            let text = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
            resolv_conf::servers(&text)
        });
        Ok(Self {
            poll,
            events: Events::with_capacity(16),
            waker,
            started: Instant::now(),
            network: Network {
                attached: true,
                dns_servers,
                native_ipv4: !options.ipv6_only,
                ..Network::default()
            },
            tcp: Tcp::default(),
            udp: Udp::default(),
            lookup: Lookup::new(),
        })
    }

    /// Returns a handle that wakes this port.
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }
}

impl Port for HostPort {
    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn unix_time(&self) -> Option<u64> {
        Some(unix_seconds(SystemTime::now()))
    }

    fn fill_random(&mut self, buf: &mut [u8]) -> Result<(), i32> {
        getrandom::fill(buf).map_err(|error| error.raw_os_error().map_or(-1, i32::wrapping_neg))
    }

    fn network(&mut self) -> Network {
        self.network.clone()
    }

    fn tcp_connect(&mut self, to: SocketAddrV6) -> Result<(), TcpError> {
        self.tcp.connect(from_mapped(to), self.poll.registry(), TCP)
    }

    fn tcp_state(&mut self) -> TcpState {
        self.tcp.state()
    }

    fn tcp_send(&mut self, data: &[u8]) -> Result<usize, TcpError> {
        self.tcp.send(data)
    }

    fn tcp_receive(&mut self, buf: &mut [u8]) -> Result<Received, TcpError> {
        self.tcp.receive(buf)
    }

    fn tcp_close(&mut self, abort: bool) {
        self.tcp.close(abort);
    }

    fn udp_send(&mut self, from_port: u16, to: SocketAddrV6, payload: &[u8]) -> Result<(), i32> {
        self.udp
            .send(from_port, to, payload, self.poll.registry(), UDP)
            .map_err(|error| {
                self.udp.note(to, &error);
                code(&error)
            })
    }

    fn udp_receive(&mut self, buf: &mut [u8]) -> Option<(SocketAddrV6, u16, usize)> {
        self.udp.receive(buf)
    }

    fn udp_undelivered(&mut self) -> Option<(SocketAddrV6, UdpError)> {
        self.udp.undelivered()
    }

    fn udp_close(&mut self) {
        self.udp.close();
    }

    fn platform_lookup(&mut self, name: &str, family: Family) -> Result<(), LookupError> {
        self.lookup
            .ask(name, family, self.waker.clone())
            .map_err(|error| LookupError::Platform(code(&error)))
    }

    fn poll_platform_lookup(&mut self) -> Option<Result<Vec<IpAddr>, LookupError>> {
        self.lookup.poll()
    }

    /// Edge-triggered: an event the caller is not interested in ends only one wait, so `interest`
    /// is not needed.
    fn wait(&mut self, until: Option<Duration>, _interest: Interest) {
        let timeout = until.map(|until| until.saturating_sub(self.now()));
        // Being interrupted by a signal counts as a wake-up.
        let _ = self.poll.poll(&mut self.events, timeout);
    }
}

/// Returns the platform's error number, negated.
fn code(error: &io::Error) -> i32 {
    error.raw_os_error().map_or(-1, i32::wrapping_neg)
}

/// Returns the address to use for a socket: the IPv4 address if it is an IPv4-mapped one.
fn from_mapped(address: SocketAddrV6) -> SocketAddr {
    match address.ip().to_ipv4_mapped() {
        Some(ipv4) => SocketAddr::new(ipv4.into(), address.port()),
        None => address.into(),
    }
}

/// Returns 0 for a clock before 1970, like a clock that was never set: a time, although a wrong
/// one. Without any time, expired certificates would be accepted.
fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_before_1970_is_not_one_that_is_missing() {
        for (time, seconds) in [
            (UNIX_EPOCH + Duration::from_secs(7), 7),
            (UNIX_EPOCH, 0),
            (UNIX_EPOCH - Duration::from_secs(7), 0),
        ] {
            assert_eq!(unix_seconds(time), seconds);
        }
    }
}
