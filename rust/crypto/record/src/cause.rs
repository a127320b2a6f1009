//! What a provider failed at, kept for the caller that it failed for.
//!
//! rustls has no place for a cause in some of its errors: a signature that could not be verified for
//! want of memory looks like one that is not valid. The provider notes the cause, and the caller that
//! reports the failed connection asks for it. Both happen in one thread, which is how the causes of several
//! clients are kept apart.

use alloc::boxed::Box;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use once_cell::race::OnceBox;

/// Threads whose causes are kept at once.
const CALLERS: usize = 8;

/// The last cause of each caller, as a number other than 0.
#[derive(Debug)]
pub struct Causes([Slot; CALLERS]);

/// The cause of one caller; both 0 if it is free. Only its caller touches it.
#[derive(Debug)]
struct Slot {
    caller: AtomicUsize,
    cause: AtomicU32,
}

impl Causes {
    /// None.
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

    /// Notes a cause for the calling thread, in the place of an earlier one.
    pub fn note(&self, cause: u32) {
        let me = caller();
        let free = |slot: &&Slot| {
            let taken = slot
                .caller
                .compare_exchange(0, me, Ordering::Relaxed, Ordering::Relaxed);
            taken.is_ok()
        };
        let slot = self.of(me).or_else(|| self.0.iter().find(free));
        // More threads have failed without asking than there are places: the first gives way.
        let Some(slot) = slot.or(self.0.first()) else {
            return;
        };
        slot.caller.store(me, Ordering::Relaxed);
        slot.cause.store(cause, Ordering::Relaxed);
    }

    /// The cause noted for the calling thread, once; 0 if there is none.
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

/// Tells threads apart by what `identify` returns: a number that no two threads have at once, such as
/// the address of the running thread's control block. Without it, and for a program with one thread,
/// all calls count as one thread's. The first call counts.
pub fn identify_callers_by(identify: fn() -> usize) {
    // Set already: by this function, too.
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
