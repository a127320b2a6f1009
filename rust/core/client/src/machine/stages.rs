//! The way up: from the network to CONNACK, and to a stable connection.
use super::ending::Ending;
use super::{Client, State, Tls, learner};
use crate::action::Action;
use crate::addresses::Fault;
use crate::alarms::{Alarm, is_due, later};
use crate::backoff::spread;
use crate::brokers::{GUESSES, Known};
use crate::error::{Cause, TcpError};
use crate::event::{Event, Reached, Stage};
use crate::stream::Stream;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::mem;
use core::net::SocketAddrV6;
use core::time::Duration;
use rand_core::Rng;
use thread_mqtt_resolve::Scheme;
use thread_mqtt_resolve::resolver::Candidate;

/// An address to try, now or later.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    pub(super) candidate: Candidate,
    /// It gets the full time: there is no other address, or it was passed over before.
    whole: bool,
}

impl Client {
    /// Makes the next output begin an attempt, if there is a network.
    pub(super) fn begin_anew(&mut self, _now: Duration) {
        self.alarms.clear();
        // What is known now does not count as an improvement.
        self.news = false;
        self.state = State::Attaching;
    }

    /// Begins when there is a network, and ends the pause early if the network improves: but not at
    /// the same instant as every other device that sees it, and not each time that it flaps.
    pub(super) fn look_at_network(&mut self, now: Duration, rng: &mut dyn Rng) {
        match (&self.state, &self.tls) {
            (State::Attaching, Tls::Failed(error)) => return self.give_up(error.clone()),
            (State::Attaching, Tls::Awaited) => return,
            _ => {}
        }
        // An improvement during an attempt, or while closing, counts for the next one.
        let news = match &self.state {
            State::Attaching | State::Waiting { .. } | State::Up { .. } => {
                mem::take(&mut self.news)
            }
            _ => return,
        };
        if !self.network.attached {
            return;
        }
        match &self.state {
            State::Attaching if !news => self.begin(now, rng),
            State::Attaching => {
                let pause = spread(self.timers.network_jitter, rng);
                self.alarms.start(Alarm::Backoff, now, pause);
                self.state = State::Waiting { for_time: false };
            }
            State::Waiting { .. } if news => {
                let wait = self.budget.wait(now);
                let latest = later(now, later(wait, self.timers.network_jitter));
                // Keep an attempt that is due by then anyway, perhaps because of the same change.
                if !is_due(self.alarms.due(Alarm::Backoff), latest) {
                    self.budget.take(now);
                    let pause = later(wait, spread(self.timers.network_jitter, rng));
                    self.alarms.start(Alarm::Backoff, now, pause);
                }
            }
            _ => {}
        }
    }

    fn begin(&mut self, now: Duration, rng: &mut dyn Rng) {
        if self.targets.draw_first(rng) {
            self.tell_broker();
        }
        self.reached(Reached::Attached);
        self.announced_prefix = false;
        let is_secure = self.targets.uri().scheme == Scheme::Mqtts;
        if is_secure && self.clock.is_stale(self.timing.refresh(), now) {
            self.learn_time(now);
        } else {
            self.resolve(now);
        }
    }

    /// Tries these addresses in turn; `order` is not empty.
    ///
    /// A port has a single TCP connection, because a device has memory for one. So addresses are
    /// not raced (RFC 8305 section 5), but a silent one gets little time while there are others.
    pub(super) fn connect_in_turn(&mut self, order: &[Candidate], now: Duration) {
        let last = order.len().saturating_sub(1);
        let turn = |(place, candidate): (usize, &Candidate)| Turn {
            candidate: *candidate,
            whole: place == last,
        };
        self.connect(order.iter().enumerate().map(turn).collect(), now);
    }

    fn connect(&mut self, mut rest: Vec<Turn>, now: Duration) {
        if rest.is_empty() {
            return;
        }
        let turn = rest.remove(0);
        let to = SocketAddrV6::new(turn.candidate.address, self.targets.uri().port, 0, 0);
        self.actions.push(Action::TcpConnect(to));
        self.tcp_open = true;
        let patience = match turn.whole {
            true => self.timers.tcp_connect,
            false => self.timers.next_address.min(self.timers.tcp_connect),
        };
        self.alarms.start(Alarm::TcpConnect, now, patience);
        self.state = State::Connecting { turn, rest };
    }

    /// Moves on to the next address, if there is one. `was_silent`: the current one did not answer
    /// in time.
    pub(super) fn next_candidate(&mut self, error: TcpError, was_silent: bool, now: Duration) {
        let State::Connecting { turn, rest } = &mut self.state else {
            return;
        };
        let (turn, mut rest) = (*turn, mem::take(rest));
        self.alarms.cancel(Alarm::TcpConnect);
        self.tell(Event::CandidateFailed(turn.candidate, Cause::Tcp(error)));
        if was_silent && !turn.whole {
            rest.push(Turn {
                whole: true,
                ..turn
            });
        } else {
            let addresses = &mut self.targets.current_mut().addresses;
            addresses.blame(turn.candidate.address, Fault::NoBroker);
        }
        if rest.is_empty() {
            // The name may have new addresses.
            let host = self.targets.uri().host.clone();
            self.resolver.forget(&host);
            if mem::take(&mut self.half_missing) {
                self.close_tcp(true);
                return self.resolve_patiently(true, now);
            }
            self.fail(Stage::Tcp, Cause::Tcp(error), now);
        } else {
            self.close_tcp(true);
            self.connect(rest, now);
        }
    }

