//! Runs one client on one port: moves bytes, answers and time between them.
use crate::mailbox::{Mailbox, Orders};
use crate::rng::PortRng;
use crate::{Interest, Port, Received, TcpState};
use alloc::boxed::Box;
use alloc::vec;
use core::mem;
use core::ops::ControlFlow;
use core::time::Duration;
use thread_mqtt_client::{Action, Client, Event, TcpError};
use thread_mqtt_session::{CommandError, Pieces, heap_has};

/// Delay before a command that found no room on the heap is retried.
const HEAP_PAUSE: Duration = Duration::from_secs(1);

/// Upper bound for the copies of the network's data: prefixes and DNS servers.
const NETWORK: usize = 512;

/// Runs one client on one port.
#[derive(Debug)]
pub struct Driver<P> {
    client: Client,
    port: P,
    tcp: Tcp,
    inbox: Inbox,
    orders: Orders,
    /// Starts and stops from the mailbox are deferred.
    held: bool,
}

/// The TCP state that the client was last told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tcp {
    Closed,
    Connecting,
    Connected,
}

/// Received bytes that the client has not taken yet.
#[derive(Debug)]
struct Inbox {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Inbox {
    fn bytes(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    fn is_empty(&self) -> bool {
        self.start == self.end
    }

    fn fill(&mut self, n: usize) {
        self.start = 0;
        self.end = n.min(self.buffer.len());
    }

    fn take(&mut self, n: usize) {
        self.start = (self.start + n).min(self.end);
    }

    fn clear(&mut self) {
        self.fill(0);
    }
}

/// Size of the receive buffer made by [`Driver::new`], in bytes: one IPv6 packet of the minimum
/// MTU.
pub const RECEIVE_BUFFER: usize = 1280;

impl<P: Port> Driver<P> {
    /// Creates a driver with a receive buffer of [`RECEIVE_BUFFER`] bytes.
    pub fn new(client: Client, port: P) -> Self {
        Self::with_buffer(client, port, vec![0; RECEIVE_BUFFER].into_boxed_slice())
    }

    /// Creates a driver with this receive buffer. A larger one needs fewer calls of
    /// [`Port::tcp_receive`]; below 512 bytes, DNS answers are truncated and then ignored.
    pub fn with_buffer(client: Client, port: P, buffer: Box<[u8]>) -> Self {
        Self {
            client,
            port,
            tcp: Tcp::Closed,
            inbox: Inbox {
                buffer,
                start: 0,
                end: 0,
            },
            orders: Orders::default(),
            held: false,
        }
    }

    /// Returns the client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Returns the client, for commands.
    pub fn client_mut(&mut self) -> &mut Client {
        &mut self.client
    }

    /// Returns the port.
    pub fn port(&self) -> &P {
        &self.port
    }

    /// Returns the port, for other uses. Its TCP connection and its datagrams belong to the client
    /// unless it is idle.
    pub fn port_mut(&mut self) -> &mut P {
        &mut self.port
    }

    /// Collects what other threads left in `mailbox`; the next [`turn`](Self::turn) acts on it.
    /// Computes nothing, so the lock on the mailbox is held only briefly. Returns true if the
    /// outbox may have more room than at the last visit: wake the threads that wait for it.
    ///
    /// From the first call on, the client connects and disconnects as the mailbox says.
    pub fn collect(&mut self, mailbox: &mut Mailbox) -> bool {
        let session = self.client.session();
        mailbox.want(session.version(), session.wanted_piece());
        mailbox.empty_into(&mut self.orders, session.outbox_room())
    }

    /// Returns whether the application, through the mailbox, wants the client to be connected.
    pub fn is_wanted(&self) -> bool {
        self.orders.started
    }

    /// While held, the mailbox does not start or stop the client, for example while a diagnosis
    /// uses it. Commands are still taken.
    pub fn hold(&mut self, held: bool) {
        self.held = held;
    }

    /// Starts to connect.
    pub fn start(&mut self) {
        self.client.start(self.port.now());
    }

    /// Starts to disconnect with the next [`turn`](Self::turn); [`Event::Stopped`] follows.
    pub fn stop(&mut self) {
        self.client.stop(self.port.now());
    }

    /// Ends the pause after a failure: the next attempt starts now.
    pub fn retry_now(&mut self) {
        self.client.retry_now(self.port.now());
    }

