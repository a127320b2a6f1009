//! From a byte stream to packets: one at a time, size checked first, borrowed where possible.

use alloc::vec::Vec;

use super::kind;
use crate::config::Version;
use crate::error::SessionError;

/// The largest value of a four-byte variable byte integer (section 2.2.3 of 3.1.1).
pub(crate) const MAX_REMAINING_LENGTH: usize = 268_435_455;

/// One packet, not yet understood.
#[derive(Debug)]
pub(crate) struct Frame<'a> {
    /// First byte: packet type and flags.
    pub(crate) control: u8,
    pub(crate) body: Body<'a>,
}

/// What follows the fixed header.
#[derive(Debug)]
pub(crate) enum Body<'a> {
    /// The packet arrived in one piece.
    Borrowed(&'a [u8]),
    /// It had to be put together.
    Owned(Vec<u8>),
}

impl Body<'_> {
    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Body::Borrowed(bytes) => bytes,
            Body::Owned(bytes) => bytes,
        }
    }

    /// Everything from `offset` on, in the same memory if it is ours.
    pub(crate) fn into_rest(self, offset: usize) -> Vec<u8> {
        match self {
            Body::Borrowed(bytes) => bytes.get(offset..).unwrap_or_default().to_vec(),
            Body::Owned(mut bytes) => {
                bytes.drain(..offset.min(bytes.len()));
                bytes
            }
        }
    }
}

/// Splits the stream; holds at most one incomplete packet.
#[derive(Debug, Default)]
pub(crate) struct Framer {
    header: Vec<u8>,
    /// The remaining length, once the fixed header is complete.
    expected: Option<usize>,
    body: Vec<u8>,
}

impl Framer {
    /// Takes bytes up to the end of the first packet in `data`: how many, and the packet if it is
    /// complete. Without a packet all bytes were taken.
    pub(crate) fn take<'a>(
        &mut self,
        version: Version,
        data: &'a [u8],
        limit: u32,
    ) -> Result<(usize, Option<Frame<'a>>), SessionError> {
        let mut taken = 0;
        while self.expected.is_none() {
            let Some(byte) = data.get(taken) else {
                return Ok((taken, None));
            };
            taken += 1;
            self.take_header_byte(version, *byte, limit)?;
        }
        let expected = self.expected.unwrap_or_default();
        let rest = data.get(taken..).unwrap_or_default();
        let wanted = expected - self.body.len();
        let body = match rest.get(..wanted) {
            Some(whole) if self.body.is_empty() => Body::Borrowed(whole),
            Some(end) => {
                self.body.extend_from_slice(end); // there is room since its first byte
                Body::Owned(core::mem::take(&mut self.body))
            }
            None => {
                self.body
                    .try_reserve_exact(wanted)
                    .map_err(|_| out_of_memory(expected))?;
                self.body.extend_from_slice(rest);
                return Ok((data.len(), None));
            }
        };
        taken += wanted;
        let control = self.header.first().copied().unwrap_or_default();
        self.header.clear();
        self.expected = None;
        Ok((taken, Some(Frame { control, body })))
    }

    fn take_header_byte(
        &mut self,
        version: Version,
        byte: u8,
        limit: u32,
    ) -> Result<(), SessionError> {
        self.header.push(byte);
        let Some((control, length)) = self.header.split_first() else {
            return Ok(());
        };
        if length.is_empty() {
            return check_control(version, *control);
        }
        if byte & 0x80 != 0 {
            return if length.len() < 4 {
                Ok(())
            } else {
                Err(SessionError::Malformed)
            };
        }
        if byte == 0 && length.len() > 1 {
            return Err(SessionError::Malformed);
        }
        let remaining = length
            .iter()
            .rev()
            .fold(0u32, |sum, byte| sum << 7 | u32::from(byte & 0x7F));
        let size = remaining + self.header.len() as u32;
        if size > limit {
            return Err(SessionError::PacketTooLarge { size, limit });
        }
        self.expected = Some(remaining as usize);
        Ok(())
    }
}

/// Whether the heap has room for what is made of a packet: a copy of its parts, and some more for
/// those that are short. What the broker sends shall not end the program.
pub(crate) fn check_room(frame: &Frame<'_>) -> Result<(), SessionError> {
    /// The short parts are at most 32 pairs of strings.
    const MORE: usize = 2_048 * size_of::<usize>() / 4;
    let size = frame.body.as_slice().len();
    let made = match frame.control >> 4 {
        kind::SUBACK | kind::UNSUBACK => 2 * size, // a result for each byte
        _ => size,
    };
    let mut room = Vec::<u8>::new();
    let reserved = room.try_reserve_exact(made + MORE);
    // A compiler may leave out an allocation that nobody looks at.
    core::hint::black_box(&room);
    reserved.map_err(|_| out_of_memory(size))
}

