//! One run: connect, subscribe, publish, and wait until every message has come back.
use crate::device::Device;
use crate::entropy::Entropy;
use crate::failure::{Failure, stage_name};
use crate::keylog::hex;
use crate::network::Network;
use crate::options::{Mqtt, Options};
use crate::screen::{plural, thousands};
use crate::timeline::{Mark, Stage, Timeline};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use thread_mqtt_client::{Cause, Event, Reached, Stage as ClientStage, TcpError};
use thread_mqtt_resolve::resolver::{AddressSource, Candidate, LookupError, Origin, Report};
use thread_mqtt_resolve::uri::without_credentials;
use thread_mqtt_resolve::{BrokerUri, Scheme};
use thread_mqtt_session::{CommandError, Event as SessionEvent, Message, QoS, SessionError};
use thread_mqtt_tls::Agreed;
use thread_sim::World;

/// An observer of a run.
pub trait Observer {
    /// Called when the world exists and the device is about to be switched on.
    fn begins(&mut self, broker: &BrokerUri) {
        let _ = broker;
    }
    /// Called without news: time and traffic so far, and the stage being waited for.
    fn waits(&mut self, so_far: Mark, stage: &'static str) {
        let _ = (so_far, stage);
    }
    /// Called when a stage was reached.
    fn reached(&mut self, stage: &Stage) {
        let _ = stage;
    }
    /// Called with a note that does not end the run.
    fn notes(&mut self, text: &str) {
        let _ = text;
    }
    /// Called when a message came back.
    fn received(&mut self, at: Duration, message: &Message) {
        let _ = (at, message);
    }
}

/// No observer.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Observer for Silent {}

/// The result of a run.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The broker, as far as it could be parsed.
    pub broker: String,
    /// The NAT64 prefix of the connection.
    pub nat64_prefix: Option<String>,
    /// The IPv6 address connected to.
    pub broker_address: Option<String>,
    /// What TLS negotiated.
    pub tls: Option<Agreed>,
    /// The stages reached, in order.
    pub stages: Vec<Stage>,
    /// Time and traffic during the run.
    pub samples: Vec<Mark>,
    /// Total time and traffic.
    pub total: Mark,
    /// Number of messages acknowledged.
    pub published: u32,
    /// Number of messages that came back.
    pub received: u32,
    /// With `--pcap`, the tshark command-line arguments that decrypt the file.
    pub wireshark: Option<String>,
    /// The failure, if any.
    pub failure: Option<Failure>,
}

impl Outcome {
    /// Returns whether every message came back.
    pub fn ok(&self) -> bool {
        self.failure.is_none()
    }

    fn failed_setup(options: &Options, failure: Failure) -> Self {
        Self {
            broker: without_credentials(options.broker.as_deref().unwrap_or_default()),
            nat64_prefix: None,
            broker_address: None,
            tls: None,
            stages: Vec::new(),
            samples: Vec::new(),
            total: Mark::default(),
            published: 0,
            received: 0,
            wireshark: None,
            failure: Some(failure),
        }
    }
}

/// Runs once. The outcome includes failures.
pub fn run(options: &Options, observer: &mut dyn Observer) -> Outcome {
    run_unless(&AtomicBool::new(false), options, observer)
}

/// Runs once, and ends the run gracefully when `interrupted` becomes true.
pub fn run_unless(
    interrupted: &AtomicBool,
    options: &Options,
    observer: &mut dyn Observer,
) -> Outcome {
    let network = match Network::new(options) {
        Ok(network) => network,
        Err(failure) => return Outcome::failed_setup(options, failure),
    };
    let mut entropy = match network.deterministic {
        true => Entropy::seeded(options.seed),
        false => Entropy::Host,
    };
    let id = entropy.run_id();
    match Device::new(options, &network, entropy, format!("thread-mqtt-demo-{id}")) {
        Ok(device) => Run::new(options, &network, device, id, observer).complete(interrupted),
        Err(failure) => Outcome::failed_setup(options, failure),
    }
}

/// Returns the arguments for tshark to decrypt the frames of `--pcap`.
fn wireshark(options: &Options, broker: &BrokerUri, world: &World) -> Option<String> {
    let pcap = options.pcap.as_ref()?;
    let mut arguments = format!(
        "-r '{}' -o 'uat:ieee802154_keys:\"{}\",\"1\",\"Thread hash\"'",
        quoted(pcap),
        hex(&world.network_key())
    );
    for (number, prefix) in world.lowpan_contexts() {
        arguments += &format!(" -o 6lowpan.context{number}:{prefix}/64");
    }
    if let (Some(keys), Scheme::Mqtts) = (options.keylog(), broker.scheme) {
        arguments += &format!(
            " -o 'tls.keylog_file:{}' -d tcp.port=={},tls",
            quoted(&keys),
            broker.port
        );
    }
    Some(arguments)
}

