//! The TLS settings of this crate's servers, shared by the [`Front`](crate::front::Front) on real
//! sockets and the [`peer`](crate::peer) inside a simulated world.
use crate::identity::Identity;
use rustls::crypto::CryptoProvider;
use rustls::server::{
    ClientHello, NoServerSessionStorage, ResolvesServerCert, ServerSessionMemoryCache,
    WebPkiClientVerifier,
};
use rustls::sign::{CertifiedKey, SigningKey, SingleCertAndKey};
use rustls::time_provider::TimeProvider;
use rustls::{CipherSuite, NamedGroup, RootCertStore, ServerConfig, SupportedProtocolVersion};
use rustls_pki_types::CertificateDer;
use std::fmt;
use std::sync::Arc;

/// TLS 1.2 or 1.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// RFC 5246.
    Tls12,
    /// RFC 8446.
    Tls13,
}

impl Version {
    fn supported(self) -> &'static SupportedProtocolVersion {
        match self {
            Self::Tls12 => &rustls::version::TLS12,
            Self::Tls13 => &rustls::version::TLS13,
        }
    }
}

/// The settings of a TLS server. Start with [`Tls::new`] and change what matters.
#[derive(Debug, Clone)]
pub struct Tls {
    /// Certificate chain and key.
    pub identity: Identity,
    /// Supported versions.
    pub versions: Vec<Version>,
    /// Supported suites, in the server's order; empty for all of the provider's.
    pub suites: Vec<CipherSuite>,
    /// Supported key exchange groups, in the server's order; empty for all of the provider's.
    pub groups: Vec<NamedGroup>,
    /// Requires clients to present a certificate signed by this root.
    pub client_ca: Option<CertificateDer<'static>>,
    /// Maximum record size sent, headers included (32 to 16,389 bytes); `None` for the protocol's
    /// limit.
    pub max_record: Option<usize>,
    /// ALPN protocols (RFC 7301).
    pub alpn: Vec<Vec<u8>>,
    /// Refuses the handshake if a client offers none of them, like AWS IoT Core on port 443.
    pub alpn_required: bool,
    /// Whether sessions may be resumed.
    pub resumption: bool,
    /// Number of session tickets sent after a TLS 1.3 handshake.
    pub tickets: usize,
}

impl Tls {
    /// Returns settings with both versions, everything the provider offers, and resumption with two
    /// tickets, like most brokers.
    pub fn new(identity: Identity) -> Self {
        Self {
            identity,
            versions: vec![Version::Tls12, Version::Tls13],
            suites: Vec::new(),
            groups: Vec::new(),
            client_ca: None,
            max_record: None,
            alpn: Vec::new(),
            alpn_required: false,
            resumption: true,
            tickets: 2,
        }
    }

    /// Returns settings for TLS 1.2 with only `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256`: the suite
    /// that many brokers on the Internet expect from a small device.
    pub fn tls12_ecdhe_rsa(identity: Identity) -> Self {
        Self {
            versions: vec![Version::Tls12],
            suites: vec![CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256],
            ..Self::new(identity)
        }
    }

    /// Returns the rustls configuration over `provider`, which signs with `key` and checks dates
    /// against `clock`.
    pub(crate) fn server_config(
        &self,
        mut provider: CryptoProvider,
        key: Arc<dyn SigningKey>,
        clock: Arc<dyn TimeProvider>,
    ) -> Result<ServerConfig, TlsSetupError> {
        if !self.suites.is_empty() {
            let offered = std::mem::take(&mut provider.cipher_suites);
            provider.cipher_suites = choose(&self.suites, &offered, |suite| suite.suite())
                .ok_or(TlsSetupError::Suite)?;
        }
        if !self.groups.is_empty() {
            let offered = std::mem::take(&mut provider.kx_groups);
            provider.kx_groups =
                choose(&self.groups, &offered, |group| group.name()).ok_or(TlsSetupError::Group)?;
        }
        let provider = Arc::new(provider);
        let versions: Vec<_> = self.versions.iter().map(|v| v.supported()).collect();
        let builder = ServerConfig::builder_with_details(provider.clone(), clock)
            .with_protocol_versions(&versions)
            .map_err(TlsSetupError::Rustls)?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(ca) => {
                let mut roots = RootCertStore::empty();
                roots.add(ca.clone()).map_err(TlsSetupError::Rustls)?;
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                        .build()
                        .map_err(|_| TlsSetupError::ClientCa)?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let certified = CertifiedKey::new(self.identity.chain().to_vec(), key);
        let mut config = match self.alpn_required {
            false => builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified))),
            true => builder.with_cert_resolver(Arc::new(Demanding {
                alpn: self.alpn.clone(),
                certified: Arc::new(certified),
            })),
        };
        config.ignore_client_order = !self.suites.is_empty();
        config.max_fragment_size = self.max_record;
        config.alpn_protocols = self.alpn.clone();
        config.send_tls13_tickets = if self.resumption { self.tickets } else { 0 };
        config.session_storage = if self.resumption {
            ServerSessionMemoryCache::new(64)
        } else {
            Arc::new(NoServerSessionStorage {})
        };
        Ok(config)
    }
}

/// Returns a certificate only for clients that offer one of these protocols.
#[derive(Debug)]
struct Demanding {
    alpn: Vec<Vec<u8>>,
    certified: Arc<CertifiedKey>,
}

impl ResolvesServerCert for Demanding {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let mut offered = hello.alpn()?;
        let is_served = offered.any(|name| self.alpn.iter().any(|served| served == name));
        is_served.then(|| self.certified.clone())
    }
}

/// Selects the wanted items from `offered`, in the wanted order; `None` if one is not offered.
fn choose<T: Copy, N: PartialEq>(
    wanted: &[N],
    offered: &[T],
    name: impl Fn(&T) -> N,
) -> Option<Vec<T>> {
    wanted
        .iter()
        .map(|wanted| offered.iter().find(|one| name(one) == *wanted).copied())
        .collect()
}

/// Why a server cannot be set up.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsSetupError {
    /// The provider lacks one of the suites.
    Suite,
    /// The provider lacks one of the groups.
    Group,
    /// The clients' root certificate is unusable.
    ClientCa,
    /// The private key is of a type that cannot sign here.
    Key,
    /// rustls refuses the combination.
    Rustls(rustls::Error),
}

impl fmt::Display for TlsSetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Suite => {
                f.write_str("The crypto provider lacks one of the requested cipher suites.")
            }
            Self::Group => {
                f.write_str("The crypto provider lacks one of the requested key exchange groups.")
            }
            Self::ClientCa => f.write_str("The root certificate for clients is unusable."),
            Self::Key => f.write_str(
                "The server's private key is of a kind that is not supported for signing.",
            ),
            Self::Rustls(error) => write!(f, "rustls rejects the server's configuration: {error}."),
        }
    }
}

impl std::error::Error for TlsSetupError {}
