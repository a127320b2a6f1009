//! Names: families, order, DNS64, aliases, the two halves of an answer.

use crate::world::*;
use thread_mqtt_resolve::resolver::{
    AddressSource, Config, Family, LookupError, Origin, Policy, Report,
};
use thread_mqtt_resolve::{Network, Preference, Prefix};

const DUAL: &[&str] = &["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"];

fn border_router() -> Config {
    asking(&[AddressSource::BorderRouter])
}

fn resolve(config: Config, records: &[&str]) -> (Report, World) {
    let mut world = World::new(config, thread_network());
    let reply = says(60, records);
    let report = world.resolve("Broker.Example", |query| {
        assert_eq!(
            (query.name.as_str(), query.to),
            (BROKER, server(BORDER_ROUTER))
        );
        reply.clone()
    });
    (report, world)
}

fn ordered(policy: Policy) -> Vec<String> {
    let (report, _) = resolve(
        Config {
            policy,
            ..border_router()
        },
        DUAL,
    );
    addresses(&report)
        .iter()
        .map(|address| address.to_string())
        .collect()
}

#[test]
fn dual_stack_in_every_order() {
    let (one, two) = ("fd64:1::c000:201", "fd64:1::c000:202");
    assert_eq!(
        ordered(Policy::PreferNat64),
        [one, two, "2001:db8::1", "2001:db8::2"]
    );
    assert_eq!(
        ordered(Policy::PreferNative),
        ["2001:db8::1", "2001:db8::2", one, two]
    );
    assert_eq!(
        ordered(Policy::Interleaved),
        ["2001:db8::1", one, "2001:db8::2", two]
    );
}

#[test]
fn interleaving_goes_on_when_one_side_is_exhausted() {
    let config = || Config {
        policy: Policy::Interleaved,
        ..border_router()
    };
    let (report, _) = resolve(
        config(),
        &["192.0.2.1", "2001:db8::1", "2001:db8::2", "2001:db8::3"],
    );
    let expected = [
        "2001:db8::1",
        "fd64:1::c000:201",
        "2001:db8::2",
        "2001:db8::3",
    ];
    assert_eq!(addresses(&report), expected.map(v6));
    let (report, _) = resolve(config(), &["192.0.2.1", "192.0.2.2"]);
    assert_eq!(
        addresses(&report),
        ["fd64:1::c000:201", "fd64:1::c000:202"].map(v6)
    );
}

#[test]
fn every_family_asks_for_what_it_wants_only() {
    for (family, types, expected) in [
        (Family::Unspecified, &[A, AAAA][..], 4),
        (Family::Inet, &[A], 2),
        (Family::Inet6, &[AAAA], 2),
    ] {
        let (report, world) = resolve(
            Config {
                family,
                ..border_router()
            },
            DUAL,
        );
        let asked: Vec<u16> = world
            .queries
            .iter()
            .map(|query| query.record_type)
            .collect();
        assert_eq!(
            (asked.as_slice(), report.candidates.len()),
            (types, expected),
            "{family:?}"
        );
        assert_eq!(world.closed, 1);
    }
}

#[test]
fn single_stack_names_resolve_and_misfits_say_so() {
    let run = |family, records: &[&str]| {
        let (report, _) = resolve(
            Config {
                family,
                ..border_router()
            },
            records,
        );
        (addresses(&report), errors(&report))
    };
    let no_data = vec![(AddressSource::BorderRouter, LookupError::NoData)];
    let (ipv4, ipv6) = (["192.0.2.1"], ["2001:db8::1"]);
    assert_eq!(
        run(Family::Unspecified, &ipv4),
        (vec![v6("fd64:1::c000:201")], vec![])
    );
    assert_eq!(
        run(Family::Unspecified, &ipv6),
        (vec![v6("2001:db8::1")], vec![])
    );
    assert_eq!(run(Family::Inet, &ipv6), (vec![], no_data.clone()));
    assert_eq!(run(Family::Inet6, &ipv4), (vec![], no_data));
}

