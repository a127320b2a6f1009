//! Commands from other threads.
use crate::{CONNACK, Memory, connected, driver, driver_with, settle};
use std::mem;
use std::time::Duration;
use thread_mqtt_client::{Client, Config, Event, Stage};
use thread_mqtt_driver::{Driver, Mailbox, TcpState};
use thread_mqtt_resolve::Network;
use thread_mqtt_session::{
    Command, CommandError, Message, Overflow, Priority, PublishError, PublishOptions, QoS, Token,
    Version,
};
use thread_mqtt_test_support::heap::with_heap;

fn message(payload: usize) -> Command {
    let message = Message::new("t", vec![b'x'; payload]).qos(QoS::AtLeastOnce);
    Command::publish(Version::V311, message).unwrap()
}

#[test]
fn commands_without_heap_are_tried_again_soon() {
    let mut driver = driver("mqtt://192.0.2.1");
    driver.port_mut().network = Network::default();
    settle(&mut driver);
    let mut mailbox = Mailbox::new(driver.client());
    for _ in 0..16 {
        mailbox.submit(message(1)).unwrap();
    }
    driver.collect(&mut mailbox);
    with_heap(800, || driver.turn());
    assert!(driver.client().session().outbox_len() < 16);
    assert_eq!(driver.waits_for().0, Some(Duration::from_secs(1)));
    driver.turn();
    assert_eq!(driver.client().session().outbox_len(), 16);
    assert_eq!(driver.waits_for().0, None);
}

/// With a broker that only supports 3.1.1, commands that need MQTT 5 are then refused.
#[test]
fn a_mailbox_knows_the_version_that_is_spoken() {
    let mut driver = Driver::new(
        Client::new(Config {
            session: thread_mqtt_session::Config {
                version: Version::V5,
                ..thread_mqtt_session::Config::default()
            },
            fallback_to_v311: true,
            ..Config::new("mqtt://192.0.2.1".parse().unwrap())
        })
        .unwrap(),
        mem::take(driver("mqtt://192.0.2.1").port_mut()),
    );
    let mut mailbox = Mailbox::new(driver.client());
    driver.start();
    settle(&mut driver);
    driver.port_mut().tcp = Some(TcpState::Connected);
    driver.port_mut().room = [10_000; 100].into();
    settle(&mut driver);
    assert_eq!(mailbox.version(), Version::V5);
    // Unacceptable protocol version.
    driver.port_mut().incoming.push_back(vec![0x20, 2, 0, 1]);
    settle(&mut driver);
    driver.collect(&mut mailbox);
    assert_eq!(mailbox.version(), Version::V311);
}

#[test]
fn a_mailbox_counts_what_the_session_holds() {
    let mut driver = driver("mqtt://192.0.2.1");
    let mut mailbox = Mailbox::new(driver.client());
    let mut tokens = Vec::new();
    for _ in 0..10 {
        tokens.push(mailbox.submit(message(1)).unwrap().0);
    }
    driver.collect(&mut mailbox);
    assert_eq!(mailbox.load().commands, 10, "on their way to the session");
    driver.turn();
    assert_eq!(driver.client().session().outbox_len(), 10);
    for _ in 10..16 {
        tokens.push(mailbox.submit(message(1)).unwrap().0);
    }
    let refused = mailbox.submit(message(1)).map_err(|(error, _)| error);
    assert_eq!(refused, Err(CommandError::Full));
    assert_eq!(
        mailbox.check_publish("t", 1, QoS::AtLeastOnce, PublishOptions::default()),
        Err(CommandError::Full),
        "and says so beforehand"
    );
    assert_eq!(
        mailbox.check_publish("t", 20_000, QoS::AtLeastOnce, PublishOptions::default()),
        Err(CommandError::LargerThanOutbox)
    );
    driver.collect(&mut mailbox);
    driver.turn();
    assert_eq!(driver.client().session().outbox_len(), 16);
    assert_eq!(mailbox.load(), driver.client().session().outbox_load());
    assert_eq!(tokens, (1..=16).collect::<Vec<_>>());
}

#[test]
fn a_mailbox_has_the_room_that_acknowledgements_make() {
    let mut driver = connected();
    let mut mailbox = Mailbox::new(driver.client());
    mailbox.start();
    for _ in 0..16 {
        mailbox.submit(message(900)).unwrap();
    }
    assert!(!driver.collect(&mut mailbox), "no room came of that");
    driver.port_mut().incoming.push_back(CONNACK.into());
    settle(&mut driver);
    assert!(!driver.collect(&mut mailbox));
    driver.port_mut().incoming.push_back(vec![0x40, 2, 0, 1]);
    let events = settle(&mut driver);
    let published = thread_mqtt_session::Event::Published(Token(1));
    assert!(events.contains(&Event::Session(published)), "{events:?}");
    assert!(driver.collect(&mut mailbox));
    assert!(mailbox.submit(message(900)).is_ok());
}

fn of_qos(topic: &str, qos: QoS, options: PublishOptions) -> Command {
    let message = Message::new(topic, "x").qos(qos);
    Command::publish_with(Version::V311, message, options).unwrap()
}

