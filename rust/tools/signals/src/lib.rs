//! The signals that end a command gracefully: Ctrl-C, SIGTERM, and SIGHUP when a terminal closes.
//! The broker then does not publish the will, and the command's child processes end with it.
#![forbid(unsafe_code)]
use nix::sys::signal::{SigSet, Signal};
use std::fs;
use std::process;
use std::thread;
use std::time::{Duration, Instant};

/// Signals within this time count as one: both the shell and the kernel send one when a terminal
/// closes.
const TOGETHER: Duration = Duration::from_secs(1);

/// Exit status of a command ended by a signal, as shells report Ctrl-C.
pub const STATUS: u8 = 130;

/// Calls `end` on a separate thread when such a signal arrives. A second signal ends the process
/// immediately with [`STATUS`], whatever blocks it. Must be called before other threads start,
/// because the first signal would end the process through them.
pub fn watch(end: impl Fn() + Send + 'static) {
    let ignored = ignored();
    let mut wanted = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        // Ignored signals stay ignored, as nohup and a shell's background jobs require.
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
    // Blocked in all threads, so that only the waiting thread receives them. If this fails, they
    // end the process, and the broker publishes the will.
    let blocked = wanted.thread_block().is_ok();
    let waiter = thread::Builder::new().name("signals".to_owned());
    if blocked && waiter.spawn(wait).is_err() {
        let _ = wanted.thread_unblock();
    }
}

/// Returns a bit for each signal that was ignored when this process was started. A system without
/// `/proc` drops those signals before they reach the wait.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut lines = status.lines();
    let mask = lines.find_map(|line| line.strip_prefix("SigIgn:"));
    mask.map_or(0, |mask| u64::from_str_radix(mask.trim(), 16).unwrap_or(0))
}
