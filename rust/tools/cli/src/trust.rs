//! What TLS is told: whom to trust, who we are, what may be spoken.
use crate::args::TlsArguments;
use crate::exit::Failure;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use thread_mqtt_soft_provider::{Random, RandomError, provider};
use thread_mqtt_tls::{Config, ConfigError};

/// Randomness of this host, for the cryptography.
#[derive(Debug)]
struct HostRandom;

impl Random for HostRandom {
    fn fill(buf: &mut [u8]) -> Result<(), RandomError> {
        getrandom::fill(buf).map_err(|_| RandomError)
    }
}

/// Where systems keep the certificates of the public CAs: Debian and its kin, Fedora and its kin,
/// Alpine and macOS.
const SYSTEM_BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/opt/homebrew/etc/ca-certificates/cert.pem",
];

/// Records of any server fit: a laptop has the memory.
const MAX_INBOUND: usize = 64 * 1024;

pub(crate) fn tls_config(arguments: &TlsArguments) -> Result<Config, Failure> {
    let mut builder = Config::builder(provider::<HostRandom>()).max_inbound(MAX_INBOUND);
    let bundle = match &arguments.ca {
        Some(path) => path.clone(),
        None => system_bundle()?,
    };
    builder = builder
        .ca(&read(&bundle, "--ca")?)
        .map_err(|error| refused(&bundle, error))?;
    if let (Some(chain), Some(key)) = (&arguments.cert, &arguments.key) {
        builder = builder
            .client_identity(&read(chain, "--cert")?, &read(key, "--key")?)
            .map_err(|error| refused(chain, error))?;
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
    let alpn: Vec<&[u8]> = arguments.alpn.iter().map(String::as_bytes).collect();
    builder
        .alpn(&alpn)
        .build()
        .map_err(|error| Failure::usage(format_args!("the TLS options do not fit: {error}")))
}

fn system_bundle() -> Result<PathBuf, Failure> {
    if let Some(path) = env::var_os("SSL_CERT_FILE") {
        return Ok(path.into());
    }
    SYSTEM_BUNDLES
        .iter()
        .map(PathBuf::from)
        .find(|path| path.exists())
        .ok_or_else(|| {
            Failure::usage("this system has no bundle of CA certificates in a usual place")
                .cure("give one by --ca, or install the package ca-certificates")
        })
}

/// Reads a file that an option names.
pub(crate) fn read(path: &Path, option: &str) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| {
        Failure::usage(format_args!(
            "the file {} given by {option} cannot be read: {error}",
            path.display()
        ))
        .cure("check the path and that you may read it")
    })
}

fn refused(path: &Path, error: ConfigError) -> Failure {
    Failure::usage(format_args!("{}: {error}", path.display()))
}