/// Quotes a path for a shell, in single quotes.
fn quoted(path: &Path) -> String {
    path.display().to_string().replace('\'', r"'\''")
}

/// Poll interval in milliseconds from which answers may come too late.
const RARE: u32 = 10_000;

/// Returns whether an answer did not come in time.
fn is_timeout(cause: &Cause) -> bool {
    match cause {
        Cause::Resolve(report) => {
            let mut failures = report.failures.iter();
            failures.any(|failure| failure.error == LookupError::Timeout)
        }
        Cause::Tcp(TcpError::TimedOut) | Cause::HandshakeTimedOut => true,
        Cause::Mqtt(error) => matches!(
            error,
            SessionError::ConnackTimeout
                | SessionError::PingTimeout
                | SessionError::AckTimeout { .. }
        ),
        _ => false,
    }
}

struct Run<'a> {
    options: &'a Options,
    network: &'a Network,
    device: Device,
    observer: &'a mut dyn Observer,
    timeline: Timeline,
    /// The stage being waited for.
    next: &'static str,
    /// Tells this run's messages from others on the same topic.
    id: String,
    /// With `--retry`, the reason for the last failed attempt.
    last_failure: Option<Failure>,
    /// Whether the client was given the subscription.
    subscribed: bool,
    /// Number of messages passed to the client so far.
    queued: u32,
    published: u32,
    /// Payloads that have not come back yet.
    outstanding: BTreeSet<Vec<u8>>,
    nat64_prefix: Option<String>,
    broker_address: Option<String>,
    tls: Option<Agreed>,
}

impl<'a> Run<'a> {
    fn new(
        options: &'a Options,
        network: &'a Network,
        device: Device,
        id: String,
        observer: &'a mut dyn Observer,
    ) -> Self {
        observer.begins(&network.broker);
        Self {
            options,
            network,
            device,
            observer,
            timeline: Timeline::start(&network.world),
            next: stage_name(ClientStage::Attach),
            id,
            last_failure: None,
            subscribed: false,
            queued: 0,
            published: 0,
            outstanding: BTreeSet::new(),
            nat64_prefix: None,
            broker_address: None,
            tls: None,
        }
    }

    fn complete(mut self, interrupted: &AtomicBool) -> Outcome {
        let limit = self.network.world.now() + self.options.timeout();
        self.device.start();
        let mut result = self.until_all_came_back(limit, interrupted);
        self.disconnect();
        let received = self.received();
        let world = &self.network.world;
        let (stages, samples, total) = self.timeline.finish(world);
        if let Err(error) = world.end_capture() {
            result = result.and(Err(Failure::new(
                "setup",
                &format!("the pcap file is incomplete ({error})"),
                "free disk space, or give --pcap another path",
            )));
        }
        Outcome {
            broker: self.network.broker.to_string(),
            nat64_prefix: self.nat64_prefix,
            broker_address: self.broker_address,
            tls: self.tls,
            stages,
            samples,
            total,
            published: self.published,
            received,
            wireshark: wireshark(self.options, &self.network.broker, world),
            failure: result.err(),
        }
    }

    fn until_all_came_back(
        &mut self,
        limit: Duration,
        interrupted: &AtomicBool,
    ) -> Result<(), Failure> {
        while self.published < self.options.messages || !self.outstanding.is_empty() {
            match self.next_event(limit, Some(interrupted)) {
                Some(event) => self.handle(event)?,
                None if interrupted.load(Ordering::Relaxed) => return Err(self.interrupted()),
                None => return Err(self.out_of_time()),
            }
        }
        let count = thousands(self.options.messages.into());
        self.reach("messages", format!("{count} of {count} came back"));
        Ok(())
    }

    /// Disconnects, if there is a connection.
    fn disconnect(&mut self) {
        let limit = self.network.world.now() + Duration::from_secs(10);
        self.device.stop();
        while !matches!(self.next_event(limit, None), Some(Event::Stopped) | None) {}
        // TCP still holds the last packets; give it time to send them.
        for _ in 0..5 {
            self.network.world.run_for(Duration::from_millis(50));
            self.timeline.sample(&self.network.world);
        }
    }

    /// Returns the number of messages that came back.
    fn received(&self) -> u32 {
        self.queued - u32::try_from(self.outstanding.len()).unwrap_or(self.queued)
    }

