//! Eclipse Mosquitto on the loopback interface.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::Child;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use thread_mqtt_test_support::server;

/// A separate broker for each test. It ends when dropped.
pub(crate) struct Broker {
    pub(crate) process: Child,
    port: u16,
    directory: PathBuf,
}

impl Broker {
    pub(crate) fn start(options: &str) -> Self {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let name = format!("thread-mqtt-session-{}-{serial}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).expect("a temporary directory");
        let (process, [port]) = server::start(|[port]| {
            let file = directory.join("mosquitto.conf");
            let mut text = format!("user root\nlistener {port} 127.0.0.1\n");
            if !options.contains("allow_anonymous") {
                text.push_str("allow_anonymous true\n");
            }
            writeln!(text, "{options}").expect("writing to a string");
            std::fs::write(&file, text)?;
            server::mosquitto(&file).spawn()
        })
        .expect("this test needs the broker mosquitto: apt-get install mosquitto");
        Broker {
            process,
            port,
            directory,
        }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).expect("connects");
        stream.set_nodelay(true).expect("a socket option");
        let pause = Some(Duration::from_millis(5));
        stream.set_read_timeout(pause).expect("a socket option");
        stream
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
