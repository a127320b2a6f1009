//! `thread-mqtt-demo`: see `--help`.
use clap::Parser;
use std::process::ExitCode;
use thread_mqtt_demo::failure::Failure;
use thread_mqtt_demo::options::Options;
use thread_mqtt_demo::run::{Outcome, Silent, run};
use thread_mqtt_demo::screen::{Screen, print_failure};
use thread_mqtt_demo::{json, measure, plot};

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
    if let Err(failure) = write_plot(&options, &outcome) {
        print_failure(&failure);
        return ExitCode::FAILURE;
    }
    match outcome.ok() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
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
    std::fs::write(path, plot::render(outcome)).map_err(|error| {
        Failure::new(
            "setup",
            &format!("the picture {} cannot be written ({error})", path.display()),
            "give --plot a path that can be written",
        )
    })
}
