//! `thread-mqtt pub`
use crate::args::{MqttVersion, PayloadFormat, PubArguments};
use crate::check;
use crate::exit::{Failure, Status};
use crate::input::{self, Input, LargeFile, Next};
use crate::run::{Run, Step, Waits};
use crate::setup::Inbound;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};
use thread_mqtt_client::Event;
use thread_mqtt_session::{
    CommandError, Event as Mqtt, Message, Pieces, Properties, PublishError, PublishOptions, QoS,
    StoreError,
};

/// Number of bytes of a large file read at once.
const PIECE: u32 = 64 << 10;

/// How long to wait after a failure for input that can still be stored.
const INPUT: Duration = Duration::from_secs(1);

pub(crate) fn publish(arguments: &PubArguments) -> Result<(), Failure> {
    check(arguments)?;
    let mut run = Run::start(
        &arguments.common,
        &arguments.session,
        arguments.verbose,
        Inbound::Left,
    )?;
    let published = publish_all(&mut run, arguments);
    let waiting = run.stored();
    let published = run.finish(published);
    match &arguments.session.directory {
        // QoS 0 messages are not stored.
        Some(directory) if waiting > 0 && arguments.message.qos != QoS::AtMostOnce => {
            let (verb, they) = match waiting {
                1 => ("1 message is stored", "it"),
                _ => (&*format!("{waiting} messages are stored"), "them"),
            };
            let directory = directory.display();
            published.map_err(|failure| {
                failure.kept(format_args!(
                    "{verb} in --session {directory}; the next pub with that directory sends {they}"
                ))
            })
        }
        _ => published,
    }
}

/// Refuses what is invalid whatever the broker is.
fn check(arguments: &PubArguments) -> Result<(), Failure> {
    let message = &arguments.message;
    check::topic_name("--topic", &message.topic)?;
    check::properties("", &message.properties)?;
    input::check(&arguments.payload)?;
    match &arguments.payload.message {
        Some(payload) => check_format(payload.as_bytes(), Status::Usage, arguments),
        None => Ok(()),
    }
}

/// Refuses a payload that does not match `--payload-format`: a broker may close the connection.
fn check_format(payload: &[u8], status: Status, arguments: &PubArguments) -> Result<(), Failure> {
    let format = arguments.message.properties.payload_format;
    match std::str::from_utf8(payload) {
        Err(error) if format == Some(PayloadFormat::Utf8) => Err(Failure::new(
            status,
            format_args!(
                "the message is not valid UTF-8 from byte {} on, but --payload-format is utf8",
                error.valid_up_to()
            ),
        )
        .cure("leave --payload-format out, or set it to bytes")),
        _ => Ok(()),
    }
}

/// The input being published.
struct Work<'a> {
    arguments: &'a PubArguments,
    properties: Option<Properties>,
    input: Input,
    /// A message that does not fit into the outbox yet.
    held: Option<Message>,
    /// Number of input messages that the outbox has taken.
    taken: usize,
    at_end: bool,
    /// Messages in flight, including those of earlier commands with --session.
    queued: usize,
    /// Number of messages that this command has queued.
    all: usize,
    large: Option<LargeFile>,
    options: PublishOptions,
}

fn publish_all(run: &mut Run<'_>, arguments: &PubArguments) -> Result<(), Failure> {
    // Messages in a stored session are stored as a whole.
    let is_kept = arguments.session.directory.is_some();
    let large = (!is_kept).then_some(arguments.common.mqtt.max_packet);
    let mut work = Work {
        arguments,
        properties: arguments.message.properties.properties(),
        input: Input::open(&arguments.payload, large, run.waker())?,
        held: None,
        taken: 0,
        at_end: false,
        queued: run.stored(),
        all: 0,
        large: None,
        options: PublishOptions {
            durable: is_kept.then_some(true),
            ..PublishOptions::default()
        },
    };
    let published = work.publish(run);
    // QoS 0 messages are not kept for the next run.
    if !is_kept || arguments.message.qos == QoS::AtMostOnce {
        return published;
    }
    published.map_err(|failure| {
        let failure = match failure.is_of_the_connection() {
            // Another program may only just have started to write.
            true => work.take(run, INPUT).err().unwrap_or(failure),
            false => failure,
        };
        failure.not_kept(work.rest())
    })
}

