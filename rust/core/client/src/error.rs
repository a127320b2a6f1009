//! Why an attempt or a connection ended, and what to do about it.
use crate::event::Stage;
use crate::time::TimeError;
use alloc::boxed::Box;
use core::fmt;
use thread_mqtt_resolve::resolver::{LookupError, Report};
use thread_mqtt_session::{Fault, PacketType, ReasonCode, SessionError, Version};
use thread_mqtt_tls::{Alert, CertificateFault, TlsError};

/// Why an attempt or a connection ended. [`Display`](fmt::Display) gives the cause as a sentence,
/// [`cure`](Self::cure) what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// The time is not known, and [`TimePolicy::Strict`](crate::TimePolicy::Strict) does not allow
    /// TLS without it.
    Time(TimeError),
    /// Name resolution failed; the report says which source failed and why.
    Resolve(Box<Report>),
    /// TCP failed.
    Tcp(TcpError),
    /// TLS failed.
    Tls(TlsError),
    /// The TLS handshake took longer than [`Timers::tls_handshake`](crate::Timers::tls_handshake).
    HandshakeTimedOut,
    /// The broker speaks TLS, but the URI says `mqtt://`.
    TlsOnPlainPort,
    /// The broker closed the connection instead of answering CONNECT.
    ClosedBeforeConnack,
    /// MQTT failed.
    Mqtt(SessionError),
    /// The network was lost.
    NetworkLost,
    /// The network withdrew the NAT64 prefix that the connection uses.
    PrefixWithdrawn,
    /// The brokers redirected more often in a row than
    /// [`Config::redirects`](crate::Config::redirects) allows.
    TooManyRedirects,
    /// The device has no entropy available. Contains the platform's code.
    NoEntropy(i32),
    /// TLS cannot be set up, so no attempt is made.
    Setup(SetupError),
}

/// Why TLS cannot be set up, from [`Client::handle_tls`](crate::Client::handle_tls).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetupError {
    /// The caller's own code for the kind of error; the client does not interpret it.
    pub code: i32,
    /// Cause and cure; empty in a build without sentences.
    pub sentence: Box<str>,
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &*self.sentence {
            "" => "TLS cannot be set up",
            sentence => sentence,
        })
    }
}

impl Cause {
    /// Returns what to do about it, if that is known and the cause does not say it already.
    pub fn cure(&self) -> Option<&'static str> {
        Some(match self {
            Self::Time(error) => return error.cure(),
            Self::Resolve(report) => return report.cure(),
            Self::Tcp(error) => return error.cure(),
            Self::Tls(error) => error.cure(),
            Self::HandshakeTimedOut => {
                "make sure that the broker speaks TLS on this port; on a slow network, allow more \
                 time for the handshake"
            }
            Self::TlsOnPlainPort => "use mqtts://",
            Self::ClosedBeforeConnack => {
                "check the broker's log; a broker that supports only MQTT 3.1.1 may close an MQTT \
                 5 connection, so try 3.1.1; if the broker speaks TLS on this port, use mqtts://"
            }
            Self::Mqtt(SessionError::Refused(refusal))
                if refusal.reason() == ReasonCode::UNSUPPORTED_VERSION =>
            {
                match refusal.version() {
                    Version::V5 => USE_V311,
                    Version::V311 => "use MQTT 5 instead of 3.1.1",
                }
            }
            Self::Mqtt(SessionError::Malformed {
                fault: Fault::OldVersion,
                ..
            }) => USE_V311,
            Self::Mqtt(SessionError::PacketTooLarge { .. }) => {
                "configure a larger maximum packet size, or subscribe to fewer topics"
            }
            Self::Mqtt(_) | Self::Setup(_) => return None,
            Self::TooManyRedirects => {
                "check the server references of the brokers: they may form a loop"
            }
            Self::NetworkLost => "wait for the device to attach again, or bring it into range",
            Self::PrefixWithdrawn => {
                "wait for the border router to publish another prefix, and check its NAT64"
            }
            Self::NoEntropy(_) => "check the entropy source of this device",
        })
    }

    /// Returns the broker's reason code, if it gave one in a refusal or a DISCONNECT.
    pub fn reason(&self) -> Option<ReasonCode> {
        match self {
            Self::Mqtt(SessionError::Refused(refusal)) => Some(refusal.reason()),
            Self::Mqtt(SessionError::ServerDisconnected(reason)) => Some(*reason),
            _ => None,
        }
    }

    /// Returns whether the broker may not support the version of MQTT that was used. Some brokers
    /// say so, in a CONNACK of either version; others just close the connection.
    pub fn may_be_the_version(&self) -> bool {
        match self {
            Self::ClosedBeforeConnack | Self::Mqtt(SessionError::NotMqtt { .. }) => true,
            Self::Mqtt(SessionError::Malformed { packet, .. }) => *packet == PacketType::CONNACK,
            _ => self.is_the_version(),
        }
    }

    /// Returns whether the broker says that it does not support the version.
    pub(crate) fn is_the_version(&self) -> bool {
        let old = Fault::OldVersion;
        matches!(self, Self::Mqtt(SessionError::Malformed { fault, .. }) if *fault == old)
            || self.reason() == Some(ReasonCode::UNSUPPORTED_VERSION)
    }

    /// Returns the stage that a failure to resolve or to learn the time belongs to: a missing
    /// prefix has a stage of its own.
    pub(crate) fn resolving_stage(&self) -> Stage {
        let (report, stage) = match self {
            Self::Resolve(report) => (&**report, Stage::Resolve),
            Self::Time(TimeError::Resolve(report)) => (&**report, Stage::Time),
            Self::Time(_) => return Stage::Time,
            _ => return Stage::Resolve,
        };
        match lacks_prefix(report) {
            true => Stage::Prefix,
            false => stage,
        }
    }

    /// Returns whether a certificate is not valid at the known time.
    pub(crate) fn contradicts_time(&self) -> bool {
        matches!(
            self,
            Self::Tls(TlsError::Certificate(
                CertificateFault::Expired { .. } | CertificateFault::NotYetValid { .. }
            ))
        )
    }

    /// Returns whether waiting is unlikely to help, because a person must change the configuration,
    /// a certificate or the broker's access rules. Such an attempt is still repeated, at the
    /// slowest pace.
    pub fn needs_a_person(&self) -> bool {
        match self {
            Self::TlsOnPlainPort | Self::TooManyRedirects | Self::Setup(_) => true,
            // The clock may yet be set.
            Self::Tls(TlsError::Certificate(CertificateFault::NotYetValid { .. })) => false,
            Self::Tls(error) => {
                matches!(
                    error,
                    TlsError::InvalidServerName
                        | TlsError::NotTls(_)
                        | TlsError::Certificate(_)
                        | TlsError::NoCertificate
                        | TlsError::Incompatible(_)
                ) || matches!(error, TlsError::Alert { alert, .. } if !is_passing(*alert))
            }
            Self::Mqtt(SessionError::Refused(refusal)) => refusal.is_permanent(),
            _ => false,
        }
    }
}

