//! Against an independent broker: Debian's mosquitto, as a child process on loopback.
mod common;

use common::mosquitto::{Mosquitto, publish, subscriber};
use common::{Scratch, run, run_with_input};
use std::process::Command;
use thread_mqtt_testkit::pki::{Chain, KeyKind, Usage, Validity};

const NAMES: [&str; 2] = ["localhost", "127.0.0.1"];

/// Publishes in both versions of MQTT and at every QoS, in both directions.
fn there_and_back(connection: &[&str], tls: Option<&str>) {
    for version in ["3.1.1", "5"] {
        let mut options = connection.to_vec();
        options.extend(["-V", version]);
        let mut sub = options.clone();
        sub.extend(["-t", "m/#", "-q", "2", "-v", "-C", "3"]);
        let subscriber = subscriber(&sub);
        for qos in ["0", "1", "2"] {
            let mut all = vec!["pub", "-d", "-W", "60", "-t", "m/t", "-m", qos, "-q", qos];
            all.extend(&options);
            let outcome = run(&all);
            assert_eq!(outcome.status, 0, "{version} QoS {qos}: {outcome:?}");
            if let Some(tls) = tls {
                assert!(outcome.stderr.contains(tls), "{outcome:?}");
            }
            assert_eq!(subscriber.line(), format!("m/t {qos}"));
        }
        assert_eq!(subscriber.status(), 0);
    }
}

#[test]
fn plain_tcp() {
    let broker = Mosquitto::plain();
    there_and_back(&[&broker.uri("mqtt")], None);
    // With the option names of mosquitto_pub, and an address instead of a name.
    let port = broker.port.to_string();
    there_and_back(&["-h", "127.0.0.1", "-p", &port], None);
}

fn tls_there_and_back(kind: KeyKind, protocol: &'static str, says: &str) {
    let chain = Chain::generate(kind, &NAMES).unwrap();
    let (broker, ca) = Mosquitto::tls(&chain, protocol, "");
    there_and_back(&[&broker.uri("mqtts"), "--ca", &ca], Some(says));
    let by_address = format!("mqtts://127.0.0.1:{}", broker.port);
    publish(&[&by_address, "--ca", &ca, "-t", "t", "-n"]);
}

#[test]
fn tls12_rsa() {
    tls_there_and_back(KeyKind::Rsa2048, "TLSv1.2", "TLS 1.2");
}

#[test]
fn tls12_ecdsa() {
    tls_there_and_back(KeyKind::P256, "TLSv1.2", "TLS 1.2");
}

#[test]
fn tls13_rsa() {
    tls_there_and_back(KeyKind::Rsa2048, "TLSv1.3", "TLS 1.3");
}

#[test]
fn tls13_ecdsa() {
    tls_there_and_back(KeyKind::P256, "TLSv1.3", "TLS 1.3");
}

#[test]
fn one_suite_and_one_group() {
    let chain = Chain::generate(KeyKind::Rsa2048, &NAMES).unwrap();
    let (broker, ca) = Mosquitto::tls(&chain, "TLSv1.2", "");
    let uri = broker.uri("mqtts");
    for suite in [
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-RSA-CHACHA20-POLY1305",
    ] {
        for group in ["secp256r1", "x25519"] {
            publish(&[
                &uri, "--ca", &ca, "--suite", suite, "--tls", "1.2", "--group", group, "-t", "t",
                "-n",
            ]);
        }
    }
}

#[test]
fn mutual_tls_with_an_ec_key() {
    for protocol in ["TLSv1.2", "TLSv1.3"] {
        let chain = Chain::generate(KeyKind::Rsa2048, &NAMES).unwrap();
        let client = chain
            .root
            .issue(
                &["device"],
                Usage::Client,
                KeyKind::P256,
                Validity::current(),
            )
            .unwrap();
        let more = "require_certificate true";
        let (broker, ca) = Mosquitto::tls(&chain, protocol, more);
        let cert = broker.scratch.file("client.pem", client.chain_pem());
        let key = broker.scratch.file("client.key.pem", client.key_pem());
        let uri = broker.uri("mqtts");
        publish(&[
            &uri, "--ca", &ca, "--cert", &cert, "--key", &key, "-t", "t", "-n", "-q", "1",
        ]);
        let without = run(&["pub", &uri, "--ca", &ca, "-t", "t", "-n", "-W", "60"]);
        assert_eq!(without.status, 7, "{protocol}: {without:?}");
        assert!(without.stderr.contains("certificate"), "{without:?}");
    }
}

