//! The C library's heap as Rust's allocator.
use core::alloc::{GlobalAlloc, Layout};
use core::ptr;

unsafe extern "C" {
    fn malloc(size: usize) -> *mut u8;
    fn aligned_alloc(alignment: usize, size: usize) -> *mut u8;
    fn realloc(pointer: *mut u8, size: usize) -> *mut u8;
    fn free(pointer: *mut u8);
}

/// The C library's heap, shared with the rest of the image.
struct Heap;

/// The alignment that malloc guarantees on every target: two pointers.
const ALIGNMENT: usize = 2 * size_of::<usize>();

// SAFETY: malloc, realloc and free meet GlobalAlloc's contract for alignments up to ALIGNMENT;
// larger ones (GHASH's key: 16 bytes) use aligned_alloc, and are copied to grow.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() > ALIGNMENT {
            // SAFETY: a power of two and a multiple of it, as C11 requires; no overflow, because a
            // layout's size rounded up to its alignment is at most isize::MAX.
            return unsafe { aligned_alloc(layout.align(), layout.pad_to_align().size()) };
        }
        // SAFETY: any size is allowed; GlobalAlloc's caller asks for more than zero.
        unsafe { malloc(layout.size()) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, _layout: Layout) {
        // SAFETY: the pointer came from malloc, aligned_alloc or realloc.
        unsafe { free(pointer) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if layout.align() > ALIGNMENT {
            // SAFETY: the caller meets realloc's contract: the new size is a layout with the old
            // alignment; both blocks are at least as long as what is copied, and distinct.
            unsafe {
                let moved = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
                if !moved.is_null() {
                    ptr::copy_nonoverlapping(pointer, moved, layout.size().min(size));
                    self.dealloc(pointer, layout);
                }
                return moved;
            }
        }
        // SAFETY: the pointer came from malloc or realloc, with an alignment that malloc
        // guarantees.
        unsafe { realloc(pointer, size) }
    }
}

#[global_allocator]
static HEAP: Heap = Heap;
