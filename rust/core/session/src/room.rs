//! Decides whether the outbox takes another command: what each queue holds, and the limits.

use alloc::vec::Vec;

use crate::command::{Command, Load};
use crate::config::{Config, Overflow, QoS};
use crate::error::{CommandError, PublishError};
use crate::event::Token;
use crate::item::Work;
use crate::message::{check_filter, check_topic};
use crate::options::{Priority, PublishOptions};

/// The queue of requests to be sent; the queues before it are in [`outbox`](crate::outbox).
pub(crate) const REQUESTS: usize = 2;
/// First queue of unsent messages: two for each priority, the second for QoS 0.
pub(crate) const WAITING: usize = 5;
pub(crate) const LISTS: usize = WAITING + 2 * PRIORITIES;
pub(crate) const PRIORITIES: usize = if POLICIES { 3 } else { 1 };

/// Whether this build has priorities and overflow policies.
pub(crate) const POLICIES: bool = cfg!(feature = "outbox-policies");

/// Items and bytes in a queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) items: usize,
    pub(crate) bytes: usize,
}

impl Usage {
    fn plus(self, other: Self) -> Self {
        Self {
            items: self.items.saturating_add(other.items),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            items: self.items.saturating_sub(other.items),
            bytes: self.bytes.saturating_sub(other.bytes),
        }
    }
}

/// Room in an outbox: determines whether it takes another command.
///
/// Messages and requests have separate limits; only waiting requests count. This lets an
/// application subscribe at startup while messages from before a restart fill the outbox.
///
/// A thread that must not access the session works on a copy, to which it [adds](Self::add) the
/// commands that are still on their way to the session.
#[derive(Debug, Clone)]
pub struct Room {
    max: Usage,
    /// Limit for QoS 0.
    max_qos0: Usage,
    overflow: Overflow,
    usage: [Usage; LISTS],
    /// Usage by requests, in any queue.
    requests: Usage,
    /// What a copy has accepted beyond the limits, see `check_apart`.
    beyond: Usage,
    /// Whether the event queue has room to report dropped messages.
    may_drop: bool,
}

/// The relevant properties of a new command.
#[derive(Debug, Clone, Copy)]
struct New {
    bytes: usize,
    /// `None` for a request.
    message: Option<(QoS, PublishOptions)>,
}

impl Room {
    pub(crate) fn new(config: &Config) -> Self {
        let max = Usage {
            items: config.outbox_messages,
            bytes: config.outbox_bytes,
        };
        let share = |of: usize| {
            of - of / 100 * usize::from(config.outbox_reserve)
                - of % 100 * usize::from(config.outbox_reserve) / 100
        };
        Self {
            max_qos0: Usage {
                items: share(max.items).max(1),
                bytes: share(max.bytes),
            },
            max,
            overflow: config.overflow,
            usage: [Usage::default(); LISTS],
            requests: Usage::default(),
            beyond: Usage::default(),
            may_drop: true,
        }
    }

    pub(crate) fn copy(&self, may_drop: bool) -> Self {
        Self {
            may_drop,
            ..self.clone()
        }
    }

    // Getters.

    /// Returns the contents of the outbox.
    pub fn load(&self) -> Load {
        let Usage { items, bytes } = self.sum(0..LISTS);
        Load {
            commands: items,
            bytes,
        }
    }

    /// Returns the limits of the outbox.
    pub fn limit(&self) -> Load {
        Load {
            commands: self.max.items,
            bytes: self.max.bytes,
        }
    }

    /// Returns whether the policy may drop messages. It may not while the event queue is full,
    /// because each drop is reported.
    pub fn may_drop(&self) -> bool {
        self.may_drop
    }

    pub(crate) fn overflow(&self) -> Overflow {
        if POLICIES {
            self.overflow
        } else {
            Overflow::Refuse
        }
    }

    fn sum(&self, lists: impl Iterator<Item = usize>) -> Usage {
        let usage = lists.filter_map(|list| self.usage.get(list));
        usage.fold(Usage::default(), |sum, usage| sum.plus(*usage))
    }