    /// Moves everything that can move without waiting: inputs, timers, outputs. Call it until it
    /// returns `false` and all [events](Self::poll_event) are taken, then [`wait`](Self::wait).
    pub fn turn(&mut self) -> bool {
        let now = self.port.now();
        self.obey(now);
        self.client.handle_unix_time(self.port.unix_time(), now);
        // Each call copies the network data. If the heap has no room, a later turn updates it.
        if heap_has(NETWORK) {
            self.client.handle_network(&self.port.network(), now);
        }
        let mut moved = self.receive(now);
        moved |= self.receive_datagrams(now);
        if let Some(answer) = self.port.poll_platform_lookup() {
            self.client.handle_platform_lookup(answer, now);
            moved = true;
        }
        if self.client.poll_timeout().is_some_and(|due| due <= now) {
            self.client.handle_timeout(now);
            moved = true;
        }
        moved |= self.act(now);
        moved |= self.send(now);
        moved
    }

    /// Waits until [`turn`](Self::turn) may have something to do.
    pub fn wait(&mut self) {
        self.wait_until(None);
    }

    /// Like [`wait`](Self::wait), but not beyond `limit`.
    pub fn wait_until(&mut self, limit: Option<Duration>) {
        let (until, interest) = self.waits_for();
        let until = match (until, limit) {
            (Some(until), Some(limit)) => Some(until.min(limit)),
            (until, limit) => until.or(limit),
        };
        self.port.wait(until, interest);
    }

    /// Returns what [`wait`](Self::wait) would wait for.
    pub fn waits_for(&mut self) -> (Option<Duration>, Interest) {
        let connected = self.tcp == Tcp::Connected;
        let now = self.port.now();
        self.port.await_answer(self.client.awaits_answer());
        let interest = Interest {
            receive: connected && self.inbox.is_empty(),
            send: connected && !self.client.transmit(now).is_empty(),
        };
        let mut until = self.client.poll_timeout();
        if !self.orders.commands.is_empty() {
            // They wait for room on the heap, which nothing signals.
            let retry = now.saturating_add(HEAP_PAUSE);
            until = Some(until.map_or(retry, |until| until.min(retry)));
        }
        (until, interest)
    }

    /// Returns when the next timer fires.
    pub fn next_timeout(&self) -> Option<Duration> {
        self.client.poll_timeout()
    }

    /// Returns the next event, or `None`.
    pub fn poll_event(&mut self) -> Option<Event> {
        let event = self.client.poll_event();
        if let Some(event) = &event {
            log::debug!("{event}");
        }
        event
    }

    /// Runs the client until `on_event` breaks. `on_event` may pass commands to the client.
    pub fn run<T>(&mut self, mut on_event: impl FnMut(&mut Client, Event) -> ControlFlow<T>) -> T {
        loop {
            let mut busy = self.turn();
            while let Some(event) = self.poll_event() {
                busy = true;
                if let ControlFlow::Break(result) = on_event(&mut self.client, event) {
                    return result;
                }
            }
            if !busy {
                self.wait();
            }
        }
    }

    /// Executes what was collected: commands in their order, then a stop, then a start.
    fn obey(&mut self, now: Duration) {
        let mut commands = mem::take(&mut self.orders.commands);
        commands.reverse();
        while let Some((token, command)) = commands.pop() {
            if let Err(command) = self.client.submit(token, command) {
                // The heap is exhausted: this one and the rest wait for the next turn.
                commands.push((token, command));
                commands.reverse();
                self.orders.commands = commands;
                break;
            }
        }
        // Each is an event, and the application may be slow.
        while !self.orders.dropped.is_empty() && self.client.session().outbox_room().may_drop() {
            let (token, error) = self.orders.dropped.remove(0);
            self.client.drop_command(token, error);
        }
        if Pieces::BUILT {
            self.pass_pieces();
        }
        if self.held {
            return;
        }
        if mem::take(&mut self.orders.stops) {
            self.client.stop(now);
        }
        let retries = mem::take(&mut self.orders.retries);
        if self.orders.started && self.client.is_idle() {
            self.client.start(now);
        } else if self.orders.started && retries {
            self.client.retry_now(now);
        }
    }

    fn pass_pieces(&mut self) {
        for (token, offset, piece) in mem::take(&mut self.orders.pieces) {
            // An unwanted piece is left over from a connection that has ended.
            if let Err(CommandError::PieceLength) = self.client.supply(token, offset, piece) {
                log::error!("{}", CommandError::PieceLength);
            }
        }
        if self.orders.commands.is_empty() {
            for token in mem::take(&mut self.orders.given_up) {
                self.client.give_up_pieces(token);
            }
        }
    }

