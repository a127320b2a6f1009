//! A man in the middle, and servers that break the rules.

use std::io::Write;

use thread_mqtt_tls::{
    Alert, AlertContext, CertificateFault, Group, Incompatible, Suite, TlsError, Version,
};

use super::pair::{Meddle, Pair, Server, nobody, server};
use super::{misbehaved, says};
use crate::backend::{Backend, parallel};
use crate::openssl::OpenSsl;
use crate::pki::{Chain, Kind};
use crate::wire::Wire;

/// Runs `test` with each provider. Returns how often.
fn with_each(test: impl Fn(Backend, &Chain) + Sync) {
    let chain = Chain::new(&[Kind::P256, Kind::P256]);
    parallel(&Backend::ALL, |backend| test(*backend, &chain));
}

fn config(backend: Backend, chain: &Chain) -> thread_mqtt_tls::ConfigBuilder {
    backend.config().ca(chain.root.as_bytes()).unwrap()
}

/// A handshake that is modified in transit must fail.
fn fails(
    builder: thread_mqtt_tls::ConfigBuilder,
    chain: &Chain,
    of_client: Meddle,
    of_server: Meddle,
) -> TlsError {
    let server = server(chain, Server::Honest, Version::ALL);
    let mut pair = Pair::new(&builder.build().unwrap(), server);
    pair.run_past(of_client, of_server).unwrap_err()
}

/// Replaces each of these bytes, which must be there.
fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    let at = bytes
        .windows(from.len())
        .position(|window| window == from)
        .unwrap();
    bytes[at..at + to.len()].copy_from_slice(to);
}

/// TLS 1.3 is removed from the client's offer in transit. The server selects TLS 1.2, and signals
/// that it would have supported 1.3 (RFC 8446, section 4.1.3).
#[test]
fn a_downgrade_to_tls12() {
    with_each(|backend, chain| {
        let remove: Meddle = |hello| {
            replace(
                hello,
                &[0, 0x2b, 0, 5, 4, 3, 4, 3, 3],
                &[0, 0x2b, 0, 5, 4, 3, 3, 3, 3],
            );
        };
        let error = fails(config(backend, chain), chain, remove, nobody);
        assert_eq!(error, TlsError::Downgraded);
        says(
            &error,
            "the broker supports TLS 1.3, but something on the path removed it from the offer",
            "look for a proxy or middlebox",
        );
    });
}

/// The same against OpenSSL, which sends the signal as well.
#[test]
fn a_downgrade_to_tls12_as_openssl_sees_it() {
    with_each(|backend, chain| {
        let server = OpenSsl::mirror(chain, &[]);
        let config = config(backend, chain).build().unwrap();
        let mut wire = Wire::connect(&config, server.port).meddling(|hello| {
            replace(
                hello,
                &[0, 0x2b, 0, 5, 4, 3, 4, 3, 3],
                &[0, 0x2b, 0, 5, 4, 3, 3, 3, 3],
            );
        });
        let error = wire
            .until("the handshake", |wire| !wire.tls.is_handshaking())
            .unwrap_err();
        assert_eq!(error, TlsError::Downgraded);
    });
}

/// A version that was not offered.
#[test]
fn an_older_version() {
    with_each(|backend, chain| {
        let older: Meddle = |flight| replace(&mut flight[9..], &[3, 3], &[3, 2]);
        for version in Version::ALL {
            let builder = config(backend, chain).versions(&[*version]);
            let error = fails(builder, chain, nobody, older);
            assert_eq!(error, TlsError::Incompatible(Incompatible::Version));
            says(
                &error,
                "the broker supports none of the allowed TLS versions",
                "1.2 or 1.3",
            );
        }
    });
}

/// The strongest suite is removed from the offer in transit. Keys depend on the transcript, so the
/// two sides have different ones.
#[test]
fn a_suite_taken_out_of_the_offer() {
    with_each(|backend, chain| {
        let tls12 = [
            Suite::EcdheEcdsaAes256GcmSha384,
            Suite::EcdheEcdsaAes128GcmSha256,
        ];
        let grease: Meddle = |hello| replace(hello, &[0xc0, 0x2c], &[0x0a, 0x0a]);
        let error = fails(config(backend, chain).suites(&tls12), chain, grease, nobody);
        let expected = TlsError::Alert {
            alert: Alert(20),
            handshaking: true,
            context: AlertContext::Unknown,
        };
        assert_eq!(error, expected);
        says(
            &error,
            "the broker ended the TLS handshake with alert bad_record_mac (20): a record did not \
             decrypt: the keys differ, or the data was altered in transit",
            "middlebox",
        );

        let tls13 = [Suite::Aes256GcmSha384, Suite::Aes128GcmSha256];
        let grease: Meddle = |hello| replace(hello, &[0x13, 0x02], &[0x0a, 0x0a]);
        let error = fails(config(backend, chain).suites(&tls13), chain, grease, nobody);
        assert_eq!(error, TlsError::BadRecord);
    });
}

