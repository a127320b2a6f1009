//! A resolution by itself, over a port.
use crate::{Listener, wait_until};
use alloc::vec;
use core::time::Duration;
use thread_mqtt_driver::{Interest, Port, PortRng, Received, TcpState};
use thread_mqtt_resolve::resolver::{Config, Output, Report};
use thread_mqtt_resolve::{Host, Resolver};

/// Longest answer accepted; without EDNS a server truncates at 512 bytes.
const DATAGRAM: usize = 1_232;

/// Runs one resolution. Returns `None` if the listener has gone.
///
/// The port must have no other query in progress.
pub fn look_up<P: Port>(
    host: &Host,
    config: Config,
    port: &mut P,
    listener: &mut (impl Listener + ?Sized),
) -> Option<Report> {
    let mut resolver = Resolver::new(config);
    let mut buffer = vec![0; DATAGRAM];
    resolver.start(host, &port.network(), port.now());
    loop {
        while let Some(output) = next(&mut resolver, port) {
            match output {
                Output::Transmit {
                    from_port,
                    to,
                    payload,
                } => {
                    // One that cannot be sent counts as lost, unless the port says more about it.
                    let _ = port.udp_send(from_port, to, &payload);
                    learn_undelivered(&mut resolver, port);
                }
                Output::CloseUdp => port.udp_close(),
                Output::TcpConnect(server) => {
                    if port.tcp_connect(server).is_err() {
                        resolver.handle_tcp_closed(port.now());
                    }
                }
                Output::TcpClose => port.tcp_close(true),
                Output::PlatformLookup { name, family } => {
                    if let Err(code) = port.platform_lookup(&name, family) {
                        resolver.handle_platform_lookup(Err(code), port.now());
                    }
                }
            }
        }
        send(&mut resolver, port);
        let report = resolver.poll_report();
        if report.is_some() || listener.is_gone() {
            port.udp_close();
            if resolver.uses_tcp() {
                port.tcp_close(true);
            }
            return report;
        }
        let interest = Interest {
            receive: resolver.uses_tcp(),
            send: !resolver.tcp_transmit().is_empty(),
        };
        let until = wait_until(resolver.poll_timeout(), port.now(), listener);
        port.wait(until, interest);
        let now = port.now();
        resolver.handle_network(&port.network(), now);
        while let Some((from, to_port, n)) = port.udp_receive(&mut buffer) {
            let payload = buffer.get(..n).unwrap_or_default();
            resolver.handle_datagram(from, to_port, payload, now);
        }
        learn_undelivered(&mut resolver, port);
        receive(&mut resolver, port, &mut buffer, now);
        if let Some(answer) = port.poll_platform_lookup() {
            resolver.handle_platform_lookup(answer, now);
        }
        resolver.handle_timeout(now);
    }
}

/// Reports servers that datagrams do not reach.
fn learn_undelivered<P: Port>(resolver: &mut Resolver, port: &mut P) {
    while let Some((to, error)) = port.udp_undelivered() {
        resolver.handle_undelivered(to, error, port.now());
    }
}

/// Sends queries over TCP, as far as it takes them.
fn send<P: Port>(resolver: &mut Resolver, port: &mut P) {
    let bytes = resolver.tcp_transmit();
    if bytes.is_empty() {
        return;
    }
    match port.tcp_send(bytes) {
        Ok(sent) => resolver.consume_tcp_transmit(sent),
        Err(_) => resolver.handle_tcp_closed(port.now()),
    }
}

/// Handles the state of the connection and the bytes received over it.
fn receive<P: Port>(resolver: &mut Resolver, port: &mut P, buffer: &mut [u8], now: Duration) {
    while resolver.uses_tcp() {
        match port.tcp_state() {
            TcpState::Connecting => return,
            TcpState::Connected => resolver.handle_tcp_connected(),
            TcpState::Closed | TcpState::Failed(_) => {}
        }
        match port.tcp_receive(buffer) {
            Ok(Received::Bytes(n)) => {
                resolver.handle_tcp_data(buffer.get(..n).unwrap_or_default(), now);
            }
            Ok(Received::WouldBlock) => return,
            Ok(Received::EndOfStream) | Err(_) => resolver.handle_tcp_closed(now),
        }
    }
}

/// Returns the next output. A query with a guessable id is not sent and counts as lost.
fn next<P: Port>(resolver: &mut Resolver, port: &mut P) -> Option<Output> {
    loop {
        let now = port.now();
        let mut rng = PortRng::new(port);
        let output = resolver.poll_output(now, &mut rng)?;
        match (&output, rng.error()) {
            (Output::Transmit { .. }, Some(_)) => {}
            _ => return Some(output),
        }
    }
}

/// Prints the result of a resolution: prefixes, failures, the addresses, and the source that
/// answered.
pub fn show(report: &Report, listener: &mut (impl Listener + ?Sized)) {
    for prefix in &report.prefixes {
        listener.line(format_args!("prefix     {prefix}"));
    }
    if let Some(failure) = &report.discovery {
        listener.line(format_args!("prefix     {failure}"));
    }
    for failure in &report.failures {
        let what = match failure.error.is_unasked() {
            true => "not asked",
            false => "failed",
        };
        listener.line(format_args!("{what:<10} {failure}"));
    }
    for candidate in &report.candidates {
        listener.line(format_args!("address    {candidate}"));
    }
    if report.answered_by.is_some() {
        listener.line(format_args!("answer     {report}"));
    }
}
