//! What survives a lost connection: the session state of section 4.1 of both standards.

use alloc::string::String;
use alloc::vec::Vec;

use crate::command::Load;
use crate::config::Config;
use crate::error::SessionError;
use crate::outbox::{Filter, Outbox};

/// Identifiers of received QoS 2 messages kept at most, unless
/// [`receive_maximum`](Config::receive_maximum) is larger; 2 KiB. This and the limit on
/// undelivered events bound the memory, not the Receive Maximum: MQTT 3.1.1 has none to tell, and
/// Mosquitto 2.0.11 exceeds it when a session is resumed with messages and releases under way.
/// To cut it off for that would only make it try the same again.
const RECEIVED_IDS: usize = 1_024;

/// The session state. It lives in memory; whoever wants to keep it across a restart has to store
/// this type and nothing else.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) outbox: Outbox,
    /// Filters the broker granted.
    pub(crate) subscriptions: Vec<Filter>,
    /// QoS 2 messages delivered and not yet released by the broker.
    received: Vec<u16>,
    max_received: usize,
    /// The identifier an MQTT 5 broker assigned.
    pub(crate) client_id: Option<String>,
    /// A CONNACK was accepted before.
    pub(crate) established: bool,
}

impl State {
    pub(crate) fn new(config: &Config) -> Self {
        State {
            outbox: Outbox::new(Load {
                commands: config.outbox_messages,
                bytes: config.outbox_bytes,
            }),
            subscriptions: Vec::new(),
            received: Vec::new(),
            max_received: RECEIVED_IDS.max(config.receive_maximum.into()),
            client_id: None,
            established: false,
        }
    }

    /// A QoS 2 message arrived: `Ok(true)` if for the first time, an error if there are too many.
    pub(crate) fn receive(&mut self, packet_id: u16) -> Result<bool, SessionError> {
        if self.received.contains(&packet_id) {
            Ok(false)
        } else if self.received.len() < self.max_received {
            self.received.push(packet_id);
            Ok(true)
        } else {
            Err(SessionError::ReceiveMaximumExceeded)
        }
    }

    /// PUBREL arrived: whether the identifier was known.
    pub(crate) fn released(&mut self, packet_id: u16) -> bool {
        let found = self.received.iter().position(|id| *id == packet_id);
        found.map(|at| self.received.swap_remove(at)).is_some()
    }

    /// The broker lost the session.
    pub(crate) fn forget_received(&mut self) {
        self.received.clear();
    }

    /// The broker granted this filter, perhaps again.
    pub(crate) fn subscribed(&mut self, filter: Filter) {
        forget(&mut self.subscriptions, &filter.name);
        self.subscriptions.push(filter);
    }
}

/// Drops the filter of this name.
pub(crate) fn forget(subscriptions: &mut Vec<Filter>, name: &str) {
    subscriptions.retain(|filter| filter.name != name);
}
