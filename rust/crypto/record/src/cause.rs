//! The cause of a provider's failure, kept for its caller.
//!
//! Some rustls errors have no room for a cause: a signature that could not be verified for lack of
//! memory looks like an invalid one. The provider notes the cause, and the caller that reports the
//! failed connection queries it. Both happen in the same thread, which keeps the causes of several
//! clients apart.

use alloc::boxed::Box;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use once_cell::race::OnceBox;

/// Maximum number of threads whose causes are kept.
const CALLERS: usize = 8;

/// The last cause of each caller, as a number other than 0.
#[derive(Debug)]
pub struct Causes([Slot; CALLERS]);

/// The cause of one caller; both 0 if free. Only its caller accesses it, unless there are more
/// callers than slots.
#[derive(Debug)]
struct Slot {
    caller: AtomicUsize,
    cause: AtomicU32,
}

impl Causes {
    /// Returns an empty set.
    #[allow(
        clippy::new_without_default,
        reason = "only statics are made of it, and they need a const"
    )]
    pub const fn new() -> Self {
        Self(
            [const {
                Slot {
                    caller: AtomicUsize::new(0),
                    cause: AtomicU32::new(0),
                }
            }; CALLERS],
        )
    }

    /// Notes a cause for the calling thread, replacing any earlier one.
    pub fn note(&self, cause: u32) {
        let me = caller();
        let free = |slot: &&Slot| {
            let taken = slot
                .caller
                .compare_exchange(0, me, Ordering::Relaxed, Ordering::Relaxed);
            taken.is_ok()
        };
        let slot = self.of(me).or_else(|| self.0.iter().find(free));
        // More threads have failed without querying than there are slots: reuse the first.
        let Some(slot) = slot.or(self.0.first()) else {
            return;
        };
        slot.caller.store(me, Ordering::Relaxed);
        slot.cause.store(cause, Ordering::Relaxed);
    }

    /// Returns the cause noted for the calling thread, once; 0 if there is none.
    pub fn take(&self) -> u32 {
        let Some(slot) = self.of(caller()) else {
            return 0;
        };
        let cause = slot.cause.swap(0, Ordering::Relaxed);
        slot.caller.store(0, Ordering::Relaxed);
        cause
    }

    fn of(&self, caller: usize) -> Option<&Slot> {
        let mut slots = self.0.iter();
        slots.find(|slot| slot.caller.load(Ordering::Relaxed) == caller)
    }
}

static IDENTIFY: OnceBox<fn() -> usize> = OnceBox::new();

/// Tells threads apart by the result of `identify`: a number that is unique among running threads,
/// such as the address of the running thread's control block. Without it, all calls count as one
/// thread's, which is correct for programs with one thread. Only the first call has an effect.
pub fn identify_callers_by(identify: fn() -> usize) {
    // Already set, maybe by this function.
    let _ = IDENTIFY.set(Box::new(identify));
}

fn caller() -> usize {
    // 0 marks a free slot, and no address is odd.
    IDENTIFY.get().map_or(1, |identify| identify() | 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    std::thread_local! {
        static MARK: u32 = const { 0 };
    }

    fn this_thread() -> usize {
        MARK.with(|mark| core::ptr::from_ref(mark).addr())
    }

    #[test]
    fn each_caller_gets_its_own_once() {
        identify_callers_by(this_thread);
        static CAUSES: Causes = Causes::new();
        CAUSES.note(7);
        let other = thread::spawn(|| {
            assert_eq!(CAUSES.take(), 0);
            CAUSES.note(8);
            CAUSES.note(9);
            CAUSES.take()
        });
        assert_eq!(other.join().unwrap(), 9);
        assert_eq!((CAUSES.take(), CAUSES.take()), (7, 0));
    }

    #[test]
    fn those_that_never_ask_give_way() {
        identify_callers_by(this_thread);
        static CAUSES: Causes = Causes::new();
        thread::scope(|scope| {
            for cause in 1..=20 {
                scope.spawn(move || CAUSES.note(cause));
            }
        });
        CAUSES.note(21);
        assert_eq!((CAUSES.take(), CAUSES.take()), (21, 0));
    }

    #[test]
    fn many_at_once_are_not_mixed_up() {
        identify_callers_by(this_thread);
        static CAUSES: Causes = Causes::new();
        thread::scope(|scope| {
            for thread in 1..=8_u32 {
                scope.spawn(move || {
                    for n in 0..1_000 {
                        let cause = thread << 16 | n;
                        CAUSES.note(cause);
                        thread::yield_now();
                        assert_eq!(CAUSES.take(), cause);
                    }
                });
            }
        });
    }
}
