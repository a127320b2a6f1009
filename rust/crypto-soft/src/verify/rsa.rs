//! RSA signature verification (RFC 8017) for moduli of 2048 to 4096 bits.
//!
//! Only the public operation exists, which is small; the private one is what
//! makes a full RSA implementation large and hard to keep free of side channels.

mod modular;

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use der::asn1::UintRef;
use der::{Decode, Reader, SliceReader};
use rustls::crypto::hash::Hash;
use rustls::pki_types::{
    AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id,
};

use crate::hash;
use modular::Modulus;

/// RSASSA-PKCS1-v1_5 with SHA-256.
pub static RSA_PKCS1_SHA256: &dyn SignatureVerificationAlgorithm = &Rsa {
    signature: alg_id::RSA_PKCS1_SHA256,
    hash: &hash::SHA256,
    encoding: Encoding::Pkcs1(SHA256_INFO),
};

/// RSASSA-PKCS1-v1_5 with SHA-384.
pub static RSA_PKCS1_SHA384: &dyn SignatureVerificationAlgorithm = &Rsa {
    signature: alg_id::RSA_PKCS1_SHA384,
    hash: &hash::SHA384,
    encoding: Encoding::Pkcs1(SHA384_INFO),
};

/// RSASSA-PKCS1-v1_5 with SHA-512.
pub static RSA_PKCS1_SHA512: &dyn SignatureVerificationAlgorithm = &Rsa {
    signature: alg_id::RSA_PKCS1_SHA512,
    hash: &hash::SHA512,
    encoding: Encoding::Pkcs1(SHA512_INFO),
};

