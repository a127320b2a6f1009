//! What a command prints: the requested output on the standard output, everything else on the
//! standard error.
use crate::exit::{Failure, Status};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;

/// Writes a line to the standard error. If that is closed or full, the command ends the same way as
/// otherwise.
macro_rules! tell {
    ($($text:tt)*) => {
        $crate::output::say(format_args!("{}\n", format_args!($($text)*)))
    };
}
pub(crate) use tell;

/// Writes to the standard error, if possible.
pub(crate) fn say(text: fmt::Arguments<'_>) {
    let _ = io::stderr().lock().write_fmt(text);
}

/// Writes to the standard output.
pub(crate) fn print(text: fmt::Arguments<'_>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_fmt(text)?;
    out.flush()
}

/// Number of bytes that a pipe accepts without waiting once it accepts any.
const AT_ONCE: usize = 4096;

/// How often to check for the end while the standard output is blocked, in ms.
const PAUSE: u8 = 100;

/// Writes bytes to the standard output. If it is blocked, such as a pipe that is not read, stops
/// when `is_over` returns true, and then returns false.
pub(crate) fn write(bytes: &[u8], is_over: impl Fn() -> bool) -> io::Result<bool> {
    let out = io::stdout().lock();
    // Bypasses the buffer, which may be written at another time.
    let mut file = File::from(out.as_fd().try_clone_to_owned()?);
    let mut left = bytes;
    while !left.is_empty() {
        match poll(&mut [PollFd::new(file.as_fd(), PollFlags::POLLOUT)], PAUSE) {
            Ok(0) if is_over() => return Ok(false),
            Ok(0) | Err(Errno::EINTR) => continue,
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        match file.write(left.get(..AT_ONCE).unwrap_or(left)) {
            Ok(n) => left = left.get(n..).unwrap_or_default(),
            // Another process has made it non-blocking, and has filled it since.
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// Handles a failure to write to the standard output. If the reader has closed the pipe, as with `|
/// head -1`, the command ends quietly.
pub(crate) fn failed(error: &io::Error) -> Result<(), Failure> {
    match error.kind() {
        ErrorKind::BrokenPipe => Ok(()),
        kind => {
            let failure = Failure::new(
                Status::Input,
                format_args!("writing to standard output failed: {error}"),
            );
            Err(match kind {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                    failure.cure("free space where the output goes, or send it elsewhere")
                }
                _ => failure,
            })
        }
    }
}

/// Lines on the standard output, up to the first that cannot be written.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    failure: Option<io::Error>,
}

impl Lines {
    pub(crate) fn line(&mut self, line: fmt::Arguments<'_>) {
        if self.failure.is_none() {
            self.failure = print(format_args!("{line}\n")).err();
        }
    }

    /// Returns whether writing has failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    /// Returns the write error, unless it can be ignored.
    pub(crate) fn end(&self) -> Result<(), Failure> {
        self.failure.as_ref().map_or(Ok(()), failed)
    }
}
