//! Broker URIs: `mqtt://host[:1883]`, `mqtts://host[:8883]`.
//!
//! The host is a DNS name, an IPv4 literal, or an IPv6 literal in brackets without a zone (RFC 3986
//! section 3.2.2). Nothing else may appear in a broker URI: credentials belong in the MQTT
//! configuration, and MQTT has no paths. A lone trailing `/` is accepted and ignored.

use alloc::string::String;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::num::NonZeroU16;
use core::str::FromStr;

/// Longest DNS name in characters, without trailing dot (RFC 1035 section 2.3.4: 255 octets on the
/// wire, two of which are not characters).
pub const MAX_NAME: usize = 253;

/// Longest label of a DNS name (RFC 1035 section 2.3.4).
pub const MAX_LABEL: usize = 63;

/// The transport to the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `mqtt://`, plain TCP, default port 1883.
    Mqtt,
    /// `mqtts://`, TLS, default port 8883.
    Mqtts,
}

impl Scheme {
    /// Returns the port assigned by IANA: 1883 or 8883.
    pub const fn default_port(self) -> u16 {
        match self {
            Scheme::Mqtt => 1883,
            Scheme::Mqtts => 8883,
        }
    }

    /// Returns the scheme as written, without `://`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Scheme::Mqtt => "mqtt",
            Scheme::Mqtts => "mqtts",
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The host part of a broker URI.
///
/// As text ([`FromStr`]), an IPv6 literal may have brackets or not. In a [`BrokerUri`] the brackets
/// are required; otherwise its colons would be read as a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// A validated DNS name (RFC 1035 lengths, LDH labels plus underscore), in lower case. A final
    /// dot is kept and makes the name absolute (RFC 1034 section 3.1): a platform's resolver then
    /// appends no search domain.
    Name(String),
    /// An IPv4 literal. On a Thread network, an address is synthesised from it with the NAT64
    /// prefix.
    Ipv4(Ipv4Addr),
    /// An IPv6 literal, given in brackets and used as it is. `::ffff:192.0.2.1` is an IPv4 literal.
    Ipv6(Ipv6Addr),
}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Host::Ipv4(address),
            IpAddr::V6(address) => Host::Ipv6(address),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::Ipv4(address) => address.fmt(f),
            Host::Ipv6(address) => write!(f, "[{address}]"),
        }
    }
}

/// A parsed broker URI.
///
/// ```
/// use thread_mqtt_resolve::{BrokerUri, Host, uri::UriError};
///
/// let uri: BrokerUri = "mqtts://Broker.Example".parse()?;
/// assert_eq!(uri.host, Host::Name("broker.example".into()));
/// assert_eq!(uri.port, 8883);
/// assert_eq!(uri.to_string(), "mqtts://broker.example:8883");
///
/// assert_eq!("mqtts://broker:88830".parse::<BrokerUri>(), Err(UriError::PortOutOfRange));
/// # Ok::<(), UriError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BrokerUri {
    /// The scheme.
    pub scheme: Scheme,
    /// The host.
    pub host: Host,
    /// The port, 1 to 65535.
    pub port: u16,
}

impl fmt::Display for BrokerUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.scheme, self.host, self.port)
    }
}

