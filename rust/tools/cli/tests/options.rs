//! Options and files that are wrong, or right in an unusual way.
mod common;

use common::{Scratch, command, outcome, refused, run, uri};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};
use std::thread;
use thread_mqtt_testkit::peer::Config;
use thread_mqtt_testkit::peer::host::HostPeer;

const USAGE: i32 = 2;

/// Starts a broker without TLS.
fn broker() -> HostPeer {
    HostPeer::start(Config::new(None), 1).unwrap()
}

/// For each option that takes a number, the error states the range and an example, also for a
/// negative number, which looks like an option.
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
            // For an empty value, it is enough to name the option.
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

/// Ignoring the CA would expose the password to everyone on the way.
#[test]
fn options_of_tls_need_tls() {
    for options in [
        &["--ca", "ca.pem"][..],
        &["--tls", "1.3"],
        &["--alpn", "mqtt"],
        &["--no-resumption"],
        &["--max-chain", "3"],
    ] {
        let mut arguments = vec!["mqtt://localhost:1"];
        arguments.extend(options);
        let says = format!("{} is a TLS option", options[0]);
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
    let not_utf8 = OsStr::from_bytes(b"a\xFFb");
    let by_bytes = outcome(command(&arguments).env("THREAD_MQTT_PASSWORD", not_utf8));
    assert_eq!(by_bytes.status, 0, "{by_bytes:?}");
    let mut arguments = arguments.to_vec();
    arguments.extend(["--password-file", &file]);
    assert_eq!(run(&arguments).status, 0);
    // The option takes precedence over the variable.
    let both = outcome(command(&arguments).env("THREAD_MQTT_PASSWORD", "not this"));
    assert_eq!(both.status, 0, "{both:?}");
    let passwords: Vec<_> = broker
        .log()
        .connects
        .into_iter()
        .map(|connect| connect.password.unwrap())
        .collect();
    let file_twice = [&b"from the file"[..]; 2];
    let expected = [&[&b"from the environment"[..], b"a\xFFb"], &file_twice[..]].concat();
    assert_eq!(passwords, expected);
    refused(
        &[&uri, "-u", "me", "-P", "x", "--password-file", &file],
        USAGE,
        &["cannot be used with"],
    );
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

/// A pipe has only one reader, and its bytes can be read only once.
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

/// A program that writes the payload and never finishes.
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
        assert!(
            outcome.stderr.contains("timed out after 1 s"),
            "{outcome:?}"
        );
        // Once connected, it waits for the input.
        let connected = outcome.stderr.contains("while connected");
        assert!(!connected, "{outcome:?}");
    }
}

/// Detected by its length: a file of this size is not read into memory first.
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

/// Users who give a password or a CA do not expect that everyone on the way can read along.
#[test]
fn a_list_that_mixes_tls_and_none_takes_no_secrets() {
    let scratch = Scratch::new();
    let file = scratch.file("password", "secret");
    let list = "mqtts://a.example,mqtt://b.example";
    for (options, names) in [
        (&["--ca", "ca.pem"][..], "with --ca"),
        (&["-u", "u", "-P", "secret"], "with a password"),
        (&["-u", "u", "--password-file", &file], "with a password"),
        (&["-u", "u"], "with a user name"),
        (
            &[
                "--pin",
                "sha256:0000000000000000000000000000000000000000000000000000000000000000",
            ],
            "with --pin",
        ),
    ] {
        let mut arguments = vec![list];
        arguments.extend(options);
        let says = [
            names,
            "must not mix mqtts:// and mqtt://",
            "mqtt://b.example",
            "write mqtts://",
        ];
        refused(&arguments, USAGE, &says);
        let doctor = run(&[&["doctor"], &arguments[..]].concat());
        assert_eq!(doctor.status, USAGE, "{doctor:?}");
    }
    let by_environment =
        outcome(command(&["pub", list, "-t", "t", "-n"]).env("THREAD_MQTT_PASSWORD", "secret"));
    assert_eq!(by_environment.status, USAGE, "{by_environment:?}");
}

