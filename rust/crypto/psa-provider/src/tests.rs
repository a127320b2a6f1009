//! Detection and the latch, with injected failures.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::vec::Vec;

use rustls::crypto::hash::Hash as _;
use rustls::crypto::hmac::Hmac as _;
use thread_mqtt_psa::{Call, Status, Usage, host};

use crate::detect::{self, Basis, Capability, Unusable, probe_all, try_anew};
use crate::fault::{self, Lease};
use crate::{
    Finding, aead, hash, hmac, latched_failure, provider, random, scheme_is_withdrawn,
    take_last_failure, verify,
};

#[global_allocator]
static HEAP: thread_mqtt_test_support::heap::Heap = thread_mqtt_test_support::heap::Heap;

/// Counters and failures are global to the process: run one test at a time.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let guard = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    host::reset();
    host::state(true);
    detect::offer_all_again();
    guard
}

const OUT_OF_MEMORY: Status = Status::INSUFFICIENT_MEMORY;

#[test]
fn mbed_tls_has_everything_but_ed25519() {
    let _alone = alone();
    let detected = provider().unwrap();
    let left_out: Vec<_> = detected
        .report
        .findings()
        .iter()
        .filter(|finding| finding.result.is_err())
        .collect();
    let [ed25519] = left_out[..] else {
        panic!("left out: {left_out:#?}");
    };
    assert_eq!(ed25519.capability, Capability::Ed25519);
    assert_eq!(
        std::format!("{ed25519}"),
        "Ed25519: left out, not built in (see PSA_WANT_*)"
    );
    let p521 = usize::from(cfg!(feature = "p521"));
    assert_eq!(detected.report.findings().len(), 26 + p521);

    let provider = detected.provider;
    assert_eq!(provider.cipher_suites.len(), 9);
    assert_eq!(provider.kx_groups.len(), 3);
    let algorithms = provider.signature_verification_algorithms;
    assert_eq!(algorithms.mapping.len(), 8 + p521);
    assert_eq!(algorithms.all.len(), 15 + p521);
}

/// The headers state what the backend does: probing it gives the same result.
#[test]
fn what_is_stated_is_what_works() {
    let _alone = alone();
    host::reset();
    try_anew().unwrap();
    assert_eq!(
        host::counters().calls,
        2,
        "psa_crypto_init and psa_generate_random"
    );
    let tried = probe_all();
    let stated = provider().unwrap().report;
    for (stated, tried) in stated.findings().iter().zip(tried.findings()) {
        assert_eq!(stated.capability, tried.capability);
        assert_eq!(stated.basis, Basis::Stated);
        if tried.basis == Basis::Tried {
            assert_eq!(stated.result, tried.result, "{stated}");
        } else {
            assert!(std::format!("{tried}").contains("offered, "), "{tried}");
        }
    }
}

/// Fails each call of the tests in turn: only the capability it belongs to, and those based on it,
/// are lost.
#[test]
fn what_fails_in_its_test_is_left_out() {
    let _alone = alone();
    thread_mqtt_psa::init().unwrap();
    let slots = host::counters().slots;
    host::reset();
    let whole = probe_all();
    let calls = host::counters().calls;
    assert!(calls > 40, "{calls} calls");

    let mut failed = Vec::new();
    for call in 1..=calls {
        host::fail(call, 1, OUT_OF_MEMORY);
        let report = probe_all();
        assert_eq!(host::counters().slots, slots, "key slots after call {call}");
        let lost: Vec<_> = whole
            .findings()
            .iter()
            .zip(report.findings())
            .filter(|(before, after)| before != after)
            .map(|(_, after)| *after)
            .collect();
        let (tried, assumed): (Vec<Finding>, Vec<Finding>) =
            lost.iter().partition(|after| after.basis == Basis::Tried);
        let [tried] = tried[..] else {
            panic!("call {call} cost {lost:?}");
        };
        for after in &lost {
            assert_eq!(after.result.unwrap_err().status, OUT_OF_MEMORY);
        }
        // A signature uses a hash.
        let name = std::format!("with {}", tried.capability.name());
        assert!(
            assumed
                .iter()
                .all(|after| after.capability.name().ends_with(&name)),
            "call {call} cost {lost:?}"
        );
        if failed.last() != Some(&tried.capability) {
            failed.push(tried.capability);
        }
    }
    assert_eq!(failed.len(), 8, "{failed:?}");
    host::reset();
}

