//! TLS 1.3: record protection (RFC 8446, section 5.2) and cipher suites (appendix B.4).

use alloc::boxed::Box;

use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, InboundPlainMessage, Iv, MessageDecrypter, MessageEncrypter,
    OutboundOpaqueMessage, OutboundPlainMessage, PrefixedPayload, Tls13AeadAlgorithm,
    UnsupportedOperationError, make_tls13_aad,
};
use rustls::{ConnectionTrafficSecrets, ContentType, Error, ProtocolVersion};

use crate::{Aead, Keyed, Protection, TAG_LEN, in_place};

/// Defines suites of TLS 1.3. Each row becomes a `pub static SupportedCipherSuite`, and an entry of
/// the list named first, whose suites leave application data [in place](crate::in_place).
///
/// ```text
/// tls13_suites! { IN_PLACE;
///     /// Its documentation, then attributes.
///     NAME: rustls's name, kind(Aead), Hash, Hmac;
/// }
/// ```
///
/// The kind is a variant of [`Kind`](crate::Kind); the rest names statics in scope.
#[macro_export]
macro_rules! tls13_suites {
    ($in_place:ident; $($(#[$attr:meta])* $name:ident: $suite:ident, $kind:ident($aead:path), $hash:path, $hmac:path;)+) => {
        $(
            $(#[$attr])*
            pub static $name: $crate::rustls::SupportedCipherSuite = $crate::tls13_suites! {
                @ $suite, $kind, $aead, $hash, $hmac,
                $crate::Protection::new(&$aead, $crate::Kind::$kind)
            };
        )+
        #[allow(unused_doc_comments, reason = "the attributes are those of the statics")]
        static $in_place: &[$crate::rustls::SupportedCipherSuite] = &[$(
            $(#[$attr])*
            $crate::tls13_suites! {
                @ $suite, $kind, $aead, $hash, $hmac,
                $crate::Protection::new(&$aead, $crate::Kind::$kind).in_place()
            },
        )+];
    };
    (@ $suite:ident, $kind:ident, $aead:path, $hash:path, $hmac:path, $protection:expr) => {
        $crate::rustls::SupportedCipherSuite::Tls13(&$crate::rustls::Tls13CipherSuite {
            common: $crate::rustls::crypto::CipherSuiteCommon {
                suite: $crate::rustls::CipherSuite::$suite,
                hash_provider: &$hash,
                confidentiality_limit: const { $protection.confidentiality_limit() },
            },
            hkdf_provider: &$crate::rustls::crypto::tls13::HkdfUsingHmac(&$hmac),
            aead_alg: &const { $protection },
            quic: None,
        })
    };
}

impl<A: Aead> Tls13AeadAlgorithm for Protection<A> {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        Box::new(Records {
            keyed: self.aead.encrypter(key.as_ref(), iv),
            in_place: false,
        })
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        Box::new(Records {
            keyed: self.aead.decrypter(key.as_ref(), iv),
            in_place: self.in_place,
        })
    }

    fn key_len(&self) -> usize {
        self.aead.key_len()
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: Iv,
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        self.aead.secrets(key, iv)
    }
}

struct Records<K> {
    keyed: K,
    in_place: bool,
}

impl<K: Keyed> MessageEncrypter for Records<K> {
    fn encrypt(
        &mut self,
        msg: OutboundPlainMessage<'_>,
        seq: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        let len = self.encrypted_payload_len(msg.payload.len());
        let mut payload = PrefixedPayload::with_capacity(len);
        payload.extend_from_chunks(&msg.payload);
        payload.extend_from_slice(&[msg.typ.into()]);
        payload.extend_from_slice(&[0; TAG_LEN]);

        let aad = make_tls13_aad(len);
        self.keyed
            .seal(&self.keyed.nonce(seq), &aad, payload.as_mut())?;

        // Both fields are fixed on the wire; the true type is inside.
        Ok(OutboundOpaqueMessage::new(
            ContentType::ApplicationData,
            ProtocolVersion::TLSv1_2,
            payload,
        ))
    }

    fn encrypted_payload_len(&self, payload_len: usize) -> usize {
        payload_len + 1 + TAG_LEN
    }
}

impl<K: Keyed> MessageDecrypter for Records<K> {
    fn decrypt<'a>(
        &mut self,
        mut msg: InboundOpaqueMessage<'a>,
        seq: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        let aad = make_tls13_aad(msg.payload.len());
        let nonce = self.keyed.nonce(seq);
        let len = self.keyed.open(&nonce, &aad, &mut msg.payload)?;
        if self.in_place {
            let inner = msg.payload.get(..len).unwrap_or_default();
            if let Some(text) = in_place::application_data(inner) {
                msg.typ = ContentType::ApplicationData;
                msg.version = ProtocolVersion::TLSv1_3;
                return in_place::leave(msg, 0..text);
            }
            in_place::check_room(inner, msg.payload.len())?;
        }
        msg.payload.truncate(len);
        // Also checks the size limit.
        msg.into_tls13_unpadded_message()
    }
}
