//! `thread-mqtt`: the client of this project on a laptop, over the laptop's own sockets.
//!
//! ```text
//!  args ──▶ setup ──▶ session ──▶ publish │ subscribe
//!   │         │                            (driver, client, host port)
//!   │         └────▶ doctor: the stages one by one, each with what it found
//!   └──▶ resolve: the resolver alone
//! ```
//!
//! It prints what the crates beneath have to say, a cause and a cure, and ends with the exit
//! status of the stage that failed: see [`exit`].
#![forbid(unsafe_code)]

mod args;
mod doctor;
mod exit;
mod idn;
mod input;
mod publish;
mod resolve;
mod run;
mod setup;
mod subscribe;
mod trust;

use args::{Arguments, Command};
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Pub(arguments) => publish::publish(&arguments),
        Command::Sub(arguments) => subscribe::subscribe(&arguments),
        Command::Resolve(arguments) => resolve::resolve(&arguments),
        Command::Doctor(arguments) => doctor::doctor(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprint!("{failure}");
            failure.exit_code()
        }
    }
}
