//! Lines of bounded length, for panics and the log.
use core::fmt;

/// A line that needs no heap, for panics and the log. Truncates text that is too long.
pub(crate) struct Line {
    bytes: [u8; 160],
    length: usize,
}

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

    pub(crate) fn is_full(&self) -> bool {
        self.length == self.bytes.len()
    }

    pub(crate) fn clear(&mut self) {
        self.length = 0;
    }
}

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|byte| self.push(byte));
        Ok(())
    }
}
