//! Radio traffic counters.
use core::ops::AddAssign;

/// Frames and bytes in one direction. Bytes count the PHY payload (MAC header to FCS, at most 127
/// per frame), without the 6 bytes of preamble, start delimiter and length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Frames, including every retransmission.
    pub frames: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Traffic {
    pub(crate) fn count(&mut self, bytes: usize) {
        self.frames += 1;
        self.bytes += bytes as u64;
    }
}

impl AddAssign for Traffic {
    fn add_assign(&mut self, other: Self) {
        self.frames += other.frames;
        self.bytes += other.bytes;
    }
}

impl core::ops::Sub for Traffic {
    type Output = Self;
    fn sub(self, earlier: Self) -> Self {
        Self {
            frames: self.frames - earlier.frames,
            bytes: self.bytes - earlier.bytes,
        }
    }
}

/// The radio counters of a node, or the sum for a world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Sent, without acknowledgements.
    pub sent: Traffic,
    /// Received and addressed to the node, without acknowledgements.
    pub received: Traffic,
    /// Acknowledgements sent.
    pub acks_sent: Traffic,
    /// Acknowledgements received.
    pub acks_received: Traffic,
    /// Frames that this node would have received without the configured loss.
    pub lost: u64,
    /// Frames that this node missed because two transmissions overlapped.
    pub collided: u64,
    /// Transmissions given up because the channel was busy.
    pub channel_busy: u64,
}

impl AddAssign for Counters {
    fn add_assign(&mut self, other: Self) {
        self.sent += other.sent;
        self.received += other.received;
        self.acks_sent += other.acks_sent;
        self.acks_received += other.acks_received;
        self.lost += other.lost;
        self.collided += other.collided;
        self.channel_busy += other.channel_busy;
    }
}

impl core::ops::Sub for Counters {
    type Output = Self;
    fn sub(self, earlier: Self) -> Self {
        Self {
            sent: self.sent - earlier.sent,
            received: self.received - earlier.received,
            acks_sent: self.acks_sent - earlier.acks_sent,
            acks_received: self.acks_received - earlier.acks_received,
            lost: self.lost - earlier.lost,
            collided: self.collided - earlier.collided,
            channel_busy: self.channel_busy - earlier.channel_busy,
        }
    }
}
