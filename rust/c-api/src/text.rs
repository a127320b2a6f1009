//! Text for C: sentences with a NUL at the end.
use alloc::{string::ToString, vec::Vec};
use core::ffi::c_char;
use core::fmt;

/// Whether this image has sentences: by `CONFIG_THREAD_MQTT_SENTENCES`, or for the shell, which prints them.
pub(crate) const SENTENCES: bool = cfg!(any(feature = "sentences", feature = "shell"));

/// Text for C: with a NUL behind it. One inside, which none has, would end it there.
pub(crate) fn text(text: &dyn fmt::Display) -> Vec<u8> {
    let mut bytes = text.to_string().into_bytes();
    bytes.push(0);
    bytes
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
