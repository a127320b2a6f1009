//! An emulated network in virtual time. The client is at one end, the deterministic broker of the
//! testkit at the other; between them are latency, a window, and faults.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file uses its own part"
)]

use chacha20::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV6};
use std::time::Duration;
use thread_mqtt_client::{Action, Cause, Client, Config, Event, Reached, Stage, TcpError, Timers};
use thread_mqtt_resolve::resolver::{self, AddressSource, LookupError};
use thread_mqtt_resolve::{AdvertisedPrefix, Network, Preference};
use thread_mqtt_session::{Message, QoS, Token, Version};
use thread_mqtt_soft_provider::{provider, suites};
use thread_mqtt_testkit::fixed::{Fixed, UNIX_TIME};
use thread_mqtt_testkit::peer::{self, Ending, Server, Stream};
use thread_mqtt_testkit::random::{Seeded, SeededRandom};
use thread_mqtt_testkit::tls::Tls;

pub const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// What happens to the packets to one address, or of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// They arrive.
    Good,
    /// RST answers the SYN.
    Refused,
    /// The SYN and everything after it is lost.
    BlackHole,
    /// The port cannot even send.
    Unreachable,
    /// They arrive until the client has sent this many bytes.
    SilentAfter(usize),
}

/// What a time server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sntp {
    /// The world's time.
    Right,
    /// Another time.
    At(u64),
    /// Nothing.
    Silent,
    /// A kiss-o'-death.
    Kiss([u8; 4]),
    /// That it is not synchronised.
    Unsynchronised,
    /// A forged answer arrives first, from a peer that has not seen the query.
    Forged,
}

/// Encodes the answer to a query with this Unix time (RFC 5905 section 7.3).
pub fn ntp_answer(question: &[u8], unix_time: u64) -> Vec<u8> {
    let mut answer = vec![0; 48];
    answer[0] = 4 << 3 | 4;
    answer[1] = 2;
    answer[24..32].copy_from_slice(&question[40..48]);
    answer[40..44].copy_from_slice(&((unix_time + 2_208_988_800) as u32).to_be_bytes());
    answer[44..48].copy_from_slice(&[1, 2, 3, 4]);
    answer
}

/// Returns the random number generator of a world.
pub fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

pub struct World {
    pub client: Client,
    pub server: Server,
    /// Other brokers by address; `server` is at all others.
    pub others: BTreeMap<Ipv6Addr, Server>,
    pub now: Duration,
    pub network: Network,
    pub unix_time: Option<u64>,
    /// All events, and when they occurred.
    pub events: Vec<(Duration, Event)>,
    /// All connections requested.
    pub connects: Vec<SocketAddrV6>,
    /// What the platform's resolver answers; `None` means never.
    pub answer: Option<Result<Vec<IpAddr>, LookupError>>,
    /// What every DNS server answers for every name, with a TTL of an hour; `None` means never.
    pub dns: Option<Ipv4Addr>,
    /// The IPv6 address in addition to it.
    pub dns_ipv6: Option<Ipv6Addr>,
    /// Queries for the IPv4 address still to be lost.
    pub lost: usize,
    /// Queries sent to DNS servers.
    pub questions: usize,
    /// Time servers by address; the others are silent.
    pub time_servers: BTreeMap<Ipv6Addr, Sntp>,
    /// A time server that refuses, even if another one runs at its address.
    pub kissing: Option<SocketAddrV6>,
    /// Queries sent to time servers.
    pub time_questions: Vec<SocketAddrV6>,
    /// UDP was closed since it was last used.
    pub udp_closed: bool,
    /// Paths by address; the others are good.
    pub routes: BTreeMap<Ipv6Addr, Path>,
    /// Paths by connection, before those by address.
    pub paths: VecDeque<Path>,
    /// The path drops a connection after this much silence.
    pub forgets: Option<Duration>,
    /// The path ends a connection after this much silence, as proxies and load balancers do.
    pub ends_idle: Option<(Duration, TcpError)>,
    /// The broker lets an invalid character pass: it replaces the first with the second.
    pub lets_pass: Option<(u8, u8)>,
    /// The broker reports every session as present.
    pub claims_session: bool,
    pub latency: Duration,
    /// Most bytes in flight in one direction.
    pub window: usize,
    /// Longest piece in which bytes arrive.
    pub piece: usize,
    /// The application polls events.
    pub polls: bool,
    pub entropy: bool,
    /// Everything sent on the current or last connection.
    pub sent: Vec<u8>,
    /// The last close was an abort.
    pub aborted: Option<bool>,
    /// The platform's resolver was queried and has not answered.
    asked: bool,
    tcp: Option<Tcp>,
    rng: ChaCha8Rng,
    device: Seeded,
}

