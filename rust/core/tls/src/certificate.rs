//! Summarises a certificate for people: subject, issuer, validity and names.
//!
//! webpki does the verification; nothing here decides whether a certificate is trusted.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use rustls_pki_types::{CertificateDer, DnsName};

use crate::der::{self, Reader};

#[cfg(feature = "summaries")]
mod names;

#[cfg(feature = "summaries")]
use names::{distinguished_name, extension_name, general_name};

/// Without the feature `summaries` there is no text.
#[cfg(not(feature = "summaries"))]
fn distinguished_name(_: Reader<'_>) -> Option<String> {
    Some(String::new())
}

#[cfg(not(feature = "summaries"))]
fn general_name(_: u8, _: &[u8]) -> Option<String> {
    None
}

#[cfg(not(feature = "summaries"))]
fn extension_name(_: &[u8]) -> String {
    String::new()
}

/// What a person needs to know about a certificate. Without the feature `summaries` its texts and
/// its list of names are empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateSummary {
    /// The subject in RFC 4514 style; parts beyond some 256 bytes are left out.
    pub subject: String,
    /// The issuer, likewise.
    pub issuer: String,
    /// Start of the validity, in Unix seconds.
    pub not_before: u64,
    /// End of the validity, in Unix seconds.
    pub not_after: u64,
    /// dNSName and iPAddress entries: at most 64, and not much more than 1,024 bytes in total. In a
    /// chain only the leaf has them.
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
    /// ECDSA on a curve that is not used in TLS here, such as secp256k1.
    OtherCurve,
    /// ECDSA on a curve given by its parameters instead of its name.
    UnnamedCurve,
    /// Ed25519.
    Ed25519,
    /// RSA restricted to RSASSA-PSS (RFC 4055 section 1.2), which no crypto provider supports.
    RsaPss,
    /// Another kind.
    Other,
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Only the kind is known.
            Self::Rsa(0) => f.write_str("RSA"),
            Self::Rsa(bits) => write!(f, "RSA-{bits}"),
            Self::P256 => f.write_str("ECDSA P-256"),
            Self::P384 => f.write_str("ECDSA P-384"),
            Self::P521 => f.write_str("ECDSA P-521"),
            Self::OtherCurve => f.write_str("ECDSA on another curve"),
            Self::UnnamedCurve => f.write_str("ECDSA on an unnamed curve"),
            Self::Ed25519 => f.write_str("Ed25519"),
            Self::RsaPss => f.write_str("RSA for RSASSA-PSS only"),
            Self::Other => f.write_str("of an unknown kind"),
        }
    }
}

/// Key algorithms (RFC 8017 appendix A.1, RFC 5480 section 2.1.1).
const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const RSASSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// Curve names (RFC 5480 section 2.1.1.1).
const SECP256R1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const SECP384R1: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
const SECP521R1: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x23];

impl PublicKey {
    /// Returns the length of an RSA key that no provider accepts: too weak, or too expensive.
    pub(crate) fn refused_bits(self) -> Option<u16> {
        match self {
            Self::Rsa(bits) if !(2048..=4096).contains(&bits) => Some(bits),
            _ => None,
        }
    }

    /// Classifies the content of an AlgorithmIdentifier; RSA without its length.
    pub(crate) fn of_algorithm(mut algorithm: Reader<'_>) -> Option<Self> {
        Some(match algorithm.expect(der::OID)? {
            id if id == RSA_ENCRYPTION => Self::Rsa(0),
            id if id == RSASSA_PSS => Self::RsaPss,
            id if id == EC_PUBLIC_KEY => Self::of_curve(algorithm.optional(der::OID)),
            [0x2b, 0x65, 0x70] => Self::Ed25519,
            _ => Self::Other,
        })
    }