    /// Returns the usage by waiting QoS 0 messages of this priority or below.
    fn qos0(&self, rank: usize) -> Usage {
        self.sum((rank..PRIORITIES).map(|rank| WAITING + 2 * rank + 1))
    }

    fn waiting(&self, rank: usize) -> Usage {
        self.sum(WAITING + 2 * rank..LISTS)
    }

    // Checks.

    /// Checks whether a command is accepted, if necessary by displacing others.
    pub fn check(&self, command: &Command) -> Result<(), CommandError> {
        self.check_apart(New::of(&command.work))
    }

    /// Checks a message with this topic and payload length, for callers that want to check before
    /// copying.
    pub fn check_publish(
        &self,
        topic: &str,
        payload_len: usize,
        qos: QoS,
        options: PublishOptions,
    ) -> Result<(), CommandError> {
        check_topic(topic)?;
        check_options(options)?;
        self.check_apart(New {
            bytes: topic.len().saturating_add(payload_len),
            message: Some((qos, options)),
        })
    }

    /// Checks a request with this filter.
    pub fn check_filter(&self, filter: &str) -> Result<(), CommandError> {
        check_filter(filter)?;
        self.check_apart(New {
            bytes: filter.len(),
            message: None,
        })
    }

    /// The check within the session; `replaced` is the item that the new one replaces.
    pub(crate) fn check_work(
        &self,
        work: &Work,
        replaced: Option<&Work>,
    ) -> Result<(), CommandError> {
        let replaced = replaced.map(New::of);
        self.check_new(New::of(work), replaced)
    }

    /// The check outside the session, where nothing is dropped yet and the waiting topics are
    /// unknown. Accepts messages that displace or may replace another one, but no more of them than
    /// an outbox holds.
    fn check_apart(&self, new: New) -> Result<(), CommandError> {
        let result = self.check_new(new, None);
        let may_replace = self.may_drop && self.replaces(new);
        let is_full = result == Err(CommandError::Full);
        if result.is_ok() && self.fits_as_it_is(new) || result.is_err() && !(is_full && may_replace)
        {
            return result;
        }
        let fits = self.beyond.items < self.max.items
            && self.beyond.bytes.saturating_add(new.bytes) <= self.max.bytes;
        if fits {
            Ok(())
        } else {
            Err(CommandError::Full)
        }
    }

    /// Chooses which [waiting](Self::add) commands to drop so that a new one is accepted, if
    /// [`check`](Self::check) returns [`CommandError::Full`]. Returns their indices in `waiting`,
    /// as the policy demands: the oldest of the lowest priority first. Returns nothing if dropping
    /// does not make enough room. Report the dropped ones with [`why_dropped`](Self::why_dropped).
    pub fn victims_of(&self, command: &Command, waiting: &[(Token, Command)]) -> Vec<usize> {
        let mut victims = Vec::new();
        let mut room = self.clone();
        while POLICIES && room.check(command) == Err(CommandError::Full) {
            let left = waiting.iter().enumerate();
            let left = left.filter(|(index, _)| !victims.contains(index));
            let left = left.map(|(index, (_, waiting))| (index, waiting));
            let victim = room.victim_among(command, left);
            let Some((index, victim)) = victim.filter(|_| victims.try_reserve(1).is_ok()) else {
                return Vec::new();
            };
            room.remove(victim);
            victims.push(index);
        }
        victims
    }

    /// Returns whether the policy may drop messages for a new one.
    pub fn policy_acts(&self, options: PublishOptions) -> bool {
        let drops = match self.overflow() {
            Overflow::Refuse => options.latest,
            _ => true,
        };
        POLICIES && self.may_drop && drops
    }

    /// Returns the error to report for a message that the policy drops.
    pub fn why_dropped(&self) -> PublishError {
        match self.overflow() {
            Overflow::Refuse | Overflow::LatestPerTopic => PublishError::Superseded,
            Overflow::DropOldestQos0 | Overflow::DropOldest => PublishError::Displaced,
        }
    }