    fn next_event(&mut self, limit: Duration, interrupted: Option<&AtomicBool>) -> Option<Event> {
        let Self {
            device,
            timeline,
            observer,
            network,
            next,
            ..
        } = self;
        device.next_event(limit, || {
            observer.waits(timeline.sample(&network.world), next);
            interrupted.is_none_or(|interrupted| !interrupted.load(Ordering::Relaxed))
        })
    }

    fn handle(&mut self, event: Event) -> Result<(), Failure> {
        match event {
            Event::Reached(reached) => self.handle_stage(reached)?,
            Event::CandidateFailed(candidate, cause) => {
                self.observer.notes(&format!("{candidate} failed: {cause}"));
            }
            Event::Failed {
                stage,
                cause,
                retry_in,
            } => {
                let failure = self.failure(stage, &cause);
                let Some(pause) = retry_in else {
                    return Err(failure);
                };
                let pause = pause.as_secs_f32();
                self.observer
                    .notes(&format!("{} Trying again in {pause:.1} s.", failure.cause));
                self.next = failure.stage;
                self.last_failure = Some(failure);
            }
            Event::Session(event) => self.handle_mqtt(event)?,
            _ => {}
        }
        Ok(())
    }

    /// Returns the client's failure with the demo's stage, which can be more specific.
    fn failure(&self, stage: ClientStage, cause: &Cause) -> Failure {
        let mut failure = Failure::from_cause(stage, cause);
        if stage == ClientStage::Mqtt && self.subscribed {
            failure.stage = self.next;
        }
        let closed = matches!(cause, Cause::Tcp(_) | Cause::Tls(_));
        if closed && self.queued > 0 && self.options.size > 0 && self.options.mqtt == Mqtt::V311 {
            failure.cure = format!(
                "Choose a --size below {}: an MQTT 3.1.1 broker closes the connection when a message \
                 is too large, and its log shows the limit.",
                self.options.size
            );
        }
        if let (true, Some(poll @ RARE..)) = (is_timeout(cause), self.options.sleepy) {
            failure.cure = format!(
                "Let the device poll more often: with --sleepy {poll} an answer may wait {} s at its parent.",
                poll / 1_000
            );
        }
        failure
    }

    fn handle_stage(&mut self, reached: Reached) -> Result<(), Failure> {
        let name = stage_name(reached.stage());
        let detail = match &reached {
            Reached::Attached => self.attachment(),
            Reached::Prefix(prefix, source) => {
                self.nat64_prefix = Some(prefix.to_string());
                format!("NAT64 {prefix} from the {source}")
            }
            Reached::Resolved(report) => resolution(report),
            Reached::Tcp(candidate, port) => {
                self.note_candidate(candidate);
                format!("[{}]:{port}", candidate.address)
            }
            Reached::Tls(agreed) => {
                self.tls = Some(agreed.clone());
                format!("{} {}", agreed.version, agreed.suite())
            }
            _ => format!("MQTT {} session open", self.options.mqtt.number()),
        };
        self.reach(name, detail);
        self.next = match reached.stage() {
            ClientStage::Attach => "prefix",
            ClientStage::Prefix | ClientStage::Time => "dns",
            ClientStage::Resolve => "tcp",
            ClientStage::Tcp if self.network.broker.scheme == Scheme::Mqtts => "tls",
            ClientStage::Tcp | ClientStage::Tls => "connack",
            ClientStage::Mqtt => {
                // Earlier failures have been overcome.
                self.last_failure = None;
                self.subscribe()?;
                match (self.queued, self.published) {
                    (0, _) => "subscribed",
                    (_, 0) => "first publish",
                    _ => "messages",
                }
            }
        };
        Ok(())
    }

    /// Subscribes once: the session remembers it for later connections.
    fn subscribe(&mut self) -> Result<(), Failure> {
        if !std::mem::replace(&mut self.subscribed, true) {
            let topic = self.options.topic.as_str();
            let filters = [(topic, self.options.qos())];
            let asked = self.device.client().subscribe(&filters);
            asked.map_err(|error| unusable_topic("subscribed", topic, &error))?;
        }
        Ok(())
    }

