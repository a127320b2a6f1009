//! The small part of DER that keys and signatures need: definite lengths in their shortest form,
//! and no trailing data (X.690, section 10.1).

/// Tags.
pub(crate) const INTEGER: u8 = 0x02;
#[cfg(feature = "client-auth")]
pub(crate) const BIT_STRING: u8 = 0x03;
#[cfg(feature = "client-auth")]
pub(crate) const OCTET_STRING: u8 = 0x04;
#[cfg(feature = "client-auth")]
pub(crate) const OID: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;

/// A sequence of values, read from the front.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(der: &'a [u8]) -> Self {
        Self(der)
    }

    /// Returns the content of the next value, which must have this tag.
    pub(crate) fn value(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (first, rest) = self.0.split_first()?;
        if *first != tag {
            return None;
        }
        let (len, rest) = length(rest)?;
        let (content, rest) = rest.split_at_checked(len)?;
        self.0 = rest;
        Some(content)
    }

    /// Returns a reader for the content of a constructed value.
    pub(crate) fn inside(&mut self, tag: u8) -> Option<Self> {
        self.value(tag).map(Self)
    }

    /// Returns the magnitude of the next INTEGER, which must not be negative: big-endian without
    /// leading zeros.
    pub(crate) fn unsigned(&mut self) -> Option<&'a [u8]> {
        match self.value(INTEGER)? {
            [] => None,
            [0] => Some(&[]),
            [0, rest @ ..] => (*rest.first()? >= 0x80).then_some(rest),
            content => (*content.first()? < 0x80).then_some(content),
        }
    }

    /// Returns `Some` at the end.
    pub(crate) fn finish(self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

/// Splits off a length of at most 65535.
fn length(der: &[u8]) -> Option<(usize, &[u8])> {
    match der {
        [len @ ..=0x7f, rest @ ..] => Some((usize::from(*len), rest)),
        [0x81, len @ 0x80..=0xff, rest @ ..] => Some((usize::from(*len), rest)),
        [0x82, high @ 1..=0xff, low, rest @ ..] => {
            Some((usize::from(u16::from_be_bytes([*high, *low])), rest))
        }
        _ => None,
    }
}

/// Returns the length in bits of a magnitude without leading zeros.
#[cfg(all(feature = "rsa", not(feature = "rsa-in-rust")))]
pub(crate) fn bit_len(magnitude: &[u8]) -> usize {
    match magnitude.first() {
        Some(first) => magnitude.len() * 8 - first.leading_zeros() as usize,
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_minimal_and_not_negative() {
        let read = |der: &'static [u8]| Reader::new(der).unsigned();
        assert_eq!(read(&[2, 1, 0]), Some(&[][..]));
        assert_eq!(read(&[2, 1, 0x7f]), Some(&[0x7f][..]));
        assert_eq!(read(&[2, 2, 0, 0x80]), Some(&[0x80][..]));
        assert_eq!(read(&[2, 0]), None);
        assert_eq!(read(&[2, 1, 0x80]), None);
        assert_eq!(read(&[2, 2, 0, 0x7f]), None);
        assert_eq!(read(&[3, 1, 1]), None);
    }

    #[test]
    fn lengths_are_minimal_and_within_the_input() {
        let read = |der: &'static [u8]| Reader::new(der).value(SEQUENCE);
        assert_eq!(read(&[0x30, 1, 7]), Some(&[7][..]));
        for bad in [
            &[0x30][..],
            &[0x30, 2, 7],
            &[0x30, 0x80, 0, 0],
            &[0x30, 0x81, 1, 7],
            &[0x30, 0x82, 0, 1, 7],
            &[0x30, 0x83, 0, 0, 1, 7],
        ] {
            assert_eq!(Reader::new(bad).value(SEQUENCE), None, "{bad:02x?}");
        }
    }
}
