//! Every combination that should work does, and negotiates what was chosen.

use rcgen::SignatureAlgorithm;
use thread_mqtt_tls::{Config, Connection, Group, PublicKey, Suite, TlsError, Version};

use crate::pair::{Pair, Server, client, connect, soft};
use crate::pki::{NAME, NOW, Pki, ca_params, leaf_params};

const RSA: &SignatureAlgorithm = &rcgen::PKCS_RSA_SHA256;
const P256: &SignatureAlgorithm = &rcgen::PKCS_ECDSA_P256_SHA256;
const P384: &SignatureAlgorithm = &rcgen::PKCS_ECDSA_P384_SHA384;

fn authentication(suite: Suite) -> Vec<&'static SignatureAlgorithm> {
    match suite.openssl_name() {
        name if name.starts_with("ECDHE-RSA") => vec![RSA],
        name if name.starts_with("ECDHE-ECDSA") => vec![P256, P384],
        _ => vec![RSA, P256, P384],
    }
}

fn provider_groups() -> Vec<Group> {
    let groups = soft().kx_groups;
    let ids = groups.iter().map(|g| u16::from(g.name()));
    ids.map(|id| Group::from_id(id).unwrap()).collect()
}

#[test]
fn every_suite_with_every_group_and_certificate() {
    let groups = provider_groups();
    assert!(groups.len() >= 3, "{groups:?}");
    for suite in Suite::ALL {
        for algorithm in authentication(*suite) {
            let pki = Pki::new(algorithm, 2);
            for group in &groups {
                let config = client(&pki)
                    .suites(&[*suite])
                    .groups(&[*group])
                    .build()
                    .unwrap();
                let mut pair = Pair::new(&config, &Server::new(&pki));
                pair.exchange();
                let agreed = pair.client.agreed().unwrap();
                assert_eq!(agreed.version, suite.version());
                assert_eq!(agreed.suite(), suite.name());
                assert_eq!(agreed.group(), Some(group.name()));
                assert_eq!(agreed.alpn, None);
                assert!(!agreed.resumed && !agreed.retried);
            }
        }
    }
}

#[test]
fn chains_of_one_to_four_certificates() {
    for length in 1..=4 {
        for version in Version::ALL {
            let pki = Pki::new(P256, length);
            let config = client(&pki).versions(&[*version]).build().unwrap();
            let mut pair = Pair::new(&config, &Server::new(&pki));
            assert!(pair.client.peer_certificates().is_empty());
            pair.exchange();
            let certificates = pair.client.peer_certificates();
            assert_eq!(certificates.len(), length);
            assert_eq!(certificates[0].subject, format!("CN={NAME}"));
            assert_eq!(certificates[0].names, [NAME, "192.0.2.1", "2001:db8::1"]);
            assert_eq!(certificates[0].key, PublicKey::P256);
            assert_eq!(certificates[length - 1].issuer, "CN=Root");
        }
    }
}

/// The latest certificate of the path counts, whether it is the leaf or one above it. Others that
/// the server sends do not count, even with the same names.
#[test]
fn what_was_issued_last_is_of_the_path() {
    let issued = |leaf: (i32, u8), middle: (i32, u8), others: &[i32]| {
        let dated = |mut params: rcgen::CertificateParams, (year, month)| {
            params.not_before = rcgen::date_time_ymd(year, month, 1);
            params
        };
        let of = |algorithm, middle, leaf| {
            let [middle, leaf] = [
                dated(ca_params("Middle"), middle),
                dated(leaf_params(), leaf),
            ];
            Pki::of(algorithm, ca_params("Root"), [middle], leaf)
        };
        let mut pki = of(P256, middle, leaf);
        for year in others {
            // With another key, and therefore not an issuer of this leaf.
            pki.chain.push(of(P384, (*year, 1), leaf).chain[1].clone());
            let stranger = dated(ca_params("Stranger"), (2031, 1));
            pki.chain
                .push(Pki::of(P256, stranger, [], leaf_params()).root);
        }
        let mut pair = Pair::new(&client(&pki).build().unwrap(), &Server::new(&pki));
        assert_eq!(pair.client.issued(), None, "before the handshake");
        pair.exchange();
        pair.client.issued().unwrap()
    };
    let unix = |year, month| {
        let time = rcgen::date_time_ymd(year, month, 1);
        u64::try_from(time.unix_timestamp()).unwrap()
    };
    assert_eq!(issued((2026, 3), (2024, 1), &[]), unix(2026, 3));
    assert_eq!(issued((2026, 3), (2026, 5), &[]), unix(2026, 5));
    assert_eq!(issued((2026, 3), (2026, 5), &[2026]), unix(2026, 3));
    assert_eq!(issued((2026, 3), (2024, 1), &[2030]), unix(2026, 3));
}

/// The most that webpki accepts, given enough stack.
#[test]
fn longer_chains_are_taken_where_they_are_allowed() {
    for length in [5, 7] {
        let pki = Pki::new(P256, length);
        let config = client(&pki).max_chain(length).build().unwrap();
        let mut pair = Pair::new(&config, &Server::new(&pki));
        pair.exchange();
        assert_eq!(pair.client.peer_certificates().len(), length);
    }
}

