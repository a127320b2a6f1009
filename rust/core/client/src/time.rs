//! How the client learns the time that certificates are checked against, and why it could not.
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

/// How the client learns the time to check certificates with, if the platform does not know it: by
/// SNTP, before the first TLS connection. Unused without TLS, and while the platform [supplies the
/// time](crate::Client::handle_unix_time).
///
/// The time of an SNTP server is not authenticated. It is believed as long as the certificates
/// checked with it do not contradict it, and it never raises the
/// [floor](crate::Client::time_floor). A forged server can therefore not make a device refuse its
/// broker once the forger is gone, nor get a certificate accepted that expired before the floor.
/// docs/time.md explains what it can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeConfig {
    /// The servers, tried in turn; none by default.
    pub servers: Vec<TimeServer>,
    /// What to do if none answers.
    pub policy: TimePolicy,
    /// The limit of the whole search, name resolution included.
    pub deadline: Duration,
    /// How long to wait for an answer before the query is sent again, and once more before the next
    /// address is queried.
    pub attempt_timeout: Duration,
    /// Age at which the time is queried again before the next connection. The old time remains in
    /// use if no server answers.
    pub refresh: Duration,
}

impl Default for TimeConfig {
    /// No servers; lenient; 15 s in total, 3 s per attempt; refreshed after a day.
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

/// What to do if the time cannot be learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimePolicy {
    /// Checks certificates against the floor: one that expired before it is refused, one that is
    /// not yet valid is accepted. [`Event::TimeUnknown`](crate::Event::TimeUnknown) reports this,
    /// and again when the reason changes. The servers are queried again after ten minutes at the
    /// earliest.
    #[default]
    Lenient,
    /// Refuses TLS until the time is known: the attempt fails with
    /// [`Cause::Time`](crate::Cause::Time).
    Strict,
}

/// An SNTP server. As text: `host` or `host:port`. The host is a name, an IPv4 address or an IPv6
/// address (in brackets if a port follows).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeServer {
    /// The name or address.
    pub host: Host,
    /// The UDP port, 123 by default.
    pub port: u16,
}

impl TimeServer {
    /// Parses a list of servers separated by blanks or commas.
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
            // This looks like a URI: report the host as the fault.
            Some((_, rest)) if rest.starts_with('/') => (text, sntp::PORT),
            // The colons of an IPv6 address do not introduce a port.
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

/// Why the time is not known, according to the last server that was queried.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeError {
    /// The platform does not know it, and no server is configured.
    NoServer,
    /// The server's name did not resolve. The report is shared with the record of the failure.
    Resolve(Arc<Report>),
    /// No answer in time.
    NoAnswer,
    /// The server refuses to be queried (kiss-o'-death). Contains its code.
    Refused([u8; 4]),
    /// The server is not synchronised.
    Unsynchronised,
    /// The server's time lies before the floor.
    BeforeFloor,
}

impl TimeError {
    /// Returns what to do about it, if that is known.
    pub fn cure(&self) -> Option<&'static str> {
        Some(match self {
            Self::NoServer => {
                "configure an SNTP server, or set the clock of this device before it connects"
            }
            Self::Resolve(report) => return report.cure(),
            Self::NoAnswer => {
                "allow UDP to port 123 of the time servers, or configure a reachable one"
            }
            Self::Refused(_) => {
                "configure another time server: many devices behind one border router look like \
                 one that asks too often"
            }
            Self::Unsynchronised => "fix the time server, or configure another one",
            Self::BeforeFloor => {
                "fix the clock of the time server, or that of the machine that built this firmware"
            }
        })
    }

    /// Returns the sentence for [`Event::TimeUnknown`](crate::Event::TimeUnknown): the reason, and
    /// how certificates are checked.
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
             valid are accepted",
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
                f.write_str("the time server refused the request (")?;
                // Four letters, if the server follows RFC 5905 section 7.4.
                for byte in code {
                    f.write_char(match byte {
                        b' '..=b'~' => char::from(*byte),
                        _ => '?',
                    })?;
                }
                f.write_str(")")
            }
            Self::Unsynchronised => f.write_str("the time server is not synchronised"),
            Self::BeforeFloor => f.write_str(
                "the time server reports a time before this firmware was built or last ran",
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
