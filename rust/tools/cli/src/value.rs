//! Option values that are more than a number or a name.
use crate::args::KeepAlive;
use crate::format::{FORMATS, unknown_in};
use crate::property;
use std::net::SocketAddr;
use std::time::Duration;
use thread_mqtt_host::with_zone;
use thread_mqtt_session::QoS;

pub(crate) fn format(text: &str) -> Result<String, String> {
    match unknown_in(text) {
        None => Ok(text.to_owned()),
        Some(unknown) => Err(format!(
            "unknown format {unknown}; use one of {}, or %% for a percent sign",
            FORMATS.map(|known| format!("%{known}")).join(" ")
        )),
    }
}

pub(crate) fn qos(text: &str) -> Result<QoS, &'static str> {
    match text {
        "0" => Ok(QoS::AtMostOnce),
        "1" => Ok(QoS::AtLeastOnce),
        "2" => Ok(QoS::ExactlyOnce),
        _ => Err("write a quality of service from 0 to 2, for example 1"),
    }
}

pub(crate) fn keep_alive(text: &str) -> Result<KeepAlive, &'static str> {
    match text {
        "auto" => Ok(KeepAlive::Auto),
        seconds => match seconds.parse() {
            Ok(seconds) => Ok(KeepAlive::Seconds(seconds)),
            Err(_) => Err("write a number of seconds from 0 to 65535, for example 60, or auto"),
        },
    }
}

/// Parses NAME=VALUE, or the form that `-D` is rewritten to.
pub(crate) fn pair(text: &str) -> Result<(String, String), &'static str> {
    match text
        .split_once(property::BETWEEN)
        .or_else(|| text.split_once('='))
    {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err("a property must have the form NAME=VALUE"),
    }
}

pub(crate) fn seconds(text: &str) -> Result<Duration, &'static str> {
    text.parse()
        .ok()
        .and_then(|seconds: f64| Duration::try_from_secs_f64(seconds).ok())
        .filter(|seconds| *seconds <= Duration::from_secs(30 * 86_400))
        .filter(|seconds| !seconds.is_zero())
        .ok_or(
            "write a number of seconds above 0 and up to 2592000 (30 days), for example 5 or 0.5",
        )
}

pub(crate) fn server(text: &str) -> Result<SocketAddr, &'static str> {
    let bare = || {
        text.parse()
            .ok()
            .map(|address| SocketAddr::new(address, 53))
    };
    // The standard library knows only numbers as zones, and only in brackets.
    let zoned = || {
        let bracketed = text
            .strip_prefix('[')
            .and_then(|rest| rest.split_once("]:"));
        let (address, port) = match bracketed {
            Some((address, port)) => (address, port.parse().ok()?),
            None => (text, 53),
        };
        with_zone(address, port).map(SocketAddr::V6)
    };
    let server = text.parse().ok().or_else(bare).or_else(zoned);
    server.ok_or("not a DNS server address; write 192.0.2.1, 2001:db8::1 or [2001:db8::1]:53")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dns_servers() {
        for (text, address) in [
            ("192.0.2.1", "192.0.2.1:53"),
            ("192.0.2.1:5353", "192.0.2.1:5353"),
            ("2001:db8::1", "[2001:db8::1]:53"),
            ("[2001:db8::1]:5353", "[2001:db8::1]:5353"),
            ("fe80::1%7", "[fe80::1%7]:53"),
            ("[fe80::1%7]:5353", "[fe80::1%7]:5353"),
        ] {
            assert_eq!(server(text).unwrap().to_string(), address);
        }
        for wrong in ["dns.example", "fe80::1%none", "192.0.2.1%7", "dns%7"] {
            assert!(server(wrong).is_err(), "{wrong}");
        }
    }
}
