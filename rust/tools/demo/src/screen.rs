//! The timeline for a person at a terminal.
use crate::options::Options;
use crate::run::{Observer, Outcome};
use crate::timeline::{Mark, Stage};
use anstream::AutoStream;
use anstyle::{AnsiColor, Style};
use std::io::{self, IsTerminal, Stderr, Stdout, Write};
use std::time::{Duration, Instant};
use thread_mqtt_resolve::BrokerUri;
use thread_mqtt_session::Message;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const NAME: Style = AnsiColor::Cyan.on_default();

/// Messages shown individually; beyond this, only their number is shown.
const SHOWN: u32 = 10;

/// Writes to the standard output, in colour only on a terminal and unless `NO_COLOR` is set.
/// Progress goes to the standard error if that is a terminal.
pub struct Screen<'a> {
    options: &'a Options,
    out: AutoStream<Stdout>,
    progress: Option<Progress>,
    began: Instant,
    received: u32,
    unwritten: Option<io::Error>,
}

impl<'a> Screen<'a> {
    /// Creates a screen for a run with these options.
    pub fn new(options: &'a Options) -> Self {
        Self {
            options,
            out: anstream::stdout(),
            progress: Progress::new(),
            began: Instant::now(),
            received: 0,
            unwritten: None,
        }
    }

    /// Returns an error unless every line could be written.
    pub fn written(self) -> io::Result<()> {
        self.unwritten.map_or(Ok(()), Err)
    }

    /// Writes a line. A write error does not stop the run: the exit status still reports the
    /// result.
    fn line(&mut self, text: &str) {
        if let Some(progress) = &mut self.progress {
            progress.clear();
        }
        if self.unwritten.is_none() {
            self.unwritten = writeln!(self.out, "{text}").err();
        }
    }

    /// Prints the end: what was published and received.
    pub fn ends(&mut self, outcome: &Outcome) {
        if !outcome.ok() {
            self.tells_wireshark(outcome);
            return;
        }
        let (topic, total) = (&self.options.topic, outcome.total);
        let messages = plural(u64::from(outcome.published), "message");
        self.line("");
        self.line(&format!(
            "{GOOD}✓{GOOD:#} {BOLD}Published {messages} to {topic} and received {} back.{BOLD:#}",
            thousands(outcome.received.into()),
        ));
        self.line(&format!(
            "  {} simulated, {} and {} on air; {} real time.",
            seconds(total.at),
            plural(total.frames, "frame"),
            plural(total.bytes, "byte"),
            seconds(self.began.elapsed()),
        ));
        self.tells_wireshark(outcome);
    }

    /// Prints how to read the capture, also after a failure.
    fn tells_wireshark(&mut self, outcome: &Outcome) {
        if let Some(progress) = &mut self.progress {
            progress.clear();
        }
        if let Some(arguments) = &outcome.wireshark {
            self.line("");
            self.line("Show every frame, decrypted (wireshark accepts the same arguments):");
            self.line(&format!("  tshark {arguments}"));
        }
    }
}

impl Observer for Screen<'_> {
    fn begins(&mut self, broker: &BrokerUri) {
        let routers = match self.options.hops {
            0 => String::new(),
            1 => "router ))) ".to_owned(),
            hops => format!("{hops} routers ))) "),
        };
        let kind = match self.options.sleepy {
            None => "device".to_owned(),
            Some(poll) => format!("sleepy device (polls every {poll} ms)"),
        };
        let loss = match self.options.loss {
            loss if loss > 0.0 => format!("{DIM}, {loss} % of the frames lost{DIM:#}"),
            _ => String::new(),
        };
        self.line(&format!(
            "{kind} ))) {routers}border router ── NAT64 ── {BOLD}{broker}{BOLD:#}{loss}"
        ));
        self.line("");
        self.line(&format!(
            "{DIM}{:>11} {:>11} {:>8} {:>9}{DIM:#}",
            "at", "took", "frames", "bytes"
        ));
    }

    fn waits(&mut self, so_far: Mark, stage: &'static str) {
        if let Some(progress) = &mut self.progress {
            progress.show(so_far, stage);
        }
    }

    fn reached(&mut self, stage: &Stage) {
        let cost = stage.cost;
        self.line(&format!(
            "{:>11} {:>11} {:>8} {:>9}  {NAME}{:<13}{NAME:#} {}",
            seconds(stage.reached()),
            seconds(cost.at),
            thousands(cost.frames),
            thousands(cost.bytes),
            stage.name,
            stage.detail,
        ));
    }

    fn notes(&mut self, text: &str) {
        self.line(&format!("{:44}{BAD}!{BAD:#} {text}", ""));
    }

    fn received(&mut self, at: Duration, message: &Message) {
        self.received += 1;
        if self.received > SHOWN {
            return;
        }
        let payload = String::from_utf8_lossy(&message.payload);
        let payload = payload.trim_end();
        self.line(&format!(
            "{DIM}{:>11}{:32}← {payload}{DIM:#}",
            seconds(at),
            ""
        ));
        if self.received == SHOWN && self.options.messages > SHOWN {
            self.line(&format!("{DIM}{:43}← …{DIM:#}", ""));
        }
    }
}

/// Prints the two sentences of a failure to the standard error.
pub fn print_failure(failure: &crate::failure::Failure) {
    let mut err = anstream::stderr();
    writeln!(err, "{BAD}✗ {}{BAD:#}  {}", failure.stage, failure.cause).ok();
    writeln!(err, "  {}", failure.cure).ok();
}

/// A line on the standard error that is overwritten repeatedly.
struct Progress {
    err: Stderr,
    shown: Option<Instant>,
    visible: bool,
    turn: usize,
}

impl Progress {
    const PERIOD: Duration = Duration::from_millis(100);

    fn new() -> Option<Self> {
        let err = io::stderr();
        let able = err.is_terminal() && std::env::var_os("TERM").is_some_and(|term| term != "dumb");
        able.then_some(Self {
            err,
            shown: None,
            visible: false,
            turn: 0,
        })
    }

    fn show(&mut self, so_far: Mark, stage: &str) {
        if self
            .shown
            .is_some_and(|shown| shown.elapsed() < Self::PERIOD)
        {
            return;
        }
        const WHEEL: [char; 4] = ['◐', '◓', '◑', '◒'];
        self.shown = Some(Instant::now());
        self.turn = (self.turn + 1) % WHEEL.len();
        let (wheel, at) = (WHEEL[self.turn], seconds(so_far.at));
        let frames = plural(so_far.frames, "frame");
        write!(
            self.err,
            "\r\x1b[2K{wheel} {at}  waiting for: {stage}  ({frames} on air)"
        )
        .ok();
        self.err.flush().ok();
        self.visible = true;
    }

    fn clear(&mut self) {
        if std::mem::take(&mut self.visible) {
            write!(self.err, "\r\x1b[2K").ok();
            self.err.flush().ok();
        }
    }
}

/// Formats `1.234 s`.
pub fn seconds(time: Duration) -> String {
    format!("{}.{:03} s", time.as_secs(), time.subsec_millis())
}

/// Formats `12,345`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats `1 frame`, `12,345 frames`.
pub fn plural(number: u64, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ => format!("{} {noun}s", thousands(number)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1000), "1,000");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(plural(1, "frame"), "1 frame");
        assert_eq!(plural(0, "frame"), "0 frames");
        assert_eq!(seconds(Duration::from_micros(1_234_999)), "1.234 s");
    }
}