/// Offset of the session ID in the ServerHello at the start of the flight: after the headers of
/// record and message, version and random.
const SESSION_ID: usize = 5 + 4 + 2 + 32;

/// Replaces the suite in the ServerHello at the start of the flight.
fn select(flight: &mut [u8], from: [u8; 2], to: [u8; 2]) {
    let at = SESSION_ID + 1 + usize::from(flight[SESSION_ID]);
    assert_eq!(flight[at..at + 2], from);
    flight[at..at + 2].copy_from_slice(&to);
}

/// A suite that was not offered.
#[test]
fn a_suite_that_was_not_offered() {
    with_each(|backend, chain| {
        for (suite, swap) in [
            (
                Suite::EcdheEcdsaAes128GcmSha256,
                (|flight| select(flight, [0xc0, 0x2b], [0xc0, 0x2c])) as Meddle,
            ),
            (
                Suite::Aes128GcmSha256,
                (|flight| select(flight, [0x13, 0x01], [0x13, 0x02])) as Meddle,
            ),
        ] {
            let error = fails(config(backend, chain).suites(&[suite]), chain, nobody, swap);
            assert_eq!(
                misbehaved(&error).to_string(),
                "SelectedUnofferedCipherSuite"
            );
        }
    });
}

/// Appends an extension to the ServerHello at the start of the flight.
fn extend(flight: &mut Vec<u8>, extension: &[u8]) {
    const RECORD: usize = 5;
    let message = usize::from(u16::from_be_bytes([flight[7], flight[8]]));
    let extensions = SESSION_ID + 1 + usize::from(flight[SESSION_ID]) + 3;
    let end = RECORD + 4 + message;
    flight.splice(end..end, extension.iter().copied());
    let mut grow = |at: usize| {
        let length = u16::from_be_bytes([flight[at], flight[at + 1]]) + extension.len() as u16;
        flight[at..at + 2].copy_from_slice(&length.to_be_bytes());
    };
    grow(3);
    grow(7);
    grow(extensions);
}

#[test]
fn extensions_that_nobody_asked_for() {
    with_each(|backend, chain| {
        let unknown: Meddle = |flight| extend(flight, &[0xab, 0xcd, 0, 0]);
        // ALPN: "mqtt".
        let alpn: Meddle = |flight| extend(flight, b"\x00\x10\x00\x07\x00\x05\x04mqtt");
        for version in Version::ALL {
            for extension in [unknown, alpn] {
                let builder = config(backend, chain).versions(&[*version]);
                let error = fails(builder, chain, nobody, extension);
                says(
                    &error,
                    "the broker broke the TLS protocol (UnsolicitedServerHelloExtension)",
                    "update the broker or report this as a bug",
                );
            }
        }
    });
}

/// Points that are not on the curve, and the X25519 point that makes every secret zero.
#[test]
fn key_shares_that_are_no_points() {
    with_each(|backend, chain| {
        let p256: Meddle = |flight| {
            replace(
                flight,
                &[0, 0x33, 0, 0x45, 0, 0x17, 0, 0x41, 4],
                &[0, 0x33, 0, 0x45, 0, 0x17, 0, 0x41, 4],
            );
            let at = flight
                .windows(4)
                .position(|w| w == [0, 0x17, 0, 0x41])
                .unwrap();
            flight[at + 4 + 64] ^= 1;
        };
        let p384: Meddle = |flight| {
            let at = flight
                .windows(4)
                .position(|w| w == [0, 0x18, 0, 0x61])
                .unwrap();
            flight[at + 4 + 96] ^= 1;
        };
        let x25519: Meddle = |flight| {
            let at = flight
                .windows(4)
                .position(|w| w == [0, 0x1d, 0, 0x20])
                .unwrap();
            flight[at + 4..at + 36].fill(0);
        };
        for (group, meddle) in [
            (Group::Secp256r1, p256),
            (Group::Secp384r1, p384),
            (Group::X25519, x25519),
        ] {
            let builder = config(backend, chain)
                .versions(&[Version::Tls13])
                .groups(&[group]);
            let error = fails(builder, chain, nobody, meddle);
            says(
                &error,
                "the broker broke the TLS protocol (InvalidKeyShare)",
                "report this as a bug",
            );
        }
    });
}

/// One bit of a certificate's signature is changed in transit, in TLS 1.2, where it is not
/// encrypted.
#[test]
fn a_certificate_altered_on_the_way() {
    with_each(|backend, chain| {
        let alter: Meddle = |flight| {
            // The leaf's public key follows its name.
            let at = flight
                .windows(11)
                .rposition(|w| w == b"broker.test")
                .unwrap();
            flight[at] ^= 1;
        };
        let builder = config(backend, chain).versions(&[Version::Tls12]);
        let error = fails(builder, chain, nobody, alter);
        let fault = TlsError::Certificate(CertificateFault::BadSignature);
        assert_eq!(error, fault);
    });
}

