//! Reading a certificate for people: who, by whom, from when to when, for which names.
//!
//! Verification is webpki's business; nothing here decides whether a certificate is trusted.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rustls_pki_types::CertificateDer;

use crate::der::{self, Reader};

/// What a person needs to know of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateSummary {
    /// Subject, RFC 4514 style; what makes it longer than some 256 bytes is left out.
    pub subject: String,
    /// Issuer, likewise.
    pub issuer: String,
    /// Unix seconds.
    pub not_before: u64,
    /// Unix seconds.
    pub not_after: u64,
    /// dNSName and iPAddress entries, at most 64 and not much more than 1,024 bytes together; in a
    /// chain only of the leaf.
    pub names: Vec<String>,
    /// The key that it certifies.
    pub key: PublicKey,
    /// Whether it may issue others (basicConstraints).
    pub is_ca: bool,
}

/// The kind of a public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublicKey {
    /// RSA, with the length of its modulus in bits.
    Rsa(u16),
    /// ECDSA on P-256.
    P256,
    /// ECDSA on P-384.
    P384,
    /// ECDSA on P-521.
    P521,
    /// ECDSA on a curve that TLS has no use for here, such as secp256k1.
    OtherCurve,
    /// ECDSA on a curve that is given by its numbers and not by its name.
    UnnamedCurve,
    /// Ed25519.
    Ed25519,
    /// Another kind.
    Other,
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa(bits) => write!(f, "RSA-{bits}"),
            Self::P256 => f.write_str("ECDSA P-256"),
            Self::P384 => f.write_str("ECDSA P-384"),
            Self::P521 => f.write_str("ECDSA P-521"),
            Self::OtherCurve => f.write_str("ECDSA on another curve"),
            Self::UnnamedCurve => f.write_str("ECDSA on a curve without its name"),
            Self::Ed25519 => f.write_str("Ed25519"),
            Self::Other => f.write_str("a key of another kind"),
        }
    }
}

impl PublicKey {
    /// Of an RSA key that no provider takes: too weak, or too much work.
    pub(crate) fn refused_bits(self) -> Option<u16> {
        match self {
            Self::Rsa(bits) if !(2048..=4096).contains(&bits) => Some(bits),
            _ => None,
        }
    }

    /// By the content of an AlgorithmIdentifier; RSA without its length.
    pub(crate) fn of_algorithm(mut algorithm: Reader<'_>) -> Option<Self> {
        Some(match algorithm.expect(der::OID)? {
            // rsaEncryption
            [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01] => Self::Rsa(0),
            // id-ecPublicKey
            [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01] => {
                Self::of_curve(algorithm.optional(der::OID))
            }
            [0x2b, 0x65, 0x70] => Self::Ed25519,
            _ => Self::Other,
        })
    }

    /// By the name of a curve.
    pub(crate) fn of_curve(name: Option<&[u8]>) -> Self {
        match name {
            Some([0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07]) => Self::P256,
            Some([0x2b, 0x81, 0x04, 0x00, 0x22]) => Self::P384,
            Some([0x2b, 0x81, 0x04, 0x00, 0x23]) => Self::P521,
            Some(_) => Self::OtherCurve,
            // Its numbers instead of its name, which no TLS takes (RFC 8422 section 5.1.1).
            None => Self::UnnamedCurve,
        }
    }

    /// By an RSA modulus, with or without zeros before it.
    pub(crate) fn of_rsa(modulus: &[u8]) -> Option<Self> {
        let first = modulus.iter().position(|b| *b != 0);
        let modulus = modulus.get(first.unwrap_or(modulus.len())..)?;
        let spare = modulus.first().map_or(0, |b| b.leading_zeros() as usize);
        let bits = (modulus.len() * 8).checked_sub(spare)?;
        Some(Self::Rsa(u16::try_from(bits).ok()?))
    }

    /// The key of a trust anchor: the content of a SubjectPublicKeyInfo.
    pub(crate) fn read(spki: &[u8]) -> Option<Self> {
        public_key(Reader::new(spki))
    }
}

