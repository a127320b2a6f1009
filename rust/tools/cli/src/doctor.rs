//! `thread-mqtt doctor`: goes through the stages, prints what each found, and stops at the first
//! that fails. Each broker of a list is examined separately.
use crate::args::{CommonArguments, DoctorArguments, MqttVersion};
use crate::check;
use crate::cure;
use crate::exit::Failure;
use crate::output::Lines;
use crate::setup;
use std::fmt;
use std::time::{Duration, Instant};
use thread_mqtt_client::{Broker, Event, Reached, Stage};
use thread_mqtt_doctor::{Doctor, Listener, Subject, Verdict};
use thread_mqtt_driver::{Driver, Port};
use thread_mqtt_host::HostPort;

pub(crate) fn doctor(arguments: &DoctorArguments) -> Result<(), Failure> {
    let common = &arguments.common;
    let brokers = common.brokers()?;
    check::common(common, &brokers)?;
    check::expiry(common, None)?;
    let mut screen = Screen {
        lines: Lines::default(),
        until: common.timeout.map(|timeout| Instant::now() + timeout),
    };
    // Examines each broker of a list separately. The first that fails determines the exit status.
    let mut failed = None;
    for (place, broker) in brokers.iter().enumerate() {
        if place > 0 {
            screen.line(format_args!(""));
        }
        if let Err(failure) = examine(common, broker, &mut screen) {
            failed.get_or_insert(failure);
        }
        if screen.is_gone() {
            break;
        }
    }
    screen.lines.end()?;
    failed.map_or(Ok(()), Err)
}

fn examine(
    arguments: &CommonArguments,
    broker: &Broker,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let version = arguments.mqtt.version;
    let mut driver = setup::driver_for(version, arguments, broker)?;
    let deadline = screen.time_left().map(|left| driver.port().now() + left);
    let mut doctor = Doctor::new(Subject::of(driver.client()), screen);
    let network = match driver.port_mut().network().native_ipv4 {
        true => "this host, with IPv4",
        false => "this host, IPv6 only: IPv4 is reached through NAT64",
    };
    let begun = doctor.begin(driver.port_mut(), || network.to_owned());
    let has_begun = begun.is_ok();
    let verdict = match begun {
        Ok(()) => walk(&mut driver, &mut doctor, deadline),
        Err(verdict) => verdict,
    };
    let mut older = Older::Untried;
    if let Verdict::Ill(Stage::Mqtt, cause) = &verdict {
        let session = driver.client().session();
        // Quoted and escaped, so that a terminal does not interpret it.
        if let Some(said) = session.broker_reason() {
            doctor.note("broker says", format_args!("{said:?}"));
        }
        if let Some(reference) = session.server_reference().filter(|text| !text.is_empty()) {
            doctor.note("points to", format_args!("{reference:?}"));
        }
        if version == MqttVersion::V5 && cause.may_be_the_version() {
            older = try_older(arguments, broker, &mut doctor)?;
        }
    }
    let cure = match (&verdict, older) {
        (Verdict::Ill(_, cause), Older::Untried) => {
            cure::of_redirect(cause, driver.client().session())
                .or_else(|| cure::of(cause, &broker.uri, arguments))
        }
        (Verdict::Ill(_, cause), Older::Fails) => {
            Some(cure::of_neither_version(cause, &broker.uri))
        }
        // The line about the older version contains the cure.
        (_, _) => None,
    };
    doctor.finish_with(&verdict, driver.port_mut(), cure.as_deref());
    match verdict {
        // The walk has already reported it.
        Verdict::Ill(stage, cause) => Err(Failure::of_stage(&broker.uri, stage, &cause).shown()),
        // The reader has closed the pipe, or the disk is full.
        Verdict::Abandoned if screen.lines.has_failed() => Ok(()),
        Verdict::Abandoned => {
            let after = arguments.timeout.unwrap_or_default();
            let uri = &broker.uri;
            Err(match driver.client().stage() {
                Some(stage) => {
                    let doing = format_args!("in stage {stage}, connecting to {uri}");
                    Failure::timed_out(after, doing).cure(format_args!(
                        "{}, or give more time with --timeout",
                        cure::of_silence(stage)
                    ))
                }
                None if has_begun => {
                    Failure::timed_out(after, format_args!("while connecting to {uri}"))
                        .cure("give more time with --timeout")
                }
                None => Failure::timed_out(
                    after,
                    format_args!("while querying the DNS servers for the host of {uri}"),
                )
                .cure(
                    "check the last server, reduce --dns-timeout (the limit for each), or increase \
                     --timeout",
                ),
            })
        }
        _ => Ok(()),
    }
}

