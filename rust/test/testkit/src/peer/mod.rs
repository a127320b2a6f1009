//! A broker with TLS as a pure byte-stream machine, for a simulated world in which everything must
//! repeat byte for byte.
//!
//! It has no socket, thread, clock or entropy of its own: time is an argument, randomness is
//! seeded, signatures are deterministic. A [`Server`] outlives its connections, like a broker, and
//! owns the TLS and MQTT sessions. Each [`Stream`] is one connection.
//!
//! ```text
//! bytes from the client ──> Stream::receive  ─┐
//!                                             ├─ rustls ── MQTT session (one client)
//! bytes to the client  <── Stream::transmit ──┘
//! ```
//!
//! [`host::HostPeer`] runs the same machine behind a real socket.
mod codec;
pub mod host;
mod session;
pub(crate) mod sign;
mod topic;

pub use codec::{Connect, Message, Version};

use crate::random::{Seeded, SeededRandom};
use crate::tls::{Tls, TlsSetupError};
use rustls::server::ServerConnection;
use rustls::time_provider::TimeProvider;
use rustls::{CipherSuite, HandshakeKind, ProtocolVersion, ServerConfig};
use rustls_pki_types::UnixTime;
use session::{Exchange, Session};
use std::io::{Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The server's behaviour.
#[derive(Debug, Clone)]
pub struct Config {
    /// TLS; `None` for plain MQTT.
    pub tls: Option<Tls>,
    /// Refuses every CONNECT with this code (3.1.1: 1 to 5; 5: 0x80 and up).
    pub refuse: Option<u8>,
    /// The other server named in the refusal, with `refuse` and MQTT 5.
    pub server_reference: Option<String>,
    /// Supports only MQTT 3.1.1, and responds to an MQTT 5 client in this way.
    pub only_v311: Option<OnlyV311>,
    /// Maximum packet size in bytes; announced to MQTT 5 clients.
    pub max_packet_size: u32,
    /// Faults of the first, second, … connection; later ones work.
    pub faults: Vec<Fault>,
}

impl Config {
    /// Returns a well-behaved server.
    pub fn new(tls: Option<Tls>) -> Self {
        Self {
            tls,
            refuse: None,
            server_reference: None,
            only_v311: None,
            max_packet_size: u32::MAX,
            faults: Vec::new(),
        }
    }
}

/// How an MQTT 3.1.1 broker responds to an MQTT 5 client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnlyV311 {
    /// It closes the connection, like RabbitMQ before 3.13.
    Closes,
    /// It refuses with an MQTT 3.1.1 packet (section 3.1.2.2), like Mosquitto.
    Refuses,
}

/// A fault of a connection. Bytes are counted on the TCP stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No fault.
    None,
    /// TCP is refused.
    Refuse,
    /// The server closes after it has received this many bytes: 1 is "in the handshake".
    CloseAfterReceived(u64),
    /// The server closes after it has sent this many bytes.
    CloseAfterSent(u64),
    /// The server sends close_notify after it has received this many bytes, and leaves TCP open,
    /// like a load balancer whose instance is gone.
    CloseNotify(u64),
    /// The server resets the connection after it has sent this many bytes.
    ResetAfterSent(u64),
}

/// What the server has seen.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Log {
    /// Number of TCP connections, including refused ones.
    pub connections: usize,
    /// Successful TLS handshakes.
    pub handshakes: Vec<Handshake>,
    /// Why others failed, and other TLS errors.
    pub tls_errors: Vec<rustls::Error>,
    /// CONNECT packets.
    pub connects: Vec<Connect>,
    /// Messages published, each once.
    pub published: Vec<Message>,
    /// Number of QoS 2 messages that were repeated and not passed on.
    pub duplicates: usize,
    /// Wills of clients that disappeared.
    pub wills: Vec<Message>,
    /// PINGREQ packets.
    pub pings: usize,
    /// DISCONNECT packets.
    pub disconnects: usize,
    /// Protocol violations, as MQTT 5 reason codes.
    pub violations: Vec<u8>,
}

/// A successful TLS handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handshake {
    /// The negotiated version.
    pub version: Option<ProtocolVersion>,
    /// The negotiated suite.
    pub suite: Option<CipherSuite>,
    /// Whether an earlier session was resumed.
    pub resumed: bool,
    /// The requested name.
    pub server_name: Option<String>,
    /// Number of certificates that the client sent.
    pub client_certificates: usize,
}

/// A server inside the world. Cheap to clone: clones refer to the same server.
#[derive(Debug, Clone)]
pub struct Server {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    tls: Option<Arc<ServerConfig>>,
    clock: Arc<Clock>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    config: Config,
    random: Seeded,
    session: Session,
    log: Log,
    /// Replaces the fault of the next connection that receives data.
    close_notify: Option<u64>,
}

