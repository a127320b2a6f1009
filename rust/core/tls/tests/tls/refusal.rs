//! Certificates that must be refused, for the right reason and with the right alert.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, DnValue,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyUsagePurpose, NameConstraints,
    PKCS_ECDSA_P256_SHA256 as P256, SanType,
};
use server_rustls::{AlertDescription, Error};
use thread_mqtt_tls::{
    Alert, AlertContext, CertificateFault, CertificateTime, Connection, Signature, TlsError,
    Version,
};

use crate::pair::{Pair, Server, client};
use crate::pki::{NAME, NOW, Pki, ca_params, leaf_params, params};

const DAY: u64 = 86_400;
const NOT_BEFORE: u64 = 1_767_225_600;
const NOT_AFTER: u64 = 1_798_761_600;

/// Runs a handshake that must fail, with both versions. Checks that there are a sentence and a
/// cure, and that the server received this alert.
#[track_caller]
fn refused(
    pki: &Pki,
    trusted: &Pki,
    name: &str,
    time: CertificateTime,
    alert: AlertDescription,
) -> CertificateFault {
    let mut faults = Version::ALL.iter().map(|version| {
        let config = client(trusted).versions(&[*version]).build().unwrap();
        let connection = Connection::new(&config, name, time).unwrap();
        let mut pair = Pair::of(connection, Server::new(pki).start());
        let error = pair.run().unwrap_err();
        assert!(pair.client.is_handshaking());
        let TlsError::Certificate(fault) = &error else {
            panic!("{error}");
        };
        let (sentence, cure) = (error.to_string(), error.cure());
        assert!(sentence.len() > 20 && cure.len() > 20, "{sentence}; {cure}");
        // The chain is available, and the error is permanent.
        assert_eq!(pair.client.peer_certificates().len(), pki.chain.len());
        assert_eq!(pair.client.handle_eof(), Err(error.clone()));
        pair.to_client.clear();
        assert_eq!(pair.run(), Err(error.clone()));
        assert_eq!(pair.server_error, Some(Error::AlertReceived(alert)));
        fault.clone()
    });
    let (first, second) = (faults.next().unwrap(), faults.next().unwrap());
    assert_eq!(first, second);
    first
}

#[track_caller]
fn refused_now(pki: &Pki, alert: AlertDescription) -> CertificateFault {
    refused(pki, pki, NAME, NOW.into(), alert)
}

#[test]
fn an_unknown_authority() {
    let pki = Pki::new(&P256, 2);
    let stranger = Pki::of(&P256, ca_params("Stranger"), [], leaf_params());
    let fault = refused(
        &pki,
        &stranger,
        NAME,
        NOW.into(),
        AlertDescription::UnknownCA,
    );
    assert_eq!(
        fault,
        CertificateFault::UnknownIssuer {
            issuer: "CN=Root".into(),
            presented: 2,
            self_signed: false
        }
    );
    assert_eq!(
        fault.to_string(),
        "the broker's certificate chain ends at \"CN=Root\", which is not among the configured CAs"
    );

    // A broker that omits its intermediate.
    let mut pki = Pki::new(&P256, 2);
    pki.chain.truncate(1);
    let fault = refused_now(&pki, AlertDescription::UnknownCA);
    assert_eq!(
        fault,
        CertificateFault::UnknownIssuer {
            issuer: "CN=Middle 1".into(),
            presented: 1,
            self_signed: false
        }
    );
    assert!(TlsError::Certificate(fault).cure().contains("intermediate"));
}

#[test]
fn a_self_signed_certificate() {
    let key = rcgen::KeyPair::generate_for(&P256).unwrap();
    let pki = Pki {
        chain: vec![leaf_params().self_signed(&key).unwrap().der().clone()],
        key_pem: key.serialize_pem(),
        root: Pki::new(&P256, 1).root,
    };
    let fault = refused_now(&pki, AlertDescription::UnknownCA);
    assert_eq!(
        fault,
        CertificateFault::UnknownIssuer {
            issuer: format!("CN={NAME}").into(),
            presented: 1,
            self_signed: true
        }
    );
}

#[test]
fn an_authority_of_the_same_name_with_another_key() {
    let pki = Pki::new(&P256, 1);
    let mut trusted = pki.clone();
    trusted.root = Pki::impostor(&P256);
    let fault = refused(
        &pki,
        &trusted,
        NAME,
        NOW.into(),
        AlertDescription::DecryptError,
    );
    assert_eq!(fault, CertificateFault::BadSignature);
}

