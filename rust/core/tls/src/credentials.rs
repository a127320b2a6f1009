//! Certificates and keys as users have them: PEM or DER, told apart by content.
//!
//! Read is what can mean one thing only, however it is wrapped. What is something else is named for
//! what it is.

use alloc::vec::Vec;

use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use crate::certificate::{CertificateSummary, PublicKey};
use crate::config_error::{ConfigError, Fault, Given};
use crate::damage::Damage;
use crate::der::{self, Reader};
use crate::kind::{self, Encoding, FileKind};
#[cfg(feature = "pem")]
use crate::pem::{self, Content, Section, Sections};

/// Bytes that may be secret.
type Bytes = Zeroizing<Vec<u8>>;

/// The certificates of a PEM bundle, or those in DER, checked to be certificates.
pub(crate) fn certificates(
    bytes: &[u8],
    given: Given,
) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let found = read_certificates(bytes).map_err(|kind| given.at_fault(Fault::Is(kind)))?;
    let checked = (0..)
        .zip(found)
        .map(|(index, found)| found.map_err(|fault| given.at_fault(fault.of_certificate(index))));
    checked.collect()
}

/// The certificates of a bundle that can be read, and how many cannot.
pub(crate) fn readable_certificates(
    bytes: &[u8],
) -> Result<(Vec<CertificateDer<'static>>, usize), ConfigError> {
    let found = read_certificates(bytes).map_err(|kind| Given::Ca.at_fault(Fault::Is(kind)))?;
    let all = found.len();
    let mut first = None;
    let good: Vec<_> = (0..)
        .zip(found)
        .filter_map(|(index, found)| {
            found
                .map_err(|fault| first = first.or(Some(fault.of_certificate(index))))
                .ok()
        })
        .collect();
    match first {
        Some(fault) if good.is_empty() => Err(Given::Ca.at_fault(fault)),
        _ => {
            let left_out = all - good.len();
            Ok((good, left_out))
        }
    }
}

/// Each certificate of a file, or what is wrong with it; what the file is if it has none.
fn read_certificates(
    bytes: &[u8],
) -> Result<Vec<Result<CertificateDer<'static>, Fault>>, FileKind> {
    let mut found = Vec::new();
    let mut other = None;
    for piece in pieces(bytes)? {
        let kind = piece.kind;
        match kind {
            Some(FileKind::Certificate) => {
                found.push(piece.content.and_then(|der| match piece.has_settings {
                    true => trusted_certificate(&der),
                    false => certificate(der.to_vec()),
                }));
            }
            // Beside a key there may be the parameters of its curve.
            Some(FileKind::Parameters) => other = other.or(kind),
            Some(_) => match other {
                None | Some(FileKind::Parameters) => other = kind,
                Some(_) => {}
            },
            None => {}
        }
    }
    match (found.is_empty(), other) {
        (false, _) => Ok(found),
        (true, Some(kind)) => Err(kind),
        (true, None) => Err(nothing_found(bytes)),
    }
}

/// What a file is in which neither a certificate nor a key was found.
fn nothing_found(bytes: &[u8]) -> FileKind {
    #[cfg(feature = "pem")]
    return FileKind::guess(&pem::text(bytes));
    #[cfg(not(feature = "pem"))]
    in_text(bytes).err().unwrap_or(FileKind::NotDer)
}

fn certificate(der: Vec<u8>) -> Result<CertificateDer<'static>, Fault> {
    match whole(&der) {
        Ok(()) if CertificateSummary::read(&der).is_some() => Ok(CertificateDer::from(der)),
        Ok(()) => Err(match FileKind::of_der(&der) {
            Some(kind) if cfg!(feature = "summaries") && kind != FileKind::Certificate => {
                Fault::Is(kind)
            }
            _ => Damage::Content.into(),
        }),
        Err(damage) => Err(damage.into()),
    }
}

/// Whether this is one element and nothing more.
fn whole(der: &[u8]) -> Result<(), Damage> {
    let mut rest = Reader::new(der);
    match rest.any() {
        Some(_) if rest.is_empty() => Ok(()),
        Some(_) => Err(Damage::Trailing),
        None if der.first() == Some(&der::SEQUENCE) => Err(Damage::CutShort),
        None => Err(Damage::Content),
    }
}

