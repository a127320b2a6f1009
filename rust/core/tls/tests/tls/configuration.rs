//! Configuration errors name the culprit.

use rcgen::PKCS_ECDSA_P256_SHA256 as P256;
use thread_mqtt_tls::{
    Config, ConfigBuilder, ConfigError, Given, Group, PublicKey, Suite, Version,
};

use crate::pair::{Pair, Server, client, soft};
use crate::pki::{Pki, ca_params, leaf_params, pem};

fn error(result: Result<ConfigBuilder, ConfigError>) -> ConfigError {
    result.map(drop).unwrap_err()
}

fn build_error(builder: ConfigBuilder) -> ConfigError {
    let error = builder.build().map(drop).unwrap_err();
    assert!(error.to_string().len() > 30, "{error}");
    error
}

#[test]
fn nothing_to_trust() {
    let error = build_error(Config::builder(soft()));
    assert_eq!(error, ConfigError::NoCertificate);
    assert_eq!(error.given(), Some(Given::Ca));
}

fn ca(bytes: &[u8]) -> Result<ConfigBuilder, ConfigError> {
    Config::builder(soft()).ca(bytes)
}

#[test]
fn bundles_with_text_between_the_certificates() {
    let pki = Pki::new(&P256, 2);
    let other = Pki::of(&P256, ca_params("Other"), [], leaf_params());
    let bundle = format!(
        "# The broker's CA\nsubject=CN = Other\n{}\r\n\n  0 s:/CN=Root\n{}trailing text",
        pem(&other.root),
        pem(&pki.root).replace('\n', "\r\n"),
    );
    let config = ca(bundle.as_bytes()).unwrap().build().unwrap();
    Pair::new(&config, &Server::new(&pki)).exchange();
    // DER, in several calls.
    let config = ca(&other.root).unwrap().ca(&pki.root).unwrap();
    Pair::new(&config.build().unwrap(), &Server::new(&pki)).exchange();
}

#[test]
fn trust_anchors_that_are_part_of_the_program() {
    let pki = Pki::new(&P256, 1);
    let anchor = webpki_anchor(&pki);
    let config = Config::builder(soft()).anchors([anchor]).build().unwrap();
    Pair::new(&config, &Server::new(&pki)).exchange();
}

fn webpki_anchor(pki: &Pki) -> thread_mqtt_tls::TrustAnchor<'static> {
    let mut store = rustls::RootCertStore::empty();
    store.add(pki.root.clone()).unwrap();
    store.roots.remove(0)
}

#[test]
fn client_identities() {
    let pki = Pki::new(&P256, 2);
    let identity = |chain: &[u8], key: &[u8]| error(client(&pki).client_identity(chain, key));
    let (chain, key) = (pki.chain_pem(), pki.key_pem.clone());
    let other = Pki::new(&rcgen::PKCS_ECDSA_P384_SHA384, 1);
    let mismatch = identity(chain.as_bytes(), other.key_pem.as_bytes());
    assert_eq!(mismatch, ConfigError::KeyMismatch);
    assert_eq!(mismatch.given(), Some(Given::Key));
    // Version 3 (RFC 5280 section 4.1.2.1) changed to version 2.
    let mut outdated = pki.chain[0].to_vec();
    let version = [0xa0, 3, 2, 1, 2];
    let at = outdated.windows(5).position(|bytes| bytes == version);
    outdated[at.unwrap() + 4] = 1;
    let expected = ConfigError::ClientCertificateVersion;
    assert_eq!(identity(&outdated, key.as_bytes()), expected);
    assert!(expected.to_string().contains("version 3"));
    // Anything else in it is for the broker to judge.
    let mut policies = leaf_params();
    let mut extension = rcgen::CustomExtension::from_oid_content(&[2, 5, 29, 32], vec![0x30, 0x00]);
    extension.set_criticality(true);
    policies.custom_extensions.push(extension);
    let critical = Pki::with_leaf(policies);
    let chain = critical.chain_pem();
    let given = client(&pki).client_identity(chain.as_bytes(), critical.key_pem.as_bytes());
    given.unwrap().build().unwrap();
    // A kind of key that the provider does not support.
    let ed25519 = Pki::new(&rcgen::PKCS_ED25519, 1);
    let refused = identity(&ed25519.chain[0], ed25519.key_pem.as_bytes());
    assert_eq!(refused, ConfigError::KeyNotSupported(PublicKey::Ed25519));
    // It may also be damaged.
    let says = "the crypto provider rejected the private key (Ed25519); it is damaged";
    assert!(refused.to_string().starts_with(says), "{refused}");
}

