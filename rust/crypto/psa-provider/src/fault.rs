//! Handles PSA failures where rustls cannot return an error.
//!
//! The hash and HMAC traits of rustls return only a digest, and rustls panics if a record cannot be
//! encrypted. Therefore a failed hash or HMAC returns random bytes of the right length, and a
//! failed encryption returns zeros that no peer accepts. Both *latch* the failure. While it is
//! latched, every operation fails: no record is sealed or opened, no signature made or verified, no
//! key exchanged and no randomness returned. The connection ends at its next step, with PSA's
//! status.
//!
//! The latch is released when the last object of any connection (a transcript, a key, a key
//! exchange) is dropped. Only then no connection can exist that used the wrong digest. If several
//! connections are open, one failure ends all of them. [`Lease`] counts the objects. A client holds
//! one whenever a digest matters: the key share while it computes a binder, the transcript from the
//! ServerHello on, and the traffic keys after that.
//!
//! The bytes are random because a digest that an attacker can guess would be a known key, and one
//! kind of key outlives its connection: the secret of a session ticket.

use alloc::string::{String, ToString};
use core::fmt;
use core::sync::atomic::{AtomicU32, Ordering};

use thread_mqtt_crypto_record::Causes;
use thread_mqtt_psa::Error;

/// The number of leases, and in the top bit whether a failure is latched. A single word, so that
/// releasing and latching cannot race.
static STATE: AtomicU32 = AtomicU32::new(0);
const LATCHED: u32 = 1 << 31;

/// The latched failure; meaningless unless [`LATCHED`] is set.
static LATCHED_ERROR: AtomicU32 = AtomicU32::new(0);

/// The last failure of any operation in each thread, for the caller that reports it.
static LAST: Causes = Causes::new();

/// Returns the last call to PSA that failed while the provider was working in this thread, and
/// clears it. Invalid signatures and tags do not count.
/// [`identify_callers_by`](crate::identify_callers_by) tells threads apart.
///
/// Some rustls errors have no room for a cause: a certificate that could not be verified for lack
/// of memory looks like one with a bad signature. The caller that reports a failed connection gets
/// the cause here.
pub fn take_last_failure() -> Option<Error> {
    Error::from_bits(LAST.take())
}

/// Returns the failure that is about to end the open connections, if any. A connection that only
/// sends would otherwise notice it at its next input.
pub fn latched_failure() -> Option<Error> {
    check().err()
}

pub(crate) fn remember(error: Error) {
    LAST.note(error.to_bits());
}

/// Converts `error` for rustls, and remembers it.
pub(crate) fn report(error: Error) -> rustls::Error {
    remember(error);
    general(&error)
}

/// Returns a rustls error with this text; an empty one without the feature `texts`.
pub(crate) fn general(error: &dyn fmt::Display) -> rustls::Error {
    rustls::Error::General(if cfg!(feature = "texts") {
        error.to_string()
    } else {
        String::new()
    })
}

/// Returns the latched failure, if any. Called before everything that can fail.
pub(crate) fn check() -> Result<(), Error> {
    if STATE.load(Ordering::Acquire) & LATCHED == 0 {
        return Ok(());
    }
    match Error::from_bits(LATCHED_ERROR.load(Ordering::Relaxed)) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// Latches `error` and fills `digest` with bytes that no peer can have computed.
pub(crate) fn poison(error: Error, digest: &mut [u8]) {
    latch(error);
    // If there is no randomness either, use the bytes drawn at the start.
    for (byte, secret) in digest.iter_mut().zip(crate::detect::poison()) {
        *byte = *secret;
    }
    let _ = thread_mqtt_psa::random(digest);
}

pub(crate) fn latch(error: Error) {
    remember(error);
    LATCHED_ERROR.store(error.to_bits(), Ordering::Relaxed);
    STATE.fetch_or(LATCHED, Ordering::Release);
}

/// Held by every object that a wrong digest may have gone into.
#[derive(Debug)]
pub(crate) struct Lease(());

impl Lease {
    pub(crate) fn new() -> Self {
        STATE.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let released = |state: u32| match state & !LATCHED {
            0 | 1 => Some(0),
            _ => Some(state - 1),
        };
        // The closure never refuses, so there is no error.
        let _ = STATE.fetch_update(Ordering::AcqRel, Ordering::Relaxed, released);
    }
}
