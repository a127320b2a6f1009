//! PEM (RFC 7468): DER in base64, between two lines that say what it is.

use alloc::vec::Vec;

/// Looks for the sections of a text; what is outside of them is skipped.
pub(crate) struct Sections<'a> {
    rest: &'a [u8],
}

/// One section, as it stands in the text.
pub(crate) struct Section<'a> {
    pub(crate) label: &'a [u8],
    base64: &'a [u8],
}

/// A first line that is none, or one without the last.
#[derive(Debug, PartialEq)]
pub(crate) struct Broken;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";

impl<'a> Sections<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self { rest: text }
    }

    pub(crate) fn next(&mut self) -> Result<Option<Section<'a>>, Broken> {
        let label = loop {
            let Some(line) = self.line() else {
                return Ok(None);
            };
            if let Some(label) = line.strip_prefix(BEGIN) {
                break label.trim_ascii_end().strip_suffix(DASHES).ok_or(Broken)?;
            }
        };
        let text = self.rest;
        loop {
            let before = text.len() - self.rest.len();
            let line = self.line().ok_or(Broken)?;
            let end = line.strip_prefix(END).and_then(|l| l.strip_prefix(label));
            if end.is_some_and(|end| end.starts_with(DASHES)) {
                let (base64, _) = text.split_at(before);
                return Ok(Some(Section { label, base64 }));
            }
        }
    }

    /// The next line without its end, which may be of any system.
    fn line(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let end = self.rest.iter().position(|b| matches!(b, b'\n' | b'\r'));
        let (line, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest.get(1..).unwrap_or_default();
        Some(line)
    }
}

impl Section<'_> {
    /// The content, if it is base64; the padding at its end may be missing.
    pub(crate) fn der(&self) -> Option<Vec<u8>> {
        // Large enough at once: what is moved on growing leaves a copy behind, perhaps of a key.
        let mut der = Vec::with_capacity(self.base64.len() / 4 * 3 + 3);
        let (mut bits, mut digits, mut padding) = (0_u32, 0_u8, 0_u8);
        for byte in self.base64 {
            match byte {
                b'\t'..=b'\r' | b' ' => (),
                b'=' if padding < 2 => padding += 1,
                _ if padding > 0 => return None,
                _ => {
                    bits = bits << 6 | u32::try_from(digit(*byte)).ok()?;
                    digits += 1;
                    if digits == 4 {
                        der.extend_from_slice(bits.to_be_bytes().get(1..)?);
                        digits = 0;
                    }
                }
            }
        }
        match (digits, padding) {
            (0, 0) => (),
            (2, 0 | 2) => der.push((bits >> 4) as u8),
            (3, 0 | 1) => der.extend_from_slice(&((bits >> 2) as u16).to_be_bytes()),
            _ => return None,
        }
        Some(der)
    }
}

/// What a character of base64 stands for; less than zero if it is none. The text may be a private
/// key: neither a branch nor an index depends on the character.
fn digit(character: u8) -> i32 {
    const RANGES: [(u8, u8, i32); 5] = [
        (b'A', b'Z', 0),
        (b'a', b'z', 26),
        (b'0', b'9', 52),
        (b'+', b'+', 62),
        (b'/', b'/', 63),
    ];
    let character = i32::from(character);
    RANGES.iter().fold(-1, |digit, (first, last, value)| {
        let offset = character - i32::from(*first);
        // All ones inside of the range, else zero.
        let inside = !(offset | (i32::from(*last) - character)) >> 31;
        digit + (inside & (offset + value + 1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::String;
    use alloc::vec;
    use rustls_pki_types::pem::{PemObject, SectionKind};

    fn decode(base64: &[u8]) -> Option<Vec<u8>> {
        Section { label: b"", base64 }.der()
    }

    #[test]
    fn digits_are_those_of_the_alphabet() {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        for byte in 0..=u8::MAX {
            let place = alphabet.iter().position(|c| *c == byte);
            assert_eq!(digit(byte), place.map_or(-1, |place| place as i32));
        }
    }

    #[test]
    fn base64_of_every_length() {
        for (text, bytes) in [
            (&b""[..], &b""[..]),
            (b"Zg==", b"f"),
            (b"Zg", b"f"),
            (b"Zm8=", b"fo"),
            (b"Zm8", b"fo"),
            (b"Zm9v", b"foo"),
            (b" Zm9v\r\nY g = =\n", b"foob"),
            (b"+/+/", b"\xfb\xff\xbf"),
        ] {
            assert_eq!(decode(text).as_deref(), Some(bytes), "{text:?}");
        }
        for broken in [
            &b"Z"[..],
            b"=",
            b"==",
            b"Z===",
            b"Zg=",
            b"Zg===",
            b"Zm8==",
            b"Zm9v=",
            b"Zg==Zg==",
            b"Zm9vZ",
            b"Zm!v",
            b"Zm-v",
            b"Zm\x00v",
            b"Zm\xe9v",
        ] {
            assert_eq!(decode(broken), None, "{broken:?}");
        }
    }

    /// Whatever is taken, is what the reader of rustls takes as well.
    #[test]
    fn sections_are_those_of_rustls() {
        let section =
            |label: &str| format!("-----BEGIN {label}-----\nZm9v\nYmFy\n-----END {label}-----\n");
        let (certificate, key) = (section("CERTIFICATE"), section("EC PRIVATE KEY"));
        let unknown = section("EC PARAMETERS");
        for text in [
            format!("subject=x\n{certificate}\nissuer=y\n{unknown}{key}{certificate}"),
            format!("{certificate}{key}").replace('\n', "\r\n"),
            certificate.replace('\n', "\r"),
            certificate.replace("CERTIFICATE-----", "CERTIFICATE-----  "),
            String::from(certificate.trim_end()),
            String::new(),
        ] {
            let mut sections = Sections::new(text.as_bytes());
            let mut ours = vec![];
            while let Some(section) = sections.next().unwrap() {
                if section.label != b"EC PARAMETERS" {
                    ours.push(section.der().unwrap());
                }
            }
            let theirs = <(SectionKind, Vec<u8>)>::pem_slice_iter(text.as_bytes());
            let theirs: Vec<_> = theirs.map(|section| section.unwrap().1).collect();
            assert_eq!(ours, theirs, "{text}");
        }
    }

    #[test]
    fn broken_sections() {
        for text in [
            "-----BEGIN CERTIFICATE----\nZm9v\n-----END CERTIFICATE-----\n",
            "-----BEGIN CERTIFICATE-----\nZm9v\n",
            "-----BEGIN CERTIFICATE-----\nZm9v\n-----END PRIVATE KEY-----\n",
            "-----BEGIN CERTIFICATE-----",
            "-----BEGIN ",
        ] {
            let mut sections = Sections::new(text.as_bytes());
            assert!(sections.next().is_err(), "{text}");
        }
    }
}
