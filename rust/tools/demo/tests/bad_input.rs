//! For every error, the demo prints the cause and the cure in two sentences, and exits with a
//! nonzero status.
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use thread_mqtt_test_support::closed::ClosedPort;
use thread_mqtt_testkit::fixed::Fixed;
use thread_mqtt_testkit::front::{Behaviour, Front};
use thread_mqtt_testkit::peer::host::HostPeer;
use thread_mqtt_testkit::peer::{Config, Fault};
use thread_mqtt_testkit::pki::{Chain, KeyKind, Validity};
use thread_mqtt_testkit::tls::Tls;

/// Runs the demo, expects it to fail at this stage, and returns its two sentences.
fn fails(stage: &str, arguments: &[&str]) -> (String, String) {
    fails_with(&[], stage, arguments)
}

/// Same as [`fails`], with these environment variables.
fn fails_with(environment: &[(&str, &str)], stage: &str, arguments: &[&str]) -> (String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_thread-mqtt-demo"))
        .args(arguments)
        .envs(environment.iter().copied())
        .arg("--json")
        .stdin(Stdio::null())
        .output()
        .expect("the demo runs");
    let stderr = String::from_utf8(output.stderr).unwrap();
    // As in --help: 2 for unusable options, which are reported before the world is created.
    let is_unusable = stage == "setup" && environment.iter().all(|(name, _)| *name != "TMPDIR");
    let status = if is_unusable { 2 } else { 1 };
    assert_eq!(
        output.status.code(),
        Some(status),
        "{arguments:?}: {stderr}"
    );
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    let part = |name: &str| value["error"][name].as_str().unwrap().to_owned();
    let (cause, cure) = (part("cause"), part("cure"));
    assert_eq!(value["ok"], false);
    assert_eq!(part("stage"), stage, "{cause} {cure}");
    for sentence in [&cause, &cure] {
        assert!(sentence.ends_with('.') && sentence.len() > 12, "{sentence}");
        assert!(
            sentence.starts_with(|first: char| !first.is_lowercase()),
            "{sentence}"
        );
        assert!(stderr.contains(sentence.as_str()), "{stderr}");
    }
    assert!(!stderr.contains("panicked"), "{stderr}");
    (cause, cure)
}

fn assert_tells(told: &(String, String), cause: &str, cure: &str) {
    assert!(told.0.contains(cause), "{cause} is not in: {}", told.0);
    assert!(told.1.contains(cure), "{cure} is not in: {}", told.1);
}

struct TempFile(PathBuf);

impl TempFile {
    fn new(name: &str, content: &[u8]) -> Self {
        let path =
            std::env::temp_dir().join(format!("thread-mqtt-bad-{}-{name}", std::process::id()));
        std::fs::write(&path, content).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).ok();
    }
}

fn fixed_root() -> TempFile {
    let thread = format!("{:?}-root.pem", std::thread::current().id());
    TempFile::new(&thread, Fixed::Rsa2048.root_pem().as_bytes())
}

fn mqtts(host: &str, address: SocketAddr) -> String {
    format!("mqtts://{host}:{}", address.port())
}

/// Starts a plain broker that closes the first connection, accepts the second and answers SUBSCRIBE
/// if `grants`.
fn broker_that_falls_silent(grants: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("mqtt://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        drop(listener.accept().unwrap());
        let (mut stream, _) = listener.accept().unwrap();
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            let answer = match &buffer[..count] {
                [0x10, ..] => &[0x20, 3, 0, 0, 0][..],
                [0x82, _, high, low, ..] if grants => &[0x90, 4, *high, *low, 0, 0],
                _ => &[],
            };
            stream.write_all(answer).unwrap();
        }
    });
    uri
}

#[test]
fn a_failure_that_was_repaired_is_not_the_reason() {
    let run = |grants, stage, more: &[&str]| {
        let uri = broker_that_falls_silent(grants);
        let arguments = ["--broker", &uri, "--retry", "--timeout", "20"];
        fails(stage, &[&arguments, more].concat())
    };
    // They run in real time, because the broker is on this machine.
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let told = run(false, "subscribed", &[]);
            assert_tells(
                &told,
                "\"subscribed\" was not reached within 20 s",
                "--timeout",
            );
        });
        let told = run(true, "messages", &["--qos", "0"]);
        assert_tells(&told, "0 of 5 messages came back within 20 s", "--qos 1");
        assert_tells(
            &told,
            "with QoS 0 a lost message is not sent again",
            "--loss",
        );
    });
}