#[test]
fn of_one_ipv4_address_every_prefix_is_tried_before_the_next() {
    let mut network = thread_network();
    network
        .prefixes
        .push(advertised(OTHER_PREFIX, Preference::High));
    let mut world = World::new(border_router(), network);
    let report = world.resolve(BROKER, |_| says(60, &["192.0.2.1", "192.0.2.2"]));
    let expected = [
        "fd64:2::c000:201",
        "fd64:1::c000:201",
        "fd64:2::c000:202",
        "fd64:1::c000:202",
    ];
    assert_eq!(addresses(&report), expected.map(v6));
}

#[test]
fn candidates_are_bounded() {
    let (report, _) = resolve(
        Config {
            max_candidates: 3,
            ..border_router()
        },
        DUAL,
    );
    assert_eq!(report.candidates.len(), 3);
}

#[test]
fn native_ipv4_maps_a_records() {
    let network = Network {
        native_ipv4: true,
        ..thread_network()
    };
    let report = World::new(border_router(), network).resolve(BROKER, |_| says(60, &["192.0.2.1"]));
    assert_eq!(addresses(&report), [v6("::ffff:192.0.2.1")]);
}

#[test]
fn a_dns64s_answer_is_recognised_and_not_doubled() {
    let records = [
        "192.0.2.1",
        "fd64:1::c000:201",
        "fd64:1::c000:202",
        "2001:db8::1",
    ];
    let (report, _) = resolve(border_router(), &records);
    assert_eq!(
        addresses(&report),
        ["fd64:1::c000:201", "fd64:1::c000:202", "2001:db8::1"].map(v6)
    );
    let is_native = |origin| matches!(origin, Origin::Native);
    let native: Vec<bool> = report
        .candidates
        .iter()
        .map(|candidate| is_native(candidate.origin))
        .collect();
    assert_eq!(native, [false, false, true]);
}

#[test]
fn a_dns64s_answer_counts_as_ipv6_to_the_hint() {
    let (report, _) = resolve(
        Config {
            family: Family::Inet6,
            ..border_router()
        },
        &["fd64:1::c000:201"],
    );
    assert_eq!(addresses(&report), [v6("fd64:1::c000:201")]);
    assert!(matches!(
        report.candidates[0].origin,
        Origin::Synthesised { .. }
    ));
}

/// The sentence and the cure for addresses that no broker can have.
#[test]
fn addresses_that_lead_to_no_broker_are_no_answer() {
    for (records, says, cure) in [
        (
            &["0.0.0.0", "::"][..],
            "0.0.0.0, the unspecified address",
            "block list",
        ),
        (
            &["255.255.255.255"],
            "255.255.255.255, a reserved address",
            "correct the address",
        ),
        (
            &["224.0.0.1", "ff02::1"],
            "224.0.0.1, a multicast address",
            "correct the address",
        ),
        (
            &["127.0.0.1", "::1"],
            "127.0.0.1, the loopback address of this device",
            "reach",
        ),
        (&["::1"], "::1, the loopback address", "reach"),
        (
            &["169.254.7.7"],
            "169.254.7.7, a link-local address",
            "routed",
        ),
        (&["fe80::7"], "fe80::7, a link-local address", "routed"),
        // A DNS64's answer with the well-known prefix is no better than the address in it.
        (
            &["64:ff9b::10.1.2.3"],
            "64:ff9b::a01:203, a private address",
            "its own NAT64 prefix",
        ),
        (
            &["64:ff9b::127.0.0.1"],
            "64:ff9b::7f00:1, the loopback address",
            "reach",
        ),
        // Neither is one with the network's own prefix.
        (
            &["fd64:1::127.0.0.1"],
            "127.0.0.1, the loopback address",
            "reach",
        ),
    ] {
        let (report, _) = resolve(border_router(), records);
        let [(AddressSource::BorderRouter, error @ LookupError::Unusable(_))] = errors(&report)[..]
        else {
            panic!("{records:?}: {report}");
        };
        let says = format!("no usable address: {says}");
        assert!(error.to_string().starts_with(&says), "{error}");
        assert!(error.cure().unwrap().contains(cure), "{error}");
    }
    let mixed = [
        "0.0.0.0",
        "127.0.0.1",
        "fe80::7",
        "192.0.2.1",
        "2001:db8::1",
    ];
    let (report, _) = resolve(border_router(), &mixed);
    let usable = ["fd64:1::c000:201", "2001:db8::1"];
    assert_eq!(addresses(&report), usable.map(v6));
}