#[test]
fn a_subscriber_outlives_the_brokers_restart() {
    for version in ["3.1.1", "5"] {
        let mut broker = Mosquitto::plain();
        let uri = broker.uri("mqtt");
        let sub = subscriber(&[&uri, "-V", version, "-t", "t", "-q", "1"]);
        publish(&[&uri, "-t", "t", "-m", "before", "-q", "1"]);
        assert_eq!(sub.line(), "before");
        broker.kill();
        sub.wait_for_error("next attempt");
        broker.revive();
        sub.wait_for_error("online");
        // When the retained message arrives, the subscription is active again, whichever was first.
        publish(&[&uri, "-t", "t", "-m", "after", "-q", "1", "-r"]);
        assert_eq!(sub.line(), "after");
        sub.kill();
    }
}

#[test]
fn retained_messages() {
    let broker = Mosquitto::plain();
    let uri = broker.uri("mqtt");
    publish(&[&uri, "-t", "state", "-m", "kept", "-r", "-q", "1"]);
    let kept = run(&["sub", &uri, "-t", "state", "-C", "1", "-W", "60"]);
    assert_eq!((kept.status, kept.stdout.as_str()), (0, "kept\n"));
    publish(&[&uri, "-t", "state", "-n", "-r", "-q", "1"]);
    publish(&[&uri, "-t", "other", "-m", "marker", "-r", "-q", "1"]);
    let gone = run(&["sub", &uri, "-t", "#", "-C", "1", "-v", "-W", "60"]);
    assert_eq!(gone.stdout, "other marker\n");
}

#[test]
fn the_will_of_a_client_that_vanishes() {
    let broker = Mosquitto::plain();
    let uri = broker.uri("mqtt");
    let watcher = subscriber(&[&uri, "-t", "will/#", "-v", "-q", "2"]);
    let will = |topic| {
        let options = [
            "--will-topic",
            topic,
            "--will-payload",
            "gone",
            "--will-qos",
            "1",
        ];
        let mut all = vec![uri.as_str(), "-t", "unused", "-C", "1"];
        all.extend(options);
        subscriber(&all)
    };
    // A graceful disconnect: the will is not published.
    let good = will("will/good");
    publish(&[&uri, "-t", "unused", "-n"]);
    assert_eq!(good.status(), 0);
    // The same if the user interrupts it.
    let interrupted = will("will/interrupted");
    interrupted.interrupt();
    assert_eq!(interrupted.status(), 0);
    will("will/bad").kill();
    assert_eq!(watcher.line(), "will/bad gone");
}

#[test]
fn a_persistent_session_receives_what_came_meanwhile() {
    for version in ["3.1.1", "5"] {
        let broker = Mosquitto::plain();
        let uri = broker.uri("mqtt");
        let options = [
            uri.as_str(),
            "-V",
            version,
            "-c",
            "-i",
            "device",
            "-t",
            "t",
            "-q",
            "1",
            "-C",
            "1",
        ];
        let first = subscriber(&options);
        publish(&[&uri, "-t", "t", "-m", "one", "-q", "1"]);
        assert_eq!((first.line(), first.status()), ("one".to_owned(), 0));
        publish(&[&uri, "-t", "t", "-m", "two", "-q", "1"]);
        let mut again = vec!["sub", "-W", "60"];
        again.extend(options);
        assert_eq!(run(&again).stdout, "two\n", "{version}");
    }
}

#[test]
fn a_large_message_through_tls() {
    let chain = Chain::generate(KeyKind::P256, &NAMES).unwrap();
    let (broker, ca) = Mosquitto::tls(&chain, "TLSv1.3", "");
    let uri = broker.uri("mqtts");
    let payload: String = ('a'..='z').cycle().take(300_000).collect();
    let file = broker.scratch.file("large", &payload);
    let sub = subscriber(&[&uri, "--ca", &ca, "-t", "t", "-q", "2", "-C", "2"]);
    for qos in ["1", "2"] {
        publish(&[&uri, "--ca", &ca, "-t", "t", "-f", &file, "-q", qos]);
        assert!(sub.line() == payload, "QoS {qos}: the payload is another");
    }
    assert_eq!(sub.status(), 0);
}