/// Extra certificates and keys do no harm: the pair that belongs together is found.
#[test]
fn the_key_that_belongs_to_the_certificate() {
    let pki = Pki::new(&P256, 2);
    let stranger = Pki::new(&rcgen::PKCS_ECDSA_P384_SHA384, 1);
    let keys = stranger.key_pem.clone() + &pki.key_pem;
    let backwards: String = pki.chain.iter().rev().map(pem).collect();
    let everything = format!("{backwards}{keys}");
    let mut server = Server::new(&pki);
    server.client_root = Some(pki.root.clone());
    for (chain, keys) in [(&backwards, &keys), (&everything, &everything)] {
        let config = client(&pki).client_identity(chain.as_bytes(), keys.as_bytes());
        Pair::new(&config.unwrap().build().unwrap(), &server).exchange();
    }
}

#[test]
fn a_key_that_only_signs() {
    let pki = Pki::new(&P256, 1);
    let provider = soft();
    let signer = provider.key_provider.load_private_key(pki.key()).unwrap();
    let config = client(&pki)
        .client_signer(&pki.chain[0], signer)
        .unwrap()
        .build()
        .unwrap();
    let mut server = Server::new(&pki);
    server.client_root = Some(pki.root.clone());
    Pair::new(&config, &server).exchange();
}

#[test]
fn suites_groups_and_versions_that_do_not_go_together() {
    let pki = Pki::new(&P256, 1);
    let suite13 = Suite::Aes128GcmSha256;
    let suite12 = Suite::EcdheEcdsaAes128GcmSha256;
    let both = Version::ALL;
    for (builder, expected) in [
        (
            client(&pki).versions(both).suites(&[suite13]),
            ConfigError::VersionWithoutSuite(Version::Tls12),
        ),
        (
            client(&pki)
                .versions(&[Version::Tls12])
                .suites(&[suite12, suite13]),
            ConfigError::SuiteWithoutVersion(suite13),
        ),
        (client(&pki).suites(&[]), ConfigError::NoSuite),
        (client(&pki).versions(&[]), ConfigError::NoSuite),
        (
            client(&pki).groups(&[]),
            ConfigError::VersionWithoutGroup(Version::Tls12),
        ),
        (
            client(&pki).groups(&[Group::X25519, Group::Secp521r1]),
            ConfigError::GroupNotOffered(Group::Secp521r1),
        ),
        (
            client(&pki).alpn(&[b"mqtt", b""]),
            ConfigError::BadAlpn { index: 1 },
        ),
        (client(&pki).max_fragment(63), ConfigError::FragmentSize),
        (client(&pki).max_fragment(16_385), ConfigError::FragmentSize),
        (client(&pki).max_inbound(511), ConfigError::InboundTooSmall),
        (
            client(&pki).max_outbound(127),
            ConfigError::OutboundTooSmall,
        ),
        (client(&pki).max_chain(0), ConfigError::ChainLength),
        (client(&pki).max_chain(8), ConfigError::ChainLength),
    ] {
        assert_eq!(build_error(builder), expected);
    }

    let mut lean = soft();
    lean.cipher_suites
        .retain(|s| u16::from(s.suite()) != suite13.id());
    let builder = Config::builder(lean).ca(&pki.root).unwrap();
    let error = build_error(builder.suites(&[suite12, suite13]));
    assert_eq!(error, ConfigError::SuiteNotOffered(suite13));
    assert!(error.to_string().contains("TLS_AES_128_GCM_SHA256"));

    // TLS 1.2 cannot use a hybrid group.
    let aws = rustls::crypto::aws_lc_rs::default_provider();
    let builder = Config::builder(aws).ca(&pki.root).unwrap();
    let error = build_error(builder.groups(&[Group::X25519MlKem768]));
    assert_eq!(error, ConfigError::VersionWithoutGroup(Version::Tls12));
}

#[test]
fn suites_choose_the_versions_if_nothing_else_does() {
    let pki = Pki::new(&rcgen::PKCS_RSA_SHA256, 1);
    // A single suite.
    let config = client(&pki)
        .suites(&["ECDHE-RSA-AES128-GCM-SHA256".parse().unwrap()])
        .build()
        .unwrap();
    let mut pair = Pair::new(&config, &Server::new(&pki));
    pair.exchange();
    assert_eq!(pair.client.agreed().unwrap().version, Version::Tls12);
}

#[test]
fn nothing_secret_is_shown() {
    let pki = Pki::new(&P256, 1);
    let builder = client(&pki)
        .client_identity(pki.chain_pem().as_bytes(), pki.key_pem.as_bytes())
        .unwrap();
    let text = format!("{builder:?}");
    let config = builder.build().unwrap();
    let connection = crate::pair::connect(&config);
    let text = format!("{text} {config:?} {connection:?}");
    assert!(text.len() < 1_000, "{text}");
}

#[test]
fn what_is_shared_may_cross_threads() {
    fn check<T: Send + Sync>() {}
    check::<Config>();
    check::<thread_mqtt_tls::SessionStore>();
    check::<thread_mqtt_tls::Connection>();
    check::<thread_mqtt_tls::TlsError>();
}
