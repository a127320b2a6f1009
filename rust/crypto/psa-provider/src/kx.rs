//! Key exchange groups (RFC 8446, section 4.2.7; RFC 8422, section 5.1.1).

use alloc::boxed::Box;
use core::fmt;

use rustls::crypto::{ActiveKeyExchange, SharedSecret, SupportedKxGroup};
use rustls::ffdhe_groups::FfdheGroup;
use rustls::{Error, NamedGroup, PeerMisbehaved, ProtocolVersion, SupportedProtocolVersion};
use thread_mqtt_psa::{self as psa, Algorithm, Attributes, Key, KeyType, Status, Usage};
use zeroize::Zeroizing;

use crate::detect::{self, Capability};
use crate::fault::{self, Lease};

/// X25519 (0x001d).
#[cfg(feature = "x25519")]
pub static X25519: &dyn SupportedKxGroup = &Offer(&X25519_GROUP);
/// NIST P-256 (0x0017), which every TLS 1.3 peer must support.
pub static SECP256R1: &dyn SupportedKxGroup = &Offer(&SECP256R1_GROUP);
/// NIST P-384 (0x0018).
#[cfg(feature = "p384")]
pub static SECP384R1: &dyn SupportedKxGroup = &Offer(&SECP384R1_GROUP);

#[cfg(feature = "x25519")]
pub(crate) static X25519_GROUP: Group = Group {
    name: NamedGroup::X25519,
    capability: Capability::X25519,
    key_type: KeyType::MONTGOMERY_KEY_PAIR,
    bits: 255,
    public_len: 32,
};

pub(crate) static SECP256R1_GROUP: Group = Group {
    name: NamedGroup::secp256r1,
    capability: Capability::Secp256r1,
    key_type: KeyType::SECP_R1_KEY_PAIR,
    bits: 256,
    public_len: 65,
};

#[cfg(feature = "p384")]
pub(crate) static SECP384R1_GROUP: Group = Group {
    name: NamedGroup::secp384r1,
    capability: Capability::Secp384r1,
    key_type: KeyType::SECP_R1_KEY_PAIR,
    bits: 384,
    public_len: 97,
};

const MAX_PUBLIC_LEN: usize = 97;
pub(crate) const MAX_SECRET_LEN: usize = 48;

pub(crate) struct Group {
    name: NamedGroup,
    capability: Capability,
    key_type: KeyType,
    bits: u32,
    public_len: usize,
}

impl Group {
    pub(crate) fn attributes(&self) -> Attributes {
        Attributes {
            key_type: self.key_type,
            bits: self.bits,
            usage: Usage::DERIVE,
            algorithm: Algorithm::ECDH,
        }
    }

    /// Returns whether `peer` has the only encoding that TLS 1.3 allows (RFC 8446, section 4.2.8.2)
    /// and TLS 1.2 offers by default (RFC 8422, section 5.1.2): for NIST curves, an uncompressed
    /// point. PSA checks whether it is on the curve.
    fn is_encoded(&self, peer: &[u8]) -> bool {
        let nist = self.key_type == KeyType::SECP_R1_KEY_PAIR;
        peer.len() == self.public_len && (!nist || peer.first() == Some(&0x04))
    }

    /// Returns the error for a connection that wanted this group.
    fn failed(&self, error: psa::Error) -> Error {
        detect::note_failure(self.capability, error);
        fault::report(error)
    }

    /// Returns whether the peer contributed to the secret. On X25519, a point of small order gives
    /// zeros (RFC 7748, section 6.1), which not every backend checks. On the other curves, x = 0 is
    /// a valid value.
    fn is_shared(&self, secret: &[u8]) -> bool {
        let montgomery = self.key_type == KeyType::MONTGOMERY_KEY_PAIR;
        !montgomery || secret.iter().any(|byte| *byte != 0)
    }
}

/// An ephemeral key pair. The private half stays inside PSA.
pub(crate) struct Pair {
    group: &'static Group,
    key: Key,
    public: [u8; MAX_PUBLIC_LEN],
}

impl Pair {
    pub(crate) fn generate(group: &'static Group) -> Result<Self, psa::Error> {
        Self::new(group, Key::generate(&group.attributes())?)
    }

    pub(crate) fn new(group: &'static Group, key: Key) -> Result<Self, psa::Error> {
        let mut public = [0; MAX_PUBLIC_LEN];
        match key.export_public(&mut public)?.len() == group.public_len {
            true => Ok(Self { group, key, public }),
            false => Err(psa::Call::ExportPublicKey.failed(Status::CORRUPTION_DETECTED)),
        }
    }

    pub(crate) fn public(&self) -> &[u8] {
        let (public, _) = self.public.split_at(self.group.public_len);
        public
    }

    /// Writes the secret shared with the owner of `peer` to the start of `out`.
    pub(crate) fn agree<'o>(
        &self,
        peer: &[u8],
        out: &'o mut [u8; MAX_SECRET_LEN],
    ) -> Result<&'o [u8], psa::Error> {
        let invalid = psa::Call::RawKeyAgreement.failed(Status::INVALID_ARGUMENT);
        if !self.group.is_encoded(peer) {
            return Err(invalid);
        }
        let secret = &*self.key.agree(peer, out)?;
        match self.group.is_shared(secret) {
            true => Ok(secret),
            false => Err(invalid),
        }
    }
}

#[derive(Debug)]
struct Offer(&'static Group);

impl SupportedKxGroup for Offer {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let lease = Lease::new();
        // A failure elsewhere says nothing about this group.
        fault::check().map_err(fault::report)?;
        let pair = Pair::generate(self.0).map_err(|error| self.0.failed(error))?;
        Ok(Box::new(Active {
            pair,
            _lease: lease,
        }))
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        self.0.name
    }

    /// Returns false once PSA has turned out to lack the group.
    fn usable_for_version(&self, _version: ProtocolVersion) -> bool {
        !detect::is_withdrawn(self.0.capability)
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

struct Active {
    pair: Pair,
    _lease: Lease,
}

impl ActiveKeyExchange for Active {
    fn complete(self: Box<Self>, peer_pub_key: &[u8]) -> Result<SharedSecret, Error> {
        let mut out = Zeroizing::new([0; MAX_SECRET_LEN]);
        fault::check().map_err(fault::report)?;
        match self.pair.agree(peer_pub_key, &mut out) {
            Ok(secret) => Ok(SharedSecret::from(secret)),
            Err(error) if error.status == Status::INVALID_ARGUMENT => {
                Err(PeerMisbehaved::InvalidKeyShare.into())
            }
            Err(error) => Err(self.pair.group.failed(error)),
        }
    }

    /// Does the same for all versions: TLS 1.2 only treats finite field secrets differently.
    fn complete_for_tls_version(
        self: Box<Self>,
        peer_pub_key: &[u8],
        _version: &SupportedProtocolVersion,
    ) -> Result<SharedSecret, Error> {
        self.complete(peer_pub_key)
    }

    /// Returns `None`. The default would link the groups known to rustls, 3 kB of primes.
    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn pub_key(&self) -> &[u8] {
        self.pair.public()
    }

    fn group(&self) -> NamedGroup {
        self.pair.group.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_are_a_secret_on_nist_curves_only() {
        assert!(!X25519_GROUP.is_shared(&[0; 32]));
        assert!(X25519_GROUP.is_shared(&[1; 32]));
        assert!(SECP256R1_GROUP.is_shared(&[0; 32]));
        assert!(SECP384R1_GROUP.is_shared(&[0; 48]));
    }
}
