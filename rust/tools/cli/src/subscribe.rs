//! `thread-mqtt sub`
use crate::args::{SubArguments, SubscriptionArguments};
use crate::exit::{Failure, Status};
use crate::format::format;
use crate::run::{Run, Step};
use std::io::{self, ErrorKind, Write};
use thread_mqtt_client::Event;
use thread_mqtt_session::{Event as Mqtt, Message, Token};

/// Filters in one SUBSCRIBE: some brokers end the connection at a ninth.
const FILTERS: usize = 8;

pub(crate) fn subscribe(arguments: &SubArguments) -> Result<(), Failure> {
    let mut run = Run::start(&arguments.common, &arguments.session, false)?;
    let wanted = &arguments.subscription;
    let mut requests: Vec<(Token, &[String])> = Vec::new();
    for topics in wanted.topic.chunks(FILTERS) {
        let filters: Vec<_> = topics
            .iter()
            .map(|topic| (topic.as_str(), wanted.qos))
            .collect();
        let token = run.client().subscribe(&filters).map_err(Failure::usage)?;
        requests.push((token, topics));
    }

    let mut missing = wanted.count;
    while missing != Some(0) {
        match run.step()? {
            Step::Event(Event::Session(Mqtt::Message(message))) => {
                match print(&message, wanted) {
                    Ok(()) => {}
                    // The reader has what it wanted: as with `| head -1`.
                    Err(error) if error.kind() == ErrorKind::BrokenPipe => break,
                    Err(error) => {
                        run.stop();
                        return Err(error.into());
                    }
                }
                missing = missing.map(|missing| missing - 1);
            }
            Step::Event(Event::Session(Mqtt::Subscribed(token, results))) => {
                let topics = requests.iter().find(|(of, _)| *of == token);
                let topics = topics.map_or(&[][..], |(_, topics)| topics);
                let mut results = results.iter().zip(topics);
                let refused = results.find_map(|(result, topic)| Some((result.err()?, topic)));
                if let Some((reason, topic)) = refused {
                    run.stop();
                    return Err(Failure::new(
                        Status::Message,
                        format_args!("the broker refused the subscription to {topic}: {reason}"),
                    ));
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
                let failure = run.timed_out();
                run.stop();
                return Err(failure);
            }
        }
    }
    run.stop();
    Ok(())
}

fn print(message: &Message, arguments: &SubscriptionArguments) -> io::Result<()> {
    let mut line = match &arguments.format {
        Some(wanted) => format(wanted, message),
        None if arguments.verbose => [message.topic.as_bytes(), b" ", &message.payload].concat(),
        None => message.payload.clone(),
    };
    if !arguments.no_newline {
        line.push(b'\n');
    }
    let mut out = io::stdout().lock();
    out.write_all(&line)?;
    out.flush()
}
