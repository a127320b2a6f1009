//! The TLS stage.
use super::*;

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

/// TLS that is supplied later: nothing is tried before that, and the client works normally
/// afterwards.
#[test]
fn tls_may_follow() {
    let follows = || Config {
        tls: None,
        tls_follows: true,
        ..config(SECURE)
    };
    let mut world = World::started(follows(), secure());
    world.run_for(s(600));
    assert!(world.events.is_empty(), "{:?}", world.events);
    assert!(world.client.tls().is_none());
    world.client.handle_tls(Ok(world::device_tls()));
    assert!(world.client.tls().is_some());
    world.run_until_online(s(5));

    // Before the start.
    let mut world = World::new(follows(), secure());
    world.client.handle_tls(Ok(world::device_tls()));
    world.network = attached();
    world.start();
    world.run_until_online(s(5));
    // One that is not awaited changes nothing.
    let error = SetupError {
        code: -1,
        sentence: "late".into(),
    };
    world.client.handle_tls(Err(error));
    world.run_for(s(1));
    assert!(world.client.is_online());
}

/// TLS that cannot be set up is reported once, with or without a network, and nothing is tried
/// until the application intervenes.
#[test]
fn tls_that_cannot_be_set_up_is_told_once() {
    let error = SetupError {
        code: -5,
        sentence: "CA certificate 1 is cut short; copy the whole file again".into(),
    };
    for is_attached in [false, true] {
        for retry in [Retry::Forever, Retry::Never] {
            let config = Config {
                tls: None,
                tls_follows: true,
                retry,
                ..config(SECURE)
            };
            let mut world = World::new(config, secure());
            if is_attached {
                world.network = attached();
            }
            world.client.handle_tls(Err(error.clone()));
            world.run_for(s(5));
            assert!(world.events.is_empty(), "{:?}", world.events);
            world.start();
            world.run_for(s(600));
            let failed = (Stage::Tls, Cause::Setup(error.clone()), None);
            assert_eq!(world.failures(), std::slice::from_ref(&failed));
            assert_eq!(world.events.len(), 1, "{:?}", world.events);
            assert_eq!(failed.1.to_string(), *error.sentence);
            assert!(failed.1.needs_a_person());
            assert_eq!(world.client.is_unusable(), retry == Retry::Forever);
            assert_eq!(world.client.is_idle(), retry == Retry::Never);
            assert_eq!(world.client.stage(), None);
            if retry == Retry::Never {
                continue;
            }
            // A network that comes up is no reason to try.
            world.set_network(attached());
            world.run_for(s(600));
            assert_eq!(world.failures().len(), 1);
            world.client.retry_now(world.now);
            world.run_for(s(600));
            assert_eq!(world.failures(), [failed.clone(), failed.clone()]);
            world.client.stop(world.now);
            assert!(world.run_until(s(1), World::stopped));
            assert!(world.client.is_idle());
            world.start();
            world.run_for(s(600));
            assert_eq!(world.failures().len(), 3);
        }
    }
    // The sentence in a build without sentences.
    let error = SetupError {
        code: -5,
        sentence: "".into(),
    };
    let cause = Cause::Setup(error);
    assert_eq!(cause.to_string(), "TLS cannot be set up");
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
    // A broker that expects MQTT closes on a ClientHello, or answers with MQTT.
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

/// A handshake that offered a session may have failed because of it. A full handshake follows soon,
/// once, even if only a person could help were the session not the reason.
#[test]
fn a_session_that_does_not_resume_is_followed_by_a_full_handshake_soon() {
    for version in [TlsVersion::Tls12, TlsVersion::Tls13] {
        let tls = Tls {
            versions: vec![version],
            ..broker_tls()
        };
        let mut world = World::started(config(SECURE), peer::Config::new(Some(tls.clone())));
        world.run_until_online(s(5));
        world.run_for(s(61));
        // Another broker takes its place and answers every ClientHello with an alert.
        let other = peer::Config::new(Some(Tls {
            alpn: vec![b"other".to_vec()],
            alpn_required: true,
            ..tls
        }));
        world.server = peer::Server::new(other, 1, UNIX_TIME).unwrap();
        world.cut();
        assert!(world.run_until(s(140), |world| world.failures().len() == 4));
        let failures = world.failures();
        let pauses: Vec<_> = failures.iter().filter_map(|failure| failure.2).collect();
        // After the lost connection, and after the failure that the session may explain.
        assert!(pauses[..2].iter().all(|pause| *pause <= s(2)), "{pauses:?}");
        let slow = |pause| (s(32)..=s(64)).contains(pause);
        assert!(pauses[2..].iter().all(slow), "{pauses:?}");
    }
}

#[test]
fn without_a_clock_the_floor_counts() {
    let [issued, end] =
        [VALIDITY.not_before, VALIDITY.not_after].map(|unix| u64::try_from(unix).unwrap());
    let expired = end + 1;
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
        // If valid, the certificate proves that it has been issued.
        let proven = if good { floor.max(issued) } else { floor };
        assert_eq!(world.client.time_floor(), proven);
    }
}

#[test]
fn the_clock_raises_the_floor() {
    let mut world = World::started(config(SECURE), secure());
    assert_eq!(world.client.time_floor(), 0, "no certificate has agreed");
    world.run_for(s(1));
    assert_eq!(world.client.time_floor(), UNIX_TIME);
    // From there on the uptime counts, whatever the platform says.
    for unix_time in [None, Some(2 * UNIX_TIME)] {
        world.unix_time = unix_time;
        world.run_for(s(5));
    }
    let floor = world.client.time_floor();
    assert!((UNIX_TIME + 9..UNIX_TIME + 12).contains(&floor), "{floor}");
}

