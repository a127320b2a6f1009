//! PSA fails at each call of a client that is connecting to its broker: the client reports an
//! error, and the next attempt succeeds.

use std::ops::ControlFlow;
use std::time::Duration;

use thread_mqtt_client::{Cause, Event, Retry, Timers};
use thread_mqtt_driver::Driver;
use thread_mqtt_host::HostPort;
use thread_mqtt_psa::{Status, host, keys_not_destroyed};
use thread_mqtt_session::{Event as Mqtt, Message, QoS};
use thread_mqtt_tls::{TlsError, Version};

use crate::backend::{Backend, Identity, parallel};
use crate::mosquitto::{Mosquitto, client_with, stop};
use crate::pki::{Chain, Kind};

/// Runs until the broker has a message from this client, so that every record on the way has been
/// read. Returns the failures until then.
fn persist(driver: &mut Driver<HostPort>) -> Vec<Cause> {
    let mut causes = Vec::new();
    let message = Message::new("failures", "there").qos(QoS::AtLeastOnce);
    driver.client_mut().publish(message).unwrap();
    driver.start();
    driver.run(|_, event| match event {
        Event::Session(Mqtt::Published(_)) => ControlFlow::Break(()),
        Event::Failed { cause, .. } => {
            causes.push(cause);
            ControlFlow::Continue(())
        }
        _ => ControlFlow::Continue(()),
    });
    causes
}

fn at_once() -> (Retry, Timers) {
    let pause = Duration::from_millis(1);
    let timers = Timers {
        backoff_min: pause,
        backoff_max: pause,
        ..Timers::default()
    };
    (Retry::Forever, timers)
}

#[test]
fn psa_failing_at_every_call_on_the_way_to_the_broker() {
    let chain = Chain::new(&[Kind::Rsa2048, Kind::P256]);
    let failed = parallel(&[()], |()| {
        let broker = Mosquitto::start(&chain);
        let mut failed = Vec::new();
        for version in Version::ALL {
            // A new configuration each time forces a full handshake.
            let connect = || {
                let config = Backend::Psa.config().ca(chain.root.as_bytes()).unwrap();
                let config = config.versions(&[*version]);
                let config = Identity::Opaque(Kind::P256).give(config).unwrap();
                let config = config.build().unwrap();
                client_with(broker.mutual, config, "failures", at_once())
            };
            // The tests' own opaque keys have their slots by now.
            drop(connect());
            let slots = host::counters().slots;
            let mut calls = 0;
            loop {
                calls += 1;
                let mut driver = connect();
                host::fail(calls, 1, Status::INSUFFICIENT_MEMORY);
                let causes = persist(&mut driver);
                let hit = host::counters().failed;
                host::reset();
                stop(&mut driver);
                drop(driver);
                assert_eq!(host::counters().slots, slots, "{version}, call {calls}");
                if hit == 0 {
                    assert_eq!(causes, []);
                    break;
                }
                let context = format!("{version}, call {calls}: {causes:?}");
                let [Cause::Tls(error @ TlsError::CryptoFailed(Some(failure)))] = &causes[..]
                else {
                    panic!("{context}");
                };
                // That is not a message of this side.
                let of_a_record = failure.call == "psa_aead_decrypt";
                assert_eq!(error.is_too_large(), of_a_record, "{context}");
                assert_eq!(failure.status, Status::INSUFFICIENT_MEMORY.0, "{context}");
                let sentence = causes[0].to_string();
                assert_eq!(
                    sentence,
                    format!(
                        "the crypto provider of this device failed: {} failed with status -141: \
                         out of memory or key slots (see the sizes of the heaps)",
                        failure.call
                    )
                );
                assert!(causes[0].cure().unwrap().contains("key slots"));
            }
            failed.push(calls - 1);
        }
        failed
    });
    assert_eq!(keys_not_destroyed(), 0);
    // A connection makes about a hundred calls, more for TLS 1.3.
    assert!(failed[0].iter().all(|calls| *calls > 50), "{failed:?}");
}
