//! The time, queried from an SNTP server before TLS.
use super::*;
use proptest::prelude::*;
use std::net::SocketAddrV6;
use thread_mqtt_client::{Action, Config, TimeConfig, TimeError, TimePolicy, TimeServer};
use thread_mqtt_tls::TlsError;
use world::{Sntp, ntp_answer};

const FIRST: &str = "192.0.2.1";
const SECOND: &str = "192.0.2.2";
/// A floor one year before the world's time.
const FLOOR: u64 = UNIX_TIME - 365 * 86_400;

fn servers(names: &[&str], policy: TimePolicy) -> Config {
    Config {
        time: TimeConfig {
            servers: names.iter().map(|name| name.parse().unwrap()).collect(),
            policy,
            ..TimeConfig::default()
        },
        time_floor: FLOOR,
        ..config(SECURE)
    }
}

/// Creates a device without a clock in a network with these time servers.
fn clockless(config: Config, sntp: &[(&str, Sntp)]) -> World {
    let mut world = World::new(config, secure());
    world.unix_time = None;
    world.network = attached();
    for (address, server) in sntp {
        let address = prefix().prefix.embed(address.parse().unwrap());
        world.time_servers.insert(address, *server);
    }
    world.start();
    world
}

/// Returns the first failure.
fn failure(world: &mut World, limit: Duration) -> (Stage, Cause, Option<Duration>) {
    let failed = world.run_until(limit, |world| !world.failures().is_empty());
    assert!(failed, "no failure in {limit:?}: {:#?}", world.events);
    world.failures().remove(0)
}

fn unknown(world: &World) -> Vec<TimeError> {
    let why = |(_, event): &(Duration, Event)| match event {
        Event::TimeUnknown { why, floor } => {
            assert!(*floor >= FLOOR);
            Some(why.clone())
        }
        _ => None,
    };
    world.events.iter().filter_map(why).collect()
}

#[test]
fn the_time_comes_before_tls() {
    for policy in [TimePolicy::Strict, TimePolicy::Lenient] {
        let mut world = clockless(servers(&[FIRST], policy), &[(FIRST, Sntp::Right)]);
        world.run_until_online(s(5));
        assert_eq!(
            world.stages(),
            [
                Stage::Attach,
                Stage::Prefix,
                Stage::Time,
                Stage::Resolve,
                Stage::Tcp,
                Stage::Tls,
                Stage::Mqtt
            ]
        );
        let told = world.reached().find_map(|reached| match reached {
            Reached::Time(seconds, server) => Some((*seconds, server.to_string())),
            _ => None,
        });
        let (seconds, server) = told.unwrap();
        assert_eq!(seconds, UNIX_TIME);
        assert!(server.contains("NAT64 for 192.0.2.1"), "{server}");
        assert_eq!(world.client.unix_time(world.now + s(7)), Some(seconds + 7));
        assert!(unknown(&world).is_empty());
    }
}

#[test]
fn a_platform_that_knows_the_time_asks_nobody() {
    let mut world = World::started(servers(&[FIRST], TimePolicy::Strict), secure());
    world.run_until_online(s(5));
    assert!(world.time_questions.is_empty());
    assert!(!world.stages().contains(&Stage::Time));
}

#[test]
fn without_tls_nobody_is_asked() {
    let plain_uri = Config {
        time_floor: FLOOR,
        time: servers(&[FIRST], TimePolicy::Strict).time,
        ..config(PLAIN)
    };
    let mut world = World::new(plain_uri, plain());
    world.unix_time = None;
    world.network = attached();
    world.start();
    world.run_until_online(s(5));
    assert!(world.time_questions.is_empty());
}

