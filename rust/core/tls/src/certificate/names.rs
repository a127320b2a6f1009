//! Names in certificates as text. Their size is limited, because a certificate is read before its
//! origin is verified.

use alloc::string::{String, ToString};
use core::fmt::Write;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::DNS_NAME;
use crate::der::{self, Reader};

/// Longest name in a subjectAltName (RFC 1035 section 2.3.4).
const MAX_DNS_NAME: usize = 253;
/// Longest distinguished name as text; beyond that, the least significant components are left out.
pub(super) const MAX_DISTINGUISHED_NAME: usize = 256;
/// Longest attribute value, in characters or bytes: twice what X.520 allows for a common name.
const MAX_ATTRIBUTE: usize = 128;
const MAX_OID: usize = 32;

/// Returns an entry of a subjectAltName as text, if its kind counts for a server.
pub(super) fn general_name(tag: u8, content: &[u8]) -> Option<String> {
    const IP_ADDRESS: u8 = der::implicit(7);
    match tag {
        DNS_NAME => Some(printable(content)),
        IP_ADDRESS => {
            let address = if let Ok(v4) = <[u8; 4]>::try_from(content) {
                IpAddr::V4(Ipv4Addr::from(v4))
            } else {
                IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(content).ok()?))
            };
            Some(address.to_string())
        }
        _ => None,
    }
}

/// Converts to text for people: anything but printable ASCII becomes `?`.
fn printable(bytes: &[u8]) -> String {
    bytes
        .iter()
        .take(MAX_DNS_NAME)
        .map(|b| match b {
            0x20..=0x7e => char::from(*b),
            _ => '?',
        })
        .collect()
}

/// Formats a name as in RFC 4514: last component first, separated by commas; `...` stands for
/// components that do not fit.
pub(super) fn distinguished_name(mut name: Reader<'_>) -> Option<String> {
    let mut text = String::new();
    while !name.is_empty() {
        let mut component = name.inside(der::SET)?;
        let mut front = String::new();
        while !component.is_empty() {
            let mut attribute = component.inside(der::SEQUENCE)?;
            let id = attribute.expect(der::OID)?;
            let (tag, value) = attribute.any()?;
            if front.len() < MAX_DISTINGUISHED_NAME {
                if !front.is_empty() {
                    front.push('+');
                }
                push_attribute(&mut front, id, tag, value);
            }
        }
        if front.is_empty() {
            continue;
        }
        if !text.is_empty() {
            let fits = front.len() + text.len() < MAX_DISTINGUISHED_NAME;
            front.push(',');
            front.push_str(if fits { &text } else { "..." });
        }
        text = front;
    }
    while text.len() > MAX_DISTINGUISHED_NAME {
        text.pop();
    }
    text.shrink_to_fit();
    Some(text)
}

/// Attributes that have a short name (RFC 4514 section 3).
const SHORT_NAMES: [(&[u8], &str); 9] = [
    (&[0x55, 0x04, 0x03], "CN"),
    (&[0x55, 0x04, 0x06], "C"),
    (&[0x55, 0x04, 0x07], "L"),
    (&[0x55, 0x04, 0x08], "ST"),
    (&[0x55, 0x04, 0x09], "STREET"),
    (&[0x55, 0x04, 0x0a], "O"),
    (&[0x55, 0x04, 0x0b], "OU"),
    (b"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01", "UID"),
    (b"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19", "DC"),
];

fn push_attribute(text: &mut String, id: &[u8], tag: u8, value: &[u8]) {
    let short = SHORT_NAMES.iter().find(|(long, _)| *long == id);
    match short {
        Some((_, short)) => text.push_str(short),
        None => push_dotted(text, id.get(..MAX_OID).unwrap_or(id)),
    }
    text.push('=');
    match short.and_then(|_| string_value(tag, value)) {
        Some(value) => push_escaped(text, &value),
        // Section 2.4: an attribute without a short name is written as the hex of its encoding.
        None => {
            text.push('#');
            push_hex(text, "", value.get(..MAX_ATTRIBUTE).unwrap_or(value));
        }
    }
}

fn push_hex(text: &mut String, before: &str, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(text, "{before}{byte:02x}");
    }
}

fn string_value(tag: u8, value: &[u8]) -> Option<String> {
    match tag {
        der::UTF8_STRING | der::PRINTABLE_STRING | der::IA5_STRING => {
            let text = core::str::from_utf8(value).ok()?;
            Some(text.chars().take(MAX_ATTRIBUTE).collect())
        }
        der::TELETEX_STRING => {
            let characters = value.iter().map(|b| char::from(*b));
            Some(characters.take(MAX_ATTRIBUTE).collect())
        }
        der::BMP_STRING => {
            let units = value.chunks_exact(2).map(|pair| match pair {
                &[high, low] => u16::from_be_bytes([high, low]),
                _ => 0,
            });
            let characters = char::decode_utf16(units).take(MAX_ATTRIBUTE);
            characters.collect::<Result<_, _>>().ok()
        }
        _ => None,
    }
}

/// Returns whether a character is invisible, or changes the direction of others.
fn is_format(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Escapes as in RFC 4514 section 2.4. Control and format characters are written in hex as well, so
/// that a certificate cannot control a terminal.
fn push_escaped(text: &mut String, value: &str) {
    for (i, c) in value.char_indices() {
        let (first, last) = (i == 0, i + c.len_utf8() == value.len());
        match c {
            c if c.is_control() || is_format(c) => {
                push_hex(text, "\\", c.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => text.push('\\'),
            '#' if first => text.push('\\'),
            ' ' if first || last => text.push('\\'),
            _ => (),
        }
        text.push(c);
    }
}

/// Returns an extension's name, if it has to do with policies, or its number.
pub(super) fn extension_name(id: &[u8]) -> String {
    let name = match id {
        [0x55, 0x1d, 32] => "certificatePolicies",
        [0x55, 0x1d, 33] => "policyMappings",
        [0x55, 0x1d, 36] => "policyConstraints",
        [0x55, 0x1d, 54] => "inhibitAnyPolicy",
        _ => {
            let mut text = String::new();
            push_dotted(&mut text, id.get(..MAX_OID).unwrap_or(id));
            return text;
        }
    };
    name.into()
}

fn push_dotted(text: &mut String, id: &[u8]) {
    let mut number = 0_u64;
    let mut first = true;
    for byte in id {
        number = number << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 != 0 {
            continue;
        }
        // The first two numbers share one place (X.690 section 8.19.4).
        if first {
            let (top, offset) = match number {
                0..40 => ('0', 0),
                40..80 => ('1', 40),
                _ => ('2', 80),
            };
            text.push(top);
            number -= offset;
        }
        let _ = write!(text, ".{number}");
        (first, number) = (false, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_attributes_are_written_in_numbers_and_hex() {
        let mut text = String::new();
        let email = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01];
        push_attribute(&mut text, &email, der::IA5_STRING, b"a@b");
        assert_eq!(text, "1.2.840.113549.1.9.1=#614062");
        assert_eq!(
            string_value(der::BMP_STRING, &[0, b'M', 0x30, 0x42]),
            Some("Mあ".into())
        );
    }

    #[test]
    fn what_is_not_seen_is_written_in_hex() {
        let mut text = String::new();
        push_escaped(&mut text, "a\u{202e}b\u{200b}\u{1b}é");
        assert_eq!(text, "a\\e2\\80\\aeb\\e2\\80\\8b\\1bé");
    }
}