/// RFC 6052 section 3.1. The network's own prefix may carry them: a broker at home.
#[test]
fn private_addresses_need_a_prefix_of_the_networks_own() {
    let through = |prefixes: &[&str], record: &str| {
        let network = Network {
            prefixes: prefixes
                .iter()
                .map(|prefix| advertised(prefix, Preference::Medium))
                .collect(),
            ..thread_network()
        };
        World::new(border_router(), network).resolve(BROKER, |_| says(60, &[record]))
    };
    for private in ["10.1.2.3", "172.16.0.1", "192.168.1.10", "100.64.0.1"] {
        let report = through(&["64:ff9b::/96"], private);
        let error = errors(&report)[0].1;
        assert_eq!(error, LookupError::Unusable(ip(private)));
        assert!(error.to_string().contains("RFC 6052 section 3.1"));
        assert!(report.cure().unwrap().contains("IPv6 address"));

        let report = through(&["64:ff9b::/96", PREFIX], private);
        let [only] = report.candidates[..] else {
            panic!("{report}");
        };
        assert!(PREFIX.parse::<Prefix>().unwrap().contains(only.address));
        // Without any prefix, the prefix is what is missing.
        assert_eq!(errors(&through(&[], private))[0].1, LookupError::NoPrefix);
    }
    assert_eq!(
        through(&["64:ff9b::/96"], "198.51.100.1").candidates.len(),
        1
    );
}

/// On a laptop a name may refer to the laptop itself.
#[test]
fn loopback_is_a_broker_for_a_host_with_ipv4() {
    let laptop = Network {
        native_ipv4: true,
        ..without_prefix()
    };
    let records = ["127.0.1.1", "::1", "192.168.1.10", "169.254.7.7", "fe80::1"];
    let report = World::new(border_router(), laptop).resolve("laptop.test", |_| says(60, &records));
    let found: Vec<_> = report.candidates.iter().map(ToString::to_string).collect();
    assert_eq!(found, ["127.0.1.1", "192.168.1.10", "169.254.7.7", "::1"]);
}

/// RFC 6761 section 6.3.
#[test]
fn localhost_is_this_host_everywhere() {
    for name in ["localhost", "broker.localhost"] {
        let mut world = World::new(border_router(), thread_network());
        let report = world.resolve(name, |_| says(60, &["::1"]));
        assert_eq!(addresses(&report), [v6("::1")]);
    }
}

/// A chain of aliases too long for a datagram omits the addresses; its end is queried.
#[test]
fn a_chain_of_aliases_that_was_cut_is_asked_for_from_its_end() {
    let mut world = World::new(border_router(), thread_network());
    let report = world.resolve(BROKER, |query| match query.name.as_str() {
        BROKER => Says::CutAlias("hub.test"),
        "hub.test" => Says::CutAlias("edge.test"),
        name => {
            assert_eq!(name, "edge.test");
            says(600, &["192.0.2.1"])
        }
    });
    assert_eq!(addresses(&report), [v6("fd64:1::c000:201")]);
    // If a server never sends the rest, the resolver gives up.
    let mut world = World::new(border_router(), thread_network());
    let report = world.resolve(BROKER, |_| Says::CutAlias("hub.test"));
    assert_eq!(errors(&report)[0].1, LookupError::AliasLoop);
}

#[test]
fn an_error_without_its_question_is_heard_at_once() {
    for (rcode, error) in [
        (1, LookupError::ResponseCode(1)),
        (2, LookupError::ServerFailure),
        (3, LookupError::NameError),
        (5, LookupError::Refused),
    ] {
        let mut world = World::new(border_router(), thread_network());
        let report = world.resolve(BROKER, |_| Says::Bare(rcode));
        assert_eq!(errors(&report)[0].1, error);
        assert_eq!(report.elapsed, secs(0));
    }
}

