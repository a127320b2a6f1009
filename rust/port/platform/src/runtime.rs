//! What a Rust static library needs in a C image: a panic handler.
use crate::ffi;
use crate::line::Line;
use core::fmt::Write;

/// The beginning of the crate `alloc`'s message for an exhausted heap.
const EXHAUSTED: &[u8] = b"memory allocation of";

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    let mut line = Line::new();
    // A line that is too long is truncated, which is not an error.
    let _ = write!(line, "{info}");
    let text = line.as_bytes();
    if text.windows(EXHAUSTED.len()).any(|part| part == EXHAUSTED) {
        log::error!("the heap is exhausted; raise CONFIG_COMMON_LIBC_MALLOC_ARENA_SIZE");
    }
    // SAFETY: the text is valid for its length.
    unsafe { ffi::tmq_port_panic(text.as_ptr().cast(), text.len()) };
    loop {}
}