    fn handle_mqtt(&mut self, event: SessionEvent) -> Result<(), Failure> {
        match event {
            SessionEvent::Subscribed(_, granted) => {
                if let Some(Err(reason)) = granted.first() {
                    return Err(Failure::new(
                        "subscribed",
                        &format!("the broker refused the subscription: {reason}"),
                        "choose a --topic that this user may read",
                    ));
                }
                self.reach("subscribed", self.options.topic.clone());
                if self.published == 0 {
                    self.next = "first publish";
                }
                // The first message is sent alone, to measure its cost.
                self.publish_up_to(1)?;
            }
            SessionEvent::Published(_) => {
                self.published += 1;
                if self.published == 1 {
                    let what = match self.options.qos() {
                        QoS::AtMostOnce => "sent (QoS 0)",
                        QoS::AtLeastOnce => "acknowledged (QoS 1)",
                        QoS::ExactlyOnce => "acknowledged (QoS 2)",
                    };
                    self.reach("first publish", what.to_owned());
                    self.next = "messages";
                }
                self.publish_up_to(self.options.messages)?;
            }
            SessionEvent::PublishFailed(_, error) => {
                return Err(Failure::from_error(self.next, &error));
            }
            SessionEvent::Message(message) if self.outstanding.remove(&message.payload) => {
                let at = self.timeline.sample(&self.network.world).at;
                self.observer.received(at, &message);
            }
            _ => {}
        }
        Ok(())
    }

    /// Passes messages to the client while its outbox has room.
    fn publish_up_to(&mut self, count: u32) -> Result<(), Failure> {
        while self.queued < count {
            let payload = self.payload(self.queued + 1);
            let message =
                Message::new(self.options.topic.as_str(), payload.clone()).qos(self.options.qos());
            match self.device.client().publish(message) {
                Ok(_) => {}
                Err(CommandError::Full) => break,
                Err(error) => {
                    return Err(unusable_topic(self.next, &self.options.topic, &error));
                }
            }
            self.queued += 1;
            self.outstanding.insert(payload);
        }
        Ok(())
    }

    /// Returns `{"run":"1b2c3d4e","n":1,"temperature":20.1}`, padded with spaces to `--size`.
    fn payload(&self, n: u32) -> Vec<u8> {
        let (run, tenths) = (&self.id, 200 + n % 50);
        let (whole, tenth) = (tenths / 10, tenths % 10);
        let text = format!(r#"{{"run":"{run}","n":{n},"temperature":{whole}.{tenth}}}"#);
        let mut payload = text.into_bytes();
        payload.resize(payload.len().max(self.options.size as usize), b' ');
        payload
    }

    fn reach(&mut self, name: &'static str, detail: String) {
        let stage = self.timeline.reach(&self.network.world, name, detail);
        self.observer.reached(stage);
    }

    fn attachment(&self) -> String {
        match self.network.world.device_address() {
            Some(address) => address.to_string(),
            None => "without a routable address".to_owned(),
        }
    }

    fn note_candidate(&mut self, candidate: &Candidate) {
        self.broker_address = Some(candidate.address.to_string());
        if let Origin::Synthesised { prefix, .. } = candidate.origin {
            self.nat64_prefix = Some(prefix.to_string());
        }
    }

    /// Returns the last failure, if it was not overcome, because it explains the delay.
    fn out_of_time(&mut self) -> Failure {
        if let Some(failure) = self.last_failure.take() {
            return failure;
        }
        let seconds = self.options.timeout;
        if self.published < self.options.messages {
            let next = self.next;
            return Failure::new(
                next,
                &format!("\"{next}\" was not reached within {seconds} simulated seconds"),
                "increase --timeout, or reduce --loss and --hops",
            );
        }
        let received = thousands(self.received().into());
        let messages = plural(self.options.messages.into(), "message");
        let (why, cure) = match self.options.qos() {
            QoS::AtMostOnce => (
                "; with QoS 0 a lost message is not sent again",
                "use --qos 1, or reduce --loss and --hops",
            ),
            _ => ("", "increase --timeout, or reduce --loss and --hops"),
        };
        Failure::new(
            self.next,
            &format!("{received} of {messages} came back within {seconds} simulated seconds{why}"),
            cure,
        )
    }

    fn interrupted(&self) -> Failure {
        Failure::new(
            self.next,
            &format!(
                "the run was interrupted while waiting for \"{}\"",
                self.next
            ),
            "run it again, or set a limit with --timeout",
        )
    }
}

fn resolution(report: &Report) -> String {
    let Some(candidate) = report.candidates.first() else {
        return report.to_string();
    };
    let what = match candidate.origin {
        Origin::Synthesised { ipv4, .. } | Origin::Mapped(ipv4) => ipv4.to_string(),
        Origin::Native => candidate.address.to_string(),
    };
    match report.answered_by {
        Some(AddressSource::Literal(_)) | None => format!("{what} (as given)"),
        Some(source) => format!("{what} ({source})"),
    }
}

fn unusable_topic(stage: &'static str, topic: &str, error: &CommandError) -> Failure {
    Failure::new(
        stage,
        &format!("the topic \"{topic}\" or a message to it cannot be used: {error}"),
        "choose another --topic or a smaller --size",
    )
}
