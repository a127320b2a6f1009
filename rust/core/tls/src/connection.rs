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

/// What a connection agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreed {
    /// Version.
    pub version: Version,
    suite: CipherSuite,
    group: Option<NamedGroup>,
    /// Whether an earlier session was resumed.
    pub resumed: bool,
    /// Whether the broker asked for another group first (HelloRetryRequest): one more round trip,
    /// which putting that group first saves.
    pub retried: bool,
    /// ALPN protocol chosen.
    pub alpn: Option<Vec<u8>>,
}

impl Agreed {
    /// Returns the IANA name of the suite, e.g. `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256`; of those in
    /// [`Suite`].
    pub fn suite(&self) -> &'static str {
        // rustls knows the names of all suites there ever were: 16 kB of flash.
        Suite::from_id(self.suite.into()).map_or("unknown", Suite::name)
    }

    /// Returns the group of the key exchange, if the handshake had one.
    pub fn group(&self) -> Option<&'static str> {
        self.group
            .map(|group| Group::from_id(group.into()).map_or("unknown", Group::name))
    }

    fn is_tls13(&self) -> bool {
        self.version == Version::Tls13
    }
}

/// Bytes allocated for the buffers of a connection now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BufferSizes {
    /// Ciphertext from the peer, or plaintext not yet read.
    pub inbound: usize,
    /// Ciphertext for the peer.
    pub outbound: usize,
}

/// One TLS connection.
///
/// Bytes from the peer go in by [`handle_ciphertext`](Self::handle_ciphertext), bytes for the peer
/// come out by [`ciphertext`](Self::ciphertext) / [`consume_ciphertext`](Self::consume_ciphertext);
/// the application's by [`write`](Self::write) and [`plaintext`](Self::plaintext) /
/// [`consume_plaintext`](Self::consume_plaintext).
///
/// After an error every further call returns the same error, but what is in
/// [`ciphertext`](Self::ciphertext) should still be sent: it ends with the alert that tells the peer
/// why. Plaintext received before the error can still be read.
pub struct Connection {
    /// Boxed, because it is 1 kB that would be moved with every move of its owner.
    tls: Box<UnbufferedClientConnection>,
    config: Config,
    server_name: ServerName<'static>,
    time: CertificateTime,
    clock: Arc<Clock>,
    inbound: Inbound,
    outbound: Outbound,
    agreed: Option<Agreed>,
    offered_session: bool,
    /// This side said close_notify, or gave the handshake up.
    closed: bool,
    /// The peer said close_notify.
    peer_closed: bool,
    failure: Option<TlsError>,
    /// The chain of a peer that was refused.
    refused: Vec<CertificateSummary>,
}

/// Bytes of heap that a connection takes until its first flight is ready.
const ROOM_TO_BEGIN: usize = 768 * size_of::<usize>();
/// Bytes of heap that a step of the handshake may take, keys and rustls's states; and beside a copy of
/// what was received or of the chain. `bench/cortex-m4/measure.py --least-heap` tries whether they
/// suffice.
const ROOM_IN_HANDSHAKE: usize = 640 * size_of::<usize>();
const ROOM_BESIDE: usize = 256 * size_of::<usize>();
/// The same after the handshake.
const ROOM: usize = 96 * size_of::<usize>();

/// The published rustls copies the peer's certificates into each session that it keeps. The one for a client
/// only shares them and has a constant of its own that says so, which comes before that of a trait.
#[allow(dead_code, reason = "not used beside the other one")]
trait Published {
    const SHARES_PEER_CERTIFICATES: bool = false;
}

impl Published for CommonState {}

/// What is to be done once rustls has dealt with what came in and has nothing left to say.
enum Job<'a> {
    Nothing,
    Write(&'a [u8]),
    Close,
}

