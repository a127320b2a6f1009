//! A resolver, the servers around it, and a clock that jumps.

use chacha20::ChaCha8Rng;
use core::net::{IpAddr, Ipv6Addr, SocketAddrV6};
use core::time::Duration;
use rand_core::SeedableRng;
use thread_mqtt_resolve::resolver::{AddressSource, Config, Family, LookupError, Output, Report};
use thread_mqtt_resolve::{AdvertisedPrefix, Candidate, Host, Network, Preference, Resolver};

pub(crate) const A: u16 = 1;
pub(crate) const AAAA: u16 = 28;

pub(crate) fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn v6(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn host(text: &str) -> Host {
    text.parse().unwrap()
}

pub(crate) fn server(address: &str) -> SocketAddrV6 {
    SocketAddrV6::new(v6(address), 53, 0, 0)
}

pub(crate) const PREFIX: &str = "fd64:1::/96";
pub(crate) const OTHER_PREFIX: &str = "fd64:2::/96";
pub(crate) const BORDER_ROUTER: &str = "fd00::1";
pub(crate) const BROKER: &str = "broker.example";

pub(crate) fn advertised(prefix: &str, preference: Preference) -> AdvertisedPrefix {
    AdvertisedPrefix {
        prefix: prefix.parse().unwrap(),
        preference,
    }
}

/// Attached, with one border router that has NAT64 and DNS.
pub(crate) fn thread_network() -> Network {
    Network {
        attached: true,
        prefixes: vec![advertised(PREFIX, Preference::Medium)],
        dns_servers: vec![server(BORDER_ROUTER)],
        native_ipv4: false,
    }
}

/// The same without a prefix in the network data.
pub(crate) fn without_prefix() -> Network {
    Network {
        prefixes: vec![],
        ..thread_network()
    }
}

pub(crate) fn asking(chain: &[AddressSource]) -> Config {
    Config {
        chain: chain.to_vec(),
        ..Config::default()
    }
}

/// A query as a server sees it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Query {
    pub(crate) from_port: u16,
    pub(crate) to: SocketAddrV6,
    pub(crate) payload: Vec<u8>,
    pub(crate) name: String,
    pub(crate) record_type: u16,
}

