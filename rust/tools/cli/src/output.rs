//! What a command prints: what was asked for on the standard output, and everything else on the
//! standard error.
use crate::exit::{Failure, Status};
use std::fmt;
use std::io::{self, ErrorKind, Write};

/// Writes a line to the standard error. That may be closed or full, which changes nothing about how the
/// command ends.
macro_rules! tell {
    ($($text:tt)*) => {
        $crate::output::say(format_args!("{}\n", format_args!($($text)*)))
    };
}
pub(crate) use tell;

/// Writes to the standard error, if that takes it.
pub(crate) fn say(text: fmt::Arguments<'_>) {
    let _ = io::stderr().lock().write_fmt(text);
}

/// Writes to the standard output.
pub(crate) fn print(text: fmt::Arguments<'_>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_fmt(text)?;
    out.flush()
}

/// What a failure to write to the standard output means: a reader that has enough, as with `| head -1`,
/// ends the command quietly.
pub(crate) fn failed(error: &io::Error) -> Result<(), Failure> {
    match error.kind() {
        ErrorKind::BrokenPipe => Ok(()),
        kind => {
            let failure = Failure::new(
                Status::Input,
                format_args!("writing to the standard output failed: {error}"),
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

    /// Nothing can be written any more.
    pub(crate) fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    /// Whether all was written, if that is not to be passed over.
    pub(crate) fn end(&self) -> Result<(), Failure> {
        self.failure.as_ref().map_or(Ok(()), failed)
    }
}
