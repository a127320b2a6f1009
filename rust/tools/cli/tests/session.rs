//! Commands that are killed, and resume the session in their directory, against mosquitto.
mod common;

use common::mosquitto::{Mosquitto, publish, subscriber};
use common::{Running, Scratch, run, run_with_input};
use std::collections::BTreeMap;
use thread_mqtt_test_support::closed::ClosedPort;

/// Returns a broker whose sessions survive its restart.
fn lasting_broker() -> Mosquitto {
    let scratch = Scratch::new();
    let location = scratch.path().display().to_string();
    let lines = format!(
        "allow_anonymous true\npersistence true\npersistence_location {location}/\n\
         max_queued_messages 0"
    );
    Mosquitto::start(scratch, &lines, None)
}

const END: &str = "end";

/// Counts how often each line came, up to the last one.
fn count(lines: impl Iterator<Item = String>) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for line in lines.take_while(|line| line != END) {
        *counts.entry(line).or_default() += 1;
    }
    counts
}

#[test]
fn each_message_of_killed_publishers_arrives_once() {
    const LINES: u32 = 60;
    for version in ["3.1.1", "5"] {
        let broker = lasting_broker();
        let uri = broker.uri("mqtt");
        let listener = subscriber(&[&uri, "-t", "t", "-q", "2"]);
        let scratch = Scratch::new();
        let directory = scratch.path().join("session").display().to_string();
        let options = [
            "pub",
            &uri,
            "-V",
            version,
            "-t",
            "t",
            "-q",
            "2",
            "-i",
            "device",
            "--session",
            &directory,
            "-l",
        ];
        let mut arrived = Vec::new();
        for round in 0..6 {
            let mut publisher = Running::start(&options);
            for line in 0..LINES {
                publisher.say(&format!("{round} {line:03}\n"));
            }
            // In the middle, at a different place each time.
            for _ in 0..=round * 3 {
                arrived.push(listener.line());
            }
            publisher.kill();
        }
        let last = run(&options);
        assert_eq!(last.status, 0, "{last:?}");
        let left = std::fs::read_dir(&directory).unwrap();
        let left = left.filter(|file| file.as_ref().unwrap().file_name() >= *"8000");
        assert_eq!(left.count(), 0, "what was acknowledged is forgotten");
        publish(&[&uri, "-t", "t", "-q", "2", "-m", END]);
        let waited_for = arrived.len();
        let counts = count(
            arrived
                .into_iter()
                .chain(std::iter::from_fn(|| Some(listener.line()))),
        );
        for round in 0..6 {
            // Accepted one after the other until the kill.
            let of_round = |line: &&String| line.starts_with(&format!("{round} "));
            let lines: Vec<_> = counts.keys().filter(of_round).collect();
            let expected: Vec<_> = (0..lines.len())
                .map(|line| format!("{round} {line:03}"))
                .collect();
            assert!(lines.iter().copied().eq(&expected), "a gap: {lines:?}");
        }
        let twice: Vec<_> = counts.iter().filter(|(_, count)| **count != 1).collect();
        assert!(twice.is_empty(), "{twice:?}");
        assert!(counts.len() >= waited_for, "{counts:?}");
    }
}

