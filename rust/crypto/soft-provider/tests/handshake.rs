//! Handshakes in one process against rustls on aws-lc-rs, an implementation that shares no
//! cryptographic code with this one.

use std::io::{Read, Write};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256,
    PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256, PKCS_RSA_SHA384, PKCS_RSA_SHA512, RsaKeySize,
    SignatureAlgorithm,
};
use rustls::crypto::{CryptoProvider, SupportedKxGroup, aws_lc_rs};
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer, ServerName,
};
use rustls::server::WebPkiClientVerifier;
use rustls::{
    CertificateError, CipherSuite, ClientConfig, ClientConnection, Connection, Error,
    HandshakeKind, RootCertStore, ServerConfig, ServerConnection, SupportedCipherSuite,
};
use thread_mqtt_soft_provider::{self as soft, Random, RandomError, kx, suites};

#[derive(Debug)]
struct Os;

impl Random for Os {
    fn fill(buf: &mut [u8]) -> Result<(), RandomError> {
        getrandom::fill(buf).map_err(|_| RandomError)
    }
}

/// A certificate authority with a certificate that it has issued.
struct Identity {
    roots: Arc<RootCertStore>,
    certificate: CertificateDer<'static>,
    key: KeyPair,
}

impl Identity {
    fn new(algorithm: &'static SignatureAlgorithm) -> Self {
        Self::issued_by(KeyPair::generate_for(algorithm).unwrap(), algorithm)
    }

    fn issued_by(ca_key: KeyPair, algorithm: &'static SignatureAlgorithm) -> Self {
        let mut ca = CertificateParams::new([]).unwrap();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca_certificate = ca.self_signed(&ca_key).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(ca_certificate.into()).unwrap();

        let key = KeyPair::generate_for(algorithm).unwrap();
        let certificate = CertificateParams::new(["broker.example".into()])
            .unwrap()
            .signed_by(&key, &Issuer::new(ca, ca_key))
            .unwrap();
        Self {
            roots: Arc::new(roots),
            certificate: certificate.into(),
            key,
        }
    }

    fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![self.certificate.clone()]
    }

    fn pkcs8(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }
}

fn soft_provider(
    suite: SupportedCipherSuite,
    group: &'static dyn SupportedKxGroup,
) -> CryptoProvider {
    CryptoProvider {
        cipher_suites: vec![suite],
        kx_groups: vec![group],
        ..soft::provider::<Os>()
    }
}

fn client_config(provider: CryptoProvider, roots: &Arc<RootCertStore>) -> ClientConfig {
    ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots.clone())
        .with_no_client_auth()
}

fn server_config(provider: CryptoProvider, identity: &Identity) -> ServerConfig {
    ServerConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(identity.chain(), identity.pkcs8())
        .unwrap()
}

fn connect(client: Arc<ClientConfig>, server: Arc<ServerConfig>) -> (Connection, Connection) {
    let name = ServerName::try_from("broker.example").unwrap();
    (
        ClientConnection::new(client, name).unwrap().into(),
        ServerConnection::new(server).unwrap().into(),
    )
}

