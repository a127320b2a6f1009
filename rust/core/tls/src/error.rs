//! Why a connection failed.

use alloc::boxed::Box;
use alloc::string::ToString;
use core::fmt;

use rustls::{CertificateError, PeerIncompatible, PeerMisbehaved};

use crate::alert::{Alert, AlertContext};
use crate::fault::{CertificateFault, Signature};

/// Why a connection failed. [`Display`](fmt::Display) gives the cause as a sentence,
/// [`cure`](Self::cure) what to do about it.
///
/// Every error ends the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsError {
    /// The name to connect to is neither a DNS name nor an IP address.
    InvalidServerName,
    /// The peer does not speak TLS.
    NotTls(Greeting),
    /// The peer closed the connection during the handshake, without an alert.
    ClosedInHandshake {
        /// Whether a TLS record arrived before that.
        answered: bool,
    },
    /// The peer closed the connection without close_notify: the last data may be missing.
    Truncated,
    /// [`Connection::close`](crate::Connection::close) was called before.
    Closed,
    /// The broker sent an alert.
    Alert {
        /// The alert.
        alert: Alert,
        /// Whether it arrived before the handshake was done.
        handshaking: bool,
        /// What else is known about it.
        context: AlertContext,
    },
    /// The broker's certificate was refused.
    Certificate(CertificateFault),
    /// The broker sent no certificate.
    NoCertificate,
    /// The two sides share no version, suite or other parameter that TLS needs.
    Incompatible(Incompatible),
    /// A record is longer than the configured buffer.
    RecordTooLarge {
        /// Bytes of the record.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The messages of one handshake flight together exceed the configured buffer.
    HandshakeTooLarge {
        /// Bytes allowed.
        limit: usize,
    },
    /// The heap has no room for the next step.
    OutOfMemory {
        /// Bytes requested.
        wanted: usize,
    },
    /// A record is longer than TLS allows.
    RecordOverflow,
    /// A record did not pass its integrity check.
    BadRecord,
    /// A message could not be decoded.
    BadMessage(BadMessage),
    /// A message arrived out of place.
    UnexpectedMessage,
    /// TLS 1.2 was negotiated with a broker that supports 1.3: the offer was altered on the way.
    Downgraded,
    /// The broker violated the protocol.
    Misbehaved(Misbehaviour),
    /// No random numbers are available.
    NoEntropy,
    /// The crypto provider failed, for instance to sign with the client key. Contains what it
    /// reported, if it was [queried](crate::ConfigBuilder::provider_failures).
    CryptoFailed(Option<ProviderFailure>),
    /// This connection has encrypted all that its keys may encrypt (TLS 1.2 only; some 2^24
    /// records).
    KeysExhausted,
}

/// A failed operation, as the crypto provider reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProviderFailure {
    /// The function that failed, such as `psa_import_key`.
    pub call: &'static str,
    /// What it returned.
    pub status: i32,
    /// What that means.
    pub meaning: &'static str,
    /// It had no memory to decrypt a record.
    pub no_room_for_record: bool,
}

impl fmt::Display for ProviderFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            call,
            status,
            meaning,
            ..
        } = self;
        write!(f, "{call} failed with status {status}: {meaning}")
    }
}

/// What a peer that does not speak TLS appears to speak, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Greeting {
    /// An HTTP response.
    Http,
    /// An MQTT packet (CONNACK or DISCONNECT).
    Mqtt,
    /// Other text, such as the banner of SSH, SMTP or Telnet.
    Text,
    /// Anything else.
    Binary,
}

impl Greeting {
    /// Classifies these first bytes, if they cannot be a TLS record.
    pub(crate) fn of(first: &[u8]) -> Option<Self> {
        const CONNACK: u8 = 0x20;
        const DISCONNECT: u8 = 0xe0;
        match first {
            // Content type 20 to 24, then a version 3.x (RFC 8446 section 5.1).
            [20..=24] | [20..=24, 3, ..] | [] => None,
            [b'H', b'T', b'T', b'P', ..] => Some(Self::Http),
            [CONNACK | DISCONNECT, 0..=0x7f, ..] => Some(Self::Mqtt),
            text if text
                .iter()
                .all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace()) =>
            {
                Some(Self::Text)
            }
            _ => Some(Self::Binary),
        }
    }
}

