//! Key exchange groups (RFC 8446, section 4.2.7; RFC 8422, section 5.1.1).
//!
//! An application that composes its own provider can use the functions of this module individually.
//! Each returns the same `'static` group every time.

pub(crate) mod nist;
#[cfg(feature = "x25519")]
pub(crate) mod x25519;

use rustls::crypto::SupportedKxGroup;
use rustls::{Error, PeerMisbehaved};

use crate::Random;

/// Returns X25519 (0x001d), which most peers prefer.
#[cfg(feature = "x25519")]
pub const fn x25519<R: Random>() -> &'static dyn SupportedKxGroup {
    x25519::group::<R>()
}

/// Returns NIST P-256 (0x0017), which every TLS 1.3 peer must support.
pub const fn secp256r1<R: Random>() -> &'static dyn SupportedKxGroup {
    nist::p256_group::<R>()
}

/// Returns NIST P-384 (0x0018).
#[cfg(feature = "p384")]
pub const fn secp384r1<R: Random>() -> &'static dyn SupportedKxGroup {
    nist::p384_group::<R>()
}

/// Returns all groups that the cargo features enable, X25519 first. A TLS 1.3 client sends a key
/// share for the first one.
pub const fn all<R: Random>() -> &'static [&'static dyn SupportedKxGroup] {
    const {
        &[
            #[cfg(feature = "x25519")]
            x25519::<R>(),
            secp256r1::<R>(),
            #[cfg(feature = "p384")]
            secp384r1::<R>(),
        ]
    }
}

/// The peer's share is not a usable public key of the group.
pub(crate) const INVALID_SHARE: Error = Error::PeerMisbehaved(PeerMisbehaved::InvalidKeyShare);
