//! The sockets of the device's application. They belong to the world, not to the port, so a restart
//! of the device closes them.
use crate::ffi::{Instance, Query, UdpSocket};
use crate::tcp::{TcpEnd, TcpStack};
use core::net::{IpAddr, Ipv6Addr, SocketAddrV6};
use std::ffi::CString;
use std::rc::Rc;
use thread_mqtt_client::TcpError;
use thread_mqtt_driver::{Received, TcpState};
use thread_mqtt_resolve::resolver::{Family, LookupError};
use thread_mqtt_resolve::{AdvertisedPrefix, Preference, Prefix};

/// Translates an `otError` of OpenThread's DNS client.
fn lookup_error(code: i32) -> LookupError {
    match code {
        1 => LookupError::ServerFailure, // OT_ERROR_FAILED: SERVFAIL
        8 => LookupError::Refused,       // OT_ERROR_SECURITY: REFUSED
        23 => LookupError::NameError,    // OT_ERROR_NOT_FOUND
        28 => LookupError::Timeout,      // OT_ERROR_RESPONSE_TIMEOUT
        code => LookupError::Platform(code),
    }
}

/// The open sockets of the application.
pub(crate) struct DeviceSockets {
    tcp: TcpStack,
    /// The connection was lost because the device lost its memory.
    lost: bool,
    udp: Vec<UdpSocket>,
    lookup: Option<Lookup>,
    queries: usize,
}

/// A look-up by OpenThread's DNS client.
struct Lookup {
    /// The numbers of the unanswered queries.
    open: Vec<usize>,
    found: Vec<IpAddr>,
    error: Option<LookupError>,
}