/// What the two sides do not share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Incompatible {
    /// A TLS version.
    Version,
    /// A cipher suite.
    Suite,
    /// A group for the key exchange.
    Group,
    /// A signature scheme.
    SignatureScheme,
    /// An application protocol (ALPN).
    Alpn,
    /// The extended master secret (RFC 7627), which this device requires.
    ExtendedMasterSecret,
    /// Another feature of the protocol.
    Other,
}

/// How the broker violated the protocol. `Display` shows rustls's name for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Misbehaviour(PeerMisbehaved);

// A list of reasons without content: equality is reflexive.
impl Eq for Misbehaviour {}

impl fmt::Display for Misbehaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// What could not be decoded. `Display` shows rustls's name for it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BadMessage(rustls::InvalidMessage);

// Reasons with static names and numbers only: equality is reflexive.
impl Eq for BadMessage {}

impl fmt::Display for BadMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Writes the name, unless the program was built without rustls's names (`-Zfmt-debug=none`).
fn in_parentheses(f: &mut fmt::Formatter<'_>, name: &dyn fmt::Display) -> fmt::Result {
    match name.to_string().as_str() {
        "" => Ok(()),
        name => write!(f, " ({name})"),
    }
}

impl TlsError {
    /// Returns whether a record is too large for this side: for the receive limit, for the heap, or
    /// for the memory of the crypto provider. The peer did nothing wrong and would send the same
    /// again.
    pub fn is_too_large(&self) -> bool {
        match self {
            Self::RecordTooLarge { .. } | Self::OutOfMemory { .. } => true,
            Self::CryptoFailed(failure) => {
                failure.is_some_and(|failure| failure.no_room_for_record)
            }
            _ => false,
        }
    }

    /// Translates an error of rustls. A certificate fault has no context here, which only the
    /// verifier knows.
    pub(crate) fn from_rustls(error: &rustls::Error, handshaking: bool) -> Self {
        use rustls::Error as E;
        match error {
            E::AlertReceived(alert) => Self::Alert {
                alert: Alert((*alert).into()),
                handshaking,
                context: AlertContext::Unknown,
            },
            E::InvalidCertificate(CertificateError::BadSignature) => {
                Self::Certificate(CertificateFault::BadHandshakeSignature)
            }
            E::InvalidCertificate(error) => Self::Certificate(fault_without_context(error)),
            E::InvalidCertRevocationList(_) => {
                Self::Certificate(CertificateFault::RevocationUnknown)
            }
            E::NoCertificatesPresented => Self::NoCertificate,
            E::UnsupportedNameType => Self::InvalidServerName,
            E::PeerIncompatible(why) => Self::Incompatible(incompatible(why)),
            E::NoApplicationProtocol => Self::Incompatible(Incompatible::Alpn),
            E::PeerMisbehaved(PeerMisbehaved::AttemptedDowngradeToTls12WhenTls13IsSupported) => {
                Self::Downgraded
            }
            E::PeerMisbehaved(why) => Self::Misbehaved(Misbehaviour(why.clone())),
            E::InvalidMessage(rustls::InvalidMessage::MessageTooLarge)
            | E::PeerSentOversizedRecord => Self::RecordOverflow,
            E::InvalidMessage(why) => Self::BadMessage(BadMessage(*why)),
            E::InappropriateMessage { .. } | E::InappropriateHandshakeMessage { .. } => {
                Self::UnexpectedMessage
            }
            E::DecryptError => Self::BadRecord,
            E::FailedToGetRandomBytes => Self::NoEntropy,
            _ => Self::CryptoFailed(None),
        }
    }

