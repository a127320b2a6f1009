//! Servers that datagrams do not reach.

use crate::world::*;
use thread_mqtt_resolve::Network;
use thread_mqtt_resolve::resolver::{AddressSource, UdpError};

/// The next server is queried at once, and each cause is reported with its cure.
#[test]
fn a_server_that_datagrams_cannot_reach_is_not_waited_for() {
    let other = server("fd00::2");
    let network = Network {
        dns_servers: vec![server(BORDER_ROUTER), other],
        ..thread_network()
    };
    let mut world = World::new(asking(&[AddressSource::BorderRouter]), network);
    let began = world.now;
    world.start(BROKER);
    let (first, now) = (server(BORDER_ROUTER), world.now);
    assert_eq!(world.poll(), []);
    world
        .resolver
        .handle_undelivered(first, UdpError::Refused, now);
    let sent = world.poll();
    assert_eq!(
        sent.iter().map(|query| query.to).collect::<Vec<_>>(),
        [other; 2]
    );
    world
        .resolver
        .handle_undelivered(other, UdpError::Unreachable, now);
    assert_eq!(world.poll(), []);
    let report = world.resolver.poll_report().unwrap();
    assert_eq!((world.now, world.closed), (began, 2));
    let told: Vec<_> = report.failures.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "network's DNS server fd00::1: nothing listens on the server's port",
            "network's DNS server fd00::2: no route to the server",
        ]
    );
    for failure in &report.failures {
        assert!(failure.cure().unwrap().contains("address"), "{failure}");
    }
}

/// The answer of one half arrived before.
#[test]
fn a_half_is_of_use_where_the_other_cannot_be_asked() {
    let mut world = World::new(asking(&[AddressSource::BorderRouter]), thread_network());
    let sent = world.start(BROKER);
    world.answer(&sent[0], &says(60, &["192.0.2.1"]));
    let (at, now) = (server(BORDER_ROUTER), world.now);
    world
        .resolver
        .handle_undelivered(at, UdpError::Refused, now);
    world.poll();
    let report = world.resolver.poll_report().unwrap();
    assert_eq!(addresses(&report), [v6("fd64:1::c000:201")]);
}
