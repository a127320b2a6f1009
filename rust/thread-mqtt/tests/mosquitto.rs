//! The facade on this computer's sockets, against Mosquitto.
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;
use thread_mqtt::{
    Builder, Cause, Event, Message, Mqtt, Overflow, Priority, Properties, PublishOptions, QoS,
    SessionEvent, Version,
};
use thread_mqtt_host::{FileStore, HostPort, Options};
use thread_mqtt_test_support::server;

/// Killed when dropped.
struct Broker {
    process: Child,
    port: u16,
    folder: PathBuf,
}

impl Broker {
    /// Starts a broker. `name` tells apart several in this process.
    fn start(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("facade-{name}"));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("mosquitto.conf");
        let started = server::start(|[port]: [u16; 1]| {
            let text = format!("listener {port} 127.0.0.1\nallow_anonymous true\nuser root\n");
            fs::write(&file, text)?;
            server::mosquitto(&file).spawn()
        });
        let (process, [port]) = started.expect("mosquitto starts; install it if it is missing");
        Self {
            process,
            port,
            folder,
        }
    }

    fn uri(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn open(builder: Builder) -> Mqtt<HostPort> {
    let port = HostPort::new(Options::default()).unwrap();
    builder.open(port).unwrap()
}

#[test]
fn events_are_an_iterator_until_the_stop() {
    let broker = Broker::start("iterator");
    for version in [Version::V311, Version::V5] {
        let mut mqtt = open(Builder::new(&broker.uri()).version(version));
        assert_eq!(mqtt.next(), None, "not started");
        mqtt.subscribe(&[("facade/#", QoS::AtLeastOnce)]).unwrap();
        let message = Message::new("facade/t", "hello").qos(QoS::ExactlyOnce);
        let token = mqtt.publish(message).unwrap();
        mqtt.start();
        let (mut received, mut published) = (0, 0);
        while let Some(event) = mqtt.next() {
            match event {
                Event::Session(SessionEvent::Message(message)) => {
                    assert_eq!(message.payload, b"hello");
                    received += 1;
                }
                Event::Session(SessionEvent::Published(which)) => {
                    assert_eq!(which, token);
                    published += 1;
                }
                Event::Failed { cause, .. } => panic!("{cause}"),
                _ => {}
            }
            if received == 1 && published == 1 && mqtt.is_online() {
                mqtt.stop();
            }
        }
        assert_eq!((received, published), (1, 1));
        assert!(!mqtt.is_online());
    }
}

/// The settings of the builder and the messages reach the wire: the second broker of a list, after
/// a short delay, and a message that overtakes another with its properties.
#[test]
fn a_list_of_brokers_and_what_goes_with_a_message() {
    let broker = Broker::start("list");
    let brokers = format!("mqtt://127.0.0.1:1, {}", broker.uri());
    let builder = Builder::new(&brokers)
        .backoff(Duration::from_millis(1), Duration::from_millis(10))
        .overflow(Overflow::DropOldestQos0);
    let mut mqtt = open(builder);
    mqtt.subscribe(&[("list/#", QoS::AtLeastOnce)]).unwrap();
    let properties = Properties {
        content_type: Some("text/plain".into()),
        user: vec![("unit".into(), "K".into())],
        ..Properties::default()
    };
    let message = |text: &str| Message::new("list/t", text).qos(QoS::AtLeastOnce);
    mqtt.publish(message("usual")).unwrap();
    let urgent = message("urgent").properties(properties.clone());
    let first = PublishOptions {
        priority: Priority::High,
        ..PublishOptions::default()
    };
    mqtt.publish_with(urgent, first).unwrap();
    assert_eq!(mqtt.limits(), None);
    mqtt.start();
    let mut received = Vec::new();
    let mut tried = Vec::new();
    while received.len() < 2 {
        match mqtt.next().expect("it was not stopped") {
            Event::Broker(uri) => tried.push(uri.to_string()),
            Event::Session(SessionEvent::Message(message)) => received.push(message),
            _ => {}
        }
    }
    assert_eq!(tried, ["mqtt://127.0.0.1:1".to_owned(), broker.uri()]);
    assert_eq!(received[0].payload, b"urgent");
    assert_eq!(received[0].properties.as_deref(), Some(&properties));
    assert_eq!(received[1].payload, b"usual");
    assert_eq!(mqtt.limits().unwrap().maximum_qos, QoS::ExactlyOnce);
}

#[test]
fn a_callback_ends_the_run() {
    let broker = Broker::start("callback");
    let mut mqtt = open(Builder::new(&broker.uri()).client_id("callback"));
    mqtt.start();
    let name = mqtt.run(|client, event| match event {
        Event::Reached(thread_mqtt::Reached::Online { .. }) => {
            ControlFlow::Break(client.session().client_id().to_owned())
        }
        _ => ControlFlow::Continue(()),
    });
    assert_eq!(name, "callback");
}

#[test]
fn one_attempt_fails_with_its_cause_and_ends() {
    let mut mqtt = open(Builder::new("mqtt://127.0.0.1:1").once());
    mqtt.start();
    let events: Vec<_> = mqtt.by_ref().collect();
    let failed = |event: &Event| {
        matches!(
            event,
            Event::Failed {
                cause: Cause::Tcp(_),
                ..
            }
        )
    };
    assert!(events.iter().any(failed), "{events:?}");
}

#[test]
fn a_limit_ends_the_wait() {
    let mut mqtt = open(Builder::new("mqtt://127.0.0.1:1"));
    let limit = mqtt.now() + Duration::from_millis(20);
    assert_eq!(mqtt.next_until(limit), None);
    assert!(mqtt.now() >= limit);
}

#[test]
fn a_message_of_an_earlier_life_is_sent() {
    let broker = Broker::start("durable");
    let open = |uri: &str| {
        let store = FileStore::open(broker.folder.join("session")).expect("a free directory");
        let builder = Builder::new(uri).client_id("device").session_expiry(3600);
        let port = HostPort::new(Options::default()).unwrap();
        builder.open_with_store(port, Box::new(store)).unwrap()
    };
    // Nothing listens there.
    let mut first = open("mqtt://127.0.0.1:1");
    let message = Message::new("t", "kept").qos(QoS::ExactlyOnce);
    first.publish(message).unwrap();
    drop(first);

    let mut second = open(&broker.uri());
    second.start();
    let published = second.find_map(|event| match event {
        Event::Session(SessionEvent::Published(token)) => Some(token.is_restored()),
        Event::Failed { cause, .. } => panic!("{cause}"),
        _ => None,
    });
    assert_eq!(published, Some(true));
}
