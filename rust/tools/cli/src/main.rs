//! `thread-mqtt`: this project's client on a laptop, using the laptop's own sockets.
//!
//! ```text
//!  args ──▶ setup ──▶ session ──▶ publish │ subscribe
//! │         │                            (driver, client, host port) │         └────▶ doctor: goes
//! through the stages and prints what each found └──▶ resolve: only the resolver
//! ```
//!
//! It prints the cause and cure that the crates below report ([`cure`] translates cures into the
//! options of this program), and ends with the exit status of the stage that failed: see [`exit`].
#![forbid(unsafe_code)]
// These panic if the output cannot be written: see `output`.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod args;
mod check;
mod cure;
mod doctor;
mod exit;
mod format;
mod idn;
mod input;
mod number;
mod output;
mod property;
mod publish;
mod resolve;
mod revocable;
mod run;
mod setup;
mod subscribe;
mod trust;
mod value;

use args::{Arguments, Command};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser};
use exit::Failure;
use std::env;
use std::ffi::OsString;
use std::process::ExitCode;
use thread_mqtt_resolve::uri;

fn main() -> ExitCode {
    let arguments = property::rewrite(env::args_os(), &Arguments::command());
    let result = arguments.and_then(|arguments| run_command(&arguments));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::say(format_args!("{failure}"));
            failure.exit_code()
        }
    }
}

fn run_command(arguments: &[OsString]) -> Result<(), Failure> {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) if error.kind() == ErrorKind::InvalidUtf8 => return Err(not_utf8(arguments)),
        Err(error) => return show(error),
    };
    match arguments.command {
        Command::Pub(arguments) => {
            let properties = &arguments.message.properties;
            check::version("", properties, arguments.common.mqtt.version)?;
            publish::publish(&arguments)
        }
        Command::Sub(arguments) => subscribe::subscribe(&arguments),
        Command::Resolve(arguments) => resolve::resolve(&arguments),
        Command::Doctor(arguments) => doctor::doctor(&arguments),
    }
}

/// Prints clap's output: the help, the version, or an error in the command line.
fn show(error: clap::Error) -> Result<(), Failure> {
    let error = without_credentials(without_false_tip(without_wild_guess(error)));
    match (error.use_stderr(), error.print()) {
        (true, _) => Err(Failure::usage("").shown()),
        (false, printed) => printed.or_else(|error| output::failed(&error)),
    }
}

/// Removes a guess of clap's that does not even have the same first letters as the unknown option,
/// and its usage text: for `--quiet` of mosquitto_pub clap suggests `--suite`.
fn without_wild_guess(error: clap::Error) -> clap::Error {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let given = text(ContextKind::InvalidArg);
    let guess = text(ContextKind::SuggestedArg);
    let first = |text: &str| text.trim_start_matches('-').chars().next();
    match (given, guess) {
        (Some(given), Some(guess)) if first(given) != first(guess) => {
            let mut plain = clap::Error::new(error.kind()).with_cmd(&Arguments::command());
            let given = ContextValue::String(given.to_owned());
            plain.insert(ContextKind::InvalidArg, given);
            plain
        }
        _ => error,
    }
}

/// Removes clap's advice for an option without a value: to pass the next word as an additional
/// argument, which no command here accepts.
fn without_false_tip(mut error: clap::Error) -> clap::Error {
    if let Some(ContextValue::StyledStrs(mut tips)) = error.remove(ContextKind::Suggested) {
        tips.retain(|tip| !tip.to_string().starts_with("to pass "));
        if !tips.is_empty() {
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
        }
    }
    error
}

/// Hides credentials in a URI where clap does not expect one.
fn without_credentials(mut error: clap::Error) -> clap::Error {
    for kind in [ContextKind::InvalidArg, ContextKind::InvalidSubcommand] {
        if let Some(ContextValue::String(text)) = error.get(kind) {
            let shown = ContextValue::String(uri::without_credentials(text));
            error.insert(kind, shown);
        }
    }
    error
}

/// Names the arguments that are not UTF-8.
fn not_utf8(arguments: &[OsString]) -> Failure {
    let wrong = arguments.iter().filter(|word| word.to_str().is_none());
    let wrong: Vec<_> = wrong.map(|word| format!("{word:?}")).collect();
    Failure::usage(format_args!("not valid UTF-8: {}", wrong.join(", ")))
        .cure("write text in UTF-8, as MQTT requires; a payload of -m or -f may contain any bytes")
}
