//! Runs the client and shows its stages.
use crate::args::{CommonArguments, SessionArguments};
use crate::cure;
use crate::exit::{Failure, Status};
use crate::output::{self, tell};
use crate::revocable::Revoker;
use crate::setup::{self, Inbound};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use thread_mqtt_client::{Client, Event, Reached, Retry};
use thread_mqtt_driver::{Driver, Port};
use thread_mqtt_host::{HostPort, Waker};
use thread_mqtt_resolve::resolver::{Candidate, Origin};
use thread_mqtt_resolve::{BrokerUri, Host};
use thread_mqtt_session::{BrokerText, Event as Mqtt, SkipReason, StoreError, Token, Version};

/// A running client.
pub(crate) struct Run<'a> {
    arguments: &'a CommonArguments,
    session: &'a SessionArguments,
    driver: Driver<HostPort>,
    /// Undoes what the session has stored.
    revoker: Revoker,
    inbound: Inbound,
    debug: bool,
    began: Duration,
    deadline: Option<Duration>,
    /// The broker has accepted this client at least once.
    was_online: bool,
    configured: Vec<BrokerUri>,
    /// The broker being tried or connected, and its addresses tried so far.
    broker: BrokerUri,
    tried: Vec<Candidate>,
    /// Failures of earlier brokers.
    before: Vec<String>,
    /// The last cure, if one was printed.
    advised: Option<String>,
    chances: Chances,
    /// The failure that ends the command, unless something else is tried.
    failed: Option<Failure>,
    /// The storage failure that ends the command in any case.
    unstored: Option<Failure>,
    /// The last storage failure, which was reported.
    storage_failed: Option<StoreError>,
    /// The broker that has the stored session.
    session_at: Option<BrokerUri>,
    /// Whether the user was told that properties are left out.
    strips: bool,
    /// The broker's last text, and the request that it refers to.
    said: Option<(Option<Token>, String)>,
    interrupted: Arc<AtomicBool>,
}

/// What a command must handle next.
#[derive(Debug)]
pub(crate) enum Step {
    /// Something happened. Stages have already been shown.
    Event(Event),
    /// The wait has ended: check other inputs.
    Woken,
    /// Ctrl-C or a similar signal: the user wants to stop.
    Interrupted,
    /// The time limit of --timeout has expired.
    TimedOut,
}

/// What else can be tried before the first attempt counts as failed.
#[derive(Debug)]
struct Chances {
    /// The brokers not tried yet.
    brokers: Vec<BrokerUri>,
    /// Another version of MQTT.
    version: bool,
}

impl<'a> Run<'a> {
    /// Starts to connect.
    pub(crate) fn start(
        arguments: &'a CommonArguments,
        session: &'a SessionArguments,
        debug: bool,
        inbound: Inbound,
    ) -> Result<Self, Failure> {
        let (mut driver, revoker) = setup::driver(arguments, session, Retry::Forever, inbound)?;
        let brokers = arguments.brokers()?.into_iter().map(|broker| broker.uri);
        let configured: Vec<_> = brokers.collect();
        let chances = Chances {
            brokers: configured.clone(),
            version: true,
        };
        let interrupted = Arc::new(AtomicBool::new(false));
        let (flag, waker) = (interrupted.clone(), driver.port().waker());
        thread_mqtt_signals::watch(move || {
            flag.store(true, Ordering::Relaxed);
            waker.wake();
        });
        let began = driver.port().now();
        driver.start();
        let broker = driver.client().broker().clone();
        let session_at = driver.client().session().peer().parse().ok();
        let mut run = Self {
            arguments,
            session,
            driver,
            revoker,
            inbound,
            debug: debug || arguments.debug,
            began,
            deadline: arguments.timeout.map(|timeout| began + timeout),
            was_online: false,
            broker,
            tried: Vec::new(),
            before: Vec::new(),
            advised: None,
            configured,
            chances,
            failed: None,
            unstored: None,
            storage_failed: None,
            session_at,
            strips: false,
            said: None,
            interrupted,
        };
        run.check_properties();
        Ok(run)
    }

    /// Returns what the broker has said about a request, or with `None` about the connection.
    pub(crate) fn said(&mut self, about: Option<Token>) -> Option<String> {
        let said = self.said.take_if(|(token, _)| *token == about);
        said.map(|(_, text)| text)
    }

    pub(crate) fn client(&mut self) -> &mut Client {
        self.driver.client_mut()
    }

    /// Returns the number of messages in the storage of --session that wait for acknowledgement.
    pub(crate) fn stored(&self) -> usize {
        self.revoker.messages()
    }

    pub(crate) fn waker(&self) -> Waker {
        self.driver.port().waker()
    }

