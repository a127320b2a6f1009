//! A TLS server in front of a plain port, with exact control over its protocol settings and its
//! misbehaviour.
//!
//! ```text
//! client ── TLS ──> Front (127.0.0.1:any) ── plain TCP ──> broker
//! ```
//!
//! One thread serves all connections. It ends when the [`Front`] is dropped.
use crate::background::Background;
use crate::tls::{Tls, TlsSetupError};
use futures_lite::future;
use rustls::time_provider::DefaultTimeProvider;
use rustls::{CipherSuite, HandshakeKind, NamedGroup, ProtocolVersion};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// What the front does with a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Behaviour {
    /// TLS in front, plain TCP behind.
    Serve,
    /// No TLS: bytes pass through unchanged, as on a broker's plain port.
    Plaintext,
    /// Closes immediately.
    CloseOnAccept,
    /// Reads the ClientHello and closes without an answer.
    CloseInHandshake,
    /// Reads and never answers.
    Silent,
    /// Answers the first bytes with these, which need not be TLS, and closes.
    Reply(Vec<u8>),
    /// Serves until this many bytes of plaintext have gone to the client, then closes TCP without a
    /// close_notify alert (the truncation that RFC 8446 section 6.1 warns of).
    TruncateAfter(u64),
}

/// A successful handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handshake {
    /// The negotiated version.
    pub version: Option<ProtocolVersion>,
    /// The negotiated suite.
    pub suite: Option<CipherSuite>,
    /// The key exchange group, if there was a key exchange.
    pub group: Option<NamedGroup>,
    /// Whether an earlier session was resumed.
    pub resumed: bool,
    /// The name that the client requested (SNI).
    pub server_name: Option<String>,
    /// The negotiated protocol (ALPN).
    pub alpn: Option<Vec<u8>>,
    /// Number of certificates that the client sent.
    pub client_certificates: usize,
}

/// Everything that has happened so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Log {
    /// Number of TCP connections accepted.
    pub accepted: usize,
    /// Successful handshakes, in order.
    pub handshakes: Vec<Handshake>,
    /// Why the others failed, in order: alerts received, protocol violations, closes.
    pub failures: Vec<String>,
}

/// The running server.
#[derive(Debug)]
pub struct Front {
    address: SocketAddr,
    shared: Arc<Shared>,
    _service: Background,
}

#[derive(Debug)]
struct Shared {
    backend: SocketAddr,
    behaviour: Mutex<Behaviour>,
    log: Mutex<Log>,
}

impl Front {
    /// Serves TLS on a free port of 127.0.0.1, and passes the plaintext to `backend`.
    pub fn start(tls: &Tls, backend: SocketAddr) -> io::Result<Self> {
        let acceptor = TlsAcceptor::from(Arc::new(server_config(tls).map_err(io::Error::other)?));
        let shared = Arc::new(Shared {
            backend,
            behaviour: Mutex::new(Behaviour::Serve),
            log: Mutex::default(),
        });
        let (service, address) = Background::spawn("tls-front", {
            let shared = shared.clone();
            async || {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
                let address = listener.local_addr()?;
                Ok((address, serve(listener, acceptor, shared)))
            }
        })?;
        Ok(Self {
            address,
            shared,
            _service: service,
        })
    }

    /// Returns the address at which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes how connections accepted from now on are handled.
    pub fn set_behaviour(&self, behaviour: Behaviour) {
        *lock(&self.shared.behaviour) = behaviour;
    }

    /// Returns everything that has happened so far.
    pub fn log(&self) -> Log {
        lock(&self.shared.log).clone()
    }
}

/// Returns aws-lc's provider, which signs with any key.
#[cfg(feature = "generate")]
fn server_config(tls: &Tls) -> Result<rustls::ServerConfig, TlsSetupError> {
    use rustls::crypto::aws_lc_rs;

    let key =
        aws_lc_rs::sign::any_supported_type(tls.identity.key()).map_err(|_| TlsSetupError::Key)?;
    tls.server_config(
        aws_lc_rs::default_provider(),
        key,
        Arc::new(DefaultTimeProvider),
    )
}

