//! A client connection and a rustls server, connected by pipes of any granularity.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::sync::Arc;

use server_rustls::crypto::aws_lc_rs;
use server_rustls::server::WebPkiClientVerifier;
use server_rustls::sign::{CertifiedKey, SingleCertAndKey};
use server_rustls::{RootCertStore, ServerConfig, ServerConnection, SignatureScheme};
use thread_mqtt_soft_provider::{Random, RandomError, suites};
use thread_mqtt_tls::{
    Config, ConfigBuilder, Connection, CryptoProvider, Group, Suite, TlsError, Version,
};

use crate::pki::{NAME, NOW, Pki};

#[derive(Debug)]
struct HostRandom;

impl Random for HostRandom {
    fn fill(buf: &mut [u8]) -> Result<(), RandomError> {
        getrandom::fill(buf).map_err(|_| RandomError)
    }
}

/// Returns the device's provider, which the client uses in all of these tests.
pub(crate) fn soft() -> CryptoProvider {
    thread_mqtt_soft_provider::provider::<HostRandom>()
}

/// Configures a client that trusts the root of `pki`. Application data is decrypted in place.
pub(crate) fn client(pki: &Pki) -> ConfigBuilder {
    client_that_copies(pki).in_place(suites::in_place)
}

/// Configures one whose plaintext rustls copies, as with any other provider.
pub(crate) fn client_that_copies(pki: &Pki) -> ConfigBuilder {
    Config::builder(soft()).ca(&pki.root).unwrap()
}

pub(crate) fn connect(config: &Config) -> Connection {
    Connection::new(config, NAME, NOW).unwrap()
}

/// The configuration of a server.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) pki: Pki,
    pub(crate) versions: Vec<Version>,
    pub(crate) suites: Vec<Suite>,
    pub(crate) groups: Vec<Group>,
    /// The root of the clients' certificates, if they are required.
    pub(crate) client_root: Option<server_rustls::pki_types::CertificateDer<'static>>,
    /// Which schemes it allows for their signatures.
    pub(crate) client_schemes: fn(SignatureScheme) -> bool,
    pub(crate) alpn: Vec<Vec<u8>>,
    pub(crate) tickets: bool,
    pub(crate) fragment: Option<usize>,
}

impl Server {
    pub(crate) fn new(pki: &Pki) -> Self {
        Self {
            pki: pki.clone(),
            versions: Version::ALL.to_vec(),
            suites: Suite::ALL.to_vec(),
            groups: Group::ALL.to_vec(),
            client_root: None,
            client_schemes: |_| true,
            alpn: Vec::new(),
            tickets: true,
            fragment: None,
        }
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        let mut provider = aws_lc_rs::default_provider();
        provider.cipher_suites.retain(|suite| {
            let id = u16::from(suite.suite());
            self.suites.iter().any(|s| s.id() == id)
        });
        let offered = aws_lc_rs::ALL_KX_GROUPS;
        provider.kx_groups = self
            .groups
            .iter()
            .filter_map(|group| {
                let is_it = |g: &&&dyn server_rustls::crypto::SupportedKxGroup| {
                    u16::from(g.name()) == group.id()
                };
                offered.iter().find(is_it).copied()
            })
            .collect();
        let provider = Arc::new(provider);
        let versions: Vec<_> = self
            .versions
            .iter()
            .map(|version| match version {
                Version::Tls12 => &server_rustls::version::TLS12,
                Version::Tls13 => &server_rustls::version::TLS13,
            })
            .collect();
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&versions)
            .unwrap();
        let builder = match &self.client_root {
            None => builder.with_no_client_auth(),
            Some(root) => {
                let mut roots = RootCertStore::empty();
                roots.add(root.clone()).unwrap();
                let mut provider = server_rustls::crypto::CryptoProvider::clone(&provider);
                let algorithms = &mut provider.signature_verification_algorithms;
                let mut mapping = algorithms.mapping.to_vec();
                mapping.retain(|(scheme, _)| (self.client_schemes)(*scheme));
                algorithms.mapping = mapping.leak();
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.into())
                        .build()
                        .unwrap();
                builder.with_client_cert_verifier(verifier)
            }
        };
        // Not checked: some tests use certificates that a client must refuse.
        let key = aws_lc_rs::sign::any_supported_type(&self.pki.key()).unwrap();
        let certified = CertifiedKey::new(self.pki.chain.clone(), key);
        let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        // Two by default; the client may ask for one (RFC 9149).
        config.max_tls13_tickets = 2;
        config.alpn_protocols = self.alpn.clone();
        config.max_fragment_size = self.fragment;
        // A fixed clock, against which client certificates are checked.
        config.time_provider = Arc::new(FixedTime);
        if self.tickets {
            config.ticketer = aws_lc_rs::Ticketer::new().unwrap();
        }
        Arc::new(config)
    }

    pub(crate) fn start(&self) -> ServerConnection {
        ServerConnection::new(self.config()).unwrap()
    }
}

