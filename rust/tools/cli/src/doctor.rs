//! `thread-mqtt doctor`: the stages one by one, each with what it found, up to the first that fails.
use crate::args::DoctorArguments;
use crate::exit::{Failure, Status};
use crate::setup;
use std::fmt;
use std::time::{Duration, Instant};
use thread_mqtt_client::{Event, Retry, Stage};
use thread_mqtt_doctor::{Doctor, Listener, Subject, Verdict};
use thread_mqtt_driver::{Driver, Port};
use thread_mqtt_host::HostPort;

pub(crate) fn doctor(arguments: &DoctorArguments) -> Result<(), Failure> {
    let mut driver = setup::driver(&arguments.common, Retry::Never)?;
    let timeout = arguments.common.timeout;
    let deadline = timeout.map(|timeout| driver.port().now() + timeout);
    let mut screen = Screen(timeout.map(|timeout| Instant::now() + timeout));
    let mut doctor = Doctor::new(Subject::of(driver.client()), &mut screen);
    let network = match driver.port_mut().network().native_ipv4 {
        true => "this host, with IPv4",
        false => "this host, IPv6 only: IPv4 is reached through NAT64",
    };
    let verdict = match doctor.begin(driver.port_mut(), || network.to_owned()) {
        Ok(()) => walk(&mut driver, &mut doctor, deadline),
        Err(verdict) => verdict,
    };
    doctor.finish(&verdict, driver.port_mut());
    match verdict {
        // The walk has said it.
        Verdict::Ill(stage, cause) => Err(Failure::of_stage(stage, &cause).shown()),
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
struct Screen(Option<Instant>);

impl Listener for Screen {
    fn line(&mut self, line: fmt::Arguments<'_>) {
        println!("{line}");
    }

    fn is_gone(&self) -> bool {
        self.0.is_some_and(|until| Instant::now() >= until)
    }
}
