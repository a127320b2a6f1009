//! RSA signature verification (RFC 8017) for moduli of 2048 to 4096 bits.
//!
//! Only the public operation exists, which is small. The private one makes a full RSA
//! implementation large and hard to keep free of side channels. Nothing here is secret, so run time
//! may depend on the values.
//!
//! ```text
//! a provider     DER of the key, algorithm identifiers, digests
//!    |
//! this crate     PublicKey: limits, powers modulo n, PKCS #1 v1.5 and PSS
//! ```
//!
//! The provider supplies the hash, as rustls's trait. A provider whose hash can fail must handle
//! that itself: a wrong digest makes a signature invalid, never valid.
//!
//! A verification needs six times the modulus of heap, and frees it afterwards: 1.5 kB with 2048
//! bits, 3 kB with 4096. It returns an error if the heap has no room.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod modular;

use alloc::vec::Vec;
use core::fmt;
use core::ops::RangeInclusive;

use rustls::crypto::hash::{Hash, HashAlgorithm};

use modular::Modulus;

/// Shorter moduli are too weak, longer ones cost too much memory and time.
pub const MODULUS_BITS: RangeInclusive<usize> = 2048..=4096;
/// Longer exponents are not in use, and a peer must not be able to make us compute for minutes.
const MAX_EXPONENT: u64 = (1 << 33) - 1;

/// Why a key or a signature is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// The key is outside the limits, or the signature is not one of this digest by this key.
    Invalid,
    /// The heap has no room for the numbers, so the signature was not checked.
    OutOfMemory,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Invalid => "the RSA key or signature is not valid",
            Self::OutOfMemory => "not enough heap for the RSA key",
        })
    }
}

impl core::error::Error for Error {}

/// How a digest is encoded in a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// RSASSA-PKCS1-v1_5 (RFC 8017, section 8.2).
    Pkcs1,
    /// RSASSA-PSS (RFC 8017, section 8.1) with MGF1 of the same hash and a salt of the hash's
    /// length: what TLS (RFC 8446, section 4.2.3) and certificates use.
    Pss,
}

/// A public key (RFC 8017, section 3.1) within the limits.
pub struct PublicKey {
    modulus: Modulus,
    exponent: u64,
}

impl PublicKey {
    /// Creates a key from its two numbers, big-endian. Fails with [`Error::Invalid`] unless the
    /// modulus is odd and of [`MODULUS_BITS`], and the exponent is odd and from 3 to 2^33 - 1.
    pub fn new(modulus: &[u8], exponent: &[u8]) -> Result<Self, Error> {
        // Do not allocate before the length is known to be reasonable. There may be a leading zero.
        if modulus.len() > MODULUS_BITS.end() / 8 + 1 {
            return Err(Error::Invalid);
        }
        let exponent = number(exponent).ok_or(Error::Invalid)?;
        if !(3..=MAX_EXPONENT).contains(&exponent) || exponent % 2 == 0 {
            return Err(Error::Invalid);
        }
        let modulus = Modulus::new(modulus)?;
        match MODULUS_BITS.contains(&modulus.bits()) {
            true => Ok(Self { modulus, exponent }),
            false => Err(Error::Invalid),
        }
    }

    /// Checks that the signature is one of this digest. The hash is SHA-256, SHA-384 or SHA-512.
    pub fn verify(
        &self,
        encoding: Encoding,
        hash: &dyn Hash,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<(), Error> {
        let mut encoded = self.apply(signature)?;
        match encoding {
            Encoding::Pkcs1 => check_pkcs1(hash, digest, &encoded),
            Encoding::Pss => check_pss(hash, digest, &mut encoded, self.modulus.bits() - 1),
        }
        .ok_or(Error::Invalid)
    }

    /// RSAVP1 (RFC 8017, section 5.2.2): returns `signature ^ exponent mod modulus`, with as many
    /// bytes as the modulus.
    fn apply(&self, signature: &[u8]) -> Result<Vec<u8>, Error> {
        if signature.len() != self.modulus.bits().div_ceil(8) {
            return Err(Error::Invalid);
        }
        self.modulus.power(signature, self.exponent)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey")
            .field("bits", &self.modulus.bits())
            .field("exponent", &self.exponent)
            .finish()
    }
}

/// Returns a number of at most eight bytes.
fn number(big_endian: &[u8]) -> Option<u64> {
    let mut bytes = [0; 8];
    let zeros = bytes.len().checked_sub(big_endian.len())?;
    bytes.get_mut(zeros..)?.copy_from_slice(big_endian);
    Some(u64::from_be_bytes(bytes))
}

/// Returns the start of a DER `DigestInfo`, up to the digest (RFC 8017, section 9.2, note 1).
fn digest_info(hash: HashAlgorithm) -> Option<&'static [u8]> {
    Some(match hash {
        HashAlgorithm::SHA256 => {
            b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"
        }
        HashAlgorithm::SHA384 => {
            b"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30"
        }
        HashAlgorithm::SHA512 => {
            b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40"
        }
        _ => return None,
    })
}

