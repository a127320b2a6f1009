//! RSA keys at the limits of what is accepted, generated with OpenSSL's primes and checked with
//! `openssl dgst -verify`. `rsaN.der` is an `RSAPublicKey` of N bits (`e3`: with the exponent 3,
//! otherwise 65537); `.pkcs1` and `.pss` are its signatures of [`MESSAGE`] with SHA-256.

use rustls::pki_types::SignatureVerificationAlgorithm;
use thread_mqtt_soft_provider::verify::{RSA_PKCS1_SHA256, RSA_PSS_SHA256, take_out_of_memory};
use thread_mqtt_test_support::heap::{Heap, with_heap};

#[global_allocator]
static HEAP: Heap = Heap;

const MESSAGE: &[u8] = b"an even number of bits is not a law";

struct Vector {
    key: &'static [u8],
    pkcs1: &'static [u8],
    pss: &'static [u8],
}

macro_rules! vector {
    ($name:literal) => {
        Vector {
            key: include_bytes!(concat!("data/rsa", $name, ".der")),
            pkcs1: include_bytes!(concat!("data/rsa", $name, ".pkcs1")),
            pss: include_bytes!(concat!("data/rsa", $name, ".pss")),
        }
    };
}

impl Vector {
    fn signatures(&self) -> [(&'static dyn SignatureVerificationAlgorithm, &'static [u8]); 2] {
        [(RSA_PKCS1_SHA256, self.pkcs1), (RSA_PSS_SHA256, self.pss)]
    }
}

#[test]
fn moduli_of_uneven_length() {
    // With 8n + 1 bits, a PSS encoding is a byte shorter than the modulus.
    for vector in [vector!("2048e3"), vector!("2049"), vector!("2052")] {
        for (algorithm, signature) in vector.signatures() {
            algorithm
                .verify_signature(vector.key, MESSAGE, signature)
                .unwrap_or_else(|_| panic!("{algorithm:?}"));
            assert!(
                algorithm
                    .verify_signature(vector.key, b"another message", signature)
                    .is_err()
            );
        }
    }
}

#[test]
fn moduli_out_of_range() {
    for vector in [vector!("2047"), vector!("4097")] {
        for (algorithm, signature) in vector.signatures() {
            assert!(
                algorithm
                    .verify_signature(vector.key, MESSAGE, signature)
                    .is_err()
            );
        }
    }
}

/// A signature has exactly the length of the modulus and is smaller than it.
#[test]
fn signatures_out_of_range() {
    for vector in [vector!("2049"), vector!("2052")] {
        for (algorithm, signature) in vector.signatures() {
            let longer = [&[0], signature].concat();
            let shorter = &signature[1..];
            let trailing = [signature, &[0]].concat();
            for wrong in [
                &longer,
                shorter,
                &trailing,
                &[],
                &vec![0xff; signature.len()],
            ] {
                assert!(
                    algorithm
                        .verify_signature(vector.key, MESSAGE, wrong)
                        .is_err()
                );
            }
        }
    }
}

/// Signature plus modulus has the same residue, but is not canonical.
#[test]
fn signature_not_reduced() {
    let vector = vector!("2049");
    // SEQUENCE and INTEGER headers of 4 bytes each; the modulus has as many bytes as a signature.
    let modulus = &vector.key[8..8 + vector.pss.len()];
    for (algorithm, signature) in vector.signatures() {
        let mut sum = signature.to_vec();
        let mut carry = 0;
        for (byte, other) in sum.iter_mut().zip(modulus).rev() {
            carry += u16::from(*byte) + u16::from(*other);
            *byte = carry.to_le_bytes()[0];
            carry >>= 8;
        }
        assert_eq!(
            carry, 0,
            "the sum fits, as the top byte of the modulus is 1"
        );
        assert!(
            algorithm
                .verify_signature(vector.key, MESSAGE, &sum)
                .is_err()
        );
    }
}

#[test]
fn exponents_out_of_range() {
    let vector = vector!("2048e3");
    let (head, exponent) = vector.key.split_at(vector.key.len() - 3);
    assert_eq!(exponent, [0x02, 1, 3]);
    for (exponent, fits) in [(3, true), (1, false), (2, false), (4, false), (0, false)] {
        let key = [head, &[0x02, 1, exponent]].concat();
        let verified = RSA_PKCS1_SHA256.verify_signature(&key, MESSAGE, vector.pkcs1);
        assert_eq!(verified.is_ok(), fits, "exponent {exponent}");
    }

    // The signature is valid for exponent 1 if it equals the encoding: this must not be accepted.
    let mut encoding = vec![0x00, 0x01];
    encoding.resize(256 - 52, 0xff);
    encoding.extend_from_slice(
        b"\x00\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20",
    );
    encoding.extend_from_slice(&aws_sha256(MESSAGE));
    let key = [head, &[0x02, 1, 1]].concat();
    assert!(
        RSA_PKCS1_SHA256
            .verify_signature(&key, MESSAGE, &encoding)
            .is_err()
    );
}

fn aws_sha256(data: &[u8]) -> Vec<u8> {
    let suite = rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;
    let hash = suite.tls13().unwrap().common.hash_provider;
    hash.hash(data).as_ref().to_vec()
}

/// Whatever the peer sends as a key causes an error, neither a panic nor a huge allocation.
#[test]
fn broken_keys() {
    let vector = vector!("2048e3");
    for len in 0..vector.key.len() {
        assert!(
            RSA_PSS_SHA256
                .verify_signature(&vector.key[..len], MESSAGE, vector.pss)
                .is_err(),
            "cut to {len}"
        );
    }
    let trailing = [vector.key, &[0]].concat();
    assert!(
        RSA_PSS_SHA256
            .verify_signature(&trailing, MESSAGE, vector.pss)
            .is_err()
    );
    for index in 0..vector.key.len() {
        for bit in 0..8 {
            let mut key = vector.key.to_vec();
            key[index] ^= 1 << bit;
            // No flipped bit leaves the signature valid.
            assert!(
                RSA_PSS_SHA256
                    .verify_signature(&key, MESSAGE, vector.pss)
                    .is_err(),
                "byte {index} bit {bit}"
            );
        }
    }
}

#[test]
fn without_memory_nothing_is_valid_and_the_reason_is_told_once() {
    let vector = vector!("2048e3");
    for (algorithm, signature) in vector.signatures() {
        assert!(!take_out_of_memory());
        let verify = || algorithm.verify_signature(vector.key, MESSAGE, signature);
        assert!(with_heap(1_000, verify).0.is_err());
        assert!(take_out_of_memory());
        assert!(with_heap(2_000, verify).0.is_ok());
        assert!(!take_out_of_memory());
    }
}
