//! Handshakes against rustls on aws-lc-rs: versions, suites, groups, certificates.

mod common;

use std::sync::Arc;
use std::thread;

use common::*;
use rcgen::{DnType, date_time_ymd};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, PrivateSec1KeyDer, SubjectPublicKeyInfoDer,
};
use rustls::sign::{CertifiedKey, SigningKey};
use rustls::version::{TLS12, TLS13};
use rustls::{
    CertificateError, Error, HandshakeKind, PeerMisbehaved, SignatureScheme, SupportedCipherSuite,
};
use thread_mqtt_psa::{
    Algorithm, Attributes, Hash, Key, KeyId, KeyType, Status, Usage, host, keys_not_destroyed,
};
use thread_mqtt_psa_provider::{KeyError, kx, signing_key, suites, take_last_failure};

/// Runs `test` alone, and checks that every key slot is freed.
fn leaving_no_keys(test: impl FnOnce()) {
    let _alone = alone();
    let before = host::counters().slots;
    test();
    assert_eq!(host::counters().slots, before, "key slots");
    assert_eq!(keys_not_destroyed(), 0);
}

fn suites_for(kind: Kind) -> Vec<SupportedCipherSuite> {
    let mut fitting = vec![
        suites::TLS_AES_128_GCM_SHA256,
        suites::TLS_AES_256_GCM_SHA384,
        suites::TLS_CHACHA20_POLY1305_SHA256,
    ];
    fitting.extend(match kind.is_rsa() {
        true => [
            suites::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            suites::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
            suites::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        ],
        false => [
            suites::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            suites::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            suites::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        ],
    });
    fitting
}

#[test]
fn every_suite_with_every_certificate_and_records_of_all_lengths() {
    leaving_no_keys(|| {
        let mut count = 0;
        for kind in [P256, P384, RSA_2048, RSA_3072, RSA_4096] {
            let authority = Authority::new(kind);
            let server = Arc::new(server(&Identity::new(&authority, kind)));
            for suite in suites_for(kind) {
                let mut provider = psa();
                provider.cipher_suites = vec![suite];
                let client = Arc::new(client(provider, &authority));
                let (mut client, mut server) = handshake(&client, &server).unwrap();
                assert_eq!(client.negotiated_cipher_suite(), Some(suite));
                talk(&mut client, &mut server);
                count += 1;
            }
        }
        assert_eq!(count, 30);
        assert_eq!(take_last_failure(), None);
    });
}

/// Root, two intermediates and leaf, each with another type of key, in messages split into small
/// records.
#[test]
fn long_chains_in_small_records() {
    leaving_no_keys(|| {
        for kinds in [
            [RSA_4096, P384, RSA_2048, P256],
            [P256, RSA_3072, P384, RSA_2048],
            [P384, P256, RSA_4096, P384],
        ] {
            let [root, upper, lower, leaf] = kinds;
            let root = Authority::new(root);
            let (upper, upper_certificate) = root.intermediate(upper);
            let (lower, lower_certificate) = upper.intermediate(lower);
            let identity = Identity::new(&lower, leaf);
            let chain = vec![
                identity.certificate.clone(),
                lower_certificate,
                upper_certificate,
            ];
            for version in [&TLS12, &TLS13] {
                let provider = aws_lc_rs::default_provider();
                let mut server = rustls::ServerConfig::builder_with_provider(provider.into())
                    .with_protocol_versions(&[version])
                    .unwrap()
                    .with_no_client_auth()
                    .with_single_cert(chain.clone(), identity.pkcs8())
                    .unwrap();
                server.max_fragment_size = Some(64);
                let client = Arc::new(client(psa(), &root));
                let (mut client, mut server) = handshake(&client, &Arc::new(server)).unwrap();
                assert_eq!(client.peer_certificates().unwrap(), chain);
                talk(&mut client, &mut server);
            }
        }
    });
}

