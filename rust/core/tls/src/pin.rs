//! Pins: the broker's own certificate or key, known in advance.

use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use base64ct::{Base64, Encoding};

/// The SHA-256 of a certificate (DER), or of its key (the SubjectPublicKeyInfo in DER, as in RFC
/// 7469 section 2.4 and `curl --pinnedpubkey`). A pin of the key remains valid when the certificate
/// is renewed.
///
/// ```sh
/// openssl x509 -in broker.crt -noout -fingerprint -sha256                          # the certificate
/// openssl x509 -in broker.crt -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum  # the key
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pin(pub [u8; 32]);

impl FromStr for Pin {
    type Err = BadPin;

    /// Accepts 64 hexadecimal digits, with or without colons: alone, after `sha256:`, after
    /// openssl's `sha256 Fingerprint=`, or as printed by `sha256sum` and `openssl dgst`. Also
    /// accepts base64 after curl's `sha256//`.
    fn from_str(text: &str) -> Result<Self, BadPin> {
        let text = text.trim();
        if let Some(base64) = text.strip_prefix("sha256//") {
            let bytes = Base64::decode_vec(base64).map_err(|_| BadPin)?;
            return Ok(Self(bytes.try_into().map_err(|_| BadPin)?));
        }
        let prefixes = [
            "sha256 Fingerprint=",
            "SHA256 Fingerprint=",
            "sha256:",
            "SHA256:",
        ];
        let hex = prefixes.iter().find_map(|prefix| text.strip_prefix(prefix));
        let hex = hex.or_else(|| of_dgst(text)).unwrap_or(text);
        // sha256sum prints the name of the file after it.
        let hex = hex.split_whitespace().next().unwrap_or_default();
        let digits = hex.chars().filter(|c| *c != ':');
        let digits: Option<Vec<u8>> = digits
            .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
            .collect();
        let bytes: Vec<u8> = digits
            .ok_or(BadPin)?
            .chunks(2)
            .map(|pair| match pair {
                [high, low] => Ok(high << 4 | low),
                _ => Err(BadPin),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self(bytes.try_into().map_err(|_| BadPin)?))
    }
}

/// Extracts the digest printed by `openssl dgst -sha256`: `SHA2-256(FILE)= DIGEST`; older versions
/// print `SHA256` or no name.
fn of_dgst(text: &str) -> Option<&str> {
    let (of, digest) = text.rsplit_once(")= ")?;
    let is_sha256 = ["SHA2-256(", "SHA256(", "("]
        .iter()
        .any(|name| of.starts_with(name));
    is_sha256.then_some(digest)
}

impl fmt::Display for Pin {
    /// Shows `sha256:` and 64 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text that is not a [`Pin`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadPin;

impl fmt::Display for BadPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "not the SHA-256 of a certificate or key; write sha256: and 64 hexadecimal digits, or \
             sha256// and base64",
        )
    }
}

impl core::error::Error for BadPin {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn as_tools_print_them() {
        let hex = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
        let pin: Pin = hex.parse().unwrap();
        assert_eq!(pin.to_string(), alloc::format!("sha256:{hex}"));
        let colons = "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:\
                      00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF";
        for text in [
            alloc::format!("sha256:{hex}"),
            alloc::format!("SHA256:{}", hex.to_uppercase()),
            alloc::format!("sha256 Fingerprint={colons}\n"),
            colons.into(),
            alloc::format!("{hex}  -\n"),
            alloc::format!("{hex}  broker key.der"),
            alloc::format!("{hex} *stdin"),
            alloc::format!("SHA2-256(stdin)= {hex}\n"),
            alloc::format!("SHA256(key.der)= {hex}"),
            alloc::format!("(stdin)= {hex}"),
            "sha256//ABEiM0RVZneImaq7zN3u/wARIjNEVWZ3iJmqu8zd7v8=".into(),
        ] {
            assert_eq!(text.parse(), Ok(pin), "{text}");
        }
        for text in [
            "",
            "sha256:",
            "sha1:00112233445566778899aabbccddeeff00112233",
            "sha256//AAAA",
            "sha256//",
            &hex[1..],
            &hex[2..],
            &hex.replace('a', "g"),
            &alloc::format!("SHA3-256(stdin)= {hex}"),
            "  -",
        ] {
            assert_eq!(text.parse::<Pin>(), Err(BadPin), "{text}");
        }
    }
}
