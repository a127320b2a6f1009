//! Ports at which nothing listens, now or later.
//!
//! A port that was free a moment ago may soon be taken by a concurrent test, or by a program that
//! asks the kernel for any port. A socket that is bound but does not listen reserves it, and the
//! kernel refuses every connection to it.
//!
//! The socket has `SO_REUSEADDR`. Linux therefore does not assign its port to programs that ask for
//! any port, but lets a server with the same option, such as Mosquitto, bind this port.
//! a server with the same option that asks for this one, such as Mosquitto.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread::sleep;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

/// Longer than a newly started process holds a socket of its parent.
const PATIENCE: Duration = Duration::from_secs(20);

/// A TCP port of 127.0.0.1 that stays closed while this value lives.
#[derive(Debug)]
pub struct ClosedPort {
    _socket: Socket,
    address: SocketAddr,
}

impl ClosedPort {
    /// Reserves a free port.
    ///
    /// # Errors
    ///
    /// Returns the system's error.
    pub fn any() -> io::Result<Self> {
        Self::bind(0)
    }

    /// Reserves this port of a server that has just stopped.
    ///
    /// # Errors
    ///
    /// Returns [`AddrInUse`](io::ErrorKind::AddrInUse) if something still listens there after 20
    /// seconds, and otherwise the system's error.
    pub fn keep(port: u16) -> io::Result<Self> {
        patiently(|| Self::bind(port))
    }

    /// Returns the address at which connections are refused.
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

/// Binds a socket with `bind`, and retries while the port is in use: a process being started by
/// another thread holds this process's sockets until it executes its program.
///
/// # Errors
///
/// Returns the error of `bind`; [`AddrInUse`](io::ErrorKind::AddrInUse) only after 20 seconds.
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