#[test]
fn the_name_of_a_server_is_resolved() {
    let mut world = World::new(servers(&["time.example.org"], TimePolicy::Strict), secure());
    world.unix_time = None;
    world.network = attached();
    world.answer = Some(Ok(vec![ip(SECOND)]));
    let address = prefix().prefix.embed(SECOND.parse().unwrap());
    world.time_servers.insert(address, Sntp::Right);
    world.start();
    world.run_until_online(s(5));
    assert_eq!(world.time_questions.len(), 1);
    assert_eq!(world.time_questions[0].ip(), &address);
    assert_eq!(world.time_questions[0].port(), 123);
}

#[test]
fn a_port_of_its_own_is_used() {
    let mut world = clockless(
        servers(&["192.0.2.1:1123"], TimePolicy::Strict),
        &[(FIRST, Sntp::Right)],
    );
    world.run_until_online(s(5));
    assert_eq!(world.time_questions[0].port(), 1123);
}

#[test]
fn a_lost_question_is_asked_again_and_then_another_server() {
    let mut world = clockless(
        servers(&[FIRST, SECOND], TimePolicy::Strict),
        &[(FIRST, Sntp::Silent), (SECOND, Sntp::Right)],
    );
    world.run_until_online(s(10));
    let asked: Vec<_> = world.time_questions.iter().map(|to| *to.ip()).collect();
    let at = |address: &str| prefix().prefix.embed(address.parse().unwrap());
    assert_eq!(asked, [at(FIRST), at(FIRST), at(SECOND)]);
    let (told, _) = (world.events.iter())
        .find(|(_, event)| matches!(event, Event::Reached(Reached::Time(..))))
        .unwrap();
    assert!((s(6)..s(7)).contains(told), "{told:?}");
}

#[test]
fn strict_without_an_answer_has_no_tls() {
    let mut world = clockless(
        servers(&[FIRST, SECOND], TimePolicy::Strict),
        &[(FIRST, Sntp::Silent), (SECOND, Sntp::Silent)],
    );
    let (stage, cause, retry) = failure(&mut world, s(20));
    assert_eq!(stage, Stage::Time);
    assert_eq!(cause, Cause::Time(TimeError::NoAnswer));
    assert!(cause.cure().unwrap().contains("UDP to port 123"));
    assert!(retry.is_some());
    assert!(world.connects.is_empty());
    assert!(world.now <= s(12), "{:?}", world.now);

    // The servers are fixed: the next attempt succeeds.
    for server in world.time_servers.values_mut() {
        *server = Sntp::Right;
    }
    world.run_until_online(s(70));
}

#[test]
fn the_deadline_holds() {
    let mut config = servers(&[FIRST, SECOND], TimePolicy::Strict);
    config.time.deadline = s(4);
    let mut world = clockless(config, &[]);
    let (stage, cause, _) = failure(&mut world, s(20));
    assert_eq!((stage, world.now), (Stage::Time, s(4)));
    assert_eq!(cause, Cause::Time(TimeError::NoAnswer));
}

#[test]
fn strict_without_servers_waits_for_the_platform() {
    let mut world = clockless(servers(&[], TimePolicy::Strict), &[]);
    let (stage, cause, _) = failure(&mut world, s(1));
    assert_eq!(stage, Stage::Time);
    assert_eq!(cause, Cause::Time(TimeError::NoServer));
    // The platform's time ends the pause.
    world.unix_time = Some(UNIX_TIME);
    world.run_until_online(s(1));
}

#[test]
fn the_platforms_word_ends_the_question() {
    let mut world = clockless(
        servers(&[FIRST], TimePolicy::Strict),
        &[(FIRST, Sntp::Silent)],
    );
    world.run_for(s(1));
    assert_eq!(world.client.stage(), Some(Stage::Time));
    world.unix_time = Some(UNIX_TIME);
    world.run_until_online(s(2));
    assert!(world.udp_closed, "the socket of the question is closed");
}

