//! What the backend supports, as stated by its headers or found by probing.

#[cfg(feature = "probe")]
mod probe;
mod report;
#[cfg(any(feature = "probe", test))]
pub(crate) mod vectors;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};

use once_cell::race::OnceBox;
use rustls::crypto::{CryptoProvider, SupportedKxGroup, WebPkiSupportedAlgorithms};
use rustls::pki_types::SignatureVerificationAlgorithm;
use rustls::{SignatureScheme, SupportedCipherSuite};
use thread_mqtt_psa::{BuiltIn, Call, Error, Hash, Status};

use crate::{kx, random, sign, suites, verify};

use report::Set;
pub use report::{Basis, Capability, Finding, Report, Unusable};

/// The provider, and the report it is based on.
#[derive(Debug, Clone)]
pub struct Detected {
    /// Offers exactly what the backend supports.
    pub provider: CryptoProvider,
    /// What was probed, and the results.
    pub report: &'static Report,
}

/// Initialises PSA, and returns a provider of everything that both the cargo features and the
/// backend support, in order of preference.
///
/// If PSA is only software in the image, its headers say what it supports, and nothing is probed.
/// With the feature `probe`, a driver or a secure side is probed: hashes, HMAC and ciphers with a
/// known answer, key exchange and signatures by their first use. If PSA then reports that it lacks
/// one ([`Status::NOT_SUPPORTED`]), later connections do not offer it; see [`scheme_is_withdrawn`].
///
/// The tests run once, and later calls return the same result. If a test failed for a transient
/// reason, such as lack of memory during other clients' handshakes, the next call repeats it. If
/// nothing useful is left, this is an error, and the next call tries again.
///
/// Takes at most some ten thousand instructions, in addition to `psa_crypto_init`.
pub fn provider() -> Result<Detected, Unusable> {
    let known = FOUND.iter().rev().find_map(OnceBox::get);
    if let Some(known) = known.filter(|known| !known.report.may_grow()) {
        return Ok(known.detected());
    }
    // Passed tests stay passed: a report only ever grows.
    let found = match (Found::new(known.map(|known| &known.report)), known) {
        (Ok(found), Some(known)) if found.report.offered() == known.report.offered() => {
            return Ok(known.detected());
        }
        (Err(_), Some(known)) => return Ok(known.detected()),
        (found, _) => found?,
    };
    match FOUND.iter().find(|place| place.get().is_none()) {
        Some(place) => Ok(place.get_or_init(|| Box::new(found)).detected()),
        // Each slot adds capabilities. When all are used, the last result stays.
        None => known
            .map(Found::detected)
            .ok_or(Unusable::NoSignature(found.report)),
    }
}

/// The result, with a new entry each time that it grew: the slices of older entries stay in use.
static FOUND: [OnceBox<Found>; STEPS] = [const { OnceBox::new() }; STEPS];
const STEPS: usize = 8;

/// Never dropped, because rustls needs `'static` slices. Boxes have no spare capacity.
struct Found {
    report: Report,
    suites: Box<[SupportedCipherSuite]>,
    groups: Box<[&'static dyn SupportedKxGroup]>,
    algorithms: Box<[&'static dyn SignatureVerificationAlgorithm]>,
    schemes: Box<[(SignatureScheme, Algorithms)]>,
    poison: [u8; Hash::MAX_LEN],
}

type Algorithms = &'static [&'static dyn SignatureVerificationAlgorithm];

/// Returns random bytes drawn at the start of the program. They replace a digest if no new ones are
/// available.
pub(crate) fn poison() -> &'static [u8] {
    FOUND
        .first()
        .and_then(OnceBox::get)
        .map_or(&[], |found| &found.poison)
}

#[cfg(all(test, feature = "probe"))]
pub(crate) fn probe_all() -> Report {
    probe::all(None)
}

/// Runs the detection without the result of an earlier success.
#[cfg(test)]
pub(crate) fn try_anew() -> Result<(), Unusable> {
    Found::new(None).map(drop)
}

