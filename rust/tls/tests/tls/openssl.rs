//! Against `openssl s_server`, an implementation that shares no code with rustls.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use thread_mqtt_tls::{Config, Connection, Suite, TlsError, Version};

use crate::pair::client;
use crate::pki::{NAME, NOW, Pki, pem};

const PATIENCE: Duration = Duration::from_secs(60);

/// A running `openssl s_server`; ended and cleaned up when dropped.
struct OpenSsl {
    process: Child,
    directory: PathBuf,
    port: u16,
}

impl OpenSsl {
    fn start(pki: &Pki, arguments: &[&str]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let nth = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory =
            std::env::temp_dir().join(format!("thread-mqtt-tls-{}-{nth}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let file = |name: &str, text: &str| {
            let path = directory.join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let leaf = file("leaf.pem", &pem(&pki.chain[0]));
        let rest = file(
            "chain.pem",
            &pki.chain[1..].iter().map(pem).collect::<String>(),
        );
        let key = file("key.pem", &pki.key_pem);
        let root = file("root.pem", &pem(&pki.root));

        // A port that is free now may be taken a moment later by a test beside this one: try again.
        for _ in 0..20 {
            let port = free_port();
            let mut process = Command::new("openssl")
                .arg("s_server")
                .args(["-accept", &format!("127.0.0.1:{port}")])
                .arg("-cert")
                .arg(&leaf)
                .arg("-cert_chain")
                .arg(&rest)
                .arg("-key")
                .arg(&key)
                .arg("-CAfile")
                .arg(&root)
                .args(["-attime", &NOW.to_string()])
                .args(arguments)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap_or_else(|error| {
                    panic!("this test needs the command openssl; install it ({error})")
                });
            if listens(&mut process, port) {
                return Self {
                    process,
                    directory,
                    port,
                };
            }
            let _ = process.wait();
        }
        panic!("openssl s_server did not start; run it by hand to see why");
    }

    fn connect(&self, config: &Config) -> Wire {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_millis(20)))
            .unwrap();
        stream.set_nodelay(true).unwrap();
        Wire {
            stream,
            tls: Connection::new(config, NAME, NOW).unwrap(),
            received: 0,
            read: Vec::new(),
            eof: false,
        }
    }

    fn types(&mut self, text: &[u8]) {
        let stdin = self.process.stdin.as_mut().unwrap();
        stdin.write_all(text).unwrap();
        stdin.flush().unwrap();
    }

    /// Reads what s_server prints until this text of the client's comes.
    fn reads(&mut self, expected: &[u8]) {
        let stdout = self.process.stdout.as_mut().unwrap();
        let mut got = Vec::new();
        let mut buffer = [0; 4096];
        while !got.windows(expected.len()).any(|w| w == expected) {
            let n = stdout.read(&mut buffer).unwrap();
            assert!(n > 0, "openssl ended before it got the client's data");
            got.extend_from_slice(&buffer[..n]);
        }
    }
}

impl Drop for OpenSsl {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// Whether the process comes to listen on the port, as told by the kernel: a trial connection would
/// be served as a client.
fn listens(process: &mut Child, port: u16) -> bool {
    let start = Instant::now();
    let listening = format!("0100007F:{port:04X} 00000000:0000 0A");
    while start.elapsed() < PATIENCE {
        if process.try_wait().unwrap().is_some() {
            return false;
        }
        let sockets = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
        if sockets.contains(&listening) {
            return true;
        }
        sleep(Duration::from_millis(5));
    }
    false
}

/// A connection over a socket.
struct Wire {
    stream: TcpStream,
    tls: Connection,
    /// Bytes from the socket.
    received: usize,
    read: Vec<u8>,
    eof: bool,
}

impl Wire {
    fn step(&mut self) -> Result<(), TlsError> {
        while !self.tls.ciphertext().is_empty() {
            let n = self.stream.write(self.tls.ciphertext()).unwrap_or(0);
            if n == 0 {
                break;
            }
            self.tls.consume_ciphertext(n);
        }
        let mut buffer = [0; 1500];
        let n = match self.stream.read(&mut buffer) {
            Ok(0) => {
                self.eof = true;
                return self.tls.handle_eof();
            }
            Ok(n) => n,
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => 0,
            Err(_) => {
                self.eof = true;
                return self.tls.handle_eof();
            }
        };
        self.received += n;
        let mut rest = &buffer[..n];
        while !rest.is_empty() {
            let taken = self.tls.handle_ciphertext(rest)?;
            rest = &rest[taken..];
            let read = self.tls.plaintext().len();
            self.read.extend_from_slice(self.tls.plaintext());
            self.tls.consume_plaintext(read);
        }
        Ok(())
    }

    #[track_caller]
    fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !done(self) {
            self.step().unwrap();
            assert!(!self.eof, "openssl hung up before: {what}");
            assert!(start.elapsed() < PATIENCE, "waited in vain for: {what}");
        }
    }

    fn write(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            let n = self.tls.write(data).unwrap();
            data = &data[n..];
            self.step().unwrap();
        }
    }
}

fn rsa() -> Pki {
    Pki::new(&rcgen::PKCS_RSA_SHA256, 3)
}

#[test]
fn tls12_with_the_suite_of_the_forum_thread() {
    let pki = rsa();
    let suite = Suite::EcdheRsaAes128GcmSha256;
    let mut server = OpenSsl::start(
        &pki,
        &["-quiet", "-tls1_2", "-cipher", suite.openssl_name()],
    );
    let config = client(&pki).suites(&[suite]).build().unwrap();
    for resumed in [false, true, true] {
        let mut wire = server.connect(&config);
        wire.until("the handshake", |w| !w.tls.is_handshaking());
        let agreed = wire.tls.agreed().unwrap();
        assert_eq!(agreed.version, Version::Tls12);
        assert_eq!(agreed.suite, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256");
        assert_eq!(agreed.resumed, resumed);
        let up = [b'x'; 20_000];
        wire.write(&up);
        server.reads(&up);
        server.types(b"from openssl\n");
        wire.until("the answer", |w| w.read == b"from openssl\n");
        wire.tls.close();
        // s_server answers with its own close_notify, or just hangs up: both are fine now.
        while !wire.eof {
            wire.step().unwrap();
        }
    }
}

#[test]
fn tls13_with_new_keys_from_both_sides() {
    let pki = rsa();
    let mut server = OpenSsl::start(&pki, &["-tls1_3"]);
    let config = client(&pki).build().unwrap();
    for resumed in [false, true] {
        let mut wire = server.connect(&config);
        wire.until("the handshake", |w| !w.tls.is_handshaking());
        assert_eq!(wire.tls.agreed().unwrap().version, Version::Tls13);
        assert_eq!(wire.tls.agreed().unwrap().resumed, resumed);
        server.types(b"one\n");
        wire.until("data", |w| w.read == b"one\n");
        wire.tls.refresh_keys().unwrap();
        wire.write(b"under our new keys\n");
        server.reads(b"under our new keys\n");
        // Unless quiet, s_server takes K and k for commands: new keys, with and without asking for
        // ours.
        for (command, text) in [(b"K\n", b"two\n"), (b"k\n", b"six\n")] {
            wire.read.clear();
            let before = wire.received;
            server.types(command);
            wire.until("KeyUpdate", |w| w.received > before);
            assert_eq!(wire.read, b"");
            server.types(text);
            wire.until("data under its new keys", |w| w.read == text);
            let answer = [b"answer to ".as_slice(), text].concat();
            wire.write(&answer);
            server.reads(&answer);
        }
        wire.tls.close();
        while !wire.eof {
            wire.step().unwrap();
        }
    }
}
