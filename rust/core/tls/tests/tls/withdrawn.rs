//! What the provider's backend turns out not to have when it is first used.

use std::sync::atomic::{AtomicBool, Ordering};

use rustls::crypto::{ActiveKeyExchange, SupportedKxGroup};
use rustls::ffdhe_groups::FfdheGroup;
use rustls::{Error, NamedGroup, ProtocolVersion};
use thread_mqtt_tls::{Config, Connection, CryptoProvider, Group, SignatureScheme, Version};

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

/// The key share of TLS 1.3 is made anew with the next group, in the same attempt.
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

/// TLS 1.2 finds out when the broker has chosen it: the next connection does without.
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
