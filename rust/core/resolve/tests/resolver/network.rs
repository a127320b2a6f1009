//! Prefixes and servers come and go.

use crate::world::*;
use core::net::Ipv4Addr;
use thread_mqtt_resolve::resolver::{AddressSource, Config, LookupError};
use thread_mqtt_resolve::{Network, Preference};

fn with_prefix(prefix: &str) -> Network {
    Network {
        prefixes: vec![advertised(prefix, Preference::Medium)],
        ..thread_network()
    }
}

fn border_router() -> Config {
    Config {
        discover_prefix: false,
        ..asking(&[AddressSource::BorderRouter])
    }
}

#[test]
fn a_cached_answer_follows_the_prefix() {
    // Once by the server's A record, once by a DNS64's AAAA record with the old prefix.
    for records in [&["192.0.2.1"][..], &["fd64:1::c000:201"]] {
        let mut world = World::new(border_router(), with_prefix(PREFIX));
        let report = world.resolve(BROKER, |_| says(600, records));
        assert_eq!(addresses(&report), [v6("fd64:1::c000:201")]);
        assert!(!world.change(with_prefix(PREFIX)), "nothing new");
        assert!(
            world.change(with_prefix(OTHER_PREFIX)),
            "the prefix is gone"
        );
        let report = world.resolve_alone(BROKER);
        assert_eq!(
            (addresses(&report), report.cached),
            (vec![v6("fd64:2::c000:201")], true)
        );
    }
}

#[test]
fn a_dns64_answer_cached_before_its_prefix_was_known_is_not_stale_after_it() {
    let mut world = World::new(border_router(), without_prefix());
    let report = world.resolve(BROKER, |_| says(600, &["fd64:1::c000:201"]));
    assert_eq!(
        addresses(&report),
        [v6("fd64:1::c000:201")],
        "for all we know native"
    );
    world.change(with_prefix(PREFIX));
    world.change(with_prefix(OTHER_PREFIX));
    assert_eq!(
        addresses(&world.resolve_alone(BROKER)),
        [v6("fd64:2::c000:201")]
    );
}

#[test]
fn only_the_loss_of_a_prefix_in_use_is_staleness() {
    let mut world = World::new(border_router(), with_prefix(PREFIX));
    let mut both = with_prefix(PREFIX);
    both.prefixes
        .push(advertised(OTHER_PREFIX, Preference::High));
    world.resolve("192.0.2.1", |_| Says::Nothing);
    assert!(
        !world.change(both.clone()),
        "a better one came, the old one still works"
    );
    assert!(!world.change(with_prefix(PREFIX)), "it was not in use");
    assert!(world.change(with_prefix(OTHER_PREFIX)));

    world.change(both);
    world.resolve("192.0.2.1", |_| Says::Nothing);
    assert!(world.change(with_prefix(PREFIX)), "one of two in use went");

    world.resolve("2001:db8::1", |_| Says::Nothing);
    assert!(
        !world.change(without_prefix()),
        "a native address needs none"
    );
}

#[test]
fn native_ipv4_going_away_is_staleness() {
    let native = Network {
        native_ipv4: true,
        ..without_prefix()
    };
    let mut world = World::new(border_router(), native);
    world.resolve("192.0.2.1", |_| Says::Nothing);
    assert!(world.change(without_prefix()));
}

#[test]
fn a_failure_is_worth_another_try_when_the_network_changes() {
    let mut world = World::new(border_router(), without_prefix());
    let report = world.resolve(BROKER, |_| says(600, &["192.0.2.1"]));
    assert_eq!(
        errors(&report),
        [(AddressSource::BorderRouter, LookupError::NoPrefix)]
    );
    assert!(!world.change(without_prefix()));
    assert!(world.change(thread_network()));
    // The border router's answer is still cached.
    assert_eq!(
        addresses(&world.resolve_alone(BROKER)),
        [v6("fd64:1::c000:201")]
    );
}

#[test]
fn a_change_under_way_starts_over_within_the_same_deadline() {
    let config = asking(&[AddressSource::Public(Ipv4Addr::new(9, 9, 9, 9))]);
    let mut world = World::new(
        Config {
            deadline: secs(4),
            ..config
        },
        with_prefix(PREFIX),
    );
    let old = world.start(BROKER);
    assert_eq!(old[0].to, server("fd64:1::909:909"));
    world.pass(secs(1));
    assert!(
        !world.change(with_prefix(OTHER_PREFIX)),
        "nothing was handed out yet"
    );
    let new = world.poll();
    assert_eq!((new[0].to, world.closed), (server("fd64:2::909:909"), 1));
    // An update without a change does not start over.
    assert!(!world.change(with_prefix(OTHER_PREFIX)));
    assert_eq!(world.poll(), []);
    world.pass(secs(3));
    let report = world.resolver.poll_report().unwrap();
    assert_eq!((report.elapsed, report.failures.len()), (secs(4), 1));
}

#[test]
fn a_prefix_that_comes_under_way_helps_at_once() {
    let mut world = World::new(Config::default(), without_prefix());
    // Discovery queries the border router, and waits.
    assert_eq!(world.start("192.0.2.1").len(), 1);
    assert!(!world.change(thread_network()));
    assert_eq!(
        addresses(&world.resolver.poll_report().unwrap()),
        [v6("fd64:1::c000:201")]
    );
}

#[test]
fn a_network_before_any_resolution_is_no_news() {
    let mut world = World::new(Config::default(), Network::default());
    assert!(!world.change(thread_network()));
    assert_eq!(
        (world.poll(), world.resolver.poll_timeout()),
        (vec![], None)
    );
}
