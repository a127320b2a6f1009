//! First.
use core::net::{Ipv4Addr, SocketAddrV4, SocketAddrV6};
use core::time::Duration;
use thread_mqtt_driver::{Interest, Port, Received, TcpState};
use thread_sim::*;

#[test]
fn first() {
    let wall = std::time::Instant::now();
    let world = World::new(WorldConfig::default()).unwrap();
    println!("up {:?}", wall.elapsed());
    let ok = world.run_until_ready(Duration::from_secs(120));
    println!(
        "ready {ok} at {:?} wall {:?} {:#?}",
        world.now(),
        wall.elapsed(),
        world.totals()
    );
    for l in world.take_log(Node::BorderRouter) {
        println!("BR {l}");
    }
    for l in world.take_log(Node::Device) {
        println!("DEV {l}");
    }
    println!("{:?} {:?}", world.device_address(), world.network());
    assert!(ok);
    let server = SocketAddrV4::new(Ipv4Addr::new(203, 0, 113, 10), 8883);
    world.serve(server, |_peer, _now| {
        Some(Box::new(Echo::default()) as Box<dyn VirtualStream>)
    });
    let mut port = world.port();
    let network = port.network();
    let to = SocketAddrV6::new(network.prefixes[0].prefix.embed(*server.ip()), 8883, 0, 0);
    let before = world.totals();
    let t0 = world.now();
    port.tcp_connect(to).unwrap();
    let limit = world.now() + Duration::from_secs(30);
    let interest = Interest {
        receive: true,
        send: false,
    };
    while port.tcp_state() == TcpState::Connecting && world.now() < limit {
        port.wait(Some(limit), interest);
    }
    println!("{:?} {:?}", port.tcp_state(), world.now() - t0);
    assert_eq!(port.tcp_state(), TcpState::Connected);
    assert_eq!(port.tcp_send(b"0123456789abcdef"), Ok(16));
    let mut buf = [0; 64];
    let mut got = 0;
    while got < 16 && world.now() < limit {
        match port.tcp_receive(&mut buf).unwrap() {
            Received::Bytes(n) => got += n,
            _ => port.wait(Some(limit), interest),
        }
    }
    println!(
        "got {got} at {:?}  {:?} ipv4 {:?}",
        world.now() - t0,
        (world.totals() - before).sent,
        world.device_ipv4()
    );
    port.tcp_close(false);
    world.run_for(Duration::from_secs(5));
    println!("{:?} wall {:?}", port.tcp_state(), wall.elapsed());
    assert_eq!(got, 16);
}
