//! Whatever the peer sends, nothing panics, nothing exceeds its limit, and no data is invented.

use std::sync::OnceLock;

use proptest::prelude::*;
use proptest::sample::Index;
use rcgen::PKCS_ECDSA_P256_SHA256 as P256;
use thread_mqtt_tls::{Config, Connection, Version};

use crate::pair::{Pair, Server, client, connect};
use crate::pki::Pki;

const LIMIT: usize = 8_192;

fn setup() -> &'static (Vec<Config>, Server) {
    static SETUP: OnceLock<(Vec<Config>, Server)> = OnceLock::new();
    SETUP.get_or_init(|| {
        let pki = Pki::new(&P256, 2);
        let config = |version| {
            let builder = client(&pki).versions(&[version]).max_inbound(LIMIT);
            builder.no_resumption().build().unwrap()
        };
        let configs = Version::ALL.iter().copied().map(config).collect();
        (configs, Server::new(&pki))
    })
}

/// Feeds bytes until an error or the end, and checks that the limits hold.
fn feed(connection: &mut Connection, mut bytes: &[u8]) {
    while let Ok(n @ 1..) = connection.handle_ciphertext(bytes) {
        bytes = &bytes[n..];
        let sizes = connection.buffer_sizes();
        assert!(
            sizes.inbound <= LIMIT && sizes.outbound <= LIMIT,
            "{sizes:?}"
        );
        let read = connection.plaintext().len();
        connection.consume_plaintext(read);
    }
    let _ = connection.handle_eof();
    let _ = connection.write(b"x");
    connection.close();
    connection.peer_certificates();
}

/// Returns the contents of whole records. Not authenticated are their outer type and version, and
/// the ChangeCipherSpec of TLS 1.3, which is there for middleboxes (RFC 8446 sections 5.2 and D.4).
fn authenticated(mut flight: &[u8]) -> Vec<&[u8]> {
    const CHANGE_CIPHER_SPEC: u8 = 20;
    let mut bodies = Vec::new();
    while let Some((&[kind, _, _, high, low], rest)) = flight.split_first_chunk() {
        let length = u16::from_be_bytes([high, low]).into();
        let Some((body, rest)) = rest.split_at_checked(length) else {
            break;
        };
        if (kind, body) != (CHANGE_CIPHER_SPEC, &[1]) {
            bodies.push(body);
        }
        flight = rest;
    }
    bodies
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn flights_of_the_server_altered(
        tls13: bool,
        edits in prop::collection::vec((any::<Index>(), any::<u8>(), 0..4_u8), 0..6),
        chunk in 1..600_usize,
    ) {
        let (configs, server) = setup();
        let mut pair = Pair::new(&configs[usize::from(tls13)], server);
        pair.client_to_server(usize::MAX);
        let mut flight = Vec::new();
        while pair.server.wants_write() {
            pair.server.write_tls(&mut flight).unwrap();
        }
        let intact = flight.clone();
        for (at, byte, kind) in edits {
            let at = at.index(flight.len());
            match kind {
                0 => flight[at] = byte,
                1 => flight[at] ^= 1 << (byte % 8),
                2 => flight.insert(at, byte),
                _ if flight.len() > 1 => drop(flight.remove(at)),
                _ => (),
            }
        }
        for piece in flight.chunks(chunk) {
            feed_on(&mut pair.client, piece);
        }
        // In TLS 1.2 the following messages authenticate the flight, up to the server's Finished.
        let _ = pair.run();
        if flight == intact {
            prop_assert!(!pair.client.is_handshaking());
        } else if !authenticated(&flight).starts_with(&authenticated(&intact)) {
            // A handshake must never complete after its flight was altered.
            prop_assert!(pair.client.is_handshaking());
        }
        feed(&mut pair.client, b"");
    }

    #[test]
    fn application_data_altered(
        tls13: bool,
        data in prop::collection::vec(any::<u8>(), 1..2_000),
        at: Index,
        bit in 0..8_u8,
    ) {
        use std::io::Write;
        let (configs, server) = setup();
        let mut pair = Pair::new(&configs[usize::from(tls13)], server);
        pair.run().unwrap();
        pair.server.writer().write_all(&data).unwrap();
        pair.server.write_tls(&mut pair.to_client).unwrap();
        let at = at.index(pair.to_client.len());
        pair.to_client[at] ^= 1 << bit;
        let result = pair.run();
        if at <= 2 {
            // Outer type and version of a TLS 1.3 record have no meaning (RFC 8446 section 5.2).
            prop_assert!(pair.client_read.is_empty() || pair.client_read == data);
        } else {
            // A shorter record fails its check; a longer one waits for bytes that never arrive.
            prop_assert!(result.is_err() || pair.client.handle_eof().is_err());
            prop_assert!(pair.client_read.is_empty());
        }
    }

    #[test]
    fn any_bytes(
        tls13: bool,
        records in prop::collection::vec(
            (20..25_u8, prop::collection::vec(any::<u8>(), 0..300)),
            0..6,
        ),
    ) {
        let (configs, _) = setup();
        let mut connection = connect(&configs[usize::from(tls13)]);
        let mut bytes = Vec::new();
        for (kind, body) in records {
            bytes.extend([kind, 3, 3]);
            bytes.extend((body.len() as u16).to_be_bytes());
            bytes.extend(body);
        }
        feed(&mut connection, &bytes);
        prop_assert!(connection.is_handshaking());
    }
}

fn feed_on(connection: &mut Connection, mut bytes: &[u8]) {
    while let Ok(n @ 1..) = connection.handle_ciphertext(bytes) {
        bytes = &bytes[n..];
    }
    let sizes = connection.buffer_sizes();
    assert!(
        sizes.inbound <= LIMIT && sizes.outbound <= LIMIT,
        "{sizes:?}"
    );
}
