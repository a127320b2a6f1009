//! What the software in the image was built with, according to its headers.

use crate::ffi;

/// Algorithms, curves and key sizes: the bits of `thread_mqtt_psa_built_in()`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuiltIn(u32);

#[allow(missing_docs)] // each is what it is called
impl BuiltIn {
    const STATED: Self = Self(0x0000_0001);
    pub const SHA_256: Self = Self(0x0000_0002);
    pub const SHA_384: Self = Self(0x0000_0004);
    pub const SHA_512: Self = Self(0x0000_0008);
    pub const HMAC: Self = Self(0x0000_0010);
    pub const AES_128_GCM: Self = Self(0x0000_0020);
    pub const AES_256_GCM: Self = Self(0x0000_0040);
    pub const CHACHA20_POLY1305: Self = Self(0x0000_0080);
    pub const ECDH: Self = Self(0x0000_0100);
    pub const ECDSA: Self = Self(0x0000_0200);
    pub const P_256: Self = Self(0x0000_0400);
    pub const P_384: Self = Self(0x0000_0800);
    pub const P_521: Self = Self(0x0000_1000);
    pub const X25519: Self = Self(0x0000_2000);
    pub const RSA_PKCS1: Self = Self(0x0000_4000);
    pub const RSA_PSS: Self = Self(0x0000_8000);
    pub const RSA_3072: Self = Self(0x0001_0000);
    pub const RSA_4096: Self = Self(0x0002_0000);
    /// A capability that this backend never has.
    pub const NEVER: Self = Self(0x8000_0000);

    /// Returns what the image supports if PSA is only software. Returns `None` if a driver or a
    /// secure side does a part, and must therefore be probed.
    pub fn stated() -> Option<Self> {
        // SAFETY: no arguments, and no state except the image's constants.
        let have = Self(unsafe { ffi::thread_mqtt_psa_built_in() });
        have.has(Self::STATED).then_some(have)
    }

    /// Returns whether all of `parts` are built in.
    pub const fn has(self, parts: Self) -> bool {
        self.0 & parts.0 == parts.0
    }

    /// Returns the union with `others`.
    pub const fn with(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }
}