    /// Runs until something happens.
    pub(crate) fn step(&mut self) -> Result<Step, Failure> {
        loop {
            let busy = self.driver.turn();
            self.revoker.begin();
            if let Some(event) = self.driver.poll_event() {
                if let Event::Session(Mqtt::BrokerText { about, text }) = &event {
                    if let BrokerText::Reason(text) = text {
                        self.said = Some((*about, text.clone()));
                    }
                    continue;
                }
                self.follow(&event);
                self.judge(&event);
                self.show(&event);
                // The storage was unusable from the start, whatever the network reports meanwhile.
                match self.unstored.take() {
                    Some(failure) => return Err(failure),
                    None => return Ok(Step::Event(event)),
                }
            }
            if let Some(failure) = self.failed.take() {
                return Err(failure);
            }
            if self.interrupted.swap(false, Ordering::Relaxed) {
                return Ok(Step::Interrupted);
            }
            if busy {
                continue;
            }
            if self.is_too_late() {
                self.deadline = None;
                return Ok(Step::TimedOut);
            }
            self.driver.wait_until(self.deadline);
            return Ok(Step::Woken);
        }
    }

    /// Writes to the standard output. Returns false if the command should end and the output is not
    /// being read.
    pub(crate) fn print(&self, bytes: &[u8]) -> io::Result<bool> {
        output::write(bytes, || {
            self.interrupted.load(Ordering::Relaxed) || self.is_too_late()
        })
    }

    /// Returns whether the time limit of --timeout has expired.
    pub(crate) fn is_too_late(&self) -> bool {
        let now = self.driver.port().now();
        self.deadline.is_some_and(|deadline| now >= deadline)
    }

    /// Disconnects gracefully, and returns how the command ends. A stored session that is out of
    /// date counts as a failure.
    pub(crate) fn finish(mut self, outcome: Result<(), Failure>) -> Result<(), Failure> {
        self.stop();
        let Some(error) = self.driver.client_mut().storage_failure() else {
            return outcome;
        };
        let cause = self.storage(error);
        let is_told = |outcome: &Failure| outcome.cause() == cause.cause();
        if !outcome.as_ref().is_err_and(is_told) {
            self.tell_storage(error);
        }
        let failure = Failure::new(
            Status::Input,
            format_args!("--session {} is out of date", self.directory()),
        )
        .cure(
            "expect the next command with that directory to send or receive messages again, even \
             with QoS 2",
        );
        let Err(other) = outcome else {
            return Err(failure);
        };
        output::say(format_args!("{failure}"));
        Err(other.status(Status::Input))
    }

    /// Disconnects gracefully. Takes no events while messages may arrive: taking a message
    /// acknowledges it, and a message that is not printed must be delivered again.
    fn stop(&mut self) {
        self.driver.stop();
        loop {
            while self.driver.turn() {}
            if let Inbound::Left = self.inbound {
                while let Some(event) = self.driver.poll_event() {
                    // Whether the storage is up to date in the end is what counts.
                    if !matches!(event, Event::Session(Mqtt::StorageFailed(_))) {
                        self.tell_session(&event);
                    }
                }
            }
            if self.driver.client().is_idle() {
                return;
            }
            self.driver.wait();
        }
    }

    /// Drops the connection without acknowledging the last message taken, and removes its
    /// identifier, so that it is delivered again. Sends no DISCONNECT, so the broker publishes the
    /// will.
    pub(crate) fn abandon(self) {
        self.revoker.revoke();
    }

    /// Reports what happened to the session: both commands show it alike.
    fn tell_session(&mut self, event: &Event) {
        match event {
            Event::Session(Mqtt::StorageFailed(error)) if self.unstored.is_none() => {
                self.tell_storage(*error);
            }
            Event::Session(Mqtt::Skipped {
                topic,
                size,
                reason,
                ..
            }) => {
                let (cause, cure) = match reason {
                    SkipReason::TooLarge => ("exceed --max-packet", "increase --max-packet"),
                    _ => ("do not fit into memory", "free memory"),
                };
                tell!(
                    "thread-mqtt: a message on {topic:?} was skipped: its {size} bytes {cause}.\n  \
                     What to do: {cure}, or receive it with --pieces."
                );
            }
            Event::Session(Mqtt::RecordDamaged { key }) => {
                tell!(
                    "thread-mqtt: --session {}: record {key:04x} was damaged and has been dropped.",
                    self.directory()
                );
            }
            Event::Session(Mqtt::PublishFailed(token, error)) if token.is_restored() => {
                let text = format_args!("a message from an earlier command: {error}");
                let failure = Failure::new(Status::Message, text).said(self.said(Some(*token)));
                output::say(format_args!("{failure}"));
            }
            Event::Session(Mqtt::SubscriptionLost { filter, reason }) => {
                let text = format_args!(
                    "the broker refused to renew the subscription to {filter}: {reason}"
                );
                let failure = Failure::new(Status::Message, text)
                    .cure("run sub with this filter again once the broker allows it");
                output::say(format_args!("{failure}"));
            }
            Event::Session(Mqtt::SubscriptionLowered { filter, granted }) => tell!(
                "thread-mqtt: the broker renewed the subscription to {filter} with only QoS {}.",
                *granted as u8
            ),
            Event::Reached(Reached::Online { .. }) => self.tell_moved(),
            Event::Version(Version::V311) => self.check_properties(),
            _ => {}
        }
    }

