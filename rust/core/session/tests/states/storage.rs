//! A full, worn or damaged storage, and one that restarts fill.

use thread_mqtt_session::{
    Command, CommandError, Event, PublishError, QoS, StoreError, Token, Version,
};

use crate::common::flash::Flash;
use crate::common::{Client, Seen, at, lasting, wire};
use crate::durable::{client, message, online, publish};
use crate::{QOS1, QOS2};

const FULL: StoreError = StoreError::Full;

/// A subscription that was given up since is not restored either.
#[test]
fn a_subscription_that_could_not_be_stored_anew_is_forgotten() {
    let flash = Flash::new(0);
    let mut client = online(Version::V5, &flash, false);
    for (id, qos) in [(1, QOS1), (2, QOS2)] {
        client.session.subscribe(&[("a/#", qos)]).unwrap();
        client.sent(at(1));
        let code = [qos as u8];
        client.receive(&wire::suback(Version::V5, id, &code), at(1));
        flash.fill(true);
    }
    assert!(client.events().contains(&Event::StorageFailed(FULL)));
    client.session.unsubscribe(&["a/#"]).unwrap();
    client.sent(at(1));
    client.receive(&wire::unsuback(Version::V5, 3, &[0]), at(1));
    drop(client);
    assert_eq!(self::client(lasting(Version::V5), &flash).events(), []);
}

/// The storage was full when PUBREL arrived, and still has the identifier. It is removed with the
/// session.
#[test]
fn a_received_identifier_of_a_lost_session_does_not_take_a_message_later() {
    let flash = Flash::new(0);
    let mut client = online(Version::V5, &flash, false);
    let message = publish("t", 2, 7);
    client.receive(&wire::publish(Version::V5, &message), at(1));
    client.events();
    client.sent(at(1));
    flash.fill(true);
    client.receive(&wire::pubrel(7), at(1));
    assert_eq!(client.events(), [Event::StorageFailed(FULL)]);
    flash.fill(false);
    client.reconnect(at(2), false);
    drop(client);
    let mut next = online(Version::V5, &flash, true);
    // A different message, which did not arrive the first time.
    next.receive(&wire::publish(Version::V5, &message.dup()), at(3));
    assert!(matches!(&next.events()[..], [Event::Message(_)]));
}

#[test]
fn a_full_storage_refuses_what_is_durable_and_is_told_once() {
    let flash = Flash::new(0);
    let mut client = online(Version::V5, &flash, false);
    client.session.publish(message("before", QOS1)).unwrap();
    client.sent(at(1));
    flash.fail(Some(FULL));
    for _ in 0..3 {
        let refused = client.session.publish(message("t", QOS1));
        assert_eq!(refused, Err(CommandError::NotStored(FULL)));
    }
    assert_eq!(client.session.outbox_len(), 1, "nothing is queued");
    let command = Command::publish(Version::V5, message("t", QOS1)).unwrap();
    client.session.submit(Token(9), command).unwrap();
    let failed = Event::PublishFailed(Token(9), PublishError::NotStored(FULL));
    assert_eq!(client.events(), [failed, Event::StorageFailed(FULL)]);
    // Operations that do not need it continue.
    client.receive(&wire::puback(0x8000, 0), at(1));
    assert_eq!(client.events(), [Event::Published(Token(1))]);
    client
        .session
        .publish(message("t", QoS::AtMostOnce))
        .unwrap();
    client.sent(at(1));
    assert_eq!(client.session.outbox_len(), 0);
    client.events();

    flash.fail(None);
    let command = Command::publish(Version::V5, message("t", QOS1)).unwrap();
    client.session.submit(Token(10), command).unwrap();
    assert_eq!(client.events(), [Event::Stored(Token(10))]);
    flash.fail(Some(FULL));
    let refused = client.session.publish(message("t", QOS1));
    assert_eq!(refused, Err(CommandError::NotStored(FULL)));
    assert_eq!(client.events(), [Event::StorageFailed(FULL)]);
}

/// Taking a message stores its identifier, so the failure follows the last event.
#[test]
fn a_failure_at_the_last_event_is_known_without_another_one() {
    let flash = Flash::new(0);
    let mut client = online(Version::V5, &flash, false);
    client.receive(&wire::publish(Version::V5, &publish("t", 2, 7)), at(1));
    flash.fail(Some(FULL));
    assert!(matches!(
        client.session.poll_event(),
        Some(Event::Message(_))
    ));
    assert_eq!(client.session.storage_failure(), Some(FULL));
}

