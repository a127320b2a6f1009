//! Text for C: sentences with a NUL at the end.
use alloc::{string::String, vec::Vec};
use core::ffi::c_char;
use core::fmt::{self, Write};

/// Whether this image has sentences: by `CONFIG_THREAD_MQTT_SENTENCES`, or for the shell, which prints them.
pub(crate) const SENTENCES: bool = cfg!(any(feature = "sentences", feature = "shell"));

/// Text for C: with a NUL behind it. One inside, which none has, would end it there. `None` if the heap has
/// no room for it.
pub(crate) fn text(text: &dyn fmt::Display) -> Option<Vec<u8>> {
    let mut grown = Grown(Vec::new());
    // The first, in case the text is empty.
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

/// Puts a NUL behind a text where it is, and points to it. What was received has room for one.
pub(crate) fn ended(text: &mut String) -> Option<*const c_char> {
    text.try_reserve_exact(1).ok()?;
    text.push('\0');
    Some(text.as_ptr().cast())
}

/// Writes a text with a NUL behind it into C's buffer, and cuts off what does not fit at a whole
/// character.
pub(crate) fn write_cut(to: &mut [c_char], text: fmt::Arguments<'_>) {
    let mut cut = Cut { to, length: 0 };
    // An error says that it was cut off.
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
