//! The TLS front, tested with an independent client.
mod common;
use common::{client_config, connect, read};
use rustls::pki_types::CertificateDer;
use rustls::{CipherSuite, NamedGroup, ProtocolVersion};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};
use thread_mqtt_test_support::closed::ClosedPort;
use thread_mqtt_testkit::fixed::Fixed;
use thread_mqtt_testkit::front::{Behaviour, Front};
use thread_mqtt_testkit::pki::{Authority, Chain, KeyKind, Usage, Validity};
use thread_mqtt_testkit::tls::{Tls, Version};

/// Starts a backend that echoes everything. Its thread ends with the process.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            thread::spawn(move || {
                let mut writer = socket.try_clone().unwrap();
                std::io::copy(&mut socket, &mut writer)
            });
        }
    });
    address
}

fn root(fixed: Fixed) -> CertificateDer<'static> {
    use rustls::pki_types::pem::PemObject;
    CertificateDer::from_pem_slice(fixed.root_pem().as_bytes()).unwrap()
}

/// Waits for the front's thread to write its log.
fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn exactly_one_suite_and_what_was_agreed_is_logged() {
    let front = Front::start(&Tls::tls12_ecdhe_rsa(Fixed::Rsa2048.server()), echo()).unwrap();
    let config = client_config(&root(Fixed::Rsa2048), None);
    let mut client = connect(&config, "broker.example.com", front.address()).unwrap();
    client.write_all(b"hello").unwrap();
    assert_eq!(read(&mut client, 5).unwrap(), b"hello");
    assert_eq!(
        client.conn.protocol_version(),
        Some(ProtocolVersion::TLSv1_2)
    );

    // A second connection of the same client resumes the session.
    drop(client);
    connect(&config, "broker.example.com", front.address()).unwrap();
    eventually("two handshakes", || front.log().handshakes.len() == 2);
    let log = front.log();
    let suite = Some(CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256);
    assert!(
        log.handshakes
            .iter()
            .all(|handshake| handshake.suite == suite)
    );
    assert_eq!(
        log.handshakes
            .iter()
            .map(|one| one.resumed)
            .collect::<Vec<_>>(),
        [false, true]
    );
    assert_eq!(
        log.handshakes[0].server_name.as_deref(),
        Some("broker.example.com")
    );
    assert_eq!(log.accepted, 2);
}

#[test]
fn groups_versions_and_alpn_are_the_servers() {
    let tls = Tls {
        versions: vec![Version::Tls13],
        groups: vec![NamedGroup::secp256r1],
        alpn: vec![b"mqtt".to_vec()],
        resumption: false,
        max_record: Some(512),
        ..Tls::new(Fixed::P256.server())
    };
    let front = Front::start(&tls, echo()).unwrap();
    let mut config = client_config(&root(Fixed::P256), None);
    std::sync::Arc::get_mut(&mut config).unwrap().alpn_protocols = vec![b"mqtt".to_vec()];
    for _ in 0..2 {
        let mut client = connect(&config, "localhost", front.address()).unwrap();
        client.write_all(&[7; 3000]).unwrap();
        assert_eq!(read(&mut client, 3000).unwrap(), [7; 3000]);
    }
    let handshakes = front.log().handshakes;
    assert_eq!(handshakes.len(), 2);
    for handshake in handshakes {
        assert_eq!(handshake.version, Some(ProtocolVersion::TLSv1_3));
        assert_eq!(handshake.group, Some(NamedGroup::secp256r1));
        assert_eq!(handshake.alpn.as_deref(), Some(&b"mqtt"[..]));
        assert!(!handshake.resumed);
    }
}

#[test]
fn client_certificates_are_demanded() {
    let tls = Tls {
        client_ca: Some(root(Fixed::P256)),
        versions: vec![Version::Tls12],
        ..Tls::new(Fixed::Rsa2048.server())
    };
    let front = Front::start(&tls, echo()).unwrap();
    let without = client_config(&root(Fixed::Rsa2048), None);
    assert!(connect(&without, "localhost", front.address()).is_err());
    eventually("the refusal", || front.log().failures.len() == 1);

    let with = client_config(&root(Fixed::Rsa2048), Some(&Fixed::P256.client()));
    connect(&with, "localhost", front.address()).unwrap();
    eventually("the handshake", || front.log().handshakes.len() == 1);
    assert_eq!(front.log().handshakes[0].client_certificates, 1);
}