/// Returns the peer's provider: keys of the [`fixed`](crate::fixed) chains, and no C code to
/// compile.
#[cfg(not(feature = "generate"))]
fn server_config(tls: &Tls) -> Result<rustls::ServerConfig, TlsSetupError> {
    use crate::random::HostRandom;

    let key = crate::peer::sign::signing_key::<HostRandom>(tls.identity.key())?;
    tls.server_config(
        thread_mqtt_soft_provider::provider::<HostRandom>(),
        key,
        Arc::new(DefaultTimeProvider),
    )
}

/// Ignores poisoning: a panic elsewhere does not make the log invalid.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                lock(&shared.log).accepted += 1;
                tokio::spawn(handle(client, acceptor.clone(), shared.clone()));
            }
            Err(error) => {
                // Out of file descriptors, or the client has already gone. Keep running.
                lock(&shared.log).failures.push(error.to_string());
                tokio::task::yield_now().await;
            }
        }
    }
}

async fn handle(client: TcpStream, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    let behaviour = lock(&shared.behaviour).clone();
    if let Err(error) = behave(client, behaviour, &acceptor, &shared).await {
        lock(&shared.log).failures.push(error.to_string());
    }
}

async fn behave(
    mut client: TcpStream,
    behaviour: Behaviour,
    acceptor: &TlsAcceptor,
    shared: &Shared,
) -> io::Result<()> {
    client.set_nodelay(true)?;
    match behaviour {
        Behaviour::Serve => {
            let mut client = accept(client, acceptor, shared).await?;
            let mut broker = connect(shared).await?;
            tokio::io::copy_bidirectional(&mut client, &mut broker).await?;
        }
        Behaviour::TruncateAfter(limit) => {
            let client = accept(client, acceptor, shared).await?;
            truncate(client, connect(shared).await?, limit).await?;
        }
        Behaviour::Plaintext => {
            let mut broker = connect(shared).await?;
            tokio::io::copy_bidirectional(&mut client, &mut broker).await?;
        }
        Behaviour::CloseOnAccept => {}
        Behaviour::CloseInHandshake => read_some(&mut client).await?,
        Behaviour::Silent => while client.read(&mut [0; 4096]).await? > 0 {},
        Behaviour::Reply(bytes) => {
            read_some(&mut client).await?;
            client.write_all(&bytes).await?;
            client.shutdown().await?;
            while client.read(&mut [0; 4096]).await? > 0 {}
        }
    }
    Ok(())
}

async fn connect(shared: &Shared) -> io::Result<TcpStream> {
    let broker = TcpStream::connect(shared.backend).await?;
    broker.set_nodelay(true)?;
    Ok(broker)
}

/// Closing with unread bytes would send a reset; the hello has been read, so this sends a FIN.
async fn read_some(client: &mut TcpStream) -> io::Result<()> {
    client.read(&mut [0; 4096]).await.map(drop)
}

async fn accept(
    client: TcpStream,
    acceptor: &TlsAcceptor,
    shared: &Shared,
) -> io::Result<TlsStream<TcpStream>> {
    let stream = acceptor.accept(client).await?;
    let (_, tls) = stream.get_ref();
    let handshake = Handshake {
        version: tls.protocol_version(),
        suite: tls.negotiated_cipher_suite().map(|suite| suite.suite()),
        group: tls
            .negotiated_key_exchange_group()
            .map(|group| group.name()),
        resumed: tls.handshake_kind() == Some(HandshakeKind::Resumed),
        server_name: tls.server_name().map(str::to_owned),
        alpn: tls.alpn_protocol().map(<[u8]>::to_vec),
        client_certificates: tls.peer_certificates().map_or(0, <[_]>::len),
    };
    lock(&shared.log).handshakes.push(handshake);
    Ok(stream)
}

async fn truncate(client: TlsStream<TcpStream>, broker: TcpStream, limit: u64) -> io::Result<()> {
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (from_broker, mut to_broker) = broker.into_split();
    let mut limited = from_broker.take(limit);
    let up = async {
        tokio::io::copy(&mut from_client, &mut to_broker)
            .await
            .map(drop)
    };
    let down = async {
        tokio::io::copy(&mut limited, &mut to_client).await?;
        to_client.flush().await
    };
    future::or(up, down).await
    // Dropping the stream closes the socket; only shutdown() would send close_notify.
}
