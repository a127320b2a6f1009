//! Alerts: what a peer sends before it hangs up (RFC 8446 section 6, RFC 5246 section 7.2).

use core::fmt;

/// An alert, by its number on the wire. A peer may send any number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Alert(pub u8);

/// Name, cause and cure of one alert.
struct Entry(u8, &'static str, &'static str, &'static str);

/// Every alert ever assigned that may still occur.
const TABLE: &[Entry] = &[
    Entry(
        0,
        "close_notify",
        "it closed the connection in the middle of the handshake",
        "check the broker's log; it may limit the number of connections or be shutting down",
    ),
    Entry(
        10,
        "unexpected_message",
        "it received an unexpected message",
        "make sure that a TLS server listens on this port; if one does, report this as a bug",
    ),
    Entry(
        20,
        "bad_record_mac",
        "a record did not decrypt: the keys differ, or the data was altered in transit",
        "try again; if this persists, look for a proxy or middlebox on the path",
    ),
    Entry(
        21,
        "decryption_failed",
        "a record did not decrypt",
        "try again; if this persists, look for a proxy or middlebox on the path",
    ),
    Entry(
        22,
        "record_overflow",
        "a record was longer than it accepts",
        "send smaller records (CONFIG_THREAD_MQTT_TLS_FRAGMENT)",
    ),
    Entry(
        30,
        "decompression_failure",
        "it failed to decompress a record",
        "disable TLS compression at the broker",
    ),
    Entry(
        40,
        "handshake_failure",
        "it found no version, cipher suite, group or certificate that both sides accept",
        "compare the suites and groups with the broker's: with TLS 1.2, an RSA certificate needs \
         an ECDHE_RSA suite; an Ed25519 key needs a crypto provider with Ed25519; if the \
         broker requires a client certificate, configure one",
    ),
    Entry(
        41,
        "no_certificate",
        "it expected a client certificate",
        "configure a client certificate and its key",
    ),
    Entry(
        42,
        "bad_certificate",
        "it could not use the client certificate",
        "check the client certificate chain (leaf first, then the intermediates), and that it is \
         already valid by the broker's clock",
    ),
    Entry(
        43,
        "unsupported_certificate",
        "it does not accept this kind of client certificate",
        "use a client certificate with a key and purpose (clientAuth) that the broker accepts",
    ),
    Entry(
        44,
        "certificate_revoked",
        "the client certificate has been revoked",
        "give the device a new client certificate",
    ),
    Entry(
        45,
        "certificate_expired",
        "the client certificate has expired or is not valid yet",
        "give the device a new client certificate, or correct the broker's clock",
    ),
    Entry(
        46,
        "certificate_unknown",
        "it rejected the client certificate without giving a reason",
        "check the broker's log",
    ),
    Entry(
        47,
        "illegal_parameter",
        "it found a field of the handshake out of range or inconsistent",
        "if the groups are restricted, also allow the curves of the certificates, including the \
         client's; otherwise report this as a bug, with the broker's name and version",
    ),
    Entry(
        48,
        "unknown_ca",
        "it does not know the authority that issued the client certificate",
        "send the intermediate certificates with the client's, and give the broker the CA of the client certificate",
    ),
    Entry(
        49,
        "access_denied",
        "it denied access",
        "grant the client certificate access at the broker; on a port shared with HTTPS, set the \
         application protocol (ALPN)",
    ),
    Entry(
        50,
        "decode_error",
        "it could not decode a message",
        "make sure that a TLS server listens on this port; if one does, report this as a bug",
    ),
    Entry(
        51,
        "decrypt_error",
        "a signature or Finished message did not verify",
        "check that the client key belongs to the client certificate; without one, look for a \
         proxy or middlebox on the path",
    ),
    Entry(
        60,
        "export_restriction",
        "it requires weakened cryptography",
        "update the broker",
    ),
    Entry(
        70,
        "protocol_version",
        "it supports none of the offered TLS versions",
        "allow a version that the broker supports; versions before TLS 1.2 are not supported",
    ),
    Entry(
        71,
        "insufficient_security",
        "it requires stronger suites than those offered",
        "allow stronger suites and groups",
    ),
    Entry(
        80,
        "internal_error",
        "it had an internal error",
        "check the broker's log",
    ),
    Entry(
        86,
        "inappropriate_fallback",
        "it supports a higher version than this connection offered",
        "allow TLS 1.3",
    ),
    Entry(
        90,
        "user_canceled",
        "it canceled the handshake",
        "try again",
    ),
    Entry(
        100,
        "no_renegotiation",
        "it refused to renegotiate",
        "disable renegotiation at the broker",
    ),
    Entry(
        109,
        "missing_extension",
        "it requires an extension that was not sent",
        "allow TLS 1.3 suites and groups that the broker supports",
    ),
    Entry(
        110,
        "unsupported_extension",
        "it received an extension it did not request",
        "report this as a bug, with the broker's name and version",
    ),
    Entry(
        111,
        "certificate_unobtainable",
        "it could not fetch a certificate",
        "check the broker's log",
    ),
    Entry(
        112,
        "unrecognized_name",
        "it does not serve the requested host name",
        "use the host name that the broker is configured for",
    ),
    Entry(
        113,
        "bad_certificate_status_response",
        "it could not use an OCSP response",
        "check the broker's log",
    ),
    Entry(
        114,
        "bad_certificate_hash_value",
        "a certificate did not match its hash",
        "check the broker's log",
    ),
    Entry(
        115,
        "unknown_psk_identity",
        "it does not know the pre-shared key",
        "clear the session store and connect again",
    ),
    Entry(
        116,
        "certificate_required",
        "it requires a client certificate",
        "configure a client certificate and its key",
    ),
    Entry(
        120,
        "no_application_protocol",
        "it requires an application protocol (ALPN) that was not offered",
        "offer the ALPN name that the broker documents (often mqtt or x-amzn-mqtt-ca), or none",
    ),
    Entry(
        121,
        "ech_required",
        "it requires Encrypted Client Hello",
        "disable this requirement at the broker",
    ),
];

/// What an alert is about, if that is known and its number does not say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum AlertContext {
    /// Nothing more is known.
    #[default]
    Unknown,
    /// The broker asked for a client certificate, and none is configured.
    NoClientCertificate,
    /// The broker asked for a client certificate, but its request does not allow the configured
    /// kind of key, so none was sent.
    ClientKeyNotAllowed,
    /// The broker may require a host name, and a connection to an address sends none.
    NoServerName,
    /// The broker requested another handshake on an open TLS 1.2 connection.
    Renegotiation,
}

