//! The IPv4 side of NAT64: every internet address on one smoltcp interface, with servers inside the
//! world, a bridge to host sockets, and a DNS server at every address.
mod bridge;
mod connection;
mod dns;
mod packet;
pub(crate) mod server;
#[cfg(test)]
mod tests;
pub(crate) mod zone;

use crate::config::{HostAccess, WorldError};
use crate::wire::Wire;
use bridge::{HostEvents, HostStream};
use connection::{Connection, End};
use core::net::{SocketAddr, SocketAddrV4};
use core::time::Duration;
use packet::Packet;
use server::{VirtualServer, VirtualService};
use smoltcp::iface::{Config, Interface, SocketSet};
use smoltcp::time::Instant;
use smoltcp::wire::{HardwareAddress, IpCidr, Ipv4Address};
use std::collections::{BTreeMap, VecDeque};
use zone::Zone;

/// The largest IPv4 packet. With 20 bytes more it has IPv6's 1,280 bytes, the most that a Thread
/// network carries and OpenThread's translator forwards.
const MTU: usize = 1260;
/// The DNS port.
const DNS: u16 = 53;
/// Maximum number of simultaneous TCP connections; more are refused.
const MOST_CONNECTIONS: usize = 64;

/// The origin of a DNS query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asker {
    /// A datagram through NAT64: from, to.
    Datagram(SocketAddrV4, SocketAddrV4),
    /// The border router's DNS server, with OpenThread's transaction.
    BorderRouter(usize),
}

/// An answer for the border router, or `None` to give up the transaction.
pub(crate) type UpstreamAnswer = (usize, Option<Vec<u8>>);

/// The internet.
pub(crate) struct Internet {
    pub(crate) zone: Zone,
    /// One-way delay, microseconds.
    delay: u64,
    access: HostAccess,
    servers: BTreeMap<SocketAddrV4, Box<dyn VirtualServer>>,
    services: BTreeMap<SocketAddrV4, Box<dyn VirtualService>>,
    maps: BTreeMap<SocketAddrV4, SocketAddr>,
    interface: Interface,
    wire: Wire,
    sockets: SocketSet<'static>,
    connections: Vec<Connection>,
    host: HostEvents,
    /// Packets on the way from NAT64 to the internet.
    inbound: VecDeque<(u64, Vec<u8>)>,
    /// Packets on the way to NAT64.
    outbound: VecDeque<(u64, Vec<u8>)>,
    /// Answers that the server delays, by time.
    thinking: Vec<(u64, Asker, Vec<u8>)>,
    /// Queries that the host's resolver is working on.
    asked_host: BTreeMap<u64, (Asker, Vec<u8>)>,
    next_question: u64,
    upstream_answers: VecDeque<UpstreamAnswer>,
}

impl Internet {
    pub(crate) fn new(seed: u64, delay: Duration, access: HostAccess) -> Result<Self, WorldError> {
        let mut wire = Wire::new(MTU);
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = seed;
        let mut interface = Interface::new(config, &mut wire, Instant::ZERO);
        interface.set_any_ip(true);
        let gateway = Ipv4Address::new(192, 0, 0, 1);
        interface.update_ip_addrs(|addresses| {
            // The interface needs one address; "any" makes it accept all.
            let _ = addresses.push(IpCidr::new(gateway.into(), 32));
        });
        let _ = interface.routes_mut().add_default_ipv4_route(gateway);
        Ok(Self {
            zone: Zone::default(),
            delay: delay.as_micros() as u64,
            access,
            servers: BTreeMap::new(),
            services: BTreeMap::new(),
            maps: BTreeMap::new(),
            interface,
            wire,
            sockets: SocketSet::new(Vec::new()),
            connections: Vec::new(),
            host: HostEvents::new().map_err(|_| WorldError::HostSockets)?,
            inbound: VecDeque::new(),
            outbound: VecDeque::new(),
            thinking: Vec::new(),
            asked_host: BTreeMap::new(),
            next_question: 0,
            upstream_answers: VecDeque::new(),
        })
    }

    pub(crate) fn serve(&mut self, at: SocketAddrV4, server: Box<dyn VirtualServer>) {
        self.servers.insert(at, server);
    }

