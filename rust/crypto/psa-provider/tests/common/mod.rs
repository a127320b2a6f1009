//! rustls servers on aws-lc-rs, which shares no cryptographic code with PSA, and connections to
//! them within one process.
#![allow(dead_code)] // each test program uses its share

use std::io::{Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PublicKeyData, RsaKeySize,
    SignatureAlgorithm,
};
use rustls::client::ResolvesClientCert;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::{CertifiedKey, SigningKey};
use rustls::{
    ClientConfig, ClientConnection, Connection, Error, RootCertStore, ServerConfig,
    ServerConnection, SignatureScheme,
};
use thread_mqtt_psa::host;

/// Counters and failures of the host's PSA are global: run one test at a time.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let guard = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    psa();
    host::reset();
    guard
}

/// Returns the provider under test.
pub(crate) fn psa() -> CryptoProvider {
    thread_mqtt_psa_provider::provider().unwrap().provider
}

/// A type of key for certificates.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind(pub(crate) &'static SignatureAlgorithm, Option<RsaKeySize>);

pub(crate) const P256: Kind = Kind(&rcgen::PKCS_ECDSA_P256_SHA256, None);
pub(crate) const P384: Kind = Kind(&rcgen::PKCS_ECDSA_P384_SHA384, None);
pub(crate) const RSA_2048: Kind = Kind(&rcgen::PKCS_RSA_SHA256, Some(RsaKeySize::_2048));
pub(crate) const RSA_3072: Kind = Kind(&rcgen::PKCS_RSA_SHA384, Some(RsaKeySize::_3072));
pub(crate) const RSA_4096: Kind = Kind(&rcgen::PKCS_RSA_SHA512, Some(RsaKeySize::_4096));
pub(crate) const ED25519: Kind = Kind(&rcgen::PKCS_ED25519, None);

impl Kind {
    pub(crate) fn generate(self) -> KeyPair {
        match self.1 {
            Some(size) => KeyPair::generate_rsa_for(self.0, size),
            None => KeyPair::generate_for(self.0),
        }
        .unwrap()
    }

    pub(crate) fn is_rsa(self) -> bool {
        self.1.is_some()
    }
}

/// A certificate authority.
pub(crate) struct Authority {
    roots: Arc<RootCertStore>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new(kind: Kind) -> Self {
        let key = kind.generate();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let mut roots = RootCertStore::empty();
        roots.add(params.self_signed(&key).unwrap().into()).unwrap();
        Self {
            roots: Arc::new(roots),
            issuer: Issuer::new(params, key),
        }
    }

    /// Returns an authority below this one, and its certificate; `roots` stay the same.
    pub(crate) fn intermediate(&self, kind: Kind) -> (Self, CertificateDer<'static>) {
        let key = kind.generate();
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name.push(
            DnType::CommonName,
            format!("an intermediate with {:?}", kind.0),
        );
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let authority = Self {
            roots: self.roots.clone(),
            issuer: Issuer::new(params, key),
        };
        (authority, certificate.into())
    }

    pub(crate) fn certify(&self, key: &impl PublicKeyData) -> CertificateDer<'static> {
        self.certify_with(key, |_| {})
    }

    pub(crate) fn certify_with(
        &self,
        key: &impl PublicKeyData,
        change: impl FnOnce(&mut CertificateParams),
    ) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(["broker.example".into()]).unwrap();
        change(&mut params);
        params.signed_by(key, &self.issuer).unwrap().into()
    }
}

/// A certificate with its key.
pub(crate) struct Identity {
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) key: KeyPair,
}

impl Identity {
    pub(crate) fn new(authority: &Authority, kind: Kind) -> Self {
        let key = kind.generate();
        Self {
            certificate: authority.certify(&key),
            key,
        }
    }

    pub(crate) fn pkcs8(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }
}

pub(crate) fn client(provider: CryptoProvider, authority: &Authority) -> ClientConfig {
    ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(authority.roots.clone())
        .with_no_client_auth()
}

pub(crate) fn server(identity: &Identity) -> ServerConfig {
    server_with(aws_lc_rs::default_provider(), identity)
}

pub(crate) fn server_with(provider: CryptoProvider, identity: &Identity) -> ServerConfig {
    ServerConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![identity.certificate.clone()], identity.pkcs8())
        .unwrap()
}

