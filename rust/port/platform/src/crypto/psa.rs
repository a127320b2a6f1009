//! PSA Crypto, in whichever implementation the image has.
use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
use thread_mqtt_psa_provider as psa;
use thread_mqtt_tls::{CryptoProvider, ProviderFailure};

pub use psa::suites::in_place;
pub use psa::{Unusable, scheme_is_withdrawn};

/// The backend's display name.
pub const NAME: &str = "PSA Crypto";

/// Whether the log already has the result of probing PSA.
static TOLD: AtomicBool = AtomicBool::new(false);

/// Returns the provider of the algorithms in the image. The first call logs them. Algorithms of a
/// driver or a secure side are probed by trying, except key exchange and signatures.
pub fn provider() -> Result<CryptoProvider, Unusable> {
    psa::identify_callers_by(crate::port::this_thread);
    let found = psa::provider()?;
    if !TOLD.swap(true, Ordering::Relaxed) {
        let all = found.report.findings();
        let offered = all.iter().filter(|finding| finding.result.is_ok()).count();
        log::info!("{NAME}: {offered} of {} algorithms offered", all.len());
        for finding in all {
            match finding.result {
                Ok(()) => log::debug!("{finding}"),
                Err(_) => log::info!("{finding}"),
            }
        }
    }
    Ok(found.provider)
}

/// Returns the last call to PSA that failed in the provider, once: for
/// [`provider_failures`](thread_mqtt_tls::ConfigBuilder::provider_failures).
pub fn take_failure() -> Option<ProviderFailure> {
    let error = psa::take_last_failure()?;
    // Text only in images that build sentences from it.
    let (call, meaning) = match cfg!(feature = "summaries") {
        true => (error.call.name(), error.status.meaning()),
        false => Default::default(),
    };
    Some(ProviderFailure {
        call,
        status: error.status.0,
        meaning,
        no_room_for_record: error.is_no_room_to_decrypt(),
    })
}

/// Passes one line per probed algorithm to `line`: offered, or left out and why. Passes nothing if
/// the backend is not usable; [`provider`] then says why.
pub fn report(line: &mut dyn FnMut(&dyn fmt::Display)) {
    if let Ok(found) = psa::provider() {
        for finding in found.report.findings() {
            line(finding);
        }
    }
}
