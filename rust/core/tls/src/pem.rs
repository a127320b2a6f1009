//! PEM (RFC 7468) as found in files: with a byte order mark, as UTF-16, indented, on one line, with
//! escaped line ends, as C or JSON strings.
//!
//! The lines of a section contain base64 and decoration. The decoration is skipped here; PEM crates
//! refuse it, as RFC 7468 section 3 allows.

use alloc::vec::Vec;
use core::ops::{Deref, Range};

use base64ct::{Base64Unpadded, Encoding};
use zeroize::Zeroizing;

use crate::config_error::Fault;
use crate::damage::Damage;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";

/// Longest label: `TRUSTED CERTIFICATE` has 19 bytes.
const MAX_LABEL: usize = 64;

/// Returns the text of a file: UTF-16 as ASCII, without the byte order mark. Non-ASCII characters,
/// which occur only in comments, become spaces.
pub(crate) fn text(bytes: &[u8]) -> Text<'_> {
    let little = match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => return Text::Given(rest),
        [0xff, 0xfe, ..] => true,
        [0xfe, 0xff, ..] => false,
        // Without a mark: in ASCII text every other byte is 0.
        [b' '..=b'~', 0, b' '..=b'~', 0, ..] => true,
        [0, b' '..=b'~', 0, b' '..=b'~', ..] => false,
        _ => return Text::Given(bytes),
    };
    let units = bytes.chunks_exact(2).map(|unit| match (unit, little) {
        (&[ascii, 0], true) | (&[0, ascii], false) => ascii,
        _ => b' ',
    });
    Text::Made(Zeroizing::new(units.collect()))
}

/// Bytes that may be secret: the input, or a conversion of it.
pub(crate) enum Text<'a> {
    Given(&'a [u8]),
    Made(Zeroizing<Vec<u8>>),
}

impl Deref for Text<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Given(bytes) => bytes,
            Self::Made(bytes) => bytes,
        }
    }
}

/// The text between a BEGIN and an END line.
pub(crate) struct Section<'a> {
    pub(crate) label: &'a [u8],
    /// For [`decode`].
    pub(crate) base64: Result<&'a [u8], Damage>,
}

/// The content of a section.
pub(crate) enum Content {
    /// Bytes that may be secret.
    Der(Zeroizing<Vec<u8>>),
    /// Its headers say that it is encrypted (RFC 1421 section 4.6.1.1).
    Encrypted,
}

/// Iterates over the sections of a text. Each byte is looked at once.
pub(crate) struct Sections<'a>(&'a [u8]);

impl<'a> Sections<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self(text)
    }
}

impl<'a> Iterator for Sections<'a> {
    type Item = Section<'a>;

    fn next(&mut self) -> Option<Section<'a>> {
        loop {
            self.0 = self.0.get(mark(self.0, &[BEGIN])?.end..)?;
            let Some(dashes) = mark(self.0, &[DASHES]) else {
                continue;
            };
            let (label, body) = (self.0.get(..dashes.start)?, self.0.get(dashes.end..)?);
            if label.len() > MAX_LABEL || label.iter().any(|b| !matches!(b, b' '..=b'~')) {
                continue;
            }
            let Some(next) = mark(body, &[BEGIN, END]) else {
                self.0 = &[];
                let base64 = Err(Damage::EndLine);
                return Some(Section { label, base64 });
            };
            // Another BEGIN before the END: this section has no END.
            let (base64, after) = (body.get(..next.start)?, body.get(next.end..)?);
            let ends = after.starts_with(label) && body.get(next.clone()) == Some(END);
            self.0 = body.get(next.start..)?;
            let base64 = if ends {
                Ok(base64)
            } else {
                Err(Damage::EndLine)
            };
            return Some(Section { label, base64 });
        }
    }
}

/// Finds the first of these marks, which begin with dashes.
fn mark(text: &[u8], marks: &[&[u8]]) -> Option<Range<usize>> {
    let mut from = 0;
    loop {
        // Most of a file has no dashes.
        let rest = text.get(from..)?;
        let start = from + rest.iter().position(|byte| *byte == b'-')?;
        let here = text.get(start..)?;
        if let Some(mark) = marks.iter().find(|mark| here.starts_with(mark)) {
            return Some(start..start + mark.len());
        }
        from = start + 1;
    }
}

/// Returns whether the text contains these bytes.
fn contains(text: &[u8], bytes: &[u8]) -> bool {
    text.windows(bytes.len()).any(|window| window == bytes)
}

/// Decodes base64 with its decoration.
pub(crate) fn decode(text: &[u8]) -> Result<Content, Fault> {
    if is_encrypted(text) {
        return Ok(Content::Encrypted);
    }
    let text = headers(text).map_or(text, |(_, text)| text);
    let mut base64 = Zeroizing::new(room(text.len())?);
    let mut rest = text;
    let mut padded = false;
    // A plus sign between quoted lines joins them; in base64 it never stands between blanks.
    let mut alone = true;
    while let Some((byte, mut after)) = rest.split_first() {
        match byte {
            b'+' if alone && after.first().is_none_or(|b| b.is_ascii_whitespace()) => {}
            byte if is_base64(*byte) => match padded {
                true => return Err(Damage::Character.into()),
                false => base64.push(*byte),
            },
            b'=' => padded = true,
            b'\\' => match after {
                // JSON may escape = and / like this.
                [b'u', b'0', b'0', b'3', b'd' | b'D', rest @ ..] => {
                    padded = true;
                    after = rest;
                }
                [b'n' | b'r' | b't', rest @ ..] => after = rest,
                [b'/' | b'\r' | b'\n' | b'\\' | b' ', ..] | [] => {}
                _ => return Err(Damage::Character.into()),
            },
            b'"' | b'\'' | b',' | b';' | 0 => {}
            byte if byte.is_ascii_whitespace() => {}
            _ => return Err(Damage::Character.into()),
        }
        alone = !is_base64(*byte);
        rest = after;
    }
    let most = base64.len() / 4 * 3 + 2;
    let mut bytes = Zeroizing::new(room(most)?);
    bytes.resize(most, 0);
    match Base64Unpadded::decode(&*base64, &mut bytes).map(<[u8]>::len) {
        Ok(length @ 1..) => {
            bytes.truncate(length);
            Ok(Content::Der(bytes))
        }
        _ => Err(Damage::CutShort.into()),
    }
}

