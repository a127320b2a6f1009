//! The port over real sockets, on loopback.
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, TcpListener, UdpSocket};
use std::process;
use std::time::Duration;
use thread_mqtt_client::TcpError;
use thread_mqtt_driver::{Interest, Port, Received, TcpState};
use thread_mqtt_host::{HostPort, Options};
use thread_mqtt_resolve::resolver::{Family, UdpError};
use thread_mqtt_test_support::closed::ClosedPort;

const BOTH: Interest = Interest {
    receive: true,
    send: true,
};

/// Timeout for events that never come.
const PATIENCE: Duration = Duration::from_secs(30);

fn port() -> HostPort {
    HostPort::new(Options {
        dns_servers: Some(Vec::new()),
        ..Options::default()
    })
    .unwrap()
}

fn mapped(address: SocketAddr) -> SocketAddrV6 {
    let SocketAddr::V4(ipv4) = address else {
        panic!("the test listens on IPv4");
    };
    SocketAddrV6::new(ipv4.ip().to_ipv6_mapped(), ipv4.port(), 0, 0)
}

/// Waits until `found` returns a value.
fn until<T>(port: &mut HostPort, mut found: impl FnMut(&mut HostPort) -> Option<T>) -> T {
    let end = port.now() + PATIENCE;
    loop {
        if let Some(found) = found(port) {
            return found;
        }
        assert!(port.now() < end, "it did not come");
        port.wait(Some(end), BOTH);
    }
}

fn connected(port: &mut HostPort, listener: &TcpListener) -> std::net::TcpStream {
    let to = mapped(listener.local_addr().unwrap());
    port.tcp_connect(to).unwrap();
    until(port, |port| {
        let state = port.tcp_state();
        assert!(!matches!(state, TcpState::Failed(_)), "{state:?}");
        (state == TcpState::Connected).then_some(())
    });
    listener.accept().unwrap().0
}

fn receive(port: &mut HostPort) -> Result<Received, TcpError> {
    let mut buffer = [0; 64];
    until(port, |port| match port.tcp_receive(&mut buffer) {
        Ok(Received::WouldBlock) => None,
        other => Some(other),
    })
}

#[test]
fn tcp_there_and_back_and_fin() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut port = port();
    assert_eq!(port.tcp_state(), TcpState::Closed);
    let mut peer = connected(&mut port, &listener);

    assert_eq!(port.tcp_send(b"hello"), Ok(5));
    let mut heard = [0; 5];
    peer.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"hello");

    peer.write_all(b"back").unwrap();
    assert_eq!(receive(&mut port), Ok(Received::Bytes(4)));

    peer.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(receive(&mut port), Ok(Received::EndOfStream));

    port.tcp_send(b"bye").unwrap();
    port.tcp_close(false);
    assert_eq!(port.tcp_state(), TcpState::Closed);
    let mut rest = Vec::new();
    peer.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"bye");
}

#[test]
fn bytes_left_unread_do_not_take_back_what_was_sent() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut port = port();
    let mut peer = connected(&mut port, &listener);
    peer.write_all(b"unread").unwrap();
    until(&mut port, |port| {
        // Once the first byte has arrived, all have.
        let mut one = [0; 1];
        matches!(port.tcp_receive(&mut one), Ok(Received::Bytes(1))).then_some(())
    });
    port.tcp_send(b"last words").unwrap();
    port.tcp_close(false);
    let mut rest = Vec::new();
    peer.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"last words");
}

#[test]
fn an_abort_is_a_reset() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut port = port();
    let mut peer = connected(&mut port, &listener);
    port.tcp_close(true);
    let error = peer.read(&mut [0; 1]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn a_reset_by_the_peer() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut port = port();
    let peer = connected(&mut port, &listener);
    // Closing with unread bytes makes TCP send a reset.
    port.tcp_send(b"unread").unwrap();
    peer.peek(&mut [0; 1]).unwrap();
    drop(peer);
    assert_eq!(receive(&mut port), Err(TcpError::Reset));
}

#[test]
fn back_pressure_and_its_end() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut port = port();
    let mut peer = connected(&mut port, &listener);
    let data = vec![7; 1 << 20];
    let mut sent = 0;
    loop {
        match port.tcp_send(&data).unwrap() {
            0 => break,
            n => sent += n,
        }
    }
    let mut heard = vec![0; sent];
    peer.read_exact(&mut heard).unwrap();
    let more = until(&mut port, |port| {
        Some(port.tcp_send(b"more").unwrap()).filter(|n| *n > 0)
    });
    assert_eq!(more, 4);
}

#[test]
fn nobody_listens() {
    let closed = ClosedPort::any().unwrap();
    let to = mapped(closed.address());
    let mut port = port();
    let error = match port.tcp_connect(to) {
        Err(error) => error,
        Ok(()) => until(&mut port, |port| match port.tcp_state() {
            TcpState::Failed(error) => Some(error),
            _ => None,
        }),
    };
    assert_eq!(error, TcpError::Refused);
    // The state stays until the next open or close.
    assert_eq!(port.tcp_state(), TcpState::Failed(TcpError::Refused));
    port.tcp_close(true);
    assert_eq!(port.tcp_state(), TcpState::Closed);
}

