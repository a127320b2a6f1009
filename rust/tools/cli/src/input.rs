//! The messages to publish: one, or one per line of the standard input. A large file is not read
//! into memory, but in pieces as it is sent. A separate thread reads from other programs, so that
//! the client keeps running and can time out.
use crate::args::PayloadArguments;
use crate::exit::{Failure, Status};
use crate::trust::read_within;
use std::fmt::Display;
use std::fs::{self, File};
use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;
use thread_mqtt_host::Waker;

pub(crate) enum Input {
    /// A single payload, until it is taken.
    One(Option<Vec<u8>>),
    /// A large file, until it is taken.
    Large(Option<LargeFile>),
    /// One or more payloads that another program writes.
    Coming(Receiver<Result<Vec<u8>, Failure>>),
}

/// The next input to publish.
pub(crate) enum Next {
    Payload(Vec<u8>),
    Large(LargeFile),
    Later,
    End,
}

impl Input {
    /// Opens the input. Does not read a file larger than `large` bytes yet; `None` reads all.
    /// Starts to read a pipe.
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
                None if is_from_a_program(path) => {
                    let path = path.clone();
                    let whole = move || std::iter::once(read_file(&path));
                    Ok(Self::Coming(coming(waker, whole)?))
                }
                None => one(read_file(path)?),
            }
        } else if arguments.stdin_file {
            Ok(Self::Coming(coming(waker, || {
                std::iter::once(whole_stdin())
            })?))
        } else if arguments.stdin_line {
            // As in mosquitto_pub, an empty line is an empty message, and a CR is part of the
            // message.
            let lines = || {
                let mut input = io::stdin().lock();
                std::iter::from_fn(move || line(&mut input).transpose())
            };
            Ok(Self::Coming(coming(waker, lines)?))
        } else {
            one(Vec::new())
        }
    }

    /// Returns what arrives within this time.
    pub(crate) fn next_within(&mut self, limit: Duration) -> Result<Next, Failure> {
        match self {
            Self::One(payload) => Ok(payload.take().map_or(Next::End, Next::Payload)),
            Self::Large(file) => Ok(file.take().map_or(Next::End, Next::Large)),
            Self::Coming(payloads) => match payloads.recv_timeout(limit) {
                Ok(payload) => Ok(Next::Payload(payload?)),
                Err(RecvTimeoutError::Timeout) => Ok(Next::Later),
                Err(RecvTimeoutError::Disconnected) => Ok(Next::End),
            },
        }
    }
}

/// Length of the longest packet after its fixed header (section 2.1.4 of MQTT 5), topic included.
const LONGEST: u32 = 268_435_455;

/// A file that is published in pieces.
#[derive(Debug)]
pub(crate) struct LargeFile {
    file: File,
    path: PathBuf,
    pub(crate) length: u32,
}

