//! Ports at which nothing listens, and will not.
//!
//! A port that was free a moment ago is soon another's: of a test beside this one, or of a program that
//! asks the kernel for any port. A socket that is bound and does not listen keeps it, and the kernel
//! refuses every connection to it.
//!
//! The socket has `SO_REUSEADDR`. So Linux gives its port to nothing that asks for any port, but still to
//! a server with the same option that asks for this one, such as Mosquitto.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread::sleep;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

/// Longer than a process that was just started holds a socket of the one that started it.
const PATIENCE: Duration = Duration::from_secs(20);

/// A TCP port of 127.0.0.1 that stays closed as long as the value lives.
#[derive(Debug)]
pub struct ClosedPort {
    _socket: Socket,
    address: SocketAddr,
}

impl ClosedPort {
    /// Closes a port that was free.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn any() -> io::Result<Self> {
        Self::bind(0)
    }

    /// Keeps this port, of a server that has just ended.
    ///
    /// # Errors
    ///
    /// [`AddrInUse`](io::ErrorKind::AddrInUse) if something still listens there after 20 seconds, and
    /// otherwise what the system says.
    pub fn keep(port: u16) -> io::Result<Self> {
        patiently(|| Self::bind(port))
    }

    /// Where a connection is refused.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    fn bind(port: u16) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
        let address = socket.local_addr()?.as_socket();
        Ok(Self {
            _socket: socket,
            address: address.expect("it is bound to an address of IPv4"),
        })
    }
}

/// Binds a socket as `bind` does, and again while the port is in use: a process that another thread is
/// just starting holds the sockets of this one until it executes its program.
///
/// # Errors
///
/// What `bind` says; [`AddrInUse`](io::ErrorKind::AddrInUse) after 20 seconds only.
pub fn patiently<T>(mut bind: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let start = Instant::now();
    loop {
        match bind() {
            Err(error)
                if error.kind() == io::ErrorKind::AddrInUse && start.elapsed() < PATIENCE =>
            {
                sleep(Duration::from_millis(5));
            }
            result => return result,
        }
    }
}