#[test]
fn a_folder_for_temporary_files_that_is_none() {
    let told = fails_with(&[("TMPDIR", "/dev/null")], "setup", &[]);
    assert_tells(&told, "o file can be created in /dev/null", "TMPDIR");
}

#[test]
fn polls_that_are_too_rare() {
    for (poll, stage, cause) in [
        ("60000", "dns", "no answer"),
        ("20000", "connack", "in time"),
    ] {
        let told = fails(stage, &["--sleepy", poll, "--peer", "virtual"]);
        assert_tells(&told, cause, &format!("with --sleepy {poll}"));
    }
}

#[test]
fn uris() {
    for (uri, cause, cure) in [
        ("http://broker.example.com", "scheme is unknown", "mqtts://"),
        ("broker.example.com", "scheme is missing", "mqtts://"),
        ("mqtts://broker.example.com:70000", "port", "65535"),
        ("mqtts://broker.example.com:0", "port", "65535"),
        ("mqtts://", "host is empty", "name"),
        ("mqtts://:8883", "host is empty", "name"),
    ] {
        assert_tells(&fails("setup", &["--broker", uri]), cause, cure);
    }
}

/// Neither in its sentences nor in JSON.
#[test]
fn a_password_is_not_shown() {
    for arguments in [&[][..], &["--json"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_thread-mqtt-demo"))
            .args(["--broker", "mqtt://user:secret@127.0.0.1:1"])
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        assert!(said.contains("mqtt://...@127.0.0.1:1"), "{said}");
        assert!(said.contains("--username and --password"), "{said}");
        assert!(
            !said.contains("user:") && !said.contains("secret"),
            "{said}"
        );
    }
}

#[test]
fn names_and_prefixes() {
    // The world's DNS reports it; this machine's resolver is not asked.
    let told = fails(
        "dns",
        &[
            "--broker",
            "mqtt://no-such-host.example",
            "--peer",
            "virtual",
        ],
    );
    assert_tells(&told, "does not exist", "spelling");

    let told = fails("prefix", &["--no-nat64", "--timeout", "100"]);
    assert_tells(&told, "NAT64", "nat64 enable");
    // Retrying does not hide the reason.
    let told = fails(
        "prefix",
        &[
            "--no-nat64",
            "--timeout",
            "60",
            "--retry",
            "--peer",
            "virtual",
        ],
    );
    assert_tells(&told, "NAT64", "nat64 enable");
}

#[test]
fn certificates() {
    let chain = Chain::generate(KeyKind::P256, &["localhost", "127.0.0.1"]).unwrap();
    let stranger = TempFile::new("stranger.pem", chain.root.certificate_pem().as_bytes());
    let told = fails("tls", &["--ca", stranger.path()]);
    assert_tells(&told, "certificate", "CA");

    let expired = Chain::with_validity(
        KeyKind::P256,
        &["localhost", "127.0.0.1"],
        Validity::current(),
        Validity::expired(),
    )
    .unwrap();
    let expired_root = TempFile::new(
        "expired-root.pem",
        expired.root.certificate_pem().as_bytes(),
    );
    let front = front(&expired.leaf);
    let uri = mqtts("127.0.0.1", front.address());
    let told = fails("tls", &["--broker", &uri, "--ca", expired_root.path()]);
    assert_tells(&told, "expired", "enew");

    let other = Chain::generate(KeyKind::P256, &["other.example.com"]).unwrap();
    let other_root = TempFile::new("other-root.pem", other.root.certificate_pem().as_bytes());
    let front = self::front(&other.leaf);
    let uri = mqtts("127.0.0.1", front.address());
    let told = fails("tls", &["--broker", &uri, "--ca", other_root.path()]);
    assert_tells(&told, "other.example.com", "");
}

/// Returns a front without a broker behind it: sufficient for failures before MQTT.
fn front(leaf: &thread_mqtt_testkit::pki::Identity) -> Front {
    let nobody = SocketAddr::from(([127, 0, 0, 1], 9));
    Front::start(&Tls::new(leaf.clone()), nobody).unwrap()
}

#[test]
fn ca_files() {
    let told = fails("setup", &["--ca", "/no/such/file.pem"]);
    assert_tells(&told, "/no/such/file.pem", "--ca");
    for content in [
        &b"no certificate at all"[..],
        b"",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        let file = TempFile::new(&format!("ca-{}.pem", content.len()), content);
        assert_tells(
            &fails("setup", &["--ca", file.path()]),
            "ertificate",
            "--ca",
        );
    }
}

#[test]
fn a_system_without_certificates() {
    let empty = TempFile::new("empty.pem", b"");
    let output = Command::new(env!("CARGO_BIN_EXE_thread-mqtt-demo"))
        .args(["--broker", "mqtts://localhost"])
        .env("SSL_CERT_FILE", empty.path())
        .env("SSL_CERT_DIR", "/no/such/folder")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.contains("no CA certificates") && stderr.contains("--ca FILE"),
        "{stderr}"
    );
}

