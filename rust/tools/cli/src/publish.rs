//! `thread-mqtt pub`
use crate::args::PubArguments;
use crate::exit::{Failure, Status};
use crate::input::{Input, Next};
use crate::run::{Run, Step};
use thread_mqtt_client::{Cause, Event, Stage};
use thread_mqtt_session::{CommandError, Event as Mqtt, Message};

/// Connections lost in a row without one message acknowledged, after which the message itself is
/// suspected: an MQTT 3.1.1 broker has no other way to refuse it.
const HOPELESS: u32 = 3;

pub(crate) fn publish(arguments: &PubArguments) -> Result<(), Failure> {
    let mut run = Run::start(&arguments.common, arguments.verbose)?;
    let mut input = Input::open(&arguments.payload, run.waker())?;
    let mut refused = None;
    let mut queued: usize = 0;
    let mut at_end = false;
    let mut losses = 0;
    let mut held: Option<Message> = None;

    loop {
        while !at_end {
            let message = match held.take() {
                Some(message) => message,
                None => match input.next()? {
                    Next::Payload(payload) => Message::new(arguments.topic.as_str(), payload)
                        .qos(arguments.qos)
                        .retain(arguments.retain),
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
                Err(error) => return Err(Failure::usage(error)),
            }
        }
        if at_end && queued == 0 {
            run.stop()?;
            return refused.map_or(Ok(()), Err);
        }
        match run.step()? {
            Step::Event(Event::Session(Mqtt::Published(_))) => {
                queued = queued.saturating_sub(1);
                losses = 0;
            }
            Step::Event(Event::Session(Mqtt::PublishFailed(_, error))) => {
                queued = queued.saturating_sub(1);
                refused = Some(Failure::new(Status::Message, error));
            }
            Step::Event(Event::Failed { stage, cause, .. }) => {
                losses += 1;
                if losses >= HOPELESS && stage == Stage::Mqtt {
                    return Err(hopeless(&cause));
                }
            }
            Step::Event(_) | Step::Woken => {}
            Step::Interrupted => {
                run.stop()?;
                return Err(Failure::new(
                    Status::Message,
                    format_args!("interrupted with {queued} messages not acknowledged"),
                ));
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
        "look into the broker's log: the message may be larger than it takes, or the topic not \
         allowed",
    )
}
