//! Several brokers, redirects, and the version that a broker supports.
use super::*;
use std::net::Ipv6Addr;
use thread_mqtt_client::{Broker, Config};
use thread_mqtt_testkit::peer::{OnlyV311, Server, Version as Spoken};

/// The addresses of three brokers.
const A: &str = "203.0.113.10";
const B: &str = "203.0.113.20";
const C: &str = "203.0.113.30";

fn at(ipv4: &str) -> Ipv6Addr {
    prefix().prefix.embed(ipv4.parse().unwrap())
}

fn several(list: &str) -> Config {
    let mut brokers = Broker::list(list).unwrap();
    let first = brokers.remove(0);
    let mut config = config(&first.uri.to_string());
    config.session.keep_alive = s(10);
    config.failover.others = brokers;
    config
}

/// Creates a world with three independent brokers.
fn world(config: Config) -> World {
    let mut world = World::new(config, plain());
    world.network = attached();
    for (n, other) in [B, C].into_iter().enumerate() {
        let server = Server::new(plain(), n as u64, UNIX_TIME).unwrap();
        world.others.insert(at(other), server);
    }
    world
}

fn in_order() -> Config {
    several(&format!("mqtt://{A} mqtt://{B} mqtt://{C}"))
}

fn hosts(world: &World) -> Vec<Ipv6Addr> {
    world.connects.iter().map(|to| *to.ip()).collect()
}

fn redirected(world: &World) -> Vec<String> {
    let brokers = world.events.iter().filter_map(|(_, event)| match event {
        Event::Broker(uri) => Some(uri.to_string()),
        _ => None,
    });
    brokers.collect()
}

#[test]
fn when_one_fails_the_next_is_tried_after_a_short_pause() {
    let mut world = world(in_order());
    world.routes.insert(at(A), Path::Refused);
    world.routes.insert(at(B), Path::Refused);
    world.start();
    world.run_until_online(s(6));
    assert_eq!(hosts(&world), [at(A), at(B), at(C)]);
    assert_eq!(
        world.client.broker().to_string(),
        format!("mqtt://{C}:1883")
    );
    let told = [A, B, C].map(|broker| format!("mqtt://{broker}:1883"));
    assert_eq!(redirected(&world), told);
}

#[test]
fn the_pauses_grow_with_the_rounds_and_not_with_the_brokers() {
    let mut world = world(in_order());
    for broker in [A, B, C] {
        world.routes.insert(at(broker), Path::Refused);
    }
    world.start();
    for round in 0..4 {
        for broker in [A, B, C] {
            let (_, _, retry_in) = world.run_until_failed(s(70));
            assert_eq!(hosts(&world).last(), Some(&at(broker)));
            let ceiling = if broker == C { s(2 << round) } else { s(2) };
            assert!(
                retry_in.unwrap() <= ceiling,
                "{round} {broker}: {retry_in:?}"
            );
        }
    }
}

#[test]
fn after_a_stable_connection_the_same_broker_is_tried_first() {
    let mut world = world(in_order());
    world.paths.push_back(Path::Refused);
    world.start();
    world.run_until_online(s(6));
    world.run_for(s(60));
    world.cut();
    world.run_until_online(s(6));
    assert_eq!(hosts(&world), [at(A), at(B), at(B)]);
    // Once it is gone, every other one, the preferred one first.
    world.run_for(s(60));
    world.routes.insert(at(B), Path::Refused);
    world.cut();
    world.run_until_online(s(10));
    assert_eq!(hosts(&world)[3..], [at(B), at(A)]);
}

#[test]
fn it_returns_to_the_preferred_broker_when_that_is_back() {
    let mut config = in_order();
    config.failover.return_after = Some(s(600));
    config.session.will = Some(Message::new("will", "gone"));
    let mut world = world(config);
    world.routes.insert(at(A), Path::Refused);
    world.start();
    world.run_until_online(s(6));
    assert_eq!(hosts(&world), [at(A), at(B)]);
    // A failed return leads back at once, and doubles the time to the next one.
    let returned =
        |n: usize| move |world: &World| hosts(world).iter().filter(|to| **to == at(A)).count() == n;
    assert!(world.run_until(s(920), returned(2)));
    world.run_until_online(s(6));
    assert_eq!(hosts(&world)[2..], [at(A), at(B)]);
    let back_at = world.now;
    world.routes.remove(&at(A));
    assert!(world.run_until(s(1_820), returned(3)));
    assert!(world.now - back_at >= s(600));
    world.run_until_online(s(1));
    assert_eq!(
        world.client.broker().to_string(),
        format!("mqtt://{A}:1883")
    );
    // It disconnected cleanly.
    let log = world.others[&at(B)].log();
    assert_eq!((log.disconnects, log.wills.len()), (2, 0));
    // From here there is no broker to return to.
    let connects = world.connects.len();
    world.run_for(s(10_000));
    assert_eq!(world.connects.len(), connects);
}

