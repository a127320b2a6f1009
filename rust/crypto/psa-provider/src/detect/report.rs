//! The results of the detection, as readable text.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use thread_mqtt_psa::Error;

/// A capability that a backend may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs)] // each is what `name` says
pub enum Capability {
    Sha256,
    Sha384,
    Sha512,
    HmacSha256,
    HmacSha384,
    Aes128Gcm,
    Aes256Gcm,
    ChaCha20Poly1305,
    X25519,
    Secp256r1,
    Secp384r1,
    EcdsaP256,
    EcdsaP256Sha384,
    EcdsaP256Sha512,
    EcdsaP384,
    EcdsaP384Sha256,
    EcdsaP384Sha512,
    EcdsaP521,
    Ed25519,
    RsaPkcs1Sha256,
    RsaPkcs1Sha384,
    RsaPkcs1Sha512,
    RsaPssSha256,
    RsaPssSha384,
    RsaPssSha512,
    /// Only means that a public key of this size is accepted; no signature was verified with it.
    /// TLS cannot offer RSA by size: verification then fails for a server with a larger key.
    Rsa3072Keys,
    /// Same as [`Capability::Rsa3072Keys`].
    Rsa4096Keys,
}

impl Capability {
    /// Returns a display name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
            Self::HmacSha256 => "HMAC-SHA-256",
            Self::HmacSha384 => "HMAC-SHA-384",
            Self::Aes128Gcm => "AES-128-GCM",
            Self::Aes256Gcm => "AES-256-GCM",
            Self::ChaCha20Poly1305 => "ChaCha20-Poly1305",
            Self::X25519 => "key exchange X25519",
            Self::Secp256r1 => "key exchange P-256",
            Self::Secp384r1 => "key exchange P-384",
            Self::EcdsaP256 => "ECDSA P-256 with SHA-256",
            Self::EcdsaP256Sha384 => "ECDSA P-256 with SHA-384",
            Self::EcdsaP256Sha512 => "ECDSA P-256 with SHA-512",
            Self::EcdsaP384 => "ECDSA P-384 with SHA-384",
            Self::EcdsaP384Sha256 => "ECDSA P-384 with SHA-256",
            Self::EcdsaP384Sha512 => "ECDSA P-384 with SHA-512",
            Self::EcdsaP521 => "ECDSA P-521 with SHA-512",
            Self::Ed25519 => "Ed25519",
            Self::RsaPkcs1Sha256 => "RSA PKCS#1 v1.5 with SHA-256",
            Self::RsaPkcs1Sha384 => "RSA PKCS#1 v1.5 with SHA-384",
            Self::RsaPkcs1Sha512 => "RSA PKCS#1 v1.5 with SHA-512",
            Self::RsaPssSha256 => "RSA-PSS with SHA-256",
            Self::RsaPssSha384 => "RSA-PSS with SHA-384",
            Self::RsaPssSha512 => "RSA-PSS with SHA-512",
            Self::Rsa3072Keys => "RSA keys of 3072 bits",
            Self::Rsa4096Keys => "RSA keys of 4096 bits",
        }
    }

    /// Returns whether PSA only computes the hash and the rest is done in Rust: RSA, with the
    /// feature `rsa-in-rust`.
    pub const fn is_in_rust(self) -> bool {
        cfg!(feature = "rsa-in-rust")
            && matches!(
                self,
                Self::RsaPkcs1Sha256
                    | Self::RsaPkcs1Sha384
                    | Self::RsaPkcs1Sha512
                    | Self::RsaPssSha256
                    | Self::RsaPssSha384
                    | Self::RsaPssSha512
                    | Self::Rsa3072Keys
                    | Self::Rsa4096Keys
            )
    }
}

/// Whether the backend has one capability.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding {
    /// The capability.
    pub capability: Capability,
    /// Offered, or left out because of this error. `PSA_ERROR_CORRUPTION_DETECTED` also means a
    /// wrong answer. For a capability that is not built in, this is an error of `psa_crypto_init`.
    pub result: Result<(), Error>,
    /// How this is known.
    pub basis: Basis,
}

/// How a [`Finding`] is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Basis {
    /// Stated by the headers of the image's software.
    Stated,
    /// Probed with a known answer.
    Tried,
    /// Assumed until its first use.
    Assumed,
}

