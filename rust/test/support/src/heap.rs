//! A heap for tests that can be told to have only so much: what a device has too little of.
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
//! An allocation that cannot fail, and does, ends the program: that fails the test as well.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr;

/// The system's heap, counted and limited for each thread by itself. To be the test's
/// `#[global_allocator]`.
#[derive(Debug, Clone, Copy)]
pub struct Heap;

thread_local! {
    /// Bytes that this thread holds (below zero if others' memory was freed here), at most held, and
    /// may hold.
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
    static LIMIT: Cell<isize> = const { Cell::new(isize::MAX) };
}

// SAFETY: everything is the system's, or null where more is asked for than is allowed.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // A layout's size is at most isize::MAX.
        let held = HELD.get().saturating_add(layout.size() as isize);
        if held > LIMIT.get() {
            return ptr::null_mut();
        }
        HELD.set(held);
        MOST.set(MOST.get().max(held));
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.set(HELD.get() - layout.size() as isize);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Runs `f` on this thread with so many bytes of heap beside what the thread holds already; what it
/// returned, and the bytes that it held at most. Growing holds the old and the new block, as where
/// memory has to be moved.
pub fn with_heap<T>(bytes: usize, f: impl FnOnce() -> T) -> (T, usize) {
    let held = HELD.get();
    MOST.set(held);
    LIMIT.set(held.saturating_add_unsigned(bytes));
    let result = f();
    LIMIT.set(isize::MAX);
    (result, (MOST.get() - held).unsigned_abs())
}
