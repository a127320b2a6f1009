//! The host's Mbed TLS and what tests want of it: how many key slots are in use,
//! and calls that fail. All of it is global to the process; tests that use it
//! must not run at the same time.

use crate::{Status, ffi};

// Only for what it links.
extern crate mbedtls_rs_sys as _;

/// What has happened since [`reset`] or [`fail`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counters {
    /// PSA calls of the shim, those that failed on purpose included; without
    /// destroying keys and aborting operations.
    pub calls: u32,
    /// How many of them failed on purpose.
    pub failed: u32,
    /// Key slots in use at this moment (`mbedtls_psa_get_stats`).
    pub slots: u32,
    /// The most key slots in use at any time.
    pub most_slots: u32,
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

/// Makes `count` calls from the `from`th on (counted from 1) fail with `status`
/// instead of reaching PSA, and starts counting anew.
pub fn fail(from: u32, count: u32, status: Status) {
    // SAFETY: integers only.
    unsafe { ffi::thread_mqtt_psa_host_fail(from, count, status.0) }
}

/// No more failures on purpose, and counts from zero.
pub fn reset() {
    fail(0, 0, Status(0));
}

/// Whether the library says from now on what it was built with, as it does at the start of a program,
/// or has to be asked, as a driver.
pub fn state(states: bool) {
    // SAFETY: an integer only.
    unsafe { ffi::thread_mqtt_psa_host_state(states.into()) }
}
