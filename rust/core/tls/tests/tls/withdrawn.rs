//! Algorithms that the provider's backend turns out to lack on first use.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::crypto::{ActiveKeyExchange, SupportedKxGroup, WebPkiSupportedAlgorithms};
use rustls::ffdhe_groups::FfdheGroup;
use rustls::pki_types::{
    AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id,
};
use rustls::{Error, NamedGroup, ProtocolVersion};
use thread_mqtt_tls::{
    Config, Connection, CryptoProvider, Group, ProviderFailure, SignatureScheme, TlsError, Version,
};

use crate::pair::{Pair, Server, client, connect, soft};
use crate::pki::{NAME, NOW, Pki};

const P256: &rcgen::SignatureAlgorithm = &rcgen::PKCS_ECDSA_P256_SHA256;
const RSA: &rcgen::SignatureAlgorithm = &rcgen::PKCS_RSA_SHA256;

/// X25519, until it is used.
#[derive(Debug, Default)]
struct Missing(AtomicBool);

impl SupportedKxGroup for Missing {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        self.0.store(true, Ordering::Relaxed);
        Err(Error::General("PSA status -134".into()))
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }

    fn usable_for_version(&self, _: ProtocolVersion) -> bool {
        !self.0.load(Ordering::Relaxed)
    }
}

fn config(pki: &Pki, version: Version, others: bool) -> Config {
    let missing: &'static Missing = Box::leak(Box::default());
    let mut groups: Vec<&'static dyn SupportedKxGroup> = vec![missing];
    if others {
        let rest = soft().kx_groups.into_iter();
        groups.extend(rest.filter(|group| group.name() != NamedGroup::X25519));
    }
    let provider = CryptoProvider {
        kx_groups: groups,
        ..soft()
    };
    let builder = Config::builder(provider).ca(&pki.root).unwrap();
    builder.versions(&[version]).build().unwrap()
}

/// The key share of TLS 1.3 is regenerated with the next group, in the same attempt.
#[test]
fn a_group_that_is_missing_is_left_out_at_once() {
    let pki = Pki::new(P256, 2);
    let config = config(&pki, Version::Tls13, true);
    for _ in 0..2 {
        let mut pair = Pair::new(&config, &Server::new(&pki));
        pair.exchange();
        let agreed = pair.client.agreed().unwrap();
        assert_eq!(agreed.group(), Some(Group::Secp256r1.name()));
        assert!(!agreed.retried);
    }
}

/// TLS 1.2 finds out when the broker has chosen it: the next connection does not offer it.
#[test]
fn tls_1_2_does_without_it_from_the_next_connection_on() {
    let pki = Pki::new(RSA, 2);
    let config = config(&pki, Version::Tls12, true);
    let mut server = Server::new(&pki);
    server.groups = vec![Group::X25519, Group::Secp256r1];
    assert!(Pair::new(&config, &server).run().is_err());
    let mut pair = Pair::new(&config, &server);
    pair.exchange();
    let agreed = pair.client.agreed().unwrap();
    assert_eq!(agreed.group(), Some(Group::Secp256r1.name()));
}

#[test]
fn without_another_group_it_stays_an_error() {
    let pki = Pki::new(P256, 2);
    let config = config(&pki, Version::Tls13, false);
    for _ in 0..2 {
        assert!(Connection::new(&config, NAME, NOW).is_err());
    }
}

#[test]
fn a_scheme_that_is_withdrawn_is_not_offered() {
    let without_p256 = |scheme| scheme == SignatureScheme::ECDSA_NISTP256_SHA256;
    for (algorithm, works) in [(P256, false), (RSA, true)] {
        let pki = Pki::new(algorithm, 2);
        let config = client(&pki).withdrawn_schemes(without_p256).build();
        let server = Server::new(&pki).start();
        let mut pair = Pair::of(connect(&config.unwrap()), server);
        assert_eq!(pair.run().is_ok(), works);
    }
}

/// ECDSA on P-256 with a backend that fails once.
#[derive(Debug)]
struct FailsOnce(&'static dyn SignatureVerificationAlgorithm);

thread_local! {
    static HAS_FAILED: Cell<bool> = const { Cell::new(false) };
    static FAILURE: Cell<Option<ProviderFailure>> = const { Cell::new(None) };
}

const OUT_OF_MEMORY: ProviderFailure = ProviderFailure {
    call: "psa_verify_hash",
    status: -141,
    meaning: "insufficient memory",
    no_room_for_record: false,
};

impl SignatureVerificationAlgorithm for FailsOnce {
    fn verify_signature(
        &self,
        key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        if HAS_FAILED.replace(true) {
            return self.0.verify_signature(key, message, signature);
        }
        FAILURE.set(Some(OUT_OF_MEMORY));
        Err(InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.0.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.0.signature_alg_id()
    }
}

/// It failed with another CA of the same name: a later error has a cause of its own.
#[test]
fn a_failure_that_did_not_matter_is_not_told_later() {
    let pki = Pki::new(P256, 1);
    let real = soft().signature_verification_algorithms;
    let is_p256 = |algorithm: &&&dyn SignatureVerificationAlgorithm| {
        algorithm.signature_alg_id() == alg_id::ECDSA_SHA256
    };
    let p256 = real.all.iter().find(is_p256).unwrap();
    let failing: &'static FailsOnce = Box::leak(Box::new(FailsOnce(*p256)));
    let provider = CryptoProvider {
        signature_verification_algorithms: WebPkiSupportedAlgorithms {
            all: Box::leak(Box::new([failing as &dyn SignatureVerificationAlgorithm])),
            mapping: real.mapping,
        },
        ..soft()
    };
    let config = Config::builder(provider)
        .ca(&Pki::impostor(P256))
        .unwrap()
        .ca(&pki.root)
        .unwrap()
        .provider_failures(|| FAILURE.take())
        .build()
        .unwrap();
    let mut pair = Pair::new(&config, &Server::new(&pki));
    pair.exchange();
    assert!(HAS_FAILED.get());
    pair.to_client.extend([23, 3, 3, 0, 17]);
    pair.to_client.extend([0; 17]);
    let error = pair.run().unwrap_err();
    assert!(!matches!(error, TlsError::CryptoFailed(_)), "{error:?}");
}

/// A record was too large, and then the close_notify could not be encrypted.
#[test]
fn a_failure_of_the_goodbye_is_not_told_in_place_of_the_reason() {
    let pki = Pki::new(P256, 1);
    let config = client(&pki)
        .max_inbound(2_048)
        .provider_failures(|| FAILURE.take())
        .build()
        .unwrap();
    let mut pair = Pair::new(&config, &Server::new(&pki));
    pair.exchange();
    FAILURE.set(Some(OUT_OF_MEMORY));
    let error = pair.client.handle_ciphertext(&[23, 3, 3, 0x40, 0]);
    assert!(
        matches!(error, Err(TlsError::RecordTooLarge { .. })),
        "{error:?}"
    );
}
