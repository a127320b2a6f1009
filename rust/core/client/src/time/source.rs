//! The interface of a source of time, through which the client uses it.
use super::TimeError;
use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddrV6;
use core::time::Duration;
use rand_core::Rng;
use thread_mqtt_resolve::Host;
use thread_mqtt_resolve::resolver::{Candidate, Report};

/// A state machine that finds out the time, beside the resolver. It has no sockets, clock or
/// resolver of its own: names and datagrams are outputs, their results are inputs.
///
/// After [`start`](Self::start) and after every input, call the outputs until they return nothing.
/// Spurious inputs are harmless.
pub(crate) trait TimeSource: fmt::Debug + Send {
    /// Starts a search and drops any in progress. `floor` is a time known to have passed, in Unix
    /// seconds.
    fn start(&mut self, floor: u64, now: Duration);

    /// Drops a search in progress, without an outcome.
    fn cancel(&mut self);

    /// Notes that the last time supplied may be wrong: query another server first. Returns whether
    /// there is one that was not doubted recently.
    fn doubt(&mut self, now: Duration) -> bool;

    /// Handles the result of resolving the name of [`poll_lookup`](Self::poll_lookup).
    fn handle_report(&mut self, report: Report, now: Duration);

    /// Handles a datagram. Returns false if it does not answer the current query.
    fn handle_datagram(
        &mut self,
        from: SocketAddrV6,
        to_port: u16,
        payload: &[u8],
        now: Duration,
    ) -> bool;

    /// Handles the passing of time.
    fn handle_timeout(&mut self, now: Duration);

    /// Returns when to call [`handle_timeout`](Self::handle_timeout) next.
    fn poll_timeout(&self) -> Option<Duration>;

    /// Returns a name to resolve, and when its report is due at the latest.
    fn poll_lookup(&mut self) -> Option<(Host, Duration)>;

    /// Returns a datagram to send.
    fn poll_transmit(&mut self, rng: &mut dyn Rng) -> Option<Datagram>;

    /// Returns whether to close the local ports used so far; true once.
    fn poll_close(&mut self) -> bool;

    /// Returns how the search ended; once.
    fn poll_outcome(&mut self) -> Option<Result<Told, TimeError>>;
}

/// A datagram to send.
#[derive(Debug)]
pub(crate) struct Datagram {
    /// The local port.
    pub(crate) from_port: u16,
    /// The server.
    pub(crate) to: SocketAddrV6,
    /// The message.
    pub(crate) payload: Vec<u8>,
}

/// The time, and the server that supplied it.
#[derive(Debug)]
pub(crate) struct Told {
    /// Unix seconds.
    pub(crate) seconds: u64,
    /// The server.
    pub(crate) server: Candidate,
}