impl Connection {
    /// A client connection to `server_name` (a DNS name or IP literal: what the certificate must
    /// say). `time` in Unix seconds is what certificates are checked against; see
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
        // What is there already is not about this connection.
        config.take_provider_failure();
        let clock = Clock::new(time.unix_seconds());
        // A resumed handshake shows no certificates: their dates are looked at here.
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

    /// Takes bytes from the peer; returns how many were taken. Fewer than given means that there is
    /// plaintext: consume it, then offer the rest again. What comes after the peer's close_notify
    /// is taken and ignored.
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
                    // No fault that TLS has an alert for, but a reason to hang up politely, where there is
                    // room for that.
                    if has_room(ROOM) {
                        self.close();
                        // If that could not be encrypted, it is not the reason.
                        self.config.take_provider_failure();
                    }
                    return Err(self.fail(error));
                }
            };
            taken += n;
            if whole {
                // Nothing that rustls ends the handshake for: it could be forged. So could a FIN.
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

    /// The peer closed the TCP connection. An error unless it said close_notify first, or this side
    /// did.
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

    /// Bytes for the peer, to be sent in order.
    pub fn ciphertext(&self) -> &[u8] {
        self.outbound.pending()
    }

    /// The first `n` bytes of [`ciphertext`](Self::ciphertext) were sent.
    pub fn consume_ciphertext(&mut self, n: usize) {
        self.outbound.consume(n);
    }

    /// Encrypts application data; returns how many bytes were taken (0 while handshaking, while the
    /// buffer is full, and while the heap has no room).
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

    /// Decrypted application data.
    pub fn plaintext(&self) -> &[u8] {
        self.inbound.plaintext()
    }

    /// The first `n` bytes of [`plaintext`](Self::plaintext) were read.
    pub fn consume_plaintext(&mut self, n: usize) {
        self.inbound.consume_plaintext(n);
    }

    /// Queues a close_notify alert; nothing can be written after it. Data of the peer can still be
    /// read. In the handshake TLS has no such alert: there is nothing to send then, just close the
    /// TCP connection.
    pub fn close(&mut self) {
        if self.closed || self.failure.is_some() {
            return;
        }
        self.closed = true;
        if !self.is_handshaking() {
            // An error of the peer found on the way is kept and reported by the next call.
            let _ = self.drive(Job::Close);
        }
    }

    /// Replaces the keys for what is sent from here on (KeyUpdate, RFC 8446 section 4.6.3), and
    /// asks the peer to do the same. rustls does so by itself in time; this is for stricter
    /// policies. Nothing happens in TLS 1.2, which has no such thing, and in the handshake.
    pub fn refresh_keys(&mut self) -> Result<(), TlsError> {
        self.check()?;
        if self.closed {
            return Err(TlsError::Closed);
        }
        if self.agreed.as_ref().is_some_and(Agreed::is_tls13) {
            // Not a job of `drive`: where no keys are refreshed nothing of it is linked. Without input
            // rustls looks at nothing, and has nothing left to say.
            if let Ok(ConnectionState::WriteTraffic(traffic)) =
                self.tls.process_tls_records(&mut []).state
            {
                // Refused in the handshake and by TLS 1.2 only, which were excluded.
                let _ = traffic.refresh_traffic_keys();
            }
            self.drive(Job::Nothing)?;
        }
        Ok(())
    }

    /// Tells the time again, in Unix seconds: for the age of tickets that a long connection
    /// receives. The certificate is not checked again.
    pub fn set_time(&mut self, unix_seconds: u64) {
        self.clock.set(unix_seconds);
    }

    /// Whether the handshake is still going on.
    pub fn is_handshaking(&self) -> bool {
        self.agreed.is_none()
    }

    /// Whether the handshake offered to resume a session, and the broker did not choose a full one. If it
    /// fails, the session may be why: the next connection offers another one or none.
    pub fn offered_session(&self) -> bool {
        let kind = self.tls.handshake_kind();
        self.offered_session && kind.is_none_or(|kind| kind == HandshakeKind::Resumed)
    }

    /// Whether the peer said close_notify: after what is in [`plaintext`](Self::plaintext) now,
    /// nothing more will come.
    pub fn is_peer_closed(&self) -> bool {
        self.peer_closed
    }

    /// What was agreed, once the handshake is done.
    pub fn agreed(&self) -> Option<&Agreed> {
        self.agreed.as_ref()
    }

    /// Names and dates of the certificates the peer sent, leaf first: once they were checked, and
    /// also if they were refused. A resumed session shows those of the handshake that made it.
    pub fn peer_certificates(&self) -> Vec<CertificateSummary> {
        match self.tls.peer_certificates() {
            Some(chain) => CertificateSummary::read_chain(&mut chain.iter()),
            None => self.refused.clone(),
        }
    }

    /// When the latest certificate of the verified path was issued (its notBefore), in Unix seconds: a
    /// time that has passed, proven by the CA that signed it. `None` before the handshake is done.
    ///
    /// Only of the path: what else the peer sends is proven by nothing.
    pub fn issued(&self) -> Option<u64> {
        self.agreed.as_ref()?;
        self.validity().map(|(issued, _)| issued)
    }

    /// The validity of the verified path. `None` where a pin alone decided.
    fn validity(&self) -> Option<(u64, u64)> {
        let (leaf, sent) = self.tls.peer_certificates()?.split_first()?;
        let time = self.time.unix_seconds();
        self.config.verifier(self.time).validity(leaf, sent, time)
    }

    /// Bytes allocated for buffers now.
    pub fn buffer_sizes(&self) -> BufferSizes {
        BufferSizes {
            inbound: self.inbound.capacity(),
            outbound: self.outbound.capacity(),
        }
    }

    /// Whether the heap has room for what rustls and the verifier take while they deal with what came
    /// in. They end the program where memory is missing, and the peer chooses how much it is, before
    /// it has shown who it is. So it is asked for first.
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
            // Data, of which nothing is copied. If it turns out to be a ticket, its decrypter asks.
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

    /// Lets rustls deal with what came in and say what it has to say; then does `job`. Returns how
    /// many bytes a [`Job::Write`] took.
    fn drive(&mut self, job: Job<'_>) -> Result<usize, TlsError> {
        let mut taken = Ok(0);
        loop {
            let UnbufferedStatus { discard, state } =
                self.tls.process_tls_records(self.inbound.ciphertext_mut());
            let mut done = false;
            let mut readable = false;
            match state {
                // Read below, when the ciphertext has made room.
                Ok(ConnectionState::ReadTraffic(_)) => readable = true,
                Ok(ConnectionState::EncodeTlsData(mut message)) => {
                    self.outbound.encode(&mut message);
                }
                // In the outbound buffer it is in order: as good as transmitted.
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

    /// Moves the plaintext that rustls holds into the inbound buffer, if it is not there already.
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

    // Not inlined: its frame is not there while the handshake goes on.
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

    /// Ends the connection. What rustls wants to tell the peer is queued: the alert, if it has one.
    fn fail(&mut self, error: TlsError) -> TlsError {
        while self.tls.wants_write() {
            // Without input rustls looks at nothing but what it has to send.
            match self.tls.process_tls_records(&mut []).state {
                Ok(ConnectionState::EncodeTlsData(mut message)) => {
                    self.outbound.encode(&mut message);
                }
                _ => break,
            }
        }
        self.outbound.drop_change_cipher_spec();
        // Whatever it looked like: a wrong digest, say, is known by what the broker makes of it.
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

/// A DNS name, with or without the final dot; or an IP address, IPv6 with or without brackets.
fn parse_name(name: &str) -> Result<ServerName<'static>, TlsError> {
    let bare = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'))
        // RFC 6066 section 3: without a trailing dot.
        .or(name.strip_suffix('.'))
        .unwrap_or(name);
    // The parser of addresses in core is in every image, that of rustls is not.
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