/// Why a URI is invalid; each variant names the part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UriError {
    /// `scheme://` is missing.
    SchemeMissing,
    /// A scheme other than `mqtt` and `mqtts`.
    SchemeUnknown,
    /// `user:password@` before the host.
    UserInfo,
    /// There is nothing between `://` and the port or the end.
    HostEmpty,
    /// Only digits and dots (or a numeric last label), yet not an IPv4 address.
    HostIpv4,
    /// `[` is not followed by `]`.
    BracketUnclosed,
    /// `]` is followed by something other than `:port`.
    BracketTrailing,
    /// The text in brackets is not an IPv6 address.
    HostIpv6,
    /// An IPv6 address with a zone, `%eth0`.
    HostZone,
    /// An IPv6 address without brackets.
    HostUnbracketed,
    /// The name is longer than [`MAX_NAME`] characters.
    NameTooLong,
    /// Two dots in a row, or a dot at the start.
    LabelEmpty,
    /// A label of the name is longer than [`MAX_LABEL`] characters.
    LabelTooLong,
    /// A label begins or ends with `-`.
    LabelHyphen,
    /// The name contains a character that is not allowed in a host name.
    LabelCharacter(char),
    /// `:` is not followed by a port.
    PortMissing,
    /// The port contains something other than digits.
    PortNotANumber,
    /// The port is greater than 65535.
    PortOutOfRange,
    /// The port is 0.
    PortZero,
    /// A `/path` after the host.
    Path,
    /// A `?query`.
    Query,
    /// A `#fragment`.
    Fragment,
}

impl fmt::Display for UriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            UriError::SchemeMissing => {
                "the scheme is missing: write mqtt://host for plain TCP or mqtts://host for TLS"
            }
            UriError::SchemeUnknown => {
                "the scheme is unknown: use mqtt:// for plain TCP or mqtts:// for TLS"
            }
            UriError::UserInfo => {
                "the URI contains credentials: set user name and password in the MQTT \
                 configuration instead"
            }
            UriError::HostEmpty => {
                "the host is empty: write a name, an IPv4 address or an [IPv6 address] after ://"
            }
            UriError::HostIpv4 => {
                "the host looks like an IPv4 address but is not one: write four numbers from 0 to 255 without leading zeros"
            }
            UriError::BracketUnclosed => "the host begins with [ but no ] closes it: write [IPv6 address]",
            UriError::BracketTrailing => "something other than a port follows the host's ]: write [IPv6 address]:port",
            UriError::HostIpv6 => "the host is not a valid IPv6 address: write for example [2001:db8::1]",
            UriError::HostZone => {
                "the host's IPv6 address has a zone (%): remove it, a broker needs an address \
                 that is not link-local"
            }
            UriError::HostUnbracketed => "the host looks like an IPv6 address without brackets: write [IPv6 address]:port",
            UriError::NameTooLong => "the host name is too long: at most 253 characters",
            UriError::LabelEmpty => "the host name has an empty label: remove the double or \
                leading dot",
            UriError::LabelTooLong => "a label of the host name is too long: at most 63 characters between two dots",
            UriError::LabelHyphen => "a label of the host name begins or ends with a hyphen: remove it",
            UriError::LabelCharacter(c) => {
                return match c {
                    c if c.is_control() => write!(
                        f,
                        "the host name contains the character {}: {ALLOWED}",
                        c.escape_default()
                    ),
                    c if c.is_ascii() => {
                        write!(f, "the host name contains the character '{c}': {ALLOWED}")
                    }
                    c => write!(
                        f,
                        "the host name contains the character '{c}': write its ASCII form \
                         (xn--...), which `thread-mqtt resolve` shows on a laptop"
                    ),
                };
            }
            UriError::PortMissing => "the port is missing after ':': write a number from 1 to 65535 or remove the ':'",
            UriError::PortNotANumber => "the port is not a number: write a number from 1 to 65535",
            UriError::PortOutOfRange => "the port is out of range: it is at most 65535",
            UriError::PortZero => "the port is 0, which is reserved: write a number from 1 to 65535",
            UriError::Path => "a path follows the host: a broker URI ends after the port",
            UriError::Query => "a query (?) follows the host: a broker URI ends after the port",
            UriError::Fragment => "a fragment (#) follows the host: a broker URI ends after the port",
        })
    }
}