#[test]
fn dates() {
    let pki = Pki::new(&P256, 2);
    let late = NOT_AFTER + DAY;
    let fault = refused(
        &pki,
        &pki,
        NAME,
        late.into(),
        AlertDescription::CertificateExpired,
    );
    assert_eq!(
        fault.to_string(),
        "the certificate of \"CN=broker.test\" expired on 2027-01-01 00:00:00 UTC, and it is \
         2027-01-02 00:00:00 UTC or later"
    );
    assert!(
        TlsError::Certificate(fault)
            .cure()
            .starts_with("renew the broker's certificate,")
    );
    let early = NOT_BEFORE - 1;
    let fault = refused(
        &pki,
        &pki,
        NAME,
        early.into(),
        AlertDescription::CertificateExpired,
    );
    assert_eq!(
        fault,
        CertificateFault::NotYetValid {
            subject: "CN=broker.test".into(),
            not_before: NOT_BEFORE,
            checked_at: early
        }
    );
    // A device whose clock says 1970.
    let fault = refused(
        &pki,
        &pki,
        NAME,
        0.into(),
        AlertDescription::CertificateExpired,
    );
    assert!(fault.to_string().contains("1970-01-01 00:00:00 UTC"));

    // The intermediate is the culprit.
    let mut middle = ca_params("Old middle");
    middle.not_after = rcgen::date_time_ymd(2026, 6, 1);
    let pki = Pki::of(&P256, ca_params("Root"), [middle], leaf_params());
    let fault = refused_now(&pki, AlertDescription::CertificateExpired);
    let CertificateFault::Expired { subject, .. } = &fault else {
        panic!("{fault:?}");
    };
    assert_eq!(&**subject, "CN=Old middle");
    let cure = TlsError::Certificate(fault).cure();
    assert!(cure.starts_with("make the broker send"), "{cure}");
}

/// A certificate with the right name that is not the issuer, in addition to an expired issuer.
#[test]
fn a_path_whose_keys_do_not_fit_is_not_the_reason() {
    let key = |algorithm| rcgen::KeyPair::generate_for(algorithm).unwrap();
    let root = ca_params("Root");
    let (root_key, middle_key, own) = (key(&P256), key(&P256), key(&P256));
    let root_der = root.self_signed(&root_key).unwrap().der().clone();
    let root = Issuer::new(root, root_key);
    let mut middle = ca_params("Middle");
    middle.not_after = rcgen::date_time_ymd(2026, 6, 1);
    let expired = middle.signed_by(&middle_key, &root).unwrap();
    let leaf = leaf_params().signed_by(&own, &Issuer::new(middle, middle_key));
    let leaf = leaf.unwrap().der().clone();
    for algorithm in [&P256, &rcgen::PKCS_RSA_SHA256] {
        let middle = ca_params("Middle");
        let stranger = middle.signed_by(&key(algorithm), &root).unwrap();
        for sent in [[&stranger, &expired], [&expired, &stranger]] {
            let sent = sent.map(|certificate| certificate.der().clone());
            let pki = Pki {
                chain: [&[leaf.clone()][..], &sent].concat(),
                key_pem: own.serialize_pem(),
                root: root_der.clone(),
            };
            let fault = refused_now(&pki, AlertDescription::CertificateExpired);
            let is_expired = matches!(fault, CertificateFault::Expired { is_leaf: false, .. });
            assert!(is_expired, "{fault}");
        }
    }
}

