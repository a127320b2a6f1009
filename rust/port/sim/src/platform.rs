//! The data that OpenThread's platform functions read and write: one [`Platform`] per world, one
//! [`NodeState`] per node. The functions themselves are in [`crate::ffi`].
use crate::config::Node;
use crate::mac::Address;
use chacha20::ChaCha8Rng;
use core::net::Ipv6Addr;
use rand_core::SeedableRng;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Log lines kept per node; the oldest are dropped first.
const LOG_LINES: usize = 1000;

/// The platform of a world.
pub(crate) struct Platform {
    /// Virtual time in microseconds.
    pub(crate) now: u64,
    /// Entropy of all nodes.
    pub(crate) entropy: ChaCha8Rng,
    /// The state of OpenThread's process-wide pseudo-random generator while this world runs.
    pub(crate) prng: u32,
    /// The node whose code is running, to attribute calls without an instance.
    pub(crate) running: usize,
    /// The nodes, by index.
    pub(crate) nodes: Vec<NodeState>,
}

impl Platform {
    pub(crate) fn new(seed: u64, nodes: &[Node]) -> Self {
        Self {
            now: 0,
            entropy: ChaCha8Rng::seed_from_u64(seed),
            // Any state except 0 and 0x7fffffff works. Mixes the seed so that adjacent seeds
            // differ.
            prng: (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) as u32 & 0x3fff_ffff | 1,
            running: 0,
            nodes: nodes
                .iter()
                .enumerate()
                .map(|(index, &node)| NodeState::new(node, index))
                .collect(),
        }
    }

    /// Returns the node that owns an OpenThread instance.
    pub(crate) fn index_of(&self, instance: usize) -> usize {
        self.nodes
            .iter()
            .position(|node| node.instance == instance)
            .expect("OpenThread calls only for instances of the world that runs")
    }
}

/// The platform state of one node.
pub(crate) struct NodeState {
    /// The node.
    pub(crate) node: Node,
    /// The address of the OpenThread instance; 0 before the first bring-up.
    pub(crate) instance: usize,
    /// The frame OpenThread fills for transmission (owned by the instance's wrapper).
    pub(crate) transmit_buffer: usize,
    /// When the millisecond alarm fires, in microseconds.
    pub(crate) alarm_milli: Option<u64>,
    /// When the microsecond alarm fires.
    pub(crate) alarm_micro: Option<u64>,
    /// OpenThread has tasklets to run.
    pub(crate) tasklets: bool,
    /// The radio.
    pub(crate) radio: RadioState,
    /// Non-volatile settings; a key may hold several values.
    pub(crate) settings: BTreeMap<u16, Vec<Vec<u8>>>,
    /// Log lines.
    pub(crate) log: VecDeque<String>,
    /// OpenThread's requests that the world has not processed yet.
    pub(crate) requests: VecDeque<Request>,
    /// Counts everything that could interest a waiting application.
    pub(crate) activity: u64,
    /// Addresses added so recently that the parent may not know them yet.
    pub(crate) registering: u32,
    /// Answers of OpenThread's DNS client: query number, addresses or `otError`.
    pub(crate) answers: VecDeque<(usize, Result<Vec<Ipv6Addr>, u32>)>,
}

impl NodeState {
    fn new(node: Node, index: usize) -> Self {
        Self {
            node,
            instance: 0,
            transmit_buffer: 0,
            alarm_milli: None,
            alarm_micro: None,
            tasklets: false,
            radio: RadioState::new(index),
            settings: BTreeMap::new(),
            log: VecDeque::new(),
            requests: VecDeque::new(),
            activity: 0,
            registering: 0,
            answers: VecDeque::new(),
        }
    }

    /// Clears everything that is lost in a restart. Settings and log stay.
    pub(crate) fn power_cycle(&mut self) {
        self.alarm_milli = None;
        self.alarm_micro = None;
        self.tasklets = false;
        self.radio = RadioState {
            eui64: self.radio.eui64,
            ..RadioState::new(0)
        };
        self.requests.clear();
        self.registering = 0;
        self.answers.clear();
        self.activity += 1;
    }

    /// Returns when the earlier alarm fires.
    pub(crate) fn next_alarm(&self) -> Option<u64> {
        match (self.alarm_milli, self.alarm_micro) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    pub(crate) fn log_line(&mut self, line: String) {
        if self.log.len() == LOG_LINES {
            self.log.pop_front();
        }
        self.log.push_back(line);
    }
}

/// A request from OpenThread to the platform.
pub(crate) enum Request {
    /// Send this frame.
    Transmit(Transmit),
    /// Restart the node.
    Reset,
    /// The node has a new address.
    AddressAdded,
    /// Look for a NAT64 prefix on the infrastructure link.
    DiscoverNat64Prefix,
    /// Take this IPv4 packet from NAT64.
    Ip4(Vec<u8>),
    /// Take this TCP segment for the device, as an IPv6 packet.
    Ip6(Vec<u8>),
    /// Ask the upstream DNS servers.
    UpstreamQuery {
        /// OpenThread's transaction, an opaque address.
        transaction: usize,
        /// The DNS message.
        query: Vec<u8>,
    },
    /// Give up a transaction.
    CancelUpstream {
        /// OpenThread's transaction.
        transaction: usize,
    },
}

/// A frame to send.
pub(crate) struct Transmit {
    /// MAC header to FCS; the FCS is not filled in.
    pub(crate) psdu: Vec<u8>,
    pub(crate) channel: u8,
    /// Whether to listen before transmitting (CCA).
    pub(crate) cca: bool,
}

/// The state that a radio chip would keep in its registers.
#[derive(Debug, Clone)]
pub(crate) struct RadioState {
    pub(crate) eui64: [u8; 8],
    pub(crate) enabled: bool,
    pub(crate) promiscuous: bool,
    pub(crate) pan_id: u16,
    pub(crate) short_address: u16,
    /// In transmission order (least significant byte first).
    pub(crate) extended_address: [u8; 8],
    /// The channel, and when it started listening, while the receiver is on.
    pub(crate) listening: Option<(u8, u64)>,
    /// A frame is being sent, or its acknowledgement is awaited.
    pub(crate) transmitting: bool,
    /// Answer data polls with "frame pending" only for the listed children.
    pub(crate) match_sources: bool,
    /// Children with frames waiting.
    pub(crate) pending_for: BTreeSet<Address>,
}

impl RadioState {
    fn new(index: usize) -> Self {
        Self {
            // Locally administered, one per node.
            eui64: [0x02, 0x00, 0x00, 0xff, 0xfe, 0x00, 0x00, index as u8 + 1],
            enabled: false,
            promiscuous: false,
            pan_id: crate::mac::BROADCAST,
            short_address: crate::mac::NO_SHORT_ADDRESS,
            extended_address: [0; 8],
            listening: None,
            transmitting: false,
            match_sources: false,
            pending_for: BTreeSet::new(),
        }
    }
}