#[test]
fn lenient_says_what_is_not_checked_and_goes_on() {
    let mut world = clockless(
        servers(&[FIRST], TimePolicy::Lenient),
        &[(FIRST, Sntp::Silent)],
    );
    world.run_until_online(s(10));
    assert_eq!(unknown(&world), [TimeError::NoAnswer]);
    assert_eq!(world.client.unix_time(world.now), None);
    assert!((FLOOR..FLOOR + 60).contains(&world.client.time_floor()));

    // The next connection does not wait again, and does not report it again.
    let asked = world.time_questions.len();
    world.cut();
    world.run_until_online(s(10));
    assert_eq!(world.time_questions.len(), asked);
    assert_eq!(unknown(&world), [TimeError::NoAnswer]);

    // Ten minutes later it queries again.
    world.run_for(s(600));
    world.cut();
    world.run_until(s(30), |world| world.time_questions.len() > asked);
    assert_eq!(world.time_questions.len(), asked + 1);
    world.run_until_online(s(30));
    assert_eq!(unknown(&world), [TimeError::NoAnswer]);

    // A different reason is reported.
    world.run_for(s(600));
    for server in world.time_servers.values_mut() {
        *server = Sntp::Unsynchronised;
    }
    world.cut();
    world.run_until(s(30), |world| unknown(world).len() > 1);
    let both = [TimeError::NoAnswer, TimeError::Unsynchronised];
    assert_eq!(unknown(&world), both);
}

#[test]
fn lenient_refuses_what_expired_before_the_floor() {
    let expired = u64::try_from(VALIDITY.not_after).unwrap() + 1;
    let mut config = servers(&[], TimePolicy::Lenient);
    config.time_floor = expired;
    let mut world = clockless(config, &[]);
    let (stage, cause, _) = failure(&mut world, s(5));
    assert_eq!(stage, Stage::Tls);
    assert!(matches!(
        cause,
        Cause::Tls(TlsError::Certificate(CertificateFault::Expired { .. }))
    ));
}

#[test]
fn forged_answers_are_waited_out() {
    // The right answer arrives after the forged ones.
    let mut world = clockless(
        servers(&[FIRST], TimePolicy::Strict),
        &[(FIRST, Sntp::Forged)],
    );
    world.run_until_online(s(5));
    assert_eq!(world.client.unix_time(Duration::ZERO), Some(UNIX_TIME));
    assert_eq!(world.time_questions.len(), 1);
}

#[test]
fn servers_that_know_nothing_are_passed_over_at_once() {
    for (wrong, error) in [
        (Sntp::Kiss(*b"DENY"), TimeError::Refused(*b"DENY")),
        (Sntp::Unsynchronised, TimeError::Unsynchronised),
        (Sntp::Kiss(*b"INIT"), TimeError::Unsynchronised),
        (Sntp::At(FLOOR - 86_400), TimeError::BeforeFloor),
    ] {
        let mut world = clockless(
            servers(&[FIRST, SECOND], TimePolicy::Strict),
            &[(FIRST, wrong), (SECOND, Sntp::Right)],
        );
        world.run_until_online(s(2));
        assert_eq!(world.time_questions.len(), 2, "{error}");

        let mut world = clockless(servers(&[FIRST], TimePolicy::Strict), &[(FIRST, wrong)]);
        let (_, cause, _) = failure(&mut world, s(2));
        assert!(cause.cure().is_some());
        assert_eq!(cause, Cause::Time(error));
    }
}

#[test]
fn who_asked_to_be_left_alone_is() {
    for (code, pause) in [(*b"RATE", 900), (*b"DENY", 3_600)] {
        let mut world = clockless(
            servers(&[FIRST], TimePolicy::Strict),
            &[(FIRST, Sntp::Kiss(code))],
        );
        world.run_for(s(pause - 1));
        assert!(world.failures().len() > 3, "{:?}", world.failures());
        assert_eq!(world.time_questions.len(), 1);
        world
            .time_servers
            .values_mut()
            .for_each(|server| *server = Sntp::Right);
        world.run_until_online(s(200));
    }
}