#[test]
fn a_clock_that_is_not_set() {
    let mut middle = ca_params("Middle");
    middle.not_before = rcgen::date_time_ymd(2026, 3, 1);
    let pki = Pki::of(&P256, ca_params("Root"), [middle], leaf_params());
    for version in Version::ALL {
        let config = client(&pki).versions(&[*version]).build().unwrap();
        // Long before the chain, while only the leaf is valid, and in the middle of it.
        for floor in [0, NOT_BEFORE + DAY, NOW, NOT_AFTER] {
            let time = CertificateTime::AtLeast(floor);
            let connection = Connection::new(&config, NAME, time).unwrap();
            Pair::of(connection, Server::new(&pki).start()).exchange();
        }
    }
    // What expired before the floor stays expired, and all other checks still apply.
    let after = CertificateTime::AtLeast(NOT_AFTER + 1);
    let alert = AlertDescription::CertificateExpired;
    let fault = refused(&pki, &pki, NAME, after, alert);
    assert!(matches!(fault, CertificateFault::Expired { .. }));
    let floor = CertificateTime::AtLeast(0);
    let fault = refused(
        &pki,
        &pki,
        "other.test",
        floor,
        AlertDescription::BadCertificate,
    );
    assert!(matches!(fault, CertificateFault::NameMismatch { .. }));

    // Two certificates that were never valid at the same time.
    let mut middle = ca_params("Middle");
    middle.not_before = rcgen::date_time_ymd(2028, 1, 1);
    middle.not_after = rcgen::date_time_ymd(2029, 1, 1);
    let pki = Pki::of(&P256, ca_params("Root"), [middle], leaf_params());
    let fault = refused(&pki, &pki, NAME, floor, alert);
    assert!(matches!(fault, CertificateFault::Expired { .. }));
}

#[test]
fn another_name() {
    let pki = Pki::new(&P256, 1);
    let alert = AlertDescription::BadCertificate;
    for name in ["other.test", "192.0.2.2", "2001:db8::2"] {
        let fault = refused(&pki, &pki, name, NOW.into(), alert);
        let expected = format!(
            "the broker's certificate is not for \"{name}\" but for broker.test, 192.0.2.1 and \
             2001:db8::1"
        );
        assert_eq!(fault.to_string(), expected);
    }
    // The common name and other kinds of names do not count, and an address is not a DNS name.
    let named = |common: &str, names: &[SanType]| {
        let mut leaf = params(common);
        leaf.subject_alt_names = names.to_vec();
        Pki::with_leaf(leaf)
    };
    let dns = |name: &str| SanType::DnsName(name.try_into().unwrap());
    let uri = SanType::URI("spiffe://test/broker".try_into().unwrap());
    for (pki, name, sentence, cure) in [
        (
            named(NAME, &[]),
            NAME,
            "the broker's certificate has \"broker.test\" only as its common name, which does not \
             count (RFC 9525)",
            "subjectAltName=DNS:NAME",
        ),
        (
            named("Other", &[]),
            NAME,
            "the broker's certificate is not for \"broker.test\" but for no name at all (it has no \
             subjectAltName)",
            "subjectAltName=DNS:NAME",
        ),
        (
            named(NAME, &[uri]),
            NAME,
            "the broker's certificate is not for \"broker.test\": it has names, but no DNS name or \
             IP address",
            "subjectAltName=DNS:NAME",
        ),
        (
            named(NAME, &[dns("127.0.0.1"), dns(NAME)]),
            "127.0.0.1",
            "the broker's certificate has 127.0.0.1 only as a DNS name; it must be an IP address \
             entry in subjectAltName (RFC 5280 section 4.2.1.6)",
            "subjectAltName=IP:ADDRESS",
        ),
        (
            named(NAME, &[dns("[2001:DB8:0::7]")]),
            "2001:db8::7",
            "the broker's certificate has 2001:db8::7 only as a DNS name; it must be an IP \
             address entry in subjectAltName (RFC 5280 section 4.2.1.6)",
            "subjectAltName=IP:ADDRESS",
        ),
        (
            named(NAME, &[dns("Broker.test.")]),
            NAME,
            "the broker's certificate has \"broker.test\" only with a final dot, which does not \
             count (RFC 5280 section 4.2.1.6)",
            "subjectAltName=DNS:NAME",
        ),
        (
            named("Other", &[dns("*.test")]),
            NAME,
            "the broker's certificate covers \"broker.test\" only by a wildcard above a single \
             label, such as *.local, which does not count",
            "subjectAltName=DNS:NAME",
        ),
        (
            named(
                "Other",
                &[dns("*.else"), dns("*.sub.broker.test"), dns("*.test")],
            ),
            "a.broker.test",
            "the broker's certificate is not for \"a.broker.test\" but for *.else, \
             *.sub.broker.test and *.test",
            "a name in the certificate",
        ),
        (
            named(NAME, &[dns("127.0.0.1"), dns("*.broker.test")]),
            "127.0.0.2",
            "the broker's certificate is not for \"127.0.0.2\" but for 127.0.0.1 and *.broker.test",
            "a name in the certificate",
        ),
    ] {
        let fault = refused(&pki, &pki, name, NOW.into(), alert);
        assert_eq!(fault.to_string(), sentence);
        let error = TlsError::Certificate(fault);
        assert!(error.cure().contains(cure), "{}", error.cure());
    }
    // An address in a dNSName does not invalidate the other names.
    let pki = named(NAME, &[dns("127.0.0.1"), dns(NAME)]);
    Pair::new(&client(&pki).build().unwrap(), &Server::new(&pki)).exchange();
}

