//! Runs the client and shows its stages.
use crate::args::{CommonArguments, SessionArguments};
use crate::exit::{Failure, Status};
use crate::output::tell;
use crate::revocable::Revoker;
use crate::setup;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use thread_mqtt_client::{Cause, Client, Event, Reached, Retry};
use thread_mqtt_driver::{Driver, Port};
use thread_mqtt_host::{HostPort, Waker};
use thread_mqtt_resolve::BrokerUri;
use thread_mqtt_session::{BrokerText, Event as Mqtt, ReasonCode, SkipReason, StoreError, Token};

/// A client at work.
pub(crate) struct Run {
    driver: Driver<HostPort>,
    /// For what the session stores.
    revoker: Revoker,
    debug: bool,
    retry: bool,
    began: Duration,
    deadline: Option<Duration>,
    /// The broker has accepted this client at least once.
    was_online: bool,
    configured: Vec<BrokerUri>,
    chances: Chances,
    /// The failure that ends the command, unless something else is tried.
    failed: Option<Failure>,
    /// What the broker said last, with the request that it is about.
    said: Option<(Option<Token>, String)>,
    interrupted: Arc<AtomicBool>,
}

/// What a command has to deal with.
#[derive(Debug)]
pub(crate) enum Step {
    /// Something happened; the stages were shown already.
    Event(Event),
    /// The wait is over: look at other inputs.
    Woken,
    /// Ctrl-C: the user wants it to end.
    Interrupted,
    /// The time given by --timeout is over.
    TimedOut,
}

/// What may be tried before the first attempt counts as failed.
#[derive(Debug)]
struct Chances {
    /// The brokers that have not had their turn.
    brokers: Vec<BrokerUri>,
    /// Another version of MQTT.
    version: bool,
}

impl Run {
    /// Begins to connect; `in_pieces`: large messages may come so.
    pub(crate) fn start(
        arguments: &CommonArguments,
        session: &SessionArguments,
        debug: bool,
        in_pieces: bool,
    ) -> Result<Self, Failure> {
        let (mut driver, revoker) = setup::driver(arguments, session, Retry::Forever, in_pieces)?;
        let brokers = arguments.brokers()?.into_iter().map(|broker| broker.uri);
        let configured: Vec<_> = brokers.collect();
        let chances = Chances {
            brokers: configured.clone(),
            version: true,
        };
        let interrupted = Arc::new(AtomicBool::new(false));
        let (flag, waker) = (interrupted.clone(), driver.port().waker());
        // Without it Ctrl-C just ends the process: the broker then publishes the will.
        let _ = ctrlc::set_handler(move || {
            flag.store(true, Ordering::Relaxed);
            waker.wake();
        });
        let began = driver.port().now();
        driver.start();
        Ok(Self {
            driver,
            revoker,
            debug: debug || arguments.debug,
            retry: arguments.retry,
            began,
            deadline: arguments.timeout.map(|timeout| began + timeout),
            was_online: false,
            configured,
            chances,
            failed: None,
            said: None,
            interrupted,
        })
    }

    /// What the broker has said about a request, or with `None` about the connection.
    pub(crate) fn said(&mut self, about: Option<Token>) -> Option<String> {
        let said = self.said.take_if(|(token, _)| *token == about);
        said.map(|(_, text)| text)
    }

    pub(crate) fn client(&mut self) -> &mut Client {
        self.driver.client_mut()
    }

    pub(crate) fn waker(&self) -> Waker {
        self.driver.port().waker()
    }