// A certificate is read before it is known to be from anybody: what is made of it is bounded.
const MAX_NAMES: usize = 64;
const MAX_NAMES_BYTES: usize = 1_024;
/// Of one name in a subjectAltName (RFC 1035 section 2.3.4).
const MAX_DNS_NAME: usize = 253;
/// Of a distinguished name as text; whole components are left out beyond, those of the least
/// significance.
const MAX_DISTINGUISHED_NAME: usize = 256;
/// Of one attribute's value, in characters or bytes: what X.520 gives a common name, and as much again.
const MAX_ATTRIBUTE: usize = 128;
const MAX_OID: usize = 32;
/// Certificates of a chain that are read.
pub(crate) const MAX_CHAIN: usize = 7;

impl CertificateSummary {
    /// Reads a DER certificate (RFC 5280). `None` if it is none.
    pub fn read(der: &[u8]) -> Option<Self> {
        let mut tbs = from_issuer(der)?;
        let issuer = distinguished_name(tbs.inside(der::SEQUENCE)?)?;
        let mut validity = tbs.inside(der::SEQUENCE)?;
        let (not_before, not_after) = (time(&mut validity)?, time(&mut validity)?);
        let subject = distinguished_name(tbs.inside(der::SEQUENCE)?)?;
        let key = public_key(tbs.inside(der::SEQUENCE)?)?;
        let mut names = Vec::new();
        let mut bytes = 0;
        let mut presented = extension(der, SUBJECT_ALT_NAME).unwrap_or(Reader::new(&[]));
        while !presented.is_empty() && names.len() < MAX_NAMES && bytes < MAX_NAMES_BYTES {
            let (tag, content) = presented.any()?;
            if let Some(name) = general_name(tag, content) {
                bytes += name.len();
                names.push(name);
            }
        }
        let is_ca = extension(der, BASIC_CONSTRAINTS)
            .and_then(|mut constraints| constraints.optional(der::BOOLEAN))
            .is_some_and(|flag| flag != [0]);
        Some(Self {
            subject,
            issuer,
            not_before,
            not_after,
            names,
            key,
            is_ca,
        })
    }

    /// The notBefore of a certificate, in Unix seconds, without reading the rest of it.
    pub(crate) fn not_before(der: &[u8]) -> Option<u64> {
        let mut tbs = Reader::new(der)
            .inside(der::SEQUENCE)?
            .inside(der::SEQUENCE)?;
        tbs.optional(der::explicit(0)); // version
        tbs.expect(der::INTEGER)?; // serialNumber
        tbs.expect(der::SEQUENCE)?; // signature
        tbs.expect(der::SEQUENCE)?; // issuer
        time(&mut tbs.inside(der::SEQUENCE)?)
    }

    /// The chain as presented, the first seven of it. One that cannot be read keeps its place.
    pub(crate) fn read_chain<'a>(
        chain: &mut dyn Iterator<Item = &'a CertificateDer<'a>>,
    ) -> Vec<Self> {
        let mut summaries = Vec::new();
        for der in chain.take(MAX_CHAIN) {
            let mut summary = Self::read(der).unwrap_or_else(Self::unreadable);
            if !summaries.is_empty() {
                summary.names = Vec::new();
            }
            summaries.push(summary);
        }
        summaries
    }

    fn unreadable() -> Self {
        let unknown = || String::from("(unreadable)");
        Self {
            subject: unknown(),
            issuer: unknown(),
            not_before: 0,
            not_after: 0,
            names: Vec::new(),
            key: PublicKey::Other,
            is_ca: false,
        }
    }

    /// Whether it names itself as its issuer.
    pub fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }
}

const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];

/// What is inside of the SEQUENCE that an extension of a certificate holds.
fn extension<'a>(der: &'a [u8], wanted: &[u8]) -> Option<Reader<'a>> {
    let certificate = &mut Reader::new(der).inside(der::SEQUENCE)?;
    let tbs = &mut certificate.inside(der::SEQUENCE)?;
    let mut extensions = loop {
        let (tag, content) = tbs.any()?;
        if tag == der::explicit(3) {
            break Reader::new(content).inside(der::SEQUENCE)?;
        }
    };
    loop {
        let mut extension = extensions.inside(der::SEQUENCE)?;
        if extension.expect(der::OID)? == wanted {
            extension.optional(der::BOOLEAN); // critical
            return extension.inside(der::OCTET_STRING)?.inside(der::SEQUENCE);
        }
    }
}

