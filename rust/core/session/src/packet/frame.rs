//! Splits a byte stream into packets, one at a time: size checked first, borrowed where possible.

use alloc::vec::Vec;

use super::pieces::{Bounds, Way, head_len};
use super::skip::{Skip, SkipReason, Skipped};
use super::{Fault, PacketType, kind};
use crate::config::Version;
use crate::error::SessionError;
use crate::pieces::PIECES;

/// The largest value of a four-byte variable byte integer (section 2.2.3 of 3.1.1).
pub(crate) const MAX_REMAINING_LENGTH: usize = 268_435_455;

/// One packet, not decoded yet.
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
    /// It had to be assembled.
    Owned(Vec<u8>),
}

impl Body<'_> {
    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Body::Borrowed(bytes) => bytes,
            Body::Owned(bytes) => bytes,
        }
    }

    /// Returns everything from `offset` on, reusing the memory if it is ours.
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

/// The next element of the stream.
#[derive(Debug)]
pub(crate) enum Piece<'a> {
    Packet(Frame<'a>),
    /// A PUBLISH that was too large.
    Skipped(Skipped),
    /// A PUBLISH without its payload, which follows in pieces and has this many bytes.
    Head(Frame<'a>, u32),
    /// The next bytes of that payload, and whether they are the last.
    Payload(&'a [u8], bool),
}

/// Splits the stream. Holds at most one incomplete packet.
#[derive(Debug, Default)]
pub(crate) struct Framer {
    /// The first byte, once received.
    control: Option<u8>,
    /// The remaining length decoded so far, and the number of its bytes received.
    length: u32,
    length_bytes: u32,
    /// The remaining length, once the fixed header is complete.
    expected: Option<usize>,
    body: Vec<u8>,
    skip: Option<Skip>,
    way: Way,
}

impl Framer {
    /// Takes bytes up to the end of the first packet in `data`. Returns how many, and the packet if
    /// it is complete. Without a packet, all bytes were taken.
    ///
    /// A PUBLISH above the bounds is skipped, or is an error if they are strict. One that is taken
    /// in pieces is returned head first, then as much of its payload as `data` contains.
    pub(crate) fn take<'a>(
        &mut self,
        version: Version,
        data: &'a [u8],
        bounds: Bounds,
    ) -> Result<(usize, Option<Piece<'a>>), SessionError> {
        let mut taken = 0;
        while self.expected.is_none() {
            let Some(byte) = data.get(taken) else {
                return Ok((taken, None));
            };
            taken += 1;
            self.take_header_byte(version, *byte, bounds)?;
        }
        let expected = self.expected.unwrap_or_default();
        let rest = data.get(taken..).unwrap_or_default();
        let wanted = expected - self.body.len();
        let body = match rest.get(..wanted) {
            _ if self.skip.is_some() => return self.pass(taken, rest),
            _ if self.way() == Way::Head => return self.take_head(version, taken, rest, bounds),
            _ if self.way() != Way::Whole => return Ok(self.take_payload(taken, rest, bounds)),
            Some(whole) if self.body.is_empty() => Body::Borrowed(whole),
            Some(end) => {
                self.body.extend_from_slice(end); // reserved with its first byte
                Body::Owned(core::mem::take(&mut self.body))
            }
            None if self.body.try_reserve_exact(wanted).is_err() => {
                if !self.is_publish() {
                    return Err(out_of_memory(expected));
                }
                self.begin_skip(expected, SkipReason::OutOfMemory, bounds);
                return self.pass(taken, rest);
            }
            None => {
                self.body.extend_from_slice(rest);
                return Ok((data.len(), None));
            }
        };
        taken += wanted;
        let control = self.control();
        self.end_packet();
        Ok((taken, Some(Piece::Packet(Frame { control, body }))))
    }

    /// Assembles the head of a PUBLISH. It is skipped if it exceeds the limit for packets or the
    /// heap has no room.
    fn take_head<'a>(
        &mut self,
        version: Version,
        taken: usize,
        rest: &'a [u8],
        bounds: Bounds,
    ) -> Result<(usize, Option<Piece<'a>>), SessionError> {
        let control = self.control();
        let malformed = |fault| SessionError::Malformed {
            packet: PacketType::of(control),
            fault,
        };
        let expected = self.expected.unwrap_or_default();
        let mut used = 0;
        let too_much = loop {
            let left = rest.get(used..).unwrap_or_default();
            let needed = head_len(version, control, &self.body).map_err(malformed)?;
            if needed > expected {
                return Err(malformed(Fault::TooShort));
            }
            let missing = needed - self.body.len();
            if needed + self.header_len() as usize > bounds.packet as usize {
                break Some(SkipReason::TooLarge);
            } else if missing == 0 {
                break (!has_room_for(needed)).then_some(SkipReason::OutOfMemory);
            } else if left.is_empty() {
                return Ok((taken + used, None));
            } else if self.body.try_reserve_exact(missing).is_err() {
                break Some(SkipReason::OutOfMemory);
            }
            let next = left.get(..missing).unwrap_or(left);
            self.body.extend_from_slice(next);
            used += next.len();
        };
        if let Some(reason) = too_much {
            self.begin_skip(expected, reason, bounds);
            return self.pass(taken + used, rest.get(used..).unwrap_or_default());
        }
        let payload = expected - self.body.len();
        self.way = Way::Payload(payload);
        let body = Body::Owned(core::mem::take(&mut self.body));
        let head = Piece::Head(Frame { control, body }, payload as u32);
        Ok((taken + used, Some(head)))
    }

    /// Takes the available payload: no more than a packet may have, and less if the heap is short.
    fn take_payload<'a>(
        &mut self,
        taken: usize,
        rest: &'a [u8],
        bounds: Bounds,
    ) -> (usize, Option<Piece<'a>>) {
        let Way::Payload(left) = self.way else {
            return (taken, None);
        };
        let most = left.min(rest.len()).min(bounds.packet as usize);
        let mut halves = core::iter::successors(Some(most), |count| Some(count / 2));
        let fits = halves.find(|count| *count == 0 || has_room_for(*count));
        let count = fits.filter(|count| *count != 0).unwrap_or(most);
        let Some(bytes) = rest.get(..count).filter(|bytes| !bytes.is_empty()) else {
            return (taken, None);
        };
        self.way = Way::Payload(left - count);
        let is_last = left == count;
        if is_last {
            self.end_packet();
        }
        (taken + count, Some(Piece::Payload(bytes, is_last)))
    }

    /// Returns the first byte of a packet, if `data` begins with one.
    pub(crate) fn first_of(&self, data: &[u8]) -> Option<u8> {
        data.first().copied().filter(|_| self.control.is_none())
    }

    /// Returns how the current packet is taken. Without support for pieces, always whole.
    fn way(&self) -> Way {
        if PIECES { self.way } else { Way::Whole }
    }

    fn control(&self) -> u8 {
        self.control.unwrap_or_default()
    }

    fn header_len(&self) -> u32 {
        1 + self.length_bytes
    }

    fn end_packet(&mut self) {
        self.control = None;
        (self.length, self.length_bytes) = (0, 0);
        self.expected = None;
        self.way = Way::Whole;
    }

    fn pass<'a>(
        &mut self,
        taken: usize,
        rest: &[u8],
    ) -> Result<(usize, Option<Piece<'a>>), SessionError> {
        let Some((passed, over)) = self.skip.as_mut().map(|skip| skip.pass(rest)) else {
            return Ok((taken, None));
        };
        if !over {
            return Ok((taken + passed, None));
        }
        self.end_packet();
        let skipped = self.skip.take().map(Skip::finish).transpose()?;
        Ok((taken + passed, skipped.map(Piece::Skipped)))
    }

    fn take_header_byte(
        &mut self,
        version: Version,
        byte: u8,
        bounds: Bounds,
    ) -> Result<(), SessionError> {
        let Some(control) = self.control else {
            self.control = Some(byte);
            return check_control(version, byte);
        };
        self.length |= u32::from(byte & 0x7F) << (7 * self.length_bytes);
        self.length_bytes += 1;
        let malformed = SessionError::Malformed {
            packet: PacketType::of(control),
            fault: Fault::Length,
        };
        if byte & 0x80 != 0 {
            return if self.length_bytes < 4 {
                Ok(())
            } else {
                Err(malformed)
            };
        }
        // 3.1.1 does not require the shortest form (section 2.2.3), MQTT 5 does (section 1.5.5).
        if version == Version::V5 && byte == 0 && self.length_bytes > 1 {
            return Err(malformed);
        }
        let remaining = self.length as usize;
        let size = self.length + self.header_len();
        self.expected = Some(remaining);
        if size <= bounds.packet {
            return Ok(());
        }
        if bounds.in_pieces(self.control(), size) {
            self.way = Way::Head;
        } else if !self.is_publish() {
            let limit = bounds.packet;
            return Err(SessionError::PacketTooLarge { size, limit });
        } else if bounds.strict {
            let limit = bounds.packet.max(bounds.pieces);
            return Err(SessionError::PacketTooLarge { size, limit });
        } else {
            self.begin_skip(remaining, SkipReason::TooLarge, bounds);
        }
        Ok(())
    }

    fn is_publish(&self) -> bool {
        self.control() >> 4 == kind::PUBLISH
    }

    /// Starts skipping, beginning with what was already kept of the packet.
    fn begin_skip(&mut self, body: usize, reason: SkipReason, bounds: Bounds) {
        let size = body as u32 + self.header_len();
        let mut skip = Skip::new(self.control(), body, size, reason, bounds.aliases);
        skip.pass(&core::mem::take(&mut self.body));
        self.skip = Some(skip);
    }
}

