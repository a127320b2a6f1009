//! The platform under a client.
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddrV6};
use core::time::Duration;
use thread_mqtt_client::TcpError;
use thread_mqtt_resolve::resolver::{Family, LookupError, Network, UdpError};

/// State of the one TCP connection of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TcpState {
    /// None open.
    Closed,
    /// Connecting.
    Connecting,
    /// Connected.
    Connected,
    /// Failed or ended; stays so until the next open or close.
    Failed(TcpError),
}

/// Result of a receive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// This many bytes, at least one.
    Bytes(usize),
    /// Nothing now.
    WouldBlock,
    /// The peer sent FIN, and everything before it was received.
    EndOfStream,
}

/// What the TCP connection is waited for. While a connect is under way, its end always is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interest {
    /// There are bytes to receive, or the end of the stream. Not wanted while the client takes no
    /// more (back-pressure): a port that waits level-triggered must then not look at it.
    pub receive: bool,
    /// There is room to send.
    pub send: bool,
}

/// The platform under a client: one TCP connection, UDP datagrams for DNS, a resolver, a clock,
/// entropy. No call but [`wait`](Port::wait) blocks.
///
/// Codes (`i32`) are the platform's own, negative by custom; they are shown to the user and
/// otherwise not looked at.
pub trait Port {
    /// Monotonic time since any fixed start.
    fn now(&self) -> Duration;
    /// Wall clock in Unix seconds, if known.
    fn unix_time(&self) -> Option<u64>;
    /// Fills `buf` from the platform's entropy source.
    fn fill_random(&mut self, buf: &mut [u8]) -> Result<(), i32>;
    /// Whether the port is attached, the prefixes and servers of the network.
    fn network(&mut self) -> Network;
    /// Begins a TCP connect; an earlier connection is aborted.
    fn tcp_connect(&mut self, to: SocketAddrV6) -> Result<(), TcpError>;
    /// State of the connection.
    fn tcp_state(&mut self) -> TcpState;
    /// Sends what fits; 0 if nothing fits now.
    fn tcp_send(&mut self, data: &[u8]) -> Result<usize, TcpError>;
    /// Receives what there is. What came before a failure is received before the failure.
    fn tcp_receive(&mut self, buf: &mut [u8]) -> Result<Received, TcpError>;
    /// Closes: FIN after what was sent, or RST if `abort`.
    fn tcp_close(&mut self, abort: bool);
    /// Sends a datagram from a local port, opening the socket if needed.
    fn udp_send(&mut self, from_port: u16, to: SocketAddrV6, payload: &[u8]) -> Result<(), i32>;
    /// The next datagram: from, local port, length. What does not fit into `buf` is cut off.
    fn udp_receive(&mut self, buf: &mut [u8]) -> Option<(SocketAddrV6, u16, usize)>;
    /// The next server at which datagrams do not arrive, as [`udp_send`](Self::udp_send) has found or as the network
    /// says (ICMP), which may show with [`udp_receive`](Self::udp_receive); each once. A port that does not know has
    /// nothing to do: the server is waited for.
    fn udp_undelivered(&mut self) -> Option<(SocketAddrV6, UdpError)> {
        None
    }
    /// Closes all UDP sockets.
    fn udp_close(&mut self);
    /// Starts a look-up with the platform's resolver. A failure that no other variant names is
    /// [`LookupError::Platform`] with the platform's code.
    fn platform_lookup(&mut self, name: &str, family: Family) -> Result<(), LookupError>;
    /// Its answer, once.
    fn poll_platform_lookup(&mut self) -> Option<Result<Vec<IpAddr>, LookupError>>;
    /// Tells before a wait whether an answer is under way: a radio that sleeps should listen often
    /// until it is there. Other ports have nothing to do.
    fn await_answer(&mut self, awaited: bool) {
        let _ = awaited;
    }
    /// Blocks until a socket is ready for what is wanted of it, a datagram or the resolver's answer
    /// came, the network changed, another thread woke the port, or it is `until`.
    fn wait(&mut self, until: Option<Duration>, interest: Interest);
}
