//! How the time is learnt that certificates are checked against, and why it could not be.
pub(crate) mod clock;
mod floor;
pub(crate) mod search;
mod sntp;
pub(crate) mod source;
mod utc;

pub use floor::{FloorError, KeptFloor};
pub use utc::Utc;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::str::FromStr;
use core::time::Duration;
use thread_mqtt_resolve::Host;
use thread_mqtt_resolve::resolver::Report;
use thread_mqtt_resolve::uri::{UriError, parse_port};

/// How the time is learnt for the check of certificates, where the platform does not know it: by
/// SNTP, before the first connection with TLS. Not looked at while the platform
/// [tells the time](crate::Client::handle_unix_time), or without TLS.
///
/// The time of an SNTP server is not authenticated. It is believed as long as the certificates
/// that it is used to check do not contradict it, and never raises the
/// [floor](crate::Client::time_floor): a server that lies cannot make a device refuse its broker once
/// it is gone, and cannot have a certificate accepted that expired before the floor. docs/time.md
/// tells what it can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeConfig {
    /// The servers, asked in turn; none by default.
    pub servers: Vec<TimeServer>,
    /// What follows if none answers.
    pub policy: TimePolicy,
    /// Time for all of it, names included.
    pub deadline: Duration,
    /// Time for an answer before the question is sent again, and a second time before the next
    /// address is asked.
    pub attempt_timeout: Duration,
    /// An older time is asked for anew before the next connection; it stays good if no server answers.
    pub refresh: Duration,
}

impl Default for TimeConfig {
    /// No servers, lenient, 15 s in all, 3 s an attempt, a day.
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            policy: TimePolicy::default(),
            deadline: Duration::from_secs(15),
            attempt_timeout: Duration::from_secs(3),
            refresh: Duration::from_secs(86_400),
        }
    }
}

/// What follows if the time cannot be learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimePolicy {
    /// Certificates are checked against the floor: one that expired before it is refused, one that
    /// is not valid yet is taken. [`Event::TimeUnknown`](crate::Event::TimeUnknown) tells so, and again
    /// when the reason changes.
    /// The servers are asked again ten minutes later at the earliest.
    #[default]
    Lenient,
    /// No TLS until the time is known: the attempt fails with
    /// [`Cause::Time`](crate::Cause::Time).
    Strict,
}

/// An SNTP server. As text: `host` or `host:port`, the host a name, an IPv4 address or an IPv6
/// address (in brackets if a port follows).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeServer {
    /// Name or address.
    pub host: Host,
    /// UDP port, 123 unless said.
    pub port: u16,
}

impl TimeServer {
    /// Reads a list with blanks or commas between the servers.
    pub fn list(text: &str) -> Result<Vec<Self>, UriError> {
        let mut servers = Vec::new();
        for server in text.split([' ', ',']) {
            if !server.is_empty() {
                servers.push(server.parse()?);
            }
        }
        Ok(servers)
    }
}

impl FromStr for TimeServer {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        let (host, port) = match text.rsplit_once(':') {
            // A URI is not a server: its host is what is wrong.
            Some((_, rest)) if rest.starts_with('/') => (text, sntp::PORT),
            // The colons of an IPv6 address are not followed by a port.
            Some((host, port)) if host.ends_with(']') || !host.contains(':') => {
                (host, parse_port(port)?)
            }
            _ => (text, sntp::PORT),
        };
        Ok(Self {
            host: host.parse()?,
            port,
        })
    }
}

impl fmt::Display for TimeServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.host.fmt(f)?;
        match self.port {
            sntp::PORT => Ok(()),
            port => write!(f, ":{port}"),
        }
    }
}

/// Why the time is not known: what the last server asked had to say.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeError {
    /// The platform does not know it, and no server is configured.
    NoServer,
    /// The server's name did not resolve. The report is shared with what remembers the failure.
    Resolve(Arc<Report>),
    /// No answer in time.
    NoAnswer,
    /// The server does not want to be asked (kiss-o'-death); its code.
    Refused([u8; 4]),
    /// The server does not know the time itself.
    Unsynchronised,
    /// The server's time lies before the floor.
    BeforeFloor,
}