#[test]
fn every_group_in_both_versions() {
    leaving_no_keys(|| {
        let authority = Authority::new(P256);
        let server = Arc::new(server(&Identity::new(&authority, P256)));
        for suite in [
            suites::TLS_AES_128_GCM_SHA256,
            suites::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        ] {
            for group in [kx::X25519, kx::SECP256R1, kx::SECP384R1] {
                let mut provider = psa();
                provider.cipher_suites = vec![suite];
                provider.kx_groups = vec![group];
                let client = Arc::new(client(provider, &authority));
                let (mut client, mut server) = handshake(&client, &server).unwrap();
                let negotiated = client.negotiated_key_exchange_group().unwrap();
                assert_eq!(negotiated.name(), group.name());
                send(&mut client, &mut server, b"hello").unwrap();
            }
        }
    });
}

#[test]
fn a_server_may_ask_for_another_group() {
    leaving_no_keys(|| {
        let authority = Authority::new(P256);
        let identity = Identity::new(&authority, P256);
        for (offered, wanted) in [
            (kx::X25519, aws_lc_rs::kx_group::SECP384R1),
            (kx::SECP256R1, aws_lc_rs::kx_group::X25519),
            (kx::SECP384R1, aws_lc_rs::kx_group::SECP256R1),
        ] {
            let mut choosy = aws_lc_rs::default_provider();
            choosy.kx_groups = vec![wanted];
            let server = Arc::new(server_with(choosy, &identity));
            let mut provider = psa();
            // The client sends a key share for the first group.
            provider
                .kx_groups
                .sort_by_key(|group| group.name() != offered.name());
            let client = Arc::new(client(provider, &authority));
            let (mut client, mut server) = handshake(&client, &server).unwrap();
            let kind = client.handshake_kind();
            assert_eq!(kind, Some(HandshakeKind::FullWithHelloRetryRequest));
            send(&mut server, &mut client, b"hello").unwrap();
        }
    });
}

#[test]
fn sessions_resume_in_both_versions() {
    leaving_no_keys(|| {
        let authority = Authority::new(RSA_2048);
        let identity = Identity::new(&authority, RSA_2048);
        for (suite, version) in [
            (suites::TLS_AES_256_GCM_SHA384, &TLS13),
            (suites::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, &TLS12),
        ] {
            let mut server = server(&identity);
            if version.version == TLS12.version {
                server.ticketer = aws_lc_rs::Ticketer::new().unwrap();
            }
            let server = Arc::new(server);
            let mut provider = psa();
            provider.cipher_suites = vec![suite];
            let client = Arc::new(client(provider, &authority));
            for expected in [
                HandshakeKind::Full,
                HandshakeKind::Resumed,
                HandshakeKind::Resumed,
            ] {
                let (mut client, mut server) = handshake(&client, &server).unwrap();
                assert_eq!(client.handshake_kind(), Some(expected));
                send(&mut client, &mut server, b"hello").unwrap();
                send(&mut server, &mut client, b"hello").unwrap();
            }
        }
    });
}

#[test]
fn keys_are_updated_on_request() {
    leaving_no_keys(|| {
        let authority = Authority::new(P256);
        let server = Arc::new(server(&Identity::new(&authority, P256)));
        let client = Arc::new(client(psa(), &authority));
        let (mut client, mut server) = handshake(&client, &server).unwrap();
        for _ in 0..3 {
            server.refresh_traffic_keys().unwrap();
            talk(&mut client, &mut server);
            client.refresh_traffic_keys().unwrap();
            talk(&mut client, &mut server);
        }
    });
}

/// The public half of a key in PSA, for its certificate.
struct PublicKey(Vec<u8>, &'static rcgen::SignatureAlgorithm);

impl PublicKey {
    fn of(key: KeyId, kind: Kind) -> Self {
        let mut out = vec![0; 1024];
        Self(key.export_public(&mut out).unwrap().to_vec(), kind.0)
    }
}

impl rcgen::PublicKeyData for PublicKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        self.1
    }
}

