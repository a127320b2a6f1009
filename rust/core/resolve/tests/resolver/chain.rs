//! The chain of resolvers and its deadline.

use crate::world::*;
use core::net::Ipv4Addr;
use thread_mqtt_resolve::resolver::{AddressSource, Config, Failure, Family, LookupError, Policy};
use thread_mqtt_resolve::{Network, Preference};

const QUAD9: AddressSource = AddressSource::Public(Ipv4Addr::new(9, 9, 9, 9));
const GOOGLE: AddressSource = AddressSource::Public(Ipv4Addr::new(8, 8, 8, 8));
const QUAD9_ADDRESS: &str = "fd64:1::909:909";
const LAST: &str = "192.0.2.99";

fn last() -> AddressSource {
    AddressSource::Literal(ip(LAST))
}

#[test]
fn the_first_usable_answer_wins() {
    let mut world = World::new(Config::default(), thread_network());
    assert_eq!(world.start("Broker.example"), []);
    assert_eq!(
        world.platform_asked,
        [(BROKER.to_string(), Family::Unspecified)]
    );
    assert_eq!(
        world.platform_answers(Ok(&["2001:db8::1", "192.0.2.1", "fd64:1::c000:201"])),
        []
    );
    let report = world.resolver.poll_report().unwrap();
    assert_eq!(
        addresses(&report),
        ["fd64:1::c000:201", "2001:db8::1"].map(v6)
    );
    assert_eq!(
        (report.answered_by, report.server),
        (Some(AddressSource::Platform), None)
    );
    assert_eq!((errors(&report), world.closed), (vec![], 0));
}

#[test]
fn every_link_stands_in_for_the_one_before() {
    let mut world = World::new(Config::default(), thread_network());
    world.start(BROKER);
    let mut queries = world.platform_answers(Err(LookupError::Platform(-11)));
    for address in [BORDER_ROUTER, QUAD9_ADDRESS] {
        assert!(queries.iter().all(|query| query.to == server(address)) && queries.len() == 2);
        assert_eq!(world.answer(&queries[0], &Says::Rcode(2)), []);
        let next = world.answer(&queries[1], &Says::Rcode(5));
        queries = next;
    }
    assert_eq!(queries[0].to, server("fd64:1::808:808"));
    world.answer(&queries[0], &says(60, &["192.0.2.1"]));
    world.answer(&queries[1], &Says::NoData(None));
    let report = world.resolver.poll_report().unwrap();
    assert_eq!(
        (report.answered_by, report.server),
        (Some(GOOGLE), Some(server("fd64:1::808:808")))
    );
    assert_eq!(
        errors(&report),
        [
            (AddressSource::Platform, LookupError::Platform(-11)),
            (AddressSource::BorderRouter, LookupError::ServerFailure),
            (QUAD9, LookupError::ServerFailure),
        ]
    );
    assert_eq!(world.closed, 3, "sockets are closed between servers");
}

#[test]
fn a_configured_answer_is_the_last_resort() {
    let config = asking(&[AddressSource::BorderRouter, QUAD9, last()]);
    let report = World::new(config, thread_network()).resolve(BROKER, |_| Says::NxDomain(None));
    assert_eq!(addresses(&report), [v6("fd64:1::c000:263")]);
    assert_eq!(report.answered_by, Some(last()));
    assert_eq!(
        errors(&report),
        [
            (AddressSource::BorderRouter, LookupError::NameError),
            (QUAD9, LookupError::NameError)
        ]
    );
    let config = asking(&[AddressSource::Literal(ip("2001:db8::9"))]);
    let report = World::new(config, Network::default()).resolve_alone(BROKER);
    assert_eq!(addresses(&report), [v6("2001:db8::9")]);
}