impl TimeError {
    /// What to do about it, if that can be said.
    pub fn cure(&self) -> Option<&'static str> {
        Some(match self {
            Self::NoServer => {
                "configure an SNTP server, or set the clock of this device before it connects"
            }
            Self::Resolve(report) => return report.cure(),
            Self::NoAnswer => {
                "allow UDP to port 123 of the time servers, or configure one that can be reached"
            }
            Self::Refused(_) => {
                "configure a time server that serves you: many devices behind one border router \
                 look like one that asks too often"
            }
            Self::Unsynchronised => "fix the time server, or configure another one",
            Self::BeforeFloor => {
                "fix the clock of the time server, or that of the machine that built this firmware"
            }
        })
    }

    /// The sentence for [`Event::TimeUnknown`](crate::Event::TimeUnknown): why, and what becomes of
    /// the check of certificates.
    pub fn in_full(&self, floor: u64) -> impl fmt::Display {
        Unknown { why: self, floor }
    }
}

struct Unknown<'a> {
    why: &'a TimeError,
    floor: u64,
}

impl fmt::Display for Unknown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "time unknown: {}; certificates that expired before {} are refused, those not yet \
             valid are not",
            self.why,
            Utc(self.floor)
        )
    }
}

impl fmt::Display for TimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoServer => f.write_str("no clock is set and no time server configured"),
            Self::Resolve(report) => write!(f, "the time server's name did not resolve: {report}"),
            Self::NoAnswer => f.write_str("no time server answered in time"),
            Self::Refused(code) => {
                f.write_str("the time server refuses to be asked (")?;
                // Four letters, if the server keeps to RFC 5905 section 7.4.
                for byte in code {
                    f.write_char(match byte {
                        b' '..=b'~' => char::from(*byte),
                        _ => '?',
                    })?;
                }
                f.write_str(")")
            }
            Self::Unsynchronised => f.write_str("the time server does not know the time itself"),
            Self::BeforeFloor => f.write_str(
                "the time server says a time before this firmware was built or last ran",
            ),
        }
    }
}

impl core::error::Error for TimeError {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec;

    #[test]
    fn servers_read_and_show_as_they_are_written() {
        for text in [
            "time.example.org",
            "time.example.org:1123",
            "203.0.113.1",
            "203.0.113.1:1123",
            "[2001:db8::1]",
            "[2001:db8::1]:1123",
        ] {
            assert_eq!(text.parse::<TimeServer>().unwrap().to_string(), text);
        }
        let bare: TimeServer = "2001:db8::1".parse().unwrap();
        assert_eq!(bare.to_string(), "[2001:db8::1]");
    }

    #[test]
    fn a_wrong_server_is_told_by_its_part() {
        for (text, error) in [
            ("time.example.org:", UriError::PortMissing),
            ("1.2.3.4:", UriError::PortMissing),
            ("time.example.org:0", UriError::PortZero),
            ("time.example.org:70000", UriError::PortOutOfRange),
            ("time.example.org:123x", UriError::PortNotANumber),
            ("ntp://time.example.org", UriError::LabelCharacter(':')),
            ("[2001:db8::1", UriError::BracketUnclosed),
            ("1.2.3", UriError::HostIpv4),
        ] {
            assert_eq!(text.parse::<TimeServer>(), Err(error), "{text}");
        }
    }

    #[test]
    fn a_list_has_blanks_or_commas() {
        let (a, b) = ("a.example".parse().unwrap(), "b.example:1".parse().unwrap());
        assert_eq!(TimeServer::list("a.example b.example:1"), Ok(vec![a, b]));
        assert_eq!(
            TimeServer::list(" a.example,  b.example:1,"),
            TimeServer::list("a.example b.example:1")
        );
        assert_eq!(TimeServer::list(""), Ok(vec![]));
        assert!(TimeServer::list("a.example b..example").is_err());
    }
}
