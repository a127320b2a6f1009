//! What a Rust static library needs in a C image: a panic handler.
use crate::ffi;
use crate::line::Line;
use core::fmt::Write;

/// How the crate `alloc` says that the heap is exhausted.
const EXHAUSTED: &[u8] = b"memory allocation of";

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    let mut line = Line::new();
    // A line that is too long is cut off; that is no reason to fail here.
    let _ = write!(line, "{info}");
    let text = line.as_bytes();
    if text.windows(EXHAUSTED.len()).any(|part| part == EXHAUSTED) {
        log::error!("the heap is exhausted; raise CONFIG_COMMON_LIBC_MALLOC_ARENA_SIZE");
    }
    // SAFETY: the text is valid for its length.
    unsafe { ffi::tmq_port_panic(text.as_ptr().cast(), text.len()) };
    loop {}
}
