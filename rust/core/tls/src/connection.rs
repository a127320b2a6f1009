//! One TLS connection.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use rustls::client::UnbufferedClientConnection;
use rustls::unbuffered::{ConnectionState, UnbufferedStatus};
use rustls::{CipherSuite, CommonState, HandshakeKind, NamedGroup, ProtocolVersion};
use rustls_pki_types::{self as pki, DnsName, ServerName};
use thread_mqtt_crypto_record::{has_room, in_place};

use crate::alert::AlertContext;
use crate::buffer::{Inbound, Outbound};
use crate::certificate::CertificateSummary;
use crate::choice::{Group, Suite, Version};
use crate::clock::{CertificateTime, Clock};
use crate::config::Config;
use crate::error::TlsError;

/// The parameters that a connection negotiated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreed {
    /// The protocol version.
    pub version: Version,
    suite: CipherSuite,
    group: Option<NamedGroup>,
    /// Whether an earlier session was resumed.
    pub resumed: bool,
    /// Whether the broker asked for another group first (HelloRetryRequest). This costs a round
    /// trip; listing that group first saves it.
    pub retried: bool,
    /// The ALPN protocol chosen.
    pub alpn: Option<Vec<u8>>,
}

impl Agreed {
    /// Returns the IANA name of the suite, such as `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256`, or
    /// `unknown` if [`Suite`] does not list it.
    pub fn suite(&self) -> &'static str {
        // rustls has the names of all suites ever defined, which take 16 kB of flash.
        Suite::from_id(self.suite.into()).map_or("unknown", Suite::name)
    }

    /// Returns the key exchange group, if the handshake had one.
    pub fn group(&self) -> Option<&'static str> {
        self.group
            .map(|group| Group::from_id(group.into()).map_or("unknown", Group::name))
    }

    fn is_tls13(&self) -> bool {
        self.version == Version::Tls13
    }
}

/// The bytes currently allocated for the buffers of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BufferSizes {
    /// Ciphertext from the peer, or plaintext not yet read.
    pub inbound: usize,
    /// Ciphertext for the peer.
    pub outbound: usize,
}

/// One TLS connection.
///
/// Pass bytes from the peer to [`handle_ciphertext`](Self::handle_ciphertext). Take bytes for the
/// peer from [`ciphertext`](Self::ciphertext) and [`consume_ciphertext`](Self::consume_ciphertext).
/// The application sends with [`write`](Self::write) and reads with [`plaintext`](Self::plaintext)
/// and [`consume_plaintext`](Self::consume_plaintext).
///
/// After an error every further call returns the same error. Still send what is in
/// [`ciphertext`](Self::ciphertext): it ends with the alert that tells the peer why. Plaintext
/// received before the error can still be read.
pub struct Connection {
    /// Boxed: it is 1 kB, which would otherwise be moved with its owner.
    tls: Box<UnbufferedClientConnection>,
    config: Config,
    server_name: ServerName<'static>,
    time: CertificateTime,
    clock: Arc<Clock>,
    inbound: Inbound,
    outbound: Outbound,
    agreed: Option<Agreed>,
    offered_session: bool,
    /// This side sent close_notify, or abandoned the handshake.
    closed: bool,
    /// The peer sent close_notify.
    peer_closed: bool,
    failure: Option<TlsError>,
    /// The chain of a peer that was refused.
    refused: Vec<CertificateSummary>,
}

/// Bytes of heap that a connection takes until its first flight is ready.
const ROOM_TO_BEGIN: usize = 768 * size_of::<usize>();
/// Bytes of heap that a handshake step may take for keys and rustls's states, and (below) in
/// addition to a copy of the received bytes or of the chain.
/// `bench/cortex-m4/measure.py --least-heap` checks that they suffice.
const ROOM_IN_HANDSHAKE: usize = 640 * size_of::<usize>();
const ROOM_BESIDE: usize = 256 * size_of::<usize>();
/// The same after the handshake.
const ROOM: usize = 96 * size_of::<usize>();

/// The published rustls copies the peer's certificates into each session it keeps. The client-only
/// rustls shares them and says so by an inherent constant, which takes precedence over a trait's.
#[allow(dead_code, reason = "not used beside the other one")]
trait Published {
    const SHARES_PEER_CERTIFICATES: bool = false;
}

