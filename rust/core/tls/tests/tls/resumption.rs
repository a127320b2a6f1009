//! Sessions are resumed as often as the store allows, and only under the same conditions.

use std::sync::Arc;

use rcgen::{Issuer, KeyPair, PKCS_ECDSA_P256_SHA256 as P256};
use server_rustls::{ServerConfig, ServerConnection};
use thread_mqtt_tls::{
    Agreed, CertificateFault, CertificateTime, Config, Connection, SessionCounters, SessionStore,
    TlsError, Version,
};

use crate::pair::{Pair, Server, client, soft};
use crate::pins::pins;
use crate::pki::{NAME, NOW, Pki, ca_params, leaf_params};

struct Setup {
    config: Config,
    server: Arc<ServerConfig>,
    store: SessionStore,
}

impl Setup {
    fn new(version: Version, tickets: bool) -> Self {
        Self::of(&Pki::new(&P256, 3), version, tickets)
    }

    fn of(pki: &Pki, version: Version, tickets: bool) -> Self {
        let mut server = Server::new(pki);
        server.tickets = tickets;
        let store = SessionStore::new(2, 2);
        Self {
            config: client(pki)
                .versions(&[version])
                .sessions(&store)
                .build()
                .unwrap(),
            server: server.config(),
            store,
        }
    }

    /// Connects and exchanges data. Returns what was negotiated, and how many bytes the client
    /// received.
    #[track_caller]
    fn connect(&self, time: impl Into<CertificateTime>) -> (Agreed, usize) {
        self.connect_with(&self.config, time)
    }

    #[track_caller]
    fn connect_with(&self, config: &Config, time: impl Into<CertificateTime>) -> (Agreed, usize) {
        let connection = Connection::new(config, NAME, time).unwrap();
        let server = ServerConnection::new(self.server.clone()).unwrap();
        let mut pair = Pair::of(connection, server);
        pair.exchange();
        assert_eq!(pair.client.peer_certificates().len(), 3);
        (pair.client.agreed().unwrap().clone(), pair.crossed.0)
    }
}

#[test]
fn again_and_again_in_both_versions() {
    // TLS 1.2 by ticket and by session id, TLS 1.3 by ticket and by a reference to the server's
    // memory.
    for version in Version::ALL {
        for tickets in [true, false] {
            let setup = Setup::new(*version, tickets);
            let (full, full_bytes) = setup.connect(NOW);
            assert!(!full.resumed);
            assert_eq!(setup.store.len(), 1, "one ticket is asked for, not two");
            for _ in 0..5 {
                let (again, bytes) = setup.connect(NOW);
                assert!(again.resumed, "{version} tickets: {tickets}");
                // TLS 1.2 resumes without a key exchange, TLS 1.3 with one.
                assert_eq!(again.group().is_some(), *version == Version::Tls13);
                assert_eq!(again.suite(), full.suite());
                assert!(bytes < full_bytes / 2, "{bytes} of {full_bytes}");
            }
            assert!(setup.store.counters().offered >= 5);
        }
    }
}

#[test]
fn cleared_means_full() {
    for version in Version::ALL {
        let setup = Setup::new(*version, true);
        setup.connect(NOW);
        setup.store.clear();
        assert!(setup.store.is_empty());
        assert!(!setup.connect(NOW).0.resumed);
        assert!(setup.connect(NOW).0.resumed);
        let counters = setup.store.counters();
        assert!(counters.kept >= 2 && counters.dropped >= 1, "{counters:?}");
    }
}

#[test]
fn a_server_that_forgot_gets_a_full_handshake() {
    for version in Version::ALL {
        let mut setup = Setup::new(*version, true);
        setup.connect(NOW);
        let pki = Pki::new(&P256, 3);
        setup.server = Server::new(&pki).config();
        assert!(!setup.connect(NOW).0.resumed);
        assert!(setup.connect(NOW).0.resumed);
    }
}

#[test]
fn a_ticket_ages() {
    for version in Version::ALL {
        let setup = Setup::new(*version, true);
        setup.connect(NOW);
        assert!(setup.connect(NOW + 3_600).0.resumed);
        // A ticket is valid for seven days at most (RFC 8446 section 4.6.1).
        assert!(!setup.connect(NOW + 8 * 86_400).0.resumed);
    }
}

