//! Servers queried over TCP if datagrams do not suffice.

use crate::world::*;
use thread_mqtt_resolve::resolver::{AddressSource, LookupError, UdpError};

fn world() -> World {
    let config = asking(&[AddressSource::BorderRouter]);
    assert!(config.tcp, "the default of a build that has it");
    World::as_configured(config, thread_network())
}

#[test]
fn what_does_not_fit_into_a_datagram_is_asked_over_tcp() {
    let mut world = world();
    let sent = world.start(BROKER);
    assert_eq!(world.answer(&sent[0], &Says::Truncated), []);
    assert_eq!(world.tcp_asked, [server(BORDER_ROUTER)]);
    // The other answer arrives by datagram meanwhile; a second truncated one is ignored.
    world.answer(&sent[1], &Says::NoData(None));
    world.answer(&sent[0], &Says::Truncated);
    let asked = world.tcp_connects();
    assert_eq!(
        asked.iter().map(|query| &query.name).collect::<Vec<_>>(),
        [BROKER]
    );
    assert_eq!(asked[0].record_type, A);
    world.tcp_answers(&asked[0], &says(60, &["192.0.2.1"]));
    let report = world.resolver.poll_report().unwrap();
    assert_eq!(addresses(&report), [v6("fd64:1::c000:201")]);
    assert_eq!((world.closed, world.tcp_closed), (1, 1));
    assert!(!world.resolver.uses_tcp());
}

/// Both over one connection, answered in the other order, following an alias.
#[test]
fn one_connection_has_all_questions() {
    let mut world = world();
    let sent = world.start(BROKER);
    for query in &sent {
        world.answer(query, &Says::Truncated);
    }
    assert_eq!(world.tcp_asked.len(), 1);
    let asked = world.tcp_connects();
    assert_eq!(asked.len(), 2);
    world.tcp_answers(&asked[1], &says(60, &["2001:db8::1"]));
    world.tcp_answers(&asked[0], &Says::Alias("cdn.test"));
    let followed = world.tcp_sent();
    assert_eq!((followed.len(), &*followed[0].name), (1, "cdn.test"));
    assert_ne!(followed[0].id(), asked[0].id());
    world.tcp_answers(&followed[0], &says(60, &["192.0.2.1"]));
    let report = world.resolver.poll_report().unwrap();
    assert_eq!(report.candidates.len(), 2);
}

/// The second datagram is read when the connection is open: its query is sent over it, too.
#[test]
fn a_cut_answer_that_comes_when_the_connection_is_open() {
    let mut world = world();
    let sent = world.start(BROKER);
    world.answer(&sent[0], &Says::Truncated);
    world.resolver.handle_tcp_connected();
    world.answer(&sent[1], &Says::Truncated);
    let asked = world.tcp_sent();
    assert_eq!(asked.len(), 2);
    world.tcp_answers(&asked[0], &says(60, &["192.0.2.1"]));
    world.tcp_answers(&asked[1], &says(60, &["2001:db8::1"]));
    let report = world.resolver.poll_report().unwrap();
    assert_eq!(report.candidates.len(), 2);
}

/// Some networks block UDP port 53: the last attempt is over TCP.
#[test]
fn a_server_that_datagrams_do_not_reach() {
    let mut world = world();
    world.start(BROKER);
    let mut datagrams = 2;
    while world.tcp_asked.is_empty() {
        let next = world.resolver.poll_timeout().unwrap();
        datagrams += world.pass(next - world.now).len();
    }
    assert_eq!(datagrams, 4, "two attempts first");
    let asked = world.tcp_connects();
    world.tcp_answers(&asked[0], &says(60, &["192.0.2.1"]));
    world.tcp_answers(&asked[1], &Says::NoData(None));
    let report = world.resolver.poll_report().unwrap();
    assert_eq!(addresses(&report), [v6("fd64:1::c000:201")]);
}

#[test]
fn without_tcp_either_the_first_cause_is_told() {
    for (says, error) in [
        (Says::Truncated, LookupError::Truncated),
        (Says::Nothing, LookupError::Timeout),
    ] {
        for connects in [false, true] {
            let mut world = world();
            for query in world.start(BROKER) {
                world.answer(&query, &says);
            }
            while world.tcp_asked.is_empty() {
                let next = world.resolver.poll_timeout().unwrap();
                world.pass(next - world.now);
            }
            if connects {
                world.tcp_connects();
            }
            world.tcp_ends();
            // Even if it accepts the connection and closes it: the cure is not to check that it is
            // up.
            let report = world.resolver.poll_report().unwrap();
            assert_eq!(errors(&report), [(AddressSource::BorderRouter, error)]);
            assert_eq!(world.tcp_closed, 1);
        }
    }
}

/// RFC 7766 section 6.2.4. The rest is queried over another connection, as long as each one has an
/// answer.
#[test]
fn a_server_that_closes_after_each_answer() {
    let mut world = world();
    for query in world.start(BROKER) {
        world.answer(&query, &Says::Truncated);
    }
    let asked = world.tcp_connects();
    world.tcp_answers(&asked[0], &Says::Alias("cdn.test"));
    assert_eq!(world.tcp_sent()[0].name, "cdn.test");
    assert_eq!(world.tcp_ends(), [], "not by datagram");
    assert_eq!(world.tcp_asked.len(), 2);
    let asked = world.tcp_connects();
    assert_eq!((asked.len(), &*asked[0].name), (2, "cdn.test"));
    world.tcp_answers(&asked[1], &says(60, &["2001:db8::1"]));
    world.tcp_ends();
    let asked = world.tcp_connects();
    assert_eq!((asked.len(), world.tcp_asked.len()), (1, 3));
    world.tcp_ends();
    let report = world.resolver.poll_report().unwrap();
    assert_eq!(addresses(&report), [v6("2001:db8::1")]);
    assert_eq!((world.tcp_asked.len(), world.tcp_closed), (3, 1));
}

