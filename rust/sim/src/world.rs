//! The world: nodes, medium, internet and one clock.
use crate::config::{Node, WorldConfig, WorldError};
use crate::counters::Counters;
use crate::internet::server::VirtualServer;
use crate::internet::zone::Zone;
use crate::port::SimPort;
use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};
use core::time::Duration;
use std::io::Write;

/// A Thread network on one thread. A cheap handle: clones are the same world.
#[derive(Clone)]
pub struct World {}

#[allow(missing_docs, unused_variables)]
impl World {
    /// Brings the border router, the routers and the device up; nothing has run yet.
    pub fn new(config: WorldConfig) -> Result<Self, WorldError> {
        todo!()
    }
    /// Virtual time since the start.
    pub fn now(&self) -> Duration {
        todo!()
    }
    /// Runs to the next event and through it, but not past `limit`. `false` if `limit` was reached.
    pub fn step(&self, limit: Duration) -> bool {
        todo!()
    }
    /// Runs for this long.
    pub fn run_for(&self, time: Duration) {
        todo!()
    }
    /// Runs until `done` or the virtual time `limit`; `true` if done.
    pub fn run_until(&self, limit: Duration, done: impl FnMut(&World) -> bool) -> bool {
        todo!()
    }
    /// The device's port. One at a time is useful.
    pub fn port(&self) -> SimPort {
        todo!()
    }

    // The internet
    /// Puts a server into the world; an earlier one at the address is replaced.
    pub fn serve(&self, at: SocketAddrV4, server: impl VirtualServer + 'static) {
        todo!()
    }
    /// Bridges connections to `from` to a host socket at `to`.
    pub fn map(&self, from: SocketAddrV4, to: SocketAddr) {
        todo!()
    }
    /// Changes the zone of the DNS server.
    pub fn zone<R>(&self, change: impl FnOnce(&mut Zone) -> R) -> R {
        todo!()
    }

    // Observation
    /// Radio counters of one node.
    pub fn counters(&self, node: Node) -> Counters {
        todo!()
    }
    /// Sum over all nodes.
    pub fn totals(&self) -> Counters {
        todo!()
    }
    /// Writes every frame on the air to a pcap file (LINKTYPE_IEEE802_15_4_WITHFCS) from now on.
    pub fn capture(&self, to: impl Write + 'static) -> std::io::Result<()> {
        todo!()
    }
    /// Ends the capture and flushes it.
    pub fn end_capture(&self) -> std::io::Result<()> {
        todo!()
    }
    /// The Thread network key, for Wireshark.
    pub fn network_key(&self) -> [u8; 16] {
        todo!()
    }
    /// What a node has logged since the last call.
    pub fn take_log(&self, node: Node) -> Vec<String> {
        todo!()
    }
    /// The NAT64 prefix the device sees first, as (address, length).
    pub fn nat64_prefix(&self) -> Option<(Ipv6Addr, u8)> {
        todo!()
    }
    /// The device's routable address.
    pub fn device_address(&self) -> Option<Ipv6Addr> {
        todo!()
    }
    /// The IPv4 address NAT64 gives the device, once it has sent something.
    pub fn device_ipv4(&self) -> Option<Ipv4Addr> {
        todo!()
    }

    // Faults
    /// Changes the loss probability.
    pub fn set_loss(&self, loss: f64) {
        todo!()
    }
    /// Breaks or mends the radio link between two nodes, both ways.
    pub fn set_link(&self, a: Node, b: Node, up: bool) {
        todo!()
    }
    /// Restarts a node: RAM is lost, settings stay unless `forget`.
    pub fn reboot(&self, node: Node, forget: bool) -> Result<(), WorldError> {
        todo!()
    }
    /// Detaches the device (Thread off) or attaches it again.
    pub fn set_attached(&self, attached: bool) {
        todo!()
    }
    /// Switches the border router's NAT64 off (its prefix leaves the network data) or on.
    pub fn set_nat64(&self, enabled: bool) {
        todo!()
    }
    /// Switches the border router's DNS upstream off (it answers SERVFAIL) or on.
    pub fn set_dns_upstream(&self, enabled: bool) {
        todo!()
    }
}