/// RFC 8446 section 4.6.1 and RFC 5246 section F.1.4: never past the expiry of the certificates,
/// however often it is renewed.
#[test]
fn a_session_ends_with_the_first_certificate() {
    const END: u64 = NOW + 86_400;
    let chain = |until| {
        let mut middle = ca_params("Middle");
        middle.not_after = until;
        let middle = [ca_params("Above"), middle];
        Pki::of(&P256, ca_params("Root"), middle, leaf_params())
    };
    let old = chain(rcgen::date_time_ymd(2026, 11, 24));
    let renewed = chain(rcgen::date_time_ymd(2026, 12, 24));
    for time in [CertificateTime::Known, CertificateTime::AtLeast] {
        for version in Version::ALL {
            for tickets in [true, false] {
                let mut setup = Setup::of(&old, *version, tickets);
                assert!(!setup.connect(time(END - 60)).0.resumed);
                assert!(setup.connect(time(END - 30)).0.resumed);
                assert!(setup.connect(time(END)).0.resumed);

                let connection = Connection::new(&setup.config, NAME, time(END + 1)).unwrap();
                assert!(!connection.offered_session(), "{version}");
                let server = ServerConnection::new(setup.server.clone()).unwrap();
                let error = Pair::of(connection, server).run().unwrap_err();
                let TlsError::Certificate(CertificateFault::Expired { subject, .. }) = &error
                else {
                    panic!("{error}");
                };
                assert_eq!(&**subject, "CN=Middle");

                setup.server = Server::new(&renewed).config();
                assert!(!setup.connect(time(END + 1)).0.resumed);
                assert!(setup.connect(time(END + 60)).0.resumed);
            }
        }
    }
}

/// Certificates outside of the verified path do not count, and none do if a pin alone decides.
#[test]
fn a_session_does_not_end_with_what_was_not_verified() {
    let mut pki = Pki::new(&P256, 1);
    let config = client(&pki);
    let key = || KeyPair::generate_for(&P256).unwrap();
    let (root_key, old_key) = (key(), key());
    let (root, old) = (ca_params("New root"), ca_params("Old root"));
    let [root_der, old_der] = [(&root, &root_key), (&old, &old_key)]
        .map(|(params, key)| params.self_signed(key).unwrap().der().clone());
    let mut cross = root.clone();
    cross.not_after = rcgen::date_time_ymd(2026, 6, 1);
    let cross = cross
        .signed_by(&root_key, &Issuer::new(old, old_key))
        .unwrap();
    let own = key();
    let leaf = leaf_params()
        .signed_by(&own, &Issuer::new(root, root_key))
        .unwrap();
    pki.chain = vec![leaf.der().clone(), cross.der().clone()];
    pki.key_pem = own.serialize_pem();
    let config = config.ca(&root_der).unwrap().ca(&old_der).unwrap();
    let config = config.build().unwrap();
    let resumes = |config: &Config, time| {
        let connection = Connection::new(config, NAME, time).unwrap();
        let mut pair = Pair::of(connection, Server::new(&pki).start());
        pair.exchange();
        let next = Connection::new(config, NAME, time).unwrap();
        next.offered_session()
    };
    assert!(resumes(&config, NOW));

    let builder = Config::builder(soft()).pin(pins(&pki)[0]);
    let config = builder.build().unwrap();
    assert!(resumes(&config, 4_000_000_000));
}

#[test]
fn only_under_the_same_conditions() {
    for version in Version::ALL {
        let setup = Setup::new(*version, true);
        // Made with a floor: not resumed once the time is known.
        setup.connect(CertificateTime::AtLeast(NOW));
        assert!(setup.connect(CertificateTime::AtLeast(NOW)).0.resumed);
        assert!(!setup.connect(NOW).0.resumed);
        assert!(setup.connect(NOW).0.resumed);
        assert!(!setup.connect(CertificateTime::AtLeast(NOW)).0.resumed);

        // Another configuration with the same store may trust other CAs.
        setup.store.clear();
        setup.connect(NOW);
        let other = client(&Pki::new(&P256, 3))
            .versions(&[*version])
            .sessions(&setup.store)
            .build()
            .unwrap();
        assert!(!setup.connect_with(&other, NOW).0.resumed);
        // A clone counts as the same configuration.
        setup.store.clear();
        setup.connect(NOW);
        assert!(setup.connect_with(&setup.config.clone(), NOW).0.resumed);
    }
}

#[test]
fn no_resumption_keeps_nothing() {
    let pki = Pki::new(&P256, 3);
    for version in Version::ALL {
        let mut setup = Setup::new(*version, true);
        setup.config = client(&pki)
            .versions(&[*version])
            .no_resumption()
            .build()
            .unwrap();
        for _ in 0..2 {
            assert!(!setup.connect(NOW).0.resumed);
        }
        assert_eq!(setup.store.counters(), SessionCounters::default());
    }
}

