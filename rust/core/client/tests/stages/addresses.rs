//! Several addresses, and when a name is resolved again.
use super::*;

fn two_addresses(server: peer::Config, uri: &str) -> World {
    let mut world = World::new(config(uri), server);
    world.network = attached();
    world.answer = Some(Ok(vec![ip("192.0.2.1"), ip("192.0.2.2")]));
    world
}

fn synthesised(ipv4: &str) -> std::net::Ipv6Addr {
    prefix().prefix.embed(ipv4.parse().unwrap())
}

#[test]
fn an_address_that_refuses_makes_room_for_the_next() {
    for path in [Path::Refused, Path::Unreachable] {
        let mut world = two_addresses(plain(), "mqtt://broker.example.com");
        world.routes.insert(synthesised("192.0.2.1"), path);
        world.start();
        world.run_until_online(s(1));
        assert_eq!(world.connects.len(), 2);
        let failed = world.events.iter().find_map(|(_, event)| match event {
            Event::CandidateFailed(candidate, cause) => Some((candidate.address, cause.clone())),
            _ => None,
        });
        let error = match path {
            Path::Refused => TcpError::Refused,
            _ => TcpError::Unreachable,
        };
        assert_eq!(failed, Some((synthesised("192.0.2.1"), Cause::Tcp(error))));
        assert!(world.failures().is_empty());
    }
}

#[test]
fn a_silent_address_makes_room_after_three_seconds() {
    let mut world = two_addresses(plain(), "mqtt://broker.example.com");
    world
        .routes
        .insert(synthesised("192.0.2.1"), Path::BlackHole);
    world.start();
    world.run_for(s(3) - Duration::from_millis(1));
    assert_eq!(world.connects.len(), 1);
    world.run_for(Duration::from_millis(1));
    assert_eq!(world.connects.len(), 2);
    assert_eq!(world.aborted, Some(true));
    world.run_until_online(s(1));
}

#[test]
fn when_no_address_connects_the_attempt_has_failed_with_the_last_cause() {
    let mut world = two_addresses(plain(), "mqtt://broker.example.com");
    world
        .routes
        .insert(synthesised("192.0.2.1"), Path::BlackHole);
    world.routes.insert(synthesised("192.0.2.2"), Path::Refused);
    world.start();
    let (stage, cause, retry_in) = world.run_until_failed(s(20));
    assert_eq!((stage, cause), (Stage::Tcp, Cause::Tcp(TcpError::TimedOut)));
    let pause = retry_in.unwrap();
    assert!(pause <= s(2), "{pause:?}");
    // The silent one was tried twice, the second time with the full time.
    assert!(world.now >= s(13));
    assert_eq!(world.connects.len(), 3);

    let failed_at = world.now;
    world.run_until(s(60), |world| world.connects.len() > 3);
    assert_eq!(world.now, failed_at + pause);
}

/// Creates a client that queries the DNS server of its network.
fn asking(server: peer::Config) -> World {
    let mut config = config("mqtt://broker.example.com");
    config.resolver.chain = vec![AddressSource::BorderRouter];
    let mut world = World::new(config, server);
    world.network = Network {
        dns_servers: vec!["[fd00::53]:53".parse().unwrap()],
        ..attached()
    };
    world
}

#[test]
fn a_name_whose_addresses_are_all_dead_is_asked_for_again() {
    let mut world = asking(plain());
    world.dns = Some(Ipv4Addr::new(192, 0, 2, 1));
    world.routes.insert(synthesised("192.0.2.1"), Path::Refused);
    world.start();
    world.run_until_failed(s(5));
    // It has moved; the cache would keep its answer for an hour.
    world.dns = Some(Ipv4Addr::new(192, 0, 2, 2));
    world.run_until_online(s(5));
    assert_eq!(*world.connects[1].ip(), synthesised("192.0.2.2"));
}

