//! Two sessions under one name would overwrite each other's records.
#![cfg(feature = "durable")]
use core::ffi::{c_char, c_void};
use std::sync::Barrier;
use std::thread;
use thread_mqtt_client::{Client, Config};
use thread_mqtt_platform::{ClientError, PlatformStore, SessionKey, SessionStore, client};

/// A storage without records.
#[unsafe(no_mangle)]
extern "C" fn tmq_port_store_each(_: *const c_char, _: *const c_void, _: *mut c_void) -> i32 {
    0
}

#[unsafe(no_mangle)]
extern "C" fn tmq_port_store_write(_: *const c_char, _: *const u8, _: usize) -> i32 {
    0
}

#[unsafe(no_mangle)]
extern "C" fn tmq_port_store_delete(_: *const c_char) -> i32 {
    0
}

/// Needed to link if another crate's features are enabled; no test calls it.
#[unsafe(no_mangle)]
extern "C" fn tmq_port_random(_: *mut u8, _: usize) -> i32 {
    -1
}

fn named(name: &str) -> Result<Box<Client>, ClientError> {
    let broker = "mqtt://broker.example".parse().unwrap();
    client(Box::new(Config::new(broker)), name, SessionKey::None)
}

#[test]
fn a_name_has_one_client_at_a_time() {
    let first = named("meter").unwrap();
    assert!(first.session().is_durable());
    let error = named("meter").unwrap_err();
    assert_eq!(error, ClientError::SessionTaken);
    assert!(error.to_string().contains("another client"), "{error}");
    assert_eq!(
        PlatformStore::new("meter").unwrap_err(),
        ClientError::SessionTaken
    );
    let other = named("meter2").unwrap();
    drop(first);
    let again = named("meter").unwrap();
    // Without a name nothing is shared.
    let (_, _) = (named("").unwrap(), named("").unwrap());
    // Opening without a claim, to check a configuration or to count names differently, still works.
    assert!(SessionStore::open("meter", SessionKey::None).is_ok());
    assert_eq!(
        PlatformStore::new("a.b").unwrap_err(),
        ClientError::SessionName
    );
    drop((other, again));
}

#[test]
fn of_many_threads_one_gets_the_name() {
    for round in 0..200 {
        let name = format!("round{round}");
        let barrier = Barrier::new(4);
        let taken = thread::scope(|scope| {
            let ask = || {
                barrier.wait();
                let store = PlatformStore::new(&name);
                barrier.wait();
                store.is_ok()
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
            let taken = threads.into_iter().map(|thread| thread.join().unwrap());
            taken.filter(|taken| *taken).count()
        });
        assert_eq!(taken, 1);
    }
}
