//! The handle of a world.
use crate::config::{Node, WorldConfig, WorldError};
use crate::counters::Counters;
use crate::device::{self, DeviceSockets};
use crate::engine::{BORDER_ROUTER, Engine};
use crate::ffi::{Instance, Nat64Route};
use crate::internet::server::{VirtualServer, VirtualService};
use crate::internet::zone::Zone;
use crate::pcap::Pcap;
use crate::port::SimPort;
use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};
use core::time::Duration;
use rand_core::Rng;
use std::cell::RefCell;
use std::io::Write;
use std::rc::Rc;
use thread_mqtt_resolve::resolver::Network;
use thread_mqtt_resolve::{AdvertisedPrefix, Preference};

/// OpenThread's settings keys (openthread/platform/settings.h) for the border router's own
/// prefixes.
const PREFIX_SETTINGS: [u16; 2] = [15, 16];
/// The settings key of the active dataset.
const DATASET_SETTING: u16 = 1;

/// A Thread network. This is a cheap handle: clones refer to the same world. It belongs to one
/// thread; any number of worlds may run on other threads.
#[derive(Clone)]
pub struct World {
    engine: Rc<RefCell<Engine>>,
}

impl core::fmt::Debug for World {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("World")
            .field("now", &self.now())
            .finish_non_exhaustive()
    }
}

impl World {
    /// Starts the border router, the routers and the device. No time has passed yet: run the world
    /// until the device [is ready](Self::run_until_ready).
    pub fn new(config: WorldConfig) -> Result<Self, WorldError> {
        Ok(Self {
            engine: Rc::new(RefCell::new(Engine::new(config)?)),
        })
    }

    /// Returns the device's port. Ports of one world share the device's single TCP connection.
    pub fn port(&self) -> SimPort {
        SimPort::new(self.clone())
    }

    // Time -----------------------------------------------------------------------------

    /// Returns the virtual time since the start.
    pub fn now(&self) -> Duration {
        Duration::from_micros(self.engine.borrow().now())
    }

    /// Returns the wall clock inside the world in Unix seconds: the epoch plus virtual time.
    pub fn unix_time(&self) -> Option<u64> {
        self.engine
            .borrow()
            .config
            .epoch
            .map(|epoch| epoch + self.now().as_secs())
    }

    /// Advances to the next event and processes it, but not past `limit`. Returns `false` once
    /// `limit` is reached. Sleeps only for [pacing](crate::Pacing) and for host sockets.
    ///
    /// # Panics
    /// If a node that requested a restart cannot be started again.
    pub fn step(&self, limit: Duration) -> bool {
        // The clock counts whole microseconds. Rounding down would never reach the limit.
        let limit = u64::try_from(limit.as_nanos().div_ceil(1_000)).unwrap_or(u64::MAX);
        let result = self.engine.borrow_mut().step(limit);
        result.unwrap_or_else(|error| panic!("a node restarted by itself and failed: {error}"))
    }

    /// Runs for this long.
    pub fn run_for(&self, time: Duration) {
        let limit = self.now() + time;
        while self.step(limit) {}
    }

    /// Runs until `done`, which is called after every event, returns `true`, or until the virtual
    /// time `limit`. Returns `true` if done.
    pub fn run_until(&self, limit: Duration, mut done: impl FnMut(&Self) -> bool) -> bool {
        loop {
            if done(self) {
                return true;
            }
            if !self.step(limit) {
                return done(self);
            }
        }
    }

    /// Runs until the device [`is_ready`](Self::is_ready) or until the virtual time `limit`.
    /// Returns `true` if it is ready.
    pub fn run_until_ready(&self, limit: Duration) -> bool {
        // The check costs a few calls into OpenThread: check only after a change.
        let mut seen = None;
        self.run_until(limit, |world| {
            let activity = world.activity(Node::Device);
            seen.replace(activity) != Some(activity) && world.is_ready()
        })
    }

    // The internet ---------------------------------------------------------------------

    /// Adds a server to the world, replacing any earlier one at the address.
    pub fn serve(&self, at: SocketAddrV4, server: impl VirtualServer + 'static) {
        self.engine
            .borrow_mut()
            .internet
            .serve(at, Box::new(server));
    }

    /// Adds a service to the world that answers datagrams, replacing any earlier one at the
    /// address.
    pub fn serve_udp(&self, at: SocketAddrV4, service: impl VirtualService + 'static) {
        self.engine
            .borrow_mut()
            .internet
            .serve_udp(at, Box::new(service));
    }