#[test]
fn messages_from_the_standard_input() {
    let broker = Mosquitto::plain();
    let uri = broker.uri("mqtt");
    let sub = subscriber(&[&uri, "-t", "t", "-q", "2", "-C", "502"]);
    let lines: String = (0..500).map(|n| format!("line {n}\n")).collect();
    let all = ["pub", &uri, "-t", "t", "-q", "2", "-l", "-W", "60"];
    let outcome = run_with_input(&all, lines.as_bytes());
    assert_eq!(outcome.status, 0, "{outcome:?}");
    for n in 0..500 {
        assert_eq!(sub.line(), format!("line {n}"));
    }
    let all = ["pub", &uri, "-t", "t", "-q", "1", "-s", "-W", "60"];
    let outcome = run_with_input(&all, b"two\nlines");
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert_eq!((sub.line(), sub.line()), ("two".into(), "lines".into()));
    publish(&[&uri, "-t", "t", "-n", "-q", "1"]);
    assert_eq!(sub.line(), "");
    assert_eq!(sub.status(), 0);
}

#[test]
fn several_filters_and_no_newline() {
    let broker = Mosquitto::plain();
    let uri = broker.uri("mqtt");
    for topic in ["a/1", "b/2"] {
        publish(&[&uri, "-t", topic, "-m", topic, "-r", "-q", "1"]);
    }
    let all = run(&[
        "sub", &uri, "-t", "a/+", "-t", "b/#", "-N", "-C", "2", "-W", "60",
    ]);
    assert_eq!((all.status, all.stdout.as_str()), (0, "a/1b/2"));
}

#[test]
fn user_names_and_passwords() {
    let scratch = Scratch::new();
    let file = scratch.path().join("users");
    let made = Command::new("mosquitto_passwd")
        .args(["-c", "-b"])
        .arg(&file)
        .args(["me", "secret"])
        .status();
    let made = made.unwrap_or_else(|error| {
        panic!("mosquitto_passwd cannot be run ({error}): install the package mosquitto")
    });
    assert!(made.success());
    let lines = format!("allow_anonymous false\npassword_file {}", file.display());
    let broker = Mosquitto::start(scratch, &lines, None);
    let uri = broker.uri("mqtt");
    for (version, code) in [("3.1.1", 5), ("5", 135)] {
        let me = [&uri, "-V", version, "-t", "t", "-n", "-q", "1", "-u", "me"];
        let with = |password| {
            let mut all = me.to_vec();
            all.extend(["-P", password]);
            all
        };
        publish(&with("secret"));
        let mut all = vec!["pub", "-W", "60"];
        all.extend(with("wrong"));
        let outcome = run(&all);
        assert_eq!(outcome.status, 8, "{outcome:?}");
        let says = format!("CONNACK code {code}");
        assert!(outcome.stderr.contains(&says), "{outcome:?}");
    }
}

/// A megabyte with packets of 4 kB, in pieces in both directions, over TLS.
#[test]
fn a_file_larger_than_a_packet() {
    let chain = Chain::generate(KeyKind::P256, &NAMES).unwrap();
    let (broker, ca) = Mosquitto::tls(&chain, "TLSv1.3", "");
    let uri = broker.uri("mqtts");
    let connection = [&*uri, "--ca", &ca, "--max-packet", "4096"];
    let content: String = (0..1 << 17).map(|line| format!("{line:07};")).collect();
    let scratch = Scratch::new();
    let file = scratch.file("large", &content);
    for (version, qos) in [("5", "0"), ("3.1.1", "1"), ("5", "2")] {
        let mut sub = connection.to_vec();
        sub.extend([
            "-V", version, "-t", "large", "-v", "-q", "2", "-C", "1", "--pieces",
        ]);
        let subscriber = subscriber(&sub);
        let mut all = vec!["pub", "-W", "60", "-V", version, "-t", "large"];
        all.extend(connection);
        all.extend(["-q", qos, "-f", &file]);
        let outcome = run(&all);
        assert_eq!(outcome.status, 0, "{outcome:?}");
        let line = subscriber.line();
        assert_eq!(line.strip_prefix("large "), Some(&*content));
        assert_eq!(subscriber.status(), 0);
    }
}

