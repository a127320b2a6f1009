//! What a source of time does. The client knows its sources by this alone.
use super::TimeError;
use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddrV6;
use core::time::Duration;
use rand_core::Rng;
use thread_mqtt_resolve::Host;
use thread_mqtt_resolve::resolver::{Candidate, Report};

/// A machine that finds out the time, beside the resolver. It has no sockets, no clock and no
/// resolver of its own: names and datagrams are outputs, what becomes of them are inputs.
///
/// After [`start`](Self::start) and after every input, call the outputs until they return nothing.
/// Spurious inputs are harmless.
pub(crate) trait TimeSource: fmt::Debug + Send {
    /// Begins to ask; a search under way is dropped. `floor` are Unix seconds that have passed.
    fn start(&mut self, floor: u64, now: Duration);

    /// Drops a search under way, without an outcome.
    fn cancel(&mut self);

    /// The time told last turned out to be wrong: ask elsewhere first.
    fn doubt(&mut self);

    /// What became of the name of [`poll_lookup`](Self::poll_lookup).
    fn handle_report(&mut self, report: Report, now: Duration);

    /// A datagram that arrived. False if it does not answer the question under way.
    fn handle_datagram(
        &mut self,
        from: SocketAddrV6,
        to_port: u16,
        payload: &[u8],
        now: Duration,
    ) -> bool;

    /// Time has passed.
    fn handle_timeout(&mut self, now: Duration);

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called next.
    fn poll_timeout(&self) -> Option<Duration>;

    /// A name to resolve, and when its report is wanted at the latest.
    fn poll_lookup(&mut self) -> Option<(Host, Duration)>;

    /// A datagram to send.
    fn poll_transmit(&mut self, rng: &mut dyn Rng) -> Option<Datagram>;

    /// Whether the local ports used so far are to be closed; true once.
    fn poll_close(&mut self) -> bool;

    /// How the search ended; once.
    fn poll_outcome(&mut self) -> Option<Result<Told, TimeError>>;
}

/// A datagram to send.
#[derive(Debug)]
pub(crate) struct Datagram {
    /// Local port.
    pub(crate) from_port: u16,
    /// The server.
    pub(crate) to: SocketAddrV6,
    /// The message.
    pub(crate) payload: Vec<u8>,
}

/// The time, and who told it.
#[derive(Debug)]
pub(crate) struct Told {
    /// Unix seconds.
    pub(crate) seconds: u64,
    /// The server.
    pub(crate) server: Candidate,
}