/// If the address that works is in the late half of the answer, the name is resolved again in the
/// same attempt, waiting for both halves.
#[test]
fn the_half_that_came_late_is_not_lost() {
    let mut world = asking(plain());
    world.dns = Some(Ipv4Addr::new(192, 0, 2, 1));
    let ipv6 = "2001:db8::1".parse().unwrap();
    world.dns_ipv6 = Some(ipv6);
    world.lost = 2;
    world.routes.insert(ipv6, Path::Refused);
    world.start();
    world.run_until_online(s(6));
    assert_eq!((world.failures().len(), world.connects.len()), (0, 2));
    assert_eq!(*world.connects[1].ip(), synthesised("192.0.2.1"));
}

#[test]
fn a_lost_connection_does_not_ask_for_the_name_again() {
    let mut world = asking(plain());
    world.dns = Some(Ipv4Addr::new(192, 0, 2, 1));
    world.start();
    world.run_until_online(s(5));
    let asked = world.questions;
    world.cut();
    world.run_until_online(s(5));
    assert_eq!(world.questions, asked);
}

#[test]
fn stop_asks_no_more_questions() {
    let mut world = asking(plain());
    world.start();
    assert!(world.questions > 0);
    world.client.stop(world.now);
    world.settle();
    assert!(world.stopped());
    let asked = world.questions;
    world.run_for(s(60));
    assert_eq!(world.questions, asked);
}

#[test]
fn an_address_that_connects_and_fails_at_tls_is_the_last_of_the_next_attempt() {
    let mut world = two_addresses(secure(), "mqtts://broker.example.com");
    world
        .routes
        .insert(synthesised("192.0.2.1"), Path::SilentAfter(0));
    world.start();
    let (stage, cause, _) = world.run_until_failed(s(60));
    assert_eq!((stage, cause), (Stage::Tls, Cause::HandshakeTimedOut));
    world.run_until_online(s(60));
    assert_eq!(*world.connects[1].ip(), synthesised("192.0.2.2"));

    // The good one is remembered, whatever the resolver's order.
    world.cut();
    world.run_until_online(s(60));
    assert_eq!(*world.connects[2].ip(), synthesised("192.0.2.2"));
}

#[test]
fn the_last_good_address_stands_in_for_a_resolver_that_fails() {
    let mut world = World::new(config("mqtt://broker.example.com"), plain());
    world.network = attached();
    world.answer = Some(Ok(vec![ip("192.0.2.1")]));
    world.start();
    world.run_until_online(s(1));

    world.answer = Some(Err(LookupError::Platform(-2)));
    // Longer than the cache keeps the answer.
    world.run_for(s(4000));
    world.cut();
    world.run_until_online(s(60));
    assert_eq!(*world.connects[1].ip(), synthesised("192.0.2.1"));
}

/// Deep in a mesh an answer may take longer than the time that an address gets while there are
/// others.
#[test]
fn addresses_that_are_slow_get_all_of_their_time_in_the_end() {
    let mut world = two_addresses(plain(), "mqtt://broker.example.com");
    world.latency = s(2);
    world
        .routes
        .insert(synthesised("192.0.2.2"), Path::BlackHole);
    world.start();
    world.run_until_online(s(30));
    let tried: Vec<_> = world.connects.iter().map(|to| *to.ip()).collect();
    let (slow, dead) = (synthesised("192.0.2.1"), synthesised("192.0.2.2"));
    assert_eq!(tried, [slow, dead, slow]);
}

#[test]
fn one_address_has_all_of_its_time_at_once() {
    let mut world = World::new(config(PLAIN), plain());
    world.network = attached();
    world.latency = s(2);
    world.start();
    world.run_until_online(s(10));
    assert_eq!(world.connects.len(), 1);
}