/// Mosquitto would close the connection because of one, again and again.
#[test]
fn characters_that_brokers_close_the_connection_for() {
    for (options, option) in [
        (&["-i", "a\u{1}"][..], "--id"),
        (&["-u", "a\u{1}"], "--username"),
        (&["--will-topic", "a\u{1}"], "--will-topic"),
        (&["--content-type", "a\u{1}"], "--content-type"),
        (&["--response-topic", "a\u{1}"], "--response-topic"),
        (&["--user-property", "n=a\u{1}"], "--user-property"),
        (
            &["--will-topic", "w", "--will-user-property", "a\u{1}=v"],
            "--will-user-property",
        ),
        (
            &["-D", "publish", "content-type", "a\u{1}"],
            "--content-type",
        ),
    ] {
        let mut arguments = vec!["mqtt://localhost:1"];
        arguments.extend(options);
        let says = format!("{option} \"a\\u{{1}}\" contains the control character U+0001");
        refused(&arguments, USAGE, &[&says, "What to do: remove"]);
    }
    for (topic, says) in [
        ("a\nb", "the control character U+000A"),
        ("a\u{fffe}", "the non-character U+FFFE"),
    ] {
        for mut arguments in [vec!["pub", "-n"], vec!["sub", "-t", "good"]] {
            arguments.extend(["mqtt://localhost:1", "-t", topic]);
            let outcome = run(&arguments);
            assert_eq!(outcome.status, USAGE, "{outcome:?}");
            assert!(outcome.stderr.contains("--topic"), "{outcome:?}");
            assert!(outcome.stderr.contains(says), "{outcome:?}");
        }
    }
}

#[test]
fn what_would_be_ignored_is_refused() {
    let scratch = Scratch::new();
    let empty = scratch.file("empty", "\nsecret\n");
    for (arguments, says) in [
        (
            &[
                "mqtt://localhost:1",
                "-V",
                "3.1.1",
                "--will-topic",
                "w",
                "--will-delay",
                "5",
            ][..],
            &["--will-delay requires MQTT 5", "leave --will-delay out"][..],
        ),
        (
            &["mqtt://localhost:1", "-x", "60"],
            &["without -c", "add -c"],
        ),
        (
            &[
                "mqtt://localhost:1",
                "--will-topic",
                "w",
                "--will-delay",
                "5",
            ],
            &["--will-delay cannot outlast the session", "add -c"],
        ),
        (
            &["mqtt://localhost:1", "--session", "s", "-i", "a", "-x", "0"],
            &["with -x 0 the broker drops the session", "leave it out"],
        ),
        (
            &["mqtt://localhost:1", "-i", "", "-c"],
            &["--id is empty", "leave -c out"],
        ),
        (
            &["mqtt://localhost:1", "-i", "", "--session", "s"],
            &["--id is empty", "leave --session out"],
        ),
        (
            &["mqtt://localhost:1", "-V", "3.1.1", "-P", "p"],
            &["password without a user name", "with -u"],
        ),
        (&["-h", ""], &["--host is empty", "name or address"]),
        (&["-h", "a/b"], &["--host \"a/b\": the host name contains"]),
        (
            &[
                "mqtt://localhost:1",
                "-x",
                "60",
                "-c",
                "-i",
                "a",
                "-V",
                "3.1.1",
            ],
            &["-x requires MQTT 5"],
        ),
        (
            &["mqtt://192.0.2.1", "--family", "ipv6"],
            &[
                "--family ipv6 conflicts with 192.0.2.1",
                "leave --family out",
            ],
        ),
        (
            &["mqtt://[2001:db8::1]", "--family", "ipv4"],
            &["--family ipv4 conflicts with [2001:db8::1]"],
        ),
        (
            &["mqtt://a.example,,mqtt://b.example"],
            &["has an empty entry", "with one comma"],
        ),
        (&["mqtt://a.example,"], &["has an empty entry"]),
        (
            &["mqtt://a.example", "-p", "1884"],
            &["--port needs --host", "mqtt://HOST:1884"],
        ),
        (
            &["mqtt://localhost:1", "-u", "u", "--password-file", &empty],
            &[&empty, "is empty", "in the first line"],
        ),
        (
            &["-h", "localhost:1883"],
            &[
                "--host \"localhost:1883\"",
                "write --host localhost --port 1883",
            ],
        ),
        (
            &["-h", "localhost:x"],
            &["--host \"localhost:x\"", "--port NUMBER"],
        ),
        (
            &["-h", "[::1]:1883"],
            &["--host \"[::1]:1883\"", "write --host [::1] --port 1883"],
        ),
        (
            &["-h", "mqtt://localhost"],
            &["--host \"mqtt://localhost\" is a URI", "leave out --host"],
        ),
        (&["-h", "ho st"], &["--host \"ho st\" is not a single host"]),
        (
            &["-h", "a.example,b.example"],
            &["is not a single host", "as URIs"],
        ),
        (&["-h", "a_b!"], &["--host \"a_b!\""]),
        (
            &["mqtt://localhost:1", "--response-topic", "a/#"],
            &["--response-topic \"a/#\"", "wildcards"],
        ),
        (
            &[
                "mqtt://localhost:1",
                "--will-topic",
                "w",
                "--will-response-topic",
                "",
            ],
            &["--will-response-topic is empty"],
        ),
        (
            &["mqtt://localhost:1", "--will-topic", "+"],
            &["--will-topic \"+\""],
        ),
    ] {
        refused(arguments, USAGE, says);
    }
    let resolve = run(&["resolve", "192.0.2.1", "--family", "ipv6"]);
    assert_eq!(resolve.status, USAGE, "{resolve:?}");
    for (format, says) in [
        ("%t %z", "unknown format %z"),
        ("100%", "%% for a percent sign"),
    ] {
        let outcome = run(&["sub", "mqtt://localhost:1", "-t", "t", "-F", format]);
        assert_eq!(outcome.status, USAGE, "{outcome:?}");
        assert!(outcome.stderr.contains(says), "{outcome:?}");
    }
    let empty = run(&["pub", "mqtt://localhost:1", "-t", "", "-n"]);
    assert_eq!(empty.status, USAGE, "{empty:?}");
    assert!(empty.stderr.contains("--topic is empty"), "{empty:?}");
}

