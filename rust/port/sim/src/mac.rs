//! The few fields of an IEEE 802.15.4 MAC header that a radio chip reads, the acknowledgement and
//! the checksum (IEEE 802.15.4-2015, sections 7.2 and 7.3.3).

/// Broadcast PAN identifier and short address.
pub(crate) const BROADCAST: u16 = 0xffff;
/// The short address of a node that has none.
pub(crate) const NO_SHORT_ADDRESS: u16 = 0xfffe;
/// Longest PSDU.
pub(crate) const MAX_FRAME: usize = 127;
/// Bytes of an immediate acknowledgement.
pub(crate) const ACK_LENGTH: usize = 5;

const TYPE_ACK: u16 = 2;
const TYPE_COMMAND: u16 = 3;
const FRAME_PENDING: u16 = 1 << 4;
const ACK_REQUEST: u16 = 1 << 5;
const PAN_COMPRESSION: u16 = 1 << 6;

/// A MAC address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Address {
    /// 16 bits.
    Short(u16),
    /// 64 bits, least significant byte first.
    Extended([u8; 8]),
}

/// The fields that a receiver reads from a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    control: u16,
    pub(crate) sequence: u8,
    pub(crate) destination_pan: Option<u16>,
    pub(crate) destination: Option<Address>,
    pub(crate) source: Option<Address>,
}

impl Header {
    /// Parses the header of a version 2003 or 2006 frame. Returns `None` if it is truncated or of
    /// another version: version 2015 needs enhanced acknowledgements, which OpenThread does not
    /// request from this radio.
    pub(crate) fn parse(psdu: &[u8]) -> Option<Self> {
        let mut rest = psdu;
        let control = take_u16(&mut rest)?;
        if control >> 12 & 3 > 1 {
            return None;
        }
        let sequence = take::<1>(&mut rest)?[0];
        let destination_mode = control >> 10 & 3;
        let destination_pan = match destination_mode {
            0 => None,
            _ => Some(take_u16(&mut rest)?),
        };
        let destination = take_address(&mut rest, destination_mode)?;
        let source_mode = control >> 14;
        if source_mode != 0 && (control & PAN_COMPRESSION == 0 || destination_mode == 0) {
            take_u16(&mut rest)?;
        }
        let source = take_address(&mut rest, source_mode)?;
        Some(Self {
            control,
            sequence,
            destination_pan,
            destination,
            source,
        })
    }

    pub(crate) fn is_ack(&self) -> bool {
        self.control & 7 == TYPE_ACK
    }

    /// Returns whether this is a MAC command. From a child in a Thread network, that is a data
    /// request: Thread's only other command is the unsecured beacon request, which has no source.
    pub(crate) fn is_command(&self) -> bool {
        self.control & 7 == TYPE_COMMAND
    }

    pub(crate) fn wants_ack(&self) -> bool {
        self.control & ACK_REQUEST != 0
    }
}

/// Builds the immediate acknowledgement of a frame, including the FCS.
pub(crate) fn acknowledgement(sequence: u8, frame_pending: bool) -> Vec<u8> {
    let control = TYPE_ACK | if frame_pending { FRAME_PENDING } else { 0 };
    let [low, high] = control.to_le_bytes();
    let mut ack = vec![low, high, sequence, 0, 0];
    fill_checksum(&mut ack);
    ack
}

/// Writes the FCS into the last two bytes: CRC-16 of ITU-T, polynomial 0x1021, least
/// significant bit first, starting at 0.
pub(crate) fn fill_checksum(psdu: &mut [u8]) {
    let Some((body, checksum)) = psdu.split_last_chunk_mut::<2>() else {
        return;
    };
    let mut crc = 0u16;
    for &byte in body.iter() {
        crc ^= u16::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 != 0 {
                crc >> 1 ^ 0x8408
            } else {
                crc >> 1
            };
        }
    }
    *checksum = crc.to_le_bytes();
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

fn take_u16(rest: &mut &[u8]) -> Option<u16> {
    take(rest).map(u16::from_le_bytes)
}

/// The outer `None` means a truncated frame or a reserved mode.
fn take_address(rest: &mut &[u8], mode: u16) -> Option<Option<Address>> {
    match mode {
        0 => Some(None),
        2 => Some(Some(Address::Short(take_u16(rest)?))),
        3 => Some(Some(Address::Extended(take(rest)?))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_data_frame_between_short_addresses() {
        // Control 0x8861: data, ACK request, PAN compression, short to short.
        let frame = [0x61, 0x88, 0x2a, 0xcd, 0xab, 0x00, 0x04, 0x01, 0x04, 0, 0];
        let header = Header::parse(&frame).unwrap();
        assert_eq!(header.sequence, 0x2a);
        assert_eq!(header.destination_pan, Some(0xabcd));
        assert_eq!(header.destination, Some(Address::Short(0x0400)));
        assert_eq!(header.source, Some(Address::Short(0x0401)));
        assert!(header.wants_ack() && !header.is_ack() && !header.is_command());
    }

    #[test]
    fn cut_frames_and_later_versions_are_not_read() {
        let frame = [0x61, 0x88, 0x2a, 0xcd, 0xab, 0x00, 0x04, 0x01, 0x04];
        for length in 0..frame.len() {
            assert_eq!(Header::parse(&frame[..length]), None, "{length} bytes");
        }
        assert_eq!(
            Header::parse(&[0x61, 0xa8, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            None
        );
    }

    #[test]
    fn an_acknowledgement_carries_sequence_pending_and_checksum() {
        let ack = acknowledgement(0x77, true);
        assert_eq!(ack[..3], [0x12, 0x00, 0x77]);
        assert!(Header::parse(&ack).unwrap().is_ack());
        // Property of the standard: the checksum over the whole frame is zero.
        let mut again = ack.clone();
        again.extend([0, 0]);
        fill_checksum(&mut again);
        assert_eq!(again[5..], [0, 0]);
    }

    #[test]
    fn checksum_matches_the_standards_example() {
        // IEEE 802.15.4-2015 section 7.2.10: the bits of an ACK, first bit first, are
        // 0100 0000 0000 0000 0101 0110, and those of its FCS 0010 0111 1001 1110.
        let mut ack = [0x02, 0x00, 0x6a, 0, 0];
        fill_checksum(&mut ack);
        assert_eq!(ack[3..], [0xe4, 0x79]);
    }
}
