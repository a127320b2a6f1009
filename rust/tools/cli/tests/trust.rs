//! Which brokers the binary trusts, and what it presents: bundles, pins, keys of every type,
//! application protocols. docs/troubleshooting/tls.md contains its TLS messages, line by line.
mod common;

use common::{Outcome, Scratch, command, outcome, run};
use std::process::Command;
use thread_mqtt_testkit::front::Front;
use thread_mqtt_testkit::peer::Config;
use thread_mqtt_testkit::peer::host::HostPeer;
use thread_mqtt_testkit::pki::{Authority, Chain, Identity, KeyKind, Usage, Validity};
use thread_mqtt_testkit::tls::{Tls, Version};

const USAGE: i32 = 2;
const TLS: i32 = 7;

/// TLS in front of a broker.
struct Secure {
    front: Front,
    scratch: Scratch,
    _broker: HostPeer,
}

impl Secure {
    fn start(tls: &Tls) -> Self {
        let broker = HostPeer::start(Config::new(None), 1).unwrap();
        Self {
            front: Front::start(tls, broker.address()).unwrap(),
            scratch: Scratch::new(),
            _broker: broker,
        }
    }

    fn uri(&self, host: &str) -> String {
        format!("mqtts://{host}:{}", self.front.address().port())
    }

    /// Publishes with these options.
    fn publish(&self, options: &[&str]) -> Outcome {
        let uri = self.uri("localhost");
        let mut all = vec!["pub", &uri, "-t", "t", "-n", "-q", "1", "-W", "60"];
        all.extend(options);
        run(&all)
    }

    #[track_caller]
    fn accepts(&self, options: &[&str]) {
        let outcome = self.publish(options);
        assert_eq!(outcome.status, 0, "{options:?}: {outcome:?}");
    }

    /// Fails in TLS, with a message that is in the documentation.
    #[track_caller]
    fn refuses(&self, options: &[&str], says: &str) {
        let outcome = self.publish(options);
        assert_eq!(outcome.status, TLS, "{options:?}: {outcome:?}");
        documented(&outcome, &[], says);
    }
}

fn chain(kind: KeyKind) -> Chain {
    Chain::generate(kind, &["localhost", "127.0.0.1"]).unwrap()
}

/// Removes what tells test authorities apart: a fingerprint and the organisation.
fn without_marks(line: &str) -> String {
    let mut parts = line.split(",O=thread-mqtt test").collect::<Vec<_>>();
    let last = parts.pop().unwrap_or_default();
    let mut plain = String::new();
    for part in parts {
        let name = match part.rsplit_once(' ') {
            Some((name, mark))
                if mark.len() == 8 && mark.bytes().all(|b| b.is_ascii_hexdigit()) =>
            {
                name
            }
            _ => part,
        };
        plain.push_str(name);
    }
    plain + last
}

/// Returns the line without the broker and its address, which the page omits.
fn without_broker(line: &str) -> String {
    match line.split_once(": TLS failed: ") {
        Some((broker, why)) => {
            assert!(broker.starts_with("thread-mqtt: mqtts://"), "{line}");
            format!("thread-mqtt: TLS failed: {why}")
        }
        None => line.to_owned(),
    }
}

/// Checks that the output begins with a line that contains `says`, and that after replacing `names`
/// this line is in docs/troubleshooting/tls.md.
#[track_caller]
fn documented(outcome: &Outcome, names: &[(&str, &str)], says: &str) {
    let page = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../docs/troubleshooting/tls.md"
    );
    let page = std::fs::read_to_string(page).unwrap();
    let line = outcome.stderr.lines().next().unwrap_or_default();
    assert!(line.contains(says), "{says:?} in {outcome:?}");
    let line = without_broker(line);
    let line = names.iter().fold(without_marks(&line), |line, (from, to)| {
        line.replace(from, to)
    });
    assert!(
        page.lines().any(|documented| documented == line),
        "docs/troubleshooting/tls.md does not have the line: {line}"
    );
}

fn openssl(scratch: &Scratch, arguments: &str) {
    let output = Command::new("openssl")
        .args(arguments.split_whitespace())
        .current_dir(scratch.path())
        .output()
        .expect("this test needs the command openssl; install it");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {arguments}: {said}");
}

fn der_of(pem: &str) -> Vec<u8> {
    pem::parse(pem).unwrap().into_contents()
}

/// Returns a self-signed certificate, made with `openssl req -x509` and these options.
fn own_certificate(options: &str) -> Identity {
    let scratch = Scratch::new();
    openssl(
        &scratch,
        &format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost \
             -keyout key -out crt {options}"
        ),
    );
    identity(&scratch)
}

fn identity(scratch: &Scratch) -> Identity {
    let read = |file| der_of(&std::fs::read_to_string(scratch.path().join(file)).unwrap());
    Identity::new(vec![read("crt").into()], read("key").try_into().unwrap())
}

