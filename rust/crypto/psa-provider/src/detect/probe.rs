//! The known-answer tests for a backend that must be probed.
//!
//! Hashes, HMAC and ciphers are fast to test, and a wrong result would be noticed late. Key
//! exchange and signatures take as long as a handshake, so their first use is the test. A wrong
//! result ends the connection, and nothing worse.

use alloc::vec::Vec;

use thread_mqtt_psa::{Call, Error, Hash, HashOperation, Status, Usage};

use super::report::{Basis, Capability as Can, Finding, Report};
use super::{ENABLED, vectors as known};
use crate::aead::{self, Aead, TAG_LEN};
use crate::hmac;

/// Probes what the cargo features enable and is fast to test, except what an earlier report
/// settled.
pub(crate) fn all(earlier: Option<&Report>) -> Report {
    let mut findings = Vec::with_capacity(ENABLED.len());
    for (capability, _) in ENABLED.iter().copied() {
        let settled = earlier.and_then(|report| report.settled(capability));
        let tried = settled.or_else(|| probe(capability));
        let assumed = || match hash_of(capability) {
            Some(hash) => outcome(&findings, hash),
            None => Ok(()),
        };
        findings.push(Finding {
            capability,
            result: tried.unwrap_or_else(assumed),
            basis: match tried {
                Some(_) => Basis::Tried,
                None => Basis::Assumed,
            },
        });
    }
    Report::new(findings)
}

fn probe(capability: Can) -> Option<Result<(), Error>> {
    Some(match capability {
        Can::Sha256 => digest(Hash::Sha256, &known::ABC_SHA256),
        #[cfg(any(feature = "aes256", feature = "p384", feature = "rsa"))]
        Can::Sha384 => digest(Hash::Sha384, &known::ABC_SHA384),
        #[cfg(any(feature = "p384", feature = "rsa"))]
        Can::Sha512 => digest(Hash::Sha512, &known::ABC_SHA512),
        Can::HmacSha256 => tag(Hash::Sha256, &known::HMAC_SHA256),
        #[cfg(feature = "aes256")]
        Can::HmacSha384 => tag(Hash::Sha384, &known::HMAC_SHA384),
        Can::Aes128Gcm => cipher(&aead::AES_128_GCM, &known::AES_128_GCM),
        #[cfg(feature = "aes256")]
        Can::Aes256Gcm => cipher(&aead::AES_256_GCM, &known::AES_256_GCM),
        #[cfg(feature = "chacha20")]
        Can::ChaCha20Poly1305 => cipher(&aead::CHACHA20_POLY1305, &known::CHACHA20_POLY1305),
        _ => return None,
    })
}

/// Returns the hash that a signature uses and PSA computes.
fn hash_of(capability: Can) -> Option<Can> {
    match capability {
        Can::EcdsaP256 | Can::EcdsaP384Sha256 | Can::RsaPkcs1Sha256 | Can::RsaPssSha256 => {
            Some(Can::Sha256)
        }
        Can::EcdsaP384 | Can::EcdsaP256Sha384 | Can::RsaPkcs1Sha384 | Can::RsaPssSha384 => {
            Some(Can::Sha384)
        }
        Can::EcdsaP256Sha512
        | Can::EcdsaP384Sha512
        | Can::EcdsaP521
        | Can::RsaPkcs1Sha512
        | Can::RsaPssSha512 => Some(Can::Sha512),
        _ => None,
    }
}

/// Returns the test result of this capability.
fn outcome(findings: &[Finding], capability: Can) -> Result<(), Error> {
    let mut findings = findings.iter();
    let finding = findings.find(|finding| finding.capability == capability);
    finding.map_or(Ok(()), |finding| finding.result)
}

/// Checks that the answer is the known one.
fn same(call: Call, answer: &[u8], known: &[u8]) -> Result<(), Error> {
    match answer == known {
        true => Ok(()),
        false => Err(call.failed(Status::CORRUPTION_DETECTED)),
    }
}

/// Computes a digest with a fork, as for TLS transcripts.
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

/// Encrypts, decrypts in place, and checks that a flipped bit is refused.
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

/// Checks that the operation works and refuses.
fn refused(result: Result<(), Error>) -> Result<(), Error> {
    match result {
        Err(error) if error.status == Status::INVALID_SIGNATURE => Ok(()),
        Err(error) => Err(error),
        Ok(()) => Err(Call::VerifyHash.failed(Status::CORRUPTION_DETECTED)),
    }
}
