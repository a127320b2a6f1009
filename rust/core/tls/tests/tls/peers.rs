//! Peers that abort the handshake or violate TLS: which error is reported, and to whom.

use rcgen::PKCS_ECDSA_P256_SHA256 as P256;
use thread_mqtt_soft_provider::{Random, RandomError};
use thread_mqtt_tls::{
    Alert, AlertContext, CertificateFault, Config, Connection, Greeting, Group, Incompatible,
    Suite, TlsError, Version,
};

use crate::pair::{Pair, Server, client, connect};
use crate::pki::{NAME, NOW, Pki, ca_params, leaf_params};

#[test]
fn a_server_without_the_key_of_its_certificate() {
    // TLS 1.2: the signature of the ServerKeyExchange, in the clear, is altered on the way.
    let pki = Pki::new(&P256, 1);
    let config = client(&pki).versions(&[Version::Tls12]).build().unwrap();
    let mut pair = Pair::new(&config, &Server::new(&pki));
    let hello = pair.client.ciphertext().to_vec();
    pair.server.read_tls(&mut &hello[..]).unwrap();
    pair.server.process_new_packets().unwrap();
    let mut flight = Vec::new();
    while pair.server.wants_write() {
        pair.server.write_tls(&mut flight).unwrap();
    }
    // The flight ends with the signature and the nine bytes of the ServerHelloDone record, or with
    // four bytes if the messages share a record.
    let done = flight.windows(4).rposition(|w| w == [14, 0, 0, 0]).unwrap();
    let mut altered = flight.clone();
    let last = if altered[done - 5..done] == [22, 3, 3, 0, 4] {
        done - 6
    } else {
        done - 1
    };
    altered[last] ^= 1;
    let mut taken = Ok(0);
    for chunk in altered.chunks(100) {
        taken = pair.client.handle_ciphertext(chunk);
    }
    let error = taken.unwrap_err();
    assert_eq!(
        error,
        TlsError::Certificate(CertificateFault::BadHandshakeSignature)
    );
    assert!(error.cure().contains("private key"));
}

#[test]
fn nothing_in_common() {
    let pki = Pki::new(&P256, 1);
    let refusal = |config: &Config, server: &Server| {
        let mut pair = Pair::new(config, server);
        pair.run().unwrap_err()
    };
    let handshake_failure = TlsError::Alert {
        alert: Alert(40),
        handshaking: true,
        context: AlertContext::Unknown,
    };

    let only13 = client(&pki).versions(&[Version::Tls13]).build().unwrap();
    let mut server = Server::new(&pki);
    server.versions = vec![Version::Tls12];
    let error = refusal(&only13, &server);
    assert_eq!(
        error.to_string(),
        "the broker ended the TLS handshake with alert protocol_version (70): it supports none of \
         the offered TLS versions"
    );

    // A server that answers with TLS 1.2 nevertheless.
    let only12 = client(&pki).versions(&[Version::Tls12]).build().unwrap();
    let mut pair = Pair::new(&only12, &server);
    let hello = pair.client.ciphertext().to_vec();
    pair.server.read_tls(&mut &hello[..]).unwrap();
    pair.server.process_new_packets().unwrap();
    pair.client = connect(&only13);
    assert_eq!(
        pair.run(),
        Err(TlsError::Incompatible(Incompatible::Version))
    );

    let config = client(&pki)
        .suites(&[Suite::EcdheEcdsaAes128GcmSha256])
        .build()
        .unwrap();
    let mut server = Server::new(&pki);
    server.suites = vec![Suite::EcdheEcdsaAes256GcmSha384];
    server.versions = vec![Version::Tls12];
    assert_eq!(refusal(&config, &server), handshake_failure);

    let config = client(&pki).groups(&[Group::X25519]).build().unwrap();
    let mut server = Server::new(&pki);
    server.groups = vec![Group::Secp384r1];
    for version in Version::ALL {
        server.versions = vec![*version];
        assert_eq!(refusal(&config, &server), handshake_failure);
    }

    let config = client(&pki).alpn(&[b"mqtt"]).build().unwrap();
    let mut server = Server::new(&pki);
    server.alpn = vec![b"h2".to_vec()];
    let error = refusal(&config, &server);
    assert_eq!(
        error,
        TlsError::Alert {
            alert: Alert(120),
            handshaking: true,
            context: AlertContext::Unknown,
        }
    );
    assert!(error.cure().contains("ALPN"));
}