#[test]
fn a_killed_subscriber_gets_no_message_twice() {
    const KILLS: usize = 5;
    const EACH: usize = 8;
    let broker = lasting_broker();
    let uri = broker.uri("mqtt");
    let scratch = Scratch::new();
    let directory = scratch.path().join("session").display().to_string();
    let options = [
        "sub",
        "-d",
        &uri,
        "-t",
        "t",
        "-q",
        "2",
        "-i",
        "device",
        "--session",
        &directory,
    ];
    let first = Running::start(&options);
    first.wait_for_error("subscribed");
    first.kill();
    let mut lines = Vec::new();
    for round in 0..KILLS {
        // Sent between two kills, so that each subscriber gets some, however many the previous one
        // printed.
        for message in 0..EACH {
            let text = format!("{round} {message}");
            publish(&[&uri, "-t", "t", "-q", "2", "-m", &text]);
        }
        let subscriber = Running::start(&options);
        for _ in 0..4 {
            lines.push(subscriber.line());
        }
        lines.extend(subscriber.kill());
    }
    let last = Running::start(&options);
    publish(&[&uri, "-t", "t", "-q", "2", "-m", END]);
    let counts = count(
        lines
            .into_iter()
            .chain(std::iter::from_fn(|| Some(last.line()))),
    );
    let twice: Vec<_> = counts.iter().filter(|(_, count)| **count != 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    // At each kill, one message may be between the session and the printer.
    assert!(counts.len() + KILLS >= KILLS * EACH, "{counts:?}");
}

#[test]
fn what_a_directory_is_not_good_for_is_said() {
    let broker = lasting_broker();
    let uri = broker.uri("mqtt");
    let scratch = Scratch::new();
    let directory = scratch.path().join("session").display().to_string();
    let options = ["-i", "device", "--session", &directory];
    let mut holder = vec!["sub", "-d", &uri, "-t", "t"];
    holder.extend(options);
    let holder = Running::start(&holder);
    holder.wait_for_error("subscribed");
    let mut second = vec!["pub", &uri, "-t", "t", "-n"];
    second.extend(options);
    let outcome = run(&second);
    assert_eq!(outcome.status, 2, "{outcome:?}");
    assert!(
        outcome.stderr.contains("another process uses it"),
        "{outcome:?}"
    );
    holder.kill();
    assert_eq!(run(&second).status, 0);

    let file = scratch.file("file", "");
    let outcome = run(&["pub", &uri, "-t", "t", "-n", "-i", "a", "--session", &file]);
    assert_eq!(outcome.status, 2, "{outcome:?}");
    let says = format!("--session {file} is a file, not a directory");
    assert!(outcome.stderr.contains(&says), "{outcome:?}");
    let inside = format!("{file}/session");
    let outcome = run(&[
        "pub",
        &uri,
        "-t",
        "t",
        "-n",
        "-i",
        "a",
        "--session",
        &inside,
    ]);
    assert_eq!(outcome.status, 1, "{outcome:?}");
    let says = format!("--session {inside} cannot be created or opened");
    assert!(outcome.stderr.contains(&says), "{outcome:?}");
    let outcome = run(&["pub", &uri, "-t", "t", "-n", "--session", &directory]);
    assert_eq!(outcome.status, 2, "{outcome:?}");
    assert!(outcome.stderr.contains("--id"), "{outcome:?}");

    // A damaged record does not affect the others.
    std::fs::write(scratch.path().join("session/8123.record"), "damaged").unwrap();
    let outcome = run(&second);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(
        outcome.stderr.contains("record 8123 was damaged"),
        "{outcome:?}"
    );

    // The system's text, not its number.
    let record = scratch.path().join("session/8124.record");
    std::os::unix::fs::symlink(&record, &record).unwrap();
    let outcome = run(&second);
    assert!(outcome.stderr.contains("symbolic links"), "{outcome:?}");
    let says = format!("--session {directory} cannot be read or written");
    assert!(outcome.stderr.contains(&says), "{outcome:?}");
    // A storage failure ends like any other failed input or output.
    let occupied = scratch.path().join("occupied");
    let directory = occupied.display().to_string();
    let publish_at = |uri: &str| {
        let options = ["-i", "device", "--session", &directory, "-W", "60"];
        run(&[&["pub", uri, "-t", "t", "-n", "-q", "1"][..], &options].concat())
    };
    // One message waits, and a directory blocks the place of the next record.
    assert_eq!(publish_at("mqtt://127.0.0.1:1").status, 6);
    let names = std::fs::read_dir(&occupied).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let first = names.max().unwrap();
    let next = u16::from_str_radix(&first[..4], 16).unwrap() + 1;
    std::fs::create_dir(occupied.join(format!("{next:04x}.record.new"))).unwrap();
    let outcome = publish_at(&uri);
    assert_eq!(outcome.status, 1, "{outcome:?}");
    let says = format!("--session {directory} cannot be read or written");
    assert!(outcome.stderr.contains(&says), "{outcome:?}");
}

#[test]
fn an_encrypted_directory_is_read_with_its_key_alone() {
    let broker = lasting_broker();
    let uri = broker.uri("mqtt");
    let listener = subscriber(&[&uri, "-t", "secret/topic", "-q", "1"]);
    let scratch = Scratch::new();
    let directory = scratch.path().join("session").display().to_string();
    let key = scratch.file("key", format!("{}\n", "0f".repeat(32)));
    let other = scratch.file("other", "f0".repeat(32));
    let publish_to = |uri: &str, message: &[&str], key: &[&str]| {
        let mut arguments = vec!["pub", uri, "-t", "secret/topic", "-q", "1", "-i", "device"];
        arguments.extend(["--session", directory.as_str()]);
        arguments.extend(message);
        arguments.extend(key);
        run(&arguments)
    };
    let records = || {
        let files = std::fs::read_dir(&directory).unwrap();
        let read = |file: Result<std::fs::DirEntry, _>| {
            let path = file.unwrap().path();
            (std::fs::read(&path).unwrap(), path)
        };
        let mut records: Vec<_> = files.map(read).collect();
        records.sort();
        records
    };
    // Without a broker, the message stays in the directory.
    let closed = ClosedPort::any().unwrap();
    let nowhere = format!("mqtt://{}", closed.address());
    let outcome = publish_to(&nowhere, &["-m", "secret"], &["--session-key", &key]);
    assert_ne!(outcome.status, 0, "{outcome:?}");
    let before = records();
    assert!(before.len() >= 2, "{before:?}");
    for (record, _) in &before {
        assert!(!record.windows(6).any(|part| part == b"secret"));
    }
    let wrong = publish_to(&uri, &["-m", "no"], &["--session-key", &other]);
    assert_eq!(wrong.status, 2, "{wrong:?}");
    assert!(wrong.stderr.contains("provide the key"), "{wrong:?}");
    let without = publish_to(&uri, &["-m", "no"], &[]);
    assert_eq!(without.status, 2, "{without:?}");
    assert!(without.stderr.contains("is encrypted"), "{without:?}");
    assert_eq!(records(), before, "what cannot be read is left alone");
    let right = publish_to(&uri, &["-n"], &["--session-key", &key]);
    assert_eq!(right.status, 0, "{right:?}");
    assert_eq!(listener.line(), "secret");

    let short = scratch.file("short", "abc");
    let outcome = publish_to(&uri, &["-n"], &["--session-key", &short]);
    assert_eq!(outcome.status, 2, "{outcome:?}");
    assert!(outcome.stderr.contains("openssl rand"), "{outcome:?}");
    // A suggested command must not overwrite an existing file when copied.
    assert!(
        !outcome.stderr.contains(&format!("-out {short}")),
        "{outcome:?}"
    );
    let absent = scratch.path().join("absent").display().to_string();
    let outcome = publish_to(&uri, &["-n"], &["--session-key", &absent]);
    assert_eq!(outcome.status, 2, "{outcome:?}");
    let command = format!("openssl rand -hex -out {absent} 32");
    assert!(outcome.stderr.contains(&command), "{outcome:?}");
    let outcome = run(&["pub", &uri, "-t", "t", "-n", "--session-key", &key]);
    assert_eq!(outcome.status, 2, "{outcome:?}");
    assert!(outcome.stderr.contains("--session"), "{outcome:?}");
}

/// What a command did not send, and what it says if nothing is stored.
#[test]
fn what_waits_for_the_next_command_is_told() {
    let scratch = Scratch::new();
    let path = |name: &str| scratch.path().join(name).display().to_string();
    let (directory, key, other) = (path("session"), path("key"), path("other"));
    std::fs::write(&key, [1; 16]).unwrap();
    std::fs::write(&other, [2; 16]).unwrap();
    let send = |key: &str, qos: &str| {
        let session = ["--session", &directory, "--session-key", key, "-i", "d"];
        let message = ["pub", "mqtt://127.0.0.1:1", "-t", "t", "-m", "m", "-q", qos];
        run(&[&message[..], &session].concat())
    };
    let kept = |said: &str| {
        said.lines()
            .find(|line| line.contains("Kept"))
            .map(str::to_owned)
    };
    let line = |what: &str| Some(format!("  Kept: {what}."));
    let first = send(&key, "1");
    let expected = format!(
        "1 message is stored in --session {directory}; the next pub with that directory sends it"
    );
    assert_eq!(
        (first.status, kept(&first.stderr)),
        (6, line(&expected)),
        "{first:?}"
    );
    let second = send(&key, "1");
    let expected = format!(
        "2 messages are stored in --session {directory}; the next pub with that directory sends them"
    );
    assert_eq!(kept(&second.stderr), line(&expected), "{second:?}");
    assert_eq!(kept(&send(&key, "0").stderr), None);
    let wrong = send(&other, "1");
    assert_eq!((wrong.status, kept(&wrong.stderr)), (2, None), "{wrong:?}");
    assert!(wrong.stderr.contains("--session-key"), "{wrong:?}");
}

/// Nothing is accepted that cannot be stored, and nothing is reported as kept that is not in the
/// directory.
#[test]
fn a_session_that_cannot_be_read_keeps_nothing() {
    let broker = lasting_broker();
    let listener = subscriber(&[&broker.uri("mqtt"), "-t", "t", "-q", "1"]);
    let scratch = Scratch::new();
    let session = scratch.path().join("session");
    let directory = session.display().to_string();
    let send = |uri: &str, message: &str| {
        let arguments = ["pub", uri, "-t", "t", "-q", "1", "-i", "d", "-m", message];
        run(&[&arguments[..], &["--session", &directory, "-W", "60"]].concat())
    };
    let nowhere = "mqtt://127.0.0.1:1";
    assert_eq!(send(nowhere, "first").status, 6);
    // Like a record of another user: reading it fails, even for root.
    let unreadable = session.join("8123.record");
    std::os::unix::fs::symlink(&unreadable, &unreadable).unwrap();
    let before = std::fs::read_dir(&session).unwrap().count();
    for uri in [nowhere, &broker.uri("mqtt")] {
        let outcome = send(uri, "second");
        assert_eq!(outcome.status, 1, "{outcome:?}");
        let says = format!("--session {directory} cannot be read or written");
        assert!(outcome.stderr.contains(&says), "{outcome:?}");
        assert!(!outcome.stderr.contains("Kept"), "{outcome:?}");
        let says = "Not kept: the message.";
        assert!(outcome.stderr.contains(says), "{outcome:?}");
        let sub = run(&[
            "sub",
            uri,
            "-t",
            "t",
            "-i",
            "d",
            "--session",
            &directory,
            "-W",
            "60",
        ]);
        assert_eq!(sub.status, 1, "{sub:?}");
        assert_eq!(std::fs::read_dir(&session).unwrap().count(), before);
    }
    std::fs::remove_file(&unreadable).unwrap();
    let outcome = send(&broker.uri("mqtt"), "third");
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert_eq!(listener.line(), "first");
    assert_eq!(listener.line(), "third");
}

/// However early the first attempt fails.
#[test]
fn input_that_is_there_is_kept() {
    let scratch = Scratch::new();
    let records = |directory: &str| {
        let names = std::fs::read_dir(directory).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| **name >= *"8000").count()
    };
    let lines: String = (0..40).map(|n| format!("{n}\n")).collect();
    let many: String = (0..300).map(|n| format!("{n}\n")).collect();
    for (name, how, input, kept, rest) in [
        ("whole", &["-s"][..], "21.5", 1, None),
        ("pipe", &["-f", "/dev/stdin"], "21.5", 1, None),
        ("lines", &["-l"], &*lines, 40, None),
        // More than fits into the outbox.
        (
            "many",
            &["-l"],
            &*many,
            256,
            Some("the input from line 257 on"),
        ),
    ] {
        let directory = scratch.path().join(name).display().to_string();
        let arguments = ["pub", "mqtt://127.0.0.1:1", "-t", "t", "-q", "1", "-i", "d"];
        let arguments = [&arguments[..], &["--session", &directory], how].concat();
        let outcome = run_with_input(&arguments, input.as_bytes());
        assert_eq!(outcome.status, 6, "{outcome:?}");
        assert_eq!(records(&directory), kept, "{outcome:?}");
        let (verb, they) = match kept {
            1 => ("1 message is stored".to_owned(), "it"),
            _ => (format!("{kept} messages are stored"), "them"),
        };
        let mut says = format!(
            "  Kept: {verb} in --session {directory}; the next pub with that directory sends {they}.\n"
        );
        says.extend(rest.map(|rest| format!("  Not kept: {rest}.\n")));
        assert!(outcome.stderr.ends_with(&says), "{outcome:?}");
    }

    // It does not wait for input that has not arrived yet.
    for (how, rest) in [("-s", "the message"), ("-l", "the input from line 2 on")] {
        let directory = scratch.path().join(how).display().to_string();
        let mut publisher = Running::start(&[
            "pub",
            "mqtt://127.0.0.1:1",
            "-t",
            "t",
            "-q",
            "1",
            "-i",
            "d",
            "--session",
            &directory,
            how,
        ]);
        publisher.say("one\ntw");
        publisher.wait_for_error(&format!("  Not kept: {rest}."));
        assert_eq!(publisher.status(), 6);
    }
}

