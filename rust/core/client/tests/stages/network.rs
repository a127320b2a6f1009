//! The network comes, goes and changes its prefix.
use super::*;

#[test]
fn detached_while_connecting_it_waits_for_the_network() {
    let mut world = World::new(config(PLAIN), plain());
    world.network = attached();
    world.paths.push_back(Path::BlackHole);
    world.start();
    world.run_for(s(1));
    world.set_network(Network::default());
    let failures = world.failures();
    assert_eq!(
        (failures[0].0, &failures[0].1),
        (Stage::Tcp, &Cause::NetworkLost)
    );
    world.run_for(s(600));
    assert_eq!(world.connects.len(), 1);
    world.set_network(attached());
    world.run_until_online(s(1));
}

#[test]
fn back_in_the_network_it_does_not_sleep_on() {
    let mut world = World::new(config(PLAIN), plain());
    world.network = attached();
    world.paths.extend([Path::Refused; 8]);
    world.start();
    while world.failures().len() < 8 {
        world.run_until_failed(s(70));
    }
    world.set_network(Network::default());
    world.set_network(attached());
    world.run_until_online(s(1));
}

#[test]
fn a_connection_outlives_a_short_detachment() {
    let mut world = World::started(config(PLAIN), plain());
    world.run_until_online(s(5));
    world.set_network(Network::default());
    world.run_for(s(5));
    world.set_network(attached());
    world.run_for(s(5));
    assert!(world.client.is_online());
    assert_eq!(world.connects.len(), 1);
}

#[test]
fn a_connection_does_not_outlive_its_prefix() {
    let mut world = World::started(config(PLAIN), plain());
    world.run_until_online(s(5));
    let other: thread_mqtt_resolve::Prefix = "fd00:65::/96".parse().unwrap();
    let mut network = attached();
    network.prefixes[0].prefix = other;
    world.set_network(network);
    let failures = world.failures();
    assert_eq!(
        (failures[0].0, &failures[0].1),
        (Stage::Mqtt, &Cause::PrefixWithdrawn)
    );
    world.run_until_online(s(5));
    let address = other.embed("203.0.113.10".parse().unwrap());
    assert_eq!(*world.connects[1].ip(), address);
}

#[test]
fn a_second_prefix_changes_nothing() {
    let mut world = World::started(config(PLAIN), plain());
    world.run_until_online(s(5));
    let mut network = attached();
    let mut other = network.prefixes[0];
    other.prefix = "fd00:65::/96".parse().unwrap();
    network.prefixes.push(other);
    world.set_network(network);
    world.run_for(s(5));
    assert!(world.client.is_online());
    assert_eq!(world.connects.len(), 1);
}
