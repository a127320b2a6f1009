//! UDP sockets, one for each local port and the server to which it sends. They are connected: only so the system
//! tells what the network says of a datagram (ICMP), and it lets through what comes from that server alone.
use crate::from_mapped;
use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use thread_mqtt_resolve::resolver::UdpError;

#[derive(Debug, Default)]
pub(crate) struct Udp {
    sockets: Vec<Socket>,
    /// Where datagrams did not arrive, until that is asked for.
    undelivered: VecDeque<(SocketAddrV6, UdpError)>,
}

#[derive(Debug)]
struct Socket {
    /// As the resolver knows it.
    port: u16,
    peer: SocketAddrV6,
    socket: UdpSocket,
}

impl Udp {
    /// Sends from `port`; a socket opened for it is registered with `token`.
    pub(crate) fn send(
        &mut self,
        port: u16,
        to: SocketAddrV6,
        payload: &[u8],
        registry: &Registry,
        token: Token,
    ) -> io::Result<()> {
        let known = self
            .sockets
            .iter()
            .position(|open| open.port == port && open.peer == to);
        let place = match known {
            Some(place) => place,
            None => {
                let peer = from_mapped(to);
                let any: IpAddr = if peer.is_ipv4() {
                    Ipv4Addr::UNSPECIFIED.into()
                } else {
                    Ipv6Addr::UNSPECIFIED.into()
                };
                // Where another program has the port, the system draws one: the resolver knows the socket
                // by the port that it drew itself.
                let bind = |port| UdpSocket::bind(SocketAddr::new(any, port));
                let mut socket = match bind(port) {
                    Err(error) if error.kind() == ErrorKind::AddrInUse => bind(0)?,
                    bound => bound?,
                };
                socket.connect(peer)?;
                registry.register(&mut socket, token, Interest::READABLE)?;
                self.sockets.push(Socket {
                    port,
                    peer: to,
                    socket,
                });
                self.sockets.len() - 1
            }
        };
        self.sockets[place].socket.send(payload).map(|_| ())
    }

    /// The next datagram of any socket.
    pub(crate) fn receive(&mut self, buf: &mut [u8]) -> Option<(SocketAddrV6, u16, usize)> {
        for place in 0..self.sockets.len() {
            let open = &self.sockets[place];
            let (peer, port) = (open.peer, open.port);
            // An error here is what the network says of an earlier datagram: the next call goes on.
            let received = open.socket.recv(buf).or_else(|error| {
                self.note(peer, &error);
                self.sockets[place].socket.recv(buf)
            });
            if let Ok(n) = received {
                return Some((peer, port, n));
            }
        }
        None
    }

    /// Keeps what an error of a socket says of the server.
    pub(crate) fn note(&mut self, peer: SocketAddrV6, error: &io::Error) {
        let meaning = match error.kind() {
            ErrorKind::ConnectionRefused => UdpError::Refused,
            ErrorKind::NetworkUnreachable
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkDown
            | ErrorKind::AddrNotAvailable => UdpError::Unreachable,
            _ => return,
        };
        self.undelivered.push_back((peer, meaning));
    }

    pub(crate) fn undelivered(&mut self) -> Option<(SocketAddrV6, UdpError)> {
        self.undelivered.pop_front()
    }

    pub(crate) fn close(&mut self) {
        self.undelivered.clear();
        self.sockets.clear();
    }
}