    /// Returns what to do about it.
    pub fn cure(&self) -> &'static str {
        match self {
            Self::InvalidServerName => {
                "use a DNS name (international names in their xn-- form) or an IP address"
            }
            Self::NotTls(Greeting::Mqtt) => {
                "use mqtt:// for this port, or the broker's TLS port (usually 8883)"
            }
            Self::NotTls(_) => {
                "use the broker's TLS port (usually 8883), or mqtt:// if it has none"
            }
            Self::ClosedInHandshake { answered: false } => {
                "make sure that the broker speaks TLS on this port (usually 8883); a plain MQTT \
                 port or a broker at its connection limit also closes like this"
            }
            Self::ClosedInHandshake { answered: true } => {
                "check the broker's log; it may require a client certificate, or a proxy may cut \
                 the connection"
            }
            Self::Truncated => {
                "connect again; if this happens often, check the path to the \
                 broker"
            }
            Self::Closed => "open a new connection",
            Self::Alert { alert, context, .. } => alert.cure(*context),
            Self::Certificate(fault) => fault.cure(),
            Self::NoCertificate => "configure a certificate at the broker",
            Self::Incompatible(what) => what.cure(),
            Self::RecordTooLarge { .. } => {
                "raise the receive limit (CONFIG_THREAD_MQTT_TLS_INBOUND), or make the broker \
                 send smaller records"
            }
            Self::HandshakeTooLarge { .. } => {
                "raise the receive limit (CONFIG_THREAD_MQTT_TLS_INBOUND), or shorten the \
                 broker's certificate chain"
            }
            Self::OutOfMemory { .. } => {
                "enlarge the heap, or lower the receive limit (CONFIG_THREAD_MQTT_TLS_INBOUND) if \
                 the broker respects it"
            }
            Self::Misbehaved(Misbehaviour(PeerMisbehaved::TooManyRenegotiationRequests)) => {
                "disable renegotiation at the broker"
            }
            Self::RecordOverflow
            | Self::BadMessage(_)
            | Self::UnexpectedMessage
            | Self::Misbehaved(_) => {
                "make sure that this is a TLS port; if it is, update the broker or report this as \
                 a bug, with the broker's name and version"
            }
            Self::Downgraded => {
                "look for a proxy or middlebox on the path; to do without TLS 1.3, allow only TLS \
                 1.2"
            }
            Self::BadRecord => {
                "connect again; if this persists, look for a proxy or middlebox on the path"
            }
            Self::NoEntropy => "check the entropy source of this device",
            Self::CryptoFailed(None) => {
                "check the crypto provider, and that it supports the client key if there is one"
            }
            Self::CryptoFailed(Some(_)) => {
                "fix what the status names (memory, key slots, a missing algorithm), or connect \
                 again if it is temporary"
            }
            Self::KeysExhausted => "connect again, or allow TLS 1.3, which renews its keys",
        }
    }
}

impl Incompatible {
    fn cure(self) -> &'static str {
        match self {
            Self::Version => {
                "allow a TLS version that the broker supports (1.2 or 1.3, none older), with at \
                 least one of its suites"
            }
            Self::Suite => "allow a cipher suite that the broker supports",
            Self::Group => "allow a key exchange group that the broker supports",
            Self::SignatureScheme => {
                "use certificates and keys whose signature scheme both sides support"
            }
            Self::Alpn => "offer an ALPN name that the broker supports, or none",
            Self::ExtendedMasterSecret => "update the broker, or allow TLS 1.3",
            Self::Other => "update the broker",
        }
    }
}

fn incompatible(why: &PeerIncompatible) -> Incompatible {
    use PeerIncompatible as P;
    match why {
        P::ServerDoesNotSupportTls12Or13
        | P::ServerTlsVersionIsDisabledByOurConfig
        | P::SupportedVersionsExtensionRequired
        | P::Tls12NotOffered
        | P::Tls12NotOfferedOrEnabled => Incompatible::Version,
        P::NoCipherSuitesInCommon => Incompatible::Suite,
        P::NoKxGroupsInCommon | P::NamedGroupsExtensionRequired | P::KeyShareExtensionRequired => {
            Incompatible::Group
        }
        P::NoSignatureSchemesInCommon
        | P::NoCertificateRequestSignatureSchemesInCommon
        | P::SignatureAlgorithmsExtensionRequired => Incompatible::SignatureScheme,
        P::ExtendedMasterSecretExtensionRequired => Incompatible::ExtendedMasterSecret,
        _ => Incompatible::Other,
    }
}

