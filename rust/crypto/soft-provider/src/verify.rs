//! Signature verification, for certificates and handshakes.
//!
//! Verification handles only public data, so nothing here needs to be, or is guaranteed to be,
//! constant-time.

mod ecdsa;
#[cfg(feature = "ed25519")]
mod ed25519;
#[cfg(feature = "rsa")]
mod rsa;

use rustls::SignatureScheme;
use rustls::crypto::WebPkiSupportedAlgorithms;

pub use ecdsa::ECDSA_P256_SHA256;
#[cfg(feature = "p384")]
pub use ecdsa::{
    ECDSA_P256_SHA384, ECDSA_P256_SHA512, ECDSA_P384_SHA256, ECDSA_P384_SHA384, ECDSA_P384_SHA512,
};
#[cfg(feature = "p521")]
pub use ecdsa::{ECDSA_P521_SHA256, ECDSA_P521_SHA384, ECDSA_P521_SHA512};
#[cfg(feature = "ed25519")]
pub use ed25519::{ED25519, SUPPORTED_WITH_ED25519};
#[cfg(feature = "rsa")]
pub use rsa::{
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA256_ABSENT_PARAMS, RSA_PKCS1_SHA384,
    RSA_PKCS1_SHA384_ABSENT_PARAMS, RSA_PKCS1_SHA512, RSA_PKCS1_SHA512_ABSENT_PARAMS,
    RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, take_out_of_memory,
};

/// All algorithms that the cargo features enable, for rustls and webpki.
///
/// In TLS 1.3, a scheme names hash and curve, and the first algorithm of its row is used. In TLS
/// 1.2, it names only the hash (RFC 5246, section 7.4.1.4.1), and the certificate's key selects the
/// algorithm from the row.
pub static SUPPORTED: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: &[
        ECDSA_P256_SHA256,
        #[cfg(feature = "p384")]
        ECDSA_P256_SHA384,
        #[cfg(feature = "p384")]
        ECDSA_P384_SHA256,
        #[cfg(feature = "p384")]
        ECDSA_P384_SHA384,
        #[cfg(feature = "p384")]
        ECDSA_P256_SHA512,
        #[cfg(feature = "p384")]
        ECDSA_P384_SHA512,
        #[cfg(feature = "p521")]
        ECDSA_P521_SHA512,
        #[cfg(feature = "p521")]
        ECDSA_P521_SHA384,
        #[cfg(feature = "p521")]
        ECDSA_P521_SHA256,
        #[cfg(feature = "rsa")]
        RSA_PSS_SHA256,
        #[cfg(feature = "rsa")]
        RSA_PSS_SHA384,
        #[cfg(feature = "rsa")]
        RSA_PSS_SHA512,
        #[cfg(feature = "rsa")]
        RSA_PKCS1_SHA256,
        #[cfg(feature = "rsa")]
        RSA_PKCS1_SHA384,
        #[cfg(feature = "rsa")]
        RSA_PKCS1_SHA512,
        #[cfg(feature = "rsa")]
        RSA_PKCS1_SHA256_ABSENT_PARAMS,
        #[cfg(feature = "rsa")]
        RSA_PKCS1_SHA384_ABSENT_PARAMS,
        #[cfg(feature = "rsa")]
        RSA_PKCS1_SHA512_ABSENT_PARAMS,
    ],
    mapping: &[
        (
            SignatureScheme::ECDSA_NISTP256_SHA256,
            &[
                ECDSA_P256_SHA256,
                #[cfg(feature = "p384")]
                ECDSA_P384_SHA256,
                #[cfg(feature = "p521")]
                ECDSA_P521_SHA256,
            ],
        ),
        #[cfg(feature = "p384")]
        (
            SignatureScheme::ECDSA_NISTP384_SHA384,
            &[
                ECDSA_P384_SHA384,
                ECDSA_P256_SHA384,
                #[cfg(feature = "p521")]
                ECDSA_P521_SHA384,
            ],
        ),
        // Not offered without P-521: in TLS 1.3 the scheme would mean that curve.
        #[cfg(feature = "p521")]
        (
            SignatureScheme::ECDSA_NISTP521_SHA512,
            &[ECDSA_P521_SHA512, ECDSA_P384_SHA512, ECDSA_P256_SHA512],
        ),
        #[cfg(feature = "rsa")]
        (SignatureScheme::RSA_PSS_SHA256, &[RSA_PSS_SHA256]),
        #[cfg(feature = "rsa")]
        (SignatureScheme::RSA_PSS_SHA384, &[RSA_PSS_SHA384]),
        #[cfg(feature = "rsa")]
        (SignatureScheme::RSA_PSS_SHA512, &[RSA_PSS_SHA512]),
        #[cfg(feature = "rsa")]
        (SignatureScheme::RSA_PKCS1_SHA256, &[RSA_PKCS1_SHA256]),
        #[cfg(feature = "rsa")]
        (SignatureScheme::RSA_PKCS1_SHA384, &[RSA_PKCS1_SHA384]),
        #[cfg(feature = "rsa")]
        (SignatureScheme::RSA_PKCS1_SHA512, &[RSA_PKCS1_SHA512]),
    ],
};
