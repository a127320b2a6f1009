//! Chains that must not be trusted.

use rcgen::{
    BasicConstraints, CidrSubnet, CustomExtension, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    KeyIdMethod, NameConstraints,
};
use server_rustls::{AlertDescription as A, Error};
use thread_mqtt_tls::{CertificateFault as F, TlsError, Version};

use super::pair::{Pair, Server, server};
use super::says;
use crate::backend::{Backend, parallel};
use crate::page::{self, head, row};
use crate::pki::{Chain, Kind, NAME, NOW, ca_params, leaf_params, params};

/// A chain that must be refused: its description, and the expected message.
struct Case {
    what: &'static str,
    chain: Chain,
    name: &'static str,
    fault: fn(&F) -> bool,
    sentence: &'static str,
    cure: &'static str,
    alert: A,
}

/// Uses P-256, because the type of key does not matter here.
fn chain(steps: impl IntoIterator<Item = rcgen::CertificateParams>) -> Chain {
    Chain::of(steps.into_iter().map(|params| (Kind::P256, params)))
}

fn constrained(permitted: &[GeneralSubtree], excluded: &[GeneralSubtree]) -> Chain {
    let mut ca = ca_params("Narrow");
    ca.name_constraints = Some(NameConstraints {
        permitted_subtrees: permitted.to_vec(),
        excluded_subtrees: excluded.to_vec(),
    });
    chain([ca_params("Root"), ca, leaf_params()])
}

fn dns(name: &str) -> GeneralSubtree {
    GeneralSubtree::DnsName(name.into())
}

const OUTSIDE: &str =
    "the broker's certificate is for a name that its CA may not certify (nameConstraints)";