impl Found {
    /// Probes everything, or only what an earlier report lacks for transient reasons.
    #[cfg_attr(not(feature = "probe"), allow(unused_variables))]
    fn new(earlier: Option<&Report>) -> Result<Self, Unusable> {
        thread_mqtt_psa::init()?;
        let mut poison = [0; Hash::MAX_LEN];
        thread_mqtt_psa::random(&mut poison)?;

        let report = match BuiltIn::stated() {
            Some(built_in) => stated(built_in),
            #[cfg(feature = "probe")]
            None => probe::all(earlier),
            #[cfg(not(feature = "probe"))]
            None => return Err(Unusable::NotAsked),
        };
        let have = report.offered();
        let found = Self {
            suites: cipher_suites(have),
            groups: key_exchange_groups(have),
            algorithms: signature_algorithms(have),
            schemes: signature_schemes(have),
            poison,
            report,
        };
        match () {
            () if found.suites.is_empty() => Err(Unusable::NoCipherSuite(found.report)),
            () if found.groups.is_empty() => Err(Unusable::NoKeyExchange(found.report)),
            () if found.schemes.is_empty() => Err(Unusable::NoSignature(found.report)),
            () => Ok(found),
        }
    }

    fn detected(&'static self) -> Detected {
        Detected {
            provider: CryptoProvider {
                cipher_suites: self.suites.to_vec(),
                kx_groups: self.groups.to_vec(),
                signature_verification_algorithms: WebPkiSupportedAlgorithms {
                    all: &self.algorithms,
                    mapping: &self.schemes,
                },
                secure_random: random::RANDOM,
                key_provider: sign::KEYS,
            },
            report: &self.report,
        }
    }
}

/// Returns a report of what the headers state.
fn stated(built_in: BuiltIn) -> Report {
    let finding = |(capability, parts): &(Capability, BuiltIn)| Finding {
        capability: *capability,
        result: match built_in.has(*parts) {
            true => Ok(()),
            false => Err(Call::Init.failed(Status::NOT_SUPPORTED)),
        },
        basis: Basis::Stated,
    };
    Report::new(ENABLED.iter().map(finding).collect())
}

/// The capabilities that PSA turned out to lack when used, as bits of [`Set`].
static WITHDRAWN: AtomicU32 = AtomicU32::new(0);

/// Records that PSA failed in this capability. If PSA does not support it, later connections do not
/// use it.
pub(crate) fn note_failure(capability: Capability, error: Error) {
    if error.status == Status::NOT_SUPPORTED {
        WITHDRAWN.fetch_or(Set::of(&[capability]).bits(), Ordering::Relaxed);
    }
}

pub(crate) fn is_withdrawn(capability: Capability) -> bool {
    WITHDRAWN.load(Ordering::Relaxed) & Set::of(&[capability]).bits() != 0
}

#[cfg(test)]
pub(crate) fn offer_all_again() {
    WITHDRAWN.store(0, Ordering::Relaxed);
}

/// Returns whether signatures of this scheme must no longer be requested, because PSA turned out to
/// lack its curve when it verified the first one. The TLS configuration is made before that.
pub fn scheme_is_withdrawn(scheme: SignatureScheme) -> bool {
    is_withdrawn(match scheme {
        SignatureScheme::ECDSA_NISTP256_SHA256 => Can::EcdsaP256,
        SignatureScheme::ECDSA_NISTP384_SHA384 => Can::EcdsaP384,
        SignatureScheme::ECDSA_NISTP521_SHA512 => Can::EcdsaP521,
        SignatureScheme::ED25519 => Can::Ed25519,
        _ => return false,
    })
}

use BuiltIn as Part;
use Capability as Can;

const ECDSA_P256: Part = Part::ECDSA.with(Part::P_256);
#[cfg(feature = "p384")]
const ECDSA_P384: Part = Part::ECDSA.with(Part::P_384);
/// Returns the parts that RSA in Rust needs: PSA only computes hashes.
#[cfg(feature = "rsa")]
const fn of_rsa(part: Part, hash: Part) -> Part {
    if cfg!(feature = "rsa-in-rust") {
        hash
    } else {
        part.with(hash)
    }
}

