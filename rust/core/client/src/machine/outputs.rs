//! The driver's outputs: actions, bytes, events, the time of the next alarm.
use super::ending::LastWords;
use super::{Client, State, learner};
use crate::action::Action;
use crate::alarms::earliest;
use crate::event::Event;
use crate::time::source::TimeSource;
use core::time::Duration;
use rand_core::Rng;
use thread_mqtt_resolve::resolver::Output;

impl Client {
    /// Returns the next action for the driver; call it until `None`. `rng` must be
    /// cryptographically secure: it supplies DNS query ids and ports, the cookies of time servers,
    /// and the jitter of the back-off.
    #[inline(never)]
    pub fn poll_action(&mut self, now: Duration, rng: &mut dyn Rng) -> Option<Action> {
        if let State::Up { stream, .. } = &mut self.state {
            match stream.pump(&mut self.session, now) {
                Ok(()) => self.notice_answer(now),
                Err(cause) => self.fail_up(cause, now),
            }
        }
        self.notice_stability(now);
        self.plan_return(now, rng);
        self.settle(now, rng);
        self.look_at_network(now, rng);
        // Before the resolver opens its own sockets.
        if self.timing.source().poll_close() {
            return Some(Action::UdpClose);
        }
        if let Some(output) = self.resolver.poll_output(now, rng) {
            return Some(match output {
                Output::Transmit {
                    from_port,
                    to,
                    payload,
                } => Action::UdpSend {
                    from_port,
                    to,
                    payload,
                },
                Output::CloseUdp => Action::UdpClose,
                Output::TcpConnect(server) => Action::TcpConnect(server),
                // A FIN would keep the connection for minutes, and a device has few connections.
                Output::TcpClose => Action::TcpClose { abort: true },
                Output::PlatformLookup { name, family } => Action::PlatformLookup { name, family },
            });
        }
        self.ask_time(rng)
            .or_else(|| (!self.actions.is_empty()).then(|| self.actions.remove(0)))
    }

    /// Returns bytes to send, in order, to the broker or a DNS server.
    pub fn transmit(&mut self, now: Duration) -> &[u8] {
        self.shown_at = now;
        match &mut self.state {
            State::Securing { connection, .. } => connection.ciphertext(),
            State::Up { stream, .. }
            | State::Closing {
                stream: Some(stream),
                ..
            } => stream.transmit(&mut self.session, now),
            _ => self.resolver.tcp_transmit(),
        }
    }

    /// Removes the first `n` bytes of [`transmit`](Self::transmit), which were passed to TCP.
    pub fn consume_transmit(&mut self, n: usize) {
        let learner = learner(&mut self.learner);
        if let (Some(learner), State::Up { .. }, 1..) = (learner, &self.state, n) {
            learner.sent(self.shown_at);
        }
        match &mut self.state {
            State::Securing { connection, .. } => connection.consume_ciphertext(n),
            State::Up { stream, .. } => stream.consume_transmit(n, &mut self.session),
            State::Closing {
                stream: Some(stream),
                words,
                ..
            } => {
                stream.consume_transmit(n, &mut self.session);
                if n > 0 && *words == LastWords::None {
                    *words = LastWords::Begun;
                }
            }
            _ => self.resolver.consume_tcp_transmit(n),
        }
    }

    /// Returns the next event; call it until `None`.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop(|| self.session.poll_event())
    }

    /// Returns when to call [`handle_timeout`](Self::handle_timeout) next.
    pub fn poll_timeout(&self) -> Option<Duration> {
        let session = self.session.poll_timeout();
        let names = earliest(self.resolver.poll_timeout(), self.timing.poll_timeout());
        earliest(earliest(self.alarms.next(), names), session)
    }
}
