//! How `pub` and `sub` start, continue and end, against mosquitto and together with its own
//! clients.
mod common;

use common::mosquitto::{Mosquitto, publish, subscriber};
use common::{PATIENCE, Running, Scratch, command, run, run_with_input};
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use thread_mqtt_test_support::closed::ClosedPort;
use thread_mqtt_testkit::peer::host::HostPeer;
use thread_mqtt_testkit::peer::{self, OnlyV311};

/// Waiting for input is not reported as a fault of the broker.
#[test]
fn an_idle_publisher_outlives_any_number_of_restarts() {
    for version in ["3.1.1", "5"] {
        let mut broker = Mosquitto::plain();
        let uri = broker.uri("mqtt");
        let mut publisher =
            Running::start(&["pub", &uri, "-V", version, "-t", "t", "-l", "-q", "1", "-d"]);
        for _ in 0..4 {
            publisher.wait_for_error("online");
            broker.kill();
            publisher.wait_for_error("next attempt");
            broker.revive();
        }
        publisher.wait_for_error("online");
        let sub = subscriber(&[&uri, "-t", "t", "-C", "1"]);
        publisher.say("still there\n");
        assert_eq!(sub.line(), "still there");
        publisher.say_no_more();
        assert_eq!(publisher.status(), 0);
    }
}

#[test]
fn what_is_in_flight_waits_for_a_broker_that_is_away() {
    for version in ["3.1.1", "5"] {
        let mut broker = Mosquitto::plain();
        let uri = broker.uri("mqtt");
        let all = [
            "pub", &uri, "-V", version, "-t", "t", "-l", "-q", "1", "-r", "-d",
        ];
        let mut publisher = Running::start(&all);
        publisher.wait_for_error("online");
        broker.kill();
        publisher.say("published offline\n");
        publisher.say_no_more();
        for _ in 0..3 {
            publisher.wait_for_error("next attempt");
        }
        assert!(publisher.is_running());
        broker.revive();
        assert_eq!(publisher.status(), 0);
        let kept = run(&["sub", &uri, "-t", "t", "-C", "1", "-W", "60"]);
        assert_eq!(kept.stdout, "published offline\n");
    }
}

#[test]
fn a_time_limit_and_a_count_end_in_good_order() {
    let broker = Mosquitto::plain();
    let uri = broker.uri("mqtt");
    let watcher = subscriber(&[&uri, "-t", "will/#", "-v", "-q", "1"]);
    let ended = |topic: &str, more: &[&str]| {
        let mut all = vec![
            "sub",
            &uri,
            "-t",
            "n",
            "--will-topic",
            topic,
            "--will-payload",
            "gone",
        ];
        all.extend(more);
        run(&all)
    };
    // Long after CONNACK: without one, the broker is not told about the end.
    let outcome = ended("will/limit", &["-W", "5"]);
    assert_eq!(outcome.status, 10, "{outcome:?}");
    assert!(outcome.stderr.contains("--timeout"), "{outcome:?}");
    publish(&[&uri, "-t", "n", "-m", "x", "-r", "-q", "1"]);
    assert_eq!(ended("will/count", &["-C", "1", "-W", "60"]).status, 0);
    let outcome = run(&[
        "pub",
        &uri,
        "-t",
        "n",
        "-l",
        "-W",
        "60",
        "--will-topic",
        "will/pub",
        "--will-payload",
        "gone",
    ]);
    assert_eq!(outcome.status, 0, "the input is empty: {outcome:?}");
    // None of the wills was published before this message.
    publish(&[&uri, "-t", "will/end", "-m", "x", "-q", "1"]);
    assert_eq!(watcher.line(), "will/end x");
}