/// Returns whether the heap has room to decode a packet: for a copy of its parts, and some more for
/// the short ones. Data from the broker must not terminate the program.
pub(crate) fn has_room(frame: &Frame<'_>) -> bool {
    let size = frame.body.as_slice().len();
    let made = match frame.control >> 4 {
        kind::SUBACK | kind::UNSUBACK => 2 * size, // a result for each byte
        _ => size,
    };
    has_room_for(made)
}

/// Returns the same for a part of this size.
pub(crate) fn has_room_for(made: usize) -> bool {
    /// The short parts are at most 32 pairs of strings.
    const MORE: usize = 2_048 * size_of::<usize>() / 4;
    heap_has(made + MORE)
}

/// Returns whether the heap has this many bytes in one piece. Use it before an allocation that
/// terminates the program on failure.
pub fn heap_has(bytes: usize) -> bool {
    let mut room = Vec::<u8>::new();
    let reserved = room.try_reserve_exact(bytes);
    // Keeps the compiler from removing the unused allocation.
    core::hint::black_box(&room);
    reserved.is_ok()
}

/// Skips a whole packet for which there is no room, if it is a PUBLISH.
pub(crate) fn skip_frame(frame: &Frame<'_>, bounds: Bounds) -> Result<Skipped, SessionError> {
    let body = frame.body.as_slice();
    if frame.control >> 4 != kind::PUBLISH {
        return Err(out_of_memory(body.len()));
    }
    let size = body.len() + 1 + length_of_length(body.len());
    let mut skip = Skip::new(
        frame.control,
        body.len(),
        size as u32,
        SkipReason::OutOfMemory,
        bounds.aliases,
    );
    skip.pass(body);
    skip.finish()
}