    /// Moves from TLS to MQTT, once the handshake is done.
    pub(super) fn promote(&mut self, now: Duration) {
        let State::Securing { connection, .. } = &self.state else {
            return;
        };
        let Some(agreed) = connection.agreed() else {
            return;
        };
        let agreed = agreed.clone();
        self.alarms.cancel(Alarm::TlsHandshake);
        // A resumed session only shows the certificate that was checked then.
        if !agreed.resumed {
            let issued = connection.issued();
            self.clock.prove(issued, now);
        }
        self.reached(Reached::Tls(agreed));
        if let State::Securing {
            candidate,
            connection,
        } = mem::replace(&mut self.state, State::Idle)
        {
            self.greet(candidate, Stream::tls(connection), now);
        }
    }

    /// Starts MQTT. A session belongs to the broker that holds it, so another broker gets a new
    /// one. The same broker does too if its session contains something that this side cannot
    /// process.
    pub(super) fn greet(&mut self, candidate: Candidate, stream: Stream, now: Duration) {
        let here = self.targets.uri();
        let elsewhere = self.session_at.as_ref().is_some_and(|at| at != here);
        self.session
            .start_anew(elsewhere && !self.cluster || self.cannot_take_session());
        if self.session.is_durable() {
            let here = here.to_string();
            self.session.set_peer(&here);
        }
        let version = match self.targets.current().version {
            Known::Nothing => self.version,
            Known::Tried(version) | Known::Speaks(version) => version,
        };
        self.session.set_version(version);
        if let Some(learner) = learner(&mut self.learner) {
            let announced = learner.begin(now);
            self.session.set_keep_alive(announced);
            self.session.set_ping_after(Some(learner.silence()));
        }
        self.state = State::Up {
            candidate,
            stream,
            since: None,
            stable: false,
        };
        match self.session.connect_room() {
            Ok(()) => self.session.connect(now),
            Err(error) => self.fail(Stage::Mqtt, Cause::Mqtt(error), now),
        }
    }

    /// Handles bytes from the broker, perhaps its CONNACK. The session's events wait in the session
    /// until the application takes them: its queue holds the broker back.
    pub(super) fn notice_answer(&mut self, now: Duration) {
        let State::Up { since, .. } = &mut self.state else {
            return;
        };
        if since.is_none() && self.session.is_connected() {
            *since = Some(now);
            self.note_acceptance();
        }
    }

    /// Notes that the broker has accepted the session.
    pub(super) fn note_acceptance(&mut self) {
        if self.session.was_accepted() {
            if self.cannot_take_session() {
                self.undigested = 0;
            }
            self.session_at = Some(self.targets.uri().clone());
            let version = self.session.version();
            let target = self.targets.current_mut();
            let was_tried = matches!(target.version, Known::Tried(_));
            target.version = Known::Speaks(version);
            if cfg!(feature = "fallback-v311") {
                if version == self.version {
                    target.unanswered = Some(0);
                    target.guesses = 0;
                } else {
                    target.guesses = target.guesses.saturating_add(was_tried.into());
                    // It may support the configured version: the next connection starts with it.
                    if target.guesses < GUESSES || target.unanswered.is_some() {
                        target.version = Known::Nothing;
                    }
                }
            }
        }
    }

    /// Returns whether the broker holds a message that this side cannot process. It arrives again
    /// on each connection, before it can be identified.
    pub(super) fn cannot_take_session(&self) -> bool {
        self.suspect_after != 0 && self.undigested >= self.suspect_after
    }

    /// Returns whether the connection is stable: the broker has answered more than CONNECT, and
    /// some time has passed.
    pub(super) fn is_stable(&self, now: Duration) -> bool {
        match self.state {
            State::Up {
                since: Some(since), ..
            } => {
                let age = now.saturating_sub(since);
                self.session.was_answered() && is_due(Some(self.timers.stable_after), age)
            }
            _ => false,
        }
    }

    /// Notes, once, that the connection is stable.
    pub(super) fn notice_stability(&mut self, now: Duration) {
        let is_stable = self.is_stable(now);
        match &mut self.state {
            State::Up {
                candidate,
                stable: stable @ false,
                ..
            } if is_stable => {
                *stable = true;
                self.targets.current_mut().addresses.praise(candidate);
                self.backoff.reset();
            }
            _ => {}
        }
    }

    /// Updates what is known about the path when bytes have arrived.
    pub(super) fn learn_silence(&mut self, now: Duration) {
        let Some(learner) = learner(&mut self.learner) else {
            return;
        };
        let learnt = learner.received(now);
        self.session.set_ping_after(Some(learner.silence()));
        if learnt {
            let proven = learner.proven();
            let wants_room = learner.wants_room();
            self.tell(Event::KeepAlive(proven));
            // The keep-alive is part of CONNECT. Reconnect for it, which happens rarely, when idle.
            if wants_room && self.is_online() && self.session.is_idle() {
                self.end_in_good_order(Ending::Renewing, now);
            }
        }
    }
}
