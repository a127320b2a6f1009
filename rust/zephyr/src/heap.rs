//! The C library's heap as Rust's allocator.
use core::alloc::{GlobalAlloc, Layout};
use core::ptr;

unsafe extern "C" {
    fn malloc(size: usize) -> *mut u8;
    fn realloc(pointer: *mut u8, size: usize) -> *mut u8;
    fn free(pointer: *mut u8);
}

/// The C library's heap, as the rest of the image uses.
struct Heap;

/// What malloc aligns to on every target: two pointers.
const ALIGNMENT: usize = 2 * size_of::<usize>();

// SAFETY: malloc, realloc and free keep GlobalAlloc's contract for alignments up to ALIGNMENT;
// larger ones are refused, which GlobalAlloc allows.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() > ALIGNMENT {
            return ptr::null_mut();
        }
        // SAFETY: any size is allowed; GlobalAlloc's caller asks for one above zero.
        unsafe { malloc(layout.size()) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, _layout: Layout) {
        // SAFETY: the pointer came from malloc or realloc.
        unsafe { free(pointer) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, _layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the pointer came from malloc or realloc, with an alignment malloc keeps.
        unsafe { realloc(pointer, size) }
    }
}

#[global_allocator]
static HEAP: Heap = Heap;
