//! An independent broker: Debian's mosquitto, as a child process on loopback.
use super::{Running, Scratch, run};
use std::fs;
use std::io;
use std::process::Child;
use thread_mqtt_test_support::closed::ClosedPort;
use thread_mqtt_test_support::server;
use thread_mqtt_testkit::pki::Chain;

/// A running mosquitto; killed when dropped.
pub struct Mosquitto {
    child: Child,
    pub port: u16,
    /// While it is stopped.
    kept: Option<ClosedPort>,
    pub scratch: Scratch,
    max_protocol: Option<&'static str>,
}

impl Mosquitto {
    /// Starts it with one listener on a free port, and these configuration lines.
    pub fn start(scratch: Scratch, lines: &str, max_protocol: Option<&'static str>) -> Self {
        if let Some(version) = max_protocol {
            let openssl = format!(
                "openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = tls\n\
                 [tls]\nMinProtocol = TLSv1.2\nMaxProtocol = {version}\n"
            );
            scratch.file("openssl.cnf", openssl);
        }
        let started = server::start(|[port]| {
            // If started as root, it would otherwise switch to a user that may not read its files.
            let config = format!("user root\nlistener {port} 127.0.0.1\n{lines}\n");
            scratch.file("mosquitto.conf", config);
            spawn(&scratch, max_protocol)
        });
        let (child, [port]) = started.unwrap_or_else(|error| does_not_run(&error, &scratch));
        Self {
            child,
            port,
            kept: None,
            scratch,
            max_protocol,
        }
    }

    pub fn plain() -> Self {
        Self::start(Scratch::new(), "allow_anonymous true", None)
    }

    /// Starts it with TLS up to this version. Returns also the file with the root certificate.
    pub fn tls(chain: &Chain, max_protocol: &'static str, more: &str) -> (Self, String) {
        let scratch = Scratch::new();
        let ca = scratch.file("ca.pem", chain.root.certificate_pem());
        let cert = scratch.file("cert.pem", chain.leaf.chain_pem());
        let key = scratch.file("key.pem", chain.leaf.key_pem());
        let lines =
            format!("allow_anonymous true\ncafile {ca}\ncertfile {cert}\nkeyfile {key}\n{more}");
        (Self::start(scratch, &lines, Some(max_protocol)), ca)
    }

    pub fn uri(&self, scheme: &str) -> String {
        format!("{scheme}://localhost:{}", self.port)
    }

    /// Kills it, and reserves its port.
    pub fn kill(&mut self) {
        self.end();
        self.kept = Some(ClosedPort::keep(self.port).unwrap());
    }

    /// Restarts it on the same port.
    pub fn revive(&mut self) {
        let spawn = || spawn(&self.scratch, self.max_protocol);
        self.child = server::restart(spawn, [self.port])
            .unwrap_or_else(|error| does_not_run(&error, &self.scratch));
        self.kept = None;
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.end();
    }
}

fn spawn(scratch: &Scratch, max_protocol: Option<&str>) -> io::Result<Child> {
    let log = fs::File::create(scratch.path().join("log"))?;
    let mut command = server::mosquitto(&scratch.path().join("mosquitto.conf"));
    command.stdout(log.try_clone()?).stderr(log);
    if max_protocol.is_some() {
        command.env("OPENSSL_CONF", scratch.path().join("openssl.cnf"));
    }
    command.spawn()
}

fn does_not_run(error: &io::Error, scratch: &Scratch) -> ! {
    let log = fs::read_to_string(scratch.path().join("log")).unwrap_or_default();
    panic!("mosquitto does not run ({error}; is the package installed?); it says: {log}")
}

/// Returns a subscriber whose subscription is active.
pub fn subscriber(arguments: &[&str]) -> Running {
    let mut all = vec!["sub", "-d", "-W", "60"];
    all.extend(arguments);
    let running = Running::start(&all);
    running.wait_for_error("subscribed");
    running
}

pub fn publish(arguments: &[&str]) {
    let mut all = vec!["pub", "-W", "60"];
    all.extend(arguments);
    let outcome = run(&all);
    assert_eq!(outcome.status, 0, "{arguments:?}: {outcome:?}");
}
