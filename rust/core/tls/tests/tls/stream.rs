//! The byte stream: fragmentation, full buffers, closing, key updates.

use proptest::prelude::*;
use rcgen::{PKCS_ECDSA_P256_SHA256 as P256, PKCS_RSA_SHA256 as RSA};
use thread_mqtt_tls::{Config, ConfigBuilder, Suite, TlsError, Version};

use crate::pair::{Pair, Server, client, client_that_copies};
use crate::pki::Pki;

fn established(version: Version) -> Pair {
    established_by(client, version)
}

fn established_by(client: fn(&Pki) -> ConfigBuilder, version: Version) -> Pair {
    let pki = Pki::new(&P256, 1);
    let config = client(&pki).versions(&[version]).build().unwrap();
    let mut pair = Pair::new(&config, &Server::new(&pki));
    pair.run().unwrap();
    pair
}

fn pattern(n: usize) -> Vec<u8> {
    (0..n).map(|i| (i * 7 + i / 251) as u8).collect()
}

#[test]
fn one_byte_at_a_time() {
    for version in Version::ALL {
        let pki = Pki::new(&P256, 3);
        let config = client(&pki).versions(&[*version]).build().unwrap();
        let mut pair = Pair::new(&config, &Server::new(&pki));
        pair.run_in(|| 1).unwrap();
        assert!(!pair.client.is_handshaking());
        assert_eq!(pair.client.write(b"hello").unwrap(), 5);
        pair.run_in(|| 1).unwrap();
        assert_eq!(pair.server_read, b"hello");
        use std::io::Write;
        pair.server.writer().write_all(&pattern(300)).unwrap();
        pair.run_in(|| 1).unwrap();
        assert_eq!(pair.client_read, pattern(300));
    }
}

#[test]
fn full_records_both_ways() {
    for version in Version::ALL {
        for client in [client, client_that_copies] {
            let mut pair = established_by(client, *version);
            let data = pattern(100_000);
            pair.server_writes(&data).unwrap();
            assert_eq!(pair.client_read, data);
            pair.client_writes(&data).unwrap();
            assert_eq!(pair.server_read, data);
        }
    }
}

/// Records of every length around the limits, with each suite, because the plaintext's position
/// depends on the suite.
#[test]
fn records_of_any_length_by_any_suite() {
    use std::io::Write;
    for suite in Suite::ALL {
        let pki = match suite.name().contains("_RSA_") {
            true => Pki::new(&RSA, 1),
            false => Pki::new(&P256, 1),
        };
        for client in [client, client_that_copies] {
            let config = client(&pki)
                .versions(&[suite.version()])
                .suites(&[*suite])
                .build()
                .unwrap();
            let mut pair = Pair::new(&config, &Server::new(&pki));
            pair.run().unwrap();
            let mut expected = Vec::new();
            for length in [1, 2, 15, 16, 17, 255, 256, 257, 16_383, 16_384] {
                let data = pattern(length);
                pair.server.writer().write_all(&data).unwrap();
                expected.extend_from_slice(&data);
                pair.run().unwrap();
            }
            assert!(pair.client_read == expected, "{suite}");
            assert_eq!(pair.client.buffer_sizes().inbound, 0);
        }
    }
}

#[test]
fn plaintext_holds_the_ciphertext_back() {
    use std::io::Write;
    for version in Version::ALL {
        let mut pair = established(*version);
        for text in [b"one", b"two"] {
            pair.server.writer().write_all(text).unwrap();
            pair.server.write_tls(&mut pair.to_client).unwrap();
        }
        let bytes = pair.to_client.make_contiguous().to_vec();
        let first = pair.client.handle_ciphertext(&bytes).unwrap();
        assert_eq!(pair.client.plaintext(), b"one");
        assert!(first < bytes.len());
        // Nothing is taken while there is plaintext left, even part of it.
        assert_eq!(pair.client.handle_ciphertext(&bytes[first..]), Ok(0));
        pair.client.consume_plaintext(2);
        assert_eq!(pair.client.plaintext(), b"e");
        assert_eq!(pair.client.handle_ciphertext(&bytes[first..]), Ok(0));
        pair.client.consume_plaintext(1);
        let second = pair.client.handle_ciphertext(&bytes[first..]).unwrap();
        assert_eq!(first + second, bytes.len());
        assert_eq!(pair.client.plaintext(), b"two");
        // Writing still works, and consuming more than there is has no effect.
        assert_eq!(pair.client.write(b"x"), Ok(1));
        assert_eq!(pair.client.plaintext(), b"two");
        pair.client.consume_plaintext(100);
        assert_eq!(pair.client.plaintext(), b"");
        pair.to_client.clear();
        pair.run().unwrap();
        assert_eq!(pair.server_read, b"x");
    }
}

