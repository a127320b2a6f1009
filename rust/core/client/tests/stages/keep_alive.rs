//! The learning keep-alive, on paths that drop silent connections.
use super::*;
use thread_mqtt_client::KeepAlive;

fn auto(min: u64, max: u64) -> thread_mqtt_client::Config {
    thread_mqtt_client::Config {
        keep_alive: KeepAlive::Auto {
            min: s(min),
            max: s(max),
            start: None,
        },
        ..config(PLAIN)
    }
}

fn learnt(world: &World) -> Vec<Duration> {
    let learnt = world.events.iter().filter_map(|(_, event)| match event {
        Event::KeepAlive(silence) => Some(*silence),
        _ => None,
    });
    learnt.collect()
}

#[test]
fn over_a_path_that_forgets_it_finds_what_the_path_bears() {
    for (forgets, at_least) in [(120, 90), (300, 200), (900, 600)] {
        let mut world = World::new(auto(60, 3_600), plain());
        world.network = attached();
        world.forgets = Some(s(forgets));
        world.start();
        world.run_for(s(86_400 / 2));
        let silence = world.client.learnt_keep_alive().unwrap();
        assert!(silence < s(forgets), "{forgets}: {silence:?}");
        assert!(silence >= s(at_least), "{forgets}: {silence:?}");
        let lost = world.failures().len();
        assert!(lost <= 4, "{forgets}: {lost} connections lost");
        assert_eq!(learnt(&world).last(), Some(&silence));

        // Once known, it costs nothing more for eight hours.
        world.run_for(s(86_400 / 3));
        assert!(world.failures().len() <= lost + 1, "{forgets}");
    }
}

#[test]
fn when_the_path_bears_less_it_shrinks_after_a_silent_death() {
    let mut world = World::new(auto(60, 1_200), plain());
    world.network = attached();
    world.start();
    world.run_for(s(86_400 / 4));
    assert!(world.failures().is_empty());
    let before = world.client.learnt_keep_alive().unwrap();
    world.forgets = Some(s(180));
    world.run_for(s(86_400 / 4));
    let after = world.client.learnt_keep_alive().unwrap();
    assert!(before > s(180) && after < s(180), "{before:?} {after:?}");
    assert!(world.failures().len() <= 8, "{}", world.failures().len());
}

/// Like HAProxy's `timeout client`, nginx's `proxy_timeout` and load balancers: FIN or RST for an
/// idle connection.
#[test]
fn over_a_path_that_ends_idle_connections_it_finds_what_the_path_bears() {
    for (end, limit) in [
        (TcpError::Reset, 105),
        (TcpError::Closed, 105),
        (TcpError::Closed, 350),
    ] {
        let mut world = World::new(auto(100, 3_600), plain());
        world.network = attached();
        world.ends_idle = Some((s(limit), end));
        world.start();
        world.run_for(s(86_400 / 4));
        let silence = world.client.learnt_keep_alive().unwrap();
        assert!(
            silence < s(limit) && silence >= s(limit) * 3 / 4,
            "{silence:?}"
        );
        assert!(world.failures().len() <= 3, "{:?}", world.failures());
    }
}

/// The keep-alive is part of CONNECT, and the broker publishes the will after one and a half times
/// it.
#[test]
fn the_broker_is_told_a_keep_alive_with_room_to_grow() {
    let mut config = auto(60, 600);
    config.session.will = Some(Message::new("will", "gone"));
    let mut world = World::started(config, plain());
    world.run_until_online(s(5));
    world.run_for(s(7_200));
    assert_eq!(world.client.learnt_keep_alive(), Some(s(600)));
    let log = world.server.log();
    let told: Vec<_> = log.connects.iter().map(|c| c.keep_alive).collect();
    assert_eq!(told, [360, 600]);
    // When that was too little, the client disconnected cleanly and reconnected.
    assert_eq!((log.disconnects, log.wills.len()), (1, 0));
    assert!(world.failures().is_empty());
}

/// Pings count from the last send, and an answer that takes seconds arrives later.
#[test]
fn answers_that_take_seconds_do_not_stop_it() {
    let mut world = World::new(auto(60, 3_600), plain());
    world.network = attached();
    world.latency = s(2);
    world.forgets = Some(s(300));
    world.start();
    world.run_for(s(86_400 / 2));
    let silence = world.client.learnt_keep_alive().unwrap();
    assert!(s(200) <= silence && silence < s(300), "{silence:?}");
    // After a failed trial there were others.
    assert!(world.failures().len() >= 2, "{:?}", world.failures());

    let mut world = World::new(auto(60, 600), plain());
    world.network = attached();
    world.latency = s(2);
    world.start();
    world.run_for(s(7_200));
    let log = world.server.log();
    let told: Vec<_> = log.connects.iter().map(|c| c.keep_alive).collect();
    assert_eq!(told, [360, 600]);
    assert!(world.client.learnt_keep_alive() >= Some(s(590)));
    assert!(world.failures().is_empty());
}

#[test]
fn a_failure_is_forgotten_after_a_day_also_on_a_connection_that_lasts() {
    let mut world = World::new(auto(60, 3_600), plain());
    world.network = attached();
    world.forgets = Some(s(300));
    world.start();
    world.run_for(s(86_400 / 2));
    let (before, connects) = (world.client.learnt_keep_alive(), world.connects.len());
    assert!(before < Some(s(300)), "{before:?}");
    world.forgets = None;
    world.run_for(s(86_400 / 4));
    assert_eq!(world.client.learnt_keep_alive(), before);
    world.run_for(s(86_400));
    assert_eq!(world.client.learnt_keep_alive(), Some(s(3_600)));
    assert!(
        world.connects.len() <= connects + 2,
        "{:?}",
        world.failures()
    );
}

#[test]
fn what_was_learnt_is_the_start_of_the_next_life() {
    let mut config = config(PLAIN);
    config.keep_alive = KeepAlive::Auto {
        min: s(60),
        max: s(600),
        start: Some(s(300)),
    };
    let mut world = World::started(config, plain());
    world.run_until_online(s(5));
    let pings = world.server.log().pings;
    world.run_for(s(440));
    assert_eq!(world.server.log().pings, pings);
    world.run_for(s(20));
    assert_eq!(world.server.log().pings, pings + 1);
}

#[test]
fn limits_that_do_not_fit_are_refused() {
    for config in [auto(5, 600), auto(61, 60), auto(60, 70_000)] {
        assert_eq!(Client::new(config).unwrap_err(), ConfigError::KeepAlive);
    }
}