/// Compares the whole encoding (RFC 8017, section 9.2): there is exactly one for each digest, so
/// nothing needs to be parsed.
fn check_pkcs1(hash: &dyn Hash, digest: &[u8], encoded: &[u8]) -> Option<()> {
    let rest = encoded.strip_suffix(digest)?;
    let rest = rest.strip_suffix(digest_info(hash.algorithm())?)?;
    let padding = rest.strip_prefix(&[0x00, 0x01])?.strip_suffix(&[0x00])?;
    padding.iter().all(|byte| *byte == 0xff).then_some(())
}

/// EMSA-PSS-VERIFY (RFC 8017, section 9.1.2) with a salt of the hash's length.
fn check_pss(
    hash: &dyn Hash,
    digest: &[u8],
    encoded: &mut [u8],
    encoded_bits: usize,
) -> Option<()> {
    // A modulus of 8n + 1 bits is one byte longer than the encoding.
    let encoded_len = encoded_bits.div_ceil(8);
    let (excess, encoded) =
        encoded.split_at_mut_checked(encoded.len().checked_sub(encoded_len)?)?;
    let unused_bits = encoded_len * 8 - encoded_bits;
    let used = 0xff_u8 >> unused_bits;

    let hash_len = hash.output_len();
    let (trailer, rest) = encoded.split_last_mut()?;
    let (block, check) = rest.split_at_mut_checked(rest.len().checked_sub(hash_len)?)?;
    let first = *block.first()?;
    if excess.iter().any(|byte| *byte != 0) || *trailer != 0xbc || first & !used != 0 {
        return None;
    }

    unmask(hash, check, block);
    *block.first_mut()? &= used;
    let (padding, salt) = block.split_at_checked(block.len().checked_sub(hash_len)?)?;
    let (separator, zeros) = padding.split_last()?;
    if *separator != 0x01 || zeros.iter().any(|byte| *byte != 0) {
        return None;
    }

    let mut context = hash.start();
    context.update(&[0; 8]);
    context.update(digest);
    context.update(salt);
    (context.finish().as_ref() == check).then_some(())
}

/// Combines `block` with MGF1 of `seed` (RFC 8017, appendix B.2.1).
fn unmask(hash: &dyn Hash, seed: &[u8], block: &mut [u8]) {
    for (counter, chunk) in (0_u32..).zip(block.chunks_mut(hash.output_len())) {
        let mut context = hash.start();
        context.update(seed);
        context.update(&counter.to_be_bytes());
        for (byte, mask) in chunk.iter_mut().zip(context.finish().as_ref()) {
            *byte ^= mask;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    /// Returns a modulus of all ones.
    fn modulus(bits: usize) -> Vec<u8> {
        let mut modulus = vec![0xff; bits.div_ceil(8)];
        modulus[0] >>= modulus.len() * 8 - bits;
        modulus
    }

    fn is_taken(modulus: &[u8], exponent: &[u8]) -> bool {
        PublicKey::new(modulus, exponent).is_ok()
    }

    #[test]
    fn moduli_have_2048_to_4096_bits_and_are_odd() {
        for bits in [2048, 2049, 3000, 4095, 4096] {
            assert!(is_taken(&modulus(bits), &[3]), "{bits}");
        }
        for bits in [8, 1024, 2047, 4097, 8192, 100_000] {
            assert!(!is_taken(&modulus(bits), &[3]), "{bits}");
        }
        let mut longer = modulus(4096);
        longer.insert(0, 0);
        assert!(is_taken(&longer, &[3]));
        let mut even = modulus(2048);
        even[255] = 0xfe;
        assert!(!is_taken(&even, &[3]));
    }

    #[test]
    fn exponents_are_odd_and_not_long() {
        let modulus = modulus(2048);
        for exponent in [
            &[3][..],
            &[1, 0, 1],
            &[0, 0, 0, 0, 0, 0, 1, 1],
            &[1, 0xff, 0xff, 0xff, 0xff],
        ] {
            assert!(is_taken(&modulus, exponent), "{exponent:x?}");
        }
        let long = [1; 9];
        for exponent in [
            &[][..],
            &[0],
            &[1],
            &[2],
            &[1, 0, 0],
            &[2, 0, 0, 0, 1],
            &long,
        ] {
            assert!(!is_taken(&modulus, exponent), "{exponent:x?}");
        }
    }
}