/// Messages received beyond the count are not acknowledged, so they are delivered again.
#[test]
fn messages_beyond_the_count_are_left_to_the_next_run() {
    for version in ["3.1.1", "5"] {
        let broker = Mosquitto::plain();
        let uri = broker.uri("mqtt");
        let me = [
            "sub", &uri, "-V", version, "-c", "-i", "me", "-t", "t", "-q", "1", "-W", "60", "-C",
        ];
        let with = |count: &str| {
            let mut all = me.to_vec();
            all.push(count);
            run(&all)
        };
        // Creates the session.
        let first = subscriber(&[&uri, "-V", version, "-c", "-i", "me", "-t", "t", "-q", "1"]);
        first.interrupt();
        assert_eq!(first.status(), 0);
        for n in 0..5 {
            publish(&[&uri, "-t", "t", "-m", &n.to_string(), "-q", "1"]);
        }
        assert_eq!(with("2").stdout, "0\n1\n");
        assert_eq!(with("3").stdout, "2\n3\n4\n");
    }
}

#[test]
fn lines_are_messages_as_mosquitto_has_them() {
    let broker = Mosquitto::plain();
    let uri = broker.uri("mqtt");
    let sub = subscriber(&[&uri, "-t", "t", "-q", "1", "-C", "6", "-F", "%l %x"]);
    let lines = b"a\n\n b\r\nlast";
    let outcome = run_with_input(
        &["pub", &uri, "-t", "t", "-l", "-q", "1", "-W", "60"],
        lines,
    );
    assert_eq!(outcome.status, 0, "{outcome:?}");
    for line in ["1 61", "0 ", "3 20620d", "4 6c617374"] {
        assert_eq!(sub.line(), line);
    }
    publish(&[&uri, "-t", "t", "-m", "-5", "-q", "1"]);
    publish(&[&uri, "-t", "t", "-m", "", "-q", "1"]);
    assert_eq!(sub.line(), "2 2d35");
    assert_eq!(sub.line(), "0 ");
    assert_eq!(sub.status(), 0);
}

