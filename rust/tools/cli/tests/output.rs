//! Output that cannot be written: a reader that closes the pipe, a full disk.
mod common;

use common::mosquitto::{Mosquitto, publish, subscriber};
use common::{Scratch, command, outcome, run};
use std::fs::File;
use std::process::{Command, Stdio};
use thread_mqtt_testkit::peer::Config;
use thread_mqtt_testkit::peer::host::HostPeer;

const INPUT: i32 = 1;
const USAGE: i32 = 2;
const TCP: i32 = 6;

/// Returns a pipe whose reader has closed it.
fn abandoned() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

/// Returns a full disk.
fn full() -> Stdio {
    File::options()
        .write(true)
        .open("/dev/full")
        .unwrap()
        .into()
}

/// Runs the binary with this standard output. Returns its status and its standard error.
fn printing_to(stdout: Stdio, arguments: &[&str]) -> (i32, String) {
    let child = command(arguments)
        .stdout(stdout)
        .stderr(Stdio::piped())
        .spawn();
    let output = child.unwrap().wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), said)
}

/// Commands that end on their own and print something.
fn each_that_prints(try_it: impl Fn(&[&str])) {
    let broker = HostPeer::start(Config::new(None), 1).unwrap();
    let uri = format!("mqtt://{}", broker.address());
    for arguments in [
        &["doctor", &uri][..],
        &["resolve", "127.0.0.1"],
        &["pub", "--help"],
        &["--version"],
    ] {
        try_it(arguments);
    }
}

#[test]
fn a_reader_that_goes_away_ends_a_command_quietly() {
    each_that_prints(|arguments| {
        let ended = printing_to(abandoned(), arguments);
        assert_eq!(ended, (0, String::new()), "{arguments:?}");
    });
}

#[test]
fn a_full_disk_is_told() {
    each_that_prints(|arguments| {
        let (status, said) = printing_to(full(), arguments);
        assert_eq!(status, INPUT, "{arguments:?}: {said}");
        assert!(
            said.starts_with("thread-mqtt: writing to standard output failed: No space left"),
            "{arguments:?}: {said}"
        );
        assert!(said.contains("What to do: free space"), "{said}");
    });
}

/// If the error messages cannot be written, the command still ends in the same way.
#[test]
fn the_standard_error_may_be_full_or_closed() {
    for (arguments, status) in [
        (&["pub", "mqtt://127.0.0.1:1", "-t", "t", "-n"][..], TCP),
        (&["pub", "mqtt://127.0.0.1:1", "-t", "t", "-n", "-d"], TCP),
        (&["pub", "mqtt://127.0.0.1:1", "-t", "#", "-n"], USAGE),
        (&["pub", "--port", "x"], USAGE),
        (&[], USAGE),
    ] {
        for stderr in [abandoned(), full()] {
            let child = command(arguments)
                .stdout(Stdio::null())
                .stderr(stderr)
                .status();
            assert_eq!(child.unwrap().code(), Some(status), "{arguments:?}");
        }
    }
}

/// Neither lost nor printed twice: a message that could not be written is not acknowledged.
#[test]
fn a_message_that_cannot_be_written_comes_again() {
    let broker = Mosquitto::plain();
    let uri = broker.uri("mqtt");
    let scratch = Scratch::new();
    let directory = scratch.path().join("session").display().to_string();
    // A reader that closes the pipe is not a failure and is not reported.
    let (full, abandoned) = ((full as fn() -> Stdio, INPUT), (abandoned as _, 0));
    for (round, version, qos, kept, pieces, (stdout, expected)) in [
        (0, "5", "1", true, false, full),
        (1, "5", "2", true, false, full),
        (2, "3.1.1", "2", true, false, abandoned),
        (3, "3.1.1", "1", false, false, full),
        (4, "5", "2", false, false, abandoned),
        (5, "5", "2", true, true, full),
    ] {
        let id = format!("reader{round}");
        let mut options = vec!["sub", &uri, "-V", version, "-t", "t", "-q", qos, "-i", &id];
        match kept {
            true => options.extend(["--session", &directory]),
            false => options.push("-c"),
        }
        if pieces {
            options.extend(["--pieces", "--max-packet", "64"]);
        }
        let first = subscriber(&options[1..]);
        first.interrupt();
        assert_eq!(first.status(), 0);
        let texts: Vec<_> = (1..=3).map(|n| format!("{n}").repeat(100)).collect();
        for text in &texts {
            publish(&[&uri, "-t", "t", "-q", "2", "-m", text]);
        }
        let (status, said) = printing_to(stdout(), &options);
        assert_eq!(status, expected, "{round}: {said}");
        assert_eq!(said.is_empty(), expected == 0, "{round}: {said}");
        options.extend(["-C", "3", "-W", "60"]);
        let stdout = run(&options).stdout;
        let printed: Vec<_> = stdout.lines().collect();
        assert_eq!(printed, texts, "{round}");
        let _ = std::fs::remove_dir_all(&directory);
    }
}

