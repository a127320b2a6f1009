//! What happens when PSA fails where rustls leaves no room for an error.
//!
//! The hash and HMAC traits of rustls return digests and nothing else, and rustls
//! panics if a record cannot be encrypted. So a failed hash or HMAC returns random
//! bytes of the right length, a failed encryption zeros that no peer accepts, and
//! each *latches* the failure. While it is latched every operation fails: no record
//! is sealed or opened, no signature made or verified, no key exchanged and no
//! randomness given. The connection ends at its next step, with PSA's status.
//!
//! The latch is let go when the last object of any connection (a transcript, a
//! key, a key exchange) is gone: only then no connection can exist that the wrong
//! digest went into. With several connections open, one failure ends them all.
//! [`Lease`] counts the objects. A client has one whenever a digest matters: the key
//! share while it computes a binder, the transcript from the server's hello on, the
//! traffic keys after that.
//!
//! Random, because a digest that an attacker could guess would be a key he knows,
//! and one kind of key outlives its connection: the secret of a session ticket.

use alloc::string::{String, ToString};
use core::fmt;
use core::sync::atomic::{AtomicU32, Ordering};

use thread_mqtt_crypto_record::Causes;
use thread_mqtt_psa::Error;

/// How many leases there are, and in the top bit whether a failure is latched:
/// one word, so that letting go and latching cannot cross.
static STATE: AtomicU32 = AtomicU32::new(0);
const LATCHED: u32 = 1 << 31;

/// The latched failure; meaningless unless [`LATCHED`] is set.
static LATCHED_ERROR: AtomicU32 = AtomicU32::new(0);

/// The last failure of any operation of each thread, for the caller that reports it.
static LAST: Causes = Causes::new();

/// The last call to PSA that failed while the provider was at work in this thread,
/// and forgets it. Signatures and tags that are simply not valid do not count.
/// Threads are told apart by [`identify_callers_by`](crate::identify_callers_by).
///
/// rustls has no place for a cause in some errors: a certificate that could not
/// be verified for lack of memory looks like one with a bad signature. The caller
/// that reports a failed connection asks here for what was behind it.
pub fn take_last_failure() -> Option<Error> {
    Error::from_bits(LAST.take())
}

/// The failure that open connections are about to end with, if there is one: a
/// connection that only sends finds out at its next input, and sooner from here.
pub fn latched_failure() -> Option<Error> {
    check().err()
}

pub(crate) fn remember(error: Error) {
    LAST.note(error.to_bits());
}

/// `error` as rustls can carry it, and remembered.
pub(crate) fn report(error: Error) -> rustls::Error {
    remember(error);
    general(&error)
}

/// An error of rustls with this text; an empty one without the feature `texts`.
pub(crate) fn general(error: &dyn fmt::Display) -> rustls::Error {
    rustls::Error::General(if cfg!(feature = "texts") {
        error.to_string()
    } else {
        String::new()
    })
}

/// The failure that is latched, if one is. Comes before everything that can fail.
pub(crate) fn check() -> Result<(), Error> {
    if STATE.load(Ordering::Acquire) & LATCHED == 0 {
        return Ok(());
    }
    match Error::from_bits(LATCHED_ERROR.load(Ordering::Relaxed)) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// Latches `error` and fills `digest` with what no peer can have computed.
pub(crate) fn poison(error: Error, digest: &mut [u8]) {
    latch(error);
    // If there is no randomness either, there is a secret from better times.
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
        // Never refuses, so there is no error.
        let _ = STATE.fetch_update(Ordering::AcqRel, Ordering::Relaxed, released);
    }
}