/// The result of the attempt with MQTT 3.1.1.
enum Older {
    Untried,
    Works,
    Fails,
}

/// Time limit for the attempt with MQTT 3.1.1.
const OLDER: Duration = Duration::from_secs(10);

/// Tries MQTT 3.1.1 if the broker may not support MQTT 5.
fn try_older(
    arguments: &CommonArguments,
    broker: &Broker,
    doctor: &mut Doctor<'_>,
) -> Result<Older, Failure> {
    let mut driver = setup::driver_for(MqttVersion::V311, arguments, broker)?;
    let patience = doctor.time_left().map_or(OLDER, |left| left.min(OLDER));
    let deadline = driver.port().now() + patience;
    driver.start();
    let outcome = loop {
        while driver.turn() {}
        match driver.poll_event() {
            Some(event @ (Event::Reached(Reached::Online { .. }) | Event::Failed { .. })) => {
                break Some(event);
            }
            Some(_) => continue,
            None if driver.port().now() >= deadline => break None,
            None => {}
        }
        let (until, interest) = driver.waits_for();
        let until = until.map_or(deadline, |until| until.min(deadline));
        driver.port_mut().wait(Some(until), interest);
    };
    driver.stop();
    loop {
        while driver.turn() {}
        if driver.client().is_idle() || driver.port().now() >= deadline {
            break;
        }
        driver.wait_until(Some(deadline));
    }
    Ok(match outcome {
        Some(Event::Reached(Reached::Online { .. })) => {
            doctor.ok(
                "MQTT 3.1.1",
                "this broker accepts it: use -V 3.1.1, or --fallback",
            );
            Older::Works
        }
        Some(Event::Failed { cause, .. }) => {
            doctor.failed(
                "MQTT 3.1.1",
                format_args!("the older version fails as well: {cause}"),
            );
            Older::Fails
        }
        _ => {
            doctor.failed(
                "MQTT 3.1.1",
                format_args!("no answer in {:.0} s", patience.as_secs_f64()),
            );
            Older::Fails
        }
    })
}

/// Runs the client until the doctor has a verdict, and disconnects gracefully.
fn walk(
    driver: &mut Driver<HostPort>,
    doctor: &mut Doctor<'_>,
    deadline: Option<Duration>,
) -> Verdict {
    driver.start();
    let mut verdict = None;
    'turns: loop {
        while driver.turn() {}
        while let Some(event) = driver.poll_event() {
            if verdict.is_none() {
                verdict = doctor.follow(&event, driver.client());
                match &verdict {
                    Some(Verdict::Well) => {
                        driver.stop();
                        // DISCONNECT is sent in a turn, not during the wait.
                        continue 'turns;
                    }
                    Some(_) => return verdict.unwrap_or(Verdict::Abandoned),
                    None => {}
                }
            } else if event == Event::Stopped {
                return verdict.unwrap_or(Verdict::Abandoned);
            }
        }
        if deadline.is_some_and(|deadline| driver.port().now() >= deadline) {
            return verdict.unwrap_or(Verdict::Abandoned);
        }
        driver.wait_until(deadline);
    }
}

/// The standard output, until the deadline.
struct Screen {
    lines: Lines,
    until: Option<Instant>,
}

impl Listener for Screen {
    fn line(&mut self, line: fmt::Arguments<'_>) {
        self.lines.line(line);
    }

    fn is_gone(&self) -> bool {
        self.lines.has_failed() || self.time_left().is_some_and(|left| left.is_zero())
    }

    fn time_left(&self) -> Option<Duration> {
        let left = |until: Instant| until.saturating_duration_since(Instant::now());
        self.until.map(left)
    }
}
