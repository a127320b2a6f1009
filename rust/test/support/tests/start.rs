//! Against the Python interpreter, which every machine that runs the tests has.

use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use thread_mqtt_test_support::closed::patiently;
use thread_mqtt_test_support::server::{restart, start};

/// Listens on each given port after a while, and never answers.
const LISTEN: &str = "
import socket, sys, time
time.sleep(0.2)
servers = [socket.create_server(('127.0.0.1', int(port))) for port in sys.argv[1:]]
time.sleep(60)
";

fn python<const N: usize>(program: &str, ports: [u16; N]) -> io::Result<Child> {
    Command::new("python3")
        .args(["-c", program])
        .args(ports.map(|port| port.to_string()))
        .stderr(Stdio::null())
        .spawn()
}

fn end(mut server: Child) {
    server.kill().unwrap();
    server.wait().unwrap();
}

#[test]
fn a_server_listens_on_each_of_its_ports() {
    let (server, ports) = start(|ports: [u16; 3]| python(LISTEN, ports)).unwrap();
    assert!(ports[0] != ports[1] && ports[1] != ports[2] && ports[0] != ports[2]);
    for port in ports {
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    }
    end(server);
}

/// Another process listens on the port before the server does. The kernel's table alone, or a trial
/// connection, would take it for the server.
#[test]
fn a_port_lost_to_somebody_else_is_given_up() {
    let mut strangers = Vec::new();
    let (server, [port]) = start(|ports: [u16; 1]| {
        if strangers.len() < 3 {
            let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, ports[0]));
            strangers.push(patiently(bind)?);
        }
        python(LISTEN, ports)
    })
    .unwrap();
    assert_eq!(strangers.len(), 3);
    for stranger in strangers {
        assert_ne!(stranger.local_addr().unwrap().port(), port);
    }
    end(server);
}

#[test]
fn a_port_that_becomes_free_is_waited_for() {
    let stranger = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = stranger.local_addr().unwrap().port();
    let mut stranger = Some(stranger);
    let mut attempts = 0;
    let again = || {
        attempts += 1;
        if attempts == 3 {
            stranger = None;
        }
        python(LISTEN, [port])
    };
    let server = restart(again, [port]).unwrap();
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    end(server);
    assert!(attempts >= 3, "{attempts}");
}

#[test]
fn a_server_that_ends_is_tried_again_and_then_reported() {
    let attempts = Cell::new(0);
    let error = start(|ports: [u16; 2]| {
        attempts.set(attempts.get() + 1);
        python("raise SystemExit(1)", ports)
    })
    .unwrap_err();
    assert_eq!(attempts.get(), 20);
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
}

#[test]
fn a_server_that_cannot_be_started_is_reported_at_once() {
    let missing = |_: [u16; 1]| Command::new("/nonexistent/server").spawn();
    assert_eq!(start(missing).unwrap_err().kind(), ErrorKind::NotFound);
}
