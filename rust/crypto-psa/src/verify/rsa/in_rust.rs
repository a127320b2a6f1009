//! In Rust, with PSA's hashes.

use thread_mqtt_crypto_rsa::PublicKey;
use thread_mqtt_psa::{Error, Hash};

use super::{Encoding, numbers};
use crate::fault::{self, Lease};
use crate::hash::Sha2;
use crate::verify::INVALID;

pub(crate) fn verify(
    encoding: Encoding,
    hash: Hash,
    key: &[u8],
    digest: &[u8],
    signature: &[u8],
) -> Result<(), Error> {
    // A hash that fails in here is latched, and the latch must not be let go before it is seen.
    let _lease = Lease::new();
    let key = read(key)?;
    let valid = match encoding {
        Encoding::Pkcs1 => key.verify_pkcs1(&Sha2(hash), digest, signature),
        Encoding::Pss => key.verify_pss(&Sha2(hash), digest, signature),
    };
    fault::check()?;
    valid.ok_or(INVALID)
}

/// Whether the key is within the limits.
pub(crate) fn accept(key: &[u8]) -> Result<(), Error> {
    read(key).map(|_| ())
}

fn read(key: &[u8]) -> Result<PublicKey, Error> {
    let (modulus, exponent) = numbers(key).ok_or(INVALID)?;
    PublicKey::new(modulus, exponent).ok_or(INVALID)
}
