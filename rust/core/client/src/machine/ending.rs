//! Ending an attempt or a connection: why, what is still sent, and what comes next.
use super::{Client, State, learner};
use crate::addresses::Fault;
use crate::alarms::Alarm;
use crate::backoff::spread;
use crate::brokers::{GUESSES, Known, SEVERAL};
use crate::config::Retry;
use crate::error::{Cause, SetupError, TcpError};
use crate::event::{Event, Stage};
use crate::keepalive::Death;
use crate::stream::Stream;
use crate::time::source::TimeSource;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;
use core::time::Duration;
use rand_core::Rng;
use thread_mqtt_resolve::BrokerUri;
use thread_mqtt_session::{ReasonCode, SessionError, Version};

/// What follows [`State::Closing`].
#[derive(Debug)]
pub(super) enum Ending {
    Failed {
        stage: Stage,
        cause: Cause,
        /// The connection had been stable.
        stable: bool,
        /// The next attempt is not a mere repetition: it omits what may have made this one fail,
        /// requests the missing clean start, resumes what was too much for one connection, or asks
        /// another time server.
        goes_on: bool,
    },
    Stopped,
    /// A preferred broker is tried.
    Returning,
    /// The same broker, with another keep-alive.
    Renewing,
}

/// Final bytes of a connection: an alert, DISCONNECT, close_notify.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LastWords {
    /// There may be none.
    None,
    /// Some are not with TCP yet.
    Begun,
    /// All are with TCP; the peer should close first.
    Said,
}

/// How long the peer may take to close first. What it sends meanwhile is read and dropped: unread,
/// it would turn the FIN into a RST, which may overtake the final bytes.
const LINGER: Duration = Duration::from_millis(500);

/// CONNECTs in a row that a broker may close without an answer before the other version is tried,
/// even though it accepted the configured one earlier: it may have been replaced.
const UNANSWERED: u8 = 8;

/// How long a return to a preferred broker is postponed each time while messages are in flight, at
/// most [`PATIENCE`] times.
const MOMENT: Duration = Duration::from_secs(10);
const PATIENCE: u8 = 6;

impl Client {
    /// Handles a failure after TLS. A client certificate refused under TLS 1.3 shows only here.
    pub(super) fn fail_up(&mut self, cause: Cause, now: Duration) {
        let stage = match cause {
            Cause::Tls(_) if !self.session.was_accepted() => Stage::Tls,
            _ => Stage::Mqtt,
        };
        let cause = match cause {
            Cause::Tcp(TcpError::Closed | TcpError::Reset) if !self.session.was_accepted() => {
                Cause::ClosedBeforeConnack
            }
            cause => cause,
        };
        self.fail(stage, cause, now);
    }

    /// Ends the attempt or the connection.
    pub(super) fn fail(&mut self, stage: Stage, cause: Cause, now: Duration) {
        let stable = self.is_stable(now);
        // If the network was away, that explains these: do not blame a message, an address or
        // silence.
        let is_late = matches!(cause, Cause::Mqtt(SessionError::AckTimeout { .. }));
        let was_away = self.away && (is_late || is_silent_death(&cause));
        self.note_acceptance();
        match &self.state {
            State::Up { candidate, .. } if stable => {
                self.targets.current_mut().addresses.praise(candidate);
            }
            _ if was_away || is_out_of_memory(&cause) => {}
            State::Securing { candidate, .. } | State::Up { candidate, .. } => {
                let fault = match self.session.was_accepted() {
                    true => Fault::NotStable,
                    false => Fault::NoBroker,
                };
                let addresses = &mut self.targets.current_mut().addresses;
                addresses.blame(candidate.address, fault);
            }
            _ => {}
        }
        if is_silent_death(&cause) && !was_away {
            self.learn_death(
                match cause {
                    Cause::Tcp(TcpError::Closed) => Death::Closed,
                    Cause::Tcp(TcpError::Reset) => Death::Reset,
                    _ => Death::Silent,
                },
                now,
            );
        }
        let goes_on = matches!(&cause, Cause::Mqtt(error) if self.session.goes_on_after(*error));
        // `Up` even before CONNACK is noted: both may have arrived together.
        let undigested = !goes_on
            && matches!(&self.state, State::Up { .. })
            && match &cause {
                Cause::Tls(error) => error.is_too_large(),
                Cause::Mqtt(error) => error.comes_again(),
                _ => false,
            };
        if stable || goes_on {
            self.undigested = 0;
        }
        self.undigested = self.undigested.saturating_add(undigested.into());
        let goes_on = match &self.state {
            // A TLS session is offered only once and comes from a completed handshake, so this
            // cannot repeat for ever.
            State::Securing { connection, .. } => connection.offered_session(),
            _ => goes_on,
        };
        let (stream, words) = self.leave();
        let another_time =
            cause.contradicts_time() && self.clock.doubt() && self.timing.source().doubt(now);
        // Tell the peer what it did wrong, by a TLS alert or an MQTT 5 DISCONNECT, and answer a
        // close_notify.
        let stream = stream.filter(|stream| {
            let may_speak = matches!(cause, Cause::Tls(_) | Cause::Mqtt(_));
            may_speak || stream.is_peer_closed()
        });
        match cause {
            _ if was_away => self.session.handle_network_lost(),
            Cause::Mqtt(_) => {}
            // No more MQTT on this connection: no message is to blame for the network.
            Cause::NetworkLost | Cause::PrefixWithdrawn => self.session.handle_network_lost(),
            // Nor for the input.
            Cause::Tls(_) if undigested => self.session.handle_network_lost(),
            _ => self.session.handle_transport_closed(),
        }
        let ending = Ending::Failed {
            stage,
            cause,
            stable,
            goes_on: goes_on || another_time,
        };
        self.close(stream, words, ending, now);
    }

