//! Known-answer tests of the key schedules, through the suites of both providers: the TLS 1.2 PRF
//! with vectors exchanged in its working group, that of TLS 1.3 with the trace of RFC 8448.

use rustls::crypto::tls13::{Hkdf, HkdfExpander, OkmBlock};
use rustls::{CipherSuite, SupportedCipherSuite};

use crate::backend::{Backend, parallel};

/// Decodes hexadecimal digits.
fn hex(digits: &str) -> Vec<u8> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).unwrap() as u8;
    digits
        .as_bytes()
        .chunks(2)
        .map(|pair| digit(&pair[0]) << 4 | digit(&pair[1]))
        .collect()
}

fn suite(backend: Backend, wanted: CipherSuite) -> SupportedCipherSuite {
    let suites = backend.provider().cipher_suites;
    suites.into_iter().find(|s| s.suite() == wanted).unwrap()
}

#[test]
fn the_prf_of_tls12() {
    parallel(&Backend::ALL, |backend| {
        for (wanted, secret, seed, expected) in [
            (
                CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
                "9bbe436ba940f017b17652849a71db35",
                "a0ba9f936cda311827a6f796ffd5198c",
                "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a\
                 6b301791e90d35c9c9a46b4e14baf9af0fa022f7077def17abfd3797c0564bab\
                 4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff701\
                 87347b66",
            ),
            (
                CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
                "b80b733d6ceefcdc71566ea48e5567df",
                "cd665cf6a8447dd6ff8b27555edb7465",
                "7b0c18e9ced410ed1804f2cfa34a336a1c14dffb4900bb5fd7942107e81c83cd\
                 e9ca0faa60be9fe34f82b1233c9146a0e534cb400fed2700884f9dc236f80edd\
                 8bfa961144c9e8d792eca722a7b32fc3d416d473ebc2c5fd4abfdad05d918425\
                 9b5bf8cd4d90fa0d31e2dec479e4f1a26066f2eea9a69236a3e52655c9e9aee6\
                 91c8f3a26854308d5eaa3be85e0990703d73e56f",
            ),
        ] {
            let SupportedCipherSuite::Tls12(suite) = suite(*backend, wanted) else {
                panic!("{wanted:?} is of TLS 1.2");
            };
            let mut output = vec![0; expected.len() / 2];
            let (secret, seed) = (hex(secret), hex(seed));
            let prf = suite.prf_provider;
            prf.for_secret(&mut output, &secret, b"test label", &seed);
            assert_eq!(output, hex(expected), "{backend} {wanted:?}");
        }
    });
}

/// HKDF-Expand-Label (RFC 8446, section 7.1).
fn expand(secret: &dyn HkdfExpander, label: &str, context: &[u8], length: u8) -> Vec<u8> {
    let mut output = vec![0; length.into()];
    let label = format!("tls13 {label}");
    let info: [&[u8]; 5] = [
        &[0, length],
        &[label.len() as u8],
        label.as_bytes(),
        &[context.len() as u8],
        context,
    ];
    secret.expand_slice(&info, &mut output).unwrap();
    output
}

/// The simple 1-RTT handshake of RFC 8448, section 3: computes every secret and key from its shared
/// secret and the hashes of its transcript.
#[test]
fn the_key_schedule_of_tls13() {
    const SHARED: &str = "8bd4054fb55b9d63fdfbacf9f04b9f0d35e6d63f537563efd46272900f89492d";
    const HELLOS: &str = "860c06edc07858ee8e78f0e7428c58edd6b43f2ca3e6e95f02ed063cf0e1cad8";
    const SERVER_FINISHED: &str =
        "9608102a0f1ccc6db6250b7b7e417b1a000eaada3daae4777a7686c9ff83df13";
    const CLIENT_FINISHED: &str =
        "209145a96ee8e2a122ff810047cc952684658d6049e86429426db87c54ad143d";
    parallel(&Backend::ALL, |backend| {
        let suite = suite(*backend, CipherSuite::TLS13_AES_128_GCM_SHA256);
        let suite = suite.tls13().unwrap();
        let nothing = suite.common.hash_provider.hash(b"");
        let hkdf: &dyn Hkdf = suite.hkdf_provider;
        let secret = |bytes: &[u8]| hkdf.expander_for_okm(&OkmBlock::new(bytes));

        let early = hkdf.extract_from_zero_ikm(None);
        let derived = expand(&*early, "derived", nothing.as_ref(), 32);
        assert_eq!(
            derived,
            hex("6f2615a108c702c5678f54fc9dbab69716c076189c48250cebeac3576c3611ba")
        );
        let handshake = hkdf.extract_from_secret(Some(&derived), &hex(SHARED));
        let client = expand(&*handshake, "c hs traffic", &hex(HELLOS), 32);
        assert_eq!(
            client,
            hex("b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21")
        );
        let server = expand(&*handshake, "s hs traffic", &hex(HELLOS), 32);
        assert_eq!(
            server,
            hex("b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38")
        );
        keys(
            &*secret(&server),
            "3fce516009c21727d0f2e4e86ee403bc",
            "5d313eb2671276ee13000b30",
        );
        keys(
            &*secret(&client),
            "dbfaa693d1762c5b666af5d950258d01",
            "5bd3c71b836e0b76bb73265f",
        );

        let derived = expand(&*handshake, "derived", nothing.as_ref(), 32);
        let master = hkdf.extract_from_zero_ikm(Some(&derived));
        let client = expand(&*master, "c ap traffic", &hex(SERVER_FINISHED), 32);
        assert_eq!(
            client,
            hex("9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5")
        );
        let server = expand(&*master, "s ap traffic", &hex(SERVER_FINISHED), 32);
        assert_eq!(
            server,
            hex("a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643")
        );
        keys(
            &*secret(&client),
            "17422dda596ed5d9acd890e3c63f5051",
            "5b78923dee08579033e523d9",
        );
        let resumption = expand(&*master, "res master", &hex(CLIENT_FINISHED), 32);
        assert_eq!(
            resumption,
            hex("7df235f2031d2a051287d02b0241b0bfdaf86cc856231f2d5aba46c434ec196c")
        );
        assert_eq!(
            expand(&*secret(&resumption), "resumption", &[0, 0], 32),
            hex("4ecd0eb6ec3b4d87f5d6028f922ca4c5851a277fd41311c9e62d2c9492e1c4f3")
        );
    });
}

fn keys(secret: &dyn HkdfExpander, key: &str, iv: &str) {
    assert_eq!(expand(secret, "key", b"", 16), hex(key));
    assert_eq!(expand(secret, "iv", b"", 12), hex(iv));
}
