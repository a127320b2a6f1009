//! Routes the crate `log` to Zephyr's log.
use crate::ffi;
use crate::line::Line;
use core::fmt::{self, Write};
use core::mem;

/// Zephyr's log. Zephyr sets the level; the crate `log` passes everything on.
struct Log;

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let level = match record.level() {
            log::Level::Error => ffi::TMQ_LOG_ERROR,
            log::Level::Warn => ffi::TMQ_LOG_WARNING,
            log::Level::Info => ffi::TMQ_LOG_INFO,
            log::Level::Debug | log::Level::Trace => ffi::TMQ_LOG_DEBUG,
        };
        let mut lines = Lines {
            level: u8::try_from(level).unwrap_or(1),
            line: Line::new(),
        };
        let _ = lines.write_fmt(*record.args());
        lines.end();
    }

    fn flush(&self) {}
}

/// Splits a text into lines: Zephyr's log has a line limit, and PSA's report is a single text.
struct Lines {
    level: u8,
    line: Line,
}

impl Lines {
    /// Sends the current line, unless it is empty.
    fn end(&mut self) {
        self.send(self.line.as_bytes());
        self.line.clear();
    }

    /// Sends the whole words of a full line. The next line starts with what follows the last space.
    fn wrap(&mut self) {
        let full = mem::replace(&mut self.line, Line::new());
        let text = full.as_bytes();
        let words = text.iter().rposition(|byte| *byte == b' ');
        let (words, rest) = text.split_at(words.map_or(text.len(), |space| space + 1));
        self.send(words);
        rest.iter().for_each(|byte| self.line.push(*byte));
    }

    fn send(&self, text: &[u8]) {
        if !text.is_empty() {
            // SAFETY: the text is valid for its length.
            unsafe { ffi::tmq_port_log(self.level, text.as_ptr().cast(), text.len()) };
        }
    }
}

impl fmt::Write for Lines {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            match byte {
                b'\n' => self.end(),
                _ => {
                    if self.line.is_full() {
                        self.wrap();
                    }
                    self.line.push(byte);
                }
            }
        }
        Ok(())
    }
}

/// Sends log messages to Zephyr's module `thread_mqtt`, up to `CONFIG_THREAD_MQTT_LOG_LEVEL`. A
/// second call does nothing.
pub fn start_log() {
    // SAFETY: no precondition.
    let filter = match unsafe { ffi::tmq_port_log_level() } {
        0 => log::LevelFilter::Off,
        1 => log::LevelFilter::Error,
        2 => log::LevelFilter::Warn,
        3 => log::LevelFilter::Info,
        _ => log::LevelFilter::Debug,
    };
    if log::set_logger(&Log).is_ok() {
        log::set_max_level(filter);
    }
}
