//! A heap with a limit, for tests: it simulates a device with little memory.
//!
//! ```
//! use thread_mqtt_test_support::heap::{Heap, with_heap};
//!
//! #[global_allocator]
//! static HEAP: Heap = Heap;
//!
//! let (reserved, most) = with_heap(1_000, || Vec::<u8>::new().try_reserve_exact(2_000));
//! assert!(reserved.is_err());
//! assert_eq!(most, 0);
//! ```
//!
//! If an infallible allocation fails, the program aborts, which also fails the test.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr;

/// The system's heap, counted and limited per thread. Use it as the test's `#[global_allocator]`.
#[derive(Debug, Clone, Copy)]
pub struct Heap;

thread_local! {
    /// The bytes that this thread holds (negative if it frees other threads' memory), has held at
    /// most, and may hold.
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
    static LIMIT: Cell<isize> = const { Cell::new(isize::MAX) };
}

// SAFETY: forwards everything to the system, or returns null above the limit.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // A layout's size is at most isize::MAX.
        let held = HELD.get().saturating_add(layout.size() as isize);
        if held > LIMIT.get() {
            return ptr::null_mut();
        }
        HELD.set(held);
        MOST.set(MOST.get().max(held));
        // SAFETY: guaranteed by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.set(HELD.get() - layout.size() as isize);
        // SAFETY: guaranteed by the caller.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Runs `f` on this thread with this many bytes of heap in addition to what the thread already
/// holds. Returns the result, and the most bytes it held. Growing counts both the old and the new
/// block, as if the memory had to be moved.
pub fn with_heap<T>(bytes: usize, f: impl FnOnce() -> T) -> (T, usize) {
    let held = HELD.get();
    MOST.set(held);
    LIMIT.set(held.saturating_add_unsigned(bytes));
    let result = f();
    LIMIT.set(isize::MAX);
    (result, (MOST.get() - held).unsigned_abs())
}
