//! The time known to have passed, stored across reboots.
use crate::ffi;
use crate::port::build_time;
use core::ffi::CStr;
use core::fmt;
use core::sync::atomic::{AtomicU32, Ordering};
use thread_mqtt_client::KeptFloor;

const KEY: &CStr = c"time";

/// The stored Unix time in seconds. 32 bits, because Cortex-M4 has no 64-bit atomics.
static KEPT: AtomicU32 = AtomicU32::new(0);

/// Returns a Unix time in seconds known to have passed when the device starts: the build time, or
/// the last good time stored by [`keep_time`]. If it cannot be read, logs that and uses the build
/// time.
pub fn time_floor() -> u64 {
    let kept = match read() {
        Ok(kept) => kept,
        Err(code) => {
            log::warn!(
                "the stored time cannot be read ({}), so the build date is used; if this \
                 persists, erase the settings partition",
                Why(code)
            );
            0
        }
    };
    note(kept);
    build_time().max(kept)
}

/// Stores a [time floor](thread_mqtt_client::Client::time_floor) if it is at least a day later than
/// the stored one, so it may be called often. If storing fails, logs that once a day.
pub fn keep_time(floor: u64) {
    let kept = KeptFloor(KEPT.load(Ordering::Relaxed).into());
    // Nothing new until the floor is later than the build.
    if floor <= build_time() || !kept.is_outdated_by(floor) {
        return;
    }
    note(floor);
    let bytes = KeptFloor(floor).to_bytes();
    // SAFETY: the key ends with a NUL, and the bytes are valid for their length.
    match unsafe { ffi::tmq_port_store_write(KEY.as_ptr(), bytes.as_ptr(), bytes.len()) } {
        0 | ffi::TMQ_NOT_SUPPORTED => {}
        ffi::TMQ_STORAGE_FULL => log::warn!(
            "the storage is full, so the time is not kept across reboots; enlarge the settings \
             partition or delete settings"
        ),
        code => log::warn!(
            "the time cannot be stored for the next boot ({}); if this persists, erase the \
             settings partition",
            Why(code)
        ),
    }
}

/// A port code that stands for an errno.
struct Why(i32);

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            code @ ..ffi::TMQ_ERRNO_BASE => write!(f, "errno {}", ffi::TMQ_ERRNO_BASE - code),
            code => write!(f, "code {code}"),
        }
    }
}

fn note(kept: u64) {
    KEPT.store(u32::try_from(kept).unwrap_or(u32::MAX), Ordering::Relaxed);
}

/// Returns the stored time, 0 for none. Deletes invalid data.
fn read() -> Result<u64, i32> {
    let mut bytes = [0; 2 * KeptFloor::LENGTH];
    // SAFETY: the key ends with a NUL, and the buffer is valid for its length.
    let length =
        match unsafe { ffi::tmq_port_store_read(KEY.as_ptr(), bytes.as_mut_ptr(), bytes.len()) } {
            ffi::TMQ_NOT_FOUND | ffi::TMQ_NOT_SUPPORTED => return Ok(0),
            code @ ..0 => return Err(code),
            length => usize::try_from(length).unwrap_or(0),
        };
    match KeptFloor::from_bytes(bytes.get(..length).unwrap_or_default()) {
        Ok(KeptFloor(floor)) => Ok(floor),
        Err(error) => {
            log::warn!("{error}; it is deleted, and the build date is used");
            // SAFETY: the key ends with a NUL.
            match unsafe { ffi::tmq_port_store_delete(KEY.as_ptr()) } {
                0 => Ok(0),
                code => Err(code),
            }
        }
    }
}
