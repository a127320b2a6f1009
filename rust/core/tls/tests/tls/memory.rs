//! What a peer can make the client take of the heap before it has shown who it is, and what becomes
//! of a heap that has not enough.

use std::sync::Arc;

use rcgen::{CertificateParams, DistinguishedName, DnType, PKCS_ECDSA_P256_SHA256 as P256};
use rcgen::{PKCS_RSA_SHA256 as RSA, SanType};
use thread_mqtt_test_support::heap::{Heap, with_heap};
use thread_mqtt_tls::{
    CertificateFault, Config, ConfigBuilder, ConfigError, Fault, Given, SessionStore, TlsError,
    Version,
};

use crate::pair::{Pair, Server, client, client_that_copies, connect, soft};
use crate::pki::{Pki, ca_params, leaf_params, pem};

#[global_allocator]
static HEAP: Heap = Heap;

/// Certificates are read one after the other, and the heap is asked before each.
#[test]
fn a_bundle_takes_the_heap_of_one() {
    let pki = Pki::new(&P256, 1);
    let one = pem(&pki.root);
    let read = |bundle: &str, bytes| {
        let builder = Config::builder(soft());
        let (read, took) = with_heap(bytes, || builder.ca(bundle.as_bytes()));
        (read.map(drop), took)
    };
    let (good, of_one) = read(&one, usize::MAX);
    assert_eq!(good, Ok(()));
    let (good, of_ten) = read(&one.repeat(10), usize::MAX);
    assert_eq!(good, Ok(()));
    // Beside what is kept of each, which is less than its DER.
    assert!(of_ten < of_one + 9 * pki.root.len(), "{of_one} {of_ten}");
    let (bad, _) = read(&one, one.len());
    let error = ConfigError::Given(Given::Ca, Fault::OutOfMemory);
    assert_eq!(bad, Err(error));
    let sentence = "not enough heap to read the CA certificate; ";
    assert!(error.to_string().starts_with(sentence), "{error}");
}

/// A handshake in which the client has so much heap for each piece of a record that it is handed:
/// how it ends, and the most that a piece took.
fn handshake(config: &Config, server: &Server, bytes: usize) -> (Result<(), TlsError>, usize) {
    let mut pair = Pair::new(config, server);
    let mut most = 0;
    loop {
        let sent = pair.client_to_server(usize::MAX);
        pair.server_to_pipe();
        if sent == 0 && pair.to_client.is_empty() {
            return (Ok(()), most);
        }
        let received: Vec<u8> = pair.to_client.drain(..).collect();
        let (result, took) = with_heap(bytes, || pair.client.handle_ciphertext(&received));
        most = most.max(took);
        if let Err(error) = result {
            return (Err(error), most);
        }
    }
}

/// Chains that are made to cost memory, with the bytes of the largest flight.
fn hostile() -> Vec<(&'static str, Pki)> {
    let named = |names: &mut dyn Iterator<Item = String>| {
        let mut leaf = leaf_params();
        leaf.subject_alt_names = names
            .map(|name| SanType::DnsName(name.try_into().unwrap()))
            .collect();
        leaf
    };
    let called = |kind: DnType, value: String| {
        let mut leaf = leaf_params();
        leaf.distinguished_name = DistinguishedName::new();
        leaf.distinguished_name.push(kind, value);
        leaf
    };
    let unknown = DnType::CustomDnType(vec![1, 2, 3, 4, 5]);
    let many = |leaf: CertificateParams| {
        let mut pki = Pki::of(&P256, ca_params("Root"), [], leaf);
        let last = pki.chain[0].clone();
        pki.chain.extend(std::iter::repeat_n(last, 24));
        pki
    };
    let alone = Pki::with_leaf;
    vec![
        (
            "many names",
            alone(named(&mut (0..3_000).map(|i| format!("{i:x}")))),
        ),
        (
            "long names",
            alone(named(&mut (0..60).map(|_| "n".repeat(253)))),
        ),
        (
            "a long subject",
            alone(called(DnType::CommonName, "s".repeat(15_000))),
        ),
        (
            "a subject to be escaped",
            alone(called(DnType::CommonName, "\u{9f}".repeat(7_500))),
        ),
        (
            "a subject in hex",
            alone(called(unknown, "h".repeat(15_000))),
        ),
        ("many certificates", many(leaf_params())),
    ]
}

