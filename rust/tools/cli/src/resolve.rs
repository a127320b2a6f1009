//! `thread-mqtt resolve`: the resolver alone.
use crate::args::ResolveArguments;
use crate::exit::{Failure, Status};
use crate::setup;
use std::fmt;
use thread_mqtt_doctor::{look_up, show};
use thread_mqtt_resolve::resolver::{LookupError, Report};

pub(crate) fn resolve(arguments: &ResolveArguments) -> Result<(), Failure> {
    let host = setup::broker_of(&arguments.name)?.host;
    if !arguments.name.is_ascii() {
        println!("name       {host}");
    }
    let mut port = setup::port(&arguments.network)?;
    let config = setup::resolver_config(&arguments.network);
    let mut screen = |line: fmt::Arguments<'_>| println!("{line}");
    let Some(report) = look_up(&host, config, &mut port, &mut screen) else {
        return Ok(());
    };
    show(&report, &mut screen);
    match report.answered_by {
        Some(_) => Ok(()),
        None => Err(failed(&report)),
    }
}

/// No address.
fn failed(report: &Report) -> Failure {
    let no_prefix =
        |failure: &thread_mqtt_resolve::resolver::Failure| failure.error == LookupError::NoPrefix;
    let status = match report.prefixes.is_empty() && report.failures.iter().any(no_prefix) {
        true => Status::Prefix,
        false => Status::Resolve,
    };
    let failure = Failure::new(status, report);
    match report.cure() {
        Some(cure) => failure.cure(cure),
        None => failure,
    }
}
