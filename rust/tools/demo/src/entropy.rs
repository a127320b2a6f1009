//! Randomness for the device's TLS: the host's for real sockets, the seed's if everything must be
//! repeatable.
use thread_mqtt_soft_provider::{Random, RandomError, provider};
use thread_mqtt_testkit::random::{Seeded, SeededRandom};
use thread_mqtt_tls::CryptoProvider;

/// The operating system's entropy.
#[derive(Debug, Clone, Copy)]
struct HostRandom;

impl Random for HostRandom {
    fn fill(buf: &mut [u8]) -> Result<(), RandomError> {
        getrandom::fill(buf).map_err(|_| RandomError)
    }
}

/// The source of a run's randomness.
#[derive(Debug)]
pub enum Entropy {
    /// The operating system.
    Host,
    /// A seed.
    Seeded(Box<Seeded>),
}

impl Entropy {
    /// Returns a source derived from the seed, independently of its other uses.
    pub fn seeded(seed: u64) -> Self {
        const STREAM: u64 = u64::from_be_bytes(*b"devicetl");
        Self::Seeded(Box::new(Seeded::new(seed, STREAM)))
    }

    /// Returns the crypto provider that uses it.
    pub fn provider(&self) -> CryptoProvider {
        match self {
            Self::Host => provider::<HostRandom>(),
            Self::Seeded(_) => provider::<SeededRandom>(),
        }
    }

    /// Runs code that may need randomness.
    pub fn scope<T>(&mut self, work: impl FnOnce() -> T) -> T {
        match self {
            Self::Host => work(),
            Self::Seeded(seeded) => seeded.scope(work),
        }
    }

    /// Returns a word that tells one run's messages from another's.
    pub fn run_id(&mut self) -> String {
        let mut bytes = [0; 4];
        match self {
            Self::Seeded(seeded) => seeded.fill(&mut bytes),
            // Without entropy, TLS fails soon and reports it.
            Self::Host => drop(getrandom::fill(&mut bytes)),
        }
        format!("{:08x}", u32::from_be_bytes(bytes))
    }
}