/// Returns a key that was generated in PSA and cannot be exported.
fn generated(bits: u32, algorithm: Algorithm) -> Key {
    Key::generate(&Attributes {
        key_type: KeyType::SECP_R1_KEY_PAIR,
        bits,
        usage: Usage::SIGN_HASH,
        algorithm,
    })
    .unwrap()
}

/// Returns an RSA key that cannot be exported from PSA; this build of Mbed TLS generates none.
fn rsa_in_psa(size: Kind, algorithm: Algorithm) -> Key {
    let attributes = Attributes {
        key_type: KeyType::RSA_KEY_PAIR,
        bits: 0,
        usage: Usage::SIGN_HASH,
        algorithm,
    };
    Key::import(&attributes, &rsa_private_key(&size.generate())).unwrap()
}

/// Returns the PKCS#1 key inside rcgen's PKCS#8: the last OCTET STRING.
fn rsa_private_key(key: &rcgen::KeyPair) -> Vec<u8> {
    let der = key.serialize_der();
    // SEQUENCE, INTEGER 0, AlgorithmIdentifier with NULL, OCTET STRING of 2 length bytes.
    let start = 4 + 3 + 15 + 4;
    assert_eq!(der[start], 0x30);
    der[start..].to_vec()
}

/// Returns the SEC 1 key inside rcgen's PKCS#8 for P-256 or P-384.
fn sec1_private_key(key: &rcgen::KeyPair) -> Vec<u8> {
    let der = key.serialize_der();
    // INTEGER 1 and the OCTET STRING of the scalar, in a SEQUENCE with 2 or 3 bytes of header.
    let version = der
        .windows(4)
        .position(|window| window == [0x02, 0x01, 0x01, 0x04])
        .unwrap();
    let header = [2, 3].into_iter().find(|len| der[version - len] == 0x30);
    let start = version - header.unwrap();
    der[start..].to_vec()
}

/// Runs a full handshake in which the client authenticates with `key`.
fn mutual(
    version: &'static rustls::SupportedProtocolVersion,
    certify: &Authority,
    certificate: CertificateDer<'static>,
    key: Arc<dyn SigningKey>,
) -> Result<(), Failed> {
    let authority = Authority::new(P256);
    let server = mutual_server(version, &Identity::new(&authority, P256), certify);
    let mut client = client(psa(), &authority);
    client.client_auth_cert_resolver = Presents::new(certificate.clone(), key);
    let (mut client, mut server) = handshake(&Arc::new(client), &Arc::new(server))?;
    assert_eq!(server.peer_certificates().unwrap(), [certificate]);
    send(&mut client, &mut server, b"hello").unwrap();
    send(&mut server, &mut client, b"hello").unwrap();
    Ok(())
}

#[test]
fn clients_prove_themselves_with_keys_that_never_leave_psa() {
    leaving_no_keys(|| {
        let authority = Authority::new(P384);
        let ecdsa = |bits, algorithm| generated(bits, algorithm);
        let keys = [
            (P256, ecdsa(256, Algorithm::ecdsa(Hash::Sha256)), true),
            (P256, ecdsa(256, Algorithm::ecdsa(Hash::Any)), true),
            (
                P256,
                ecdsa(256, Algorithm::deterministic_ecdsa(Hash::Any)),
                true,
            ),
            (P384, ecdsa(384, Algorithm::ecdsa(Hash::Sha384)), true),
            (
                RSA_2048,
                rsa_in_psa(RSA_2048, Algorithm::rsa_pss(Hash::Any)),
                true,
            ),
            (
                RSA_2048,
                rsa_in_psa(RSA_2048, Algorithm::rsa_pss(Hash::Sha384)),
                true,
            ),
            (
                RSA_3072,
                rsa_in_psa(RSA_3072, Algorithm::rsa_pss(Hash::Sha512)),
                true,
            ),
            (
                RSA_4096,
                rsa_in_psa(RSA_4096, Algorithm::rsa_pss(Hash::Any)),
                true,
            ),
            // TLS 1.3 allows PKCS#1 v1.5 only in certificates (RFC 8446, section 4.2.3).
            (
                RSA_2048,
                rsa_in_psa(RSA_2048, Algorithm::rsa_pkcs1(Hash::Any)),
                false,
            ),
        ];
        for (kind, key, in_tls13) in &keys {
            let certificate = authority.certify(&PublicKey::of(**key, *kind));
            let signer = signing_key(**key).unwrap();
            mutual(&TLS12, &authority, certificate.clone(), signer.clone()).unwrap();
            let result = mutual(&TLS13, &authority, certificate, signer);
            assert_eq!(result.is_ok(), *in_tls13, "{kind:?} {result:?}");
        }
    });
}

