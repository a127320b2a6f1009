//! `docs/interop.md`: compares the results with what the page says.

use std::fmt::Display;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Checks the part of the page called `name`. Updates it if the environment requests it.
pub(crate) fn check(name: &str, seen: &str) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    // A part that differs fails only its own test.
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/interop.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (begin, end) = (format!("<!-- {name} -->\n"), "<!-- end -->");
    let (before, rest) = page.split_once(&begin).unwrap();
    let (written, after) = rest.split_once(end).unwrap();
    if std::env::var_os("THREAD_MQTT_WRITE_DOCS").is_some() {
        std::fs::write(&path, format!("{before}{begin}{seen}{end}{after}")).unwrap();
        return;
    }
    assert_eq!(
        written, seen,
        "docs/interop.md differs from the results; if these are right, rewrite the page: \
         THREAD_MQTT_WRITE_DOCS=1 cargo test -p thread-mqtt-interop"
    );
}

/// Returns a row of a table.
pub(crate) fn row<T: Display>(cells: impl IntoIterator<Item = T>) -> String {
    let cells: Vec<_> = cells.into_iter().map(|cell| cell.to_string()).collect();
    format!("| {} |\n", cells.join(" | "))
}

/// Returns the head of a table.
pub(crate) fn head(cells: &[&str]) -> String {
    row(cells) + &row(cells.iter().map(|_| "---"))
}
