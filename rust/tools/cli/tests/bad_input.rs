//! For every error, the binary says what is wrong and how to fix it, and ends with the status of
//! the stage.
mod common;

use common::{Dns, Scratch, command, outcome, refused, run, uri};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};
use thread_mqtt_test_support::closed::ClosedPort;
use thread_mqtt_testkit::front::{Behaviour, Front};
use thread_mqtt_testkit::peer::host::HostPeer;
use thread_mqtt_testkit::peer::{self, Config};
use thread_mqtt_testkit::pki::{Authority, Chain, KeyKind, Usage, Validity};
use thread_mqtt_testkit::tls::{Tls, Version};

const INPUT: i32 = 1;
const USAGE: i32 = 2;
const PREFIX: i32 = 4;
const RESOLVE: i32 = 5;
const TCP: i32 = 6;
const TLS: i32 = 7;
const MQTT: i32 = 8;
const MESSAGE: i32 = 9;
const TIMED_OUT: i32 = 10;

/// Starts a broker without TLS.
fn broker() -> HostPeer {
    HostPeer::start(Config::new(None), 1).unwrap()
}

/// TLS in front of a broker, and the file with its root certificate.
struct Secure {
    front: Front,
    scratch: Scratch,
    ca: String,
    _broker: HostPeer,
}

impl Secure {
    fn start(chain: &Chain) -> Self {
        Self::with(&Tls::new(chain.leaf.clone()), chain)
    }

    fn with(tls: &Tls, chain: &Chain) -> Self {
        let broker = broker();
        let scratch = Scratch::new();
        Self {
            front: Front::start(tls, broker.address()).unwrap(),
            ca: scratch.file("ca.pem", chain.root.certificate_pem()),
            scratch,
            _broker: broker,
        }
    }

    fn uri(&self) -> String {
        uri("mqtts", self.front.address())
    }
}

fn chain(names: &[&str]) -> Chain {
    Chain::generate(KeyKind::P256, names).unwrap()
}

// -------------------------------------------------------------------- the URI

#[test]
fn uris() {
    for (uri, says) in [
        ("http://broker.example", "the scheme is unknown"),
        ("broker.example", "the scheme is missing"),
        ("mqtts://broker.example:70000", "port"),
        ("mqtts://broker.example:0", "port"),
        ("mqtts://broker.example:", "the port is missing"),
        ("mqtts://", "the host is empty"),
        ("mqtts://:8883", "the host is empty"),
        ("mqtts://256.0.0.1", "IPv4"),
        ("mqtts://[2001:db8::1", "["),
    ] {
        refused(&[uri], USAGE, &[says, uri]);
    }
    // In a list, the one that is wrong is named.
    for (list, wrong) in [
        ("mqtt://ho st", "\"st\""),
        ("mqtt://a,mqtts://", "\"mqtts://\""),
        ("mqtt://a*x|mqtt://b", "\"mqtt://a*x\""),
    ] {
        refused(&[list], USAGE, &[wrong]);
    }
    // A password is never shown, whatever it contains.
    for uri in [
        "mqtts://user:secret@broker.example",
        "mqtts://user:se@c/ret?@broker.example",
    ] {
        for mut arguments in [
            vec!["pub", "-t", "t", "-n"],
            vec!["sub", "-t", "t"],
            vec!["resolve"],
            vec!["doctor"],
        ] {
            arguments.push(uri);
            let outcome = run(&arguments);
            assert_eq!(outcome.status, USAGE, "{outcome:?}");
            let said = &outcome.stderr;
            assert!(
                said.contains("\"mqtts://...@broker.example\": credentials"),
                "{said}"
            );
            assert!(said.contains("-u") && said.contains("--password-file"));
            assert!(!said.contains("ret") && !said.contains("user:"), "{said}");
        }
    }
}