#[test]
fn clients_prove_themselves_with_imported_keys() {
    leaving_no_keys(|| {
        let authority = Authority::new(P256);
        let provider = psa();
        for kind in [P256, P384, RSA_2048, RSA_4096] {
            let key = kind.generate();
            let certificate = authority.certify(&key);
            let identity = Identity {
                certificate: certificate.clone(),
                key,
            };
            let bare: PrivateKeyDer<'_> = match kind.is_rsa() {
                true => PrivatePkcs1KeyDer::from(rsa_private_key(&identity.key)).into(),
                false => PrivateSec1KeyDer::from(sec1_private_key(&identity.key)).into(),
            };
            for der in [identity.pkcs8(), bare] {
                let signer = provider.key_provider.load_private_key(der).unwrap();
                mutual(&TLS12, &authority, certificate.clone(), signer.clone()).unwrap();
                mutual(&TLS13, &authority, certificate.clone(), signer).unwrap();
            }
        }
    });
}

#[test]
fn keys_that_cannot_sign_for_tls_are_refused() {
    leaving_no_keys(|| {
        let key = |key_type, bits, usage, algorithm| {
            Key::generate(&Attributes {
                key_type,
                bits,
                usage,
                algorithm,
            })
            .unwrap()
        };
        let ec = KeyType::SECP_R1_KEY_PAIR;
        let ecdsa = Algorithm::ecdsa(Hash::Any);
        let no_usage = key(ec, 256, Usage::VERIFY_HASH, ecdsa);
        let other_hash = key(ec, 256, Usage::SIGN_HASH, Algorithm::ecdsa(Hash::Sha384));
        let for_ecdh = key(ec, 256, Usage::DERIVE, Algorithm::ECDH);
        for key in [&no_usage, &other_hash, &for_ecdh] {
            assert_eq!(signing_key(**key).unwrap_err(), KeyError::Policy);
        }
        let x25519 = key(
            KeyType::MONTGOMERY_KEY_PAIR,
            255,
            Usage::DERIVE,
            Algorithm::ECDH,
        );
        assert!(signing_key(*x25519).is_err());
        let aes = key(KeyType::AES, 128, Usage::SIGN_HASH, Algorithm::GCM);
        assert_eq!(signing_key(*aes).unwrap_err(), KeyError::Unsupported);
        let nobody = signing_key(KeyId(0x1234_5678)).unwrap_err();
        assert_eq!(nobody, KeyError::Missing);
    });
}

