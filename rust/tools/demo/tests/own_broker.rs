//! `--broker` against Debian's mosquitto, like a user's own broker.
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use thread_mqtt_test_support::server;
use thread_mqtt_testkit::pki::{Chain, KeyKind};

/// A mosquitto with a TLS listener and a plain one, in its own folder.
struct Mosquitto {
    process: Child,
    folder: PathBuf,
    tls: u16,
    plain: u16,
}

impl Mosquitto {
    fn start(name: &str, kind: KeyKind) -> Self {
        let folder =
            std::env::temp_dir().join(format!("thread-mqtt-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let chain = Chain::generate(kind, &["localhost", "127.0.0.1"]).unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        write("ca.pem", &chain.root.certificate_pem());
        let passwords = write("passwords", "frog:pond\n");
        let hashed = Command::new("mosquitto_passwd")
            .args(["-U", &passwords])
            .status();
        assert!(
            hashed
                .expect("mosquitto_passwd (package mosquitto) runs")
                .success()
        );
        let certificate = write("chain.pem", &chain.leaf.chain_pem());
        let key = write("key.pem", &chain.leaf.key_pem());
        let (process, [tls, plain]) = server::start(|[tls, plain]| {
            let config = write(
                "mosquitto.conf",
                &format!(
                    "per_listener_settings true\n\
                     user root\n\
                     listener {tls} 127.0.0.1\ncertfile {certificate}\nkeyfile {key}\n\
                     allow_anonymous true\n\
                     listener {plain} 127.0.0.1\npassword_file {passwords}\n",
                ),
            );
            server::mosquitto(Path::new(&config))
                .stderr(std::fs::File::create(folder.join("log"))?)
                .spawn()
        })
        .expect("mosquitto (Debian's package) runs");
        Self {
            process,
            folder,
            tls,
            plain,
        }
    }

    fn ca(&self) -> String {
        self.folder.join("ca.pem").display().to_string()
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

fn json(arguments: &[&str]) -> Value {
    json_trusting(None, arguments)
}

/// Runs with these certificates as the ones that this machine trusts.
fn json_trusting(system: Option<&str>, arguments: &[&str]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_thread-mqtt-demo"));
    if let Some(file) = system {
        command.env("SSL_CERT_FILE", file);
    }
    let output = command
        .args(arguments)
        .arg("--json")
        .stdin(Stdio::null())
        .output()
        .expect("the demo runs");
    std::io::stderr().write_all(&output.stderr).unwrap();
    assert!(output.status.success(), "{arguments:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn mosquitto_over_tls_with_an_rsa_chain_by_name_and_by_address() {
    let broker = Mosquitto::start("rsa", KeyKind::Rsa2048);
    for host in ["localhost", "127.0.0.1"] {
        let uri = format!("mqtts://{host}:{}", broker.tls);
        for (tls, mqtt, qos) in [("1.2", "3.1.1", "2"), ("1.3", "5", "1")] {
            let value = json(&[
                "--broker",
                &uri,
                "--ca",
                &broker.ca(),
                "--tls",
                tls,
                "--mqtt",
                mqtt,
                "--qos",
                qos,
            ]);
            assert_eq!(value["received"], 5);
            assert_eq!(value["tls_version"], format!("TLS {tls}"));
            let address = value["broker_address"].as_str().unwrap();
            assert!(address.ends_with("7f00:1"), "through NAT64: {address}");
        }
    }
}

#[test]
fn mosquitto_with_an_ecdsa_chain_and_whatever_version_it_likes() {
    let broker = Mosquitto::start("ecdsa", KeyKind::P256);
    let uri = format!("mqtts://localhost:{}", broker.tls);
    let value = json(&["--broker", &uri, "--ca", &broker.ca()]);
    assert_eq!(value["tls_version"], "TLS 1.3");
    // Without --ca, the certificates that this machine trusts are used.
    json_trusting(Some(&broker.ca()), &["--broker", &uri]);
}

#[test]
fn mosquitto_in_the_clear_with_a_password() {
    let broker = Mosquitto::start("plain", KeyKind::P256);
    let uri = format!("mqtt://127.0.0.1:{}", broker.plain);
    let value = json(&["--broker", &uri, "--username", "frog", "--password", "pond"]);
    assert_eq!(value["tls_version"], Value::Null);
    assert_eq!(value["received"], 5);
}
