//! `thread-mqtt-demo`: see `--help`.
#![deny(clippy::print_stdout, clippy::print_stderr)]

use clap::Parser;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use thread_mqtt_demo::failure::Failure;
use thread_mqtt_demo::options::Options;
use thread_mqtt_demo::run::{Outcome, Silent, run_unless};
use thread_mqtt_demo::screen::{Screen, print_failure};
use thread_mqtt_demo::{check, json, measure, plot};

/// Exit status for an option that cannot be used, the same as clap's.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let options = Options::parse();
    if let Some(seeds) = options.measure {
        return print_measurements(seeds);
    }
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = interrupted.clone();
    thread_mqtt_signals::watch(move || flag.store(true, Ordering::Relaxed));
    let (outcome, printed) = if options.json {
        let outcome = run_unless(&interrupted, &options, &mut Silent);
        let printed = print(&format!("{}\n", json::render(&options, &outcome)));
        (outcome, printed)
    } else {
        let mut screen = Screen::new(&options);
        let outcome = run_unless(&interrupted, &options, &mut screen);
        screen.ends(&outcome);
        (outcome, screen.written())
    };
    if let Some(failure) = &outcome.failure {
        print_failure(failure);
    }
    let unusable = outcome
        .failure
        .as_ref()
        .is_some_and(|failure| failure.usage);
    let plotted = match unusable {
        true => Ok(()),
        false => write_plot(&options, &outcome),
    };
    if let Err(failure) = plotted.and(unwritten(printed)) {
        print_failure(&failure);
        return ExitCode::FAILURE;
    }
    match &outcome.failure {
        None => ExitCode::SUCCESS,
        Some(failure) if failure.usage => ExitCode::from(USAGE),
        Some(_) if interrupted.load(Ordering::Relaxed) => {
            ExitCode::from(thread_mqtt_signals::STATUS)
        }
        Some(_) => ExitCode::FAILURE,
    }
}

fn print_measurements(seeds: u64) -> ExitCode {
    let printed = measure::document(seeds).and_then(|document| unwritten(print(&document)));
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            print_failure(&failure);
            ExitCode::FAILURE
        }
    }
}

/// Writes to the standard output.
fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Ignores a write error if the reader has closed the pipe.
fn unwritten(printed: io::Result<()>) -> Result<(), Failure> {
    match printed {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::new(
            "output",
            &format!("cannot write to standard output ({error})"),
            "free space where the output goes, or send it elsewhere",
        )),
        _ => Ok(()),
    }
}

fn write_plot(options: &Options, outcome: &Outcome) -> Result<(), Failure> {
    let Some(path) = &options.plot else {
        return Ok(());
    };
    std::fs::write(path, plot::render(outcome)).map_err(|error| check::plot_failure(path, &error))
}
