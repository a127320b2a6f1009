//! The device's TCP: smoltcp above OpenThread's IPv6.
use core::net::{Ipv6Addr, SocketAddrV6};
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr, Ipv6Packet, TcpPacket};

use crate::patience::Patience;
use crate::wire::Wire;

/// IPv6's minimum, which a Thread network carries: an MSS of 1,220 bytes.
const MTU: usize = 1280;
/// Zephyr's default: a third of 36 buffers of 128 bytes each.
const RECEIVE_WINDOW: usize = 1536;
/// Room for segments that wait for their acknowledgement.
const SEND_BUFFER: usize = 3 * 1024;
/// A peer that leaves sent data unacknowledged for this long is given up.
const SILENCE: Duration = Duration::from_secs(120);
/// First local port of outgoing connections (RFC 6335, section 6).
const FIRST_PORT: u16 = 49_152;

/// The state of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TcpEnd {
    /// SYN sent.
    Connecting,
    /// Established, or half closed.
    Connected,
    /// Closed gracefully.
    Closed,
    /// RST in response to the SYN.
    Refused,
    /// RST after the connection was established.
    Reset,
    /// The peer stopped responding.
    TimedOut,
}

/// The stack, with the application's single connection.
pub(crate) struct TcpStack {
    interface: Interface,
    wire: Wire,
    sockets: SocketSet<'static>,
    connection: Option<Connection>,
    /// Closed by the application; FIN and its acknowledgement are still in flight.
    leaving: Vec<(SocketHandle, Patience)>,
    next_port: u16,
}

struct Connection {
    socket: SocketHandle,
    patience: Patience,
    port: u16,
    /// The SYN was answered.
    established: bool,
    /// A RST arrived.
    reset: bool,
}

impl TcpStack {
    /// `seed` selects the sequence numbers and the first port.
    pub(crate) fn new(seed: u64) -> Self {
        let mut wire = Wire::new(MTU);
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = seed;
        let interface = Interface::new(config, &mut wire, Instant::ZERO);
        Self {
            interface,
            wire,
            sockets: SocketSet::new(Vec::new()),
            connection: None,
            leaving: Vec::new(),
            next_port: FIRST_PORT + (seed % 4_096) as u16,
        }
    }

    /// Forgets everything, as a restart of the device does. Port numbers continue.
    pub(crate) fn lose_all(&mut self) {
        self.sockets = SocketSet::new(Vec::new());
        self.connection = None;
        self.leaving.clear();
        self.wire.received = None;
        self.wire.sent.clear();
    }

    /// Starts a connection from `from`, and aborts the previous one.
    pub(crate) fn connect(&mut self, from: Ipv6Addr, to: SocketAddrV6) {
        self.close(true);
        self.interface.update_ip_addrs(|addresses| {
            addresses.clear();
            // There is room for one.
            let _ = addresses.push(IpCidr::new(IpAddress::Ipv6(from), 128));
        });
        // A single hop: OpenThread does the routing.
        let _ = self.interface.routes_mut().add_default_ipv6_route(from);
        let buffer = |size| SocketBuffer::new(vec![0; size]);
        let mut socket = Socket::new(buffer(RECEIVE_WINDOW), buffer(SEND_BUFFER));
        socket.set_nagle_enabled(false);
        socket.set_ack_delay(None);
        let patience = Patience::new(SILENCE, &mut socket);
        let port = self.next_port;
        self.next_port = port.checked_add(1).unwrap_or(FIRST_PORT);
        socket
            .connect(
                self.interface.context(),
                (IpAddress::Ipv6(*to.ip()), to.port()),
                (IpAddress::Ipv6(from), port),
            )
            .expect("a new socket can connect between addresses and ports that are not zero");
        self.connection = Some(Connection {
            socket: self.sockets.add(socket),
            patience,
            port,
            established: false,
            reset: false,
        });
    }

    /// Returns the state of the connection; `None` without one.
    pub(crate) fn end(&self) -> Option<TcpEnd> {
        let connection = self.connection.as_ref()?;
        let socket = self.sockets.get::<Socket>(connection.socket);
        Some(match socket.state() {
            State::SynSent | State::SynReceived | State::Listen => TcpEnd::Connecting,
            State::Closed | State::TimeWait => match (connection.reset, connection.established) {
                (true, false) => TcpEnd::Refused,
                (true, true) => TcpEnd::Reset,
                (false, _) if socket.state() == State::TimeWait => TcpEnd::Closed,
                (false, _) => TcpEnd::TimedOut,
            },
            _ => TcpEnd::Connected,
        })
    }

    /// Queues what fits, and returns how much.
    pub(crate) fn send(&mut self, data: &[u8]) -> usize {
        self.socket_mut()
            .and_then(|socket| socket.send_slice(data).ok())
            .unwrap_or(0)
    }