fn out_of_memory(size: usize) -> SessionError {
    SessionError::OutOfMemory { size: size as u32 }
}

/// Checks packet type and flags (section 2.1.3 of MQTT 5, 2.2.2 of 3.1.1).
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
        Err(SessionError::Malformed {
            packet: PacketType::of(control),
            fault: Fault::FirstByte,
        })
    }
}

/// Returns the size of a variable byte integer.
pub(crate) fn length_of_length(length: usize) -> usize {
    match length {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        _ => 4,
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
    use crate::config::QoS;
    use alloc::vec;

    fn bounds(packet: u32, strict: bool) -> Bounds {
        Bounds {
            packet,
            pieces: 0,
            strict,
            aliases: false,
        }
    }

    fn packet(piece: Option<Piece<'_>>) -> Option<Frame<'_>> {
        piece.map(|piece| match piece {
            Piece::Packet(frame) => frame,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn a_packet_in_one_piece_is_borrowed_and_one_in_pieces_is_the_same() {
        let bytes = [0x30, 4, 0, 1, b't', b'x'];
        let mut framer = Framer::default();
        let (n, piece) = framer
            .take(Version::V311, &bytes, bounds(100, true))
            .unwrap();
        assert_eq!(n, 6);
        let frame = packet(piece).unwrap();
        assert!(matches!(frame.body, Body::Borrowed(_)));
        assert_eq!(frame.body.into_rest(3), b"x");
        for cut in 1..bytes.len() {
            let (head, tail) = bytes.split_at(cut);
            let (n, piece) = framer.take(Version::V311, head, bounds(100, true)).unwrap();
            assert_eq!((n, piece.is_none()), (cut, true));
            let (n, piece) = framer.take(Version::V311, tail, bounds(100, true)).unwrap();
            assert_eq!(n, tail.len());
            let frame = packet(piece).unwrap();
            assert_eq!(frame.control, 0x30);
            assert_eq!(frame.body.as_slice(), &bytes[2..]);
            assert_eq!(frame.body.into_rest(3), b"x");
        }
    }

    #[test]
    fn the_size_is_checked_before_anything_is_buffered() {
        for (control, strict) in [(0x30, true), (0x90, false)] {
            let mut framer = Framer::default();
            let header = [control, 0xFF, 0xFF, 0xFF, 0x7F];
            let got = framer.take(Version::V5, &header, bounds(1000, strict));
            assert_eq!(
                got.unwrap_err(),
                SessionError::PacketTooLarge {
                    size: 268_435_460,
                    limit: 1000
                }
            );
            assert_eq!(framer.body.capacity(), 0);
        }
        // Exactly the limit is accepted, one more is not.
        let mut framer = Framer::default();
        assert!(
            framer
                .take(Version::V5, &[0x30, 98], bounds(100, true))
                .is_ok()
        );
        let mut framer = Framer::default();
        assert!(
            framer
                .take(Version::V5, &[0x30, 99], bounds(100, true))
                .is_err()
        );
    }

    /// In any fragmentation, and the packet after it is read.
    #[test]
    fn a_message_above_the_limit_passes_by() {
        let mut bytes = vec![0x32, 0xF4, 3, 0, 3, b'a', b'/', b'b', 0, 9];
        bytes.resize(2 + 1 + 500, 0x55);
        bytes.extend([0xD0, 0]);
        for piece in [1, 2, 3, 7, 100, bytes.len()] {
            let mut framer = Framer::default();
            let mut seen = Vec::new();
            for mut data in bytes.chunks(piece) {
                while !data.is_empty() {
                    let (n, piece) = framer
                        .take(Version::V311, data, bounds(100, false))
                        .unwrap();
                    data = &data[n..];
                    assert!(framer.body.capacity() == 0);
                    match piece {
                        Some(Piece::Skipped(skipped)) => {
                            assert_eq!(skipped.topic, "a/b");
                            assert_eq!((skipped.packet_id, skipped.size), (9, 503));
                            assert_eq!(skipped.qos, QoS::AtLeastOnce);
                            assert_eq!(skipped.reason, SkipReason::TooLarge);
                            seen.push(0x32);
                        }
                        Some(Piece::Packet(frame)) => seen.push(frame.control),
                        Some(other) => panic!("{other:?}"),
                        None => {}
                    }
                }
            }
            assert_eq!(seen, [0x32, 0xD0], "in pieces of {piece}");
        }
    }

    #[test]
    fn a_skipped_message_with_a_long_or_broken_topic() {
        let skip = |body: &[u8]| {
            let mut skip = Skip::new(0x34, body.len(), 1, SkipReason::TooLarge, false);
            skip.pass(body);
            skip.finish()
        };
        let mut long = vec![0x10, 0];
        long.resize(2 + 0x1000, b'x');
        long.extend([1, 2, 0, 0]);
        let skipped = skip(&long).unwrap();
        assert_eq!((skipped.topic.len(), skipped.packet_id), (256, 0x102));
        assert_eq!(skip(&[0, 2, b'a', 0xFF, 0, 1]).unwrap().topic, "a");
        let packet = PacketType::of(0x30);
        for (body, fault) in [
            (&[0u8, 9, b'a'][..], Fault::TooShort),
            (&[0, 1, b'a', 0], Fault::TooShort),
            (&[0, 1, b'a', 0, 0], Fault::PacketId),
        ] {
            let error = SessionError::Malformed { packet, fault };
            assert_eq!(skip(body).unwrap_err(), error);
        }
    }

    #[test]
    fn bad_headers() {
        let bad: [(Version, &[u8], Fault); 6] = [
            (Version::V5, &[0x00], Fault::FirstByte),
            (Version::V311, &[0xF0], Fault::FirstByte),
            (Version::V5, &[0x36], Fault::FirstByte),
            (Version::V5, &[0x60], Fault::FirstByte),
            (Version::V5, &[0x30, 0x80, 0x80, 0x80, 0x80], Fault::Length),
            (Version::V5, &[0x30, 0x80, 0x00], Fault::Length),
        ];
        for (version, bytes, fault) in bad {
            let got = Framer::default().take(version, bytes, bounds(u32::MAX, true));
            let packet = PacketType::of(bytes[0]);
            let expected = SessionError::Malformed { packet, fault };
            assert_eq!(got.unwrap_err(), expected, "{bytes:?}");
        }
    }

    /// Only MQTT 5 requires the shortest form.
    #[test]
    fn a_length_in_more_bytes_than_needed() {
        let bytes = [0x20, 0x82, 0x80, 0x00, 0, 0];
        let (n, piece) = Framer::default()
            .take(Version::V311, &bytes, bounds(100, true))
            .unwrap();
        assert_eq!(n, bytes.len());
        assert_eq!(packet(piece).unwrap().body.as_slice(), [0, 0]);
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
            assert_eq!(length_of_length(length), bytes.len());
        }
    }
}
