//! Writes the fixed test certificates anew, into `rust/testkit/pki`:
//!
//! ```sh
//! cargo run -p thread-mqtt-testkit --example generate-pki
//! ```
//!
//! The result is committed, because a run that must repeat byte for byte needs
//! the same certificates; run this only to change names, dates or sizes.
//! THE KEYS ARE PUBLIC. They are for tests and guard nothing.
use std::path::Path;
use thread_mqtt_testkit::fixed::{NAMES, VALIDITY};
use thread_mqtt_testkit::pki::{Authority, Chain, KeyKind, PkiError, Usage};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("pki");
    std::fs::create_dir_all(&folder)?;
    for (prefix, kind) in [("rsa", KeyKind::Rsa2048), ("p256", KeyKind::P256)] {
        for (name, text) in files(kind)? {
            std::fs::write(folder.join(format!("{prefix}-{name}.pem")), text)?;
        }
    }
    Ok(())
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
