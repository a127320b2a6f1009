//! The binary, as a user runs it.
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

fn demo(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_thread-mqtt-demo"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the demo runs")
}

/// Runs with `--json`, and expects success.
fn json(arguments: &[&str]) -> Value {
    let output = demo(&[arguments, &["--json"]].concat());
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {stderr}{stdout}");
    let value: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(value["ok"], true);
    assert_eq!(value["error"], Value::Null);
    assert_eq!(value["published"], value["received"]);
    value
}

fn stage_names(value: &Value) -> Vec<&str> {
    let stages = value["stages"].as_array().unwrap();
    stages
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect()
}

/// A temporary folder, removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("thread-mqtt-demo-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn the_default_tells_every_stage_and_what_came_back() {
    let output = demo(&[]);
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let stdout = String::from_utf8(output.stdout).unwrap();
    for expected in [
        "mqtts://broker.example.com:8883",
        "attached",
        "prefix",
        "203.0.113.10",
        "TLS 1.2 TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        "connack",
        "first publish",
        "5 of 5 came back",
        "Published 5 messages to thread-mqtt/demo and received 5 back.",
    ] {
        assert!(
            stdout.contains(expected),
            "{expected} is missing:\n{stdout}"
        );
    }
    assert!(!stdout.contains('\x1b'), "no colour off a terminal");
}

#[test]
fn json_has_what_help_documents() {
    let value = json(&[]);
    assert_eq!(
        stage_names(&value),
        [
            "attached",
            "prefix",
            "dns",
            "tcp",
            "tls",
            "connack",
            "subscribed",
            "first publish",
            "messages"
        ]
    );
    let prefix = value["nat64_prefix"].as_str().unwrap();
    assert!(prefix.ends_with("::/96"), "{prefix}");
    let address: std::net::Ipv6Addr = value["broker_address"].as_str().unwrap().parse().unwrap();
    assert_eq!(address.octets()[12..], [203, 0, 113, 10]);
    assert_eq!(value["tls_version"], "TLS 1.2");
    assert_eq!(
        value["cipher_suite"],
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
    );
    assert_eq!(value["published"], 5);
    // The parts add up to at most the total, which also includes the disconnect.
    let sum = |what: &str| -> u64 {
        let stages = value["stages"].as_array().unwrap();
        stages.iter().map(|one| one[what].as_u64().unwrap()).sum()
    };
    for what in ["frames", "bytes"] {
        assert!(
            (1..=value[what].as_u64().unwrap()).contains(&sum(what)),
            "{what}"
        );
    }
    let help = String::from_utf8(demo(&["--help"]).stdout).unwrap();
    for key in value.as_object().unwrap().keys() {
        assert!(help.contains(key.as_str()), "--help does not tell of {key}");
    }
}

#[test]
fn both_tls_and_mqtt_versions_and_every_qos() {
    let value = json(&["--tls", "1.3"]);
    assert_eq!(value["tls_version"], "TLS 1.3");
    for mqtt in ["3.1.1", "5"] {
        for qos in ["0", "1", "2"] {
            let value = json(&["--mqtt", mqtt, "--qos", qos, "--messages", "3"]);
            assert_eq!(value["mqtt_version"], mqtt);
            assert_eq!(value["received"], 3);
        }
    }
}

#[test]
fn loss_hops_and_a_sleepy_device() {
    json(&["--loss", "10", "--peer", "virtual"]);
    json(&["--hops", "2", "--peer", "virtual"]);
    json(&["--sleepy", "--peer", "virtual"]);
    let awake = json(&["--peer", "virtual"]);
    let far = json(&["--hops", "2", "--peer", "virtual"]);
    assert!(far["frames"].as_u64() > awake["frames"].as_u64());
    // Again over host sockets, where time is the wall clock's.
    json(&["--loss", "10"]);
    json(&["--hops", "1", "--sleepy", "100"]);
}

