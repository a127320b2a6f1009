//! Against the sockets of the standard library, which also set `SO_REUSEADDR`.

use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};

use thread_mqtt_test_support::closed::ClosedPort;

#[test]
fn a_closed_port_refuses_until_a_server_asks_for_it() {
    let closed = ClosedPort::any().unwrap();
    let refused = TcpStream::connect(closed.address()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);

    let server = TcpListener::bind(closed.address()).unwrap();
    TcpStream::connect(closed.address()).unwrap();
    drop(server);
    let refused = TcpStream::connect(closed.address()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn the_port_of_a_server_is_kept_when_it_ends() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let client = TcpStream::connect(address).unwrap();
    drop((server.accept().unwrap(), server));
    let closed = ClosedPort::keep(address.port()).unwrap();
    assert_eq!(closed.address(), address);
    let refused = TcpStream::connect(address).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    drop(client);
}

/// Otherwise a concurrent test could get it. Of this many, some would be among the closed ones by
/// chance.
#[test]
fn nothing_that_asks_for_any_port_gets_a_closed_one() {
    let closed: Vec<_> = (0..200).map(|_| ClosedPort::any().unwrap()).collect();
    for _ in 0..5_000 {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        assert!(closed.iter().all(|closed| closed.address() != address));
    }
}
