//! Generates the seeds: recordings of what a rustls server sends over two connections. The CA is
//! new each time, so all seeds are generated together.
//!
//! ```text
//! cargo run -p thread-mqtt-fuzz --example seeds
//! ```

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::{fs, io::Write};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SignatureAlgorithm,
};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ProducesTickets, ServerConfig, ServerConnection, ServerSessionMemoryCache};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{DigitallySignedStruct, DistinguishedName, SignatureScheme, version};
use thread_mqtt_fuzz::provider::{Fixed, Scheme, provider};
use thread_mqtt_fuzz::{Input, NAME, NOW, Options};
use thread_mqtt_tls::{Connection, Version};

/// A kind of server, and the configuration of its client.
#[derive(Clone)]
struct Case {
    name: String,
    options: Options,
    version: Version,
    rsa: bool,
    /// Resumes the session with a ticket. Without tickets, TLS 1.2 resumes it by its identifier.
    tickets: bool,
    /// Only P-256, so that TLS 1.3 needs a HelloRetryRequest.
    retry: bool,
    client_auth: bool,
    alpn: bool,
    /// Sends the certificate status (OCSP).
    status: bool,
    fragment: Option<usize>,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for version in Version::ALL {
        let plain = Case {
            name: String::new(),
            options: Options::default(),
            version: *version,
            rsa: false,
            tickets: true,
            retry: false,
            client_auth: false,
            alpn: false,
            status: false,
            fragment: None,
        };
        let only = |no_tls12, no_tls13| Options {
            no_tls12,
            no_tls13,
            ..Options::default()
        };
        let identity = Options {
            identity: true,
            ..Options::default()
        };
        let in_place = Options {
            in_place: true,
            pieces: true,
            ..Options::default()
        };
        let alpn = Options {
            alpn: true,
            extended_master_secret: true,
            ..Options::default()
        };
        let case = |name: &str, change: &dyn Fn(&mut Case)| {
            let number = match version {
                Version::Tls12 => "tls12",
                Version::Tls13 => "tls13",
            };
            let mut case = plain.clone();
            case.name = format!("{number}-{name}");
            change(&mut case);
            case
        };
        cases.extend([
            case("ecdsa", &|_| ()),
            case("rsa-in-place", &|case| {
                (case.rsa, case.options) = (true, in_place);
            }),
            case("alone", &|case| {
                case.options = only(*version == Version::Tls13, *version == Version::Tls12);
            }),
            case("session-id", &|case| case.tickets = false),
            case("retry", &|case| case.retry = true),
            case("client-auth", &|case| {
                (case.client_auth, case.options) = (true, identity);
            }),
            case("client-auth-none", &|case| case.client_auth = true),
            case("alpn", &|case| (case.alpn, case.options) = (true, alpn)),
            case("fragments", &|case| case.fragment = Some(200)),
            case("status", &|case| case.status = true),
        ]);
    }
    cases
}

/// The server's chain, leaf first and without the CA, and the CA's chain.
struct Chains {
    ca: CertificateDer<'static>,
    ecdsa: Vec<CertificateDer<'static>>,
    rsa: Vec<CertificateDer<'static>>,
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = rcgen::date_time_ymd(2026, 1, 1);
    params.not_after = rcgen::date_time_ymd(2027, 1, 1);
    params
}

fn ca_params(name: &str) -> CertificateParams {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

impl Chains {
    fn new() -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
        let root = ca_params("Root");
        let ca = root.self_signed(&key)?.der().clone();
        let root = Issuer::new(root, key);
        Ok(Self {
            ecdsa: Self::below(&root, &rcgen::PKCS_ECDSA_P256_SHA256)?,
            rsa: Self::below(&root, &rcgen::PKCS_RSA_SHA256)?,
            ca,
        })
    }

    fn below(
        root: &Issuer<'_, KeyPair>,
        algorithm: &'static SignatureAlgorithm,
    ) -> Result<Vec<CertificateDer<'static>>, rcgen::Error> {
        let (middle, key) = (ca_params("Middle"), KeyPair::generate_for(algorithm)?);
        let above = middle.signed_by(&key, root)?.der().clone();
        let middle = Issuer::new(middle, key);
        let mut leaf = params(NAME);
        leaf.subject_alt_names = vec![rcgen::SanType::DnsName(NAME.try_into()?)];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate_for(algorithm)?;
        Ok(vec![leaf.signed_by(&key, &middle)?.der().clone(), above])
    }
}

