//! The pauses after failures.
use super::*;
use thread_mqtt_client::Broker;

/// Returns the pause after losing the connection now.
fn pause_after_a_cut(world: &mut World) -> Duration {
    world.cut();
    world.failures().pop().unwrap().2.unwrap()
}

#[test]
fn pauses_grow() {
    let mut world = World::new(config(PLAIN), plain());
    world.network = attached();
    world.paths.extend([Path::Refused; 8]);
    world.start();
    let mut ceiling = s(1);
    for _ in 0..8 {
        ceiling = (ceiling * 2).min(s(64));
        let (_, _, retry_in) = world.run_until_failed(s(70));
        let pause = retry_in.unwrap();
        assert!(pause <= ceiling, "{pause:?} of {ceiling:?}");
    }
    world.run_until_online(s(70));
}

/// A broker that accepts and hangs up must not be retried quickly, however often it accepts.
#[test]
fn a_connection_without_an_answer_does_not_count_however_long_it_lasts() {
    let mut config = config(PLAIN);
    // Longer than the connections last, so that no ping is answered.
    config.session.keep_alive = s(600);
    let mut world = World::started(config, plain());
    let mut longest = Duration::ZERO;
    for _ in 0..20 {
        world.run_until_online(s(70));
        world.run_for(s(120));
        longest = longest.max(pause_after_a_cut(&mut world));
    }
    assert!(longest > s(8), "{longest:?}");
}

#[test]
fn an_answer_and_some_seconds_reset_the_pauses() {
    let restarted = |answered: bool, lasts: Duration| {
        let mut config = config(PLAIN);
        config.session.keep_alive = s(600);
        config.timers.stable_after = s(10);
        let mut world = World::started(config, plain());
        let mut longest = Duration::ZERO;
        for n in 0..20 {
            world.run_until_online(s(70));
            if answered {
                let message = Message::new("t", [n]).qos(QoS::AtLeastOnce);
                world.client.publish(message).unwrap();
            }
            world.run_for(lasts);
            longest = longest.max(pause_after_a_cut(&mut world));
        }
        longest
    };
    // A broker that restarts every 30 s.
    assert!(restarted(true, s(30)) <= s(2));
    // One that answers and then closes the connection is not stable.
    assert!(restarted(true, s(9)) > s(8));
    assert!(restarted(false, s(30)) > s(8));
}

#[test]
fn an_answered_ping_is_a_proof() {
    let mut world = World::started(config(PLAIN), plain());
    for _ in 0..10 {
        world.run_until_online(s(70));
        // The keep-alive in this test is a minute.
        world.run_for(s(75));
        assert!(pause_after_a_cut(&mut world) <= s(2));
    }
}

#[test]
fn the_application_can_end_the_pause() {
    let mut world = World::new(config(PLAIN), plain());
    world.network = attached();
    world.paths.extend([Path::Refused; 8]);
    world.client.retry_now(world.now);
    assert!(world.client.is_idle(), "there is no pause to end");
    world.start();
    for n in 1..8 {
        world.run_until_failed(s(5));
        world.client.retry_now(world.now);
        world.settle();
        assert_eq!(world.connects.len(), n + 1);
    }
    // It does not bypass the back-off.
    let (_, _, retry_in) = world.run_until_failed(s(5));
    assert!(retry_in.unwrap() > s(2), "{retry_in:?}");
    world.client.retry_now(world.now);
    world.run_until_online(s(1));
    world.client.retry_now(world.now);
    world.run_for(s(1));
    assert!(world.client.is_online());
}

#[test]
fn times_that_overflow_are_refused_with_their_name() {
    type Change = fn(&mut thread_mqtt_client::Config);
    let changes: [(&str, Change); 8] = [
        ("tcp_connect", |c| c.timers.tcp_connect = Duration::MAX),
        ("next_address", |c| c.timers.next_address = Duration::MAX),
        ("tls_handshake", |c| c.timers.tls_handshake = Duration::MAX),
        ("backoff_max", |c| c.timers.backoff_max = Duration::MAX),
        ("stable_after", |c| c.timers.stable_after = Duration::MAX),
        ("network_jitter", |c| {
            c.timers.network_jitter = Duration::MAX
        }),
        ("close", |c| c.timers.close = s(30 * 86_400 + 1)),
        ("return_after", |c| {
            c.failover.return_after = Some(Duration::MAX)
        }),
    ];
    for (name, change) in changes {
        let mut config = config(PLAIN);
        change(&mut config);
        let error = Client::new(config).unwrap_err();
        assert_eq!(error, ConfigError::TooLong(name));
        assert!(error.to_string().contains(name), "{error}");
    }
    let zeroes: [(&str, Change); 3] = [
        ("tcp_connect", |c| c.timers.tcp_connect = Duration::ZERO),
        ("tls_handshake", |c| c.timers.tls_handshake = Duration::ZERO),
        ("response_timeout", |c| {
            c.session.response_timeout = Duration::ZERO
        }),
    ];
    for (name, change) in zeroes {
        let mut config = config(PLAIN);
        change(&mut config);
        let error = Client::new(config).unwrap_err();
        assert_eq!(error, ConfigError::Zero(name));
        assert!(error.to_string().contains(name), "{error}");
    }
    let mut longest = config(PLAIN);
    longest.timers.backoff_min = s(30 * 86_400);
    longest.timers.backoff_max = s(30 * 86_400);
    assert!(Client::new(longest).is_ok());
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
        assert!(retry_in.unwrap() <= s(2), "{retry_in:?}");
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

/// One short pause for the missing clean start; after that a failure counts, and another broker is
/// tried.
#[test]
fn a_broker_that_always_claims_a_session_is_left_like_any_other() {
    let mut world = World::started(config(PLAIN), plain());
    world.claims_session = true;
    let mut longest = Duration::ZERO;
    for _ in 0..20 {
        let (_, cause, retry_in) = world.run_until_failed(s(70));
        assert_eq!(cause, Cause::Mqtt(SessionError::UnexpectedSession));
        longest = longest.max(retry_in.unwrap());
    }
    assert!(longest > s(16), "{longest:?}");
    world.claims_session = false;
    world.run_until_online(s(70));

    let mut several = config(PLAIN);
    several.failover.others = Broker::list("mqtt://203.0.113.20").unwrap();
    let mut world = World::started(several, plain());
    world.claims_session = true;
    let elsewhere = world.run_until(s(20), |world| {
        world.connects.last() != world.connects.first()
    });
    assert!(elsewhere, "{:?}", world.connects);
}
