//! The Kconfig options `CONFIG_THREAD_MQTT_*`.
use crate::ffi;
use alloc::string::String;
use alloc::vec;
use core::ffi::{CStr, c_char};
use core::fmt;
use core::net::{IpAddr, SocketAddrV6};
use thread_mqtt_client::BrokerListError;
use thread_mqtt_resolve::resolver::{AddressSource, Config};
use thread_mqtt_resolve::uri::UriError;

/// A Kconfig option that cannot be parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum OptionError {
    /// `CONFIG_THREAD_MQTT_DNS_SERVERS` contains something that is not an address.
    DnsServer(String),
    /// `CONFIG_THREAD_MQTT_NAT64_PREFIX` is not a prefix that RFC 6052 allows.
    Nat64Prefix(String),
    /// `CONFIG_THREAD_MQTT_BROKER` is not a broker URI or a list of them.
    Broker(BrokerListError),
    /// A TLS text cannot be parsed: the option, or the field of the same name in lower case, and
    /// why.
    Tls(&'static str, String),
    /// A protocol name in `CONFIG_THREAD_MQTT_TLS_ALPN` has this many bytes.
    AlpnName(usize),
    /// A TLS version was requested that does not exist.
    TlsVersions,
    /// It requires another option, `CONFIG_THREAD_MQTT_` plus this name.
    NotBuilt(&'static str),
    /// `CONFIG_THREAD_MQTT_TIME_SERVERS` contains something that is not a server.
    TimeServers(UriError),
}

impl fmt::Display for OptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DnsServer(text) => write!(
                f,
                "{text:?} in CONFIG_THREAD_MQTT_DNS_SERVERS is not an IPv4 or IPv6 address; \
                 separate addresses with spaces"
            ),
            Self::Nat64Prefix(text) => write!(
                f,
                "{text:?} in CONFIG_THREAD_MQTT_NAT64_PREFIX is not a NAT64 prefix; use one of \
                 32, 40, 48, 56, 64 or 96 bits, such as 64:ff9b::/96"
            ),
            Self::Broker(error) => write!(f, "CONFIG_THREAD_MQTT_BROKER: {error}"),
            Self::Tls(option, why) => write!(f, "{option}: {why}"),
            Self::AlpnName(length) => write!(
                f,
                "TLS_ALPN: a name of {length} bytes; at most 255 are allowed"
            ),
            Self::TlsVersions => {
                f.write_str("TLS_VERSIONS: only bit 0 (TLS 1.2) and bit 1 (1.3) are valid")
            }
            Self::NotBuilt(option) => write!(
                f,
                "this image lacks the feature; set CONFIG_THREAD_MQTT_{option}=y"
            ),
            Self::TimeServers(error) => write!(f, "CONFIG_THREAD_MQTT_TIME_SERVERS: {error}"),
        }
    }
}

impl core::error::Error for OptionError {}

/// Returns the options from the C layer.
pub fn options() -> &'static ffi::tmq_options {
    // SAFETY: no precondition; the result is a constant.
    unsafe { &*ffi::tmq_port_options() }
}

/// # Safety
/// `text` is a string constant.
pub(crate) unsafe fn constant(text: *const c_char) -> &'static str {
    // SAFETY: promised by the caller.
    unsafe { CStr::from_ptr(text) }.to_str().unwrap_or_default()
}

/// Configures how names are resolved (by the platform and the border router, then by the servers of
/// `CONFIG_THREAD_MQTT_DNS_SERVERS`), and where the NAT64 prefix comes from.
pub fn resolver_config() -> Result<Config, OptionError> {
    let mut config = Config::default();
    set_resolver(&mut config)?;
    Ok(config)
}

#[inline(never)]
pub(crate) fn set_resolver(config: &mut Config) -> Result<(), OptionError> {
    const DNS: u16 = 53;
    let options = options();
    // SAFETY: Kconfig's strings are constants, both.
    let (servers, prefix) = unsafe {
        (
            constant(options.dns_servers),
            constant(options.nat64_prefix),
        )
    };
    config.chain = vec![AddressSource::Platform, AddressSource::BorderRouter];
    config.discover_prefix = options.discover_prefix != 0;
    config.allow_well_known_prefix = options.well_known_prefix != 0;
    for server in servers.split([' ', ',']) {
        let address = server.parse().map(|address: IpAddr| address.to_canonical());
        config.chain.push(match address {
            Ok(IpAddr::V4(ipv4)) => AddressSource::Public(ipv4),
            Ok(IpAddr::V6(ipv6)) => AddressSource::Server(SocketAddrV6::new(ipv6, DNS, 0, 0)),
            Err(_) if server.is_empty() => continue,
            Err(_) => return Err(OptionError::DnsServer(server.into())),
        });
    }
    if !prefix.is_empty() {
        match prefix.parse() {
            Ok(parsed) => config.configured_prefix = Some(parsed),
            Err(_) => return Err(OptionError::Nat64Prefix(prefix.into())),
        }
    }
    Ok(())
}

/// Returns a client identifier derived from the hardware: `thread-mqtt-` and the EUI-64 of the
/// radio, or the chip's device ID. Empty if there is neither.
pub fn hardware_client_id() -> String {
    let mut id = [0; ffi::TMQ_HARDWARE_ID as usize];
    // SAFETY: there is room for TMQ_HARDWARE_ID bytes.
    let length = usize::from(unsafe { ffi::tmq_port_hardware_id(id.as_mut_ptr()) });
    if length == 0 {
        return String::new();
    }
    let mut text = String::from("thread-mqtt-");
    for byte in id.iter().take(length) {
        // Avoids core's formatting, which a small image needs nowhere else.
        for digit in [byte >> 4, byte & 0xf] {
            text.extend(char::from_digit(digit.into(), 16));
        }
    }
    text
}