impl AlertContext {
    /// Finds the context of an alert. `is_open12`: the TLS 1.2 handshake is done. `missed`: the
    /// context of an alert about the client certificate. `nameless`: a handshake with an address is
    /// in progress.
    pub(crate) fn of(alert: Alert, is_open12: bool, missed: Self, nameless: bool) -> Self {
        match alert.0 {
            40 if is_open12 => Self::Renegotiation,
            40 | 112 if nameless && (missed == Self::Unknown || alert.0 == 112) => {
                Self::NoServerName
            }
            // Sent when the certificate is missing: 40 by OpenSSL in TLS 1.2, 42 by Java; other
            // servers send those for a wrong certificate.
            40..=43 | 46 | 48 | 49 | 116 if !is_open12 => missed,
            _ => Self::Unknown,
        }
    }

    /// Returns a cause and cure that replace those of the number.
    const fn meaning(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Unknown => None,
            Self::NoClientCertificate => Some((
                "it asked for a client certificate, but none is configured",
                "configure a client certificate and its key",
            )),
            Self::ClientKeyNotAllowed => Some((
                "it asked for a client certificate with another kind of key than the configured \
                 one, so none was sent",
                "use a client certificate with a kind of key that the broker accepts, such as RSA or ECDSA P-256",
            )),
            Self::NoServerName => Some((
                "it accepts nothing that was offered, or requires a host name (SNI), which is not \
                 sent to an IP address",
                "connect by the broker's name; if that fails too, compare the suites, groups and \
                 kinds of key with the broker's",
            )),
            Self::Renegotiation => Some((
                "it requested a renegotiation, which this device does not support",
                "disable renegotiation at the broker",
            )),
        }
    }
}

impl Alert {
    fn entry(self) -> Option<&'static Entry> {
        TABLE.iter().find(|entry| entry.0 == self.0)
    }

    /// Returns the name in the RFCs, such as `handshake_failure`.
    pub fn name(self) -> Option<&'static str> {
        self.entry().map(|entry| entry.1)
    }

    /// Returns what the peer means by it, as the end of a sentence about the peer.
    pub(crate) fn cause(self, context: AlertContext) -> &'static str {
        self.meaning(context).map_or(
            "its reason is not defined by the standards",
            |(cause, _)| cause,
        )
    }

    pub(crate) fn cure(self, context: AlertContext) -> &'static str {
        self.meaning(context)
            .map_or("check the broker's log", |(_, cure)| cure)
    }

    fn meaning(self, context: AlertContext) -> Option<(&'static str, &'static str)> {
        let own = || self.entry().map(|entry| (entry.2, entry.3));
        context.meaning().or_else(own)
    }
}

impl fmt::Display for Alert {
    /// Shows name and number: `handshake_failure (40)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name().unwrap_or("unknown"), self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn every_alert_of_rustls_has_an_entry() {
        for number in 0..=u8::MAX {
            let known = rustls::AlertDescription::from(number).as_str().is_some();
            assert_eq!(Alert(number).name().is_some(), known, "alert {number}");
        }
        assert_eq!(Alert(40).to_string(), "handshake_failure (40)");
        assert_eq!(Alert(200).to_string(), "unknown (200)");
    }

    #[test]
    fn an_alert_is_about_what_went_before() {
        let missed = AlertContext::NoClientCertificate;
        let cause = |number, is_open12, missed| {
            let alert = Alert(number);
            alert.cause(AlertContext::of(alert, is_open12, missed, false))
        };
        // From Java's older versions, OpenSSL with TLS 1.2, and others.
        for number in [40, 41, 42, 43, 46, 48, 49, 116] {
            let asked = cause(number, false, missed);
            assert_eq!(
                asked,
                "it asked for a client certificate, but none is configured"
            );
            let not_asked = cause(number, false, AlertContext::Unknown);
            assert_ne!(not_asked, asked);
            // On an open TLS 1.2 connection the certificate was accepted.
            assert_ne!(cause(number, true, missed), asked);
        }
        assert_eq!(cause(80, false, missed), "it had an internal error");
        // An open TLS 1.2 connection refuses another handshake; TLS 1.3 has none.
        let unknown = AlertContext::Unknown;
        assert!(cause(40, true, unknown).contains("a renegotiation"));
        assert!(cause(40, false, unknown).contains("both sides accept"));
        // OpenSSL sends it for a certificate that is not valid yet.
        assert!(Alert(42).cure(unknown).contains("already valid"));
        // By address, so that no name is sent.
        let nameless = |number, missed| AlertContext::of(Alert(number), false, missed, true);
        for number in [40, 112] {
            let context = nameless(number, unknown);
            assert!(Alert(number).cause(context).contains("SNI"));
            assert!(Alert(number).cure(context).contains("by the broker's name"));
        }
        assert_eq!(nameless(40, missed), missed);
        assert_eq!(nameless(80, unknown), unknown);
    }
}
