//! Starts a server for a test on ports of its own.
//!
//! A server that is told its ports can lose them between the look for free ones and its start: to
//! another program, or to a process that another thread is just starting, which holds the socket that
//! looked until it executes its program. A client then meets another server, or none. So
//! [`start`] asks the kernel who listens, and tries other ports where it is not the server itself. It
//! makes no trial connection, which a server of one client at a time would take for its client.
//!
//! Linux only: it reads `/proc`. A server that changes its user as it starts cannot be inspected; tell it to
//! keep its user.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Longer than a server takes to listen, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const ATTEMPTS: u32 = 20;
/// Until the next attempt on the same ports.
const PAUSE: Duration = Duration::from_millis(500);

/// Starts a server that is to listen on these ports of 127.0.0.1, and waits until it does.
///
/// `spawn` is called with ports that were free a moment ago, and again with others where the server
/// ends before it listens on them all.
///
/// # Errors
///
/// What `spawn` says, at once; [`AddrInUse`](io::ErrorKind::AddrInUse) for a server that ended 20
/// times, which a wrong configuration does as well: its log knows; and
/// [`TimedOut`](io::ErrorKind::TimedOut) for one that neither ends nor listens within a minute.
pub fn start<const N: usize>(
    mut spawn: impl FnMut([u16; N]) -> io::Result<Child>,
) -> io::Result<(Child, [u16; N])> {
    for _ in 0..ATTEMPTS {
        let ports = free_ports()?;
        if let Some(server) = until_it_listens(spawn(ports)?, ports)? {
            return Ok((server, ports));
        }
    }
    Err(ended_always())
}

/// Starts a server again on the ports that it had, and waits until it listens on them.
///
/// # Errors
///
/// As for [`start`]; between two attempts is some time, in which the ports may become free.
pub fn restart<const N: usize>(
    mut spawn: impl FnMut() -> io::Result<Child>,
    ports: [u16; N],
) -> io::Result<Child> {
    for _ in 0..ATTEMPTS {
        if let Some(server) = until_it_listens(spawn()?, ports)? {
            return Ok(server);
        }
        sleep(PAUSE);
    }
    Err(ended_always())
}

fn ended_always() -> io::Error {
    let text = format!("the server ended before it listened, {ATTEMPTS} times");
    io::Error::new(io::ErrorKind::AddrInUse, text)
}

/// The server, if it did not end before it listened.
fn until_it_listens<const N: usize>(server: Child, ports: [u16; N]) -> io::Result<Option<Child>> {
    let mut server = Ended(Some(server));
    let listens = server.listens_on(&ports)?;
    Ok(listens.then(|| server.keep()))
}

/// Mosquitto with this configuration, and without input and output, not started yet.
pub fn mosquitto(configuration: &Path) -> Command {
    // Where Debian puts it, which a user's PATH may lack.
    let known = Path::new("/usr/sbin/mosquitto");
    let program = match known.exists() {
        true => known,
        false => Path::new("mosquitto"),
    };
    let mut command = Command::new(program);
    command.arg("-c").arg(configuration);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Different ports that are free now.
fn free_ports<const N: usize>() -> io::Result<[u16; N]> {
    let mut probes = Vec::new();
    let mut ports = [0; N];
    for port in &mut ports {
        let probe = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        *port = probe.local_addr()?.port();
        probes.push(probe);
    }
    Ok(ports)
}

/// A process that ends with the value, if not kept.
struct Ended(Option<Child>);

impl Ended {
    fn keep(mut self) -> Child {
        self.0.take().expect("taken once")
    }

    /// Waits until it listens on all of them, or has ended: then false.
    fn listens_on(&mut self, ports: &[u16]) -> io::Result<bool> {
        let process = self.0.as_mut().expect("not taken yet");
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if process.try_wait()?.is_some() {
                return Ok(false);
            }
            let own = sockets(process.id());
            if ports.iter().all(|port| own.contains(&listener(*port))) {
                return Ok(true);
            }
            sleep(Duration::from_millis(5));
        }
        let text = format!("the server does not listen on {ports:?} after {PATIENCE:?}");
        Err(io::Error::new(io::ErrorKind::TimedOut, text))
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        if let Some(process) = &mut self.0 {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// The kernel's name of the socket that listens on this port of 127.0.0.1 (proc_pid_net(5), tcp).
fn listener(port: u16) -> Option<String> {
    const LISTEN: &str = "0A";
    let address = u32::from_ne_bytes(Ipv4Addr::LOCALHOST.octets());
    let local = format!("{address:08X}:{port:04X}");
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    let mut lines = table.lines().map(|line| line.split_ascii_whitespace());
    lines.find_map(|mut fields| {
        let (address, _remote, state) = (fields.nth(1)?, fields.next()?, fields.next()?);
        let inode = fields.nth(5)?;
        (address == local && state == LISTEN).then(|| format!("socket:[{inode}]"))
    })
}

/// The sockets of a process (proc_pid_fd(5)); none if it is ending.
fn sockets(process: u32) -> Vec<Option<String>> {
    let files = fs::read_dir(format!("/proc/{process}/fd"));
    let files = files.into_iter().flatten().flatten();
    let targets = files.filter_map(|file| fs::read_link(file.path()).ok());
    let names = targets.filter_map(|target| target.into_os_string().into_string().ok());
    names
        .filter(|name| name.starts_with("socket:"))
        .map(Some)
        .collect()
}
