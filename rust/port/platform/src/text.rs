//! Text for C: sentences with a NUL at the end, and lines of bounded length.
#[cfg(feature = "c-api")]
use alloc::{string::ToString, vec::Vec};
#[cfg(feature = "c-api")]
use core::ffi::c_char;
use core::fmt;

/// Text for C: with a NUL behind it. One inside, which none has, would end it there.
#[cfg(feature = "c-api")]
pub(crate) fn text(text: &dyn fmt::Display) -> Vec<u8> {
    let mut bytes = text.to_string().into_bytes();
    bytes.push(0);
    bytes
}

/// Writes a text with a NUL behind it into C's buffer, and cuts off what does not fit at a whole
/// character.
#[cfg(feature = "c-api")]
pub(crate) fn write_cut(to: &mut [c_char], text: fmt::Arguments<'_>) {
    let mut cut = Cut { to, length: 0 };
    // An error says that it was cut off.
    let _ = fmt::Write::write_fmt(&mut cut, text);
    if let Some(end) = cut.to.get_mut(cut.length) {
        *end = 0;
    }
}

#[cfg(feature = "c-api")]
struct Cut<'a> {
    to: &'a mut [c_char],
    length: usize,
}

#[cfg(feature = "c-api")]
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

/// A line that needs no heap, for a panic and the log; what is too long is cut off.
#[cfg(feature = "logger")]
pub(crate) struct Line {
    bytes: [u8; 160],
    length: usize,
}

#[cfg(feature = "logger")]
impl Line {
    pub(crate) fn new() -> Self {
        Self {
            bytes: [0; 160],
            length: 0,
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    pub(crate) fn push(&mut self, byte: u8) {
        if let Some(end) = self.bytes.get_mut(self.length) {
            *end = byte;
            self.length += 1;
        }
    }

    pub(crate) fn clear(&mut self) {
        self.length = 0;
    }
}

#[cfg(feature = "logger")]
impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|byte| self.push(byte));
        Ok(())
    }
}