#[test]
fn an_open_alias_is_followed_with_a_new_question() {
    let mut world = World::new(
        Config {
            family: Family::Inet,
            ..border_router()
        },
        thread_network(),
    );
    let report = world.resolve(BROKER, |query| match query.name.as_str() {
        BROKER => Says::Alias("cdn.test"),
        name => {
            assert_eq!(name, "cdn.test");
            says(600, &["192.0.2.1"])
        }
    });
    assert_eq!(addresses(&report), [v6("fd64:1::c000:201")]);
    let [first, second] = &world.queries[..] else {
        panic!("{:?}", world.queries)
    };
    assert_eq!(first.from_port, second.from_port);
    assert_ne!(first.id(), second.id());
    // The cached answer is valid as long as the alias: 60 s.
    world.now += secs(59);
    assert!(world.resolve_alone(BROKER).cached);
    world.now += secs(1);
    assert!(!world.resolve(BROKER, |_| says(1, &["192.0.2.1"])).cached);
}

/// The server asks others for each name, which takes time.
#[test]
fn each_question_for_the_target_of_an_alias_has_its_own_time() {
    for (says_address, error) in [(true, None), (false, Some("no answer in 6.0 s"))] {
        let mut world = World::new(border_router(), thread_network());
        let mut queries = world.start(BROKER);
        for alias in ["a.test", "b.test"] {
            // Each was sent twice.
            assert_eq!(world.pass(secs(3)).len(), 2);
            world.now += secs(2);
            queries = (queries.iter())
                .flat_map(|query| world.answer(query, &Says::Alias(alias)))
                .collect();
        }
        assert_eq!(world.pass(secs(3)).len(), 2);
        world.now += secs(2);
        for query in &queries {
            match says_address {
                true => world.answer(query, &says(60, &["192.0.2.1"])),
                false => world.pass(secs(1)),
            };
        }
        let report = world.resolver.poll_report().unwrap();
        let failure = report.failures.first().map(ToString::to_string);
        assert_eq!(report.candidates.is_empty(), error.is_some());
        assert_eq!(
            failure.as_deref(),
            error
                .map(|error| format!("network's DNS server fd00::1: {error}"))
                .as_deref()
        );
    }
}

/// Even a slow server has no more time than the whole resolution.
#[test]
fn slow_aliases_end_at_the_deadline() {
    let mut world = World::new(border_router(), thread_network());
    let began = world.now;
    let mut queries = world.start(BROKER);
    while !queries.is_empty() && world.now < began + secs(20) {
        world.now += secs(3);
        queries = world.answer(&queries[0], &Says::Alias("a.test"));
    }
    world.now = began + secs(20);
    world.resolver.handle_timeout(world.now);
    assert!(world.resolver.poll_report().unwrap().candidates.is_empty());
}

#[test]
fn open_aliases_without_end_are_a_loop() {
    let mut world = World::new(border_router(), thread_network());
    let report = world.resolve(BROKER, |query| match query.name.as_str() {
        "there.test" => Says::Alias("back.test"),
        _ => Says::Alias("there.test"),
    });
    assert_eq!(
        errors(&report),
        [(AddressSource::BorderRouter, LookupError::AliasLoop)]
    );
    assert_eq!(
        world.queries.len(),
        2 * 9,
        "each half asked, and eight targets followed"
    );
}

/// One alias per answer, as from servers without recursion: as many as in a single answer.
#[test]
fn eight_aliases_are_followed_one_by_one() {
    const CHAIN: [&str; 8] = [
        "a.test", "b.test", "c.test", "d.test", "e.test", "f.test", "g.test", "h.test",
    ];
    let mut world = World::new(border_router(), thread_network());
    let report = world.resolve(BROKER, |query| {
        let place = CHAIN.iter().position(|name| *name == query.name);
        match CHAIN.get(place.map_or(0, |place| place + 1)) {
            Some(next) => Says::Alias(next),
            None => says(60, &["192.0.2.1"]),
        }
    });
    assert_eq!(addresses(&report), [v6("fd64:1::c000:201")]);
}

/// After the addresses of the available half have failed.
#[test]
fn a_patient_resolution_waits_for_both_halves() {
    let mut world = World::new(border_router(), thread_network());
    let slow_a = |world: &mut World| {
        let queries = world.start(BROKER);
        world.answer(&queries[1], &says(60, &["2001:db8::1"]));
        world.pass(secs(2));
        world.answer(&queries[0], &says(60, &["192.0.2.1"]));
        world.resolver.poll_report().unwrap()
    };
    let report = slow_a(&mut world);
    assert_eq!((report.candidates.len(), report.half_missing), (1, true));
    world.resolver.forget(&host(BROKER));
    world.resolver.set_patient(true);
    let report = slow_a(&mut world);
    assert_eq!((report.candidates.len(), report.half_missing), (2, false));
}

