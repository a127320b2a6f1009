//! A PUBLISH whose payload is passed on in pieces: its head is put together, the rest is not kept.

use super::{Fault, kind};
use crate::config::Version;
use crate::pieces::PIECES;

/// What a packet may have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Bytes of a whole packet that is put together.
    pub(crate) packet: u32,
    /// Bytes of a PUBLISH that is taken in pieces; 0 for none.
    pub(crate) pieces: u32,
    /// A PUBLISH above both is an error, and not skipped.
    pub(crate) strict: bool,
    /// A PUBLISH that is skipped may define or use a topic alias.
    pub(crate) aliases: bool,
}

/// How the packet under way is taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Way {
    #[default]
    Whole,
    /// In pieces, and its head is not complete.
    Head,
    /// In pieces, and so much of its payload is to come.
    Payload(usize),
}

impl Bounds {
    /// Whether a packet of this size is to be taken in pieces.
    pub(super) fn in_pieces(self, control: u8, size: u32) -> bool {
        PIECES && control >> 4 == kind::PUBLISH && size <= self.pieces
    }
}

/// Bytes of the head of a PUBLISH (topic, packet identifier, properties), as far as `bytes`, its
/// beginning, tells: no fewer are needed to know more.
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