/// Also if the password contains the separators of a broker list, and where no broker is expected.
#[test]
fn no_part_of_a_password_is_shown() {
    let message = ["-t", "t", "-n"];
    for brokers in [
        &["mqtt://127.0.0.1:1,mqtt://anna:sec,ret@h"][..],
        &["mqtt://anna:sec,,ret@h,mqtt://b"],
        &["mqtt://anna:sec|ret@h"],
        &["mqtt://anna:sec ret@h"],
        &["mqtt://anna:sec*ret@h"],
        &["mqtts:/anna:secret@h"],
        &["mqtt://a", "mqtts://anna:secret@h"],
        &["mqtt://a", "anna:se://cret@h"],
        &["-h", "anna:secret@h"],
        &["-h", "[anna]:secret@h"],
        &["-h", "anna@h:1"],
        &["-h", "mqtt://anna:sec ret@h"],
    ] {
        let outcome = run(&[&["pub"], &message[..], brokers].concat());
        assert_eq!(outcome.status, USAGE, "{outcome:?}");
        let said = &outcome.stderr;
        assert!(said.contains("...@h"), "{brokers:?}: {said}");
        for part in ["anna", "sec", "ret@"] {
            assert!(!said.contains(part), "{brokers:?}: {said}");
        }
    }
    let no_command = run(&["mqtt://anna:secret@h"]);
    assert_eq!(no_command.status, USAGE, "{no_command:?}");
    assert!(!no_command.stderr.contains("secret"), "{no_command:?}");
}

#[test]
fn options() {
    let pub_ = |arguments: &str| {
        let mut all = vec!["pub", "mqtt://127.0.0.1:1"];
        all.extend(arguments.split(' '));
        run(&all)
    };
    for (arguments, says) in [
        ("-t topic", "--message"),
        ("-m message", "--topic"),
        ("-t topic -m a -n", "cannot be used"),
        ("-t topic -n -q 3", "from 0 to 2"),
        ("-t topic/# -n", "wildcards"),
        ("-t topic -n -c", "--id"),
        ("-t topic -n -V 3.1.1 -P secret", "user name"),
        ("-t topic -n -f missing.txt", "cannot be used"),
        ("-t topic -n --nat64-prefix 64:ff9b::/95", "RFC 6052"),
        ("-t topic -n --suite TLS_RSA_WITH_AES_128_CBC_SHA", "suite"),
        ("-t topic -n --insecure", "--insecure"),
    ] {
        let outcome = pub_(arguments);
        assert_eq!(outcome.status, USAGE, "{arguments}: {outcome:?}");
        assert!(outcome.stderr.contains(says), "{arguments}: {outcome:?}");
    }
    let unread = pub_("-t topic -f missing.txt");
    assert_eq!(unread.status, INPUT, "{unread:?}");
    assert!(unread.stderr.contains("missing.txt"), "{unread:?}");
    // Not the option that is closest alphabetically.
    let guess = pub_("-t topic -n --quiet").stderr;
    assert!(
        guess.contains("--quiet") && !guess.contains("--suite"),
        "{guess}"
    );
    let guess = pub_("-t topic -n --retian").stderr;
    assert!(guess.contains("--retain"), "{guess}");
    let filter = run(&["sub", "mqtt://127.0.0.1:1", "-t", "a/#/b"]);
    assert_eq!(filter.status, USAGE, "{filter:?}");
    assert!(filter.stderr.contains("topic filter"), "{filter:?}");
}

#[test]
fn help_lists_the_exit_statuses() {
    for arguments in [
        &["--help"][..],
        &["pub", "--help"],
        &["sub", "--help"],
        &["resolve", "--help"],
        &["doctor", "--help"],
    ] {
        let outcome = run(arguments);
        assert_eq!(outcome.status, 0);
        assert!(outcome.stdout.contains("Exit status:"), "{outcome:?}");
    }
}

// ------------------------------------------------------------- names and routes

#[test]
fn unresolvable_name() {
    let dns = Dns::start(&[]).address.to_string();
    let says = &["resolve failed", "does not exist", "check the spelling"];
    refused(
        &["mqtt://nowhere.example", "--dns-server", &dns],
        RESOLVE,
        says,
    );
    let resolve = run(&["resolve", "nowhere.example", "--dns-server", &dns]);
    assert_eq!(resolve.status, RESOLVE, "{resolve:?}");
    assert!(resolve.stderr.contains("does not exist"), "{resolve:?}");
}