impl LargeFile {
    /// Opens a regular file larger than `large` bytes. Other errors show when it is read. Does not
    /// open anything but regular files, because a pipe has only one reader.
    fn open(path: &PathBuf, large: Option<u32>) -> Result<Option<Self>, Failure> {
        let Some(metadata) = fs::metadata(path).ok().filter(fs::Metadata::is_file) else {
            return Ok(None);
        };
        let length = metadata.len();
        let Some(length) = u32::try_from(length)
            .ok()
            .filter(|length| *length <= LONGEST)
        else {
            let file = format_args!("the file {} given by --file", path.display());
            return Err(too_long(file, length).status(Status::Usage));
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

    /// Returns the bytes from `offset` on.
    pub(crate) fn read(&mut self, offset: u32, length: u32) -> Result<Vec<u8>, Failure> {
        let mut piece = vec![0; length as usize];
        let mut read = || {
            self.file.seek(SeekFrom::Start(offset.into()))?;
            self.file.read_exact(&mut piece)
        };
        match read() {
            Ok(()) => Ok(piece),
            Err(error) => Err(Failure::new(
                Status::Input,
                format_args!(
                    "--file: {} can no longer be read: {error}",
                    self.path.display()
                ),
            )),
        }
    }
}

/// Reads the file with the input, as opposed to other files named by options.
fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    let payload = read_within(path, "--file", LONGEST.into());
    let payload = payload.map_err(|failure| failure.status(Status::Input))?;
    let file = format_args!("the file {} given by --file", path.display());
    payload.ok_or_else(|| too_long(file, MORE))
}

/// For input whose length is not known.
const MORE: &str = "over 268435455";

fn too_long(what: impl Display, length: impl Display) -> Failure {
    let cause = format!("{what} has {length} bytes, but an MQTT message is limited to {LONGEST}");
    Failure::new(Status::Input, cause).cure("publish it in parts")
}

/// Refuses to read a closed standard input. The runtime opens /dev/null in its place, for reading
/// and writing, and reading it would publish an empty message. With `</dev/null` it is open for
/// reading only.
pub(crate) fn check(arguments: &PayloadArguments) -> Result<(), Failure> {
    const STANDARD: [&str; 3] = ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"];
    let file = arguments.file.as_deref();
    let is_read = arguments.stdin_file
        || arguments.stdin_line
        || file.is_some_and(|path| STANDARD.iter().any(|name| path == Path::new(name)));
    match is_read && is_closed().unwrap_or(false) {
        true => Err(Failure::new(
            Status::Input,
            "the message should come from standard input, but that is closed",
        )
        .cure("connect a file or a pipe to it, or publish an empty message with -n")),
        false => Ok(()),
    }
}

fn is_closed() -> io::Result<bool> {
    let input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let is_null = input.metadata()?.rdev() == fs::metadata("/dev/null")?.rdev();
    // Writes no bytes, which fails if it is open for reading only.
    Ok(is_null && (&input).write(&[]).is_ok())
}

/// Returns whether this is a pipe, terminal or socket, which may not end soon.
fn is_from_a_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

fn whole_stdin() -> Result<Vec<u8>, Failure> {
    let mut payload = Vec::new();
    let input = io::stdin().lock();
    input
        .take(MOST_READ)
        .read_to_end(&mut payload)
        .map_err(|error| unreadable(&error))?;
    within(payload, "standard input")
}

fn unreadable(error: &io::Error) -> Failure {
    let cause = format_args!("standard input cannot be read: {error}");
    Failure::new(Status::Input, cause).cure("connect a file or a pipe to it")
}

/// Returns the next line, without its line ending.
fn line(input: &mut impl BufRead) -> Result<Option<Vec<u8>>, Failure> {
    let mut line = Vec::new();
    let read = input.take(MOST_READ).read_until(b'\n', &mut line);
    if read.map_err(|error| unreadable(&error))? == 0 {
        return Ok(None);
    }
    line.pop_if(|last| *last == b'\n');
    within(line, "a line of standard input").map(Some)
}

/// Number of bytes after which input is known to be too long.
const MOST_READ: u64 = LONGEST as u64 + 1;

fn within(payload: Vec<u8>, what: &str) -> Result<Vec<u8>, Failure> {
    match payload.len() > LONGEST as usize {
        true => Err(too_long(what, MORE)),
        false => Ok(payload),
    }
}

/// Reads payloads as fast as they are published, and wakes the client for each.
fn coming<I: Iterator<Item = Result<Vec<u8>, Failure>>>(
    waker: Waker,
    payloads: impl FnOnce() -> I + Send + 'static,
) -> io::Result<Receiver<Result<Vec<u8>, Failure>>> {
    let (sender, receiver) = sync_channel(16);
    thread::Builder::new()
        .name("input".to_owned())
        .spawn(move || {
            for payload in payloads() {
                let is_last = payload.is_err();
                let sent = sender.send(payload);
                waker.wake();
                if is_last || sent.is_err() {
                    break;
                }
            }
            drop(sender);
            waker.wake();
        })?;
    Ok(receiver)
}
