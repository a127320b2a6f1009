//! The engine of a world. Processes events in the order of virtual time and passes them between
//! nodes, medium and internet.
use crate::config::{Device, Node, Pacing, WorldConfig, WorldError};
use crate::device::DeviceSockets;
use crate::ffi::{Commissioning, Instance, SharedPlatform, TransmitResult};
use crate::internet::{Asker, Internet};
use crate::mac::{self, Header};
use crate::medium::{ACK_WAIT, CCA, Heard, Medium, TURNAROUND};
use crate::pacer::Pacer;
use crate::platform::{Platform, Request, Transmit};
use chacha20::ChaCha8Rng;
use core::cmp::Reverse;
use core::time::Duration;
use rand_core::SeedableRng;
use std::cell::RefCell;
use std::collections::BinaryHeap;
use std::rc::Rc;

/// The border router's index; routers follow, the device is last.
pub(crate) const BORDER_ROUTER: usize = 0;

// The seed's independent streams.
const SEED_PLATFORM: u64 = 0;
const SEED_MEDIUM: u64 = 1;
const SEED_INTERNET: u64 = 2;
const SEED_DEVICE: u64 = 3;
const SEED_TCP: u64 = 4;

/// A child tells its parent of a new address after about 0.1 s. Until then, answers from beyond the
/// mesh are lost, because the border router's search for the address fails.
const REGISTRATION: u64 = 250_000;

/// A scheduled event.
enum Event {
    /// CCA is over: transmit, or report the channel busy.
    Listened,
    /// The radio has switched to transmit: the frame given to it goes on the air.
    TransmitStart,
    /// The frame on the air has ended.
    TransmitEnd(u64),
    /// The acknowledgement with this id, for the frame of this node, has ended.
    AckEnd { id: u64, to: usize },
    /// The radio has finished a transmission.
    TransmitDone(TransmitResult),
    /// The parent has had enough time to learn a new address.
    AddressRegistered,
    /// A received frame is passed up.
    HandUp {
        psdu: Vec<u8>,
        channel: u8,
        at: u64,
        acked_pending: bool,
    },
}

struct Scheduled {
    at: u64,
    /// Events due at the same time are processed in the order they were scheduled.
    order: u64,
    node: usize,
    /// The boot of the node that the event belongs to; dropped if the node has restarted since.
    life: u32,
    event: Event,
}

impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Scheduled {}

pub(crate) struct Engine {
    pub(crate) config: WorldConfig,
    pub(crate) platform: SharedPlatform,
    /// Dropped before the instances it uses.
    pub(crate) sockets: DeviceSockets,
    /// `None` only before a node starts and while it restarts.
    instances: Vec<Option<Rc<Instance>>>,
    lives: Vec<u32>,
    network: Option<Commissioning>,
    /// Frames given to the radios, waiting for the end of their CCA.
    outgoing: Vec<Option<Transmit>>,
    pub(crate) medium: Medium,
    pub(crate) internet: Internet,
    pub(crate) random: ChaCha8Rng,
    queue: BinaryHeap<Reverse<Scheduled>>,
    scheduled: u64,
    pacer: Pacer,
}