/// With the same identifier, as if a broker binds it to its user.
#[test]
fn what_waits_for_a_subscriber_is_left_by_pub_and_doctor() {
    let broker = lasting_broker();
    let uri = broker.uri("mqtt");
    let scratch = Scratch::new();
    let directory = scratch.path().join("session").display().to_string();
    for kept in [&["-c"][..], &["--session", &directory]] {
        let id = [kept, &["-i", kept[0].trim_start_matches('-')]].concat();
        let sub = [&["sub", &uri, "-t", "t", "-q", "2"], &id[..]].concat();
        run(&[&sub[..], &["-W", "1"]].concat());
        for (qos, message) in [("1", "one"), ("2", "two")] {
            publish(&[&uri, "-t", "t", "-q", qos, "-m", message]);
        }
        let pub_ = ["pub", &uri, "-t", "other", "-m", "x", "-q", "1"];
        let published = run(&[&pub_[..], &id[..]].concat());
        assert_eq!(published.status, 0, "{published:?}");
        if kept.len() == 1 {
            let doctor = run(&[&["doctor", &uri][..], &id[..]].concat());
            assert_eq!(doctor.status, 0, "{doctor:?}");
        }
        let received = run(&[&sub[..], &["-C", "2", "-W", "30"]].concat());
        assert_eq!(received.stdout, "one\ntwo\n", "{received:?}");
    }
}

#[test]
fn a_retained_message_comes_once_to_each_command() {
    let broker = lasting_broker();
    let uri = broker.uri("mqtt");
    publish(&[&uri, "-t", "t", "-r", "-q", "2", "-m", "kept"]);
    let scratch = Scratch::new();
    let directory = scratch.path().join("session").display().to_string();
    for _ in 0..3 {
        let received = run(&[
            "sub",
            &uri,
            "-t",
            "t",
            "-q",
            "2",
            "-i",
            "id",
            "--session",
            &directory,
            "-W",
            "2",
        ]);
        assert_eq!(received.stdout, "kept\n", "{received:?}");
    }
}