    /// Classifies by the name of the curve.
    pub(crate) fn of_curve(name: Option<&[u8]>) -> Self {
        match name {
            Some(name) if name == SECP256R1 => Self::P256,
            Some(name) if name == SECP384R1 => Self::P384,
            Some(name) if name == SECP521R1 => Self::P521,
            Some(_) => Self::OtherCurve,
            // Parameters instead of a name, which TLS does not allow (RFC 8422 section 5.1.1).
            None => Self::UnnamedCurve,
        }
    }

    /// Returns the name of its curve, and the length of a private key for it in bytes.
    pub(crate) fn curve(self) -> Option<(&'static [u8], usize)> {
        match self {
            Self::P256 => Some((SECP256R1, 32)),
            Self::P384 => Some((SECP384R1, 48)),
            Self::P521 => Some((SECP521R1, 66)),
            _ => None,
        }
    }

    /// Classifies an RSA modulus, with or without leading zeros.
    pub(crate) fn of_rsa(modulus: &[u8]) -> Option<Self> {
        let first = modulus.iter().position(|b| *b != 0);
        let modulus = modulus.get(first.unwrap_or(modulus.len())..)?;
        let spare = modulus.first().map_or(0, |b| b.leading_zeros() as usize);
        let bits = (modulus.len() * 8).checked_sub(spare)?;
        Some(Self::Rsa(u16::try_from(bits).ok()?))
    }

    /// Reads the key of a trust anchor: the content of a SubjectPublicKeyInfo.
    pub(crate) fn read(spki: &[u8]) -> Option<Self> {
        public_key(Reader::new(spki))
    }
}

// Limited, because a certificate is read before its origin is verified.
const MAX_NAMES: usize = 64;
const MAX_NAMES_BYTES: usize = 1_024;
/// How many certificates of a chain are read.
pub(crate) const MAX_CHAIN: usize = 7;

impl CertificateSummary {
    /// Reads a DER certificate (RFC 5280). Returns `None` if it is not one.
    pub fn read(der: &[u8]) -> Option<Self> {
        let mut tbs = from_issuer(der)?;
        let issuer = distinguished_name(tbs.inside(der::SEQUENCE)?)?;
        let mut validity = tbs.inside(der::SEQUENCE)?;
        let (not_before, not_after) = (time(&mut validity)?, time(&mut validity)?);
        let subject = distinguished_name(tbs.inside(der::SEQUENCE)?)?;
        let key = public_key(tbs.inside(der::SEQUENCE)?)?;
        let mut names = Vec::new();
        let mut bytes = 0;
        let mut presented = sequence(der, SUBJECT_ALT_NAME).unwrap_or(Reader::new(&[]));
        while cfg!(feature = "summaries")
            && !presented.is_empty()
            && names.len() < MAX_NAMES
            && bytes < MAX_NAMES_BYTES
        {
            let (tag, content) = presented.any()?;
            if let Some(name) = general_name(tag, content) {
                bytes += name.len();
                names.push(name);
            }
        }
        Some(Self {
            subject,
            issuer,
            not_before,
            not_after,
            names,
            key,
            is_ca: ca_flag(der) == Some(true),
        })
    }

    /// Returns notBefore and notAfter of a certificate, in Unix seconds, without reading the rest.
    pub(crate) fn validity(der: &[u8]) -> Option<(u64, u64)> {
        let mut rest = from_issuer(der)?;
        rest.expect(der::SEQUENCE)?; // issuer
        let mut validity = rest.inside(der::SEQUENCE)?;
        Some((time(&mut validity)?, time(&mut validity)?))
    }

    /// Summarises a chain as presented, up to seven certificates. Unreadable ones keep their place.
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

    /// Returns whether it names itself as its issuer. Without the feature `summaries` that is
    /// unknown, and `false`.
    pub fn is_self_issued(&self) -> bool {
        cfg!(feature = "summaries") && self.subject == self.issuer
    }
}

const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
const NAME_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x1e];

/// Returns the flag in its basicConstraints, which is false if omitted.
fn ca_flag(der: &[u8]) -> Option<bool> {
    let mut constraints = sequence(der, BASIC_CONSTRAINTS)?;
    let flag = constraints.optional(der::BOOLEAN);
    Some(flag.is_some_and(|flag| flag != [0]))
}