/// Everything the cargo features enable, in the order of the report, with what it needs from the
/// backend.
static ENABLED: &[(Capability, BuiltIn)] = &[
    (Can::Sha256, Part::SHA_256),
    #[cfg(any(feature = "aes256", feature = "p384", feature = "rsa"))]
    (Can::Sha384, Part::SHA_384),
    #[cfg(any(feature = "p384", feature = "rsa"))]
    (Can::Sha512, Part::SHA_512),
    (Can::HmacSha256, Part::HMAC.with(Part::SHA_256)),
    #[cfg(feature = "aes256")]
    (Can::HmacSha384, Part::HMAC.with(Part::SHA_384)),
    (Can::Aes128Gcm, Part::AES_128_GCM),
    #[cfg(feature = "aes256")]
    (Can::Aes256Gcm, Part::AES_256_GCM),
    #[cfg(feature = "chacha20")]
    (Can::ChaCha20Poly1305, Part::CHACHA20_POLY1305),
    #[cfg(feature = "x25519")]
    (Can::X25519, Part::ECDH.with(Part::X25519)),
    (Can::Secp256r1, Part::ECDH.with(Part::P_256)),
    #[cfg(feature = "p384")]
    (Can::Secp384r1, Part::ECDH.with(Part::P_384)),
    (Can::EcdsaP256, ECDSA_P256.with(Part::SHA_256)),
    #[cfg(feature = "p384")]
    (Can::EcdsaP384, ECDSA_P384.with(Part::SHA_384)),
    #[cfg(feature = "p384")]
    (Can::EcdsaP256Sha384, ECDSA_P256.with(Part::SHA_384)),
    #[cfg(feature = "p384")]
    (Can::EcdsaP384Sha256, ECDSA_P384.with(Part::SHA_256)),
    #[cfg(feature = "p384")]
    (Can::EcdsaP256Sha512, ECDSA_P256.with(Part::SHA_512)),
    #[cfg(feature = "p384")]
    (Can::EcdsaP384Sha512, ECDSA_P384.with(Part::SHA_512)),
    #[cfg(feature = "p521")]
    (
        Can::EcdsaP521,
        Part::ECDSA.with(Part::P_521).with(Part::SHA_512),
    ),
    #[cfg(feature = "ed25519")]
    (Can::Ed25519, Part::NEVER),
    #[cfg(feature = "rsa")]
    (Can::RsaPkcs1Sha256, of_rsa(Part::RSA_PKCS1, Part::SHA_256)),
    #[cfg(feature = "rsa")]
    (Can::RsaPkcs1Sha384, of_rsa(Part::RSA_PKCS1, Part::SHA_384)),
    #[cfg(feature = "rsa")]
    (Can::RsaPkcs1Sha512, of_rsa(Part::RSA_PKCS1, Part::SHA_512)),
    #[cfg(feature = "rsa")]
    (Can::RsaPssSha256, of_rsa(Part::RSA_PSS, Part::SHA_256)),
    #[cfg(feature = "rsa")]
    (Can::RsaPssSha384, of_rsa(Part::RSA_PSS, Part::SHA_384)),
    #[cfg(feature = "rsa")]
    (Can::RsaPssSha512, of_rsa(Part::RSA_PSS, Part::SHA_512)),
    #[cfg(feature = "rsa")]
    (Can::Rsa3072Keys, of_rsa(Part::RSA_3072, Part::SHA_256)),
    #[cfg(feature = "rsa")]
    (Can::Rsa4096Keys, of_rsa(Part::RSA_4096, Part::SHA_256)),
];

/// The requirements of a table row, and what it offers.
type Offer<T> = (Set, T);

const AES_128: Set = Set::of(&[Can::Sha256, Can::HmacSha256, Can::Aes128Gcm]);
#[cfg(feature = "aes256")]
const AES_256: Set = Set::of(&[Can::Sha384, Can::HmacSha384, Can::Aes256Gcm]);
#[cfg(feature = "chacha20")]
const CHACHA20: Set = Set::of(&[Can::Sha256, Can::HmacSha256, Can::ChaCha20Poly1305]);

/// TLS 1.3 first, then what hardware most likely supports.
static TLS13: &[Offer<&SupportedCipherSuite>] = &[
    (AES_128, &suites::TLS_AES_128_GCM_SHA256),
    #[cfg(feature = "chacha20")]
    (CHACHA20, &suites::TLS_CHACHA20_POLY1305_SHA256),
    #[cfg(feature = "aes256")]
    (AES_256, &suites::TLS_AES_256_GCM_SHA384),
];

