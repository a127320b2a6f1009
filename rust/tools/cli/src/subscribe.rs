//! `thread-mqtt sub`
use crate::args::{SubArguments, SubscriptionArguments};
use crate::check;
use crate::exit::{Failure, Status};
use crate::format::format;
use crate::output::{self, tell};
use crate::run::{Run, Step, Waits};
use crate::setup::Inbound;
use thread_mqtt_client::Event;
use thread_mqtt_session::{Command, Event as Mqtt, QoS, Token};

/// Filters per SUBSCRIBE: some brokers close the connection at the ninth.
const FILTERS: usize = 8;

pub(crate) fn subscribe(arguments: &SubArguments) -> Result<(), Failure> {
    let wanted = &arguments.subscription;
    for topic in &wanted.topic {
        check::text("--topic", topic)?;
    }
    let inbound = match wanted.pieces {
        true => Inbound::InPieces,
        false => Inbound::Whole,
    };
    let mut run = Run::start(&arguments.common, &arguments.session, false, inbound)?;
    let mut requests: Vec<(Token, &[String])> = Vec::new();
    for topics in wanted.topic.chunks(FILTERS) {
        let filters: Vec<_> = topics
            .iter()
            .map(|topic| (topic.as_str(), wanted.qos))
            .collect();
        let asked = run.client().subscribe(&filters);
        let token = asked.map_err(|error| {
            // Of several, the one that is wrong.
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
                let is_last = is_last(&event);
                let failed = match run.print(&text_of(&event, &mut topic, wanted)) {
                    Ok(true) => {
                        if let Mqtt::MessageCut { received, .. } = event {
                            tell!(
                                "thread-mqtt: the message on {topic} was cut off after {received} bytes; with QoS 1 or 2 \
                                 and a kept session (-c), the broker sends it again."
                            );
                        }
                        missing = missing.map(|missing| missing - u64::from(is_last));
                        continue;
                    }
                    Ok(false) if run.is_too_late() => Err(run.timed_out(Waits::Reader)),
                    Ok(false) => Ok(()),
                    Err(error) => output::failed(&error),
                };
                if qos == QoS::AtMostOnce {
                    return run.finish(failed);
                }
                // Not written, so it must not be acknowledged.
                run.abandon();
                return failed;
            }
            Step::Event(Event::Session(Mqtt::Subscribed(token, results))) => {
                let topics = requests.iter().find(|(of, _)| *of == token);
                let topics = topics.map_or(&[][..], |(_, topics)| topics);
                for (result, topic) in results.iter().zip(topics) {
                    match result {
                        Ok(granted) if *granted < wanted.qos => tell!(
                            "thread-mqtt: the broker granted only QoS {} for {topic}.",
                            *granted as u8
                        ),
                        Ok(_) => {}
                        Err(reason) => {
                            let failure = Failure::new(
                                Status::Message,
                                format_args!(
                                    "the broker refused the subscription to {topic}: {reason}"
                                ),
                            )
                            .said(run.said(Some(token)));
                            return run.finish(Err(failure));
                        }
                    }
                }
            }
            Step::Event(Event::Session(Mqtt::SubscriptionLost { .. })) => {
                let refused = "the broker refused to renew a subscription";
                return run.finish(Err(Failure::new(Status::Message, refused).shown()));
            }
            Step::Event(_) | Step::Woken => {}
            Step::Interrupted => break,
            Step::TimedOut => {
                let failure = run.timed_out(Waits::Others);
                return run.finish(Err(failure));
            }
        }
    }
    run.finish(Ok(()))
}

/// Returns the text to print for a message, or for the part received so far.
fn text_of(event: &Mqtt, topic: &mut String, arguments: &SubscriptionArguments) -> Vec<u8> {
    let end: &[u8] = if arguments.no_newline { b"" } else { b"\n" };
    match event {
        Mqtt::Message(message) => {
            let line = match &arguments.format {
                Some(wanted) => format(wanted, message),
                None if arguments.verbose => {
                    [message.topic.as_bytes(), b" ", &message.payload].concat()
                }
                None => message.payload.clone(),
            };
            [line.as_slice(), end].concat()
        }
        Mqtt::MessageBegins { message, .. } => {
            topic.clone_from(&message.topic);
            match arguments.verbose {
                true => [message.topic.as_bytes(), b" "].concat(),
                false => Vec::new(),
            }
        }
        Mqtt::Piece { payload, .. } if is_last(event) => [payload.as_slice(), end].concat(),
        Mqtt::Piece { payload, .. } => payload.clone(),
        Mqtt::MessageCut { .. } => end.to_vec(),
        _ => Vec::new(),
    }
}

/// Returns whether this completes a message.
fn is_last(event: &Mqtt) -> bool {
    match event {
        Mqtt::Message(_) => true,
        Mqtt::Piece {
            offset,
            total,
            payload,
        } => *offset as usize + payload.len() == *total as usize,
        _ => false,
    }
}
