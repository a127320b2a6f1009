//! How long a publish and an acknowledgement take with a short and with a long queue.
//!
//! ```text
//! cargo run --release -p thread-mqtt-session --example outbox
//! ```
//!
//! Both columns come from one run, so the ratio is meaningful on any machine. If an operation
//! scanned the queue, the ratio would be that of the lengths, 32 and 20. Anything above 1 comes
//! from the memory cache and, for filters, from the depth of the search.

use std::time::{Duration, Instant};

use thread_mqtt_session::{Config, Event, Message, QoS, Session, Version};

const QOS1: QoS = QoS::AtLeastOnce;

fn main() {
    println!("{:<28} {:>10} {:>10} {:>7}", "", "1,000", "32,000", "ratio");
    let (few, many) = (messages(1_000), messages(32_000));
    row("publish, ns", few.0, many.0);
    row("send and acknowledge, ns", few.1, many.1);
    println!("{:<28} {:>10} {:>10} {:>7}", "", "1,000", "20,000", "ratio");
    let (few, many) = (filters(1_000), filters(20_000));
    row("subscribe, ns", few.0, many.0);
    row("repeat a subscription, ns", few.1, many.1);
}

fn row(name: &str, few: f64, many: f64) {
    println!("{name:<28} {few:>10.0} {many:>10.0} {:>7.2}", many / few);
}

fn session() -> Session {
    Session::new(Config {
        version: Version::V311,
        client_id: "bench".into(),
        clean_start: false,
        outbox_messages: 32_767,
        outbox_bytes: usize::MAX,
        ..Config::default()
    })
    .expect("a valid configuration")
}

fn connect(session: &mut Session, present: u8) {
    session.connect(Duration::ZERO);
    sent(session);
    let connack = [0x20, 2, present, 0];
    session
        .handle_input(&connack, Duration::ZERO)
        .expect("accepted");
}

/// Returns everything the session sends now.
fn sent(session: &mut Session) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let bytes = session.transmit(Duration::ZERO);
        if bytes.is_empty() {
            return all;
        }
        all.extend_from_slice(bytes);
        let n = bytes.len();
        session.consume_transmit(n);
    }
}

fn drain(session: &mut Session) -> usize {
    std::iter::from_fn(|| session.poll_event())
        .filter(|event| !matches!(event, Event::Connected { .. }))
        .count()
}

/// Returns the nanoseconds for one publish, and for sending and acknowledging one.
fn messages(count: usize) -> (f64, f64) {
    let mut session = session();
    let start = Instant::now();
    for _ in 0..count {
        session
            .publish(Message::new("t", "x").qos(QOS1))
            .expect("room");
    }
    let publish = start.elapsed();
    connect(&mut session, 0);
    drain(&mut session);
    let start = Instant::now();
    let mut done = 0;
    while done < count {
        answer(&mut session);
        done += drain(&mut session);
    }
    (each(publish, count), each(start.elapsed(), count))
}

/// Returns the nanoseconds to subscribe to one more filter, and to renew one after a lost session.
fn filters(count: usize) -> (f64, f64) {
    let mut session = session();
    connect(&mut session, 0);
    drain(&mut session);
    let start = Instant::now();
    for number in 0..count {
        let name = format!("filter/{number}");
        session.subscribe(&[(&name, QOS1)]).expect("room");
        answer(&mut session);
        drain(&mut session);
    }
    let subscribe = start.elapsed();
    connect(&mut session, 0);
    let start = Instant::now();
    while !session.is_idle() {
        answer(&mut session);
        drain(&mut session);
    }
    (each(subscribe, count), each(start.elapsed(), count))
}

fn each(time: Duration, count: usize) -> f64 {
    time.as_nanos() as f64 / count as f64
}

/// Handles the broker's answers to everything that was sent.
fn answer(session: &mut Session) {
    let sent = sent(session);
    let mut rest = &sent[..];
    while let [control, remaining @ ..] = rest {
        let (mut length, mut shift, mut head) = (0usize, 0, 1);
        for byte in remaining {
            length |= usize::from(byte & 0x7F) << shift;
            (shift, head) = (shift + 7, head + 1);
            if byte & 0x80 == 0 {
                break;
            }
        }
        let body = &rest[head..head + length];
        let answer = match control >> 4 {
            3 => vec![0x40, 2, body[3], body[4]],
            8 => {
                let mut filters = 0;
                let mut at = 2;
                while at < body.len() {
                    at += 3 + usize::from(u16::from_be_bytes([body[at], body[at + 1]]));
                    filters += 1;
                }
                let mut suback = vec![0x90, 2 + filters, body[0], body[1]];
                suback.extend(std::iter::repeat_n(1, filters.into()));
                suback
            }
            other => unreachable!("packet type {other}"),
        };
        session
            .handle_input(&answer, Duration::ZERO)
            .expect("valid");
        rest = &rest[head + length..];
    }
}