/// Returns an open connection in this version.
fn open(backend: Backend, chain: &Chain, version: Version) -> Pair {
    let config = config(backend, chain).versions(&[version]).build().unwrap();
    let mut pair = Pair::new(&config, server(chain, Server::Honest, Version::ALL));
    pair.run().unwrap();
    pair.say(b"hello");
    pair
}

#[test]
fn records_altered_swapped_or_repeated_on_the_way() {
    with_each(|backend, chain| {
        for version in Version::ALL {
            let record = |pair: &mut Pair, text: &[u8]| {
                pair.server.writer().write_all(text).unwrap();
                pair.hear_server()
            };
            let bad = |mut pair: Pair, bytes: &[u8]| {
                let error = pair.tell_client(bytes).unwrap_err();
                assert_eq!(error, TlsError::BadRecord, "{backend} {version}");
                says(
                    &error,
                    "a TLS record failed its integrity check: it was altered in transit, or the \
                     keys differ",
                    "look for a proxy or middlebox",
                );
                // The server is notified.
                assert!(pair.server_error.is_some(), "{backend} {version}");
            };
            let mut pair = open(backend, chain, *version);
            let mut altered = record(&mut pair, b"some text");
            *altered.last_mut().unwrap() ^= 0x80;
            bad(pair, &altered);

            let mut pair = open(backend, chain, *version);
            let _lost = record(&mut pair, b"one");
            let second = record(&mut pair, b"two");
            bad(pair, &second);

            let mut pair = open(backend, chain, *version);
            let first = record(&mut pair, b"one");
            pair.tell_client(&first).unwrap();
            bad(pair, &first);
        }
    });
}

#[test]
fn a_connection_that_is_cut() {
    with_each(|backend, chain| {
        for version in Version::ALL {
            let mut pair = open(backend, chain, *version);
            let error = pair.client.handle_eof().unwrap_err();
            assert_eq!(error, TlsError::Truncated);
            says(
                &error,
                "the connection was cut without the broker's close_notify, so data may be missing",
                "connect again",
            );

            // The same in the middle of a record.
            let mut pair = open(backend, chain, *version);
            pair.server.writer().write_all(b"never whole").unwrap();
            let record = pair.hear_server();
            pair.tell_client(&record[..record.len() - 1]).unwrap();
            assert_eq!(pair.client.handle_eof(), Err(TlsError::Truncated));

            // After a close_notify, the end is regular.
            let mut pair = open(backend, chain, *version);
            pair.server.send_close_notify();
            let goodbye = pair.hear_server();
            pair.tell_client(&goodbye).unwrap();
            assert!(pair.client.is_peer_closed());
            assert_eq!(pair.client.handle_eof(), Ok(()));

            let config = config(backend, chain)
                .versions(&[*version])
                .build()
                .unwrap();
            let mut pair = Pair::new(&config, server(chain, Server::Honest, Version::ALL));
            let error = pair
                .run_past(nobody, |flight| flight.truncate(flight.len() / 2))
                .and_then(|()| pair.client.handle_eof())
                .unwrap_err();
            assert_eq!(error, TlsError::ClosedInHandshake { answered: true });
            says(
                &error,
                "the broker closed the connection in the middle of the TLS handshake without \
                 giving a reason",
                "check the broker's log",
            );
        }
    });
}

#[test]
fn garbage() {
    with_each(|backend, chain| {
        for version in Version::ALL {
            // Instead of the ServerHello.
            let http: Meddle = |flight| *flight = b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec();
            let builder = config(backend, chain).versions(&[*version]);
            let error = fails(builder, chain, nobody, http);
            says(
                &error,
                "the broker does not speak TLS on this port: it answered with HTTP",
                "use the broker's TLS port",
            );
            // On an open connection.
            let mut pair = open(backend, chain, *version);
            let error = pair.tell_client(&[0xff; 100]).unwrap_err();
            assert!(
                matches!(error, TlsError::BadMessage(_) | TlsError::RecordOverflow),
                "{error}"
            );
            let mut pair = open(backend, chain, *version);
            let error = pair
                .tell_client(
                    &[23, 3, 3, 0, 40]
                        .into_iter()
                        .chain([7; 40])
                        .collect::<Vec<_>>(),
                )
                .unwrap_err();
            assert_eq!(error, TlsError::BadRecord);
        }
    });
}

/// TLS 1.2 allows a server to request a renegotiation on an open connection. The client refuses,
/// and OpenSSL then closes the connection.
#[test]
fn a_request_to_renegotiate() {
    with_each(|backend, chain| {
        let mut server = OpenSsl::start(chain, &["-tls1_2"]);
        let config = config(backend, chain).build().unwrap();
        let mut wire = Wire::handshake(&config, server.port).unwrap();
        server.types(b"before\n");
        wire.until("data", |wire| wire.read == b"before\n").unwrap();
        server.types(b"r\n");
        let error = wire.until("the end", |_| false).unwrap_err();
        says(
            &error,
            "the broker ended the TLS connection with alert handshake_failure (40): it requested \
             a renegotiation, which this device does not support",
            "disable renegotiation",
        );
        server.complains("no renegotiation");
    });
}
