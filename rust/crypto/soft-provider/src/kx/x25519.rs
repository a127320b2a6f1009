//! X25519 (RFC 7748).

use alloc::boxed::Box;
use core::marker::PhantomData;

use rustls::crypto::{ActiveKeyExchange, SharedSecret, SupportedKxGroup};
use rustls::ffdhe_groups::FfdheGroup;
use rustls::{Error, NamedGroup};
use x25519_dalek::{PublicKey, StaticSecret, X25519_BASEPOINT_BYTES};
use zeroize::Zeroizing;

use super::INVALID_SHARE;
use crate::Random;

pub(super) const fn group<R: Random>() -> &'static dyn SupportedKxGroup {
    &X25519::<R>(PhantomData)
}

#[derive(Debug)]
struct X25519<R>(PhantomData<R>);

impl<R: Random> SupportedKxGroup for X25519<R> {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        R::fill(bytes.as_mut_slice())?;
        Ok(Box::new(Exchange::new(*bytes)))
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

pub(crate) struct Exchange {
    secret: StaticSecret,
    public: PublicKey,
}

impl Exchange {
    pub(crate) fn new(secret: [u8; 32]) -> Self {
        let secret = StaticSecret::from(secret);
        // Uses the same ladder as the shared secret: `PublicKey::from(&secret)` would link a
        // second, Edwards implementation.
        let base = PublicKey::from(X25519_BASEPOINT_BYTES);
        let public = PublicKey::from(secret.diffie_hellman(&base).to_bytes());
        Self { secret, public }
    }
}

impl ActiveKeyExchange for Exchange {
    fn complete(self: Box<Self>, peer_pub_key: &[u8]) -> Result<SharedSecret, Error> {
        let peer: [u8; 32] = peer_pub_key.try_into().map_err(|_| INVALID_SHARE)?;
        let shared = self.secret.diffie_hellman(&PublicKey::from(peer));
        // A point of small order gives zero whatever our secret is: RFC 8446, section 7.4.2
        // requires this check.
        match shared.was_contributory() {
            true => Ok(SharedSecret::from(shared.as_bytes().as_slice())),
            false => Err(INVALID_SHARE),
        }
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn pub_key(&self) -> &[u8] {
        self.public.as_bytes()
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}