    /// Stops before any attempt: without TLS there is nothing to try.
    pub(super) fn give_up(&mut self, error: SetupError) {
        self.state = match self.retry {
            Retry::Forever => State::Unusable,
            Retry::Never => State::Idle,
        };
        self.tell(Event::Failed {
            stage: Stage::Tls,
            cause: Cause::Setup(error),
            retry_in: None,
        });
    }

    fn learn_death(&mut self, death: Death, now: Duration) {
        let accepted = self.session.was_accepted();
        if let (Some(learner), true) = (learner(&mut self.learner), accepted) {
            if learner.died(death, now) {
                let proven = learner.proven();
                self.tell(Event::KeepAlive(proven));
            }
        }
    }

    /// Sends DISCONNECT, close_notify and FIN.
    pub(super) fn end_in_good_order(&mut self, ending: Ending, now: Duration) {
        // Without traffic nothing has checked since.
        self.notice_stability(now);
        if let State::Up { .. } = self.state {
            self.session.disconnect();
        }
        let (stream, words) = self.leave();
        self.close(stream, words, ending, now);
    }

    /// Abandons what is in progress. On a connection there may be final bytes to send.
    fn leave(&mut self) -> (Option<Stream>, LastWords) {
        match mem::replace(&mut self.state, State::Idle) {
            State::Securing { connection, .. } => {
                return (Some(Stream::tls(connection)), LastWords::None);
            }
            State::Up { stream, .. } => return (Some(stream), LastWords::None),
            State::Closing { stream, words, .. } => return (stream, words),
            State::Timing => self.end_search(),
            State::Resolving => self.resolver.cancel(),
            State::Idle
            | State::Unusable
            | State::Attaching
            | State::Connecting { .. }
            | State::Waiting { .. } => {}
        }
        (None, LastWords::None)
    }

    fn close(&mut self, stream: Option<Stream>, words: LastWords, ending: Ending, now: Duration) {
        self.alarms.clear();
        if stream.is_some() {
            self.alarms.start(Alarm::Close, now, self.timers.close);
        }
        self.state = State::Closing {
            stream,
            ending,
            words,
        };
    }

    /// Leaves [`State::Closing`] when the final bytes are sent and the peer has closed, as it does
    /// after DISCONNECT, a fatal alert or close_notify, or when it has not within [`LINGER`].
    /// Leaves at once if the peer has no reason to close, for example if the handshake failed on
    /// this side.
    #[inline(never)]
    pub(super) fn settle(&mut self, now: Duration, rng: &mut dyn Rng) {
        let State::Closing { stream, words, .. } = &mut self.state else {
            return;
        };
        let mut abort = *words != LastWords::Said;
        if let Some(stream) = stream {
            let mut speaks = !stream.transmit(&mut self.session, now).is_empty();
            if !speaks && stream.close() {
                speaks = !stream.transmit(&mut self.session, now).is_empty();
            }
            match *words {
                LastWords::None if speaks => *words = LastWords::Begun,
                LastWords::Begun if !speaks => {
                    *words = LastWords::Said;
                    self.alarms.start(Alarm::Close, now, LINGER);
                }
                _ => {}
            }
            if *words != LastWords::None {
                return;
            }
            // Keep what TCP still holds.
            abort = false;
        }
        let last = mem::replace(&mut self.state, State::Idle);
        let State::Closing { ending, .. } = last else {
            return;
        };
        self.alarms.clear();
        self.close_tcp(abort);
        match ending {
            Ending::Failed { .. } => self.session.handle_transport_closed(),
            // This side ended it.
            _ => self.session.handle_network_lost(),
        }
        match ending {
            Ending::Stopped => self.tell(Event::Stopped),
            Ending::Returning if SEVERAL => {
                self.targets.go_back(rng);
                self.tell_broker();
                self.begin_anew(now);
            }
            Ending::Renewing | Ending::Returning => self.begin_anew(now),
            Ending::Failed {
                stage,
                cause,
                stable,
                goes_on,
            } => self.go_on(stage, cause, stable, goes_on, now, rng),
        }
    }

