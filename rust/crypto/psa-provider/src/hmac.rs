//! HMAC for rustls, whose trait cannot return errors: see [`crate::fault`].
//!
//! rustls's own HKDF and TLS 1.2 PRF use it.

use alloc::boxed::Box;

use rustls::crypto::hmac::{self, Tag};
use thread_mqtt_psa::{Algorithm, Attributes, Error, Hash, HmacOperation, Key, KeyType, Usage};
use zeroize::Zeroizing;

use crate::fault::{self, Lease};

pub(crate) static HMAC_SHA256: Hmac = Hmac(Hash::Sha256);
#[cfg(feature = "aes256")]
pub(crate) static HMAC_SHA384: Hmac = Hmac(Hash::Sha384);

pub(crate) struct Hmac(Hash);

impl hmac::Hmac for Hmac {
    fn with_key(&self, key: &[u8]) -> Box<dyn hmac::Key> {
        let lease = Lease::new();
        let key = import(self.0, key);
        if let Err(error) = key {
            fault::latch(error);
        }
        Box::new(Keyed {
            hash: self.0,
            key,
            _lease: lease,
        })
    }

    fn hash_output_len(&self) -> usize {
        self.0.output_len()
    }
}

pub(crate) fn import(hash: Hash, key: &[u8]) -> Result<Key, Error> {
    let attributes = Attributes {
        key_type: KeyType::HMAC,
        bits: 0,
        usage: Usage::SIGN_MESSAGE,
        algorithm: Algorithm::hmac(hash),
    };
    // PSA has no empty keys. HMAC pads keys with zeros (RFC 2104, section 2), so a key of one zero
    // is the same key.
    Key::import(&attributes, if key.is_empty() { &[0] } else { key })
}

/// Returns the tag of the concatenation of all `parts`.
pub(crate) fn tag<'o>(
    key: &Key,
    hash: Hash,
    parts: &[&[&[u8]]],
    out: &'o mut [u8; Hash::MAX_LEN],
) -> Result<&'o [u8], Error> {
    let mut operation = HmacOperation::start(**key, hash)?;
    for parts in parts {
        for part in *parts {
            if !part.is_empty() {
                operation.update(part)?;
            }
        }
    }
    Ok(operation.finish(out)?)
}

struct Keyed {
    hash: Hash,
    key: Result<Key, Error>,
    _lease: Lease,
}

impl hmac::Key for Keyed {
    fn sign_concat(&self, first: &[u8], middle: &[&[u8]], last: &[u8]) -> Tag {
        let mut buf = Zeroizing::new([0; Hash::MAX_LEN]);
        let parts = [&[first], middle, &[last]];
        let result = match &self.key {
            Ok(key) => tag(key, self.hash, &parts, &mut buf).map(Tag::new),
            Err(error) => Err(*error),
        };
        match result {
            Ok(tag) => tag,
            Err(error) => {
                let (digest, _) = buf.split_at_mut(self.hash.output_len());
                fault::poison(error, digest);
                Tag::new(digest)
            }
        }
    }

    fn tag_len(&self) -> usize {
        self.hash.output_len()
    }
}
