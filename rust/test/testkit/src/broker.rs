//! Mosquitto, an independent MQTT broker: 3.1.1 and 5 on one port, QoS 0 to 2, retained messages,
//! wills and offline queues, all in memory.
//!
//! It is a process on a plain loopback port. For TLS, put a [`Front`](crate::front::Front) before
//! it. Its files are deleted once it listens, because it does not read them again.
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use thread_mqtt_test_support::server;

/// What the broker allows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Config {
    /// Requires this user and password; `None` accepts every client.
    pub credentials: Option<(String, String)>,
    /// Maximum packet size accepted in bytes, at least 20; `None` for MQTT's maximum.
    pub max_packet_size: Option<u32>,
}

/// The running broker. It ends when dropped, and with the thread that started it.
#[derive(Debug)]
pub struct Broker {
    process: Child,
    address: SocketAddr,
}

impl Broker {
    /// Starts it on a free port of 127.0.0.1, and returns once it listens.
    ///
    /// # Errors
    /// Returns [`NotFound`](io::ErrorKind::NotFound) if Mosquitto is not installed.
    pub fn start(config: &Config) -> io::Result<Self> {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let name = format!("thread-mqtt-broker-{}-{serial}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder)?;
        let started = run(config, &folder);
        let _ = fs::remove_dir_all(&folder);
        let (process, port) = started?;
        Ok(Self {
            process,
            address: (Ipv4Addr::LOCALHOST, port).into(),
        })
    }

    /// Returns the address at which it listens, without TLS.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn run(config: &Config, folder: &Path) -> io::Result<(Child, u16)> {
    let mut settings = String::from("persistence false\nlog_dest none\n");
    // If started by root, it would switch to a user who can read neither the files here nor /proc.
    settings.push_str("user root\n");
    match &config.credentials {
        None => settings.push_str("allow_anonymous true\n"),
        Some((user, password)) => {
            let file = password_file(folder, user, password)?;
            settings.push_str(&format!("password_file {}\n", file.display()));
        }
    }
    if let Some(size) = config.max_packet_size {
        settings.push_str(&format!("max_packet_size {size}\n"));
    }
    let file = folder.join("mosquitto.conf");
    let (process, [port]) = server::start(|[port]| {
        fs::write(&file, format!("{settings}listener {port} 127.0.0.1\n"))?;
        ending_with_us(server::mosquitto(&file)).spawn()
    })?;
    Ok((process, port))
}

/// Returns a command whose process the kernel kills when the thread that started it ends, and which
/// Ctrl-C does not end earlier. Uses setpriv of util-linux, which needs no unsafe code. Without it,
/// the broker is left behind if this process is killed.
fn ending_with_us(server: Command) -> Command {
    let setpriv = Path::new("/usr/bin/setpriv");
    let program = Path::new(server.get_program());
    // setpriv would not report a missing program.
    let mut command = Command::new(program);
    if setpriv.exists() && program.exists() {
        command = Command::new(setpriv);
        command.args(["--pdeathsig", "KILL"]).arg(program);
    }
    command.args(server.get_args());
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    command
}

/// Writes `user:password`, which Mosquitto's own tool turns into `user:hash`.
fn password_file(folder: &Path, user: &str, password: &str) -> io::Result<PathBuf> {
    if user.is_empty() || user.contains(['\n', ':']) || password.contains('\n') {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "Mosquitto does not accept empty user names, colons in them, or line breaks",
        ));
    }
    let file = folder.join("users");
    fs::write(&file, format!("{user}:{password}\n"))?;
    let status = Command::new("mosquitto_passwd")
        .arg("-U")
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    if status.success() {
        Ok(file)
    } else {
        Err(io::Error::other(format!("mosquitto_passwd: {status}")))
    }
}
