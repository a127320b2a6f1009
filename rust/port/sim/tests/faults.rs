//! Faults while a device is operating.
mod common;

use common::{SERVER, connect, exchange, ready, with_echo};
use core::time::Duration;
use thread_mqtt_client::TcpError;
use thread_mqtt_driver::{Port, TcpState};
use thread_mqtt_resolve::{AdvertisedPrefix, Preference, Prefix};
use thread_sim::{Node, Pacing, WorldConfig};

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_nat64_prefix_that_leaves_and_returns_is_seen() {
    let world = ready(WorldConfig::default());
    let mut port = world.port();
    let prefixes = port.network().prefixes;
    world.set_nat64(false);
    let limit = port.now() + MINUTE;
    while !port.network().prefixes.is_empty() && port.now() < limit {
        port.wait(Some(limit), common::READ);
    }
    assert_eq!(port.network().prefixes, []);
    assert!(port.network().attached, "only NAT64 is gone");
    world.set_nat64(true);
    let limit = port.now() + MINUTE;
    while port.network().prefixes.is_empty() && port.now() < limit {
        port.wait(Some(limit), common::READ);
    }
    assert_eq!(port.network().prefixes, prefixes);
}

#[test]
fn renewed_prefixes_replace_the_old_ones() {
    let world = with_echo(WorldConfig::default());
    let mut port = world.port();
    let (before, address) = (port.network().prefixes, world.device_address());
    world.renew_prefixes().unwrap();
    let limit = port.now() + 10 * MINUTE;
    let changed = world.run_until(limit, |world| {
        let network = world.network();
        network.attached && !network.prefixes.is_empty() && network.prefixes != before
    });
    assert!(changed, "{:?}", port.network());
    assert!(world.run_until(limit, |world| world.device_address() != address));
    assert_eq!(connect(&mut port, SERVER, MINUTE), TcpState::Connected);
}

#[test]
fn a_rebooted_device_loses_its_connection_and_nothing_else() {
    let world = with_echo(WorldConfig::default());
    let mut port = world.port();
    assert_eq!(connect(&mut port, SERVER, MINUTE), TcpState::Connected);
    let address = world.device_address();
    world.reboot(Node::Device).unwrap();
    assert!(!port.network().attached);
    assert_eq!(port.tcp_state(), TcpState::Failed(TcpError::Reset));
    port.tcp_close(true);
    assert_eq!(port.tcp_state(), TcpState::Closed);
    assert!(world.run_until_ready(port.now() + MINUTE));
    assert_eq!(world.device_address(), address);
    assert_eq!(connect(&mut port, SERVER, MINUTE), TcpState::Connected);
    assert_eq!(exchange(&mut port, b"again", MINUTE), b"again");
}

#[test]
fn a_factory_reset_device_comes_back_as_a_stranger() {
    let world = ready(WorldConfig::default());
    let address = world.device_address();
    world.factory_reset(Node::Device).unwrap();
    assert!(world.run_until_ready(world.now() + MINUTE));
    assert_ne!(world.device_address(), address);
}

#[test]
fn a_rebooted_border_router_or_router_is_found_again() {
    for node in [Node::BorderRouter, Node::Router(0)] {
        let world = with_echo(WorldConfig {
            hops: 1,
            ..WorldConfig::default()
        });
        let mut port = world.port();
        world.reboot(node).unwrap();
        world.run_for(5 * MINUTE);
        assert!(world.run_until_ready(world.now() + 10 * MINUTE), "{node:?}");
        let state = connect(&mut port, SERVER, 5 * MINUTE);
        assert_eq!(state, TcpState::Connected, "{node:?}");
    }
}

#[test]
fn a_device_that_leaves_the_network_can_join_again() {
    let world = with_echo(WorldConfig::default());
    let mut port = world.port();
    world.set_attached(false).unwrap();
    assert!(!port.network().attached);
    let nowhere = core::net::SocketAddrV6::new(core::net::Ipv6Addr::from(1u128 << 100), 1, 0, 0);
    // OpenThread either refuses immediately or finds no route.
    if port.tcp_connect(nowhere).is_ok() {
        world.run_for(3 * MINUTE);
        assert!(matches!(port.tcp_state(), TcpState::Failed(_)));
    }
    world.set_attached(true).unwrap();
    assert!(world.run_until_ready(world.now() + MINUTE));
    assert_eq!(connect(&mut port, SERVER, MINUTE), TcpState::Connected);
}

#[test]
fn time_and_entropy_are_the_worlds() {
    let world = ready(WorldConfig {
        epoch: Some(1_000),
        ..WorldConfig::default()
    });
    let mut port = world.port();
    assert_eq!(port.unix_time(), Some(1_000 + port.now().as_secs()));
    let mut draw = || {
        let mut bytes = [0; 32];
        port.fill_random(&mut bytes).unwrap();
        bytes
    };
    assert_ne!(draw(), draw());
    let clockless = ready(WorldConfig {
        epoch: None,
        ..WorldConfig::default()
    });
    assert_eq!(clockless.port().unix_time(), None);
}

#[test]
fn a_second_prefix_is_seen_with_its_preference() {
    let world = ready(WorldConfig::default());
    let own = world.network().prefixes;
    for length in [64, 96] {
        let address = core::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 64, 0, 0, 0, 0);
        let other = AdvertisedPrefix {
            prefix: Prefix::new(address, length).unwrap(),
            preference: Preference::Low,
        };
        world.announce_nat64(other, true).unwrap();
        let limit = world.now() + MINUTE;
        let seen = world.run_until(limit, |world| world.network().prefixes.len() == 2);
        assert!(seen, "{:?}", world.network());
        let prefixes = world.network().prefixes;
        assert!(prefixes.contains(&other) && prefixes.contains(&own[0]));
        world.announce_nat64(other, false).unwrap();
        assert!(world.run_until(limit, |world| world.network().prefixes == own));
    }
}

#[test]
fn real_time_is_not_outrun() {
    let wall = std::time::Instant::now();
    let world = with_echo(WorldConfig {
        pacing: Pacing::RealTime,
        ..WorldConfig::default()
    });
    let switched_on = WorldConfig::default().network_age;
    assert!(world.now() - switched_on <= wall.elapsed());
    world.run_for(Duration::from_millis(300));
    assert!(world.now() - switched_on <= wall.elapsed());
}
