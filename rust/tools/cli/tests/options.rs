//! Options and files that are wrong, or right in an unusual way.
mod common;

use common::{Scratch, command, outcome, refused, run, uri};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;
use std::thread;
use thread_mqtt_testkit::peer::Config;
use thread_mqtt_testkit::peer::host::HostPeer;

const USAGE: i32 = 2;

/// A broker without TLS.
fn broker() -> HostPeer {
    HostPeer::start(Config::new(None), 1).unwrap()
}

/// Of each option that takes a number: what is wrong is said with the range and an example, also for a
/// negative one, which looks like an option.
#[test]
fn numbers() {
    for option in [
        "--port",
        "--redirects",
        "--session-expiry-interval",
        "--max-packet",
        "--message-expiry",
        "--will-delay",
        "--will-expiry",
        "--max-chain",
        "--keepalive",
        "--qos",
        "--timeout",
        "--dns-timeout",
    ] {
        for value in ["x", "", "-1", "1_000", "99999999999999999999"] {
            let mut arguments = vec![
                "pub",
                "-h",
                "localhost",
                "-t",
                "t",
                "-n",
                "--will-topic",
                "w",
            ];
            arguments.extend([option, value]);
            let outcome = run(&arguments);
            assert_eq!(outcome.status, USAGE, "{arguments:?}: {outcome:?}");
            let said = &outcome.stderr;
            assert!(said.contains(option), "{option} {value:?}: {said}");
            // Of an empty one it is enough to know where it is.
            let is_told = value.is_empty() || said.contains("for example");
            assert!(is_told, "{option} {value:?}: {said}");
        }
    }
    for (option, value, range) in [
        ("-C", "0", "from 1 to"),
        ("-p", "65536", "from 1 to 65535"),
        ("--max-packet", "63", "from 64 to"),
        ("--max-chain", "8", "from 1 to 7"),
    ] {
        let outcome = run(&["sub", "-h", "localhost", "-t", "t", option, value]);
        assert_eq!(outcome.status, USAGE, "{outcome:?}");
        assert!(
            outcome.stderr.contains(range),
            "{option} {value}: {outcome:?}"
        );
    }
}

/// A CA that is not looked at would leave the password to everyone on the way.
#[test]
fn options_of_tls_need_tls() {
    for options in [
        &["--ca", "ca.pem"][..],
        &["--tls", "1.3"],
        &["--alpn", "mqtt"],
        &["--no-resumption"],
    ] {
        let mut arguments = vec!["mqtt://localhost:1"];
        arguments.extend(options);
        let says = format!("{} is about TLS", options[0]);
        refused(&arguments, USAGE, &[&says, "write mqtts://"]);
    }
}

#[test]
fn the_filter_that_is_wrong_is_named() {
    let outcome = run(&[
        "sub",
        "mqtt://localhost:1",
        "-t",
        "a",
        "-t",
        "b/#/c",
        "-t",
        "d",
    ]);
    assert_eq!(outcome.status, USAGE, "{outcome:?}");
    assert!(outcome.stderr.contains("\"b/#/c\""), "{outcome:?}");
}

#[test]
fn texts_are_utf8_and_payloads_may_be_anything() {
    let not_utf8 = OsStr::from_bytes(b"a\xFFb");
    let mut publish = command(&["pub", "mqtt://localhost:1", "-m", "m", "-t"]);
    let refused = outcome(publish.arg(not_utf8));
    assert_eq!(refused.status, USAGE, "{refused:?}");
    assert!(refused.stderr.contains("\"a\\xFFb\""), "{refused:?}");

    let broker = broker();
    let uri = uri("mqtt", broker.address());
    let mut publish = command(&["pub", &uri, "-q", "1", "-t", "t", "-m"]);
    let done = outcome(publish.arg(not_utf8));
    assert_eq!(done.status, 0, "{done:?}");
    assert_eq!(broker.log().published[0].payload, b"a\xFFb");
}