#[test]
fn a_chain_costs_a_copy_of_it_and_its_summary() {
    let summary = (1_024 + 7 * 256) * size_of::<usize>();
    let trusted = Pki::of(&P256, ca_params("Stranger"), [], leaf_params());
    for (what, pki) in hostile() {
        let sent: usize = pki.chain.iter().map(|certificate| certificate.len()).sum();
        assert!(sent > 7_000 && sent < 17_000, "{what}: {sent}");
        for version in Version::ALL {
            let config = client(&trusted).versions(&[*version]).build().unwrap();
            let (result, took) = handshake(&config, &Server::new(&pki), usize::MAX);
            assert!(
                matches!(result, Err(TlsError::Certificate(_))),
                "{what}: {result:?}"
            );
            // Received, and copied; the rest is what is asked for before it is read for people.
            assert!(
                took < 2 * (sent + 512) + summary + 4_096,
                "{what}: {sent} bytes took {took}"
            );
        }
    }
}

/// With any amount of heap a handshake gets through, is refused, or says what is missing.
#[test]
fn too_little_heap_is_an_error() {
    let honest = [(&P256, 2), (&RSA, 2), (&P256, 4)];
    let honest = honest.map(|(algorithm, length)| ("honest", Pki::new(algorithm, length)));
    let stranger = Pki::of(&P256, ca_params("Stranger"), [], leaf_params());
    let trusted = honest.into_iter().chain(hostile());
    let trusted = trusted.map(|(what, pki)| (what, pki.clone(), pki));
    let strange = hostile().into_iter();
    let strange = strange.map(|(what, pki)| (what, pki, stranger.clone()));
    for (what, pki, trusted) in trusted.chain(strange) {
        for version in Version::ALL {
            let config = client(&trusted).versions(&[*version]).build().unwrap();
            let server = Server::new(&pki);
            let enough = handshake(&config, &server, usize::MAX);
            let (mut missing, mut ended) = (0, 0);
            // webpki's list of the names.
            let most = if what.ends_with("names") { 480 } else { 48 } * 1_024;
            for bytes in (0..most).step_by(most / 256) {
                let (result, _) = handshake(&config, &server, bytes);
                match result {
                    Err(TlsError::OutOfMemory { .. }) => missing += 1,
                    result => {
                        assert_eq!(result, enough.0, "{what}, {version}, {bytes} bytes");
                        ended += 1;
                    }
                }
            }
            assert!(missing > 10 && ended > 10, "{what}: {missing}, {ended}");
        }
    }
}

/// The list of the names is made where none of them is the wanted one.
#[test]
fn a_name_among_many_takes_no_list_of_them() {
    let mut leaf = leaf_params();
    for i in 0..300 {
        let name = format!("other-{i}.test").try_into().unwrap();
        leaf.subject_alt_names.insert(0, SanType::DnsName(name));
    }
    let pki = Pki::with_leaf(leaf);
    let config = client(&pki).build().unwrap();
    let (result, took) = handshake(&config, &Server::new(&pki), 40_000);
    assert_eq!(result, Ok(()));
    assert!(took < 40_000, "{took}");
}

/// Whose certificate it is takes room to tell. That it has expired is told without, because it tells of the clock.
#[test]
fn an_expired_certificate_is_called_so_with_little_heap() {
    let mut leaf = leaf_params();
    leaf.not_after = leaf.not_before;
    let pki = Pki::with_leaf(leaf);
    let config = client(&pki).build().unwrap();
    let (mut missing, mut expired) = (0, 0);
    for bytes in (0..48 * 1_024).step_by(191) {
        match handshake(&config, &Server::new(&pki), bytes).0 {
            Err(TlsError::OutOfMemory { .. }) => missing += 1,
            Err(TlsError::Certificate(CertificateFault::Expired { .. })) => expired += 1,
            other => panic!("{bytes}: {other:?}"),
        }
    }
    assert!(missing > 10 && expired > 10, "{missing}, {expired}");
}