    /// Bridges connections to `from` to a host socket at `to`. A server inside the world at the
    /// same address takes precedence.
    pub fn map(&self, from: SocketAddrV4, to: SocketAddr) {
        self.engine.borrow_mut().internet.map(from, to);
    }

    /// Reads or changes the zone of the DNS server.
    pub fn zone<R>(&self, change: impl FnOnce(&mut Zone) -> R) -> R {
        change(&mut self.engine.borrow_mut().internet.zone)
    }

    // Observation ----------------------------------------------------------------------

    /// Returns the radio counters of one node; all zero for a router the world does not have.
    pub fn counters(&self, node: Node) -> Counters {
        let engine = self.engine.borrow();
        let index = engine.node_index(node);
        index.map_or_else(Counters::default, |index| engine.medium.counters[index])
    }

    /// Returns the sum over all nodes. `sent` and `acks_sent` are everything that was on the air.
    pub fn totals(&self) -> Counters {
        let mut sum = Counters::default();
        for &counters in &self.engine.borrow().medium.counters {
            sum += counters;
        }
        sum
    }

    /// Writes every frame on the air from now on to a classic pcap file of link type 195 (IEEE
    /// 802.15.4 with FCS). The crate documentation says how Wireshark decrypts it.
    pub fn capture(&self, to: impl Write + 'static) -> std::io::Result<()> {
        let mut engine = self.engine.borrow_mut();
        let epoch = engine.config.epoch.unwrap_or(0);
        engine.medium.capture = Some(Pcap::new(Box::new(to), epoch)?);
        Ok(())
    }

    /// Ends the capture, flushes the file and returns the first write error.
    pub fn end_capture(&self) -> std::io::Result<()> {
        match self.engine.borrow_mut().medium.capture.take() {
            Some(capture) => capture.finish(),
            None => Ok(()),
        }
    }

    /// Returns the Thread network key.
    pub fn network_key(&self) -> [u8; 16] {
        self.engine.borrow().instance(BORDER_ROUTER).network_key()
    }

    /// Returns the 64-bit prefixes that 6LoWPAN compresses, by context number, as the border router
    /// currently knows them. A capture tool needs them to show full addresses.
    pub fn lowpan_contexts(&self) -> Vec<(u8, Ipv6Addr)> {
        let engine = self.engine.borrow();
        engine.instance(BORDER_ROUTER).lowpan_contexts()
    }

    /// Returns what OpenThread on a node has logged since the last call, each line with its virtual
    /// time; at most the last 1,000 lines. The same lines go to the `log` crate with the target
    /// `thread_sim::openthread`.
    pub fn take_log(&self, node: Node) -> Vec<String> {
        let engine = self.engine.borrow();
        let index = engine.node_index(node);
        let mut platform = engine.platform.borrow_mut();
        index.map_or_else(Vec::new, |index| {
            platform.nodes[index].log.drain(..).collect()
        })
    }

    /// Returns whether the device is a child with a routable address and sees a NAT64 prefix.
    pub fn is_ready(&self) -> bool {
        let network = self.network();
        network.attached && !network.prefixes.is_empty()
    }

    /// Returns the device's view of the network, as its port reports it.
    pub fn network(&self) -> Network {
        let engine = self.engine.borrow();
        let device = engine.instance(engine.device_index());
        Network {
            attached: engine.is_attached(),
            prefixes: device::prefixes(device),
            dns_servers: device.dns_server().into_iter().collect(),
            native_ipv4: false,
        }
    }

    /// Returns the device's routable IPv6 address.
    pub fn device_address(&self) -> Option<Ipv6Addr> {
        let engine = self.engine.borrow();
        engine.instance(engine.device_index()).routable_address()
    }

    /// Returns the IPv4 address that NAT64 has assigned to the device, once it has sent something.
    pub fn device_ipv4(&self) -> Option<Ipv4Addr> {
        let address = self.device_address()?;
        self.engine
            .borrow()
            .instance(BORDER_ROUTER)
            .nat64_mapping(address)
    }

    // Faults ---------------------------------------------------------------------------

    /// Changes the loss probability. Values outside 0 to 1 are clamped.
    pub fn set_loss(&self, loss: f64) {
        self.engine
            .borrow_mut()
            .medium
            .set_loss(loss.clamp(0.0, 1.0));
    }