    pub(crate) fn serve_udp(&mut self, at: SocketAddrV4, service: Box<dyn VirtualService>) {
        self.services.insert(at, service);
    }

    pub(crate) fn map(&mut self, from: SocketAddrV4, to: SocketAddr) {
        self.maps.insert(from, to);
    }

    /// Sends a packet that leaves NAT64.
    pub(crate) fn send(&mut self, packet: Vec<u8>, now: u64) {
        self.inbound.push_back((now + self.delay, packet));
    }

    /// Sends a query from the border router to its upstream servers.
    pub(crate) fn ask(&mut self, asker: Asker, query: Vec<u8>, now: u64) {
        match dns::answer(&self.zone, &query) {
            dns::Outcome::Answer(answer) => {
                let due = now + 2 * self.delay + self.zone.delay.as_micros() as u64;
                self.thinking.push((due, asker, answer));
            }
            dns::Outcome::Silence => {}
            dns::Outcome::AskHost(name) => {
                let number = self.next_question;
                self.next_question += 1;
                self.asked_host.insert(number, (asker, query));
                self.host.resolve(number, name);
            }
        }
    }

    /// Cancels a query of the border router: it gets no answer but `None`.
    pub(crate) fn cancel(&mut self, transaction: usize) {
        let mine = Asker::BorderRouter(transaction);
        self.thinking.retain(|(_, asker, _)| *asker != mine);
        self.asked_host.retain(|_, (asker, _)| *asker != mine);
        self.upstream_answers
            .retain(|(other, _)| *other != transaction);
        self.upstream_answers.push_back((transaction, None));
    }

    /// Forgets the border router's queries after it has restarted.
    pub(crate) fn forget_upstream(&mut self) {
        let theirs = |asker: &Asker| matches!(asker, Asker::BorderRouter(_));
        self.thinking.retain(|(_, asker, _)| !theirs(asker));
        self.asked_host.retain(|_, (asker, _)| !theirs(asker));
        self.upstream_answers.clear();
    }

    /// Returns the next packet that has reached NAT64.
    pub(crate) fn next_packet(&mut self, now: u64) -> Option<Vec<u8>> {
        self.outbound
            .pop_front_if(|(due, _)| *due <= now)
            .map(|(_, packet)| packet)
    }

    /// Returns the next answer for the border router.
    pub(crate) fn next_upstream_answer(&mut self) -> Option<UpstreamAnswer> {
        self.upstream_answers.pop_front()
    }

    /// Returns whether something outside the world may still happen. Virtual time must then not run
    /// ahead of the wall clock.
    pub(crate) fn is_waiting_for_host(&self) -> bool {
        !self.asked_host.is_empty() || self.connections.iter().any(Connection::is_host)
    }

    /// Waits for the host at most this long. Returns `true` if something may have happened.
    pub(crate) fn wait_for_host(&mut self, at_most: Duration) -> bool {
        self.host.wait(at_most)
    }

    /// Returns when to call [`poll`](Self::poll) next.
    pub(crate) fn next_event(&mut self, now: u64) -> Option<u64> {
        if !self.upstream_answers.is_empty() {
            return Some(now);
        }
        let stack = self
            .interface
            .poll_at(Instant::from_micros(now as i64), &self.sockets)
            .map(|at| (at.total_micros() as u64).max(now));
        let streams = self.connections.iter().filter_map(Connection::next_timeout);
        let answers = self.thinking.iter().map(|(due, _, _)| *due);
        let packets = self
            .inbound
            .front()
            .into_iter()
            .chain(self.outbound.front());
        stack
            .into_iter()
            .chain(streams)
            .chain(answers)
            .chain(packets.map(|(due, _)| *due))
            .min()
    }

    /// Does everything that is due.
    pub(crate) fn poll(&mut self, now: u64) {
        while let Some((_, packet)) = self.inbound.pop_front_if(|(due, _)| *due <= now) {
            self.take_packet(packet, now);
        }
        let at = Instant::from_micros(now as i64);
        loop {
            self.interface.poll(at, &mut self.wire, &mut self.sockets);
            let mut moved = false;
            let time = Duration::from_micros(now);
            for connection in &mut self.connections {
                moved |= connection.pump(&mut self.sockets, &self.host, time);
            }
            if !moved {
                break;
            }
        }
        let sockets = &mut self.sockets;
        let host = &self.host;
        self.connections.retain_mut(|connection| {
            let keep = !connection.is_over(sockets);
            if !keep {
                connection.release(sockets, host, Duration::from_micros(now));
            }
            keep
        });
        for packet in self.wire.sent.drain(..) {
            self.outbound.push_back((now + self.delay, packet));
        }
        self.finish_questions(now);
    }