/// Tickets that anyone can read.
#[derive(Debug)]
struct OpenTickets;

impl ProducesTickets for OpenTickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        86_400
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        Some(plain.to_vec())
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        Some(cipher.to_vec())
    }
}

/// Accepts any client certificate, or none.
#[derive(Debug)]
struct Anybody;

impl ClientCertVerifier for Anybody {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

#[derive(Debug)]
struct FixedTime;

impl rustls::time_provider::TimeProvider for FixedTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(
            NOW,
        )))
    }
}

impl Case {
    fn server(&self, chains: &Chains) -> Result<ServerConfig, rustls::Error> {
        let mut provider = provider();
        // Otherwise the client's would be taken for an echo of its session identifier.
        provider.secure_random = &Fixed(0xA5);
        if self.retry {
            provider.kx_groups.remove(0);
        }
        let version = match self.version {
            Version::Tls12 => &version::TLS12,
            Version::Tls13 => &version::TLS13,
        };
        let builder = ServerConfig::builder_with_details(provider.into(), Arc::new(FixedTime))
            .with_protocol_versions(&[version])?;
        let builder = match self.client_auth {
            true => builder.with_client_cert_verifier(Arc::new(Anybody)),
            false => builder.with_no_client_auth(),
        };
        let (chain, scheme) = match self.rsa {
            true => (&chains.rsa, SignatureScheme::RSA_PSS_SHA256),
            false => (&chains.ecdsa, SignatureScheme::ECDSA_NISTP256_SHA256),
        };
        let mut key = CertifiedKey::new(chain.clone(), Arc::new(Scheme(scheme)));
        key.ocsp = self
            .status
            .then(|| b"not revoked, says the responder".to_vec());
        let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
        config.max_fragment_size = self.fragment;
        if self.alpn {
            config.alpn_protocols = vec![b"mqtt".to_vec()];
        }
        match self.tickets {
            true => config.ticketer = Arc::new(OpenTickets),
            false => config.session_storage = ServerSessionMemoryCache::new(8),
        }
        Ok(config)
    }

    /// Records what the server sends over two consecutive connections.
    fn record(&self, chains: &Chains) -> Result<Vec<u8>, Box<dyn Error>> {
        let server = Arc::new(self.server(chains)?);
        let client = self.options.config(&chains.ca);
        let mut sent = [Vec::new(), Vec::new()];
        for sent in &mut sent {
            let mut server = ServerConnection::new(server.clone())?;
            let mut client = Connection::new(&client, NAME, NOW)?;
            let mut greeted = false;
            loop {
                server.read_tls(&mut client.ciphertext())?;
                client.consume_ciphertext(client.ciphertext().len());
                server.process_new_packets()?;
                if !server.is_handshaking() && !greeted {
                    greeted = true;
                    server.writer().write_all(b"from the server")?;
                    if self.version == Version::Tls13 {
                        server.refresh_traffic_keys()?;
                        server.writer().write_all(b", with other keys")?;
                    }
                    server.send_close_notify();
                }
                let mut flight = Vec::new();
                while server.wants_write() {
                    server.write_tls(&mut flight)?;
                }
                if flight.is_empty() {
                    break;
                }
                sent.extend_from_slice(&flight);
                let mut rest = &flight[..];
                while !rest.is_empty() {
                    rest = &rest[client.handle_ciphertext(rest)?..];
                    client.consume_plaintext(client.plaintext().len());
                }
            }
        }
        let input = Input {
            options: self.options,
            sent: [&sent[0], &sent[1]],
        };
        Ok(input.to_bytes())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let chains = Chains::new()?;
    fs::write(folder.join("ca.der"), &chains.ca)?;
    for case in cases() {
        let bytes = case
            .record(&chains)
            .map_err(|error| format!("{}: {error}", case.name))?;
        println!("{}: {} bytes", case.name, bytes.len());
        fs::write(folder.join("seeds").join(&case.name), bytes)?;
    }
    Ok(())
}