/// The server's wall clock: Unix seconds at time zero, and the last time passed in.
#[derive(Debug)]
struct Clock {
    epoch: u64,
    seconds: AtomicU64,
}

impl Clock {
    fn set(&self, now: Duration) {
        self.seconds.store(now.as_secs(), Ordering::Relaxed);
    }
}

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = self.epoch + self.seconds.load(Ordering::Relaxed);
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

impl Server {
    /// Creates a server whose random choices all follow from `seed`. Its wall clock shows `epoch`
    /// (Unix seconds) at time zero.
    pub fn new(config: Config, seed: u64, epoch: u64) -> Result<Self, TlsSetupError> {
        /// Different from the streams of other users of the same seed.
        const STREAM: u64 = u64::from_be_bytes(*b"mqttpeer");
        let clock = Arc::new(Clock {
            epoch,
            seconds: AtomicU64::new(0),
        });
        let mut random = Seeded::new(seed, STREAM);
        let tls = match &config.tls {
            None => None,
            Some(tls) => {
                let key = sign::signing_key::<SeededRandom>(tls.identity.key())?;
                let provider = thread_mqtt_soft_provider::provider::<SeededRandom>();
                let config = random.scope(|| tls.server_config(provider, key, clock.clone()))?;
                Some(Arc::new(config))
            }
        };
        Ok(Self {
            shared: Arc::new(Shared {
                tls,
                clock,
                state: Mutex::new(State {
                    config,
                    random,
                    session: Session::default(),
                    log: Log::default(),
                    close_notify: None,
                }),
            }),
        })
    }

    /// Accepts a client's connection; `None` refuses it.
    pub fn accept(&self, now: Duration) -> Option<Stream> {
        self.shared.clock.set(now);
        let mut state = self.shared.state();
        let fault = state
            .config
            .faults
            .get(state.log.connections)
            .copied()
            .unwrap_or(Fault::None);
        state.log.connections += 1;
        if fault == Fault::Refuse {
            return None;
        }
        let tls = match &self.shared.tls {
            None => None,
            Some(config) => {
                let made = state.random.scope(|| ServerConnection::new(config.clone()));
                match made {
                    Ok(connection) => Some(connection),
                    Err(error) => {
                        state.log.tls_errors.push(error);
                        return None;
                    }
                }
            }
        };
        drop(state);
        Some(Stream {
            shared: self.shared.clone(),
            tls,
            greeted: false,
            exchange: Exchange::default(),
            pending: Vec::new(),
            received: 0,
            sent: 0,
            fault,
            is_deaf: false,
            ending: Ending::Open,
            closed: false,
        })
    }

    /// Changes the behaviour from now on, except TLS.
    pub fn configure(&self, change: impl FnOnce(&mut Config)) {
        change(&mut self.shared.state().config);
    }

    /// Gives the current connection [`Fault::CloseNotify`] with this number of bytes.
    pub fn close_notify_after(&self, received: u64) {
        self.shared.state().close_notify = Some(received);
    }

    /// Returns what the server has seen so far.
    pub fn log(&self) -> Log {
        self.shared.state().log.clone()
    }

    /// Publishes a message from another client. It is sent after the answer to the next packet, or
    /// on the next connection.
    pub fn publish(&self, message: &Message) {
        self.shared.state().session.pass_on(message);
    }

    /// Forgets the MQTT session, like a broker without persistence after a restart.
    pub fn forget_session(&self) {
        self.shared.state().session = Session::default();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a [`Stream`] wants to continue its TCP connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Keep it open.
    Open,
    /// Send FIN after everything is transmitted.
    Finish,
    /// Send RST after everything is transmitted.
    Reset,
}

/// The server's end of one connection.
#[derive(Debug)]
pub struct Stream {
    shared: Arc<Shared>,
    tls: Option<ServerConnection>,
    /// The handshake is complete and logged.
    greeted: bool,
    exchange: Exchange,
    /// Bytes for the client.
    pending: Vec<u8>,
    received: u64,
    sent: u64,
    fault: Fault,
    /// It has sent close_notify, and ignores all further input.
    is_deaf: bool,
    ending: Ending,
    closed: bool,
}

impl Stream {
    /// Receives bytes from the client; all are taken.
    pub fn receive(&mut self, data: &[u8], now: Duration) {
        if self.ending != Ending::Open {
            return;
        }
        self.shared.clock.set(now);
        self.received += data.len() as u64;
        let shared = self.shared.clone();
        let state = &mut *shared.state();
        if let Some(limit) = state.close_notify.take() {
            self.fault = Fault::CloseNotify(limit);
        }
        if matches!(self.fault, Fault::CloseAfterReceived(limit) if self.received >= limit) {
            self.ending = Ending::Finish;
            return;
        }
        if matches!(self.fault, Fault::CloseNotify(limit) if self.received >= limit) {
            if let Some(mut tls) = self.tls.take() {
                // The last bytes are processed by TLS, but their contents are ignored.
                let mut last = data;
                while !last.is_empty() && tls.read_tls(&mut last).is_ok() {
                    state.random.scope(|| tls.process_new_packets()).ok();
                }
                tls.send_close_notify();
                self.flush(&mut tls, state);
            }
            // All input is ignored from here on.
            self.fault = Fault::None;
            self.is_deaf = true;
        }
        if self.is_deaf {
            return;
        }
        match self.tls.take() {
            None => {
                self.handle_plaintext(data, state);
                self.pending.append(&mut self.exchange.take_output());
            }
            Some(mut tls) => {
                self.handle_ciphertext(&mut tls, data, state);
                self.tls = Some(tls);
            }
        }
        if self.exchange.ended() {
            self.finish(state);
        }
    }