const USE_V311: &str = "use MQTT 3.1.1 instead of 5, or allow the fallback to it";

/// Returns whether an alert says nothing about the configuration (RFC 8446 section 6, RFC 5246
/// section 7.2): the peer closes, was interrupted, is out of memory, or received a damaged record.
fn is_passing(alert: Alert) -> bool {
    const CLOSE_NOTIFY: u8 = 0;
    const BAD_RECORD_MAC: u8 = 20;
    const RECORD_OVERFLOW: u8 = 22;
    const INTERNAL_ERROR: u8 = 80;
    const USER_CANCELED: u8 = 90;
    matches!(
        alert.0,
        CLOSE_NOTIFY | BAD_RECORD_MAC | RECORD_OVERFLOW | INTERNAL_ERROR | USER_CANCELED
    )
}

fn lacks_prefix(report: &Report) -> bool {
    report.prefixes.is_empty()
        && report
            .failures
            .iter()
            .any(|failure| failure.error == LookupError::NoPrefix)
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(error) => write!(f, "certificates cannot be checked: {error}"),
            Self::Resolve(report) => report.fmt(f),
            Self::Tcp(error) => error.fmt(f),
            Self::Tls(error) => error.fmt(f),
            Self::HandshakeTimedOut => f.write_str("the TLS handshake did not finish in time"),
            Self::TlsOnPlainPort => f.write_str("the broker speaks TLS on this port"),
            Self::ClosedBeforeConnack => {
                f.write_str("the broker closed the connection instead of answering CONNECT")
            }
            Self::Mqtt(error) => error.fmt(f),
            Self::NetworkLost => f.write_str("the device was detached from its network"),
            Self::PrefixWithdrawn => {
                f.write_str("the border router withdrew the NAT64 prefix used by the connection")
            }
            Self::TooManyRedirects => f.write_str("too many redirects in a row"),
            Self::NoEntropy(code) => {
                write!(f, "no entropy available on this device (code {code})")
            }
            Self::Setup(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for Cause {}

/// A failure of the TCP connection, as the port reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TcpError {
    /// The peer answered the SYN with RST.
    Refused,
    /// No route, no prefix, or unreachable.
    Unreachable,
    /// No answer in time.
    TimedOut,
    /// Reset by the peer.
    Reset,
    /// Closed by the peer.
    Closed,
    /// Any other error; the platform's own code.
    Other(i32),
}

impl TcpError {
    /// Returns what to do about it, if that is known.
    pub fn cure(&self) -> Option<&'static str> {
        Some(match self {
            Self::Refused => "make sure that the broker is up and listens on this port",
            Self::Unreachable => {
                "check the border router's uplink and NAT64, and that the address is right"
            }
            Self::TimedOut => {
                "check that the broker is up, and that no firewall or border router drops the \
                 packets"
            }
            Self::Reset | Self::Closed => {
                "check the broker's log; another client with the same client identifier can also \
                 cause this"
            }
            Self::Other(_) => return None,
        })
    }
}

impl fmt::Display for TcpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "the broker's host refused the TCP connection",
            Self::Unreachable => "there is no route to the broker's address",
            Self::TimedOut => "the broker's host did not answer in time",
            Self::Reset => "the TCP connection was reset",
            Self::Closed => "the broker closed the TCP connection",
            Self::Other(code) => return write!(f, "the TCP connection failed with code {code}"),
        })
    }
}

impl core::error::Error for TcpError {}

#[cfg(test)]
mod tests {
    use super::*;
    use thread_mqtt_session::ConnectRefusal;

    #[test]
    fn the_cure_names_the_version_that_was_not_spoken_yet() {
        let refused = |version, code| {
            let refusal = ConnectRefusal::new(version, code);
            Cause::Mqtt(SessionError::Refused(refusal))
        };
        let old = Cause::Mqtt(SessionError::Malformed {
            packet: PacketType::CONNACK,
            fault: Fault::OldVersion,
        });
        for (cause, cure) in [
            (refused(Version::V5, 0x84), USE_V311),
            (refused(Version::V311, 1), "use MQTT 5 instead of 3.1.1"),
            (old, USE_V311),
        ] {
            assert_eq!(cause.cure(), Some(cure), "{cause}");
            assert!(cause.may_be_the_version(), "{cause}");
        }
        let first = b'H';
        assert!(Cause::Mqtt(SessionError::NotMqtt { first }).may_be_the_version());
    }
}
