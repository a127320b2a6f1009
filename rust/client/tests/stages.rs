//! Each transition of the machine, at explicit times.
mod world;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use thread_mqtt_client::{Cause, Client, ConfigError, Event, Reached, Retry, Stage, TcpError};
use thread_mqtt_nat64::resolver::Link;
use thread_mqtt_nat64::{Network, PrefixSource};
use thread_mqtt_session::{Event as Mqtt, Message, QoS, SessionError, Version};
use thread_mqtt_testkit::fixed::{UNIX_TIME, VALIDITY};
use thread_mqtt_testkit::peer::{self, Fault};
use thread_mqtt_testkit::pki::{Authority, KeyKind, Usage};
use thread_mqtt_testkit::tls::{Tls, Version as TlsVersion};
use thread_mqtt_tls::{CertificateFault, Greeting, TlsError};
use world::{Path, World, attached, broker_tls, config, prefix, s};

const PLAIN: &str = "mqtt://203.0.113.10";
const SECURE: &str = "mqtts://203.0.113.10";

fn plain() -> peer::Config {
    peer::Config::new(None)
}

fn secure() -> peer::Config {
    peer::Config::new(Some(broker_tls()))
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

// ------------------------------------------------------------------ the stair

#[test]
fn nothing_happens_before_the_network_is_up() {
    let mut world = World::new(config(SECURE), secure());
    world.start();
    world.run_for(s(3600));
    assert_eq!(world.events, []);
    assert_eq!(world.client.stage(), Some(Stage::Attach));

    world.set_network(attached());
    world.run_until_online(s(5));
    assert_eq!(
        world.stages(),
        [
            Stage::Attach,
            Stage::Prefix,
            Stage::Resolve,
            Stage::Tcp,
            Stage::Tls,
            Stage::Mqtt
        ]
    );
}

#[test]
fn an_ipv4_literal_is_reached_through_the_prefix_of_the_network() {
    let mut world = World::started(config(SECURE), secure());
    world.run_until_online(s(5));
    let address = prefix().prefix.embed("203.0.113.10".parse().unwrap());
    assert_eq!(world.connects.len(), 1);
    assert_eq!(*world.connects[0].ip(), address);
    assert_eq!(world.connects[0].port(), 8883);
    let expected = Reached::Prefix(prefix().prefix, PrefixSource::NetworkData);
    assert!(world.reached().any(|reached| *reached == expected));
}

#[test]
fn an_ipv6_literal_needs_no_prefix() {
    let mut world = World::new(config("mqtt://[2001:db8::10]"), plain());
    world.network = Network {
        attached: true,
        ..Network::default()
    };
    world.start();
    world.run_until_online(s(5));
    assert_eq!(
        world.stages(),
        [Stage::Attach, Stage::Resolve, Stage::Tcp, Stage::Mqtt]
    );
}

#[test]
fn without_a_prefix_that_is_the_stage_that_fails() {
    let mut world = World::new(config(PLAIN), plain());
    world.network = Network {
        attached: true,
        ..Network::default()
    };
    world.start();
    let (stage, cause, _) = world.run_until_failed(s(60));
    assert_eq!(stage, Stage::Prefix);
    assert!(matches!(cause, Cause::Resolve(_)));
    assert!(
        cause.cure().unwrap().contains("NAT64"),
        "{:?}",
        cause.cure()
    );

    // It comes, and the pause is over at once.
    world.set_network(attached());
    world.run_until_online(s(1));
}

#[test]
fn a_name_that_does_not_resolve_says_who_was_asked() {
    let mut world = World::started(config("mqtt://broker.example.com"), plain());
    world.answer = Some(Err(-2));
    let mut world2 = World::started(config("mqtt://broker.example.com"), plain());
    world2.answer = Some(Ok(vec![]));
    for world in [&mut world, &mut world2] {
        let (stage, cause, _) = world.run_until_failed(s(60));
        assert_eq!(stage, Stage::Resolve);
        assert!(cause.to_string().contains("platform resolver"), "{cause}");
    }
}

// ------------------------------------------------------------------ addresses

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
fn a_silent_address_makes_room_when_its_time_is_over() {
    let mut world = two_addresses(plain(), "mqtt://broker.example.com");
    world
        .routes
        .insert(synthesised("192.0.2.1"), Path::BlackHole);
    world.start();
    world.run_for(s(10) - Duration::from_millis(1));
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
    assert_eq!((stage, cause), (Stage::Tcp, Cause::Tcp(TcpError::Refused)));
    let pause = retry_in.unwrap();
    assert!((s(2)..=s(4)).contains(&pause), "{pause:?}");

    let failed_at = world.now;
    world.run_until(s(60), |world| world.connects.len() > 2);
    assert_eq!(world.now, failed_at + pause);
}

/// A client that asks the DNS server of its network.
fn asking(server: peer::Config) -> World {
    let mut config = config("mqtt://broker.example.com");
    config.resolver.chain = vec![Link::BorderRouter];
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
    // It has moved; the cache would believe its answer for an hour.
    world.dns = Some(Ipv4Addr::new(192, 0, 2, 2));
    world.run_until_online(s(5));
    assert_eq!(*world.connects[1].ip(), synthesised("192.0.2.2"));
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

    world.answer = Some(Err(-2));
    // Longer than the cache believes its answer.
    world.run_for(s(4000));
    world.cut();
    world.run_until_online(s(60));
    assert_eq!(*world.connects[1].ip(), synthesised("192.0.2.1"));
}

// ------------------------------------------------------------------------ TLS

#[test]
fn a_handshake_that_does_not_end_is_given_up() {
    let mut world = World::new(config(SECURE), secure());
    world.network = attached();
    world.paths.push_back(Path::SilentAfter(0));
    world.start();
    let connected = world.run_until(s(1), |world| world.stages().contains(&Stage::Tcp));
    assert!(connected);
    let began = world.now;
    let (stage, cause, _) = world.run_until_failed(s(60));
    assert_eq!((stage, cause), (Stage::Tls, Cause::HandshakeTimedOut));
    assert_eq!(world.now, began + s(30));
}

#[test]
fn an_unknown_issuer_is_told_to_both_sides_and_retried_slowly() {
    let stranger = Authority::root("a stranger", KeyKind::P256, VALIDITY).unwrap();
    let leaf = stranger.issue(&["203.0.113.10"], Usage::Server, KeyKind::P256, VALIDITY);
    let server = peer::Config::new(Some(Tls::new(leaf.unwrap())));
    let mut world = World::started(config(SECURE), server);
    let (stage, cause, retry_in) = world.run_until_failed(s(5));
    assert_eq!(stage, Stage::Tls);
    assert!(
        matches!(
            cause,
            Cause::Tls(TlsError::Certificate(
                CertificateFault::UnknownIssuer { .. }
            ))
        ),
        "{cause:?}"
    );
    assert!(cause.needs_a_person());
    assert!((s(32)..=s(64)).contains(&retry_in.unwrap()), "{retry_in:?}");
    // The alert reached the broker before the connection was closed.
    let errors = format!("{:?}", world.server.log().tls_errors);
    assert!(errors.contains("UnknownCA"), "{errors}");
    assert_eq!(world.aborted, Some(false));
}

#[test]
fn a_plain_port_does_not_speak_tls() {
    // A broker that waits for MQTT closes on a ClientHello, or answers with MQTT.
    let mut world = World::started(config(SECURE), plain());
    let (stage, cause, _) = world.run_until_failed(s(60));
    assert_eq!(stage, Stage::Tls);
    assert!(
        matches!(
            cause,
            Cause::Tls(TlsError::ClosedInHandshake { answered: false })
                | Cause::Tls(TlsError::NotTls(Greeting::Mqtt))
        ),
        "{cause:?}"
    );
    let cure = cause.cure().unwrap();
    assert!(cure.contains("mqtt://") || cure.contains("plain"), "{cure}");
}

#[test]
fn a_tls_port_spoken_to_in_the_clear_is_recognised() {
    let mut world = World::started(config(PLAIN), secure());
    let (stage, cause, _) = world.run_until_failed(s(60));
    assert_eq!((stage, &cause), (Stage::Mqtt, &Cause::TlsOnPlainPort));
    assert_eq!(cause.to_string(), "the broker speaks TLS on this port");
    assert_eq!(cause.cure(), Some("use mqtts://"));
    assert!(cause.needs_a_person());
}

#[test]
fn a_broker_that_closes_in_the_handshake() {
    for (fault, answered) in [
        (Fault::CloseAfterReceived(1), false),
        (Fault::CloseAfterSent(100), true),
    ] {
        let server = peer::Config {
            faults: vec![fault],
            ..secure()
        };
        let mut world = World::started(config(SECURE), server);
        let (stage, cause, _) = world.run_until_failed(s(5));
        let expected = Cause::Tls(TlsError::ClosedInHandshake { answered });
        assert_eq!((stage, cause), (Stage::Tls, expected));
        world.run_until_online(s(70));
    }
}

#[test]
fn sessions_of_tls_are_resumed() {
    for version in [TlsVersion::Tls12, TlsVersion::Tls13] {
        let server = peer::Config::new(Some(Tls {
            versions: vec![version],
            ..broker_tls()
        }));
        let mut world = World::started(config(SECURE), server);
        world.run_until_online(s(5));
        world.run_for(s(1));
        world.cut();
        world.run_until_online(s(60));
        let resumed: Vec<bool> = world
            .server
            .log()
            .handshakes
            .iter()
            .map(|handshake| handshake.resumed)
            .collect();
        assert_eq!(resumed, [false, true], "{version:?}");
    }
}

#[test]
fn without_a_clock_the_floor_counts() {
    let expired = u64::try_from(VALIDITY.not_after).unwrap() + 1;
    for (floor, good) in [(0, true), (UNIX_TIME, true), (expired, false)] {
        let mut world = World::new(
            thread_mqtt_client::Config {
                time_floor: floor,
                ..config(SECURE)
            },
            secure(),
        );
        world.unix_time = None;
        world.network = attached();
        world.start();
        let online = world.run_until(s(5), |world| world.client.is_online());
        assert_eq!(online, good, "{floor}: {:?}", world.failures());
        assert_eq!(world.client.time_floor(), floor);
    }
}

#[test]
fn the_clock_raises_the_floor() {
    let mut world = World::started(config(SECURE), secure());
    world.run_for(s(1));
    assert_eq!(world.client.time_floor(), UNIX_TIME);
    world.unix_time = None;
    world.run_for(s(1));
    assert_eq!(world.client.time_floor(), UNIX_TIME);
}

// ----------------------------------------------------------------------- MQTT

#[test]
fn every_refusal_is_told_and_retried_at_its_own_pace() {
    let v5 = [
        0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95, 0x97,
        0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9f,
    ];
    let refusals = (1..=5)
        .map(|code| (Version::V311, code))
        .chain(v5.map(|code| (Version::V5, code)));
    for (version, code) in refusals {
        let mut config = config(PLAIN);
        config.session.version = version;
        let server = peer::Config {
            refuse: Some(code),
            ..plain()
        };
        let mut world = World::started(config, server);
        let (stage, cause, retry_in) = world.run_until_failed(s(5));
        let Cause::Mqtt(SessionError::Refused(refusal)) = cause else {
            panic!("{cause:?}");
        };
        assert_eq!((stage, refusal.code()), (Stage::Mqtt, code));
        let slow = (s(32)..=s(64)).contains(&retry_in.unwrap());
        assert_eq!(slow, refusal.is_permanent(), "{code}: {retry_in:?}");

        // Mended at the broker, it comes back by itself.
        world.server.configure(|config| config.refuse = None);
        world.run_until_online(s(65));
    }
}

#[test]
fn a_broker_that_closes_instead_of_answering() {
    for fault in [Fault::CloseAfterReceived(1), Fault::ResetAfterSent(0)] {
        let server = peer::Config {
            faults: vec![fault],
            ..plain()
        };
        let mut world = World::started(config(PLAIN), server);
        let (stage, cause, _) = world.run_until_failed(s(5));
        assert_eq!((stage, cause), (Stage::Mqtt, Cause::ClosedBeforeConnack));
    }
}

#[test]
fn a_silent_broker_is_left_when_connack_does_not_come() {
    let mut world = World::new(config(PLAIN), plain());
    world.network = attached();
    world.paths.push_back(Path::SilentAfter(0));
    world.start();
    let (stage, cause, _) = world.run_until_failed(s(60));
    assert_eq!(
        (stage, cause),
        (Stage::Mqtt, Cause::Mqtt(SessionError::ConnackTimeout))
    );
}

#[test]
fn a_dead_connection_is_found_by_the_keep_alive() {
    let mut world = World::started(config(PLAIN), plain());
    world.run_until_online(s(5));
    world.silence();
    let (stage, cause, _) = world.run_until_failed(s(120));
    assert_eq!(
        (stage, cause),
        (Stage::Mqtt, Cause::Mqtt(SessionError::PingTimeout))
    );
    world.run_until_online(s(60));
}

#[test]
fn what_was_queued_offline_goes_out_online_and_over_a_loss() {
    let mut world = World::new(config(SECURE), secure());
    let message = |n: u8| Message::new("t", [n]).qos(QoS::ExactlyOnce);
    let first = world.client.publish(message(1)).unwrap();
    world.network = attached();
    world.start();
    world.run_until_online(s(5));
    let second = world.client.publish(message(2)).unwrap();
    // Lost before anything of it can arrive.
    world.settle();
    world.cut();
    assert_eq!(world.failures()[0].0, Stage::Mqtt);
    assert!(!world.client.session().is_connected());
    let both = world.run_until(s(60), |world| {
        let published = |token| world.session_events().any(|e| *e == Mqtt::Published(token));
        published(first) && published(second)
    });
    assert!(both, "{:?}", world.events);
    let payloads: Vec<_> = world.server.log().published;
    let payloads: Vec<u8> = payloads.iter().map(|message| message.payload[0]).collect();
    assert_eq!(payloads, [1, 2]);
}

#[test]
fn events_the_application_does_not_take_hold_the_broker_back() {
    let mut config = config(SECURE);
    config.session.event_bytes = 256;
    let mut world = World::started(config, secure());
    world.run_until_online(s(5));
    world.client.subscribe(&[("#", QoS::AtLeastOnce)]).unwrap();
    let subscribed = |world: &World| {
        let mut events = world.session_events();
        events.any(|event| matches!(event, Mqtt::Subscribed(..)))
    };
    assert!(world.run_until(s(5), subscribed));

    // To itself, by way of the broker.
    world.polls = false;
    for n in 0..12_u8 {
        let message = Message::new("t", vec![n; 1000]).qos(QoS::AtLeastOnce);
        world.client.publish(message).unwrap();
    }
    world.run_for(s(30));
    world.polls = true;
    let received = |world: &World| {
        let messages = world.session_events().filter_map(|event| match event {
            Mqtt::Message(message) => Some(message.payload[0]),
            _ => None,
        });
        messages.collect::<Vec<u8>>()
    };
    let all = world.run_until(s(30), |world| received(world).len() >= 12);
    assert!(all, "{:?}", received(&world));
    assert_eq!(received(&world), (0..12).collect::<Vec<u8>>());
    assert!(world.failures().is_empty(), "{:?}", world.failures());
}

/// The broker's last bytes may be decrypted already when the application makes room.
#[test]
fn what_tls_holds_back_is_not_forgotten() {
    let mut config = config(SECURE);
    config.session.event_bytes = 256;
    let mut world = World::started(config, secure());
    world.run_until_online(s(5));
    world.client.subscribe(&[("#", QoS::AtMostOnce)]).unwrap();
    world.run_for(s(5));
    world.polls = false;
    for n in 0..2_u8 {
        let message = Message::new("t", vec![n; 1000]);
        world.client.publish(message).unwrap();
    }
    world.run_for(s(1));
    world.polls = true;
    world.settle();
    let messages = world.session_events();
    let messages = messages.filter(|event| matches!(event, Mqtt::Message(_)));
    assert_eq!(messages.count(), 2);
}

#[test]
fn what_the_broker_said_before_a_loss_comes_before_it() {
    let mut world = World::started(config(PLAIN), plain());
    world.run_until_online(s(5));
    world.client.subscribe(&[("#", QoS::AtMostOnce)]).unwrap();
    world.run_for(s(5));
    world.polls = false;
    world.client.publish(Message::new("t", "x")).unwrap();
    world.run_for(s(1));
    world.cut();
    world.polls = true;
    world.settle();
    let place = |wanted: fn(&Event) -> bool| {
        let mut events = world.events.iter();
        events.position(|(_, event)| wanted(event)).unwrap()
    };
    let message = place(|event| matches!(event, Event::Session(Mqtt::Message(_))));
    let failed = place(|event| matches!(event, Event::Failed { .. }));
    assert!(message < failed);
}

// -------------------------------------------------------------------- back-off

#[test]
fn pauses_grow_and_a_stable_connection_resets_them() {
    let mut world = World::new(config(PLAIN), plain());
    world.network = attached();
    world.paths.extend([Path::Refused; 8]);
    world.start();
    let mut ceiling = s(2);
    for _ in 0..8 {
        ceiling = (ceiling * 2).min(s(64));
        let (_, _, retry_in) = world.run_until_failed(s(70));
        let pause = retry_in.unwrap();
        assert!(
            (s(2)..=ceiling).contains(&pause),
            "{pause:?} of {ceiling:?}"
        );
    }
    world.run_until_online(s(70));

    // Too short to count.
    world.run_for(s(59));
    world.cut();
    let longest = (0..20).map(|_| {
        world.run_until_online(s(70));
        world.cut();
        world.failures().pop().unwrap().2.unwrap()
    });
    assert!(longest.max().unwrap() > s(4));

    world.run_until_online(s(70));
    world.run_for(s(60));
    world.cut();
    let pause = world.failures().pop().unwrap().2.unwrap();
    assert!((s(2)..=s(4)).contains(&pause), "{pause:?}");
}

#[test]
fn a_new_start_begins_with_short_pauses() {
    let mut world = World::new(config(PLAIN), plain());
    world.network = attached();
    world.paths.extend([Path::Refused; 100]);
    world.start();
    for _ in 0..20 {
        for _ in 0..4 {
            world.run_until_failed(s(70));
        }
        world.client.stop(world.now);
        world.settle();
        world.start();
        let (_, _, retry_in) = world.run_until_failed(s(5));
        assert!(retry_in.unwrap() <= s(4), "{retry_in:?}");
    }
}

#[test]
fn one_attempt_if_no_more_are_wanted() {
    let mut world = World::new(
        thread_mqtt_client::Config {
            retry: Retry::Never,
            ..config(PLAIN)
        },
        plain(),
    );
    world.network = attached();
    world.paths.push_back(Path::Refused);
    world.start();
    let (_, _, retry_in) = world.run_until_failed(s(5));
    assert_eq!(retry_in, None);
    assert!(world.client.is_idle());
    world.run_for(s(3600));
    assert_eq!(world.connects.len(), 1);

    world.start();
    world.run_until_online(s(5));
}

// ------------------------------------------------------------- network changes

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
    let other: thread_mqtt_nat64::Prefix = "fd00:65::/96".parse().unwrap();
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

// ------------------------------------------------------------- stop and the rest

#[test]
fn stop_says_goodbye() {
    for (uri, server) in [(PLAIN, plain()), (SECURE, secure())] {
        let mut config = config(uri);
        config.session.will = Some(Message::new("will", "gone"));
        let mut world = World::started(config, server);
        world.run_until_online(s(5));
        world.client.stop(world.now);
        assert!(world.run_until(s(1), World::stopped), "{uri}");
        assert_eq!(world.aborted, Some(false));
        assert!(world.client.is_idle());
        let log = world.server.log();
        assert_eq!((log.disconnects, log.wills.len()), (1, 0), "{uri}");
        assert!(log.tls_errors.is_empty(), "{:?}", log.tls_errors);

        world.start();
        world.run_until_online(s(5));
    }
}

#[test]
fn stop_ends_tls_with_close_notify() {
    let tls = Tls {
        versions: vec![TlsVersion::Tls12],
        ..broker_tls()
    };
    let mut world = World::started(config(SECURE), peer::Config::new(Some(tls)));
    world.run_until_online(s(5));
    world.client.stop(world.now);
    assert!(world.run_until(s(1), World::stopped));
    // TLS 1.2 shows the type of a record: 21 is an alert (RFC 5246 section 6.2.1).
    assert_eq!(world.record_types().last(), Some(&21));
}

#[test]
fn stop_does_not_wait_for_a_broker_that_takes_nothing() {
    let mut world = World::started(config(PLAIN), plain());
    world.run_until_online(s(5));
    world.silence();
    world.window = 0;
    world.client.stop(world.now);
    let began = world.now;
    assert!(world.run_until(s(60), World::stopped));
    assert_eq!(world.now, began + s(5));
    assert_eq!(world.aborted, Some(true));
}

#[test]
fn stop_ends_every_stage() {
    for (path, stage) in [
        (Path::BlackHole, Stage::Tcp),
        (Path::SilentAfter(0), Stage::Tls),
    ] {
        let mut world = World::new(config(SECURE), secure());
        world.network = attached();
        world.paths.push_back(path);
        world.start();
        world.run_for(s(1));
        assert_eq!(world.client.stage(), Some(stage));
        world.client.stop(world.now);
        assert!(world.run_until(s(6), World::stopped), "{stage}");
        assert!(!world.has_tcp());
    }
    let mut world = World::new(config("mqtt://broker.example.com"), plain());
    world.start();
    assert_eq!(world.client.stage(), Some(Stage::Attach));
    world.client.stop(world.now);
    world.settle();
    assert!(world.stopped());

    world.events.clear();
    world.network = attached();
    world.start();
    assert_eq!(world.client.stage(), Some(Stage::Resolve));
    world.client.stop(world.now);
    world.settle();
    assert!(world.stopped());
    world.run_for(s(600));
    assert!(world.client.is_idle() && world.connects.is_empty());
}

#[test]
fn stop_ends_a_pause() {
    let mut world = World::new(config(PLAIN), plain());
    world.network = attached();
    world.paths.push_back(Path::Refused);
    world.start();
    world.run_until_failed(s(5));
    world.client.stop(world.now);
    world.settle();
    assert!(world.stopped());
    world.run_for(s(600));
    assert_eq!(world.connects.len(), 1);
}

#[test]
fn without_entropy_nothing_is_asked() {
    let mut world = World::new(config("mqtt://broker.example.com"), plain());
    world.network = attached();
    world.entropy = false;
    world.start();
    let failures = world.failures();
    assert_eq!(
        (failures[0].0, &failures[0].1),
        (Stage::Resolve, &Cause::NoEntropy(-7))
    );
    world.entropy = true;
    world.answer = Some(Ok(vec![ip("192.0.2.1")]));
    world.run_until_online(s(60));
}

#[test]
fn spurious_calls_are_harmless() {
    let mut client = Client::new(config(PLAIN)).unwrap();
    client.handle_tcp_connected(s(1));
    assert_eq!(client.handle_tcp_data(b"x", s(1)), 1);
    client.handle_tcp_closed(TcpError::Reset, s(1));
    client.handle_resolved(Ok(vec![ip("192.0.2.1")]), s(1));
    client.handle_datagram("[::1]:53".parse().unwrap(), 1, b"x", s(1));
    client.handle_timeout(s(1));
    client.handle_entropy_failure(-1, s(1));
    client.consume_transmit(1);
    assert!(client.transmit(s(1)).is_empty());
    assert_eq!(client.poll_event(), None);
    assert_eq!(client.poll_timeout(), None);
    assert!(client.is_idle());

    let mut world = World::started(config(PLAIN), plain());
    world.run_until_online(s(5));
    world.start();
    world.client.handle_tcp_connected(world.now);
    world.client.handle_resolved(Err(-1), world.now);
    world.run_for(s(1));
    assert!(world.client.is_online());
    assert!(world.failures().is_empty());
}

#[test]
fn configurations_that_cannot_work_are_refused() {
    let refused = |change: fn(&mut thread_mqtt_client::Config)| {
        let mut config = config(SECURE);
        change(&mut config);
        let error = Client::new(config).unwrap_err();
        assert!(error.to_string().contains(';') || error.to_string().contains("must"));
        error
    };
    assert_eq!(refused(|c| c.tls = None), ConfigError::TlsMissing);
    assert_eq!(
        refused(|c| c.timers.backoff_min = Duration::ZERO),
        ConfigError::BackoffZero
    );
    assert_eq!(
        refused(|c| c.timers.backoff_max = s(1)),
        ConfigError::BackoffOrder
    );
    assert!(matches!(
        refused(|c| c.session.receive_maximum = 0),
        ConfigError::Session(_)
    ));
}