    fn victim_among<'a>(
        &self,
        command: &Command,
        waiting: impl Iterator<Item = (usize, &'a Command)>,
    ) -> Option<(usize, &'a Command)> {
        let new = New::of(&command.work);
        let (qos, options) = new.message.filter(|_| self.may_drop)?;
        let rank_of = |old: &Command| {
            let message = New::of(&old.work).message;
            message.map(|(qos, options)| (qos, rank(options.priority)))
        };
        let most = rank(options.priority);
        let only_qos0 = match self.overflow() {
            Overflow::Refuse | Overflow::LatestPerTopic => {
                let replaces = |old: &Command| {
                    self.replaces(new)
                        && self.replaces(New::of(&old.work))
                        && old.is_same_topic(command)
                };
                let mut waiting = waiting;
                return waiting.find(|(_, old)| replaces(old));
            }
            Overflow::DropOldestQos0 => true,
            Overflow::DropOldest => {
                let none = Usage::default();
                qos == QoS::AtMostOnce && !self.qos0_fits(new.bytes, none)
            }
        };
        let droppable = waiting.filter_map(|(index, old)| {
            let (old_qos, old_rank) = rank_of(old)?;
            let fits = old_rank >= most && (!only_qos0 || old_qos == QoS::AtMostOnce);
            fits.then_some((old_rank, index, old))
        });
        // The first of equal ones.
        let victim = droppable.reduce(|a, b| if b.0 > a.0 { b } else { a });
        victim.map(|(_, index, old)| (index, old))
    }

    /// Returns whether a command is accepted without displacing another one.
    fn fits_as_it_is(&self, new: New) -> bool {
        let none = Usage::default();
        self.fits(new, none) && (!new.is_qos0() || self.qos0_fits(new.bytes, none))
    }

    fn replaces(&self, new: New) -> bool {
        let latest = |(_, options): (QoS, PublishOptions)| {
            options.latest || self.overflow() == Overflow::LatestPerTopic
        };
        POLICIES && new.message.is_some_and(latest)
    }

    fn check_new(&self, new: New, replaced: Option<New>) -> Result<(), CommandError> {
        if new.bytes > self.max.bytes {
            return Err(CommandError::LargerThanOutbox);
        }
        let (mut freed, mut freed_qos0) = (Usage::default(), Usage::default());
        if let (true, Some((_, options))) = (self.may_drop, new.message) {
            let rank = rank(options.priority);
            (freed, freed_qos0) = match self.overflow() {
                Overflow::DropOldest => (self.waiting(rank), self.qos0(rank)),
                Overflow::DropOldestQos0 => (self.qos0(rank), self.qos0(rank)),
                Overflow::Refuse | Overflow::LatestPerTopic => {
                    replaced.map_or_else(Default::default, |old| {
                        (
                            old.usage(),
                            if old.is_qos0() {
                                old.usage()
                            } else {
                                Usage::default()
                            },
                        )
                    })
                }
            };
        }
        let fits = self.fits(new, freed);
        if fits && (!new.is_qos0() || self.qos0_fits(new.bytes, freed_qos0)) {
            Ok(())
        } else {
            Err(CommandError::Full)
        }
    }

    fn fits(&self, new: New, freed: Usage) -> bool {
        let held = match new.message {
            None => self.sum(REQUESTS..REQUESTS + 1),
            Some(_) => self.sum(0..LISTS).minus(self.requests),
        };
        let held = held.minus(freed);
        held.items < self.max.items && new.bytes.saturating_add(held.bytes) <= self.max.bytes
    }

    /// Returns whether QoS 0 stays within its part of the outbox.
    fn qos0_fits(&self, bytes: usize, freed: Usage) -> bool {
        let used = self.qos0(0).minus(freed);
        used.items == 0
            || used.items < self.max_qos0.items
                && used.bytes.saturating_add(bytes) <= self.max_qos0.bytes
    }