    /// Takes the radio link between two nodes down or up, in both directions. Returns `false` if
    /// the world does not have both.
    pub fn set_link(&self, a: Node, b: Node, up: bool) -> bool {
        let mut engine = self.engine.borrow_mut();
        match (engine.node_index(a), engine.node_index(b)) {
            (Some(a), Some(b)) if a != b => {
                engine.medium.set_link(a, b, up);
                true
            }
            _ => false,
        }
    }

    /// Restarts a node: RAM contents are lost, its settings stay. The device's connection fails
    /// with a reset. A router the world does not have is ignored.
    pub fn reboot(&self, node: Node) -> Result<(), WorldError> {
        self.restart(node, |_| true)
    }

    /// Restarts a node with only the network's credentials. It rejoins as a new node with new
    /// addresses.
    pub fn factory_reset(&self, node: Node) -> Result<(), WorldError> {
        self.restart(node, |key| key == DATASET_SETTING)
    }

    /// Restarts the border router with new prefixes: the off-mesh-routable prefix, and with it the
    /// device's address, and the NAT64 prefix.
    pub fn renew_prefixes(&self) -> Result<(), WorldError> {
        self.restart(Node::BorderRouter, |key| !PREFIX_SETTINGS.contains(&key))
    }

    fn restart(&self, node: Node, keep: impl Fn(u16) -> bool) -> Result<(), WorldError> {
        let mut engine = self.engine.borrow_mut();
        match engine.node_index(node) {
            Some(index) => engine.restart(index, keep),
            None => Ok(()),
        }
    }

    /// Stops Thread on the device, so that it leaves the network, or starts it again.
    pub fn set_attached(&self, attached: bool) -> Result<(), WorldError> {
        let mut engine = self.engine.borrow_mut();
        let index = engine.device_index();
        engine.instance(index).set_thread(attached)?;
        engine.settle(index)
    }

    /// Disables the border router's NAT64, so that its prefix leaves the network data, or enables
    /// it.
    ///
    /// # Panics
    /// If the border router requested a restart and cannot be started again.
    pub fn set_nat64(&self, enabled: bool) {
        let mut engine = self.engine.borrow_mut();
        engine.instance(BORDER_ROUTER).set_nat64(enabled);
        let result = engine.settle(BORDER_ROUTER);
        result.unwrap_or_else(|error| panic!("the border router restarted and failed: {error}"));
    }

    /// Announces an additional NAT64 prefix in the network data, as a second border router would,
    /// or withdraws it. Nothing translates it: packets to it vanish. With a preference above
    /// [`Preference::Low`], OpenThread withdraws its own prefix and stops its translator.
    pub fn announce_nat64(
        &self,
        prefix: AdvertisedPrefix,
        announce: bool,
    ) -> Result<(), WorldError> {
        let mut engine = self.engine.borrow_mut();
        let route = Nat64Route {
            prefix: prefix.prefix.address(),
            length: prefix.prefix.length(),
            preference: match prefix.preference {
                Preference::High => 1,
                Preference::Medium => 0,
                Preference::Low => -1,
            },
        };
        engine
            .instance(BORDER_ROUTER)
            .announce_nat64(route, announce)?;
        engine.settle(BORDER_ROUTER)
    }

    /// Disables the border router's DNS upstream, so that it answers only for the Thread network,
    /// or enables it.
    pub fn set_dns_upstream(&self, enabled: bool) {
        let engine = self.engine.borrow();
        engine.instance(BORDER_ROUTER).set_dns_upstream(enabled);
    }

    // For the port ---------------------------------------------------------------------

    /// Runs `access` on the device's sockets, then lets the device act on the result.
    pub(crate) fn with_sockets<R>(
        &self,
        access: impl FnOnce(&mut DeviceSockets, &Rc<Instance>) -> R,
    ) -> R {
        let mut engine = self.engine.borrow_mut();
        let index = engine.device_index();
        let device = Rc::clone(engine.instance(index));
        let result = access(&mut engine.sockets, &device);
        drop(device);
        let settled = engine.settle(index);
        settled.unwrap_or_else(|error| panic!("the device restarted and failed: {error}"));
        result
    }

    pub(crate) fn fill_random(&self, buffer: &mut [u8]) {
        self.engine.borrow_mut().random.fill_bytes(buffer);
    }

    /// Returns a counter of everything that could interest an application on the node.
    pub(crate) fn activity(&self, node: Node) -> u64 {
        let engine = self.engine.borrow();
        let index = engine.node_index(node);
        let platform = engine.platform.borrow();
        index.map_or(0, |index| platform.nodes[index].activity)
    }
}
