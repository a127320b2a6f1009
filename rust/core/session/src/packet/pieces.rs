//! A PUBLISH whose payload is passed on in pieces: only its head is assembled and kept.

use super::{Fault, kind};
use crate::config::Version;
use crate::pieces::PIECES;

/// Limits for a packet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Largest packet that is assembled, in bytes.
    pub(crate) packet: u32,
    /// Largest PUBLISH that is taken in pieces, in bytes; 0 for none.
    pub(crate) pieces: u32,
    /// A PUBLISH above both limits is an error instead of being skipped.
    pub(crate) strict: bool,
    /// A skipped PUBLISH may define or use a topic alias.
    pub(crate) aliases: bool,
}

/// How the current packet is taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Way {
    #[default]
    Whole,
    /// In pieces; its head is not complete.
    Head,
    /// In pieces; this many bytes of its payload are still to come.
    Payload(usize),
}

impl Bounds {
    /// Returns whether a packet of this size is taken in pieces.
    pub(super) fn in_pieces(self, control: u8, size: u32) -> bool {
        PIECES && control >> 4 == kind::PUBLISH && size <= self.pieces
    }
}

/// Returns the size of the head of a PUBLISH (topic, packet identifier, properties), as far as it
/// is known from `bytes`, its beginning: at least this many bytes are needed to know more.
pub(super) fn head_len(version: Version, control: u8, bytes: &[u8]) -> Result<usize, Fault> {
    let [high, low, ..] = *bytes else {
        return Ok(2);
    };
    let has_id = (control >> 1) & 3 != 0;
    let topic_len = usize::from(u16::from_be_bytes([high, low]));
    let mut end = 2 + topic_len + if has_id { 2 } else { 0 };
    if version == Version::V311 {
        return Ok(end);
    }
    let mut properties_len = 0;
    for shift in [0, 7, 14, 21] {
        let Some(byte) = bytes.get(end) else {
            return Ok(end + 1);
        };
        end += 1;
        properties_len |= usize::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Ok(end + properties_len);
        }
    }
    Err(Fault::Property)
}
