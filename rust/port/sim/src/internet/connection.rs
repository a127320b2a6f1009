//! One TCP connection of the device, and the server or host socket at its far end.
use super::bridge::{HostEvents, HostStream, Moved};
use super::server::{Closing, VirtualStream};
use crate::patience::Patience;
use core::net::SocketAddrV4;
use core::time::Duration;
use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::socket::tcp;
use smoltcp::wire::{IpAddress, IpListenEndpoint};

/// From the device. When it is full, the device gets the host's back-pressure.
const RECEIVE_BUFFER: usize = 16 * 1024;
/// To the device: several of its receive windows.
const SEND_BUFFER: usize = 4 * 1024;
/// A device that leaves sent data unacknowledged for this long is given up.
const SILENCE: smoltcp::time::Duration = smoltcp::time::Duration::from_secs(900);

/// The far end of a connection.
pub(super) enum End {
    /// A stream inside the world.
    Virtual {
        stream: Box<dyn VirtualStream>,
        /// Taken from the stream, but not yet by the socket.
        pending: Vec<u8>,
        told_end: bool,
    },
    /// A socket of the host.
    Host(HostStream),
}

impl End {
    pub(super) fn virtual_(stream: Box<dyn VirtualStream>) -> Self {
        Self::Virtual {
            stream,
            pending: Vec::new(),
            told_end: false,
        }
    }
}

pub(super) struct Connection {
    device: SocketAddrV4,
    local: SocketAddrV4,
    socket: SocketHandle,
    patience: Patience,
    end: End,
    /// Has left LISTEN.
    opened: bool,
    /// A FIN or RST is on its way to the device.
    closing: bool,
}

impl Connection {
    /// Creates a socket for the SYN about to be fed.
    pub(super) fn listen(
        sockets: &mut SocketSet<'static>,
        device: SocketAddrV4,
        local: SocketAddrV4,
        end: End,
    ) -> Self {
        let buffer = |size| tcp::SocketBuffer::new(vec![0; size]);
        let mut socket = tcp::Socket::new(buffer(RECEIVE_BUFFER), buffer(SEND_BUFFER));
        socket.set_nagle_enabled(false);
        let patience = Patience::new(SILENCE, &mut socket);
        // The host accepts the connection before the device does.
        socket.pause_synack(matches!(end, End::Host(_)));
        socket
            .listen(IpListenEndpoint {
                addr: Some(IpAddress::Ipv4(*local.ip())),
                port: local.port(),
            })
            .expect("a new socket can listen on a SYN's destination, whose port is not zero");
        Self {
            device,
            local,
            socket: sockets.add(socket),
            patience,
            end,
            opened: false,
            closing: false,
        }
    }

    pub(super) fn is_between(&self, device: SocketAddrV4, local: SocketAddrV4) -> bool {
        self.device == device && self.local == local
    }

    pub(super) fn is_host(&self) -> bool {
        matches!(self.end, End::Host(_))
    }

    /// Returns whether a new SYN may replace this connection.
    pub(super) fn is_reusable(&self, sockets: &SocketSet<'static>) -> bool {
        let socket = sockets.get::<tcp::Socket>(self.socket);
        matches!(socket.state(), tcp::State::TimeWait | tcp::State::Closed)
    }

    pub(super) fn next_timeout(&self) -> Option<u64> {
        match &self.end {
            End::Virtual { stream, .. } => {
                stream.next_timeout().map(|time| time.as_micros() as u64)
            }
            End::Host(_) => None,
        }
    }

    /// Moves bytes both ways. Returns `true` if anything moved.
    pub(super) fn pump(
        &mut self,
        sockets: &mut SocketSet<'static>,
        host: &HostEvents,
        now: Duration,
    ) -> bool {
        let socket = sockets.get_mut::<tcp::Socket>(self.socket);
        let at = smoltcp::time::Instant::from_micros(now.as_micros() as i64);
        self.patience.watch(socket, at);
        self.opened |= socket.state() != tcp::State::Listen;
        if socket.state() == tcp::State::Closed {
            return false;
        }
        // All of the device's bytes are taken and no more can come. Not `!may_recv()`, which is
        // also true before the connection is established.
        let device_done = matches!(
            socket.state(),
            tcp::State::CloseWait
                | tcp::State::LastAck
                | tcp::State::Closing
                | tcp::State::TimeWait
        );
        match &mut self.end {
            End::Virtual {
                stream,
                pending,
                told_end,
            } => {
                let mut moved = false;
                if socket.can_recv() {
                    let taken = socket.recv(|bytes| {
                        let taken = stream.receive(bytes, now).min(bytes.len());
                        (taken, taken)
                    });
                    moved |= taken.is_ok_and(|taken| taken > 0);
                }
                if device_done && !socket.can_recv() && !*told_end {
                    *told_end = true;
                    stream.end_of_stream(now);
                    moved = true;
                }
                if self.closing || !socket.may_send() {
                    return moved;
                }
                if pending.is_empty() {
                    *pending = stream.transmit(now);
                }
                if !pending.is_empty() {
                    let sent = socket.send_slice(pending).unwrap_or(0);
                    pending.drain(..sent);
                    return moved | (sent > 0);
                }
                match stream.closing() {
                    Closing::Open => {}
                    Closing::Finish => {
                        self.closing = true;
                        socket.close();
                        moved = true;
                    }
                    Closing::Abort => {
                        self.closing = true;
                        socket.abort();
                        moved = true;
                    }
                }
                moved
            }
            End::Host(stream) => match stream.pump(socket, device_done, self.closing) {
                Moved::Nothing => false,
                Moved::Something => true,
                Moved::Finished => {
                    self.closing = true;
                    socket.close();
                    true
                }
                Moved::Failed => {
                    self.closing = true;
                    socket.pause_synack(false);
                    socket.abort();
                    stream.release(host);
                    true
                }
            },
        }
    }

    /// Returns whether nothing is left to do or to send.
    pub(super) fn is_over(&self, sockets: &SocketSet<'static>) -> bool {
        let socket = sockets.get::<tcp::Socket>(self.socket);
        match socket.state() {
            // An aborted socket keeps its address pair until the RST has been sent.
            tcp::State::Closed => socket.remote_endpoint().is_none(),
            // Back in LISTEN: the device has reset the connection during the handshake.
            tcp::State::Listen => self.opened,
            // Both FINs have been exchanged; the host socket need not wait for the timer.
            tcp::State::TimeWait => self.is_host() && !socket.can_recv(),
            _ => false,
        }
    }

    /// Releases the socket and the far end. If the device has reset the connection, resets the
    /// host's.
    pub(super) fn release(
        &mut self,
        sockets: &mut SocketSet<'static>,
        host: &HostEvents,
        now: Duration,
    ) {
        sockets.remove(self.socket);
        match &mut self.end {
            End::Virtual { stream, .. } => stream.closed(now),
            End::Host(stream) => stream.release(host),
        }
    }
}