#[test]
fn the_store_is_bounded() {
    let pki = Pki::new(&P256, 1);
    let store = SessionStore::new(1, 1);
    let config = client(&pki)
        .versions(&[Version::Tls13])
        .sessions(&store)
        .build()
        .unwrap();
    let server = Server::new(&pki);
    // Two connections at once bring two tickets; then another name evicts the server.
    for _ in 0..2 {
        let mut pair = Pair::new(&config, &server);
        store.clear();
        pair.exchange();
        assert_eq!(store.len(), 1);
    }
    let mut first = Pair::new(&config, &server);
    let mut second = Pair::new(&config, &server);
    first.exchange();
    second.exchange();
    assert_eq!(store.len(), 1);
    let before = store.counters();
    let connection = Connection::new(&config, "192.0.2.1", NOW).unwrap();
    Pair::of(connection, server.start()).exchange();
    assert_eq!(store.len(), 1);
    assert_eq!(store.counters().dropped, before.dropped + 1);
}

#[test]
fn two_connections_check_their_own_time() {
    // One configuration, with a connection at another time in between: each keeps its own.
    let pki = Pki::new(&P256, 1);
    let config = client(&pki).build().unwrap();
    let good = Connection::new(&config, NAME, NOW).unwrap();
    let early = Connection::new(&config, NAME, 0).unwrap();
    let server = Server::new(&pki);
    Pair::of(good, server.start()).exchange();
    assert!(Pair::of(early, server.start()).run().is_err());
}

#[test]
fn time_told_later_makes_the_ticket_young() {
    let setup = Setup::new(Version::Tls13, true);
    let connection = Connection::new(&setup.config, NAME, NOW).unwrap();
    let server = ServerConnection::new(setup.server.clone()).unwrap();
    let mut pair = Pair::of(connection, server);
    // The ticket arrives ten days into the connection.
    pair.client.set_time(NOW + 10 * 86_400);
    pair.exchange();
    assert!(setup.connect(NOW + 10 * 86_400 + 3_600).0.resumed);
}

/// RFC 5246 section 7.2.2: after a handshake with a session failed, in whatever way, the next one
/// is full. The server still has the session and would resume it.
#[test]
fn a_session_that_does_not_resume_is_offered_once() {
    let alert = [21, 3, 3, 0, 2, 2, 80];
    type End = fn(&mut Connection, &[u8]);
    let ends: [End; 3] = [
        |connection, alert| assert!(connection.handle_ciphertext(alert).is_err()),
        |connection, _| assert!(connection.handle_eof().is_err()),
        // A time-out.
        |_, _| {},
    ];
    for version in Version::ALL {
        for tickets in [true, false] {
            for end in ends {
                let setup = Setup::new(*version, tickets);
                setup.connect(NOW);
                let mut connection = Connection::new(&setup.config, NAME, NOW).unwrap();
                assert!(connection.offered_session());
                end(&mut connection, &alert);
                drop(connection);
                let next = Connection::new(&setup.config, NAME, NOW).unwrap();
                assert!(!next.offered_session(), "{version}");
                let server = ServerConnection::new(setup.server.clone()).unwrap();
                let mut pair = Pair::of(next, server);
                pair.exchange();
                assert!(!pair.client.agreed().unwrap().resumed);
                assert!(setup.connect(NOW).0.resumed);
            }
        }
    }
}

/// A later fatal alert also drops the sessions of its connection; a lost connection does not.
#[test]
fn a_fatal_alert_makes_its_server_forgotten() {
    for version in Version::ALL {
        let setup = Setup::new(*version, true);
        let other = Connection::new(&setup.config, "192.0.2.1", NOW).unwrap();
        let server = || ServerConnection::new(setup.server.clone()).unwrap();
        Pair::of(other, server()).exchange();
        for (is_cut, kept) in [(true, 2), (false, 1)] {
            let connection = Connection::new(&setup.config, NAME, NOW).unwrap();
            let mut pair = Pair::of(connection, server());
            pair.exchange();
            assert_eq!(setup.store.len(), 2);
            match is_cut {
                true => pair.client.handle_eof().unwrap_err(),
                // Unencrypted: a record that cannot be decrypted ends a connection as well.
                false => {
                    let record = [23, 3, 3, 0, 32].into_iter().chain([0; 32]);
                    let record: Vec<u8> = record.collect();
                    pair.client.handle_ciphertext(&record).unwrap_err()
                }
            };
            assert_eq!(setup.store.len(), kept, "{version}");
        }
    }
}