/// PSA lacks a group or a curve, which shows at its first use: it is no longer offered.
#[test]
fn what_psa_does_not_have_at_its_first_use_is_withdrawn() {
    use rustls::{ProtocolVersion, SignatureScheme};

    let _alone = alone();
    let provider = provider().unwrap().provider;
    let usable = || {
        let groups = provider.kx_groups.iter();
        let usable = groups.filter(|group| group.usable_for_version(ProtocolVersion::TLSv1_3));
        usable.map(|group| group.name()).collect::<Vec<_>>()
    };
    let all = usable();
    // Transient failures are retried.
    host::fail(1, 1, OUT_OF_MEMORY);
    assert!(provider.kx_groups[0].start().is_err());
    assert_eq!(usable(), all);
    host::fail(1, 1, Status::NOT_SUPPORTED);
    assert!(provider.kx_groups[0].start().is_err());
    assert_eq!(usable(), all[1..]);
    // Also for an agreement.
    let active = provider.kx_groups[1].start().unwrap();
    let peer = active.pub_key().to_vec();
    host::fail(1, 1, Status::NOT_SUPPORTED);
    assert!(active.complete(&peer).is_err());
    assert_eq!(usable(), all[2..]);

    let scheme = SignatureScheme::ECDSA_NISTP256_SHA256;
    assert!(!crate::scheme_is_withdrawn(scheme));
    // r and s are 1: PSA is called, and the key's import fails.
    let signature = [0x30, 6, 2, 1, 1, 2, 1, 1];
    let key = [&[4][..], &[1; 64]].concat();
    let hash_calls = 3;
    host::fail(1 + hash_calls, 1, Status::NOT_SUPPORTED);
    let verified = crate::verify::ECDSA_P256_SHA256.verify_signature(&key, b"abc", &signature);
    assert!(verified.is_err() && host::counters().failed == 1);
    assert!(crate::scheme_is_withdrawn(scheme));
    assert!(!crate::scheme_is_withdrawn(SignatureScheme::RSA_PSS_SHA256));
    let text = std::format!("{}", crate::provider().unwrap().report);
    let line = "ECDSA P-256 with SHA-256: left out, PSA lacked it when it was used";
    assert!(text.contains(line), "{text}");
    host::reset();
    detect::offer_all_again();
}

/// Runs in a separate process, because results are kept until the program ends.
#[test]
fn what_fails_for_want_of_memory_is_tried_again() {
    const ALONE: &str = "what_fails_for_want_of_memory_is_tried_again";
    const MARK: &str = "THREAD_MQTT_PSA_IN_A_PROCESS_OF_ITS_OWN";
    if std::env::var_os(MARK).is_none() {
        let mut test = std::process::Command::new(std::env::current_exe().unwrap());
        let run = test.args([ALONE, "--nocapture"]).env(MARK, "1").output();
        let run = run.unwrap();
        let said = std::string::String::from_utf8_lossy(&run.stdout);
        assert!(run.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let _alone = alone();
    thread_mqtt_psa::init().unwrap();
    host::reset();
    host::state(false);
    let whole = probe_all();
    let calls = host::counters().calls;
    // From the test of the last cipher on, there is no memory: find the last call with that effect.
    let lost = |from: &u32| {
        host::fail(*from, u32::MAX, OUT_OF_MEMORY);
        !probe_all().has(Capability::ChaCha20Poly1305)
    };
    let from = (1..=calls).rev().find(lost).unwrap();
    // Before the tests, PSA is initialised and random bytes are drawn.
    host::fail(from + 2, u32::MAX, OUT_OF_MEMORY);
    let first = provider().unwrap();
    assert!(first.report.may_grow());
    assert!(
        first.report.has(Capability::Sha256) && !first.report.has(Capability::ChaCha20Poly1305)
    );
    let text = std::format!("{}", first.report);
    let line = "ChaCha20-Poly1305: left out for now, ";
    assert!(text.contains(line), "{text}");
    // Still no memory: what worked stays, and nothing new is found.
    host::fail(1, u32::MAX, OUT_OF_MEMORY);
    assert_eq!(provider().unwrap().report, first.report);
    // The first call that is repeated.
    host::fail(3, 1, OUT_OF_MEMORY);
    let second = provider().unwrap();
    assert!(second.report.may_grow());
    host::reset();
    let third = provider().unwrap();
    assert_eq!(*third.report, whole);
    assert!(third.provider.cipher_suites.len() >= second.provider.cipher_suites.len());
    // From now on, the result is known.
    host::reset();
    provider().unwrap();
    assert_eq!(host::counters().calls, 0);
}

#[test]
fn each_thread_is_told_its_own_failure() {
    let _alone = alone();
    crate::identify_callers_by(|| {
        std::thread_local!(static MARK: u8 = const { 0 });
        MARK.with(|mark| core::ptr::from_ref(mark).addr())
    });
    take_last_failure();
    let mine = Call::VerifyHash.failed(OUT_OF_MEMORY);
    fault::remember(mine);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            assert_eq!(take_last_failure(), None, "the failure of another client");
            let theirs = Call::ImportKey.failed(Status::NOT_SUPPORTED);
            fault::remember(theirs);
            assert_eq!(take_last_failure(), Some(theirs));
        });
    });
    assert_eq!(take_last_failure(), Some(mine));
}