/// Moves the pending output of `from` to `to`; `change` may modify it. Returns how many bytes there
/// were, and the plaintext that `to` decrypted.
fn transfer(
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

/// Runs both sides until neither has more to send. The error names the side.
fn run(client: &mut Connection, server: &mut Connection) -> Result<(), (&'static str, Error)> {
    loop {
        let (up, _) = transfer(client, server, |_| {}).map_err(|error| ("server", error))?;
        let (down, _) = transfer(server, client, |_| {}).map_err(|error| ("client", error))?;
        if up + down == 0 {
            return Ok(());
        }
    }
}

/// Sends messages of many lengths, including more than fit into a record, and checks their arrival.
fn talk(from: &mut Connection, to: &mut Connection) {
    for len in [1, 15, 16, 17, 1000, 16_383, 16_384, 16_385, 40_000] {
        let message: Vec<u8> = (0..len).map(|index: u32| index.to_le_bytes()[0]).collect();
        from.writer().write_all(&message).unwrap();
        let (_, arrived) = transfer(from, to, |_| {}).unwrap();
        assert_eq!(arrived, message);
    }
}

fn groups() -> [&'static dyn SupportedKxGroup; 3] {
    [
        kx::x25519::<Os>(),
        kx::secp256r1::<Os>(),
        kx::secp384r1::<Os>(),
    ]
}

/// Runs every suite in `list` with every group. Returns how many handshakes there were.
fn run_all(list: &[SupportedCipherSuite], identity: &Identity) -> usize {
    let server = Arc::new(server_config(aws_lc_rs::default_provider(), identity));
    let mut count = 0;
    for suite in list {
        for group in groups() {
            count += 1;
            let client = client_config(soft_provider(*suite, group), &identity.roots);
            let (mut client, mut server) = connect(client.into(), server.clone());
            run(&mut client, &mut server)
                .unwrap_or_else(|error| panic!("{suite:?} {group:?}: {error:?}"));
            assert!(!client.is_handshaking() && !server.is_handshaking());
            assert_eq!(client.negotiated_cipher_suite(), Some(*suite));
            let agreed = client.negotiated_key_exchange_group().unwrap();
            assert_eq!(agreed.name(), group.name());
            talk(&mut client, &mut server);
            talk(&mut server, &mut client);
        }
    }
    count
}

const TLS13: [SupportedCipherSuite; 3] = [
    suites::TLS_AES_128_GCM_SHA256,
    suites::TLS_AES_256_GCM_SHA384,
    suites::TLS_CHACHA20_POLY1305_SHA256,
];

const TLS12_ECDSA: [SupportedCipherSuite; 3] = [
    suites::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    suites::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    suites::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
];

const TLS12_RSA: [SupportedCipherSuite; 3] = [
    suites::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    suites::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    suites::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
];

#[test]
fn every_suite_and_group_with_ecdsa_p256() {
    let identity = Identity::new(&PKCS_ECDSA_P256_SHA256);
    assert_eq!(run_all(&TLS13, &identity), 9);
    assert_eq!(run_all(&TLS12_ECDSA, &identity), 9);
}

#[test]
fn every_suite_and_group_with_ecdsa_p384() {
    let identity = Identity::new(&PKCS_ECDSA_P384_SHA384);
    assert_eq!(run_all(&TLS13, &identity), 9);
    assert_eq!(run_all(&TLS12_ECDSA, &identity), 9);
}

#[test]
fn every_suite_and_group_with_rsa() {
    let identity = Identity::new(&PKCS_RSA_SHA256);
    assert_eq!(run_all(&TLS13, &identity), 9);
    assert_eq!(run_all(&TLS12_RSA, &identity), 9);
}

#[test]
fn long_rsa_keys_and_hashes_in_the_chain() {
    for (algorithm, size) in [
        (&PKCS_RSA_SHA384, RsaKeySize::_3072),
        (&PKCS_RSA_SHA512, RsaKeySize::_4096),
    ] {
        let ca_key = KeyPair::generate_rsa_for(algorithm, size).unwrap();
        let identity = Identity::issued_by(ca_key, &PKCS_RSA_SHA256);
        assert_eq!(run_all(&TLS12_RSA[..1], &identity), 3);
    }
}

/// The provider lists exactly what the tests above covered individually.
#[test]
fn the_provider_is_the_sum_of_its_parts() {
    let provider = soft::provider::<Os>();
    let mut tested: Vec<CipherSuite> = [TLS13, TLS12_ECDSA, TLS12_RSA]
        .concat()
        .iter()
        .map(|suite| suite.suite())
        .collect();
    let mut listed: Vec<CipherSuite> = provider.cipher_suites.iter().map(|s| s.suite()).collect();
    tested.sort_by_key(|suite| u16::from(*suite));
    listed.sort_by_key(|suite| u16::from(*suite));
    assert_eq!(listed, tested);

    let names: Vec<_> = provider
        .kx_groups
        .iter()
        .map(|group| group.name())
        .collect();
    assert_eq!(names, groups().map(|group| group.name()));
    assert!(!provider.fips());
}

/// Both roles on the software provider, including tickets and resumption.
#[test]
fn with_itself_and_resumed() {
    let identity = Identity::new(&PKCS_ECDSA_P256_SHA256);
    for suite in [TLS13[0], TLS12_ECDSA[0]] {
        let provider = soft_provider(suite, kx::x25519::<Os>());
        let client = Arc::new(client_config(provider.clone(), &identity.roots));
        let server = Arc::new(server_config(provider, &identity));
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let (mut client, mut server) = connect(client.clone(), server.clone());
            run(&mut client, &mut server).unwrap();
            assert_eq!(client.handshake_kind(), Some(kind), "{suite:?}");
            talk(&mut client, &mut server);
            talk(&mut server, &mut client);
        }
    }
}

