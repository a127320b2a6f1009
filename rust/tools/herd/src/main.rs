//! A herd: thousands of devices behind several border routers lose their broker, or their NAT64
//! prefix, at the same moment. How fast do they come back, and what load does the broker get?
//!
//! ```text
//! cargo run -p thread-mqtt-herd -- --help
//! ```
//!
//! Each device is a [`thread_mqtt_client::Client`] with its defaults, as on a real device. Time,
//! network and broker are virtual, and the same seed repeats the same run.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod plot;
mod world;

use clap::{Parser, value_parser};
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use world::{Outage, Result as Run, Setup};

/// Simulates a herd of devices that lose their broker, its host or the NAT64 prefix at the same moment, and prints
/// how fast they reconnect and the load on the broker
#[derive(Debug, Parser)]
#[command(name = "thread-mqtt-herd", version)]
struct Options {
    /// Number of devices
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = value_parser!(u32).range(1..))]
    devices: u32,
    /// Number of border routers that serve them
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = value_parser!(u32).range(1..))]
    routers: u32,
    /// Length of the outage, up to a week
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = value_parser!(u32).range(1..=604_800))]
    outage: u32,
    /// Connections that the broker accepts per second
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = value_parser!(u32).range(1..))]
    accepts: u32,
    /// Seed of the random numbers; the same seed repeats the run
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u32).range(1..))]
    seed: u32,
    /// Draw arrivals and the share of devices online as an SVG file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    match simulate(&options) {
        // The reader has closed the pipe.
        Err((_, error)) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err((file, error)) => {
            let what = file.map_or("standard output".to_owned(), |file| {
                format!("the file {}", file.display())
            });
            let _ = writeln!(io::stderr(), "herd: {what} cannot be written: {error}");
            ExitCode::FAILURE
        }
        Ok(()) => ExitCode::SUCCESS,
    }
}

/// Returns with a write error the file that cannot be written; without one, it is the standard
/// output.
fn simulate(options: &Options) -> Result<(), (Option<&PathBuf>, io::Error)> {
    let mut out = io::stdout().lock();
    let stdout = |error| (None, error);
    let setup = Setup {
        devices: options.devices as usize,
        routers: options.routers as usize,
        outage: Duration::from_secs(options.outage.into()),
        accepts: options.accepts,
        seed: options.seed.into(),
    };

    writeln!(
        out,
        "{} devices, {} border routers, outage of {} s; the broker accepts {} connections per second",
        setup.devices,
        setup.routers,
        setup.outage.as_secs(),
        setup.accepts
    )
    .map_err(stdout)?;
    writeln!(
        out,
        "{:<30} {:>12} {:>12} {:>12} {:>12} {:>12}",
        "outage of", "peak SYN/s", "mean SYN/s", "total SYN", "50 % back", "99 % back"
    )
    .map_err(stdout)?;
    let mut runs = Vec::new();
    for outage in [Outage::Broker, Outage::BrokerSilent, Outage::Prefix] {
        let run = world::run(&setup, outage);
        print(&mut out, &run).map_err(stdout)?;
        runs.push(run);
    }
    match &options.svg {
        Some(file) => {
            std::fs::write(file, plot::svg(&setup, &runs)).map_err(|error| (Some(file), error))
        }
        None => Ok(()),
    }
}

fn print(out: &mut impl Write, run: &Run) -> io::Result<()> {
    let after = |share: f64| match run.back_after(share) {
        Some(time) => format!("{:.1} s", time.as_secs_f64()),
        None => format!("> {} s", world::WATCHED.as_secs()),
    };
    writeln!(
        out,
        "{:<30} {:>12} {:>12.0} {:>12} {:>12} {:>12}",
        run.outage.name(),
        run.most_arrivals(),
        run.mean_arrivals(),
        run.arrivals.iter().sum::<u32>(),
        after(0.5),
        after(0.99)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    /// As if the reader of a pipe has closed it, or a disk is full.
    #[test]
    fn an_output_that_takes_nothing_is_an_error() {
        let run = Run::none(Outage::Broker);
        assert!(print(&mut [].as_mut_slice(), &run).is_err());
        let mut text = Vec::new();
        print(&mut text, &run).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("> 1200 s") && !text.contains("NaN"), "{text}");
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Options::command().debug_assert();
        let refused = |words: &[&str]| Options::try_parse_from(words).is_err();
        assert!(refused(&["herd", "--devices", "0"]) && refused(&["herd", "--devices"]));
    }
}
