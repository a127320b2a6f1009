//! The whole path, with a hundred seeds at each of three loss rates: attach, resolve, TLS, MQTT,
//! publish at QoS 1 and 2, and receive everything back. Every seed completes.
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use thread_mqtt_demo::options::{Mqtt, Options, Peer, Tls};
use thread_mqtt_demo::run::{Outcome, Silent, run};

const SEEDS: u64 = 100;

/// Odd seeds use QoS 1, even ones QoS 2; MQTT 3.1.1 and 5 and TLS 1.2 and 1.3 alternate.
fn options(seed: u64, loss: f64) -> Options {
    Options {
        tls: Some(if seed % 8 < 4 { Tls::V12 } else { Tls::V13 }),
        peer: Peer::Virtual,
        seed,
        loss,
        qos: if seed % 2 == 1 { 1 } else { 2 },
        mqtt: if seed % 4 < 2 { Mqtt::V311 } else { Mqtt::V5 },
        messages: 3,
        timeout: 600,
        ..Options::new()
    }
}

/// The same over up to three routers; every fifth device is sleepy. If each hop loses a quarter of
/// the frames, an attempt may time out, so the client retries, as in the field.
fn far_options(seed: u64, loss: f64) -> Options {
    Options {
        hops: u8::try_from(seed % 4).expect("less than four"),
        sleepy: seed.is_multiple_of(5).then_some(300),
        retry: true,
        ..options(seed, loss)
    }
}

/// Worlds belong to their thread; two threads share the seeds.
fn run_all(options: impl Fn(u64) -> Options + Sync) -> Vec<(u64, Outcome)> {
    let next = AtomicU64::new(1);
    let worker = || {
        let mut outcomes = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed > SEEDS {
                return outcomes;
            }
            outcomes.push((seed, run(&options(seed), &mut Silent)));
        }
    };
    thread::scope(|scope| {
        let other = scope.spawn(worker);
        let mut outcomes = worker();
        outcomes.extend(other.join().expect("no seed panics"));
        outcomes
    })
}

fn every_seed_completes(what: &str, options: impl Fn(u64) -> Options + Sync) {
    let began = Instant::now();
    let outcomes = run_all(options);
    let failures: Vec<String> = outcomes
        .iter()
        .filter_map(|(seed, outcome)| {
            let failure = outcome.failure.as_ref()?;
            Some(format!("seed {seed}: {} {failure}", failure.stage))
        })
        .collect();
    let mut times: Vec<Duration> = outcomes.iter().map(|(_, one)| one.total.at).collect();
    let mut frames: Vec<u64> = outcomes.iter().map(|(_, one)| one.total.frames).collect();
    times.sort_unstable();
    frames.sort_unstable();
    let middle = outcomes.len() / 2;
    println!(
        "{what}: {} of {SEEDS} seeds; {:.1} s median, {:.1} s longest; {} frames median, {} most; {:.1} s of wall time",
        outcomes.len() - failures.len(),
        times[middle].as_secs_f64(),
        times[times.len() - 1].as_secs_f64(),
        frames[middle],
        frames[frames.len() - 1],
        began.elapsed().as_secs_f64(),
    );
    assert_eq!(outcomes.len() as u64, SEEDS);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    for (seed, outcome) in &outcomes {
        assert_eq!((outcome.published, outcome.received), (3, 3), "seed {seed}");
    }
}

/// One after the other, because each uses two threads.
#[test]
fn a_hundred_seeds_at_0_10_and_25_percent_loss() {
    for loss in [0.0, 10.0, 25.0] {
        every_seed_completes(&format!("{loss} % loss"), |seed| options(seed, loss));
    }
    for loss in [0.0, 10.0, 25.0] {
        let what = format!("{loss} % loss, 0 to 3 routers, some devices sleepy");
        every_seed_completes(&what, |seed| far_options(seed, loss));
    }
}