fn reading(topic: &str) -> Command {
    of_qos(topic, QoS::AtMostOnce, PublishOptions::default())
}

/// Returns the messages that were given up.
fn given_up(driver: &mut Driver<Memory>) -> Vec<(Token, PublishError)> {
    let failed = |event| match event {
        Event::Session(thread_mqtt_session::Event::PublishFailed(token, error)) => {
            Some((token, error))
        }
        _ => None,
    };
    settle(driver).into_iter().filter_map(failed).collect()
}

#[test]
fn a_burst_of_qos_0_in_a_mailbox_leaves_room_for_an_alarm() {
    let mut driver = driver("mqtt://192.0.2.1");
    let mut mailbox = Mailbox::new(driver.client());
    let mut readings = 0;
    // Before and after the session has taken the first of them.
    for _ in 0..2 {
        while mailbox.submit(reading("r")).is_ok() {
            readings += 1;
        }
        driver.collect(&mut mailbox);
        driver.turn();
    }
    assert_eq!(readings, 12, "three quarters of the outbox");
    for _ in 0..4 {
        mailbox.submit(message(1)).expect("an alarm");
    }
    let refused = mailbox.submit(message(1)).map_err(|(error, _)| error);
    assert_eq!(refused, Err(CommandError::Full));
}

#[test]
fn a_policy_acts_on_what_comes_through_a_mailbox() {
    let mut driver = driver_with("mqtt://192.0.2.1", Overflow::DropOldestQos0);
    let mut mailbox = Mailbox::new(driver.client());
    for _ in 0..12 {
        mailbox.submit(reading("r")).expect("room");
    }
    for _ in 0..12 {
        mailbox
            .submit(message(1))
            .expect("in the place of a reading");
    }
    driver.collect(&mut mailbox);
    let dropped = given_up(&mut driver);
    let expected: Vec<_> = (1..=8)
        .map(|n| (Token(n), PublishError::Displaced))
        .collect();
    assert_eq!(dropped, expected);
    assert_eq!(driver.client().session().outbox_len(), 16);
    // Four readings can still be dropped; then none.
    driver.collect(&mut mailbox);
    for _ in 0..4 {
        mailbox
            .submit(message(1))
            .expect("in the place of a reading");
    }
    let refused = mailbox.submit(message(1)).map_err(|(error, _)| error);
    assert_eq!(refused, Err(CommandError::Full));
}

/// However many arrive while the client's thread computes, up to a limit on the outcomes to report.
#[test]
fn a_policy_acts_while_the_clients_thread_is_away() {
    let tokens = |range: std::ops::RangeInclusive<u32>, error| {
        range.map(|n| (Token(n), error)).collect::<Vec<_>>()
    };
    for (overflow, error, bound) in [
        (Overflow::DropOldest, PublishError::Displaced, 16 + 16 + 256),
        (
            Overflow::LatestPerTopic,
            PublishError::Superseded,
            16 + 16 + 256,
        ),
    ] {
        let mut driver = driver_with("mqtt://192.0.2.1", overflow);
        let mut mailbox = Mailbox::new(driver.client());
        let mut accepted = 0;
        let refused = loop {
            let none = PublishOptions::default();
            let room = mailbox.check_publish("t", 1, QoS::AtLeastOnce, none);
            match mailbox.submit(message(1)) {
                Ok(token) => assert_eq!((room, token), (Ok(()), Token(accepted + 1))),
                Err((error, _)) => break error,
            }
            accepted += 1;
        };
        assert_eq!(
            (refused, accepted),
            (CommandError::Full, bound),
            "{overflow:?}"
        );
        let mut told = Vec::new();
        for _ in 0..10 {
            driver.collect(&mut mailbox);
            told.extend(given_up(&mut driver));
        }
        told.sort_unstable_by_key(|(token, _)| *token);
        let left = driver.client().session().outbox_len() as u32;
        assert_eq!(told, tokens(1..=accepted - left, error), "{overflow:?}");
        let most = if overflow == Overflow::DropOldest {
            16
        } else {
            1
        };
        assert_eq!(left, most);
        mailbox.submit(message(1)).expect("it acts again");
    }
}

#[test]
fn a_message_of_a_lower_priority_displaces_none() {
    let mut driver = driver_with("mqtt://192.0.2.1", Overflow::DropOldest);
    let mut mailbox = Mailbox::new(driver.client());
    let of = |priority| PublishOptions {
        priority,
        ..PublishOptions::default()
    };
    for _ in 0..16 {
        let command = of_qos("t", QoS::AtLeastOnce, of(Priority::Normal));
        mailbox.submit(command).expect("room");
    }
    let low = of_qos("t", QoS::AtLeastOnce, of(Priority::Low));
    let refused = mailbox.submit(low).map_err(|(error, _)| error);
    assert_eq!(refused, Err(CommandError::Full));
    let high = of_qos("t", QoS::AtLeastOnce, of(Priority::High));
    mailbox.submit(high).expect("in the place of another");
    driver.collect(&mut mailbox);
    assert_eq!(given_up(&mut driver), [(Token(1), PublishError::Displaced)]);
}

