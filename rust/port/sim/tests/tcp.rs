//! TCP from the device through the radio and NAT64 to servers inside the world.
mod common;

use common::{READ, SERVER, connect, exchange, pattern, ready, receive_all, with_echo};
use core::net::SocketAddrV4;
use core::time::Duration;
use std::cell::RefCell;
use std::rc::Rc;
use thread_mqtt_client::TcpError;
use thread_mqtt_driver::{Port, TcpState};
use thread_sim::{Closing, Device, Radio, VirtualStream, WorldConfig};

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn every_echo_of_a_hundred_seeds_completes_at_any_loss() {
    let data = pattern(1000);
    for loss in [0.0, 0.1, 0.25] {
        // Two threads: worlds do not affect each other.
        std::thread::scope(|scope| {
            for half in 0..2 {
                let data = &data;
                scope.spawn(move || {
                    for seed in (half..100).step_by(2) {
                        let world = with_echo(WorldConfig {
                            seed,
                            radio: Radio {
                                loss,
                                ..Radio::default()
                            },
                            ..WorldConfig::default()
                        });
                        let mut port = world.port();
                        let state = connect(&mut port, SERVER, MINUTE);
                        assert_eq!(state, TcpState::Connected, "seed {seed}, loss {loss}");
                        let answer = exchange(&mut port, data, MINUTE);
                        assert!(answer == *data, "seed {seed}, loss {loss}");
                        assert_eq!(
                            loss > 0.0,
                            world.totals().lost > 0,
                            "seed {seed}, loss {loss}"
                        );
                    }
                });
            }
        });
    }
}

#[test]
fn a_long_transfer_survives_loss_duplication_and_delay() {
    let world = with_echo(WorldConfig {
        radio: Radio {
            loss: 0.05,
            duplication: 0.2,
            delay: Duration::from_millis(10),
        },
        hops: 1,
        ..WorldConfig::default()
    });
    let mut port = world.port();
    assert_eq!(connect(&mut port, SERVER, MINUTE), TcpState::Connected);
    let data = pattern(50_000);
    let answer = exchange(&mut port, &data, 10 * MINUTE);
    assert!(answer == data, "{} bytes", answer.len());
}

#[test]
fn a_port_without_server_refuses() {
    let world = with_echo(WorldConfig::default());
    let mut port = world.port();
    let closed = SocketAddrV4::new(*SERVER.ip(), 1883);
    let state = connect(&mut port, closed, MINUTE);
    assert_eq!(state, TcpState::Failed(TcpError::Refused));
    // A server may refuse a connection as well.
    world.serve(closed, |_, _| None);
    let state = connect(&mut port, closed, MINUTE);
    assert_eq!(state, TcpState::Failed(TcpError::Refused));
    // The next attempt is a new connection.
    assert_eq!(connect(&mut port, SERVER, MINUTE), TcpState::Connected);
}

#[test]
fn a_network_that_swallows_everything_times_out() {
    let world = with_echo(WorldConfig::default());
    let mut port = world.port();
    world.set_loss(1.0);
    let state = connect(&mut port, SERVER, 5 * MINUTE);
    assert_eq!(state, TcpState::Failed(TcpError::TimedOut));
}

/// TCP times out only while data is unacknowledged, never on an idle connection.
#[test]
fn an_idle_connection_lasts_and_one_without_an_answer_does_not() {
    let world = with_echo(WorldConfig::default());
    let mut port = world.port();
    assert_eq!(connect(&mut port, SERVER, MINUTE), TcpState::Connected);
    for _ in 0..2 {
        world.run_for(60 * MINUTE);
        assert_eq!(port.tcp_state(), TcpState::Connected);
        assert_eq!(exchange(&mut port, b"still here", MINUTE), b"still here");
    }
    world.run_for(60 * MINUTE);
    world.set_loss(1.0);
    assert_eq!(port.tcp_send(b"into the air"), Ok(12));
    world.run_for(MINUTE);
    assert_eq!(port.tcp_state(), TcpState::Connected);
    world.run_for(2 * MINUTE);
    assert_eq!(port.tcp_state(), TcpState::Failed(TcpError::TimedOut));
}

/// What a scripted server has received.
#[derive(Default)]
struct Seen {
    received: Vec<u8>,
    end: Option<Duration>,
    closed: Option<Duration>,
}

/// Sends `greeting` after `delay`, then ends as `closing` says.
struct Script {
    seen: Rc<RefCell<Seen>>,
    greeting: Vec<u8>,
    at: Duration,
    closing: Closing,
    takes: bool,
}

