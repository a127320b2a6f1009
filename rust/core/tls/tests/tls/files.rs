//! Files as people have them: accepted if unambiguous, otherwise the error says what they are. The
//! formats that other tools write are tested in the crate `interop`, beside the commands that make
//! them.

use rcgen::PKCS_ECDSA_P256_SHA256 as P256;
use thread_mqtt_tls::{Config, ConfigError, Damage, Fault, FileKind, Given};

use crate::pair::{client, soft};
use crate::pki::{Pki, pem, pem_of};

fn as_ca(bytes: &[u8]) -> Result<(), ConfigError> {
    glanced(
        Given::Ca,
        bytes,
        Config::builder(soft()).ca(bytes).map(drop),
    )
}

/// Returns `found`, after checking it against a glance: if the glance refuses the input, the result
/// must be the same error.
fn glanced(given: Given, bytes: &[u8], found: Result<(), ConfigError>) -> Result<(), ConfigError> {
    if let Err(error) = given.glance(bytes) {
        let whole = String::from_utf8_lossy(bytes);
        assert_eq!(found, Err(error), "{whole}");
    }
    found
}

struct Device {
    pki: Pki,
    chain: String,
}

impl Device {
    fn new() -> Self {
        let pki = Pki::new(&P256, 2);
        Self {
            chain: pki.chain_pem(),
            pki,
        }
    }

    fn with_key(&self, key: &[u8]) -> Result<(), ConfigError> {
        let builder = client(&self.pki);
        let found = builder.client_identity(self.chain.as_bytes(), key);
        glanced(Given::Key, key, found.map(drop))
    }

    fn with_chain(&self, chain: &[u8]) -> Result<(), ConfigError> {
        let builder = client(&self.pki);
        let key = self.pki.key_pem.as_bytes();
        let found = builder.client_identity(chain, key);
        glanced(Given::Certificate, chain, found.map(drop))
    }
}

fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(unit).collect()
}

/// Returns the same text in every encoding.
fn wrapped(pem: &str) -> Vec<(&'static str, Vec<u8>)> {
    let mark = "\u{feff}".to_owned() + pem;
    let lines = || pem.lines();
    vec![
        ("as it is", pem.into()),
        ("with a byte order mark", mark.clone().into()),
        ("with CRLF", pem.replace('\n', "\r\n").into()),
        ("with CR", pem.replace('\n', "\r").into()),
        (
            "with line ends written out",
            pem.replace('\n', "\\n").into(),
        ),
        ("with CRLF written out", pem.replace('\n', "\\r\\n").into()),
        (
            "indented",
            lines()
                .map(|line| format!("    {line}  \n"))
                .collect::<String>()
                .into(),
        ),
        (
            "with tabs",
            lines()
                .map(|line| format!("\t{line}\n"))
                .collect::<String>()
                .into(),
        ),
        ("on one line", pem.replace('\n', " ").into()),
        ("without line ends", pem.replace('\n', "").into()),
        ("double-spaced", pem.replace('\n', "\n\n").into()),
        (
            "as a string of C",
            lines()
                .map(|line| format!("\"{line}\\n\"\n"))
                .collect::<String>()
                .into(),
        ),
        (
            "as a string of C with continued lines",
            format!(
                "\"{}\"",
                lines()
                    .map(|line| format!("{line}\\n\\\n"))
                    .collect::<String>()
            )
            .into(),
        ),
        (
            "as a string of Java",
            lines()
                .map(|line| format!("\"{line}\\n\" +\n"))
                .collect::<String>()
                .into(),
        ),
        (
            "in JSON",
            format!(
                "{{\"id\": \"1\", \"pem\": \"{}\"}}",
                pem.replace('\n', "\\n")
            )
            .into(),
        ),
        (
            "in JSON with escapes",
            pem.replace('\n', "\\n")
                .replace('/', "\\/")
                .replace('=', "\\u003d")
                .into(),
        ),
        (
            "after text",
            format!("Bag Attributes\n  friendlyName: x\nsubject=CN = y\n{pem}").into(),
        ),
        ("with a final NUL", (pem.to_owned() + "\0").into()),
        ("in UTF-16LE", utf16(&mark, u16::to_le_bytes)),
        ("in UTF-16BE", utf16(&mark, u16::to_be_bytes)),
        ("in UTF-16LE without a mark", utf16(pem, u16::to_le_bytes)),
    ]
}

