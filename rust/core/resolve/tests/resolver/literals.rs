//! Literals, and the sources of prefixes.

use crate::world::*;
use thread_mqtt_resolve::prefix::{PrefixSource, UsablePrefix};
use thread_mqtt_resolve::resolver::{AddressSource, Config, Family, LookupError, Origin};
use thread_mqtt_resolve::{Network, Preference, Prefix};

const EVERY_FAMILY: [Family; 3] = [Family::Unspecified, Family::Inet, Family::Inet6];

fn with(prefixes: &[(&str, Preference)]) -> Network {
    let prefixes = prefixes
        .iter()
        .map(|(prefix, preference)| advertised(prefix, *preference))
        .collect();
    Network {
        prefixes,
        ..thread_network()
    }
}

fn sources(world: &World) -> Vec<(String, PrefixSource)> {
    let show = |usable: &UsablePrefix| (usable.prefix.to_string(), usable.source);
    world.resolver.prefixes().iter().map(show).collect()
}

#[test]
fn an_ipv4_literal_is_synthesised_under_every_hint() {
    for family in EVERY_FAMILY {
        let config = Config {
            family,
            ..Config::default()
        };
        let report = World::new(config, thread_network()).resolve_alone("192.0.2.1");
        assert_eq!(addresses(&report), [v6("fd64:1::c000:201")]);
        let origin = Origin::Synthesised {
            ipv4: [192, 0, 2, 1].into(),
            prefix: PREFIX.parse().unwrap(),
            source: PrefixSource::NetworkData,
        };
        assert_eq!(report.candidates[0].origin, origin);
        assert_eq!(
            report.answered_by,
            Some(AddressSource::Literal(ip("192.0.2.1")))
        );
        assert_eq!(errors(&report), []);
    }
}

#[test]
fn an_ipv6_literal_passes_through_under_every_hint_and_prefix() {
    let networks = [thread_network(), without_prefix(), Network::default()];
    for (family, network) in EVERY_FAMILY
        .into_iter()
        .flat_map(|family| networks.iter().map(move |n| (family, n)))
    {
        // The second lies inside the network's prefix.
        for literal in ["2001:db8::1", "fd64:1::c000:201"] {
            let config = Config {
                family,
                ..Config::default()
            };
            let report = World::new(config, network.clone()).resolve_alone(literal);
            assert_eq!(addresses(&report), [v6(literal)]);
            assert_eq!(report.candidates[0].origin, Origin::Native);
            assert_eq!(report.discovery, None);
        }
    }
}

#[test]
fn an_ipv4_mapped_literal_is_an_ipv4_literal() {
    for (literal, host) in [
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::ffff:c000:201", "192.0.2.1"),
        ("::1:ffff:c000:201", "::1:ffff:c000:201"),
        ("::192.0.2.1", "::192.0.2.1"),
    ] {
        let expected = thread_mqtt_resolve::Host::from(ip(host));
        assert_eq!(literal.parse(), Ok(expected.clone()));
        let uri = format!("mqtts://[{literal}]:8883");
        let uri: thread_mqtt_resolve::BrokerUri = uri.parse().unwrap();
        assert_eq!(uri.host, expected);
    }
    let synthesised =
        World::new(Config::default(), thread_network()).resolve_alone("::ffff:192.0.2.1");
    assert_eq!(addresses(&synthesised), [v6("fd64:1::c000:201")]);
    let native = Network {
        native_ipv4: true,
        ..Network::default()
    };
    let mapped = World::new(Config::default(), native).resolve_alone("::ffff:192.0.2.1");
    assert_eq!(addresses(&mapped), [v6("::ffff:192.0.2.1")]);

    // Also as a source of the chain.
    let config = Config {
        chain: vec![AddressSource::Literal(ip("::ffff:192.0.2.9"))],
        ..Config::default()
    };
    let last_resort = World::new(config, thread_network()).resolve_alone("broker.example");
    assert_eq!(addresses(&last_resort), [v6("fd64:1::c000:209")]);
}