impl Published for CommonState {}

/// What to do once rustls has processed the input and has nothing left to send.
enum Job<'a> {
    Nothing,
    Write(&'a [u8]),
    Close,
}

impl Connection {
    /// Creates a client connection to `server_name`, a DNS name or IP literal that the certificate
    /// must contain. Certificates are checked against `time` in Unix seconds; see
    /// [`CertificateTime`] for a device whose clock is not set.
    ///
    /// The first flight is ready in [`ciphertext`](Self::ciphertext) at once.
    pub fn new(
        config: &Config,
        server_name: &str,
        time: impl Into<CertificateTime>,
    ) -> Result<Self, TlsError> {
        Self::start(config, parse_name(server_name)?, time.into())
    }

    #[inline(never)]
    fn start(
        config: &Config,
        server_name: ServerName<'static>,
        time: CertificateTime,
    ) -> Result<Self, TlsError> {
        check_room(ROOM_TO_BEGIN)?;
        // An earlier failure does not belong to this connection.
        config.take_provider_failure();
        let clock = Clock::new(time.unix_seconds());
        // A resumed handshake has no certificates, so check the dates of the kept ones here.
        config.forget_sessions_of(&server_name, Some(time.unix_seconds()));
        let offered = config.sessions_offered();
        let mut connection = Self {
            tls: config
                .connect(server_name.clone(), time, clock.clone())
                .map_err(|error| config.or_provider_failure(TlsError::from_rustls(&error, true)))?,
            config: config.clone(),
            server_name,
            time,
            clock,
            inbound: Inbound::new(config.limits()),
            outbound: Outbound::new(config.limits()),
            agreed: None,
            offered_session: config.sessions_offered() != offered,
            closed: false,
            peer_closed: false,
            failure: None,
            refused: Vec::new(),
        };
        connection.drive(Job::Nothing)?;
        Ok(connection)
    }

    /// Takes bytes from the peer and returns how many were taken. If fewer than given, there is
    /// plaintext: consume it, then offer the rest again. Bytes after the peer's close_notify are
    /// taken and ignored.
    pub fn handle_ciphertext(&mut self, data: &[u8]) -> Result<usize, TlsError> {
        self.check()?;
        let mut taken = 0;
        while !self.peer_closed && self.plaintext().is_empty() {
            let rest = data.get(taken..).unwrap_or_default();
            if rest.is_empty() {
                return Ok(taken);
            }
            let (n, whole) = match self.inbound.receive(rest) {
                Ok(received) => received,
                Err(TlsError::OutOfMemory { .. }) if self.config.forget_sessions() => continue,
                Err(error) => {
                    // TLS has no alert for this, but close politely if there is room.
                    if has_room(ROOM) {
                        self.close();
                        // If that could not be encrypted, it is not the cause.
                        self.config.take_provider_failure();
                    }
                    return Err(self.fail(error));
                }
            };
            taken += n;
            if whole {
                // Not fatal to rustls: it could be forged. So could a FIN.
                if self.is_handshaking() && self.inbound.is_close_notify() {
                    return Err(self.fail(self.inbound.closed_in_handshake()));
                }
                self.check_room()?;
                self.drive(Job::Nothing)?;
                self.inbound.next_record();
            }
        }
        Ok(if self.peer_closed { data.len() } else { taken })
    }

    /// Handles the peer closing the TCP connection. Returns an error unless one side sent
    /// close_notify first.
    pub fn handle_eof(&mut self) -> Result<(), TlsError> {
        self.check()?;
        if self.peer_closed || self.closed {
            Ok(())
        } else if self.is_handshaking() {
            Err(self.fail(self.inbound.closed_in_handshake()))
        } else {
            Err(self.fail(TlsError::Truncated))
        }
    }

    /// Returns the bytes to send to the peer, in order.
    pub fn ciphertext(&self) -> &[u8] {
        self.outbound.pending()
    }

    /// Removes the first `n` bytes of [`ciphertext`](Self::ciphertext), which were sent.
    pub fn consume_ciphertext(&mut self, n: usize) {
        self.outbound.consume(n);
    }