#[test]
fn every_wrapping_of_pem_is_read() {
    let device = Device::new();
    for (how, bytes) in wrapped(&pem(&device.pki.root)) {
        assert_eq!(as_ca(&bytes), Ok(()), "{how}");
    }
    for (how, bytes) in wrapped(&device.chain) {
        assert_eq!(device.with_chain(&bytes), Ok(()), "{how}");
    }
    for (how, bytes) in wrapped(&device.pki.key_pem) {
        assert_eq!(device.with_key(&bytes), Ok(()), "{how}");
    }
}

#[test]
fn der_and_what_follows_it() {
    let device = Device::new();
    let root = device.pki.root.to_vec();
    let key = device.pki.key().secret_der().to_vec();
    for filling in [&b""[..], b"\n", b"\r\n", &[0; 7], &[0xff; 100]] {
        assert_eq!(as_ca(&[&root, filling].concat()), Ok(()), "{filling:?}");
        assert_eq!(device.with_key(&[&key, filling].concat()), Ok(()));
    }
    // Several, one after the other.
    let chain: Vec<u8> = device
        .pki
        .chain
        .iter()
        .flat_map(|der| der.to_vec())
        .collect();
    assert_eq!(device.with_chain(&chain), Ok(()));
    // Base64 without BEGIN and END lines.
    let bare = pem(&device.pki.root)
        .lines()
        .filter(|line| !line.starts_with('-'))
        .collect::<String>();
    assert_eq!(as_ca(bare.as_bytes()), Ok(()));

    let trailing = |given| Err(ConfigError::Given(given, Damage::Trailing.into()));
    assert_eq!(as_ca(&[&root[..], b"more"].concat()), trailing(Given::Ca));
    assert_eq!(
        device.with_key(&[&key[..], b"more"].concat()),
        trailing(Given::Key)
    );
    // As left by a text-mode transfer: converting it to another format would not help.
    let content = |given| Err(ConfigError::Given(given, Damage::Content.into()));
    let with_cr = |der: &[u8]| [&der[..4], b"\r", &der[4..]].concat();
    assert_eq!(as_ca(&with_cr(&root)), content(Given::Ca));
    // It is not known whether it was altered or made that way.
    let sentence = as_ca(&with_cr(&root)).unwrap_err().to_string();
    assert!(
        sentence.contains("or has an unsupported form"),
        "{sentence}"
    );
    assert_eq!(device.with_key(&with_cr(&key)), content(Given::Key));
    let cut = |given| Err(ConfigError::Given(given, Damage::CutShort.into()));
    assert_eq!(as_ca(&root[..100]), cut(Given::Ca));
    assert_eq!(device.with_key(&key[..100]), cut(Given::Key));
}

