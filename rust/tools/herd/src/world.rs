//! The world of the herd: devices, border routers, one broker, and virtual time.
use chacha20::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;
use thread_mqtt_client::{Action, Client, Config, TcpError};
use thread_mqtt_resolve::{AdvertisedPrefix, Network, Preference};
use thread_mqtt_session::QoS;

/// The simulation's parameters.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) devices: usize,
    pub(crate) routers: usize,
    pub(crate) outage: Duration,
    /// Connections that the broker accepts per second. More have to wait; beyond [`BACKLOG`] they
    /// are dropped.
    pub(crate) accepts: u32,
    pub(crate) seed: u64,
}

/// What fails for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outage {
    /// The broker's process: its host resets existing connections and refuses new ones.
    Broker,
    /// The broker's host: nothing is answered.
    BrokerSilent,
    /// The NAT64 prefix of every border router.
    Prefix,
}

impl Outage {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Broker => "the broker (host refuses)",
            Self::BrokerSilent => "the broker's host (silent)",
            Self::Prefix => "every NAT64 prefix",
        }
    }
}

/// Maximum number of connections waiting to be accepted, as on Linux (`somaxconn`).
const BACKLOG: u64 = 4_096;

/// Delay before Zephyr's TCP repeats an unanswered SYN: this, or up to half as long again, chosen
/// at random for each connection. Every later delay is half as long again as the previous one
/// (`tcp_derive_rto` and `tcp_resend_data`). The module sets
/// `CONFIG_NET_TCP_INIT_RETRANSMISSION_TIMEOUT` to a second with OpenThread; Zephyr's default is
/// 200 ms. The client ends the attempt long before the ninth and last repetition
/// (`CONFIG_NET_TCP_RETRY_COUNT`).
const RTO: Duration = Duration::from_secs(1);

/// The devices have ten minutes to come online before the outage.
pub(crate) const QUIET: Duration = Duration::from_secs(600);

/// How long to watch after the outage.
pub(crate) const WATCHED: Duration = Duration::from_secs(1_200);

/// The result of a run.
#[derive(Debug)]
pub(crate) struct Result {
    pub(crate) outage: Outage,
    /// SYNs that reach the broker's host, repetitions included, in each second since the outage
    /// began.
    pub(crate) arrivals: Vec<u32>,
    /// Devices online at each second since the outage began, including its start.
    pub(crate) online: Vec<usize>,
    devices: usize,
    /// The second in which it ended.
    over: usize,
}

impl Result {
    /// Returns a result without any recovery.
    #[cfg(test)]
    pub(crate) fn none(outage: Outage) -> Self {
        Self {
            outage,
            arrivals: vec![0; 2],
            online: vec![10, 0, 0],
            devices: 10,
            over: 1,
        }
    }

    pub(crate) fn most_arrivals(&self) -> u32 {
        self.arrivals.iter().copied().max().unwrap_or(0)
    }

    /// Returns the mean from the end of the outage until 99 % are back, or until the watched time
    /// ends.
    pub(crate) fn mean_arrivals(&self) -> f64 {
        let until = self.back_after(0.99).unwrap_or(WATCHED);
        let seconds = (until.as_secs() as usize).max(1);
        let sum: u32 = self.arrivals.iter().skip(self.over).take(seconds).sum();
        f64::from(sum) / seconds as f64
    }

    /// Returns how long after the end of the outage this share of the devices was online.
    pub(crate) fn back_after(&self, share: f64) -> Option<Duration> {
        let wanted = (share * self.devices as f64).ceil() as usize;
        let after = self.online.iter().skip(self.over);
        let second = after.clone().position(|online| *online >= wanted)?;
        Some(Duration::from_secs(second as u64))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// An alarm of the client.
    Wake,
    /// Repeat the SYN, then again after this delay.
    Syn(u32, Duration),
    /// The SYN is answered.
    Connected(u32),
    Refused(u32),
    /// Bytes from the broker arrive.
    Data(u32),
    /// RST from the broker.
    Reset(u32),
}

struct Device {
    client: Client,
    rng: ChaCha8Rng,
    router: usize,
    /// Round-trip time to the broker.
    rtt: Duration,
    /// Counts connections, to recognise events of earlier ones.
    connection: u32,
    connected: bool,
    /// When the broker accepts the connection. Its host answers the SYN earlier.
    accepted_at: Duration,
    /// From the broker, in flight.
    answer: Vec<u8>,
    online: bool,
    woken_at: Option<Duration>,
}

struct World<'a> {
    setup: &'a Setup,
    outage: Outage,
    now: Duration,
    queue: BinaryHeap<Reverse<(Duration, usize, What)>>,
    devices: Vec<Device>,
    networks: Vec<Network>,
    /// When the broker has accepted all waiting connections.
    busy_until: Duration,
    arrivals: Vec<u32>,
    online: usize,
}