#[test]
fn the_missing_half_is_waited_for_a_little() {
    for (present, record, address) in [
        (A, "192.0.2.1", "fd64:1::c000:201"),
        (AAAA, "2001:db8::1", "2001:db8::1"),
    ] {
        let mut world = World::new(border_router(), thread_network());
        let began = world.now;
        let report = world.resolve(BROKER, |query| match query.record_type == present {
            true => says(3600, &[record]),
            false => Says::Nothing,
        });
        assert_eq!(addresses(&report), [v6(address)]);
        assert_eq!((report.elapsed, world.now - began), (secs(1), secs(1)));
        // It is queried again soon, although the available half is valid for an hour.
        world.now += secs(60);
        let report = world.resolve(BROKER, |_| says(3600, DUAL));
        assert_eq!((report.cached, report.candidates.len()), (false, 4));
    }
}

/// The first half leads nowhere here, so the other one gets the full time and is queried again.
#[test]
fn a_half_that_cannot_be_used_does_not_end_the_wait() {
    for (network, first, useless, good) in [
        (without_prefix(), A, "192.0.2.1", "2001:db8::1"),
        (thread_network(), AAAA, "fe80::1", "192.0.2.1"),
        (thread_network(), A, "127.0.0.1", "2001:db8::1"),
    ] {
        let config = Config {
            discover_prefix: false,
            ..border_router()
        };
        let mut world = World::new(config, network);
        let began = world.now;
        let mut asked = 0;
        let report = world.resolve(BROKER, |query| {
            if query.record_type == first {
                return says(60, &[useless]);
            }
            asked += 1;
            match asked {
                1 => Says::Nothing,
                _ => says(60, &[good]),
            }
        });
        assert_eq!((report.candidates.len(), asked), (1, 2), "{useless}");
        assert_eq!(world.now - began, secs(3));
    }
}

#[test]
fn the_other_half_within_the_delay_is_taken() {
    let mut world = World::new(border_router(), thread_network());
    let queries = world.start(BROKER);
    world.answer(&queries[0], &says(60, &["192.0.2.1"]));
    world.pass(ms(999));
    assert_eq!(world.resolver.poll_report(), None);
    world.answer(&queries[1], &says(60, &["2001:db8::1"]));
    assert_eq!(world.resolver.poll_report().unwrap().candidates.len(), 2);
}

#[test]
fn one_half_denied_does_not_delay_the_other() {
    // RFC 4074 section 4.2: some servers deny the whole name when queried for AAAA.
    for denial in [
        Says::NoData(None),
        Says::NxDomain(Some(60)),
        Says::Rcode(2),
        Says::Truncated,
    ] {
        let mut world = World::new(border_router(), thread_network());
        let report = world.resolve(BROKER, |query| match query.record_type {
            A => says(60, &["192.0.2.1"]),
            _ => denial.clone(),
        });
        assert_eq!(addresses(&report), [v6("fd64:1::c000:201")]);
        assert_eq!(report.elapsed, secs(0));
    }
}

#[test]
fn of_two_failing_halves_the_uncertain_one_is_reported() {
    let run = |a: Says, aaaa: Says| {
        let mut world = World::new(border_router(), thread_network());
        let report = world.resolve(BROKER, |query| {
            if query.record_type == A {
                a.clone()
            } else {
                aaaa.clone()
            }
        });
        errors(&report)[0].1
    };
    let no_data = || Says::NoData(None);
    let no_name = || Says::NxDomain(None);
    assert_eq!(run(no_name(), no_name()), LookupError::NameError);
    assert_eq!(run(no_data(), no_name()), LookupError::NoData);
    assert_eq!(run(no_name(), no_data()), LookupError::NoData);
    assert_eq!(run(Says::Nothing, no_data()), LookupError::Timeout);
    assert_eq!(run(no_name(), Says::Rcode(2)), LookupError::ServerFailure);
}
