//! TLS 1.2: record protection (RFC 5288 for AES-GCM, RFC 7905 for ChaCha20-Poly1305)
//! and the ECDHE cipher suites (RFC 5289, RFC 7905).

use alloc::boxed::Box;

use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, InboundPlainMessage, Iv, KeyBlockShape, MessageDecrypter,
    MessageEncrypter, NONCE_LEN, OutboundOpaqueMessage, OutboundPlainMessage, PrefixedPayload,
    Tls12AeadAlgorithm, UnsupportedOperationError, make_tls12_aad,
};
use rustls::{ConnectionTrafficSecrets, ContentType, Error, SignatureScheme};

use crate::{Aead, Keyed, Kind, Protection, TAG_LEN, in_place};

/// Defines ECDHE suites of TLS 1.2. Each row becomes a `pub static SupportedCipherSuite`, and an
/// entry of the list named first, whose suites leave application data [in place](crate::in_place).
///
/// ```text
/// tls12_suites! { IN_PLACE;
///     /// Its documentation, then attributes.
///     NAME: signature schemes, kind(Aead), Hash, Hmac;
/// }
/// ```
///
/// The name is also the one in rustls, the kind is a variant of [`Kind`](crate::Kind), and the rest
/// names statics in scope.
#[macro_export]
macro_rules! tls12_suites {
    ($in_place:ident; $($(#[$attr:meta])* $name:ident: $sign:path, $kind:ident($aead:path), $hash:path, $hmac:path;)+) => {
        $(
            $(#[$attr])*
            pub static $name: $crate::rustls::SupportedCipherSuite = $crate::tls12_suites! {
                @ $name, $sign, $kind, $aead, $hash, $hmac,
                $crate::Protection::new(&$aead, $crate::Kind::$kind)
            };
        )+
        #[allow(unused_doc_comments, reason = "the attributes are those of the statics")]
        static $in_place: &[$crate::rustls::SupportedCipherSuite] = &[$(
            $(#[$attr])*
            $crate::tls12_suites! {
                @ $name, $sign, $kind, $aead, $hash, $hmac,
                $crate::Protection::new(&$aead, $crate::Kind::$kind).in_place()
            },
        )+];
    };
    (@ $name:ident, $sign:path, $kind:ident, $aead:path, $hash:path, $hmac:path, $protection:expr) => {
        $crate::rustls::SupportedCipherSuite::Tls12(&$crate::rustls::Tls12CipherSuite {
            common: $crate::rustls::crypto::CipherSuiteCommon {
                suite: $crate::rustls::CipherSuite::$name,
                hash_provider: &$hash,
                confidentiality_limit: const { $protection.confidentiality_limit() },
            },
            kx: $crate::rustls::crypto::KeyExchangeAlgorithm::ECDHE,
            sign: $sign,
            aead_alg: &const { $protection },
            prf_provider: &$crate::rustls::crypto::tls12::PrfUsingHmac(&$hmac),
        })
    };
}

/// The schemes with which a server with an RSA key may sign its key exchange.
pub const RSA_SCHEMES: &[SignatureScheme] = &[
    SignatureScheme::RSA_PSS_SHA256,
    SignatureScheme::RSA_PSS_SHA384,
    SignatureScheme::RSA_PSS_SHA512,
    SignatureScheme::RSA_PKCS1_SHA256,
    SignatureScheme::RSA_PKCS1_SHA384,
    SignatureScheme::RSA_PKCS1_SHA512,
];

/// The largest plaintext of a record (RFC 5246, section 6.2.1).
const MAX_FRAGMENT_LEN: usize = 1 << 14;

impl<A> Protection<A> {
    /// Returns how much of a nonce comes from the key block. The rest, combined with the sequence
    /// number, precedes each record.
    fn fixed_iv_len(&self) -> usize {
        match self.kind {
            Kind::Gcm => 4,
            Kind::ChaCha20Poly1305 => NONCE_LEN,
        }
    }
}

impl<A: Aead> Tls12AeadAlgorithm for Protection<A> {
    fn encrypter(&self, key: AeadKey, iv: &[u8], extra: &[u8]) -> Box<dyn MessageEncrypter> {
        Box::new(Records {
            keyed: self.aead.encrypter(key.as_ref(), join_iv(iv, extra)),
            fixed_iv_len: self.fixed_iv_len(),
            in_place: false,
        })
    }

    fn decrypter(&self, key: AeadKey, iv: &[u8]) -> Box<dyn MessageDecrypter> {
        Box::new(Records {
            keyed: self.aead.decrypter(key.as_ref(), join_iv(iv, &[])),
            fixed_iv_len: self.fixed_iv_len(),
            in_place: self.in_place,
        })
    }

    fn key_block_shape(&self) -> KeyBlockShape {
        KeyBlockShape {
            enc_key_len: self.aead.key_len(),
            fixed_iv_len: self.fixed_iv_len(),
            // The key block also contains a starting value for the explicit part, which is then
            // combined with the sequence number, so it never repeats.
            explicit_nonce_len: NONCE_LEN - self.fixed_iv_len(),
        }
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: &[u8],
        explicit: &[u8],
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        self.aead.secrets(key, join_iv(iv, explicit))
    }
}

/// Records: the explicit part of the nonce, if any, ciphertext, tag.
struct Records<K> {
    keyed: K,
    fixed_iv_len: usize,
    in_place: bool,
}

impl<K: Keyed> MessageEncrypter for Records<K> {
    fn encrypt(
        &mut self,
        msg: OutboundPlainMessage<'_>,
        seq: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        let nonce = self.keyed.nonce(seq);
        let (_, explicit) = nonce.split_at(self.fixed_iv_len);
        let mut payload =
            PrefixedPayload::with_capacity(self.encrypted_payload_len(msg.payload.len()));
        payload.extend_from_slice(explicit);
        payload.extend_from_chunks(&msg.payload);
        payload.extend_from_slice(&[0; TAG_LEN]);

        let aad = make_tls12_aad(seq, msg.typ, msg.version, msg.payload.len());
        let (_, buf) = payload.as_mut().split_at_mut(explicit.len());
        self.keyed.seal(&nonce, &aad, buf)?;
        Ok(OutboundOpaqueMessage::new(msg.typ, msg.version, payload))
    }

    fn encrypted_payload_len(&self, payload_len: usize) -> usize {
        NONCE_LEN - self.fixed_iv_len + payload_len + TAG_LEN
    }
}

impl<K: Keyed> MessageDecrypter for Records<K> {
    fn decrypt<'a>(
        &mut self,
        mut msg: InboundOpaqueMessage<'a>,
        seq: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        let start = NONCE_LEN - self.fixed_iv_len;
        let plain_len = msg
            .payload
            .len()
            .checked_sub(start + TAG_LEN)
            .ok_or(Error::DecryptError)?;
        let aad = make_tls12_aad(seq, msg.typ, msg.version, plain_len);

        // The peer may choose any explicit part: it replaces everything that `seq` was combined
        // with.
        let mut nonce = self.keyed.nonce(seq);
        let (_, explicit) = nonce.split_at_mut(self.fixed_iv_len);
        let (sent, sealed) = msg.payload.split_at_mut(start);
        explicit.copy_from_slice(sent);

        let len = match self.keyed.open(&nonce, &aad, sealed)? {
            len @ 0..=MAX_FRAGMENT_LEN => len,
            _ => return Err(Error::PeerSentOversizedRecord),
        };
        let text = start..start + len;
        match msg.typ {
            ContentType::ApplicationData if self.in_place => in_place::leave(msg, text),
            _ => Ok(msg.into_plain_message_range(text)),
        }
    }
}

/// Joins an IV from the parts of the key block, which rustls splits according to `key_block_shape`.
fn join_iv(fixed: &[u8], explicit: &[u8]) -> Iv {
    let mut iv = [0; NONCE_LEN];
    for (to, from) in iv.iter_mut().zip(fixed.iter().chain(explicit)) {
        *to = *from;
    }
    Iv::from(iv)
}