impl DeviceSockets {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            tcp: TcpStack::new(seed),
            lost: false,
            udp: Vec::new(),
            lookup: None,
            queries: 0,
        }
    }

    /// Drops everything when the device loses its memory. The next call reports it to the
    /// application.
    pub(crate) fn lose_all(&mut self) {
        self.lost = self.tcp.end().is_some();
        self.tcp.lose_all();
        self.udp.clear();
        let lookup = self.lookup.take().is_some();
        if lookup {
            self.lookup = Some(Lookup {
                open: Vec::new(),
                found: Vec::new(),
                error: Some(LookupError::Timeout),
            });
        }
    }

    pub(crate) fn connect(&mut self, device: &Instance, to: SocketAddrV6) -> Result<(), TcpError> {
        self.close(true);
        // A source address that does not reach beyond the mesh is useless, and a SYN without a
        // route fails immediately.
        let from = device.routable_address().ok_or(TcpError::Unreachable)?;
        self.tcp.connect(from, to);
        Ok(())
    }

    pub(crate) fn state(&self) -> TcpState {
        match self.tcp.end() {
            None if self.lost => TcpState::Failed(TcpError::Reset),
            None => TcpState::Closed,
            Some(TcpEnd::Connecting) => TcpState::Connecting,
            Some(TcpEnd::Connected) => TcpState::Connected,
            Some(end) => TcpState::Failed(failure(end)),
        }
    }

    pub(crate) fn send(&mut self, data: &[u8]) -> Result<usize, TcpError> {
        match self.tcp.end().ok_or(TcpError::Closed)? {
            TcpEnd::Connecting => Ok(0),
            TcpEnd::Connected => Ok(self.tcp.send(data)),
            end => Err(failure(end)),
        }
    }

    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> Result<Received, TcpError> {
        let end = self.tcp.end().ok_or(TcpError::Closed)?;
        match self.tcp.receive(buffer) {
            0 if self.tcp.end_of_stream() => Ok(Received::EndOfStream),
            0 => match end {
                TcpEnd::Connecting | TcpEnd::Connected => Ok(Received::WouldBlock),
                TcpEnd::Closed => Ok(Received::EndOfStream),
                end => Err(failure(end)),
            },
            count => Ok(Received::Bytes(count)),
        }
    }

    pub(crate) fn close(&mut self, abort: bool) {
        self.lost = false;
        self.tcp.close(abort);
    }

    /// Returns the TCP stack below the connection.
    pub(crate) fn tcp(&mut self) -> &mut TcpStack {
        &mut self.tcp
    }

    pub(crate) fn udp_send(
        &mut self,
        device: &Rc<Instance>,
        from_port: u16,
        to: SocketAddrV6,
        payload: &[u8],
    ) -> Result<(), i32> {
        let index = match self
            .udp
            .iter()
            .position(|socket| socket.port() == from_port)
        {
            Some(index) => index,
            None => {
                let socket = UdpSocket::bind(device, from_port).map_err(|code| code as i32)?;
                self.udp.push(socket);
                self.udp.len() - 1
            }
        };
        self.udp[index]
            .send(to, payload)
            .map_err(|code| code as i32)
    }

    /// Returns the next datagram: sender, local port, payload.
    pub(crate) fn udp_receive(&self) -> Option<(SocketAddrV6, u16, Vec<u8>)> {
        self.udp.iter().find_map(|socket| {
            let (from, payload) = socket.receive()?;
            Some((from, socket.port(), payload))
        })
    }

    pub(crate) fn udp_close(&mut self) {
        self.udp.clear();
    }

    /// Starts a look-up and forgets any earlier one.
    pub(crate) fn platform_lookup(
        &mut self,
        device: &Instance,
        name: &str,
        family: Family,
    ) -> Result<(), LookupError> {
        let name = CString::new(name).map_err(|_| LookupError::InvalidName)?;
        let queries: &[Query] = match family {
            Family::Inet => &[Query::A],
            Family::Inet6 => &[Query::Aaaa],
            Family::Unspecified => &[Query::A, Query::Aaaa],
        };
        let mut lookup = Lookup {
            open: Vec::new(),
            found: Vec::new(),
            error: None,
        };
        for &query in queries {
            self.queries += 1;
            match device.query(&name, query, self.queries) {
                Ok(()) => lookup.open.push(self.queries),
                Err(code) => lookup.error = Some(lookup_error(code as i32)),
            }
        }
        if let (true, Some(error)) = (lookup.open.is_empty(), lookup.error) {
            self.lookup = None;
            return Err(error);
        }
        self.lookup = Some(lookup);
        Ok(())
    }

    /// Takes the answers received for the current look-up.
    pub(crate) fn take_answers(&mut self, device: &Instance) {
        while let Some((number, answer)) = device.next_answer() {
            let Some(lookup) = &mut self.lookup else {
                continue;
            };
            let Some(at) = lookup.open.iter().position(|&open| open == number) else {
                continue;
            };
            lookup.open.remove(at);
            match answer {
                Ok(addresses) => {
                    let prefixes = prefixes(device);
                    lookup.found.extend(
                        addresses
                            .into_iter()
                            .map(|address| unmap(&prefixes, address)),
                    );
                }
                Err(code) => lookup.error = Some(lookup_error(code as i32)),
            }
        }
    }

    /// Returns whether the look-up is complete.
    pub(crate) fn is_resolved(&self) -> bool {
        self.lookup
            .as_ref()
            .is_some_and(|lookup| lookup.open.is_empty())
    }

    /// Returns the look-up's answer, once.
    pub(crate) fn poll_platform_lookup(&mut self) -> Option<Result<Vec<IpAddr>, LookupError>> {
        let lookup = self.lookup.take_if(|lookup| lookup.open.is_empty())?;
        Some(match lookup.error {
            Some(error) if lookup.found.is_empty() => Err(error),
            _ => Ok(lookup.found),
        })
    }

    /// Returns whether bytes, or the end of the stream, can be received.
    pub(crate) fn is_readable(&self) -> bool {
        self.tcp.available() > 0 || self.tcp.end_of_stream()
    }

    /// Returns whether bytes can be sent.
    pub(crate) fn is_writable(&self) -> bool {
        self.tcp.end() == Some(TcpEnd::Connected) && self.tcp.free_space() > 0
    }

    pub(crate) fn has_datagram(&self) -> bool {
        self.udp.iter().any(UdpSocket::is_readable)
    }
}

fn failure(end: TcpEnd) -> TcpError {
    match end {
        TcpEnd::Refused => TcpError::Refused,
        TcpEnd::Reset => TcpError::Reset,
        TcpEnd::TimedOut => TcpError::TimedOut,
        TcpEnd::Closed | TcpEnd::Connecting | TcpEnd::Connected => TcpError::Closed,
    }
}

/// Returns the NAT64 prefixes that the device sees in the network data.
pub(crate) fn prefixes(device: &Instance) -> Vec<AdvertisedPrefix> {
    device
        .nat64_routes()
        .into_iter()
        .filter_map(|route| {
            Some(AdvertisedPrefix {
                prefix: Prefix::new(route.prefix, route.length).ok()?,
                preference: match route.preference {
                    1.. => Preference::High,
                    0 => Preference::Medium,
                    _ => Preference::Low,
                },
            })
        })
        .collect()
}

/// Undoes NAT64: OpenThread answers an A query with NAT64 addresses, a port's resolver with IPv4.
fn unmap(prefixes: &[AdvertisedPrefix], address: Ipv6Addr) -> IpAddr {
    prefixes
        .iter()
        .find_map(|advertised| advertised.prefix.extract(address))
        .map_or(IpAddr::V6(address), IpAddr::V4)
}
