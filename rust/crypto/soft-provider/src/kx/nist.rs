//! ECDH over the NIST curves (RFC 8422, section 5.10).

use alloc::boxed::Box;
use core::fmt;
use core::marker::PhantomData;

use p256::NistP256;
use p256::elliptic_curve::sec1::{FromSec1Point, ModulusSize, Sec1Point, ToSec1Point};
use p256::elliptic_curve::{
    AffinePoint, CurveArithmetic, FieldBytes, FieldBytesSize, PublicKey, SecretKey,
};
#[cfg(feature = "p384")]
use p384::NistP384;
use rustls::crypto::{ActiveKeyExchange, SharedSecret, SupportedKxGroup};
use rustls::ffdhe_groups::FfdheGroup;
use rustls::{Error, NamedGroup};
use zeroize::Zeroizing;

use super::INVALID_SHARE;
use crate::Random;
use crate::sec1::uncompressed;

pub(super) const fn p256_group<R: Random>() -> &'static dyn SupportedKxGroup {
    const {
        &Nist::<NistP256, R> {
            name: NamedGroup::secp256r1,
            types: PhantomData,
        }
    }
}

#[cfg(feature = "p384")]
pub(super) const fn p384_group<R: Random>() -> &'static dyn SupportedKxGroup {
    const {
        &Nist::<NistP384, R> {
            name: NamedGroup::secp384r1,
            types: PhantomData,
        }
    }
}

struct Nist<C, R> {
    name: NamedGroup,
    types: PhantomData<fn() -> (C, R)>,
}

impl<C, R> fmt::Debug for Nist<C, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

/// How often a random string may fail to be a scalar of the curve. For P-256 this happens once in
/// 2^32 tries, for P-384 far less often: more means a broken source.
const TRIES: usize = 4;

impl<C, R> SupportedKxGroup for Nist<C, R>
where
    C: CurveArithmetic,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
    R: Random,
{
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let mut bytes = Zeroizing::new(FieldBytes::<C>::default());
        for _ in 0..TRIES {
            R::fill(bytes.as_mut_slice())?;
            if let Ok(secret) = SecretKey::<C>::from_bytes(&bytes) {
                return Ok(Box::new(Exchange::new(self.name, secret)));
            }
        }
        Err(Error::FailedToGetRandomBytes)
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        self.name
    }
}

pub(crate) struct Exchange<C: CurveArithmetic>
where
    FieldBytesSize<C>: ModulusSize,
{
    name: NamedGroup,
    secret: SecretKey<C>,
    public: Sec1Point<C>,
}

impl<C> Exchange<C>
where
    C: CurveArithmetic,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
{
    pub(crate) fn new(name: NamedGroup, secret: SecretKey<C>) -> Self {
        let public = secret.public_key().to_sec1_point(false);
        Self {
            name,
            secret,
            public,
        }
    }
}

impl<C> ActiveKeyExchange for Exchange<C>
where
    C: CurveArithmetic,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
{
    fn complete(self: Box<Self>, peer_pub_key: &[u8]) -> Result<SharedSecret, Error> {
        let peer = uncompressed(peer_pub_key).ok_or(INVALID_SHARE)?;
        // Rejects points that are not on the curve; the curves have no small subgroups.
        let peer = PublicKey::<C>::from_sec1_bytes(peer).map_err(|_| INVALID_SHARE)?;
        let shared = self.secret.diffie_hellman(&peer);
        Ok(SharedSecret::from(shared.raw_secret_bytes().as_slice()))
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn pub_key(&self) -> &[u8] {
        self.public.as_bytes()
    }

    fn group(&self) -> NamedGroup {
        self.name
    }
}
