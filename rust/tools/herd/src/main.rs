//! A herd: thousands of devices behind some border routers lose their broker, or their NAT64 prefix,
//! in the same instant. How fast do they come back, and what does the broker have to bear?
//!
//! ```text
//! cargo run -p thread-mqtt-herd -- [--devices N] [--routers N]
//!     [--outage SECONDS] [--accepts PER_SECOND] [--seed N] [--svg FILE]
//! ```
//!
//! Each device is a [`thread_mqtt_client::Client`] with its defaults, as it runs on a device; time,
//! network and broker are virtual, and the same seed repeats the same run.
mod plot;
mod world;

use std::process::ExitCode;
use std::time::Duration;
use world::{Outage, Result as Run, Setup};

fn main() -> ExitCode {
    let mut setup = Setup {
        devices: 10_000,
        routers: 200,
        outage: Duration::from_secs(60),
        accepts: 500,
        seed: 1,
    };
    let mut svg = None;
    let mut words = std::env::args().skip(1);
    while let Some(option) = words.next() {
        let value = words.next().unwrap_or_default();
        let number = value.parse::<u32>().ok().filter(|number| *number > 0);
        match (option.as_str(), number) {
            ("--svg", _) => svg = Some(value),
            ("--devices", Some(n)) => setup.devices = n as usize,
            ("--routers", Some(n)) => setup.routers = n as usize,
            ("--outage", Some(n)) => setup.outage = Duration::from_secs(n.into()),
            ("--accepts", Some(n)) => setup.accepts = n,
            ("--seed", Some(n)) => setup.seed = n.into(),
            _ => {
                eprintln!("herd: {option} {value}: an option and a number above 0; see the source");
                return ExitCode::from(2);
            }
        }
    }

    println!(
        "{} devices, {} border routers, {} s without it; the broker accepts {} connections a second",
        setup.devices,
        setup.routers,
        setup.outage.as_secs(),
        setup.accepts
    );
    println!(
        "{:<30} {:>12} {:>12} {:>12} {:>12} {:>12}",
        "what is lost", "most SYN/s", "mean SYN/s", "SYN in all", "50 % back", "99 % back"
    );
    let mut runs = Vec::new();
    for outage in [Outage::Broker, Outage::BrokerSilent, Outage::Prefix] {
        let run = world::run(&setup, outage);
        print(&run);
        runs.push(run);
    }
    if let Some(file) = svg
        && let Err(error) = std::fs::write(&file, plot::svg(&setup, &runs))
    {
        eprintln!("herd: the file {file} cannot be written: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn print(run: &Run) {
    let after = |share: f64| match run.back_after(share) {
        Some(time) => format!("{:.1} s", time.as_secs_f64()),
        None => "never".to_owned(),
    };
    println!(
        "{:<30} {:>12} {:>12.0} {:>12} {:>12} {:>12}",
        run.outage.name(),
        run.most_arrivals(),
        run.mean_arrivals(),
        run.arrivals.iter().sum::<u32>(),
        after(0.5),
        after(0.99)
    );
}
