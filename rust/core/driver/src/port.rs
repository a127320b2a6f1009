//! The platform interface.
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddrV6};
use core::time::Duration;
use thread_mqtt_client::TcpError;
use thread_mqtt_resolve::resolver::{Family, LookupError, Network, UdpError};

/// State of the port's single TCP connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TcpState {
    /// Not open.
    Closed,
    /// Connecting.
    Connecting,
    /// Connected.
    Connected,
    /// Failed or ended. Stays so until the next open or close.
    Failed(TcpError),
}

/// Result of a receive call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// This many bytes were received, at least one.
    Bytes(usize),
    /// Nothing is available now.
    WouldBlock,
    /// The peer sent FIN, and everything before it was received.
    EndOfStream,
}

/// What to wait for on the TCP connection. The end of a pending connect is always waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interest {
    /// Data to receive, or the end of the stream. False while the client takes no more data
    /// (back-pressure): a port with a level-triggered wait must then not poll for it.
    pub receive: bool,
    /// Room to send.
    pub send: bool,
}

/// The platform interface: one TCP connection, UDP datagrams for DNS, a resolver, a clock and
/// entropy. Only [`wait`](Port::wait) blocks.
///
/// Codes (`i32`) are the platform's own, negative by convention. They are shown to the user and not
/// interpreted.
pub trait Port {
    /// Returns the monotonic time since any fixed start.
    fn now(&self) -> Duration;
    /// Returns the wall-clock time in Unix seconds, if known.
    fn unix_time(&self) -> Option<u64>;
    /// Fills `buf` from the platform's entropy source.
    fn fill_random(&mut self, buf: &mut [u8]) -> Result<(), i32>;
    /// Returns whether the device is attached, and the network's prefixes and servers.
    fn network(&mut self) -> Network;
    /// Starts a TCP connect. An existing connection is aborted.
    fn tcp_connect(&mut self, to: SocketAddrV6) -> Result<(), TcpError>;
    /// Returns the state of the TCP connection.
    fn tcp_state(&mut self) -> TcpState;
    /// Sends as much as fits. Returns 0 if nothing fits now.
    fn tcp_send(&mut self, data: &[u8]) -> Result<usize, TcpError>;
    /// Receives available data. Data that arrived before a failure is returned before the failure.
    fn tcp_receive(&mut self, buf: &mut [u8]) -> Result<Received, TcpError>;
    /// Closes the connection: with FIN after pending data, or with RST if `abort`.
    fn tcp_close(&mut self, abort: bool);
    /// Sends a datagram from a local port, opening the socket if needed.
    fn udp_send(&mut self, from_port: u16, to: SocketAddrV6, payload: &[u8]) -> Result<(), i32>;
    /// Returns the next datagram: its sender, local port and length. Data beyond `buf` is cut off.
    fn udp_receive(&mut self, buf: &mut [u8]) -> Option<(SocketAddrV6, u16, usize)>;
    /// Returns the next server that datagrams do not reach, once each: as
    /// [`udp_send`](Self::udp_send) has found, or as the network reports (ICMP), which may show
    /// only with [`udp_receive`](Self::udp_receive). A port that cannot tell need not implement
    /// this; the query then times out.
    fn udp_undelivered(&mut self) -> Option<(SocketAddrV6, UdpError)> {
        None
    }
    /// Closes all UDP sockets.
    fn udp_close(&mut self);
    /// Starts a lookup with the platform's resolver. A failure without a variant of its own is
    /// [`LookupError::Platform`] with the platform's code.
    fn platform_lookup(&mut self, name: &str, family: Family) -> Result<(), LookupError>;
    /// Returns the lookup's answer, once.
    fn poll_platform_lookup(&mut self) -> Option<Result<Vec<IpAddr>, LookupError>>;
    /// Called before a wait to tell whether an answer is awaited: a sleepy radio should then poll
    /// often. Other ports can ignore it.
    fn await_answer(&mut self, awaited: bool) {
        let _ = awaited;
    }
    /// Blocks until one of these: a socket is ready as requested, a datagram or the resolver's
    /// answer has arrived, the network has changed, another thread has woken the port, or `until`
    /// is reached.
    fn wait(&mut self, until: Option<Duration>, interest: Interest);
}
