//! Text for C: NUL-terminated.
use alloc::{string::String, vec::Vec};
use core::ffi::c_char;
use core::fmt::{self, Write};

/// Whether this image has sentences: enabled by `CONFIG_THREAD_MQTT_SENTENCES`, or by the shell,
/// which prints them.
pub(crate) const SENTENCES: bool = cfg!(any(feature = "sentences", feature = "shell"));

/// Returns NUL-terminated text for C. A NUL inside, which no text has, would end it early. Returns
/// `None` if the heap is exhausted.
pub(crate) fn text(text: &dyn fmt::Display) -> Option<Vec<u8>> {
    let mut grown = Grown(Vec::new());
    // Write once first, in case the text is empty.
    let written = grown.write_str("").and_then(|()| write!(grown, "{text}"));
    written.ok()?;
    grown.0.push(0);
    Some(grown.0)
}

/// Text that always has room for the NUL.
struct Grown(Vec<u8>);

impl fmt::Write for Grown {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let reserved = self.0.try_reserve_exact(text.len() + 1);
        reserved.map_err(|_| fmt::Error)?;
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// Appends a NUL to a text in place and returns a pointer to it. Received text has room for one.
pub(crate) fn ended(text: &mut String) -> Option<*const c_char> {
    text.try_reserve_exact(1).ok()?;
    text.push('\0');
    Some(text.as_ptr().cast())
}

/// Writes a NUL-terminated text into C's buffer. Truncates it at a character boundary if it does
/// not fit.
pub(crate) fn write_cut(to: &mut [c_char], text: fmt::Arguments<'_>) {
    let mut cut = Cut { to, length: 0 };
    // An error only means that it was truncated.
    let _ = fmt::Write::write_fmt(&mut cut, text);
    if let Some(end) = cut.to.get_mut(cut.length) {
        *end = 0;
    }
}

struct Cut<'a> {
    to: &'a mut [c_char],
    length: usize,
}

impl fmt::Write for Cut<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.to.len().saturating_sub(self.length + 1);
        let mut n = room.min(text.len());
        while !text.is_char_boundary(n) {
            n -= 1;
        }
        let to = self.to.get_mut(self.length..).unwrap_or_default();
        for (to, from) in to.iter_mut().zip(text.as_bytes().iter().take(n)) {
            *to = from.cast_signed() as c_char;
        }
        self.length += n;
        match n < text.len() {
            true => Err(fmt::Error),
            false => Ok(()),
        }
    }
}
