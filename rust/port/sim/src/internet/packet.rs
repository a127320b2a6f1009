//! The IPv4 and UDP headers that the world parses and builds itself (RFC 791, RFC 768, RFC 9293).
use core::net::{Ipv4Addr, SocketAddrV4};

pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
const IP_HEADER: usize = 20;
const UDP_HEADER: usize = 8;

/// A parsed IPv4 packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packet<'a> {
    pub(crate) protocol: u8,
    pub(crate) from: SocketAddrV4,
    pub(crate) to: SocketAddrV4,
    /// TCP: SYN without ACK.
    pub(crate) opens: bool,
    /// UDP: the payload.
    pub(crate) payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Parses an unfragmented TCP or UDP packet; `None` for anything else. Does not check the
    /// checksums: smoltcp checks TCP's, and OpenThread has just computed UDP's.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let header = bytes.first_chunk::<IP_HEADER>()?;
        let length = usize::from(header[0] & 15) * 4;
        let total = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let fragment = u16::from_be_bytes([header[6], header[7]]) & 0x3fff;
        if header[0] >> 4 != 4 || length < IP_HEADER || fragment != 0 {
            return None;
        }
        let address =
            |at: usize| Ipv4Addr::new(header[at], header[at + 1], header[at + 2], header[at + 3]);
        let body = bytes.get(length..total)?;
        let port = |at: usize| Some(u16::from_be_bytes([*body.get(at)?, *body.get(at + 1)?]));
        let protocol = header[9];
        let (opens, payload) = match protocol {
            TCP => (body.get(13)? & 0x12 == 0x02, &[][..]),
            UDP => (false, body.get(UDP_HEADER..usize::from(port(4)?))?),
            _ => return None,
        };
        Some(Self {
            protocol,
            from: SocketAddrV4::new(address(12), port(0)?),
            to: SocketAddrV4::new(address(16), port(2)?),
            opens,
            payload,
        })
    }
}

/// Builds a UDP datagram in an IPv4 packet. Returns `None` if it is too long for the length fields.
pub(crate) fn udp(from: SocketAddrV4, to: SocketAddrV4, payload: &[u8]) -> Option<Vec<u8>> {
    let udp_length = u16::try_from(UDP_HEADER + payload.len()).ok()?;
    let total = udp_length.checked_add(IP_HEADER as u16)?;
    let mut packet = Vec::with_capacity(usize::from(total));
    // Version and header length, type of service, length, identification, don't fragment.
    packet.extend([0x45, 0]);
    packet.extend(total.to_be_bytes());
    packet.extend([0, 0, 0x40, 0, 64, UDP, 0, 0]);
    packet.extend(from.ip().octets());
    packet.extend(to.ip().octets());
    let checksum = fold(sum(0, &packet));
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());

    let mut datagram = Vec::with_capacity(usize::from(udp_length));
    datagram.extend(from.port().to_be_bytes());
    datagram.extend(to.port().to_be_bytes());
    datagram.extend(udp_length.to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend(payload);
    // The pseudo header: addresses, protocol, length.
    let pseudo = sum(u32::from(UDP) + u32::from(udp_length), &packet[12..20]);
    let checksum = match fold(sum(pseudo, &datagram)) {
        0 => 0xffff,
        checksum => checksum,
    };
    datagram[6..8].copy_from_slice(&checksum.to_be_bytes());
    packet.extend(datagram);
    Some(packet)
}

/// Adds 16-bit words to a ones' complement sum (RFC 1071).
fn sum(start: u32, bytes: &[u8]) -> u32 {
    bytes.chunks(2).fold(start, |sum, word| {
        let word = u16::from_be_bytes([word[0], word.get(1).copied().unwrap_or(0)]);
        sum + u32::from(word)
    })
}

fn fold(mut sum: u32) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 168, 255, 1), 49_152);
    const B: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(8, 8, 8, 8), 53);

    #[test]
    fn a_datagram_survives_the_round_trip() {
        let packet = udp(A, B, b"question").unwrap();
        let parsed = Packet::parse(&packet).unwrap();
        assert_eq!((parsed.protocol, parsed.from, parsed.to), (UDP, A, B));
        assert_eq!(parsed.payload, b"question");
        assert!(!parsed.opens);
    }

    #[test]
    fn checksums_are_what_an_independent_stack_computes() {
        use smoltcp::phy::ChecksumCapabilities;
        use smoltcp::wire::{Ipv4Packet, Ipv4Repr, UdpPacket};
        for payload in [&b""[..], b"odd", b"even", &[0xff; 1200]] {
            let bytes = udp(A, B, payload).unwrap();
            let ip = Ipv4Packet::new_checked(&bytes).unwrap();
            assert!(ip.verify_checksum());
            Ipv4Repr::parse(&ip, &ChecksumCapabilities::default()).unwrap();
            let datagram = UdpPacket::new_checked(ip.payload()).unwrap();
            assert!(datagram.verify_checksum(&ip.src_addr().into(), &ip.dst_addr().into()));
        }
    }

    #[test]
    fn cut_and_fragmented_packets_are_not_read() {
        let packet = udp(A, B, b"question").unwrap();
        for length in 0..packet.len() {
            assert_eq!(Packet::parse(&packet[..length]), None, "{length} bytes");
        }
        let mut fragment = packet.clone();
        fragment[6] = 0x20;
        assert_eq!(Packet::parse(&fragment), None);
        assert_eq!(udp(A, B, &vec![0; 65_536]), None);
    }
}