impl VirtualStream for Script {
    fn receive(&mut self, data: &[u8], _now: Duration) -> usize {
        if !self.takes {
            return 0;
        }
        self.seen.borrow_mut().received.extend(data);
        data.len()
    }
    fn end_of_stream(&mut self, now: Duration) {
        self.seen.borrow_mut().end = Some(now);
    }
    fn closed(&mut self, now: Duration) {
        self.seen.borrow_mut().closed = Some(now);
    }
    fn transmit(&mut self, now: Duration) -> Vec<u8> {
        if now < self.at {
            Vec::new()
        } else {
            core::mem::take(&mut self.greeting)
        }
    }
    fn closing(&self) -> Closing {
        if self.greeting.is_empty() {
            self.closing
        } else {
            Closing::Open
        }
    }
    fn next_timeout(&self) -> Option<Duration> {
        (!self.greeting.is_empty()).then_some(self.at)
    }
}

/// Returns a device connected to a [`Script`].
fn scripted(
    closing: Closing,
    takes: bool,
    delay: Duration,
) -> (thread_sim::SimPort, Rc<RefCell<Seen>>) {
    let world = ready(WorldConfig::default());
    let seen = Rc::new(RefCell::new(Seen::default()));
    let server_seen = Rc::clone(&seen);
    world.serve(SERVER, move |_, now| {
        Some(Box::new(Script {
            seen: Rc::clone(&server_seen),
            greeting: pattern(3000),
            at: now + delay,
            closing,
            takes,
        }) as Box<dyn VirtualStream>)
    });
    let mut port = world.port();
    assert_eq!(connect(&mut port, SERVER, MINUTE), TcpState::Connected);
    (port, seen)
}

#[test]
fn a_server_that_finishes_is_read_to_its_end() {
    let delay = Duration::from_secs(30);
    let (mut port, seen) = scripted(Closing::Finish, true, delay);
    let start = port.now();
    assert_eq!(receive_all(&mut port, 2 * MINUTE), Ok(pattern(3000)));
    // The server's timer ran on virtual time.
    assert!(port.now() >= start + delay - Duration::from_secs(1));
    assert!(port.now() < start + delay + Duration::from_secs(5));
    // The device may still send after the server's FIN. It then closes the connection.
    assert_eq!(port.tcp_send(b"good bye"), Ok(8));
    port.tcp_close(false);
    assert_eq!(port.tcp_state(), TcpState::Closed);
    port.world().run_for(MINUTE);
    let seen = seen.borrow();
    assert_eq!(seen.received, b"good bye");
    assert!(seen.end.is_some() && seen.closed >= seen.end);
}

#[test]
fn a_server_that_aborts_resets_the_device() {
    let (mut port, seen) = scripted(Closing::Abort, true, Duration::from_secs(5));
    let limit = port.now() + MINUTE;
    while port.tcp_state() == TcpState::Connected && port.now() < limit {
        port.wait(
            Some(limit),
            thread_mqtt_driver::Interest {
                receive: false,
                send: false,
            },
        );
    }
    assert_eq!(port.tcp_state(), TcpState::Failed(TcpError::Reset));
    assert!(seen.borrow().closed.is_some());
}

#[test]
fn a_device_that_aborts_resets_the_server() {
    let (mut port, seen) = scripted(Closing::Open, true, Duration::from_secs(3600));
    port.tcp_close(true);
    assert_eq!(port.tcp_state(), TcpState::Closed);
    port.world().run_for(Duration::from_secs(1));
    let seen = seen.borrow();
    assert!(seen.closed.is_some() && seen.end.is_none());
}

#[test]
fn a_server_that_takes_nothing_stops_the_device() {
    let (mut port, _seen) = scripted(Closing::Open, false, Duration::from_secs(3600));
    let data = pattern(100_000);
    let mut sent = 0;
    let limit = port.now() + 2 * MINUTE;
    while port.now() < limit {
        sent += port.tcp_send(&data[sent..]).unwrap();
        port.wait(Some(limit), common::WRITE);
    }
    // The server's window and the device's own buffer, and not much more.
    assert!((16 * 1024..24 * 1024).contains(&sent), "{sent}");
    assert_eq!(port.tcp_state(), TcpState::Connected);
}

#[test]
fn waiting_ends_at_its_deadline_and_at_once_for_what_is_there() {
    let world = with_echo(WorldConfig {
        device: Device::Sleepy {
            poll: Duration::from_secs(2),
        },
        ..WorldConfig::default()
    });
    let mut port = world.port();
    let deadline = port.now() + Duration::from_millis(7);
    while port.now() < deadline {
        port.wait(Some(deadline), READ);
    }
    assert_eq!(port.now(), deadline);
    assert_eq!(connect(&mut port, SERVER, MINUTE), TcpState::Connected);
    port.tcp_send(b"x").unwrap();
    world.run_for(Duration::from_secs(10));
    let now = port.now();
    port.wait(None, READ);
    port.wait(None, READ);
    assert_eq!(port.now(), now);
}