/// A glance sees the wrong kind and truncation without decoding, but no damage inside.
#[test]
fn what_a_glance_sees() {
    let device = Device::new();
    let certificate = pem(&device.pki.root);
    let key = &device.pki.key_pem;
    let fault = |given, bytes: &str| match Given::glance(given, bytes.as_bytes()) {
        Ok(()) => None,
        Err(ConfigError::Given(of, fault)) if of == given => Some(fault),
        Err(error) => panic!("{error}"),
    };
    let is = |kind| Some(Fault::Is(kind));
    for given in [Given::Ca, Given::Certificate] {
        assert_eq!(fault(given, &certificate), None);
        assert_eq!(fault(given, ""), is(FileKind::Empty));
        assert_eq!(fault(given, "no certificate"), is(FileKind::Text));
        assert_eq!(fault(given, key), is(FileKind::PrivateKey));
        let (half, _) = certificate.split_at(certificate.len() / 2);
        let (index, damage) = (1, Damage::EndLine);
        let cut = certificate.clone() + half;
        assert_eq!(fault(given, &cut), Some(Fault::Damaged { index, damage }));
        assert_eq!(Given::glance(given, &device.pki.root), Ok(()));
        let cut = Given::glance(given, &device.pki.root[..100]);
        let short = Fault::from(Damage::CutShort);
        assert_eq!(cut, Err(ConfigError::Given(given, short)));
        // Damage inside.
        assert_eq!(fault(given, &certificate.replacen("MII", "M!I", 1)), None);
    }
    assert_eq!(fault(Given::Key, key), None);
    assert_eq!(fault(Given::Key, &(certificate.clone() + key)), None);
    let certificate = fault(Given::Key, &certificate);
    assert_eq!(certificate, is(FileKind::Certificate));
    let encrypted = key.replace(" PRIVATE", " ENCRYPTED PRIVATE");
    assert_eq!(fault(Given::Key, &encrypted), is(FileKind::EncryptedKey));
}

#[test]
fn damage_is_told_with_its_place() {
    let pki = Pki::new(&P256, 1);
    let good = pem(&pki.root);
    let mut altered = pki.root.to_vec();
    altered[4] ^= 0xff;
    let lines: Vec<_> = good.lines().collect();
    for (bad, damage) in [
        (pem_of("CERTIFICATE", &pki.root[..100]), Damage::CutShort),
        (pem_of("CERTIFICATE", &altered), Damage::Content),
        (good.replacen("MII", "M!I", 1), Damage::Character),
        (
            good.replace("-----END CERTIFICATE-----", ""),
            Damage::EndLine,
        ),
        (
            good.replace("END CERTIFICATE", "END PRIVATE KEY"),
            Damage::EndLine,
        ),
        (
            format!("{}\n{}\n{}\n", lines[0], lines[1], lines[lines.len() - 1]),
            Damage::CutShort,
        ),
        (
            pem_of("CERTIFICATE", &[&pki.root[..], &[1, 2, 3]].concat()),
            Damage::Trailing,
        ),
    ] {
        for index in 0..3 {
            let bundle = good.repeat(usize::from(index)) + &bad;
            let error = as_ca(bundle.as_bytes()).unwrap_err();
            let fault = Fault::Damaged { index, damage };
            assert_eq!(error, ConfigError::Given(Given::Ca, fault), "{bundle}");
            let expected = format!("CA certificate {} ", index + 1);
            assert!(error.to_string().starts_with(&expected), "{error}");
        }
    }
}

/// One damaged certificate in a bundle that the user did not make.
#[test]
fn the_readable_part_of_a_bundle() {
    let pki = Pki::new(&P256, 1);
    let good = pem(&pki.root);
    let bad = good.replacen("MII", "M!I", 1);
    let bundle = format!("{bad}{good}{bad}");
    let (builder, left_out) = Config::builder(soft())
        .ca_where_readable(bundle.as_bytes())
        .unwrap();
    assert_eq!(left_out, 2);
    let config = builder.build().unwrap();
    crate::pair::Pair::new(&config, &crate::pair::Server::new(&pki)).exchange();
    let error = Config::builder(soft())
        .ca_where_readable(bad.as_bytes())
        .map(drop);
    let fault = Fault::from(Damage::Character);
    assert_eq!(error.unwrap_err(), ConfigError::Given(Given::Ca, fault));
    let error = Config::builder(soft()).ca_where_readable(b"").map(drop);
    let fault = Fault::Is(FileKind::Empty);
    assert_eq!(error.unwrap_err(), ConfigError::Given(Given::Ca, fault));
}

