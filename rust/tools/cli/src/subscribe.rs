//! `thread-mqtt sub`
use crate::args::SubArguments;
use crate::exit::{Failure, Status};
use crate::run::{Run, Step};
use std::io::{self, Write};
use thread_mqtt_client::Event;
use thread_mqtt_session::{Event as Mqtt, Message};

pub(crate) fn subscribe(arguments: &SubArguments) -> Result<(), Failure> {
    let mut run = Run::start(&arguments.common, false)?;
    let filters: Vec<_> = arguments
        .topic
        .iter()
        .map(|topic| (topic.as_str(), arguments.qos))
        .collect();
    run.client().subscribe(&filters).map_err(Failure::usage)?;

    let mut missing = arguments.count;
    while missing != Some(0) {
        match run.step()? {
            Step::Event(Event::Session(Mqtt::Message(message))) => {
                print(&message, arguments)?;
                missing = missing.map(|missing| missing - 1);
            }
            Step::Event(Event::Session(Mqtt::Subscribed(_, results))) => {
                let mut results = results.iter().zip(&arguments.topic);
                let refused = results.find_map(|(result, topic)| Some((result.err()?, topic)));
                if let Some((reason, topic)) = refused {
                    let failure = Failure::new(
                        Status::Message,
                        format_args!("the broker refused the subscription to {topic}: {reason}"),
                    );
                    run.stop()?;
                    return Err(failure);
                }
            }
            Step::Event(Event::Session(Mqtt::SubscriptionLost { filter, reason })) => {
                return Err(Failure::new(
                    Status::Message,
                    format_args!(
                        "the broker refused to renew the subscription to {filter}: {reason}"
                    ),
                ));
            }
            Step::Event(_) | Step::Woken => {}
            Step::Interrupted => break,
        }
    }
    run.stop()
}

fn print(message: &Message, arguments: &SubArguments) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if arguments.verbose {
        write!(out, "{} ", message.topic)?;
    }
    out.write_all(&message.payload)?;
    if !arguments.no_newline {
        out.write_all(b"\n")?;
    }
    out.flush()
}