    /// Returns what to drop next for a message that does not fit: messages of this rank and below,
    /// and either only QoS 0 (`true`) or the oldest of any QoS.
    pub(crate) fn victims(&self, work: &Work) -> Option<(usize, bool)> {
        let new = New::of(work);
        let (_, options) = new.message?;
        if self.fits_as_it_is(new) {
            return None;
        }
        let shut = new.is_qos0() && !self.qos0_fits(new.bytes, Usage::default());
        match self.overflow() {
            Overflow::Refuse | Overflow::LatestPerTopic => None,
            Overflow::DropOldestQos0 => Some((rank(options.priority), true)),
            Overflow::DropOldest => Some((rank(options.priority), shut)),
        }
    }

    // Updates.

    /// Adds a command that is on its way to the session.
    pub fn add(&mut self, command: &Command) {
        let new = New::of(&command.work);
        if !self.fits_as_it_is(new) {
            self.beyond = self.beyond.plus(new.usage());
        }
        self.enter(new.list(), new.bytes);
        self.enter_request(&command.work);
    }

    pub(crate) fn enter_request(&mut self, work: &Work) {
        if let Work::Request(_) = work {
            self.requests = self.requests.plus(New::of(work).usage());
        }
    }

    pub(crate) fn leave_request(&mut self, work: &Work) {
        if let Work::Request(_) = work {
            self.requests = self.requests.minus(New::of(work).usage());
        }
    }

    /// Removes a command that was dropped on its way to the session.
    pub fn remove(&mut self, command: &Command) {
        let new = New::of(&command.work);
        self.beyond = self.beyond.minus(new.usage());
        self.leave(new.list(), new.bytes);
        self.leave_request(&command.work);
    }

    pub(crate) fn enter(&mut self, list: usize, bytes: usize) {
        if let Some(usage) = self.usage.get_mut(list) {
            *usage = usage.plus(Usage { items: 1, bytes });
        }
    }

    pub(crate) fn leave(&mut self, list: usize, bytes: usize) {
        if let Some(usage) = self.usage.get_mut(list) {
            *usage = usage.minus(Usage { items: 1, bytes });
        }
    }

    /// Notes that an item of a queue has become smaller.
    pub(crate) fn shrink(&mut self, list: usize, bytes: usize) {
        if let Some(usage) = self.usage.get_mut(list) {
            *usage = usage.minus(Usage { items: 0, bytes });
        }
    }
}

impl New {
    fn of(work: &Work) -> Self {
        let message = match work {
            Work::Publish(outgoing) => Some((outgoing.qos(), outgoing.options())),
            Work::Request(_) => None,
        };
        Self {
            bytes: work.bytes(),
            message,
        }
    }

    fn usage(self) -> Usage {
        Usage {
            items: 1,
            bytes: self.bytes,
        }
    }

    fn is_qos0(self) -> bool {
        matches!(self.message, Some((QoS::AtMostOnce, _)))
    }

    fn list(self) -> usize {
        match self.message {
            None => REQUESTS,
            Some((qos, options)) => waiting_list(options.priority, qos),
        }
    }
}

/// Returns the queue in which a message waits.
pub(crate) fn waiting_list(priority: Priority, qos: QoS) -> usize {
    WAITING + 2 * rank(priority) + usize::from(qos == QoS::AtMostOnce)
}

fn rank(priority: Priority) -> usize {
    match priority {
        _ if !POLICIES => 0,
        Priority::High => 0,
        Priority::Normal => 1,
        Priority::Low => 2,
    }
}

/// Checks whether this build supports the options. Durability is not an outbox policy.
pub(crate) fn check_options(options: PublishOptions) -> Result<(), CommandError> {
    let without_policy = PublishOptions {
        durable: options.durable,
        ..PublishOptions::default()
    };
    if !POLICIES && options != without_policy {
        return Err(CommandError::NotBuilt("OUTBOX_POLICIES"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages in pieces are never durable and say so, also in a build without policies.
    #[test]
    fn a_build_without_policies_refuses_what_is_one_and_nothing_else() {
        for durable in [None, Some(false), Some(true)] {
            let options = PublishOptions {
                durable,
                ..PublishOptions::default()
            };
            assert_eq!(check_options(options), Ok(()));
            let latest = PublishOptions {
                latest: true,
                ..options
            };
            assert_eq!(check_options(latest).is_ok(), POLICIES);
        }
    }
}
