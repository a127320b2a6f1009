//! Devices attach: every kind of device, every length of the line.
mod common;

use common::{connect, exchange, pattern, ready, with_echo};
use core::time::Duration;
use thread_mqtt_driver::TcpState;
use thread_sim::{Device, Node, World, WorldConfig};

const SLEEPY: Device = Device::Sleepy {
    poll: Duration::from_secs(1),
};

#[test]
fn an_attached_device_sees_prefix_dns_server_and_a_routable_address() {
    let world = World::new(WorldConfig::default()).unwrap();
    assert!(!world.is_ready());
    assert!(!world.network().attached);
    let start = world.now();
    assert!(world.run_until_ready(start + Duration::from_secs(10)));

    let network = world.network();
    assert_eq!(network.prefixes.len(), 1);
    assert_eq!(
        network.prefixes[0].preference,
        thread_mqtt_resolve::Preference::Low
    );
    assert_eq!(network.dns_servers.len(), 1);
    assert_eq!(network.dns_servers[0].port(), 53);
    assert!(!network.native_ipv4);
    // Both prefixes come from the border router's /48.
    let address = world.device_address().unwrap();
    let nat64 = network.prefixes[0].prefix.embed([192, 0, 2, 1].into());
    assert_eq!(address.segments()[..3], nat64.segments()[..3]);
    // Nothing has been sent through NAT64 yet.
    assert_eq!(world.device_ipv4(), None);
}

#[test]
fn every_line_and_kind_of_device_reaches_a_server() {
    let data = pattern(1500);
    for hops in 0..=3 {
        for device in [Device::Mtd, SLEEPY] {
            let world = with_echo(WorldConfig {
                hops,
                device,
                seed: 40 + u64::from(hops),
                ..WorldConfig::default()
            });
            let mut port = world.port();
            let what = format!("{hops} hops, {device:?}");
            let state = connect(&mut port, common::SERVER, Duration::from_secs(60));
            assert_eq!(state, TcpState::Connected, "{what}");
            let answer = exchange(&mut port, &data, Duration::from_secs(60));
            assert!(answer == data, "{what}: {} bytes", answer.len());
            assert!(world.device_ipv4().is_some(), "{what}");
            // Every router of the line has forwarded the connection.
            for router in 0..hops {
                assert!(
                    world.counters(Node::Router(router)).sent.frames > 20,
                    "{what}"
                );
            }
        }
    }
}

#[test]
fn a_sleepy_device_polls_and_otherwise_sleeps() {
    let polls = |device| {
        let world = ready(WorldConfig {
            device,
            ..WorldConfig::default()
        });
        world.run_for(Duration::from_secs(30));
        let before = world.counters(Node::Device).sent.frames;
        world.run_for(Duration::from_secs(100));
        world.counters(Node::Device).sent.frames - before
    };
    let sleepy = |seconds| Device::Sleepy {
        poll: Duration::from_secs(seconds),
    };
    assert!((95..=110).contains(&polls(sleepy(1))));
    assert!((9..=15).contains(&polls(sleepy(10))));
    assert!(polls(Device::Mtd) <= 5);
}

#[test]
fn a_device_out_of_range_detaches_and_comes_back() {
    let world = ready(WorldConfig::default());
    assert!(world.set_link(Node::BorderRouter, Node::Device, false));
    // The device gives up its parent after several unanswered keep-alives.
    let limit = world.now() + Duration::from_secs(600);
    assert!(world.run_until(limit, |world| !world.network().attached));
    assert!(world.set_link(Node::Device, Node::BorderRouter, true));
    assert!(world.run_until_ready(world.now() + Duration::from_secs(600)));
    assert!(
        !world.set_link(Node::Device, Node::Router(0), false),
        "there is no router"
    );
}

#[test]
fn impossible_worlds_are_refused_with_a_reason() {
    let refused = |config| World::new(config).unwrap_err().to_string();
    let mut config = WorldConfig::default();
    config.radio.loss = 1.5;
    assert!(refused(config).contains("between 0 and 1"));
    let hops = 9;
    assert!(
        refused(WorldConfig {
            hops,
            ..WorldConfig::default()
        })
        .contains("more than the 8")
    );
    let device = Device::Sleepy {
        poll: Duration::ZERO,
    };
    assert!(
        refused(WorldConfig {
            device,
            ..WorldConfig::default()
        })
        .contains("10 ms to 240 s")
    );
}
