//! The driver's inputs: network, time, TCP, datagrams, answers, alarms.
//!
//! Inputs and outputs are not inlined: the frame of the calling loop lies below every handshake on
//! the stack.
use super::stages::Turn;
use super::{Client, State, Tls};
use crate::addresses::withdrawn;
use crate::alarms::Alarm;
use crate::error::{Cause, SetupError, TcpError};
use crate::event::{Reached, Stage};
use crate::stream::Stream;
use crate::time::source::TimeSource;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Display;
use core::mem;
use core::net::{IpAddr, SocketAddrV6};
use core::time::Duration;
use thread_mqtt_resolve::resolver::{LookupError, Network, UdpError};
use thread_mqtt_resolve::{AdvertisedPrefix, Host, Scheme};
use thread_mqtt_tls::{Connection, TlsError};

impl Client {
    /// Supplies TLS as announced by [`Config::tls_follows`](crate::Config::tls_follows), or the
    /// reason why there is none. That reason ends each attempt before it begins, with
    /// [`Cause::Setup`], because waiting does not help. No effect unless TLS is awaited.
    pub fn handle_tls(&mut self, tls: Result<thread_mqtt_tls::Config, SetupError>) {
        if let Tls::Awaited = self.tls {
            self.tls = tls.map_or_else(Tls::Failed, Tls::Ready);
        }
    }

    /// Supplies the state of the network, its prefixes and its servers. Call it as often as you
    /// like.
    ///
    /// An established connection survives a short detachment: TCP and the keep-alive decide. It
    /// does not survive the prefix it was made with.
    #[inline(never)]
    pub fn handle_network(&mut self, network: &Network, now: Duration) {
        if self.network == *network {
            return;
        }
        let before = mem::replace(&mut self.network, network.clone());
        let stale = self.resolver.handle_network(network, now);
        // What failed may work now: see `look_at_network`.
        let is_new =
            |one: &AdvertisedPrefix| before.prefixes.iter().all(|old| old.prefix != one.prefix);
        // A resolution in progress uses it already.
        let gained = !matches!(self.state, State::Timing | State::Resolving)
            && network.prefixes.iter().any(is_new);
        let is_better = network.attached && (stale || gained || !before.attached);
        self.news |= is_better && self.was_attached;
        self.was_attached |= network.attached;
        self.away |= !network.attached;
        match &self.state {
            State::Timing if !network.attached => self.fail(Stage::Time, Cause::NetworkLost, now),
            State::Resolving if !network.attached => {
                self.fail(Stage::Resolve, Cause::NetworkLost, now)
            }
            State::Timing | State::Resolving => self.take_report(now),
            State::Connecting { .. } if !network.attached => {
                self.fail(Stage::Tcp, Cause::NetworkLost, now);
            }
            State::Connecting {
                turn: Turn { candidate, .. },
                ..
            }
            | State::Securing { candidate, .. }
            | State::Up { candidate, .. }
                if withdrawn(candidate, network) =>
            {
                let stage = self.stage().unwrap_or(Stage::Tcp);
                self.fail(stage, Cause::PrefixWithdrawn, now);
            }
            _ => {}
        }
    }

    /// Supplies the wall clock time, or `None` if there is none. Certificates are checked against
    /// it.
    ///
    /// It is trusted: once a certificate was valid at this time, it raises the
    /// [floor](Self::time_floor), which survives a reboot. Do not pass the time of an
    /// unauthenticated server; configure that server in [`TimeConfig`](crate::TimeConfig) instead.
    /// A time before the floor means that the clock was never set, and is ignored.
    pub fn handle_unix_time(&mut self, unix_seconds: Option<u64>, now: Duration) {
        let believed = self.clock.tell(unix_seconds, now);
        match (&mut self.state, believed) {
            (State::Securing { connection, .. }, Some(seconds)) => connection.set_time(seconds),
            (State::Up { stream, .. }, Some(seconds)) => stream.set_time(seconds),
            (State::Timing, Some(_)) => self.resolve(now),
            (State::Waiting { for_time: true }, Some(_)) => {
                self.begin_anew(now);
            }
            _ => {}
        }
    }

    /// Reports that the connection requested by [`Action::TcpConnect`](crate::Action::TcpConnect)
    /// is established.
    #[inline(never)]
    pub fn handle_tcp_connected(&mut self, now: Duration) {
        if self.resolver.uses_tcp() {
            return self.resolver.handle_tcp_connected();
        }
        let State::Connecting { turn, .. } = &self.state else {
            return;
        };
        let candidate = turn.candidate;
        self.away = !self.network.attached;
        self.alarms.cancel(Alarm::TcpConnect);
        let broker = self.targets.uri();
        let (port, scheme, name) = (broker.port, broker.scheme, server_name(&broker.host));
        self.reached(Reached::Tcp(candidate, port));
        let tls = match self.tls.config() {
            Some(tls) if scheme == Scheme::Mqtts => tls,
            _ => {
                self.greet(candidate, Stream::plain(), now);
                return;
            }
        };
        match Connection::new(tls, &name, self.clock.certificate_time(now)) {
            Ok(connection) => {
                self.alarms
                    .start(Alarm::TlsHandshake, now, self.timers.tls_handshake);
                self.state = State::Securing {
                    candidate,
                    connection: Box::new(connection),
                };
            }
            Err(error) => self.fail(Stage::Tls, Cause::Tls(error), now),
        }
    }

