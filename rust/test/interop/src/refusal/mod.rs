//! What must fail, fails for the right reason and with the right message, with both providers.

mod certificates;
mod keys;
mod pair;
mod protocol;

use thread_mqtt_tls::{Alert, Misbehaviour, TlsError};

/// Checks an error's message, and a part of its cure.
#[track_caller]
fn says(error: &TlsError, sentence: &str, cure: &str) {
    assert_eq!(error.to_string(), sentence);
    assert!(error.cure().contains(cure), "{sentence}; {}", error.cure());
}

fn misbehaved(error: &TlsError) -> &Misbehaviour {
    match error {
        TlsError::Misbehaved(how) => how,
        other => panic!("{other}"),
    }
}

pub(crate) fn alert(error: &TlsError) -> Alert {
    match error {
        TlsError::Alert { alert, .. } => *alert,
        other => panic!("{other}"),
    }
}