/// The short wait is for an answer that may be lost, not for one that is being fetched.
#[test]
fn a_half_that_was_cut_is_waited_for() {
    let mut world = world();
    let sent = world.start(BROKER);
    world.answer(&sent[1], &says(60, &["2001:db8::1"]));
    world.answer(&sent[0], &Says::Truncated);
    world.pass(secs(2));
    assert_eq!(world.resolver.poll_report(), None);
    let asked = world.tcp_connects();
    world.tcp_answers(&asked[0], &says(60, &["192.0.2.1"]));
    assert_eq!(world.resolver.poll_report().unwrap().candidates.len(), 2);
}

/// It accepts the connection and sends nothing more.
#[test]
fn a_server_that_cuts_and_is_silent_over_tcp() {
    let mut world = world();
    for query in world.start(BROKER) {
        world.answer(&query, &Says::Truncated);
    }
    world.tcp_connects();
    while world.resolver.is_busy() {
        let next = world.resolver.poll_timeout().unwrap();
        world.pass(next - world.now);
    }
    let report = world.resolver.poll_report().unwrap();
    let error = (AddressSource::BorderRouter, LookupError::Truncated);
    assert_eq!(errors(&report), [error]);
}

/// The half that fits is not lost with the connection for the other.
#[test]
fn a_server_without_tcp_still_answers_by_datagram() {
    let mut world = world();
    let sent = world.start(BROKER);
    world.answer(&sent[1], &Says::Truncated);
    world.tcp_ends();
    assert_eq!(
        world.tcp_closed, 1,
        "at once, or its end would wake the port for ever"
    );
    assert_eq!(world.resolver.poll_report(), None);
    world.answer(&sent[0], &says(60, &["192.0.2.1"]));
    let report = world.resolver.poll_report().unwrap();
    assert_eq!(addresses(&report), [v6("fd64:1::c000:201")]);
}

/// The connection is closed if the resolution is cancelled or starts over, and the deadline holds.
#[test]
fn a_connection_does_not_outlive_its_exchange() {
    for end in [
        (|world: &mut World| world.resolver.cancel()) as fn(&mut World),
        |world| assert!(!world.change(without_prefix())),
        |world| drop(world.pass(secs(60))),
    ] {
        let mut world = world();
        for query in world.start(BROKER) {
            world.answer(&query, &Says::Truncated);
        }
        world.tcp_connects();
        end(&mut world);
        world.poll();
        assert_eq!(world.tcp_closed, 1);
        assert!(!world.resolver.uses_tcp());
        // Late input has no effect.
        world.resolver.handle_tcp_connected();
        world.resolver.handle_tcp_data(&[0, 1, 2], world.now);
        world.tcp_ends();
        assert_eq!(world.tcp_closed, 1);
    }
}

#[test]
fn a_message_that_is_too_large_ends_it() {
    let mut world = world();
    for query in world.start(BROKER) {
        world.answer(&query, &Says::Truncated);
    }
    world.tcp_connects();
    world.resolver.handle_tcp_data(&[0xff, 0xff], world.now);
    world.poll();
    let report = world.resolver.poll_report().unwrap();
    let error = (AddressSource::BorderRouter, LookupError::Truncated);
    assert_eq!(errors(&report), [error]);
    assert_eq!(world.tcp_closed, 1);
}

/// The network reports that datagrams do not arrive: TCP is tried at once, because a firewall may
/// block only those.
#[test]
fn a_server_that_datagrams_cannot_reach() {
    for (error, told) in [
        (UdpError::Unreachable, LookupError::Unreachable),
        (UdpError::Refused, LookupError::NotListening),
    ] {
        for answers in [true, false] {
            let mut world = world();
            let began = world.now;
            world.start(BROKER);
            let elsewhere = server("2001:db8::1");
            world
                .resolver
                .handle_undelivered(elsewhere, error, world.now);
            assert_eq!(world.poll(), []);
            assert_eq!(world.tcp_asked, [], "of another server");
            let at = server(BORDER_ROUTER);
            // For each of the two.
            world.resolver.handle_undelivered(at, error, world.now);
            world.resolver.handle_undelivered(at, error, world.now);
            assert_eq!(world.poll(), []);
            assert_eq!(world.tcp_asked, [at]);
            if answers {
                let asked = world.tcp_connects();
                world.tcp_answers(&asked[0], &says(60, &["192.0.2.1"]));
                world.tcp_answers(&asked[1], &Says::NoData(None));
                let report = world.resolver.poll_report().unwrap();
                assert_eq!(addresses(&report), [v6("fd64:1::c000:201")]);
            } else {
                world.tcp_ends();
                let report = world.resolver.poll_report().unwrap();
                assert_eq!(errors(&report), [(AddressSource::BorderRouter, told)]);
            }
            assert_eq!(world.now, began);
        }
    }
}
