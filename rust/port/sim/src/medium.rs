//! The air between the nodes: which nodes hear each other, when a frame ends, which frames are
//! lost.
//!
//! The physical layer is IEEE 802.15.4 at 2.4 GHz with 250 kbit/s: 32 µs per byte.
use crate::config::Radio;
use crate::counters::Counters;
use crate::mac::{ACK_LENGTH, Address, BROADCAST, Header, MAX_FRAME};
use crate::pcap::Pcap;
use crate::platform::{NodeState, RadioState};
use chacha20::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// Air time of a byte in microseconds.
const BYTE: u64 = 32;
/// Preamble, start delimiter and length.
const PHY_HEADER: u64 = 6;
/// Air time of the longest frame.
const LONGEST: u64 = (PHY_HEADER + MAX_FRAME as u64) * BYTE;
/// Clear channel assessment: 8 symbols.
pub(crate) const CCA: u64 = 128;
/// Switching between receive and transmit: 12 symbols (aTurnaroundTime).
pub(crate) const TURNAROUND: u64 = 192;
/// From the end of a frame until the sender stops waiting for its acknowledgement: 54 symbols
/// (macAckWaitDuration).
pub(crate) const ACK_WAIT: u64 = 864;

/// A frame on the air.
#[derive(Debug, Clone)]
pub(crate) struct Transmission {
    pub(crate) id: u64,
    pub(crate) from: usize,
    pub(crate) channel: u8,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) psdu: Vec<u8>,
}

/// How a node receives a frame on the air.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Not received, or not for this node.
    No,
    /// For this node.
    Yes {
        /// Whether to acknowledge it, and with which "frame pending" bit.
        acknowledge: Option<bool>,
    },
}

pub(crate) struct Medium {
    faults: Radio,
    rng: ChaCha8Rng,
    /// `links[a][b]`: b hears a.
    links: Vec<Vec<bool>>,
    on_air: Vec<Transmission>,
    next_id: u64,
    /// When each node was last passed a frame, to keep frames in order.
    handed_up: Vec<u64>,
    pub(crate) counters: Vec<Counters>,
    pub(crate) capture: Option<Pcap>,
}

impl Medium {
    /// Creates a line of `nodes` nodes, each of which hears its neighbours.
    pub(crate) fn line(seed: u64, nodes: usize, faults: Radio) -> Self {
        Self {
            faults,
            rng: ChaCha8Rng::seed_from_u64(seed),
            links: (0..nodes)
                .map(|a: usize| (0..nodes).map(|b| a.abs_diff(b) == 1).collect())
                .collect(),
            on_air: Vec::new(),
            next_id: 0,
            handed_up: vec![0; nodes],
            counters: vec![Counters::default(); nodes],
            capture: None,
        }
    }

    pub(crate) fn set_loss(&mut self, loss: f64) {
        self.faults.loss = loss;
    }

    pub(crate) fn set_link(&mut self, a: usize, b: usize, up: bool) {
        self.links[a][b] = up;
        self.links[b][a] = up;
    }

    /// Returns whether a node that has listened for [`CCA`] until now found the channel busy, or is
    /// itself busy with an acknowledgement.
    pub(crate) fn is_busy(&self, node: usize, channel: u8, now: u64) -> bool {
        self.on_air.iter().any(|other| {
            other.end > now.saturating_sub(CCA)
                && (other.from == node
                    || other.channel == channel
                        && self.senses(node, other.from)
                        && other.start < now)
        })
    }

    /// Returns whether a node senses another's carrier. A carrier reaches further than frames: over
    /// two links of the line.
    fn senses(&self, node: usize, other: usize) -> bool {
        self.links[other][node]
            || (0..self.links.len()).any(|via| self.links[other][via] && self.links[via][node])
    }

    /// Puts a frame on the air, beginning at `start`.
    pub(crate) fn begin(
        &mut self,
        from: usize,
        channel: u8,
        start: u64,
        psdu: Vec<u8>,
    ) -> &Transmission {
        let id = self.next_id;
        self.next_id += 1;
        let end = start + (PHY_HEADER + psdu.len() as u64) * BYTE;
        let counters = &mut self.counters[from];
        if psdu.len() == ACK_LENGTH {
            counters.acks_sent.count(psdu.len());
        } else {
            counters.sent.count(psdu.len());
        }
        if let Some(capture) = &mut self.capture {
            capture.frame(start, &psdu);
        }
        // A frame that ended two frame lengths ago can neither collide nor be queried any more.
        self.on_air.retain(|other| other.end + 2 * LONGEST > start);
        self.on_air.push(Transmission {
            id,
            from,
            channel,
            start,
            end,
            psdu,
        });
        &self.on_air[self.on_air.len() - 1]
    }

