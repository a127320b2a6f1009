//! Nonces, additional data and layout, written out by hand. The cipher in these tests leaves the
//! text unchanged and shows its inputs.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use std::sync::Mutex;

use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, Iv, MessageDecrypter, MessageEncrypter, NONCE_LEN, Nonce,
    OutboundPlainMessage, Tls13AeadAlgorithm,
};
use rustls::{ContentType, Error, ProtocolVersion};

use crate::{Aead, Keyed, Kind, Protection, TAG_LEN, in_place};

/// A key that cannot seal anything.
const NO_KEY: [u8; 32] = [0; 32];
const TAG: [u8; TAG_LEN] = *b"0123456789abcdef";

type Seen = Arc<Mutex<Vec<([u8; NONCE_LEN], Vec<u8>)>>>;

#[derive(Default)]
struct Glass(Seen);

struct GlassKey {
    iv: Iv,
    broken: bool,
    seen: Seen,
}

impl Aead for Glass {
    type Keyed = GlassKey;

    fn key_len(&self) -> usize {
        32
    }

    fn encrypter(&self, key: &[u8], iv: Iv) -> GlassKey {
        let (broken, seen) = (key == NO_KEY, self.0.clone());
        GlassKey { iv, broken, seen }
    }

    fn decrypter(&self, key: &[u8], iv: Iv) -> GlassKey {
        self.encrypter(key, iv)
    }
}

impl Keyed for GlassKey {
    fn nonce(&self, seq: u64) -> [u8; NONCE_LEN] {
        Nonce::new(&self.iv, seq).0
    }

    fn seal(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], buf: &mut [u8]) -> Result<(), Error> {
        let tag = buf.last_chunk_mut().ok_or(Error::EncryptError)?;
        assert_eq!(*tag, [0; TAG_LEN], "room for the tag");
        *tag = TAG;
        self.seen.lock().unwrap().push((*nonce, aad.to_vec()));
        match self.broken {
            true => Err(Error::EncryptError),
            false => Ok(()),
        }
    }

    fn open(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], buf: &mut [u8]) -> Result<usize, Error> {
        self.seen.lock().unwrap().push((*nonce, aad.to_vec()));
        let text = buf.strip_suffix(&TAG).ok_or(Error::DecryptError)?;
        Ok(text.len())
    }
}

fn glass() -> (&'static Glass, Seen) {
    let glass: &Glass = Box::leak(Box::default());
    (glass, glass.0.clone())
}

fn key() -> AeadKey {
    AeadKey::from([7; 32])
}

fn seal(encrypter: &mut dyn MessageEncrypter, text: &[u8], seq: u64) -> Result<Vec<u8>, Error> {
    let message = OutboundPlainMessage {
        typ: ContentType::Handshake,
        version: ProtocolVersion::TLSv1_2,
        payload: text.into(),
    };
    encrypter
        .encrypt(message, seq)
        .map(|sealed| sealed.encode())
}

fn open(
    decrypter: &mut dyn MessageDecrypter,
    record: &[u8],
    seq: u64,
) -> Result<(ContentType, Vec<u8>), Error> {
    let (header, payload) = record.split_at(5);
    let mut payload = payload.to_vec();
    let message = InboundOpaqueMessage::new(
        ContentType::from(header[0]),
        ProtocolVersion::TLSv1_2,
        &mut payload,
    );
    let plain = decrypter.decrypt(message, seq)?;
    Ok((plain.typ, plain.payload.to_vec()))
}

/// The cipher's inputs for record 0x0203, and the resulting bytes on the wire.
#[test]
fn tls13() {
    let (glass, seen) = glass();
    let protection = Protection::new(glass, Kind::Gcm);
    let mut encrypter = protection.encrypter(key(), Iv::from([1; 12]));
    let sealed = seal(&mut *encrypter, b"text", 0x0203).unwrap();
    assert_eq!(
        sealed,
        [&[23, 3, 3, 0, 21], &b"text\x16"[..], &TAG].concat()
    );

    let mut decrypter = protection.decrypter(key(), Iv::from([1; 12]));
    let opened = open(&mut *decrypter, &sealed, 0x0203);
    assert_eq!(opened, Ok((ContentType::Handshake, b"text".to_vec())));

    let nonce = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 ^ 2, 1 ^ 3];
    let aad = [23, 3, 3, 0, 21].to_vec();
    assert_eq!(*seen.lock().unwrap(), [(nonce, aad.clone()), (nonce, aad)]);
}