/// With QoS 0 nothing is delivered again, and the disconnect is graceful: no will.
#[test]
fn without_qos_the_connection_ends_in_good_order() {
    let broker = Mosquitto::plain();
    let uri = broker.uri("mqtt");
    publish(&[&uri, "-t", "t", "-m", "x", "-r", "-q", "1"]);
    let watcher = subscriber(&[&uri, "-t", "will/#", "-v"]);
    let mut command = command(&["sub", &uri, "-t", "t", "--will-topic", "will/full"]);
    let child = command.stdout(full()).stderr(Stdio::piped()).spawn();
    assert_eq!(child.unwrap().wait().unwrap().code(), Some(INPUT));
    publish(&[&uri, "-t", "will/end", "-m", "x"]);
    assert_eq!(watcher.line(), "will/end x");
}

/// Runs the binary with some of its standard streams closed, in shell syntax.
fn with_closed(streams: &str, arguments: &[&str]) -> (i32, String) {
    let mut shell = Command::new("sh");
    let script = format!("exec \"$0\" \"$@\" {streams}");
    shell.args(["-c", &script, env!("CARGO_BIN_EXE_thread-mqtt")]);
    let ended = outcome(shell.args(arguments));
    (ended.status, ended.stderr)
}

/// It must not be treated as empty input, which would publish an empty message.
#[test]
fn a_closed_input_is_told() {
    let broker = HostPeer::start(Config::new(None), 1).unwrap();
    let uri = format!("mqtt://{}", broker.address());
    let command = ["pub", &uri, "-t", "t", "-q", "1", "-W", "60"];
    for input in [&["-s"][..], &["-l"], &["-f", "/dev/stdin"]] {
        let arguments = [&command[..], input].concat();
        let (status, said) = with_closed("<&-", &arguments);
        assert_eq!(status, INPUT, "{input:?}: {said}");
        assert!(said.contains("is closed") && said.contains("-n"), "{said}");
    }
    let (status, said) = with_closed("</", &[&command[..], &["-s"]].concat());
    assert_eq!(status, INPUT);
    assert!(said.contains("standard input cannot be read"), "{said}");
    assert_eq!(broker.log().published.len(), 0);
    // With an empty input, the empty message is intended.
    let (status, said) = with_closed("</dev/null", &[&command[..], &["-s"]].concat());
    assert_eq!((status, said.as_str()), (0, ""));
    assert_eq!(broker.log().published.len(), 1);
}

/// A command runs without the streams that it does not need.
#[test]
fn closed_streams_that_are_not_needed() {
    let broker = HostPeer::start(Config::new(None), 1).unwrap();
    let uri = format!("mqtt://{}", broker.address());
    for arguments in [
        &["pub", &uri, "-t", "t", "-q", "1", "-m", "m", "-W", "60"][..],
        &["doctor", &uri, "-W", "60"],
        &["resolve", "127.0.0.1"],
    ] {
        let ended = with_closed("<&- >&- 2>&-", arguments);
        assert_eq!(ended, (0, String::new()), "{arguments:?}");
    }
    assert_eq!(broker.log().published.len(), 1);
    let ended = with_closed("<&- >&- 2>&-", &["pub", &uri]);
    assert_eq!(ended.0, USAGE);
}
