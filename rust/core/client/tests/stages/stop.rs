//! Stopping, and calls that are harmless or refused.
use super::*;

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

/// The broker closes first, so that nothing it sends can turn the FIN into a RST. One that does not
/// close gets half a second, in which the client can be called.
#[test]
fn the_broker_may_close_first() {
    let linger = Duration::from_millis(500);
    for (uri, server) in [(PLAIN, plain()), (SECURE, secure())] {
        for silent in [false, true] {
            let mut world = World::started(config(uri), server.clone());
            world.run_until_online(s(5));
            let began = world.now;
            if silent {
                world.silence();
            }
            world.client.stop(world.now);
            world.settle();
            assert!(world.has_tcp() && !world.stopped(), "{uri}");
            assert!(world.run_until(s(60), World::stopped), "{uri}");
            let waited = world.now - began;
            assert_eq!(waited == linger, silent, "{uri}: {waited:?}");
            assert!(
                waited <= linger && waited >= 2 * world.latency,
                "{uri}: {waited:?}"
            );
            assert_eq!(world.aborted, Some(false), "{uri}");
        }
    }
}

/// Even if the final bytes are with TCP before the client is polled again.
#[test]
fn the_broker_may_close_first_after_words_that_were_sent_at_once() {
    let mut world = World::started(config(PLAIN), plain());
    world.run_until_online(s(5));
    let began = world.now;
    world.client.stop(began);
    let sent = world.client.transmit(began).len();
    assert!(sent > 0);
    world.client.consume_transmit(sent);
    assert!(world.run_until(s(60), World::stopped));
    assert_eq!(world.now - began, Duration::from_millis(500));
    assert_eq!(world.aborted, Some(false));
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
    client.handle_platform_lookup(Ok(vec![ip("192.0.2.1")]), s(1));
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
    world
        .client
        .handle_platform_lookup(Err(LookupError::Timeout), world.now);
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

/// With a full outbox and a slow path, DISCONNECT must not wait for the outbox.
#[test]
fn stop_does_not_wait_for_a_long_outbox() {
    for (uri, server) in [(PLAIN, plain()), (SECURE, secure())] {
        let mut config = config(uri);
        config.session.will = Some(Message::new("will", "gone"));
        config.session.outbox_messages = 256;
        config.session.outbox_bytes = 1 << 20;
        let mut world = World::started(config, server);
        world.run_until_online(s(5));
        // One and a half kilobytes per second.
        world.window = 150;
        for n in 0..256_usize {
            let message = Message::new("t", vec![n as u8; 400]).qos(QoS::AtLeastOnce);
            world.client.publish(message).unwrap();
        }
        world.run_for(s(1));
        world.client.stop(world.now);
        assert!(world.run_until(s(5), World::stopped), "{uri}");
        assert_eq!(world.aborted, Some(false), "{uri}");
        let log = world.server.log();
        assert_eq!((log.disconnects, log.wills.len()), (1, 0), "{uri}");
        assert!(log.published.len() < 100, "{uri}: {}", log.published.len());
        // Nothing is lost by that.
        world.window = 2048;
        world.start();
        let all = world.run_until(s(60), |world| {
            let published = world.session_events();
            published
                .filter(|event| matches!(event, Mqtt::Published(_)))
                .count()
                == 256
        });
        assert!(all, "{uri}");
    }
}

/// CONNECT was sent but CONNACK has not arrived: with only a FIN, the broker would publish the
/// will.
#[test]
fn stop_before_connack_takes_the_will_back() {
    for (uri, server) in [(PLAIN, plain()), (SECURE, secure())] {
        let mut config = config(uri);
        config.session.will = Some(Message::new("will", "gone"));
        let mut world = World::started(config, server);
        let greeted = world.run_until(s(5), |world| {
            world.client.stage() == Some(Stage::Mqtt) && !world.sent.is_empty()
        });
        assert!(greeted && !world.client.is_online(), "{uri}");
        world.client.stop(world.now);
        assert!(world.run_until(s(5), World::stopped), "{uri}");
        let log = world.server.log();
        assert_eq!((log.connects.len(), log.disconnects), (1, 1), "{uri}");
        assert_eq!(log.wills.len(), 0, "{uri}");
    }
}

/// What the application has taken is acknowledged, because otherwise it would arrive again.
#[test]
fn stop_acknowledges_what_was_taken() {
    for (uri, server) in [(PLAIN, plain()), (SECURE, secure())] {
        let mut world = World::started(config(uri), server);
        world.run_until_online(s(5));
        world.client.subscribe(&[("#", QoS::AtLeastOnce)]).unwrap();
        world.run_for(s(5));
        world.polls = false;
        let message = Message::new("t", "x").qos(QoS::AtLeastOnce);
        world.client.publish(message).unwrap();
        world.run_for(s(5));
        let mut taken = 0;
        while let Some(event) = world.client.poll_event() {
            taken += usize::from(matches!(event, Event::Session(Mqtt::Message(_))));
        }
        assert_eq!(taken, 1, "{uri}");
        world.client.stop(world.now);
        world.polls = true;
        assert!(world.run_until(s(5), World::stopped), "{uri}");
        world.start();
        world.run_until_online(s(5));
        world.run_for(s(5));
        let again = world.session_events();
        let again = again
            .filter(|event| matches!(event, Mqtt::Message(_)))
            .count();
        assert_eq!(again, 0, "{uri}: it came again");
    }
}
