//! The crate `log` on Zephyr's log.
use crate::ffi;
use crate::text::Line;
use core::fmt::Write;

/// Zephyr's log. Its level is Zephyr's to choose; here the crate `log` lets everything through.
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
        let mut line = Line::new();
        let _ = write!(line, "{}", record.args());
        let text = line.as_bytes();
        // SAFETY: the text is valid for its length.
        unsafe {
            ffi::tmq_port_log(
                u8::try_from(level).unwrap_or(1),
                text.as_ptr().cast(),
                text.len(),
            )
        };
    }

    fn flush(&self) {}
}

/// Sends what is logged to Zephyr's module `thread_mqtt`, up to `CONFIG_THREAD_MQTT_LOG_LEVEL`.
/// A second call does nothing.
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