/// Nothing else wakes the device up meanwhile.
#[test]
fn it_returns_also_without_pings_and_messages() {
    let mut config = in_order();
    config.failover.return_after = Some(s(600));
    config.session.keep_alive = Duration::ZERO;
    let mut world = world(config);
    world.paths.push_back(Path::Refused);
    world.start();
    world.run_until_online(s(6));
    assert_eq!(hosts(&world), [at(A), at(B)]);
    world.run_for(s(920));
    assert_eq!(hosts(&world)[2..], [at(A)]);
    assert!(world.client.is_online());
}

/// Nothing checks the time meanwhile, but the connection counts as stable.
#[test]
fn a_return_without_traffic_begins_with_the_shortest_pauses() {
    let mut config = in_order();
    config.failover.return_after = Some(s(600));
    config.session.keep_alive = Duration::ZERO;
    let mut world = world(config);
    world.paths.extend([Path::Refused; 16]);
    world.start();
    world.run_until_online(s(600));
    assert_eq!(hosts(&world).last(), Some(&at(B)));
    let message = Message::new("t", "m").qos(QoS::AtLeastOnce);
    world.client.publish(message).unwrap();
    world.run_for(s(1));
    // Four rounds of three brokers.
    world.paths.extend([Path::Refused; 12]);
    let before = world.failures().len();
    world.run_until(s(1_500), |world| world.failures().len() == before + 12);
    let failures = world.failures();
    let pauses: Vec<_> = failures[before..]
        .iter()
        .map(|(.., pause)| *pause)
        .collect();
    assert_eq!(pauses.len(), 12);
    assert!(pauses.iter().max().unwrap().unwrap() <= s(16), "{pauses:?}");
}

#[test]
fn it_returns_from_where_the_other_broker_points_to() {
    for code in [0x9c, 0x9d] {
        let mut config = several(&format!("mqtt://{A} mqtt://{B}"));
        config.failover.return_after = Some(s(600));
        let mut world = world(config);
        world.others[&at(B)].configure(|config| {
            config.refuse = Some(code);
            config.server_reference = Some(C.to_owned());
        });
        world.paths.push_back(Path::Refused);
        world.start();
        world.run_until_online(s(10));
        assert_eq!(hosts(&world), [at(A), at(B), at(C)]);
        world.run_for(s(920));
        assert_eq!(hosts(&world)[3..], [at(A)]);
        assert!(world.client.is_online());
    }
}

#[test]
fn a_return_waits_for_a_moment_without_messages_under_way_but_not_for_ever() {
    let mut config = in_order();
    config.failover.return_after = Some(s(600));
    config.session.outbox_messages = 64;
    let mut world = world(config);
    world.paths.push_back(Path::Refused);
    world.start();
    world.run_until_online(s(6));
    // Always something in flight: each message is answered after the next one is published.
    world.latency = s(2);
    let mut published = 0;
    while world.now < s(1_100) && world.connects.len() == 2 {
        let message = Message::new("t", "x").qos(QoS::AtLeastOnce);
        world.client.publish(message).unwrap();
        published += 1;
        world.run_for(s(1));
    }
    assert_eq!(hosts(&world)[2..], [at(A)]);
    world.latency = Duration::from_millis(50);
    let all = world.run_until(s(60), |world| {
        let events = world.session_events();
        events
            .filter(|event| matches!(event, Mqtt::Published(_)))
            .count()
            == published
    });
    assert!(all, "what was under way is lost");
}

