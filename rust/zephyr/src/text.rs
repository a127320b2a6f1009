//! Text for C: sentences with a NUL at the end, and lines of bounded length.
#[cfg(feature = "c-api")]
use alloc::{ffi::CString, string::ToString, vec::Vec};
use core::fmt;

/// A sentence for C, or nothing in an image that says numbers only (`CONFIG_THREAD_MQTT_SENTENCES`):
/// the sentences take some 20 kB of flash.
#[cfg(feature = "c-api")]
pub(crate) fn sentence(sentence: &dyn fmt::Display) -> CString {
    match cfg!(feature = "sentences") {
        true => text(sentence),
        false => CString::default(),
    }
}

/// Text for C. A NUL inside, which none has, would end it there.
#[cfg(feature = "c-api")]
pub(crate) fn text(text: &dyn fmt::Display) -> CString {
    let mut bytes: Vec<u8> = text.to_string().into_bytes();
    if let Some(end) = bytes.iter().position(|byte| *byte == 0) {
        bytes.truncate(end);
    }
    CString::new(bytes).unwrap_or_default()
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
}

#[cfg(feature = "logger")]
impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.bytes.get_mut(self.length..).unwrap_or_default();
        let n = text.len().min(room.len());
        for (to, from) in room.iter_mut().zip(text.as_bytes()) {
            *to = *from;
        }
        self.length += n;
        if n < text.len() {
            return Err(fmt::Error);
        }
        Ok(())
    }
}