    /// Returns the frame with this id, which has just ended.
    pub(crate) fn ended(&self, id: u64) -> Option<Transmission> {
        self.on_air.iter().find(|other| other.id == id).cloned()
    }

    /// Returns whether `node` received the frame, and whether the frame is for it.
    pub(crate) fn hear(
        &mut self,
        frame: &Transmission,
        header: Option<&Header>,
        node: usize,
        state: &NodeState,
    ) -> Heard {
        let radio = &state.radio;
        let listening = radio
            .listening
            .is_some_and(|(channel, since)| channel == frame.channel && since <= frame.start);
        if !self.links[frame.from][node] || !listening {
            return Heard::No;
        }
        let Some(header) = header.filter(|header| !header.is_ack()) else {
            return Heard::No;
        };
        let unicast = match is_for(radio, header) {
            None if radio.promiscuous => false,
            None => return Heard::No,
            Some(unicast) => unicast,
        };
        if !self.arrives(frame, node) {
            return Heard::No;
        }
        self.counters[node].received.count(frame.psdu.len());
        let acknowledge = (unicast && header.wants_ack()).then(|| {
            let waiting = |child: &Address| radio.pending_for.contains(child);
            header.is_command()
                && (!radio.match_sources || header.source.as_ref().is_some_and(waiting))
        });
        Heard::Yes { acknowledge }
    }

    /// Returns whether the waiting node receives an acknowledgement.
    pub(crate) fn hear_ack(&mut self, ack: &Transmission, node: usize) -> bool {
        let heard = self.links[ack.from][node] && self.arrives(ack, node);
        if heard {
            self.counters[node].acks_received.count(ack.psdu.len());
        }
        heard
    }

    /// Returns whether the frame was neither lost nor hit by another frame.
    fn arrives(&mut self, frame: &Transmission, node: usize) -> bool {
        let collided = self.on_air.iter().any(|other| {
            other.id != frame.id
                && other.channel == frame.channel
                && (other.from == node || self.links[other.from][node])
                && other.start < frame.end
                && frame.start < other.end
        });
        if collided {
            self.counters[node].collided += 1;
            return false;
        }
        let lost = self.chance(self.faults.loss);
        if lost {
            self.counters[node].lost += 1;
        }
        !lost
    }

    /// Returns when and how often a frame is passed up to the node.
    pub(crate) fn hand_up(&mut self, node: usize, now: u64) -> (u64, usize) {
        let late = match self.faults.delay.as_micros() as u64 {
            0 => 0,
            most => self.rng.next_u64() % (most + 1),
        };
        let at = (now + late).max(self.handed_up[node]);
        self.handed_up[node] = at;
        let copies = if self.chance(self.faults.duplication) {
            2
        } else {
            1
        };
        (at, copies)
    }

    fn chance(&mut self, probability: f64) -> bool {
        // 53 bits make a uniform number in [0, 1).
        probability > 0.0
            && ((self.rng.next_u64() >> 11) as f64) < probability * (1u64 << 53) as f64
    }
}

