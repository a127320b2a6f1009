//! The device talks to real sockets on the host's loopback interface.
mod common;

use common::{SERVER, connect, exchange, pattern, ready, receive_all};
use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread::JoinHandle;
use thread_mqtt_client::TcpError;
use thread_mqtt_driver::{Port, TcpState};
use thread_mqtt_test_support::closed::ClosedPort;
use thread_sim::{HostAccess, SimPort, WorldConfig};

const MINUTE: Duration = Duration::from_secs(60);

/// Starts a server for one connection on a free loopback port.
fn host<R: Send + 'static>(
    serve: impl FnOnce(TcpStream) -> R + Send + 'static,
) -> (std::net::SocketAddr, JoinHandle<R>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || serve(listener.accept().unwrap().0));
    (address, thread)
}

/// Connects a device to that server through [`SERVER`]'s address.
fn connected<R: Send + 'static>(
    serve: impl FnOnce(TcpStream) -> R + Send + 'static,
) -> (SimPort, JoinHandle<R>) {
    let (address, thread) = host(serve);
    let world = ready(WorldConfig::default());
    world.map(SERVER, address);
    let mut port = world.port();
    assert_eq!(connect(&mut port, SERVER, MINUTE), TcpState::Connected);
    (port, thread)
}

#[test]
fn bytes_come_back_from_a_host_socket_in_real_time() {
    let wall = std::time::Instant::now();
    let (mut port, server) = connected(|mut stream| {
        let mut buffer = [0; 999];
        let mut total = 0;
        loop {
            let count = stream.read(&mut buffer).unwrap();
            if count == 0 {
                return total;
            }
            total += count;
            stream.write_all(&buffer[..count]).unwrap();
        }
    });
    let start = port.now();
    let data = pattern(8 * 1024);
    let answer = exchange(&mut port, &data, MINUTE);
    assert!(answer == data, "{} bytes", answer.len());
    // Virtual time did not run ahead of the wall clock while the socket was open.
    assert!(port.now() - start <= wall.elapsed());
    // Half close: the device's FIN reaches the server, and the server's FIN reaches the device.
    port.tcp_close(false);
    port.world().run_for(Duration::from_millis(500));
    assert_eq!(server.join().unwrap(), data.len());
    // Without the socket, virtual time runs freely again.
    port.world().run_for(60 * MINUTE);
}

#[test]
fn a_server_that_ends_first_is_read_to_its_end() {
    let (mut port, server) = connected(|mut stream| {
        stream.write_all(&pattern(3000)).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        rest
    });
    assert_eq!(receive_all(&mut port, MINUTE), Ok(pattern(3000)));
    assert_eq!(port.tcp_send(b"good bye"), Ok(8));
    port.tcp_close(false);
    port.world().run_for(Duration::from_secs(1));
    assert_eq!(server.join().unwrap(), b"good bye");
}

#[test]
fn resets_pass_the_bridge_both_ways() {
    // Reset only after the device has seen its connection: earlier, it would count as a refusal.
    let (reset, wait) = mpsc::channel();
    let (mut port, server) = connected(move |stream| {
        wait.recv().unwrap();
        socket2::SockRef::from(&stream)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
    });
    reset.send(()).unwrap();
    server.join().unwrap();
    assert_eq!(receive_all(&mut port, MINUTE), Err(TcpError::Reset));

    let (mut port, server) = connected(|mut stream| {
        let mut buffer = [0; 16];
        stream.read(&mut buffer).unwrap_err().kind()
    });
    port.tcp_close(true);
    port.world().run_for(Duration::from_secs(1));
    assert_eq!(server.join().unwrap(), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn a_closed_host_port_refuses() {
    let closed = ClosedPort::any().unwrap();
    let world = ready(WorldConfig::default());
    world.map(SERVER, closed.address());
    let state = connect(&mut world.port(), SERVER, MINUTE);
    assert_eq!(state, TcpState::Failed(TcpError::Refused));
}

#[test]
fn the_host_is_reached_only_as_far_as_allowed() {
    let state = |host_access| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let world = ready(WorldConfig {
            host_access,
            ..WorldConfig::default()
        });
        let local = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        connect(&mut world.port(), local, MINUTE)
    };
    let refused = TcpState::Failed(TcpError::Refused);
    assert_eq!(state(HostAccess::OnlyMapped), refused);
    assert_eq!(state(HostAccess::LoopbackOnly), TcpState::Connected);
    assert_eq!(state(HostAccess::Any), TcpState::Connected);
}