fn cases() -> Vec<Case> {
    let good = chain([ca_params("Root"), ca_params("Middle"), leaf_params()]);
    let mut cases = Vec::new();
    let mut add = |what, chain, name, fault, sentence, cure, alert| {
        cases.push(Case {
            what,
            chain,
            name,
            fault,
            sentence,
            cure,
            alert,
        });
    };

    add(
        "a different name",
        good.clone(),
        "other.test",
        |fault| matches!(fault, F::NameMismatch { .. }),
        "the broker's certificate is not for \"other.test\" but for broker.test and localhost",
        "connect by a name in the certificate",
        A::BadCertificate,
    );

    let mut old = leaf_params();
    old.not_after = rcgen::date_time_ymd(2026, 6, 1);
    add(
        "an expired certificate",
        chain([ca_params("Root"), old]),
        NAME,
        |fault| matches!(fault, F::Expired { .. }),
        "the certificate of \"CN=broker.test\" expired on 2026-06-01 00:00:00 UTC, and it is \
         2026-11-23 00:00:00 UTC or later",
        "renew the broker's certificate",
        A::CertificateExpired,
    );
    let mut old = ca_params("Middle");
    old.not_after = rcgen::date_time_ymd(2026, 6, 1);
    add(
        "an expired intermediate",
        chain([ca_params("Root"), old, leaf_params()]),
        NAME,
        |fault| matches!(fault, F::Expired { .. }),
        "the certificate of \"CN=Middle\" expired on 2026-06-01 00:00:00 UTC, and it is \
         2026-11-23 00:00:00 UTC or later",
        "make the broker send its CA's renewed certificates",
        A::CertificateExpired,
    );
    let mut young = leaf_params();
    young.not_before = rcgen::date_time_ymd(2027, 2, 1);
    add(
        "a certificate that is not yet valid",
        chain([ca_params("Root"), young]),
        NAME,
        |fault| matches!(fault, F::NotYetValid { .. }),
        "the certificate of \"CN=broker.test\" is not valid before 2027-02-01 00:00:00 UTC; this \
         device's clock says 2026-11-23 00:00:00 UTC",
        "correct this device's clock",
        A::CertificateExpired,
    );

    let mut stranger = good.clone();
    stranger.root = chain([ca_params("Stranger"), leaf_params()]).root;
    add(
        "an unknown CA",
        stranger,
        NAME,
        |fault| matches!(fault, F::UnknownIssuer { presented: 2, .. }),
        "the broker's certificate chain ends at \"CN=Root\", which is not among the configured CAs",
        "configure the CA at the root of the broker's chain",
        A::UnknownCA,
    );
    let mut short = good.clone();
    short.sent.truncate(1);
    add(
        "a missing intermediate",
        short,
        NAME,
        |fault| matches!(fault, F::UnknownIssuer { presented: 1, .. }),
        "the broker's certificate chain ends at \"CN=Middle\", which is not among the configured \
         CAs",
        "make the broker also send its intermediate certificates",
        A::UnknownCA,
    );
    let mut alone = chain([leaf_params(), leaf_params()]);
    alone.sent = vec![alone.root.clone()];
    alone.key = Kind::P256.key(0).serialize_pem();
    alone.root = good.root.clone();
    add(
        "a self-signed certificate",
        alone,
        NAME,
        |fault| {
            matches!(
                fault,
                F::UnknownIssuer {
                    self_signed: true,
                    ..
                }
            )
        },
        "the broker presented a self-signed certificate of \"CN=broker.test\", which is not among \
         the configured CAs",
        "configure this certificate as CA",
        A::UnknownCA,
    );

    // The same name and key identifier, but another key.
    let mut impostor = ca_params("Root");
    impostor.key_identifier_method = KeyIdMethod::PreSpecified(vec![1]);
    let mut forged = chain([impostor.clone(), leaf_params()]);
    let key = Kind::P256.key(50);
    forged.root = impostor.self_signed(&key).unwrap().pem();
    add(
        "a signature not made by the CA",
        forged,
        NAME,
        |fault| *fault == F::BadSignature,
        "a certificate in the broker's chain is not signed by the issuer it names",
        "it has the same name but another key",
        A::DecryptError,
    );

    add(
        "an intermediate without basicConstraints",
        chain([ca_params("Root"), params("Middle"), leaf_params()]),
        NAME,
        |fault| *fault == F::EndEntityUsedAsCa,
        "a certificate in the broker's chain was issued by a certificate that is not a CA",
        "basicConstraints CA:TRUE",
        A::CertificateUnknown,
    );
    let mut ca = leaf_params();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    add(
        "a CA certificate as the broker's own",
        chain([ca_params("Root"), ca]),
        NAME,
        |fault| *fault == F::CaUsedAsEndEntity,
        "the broker presented a CA certificate as its own (basicConstraints CA:TRUE)",
        "pin it instead",
        A::CertificateUnknown,
    );
    let mut short = ca_params("Short");
    short.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    add(
        "a path longer than a CA allows",
        chain([ca_params("Root"), short, ca_params("Extra"), leaf_params()]),
        NAME,
        |fault| *fault == F::ChainTooLong,
        "the broker's certificate chain is longer than its CA allows",
        "shorten the broker's chain",
        A::CertificateUnknown,
    );

    let middle = ["One", "Two", "Three", "Four"].map(ca_params);
    let long = [ca_params("Root")].into_iter().chain(middle);
    add(
        "a path longer than the limit",
        chain(long.chain([leaf_params()])),
        NAME,
        |fault| *fault == F::PathTooLong { length: 5, most: 4 },
        "the path from the broker's certificate to a configured CA has 5 certificates, but at \
         most 4 are followed",
        "a CA that is closer",
        A::CertificateUnknown,
    );

    for (what, chain) in [
        (
            "a name that is not permitted",
            constrained(&[dns("elsewhere.test")], &[]),
        ),
        (
            "a name that is excluded",
            constrained(&[], &[dns("broker.test")]),
        ),
        (
            "a name in an excluded subtree of a permitted one",
            constrained(&[dns("test"), dns("localhost")], &[dns("broker.test")]),
        ),
    ] {
        add(
            what,
            chain,
            NAME,
            |fault| *fault == F::NameConstraint,
            OUTSIDE,
            "issued by a CA that may certify this name",
            A::CertificateUnknown,
        );
    }

    let mut client = leaf_params();
    client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    add(
        "a client certificate",
        chain([ca_params("Root"), client]),
        NAME,
        |fault| *fault == F::WrongPurpose,
        "a certificate in the broker's chain is not meant for a server (extendedKeyUsage)",
        "serverAuth in extendedKeyUsage",
        A::UnsupportedCertificate,
    );
    let mut odd = leaf_params();
    let mut extension = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![0x05, 0x00]);
    extension.set_criticality(true);
    odd.custom_extensions.push(extension);
    add(
        "an unknown critical extension",
        chain([ca_params("Root"), odd]),
        NAME,
        |fault| matches!(fault, F::UnknownCriticalExtension { .. }),
        "the certificate of \"CN=broker.test\" has a critical extension that this device does not \
         support: 1.2.3.4",
        "without this extension",
        A::CertificateUnknown,
    );
    cases
}