#[test]
fn certificates_for_something_else() {
    let other = AlertDescription::CertificateUnknown;

    let mut leaf = leaf_params();
    leaf.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let fault = refused_now(&Pki::with_leaf(leaf), other);
    assert_eq!(fault, CertificateFault::CaUsedAsEndEntity);
    let cure = TlsError::Certificate(fault).cure();
    assert!(
        cure.contains("pin it") && cure.contains("CA:FALSE"),
        "{cure}"
    );

    // Its own follows: the order is wrong, and another certificate would not help.
    let mut pki = Pki::new(&P256, 2);
    pki.chain.swap(0, 1);
    let fault = refused_now(&pki, other);
    assert_eq!(fault, CertificateFault::LeafNotFirst);
    let mut pki = Pki::new(&P256, 1);
    pki.chain.insert(0, pki.root.clone());
    assert_eq!(refused_now(&pki, other), CertificateFault::LeafNotFirst);

    // An intermediate of version 2, whose extensions do not count.
    let mut pki = Pki::new(&P256, 2);
    let mut old = pki.chain[1].to_vec();
    let version = [0xa0, 3, 2, 1, 2];
    let at = old.windows(5).position(|bytes| bytes == version).unwrap();
    old[at + 4] = 1;
    pki.chain[1] = old.into();
    let fault = refused_now(&pki, other);
    assert_eq!(fault, CertificateFault::IntermediateVersion);
    assert!(!TlsError::Certificate(fault).cure().contains("openssl req"));

    let mut signs_no_certificates = ca_params("For revocation lists");
    signs_no_certificates.key_usages = vec![KeyUsagePurpose::CrlSign];
    let mut unreadable = ca_params("With a key usage that is none");
    unreadable.key_usages = Vec::new();
    let usage = rcgen::CustomExtension::from_oid_content(&[2, 5, 29, 15], vec![4, 1, 6]);
    unreadable.custom_extensions.push(usage);
    for middle in [params("No CA"), signs_no_certificates, unreadable] {
        let pki = Pki::of(&P256, ca_params("Root"), [middle], leaf_params());
        let fault = refused_now(&pki, other);
        assert_eq!(fault, CertificateFault::EndEntityUsedAsCa);
    }

    let mut leaf = leaf_params();
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let fault = refused_now(
        &Pki::with_leaf(leaf),
        AlertDescription::UnsupportedCertificate,
    );
    assert_eq!(fault, CertificateFault::WrongPurpose);
    let mut middle = ca_params("For clients");
    middle.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let pki = Pki::of(&P256, ca_params("Root"), [middle], leaf_params());
    let fault = refused_now(&pki, AlertDescription::UnsupportedCertificate);
    assert!(
        fault
            .to_string()
            .contains("a certificate in the broker's chain"),
        "{fault}"
    );
    assert!(TlsError::Certificate(fault).cure().contains("intermediate"));

    let mut reversed = leaf_params();
    (reversed.not_before, reversed.not_after) = (reversed.not_after, reversed.not_before);
    let fault = refused_now(
        &Pki::with_leaf(reversed),
        AlertDescription::CertificateExpired,
    );
    assert_eq!(fault, CertificateFault::NeverValid);

    let mut narrow = ca_params("Narrow");
    narrow.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName("elsewhere.test".into())],
        excluded_subtrees: vec![],
    });
    let pki = Pki::of(&P256, narrow, [], leaf_params());
    let fault = refused_now(&pki, other);
    assert_eq!(fault, CertificateFault::NameConstraint);

    // Malformed names in addition to the right one. Without a limit on names they do not matter.
    let mut narrow = ca_params("Narrow");
    narrow.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName("test".into())],
        excluded_subtrees: vec![],
    });
    for (name, is_one) in [
        ("*.broker.test", true),
        ("my_broker.test", true),
        ("192.168.1.5", false),
        ("my broker.test", false),
        ("f*.broker.test", false),
        ("*.test", false),
        ("broker.test.", false),
        ("", false),
    ] {
        let mut leaf = leaf_params();
        leaf.subject_alt_names
            .push(SanType::DnsName(name.try_into().unwrap()));
        let pki = Pki::with_leaf(leaf.clone());
        Pair::new(&client(&pki).build().unwrap(), &Server::new(&pki)).exchange();
        let pki = Pki::of(&P256, narrow.clone(), [], leaf);
        if is_one {
            Pair::new(&client(&pki).build().unwrap(), &Server::new(&pki)).exchange();
            continue;
        }
        let fault = refused_now(&pki, other);
        let expected = CertificateFault::InvalidDnsName { name: name.into() };
        assert_eq!(fault, expected);
        let sentence = fault.to_string();
        assert!(sentence.contains(&format!("\"{name}\"")), "{sentence}");
    }

    // Limits on subjects: in the root, and below it.
    let mut of_subjects = ca_params("Of subjects");
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, NAME);
    of_subjects.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![
            GeneralSubtree::DnsName(NAME.into()),
            GeneralSubtree::DirectoryName(name),
        ],
        excluded_subtrees: vec![],
    });
    for pki in [
        Pki::of(&P256, of_subjects.clone(), [], leaf_params()),
        Pki::of(&P256, ca_params("Root"), [of_subjects], leaf_params()),
    ] {
        let fault = refused_now(&pki, other);
        assert_eq!(fault, CertificateFault::DirectoryNameConstraint);
    }

    let mut short = ca_params("Short");
    short.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let middle = [short, ca_params("One too many")];
    let fault = refused_now(
        &Pki::of(&P256, ca_params("Root"), middle, leaf_params()),
        other,
    );
    assert_eq!(fault, CertificateFault::ChainTooLong);

    let long = Pki::new(&P256, 5);
    let fault = refused_now(&long, other);
    let expected = CertificateFault::PathTooLong { length: 5, most: 4 };
    assert_eq!(fault, expected);
    // Before anything is verified: its dates do not matter.
    let fault = refused(&long, &long, NAME, (NOW + 9_999 * DAY).into(), other);
    assert_eq!(fault, expected);

    let critical = |mut params: CertificateParams, id: &[u64]| {
        let mut extension = rcgen::CustomExtension::from_oid_content(id, vec![0x30, 0x00]);
        extension.set_criticality(true);
        params.custom_extensions.push(extension);
        params
    };
    let policies = critical(ca_params("Middle"), &[2, 5, 29, 36]);
    for (pki, subject, extension) in [
        (
            Pki::with_leaf(critical(leaf_params(), &[1, 2, 3, 4])),
            "CN=broker.test",
            "1.2.3.4",
        ),
        (
            Pki::with_leaf(critical(leaf_params(), &[2, 5, 29, 32])),
            "CN=broker.test",
            "certificatePolicies",
        ),
        (
            Pki::of(&P256, ca_params("Root"), [policies], leaf_params()),
            "CN=Middle",
            "policyConstraints",
        ),
    ] {
        let fault = refused_now(&pki, other);
        let expected = CertificateFault::UnknownCriticalExtension {
            subject: subject.into(),
            extension: extension.into(),
        };
        assert_eq!(fault, expected);
        let sentence = fault.to_string();
        assert!(
            sentence.contains(subject) && sentence.ends_with(extension),
            "{sentence}"
        );
    }
}

