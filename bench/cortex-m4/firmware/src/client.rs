//! The whole client: to a broker by name, subscribe, publish at QoS 1, receive, leave.

use crate::board::{self, Records};
use crate::{TOPIC, configure, mqtt_version};
use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, SocketAddrV6};
use core::ops::ControlFlow;
use core::time::Duration;
use thread_mqtt_client::{Client, Config, Event, Reached, Retry, TcpError, TimeConfig, Timers};
use thread_mqtt_driver::{Driver, Interest, Port, Received, TcpState};
use thread_mqtt_resolve::resolver::{Family, LookupError, Network};
use thread_mqtt_resolve::{AdvertisedPrefix, Preference};
use thread_mqtt_session::{self as session, Message, QoS};

pub(crate) fn run() -> Result<(), &'static str> {
    board::phase(c"start");
    let mut driver = driver(configure()?)?;
    driver.start();
    driver.run(|client, event| match step(client, &event) {
        Ok(()) if event == Event::Stopped => ControlFlow::Break(Ok(())),
        Ok(()) => ControlFlow::Continue(()),
        Err(reason) => ControlFlow::Break(Err(reason)),
    })?;
    drop(driver);
    board::phase(c"close");
    Ok(())
}

/// On the heap, where a product has it, too.
#[inline(never)]
fn driver(tls: thread_mqtt_tls::Config) -> Result<Box<Driver<SerialPort>>, &'static str> {
    let broker = "mqtts://broker.example.com"
        .parse()
        .map_err(|_| "the URI")?;
    let client = Client::new(Config {
        tls: Some(tls),
        session: session::Config {
            version: mqtt_version(),
            client_id: "cortex-m4".to_string(),
            ..session::Config::default()
        },
        retry: Retry::Never,
        ..Config::new(broker)
    })
    .map_err(|_| "the configuration is of no use")?;
    Ok(Box::new(Driver::new(client, SerialPort::default())))
}

#[inline(never)]
fn step(client: &mut Client, event: &Event) -> Result<(), &'static str> {
    match event {
        Event::Reached(Reached::Tcp(..)) => board::phase(c"resolve"),
        Event::Reached(Reached::Tls(_)) => board::phase(c"handshake"),
        Event::Reached(Reached::Online { .. }) => {
            board::phase(c"connack");
            client
                .subscribe(&[(TOPIC, QoS::AtLeastOnce)])
                .map_err(|_| "subscribe")?;
        }
        Event::Session(session::Event::Subscribed(..)) => {
            let message = Message {
                topic: TOPIC.to_string(),
                payload: b"21.5".to_vec(),
                qos: QoS::AtLeastOnce,
                ..Message::default()
            };
            client.publish(message).map_err(|_| "publish")?;
        }
        Event::Session(session::Event::Message(message)) => {
            if message.payload != b"21.5" {
                return Err("the message is another");
            }
            board::phase(c"exchange");
            client.stop(Duration::ZERO);
        }
        Event::CandidateFailed(_, cause) | Event::Failed { cause, .. } => {
            return Err(crate::said(cause));
        }
        _ => {}
    }
    Ok(())
}

/// Longer than the client waits for the broker's close.
const CLOSE: Duration = Duration::from_secs(1);

/// The serial line as the one TCP connection; a resolver that knows the broker; a NAT64 prefix.
#[derive(Debug, Default)]
struct SerialPort {
    connected: bool,
    records: Records,
    /// It stands still until the client has said its last words.
    now: Duration,
    /// The client waits for the broker: a receive may block.
    waiting: bool,
    asked: bool,
}

impl Port for SerialPort {
    fn now(&self) -> Duration {
        self.now
    }

    fn unix_time(&self) -> Option<u64> {
        Some(board::parameters().unix_time)
    }

    fn fill_random(&mut self, buf: &mut [u8]) -> Result<(), i32> {
        board::random(buf);
        Ok(())
    }

    fn network(&mut self) -> Network {
        let prefix = "64:ff9b::/96".parse();
        let advertised = prefix.map(|prefix| AdvertisedPrefix {
            prefix,
            preference: Preference::Medium,
        });
        Network {
            attached: true,
            prefixes: advertised.into_iter().collect(),
            ..Network::default()
        }
    }

    fn tcp_connect(&mut self, _: SocketAddrV6) -> Result<(), TcpError> {
        self.connected = true;
        Ok(())
    }

    fn tcp_state(&mut self) -> TcpState {
        match self.connected {
            true => TcpState::Connected,
            false => TcpState::Closed,
        }
    }

    fn tcp_send(&mut self, data: &[u8]) -> Result<usize, TcpError> {
        board::send(data);
        Ok(data.len())
    }

    fn tcp_receive(&mut self, buf: &mut [u8]) -> Result<Received, TcpError> {
        if !core::mem::take(&mut self.waiting) {
            return Ok(Received::WouldBlock);
        }
        Ok(Received::Bytes(self.records.receive(buf).len()))
    }

    fn tcp_close(&mut self, _: bool) {
        self.connected = false;
    }

    fn udp_send(&mut self, _: u16, _: SocketAddrV6, _: &[u8]) -> Result<(), i32> {
        Err(-1)
    }

    fn udp_receive(&mut self, _: &mut [u8]) -> Option<(SocketAddrV6, u16, usize)> {
        None
    }

    fn udp_close(&mut self) {}

    fn platform_lookup(&mut self, _: &str, _: Family) -> Result<(), LookupError> {
        self.asked = true;
        Ok(())
    }

    fn poll_platform_lookup(&mut self) -> Option<Result<Vec<IpAddr>, LookupError>> {
        let asked = core::mem::take(&mut self.asked);
        asked.then(|| Ok(vec![IpAddr::V4(Ipv4Addr::new(203, 0, 113, 10))]))
    }

    fn wait(&mut self, until: Option<Duration>, interest: Interest) {
        // The one alarm so near is that of the broker's close, which the line does not tell.
        match until {
            Some(until) if until <= self.now + CLOSE => self.now = until,
            _ => self.waiting = interest.receive,
        }
    }
}