/// What a server answers.
#[derive(Debug, Clone)]
pub(crate) enum Says {
    Nothing,
    Addresses(u32, Vec<IpAddr>),
    NoData(Option<u32>),
    NxDomain(Option<u32>),
    Rcode(u8),
    Truncated,
    Garbage,
    /// An alias without records of its target.
    Alias(&'static str),
    /// The same because no more fit into the datagram.
    CutAlias(&'static str),
    /// A response code in a header without the question.
    Bare(u8),
}

pub(crate) fn says(ttl: u32, addresses: &[&str]) -> Says {
    Says::Addresses(ttl, addresses.iter().map(|address| ip(address)).collect())
}

impl Query {
    fn new(from_port: u16, to: SocketAddrV6, payload: Vec<u8>) -> Self {
        let mut name = String::new();
        let mut at = 12;
        while payload[at] != 0 {
            let end = at + 1 + usize::from(payload[at]);
            name += core::str::from_utf8(&payload[at + 1..end]).unwrap();
            name.push('.');
            at = end;
        }
        name.pop();
        let record_type = u16::from_be_bytes([payload[at + 1], payload[at + 2]]);
        Self {
            from_port,
            to,
            payload,
            name,
            record_type,
        }
    }

    pub(crate) fn id(&self) -> [u8; 2] {
        [self.payload[0], self.payload[1]]
    }

    /// Encodes the datagram for `says`; includes only addresses of the requested type.
    pub(crate) fn reply(&self, says: &Says) -> Option<Vec<u8>> {
        let mut message = self.payload.clone();
        message[2] |= 0x80;
        let soa = |message: &mut Vec<u8>, ttl: Option<u32>| {
            if let Some(ttl) = ttl {
                let mut data = vec![0; 18];
                data.extend(ttl.to_be_bytes());
                message[9] += 1;
                record(message, 6, ttl, &data);
            }
        };
        match says {
            Says::Nothing => return None,
            Says::Addresses(ttl, addresses) => {
                for address in addresses {
                    match address {
                        IpAddr::V4(address) if self.record_type == A => {
                            message[7] += 1;
                            record(&mut message, A, *ttl, &address.octets());
                        }
                        IpAddr::V6(address) if self.record_type == AAAA => {
                            message[7] += 1;
                            record(&mut message, AAAA, *ttl, &address.octets());
                        }
                        _ => {}
                    }
                }
                if message[7] == 0 {
                    soa(&mut message, Some(*ttl));
                }
            }
            Says::NoData(ttl) => soa(&mut message, *ttl),
            Says::NxDomain(ttl) => {
                message[3] |= 3;
                soa(&mut message, *ttl);
            }
            Says::Rcode(rcode) => message[3] |= rcode,
            Says::Truncated => message[2] |= 2,
            Says::Garbage => message[7] = 1,
            Says::Bare(rcode) => {
                message.truncate(12);
                message[3] |= rcode;
                message[5] = 0;
            }
            Says::Alias(target) | Says::CutAlias(target) => {
                message[2] |= u8::from(matches!(says, Says::CutAlias(_))) << 1;
                let mut data = Vec::new();
                for label in target.split('.') {
                    data.push(label.len() as u8);
                    data.extend(label.as_bytes());
                }
                data.push(0);
                message[7] = 1;
                record(&mut message, 5, 60, &data);
            }
        }
        Some(message)
    }
}

fn record(message: &mut Vec<u8>, record_type: u16, ttl: u32, data: &[u8]) {
    message.extend([0xc0, 12]);
    message.extend(record_type.to_be_bytes());
    message.extend([0, 1]);
    message.extend(ttl.to_be_bytes());
    message.extend((data.len() as u16).to_be_bytes());
    message.extend(data);
}

pub(crate) struct World {
    pub(crate) resolver: Resolver,
    pub(crate) network: Network,
    pub(crate) now: Duration,
    pub(crate) rng: ChaCha8Rng,
    /// All queries sent.
    pub(crate) queries: Vec<Query>,
    pub(crate) platform_asked: Vec<(String, Family)>,
    pub(crate) closed: usize,
    /// Servers to which a TCP connection was requested.
    pub(crate) tcp_asked: Vec<SocketAddrV6>,
    pub(crate) tcp_closed: usize,
}

impl World {
    /// Creates a world that uses only datagrams.
    pub(crate) fn new(config: Config, network: Network) -> Self {
        Self::as_configured(
            Config {
                tcp: false,
                ..config
            },
            network,
        )
    }

    pub(crate) fn as_configured(config: Config, network: Network) -> Self {
        Self {
            resolver: Resolver::new(config),
            network,
            now: secs(1000),
            rng: ChaCha8Rng::seed_from_u64(1),
            queries: vec![],
            platform_asked: vec![],
            closed: 0,
            tcp_asked: vec![],
            tcp_closed: 0,
        }
    }

    pub(crate) fn start(&mut self, text: &str) -> Vec<Query> {
        self.resolver.start(&host(text), &self.network, self.now);
        self.poll()
    }

    /// Drains the outputs and returns the queries sent.
    pub(crate) fn poll(&mut self) -> Vec<Query> {
        let mut sent = vec![];
        for _ in 0..100 {
            match self.resolver.poll_output(self.now, &mut self.rng) {
                None => return sent,
                Some(Output::CloseUdp) => self.closed += 1,
                Some(Output::TcpConnect(to)) => self.tcp_asked.push(to),
                Some(Output::TcpClose) => self.tcp_closed += 1,
                Some(Output::PlatformLookup { name, family }) => {
                    self.platform_asked.push((name, family))
                }
                Some(Output::Transmit {
                    from_port,
                    to,
                    payload,
                }) => {
                    let query = Query::new(from_port, to, payload);
                    self.queries.push(query.clone());
                    sent.push(query);
                }
            }
        }
        panic!("outputs without end");
    }

    pub(crate) fn answer(&mut self, query: &Query, says: &Says) -> Vec<Query> {
        if let Some(payload) = query.reply(says) {
            self.resolver
                .handle_datagram(query.to, query.from_port, &payload, self.now);
        }
        self.poll()
    }

    /// Establishes the requested connection and returns what is sent over it.
    pub(crate) fn tcp_connects(&mut self) -> Vec<Query> {
        self.resolver.handle_tcp_connected();
        self.tcp_sent()
    }

    /// Returns the messages sent over TCP.
    pub(crate) fn tcp_sent(&mut self) -> Vec<Query> {
        assert_eq!(self.poll(), []);
        let to = *self.tcp_asked.last().unwrap();
        let mut sent = vec![];
        while let [high, low, ..] = *self.resolver.tcp_transmit() {
            let end = 2 + usize::from(u16::from_be_bytes([high, low]));
            let payload = self.resolver.tcp_transmit()[2..end].to_vec();
            sent.push(Query::new(0, to, payload));
            self.resolver.consume_tcp_transmit(end);
        }
        sent
    }

    pub(crate) fn tcp_answers(&mut self, query: &Query, says: &Says) -> Vec<Query> {
        let payload = query.reply(says).unwrap();
        let mut message = (payload.len() as u16).to_be_bytes().to_vec();
        message.extend(payload);
        // In two pieces, as TCP may deliver it.
        for piece in message.chunks(message.len() / 2 + 1) {
            self.resolver.handle_tcp_data(piece, self.now);
        }
        self.poll()
    }

    pub(crate) fn tcp_ends(&mut self) -> Vec<Query> {
        self.resolver.handle_tcp_closed(self.now);
        self.poll()
    }

    pub(crate) fn platform_answers(&mut self, answer: Result<&[&str], LookupError>) -> Vec<Query> {
        let answer = answer.map(|addresses| addresses.iter().map(|address| ip(address)).collect());
        self.resolver.handle_platform_lookup(answer, self.now);
        self.poll()
    }

    pub(crate) fn pass(&mut self, time: Duration) -> Vec<Query> {
        self.now += time;
        self.resolver.handle_timeout(self.now);
        self.poll()
    }

    /// Resolves with servers that answer at once; the platform never does.
    pub(crate) fn resolve(
        &mut self,
        text: &str,
        mut servers: impl FnMut(&Query) -> Says,
    ) -> Report {
        let mut pending = self.start(text);
        for _ in 0..1000 {
            if let Some(report) = self.resolver.poll_report() {
                assert_eq!(self.resolver.poll_report(), None, "reported once");
                assert_eq!(
                    self.resolver.poll_timeout(),
                    None,
                    "nothing left to wait for"
                );
                return report;
            }
            if pending.is_empty() {
                let next = self.resolver.poll_timeout().expect("waits for something");
                assert!(next >= self.now, "waits for the past");
                pending = self.pass(next - self.now);
            } else {
                let query = pending.remove(0);
                let reply = servers(&query);
                pending.extend(self.answer(&query, &reply));
            }
        }
        panic!("no report after a thousand steps");
    }

    /// Resolves without any query to a server.
    pub(crate) fn resolve_alone(&mut self, text: &str) -> Report {
        self.resolve(text, |query| panic!("asked {query:?}"))
    }

    pub(crate) fn change(&mut self, network: Network) -> bool {
        self.network = network;
        self.resolver.handle_network(&self.network, self.now)
    }
}

pub(crate) fn addresses(report: &Report) -> Vec<Ipv6Addr> {
    report
        .candidates
        .iter()
        .map(|candidate: &Candidate| candidate.address)
        .collect()
}

pub(crate) fn errors(report: &Report) -> Vec<(AddressSource, LookupError)> {
    report
        .failures
        .iter()
        .map(|failure| (failure.source, failure.error))
        .collect()
}
