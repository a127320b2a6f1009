//! How a message is to be treated on this side; nothing of it goes over the wire as such.

use core::time::Duration;

/// Which of the waiting messages go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Priority {
    /// After all others; dropped first where the outbox overflows.
    Low,
    /// The usual one.
    #[default]
    Normal,
    /// Before all others, and never dropped for one of a lower priority.
    High,
}

/// Options of [`Session::publish_with`](crate::Session::publish_with).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PublishOptions {
    /// Order among the messages that have not been sent yet. Messages of the same priority and QoS
    /// keep their order. Default: normal.
    pub priority: Priority,
    /// Dropped if it was not sent within this time, in whole seconds rounded up; with either
    /// version of MQTT. It counts from the next call that tells the session the time. Default: never.
    ///
    /// MQTT 5's [`message_expiry`](crate::Properties::message_expiry) does the same, and the broker
    /// is told what is left of it when the message is sent. The shorter one counts here.
    pub expiry: Option<Duration>,
    /// Replaces a message of the same topic that was queued with this option and still waits.
    /// Default: no.
    pub latest: bool,
    /// Keeps the message in the session's storage until it is acknowledged, so that it is sent even
    /// after a restart; only with QoS 1 and 2. `Some(true)` refuses the message if there is no storage.
    /// Default: `None`, as [`Config::durable`](crate::Config::durable) says.
    pub durable: Option<bool>,
}
