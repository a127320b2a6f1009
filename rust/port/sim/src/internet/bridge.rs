//! The bridge to the host's sockets and resolver.
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token, Waker};
use smoltcp::socket::tcp;
use std::cell::{Cell, RefCell};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

const WAKER: Token = Token(0);

/// The addresses of a name, with the query number; `None` if it has none.
type Resolved = (u64, Option<Vec<IpAddr>>);

/// Waits for all host sockets and look-ups of a world.
pub(super) struct HostEvents {
    poll: RefCell<Poll>,
    events: RefCell<Events>,
    next_token: Cell<usize>,
    waker: Arc<Waker>,
    resolved: Receiver<Resolved>,
    resolver: Sender<Resolved>,
}

impl HostEvents {
    pub(super) fn new() -> std::io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let (resolver, resolved) = channel();
        Ok(Self {
            poll: RefCell::new(poll),
            events: RefCell::new(Events::with_capacity(64)),
            next_token: Cell::new(1),
            waker,
            resolved,
            resolver,
        })
    }

    /// Waits at most this long. Returns `true` if anything may have happened.
    pub(super) fn wait(&self, at_most: Duration) -> bool {
        let mut events = self.events.borrow_mut();
        match self.poll.borrow_mut().poll(&mut events, Some(at_most)) {
            Ok(()) => !events.is_empty(),
            // Interrupted by a signal: look again.
            Err(_) => true,
        }
    }

    /// Asks the host's resolver, on a separate thread because it blocks.
    pub(super) fn resolve(&self, number: u64, name: String) {
        let answer = self.resolver.clone();
        let waker = Arc::clone(&self.waker);
        std::thread::spawn(move || {
            let addresses = (name.as_str(), 0u16).to_socket_addrs().ok();
            let addresses = addresses.map(|found| found.map(|address| address.ip()).collect());
            // The world may be gone by now.
            let _ = answer.send((number, addresses));
            let _ = waker.wake();
        });
    }

    pub(super) fn next_resolved(&self) -> Option<Resolved> {
        self.resolved.try_recv().ok()
    }
}

/// What [`HostStream::pump`] did.
pub(super) enum Moved {
    Nothing,
    Something,
    /// The host has sent FIN, and the socket has all its bytes.
    Finished,
    /// The host refused or reset the connection.
    Failed,
}

/// A connection to the host. Its bytes are buffered only in the two sockets.
pub(super) struct HostStream {
    /// `None` after the end.
    stream: Option<TcpStream>,
    connected: bool,
    /// The host's FIN was read.
    host_done: bool,
    /// The device's FIN was passed on.
    shut: bool,
}

impl HostStream {
    /// Starts to connect. Returns `None` if the host refuses immediately.
    pub(super) fn connect(events: &HostEvents, to: SocketAddr) -> Option<Self> {
        let mut stream = TcpStream::connect(to)
            .inspect_err(|error| log::debug!("connect to {to}: {error}"))
            .ok()?;
        let token = Token(events.next_token.get());
        events.next_token.set(token.0 + 1);
        let interest = Interest::READABLE | Interest::WRITABLE;
        events
            .poll
            .borrow()
            .registry()
            .register(&mut stream, token, interest)
            .ok()?;
        Some(Self {
            stream: Some(stream),
            connected: false,
            host_done: false,
            shut: false,
        })
    }

    /// Moves bytes both ways. `device_done`: the device has sent FIN; `closing`: our FIN was sent.
    pub(super) fn pump(
        &mut self,
        socket: &mut tcp::Socket<'static>,
        device_done: bool,
        closing: bool,
    ) -> Moved {
        let Some(stream) = &mut self.stream else {
            return Moved::Nothing;
        };
        if !self.connected {
            match is_connected(stream) {
                Ok(false) => return Moved::Nothing,
                Ok(true) => {
                    self.connected = true;
                    let _ = stream.set_nodelay(true);
                    socket.pause_synack(false);
                    return Moved::Something;
                }
                Err(_) => return Moved::Failed,
            }
        }
        let mut moved = false;
        if socket.can_recv() && !self.shut {
            match transfer(socket.recv(|bytes| split(stream.write(bytes)))) {
                Ok(count) => moved |= count > 0,
                Err(()) => return Moved::Failed,
            }
        }
        if device_done && !socket.can_recv() && !self.shut {
            self.shut = true;
            moved = true;
            // An error means that the host is gone, which the next read detects.
            let _ = stream.shutdown(Shutdown::Write);
        }
        if !self.host_done && !closing && socket.can_send() {
            let mut end = false;
            let read = socket.send(|room| {
                let result = stream.read(room);
                end = matches!(result, Ok(0)) && !room.is_empty();
                split(result)
            });
            match transfer(read) {
                Ok(count) => moved |= count > 0,
                Err(()) => return Moved::Failed,
            }
            if end {
                self.host_done = true;
                return Moved::Finished;
            }
        }
        if moved {
            Moved::Something
        } else {
            Moved::Nothing
        }
    }

    /// Closes the host socket: gracefully if both FINs were exchanged, else with a RST.
    pub(super) fn release(&mut self, events: &HostEvents) {
        let Some(mut stream) = self.stream.take() else {
            return;
        };
        let _ = events.poll.borrow().registry().deregister(&mut stream);
        if !(self.host_done && self.shut) {
            let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        }
    }
}

/// Returns whether a non-blocking connect has finished.
fn is_connected(stream: &TcpStream) -> std::io::Result<bool> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    match stream.peer_addr() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
        Err(error) => Err(error),
    }
}

/// Splits a result for smoltcp's closures into the count to consume, and the result.
fn split(result: std::io::Result<usize>) -> (usize, std::io::Result<usize>) {
    (result.as_ref().copied().unwrap_or(0), result)
}

/// A full or empty host socket is not an error; a closed smoltcp socket moves nothing.
fn transfer<E>(result: Result<std::io::Result<usize>, E>) -> Result<usize, ()> {
    match result {
        Ok(Ok(count)) => Ok(count),
        Ok(Err(error)) => match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::Interrupted => Ok(0),
            _ => Err(()),
        },
        Err(_) => Ok(0),
    }
}