    /// Takes received bytes, and returns how many.
    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> usize {
        self.socket_mut()
            .and_then(|socket| socket.recv_slice(buffer).ok())
            .unwrap_or(0)
    }

    /// Returns how many bytes [`receive`](Self::receive) would return.
    pub(crate) fn available(&self) -> usize {
        self.socket().map_or(0, Socket::recv_queue)
    }

    /// Returns the room for sending.
    pub(crate) fn free_space(&self) -> usize {
        self.socket().map_or(0, |socket| {
            if socket.may_send() {
                socket.send_capacity() - socket.send_queue()
            } else {
                0
            }
        })
    }

    /// Returns whether the peer has sent FIN (after what can still be received).
    pub(crate) fn end_of_stream(&self) -> bool {
        let ended = |socket: &Socket<'_>| {
            matches!(
                socket.state(),
                State::CloseWait | State::LastAck | State::Closing | State::TimeWait
            )
        };
        self.socket().is_some_and(ended)
    }

    /// Closes the connection: FIN after what was queued, or RST with `abort`.
    pub(crate) fn close(&mut self, abort: bool) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        let socket = self.sockets.get_mut::<Socket>(connection.socket);
        if abort || socket.state() == State::SynSent {
            socket.abort();
        } else {
            socket.close();
        }
        // FIN or RST is sent by the next poll.
        self.leaving.push((connection.socket, connection.patience));
    }

    /// Processes a received segment. Returns `true` if it may be news for the application.
    pub(crate) fn take_packet(&mut self, packet: Vec<u8>, now: u64) -> bool {
        let before = self.seen();
        if let Some(connection) = &mut self.connection
            && resets(&packet, connection.port)
        {
            connection.reset = true;
        }
        self.wire.received = Some(packet);
        self.interface
            .poll_ingress_single(instant(now), &mut self.wire, &mut self.sockets);
        self.note_established();
        before != self.seen()
    }

    /// Sends what is due. Returns `true` if there may be news for the application.
    pub(crate) fn poll(&mut self, now: u64) -> bool {
        let before = self.seen();
        let open = self.connection.as_mut();
        let open = open.map(|connection| (connection.socket, &mut connection.patience));
        let leaving = self.leaving.iter_mut();
        for (handle, patience) in leaving
            .map(|(handle, patience)| (*handle, patience))
            .chain(open)
        {
            patience.watch(self.sockets.get_mut(handle), instant(now));
        }
        self.interface
            .poll(instant(now), &mut self.wire, &mut self.sockets);
        self.note_established();
        let sockets = &mut self.sockets;
        self.leaving.retain(|(handle, _)| {
            let socket = sockets.get::<Socket>(*handle);
            // An aborted socket keeps its address pair until the RST has been sent.
            let over = match socket.state() {
                State::Closed => socket.remote_endpoint().is_none(),
                state => state == State::TimeWait,
            };
            if over {
                sockets.remove(*handle);
            }
            !over
        });
        before != self.seen()
    }

    /// Returns when to call [`poll`](Self::poll) next.
    pub(crate) fn next_event(&mut self, now: u64) -> Option<u64> {
        self.sockets.iter().next()?;
        self.interface
            .poll_at(instant(now), &self.sockets)
            .map(|at| (at.total_micros() as u64).max(now))
    }

    /// Returns the next packet for OpenThread to send.
    pub(crate) fn next_packet(&mut self) -> Option<Vec<u8>> {
        (!self.wire.sent.is_empty()).then(|| self.wire.sent.remove(0))
    }

    fn socket(&self) -> Option<&Socket<'static>> {
        let connection = self.connection.as_ref()?;
        Some(self.sockets.get(connection.socket))
    }

    fn socket_mut(&mut self) -> Option<&mut Socket<'static>> {
        let connection = self.connection.as_ref()?;
        Some(self.sockets.get_mut(connection.socket))
    }

    /// Returns what the application can see of the connection.
    fn seen(&self) -> Option<(TcpEnd, usize, usize, bool)> {
        let end = self.end()?;
        let (available, space) = (self.available(), self.free_space());
        Some((end, available, space, self.end_of_stream()))
    }

    fn note_established(&mut self) {
        if self.end() == Some(TcpEnd::Connected)
            && let Some(connection) = &mut self.connection
        {
            connection.established = true;
        }
    }
}

fn instant(now: u64) -> Instant {
    Instant::from_micros(now as i64)
}

/// Returns whether a packet resets the connection at a local port.
fn resets(packet: &[u8], port: u16) -> bool {
    let Ok(packet) = Ipv6Packet::new_checked(packet) else {
        return false;
    };
    TcpPacket::new_checked(packet.payload()).is_ok_and(|tcp| tcp.dst_port() == port && tcp.rst())
}