impl Work<'_> {
    fn publish(&mut self, run: &mut Run<'_>) -> Result<(), Failure> {
        // QoS 0 has no acknowledgement.
        let is_sent_once = self.queued == 0 && self.arguments.message.qos == QoS::AtMostOnce;
        let left = |queued| left(queued, is_sent_once);
        let (mut refused, mut failed) = (None, 0);
        loop {
            self.take(run, Duration::ZERO)?;
            if self.at_end && self.queued == 0 {
                let all = self.all;
                return match refused {
                    None => Ok(()),
                    Some(one) if all == 1 => Err(one),
                    Some(last) => Err(last.of_several(failed, all)),
                };
            }
            match run.step()? {
                Step::Event(Event::Session(Mqtt::Published(_))) => {
                    self.queued = self.queued.saturating_sub(1);
                }
                Step::Event(Event::Session(Mqtt::PublishFailed(token, error))) => {
                    self.queued = self.queued.saturating_sub(1);
                    // Already reported.
                    if token.is_restored() {
                        continue;
                    }
                    let failure = match error {
                        PublishError::NotStored(error) => run.storage(error),
                        error => Failure::new(Status::Message, error),
                    };
                    failed += 1;
                    refused = Some(failure.said(run.said(Some(token))));
                }
                Step::Event(Event::Session(Mqtt::PieceWanted {
                    token,
                    offset,
                    length,
                })) => {
                    let Some(file) = &mut self.large else {
                        continue;
                    };
                    let piece = file.read(offset, length)?;
                    // A lost connection may have made it obsolete: it is requested again.
                    let _ = run.client().supply(token, offset, piece);
                }
                Step::Event(_) | Step::Woken => {}
                Step::Interrupted => {
                    return Err(Failure::new(
                        Status::Interrupted,
                        format_args!("interrupted {}", left(self.queued)),
                    ));
                }
                Step::TimedOut => {
                    return Err(match self.queued {
                        0 => run.timed_out(Waits::Input),
                        queued => run.timed_out(Waits::Messages(left(queued))),
                    });
                }
            }
        }
    }

    /// Queues the input that is available, and what arrives within `limit`, as long as the outbox
    /// has room.
    fn take(&mut self, run: &mut Run<'_>, limit: Duration) -> Result<(), Failure> {
        let until = Instant::now() + limit;
        while !self.at_end {
            let message = match self.held.take() {
                Some(message) => message,
                None => {
                    let left = until.saturating_duration_since(Instant::now());
                    match self.input.next_within(left)? {
                        Next::Payload(payload) => {
                            check_format(&payload, Status::Input, self.arguments)?;
                            self.message(payload)
                        }
                        Next::Large(file) => {
                            begin(run, self.message(Vec::new()), &file)?;
                            self.queued += 1;
                            self.all += 1;
                            self.large = Some(file);
                            continue;
                        }
                        Next::Later => break,
                        Next::End => {
                            self.at_end = true;
                            break;
                        }
                    }
                }
            };
            match run.client().publish_with(message.clone(), self.options) {
                Ok(_) => {
                    self.taken += 1;
                    self.queued += 1;
                    self.all += 1;
                }
                Err(CommandError::Full) => {
                    self.held = Some(message);
                    break;
                }
                // Earlier stored messages must be sent first, which makes room.
                Err(CommandError::NotStored(StoreError::Full)) if self.queued > 0 => {
                    self.held = Some(message);
                    break;
                }
                // The storage could not be read. The event that says why is the next one.
                Err(CommandError::NotStored(StoreError::Unavailable)) => {
                    self.held = Some(message);
                    break;
                }
                Err(CommandError::NotStored(error)) => return Err(run.storage(error)),
                // After a fallback, which drops the properties of waiting messages.
                Err(CommandError::PropertiesNeedV5) if self.may_strip(&message) => {
                    run.tell_stripped();
                    let properties = None;
                    self.held = Some(Message {
                        properties,
                        ..message
                    });
                }
                Err(error) => return Err(Failure::usage(error)),
            }
        }
        Ok(())
    }

    fn may_strip(&self, message: &Message) -> bool {
        message.properties.is_some() && self.arguments.common.mqtt.version == MqttVersion::V5
    }

    /// Describes the input that was not taken.
    fn rest(&self) -> Option<String> {
        let all = self.at_end && self.held.is_none();
        (!all).then(|| match self.taken {
            _ if !self.arguments.payload.stdin_line => "the message".to_owned(),
            0 => "the input".to_owned(),
            taken => format!("the input from line {} on", taken + 1),
        })
    }

    fn message(&self, payload: Vec<u8>) -> Message {
        let wanted = &self.arguments.message;
        Message {
            properties: self.properties.clone().map(Box::new),
            ..Message::new(wanted.topic.as_str(), payload)
                .qos(wanted.qos)
                .retain(wanted.retain)
        }
    }
}

/// Queues a message whose payload is a large file.
fn begin(run: &mut Run<'_>, message: Message, file: &LargeFile) -> Result<(), Failure> {
    let pieces = Pieces {
        total: file.length,
        piece: PIECE,
    };
    let options = PublishOptions::default();
    let begun = run.client().publish_in_pieces(message, pieces, options);
    begun.map(drop).map_err(Failure::usage)
}

/// Describes what is missing for this many messages.
fn left(queued: usize, is_sent_once: bool) -> String {
    let missing = match is_sent_once {
        true => "sent",
        false => "acknowledged",
    };
    match queued {
        0 => "while waiting for more input".to_owned(),
        1 => format!("with 1 message not {missing}"),
        _ => format!("with {queued} messages not {missing}"),
    }
}
