//! RSA signature verification (RFC 8017) for moduli of 2048 to 4096 bits.

use core::fmt;

use der::asn1::UintRef;
use der::{Decode, Reader, SliceReader};
use rustls::crypto::hash::Hash;
use rustls::pki_types::{
    AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id,
};
use thread_mqtt_crypto_record::Causes;
use thread_mqtt_crypto_rsa::{Encoding, Error, PublicKey};

use crate::hash;

/// RSASSA-PKCS1-v1_5 with SHA-256.
pub static RSA_PKCS1_SHA256: &dyn SignatureVerificationAlgorithm = &Rsa {
    signature: alg_id::RSA_PKCS1_SHA256,
    hash: &hash::SHA256,
    encoding: Encoding::Pkcs1,
};

/// RSASSA-PKCS1-v1_5 with SHA-384.
pub static RSA_PKCS1_SHA384: &dyn SignatureVerificationAlgorithm = &Rsa {
    signature: alg_id::RSA_PKCS1_SHA384,
    hash: &hash::SHA384,
    encoding: Encoding::Pkcs1,
};

/// RSASSA-PKCS1-v1_5 with SHA-512.
pub static RSA_PKCS1_SHA512: &dyn SignatureVerificationAlgorithm = &Rsa {
    signature: alg_id::RSA_PKCS1_SHA512,
    hash: &hash::SHA512,
    encoding: Encoding::Pkcs1,
};

/// [`RSA_PKCS1_SHA256`] in a certificate whose algorithm identifier omits the NULL parameters,
/// which verifiers must accept (RFC 4055, section 5).
pub static RSA_PKCS1_SHA256_ABSENT_PARAMS: &dyn SignatureVerificationAlgorithm = &Rsa {
    signature: AlgorithmIdentifier::from_slice(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"),
    hash: &hash::SHA256,
    encoding: Encoding::Pkcs1,
};

/// [`RSA_PKCS1_SHA384`] with the parameters omitted.
pub static RSA_PKCS1_SHA384_ABSENT_PARAMS: &dyn SignatureVerificationAlgorithm = &Rsa {
    signature: AlgorithmIdentifier::from_slice(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c"),
    hash: &hash::SHA384,
    encoding: Encoding::Pkcs1,
};

/// [`RSA_PKCS1_SHA512`] with the parameters omitted.
pub static RSA_PKCS1_SHA512_ABSENT_PARAMS: &dyn SignatureVerificationAlgorithm = &Rsa {
    signature: AlgorithmIdentifier::from_slice(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d"),
    hash: &hash::SHA512,
    encoding: Encoding::Pkcs1,
};

/// RSASSA-PSS with SHA-256, MGF1 with the same hash, and a salt of the hash's length: what TLS (RFC
/// 8446, section 4.2.3) and certificates use. The key is of type `rsaEncryption`.
pub static RSA_PSS_SHA256: &dyn SignatureVerificationAlgorithm = &Rsa {
    signature: alg_id::RSA_PSS_SHA256,
    hash: &hash::SHA256,
    encoding: Encoding::Pss,
};

/// RSASSA-PSS with SHA-384; see [`RSA_PSS_SHA256`].
pub static RSA_PSS_SHA384: &dyn SignatureVerificationAlgorithm = &Rsa {
    signature: alg_id::RSA_PSS_SHA384,
    hash: &hash::SHA384,
    encoding: Encoding::Pss,
};

/// RSASSA-PSS with SHA-512; see [`RSA_PSS_SHA256`].
pub static RSA_PSS_SHA512: &dyn SignatureVerificationAlgorithm = &Rsa {
    signature: alg_id::RSA_PSS_SHA512,
    hash: &hash::SHA512,
    encoding: Encoding::Pss,
};

/// See [`take_out_of_memory`].
static OUT_OF_MEMORY: Causes = Causes::new();

/// Returns whether an RSA signature could not be verified for lack of memory in this thread since
/// the last call. rustls cannot express this: it considers the signature invalid. The caller that
/// reports a failed connection queries it here. [`identify_callers_by`](crate::identify_callers_by)
/// tells threads apart.
pub fn take_out_of_memory() -> bool {
    OUT_OF_MEMORY.take() != 0
}

struct Rsa {
    signature: AlgorithmIdentifier,
    hash: &'static dyn Hash,
    encoding: Encoding,
}

impl Rsa {
    fn verify(&self, public_key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), Error> {
        let (modulus, exponent) = read_key(public_key).ok_or(Error::Invalid)?;
        let key = PublicKey::new(modulus, exponent)?;
        let digest = self.hash.hash(message);
        key.verify(self.encoding, self.hash, digest.as_ref(), signature)
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
            .map_err(|error| {
                if error == Error::OutOfMemory {
                    OUT_OF_MEMORY.note(1);
                }
                InvalidSignature
            })
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

/// Returns modulus and exponent of an `RSAPublicKey` (RFC 8017, appendix A.1.1).
fn read_key(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut reader = SliceReader::new(der).ok()?;
    let (modulus, exponent) = reader
        .sequence(|fields| {
            Ok::<_, der::Error>((UintRef::decode(fields)?, UintRef::decode(fields)?))
        })
        .ok()?;
    reader.finish().ok()?;
    Some((modulus.as_bytes(), exponent.as_bytes()))
}