#[test]
fn a_client_certificate_that_the_broker_misses_or_refuses() {
    let pki = Pki::new(&P256, 1);
    let device = Pki::of(&P256, ca_params("Devices"), [], leaf_params());
    let mut server = Server::new(&pki);
    server.client_root = Some(device.root.clone());
    for version in Version::ALL {
        let without = client(&pki).versions(&[*version]).build().unwrap();
        let mut pair = Pair::new(&without, &server);
        let error = pair.run().unwrap_err();
        let TlsError::Alert {
            alert, handshaking, ..
        } = error
        else {
            panic!("{error}");
        };
        // In TLS 1.3 the client is done before the server checks its certificate.
        assert_eq!(handshaking, *version == Version::Tls12);
        assert_eq!(alert.name(), Some("certificate_required"));
        assert!(error.cure().contains("configure a client certificate"));
        let sentence = error.to_string();
        assert!(sentence.ends_with("but none is configured"), "{sentence}");

        // A request for RSA only: rustls does not send the certificate.
        let mut only_rsa = server.clone();
        only_rsa.client_schemes = |scheme| format!("{scheme:?}").starts_with("RSA");
        let with = client(&pki)
            .versions(&[*version])
            .client_identity(device.chain_pem().as_bytes(), device.key_pem.as_bytes())
            .unwrap()
            .build()
            .unwrap();
        let error = Pair::new(&with, &only_rsa).run().unwrap_err();
        let sentence = error.to_string();
        assert!(sentence.contains("with another kind of key"), "{sentence}");
        assert!(error.cure().contains("RSA"));
        // What one broker asked for does not apply to the next.
        let mut next = connect(&with);
        let record = [21, 3, 3, 0, 2, 2, 40];
        let error = next.handle_ciphertext(&record).unwrap_err();
        assert!(error.to_string().contains("both sides accept"), "{error}");
        Pair::new(&with, &server).exchange();

        let stranger = Pki::new(&P256, 1);
        let wrong = client(&pki)
            .versions(&[*version])
            .client_identity(stranger.chain_pem().as_bytes(), stranger.key_pem.as_bytes())
            .unwrap()
            .build()
            .unwrap();
        let mut pair = Pair::new(&wrong, &server);
        let error = pair.run().unwrap_err();
        let TlsError::Alert { alert, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(alert.name(), Some("unknown_ca"));
    }
}

#[test]
fn every_alert_says_what_it_means() {
    let pki = Pki::new(&P256, 1);
    let config = client(&pki).build().unwrap();
    for number in 0..=u8::MAX {
        let mut connection = connect(&config);
        let record = [21, 3, 3, 0, 2, 2, number];
        let error = connection.handle_ciphertext(&record).unwrap_err();
        assert_eq!(
            error,
            TlsError::Alert {
                alert: Alert(number),
                handshaking: true,
                context: AlertContext::Unknown,
            }
        );
        let sentence = error.to_string();
        assert!(sentence.contains(&format!("({number}): ")), "{sentence}");
        assert!(!error.cure().is_empty());
    }
}

#[test]
fn peers_that_do_not_speak_tls() {
    let pki = Pki::new(&P256, 1);
    let config = client(&pki).build().unwrap();
    for (greeting, expected) in [
        (&b"HTTP/1.1 400 Bad Request\r\n"[..], Greeting::Http),
        (b"\x20\x02\x00\x01", Greeting::Mqtt),
        (b"\xe0\x02\x82\x00", Greeting::Mqtt),
        (b"\x20\x02\x00\x05\xe0\x00", Greeting::Mqtt),
        (b"SSH-2.0-OpenSSH_9.2\r\n", Greeting::Text),
        (b"220 mail.test ESMTP\r\n", Greeting::Text),
        (b"\xff\xfd\x18\xff\xfd\x20", Greeting::Binary),
        (b"\x16\x02\x00\x00\x05", Greeting::Binary),
        (b"\x80\x2e\x01\x03\x01", Greeting::Binary),
    ] {
        for size in [1, 3, 100] {
            let mut connection = connect(&config);
            let mut result = Ok(());
            for chunk in greeting.chunks(size) {
                result = result.and(connection.handle_ciphertext(chunk).map(drop));
            }
            let error = result.and_then(|()| connection.handle_eof()).unwrap_err();
            assert_eq!(error, TlsError::NotTls(expected));
            assert!(
                error
                    .to_string()
                    .contains("does not speak TLS on this port")
            );
            assert!(error.cure().contains("mqtt://"));
        }
    }
}

/// No name is sent when connecting to an address (RFC 6066 section 3).
#[test]
fn a_broker_that_wants_a_host_name() {
    let config = client(&Pki::new(&P256, 1)).build().unwrap();
    let error = |name, alert| {
        let mut connection = Connection::new(&config, name, NOW).unwrap();
        let alert = [21, 3, 3, 0, 2, 2, alert];
        connection.handle_ciphertext(&alert).unwrap_err()
    };
    for alert in [40, 112] {
        for address in ["192.0.2.1", "[2001:db8::1]"] {
            let error = error(address, alert);
            assert!(error.to_string().contains("(SNI)"), "{error}");
            assert!(error.cure().contains("by the broker's name"));
        }
        assert!(!error(NAME, alert).to_string().contains("(SNI)"));
    }
}

#[test]
fn a_broker_that_hangs_up() {
    let pki = Pki::new(&P256, 1);
    let config = client(&pki).build().unwrap();
    let error = connect(&config).handle_eof().unwrap_err();
    assert_eq!(error, TlsError::ClosedInHandshake { answered: false });
    assert!(error.cure().contains("a plain MQTT port or a broker"));

    let mut pair = Pair::new(&config, &Server::new(&pki));
    let hello = pair.client.ciphertext().to_vec();
    pair.server.read_tls(&mut &hello[..]).unwrap();
    pair.server.process_new_packets().unwrap();
    let mut flight = Vec::new();
    pair.server.write_tls(&mut flight).unwrap();
    for n in [5, 20, 100] {
        let mut connection = connect(&config);
        connection.handle_ciphertext(&flight[..n]).unwrap();
        let error = connection.handle_eof().unwrap_err();
        assert_eq!(error, TlsError::ClosedInHandshake { answered: true });
        assert_eq!(connection.handle_eof(), Err(error));
    }
    // With close_notify but without FIN, at once and after ServerHello: the client does not keep
    // waiting.
    let hello = 5 + usize::from(u16::from_be_bytes([flight[3], flight[4]]));
    for before in [&[][..], &flight[..hello]] {
        let mut connection = connect(&config);
        let close = [before, &[21, 3, 3, 0, 2, 1, 0]].concat();
        let mut rest = &close[..];
        let error = loop {
            match connection.handle_ciphertext(rest) {
                Ok(n) => rest = &rest[n..],
                Err(error) => break error,
            }
        };
        assert_eq!(error, TlsError::ClosedInHandshake { answered: true });
    }
}

#[test]
fn broken_records_and_messages() {
    let pki = Pki::new(&P256, 1);
    let config = client(&pki).build().unwrap();
    let error_of = |bytes: &[u8]| {
        let mut connection = connect(&config);
        let hello = connection.ciphertext().len();
        let error = connection.handle_ciphertext(bytes).unwrap_err();
        (error, connection.ciphertext().len() > hello)
    };
    // Longer than TLS allows: detected by the header, and reported to the peer.
    assert_eq!(
        error_of(&[22, 3, 3, 0xff, 0xff]),
        (TlsError::RecordOverflow, true)
    );
    // An empty handshake record.
    assert!(matches!(
        error_of(&[22, 3, 3, 0, 0]),
        (TlsError::BadMessage(_), true)
    ));
    // Application data before there are keys.
    let (error, told) = error_of(&[23, 3, 3, 0, 1, 0]);
    assert_eq!((error, told), (TlsError::UnexpectedMessage, true));
    // An unexpected Finished message, and an invalid ServerHello.
    let (error, _) = error_of(&[22, 3, 3, 0, 4, 20, 0, 0, 0]);
    assert_eq!(error, TlsError::UnexpectedMessage);
    let (error, told) = error_of(&[22, 3, 3, 0, 6, 2, 0, 0, 2, 3, 3]);
    assert!(matches!(error, TlsError::BadMessage(_)) && told);
    let sentence = error.to_string();
    assert!(
        sentence.contains("cannot be decoded (MissingData"),
        "{sentence}"
    );
}

#[derive(Debug)]
struct NoRandom;

impl Random for NoRandom {
    fn fill(_: &mut [u8]) -> Result<(), RandomError> {
        Err(RandomError)
    }
}

#[test]
fn a_device_without_entropy() {
    let pki = Pki::new(&P256, 1);
    let config = Config::builder(thread_mqtt_soft_provider::provider::<NoRandom>())
        .ca(&pki.root)
        .unwrap()
        .build()
        .unwrap();
    let error = Connection::new(&config, NAME, NOW).unwrap_err();
    assert_eq!(error, TlsError::NoEntropy);
    assert!(error.cure().contains("entropy"));
}