#[test]
fn the_latest_of_a_topic_takes_the_place_of_the_one_before_or_is_told_to_have_none() {
    let mut driver = driver_with("mqtt://192.0.2.1", Overflow::LatestPerTopic);
    let mut mailbox = Mailbox::new(driver.client());
    for n in 0..16 {
        let topic = format!("t{n}");
        let command = of_qos(&topic, QoS::AtLeastOnce, PublishOptions::default());
        mailbox.submit(command).expect("room");
    }
    // Only the session knows whether their topics are waiting.
    let again = of_qos("t0", QoS::AtLeastOnce, PublishOptions::default());
    let other = of_qos("u", QoS::AtLeastOnce, PublishOptions::default());
    driver.collect(&mut mailbox);
    driver.turn();
    driver.collect(&mut mailbox);
    assert_eq!(mailbox.submit(again).expect("perhaps"), Token(17));
    assert_eq!(mailbox.submit(other).expect("perhaps"), Token(18));
    driver.collect(&mut mailbox);
    let ends = given_up(&mut driver);
    assert_eq!(
        ends,
        [
            (Token(1), PublishError::Superseded),
            (Token(18), PublishError::NoRoom)
        ]
    );
    assert_eq!(driver.client().session().outbox_len(), 16);
    // At most as many at once as an outbox holds, plus those replaced here and not reported yet.
    driver.collect(&mut mailbox);
    let mut sent = 0;
    while mailbox
        .submit(of_qos("u", QoS::AtLeastOnce, PublishOptions::default()))
        .is_ok()
    {
        sent += 1;
    }
    assert_eq!(sent, 16 + 256);
}

#[test]
fn nothing_is_dropped_while_the_events_that_tell_of_it_wait() {
    let mut driver = driver_with("mqtt://192.0.2.1", Overflow::DropOldest);
    let mut mailbox = Mailbox::new(driver.client());
    let mut accepted = 0;
    // The application publishes and takes no events.
    for _ in 0..100 {
        while mailbox.submit(message(1)).is_ok() {
            accepted += 1;
            assert!(accepted <= 16 + 16 + 256, "without a bound");
        }
        driver.collect(&mut mailbox);
        driver.turn();
    }
    assert!(!driver.collect(&mut mailbox));
    assert_eq!(given_up(&mut driver).len(), accepted - 16);
    assert!(driver.collect(&mut mailbox), "now there is room");
    assert!(mailbox.submit(message(1)).is_ok());
}

#[test]
fn a_mailbox_stops_before_it_starts() {
    let mut driver = driver("mqtt://192.0.2.1");
    let mut mailbox = Mailbox::new(driver.client());
    assert!(!mailbox.stop(), "it was not started");
    assert!(mailbox.start());
    assert!(!mailbox.start(), "it was started already");
    driver.collect(&mut mailbox);
    settle(&mut driver);
    assert_eq!(driver.client().stage(), Some(Stage::Tcp));

    assert!(mailbox.stop());
    assert!(mailbox.start());
    driver.collect(&mut mailbox);
    let events = settle(&mut driver);
    assert!(events.contains(&Event::Stopped), "{events:?}");
    assert_eq!(driver.client().stage(), Some(Stage::Tcp), "and begun anew");

    assert!(mailbox.stop());
    driver.collect(&mut mailbox);
    assert_eq!(settle(&mut driver), [Event::Stopped]);
    assert!(driver.client().is_idle());
}

#[test]
fn a_held_driver_takes_commands_only() {
    let mut driver = driver("mqtt://192.0.2.1");
    let mut mailbox = Mailbox::new(driver.client());
    mailbox.start();
    mailbox.submit(message(1)).unwrap();
    driver.hold(true);
    driver.collect(&mut mailbox);
    settle(&mut driver);
    assert!(driver.client().is_idle());
    assert!(driver.is_wanted());
    assert_eq!(driver.client().session().outbox_len(), 1);
    driver.hold(false);
    settle(&mut driver);
    assert!(!driver.client().is_idle());
}

#[test]
fn messages_keep_their_order_and_identifiers() {
    let mut driver = connected();
    let mut mailbox = Mailbox::new(driver.client());
    mailbox.start();
    driver.port_mut().incoming.push_back(CONNACK.into());
    settle(&mut driver);
    driver.port_mut().sent.clear();
    mailbox.submit(message(1)).unwrap();
    let filter = Command::subscribe(&[("f", QoS::AtMostOnce)]).unwrap();
    mailbox.submit(filter).unwrap();
    mailbox.submit(message(1)).unwrap();
    driver.collect(&mut mailbox);
    settle(&mut driver);
    let expected = [
        &[0x32, 6, 0, 1, b't', 0, 1, b'x'][..],
        &[0x82, 6, 0, 2, 0, 1, b'f', 0],
        &[0x32, 6, 0, 1, b't', 0, 3, b'x'],
    ];
    assert_eq!(driver.port().sent, expected.concat());
}