type Opened = Result<(ContentType, Vec<u8>), Error>;

/// Returns what rustls gets from a record, and the contents of the buffer afterwards.
fn open_in_place(decrypter: &mut dyn MessageDecrypter, record: &[u8]) -> (Opened, Vec<u8>) {
    let mut payload = record[5..].to_vec();
    let typ = ContentType::from(record[0]);
    let message = InboundOpaqueMessage::new(typ, ProtocolVersion::TLSv1_2, &mut payload);
    let opened = decrypter.decrypt(message, 0);
    let opened = opened.map(|plain| (plain.typ, plain.payload.to_vec()));
    (opened, payload)
}

#[test]
fn tls13_in_place() {
    const DATA: u8 = 23;
    let protection = Protection::new(glass().0, Kind::Gcm).in_place();
    let mut decrypter = protection.decrypter(key(), Iv::from([1; 12]));
    let mut open = |inner: &[u8]| {
        let record = [&[23, 3, 3, 0, 0], inner, &TAG].concat();
        open_in_place(&mut *decrypter, &record)
    };
    // With and without padding, and a text that ends like padding.
    for text in [&b"text"[..], b"t", b"", b"zero\0\0", &[5; 1 << 14]] {
        for padding in [0, 1, 3] {
            if text.len() + padding > 1 << 14 {
                continue;
            }
            let inner = [text, &[DATA], &[0; 3][..padding]].concat();
            let (opened, payload) = open(&inner);
            let first = text[..text.len().min(1)].to_vec();
            assert_eq!(opened, Ok((ContentType::ApplicationData, first)));
            let range = in_place::plaintext(&payload).unwrap();
            assert_eq!(payload.get(range), Some(text));
        }
    }
    // rustls gets everything else.
    let (opened, _) = open(b"ticket\x16\0");
    assert_eq!(opened, Ok((ContentType::Handshake, b"ticket".to_vec())));
    assert!(open(&[0; 9]).0.is_err() && open(b"").0.is_err());
    for long in [(1 << 14) + 1, (1 << 14) + 2] {
        let mut inner = alloc::vec![5; long];
        inner.push(DATA);
        assert_eq!(open(&inner).0, Err(Error::PeerSentOversizedRecord));
    }
    let padded = [&[DATA][..], &[0; 1 << 14], &[0]].concat();
    assert_eq!(open(&padded).0, Err(Error::PeerSentOversizedRecord));
}

#[test]
fn a_payload_that_is_none_has_no_plaintext() {
    for payload in [
        &b""[..],
        b"abc",
        &[0, 1, 0, 0],
        &[0, 0, 0, 1],
        &[7, 0, 1, 0, 3],
    ] {
        assert_eq!(in_place::plaintext(payload), None, "{payload:?}");
    }
    assert_eq!(in_place::plaintext(&[7, 0, 1, 0, 1]), Some(1..1));
}

#[test]
fn a_record_that_cannot_be_sealed_is_an_error() {
    let (glass, _) = glass();
    let protection = Protection::new(glass, Kind::Gcm);
    let mut encrypter = protection.encrypter(AeadKey::from(NO_KEY), Iv::from([1; 12]));
    assert_eq!(seal(&mut *encrypter, b"text", 0), Err(Error::EncryptError));
    assert!(protection.extract_keys(key(), Iv::from([1; 12])).is_err());
}

#[test]
fn limits() {
    let limit = |kind| Protection::new(glass().0, kind).confidentiality_limit();
    assert_eq!(limit(Kind::Gcm), 1 << 24);
    assert_eq!(limit(Kind::ChaCha20Poly1305), u64::MAX);
}

#[cfg(feature = "tls12")]
mod tls12 {
    use rustls::crypto::cipher::Tls12AeadAlgorithm;

    use super::*;

    const AAD: [u8; 13] = [0, 0, 0, 0, 0, 0, 2, 3, 22, 3, 3, 0, 4];

    fn pair(
        protection: &dyn Tls12AeadAlgorithm,
    ) -> (Box<dyn MessageEncrypter>, Box<dyn MessageDecrypter>) {
        let shape = protection.key_block_shape();
        assert_eq!(shape.enc_key_len, 32);
        let fixed = &[1; NONCE_LEN][..shape.fixed_iv_len];
        let explicit = &[4; NONCE_LEN][..shape.explicit_nonce_len];
        assert!(protection.extract_keys(key(), fixed, explicit).is_err());
        (
            protection.encrypter(key(), fixed, explicit),
            protection.decrypter(key(), fixed),
        )
    }