    /// Called when the client has sent FIN.
    pub fn end_of_stream(&mut self, now: Duration) {
        self.shared.clock.set(now);
        let shared = self.shared.clone();
        self.finish(&mut shared.state());
    }

    /// Called when the connection is gone.
    pub fn closed(&mut self) {
        if !std::mem::replace(&mut self.closed, true) {
            let shared = self.shared.clone();
            self.exchange.handle_closed(&mut shared.state().log);
        }
    }

    /// Returns the next bytes for the client, until empty. They count as sent.
    pub fn transmit(&mut self) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.pending);
        if let Fault::CloseAfterSent(limit) | Fault::ResetAfterSent(limit) = self.fault {
            let left = usize::try_from(limit - self.sent).unwrap_or(usize::MAX);
            if bytes.len() >= left {
                bytes.truncate(left);
                self.ending = match self.fault {
                    Fault::ResetAfterSent(_) => Ending::Reset,
                    _ => Ending::Finish,
                };
            }
        }
        self.sent += bytes.len() as u64;
        bytes
    }

    /// Returns how to continue the connection, once [`transmit`](Self::transmit) returns nothing.
    pub fn ending(&self) -> Ending {
        self.ending
    }

    fn handle_plaintext(&mut self, data: &[u8], state: &mut State) {
        self.exchange
            .handle_input(data, &state.config, &mut state.session, &mut state.log);
    }

    fn handle_ciphertext(
        &mut self,
        tls: &mut ServerConnection,
        mut data: &[u8],
        state: &mut State,
    ) {
        while !data.is_empty() {
            if let Err(error) = tls.read_tls(&mut data) {
                state
                    .log
                    .tls_errors
                    .push(rustls::Error::General(error.to_string()));
                self.ending = Ending::Finish;
                return;
            }
            if let Err(error) = state.random.scope(|| tls.process_new_packets()) {
                state.log.tls_errors.push(error);
                // The alert is still sent.
                self.flush(tls, state);
                self.ending = Ending::Finish;
                return;
            }
            self.greet(tls, state);
            let mut plaintext = Vec::new();
            // "Would block" ends every read; close_notify appears as a normal end.
            tls.reader().read_to_end(&mut plaintext).ok();
            self.handle_plaintext(&plaintext, state);
            self.flush(tls, state);
        }
    }

    /// Moves the broker's output through TLS into `pending`.
    fn flush(&mut self, tls: &mut ServerConnection, state: &mut State) {
        let plaintext = self.exchange.take_output();
        let pending = &mut self.pending;
        state.random.scope(|| {
            // Writing to memory cannot fail, and rustls buffers without limit by default.
            tls.writer().write_all(&plaintext).ok();
            while tls.wants_write() {
                if tls.write_tls(pending).is_err() {
                    break;
                }
            }
        });
    }

    fn greet(&mut self, tls: &ServerConnection, state: &mut State) {
        if self.greeted || tls.is_handshaking() {
            return;
        }
        self.greeted = true;
        state.log.handshakes.push(Handshake {
            version: tls.protocol_version(),
            suite: tls.negotiated_cipher_suite().map(|suite| suite.suite()),
            resumed: tls.handshake_kind() == Some(HandshakeKind::Resumed),
            server_name: tls.server_name().map(str::to_owned),
            client_certificates: tls.peer_certificates().map_or(0, <[_]>::len),
        });
    }

    /// Sends close_notify, then FIN.
    fn finish(&mut self, state: &mut State) {
        if self.ending != Ending::Open {
            return;
        }
        if let Some(mut tls) = self.tls.take() {
            tls.send_close_notify();
            self.flush(&mut tls, state);
            self.tls = Some(tls);
        }
        self.ending = Ending::Finish;
    }
}
