//! The network comes, goes and changes its prefix.
use super::*;
use thread_mqtt_client::KeepAlive;

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
    world.run_until_online(s(6));
}

#[test]
fn the_first_time_in_the_network_it_begins_at_once() {
    let mut world = World::new(config(PLAIN), plain());
    world.start();
    world.run_for(s(60));
    world.set_network(attached());
    assert_eq!(world.connects.len(), 1);
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
    world.run_until_online(s(6));
}

/// The border router returns, and a thousand devices see it at the same instant.
#[test]
fn devices_that_see_the_same_change_do_not_connect_at_once() {
    let mut seconds = [0; 5];
    for seed in 0..500 {
        let mut world = World::seeded(config(PLAIN), plain(), seed);
        world.network = attached();
        world.paths.push_back(Path::BlackHole);
        world.start();
        world.run_for(s(1));
        world.set_network(Network::default());
        world.run_for(s(300));
        world.set_network(attached());
        let back_at = world.now;
        assert!(world.run_until(s(6), |world| world.connects.len() == 2));
        let after = (world.now - back_at).as_secs() as usize;
        seconds[after.min(4)] += 1;
    }
    for (second, count) in seconds.into_iter().enumerate() {
        assert!((60..140).contains(&count), "second {second}: {seconds:?}");
    }
}

/// A prefix that flaps every second must not cause a handshake every second.
#[test]
fn a_network_that_flaps_is_not_followed_each_time() {
    for flap in [1, 2, 5, 20] {
        let mut world = World::new(config(PLAIN), plain());
        world.network = attached();
        world.routes.insert(
            prefix().prefix.embed(Ipv4Addr::new(203, 0, 113, 10)),
            Path::Refused,
        );
        world.start();
        for _ in 0..600 / flap {
            world.set_network(Network::default());
            world.run_for(s(flap) / 2);
            world.set_network(attached());
            world.run_for(s(flap) / 2);
        }
        let attempts = world.connects.len();
        assert!(attempts <= 45, "{attempts} attempts in ten minutes");
    }
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

/// What a detached device sends gets no answer, whatever it is.
#[test]
fn no_message_is_suspected_where_the_network_was_away() {
    let mut world = World::started(config(PLAIN), plain());
    let message = Message::new("t", "innocent").qos(QoS::AtLeastOnce);
    let token = world.client.publish(message).unwrap();
    let sent = |world: &World| world.sent.windows(8).any(|bytes| bytes == b"innocent");
    for back in [false, true].repeat(5) {
        assert!(world.run_until(s(100), sent), "{:?}", world.events);
        world.silence();
        world.set_network(Network::default());
        if back {
            world.set_network(attached());
        }
        let (_, cause, _) = world.run_until_failed(s(200));
        assert_eq!(cause, Cause::Mqtt(SessionError::PingTimeout));
        world.set_network(attached());
        world.sent.clear();
    }
    world.run_for(s(100));
    let ends = world.session_events().filter(
        |event| matches!(event, Mqtt::Published(t) | Mqtt::PublishFailed(t, _) if *t == token),
    );
    assert_eq!(ends.collect::<Vec<_>>(), [&Mqtt::Published(token)]);
}

#[test]
fn no_silence_has_failed_where_the_network_was_away() {
    let mut config = config(PLAIN);
    config.keep_alive = KeepAlive::Auto {
        min: s(60),
        max: s(600),
        start: Some(s(600)),
    };
    let mut world = World::started(config, plain());
    for (away, learnt) in [(true, 600), (false, 299)] {
        world.run_for(s(1_000));
        // What arrives afterwards proves that the network works.
        world.set_network(Network::default());
        world.set_network(attached());
        if !away {
            world.run_for(s(1_000));
        }
        world.silence();
        world.run_until_failed(s(700));
        world.run_until_online(s(100));
        assert_eq!(world.client.learnt_keep_alive(), Some(s(learnt)));
    }
}

#[test]
fn a_connection_does_not_outlive_its_prefix() {
    let mut world = World::started(config(PLAIN), plain());
    world.run_until_online(s(5));
    let other: thread_mqtt_resolve::Prefix = "fd00:65::/96".parse().unwrap();
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

/// The first prefix leads nowhere, and stays: nothing says that the earlier addresses are unusable.
#[test]
fn a_prefix_gained_ends_the_pause() {
    let mut config = long_pauses();
    config.resolver.configured_prefix = Some("64:ff9b::/96".parse().unwrap());
    let mut world = World::new(config, plain());
    world.network = Network {
        prefixes: Vec::new(),
        ..attached()
    };
    world.paths.extend([Path::Unreachable; 4]);
    world.start();
    while !world.paths.is_empty() {
        world.run_for(s(60));
    }
    world.set_network(attached());
    world.run_until_online(s(6));
}

/// A network that flapped comes back for good after the pause has grown. The client sleeps no
/// longer than the minute until the next attempt is allowed.
#[test]
fn after_flapping_a_network_that_stays_is_followed_within_a_minute() {
    for seed in 0..20 {
        let mut world = World::seeded(long_pauses(), plain(), seed);
        world.network = attached();
        world.paths.extend([Path::Refused; 8]);
        world.start();
        let mut flaps = 0;
        while world.paths.len() > 2 && flaps < 100 {
            world.set_network(Network::default());
            world.run_for(s(1));
            world.set_network(attached());
            world.run_for(s(6));
            flaps += 1;
        }
        world.paths.clear();
        world.set_network(Network::default());
        world.set_network(attached());
        world.run_until_online(s(60 + 5 + 1));
    }
}

/// Address, prefix and servers of another border router arrive one by one, each as a change.
#[test]
fn the_parts_of_one_change_count_once() {
    for seed in 0..20 {
        let mut world = World::seeded(long_pauses(), plain(), seed);
        world.network = attached();
        world.paths.extend([Path::Refused; 4]);
        world.start();
        for _ in 0..4 {
            for _ in 0..8 {
                world.set_network(Network::default());
                world.set_network(attached());
            }
            let before = world.connects.len();
            let followed = world.run_until(s(5), |world| world.connects.len() > before);
            assert!(followed, "seed {seed}: {before} attempts");
            world.run_for(s(1));
        }
    }
}

/// The broker is silent, and gets half a second to close first.
#[test]
fn a_network_that_comes_back_while_a_connection_is_closed_is_followed() {
    for seed in 0..20 {
        let mut world = World::seeded(long_pauses(), plain(), seed);
        world.network = attached();
        world.start();
        world.run_until_online(s(5));
        world.silence();
        let closing = |world: &World| world.client.stage().is_none();
        assert!(world.run_until(s(200), closing));
        assert!(world.has_tcp() && world.failures().is_empty());
        world.set_network(Network::default());
        world.set_network(attached());
        assert!(world.failures().is_empty());
        let again = |world: &World| world.connects.len() == 2;
        assert!(
            world.run_until(s(6), again),
            "seed {seed}: {:?}",
            world.failures()
        );
    }
}

fn long_pauses() -> thread_mqtt_client::Config {
    let mut config = config(PLAIN);
    config.timers.backoff_min = s(300);
    config.timers.backoff_max = s(3_600);
    config
}