/// Returns a fault that has no context, or whose context is not known here.
pub(crate) fn fault_without_context(error: &CertificateError) -> CertificateFault {
    use CertificateError as C;
    #[allow(deprecated)] // A custom crypto provider may still use it.
    match error {
        C::BadEncoding => CertificateFault::BadEncoding,
        C::BadSignature => CertificateFault::BadSignature,
        C::Revoked => CertificateFault::Revoked,
        C::UnhandledCriticalExtension => CertificateFault::UnknownCriticalExtension {
            subject: Box::default(),
            extension: Box::default(),
        },
        C::UnknownRevocationStatus
        | C::ExpiredRevocationList
        | C::ExpiredRevocationListContext { .. }
        | C::InvalidOcspResponse => CertificateFault::RevocationUnknown,
        C::UnsupportedSignatureAlgorithmContext {
            signature_algorithm_id,
            ..
        } => Signature::unsupported(signature_algorithm_id, None),
        C::UnsupportedSignatureAlgorithmForPublicKeyContext {
            signature_algorithm_id,
            public_key_algorithm_id,
        } => Signature::unsupported(signature_algorithm_id, Some(public_key_algorithm_id)),
        C::UnsupportedSignatureAlgorithm => CertificateFault::UnsupportedSignatureAlgorithm {
            signature: Signature::Other,
            key: None,
        },
        C::InvalidPurpose | C::InvalidPurposeContext { .. } => CertificateFault::WrongPurpose,
        _ => CertificateFault::Other,
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidServerName => {
                f.write_str("the name to connect to is neither a DNS name nor an IP address")
            }
            Self::NotTls(greeting) => {
                f.write_str("the broker does not speak TLS on this port: it answered with ")?;
                f.write_str(match greeting {
                    Greeting::Http => "HTTP",
                    Greeting::Mqtt => "plain MQTT",
                    Greeting::Text => "plain text",
                    Greeting::Binary => "bytes that are not a TLS record",
                })
            }
            Self::ClosedInHandshake { answered: false } => {
                f.write_str("the broker closed the connection without answering the TLS handshake")
            }
            Self::ClosedInHandshake { answered: true } => f.write_str(
                "the broker closed the connection in the middle of the TLS handshake without \
                 giving a reason",
            ),
            Self::Truncated => f.write_str(
                "the connection was cut without the broker's close_notify, so data may be missing",
            ),
            Self::Closed => f.write_str("this side has closed the TLS connection"),
            Self::Alert {
                alert,
                handshaking,
                context,
            } => {
                f.write_str(match handshaking {
                    true => "the broker ended the TLS handshake",
                    false => "the broker ended the TLS connection",
                })?;
                write!(f, " with alert {alert}: {}", alert.cause(*context))
            }
            Self::Certificate(fault) => fault.fmt(f),
            Self::NoCertificate => f.write_str("the broker sent no certificate"),
            Self::Incompatible(what) => f.write_str(match what {
                Incompatible::Version => "the broker supports none of the allowed TLS versions",
                Incompatible::Suite => "the broker and this device have no cipher suite in common",
                Incompatible::Group => {
                    "the broker and this device have no key exchange group in common"
                }
                Incompatible::SignatureScheme => {
                    "the broker and this device have no signature scheme in common"
                }
                Incompatible::Alpn => {
                    "the broker and this device have no application protocol (ALPN) in common"
                }
                Incompatible::ExtendedMasterSecret => {
                    "the broker lacks the extended master secret (RFC 7627), which is required \
                     here"
                }
                Incompatible::Other => "the broker lacks a required TLS feature",
            }),
            Self::OutOfMemory { wanted } => {
                write!(f, "no contiguous {wanted} bytes of heap for TLS")
            }
            Self::RecordTooLarge { size, limit } => write!(
                f,
                "the broker sent a TLS record of {size} bytes, but the buffer is limited to \
                 {limit}"
            ),
            Self::HandshakeTooLarge { limit } => write!(
                f,
                "the broker's handshake messages, mainly its certificates, exceed the buffer \
                 limit of {limit} bytes"
            ),
            Self::RecordOverflow => {
                f.write_str("the broker sent a TLS record that is longer than TLS allows")
            }
            Self::BadRecord => f.write_str(
                "a TLS record failed its integrity check: it was altered in transit, or the keys \
                 differ",
            ),
            Self::BadMessage(what) => {
                f.write_str("the broker sent a TLS message that cannot be decoded")?;
                in_parentheses(f, what)
            }
            Self::UnexpectedMessage => f.write_str("the broker sent an unexpected TLS message"),
            Self::Downgraded => f.write_str(
                "the broker supports TLS 1.3, but something on the path removed it from the offer",
            ),
            Self::Misbehaved(Misbehaviour(PeerMisbehaved::TooManyRenegotiationRequests)) => {
                f.write_str("the broker requested a TLS 1.2 renegotiation, which is not supported")
            }
            Self::Misbehaved(how) => {
                f.write_str("the broker broke the TLS protocol")?;
                in_parentheses(f, how)
            }
            Self::NoEntropy => f.write_str("no entropy available on this device"),
            Self::CryptoFailed(failure) => {
                f.write_str("the crypto provider of this device failed")?;
                failure.map_or(Ok(()), |failure| write!(f, ": {failure}"))
            }
            Self::KeysExhausted => {
                f.write_str("the keys of this connection have reached their usage limit")
            }
        }
    }
}

