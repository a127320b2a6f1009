//! The driver on an in-memory port.
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddrV6};
use std::time::Duration;
use thread_mqtt_client::{Client, Config, Event, Retry, TcpError};
use thread_mqtt_driver::{Driver, Interest, Port, Received, TcpState};
use thread_mqtt_resolve::resolver::{self, AddressSource, Family, LookupError, UdpError};
use thread_mqtt_resolve::{AdvertisedPrefix, Network, Preference};
use thread_mqtt_session::{Overflow, Version};
use thread_mqtt_test_support::heap::Heap;

mod mailbox;
mod port;

#[global_allocator]
static HEAP: Heap = Heap;

/// A scripted port without a network.
#[derive(Debug, Default)]
struct Memory {
    now: Duration,
    network: Network,
    tcp: Option<TcpState>,
    /// The next connect fails immediately with this.
    connect_error: Option<TcpError>,
    /// Bytes for the client, in the chunks in which they arrive.
    incoming: VecDeque<Vec<u8>>,
    /// The result once `incoming` is empty.
    end: Option<Result<Received, TcpError>>,
    /// Bytes from the client.
    sent: Vec<u8>,
    /// Number of bytes taken by each send; then nothing fits.
    room: VecDeque<usize>,
    send_error: Option<TcpError>,
    datagrams: Vec<(u16, SocketAddrV6, Vec<u8>)>,
    /// Why datagrams are not sent, and what the network reports about them.
    udp_error: Option<UdpError>,
    undelivered: VecDeque<(SocketAddrV6, UdpError)>,
    names: Vec<String>,
    answer: Option<Result<Vec<IpAddr>, LookupError>>,
    entropy: Option<i32>,
    /// Notable calls, in order.
    calls: Vec<String>,
    waits: Vec<(Option<Duration>, Interest)>,
}

impl Port for Memory {
    fn now(&self) -> Duration {
        self.now
    }
    fn unix_time(&self) -> Option<u64> {
        None
    }
    fn fill_random(&mut self, buf: &mut [u8]) -> Result<(), i32> {
        buf.fill(0x55);
        self.entropy.map_or(Ok(()), Err)
    }
    fn network(&mut self) -> Network {
        self.network.clone()
    }
    fn tcp_connect(&mut self, to: SocketAddrV6) -> Result<(), TcpError> {
        self.calls.push(format!("connect {to}"));
        if let Some(error) = self.connect_error.take() {
            return Err(error);
        }
        self.tcp = Some(TcpState::Connecting);
        Ok(())
    }
    fn tcp_state(&mut self) -> TcpState {
        self.tcp.unwrap_or(TcpState::Closed)
    }
    fn tcp_send(&mut self, data: &[u8]) -> Result<usize, TcpError> {
        if let Some(error) = self.send_error {
            return Err(error);
        }
        let n = self.room.pop_front().unwrap_or(0).min(data.len());
        self.sent.extend_from_slice(&data[..n]);
        Ok(n)
    }
    fn tcp_receive(&mut self, buf: &mut [u8]) -> Result<Received, TcpError> {
        match self.incoming.front_mut() {
            Some(piece) => {
                let n = piece.len().min(buf.len());
                buf[..n].copy_from_slice(&piece[..n]);
                piece.drain(..n);
                if piece.is_empty() {
                    self.incoming.pop_front();
                }
                Ok(Received::Bytes(n))
            }
            None => self.end.unwrap_or(Ok(Received::WouldBlock)),
        }
    }
    fn tcp_close(&mut self, abort: bool) {
        self.calls.push(format!("close {abort}"));
        self.tcp = None;
    }
    fn udp_send(&mut self, from_port: u16, to: SocketAddrV6, payload: &[u8]) -> Result<(), i32> {
        self.datagrams.push((from_port, to, payload.to_vec()));
        let why = self.udp_error.map(|error| (to, error));
        self.undelivered.extend(why);
        Err(-105)
    }
    fn udp_receive(&mut self, _buf: &mut [u8]) -> Option<(SocketAddrV6, u16, usize)> {
        None
    }
    fn udp_undelivered(&mut self) -> Option<(SocketAddrV6, UdpError)> {
        self.undelivered.pop_front()
    }
    fn udp_close(&mut self) {
        self.calls.push("udp close".to_owned());
    }
    fn platform_lookup(&mut self, name: &str, _family: Family) -> Result<(), LookupError> {
        self.names.push(name.to_owned());
        Ok(())
    }
    fn poll_platform_lookup(&mut self) -> Option<Result<Vec<IpAddr>, LookupError>> {
        self.answer.take()
    }
    /// Time advances to the next timer, or by a minute.
    fn wait(&mut self, until: Option<Duration>, interest: Interest) {
        self.waits.push((until, interest));
        self.now = until.unwrap_or(self.now + Duration::from_secs(60));
    }
}

/// CONNACK of MQTT 3.1.1: accepted, no session (section 3.2).
const CONNACK: [u8; 4] = [0x20, 2, 0, 0];

fn driver(uri: &str) -> Driver<Memory> {
    driver_with(uri, Overflow::Refuse)
}

fn driver_with(uri: &str, overflow: Overflow) -> Driver<Memory> {
    driver_that(Retry::Never, uri, overflow)
}

fn driver_that(retry: Retry, uri: &str, overflow: Overflow) -> Driver<Memory> {
    let client = Client::new(Config {
        resolver: resolver::Config {
            chain: vec![AddressSource::Platform, AddressSource::BorderRouter],
            ..resolver::Config::default()
        },
        session: thread_mqtt_session::Config {
            version: Version::V311,
            event_bytes: 64,
            overflow,
            ..thread_mqtt_session::Config::default()
        },
        retry,
        ..Config::new(uri.parse().unwrap())
    });
    let network = Network {
        attached: true,
        prefixes: vec![AdvertisedPrefix {
            prefix: "64:ff9b::/96".parse().unwrap(),
            preference: Preference::Medium,
        }],
        dns_servers: vec!["[fd00::1]:53".parse().unwrap()],
        native_ipv4: false,
    };
    let port = Memory {
        network,
        ..Memory::default()
    };
    Driver::new(client.unwrap(), port)
}

/// Runs turns until nothing moves, and returns the events.
fn settle(driver: &mut Driver<Memory>) -> Vec<Event> {
    let mut events = Vec::new();
    loop {
        let mut busy = driver.turn();
        while let Some(event) = driver.poll_event() {
            busy = true;
            events.push(event);
        }
        if !busy {
            return events;
        }
    }
}

/// Returns a driver with a TCP connection that takes everything.
fn connected() -> Driver<Memory> {
    let mut driver = driver("mqtt://192.0.2.1");
    driver.start();
    settle(&mut driver);
    driver.port_mut().tcp = Some(TcpState::Connected);
    driver.port_mut().room = [10_000; 100].into();
    settle(&mut driver);
    driver
}