#[test]
fn every_prefix_is_tried_in_order_of_preference() {
    let network = with(&[
        ("fd64:1::/96", Preference::Low),
        ("fd64:2::/64", Preference::High),
        ("fd64:3::/96", Preference::Medium),
    ]);
    let config = Config {
        configured_prefix: Some("fd64:4::/48".parse().unwrap()),
        ..Config::default()
    };
    let mut world = World::new(config, network);
    let report = world.resolve_alone("192.0.2.1");
    let expected = [
        "fd64:2::c0:2:100:0",
        "fd64:3::c000:201",
        "fd64:1::c000:201",
        "fd64:4:0:c000:2:100::",
    ];
    assert_eq!(addresses(&report), expected.map(v6));
    assert_eq!(
        report.prefixes.last().unwrap().source,
        PrefixSource::Configured
    );
    assert_eq!(report.prefixes, world.resolver.prefixes());
}

#[test]
fn equal_preference_keeps_the_networks_order_and_doubles_go() {
    let network = with(&[
        ("fd64:2::/96", Preference::Medium),
        ("fd64:1::/96", Preference::Medium),
    ]);
    let config = Config {
        configured_prefix: Some("fd64:1::/96".parse().unwrap()),
        ..Config::default()
    };
    let mut world = World::new(config, network);
    world.resolve_alone("192.0.2.1");
    let expected = ["fd64:2::/96", "fd64:1::/96"]
        .map(|prefix| (prefix.to_string(), PrefixSource::NetworkData));
    assert_eq!(sources(&world), expected);
}

#[test]
fn a_flood_of_prefixes_is_bounded() {
    let texts: Vec<String> = (0..50).map(|n| format!("fd64:{n:x}::/96")).collect();
    let network = with(
        &texts
            .iter()
            .map(|text| (text.as_str(), Preference::Low))
            .collect::<Vec<_>>(),
    );
    assert_eq!(
        World::new(Config::default(), network)
            .resolve_alone("192.0.2.1")
            .candidates
            .len(),
        4
    );
}

#[test]
fn the_well_known_prefix_is_the_last_resort_and_only_if_allowed() {
    let resolve = |allow_well_known_prefix, network, configured_prefix| {
        let config = Config {
            allow_well_known_prefix,
            configured_prefix,
            discover_prefix: false,
            ..Config::default()
        };
        addresses(&World::new(config, network).resolve_alone("192.0.2.1"))
    };
    assert_eq!(
        resolve(true, without_prefix(), None),
        [v6("64:ff9b::c000:201")]
    );
    assert!(resolve(false, without_prefix(), None).is_empty());
    assert_eq!(
        resolve(true, thread_network(), None),
        [v6("fd64:1::c000:201")]
    );
    let configured: Option<Prefix> = OTHER_PREFIX.parse().ok();
    assert_eq!(
        resolve(true, without_prefix(), configured),
        [v6("fd64:2::c000:201")]
    );
    // If the network publishes it, it is a prefix like any other.
    let network = with(&[("64:ff9b::/96", Preference::Low)]);
    assert_eq!(resolve(false, network, None), [v6("64:ff9b::c000:201")]);
}

/// Reported by the resolver, instead of by a platform's error code on connecting.
#[test]
fn an_address_that_leads_to_no_broker_is_refused_as_such() {
    for (literal, what) in [
        (
            "fe80::1",
            "a link-local address, which is valid only on one link",
        ),
        ("169.254.1.1", "a link-local address"),
        ("::1", "the loopback address of this device"),
        ("127.0.0.1", "the loopback address"),
        ("::", "the unspecified address"),
        ("0.0.0.0", "the unspecified address"),
        ("ff02::1", "a multicast address"),
        ("239.1.2.3", "a multicast address"),
        ("255.255.255.255", "a reserved address"),
    ] {
        for network in [thread_network(), without_prefix()] {
            let config = Config {
                discover_prefix: false,
                ..Config::default()
            };
            let report = World::new(config, network).resolve_alone(literal);
            let error = LookupError::Unusable(ip(literal));
            assert_eq!(
                errors(&report),
                [(AddressSource::Literal(ip(literal)), error)]
            );
            let says = report.to_string();
            assert!(
                says.contains(&format!("no usable address: {literal}, {what}")),
                "{says}"
            );
            // No server has answered, so no block list has, either.
            let cure = report.cure().unwrap();
            assert!(!cure.contains("block list"), "{cure}");
        }
    }
}