#[test]
fn a_reader_that_has_enough_ends_the_subscriber_quietly() {
    let broker = Mosquitto::plain();
    let uri = broker.uri("mqtt");
    let watcher = subscriber(&[&uri, "-t", "will/#", "-v"]);
    let mut child = command(&["sub", &uri, "-t", "t", "-d", "--will-topic", "will/pipe"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains("subscribed") {
        said.clear();
        assert!(errors.read_line(&mut said).unwrap() > 0);
    }
    drop(child.stdout.take());
    let began = Instant::now();
    let status = loop {
        publish(&[&uri, "-t", "t", "-m", "x"]);
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(began.elapsed() < PATIENCE);
        thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(status.code(), Some(0));
    let mut rest = String::new();
    while errors.read_line(&mut rest).unwrap() > 0 {}
    assert!(!rest.contains("thread-mqtt:"), "{rest}");
    publish(&[&uri, "-t", "will/end", "-m", "x"]);
    assert_eq!(watcher.line(), "will/end x");
}

#[test]
fn properties_travel_there_and_back() {
    let broker = Mosquitto::plain();
    let uri = broker.uri("mqtt");
    let format = "%t %p %C %D %F %R %P";
    let sub = subscriber(&[&uri, "-t", "t", "-C", "2", "-F", format]);
    publish(&[
        &uri,
        "-t",
        "t",
        "-m",
        "x",
        "--content-type",
        "text/plain",
        "--correlation-data",
        "-7",
        "--payload-format",
        "utf8",
        "--response-topic",
        "answer",
        "--user-property",
        "a=b",
        "--user-property",
        "c=d=e",
        "--message-expiry",
        "60",
    ]);
    assert_eq!(sub.line(), "t x text/plain -7 1 answer a:b c:d=e");
    // In the syntax of mosquitto_pub.
    publish(&[
        &uri,
        "-t",
        "t",
        "-m",
        "x",
        "-D",
        "publish",
        "content-type",
        "text/plain",
        "-D",
        "publish",
        "user-property",
        "a",
        "b",
    ]);
    assert_eq!(sub.line(), "t x text/plain    a:b");
    assert_eq!(sub.status(), 0);
    let refused = run(&[
        "pub",
        &uri,
        "-V",
        "3.1.1",
        "-t",
        "t",
        "-n",
        "--content-type",
        "x",
    ]);
    assert_eq!(refused.status, 2, "{refused:?}");
    let unknown = run(&[
        "pub",
        &uri,
        "-t",
        "t",
        "-n",
        "-D",
        "publish",
        "topic-alias",
        "1",
    ]);
    assert_eq!(unknown.status, 2, "{unknown:?}");
}

#[test]
fn a_will_with_a_delay_and_properties() {
    let broker = Mosquitto::plain();
    let uri = broker.uri("mqtt");
    let watcher = subscriber(&[&uri, "-t", "will", "-F", "%p %C %P"]);
    let killed = |delay: &str| {
        let doomed = subscriber(&[
            &uri,
            "-t",
            "t",
            "--will-topic",
            "will",
            "--will-payload",
            "-1",
            "--will-delay",
            delay,
            "--will-content-type",
            "text/plain",
            "--will-user-property",
            "a=b",
            "-x",
            "7200",
            "-c",
            "-i",
            "doomed",
        ]);
        doomed.kill();
    };
    killed("1");
    assert_eq!(watcher.line(), "-1 text/plain a:b");
    // With a delay of an hour, a message sent after the end arrives before the will.
    killed("3600");
    publish(&[&uri, "-t", "will", "-m", "before", "--content-type", "x"]);
    assert_eq!(watcher.line(), "before x ");
}

#[test]
fn many_filters_go_out_in_requests_of_eight() {
    let broker = Mosquitto::plain();
    let uri = broker.uri("mqtt");
    let topics: Vec<_> = (0..20).map(|n| format!("many/{n}")).collect();
    let mut all = vec!["sub", &uri, "-W", "60", "-C", "20", "-v"];
    for topic in &topics {
        publish(&[&uri, "-t", topic, "-m", "x", "-r", "-q", "1"]);
        all.extend(["-t", topic.as_str()]);
    }
    let outcome = run(&all);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    for topic in &topics {
        assert!(outcome.stdout.contains(&format!("{topic} x")), "{topic}");
    }
}

#[test]
fn the_next_broker_of_a_list_takes_the_place_of_one_that_is_away() {
    let broker = Mosquitto::plain();
    let mut dead = Mosquitto::plain();
    dead.kill();
    let list = format!("{},{}", dead.uri("mqtt"), broker.uri("mqtt"));
    publish(&[&list, "-t", "t", "-m", "x", "-q", "1"]);
    // Listed twice, as a script may do.
    let closed = ClosedPort::any().unwrap();
    let (dead_uri, other) = (dead.uri("mqtt"), closed.address());
    for twice in [
        format!("{dead_uri},{list}"),
        format!("{dead_uri},mqtt://{other},{list}"),
    ] {
        publish(&[&twice, "-t", "t", "-m", "x", "-q", "1"]);
    }
    let both = format!("{0},{0}", dead.uri("mqtt"));
    let outcome = run(&["pub", &both, "-t", "t", "-m", "x", "-W", "60"]);
    assert_eq!(outcome.status, 6, "{outcome:?}");
}

#[test]
fn a_broker_that_only_speaks_3_1_1() {
    for reaction in [OnlyV311::Closes, OnlyV311::Refuses] {
        let config = peer::Config {
            only_v311: Some(reaction),
            ..peer::Config::new(None)
        };
        let broker = HostPeer::start(config, 1).unwrap();
        let uri = format!("mqtt://{}", broker.address());
        let plain = run(&["pub", &uri, "-t", "t", "-m", "x", "-q", "1", "-W", "60"]);
        assert_eq!(plain.status, 8, "{plain:?}");
        assert!(plain.stderr.contains("3.1.1"), "{plain:?}");
        let doctor = run(&["doctor", &uri]);
        assert_eq!(doctor.status, 8, "{doctor:?}");
        assert!(doctor.stdout.contains("use -V 3.1.1"), "{doctor:?}");
        let all = [
            "pub",
            &uri,
            "--fallback",
            "-t",
            "t",
            "-m",
            "x",
            "-q",
            "1",
            "-W",
            "60",
        ];
        let fallback = run(&all);
        assert_eq!(fallback.status, 0, "{fallback:?}");
        assert_eq!(broker.log().published.len(), 1);
        // Lines that arrive before the fallback, and after it.
        let mut lines = Running::start(&[
            "pub",
            &uri,
            "--fallback",
            "-t",
            "t",
            "-l",
            "-q",
            "1",
            "--content-type",
            "text/plain",
        ]);
        lines.say("before\n");
        lines.wait_for_error("without properties");
        lines.say("after\n");
        lines.say_no_more();
        assert_eq!(lines.status(), 0);
        assert_eq!(broker.log().published.len(), 3);
    }
}

#[test]
fn a_redirect_is_followed_or_shown() {
    let there = HostPeer::start(peer::Config::new(None), 1).unwrap();
    let config = peer::Config {
        refuse: Some(0x9d),
        server_reference: Some(there.address().to_string()),
        ..peer::Config::new(None)
    };
    let here = HostPeer::start(config, 2).unwrap();
    let uri = format!("mqtt://{}", here.address());
    publish(&[&uri, "-t", "t", "-m", "x", "-q", "1"]);
    assert_eq!(there.log().published.len(), 1);
    let outcome = run(&[
        "pub",
        &uri,
        "--redirects",
        "0",
        "-t",
        "t",
        "-m",
        "x",
        "-W",
        "60",
    ]);
    assert_eq!(outcome.status, 8, "{outcome:?}");
    assert!(
        outcome.stderr.contains(&there.address().to_string()),
        "{outcome:?}"
    );
    let doctor = run(&["doctor", &uri]);
    let cure = format!(
        "what to do   if this is another broker, use it: \"{}\"",
        there.address()
    );
    assert!(doctor.stdout.contains(&cure), "{doctor:?}");
}

/// A dead target is tried once, and then the next broker of the list.
#[test]
fn a_redirect_to_a_dead_broker() {
    let closed = ClosedPort::any().unwrap();
    let config = peer::Config {
        refuse: Some(0x9c),
        server_reference: Some(closed.address().to_string()),
        ..peer::Config::new(None)
    };
    let here = HostPeer::start(config, 1).unwrap();
    let uri = format!("mqtt://{}", here.address());
    let outcome = run(&["pub", &uri, "-t", "t", "-m", "x", "-W", "60"]);
    assert_eq!(outcome.status, 6, "{outcome:?}");
    assert_eq!(
        outcome.stderr.matches("Earlier:").count(),
        1,
        "{}",
        outcome.stderr
    );
    assert_eq!(here.log().connects.len(), 1);

    let next = HostPeer::start(peer::Config::new(None), 2).unwrap();
    let list = format!("{uri},mqtt://{}", next.address());
    publish(&[&list, "-t", "t", "-m", "x", "-q", "1"]);
    assert_eq!(next.log().published.len(), 1);
}

#[test]
fn an_interrupted_publisher_ends_as_shells_have_it() {
    let broker = Mosquitto::plain();
    let uri = broker.uri("mqtt");
    let publisher = Running::start(&["pub", &uri, "-t", "t", "-l", "-d"]);
    publisher.wait_for_error("online");
    publisher.interrupt();
    publisher.wait_for_error("interrupted while waiting for more input");
    assert_eq!(publisher.status(), 130);
}

/// Each of the signals if none is ignored, and the others if one is ignored.
#[test]
fn a_signal_that_is_ignored_ends_nothing() {
    let broker = Mosquitto::plain();
    let uri = broker.uri("mqtt");
    let watcher = subscriber(&[&uri, "-t", "will", "-t", "end"]);
    let start = |ignored: &str| {
        let script = format!("trap '' {ignored}\nexec \"$0\" \"$@\"");
        let program = env!("CARGO_BIN_EXE_thread-mqtt");
        // If this test was started with signals ignored (nohup), a shell cannot restore them.
        let mut shell = Command::new("env");
        shell.args(["--default-signal=HUP,INT,TERM", "sh", "-c", &script]);
        shell.args([program, "sub", &uri, "-t", "t", "-d"]);
        let running = Running::spawn(shell.args(["--will-topic", "will"]));
        running.wait_for_error("subscribed");
        running
    };
    for (ignored, signal) in [("", "TERM"), ("", "HUP"), ("HUP", "TERM"), ("INT", "HUP")] {
        let subscriber = start(ignored);
        if !ignored.is_empty() {
            subscriber.signal(ignored);
            publish(&[&uri, "-t", "t", "-m", "still there", "-q", "1"]);
            assert_eq!(subscriber.line(), "still there");
        }
        subscriber.signal(signal);
        assert_eq!(subscriber.status(), 0, "{ignored} {signal}");
    }
    // No will arrived before.
    publish(&[&uri, "-t", "end", "-m", "end", "-q", "1"]);
    assert_eq!(watcher.line(), "end");
}

/// A pipe holds 64 KiB, and then blocks until it is read.
#[test]
fn an_output_that_is_not_read_holds_up_no_end() {
    let broker = Mosquitto::plain();
    let uri = broker.uri("mqtt");
    let scratch = Scratch::new();
    let large = scratch.file("large", vec![b'x'; 1_000_000]);
    for qos in ["0", "1"] {
        publish(&[&uri, "-t", "large", "-f", &large, "-r", "-q", qos]);
        for (more, signal, status, says) in [
            (&[][..], Some("TERM"), 0, ""),
            (
                &["-W", "5"],
                None,
                10,
                "while standard output was not being read",
            ),
        ] {
            let arguments = ["sub", &uri, "-t", "large", "-q", qos];
            let mut child = command(&[&arguments[..], more].concat())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            // More follows than fits into the pipe.
            let out = child.stdout.as_mut().unwrap();
            out.read_exact(&mut [0]).unwrap();
            if let Some(name) = signal {
                common::signal(&child, name);
            }
            assert_eq!(child.wait().unwrap().code(), Some(status));
            let mut said = String::new();
            let mut errors = child.stderr.take().unwrap();
            errors.read_to_string(&mut said).unwrap();
            assert!(said.contains(says), "{said}");
        }
    }
}

/// Whatever it is blocked in: here, error messages that are not read.
#[test]
fn a_second_signal_ends_at_once() {
    let lines = "allow_anonymous true\nmax_qos 0";
    let broker = Mosquitto::start(Scratch::new(), lines, None);
    let uri = broker.uri("mqtt");
    // Each is named in a message, and together they do not fit into a pipe.
    let [one, other] = ["1", "2"].map(|letter| letter.repeat(60_000));
    let mut child = command(&["sub", &uri, "-t", &one, "-t", &other, "-q", "1"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let errors = child.stderr.as_mut().unwrap();
    errors.read_exact(&mut [0]).unwrap();
    common::signal(&child, "TERM");
    // Two signals close together count as one.
    thread::sleep(Duration::from_millis(1500));
    assert_eq!(child.try_wait().unwrap(), None);
    common::signal(&child, "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

/// Each ends the connection of the other, for which MQTT 3.1.1 has no reason code. The cure is
/// printed once, maybe before this client's subscription, so no line may be skipped before it.
#[test]
fn two_clients_with_one_identifier() {
    for version in ["3.1.1", "5"] {
        let broker = Mosquitto::plain();
        let uri = broker.uri("mqtt");
        let arguments = [
            "sub", &uri, "-V", version, "-t", "t", "-i", "twin", "-W", "120",
        ];
        let twin = Running::start(&arguments);
        let other = Running::start(&[&arguments[..], &["-d"]].concat());
        twin.wait_for_error("same --id, twin");
        other.wait_for_error("same --id, twin");
    }
}

#[test]
fn help_is_in_groups() {
    let groups = |command: &str| {
        let help = run(&[command, "--help"]).stdout;
        let headings = help
            .lines()
            .filter(|line| line.ends_with(':') && !line.starts_with(' '));
        headings.map(str::to_owned).collect::<Vec<_>>()
    };
    let of_pub = groups("pub");
    for heading in [
        "Payload (exactly one):",
        "Message:",
        "Message properties (MQTT 5):",
        "Connection:",
        "MQTT:",
        "Will:",
        "TLS:",
        "Network:",
        "Exit status:",
    ] {
        assert!(
            of_pub.iter().any(|line| line == heading),
            "{heading} not in {of_pub:?}"
        );
    }
    assert!(groups("sub").iter().any(|line| line == "Subscription:"));
    // Next to the option it is an alias of.
    let help = run(&["pub", "--help"]).stdout;
    let at = |text: &str| help.find(text).unwrap();
    assert!(at("--verbose") > at("\nConnection:") && at("--verbose") < at("\nMQTT:"));
}