#[test]
fn no_nat64_prefix() {
    let dns = Dns::start(&[]).address.to_string();
    for uri in ["mqtt://192.0.2.1", "mqtts://192.0.2.1"] {
        refused(
            &[uri, "--ipv6-only", "--dns-server", &dns],
            PREFIX,
            &[
                "prefix failed",
                "no NAT64 prefix is known",
                "enable NAT64",
                "--nat64-prefix",
            ],
        );
    }
    let resolve = run(&["resolve", "192.0.2.1", "--ipv6-only", "--dns-server", &dns]);
    assert_eq!(resolve.status, PREFIX, "{resolve:?}");
    assert!(resolve.stderr.contains("--nat64-prefix"), "{resolve:?}");
}

#[test]
fn nobody_listens() {
    let closed = ClosedPort::any().unwrap();
    let address = closed.address();
    let dns = Dns::start(&["localhost"]).address.to_string();
    let one = uri("mqtt", address);
    let says = format!("thread-mqtt: {one} at 127.0.0.1: TCP failed");
    refused(
        &[&one, "--dns-server", &dns],
        TCP,
        &[&says, "refused", "listens on this port"],
    );
    // If there are two, both are named.
    let other = format!("mqtt://{address}");
    let before = format!("Earlier: {one} at 127.0.0.1: TCP failed");
    let says = format!("thread-mqtt: {other}: TCP failed");
    refused(
        &[&format!("{one},{other}"), "--dns-server", &dns],
        TCP,
        &[&says, &before],
    );
}

#[test]
fn a_broker_that_says_nothing() {
    let secure = Secure::start(&chain(&["localhost"]));
    secure.front.set_behaviour(Behaviour::Silent);
    let uri = secure.uri();
    let all = [
        "pub", &uri, "--ca", &secure.ca, "-W", "5.5", "-t", "t", "-n",
    ];
    for (qos, left) in [
        ("0", "with 1 message not sent"),
        ("1", "with 1 message not acknowledged"),
    ] {
        let outcome = run(&[&all[..], &["-q", qos]].concat());
        assert_eq!(outcome.status, TIMED_OUT, "{outcome:?}");
        for says in [
            &format!("timed out after 5.5 s in stage TLS, connecting to {uri}"),
            left,
            "check that the broker speaks TLS on this port",
            "more time with --timeout",
        ] {
            assert!(outcome.stderr.contains(says), "{says:?} in {outcome:?}");
        }
    }
}

// ---------------------------------------------------------------- certificates

#[test]
fn ca_file_missing_or_no_certificate() {
    let scratch = Scratch::new();
    let uri = "mqtts://localhost:1";
    refused(
        &[uri, "--ca", "missing.pem"],
        USAGE,
        &["missing.pem", "cannot be read", "check the path"],
    );
    for (name, content) in [
        ("empty.pem", ""),
        ("text.pem", "this is no certificate"),
        (
            "broken.pem",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ),
    ] {
        let ca = scratch.file(name, content);
        refused(&[uri, "--ca", &ca], USAGE, &[name, "certificate"]);
    }
}

#[test]
fn client_key_missing_or_of_another_certificate() {
    let scratch = Scratch::new();
    let chain = chain(&["localhost"]);
    let client = |kind| {
        chain
            .root
            .issue(&["device"], Usage::Client, kind, Validity::current())
            .unwrap()
    };
    let (one, other) = (client(KeyKind::P256), client(KeyKind::P256));
    let ca = scratch.file("ca.pem", chain.root.certificate_pem());
    let cert = scratch.file("cert.pem", one.chain_pem());
    let key = scratch.file("key.pem", other.key_pem());
    let uri = "mqtts://localhost:1";
    refused(
        &[uri, "--ca", &ca, "--cert", &cert, "--key", &key],
        USAGE,
        &[
            "key.pem (--key)",
            "does not belong to the client certificate",
        ],
    );
    refused(
        &[uri, "--ca", &ca, "--cert", &cert, "--key", &ca],
        USAGE,
        &["ca.pem (--key)", "found a certificate"],
    );
    refused(
        &[uri, "--ca", &ca, "--cert", &key, "--key", &key],
        USAGE,
        &["key.pem (--cert)", "found a private key"],
    );
    refused(
        &[uri, "--ca", &key, "--cert", &cert, "--key", &key],
        USAGE,
        &["key.pem (--ca)", "found a private key"],
    );
    refused(&[uri, "--ca", &ca, "--cert", &cert], USAGE, &["--key"]);
    refused(
        &[uri, "--ca", &ca, "--insecure"],
        USAGE,
        &["--insecure is not supported", "--pin"],
    );
}