/// A session belongs to a broker: another broker gets a new one, and no message is lost.
#[test]
fn another_broker_gets_a_clean_start_and_everything_again() {
    for cluster in [false, true] {
        let mut config = in_order();
        config.failover.cluster = cluster;
        let mut world = world(config);
        world.start();
        world.run_until_online(s(6));
        world.client.subscribe(&[("f", QoS::AtLeastOnce)]).unwrap();
        world.run_for(s(60));
        world.routes.insert(at(A), Path::Refused);
        world.cut();
        let message = Message::new("t", "x").qos(QoS::ExactlyOnce);
        let token = world.client.publish(message).unwrap();
        let published = |world: &World| {
            let mut events = world.session_events();
            events.any(|event| *event == Mqtt::Published(token))
        };
        assert!(world.run_until(s(20), published));
        let log = world.others[&at(B)].log();
        assert_eq!(log.connects[0].clean, !cluster);
        assert_eq!(log.published.len(), 1);
        // The next connection to the same broker resumes.
        world.run_for(s(60));
        world.cut();
        world.run_until_online(s(6));
        assert!(!world.others[&at(B)].log().connects[1].clean);
        // B received the subscription.
        world
            .client
            .publish(Message::new("f", "x").qos(QoS::AtLeastOnce))
            .unwrap();
        let received = |world: &World| {
            let mut events = world.session_events();
            events.any(|event| matches!(event, Mqtt::Message(message) if message.topic == "f"))
        };
        assert!(world.run_until(s(20), received), "cluster {cluster}");
    }
}

/// A broker that was only tried has not taken over the session.
#[test]
fn a_broker_that_was_tried_in_vain_does_not_cost_the_session() {
    let mut world = world(in_order());
    world.start();
    world.run_until_online(s(6));
    world.run_for(s(60));
    world.others[&at(B)].configure(|config| config.refuse = Some(0x88));
    world.routes.insert(at(C), Path::Refused);
    // A is unavailable for a moment, and B refuses after CONNECT.
    world.paths.push_back(Path::Refused);
    world.cut();
    world.run_until_online(s(20));
    assert_eq!(hosts(&world), [at(A), at(A), at(B), at(C), at(A)]);
    assert!(!world.server.log().connects.last().unwrap().clean);
}

#[test]
fn each_broker_is_checked_for_its_own_name() {
    // The chain of the testkit is valid only for these names and addresses.
    let list = format!("mqtts://wrong.example.com mqtts://{A}");
    let mut config = several(&list);
    config.tls = Some(world::device_tls());
    let mut world = World::new(config, secure());
    world.network = attached();
    world.answer = Some(Ok(vec![ip(A)]));
    world.start();
    let (stage, cause, _) = world.run_until_failed(s(5));
    assert_eq!(stage, Stage::Tls);
    assert!(
        matches!(
            cause,
            Cause::Tls(TlsError::Certificate(CertificateFault::NameMismatch { .. }))
        ),
        "{cause:?}"
    );
    world.run_until_online(s(6));
}

#[test]
fn what_only_a_person_can_correct_at_one_broker_does_not_slow_down_the_others() {
    let mut world = world(in_order());
    world.server.configure(|config| config.refuse = Some(0x87));
    world.start();
    let (_, cause, retry_in) = world.run_until_failed(s(5));
    assert!(cause.needs_a_person());
    assert!(retry_in.unwrap() <= s(2));
    world.run_until_online(s(6));
    // Refused everywhere: at the slowest pace.
    let mut world = self::world(in_order());
    world.server.configure(|config| config.refuse = Some(0x87));
    for server in world.others.values() {
        server.configure(|config| config.refuse = Some(0x87));
    }
    world.start();
    let pauses: Vec<_> = (0..3)
        .map(|_| world.run_until_failed(s(70)).2.unwrap())
        .collect();
    assert!(
        pauses[0] <= s(2) && pauses[1] <= s(2) && pauses[2] >= s(32),
        "{pauses:?}"
    );
}

/// Creates a world whose first broker redirects to the second.
fn pointing(code: u8, reference: &str, config: Config) -> World {
    let world = world(config);
    world.server.configure(|config| {
        config.refuse = Some(code);
        config.server_reference = Some(reference.to_owned());
    });
    world
}

