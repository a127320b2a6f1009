//! The known-answer tests.

use alloc::vec::Vec;

use thread_mqtt_psa::{Algorithm, Call, Error, Hash, HashOperation, KeyType, Status, Usage};

use super::report::{Capability as Can, Finding, Report};
use super::vectors as known;
use crate::aead::{self, Aead, TAG_LEN};
use crate::kx::{self, Pair};
#[cfg(feature = "rsa")]
use crate::{hash, verify::rsa};
use crate::{hmac, verify};

/// Tries everything that the cargo features enable, but for what an earlier report settled.
pub(crate) fn all(earlier: Option<&Report>) -> Report {
    let mut findings = Vec::new();
    let mut found = |capability, probe: &dyn Fn() -> Result<(), Error>| {
        let settled = earlier.and_then(|report| report.settled(capability));
        let result = settled.unwrap_or_else(probe);
        findings.push(Finding { capability, result });
    };

    found(Can::Sha256, &|| digest(Hash::Sha256, &known::ABC_SHA256));
    #[cfg(any(feature = "aes256", feature = "p384", feature = "rsa"))]
    found(Can::Sha384, &|| digest(Hash::Sha384, &known::ABC_SHA384));
    #[cfg(any(feature = "p384", feature = "rsa"))]
    found(Can::Sha512, &|| digest(Hash::Sha512, &known::ABC_SHA512));

    found(Can::HmacSha256, &|| tag(Hash::Sha256, &known::HMAC_SHA256));
    #[cfg(feature = "aes256")]
    found(Can::HmacSha384, &|| tag(Hash::Sha384, &known::HMAC_SHA384));

    found(Can::Aes128Gcm, &|| {
        cipher(&aead::AES_128_GCM, &known::AES_128_GCM)
    });
    #[cfg(feature = "aes256")]
    found(Can::Aes256Gcm, &|| {
        cipher(&aead::AES_256_GCM, &known::AES_256_GCM)
    });
    #[cfg(feature = "chacha20")]
    found(Can::ChaCha20Poly1305, &|| {
        cipher(&aead::CHACHA20_POLY1305, &known::CHACHA20_POLY1305)
    });

    #[cfg(feature = "x25519")]
    found(Can::X25519, &|| {
        agreement(&kx::X25519_GROUP, &X25519_GENERATOR, 0)
    });
    found(Can::Secp256r1, &|| {
        agreement(&kx::SECP256R1_GROUP, &known::P256_GENERATOR, 1)
    });
    #[cfg(feature = "p384")]
    found(Can::Secp384r1, &|| {
        agreement(&kx::SECP384R1_GROUP, &known::P384_GENERATOR, 1)
    });

    let p256 = |hash, digest| ecdsa(&known::P256_KEY, &known::P256_SIGNATURE, hash, digest);
    found(Can::EcdsaP256, &|| p256(Hash::Sha256, &known::ABC_SHA256));
    #[cfg(feature = "p384")]
    {
        let p384 = |hash, digest| ecdsa(&known::P384_KEY, &known::P384_SIGNATURE, hash, digest);
        found(Can::EcdsaP384, &|| p384(Hash::Sha384, &known::ABC_SHA384));
        // Not the hashes that were signed: to be understood and refused.
        found(Can::EcdsaP256Sha384, &|| {
            refused(p256(Hash::Sha384, &known::ABC_SHA384))
        });
        found(Can::EcdsaP384Sha256, &|| {
            refused(p384(Hash::Sha256, &known::ABC_SHA256))
        });
        found(Can::EcdsaP256Sha512, &|| {
            refused(p256(Hash::Sha512, &known::ABC_SHA512))
        });
        found(Can::EcdsaP384Sha512, &|| {
            refused(p384(Hash::Sha512, &known::ABC_SHA512))
        });
    }
    #[cfg(feature = "p521")]
    found(Can::EcdsaP521, &|| {
        ecdsa(
            &known::P521_KEY,
            &known::P521_SIGNATURE,
            Hash::Sha512,
            &known::ABC_SHA512,
        )
    });
    #[cfg(feature = "ed25519")]
    found(Can::Ed25519, &|| {
        verify::verify_ed25519(&known::ED25519_KEY, b"abc", &known::ED25519_SIGNATURE)
    });

    #[cfg(feature = "rsa")]
    {
        let pkcs1 = |hash| rsa(rsa::Encoding::Pkcs1, hash, &known::RSA_PKCS1_SIGNATURE);
        found(Can::RsaPkcs1Sha256, &|| pkcs1(Hash::Sha256));
        found(Can::RsaPkcs1Sha384, &|| refused(pkcs1(Hash::Sha384)));
        found(Can::RsaPkcs1Sha512, &|| refused(pkcs1(Hash::Sha512)));
        let pss = |hash| rsa(rsa::Encoding::Pss, hash, &known::RSA_PSS_SIGNATURE);
        found(Can::RsaPssSha256, &|| pss(Hash::Sha256));
        found(Can::RsaPssSha384, &|| refused(pss(Hash::Sha384)));
        found(Can::RsaPssSha512, &|| refused(pss(Hash::Sha512)));
        found(Can::Rsa3072Keys, &|| rsa_key(3072));
        found(Can::Rsa4096Keys, &|| rsa_key(4096));
    }
    Report::new(findings)
}