#[derive(Debug)]
struct FixedTime;

impl server_rustls::time_provider::TimeProvider for FixedTime {
    fn current_time(&self) -> Option<server_rustls::pki_types::UnixTime> {
        let now = std::time::Duration::from_secs(NOW);
        Some(server_rustls::pki_types::UnixTime::since_unix_epoch(now))
    }
}

/// Both ends, and the bytes in transit.
pub(crate) struct Pair {
    pub(crate) client: Connection,
    pub(crate) server: ServerConnection,
    pub(crate) to_client: VecDeque<u8>,
    pub(crate) server_error: Option<server_rustls::Error>,
    /// Data that the client's application read.
    pub(crate) client_read: Vec<u8>,
    /// Data that the server's application read.
    pub(crate) server_read: Vec<u8>,
    /// Bytes transferred to the client and to the server.
    pub(crate) crossed: (usize, usize),
}

impl Pair {
    pub(crate) fn new(config: &Config, server: &Server) -> Self {
        Self::of(connect(config), server.start())
    }

    pub(crate) fn of(client: Connection, server: ServerConnection) -> Self {
        Self {
            client,
            server,
            to_client: VecDeque::new(),
            server_error: None,
            client_read: Vec::new(),
            server_read: Vec::new(),
            crossed: (0, 0),
        }
    }

    /// Moves bytes in pieces of `sizes` until nothing moves any more.
    pub(crate) fn run_in(&mut self, mut sizes: impl FnMut() -> usize) -> Result<(), TlsError> {
        loop {
            let mut moved = self.client_to_server(sizes());
            self.server_to_pipe();
            moved += self.pipe_to_client(sizes())?;
            if moved == 0 {
                return Ok(());
            }
        }
    }

    pub(crate) fn run(&mut self) -> Result<(), TlsError> {
        self.run_in(|| usize::MAX)
    }

    pub(crate) fn client_to_server(&mut self, size: usize) -> usize {
        let bytes = self.client.ciphertext();
        let mut chunk = &bytes[..size.min(bytes.len())];
        if chunk.is_empty() {
            return 0;
        }
        let n = match self.server_error {
            None => self.server.read_tls(&mut chunk).unwrap(),
            Some(_) => chunk.len(),
        };
        self.client.consume_ciphertext(n);
        self.crossed.1 += n;
        if self.server_error.is_none() {
            self.server_error = self.server.process_new_packets().err();
        }
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = self.server.reader().read(&mut buffer) {
            self.server_read.extend_from_slice(&buffer[..n]);
        }
        n
    }

    pub(crate) fn server_to_pipe(&mut self) {
        while self.server.wants_write() {
            self.server.write_tls(&mut self.to_client).unwrap();
        }
    }

    fn pipe_to_client(&mut self, size: usize) -> Result<usize, TlsError> {
        let bytes = self.to_client.make_contiguous();
        let result = self
            .client
            .handle_ciphertext(&bytes[..size.min(bytes.len())]);
        self.client_read.extend_from_slice(self.client.plaintext());
        let read = self.client.plaintext().len();
        self.client.consume_plaintext(read);
        let n = result?;
        self.to_client.drain(..n);
        self.crossed.0 += n;
        Ok(n)
    }

    /// Writes all of `data` at the client, and runs the pair whenever its buffer fills.
    pub(crate) fn client_writes(&mut self, mut data: &[u8]) -> Result<(), TlsError> {
        while !data.is_empty() {
            let n = self.client.write(data)?;
            data = &data[n..];
            self.run()?;
        }
        Ok(())
    }

    /// Writes all of `data` at the server.
    pub(crate) fn server_writes(&mut self, mut data: &[u8]) -> Result<(), TlsError> {
        while !data.is_empty() {
            let n = self.server.writer().write(data).unwrap();
            data = &data[n..];
            self.run()?;
        }
        Ok(())
    }

    /// Completes the handshake, then sends a message each way.
    #[track_caller]
    pub(crate) fn exchange(&mut self) {
        self.run().unwrap();
        assert!(
            !self.client.is_handshaking(),
            "server: {:?}",
            self.server_error
        );
        self.client_writes(b"to the server").unwrap();
        self.server_writes(b"to the client").unwrap();
        assert_eq!(self.server_error, None);
        assert!(self.server_read.ends_with(b"to the server"));
        assert!(self.client_read.ends_with(b"to the client"));
    }
}
