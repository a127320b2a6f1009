//! Keys of unusual lengths and outdated signatures, which only `openssl` still generates.

use std::process::{Command, Stdio};
use std::time::SystemTime;

use thread_mqtt_tls::{CertificateFault as F, Signature, TlsError, Version};

use super::says;
use crate::backend::{Backend, parallel};
use crate::openssl::OpenSsl;
use crate::pki::{Chain, Kind, NAME};
use crate::scratch::Scratch;
use crate::wire::Wire;

/// A key, as named by `openssl genpkey`.
#[derive(Debug, Clone, Copy)]
enum Key {
    Rsa(u16),
    /// On this curve.
    Ec(&'static str),
}

const P256: Key = Key::Ec("P-256");

/// Runs openssl in a directory.
fn openssl(scratch: &Scratch, arguments: &str) {
    let output = Command::new("openssl")
        .args(arguments.split_whitespace())
        .current_dir(scratch.path())
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("this test needs openssl; install it ({error})"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {arguments}: {said}");
}

/// Returns a chain with these keys, root first, and with this digest in the leaf certificate's
/// signature.
fn chain(keys: &[Key], digest: &str) -> Chain {
    let scratch = Scratch::new();
    let read = |name: &str| std::fs::read_to_string(scratch.path().join(name)).unwrap();
    scratch.file(
        "ca.ext",
        "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign",
    );
    scratch.file("leaf.ext", format!("subjectAltName=DNS:{NAME}"));
    let mut sent = Vec::new();
    for (nth, key) in keys.iter().enumerate() {
        let (name, ext) = match nth {
            0 => ("Root", "ca"),
            nth if nth == keys.len() - 1 => (NAME, "leaf"),
            _ => ("Middle", "ca"),
        };
        let kind = match key {
            Key::Rsa(bits) => format!("RSA -pkeyopt rsa_keygen_bits:{bits}"),
            Key::Ec(curve) => format!("EC -pkeyopt ec_paramgen_curve:{curve}"),
        };
        openssl(
            &scratch,
            &format!("genpkey -algorithm {kind} -out {nth}.key"),
        );
        let request = format!("req -new -key {nth}.key -subj /CN={name} -out {nth}.csr");
        openssl(&scratch, &request);
        let issuer = match nth {
            0 => "-signkey 0.key".to_owned(),
            nth => format!("-CA {0}.pem -CAkey {0}.key -CAcreateserial", nth - 1),
        };
        let digest = if ext == "leaf" { digest } else { "sha256" };
        let sign = format!(
            "x509 -req -in {nth}.csr {issuer} -{digest} -days 30 -extfile {ext}.ext -out {nth}.pem"
        );
        openssl(&scratch, &sign);
        if nth > 0 {
            sent.insert(0, read(&format!("{nth}.pem")));
        }
    }
    Chain {
        sent,
        key: read(&format!("{}.key", keys.len() - 1)),
        root: read("0.pem"),
    }
}

/// Connects once with each provider and version. All connections end the same way.
fn connect(chain: &Chain) -> Result<(), TlsError> {
    connect_in(Version::ALL, chain)
}

/// Same as [`connect`], with only these versions.
fn connect_in(versions: &[Version], chain: &Chain) -> Result<(), TlsError> {
    // OpenSSL itself refuses what is tested here, unless it is told not to.
    let weak = ["-cipher", "DEFAULT:@SECLEVEL=0"];
    let server = OpenSsl::mirror(chain, &weak);
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let mut results = Vec::new();
    for backend in Backend::ALL {
        for version in versions {
            let config = backend.config().ca(chain.root.as_bytes()).unwrap();
            let config = config.versions(&[*version]).build().unwrap();
            let mut wire = Wire::connect_at(&config, server.port, now);
            let result = wire.until("the handshake", |wire| !wire.tls.is_handshaking());
            let result = result.and_then(|()| wire.mirrored("still here"));
            results.push(result);
        }
    }
    for result in &results {
        assert_eq!(*result, results[0]);
    }
    results.swap_remove(0)
}

#[test]
fn rsa_keys_that_are_too_short_or_too_long() {
    use Key::Rsa;

    let jobs: [(&[Key], &str, u16); 5] = [
        (&[P256, Rsa(1024)], NAME, 1024),
        (&[P256, Rsa(2040)], NAME, 2040),
        (&[P256, Rsa(4104)], NAME, 4104),
        (&[P256, Rsa(1024), P256], "Middle", 1024),
        (&[Rsa(1024), P256], "Root", 1024),
    ];
    parallel(&jobs, |(keys, culprit, bits)| {
        let error = connect(&chain(keys, "sha256")).unwrap_err();
        let fault = F::RsaKeyLength {
            subject: format!("CN={culprit}").into(),
            bits: *bits,
        };
        assert_eq!(error, TlsError::Certificate(fault));
        says(
            &error,
            &format!(
                "the RSA key of \"CN={culprit}\" has {bits} bits, but only 2048 to 4096 are \
                 accepted"
            ),
            "an RSA key of 2048 to 4096 bits",
        );
    });
}

/// Includes lengths that are not whole bytes, which Mbed TLS itself would not accept.
#[test]
fn rsa_keys_of_odd_lengths_in_between() {
    parallel(&[2052, 2056, 3000, 4092], |bits| {
        let keys = [Key::Rsa(*bits), Key::Rsa(*bits)];
        assert_eq!(connect(&chain(&keys, "sha256")), Ok(()));
    });
}

/// What `openssl ... -sha384` and `-sha512` produce with common keys.
#[test]
fn ecdsa_with_every_curve_and_digest() {
    let curves = ["P-256", "P-384"];
    let digests = ["sha256", "sha384", "sha512"];
    let mut jobs: Vec<_> = curves
        .iter()
        .flat_map(|curve| digests.map(|digest| ([Key::Ec(curve), P256], digest)))
        .collect();
    jobs.push(([Key::Ec("P-521"), P256], "sha512"));
    parallel(&jobs, |(keys, digest)| {
        assert_eq!(connect(&chain(keys, digest)), Ok(()), "{keys:?} {digest}");
    });
}

/// In TLS 1.2, the client's groups are also the allowed curves of the server's key (RFC 8422,
/// section 5.1.1). P-521 is not one of them, because there is no key exchange over it.
#[test]
fn a_broker_key_on_p521_takes_tls13() {
    let chain = chain(&[P256, Key::Ec("P-521")], "sha256");
    parallel(&[&chain], |chain| {
        assert_eq!(connect_in(&[Version::Tls13], chain), Ok(()));
        let error = connect_in(&[Version::Tls12], chain).unwrap_err();
        says(
            &error,
            "the broker ended the TLS handshake with alert handshake_failure (40): it found no \
             version, cipher suite, group or certificate that both sides accept",
            "compare the suites and groups with the broker's",
        );
    });
}

#[test]
fn a_certificate_signed_with_sha1() {
    parallel(&[Key::Rsa(2048), P256], |key| {
        let error = connect(&chain(&[*key, *key], "sha1")).unwrap_err();
        assert_eq!(
            error,
            TlsError::Certificate(F::UnsupportedSignatureAlgorithm {
                signature: Signature::Sha1,
                key: None,
            })
        );
        says(
            &error,
            "the broker's certificate or handshake is signed with SHA-1 or MD5, which this device \
             does not support",
            "with a SHA-256 signature",
        );
    });
}

/// A server that can only sign with SHA-1 gives up, because the client does not offer it.
#[test]
fn a_handshake_to_be_signed_with_sha1() {
    let chain = Chain::new(&[Kind::Rsa2048, Kind::Rsa2048]);
    parallel(&Backend::ALL, |backend| {
        let sha1 = ["-cipher", "DEFAULT:@SECLEVEL=0", "-sigalgs", "RSA+SHA1"];
        let server = OpenSsl::mirror(&chain, &sha1);
        for version in Version::ALL {
            let config = backend.config().ca(chain.root.as_bytes()).unwrap();
            let config = config.versions(&[*version]).build().unwrap();
            let error = Wire::handshake(&config, server.port).err().unwrap();
            says(
                &error,
                "the broker ended the TLS handshake with alert handshake_failure (40): it found \
                 no version, cipher suite, group or certificate that both sides accept",
                "compare the suites and groups with the broker's",
            );
        }
    });
}