/// A configured CA that may not issue others: typical for a broker of one's own.
#[test]
fn what_is_no_ca_vouches_for_itself_alone() {
    let key = rcgen::KeyPair::generate_for(&P256).unwrap();
    let mut home = leaf_params();
    home.is_ca = IsCa::ExplicitNoCa;
    let itself = |home: &CertificateParams| {
        let certificate = home.self_signed(&key).unwrap().der().clone();
        Pki {
            chain: vec![certificate.clone()],
            key_pem: key.serialize_pem(),
            root: certificate,
        }
    };
    let pki = itself(&home);
    let config = client(&pki).build().unwrap();
    let mut pair = Pair::new(&config, &Server::new(&pki));
    pair.exchange();
    assert!(pair.client.issued().is_some());
    // In addition to CAs.
    let config = client(&Pki::new(&P256, 1)).ca(&pki.root).unwrap();
    Pair::new(&config.build().unwrap(), &Server::new(&pki)).exchange();

    // Another one with the same name and key.
    let mut other = home.clone();
    other.subject_alt_names.pop();
    let fault = refused(
        &itself(&other),
        &pki,
        NAME,
        NOW.into(),
        AlertDescription::UnknownCA,
    );
    let expected = CertificateFault::UnknownIssuer {
        issuer: "CN=broker.test".into(),
        presented: 1,
        self_signed: true,
    };
    assert_eq!(fault, expected);

    // As the issuer of others; and one that may only sign other things.
    let mut no_ca = params("No CA");
    no_ca.is_ca = IsCa::ExplicitNoCa;
    let mut signs_no_certificates = ca_params("For revocation lists");
    signs_no_certificates.key_usages = vec![KeyUsagePurpose::CrlSign];
    for root in [no_ca, signs_no_certificates] {
        for middle in [None, Some(ca_params("Middle"))] {
            let pki = Pki::of(&P256, root.clone(), middle, leaf_params());
            let fault = refused_now(&pki, AlertDescription::UnknownCA);
            assert_eq!(fault, CertificateFault::EndEntityUsedAsCa);
        }
    }
}