#[test]
fn a_redirect_is_followed() {
    for (code, lasts) in [(0x9c, false), (0x9d, true)] {
        let mut config = config(PLAIN);
        config.session.keep_alive = s(10);
        let mut world = pointing(code, B, config);
        world.start();
        world.run_until_online(s(6));
        assert_eq!(hosts(&world), [at(A), at(B)]);
        assert_eq!(redirected(&world), [format!("mqtt://{B}:1883")]);
        // A temporary redirect ends with the connection.
        world.run_for(s(60));
        world.cut();
        world.run_until_online(s(10));
        match lasts {
            true => assert_eq!(hosts(&world)[2..], [at(B)]),
            false => assert_eq!(hosts(&world)[2..], [at(A), at(B)]),
        }
        // A target that is gone leads back to the configured broker.
        world.run_for(s(60));
        world.routes.insert(at(B), Path::Refused);
        world.server.configure(|config| config.refuse = None);
        world.cut();
        world.run_until_online(s(20));
        assert_eq!(hosts(&world).last(), Some(&at(A)));
    }
}

/// The broker need not name another one (MQTT 5 section 4.11), and a stable connection is no reason
/// to come back.
#[test]
fn a_broker_that_sends_the_client_away_is_left_for_the_next_one() {
    for code in [0x9c, 0x9d] {
        for reference in ["", "a..b", A] {
            let mut world = world(in_order());
            world.start();
            world.run_until_online(s(6));
            world.run_for(s(100));
            world.disconnect(code, reference);
            world.run_until_online(s(6));
            assert_eq!(hosts(&world), [at(A), at(B)], "{code:#x} {reference:?}");
        }
        // A single broker is tried again at the usual pace.
        let mut config = config(PLAIN);
        config.session.keep_alive = s(10);
        let mut world = self::world(config);
        world.start();
        world.run_until_online(s(6));
        world.run_for(s(100));
        world.disconnect(code, "");
        world.run_until_online(s(6));
    }
    // Other reasons are none to leave it.
    let mut world = world(in_order());
    world.start();
    world.run_until_online(s(6));
    world.run_for(s(100));
    world.disconnect(0x8b, "");
    world.run_until_online(s(6));
    assert_eq!(hosts(&world), [at(A), at(A)]);
}

#[test]
fn a_reference_without_a_port_has_that_of_the_broker_that_sends_it() {
    for code in [0x9c, 0x9d] {
        let mut config = config(PLAIN);
        config.session.keep_alive = s(10);
        let mut world = pointing(code, &format!("{B}:1884"), config);
        world.start();
        world.run_until_online(s(6));
        world.run_for(s(100));
        world.disconnect(code, C);
        world.run_until_online(s(6));
        let ports: Vec<_> = world.connects.iter().map(|to| to.port()).collect();
        assert_eq!(hosts(&world), [at(A), at(B), at(C)]);
        assert_eq!(ports, [1883, 1884, 1884]);
    }
}

/// "A space separated list of references" (MQTT 5 section 4.11).
#[test]
fn of_several_servers_pointed_to_the_next_is_tried() {
    let gone = "192.0.2.77";
    let mut world = pointing(0x9c, &format!("{gone} {B}"), config(PLAIN));
    world.routes.insert(at(gone), Path::Refused);
    world.start();
    world.run_until_online(s(10));
    assert_eq!(hosts(&world), [at(A), at(gone), at(B)]);
    let followed = [gone, B].map(|host| format!("mqtt://{host}:1883"));
    assert_eq!(redirected(&world), followed);
}

#[test]
fn redirects_in_a_circle_end_at_the_slow_pace() {
    let mut world = pointing(0x9d, B, config(PLAIN));
    world.others[&at(B)].configure(|config| {
        config.refuse = Some(0x9d);
        config.server_reference = Some(A.to_owned());
    });
    world.start();
    assert!(world.run_until(s(60), |world| world.failures().len() == 4));
    let failures = world.failures();
    assert_eq!(hosts(&world), [at(A), at(B), at(A), at(B)]);
    assert_eq!(failures[3].1, Cause::TooManyRedirects);
    assert!(failures[3].2.unwrap() >= s(32), "{failures:?}");
    assert!(
        failures[..3]
            .iter()
            .all(|failure| failure.2.unwrap() <= s(2))
    );
}

