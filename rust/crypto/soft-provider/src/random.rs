//! Randomness comes from the platform.

use core::fmt;
use core::marker::PhantomData;

use rustls::Error;
use rustls::crypto::{GetRandomFailed, SecureRandom};

/// The platform's source of randomness. It is a type parameter, so the provider needs neither a
/// global nor an allocation.
pub trait Random: fmt::Debug + Send + Sync + 'static {
    /// Fills `buf` with cryptographically secure random bytes, or returns an error.
    ///
    /// Every secret of a connection comes from here. A source that has not been seeded yet must
    /// return an error. The handshake then fails and can be retried.
    fn fill(buf: &mut [u8]) -> Result<(), RandomError>;
}

/// The platform's randomness is not available.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RandomError;

impl fmt::Display for RandomError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the platform's random number generator is not available")
    }
}

impl core::error::Error for RandomError {}

impl From<RandomError> for Error {
    fn from(_: RandomError) -> Self {
        Self::FailedToGetRandomBytes
    }
}

/// Returns `R` as rustls's trait, for a provider composed by hand.
pub const fn secure_random<R: Random>() -> &'static dyn SecureRandom {
    &Source::<R>(PhantomData)
}

#[derive(Debug)]
struct Source<R>(PhantomData<R>);

impl<R: Random> SecureRandom for Source<R> {
    fn fill(&self, buf: &mut [u8]) -> Result<(), GetRandomFailed> {
        R::fill(buf).map_err(|RandomError| GetRandomFailed)
    }
}
