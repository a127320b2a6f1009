//! The configuration of a world.
use core::time::Duration;

/// The configuration of a [`World`](crate::World). The same configuration and the same calls
/// produce the same bytes on the air, as long as no host socket is involved.
#[derive(Debug, Clone, PartialEq)]
pub struct WorldConfig {
    /// Seeds every random choice: losses, back-offs, keys, addresses, sequence numbers.
    pub seed: u64,
    /// The radio medium.
    pub radio: Radio,
    /// Number of routers in a line between the border router and the device; with 0, the device
    /// hears the border router directly. Each node hears only its neighbours. At most [`MAX_HOPS`].
    pub hops: u8,
    /// The kind of node the device is.
    pub device: Device,
    /// The wall clock (Unix seconds) at virtual time zero; `None` for a device without a clock.
    pub epoch: Option<u64>,
    /// How long the network has been running without the device, at full speed, before the device
    /// is switched on and [`World::new`](crate::World::new) returns.
    pub network_age: Duration,
    /// How virtual time follows the wall clock.
    pub pacing: Pacing,
    /// One-way delay between the border router and every IPv4 host inside the world.
    pub internet_delay: Duration,
    /// Which real hosts IPv4 packets may reach.
    pub host_access: HostAccess,
}

/// Maximum number of routers between the border router and the device.
pub const MAX_HOPS: u8 = 8;

impl Default for WorldConfig {
    /// Returns a clean channel, a device next to the border router, a clock at the first second of
    /// 2026, virtual time, and no access to hosts outside the world except through
    /// [`World::map`](crate::World::map).
    fn default() -> Self {
        Self {
            seed: 1,
            radio: Radio::default(),
            hops: 0,
            device: Device::Mtd,
            epoch: Some(1_767_225_600),
            network_age: Duration::from_secs(20),
            pacing: Pacing::Virtual,
            internet_delay: Duration::from_millis(10),
            host_access: HostAccess::OnlyMapped,
        }
    }
}

/// The faults of the radio medium.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Radio {
    /// Probability, per frame and receiver, that a frame is lost, acknowledgements included. 0 to
    /// 1.
    pub loss: f64,
    /// Probability that a received frame is passed up twice. 0 to 1.
    pub duplication: f64,
    /// Maximum delay before a received frame is passed up. The delay is uniformly random, and
    /// frames keep their order. Keep it well below a sleepy child's listening time of 100 ms.
    pub delay: Duration,
}

/// The kind of node the device is. Both kinds are minimal Thread devices: they attach as children
/// and never route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Device {
    /// The receiver is always on.
    #[default]
    Mtd,
    /// The receiver is off when idle; the device polls its parent for frames.
    Sleepy {
        /// The interval between two polls. OpenThread polls faster on its own while it waits for
        /// answers of its own protocols.
        poll: Duration,
    },
}

/// How virtual time follows the wall clock.
///
/// In either mode, virtual time does not run ahead of the wall clock while a host socket or a host
/// look-up is open, because those respond in real time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pacing {
    /// As fast as the machine can.
    #[default]
    Virtual,
    /// One virtual second per second.
    RealTime,
}

/// Which destinations outside the world can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HostAccess {
    /// Only those set up by [`World::map`](crate::World::map); all others are refused with a RST.
    #[default]
    OnlyMapped,
    /// Also 127.0.0.0/8, under its own addresses.
    LoopbackOnly,
    /// Any IPv4 address that the host can reach, under its own address.
    Any,
}

/// A node of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Node {
    /// Leader, border router with NAT64, DNS upstream and SRP server.
    BorderRouter,
    /// The router number 0 … hops-1, counted from the border router.
    Router(u8),
    /// The device.
    Device,
}

/// Why a world cannot be created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WorldError {
    /// A probability outside 0 to 1.
    Probability,
    /// More than [`MAX_HOPS`] routers.
    TooManyHops(u8),
    /// A poll period that is not between 10 ms and 4 minutes.
    PollPeriod,
    /// OpenThread refused a step of the bring-up; with its own error code (`otError`).
    OpenThread {
        /// The call that failed.
        call: &'static str,
        /// `otError`.
        code: u32,
    },
    /// The host has run out of sockets or poll descriptors.
    HostSockets,
}

impl core::fmt::Display for WorldError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Probability => f.write_str("loss and duplication must be between 0 and 1"),
            Self::TooManyHops(hops) => {
                write!(
                    f,
                    "{hops} routers in a line are more than the {MAX_HOPS} supported"
                )
            }
            Self::PollPeriod => f.write_str("a sleepy device polls every 10 ms to 240 s"),
            Self::OpenThread { call, code } => {
                write!(f, "OpenThread's {call} failed with otError {code}")
            }
            Self::HostSockets => {
                f.write_str("the host could not create a poll descriptor for the bridge")
            }
        }
    }
}

impl core::error::Error for WorldError {}

impl WorldConfig {
    pub(crate) fn check(&self) -> Result<(), WorldError> {
        let probability = 0.0..=1.0;
        if !probability.contains(&self.radio.loss) || !probability.contains(&self.radio.duplication)
        {
            return Err(WorldError::Probability);
        }
        if self.hops > MAX_HOPS {
            return Err(WorldError::TooManyHops(self.hops));
        }
        if let Device::Sleepy { poll } = self.device
            && !(Duration::from_millis(10)..=Duration::from_secs(240)).contains(&poll)
        {
            return Err(WorldError::PollPeriod);
        }
        Ok(())
    }
}