#[test]
fn a_backend_that_does_not_start_or_can_nothing_is_unusable() {
    let _alone = alone();
    host::state(false);
    let not_supported = |from| {
        host::fail(from, u32::MAX, Status::NOT_SUPPORTED);
        try_anew().unwrap_err()
    };
    let init = Call::Init.failed(Status::NOT_SUPPORTED);
    assert_eq!(not_supported(1), Unusable::Psa(init));
    let random = Call::GenerateRandom.failed(Status::NOT_SUPPORTED);
    assert_eq!(not_supported(2), Unusable::Psa(random));
    let nothing = not_supported(3);
    assert!(matches!(nothing, Unusable::NoCipherSuite(_)), "{nothing}");
    let text = std::format!("{nothing}");
    assert!(text.contains("PSA_WANT"), "{text}");
    host::reset();
}

/// Every call of a hash fails in turn. The digest has the right length and differs each time.
/// Nothing works while any lease is left, and everything does afterwards.
#[test]
fn a_failed_hash_poisons_and_latches() {
    let _alone = alone();
    provider().unwrap();
    let digest = || {
        let mut context = hash::SHA256.start();
        context.update(b"a");
        let fork = context.fork();
        context.update(b"bc");
        assert_eq!(fork.fork_finish().as_ref().len(), 32);
        context.finish().as_ref().to_vec()
    };
    host::reset();
    let right = digest();
    let calls = host::counters().calls;
    let before = host::counters().slots;
    let mut seen = std::vec![right.clone()];
    for call in 1..=calls {
        let other = Lease::new();
        host::fail(call, 1, OUT_OF_MEMORY);
        let wrong = digest();
        assert_eq!(host::counters().failed, 1);
        assert_eq!(wrong.len(), 32);
        assert_eq!(fault::check().unwrap_err().status, OUT_OF_MEMORY, "{call}");
        assert!(random::RANDOM.fill(&mut [0; 8]).is_err());
        assert_eq!(take_last_failure().unwrap().status, OUT_OF_MEMORY);
        // Either digest may be hit; if it is the fork's, the first one is correct.
        if wrong != right {
            assert!(!seen.contains(&wrong));
            seen.push(wrong);
        }
        drop(other);
        assert_eq!(fault::check(), Ok(()));
        random::RANDOM.fill(&mut [0; 8]).unwrap();
    }
    assert!(seen.len() > 4, "{} of {calls} calls", seen.len());
    assert_eq!(host::counters().slots, before);
    assert_eq!(take_last_failure(), None);
}