/// RFC 5280 section 7.1: string type and case do not matter when comparing names.
#[test]
fn a_ca_is_found_by_its_name_however_that_is_written() {
    let named = |name: DnValue| {
        let mut params = ca_params("");
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params
    };
    let printable = DnValue::PrintableString("Case CA".try_into().unwrap());
    let text = |name: &str| DnValue::Utf8String(name.into());
    let pki = |issuer: DnValue, middle: bool| {
        let key = || rcgen::KeyPair::generate_for(&P256).unwrap();
        let (root_key, own) = (key(), key());
        let root = named(printable.clone()).self_signed(&root_key).unwrap();
        let mut issuer = Issuer::new(named(issuer), root_key);
        let mut chain = Vec::new();
        if middle {
            let key = key();
            let params = ca_params("Middle");
            chain.push(params.signed_by(&key, &issuer).unwrap().der().clone());
            issuer = Issuer::new(params, key);
        }
        chain.insert(
            0,
            leaf_params()
                .signed_by(&own, &issuer)
                .unwrap()
                .der()
                .clone(),
        );
        Pki {
            chain,
            key_pem: own.serialize_pem(),
            root: root.der().clone(),
        }
    };
    for middle in [false, true] {
        for name in ["Case CA", "CASE  ca"] {
            let pki = pki(text(name), middle);
            let config = client(&pki).build().unwrap();
            let mut pair = Pair::new(&config, &Server::new(&pki));
            pair.exchange();
            assert!(pair.client.issued().is_some());
        }
        for name in ["Case C", "Case CA1", ""] {
            let fault = refused_now(&pki(text(name), middle), AlertDescription::UnknownCA);
            assert!(matches!(fault, CertificateFault::UnknownIssuer { .. }));
        }
    }
}

#[test]
fn a_signature_that_the_device_cannot_check() {
    let pki = Pki::new(&rcgen::PKCS_ED25519, 1);
    // The client does not offer such a scheme, so the server gives up first.
    let mut pair = Pair::new(&client(&pki).build().unwrap(), &Server::new(&pki));
    let error = pair.run().unwrap_err();
    assert_eq!(
        error,
        TlsError::Alert {
            alert: Alert(40),
            handshaking: true,
            context: AlertContext::Unknown,
        }
    );
    // A leaf that the client supports, below a root that it does not.
    let root = Pki::new(&rcgen::PKCS_ED25519, 1);
    let key = rcgen::KeyPair::generate_for(&P256).unwrap();
    let root_key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let root_params = ca_params("Root");
    let root_der = root_params.self_signed(&root_key).unwrap().der().clone();
    let issuer = rcgen::Issuer::new(root_params, root_key);
    let pki = Pki {
        chain: vec![
            leaf_params()
                .signed_by(&key, &issuer)
                .unwrap()
                .der()
                .clone(),
        ],
        key_pem: key.serialize_pem(),
        root: root_der,
    };
    drop(root);
    let fault = refused_now(&pki, AlertDescription::DecryptError);
    let expected = CertificateFault::UnsupportedSignatureAlgorithm {
        signature: Signature::Ed25519,
        key: None,
    };
    assert_eq!(fault, expected);
    assert!(
        fault.to_string().contains("signed with Ed25519,"),
        "{fault}"
    );
}
