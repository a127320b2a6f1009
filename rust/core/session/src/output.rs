//! From the outbox to the transport.

use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use crate::config::Version;
use crate::error::SessionError;
use crate::link::{Limits, Phase};
use crate::message::{has_wildcard, shared_part};
use crate::outbox::{Filter, Item, Work};
use crate::packet::{self, AckKind};
use crate::reason::ReasonCode;
use crate::session::Session;

/// Packets are put together up to this many bytes.
const STAGE: usize = 1_024;

impl Session {
    /// Makes the next bytes to transmit, once the last ones are gone.
    pub(crate) fn stage(&mut self, now: Duration) {
        let Some(link) = &mut self.link else {
            return;
        };
        link.now = now;
        if !link.is_drained() || link.phase == Phase::Over {
            return;
        }
        link.staged.clear();
        link.staged.shrink_to(2 * STAGE);
        link.consumed = 0;
        core::mem::swap(&mut link.staged, &mut link.control);
        let all = match link.limits().copied() {
            Some(limits) => self.stage_items(&limits),
            None => true,
        };
        let Some(link) = &mut self.link else {
            return;
        };
        if link.phase == Phase::Leaving && all {
            packet::push_disconnect(&mut link.staged, self.config.version, ReasonCode::SUCCESS);
            link.phase = Phase::Over;
        }
    }

    /// Stages outbox items; true if nothing more can be sent for now.
    fn stage_items(&mut self, limits: &Limits) -> bool {
        loop {
            let Some(link) = &mut self.link else {
                return true;
            };
            if link.payload.is_some() || link.staged.len() >= STAGE {
                return false;
            }
            let index = link.begun();
            let Some(item) = self.state.outbox.get_mut(index) else {
                return true;
            };
            if self.events.is_full() {
                return false;
            }
            let counts = item.work.counts_in_flight();
            let is_new = !matches!(item.work, Work::Release);
            if counts && is_new && link.in_flight >= limits.receive_maximum {
                return true;
            }
            let version = self.config.version;
            let staged_before = link.staged.len();
            match &mut item.work {
                Work::Publish(outgoing) => {
                    if let Some(error) = outgoing.refused_by(limits) {
                        self.finish_publish(index, Err(error));
                        continue;
                    }
                    if staged_before != 0 && staged_before + outgoing.head.len() > STAGE {
                        return false;
                    }
                    link.staged.extend_from_slice(&outgoing.head);
                    outgoing.mark_dup(true);
                    if !outgoing.payload.is_empty() {
                        link.payload = Some(0);
                        link.in_flight += u16::from(counts);
                        return false;
                    }
                }
                Work::Release => {
                    let (id, reason) = (item.packet_id, ReasonCode::SUCCESS);
                    packet::push_ack(&mut link.staged, version, AckKind::Pubrel, id, reason);
                }
                Work::Subscribe(filters) => {
                    refuse_unsupported(filters, limits);
                    let wanted = filters.iter().filter(|filter| filter.refused.is_none());
                    let pairs = wanted.map(|filter| (filter.name.as_str(), filter.qos));
                    let any = pairs.clone().next().is_some();
                    packet::push_subscribe(&mut link.staged, version, item.packet_id, pairs);
                    let size = link.staged.len() - staged_before;
                    if !any || exceeds(size, limits) {
                        link.staged.truncate(staged_before);
                        let too_large = Some(ReasonCode::PACKET_TOO_LARGE);
                        for filter in filters {
                            filter.refused = filter.refused.or(too_large);
                        }
                        self.finish_subscribe(index, &[]);
                        continue;
                    }
                }
                Work::Unsubscribe(names) => {
                    let count = names.len();
                    let names = names.iter().map(|name| name.as_str());
                    packet::push_unsubscribe(&mut link.staged, version, item.packet_id, names);
                    if exceeds(link.staged.len() - staged_before, limits) {
                        link.staged.truncate(staged_before);
                        let codes = vec![Err(ReasonCode::PACKET_TOO_LARGE); count];
                        self.finish_unsubscribe(index, codes);
                        continue;
                    }
                }
            }
            link.in_flight = link.in_flight.saturating_add(counts.into());
            link.ends.push(link.staged.len());
        }
    }

    /// The transport took `n` bytes.
    pub(crate) fn consume(&mut self, n: usize) {
        let Some(link) = &mut self.link else {
            return;
        };
        if n == 0 {
            return;
        }
        link.note_sent();
        if link.consumed < link.staged.len() {
            link.consumed = link.staged.len().min(link.consumed + n);
            while let Some(link) = &mut self.link {
                if link.ends.first().is_none_or(|end| *end > link.consumed) {
                    return;
                }
                link.ends.remove(0);
                self.item_is_sent();
            }
        } else if let Some(gone) = link.payload {
            let length = match self.state.outbox.get(link.sent).map(|item| &item.work) {
                Some(Work::Publish(outgoing)) => outgoing.payload.len(),
                _ => 0,
            };
            if gone + n < length {
                link.payload = Some(gone + n);
            } else {
                link.payload = None;
                self.item_is_sent();
            }
        }
    }

    /// The item number `sent` is with the transport in full.
    fn item_is_sent(&mut self) {
        let Some(link) = &mut self.link else {
            return;
        };
        let answered = |item: &Item| item.work.is_answered();
        if self.state.outbox.get(link.sent).is_some_and(answered) {
            link.sent += 1;
            link.note_waiting();
        } else {
            let index = link.sent;
            self.finish_publish(index, Ok(()));
        }
    }

    /// Ends the connection from our side. If a packet boundary can be reached, an MQTT 5 broker
    /// is told why.
    pub(crate) fn fail(&mut self, error: SessionError) {
        let Some(link) = &mut self.link else {
            return;
        };
        let was_online = link.limits().is_some();
        link.phase = Phase::Over;
        link.control = Vec::new();
        link.response_by = None;
        let boundary = link.payload.is_none();
        let reason = error.disconnect_reason();
        if let (Version::V5, true, true, Some(reason)) =
            (self.config.version, was_online, boundary, reason)
        {
            packet::push_disconnect(&mut link.staged, self.config.version, reason);
        } else {
            link.staged.truncate(link.consumed);
            link.ends.clear();
            link.payload = None;
        }
    }
}

fn exceeds(size: usize, limits: &Limits) -> bool {
    let limit = limits.maximum_packet_size;
    limit.is_some_and(|limit| size > limit as usize)
}

/// A broker that announced what it does not support may close the connection over it (MQTT 5
/// sections 3.2.2.3.11 and 3.2.2.3.13), so those filters are answered here.
fn refuse_unsupported(filters: &mut [Filter], limits: &Limits) {
    for filter in filters {
        let shared = shared_part(&filter.name).is_some();
        let wildcard = has_wildcard(&filter.name);
        filter.refused = if shared && !limits.shared_available {
            Some(ReasonCode::NO_SHARED_SUBSCRIPTIONS)
        } else if wildcard && !limits.wildcards_available {
            Some(ReasonCode::NO_WILDCARD_SUBSCRIPTIONS)
        } else {
            None
        };
    }
}
