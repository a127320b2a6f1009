//! Regenerates the fixed test certificates in `rust/test/testkit/pki`:
//!
//! ```sh
//! cargo run -p thread-mqtt-testkit --example generate-pki
//! ```
//!
//! The result is committed, because a run that must repeat byte for byte needs the same
//! certificates. Run this only to change names, dates or sizes. THE KEYS ARE PUBLIC. They are for
//! tests and protect nothing.
use std::path::Path;
use thread_mqtt_testkit::fixed::{NAMES, VALIDITY};
use thread_mqtt_testkit::pki::{Authority, Chain, KeyKind, PkiError, Usage};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("pki");
    std::fs::create_dir_all(&folder)?;
    for (prefix, kind) in [
        ("rsa", KeyKind::Rsa2048),
        ("p256", KeyKind::P256),
        ("p384", KeyKind::P384),
    ] {
        for (name, text) in files(kind)? {
            std::fs::write(folder.join(format!("{prefix}-{name}.pem")), text)?;
        }
        for (name, text) in deep_files(kind)? {
            std::fs::write(folder.join(format!("{prefix}-deep-{name}.pem")), text)?;
        }
    }
    Ok(())
}

/// Generates a server with three intermediates below its root.
fn deep_files(kind: KeyKind) -> Result<Vec<(&'static str, String)>, PkiError> {
    let root = Authority::root("root", kind, VALIDITY)?;
    let mut issuer = root.intermediate("intermediate 1", kind, VALIDITY)?;
    let mut intermediates = issuer.certificate_pem();
    for name in ["intermediate 2", "intermediate 3"] {
        issuer = issuer.intermediate(name, kind, VALIDITY)?;
        intermediates.insert_str(0, &issuer.certificate_pem());
    }
    let leaf = issuer.issue(&NAMES, Usage::Server, kind, VALIDITY)?;
    Ok(vec![
        ("root", root.certificate_pem()),
        ("intermediate", intermediates),
        ("leaf", leaf.chain_pem()),
        ("leaf.key", leaf.key_pem()),
    ])
}

fn files(kind: KeyKind) -> Result<Vec<(&'static str, String)>, PkiError> {
    let Chain {
        root,
        intermediate,
        leaf,
    } = Chain::with_validity(kind, &NAMES, VALIDITY, VALIDITY)?;
    let client = client(&root, kind)?;
    Ok(vec![
        ("root", root.certificate_pem()),
        ("root.key", root.key_pem()),
        ("intermediate", intermediate.certificate_pem()),
        ("intermediate.key", intermediate.key_pem()),
        ("leaf", leaf.chain_pem()),
        ("leaf.key", leaf.key_pem()),
        ("client", client.chain_pem()),
        ("client.key", client.key_pem()),
    ])
}

fn client(root: &Authority, kind: KeyKind) -> Result<thread_mqtt_testkit::pki::Identity, PkiError> {
    root.issue(&["thread-device-1"], Usage::Client, kind, VALIDITY)
}
