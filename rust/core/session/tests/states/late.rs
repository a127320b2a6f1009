//! Records that the storage refuses: what happens to the others, and the state after a restart.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use thread_mqtt_session::{Event, Message, Session, Store, StoreError, Version};

use crate::common::flash::Flash;
use crate::common::{Client, Publish, Seen, VERSIONS, at, lasting, wire};
use crate::{QOS1, QOS2};

const SETTLED: u16 = 2;

fn with_store(version: Version, store: Box<dyn Store>) -> Client {
    let session = Session::with_store(lasting(version), store).expect("a valid configuration");
    Client { version, session }
}

fn subscribe(client: &mut Client, filter: &str, id: u16) -> Vec<Event> {
    client.session.subscribe(&[(filter, QOS1)]).expect("room");
    client.sent(at(1));
    client.receive(&wire::suback(client.version, id, &[1]), at(1));
    client.events()
}

/// The broker reuses the identifier for another message.
#[test]
fn a_message_is_not_lost_by_an_identifier_that_the_storage_could_not_forget() {
    for version in VERSIONS {
        for (works_again, is_told) in [(false, true), (true, false)] {
            let flash = Flash::new(0);
            let mut client = with_store(version, flash.store());
            client.reconnect(at(0), false);
            subscribe(&mut client, "f", 1);
            assert!(flash.keys().contains(&SETTLED));
            let one = Publish::new("f", "one", 2, 7);
            client.receive(&wire::publish(version, &one), at(1));
            client.events();
            client.sent(at(1));
            flash.fill(true);
            client.receive(&wire::pubrel(7), at(1));
            assert_eq!(client.sent(at(1)), [Seen::Pubcomp(7, 0)]);
            assert!(!flash.keys().contains(&SETTLED));
            let failed = Event::StorageFailed(StoreError::Full);
            assert_eq!(client.events(), [failed]);
            if works_again {
                flash.fill(false);
                client
                    .session
                    .publish(Message::new("u", "").qos(QOS1))
                    .unwrap();
                client.events();
                assert!(flash.keys().contains(&SETTLED));
                assert!(!flash.keys().contains(&0x1000), "{:?}", flash.keys());
            }
            drop(client);

            flash.fill(false);
            let mut next = with_store(version, flash.store());
            next.events();
            next.reconnect(at(0), true);
            let resubscribes = |seen: &Seen| matches!(seen, Seen::Subscribe(..));
            assert_eq!(next.sent(at(0)).iter().any(resubscribes), is_told);
            let two = Publish::new("f", "two", 2, 7);
            next.receive(&wire::publish(version, &two), at(1));
            let events = next.events();
            assert!(
                matches!(&events[..], [Event::Message(two)] if two.payload == b"two"),
                "{events:?}"
            );
        }
    }
}

/// A storage that refuses some records, and how often it did.
struct Picky(Flash, fn(u16) -> bool, Arc<AtomicU32>);

impl Store for Picky {
    fn load(&mut self, found: &mut dyn FnMut(u16, &[u8])) -> Result<(), StoreError> {
        self.0.clone().load(found)
    }

    fn put(&mut self, key: u16, record: &[u8]) -> Result<(), StoreError> {
        if (self.1)(key) {
            self.2.fetch_add(1, Ordering::Relaxed);
            return Err(StoreError::Full);
        }
        self.0.clone().put(key, record)
    }

    fn delete(&mut self, key: u16) -> Result<(), StoreError> {
        self.0.clone().delete(key)
    }
}

#[test]
fn what_can_never_be_written_is_told_once() {
    let kinds: [fn(u16) -> bool; 3] = [
        |key| (0x4000..0x5000).contains(&key),
        |key| key == SETTLED,
        |key| key == 0x4005,
    ];
    for refuses in kinds {
        let flash = Flash::new(0);
        let refused = Arc::new(AtomicU32::new(0));
        let store = Picky(flash.clone(), refuses, refused.clone());
        let mut client = with_store(Version::V5, Box::new(store));
        client.reconnect(at(0), false);
        let mut told = 0;
        let mut count = |events: Vec<Event>| {
            let failed = events
                .iter()
                .filter(|event| matches!(event, Event::StorageFailed(_)));
            told += failed.count();
        };
        for n in 1..=40 {
            count(subscribe(&mut client, &format!("f{n:02}"), n));
        }
        let (writes, before) = (flash.writes(), refused.load(Ordering::Relaxed));
        for id in 0x8000..0x8010 {
            client
                .session
                .publish(Message::new("u", "").qos(QOS1))
                .unwrap();
            count(client.events());
            client.sent(at(2));
            client.receive(&wire::puback(id, 0), at(2));
            count(client.events());
        }
        assert_eq!(told, 1);
        // A message is written and deleted. In addition, one record is tried, and SETTLED is known
        // to be absent.
        assert!(refused.load(Ordering::Relaxed) - before <= 32);
        assert!(flash.writes() - writes <= 64, "{}", flash.writes() - writes);
    }
}

/// However many could not be written.
#[test]
fn subscriptions_are_stored_as_soon_as_there_is_room() {
    let flash = Flash::new(0);
    let mut client = with_store(Version::V5, flash.store());
    client.reconnect(at(0), false);
    flash.fill(true);
    for n in 1..=100 {
        subscribe(&mut client, &format!("f{n}"), n);
    }
    flash.fill(false);
    client
        .session
        .publish(Message::new("u", "").qos(QOS2))
        .unwrap();
    client.events();
    assert_eq!(
        flash.keys().iter().filter(|key| **key >= 0x4000).count(),
        101
    );
    assert!(flash.keys().contains(&SETTLED));
    drop(client);
    let mut next = with_store(Version::V5, flash.store());
    let restored = Event::Restored {
        messages: 1,
        subscriptions: 100,
    };
    assert_eq!(next.events(), [restored]);
}
