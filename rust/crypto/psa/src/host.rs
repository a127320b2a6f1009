//! The host's PSA with additions for tests: the number of key slots in use, and calls that fail.
//! All of this is global to the process, so tests that use it must not run at the same time.

use core::ffi::CStr;

use crate::{Status, ffi};

// Only to link it; not together with another PSA.
#[cfg(not(tf_psa_crypto))]
extern crate mbedtls_rs_sys as _;

/// Counts since [`reset`] or [`fail`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counters {
    /// PSA calls of the shim, including those that were made to fail, but without destroying keys
    /// and aborting operations.
    pub calls: u32,
    /// How many of them were made to fail.
    pub failed: u32,
    /// Key slots in use now (`mbedtls_psa_get_stats`).
    pub slots: u32,
    /// The most key slots in use at any time.
    pub most_slots: u32,
}

/// Returns the name and version of the library whose PSA this is.
pub fn library() -> &'static str {
    // SAFETY: a string literal of C.
    let name = unsafe { CStr::from_ptr(ffi::thread_mqtt_psa_host_library()) };
    name.to_str().unwrap_or_default()
}

/// Reads the counters.
pub fn counters() -> Counters {
    let mut counters = Counters {
        calls: 0,
        failed: 0,
        slots: 0,
        most_slots: 0,
    };
    // SAFETY: four pointers to distinct, writable integers.
    unsafe {
        ffi::thread_mqtt_psa_host_counters(
            &mut counters.calls,
            &mut counters.failed,
            &mut counters.slots,
            &mut counters.most_slots,
        );
    }
    counters
}

/// Makes `count` calls, starting with call number `from` (counted from 1), fail with `status`
/// instead of reaching PSA. Restarts the counters.
pub fn fail(from: u32, count: u32, status: Status) {
    // SAFETY: integers only.
    unsafe { ffi::thread_mqtt_psa_host_fail(from, count, status.0) }
}

/// Stops making calls fail, and restarts the counters.
pub fn reset() {
    fail(0, 0, Status(0));
}

/// Sets whether the library states what it was built with, as it does when a program starts, or
/// must be probed like a driver.
pub fn state(states: bool) {
    // SAFETY: an integer only.
    unsafe { ffi::thread_mqtt_psa_host_state(states.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_is_the_one_that_was_asked_for() {
        let wanted = match option_env!("THREAD_MQTT_TF_PSA_CRYPTO") {
            None | Some("") => "Mbed TLS 3.6",
            Some(_) => "TF-PSA-Crypto 1.",
        };
        assert!(library().starts_with(wanted), "{}", library());
    }
}
