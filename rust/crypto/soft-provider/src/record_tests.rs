//! Edge cases of record protection, with both directions of this crate against each other.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, Iv, MessageDecrypter, MessageEncrypter, OutboundPlainMessage,
};
use rustls::{ConnectionTrafficSecrets, ContentType, Error, ProtocolVersion};
use rustls::{Tls12CipherSuite, Tls13CipherSuite};

use crate::suites;

fn key() -> AeadKey {
    AeadKey::from([7; 32])
}

fn tls12_suites() -> Vec<&'static Tls12CipherSuite> {
    [
        suites::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        suites::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ]
    .iter()
    .map(|suite| match suite {
        rustls::SupportedCipherSuite::Tls12(suite) => *suite,
        rustls::SupportedCipherSuite::Tls13(_) => unreachable!(),
    })
    .collect()
}

fn tls13_suites() -> Vec<&'static Tls13CipherSuite> {
    [
        suites::TLS_AES_256_GCM_SHA384,
        suites::TLS_CHACHA20_POLY1305_SHA256,
    ]
    .iter()
    .filter_map(|suite| suite.tls13())
    .collect()
}

type Pair = (Box<dyn MessageEncrypter>, Box<dyn MessageDecrypter>);

/// Returns both directions of every cipher of both versions, numbered.
fn pairs() -> Vec<(usize, Pair)> {
    let mut pairs = Vec::new();
    for suite in tls12_suites() {
        let shape = suite.aead_alg.key_block_shape();
        let (fixed, explicit) = (
            vec![1; shape.fixed_iv_len],
            vec![2; shape.explicit_nonce_len],
        );
        let encrypter = suite.aead_alg.encrypter(key(), &fixed, &explicit);
        let decrypter = suite.aead_alg.decrypter(key(), &fixed);
        pairs.push((pairs.len(), (encrypter, decrypter)));
    }
    for suite in tls13_suites() {
        let encrypter = suite.aead_alg.encrypter(key(), Iv::from([1; 12]));
        let decrypter = suite.aead_alg.decrypter(key(), Iv::from([1; 12]));
        pairs.push((pairs.len(), (encrypter, decrypter)));
    }
    assert_eq!(pairs.len(), 4);
    pairs
}

fn seal(encrypter: &mut dyn MessageEncrypter, text: &[u8], seq: u64) -> Vec<u8> {
    let message = OutboundPlainMessage {
        typ: ContentType::ApplicationData,
        version: ProtocolVersion::TLSv1_2,
        payload: text.into(),
    };
    let sealed = encrypter.encrypt(message, seq).unwrap().encode();
    assert_eq!(
        sealed.len(),
        5 + encrypter.encrypted_payload_len(text.len())
    );
    sealed[5..].to_vec()
}

fn open(
    decrypter: &mut dyn MessageDecrypter,
    payload: &mut [u8],
    seq: u64,
) -> Result<Vec<u8>, Error> {
    let message = InboundOpaqueMessage::new(
        ContentType::ApplicationData,
        ProtocolVersion::TLSv1_2,
        payload,
    );
    decrypter
        .decrypt(message, seq)
        .map(|plain| plain.payload.to_vec())
}

#[test]
fn sizes_up_to_the_limit_and_beyond() {
    for (index, (mut encrypter, mut decrypter)) in pairs() {
        for len in [0, 1, 16_383, 16_384] {
            let text = vec![9; len];
            let mut payload = seal(&mut *encrypter, &text, 3);
            assert_eq!(open(&mut *decrypter, &mut payload, 3), Ok(text), "{index}");
        }
        let mut payload = seal(&mut *encrypter, &vec![9; 16_385], 4);
        let opened = open(&mut *decrypter, &mut payload, 4);
        assert_eq!(opened, Err(Error::PeerSentOversizedRecord), "{index}");
    }
}

/// The tag covers every byte and the sequence number.
#[test]
fn every_change_is_noticed() {
    for (index, (mut encrypter, mut decrypter)) in pairs() {
        let payload = seal(&mut *encrypter, b"text", 5);
        for at in 0..payload.len() {
            let mut changed = payload.clone();
            changed[at] ^= 1;
            let opened = open(&mut *decrypter, &mut changed, 5);
            assert_eq!(opened, Err(Error::DecryptError), "{index} byte {at}");

            let opened = open(&mut *decrypter, &mut payload[..at].to_vec(), 5);
            assert_eq!(opened, Err(Error::DecryptError), "{index} cut to {at}");
        }
        let opened = open(&mut *decrypter, &mut payload.clone(), 6);
        assert_eq!(opened, Err(Error::DecryptError), "{index} replayed");
        assert!(open(&mut *decrypter, &mut payload.clone(), 5).is_ok());
    }
}

/// No two records share a nonce: the same text never encrypts to the same bytes.
#[test]
fn records_differ() {
    for (index, (mut encrypter, _)) in pairs() {
        let sealed: Vec<_> = [0, 1, u64::MAX]
            .map(|seq| seal(&mut *encrypter, b"text", seq))
            .into();
        assert_ne!(sealed[0], sealed[1], "{index}");
        assert_ne!(sealed[0], sealed[2], "{index}");
        assert_ne!(sealed[1], sealed[2], "{index}");
    }
}

/// A key whose length is not the suite's, which only a caller other than rustls can pass.
#[test]
fn wrong_key_length_is_an_error() {
    let suite = suites::TLS_AES_128_GCM_SHA256.tls13().unwrap();
    let mut encrypter = suite.aead_alg.encrypter(key(), Iv::from([1; 12]));
    let message = OutboundPlainMessage {
        typ: ContentType::ApplicationData,
        version: ProtocolVersion::TLSv1_2,
        payload: b"text".as_slice().into(),
    };
    let sealed = encrypter.encrypt(message, 0).map(|_| ());
    assert_eq!(sealed, Err(Error::EncryptError));

    let mut decrypter = suite.aead_alg.decrypter(key(), Iv::from([1; 12]));
    let opened = open(&mut *decrypter, &mut [0; 40], 0);
    assert_eq!(opened, Err(Error::DecryptError));
}

#[test]
fn traffic_secrets_are_the_key_and_the_whole_iv() {
    let [gcm, chacha] = tls12_suites().try_into().unwrap_or_else(|_| unreachable!());
    let secrets = gcm.aead_alg.extract_keys(key(), &[1; 4], &[2; 8]).unwrap();
    let ConnectionTrafficSecrets::Aes256Gcm { key: extracted, iv } = secrets else {
        panic!("not the suite's secrets");
    };
    assert_eq!(extracted.as_ref(), [7; 32]);
    assert_eq!(iv.as_ref(), [1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2]);

    let secrets = chacha.aead_alg.extract_keys(key(), &[1; 12], &[]).unwrap();
    let ConnectionTrafficSecrets::Chacha20Poly1305 { iv, .. } = secrets else {
        panic!("not the suite's secrets");
    };
    assert_eq!(iv.as_ref(), [1; 12]);

    for suite in tls13_suites() {
        assert_eq!(suite.aead_alg.key_len(), 32);
        let secrets = suite
            .aead_alg
            .extract_keys(key(), Iv::from([3; 12]))
            .unwrap();
        let (ConnectionTrafficSecrets::Aes256Gcm { iv, .. }
        | ConnectionTrafficSecrets::Chacha20Poly1305 { iv, .. }) = secrets
        else {
            panic!("not the suite's secrets");
        };
        assert_eq!(iv.as_ref(), [3; 12]);
    }
}