#[test]
fn every_fault_of_a_chain() {
    let cases = cases();
    let refused = parallel(&cases, |case| {
        let mut refused = 0;
        for backend in Backend::ALL {
            for version in Version::ALL {
                let context = format!("{} over {backend}, {version}", case.what);
                let config = backend
                    .config()
                    .ca(case.chain.root.as_bytes())
                    .unwrap()
                    .versions(&[*version])
                    .build()
                    .unwrap();
                let server = server(&case.chain, Server::Honest, Version::ALL);
                let mut pair = Pair::at(&config, server, case.name, NOW.into());
                let error = pair.run().expect_err(&context);
                let TlsError::Certificate(fault) = &error else {
                    panic!("{context}: {error}");
                };
                assert!((case.fault)(fault), "{context}: {fault:?}");
                says(&error, case.sentence, case.cure);
                // The server receives an alert, and its certificates remain available.
                let told = Some(Error::AlertReceived(case.alert));
                assert_eq!(pair.server_error, told, "{context}");
                let sent = pair.client.peer_certificates().len();
                assert_eq!(sent, case.chain.sent.len(), "{context}");
                refused += 1;
            }
        }
        refused
    });
    assert_eq!(refused.iter().sum::<u32>(), 4 * 17);
    let mut table = head(&["the chain has", "message", "alert"]);
    for case in &cases {
        let alert = case.alert.as_str().unwrap_or_default();
        table += &row([case.what, case.sentence, alert]);
    }
    page::check("certificates", &table);
}

/// It is the constraints above that refuse: names that satisfy them pass.
#[test]
fn names_inside_of_the_constraints_pass() {
    let addresses = GeneralSubtree::IpAddress(CidrSubnet::V4([192, 0, 2, 0], [255, 255, 255, 0]));
    let chains = [
        constrained(&[dns("test"), dns("localhost")], &[]),
        constrained(
            &[dns("broker.test"), dns("localhost")],
            &[dns("x.broker.test")],
        ),
        constrained(&[], &[dns("elsewhere.test"), addresses]),
    ];
    let accepted = parallel(&chains, |chain| {
        let mut accepted = 0;
        for backend in Backend::ALL {
            for version in Version::ALL {
                let config = backend.config().ca(chain.root.as_bytes()).unwrap();
                let config = config.versions(&[*version]).build().unwrap();
                let server = server(chain, Server::Honest, Version::ALL);
                let mut pair = Pair::new(&config, server);
                pair.run().unwrap();
                pair.say(b"inside");
                accepted += 1;
            }
        }
        accepted
    });
    assert_eq!(accepted.iter().sum::<u32>(), 12);
}

/// An invalid handshake signature: in the ServerKeyExchange of TLS 1.2, the CertificateVerify of
/// 1.3.
#[test]
fn a_broker_that_does_not_own_its_certificate() {
    let refused = parallel(&Kind::ALL, |key| {
        let chain = Chain::new(&[*key, *key]);
        let mut refused = 0;
        for backend in Backend::ALL {
            for version in Version::ALL.iter().filter(|_| backend.verifies(*key)) {
                let config = backend.config().ca(chain.root.as_bytes()).unwrap();
                let config = config.versions(&[*version]).build().unwrap();
                let server = server(&chain, Server::BadSignature, Version::ALL);
                let mut pair = Pair::new(&config, server);
                let error = pair.run().unwrap_err();
                assert_eq!(error, TlsError::Certificate(F::BadHandshakeSignature));
                says(
                    &error,
                    "the broker did not prove that it owns its certificate: the handshake \
                     signature is wrong",
                    "the private key that belongs to its certificate",
                );
                let told = Some(Error::AlertReceived(A::DecryptError));
                assert_eq!(pair.server_error, told, "{backend} {version} {key}");
                refused += 1;
            }
        }
        refused
    });
    assert_eq!(refused.iter().sum::<u32>(), 22);
}
