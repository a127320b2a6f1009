//! The system's DNS servers, from `resolv.conf(5)`.
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6, ToSocketAddrs};

/// Returns the servers of the `nameserver` lines.
pub(crate) fn servers(text: &str) -> Vec<SocketAddrV6> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let address = (words.next()? == "nameserver").then(|| words.next())??;
            let address = match address.parse() {
                Ok(IpAddr::V4(ipv4)) => ipv4.to_ipv6_mapped(),
                Ok(IpAddr::V6(ipv6)) => ipv6,
                Err(_) => return with_zone(address, 53),
            };
            Some(SocketAddrV6::new(address, 53, 0, 0))
        })
        .collect()
}

/// Parses an IPv6 address with a zone, such as `fe80::1%eth0` or `fe80::1%2`. Returns `None` for
/// anything else, and if this host has no such interface.
pub fn with_zone(text: &str, port: u16) -> Option<SocketAddrV6> {
    let (address, _) = text.split_once('%')?;
    address.parse::<Ipv6Addr>().ok()?;
    // getaddrinfo() knows the interfaces, and sends no query for an address.
    let mut addresses = (text, port).to_socket_addrs().ok()?;
    addresses.find_map(|address| match address {
        SocketAddr::V6(ipv6) => Some(ipv6),
        SocketAddr::V4(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_systems_write() {
        let text = "# made by a tool\nsearch example.com\nnameserver 192.0.2.53\n\
                    nameserver\t2001:db8::53 \nnameserver fe80::1%7\nnameserver\n\
                    nameserver fe80::1%none\nnameserver dns%7\n\
                    options edns0 trust-ad\n;nameserver 192.0.2.54\n";
        assert_eq!(
            servers(text),
            [
                "[::ffff:192.0.2.53]:53".parse().unwrap(),
                "[2001:db8::53]:53".parse().unwrap(),
                "[fe80::1%7]:53".parse().unwrap()
            ]
        );
    }
}