#[test]
fn traffic_keys_change() {
    let identity = Identity::new(&PKCS_ECDSA_P256_SHA256);
    let provider = soft_provider(TLS13[0], kx::x25519::<Os>());
    let client = client_config(provider, &identity.roots);
    let server = server_config(aws_lc_rs::default_provider(), &identity);
    let (mut client, mut server) = connect(client.into(), server.into());
    run(&mut client, &mut server).unwrap();
    client.refresh_traffic_keys().unwrap();
    talk(&mut client, &mut server);
    server.refresh_traffic_keys().unwrap();
    talk(&mut server, &mut client);
}

/// A client certificate, its key in both encodings, checked by the peer.
#[test]
fn client_certificates() {
    let server_identity = Identity::new(&PKCS_ECDSA_P256_SHA256);
    let mut count = 0;
    for algorithm in [&PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384] {
        let identity = Identity::new(algorithm);
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(identity.roots.clone(), provider.clone())
                .build()
                .unwrap();
        let server = Arc::new(
            ServerConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_client_cert_verifier(verifier)
                .with_single_cert(server_identity.chain(), server_identity.pkcs8())
                .unwrap(),
        );
        for suite in [TLS13[0], TLS12_ECDSA[0]] {
            for key in [identity.pkcs8(), sec1(&identity.key)] {
                count += 1;
                let provider = soft_provider(suite, kx::x25519::<Os>());
                let client = ClientConfig::builder_with_provider(provider.into())
                    .with_safe_default_protocol_versions()
                    .unwrap()
                    .with_root_certificates(server_identity.roots.clone())
                    .with_client_auth_cert(identity.chain(), key)
                    .unwrap();
                let (mut client, mut server) = connect(client.into(), server.clone());
                run(&mut client, &mut server).unwrap();
                let seen = server.peer_certificates().unwrap();
                assert_eq!(seen, identity.chain());
            }
        }
    }
    assert_eq!(count, 8);
}

/// Returns the SEC 1 key inside rcgen's PKCS#8: its last octet string. The header before it has the
/// same length for both curves except for the curve's name.
fn sec1(key: &KeyPair) -> PrivateKeyDer<'static> {
    let pkcs8 = key.serialize_der();
    // The inner structure starts with SEQUENCE, version 1 and an octet string of the key's size.
    let start = (1..pkcs8.len() - 4)
        .find(|&at| {
            let inner = &pkcs8[at..];
            matches!(inner, [0x30, _, 0x02, 1, 1, 0x04, 32 | 48, ..])
                || matches!(inner, [0x30, 0x81, _, 0x02, 1, 1, 0x04, 32 | 48, ..])
        })
        .unwrap();
    PrivateSec1KeyDer::from(pkcs8[start..].to_vec()).into()
}

#[test]
fn keys_that_cannot_sign_say_why() {
    let load = |key| {
        let error = soft::KEYS.load_private_key(key).unwrap_err();
        error.to_string()
    };
    let rsa = Identity::new(&PKCS_RSA_SHA256);
    assert!(load(rsa.pkcs8()).contains("is an RSA key"));
    let pkcs1 = PrivateKeyDer::Pkcs1(vec![0x30, 0].into());
    assert!(load(pkcs1).contains("is an RSA key"));
    let ed25519 = Identity::new(&rcgen::PKCS_ED25519);
    assert!(load(ed25519.pkcs8()).contains("unsupported type"));

    let p256 = Identity::new(&PKCS_ECDSA_P256_SHA256);
    let der = p256.key.serialize_der();
    for len in 0..der.len() {
        let cut = PrivatePkcs8KeyDer::from(der[..len].to_vec());
        assert!(load(cut.into()).contains("damaged"), "cut to {len}");
        let cut = PrivateSec1KeyDer::from(der[..len].to_vec());
        assert!(load(cut.into()).contains("damaged"), "cut to {len}");
    }
}