#[test]
fn wrong_ca() {
    let secure = Secure::start(&chain(&["localhost"]));
    let other = Authority::root("another CA", KeyKind::P256, Validity::current()).unwrap();
    let ca = secure.scratch.file("other.pem", other.certificate_pem());
    let says = format!("with --ca instead of {ca}");
    refused(&[&secure.uri(), "--ca", &ca], TLS, &["TLS failed", &says]);
    let uri = secure.uri();
    for arguments in [vec!["pub", &uri, "-t", "t", "-n"], vec!["doctor", &uri]] {
        let outcome = outcome(command(&arguments).env("SSL_CERT_FILE", &ca));
        assert_eq!(outcome.status, TLS, "{outcome:?}");
        let said = format!("{}{}", outcome.stdout, outcome.stderr);
        let says = format!("no --ca was given, so the CAs of this system are used ({ca})");
        assert!(said.contains(&says) && said.contains("--ca FILE"), "{said}");
    }
}

#[test]
fn expired_and_not_yet_valid() {
    for (validity, says) in [
        (Validity::expired(), "expired"),
        (Validity::not_yet(), "is not valid before"),
    ] {
        let chain =
            Chain::with_validity(KeyKind::P256, &["localhost"], Validity::current(), validity);
        let secure = Secure::start(&chain.unwrap());
        refused(
            &[&secure.uri(), "--ca", &secure.ca],
            TLS,
            &["TLS failed", says],
        );
    }
}

#[test]
fn name_mismatch() {
    let secure = Secure::start(&chain(&["other.example", "192.0.2.1"]));
    refused(
        &[&secure.uri(), "--ca", &secure.ca],
        TLS,
        &["TLS failed", "localhost", "other.example"],
    );
    let by_address = format!("mqtts://127.0.0.1:{}", secure.front.address().port());
    refused(
        &[&by_address, "--ca", &secure.ca],
        TLS,
        &["127.0.0.1", "192.0.2.1"],
    );
}

#[test]
fn client_certificate_demanded() {
    for version in [Version::Tls12, Version::Tls13] {
        let chain = chain(&["localhost"]);
        let tls = Tls {
            versions: vec![version],
            client_ca: Some(chain.root.certificate().clone()),
            ..Tls::new(chain.leaf.clone())
        };
        let secure = Secure::with(&tls, &chain);
        refused(
            &[&secure.uri(), "--ca", &secure.ca],
            TLS,
            &["TLS failed", "certificate", "--cert"],
        );
    }
}

#[test]
fn a_client_certificate_of_a_stranger() {
    let chain = chain(&["localhost"]);
    let stranger = Authority::root("stranger", KeyKind::P256, Validity::current()).unwrap();
    let client = stranger
        .issue(
            &["device"],
            Usage::Client,
            KeyKind::P256,
            Validity::current(),
        )
        .unwrap();
    for version in [Version::Tls12, Version::Tls13] {
        let tls = Tls {
            versions: vec![version],
            client_ca: Some(chain.root.certificate().clone()),
            ..Tls::new(chain.leaf.clone())
        };
        let secure = Secure::with(&tls, &chain);
        let cert = secure.scratch.file("cert.pem", client.chain_pem());
        let key = secure.scratch.file("key.pem", client.key_pem());
        refused(
            &[
                &secure.uri(),
                "--ca",
                &secure.ca,
                "--cert",
                &cert,
                "--key",
                &key,
            ],
            TLS,
            &["TLS failed", "alert"],
        );
    }
}

#[test]
fn nothing_in_common() {
    let chain = chain(&["localhost"]);
    let tls = Tls {
        versions: vec![Version::Tls13],
        ..Tls::new(chain.leaf.clone())
    };
    let secure = Secure::with(&tls, &chain);
    refused(
        &[&secure.uri(), "--ca", &secure.ca, "--tls", "1.2"],
        TLS,
        &["TLS failed", "version", "leave --tls out"],
    );
}