/// Performs one run.
pub(crate) fn run(setup: &Setup, outage: Outage) -> Result {
    let mut rng = ChaCha8Rng::seed_from_u64(setup.seed);
    let devices = (0..setup.devices)
        .map(|n| device(n, setup, &mut rng))
        .collect();
    let watched = (setup.outage + WATCHED).as_secs() as usize;
    let mut world = World {
        setup,
        outage,
        now: Duration::ZERO,
        queue: BinaryHeap::new(),
        devices,
        networks: vec![network(true); setup.routers],
        busy_until: Duration::ZERO,
        arrivals: vec![0; watched],
        online: 0,
    };
    // Switched on one after the other, as people would.
    for n in 0..setup.devices {
        world.run_until(QUIET / 2 * n as u32 / setup.devices as u32);
        world.devices[n].client.start(world.now);
        world.turn(n);
    }
    world.run_until(QUIET);
    world.begin_outage();
    let mut online = vec![world.online];
    for second in 1..=watched {
        let until = QUIET + Duration::from_secs(second as u64);
        if world.is_out(world.now) && !world.is_out(until) {
            world.run_until(QUIET + setup.outage);
            world.end_outage();
        }
        world.run_until(until);
        online.push(world.online);
    }
    Result {
        outage,
        arrivals: world.arrivals,
        online,
        devices: setup.devices,
        over: setup.outage.as_secs() as usize,
    }
}

fn device(n: usize, setup: &Setup, rng: &mut ChaCha8Rng) -> Device {
    let broker = "mqtt://203.0.113.10".parse().expect("a URI");
    let mut config = Config::new(broker);
    config.session.client_id = format!("device-{n}");
    config.session.keep_alive = Duration::from_secs(240);
    let mut client = Client::new(config).expect("a configuration");
    client
        .subscribe(&[("to/it", QoS::AtLeastOnce)])
        .expect("room");
    Device {
        client,
        rng: ChaCha8Rng::seed_from_u64(rng.next_u64()),
        router: n % setup.routers,
        // One to five hops of a mesh.
        rtt: Duration::from_millis(60 + u64::from(rng.next_u32() % 240)),
        connection: 0,
        connected: false,
        accepted_at: Duration::ZERO,
        answer: Vec::new(),
        online: false,
        woken_at: None,
    }
}

fn network(prefix: bool) -> Network {
    let prefix = prefix.then(|| AdvertisedPrefix {
        prefix: "fd00:64::/96".parse().expect("a prefix"),
        preference: Preference::Medium,
    });
    Network {
        attached: true,
        prefixes: prefix.into_iter().collect(),
        ..Network::default()
    }
}