struct Tcp {
    to: Ipv6Addr,
    path: Path,
    /// The broker's end of the connection; `None` before TCP is connected.
    stream: Option<Stream>,
    connects_at: Option<Duration>,
    up: VecDeque<(Duration, Vec<u8>)>,
    down: VecDeque<(Duration, Down)>,
    inbox: Vec<u8>,
    end: Option<TcpError>,
    /// FIN or RST is on its way to the client.
    ending: bool,
    /// When bytes last moved in either direction.
    last: Duration,
}

enum Down {
    Bytes(Vec<u8>),
    End(TcpError),
}

pub fn prefix() -> AdvertisedPrefix {
    AdvertisedPrefix {
        prefix: "fd00:64::/96".parse().unwrap(),
        preference: Preference::Medium,
    }
}

pub fn attached() -> Network {
    Network {
        attached: true,
        prefixes: vec![prefix()],
        ..Network::default()
    }
}

/// Returns the device's TLS, which trusts the P-256 chain of the testkit.
pub fn device_tls() -> thread_mqtt_tls::Config {
    device_tls_for(16_384 + 2_053)
}

/// The same with a limit on the inbound buffer.
pub fn device_tls_for(max_inbound: usize) -> thread_mqtt_tls::Config {
    thread_mqtt_tls::Config::builder(provider::<SeededRandom>())
        .in_place(suites::in_place)
        .ca(Fixed::P256.root_pem().as_bytes())
        .unwrap()
        .max_inbound(max_inbound)
        .build()
        .unwrap()
}

pub fn broker_tls() -> Tls {
    Tls::new(Fixed::P256.server())
}

pub fn config(uri: &str) -> Config {
    Config {
        resolver: resolver::Config {
            chain: vec![AddressSource::Platform],
            ..resolver::Config::default()
        },
        tls: uri.starts_with("mqtts").then(device_tls),
        session: thread_mqtt_session::Config {
            version: Version::V5,
            client_id: "device".into(),
            clean_start: false,
            session_expiry: u32::MAX,
            ..thread_mqtt_session::Config::default()
        },
        timers: Timers {
            tcp_connect: s(10),
            tls_handshake: s(30),
            backoff_min: s(2),
            backoff_max: s(64),
            stable_after: s(60),
            close: s(5),
            network_jitter: s(5),
            ..Timers::default()
        },
        ..Config::new(uri.parse().unwrap())
    }
}

/// Encodes an answer (RFC 1035 section 4): the question, and the requested record if there is one.
fn dns_answer(query: &[u8], ipv4: Ipv4Addr, ipv6: Option<Ipv6Addr>) -> Vec<u8> {
    let name = query[12..].iter().position(|byte| *byte == 0).unwrap();
    let question = &query[12..12 + name + 5];
    let record_type = question[name + 2];
    let data = match record_type {
        1 => Some(ipv4.octets().to_vec()),
        _ => ipv6.map(|ipv6| ipv6.octets().to_vec()),
    };
    let mut answer = query[..2].to_vec();
    answer.extend([0x81, 0x80, 0, 1, 0, u8::from(data.is_some()), 0, 0, 0, 0]);
    answer.extend(question);
    if let Some(data) = data {
        answer.extend([0xc0, 12, 0, record_type, 0, 1, 0, 0, 0x0e, 0x10, 0]);
        answer.push(data.len() as u8);
        answer.extend(data);
    }
    answer
}

