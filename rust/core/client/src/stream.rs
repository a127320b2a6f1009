//! The byte stream between session and TCP: TLS or plain.
use crate::error::{Cause, TcpError};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;
use thread_mqtt_session::Session;
use thread_mqtt_tls::{CertificateSummary, Connection, TlsError};

/// A stream that carries MQTT. Bytes pass through; only TLS buffers some.
#[derive(Debug)]
pub(crate) enum Stream {
    /// `mqtt://`
    Plain {
        /// The broker has sent a byte.
        heard: bool,
    },
    /// `mqtts://`
    Tls {
        connection: Box<Connection>,
        /// Encryption failed while sending; reported by [`Stream::pump`].
        failed: Option<TlsError>,
        /// close_notify was queued.
        closed: bool,
    },
}

/// First byte of a TLS record: alert or handshake (RFC 8446 section 5.1). In MQTT these would begin
/// a CONNECT, which brokers never send.
const TLS_RECORD: core::ops::RangeInclusive<u8> = 0x15..=0x16;

impl Stream {
    pub(crate) fn plain() -> Self {
        Self::Plain { heard: false }
    }

    pub(crate) fn tls(connection: Box<Connection>) -> Self {
        Self::Tls {
            connection,
            failed: None,
            closed: false,
        }
    }

    /// Passes bytes from TCP to the session. Returns how many were taken.
    pub(crate) fn receive(
        &mut self,
        data: &[u8],
        session: &mut Session,
        now: Duration,
    ) -> Result<usize, Cause> {
        match self {
            Self::Plain { heard } => {
                let Some(first) = data.first() else {
                    return Ok(0);
                };
                if !*heard && TLS_RECORD.contains(first) {
                    return Err(Cause::TlsOnPlainPort);
                }
                *heard = true;
                session.handle_input(data, now).map_err(Cause::Mqtt)
            }
            Self::Tls { connection, .. } => {
                let mut taken = 0;
                loop {
                    let rest = data.get(taken..).unwrap_or_default();
                    let decrypted = connection.handle_ciphertext(rest);
                    // What the broker sent before the error takes precedence, such as a refusal
                    // before a close.
                    let delivered = deliver(connection, session, now)?;
                    let n = decrypted.map_err(Cause::Tls)?;
                    taken += n;
                    if taken == data.len() || (n == 0 && delivered == 0) {
                        return check_open(connection).map(|()| taken);
                    }
                }
            }
        }
    }

    /// Passes on buffered bytes, and reports a failure found while sending.
    pub(crate) fn pump(&mut self, session: &mut Session, now: Duration) -> Result<(), Cause> {
        match self {
            Self::Plain { .. } => Ok(()),
            Self::Tls {
                connection, failed, ..
            } => {
                deliver(connection, session, now)?;
                match failed.take() {
                    Some(error) => Err(Cause::Tls(error)),
                    None => check_open(connection),
                }
            }
        }
    }

    /// Returns bytes for TCP: the session's, as far as they can be passed on now.
    pub(crate) fn transmit<'a>(&'a mut self, session: &'a mut Session, now: Duration) -> &'a [u8] {
        match self {
            Self::Plain { .. } => session.transmit(now),
            Self::Tls {
                connection, failed, ..
            } => {
                while failed.is_none() {
                    let plaintext = session.transmit(now);
                    if plaintext.is_empty() {
                        break;
                    }
                    match connection.write(plaintext) {
                        Ok(0) => break,
                        Ok(n) => session.consume_transmit(n),
                        Err(error) => *failed = Some(error),
                    }
                }
                connection.ciphertext()
            }
        }
    }

    /// Removes the first `n` bytes of [`transmit`](Self::transmit), which were passed to TCP.
    pub(crate) fn consume_transmit(&mut self, n: usize, session: &mut Session) {
        match self {
            Self::Plain { .. } => session.consume_transmit(n),
            Self::Tls { connection, .. } => connection.consume_ciphertext(n),
        }
    }

    /// Returns whether the broker sent close_notify.
    pub(crate) fn is_peer_closed(&self) -> bool {
        match self {
            Self::Plain { .. } => false,
            Self::Tls { connection, .. } => connection.is_peer_closed(),
        }
    }

    /// Returns the broker's certificates.
    pub(crate) fn peer_certificates(&self) -> Vec<CertificateSummary> {
        match self {
            Self::Plain { .. } => Vec::new(),
            Self::Tls { connection, .. } => connection.peer_certificates(),
        }
    }

    /// Updates the time, for the age of TLS tickets.
    pub(crate) fn set_time(&mut self, unix_seconds: u64) {
        if let Self::Tls { connection, .. } = self {
            connection.set_time(unix_seconds);
        }
    }

    /// Sends close_notify, once. Returns false if there is nothing to send.
    pub(crate) fn close(&mut self) -> bool {
        match self {
            Self::Plain { .. } => false,
            Self::Tls {
                connection, closed, ..
            } => {
                let first = !core::mem::replace(closed, true);
                if first {
                    connection.close();
                }
                first
            }
        }
    }
}

/// Fails once everything before a close_notify is delivered, with or without FIN: MQTT has no use
/// for a half-closed connection, and TCP might stay open for ever.
fn check_open(connection: &Connection) -> Result<(), Cause> {
    match connection.is_peer_closed() && connection.plaintext().is_empty() {
        true => Err(Cause::Tcp(TcpError::Closed)),
        false => Ok(()),
    }
}

/// Passes decrypted bytes to the session, as far as it takes them. Returns how many.
fn deliver(
    connection: &mut Connection,
    session: &mut Session,
    now: Duration,
) -> Result<usize, Cause> {
    let mut delivered = 0;
    loop {
        let plaintext = connection.plaintext();
        if plaintext.is_empty() {
            return Ok(delivered);
        }
        let n = session.handle_input(plaintext, now).map_err(Cause::Mqtt)?;
        if n == 0 {
            return Ok(delivered);
        }
        connection.consume_plaintext(n);
        delivered += n;
    }
}