#[test]
fn every_refusal_of_connect() {
    let root = fixed_root();
    let tls = Tls::new(Fixed::Rsa2048.server());
    let peer = HostPeer::start(Config::new(Some(tls)), 1).unwrap();
    let uri = mqtts("localhost", peer.address());
    let refused = |mqtt: &str, code: u8| {
        peer.server().configure(|config| config.refuse = Some(code));
        let told = fails(
            "connack",
            &["--broker", &uri, "--ca", root.path(), "--mqtt", mqtt],
        );
        assert_tells(&told, "refused", "");
        told
    };
    let mut told: Vec<_> = (1..=5).map(|code| refused("3.1.1", code)).collect();
    assert_tells(&told[3], "password", "");
    told.dedup();
    assert_eq!(told.len(), 5, "each code has sentences of its own");
    for code in [0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x97, 0x9f] {
        refused("5", code);
    }
}

#[test]
fn brokers_that_close() {
    let root = fixed_root();
    let config = Config {
        faults: vec![Fault::CloseAfterReceived(1)],
        ..Config::new(Some(Tls::new(Fixed::Rsa2048.server())))
    };
    let peer = HostPeer::start(config, 1).unwrap();
    let uri = mqtts("127.0.0.1", peer.address());
    let told = fails("tls", &["--broker", &uri, "--ca", root.path()]);
    assert_tells(&told, "closed the connection", "TLS");

    // No server is listening.
    let closed = ClosedPort::any().unwrap();
    let uri = format!("mqtt://{}", closed.address());
    assert_tells(&fails("tcp", &["--broker", &uri]), "refused", "listens");
}

#[test]
fn tls_and_plaintext_mixed_up() {
    let root = fixed_root();
    // TLS to a plain broker: it treats the ClientHello as a malformed packet, and closes.
    let plain = HostPeer::start(Config::new(None), 1).unwrap();
    let uri = mqtts("127.0.0.1", plain.address());
    let told = fails("tls", &["--broker", &uri, "--ca", root.path()]);
    assert_tells(&told, "closed the connection", "TLS");
    // TLS to a web server.
    let front = front(&Fixed::Rsa2048.server());
    front.set_behaviour(Behaviour::Reply(
        b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
    ));
    let uri = mqtts("127.0.0.1", front.address());
    let told = fails("tls", &["--broker", &uri, "--ca", root.path()]);
    assert_tells(&told, "HTTP", "8883");
    // Plain MQTT to a TLS port.
    let secure = HostPeer::start(Config::new(Some(Tls::new(Fixed::Rsa2048.server()))), 1).unwrap();
    let uri = format!("mqtt://127.0.0.1:{}", secure.address().port());
    let told = fails("connack", &["--broker", &uri]);
    assert_tells(&told, "TLS", "mqtts://");
}

#[test]
fn messages_that_are_too_large_and_topics_that_are_none() {
    let told = fails("first publish", &["--size", "300000"]);
    assert_tells(&told, "accepts at most 262144", "smaller");
    let told = fails("first publish", &["--size", "300000", "--mqtt", "3.1.1"]);
    assert_tells(&told, "closed", "--size below 300000");
    for (topic, cause, cure) in [
        ("a/#", "wildcards", "without + and #"),
        ("a/+/b", "wildcards", "without + and #"),
        ("", "the topic is empty", "at least one character"),
        ("$share/g", "begin with $", "another character"),
        ("$SYS/uptime", "begin with $", "another character"),
    ] {
        let told = fails("setup", &["--topic", topic]);
        assert_tells(&told, cause, cure);
        assert_tells(&told, &format!("{topic:?}"), "--topic");
    }
}