/// What finds no room on the heap waits for it, as for room in the buffer.
#[test]
fn too_little_heap_to_send_is_waited_for() {
    let pki = Pki::new(&P256, 1);
    for version in Version::ALL {
        let config = client(&pki).versions(&[*version]).build().unwrap();
        let mut pair = Pair::new(&config, &Server::new(&pki));
        pair.run().unwrap();
        let text = [7; 3_000];
        let mut waited = 0;
        for bytes in (0..12_000).step_by(97) {
            let before = pair.server_read.len();
            let (written, _) = with_heap(bytes, || pair.client.write(&text));
            let written = written.unwrap();
            assert!(written == 0 || written == text.len(), "{written}");
            assert!(written != 0 || bytes < 7_000, "{bytes}");
            waited += usize::from(written == 0);
            pair.run().unwrap();
            assert_eq!(pair.server_read.len() - before, written);
        }
        assert!(waited > 10, "{waited}");
    }
}

/// A record takes its own length in whole KiB, and what is asked for beside it; with a provider that does not leave
/// it in place, its length once more.
#[test]
fn so_it_is_for_a_record_of_data() {
    const LENGTH: usize = 16_000;
    const WHOLE: usize = 16_384;
    const BESIDE: usize = 128 * size_of::<usize>() + 512;
    let pki = Pki::new(&P256, 1);
    for version in Version::ALL {
        for (client, takes) in [
            (client as fn(&Pki) -> ConfigBuilder, WHOLE),
            (client_that_copies, WHOLE + LENGTH),
        ] {
            let config = client(&pki)
                .versions(&[*version])
                .no_resumption()
                .build()
                .unwrap();
            let server = Server::new(&pki);
            for (bytes, fits) in [(LENGTH, false), (takes, false), (takes + BESIDE, true)] {
                let mut pair = Pair::new(&config, &server);
                pair.run().unwrap();
                std::io::Write::write_all(&mut pair.server.writer(), &[7; LENGTH]).unwrap();
                pair.server_to_pipe();
                let record: Vec<u8> = pair.to_client.drain(..).collect();
                let (result, took) = with_heap(bytes, || pair.client.handle_ciphertext(&record));
                match result {
                    Ok(taken) => {
                        assert!(fits, "{version}: {bytes} sufficed");
                        assert_eq!(taken, record.len());
                        assert_eq!(pair.client.plaintext(), [7; LENGTH]);
                        assert!(took <= takes + BESIDE, "{took} were taken of {takes}");
                    }
                    Err(error) => {
                        assert!(!fits, "{version}: {bytes} did not suffice");
                        assert!(matches!(error, TlsError::OutOfMemory { .. }), "{error}");
                        assert_eq!(pair.client.handle_eof(), Err(error));
                    }
                }
            }
        }
    }
}

/// A session that would be resumed gives way to a record, wherever its header was cut.
#[test]
fn sessions_make_room() {
    const LENGTH: usize = 16_000;
    const BESIDE: usize = 64 * size_of::<usize>() + 500;
    let pki = Pki::new(&P256, 1);
    for version in Version::ALL {
        let small = [0, 1, 3, 5, 6].map(|cut| (LENGTH + BESIDE, cut, 0));
        for (bytes, cut, kept) in small.into_iter().chain([(LENGTH + 4_096, 0, 1)]) {
            let store = SessionStore::default();
            let config = client(&pki).versions(&[*version]).sessions(&store);
            let mut pair = Pair::new(&config.build().unwrap(), &Server::new(&pki));
            pair.run().unwrap();
            assert_eq!(store.len(), 1);
            std::io::Write::write_all(&mut pair.server.writer(), &[7; LENGTH]).unwrap();
            pair.server_to_pipe();
            let record: Vec<u8> = pair.to_client.drain(..).collect();
            let (first, rest) = record.split_at(cut);
            let (result, _) = with_heap(bytes, || {
                let first = pair.client.handle_ciphertext(first)?;
                Ok::<_, TlsError>(first + pair.client.handle_ciphertext(rest)?)
            });
            assert_eq!(result, Ok(record.len()));
            assert_eq!(pair.client.plaintext(), [7; LENGTH]);
            assert_eq!(store.len(), kept, "{version}");
        }
    }
}