    /// Goes on until something happens.
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
                self.judge(&event);
                self.show(&event);
                // Wrong from the outset, whatever the network says meanwhile.
                match self.failed.take_if(|failure| failure.is_usage()) {
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
            if self
                .deadline
                .is_some_and(|deadline| self.driver.port().now() >= deadline)
            {
                self.deadline = None;
                return Ok(Step::TimedOut);
            }
            self.driver.wait_until(self.deadline);
            return Ok(Step::Woken);
        }
    }

    /// Disconnects in good order. Takes no event meanwhile: a message that is taken is acknowledged,
    /// and one that is not printed must come again.
    pub(crate) fn stop(mut self) {
        self.driver.stop();
        loop {
            while self.driver.turn() {}
            if self.driver.client().is_idle() {
                return;
            }
            self.driver.wait();
        }
    }

    /// Cuts the connection without acknowledging the message that was taken last, and forgets that it
    /// came: it must come again. Without a DISCONNECT, so the broker publishes the will.
    pub(crate) fn abandon(self) {
        self.revoker.revoke();
    }

    fn show(&mut self, event: &Event) {
        let lost = matches!(event, Event::Failed { .. }) && (self.was_online || self.retry);
        match event {
            Event::Session(Mqtt::StorageFailed(error)) if self.failed.is_none() => {
                tell!("thread-mqtt: --session: {}.", storage(*error));
            }
            Event::Session(Mqtt::Skipped {
                topic,
                size,
                reason,
                ..
            }) => {
                let (cause, cure) = match reason {
                    SkipReason::TooLarge => ("larger than --max-packet", "give a larger one"),
                    _ => ("for which the memory has no room", "give it more"),
                };
                tell!(
                    "thread-mqtt: a message to {topic:?} of {size} bytes is skipped, {cause}.\n  \
                     What to do: {cure}, or take it with --pieces."
                );
            }
            Event::Session(Mqtt::RecordDamaged { key }) => {
                tell!("thread-mqtt: --session: the record {key:04x} was damaged and is dropped.")
            }
            _ => {}
        }
        if self.debug {
            let elapsed = self.driver.port().now().saturating_sub(self.began);
            let elapsed = elapsed.as_secs_f64();
            match event {
                Event::Session(Mqtt::Subscribed(..)) => tell!("{elapsed:9.3} s  subscribed"),
                Event::Session(_) => {}
                stage => tell!("{elapsed:9.3} s  {stage}"),
            }
        } else if lost {
            tell!("thread-mqtt: {event}.");
        }
        if let (Event::Failed { .. }, Some(said)) = (event, self.said(None)) {
            tell!("  The broker says: {said:?}");
        }
    }

    /// A first attempt that fails ends the command, unless another broker or another version is tried
    /// at once; a lost connection does not.
    fn judge(&mut self, event: &Event) {
        match event {
            Event::Reached(Reached::Online { .. }) => self.was_online = true,
            // Before anything is sent: what is not stored would be lost.
            Event::Session(Mqtt::StorageFailed(
                error @ (StoreError::Encrypted
                | StoreError::WrongKey
                | StoreError::NotEncrypted
                | StoreError::Key(_)),
            )) => self.failed = Some(Failure::usage(format_args!("--session-key: {error}"))),
            Event::Session(Mqtt::StorageFailed(error @ StoreError::Newer)) => {
                self.failed = Some(Failure::usage(format_args!("--session: {error}")));
            }
            Event::Failed {
                stage,
                cause,
                retry_in: Some(_),
            } if !self.was_online && !self.retry => {
                let mut failure = Failure::of_stage(*stage, cause).said(self.said(None));
                if !self.chances.version && cause.may_be_the_version() {
                    failure = failure.cure(
                        "check the broker's log: it took neither version of MQTT, each of which was tried",
                    );
                }
                let other = self.driver.client().session().server_reference();
                if let (true, Some(other)) = (is_redirect(cause), other) {
                    failure = failure.cure(format_args!(
                        "if what the broker points to is another broker, use that: {other:?}"
                    ));
                }
                self.failed = Some(failure);
            }
            Event::Broker(next) => {
                let untried = self.chances.brokers.len();
                self.chances.brokers.retain(|broker| broker != next);
                let is_new = self.chances.brokers.len() < untried;
                if is_new || !self.configured.contains(next) {
                    self.failed = None;
                }
            }
            Event::Version(_) if std::mem::take(&mut self.chances.version) => self.failed = None,
            _ => {}
        }
    }

    /// What was being done when the time was over.
    pub(crate) fn timed_out(&self) -> Failure {
        let client = self.driver.client();
        let doing = match client.stage() {
            _ if client.is_online() => "while the broker was connected".to_owned(),
            Some(stage) => format!("in the stage {stage}"),
            None => "between two attempts to connect".to_owned(),
        };
        self.timed_out_while(doing)
    }

    /// The same, where it is known.
    pub(crate) fn timed_out_while(&self, doing: impl fmt::Display) -> Failure {
        Failure::new(
            Status::TimedOut,
            format_args!("the time given by --timeout was over {doing}"),
        )
    }
}

/// Whether the broker sends its clients elsewhere (MQTT 5 section 4.11).
fn is_redirect(cause: &Cause) -> bool {
    matches!(
        cause.reason(),
        Some(ReasonCode::USE_ANOTHER_SERVER | ReasonCode::SERVER_MOVED)
    )
}

/// What is wrong with the storage, with the system's own words instead of its number.
pub(crate) fn storage(error: StoreError) -> String {
    match error {
        StoreError::Failed(code) if code < 0 => format!(
            "the directory cannot be read or written: {}; see to it that this user may write all of it, \
             or give another one",
            io::Error::from_raw_os_error(code.wrapping_neg())
        ),
        error => error.to_string(),
    }
}