#[test]
fn misbehaviours() {
    let front = Front::start(&Tls::new(Fixed::Rsa2048.server()), echo()).unwrap();
    let config = client_config(&root(Fixed::Rsa2048), None);
    let attempt = |behaviour| {
        front.set_behaviour(behaviour);
        connect(&config, "localhost", front.address())
    };
    assert!(attempt(Behaviour::CloseOnAccept).is_err());
    let closed = attempt(Behaviour::CloseInHandshake).unwrap_err();
    assert_eq!(closed.kind(), std::io::ErrorKind::UnexpectedEof);
    let http = attempt(Behaviour::Reply(
        b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
    ))
    .unwrap_err();
    assert_eq!(http.kind(), std::io::ErrorKind::InvalidData);

    // Ten bytes, then the end without close_notify, which rustls reports.
    let mut client = attempt(Behaviour::TruncateAfter(10)).unwrap();
    client.write_all(&[1; 20]).unwrap();
    let mut bytes = Vec::new();
    let error = client.read_to_end(&mut bytes).unwrap_err();
    assert_eq!(
        (bytes.len(), error.kind()),
        (10, std::io::ErrorKind::UnexpectedEof)
    );

    front.set_behaviour(Behaviour::Plaintext);
    let mut plain = TcpStream::connect(front.address()).unwrap();
    plain.write_all(b"plain").unwrap();
    assert_eq!(read(&mut plain, 5).unwrap(), b"plain");

    front.set_behaviour(Behaviour::Silent);
    let mut silent = TcpStream::connect(front.address()).unwrap();
    silent
        .set_read_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    silent.write_all(b"anybody?").unwrap();
    assert!(silent.read(&mut [0; 1]).is_err());

    attempt(Behaviour::Serve).unwrap();
}

/// Tried a few times: a concurrent program may get the closed port immediately.
#[test]
fn dropping_the_front_closes_its_port_and_connections() {
    let config = client_config(&root(Fixed::Rsa2048), None);
    let closes = |_| {
        let front = Front::start(&Tls::new(Fixed::Rsa2048.server()), echo()).unwrap();
        let address = front.address();
        let mut client = connect(&config, "localhost", address).unwrap();
        drop(front);
        assert!(client.read(&mut [0; 1]).is_err());
        ClosedPort::keep(address.port()).is_ok() && TcpStream::connect(address).is_err()
    };
    assert!((0..3).any(closes));
}

/// Generated chains have the requested properties, as checked by rustls and webpki.
#[test]
fn generated_chains_verify_or_fail_as_they_should() {
    let judge = |chain: &Chain, root: &CertificateDer<'static>, name: &str| {
        let front = Front::start(&Tls::new(chain.leaf.clone()), echo()).unwrap();
        connect(&client_config(root, None), name, front.address())
            .map(drop)
            .map_err(|error| error.to_string())
    };
    for kind in [
        KeyKind::Rsa2048,
        KeyKind::Rsa3072,
        KeyKind::P256,
        KeyKind::P384,
    ] {
        let chain = Chain::generate(kind, &["a.example", "10.1.2.3", "fd00::1"]).unwrap();
        let root = chain.root.certificate();
        for name in ["a.example", "10.1.2.3", "fd00::1"] {
            assert_eq!(judge(&chain, root, name), Ok(()), "{kind:?} {name}");
        }
        let mismatch = judge(&chain, root, "b.example").unwrap_err();
        assert!(mismatch.contains("not valid for name"), "{mismatch}");
        let stranger = Authority::root("stranger", KeyKind::P256, Validity::current()).unwrap();
        let unknown = judge(&chain, stranger.certificate(), "a.example").unwrap_err();
        assert!(unknown.contains("UnknownIssuer"), "{unknown}");
    }
    for (validity, word) in [
        (Validity::expired(), "expired"),
        (Validity::not_yet(), "not valid yet"),
    ] {
        let chain =
            Chain::with_validity(KeyKind::P256, &["a.example"], Validity::current(), validity)
                .unwrap();
        let error = judge(&chain, chain.root.certificate(), "a.example").unwrap_err();
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn a_client_certificate_is_no_server_certificate() {
    let root = Authority::root("root", KeyKind::P256, Validity::current()).unwrap();
    let leaf = root
        .issue(
            &["localhost"],
            Usage::Client,
            KeyKind::P256,
            Validity::current(),
        )
        .unwrap();
    let front = Front::start(&Tls::new(leaf), echo()).unwrap();
    assert!(
        connect(
            &client_config(root.certificate(), None),
            "localhost",
            front.address()
        )
        .is_err()
    );
}

#[test]
fn pem_and_der_tell_the_same() {
    use rustls::pki_types::PrivateKeyDer;
    use rustls::pki_types::pem::PemObject;
    let chain = Chain::generate(KeyKind::P256, &["localhost"]).unwrap();
    let pem = chain.leaf.chain_pem();
    let parsed: Vec<CertificateDer<'_>> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(parsed, chain.leaf.chain());
    let key = PrivateKeyDer::from_pem_slice(chain.leaf.key_pem().as_bytes()).unwrap();
    assert_eq!(&key, chain.leaf.key());
}
