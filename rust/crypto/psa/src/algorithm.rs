//! The values of the PSA Crypto 1.0 encoding that TLS needs. The C shim asserts at compile time
//! that the image's `psa/crypto.h` has the same values.

/// A `psa_algorithm_t`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct Algorithm(pub u32);

impl Algorithm {
    /// `PSA_ALG_GCM`
    pub const GCM: Self = Self(0x0550_0200);
    /// `PSA_ALG_CHACHA20_POLY1305`
    pub const CHACHA20_POLY1305: Self = Self(0x0510_0500);
    /// `PSA_ALG_ECDH`
    pub const ECDH: Self = Self(0x0902_0000);
    /// `PSA_ALG_PURE_EDDSA`
    pub const PURE_EDDSA: Self = Self(0x0600_0800);

    const HASH_MASK: u32 = 0xff;

    /// `PSA_ALG_HMAC(hash)`
    pub const fn hmac(hash: Hash) -> Self {
        Self(0x0380_0000 | hash as u32 & Self::HASH_MASK)
    }

    /// `PSA_ALG_RSA_PKCS1V15_SIGN(hash)`
    pub const fn rsa_pkcs1(hash: Hash) -> Self {
        Self(0x0600_0200 | hash as u32 & Self::HASH_MASK)
    }

    /// `PSA_ALG_RSA_PSS(hash)`: the salt is as long as the hash, as TLS requires.
    pub const fn rsa_pss(hash: Hash) -> Self {
        Self(0x0600_0300 | hash as u32 & Self::HASH_MASK)
    }

    /// `PSA_ALG_ECDSA(hash)`
    pub const fn ecdsa(hash: Hash) -> Self {
        Self(0x0600_0600 | hash as u32 & Self::HASH_MASK)
    }

    /// `PSA_ALG_DETERMINISTIC_ECDSA(hash)`
    pub const fn deterministic_ecdsa(hash: Hash) -> Self {
        Self(0x0600_0700 | hash as u32 & Self::HASH_MASK)
    }

    /// Returns whether a key whose policy is `self` may be used with `wanted`: they are the same,
    /// or `self` is `wanted` with `PSA_ALG_ANY_HASH`.
    pub const fn permits(self, wanted: Self) -> bool {
        self.0 == wanted.0 || self.0 == wanted.0 | Self::HASH_MASK
    }
}

/// A hash algorithm, with its value as a `psa_algorithm_t`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Hash {
    /// `PSA_ALG_SHA_256`
    Sha256 = 0x0200_0009,
    /// `PSA_ALG_SHA_384`
    Sha384 = 0x0200_000a,
    /// `PSA_ALG_SHA_512`
    Sha512 = 0x0200_000b,
    /// `PSA_ALG_ANY_HASH`, only for the policy of a signature key.
    Any = 0x0200_00ff,
}

impl Hash {
    /// The length of the longest digest in bytes.
    pub const MAX_LEN: usize = 64;

    /// Returns the length of a digest in bytes; 0 for [`Hash::Any`].
    pub const fn output_len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
            Self::Any => 0,
        }
    }
}

/// A `psa_key_type_t`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(transparent)]
pub struct KeyType(pub u32);

impl KeyType {
    /// `PSA_KEY_TYPE_HMAC`
    pub const HMAC: Self = Self(0x1100);
    /// `PSA_KEY_TYPE_AES`
    pub const AES: Self = Self(0x2400);
    /// `PSA_KEY_TYPE_CHACHA20`
    pub const CHACHA20: Self = Self(0x2004);
    /// `PSA_KEY_TYPE_RSA_PUBLIC_KEY`: a DER `RSAPublicKey`.
    pub const RSA_PUBLIC_KEY: Self = Self(0x4001);
    /// `PSA_KEY_TYPE_RSA_KEY_PAIR`: a DER `RSAPrivateKey`.
    pub const RSA_KEY_PAIR: Self = Self(0x7001);
    /// A public key on a NIST prime curve: an uncompressed point.
    pub const SECP_R1_PUBLIC_KEY: Self = Self(0x4112);
    /// A key pair on a NIST prime curve: the scalar.
    pub const SECP_R1_KEY_PAIR: Self = Self(0x7112);
    /// A key pair for X25519.
    pub const MONTGOMERY_KEY_PAIR: Self = Self(0x7141);
    /// A public key for Ed25519.
    pub const TWISTED_EDWARDS_PUBLIC_KEY: Self = Self(0x4142);
}

/// A `psa_key_usage_t`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(transparent)]
pub struct Usage(pub u32);

impl Usage {
    /// `PSA_KEY_USAGE_ENCRYPT`
    pub const ENCRYPT: Self = Self(0x100);
    /// `PSA_KEY_USAGE_DECRYPT`
    pub const DECRYPT: Self = Self(0x200);
    /// `PSA_KEY_USAGE_SIGN_MESSAGE`, which a MAC needs.
    pub const SIGN_MESSAGE: Self = Self(0x400);
    /// `PSA_KEY_USAGE_VERIFY_MESSAGE`
    pub const VERIFY_MESSAGE: Self = Self(0x800);
    /// `PSA_KEY_USAGE_SIGN_HASH`
    pub const SIGN_HASH: Self = Self(0x1000);
    /// `PSA_KEY_USAGE_VERIFY_HASH`
    pub const VERIFY_HASH: Self = Self(0x2000);
    /// `PSA_KEY_USAGE_DERIVE`, which a key agreement needs.
    pub const DERIVE: Self = Self(0x4000);

    /// Returns whether all of `other` is permitted.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}