/// Returns a URI, or a list of them, in a form fit for display: without user name and password.
/// These may contain any character, even one that separates URIs, so they extend to the last `@`.
///
/// ```
/// # use thread_mqtt_resolve::uri::without_credentials;
/// assert_eq!(without_credentials("mqtts://user:a,b@broker"), "mqtts://...@broker");
/// ```
pub fn without_credentials(uri: &str) -> String {
    let Some(end) = uri.rfind('@') else {
        return uri.into();
    };
    let is_scheme = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let scheme = match uri[..end].split_once("://") {
        Some((scheme, _)) if is_scheme(scheme) => &uri[..scheme.len() + 3],
        _ => "",
    };
    [scheme, "...", &uri[end..]].concat()
}

/// What a host name may contain.
const ALLOWED: &str = "use letters, digits, '-', '_' and '.'";

impl core::error::Error for UriError {}

impl FromStr for BrokerUri {
    type Err = UriError;

    fn from_str(uri: &str) -> Result<Self, UriError> {
        Self::parse(uri, None)
    }
}

impl BrokerUri {
    /// Parses like [`FromStr`], with this port if the URI names none; `None` uses the scheme's
    /// default.
    pub fn parse(uri: &str, default_port: Option<NonZeroU16>) -> Result<Self, UriError> {
        let mut windows = uri.as_bytes().windows(3);
        let end = windows.position(|window| window == b"://");
        let end = end.ok_or(UriError::SchemeMissing)?;
        let (scheme, rest) = (&uri[..end], &uri[end + 3..]);
        let scheme = [Scheme::Mqtt, Scheme::Mqtts]
            .into_iter()
            .find(|known| scheme.eq_ignore_ascii_case(known.as_str()))
            .ok_or(if scheme.is_empty() {
                UriError::SchemeMissing
            } else {
                UriError::SchemeUnknown
            })?;
        let authority = authority(rest)?;
        let (host, port) = match authority.strip_prefix('[') {
            Some(bracketed) => {
                let (address, rest) = bracketed.split_once(']').ok_or(UriError::BracketUnclosed)?;
                let port = match rest.strip_prefix(':') {
                    Some(port) => Some(port),
                    None if rest.is_empty() => None,
                    None => return Err(UriError::BracketTrailing),
                };
                (parse_ipv6(address)?, port)
            }
            None => {
                if looks_like_ipv6(authority) {
                    return Err(UriError::HostUnbracketed);
                }
                let (host, port) = match authority.split_once(':') {
                    Some((host, port)) => (host, Some(port)),
                    None => (authority, None),
                };
                (parse_name_or_ipv4(host)?, port)
            }
        };
        let port = match port {
            Some(digits) => parse_port(digits)?,
            None => default_port.map_or(scheme.default_port(), NonZeroU16::get),
        };
        Ok(BrokerUri { scheme, host, port })
    }
}

impl FromStr for Host {
    type Err = UriError;

    fn from_str(host: &str) -> Result<Self, UriError> {
        if let Some(bracketed) = host.strip_prefix('[') {
            let address = bracketed
                .strip_suffix(']')
                .ok_or(UriError::BracketUnclosed)?;
            return parse_ipv6(address);
        }
        if looks_like_ipv6(host) {
            return parse_ipv6(host);
        }
        parse_name_or_ipv4(host)
    }
}

/// Rejects anything before the host or after the port.
fn authority(rest: &str) -> Result<&str, UriError> {
    // First, because a password may contain a slash and must not be shown as a path.
    if rest.contains('@') {
        return Err(UriError::UserInfo);
    }
    let end = rest
        .bytes()
        .position(|byte| matches!(byte, b'/' | b'?' | b'#'))
        .unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    match tail.as_bytes() {
        [] | b"/" => {}
        [b'?', ..] => return Err(UriError::Query),
        [b'#', ..] => return Err(UriError::Fragment),
        _ => return Err(UriError::Path),
    }
    if authority.is_empty() {
        return Err(UriError::HostEmpty);
    }
    Ok(authority)
}

