//! A PSA call's status, and the call.

use core::fmt;

/// A `psa_status_t` other than `PSA_SUCCESS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status(pub i32);

impl Status {
    /// `PSA_ERROR_NOT_SUPPORTED`
    pub const NOT_SUPPORTED: Self = Self(-134);
    /// `PSA_ERROR_INVALID_ARGUMENT`
    pub const INVALID_ARGUMENT: Self = Self(-135);
    /// `PSA_ERROR_INVALID_HANDLE`
    pub const INVALID_HANDLE: Self = Self(-136);
    /// `PSA_ERROR_BUFFER_TOO_SMALL`
    pub const BUFFER_TOO_SMALL: Self = Self(-138);
    /// `PSA_ERROR_DOES_NOT_EXIST`
    pub const DOES_NOT_EXIST: Self = Self(-140);
    /// `PSA_ERROR_INSUFFICIENT_MEMORY`
    pub const INSUFFICIENT_MEMORY: Self = Self(-141);
    /// `PSA_ERROR_INVALID_SIGNATURE`
    pub const INVALID_SIGNATURE: Self = Self(-149);
    /// `PSA_ERROR_CORRUPTION_DETECTED`. This crate also returns it if PSA reports success with an
    /// impossible result.
    pub const CORRUPTION_DETECTED: Self = Self(-151);

    pub(crate) const SUCCESS: Self = Self(0);

    /// Returns whether the same call may succeed later: lack of memory or entropy, or no answer
    /// from the secure side.
    pub const fn is_transient(self) -> bool {
        // PSA_ERROR_COMMUNICATION_FAILURE and PSA_ERROR_INSUFFICIENT_ENTROPY.
        matches!(self, Self::INSUFFICIENT_MEMORY | Self(-145 | -148))
    }

    /// Returns what the PSA specification says about this status, as text.
    pub const fn meaning(self) -> &'static str {
        match self.0 {
            -129 => "a driver or the library does not match the build",
            -130 => "the service is not running",
            -132 => "an unspecified error",
            -133 => "the key's policy does not permit it",
            -134 => "not built in, or not for this key size (see PSA_WANT_*)",
            -135 => "an invalid argument",
            -136 => "no such key",
            -137 => "the library is not initialised, or the operation is not active",
            -138 => "a buffer is too small",
            -139 => "it already exists",
            -140 => "it does not exist",
            -141 => "out of memory or key slots (see the sizes of the heaps)",
            -142 => "out of storage",
            -143 => "not enough data",
            -145 => "the secure side does not answer",
            -146 => "the key storage failed",
            -147 => "the crypto hardware failed",
            -148 => "not enough entropy",
            -149 => "the signature, tag or padding is not valid",
            -150 => "the padding is not valid",
            -151 => "corruption detected",
            -152 | -153 => "stored data is corrupt or invalid",
            _ => "an implementation-specific status",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PSA status {}: {}", self.0, self.meaning())
    }
}

/// The PSA function that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs)] // each is the function that `name` returns
pub enum Call {
    Init,
    GenerateRandom,
    ImportKey,
    GenerateKey,
    GetKeyAttributes,
    ExportPublicKey,
    RawKeyAgreement,
    AeadEncrypt,
    AeadDecrypt,
    HashSetup,
    HashUpdate,
    HashClone,
    HashFinish,
    MacSetup,
    MacUpdate,
    MacFinish,
    SignHash,
    VerifyHash,
    VerifyMessage,
}

impl Call {
    const ALL: [Self; 19] = [
        Self::Init,
        Self::GenerateRandom,
        Self::ImportKey,
        Self::GenerateKey,
        Self::GetKeyAttributes,
        Self::ExportPublicKey,
        Self::RawKeyAgreement,
        Self::AeadEncrypt,
        Self::AeadDecrypt,
        Self::HashSetup,
        Self::HashUpdate,
        Self::HashClone,
        Self::HashFinish,
        Self::MacSetup,
        Self::MacUpdate,
        Self::MacFinish,
        Self::SignHash,
        Self::VerifyHash,
        Self::VerifyMessage,
    ];

    /// Returns the function's name in C.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Init => "psa_crypto_init",
            Self::GenerateRandom => "psa_generate_random",
            Self::ImportKey => "psa_import_key",
            Self::GenerateKey => "psa_generate_key",
            Self::GetKeyAttributes => "psa_get_key_attributes",
            Self::ExportPublicKey => "psa_export_public_key",
            Self::RawKeyAgreement => "psa_raw_key_agreement",
            Self::AeadEncrypt => "psa_aead_encrypt",
            Self::AeadDecrypt => "psa_aead_decrypt",
            Self::HashSetup => "psa_hash_setup",
            Self::HashUpdate => "psa_hash_update",
            Self::HashClone => "psa_hash_clone",
            Self::HashFinish => "psa_hash_finish",
            Self::MacSetup => "psa_mac_sign_setup",
            Self::MacUpdate => "psa_mac_update",
            Self::MacFinish => "psa_mac_sign_finish",
            Self::SignHash => "psa_sign_hash",
            Self::VerifyHash => "psa_verify_hash",
            Self::VerifyMessage => "psa_verify_message",
        }
    }

    /// Returns `Ok` for `PSA_SUCCESS`.
    pub(crate) const fn check(self, status: i32) -> Result<(), Error> {
        match Status(status) {
            Status::SUCCESS => Ok(()),
            status => Err(self.failed(status)),
        }
    }

    /// Returns the error of this call with `status`.
    pub const fn failed(self, status: Status) -> Error {
        Error { call: self, status }
    }
}

/// A failed call to PSA.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Error {
    /// The function called.
    pub call: Call,
    /// What it returned.
    pub status: Status,
}

impl Error {
    const STATUS_BITS: u32 = 24;

    /// Returns whether there was no memory for decryption, where the sender chooses the length.
    pub fn is_no_room_to_decrypt(self) -> bool {
        self == Call::AeadDecrypt.failed(Status::INSUFFICIENT_MEMORY)
    }

    /// Packs both parts into one word, never 0, so that an atomic can hold an error. Statuses
    /// beyond 24 bits, which no known backend has, are truncated.
    pub const fn to_bits(self) -> u32 {
        let status = self.status.0 as u32 & ((1 << Self::STATUS_BITS) - 1);
        (self.call as u32 + 1) << Self::STATUS_BITS | status
    }

    /// Returns the error that [`Error::to_bits`] packed; `None` for 0.
    pub fn from_bits(bits: u32) -> Option<Self> {
        let call = (bits >> Self::STATUS_BITS).checked_sub(1)?;
        let shift = u32::BITS - Self::STATUS_BITS;
        Some(Self {
            call: *Call::ALL.get(call as usize)?,
            status: Status((bits << shift) as i32 >> shift),
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed with {}", self.call.name(), self.status)
    }
}

impl core::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_survive_the_way_through_bits() {
        for call in Call::ALL {
            for status in [-1, -134, -151, -0x7f_ffff] {
                let error = call.failed(Status(status));
                assert_eq!(Error::from_bits(error.to_bits()), Some(error));
            }
        }
        assert_eq!(Error::from_bits(0), None);
        assert_eq!(Error::from_bits(u32::MAX), None);
    }
}
