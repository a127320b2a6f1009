//! TLS settings: trusted CAs, the client's identity, and the permitted protocols.
use crate::args::TlsArguments;
use crate::exit::Failure;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::crypto::{CryptoProvider, KeyProvider};
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::SigningKey;
use std::env;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thread_mqtt_soft_provider::{KEYS, Random, RandomError, provider, suites, verify};
use thread_mqtt_tls::{Config, ConfigBuilder, ConfigError, Given};
use zeroize::Zeroize;

/// This host's randomness, for the cryptography.
#[derive(Debug)]
struct HostRandom;

impl Random for HostRandom {
    fn fill(buf: &mut [u8]) -> Result<(), RandomError> {
        getrandom::fill(buf).map_err(|_| RandomError)
    }
}

/// Returns the device's provider with additions for a laptop: Ed25519 and P-521 of peers, and all
/// types of client keys.
fn laptop() -> CryptoProvider {
    CryptoProvider {
        signature_verification_algorithms: verify::SUPPORTED_WITH_ED25519,
        key_provider: &Keys,
        ..provider::<HostRandom>()
    }
}

#[derive(Debug)]
struct Keys;

impl KeyProvider for Keys {
    fn load_private_key(
        &self,
        mut key: PrivateKeyDer<'static>,
    ) -> Result<Arc<dyn SigningKey>, rustls::Error> {
        let loaded = KEYS
            .load_private_key(key.clone_key())
            .or_else(|_| any_supported_type(&key));
        key.zeroize();
        loaded
    }
}

/// Where systems keep the certificates of public CAs: the Debian family, the Fedora family, Alpine
/// and macOS.
const SYSTEM_BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/opt/homebrew/etc/ca-certificates/cert.pem",
];

/// Accepts records of any server: a laptop has enough memory.
const MAX_INBOUND: usize = 64 * 1024;

/// Accepts the longest chain that rustls can be set to check.
const MAX_CHAIN: usize = 7;

pub(crate) fn tls_config(arguments: &TlsArguments) -> Result<Config, Failure> {
    if arguments.insecure {
        let failure = Failure::usage(format_args!(
            "--insecure is not supported: the broker's certificate is always checked"
        ));
        return Err(failure.cure(
            "give its CA with --ca, or pin the certificate with --pin, which ignores names and dates",
        ));
    }
    let mut builder = Config::builder(laptop())
        .in_place(suites::in_place)
        .max_inbound(MAX_INBOUND)
        .max_chain(arguments.max_chain.unwrap_or(MAX_CHAIN));
    builder = trust(builder, arguments)?;
    if let (Some(chain), Some(key)) = (&arguments.cert, &arguments.key) {
        let (certificate, private) = (read(chain, "--cert")?, read(key, "--key")?);
        builder = builder
            .client_identity(&certificate, &private)
            .map_err(|error| match error.given() {
                Some(Given::Key) => refused(key, "--key", error),
                _ => refused(chain, "--cert", error),
            })?;
    }
    if !arguments.tls.is_empty() {
        builder = builder.versions(&arguments.tls);
    }
    if !arguments.suite.is_empty() {
        builder = builder.suites(&arguments.suite);
    }
    if !arguments.group.is_empty() {
        builder = builder.groups(&arguments.group);
    }
    if arguments.require_ems {
        builder = builder.require_extended_master_secret();
    }
    if arguments.no_resumption {
        builder = builder.no_resumption();
    }
    let alpn: Vec<&[u8]> = arguments.alpn.iter().map(String::as_bytes).collect();
    builder
        .alpn(&alpn)
        .build()
        .map_err(|error| Failure::usage(format_args!("the TLS options cannot be used: {error}")))
}

/// Configures the given CAs, or pins only, or the CAs of this system.
fn trust(mut builder: ConfigBuilder, arguments: &TlsArguments) -> Result<ConfigBuilder, Failure> {
    for pin in &arguments.pin {
        builder = builder.pin(*pin);
    }
    if let Some(path) = &arguments.ca {
        let bundle = read(path, "--ca")?;
        return builder
            .ca(&bundle)
            .map_err(|error| refused(path, "--ca", error));
    }
    if !arguments.pin.is_empty() {
        return Ok(builder);
    }
    let (path, origin) = system_bundle()?;
    let bundle = read(&path, origin)?;
    // The user did not make this bundle, so unreadable entries are skipped.
    let (builder, _) = builder
        .ca_where_readable(&bundle)
        .map_err(|error| refused(&path, origin, error))?;
    Ok(builder)
}

/// Returns the bundle of this system, and how it was found.
fn system_bundle() -> Result<(PathBuf, &'static str), Failure> {
    let named = env::var_os("SSL_CERT_FILE");
    if let Some(path) = named.filter(|path| !path.is_empty()) {
        return Ok((path.into(), "the environment variable SSL_CERT_FILE"));
    }
    SYSTEM_BUNDLES
        .iter()
        .map(PathBuf::from)
        .find(|path| path.exists())
        .map(|path| (path, "this system's CA certificates"))
        .ok_or_else(|| {
            Failure::usage("no CA certificate bundle was found on this system")
                .cure("give one with --ca, or install the package ca-certificates")
        })
}

/// Returns where this system keeps its CAs, for a message.
pub(crate) fn system_bundle_path() -> String {
    match system_bundle() {
        Ok((path, _)) => path.display().to_string(),
        Err(_) => "none".to_owned(),
    }
}

/// Maximum size in bytes of a file with certificates, a key or a password. Anything larger is
/// something else.
const LARGEST: u64 = 64 << 20;

/// Reads a file named by an option.
pub(crate) fn read(path: &Path, option: &str) -> Result<Vec<u8>, Failure> {
    let content = read_within(path, option, LARGEST)?;
    content.ok_or_else(|| {
        Failure::usage(format_args!(
            "the file {} given by {option} is larger than {} MiB",
            path.display(),
            LARGEST >> 20
        ))
        .cure("check the path")
    })
}

/// Reads a file named by an option. Returns `None` if it has more than this many bytes, or no end.
pub(crate) fn read_within(
    path: &Path,
    option: &str,
    bytes: u64,
) -> Result<Option<Vec<u8>>, Failure> {
    let read = || {
        let file = File::open(path)?;
        // Allocates once, so that growing does not leave copies of a key behind.
        let size = file.metadata()?.len().min(bytes);
        let mut content = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        file.take(bytes + 1).read_to_end(&mut content)?;
        Ok(content)
    };
    let content = read().map_err(|error: io::Error| {
        Failure::usage(format_args!(
            "the file {} given by {option} cannot be read: {error}",
            path.display()
        ))
        .cure("check the path and its permissions")
    })?;
    Ok((content.len() as u64 <= bytes).then_some(content))
}

fn refused(path: &Path, option: &str, error: ConfigError) -> Failure {
    Failure::usage(format_args!("{} ({option}): {error}", path.display()))
}