/// A user who writes the well-known prefix has a network that carries it.
#[test]
fn a_literal_with_the_well_known_prefix_is_taken_at_its_word() {
    for literal in ["64:ff9b::192.168.1.10", "64:ff9b::127.0.0.1"] {
        let mut world = World::new(Config::default(), thread_network());
        assert_eq!(addresses(&world.resolve_alone(literal)), [v6(literal)]);
    }
    // But the resolver must synthesise from a plain IPv4 address.
    let network = with(&[("64:ff9b::/96", Preference::Medium)]);
    let report = World::new(Config::default(), network).resolve_alone("192.168.1.10");
    assert_eq!(
        errors(&report)[0].1,
        LookupError::Unusable(ip("192.168.1.10"))
    );
}

#[test]
fn without_any_prefix_an_ipv4_literal_fails_with_a_cure() {
    let config = Config {
        discover_prefix: false,
        ..Config::default()
    };
    let report = World::new(config, without_prefix()).resolve_alone("192.0.2.1");
    assert_eq!(
        errors(&report),
        [(
            AddressSource::Literal(ip("192.0.2.1")),
            LookupError::NoPrefix
        )]
    );
    assert_eq!(
        report.to_string(),
        "no address: literal address 192.0.2.1: only reachable through NAT64, but no NAT64 prefix \
         is known"
    );
    assert!(report.cure().unwrap().contains("nat64 enable"));
}

#[test]
fn native_ipv4_needs_no_prefix() {
    let network = Network {
        native_ipv4: true,
        ..thread_network()
    };
    let report = World::new(Config::default(), network).resolve_alone("192.0.2.1");
    assert_eq!(addresses(&report), [v6("::ffff:192.0.2.1")]);
    assert_eq!(
        report.candidates[0].origin,
        Origin::Mapped([192, 0, 2, 1].into())
    );
}

// RFC 7050 discovery.

const FOUND: &str = "64:ff9b:7::c000:aa";

fn dns64(query: &Query) -> Says {
    assert_eq!(
        (query.name.as_str(), query.record_type),
        ("ipv4only.arpa", AAAA)
    );
    assert_eq!(query.to, server(BORDER_ROUTER));
    says(600, &[FOUND, "64:ff9b:7::c000:ab"])
}

#[test]
fn the_prefix_is_discovered_once_and_again_when_its_ttl_is_over() {
    let mut world = World::new(Config::default(), without_prefix());
    let report = world.resolve("192.0.2.1", dns64);
    assert_eq!(addresses(&report), [v6("64:ff9b:7::c000:201")]);
    assert_eq!(
        sources(&world),
        [("64:ff9b:7::/96".to_string(), PrefixSource::Discovered)]
    );
    assert_eq!((report.discovery, world.closed), (None, 1));

    world.now += secs(599);
    assert_eq!(
        world.resolve_alone("192.0.2.1").candidates,
        report.candidates
    );
    world.now += secs(1);
    world.resolve("192.0.2.1", dns64);
    assert_eq!(world.queries.len(), 2);

    // A server that is silent now changes nothing.
    world.now += secs(600);
    let silent = world.resolve("192.0.2.1", |_| Says::Nothing);
    assert_eq!(silent.candidates, report.candidates);
    assert_eq!(silent.discovery.unwrap().error, LookupError::Timeout);
}

/// No address under it answers: the border router may have another one by now.
#[test]
fn a_prefix_that_leads_nowhere_is_asked_for_again() {
    let mut world = World::new(Config::default(), without_prefix());
    world.resolve("192.0.2.1", dns64);
    world.resolver.forget(&host("192.0.2.1"));
    world.now += secs(59);
    world.resolve_alone("192.0.2.1");
    world.now += secs(1);
    world.resolve("192.0.2.1", |_| says(600, &["64:ff9b:8::c000:aa"]));
    assert_eq!(sources(&world)[0].0, "64:ff9b:8::/96");
}

#[test]
fn discovery_comes_before_the_configured_prefix() {
    let config = Config {
        configured_prefix: Some(PREFIX.parse().unwrap()),
        ..Config::default()
    };
    let report = World::new(config, without_prefix()).resolve("192.0.2.1", dns64);
    assert_eq!(
        addresses(&report),
        ["64:ff9b:7::c000:201", "fd64:1::c000:201"].map(v6)
    );
}