/// Returns a server of one version that requests client certificates.
pub(crate) fn mutual_server(
    version: &'static rustls::SupportedProtocolVersion,
    identity: &Identity,
    clients: &Authority,
) -> ServerConfig {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(clients.roots.clone(), provider.clone())
            .build()
            .unwrap();
    ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![identity.certificate.clone()], identity.pkcs8())
        .unwrap()
}

/// A client's certificate, and whatever signs for it.
#[derive(Debug)]
pub(crate) struct Presents(Arc<CertifiedKey>);

impl Presents {
    pub(crate) fn new(certificate: CertificateDer<'static>, key: Arc<dyn SigningKey>) -> Arc<Self> {
        let certified = CertifiedKey::new(vec![certificate], key);
        certified.keys_match().unwrap();
        Arc::new(Self(Arc::new(certified)))
    }
}

impl ResolvesClientCert for Presents {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

pub(crate) fn connect(
    client: &Arc<ClientConfig>,
    server: &Arc<ServerConfig>,
) -> Result<(Connection, Connection), Error> {
    let name = ServerName::try_from("broker.example").unwrap();
    Ok((
        ClientConnection::new(client.clone(), name)?.into(),
        ServerConnection::new(server.clone())?.into(),
    ))
}

/// Moves the pending output of `from` to `to`; `change` may modify it. Returns how many bytes there
/// were, and the plaintext that `to` decrypted.
pub(crate) fn transfer(
    from: &mut Connection,
    to: &mut Connection,
    change: impl FnOnce(&mut Vec<u8>),
) -> Result<(usize, Vec<u8>), Error> {
    let mut wire = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut wire).unwrap();
    }
    change(&mut wire);
    let (mut rest, mut plaintext) = (wire.as_slice(), Vec::new());
    while !rest.is_empty() {
        to.read_tls(&mut rest).unwrap();
        to.process_new_packets()?;
        let mut buf = [0; 4096];
        while let Ok(read @ 1..) = to.reader().read(&mut buf) {
            plaintext.extend_from_slice(&buf[..read]);
        }
    }
    Ok((wire.len(), plaintext))
}

/// The side that an error came from.
#[derive(Debug)]
pub(crate) enum Failed {
    Client(Error),
    Server(Error),
}

impl Failed {
    pub(crate) fn client(self) -> Error {
        match self {
            Self::Client(error) => error,
            Self::Server(error) => panic!("the server failed: {error}"),
        }
    }
}

/// Runs both sides until neither has more to send. If the server fails, the client receives the
/// alert and should fail, too.
pub(crate) fn run(client: &mut Connection, server: &mut Connection) -> Result<(), Failed> {
    loop {
        let (up, _) = up(client, server)?;
        let (down, _) = transfer(server, client, |_| {}).map_err(Failed::Client)?;
        if up + down == 0 {
            return Ok(());
        }
    }
}

/// Moves data from client to server, and the alert back if the server fails.
pub(crate) fn up(
    client: &mut Connection,
    server: &mut Connection,
) -> Result<(usize, Vec<u8>), Failed> {
    match transfer(client, server, |_| {}) {
        Ok(moved) => Ok(moved),
        Err(error) => match transfer(server, client, |_| {}) {
            Ok(_) => Err(Failed::Server(error)),
            Err(error) => Err(Failed::Client(error)),
        },
    }
}

pub(crate) fn handshake(
    client: &Arc<ClientConfig>,
    server: &Arc<ServerConfig>,
) -> Result<(Connection, Connection), Failed> {
    let (mut client, mut server) = connect(client, server).map_err(Failed::Client)?;
    run(&mut client, &mut server)?;
    assert!(!client.is_handshaking() && !server.is_handshaking());
    Ok((client, server))
}

/// Sends `message` and reads it on the other side.
pub(crate) fn send(
    from: &mut Connection,
    to: &mut Connection,
    message: &[u8],
) -> Result<(), Error> {
    from.writer().write_all(message).unwrap();
    let (_, arrived) = transfer(from, to, |_| {})?;
    assert_eq!(arrived, message);
    Ok(())
}

/// Exchanges messages of many lengths in both directions, including more than fit into a record.
pub(crate) fn talk(client: &mut Connection, server: &mut Connection) {
    for len in [1, 15, 16, 17, 1000, 16_383, 16_384, 16_385, 40_000] {
        let message: Vec<u8> = (0..len).map(|index: u32| index.to_le_bytes()[0]).collect();
        send(client, server, &message).unwrap();
        send(server, client, &message).unwrap();
    }
}
