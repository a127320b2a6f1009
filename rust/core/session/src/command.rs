//! Commands created outside their session, for programs in which threads do not share it.

use alloc::string::String;
use alloc::vec::Vec;

use crate::config::{QoS, Version};
use crate::error::CommandError;
use crate::item::Work;
use crate::message::{Message, check_filter};
use crate::options::PublishOptions;
use crate::pieces::{Pieces, Supply};
use crate::request::{Filter, Request, RequestKind};

/// A checked message or request that no session has queued yet.
///
/// A thread that must not wait for the session creates a command, checks it against a copy of the
/// session's [`Room`](crate::Room), and leaves it to the session's own thread, which
/// [submits](crate::Session::submit) it.
#[derive(Debug)]
pub struct Command {
    pub(crate) work: Work,
}

impl Command {
    /// Creates a message with the default options, for a session with this version.
    pub fn publish(version: Version, message: Message) -> Result<Self, CommandError> {
        Self::publish_with(version, message, PublishOptions::default())
    }

    /// Creates a message for a session with this version.
    pub fn publish_with(
        version: Version,
        message: Message,
        options: PublishOptions,
    ) -> Result<Self, CommandError> {
        let work = Work::publish(version, message, Supply::default(), options)?;
        Ok(Self { work })
    }

    /// Creates a message whose payload follows in pieces, for a session with this version: see
    /// [`Session::publish_in_pieces`](crate::Session::publish_in_pieces).
    pub fn publish_in_pieces(
        version: Version,
        message: Message,
        pieces: Pieces,
        options: PublishOptions,
    ) -> Result<Self, CommandError> {
        let (supply, options) = pieces.check(&message, options)?;
        let work = Work::publish(version, message, supply, options)?;
        Ok(Self { work })
    }

    /// Creates a subscription to these filters.
    pub fn subscribe(filters: &[(&str, QoS)]) -> Result<Self, CommandError> {
        Self::request(RequestKind::Subscribe, filters.iter().copied())
    }

    /// Creates an unsubscription from these filters.
    pub fn unsubscribe(filters: &[&str]) -> Result<Self, CommandError> {
        let filters = filters.iter().map(|name| (*name, QoS::default()));
        Self::request(RequestKind::Unsubscribe, filters)
    }

    fn request<'a>(
        kind: RequestKind,
        filters: impl ExactSizeIterator<Item = (&'a str, QoS)>,
    ) -> Result<Self, CommandError> {
        let mut wanted = Vec::new();
        let reserved = wanted.try_reserve_exact(filters.len());
        reserved.map_err(|_| CommandError::OutOfMemory)?;
        for (index, (name, qos)) in filters.enumerate() {
            wanted.push(Filter::new(copy_filter(name)?, qos, index));
        }
        if wanted.is_empty() {
            return Err(CommandError::NoFilters);
        }
        let work = Work::Request(Request::new(kind, wanted));
        Ok(Self { work })
    }

    /// Returns whether both are messages with the same topic.
    pub(crate) fn is_same_topic(&self, other: &Self) -> bool {
        matches!((&self.work, &other.work), (Work::Publish(a), Work::Publish(b))
            if a.message.topic == b.message.topic)
    }

    /// Returns the bytes it occupies in the outbox, as counted against
    /// [`Config::outbox_bytes`](crate::Config::outbox_bytes).
    pub fn bytes(&self) -> usize {
        self.work.bytes()
    }
}

/// Contents or capacity of an outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    /// Number of messages and requests.
    pub commands: usize,
    /// Bytes they occupy.
    pub bytes: usize,
}

/// Copies a well-formed filter, if the heap has room.
fn copy_filter(name: &str) -> Result<String, CommandError> {
    check_filter(name)?;
    let mut copy = String::new();
    copy.try_reserve_exact(name.len())
        .map_err(|_| CommandError::OutOfMemory)?;
    copy.push_str(name);
    Ok(copy)
}