/// Returns whether the host has two colons, so that it cannot be host and port: `::1`,
/// `fe80::1%eth0`.
fn looks_like_ipv6(host: &str) -> bool {
    let mut colons = 0;
    for byte in host.bytes() {
        match byte {
            b'%' => break,
            b':' => colons += 1,
            b'.' => {}
            _ if byte.is_ascii_hexdigit() => {}
            _ => return false,
        }
    }
    colons >= 2
}

/// Treats an IPv4-mapped address (RFC 4291 section 2.5.5.2) as IPv4: no IPv6 network carries it.
fn parse_ipv6(address: &str) -> Result<Host, UriError> {
    if address.is_empty() {
        return Err(UriError::HostEmpty);
    }
    if address.contains('%') {
        return Err(UriError::HostZone);
    }
    let address: Ipv6Addr = address.parse().map_err(|_| UriError::HostIpv6)?;
    Ok(IpAddr::V6(address).into())
}

fn parse_name_or_ipv4(host: &str) -> Result<Host, UriError> {
    if host.is_empty() {
        return Err(UriError::HostEmpty);
    }
    if let Ok(address) = host.parse() {
        return Ok(Host::Ipv4(address));
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    check_name(name)?;
    // No top-level domain is a number, so this was meant as an address (RFC 3696 section 2).
    let mut last_label = name.bytes().rev().take_while(|byte| *byte != b'.');
    if last_label.all(|byte| byte.is_ascii_digit()) {
        return Err(UriError::HostIpv4);
    }
    Ok(Host::Name(host.to_ascii_lowercase()))
}

fn check_name(name: &str) -> Result<(), UriError> {
    for label in name.split('.') {
        if label.is_empty() {
            return Err(UriError::LabelEmpty);
        }
        let foreign = |c: &char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
        if let Some(c) = label.chars().find(foreign) {
            return Err(UriError::LabelCharacter(c));
        }
        if label.len() > MAX_LABEL {
            return Err(UriError::LabelTooLong);
        }
        if matches!(label.as_bytes(), [b'-', ..] | [.., b'-']) {
            return Err(UriError::LabelHyphen);
        }
    }
    if name.len() > MAX_NAME {
        return Err(UriError::NameTooLong);
    }
    Ok(())
}

/// Parses a port as written in a URI, 1 to 65535.
pub fn parse_port(digits: &str) -> Result<u16, UriError> {
    if digits.is_empty() {
        return Err(UriError::PortMissing);
    }
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(UriError::PortNotANumber);
    }
    let port = digits.bytes().fold(0, |port, digit| {
        (10 * port + u32::from(digit - b'0')).min(1 << 16)
    });
    match u16::try_from(port) {
        Ok(0) => Err(UriError::PortZero),
        Ok(port) => Ok(port),
        Err(_) => Err(UriError::PortOutOfRange),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString;
    use proptest::prelude::*;

    fn parse(uri: &str) -> Result<BrokerUri, UriError> {
        uri.parse()
    }

    fn name(text: &str) -> Host {
        Host::Name(text.into())
    }

    #[test]
    fn credentials_are_not_shown() {
        for (uri, shown) in [
            ("mqtts://user:secret@b.example:1", "mqtts://...@b.example:1"),
            ("mqtts://user:s@c/r?e#t@b.example", "mqtts://...@b.example"),
            ("user:secret@b.example", "...@b.example"),
            ("user:se://cret@b.example", "...@b.example"),
            ("mqtt://a,mqtt://user:s,e c|r*t@b", "mqtt://...@b"),
            ("mqtt://u:p@a,mqtt://u:p@b", "mqtt://...@b"),
            ("mqtts:/user:secret@b.example", "...@b.example"),
            ("mqtts://b.example", "mqtts://b.example"),
            ("b.example", "b.example"),
        ] {
            assert_eq!(without_credentials(uri), shown);
        }
    }

    #[test]
    fn a_default_port_stands_in_for_the_schemes() {
        let port = |uri| BrokerUri::parse(uri, NonZeroU16::new(443)).map(|uri| uri.port);
        assert_eq!(port("mqtts://broker"), Ok(443));
        assert_eq!(port("mqtt://[::1]/"), Ok(443));
        assert_eq!(port("mqtt://broker:1884"), Ok(1884));
        assert_eq!(port("mqtt://broker:0"), Err(UriError::PortZero));
        assert_eq!(
            BrokerUri::parse("mqtt://broker", None).map(|uri| uri.port),
            Ok(1883)
        );
    }

    #[test]
    fn names_literals_and_default_ports() {
        let good: &[(&str, Scheme, Host, u16)] = &[
            ("mqtt://broker", Scheme::Mqtt, name("broker"), 1883),
            ("mqtts://broker", Scheme::Mqtts, name("broker"), 8883),
            (
                "MQTTS://Broker.Example.:443/",
                Scheme::Mqtts,
                name("broker.example."),
                443,
            ),
            (
                "mqtt://a-b_c.x1:65535",
                Scheme::Mqtt,
                name("a-b_c.x1"),
                65535,
            ),
            (
                "mqtt://10.0.0.7",
                Scheme::Mqtt,
                Host::Ipv4(Ipv4Addr::new(10, 0, 0, 7)),
                1883,
            ),
            (
                "mqtts://10.0.0.7:1",
                Scheme::Mqtts,
                Host::Ipv4(Ipv4Addr::new(10, 0, 0, 7)),
                1,
            ),
            (
                "mqtt://[::1]",
                Scheme::Mqtt,
                Host::Ipv6(Ipv6Addr::LOCALHOST),
                1883,
            ),
            (
                "mqtts://[2001:DB8::1]:9",
                Scheme::Mqtts,
                Host::Ipv6("2001:db8::1".parse().unwrap()),
                9,
            ),
            (
                "mqtt://[64:ff9b::1.2.3.4]",
                Scheme::Mqtt,
                Host::Ipv6("64:ff9b::102:304".parse().unwrap()),
                1883,
            ),
            (
                "mqtt://1and1.example",
                Scheme::Mqtt,
                name("1and1.example"),
                1883,
            ),
        ];
        for (text, scheme, host, port) in good {
            let expected = BrokerUri {
                scheme: *scheme,
                host: host.clone(),
                port: *port,
            };
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn every_error_names_its_part() {
        use UriError::*;
        let label64 = "a".repeat(64);
        let long_label = format!("mqtt://{label64}.example");
        let long_name = format!(
            "mqtt://{}",
            ["a".repeat(50).as_str(); 5].join(".") + ".exam"
        );
        let bad: &[(&str, UriError)] = &[
            ("", SchemeMissing),
            ("broker:8883", SchemeMissing),
            ("mqtt:/broker", SchemeMissing),
            ("://broker", SchemeMissing),
            ("http://broker", SchemeUnknown),
            (" mqtt://broker", SchemeUnknown),
            ("mqtt://user:secret@broker", UserInfo),
            ("mqtt://", HostEmpty),
            ("mqtt:///", HostEmpty),
            ("mqtt://:1883", HostEmpty),
            ("mqtt://[]", HostEmpty),
            ("mqtt://10.0.0.256", HostIpv4),
            ("mqtt://10.0.0", HostIpv4),
            ("mqtt://010.0.0.1", HostIpv4),
            ("mqtt://1.2.3.4.5", HostIpv4),
            ("mqtt://[::1", BracketUnclosed),
            ("mqtt://[::1]x", BracketTrailing),
            ("mqtt://[::1]1883", BracketTrailing),
            ("mqtt://[broker]", HostIpv6),
            ("mqtt://[1.2.3.4]", HostIpv6),
            ("mqtt://[fe80::1%eth0]", HostZone),
            ("mqtt://::1", HostUnbracketed),
            ("mqtt://2001:db8::1:1883", HostUnbracketed),
            ("mqtt://fe80::1%eth0", HostUnbracketed),
            (&long_name, NameTooLong),
            ("mqtt://a..b", LabelEmpty),
            ("mqtt://.a", LabelEmpty),
            ("mqtt://.", LabelEmpty),
            ("mqtt://a..", LabelEmpty),
            (&long_label, LabelTooLong),
            ("mqtt://-a.example", LabelHyphen),
            ("mqtt://a-.example", LabelHyphen),
            ("mqtt://my broker", LabelCharacter(' ')),
            ("mqtt://bröker.example", LabelCharacter('ö')),
            ("mqtt://broker%2e", LabelCharacter('%')),
            ("mqtt://broker:", PortMissing),
            ("mqtt://[::1]:", PortMissing),
            ("mqtt://broker:mqtt", PortNotANumber),
            ("mqtt://broker:-1", PortNotANumber),
            ("mqtt://broker:+1", PortNotANumber),
            ("mqtt://broker:18 83", PortNotANumber),
            ("mqtt://broker:1883:1", PortNotANumber),
            ("mqtt://broker:65536", PortOutOfRange),
            ("mqtt://broker:99999999999999999999", PortOutOfRange),
            ("mqtt://broker:0", PortZero),
            ("mqtt://broker/topic", Path),
            ("mqtt://broker:1883//", Path),
            ("mqtt://broker?x=1", Query),
            ("mqtt://broker#x", Fragment),
        ];
        for (text, error) in bad {
            assert_eq!(parse(text), Err(*error), "{text}");
            let sentence = error.to_string();
            assert!(sentence.contains(':') && sentence.len() > 30, "{sentence}");
        }
    }

    #[test]
    fn lengths_at_the_limit_pass() {
        let label = "a".repeat(MAX_LABEL);
        assert!(parse(&format!("mqtt://{label}")).is_ok());
        let longest = [label.as_str(); 3].join(".") + "." + &"b".repeat(MAX_NAME - 3 * 64);
        assert_eq!(longest.len(), MAX_NAME);
        assert_eq!(
            parse(&format!("mqtt://{longest}.")).unwrap().host,
            name(&format!("{longest}."))
        );
        assert_eq!(
            parse(&format!("mqtt://{longest}b")),
            Err(UriError::NameTooLong)
        );
    }

    #[test]
    fn a_host_alone_takes_ipv6_with_and_without_brackets() {
        assert_eq!("::1".parse(), Ok(Host::Ipv6(Ipv6Addr::LOCALHOST)));
        assert_eq!("[::1]".parse(), Ok(Host::Ipv6(Ipv6Addr::LOCALHOST)));
        assert_eq!("fe80::1%1".parse::<Host>(), Err(UriError::HostZone));
        assert_eq!("[::1".parse::<Host>(), Err(UriError::BracketUnclosed));
        assert_eq!(
            "broker:1883".parse::<Host>(),
            Err(UriError::LabelCharacter(':'))
        );
        assert_eq!("".parse::<Host>(), Err(UriError::HostEmpty));
    }

    proptest! {
        #[test]
        fn any_text_is_refused_or_survives_a_round_trip(text in "(mqtts?://)?[\\[\\]a-zA-Z0-9:./@%#?_ö-]{0,40}") {
            if let Ok(uri) = parse(&text) {
                prop_assert!(uri.port > 0);
                prop_assert_eq!(parse(&uri.to_string()), Ok(uri));
            }
        }

        #[test]
        fn every_literal_survives(v4: u32, v6: u128, port in 1u16..) {
            for host in [Host::Ipv4(v4.into()), Host::Ipv6(v6.into())] {
                let uri = BrokerUri { scheme: Scheme::Mqtts, host, port };
                prop_assert_eq!(parse(&uri.to_string()), Ok(uri));
            }
        }
    }
}