/// What failed is written with the next write.
#[test]
fn what_could_not_be_written_is_written_later() {
    let failed = Event::StorageFailed(StoreError::Failed(-5));
    let acknowledge = |client: &mut Client, id| {
        client.session.publish(message("u", QOS1)).unwrap();
        client.sent(at(2));
        client.receive(&wire::puback(id, 0), at(2));
        let events = client.events();
        assert!(matches!(events[..], [Event::Published(_)]), "{events:?}");
    };

    // The identity of the session.
    let flash = Flash::new(0);
    flash.fail_once(0);
    let mut client = self::client(lasting(Version::V5), &flash);
    client.reconnect(at(0), false);
    assert_eq!(client.events(), std::slice::from_ref(&failed));
    let error = StoreError::Failed(-5);
    assert_eq!(client.session.storage_failure(), Some(error));
    acknowledge(&mut client, 0x8000);
    assert_eq!(flash.keys(), [0]);
    assert_eq!(client.session.storage_failure(), None);

    // The completion of a message and, with QoS 2, its release in the meantime.
    client.session.publish(message("t", QOS2)).unwrap();
    client.sent(at(1));
    client.receive(&wire::pubrec(0x8001, 0), at(1));
    client.sent(at(1));
    flash.fail_once(0x8001);
    client.receive(&wire::pubcomp(0x8001), at(1));
    assert_eq!(
        client.events(),
        [Event::Published(Token(2)), failed.clone()]
    );
    let mut next = online(Version::V5, &flash, true);
    assert_eq!(next.sent(at(1)), [Seen::Pubrel(0x8001, 0)]);
    acknowledge(&mut client, 0x8002);
    assert_eq!(flash.messages(), 0);

    // The release of an identifier by the broker.
    let incoming = publish("down", 2, 7);
    client.receive(&wire::publish(Version::V5, &incoming), at(1));
    client.events();
    flash.fail_once(0x1000);
    client.receive(&wire::pubrel(7), at(1));
    assert_eq!(client.events(), std::slice::from_ref(&failed));
    acknowledge(&mut client, 0x8003);
    let mut next = online(Version::V5, &flash, true);
    next.receive(&wire::publish(Version::V5, &incoming.dup()), at(1));
    assert!(matches!(&next.events()[..], [Event::Message(_)]));

    // A subscription being granted, and being ended.
    for (id, is_left) in [(1, false), (2, true)] {
        flash.fail_once(0x4000);
        let answer = if is_left {
            client.session.unsubscribe(&["f"]).unwrap();
            wire::unsuback(Version::V5, id, &[0])
        } else {
            client.session.subscribe(&[("f", QOS1)]).unwrap();
            wire::suback(Version::V5, id, &[1])
        };
        client.sent(at(1));
        client.receive(&answer, at(1));
        assert!(client.events().contains(&failed));
        acknowledge(&mut client, 0x8003 + id);
        assert_eq!(flash.keys().contains(&0x4000), !is_left);
    }
}

/// A message that was refused because the storage failed is not sent after a restart.
#[test]
fn a_message_that_was_refused_leaves_nothing_behind() {
    for error in [StoreError::Failed(-5), FULL] {
        let flash = Flash::new(0);
        let mut client = online(Version::V5, &flash, false);
        flash.fail_once_with(0x8000, error);
        let refused = client.session.publish(message("t", QOS1));
        assert_eq!(refused, Err(CommandError::NotStored(error)));
        assert_eq!(client.session.storage_failure(), None, "nothing is missing");
        client.session.publish(message("t", QOS1)).unwrap();
        assert_eq!(flash.keys(), [0, 0x8001]);
        assert_eq!(client.events(), [Event::StorageFailed(error)]);
    }
}

#[test]
fn a_storage_that_cannot_be_read_is_told_and_done_without() {
    let flash = Flash::new(0);
    flash.fail(Some(StoreError::Failed(-5)));
    let mut client = client(lasting(Version::V5), &flash);
    let told = Event::StorageFailed(StoreError::Failed(-5));
    assert_eq!(client.events(), [told]);
    assert!(!client.session.is_durable());
    client.session.publish(message("t", QOS1)).unwrap();
}

/// A firmware downgrade: what the newer version has stored is there when it returns.
#[test]
fn records_of_a_newer_version_are_left_alone() {
    let flash = Flash::new(0);
    let mut first = online(Version::V5, &flash, false);
    first.session.publish(message("t", QOS1)).unwrap();
    drop(first);
    for (key, record) in &mut flash.medium().records {
        record[0] = 2;
        let end = record.len() - 4;
        let sum = crc32(*key, &record[..end]);
        record[end..].copy_from_slice(&sum.to_le_bytes());
    }
    let stored = flash.medium().records.clone();
    let mut client = client(lasting(Version::V5), &flash);
    assert_eq!(client.events(), [Event::StorageFailed(StoreError::Newer)]);
    assert!(!client.session.is_durable());
    client.session.publish(message("t", QOS1)).unwrap();
    assert_eq!(flash.medium().records, stored);
}

