//! No wait outlasts the listener.
use std::cell::Cell;
use std::fmt;
use std::net::{IpAddr, SocketAddrV6};
use std::rc::Rc;
use std::time::Duration;
use thread_mqtt_client::{Client, Config, TcpError};
use thread_mqtt_doctor::{Doctor, Listener, Subject, Verdict, look_up};
use thread_mqtt_driver::{Interest, Port, Received, TcpState};
use thread_mqtt_resolve::resolver::{AddressSource, Family, LookupError, Network};

/// A network in which nothing answers. Time passes only in waits, each as long as it may be.
struct Silence {
    now: Rc<Cell<Duration>>,
    attached: bool,
}

impl Port for Silence {
    fn now(&self) -> Duration {
        self.now.get()
    }
    fn unix_time(&self) -> Option<u64> {
        None
    }
    fn fill_random(&mut self, buf: &mut [u8]) -> Result<(), i32> {
        buf.fill(1);
        Ok(())
    }
    fn network(&mut self) -> Network {
        Network {
            attached: self.attached,
            ..Network::default()
        }
    }
    fn tcp_connect(&mut self, _to: SocketAddrV6) -> Result<(), TcpError> {
        Ok(())
    }
    fn tcp_state(&mut self) -> TcpState {
        TcpState::Connecting
    }
    fn tcp_send(&mut self, _data: &[u8]) -> Result<usize, TcpError> {
        Ok(0)
    }
    fn tcp_receive(&mut self, _buf: &mut [u8]) -> Result<Received, TcpError> {
        Ok(Received::WouldBlock)
    }
    fn tcp_close(&mut self, _abort: bool) {}
    fn udp_send(&mut self, _: u16, _: SocketAddrV6, _: &[u8]) -> Result<(), i32> {
        Ok(())
    }
    fn udp_receive(&mut self, _buf: &mut [u8]) -> Option<(SocketAddrV6, u16, usize)> {
        None
    }
    fn udp_close(&mut self) {}
    fn platform_lookup(&mut self, _name: &str, _family: Family) -> Result<(), LookupError> {
        Ok(())
    }
    fn poll_platform_lookup(&mut self) -> Option<Result<Vec<IpAddr>, LookupError>> {
        None
    }
    fn wait(&mut self, until: Option<Duration>, _interest: Interest) {
        let until = until.expect("something is waited for with an end");
        self.now.set(until.max(self.now.get()));
    }
}

/// Listens until `end`.
struct Until {
    now: Rc<Cell<Duration>>,
    end: Duration,
}

impl Listener for Until {
    fn line(&mut self, _line: fmt::Arguments<'_>) {}
    fn time_left(&self) -> Option<Duration> {
        Some(self.end.saturating_sub(self.now.get()))
    }
}

fn silence(attached: bool) -> (Silence, Until) {
    let now = Rc::new(Cell::new(Duration::from_secs(7)));
    let end = Duration::from_millis(7_300);
    let port = Silence {
        now: now.clone(),
        attached,
    };
    (port, Until { now, end })
}

fn sources() -> [AddressSource; 2] {
    let server = "[2001:db8::53]:53".parse().unwrap();
    [AddressSource::Server(server), AddressSource::Platform]
}

#[test]
fn a_resolution_ends_with_its_listener() {
    for source in sources() {
        let (mut port, mut until) = silence(true);
        let config = thread_mqtt_resolve::resolver::Config {
            chain: vec![source],
            ..Default::default()
        };
        let host = "broker.example".parse().unwrap();
        assert_eq!(look_up(&host, config, &mut port, &mut until), None);
        assert_eq!(port.now(), until.end, "{source:?}");
    }
}

#[test]
fn a_walk_ends_with_its_listener() {
    for attached in [false, true] {
        let (mut port, mut until) = silence(attached);
        let client = Client::new(Config::new("mqtt://broker.example".parse().unwrap())).unwrap();
        let mut doctor = Doctor::new(Subject::of(&client), &mut until);
        let verdict = doctor.begin(&mut port, String::new).unwrap_err();
        assert_eq!(verdict, Verdict::Abandoned);
        assert_eq!(port.now(), Duration::from_millis(7_300), "{attached}");
    }
}
