//! `thread-mqtt doctor`: the stages one by one, each with what it found, up to the first that fails.
use crate::args::{CommonArguments, DoctorArguments};
use crate::exit::{Failure, Status};
use crate::resolve::look_up;
use crate::setup;
use crate::trust::tls_config;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;
use thread_mqtt_client::{Event, Reached, Retry, Stage, Utc};
use thread_mqtt_driver::Port;
use thread_mqtt_nat64::resolver::{Candidate, Config, Link};
use thread_mqtt_nat64::{BrokerUri, Host, Scheme};
use thread_mqtt_tls::{CertificateSummary, Connection};

pub(crate) fn doctor(arguments: &DoctorArguments) -> Result<(), Failure> {
    let common = &arguments.common;
    let broker = common.broker()?;
    let mut driver = setup::driver(common, Retry::Never)?;
    ok("broker", format_args!("{broker}"));
    ok(
        "network",
        match driver.port.network().native_ipv4 {
            true => "this host, with IPv4",
            false => "this host, IPv6 only: IPv4 is reached through NAT64",
        },
    );
    ask_every_server(common, &broker)?;

    let deadline = common.timeout.map(|timeout| driver.port.now() + timeout);
    let mut reached = None;
    driver.start();
    loop {
        while driver.turn() {}
        while let Some(event) = driver.poll_event() {
            match event {
                Event::Reached(Reached::Attached) => {}
                Event::Reached(found) => {
                    ok(found.stage(), &found);
                    match found {
                        Reached::Tcp(candidate, port) => reached = Some((candidate, port)),
                        Reached::Tls(_) => show_certificates(common, &broker, reached),
                        Reached::Online { .. } => {
                            show_limits(&driver.client);
                            driver.stop();
                        }
                        _ => {}
                    }
                }
                Event::CandidateFailed(candidate, cause) => {
                    failed("TCP", format_args!("{candidate}: {cause}"));
                }
                Event::Failed { stage, cause, .. } => {
                    failed(stage, &cause);
                    if stage == Stage::Tls {
                        show_certificates(common, &broker, reached);
                    }
                    return Err(Failure::of_stage(stage, &cause));
                }
                Event::Stopped => return Ok(()),
                _ => {}
            }
        }
        if deadline.is_some_and(|deadline| driver.port.now() >= deadline) {
            let stage = driver.client.stage().unwrap_or(Stage::Mqtt);
            return Err(Failure::new(
                Status::TimedOut,
                format_args!("the time given by --timeout was over in the stage {stage}"),
            ));
        }
        let (until, interest) = driver.waits_for();
        let until = [until, deadline].into_iter().flatten().min();
        driver.port.wait(until, interest);
    }
}

fn ok(what: impl std::fmt::Display, found: impl std::fmt::Display) {
    println!("ok      {:<12} {found}", what.to_string());
}

fn failed(what: impl std::fmt::Display, why: impl std::fmt::Display) {
    println!("FAILED  {:<12} {why}", what.to_string());
}

fn note(what: impl std::fmt::Display, found: impl std::fmt::Display) {
    println!("        {:<12} {found}", what.to_string());
}

/// Each DNS server alone: the client is content with the first that answers.
fn ask_every_server(common: &CommonArguments, broker: &BrokerUri) -> Result<(), Failure> {
    if !matches!(broker.host, Host::Name(_)) {
        return Ok(());
    }
    let mut port = setup::port(&common.network)?;
    let config = setup::resolver_config(&common.network);
    let servers = port.network().dns_servers;
    let each = config.chain.iter().flat_map(|link| match link {
        Link::BorderRouter => servers.iter().map(|server| Link::Server(*server)).collect(),
        other => vec![*other],
    });
    for link in each {
        let chain = vec![link];
        let report = look_up(
            &broker.host,
            Config {
                chain,
                ..config.clone()
            },
            &mut port,
        )?;
        match report.answered_by {
            Some(_) => ok("DNS", &report),
            None => {
                failed("DNS", &report);
                if let Some(cure) = report.cure() {
                    note("", cure);
                }
            }
        }
    }
    Ok(())
}

fn show_limits(client: &thread_mqtt_client::Client) {
    let session = client.session();
    note("client id", session.client_id());
    if let Some(limits) = session.limits() {
        note(
            "keep-alive",
            format_args!("{} s", limits.keep_alive.as_secs()),
        );
    }
}

/// The broker's certificates, by a handshake of its own: a client on a device has forgotten them
/// by the time anybody asks.
fn show_certificates(
    common: &CommonArguments,
    broker: &BrokerUri,
    reached: Option<(Candidate, u16)>,
) {
    let Some((candidate, port)) = reached.filter(|_| broker.scheme == Scheme::Mqtts) else {
        return;
    };
    let address = IpAddr::V6(candidate.address).to_canonical();
    for certificate in certificates(common, broker, SocketAddr::new(address, port)) {
        note("certificate", &certificate.subject);
        if !certificate.names.is_empty() {
            note("", format_args!("for {}", certificate.names.join(", ")));
        }
        note("", format_args!("by {}", certificate.issuer));
        let (from, until) = (Utc(certificate.not_before), Utc(certificate.not_after));
        note("", format_args!("good from {from} until {until}"));
    }
}

/// What the broker presents. Nothing if that cannot be found out: this is a diagnosis already.
fn certificates(
    common: &CommonArguments,
    broker: &BrokerUri,
    address: SocketAddr,
) -> Vec<CertificateSummary> {
    const PATIENCE: Duration = Duration::from_secs(10);
    let name = match &broker.host {
        Host::Name(name) => name.clone(),
        Host::Ipv4(ipv4) => ipv4.to_string(),
        Host::Ipv6(ipv6) => ipv6.to_string(),
    };
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let shake = || -> Option<Vec<CertificateSummary>> {
        let config = tls_config(&common.tls).ok()?;
        let mut tls = Connection::new(&config, &name, now).ok()?;
        let mut tcp = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
        tcp.set_read_timeout(Some(PATIENCE)).ok()?;
        let mut buffer = [0; 4096];
        while tls.is_handshaking() {
            tcp.write_all(tls.ciphertext()).ok()?;
            tls.consume_ciphertext(tls.ciphertext().len());
            let n = tcp.read(&mut buffer).ok().filter(|n| *n > 0)?;
            if tls.handle_ciphertext(&buffer[..n]).is_err() {
                break;
            }
        }
        let certificates = tls.peer_certificates();
        tls.close();
        let _ = tcp.write_all(tls.ciphertext());
        Some(certificates)
    };
    shake().unwrap_or_default()
}
