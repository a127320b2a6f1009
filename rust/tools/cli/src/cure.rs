//! Cures for failures in terms of this program's options, which the crates below do not know.
use crate::args::{CommonArguments, FamilyArgument, MqttVersion, NetworkArguments};
use crate::trust;
use thread_mqtt_client::{Cause, Stage, TcpError};
use thread_mqtt_resolve::resolver::{LookupError, Report};
use thread_mqtt_resolve::{BrokerUri, Scheme};
use thread_mqtt_session::{Fault, ReasonCode, Session, SessionError, Version};
use thread_mqtt_tls::{Alert, AlertContext, CertificateFault, Incompatible, TlsError};

/// Returns the cure for this cause at this broker, if there is one.
pub(crate) fn of(cause: &Cause, broker: &BrokerUri, arguments: &CommonArguments) -> Option<String> {
    let here = match cause {
        // The client goes back to MQTT 5 on its own.
        Cause::Mqtt(SessionError::Refused(refusal))
            if arguments.mqtt.fallback
                && refusal.version() == Version::V311
                && refusal.reason() == ReasonCode::UNSUPPORTED_VERSION =>
        {
            return None;
        }
        Cause::Resolve(report) => of_report(report, &arguments.network),
        Cause::Tcp(TcpError::Reset | TcpError::Closed) => Some(closed(arguments)),
        Cause::Tls(error) => of_tls(error, arguments),
        Cause::HandshakeTimedOut => {
            Some("check that the broker speaks TLS on this port (usually 8883)".to_owned())
        }
        Cause::ClosedBeforeConnack => Some(closed_before_connack(broker, arguments)),
        Cause::Mqtt(error) => of_mqtt(*error, broker.scheme, arguments),
        Cause::TooManyRedirects => Some(
            "check the brokers' server references for a loop; if there is none, allow more with \
             --redirects"
                .to_owned(),
        ),
        _ => None,
    };
    here.or_else(|| cause.cure().map(str::to_owned))
}

/// Returns the cure for a failed resolution.
pub(crate) fn of_report(report: &Report, network: &NetworkArguments) -> Option<String> {
    let cure = report.cure()?;
    let is_cure = |error: LookupError| error.cure() == Some(cure);
    Some(if is_cure(LookupError::NoPrefix) {
        let instead = match network.ipv6_only {
            true => "give the prefix of your network with --nat64-prefix",
            false => "give another prefix with --nat64-prefix",
        };
        format!("enable NAT64 on the border router (OpenThread: nat64 enable), or {instead}")
    } else if is_cure(LookupError::NoData) && network.family == FamilyArgument::Any {
        "give the name an A or AAAA record".to_owned()
    } else if is_cure(LookupError::NoData) {
        "leave --family out, or give the name an A or AAAA record".to_owned()
    } else if is_cure(LookupError::Deadline) {
        "give more time with --dns-timeout".to_owned()
    } else {
        cure.to_owned()
    })
}

/// Returns the cure if the broker accepted neither version of MQTT.
pub(crate) fn of_neither_version(cause: &Cause, broker: &BrokerUri) -> String {
    if let Cause::Mqtt(SessionError::NotMqtt { first }) = cause {
        return not_mqtt(*first, broker.scheme);
    }
    let cure = match broker.scheme {
        Scheme::Mqtt => {
            "check the broker's log: it accepted neither MQTT version; if it speaks TLS on this port, \
             use mqtts://"
        }
        Scheme::Mqtts => "check the broker's log: it accepted neither MQTT version",
    };
    cure.to_owned()
}

/// Returns the cure if the broker points to another one (MQTT 5 section 4.11), and that was not
/// followed.
pub(crate) fn of_redirect(cause: &Cause, session: &Session) -> Option<String> {
    let moved = match cause.reason()? {
        ReasonCode::USE_ANOTHER_SERVER => false,
        ReasonCode::SERVER_MOVED => true,
        _ => return None,
    };
    let reference = session.server_reference();
    Some(match (reference.filter(|text| !text.is_empty()), moved) {
        // Quoted and escaped, so that a terminal does not interpret it.
        (Some(other), _) => format!("if this is another broker, use it: {other:?}"),
        (None, false) => "give another broker; the broker does not say which one".to_owned(),
        (None, true) => {
            "give the broker's new address; the broker does not say which one it is".to_owned()
        }
    })
}

/// Returns what to check if this stage timed out.
pub(crate) fn of_silence(stage: Stage) -> &'static str {
    match stage {
        Stage::Prefix | Stage::Resolve => "check the DNS servers with thread-mqtt resolve",
        Stage::Tcp => "check that the host is up, and that no firewall drops the packets",
        Stage::Tls => "check that the broker speaks TLS on this port",
        Stage::Mqtt => "check that a broker listens on this port, and whether it speaks TLS there",
        Stage::Attach | Stage::Time => "check the network",
    }
}