#[test]
fn the_outbound_buffer_takes_what_fits() {
    for version in Version::ALL {
        let pki = Pki::new(&P256, 1);
        let config = client(&pki)
            .versions(&[*version])
            .max_outbound(1_000)
            .max_fragment(400)
            .build()
            .unwrap();
        let mut pair = Pair::new(&config, &Server::new(&pki));
        assert_eq!(pair.client.write(b"too early"), Ok(0));
        pair.run().unwrap();
        // Two records of 400 bytes; the rest would make a partial record.
        assert_eq!(pair.client.write(&pattern(5_000)), Ok(800));
        assert!(pair.client.ciphertext().len() <= 1_000);
        assert!(pair.client.buffer_sizes().outbound <= 1_000);
        assert_eq!(pair.client.write(&pattern(5_000)), Ok(0));
        // A short one still fits.
        assert_eq!(pair.client.write(&pattern(100)), Ok(100));
        pair.run().unwrap();
        assert_eq!(pair.server_read, [pattern(800), pattern(100)].concat());
        let sizes: Vec<usize> = record_sizes(&mut pair, &pattern(900));
        assert!(sizes.iter().all(|n| *n <= 5 + 400 + 24), "{sizes:?}");
    }
}

/// Returns the sizes of the records that writing `data` produces.
fn record_sizes(pair: &mut Pair, data: &[u8]) -> Vec<usize> {
    pair.client.write(data).unwrap();
    let mut sizes = Vec::new();
    let mut rest = pair.client.ciphertext();
    while let [_, _, _, high, low, ..] = rest {
        let size = 5 + usize::from(u16::from_be_bytes([*high, *low]));
        sizes.push(size);
        rest = &rest[size..];
    }
    sizes
}

#[test]
fn a_fragment_longer_than_the_outbound_buffer_is_cut() {
    let pki = Pki::new(&P256, 1);
    let config = client(&pki).max_outbound(128).build().unwrap();
    let mut pair = Pair::new(&config, &Server::new(&pki));
    pair.run().unwrap();
    pair.client_writes(&pattern(1_000)).unwrap();
    assert_eq!(pair.server_read, pattern(1_000));
    assert_eq!(pair.client.buffer_sizes().outbound, 0);
}

#[test]
fn buffers_grow_as_needed_and_shrink_when_idle() {
    let mut pair = established(Version::Tls13);
    let idle = pair.client.buffer_sizes();
    assert_eq!((idle.inbound, idle.outbound), (0, 0));

    use std::io::Write;
    pair.server.writer().write_all(&pattern(10_000)).unwrap();
    pair.server.write_tls(&mut pair.to_client).unwrap();
    let bytes = pair.to_client.make_contiguous().to_vec();
    // The header alone reserves room for its record, in whole KiB.
    pair.client.handle_ciphertext(&bytes[..6]).unwrap();
    let busy = pair.client.buffer_sizes().inbound;
    assert_eq!(busy, 10_240);
    pair.client.handle_ciphertext(&bytes[6..]).unwrap();
    assert_eq!(pair.client.plaintext(), pattern(10_000));
    assert_eq!(pair.client.buffer_sizes().inbound, busy);
    pair.client.consume_plaintext(10_000);
    assert_eq!(pair.client.buffer_sizes().inbound, 0);
}

fn small(inbound: usize, chain: usize, version: Version) -> (Config, Server) {
    let pki = Pki::new(&P256, chain);
    let config = client(&pki)
        .versions(&[version])
        .max_inbound(inbound)
        .build()
        .unwrap();
    (config, Server::new(&pki))
}

#[test]
fn a_record_beyond_the_limit_is_refused_with_both_numbers() {
    for version in Version::ALL {
        let (config, server) = small(2_048, 1, *version);
        let mut pair = Pair::new(&config, &server);
        pair.exchange();
        let error = pair.server_writes(&pattern(2_100)).unwrap_err();
        let TlsError::RecordTooLarge { size, limit } = error else {
            panic!("{error}");
        };
        assert!((2_120..2_150).contains(&size) && limit == 2_048);
        assert!(pair.client.buffer_sizes().inbound <= 2_048);
        // The peer receives a close_notify.
        pair.to_client.clear();
        pair.client_to_server(usize::MAX);
        assert!(pair.server.process_new_packets().unwrap().peer_has_closed());
        // Again.
        assert_eq!(pair.client.handle_ciphertext(b"x"), Err(error.clone()));
        assert_eq!(pair.client.write(b"x"), Err(error));
    }
}

#[test]
fn a_flight_beyond_the_limit_is_refused() {
    let (config, mut server) = small(1_024, 4, Version::Tls13);
    server.fragment = Some(512);
    let mut pair = Pair::new(&config, &server);
    let error = pair.run().unwrap_err();
    assert_eq!(error, TlsError::HandshakeTooLarge { limit: 1_024 });
    // Nothing of the flight that is not completed.
    assert_eq!(pair.client.ciphertext(), []);
    // The same in records that fit, with a buffer that fits the flight.
    let (config, mut server) = small(4_096, 4, Version::Tls13);
    server.fragment = Some(512);
    Pair::new(&config, &server).exchange();
}

