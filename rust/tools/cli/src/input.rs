//! The messages to publish: one, or one for each line of the standard input.
use crate::args::PayloadArguments;
use crate::exit::Failure;
use crate::trust::read;
use std::io::{self, BufRead, Read};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread;
use thread_mqtt_host::Waker;

pub(crate) enum Input {
    /// One payload, until it is taken.
    One(Option<Vec<u8>>),
    /// Lines, read by a thread of their own.
    Lines(Receiver<io::Result<Vec<u8>>>),
}

/// What there is to publish now.
pub(crate) enum Next {
    Payload(Vec<u8>),
    Later,
    End,
}

impl Input {
    pub(crate) fn open(arguments: &PayloadArguments, waker: Waker) -> Result<Self, Failure> {
        let one = |payload| Ok(Self::One(Some(payload)));
        if let Some(message) = &arguments.message {
            one(message.clone().into_bytes())
        } else if let Some(path) = &arguments.file {
            one(read(path, "--file")?)
        } else if arguments.stdin_file {
            let mut payload = Vec::new();
            io::stdin().read_to_end(&mut payload)?;
            one(payload)
        } else if arguments.stdin_line {
            Ok(Self::Lines(lines(waker)?))
        } else {
            one(Vec::new())
        }
    }

    pub(crate) fn next(&mut self) -> Result<Next, Failure> {
        match self {
            Self::One(payload) => Ok(payload.take().map_or(Next::End, Next::Payload)),
            Self::Lines(lines) => match lines.try_recv() {
                Ok(line) => Ok(Next::Payload(line?)),
                Err(TryRecvError::Empty) => Ok(Next::Later),
                Err(TryRecvError::Disconnected) => Ok(Next::End),
            },
        }
    }
}

/// Reads lines as fast as they are published, and wakes the client for each.
fn lines(waker: Waker) -> io::Result<Receiver<io::Result<Vec<u8>>>> {
    let (sender, receiver) = sync_channel(16);
    thread::Builder::new()
        .name("stdin".to_owned())
        .spawn(move || {
            // As mosquitto_pub has it: an empty line is an empty message, and a CR belongs to one.
            for line in io::stdin().lock().split(b'\n') {
                let sent = sender.send(line);
                waker.wake();
                if sent.is_err() {
                    break;
                }
            }
            drop(sender);
            waker.wake();
        })?;
    Ok(receiver)
}