#[test]
fn the_same_seed_repeats_byte_for_byte_inside_the_world() {
    let folder = Folder::new("repeat");
    for options in [
        &["--tls", "1.2"][..],
        &["--tls", "1.3", "--loss", "10"],
        &["--tls", "1.3", "--peer", "virtual-ecdsa"],
    ] {
        let run = |name: &str, seed: &str| {
            let pcap = folder.file(name);
            let fixed = [
                "--peer",
                "virtual",
                "--seed",
                seed,
                "--json",
                "--pcap",
                text(&pcap),
            ];
            // A second --peer would be refused: add ours only if there is none.
            let fixed = if options.contains(&"--peer") {
                &fixed[2..]
            } else {
                &fixed[..]
            };
            let output = demo(&[options, fixed].concat());
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            // The file's name is in the arguments that decrypt it.
            let json = String::from_utf8(output.stdout).unwrap();
            (json.replace(name, "run.pcap"), std::fs::read(pcap).unwrap())
        };
        let (json_a, pcap_a) = run("a.pcap", "7");
        let (json_b, pcap_b) = run("b.pcap", "7");
        let (_, pcap_c) = run("c.pcap", "8");
        assert_eq!(json_a, json_b, "{options:?}");
        assert!(
            pcap_a == pcap_b,
            "{options:?}: two captures of one seed differ"
        );
        assert!(pcap_a != pcap_c, "{options:?}: the seed changes nothing");
    }
}

#[test]
fn the_capture_and_the_picture_are_well_formed() {
    let folder = Folder::new("files");
    let (pcap, svg) = (folder.file("run.pcap"), folder.file("run.svg"));
    let value = json(&[
        "--peer",
        "virtual",
        "--pcap",
        text(&pcap),
        "--plot",
        text(&svg),
    ]);

    let file = std::fs::File::open(&pcap).unwrap();
    let mut reader = pcap_file::pcap::PcapReader::new(file).unwrap();
    assert_eq!(u32::from(reader.header().datalink), 195);
    let mut frames = 0;
    while let Some(packet) = reader.next_packet() {
        assert!((3..=127).contains(&packet.unwrap().data.len()));
        frames += 1;
    }
    assert_eq!(Some(frames), value["frames"].as_u64());

    let svg = std::fs::read_to_string(&svg).unwrap();
    let picture = roxmltree::Document::parse(&svg).unwrap();
    let texts: Vec<&str> = picture
        .descendants()
        .filter_map(|node| node.text())
        .collect();
    for name in stage_names(&value) {
        assert!(texts.contains(&name), "{name}");
    }
}

#[test]
fn real_time_takes_as_long_as_the_world() {
    let began = std::time::Instant::now();
    let value = json(&["--real-time", "--peer", "virtual", "--messages", "1"]);
    let took = began.elapsed().as_secs_f64() * 1000.0;
    let stages = value["stages"].as_array().unwrap();
    let world: f64 = stages.iter().map(|one| one["ms"].as_f64().unwrap()).sum();
    assert!(took >= world, "{world} simulated ms in {took} ms");
}

#[test]
fn many_messages_come_back_once_each() {
    let value = json(&["--messages", "60", "--qos", "2", "--peer", "virtual"]);
    assert_eq!(value["received"], 60);
}

#[test]
fn a_capture_comes_with_what_decrypts_it() {
    let folder = Folder::new("wire'shark");
    let (pcap, keys) = (folder.file("air.pcap"), folder.file("keys.log"));
    let value = json(&[
        "--pcap",
        text(&pcap),
        "--keylog",
        text(&keys),
        "--tls",
        "1.3",
    ]);
    let arguments = value["wireshark"].as_str().unwrap();
    for expected in [
        "uat:ieee802154_keys:\"",
        "\",\"1\",\"Thread hash\"",
        " -o 6lowpan.context0:fd",
        " -o 6lowpan.context1:fd",
        " -d tcp.port==8883,tls",
    ] {
        assert!(arguments.contains(expected), "{expected}: {arguments}");
    }
    // A shell can parse the paths, whatever they contain.
    let words = Command::new("sh")
        .args(["-c", &format!("printf '%s\\n' {arguments}")])
        .output()
        .unwrap();
    let words = String::from_utf8(words.stdout).unwrap();
    let keys_named = format!("tls.keylog_file:{}", text(&keys));
    for word in [text(&pcap), &keys_named] {
        assert!(words.lines().any(|one| one == word), "{word}: {words}");
    }
    // One connection: two traffic secrets and two handshake secrets (RFC 9850, section 2).
    let keys = std::fs::read_to_string(&keys).unwrap();
    for label in [
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
        "SERVER_HANDSHAKE_TRAFFIC_SECRET",
        "CLIENT_TRAFFIC_SECRET_0",
        "SERVER_TRAFFIC_SECRET_0",
    ] {
        let lines: Vec<_> = keys
            .lines()
            .filter(|line| line.starts_with(label))
            .collect();
        let [line] = lines[..] else {
            panic!("{label}: {keys}");
        };
        let lengths: Vec<_> = line.split(' ').skip(1).map(str::len).collect();
        assert_eq!(lengths.first(), Some(&64), "{line}");
    }
    assert_eq!(json(&[])["wireshark"], Value::Null);
}