// ---------------------------------------------------------------------- bundles

#[test]
fn the_system_bundle_may_have_a_damaged_certificate() {
    let chain = chain(KeyKind::P256);
    let secure = Secure::start(&Tls::new(chain.leaf.clone()));
    let good = chain.root.certificate_pem();
    let half: String = good
        .lines()
        .take(4)
        .map(|line| format!("{line}\n"))
        .collect();
    let damaged = half + "-----END CERTIFICATE-----\n";
    let bundle = secure.scratch.file("bundle.pem", damaged.clone() + &good);
    let uri = secure.uri("localhost");
    let with_bundle = |bundle: &str| {
        let arguments = ["pub", &uri, "-t", "t", "-n", "-q", "1", "-W", "60"];
        outcome(command(&arguments).env("SSL_CERT_FILE", bundle))
    };
    let served = with_bundle(&bundle);
    assert_eq!(served.status, 0, "{served:?}");
    // A bundle named by the user must be fixed by the user.
    let named = secure.publish(&["--ca", &bundle]);
    assert_eq!(named.status, USAGE, "{named:?}");
    documented(
        &named,
        &[(bundle.as_str(), "bundle.pem")],
        "(--ca): CA certificate 1 is cut short",
    );

    // An empty variable counts as not set: the system's own CAs are used, which are not these.
    let unset = with_bundle("");
    assert_ne!(unset.status, 0, "{unset:?}");
    assert!(!unset.stderr.contains("SSL_CERT_FILE"), "{unset:?}");

    // The file at fault is named, not an option that was not given.
    let missing = with_bundle("missing.pem");
    assert_eq!(missing.status, USAGE, "{missing:?}");
    documented(
        &missing,
        &[],
        "given by the environment variable SSL_CERT_FILE cannot be read",
    );
    let none = secure.scratch.file("none.pem", damaged);
    let none_readable = with_bundle(&none);
    assert_eq!(none_readable.status, USAGE, "{none_readable:?}");
    let says = "(the environment variable SSL_CERT_FILE): CA certificate 1 is cut short";
    assert!(none_readable.stderr.contains(says), "{none_readable:?}");
    assert!(!none_readable.stderr.contains("--ca"), "{none_readable:?}");
}

#[test]
fn files_of_another_kind() {
    let scratch = Scratch::new();
    let chain = chain(KeyKind::P256);
    let ca = scratch.file("ca.pem", chain.root.certificate_pem());
    let cert = scratch.file("cert.pem", chain.leaf.chain_pem());
    let key = scratch.file("key.pem", chain.leaf.key_pem());
    openssl(
        &scratch,
        "pkcs12 -export -in cert.pem -inkey key.pem -passout pass:x -out bundle.p12",
    );
    openssl(
        &scratch,
        "pkcs8 -topk8 -in key.pem -passout pass:x -out locked.pem",
    );
    openssl(&scratch, "pkey -in key.pem -pubout -out public.pem");
    openssl(
        &scratch,
        "req -new -key key.pem -subj /CN=device -out device.csr",
    );
    let path = |file: &str| scratch.path().join(file).to_str().unwrap().to_owned();
    let (p12, locked) = (path("bundle.p12"), path("locked.pem"));
    let (public, request) = (path("public.pem"), path("device.csr"));
    let page = scratch.file("download.pem", "<!DOCTYPE html>\n<html></html>\n");
    for (options, file, says) in [
        (
            ["--ca", &*p12, "--cert", &cert, "--key", &key],
            &p12,
            "PKCS#12",
        ),
        (
            ["--ca", &*ca, "--cert", &p12, "--key", &key],
            &p12,
            "PKCS#12",
        ),
        (
            ["--ca", &*ca, "--cert", &cert, "--key", &p12],
            &p12,
            "PKCS#12",
        ),
        (
            ["--ca", &*ca, "--cert", &cert, "--key", &locked],
            &locked,
            "encrypted with a password",
        ),
        (
            ["--ca", &*ca, "--cert", &cert, "--key", &public],
            &public,
            "a public key",
        ),
        (
            ["--ca", &*ca, "--cert", &request, "--key", &key],
            &request,
            "(CSR)",
        ),
        (
            ["--ca", &*page, "--cert", &cert, "--key", &key],
            &page,
            "a web page",
        ),
    ] {
        let mut all = vec!["pub", "mqtts://localhost:1", "-t", "t", "-n"];
        all.extend(options);
        let outcome = run(&all);
        assert_eq!(outcome.status, USAGE, "{outcome:?}");
        let directory = format!("{}/", scratch.path().display());
        assert!(outcome.stderr.contains(file.as_str()), "{outcome:?}");
        documented(&outcome, &[(directory.as_str(), "")], says);
    }
}