    /// Encrypts application data and returns how many bytes were taken: 0 during the handshake,
    /// while the buffer is full, and while the heap has no room.
    pub fn write(&mut self, plaintext: &[u8]) -> Result<usize, TlsError> {
        self.check()?;
        if self.closed {
            return Err(TlsError::Closed);
        }
        if self.is_handshaking() || plaintext.is_empty() {
            return Ok(0);
        }
        self.drive(Job::Write(plaintext))
    }

    /// Returns decrypted application data.
    pub fn plaintext(&self) -> &[u8] {
        self.inbound.plaintext()
    }

    /// Removes the first `n` bytes of [`plaintext`](Self::plaintext), which were read.
    pub fn consume_plaintext(&mut self, n: usize) {
        self.inbound.consume_plaintext(n);
    }

    /// Queues a close_notify alert; nothing can be written after it. Data from the peer can still
    /// be read. During the handshake nothing is queued, because TLS has no such alert then: just
    /// close the TCP connection.
    pub fn close(&mut self) {
        if self.closed || self.failure.is_some() {
            return;
        }
        self.closed = true;
        if !self.is_handshaking() {
            // An error of the peer found here is kept and returned by the next call.
            let _ = self.drive(Job::Close);
        }
    }

    /// Replaces the keys for everything sent from now on (KeyUpdate, RFC 8446 section 4.6.3) and
    /// asks the peer to do the same. rustls does so itself when it must; this is for stricter
    /// policies. Does nothing during the handshake and in TLS 1.2, which has no key update.
    pub fn refresh_keys(&mut self) -> Result<(), TlsError> {
        self.check()?;
        if self.closed {
            return Err(TlsError::Closed);
        }
        if self.agreed.as_ref().is_some_and(Agreed::is_tls13) {
            // Not a job of `drive`: this code is not linked unless keys are refreshed. Without
            // input, rustls parses nothing and has nothing left to send.
            if let Ok(ConnectionState::WriteTraffic(traffic)) =
                self.tls.process_tls_records(&mut []).state
            {
                // Fails only in the handshake and in TLS 1.2, both excluded above.
                let _ = traffic.refresh_traffic_keys();
            }
            self.drive(Job::Nothing)?;
        }
        Ok(())
    }

    /// Updates the time, in Unix seconds, which gives the age of tickets that a long connection
    /// receives. The certificate is not checked again.
    pub fn set_time(&mut self, unix_seconds: u64) {
        self.clock.set(unix_seconds);
    }

    /// Returns whether the handshake is still in progress.
    pub fn is_handshaking(&self) -> bool {
        self.agreed.is_none()
    }

    /// Returns whether the handshake offered to resume a session and the broker has not chosen a
    /// full one instead. If it fails, the session may be the reason: the next connection offers
    /// another one or none.
    pub fn offered_session(&self) -> bool {
        let kind = self.tls.handshake_kind();
        self.offered_session && kind.is_none_or(|kind| kind == HandshakeKind::Resumed)
    }

    /// Returns whether the peer sent close_notify: nothing follows what is in
    /// [`plaintext`](Self::plaintext) now.
    pub fn is_peer_closed(&self) -> bool {
        self.peer_closed
    }

    /// Returns the negotiated parameters, once the handshake is done.
    pub fn agreed(&self) -> Option<&Agreed> {
        self.agreed.as_ref()
    }

    /// Returns names and dates of the peer's certificates, leaf first, once they were checked, even
    /// if they were refused. A resumed session returns those of the handshake that made it.
    pub fn peer_certificates(&self) -> Vec<CertificateSummary> {
        match self.tls.peer_certificates() {
            Some(chain) => CertificateSummary::read_chain(&mut chain.iter()),
            None => self.refused.clone(),
        }
    }

    /// Returns when the latest certificate of the verified path was issued (its notBefore), in Unix
    /// seconds. That time has passed, as the signature of the CA proves. `None` before the
    /// handshake is done.
    ///
    /// Only the path counts: nothing proves the other certificates that a peer sends.
    pub fn issued(&self) -> Option<u64> {
        self.agreed.as_ref()?;
        self.validity().map(|(issued, _)| issued)
    }

    /// Returns the validity of the verified path. `None` if a pin alone decided.
    fn validity(&self) -> Option<(u64, u64)> {
        let (leaf, sent) = self.tls.peer_certificates()?.split_first()?;
        let time = self.time.unix_seconds();
        self.config.verifier(self.time).validity(leaf, sent, time)
    }