#[test]
fn the_version_is_the_highest_that_both_allow() {
    let pki = Pki::new(P256, 1);
    let config = client(&pki).build().unwrap();
    for version in Version::ALL {
        let mut server = Server::new(&pki);
        server.versions = vec![*version];
        let mut pair = Pair::new(&config, &server);
        pair.exchange();
        assert_eq!(pair.client.agreed().unwrap().version, *version);
    }
    let mut pair = Pair::new(&config, &Server::new(&pki));
    pair.exchange();
    assert_eq!(pair.client.agreed().unwrap().version, Version::Tls13);
}

#[test]
fn the_clients_order_of_suites_is_what_it_offers() {
    let pki = Pki::new(RSA, 1);
    // rustls servers follow their own order unless configured otherwise.
    for order in [
        [
            Suite::EcdheRsaAes256GcmSha384,
            Suite::EcdheRsaAes128GcmSha256,
        ],
        [
            Suite::EcdheRsaAes128GcmSha256,
            Suite::EcdheRsaAes256GcmSha384,
        ],
    ] {
        let config = client(&pki).suites(&order).build().unwrap();
        let mut server_config = Server::new(&pki).config();
        std::sync::Arc::make_mut(&mut server_config).ignore_client_order = false;
        let server = server_rustls::ServerConnection::new(server_config).unwrap();
        let mut pair = Pair::of(connect(&config), server);
        pair.exchange();
        assert_eq!(pair.client.agreed().unwrap().suite(), order[0].name());
    }
}

#[test]
fn another_group_costs_a_hello_retry_request() {
    let pki = Pki::new(P256, 1);
    let config = client(&pki)
        .versions(&[Version::Tls13])
        .groups(&[Group::X25519, Group::Secp256r1])
        .build()
        .unwrap();
    let mut server = Server::new(&pki);
    server.groups = vec![Group::Secp256r1];
    let mut pair = Pair::new(&config, &server);
    pair.exchange();
    let agreed = pair.client.agreed().unwrap().clone();
    assert!(agreed.retried);
    assert_eq!(agreed.group(), Some("secp256r1"));

    // The store remembers which group this server wants.
    let mut again = Pair::new(&config, &server);
    again.exchange();
    assert!(!again.client.agreed().unwrap().retried);
}

#[test]
fn mutual_tls_with_certificates_of_each_form() {
    for version in Version::ALL {
        for algorithm in [P256, P384] {
            let pki = Pki::new(RSA, 2);
            let device = Pki::new(algorithm, 2);
            let config = client(&pki)
                .versions(&[*version])
                .client_identity(device.chain_pem().as_bytes(), device.key_pem.as_bytes())
                .unwrap()
                .build()
                .unwrap();
            let mut server = Server::new(&pki);
            server.client_root = Some(device.root.clone());
            let mut pair = Pair::new(&config, &server);
            pair.exchange();
            assert_eq!(pair.server.peer_certificates(), Some(&device.chain[..]));
        }
    }
    // DER, one certificate.
    let device = Pki::new(P256, 1);
    let config = client(&device)
        .client_identity(&device.chain[0], device.key().secret_der())
        .unwrap()
        .build()
        .unwrap();
    let mut server = Server::new(&device);
    server.client_root = Some(device.root.clone());
    let mut pair = Pair::new(&config, &server);
    pair.exchange();
    assert_eq!(pair.server.peer_certificates(), Some(&device.chain[..]));
}

#[test]
fn alpn_is_offered_and_agreed() {
    let pki = Pki::new(P256, 1);
    for version in Version::ALL {
        let config = client(&pki)
            .versions(&[*version])
            .alpn(&[b"mqtt", b"x-amzn-mqtt-ca"])
            .build()
            .unwrap();
        let mut server = Server::new(&pki);
        server.alpn = vec![b"x-amzn-mqtt-ca".to_vec()];
        let mut pair = Pair::new(&config, &server);
        pair.exchange();
        let agreed = pair.client.agreed().unwrap();
        assert_eq!(agreed.alpn.as_deref(), Some(&b"x-amzn-mqtt-ca"[..]));
    }
}

#[test]
fn names_are_sent_and_addresses_are_not() {
    let pki = Pki::new(P256, 1);
    let config = client(&pki).build().unwrap();
    for (name, sni) in [
        (NAME, Some(NAME)),
        ("broker.test.", Some(NAME)),
        ("BROKER.test", Some(NAME)),
        ("192.0.2.1", None),
        ("2001:db8::1", None),
        ("[2001:db8::1]", None),
    ] {
        let connection = Connection::new(&config, name, NOW).unwrap();
        let mut pair = Pair::of(connection, Server::new(&pki).start());
        pair.exchange();
        assert_eq!(pair.server.server_name(), sni, "{name}");
    }
    for name in ["", "a b", "-.test", "grüße.test", "[192.0.2.1", "a..b"] {
        let error = Connection::new(&config, name, NOW).unwrap_err();
        assert_eq!(error, TlsError::InvalidServerName, "{name}");
    }
}

#[test]
fn another_crypto_provider_does_as_well() {
    let pki = Pki::new(RSA, 2);
    for version in Version::ALL {
        let config = Config::builder(rustls::crypto::aws_lc_rs::default_provider())
            .ca(&pki.root)
            .unwrap()
            .versions(&[*version])
            .build()
            .unwrap();
        let mut pair = Pair::new(&config, &Server::new(&pki));
        pair.exchange();
    }
}