fn closed(arguments: &CommonArguments) -> String {
    match arguments.mqtt.id.as_deref() {
        Some(id) if !id.is_empty() => format!(
            "check the broker's log; another client with the same --id, {id}, has the same effect: \
             give each its own"
        ),
        _ => "check the broker's log".to_owned(),
    }
}

fn closed_before_connack(broker: &BrokerUri, arguments: &CommonArguments) -> String {
    let mut cure = "check the broker's log".to_owned();
    if arguments.mqtt.version == MqttVersion::V5 {
        cure.push_str(
            "; a broker that only supports MQTT 3.1.1 may close an MQTT 5 connection, so try --mqtt 3.1.1 \
             or --fallback",
        );
    }
    if broker.scheme == Scheme::Mqtt {
        cure.push_str("; if the broker speaks TLS on this port, use mqtts://");
    }
    cure
}

/// Returns the cure if the broker does not support MQTT 5 and the client does not fall back.
fn older(arguments: &CommonArguments) -> String {
    let mqtt = &arguments.mqtt;
    let cure = if !mqtt.fallback {
        "use MQTT 3.1.1 instead of 5: --mqtt 3.1.1, or --fallback"
    } else if arguments.will.properties().is_some() {
        "leave out the will properties, such as --will-content-type: MQTT 3.1.1 does not support them, so \
         --fallback is not possible"
    } else if mqtt.has_password() && mqtt.username.is_none() {
        "give a user name with -u: MQTT 3.1.1 allows no password without one, so --fallback is not possible"
    } else {
        "check the broker's log: it accepted neither MQTT version"
    };
    cure.to_owned()
}

fn of_mqtt(error: SessionError, scheme: Scheme, arguments: &CommonArguments) -> Option<String> {
    let mqtt = &arguments.mqtt;
    let reason = match error {
        SessionError::Refused(refusal) => match (refusal.reason(), refusal.version()) {
            (ReasonCode::UNSUPPORTED_VERSION, Version::V5) => return Some(older(arguments)),
            (ReasonCode::UNSUPPORTED_VERSION, Version::V311) => {
                return Some("use MQTT 5 instead of 3.1.1: --mqtt 5".to_owned());
            }
            (reason, _) => match of_will(reason) {
                Some(cure) => return Some(cure.to_owned()),
                None => reason,
            },
        },
        SessionError::Malformed {
            fault: Fault::OldVersion,
            ..
        } => return Some(older(arguments)),
        SessionError::PacketTooLarge { .. } => {
            return Some("give a larger --max-packet, or subscribe to less".to_owned());
        }
        SessionError::NotMqtt { first } => return Some(not_mqtt(first, scheme)),
        SessionError::ServerDisconnected(reason) => reason,
        _ => return None,
    };
    Some(match reason {
        ReasonCode::CLIENT_ID_NOT_VALID => "give another client identifier with --id".to_owned(),
        ReasonCode::BAD_CREDENTIALS | ReasonCode::NOT_AUTHORIZED => {
            let what = match (mqtt.username.is_some(), mqtt.has_password()) {
                (false, false) => "give a user name with -u and its password with --password-file",
                (false, true) => "give the user name that belongs to the password with -u",
                (true, false) => "if this user has a password, give it with --password-file",
                (true, true) => "check -u, the password and the user's permissions on the broker",
            };
            what.to_owned()
        }
        TAKEN_OVER => match mqtt.id.as_deref() {
            Some(id) if !id.is_empty() => {
                format!("another client has the same --id, {id}: give each its own")
            }
            _ => return None,
        },
        _ => return None,
    })
}

/// Returns the cure for these codes in CONNACK, where they are about the will (MQTT 5 section
/// 3.2.2.2).
fn of_will(reason: ReasonCode) -> Option<&'static str> {
    Some(match reason.0 {
        0x90 => "give another --will-topic",
        0x99 => "leave --will-payload-format out, or give a payload in that format",
        0x9A => "leave --will-retain out",
        0x9B => "give a lower --will-qos",
        _ => return None,
    })
}

/// Another connection has taken over the session (MQTT 5 section 3.14.2.1).
const TAKEN_OVER: ReasonCode = ReasonCode(0x8E);

/// Names the protocol that answered instead, by its first byte.
fn not_mqtt(first: u8, scheme: Scheme) -> String {
    let what = match first {
        b'H' => "it answers like a web server (HTTP)",
        b'S' => "it greets like an SSH server",
        b if b.is_ascii_graphic() => "it answers in plain text",
        _ => "another protocol uses this port",
    };
    let port = match scheme {
        Scheme::Mqtt => 1883,
        Scheme::Mqtts => 8883,
    };
    format!("check the host and the port, usually {port}: {what}")
}