/// Each property of a message and of a will.
#[test]
fn properties_are_of_mqtt_5() {
    for (option, value) in [
        ("content-type", "a/b"),
        ("payload-format", "utf8"),
        ("message-expiry", "5"),
        ("response-topic", "r"),
        ("correlation-data", "d"),
        ("user-property", "a=b"),
    ] {
        let of_will = format!("--will-{}", option.trim_start_matches("message-"));
        for option in [format!("--{option}"), of_will] {
            let mut arguments = vec!["mqtt://localhost:1", "-V", "3.1.1", &option, value];
            arguments.extend(["--will-topic", "w"]);
            let says = format!("{option} requires MQTT 5");
            refused(&arguments, USAGE, &[&says, &format!("leave {option} out")]);
        }
    }
}

/// A text may begin with a hyphen, as in mosquitto_pub. Elsewhere, a hyphen is a mistake.
#[test]
fn texts_that_look_like_options() {
    let broker = broker();
    let uri = uri("mqtt", broker.address());
    let mut all = vec!["pub", &uri, "-q", "1", "-W", "60"];
    all.extend([
        "-t", "-t", "-m", "-D", "-u", "-u", "-P", "-secret", "-i", "-abc",
    ]);
    all.extend([
        "--will-topic",
        "-w",
        "--will-payload",
        "--",
        "--content-type",
        "-",
    ]);
    all.extend(["--response-topic", "--retain", "--user-property", "-a=b"]);
    all.extend(["-D", "publish", "user-property", "-D", "-D"]);
    let published = run(&all);
    assert_eq!(published.status, 0, "{published:?}");
    let log = broker.log();
    let connect = &log.connects[0];
    assert_eq!(connect.username.as_deref(), Some("-u"));
    assert_eq!(connect.password.as_deref(), Some(&b"-secret"[..]));
    assert_eq!(connect.client_id, "-abc");
    let message = &log.published[0];
    assert_eq!((&*message.topic, &*message.payload), ("-t", &b"-D"[..]));
    let both = ["-m", "--", "-D", "publish", "content-type", "a/b"];
    let both = run(&[&["pub", &uri, "-t", "t", "-q", "1"], &both[..]].concat());
    assert_eq!(both.status, 0, "{both:?}");

    let of_pub = ["-t", "t", "-D", "publish", "content-type", "a"];
    let of_pub = run(&[&["sub", &uri], &of_pub[..]].concat());
    assert_eq!(of_pub.status, USAGE, "{of_pub:?}");
    let says = "-D publish content-type is not a property that sub can set";
    assert!(of_pub.stderr.contains(says), "{of_pub:?}");

    for slip in [["-f", "-x"], ["--ca", "--cert"], ["-q", "-r"], ["-W", "-d"]] {
        let outcome = run(&[&["pub", &uri, "-t", "t"], &slip[..]].concat());
        assert_eq!(outcome.status, USAGE, "{outcome:?}");
        assert!(!outcome.stderr.contains("tip:"), "{outcome:?}");
    }
}