#[test]
fn the_password_is_not_on_the_command_line() {
    let broker = broker();
    let scratch = Scratch::new();
    let file = scratch.file("password", "from the file\nnot this");
    let uri = uri("mqtt", broker.address());
    let arguments = ["pub", &uri, "-t", "t", "-n", "-u", "me", "-W", "60"];
    let by_environment =
        outcome(command(&arguments).env("THREAD_MQTT_PASSWORD", "from the environment"));
    assert_eq!(by_environment.status, 0, "{by_environment:?}");
    let mut arguments = arguments.to_vec();
    arguments.extend(["--password-file", &file]);
    assert_eq!(run(&arguments).status, 0);
    let passwords: Vec<_> = broker
        .log()
        .connects
        .into_iter()
        .map(|connect| connect.password.unwrap())
        .collect();
    assert_eq!(passwords, [&b"from the environment"[..], b"from the file"]);
    // As an editor may save it.
    let file = scratch.file("marked", "\u{FEFF}with a mark\r\n");
    arguments.pop();
    arguments.push(&file);
    assert_eq!(run(&arguments).status, 0);
    let last = broker.log().connects.pop().unwrap();
    assert_eq!(last.password.as_deref(), Some(&b"with a mark"[..]));
    let file = scratch.file("wide", [0xFF, 0xFE, b'p', 0, b'w', 0]);
    refused(
        &[&uri, "-u", "me", "--password-file", &file],
        USAGE,
        &[&file, "UTF-16", "save it as UTF-8"],
    );
}

fn named_pipe(scratch: &Scratch) -> String {
    let pipe = scratch.path().join("pipe").display().to_string();
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    pipe
}

/// A pipe has one reader, and its bytes come once.
#[test]
fn a_payload_from_a_named_pipe() {
    let broker = broker();
    let scratch = Scratch::new();
    let pipe = named_pipe(&scratch);
    let to = pipe.clone();
    let writer = thread::spawn(move || fs::write(to, "from a pipe").unwrap());
    let uri = uri("mqtt", broker.address());
    let outcome = run(&["pub", &uri, "-t", "t", "-f", &pipe, "-q", "1", "-W", "60"]);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert_eq!(broker.log().published[0].payload, b"from a pipe");
    writer.join().unwrap();
}

/// A program that writes the payload and does not come to an end.
#[test]
fn input_that_does_not_end_is_bounded_by_the_timeout() {
    let scratch = Scratch::new();
    let pipe = named_pipe(&scratch);
    // The pipe has no writer, and the standard input stays open.
    for input in [&["-f", &pipe][..], &["-s"], &["-l"]] {
        let broker = broker();
        let uri = uri("mqtt", broker.address());
        let mut arguments = vec!["pub", &uri, "-t", "t", "-W", "1"];
        arguments.extend(input);
        let mut command = command(&arguments);
        let (read, _open) = std::io::pipe().unwrap();
        let outcome = outcome(command.stdin(read));
        assert_eq!(outcome.status, 10, "{outcome:?}");
        assert!(outcome.stderr.contains("--timeout was over"), "{outcome:?}");
        // Once connected it is the input that is waited for.
        let connected = outcome.stderr.contains("while the broker was connected");
        assert!(!connected, "{outcome:?}");
    }
}

/// Found by its length: a file of this size is not read into memory first.
#[test]
fn a_file_that_is_longer_than_any_message() {
    let scratch = Scratch::new();
    let path = scratch.file("sparse", "");
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_len(5 << 30).unwrap();
    let outcome = run(&["pub", "mqtt://localhost:1", "-t", "t", "-f", &path]);
    assert_eq!(outcome.status, USAGE, "{outcome:?}");
    let said = format!("{path} given by --file has 5368709120 bytes");
    assert!(outcome.stderr.contains(&said), "{outcome:?}");
}