#[test]
fn discovery_is_skipped_where_it_cannot_help() {
    let without_servers = Network {
        dns_servers: vec![],
        ..without_prefix()
    };
    let native = Network {
        native_ipv4: true,
        ..without_prefix()
    };
    for network in [thread_network(), without_servers, native] {
        World::new(Config::default(), network).resolve_alone("192.0.2.1");
    }
    let config = Config {
        discover_prefix: false,
        ..Config::default()
    };
    World::new(config, without_prefix()).resolve_alone("192.0.2.1");
}

#[test]
fn a_server_without_dns64_is_not_asked_again_for_a_minute() {
    for reply in [
        Says::NoData(Some(9000)),
        Says::NoData(None),
        Says::NxDomain(None),
        says(9000, &["2001:db8::1"]),
    ] {
        let mut world = World::new(Config::default(), without_prefix());
        let report = world.resolve("192.0.2.1", |_| reply.clone());
        assert_eq!(report.discovery.unwrap().error, LookupError::NoPrefixFound);
        assert_eq!(report.failures[0].error, LookupError::NoPrefix);
        world.now += secs(59);
        world.resolve_alone("192.0.2.1");
        world.now += secs(1);
        assert_eq!(
            addresses(&world.resolve("192.0.2.1", dns64)),
            [v6("64:ff9b:7::c000:201")]
        );
    }
}

#[test]
fn the_next_server_may_have_dns64() {
    for says_first in [Says::NoData(Some(60)), Says::NxDomain(None), Says::Nothing] {
        let two = Network {
            dns_servers: vec![server(BORDER_ROUTER), server("fd00::2")],
            ..without_prefix()
        };
        let mut world = World::new(Config::default(), two);
        let report = world.resolve("192.0.2.1", |query| {
            match query.to == server(BORDER_ROUTER) {
                true => says_first.clone(),
                false => says(600, &[FOUND]),
            }
        });
        assert_eq!(addresses(&report), [v6("64:ff9b:7::c000:201")]);
        assert_eq!(report.discovery, None);
        world.resolve_alone("192.0.2.1");
    }
}

#[test]
fn other_servers_mean_another_discovery() {
    let mut world = World::new(Config::default(), without_prefix());
    world.resolve("192.0.2.1", dns64);
    let elsewhere = Network {
        dns_servers: vec![server("fd00::2")],
        ..without_prefix()
    };
    assert!(world.change(elsewhere), "the prefix is gone");
    assert_eq!(sources(&world), []);
    let report = world.resolve("192.0.2.1", |query| {
        assert_eq!(query.to, server("fd00::2"));
        says(600, &["64:ff9b:8::c000:aa"])
    });
    assert_eq!(addresses(&report), [v6("64:ff9b:8::c000:201")]);
}

#[test]
fn a_dead_server_leaves_discovery_to_the_next() {
    let servers = vec![server("fd00::dead"), server(BORDER_ROUTER)];
    let network = Network {
        dns_servers: servers,
        ..without_prefix()
    };
    let mut world = World::new(Config::default(), network);
    let report = world.resolve("192.0.2.1", |query| {
        match query.to == server(BORDER_ROUTER) {
            true => dns64(query),
            false => Says::Nothing,
        }
    });
    assert_eq!(addresses(&report), [v6("64:ff9b:7::c000:201")]);
}

#[test]
fn discovery_gets_its_fair_share_of_the_deadline() {
    let mut world = World::new(Config::default(), without_prefix());
    let report = world.resolve(BROKER, |_| Says::Nothing);
    assert_eq!(
        report.discovery.unwrap().after,
        secs(4),
        "20 s, itself and four sources"
    );
    assert_eq!(
        report.to_string().split("; ").next().unwrap(),
        "no address: network's DNS server fd00::1: no answer in 4.0 s"
    );
}

#[test]
fn a_prefix_found_late_explains_answers_of_before() {
    let config = Config {
        chain: vec![AddressSource::BorderRouter],
        ..Config::default()
    };
    let mut world = World::new(config, without_prefix());
    let report = world.resolve(BROKER, |query| match query.name.as_str() {
        BROKER => says(600, &["64:ff9b:7::c000:201"]),
        _ => Says::Nothing,
    });
    assert_eq!(report.candidates[0].origin, Origin::Native);
    world.now += secs(60);
    let report = world.resolve(BROKER, dns64);
    assert!(report.cached && matches!(report.candidates[0].origin, Origin::Synthesised { .. }));
}