/// A certificate with a key that does not match is refused when the configuration is made.
#[test]
fn keys_must_match_their_certificate() {
    let [one, other] = [0, 1].map(|_| Identity::new(&PKCS_ECDSA_P256_SHA256));
    let provider = soft::provider::<Os>();
    let config = ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(one.roots.clone())
        .with_client_auth_cert(one.chain(), other.pkcs8());
    assert!(
        matches!(config, Err(Error::InconsistentKeys(_))),
        "{config:?}"
    );
}

#[test]
fn foreign_authority_is_refused() {
    for algorithm in [
        &PKCS_ECDSA_P256_SHA256,
        &PKCS_ECDSA_P384_SHA384,
        &PKCS_RSA_SHA256,
    ] {
        let [one, other] = [0, 1].map(|_| Identity::new(algorithm));
        let client = client_config(soft::provider::<Os>(), &other.roots);
        let server = server_config(aws_lc_rs::default_provider(), &one);
        let (mut client, mut server) = connect(client.into(), server.into());
        let failed = run(&mut client, &mut server);
        // Both authorities have the same name, so it is the signature that is wrong.
        let expected = Error::InvalidCertificate(CertificateError::BadSignature);
        assert_eq!(failed, Err(("client", expected)));
    }
}

/// Changing one bit of a record anywhere after its header, or truncating it, is an error.
#[test]
fn damaged_records_are_refused() {
    let identity = Identity::new(&PKCS_ECDSA_P256_SHA256);
    let server = Arc::new(server_config(aws_lc_rs::default_provider(), &identity));
    for suite in [TLS13, TLS12_ECDSA].concat() {
        for (at, refused) in [
            (5, true),
            (12, true),
            (13, true),
            (30, true),
            (usize::MAX, false),
        ] {
            let provider = soft_provider(suite, kx::x25519::<Os>());
            let client = client_config(provider, &identity.roots);
            let (mut client, mut server) = connect(client.into(), server.clone());
            run(&mut client, &mut server).unwrap();
            server.writer().write_all(b"sixteen bytes...").unwrap();
            let arrived = transfer(&mut server, &mut client, |wire| {
                if let Some(byte) = wire.get_mut(at) {
                    *byte ^= 0x10;
                }
            });
            match refused {
                true => assert_eq!(arrived, Err(Error::DecryptError), "{suite:?} byte {at}"),
                false => assert_eq!(arrived.unwrap().1, b"sixteen bytes...", "{suite:?}"),
            }
        }

        // Records too short to hold a tag.
        for len in 0..24 {
            let provider = soft_provider(suite, kx::x25519::<Os>());
            let client = client_config(provider, &identity.roots);
            let (mut client, mut server) = connect(client.into(), server.clone());
            run(&mut client, &mut server).unwrap();
            server.writer().write_all(b"sixteen bytes...").unwrap();
            let arrived = transfer(&mut server, &mut client, |wire| {
                wire.truncate(5 + len);
                wire[4] = u8::try_from(len).unwrap();
            });
            assert!(arrived.is_err(), "{suite:?} length {len}");
        }
    }
}

#[derive(Debug)]
struct Exhausted;

impl Random for Exhausted {
    fn fill(_: &mut [u8]) -> Result<(), RandomError> {
        Err(RandomError)
    }
}

/// All ones is not a scalar of a NIST curve, however often it is drawn.
#[derive(Debug)]
struct Stuck;

impl Random for Stuck {
    fn fill(buf: &mut [u8]) -> Result<(), RandomError> {
        buf.fill(0xff);
        Ok(())
    }
}

#[test]
fn without_randomness_nothing_starts() {
    let started = |group: &dyn SupportedKxGroup| group.start().map(|_| ()).unwrap_err();
    assert_eq!(
        [
            started(kx::x25519::<Exhausted>()),
            started(kx::secp256r1::<Exhausted>()),
            started(kx::secp384r1::<Exhausted>()),
            started(kx::secp256r1::<Stuck>()),
            started(kx::secp384r1::<Stuck>()),
        ],
        [const { Error::FailedToGetRandomBytes }; 5]
    );
    let filled = soft::secure_random::<Exhausted>().fill(&mut [0; 4]);
    assert!(filled.is_err());
}