impl World {
    pub fn new(config: Config, server: peer::Config) -> Self {
        Self::seeded(config, server, 0)
    }

    pub fn seeded(config: Config, server: peer::Config, seed: u64) -> Self {
        Self {
            client: Client::new(config).unwrap(),
            server: Server::new(server, seed, UNIX_TIME).unwrap(),
            others: BTreeMap::new(),
            now: Duration::ZERO,
            network: Network::default(),
            unix_time: Some(UNIX_TIME),
            events: Vec::new(),
            connects: Vec::new(),
            answer: None,
            dns: None,
            dns_ipv6: None,
            lost: 0,
            questions: 0,
            time_servers: BTreeMap::new(),
            kissing: None,
            time_questions: Vec::new(),
            udp_closed: false,
            routes: BTreeMap::new(),
            paths: VecDeque::new(),
            forgets: None,
            ends_idle: None,
            lets_pass: None,
            claims_session: false,
            latency: Duration::from_millis(50),
            window: 2048,
            piece: 4096,
            polls: true,
            entropy: true,
            sent: Vec::new(),
            aborted: None,
            asked: false,
            tcp: None,
            rng: rng(seed),
            device: Seeded::new(seed, 1),
        }
    }

    /// Creates a world whose network is up and whose client has started.
    pub fn started(config: Config, server: peer::Config) -> Self {
        let mut world = Self::new(config, server);
        world.network = attached();
        world.start();
        world
    }

    pub fn start(&mut self) {
        self.client.start(self.now);
        self.settle();
    }

    pub fn set_network(&mut self, network: Network) {
        self.network = network;
        self.settle();
    }

    /// Runs until `done` or for at most `limit`. Returns whether it is done.
    pub fn run_until(&mut self, limit: Duration, done: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + limit;
        loop {
            self.settle();
            if done(self) {
                return true;
            }
            if self.now >= end {
                return false;
            }
            self.advance(end);
        }
    }

    pub fn run_for(&mut self, time: Duration) {
        self.run_until(time, |_| false);
    }

    pub fn run_until_online(&mut self, limit: Duration) {
        let online = self.run_until(limit, |world| world.client.is_online());
        assert!(online, "not online in {limit:?}: {:#?}", self.events);
    }

    /// Runs until the next failure and returns it.
    pub fn run_until_failed(&mut self, limit: Duration) -> (Stage, Cause, Option<Duration>) {
        let before = self.failures().len();
        let failed = self.run_until(limit, |world| world.failures().len() > before);
        assert!(failed, "no failure in {limit:?}: {:#?}", self.events);
        self.failures().remove(before)
    }

    /// Publishes eight messages with QoS 1, one a minute, and waits ten minutes more.
    pub fn alarms(&mut self) -> Vec<Token> {
        let alarms = (0..8)
            .map(|n: u8| {
                let alarm = Message::new("alarm", [n]).qos(QoS::AtLeastOnce);
                let token = self.client.publish(alarm).unwrap();
                self.run_for(s(60));
                token
            })
            .collect();
        self.run_for(s(600));
        alarms
    }

    pub fn failures(&self) -> Vec<(Stage, Cause, Option<Duration>)> {
        let failed = |(_, event): &(Duration, Event)| match event {
            Event::Failed {
                stage,
                cause,
                retry_in,
            } => Some((*stage, cause.clone(), *retry_in)),
            _ => None,
        };
        self.events.iter().filter_map(failed).collect()
    }

    /// Returns the stages reached, in order.
    pub fn stages(&self) -> Vec<Stage> {
        let reached = |(_, event): &(Duration, Event)| match event {
            Event::Reached(reached) => Some(reached.stage()),
            _ => None,
        };
        self.events.iter().filter_map(reached).collect()
    }

    pub fn reached(&self) -> impl Iterator<Item = &Reached> {
        self.events.iter().filter_map(|(_, event)| match event {
            Event::Reached(reached) => Some(reached),
            _ => None,
        })
    }