    fn finish_questions(&mut self, now: u64) {
        while let Some((number, addresses)) = self.host.next_resolved() {
            if let Some((asker, query)) = self.asked_host.remove(&number)
                && let dns::Outcome::Answer(answer) =
                    dns::answer_with(&query, addresses.as_deref(), self.zone.ttl)
            {
                self.thinking.push((now, asker, answer));
            }
        }
        let mut index = 0;
        while index < self.thinking.len() {
            if self.thinking[index].0 > now {
                index += 1;
                continue;
            }
            match self.thinking.remove(index) {
                (_, Asker::BorderRouter(transaction), answer) => {
                    self.upstream_answers.push_back((transaction, Some(answer)));
                }
                (_, Asker::Datagram(from, to), answer) => {
                    // The delay of the answer includes the way back.
                    if let Some(packet) = packet::udp(to, from, &answer) {
                        self.outbound.push_front((now, packet));
                    }
                }
            }
        }
    }

    /// Processes a packet that arrives from NAT64.
    fn take_packet(&mut self, bytes: Vec<u8>, now: u64) {
        let Some(packet) = Packet::parse(&bytes) else {
            log::debug!("dropped {} bytes that are neither TCP nor UDP", bytes.len());
            return;
        };
        if packet.protocol == packet::UDP {
            if packet.to.port() == DNS {
                // The delay has been applied on the way here.
                let query = packet.payload.to_vec();
                let asker = Asker::Datagram(packet.from, packet.to);
                self.ask(asker, query, now.saturating_sub(self.delay));
            } else if let Some(service) = self.services.get_mut(&packet.to) {
                let time = Duration::from_micros(now);
                let answers = service.answer(packet.from, packet.payload, time);
                let packets = answers
                    .iter()
                    .filter_map(|answer| packet::udp(packet.to, packet.from, answer));
                self.outbound
                    .extend(packets.map(|packet| (now + self.delay, packet)));
            }
            return;
        }
        if packet.opens {
            self.open(packet.from, packet.to, now);
        }
        self.wire.received = Some(bytes);
        let at = Instant::from_micros(now as i64);
        self.interface
            .poll_ingress_single(at, &mut self.wire, &mut self.sockets);
    }

    /// Prepares a socket for a SYN. Without one, the stack answers with a RST.
    fn open(&mut self, from: SocketAddrV4, to: SocketAddrV4, now: u64) {
        let sockets = &mut self.sockets;
        if let Some(index) = self
            .connections
            .iter()
            .position(|old| old.is_between(from, to))
        {
            if !self.connections[index].is_reusable(sockets) {
                return;
            }
            let mut old = self.connections.remove(index);
            old.release(sockets, &self.host, Duration::from_micros(now));
        }
        if self.connections.len() == MOST_CONNECTIONS {
            return;
        }
        let end = if let Some(server) = self.servers.get_mut(&to) {
            server
                .accept(from, Duration::from_micros(now))
                .map(End::virtual_)
        } else if let Some(host) = self.host_address(to) {
            HostStream::connect(&self.host, host).map(End::Host)
        } else {
            log::debug!("refused {to}: no server in the world, and not mapped to the host");
            None
        };
        if let Some(end) = end {
            self.connections
                .push(Connection::listen(&mut self.sockets, from, to, end));
        }
    }

    /// Returns the host address that a destination maps to, if it may be reached.
    fn host_address(&self, to: SocketAddrV4) -> Option<SocketAddr> {
        if let Some(&mapped) = self.maps.get(&to) {
            return Some(mapped);
        }
        let allowed = match self.access {
            HostAccess::OnlyMapped => false,
            HostAccess::LoopbackOnly => to.ip().is_loopback(),
            HostAccess::Any => true,
        };
        allowed.then_some(SocketAddr::V4(to))
    }
}