#[test]
fn datagrams() {
    let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let to = mapped(server.local_addr().unwrap());
    let mut port = port();
    // Below the kernel's ephemeral range (ip(7)): it stays free unless a program asks for it.
    let is_free = |port: &u16| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, *port)).is_ok();
    let first = 20_000 + (process::id() % 10_000) as u16;
    let from_port = (first..32_768).find(is_free).unwrap();

    for question in [b"one", b"two"] {
        port.udp_send(from_port, to, question).unwrap();
        let mut buffer = [0; 16];
        let (n, from) = server.recv_from(&mut buffer).unwrap();
        assert_eq!((&buffer[..n], from.port()), (&question[..], from_port));
        server.send_to(b"answer", from).unwrap();
        let mut buffer = [0; 4];
        let received = until(&mut port, |port| port.udp_receive(&mut buffer));
        assert_eq!(received, (to, from_port, 4), "cut to the buffer");
        assert_eq!(&buffer, b"answ");
    }
    assert_eq!(port.udp_receive(&mut [0; 4]), None);
    port.udp_close();
    // The port is free again.
    UdpSocket::bind((Ipv4Addr::UNSPECIFIED, from_port)).unwrap();
}

/// The resolver draws random ports, and another program may use one of them.
#[test]
fn a_local_port_that_is_taken() {
    let other = UdpSocket::bind("0.0.0.0:0").unwrap();
    let taken = other.local_addr().unwrap().port();
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = mapped(server.local_addr().unwrap());
    let mut port = port();
    port.udp_send(taken, to, b"who?").unwrap();
    let mut buffer = [0; 64];
    let (n, from) = server.recv_from(&mut buffer).unwrap();
    assert_ne!(from.port(), taken);
    server.send_to(&buffer[..n], from).unwrap();
    let received = until(&mut port, |port| port.udp_receive(&mut buffer));
    assert_eq!(received, (to, taken, 4));
}

/// A host without a DNS server reports it by ICMP. So does this host if it has no route.
#[test]
fn datagrams_that_do_not_arrive() {
    let mut port = port();
    let closed = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = mapped(closed.local_addr().unwrap());
    drop(closed);
    port.udp_send(40_123, to, b"who?").unwrap();
    let undelivered = until(&mut port, |port| {
        assert_eq!(port.udp_receive(&mut [0; 64]), None);
        port.udp_undelivered()
    });
    assert_eq!(undelivered, (to, UdpError::Refused));
    assert_eq!(port.udp_undelivered(), None, "told once");
    // A reserved IPv4 address (RFC 1122 section 3.2.1.3), to which no system has a route.
    let nowhere = "[::ffff:240.0.0.1]:53".parse().unwrap();
    if port.udp_send(40_124, nowhere, b"who?").is_err() {
        let unreachable = (nowhere, UdpError::Unreachable);
        assert_eq!(port.udp_undelivered(), Some(unreachable));
    }
}

#[test]
fn the_platforms_resolver() {
    let mut port = port();
    assert_eq!(port.poll_platform_lookup(), None);
    // Abandoned: its answer must not be taken for the next query's.
    port.platform_lookup("127.0.0.2", Family::Unspecified)
        .unwrap();
    for (name, family, expected) in [
        (
            "127.0.0.1",
            Family::Inet,
            vec!["127.0.0.1".parse().unwrap()],
        ),
        ("127.0.0.1", Family::Inet6, vec![]),
        ("::1", Family::Unspecified, vec![Ipv6Addr::LOCALHOST.into()]),
    ] {
        port.platform_lookup(name, family).unwrap();
        let answer = until(&mut port, HostPort::poll_platform_lookup);
        assert_eq!(answer, Ok(expected), "{name}");
    }
    assert_eq!(port.poll_platform_lookup(), None);
}

#[test]
fn a_waker_ends_the_wait() {
    let mut port = port();
    let waker = port.waker();
    let other = std::thread::spawn(move || waker.wake());
    port.wait(None, BOTH);
    other.join().unwrap();
    // A timer works as well.
    let due = port.now() + Duration::from_millis(5);
    while port.now() < due {
        port.wait(Some(due), BOTH);
    }
}

#[test]
fn the_network_it_tells_of() {
    let network = port().network();
    assert!(network.attached && network.native_ipv4);
    let mut only = HostPort::new(Options {
        ipv6_only: true,
        dns_servers: Some(vec!["[::1]:53".parse().unwrap()]),
    });
    let network = only.as_mut().unwrap().network();
    assert!(network.attached && !network.native_ipv4);
    assert_eq!(network.dns_servers.len(), 1);
}

#[test]
fn randomness_is_not_all_the_same() {
    let mut port = port();
    let mut one = [0; 32];
    let mut other = [0; 32];
    port.fill_random(&mut one).unwrap();
    port.fill_random(&mut other).unwrap();
    assert_ne!(one, other);
    assert!(port.unix_time().unwrap() > 1_700_000_000);
}