    #[test]
    fn gcm() {
        let (glass, seen) = glass();
        let (mut encrypter, mut decrypter) = pair(&Protection::new(glass, Kind::Gcm));
        let sealed = seal(&mut *encrypter, b"text", 0x0203).unwrap();
        let explicit = [4, 4, 4, 4, 4, 4, 4 ^ 2, 4 ^ 3];
        let expected = [&[22, 3, 3, 0, 28], &explicit[..], b"text", &TAG].concat();
        assert_eq!(sealed, expected);

        // The peer chooses its part of the nonce, which is used unchanged.
        let theirs = [&[22, 3, 3, 0, 28], &[9; 8][..], b"text", &TAG].concat();
        let opened = open(&mut *decrypter, &theirs, 0x0203);
        assert_eq!(opened, Ok((ContentType::Handshake, b"text".to_vec())));

        let sent = [1, 1, 1, 1, 4, 4, 4, 4, 4, 4, 4 ^ 2, 4 ^ 3];
        let received = [1, 1, 1, 1, 9, 9, 9, 9, 9, 9, 9, 9];
        let seen = seen.lock().unwrap();
        assert_eq!(*seen, [(sent, AAD.to_vec()), (received, AAD.to_vec())]);
    }

    #[test]
    fn in_place() {
        for (kind, start) in [(Kind::Gcm, 8), (Kind::ChaCha20Poly1305, 0)] {
            let (mut encrypter, mut decrypter) = pair(&Protection::new(glass().0, kind).in_place());
            for text in [&b"text"[..], b"t", b"", b"zero\0\0", &[5; 1 << 14]] {
                let mut sealed = seal(&mut *encrypter, text, 0).unwrap();
                let (opened, _) = open_in_place(&mut *decrypter, &sealed);
                assert_eq!(opened, Ok((ContentType::Handshake, text.to_vec())));
                sealed[0] = 23;
                let (opened, payload) = open_in_place(&mut *decrypter, &sealed);
                let first = text[..text.len().min(1)].to_vec();
                assert_eq!(opened, Ok((ContentType::ApplicationData, first)));
                let range = crate::in_place::plaintext(&payload).unwrap();
                assert_eq!(range, start..start + text.len());
                assert_eq!(payload.get(range), Some(text));
            }
        }
    }

    #[test]
    fn chacha20_poly1305() {
        let (glass, seen) = glass();
        let (mut encrypter, mut decrypter) = pair(&Protection::new(glass, Kind::ChaCha20Poly1305));
        let sealed = seal(&mut *encrypter, b"text", 0x0203).unwrap();
        let expected = [&[22, 3, 3, 0, 20], &b"text"[..], &TAG].concat();
        assert_eq!(sealed, expected);
        let opened = open(&mut *decrypter, &sealed, 0x0203);
        assert_eq!(opened, Ok((ContentType::Handshake, b"text".to_vec())));

        let nonce = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 ^ 2, 1 ^ 3];
        let seen = seen.lock().unwrap();
        assert_eq!(*seen, [(nonce, AAD.to_vec()), (nonce, AAD.to_vec())]);
    }

    /// Truncated anywhere, also before the tag, and one byte longer than a record may be.
    #[test]
    fn bad_lengths_are_errors() {
        for kind in [Kind::Gcm, Kind::ChaCha20Poly1305] {
            let (mut encrypter, mut decrypter) = pair(&Protection::new(glass().0, kind));
            let sealed = seal(&mut *encrypter, b"", 0).unwrap();
            for cut in 5..sealed.len() {
                let opened = open(&mut *decrypter, &sealed[..cut], 0);
                assert_eq!(opened, Err(Error::DecryptError), "{kind:?} cut to {cut}");
            }
            for (len, result) in [
                (1 << 14, Ok(1 << 14)),
                ((1 << 14) + 1, Err(Error::PeerSentOversizedRecord)),
            ] {
                let sealed = seal(&mut *encrypter, &alloc::vec![5; len], 0).unwrap();
                let opened = open(&mut *decrypter, &sealed, 0);
                assert_eq!(opened.map(|(_, text)| text.len()), result, "{kind:?}");
            }
        }
    }
}
