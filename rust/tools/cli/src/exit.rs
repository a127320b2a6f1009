//! How a command ends: exit status, cause and cure.
use std::fmt;
use std::io;
use std::process::ExitCode;
use std::time::Duration;
use thread_mqtt_client::{Cause, Stage};

/// The exit status, one per stage. [`HELP`] describes them to the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Status {
    Input = 1,
    Usage = 2,
    Attach = 3,
    Prefix = 4,
    Resolve = 5,
    Tcp = 6,
    Tls = 7,
    Mqtt = 8,
    Message = 9,
    TimedOut = 10,
    /// 128 plus the number of SIGINT, as in shells.
    Interrupted = thread_mqtt_signals::STATUS,
}

/// The list of exit statuses, for `--help`.
pub(crate) const HELP: &str = "\
Exit status:
   0  success
   1  could not read input, write output or store the session
   2  usage error: an option, the broker's URI, a certificate file, a password or a key
   3  the network is not attached
   4  no NAT64 prefix is known
   5  the broker's name could not be resolved
   6  TCP could not connect, or the connection was lost
   7  TLS failed: the certificate, version or suite
   8  MQTT failed: the broker refused the client or violated the protocol
   9  a message or a subscription was refused
  10  timed out: the time given with --timeout expired
 130  pub was interrupted (Ctrl-C) before it finished; an interrupted sub exits with 0";

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct Failure {
    status: Status,
    cause: String,
    cure: Option<String>,
    /// The broker's text (Reason String of MQTT 5).
    said: Option<Box<str>>,
    /// What is kept despite the failure.
    kept: Option<Box<str>>,
    /// What is lost because of it.
    not_kept: Option<Box<str>>,
    /// Earlier failures at other brokers.
    before: Box<[String]>,
    is_shown: bool,
}

impl Failure {
    pub(crate) fn new(status: Status, cause: impl fmt::Display) -> Self {
        Self {
            status,
            cause: cause.to_string(),
            cure: None,
            said: None,
            kept: None,
            not_kept: None,
            before: Box::default(),
            is_shown: false,
        }
    }

    /// Marks the failure as already printed, so that only the exit status is left to report.
    pub(crate) fn shown(self) -> Self {
        Self {
            is_shown: true,
            ..self
        }
    }

    pub(crate) fn cure(self, cure: impl fmt::Display) -> Self {
        self.cure_if_any(Some(cure.to_string()))
    }

    pub(crate) fn cure_if_any(self, cure: Option<String>) -> Self {
        Self { cure, ..self }
    }

    /// Adds what the broker said about it, if anything.
    pub(crate) fn said(self, said: Option<String>) -> Self {
        let said = said.map(String::into_boxed_str);
        Self { said, ..self }
    }

    /// Adds earlier failures at other brokers.
    pub(crate) fn before(self, before: &[String]) -> Self {
        Self {
            before: before.into(),
            ..self
        }
    }

    /// Replaces the exit status.
    pub(crate) fn status(self, status: Status) -> Self {
        Self { status, ..self }
    }

    /// Describes the last of several failed messages.
    pub(crate) fn of_several(self, failed: usize, all: usize) -> Self {
        let cause = format!(
            "{failed} of {all} messages failed, the last one: {}",
            self.cause
        );
        Self { cause, ..self }
    }

    pub(crate) fn cause(&self) -> &str {
        &self.cause
    }

    /// Adds what is stored for the next run, unless the command line is at fault.
    pub(crate) fn kept(self, kept: impl fmt::Display) -> Self {
        Self {
            kept: (!self.is_usage()).then(|| kept.to_string().into()),
            ..self
        }
    }

    /// Adds what is not stored for the next run.
    pub(crate) fn not_kept(self, not_kept: Option<String>) -> Self {
        let not_kept = not_kept.map(String::into_boxed_str);
        Self { not_kept, ..self }
    }

    fn is_usage(&self) -> bool {
        self.status == Status::Usage
    }

    /// Returns whether the broker was not reached.
    pub(crate) fn is_of_the_connection(&self) -> bool {
        use Status::{Attach, Mqtt, Prefix, Resolve, Tcp, Tls};
        matches!(self.status, Attach | Prefix | Resolve | Tcp | Tls | Mqtt)
    }

    pub(crate) fn usage(cause: impl fmt::Display) -> Self {
        Self::new(Status::Usage, cause)
    }

    /// `--timeout` has expired; `doing` says where.
    pub(crate) fn timed_out(after: Duration, doing: impl fmt::Display) -> Self {
        let seconds = after.as_secs_f64();
        Self::new(
            Status::TimedOut,
            format_args!("timed out after {seconds} s {doing}"),
        )
    }

    /// Describes what the client failed at, and at which broker.
    pub(crate) fn of_stage(broker: impl fmt::Display, stage: Stage, cause: &Cause) -> Self {
        let status = match stage {
            Stage::Attach => Status::Attach,
            Stage::Prefix => Status::Prefix,
            Stage::Resolve => Status::Resolve,
            Stage::Tcp => Status::Tcp,
            // Without the time, certificates cannot be checked.
            Stage::Time | Stage::Tls => Status::Tls,
            // An accepted connection that ends counts as a TCP failure.
            Stage::Mqtt => match cause {
                Cause::Tcp(_) => Status::Tcp,
                _ => Status::Mqtt,
            },
        };
        Self::new(status, format_args!("{broker}: {stage} failed: {cause}"))
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.status as u8)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new(
            Status::Input,
            format_args!("reading or writing failed: {error}"),
        )
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_shown {
            return Ok(());
        }
        writeln!(f, "thread-mqtt: {}", Sentence(&self.cause))?;
        for before in &self.before {
            writeln!(f, "  Earlier: {}", Sentence(before))?;
        }
        if let Some(said) = &self.said {
            writeln!(f, "  The broker says: {said:?}")?;
        }
        if let Some(cure) = &self.cure {
            writeln!(f, "  What to do: {}", Sentence(cure))?;
        }
        if let Some(kept) = &self.kept {
            writeln!(f, "  Kept: {}", Sentence(kept))?;
        }
        match &self.not_kept {
            Some(not_kept) => writeln!(f, "  Not kept: {}", Sentence(not_kept)),
            None => Ok(()),
        }
    }
}

/// A clause, with a full stop added unless it already ends a sentence.
struct Sentence<'a>(&'a str);

impl fmt::Display for Sentence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)?;
        match self.0.ends_with(['.', '!', '?']) {
            true => Ok(()),
            false => f.write_str("."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_ends_once() {
        let failure = Failure::usage("is it a broker?").cure("look there.");
        let text = failure.to_string();
        assert_eq!(
            text,
            "thread-mqtt: is it a broker?\n  What to do: look there.\n"
        );
        assert_eq!(Failure::usage("no").to_string(), "thread-mqtt: no.\n");
        let said = Failure::usage("no").said(Some("\u{1b}[2J\n".to_owned()));
        assert_eq!(
            said.to_string(),
            "thread-mqtt: no.\n  The broker says: \"\\u{1b}[2J\\n\"\n"
        );
        assert_eq!(failure.shown().to_string(), "");
    }
}