#[test]
fn every_answer_that_is_none_has_its_name() {
    for (reply, error) in [
        (Says::NxDomain(None), LookupError::NameError),
        (Says::NoData(None), LookupError::NoData),
        (Says::Rcode(1), LookupError::ResponseCode(1)),
        (Says::Rcode(2), LookupError::ServerFailure),
        (Says::Rcode(4), LookupError::ResponseCode(4)),
        (Says::Rcode(5), LookupError::Refused),
        (Says::Truncated, LookupError::Truncated),
        (Says::Garbage, LookupError::Malformed),
        (Says::Nothing, LookupError::Timeout),
    ] {
        let mut world = World::new(asking(&[AddressSource::BorderRouter]), thread_network());
        let report = world.resolve(BROKER, |_| reply.clone());
        assert_eq!(errors(&report), [(AddressSource::BorderRouter, error)]);
        assert_eq!(report.failures[0].server, Some(server(BORDER_ROUTER)));
        assert_eq!((report.answered_by, report.candidates.len()), (None, 0));
        assert!(
            report
                .to_string()
                .starts_with("no address: network's DNS server fd00::1: "),
            "{report}"
        );
    }
}

#[test]
fn links_that_cannot_be_asked_fail_at_once() {
    let network = Network {
        dns_servers: vec![],
        ..without_prefix()
    };
    let mut world = World::new(asking(&[AddressSource::BorderRouter, QUAD9]), network);
    let report = world.resolve_alone(BROKER);
    assert_eq!(
        errors(&report),
        [
            (AddressSource::BorderRouter, LookupError::NoServer),
            (QUAD9, LookupError::NoPrefix)
        ]
    );
    assert!(
        report.cure().unwrap().contains("nat64 enable"),
        "NAT64 first: it blocks the broker too"
    );

    let report = World::new(asking(&[]), thread_network()).resolve_alone(BROKER);
    assert_eq!(report.to_string(), "no address: no resolver is configured");
}

#[test]
fn a_name_that_is_none_asks_nobody() {
    let mut world = World::new(asking(&[AddressSource::BorderRouter]), thread_network());
    let name = thread_mqtt_resolve::Host::Name("a..b".into());
    world.resolver.start(&name, &world.network, world.now);
    assert_eq!(world.poll(), []);
    let report = world.resolver.poll_report().unwrap();
    assert_eq!(
        errors(&report),
        [(AddressSource::BorderRouter, LookupError::InvalidName)]
    );
}

#[test]
fn ipv4_answers_without_a_prefix_are_no_answer() {
    let config = Config {
        discover_prefix: false,
        ..asking(&[AddressSource::BorderRouter, last()])
    };
    let mut world = World::new(config, without_prefix());
    let report = world.resolve(BROKER, |_| says(60, &["192.0.2.1"]));
    assert_eq!(
        errors(&report),
        [
            (AddressSource::BorderRouter, LookupError::NoPrefix),
            (last(), LookupError::NoPrefix)
        ]
    );
}

#[test]
fn a_public_server_is_reached_by_every_way_there_is() {
    let mut network = thread_network();
    network
        .prefixes
        .push(advertised(OTHER_PREFIX, Preference::Low));
    let mut world = World::new(asking(&[QUAD9]), network);
    let report = world.resolve(BROKER, |query| match query.to == server(QUAD9_ADDRESS) {
        true => Says::Nothing,
        false => says(60, &["192.0.2.1"]),
    });
    assert_eq!(report.server, Some(server("fd64:2::909:909")));
    assert_eq!(
        report.failures[0].to_string(),
        "public server 9.9.9.9 through fd64:1::909:909: no answer in 6.0 s"
    );

    let native = Network {
        native_ipv4: true,
        ..Network::default()
    };
    let report = World::new(asking(&[QUAD9]), native).resolve(BROKER, |_| says(60, &["192.0.2.1"]));
    assert_eq!(report.server, Some(server("::ffff:9.9.9.9")));
}