/// Over the key and the bytes, as in the records.
fn crc32(key: u16, bytes: &[u8]) -> u32 {
    let key = key.to_le_bytes();
    !key.iter().chain(bytes).fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| match sum & 1 {
            0 => sum >> 1,
            _ => sum >> 1 ^ 0xEDB8_8320,
        })
    })
}

#[test]
fn a_damaged_record_does_not_take_the_others_with_it() {
    for bad in 0..3 {
        let flash = Flash::new(0);
        let mut first = online(Version::V311, &flash, false);
        for topic in ["one", "two", "three"] {
            first.session.publish(message(topic, QOS2)).unwrap();
        }
        drop(first);
        let key = 0x8000 + bad;
        flash.medium().records.get_mut(&key).unwrap()[4] ^= 1;
        let mut second = client(lasting(Version::V311), &flash);
        let restored = Event::Restored {
            messages: 2,
            subscriptions: 0,
        };
        let damaged = Event::RecordDamaged { key };
        assert_eq!(second.events(), [damaged, restored.clone()]);
        drop(second);
        // The broker may have that message. Its identifier is released, even after another restart,
        // and no other.
        let mut third = client(lasting(Version::V311), &flash);
        assert_eq!(third.events(), [restored]);
        third.reconnect(at(0), true);
        let sent = third.sent(at(0));
        assert_eq!(sent[0], Seen::Pubrel(key, 0));
        assert_eq!(sent.len(), 3);
        third.receive(&wire::pubcomp(key), at(0));
        assert!(!flash.keys().contains(&key));
        assert_eq!(third.events(), []);
        third.session.publish(message("new", QOS2)).unwrap();
        let sent = third.sent(at(0));
        assert!(matches!(&sent[..], [Seen::Publish(_)]), "{sent:?}");
    }
}

/// The note that a message was released stays there for a while. It does not apply to a later
/// message.
#[test]
fn a_message_is_not_taken_for_one_that_was_released_and_is_done() {
    let flash = Flash::new(0);
    let mut first = online(Version::V5, &flash, false);
    first.session.publish(message("one", QOS2)).unwrap();
    first.sent(at(1));
    first.receive(&wire::pubrec(0x8000, 0), at(1));
    first.receive(&wire::pubcomp(0x8000), at(1));
    assert_eq!(flash.keys(), [0, 0x2000]);
    drop(first);
    let mut second = online(Version::V5, &flash, true);
    second.session.publish(message("two", QOS2)).unwrap();
    second.sent(at(1));
    drop(second);
    let mut third = online(Version::V5, &flash, true);
    let again = publish("two", 2, 0x8000).dup();
    assert_eq!(third.sent(at(1)), [Seen::Publish(again)]);
}

/// The note that a message was released is useless once the message is done.
#[test]
fn restarts_do_not_fill_the_storage() {
    let flash = Flash::new(0);
    drop(online(Version::V5, &flash, false));
    // As left by an earlier version: completed messages, in more than one record.
    for chunk in 0..5_u16 {
        let key = 0x2000 + chunk;
        let mut record = vec![1, 3];
        for n in 0..16 {
            record.extend((u32::from(chunk) * 16 + n + 1).to_le_bytes());
        }
        record.extend(crc32(key, &record).to_le_bytes());
        flash.medium().records.insert(key, record);
    }
    for _ in 0..40 {
        let mut client = online(Version::V5, &flash, true);
        client.session.publish(message("t", QOS2)).unwrap();
        let sent = client.sent(at(1));
        let [Seen::Publish(publish)] = &sent[..] else {
            panic!("{sent:?}");
        };
        client.receive(&wire::pubrec(publish.id, 0), at(1));
        client.sent(at(1));
        // Released but not completed: it is still known after a restart.
        drop(client);
        let mut client = online(Version::V5, &flash, true);
        assert_eq!(client.sent(at(1)), [Seen::Pubrel(publish.id, 0)]);
        client.receive(&wire::pubcomp(publish.id), at(1));
    }
    assert_eq!(flash.keys(), [0, 0x2000]);
    assert!(flash.medium().records[&0x2000].len() < 20);
}
