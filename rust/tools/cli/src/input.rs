//! The messages to publish: one, or one for each line of the standard input. A large file is not read
//! into memory, but piece by piece as it is sent.
use crate::args::PayloadArguments;
use crate::exit::Failure;
use crate::trust::read;
use std::fs::{self, File};
use std::io::{self, BufRead, Read, Seek, SeekFrom};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread;
use thread_mqtt_host::Waker;

pub(crate) enum Input {
    /// One payload, until it is taken.
    One(Option<Vec<u8>>),
    /// A large file, until it is taken.
    Large(Option<LargeFile>),
    /// Lines, read by a thread of their own.
    Lines(Receiver<io::Result<Vec<u8>>>),
}

/// What there is to publish now.
pub(crate) enum Next {
    Payload(Vec<u8>),
    Large(LargeFile),
    Later,
    End,
}

impl Input {
    /// A file above `large` bytes is not read yet; `None`: all are.
    pub(crate) fn open(
        arguments: &PayloadArguments,
        large: Option<u32>,
        waker: Waker,
    ) -> Result<Self, Failure> {
        let one = |payload| Ok(Self::One(Some(payload)));
        if let Some(message) = &arguments.message {
            one(message.clone().into_vec())
        } else if let Some(path) = &arguments.file {
            match LargeFile::open(path, large)? {
                Some(file) => Ok(Self::Large(Some(file))),
                None => one(read(path, "--file")?),
            }
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
            Self::Large(file) => Ok(file.take().map_or(Next::End, Next::Large)),
            Self::Lines(lines) => match lines.try_recv() {
                Ok(line) => Ok(Next::Payload(line?)),
                Err(TryRecvError::Empty) => Ok(Next::Later),
                Err(TryRecvError::Disconnected) => Ok(Next::End),
            },
        }
    }
}

/// Bytes of the longest packet behind its fixed header (section 2.1.4 of MQTT 5), its topic included.
const LONGEST: u32 = 268_435_455;

/// A file that is published in pieces.
#[derive(Debug)]
pub(crate) struct LargeFile {
    file: File,
    path: PathBuf,
    pub(crate) length: u32,
}

impl LargeFile {
    /// Of a regular file above so many bytes; what else is wrong with it shows when it is read. What is
    /// not regular is not opened here: a pipe has one reader.
    fn open(path: &PathBuf, large: Option<u32>) -> Result<Option<Self>, Failure> {
        let Some(metadata) = fs::metadata(path).ok().filter(fs::Metadata::is_file) else {
            return Ok(None);
        };
        let length = metadata.len();
        let Some(length) = u32::try_from(length)
            .ok()
            .filter(|length| *length <= LONGEST)
        else {
            return Err(Failure::usage(format_args!(
                "the file {} given by --file has {length} bytes, and an MQTT message at most {LONGEST}",
                path.display()
            ))
            .cure("publish it in parts"));
        };
        let file = match large {
            Some(large) if length > large => File::open(path).ok(),
            _ => None,
        };
        Ok(file.map(|file| Self {
            file,
            path: path.clone(),
            length,
        }))
    }

    /// The bytes from `offset` on.
    pub(crate) fn read(&mut self, offset: u32, length: u32) -> Result<Vec<u8>, Failure> {
        let mut piece = vec![0; length as usize];
        let mut read = || {
            self.file.seek(SeekFrom::Start(offset.into()))?;
            self.file.read_exact(&mut piece)
        };
        match read() {
            Ok(()) => Ok(piece),
            Err(error) => Err(Failure::usage(format_args!(
                "--file: {} cannot be read any more: {error}",
                self.path.display()
            ))),
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
