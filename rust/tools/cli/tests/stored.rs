//! What a command with a stored session reports that its user would otherwise not notice, against a
//! broker of a few lines.
mod common;

use common::{Outcome, Scratch, outcome, run};
use std::fs;
use std::io::{Read, Write, stdout};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::thread;

const CONNECT: u8 = 1;
const PUBLISH: u8 = 3;
const SUBSCRIBE: u8 = 8;
const DISCONNECT: u8 = 14;

/// There is no broker, so messages are stored.
const NOWHERE: &str = "mqtt://127.0.0.1:1";

/// Starts a broker and returns its port. `answer` gets the type, the number of the connection and
/// the body of each packet, and returns what to send instead of the usual answer.
fn broker(mut answer: impl FnMut(u8, u32, &[u8]) -> Option<Vec<u8>> + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut is_v5 = true;
        for (tcp, number) in listener.incoming().zip(1..) {
            let mut tcp = tcp.unwrap();
            while let Some((first, body)) = packet(&mut tcp) {
                let kind = first >> 4;
                if kind == CONNECT {
                    is_v5 = body[6] == 5;
                }
                let answer = answer(kind, number, &body);
                let answer = answer.unwrap_or_else(|| usual(first, &body, is_v5, number > 1));
                if kind == DISCONNECT || tcp.write_all(&answer).is_err() {
                    break;
                }
            }
        }
    });
    port
}

/// Reads a packet of less than 128 bytes.
fn packet(tcp: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let mut header = [0; 2];
    tcp.read_exact(&mut header).ok()?;
    let mut body = vec![0; header[1].into()];
    tcp.read_exact(&mut body).ok()?;
    Some((header[0], body))
}

/// Accepts everything. The session is there from the second connection on, unless the client wants
/// a new one.
fn usual(first: u8, body: &[u8], is_v5: bool, is_there: bool) -> Vec<u8> {
    match first >> 4 {
        CONNECT => {
            let is_there = u8::from(is_there && body[7] & 2 == 0);
            match is_v5 {
                true => vec![0x20, 3, is_there, 0, 0],
                false => vec![0x20, 2, is_there, 0],
            }
        }
        PUBLISH => vec![0x40 + 4 * (first & 4), 2, id(body)[0], id(body)[1]],
        6 => vec![0x70, 2, body[0], body[1]],
        SUBSCRIBE if is_v5 => suback(body, *body.last().unwrap()),
        SUBSCRIBE => vec![0x90, 3, body[0], body[1], *body.last().unwrap()],
        12 => vec![0xD0, 0],
        _ => Vec::new(),
    }
}

/// Returns the packet identifier of a PUBLISH.
fn id(body: &[u8]) -> [u8; 2] {
    let at = 2 + usize::from(u16::from_be_bytes([body[0], body[1]]));
    [body[at], body[at + 1]]
}

/// Answers a SUBSCRIBE with one filter.
fn suback(body: &[u8], code: u8) -> Vec<u8> {
    vec![0x90, 4, body[0], body[1], 0, code]
}

fn at(port: u16) -> String {
    format!("mqtt://127.0.0.1:{port}")
}

/// Runs a command with the session in this directory.
fn with(directory: &str, command: &str, uri: &str, options: &[&str]) -> Outcome {
    let arguments = [command, uri, "-i", "device", "--session", directory];
    run(&[&arguments[..], options].concat())
}

/// Publishes a message of QoS 1.
fn publish(directory: &str, uri: &str, options: &[&str]) -> Outcome {
    let message = ["-t", "t", "-m", "m", "-q", "1"];
    with(directory, "pub", uri, &[&message[..], options].concat())
}

/// Subscribes for a second.
fn subscribe(directory: &str, uri: &str, options: &[&str]) -> Outcome {
    let filter = ["-t", "cmd/#", "-q", "1", "-W", "1"];
    with(directory, "sub", uri, &[&filter[..], options].concat())
}

fn scratch() -> (Scratch, String) {
    let scratch = Scratch::new();
    let directory = scratch.path().join("session").display().to_string();
    (scratch, directory)
}

#[test]
fn both_commands_report_a_stored_message_that_fails() {
    let port = broker(|kind, _, body| {
        let refused = |body| [&[0x40, 3][..], &id(body), &[0x87]].concat();
        (kind == PUBLISH).then(|| refused(body))
    });
    for command in ["pub", "sub"] {
        let (_scratch, directory) = scratch();
        assert_eq!(publish(&directory, NOWHERE, &[]).status, 6);
        let outcome = match command {
            "pub" => publish(&directory, &at(port), &[]),
            _ => subscribe(&directory, &at(port), &[]),
        };
        let says = "a message from an earlier command: the broker refused the message";
        assert!(outcome.stderr.contains(says), "{outcome:?}");
    }
}