#[test]
fn a_laptops_servers_are_named_for_what_they_are() {
    let laptop = Network {
        dns_servers: vec![server("::ffff:10.0.0.53")],
        native_ipv4: true,
        ..Network::default()
    };
    let own = core::net::SocketAddrV6::new(v6("::ffff:10.0.0.7"), 5353, 0, 0);
    let chain = asking(&[
        AddressSource::BorderRouter,
        AddressSource::Server(own),
        QUAD9,
    ]);
    let report = World::new(chain.clone(), laptop.clone()).resolve(BROKER, |_| Says::Rcode(2));
    assert_eq!(
        report.to_string(),
        "no address: network's DNS server 10.0.0.53: the server failed (SERVFAIL); \
         server 10.0.0.7:5353: the server failed (SERVFAIL); \
         public server 9.9.9.9: the server failed (SERVFAIL)"
    );
    let report = World::new(chain, laptop).resolve(BROKER, |_| says(60, &["192.0.2.1"]));
    assert_eq!(
        report.to_string(),
        "network's DNS server 10.0.0.53: 192.0.2.1 in 0.0 s"
    );
}

/// The first of two border routers has no upstream server.
#[test]
fn a_border_router_that_knows_nothing_does_not_speak_for_the_other() {
    let two = Network {
        dns_servers: vec![server("fd00::1"), server("fd00::2")],
        ..thread_network()
    };
    let mut world = World::new(asking(&[AddressSource::BorderRouter]), two);
    for is_known in [false, true] {
        let report = world.resolve("broker.home.arpa", |query| {
            match query.to == server("fd00::1") {
                true => Says::NxDomain(None),
                false => says(60, &["192.0.2.1"]),
            }
        });
        assert_eq!(addresses(&report), [v6("fd64:1::c000:201")]);
        assert_eq!(report.server, Some(server("fd00::2")));
        // The answer is cached, the denial is not.
        assert_eq!(report.cached, is_known);
    }
}

#[test]
fn a_proven_denial_is_not_put_to_the_next_server_of_the_link_but_all_else_is() {
    let two = Network {
        dns_servers: vec![server("fd00::1"), server("fd00::2")],
        ..thread_network()
    };
    let run = |reply: Says| {
        let mut world = World::new(asking(&[AddressSource::BorderRouter]), two.clone());
        let report = world.resolve(BROKER, |_| reply.clone());
        report
            .failures
            .iter()
            .map(|failure| *failure.server.unwrap().ip())
            .collect::<Vec<_>>()
    };
    assert_eq!(run(Says::NxDomain(Some(60))), [v6("fd00::1")]);
    assert_eq!(run(Says::NoData(Some(0))), [v6("fd00::1")]);
    // Without an SOA record.
    assert_eq!(run(Says::NxDomain(None)), [v6("fd00::1"), v6("fd00::2")]);
    assert_eq!(run(Says::NoData(None)), [v6("fd00::1"), v6("fd00::2")]);
    assert_eq!(run(Says::Nothing), [v6("fd00::1"), v6("fd00::2")]);
    assert_eq!(run(Says::Rcode(2)), [v6("fd00::1"), v6("fd00::2")]);
}

#[test]
fn no_more_than_three_servers_of_a_link_are_asked() {
    let servers = (1..9).map(|n| server(&format!("fd00::{n}"))).collect();
    let network = Network {
        dns_servers: servers,
        ..thread_network()
    };
    let report = World::new(asking(&[AddressSource::BorderRouter]), network)
        .resolve(BROKER, |_| Says::Rcode(2));
    assert_eq!(report.failures.len(), 3);
}

#[test]
fn a_server_with_a_port_of_its_own_is_asked_there() {
    let own = core::net::SocketAddrV6::new(v6("fd00::53"), 5353, 0, 0);
    let mut world = World::new(asking(&[AddressSource::Server(own)]), thread_network());
    let report = world.resolve(BROKER, |query| {
        assert_eq!(query.to, own);
        Says::Nothing
    });
    assert_eq!(
        report.failures[0].to_string(),
        "server [fd00::53]:5353: no answer in 6.0 s"
    );
}

// Time.