/// Returns whether a frame passes the address filter: `Some(true)` if it is for this node only.
fn is_for(radio: &RadioState, header: &Header) -> Option<bool> {
    let pan = header.destination_pan;
    if pan.is_some_and(|pan| pan != BROADCAST && pan != radio.pan_id) {
        return None;
    }
    match header.destination {
        // Beacons have no destination.
        None | Some(Address::Short(BROADCAST)) => Some(false),
        Some(Address::Short(address)) => (address == radio.short_address).then_some(true),
        Some(Address::Extended(address)) => (address == radio.extended_address).then_some(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Node;
    use crate::platform::Platform;
    use core::time::Duration;

    const CHANNEL: u8 = 15;
    /// A data frame from 1 to 2 in PAN 3 that requests an acknowledgement.
    const FRAME: [u8; 11] = [0x61, 0x88, 9, 3, 0, 2, 0, 1, 0, 0, 0];

    /// Returns nodes in a line, all listening, with short addresses 1, 2, …
    fn line(nodes: usize, faults: Radio) -> (Medium, Platform) {
        let mut platform = Platform::new(1, &vec![Node::Device; nodes]);
        for (index, node) in platform.nodes.iter_mut().enumerate() {
            node.radio.pan_id = 3;
            node.radio.short_address = index as u16 + 1;
            node.radio.listening = Some((CHANNEL, 0));
        }
        (Medium::line(1, nodes, faults), platform)
    }

    fn send(medium: &mut Medium, from: usize, start: u64) -> Transmission {
        medium.begin(from, CHANNEL, start, FRAME.to_vec()).clone()
    }

    fn hear(medium: &mut Medium, frame: &Transmission, node: usize, platform: &Platform) -> Heard {
        let header = Header::parse(&frame.psdu);
        medium.hear(frame, header.as_ref(), node, &platform.nodes[node])
    }

    #[test]
    fn a_frame_takes_its_air_time_and_reaches_who_it_is_for() {
        let (mut medium, mut platform) = line(3, Radio::default());
        let frame = send(&mut medium, 0, 1000);
        assert_eq!(frame.end, 1000 + (6 + 11) * 32);
        let for_it = Heard::Yes {
            acknowledge: Some(false),
        };
        assert_eq!(hear(&mut medium, &frame, 1, &platform), for_it);
        assert_eq!(
            hear(&mut medium, &frame, 2, &platform),
            Heard::No,
            "out of range"
        );
        // Not listening, listening elsewhere, or too late.
        for listening in [None, Some((CHANNEL + 1, 0)), Some((CHANNEL, 1001))] {
            platform.nodes[1].radio.listening = listening;
            assert_eq!(hear(&mut medium, &frame, 1, &platform), Heard::No);
        }
        platform.nodes[1].radio.listening = Some((CHANNEL, 1000));
        assert_eq!(hear(&mut medium, &frame, 1, &platform), for_it);
        platform.nodes[1].radio.short_address = 7;
        assert_eq!(
            hear(&mut medium, &frame, 1, &platform),
            Heard::No,
            "for another"
        );
        assert_eq!(medium.counters[1].received.frames, 2);
    }

    #[test]
    fn overlapping_frames_collide_where_both_are_heard() {
        let (mut medium, platform) = line(4, Radio::default());
        let first = send(&mut medium, 0, 1000);
        send(&mut medium, 2, first.end - 1);
        assert_eq!(hear(&mut medium, &first, 1, &platform), Heard::No);
        assert_eq!(medium.counters[1].collided, 1);
        // The other end of the line does not hear the first.
        let (mut medium, platform) = line(4, Radio::default());
        let first = send(&mut medium, 0, 1000);
        send(&mut medium, 3, 1000);
        assert_ne!(hear(&mut medium, &first, 1, &platform), Heard::No);
    }

    #[test]
    fn the_carrier_is_sensed_over_two_links() {
        let (mut medium, _) = line(4, Radio::default());
        let frame = send(&mut medium, 0, 1000);
        let busy = |node, now| medium.is_busy(node, CHANNEL, now);
        assert!(busy(1, 1001) && busy(2, 1001) && !busy(3, 1001));
        assert!(!busy(1, 1000), "it has just begun");
        assert!(busy(1, frame.end + CCA - 1) && !busy(1, frame.end + CCA));
        assert!(!medium.is_busy(1, CHANNEL + 1, 1001));
    }

    #[test]
    fn losses_are_as_frequent_as_configured() {
        let (mut medium, platform) = line(
            2,
            Radio {
                loss: 0.25,
                ..Radio::default()
            },
        );
        for number in 0..4000 {
            let frame = send(&mut medium, 0, number * 10_000);
            hear(&mut medium, &frame, 1, &platform);
        }
        let lost = medium.counters[1].lost;
        assert!((900..1100).contains(&lost), "{lost} of 4000");
        assert_eq!(medium.counters[1].received.frames, 4000 - lost);
    }

    #[test]
    fn late_frames_stay_in_order() {
        let (mut medium, _) = line(
            2,
            Radio {
                delay: Duration::from_millis(10),
                duplication: 0.5,
                ..Radio::default()
            },
        );
        let (mut last, mut copies) = (0, 0);
        for now in (0..1_000_000).step_by(1000) {
            let (at, count) = medium.hand_up(1, now);
            assert!(at >= last && at >= now && at <= last.max(now + 10_000));
            last = at;
            copies += count;
        }
        assert!((1400..1600).contains(&copies), "{copies} of 1000 frames");
    }

    #[test]
    fn a_poll_is_told_whether_frames_wait_for_the_child() {
        let (mut medium, mut platform) = line(2, Radio::default());
        let mut poll = FRAME;
        poll[0] = 0x63;
        let mut ask = |platform: &Platform| {
            let frame = medium.begin(0, CHANNEL, 0, poll.to_vec()).clone();
            let heard = hear(&mut medium, &frame, 1, platform);
            medium.on_air.clear();
            heard
        };
        let pending = |pending| Heard::Yes {
            acknowledge: Some(pending),
        };
        assert_eq!(ask(&platform), pending(true), "without a list, all");
        platform.nodes[1].radio.match_sources = true;
        assert_eq!(ask(&platform), pending(false));
        platform.nodes[1]
            .radio
            .pending_for
            .insert(Address::Short(1));
        assert_eq!(ask(&platform), pending(true));
    }
}