/// The contents of the issuer's and of the subject's name.
pub(crate) fn issuer_and_subject(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut rest = from_issuer(der)?;
    let issuer = rest.expect(der::SEQUENCE)?;
    rest.expect(der::SEQUENCE)?; // validity
    Some((issuer, rest.expect(der::SEQUENCE)?))
}

/// The SubjectPublicKeyInfo, with its tag and length.
pub(crate) fn public_key_info(der: &[u8]) -> Option<&[u8]> {
    let mut rest = from_issuer(der)?;
    for _ in 0..3 {
        rest.expect(der::SEQUENCE)?; // issuer, validity, subject
    }
    rest.element(der::SEQUENCE)
}

/// What follows the signature's algorithm in the signed part.
fn from_issuer(der: &[u8]) -> Option<Reader<'_>> {
    let mut tbs = Reader::new(der)
        .inside(der::SEQUENCE)?
        .inside(der::SEQUENCE)?;
    tbs.optional(der::explicit(0)); // version
    tbs.expect(der::INTEGER)?; // serialNumber
    tbs.expect(der::SEQUENCE)?; // signature
    Some(tbs)
}

/// Whether it has a subjectAltName, whatever is in it.
pub(crate) fn has_alternative_names(der: &[u8]) -> bool {
    extension(der, SUBJECT_ALT_NAME).is_some()
}

/// The lengths of the names in its subjectAltName, whatever their kind.
pub(crate) fn names(der: &[u8]) -> impl Iterator<Item = usize> {
    let mut names = extension(der, SUBJECT_ALT_NAME).unwrap_or(Reader::new(&[]));
    core::iter::from_fn(move || names.any().map(|(_, name)| name.len()))
}

fn time(validity: &mut Reader<'_>) -> Option<u64> {
    let (tag, text) = validity.any()?;
    der::time(tag, text)
}