#[test]
fn a_question_is_sent_again_and_a_late_answer_counts() {
    let config = Config {
        family: Family::Inet,
        ..asking(&[AddressSource::BorderRouter])
    };
    let mut world = World::new(config, thread_network());
    let first = world.start(BROKER);
    assert_eq!(world.resolver.poll_timeout(), Some(world.now + secs(3)));
    assert_eq!(world.pass(ms(2999)), []);
    assert_eq!(
        world.pass(ms(1)),
        first,
        "the same datagram from the same port"
    );
    assert_eq!(world.pass(ms(2999)), []);
    world.answer(&first[0], &says(60, &["192.0.2.1"]));
    assert_eq!(world.resolver.poll_report().unwrap().elapsed, ms(5999));
}

#[test]
fn only_the_unanswered_half_is_sent_again() {
    let config = Config {
        resolution_delay: secs(10),
        ..asking(&[AddressSource::BorderRouter])
    };
    let mut world = World::new(config, thread_network());
    let queries = world.start(BROKER);
    world.answer(&queries[0], &says(60, &["192.0.2.1"]));
    assert_eq!(world.pass(secs(3)), [queries[1].clone()]);
}

#[test]
fn dead_links_share_the_deadline_fairly() {
    let mut world = World::new(Config::default(), thread_network());
    let report = world.resolve(BROKER, |_| Says::Nothing);
    let after = report
        .failures
        .iter()
        .map(|failure| failure.after)
        .collect::<Vec<_>>();
    assert_eq!(after, [secs(5); 4]);
    assert!(
        errors(&report)
            .iter()
            .all(|(_, error)| *error == LookupError::Timeout)
    );
    assert_eq!(report.elapsed, secs(20));
    assert_eq!(
        report.to_string(),
        "no address: platform resolver: no answer in 5.0 s; network's DNS server fd00::1: no answer in 5.0 s; \
         public server 9.9.9.9 through fd64:1::909:909: no answer in 5.0 s; \
         public server 8.8.8.8 through fd64:1::808:808: no answer in 5.0 s"
    );
}

#[test]
fn a_link_that_fails_fast_leaves_its_time_to_the_others() {
    let mut world = World::new(
        Config {
            deadline: secs(10),
            ..Config::default()
        },
        thread_network(),
    );
    world.start(BROKER);
    world.platform_answers(Err(LookupError::Platform(-2)));
    let mut guard = 0;
    while world.resolver.poll_report().is_none() && guard < 100 {
        let next = world.resolver.poll_timeout().unwrap();
        world.pass(next - world.now);
        guard += 1;
    }
    // 10 s are enough for three sources but not for four; two attempts each, so four queries per
    // server.
    assert_eq!(world.queries.len(), 12);
    assert!(
        world.now <= secs(1010) && world.now > secs(1009),
        "{:?}",
        world.now
    );
}

#[test]
fn many_servers_do_not_eat_the_time_of_the_next_link() {
    let servers = (1..4).map(|n| server(&format!("fd00::{n}"))).collect();
    let network = Network {
        dns_servers: servers,
        ..thread_network()
    };
    let mut world = World::new(asking(&[AddressSource::BorderRouter, QUAD9]), network);
    let report = world.resolve(BROKER, |query| match query.to == server(QUAD9_ADDRESS) {
        true => says(60, &["192.0.2.1"]),
        false => Says::Nothing,
    });
    assert_eq!(report.answered_by, Some(QUAD9));
    assert!(report.elapsed <= secs(10), "{:?}", report.elapsed);
}

#[test]
fn links_behind_the_deadline_are_not_asked_but_a_literal_needs_no_time() {
    let mut world = World::new(
        asking(&[AddressSource::BorderRouter, QUAD9, last()]),
        thread_network(),
    );
    world.start(BROKER);
    // The caller was delayed.
    assert_eq!(world.pass(secs(60)), []);
    let report = world.resolver.poll_report().unwrap();
    assert_eq!(
        errors(&report),
        [
            (AddressSource::BorderRouter, LookupError::Timeout),
            (QUAD9, LookupError::Deadline)
        ]
    );
    assert_eq!(report.answered_by, Some(last()));
}

