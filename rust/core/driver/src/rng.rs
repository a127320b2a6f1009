//! The platform's entropy as the generator that a client is handed.
use crate::Port;
use core::convert::Infallible;
use rand_core::{TryCryptoRng, TryRng};

/// Draws from [`Port::fill_random`].
///
/// A generator cannot fail, an entropy source can. So the first failure is kept, and ones are drawn
/// from then on: the code that lends this generator must ask for the [`error`](Self::error) before
/// anything drawn is used. What is used all the same is a pause, and of all ones it becomes the longest,
/// where zeros would make it none.
#[derive(Debug)]
pub struct PortRng<'a, P> {
    port: &'a mut P,
    error: Option<i32>,
}

impl<'a, P: Port> PortRng<'a, P> {
    /// A generator for one call.
    pub fn new(port: &'a mut P) -> Self {
        Self { port, error: None }
    }

    /// The platform's code, if it ever had no entropy to give.
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