/// The pauses still grow.
#[test]
fn a_redirect_to_a_server_that_is_down_is_no_circle() {
    let mut world = pointing(0x9d, B, config(PLAIN));
    world.routes.insert(at(B), Path::Refused);
    world.start();
    world.run_for(s(600));
    let failures = world.failures();
    for (_, cause, _) in &failures {
        assert!(
            matches!(
                cause,
                Cause::Tcp(TcpError::Refused) | Cause::Mqtt(SessionError::Refused(_))
            ),
            "{cause:?}"
        );
    }
    let longest = failures.iter().filter_map(|failure| failure.2).max();
    assert!(longest >= Some(s(30)), "{longest:?}");
    world.routes.remove(&at(B));
    world.run_until_online(s(600));
}

#[test]
fn a_redirect_that_is_not_wanted_or_not_readable_is_a_refusal() {
    for (reference, redirects) in [(B, 0), ("a..b -", 3), ("", 3), (A, 3)] {
        let mut config = config(PLAIN);
        config.redirects = redirects;
        let mut world = pointing(0x9d, reference, config);
        world.start();
        let (_, cause, retry_in) = world.run_until_failed(s(5));
        assert!(
            matches!(cause, Cause::Mqtt(SessionError::Refused(_))),
            "{cause:?}"
        );
        assert!(retry_in.unwrap() >= s(32), "{reference}: {retry_in:?}");
        assert_eq!(redirected(&world), [""; 0]);
    }
}

/// The certificate must contain the name in the reference.
#[test]
fn a_redirect_to_a_name_that_the_certificate_does_not_carry_is_refused() {
    let mut world = World::new(config(SECURE), secure());
    world.network = attached();
    world.answer = Some(Ok(vec![ip(A)]));
    world.server.configure(|config| {
        config.refuse = Some(0x9d);
        config.server_reference = Some("attacker.example.com".to_owned());
    });
    world.start();
    world.run_until_failed(s(5));
    let (stage, cause, _) = world.run_until_failed(s(5));
    assert_eq!(stage, Stage::Tls);
    assert!(
        matches!(
            cause,
            Cause::Tls(TlsError::Certificate(CertificateFault::NameMismatch { .. }))
        ),
        "{cause:?}"
    );
    assert_eq!(
        world.server.log().connects.len(),
        1,
        "no credentials for it"
    );
}

#[test]
fn a_broker_that_only_speaks_3_1_1_is_spoken_to_in_that() {
    for reaction in [OnlyV311::Closes, OnlyV311::Refuses] {
        let mut config = config(PLAIN);
        config.fallback_to_v311 = true;
        let server = peer::Config {
            only_v311: Some(reaction),
            ..plain()
        };
        let mut world = World::new(config, server);
        world.network = attached();
        let message = Message::new("t", "queued").qos(QoS::AtLeastOnce);
        let message = message.properties(thread_mqtt_session::Properties {
            content_type: Some("text/plain".into()),
            ..Default::default()
        });
        world.client.publish(message).unwrap();
        world.start();
        let (_, _, retry_in) = world.run_until_failed(s(5));
        assert!(retry_in.unwrap() <= s(2));
        world.run_until_online(s(5));
        let told = world
            .events
            .iter()
            .any(|(_, event)| *event == Event::Version(Version::V311));
        assert!(told, "{reaction:?}");
        world.run_for(s(100));
        assert_eq!(world.server.log().published[0].payload, b"queued");
        for _ in 0..4 {
            world.cut();
            world.run_until_online(s(5));
            world.run_for(s(100));
        }
        let versions: Vec<_> = world
            .server
            .log()
            .connects
            .iter()
            .map(|c| c.version)
            .collect();
        // It is remembered if the broker said so. Otherwise the configured version is tried first,
        // three times.
        let guesses = match reaction {
            OnlyV311::Closes => 3,
            OnlyV311::Refuses => 1,
        };
        let mut expected = [Spoken::V5, Spoken::V311].repeat(guesses);
        expected.resize(guesses + 5, Spoken::V311);
        assert_eq!(versions, expected, "{reaction:?}");
    }
}

