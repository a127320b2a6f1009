//! Randomness comes from PSA.

use rustls::crypto::{GetRandomFailed, SecureRandom};

use crate::fault;

/// `psa_generate_random` for rustls.
pub static RANDOM: &dyn SecureRandom = &Random;

#[derive(Debug)]
struct Random;

impl SecureRandom for Random {
    fn fill(&self, buf: &mut [u8]) -> Result<(), GetRandomFailed> {
        fault::check()
            .and_then(|()| thread_mqtt_psa::random(buf))
            .map_err(|error| {
                fault::remember(error);
                GetRandomFailed
            })
    }
}
