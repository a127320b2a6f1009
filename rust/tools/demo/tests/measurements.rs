//! `docs/measurements.md` contains what the current code measures.
use std::process::Command;

#[test]
fn the_page_is_current() {
    let output = Command::new(env!("CARGO_BIN_EXE_thread-mqtt-demo"))
        .arg("--measure")
        .output()
        .expect("the demo runs");
    assert!(output.status.success());
    let measured = String::from_utf8(output.stdout).unwrap();
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/measurements.md");
    let written = std::fs::read_to_string(page).unwrap();
    assert!(
        measured == written,
        "docs/measurements.md is not what is measured now; if the change is meant, run\n\
         cargo run -p thread-mqtt-demo -- --measure > docs/measurements.md"
    );
}