#[test]
fn no_time_at_all_still_ends_in_a_report() {
    let zero = secs(0);
    for config in [
        Config {
            deadline: zero,
            ..Config::default()
        },
        Config {
            attempt_timeout: zero,
            ..Config::default()
        },
        Config {
            attempts: 0,
            attempt_timeout: zero,
            ..Config::default()
        },
    ] {
        let report = World::new(config, thread_network()).resolve(BROKER, |_| Says::Nothing);
        assert_eq!((report.failures.len(), report.elapsed), (4, zero));
    }
}

// The platform's resolver cannot be cancelled.

#[test]
fn a_late_answer_of_the_platform_is_used() {
    let mut world = World::new(Config::default(), thread_network());
    world.start(BROKER);
    assert_eq!(world.pass(secs(5)).len(), 2, "the border router's turn");
    world.platform_answers(Ok(&["192.0.2.1"]));
    let report = world.resolver.poll_report().unwrap();
    assert_eq!(
        (report.answered_by, world.closed),
        (Some(AddressSource::Platform), 1)
    );
    assert_eq!(
        errors(&report),
        [(AddressSource::Platform, LookupError::Timeout)]
    );
}

#[test]
fn late_bad_news_changes_nothing() {
    for answer in [
        Err(LookupError::Platform(-2)),
        Ok(&["0.0.0.0"][..]),
        Ok(&[]),
    ] {
        let mut world = World::new(Config::default(), thread_network());
        world.start(BROKER);
        let queries = world.pass(secs(5));
        assert_eq!(world.platform_answers(answer), []);
        world.answer(&queries[0], &says(60, &["192.0.2.1"]));
        world.answer(&queries[1], &Says::NoData(None));
        let report = world.resolver.poll_report().unwrap();
        assert_eq!(
            errors(&report),
            [(AddressSource::Platform, LookupError::Timeout)]
        );
        assert_eq!(report.answered_by, Some(AddressSource::BorderRouter));
    }
}

#[test]
fn the_platform_is_not_asked_twice_at_a_time() {
    let mut world = World::new(asking(&[AddressSource::Platform]), thread_network());
    world.start(BROKER);
    world.start(BROKER);
    assert_eq!(world.platform_asked.len(), 1);
    // Another name cannot be resolved meanwhile.
    world.start("other.example");
    let report = world.resolver.poll_report().unwrap();
    assert_eq!(
        errors(&report),
        [(AddressSource::Platform, LookupError::PlatformBusy)]
    );
    // The answer is not used for that other name.
    world.start("other.example");
    world.platform_answers(Ok(&["192.0.2.1"]));
    world.resolver.poll_report();
    world.start("other.example");
    assert_eq!(world.platform_asked.len(), 2);
    world.platform_answers(Ok(&["192.0.2.2"]));
    assert_eq!(
        addresses(&world.resolver.poll_report().unwrap()),
        [v6("fd64:1::c000:202")]
    );
}

#[test]
fn the_hint_holds_for_the_platforms_answer_too() {
    let run = |family, answer| {
        let mut world = World::new(
            Config {
                family,
                ..asking(&[AddressSource::Platform])
            },
            thread_network(),
        );
        world.start(BROKER);
        world.platform_answers(Ok(answer));
        let report = world.resolver.poll_report().unwrap();
        (addresses(&report), errors(&report))
    };
    let both = &["192.0.2.1", "2001:db8::1"];
    assert_eq!(run(Family::Inet, both).0, [v6("fd64:1::c000:201")]);
    assert_eq!(run(Family::Inet6, both).0, [v6("2001:db8::1")]);
    assert_eq!(
        run(Family::Inet6, &["192.0.2.1"]).1,
        [(AddressSource::Platform, LookupError::NoData)]
    );
    assert_eq!(
        run(Family::Unspecified, &["::"]).1,
        [(AddressSource::Platform, LookupError::Unusable(ip("::")))]
    );
    assert_eq!(
        run(Family::Unspecified, &["::ffff:192.0.2.1"]).0,
        [v6("fd64:1::c000:201")]
    );
}