/// A load balancer whose instance is gone sends close_notify and leaves TCP open. Without a
/// keep-alive nothing else would ever end the connection.
#[test]
fn close_notify_without_fin_ends_the_connection() {
    for version in [TlsVersion::Tls12, TlsVersion::Tls13] {
        let tls = Tls {
            versions: vec![version],
            ..broker_tls()
        };
        let mut config = config(SECURE);
        config.session.keep_alive = Duration::ZERO;
        let mut world = World::started(config, peer::Config::new(Some(tls)));
        world.run_until_online(s(5));
        let received = world.sent.len() as u64 + 1;
        world.server.close_notify_after(received);
        let message = Message::new("t", "x").qos(QoS::AtLeastOnce);
        let token = world.client.publish(message).unwrap();
        let (stage, cause, _) = world.run_until_failed(s(2));
        assert_eq!((stage, cause), (Stage::Mqtt, Cause::Tcp(TcpError::Closed)));
        // The broker closed cleanly, and gets a clean answer.
        assert_eq!(world.aborted, Some(false));
        if version == TlsVersion::Tls12 {
            assert_eq!(world.record_types().last(), Some(&21));
        }
        let published = |world: &World| {
            let mut events = world.session_events();
            events.any(|event| *event == Mqtt::Published(token))
        };
        assert!(world.run_until(s(70), published), "{:?}", world.events);
    }
}

#[test]
fn close_notify_instead_of_connack() {
    // The first bytes after the handshake are CONNECT.
    let mut world = World::started(config(SECURE), secure());
    world.run_until_online(s(5));
    let handshake = world.sent.len() as u64 - 60;
    let server = peer::Config {
        faults: vec![Fault::CloseNotify(handshake)],
        ..secure()
    };
    let mut world = World::started(config(SECURE), server);
    let (stage, cause, _) = world.run_until_failed(s(2));
    assert_eq!((stage, cause), (Stage::Mqtt, Cause::ClosedBeforeConnack));
}

#[test]
fn alerts_that_say_nothing_of_the_configuration_are_not_for_a_person() {
    let alert = |number: u8| {
        Cause::Tls(TlsError::Alert {
            alert: thread_mqtt_tls::Alert(number),
            handshaking: true,
            context: thread_mqtt_tls::AlertContext::Unknown,
        })
    };
    // close_notify, bad_record_mac, record_overflow, internal_error, user_canceled.
    for number in [0, 20, 22, 80, 90] {
        assert!(!alert(number).needs_a_person(), "alert {number}");
    }
    // handshake_failure, certificates, unknown_ca, protocol_version, names, ALPN.
    for number in [
        40, 42, 43, 44, 45, 46, 47, 48, 49, 51, 70, 71, 112, 116, 120,
    ] {
        assert!(alert(number).needs_a_person(), "alert {number}");
    }
}

/// MQTT 3.1.1 has no maximum packet size. A message in a record that is too large arrives again on
/// each connection, and neither side can tell which it is. So the session at the broker is
/// discarded, with what the broker keeps for it, but nothing of this side's.
#[test]
fn a_record_that_is_too_large_does_not_come_for_ever() {
    for suspect_after in [3, 0] {
        let mut config = config(SECURE);
        config.tls = Some(device_tls_for(4096));
        config.session.version = Version::V311;
        config.session.suspect_after = suspect_after;
        let mut world = World::started(config, secure());
        world.run_until_online(s(5));
        world
            .client
            .subscribe(&[("large", QoS::AtLeastOnce)])
            .unwrap();
        world.run_for(s(5));
        world.server.publish(&peer::Message {
            topic: "large".into(),
            payload: vec![0; 8000],
            qos: 1,
            retain: false,
        });

        let alarms = world.alarms();
        let failures = world.failures();
        let too_large =
            |cause: &Cause| matches!(cause, Cause::Tls(TlsError::RecordTooLarge { .. }));
        assert!(
            failures.iter().all(|(_, cause, _)| too_large(cause)),
            "{failures:?}"
        );
        if suspect_after == 0 {
            assert!(failures.len() > 8, "{failures:?}");
            continue;
        }
        assert_eq!(failures.len(), 3);
        for token in alarms {
            assert!(world.session_events().any(|e| *e == Mqtt::Published(token)));
        }
        assert!(world.client.is_online());
    }
}

/// A failure on this side before it has a flight to send has no alert. So the broker has no reason
/// to close, and there is nothing to wait for.
#[test]
fn a_handshake_that_fails_on_this_side_ends_at_once() {
    for version in [TlsVersion::Tls12, TlsVersion::Tls13] {
        let mut config = config(SECURE);
        config.tls = Some(device_tls_for(512));
        let tls = Tls {
            versions: vec![version],
            ..broker_tls()
        };
        let mut world = World::started(config, peer::Config::new(Some(tls)));
        let (stage, cause, _) = world.run_until_failed(s(5));
        assert_eq!(stage, Stage::Tls);
        assert!(
            matches!(
                cause,
                Cause::Tls(TlsError::RecordTooLarge { .. } | TlsError::HandshakeTooLarge { .. })
            ),
            "{cause}"
        );
        // TCP's handshake, ClientHello and the answer.
        assert_eq!(world.now, 4 * world.latency, "{version:?}");
        assert_eq!(world.aborted, Some(false));
    }
}
