//! `thread-mqtt resolve`: only the resolver.
use crate::args::{NetworkArguments, ResolveArguments};
use crate::check;
use crate::cure;
use crate::exit::{Failure, Status};
use crate::output::Lines;
use crate::setup;
use std::fmt;
use thread_mqtt_doctor::{Listener, look_up, show};
use thread_mqtt_resolve::resolver::{Config, LookupError, Report};

pub(crate) fn resolve(arguments: &ResolveArguments) -> Result<(), Failure> {
    let host = setup::broker_of(&arguments.name)?.host;
    check::family(&arguments.network, &host)?;
    check::policy(&arguments.network)?;
    let mut screen = Screen(Lines::default());
    if !arguments.name.is_ascii() {
        screen.line(format_args!("name       {host}"));
    }
    let mut port = setup::port(&arguments.network)?;
    let config = Config {
        // Show all of them.
        max_candidates: usize::MAX,
        ..setup::resolver_config(&arguments.network, &[&host])
    };
    let report = look_up(&host, config, &mut port, &mut screen);
    if let Some(report) = &report {
        show(report, &mut screen);
    }
    screen.0.end()?;
    match report {
        Some(report) if report.answered_by.is_none() => Err(failed(&report, &arguments.network)),
        _ => Ok(()),
    }
}

/// Writes to the standard output.
struct Screen(Lines);

impl Listener for Screen {
    fn line(&mut self, line: fmt::Arguments<'_>) {
        self.0.line(line);
    }

    fn is_gone(&self) -> bool {
        self.0.has_failed()
    }
}

/// Describes why there is no address.
fn failed(report: &Report, network: &NetworkArguments) -> Failure {
    let no_prefix =
        |failure: &thread_mqtt_resolve::resolver::Failure| failure.error == LookupError::NoPrefix;
    let status = match report.prefixes.is_empty() && report.failures.iter().any(no_prefix) {
        true => Status::Prefix,
        false => Status::Resolve,
    };
    Failure::new(status, report).cure_if_any(cure::of_report(report, network))
}
