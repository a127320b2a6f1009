//! As much DER (X.690) as the summary of a certificate needs. Every read is checked: invalid input
//! gives `None`.

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OID: u8 = 0x06;
pub(crate) const UTF8_STRING: u8 = 0x0c;
pub(crate) const PRINTABLE_STRING: u8 = 0x13;
pub(crate) const TELETEX_STRING: u8 = 0x14;
pub(crate) const IA5_STRING: u8 = 0x16;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
#[cfg(feature = "summaries")]
pub(crate) const BMP_STRING: u8 = 0x1e;
pub(crate) const SEQUENCE: u8 = 0x30;
#[cfg(feature = "summaries")]
pub(crate) const SET: u8 = 0x31;
pub(crate) const BOOLEAN: u8 = 0x01;

/// Returns the context-specific tag `[n]`, constructed.
pub(crate) const fn explicit(n: u8) -> u8 {
    0xa0 | n
}

/// Returns the context-specific tag `[n]`, primitive.
pub(crate) const fn implicit(n: u8) -> u8 {
    0x80 | n
}

/// Reads elements in sequence.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Returns the number of bytes left.
    pub(crate) fn len(self) -> usize {
        self.0.len()
    }

    /// Reads the next element: its tag and content.
    pub(crate) fn any(&mut self) -> Option<(u8, &'a [u8])> {
        let (&[tag, first], rest) = self.0.split_first_chunk()?;
        if tag & 0x1f == 0x1f {
            return None; // A multi-byte tag number: not used in certificates.
        }
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x83 => {
                let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                let length = length.iter().fold(0, |n, b| n << 8 | usize::from(*b));
                (length, rest)
            }
            _ => return None, // Indefinite, or more than 16 MiB.
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    /// Reads the next element if it has this tag.
    pub(crate) fn optional(&mut self, tag: u8) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let (found, content) = ahead.any()?;
        (found == tag).then(|| {
            *self = ahead;
            content
        })
    }

    /// Reads the content of the next element, which must have this tag.
    pub(crate) fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (found, content) = self.any()?;
        (found == tag).then_some(content)
    }

    /// Reads the next element including tag and length. It must have this tag.
    pub(crate) fn element(&mut self, tag: u8) -> Option<&'a [u8]> {
        let before = self.0;
        self.expect(tag)?;
        before.get(..before.len() - self.0.len())
    }

    /// Returns a reader of the content of the next element, which must have this tag.
    pub(crate) fn inside(&mut self, tag: u8) -> Option<Reader<'a>> {
        self.expect(tag).map(Reader)
    }
}

/// Converts UTCTime or GeneralizedTime to Unix seconds (RFC 5280 section 4.1.2.5: UTC, with
/// seconds); times before 1970 become 0.
pub(crate) fn time(tag: u8, text: &[u8]) -> Option<u64> {
    let pairs = text.strip_suffix(b"Z")?.chunks(2);
    // A UTCTime has no century.
    let first = match (tag, pairs.len()) {
        (GENERALIZED_TIME, 7) => 0,
        (UTC_TIME, 6) => 1,
        _ => return None,
    };
    let mut numbers = [0; 7];
    for (number, pair) in numbers.iter_mut().skip(first).zip(pairs) {
        *number = two_digits(pair)?;
    }
    let [mut century, year, month, day, hour, minute, second] = numbers;
    if tag == UTC_TIME {
        century = if year < 50 { 20 } else { 19 };
    }
    if !(1..=12).contains(&month)
        || !(1..=31).contains(&day)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    let Some(days) = days_since_1970(century * 100 + year, month, day) else {
        return Some(0);
    };
    Some(u64::from(days) * 86_400 + u64::from((hour * 60 + minute) * 60 + second))
}

fn two_digits(pair: &[u8]) -> Option<u32> {
    let [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] = pair else {
        return None;
    };
    Some(u32::from(tens - b'0') * 10 + u32::from(ones - b'0'))
}

/// Returns the days since 1970-01-01 in the Gregorian calendar; `None` before that.
fn days_since_1970(year: u32, month: u32, day: u32) -> Option<u32> {
    // Count years from March, so that the leap day comes last.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year.checked_sub(1)?, month + 9)
    };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1;
    days.checked_sub(719_468)
}

/// Converts Unix seconds to year, month, day, hour, minute, second in UTC.
pub fn civil(unix_seconds: u64) -> [u32; 6] {
    // A value that does not fit is in a year beyond 11 million.
    let days = u32::try_from(unix_seconds / 86_400).unwrap_or(u32::MAX);
    let rest = (unix_seconds % 86_400) as u32;
    let days = days.saturating_add(719_468);
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let year = year_of_era + era * 400;
    let (year, month) = if month < 10 {
        (year, month + 3)
    } else {
        (year + 1, month - 9)
    };
    [year, month, day, rest / 3_600, rest / 60 % 60, rest % 60]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_both_kinds() {
        assert_eq!(time(UTC_TIME, b"700101000000Z"), Some(0));
        assert_eq!(time(UTC_TIME, b"261123015318Z"), Some(1_795_398_798));
        assert_eq!(time(UTC_TIME, b"491231235959Z"), Some(2_524_607_999));
        assert_eq!(
            time(GENERALIZED_TIME, b"99991231235959Z"),
            Some(253_402_300_799)
        );
        // Before 1970, in either format.
        assert_eq!(time(UTC_TIME, b"500101000000Z"), Some(0));
        assert_eq!(time(GENERALIZED_TIME, b"00000101000000Z"), Some(0));
        for broken in [
            &b""[..],
            b"7001010000Z",
            b"700101000000",
            b"701301000000Z",
            b"70010100000xZ",
            b"700100000000Z",
            b"700101240000Z",
        ] {
            assert_eq!(time(UTC_TIME, broken), None);
        }
        assert_eq!(time(OID, b"700101000000Z"), None);
    }

    #[test]
    fn civil_is_the_inverse_of_time() {
        let mut seconds = 0;
        while seconds < 253_402_300_799 {
            let [y, mo, d, h, mi, s] = civil(seconds);
            let text = alloc::format!("{y:04}{mo:02}{d:02}{h:02}{mi:02}{s:02}Z");
            assert_eq!(time(GENERALIZED_TIME, text.as_bytes()), Some(seconds));
            seconds += 40_000_037;
        }
        civil(u64::MAX);
    }

    #[test]
    fn lengths_are_checked() {
        assert_eq!(Reader::new(&[0x04, 0x02, 1]).any(), None);
        assert_eq!(Reader::new(&[0x04, 0x80]).any(), None);
        assert_eq!(Reader::new(&[0x04, 0x84, 0, 0, 0, 0]).any(), None);
        assert_eq!(Reader::new(&[0x1f, 0x01, 0]).any(), None);
        assert_eq!(Reader::new(&[0x04, 0x82, 0]).any(), None);
        let mut reader = Reader::new(&[0x04, 0x81, 1, 9, 0x05, 0]);
        assert_eq!(reader.optional(OID), None);
        assert_eq!(reader.any(), Some((OCTET_STRING, &[9][..])));
        assert_eq!(reader.optional(0x05), Some(&[][..]));
        assert!(reader.is_empty());
    }
}