    /// Returns the bytes currently allocated for buffers.
    pub fn buffer_sizes(&self) -> BufferSizes {
        BufferSizes {
            inbound: self.inbound.capacity(),
            outbound: self.outbound.capacity(),
        }
    }

    /// Checks that the heap has room for what rustls and the verifier allocate while they process
    /// the input. They abort if memory runs out, and the peer controls how much they need before it
    /// has authenticated itself.
    // Not inlined, as `fail_by_rustls`.
    #[inline(never)]
    fn check_room(&mut self) -> Result<(), TlsError> {
        let received = self.inbound.ciphertext_mut().len();
        // A ticket keeps a copy of it.
        let chain = match self.may_get_ticket() && !CommonState::SHARES_PEER_CERTIFICATES {
            true => self.tls.peer_certificates().unwrap_or_default(),
            false => &[],
        };
        let chain = chain.iter().map(|certificate| certificate.len()).sum();
        let in_place = self.config.is_in_place() && self.inbound.may_be_data();
        let wanted = match self.is_handshaking() {
            true => ROOM_IN_HANDSHAKE.max(received.max(chain) + ROOM_BESIDE),
            // Application data is not copied. If it turns out to be a ticket, the decrypter checks
            // for room.
            false if in_place && received > chain => ROOM,
            false => received + chain + ROOM,
        };
        let room = check_room(wanted).or_else(|error| match self.config.forget_sessions() {
            true => check_room(wanted),
            false => Err(error),
        });
        room.map_err(|error| self.fail(error))
    }

    /// In TLS 1.2 a ticket belongs to the handshake (RFC 5077 section 3.3).
    fn may_get_ticket(&self) -> bool {
        self.agreed.as_ref().is_none_or(Agreed::is_tls13)
    }

    fn check(&self) -> Result<(), TlsError> {
        self.failure.clone().map_or(Ok(()), Err)
    }