#[test]
fn answers_nobody_asked_for_are_ignored() {
    let mut world = World::new(Config::default(), thread_network());
    world.platform_answers(Ok(&["192.0.2.1"]));
    world.pass(secs(1));
    assert_eq!(
        (world.resolver.poll_report(), world.resolver.poll_timeout()),
        (None, None)
    );
}

#[test]
fn starting_again_drops_what_was_under_way() {
    let mut world = World::new(asking(&[AddressSource::BorderRouter]), thread_network());
    let old = world.start(BROKER);
    let new = world.start("other.example");
    assert_eq!((old.len(), new.len(), world.closed), (2, 2, 1));
    world.answer(&old[0], &says(60, &["192.0.2.1"]));
    world.answer(&new[0], &says(60, &["192.0.2.2"]));
    world.answer(&new[1], &Says::NoData(None));
    assert_eq!(
        addresses(&world.resolver.poll_report().unwrap()),
        [v6("fd64:1::c000:202")]
    );

    world.start("third.example");
    assert!(world.resolver.is_busy());
    world.resolver.cancel();
    assert_eq!(world.poll(), []);
    assert_eq!(
        (
            world.closed,
            world.resolver.is_busy(),
            world.resolver.poll_timeout()
        ),
        (3, false, None)
    );
}

#[test]
fn every_error_is_a_sentence_and_all_but_one_have_a_cure() {
    let errors = [
        LookupError::Timeout,
        LookupError::NameError,
        LookupError::NoData,
        LookupError::ServerFailure,
        LookupError::Refused,
        LookupError::ResponseCode(4),
        LookupError::Truncated,
        LookupError::Malformed,
        LookupError::AliasLoop,
        LookupError::Unusable(ip("0.0.0.0")),
        LookupError::NoPrefix,
        LookupError::NoPrefixFound,
        LookupError::NoServer,
        LookupError::InvalidName,
        LookupError::LocalName,
        LookupError::Platform(-11),
        LookupError::PlatformBusy,
        LookupError::Deadline,
    ];
    let texts: Vec<String> = errors.iter().map(|error| error.to_string()).collect();
    for (index, text) in texts.iter().enumerate() {
        assert!(text.len() >= 9 && !texts[..index].contains(text), "{text}");
    }
    let without: Vec<_> = errors
        .iter()
        .filter(|error| error.cure().is_none())
        .collect();
    // The next attempt queries it again.
    assert_eq!(without, [&LookupError::PlatformBusy]);
    let (source, server) = (QUAD9, None);
    let public = Failure {
        source,
        server,
        error: LookupError::Timeout,
        after: ms(1_949),
    };
    assert_eq!(
        public.to_string(),
        "public server 9.9.9.9: no answer in 1.9 s"
    );
    assert_ne!(public.cure(), LookupError::Timeout.cure());
}

#[test]
fn a_forgotten_timeout_is_made_up_for_by_the_next_poll() {
    let mut world = World::new(asking(&[AddressSource::BorderRouter]), thread_network());
    let queries = world.start(BROKER);
    world.now += secs(3);
    assert_eq!(world.poll(), queries);
    world.now += secs(3);
    assert_eq!(world.poll(), []);
    assert_eq!(
        errors(&world.resolver.poll_report().unwrap()),
        [(AddressSource::BorderRouter, LookupError::Timeout)]
    );
}

#[test]
fn a_question_the_platform_was_never_given_does_not_block_it() {
    let mut world = World::new(asking(&[AddressSource::Platform]), thread_network());
    world
        .resolver
        .start(&host(BROKER), &world.network, world.now);
    world.start("other.example");
    assert_eq!(
        world.platform_asked,
        [("other.example".to_string(), Family::Unspecified)]
    );
}