    /// Reports that the broker is not the one that has the stored session.
    fn tell_moved(&mut self) {
        let before = self.session_at.replace(self.broker.clone());
        if let Some(before) = before.filter(|before| *before != self.broker) {
            tell!(
                "thread-mqtt: --session {} belongs to {before}, so a new session began at {}.\n  \
                 What to do: use the same URI in every command with that directory, because a new \
                 session makes the broker drop what it holds for the old one.",
                self.directory(),
                self.broker
            );
        }
    }

    /// Reports that properties are left out, if a queued message has any and MQTT 3.1.1 is used.
    fn check_properties(&mut self) {
        let session = self.driver.client().session();
        if session.version() == Version::V311 && session.has_properties() {
            self.tell_stripped();
        }
    }

    /// Reports once that messages are sent without their properties.
    pub(crate) fn tell_stripped(&mut self) {
        if !std::mem::replace(&mut self.strips, true) {
            tell!(
                "thread-mqtt: the messages are sent without properties, which MQTT 3.1.1 does not support."
            );
        }
    }

    fn show(&mut self, event: &Event) {
        self.tell_session(event);
        let lost =
            matches!(event, Event::Failed { .. }) && (self.was_online || self.arguments.retry);
        if self.debug {
            let elapsed = self.driver.port().now().saturating_sub(self.began);
            let elapsed = elapsed.as_secs_f64();
            match event {
                Event::Session(Mqtt::Subscribed(..)) => tell!("{elapsed:9.3} s  subscribed"),
                Event::Session(_) => {}
                stage => tell!("{elapsed:9.3} s  {stage}"),
            }
        } else if lost {
            tell!("thread-mqtt: {}: {event}.", self.place());
        }
        if let (Event::Failed { .. }, Some(said)) = (event, self.said(None)) {
            tell!("  The broker says: {said:?}");
        }
        if let (true, Event::Failed { cause, .. }) = (lost, event) {
            self.advise(cure::of(cause, &self.broker, self.arguments));
        }
        // The next attempt starts from scratch.
        if matches!(event, Event::Failed { .. }) {
            self.tried.clear();
        }
    }

    /// Reports a storage failure once: "full" is reported again whenever an acknowledgement makes a
    /// little room.
    fn tell_storage(&mut self, error: StoreError) {
        if self.storage_failed.replace(error) != Some(error) {
            output::say(format_args!("{}", self.storage(error)));
        }
    }

    /// Prints the cure for a lost connection, unless it is the same as the last time.
    fn advise(&mut self, cure: Option<String>) {
        if let (true, Some(cure)) = (cure != self.advised, &cure) {
            tell!("  What to do: {cure}.");
        }
        self.advised = cure;
    }

    /// Records which broker, and which of its addresses, an event refers to.
    fn follow(&mut self, event: &Event) {
        match event {
            Event::Broker(broker) => {
                self.broker.clone_from(broker);
                self.tried.clear();
            }
            // A silent address is tried again.
            Event::CandidateFailed(candidate, _) if self.tried.contains(candidate) => {}
            Event::CandidateFailed(candidate, _) => self.tried.push(*candidate),
            Event::Reached(Reached::Tcp(candidate, _)) => self.tried = vec![*candidate],
            _ => {}
        }
    }

    /// Returns the broker, with its addresses if the URI does not contain them.
    fn place(&self) -> String {
        let has_name = matches!(self.broker.host, Host::Name(_));
        let is_new = |candidate: &&Candidate| {
            has_name || matches!(candidate.origin, Origin::Synthesised { .. })
        };
        let addresses = self.tried.iter().filter(is_new);
        let addresses: Vec<_> = addresses.map(Candidate::to_string).collect();
        match addresses.is_empty() {
            true => self.broker.to_string(),
            false => format!("{} at {}", self.broker, addresses.join(", ")),
        }
    }

