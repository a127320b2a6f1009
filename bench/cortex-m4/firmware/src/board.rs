//! `../c/board.h`, safe to use.

use core::alloc::{GlobalAlloc, Layout};
use core::ffi::{CStr, c_char, c_void};
use core::panic::PanicInfo;

#[repr(C)]
struct RawParameters {
    unix_time: u64,
    tls_version: u32,
    group: u32,
    mqtt_version: u32,
    heap_limit: u32,
    ca_len: u32,
    ca: [u8; 8192],
}

const PARAMETERS: *const RawParameters = 0x2100_0000 as *const RawParameters;

unsafe extern "C" {
    fn board_phase(name: *const c_char);
    fn board_say(text: *const u8, len: usize);
    fn board_receive(data: *mut u8, len: usize);
    fn board_send(data: *const u8, len: usize);
    fn board_random(data: *mut u8, len: usize);
    fn board_allocate(size: usize, alignment: usize) -> *mut c_void;
    fn board_free(pointer: *mut c_void, alignment: usize);
}

/// The server's name in its certificate.
pub(crate) const SERVER: &str = "broker.example.com";

/// What this run is told.
pub(crate) struct Parameters {
    pub(crate) unix_time: u64,
    pub(crate) tls_version: u16,
    pub(crate) group: u16,
    #[cfg(any(feature = "client", feature = "mqtt"))]
    pub(crate) mqtt_version: u32,
    pub(crate) ca: &'static [u8],
}

pub(crate) fn parameters() -> Parameters {
    // SAFETY: QEMU put a whole, aligned board_parameters there before the start; nothing writes to it.
    let raw: &'static RawParameters = unsafe { &*PARAMETERS };
    let len = (raw.ca_len as usize).saturating_sub(1);
    Parameters {
        unix_time: raw.unix_time,
        tls_version: raw.tls_version as u16,
        group: raw.group as u16,
        #[cfg(any(feature = "client", feature = "mqtt"))]
        mqtt_version: raw.mqtt_version,
        ca: raw.ca.get(..len).unwrap_or_default(),
    }
}

/// Ends a phase: its counters are printed and start anew.
pub(crate) fn phase(name: &CStr) {
    // SAFETY: a string with its NUL.
    unsafe { board_phase(name.as_ptr()) }
}

pub(crate) fn say(text: &str) {
    // SAFETY: readable for the length passed.
    unsafe { board_say(text.as_ptr(), text.len()) }
}

/// Fills `data` from the peer; blocks.
pub(crate) fn receive(data: &mut [u8]) {
    // SAFETY: writable for the length passed.
    unsafe { board_receive(data.as_mut_ptr(), data.len()) }
}

pub(crate) fn send(data: &[u8]) {
    // SAFETY: readable for the length passed.
    unsafe { board_send(data.as_ptr(), data.len()) }
}

/// Randomness; the same in every run.
#[cfg(any(feature = "soft", feature = "client"))]
pub(crate) fn random(data: &mut [u8]) {
    // SAFETY: writable for the length passed.
    unsafe { board_random(data.as_mut_ptr(), data.len()) }
}

#[cfg(feature = "soft")]
#[derive(Debug)]
pub(crate) struct Board;

#[cfg(feature = "soft")]
impl thread_mqtt_soft_provider::Random for Board {
    fn fill(data: &mut [u8]) -> Result<(), thread_mqtt_soft_provider::RandomError> {
        random(data);
        Ok(())
    }
}

/// Receives TLS records, so that each run hands them over in the same pieces, however the serial
/// line delivers them.
#[derive(Debug, Default)]
pub(crate) struct Records {
    header: [u8; 5],
    /// Bytes of the record that are not yet handed over.
    rest: usize,
}

impl Records {
    /// The next piece of a record; blocks.
    pub(crate) fn receive<'a>(&mut self, buffer: &'a mut [u8]) -> &'a [u8] {
        let mut start = 0;
        if self.rest == 0 {
            receive(&mut self.header);
            self.rest = usize::from(u16::from_be_bytes([self.header[3], self.header[4]]));
            buffer[..5].copy_from_slice(&self.header);
            start = 5;
        }
        let end = buffer.len().min(start + self.rest);
        receive(&mut buffer[start..end]);
        self.rest -= end - start;
        &buffer[..end]
    }
}

struct Heap;

// SAFETY: memory of the C library, given back once, aligned as asked. `realloc` is the trait's own: a new
// block while the old one is held, which is the most that an allocator may need.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: any size; the alignment is a power of two.
        unsafe { board_allocate(layout.size(), layout.align()).cast() }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: from `alloc`, with the same layout.
        unsafe { board_free(pointer.cast(), layout.align()) }
    }
}

#[global_allocator]
static HEAP: Heap = Heap;

unsafe extern "C" {
    fn _exit(code: i32) -> !;
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    say("error: a panic in");
    say(info
        .location()
        .map_or("a place unknown", |place| place.file()));
    // SAFETY: an integer.
    unsafe { _exit(1) }
}
