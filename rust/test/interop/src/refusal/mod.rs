//! What must fail, fails with the right reason and says the right thing, over both providers.

mod certificates;
mod keys;
mod pair;
mod protocol;

use thread_mqtt_tls::{Alert, Misbehaviour, TlsError};

/// An error, the sentence that it must be, and a part of its cure.
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