/// Returns whether it may issue others: neither its basicConstraints nor its keyUsage forbids it
/// (RFC 5280 sections 4.2.1.9 and 4.2.1.3).
pub(crate) fn may_issue(der: &[u8]) -> bool {
    const KEY_CERT_SIGN: u8 = 4;
    let may_sign = extension(der, KEY_USAGE).is_none_or(|mut usage| {
        let bits = usage.expect(der::BIT_STRING);
        let first = bits.and_then(|bits| bits.get(1));
        first.is_some_and(|first| first & KEY_CERT_SIGN != 0)
    });
    may_sign && ca_flag(der) != Some(false)
}

/// Returns whether its nameConstraints limit the subjects that it may certify.
pub(crate) fn constrains_subjects(der: &[u8]) -> bool {
    sequence(der, NAME_CONSTRAINTS).is_some_and(has_directory_name)
}

/// Returns whether nameConstraints contain a directoryName (RFC 5280 section 4.2.1.10).
pub(crate) fn has_directory_name(mut constraints: Reader<'_>) -> bool {
    while let Some((_, subtrees)) = constraints.any() {
        let mut subtrees = Reader::new(subtrees);
        while let Some(mut subtree) = subtrees.inside(der::SEQUENCE) {
            if subtree.optional(der::explicit(4)).is_some() {
                return true;
            }
        }
    }
    false
}

/// Returns the content of the SEQUENCE in an extension of a certificate.
fn sequence<'a>(der: &'a [u8], wanted: &[u8]) -> Option<Reader<'a>> {
    extension(der, wanted)?.inside(der::SEQUENCE)
}

/// Returns the content of an extension of a certificate.
fn extension<'a>(der: &'a [u8], wanted: &[u8]) -> Option<Reader<'a>> {
    let mut extensions = extensions(der)?;
    loop {
        let mut extension = extensions.inside(der::SEQUENCE)?;
        if extension.expect(der::OID)? == wanted {
            extension.optional(der::BOOLEAN); // critical
            return extension.inside(der::OCTET_STRING);
        }
    }
}

fn extensions(der: &[u8]) -> Option<Reader<'_>> {
    let certificate = &mut Reader::new(der).inside(der::SEQUENCE)?;
    let tbs = &mut certificate.inside(der::SEQUENCE)?;
    loop {
        let (tag, content) = tbs.any()?;
        if tag == der::explicit(3) {
            return Reader::new(content).inside(der::SEQUENCE);
        }
    }
}

/// Returns the name of the first critical extension that webpki does not know.
pub(crate) fn unknown_extension(der: &[u8]) -> Option<String> {
    let mut extensions = extensions(der)?;
    loop {
        let mut extension = extensions.inside(der::SEQUENCE)?;
        let id = extension.expect(der::OID)?;
        let is_critical = extension
            .optional(der::BOOLEAN)
            .is_some_and(|flag| flag != [0]);
        // Usages, names, basicConstraints, name constraints, revocation lists.
        if is_critical && !matches!(id, [0x55, 0x1d, 15 | 17 | 19 | 30 | 31 | 37]) {
            return Some(extension_name(id));
        }
    }
}

/// Returns the contents of the issuer's and the subject's name.
pub(crate) fn issuer_and_subject(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut rest = from_issuer(der)?;
    let issuer = rest.expect(der::SEQUENCE)?;
    rest.expect(der::SEQUENCE)?; // validity
    Some((issuer, rest.expect(der::SEQUENCE)?))
}