#[test]
fn other_files_are_named_for_what_they_are() {
    let device = Device::new();
    let certificate = pem(&device.pki.root);
    let encrypted = "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: \
                     AES-256-CBC,00112233445566778899AABBCCDDEEFF\n\nAAAA\n-----END EC PRIVATE \
                     KEY-----\n";
    let once_more = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUI=";
    for (content, kind, needles) in [
        ("", FileKind::Empty, ["found nothing", "found nothing"]),
        (" \r\n\t\n", FileKind::Empty, ["nothing", "nothing"]),
        ("\0\0\0\0", FileKind::Empty, ["nothing", "nothing"]),
        (
            "hello",
            FileKind::Text,
            ["BEGIN CERTIFICATE", "BEGIN PRIVATE KEY"],
        ),
        ("0123", FileKind::Text, ["PEM", "PEM"]),
        (
            "To begin with,\nkeep the private key and the certificate safe.\n",
            FileKind::Text,
            ["BEGIN CERTIFICATE", "BEGIN PRIVATE KEY"],
        ),
        (
            "{\"error\": \"no private key\"}",
            FileKind::Json,
            ["JSON", "JSON"],
        ),
        (
            "Zertifikat für den Broker ─ bitte lesen",
            FileKind::Text,
            ["text without a PEM section", "BEGIN"],
        ),
        (
            "\u{1}\u{2}\u{3}",
            FileKind::Binary,
            ["neither PEM nor DER", "neither"],
        ),
        (
            "<!DOCTYPE html>\n<html><body>404</body></html>",
            FileKind::Html,
            ["a web page", "download the file itself"],
        ),
        (
            "{\"message\": \"Forbidden\"}",
            FileKind::Json,
            ["JSON", "JSON"],
        ),
        (
            once_more,
            FileKind::Base64OfPem,
            ["base64 -d", "Kubernetes"],
        ),
        ("PK\u{3}\u{4}rest", FileKind::Zip, ["ZIP", "unpack"]),
        (
            "ssh-ed25519 AAAAC3Nza x@y",
            FileKind::SshPublicKey,
            ["SSH public key", "private key"],
        ),
        (
            "PuTTY-User-Key-File-3: x",
            FileKind::PuttyKey,
            ["PuTTY", "puttygen"],
        ),
        (
            "----BEGIN CERTIFICATE----\nMIIB\n----END CERTIFICATE----",
            FileKind::BadDashes,
            ["malformed", "five dashes"],
        ),
        (
            "\u{2014}BEGIN PRIVATE KEY\u{2014}\nMIIB\n",
            FileKind::BadDashes,
            ["malformed", "five dashes"],
        ),
        (
            "-----BEGIN certificate-----\nMIIB\n-----END certificate-----",
            FileKind::BadDashes,
            ["malformed", "-----BEGIN "],
        ),
        (
            "-----BEGIN PRIVATE KEY -----\nMIIB\n-----END PRIVATE KEY -----",
            FileKind::BadDashes,
            ["malformed", "-----BEGIN "],
        ),
        (
            "-----BEGIN ATTRIBUTE CERTIFICATE-----\nMIIB\n-----END ATTRIBUTE CERTIFICATE-----",
            FileKind::UnknownLabel,
            ["another BEGIN line", "PEM (BEGIN"],
        ),
        (
            encrypted,
            FileKind::EncryptedKey,
            ["encrypted with a password", "openssl pkey -in FILE"],
        ),
    ] {
        let ca = as_ca(content.as_bytes()).unwrap_err();
        let key = device.with_key(content.as_bytes()).unwrap_err();
        let chain = device.with_chain(content.as_bytes()).unwrap_err();
        for (error, given) in [
            (ca, Given::Ca),
            (key, Given::Key),
            (chain, Given::Certificate),
        ] {
            assert_eq!(
                error,
                ConfigError::Given(given, Fault::Is(kind)),
                "{content:?}"
            );
            assert_eq!(error.given(), Some(given));
        }
        let (ca, key) = (ca.to_string(), key.to_string());
        assert!(ca.contains(needles[0]), "{ca}");
        assert!(key.contains(needles[1]), "{key}");
        assert!(ca.starts_with("expected a CA certificate, found "), "{ca}");
    }
    // One instead of the other.
    for (error, kind) in [
        (as_ca(device.pki.key_pem.as_bytes()), FileKind::PrivateKey),
        (
            device.with_chain(device.pki.key_pem.as_bytes()),
            FileKind::PrivateKey,
        ),
        (
            device.with_key(certificate.as_bytes()),
            FileKind::Certificate,
        ),
        (device.with_key(&device.pki.root), FileKind::Certificate),
        (
            device.with_chain(device.pki.key().secret_der()),
            FileKind::PrivateKey,
        ),
    ] {
        let error = error.unwrap_err();
        assert!(
            matches!(error, ConfigError::Given(_, Fault::Is(is)) if is == kind),
            "{error}"
        );
    }
    // A wrong label.
    let lie = pem_of("CERTIFICATE", device.pki.key().secret_der());
    let fault = Fault::CertificateIs {
        index: 1,
        kind: FileKind::PrivateKey,
    };
    let error = as_ca((certificate.clone() + &lie).as_bytes()).unwrap_err();
    assert_eq!(error, ConfigError::Given(Given::Ca, fault));
    let sentence = "CA certificate 2 is a private key, despite its BEGIN line; ";
    assert!(error.to_string().starts_with(sentence), "{error}");
    // The label of another key format is not worth an error.
    for label in ["RSA PRIVATE KEY", "EC PRIVATE KEY", "PRIVATE KEY"] {
        let key = pem_of(label, device.pki.key().secret_der());
        assert_eq!(device.with_key(key.as_bytes()), Ok(()));
    }
}