/// When stopped by a signal, the demo ends gracefully: the device disconnects, the capture is
/// complete, and neither Mosquitto nor its files remain. When killed, it takes Mosquitto with it.
#[test]
fn a_run_that_is_interrupted_leaves_nothing_behind() {
    let folder = Folder::new("interrupted");
    let pcap = folder.file("air.pcap");
    for signal in ["INT", "TERM", "HUP", "KILL"] {
        // A parent that ignores some of them, like a shell with background jobs, would pass that
        // on.
        let demo = Command::new("env")
            .args(["--default-signal", env!("CARGO_BIN_EXE_thread-mqtt-demo")])
            .args(["--real-time", "--messages", "1000", "--json"])
            .args(["--username", "user", "--password", "word"])
            .args(["--pcap", text(&pcap)])
            .env("TMPDIR", &folder.0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let id = demo.id().to_string();
        let mut broker = None;
        while broker.is_none() {
            let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
            let children = children.unwrap();
            let name = |child: &str| std::fs::read_to_string(format!("/proc/{child}/comm"));
            let mut children = children.split_whitespace();
            broker = children
                .find(|child| name(child).is_ok_and(|name| name == "mosquitto\n"))
                .map(str::to_owned);
        }
        // The device has sent some frames.
        while !std::fs::metadata(&pcap).is_ok_and(|file| file.len() > 0) {
            std::thread::sleep(Duration::from_millis(10));
        }
        let sent = Command::new("kill").args(["-s", signal, &id]).status();
        assert!(sent.unwrap().success());
        let output = demo.wait_with_output().unwrap();
        let broker = format!("/proc/{}/exe", broker.unwrap());
        while std::fs::read_link(&broker).is_ok() {
            std::thread::sleep(Duration::from_millis(10));
        }
        let left = std::fs::read_dir(&folder.0).unwrap();
        let left: Vec<_> = left.map(|file| file.unwrap().file_name()).collect();
        assert_eq!(left, ["air.pcap"]);
        if signal == "KILL" {
            continue;
        }
        assert_eq!(output.status.code(), Some(130), "{signal}: {output:?}");
        let value: Value = serde_json::from_slice(&output.stdout).unwrap();
        let cause = value["error"]["cause"].as_str().unwrap();
        assert!(cause.contains("interrupted"), "{cause}");
        let capture = std::fs::read(&pcap).unwrap();
        let mut reader = pcap_file::pcap::PcapReader::new(&capture[..]).unwrap();
        while let Some(packet) = reader.next_packet() {
            packet.unwrap();
        }
        std::fs::remove_file(&pcap).unwrap();
    }
}

/// If the reader closes the pipe, the demo ends quietly; a full disk is reported.
#[test]
fn output_that_cannot_be_written() {
    let print_to = |stdout: Stdio, arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_thread-mqtt-demo"))
            .args(["--peer", "virtual", "--messages", "1"])
            .args(arguments)
            .stdout(stdout)
            .stderr(Stdio::piped())
            .spawn()
            .and_then(std::process::Child::wait_with_output)
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap(), said)
    };
    for arguments in [&[][..], &["--json"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        assert_eq!(print_to(writer.into(), arguments), (0, String::new()));
        let full = std::fs::File::options().write(true).open("/dev/full");
        let (status, said) = print_to(full.unwrap().into(), arguments);
        assert_eq!(status, 1, "{said}");
        assert!(
            said.contains("annot write to standard output (No space left"),
            "{said}"
        );
    }
}

/// `./demo` prints this text before anything is built.
#[test]
fn the_help_that_needs_no_build_is_the_demos() {
    let help = demo(&["--help"]);
    assert_eq!(
        String::from_utf8(help.stdout).unwrap(),
        include_str!("../help.txt"),
        "renew it: thread-mqtt-demo --help > rust/tools/demo/help.txt"
    );
}

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../demo");

