//! Questions from the shell, answered in the client's thread.
use crate::failure::{self, Failure};
use crate::ffi;
use crate::handle::Handle;
use crate::worker::Worker;
use alloc::string::String;
use core::fmt::{self, Write};
use core::net::Ipv4Addr;
use thread_mqtt_client::{Client, Event, Utc};
use thread_mqtt_doctor::{Doctor, Listener, Subject, Verdict, look_up, show};
use thread_mqtt_driver::Port;
use thread_mqtt_platform::{crypto, port};
use thread_mqtt_resolve::resolver::Network;
use thread_mqtt_resolve::{Host, Preference};

/// A question and where its answer goes.
pub(crate) struct Question {
    kind: Kind,
    listener: ffi::tmq_listener,
}

enum Kind {
    Status,
    Prefixes,
    Resolve(Host),
    Doctor,
    Brief,
}

impl Question {
    /// Creates a question of the shell. Only a resolution uses `name`.
    pub(crate) fn new(
        question: u32,
        name: Option<&str>,
        listener: ffi::tmq_listener,
    ) -> Result<Self, i32> {
        let kind = match question {
            ffi::TMQ_ASK_STATUS => Kind::Status,
            ffi::TMQ_ASK_PREFIXES => Kind::Prefixes,
            ffi::TMQ_ASK_DOCTOR => Kind::Doctor,
            ffi::TMQ_ASK_BRIEF => Kind::Brief,
            ffi::TMQ_ASK_RESOLVE => {
                let name = name.ok_or(ffi::THREAD_MQTT_ERROR_ARGUMENT)?;
                Kind::Resolve(name.parse().map_err(|_| ffi::THREAD_MQTT_ERROR_URI)?)
            }
            _ => return Err(ffi::THREAD_MQTT_ERROR_ARGUMENT),
        };
        Ok(Self { kind, listener })
    }

    /// Answers the question. Runs in the client's thread. Calls `free` before the last output,
    /// after which the shell may ask again.
    pub(crate) fn answer(self, worker: &mut Worker<'_>, free: impl FnOnce()) {
        let mut listener = Asker {
            listener: &self.listener,
            handle: worker.handle,
        };
        let result = match &self.kind {
            Kind::Status => status(worker, &mut listener),
            Kind::Prefixes => prefixes(worker, &mut listener),
            Kind::Resolve(host) => resolve(worker, host, &mut listener),
            Kind::Doctor => examine(worker, &mut listener),
            Kind::Brief => brief(worker, &mut listener),
        };
        free();
        self.refuse(result);
    }

    /// Ends the question without an answer.
    pub(crate) fn refuse(&self, result: i32) {
        if let Some(done) = self.listener.done {
            // SAFETY: the shell supplied the function for this context, which lives until this
            // call.
            unsafe { done(self.listener.context, result) }
        }
    }
}

/// Sends the answer to the shell.
struct Asker<'a> {
    listener: &'a ffi::tmq_listener,
    handle: &'a Handle,
}

impl Listener for Asker<'_> {
    fn line(&mut self, line: fmt::Arguments<'_>) {
        let mut text = Printable(String::new());
        let _ = write!(text, "{line}");
        if let Some(print) = self.listener.line {
            let text = text.0;
            // SAFETY: the shell supplied the function for this context; it reads the text only
            // during the call.
            unsafe { print(self.listener.context, text.as_ptr().cast(), text.len()) }
        }
    }

    fn is_gone(&self) -> bool {
        let gone = self.listener.is_gone.is_some_and(|is_gone| {
            // SAFETY: the shell supplied the function for this context.
            unsafe { is_gone(self.listener.context) != 0 }
        });
        gone || self.handle.is_ending()
    }
}

/// Text that cannot move a terminal's cursor, whatever a broker put into it.
struct Printable(String);

impl fmt::Write for Printable {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let printable = |c: char| if c.is_control() { '.' } else { c };
        self.0.extend(text.chars().map(printable));
        Ok(())
    }
}

fn preference(preference: Preference) -> &'static str {
    match preference {
        Preference::Low => "low",
        Preference::Medium => "medium",
        Preference::High => "high",
    }
}

/// Describes the network as text.
fn network(network: &Network) -> String {
    let mut text = String::from(match network.attached {
        true => "attached",
        false => "not attached",
    });
    if let Some(role) = port::role() {
        let _ = write!(text, " as {role}");
    }
    if network.native_ipv4 {
        text.push_str(", with IPv4");
    }
    text
}

fn note(listener: &mut dyn Listener, what: &str, found: impl fmt::Display) {
    listener.line(format_args!("{what:<12} {found}"));
}

fn status(worker: &mut Worker<'_>, listener: &mut dyn Listener) -> i32 {
    let now = worker.driver.port_mut().network();
    note(listener, "network", network(&now));
    for address in port::addresses() {
        note(listener, "", address);
    }
    match worker.driver.port().unix_time() {
        Some(seconds) => note(listener, "time", Utc(seconds)),
        None => note(listener, "time", "unknown"),
    }
    client_status(worker.driver.client(), worker.driver.is_wanted(), listener);
    if let Some(failure) = worker.handle.last_failure() {
        last_failure(&failure, listener);
    }
    0
}

/// Prints one line for a list of clients.
fn brief(worker: &mut Worker<'_>, listener: &mut dyn Listener) -> i32 {
    let client = worker.driver.client();
    listener.line(format_args!(
        "{}, client id {}, {}",
        client.broker(),
        client_id(client),
        StateOf(client, worker.driver.is_wanted())
    ));
    0
}

/// A client, and whether it was started.
struct StateOf<'a>(&'a Client, bool);