#[test]
fn a_payload_that_is_not_the_text_it_is_said_to_be() {
    let not_utf8 = OsStr::from_bytes(b"a\xFFb");
    let scratch = Scratch::new();
    let file = scratch.file("payload", not_utf8.as_bytes());
    let broker = broker();
    let uri = uri("mqtt", broker.address());
    let all = ["pub", &uri, "-t", "t", "--payload-format", "utf8"];
    let told = |status: i32, more: &[&OsStr]| {
        let refused = outcome(command(&all).args(more));
        assert_eq!(refused.status, status, "{refused:?}");
        assert!(
            refused.stderr.contains("not valid UTF-8 from byte 1 on"),
            "{refused:?}"
        );
    };
    told(USAGE, &["-m".as_ref(), not_utf8]);
    told(1, &["-f".as_ref(), file.as_ref()]);
    assert_eq!(broker.log().published.len(), 0);
}

/// Input without an end is only read up to the maximum length of a message.
#[test]
fn input_without_an_end_is_refused() {
    let zeros = || Stdio::from(fs::File::open("/dev/zero").unwrap());
    let broker = broker();
    let uri = uri("mqtt", broker.address());
    for (how, what) in [
        (&["-s"][..], "standard input"),
        (&["-l"], "a line of standard input"),
        (&["-f", "/dev/zero"], "the file /dev/zero given by --file"),
    ] {
        let arguments = [&["pub", &uri, "-t", "t", "-W", "60"], how].concat();
        let refused = outcome(command(&arguments).stdin(zeros()));
        assert_eq!(refused.status, 1, "{refused:?}");
        let says = format!("{what} has over 268435455 bytes, but an MQTT message is limited to");
        assert!(refused.stderr.contains(&says), "{refused:?}");
    }
    for option in ["--password-file", "--ca"] {
        let uri = "mqtts://localhost:1";
        let arguments = ["pub", uri, "-t", "t", "-n", "-u", "u", option, "/dev/zero"];
        let refused = run(&arguments);
        assert_eq!(refused.status, USAGE, "{refused:?}");
        let says = format!("the file /dev/zero given by {option} is larger than 64 MiB");
        assert!(refused.stderr.contains(&says), "{refused:?}");
    }
    assert_eq!(broker.log().published.len(), 0);
}

/// Every option that is given must have an effect.
#[test]
fn options_that_do_nothing_together() {
    let broker = broker();
    let uri = uri("mqtt", broker.address());
    let pin = format!("sha256:{}", "0".repeat(64));
    let older = &["-V", "3.1.1"][..];
    for (options, option, beside) in [
        (
            &[older, &["--fallback"]].concat()[..],
            "--fallback",
            "--mqtt 3.1.1",
        ),
        (
            &[older, &["--redirects", "0"]].concat(),
            "--redirects",
            "--mqtt 3.1.1",
        ),
        (
            &["--policy", "prefer-nat64", "--family", "ipv4"],
            "--policy",
            "--family ipv4",
        ),
    ] {
        let arguments = [&[&*uri][..], options].concat();
        let cure = format!("leave {option} or {beside} out");
        refused(
            &arguments,
            USAGE,
            &[&format!("{option} has no effect with {beside}: "), &cure],
        );
    }
    let secure = uri.replace("mqtt:", "mqtts:");
    for (options, option, beside) in [
        (
            &["--pin", &pin, "--max-chain", "2"][..],
            "--max-chain",
            "--pin without --ca",
        ),
        (
            &["--require-ems", "--tls", "1.3"],
            "--require-ems",
            "--tls 1.3",
        ),
    ] {
        let arguments = [&[&*secure][..], options].concat();
        refused(
            &arguments,
            USAGE,
            &[&format!("{option} has no effect with {beside}: ")],
        );
    }
    let resolved = run(&[
        "resolve",
        "127.0.0.1",
        "--family",
        "ipv4",
        "--policy",
        "interleaved",
    ]);
    assert_eq!(resolved.status, USAGE, "{resolved:?}");
    assert_eq!(broker.log().connects.len(), 0);
    // Together with others, each has its effect.
    for options in [
        &["--fallback"][..],
        older,
        &["--redirects", "0", "--policy", "prefer-nat64"],
    ] {
        let sent = run(&[&["pub", &uri, "-t", "t", "-n"], options].concat());
        assert_eq!(sent.status, 0, "{options:?}: {sent:?}");
    }
}

/// What `thread-mqtt resolve` was said to show, but cannot.
#[test]
fn a_name_without_a_form_in_ascii() {
    let says = ["cannot be converted to ASCII", "remove xn-- from \"xn--ü\""];
    refused(&["mqtt://a.xn--ü.example"], USAGE, &says);
    refused(&["-h", "xn--ü"], USAGE, &says);
    let resolved = run(&["resolve", "xn--ü"]);
    assert_eq!(resolved.status, USAGE, "{resolved:?}");
    assert!(resolved.stderr.contains(says[1]), "{resolved:?}");
}
