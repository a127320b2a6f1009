//! What is cached, and for how long.

use crate::world::*;
use core::net::Ipv4Addr;
use core::time::Duration;
use thread_mqtt_resolve::resolver::{AddressSource, CacheLimits, Config, LookupError};

const QUAD9: AddressSource = AddressSource::Public(Ipv4Addr::new(9, 9, 9, 9));

fn world(cache: CacheLimits) -> World {
    World::new(
        Config {
            cache,
            ..asking(&[AddressSource::BorderRouter])
        },
        thread_network(),
    )
}

/// Returns whether the next resolution after `time` queries a server.
fn asks_after(world: &mut World, time: Duration) -> bool {
    world.now += time;
    let before = world.queries.len();
    let report = world.resolve(BROKER, |_| says(60, &["192.0.2.1"]));
    assert_eq!(report.cached, world.queries.len() == before);
    !report.cached
}

#[test]
fn an_answer_holds_as_long_as_its_shorter_half() {
    let mut world = world(CacheLimits::default());
    let first = world.resolve(BROKER, |query| {
        says(
            if query.record_type == A { 300 } else { 200 },
            &["192.0.2.1", "2001:db8::1"],
        )
    });
    world.now += secs(199);
    let cached = world.resolve_alone(BROKER);
    assert_eq!(
        (&cached.candidates, cached.answered_by),
        (&first.candidates, first.answered_by)
    );
    assert_eq!(cached.server, Some(server(BORDER_ROUTER)));
    assert!(cached.to_string().ends_with("from the cache"));
    assert!(asks_after(&mut world, secs(1)));
}

#[test]
fn ttls_are_capped_and_zero_is_not_kept() {
    let limits = CacheLimits {
        max_ttl: secs(100),
        ..CacheLimits::default()
    };
    for (ttl, holds) in [
        (0, 0),
        (1, 1),
        (101, 100),
        (u32::MAX >> 1, 100),
        (u32::MAX, 0),
    ] {
        let mut world = world(limits);
        world.resolve(BROKER, |_| says(ttl, &["192.0.2.1"]));
        assert!(
            holds == 0 || !asks_after(&mut world, secs(holds) - ms(1)),
            "{ttl}"
        );
        assert!(asks_after(&mut world, ms(1)), "{ttl}");
    }
}

#[test]
fn the_cache_is_bounded_and_can_be_off() {
    let names = ["a.example", "b.example", "c.example"];
    let mut world = world(CacheLimits {
        entries: 2,
        ..CacheLimits::default()
    });
    for (name, ttl) in names.iter().zip([50, 40, 60]) {
        world.resolve(name, |_| says(ttl, &["192.0.2.1"]));
    }
    // The one next to expire was evicted.
    let mut is_cached = |name: &str| world.resolve(name, |_| Says::NoData(None)).cached;
    assert_eq!(names.map(&mut is_cached), [true, false, true]);

    let mut off = self::world(CacheLimits {
        entries: 0,
        ..CacheLimits::default()
    });
    assert!(asks_after(&mut off, secs(0)) && asks_after(&mut off, secs(0)));
}

#[test]
fn denials_with_an_soa_hold_for_its_minimum_up_to_a_minute() {
    for (reply, holds) in [
        (Says::NxDomain(Some(20)), 20),
        (Says::NoData(Some(20)), 20),
        (Says::NxDomain(Some(3600)), 60),
        (Says::NxDomain(None), 0),
        (Says::NoData(None), 0),
        (Says::Rcode(2), 0),
        (Says::Nothing, 0),
    ] {
        let mut world = world(CacheLimits::default());
        let first = errors(&world.resolve(BROKER, |_| reply.clone()));
        if holds > 0 {
            world.now += secs(holds) - ms(1);
            assert_eq!(errors(&world.resolve_alone(BROKER)), first, "{reply:?}");
            world.now += ms(1);
        }
        assert!(asks_after(&mut world, secs(0)), "{reply:?}");
    }
}

#[test]
fn a_denial_binds_its_own_link_only() {
    let mut world = World::new(
        asking(&[AddressSource::BorderRouter, QUAD9]),
        thread_network(),
    );
    let denied = |query: &Query| match query.to == server(BORDER_ROUTER) {
        true => Says::NxDomain(Some(60)),
        false => Says::Nothing,
    };
    world.resolve(BROKER, denied);
    let before = world.queries.len();
    let report = world.resolve(BROKER, |query| {
        assert_eq!(query.to, server("fd64:1::909:909"));
        says(60, &["192.0.2.1"])
    });
    assert_eq!(world.queries.len(), before + 2);
    assert_eq!(
        errors(&report),
        [(AddressSource::BorderRouter, LookupError::NameError)]
    );
    // From now on the public server's answer makes both queries unnecessary.
    assert_eq!(world.resolve_alone(BROKER).answered_by, Some(QUAD9));
}

#[test]
fn another_network_may_know_what_the_last_one_denied() {
    let mut world = world(CacheLimits::default());
    world.resolve(BROKER, |_| Says::NxDomain(Some(60)));
    let mut elsewhere = thread_network();
    elsewhere.dns_servers = vec![server("fd00::2")];
    assert!(world.change(elsewhere), "it failed and may succeed now");
    assert!(asks_after(&mut world, secs(0)));
}

#[test]
fn a_forgotten_name_is_asked_for_again() {
    let mut world = world(CacheLimits::default());
    assert!(asks_after(&mut world, secs(0)));
    world.resolver.forget(&host("other.example"));
    world.resolver.forget(&host("192.0.2.1"));
    assert!(!asks_after(&mut world, secs(0)));
    world.resolver.forget(&host(BROKER));
    assert!(asks_after(&mut world, secs(0)));
}
