//! Helpers shared by the tests.
#![allow(dead_code, reason = "each test file uses a part")]
use core::net::{Ipv4Addr, SocketAddrV4, SocketAddrV6};
use core::time::Duration;
use thread_mqtt_driver::{Interest, Port, Received, TcpState};
use thread_sim::{Echo, SimPort, VirtualStream, World, WorldConfig};

/// An address of TEST-NET-3 (RFC 5737) for the tests' servers.
pub(crate) const SERVER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(203, 0, 113, 10), 8883);

/// Virtual time that is always enough to attach.
pub(crate) const ATTACH: Duration = Duration::from_secs(120);

pub(crate) const READ: Interest = Interest {
    receive: true,
    send: false,
};
pub(crate) const WRITE: Interest = Interest {
    receive: true,
    send: true,
};

/// Returns a world whose device is ready.
pub(crate) fn ready(config: WorldConfig) -> World {
    let world = World::new(config).unwrap();
    assert!(
        world.run_until_ready(ATTACH),
        "not ready: {:?}",
        world.network()
    );
    world
}

/// Returns a ready world with an echo server at [`SERVER`].
pub(crate) fn with_echo(config: WorldConfig) -> World {
    let world = ready(config);
    world.serve(SERVER, |_, _| {
        Some(Box::new(Echo::default()) as Box<dyn VirtualStream>)
    });
    world
}

/// Returns the NAT64 address of an IPv4 server.
pub(crate) fn synthesised(port: &mut SimPort, server: SocketAddrV4) -> SocketAddrV6 {
    let prefix = port.network().prefixes[0].prefix;
    SocketAddrV6::new(prefix.embed(*server.ip()), server.port(), 0, 0)
}

/// Connects, and returns the final state of the attempt.
pub(crate) fn connect(port: &mut SimPort, server: SocketAddrV4, within: Duration) -> TcpState {
    let limit = port.now() + within;
    let to = synthesised(port, server);
    port.tcp_connect(to).unwrap();
    while port.tcp_state() == TcpState::Connecting && port.now() < limit {
        port.wait(Some(limit), READ);
    }
    port.tcp_state()
}

/// Sends all of `data` while receiving as many bytes, and returns those.
pub(crate) fn exchange(port: &mut SimPort, data: &[u8], within: Duration) -> Vec<u8> {
    let limit = port.now() + within;
    let (mut sent, mut received) = (0, Vec::new());
    let mut buffer = [0; 2048];
    while received.len() < data.len() && port.now() < limit {
        sent += port.tcp_send(&data[sent..]).unwrap();
        match port.tcp_receive(&mut buffer).unwrap() {
            Received::Bytes(count) => received.extend(&buffer[..count]),
            Received::WouldBlock => {
                port.wait(Some(limit), if sent < data.len() { WRITE } else { READ });
            }
            Received::EndOfStream => break,
        }
    }
    received
}

/// Receives until the end of the stream.
pub(crate) fn receive_all(
    port: &mut SimPort,
    within: Duration,
) -> Result<Vec<u8>, thread_mqtt_client::TcpError> {
    let limit = port.now() + within;
    let mut received = Vec::new();
    let mut buffer = [0; 2048];
    while port.now() < limit {
        match port.tcp_receive(&mut buffer)? {
            Received::Bytes(count) => received.extend(&buffer[..count]),
            Received::WouldBlock => port.wait(Some(limit), READ),
            Received::EndOfStream => break,
        }
    }
    Ok(received)
}

/// Returns bytes in a pattern that shows a shift.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    (0..length)
        .map(|index| (index * 31 + index / 251) as u8)
        .collect()
}
