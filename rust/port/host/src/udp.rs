//! UDP sockets, one for each local port that a question was sent from.
use crate::{from_mapped, to_mapped};
use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

#[derive(Debug, Default)]
pub(crate) struct Udp {
    sockets: Vec<Socket>,
}

#[derive(Debug)]
struct Socket {
    /// As the resolver knows it.
    port: u16,
    ipv4: bool,
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
        let to = from_mapped(to);
        let ipv4 = to.is_ipv4();
        let known = self
            .sockets
            .iter()
            .position(|open| open.port == port && open.ipv4 == ipv4);
        let place = match known {
            Some(place) => place,
            None => {
                let any: IpAddr = if ipv4 {
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
                registry.register(&mut socket, token, Interest::READABLE)?;
                self.sockets.push(Socket { port, ipv4, socket });
                self.sockets.len() - 1
            }
        };
        self.sockets[place].socket.send_to(payload, to).map(|_| ())
    }

    /// The next datagram of any socket.
    pub(crate) fn receive(&mut self, buf: &mut [u8]) -> Option<(SocketAddrV6, u16, usize)> {
        self.sockets.iter().find_map(|open| {
            // An error here is an ICMP message about an earlier datagram: the next call goes on.
            let (n, from) = open
                .socket
                .recv_from(buf)
                .or_else(|_| open.socket.recv_from(buf))
                .ok()?;
            Some((to_mapped(from), open.port, n))
        })
    }

    pub(crate) fn close(&mut self) {
        self.sockets.clear();
    }
}
