//! Servers that live inside the world, on its virtual clock.
use core::net::SocketAddrV4;
use core::time::Duration;

/// A server that accepts TCP connections at an IPv4 address inside the world.
///
/// Called from within the world's step, so it must not call its world.
pub trait VirtualServer {
    /// Accepts a connection. `None` refuses it (RST).
    fn accept(&mut self, peer: SocketAddrV4, now: Duration) -> Option<Box<dyn VirtualStream>>;
}

impl<F> VirtualServer for F
where
    F: FnMut(SocketAddrV4, Duration) -> Option<Box<dyn VirtualStream>>,
{
    fn accept(&mut self, peer: SocketAddrV4, now: Duration) -> Option<Box<dyn VirtualStream>> {
        self(peer, now)
    }
}

/// A service that answers UDP datagrams at an IPv4 address inside the world. The DNS server uses
/// port 53 of every address.
///
/// Called from within the world's step, so it must not call its world.
pub trait VirtualService {
    /// Answers a datagram. The returned datagrams are sent back in order.
    fn answer(&mut self, from: SocketAddrV4, datagram: &[u8], now: Duration) -> Vec<Vec<u8>>;
}

impl<F> VirtualService for F
where
    F: FnMut(SocketAddrV4, &[u8], Duration) -> Vec<Vec<u8>>,
{
    fn answer(&mut self, from: SocketAddrV4, datagram: &[u8], now: Duration) -> Vec<Vec<u8>> {
        self(from, datagram, now)
    }
}

/// The server's end of one connection: a byte-stream machine.
pub trait VirtualStream {
    /// Receives bytes from the device. Returns how many were taken; the rest is offered again.
    fn receive(&mut self, data: &[u8], now: Duration) -> usize;

    /// Called when the device has sent FIN: no more bytes will come.
    fn end_of_stream(&mut self, now: Duration) {
        let _ = now;
    }

    /// Called when the connection is gone: both sides are done, or it was reset.
    fn closed(&mut self, now: Duration) {
        let _ = now;
    }

    /// Returns the next bytes to send; called again until it returns none. The world buffers what
    /// is returned.
    fn transmit(&mut self, now: Duration) -> Vec<u8>;

    /// Returns how to end the stream. Called after [`transmit`](Self::transmit) has returned
    /// nothing.
    fn closing(&self) -> Closing {
        Closing::Open
    }

    /// Returns when to call [`transmit`](Self::transmit) without input, in virtual time.
    fn next_timeout(&self) -> Option<Duration> {
        None
    }
}

/// How to end a [`VirtualStream`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Closing {
    /// Not yet.
    #[default]
    Open,
    /// FIN after everything is sent.
    Finish,
    /// RST immediately.
    Abort,
}

/// An echo server: sends back what it receives, and closes when the device does.
#[derive(Debug, Default)]
pub struct Echo {
    pending: Vec<u8>,
    finished: bool,
}

impl VirtualStream for Echo {
    fn receive(&mut self, data: &[u8], _now: Duration) -> usize {
        self.pending.extend_from_slice(data);
        data.len()
    }
    fn end_of_stream(&mut self, _now: Duration) {
        self.finished = true;
    }
    fn transmit(&mut self, _now: Duration) -> Vec<u8> {
        core::mem::take(&mut self.pending)
    }
    fn closing(&self) -> Closing {
        if self.finished {
            Closing::Finish
        } else {
            Closing::Open
        }
    }
}