#[test]
fn pub_reports_a_subscription_that_is_not_renewed() {
    for (code, says) in [
        (0x87, "refused to renew the subscription to cmd/#"),
        (0, "renewed the subscription to cmd/# with only QoS 0"),
    ] {
        let (_scratch, directory) = scratch();
        let mut asked = Vec::new();
        // It has lost the session, and answers the SUBSCRIBE last.
        let port = broker(move |kind, number, body| match kind {
            _ if number == 1 => None,
            CONNECT => Some(vec![0x20, 3, 0, 0, 0]),
            SUBSCRIBE => {
                asked = body.to_vec();
                Some(Vec::new())
            }
            PUBLISH => Some([&[0x40, 2][..], &id(body), &suback(&asked, code)].concat()),
            _ => None,
        });
        assert_eq!(subscribe(&directory, &at(port), &[]).status, 10);
        let outcome = publish(&directory, &at(port), &[]);
        assert_eq!(outcome.status, 0, "{outcome:?}");
        assert!(outcome.stderr.contains(says), "{outcome:?}");
    }
}

/// Also if the storage fails with the last thing that the command does.
#[test]
fn a_session_that_is_out_of_date_is_a_failure() {
    for command in ["pub", "sub"] {
        let (_scratch, directory) = scratch();
        let path = PathBuf::from(&directory);
        let port = broker(move |kind, _, body| match kind {
            SUBSCRIBE => {
                fs::remove_dir_all(&path).unwrap();
                // A message of QoS 2.
                let message = [0x34, 7, 0, 1, b'c', 0, 7, 0, b'm'];
                Some([&suback(body, 2)[..], &message].concat())
            }
            PUBLISH => {
                // The record can no longer be deleted.
                let record = path.join("8000.record");
                fs::remove_file(&record).unwrap();
                fs::create_dir(&record).unwrap();
                None
            }
            _ => None,
        });
        let outcome = match command {
            "pub" => with(&directory, "pub", &at(port), &["-t", "t", "-n", "-q", "2"]),
            _ => subscribe(&directory, &at(port), &["-C", "1"]),
        };
        assert_eq!(outcome.status, 1, "{outcome:?}");
        let says = format!("--session {directory} is out of date");
        assert_eq!(outcome.stderr.matches(&says).count(), 1, "{outcome:?}");
    }
}

#[test]
fn a_storage_that_is_full_at_the_start_ends_the_command() {
    let (scratch, directory) = scratch();
    fs::create_dir(&directory).unwrap();
    let key = scratch.file("key", [1; 16]);
    let uri = at(broker(|_, _, _| None));
    // In a file system without room for any file.
    let full = |command: &[&str]| {
        let script = "mount -t tmpfs -o nr_inodes=1 none \"$0\" && exec \"$@\"";
        let mut unshare = Command::new("unshare");
        unshare.args(["-rm", "sh", "-c", script, &directory]);
        unshare.args(command);
        unshare
    };
    if !full(&["true"])
        .output()
        .is_ok_and(|run| run.status.success())
    {
        // Not with println!, whose output is hidden if the test passes.
        let skipped = "\nSKIPPED a full storage: unshare cannot mount a tmpfs here";
        return writeln!(stdout(), "{skipped}").unwrap();
    }
    for sealed in [&[][..], &["--session-key", &key]] {
        let command = [env!("CARGO_BIN_EXE_thread-mqtt"), "pub", &uri, "-i", "d"];
        let message = ["-t", "t", "-m", "m", "-q", "1", "--session", &directory];
        let outcome = outcome(&mut full(&[&command[..], &message, sealed].concat()));
        assert_eq!(outcome.status, 1, "{outcome:?}");
        for says in ["its disk is full", "Not kept: the message."] {
            assert_eq!(outcome.stderr.matches(says).count(), 1, "{outcome:?}");
        }
    }
}

#[test]
fn another_uri_for_the_broker_is_reported() {
    let (_scratch, directory) = scratch();
    let port = broker(|_, _, _| None);
    for (uri, is_other) in [
        (at(port), false),
        (at(port), false),
        (format!("mqtt://localhost:{port}"), true),
    ] {
        let outcome = subscribe(&directory, &uri, &[]);
        let says = format!("--session {directory} belongs to {}", at(port));
        assert_eq!(outcome.stderr.contains(&says), is_other, "{outcome:?}");
    }
}

#[test]
fn properties_of_stored_messages_are_not_dropped_silently() {
    let port = broker(|_, _, _| None);
    for (options, has_properties) in [(&["--content-type", "x"][..], true), (&[], false)] {
        let (_scratch, directory) = scratch();
        assert_eq!(publish(&directory, NOWHERE, options).status, 6);
        let outcome = subscribe(&directory, &at(port), &["-V", "3.1.1"]);
        let is_said = outcome.stderr.contains("properties");
        assert_eq!(is_said, has_properties, "{outcome:?}");
    }
}

#[test]
fn an_encrypted_session_of_another_id_is_not_blamed_on_the_key_alone() {
    let (scratch, directory) = scratch();
    let key = scratch.file("key", [1; 16]);
    let sealed = ["--session-key", &key];
    assert_eq!(publish(&directory, NOWHERE, &sealed).status, 6);
    let message = ["pub", NOWHERE, "-t", "t", "-n", "-i", "other"];
    let session = ["--session", &directory];
    let outcome = run(&[&message[..], &session, &sealed].concat());
    assert_eq!(outcome.status, 2, "{outcome:?}");
    assert!(outcome.stderr.contains("--id"), "{outcome:?}");
}
