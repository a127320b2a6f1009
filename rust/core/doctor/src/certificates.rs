//! Fetches the broker's certificates with a separate handshake.
use crate::{Listener, Subject, wait_until};
use alloc::borrow::Cow;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use core::net::SocketAddrV6;
use core::time::Duration;
use thread_mqtt_driver::{Interest, Port, Received, TcpState};
use thread_mqtt_resolve::Host;
use thread_mqtt_tls::{CertificateSummary, CertificateTime, Connection};

/// Limit of the whole fetch.
const PATIENCE: Duration = Duration::from_secs(30);

/// Returns what the broker presents at this address. Empty on failure: this is part of a diagnosis
/// already.
pub(crate) fn fetch<P: Port>(
    subject: &Subject,
    address: SocketAddrV6,
    port: &mut P,
    listener: &dyn Listener,
) -> Vec<CertificateSummary> {
    let shown = shake(subject, address, port, listener);
    port.tcp_close(true);
    shown.unwrap_or_default()
}

fn shake<P: Port>(
    subject: &Subject,
    address: SocketAddrV6,
    port: &mut P,
    listener: &dyn Listener,
) -> Option<Vec<CertificateSummary>> {
    let name: Cow<'_, str> = match &subject.broker.host {
        Host::Name(name) => name.into(),
        Host::Ipv4(ipv4) => ipv4.to_string().into(),
        Host::Ipv6(ipv6) => ipv6.to_string().into(),
    };
    let time = match port.unix_time() {
        Some(seconds) => CertificateTime::Known(seconds),
        None => CertificateTime::AtLeast(subject.time_floor),
    };
    let mut tls = Connection::new(subject.tls.as_ref()?, &name, time).ok()?;
    let mut buffer = vec![0; 1_024];
    let until = port.now() + PATIENCE;
    port.tcp_connect(address).ok()?;
    while tls.is_handshaking() {
        if port.now() >= until || listener.is_gone() {
            return None;
        }
        let connected = match port.tcp_state() {
            TcpState::Connecting => false,
            TcpState::Connected => true,
            TcpState::Closed | TcpState::Failed(_) => return None,
        };
        if connected {
            while !tls.ciphertext().is_empty() {
                match port.tcp_send(tls.ciphertext()).ok()? {
                    0 => break,
                    n => tls.consume_ciphertext(n),
                }
            }
            match port.tcp_receive(&mut buffer).ok()? {
                Received::Bytes(n) => {
                    let received = buffer.get(..n).unwrap_or_default();
                    if tls.handle_ciphertext(received).is_err() {
                        break;
                    }
                    continue;
                }
                Received::WouldBlock => {}
                Received::EndOfStream => return None,
            }
        }
        let interest = Interest {
            receive: connected,
            send: connected && !tls.ciphertext().is_empty(),
        };
        port.wait(wait_until(Some(until), port.now(), listener), interest);
    }
    Some(tls.peer_certificates())
}
