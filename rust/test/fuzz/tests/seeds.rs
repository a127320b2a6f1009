//! The seeds are what a fuzzer starts from: each reaches everything that its name says.

use std::fs;
use std::path::Path;

use thread_mqtt_fuzz::Input;

fn seeds() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    let seeds = fs::read_dir(folder).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, fs::read(path).unwrap())
    });
    seeds.collect()
}

#[test]
fn both_connections_are_made_and_the_second_one_is_resumed() {
    let seeds = seeds();
    assert_eq!(seeds.len(), 20);
    for (name, bytes) in seeds {
        let outcome = Input::read(&bytes).outcome();
        // A client-only rustls does not request the certificate status, and refuses it if sent.
        let refusal = match name.as_str() {
            "tls12-status" => Some("(UnsolicitedServerHelloExtension)"),
            "tls13-status" => Some("(UnknownCertificateExtension)"),
            _ => None,
        };
        let error = outcome.0[0].error.as_deref().unwrap_or_default();
        if refusal.is_some_and(|refusal| error.contains(refusal)) {
            continue;
        }
        for (end, is_second) in outcome.0.iter().zip([false, true]) {
            let agreed = end.agreed.as_deref().unwrap_or_default();
            let number = agreed.contains("Tls13").then_some("tls13");
            assert!(name.starts_with(number.unwrap_or("tls12")), "{name}: {end}");
            assert!(
                agreed.contains(&format!("resumed: {is_second}")),
                "{name}: {end}"
            );
            let retried = name == "tls13-retry" && !is_second;
            assert!(
                agreed.contains(&format!("retried: {retried}")),
                "{name}: {end}"
            );
            assert!(end.read.starts_with(b"from the server"), "{name}: {end}");
            assert_eq!(end.error, None, "{name}: {end}");
        }
    }
}

#[test]
fn an_input_is_read_as_it_was_written() {
    for (name, bytes) in seeds() {
        assert_eq!(Input::read(&bytes).to_bytes(), bytes, "{name}");
    }
}

#[test]
fn what_is_cut_off_is_empty() {
    for bytes in [&[][..], &[0xFF], &[4, 1], &[4, 0, 9, 22, 3]] {
        let outcome = Input::read(bytes).outcome();
        assert!(
            outcome.0.iter().all(|end| end.agreed.is_none()),
            "{outcome}"
        );
    }
}
