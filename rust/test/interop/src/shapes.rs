//! Valid variations in a server's behaviour: chains, records, signature schemes, new keys.

use thread_mqtt_tls::{ConfigBuilder, Suite, Version};

use crate::backend::{Backend, parallel};
use crate::openssl::OpenSsl;
use crate::pki::{Chain, Kind};
use crate::refusal::alert;
use crate::wire::Wire;

fn config(backend: Backend, chain: &Chain) -> ConfigBuilder {
    backend.config().ca(chain.root.as_bytes()).unwrap()
}

/// One to four certificates, with keys of one type and of several, in messages that fill records
/// and in messages split into records of 512 bytes, read in kilobytes and in single bytes.
#[test]
fn chains_of_one_to_four_whole_and_in_fragments() {
    use Kind::{P256, P384, Rsa2048, Rsa3072, Rsa4096};

    const PATTERNS: [[Kind; 5]; 5] = [
        [Rsa2048; 5],
        [P256; 5],
        [P384; 5],
        [Rsa4096, P384, Rsa3072, P256, Rsa2048],
        [P384, Rsa2048, P256, Rsa4096, P256],
    ];
    let jobs: Vec<_> = PATTERNS
        .iter()
        .flat_map(|pattern| (1..=4).map(move |length| (pattern, length)))
        .flat_map(|chain| [false, true].map(|cut| (chain, cut)))
        .collect();
    let connections = parallel(&jobs, |((pattern, length), cut)| {
        let chain = Chain::new(&pattern[..=*length]);
        assert_eq!(chain.sent.len(), *length);
        let arguments: &[&str] = match cut {
            true => &["-max_send_frag", "512"],
            false => &[],
        };
        let server = OpenSsl::mirror(&chain, arguments);
        // Three quarters of PEM is DER: enough certificates for more than a record of 512 bytes.
        let long = chain.sent.concat().len() * 3 / 4 > 600;
        let mut connections = 0;
        for backend in Backend::ALL {
            for version in Version::ALL {
                for chunk in [usize::MAX, 1] {
                    let config = config(backend, &chain).versions(&[*version]);
                    let config = config.build().unwrap();
                    let mut wire = Wire::connect(&config, server.port).in_chunks(chunk);
                    wire.until("the handshake", |wire| !wire.tls.is_handshaking())
                        .unwrap();
                    assert_eq!(wire.tls.peer_certificates().len(), *length);
                    // 512 bytes of a message, plus the TLS overhead.
                    let longest = wire.longest_record();
                    match cut {
                        true => assert!(longest <= 512 + 24, "{longest}"),
                        false => assert!(longest > 512 + 24 || !long, "{longest}"),
                    }
                    wire.mirrored("whole again").unwrap();
                    wire.close();
                    connections += 1;
                }
            }
        }
        connections
    });
    assert_eq!(connections.iter().sum::<u32>(), 320);
}

/// A server from before RFC 7627 is accepted, unless the extended master secret is required. TLS
/// 1.3 does not have it.
#[test]
fn a_server_without_the_extended_master_secret() {
    let chain = Chain::new(&[Kind::Rsa2048, Kind::P256]);
    let server = OpenSsl::without_extended_master_secret(&chain, &[]);
    for backend in Backend::ALL {
        for (version, demanded) in [
            (Version::Tls12, false),
            (Version::Tls12, true),
            (Version::Tls13, true),
        ] {
            let mut config = config(backend, &chain).versions(&[version]);
            if demanded {
                config = config.require_extended_master_secret();
            }
            let config = config.build().unwrap();
            let shaken = Wire::handshake(&config, server.port);
            if demanded && version == Version::Tls12 {
                let error = shaken.err().unwrap().to_string();
                assert!(error.contains("RFC 7627"), "{error}");
                continue;
            }
            let mut wire = shaken.unwrap();
            wire.mirrored("without it").unwrap();
            wire.close();
        }
    }
    // Against the same server with it.
    let server = OpenSsl::mirror(&chain, &["-tls1_2"]);
    for backend in Backend::ALL {
        let config = config(backend, &chain).require_extended_master_secret();
        let mut wire = Wire::handshake(&config.build().unwrap(), server.port).unwrap();
        wire.mirrored("with it").unwrap();
        wire.close();
    }
}

