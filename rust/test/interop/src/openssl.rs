//! `openssl s_server`, an implementation that shares no code with rustls.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::pki::{Chain, Device};
use crate::scratch::Scratch;

/// The configuration file of a server that needs settings other than OpenSSL's defaults.
const CONFIGURATION: &str = "openssl.cnf";

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running `openssl s_server`; stopped and cleaned up when dropped.
pub(crate) struct OpenSsl {
    process: Child,
    scratch: Scratch,
    pub(crate) port: u16,
}

impl OpenSsl {
    /// Answers each line with its reverse, for one client after another.
    pub(crate) fn mirror(chain: &Chain, arguments: &[&str]) -> Self {
        let arguments = [&["-rev"], arguments].concat();
        Self::start_in(Scratch::new(), chain, &arguments, Stdio::null)
    }

    /// Same as [`mirror`](Self::mirror), but requires a client certificate.
    pub(crate) fn mutual_mirror(chain: &Chain, arguments: &[&str]) -> Self {
        let verify = ["-rev", "-Verify", "2", "-verify_return_error"];
        let arguments = [&verify[..], arguments].concat();
        Self::start_in(Scratch::new(), chain, &arguments, Stdio::null)
    }

    /// Serves this file unchanged.
    pub(crate) fn file(chain: &Chain, name: &str, content: &[u8], arguments: &[&str]) -> Self {
        let scratch = Scratch::new();
        scratch.file(name, content);
        let arguments = [&["-HTTP"], arguments].concat();
        Self::start_in(scratch, chain, &arguments, Stdio::null)
    }

    /// Same as [`mirror`](Self::mirror), without the extended master secret (RFC 7627), for which
    /// s_server has no command-line option.
    pub(crate) fn without_extended_master_secret(chain: &Chain, arguments: &[&str]) -> Self {
        let scratch = Scratch::new();
        scratch.file(
            CONFIGURATION,
            "openssl_conf = init\n[init]\nssl_conf = ssl\n[ssl]\nsystem_default = options\n\
             [options]\nOptions = -ExtendedMasterSecret\n",
        );
        let arguments = [&["-rev"], arguments].concat();
        Self::start_in(scratch, chain, &arguments, Stdio::null)
    }

    /// Connects its standard input and output to its client, as [`types`](Self::types) and
    /// [`reads`](Self::reads) require.
    pub(crate) fn start(chain: &Chain, arguments: &[&str]) -> Self {
        Self::start_in(Scratch::new(), chain, arguments, Stdio::piped)
    }

    fn start_in(
        scratch: Scratch,
        chain: &Chain,
        arguments: &[&str],
        stdout: fn() -> Stdio,
    ) -> Self {
        let certificate = scratch.file("leaf.pem", chain.leaf_pem());
        let rest = match chain.intermediates_pem() {
            none if none.is_empty() => None,
            pem => Some(scratch.file("chain.pem", pem)),
        };
        let key = scratch.file("key.pem", &chain.key);
        let devices = scratch.file("devices.pem", Device::root());
        let configuration = scratch.path().join(CONFIGURATION);
        let configuration = configuration.exists().then_some(configuration);
        let server = thread_mqtt_test_support::server::start(|[port]| {
            Command::new("openssl")
                .envs(configuration.iter().map(|file| ("OPENSSL_CONF", file)))
                .arg("s_server")
                .args(["-accept", &format!("127.0.0.1:{port}")])
                .args(["-cert", &certificate, "-key", &key])
                .args(["-CAfile", &devices])
                .args(rest.iter().flat_map(|rest| ["-cert_chain", rest]))
                .args(arguments)
                .current_dir(scratch.path())
                .stdin(Stdio::piped())
                .stdout(stdout())
                .stderr(std::fs::File::create(scratch.path().join("log"))?)
                .spawn()
        });
        let (process, [port]) = server.unwrap_or_else(|error| {
            let log = scratch.log();
            panic!(
                "this test needs the command openssl; install it if it is missing ({error}); \
                 with {arguments:?} it said: {log}"
            )
        });
        Self {
            process,
            scratch,
            port,
        }
    }

    /// Makes s_server send this to its client, or execute a command such as K.
    pub(crate) fn types(&mut self, text: &[u8]) {
        let stdin = self.process.stdin.as_mut().unwrap();
        stdin.write_all(text).unwrap();
        stdin.flush().unwrap();
    }

    /// Reads the output of s_server until this text from the client arrives.
    pub(crate) fn reads(&mut self, expected: &[u8]) {
        let stdout = self.process.stdout.as_mut().unwrap();
        let mut got = Vec::new();
        let mut buffer = [0; 4096];
        while !got.windows(expected.len()).any(|w| w == expected) {
            let n = stdout.read(&mut buffer).unwrap();
            assert!(n > 0, "openssl ended before it got the client's data");
            got.extend_from_slice(&buffer[..n]);
        }
    }

    /// Waits until it has reported this about a client.
    pub(crate) fn complains(&self, of: &str) {
        let start = Instant::now();
        while !self.scratch.log().contains(of) {
            assert!(
                start.elapsed() < PATIENCE,
                "openssl said: {}",
                self.scratch.log()
            );
            sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for OpenSsl {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let ended = self.process.try_wait();
            eprintln!("openssl (ended: {ended:?}) said: {}", self.scratch.log());
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