fn general_name(tag: u8, content: &[u8]) -> Option<String> {
    const DNS_NAME: u8 = der::implicit(2);
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

/// Text for a person: what is no printable ASCII becomes `?`.
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

fn public_key(mut spki: Reader<'_>) -> Option<PublicKey> {
    let algorithm = spki.inside(der::SEQUENCE)?;
    let key = spki.expect(der::BIT_STRING)?;
    match PublicKey::of_algorithm(algorithm)? {
        PublicKey::Rsa(_) => key
            .get(1..)
            .and_then(|key| Reader::new(key).inside(der::SEQUENCE))
            .and_then(|mut key| key.expect(der::INTEGER))
            .and_then(PublicKey::of_rsa),
        kind => Some(kind),
    }
}

/// The name of a trust anchor: the content of a Name.
pub(crate) fn name(content: &[u8]) -> Option<String> {
    distinguished_name(Reader::new(content))
}

/// A name as RFC 4514 writes it: last component first, joined by commas; `...` for the components
/// that there is no room for.
fn distinguished_name(mut name: Reader<'_>) -> Option<String> {
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

/// The attributes that have a short name (RFC 4514 section 3).
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

/// RFC 4514 section 2.4; control characters are written in hex as well, so that a certificate
/// cannot draw on a terminal.
fn push_escaped(text: &mut String, value: &str) {
    for (i, c) in value.char_indices() {
        let (first, last) = (i == 0, i + c.len_utf8() == value.len());
        match c {
            c if c.is_control() => {
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
    use alloc::{format, vec};
    use proptest::prelude::*;
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, SanType};

    fn certificate(algorithm: &'static rcgen::SignatureAlgorithm) -> Vec<u8> {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let mut params = CertificateParams::new(["broker.test".into(), "*.b.test".into()]).unwrap();
        params
            .subject_alt_names
            .push(SanType::IpAddress("192.0.2.7".parse().unwrap()));
        params
            .subject_alt_names
            .push(SanType::IpAddress("2001:db8::7".parse().unwrap()));
        params.distinguished_name.push(DnType::CommonName, "a, b\n");
        params
            .distinguished_name
            .push(DnType::OrganizationName, "#Übung ");
        params.not_before = rcgen::date_time_ymd(2026, 1, 2);
        params.not_after = rcgen::date_time_ymd(2060, 3, 4);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn a_summary_says_what_the_certificate_says() {
        let summary =
            CertificateSummary::read(&certificate(&rcgen::PKCS_ECDSA_P384_SHA384)).unwrap();
        assert_eq!(
            summary,
            CertificateSummary {
                subject: "O=\\#Übung\\ ,CN=a\\, b\\0a".into(),
                issuer: "O=\\#Übung\\ ,CN=a\\, b\\0a".into(),
                not_before: 1_767_312_000,
                not_after: 2_845_584_000,
                names: ["broker.test", "*.b.test", "192.0.2.7", "2001:db8::7"]
                    .map(String::from)
                    .to_vec(),
                key: PublicKey::P384,
                is_ca: true,
            }
        );
        assert!(summary.is_self_issued());
    }

    #[test]
    fn what_is_long_is_cut() {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let names: Vec<String> = (0..200).map(|i| format!("{i:03}.broker.test")).collect();
        let mut params = CertificateParams::new(names.clone()).unwrap();
        let name = &mut params.distinguished_name;
        *name = rcgen::DistinguishedName::new();
        name.push(DnType::CountryName, "XX");
        name.push(DnType::OrganizationName, "o".repeat(9_999));
        name.push(DnType::OrganizationalUnitName, "u".repeat(120));
        name.push(DnType::CommonName, "c".repeat(120));
        let der = params.self_signed(&key).unwrap().der().to_vec();
        let summary = CertificateSummary::read(&der).unwrap();
        assert_eq!(
            summary.subject,
            format!("CN={},OU={},...", "c".repeat(120), "u".repeat(120))
        );
        assert_eq!(summary.names, names[..64]);

        params.distinguished_name = rcgen::DistinguishedName::new();
        let control = "\u{9f}".repeat(9_999);
        params.distinguished_name.push(DnType::CommonName, control);
        let der = params.self_signed(&key).unwrap().der().to_vec();
        let summary = CertificateSummary::read(&der).unwrap();
        assert_eq!(summary.subject.len(), MAX_DISTINGUISHED_NAME);
        assert!(summary.subject.starts_with("CN=\\c2\\9f"));

        let chain = vec![CertificateDer::from(der); 99];
        let summaries = CertificateSummary::read_chain(&mut chain.iter());
        assert_eq!(summaries.len(), MAX_CHAIN);
        assert_eq!(summaries[0].names.len(), 64);
        assert_eq!(summaries[1].names.len(), 0);
    }

    #[test]
    fn keys_are_told_apart() {
        for (algorithm, key) in [
            (&rcgen::PKCS_ECDSA_P256_SHA256, PublicKey::P256),
            (&rcgen::PKCS_ECDSA_P521_SHA512, PublicKey::P521),
            (&rcgen::PKCS_ED25519, PublicKey::Ed25519),
            (&rcgen::PKCS_RSA_SHA256, PublicKey::Rsa(2048)),
        ] {
            let summary = CertificateSummary::read(&certificate(algorithm)).unwrap();
            assert_eq!(summary.key, key);
        }
    }

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
    fn a_broken_certificate_keeps_its_place_in_the_chain() {
        let good = certificate(&rcgen::PKCS_ECDSA_P256_SHA256);
        let chain = [CertificateDer::from(vec![0x30]), CertificateDer::from(good)];
        let summaries = CertificateSummary::read_chain(&mut chain.iter());
        assert_eq!(summaries.len(), 2);
        assert_eq!(summaries[0].subject, "(unreadable)");
        assert_eq!(summaries[1].key, PublicKey::P256);
    }

    #[test]
    fn every_truncation_is_refused() {
        let der = certificate(&rcgen::PKCS_ECDSA_P256_SHA256);
        for n in 0..der.len() {
            assert_eq!(CertificateSummary::read(&der[..n]), None, "{n} bytes");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn no_mutation_panics(edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
            use std::sync::OnceLock;
            static DER: OnceLock<Vec<u8>> = OnceLock::new();
            let mut der = DER.get_or_init(|| certificate(&rcgen::PKCS_ECDSA_P256_SHA256)).clone();
            for (index, byte) in edits {
                let index = index.index(der.len());
                der[index] = byte;
            }
            if let Some(summary) = CertificateSummary::read(&der) {
                prop_assert!(summary.names.len() <= MAX_NAMES);
            }
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            CertificateSummary::read(&bytes);
        }
    }
}