#[test]
fn all_that_asked_to_be_left_alone_are() {
    let names: Vec<String> = (1..=6).map(|n| format!("192.0.2.{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let sntp: Vec<_> = names
        .iter()
        .map(|name| (*name, Sntp::Kiss(*b"DENY")))
        .collect();
    let mut world = clockless(servers(&names, TimePolicy::Strict), &sntp);
    world.run_for(s(3_600 - 1));
    assert!(world.failures().len() > 3, "{:?}", world.failures());
    assert_eq!(world.time_questions.len(), 6);
}

/// The default chain of a device, whose sources together have more time than a search.
#[test]
fn a_silent_name_leaves_time_to_the_next_server() {
    let asking = |names: &[&str]| {
        let mut config = servers(names, TimePolicy::Strict);
        config.resolver.chain = thread_mqtt_resolve::resolver::Config::default().chain;
        clockless(config, &[(FIRST, Sntp::Right)])
    };
    asking(&["time.example", FIRST]).run_until_online(s(10));

    let (stage, cause, _) = failure(&mut asking(&["time.example"]), s(16));
    assert_eq!(stage, Stage::Time);
    assert!(
        matches!(cause, Cause::Time(TimeError::Resolve(_))),
        "{cause}"
    );
}

/// After a power failure the server boots together with the device.
#[test]
fn a_server_that_is_not_synchronised_yet_is_asked_again_soon() {
    for starting in [
        Sntp::Unsynchronised,
        Sntp::Kiss(*b"INIT"),
        Sntp::Kiss(*b"STEP"),
    ] {
        let mut world = clockless(servers(&[FIRST], TimePolicy::Strict), &[(FIRST, starting)]);
        world.run_for(s(10));
        assert!(!world.failures().is_empty());
        world
            .time_servers
            .values_mut()
            .for_each(|server| *server = Sntp::Right);
        world.run_until_online(s(120));
    }
}

#[test]
fn a_lying_server_is_found_out_by_the_certificate() {
    let mut world = clockless(
        servers(&[FIRST, SECOND], TimePolicy::Strict),
        &[(FIRST, past_validity()), (SECOND, Sntp::Right)],
    );
    let (stage, cause, retry_in) = failure(&mut world, s(5));
    assert_eq!(stage, Stage::Tls);
    assert!(matches!(
        cause,
        Cause::Tls(TlsError::Certificate(CertificateFault::Expired { .. }))
    ));
    // Its time is not used, and another server is queried soon.
    assert_eq!(world.client.time_floor(), FLOOR);
    assert_eq!(world.client.unix_time(world.now), None);
    assert!(retry_in.unwrap() <= s(2), "{retry_in:?}");
    world.run_until_online(s(5));
    assert_eq!(unix_time(&world), UNIX_TIME + world.now.as_secs());
}

/// Creates a device whose time server has a name with these addresses.
fn named(policy: TimePolicy, sntp: &[(&str, Sntp)]) -> World {
    let mut world = clockless(servers(&["time.example.org"], policy), sntp);
    world.answer = Some(Ok(sntp.iter().map(|(address, _)| ip(address)).collect()));
    world
}

fn past_validity() -> Sntp {
    Sntp::At(u64::try_from(VALIDITY.not_after).unwrap() + 86_400)
}

#[test]
fn another_address_is_asked_after_one_that_lies() {
    for policy in [TimePolicy::Strict, TimePolicy::Lenient] {
        let sntp = [(FIRST, past_validity()), (SECOND, Sntp::Right)];
        let mut world = named(policy, &sntp);
        let (_, _, retry_in) = failure(&mut world, s(5));
        assert!(retry_in.unwrap() <= s(2), "{retry_in:?}");
        world.run_until_online(s(5));
        assert_eq!(world.time_questions.len(), 2);
    }
}

#[test]
fn every_address_of_a_name_has_its_turn() {
    for (wrong, limit) in [
        (Sntp::Unsynchronised, s(10)),
        (Sntp::Kiss(*b"RATE"), s(10)),
        (past_validity(), s(100)),
    ] {
        let sntp = [(FIRST, wrong), (SECOND, wrong), ("192.0.2.3", Sntp::Right)];
        named(TimePolicy::Strict, &sntp).run_until_online(limit);
    }
}

/// Perhaps the certificate is really invalid.
#[test]
fn when_every_time_is_contradicted_the_pauses_are_long() {
    for second in [past_validity(), Sntp::Silent] {
        let sntp = [(FIRST, past_validity()), (SECOND, second)];
        let several = servers(&[FIRST, SECOND], TimePolicy::Strict);
        for mut world in [clockless(several, &sntp), named(TimePolicy::Strict, &sntp)] {
            world.run_for(s(3_600));
            let failures = world.failures();
            let tls = failures.iter().filter(|(stage, ..)| *stage == Stage::Tls);
            let short = tls.filter(|(.., pause)| pause.unwrap() < s(32)).count();
            assert!(short <= 5, "{second:?}: {short} of {}", failures.len());
            assert!(failures.len() < 120, "{second:?}: {}", failures.len());
        }
    }
}

/// Returns the time that the client believes.
fn unix_time(world: &World) -> u64 {
    world.client.unix_time(world.now).unwrap()
}

/// Two daemons at one address, on the border router: one does not serve this device.
#[test]
fn a_kiss_is_of_one_port() {
    let config = servers(&[FIRST, "192.0.2.1:1123"], TimePolicy::Strict);
    let mut world = World::new(config, secure());
    world.unix_time = None;
    world.network = attached();
    let address = prefix().prefix.embed(FIRST.parse().unwrap());
    world.time_servers.insert(address, Sntp::Right);
    world.kissing = Some(SocketAddrV6::new(address, 123, 0, 0));
    world.start();
    world.run_until_online(s(5));
    let ports: Vec<_> = world
        .time_questions
        .iter()
        .map(SocketAddrV6::port)
        .collect();
    assert_eq!(ports, [123, 1123]);
}

/// The floor rises to when the leaf was issued, whatever the server says, and then with the uptime.
#[test]
fn the_floor_rises_to_what_the_certificate_proves() {
    let issued = u64::try_from(VALIDITY.not_before).unwrap();
    let soon_over = u64::try_from(VALIDITY.not_after).unwrap() - 1;
    for told in [Sntp::Right, Sntp::At(soon_over), Sntp::Silent] {
        let mut config = servers(&[FIRST], TimePolicy::Lenient);
        config.time_floor = issued - 86_400;
        let mut world = clockless(config, &[(FIRST, told)]);
        world.run_until(s(15), |world| world.stages().contains(&Stage::Tcp));
        assert_eq!(world.client.time_floor(), issued - 86_400, "{told:?}");
        world.run_until_online(s(5));
        let floor = world.client.time_floor();
        assert!((issued..issued + 5).contains(&floor), "{told:?}: {floor}");
        world.run_for(s(86_400));
        let later = world.client.time_floor();
        assert!(
            (floor + 86_390..floor + 86_410).contains(&later),
            "{told:?}"
        );
    }
}

/// The platform is trusted, but only once a certificate was valid at its time.
#[test]
fn the_floor_rises_to_the_platforms_word() {
    let mut world = World::started(servers(&[], TimePolicy::Strict), secure());
    world.run_until(s(5), |world| world.stages().contains(&Stage::Tcp));
    assert_eq!(world.client.time_floor(), FLOOR);
    world.run_until_online(s(5));
    assert!(world.client.time_floor() >= UNIX_TIME);
}

/// One answer, a second before the certificate expires, used to lock the device out for good, even
/// across reboots.
#[test]
fn a_forged_time_just_before_the_end_of_the_certificate_locks_nobody_out() {
    let end = u64::try_from(VALIDITY.not_after).unwrap();
    let config = || servers(&[FIRST], TimePolicy::Strict);
    let mut world = clockless(config(), &[(FIRST, Sntp::At(end - 1))]);
    world.run_until_online(s(5));
    // The connection ends after the forged time has passed the certificate's expiry.
    world.run_for(s(10));
    for server in world.time_servers.values_mut() {
        *server = Sntp::Right;
    }
    world.cut();
    world.run_until_online(s(200));
    let floor = world.client.time_floor();
    assert!(floor <= UNIX_TIME + world.now.as_secs(), "{floor}");

    let rebooted = Config {
        time_floor: floor,
        ..config()
    };
    clockless(rebooted, &[(FIRST, Sntp::Right)]).run_until_online(s(5));
}

fn lie() -> impl Strategy<Value = Sntp> {
    let (begin, end) = (VALIDITY.not_before, VALIDITY.not_after);
    let date = |unix: i64| Sntp::At(u64::try_from(unix).unwrap());
    prop_oneof![
        (0..u64::from(u32::MAX)).prop_map(Sntp::At),
        (begin - 100..begin + 100).prop_map(date),
        (end - 100..end + 100).prop_map(date),
        Just(Sntp::Kiss(*b"DENY")),
        Just(Sntp::Kiss(*b"RATE")),
        Just(Sntp::Unsynchronised),
        Just(Sntp::Silent),
        Just(Sntp::Right),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever a server on the path says, with reboots that keep the floor: the floor stays behind
    /// the true time, a device that learns the true time connects (docs/time.md: after at most an
    /// hour without a reboot), and so does one that does not require it.
    #[test]
    fn no_sequence_of_forged_answers_locks_a_device_out(
        lives in prop::collection::vec(prop::collection::vec(lie(), 1..4), 1..4),
        strict: bool,
    ) {
        let policy = match strict {
            true => TimePolicy::Strict,
            false => TimePolicy::Lenient,
        };
        let booted = |floor, server| {
            let mut config = servers(&[FIRST], policy);
            config.time_floor = floor;
            clockless(config, &[(FIRST, server)])
        };
        let (mut floor, mut up) = (FLOOR, 0);
        for lies in lives {
            let mut world = booted(floor, lies[0]);
            for lie in lies {
                for server in world.time_servers.values_mut() {
                    *server = lie;
                }
                world.run_for(s(40));
                world.cut();
                world.run_for(s(700));
            }
            up += world.now.as_secs();
            prop_assert!(world.client.time_floor() >= floor);
            floor = world.client.time_floor();
            prop_assert!(floor <= UNIX_TIME + up, "{} s ahead", floor - UNIX_TIME);

            // The liar is gone.
            for server in world.time_servers.values_mut() {
                *server = Sntp::Right;
            }
            world.cut();
            world.run_until_online(s(3_600 + 100));
            up += world.now.as_secs();
        }
        booted(floor, Sntp::Right).run_until_online(s(10));
        if !strict {
            booted(floor, Sntp::Silent).run_until_online(s(30));
        }
    }

    /// A certificate that expired before the floor is refused, whatever a server on the path says.
    #[test]
    fn no_sequence_of_forged_answers_lets_an_old_certificate_in(
        lies in prop::collection::vec(lie(), 1..6),
        strict: bool,
    ) {
        let end = u64::try_from(VALIDITY.not_after).unwrap();
        let policy = match strict {
            true => TimePolicy::Strict,
            false => TimePolicy::Lenient,
        };
        let mut config = servers(&[FIRST], policy);
        config.time_floor = end + 1;
        let mut world = clockless(config, &[(FIRST, lies[0])]);
        for lie in lies {
            for server in world.time_servers.values_mut() {
                *server = lie;
            }
            world.run_for(s(400));
        }
        prop_assert!(!world.stages().contains(&Stage::Tls));
    }
}

#[test]
fn an_old_time_is_asked_for_anew_and_kept_if_nobody_answers() {
    let mut world = clockless(
        servers(&[FIRST], TimePolicy::Strict),
        &[(FIRST, Sntp::Right)],
    );
    world.run_until_online(s(5));
    world.cut();
    world.run_until_online(s(10));
    assert_eq!(world.time_questions.len(), 1);

    world.run_for(s(86_400));
    world
        .time_servers
        .values_mut()
        .for_each(|server| *server = Sntp::Silent);
    world.cut();
    world.run_until_online(s(30));
    assert_eq!(world.time_questions.len(), 3);
    assert!(unknown(&world).is_empty());
    assert!(world.client.unix_time(world.now).unwrap() > UNIX_TIME + 86_400);
}

#[test]
fn a_network_without_nat64_is_named_as_such() {
    let mut world = World::new(servers(&[FIRST], TimePolicy::Strict), secure());
    world.unix_time = None;
    world.network = Network {
        attached: true,
        ..Network::default()
    };
    world.start();
    let (stage, cause, _) = failure(&mut world, s(30));
    assert_eq!(stage, Stage::Prefix);
    assert!(cause.cure().unwrap().contains("enable NAT64"), "{cause}");
}

#[test]
fn detaching_and_stopping_end_the_question() {
    let mut world = clockless(
        servers(&[FIRST], TimePolicy::Strict),
        &[(FIRST, Sntp::Silent)],
    );
    world.set_network(Network::default());
    let (stage, cause, _) = failure(&mut world, s(1));
    assert_eq!((stage, cause), (Stage::Time, Cause::NetworkLost));
    world.set_network(attached());
    world.run_until(s(100), |world| world.client.stage() == Some(Stage::Time));
    world.client.stop(world.now);
    world.settle();
    assert!(world.stopped());
    assert!(world.udp_closed);
    assert_eq!(world.client.poll_timeout(), None);
}

#[test]
fn without_entropy_no_question_is_asked() {
    let mut world = World::new(servers(&[FIRST], TimePolicy::Strict), secure());
    world.unix_time = None;
    world.entropy = false;
    world.network = attached();
    world.start();
    let (stage, cause, _) = failure(&mut world, s(1));
    assert_eq!((stage, cause), (Stage::Time, Cause::NoEntropy(-7)));
}

/// Whatever arrives at the port of the query, only the answer's bytes set the clock.
#[test]
fn garbage_is_no_time() {
    let mut client = Client::new(servers(&[FIRST], TimePolicy::Strict)).unwrap();
    let mut rng = world::rng(1);
    let now = Duration::ZERO;
    client.handle_network(&attached(), now);
    client.start(now);
    let mut question = None;
    while let Some(action) = client.poll_action(now, &mut rng) {
        if let Action::UdpSend {
            from_port,
            to,
            payload,
        } = action
        {
            question = Some((from_port, to, payload));
        }
    }
    let (port, to, payload) = question.unwrap();
    let good = ntp_answer(&payload, UNIX_TIME);
    for length in 0..good.len() {
        client.handle_datagram(to, port, &good[..length], now);
    }
    for bit in 24 * 8..32 * 8 {
        let mut forged = good.clone();
        forged[bit / 8] ^= 1 << (bit % 8);
        client.handle_datagram(to, port, &forged, now);
    }
    // From another sender, and to another port.
    let mut elsewhere = to;
    elsewhere.set_port(124);
    client.handle_datagram(elsewhere, port, &good, now);
    client.handle_datagram(to, port ^ 1, &good, now);
    assert_eq!(client.unix_time(now), None);
    assert_eq!(client.stage(), Some(Stage::Time));
    client.handle_datagram(to, port, &good, now);
    assert_eq!(client.unix_time(now), Some(UNIX_TIME));
}

#[test]
fn lists_of_servers_are_read() {
    assert_eq!(
        TimeServer::list("a.example, 192.0.2.1:1123").unwrap().len(),
        2
    );
}