    /// Returns the session's directory.
    fn directory(&self) -> std::path::Display<'a> {
        let directory = self.session.directory.as_deref();
        directory.unwrap_or(Path::new("")).display()
    }

    /// Ends the command if the first attempt fails, unless another broker or version is tried
    /// immediately. A lost connection does not end it.
    fn judge(&mut self, event: &Event) {
        match event {
            Event::Reached(Reached::Online { .. }) => self.was_online = true,
            // Sending the stored messages makes room, unless they could not even be loaded.
            Event::Session(Mqtt::StorageFailed(StoreError::Full))
                if self.driver.client().session().is_durable() => {}
            // Nothing has been sent yet, and messages that are not stored would be lost.
            Event::Session(Mqtt::StorageFailed(error)) if !self.was_online => {
                self.unstored = Some(self.storage(*error));
            }
            Event::Failed {
                stage,
                cause,
                retry_in: Some(_),
            } if !self.was_online && !self.arguments.retry => {
                let mut failure = Failure::of_stage(self.place(), *stage, cause)
                    .cure_if_any(cure::of(cause, &self.broker, self.arguments))
                    .said(self.said(None))
                    .before(&self.before);
                if !self.chances.version && cause.may_be_the_version() {
                    failure = failure.cure(cure::of_neither_version(cause, &self.broker));
                }
                let session = self.driver.client().session();
                if let Some(cure) = cure::of_redirect(cause, session) {
                    failure = failure.cure(cure);
                }
                self.failed = Some(failure);
                let tried = &self.broker;
                self.chances.brokers.retain(|broker| broker != tried);
            }
            Event::Broker(next) => {
                let untried = self.chances.brokers.len();
                self.chances.brokers.retain(|broker| broker != next);
                let is_new = self.chances.brokers.len() < untried;
                let is_target = !self.configured.contains(next);
                // Brokers that were not tried follow even if this one was.
                if is_new || is_target || !self.chances.brokers.is_empty() {
                    let failed = self.failed.take();
                    let cause = failed.map(|failure| failure.cause().to_owned());
                    let is_known = |cause: &String| self.before.contains(cause);
                    if let Some(cause) = cause.filter(|cause| !is_known(cause)) {
                        self.before.push(cause);
                    }
                }
            }
            Event::Version(_) if std::mem::take(&mut self.chances.version) => self.failed = None,
            _ => {}
        }
    }

    /// Describes where the time limit expired, and what was awaited.
    pub(crate) fn timed_out(&self, waits: Waits) -> Failure {
        let client = self.driver.client();
        let place = self.place();
        let doing = match (client.stage(), &waits) {
            (_, Waits::Reader) => "while standard output was not being read".to_owned(),
            (_, Waits::Input) if client.is_online() => "while waiting for more input".to_owned(),
            _ if client.is_online() => format!("while connected to {place}"),
            (Some(stage), _) => format!("in stage {stage}, connecting to {place}"),
            (None, _) => format!("between attempts to connect to {place}"),
        };
        let check = match (client.stage(), &waits) {
            (_, Waits::Reader) => "read from standard output",
            (_, Waits::Input) if client.is_online() => "end the input",
            (_, Waits::Others) if client.is_online() => "leave --timeout out to wait indefinitely",
            _ if client.is_online() => "check the broker's log",
            (Some(stage), _) => cure::of_silence(stage),
            (None, _) => "find the failing stage with thread-mqtt doctor",
        };
        let messages = match waits {
            Waits::Messages(left) => format!(", {left}"),
            Waits::Input | Waits::Others | Waits::Reader => String::new(),
        };
        let after = self.arguments.timeout.unwrap_or_default();
        Failure::timed_out(after, format_args!("{doing}{messages}"))
            .cure(format_args!("{check}, or give more time with --timeout"))
    }

    /// Describes a storage failure, with the system's text instead of its number.
    pub(crate) fn storage(&self, error: StoreError) -> Failure {
        let directory = self.directory();
        let failed = |cause: String| {
            Failure::new(Status::Input, format_args!("--session {directory}{cause}"))
        };
        match error {
            StoreError::WrongKey => Failure::usage(format_args!(
                "--session-key: nothing in --session {directory} can be decrypted"
            ))
            .cure("provide the key and the --id that it was stored with, or use another directory"),
            StoreError::Encrypted | StoreError::NotEncrypted | StoreError::Key(_) => {
                Failure::usage(format_args!("--session-key: {error}"))
            }
            StoreError::Newer => Failure::usage(format_args!("--session {directory}: {error}")),
            StoreError::Failed(code) if code < 0 => {
                let error = io::Error::from_raw_os_error(code.wrapping_neg());
                failed(format!(" cannot be read or written: {error}"))
                    .cure("make it writable for this user, or give another directory")
            }
            StoreError::Full => failed(": its disk is full".to_owned())
                .cure("free space there, or give a directory elsewhere"),
            error => failed(format!(": {error}")),
        }
    }
}

/// What a command waited for when it timed out after connecting.
#[derive(Debug)]
pub(crate) enum Waits {
    /// Its own input.
    Input,
    /// The broker's response; names what is missing.
    Messages(String),
    /// Messages from others.
    Others,
    /// The reader of its output.
    Reader,
}
