//! `thread-mqtt sub`
use crate::args::{SubArguments, SubscriptionArguments};
use crate::check;
use crate::exit::{Failure, Status};
use crate::format::format;
use crate::output::{self, tell};
use crate::run::{Run, Step, Waits};
use std::io::{self, Write};
use thread_mqtt_client::Event;
use thread_mqtt_session::{Command, Event as Mqtt, QoS, Token};

/// Filters in one SUBSCRIBE: some brokers end the connection at a ninth.
const FILTERS: usize = 8;

pub(crate) fn subscribe(arguments: &SubArguments) -> Result<(), Failure> {
    let wanted = &arguments.subscription;
    for topic in &wanted.topic {
        check::text("--topic", topic)?;
    }
    let mut run = Run::start(&arguments.common, &arguments.session, false, wanted.pieces)?;
    let mut requests: Vec<(Token, &[String])> = Vec::new();
    for topics in wanted.topic.chunks(FILTERS) {
        let filters: Vec<_> = topics
            .iter()
            .map(|topic| (topic.as_str(), wanted.qos))
            .collect();
        let asked = run.client().subscribe(&filters);
        let token = asked.map_err(|error| {
            // The one of several that is at fault.
            let is_wrong = |filter: &&(&str, QoS)| Command::subscribe(&[**filter]).is_err();
            match filters.iter().find(is_wrong) {
                Some((topic, _)) => Failure::usage(format_args!("--topic {topic:?}: {error}")),
                None => Failure::usage(error),
            }
        })?;
        requests.push((token, topics));
    }

    let mut missing = wanted.count;
    let mut topic = String::new();
    let mut qos = QoS::AtMostOnce;
    while missing != Some(0) {
        match run.step()? {
            Step::Event(Event::Session(
                event @ (Mqtt::Message(_)
                | Mqtt::MessageBegins { .. }
                | Mqtt::Piece { .. }
                | Mqtt::MessageCut { .. }),
            )) => {
                if let Mqtt::Message(message) | Mqtt::MessageBegins { message, .. } = &event {
                    qos = message.qos;
                }
                match print(&event, &mut topic, wanted) {
                    Ok(is_whole) => {
                        missing = missing.map(|missing| missing - u64::from(is_whole));
                    }
                    Err(error) => {
                        match qos {
                            QoS::AtMostOnce => run.stop(),
                            // Not written, so not to be acknowledged.
                            _ => run.abandon(),
                        }
                        return output::failed(&error);
                    }
                }
            }
            Step::Event(Event::Session(Mqtt::Subscribed(token, results))) => {
                let topics = requests.iter().find(|(of, _)| *of == token);
                let topics = topics.map_or(&[][..], |(_, topics)| topics);
                for (result, topic) in results.iter().zip(topics) {
                    match result {
                        Ok(granted) if *granted < wanted.qos => tell!(
                            "thread-mqtt: the broker grants {topic} no more than QoS {}.",
                            *granted as u8
                        ),
                        Ok(_) => {}
                        Err(reason) => {
                            let said = run.said(Some(token));
                            run.stop();
                            return Err(Failure::new(
                                Status::Message,
                                format_args!(
                                    "the broker refused the subscription to {topic}: {reason}"
                                ),
                            )
                            .said(said));
                        }
                    }
                }
            }
            Step::Event(Event::Session(Mqtt::SubscriptionLost { filter, reason })) => {
                run.stop();
                return Err(Failure::new(
                    Status::Message,
                    format_args!(
                        "the broker refused to renew the subscription to {filter}: {reason}"
                    ),
                ));
            }
            Step::Event(_) | Step::Woken => {}
            Step::Interrupted => break,
            Step::TimedOut => {
                let failure = run.timed_out(Waits::Others);
                run.stop();
                return Err(failure);
            }
        }
    }
    run.stop();
    Ok(())
}

/// Prints a message, or as much of it as has come; whether it is whole.
fn print(event: &Mqtt, topic: &mut String, arguments: &SubscriptionArguments) -> io::Result<bool> {
    let end: &[u8] = if arguments.no_newline { b"" } else { b"\n" };
    let mut out = io::stdout().lock();
    let is_whole = match event {
        Mqtt::Message(message) => {
            let line = match &arguments.format {
                Some(wanted) => format(wanted, message),
                None if arguments.verbose => {
                    [message.topic.as_bytes(), b" ", &message.payload].concat()
                }
                None => message.payload.clone(),
            };
            out.write_all(&[&line, end].concat())?;
            true
        }
        Mqtt::MessageBegins { message, .. } => {
            topic.clone_from(&message.topic);
            if arguments.verbose {
                out.write_all(&[message.topic.as_bytes(), b" "].concat())?;
            }
            false
        }
        Mqtt::Piece {
            offset,
            total,
            payload,
        } => {
            out.write_all(payload)?;
            let is_last = *offset as usize + payload.len() == *total as usize;
            out.write_all(if is_last { end } else { b"" })?;
            is_last
        }
        Mqtt::MessageCut { received, .. } => {
            out.write_all(end)?;
            tell!(
                "thread-mqtt: the message on {topic} was cut after {received} bytes, which are not all \
                 of it; with QoS 1 and 2, and a session that is kept (-c), it comes again."
            );
            false
        }
        _ => return Ok(false),
    };
    out.flush()?;
    Ok(is_whole)
}
