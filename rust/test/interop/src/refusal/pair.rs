//! A client and a rustls server in one process, with a man in the middle.

use std::io::Read;
use std::sync::Arc;

use server_rustls::crypto::aws_lc_rs;
use server_rustls::pki_types::pem::PemObject;
use server_rustls::pki_types::{CertificateDer, PrivateKeyDer};
use server_rustls::sign::{CertifiedKey, Signer, SigningKey, SingleCertAndKey};
use server_rustls::{
    Error, ServerConfig, ServerConnection, SignatureAlgorithm, SignatureScheme, version,
};
use thread_mqtt_tls::{CertificateTime, Config, Connection, TlsError, Version};

use crate::pki::{Chain, NAME, NOW};

/// How the server misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Server {
    Honest,
    /// Signs the handshake with one bit wrong.
    BadSignature,
}

/// Modifies the first flight of the client or the server.
pub(super) type Meddle = fn(&mut Vec<u8>);

pub(super) fn nobody(_: &mut Vec<u8>) {}

pub(super) fn server(chain: &Chain, kind: Server, versions: &[Version]) -> Arc<ServerConfig> {
    let certificates = chain
        .sent
        .iter()
        .map(|pem| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap())
        .collect();
    let key = PrivateKeyDer::from_pem_slice(chain.key.as_bytes()).unwrap();
    let key = aws_lc_rs::sign::any_supported_type(&key).unwrap();
    let key = match kind {
        Server::Honest => key,
        Server::BadSignature => Arc::new(Crooked(key)),
    };
    let versions: Vec<_> = versions
        .iter()
        .map(|version| match version {
            Version::Tls12 => &version::TLS12,
            Version::Tls13 => &version::TLS13,
        })
        .collect();
    let identity = SingleCertAndKey::from(CertifiedKey::new(certificates, key));
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions)
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(identity));
    Arc::new(config)
}

/// A connection up to where it fails, and why it fails.
pub(super) struct Pair {
    pub(super) client: Connection,
    pub(super) server: ServerConnection,
    /// The server's error.
    pub(super) server_error: Option<Error>,
}

impl Pair {
    pub(super) fn new(config: &Config, server: Arc<ServerConfig>) -> Self {
        Self::at(config, server, NAME, NOW.into())
    }

    pub(super) fn at(
        config: &Config,
        server: Arc<ServerConfig>,
        name: &str,
        time: CertificateTime,
    ) -> Self {
        Self {
            client: Connection::new(config, name, time).unwrap(),
            server: ServerConnection::new(server).unwrap(),
            server_error: None,
        }
    }

    /// Runs until neither side has anything to send.
    pub(super) fn run(&mut self) -> Result<(), TlsError> {
        self.run_past(nobody, nobody)
    }

    /// Same as [`run`](Self::run), with the first flight of each side modified in transit.
    pub(super) fn run_past(
        &mut self,
        of_client: Meddle,
        of_server: Meddle,
    ) -> Result<(), TlsError> {
        let (mut of_client, mut of_server) = (Some(of_client), Some(of_server));
        loop {
            let mut up = self.client.ciphertext().to_vec();
            self.client.consume_ciphertext(up.len());
            if let Some(meddle) = of_client.take_if(|_| !up.is_empty()) {
                meddle(&mut up);
            }
            self.tell_server(&up);
            let mut down = self.hear_server();
            if let Some(meddle) = of_server.take_if(|_| !down.is_empty()) {
                meddle(&mut down);
            }
            if up.is_empty() && down.is_empty() {
                return Ok(());
            }
            self.tell_client(&down)?;
        }
    }

    fn tell_server(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.server_error.is_none() {
            self.server.read_tls(&mut bytes).unwrap();
            self.server_error = self.server.process_new_packets().err();
        }
    }

    pub(super) fn hear_server(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while self.server.wants_write() {
            self.server.write_tls(&mut bytes).unwrap();
        }
        bytes
    }

    pub(super) fn tell_client(&mut self, mut bytes: &[u8]) -> Result<(), TlsError> {
        while !bytes.is_empty() {
            let n = match self.client.handle_ciphertext(bytes) {
                Ok(n) => n,
                Err(error) => {
                    // The alert tells the server the reason.
                    let told = self.client.ciphertext().to_vec();
                    self.tell_server(&told);
                    return Err(error);
                }
            };
            bytes = &bytes[n..];
            let read = self.client.plaintext().len();
            self.client.consume_plaintext(read);
        }
        Ok(())
    }

    /// Sends this from the client, and checks that the server receives it.
    pub(super) fn say(&mut self, text: &[u8]) {
        assert_eq!(self.client.write(text), Ok(text.len()));
        let bytes = self.client.ciphertext().to_vec();
        self.client.consume_ciphertext(bytes.len());
        self.tell_server(&bytes);
        let mut heard = vec![0; text.len()];
        self.server.reader().read_exact(&mut heard).unwrap();
        assert_eq!(heard, text);
    }
}

/// Makes signatures with one bit wrong.
#[derive(Debug)]
struct Crooked(Arc<dyn SigningKey>);

#[derive(Debug)]
struct CrookedSigner(Box<dyn Signer>);

impl SigningKey for Crooked {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        Some(Box::new(CrookedSigner(self.0.choose_scheme(offered)?)))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.0.algorithm()
    }
}

impl Signer for CrookedSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let mut signature = self.0.sign(message)?;
        if let Some(last) = signature.last_mut() {
            *last ^= 1;
        }
        Ok(signature)
    }

    fn scheme(&self) -> SignatureScheme {
        self.0.scheme()
    }
}