/// The handshake of TLS 1.3, and what the server says behind it.
fn up_to_the_ticket(pair: &mut Pair) -> Vec<u8> {
    pair.client_to_server(usize::MAX);
    pair.server_to_pipe();
    let flight: Vec<u8> = pair.to_client.drain(..).collect();
    pair.client.handle_ciphertext(&flight).unwrap();
    pair.client_to_server(usize::MAX);
    pair.server_to_pipe();
    pair.to_client.drain(..).collect()
}

/// What a ticket makes the client take of the heap, by how long the broker's chain is: nothing for rustls
/// as `scripts/rustls_client_only.py` makes it.
#[test]
fn a_session_shares_its_chain_in_rustls_for_a_client_only() {
    #[allow(dead_code, reason = "not used beside the constant of the same name")]
    trait Published {
        const SHARES_PEER_CERTIFICATES: bool = false;
    }
    impl Published for rustls::CommonState {}

    let [(short, of_short), (long, of_long)] = [1, 4].map(|certificates| {
        let pki = Pki::new(&RSA, certificates);
        let config = client(&pki).versions(&[Version::Tls13]).build().unwrap();
        let mut pair = Pair::new(&config, &Server::new(&pki));
        let ticket = up_to_the_ticket(&mut pair);
        let (result, took) = with_heap(usize::MAX, || pair.client.handle_ciphertext(&ticket));
        assert_eq!(result, Ok(ticket.len()));
        (pki.chain.iter().map(|c| c.len()).sum::<usize>(), took)
    });
    match rustls::CommonState::SHARES_PEER_CERTIFICATES {
        true => assert!(of_long < of_short + 64, "{of_short} {of_long}"),
        false => assert!(of_long >= of_short + long - short, "{of_short} {of_long}"),
    }
}

/// A ticket looks like data until it is decrypted; it is copied, and the chain with it.
#[test]
fn a_ticket_is_an_error_without_room_for_its_copies() {
    #[derive(Debug)]
    struct Sized(usize);
    impl server_rustls::server::ProducesTickets for Sized {
        fn enabled(&self) -> bool {
            true
        }
        fn lifetime(&self) -> u32 {
            7_200
        }
        fn encrypt(&self, _: &[u8]) -> Option<Vec<u8>> {
            Some(vec![9; self.0])
        }
        fn decrypt(&self, _: &[u8]) -> Option<Vec<u8>> {
            None
        }
    }

    for pki in [Pki::new(&P256, 1), Pki::new(&RSA, 4)] {
        for size in [200, 3_000, 12_000] {
            let mut server = Server::new(&pki).config();
            Arc::get_mut(&mut server).unwrap().ticketer = Arc::new(Sized(size));
            for client in [client, client_that_copies] {
                let (mut missing, mut kept) = (0, 0);
                for bytes in (0..48 * 1_024).step_by(509) {
                    let session = server_rustls::ServerConnection::new(server.clone()).unwrap();
                    // Each with no ticket kept.
                    let config = client(&pki).versions(&[Version::Tls13]).build().unwrap();
                    let mut pair = Pair::of(connect(&config), session);
                    let ticket = up_to_the_ticket(&mut pair);
                    assert!(ticket.len() > size);
                    match with_heap(bytes, || pair.client.handle_ciphertext(&ticket)).0 {
                        Ok(_) => kept += 1,
                        Err(TlsError::OutOfMemory { .. }) => missing += 1,
                        Err(error) => panic!("{error}"),
                    }
                }
                assert!(missing > 2 && kept > 2, "{size}: {missing}, {kept}");
            }
        }
    }
}
