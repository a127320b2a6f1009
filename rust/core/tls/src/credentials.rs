//! Certificates and keys as users have them: PEM or DER, told apart by content.
//!
//! Any unambiguous input is accepted, whatever its encoding. For anything else, the error says what
//! it is.

use alloc::vec::Vec;

use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use crate::certificate::{CertificateSummary, PublicKey};
use crate::config_error::{ConfigError, Fault, Given};
use crate::damage::Damage;
use crate::der::{self, Reader};
use crate::kind::{self, Encoding, FileKind};
#[cfg(feature = "pem")]
use crate::pem::{self, Content, Section, Sections, Text};

/// Bytes that may be secret.
type Bytes = Zeroizing<Vec<u8>>;

/// In this build the input must be DER.
#[cfg(not(feature = "pem"))]
enum Text<'a> {
    Given(&'a [u8]),
}

#[cfg(not(feature = "pem"))]
impl core::ops::Deref for Text<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let Self::Given(bytes) = self;
        bytes
    }
}

/// Returns the certificates of a PEM bundle or of DER, after checking that they are certificates.
pub(crate) fn certificates(
    bytes: &[u8],
    given: Given,
) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let mut found = Vec::new();
    each_certificate(bytes, given, &mut |certificate| {
        found.push(certificate?);
        Ok(())
    })?;
    Ok(found)
}

