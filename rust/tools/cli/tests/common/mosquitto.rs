//! An independent broker: Debian's mosquitto, as a child process on loopback.
use super::{PATIENCE, Running, Scratch, run};
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};
use thread_mqtt_test_support::server;
use thread_mqtt_testkit::pki::Chain;

/// A running mosquitto; it is killed when dropped.
pub struct Mosquitto {
    child: Child,
    pub port: u16,
    pub scratch: Scratch,
    max_protocol: Option<&'static str>,
}

impl Mosquitto {
    /// One listener on a free port, and these lines of configuration.
    pub fn start(scratch: Scratch, lines: &str, max_protocol: Option<&'static str>) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        // Started as root it would otherwise become a user that may not read its files.
        let config = format!("user root\nlistener {port} 127.0.0.1\n{lines}\n");
        scratch.file("mosquitto.conf", config);
        if let Some(version) = max_protocol {
            let openssl = format!(
                "openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = tls\n\
                 [tls]\nMinProtocol = TLSv1.2\nMaxProtocol = {version}\n"
            );
            scratch.file("openssl.cnf", openssl);
        }
        let child = spawn(&scratch, max_protocol);
        let broker = Self {
            child,
            port,
            scratch,
            max_protocol,
        };
        broker.wait_until_ready();
        broker
    }

    pub fn plain() -> Self {
        Self::start(Scratch::new(), "allow_anonymous true", None)
    }

    /// With TLS up to this version, and the file of the root.
    pub fn tls(chain: &Chain, max_protocol: &'static str, more: &str) -> (Self, String) {
        let scratch = Scratch::new();
        let ca = scratch.file("ca.pem", chain.root.certificate_pem());
        let cert = scratch.file("cert.pem", chain.leaf.chain_pem());
        let key = scratch.file("key.pem", chain.leaf.key_pem());
        let lines =
            format!("allow_anonymous true\ncafile {ca}\ncertfile {cert}\nkeyfile {key}\n{more}");
        (Self::start(scratch, &lines, Some(max_protocol)), ca)
    }

    fn wait_until_ready(&self) {
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(
                began.elapsed() < PATIENCE,
                "mosquitto does not listen; it says: {}",
                fs::read_to_string(self.scratch.path().join("log")).unwrap_or_default()
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn uri(&self, scheme: &str) -> String {
        format!("{scheme}://localhost:{}", self.port)
    }

    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again on the same port.
    pub fn revive(&mut self) {
        self.child = spawn(&self.scratch, self.max_protocol);
        self.wait_until_ready();
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(scratch: &Scratch, max_protocol: Option<&str>) -> Child {
    let log = fs::File::create(scratch.path().join("log")).unwrap();
    let mut command = server::mosquitto(&scratch.path().join("mosquitto.conf"));
    command.stdout(log.try_clone().unwrap()).stderr(log);
    if max_protocol.is_some() {
        command.env("OPENSSL_CONF", scratch.path().join("openssl.cnf"));
    }
    command.spawn().unwrap_or_else(|error| {
        panic!("mosquitto cannot be started ({error}): install the package mosquitto")
    })
}

/// A subscriber whose subscription is in force.
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
