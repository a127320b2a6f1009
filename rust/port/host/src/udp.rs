//! UDP sockets, one per local port and server. They are connected, because only then does the
//! system report ICMP errors for a datagram and drop datagrams from other senders.
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
    /// Destinations of undelivered datagrams, until queried.
    undelivered: VecDeque<(SocketAddrV6, UdpError)>,
}

#[derive(Debug)]
struct Socket {
    /// The port as the resolver knows it.
    port: u16,
    peer: SocketAddrV6,
    socket: UdpSocket,
}

impl Udp {
    /// Sends from `port`. Registers a socket opened for it with `token`.
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
                // If another program uses the port, let the system choose one: the resolver
                // identifies the socket by the port it asked for.
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

    /// Returns the next datagram of any socket.
    pub(crate) fn receive(&mut self, buf: &mut [u8]) -> Option<(SocketAddrV6, u16, usize)> {
        for place in 0..self.sockets.len() {
            let open = &self.sockets[place];
            let (peer, port) = (open.peer, open.port);
            // An error here reports on an earlier datagram: the next call continues.
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

    /// Records what a socket error says about the server.
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