/// OpenSSL's form: what the certificate is trusted for, and not, follows it.
fn trusted_certificate(bytes: &[u8]) -> Result<CertificateDer<'static>, Fault> {
    const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
    const ANY_EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25, 0];
    let for_servers = |mut list: Reader<'_>| {
        core::iter::from_fn(|| list.optional(der::OID))
            .any(|purpose| purpose == SERVER_AUTH || purpose == ANY_EXTENDED_KEY_USAGE)
    };
    let mut rest = Reader::new(bytes);
    rest.any().ok_or(Fault::from(Damage::CutShort))?;
    let len = bytes.len() - rest.len();
    if let Some(mut settings) = rest.inside(der::SEQUENCE) {
        let trusted = settings.optional(der::SEQUENCE).map(Reader::new);
        let rejected = settings.optional(der::explicit(0)).map(Reader::new);
        if trusted.is_some_and(|list| !for_servers(list)) || rejected.is_some_and(for_servers) {
            return Err(Fault::NotForServers { index: 0 });
        }
    }
    certificate(bytes.get(..len).unwrap_or_default().to_vec())
}

/// A private key, and what it is for. Wiped when dropped.
pub(crate) struct Key {
    der: Bytes,
    encoding: Encoding,
    pub(crate) kind: PublicKey,
}

impl Key {
    /// The key for a crypto provider, which wipes it.
    pub(crate) fn into_der(mut self) -> PrivateKeyDer<'static> {
        let der = core::mem::take(&mut *self.der);
        match self.encoding {
            Encoding::Pkcs8 => PrivateKeyDer::Pkcs8(der.into()),
            Encoding::Pkcs1 => PrivateKeyDer::Pkcs1(der.into()),
            Encoding::Sec1 => PrivateKeyDer::Sec1(der.into()),
        }
    }
}

/// The private keys of a file, in PKCS#8, PKCS#1 or SEC1: at least one.
pub(crate) fn private_keys(bytes: &[u8]) -> Result<Vec<Key>, ConfigError> {
    let wrong = |fault| Given::Key.at_fault(fault);
    let mut keys = Vec::new();
    let mut other = None;
    for piece in pieces(bytes).map_err(|kind| wrong(Fault::Is(kind)))? {
        let kind = piece.kind;
        match kind {
            Some(FileKind::PrivateKey) => {
                keys.push(private_key(piece.content.map_err(wrong)?).map_err(wrong)?)
            }
            Some(FileKind::EncryptedKey) => {
                return Err(wrong(Fault::Is(FileKind::EncryptedKey)));
            }
            // A certificate or the parameters of a curve may stand beside a key, and say the least
            // about what is wrong without one.
            Some(FileKind::Certificate | FileKind::Parameters) => other = other.or(kind),
            Some(_) => match other {
                None | Some(FileKind::Certificate | FileKind::Parameters) => other = kind,
                Some(_) => {}
            },
            None => {}
        }
    }
    match (keys.is_empty(), other) {
        (false, _) => Ok(keys),
        (true, Some(kind)) => Err(wrong(Fault::Is(kind))),
        (true, None) => Err(wrong(Fault::Is(nothing_found(bytes)))),
    }
}

fn private_key(der: Bytes) -> Result<Key, Fault> {
    whole(&der)?;
    let Some((encoding, kind)) = kind::private_key(&der) else {
        return Err(match FileKind::of_der(&der) {
            Some(kind) if kind != FileKind::PrivateKey => Fault::Is(kind),
            _ => Damage::Content.into(),
        });
    };
    Ok(
        match kind::ec_number(&der).and_then(|number| of_full_width(kind, number)) {
            Some(der) => Key {
                der,
                encoding: Encoding::Sec1,
                kind,
            },
            None => Key {
                der,
                encoding,
                kind,
            },
        },
    )
}

/// A key for a curve whose number is not as wide as the curve, made anew: it has to be (RFC 5915
/// section 3), but PuTTY writes a zero before it and Java's older libraries leave zeros out. `None` if
/// it is as it should be, or too wide.
fn of_full_width(kind: PublicKey, number: &[u8]) -> Option<Bytes> {
    let (curve, width) = kind.curve()?;
    let first = number.iter().position(|byte| *byte != 0)?;
    let digits = number.get(first..)?;
    let missing = width.checked_sub(digits.len())?;
    if number.len() == width {
        return None;
    }
    let octet = |len: usize| u8::try_from(len).ok().filter(|len| *len < 0x80);
    // With room for all of it: what a growing buffer leaves behind would not be wiped.
    let mut key = Bytes::new(Vec::with_capacity(width + curve.len() + 16));
    let name = octet(curve.len())?;
    let content = 3 + 2 + width + 2 + 2 + curve.len();
    key.extend_from_slice(&[der::SEQUENCE, octet(content)?, der::INTEGER, 1, 1]);
    key.extend_from_slice(&[der::OCTET_STRING, octet(width)?]);
    key.extend(core::iter::repeat_n(0, missing));
    key.extend_from_slice(digits);
    key.extend_from_slice(&[der::explicit(0), name + 2, der::OID, name]);
    key.extend_from_slice(curve);
    Some(key)
}

