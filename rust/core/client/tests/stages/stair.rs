//! The sequence of stages, and what follows each.
use super::*;

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

    // It appears, and the pause ends at once.
    world.set_network(attached());
    world.run_until_online(s(6));
}

#[test]
fn a_name_that_does_not_resolve_says_who_was_asked() {
    let mut world = World::started(config("mqtt://broker.example.com"), plain());
    world.answer = Some(Err(LookupError::Platform(-2)));
    let mut world2 = World::started(config("mqtt://broker.example.com"), plain());
    world2.answer = Some(Ok(vec![]));
    for world in [&mut world, &mut world2] {
        let (stage, cause, _) = world.run_until_failed(s(60));
        assert_eq!(stage, Stage::Resolve);
        assert!(cause.to_string().contains("platform resolver"), "{cause}");
    }
}