#[test]
fn damaged_key_files_are_refused_without_a_trace() {
    leaving_no_keys(|| {
        let keys = psa().key_provider;
        let p256 = Identity::new(&Authority::new(P256), P256);
        let PrivateKeyDer::Pkcs8(whole) = p256.pkcs8() else {
            unreachable!()
        };
        let whole = whole.secret_pkcs8_der();
        for len in 0..whole.len() {
            let cut = rustls::pki_types::PrivatePkcs8KeyDer::from(whole[..len].to_vec());
            assert!(keys.load_private_key(cut.into()).is_err(), "{len} bytes");
        }
        let ed25519 = Identity::new(&Authority::new(P256), ED25519);
        let error = keys.load_private_key(ed25519.pkcs8()).unwrap_err();
        assert!(error.to_string().contains("unsupported type"), "{error}");
        // Valid on the outside, without a key inside.
        let zero = b"\x30\x25\x02\x01\x01\x04\x20".iter().copied();
        let zero: Vec<u8> = zero.chain([0; 32]).collect();
        let error = keys
            .load_private_key(PrivateSec1KeyDer::from(zero).into())
            .unwrap_err();
        assert!(error.to_string().contains("psa_import_key"), "{error}");
        take_last_failure();
    });
}

/// Returns the error with which the client rejects the server.
fn refusal(authority: &Authority, server: rustls::ServerConfig) -> Error {
    let client = Arc::new(client(psa(), authority));
    handshake(&client, &Arc::new(server)).unwrap_err().client()
}

#[test]
fn servers_that_are_not_who_they_say_are_refused() {
    leaving_no_keys(|| {
        let authority = Authority::new(RSA_2048);
        let certified = |change: fn(&mut rcgen::CertificateParams)| {
            let key = P256.generate();
            server(&Identity {
                certificate: authority.certify_with(&key, change),
                key,
            })
        };
        let invalid = |error| matches!(error, Error::InvalidCertificate(_));

        let stranger = Authority::new(RSA_2048);
        let error = refusal(&authority, server(&Identity::new(&stranger, P256)));
        // Same name, other key: it is the certificate's signature that is wrong.
        assert!(
            matches!(
                error,
                Error::InvalidCertificate(
                    CertificateError::BadSignature | CertificateError::UnknownIssuer
                )
            ),
            "{error:?}"
        );

        let wrong_name = certified(|params| {
            params.subject_alt_names.clear();
            params
                .distinguished_name
                .push(DnType::CommonName, "broker.example");
        });
        assert!(invalid(refusal(&authority, wrong_name)));
        let expired = certified(|params| params.not_after = date_time_ymd(2020, 1, 1));
        assert!(invalid(refusal(&authority, expired)));
        let early = certified(|params| params.not_before = date_time_ymd(3020, 1, 1));
        assert!(invalid(refusal(&authority, early)));
        assert_eq!(take_last_failure(), None, "nothing of this is PSA's fault");
    });
}

/// Signs with a key other than the certificate's.
#[test]
fn wrong_signatures_in_the_handshake_are_refused() {
    leaving_no_keys(|| {
        for kind in [P256, P384, RSA_2048] {
            let authority = Authority::new(kind);
            for version in [&TLS12, &TLS13] {
                let honest = Identity::new(&authority, kind);
                let liar = aws_lc_rs::default_provider()
                    .key_provider
                    .load_private_key(Identity::new(&authority, kind).pkcs8())
                    .unwrap();
                let key = CertifiedKey::new(vec![honest.certificate.clone()], liar);
                let provider = aws_lc_rs::default_provider();
                let server = rustls::ServerConfig::builder_with_provider(provider.into())
                    .with_protocol_versions(&[version])
                    .unwrap()
                    .with_no_client_auth()
                    .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(key)));
                let error = refusal(&authority, server);
                assert_eq!(
                    error,
                    Error::InvalidCertificate(CertificateError::BadSignature)
                );
            }
        }
    });
}

#[test]
fn a_single_wrong_bit_ends_the_connection() {
    leaving_no_keys(|| {
        let authority = Authority::new(P256);
        let server_config = Arc::new(server(&Identity::new(&authority, P256)));
        for suite in suites_for(P256) {
            let mut provider = psa();
            provider.cipher_suites = vec![suite];
            let config = Arc::new(client(provider, &authority));
            for from_the_end in [1, 16, 17, 20] {
                let (mut client, mut server) = handshake(&config, &server_config).unwrap();
                std::io::Write::write_all(&mut server.writer(), b"hello").unwrap();
                let error = transfer(&mut server, &mut client, |wire| {
                    let index = wire.len() - from_the_end;
                    wire[index] ^= 0x10;
                })
                .unwrap_err();
                assert_eq!(error, Error::DecryptError, "{suite:?}");
            }
        }
        assert_eq!(take_last_failure(), None, "nothing of this is PSA's fault");
    });
}

