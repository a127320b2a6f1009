//! The RustCrypto crates, which need only entropy from the platform.
use crate::port::fill_random;
use core::convert::Infallible;
use core::fmt;
use thread_mqtt_soft_provider::{self as soft, Random, RandomError};
use thread_mqtt_tls::{CryptoProvider, Group, ProviderFailure, SignatureScheme, Suite};

pub use soft::suites::in_place;

/// The backend's display name.
pub const NAME: &str = "RustCrypto";

/// Never constructed: the backend works everywhere.
pub type Unusable = Infallible;

#[derive(Debug)]
struct Entropy;

impl Random for Entropy {
    fn fill(buf: &mut [u8]) -> Result<(), RandomError> {
        fill_random(buf).map_err(|_| RandomError)
    }
}

/// Returns the provider of everything that the cargo features enable.
pub fn provider() -> Result<CryptoProvider, Unusable> {
    Ok(everything())
}

fn everything() -> CryptoProvider {
    soft::identify_callers_by(crate::port::this_thread);
    CryptoProvider {
        #[cfg(feature = "ed25519")]
        signature_verification_algorithms: soft::verify::SUPPORTED_WITH_ED25519,
        ..soft::provider::<Entropy>()
    }
}

/// Returns an RSA signature that was not verified for lack of memory, once: for
/// [`provider_failures`](thread_mqtt_tls::ConfigBuilder::provider_failures). TLS itself reports all
/// other failures.
#[cfg(feature = "rsa")]
pub fn take_failure() -> Option<ProviderFailure> {
    soft::verify::take_out_of_memory().then_some(ProviderFailure {
        call: "verifying an RSA signature",
        status: -12,
        meaning: "out of memory (see the size of the heap)",
        no_room_for_record: false,
    })
}

/// Nothing to report: TLS itself reports all failures.
#[cfg(not(feature = "rsa"))]
pub fn take_failure() -> Option<ProviderFailure> {
    None
}

/// Passes one line per cipher suite, group and kind of signature to `line`. Everything built in
/// works.
pub fn report(line: &mut dyn FnMut(&dyn fmt::Display)) {
    let provider = everything();
    let suites = provider.cipher_suites.iter();
    for suite in suites.filter_map(|suite| Suite::from_id(suite.suite().into())) {
        line(&format_args!("{suite}: offered"));
    }
    let groups = provider.kx_groups.iter();
    for group in groups.filter_map(|group| Group::from_id(group.name().into())) {
        line(&format_args!("{group}: offered"));
    }
    let kinds = provider.signature_verification_algorithms.mapping.iter();
    for kind in kinds.filter_map(|(scheme, _)| scheme.as_str()) {
        line(&format_args!("{kind}: offered"));
    }
}

/// Always false: everything built in works.
pub fn scheme_is_withdrawn(_: SignatureScheme) -> bool {
    false
}