/// The u coordinate 9 (RFC 7748, section 4.1).
#[cfg(feature = "x25519")]
static X25519_GENERATOR: [u8; 32] = {
    let mut u = [0; 32];
    u[0] = 9;
    u
};

/// The answer must be the known one.
fn same(call: Call, answer: &[u8], known: &[u8]) -> Result<(), Error> {
    match answer == known {
        true => Ok(()),
        false => Err(call.failed(Status::CORRUPTION_DETECTED)),
    }
}

/// With a fork, as TLS transcripts need it.
fn digest(hash: Hash, known: &[u8]) -> Result<(), Error> {
    let mut start = HashOperation::start(hash)?;
    start.update(b"a")?;
    let mut fork = start.fork()?;
    start.update(b"not in the fork")?;
    fork.update(b"bc")?;
    let mut out = [0; Hash::MAX_LEN];
    same(Call::HashFinish, fork.finish(&mut out)?, known)
}

fn tag(hash: Hash, known: &[u8]) -> Result<(), Error> {
    let key = hmac::import(hash, known::HMAC_KEY)?;
    let mut out = [0; Hash::MAX_LEN];
    let tag = hmac::tag(&key, hash, &[&[known::HMAC_TEXT]], &mut out)?;
    same(Call::MacFinish, tag, known)
}

/// There, back again in place, and not if a bit is wrong.
fn cipher(aead: &Aead, known: &[u8; 32]) -> Result<(), Error> {
    let key = known::AEAD_KEY.get(..aead.key_len).unwrap_or_default();
    let (nonce, aad) = (&known::AEAD_NONCE, known::AEAD_AAD);
    let mut buf = [0; 32];
    let (text, _) = buf.split_at_mut(known::AEAD_TEXT.len());
    text.copy_from_slice(known::AEAD_TEXT);

    aead.import(key, Usage::ENCRYPT)?
        .seal(aead.algorithm, nonce, aad, &mut buf, TAG_LEN)?;
    same(Call::AeadEncrypt, &buf, known)?;

    let key = aead.import(key, Usage::DECRYPT)?;
    let len = key.open(aead.algorithm, nonce, aad, &mut buf)?;
    let text = buf.get(..len).unwrap_or_default();
    same(Call::AeadDecrypt, text, known::AEAD_TEXT)?;

    let mut forged = *known;
    forged[0] ^= 1;
    refused(
        key.open(aead.algorithm, nonce, aad, &mut forged)
            .map(|_| ()),
    )
}

/// With the generator as the peer's key, the shared secret is the x coordinate of
/// our own: a known answer for a key that is not known.
fn agreement(group: &'static kx::Group, generator: &[u8], prefix: usize) -> Result<(), Error> {
    let pair = Pair::generate(group)?;
    let mut out = [0; kx::MAX_SECRET_LEN];
    let secret = pair.agree(generator, &mut out)?;
    let x = pair.public().get(prefix..prefix + secret.len());
    same(Call::RawKeyAgreement, secret, x.unwrap_or_default())
}

fn ecdsa(key: &[u8], signature: &[u8], hash: Hash, digest: &[u8]) -> Result<(), Error> {
    let algorithm = Algorithm::ecdsa(hash);
    verify::verify_hash(
        KeyType::SECP_R1_PUBLIC_KEY,
        algorithm,
        key,
        digest,
        signature,
    )
}

/// With the digest by PSA: in Rust there is nothing else that may be missing.
#[cfg(feature = "rsa")]
fn rsa(encoding: rsa::Encoding, hash: Hash, signature: &[u8]) -> Result<(), Error> {
    let mut digest = [0; Hash::MAX_LEN];
    let digest = hash::digest(hash, b"abc", &mut digest)?;
    rsa::verify(encoding, hash, &known::RSA_KEY, digest, signature)
}

/// A public key of this size, of ones all over, is taken.
#[cfg(feature = "rsa")]
fn rsa_key(bits: u16) -> Result<(), Error> {
    let len = bits / 8;
    let mut der = Vec::with_capacity(usize::from(len) + 14);
    der.extend([0x30, 0x82]);
    der.extend((len + 10).to_be_bytes());
    der.extend([0x02, 0x82]);
    der.extend((len + 1).to_be_bytes());
    der.push(0);
    der.resize(der.len() + usize::from(len), 0xff);
    der.extend([0x02, 0x03, 0x01, 0x00, 0x01]);
    rsa::accept(&der)
}

/// Works, and says no.
fn refused(result: Result<(), Error>) -> Result<(), Error> {
    match result {
        Err(error) if error.status == Status::INVALID_SIGNATURE => Ok(()),
        Err(error) => Err(error),
        Ok(()) => Err(Call::VerifyHash.failed(Status::CORRUPTION_DETECTED)),
    }
}