#[test]
fn too_little_time() {
    let told = fails("attached", &["--timeout", "1", "--peer", "virtual"]);
    assert_tells(&told, "within 1 s", "--timeout");
}

#[test]
fn files_that_cannot_be_written() {
    let told = fails("setup", &["--pcap", "/no/such/folder/run.pcap"]);
    assert_tells(&told, "/no/such/folder/run.pcap", "--pcap");
    let told = fails("setup", &["--plot", "/no/such/folder/run.svg"]);
    assert_tells(&told, "/no/such/folder/run.svg", "--plot");
    let told = fails("setup", &["--keylog", "/"]);
    assert_tells(&told, "TLS secrets", "--keylog");
}

/// Existing files are not overwritten, and neither is the output of another option.
#[test]
fn files_of_their_own() {
    let file = TempFile::new("once", b"before");
    let link = std::env::temp_dir().join(format!("thread-mqtt-link-{}", std::process::id()));
    std::os::unix::fs::symlink(file.path(), &link).unwrap();
    let new = std::env::temp_dir().join("thread-mqtt-not-there");
    let other = std::env::temp_dir().join("./thread-mqtt-not-there");
    for (one, two) in [
        (file.path(), link.to_str().unwrap()),
        (new.to_str().unwrap(), other.to_str().unwrap()),
    ] {
        for (first, second) in [
            ("--pcap", "--plot"),
            ("--pcap", "--keylog"),
            ("--keylog", "--plot"),
            ("--ca", "--plot"),
        ] {
            let told = fails("setup", &[first, one, second, two]);
            assert_tells(
                &told,
                &format!("{first} and {second} name the same file"),
                second,
            );
        }
    }
    // The environment names a file as well.
    let keylog = [("SSLKEYLOGFILE", file.path())];
    let told = fails_with(&keylog, "setup", &["--pcap", file.path()]);
    assert_tells(
        &told,
        "--pcap and SSLKEYLOGFILE name the same file",
        "SSLKEYLOGFILE",
    );
    assert_eq!(std::fs::read(file.path()).unwrap(), b"before");
    assert!(!new.exists());
    std::fs::remove_file(link).unwrap();
}

#[test]
fn users_and_passwords() {
    for password in [&[][..], &["--password", ""]] {
        let told = fails("setup", &[&["--username", "u"], password].concat());
        assert_tells(&told, "requires a password", "Give --password");
    }
    let told = fails("setup", &["--password", "p", "--mqtt", "3.1.1"]);
    assert_tells(&told, "without a user name", "Give --username");
    for name in ["", "a:b"] {
        let told = fails("setup", &["--username", name, "--password", "p"]);
        assert_tells(&told, "--username", "--username");
    }
}

#[test]
fn options_of_tls_need_tls() {
    for (option, value) in [("--ca", "ca.pem"), ("--tls", "1.3"), ("--keylog", "keys")] {
        let told = fails("setup", &["--broker", "mqtt://127.0.0.1:1", option, value]);
        assert_tells(&told, &format!("{option} is a TLS option"), "mqtts://");
    }
}

/// Errors in the command line itself exit with status 2 and the reason.
#[test]
fn options_out_of_range() {
    for (option, value, range) in [
        ("--qos", "3", "from 0 to 2"),
        ("--messages", "0", "from 1 to 10000"),
        ("--messages", "many", "from 1 to 10000"),
        ("--size", "-1", "from 0 to 4000000"),
        ("--hops", "99", "from 0 to "),
        ("--sleepy", "5", "from 10 to 240000"),
        ("--seed", "-1", "from 0 to 18446744073709551615"),
        ("--timeout", "0", "from 1 to 86400"),
        ("--loss", "-1", "from 0 to 100"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_thread-mqtt-demo"))
            .args([option, value])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{option} {value}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(option), "{said}");
        assert!(
            said.contains(range) && said.contains("for example"),
            "{said}"
        );
    }
    for arguments in [
        &["--qos", "3"][..],
        &["--loss", "101"],
        &["--hops", "99"],
        &["--messages", "0"],
        &["--tls", "1.1"],
        &["--mqtt", "4"],
        &["--sleepy", "1"],
        &["--no-such-option"],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_thread-mqtt-demo"))
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty());
    }
}