    /// Takes bytes received over TCP, from the broker or a DNS server. Returns how many were taken;
    /// offer the rest again after the next output. (Back-pressure: the session's buffers or the
    /// application's events are full.)
    #[inline(never)]
    pub fn handle_tcp_data(&mut self, data: &[u8], now: Duration) -> usize {
        if self.resolver.uses_tcp() {
            self.resolver.handle_tcp_data(data, now);
            self.take_report(now);
            return data.len();
        }
        self.away = !self.network.attached;
        let mut taken = 0;
        if let State::Securing { connection, .. } = &mut self.state {
            match connection.handle_ciphertext(data) {
                Ok(n) => taken = n,
                Err(error) => {
                    self.fail(Stage::Tls, Cause::Tls(error), now);
                    return data.len();
                }
            }
            if connection.is_handshaking() && connection.is_peer_closed() {
                let error = TlsError::ClosedInHandshake { answered: true };
                self.fail(Stage::Tls, Cause::Tls(error), now);
                return data.len();
            }
            self.promote(now);
        }
        let rest = data.get(taken..).unwrap_or_default();
        match &mut self.state {
            State::Up { stream, .. } => match stream.receive(rest, &mut self.session, now) {
                Ok(n) => {
                    self.learn_silence(now);
                    self.notice_answer(now);
                    taken + n
                }
                Err(cause) => {
                    self.fail_up(cause, now);
                    data.len()
                }
            },
            State::Securing { .. } => taken,
            // The connection is over.
            _ => data.len(),
        }
    }

    /// Reports that the connection failed or the peer closed it. Pass all bytes received before to
    /// [`handle_tcp_data`](Self::handle_tcp_data) first.
    pub fn handle_tcp_closed(&mut self, error: TcpError, now: Duration) {
        if self.resolver.uses_tcp() {
            self.resolver.handle_tcp_closed(now);
            return self.take_report(now);
        }
        match &mut self.state {
            State::Connecting { .. } => self.next_candidate(error, false, now),
            State::Securing { connection, .. } => {
                let cause = match error {
                    TcpError::Closed | TcpError::Reset => {
                        connection.handle_eof().err().map(Cause::Tls)
                    }
                    _ => None,
                };
                self.fail(Stage::Tls, cause.unwrap_or(Cause::Tcp(error)), now);
            }
            State::Up { .. } => self.fail_up(Cause::Tcp(error), now),
            // Nothing more can be sent.
            State::Closing { stream, .. } => *stream = None,
            _ => {}
        }
    }

    /// Takes a datagram from a DNS or time server to the local port `to_port`.
    #[inline(never)]
    pub fn handle_datagram(
        &mut self,
        from: SocketAddrV6,
        to_port: u16,
        payload: &[u8],
        now: Duration,
    ) {
        if self
            .timing
            .source()
            .handle_datagram(from, to_port, payload, now)
        {
            return self.advance_time(now);
        }
        self.resolver.handle_datagram(from, to_port, payload, now);
        self.take_report(now);
    }

    /// Reports that a datagram to a DNS or time server was not delivered. For a time server it
    /// counts as lost.
    pub fn handle_undelivered(&mut self, to: SocketAddrV6, error: UdpError, now: Duration) {
        self.resolver.handle_undelivered(to, error, now);
        self.take_report(now);
    }

    /// Takes the platform's answer to [`Action::PlatformLookup`](crate::Action::PlatformLookup).
    pub fn handle_platform_lookup(
        &mut self,
        answer: Result<Vec<IpAddr>, LookupError>,
        now: Duration,
    ) {
        self.resolver.handle_platform_lookup(answer, now);
        self.take_report(now);
    }

    /// Reports that the generator passed to [`poll_action`](Self::poll_action) had no entropy. What
    /// that call returned must not be used: a guessable DNS query is worse than none. The generator
    /// returns ones from then on, which make the pause to the next attempt the longest.
    pub fn handle_entropy_failure(&mut self, code: i32, now: Duration) {
        if let Some(stage) = self.stage() {
            self.fail(stage, Cause::NoEntropy(code), now);
        }
    }

    /// Handles the passing of time.
    #[inline(never)]
    pub fn handle_timeout(&mut self, now: Duration) {
        while let Some(alarm) = self.alarms.pop(now) {
            match alarm {
                Alarm::TcpConnect => self.next_candidate(TcpError::TimedOut, true, now),
                Alarm::TlsHandshake => self.fail(Stage::Tls, Cause::HandshakeTimedOut, now),
                Alarm::Close => {
                    if let State::Closing { stream, .. } = &mut self.state {
                        *stream = None;
                    }
                }
                Alarm::Backoff => self.begin_anew(now),
                Alarm::Return => self.return_is_due(now),
            }
        }
        // Before the search for the time ends, which may need to know why a name has no address.
        self.resolver.handle_timeout(now);
        self.take_report(now);
        self.timing.source().handle_timeout(now);
        self.advance_time(now);
        // Also while offline, because messages expire.
        if let Err(error) = self.session.handle_timeout(now) {
            if let State::Up { .. } = self.state {
                self.fail_up(Cause::Mqtt(error), now);
            }
        }
    }
}

/// Returns the name that the certificate must contain; TLS removes a final dot.
fn server_name(host: &Host) -> String {
    let address: &dyn Display = match host {
        Host::Name(name) => name,
        Host::Ipv4(address) => address,
        Host::Ipv6(address) => address,
    };
    address.to_string()
}
