//! `stored URI DIRECTORY [KEY]`: publishes each line of standard input once, no matter how often
//! the program is killed and restarted. Unacknowledged messages are stored in the directory. They
//! are encrypted if KEY names a file with a 32-byte key (`openssl rand -out KEY 32`).
use std::path::Path;
use std::{env, error, fs, io};
use thread_mqtt::seal::{Key, SealedStore};
use thread_mqtt::{Builder, Error, Event, Message, Mqtt, Port, QoS, SessionEvent, Store};
use thread_mqtt_host::{FileStore, HostPort, Options};

const TOPIC: &str = "thread-mqtt/stored";

fn main() -> Result<(), Box<dyn error::Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (uri, directory, key) = match arguments.as_slice() {
        [uri, directory] => (uri, directory, None),
        [uri, directory, key] => (uri, directory, Some(key.as_ref())),
        _ => return Err("usage: stored URI DIRECTORY [KEY]".into()),
    };
    let port = HostPort::new(Options::default())?;
    let mut mqtt = open(uri, port, store(directory.as_ref(), key)?)?;
    // The storage is read before the first message is: check that it could be.
    mqtt.start();
    let mut left = 0;
    for line in io::stdin().lines() {
        let message = Message::new(TOPIC, line?).qos(QoS::ExactlyOnce);
        // Accepted once it is stored.
        mqtt.publish(message)?;
        left += 1;
        while left >= 16 {
            left -= ended(mqtt.next())?;
        }
    }
    while left > 0 {
        left -= ended(mqtt.next())?;
    }
    mqtt.stop();
    mqtt.by_ref().for_each(drop);
    Ok(())
}

/// Opens the client. Laptop and device differ only in port and store.
fn open<P: Port>(uri: &str, port: P, store: Box<dyn Store>) -> Result<Mqtt<P>, Error> {
    Builder::new(uri)
        .client_id("stored-example")
        .session_expiry(86_400)
        .with_session(|session| session.clean_start = false)
        .open_with_store(port, store)
}

fn store(directory: &Path, key: Option<&Path>) -> Result<Box<dyn Store>, Box<dyn error::Error>> {
    let files = FileStore::open(directory)?;
    let Some(key) = key else {
        return Ok(Box::new(files));
    };
    let fill = |buf: &mut [u8]| getrandom::fill(buf).map_err(|_| -1);
    let key = Key::soft(&fs::read(key)?, fill)?;
    Ok(Box::new(SealedStore::new(files, key, "stored-example")))
}

/// Prints an event. Returns 1 if it ends a message that this run has published.
fn ended(event: Option<Event>) -> Result<usize, Box<dyn error::Error>> {
    match event.ok_or("the client has stopped")? {
        Event::Session(SessionEvent::Published(token)) => Ok(usize::from(!token.is_restored())),
        Event::Session(SessionEvent::PublishFailed(_, why)) => Err(why.into()),
        Event::Session(SessionEvent::StorageFailed(why)) => Err(why.into()),
        Event::Session(SessionEvent::Restored { messages, .. }) => {
            eprintln!("{messages} messages from a previous run");
            Ok(0)
        }
        Event::Session(SessionEvent::RecordDamaged { key }) => {
            eprintln!("record {key:04x} is damaged and was dropped");
            Ok(0)
        }
        Event::Session(_) => Ok(0),
        event => {
            eprintln!("{event}");
            Ok(0)
        }
    }
}