/// With every suite, records of the maximum length of 2^14 bytes, and of a length that is not a
/// power of two.
#[test]
fn records_of_16_kib_inbound() {
    let content: Vec<u8> = (0..100_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    let connections = parallel(&[Kind::Rsa2048, Kind::P256], |key| {
        let chain = Chain::new(&[*key, *key]);
        let mut connections = 0;
        for (size, arguments) in [(16_384, &[][..]), (5_000, &["-split_send_frag", "5000"])] {
            let server = OpenSsl::file(&chain, "blob", &content, arguments);
            for backend in Backend::ALL {
                for suite in Suite::ALL.iter().copied().filter(|s| key.goes_with(*s)) {
                    let config = config(backend, &chain).suites(&[suite]).build().unwrap();
                    let mut wire = Wire::handshake(&config, server.port).unwrap();
                    wire.write(b"GET /blob HTTP/1.0\r\n\r\n").unwrap();
                    let all = |wire: &Wire| wire.read.len() >= content.len();
                    wire.until("the file", all).unwrap();
                    assert!(wire.read == content, "{backend} {suite}");
                    let overhead = match suite.openssl_name() {
                        _ if suite.version() == Version::Tls13 => 17,
                        name if name.contains("CHACHA20") => 16,
                        _ => 24,
                    };
                    let longest = wire.longest_record() - overhead;
                    assert_eq!(longest, size, "{backend} {suite}");
                    connections += 1;
                }
            }
        }
        connections
    });
    assert_eq!(connections.iter().sum::<u32>(), 48);
}

/// Every scheme with which a server may sign its handshake.
#[test]
fn signature_schemes() {
    let rsa = |name| (Kind::Rsa2048, name);
    let schemes = [
        (rsa("RSA+SHA256"), false),
        (rsa("RSA+SHA384"), false),
        (rsa("RSA+SHA512"), false),
        (rsa("rsa_pss_rsae_sha256"), true),
        (rsa("rsa_pss_rsae_sha384"), true),
        (rsa("rsa_pss_rsae_sha512"), true),
        ((Kind::P256, "ECDSA+SHA256"), true),
        ((Kind::P256, "ECDSA+SHA384"), false),
        ((Kind::P384, "ECDSA+SHA256"), false),
        ((Kind::P384, "ECDSA+SHA384"), true),
        ((Kind::P256, "ECDSA+SHA512"), false),
        ((Kind::P384, "ECDSA+SHA512"), false),
        ((Kind::Ed25519, "ed25519"), true),
    ];
    let connections = parallel(&schemes, |((key, scheme), in_tls13)| {
        let chain = Chain::new(&[*key, *key]);
        let server = OpenSsl::mirror(&chain, &["-sigalgs", scheme]);
        let mut connections = 0;
        for backend in Backend::ALL {
            for version in Version::ALL {
                let config = config(backend, &chain)
                    .versions(&[*version])
                    .build()
                    .unwrap();
                let works = backend.verifies(*key) && (*in_tls13 || *version == Version::Tls12);
                match Wire::handshake(&config, server.port) {
                    Ok(mut wire) => {
                        assert!(works, "{backend} {version} {scheme}");
                        wire.mirrored(scheme).unwrap();
                        wire.close();
                    }
                    Err(error) => {
                        assert!(!works, "{backend} {version} {scheme}: {error}");
                        // The remaining offer of the server determines which of the two alerts it
                        // sends.
                        let alert = alert(&error).0;
                        assert!([40, 70].contains(&alert), "{error}");
                    }
                }
                connections += 1;
            }
        }
        connections
    });
    assert_eq!(connections.iter().sum::<u32>(), 52);
}

const TLS13: [Suite; 3] = [
    Suite::Aes128GcmSha256,
    Suite::Aes256GcmSha384,
    Suite::Chacha20Poly1305Sha256,
];

/// KeyUpdate from both sides, with and without requesting one in return.
#[test]
fn new_keys_from_both_sides() {
    let mut jobs = Vec::new();
    for backend in Backend::ALL {
        jobs.extend(TLS13.map(|suite| (backend, suite)));
    }
    let connections = parallel(&jobs, |(backend, suite)| {
        let chain = Chain::new(&[Kind::P256, Kind::P256]);
        let mut server = OpenSsl::start(&chain, &["-tls1_3"]);
        let config = config(*backend, &chain).suites(&[*suite]).build().unwrap();
        for resumed in [false, true] {
            let mut wire = Wire::handshake(&config, server.port).unwrap();
            assert_eq!(wire.tls.agreed().unwrap().resumed, resumed);
            server.types(b"one\n");
            wire.until("data", |w| w.read == b"one\n").unwrap();
            wire.tls.refresh_keys().unwrap();
            wire.write(b"under our new keys\n").unwrap();
            server.reads(b"under our new keys\n");
            // Unless quiet, s_server treats K and k as commands: new keys, with and without
            // requesting ours.
            for (command, text) in [(b"K\n", b"two\n"), (b"k\n", b"six\n")] {
                wire.read.clear();
                let before = wire.received;
                server.types(command);
                wire.until("KeyUpdate", |w| w.received > before).unwrap();
                assert_eq!(wire.read, b"");
                server.types(text);
                wire.until("data under its new keys", |w| w.read == text)
                    .unwrap();
                let answer = [b"answer to ".as_slice(), text].concat();
                wire.write(&answer).unwrap();
                server.reads(&answer);
            }
            wire.close();
        }
        2
    });
    assert_eq!(connections.iter().sum::<u32>(), 12);
}
