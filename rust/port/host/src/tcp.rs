//! The single TCP connection.
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;
use thread_mqtt_client::TcpError;
use thread_mqtt_driver::{Received, TcpState};

#[derive(Debug, Default)]
pub(crate) enum Tcp {
    #[default]
    Closed,
    Connecting(TcpStream),
    Connected(TcpStream),
    Failed(TcpError),
}

impl Tcp {
    pub(crate) fn connect(
        &mut self,
        to: SocketAddr,
        registry: &Registry,
        token: Token,
    ) -> Result<(), TcpError> {
        self.close(true);
        let open = || {
            let mut stream = TcpStream::connect(to)?;
            registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
            Ok(stream)
        };
        match open() {
            Ok(stream) => {
                *self = Self::Connecting(stream);
                Ok(())
            }
            Err(error) => {
                let error = tcp_error(&error);
                *self = Self::Failed(error);
                Err(error)
            }
        }
    }

    pub(crate) fn state(&mut self) -> TcpState {
        if let Self::Connecting(stream) = self {
            match outcome(stream) {
                Ok(true) => {
                    // The client already sends full records, so delaying them gains nothing.
                    let _ = stream.set_nodelay(true);
                    if let Self::Connecting(stream) = std::mem::take(self) {
                        *self = Self::Connected(stream);
                    }
                }
                Ok(false) => {}
                Err(error) => *self = Self::Failed(tcp_error(&error)),
            }
        }
        match self {
            Self::Closed => TcpState::Closed,
            Self::Connecting(_) => TcpState::Connecting,
            Self::Connected(_) => TcpState::Connected,
            Self::Failed(error) => TcpState::Failed(*error),
        }
    }

    pub(crate) fn send(&mut self, data: &[u8]) -> Result<usize, TcpError> {
        let Self::Connected(stream) = self else {
            return Ok(0);
        };
        match retry(|| stream.write(data)) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
            other => other.map_err(|error| tcp_error(&error)),
        }
    }

    pub(crate) fn receive(&mut self, buf: &mut [u8]) -> Result<Received, TcpError> {
        let stream = match self {
            Self::Connected(stream) => stream,
            Self::Failed(error) => return Err(*error),
            Self::Closed | Self::Connecting(_) => return Ok(Received::WouldBlock),
        };
        match retry(|| stream.read(buf)) {
            Ok(0) => Ok(Received::EndOfStream),
            Ok(n) => Ok(Received::Bytes(n)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Received::WouldBlock),
            Err(error) => Err(tcp_error(&error)),
        }
    }

    pub(crate) fn close(&mut self, abort: bool) {
        let (Self::Connecting(mut stream) | Self::Connected(mut stream)) = std::mem::take(self)
        else {
            return;
        };
        if abort {
            let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
            return;
        }
        let _ = stream.shutdown(Shutdown::Write);
        // Unread bytes would turn the FIN into a RST.
        let mut rest = [0; 1024];
        while matches!(retry(|| stream.read(&mut rest)), Ok(n) if n > 0) {}
    }
}

/// Returns whether a connect has succeeded, or why it failed.
fn outcome(stream: &TcpStream) -> io::Result<bool> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    match stream.peer_addr() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
        Err(error) => Err(error),
    }
}

fn retry<T>(mut operation: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match operation() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

fn tcp_error(error: &io::Error) -> TcpError {
    match error.kind() {
        ErrorKind::ConnectionRefused => TcpError::Refused,
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
            TcpError::Reset
        }
        ErrorKind::TimedOut => TcpError::TimedOut,
        // Prohibited by a router or firewall: EACCES, EPERM.
        ErrorKind::PermissionDenied
        | ErrorKind::NetworkUnreachable
        | ErrorKind::HostUnreachable
        | ErrorKind::NetworkDown
        | ErrorKind::AddrNotAvailable => TcpError::Unreachable,
        _ => TcpError::Other(crate::code(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Linux reports EPERM if a firewall rejects a connection, and EACCES if a route prohibits it.
    #[test]
    fn what_is_prohibited_is_unreachable() {
        for code in [1, 13] {
            let error = io::Error::from_raw_os_error(code);
            assert_eq!(tcp_error(&error), TcpError::Unreachable);
        }
    }
}
