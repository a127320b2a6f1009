//! Pins, with a CA and without.

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, PKCS_ECDSA_P256_SHA256 as P256};
use rustls::crypto::aws_lc_rs;
use thread_mqtt_tls::{
    CertificateFault, Config, ConfigBuilder, ConfigError, Connection, NotPinned, Pin, Suite,
    TlsError, Version,
};

use crate::pair::{Pair, Server, client, soft};
use crate::pki::{NAME, NOW, Pki, ca_params, leaf_params, params};

fn sha256(bytes: &[u8]) -> Pin {
    let suite = aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;
    let hash = suite.tls13().unwrap().common.hash_provider.hash(bytes);
    Pin(hash.as_ref().try_into().unwrap())
}

/// Returns the pins of the certificate and of its key.
pub(crate) fn pins(pki: &Pki) -> [Pin; 2] {
    use rcgen::PublicKeyData;

    let key = KeyPair::from_pem(&pki.key_pem).unwrap();
    [
        sha256(&pki.chain[0]),
        sha256(&key.subject_public_key_info()),
    ]
}

fn run(builder: ConfigBuilder, version: Version, server: &Pki, time: u64) -> Result<(), TlsError> {
    let config = builder.versions(&[version]).build().unwrap();
    let connection = Connection::new(&config, NAME, time).unwrap();
    let mut pair = Pair::of(connection, Server::new(server).start());
    pair.run()?;
    pair.exchange();
    Ok(())
}

#[test]
fn beside_a_ca() {
    let pki = Pki::new(&P256, 2);
    let stranger = Pki::of(&P256, ca_params("Stranger"), [], leaf_params());
    for version in Version::ALL {
        for pin in pins(&pki) {
            // One of several is enough.
            let builder = client(&pki).pin(Pin([0; 32])).pin(pin);
            assert_eq!(run(builder, *version, &pki, NOW), Ok(()));
            // Any other fault still counts.
            let error = run(client(&stranger).pin(pin), *version, &pki, NOW).unwrap_err();
            let unknown = matches!(
                error,
                TlsError::Certificate(CertificateFault::UnknownIssuer { .. })
            );
            assert!(unknown, "{error}");
            let error = run(client(&pki).pin(pin), *version, &pki, 4_000_000_000).unwrap_err();
            let expired = matches!(
                error,
                TlsError::Certificate(CertificateFault::Expired { .. })
            );
            assert!(expired, "{error}");
        }
        let error = run(client(&pki).pin(Pin([1; 32])), *version, &pki, NOW).unwrap_err();
        let [certificate, key] = pins(&pki);
        let seen = Box::new(NotPinned { certificate, key });
        assert_eq!(
            error,
            TlsError::Certificate(CertificateFault::NotPinned(seen))
        );
        let sentence = format!(
            "the broker's certificate is not pinned: it has {certificate}, and its key {key}"
        );
        assert_eq!(error.to_string(), sentence);
        assert!(error.cure().contains("something else is answering"));
    }
}

/// Encodes a DER element of 128 to 65,535 bytes.
fn element(content: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
    let header: &[u8] = match high {
        0 => &[0x30, 0x81, low],
        _ => &[0x30, 0x82, high, low],
    };
    [header, content].concat()
}

/// Returns the certificate without the version, as in version 1, and without extensions. Its
/// signature no longer matches, which does not matter for a pin.
fn as_version_1(der: &[u8]) -> Vec<u8> {
    let version = [0xa0, 3, 2, 1, 2];
    let at = der.windows(5).position(|bytes| bytes == version).unwrap();
    // The header of the signed part gives its length.
    let length = match der[at - 2] {
        0x81 => usize::from(der[at - 1]),
        _ => usize::from(u16::from_be_bytes([der[at - 2], der[at - 1]])),
    };
    let (signed, rest) = der[at..].split_at(length);
    element(&[&element(&signed[5..])[..], rest].concat())
}

