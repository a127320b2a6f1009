//! The two providers, and the client's identities.

use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustls::crypto::CryptoProvider;
use rustls::sign::SigningKey;
use thread_mqtt_psa::{Algorithm, Attributes, Hash, Key, KeyType, Usage};
use thread_mqtt_soft_provider::{Random, RandomError, verify};
use thread_mqtt_tls::{Config, ConfigBuilder, ConfigError, ProviderFailure};

use crate::pki::{Device, Kind};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Backend {
    /// The RustCrypto crates.
    Soft,
    /// PSA Crypto, here Mbed TLS 3.6.
    Psa,
}

impl Backend {
    pub(crate) const ALL: [Self; 2] = [Self::Soft, Self::Psa];

    pub(crate) fn provider(self) -> CryptoProvider {
        match self {
            Self::Soft => CryptoProvider {
                signature_verification_algorithms: verify::SUPPORTED_WITH_ED25519,
                ..thread_mqtt_soft_provider::provider::<Host>()
            },
            Self::Psa => {
                thread_mqtt_psa_provider::identify_callers_by(this_thread);
                thread_mqtt_psa_provider::provider().unwrap().provider
            }
        }
    }

    pub(crate) fn config(self) -> ConfigBuilder {
        let config = Config::builder(self.provider());
        match self {
            Self::Soft => config.in_place(thread_mqtt_soft_provider::suites::in_place),
            Self::Psa => config
                .in_place(thread_mqtt_psa_provider::suites::in_place)
                .provider_failures(psa_failure),
        }
    }

    /// Returns whether the provider can verify such signatures: Mbed TLS has no Ed25519.
    pub(crate) fn verifies(self, kind: Kind) -> bool {
        self == Self::Soft || kind != Kind::Ed25519
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Soft => "soft-provider",
            Self::Psa => "psa-provider",
        })
    }
}

/// Returns the cause of a failure of the provider on PSA Crypto.
pub(crate) fn psa_failure() -> Option<ProviderFailure> {
    let error = thread_mqtt_psa_provider::take_last_failure()?;
    Some(ProviderFailure {
        call: error.call.name(),
        status: error.status.0,
        meaning: error.status.meaning(),
        no_room_for_record: error.is_no_room_to_decrypt(),
    })
}

/// Returns a number that is unique among threads: failures are recorded per thread.
fn this_thread() -> usize {
    std::thread_local!(static MARK: u8 = const { 0 });
    MARK.with(|mark| std::ptr::from_ref(mark).addr())
}

#[derive(Debug)]
struct Host;

impl Random for Host {
    fn fill(buf: &mut [u8]) -> Result<(), RandomError> {
        getrandom::fill(buf).map_err(|_| RandomError)
    }
}

/// The client's identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Identity {
    /// None.
    Anonymous,
    /// A certificate, with its key from a file.
    Imported(Kind),
    /// A certificate, with its key by its identifier in PSA.
    Opaque(Kind),
}

impl Identity {
    /// Returns all identities that make sense with this provider: only PSA has keys that cannot be
    /// exported.
    pub(crate) fn all(backend: Backend) -> Vec<Self> {
        let opaque = Device::KINDS
            .iter()
            .filter(|_| backend == Backend::Psa)
            .map(|kind| Self::Opaque(*kind));
        let imported = Device::KINDS.iter().map(|kind| Self::Imported(*kind));
        [Self::Anonymous]
            .into_iter()
            .chain(imported)
            .chain(opaque)
            .collect()
    }

    /// Returns whether the provider can use it: soft-provider has no private RSA keys.
    pub(crate) fn is_usable(self, backend: Backend) -> bool {
        backend == Backend::Psa || self != Self::Imported(Kind::Rsa2048)
    }

    pub(crate) fn give(self, config: ConfigBuilder) -> Result<ConfigBuilder, ConfigError> {
        match self {
            Self::Anonymous => Ok(config),
            Self::Imported(kind) => {
                let device = Device::of(kind);
                config.client_identity(device.certificate.as_bytes(), device.key.as_bytes())
            }
            Self::Opaque(kind) => {
                let opaque = OPAQUE.iter().find(|opaque| opaque.0 == kind);
                let (certificate, key) = &opaque.unwrap().1;
                config.client_signer(certificate.as_bytes(), key.clone())
            }
        }
    }
}

type Opaque = (Kind, (String, Arc<dyn SigningKey>));

/// Keys that PSA generated (or imported, if it cannot generate them) and does not export.
static OPAQUE: LazyLock<Vec<Opaque>> = LazyLock::new(|| {
    let key = |kind: Kind| {
        let attributes = |key_type, bits, algorithm| Attributes {
            key_type,
            bits,
            usage: Usage::SIGN_HASH,
            algorithm,
        };
        let ec = |bits| {
            let algorithm = Algorithm::ecdsa(Hash::Any);
            Key::generate(&attributes(KeyType::SECP_R1_KEY_PAIR, bits, algorithm)).unwrap()
        };
        let key = match kind {
            Kind::P256 => ec(256),
            Kind::P384 => ec(384),
            kind => {
                let algorithm = Algorithm::rsa_pss(Hash::Any);
                let attributes = attributes(KeyType::RSA_KEY_PAIR, 0, algorithm);
                Key::import(&attributes, &kind.pkcs1(90)).unwrap()
            }
        };
        let mut public = vec![0; 1024];
        let public = key.export_public(&mut public).unwrap();
        let certificate = Device::certify(kind, public);
        let signing = thread_mqtt_psa_provider::signing_key(*key).unwrap();
        // Used until the process ends.
        std::mem::forget(key);
        (kind, (certificate, signing))
    };
    thread_mqtt_psa::init().unwrap();
    Device::KINDS.into_iter().map(key).collect()
});

/// Runs all jobs in parallel, but the tests of this crate one after another: Mbed TLS has 32 key
/// slots, a connection uses up to five of them, and s_server serves one client at a time.
pub(crate) fn parallel<J: Sync, R: Send>(jobs: &[J], run: impl Fn(&J) -> R + Sync) -> Vec<R> {
    let _alone = alone();
    let next = Mutex::new(0..jobs.len());
    let results = Mutex::new(Vec::new());
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores.min(4) {
            scope.spawn(|| {
                loop {
                    let Some(nth) = next.lock().unwrap().next() else {
                        break;
                    };
                    let result = run(&jobs[nth]);
                    results.lock().unwrap().push((nth, result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap();
    results.sort_by_key(|(nth, _)| *nth);
    results.into_iter().map(|(_, result)| result).collect()
}

fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
