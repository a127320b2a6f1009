//! The sockets of the device's application. They live in the world, not in the port, so that
//! a restart of the device takes them with it.
use crate::ffi::{Instance, Query, TcpEnd, TcpSocket, UdpSocket};
use core::net::{IpAddr, Ipv6Addr, SocketAddrV6};
use std::ffi::CString;
use std::rc::Rc;
use thread_mqtt_client::TcpError;
use thread_mqtt_driver::{Received, TcpState};
use thread_mqtt_resolve::resolver::Family;
use thread_mqtt_resolve::{AdvertisedPrefix, Preference, Prefix};

/// `otError` for a name that cannot be asked for.
const INVALID_ARGUMENT: i32 = 7;
/// `otError` for an answer without addresses.
const NOT_FOUND: i32 = 23;

/// What the application has open.
#[derive(Default)]
pub(crate) struct DeviceSockets {
    tcp: Option<TcpSocket>,
    /// Closed by the application, FIN and its answer still under way.
    leaving: Vec<TcpSocket>,
    /// The connection was lost with the device's memory.
    lost: bool,
    udp: Vec<UdpSocket>,
    lookup: Option<Lookup>,
    queries: usize,
}

/// A look-up by OpenThread's DNS client.
struct Lookup {
    /// The numbers of the queries without answer.
    open: Vec<usize>,
    found: Vec<IpAddr>,
    error: Option<i32>,
}

impl DeviceSockets {
    /// The device has lost its memory; the application is told so by the next call.
    pub(crate) fn lose_all(&mut self) {
        let lost = self.tcp.is_some();
        let lookup = self.lookup.is_some();
        *self = Self {
            lost,
            queries: self.queries,
            ..Self::default()
        };
        if lookup {
            self.lookup = Some(Lookup {
                open: Vec::new(),
                found: Vec::new(),
                error: Some(NOT_FOUND),
            });
        }
    }

    pub(crate) fn connect(
        &mut self,
        device: &Rc<Instance>,
        to: SocketAddrV6,
    ) -> Result<(), TcpError> {
        self.close(true);
        self.leaving
            .retain(|socket| socket.end() == TcpEnd::Connected);
        self.tcp = Some(TcpSocket::connect(device, to).map_err(|code| match code {
            // OT_ERROR_NO_ROUTE, OT_ERROR_INVALID_STATE, OT_ERROR_DETACHED, …: no address to
            // send from or no way to send to.
            openthread_sys::otError_OT_ERROR_NO_ROUTE
            | openthread_sys::otError_OT_ERROR_INVALID_STATE
            | openthread_sys::otError_OT_ERROR_DETACHED
            | openthread_sys::otError_OT_ERROR_FAILED => TcpError::Unreachable,
            code => TcpError::Other(code as i32),
        })?);
        Ok(())
    }

    pub(crate) fn state(&self) -> TcpState {
        match &self.tcp {
            None if self.lost => TcpState::Failed(TcpError::Reset),
            None => TcpState::Closed,
            Some(socket) => match socket.end() {
                TcpEnd::Connecting => TcpState::Connecting,
                TcpEnd::Connected => TcpState::Connected,
                end => TcpState::Failed(failure(end)),
            },
        }
    }

    pub(crate) fn send(&self, data: &[u8]) -> Result<usize, TcpError> {
        let socket = self.tcp.as_ref().ok_or(TcpError::Closed)?;
        match socket.end() {
            TcpEnd::Connecting => Ok(0),
            TcpEnd::Connected => socket
                .send(data)
                .map_err(|code| TcpError::Other(code as i32)),
            end => Err(failure(end)),
        }
    }

    pub(crate) fn receive(&self, buffer: &mut [u8]) -> Result<Received, TcpError> {
        let socket = self.tcp.as_ref().ok_or(TcpError::Closed)?;
        match socket.receive(buffer) {
            0 if socket.end_of_stream() => Ok(Received::EndOfStream),
            0 => match socket.end() {
                TcpEnd::Connecting | TcpEnd::Connected => Ok(Received::WouldBlock),
                TcpEnd::Closed => Ok(Received::EndOfStream),
                end => Err(failure(end)),
            },
            count => Ok(Received::Bytes(count)),
        }
    }

    pub(crate) fn close(&mut self, abort: bool) {
        self.lost = false;
        let Some(socket) = self.tcp.take() else {
            return;
        };
        if !abort && socket.end() == TcpEnd::Connected {
            socket.finish();
            self.leaving.push(socket);
        }
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

    /// The next datagram: from, to which port, what.
    pub(crate) fn udp_receive(&self) -> Option<(SocketAddrV6, u16, Vec<u8>)> {
        self.udp.iter().find_map(|socket| {
            let (from, payload) = socket.receive()?;
            Some((from, socket.port(), payload))
        })
    }

    pub(crate) fn udp_close(&mut self) {
        self.udp.clear();
    }

    /// Starts a look-up; an earlier one is forgotten.
    pub(crate) fn platform_lookup(
        &mut self,
        device: &Instance,
        name: &str,
        family: Family,
    ) -> Result<(), i32> {
        let name = CString::new(name).map_err(|_| INVALID_ARGUMENT)?;
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
                Err(code) => lookup.error = Some(code as i32),
            }
        }
        if let (true, Some(code)) = (lookup.open.is_empty(), lookup.error) {
            self.lookup = None;
            return Err(code);
        }
        self.lookup = Some(lookup);
        Ok(())
    }

    /// Takes the answers that have come for the look-up under way.
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
                Err(code) => lookup.error = Some(code as i32),
            }
        }
    }

    /// Whether the look-up's answer is complete.
    pub(crate) fn is_resolved(&self) -> bool {
        self.lookup
            .as_ref()
            .is_some_and(|lookup| lookup.open.is_empty())
    }

    /// The look-up's answer, once.
    pub(crate) fn poll_platform_lookup(&mut self) -> Option<Result<Vec<IpAddr>, i32>> {
        let lookup = self.lookup.take_if(|lookup| lookup.open.is_empty())?;
        Some(if lookup.found.is_empty() {
            Err(lookup.error.unwrap_or(NOT_FOUND))
        } else {
            Ok(lookup.found)
        })
    }

    /// Bytes, or the end, can be received.
    pub(crate) fn is_readable(&self) -> bool {
        self.tcp
            .as_ref()
            .is_some_and(|socket| socket.available() > 0 || socket.end_of_stream())
    }

    /// Bytes can be sent.
    pub(crate) fn is_writable(&self) -> bool {
        self.tcp
            .as_ref()
            .is_some_and(|socket| socket.end() == TcpEnd::Connected && socket.free_space() > 0)
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

/// The NAT64 prefixes that the device sees in the network data.
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

/// OpenThread answers an A query with NAT64 addresses; a port's resolver answers with IPv4.
fn unmap(prefixes: &[AdvertisedPrefix], address: Ipv6Addr) -> IpAddr {
    prefixes
        .iter()
        .find_map(|advertised| advertised.prefix.extract(address))
        .map_or(IpAddr::V6(address), IpAddr::V4)
}