/// A section of a file, or an element of one in DER.
struct Piece {
    /// As far as it is known.
    kind: Option<FileKind>,
    /// OpenSSL's trust settings follow the certificate.
    has_settings: bool,
    content: Result<Bytes, Fault>,
}

/// What a file holds, or what it is if it holds nothing.
fn pieces(bytes: &[u8]) -> Result<Vec<Piece>, FileKind> {
    if is_der(bytes) {
        return Ok(elements(bytes));
    }
    in_text(bytes)
}

/// What a text holds.
#[cfg(feature = "pem")]
fn in_text(bytes: &[u8]) -> Result<Vec<Piece>, FileKind> {
    let text = pem::text(bytes);
    let sections: Vec<_> = Sections::new(&text).map(piece).collect();
    if !sections.is_empty() {
        return Ok(sections);
    }
    // Base64 of DER without the lines around it begins with M, as DER with a SEQUENCE.
    if text.trim_ascii().starts_with(b"M") {
        if let Ok(Content::Der(der)) = pem::decode(&text) {
            if is_der(&der) {
                return Ok(elements(&der));
            }
        }
    }
    Err(FileKind::guess(&text))
}

/// Text is not read in this build.
#[cfg(not(feature = "pem"))]
fn in_text(_: &[u8]) -> Result<Vec<Piece>, FileKind> {
    Err(FileKind::NotDer)
}

#[cfg(feature = "pem")]
fn piece(section: Section<'_>) -> Piece {
    let kind = FileKind::of_label(section.label);
    let (kind, content) = match section.content {
        Ok(Content::Der(der)) => (kind, Ok(der)),
        Ok(Content::Encrypted) => (Some(FileKind::EncryptedKey), Ok(Bytes::default())),
        Err(damage) => (kind, Err(damage.into())),
    };
    Piece {
        kind,
        has_settings: section.label == b"TRUSTED CERTIFICATE",
        content,
    }
}

/// DER begins with a SEQUENCE; in text that byte is the digit 0, with which no PEM file begins.
fn is_der(bytes: &[u8]) -> bool {
    bytes.first() == Some(&der::SEQUENCE) && !bytes.is_ascii()
}

/// Elements of DER, one after the other. Blanks and what flash is filled up with may follow.
fn elements(bytes: &[u8]) -> Vec<Piece> {
    let element = |kind, content| Piece {
        kind: Some(kind),
        has_settings: false,
        content,
    };
    let mut found = Vec::new();
    let mut rest = bytes;
    loop {
        let mut after = Reader::new(rest);
        let Some((der::SEQUENCE, _)) = after.any() else {
            break;
        };
        let (der, left) = rest.split_at(rest.len() - after.len());
        rest = left;
        found.push(match FileKind::of_der(der) {
            Some(kind) => element(kind, Ok(Bytes::new(der.to_vec()))),
            None => element(FileKind::Certificate, Err(Damage::Content.into())),
        });
    }
    let is_filling = |byte: &u8| matches!(byte, 0 | 0xff) || byte.is_ascii_whitespace();
    if !rest.iter().all(is_filling) {
        match found.last_mut() {
            Some(last) => last.content = Err(Damage::Trailing.into()),
            None => found.push(element(kind_of_rest(rest), Err(Damage::CutShort.into()))),
        }
    }
    found
}

/// What a structure that is cut short was: a private key begins with a number.
fn kind_of_rest(der: &[u8]) -> FileKind {
    let header = match der.get(1) {
        Some(long @ 0x81..=0x84) => 2 + usize::from(long & 0x7f),
        _ => 2,
    };
    match der.get(header) {
        Some(&der::INTEGER) => FileKind::PrivateKey,
        _ => FileKind::Certificate,
    }
}