fn out_of_memory(size: usize) -> SessionError {
    SessionError::OutOfMemory { size: size as u32 }
}

/// Packet type and flags (section 2.1.3 of MQTT 5, 2.2.2 of 3.1.1).
pub(super) fn check_control(version: Version, control: u8) -> Result<(), SessionError> {
    let flags = control & 0x0F;
    let valid = match control >> 4 {
        0 => false,
        kind::PUBLISH => flags & 0b0110 != 0b0110,
        kind::PUBREL | kind::SUBSCRIBE | kind::UNSUBSCRIBE => flags == 0b0010,
        kind::AUTH => flags == 0 && version == Version::V5,
        _ => flags == 0,
    };
    if valid {
        Ok(())
    } else {
        Err(SessionError::Malformed)
    }
}

/// Appends a variable byte integer of at most [`MAX_REMAINING_LENGTH`].
pub(crate) fn push_length(out: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        out.push((length & 0x7F) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn a_packet_in_one_piece_is_borrowed_and_one_in_pieces_is_the_same() {
        let packet = [0x30, 4, 0, 1, b't', b'x'];
        let mut framer = Framer::default();
        let (n, frame) = framer.take(Version::V311, &packet, 100).unwrap();
        assert_eq!(n, 6);
        let frame = frame.unwrap();
        assert!(matches!(frame.body, Body::Borrowed(_)));
        assert_eq!(frame.body.into_rest(3), b"x");
        for cut in 1..packet.len() {
            let (head, tail) = packet.split_at(cut);
            let (n, frame) = framer.take(Version::V311, head, 100).unwrap();
            assert_eq!((n, frame.is_none()), (cut, true));
            let (n, frame) = framer.take(Version::V311, tail, 100).unwrap();
            assert_eq!(n, tail.len());
            let frame = frame.unwrap();
            assert_eq!(frame.control, 0x30);
            assert_eq!(frame.body.as_slice(), &packet[2..]);
            assert_eq!(frame.body.into_rest(3), b"x");
        }
    }

    #[test]
    fn the_size_is_checked_before_anything_is_buffered() {
        let mut framer = Framer::default();
        let got = framer.take(Version::V5, &[0x30, 0xFF, 0xFF, 0xFF, 0x7F], 1000);
        assert_eq!(
            got.unwrap_err(),
            SessionError::PacketTooLarge {
                size: 268_435_460,
                limit: 1000
            }
        );
        assert_eq!(framer.body.capacity(), 0);
        // Exactly the limit is fine, one more is not.
        let mut framer = Framer::default();
        assert!(framer.take(Version::V5, &[0x30, 98], 100).is_ok());
        let mut framer = Framer::default();
        assert!(framer.take(Version::V5, &[0x30, 99], 100).is_err());
    }

    #[test]
    fn bad_headers() {
        let bad: [(Version, &[u8]); 6] = [
            (Version::V5, &[0x00]),
            (Version::V311, &[0xF0]),
            (Version::V5, &[0x36]),
            (Version::V5, &[0x60]),
            (Version::V5, &[0x30, 0x80, 0x80, 0x80, 0x80]),
            (Version::V5, &[0x30, 0x80, 0x00]),
        ];
        for (version, bytes) in bad {
            let got = Framer::default().take(version, bytes, u32::MAX);
            assert_eq!(got.unwrap_err(), SessionError::Malformed, "{bytes:?}");
        }
    }

    #[test]
    fn lengths() {
        for (length, bytes) in [
            (0usize, vec![0u8]),
            (127, vec![0x7F]),
            (128, vec![0x80, 1]),
            (16_383, vec![0xFF, 0x7F]),
            (16_384, vec![0x80, 0x80, 1]),
            (2_097_151, vec![0xFF, 0xFF, 0x7F]),
            (2_097_152, vec![0x80, 0x80, 0x80, 1]),
            (MAX_REMAINING_LENGTH, vec![0xFF, 0xFF, 0xFF, 0x7F]),
        ] {
            let mut out = Vec::new();
            push_length(&mut out, length);
            assert_eq!(out, bytes);
        }
    }
}