impl Engine {
    pub(crate) fn new(config: WorldConfig) -> Result<Self, WorldError> {
        config.check()?;
        let nodes: Vec<Node> = core::iter::once(Node::BorderRouter)
            .chain((0..config.hops).map(Node::Router))
            .chain([Node::Device])
            .collect();
        let stream = |number: u64| {
            config.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)
                ^ number.wrapping_mul(0xd134_2543_de82_ef95)
        };
        let mut engine = Self {
            platform: Rc::new(RefCell::new(Platform::new(stream(SEED_PLATFORM), &nodes))),
            sockets: DeviceSockets::new(stream(SEED_TCP)),
            instances: nodes.iter().map(|_| None).collect(),
            lives: vec![0; nodes.len()],
            network: None,
            outgoing: nodes.iter().map(|_| None).collect(),
            medium: Medium::line(stream(SEED_MEDIUM), nodes.len(), config.radio),
            internet: Internet::new(
                stream(SEED_INTERNET),
                config.internet_delay,
                config.host_access,
            )?,
            random: ChaCha8Rng::seed_from_u64(stream(SEED_DEVICE)),
            queue: BinaryHeap::new(),
            scheduled: 0,
            pacer: Pacer::default(),
            config,
        };
        let pacing = core::mem::replace(&mut engine.config.pacing, Pacing::Virtual);
        let age = engine.config.network_age.as_micros() as u64;
        // Started alone, so the border router becomes the leader.
        engine.bring_up(BORDER_ROUTER)?;
        while !engine.instance(BORDER_ROUTER).is_attached() && engine.step(age)? {}
        let device = engine.device_index();
        for router in BORDER_ROUTER + 1..device {
            engine.bring_up(router)?;
        }
        while engine.step(age)? {}
        engine.config.pacing = pacing;
        engine.bring_up(device)?;
        Ok(engine)
    }

    pub(crate) fn now(&self) -> u64 {
        self.platform.borrow().now
    }

    pub(crate) fn node_index(&self, node: Node) -> Option<usize> {
        self.platform
            .borrow()
            .nodes
            .iter()
            .position(|state| state.node == node)
    }

    pub(crate) fn device_index(&self) -> usize {
        self.instances.len() - 1
    }

    pub(crate) fn instance(&self, index: usize) -> &Rc<Instance> {
        self.instances[index]
            .as_ref()
            .expect("a node is without its instance only inside `restart`")
    }

    /// Returns whether the device is reachable from beyond the mesh: it has a routable address
    /// (NAT64 does not translate a mesh-local source), and its parent has had the time to learn it.
    pub(crate) fn is_attached(&self) -> bool {
        let index = self.device_index();
        let device = self.instance(index);
        self.platform.borrow().nodes[index].registering == 0
            && device.is_attached()
            && device.routable_address().is_some()
    }

    /// Creates a new instance for a node and starts it.
    fn bring_up(&mut self, index: usize) -> Result<(), WorldError> {
        let instance = Rc::new(Instance::new(&self.platform, index)?);
        self.instances[index] = Some(Rc::clone(&instance));
        if index == BORDER_ROUTER {
            self.network = Some(instance.start_border_router()?);
        } else if let Some(network) = &self.network {
            if index == self.device_index() {
                let poll = match self.config.device {
                    Device::Mtd => None,
                    Device::Sleepy { poll } => Some(poll),
                };
                instance.start_device(network, poll)?;
            } else {
                instance.start_router(network)?;
            }
        }
        self.settle(index)
    }

    /// Clears a node's memory and starts it again with the settings selected by `keep`.
    pub(crate) fn restart(
        &mut self,
        index: usize,
        keep: impl Fn(u16) -> bool,
    ) -> Result<(), WorldError> {
        if index == self.device_index() {
            self.sockets.lose_all();
        }
        if index == BORDER_ROUTER {
            self.internet.forget_upstream();
        }
        self.instances[index] = None;
        self.lives[index] += 1;
        self.outgoing[index] = None;
        self.platform.borrow_mut().nodes[index]
            .settings
            .retain(|&key, _| keep(key));
        self.bring_up(index)
    }

    /// Advances to the next event and processes it, but not past `limit`. Returns `false` if there
    /// was no event until then.
    pub(crate) fn step(&mut self, limit: u64) -> Result<bool, WorldError> {
        let now = self.now();
        let next = self.next_event(now);
        let Some(target) = next
            .filter(|&next| next <= limit)
            .or((limit != u64::MAX).then_some(limit))
        else {
            return Ok(false);
        };
        let target = target.max(now);
        let (reached, host) = self.advance(now, target);
        self.platform.borrow_mut().now = reached;
        let mut happened = host;
        happened |= self.run_queue(reached)?;
        happened |= self.run_alarms(reached)?;
        happened |= self.run_internet(reached, host)?;
        happened |= self.run_tcp(reached)?;
        Ok(happened || reached < limit)
    }

    fn next_event(&mut self, now: u64) -> Option<u64> {
        let queued = self.queue.peek().map(|Reverse(next)| next.at);
        let alarm = self
            .platform
            .borrow()
            .nodes
            .iter()
            .filter_map(|node| node.next_alarm())
            .min();
        let internet = self.internet.next_event(now);
        let tcp = self.sockets.tcp().next_event(now);
        [queued, alarm, internet, tcp].into_iter().flatten().min()
    }

    /// Advances the clock to `target`, or less if the host has news earlier, in which case the
    /// second value is `true`.
    fn advance(&mut self, now: u64, target: u64) -> (u64, bool) {
        let tied = self.internet.is_waiting_for_host();
        if !tied && self.config.pacing == Pacing::Virtual {
            self.pacer.release();
            return (target, false);
        }
        let wait = self.pacer.until(now, target);
        let news = self.internet.wait_for_host(wait);
        if news && self.pacer.until(now, target) > Duration::ZERO {
            (self.pacer.reached(now, target), true)
        } else {
            (target, news)
        }
    }

    fn run_queue(&mut self, now: u64) -> Result<bool, WorldError> {
        let mut happened = false;
        while self
            .queue
            .peek()
            .is_some_and(|Reverse(next)| next.at <= now)
        {
            let Some(Reverse(next)) = self.queue.pop() else {
                break;
            };
            if next.life == self.lives[next.node] {
                happened = true;
                self.take_event(next.node, next.event, now);
                self.settle(next.node)?;
            }
        }
        Ok(happened)
    }

    fn run_alarms(&mut self, now: u64) -> Result<bool, WorldError> {
        let mut happened = false;
        for index in 0..self.instances.len() {
            let due = |alarm: Option<u64>| alarm.is_some_and(|at| at <= now);
            let (micro, milli) = {
                let platform = self.platform.borrow();
                let node = &platform.nodes[index];
                (due(node.alarm_micro), due(node.alarm_milli))
            };
            if micro {
                self.instance(index).alarm_micro_fired();
            }
            if milli {
                self.instance(index).alarm_milli_fired();
            }
            if micro || milli {
                happened = true;
                self.settle(index)?;
            }
        }
        Ok(happened)
    }

    fn run_internet(&mut self, now: u64, host: bool) -> Result<bool, WorldError> {
        if !host && self.internet.next_event(now).is_none_or(|at| at > now) {
            return Ok(false);
        }
        self.internet.poll(now);
        while let Some(packet) = self.internet.next_packet(now) {
            self.instance(BORDER_ROUTER).nat64_send(&packet);
        }
        while let Some((transaction, answer)) = self.internet.next_upstream_answer() {
            self.instance(BORDER_ROUTER)
                .upstream_done(transaction, answer.as_deref());
        }
        self.settle(BORDER_ROUTER)?;
        Ok(true)
    }

    /// Processes what is due in the device's TCP.
    fn run_tcp(&mut self, now: u64) -> Result<bool, WorldError> {
        let due = |at: Option<u64>| at.is_some_and(|at| at <= now);
        if !due(self.sockets.tcp().next_event(now)) {
            return Ok(false);
        }
        self.settle(self.device_index())?;
        Ok(true)
    }

    /// Lets the device's TCP send, and notifies its application.
    fn poll_tcp(&mut self) {
        let device = self.device_index();
        let now = self.now();
        if self.sockets.tcp().poll(now) {
            self.platform.borrow_mut().nodes[device].activity += 1;
        }
        while let Some(packet) = self.sockets.tcp().next_packet() {
            if let Err(code) = self.instance(device).ip6_send(&packet) {
                log::debug!("the device dropped {} bytes: otError {code}", packet.len());
            }
        }
    }

    /// Runs a node's tasklets and carries out its requests until there are none left.
    pub(crate) fn settle(&mut self, index: usize) -> Result<(), WorldError> {
        if index == self.device_index() && self.instances[index].is_some() {
            self.poll_tcp();
        }
        loop {
            let (tasklets, request) = {
                let node = &mut self.platform.borrow_mut().nodes[index];
                (node.tasklets, node.requests.pop_front())
            };
            match request {
                Some(Request::Reset) => self.restart(index, |_| true)?,
                Some(request) => self.take_request(index, request),
                None if tasklets => self.instance(index).process_tasklets(),
                None => return Ok(()),
            }
        }
    }

    fn take_request(&mut self, index: usize, request: Request) {
        let now = self.now();
        match request {
            Request::Transmit(frame) => {
                let listen = if frame.cca { CCA } else { 0 };
                self.outgoing[index] = Some(frame);
                self.schedule(now + listen, index, Event::Listened);
            }
            Request::AddressAdded => {
                self.platform.borrow_mut().nodes[index].registering += 1;
                self.schedule(now + REGISTRATION, index, Event::AddressRegistered);
            }
            Request::DiscoverNat64Prefix => self.instance(index).nat64_prefix_discovered(None),
            Request::Ip4(packet) => self.internet.send(packet, now),
            Request::Ip6(packet) => {
                if self.sockets.tcp().take_packet(packet, now) {
                    self.platform.borrow_mut().nodes[index].activity += 1;
                }
                self.poll_tcp();
            }
            Request::UpstreamQuery { transaction, query } => {
                self.internet
                    .ask(Asker::BorderRouter(transaction), query, now);
            }
            Request::CancelUpstream { transaction } => self.internet.cancel(transaction),
            Request::Reset => {}
        }
    }

    fn take_event(&mut self, node: usize, event: Event, now: u64) {
        match event {
            Event::Listened => {
                let busy = self.outgoing[node].as_ref().is_some_and(|frame| {
                    frame.cca && self.medium.is_busy(node, frame.channel, now)
                });
                if busy {
                    self.outgoing[node] = None;
                    self.medium.counters[node].channel_busy += 1;
                    self.schedule(now, node, Event::TransmitDone(TransmitResult::ChannelBusy));
                } else {
                    self.schedule(now + TURNAROUND, node, Event::TransmitStart);
                }
            }
            Event::TransmitStart => {
                let Some(mut frame) = self.outgoing[node].take() else {
                    return;
                };
                mac::fill_checksum(&mut frame.psdu);
                self.instance(node).transmit_started();
                let sent = self.medium.begin(node, frame.channel, now, frame.psdu);
                let (end, id) = (sent.end, sent.id);
                self.schedule(end, node, Event::TransmitEnd(id));
            }
            Event::TransmitEnd(id) => self.frame_ended(node, id, now),
            Event::AckEnd { id, to } => self.ack_ended(node, id, to, now),
            Event::TransmitDone(result) => {
                // From here on, the receiver is on again.
                let mut platform = self.platform.borrow_mut();
                let radio = &mut platform.nodes[node].radio;
                if let (Some(listening), true) =
                    (&mut radio.listening, result != TransmitResult::ChannelBusy)
                {
                    listening.1 = now;
                }
                drop(platform);
                self.instance(node).transmit_done(result);
            }
            Event::AddressRegistered => {
                let state = &mut self.platform.borrow_mut().nodes[node];
                state.registering -= 1;
                state.activity += 1;
            }
            Event::HandUp {
                psdu,
                channel,
                at,
                acked_pending,
            } => self
                .instance(node)
                .received(&psdu, channel, at, acked_pending),
        }
    }

    /// Ends a frame on the air: determines which nodes received it and which acknowledges it.
    fn frame_ended(&mut self, sender: usize, id: u64, now: u64) {
        let Some(frame) = self.medium.ended(id) else {
            return;
        };
        let header = Header::parse(&frame.psdu);
        let mut acknowledged = false;
        for node in (0..self.instances.len()).filter(|&node| node != sender) {
            let heard = {
                let platform = self.platform.borrow();
                self.medium
                    .hear(&frame, header.as_ref(), node, &platform.nodes[node])
            };
            let (Heard::Yes { acknowledge }, Some(header)) = (heard, &header) else {
                continue;
            };
            let mut handed_up = now;
            if let Some(pending) = acknowledge {
                acknowledged = true;
                let ack = mac::acknowledgement(header.sequence, pending);
                let sent = self
                    .medium
                    .begin(node, frame.channel, now + TURNAROUND, ack);
                let (end, id) = (sent.end, sent.id);
                handed_up = end;
                self.schedule(end, node, Event::AckEnd { id, to: sender });
            }
            let (at, copies) = self.medium.hand_up(node, handed_up);
            for _ in 0..copies {
                self.schedule(
                    at,
                    node,
                    Event::HandUp {
                        psdu: frame.psdu.clone(),
                        channel: frame.channel,
                        at: frame.start,
                        acked_pending: acknowledge == Some(true),
                    },
                );
            }
        }
        match header.is_some_and(|header| header.wants_ack()) {
            // The end of the acknowledgement decides.
            true if acknowledged => {}
            true => self.schedule(
                now + ACK_WAIT,
                sender,
                Event::TransmitDone(TransmitResult::NoAck),
            ),
            false => {
                self.schedule(
                    now,
                    sender,
                    Event::TransmitDone(TransmitResult::Sent { ack: None }),
                );
            }
        }
    }

    fn ack_ended(&mut self, from: usize, id: u64, to: usize, now: u64) {
        let Some(ack) = self.medium.ended(id) else {
            return;
        };
        debug_assert_eq!(ack.from, from);
        if self.medium.hear_ack(&ack, to) {
            let result = TransmitResult::Sent {
                ack: Some(ack.psdu),
            };
            self.schedule(now, to, Event::TransmitDone(result));
        } else {
            let sent = now - (ack.end - ack.start) - TURNAROUND;
            self.schedule(
                sent + ACK_WAIT,
                to,
                Event::TransmitDone(TransmitResult::NoAck),
            );
        }
    }

    fn schedule(&mut self, at: u64, node: usize, event: Event) {
        self.scheduled += 1;
        self.queue.push(Reverse(Scheduled {
            at,
            order: self.scheduled,
            node,
            life: self.lives[node],
            event,
        }));
    }
}