// ------------------------------------------------------------------------- pins

#[test]
fn a_certificate_of_ones_own_by_its_pin() {
    let ca = own_certificate("-addext subjectAltName=DNS:localhost");
    // Version 1: a request without extensions, signed with its own key.
    let scratch = Scratch::new();
    openssl(
        &scratch,
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -keyout key -out csr",
    );
    openssl(&scratch, "x509 -req -in csr -signkey key -days 30 -out crt");
    for (identity, says) in [
        (ca, "a CA certificate as its own (basicConstraints CA:TRUE)"),
        (identity(&scratch), "outdated X.509 version"),
    ] {
        for version in [Version::Tls12, Version::Tls13] {
            let secure = Secure::start(&Tls {
                versions: vec![version],
                ..Tls::new(identity.clone())
            });
            let file = secure.scratch.file("own.pem", identity.chain_pem());
            openssl(
                &secure.scratch,
                "x509 -in own.pem -noout -fingerprint -sha256 -out print",
            );
            let pin = std::fs::read_to_string(secure.scratch.path().join("print")).unwrap();
            secure.refuses(&["--ca", &file], says);
            secure.accepts(&["--pin", &pin]);
            secure.accepts(&["--pin", &pin, "--ca", &file]);
        }
    }
}

#[test]
fn the_command_that_makes_a_right_one() {
    // The cure for a refused certificate, with a name.
    let scratch = Scratch::new();
    let own = own_certificate("-addext subjectAltName=DNS:localhost");
    let secure = Secure::start(&Tls::new(own.clone()));
    let ca = secure.scratch.file("own.pem", own.chain_pem());
    let outcome = secure.publish(&["--ca", &ca]);
    let (instead, command) = outcome
        .stderr
        .split_once("a suitable one: openssl ")
        .unwrap();
    assert!(
        instead.contains("give its SHA-256 with --pin"),
        "{outcome:?}"
    );
    let (command, then) = command.split_once("; ").unwrap();
    assert!(then.contains("give that one with --ca"), "{outcome:?}");
    openssl(&scratch, &command.replace("NAME", "localhost"));
    let read = |file| std::fs::read_to_string(scratch.path().join(file)).unwrap();
    let right = Identity::new(
        vec![der_of(&read("broker.crt")).into()],
        der_of(&read("broker.key")).try_into().unwrap(),
    );
    let secure = Secure::start(&Tls::new(right.clone()));
    let ca = secure.scratch.file("own.pem", right.chain_pem());
    secure.accepts(&["--ca", &ca]);
}

#[test]
fn pins_beside_a_ca() {
    let chain = chain(KeyKind::P256);
    let secure = Secure::start(&Tls::new(chain.leaf.clone()));
    let ca = secure.scratch.file("ca.pem", chain.root.certificate_pem());
    secure.scratch.file("leaf.pem", chain.leaf.chain_pem());
    openssl(
        &secure.scratch,
        "x509 -in leaf.pem -noout -pubkey -out public",
    );
    openssl(
        &secure.scratch,
        "pkey -pubin -in public -outform DER -out key.der",
    );
    openssl(&secure.scratch, "dgst -sha256 -r -out hash key.der");
    let hash = std::fs::read_to_string(secure.scratch.path().join("hash")).unwrap();
    let pin = format!("sha256:{}", hash.split_whitespace().next().unwrap());
    secure.accepts(&["--ca", &ca, "--pin", &pin]);
    let other = format!("sha256:{}", "00".repeat(32));
    let outcome = secure.publish(&["--ca", &ca, "--pin", &other]);
    assert_eq!(outcome.status, TLS, "{outcome:?}");
    assert!(
        outcome.stderr.contains(&format!("and its key {pin}")),
        "{outcome:?}"
    );
    assert!(
        outcome.stderr.contains("something else is answering"),
        "{outcome:?}"
    );
    let bad = secure.publish(&["--pin", "sha256:1234"]);
    assert_eq!(bad.status, USAGE, "{bad:?}");
    assert!(bad.stderr.contains("64 hexadecimal digits"), "{bad:?}");
}

// ------------------------------------------------------- what is said of brokers