impl fmt::Display for StateOf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(client, started) = self;
        match client.stage() {
            _ if client.is_online() => f.write_str("online"),
            Some(stage) => write!(f, "connecting, at {stage}"),
            None if client.is_unusable() => f.write_str("not connecting, see the last failure"),
            None if *started => match client.next_attempt() {
                Some(at) => {
                    let pause = at.saturating_sub(port::now());
                    let seconds = pause.as_millis().div_ceil(1_000);
                    write!(f, "pausing, next attempt in {seconds} s")
                }
                None => f.write_str("closing the connection"),
            },
            None => f.write_str("stopped"),
        }
    }
}

fn client_id(client: &Client) -> &str {
    match client.session().client_id() {
        "" => "the broker's choice",
        id => id,
    }
}

fn client_status(client: &Client, started: bool, listener: &mut dyn Listener) {
    note(listener, "broker", client.broker());
    note(listener, "state", StateOf(client, started));
    if let Some(candidate) = client.candidate() {
        note(listener, "address", candidate);
    }
    let session = client.session();
    note(listener, "client id", client_id(client));
    if let Some(limits) = session.limits() {
        let seconds = limits.keep_alive.as_secs();
        note(listener, "keep-alive", format_args!("{seconds} s"));
    }
    let (count, bytes) = (session.outbox_len(), session.outbox_bytes());
    note(
        listener,
        "outbox",
        format_args!("{count} waiting, {bytes} bytes"),
    );
}

fn last_failure(failure: &Failure, listener: &mut dyn Listener) {
    let Some((stage, cause)) = failure.event.failure() else {
        return;
    };
    let ago = port::now().saturating_sub(failure.at).as_secs();
    note(
        listener,
        "last failure",
        format_args!("{stage}, {ago} s ago: {cause}"),
    );
    if let Some(cure) = cause.cure() {
        note(listener, "what to do", cure);
    }
}

/// Prints the prefixes in use. Resolves the RFC 7050 address 192.0.0.170, which no host has, so
/// that the resolver looks for a prefix even if the network data has none.
fn prefixes(worker: &mut Worker<'_>, listener: &mut dyn Listener) -> i32 {
    for advertised in worker.driver.port_mut().network().prefixes {
        let preference = preference(advertised.preference);
        let prefix = advertised.prefix;
        listener.line(format_args!(
            "{prefix} in the network data, preference {preference}"
        ));
    }
    let config = worker.driver.client().resolver_config().clone();
    let port = worker.driver.port_mut();
    let probe = Host::Ipv4(Ipv4Addr::new(192, 0, 0, 170));
    let Some(report) = look_up(&probe, config, port, listener) else {
        return ffi::THREAD_MQTT_ERROR_TIMED_OUT;
    };
    for prefix in &report.prefixes {
        listener.line(format_args!("used: {prefix}"));
    }
    if let Some(failure) = &report.discovery {
        listener.line(format_args!("{failure}"));
    }
    if !report.prefixes.is_empty() {
        return 0;
    }
    if port.network().native_ipv4 {
        listener.line(format_args!(
            "none, but none is needed: this network has IPv4"
        ));
        return 0;
    }
    listener.line(format_args!("none"));
    if let Some(cure) = report.cure() {
        note(listener, "what to do", cure);
    }
    ffi::THREAD_MQTT_ERROR_PREFIX
}

fn resolve(worker: &mut Worker<'_>, host: &Host, listener: &mut dyn Listener) -> i32 {
    let config = worker.driver.client().resolver_config().clone();
    let port = worker.driver.port_mut();
    let Some(report) = look_up(host, config, port, listener) else {
        return ffi::THREAD_MQTT_ERROR_TIMED_OUT;
    };
    show(&report, listener);
    if report.answered_by.is_some() {
        return 0;
    }
    if let Some(cure) = report.cure() {
        note(listener, "what to do", cure);
    }
    ffi::THREAD_MQTT_ERROR_RESOLVE
}

/// Stops the client, walks through the stages, and leaves the client in the state the application
/// wants.
fn examine(worker: &mut Worker<'_>, listener: &mut dyn Listener) -> i32 {
    if !worker.rest() {
        return ffi::THREAD_MQTT_ERROR_STATE;
    }
    worker.driver.hold(true);
    let subject = Subject::of(worker.driver.client());
    let now = worker.driver.port_mut().network();
    let mut doctor = Doctor::new(subject, listener);
    let begun = doctor.begin(worker.driver.port_mut(), || {
        let mut text = network(&now);
        let addresses = port::addresses();
        let mut separator = ": ";
        for address in addresses {
            let _ = write!(text, "{separator}{address}");
            separator = ", ";
        }
        text
    });
    let verdict = match begun {
        Ok(()) => {
            doctor.note("crypto", crypto::NAME);
            crypto::report(&mut |line| doctor.note("", line));
            walk(worker, &mut doctor)
        }
        Err(verdict) => verdict,
    };
    doctor.finish(&verdict, worker.driver.port_mut());
    worker.resume();
    match verdict {
        Verdict::Well => 0,
        Verdict::Ill(_, cause) => failure::number(&cause),
        _ => ffi::THREAD_MQTT_ERROR_STATE,
    }
}

fn walk(worker: &mut Worker<'_>, doctor: &mut Doctor<'_>) -> Verdict {
    worker.driver.start();
    let mut verdict = None;
    while verdict.is_none() {
        if doctor.is_gone() {
            return Verdict::Abandoned;
        }
        worker.turn(|event: &Event, client: &Client| verdict = doctor.follow(event, client));
    }
    verdict.unwrap_or(Verdict::Abandoned)
}