/// Returns whether two names are equal except for string types, blanks, and the case of ASCII
/// letters: the differences that RFC 5280 section 7.1 ignores and that occur. Recurses no deeper
/// than `a`, which a peer does not choose.
pub(crate) fn is_same_name(a: &[u8], b: &[u8]) -> bool {
    if a == b {
        return true;
    }
    const CONSTRUCTED: u8 = 0x20;
    let is_text = |tag| {
        let (utf8, printable) = (der::UTF8_STRING, der::PRINTABLE_STRING);
        [utf8, printable, der::TELETEX_STRING, der::IA5_STRING].contains(&tag)
    };
    fn letters(text: &[u8]) -> impl Iterator<Item = u8> {
        let letters = text.iter().filter(|byte| **byte != b' ');
        letters.map(u8::to_ascii_lowercase)
    }
    let (mut a, mut b) = (Reader::new(a), Reader::new(b));
    while !a.is_empty() && !b.is_empty() {
        let (Some((tag, a)), Some((other, b))) = (a.any(), b.any()) else {
            return false;
        };
        let is_same = match tag == other {
            true if tag & CONSTRUCTED != 0 => is_same_name(a, b),
            true if !is_text(tag) => a == b,
            _ => is_text(tag) && is_text(other) && letters(a).eq(letters(b)),
        };
        if !is_same {
            return false;
        }
    }
    a.is_empty() && b.is_empty()
}

/// Returns the SubjectPublicKeyInfo, including tag and length.
pub(crate) fn public_key_info(der: &[u8]) -> Option<&[u8]> {
    let mut rest = from_issuer(der)?;
    for _ in 0..3 {
        rest.expect(der::SEQUENCE)?; // issuer, validity, subject
    }
    rest.element(der::SEQUENCE)
}

/// Returns whether it has version 3.
pub(crate) fn is_version_3(der: &[u8]) -> bool {
    let version = |der| {
        let mut tbs = Reader::new(der)
            .inside(der::SEQUENCE)?
            .inside(der::SEQUENCE)?;
        tbs.inside(der::explicit(0))?.expect(der::INTEGER)
    };
    version(der) == Some(&[2])
}

/// Returns what follows the signature algorithm in the signed part.
#[inline(never)]
fn from_issuer(der: &[u8]) -> Option<Reader<'_>> {
    let mut tbs = Reader::new(der)
        .inside(der::SEQUENCE)?
        .inside(der::SEQUENCE)?;
    tbs.optional(der::explicit(0)); // version
    tbs.expect(der::INTEGER)?; // serialNumber
    tbs.expect(der::SEQUENCE)?; // signature
    Some(tbs)
}

/// Returns whether it has a subjectAltName, whatever that contains.
pub(crate) fn has_alternative_names(der: &[u8]) -> bool {
    sequence(der, SUBJECT_ALT_NAME).is_some()
}

/// Returns the names in its subjectAltName, each with the tag of its kind.
pub(crate) fn names(der: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut names = sequence(der, SUBJECT_ALT_NAME).unwrap_or(Reader::new(&[]));
    core::iter::from_fn(move || names.any())
}

/// Returns the first dNSName in its subjectAltName that webpki does not accept as one.
pub(crate) fn invalid_dns_name(der: &[u8]) -> Option<String> {
    let is_valid = |name: &[u8]| {
        let above = name.strip_prefix(b"*.");
        let bare = above.unwrap_or(name);
        // webpki accepts neither a final dot nor a wildcard above a single label.
        DnsName::try_from(bare).is_ok()
            && !bare.ends_with(b".")
            && above.is_none_or(|above| above.contains(&b'.'))
    };
    let (kind, name) = names(der).find(|(kind, name)| *kind == DNS_NAME && !is_valid(name))?;
    general_name(kind, name)
}

/// Tag of a dNSName (RFC 5280 section 4.2.1.6).
pub(crate) const DNS_NAME: u8 = der::implicit(2);

fn time(validity: &mut Reader<'_>) -> Option<u64> {
    let (tag, text) = validity.any()?;
    der::time(tag, text)
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

/// Returns the name of a trust anchor as text: the content of a Name.
pub(crate) fn name(content: &[u8]) -> Option<String> {
    distinguished_name(Reader::new(content))
}

#[cfg(all(test, feature = "summaries"))]
mod tests {
    use super::names::MAX_DISTINGUISHED_NAME;
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
