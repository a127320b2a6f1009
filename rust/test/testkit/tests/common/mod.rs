//! Helpers shared by the tests: a rustls client on a blocking socket, Debian's mosquitto clients.
#![allow(dead_code, unreachable_pub)]
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;
use thread_mqtt_testkit::pki::Identity;

pub type Client = StreamOwned<ClientConnection, TcpStream>;

/// Returns a client that trusts `root`, with the independent provider.
pub fn client_config(
    root: &CertificateDer<'static>,
    identity: Option<&Identity>,
) -> Arc<ClientConfig> {
    client_config_with(aws_lc_rs::default_provider(), root, identity)
}

pub fn client_config_with(
    provider: CryptoProvider,
    root: &CertificateDer<'static>,
    identity: Option<&Identity>,
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    Arc::new(match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => builder
            .with_client_auth_cert(identity.chain().to_vec(), identity.key().clone_key())
            .unwrap(),
    })
}

/// Connects and completes the handshake.
pub fn connect(config: &Arc<ClientConfig>, name: &str, to: SocketAddr) -> io::Result<Client> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut tls = ClientConnection::new(config.clone(), name).unwrap();
    let mut socket = TcpStream::connect(to)?;
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    while tls.is_handshaking() {
        tls.complete_io(&mut socket)?;
    }
    Ok(StreamOwned::new(tls, socket))
}

/// Reads until the peer closes or `length` bytes have arrived.
pub fn read(client: &mut impl Read, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    client
        .by_ref()
        .take(length as u64)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A temporary file, removed when dropped.
pub struct TempFile(PathBuf);

impl TempFile {
    pub fn new(name: &str, content: &str) -> Self {
        let path = std::env::temp_dir().join(format!("thread-mqtt-{}-{name}", std::process::id()));
        std::fs::write(&path, content).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).ok();
    }
}

/// `mosquitto_sub` or `mosquitto_pub` (Debian's package mosquitto-clients).
pub struct Mosquitto {
    pub port: u16,
    pub ca: Option<PathBuf>,
    pub version: &'static str,
    pub options: Vec<String>,
}

impl Mosquitto {
    pub fn new(address: SocketAddr, ca: Option<&Path>, version: &'static str) -> Self {
        Self {
            port: address.port(),
            ca: ca.map(Path::to_owned),
            version,
            options: Vec::new(),
        }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .args(["-h", "127.0.0.1", "-V", self.version, "-p"])
            .arg(self.port.to_string())
            .args(&self.options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(ca) = &self.ca {
            command.arg("--cafile").arg(ca);
        }
        command
    }

    /// Subscribes, and waits in the background for `count` messages, at most 20 s.
    pub fn subscribe(&self, topic: &str, qos: u8, count: usize) -> Child {
        self.command("mosquitto_sub")
            .args([
                "-t",
                topic,
                "-q",
                &qos.to_string(),
                "-C",
                &count.to_string(),
                "-W",
                "20",
                "-v",
            ])
            .spawn()
            .expect("mosquitto_sub (package mosquitto-clients) runs")
    }

    pub fn publish(&self, topic: &str, qos: u8, payload: &str, more: &[&str]) -> Output {
        self.command("mosquitto_pub")
            .args(["-t", topic, "-q", &qos.to_string(), "-m", payload])
            .args(more)
            .output()
            .expect("mosquitto_pub (package mosquitto-clients) runs")
    }
}

pub fn stdout(output: Output) -> String {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}
