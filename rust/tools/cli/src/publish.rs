//! `thread-mqtt pub`
use crate::args::PubArguments;
use crate::exit::{Failure, Status};
use crate::input::{Input, Next};
use crate::run::{Run, Step};
use thread_mqtt_client::{Cause, Event, Stage};
use thread_mqtt_session::{CommandError, Event as Mqtt, Message};

/// Connections in a row that the broker ended while messages were under way, and came back from at once,
/// after which the message itself is suspected: an MQTT 3.1.1 broker has no other way to refuse it. One
/// that restarts cannot be reached in between.
const HOPELESS: u32 = 3;

pub(crate) fn publish(arguments: &PubArguments) -> Result<(), Failure> {
    let mut run = Run::start(&arguments.common, arguments.verbose)?;
    let mut input = Input::open(&arguments.payload, run.waker())?;
    let wanted = &arguments.message;
    let properties = wanted.properties.properties();
    let mut refused = None;
    let mut queued: usize = 0;
    let mut at_end = false;
    let mut ends = 0;
    let mut held: Option<Message> = None;

    loop {
        while !at_end {
            let message = match held.take() {
                Some(message) => message,
                None => match input.next()? {
                    Next::Payload(payload) => Message {
                        properties: properties.clone().map(Box::new),
                        ..Message::new(wanted.topic.as_str(), payload)
                            .qos(wanted.qos)
                            .retain(wanted.retain)
                    },
                    Next::Later => break,
                    Next::End => {
                        at_end = true;
                        break;
                    }
                },
            };
            match run.client().publish(message.clone()) {
                Ok(_) => queued += 1,
                Err(CommandError::Full) => {
                    held = Some(message);
                    break;
                }
                Err(error) => {
                    run.stop();
                    return Err(Failure::usage(error));
                }
            }
        }
        if at_end && queued == 0 {
            run.stop();
            return refused.map_or(Ok(()), Err);
        }
        match run.step()? {
            Step::Event(Event::Session(Mqtt::Published(_))) => {
                queued = queued.saturating_sub(1);
                ends = 0;
            }
            Step::Event(Event::Session(Mqtt::PublishFailed(_, error))) => {
                queued = queued.saturating_sub(1);
                refused = Some(Failure::new(Status::Message, error));
            }
            Step::Event(Event::Failed { stage, cause, .. }) => {
                let is_suspect = stage == Stage::Mqtt && cause != Cause::ClosedBeforeConnack;
                ends = if is_suspect && queued > 0 {
                    ends + 1
                } else {
                    0
                };
                if ends == HOPELESS {
                    return Err(hopeless(&cause));
                }
            }
            Step::Event(_) | Step::Woken => {}
            Step::Interrupted => {
                run.stop();
                return Err(Failure::new(Status::Message, left("interrupted", queued)));
            }
            Step::TimedOut => {
                let failure = run.timed_out();
                run.stop();
                return Err(match queued {
                    0 => failure,
                    _ => failure.and(left("", queued)),
                });
            }
        }
    }
}

fn hopeless(cause: &Cause) -> Failure {
    Failure::new(
        Status::Message,
        format_args!("the broker ended the connection each time the message was sent: {cause}"),
    )
    .cure(
        "check the broker's log: the message may be larger than it takes, or the topic not allowed",
    )
}

/// What was not acknowledged.
fn left(before: &str, queued: usize) -> String {
    let blank = if before.is_empty() { "" } else { " " };
    match queued {
        0 => format!("{before}{blank}while waiting for more input"),
        1 => format!("{before}{blank}with 1 message not acknowledged"),
        _ => format!("{before}{blank}with {queued} messages not acknowledged"),
    }
}
