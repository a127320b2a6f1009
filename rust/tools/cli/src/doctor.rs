//! `thread-mqtt doctor`: the stages one by one, each with what it found, up to the first that fails.
use crate::args::{DoctorArguments, MqttVersion};
use crate::check;
use crate::exit::{Failure, Status};
use crate::output::Lines;
use crate::setup;
use std::fmt;
use std::time::{Duration, Instant};
use thread_mqtt_client::{Cause, Event, Reached, Retry, Stage};
use thread_mqtt_doctor::{Doctor, Listener, Subject, Verdict};
use thread_mqtt_driver::{Driver, Port};
use thread_mqtt_host::HostPort;

pub(crate) fn doctor(arguments: &DoctorArguments) -> Result<(), Failure> {
    check::expiry(&arguments.common, None)?;
    let mut driver = setup::driver_in(
        arguments.common.mqtt.version,
        &arguments.common,
        Retry::Never,
    )?;
    let timeout = arguments.common.timeout;
    let deadline = timeout.map(|timeout| driver.port().now() + timeout);
    let mut screen = Screen {
        lines: Lines::default(),
        until: timeout.map(|timeout| Instant::now() + timeout),
    };
    let mut doctor = Doctor::new(Subject::of(driver.client()), &mut screen);
    let network = match driver.port_mut().network().native_ipv4 {
        true => "this host, with IPv4",
        false => "this host, IPv6 only: IPv4 is reached through NAT64",
    };
    let verdict = match doctor.begin(driver.port_mut(), || network.to_owned()) {
        Ok(()) => walk(&mut driver, &mut doctor, deadline),
        Err(verdict) => verdict,
    };
    if let Verdict::Ill(Stage::Mqtt, cause) = &verdict {
        let session = driver.client().session();
        // In quotation marks, and without what a terminal obeys.
        if let Some(said) = session.broker_reason() {
            doctor.note("broker says", format_args!("{said:?}"));
        }
        if let Some(reference) = session.server_reference() {
            doctor.note("points to", format_args!("{reference:?}"));
        }
        try_older(arguments, cause, &mut doctor)?;
    }
    doctor.finish(&verdict, driver.port_mut());
    screen.lines.end()?;
    match verdict {
        // The walk has said it.
        Verdict::Ill(stage, cause) => Err(Failure::of_stage(stage, &cause).shown()),
        // The reader has enough.
        Verdict::Abandoned if screen.lines.has_failed() => Ok(()),
        Verdict::Abandoned => {
            let stage = driver.client().stage().unwrap_or(Stage::Resolve);
            Err(Failure::new(
                Status::TimedOut,
                format_args!("the time given by --timeout was over in the stage {stage}"),
            ))
        }
        _ => Ok(()),
    }
}

/// Time for the attempt with MQTT 3.1.1.
const OLDER: Duration = Duration::from_secs(10);

/// Where MQTT 5 may be what the broker does not know, tries 3.1.1.
fn try_older(
    arguments: &DoctorArguments,
    cause: &Cause,
    doctor: &mut Doctor<'_>,
) -> Result<(), Failure> {
    if arguments.common.mqtt.version != MqttVersion::V5 || !cause.may_be_the_version() {
        return Ok(());
    }
    let mut driver = setup::driver_in(MqttVersion::V311, &arguments.common, Retry::Never)?;
    let deadline = driver.port().now() + OLDER;
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
        if driver.client().is_idle() {
            break;
        }
        driver.wait();
    }
    match outcome {
        Some(Event::Reached(Reached::Online { .. })) => {
            doctor.ok(
                "MQTT 3.1.1",
                "this broker accepts it: use -V 3.1.1, or --fallback",
            );
        }
        Some(Event::Failed { cause, .. }) => {
            doctor.failed(
                "MQTT 3.1.1",
                format_args!("the older version fails as well: {cause}"),
            );
        }
        _ => {}
    }
    Ok(())
}

/// Runs the client until the doctor knows, and ends the connection in good order.
fn walk(
    driver: &mut Driver<HostPort>,
    doctor: &mut Doctor<'_>,
    deadline: Option<Duration>,
) -> Verdict {
    driver.start();
    let mut verdict = None;
    loop {
        while driver.turn() {}
        while let Some(event) = driver.poll_event() {
            if verdict.is_none() {
                verdict = doctor.follow(&event, driver.client());
                match &verdict {
                    Some(Verdict::Well) => driver.stop(),
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

/// The standard output, until the time is over.
struct Screen {
    lines: Lines,
    until: Option<Instant>,
}

impl Listener for Screen {
    fn line(&mut self, line: fmt::Arguments<'_>) {
        self.lines.line(line);
    }

    fn is_gone(&self) -> bool {
        self.lines.has_failed() || self.until.is_some_and(|until| Instant::now() >= until)
    }
}