#[test]
fn a_failed_hmac_poisons_and_latches() {
    let _alone = alone();
    provider().unwrap();
    let tag = || hmac::HMAC_SHA256.with_key(b"key").sign(&[b"a", b"bc"]);
    host::reset();
    let right = tag().as_ref().to_vec();
    let calls = host::counters().calls;
    let mut seen = std::vec![right];
    for call in 1..=calls {
        let other = Lease::new();
        // Only this call fails, or all from here on, which leaves no randomness either.
        for count in [1, u32::MAX] {
            host::fail(call, count, OUT_OF_MEMORY);
            let wrong = tag().as_ref().to_vec();
            assert_eq!(wrong.len(), 32);
            assert!(wrong.iter().any(|byte| *byte != 0));
            assert_ne!(wrong, seen[0]);
            if count == 1 {
                assert!(!seen.contains(&wrong));
                seen.push(wrong);
            }
            assert_eq!(fault::check().unwrap_err().status, OUT_OF_MEMORY);
        }
        host::reset();
        drop(other);
        assert_eq!(fault::check(), Ok(()));
    }
    assert_eq!(seen.len() as u32, 1 + calls);
    take_last_failure();
}

/// The key cannot be imported, or the text cannot be encrypted: nothing of the text is sent, and
/// the failure is latched.
#[test]
fn a_failed_encryption_says_nothing() {
    let _alone = alone();
    provider().unwrap();
    for call in 1..=2 {
        host::fail(call, 1, OUT_OF_MEMORY);
        let iv = rustls::crypto::cipher::Iv::from([0; 12]);
        let keyed = aead::AES_128_GCM.keyed(&[7; 16], iv, Usage::ENCRYPT);
        for _ in 0..2 {
            let mut buf = *b"a secret text, and room for its tag";
            keyed.seal(&[0; 12], b"header", &mut buf);
            assert_eq!(buf, [0; 35]);
        }
        assert_eq!(host::counters().failed, 1);
        assert_eq!(latched_failure().unwrap().status, OUT_OF_MEMORY);
        drop(keyed);
        assert_eq!(latched_failure(), None);
    }
    take_last_failure();
}

/// Nor does a failure elsewhere withdraw anything.
#[test]
fn a_latched_failure_withdraws_nothing() {
    let _alone = alone();
    let provider = provider().unwrap().provider;
    let lease = Lease::new();
    fault::latch(Call::HashUpdate.failed(Status::NOT_SUPPORTED));
    for group in &provider.kx_groups {
        assert!(group.start().is_err());
    }
    let algorithms = provider.signature_verification_algorithms;
    for algorithm in algorithms.all {
        assert!(algorithm.verify_signature(&KEY, b"", &SIGNATURE).is_err());
    }
    drop(lease);
    for group in &provider.kx_groups {
        assert!(group.usable_for_version(rustls::ProtocolVersion::TLSv1_3));
        assert!(group.start().is_ok());
    }
    for (scheme, _) in algorithms.mapping {
        assert!(!scheme_is_withdrawn(*scheme), "{scheme:?}");
    }
    take_last_failure();
}

/// The peer chooses the hash of a certificate's signature.
#[test]
fn a_hash_that_is_missing_with_a_curve_does_not_withdraw_the_other() {
    let _alone = alone();
    let p256 = rustls::SignatureScheme::ECDSA_NISTP256_SHA256;
    for (algorithm, withdrawn) in [
        (verify::ECDSA_P256_SHA384, false),
        (verify::ECDSA_P256_SHA256, true),
    ] {
        host::fail(1, u32::MAX, Status::NOT_SUPPORTED);
        assert!(algorithm.verify_signature(&KEY, b"", &SIGNATURE).is_err());
        assert!(host::counters().failed > 0);
        assert_eq!(scheme_is_withdrawn(p256), withdrawn);
    }
    host::reset();
    take_last_failure();
}

/// A key and a signature that reach PSA.
const KEY: [u8; 65] = [4; 65];
const SIGNATURE: [u8; 8] = [0x30, 6, 2, 1, 1, 2, 1, 1];

#[test]
fn the_latch_holds_until_the_last_lease_is_gone() {
    let _alone = alone();
    let (first, second) = (Lease::new(), Lease::new());
    let error = Call::HashUpdate.failed(OUT_OF_MEMORY);
    fault::latch(error);
    let third = Lease::new();
    drop((first, second));
    assert_eq!(fault::check(), Err(error));
    drop(third);
    assert_eq!(fault::check(), Ok(()));
    assert_eq!(take_last_failure(), Some(error));
    assert_eq!(take_last_failure(), None);
}
