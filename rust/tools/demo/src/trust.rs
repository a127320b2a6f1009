//! The certificates that the device trusts.
use crate::failure::Failure;
use std::path::Path;
use thread_mqtt_tls::ConfigBuilder;

/// The trust anchors of a run.
#[derive(Debug, Clone)]
pub enum Trust {
    /// A CA bundle, PEM or DER.
    Bundle(Vec<u8>),
    /// The certificates this machine trusts.
    System,
}

impl Trust {
    /// Adds the anchors to a TLS configuration.
    pub fn add_to(&self, builder: ConfigBuilder) -> Result<ConfigBuilder, Failure> {
        match self {
            Self::Bundle(bundle) => builder.ca(bundle).map_err(|error| {
                Failure::usage(
                    &format!("the file given with --ca cannot be used: {error}"),
                    "give --ca the CA's certificate, as PEM (BEGIN CERTIFICATE) or DER",
                )
            }),
            Self::System => {
                let mut roots = rustls::RootCertStore::empty();
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                if roots.is_empty() {
                    return Err(Failure::usage(
                        "this system has no CA certificates to verify the broker's certificate with",
                        "install them (Debian: apt install ca-certificates), or give --ca FILE",
                    ));
                }
                Ok(builder.anchors(roots.roots))
            }
        }
    }
}

/// Reads the file of `--ca`.
pub fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(file).map_err(|error| {
        Failure::usage(
            &format!("the CA file {} cannot be read ({error})", file.display()),
            "give --ca the path of a readable file with the CA's certificate, as PEM or DER",
        )
    })
}