/// At one address an instance accepts every client and then resets: the other address gets its
/// turn, and is remembered.
#[test]
fn an_address_that_accepts_and_resets_is_not_tried_first_for_ever() {
    let mut config = config("mqtt://broker.example.com");
    config.session.keep_alive = s(5);
    let mut world = World::new(config, plain());
    world.network = attached();
    world.answer = Some(Ok(vec![ip("192.0.2.1"), ip("192.0.2.2")]));
    world.start();
    let bad = synthesised("192.0.2.1");
    for n in 0..3 {
        world.run_until_online(s(200));
        if *world.connects.last().unwrap().ip() != bad {
            break;
        }
        assert_eq!(n, 0, "the bad one is tried first again");
        world.run_for(s(1));
        world.cut();
    }
    world.run_for(s(60));
    world.cut();
    world.run_until_online(s(10));
    assert_eq!(
        *world.connects.last().unwrap().ip(),
        synthesised("192.0.2.2")
    );
}

/// Failed addresses are remembered across attempts, so that the next one does not try them first.
#[test]
fn a_silent_address_is_the_last_of_the_next_attempt() {
    let mut world = two_addresses(plain(), "mqtt://broker.example.com");
    world
        .routes
        .insert(synthesised("192.0.2.1"), Path::BlackHole);
    world.start();
    world.run_until_online(s(10));
    world.run_for(s(100));
    world.cut();
    let lost_at = world.now;
    world.run_until_online(s(10));
    assert_eq!(world.connects.len(), 3);
    assert!(world.now - lost_at < s(3));
}

/// Waits for a late half only if it may have the address that works: not if a working address is
/// known, even beside a dead one.
#[test]
fn a_dead_address_does_not_make_later_resolutions_slow() {
    for fails_first in [false, true] {
        let mut world = asking(plain());
        world.dns = Some(Ipv4Addr::new(192, 0, 2, 1));
        let ipv6 = "2001:db8::1".parse().unwrap();
        world.dns_ipv6 = Some(ipv6);
        if fails_first {
            world.routes.insert(synthesised("192.0.2.1"), Path::Refused);
            world.routes.insert(ipv6, Path::Refused);
            world.start();
            world.run_until_failed(s(20));
            world.routes.remove(&ipv6);
        }
        world.start();
        world.run_until_online(s(60));
        world.run_for(s(200));
        world.lost = usize::MAX;
        for _ in 0..3 {
            // Longer than the cache keeps the answer.
            world.run_for(s(4000));
            world.cut();
            world.run_until_online(s(120));
            let last = |is_it: fn(&Reached) -> bool| {
                let mut events = world.events.iter().rev();
                let found =
                    events.find(|(_, event)| matches!(event, Event::Reached(at) if is_it(at)));
                found.expect("that stage").0
            };
            let attached = last(|reached| matches!(reached, Reached::Attached));
            let took = last(|reached| matches!(reached, Reached::Resolved(_))) - attached;
            assert!(took < s(2), "{fails_first}: {took:?}");
            assert_eq!(*world.connects.last().unwrap().ip(), ipv6);
        }
    }
}

/// If the address known to work is in the lost half, and the addresses of the other half are dead,
/// both halves are waited for in the same attempt.
#[test]
fn a_good_address_in_the_half_that_was_lost_is_waited_for() {
    let mut world = asking(plain());
    world.dns = Some(Ipv4Addr::new(192, 0, 2, 1));
    let ipv6 = "2001:db8::1".parse().unwrap();
    world.dns_ipv6 = Some(ipv6);
    world.routes.insert(ipv6, Path::Refused);
    world.start();
    world.run_until_online(s(60));
    world.run_for(s(200));
    for _ in 0..3 {
        world.run_for(s(4000));
        // Two queries: one before the addresses are tried, and one after.
        world.lost = 2;
        world.cut();
        let failures = world.failures().len();
        world.run_until_online(s(60));
        assert_eq!(world.failures().len(), failures);
        assert_eq!(
            *world.connects.last().unwrap().ip(),
            synthesised("192.0.2.1")
        );
    }
}