#[cfg(feature = "tls12")]
static TLS12_ECDSA: &[Offer<&SupportedCipherSuite>] = &[
    (AES_128, &suites::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    #[cfg(feature = "chacha20")]
    (
        CHACHA20,
        &suites::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
    #[cfg(feature = "aes256")]
    (AES_256, &suites::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
];

#[cfg(all(feature = "tls12", feature = "rsa"))]
static TLS12_RSA: &[Offer<&SupportedCipherSuite>] = &[
    (AES_128, &suites::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
    #[cfg(feature = "chacha20")]
    (
        CHACHA20,
        &suites::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
    #[cfg(feature = "aes256")]
    (AES_256, &suites::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
];

fn cipher_suites(have: Set) -> Box<[SupportedCipherSuite]> {
    let mut suites = Vec::new();
    let mut offer = |table: &[Offer<&SupportedCipherSuite>]| {
        for suite in have.chosen(table) {
            suites.push(*suite);
        }
    };
    offer(TLS13);
    #[cfg(feature = "tls12")]
    if have.all(Set::of(&[Can::EcdsaP256])) {
        offer(TLS12_ECDSA);
    }
    #[cfg(all(feature = "tls12", feature = "rsa"))]
    if have.any(Set::of(&[Can::RsaPssSha256, Can::RsaPkcs1Sha256])) {
        offer(TLS12_RSA);
    }
    suites.into()
}

fn key_exchange_groups(have: Set) -> Box<[&'static dyn SupportedKxGroup]> {
    static GROUPS: &[Offer<&dyn SupportedKxGroup>] = &[
        #[cfg(feature = "x25519")]
        (Set::of(&[Can::X25519]), kx::X25519),
        (Set::of(&[Can::Secp256r1]), kx::SECP256R1),
        #[cfg(feature = "p384")]
        (Set::of(&[Can::Secp384r1]), kx::SECP384R1),
    ];
    have.chosen(GROUPS)
}

/// Returns the algorithms for certificates: every combination whose parts are supported.
fn signature_algorithms(have: Set) -> Box<[&'static dyn SignatureVerificationAlgorithm]> {
    static ALGORITHMS: &[Offer<&dyn SignatureVerificationAlgorithm>] = &[
        (Set::of(&[Can::EcdsaP256]), verify::ECDSA_P256_SHA256),
        #[cfg(feature = "p384")]
        (Set::of(&[Can::EcdsaP256Sha384]), verify::ECDSA_P256_SHA384),
        #[cfg(feature = "p384")]
        (Set::of(&[Can::EcdsaP384Sha256]), verify::ECDSA_P384_SHA256),
        #[cfg(feature = "p384")]
        (Set::of(&[Can::EcdsaP384]), verify::ECDSA_P384_SHA384),
        #[cfg(feature = "p384")]
        (
            Set::of(&[Can::EcdsaP256Sha512, Can::Sha512]),
            verify::ECDSA_P256_SHA512,
        ),
        #[cfg(feature = "p384")]
        (
            Set::of(&[Can::EcdsaP384Sha512, Can::Sha512]),
            verify::ECDSA_P384_SHA512,
        ),
        #[cfg(feature = "p521")]
        (
            Set::of(&[Can::EcdsaP521, Can::Sha512]),
            verify::ECDSA_P521_SHA512,
        ),
        #[cfg(feature = "ed25519")]
        (Set::of(&[Can::Ed25519]), verify::ED25519),
        #[cfg(feature = "rsa")]
        (Set::of(&[Can::RsaPssSha256]), verify::RSA_PSS_SHA256),
        #[cfg(feature = "rsa")]
        (Set::of(&[Can::RsaPssSha384]), verify::RSA_PSS_SHA384),
        #[cfg(feature = "rsa")]
        (Set::of(&[Can::RsaPssSha512]), verify::RSA_PSS_SHA512),
        #[cfg(feature = "rsa")]
        (Set::of(&[Can::RsaPkcs1Sha256]), verify::RSA_PKCS1_SHA256),
        #[cfg(feature = "rsa")]
        (Set::of(&[Can::RsaPkcs1Sha384]), verify::RSA_PKCS1_SHA384),
        #[cfg(feature = "rsa")]
        (Set::of(&[Can::RsaPkcs1Sha512]), verify::RSA_PKCS1_SHA512),
        #[cfg(feature = "rsa")]
        (
            Set::of(&[Can::RsaPkcs1Sha256]),
            verify::RSA_PKCS1_SHA256_ABSENT_PARAMS,
        ),
        #[cfg(feature = "rsa")]
        (
            Set::of(&[Can::RsaPkcs1Sha384]),
            verify::RSA_PKCS1_SHA384_ABSENT_PARAMS,
        ),
        #[cfg(feature = "rsa")]
        (
            Set::of(&[Can::RsaPkcs1Sha512]),
            verify::RSA_PKCS1_SHA512_ABSENT_PARAMS,
        ),
    ];
    have.chosen(ALGORITHMS)
}

/// Returns the schemes for handshakes. In TLS 1.3, a scheme names hash and curve, and the first
/// algorithm of its row is used. In TLS 1.2, it names only the hash (RFC 5246, section 7.4.1.4.1),
/// and the certificate's key selects the algorithm from the row. If two rows have the same scheme,
/// the first available one counts.
fn signature_schemes(have: Set) -> Box<[(SignatureScheme, Algorithms)]> {
    use SignatureScheme as Scheme;

    static SCHEMES: &[Offer<(SignatureScheme, Algorithms)>] = &[
        #[cfg(feature = "p384")]
        (
            Set::of(&[Can::EcdsaP256, Can::EcdsaP384Sha256]),
            (
                Scheme::ECDSA_NISTP256_SHA256,
                &[verify::ECDSA_P256_SHA256, verify::ECDSA_P384_SHA256],
            ),
        ),
        (
            Set::of(&[Can::EcdsaP256]),
            (Scheme::ECDSA_NISTP256_SHA256, &[verify::ECDSA_P256_SHA256]),
        ),
        #[cfg(feature = "p384")]
        (
            Set::of(&[Can::EcdsaP384, Can::EcdsaP256Sha384]),
            (
                Scheme::ECDSA_NISTP384_SHA384,
                &[verify::ECDSA_P384_SHA384, verify::ECDSA_P256_SHA384],
            ),
        ),
        #[cfg(feature = "p384")]
        (
            Set::of(&[Can::EcdsaP384]),
            (Scheme::ECDSA_NISTP384_SHA384, &[verify::ECDSA_P384_SHA384]),
        ),
        // Not offered without P-521: in TLS 1.3 the scheme would mean that curve.
        #[cfg(feature = "p521")]
        (
            Set::of(&[
                Can::EcdsaP521,
                Can::EcdsaP384Sha512,
                Can::EcdsaP256Sha512,
                Can::Sha512,
            ]),
            (
                Scheme::ECDSA_NISTP521_SHA512,
                &[
                    verify::ECDSA_P521_SHA512,
                    verify::ECDSA_P384_SHA512,
                    verify::ECDSA_P256_SHA512,
                ],
            ),
        ),
        #[cfg(feature = "ed25519")]
        (
            Set::of(&[Can::Ed25519]),
            (Scheme::ED25519, &[verify::ED25519]),
        ),
        #[cfg(feature = "rsa")]
        (
            Set::of(&[Can::RsaPssSha256]),
            (Scheme::RSA_PSS_SHA256, &[verify::RSA_PSS_SHA256]),
        ),
        #[cfg(feature = "rsa")]
        (
            Set::of(&[Can::RsaPssSha384]),
            (Scheme::RSA_PSS_SHA384, &[verify::RSA_PSS_SHA384]),
        ),
        #[cfg(feature = "rsa")]
        (
            Set::of(&[Can::RsaPssSha512]),
            (Scheme::RSA_PSS_SHA512, &[verify::RSA_PSS_SHA512]),
        ),
        #[cfg(feature = "rsa")]
        (
            Set::of(&[Can::RsaPkcs1Sha256]),
            (Scheme::RSA_PKCS1_SHA256, &[verify::RSA_PKCS1_SHA256]),
        ),
        #[cfg(feature = "rsa")]
        (
            Set::of(&[Can::RsaPkcs1Sha384]),
            (Scheme::RSA_PKCS1_SHA384, &[verify::RSA_PKCS1_SHA384]),
        ),
        #[cfg(feature = "rsa")]
        (
            Set::of(&[Can::RsaPkcs1Sha512]),
            (Scheme::RSA_PKCS1_SHA512, &[verify::RSA_PKCS1_SHA512]),
        ),
    ];
    let mut schemes = have.chosen(SCHEMES).into_vec();
    schemes.dedup_by_key(|(scheme, _)| *scheme);
    schemes.into()
}