    pub fn session_events(&self) -> impl Iterator<Item = &thread_mqtt_session::Event> {
        self.events.iter().filter_map(|(_, event)| match event {
            Event::Session(event) => Some(event),
            _ => None,
        })
    }

    pub fn stopped(&self) -> bool {
        self.events
            .iter()
            .any(|(_, event)| *event == Event::Stopped)
    }

    /// Returns the content types of the TLS records sent.
    pub fn record_types(&self) -> Vec<u8> {
        let mut types = Vec::new();
        let mut rest = self.sent.as_slice();
        while let [kind, _, _, high, low, body @ ..] = rest {
            types.push(*kind);
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            rest = body.get(length..).unwrap_or_default();
        }
        types
    }

    /// Resets the connection, as if the broker's host died: what is in flight is lost.
    pub fn cut(&mut self) {
        if let Some(tcp) = &mut self.tcp {
            tcp.up.clear();
            tcp.down.clear();
            tcp.down.push_back((self.now, Down::End(TcpError::Reset)));
            tcp.ending = true;
            if let Some(stream) = &mut tcp.stream {
                stream.closed();
            }
        }
        self.deliver();
        self.settle();
    }

    /// Ends the connection (MQTT 5 without TLS) with a DISCONNECT, perhaps with a Server Reference.
    pub fn disconnect(&mut self, code: u8, reference: &str) {
        let mut packet = vec![0xe0, 2, code, 0];
        if !reference.is_empty() {
            let length = reference.len() as u8;
            packet = vec![0xe0, length + 5, code, length + 3, 0x1c, 0, length];
            packet.extend(reference.as_bytes());
        }
        if let Some(tcp) = &mut self.tcp {
            tcp.down.push_back((self.now, Down::Bytes(packet)));
            tcp.down.push_back((self.now, Down::End(TcpError::Closed)));
            tcp.ending = true;
        }
        self.deliver();
        self.settle();
    }

    /// Makes the path lose everything in both directions.
    pub fn silence(&mut self) {
        if let Some(tcp) = &mut self.tcp {
            tcp.path = Path::BlackHole;
            tcp.up.clear();
            tcp.down.clear();
        }
    }

    pub fn has_tcp(&self) -> bool {
        self.tcp.is_some()
    }

    /// Moves everything that can move at this instant.
    pub fn settle(&mut self) {
        let mut device = std::mem::replace(&mut self.device, Seeded::new(0, 0));
        device.scope(|| while self.turn() {});
        self.device = device;
    }

