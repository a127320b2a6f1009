//! Runs the real binary and its test environment.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file uses its own part"
)]

pub mod mosquitto;

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Longer than anything here takes: a timeout for what never happens.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The result of running the binary.
#[derive(Debug)]
pub struct Outcome {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Returns a command line of the binary, without inherited settings.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_thread-mqtt"));
    command
        .args(arguments)
        .env_remove("THREAD_MQTT_PASSWORD")
        .env_remove("SSL_CERT_FILE")
        .stdin(Stdio::null());
    command
}

/// Runs the binary to its end.
pub fn run(arguments: &[&str]) -> Outcome {
    outcome(&mut command(arguments))
}

/// Runs the binary with this standard input.
pub fn run_with_input(arguments: &[&str], input: &[u8]) -> Outcome {
    let mut child = command(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary was built");
    child.stdin.take().unwrap().write_all(input).unwrap();
    finish(child)
}

pub fn outcome(command: &mut Command) -> Outcome {
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    finish(child.expect("the binary was built"))
}

/// Publishes one message, which must fail with this status and print all of these texts.
pub fn refused(arguments: &[&str], status: i32, says: &[&str]) {
    let mut all = vec!["pub"];
    all.extend(arguments);
    if !arguments.contains(&"-W") {
        all.extend(["-W", "60"]);
    }
    all.extend(["-t", "topic", "-m", "message", "-q", "1"]);
    let outcome = run(&all);
    assert_eq!(outcome.status, status, "{arguments:?}: {outcome:?}");
    for text in says {
        assert!(outcome.stderr.contains(text), "{text:?} in {outcome:?}");
    }
    assert_eq!(outcome.stdout, "");
}

pub fn uri(scheme: &str, address: SocketAddr) -> String {
    format!("{scheme}://localhost:{}", address.port())
}

fn finish(child: Child) -> Outcome {
    let output = child.wait_with_output().unwrap();
    Outcome {
        status: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The binary running in the background; killed when dropped.
pub struct Running {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    errors: Receiver<String>,
}

impl Running {
    pub fn start(arguments: &[&str]) -> Self {
        Self::spawn(&mut command(arguments))
    }

    pub fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary was built");
        let printed = lines(child.stdout.take().unwrap());
        let errors = lines(child.stderr.take().unwrap());
        Self {
            input: child.stdin.take(),
            child,
            lines: printed,
            errors,
        }
    }

    /// Returns the next line of output.
    pub fn line(&self) -> String {
        self.lines
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|_| panic!("nothing printed; it complains: {:?}", self.complaints()))
    }

    /// Waits for a line on the standard error that contains `text`.
    pub fn wait_for_error(&self, text: &str) {
        let mut seen = Vec::new();
        while let Ok(line) = self.errors.recv_timeout(PATIENCE) {
            if line.contains(text) {
                return;
            }
            seen.push(line);
        }
        panic!("{text:?} was never said, but {seen:?}");
    }

    /// Writes to its standard input.
    pub fn say(&mut self, text: &str) {
        let input = self.input.as_mut().expect("it is open");
        input.write_all(text.as_bytes()).unwrap();
        input.flush().unwrap();
    }

    /// Closes its standard input.
    pub fn say_no_more(&mut self) {
        self.input = None;
    }

    /// Returns whether it is still running.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    fn complaints(&self) -> Vec<String> {
        self.errors.try_iter().collect()
    }

    /// Sends the signal that Ctrl-C sends; a test in a shell's background job would ignore SIGINT.
    pub fn interrupt(&self) {
        self.signal("TERM");
    }

    pub fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    /// Kills it, as in a crash. Returns the output that was not read yet.
    pub fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.lines.iter().collect()
    }

    /// Waits for it to end.
    pub fn status(mut self) -> i32 {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().unwrap_or(-1);
            }
            assert!(began.elapsed() < PATIENCE, "it does not end");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn signal(child: &Child, name: &str) {
    let (option, id) = (format!("-{name}"), child.id().to_string());
    let status = Command::new("kill").args([option, id]).status().unwrap();
    assert!(status.success());
}

/// Returns the lines of a pipe as they arrive.
fn lines(reader: impl io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(reader).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

/// A temporary directory, removed when dropped.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("thread-mqtt-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        // Left over from a killed process with the same number.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file, and returns its path as an argument.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path.to_str().expect("the path is UTF-8").to_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A DNS server on loopback that only knows the given names.
pub struct Dns {
    pub address: SocketAddr,
}

impl Dns {
    /// Answers for every name of `names` with the A record 127.0.0.1; other names do not exist.
    pub fn start(names: &'static [&'static str]) -> Self {
        Self::with_address(names, [127, 0, 0, 1])
    }

    /// Same as [`start`](Self::start), with another A record.
    pub fn with_address(names: &'static [&'static str], ipv4: [u8; 4]) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        thread::spawn(move || {
            let mut buffer = [0; 1500];
            while let Ok((n, from)) = socket.recv_from(&mut buffer) {
                if let Some(answer) = answer(&buffer[..n], names, ipv4) {
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        Self { address }
    }

    /// Sends answers that do not fit into a datagram; over TCP (RFC 7766) they are complete.
    pub fn over_tcp(names: &'static [&'static str]) -> Self {
        // The same port for both; another program may be using the TCP port.
        let (listener, socket) = loop {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            if let Ok(socket) = UdpSocket::bind(listener.local_addr().unwrap()) {
                break (listener, socket);
            }
        };
        let address = socket.local_addr().unwrap();
        thread::spawn(move || {
            let mut buffer = [0; 1500];
            while let Ok((n, from)) = socket.recv_from(&mut buffer) {
                if let Some(mut answer) = answer(&buffer[..n], &[], [0; 4]) {
                    answer[2] |= 2;
                    answer[3] &= 0xf0;
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut length = [0; 2];
                while stream.read_exact(&mut length).is_ok() {
                    let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
                    stream.read_exact(&mut query).unwrap();
                    let answer = answer(&query, names, [127, 0, 0, 1]).unwrap();
                    let length = u16::try_from(answer.len()).unwrap().to_be_bytes();
                    stream.write_all(&[&length[..], &answer].concat()).unwrap();
                }
            }
        });
        Self { address }
    }
}

/// RFC 1035 section 4: the question, and an A record if the name is known.
fn answer(query: &[u8], names: &[&str], ipv4: [u8; 4]) -> Option<Vec<u8>> {
    let mut labels = Vec::new();
    let mut at = 12;
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(query.get(at..at + length)?).to_lowercase());
        at += length;
    }
    let kind = *query.get(at + 1)?;
    let known = names.contains(&labels.join(".").as_str());
    let a = known && kind == 1;
    let code = if known { 0 } else { 3 };
    let mut answer = query.get(..2)?.to_vec();
    answer.extend([0x81, 0x80 | code, 0, 1, 0, u8::from(a), 0, 0, 0, 0]);
    answer.extend(query.get(12..at + 4)?);
    if a {
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        answer.extend(ipv4);
    }
    Some(answer)
}
