//! The floor of the time, as stored across reboots.
use core::fmt;

/// A time known to have passed, in Unix seconds, encoded for flash as version, number and
/// complement. A floor that is too high makes a device refuse every certificate, so a damaged bit
/// must not yield another floor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptFloor(pub u64);

/// The layout of the encoding.
const VERSION: u8 = 1;

/// How much later a floor must be to be worth the flash wear: a day.
const STEP: u64 = 86_400;

impl KeptFloor {
    /// Length of the encoding.
    pub const LENGTH: usize = 17;

    /// Returns the bytes to store.
    pub fn to_bytes(self) -> [u8; Self::LENGTH] {
        let mut bytes = [VERSION; Self::LENGTH];
        bytes[1..9].copy_from_slice(&self.0.to_le_bytes());
        bytes[9..].copy_from_slice(&(!self.0).to_le_bytes());
        bytes
    }

    /// Reads stored bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FloorError> {
        // In this order: the version decides, because another layout may have any length.
        match bytes {
            [] => Err(FloorError::Length),
            [VERSION, rest @ ..] if rest.len() == Self::LENGTH - 1 => {
                let number = |half: &[u8]| half.try_into().map(u64::from_le_bytes);
                let (floor, complement) = rest.split_at(8);
                match (number(floor), number(complement)) {
                    (Ok(floor), Ok(complement)) if floor == !complement => Ok(Self(floor)),
                    _ => Err(FloorError::Damaged),
                }
            }
            [VERSION, ..] => Err(FloorError::Length),
            [version, ..] => Err(FloorError::Version(*version)),
        }
    }

    /// Returns whether `floor` is so much later that it should be stored instead of this one.
    pub fn is_outdated_by(self, floor: u64) -> bool {
        floor >= self.0.saturating_add(STEP)
    }
}

/// Why the bytes are not a floor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FloorError {
    /// They are too few or too many.
    Length,
    /// Another version of this program wrote them.
    Version(u8),
    /// Some of them were altered.
    Damaged,
}

impl fmt::Display for FloorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length => f.write_str("the stored time has the wrong length"),
            Self::Version(version) => write!(f, "the stored time has the unknown layout {version}"),
            Self::Damaged => f.write_str("the stored time is damaged"),
        }
    }
}

impl core::error::Error for FloorError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_read() {
        for floor in [0, 1, 1_795_572_000, u64::MAX] {
            let kept = KeptFloor(floor);
            assert_eq!(KeptFloor::from_bytes(&kept.to_bytes()), Ok(kept));
        }
    }

    #[test]
    fn the_layout_stays() {
        let bytes = KeptFloor(0x0102_0304).to_bytes();
        assert_eq!(
            bytes,
            [
                1, 4, 3, 2, 1, 0, 0, 0, 0, 0xfb, 0xfc, 0xfd, 0xfe, 0xff, 0xff, 0xff, 0xff
            ]
        );
    }

    #[test]
    fn no_damaged_bit_makes_another_floor() {
        let good = KeptFloor(1_795_572_000).to_bytes();
        for bit in 0..8 * good.len() {
            let mut bytes = good;
            bytes[bit / 8] ^= 1 << (bit % 8);
            let error = KeptFloor::from_bytes(&bytes).unwrap_err();
            assert_eq!(error == FloorError::Damaged, bit >= 8, "bit {bit}");
        }
        for fill in [0, 1, 0xff] {
            assert!(KeptFloor::from_bytes(&[fill; KeptFloor::LENGTH]).is_err());
        }
    }

    #[test]
    fn the_length_is_exact() {
        let good = KeptFloor(1).to_bytes();
        for length in 0..good.len() {
            assert_eq!(
                KeptFloor::from_bytes(&good[..length]),
                Err(FloorError::Length)
            );
        }
        let long = [&good[..], &[0]].concat();
        assert_eq!(KeptFloor::from_bytes(&long), Err(FloorError::Length));
    }

    #[test]
    fn a_day_is_worth_a_write() {
        let kept = KeptFloor(1_000);
        assert!(!kept.is_outdated_by(0));
        assert!(!kept.is_outdated_by(1_000 + STEP - 1));
        assert!(kept.is_outdated_by(1_000 + STEP));
    }
}