#[test]
fn certificates_that_are_refused() {
    let good = chain(KeyKind::P256);
    let secure = Secure::start(&Tls::new(good.leaf.clone()));
    let stranger = Authority::root("another CA", KeyKind::P256, Validity::current()).unwrap();
    let ca = secure.scratch.file("other.pem", stranger.certificate_pem());
    secure.refuses(&["--ca", &ca], "which is not among the configured CAs");

    let without = Identity::new(
        vec![good.leaf.chain()[0].clone()],
        good.leaf.key().clone_key(),
    );
    let secure = Secure::start(&Tls::new(without));
    let ca = secure.scratch.file("ca.pem", good.root.certificate_pem());
    secure.refuses(&["--ca", &ca], "chain ends at");

    let names = |names: &str| {
        own_certificate(&format!(
            "-addext basicConstraints=critical,CA:FALSE {names}"
        ))
    };
    for (options, says) in [
        ("", "only as its common name"),
        (
            "-addext subjectAltName=DNS:b.example,IP:192.0.2.1",
            "but for b.example and 192.0.2.1",
        ),
        (
            "-addext subjectAltName=URI:urn:b",
            "no DNS name or IP address",
        ),
        (
            "-addext subjectAltName=DNS:localhost -addext extendedKeyUsage=clientAuth",
            "not meant for a server",
        ),
    ] {
        let identity = names(options);
        let secure = Secure::start(&Tls::new(identity.clone()));
        let ca = secure.scratch.file("ca.pem", identity.chain_pem());
        secure.refuses(&["--ca", &ca], says);
    }
    let address = names("-addext subjectAltName=DNS:127.0.0.1,DNS:localhost");
    let secure = Secure::start(&Tls::new(address.clone()));
    let ca = secure.scratch.file("ca.pem", address.chain_pem());
    secure.accepts(&["--ca", &ca]);
    let uri = secure.uri("127.0.0.1");
    let outcome = run(&["pub", &uri, "-t", "t", "-n", "-W", "60", "--ca", &ca]);
    assert_eq!(outcome.status, TLS, "{outcome:?}");
    documented(&outcome, &[], "127.0.0.1 only as a DNS name");

    let mut long = Authority::root("Root", KeyKind::P256, Validity::current()).unwrap();
    let root = long.certificate_pem();
    let mut sent = Vec::new();
    for nth in 1..4 {
        long = long
            .intermediate(&format!("CA {nth}"), KeyKind::P256, Validity::current())
            .unwrap();
        sent.insert(0, long.certificate().clone());
    }
    let leaf = long
        .issue(
            &["localhost"],
            Usage::Server,
            KeyKind::P256,
            Validity::current(),
        )
        .unwrap();
    let leaf = Identity::new(
        [&leaf.chain()[..1], &sent[..]].concat(),
        leaf.key().clone_key(),
    );
    let secure = Secure::start(&Tls::new(leaf));
    let ca = secure.scratch.file("ca.pem", root);
    secure.accepts(&["--ca", &ca]);
    secure.refuses(&["--ca", &ca, "--max-chain", "3"], "has 4 certificates");
}

// ---------------------------------------------------------------- what is agreed

/// Like AWS IoT Core on port 443: requires the protocol's name and a client certificate.
#[test]
fn a_broker_that_demands_an_application_protocol() {
    let chain = chain(KeyKind::Rsa2048);
    for version in [Version::Tls12, Version::Tls13] {
        let secure = Secure::start(&Tls {
            versions: vec![version],
            alpn: vec![b"x-amzn-mqtt-ca".to_vec()],
            alpn_required: true,
            client_ca: Some(chain.root.certificate().clone()),
            ..Tls::new(chain.leaf.clone())
        });
        let device = chain
            .root
            .issue(
                &["device"],
                Usage::Client,
                KeyKind::Rsa2048,
                Validity::current(),
            )
            .unwrap();
        let ca = secure.scratch.file("ca.pem", chain.root.certificate_pem());
        let cert = secure.scratch.file("cert.pem", device.chain_pem());
        // A private RSA key, as AWS generates it.
        let key = secure.scratch.file("key.pem", device.key_pem());
        let options = ["--ca", &ca, "--cert", &cert, "--key", &key];
        secure.accepts(&[&options[..], &["--alpn", "x-amzn-mqtt-ca"]].concat());
        let log = secure.front.log();
        let handshake = log.handshakes.last().unwrap();
        assert_eq!(handshake.alpn.as_deref(), Some(&b"x-amzn-mqtt-ca"[..]));
        assert!(handshake.client_certificates > 0);
        secure.refuses(&options, "alert");
        let other = [&options[..], &["--alpn", "mqtt"]].concat();
        assert_eq!(secure.publish(&other).status, TLS);
    }
}

#[test]
fn resumption_may_be_left_out() {
    let help = run(&["pub", "--help"]).stdout;
    for option in [
        "--pin",
        "--alpn",
        "--require-ems",
        "--no-resumption",
        "--max-chain",
    ] {
        assert!(help.contains(option), "{option}");
    }
    let chain = chain(KeyKind::P256);
    let secure = Secure::start(&Tls::new(chain.leaf.clone()));
    let ca = secure.scratch.file("ca.pem", chain.root.certificate_pem());
    secure.accepts(&[
        "--ca",
        &ca,
        "--require-ems",
        "--no-resumption",
        "--tls",
        "1.2",
    ]);
}
