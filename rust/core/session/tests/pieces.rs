//! A message of a megabyte through buffers of 4 kB, with heap accounting.
#![cfg(feature = "pieces")]

mod common;

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use common::mosquitto::Broker;
use common::{Client, Publish, VERSIONS, at, lasting, qos, wire};
use thread_mqtt_session::{
    Config, CutReason, Event, Message, Pieces, PublishOptions, Session, SessionError, Token,
    Version,
};
use thread_mqtt_test_support::heap::{Heap, with_heap};

#[global_allocator]
static HEAP: Heap = Heap;

const MEGABYTE: usize = 1 << 20;

fn byte(at: usize) -> u8 {
    (at * 7 % 251) as u8
}

fn payload() -> Vec<u8> {
    (0..MEGABYTE).map(byte).collect()
}

fn config(version: Version) -> Config {
    Config {
        max_packet_size: 4_096,
        max_size_in_pieces: 2 * MEGABYTE as u32,
        event_bytes: 4_096,
        ..lasting(version)
    }
}

/// The documented limits: events up to `event_bytes` and one piece, the head of the message, and
/// the heap reserve required before a piece is taken.
const BOUND: usize = 4_096 + 2 * 4_096 + 2 * 4_096;

#[test]
fn a_megabyte_arrives_through_4_kb() {
    for version in VERSIONS {
        for (read, polled) in [(1_280, 1), (16_384, 1), (16_384, usize::MAX)] {
            let packet = wire::publish(version, &Publish::new("t", payload(), 1, 1));
            let mut client = Client::online(config(version));
            let ((), most) = with_heap(BOUND, || {
                let mut received = 0;
                for mut data in packet.chunks(read) {
                    while !data.is_empty() {
                        let taken = client.session.handle_input(data, at(1)).expect("valid");
                        data = &data[taken..];
                        for _ in 0..polled {
                            let Some(event) = client.session.poll_event() else {
                                break;
                            };
                            match event {
                                Event::MessageBegins { total, .. } => {
                                    assert_eq!(total as usize, MEGABYTE);
                                }
                                Event::Piece {
                                    offset, payload, ..
                                } => {
                                    assert_eq!(offset as usize, received);
                                    let right = payload.iter().enumerate();
                                    assert!(
                                        right.clone().all(|(at, one)| *one == byte(received + at))
                                    );
                                    received += payload.len();
                                }
                                other => panic!("{other:?}"),
                            }
                        }
                    }
                }
                while let Some(event) = client.session.poll_event() {
                    let Event::Piece { payload, .. } = event else {
                        panic!("{event:?}");
                    };
                    received += payload.len();
                }
                assert_eq!(received, MEGABYTE);
            });
            assert!(most <= BOUND, "{most} bytes");
            assert_eq!(client.transmit(at(1)), [0x40, 2, 0, 1]);
        }
    }
}

/// It is sent through an outbox of 4 kB plus the topic.
#[test]
fn a_megabyte_goes_out_through_4_kb() {
    for version in VERSIONS {
        let mut client = Client::online(Config {
            outbox_bytes: 4_096 + 1,
            ..config(version)
        });
        let (token, most) = with_heap(BOUND, || {
            let token = publish(&mut client.session, 1);
            let mut sent = 0;
            loop {
                let bytes = client.session.transmit(at(1));
                let n = bytes.len().min(1_280);
                sent += n;
                client.session.consume_transmit(n);
                match client.session.poll_event() {
                    Some(event) => supply(&mut client.session, &event),
                    None if n == 0 => break,
                    None => {}
                }
            }
            assert!((MEGABYTE..MEGABYTE + 20).contains(&sent));
            token
        });
        assert!(most <= BOUND, "{most} bytes");
        client.receive(&wire::puback(1, 0), at(1));
        assert_eq!(client.events(), [Event::Published(token)]);
    }
}

fn publish(session: &mut Session, level: u8) -> Token {
    let pieces = Pieces {
        total: MEGABYTE as u32,
        piece: 4_096,
    };
    let message = Message::new("t", "").qos(qos(level));
    let options = PublishOptions::default();
    let token = session.publish_in_pieces(message, pieces, options);
    token.expect("room")
}

fn supply(session: &mut Session, event: &Event) {
    let Event::PieceWanted {
        token,
        offset,
        length,
    } = *event
    else {
        panic!("{event:?}");
    };
    let piece = (offset..offset + length).map(|at| byte(at as usize));
    let supplied = session.supply(token, offset, piece.collect());
    supplied.expect("what is asked for");
}