#[test]
fn a_broker_that_is_only_restarting_keeps_its_version() {
    for closes in 1..=3 {
        let mut config = config(PLAIN);
        config.fallback_to_v311 = true;
        let server = peer::Config {
            faults: vec![Fault::CloseAfterReceived(1); closes],
            ..plain()
        };
        let mut world = World::started(config, server);
        world.run_until_online(s(20));
        // The older version is used for one connection at most.
        world.run_for(s(100));
        world.cut();
        world.run_until_online(s(20));
        assert_eq!(world.client.session().version(), Version::V5, "{closes}");
        // One that has used version 5 before is not suspected again.
        world
            .server
            .configure(|config| config.faults = vec![Fault::CloseAfterReceived(1); 4]);
        world.cut();
        world.run_until_online(s(60));
        assert_eq!(world.client.session().version(), Version::V5, "{closes}");
    }
}

/// What it says about the version outweighs what it used before.
#[test]
fn a_broker_may_become_one_of_the_other_version() {
    let mut config = config(PLAIN);
    config.fallback_to_v311 = true;
    let mut world = World::started(config, plain());
    world.run_until_online(s(5));
    assert_eq!(world.client.session().version(), Version::V5);
    world
        .server
        .configure(|config| config.only_v311 = Some(OnlyV311::Refuses));
    world.cut();
    world.run_until_online(s(20));
    assert_eq!(world.client.session().version(), Version::V311);

    let mut config = self::config(PLAIN);
    config.fallback_to_v311 = true;
    let server = peer::Config {
        only_v311: Some(OnlyV311::Refuses),
        ..plain()
    };
    let mut world = World::started(config, server);
    world.run_until_online(s(20));
    assert_eq!(world.client.session().version(), Version::V311);
    world.server.configure(|config| {
        config.only_v311 = None;
        config.refuse = Some(1);
    });
    world.run_for(s(100));
    world.cut();
    let (_, cause, retry_in) = world.run_until_failed(s(5));
    assert!(cause.cure().unwrap().contains("MQTT 5"), "{cause}");
    assert!(retry_in.unwrap() <= s(2), "{retry_in:?}");
    let told = (world.events.iter()).any(|(_, event)| *event == Event::Version(Version::V5));
    assert!(told);
    world.server.configure(|config| config.refuse = None);
    world.run_until_online(s(5));
    assert_eq!(world.client.session().version(), Version::V5);
}

/// It may have been replaced by one that says nothing, and later replaced again.
#[test]
fn a_broker_may_become_one_that_closes_at_the_other_version() {
    let mut config = config(PLAIN);
    config.fallback_to_v311 = true;
    let mut world = World::started(config, plain());
    world.run_until_online(s(5));
    assert_eq!(world.client.session().version(), Version::V5);
    let spoken = |world: &World| {
        let connects = world.server.log().connects;
        connects.iter().map(|c| c.version).collect::<Vec<_>>()
    };
    world
        .server
        .configure(|config| config.only_v311 = Some(OnlyV311::Closes));
    world.cut();
    world.run_until_online(s(600));
    assert_eq!(world.client.session().version(), Version::V311);
    assert_eq!(
        spoken(&world),
        [vec![Spoken::V5; 9], vec![Spoken::V311]].concat()
    );
    let told = |(_, event): &(Duration, Event)| *event == Event::Version(Version::V311);
    assert!(world.events.iter().any(told));
    // The configured version is tried first again, and costs one attempt.
    world.run_for(s(100));
    world.cut();
    world.run_until_online(s(20));
    assert_eq!(spoken(&world)[10..], [Spoken::V5, Spoken::V311]);
    world.server.configure(|config| config.only_v311 = None);
    world.run_for(s(100));
    world.cut();
    world.run_until_online(s(20));
    assert_eq!(world.client.session().version(), Version::V5);
    // From here on it is trusted again.
    let faults = vec![Fault::CloseAfterReceived(1); 7];
    world.server.configure(|config| config.faults = faults);
    world.cut();
    world.run_until_online(s(600));
    assert_eq!(world.client.session().version(), Version::V5);
}

#[test]
fn without_the_option_the_version_stays_and_the_cure_names_it() {
    for reaction in [OnlyV311::Closes, OnlyV311::Refuses] {
        let server = peer::Config {
            only_v311: Some(reaction),
            ..plain()
        };
        let mut world = World::started(config(PLAIN), server);
        for _ in 0..3 {
            let (_, cause, _) = world.run_until_failed(s(70));
            assert!(cause.cure().unwrap().contains("3.1.1"), "{cause:?}");
        }
        let connects = world.server.log().connects;
        assert!(connects.iter().all(|connect| connect.version == Spoken::V5));
    }
}