/// As written by PuTTY, with a leading zero, and by Java's older libraries, without leading zeros.
#[test]
fn numbers_of_another_width_than_the_curve() {
    fn element(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut element = vec![tag, u8::try_from(content.len()).unwrap()];
        element.extend(content);
        element
    }
    // One in 256 keys begins with a zero.
    let (chain, number) = loop {
        let key = rcgen::KeyPair::generate_for(&P256).unwrap();
        let der = key.serialize_der();
        // PKCS#8 around SEC1: the number follows its tag, 04 20.
        let at = der.windows(3).position(|w| w == [4, 0x20, 0]);
        if let Some(at) = at.filter(|at| (30..40).contains(at)) {
            let certificate = crate::pki::leaf_params().self_signed(&key).unwrap();
            break (pem(certificate.der()), der[at + 2..at + 34].to_vec());
        }
    };
    let curve = element(6, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7]);
    let algorithm = {
        let ec = element(6, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1]);
        element(0x30, &[ec, curve.clone()].concat())
    };
    let given = |key: &[u8]| {
        let builder = Config::builder(soft());
        builder.client_identity(chain.as_bytes(), key).map(drop)
    };
    let first = number.iter().position(|byte| *byte != 0).unwrap();
    let mut wider = vec![0];
    wider.extend(&number);
    let mut too_wide = vec![1];
    too_wide.extend(&number);
    for (number, good) in [
        (&number[..], true),
        (&wider, true),
        (&number[first..], true),
        (&too_wide, false),
    ] {
        let version = [2, 1, 1];
        let key = |parameters: &[u8]| {
            let content = [&version, &element(4, number)[..], parameters].concat();
            element(0x30, &content)
        };
        let sec1 = key(&element(0xa0, &curve));
        let content = [vec![2, 1, 0], algorithm.clone(), element(4, &key(&[]))].concat();
        for key in [
            sec1.clone(),
            pem_of("EC PRIVATE KEY", &sec1).into_bytes(),
            element(0x30, &content),
        ] {
            assert_eq!(given(&key).is_ok(), good, "{number:x?}: {:?}", given(&key));
        }
    }
}
