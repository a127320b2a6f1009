//! The pauses after failures.
use super::*;

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
