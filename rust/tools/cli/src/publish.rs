//! `thread-mqtt pub`
use crate::args::PubArguments;
use crate::exit::{Failure, Status};
use crate::input::{Input, Next};
use crate::run::{Run, Step};
use thread_mqtt_client::Event;
use thread_mqtt_session::{CommandError, Event as Mqtt, Message};

pub(crate) fn publish(arguments: &PubArguments) -> Result<(), Failure> {
    let mut run = Run::start(&arguments.common, &arguments.session, arguments.verbose)?;
    let mut input = Input::open(&arguments.payload, run.waker())?;
    let wanted = &arguments.message;
    let properties = wanted.properties.properties();
    let mut refused = None;
    // Those of an earlier command, with --session.
    let mut queued = run.client().session().outbox_len();
    let mut at_end = false;
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
                Err(error @ CommandError::NotStored(_)) => {
                    run.stop();
                    return Err(Failure::new(Status::Message, error));
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
            }
            Step::Event(Event::Session(Mqtt::PublishFailed(_, error))) => {
                queued = queued.saturating_sub(1);
                refused = Some(Failure::new(Status::Message, error));
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

/// What was not acknowledged.
fn left(before: &str, queued: usize) -> String {
    let blank = if before.is_empty() { "" } else { " " };
    match queued {
        0 => format!("{before}{blank}while waiting for more input"),
        1 => format!("{before}{blank}with 1 message not acknowledged"),
        _ => format!("{before}{blank}with {queued} messages not acknowledged"),
    }
}