    /// Decides on the next attempt after a failure: when, with which broker, in which version.
    fn go_on(
        &mut self,
        stage: Stage,
        mut cause: Cause,
        stable: bool,
        goes_on: bool,
        now: Duration,
        rng: &mut dyn Rng,
    ) {
        let before = SEVERAL.then(|| self.targets.uri().clone());
        let mut version = None;
        let retry_in = match self.retry {
            Retry::Never => None,
            Retry::Forever => {
                if stable {
                    self.backoff.reset();
                    self.targets.succeeded(rng);
                    self.hopeless = true;
                }
                version = self.other_version(&cause);
                // The broker wants to be left, even if it names no usable server (section 4.11).
                let sent_away = is_redirect(&cause);
                let redirected = sent_away && self.follow_redirect(&mut cause, before.as_ref());
                self.hopeless &= cause.needs_a_person();
                Some(if redirected || version.is_some() || goes_on {
                    self.backoff.short(rng)
                } else if stable && !sent_away
                    || is_out_of_memory(&cause)
                    || self.targets.failed(rng)
                {
                    let patient = mem::replace(&mut self.hopeless, true);
                    self.backoff.next(patient, rng)
                } else {
                    // Another broker, which did nothing wrong.
                    self.backoff.short(rng)
                })
            }
        };
        if let Some(pause) = retry_in {
            self.alarms.start(Alarm::Backoff, now, pause);
            let for_time = matches!(cause, Cause::Time(_));
            self.state = State::Waiting { for_time };
        }
        self.tell(Event::Failed {
            stage,
            cause,
            retry_in,
        });
        if let Some(version) = version {
            self.tell(Event::Version(version));
        }
        if before.is_some_and(|before| *self.targets.uri() != before) {
            self.tell_broker();
        }
    }

    /// Returns the version to try next, if the broker seems not to support the current one.
    fn other_version(&mut self, cause: &Cause) -> Option<Version> {
        if !cfg!(feature = "fallback-v311") {
            return None;
        }
        let is_unknown = cause.may_be_the_version();
        let target = self.targets.current_mut();
        // The broker has changed: try the configured version first.
        if let (Known::Speaks(spoken), true) = (target.version, cause.is_the_version()) {
            target.version = Known::Nothing;
            if spoken != self.version {
                return Some(self.version);
            }
        }
        match (target.version, &mut target.unanswered) {
            // A restarting broker, or a proxy in front of it, may close as well.
            (Known::Speaks(spoken), Some(unanswered)) if spoken == self.version && is_unknown => {
                *unanswered += 1;
                if *unanswered < UNANSWERED {
                    return None;
                }
                target.version = Known::Nothing;
            }
            _ => {}
        }
        match target.version {
            Known::Nothing if is_unknown && self.fallback_to_v311 => {
                let version = Version::V311;
                // The configured version is the only one.
                if self.version == version || !self.session.set_version(version) {
                    return None;
                }
                target.version = Known::Tried(version);
                if cause.is_the_version() {
                    target.guesses = GUESSES;
                }
                Some(version)
            }
            // The version was not the cause. If the configured one was ever accepted, every ninth
            // try uses this one.
            Known::Tried(_) => {
                target.version = match &mut target.unanswered {
                    Some(unanswered) => {
                        *unanswered = 0;
                        Known::Speaks(self.version)
                    }
                    None => Known::Nothing,
                };
                None
            }
            _ => None,
        }
    }

    /// Plans the return to a preferred broker, if the current one is not preferred: once, as soon
    /// as it has accepted the session. An idle connection may have no later reason to wake up.
    pub(super) fn plan_return(&mut self, now: Duration, rng: &mut dyn Rng) {
        if self.alarms.due(Alarm::Return).is_some() || !self.is_online() {
            return;
        }
        if let (Some(after), false) = (self.return_after, self.targets.is_preferred()) {
            let after = after.saturating_mul(self.targets.return_factor());
            let pause = after / 2 + spread(after, rng);
            self.alarms.start(Alarm::Return, now, pause);
            self.returns_waited = 0;
        }
    }