fn of_tls(error: &TlsError, arguments: &CommonArguments) -> Option<String> {
    const CERTIFICATE_REQUIRED: [u8; 2] = [41, 116];
    let tls = &arguments.tls;
    let restricts = |given: bool, option: &str, what: &str| {
        given.then(|| format!("leave {option} out, or give it {what} that the broker supports"))
    };
    // Suites determine the version if all of them belong to the same one.
    let version = || {
        let mut of_suites = tls.suite.iter().map(|suite| suite.version());
        let is_one = of_suites
            .next()
            .is_some_and(|first| of_suites.all(|other| other == first));
        let by_option = restricts(!tls.tls.is_empty(), "--tls", "a version");
        by_option.or_else(|| restricts(is_one, "--suite", "a suite"))
    };
    match error {
        TlsError::Certificate(CertificateFault::UnknownIssuer { self_signed, .. }) => {
            Some(match (&tls.ca, self_signed) {
                (Some(ca), true) => format!(
                    "if this is your broker, give this certificate with --ca instead of {}",
                    ca.display()
                ),
                (Some(ca), false) => format!(
                    "give the CA at the root of the broker's chain with --ca instead of {}; if it is \
                     already that CA, configure the broker to send its intermediate certificates",
                    ca.display()
                ),
                (None, _) => format!(
                    "no --ca was given, so the CAs of this system are used ({}): give the CA that issued \
                     the broker's certificate with --ca FILE",
                    trust::system_bundle_path()
                ),
            })
        }
        // The cure is the same; a test checks that it names both options.
        TlsError::Certificate(
            CertificateFault::CaUsedAsEndEntity | CertificateFault::UnsupportedVersion,
        ) => Some(
            error
                .cure()
                .replace("pin it instead (its SHA-256)", "give its SHA-256 with --pin")
                .replace("configure that one as CA", "give that one with --ca"),
        ),
        TlsError::Alert {
            context: AlertContext::ClientKeyNotAllowed,
            ..
        } => Some(
            "give --cert and --key with a kind of key that the broker allows, such as RSA or ECDSA P-256"
                .to_owned(),
        ),
        TlsError::Alert {
            alert: Alert(number),
            context,
            ..
        } if tls.cert.is_none()
            && (*context == AlertContext::NoClientCertificate
                || CERTIFICATE_REQUIRED.contains(number)) =>
        {
            Some("give a client certificate with --cert and its key with --key".to_owned())
        }
        TlsError::ClosedInHandshake { answered: true } if tls.cert.is_none() => Some(
            "check the broker's log; it may require a client certificate (--cert and --key), or a proxy \
             may have cut the connection"
                .to_owned(),
        ),
        TlsError::Incompatible(Incompatible::Version)
        | TlsError::Alert {
            alert: Alert(70), ..
        } => version(),
        TlsError::Incompatible(Incompatible::Suite) => {
            restricts(!tls.suite.is_empty(), "--suite", "a suite")
        }
        TlsError::Incompatible(Incompatible::Group) => {
            restricts(!tls.group.is_empty(), "--group", "a group")
        }
        TlsError::Incompatible(Incompatible::Alpn) => {
            restricts(!tls.alpn.is_empty(), "--alpn", "a name")
        }
        TlsError::Alert {
            alert: Alert(120), ..
        } => restricts(!tls.alpn.is_empty(), "--alpn", "a name"),
        TlsError::Alert {
            alert: Alert(40),
            context: context @ (AlertContext::Unknown | AlertContext::NoServerName),
            handshaking: true,
        } => {
            let restricted = [
                (!tls.suite.is_empty(), "--suite"),
                (!tls.group.is_empty(), "--group"),
            ];
            let mut options = restricted.iter().filter(|(given, _)| *given);
            Some(match options.next() {
                Some((_, option)) => {
                    format!("leave {option} out: the broker may not support it")
                }
                None if *context == AlertContext::NoServerName => error.cure().to_owned(),
                None if tls.cert.is_some() => {
                    "check the broker's log; it may not accept the client certificate".to_owned()
                }
                // Everything available was offered.
                None => "give the broker TLS 1.3 or a suite with ECDHE and AES-GCM or ChaCha20-Poly1305, \
                         one of the groups x25519, secp256r1 and secp384r1, and a certificate with an ECDSA \
                         P-256 or RSA key"
                    .to_owned(),
            })
        }
        TlsError::Alert {
            alert: Alert(40),
            context: AlertContext::Unknown,
            handshaking: false,
        } => Some("check the broker's log; it may not accept the client certificate".to_owned()),
        TlsError::Alert {
            alert: Alert(22), ..
        } => Some(
            "send smaller messages, or let the broker accept TLS records of 16,384 bytes, as the standard \
             requires"
                .to_owned(),
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Arguments, Command};
    use clap::Parser;
    use thread_mqtt_session::ConnectRefusal;

    /// Returns the cure for this cause with these options.
    fn cure(cause: &Cause, options: &str) -> String {
        let words = "thread-mqtt pub -t t -n ".to_owned() + options;
        let arguments = Arguments::parse_from(words.split_whitespace());
        let Command::Pub(arguments) = arguments.command else {
            unreachable!("the command is pub");
        };
        let brokers = arguments.common.brokers().unwrap();
        of(cause, &brokers[0].uri, &arguments.common).unwrap()
    }

    fn alert(number: u8, handshaking: bool, context: AlertContext) -> Cause {
        Cause::Tls(TlsError::Alert {
            alert: Alert(number),
            handshaking,
            context,
        })
    }

    const TLS: &str = "mqtts://b.example";
    const WITH_CERTIFICATE: &str = "mqtts://b.example --cert c --key k";

    #[test]
    fn client_certificates() {
        let unknown = AlertContext::Unknown;
        let none = AlertContext::NoClientCertificate;
        for number in [40, 42, 43, 46, 48, 49, 116] {
            let cure = cure(&alert(number, false, none), TLS);
            assert!(
                cure.starts_with("give a client certificate with --cert"),
                "{cure}"
            );
        }
        let kind = alert(116, false, AlertContext::ClientKeyNotAllowed);
        assert!(cure(&kind, WITH_CERTIFICATE).contains("kind of key"));
        // The certificate was sent, and the broker gives no details.
        for handshaking in [true, false] {
            let later = cure(&alert(40, handshaking, unknown), WITH_CERTIFICATE);
            assert!(later.contains("log"), "{later}");
        }
    }

    #[test]
    fn options_that_cannot_help_are_not_named() {
        let unknown = AlertContext::Unknown;
        let suites = cure(&alert(40, true, unknown), TLS);
        assert!(
            !suites.contains("--") && suites.contains("ECDHE"),
            "{suites}"
        );
        let restricted = format!("{TLS} --suite ECDHE-ECDSA-AES128-GCM-SHA256");
        let suites = cure(&alert(40, true, unknown), &restricted);
        assert!(suites.starts_with("leave --suite out"), "{suites}");
        // Suites determine the version if all of them belong to the same one.
        for cause in [
            alert(70, true, unknown),
            Cause::Tls(TlsError::Incompatible(Incompatible::Version)),
        ] {
            let only13 = format!("{TLS} --suite TLS_AES_128_GCM_SHA256");
            let version = cure(&cause, &only13);
            assert!(version.starts_with("leave --suite out"), "{version}");
            let version = cure(&cause, &format!("{only13} --tls 1.3"));
            assert!(version.starts_with("leave --tls out"), "{version}");
            let version = cure(
                &cause,
                &format!("{only13} --suite ECDHE-RSA-AES128-GCM-SHA256"),
            );
            assert!(!version.contains("--"), "{version}");
        }
        // When connecting by address, the missing server name is the most likely reason.
        let nameless = alert(40, true, AlertContext::NoServerName);
        let by_name = cure(&nameless, TLS);
        assert!(
            by_name.starts_with("connect by the broker's name"),
            "{by_name}"
        );
        let suites = cure(&nameless, &restricted);
        assert!(suites.starts_with("leave --suite out"), "{suites}");
        let records = cure(&alert(22, false, unknown), TLS);
        assert!(!records.contains("CONFIG_"), "{records}");
    }

    /// After a fallback, the client goes back to MQTT 5 on its own.
    #[test]
    fn a_refusal_of_the_older_version() {
        let refusal = ConnectRefusal::new(Version::V311, 1);
        let cause = Cause::Mqtt(SessionError::Refused(refusal));
        assert!(cure(&cause, "mqtt://b -V 3.1.1").contains("--mqtt 5"));
        let words = "thread-mqtt pub -t t -n mqtt://b --fallback";
        let arguments = Arguments::parse_from(words.split_whitespace());
        let Command::Pub(arguments) = arguments.command else {
            unreachable!("the command is pub");
        };
        let brokers = arguments.common.brokers().unwrap();
        assert_eq!(of(&cause, &brokers[0].uri, &arguments.common), None);
    }

    #[test]
    fn the_usual_port_is_that_of_the_scheme() {
        let web = Cause::Mqtt(SessionError::NotMqtt { first: b'H' });
        for (uri, port) in [("mqtt://b.example", "1883"), (TLS, "8883")] {
            let cure = cure(&web, uri);
            assert!(cure.contains(port) && cure.contains("web server"), "{cure}");
        }
    }
}