    /// Lets rustls process the input and produce its output, then does `job`. Returns how many
    /// bytes a [`Job::Write`] took.
    fn drive(&mut self, job: Job<'_>) -> Result<usize, TlsError> {
        let mut taken = Ok(0);
        loop {
            let UnbufferedStatus { discard, state } =
                self.tls.process_tls_records(self.inbound.ciphertext_mut());
            let mut done = false;
            let mut readable = false;
            match state {
                // Read below, once the ciphertext has been discarded.
                Ok(ConnectionState::ReadTraffic(_)) => readable = true,
                Ok(ConnectionState::EncodeTlsData(mut message)) => {
                    self.outbound.encode(&mut message);
                }
                // Once in the outbound buffer, it counts as transmitted.
                Ok(ConnectionState::TransmitTlsData(transmit)) => transmit.done(),
                Ok(ConnectionState::PeerClosed) => self.peer_closed = true,
                Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                    match job {
                        Job::Nothing => {}
                        Job::Write(data) => taken = self.outbound.encrypt(&mut traffic, data),
                        Job::Close => self.outbound.close_notify(&mut traffic),
                    }
                    done = true;
                }
                // Blocked in the handshake, or closed by both sides.
                Ok(_) => done = true,
                Err(error) => return Err(self.fail_by_rustls(&error)),
            }
            match readable {
                true if self.config.is_in_place() => self.inbound.reveal_plaintext(),
                _ => self.inbound.discard(discard),
            }
            if readable {
                self.read_plaintext();
            }
            if done {
                break;
            }
        }
        if self.agreed.is_none() && !self.tls.is_handshaking() {
            self.agreed = self.read_agreed();
        }
        taken.map_err(|error| self.fail(error))
    }

    /// Moves the plaintext that rustls holds into the inbound buffer, unless it is there already.
    fn read_plaintext(&mut self) {
        let in_place = self.config.is_in_place();
        let status = self.tls.process_tls_records(&mut []);
        if let Ok(ConnectionState::ReadTraffic(mut traffic)) = status.state {
            while let Some(Ok(record)) = traffic.next_record() {
                if !in_place {
                    self.inbound.put_plaintext(record.payload);
                }
            }
        }
    }

    // Not inlined, as `fail_by_rustls`.
    #[inline(never)]
    fn read_agreed(&self) -> Option<Agreed> {
        let kind = self.tls.handshake_kind();
        if let (Some(store), true) = (self.config.sessions(), kind != Some(HandshakeKind::Resumed))
        {
            let end = self.validity().map_or(u64::MAX, |(_, end)| end);
            store.set_end(&self.server_name, end);
        }
        Some(Agreed {
            version: match self.tls.protocol_version()? {
                ProtocolVersion::TLSv1_2 => Version::Tls12,
                ProtocolVersion::TLSv1_3 => Version::Tls13,
                _ => return None,
            },
            suite: self.tls.negotiated_cipher_suite()?.suite(),
            group: self.tls.negotiated_key_exchange_group().map(|g| g.name()),
            resumed: kind == Some(HandshakeKind::Resumed),
            retried: kind == Some(HandshakeKind::FullWithHelloRetryRequest),
            alpn: self.tls.alpn_protocol().map(<[u8]>::to_vec),
        })
    }

    // Not inlined, to keep its frame off the stack during the handshake.
    #[inline(never)]
    fn fail_by_rustls(&mut self, error: &rustls::Error) -> TlsError {
        self.config.forget_sessions_of(&self.server_name, None);
        let of_certificate = matches!(
            error,
            rustls::Error::InvalidCertificate(_) | rustls::Error::InvalidCertRevocationList(_)
        );
        let refusal = of_certificate
            .then(|| {
                self.config
                    .verifier(self.time)
                    .take_refusal(&self.server_name)
            })
            .flatten();
        let mut error = match refusal {
            Some(refusal) => {
                self.refused = refusal.chain;
                TlsError::Certificate(refusal.fault)
            }
            None if in_place::is_out_of_memory(error) => TlsError::OutOfMemory {
                wanted: self.inbound.ciphertext_mut().len(),
            },
            None => TlsError::from_rustls(error, self.is_handshaking()),
        };
        if let (true, TlsError::Alert { alert, context, .. }) =
            (cfg!(feature = "summaries"), &mut error)
        {
            let is_open12 = self.agreed.as_ref().is_some_and(|a| !a.is_tls13());
            let missed = self.config.missed_certificate();
            let nameless =
                self.agreed.is_none() && matches!(self.server_name, ServerName::IpAddress(_));
            *context = AlertContext::of(*alert, is_open12, missed, nameless);
        }
        self.fail(error)
    }

    /// Ends the connection. Queues the alert, if rustls has one for the peer.
    fn fail(&mut self, error: TlsError) -> TlsError {
        while self.tls.wants_write() {
            // Without input rustls only produces what it has to send.
            match self.tls.process_tls_records(&mut []).state {
                Ok(ConnectionState::EncodeTlsData(mut message)) => {
                    self.outbound.encode(&mut message);
                }
                _ => break,
            }
        }
        self.outbound.drop_change_cipher_spec();
        // Takes precedence over any other error: a wrong digest, for example, shows only in how the
        // broker reacts.
        let error = self.config.or_provider_failure(error);
        self.failure = Some(error.clone());
        error
    }
}

impl fmt::Debug for Connection {
    /// Shows no secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("server_name", &self.server_name)
            .field("agreed", &self.agreed)
            .field("closed", &self.closed)
            .field("peer_closed", &self.peer_closed)
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}

fn check_room(wanted: usize) -> Result<(), TlsError> {
    has_room(wanted)
        .then_some(())
        .ok_or(TlsError::OutOfMemory { wanted })
}

/// Parses a DNS name, with or without the final dot, or an IP address, IPv6 with or without
/// brackets.
fn parse_name(name: &str) -> Result<ServerName<'static>, TlsError> {
    let bare = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'))
        // RFC 6066 section 3: no trailing dot.
        .or(name.strip_suffix('.'))
        .unwrap_or(name);
    // core's address parser is in every image anyway; that of rustls is not.
    if let Ok(address) = bare.parse() {
        return Ok(ServerName::IpAddress(match address {
            IpAddr::V4(v4) => pki::IpAddr::V4(v4.octets().into()),
            IpAddr::V6(v6) => pki::IpAddr::V6(v6.segments().into()),
        }));
    }
    match DnsName::try_from(String::from(bare)) {
        Ok(name) => Ok(ServerName::DnsName(name)),
        Err(_) => Err(TlsError::InvalidServerName),
    }
}
