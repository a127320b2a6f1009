//! The platform's entropy as a random number generator for the client.
use crate::Port;
use core::convert::Infallible;
use rand_core::{TryCryptoRng, TryRng};

/// Draws from [`Port::fill_random`].
///
/// A generator cannot fail, but an entropy source can. Therefore the first failure is recorded, and
/// from then on every byte is 0xFF. Check [`error`](Self::error) before using anything drawn. Only
/// pauses use it without a check: all ones make them the longest, whereas zeros would remove them.
#[derive(Debug)]
pub struct PortRng<'a, P> {
    port: &'a mut P,
    error: Option<i32>,
}

impl<'a, P: Port> PortRng<'a, P> {
    /// Creates a generator for one call.
    pub fn new(port: &'a mut P) -> Self {
        Self { port, error: None }
    }

    /// Returns the platform's code if entropy was unavailable.
    pub fn error(&self) -> Option<i32> {
        self.error
    }
}

impl<P: Port> TryRng for PortRng<'_, P> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        if self.error.is_none() {
            self.error = self.port.fill_random(dst).err();
        }
        if self.error.is_some() {
            dst.fill(0xFF);
        }
        Ok(())
    }
}

impl<P: Port> TryCryptoRng for PortRng<'_, P> {}
