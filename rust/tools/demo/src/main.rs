//! `thread-mqtt-demo`: see `--help`.
use clap::Parser;
use std::process::ExitCode;
use thread_mqtt_demo::failure::Failure;
use thread_mqtt_demo::options::Options;
use thread_mqtt_demo::run::{Outcome, Silent, run};
use thread_mqtt_demo::screen::{Screen, print_failure};
use thread_mqtt_demo::{check, json, measure, plot};

/// Exit status: an option cannot be used, as clap has it.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let options = Options::parse();
    if let Some(seeds) = options.measure {
        return print_measurements(seeds);
    }
    let outcome = if options.json {
        let outcome = run(&options, &mut Silent);
        println!("{}", json::render(&options, &outcome));
        outcome
    } else {
        let mut screen = Screen::new(&options);
        let outcome = run(&options, &mut screen);
        screen.ends(&outcome);
        outcome
    };
    if let Some(failure) = &outcome.failure {
        print_failure(failure);
    }
    let unusable = outcome
        .failure
        .as_ref()
        .is_some_and(|failure| failure.usage);
    if let (false, Err(failure)) = (unusable, write_plot(&options, &outcome)) {
        print_failure(&failure);
        return ExitCode::FAILURE;
    }
    match &outcome.failure {
        None => ExitCode::SUCCESS,
        Some(failure) if failure.usage => ExitCode::from(USAGE),
        Some(_) => ExitCode::FAILURE,
    }
}

fn print_measurements(seeds: u64) -> ExitCode {
    match measure::document(seeds) {
        Ok(document) => {
            print!("{document}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            print_failure(&failure);
            ExitCode::FAILURE
        }
    }
}

fn write_plot(options: &Options, outcome: &Outcome) -> Result<(), Failure> {
    let Some(path) = &options.plot else {
        return Ok(());
    };
    std::fs::write(path, plot::render(outcome)).map_err(|error| check::plot_failure(path, &error))
}
