//! Starts a server for a test on its own ports.
//!
//! Between finding free ports and starting the server, the ports may be taken by another program,
//! or by a process being started by another thread, which holds the probing socket until it
//! executes its program. A client would then connect to another server, or to none. Therefore
//! [`start`] asks the kernel which process listens, and tries other ports if it is not the server.
//! It does not make a trial connection, because a server with one client at a time would take it
//! for its client.
//!
//! Linux only, because it reads `/proc`. A server that changes its user when it starts cannot be
//! inspected; configure it to keep its user.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Longer than a server needs to start listening, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const ATTEMPTS: u32 = 20;
/// Delay before the next attempt on the same ports.
const PAUSE: Duration = Duration::from_millis(500);

/// Starts a server that will listen on these ports of 127.0.0.1, and waits until it does.
///
/// Calls `spawn` with ports that were free a moment ago, and again with others if the server ends
/// before it listens on all of them.
///
/// # Errors
///
/// Returns the error of `spawn` immediately; [`AddrInUse`](io::ErrorKind::AddrInUse) if the server
/// ended 20 times, which an invalid configuration also causes (see its log); and
/// [`TimedOut`](io::ErrorKind::TimedOut) if it neither ends nor listens within a minute.
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

/// Restarts a server on its previous ports, and waits until it listens on them.
///
/// # Errors
///
/// Same as [`start`]. It waits between two attempts, so that the ports may become free.
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
    let text = format!("the server exited before it listened, {ATTEMPTS} times");
    io::Error::new(io::ErrorKind::AddrInUse, text)
}

/// Returns the server, unless it ended before it listened.
fn until_it_listens<const N: usize>(server: Child, ports: [u16; N]) -> io::Result<Option<Child>> {
    let mut server = Ended(Some(server));
    let listens = server.listens_on(&ports)?;
    Ok(listens.then(|| server.keep()))
}

/// Returns the command for Mosquitto with this configuration, without input and output, not started
/// yet.
pub fn mosquitto(configuration: &Path) -> Command {
    // Debian's location, which may not be in a user's PATH.
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

/// Returns different ports that are free now.
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

/// A process that is killed when dropped, unless it is kept.
struct Ended(Option<Child>);

impl Ended {
    fn keep(mut self) -> Child {
        self.0.take().expect("taken once")
    }

    /// Waits until it listens on all of the ports. Returns false if it has ended.
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
        let text = format!("the server is not listening on {ports:?} after {PATIENCE:?}");
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

/// Returns the kernel's name of the socket that listens on this port of 127.0.0.1 (proc_pid_net(5),
/// tcp).
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

/// Returns the sockets of a process (proc_pid_fd(5)); none if it is ending.
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
