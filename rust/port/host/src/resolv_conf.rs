//! The system's DNS servers, from `resolv.conf(5)`.
use std::net::{IpAddr, SocketAddrV6};

/// Returns the servers of the `nameserver` lines. Skips link-local servers with a zone, because the
/// zone is an interface name of this host.
pub(crate) fn servers(text: &str) -> Vec<SocketAddrV6> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let address: IpAddr = (words.next()? == "nameserver")
                .then(|| words.next())??
                .parse()
                .ok()?;
            let address = match address {
                IpAddr::V4(ipv4) => ipv4.to_ipv6_mapped(),
                IpAddr::V6(ipv6) => ipv6,
            };
            Some(SocketAddrV6::new(address, 53, 0, 0))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_systems_write() {
        let text = "# made by a tool\nsearch example.com\nnameserver 192.0.2.53\n\
                    nameserver\t2001:db8::53 \nnameserver fe80::1%eth0\nnameserver\n\
                    options edns0 trust-ad\n;nameserver 192.0.2.54\n";
        assert_eq!(
            servers(text),
            [
                "[::ffff:192.0.2.53]:53".parse().unwrap(),
                "[2001:db8::53]:53".parse().unwrap()
            ]
        );
    }
}