/// Returns an empty vector with room for this many bytes.
fn room(bytes: usize) -> Result<Vec<u8>, Fault> {
    let mut room = Vec::new();
    let reserved = room.try_reserve_exact(bytes);
    reserved.map(|()| room).map_err(|_| Fault::OutOfMemory)
}

/// Returns whether its headers say that it is encrypted.
pub(crate) fn is_encrypted(text: &[u8]) -> bool {
    headers(text).is_some_and(|(headers, _)| contains(headers, b"ENCRYPTED"))
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')
}

/// Splits off the headers of a section (RFC 1421 section 4.4), which end with an empty line. Base64
/// has no colons.
fn headers(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let last = text.iter().rposition(|byte| *byte == b':')?;
    let (_, after) = text.split_at_checked(last)?;
    let line = after
        .iter()
        .position(|byte| matches!(byte, b'\n' | b'\\'))?;
    text.split_at_checked(last + line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use alloc::{format, vec};
    use proptest::prelude::*;

    fn contents(text: &str) -> Vec<(String, Result<Vec<u8>, Damage>)> {
        let damage = |fault| match fault {
            Fault::Damaged { damage, .. } => damage,
            fault => panic!("{fault:?}"),
        };
        Sections::new(text.as_bytes())
            .map(|section| {
                let decoded = |text| decode(text).map_err(damage);
                let content = section
                    .base64
                    .and_then(decoded)
                    .map(|content| match content {
                        Content::Der(der) => der.to_vec(),
                        Content::Encrypted => vec![],
                    });
                (String::from_utf8_lossy(section.label).into_owned(), content)
            })
            .collect()
    }

    fn one(body: &str) -> Result<Vec<u8>, Damage> {
        let found = contents(&format!("-----BEGIN X-----{body}-----END X-----"));
        let [(label, content)] = &found[..] else {
            panic!("{found:?}");
        };
        assert_eq!(label, "X");
        content.clone()
    }

    #[test]
    fn decoration_is_left_out() {
        let bytes = vec![0xfb, 0xff, 0xbf, 1];
        for body in [
            "\n+/+/AQ==\n",
            "+/+/AQ==",
            "\r\n  +/+/\r\n\t AQ== \r\n",
            "\r+/+/\rAQ==\r",
            "\\n+/+/\\nAQ==\\n",
            "\\r\\n+/+/AQ==\\r\\n",
            "\\n\"\n\"+/+/\\n\"\n\"AQ==\\n\"\n\"",
            "\\n\" +\n \"+/+/\\n\" + \n \"AQ==\\n\" +\n\"",
            "\\n\\\n+/+/\\n\\\nAQ==\\n\\\n",
            "\",\n\"+/+/\", 'AQ==',\n\"",
            "\\n+\\/+\\/AQ\\u003d\\u003d\\n",
            "\nHeader: value\nOther: value\n\n+/+/AQ==\n",
            // Without padding.
            "\n+/+/\nAQ\n",
        ] {
            assert_eq!(one(body), Ok(bytes.clone()), "{body:?}");
        }
    }

    #[test]
    fn damage() {
        assert_eq!(one(""), Err(Damage::CutShort));
        assert_eq!(one("\nAAAAA\n"), Err(Damage::CutShort));
        assert_eq!(one("\nAA!A\n"), Err(Damage::Character));
        assert_eq!(one("\nAA==AAAA\n"), Err(Damage::Character));
        assert_eq!(one("\nA\\xAA\n"), Err(Damage::Character));
        let cut = "-----BEGIN A-----\nAAAA\n-----BEGIN B-----\nAAAA\n-----END B-----\n";
        assert_eq!(
            contents(cut),
            [
                ("A".into(), Err(Damage::EndLine)),
                ("B".into(), Ok(vec![0, 0, 0]))
            ]
        );
        let other = "-----BEGIN A-----\nAAAA\n-----END B-----";
        assert_eq!(contents(other), [("A".into(), Err(Damage::EndLine))]);
    }

    #[test]
    fn sections_without_a_line_between_them() {
        let both =
            "-----BEGIN A-----\nAAAA\n-----END A----------BEGIN B-----\nAQID\n-----END B-----";
        assert_eq!(
            contents(both),
            [
                ("A".into(), Ok(vec![0, 0, 0])),
                ("B".into(), Ok(vec![1, 2, 3]))
            ]
        );
    }

    #[test]
    fn wide_characters() {
        let text = "\u{feff}-----BEGIN A-----";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for wide in [&little[..], &big, &little[2..], &big[2..]] {
            assert!(
                super::text(wide).ends_with(b"-----BEGIN A-----"),
                "{wide:?}"
            );
        }
        assert_eq!(&*super::text(text.as_bytes()), b"-----BEGIN A-----");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(-----BEGIN A-----|-----END A-----|[A-Za-z+/=\\\\n\": ]{0,9}|.){0,12}") {
            contents(&text);
            super::text(text.as_bytes());
        }
    }
}