/// To Mosquitto and back to the same session, over sockets, at each QoS, with 4 kB for each kind of
/// buffer in both directions.
#[test]
fn a_megabyte_to_mosquitto_and_back() {
    let broker = Broker::start("");
    for version in VERSIONS {
        for level in 0..3 {
            let ((), most) = with_heap(2 * BOUND, || there_and_back(&broker, version, level));
            assert!(most <= 2 * BOUND, "{most} bytes");
        }
    }
}

fn there_and_back(broker: &Broker, version: Version, level: u8) {
    let mut stream = broker.connect();
    let mut session = Session::new(Config {
        outbox_bytes: 4_096 + 1,
        clean_start: true,
        session_expiry: 0,
        ..config(version)
    })
    .expect("a valid configuration");
    let start = Instant::now();
    session.connect(Duration::ZERO);
    session.subscribe(&[("t", qos(2))]).expect("room");
    let (mut buffer, mut filled) = ([0; 1_280], 0..0);
    let (mut token, mut published, mut received) = (None, false, 0);
    while !published || received < MEGABYTE || !session.is_idle() {
        let now = start.elapsed();
        assert!(now < Duration::from_secs(60), "{received} bytes came");
        session.handle_timeout(now).expect("the broker is alive");
        let bytes = session.transmit(now);
        if !bytes.is_empty() {
            let n = stream.write(bytes).expect("a stream that works");
            session.consume_transmit(n);
        } else if filled.is_empty() && session.wants_input() {
            match stream.read(&mut buffer) {
                Ok(0) => panic!("the broker closed"),
                Ok(n) => filled = 0..n,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock) => {}
                Err(error) => panic!("{error}"),
            }
        }
        filled.start += session
            .handle_input(&buffer[filled.clone()], now)
            .expect("the broker behaves");
        let Some(event) = session.poll_event() else {
            continue;
        };
        match event {
            Event::Connected { .. } => {}
            Event::Subscribed(..) => token = Some(publish(&mut session, level)),
            Event::Published(which) => published = Some(which) == token,
            event @ Event::PieceWanted { .. } => supply(&mut session, &event),
            Event::MessageBegins { message, total } => {
                assert_eq!((message.qos, total as usize), (qos(level), MEGABYTE));
            }
            Event::Piece {
                offset, payload, ..
            } => {
                assert_eq!(offset as usize, received);
                let mut right = payload.iter().enumerate();
                assert!(right.all(|(at, one)| *one == byte(received + at)));
                received += payload.len();
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Passes all of it to the session, taking events when necessary. Returns the event that ends the
/// message.
fn take_all(session: &mut Session, mut data: &[u8]) -> Result<Option<Event>, SessionError> {
    let mut end = None;
    while !data.is_empty() || end.is_none() {
        let taken = session.handle_input(data, at(1))?;
        data = &data[taken..];
        if session.wants_input() && !data.is_empty() {
            continue;
        }
        let Some(event) = session.poll_event() else {
            break;
        };
        let is_end = match &event {
            Event::MessageBegins { .. } => false,
            Event::Piece {
                offset,
                total,
                payload,
            } => *offset as usize + payload.len() == *total as usize,
            _ => true,
        };
        if is_end {
            end = Some(event);
        }
    }
    Ok(end)
}

/// With any amount of heap, the message arrives whole, or is cut, reported and acknowledged, or is
/// skipped, or the connection ends because there is no room for an event either.
#[test]
fn too_little_heap_shortens_pieces_and_then_cuts_the_message() {
    for version in VERSIONS {
        let packet = wire::publish(version, &Publish::new("t", vec![7; 9_000], 1, 1));
        let (mut whole, mut cut, mut skipped) = (0, 0, 0);
        for bytes in (0..24_000).step_by(97) {
            let mut client = Client::online(config(version));
            let (ended, _) = with_heap(bytes, || take_all(&mut client.session, &packet));
            match ended {
                Err(ref error) => assert!(bytes < 2_500, "{bytes}: {error}"),
                Ok(Some(Event::Piece { .. })) => whole += 1,
                Ok(Some(Event::Skipped { .. })) => skipped += 1,
                Ok(Some(Event::MessageCut { reason, .. })) => {
                    assert_eq!(reason, CutReason::OutOfMemory);
                    cut += 1;
                }
                Ok(ref other) => panic!("{bytes}: {other:?}"),
            }
            if ended.is_ok() {
                assert!(client.session.is_connected());
                assert_eq!(client.transmit(at(1))[0], 0x40, "acknowledged, {bytes}");
            }
        }
        assert!(
            whole > 10 && cut > 10 && skipped > 10,
            "{whole} {cut} {skipped}"
        );
    }
}