#[test]
fn the_script_answers_before_it_builds() {
    let script = |arguments: &[&str], path: &str| {
        Command::new(SCRIPT)
            .args(arguments)
            .env("PATH", path)
            .env("HOME", "/nonexistent")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    };
    // Without cargo, nothing can be built.
    let run = |arguments: &[&str]| script(arguments, "/usr/bin:/bin");
    for arguments in [
        &["--help"][..],
        &["-h"],
        &["--loss", "0", "-h"],
        &["--sleepy", "--qos", "0", "--help"],
    ] {
        let output = run(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        let printed = String::from_utf8(output.stdout).unwrap();
        assert_eq!(printed, include_str!("../help.txt"));
    }
    for (arguments, wrong) in [
        (&["--no-such-option"][..], "'--no-such-option'"),
        (&["--brok=mqtt://a"], "'--brok'"),
        (&["--json", "word"], "'word'"),
        (&["-x"], "'-x'"),
        (&["--qos", "1", "2"], "'2'"),
        (&["--loss"], "a value is required for '--loss'"),
        (&["--json", "--pcap"], "a value is required for '--pcap'"),
        (&["--pcap", "--json"], "a value is required for '--pcap'"),
        (&["--qos", "3"], "'--qos': write a number from 0 to 2"),
        (&["--qos=1.5"], "'--qos': write a number from 0 to 2"),
        (&["--qos", "--json"], "'--json' for '--qos'"),
        (&["--loss", "101"], "'--loss': write a number from 0 to 100"),
        (&["--loss", "nan"], "from 0 to 100"),
        (&["--loss", ""], "from 0 to 100"),
        (&["--hops", "9"], "from 0 to 8"),
        (&["--sleepy", "5"], "from 10 to 240000"),
        (&["--sleepy", "-1"], "from 10 to 240000"),
        (&["--seed", "-1"], "'--seed'"),
        (&["--tls", "1.1"], "'--tls': write one of 1.2, 1.3"),
        (&["--mqtt=4"], "'--mqtt': write one of 3.1.1, 5"),
        (&["--no-nat64=1"], "unexpected value '1' for '--no-nat64'"),
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(wrong) && said.contains("--help"), "{said}");
        // The demo itself agrees.
        let demo = demo(arguments);
        assert_eq!(demo.status.code(), Some(2), "{arguments:?}: {demo:?}");
    }
    for (arguments, wrong) in [
        (&["--pcap", "/no/such/folder/x"][..], "'/no/such/folder/x'"),
        (&["--plot=/"], "'/' given by --plot"),
        (&["--pcap", ""], "a value is required for '--pcap'"),
        (&["--keylog="], "a value is required for '--keylog'"),
        (&["--ca", "/no/such/file"], "'/no/such/file' given by --ca"),
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(wrong) && said.contains("cure:"), "{said}");
    }
    for version in ["--version", "-V"] {
        let output = run(&["--qos", "1", version]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(output.stdout, demo(&[version]).stdout);
    }
    // Valid options get as far as the build.
    let tools = Folder::new("tools");
    // Through a link, and with a cd that prints where it went.
    let link = tools.file("link");
    std::os::unix::fs::symlink(SCRIPT, &link).unwrap();
    for script in [SCRIPT, "./demo", text(&link)] {
        let output = Command::new(script)
            .arg("--help")
            .current_dir(Path::new(SCRIPT).parent().unwrap())
            .env("CDPATH", ".")
            .output()
            .unwrap();
        assert!(output.status.success(), "{script}: {output:?}");
        assert_eq!(output.stderr, b"", "{script}");
    }
    for (tool, status) in [("cargo", 42), ("rustfmt", 0)] {
        let path = tools.file(tool);
        std::fs::write(&path, format!("#!/bin/sh\nexit {status}\n")).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:/usr/bin:/bin", text(&tools.0));
    for arguments in [
        &["--username", "-u", "--password", "--qos", "--topic=-t"][..],
        &[
            "--loss",
            "12.5",
            "--hops=8",
            "--sleepy",
            "--seed",
            "18446744073709551615",
        ],
        &[
            "--sleepy",
            "10",
            "--json",
            "--mqtt",
            "3.1.1",
            "--tls=1.3",
            "--pcap",
            "x",
        ],
        &["--peer", "virtual", "--measure", "3"],
    ] {
        let output = script(arguments, &path);
        assert_eq!(output.status.code(), Some(42), "{arguments:?}: {output:?}");
    }
}