impl World<'_> {
    fn is_out(&self, at: Duration) -> bool {
        (QUIET..QUIET + self.setup.outage).contains(&at)
    }

    fn broker_is_out(&self) -> bool {
        self.outage != Outage::Prefix && self.is_out(self.now)
    }

    fn begin_outage(&mut self) {
        self.busy_until = self.now;
        for n in 0..self.devices.len() {
            match self.outage {
                Outage::Broker => {
                    let device = &self.devices[n];
                    if device.connected {
                        let (at, connection) = (self.now + device.rtt / 2, device.connection);
                        self.queue.push(Reverse((at, n, What::Reset(connection))));
                    }
                }
                // The next ping detects it.
                Outage::BrokerSilent => {}
                Outage::Prefix => {
                    self.networks[self.devices[n].router] = network(false);
                    self.turn(n);
                }
            }
        }
    }

    fn end_outage(&mut self) {
        if self.outage == Outage::Prefix {
            self.networks.fill(network(true));
            for n in 0..self.devices.len() {
                self.turn(n);
            }
        }
        self.busy_until = self.now;
    }

    fn run_until(&mut self, end: Duration) {
        while let Some(Reverse((at, _, _))) = self.queue.peek() {
            if *at > end {
                break;
            }
            if let Some(Reverse((at, n, what))) = self.queue.pop() {
                self.now = at.max(self.now);
                self.happen(n, what);
            }
        }
        self.now = end;
    }

    fn happen(&mut self, n: usize, what: What) {
        let now = self.now;
        let is_lost = self.broker_is_out() && self.outage == Outage::BrokerSilent;
        let device = &mut self.devices[n];
        match what {
            What::Wake => {
                // A later alarm may have replaced this one.
                if device.woken_at == Some(now) {
                    device.woken_at = None;
                    device.client.handle_timeout(now);
                }
            }
            What::Syn(connection, pause) if connection == device.connection => {
                self.send_syn(n, pause);
                return;
            }
            What::Connected(connection) if connection == device.connection => {
                device.connected = true;
                device.client.handle_tcp_connected(now);
            }
            What::Refused(connection) if connection == device.connection => {
                device.client.handle_tcp_closed(TcpError::Refused, now);
            }
            What::Reset(connection) if connection == device.connection => {
                device.connected = false;
                device.client.handle_tcp_closed(TcpError::Reset, now);
            }
            What::Data(connection) if connection == device.connection && !is_lost => {
                let answer = std::mem::take(&mut device.answer);
                device.client.handle_tcp_data(&answer, now);
            }
            _ => return,
        }
        self.turn(n);
    }

    /// Does the driver's work.
    fn turn(&mut self, n: usize) {
        let now = self.now;
        let is_out = self.broker_is_out();
        let is_silent = is_out && self.outage == Outage::BrokerSilent;
        let device = &mut self.devices[n];
        device
            .client
            .handle_network(&self.networks[device.router], now);
        let mut connect = false;
        while let Some(action) = device.client.poll_action(now, &mut device.rng) {
            match action {
                Action::TcpConnect(_) => {
                    device.connection += 1;
                    connect = true;
                }
                Action::TcpClose { .. } => {
                    device.connection += 1;
                    device.connected = false;
                    device.answer.clear();
                    connect = false;
                }
                _ => {}
            }
        }
        while device.client.poll_event().is_some() {}
        let mut sent = Vec::new();
        while device.connected {
            let bytes = device.client.transmit(now);
            if bytes.is_empty() {
                break;
            }
            sent.extend_from_slice(bytes);
            let length = bytes.len();
            device.client.consume_transmit(length);
        }
        if !sent.is_empty() && !is_silent {
            device.answer.extend(answer(&sent));
            let what = What::Data(device.connection);
            let read = device.accepted_at.max(now + device.rtt / 2);
            self.queue.push(Reverse((read + device.rtt / 2, n, what)));
        }
        let online = device.client.is_online();
        match (device.online, online) {
            (false, true) => self.online += 1,
            (true, false) => self.online -= 1,
            _ => {}
        }
        device.online = online;
        let due = device.client.poll_timeout();
        if due != device.woken_at {
            device.woken_at = due.map(|due| due.max(now));
            if let Some(due) = device.woken_at {
                self.queue.push(Reverse((due, n, What::Wake)));
            }
        }
        if connect {
            // Drawn the way Zephyr does it.
            let gain = device.rng.next_u32() % 256;
            self.send_syn(n, RTO * (512 + gain) / 512);
        }
    }

    /// Sends a SYN, to be repeated after `pause` if there is no answer. An answer takes less than
    /// the shortest delay.
    fn send_syn(&mut self, n: usize, pause: Duration) {
        let is_out = self.broker_is_out();
        let device = &mut self.devices[n];
        let (rtt, connection) = (device.rtt, device.connection);
        let at = self.now + rtt / 2;
        if let Some(second) = at.checked_sub(QUIET)
            && let Some(count) = self.arrivals.get_mut(second.as_secs() as usize)
        {
            *count += 1;
        }
        let each = Duration::from_secs(1) / self.setup.accepts;
        let begins = self.busy_until.max(at);
        let waiting = (begins - at).as_nanos() / each.as_nanos();
        let (next, what) = match self.outage {
            Outage::Broker if is_out => (self.now + rtt, What::Refused(connection)),
            // A full backlog drops the SYN.
            _ if is_out || waiting >= u128::from(BACKLOG) => {
                (self.now + pause, What::Syn(connection, pause * 3 / 2))
            }
            _ => {
                self.busy_until = begins + each;
                device.accepted_at = self.busy_until;
                (self.now + rtt, What::Connected(connection))
            }
        };
        self.queue.push(Reverse((next, n, what)));
    }
}

