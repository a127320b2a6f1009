//! Test certificates that never change: RSA-2048 and P-256, each with a root, an intermediate, a
//! server's leaf and a client's.
//!
//! **The private keys are public. They are for tests and protect nothing.**
//!
//! A simulated run repeats byte for byte only if the certificates do, so these are in the
//! repository. They contain the names in [`NAMES`], are valid for [`VALIDITY`], and are generated
//! by `cargo run -p thread-mqtt-testkit --example generate-pki`.
use crate::identity::{Identity, Validity};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// Names and addresses of the server's leaf.
pub const NAMES: [&str; 5] = [
    "broker.example.com",
    "localhost",
    "127.0.0.1",
    "::1",
    "203.0.113.10",
];

/// 2025-01-01 to 2045-01-01.
pub const VALIDITY: Validity = Validity {
    not_before: 1_735_689_600,
    not_after: 2_366_841_600,
};

/// An instant well inside [`VALIDITY`], in Unix seconds: 2026-11-01.
pub const UNIX_TIME: u64 = 1_793_491_200;

/// One of the two committed chains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fixed {
    /// RSA-2048 throughout.
    Rsa2048,
    /// ECDSA P-256 throughout.
    P256,
}

impl Fixed {
    /// Returns the trust anchor, PEM.
    pub fn root_pem(self) -> &'static str {
        match self {
            Self::Rsa2048 => include_str!("../pki/rsa-root.pem"),
            Self::P256 => include_str!("../pki/p256-root.pem"),
        }
    }

    /// Returns the server's identity: leaf and intermediate, with the leaf's key.
    pub fn server(self) -> Identity {
        match self {
            Self::Rsa2048 => identity(
                include_str!("../pki/rsa-leaf.pem"),
                include_str!("../pki/rsa-leaf.key.pem"),
            ),
            Self::P256 => identity(
                include_str!("../pki/p256-leaf.pem"),
                include_str!("../pki/p256-leaf.key.pem"),
            ),
        }
    }

    /// Returns a client certificate, signed by the root.
    pub fn client(self) -> Identity {
        match self {
            Self::Rsa2048 => identity(
                include_str!("../pki/rsa-client.pem"),
                include_str!("../pki/rsa-client.key.pem"),
            ),
            Self::P256 => identity(
                include_str!("../pki/p256-client.pem"),
                include_str!("../pki/p256-client.key.pem"),
            ),
        }
    }
}

fn identity(chain: &str, key: &str) -> Identity {
    let chain = CertificateDer::pem_slice_iter(chain.as_bytes())
        .collect::<Result<_, _>>()
        .expect("the committed certificates are PEM");
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("the committed keys are PEM");
    Identity::new(chain, key)
}