impl Finding {
    /// Returns whether the failure may be transient.
    pub fn may_pass(&self) -> bool {
        self.result.is_err_and(|error| error.status.is_transient())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.capability.name();
        match self.result {
            Ok(()) if super::is_withdrawn(self.capability) => {
                write!(f, "{name}: left out, PSA lacked it when it was used")
            }
            Ok(()) if self.capability.is_in_rust() => write!(f, "{name}: offered, in Rust"),
            Ok(()) if self.basis == Basis::Assumed => write!(f, "{name}: offered, not tried yet"),
            Ok(()) => write!(f, "{name}: offered"),
            Err(_) if self.basis == Basis::Stated => {
                write!(f, "{name}: left out, not built in (see PSA_WANT_*)")
            }
            Err(error) if self.may_pass() => write!(f, "{name}: left out for now, {error}"),
            Err(error) => write!(f, "{name}: left out, {error}"),
        }
    }
}

/// Everything that the cargo features enable, and what is known about it. `Display` prints one line
/// each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report(Box<[Finding]>);

impl Report {
    pub(super) fn new(findings: Vec<Finding>) -> Self {
        Self(findings.into())
    }

    /// Returns the findings. Algorithms disabled by cargo features are not listed.
    pub fn findings(&self) -> &[Finding] {
        &self.0
    }

    /// Returns whether the backend supports this.
    pub fn has(&self, capability: Capability) -> bool {
        self.0
            .iter()
            .any(|finding| finding.capability == capability && finding.result.is_ok())
    }

    /// Returns whether something is left out for a transient reason.
    pub fn may_grow(&self) -> bool {
        cfg!(feature = "probe") && self.0.iter().any(Finding::may_pass)
    }

    /// Returns the test result of this capability, unless it may change later.
    #[cfg(feature = "probe")]
    pub(super) fn settled(&self, capability: Capability) -> Option<Result<(), Error>> {
        let mut findings = self.0.iter();
        let finding = findings.find(|finding| finding.capability == capability)?;
        (finding.basis == Basis::Tried && !finding.may_pass()).then_some(finding.result)
    }

    /// Returns everything that the backend supports.
    pub(super) fn offered(&self) -> Set {
        let working = self.0.iter().filter(|finding| finding.result.is_ok());
        working.fold(Set(0), |set, finding| set.with(finding.capability))
    }
}

/// A set of capabilities.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Set(u32);

impl Set {
    pub(super) const fn of(mut capabilities: &[Capability]) -> Self {
        let mut set = Self(0);
        while let [first, rest @ ..] = capabilities {
            set = set.with(*first);
            capabilities = rest;
        }
        set
    }

    pub(super) const fn bits(self) -> u32 {
        self.0
    }

    const fn with(self, capability: Capability) -> Self {
        Self(self.0 | 1 << capability as u32)
    }

    pub(super) const fn all(self, of: Self) -> bool {
        self.0 & of.0 == of.0
    }

    #[cfg(all(feature = "tls12", feature = "rsa"))]
    pub(super) const fn any(self, of: Self) -> bool {
        self.0 & of.0 != 0
    }

    /// Returns the rows of a table whose requirements are all met.
    // Not inlined: there are several tables.
    #[inline(never)]
    pub(super) fn chosen<T: Copy>(self, table: &[(Self, T)]) -> Box<[T]> {
        let mut chosen = Vec::new();
        for (needs, offer) in table {
            if self.all(*needs) {
                chosen.push(*offer);
            }
        }
        chosen.into()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.0 {
            writeln!(f, "{finding}")?;
        }
        Ok(())
    }
}

/// Why TLS is not possible on this backend.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unusable {
    /// PSA does not start, or has no randomness.
    Psa(Error),
    /// Only the backend itself knows what it supports, and the feature `probe` is off.
    NotAsked,
    /// No cipher suite is left.
    NoCipherSuite(Report),
    /// No key exchange is left.
    NoKeyExchange(Report),
    /// No way to verify signatures is left.
    NoSignature(Report),
}

impl From<Error> for Unusable {
    fn from(error: Error) -> Self {
        Self::Psa(error)
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, report) = match self {
            Self::Psa(error) => {
                return write!(f, "PSA Crypto does not start, so there is no TLS: {error}");
            }
            Self::NotAsked => {
                return f.write_str(
                    "PSA Crypto has drivers or a secure side, and this build does not query their \
                     algorithms; enable the feature probe (CONFIG_THREAD_MQTT_PSA_PROBE=y)",
                );
            }
            Self::NoCipherSuite(report) => ("cipher suite", report),
            Self::NoKeyExchange(report) => ("key exchange", report),
            Self::NoSignature(report) => ("signature verification", report),
        };
        write!(
            f,
            "PSA Crypto has no {what} for TLS; enable the PSA_WANT_* options of the algorithms \
             that are left out:\n{report}"
        )
    }
}

impl core::error::Error for Unusable {}