/// Certificates that no CA would issue: self-signed, with CA:TRUE or as version 1, without a name,
/// expired.
#[test]
fn in_the_place_of_a_ca() {
    let own = |params: CertificateParams| {
        let key = KeyPair::generate_for(&P256).unwrap();
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Pki {
            chain: vec![certificate.clone()],
            key_pem: key.serialize_pem(),
            root: certificate,
        }
    };
    let mut ca = params("broker at home");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let mut old = own(params("old"));
    old.chain = vec![as_version_1(&old.chain[0]).into()];
    old.root = old.chain[0].clone();
    for (pki, refused) in [
        (own(ca), CertificateFault::CaUsedAsEndEntity),
        (old, CertificateFault::UnsupportedVersion),
    ] {
        for version in Version::ALL {
            let error = run(client(&pki), *version, &pki, NOW).unwrap_err();
            assert_eq!(error, TlsError::Certificate(refused.clone()));
            assert!(error.cure().contains("pin it") && error.cure().contains("openssl req"));
            for pin in pins(&pki) {
                for builder in [Config::builder(soft()), client(&pki)] {
                    let expired = 4_000_000_000;
                    assert_eq!(run(builder.pin(pin), *version, &pki, expired), Ok(()));
                }
            }
            let builder = Config::builder(soft()).pin(Pin([1; 32]));
            let error = run(builder, *version, &pki, NOW).unwrap_err();
            let fault = TlsError::Certificate;
            let [certificate, key] = pins(&pki);
            let seen = Box::new(NotPinned { certificate, key });
            assert_eq!(error, fault(CertificateFault::NotPinned(seen)));
        }
    }
}

/// A certificate that is not a CA but is configured as one may be renewed if its key is pinned.
#[test]
fn renewed_with_the_pinned_key() {
    let key = KeyPair::generate_for(&P256).unwrap();
    let mut home = params("broker at home");
    home.is_ca = IsCa::ExplicitNoCa;
    let root = home.self_signed(&key).unwrap().der().clone();
    home.not_after = rcgen::date_time_ymd(2030, 1, 1);
    let pki = Pki {
        chain: vec![home.self_signed(&key).unwrap().der().clone()],
        key_pem: key.serialize_pem(),
        root,
    };
    let pin = pins(&pki)[1];
    assert_eq!(
        run(client(&pki).pin(pin), Version::Tls13, &pki, NOW),
        Ok(())
    );
    assert!(run(client(&pki), Version::Tls13, &pki, NOW).is_err());
}

/// A certificate issued by a CA is checked against that CA, even though it is configured itself.
#[test]
fn configured_beside_its_ca() {
    for is_ca in [IsCa::NoCa, IsCa::ExplicitNoCa] {
        let mut leaf = leaf_params();
        leaf.is_ca = is_ca;
        let pki = Pki::with_leaf(leaf);
        let builder = || client(&pki).ca(&pki.chain[0]).unwrap().pin(pins(&pki)[1]);
        assert_eq!(run(builder(), Version::Tls13, &pki, NOW), Ok(()));
        let error = run(builder(), Version::Tls13, &pki, 4_000_000_000).unwrap_err();
        let TlsError::Certificate(CertificateFault::Expired { .. }) = error else {
            panic!("{error}");
        };
    }
}

/// Dates that do not count prove nothing: only a path to a CA proves a time.
#[test]
fn a_pin_alone_proves_no_time() {
    let pki = Pki::new(&P256, 1);
    let pin = pins(&pki)[0];
    for (builder, proves) in [
        (Config::builder(soft()).pin(pin), false),
        (client(&pki).pin(pin), true),
        // The certificate as its own CA.
        (
            Config::builder(soft()).ca(&pki.chain[0]).unwrap().pin(pin),
            false,
        ),
    ] {
        let config = builder.build().unwrap();
        let mut pair = Pair::new(&config, &Server::new(&pki));
        pair.exchange();
        assert_eq!(pair.client.issued().is_some(), proves);
    }
}

/// The certificate is public: the peer that presents it must have its key.
#[test]
fn a_pinned_certificate_without_its_key() {
    let pki = Pki::new(&P256, 1);
    let mut thief = pki.clone();
    thief.key_pem = KeyPair::generate_for(&P256).unwrap().serialize_pem();
    for version in Version::ALL {
        for builder in [Config::builder(soft()), client(&pki)] {
            let error = run(builder.pin(pins(&pki)[0]), *version, &thief, NOW).unwrap_err();
            let fault = CertificateFault::BadHandshakeSignature;
            assert_eq!(error, TlsError::Certificate(fault));
        }
    }
}

#[test]
fn pins_take_sha256() {
    // Even if no chosen suite uses it.
    let pki = Pki::new(&P256, 1);
    let builder = client(&pki)
        .pin(pins(&pki)[0])
        .suites(&[Suite::Aes256GcmSha384]);
    assert_eq!(run(builder, Version::Tls13, &pki, NOW), Ok(()));
    let mut provider = soft();
    let sha384 = Suite::Aes256GcmSha384.id();
    provider
        .cipher_suites
        .retain(|suite| u16::from(suite.suite()) == sha384);
    let builder = Config::builder(provider).pin(Pin([0; 32]));
    assert_eq!(
        builder.build().map(drop).unwrap_err(),
        ConfigError::PinWithoutSha256
    );
}