#[test]
fn both_ways_of_closing() {
    for version in Version::ALL {
        // By the client.
        let mut pair = established(*version);
        assert_eq!(pair.client.write(b"last words"), Ok(10));
        pair.client.close();
        pair.client.close();
        assert_eq!(pair.client.write(b"x"), Err(TlsError::Closed));
        assert_eq!(pair.client.refresh_keys(), Err(TlsError::Closed));
        pair.run().unwrap();
        assert_eq!(pair.server_read, b"last words");
        let mut byte = [0];
        use std::io::Read;
        assert_eq!(
            pair.server.reader().read(&mut byte).unwrap(),
            0,
            "no close_notify"
        );
        // The peer may still send data.
        pair.server_writes(b"and mine").unwrap();
        assert_eq!(pair.client_read, b"and mine");
        assert_eq!(pair.client.handle_eof(), Ok(()));

        // By the peer: half closed, so the client may still write.
        let mut pair = established(*version);
        use std::io::Write;
        pair.server.writer().write_all(b"bye").unwrap();
        pair.server.send_close_notify();
        pair.run().unwrap();
        assert_eq!(pair.client_read, b"bye");
        assert!(pair.client.is_peer_closed());
        assert_eq!(pair.client.handle_ciphertext(b"noise"), Ok(5));
        assert_eq!(pair.client.handle_eof(), Ok(()));
        pair.client_writes(b"still here").unwrap();
        assert_eq!(pair.server_read, b"still here");
        pair.client.close();
        pair.run().unwrap();
    }
}

#[test]
fn a_cut_connection_is_an_error_and_keeps_what_came() {
    use std::io::Write;
    for version in Version::ALL {
        let mut pair = established(*version);
        pair.server.writer().write_all(b"half a mess").unwrap();
        pair.server.write_tls(&mut pair.to_client).unwrap();
        let bytes = pair.to_client.make_contiguous().to_vec();
        pair.client.handle_ciphertext(&bytes).unwrap();
        assert_eq!(pair.client.handle_eof(), Err(TlsError::Truncated));
        assert_eq!(pair.client.plaintext(), b"half a mess");
        assert!(TlsError::Truncated.cure().contains("connect again"));
    }
}

#[test]
fn closing_in_the_handshake_says_nothing() {
    let pki = Pki::new(&P256, 1);
    let config = client(&pki).build().unwrap();
    let mut pair = Pair::new(&config, &Server::new(&pki));
    let hello = pair.client.ciphertext().len();
    pair.client.close();
    assert_eq!(pair.client.ciphertext().len(), hello);
    assert_eq!(pair.client.handle_eof(), Ok(()));
}

#[test]
fn keys_are_refreshed_from_both_sides() {
    let mut pair = established(Version::Tls13);
    for _ in 0..3 {
        pair.client.refresh_keys().unwrap();
        assert!(!pair.client.ciphertext().is_empty());
        pair.exchange();
        pair.server.refresh_traffic_keys().unwrap();
        pair.exchange();
    }
    // TLS 1.2 has no key update.
    let mut pair = established(Version::Tls12);
    pair.client.refresh_keys().unwrap();
    assert!(pair.client.ciphertext().is_empty());
    pair.exchange();
}

#[test]
fn damage_is_noticed_and_the_peer_is_told() {
    use std::io::Write;
    for version in Version::ALL {
        let mut pair = established(*version);
        pair.server.writer().write_all(b"hello").unwrap();
        pair.server.write_tls(&mut pair.to_client).unwrap();
        *pair.to_client.back_mut().unwrap() ^= 1;
        assert_eq!(pair.run(), Err(TlsError::BadRecord));
        assert!(!pair.client.ciphertext().is_empty(), "no alert");
        pair.to_client.clear();
        assert_eq!(pair.run(), Err(TlsError::BadRecord));
        assert_eq!(
            pair.server_error,
            Some(server_rustls::Error::AlertReceived(
                server_rustls::AlertDescription::BadRecordMac
            ))
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_fragmentation_carries_any_data(
        tls13: bool,
        sizes in prop::collection::vec(1..2_000_usize, 1..40),
        fragment in 64..2_000_usize,
        up in prop::collection::vec(any::<u8>(), 0..6_000),
        down in prop::collection::vec(any::<u8>(), 0..40_000),
    ) {
        let version = if tls13 { Version::Tls13 } else { Version::Tls12 };
        let pki = Pki::new(&P256, 2);
        let config = client(&pki)
            .versions(&[version])
            .max_fragment(fragment)
            .max_outbound(1_500)
            .build()
            .unwrap();
        let mut server = Server::new(&pki);
        server.fragment = Some(fragment);
        let mut pair = Pair::new(&config, &server);
        let mut sizes = sizes.into_iter().cycle();
        pair.run_in(|| sizes.next().unwrap()).unwrap();
        prop_assert!(!pair.client.is_handshaking());
        let (mut up_rest, mut down_rest) = (&up[..], &down[..]);
        while !up_rest.is_empty() || !down_rest.is_empty() {
            use std::io::Write;
            let n = pair.client.write(up_rest).unwrap();
            up_rest = &up_rest[n..];
            let n = pair.server.writer().write(down_rest).unwrap();
            down_rest = &down_rest[n..];
            pair.run_in(|| sizes.next().unwrap()).unwrap();
        }
        prop_assert_eq!(&pair.server_read, &up);
        prop_assert_eq!(&pair.client_read, &down);
    }
}
