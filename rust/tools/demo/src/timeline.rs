//! When each stage was reached, and what it cost on the air.
use std::time::Duration;
use thread_sim::World;

/// A moment: virtual time, and the traffic on the air so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mark {
    /// The time.
    pub at: Duration,
    /// The frames of all nodes, including acknowledgements and retransmissions.
    pub frames: u64,
    /// Their bytes, from MAC header to checksum.
    pub bytes: u64,
}

impl Mark {
    /// Returns the current moment of the world.
    pub fn now(world: &World) -> Self {
        let totals = world.totals();
        Self {
            at: world.now(),
            frames: totals.sent.frames + totals.acks_sent.frames,
            bytes: totals.sent.bytes + totals.acks_sent.bytes,
        }
    }

    /// Returns the difference from an earlier moment.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            at: self.at.saturating_sub(earlier.at),
            frames: self.frames - earlier.frames,
            bytes: self.bytes - earlier.bytes,
        }
    }
}

/// A stage that was reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Its name.
    pub name: &'static str,
    /// What it found.
    pub detail: String,
    /// When it began, counted from switching the device on: when the previous stage ended.
    pub began: Duration,
    /// Its cost.
    pub cost: Mark,
}

impl Stage {
    /// Returns when it was reached.
    pub fn reached(&self) -> Duration {
        self.began + self.cost.at
    }
}

/// Collects stages, and samples for the picture.
#[derive(Debug)]
pub struct Timeline {
    /// When the device was switched on.
    origin: Mark,
    /// When the last stage ended.
    last: Mark,
    stages: Vec<Stage>,
    samples: Vec<Mark>,
}

impl Timeline {
    /// Starts now.
    pub fn start(world: &World) -> Self {
        let origin = Mark::now(world);
        Self {
            origin,
            last: origin,
            stages: Vec::new(),
            samples: vec![Mark::default()],
        }
    }

    /// Takes a sample, and returns it: time and traffic since the start.
    pub fn sample(&mut self, world: &World) -> Mark {
        let sample = Mark::now(world).since(self.origin);
        if self
            .samples
            .last()
            .is_none_or(|last| last.frames < sample.frames)
        {
            self.samples.push(sample);
        }
        sample
    }

    /// Ends a stage now.
    pub fn reach(&mut self, world: &World, name: &'static str, detail: String) -> &Stage {
        let now = Mark::now(world);
        let stage = Stage {
            name,
            detail,
            began: self.last.since(self.origin).at,
            cost: now.since(self.last),
        };
        self.last = now;
        self.sample(world);
        self.stages.push(stage);
        &self.stages[self.stages.len() - 1]
    }

    /// Returns the stages and samples in order, and the total so far.
    pub fn finish(mut self, world: &World) -> (Vec<Stage>, Vec<Mark>, Mark) {
        let total = Mark::now(world).since(self.origin);
        if self.samples.last() != Some(&total) {
            self.samples.push(total);
        }
        (self.stages, self.samples, total)
    }
}