/// In MQTT 3.1.1, a client cannot tell the broker a limit. Larger messages are skipped with an
/// error message, and the messages after them arrive.
#[test]
fn a_message_larger_than_the_limit_is_skipped() {
    let broker = Mosquitto::start(Scratch::new(), "allow_anonymous true", None);
    let uri = broker.uri("mqtt");
    let subscriber = subscriber(&[
        &uri,
        "-V",
        "3.1.1",
        "-t",
        "t",
        "-q",
        "1",
        "-C",
        "1",
        "--max-packet",
        "1000",
    ]);
    let input = ["x".repeat(2000), "after".into(), String::new()].join("\n");
    let sent = run_with_input(&["pub", &uri, "-t", "t", "-q", "1", "-l"], input.as_bytes());
    assert_eq!(sent.status, 0, "{sent:?}");
    subscriber.wait_for_error("a message on \"t\" was skipped: its 2008 bytes");
    assert_eq!(subscriber.line(), "after");
}

/// MQTT 5 announces the limit; with MQTT 3.1.1 the broker just closes the connection each time. In
/// both cases, the messages queued after the large one arrive.
#[test]
fn a_message_larger_than_mosquitto_allows() {
    let lines = "allow_anonymous true\nmax_packet_size 1000";
    let broker = Mosquitto::start(Scratch::new(), lines, None);
    let uri = broker.uri("mqtt");
    let input = ["before", &"x".repeat(2000), "after", ""].join("\n");
    for (version, says) in [("5", "at most 1000"), ("3.1.1", "it may be too large")] {
        let sub = subscriber(&[&uri, "-t", "t", "-C", "2", "-q", "1"]);
        let outcome = run_with_input(
            &[
                "pub", &uri, "-V", version, "-t", "t", "-l", "-q", "1", "-W", "120",
            ],
            input.as_bytes(),
        );
        assert_eq!([sub.line(), sub.line()], ["before", "after"]);
        assert_eq!(outcome.status, 9, "{outcome:?}");
        assert!(outcome.stderr.contains(says), "{outcome:?}");
    }
}

#[test]
fn a_topic_that_is_not_allowed() {
    let scratch = Scratch::new();
    let acl = scratch.file("acl", "topic readwrite allowed/#\n");
    let lines = format!("allow_anonymous true\nacl_file {acl}");
    let broker = Mosquitto::start(scratch, &lines, None);
    let uri = broker.uri("mqtt");
    publish(&[&uri, "-t", "allowed/a", "-n", "-q", "1"]);
    let outcome = run(&["pub", &uri, "-t", "secret/s", "-n", "-q", "1", "-W", "60"]);
    assert_eq!(outcome.status, 9, "{outcome:?}");
    assert!(outcome.stderr.contains("not authorized"), "{outcome:?}");
}

#[test]
fn a_time_limit() {
    let broker = Mosquitto::plain();
    let uri = broker.uri("mqtt");
    let outcome = run(&["sub", &uri, "-t", "silence", "-W", "0.2"]);
    assert_eq!(outcome.status, 10, "{outcome:?}");
    assert!(outcome.stderr.contains("--timeout"), "{outcome:?}");
}

#[test]
fn messages_that_fail_are_counted() {
    let scratch = Scratch::new();
    let acl = scratch.file("acl", "topic write other\n");
    let lines = format!("allow_anonymous true\nacl_file {acl}");
    let broker = Mosquitto::start(scratch, &lines, None);
    let uri = broker.uri("mqtt");
    let publish = ["pub", &uri, "-t", "t", "-q", "1", "-l"];
    let several = run_with_input(&publish, b"a\nb\nc\n");
    let counted = "thread-mqtt: 3 of 3 messages failed, the last one: the broker refused";
    assert!(several.stderr.starts_with(counted), "{several:?}");
    assert_eq!(several.status, 9);
    let one = run_with_input(&publish, b"a\n");
    assert!(
        one.stderr.starts_with("thread-mqtt: the broker refused"),
        "{one:?}"
    );
}
