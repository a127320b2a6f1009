//! PSA fails at every single call of a connection: the result is always an error, never a panic, no
//! key is left behind, and the next connection works normally.

mod common;

use std::io::Write;
use std::sync::Arc;

use common::*;
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, HandshakeKind, ServerConfig, SupportedCipherSuite};
use thread_mqtt_psa::{
    Algorithm, Attributes, Hash, Key, KeyType, Status, Usage, host, keys_not_destroyed,
};
use thread_mqtt_psa_provider::{signing_key, suites, take_last_failure};

/// Two matching ends, and what the client holds in PSA throughout.
struct Scene {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
    _key: Option<Key>,
}

impl Scene {
    fn new(suite: SupportedCipherSuite, kind: Kind) -> Self {
        let authority = Authority::new(kind);
        let mut server = server(&Identity::new(&authority, kind));
        server.ticketer = aws_lc_rs::Ticketer::new().unwrap();
        let mut provider = psa();
        provider.cipher_suites = vec![suite];
        Self {
            client: Arc::new(client(provider, &authority)),
            server: Arc::new(server),
            _key: None,
        }
    }

    fn mutual(version: &'static rustls::SupportedProtocolVersion) -> Self {
        let authority = Authority::new(P256);
        let identity = Identity::new(&authority, RSA_2048);
        let key = P256.generate();
        let certificate = authority.certify(&key);
        let scalar = {
            let der = key.serialize_der();
            let at = der
                .windows(5)
                .position(|window| window == [0x02, 0x01, 0x01, 0x04, 0x20])
                .unwrap();
            der[at + 5..at + 37].to_vec()
        };
        let attributes = Attributes {
            key_type: KeyType::SECP_R1_KEY_PAIR,
            bits: 0,
            usage: Usage::SIGN_HASH,
            algorithm: Algorithm::ecdsa(Hash::Any),
        };
        let key = Key::import(&attributes, &scalar).unwrap();
        let mut client = client(psa(), &authority);
        client.resumption = Resumption::disabled();
        client.client_auth_cert_resolver = Presents::new(certificate, signing_key(*key).unwrap());
        Self {
            client: Arc::new(client),
            server: Arc::new(mutual_server(version, &identity, &authority)),
            _key: Some(key),
        }
    }

    /// Runs a handshake, with tickets, and data in both directions.
    fn play(&self) -> Result<HandshakeKind, Failed> {
        let (mut client, mut server) = handshake(&self.client, &self.server)?;
        client.writer().write_all(b"up").unwrap();
        let (_, arrived) = up(&mut client, &mut server)?;
        assert_eq!(arrived, b"up");
        send(&mut server, &mut client, b"down").map_err(Failed::Client)?;
        Ok(client.handshake_kind().unwrap())
    }

    /// Runs once without failures, then fails each call in turn, `count` calls each time. Returns
    /// how many calls there were.
    fn fail_everywhere(&self, count: u32, kind: HandshakeKind) -> u32 {
        let before = host::counters().slots;
        assert_eq!(self.play().unwrap(), HandshakeKind::Full);
        host::reset();
        assert_eq!(self.play().unwrap(), kind);
        let calls = host::counters().calls;

        for call in 1..=calls {
            let status = Status::INSUFFICIENT_MEMORY;
            host::fail(call, count, status);
            let result = self.play();
            let counters = host::counters();
            assert!(counters.failed >= 1, "call {call} of {calls} was not made");
            assert!(
                matches!(result, Err(Failed::Client(_))),
                "call {call} of {calls} failed unseen: {result:?}"
            );
            assert_eq!(counters.slots, before, "key slots after call {call}");
            let cause = take_last_failure().expect("a cause");
            assert_eq!(cause.status, status, "call {call}");

            host::reset();
            // The secret of a ticket from a failed run is known to no peer: the server rejects the
            // ticket, once.
            let recovered = (0..4).position(|_| self.play().is_ok());
            assert!(
                recovered.is_some_and(|attempts| attempts <= 2),
                "{recovered:?}"
            );
            assert_eq!(host::counters().slots, before, "key slots after recovery");
        }
        assert_eq!(keys_not_destroyed(), 0);
        calls
    }
}

/// Only this call, or all from here on, which leaves no randomness for anything.
const ONE_AND_ALL: [u32; 2] = [1, u32::MAX];

#[test]
fn every_call_of_a_resumed_tls13_connection() {
    let _alone = alone();
    for count in ONE_AND_ALL {
        let scene = Scene::new(suites::TLS_AES_128_GCM_SHA256, P256);
        let calls = scene.fail_everywhere(count, HandshakeKind::Resumed);
        assert!(calls > 100, "{calls}");
    }
}

#[test]
fn every_call_of_a_resumed_tls12_connection() {
    let _alone = alone();
    for count in ONE_AND_ALL {
        let scene = Scene::new(suites::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, RSA_2048);
        let calls = scene.fail_everywhere(count, HandshakeKind::Resumed);
        assert!(calls > 30, "{calls}");
    }
}

#[test]
fn every_call_of_a_mutual_tls13_connection() {
    let _alone = alone();
    for count in ONE_AND_ALL {
        let calls = Scene::mutual(&TLS13).fail_everywhere(count, HandshakeKind::Full);
        assert!(calls > 100, "{calls}");
    }
}

#[test]
fn every_call_of_a_mutual_tls12_connection() {
    let _alone = alone();
    for count in ONE_AND_ALL {
        let calls = Scene::mutual(&TLS12).fail_everywhere(count, HandshakeKind::Full);
        assert!(calls > 50, "{calls}");
    }
}