    fn turn(&mut self) -> bool {
        let now = self.now;
        let mut moved = false;
        self.client.handle_unix_time(self.unix_time, now);
        self.client.handle_network(&self.network.clone(), now);
        if self.client.poll_timeout().is_some_and(|due| due <= now) {
            self.client.handle_timeout(now);
            moved = true;
        }
        while let Some(action) = self.client.poll_action(now, &mut self.rng) {
            moved = true;
            self.act(action);
        }
        if !self.entropy {
            self.client.handle_entropy_failure(-7, now);
        }
        if let Some(answer) = self.answer.clone().filter(|_| self.asked) {
            self.asked = false;
            self.client.handle_platform_lookup(answer, now);
            moved = true;
        }
        moved |= self.receive();
        moved |= self.send();
        if self.polls {
            while let Some(event) = self.client.poll_event() {
                moved = true;
                self.events.push((now, event));
            }
        }
        moved
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::TcpConnect(to) => {
                assert!(self.tcp.is_none(), "an earlier connection was not closed");
                self.connects.push(to);
                self.sent.clear();
                let by_address = self.routes.get(to.ip()).copied().unwrap_or(Path::Good);
                let path = self.paths.pop_front().unwrap_or(by_address);
                self.tcp = Some(Tcp {
                    to: *to.ip(),
                    path,
                    stream: None,
                    connects_at: Some(self.now + 2 * self.latency),
                    up: VecDeque::new(),
                    down: VecDeque::new(),
                    inbox: Vec::new(),
                    end: None,
                    ending: false,
                    last: self.now,
                });
                if path == Path::Unreachable {
                    self.client
                        .handle_tcp_closed(TcpError::Unreachable, self.now);
                }
            }
            Action::TcpClose { abort } => {
                self.aborted = Some(abort);
                let tcp = self.tcp.take().expect("only what is open is closed");
                // What was sent before a FIN still arrives.
                if let Some(mut stream) = tcp.stream {
                    if !abort && tcp.path != Path::BlackHole {
                        for (_, bytes) in tcp.up {
                            stream.receive(&bytes, self.now);
                        }
                        stream.end_of_stream(self.now);
                    }
                    stream.closed();
                }
            }
            Action::PlatformLookup { .. } => self.asked = true,
            Action::UdpSend {
                from_port,
                to,
                payload,
            } if payload.len() == 48 && payload[0] == 0x23 => {
                self.udp_closed = false;
                self.time_questions.push(to);
                for answer in self.ntp_answers(&to, &payload) {
                    self.client
                        .handle_datagram(to, from_port, &answer, self.now);
                }
            }
            Action::UdpSend {
                from_port,
                to,
                payload,
            } => {
                self.udp_closed = false;
                self.questions += 1;
                if payload[payload.len() - 3] == 1 && self.lost > 0 {
                    self.lost -= 1;
                } else if let Some(ipv4) = self.dns {
                    let answer = dns_answer(&payload, ipv4, self.dns_ipv6);
                    self.client
                        .handle_datagram(to, from_port, &answer, self.now);
                }
            }
            Action::UdpClose => self.udp_closed = true,
        }
    }

    /// Returns what a time server answers.
    fn ntp_answers(&self, server: &SocketAddrV6, question: &[u8]) -> Vec<Vec<u8>> {
        let right = ntp_answer(question, UNIX_TIME + self.now.as_secs());
        let changed = |change: fn(&mut [u8])| {
            let mut answer = right.clone();
            change(&mut answer);
            answer
        };
        let known = self.time_servers.get(server.ip()).unwrap_or(&Sntp::Silent);
        let answer = match self.kissing {
            Some(kissing) if kissing == *server => &Sntp::Kiss(*b"RATE"),
            _ => known,
        };
        match answer {
            Sntp::Right => vec![right],
            Sntp::At(time) => vec![ntp_answer(question, *time)],
            Sntp::Silent => vec![],
            Sntp::Kiss(code) => {
                let mut kiss = changed(|answer| answer[..2].copy_from_slice(&[0xe4, 0]));
                kiss[12..16].copy_from_slice(code);
                vec![kiss]
            }
            // Like chrony before it is synchronised.
            Sntp::Unsynchronised => vec![changed(|answer| {
                answer[..2].copy_from_slice(&[0xe4, 0]);
                answer[12..16].fill(0);
            })],
            Sntp::Forged => vec![
                changed(|answer| answer[24..32].fill(0)),
                changed(|answer| answer[31] ^= 1),
                changed(|answer| answer[0] = 4 << 3 | 3),
                question.to_vec(),
                right[..47].to_vec(),
                right,
            ],
        }
    }

    /// Passes bytes from the inbox to the client.
    fn receive(&mut self) -> bool {
        let Some(tcp) = &mut self.tcp else {
            return false;
        };
        if !tcp.inbox.is_empty() {
            let n = tcp.inbox.len().min(self.piece);
            let n = 1 + self.rng.next_u32() as usize % n;
            let taken = self.client.handle_tcp_data(&tcp.inbox[..n], self.now);
            tcp.inbox.drain(..taken);
            return taken > 0;
        }
        match tcp.end.take() {
            Some(end) => {
                self.client.handle_tcp_closed(end, self.now);
                true
            }
            None => false,
        }
    }

    /// Sends bytes from the client, as far as the window allows.
    fn send(&mut self) -> bool {
        let Some(tcp) = self.tcp.as_mut().filter(|tcp| tcp.stream.is_some()) else {
            return false;
        };
        let mut moved = false;
        loop {
            let data = self.client.transmit(self.now);
            let under_way: usize = tcp.up.iter().map(|(_, bytes)| bytes.len()).sum();
            let n = data.len().min(self.window.saturating_sub(under_way));
            if n == 0 {
                return moved;
            }
            moved = true;
            let bytes = data[..n].to_vec();
            self.client.consume_transmit(n);
            self.sent.extend_from_slice(&bytes);
            if matches!(tcp.path, Path::SilentAfter(limit) if self.sent.len() > limit) {
                tcp.path = Path::BlackHole;
            }
            let silence = self.now.saturating_sub(tcp.last);
            if self.forgets.is_some_and(|limit| silence >= limit) {
                tcp.path = Path::BlackHole;
            }
            tcp.last = self.now;
            tcp.up.push_back((self.now + self.latency, bytes));
        }
    }

    /// Advances to the next instant at which something happens, at most to `end`.
    fn advance(&mut self, end: Duration) {
        let mut next = end;
        let mut consider = |due: Option<Duration>| next = next.min(due.unwrap_or(end));
        consider(self.client.poll_timeout());
        if let Some(tcp) = self.tcp.as_ref().filter(|tcp| tcp.path != Path::BlackHole) {
            consider(tcp.connects_at);
            consider(tcp.up.front().map(|(due, _)| *due));
            consider(tcp.down.front().map(|(due, _)| *due));
            if tcp.stream.is_some() && !tcp.ending {
                consider(self.ends_idle.map(|(limit, _)| tcp.last + limit));
            }
        }
        self.now = next.max(self.now);
        self.deliver();
    }

    /// Delivers what arrives at this instant.
    fn deliver(&mut self) {
        let now = self.now;
        let Some(tcp) = self.tcp.as_mut().filter(|tcp| tcp.path != Path::BlackHole) else {
            return;
        };
        let mut device = std::mem::replace(&mut self.device, Seeded::new(0, 0));
        if tcp.connects_at.is_some_and(|due| due <= now) {
            tcp.connects_at = None;
            let stream = match tcp.path {
                Path::Refused => None,
                _ => {
                    let server = self.others.get(&tcp.to).unwrap_or(&self.server);
                    server.accept(now)
                }
            };
            match stream {
                Some(stream) => {
                    tcp.stream = Some(stream);
                    device.scope(|| self.client.handle_tcp_connected(now));
                }
                None => self.client.handle_tcp_closed(TcpError::Refused, now),
            }
        }
        self.device = device;
        let Some(tcp) = &mut self.tcp else { return };
        if let Some(stream) = &mut tcp.stream {
            while tcp.up.front().is_some_and(|(due, _)| *due <= now) {
                let (_, bytes) = tcp.up.pop_front().unwrap();
                stream.receive(&bytes, now);
            }
            let mut bytes = stream.transmit();
            if let Some((from, to)) = self.lets_pass {
                let wrong = bytes.iter_mut().filter(|byte| **byte == from);
                wrong.for_each(|byte| *byte = to);
            }
            if let ([0x20, _, present, ..], true) = (&mut bytes[..], self.claims_session) {
                *present = 1;
            }
            if !bytes.is_empty() {
                tcp.down.push_back((now + self.latency, Down::Bytes(bytes)));
            }
            let idle = now.saturating_sub(tcp.last);
            let end = match stream.ending() {
                Ending::Open => {
                    let proxy = self.ends_idle.filter(|(limit, _)| idle >= *limit);
                    proxy.map(|(_, end)| end)
                }
                Ending::Finish => Some(TcpError::Closed),
                Ending::Reset => Some(TcpError::Reset),
            };
            if let Some(end) = end.filter(|_| !tcp.ending) {
                tcp.ending = true;
                tcp.down.push_back((now + self.latency, Down::End(end)));
            }
        }
        while tcp.down.front().is_some_and(|(due, _)| *due <= now) {
            match tcp.down.pop_front().unwrap().1 {
                Down::Bytes(mut bytes) => {
                    tcp.last = now;
                    tcp.inbox.append(&mut bytes);
                }
                Down::End(end) => tcp.end = Some(end),
            }
        }
    }
}
