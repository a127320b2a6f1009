//! `thread-mqtt resolve`: the resolver alone.
use crate::args::ResolveArguments;
use crate::exit::{Failure, Status};
use crate::setup;
use getrandom::SysRng;
use rand_core::UnwrapErr;
use thread_mqtt_driver::{Interest, Port};
use thread_mqtt_host::HostPort;
use thread_mqtt_nat64::resolver::{Config, LinkError, Output, Report};
use thread_mqtt_nat64::{Host, Resolver};

pub(crate) fn resolve(arguments: &ResolveArguments) -> Result<(), Failure> {
    let host = setup::broker_of(&arguments.name)?.host;
    let mut port = setup::port(&arguments.network)?;
    let report = look_up(&host, setup::resolver_config(&arguments.network), &mut port)?;

    for prefix in &report.prefixes {
        println!("prefix     {prefix}");
    }
    if let Some(failure) = &report.discovery {
        println!("prefix     {failure}");
    }
    for failure in &report.failures {
        println!("failed     {failure}");
    }
    for candidate in &report.candidates {
        println!("address    {candidate}");
    }
    match report.answered_by {
        Some(_) => {
            println!("answer     {report}");
            Ok(())
        }
        None => Err(failed(&report)),
    }
}

/// One resolution over the port.
pub(crate) fn look_up(host: &Host, config: Config, port: &mut HostPort) -> Result<Report, Failure> {
    let mut rng = UnwrapErr(SysRng);
    let mut resolver = Resolver::new(config);
    let mut buffer = [0; 4096];
    resolver.start(host, &port.network(), port.now());
    loop {
        while let Some(output) = resolver.poll_output(port.now(), &mut rng) {
            match output {
                // A datagram that cannot be sent is as good as lost: the resolver goes on.
                Output::Transmit {
                    from_port,
                    to,
                    payload,
                } => drop(port.udp_send(from_port, to, &payload)),
                Output::CloseUdp => port.udp_close(),
                Output::AskPlatform { name, family } => {
                    if let Err(code) = port.resolve(&name, family) {
                        resolver.handle_platform_answer(Err(code), port.now());
                    }
                }
            }
        }
        if let Some(report) = resolver.poll_report() {
            port.udp_close();
            return Ok(report);
        }
        let nothing = Interest {
            receive: false,
            send: false,
        };
        port.wait(resolver.poll_timeout(), nothing);
        let now = port.now();
        while let Some((from, to_port, n)) = port.udp_receive(&mut buffer) {
            resolver.handle_datagram(from, to_port, &buffer[..n], now);
        }
        if let Some(answer) = port.poll_resolved() {
            resolver.handle_platform_answer(answer, now);
        }
        resolver.handle_timeout(now);
    }
}

/// No address.
pub(crate) fn failed(report: &Report) -> Failure {
    let no_prefix =
        |failure: &thread_mqtt_nat64::resolver::Failure| failure.error == LinkError::NoPrefix;
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
