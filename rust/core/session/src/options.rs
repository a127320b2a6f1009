//! How this side treats a message. None of it is sent to the broker as such.

use core::time::Duration;

/// Determines which waiting messages are sent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Priority {
    /// Sent after all others; dropped first when the outbox overflows.
    Low,
    /// The default.
    #[default]
    Normal,
    /// Sent before all others, and never dropped in favour of a lower priority.
    High,
}

/// Options of [`Session::publish_with`](crate::Session::publish_with).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PublishOptions {
    /// Priority among the messages that have not been sent yet. Messages of the same priority and
    /// QoS stay in order. Default: normal.
    pub priority: Priority,
    /// Drops the message if it was not sent within this time, in whole seconds, rounded up. Works
    /// with both versions of MQTT. The time starts with the next call that passes the time to the
    /// session. Default: never.
    ///
    /// MQTT 5's [`message_expiry`](crate::Properties::message_expiry) does the same, and in
    /// addition the remaining time is passed to the broker. The shorter of the two applies here.
    pub expiry: Option<Duration>,
    /// Replaces a waiting message of the same topic that was queued with this option as well.
    /// Default: no.
    pub latest: bool,
    /// Keeps the message in the session's storage until it is acknowledged, so that it is sent even
    /// after a restart. Only with QoS 1 and 2. `Some(true)` refuses the message if there is no
    /// storage. Default: `None`, as set by [`Config::durable`](crate::Config::durable).
    pub durable: Option<bool>,
}
