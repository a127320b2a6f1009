//! Servers that live inside the world, on its virtual clock.
use core::net::SocketAddrV4;
use core::time::Duration;

/// Something that accepts TCP connections at an IPv4 address inside the world.
///
/// Called from within the world's step: it must not call the world it serves.
pub trait VirtualServer {
    /// A connection was asked for. `None` refuses it (RST).
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

/// Something that answers UDP datagrams at an IPv4 address inside the world. Port 53 is the DNS
/// server's at every address.
///
/// Called from within the world's step: it must not call the world it serves.
pub trait VirtualService {
    /// A datagram arrived; what is returned is sent back, in order.
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
    /// Bytes from the device. Returns how many were taken; the rest is offered again.
    fn receive(&mut self, data: &[u8], now: Duration) -> usize;

    /// The device has sent FIN: no more bytes will come.
    fn end_of_stream(&mut self, now: Duration) {
        let _ = now;
    }

    /// The connection is gone: both sides are done, or it was reset.
    fn closed(&mut self, now: Duration) {
        let _ = now;
    }

    /// The next bytes to send, possibly none; called again until none. What is returned is
    /// taken: the world buffers it.
    fn transmit(&mut self, now: Duration) -> Vec<u8>;

    /// How the stream wants to end. Asked after [`transmit`](Self::transmit) is empty.
    fn closing(&self) -> Closing {
        Closing::Open
    }

    /// When [`transmit`](Self::transmit) wants to be called without input, in virtual time.
    fn next_timeout(&self) -> Option<Duration> {
        None
    }
}

/// How a [`VirtualStream`] wants to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Closing {
    /// Not yet.
    #[default]
    Open,
    /// FIN after what was sent.
    Finish,
    /// RST at once.
    Abort,
}

/// An echo: sends back what it receives and closes when the device does.
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
