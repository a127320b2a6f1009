//! RSA verification in Rust, with PSA's hashes.

use thread_mqtt_crypto_rsa::{self as rsa, PublicKey};
use thread_mqtt_psa::{Call, Error, Hash, Status};

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
    // A hash that fails here is latched. Keep the latch until it is checked.
    let _lease = Lease::new();
    let result = read(key)?.verify(encoding, &Sha2(hash), digest, signature);
    fault::check()?;
    result.map_err(in_terms_of_psa)
}

fn read(key: &[u8]) -> Result<PublicKey, Error> {
    let (modulus, exponent) = numbers(key).ok_or(INVALID)?;
    PublicKey::new(modulus, exponent).map_err(in_terms_of_psa)
}

/// Returns the error that PSA's own verification would return.
fn in_terms_of_psa(error: rsa::Error) -> Error {
    match error {
        rsa::Error::Invalid => INVALID,
        rsa::Error::OutOfMemory => Call::VerifyHash.failed(Status::INSUFFICIENT_MEMORY),
    }
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::SignatureVerificationAlgorithm;
    use thread_mqtt_test_support::heap::with_heap;

    use super::*;
    use crate::detect::vectors as known;
    use crate::verify::{RSA_PKCS1_SHA256, RSA_PSS_SHA256};

    #[test]
    fn without_memory_it_fails_as_psa_would() {
        let _alone = crate::tests::alone();
        thread_mqtt_psa::init().unwrap();
        let signatures: [(&dyn SignatureVerificationAlgorithm, _); 2] = [
            (RSA_PKCS1_SHA256, &known::RSA_PKCS1_SIGNATURE),
            (RSA_PSS_SHA256, &known::RSA_PSS_SIGNATURE),
        ];
        fault::take_last_failure();
        for (algorithm, signature) in signatures {
            let verify = || algorithm.verify_signature(&known::RSA_KEY, b"abc", signature);
            assert!(with_heap(1_000, verify).0.is_err());
            let missing = Call::VerifyHash.failed(Status::INSUFFICIENT_MEMORY);
            assert_eq!(fault::take_last_failure(), Some(missing));
            assert!(with_heap(2_500, verify).0.is_ok());
            assert_eq!(fault::take_last_failure(), None);
        }
    }
}
