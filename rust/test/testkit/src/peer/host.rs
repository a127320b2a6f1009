//! The in-world broker behind a real socket, for programs that need sockets.
use super::{Config, Ending, Log, Server, Stream};
use crate::background::Background;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A [`Server`] on a free port of 127.0.0.1; it ends when dropped.
#[derive(Debug)]
pub struct HostPeer {
    server: Server,
    address: SocketAddr,
    _service: Background,
}

impl HostPeer {
    /// Starts it. Its clock is the host's; its randomness comes from the seed.
    pub fn start(config: Config, seed: u64) -> io::Result<Self> {
        let epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let server = Server::new(config, seed, epoch).map_err(io::Error::other)?;
        let (service, address) = Background::spawn("mqtt-peer", {
            let server = server.clone();
            async || {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
                let address = listener.local_addr()?;
                Ok((address, serve(listener, server)))
            }
        })?;
        Ok(Self {
            server,
            address,
            _service: service,
        })
    }

    /// Returns the address at which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the server, for its log and its behaviour.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Returns what the server has seen so far.
    pub fn log(&self) -> Log {
        self.server.log()
    }
}

async fn serve(listener: TcpListener, server: Server) {
    let start = Instant::now();
    while let Ok((socket, _)) = listener.accept().await {
        // A refused connection appears here as one that is closed immediately.
        if let Some(stream) = server.accept(start.elapsed()) {
            tokio::spawn(async move {
                let mut stream = stream;
                // Whatever ends the socket ends the connection; there is nowhere to report it.
                relay(socket, &mut stream, start).await.ok();
                stream.closed();
            });
        }
    }
}

async fn relay(mut socket: TcpStream, stream: &mut Stream, start: Instant) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        loop {
            let bytes = stream.transmit();
            if bytes.is_empty() {
                break;
            }
            socket.write_all(&bytes).await?;
        }
        match stream.ending() {
            Ending::Open => {}
            Ending::Finish => {
                socket.shutdown().await?;
                drain(&mut socket, &mut buffer).await;
                return Ok(());
            }
            Ending::Reset => {
                socket.set_zero_linger()?;
                return Ok(());
            }
        }
        match socket.read(&mut buffer).await? {
            0 => stream.end_of_stream(start.elapsed()),
            length => stream.receive(&buffer[..length], start.elapsed()),
        }
    }
}

/// Keeps reading briefly: closing with unread bytes would turn the FIN into a reset.
async fn drain(socket: &mut TcpStream, buffer: &mut [u8]) {
    let rest = async { while matches!(socket.read(buffer).await, Ok(1..)) {} };
    tokio::time::timeout(Duration::from_secs(1), rest)
        .await
        .ok();
}