// -------------------------------------------------------------- the wrong port

#[test]
fn a_plain_port_spoken_to_with_tls() {
    let chain = chain(&["localhost"]);
    let secure = Secure::start(&chain);
    secure.front.set_behaviour(Behaviour::Plaintext);
    refused(
        &[&secure.uri(), "--ca", &secure.ca],
        TLS,
        &["TLS failed", "plain"],
    );
    secure
        .front
        .set_behaviour(Behaviour::Reply(b"HTTP/1.1 400 Bad Request\r\n\r\n".into()));
    refused(
        &[&secure.uri(), "--ca", &secure.ca],
        TLS,
        &["does not speak TLS", "HTTP"],
    );
}

#[test]
fn a_tls_port_spoken_to_in_the_clear() {
    let secure = Secure::start(&chain(&["localhost"]));
    refused(
        &[&uri("mqtt", secure.front.address())],
        MQTT,
        &["the broker speaks TLS on this port", "use mqtts://"],
    );
}

/// Reported in the same way as with TLS; only the first byte received is known.
#[test]
fn another_service_has_the_port() {
    for (greeting, says) in [
        (
            "HTTP/1.1 400 Bad Request\r\n\r\n",
            "like a web server (HTTP)",
        ),
        ("SSH-2.0-OpenSSH_9.2p1\r\n", "like an SSH server"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let uri = uri("mqtt", listener.local_addr().unwrap());
        thread::spawn(move || {
            for tcp in listener.incoming() {
                let mut tcp = tcp.unwrap();
                let _ = tcp.write_all(greeting.as_bytes());
                let _ = tcp.read(&mut [0; 100]);
            }
        });
        refused(&[&uri], MQTT, &["does not speak MQTT", says, "the port"]);
        let doctor = run(&["doctor", &uri]);
        assert!(doctor.stdout.contains(says), "{doctor:?}");
    }
}

/// The cure names the missing options, not those that were given.
#[test]
fn a_broker_that_refuses_the_user() {
    let broker = broker();
    broker
        .server()
        .configure(|config| config.refuse = Some(0x87));
    let uri = uri("mqtt", broker.address());
    for (options, says) in [
        (&[][..], "with -u and its password with --password-file"),
        (&["-u", "me"], "if this user has a password"),
        (&["-u", "me", "-P", "x"], "check -u, the password"),
        (
            &["-P", "x"],
            "the user name that belongs to the password with -u",
        ),
    ] {
        let mut arguments = vec![&*uri];
        arguments.extend(options);
        refused(&arguments, MQTT, &["not authorized", says]);
    }
}

#[test]
fn closed_in_the_handshake() {
    let secure = Secure::start(&chain(&["localhost"]));
    for behaviour in [Behaviour::CloseInHandshake, Behaviour::CloseOnAccept] {
        secure.front.set_behaviour(behaviour.clone());
        refused(
            &[&secure.uri(), "--ca", &secure.ca],
            TLS,
            &["TLS failed", "closed the connection", "What to do"],
        );
    }
}

// ------------------------------------------------------------------------ MQTT

#[test]
fn every_connack_code() {
    let v311 = (1..=5).map(|code| ("3.1.1", code));
    let v5 = [
        0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95, 0x97,
        0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9f,
    ];
    let broker = broker();
    let uri = uri("mqtt", broker.address());
    let mut sentences = Vec::new();
    for (version, code) in v311.chain(v5.map(|code| ("5", code))) {
        broker
            .server()
            .configure(|config| config.refuse = Some(code));
        let outcome = run(&["pub", &uri, "-V", version, "-t", "t", "-n", "-W", "60"]);
        assert_eq!(outcome.status, MQTT, "{version} {code}: {outcome:?}");
        let number = format!("CONNACK code {code}");
        assert!(outcome.stderr.contains(&number), "{outcome:?}");
        sentences.push(outcome.stderr);
    }
    sentences.sort();
    sentences.dedup();
    assert_eq!(sentences.len(), 26, "each code has a sentence of its own");
}

#[test]
fn closed_instead_of_connack() {
    let broker = HostPeer::start(
        Config {
            faults: vec![peer::Fault::CloseAfterReceived(1)],
            ..Config::new(None)
        },
        1,
    );
    let broker = broker.unwrap();
    refused(
        &[&uri("mqtt", broker.address())],
        MQTT,
        &["instead of answering CONNECT", "mqtts://"],
    );
}

#[test]
fn a_message_larger_than_the_broker_allows() {
    let broker = HostPeer::start(
        Config {
            max_packet_size: 1000,
            ..Config::new(None)
        },
        1,
    );
    let broker = broker.unwrap();
    let scratch = Scratch::new();
    let file = scratch.file("large", vec![b'x'; 2000]);
    let uri = uri("mqtt", broker.address());
    let outcome = run(&["pub", &uri, "-t", "t", "-f", &file, "-q", "1", "-W", "60"]);
    assert_eq!(outcome.status, MESSAGE, "{outcome:?}");
    assert!(outcome.stderr.contains("at most 1000"), "{outcome:?}");
    assert!(
        outcome.stderr.contains("send smaller messages"),
        "{outcome:?}"
    );
    // Others are not delayed by it.
    assert_eq!(broker.log().published.len(), 0);
}

/// Starts a broker for one connection that answers each packet according to its first byte and
/// body, until the client closes. Returns its address, and the first bytes of the packets that it
/// received.
fn answering(answer: fn(u8, &[u8]) -> Vec<u8>) -> (String, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = uri("mqtt", listener.local_addr().unwrap());
    let broker = thread::spawn(move || {
        let (mut tcp, _) = listener.accept().unwrap();
        let mut seen = Vec::new();
        let mut header = [0; 2];
        while tcp.read_exact(&mut header).is_ok() {
            // The length of every packet here fits into one byte.
            let mut body = vec![0; header[1].into()];
            tcp.read_exact(&mut body).unwrap();
            seen.push(header[0]);
            let _ = tcp.write_all(&answer(header[0], &body));
        }
        seen
    });
    (uri, broker)
}

/// Mosquitto's access lists grant every subscription; this broker refuses the second filter.
#[test]
fn a_subscription_that_the_broker_refuses() {
    let (uri, broker) = answering(|control, body| match control {
        0x10 => vec![0x20, 2, 0, 0],
        0x82 => vec![0x90, 4, body[0], body[1], 0, 0x80],
        _ => Vec::new(),
    });
    let outcome = run(&[
        "sub", &uri, "-V", "3.1.1", "-t", "allowed", "-t", "secret/#", "-W", "60",
    ]);
    assert_eq!(outcome.status, MESSAGE, "{outcome:?}");
    assert!(outcome.stderr.contains("secret/#"), "{outcome:?}");
    assert!(!outcome.stderr.contains("allowed"), "{outcome:?}");
    // CONNECT, SUBSCRIBE, and a graceful DISCONNECT.
    assert_eq!(broker.join().unwrap(), [0x10, 0x82, 0xe0]);
}

#[test]
fn a_subscription_that_the_broker_lowers() {
    let (uri, broker) = answering(|control, body| match control {
        0x10 => vec![0x20, 3, 0, 0, 0],
        0x82 => [
            &[0x90, 5, body[0], body[1], 0, 1, 2][..],
            // Two QoS 0 messages.
            &[0x30, 5, 0, 1, b't', 0, b'x', 0x30, 5, 0, 1, b't', 0, b'y'],
        ]
        .concat(),
        _ => Vec::new(),
    });
    let outcome = run(&[
        "sub", &uri, "-t", "low", "-t", "high", "-q", "2", "-C", "2", "-W", "60",
    ]);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert_eq!(outcome.stdout, "x\ny\n");
    let said = "thread-mqtt: the broker granted only QoS 1 for low.\n";
    assert_eq!(outcome.stderr, said);
    broker.join().unwrap();
}

/// The Reason String of MQTT 5, in each packet that ends a command. A terminal must not interpret
/// it.
#[test]
fn what_the_broker_says_is_shown() {
    const SAID: &[u8; 13] = b"\x1f\0\x0aask \x1b[2J A";
    let says = "  The broker says: \"ask \\u{1b}[2J A\"\n";
    let (refusing, _) = answering(|_, _| [&[0x20, 16, 0, 0x87, 13][..], SAID].concat());
    let (closing, _) = answering(|control, _| match control {
        0x10 => vec![0x20, 3, 0, 0, 0],
        _ => [&[0xE0, 15, 0x97, 13][..], SAID].concat(),
    });
    let answer = |control, body: &[u8]| match control {
        0x10 => vec![0x20, 3, 0, 0, 0],
        // After a topic of one letter.
        0x32 => [&[0x40, 17, body[3], body[4], 0x87, 13][..], SAID].concat(),
        0x82 => [&[0x90, 17, body[0], body[1], 13][..], SAID, &[0x87]].concat(),
        _ => Vec::new(),
    };
    let (one, _) = answering(answer);
    for (uri, status, timeout) in [
        (refusing, MQTT, "60"),
        (closing, TIMED_OUT, "5"),
        (one, MESSAGE, "60"),
    ] {
        let outcome = run(&["pub", &uri, "-t", "t", "-n", "-q", "1", "-W", timeout]);
        assert_eq!(outcome.status, status, "{outcome:?}");
        assert!(outcome.stderr.contains(says), "{outcome:?}");
    }
    let (uri, _) = answering(|_, _| [&[0x20, 16, 0, 0x87, 13][..], SAID].concat());
    let outcome = run(&["doctor", &uri, "-W", "60"]);
    assert_eq!(outcome.status, MQTT, "{outcome:?}");
    let noted = "        broker says  \"ask \\u{1b}[2J A\"\n";
    assert!(outcome.stdout.contains(noted), "{outcome:?}");
    let (uri, _) = answering(answer);
    let outcome = run(&["sub", &uri, "-t", "t", "-W", "60"]);
    assert_eq!(outcome.status, MESSAGE, "{outcome:?}");
    assert!(outcome.stderr.contains(says), "{outcome:?}");
}

/// One connection after the other, each with a different MQTT version.
#[test]
fn a_broker_that_takes_neither_version() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = uri("mqtt", listener.local_addr().unwrap());
    thread::spawn(move || {
        for tcp in listener.incoming() {
            let mut tcp = tcp.unwrap();
            let _ = tcp.read(&mut [0; 100]);
            let _ = tcp.write_all(&[0x20, 2, 0, 1]);
            // Until the client closes.
            let _ = tcp.read(&mut [0; 100]);
        }
    });
    let cure = "use MQTT 3.1.1 instead of 5: --mqtt 3.1.1, or --fallback";
    refused(&[&uri], MQTT, &[cure]);
    refused(
        &[&uri, "-V", "3.1.1"],
        MQTT,
        &["use MQTT 5 instead of 3.1.1: --mqtt 5"],
    );
    refused(&[&uri, "--fallback"], MQTT, &["neither MQTT version"]);
    let will = ["--will-topic", "w", "--will-content-type", "a/b"];
    let command = [&[&*uri, "--fallback"], &will[..]].concat();
    refused(&command, MQTT, &["--will-content-type", "is not possible"]);
}

#[test]
fn a_broker_that_points_to_what_cannot_be_followed() {
    type Answer = fn(u8, &[u8]) -> Vec<u8>;
    let (uri, _) =
        answering(|_, _| [&[0x20, 16, 0, 0x9C, 13, 0x1C, 0, 10][..], b"http://foo"].concat());
    refused(
        &[&uri],
        MQTT,
        &[
            "use another broker",
            "if this is another broker",
            "\"http://foo\"",
        ],
    );
    // No reference, and an empty one.
    let unnamed: [(Answer, &str); 3] = [
        (|_, _| vec![0x20, 3, 0, 0x9C, 0], "give another broker"),
        (
            |_, _| vec![0x20, 6, 0, 0x9C, 3, 0x1C, 0, 0],
            "give another broker",
        ),
        (
            |_, _| vec![0x20, 3, 0, 0x9D, 0],
            "give the broker's new address",
        ),
    ];
    for (answer, cure) in unnamed {
        let (uri, _) = answering(answer);
        refused(&[&uri], MQTT, &[cure, "does not say which"]);
    }
}