/// [`RSA_PKCS1_SHA256`] in a certificate whose algorithm identifier leaves out
/// the NULL parameters, which verifiers must accept (RFC 4055, section 5).
pub static RSA_PKCS1_SHA256_ABSENT_PARAMS: &dyn SignatureVerificationAlgorithm = &Rsa {
    signature: AlgorithmIdentifier::from_slice(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"),
    hash: &hash::SHA256,
    encoding: Encoding::Pkcs1(SHA256_INFO),
};

/// [`RSA_PKCS1_SHA384`] with the parameters left out.
pub static RSA_PKCS1_SHA384_ABSENT_PARAMS: &dyn SignatureVerificationAlgorithm = &Rsa {
    signature: AlgorithmIdentifier::from_slice(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c"),
    hash: &hash::SHA384,
    encoding: Encoding::Pkcs1(SHA384_INFO),
};

/// [`RSA_PKCS1_SHA512`] with the parameters left out.
pub static RSA_PKCS1_SHA512_ABSENT_PARAMS: &dyn SignatureVerificationAlgorithm = &Rsa {
    signature: AlgorithmIdentifier::from_slice(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d"),
    hash: &hash::SHA512,
    encoding: Encoding::Pkcs1(SHA512_INFO),
};

/// RSASSA-PSS with SHA-256, MGF1 with the same hash, and a salt as long as it:
/// what TLS (RFC 8446, section 4.2.3) and certificates use. The key is of type
/// `rsaEncryption`.
pub static RSA_PSS_SHA256: &dyn SignatureVerificationAlgorithm = &Rsa {
    signature: alg_id::RSA_PSS_SHA256,
    hash: &hash::SHA256,
    encoding: Encoding::Pss,
};

/// RSASSA-PSS with SHA-384, as [`RSA_PSS_SHA256`].
pub static RSA_PSS_SHA384: &dyn SignatureVerificationAlgorithm = &Rsa {
    signature: alg_id::RSA_PSS_SHA384,
    hash: &hash::SHA384,
    encoding: Encoding::Pss,
};

/// RSASSA-PSS with SHA-512, as [`RSA_PSS_SHA256`].
pub static RSA_PSS_SHA512: &dyn SignatureVerificationAlgorithm = &Rsa {
    signature: alg_id::RSA_PSS_SHA512,
    hash: &hash::SHA512,
    encoding: Encoding::Pss,
};

/// The start of a DER `DigestInfo`, up to the digest (RFC 8017, section 9.2, note 1).
type DigestInfo = &'static [u8];

const SHA256_INFO: DigestInfo =
    b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20";
const SHA384_INFO: DigestInfo =
    b"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30";
const SHA512_INFO: DigestInfo =
    b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40";

struct Rsa {
    signature: AlgorithmIdentifier,
    hash: &'static dyn Hash,
    encoding: Encoding,
}

enum Encoding {
    /// EMSA-PKCS1-v1_5 (RFC 8017, section 9.2).
    Pkcs1(DigestInfo),
    /// EMSA-PSS (RFC 8017, section 9.1).
    Pss,
}

impl Rsa {
    fn verify(&self, public_key: &[u8], message: &[u8], signature: &[u8]) -> Option<()> {
        let key = PublicKey::from_der(public_key)?;
        let mut encoded = key.apply(signature)?;
        let digest = self.hash.hash(message);
        match self.encoding {
            Encoding::Pkcs1(info) => verify_pkcs1(info, digest.as_ref(), &encoded),
            Encoding::Pss => verify_pss(
                self.hash,
                digest.as_ref(),
                &mut encoded,
                key.modulus.bits() - 1,
            ),
        }
    }
}

impl SignatureVerificationAlgorithm for Rsa {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        self.verify(public_key, message, signature)
            .ok_or(InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::RSA_ENCRYPTION
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.signature
    }
}

impl fmt::Debug for Rsa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rsa")
            .field("signature", &self.signature)
            .finish()
    }
}

/// Shorter moduli are too weak, longer ones cost too much memory and time.
const MODULUS_BITS: core::ops::RangeInclusive<usize> = 2048..=4096;
/// Nobody needs more, and the peer must not be able to make us compute for minutes.
const MAX_EXPONENT: u64 = (1 << 33) - 1;

struct PublicKey {
    modulus: Modulus,
    exponent: u64,
}

impl PublicKey {
    /// Parses an `RSAPublicKey` (RFC 8017, appendix A.1.1) and checks its limits.
    fn from_der(der: &[u8]) -> Option<Self> {
        let mut reader = SliceReader::new(der).ok()?;
        let (modulus, exponent) = reader
            .sequence(|fields| {
                Ok::<_, der::Error>((UintRef::decode(fields)?, u64::decode(fields)?))
            })
            .ok()?;
        reader.finish().ok()?;

        // No allocation before the length is known to be reasonable.
        if modulus.as_bytes().len() > MODULUS_BITS.end() / 8
            || !(3..=MAX_EXPONENT).contains(&exponent)
            || exponent % 2 == 0
        {
            return None;
        }
        let modulus = Modulus::new(modulus.as_bytes())?;
        MODULUS_BITS
            .contains(&modulus.bits())
            .then_some(Self { modulus, exponent })
    }

    /// RSAVP1 (RFC 8017, section 5.2.2): `signature ^ exponent mod modulus`, as many
    /// bytes as the modulus has.
    fn apply(&self, signature: &[u8]) -> Option<Vec<u8>> {
        if signature.len() != self.modulus.bits().div_ceil(8) {
            return None;
        }
        self.modulus.power(signature, self.exponent)
    }
}

/// Compares with the one valid encoding rather than parse: there is nothing to get wrong.
fn verify_pkcs1(info: DigestInfo, digest: &[u8], encoded: &[u8]) -> Option<()> {
    let padding = encoded.len().checked_sub(info.len() + digest.len() + 3)?;
    let mut expected = vec![0x00, 0x01];
    expected.resize(2 + padding, 0xff);
    expected.push(0x00);
    expected.extend_from_slice(info);
    expected.extend_from_slice(digest);
    (expected == encoded).then_some(())
}

/// EMSA-PSS-VERIFY (RFC 8017, section 9.1.2) with the salt as long as the hash.
fn verify_pss(
    hash: &dyn Hash,
    digest: &[u8],
    encoded: &mut [u8],
    encoded_bits: usize,
) -> Option<()> {
    // A modulus of 8n + 1 bits leaves one byte more than the encoding has.
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