impl core::error::Error for TlsError {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec::Vec;
    use rustls::Error as E;
    use rustls::InvalidMessage;

    #[test]
    fn a_renegotiation_is_no_defect() {
        let error = E::PeerMisbehaved(PeerMisbehaved::TooManyRenegotiationRequests);
        let error = TlsError::from_rustls(&error, false);
        assert!(error.to_string().contains("renegotiation"), "{error}");
        assert!(error.cure().contains("renegotiation"), "{}", error.cure());
    }

    #[test]
    fn what_rustls_says_keeps_its_meaning() {
        let certificate = |fault| TlsError::Certificate(fault);
        #[allow(deprecated)]
        let unsupported = CertificateError::UnsupportedSignatureAlgorithm;
        let table = [
            (E::NoCertificatesPresented, TlsError::NoCertificate),
            (E::DecryptError, TlsError::BadRecord),
            (E::PeerSentOversizedRecord, TlsError::RecordOverflow),
            (E::FailedToGetRandomBytes, TlsError::NoEntropy),
            (
                E::General("signing failed".into()),
                TlsError::CryptoFailed(None),
            ),
            (E::UnsupportedNameType, TlsError::InvalidServerName),
            (
                E::NoApplicationProtocol,
                TlsError::Incompatible(Incompatible::Alpn),
            ),
            (
                E::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon),
                TlsError::Incompatible(Incompatible::Suite),
            ),
            (
                E::PeerIncompatible(PeerIncompatible::NoKxGroupsInCommon),
                TlsError::Incompatible(Incompatible::Group),
            ),
            (
                E::PeerIncompatible(PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon),
                TlsError::Incompatible(Incompatible::SignatureScheme),
            ),
            (
                E::PeerIncompatible(PeerIncompatible::ExtendedMasterSecretExtensionRequired),
                TlsError::Incompatible(Incompatible::ExtendedMasterSecret),
            ),
            (
                E::PeerIncompatible(PeerIncompatible::NullCompressionRequired),
                TlsError::Incompatible(Incompatible::Other),
            ),
            (
                E::PeerMisbehaved(PeerMisbehaved::AttemptedDowngradeToTls12WhenTls13IsSupported),
                TlsError::Downgraded,
            ),
            (
                E::PeerMisbehaved(PeerMisbehaved::SelectedUnofferedCipherSuite),
                TlsError::Misbehaved(Misbehaviour(PeerMisbehaved::SelectedUnofferedCipherSuite)),
            ),
            (
                E::InvalidMessage(InvalidMessage::MessageTooShort),
                TlsError::BadMessage(BadMessage(InvalidMessage::MessageTooShort)),
            ),
            (
                E::InappropriateMessage {
                    expect_types: Vec::new(),
                    got_type: rustls::ContentType::Heartbeat,
                },
                TlsError::UnexpectedMessage,
            ),
            (
                E::InvalidCertificate(CertificateError::Revoked),
                certificate(CertificateFault::Revoked),
            ),
            (
                E::InvalidCertificate(CertificateError::UnknownRevocationStatus),
                certificate(CertificateFault::RevocationUnknown),
            ),
            (
                E::InvalidCertificate(CertificateError::BadEncoding),
                certificate(CertificateFault::BadEncoding),
            ),
            (
                E::InvalidCertificate(unsupported),
                certificate(CertificateFault::UnsupportedSignatureAlgorithm {
                    signature: Signature::Other,
                    key: None,
                }),
            ),
            (
                E::InvalidCertificate(CertificateError::ApplicationVerificationFailure),
                certificate(CertificateFault::Other),
            ),
        ];
        for (theirs, ours) in table {
            let sentence = ours.to_string();
            assert_eq!(TlsError::from_rustls(&theirs, true), ours);
            assert!(
                sentence.len() > 20 && !sentence.ends_with('.'),
                "{sentence}"
            );
            assert!(ours.cure().len() > 15, "{}", ours.cure());
        }
    }

    #[test]
    fn greetings() {
        for tls in [&[][..], &[22], &[21, 3], &[22, 3, 1, 0, 5]] {
            assert_eq!(Greeting::of(tls), None);
        }
        assert_eq!(Greeting::of(b"HTTP/"), Some(Greeting::Http));
        assert_eq!(Greeting::of(b"HELO "), Some(Greeting::Text));
        assert_eq!(Greeting::of(&[0x20, 2, 0, 5]), Some(Greeting::Mqtt));
        assert_eq!(Greeting::of(&[22, 2]), Some(Greeting::Binary));
    }
}