/// Returns the answers of an MQTT 5 broker to these packets.
fn answer(mut packets: &[u8]) -> Vec<u8> {
    let mut answer = Vec::new();
    while let [kind, length, rest @ ..] = packets {
        // Every packet here is short.
        let (body, next) = rest.split_at(usize::from(*length).min(rest.len()));
        match (kind >> 4, body) {
            (1, _) => answer.extend([0x20, 3, 0, 0, 0]),
            (8, [high, low, ..]) => answer.extend([0x90, 4, *high, *low, 0, 1]),
            (12, _) => answer.extend([0xd0, 0]),
            _ => {}
        }
        packets = next;
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Setup {
        Setup {
            devices: 1_000,
            routers: 20,
            outage: Duration::from_secs(60),
            accepts: 50,
            seed: 7,
        }
    }

    #[test]
    fn everyone_comes_back_and_nobody_at_once() {
        for outage in [Outage::Broker, Outage::BrokerSilent, Outage::Prefix] {
            let run = run(&small(), outage);
            let back = run.back_after(0.99).unwrap();
            assert!(back <= Duration::from_secs(300), "{outage:?}: {back:?}");
            assert!(
                run.most_arrivals() <= 350,
                "{outage:?}: {}",
                run.most_arrivals()
            );
        }
    }

    #[test]
    fn an_outage_is_one() {
        let run = run(&small(), Outage::Broker);
        assert_eq!(run.online.len(), run.arrivals.len() + 1);
        // The resets are in flight.
        assert_eq!(run.online[0], 1_000);
        assert_eq!(run.online[1], 0);
        assert_eq!(run.online[50], 0);
        assert_eq!(run.online.last(), Some(&1_000));
    }

    #[test]
    fn after_a_long_outage_the_return_is_seen_as_well() {
        let setup = Setup {
            devices: 10,
            routers: 1,
            outage: Duration::from_secs(3_600),
            ..small()
        };
        for outage in [Outage::Broker, Outage::BrokerSilent, Outage::Prefix] {
            let run = run(&setup, outage);
            assert!(run.back_after(0.99).is_some(), "{outage:?}");
        }
    }

    #[test]
    fn times_count_from_the_end_of_the_outage() {
        let run = Result {
            outage: Outage::Broker,
            arrivals: vec![7, 7, 4, 6, 9],
            online: vec![10, 0, 0, 5, 10, 10],
            devices: 10,
            over: 2,
        };
        assert_eq!(run.back_after(0.5), Some(Duration::from_secs(1)));
        assert_eq!(run.back_after(0.99), Some(Duration::from_secs(2)));
        assert_eq!(run.mean_arrivals(), 5.0);
    }

    /// Zephyr's TCP sends six SYNs within the client's `tcp_connect` of 20 s.
    #[test]
    fn a_syn_without_an_answer_is_repeated() {
        let setup = Setup {
            devices: 1,
            routers: 1,
            outage: Duration::from_secs(600),
            ..small()
        };
        let run = run(&setup, Outage::BrokerSilent);
        let seconds: Vec<_> = (0..600).filter(|n| run.arrivals[*n] != 0).collect();
        let pauses: Vec<_> = seconds.windows(2).map(|pair| pair[1] - pair[0]).collect();
        for (n, pause) in pauses[..5].iter().enumerate() {
            let expected = 1.5_f64.powi(n as i32);
            // Tolerates rounding to whole seconds.
            let range = expected - 1.0..expected * 1.5 + 1.0;
            assert!(range.contains(&(*pause as f64)), "{pauses:?}");
        }
        assert!((13..=20).contains(&(seconds[5] - seconds[0])), "{pauses:?}");
        assert!(run.arrivals[..600].iter().all(|count| *count <= 1));
    }

    #[test]
    fn the_same_seed_repeats() {
        let [a, b] = [(), ()].map(|()| run(&small(), Outage::Prefix));
        assert_eq!((a.arrivals, a.online), (b.arrivals, b.online));
    }
}
