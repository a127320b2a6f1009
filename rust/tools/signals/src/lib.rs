//! The signals that end a command in good order: Ctrl-C, SIGTERM, and SIGHUP at the end of a terminal. The broker
//! then keeps the will to itself, and what the command has started ends with it.
#![forbid(unsafe_code)]
use nix::sys::signal::{SigSet, Signal};
use std::fs;
use std::process;
use std::thread;
use std::time::{Duration, Instant};

/// Signals within this time are one: both the shell and the kernel tell of the end of a terminal.
const TOGETHER: Duration = Duration::from_secs(1);

/// Exit status of a command that a signal ended, as a shell has it for Ctrl-C.
pub const STATUS: u8 = 130;

/// Calls `end` on a thread of its own when such a signal comes. A second one ends the process at once, with
/// [`STATUS`], whatever it is held up by. Threads that run already would be ended by the first: there must be none.
pub fn watch(end: impl Fn() + Send + 'static) {
    let ignored = ignored();
    let mut wanted = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        // As nohup wants it, and a shell for what it starts in the background.
        if ignored & 1 << (signal as u32 - 1) == 0 {
            wanted.add(signal);
        }
    }
    let wait = move || {
        let mut first = None;
        while wanted.wait().is_ok() {
            let first: &Instant = first.get_or_insert_with(Instant::now);
            if first.elapsed() > TOGETHER {
                process::exit(STATUS.into());
            }
            end();
        }
    };
    // Blocked in all threads, so that the one that waits has them. Without it they just end the process: the
    // broker then publishes the will.
    let blocked = wanted.thread_block().is_ok();
    let waiter = thread::Builder::new().name("signals".to_owned());
    if blocked && waiter.spawn(wait).is_err() {
        let _ = wanted.thread_unblock();
    }
}

/// A bit for each signal that this process was started to ignore. A system without `/proc` drops those signals
/// before anything waits for them.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut lines = status.lines();
    let mask = lines.find_map(|line| line.strip_prefix("SigIgn:"));
    mask.map_or(0, |mask| u64::from_str_radix(mask.trim(), 16).unwrap_or(0))
}