    /// Passes TCP data to the client: one buffer at most, so that outputs get their turn.
    fn receive(&mut self, now: Duration) -> bool {
        match (self.tcp, self.port.tcp_state()) {
            (Tcp::Closed, _) | (Tcp::Connecting, TcpState::Connecting) => return false,
            (Tcp::Connecting, TcpState::Connected) => {
                self.tcp = Tcp::Connected;
                self.client.handle_tcp_connected(now);
                return true;
            }
            (Tcp::Connecting, TcpState::Failed(error)) => {
                self.closed(error, now);
                return true;
            }
            (Tcp::Connecting, TcpState::Closed) => {
                self.closed(TcpError::Closed, now);
                return true;
            }
            (Tcp::Connected, _) => {}
        }
        if self.inbox.is_empty() {
            match self.port.tcp_receive(&mut self.inbox.buffer) {
                Ok(Received::Bytes(n)) => self.inbox.fill(n),
                Ok(Received::WouldBlock) => return false,
                Ok(Received::EndOfStream) => {
                    self.closed(TcpError::Closed, now);
                    return true;
                }
                Err(error) => {
                    self.closed(error, now);
                    return true;
                }
            }
        }
        let taken = self.client.handle_tcp_data(self.inbox.bytes(), now);
        self.inbox.take(taken);
        taken > 0
    }

    /// Handles DNS answers. None is awaited while the broker is connected, and data from a DNS
    /// server over TCP is taken at once, so the buffer is free.
    fn receive_datagrams(&mut self, now: Duration) -> bool {
        let mut moved = false;
        while self.inbox.is_empty() {
            let Some((from, to_port, n)) = self.port.udp_receive(&mut self.inbox.buffer) else {
                break;
            };
            let payload = self.inbox.buffer.get(..n).unwrap_or_default();
            self.client.handle_datagram(from, to_port, payload, now);
            moved = true;
        }
        self.learn_undelivered(now) || moved
    }

    fn learn_undelivered(&mut self, now: Duration) -> bool {
        let mut moved = false;
        while let Some((to, error)) = self.port.udp_undelivered() {
            self.client.handle_undelivered(to, error, now);
            moved = true;
        }
        moved
    }

    /// Executes the client's requests.
    fn act(&mut self, now: Duration) -> bool {
        let mut moved = false;
        loop {
            let mut rng = PortRng::new(&mut self.port);
            let action = self.client.poll_action(now, &mut rng);
            let without_entropy = rng.error();
            if let Some(code) = without_entropy {
                self.client.handle_entropy_failure(code, now);
            }
            let Some(action) = action else {
                return moved;
            };
            moved = true;
            match action {
                Action::TcpConnect(to) => {
                    self.inbox.clear();
                    self.tcp = Tcp::Connecting;
                    if let Err(error) = self.port.tcp_connect(to) {
                        self.closed(error, now);
                    }
                }
                Action::TcpClose { abort } => {
                    self.inbox.clear();
                    self.tcp = Tcp::Closed;
                    self.port.tcp_close(abort);
                }
                // Without entropy, its query ID would be predictable.
                Action::UdpSend { .. } if without_entropy.is_some() => {}
                Action::UdpSend {
                    from_port,
                    to,
                    payload,
                } => {
                    // A failure counts as a lost datagram: the resolver asks again, or elsewhere.
                    if let Err(code) = self.port.udp_send(from_port, to, &payload) {
                        log::debug!("datagram to {to} not sent, code {code}");
                        self.learn_undelivered(now);
                    }
                }
                Action::UdpClose => self.port.udp_close(),
                Action::PlatformLookup { name, family } => {
                    if let Err(code) = self.port.platform_lookup(&name, family) {
                        self.client.handle_platform_lookup(Err(code), now);
                    }
                }
            }
        }
    }

    /// Passes the client's data to TCP.
    fn send(&mut self, now: Duration) -> bool {
        let mut moved = false;
        while self.tcp == Tcp::Connected {
            let data = self.client.transmit(now);
            if data.is_empty() {
                break;
            }
            match self.port.tcp_send(data) {
                Ok(0) => break,
                Ok(n) => self.client.consume_transmit(n),
                Err(error) => {
                    // The peer's last data, such as a refusal or an alert, says more than the
                    // error.
                    while self.receive(now) {}
                    if self.tcp == Tcp::Connected {
                        self.closed(error, now);
                    }
                }
            }
            moved = true;
        }
        moved
    }

    fn closed(&mut self, error: TcpError, now: Duration) {
        self.tcp = Tcp::Closed;
        self.client.handle_tcp_closed(error, now);
    }
}
