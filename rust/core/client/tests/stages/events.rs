//! What the application is told, and in which order, if it does not poll at once.
use super::*;

/// An application that does not poll must not fill the heap of its device.
#[test]
fn events_that_are_not_taken_are_bounded_and_counted() {
    let mut world = World::started(config(PLAIN), plain());
    world.run_until_online(s(5));
    world.polls = false;
    let connects = world.connects.len();
    while world.connects.len() < connects + 200 {
        world.run_for(s(10));
        world.cut();
    }
    let new: Vec<_> = std::iter::from_fn(|| world.client.poll_event()).collect();
    let Event::Missed(missed) = new[0] else {
        panic!("{:?}", new[0]);
    };
    assert!(missed > 500, "{missed}");
    let of_client = |event: &&Event| {
        !matches!(
            event,
            Event::Session(_) | Event::Reached(Reached::Online { .. })
        )
    };
    assert!(new.iter().filter(of_client).count() <= 33);
    // The latest are kept.
    assert!(
        new.iter()
            .any(|event| matches!(event, Event::Failed { .. }))
    );
}

#[test]
fn the_end_of_a_stop_is_never_missed() {
    let mut world = World::started(config(PLAIN), plain());
    world.run_until_online(s(5));
    world.polls = false;
    world.client.stop(world.now);
    world.run_for(s(1));
    for _ in 0..40 {
        world.start();
        world.run_for(s(1));
        world.cut();
        world.client.stop(world.now);
        world.run_for(s(1));
    }
    world.polls = true;
    world.settle();
    assert!(world.stopped());
}