/// A share that is not on the curve.
#[test]
fn an_invalid_key_share_is_the_peers_fault() {
    leaving_no_keys(|| {
        let authority = Authority::new(P256);
        let mut only_p256 = aws_lc_rs::default_provider();
        only_p256.kx_groups = vec![aws_lc_rs::kx_group::SECP256R1];
        let server = Arc::new(server_with(only_p256, &Identity::new(&authority, P256)));
        let mut provider = psa();
        provider.kx_groups = vec![kx::SECP256R1];
        let config = Arc::new(client(provider, &authority));
        let (mut client, mut server) = connect(&config, &server).unwrap();
        transfer(&mut client, &mut server, |_| {}).unwrap();
        let error = transfer(&mut server, &mut client, |wire| {
            // The last byte of the y coordinate ends the ServerHello.
            let len = usize::from(u16::from_be_bytes([wire[3], wire[4]]));
            let share = wire[..5 + len]
                .windows(4)
                .position(|window| window == [0x00, 0x17, 0x00, 0x41])
                .unwrap();
            wire[share + 4 + 64] ^= 1;
        })
        .unwrap_err();
        assert_eq!(error, PeerMisbehaved::InvalidKeyShare.into());
    });
}

/// Also checks what the documentation says about key slots.
#[test]
fn a_connection_takes_few_key_slots() {
    let _alone = alone();
    let key = generated(256, Algorithm::ecdsa(Hash::Any));
    let certify = Authority::new(P256);
    let certificate = certify.certify(&PublicKey::of(*key, P256));
    for (version, most) in [(&TLS12, 3), (&TLS13, 5)] {
        let signer = signing_key(*key).unwrap();
        let before = host::counters().slots;
        host::reset();
        mutual(version, &certify, certificate.clone(), signer).unwrap();
        let counters = host::counters();
        assert_eq!(counters.slots, before);
        assert_eq!(counters.most_slots - before, most, "{version:?}");
    }
}

#[test]
fn connections_in_several_threads_do_not_disturb_each_other() {
    leaving_no_keys(|| {
        let authority = Authority::new(P256);
        let server = Arc::new(server(&Identity::new(&authority, P256)));
        let client = Arc::new(client(psa(), &authority));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..5 {
                        let (mut client, mut server) = handshake(&client, &server).unwrap();
                        talk(&mut client, &mut server);
                    }
                });
            }
        });
    });
}

#[test]
fn the_public_key_is_the_certificates() {
    leaving_no_keys(|| {
        let key = generated(256, Algorithm::ecdsa(Hash::Any));
        let signer = signing_key(*key).unwrap();
        let spki: SubjectPublicKeyInfoDer<'_> = signer.public_key().unwrap();
        assert!(spki.as_ref().ends_with(&PublicKey::of(*key, P256).0));
        assert_eq!(signer.algorithm(), rustls::SignatureAlgorithm::ECDSA);
        let schemes = [
            SignatureScheme::ECDSA_NISTP384_SHA384,
            SignatureScheme::RSA_PSS_SHA256,
        ];
        assert!(signer.choose_scheme(&schemes).is_none());
        let error = signer
            .choose_scheme(&[SignatureScheme::ECDSA_NISTP256_SHA256])
            .map(|signer| {
                host::fail(1, u32::MAX, Status(-147));
                let error = signer.sign(b"message").unwrap_err();
                host::reset();
                error
            })
            .unwrap();
        assert!(error.to_string().contains("-147"), "{error}");
        take_last_failure();
    });
}