    /// Returns to a preferred broker: when no messages are in flight, if that happens soon.
    pub(super) fn return_is_due(&mut self, now: Duration) {
        if !self.is_online() {
            return;
        }
        if self.session.is_idle() || self.returns_waited >= PATIENCE {
            self.end_in_good_order(Ending::Returning, now);
        } else {
            self.returns_waited += 1;
            self.alarms.start(Alarm::Return, now, MOMENT);
        }
    }

    /// Returns whether the broker `here` redirects to another one, which is tried next.
    fn follow_redirect(&mut self, cause: &mut Cause, here: Option<&BrokerUri>) -> bool {
        let Some(here) = here.filter(|_| SEVERAL) else {
            return false;
        };
        let lasts = cause.reason() == Some(ReasonCode::SERVER_MOVED);
        let reference = self.session.server_reference();
        let to = reference.map_or_else(Vec::new, |text| read_reference(text, here));
        if to.is_empty() || self.redirects == 0 {
            return false;
        }
        let in_circle = !self.targets.met_dead_end();
        let followed = self.targets.redirect(to, lasts, self.redirects);
        if !followed && in_circle {
            *cause = Cause::TooManyRedirects;
        }
        followed
    }
}

/// How many servers of a reference are tried: the broker decides how many it names.
const REFERENCES: usize = 4;

/// Returns the usable servers of a Server Reference, the first one last: hosts with or without a
/// port, separated by blanks (section 4.11). The scheme stays, as does the port unless another one
/// is given.
fn read_reference(text: &str, here: &BrokerUri) -> Vec<BrokerUri> {
    let read = text.split(' ').filter_map(|server| {
        let mut uri = String::from(here.scheme.as_str());
        uri.push_str("://");
        uri.push_str(server);
        let mut to: BrokerUri = uri.parse().ok()?;
        if !has_port(server) {
            to.port = here.port;
        }
        (to != *here).then_some(to)
    });
    let mut servers: Vec<_> = read.take(REFERENCES).collect();
    servers.reverse();
    servers
}

fn has_port(server: &str) -> bool {
    let host_end = server.rfind(']').unwrap_or(0);
    server
        .get(host_end..)
        .is_some_and(|rest| rest.contains(':'))
}

/// Returns whether a path may have ended the connection by dropping its state: nothing arrived any
/// more, a packet after a silence was met with RST, or a proxy closed an idle connection.
fn is_silent_death(cause: &Cause) -> bool {
    matches!(
        cause,
        Cause::Mqtt(SessionError::PingTimeout)
            | Cause::Tcp(
                TcpError::TimedOut | TcpError::Reset | TcpError::Closed | TcpError::Unreachable
            )
    )
}

/// Returns whether the broker points to another one.
fn is_redirect(cause: &Cause) -> bool {
    matches!(
        cause.reason(),
        Some(ReasonCode::USE_ANOTHER_SERVER | ReasonCode::SERVER_MOVED)
    )
}

/// Returns whether this side is short of heap: no address or broker is to blame, and another would
/// not help.
fn is_out_of_memory(cause: &Cause) -> bool {
    matches!(cause, Cause::Mqtt(SessionError::OutOfMemory { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn references_name_a_host_and_perhaps_a_port() {
        let here = "mqtts://broker.example:8884".parse().unwrap();
        for (text, uris) in [
            ("other.example", "mqtts://other.example:8884"),
            ("other.example:8883", "mqtts://other.example:8883"),
            ("192.0.2.1", "mqtts://192.0.2.1:8884"),
            ("[2001:db8::1]", "mqtts://[2001:db8::1]:8884"),
            ("[2001:db8::1]:1", "mqtts://[2001:db8::1]:1"),
            // The usable ones, in order.
            (
                "a..b 2001:db8::1 second.example third.example",
                "mqtts://second.example:8884 mqtts://third.example:8884",
            ),
            (
                "a b c d e f",
                "mqtts://a:8884 mqtts://b:8884 mqtts://c:8884 mqtts://d:8884",
            ),
            // The broker itself is not another server.
            ("broker.example", ""),
            (
                "broker.example:8884 other.example",
                "mqtts://other.example:8884",
            ),
            // The broker cannot choose the scheme.
            ("mqtt://other.example", ""),
            ("", ""),
            (" ", ""),
            ("user:word@host", ""),
        ] {
            let read = read_reference(text, &here);
            let read: Vec<_> = read.iter().rev().map(ToString::to_string).collect();
            assert_eq!(read.join(" "), uris, "{text:?}");
        }
    }
}
