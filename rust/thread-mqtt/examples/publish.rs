//! `publish URI [CA.pem]`: publishes a counter every ten seconds and prints what it receives.
use std::time::Duration;
use std::{env, error, fs};
use thread_mqtt::soft::{self, Random, RandomError};
use thread_mqtt::{Builder, Event, Message, QoS, SessionEvent};
use thread_mqtt_host::{HostPort, Options};

const TOPIC: &str = "thread-mqtt/example";

/// This computer's entropy, for TLS.
#[derive(Debug)]
struct Entropy;

impl Random for Entropy {
    fn fill(buf: &mut [u8]) -> Result<(), RandomError> {
        getrandom::fill(buf).map_err(|_| RandomError)
    }
}

fn main() -> Result<(), Box<dyn error::Error>> {
    let mut arguments = env::args().skip(1);
    let uri = arguments.next().ok_or("usage: publish URI [CA.pem]")?;
    let mut builder = Builder::new(&uri);
    if let Some(path) = arguments.next() {
        builder = builder
            .tls(soft::provider::<Entropy>())
            .with_tls(|tls| Ok(tls.in_place(soft::suites::in_place)))
            .ca(&fs::read(path)?);
    }
    let mut mqtt = builder.open(HostPort::new(Options::default())?)?;
    mqtt.subscribe(&[(TOPIC, QoS::AtLeastOnce)])?;
    mqtt.start();
    let (mut count, mut due) = (0, mqtt.now());
    loop {
        if let Some(event) = mqtt.next_until(due) {
            show(&event);
            continue;
        }
        count += 1;
        due += Duration::from_secs(10);
        let message = Message::new(TOPIC, format!("count {count}")).qos(QoS::AtLeastOnce);
        if let Err(error) = mqtt.publish(message) {
            eprintln!("count {count} was not queued: {error}");
        }
    }
}

fn show(event: &Event) {
    match event {
        Event::Session(SessionEvent::Message(message)) => {
            let payload = String::from_utf8_lossy(&message.payload);
            println!("{}: {payload}", message.topic);
        }
        Event::Failed { cause, .. } => {
            eprintln!("{event}");
            if let Some(cure) = cause.cure() {
                eprintln!("what to do: {cure}");
            }
        }
        Event::Session(_) => {}
        event => println!("{event}"),
    }
}