#[test]
fn local_names_stay_in_the_house() {
    for name in [
        "broker.local",
        "x.default.service.arpa",
        "broker.home.arpa",
        "localhost",
        "a.internal",
        "broker.local.",
    ] {
        let mut world = World::new(
            asking(&[AddressSource::BorderRouter, QUAD9]),
            thread_network(),
        );
        let report = world.resolve(name, |query| {
            assert_eq!(query.to, server(BORDER_ROUTER));
            Says::NxDomain(None)
        });
        assert_eq!(errors(&report)[1], (QUAD9, LookupError::LocalName));
    }
    let mut world = World::new(asking(&[QUAD9]), thread_network());
    world.resolve("notlocal", |_| Says::NxDomain(None));
    world.resolve("local.example", |_| Says::NxDomain(None));
    assert_eq!(world.queries.len(), 4);
}

#[test]
fn a_report_holds_at_least_one_candidate() {
    let config = Config {
        max_candidates: 0,
        ..Config::default()
    };
    let report = World::new(config, thread_network()).resolve_alone("192.0.2.1");
    assert_eq!(report.candidates.len(), 1);
}

#[test]
fn a_failure_of_the_platform_keeps_its_meaning() {
    for (error, cure) in [
        (LookupError::NoServer, "enable DNS on the border router"),
        (LookupError::NameError, "dns server upstream enable"),
        (LookupError::Timeout, "a configured DNS server"),
        (LookupError::NoPrefix, "enable NAT64"),
    ] {
        let mut world = World::new(asking(&[AddressSource::Platform]), thread_network());
        world.start(BROKER);
        world.platform_answers(Err(error));
        let report = world.resolver.poll_report().unwrap();
        assert_eq!(errors(&report), [(AddressSource::Platform, error)]);
        let told = report.cure().unwrap_or_default();
        assert!(told.contains(cure), "{error}: {told}");
    }
}

/// RFC 1034 section 3.1: the platform, which may have search domains, is queried for exactly this
/// name.
#[test]
fn a_final_dot_stays() {
    let mut world = World::new(asking(&[AddressSource::Platform]), thread_network());
    world.start("Broker.Example.");
    let asked = ("broker.example.".to_owned(), Family::Unspecified);
    assert_eq!(world.platform_asked, [asked]);
    world.platform_answers(Ok(&["2001:db8::1"]));
    let report = world.resolver.poll_report().unwrap();
    assert_eq!(addresses(&report), [v6("2001:db8::1")]);
    // A server has no search domains, and is queried for the same name with and without the dot.
    let mut world = World::new(asking(&[QUAD9]), thread_network());
    let report = world.resolve("broker.example.", |query| {
        assert_eq!(query.name, BROKER);
        says(60, &["192.0.2.1"])
    });
    assert_eq!(report.candidates.len(), 1);
}

/// If there are more addresses than one attempt tries, each gets its turn, and neither family hides
/// the other.
#[test]
fn addresses_beyond_the_limit_have_their_turn() {
    let many: Vec<_> = (1..=16).map(|n| format!("2001:db8::{n:x}")).collect();
    let many: Vec<_> = many
        .iter()
        .map(String::as_str)
        .chain(["192.0.2.1"])
        .collect();
    let config = Config {
        policy: Policy::PreferNative,
        ..asking(&[AddressSource::Platform])
    };
    let mut world = World::new(config, thread_network());
    let mut resolve = || {
        world.start(BROKER);
        world.platform_answers(Ok(&many));
        let report = world.resolver.poll_report().unwrap();
        world.resolver.forget(&host(BROKER));
        addresses(&report)
    };
    let (first, second) = (resolve(), resolve());
    assert_eq!(
        first,
        many[..12].iter().map(|text| v6(text)).collect::<Vec<_>>()
    );
    let behind = many[12..16].iter().chain(&["fd64:1::c000:201"]);
    let around = many[..7].iter();
    let expected: Vec<_> = behind.chain(around).map(|text| v6(text)).collect();
    assert_eq!(second, expected);
}