/// Passes each certificate of a file, or its fault, to `each`, until that refuses one. Decodes one
/// at a time, so that a bundle takes only the memory of its largest certificate.
pub(crate) fn each_certificate(
    bytes: &[u8],
    given: Given,
    each: &mut dyn FnMut(Result<CertificateDer<'static>, Fault>) -> Result<(), Fault>,
) -> Result<(), ConfigError> {
    each_piece(bytes, given, &mut |piece| {
        each(
            piece
                .content()
                .and_then(|mut der| match piece.has_settings {
                    true => trusted_certificate(&der),
                    false => certificate(core::mem::take(&mut *der)),
                }),
        )
    })
}

/// Refuses a file of the wrong kind, as far as that shows without decoding it: by the lines around
/// its contents, or by the outermost DER structure. Takes a few instructions per byte.
pub(crate) fn glance(bytes: &[u8], given: Given) -> Result<(), ConfigError> {
    each_piece(bytes, given, &mut |piece| piece.is_whole())
}

/// Passes each piece labelled as a certificate or as a private key to `each`, until that refuses
/// one. If there is none, the error says what the file is.
fn each_piece(
    bytes: &[u8],
    given: Given,
    each: &mut dyn FnMut(&Piece<'_>) -> Result<(), Fault>,
) -> Result<(), ConfigError> {
    let sought = match given {
        Given::Ca | Given::Certificate => FileKind::Certificate,
        Given::Key => FileKind::PrivateKey,
    };
    // What may accompany a key says least about why there is none.
    let is_beside = |kind| matches!(kind, FileKind::Certificate | FileKind::Parameters);
    let is = |kind| given.at_fault(Fault::Is(kind));
    let file = File::open(bytes).map_err(is)?;
    let (mut found, mut other) = (0_u16, None);
    for piece in file.pieces().map_err(is)? {
        match piece.kind {
            Some(kind) if kind == sought => {
                each(&piece).map_err(|fault| {
                    given.at_fault(match given {
                        Given::Ca | Given::Certificate => fault.of_certificate(found),
                        Given::Key => fault,
                    })
                })?;
                found = found.saturating_add(1);
            }
            Some(FileKind::EncryptedKey) if given == Given::Key => {
                return Err(is(FileKind::EncryptedKey));
            }
            Some(kind) if other.is_none_or(is_beside) && !is_beside(kind) => other = Some(kind),
            kind => other = other.or(kind),
        }
    }
    match (found, other) {
        (0, Some(kind)) => Err(is(kind)),
        (0, None) => Err(is(nothing_found(bytes))),
        _ => Ok(()),
    }
}

/// Classifies a file without a certificate or key.
fn nothing_found(bytes: &[u8]) -> FileKind {
    #[cfg(feature = "pem")]
    return FileKind::guess(&pem::text(bytes));
    #[cfg(not(feature = "pem"))]
    File::open(bytes).err().unwrap_or(FileKind::NotDer)
}

/// Copies, if the heap has room.
fn copy(bytes: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut copy = Vec::new();
    let reserved = copy.try_reserve_exact(bytes.len());
    reserved.map_err(|_| Fault::OutOfMemory)?;
    copy.extend_from_slice(bytes);
    Ok(copy)
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

/// Checks that this is a single element.
fn whole(der: &[u8]) -> Result<(), Damage> {
    let mut rest = Reader::new(der);
    match rest.any() {
        Some(_) if rest.is_empty() => Ok(()),
        Some(_) => Err(Damage::Trailing),
        None if der.first() == Some(&der::SEQUENCE) => Err(Damage::CutShort),
        None => Err(Damage::Content),
    }
}

/// Decodes OpenSSL's format: the certificate, followed by what it is trusted for and what not.
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
    certificate(copy(bytes.get(..len).unwrap_or_default())?)
}

/// A private key and its kind. Wiped when dropped.
pub(crate) struct Key {
    der: Bytes,
    encoding: Encoding,
    pub(crate) kind: PublicKey,
}

impl Key {
    /// Returns the key for a crypto provider, which wipes it.
    pub(crate) fn into_der(mut self) -> PrivateKeyDer<'static> {
        let der = core::mem::take(&mut *self.der);
        match self.encoding {
            Encoding::Pkcs8 => PrivateKeyDer::Pkcs8(der.into()),
            Encoding::Pkcs1 => PrivateKeyDer::Pkcs1(der.into()),
            Encoding::Sec1 => PrivateKeyDer::Sec1(der.into()),
        }
    }
}

/// Returns the private keys of a file, in PKCS#8, PKCS#1 or SEC1: at least one.
pub(crate) fn private_keys(bytes: &[u8]) -> Result<Vec<Key>, ConfigError> {
    let mut keys = Vec::new();
    each_piece(bytes, Given::Key, &mut |piece| {
        keys.push(piece.content().and_then(private_key)?);
        Ok(())
    })?;
    Ok(keys)
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

/// Re-encodes a key whose number is not as wide as its curve, as RFC 5915 section 3 requires: PuTTY
/// writes a leading zero, and Java's older libraries omit zeros. `None` if the width is correct
/// already, or too large.
fn of_full_width(kind: PublicKey, number: &[u8]) -> Option<Bytes> {
    let (curve, width) = kind.curve()?;
    let first = number.iter().position(|byte| *byte != 0)?;
    let digits = number.get(first..)?;
    let missing = width.checked_sub(digits.len())?;
    if number.len() == width {
        return None;
    }
    let octet = |len: usize| u8::try_from(len).ok().filter(|len| *len < 0x80);
    // Reserve all of it: buffers left behind by growing would not be wiped.
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

/// A file as given: DER, or text with sections.
struct File<'a> {
    bytes: Text<'a>,
    is_der: bool,
}

impl<'a> File<'a> {
    /// Opens a file. If it cannot contain anything, the error says what it is.
    fn open(bytes: &'a [u8]) -> Result<Self, FileKind> {
        if is_der(bytes) {
            return Ok(Self {
                bytes: Text::Given(bytes),
                is_der: true,
            });
        }
        Self::text(bytes)
    }

    #[cfg(feature = "pem")]
    fn text(bytes: &'a [u8]) -> Result<Self, FileKind> {
        let text = pem::text(bytes);
        // Base64 of DER without BEGIN and END lines starts with M, as DER starts with a SEQUENCE.
        if text.trim_ascii_start().starts_with(b"M") && Sections::new(&text).next().is_none() {
            if let Ok(Content::Der(der)) = pem::decode(text.trim_ascii()) {
                if is_der(&der) {
                    return Ok(Self {
                        bytes: Text::Made(der),
                        is_der: true,
                    });
                }
            }
        }
        Ok(Self {
            bytes: text,
            is_der: false,
        })
    }

    /// This build does not read text.
    #[cfg(not(feature = "pem"))]
    fn text(_: &'a [u8]) -> Result<Self, FileKind> {
        Err(FileKind::NotDer)
    }

    /// Returns its contents, or what the file is if it has none.
    fn pieces(&self) -> Result<Vec<Piece<'_>>, FileKind> {
        if self.is_der {
            return Ok(elements(&self.bytes));
        }
        #[cfg(feature = "pem")]
        {
            let mut found = Vec::new();
            for section in Sections::new(&self.bytes) {
                found.push(piece(section));
            }
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Err(nothing_found(&self.bytes))
    }
}

/// A section of a file, or an element of a DER file.
struct Piece<'a> {
    /// `None` if not known.
    kind: Option<FileKind>,
    /// OpenSSL's trust settings follow the certificate.
    has_settings: bool,
    raw: Result<Raw<'a>, Fault>,
}

/// Contents that are not decoded yet.
#[derive(Clone, Copy)]
enum Raw<'a> {
    Der(&'a [u8]),
    #[cfg(feature = "pem")]
    Base64(&'a [u8]),
}

impl Piece<'_> {
    /// Checks that its end was found.
    fn is_whole(&self) -> Result<(), Fault> {
        self.raw.map(|_| ())
    }

    fn content(&self) -> Result<Bytes, Fault> {
        match self.raw? {
            Raw::Der(der) => copy(der).map(Bytes::new),
            #[cfg(feature = "pem")]
            Raw::Base64(text) => match pem::decode(text)? {
                Content::Der(der) => Ok(der),
                Content::Encrypted => Err(Fault::Is(FileKind::EncryptedKey)),
            },
        }
    }
}

#[cfg(feature = "pem")]
fn piece(section: Section<'_>) -> Piece<'_> {
    let kind = FileKind::of_label(section.label);
    let is_key = kind == Some(FileKind::PrivateKey);
    Piece {
        kind: match is_key && section.base64.is_ok_and(pem::is_encrypted) {
            true => Some(FileKind::EncryptedKey),
            false => kind,
        },
        has_settings: section.label == b"TRUSTED CERTIFICATE",
        raw: section.base64.map(Raw::Base64).map_err(Fault::from),
    }
}

/// DER begins with a SEQUENCE. In text that byte is the digit 0, which no PEM file begins with.
fn is_der(bytes: &[u8]) -> bool {
    bytes.first() == Some(&der::SEQUENCE) && !bytes.is_ascii()
}

/// Returns the elements of DER. Blanks and flash padding may follow.
fn elements(bytes: &[u8]) -> Vec<Piece<'_>> {
    let element = |kind, raw| Piece {
        kind: Some(kind),
        has_settings: false,
        raw,
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
            Some(kind) => element(kind, Ok(Raw::Der(der))),
            None => element(kind_of_rest(der), Err(Damage::Content.into())),
        });
    }
    let is_filling = |byte: &u8| matches!(byte, 0 | 0xff) || byte.is_ascii_whitespace();
    if !rest.iter().all(is_filling) {
        match found.last_mut() {
            // Inserted bytes, such as CR before LF, shift the end; then the element does not decode
            // anyway.
            Some(last) if last.raw.is_ok() => last.raw = Err(Damage::Trailing.into()),
            Some(_) => {}
            None => found.push(element(kind_of_rest(rest), Err(Damage::CutShort.into()))),
        }
    }
    found
}

/// Guesses the kind of a truncated or damaged structure: a private key begins with a number.
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
