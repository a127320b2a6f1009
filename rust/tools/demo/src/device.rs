//! The device: the project's client on the simulated node.
use crate::entropy::Entropy;
use crate::failure::Failure;
use crate::keylog::KeyLogFile;
use crate::network::Network;
use crate::options::Options;
use std::sync::Arc;
use std::time::Duration;
use thread_mqtt_client::{Client, Config, Event, Retry};
use thread_mqtt_driver::{Driver, Port};
use thread_mqtt_resolve::Scheme;
use thread_mqtt_soft_provider::suites;
use thread_sim::SimPort;

/// While nothing happens, the caller is called back this often.
const TICK: Duration = Duration::from_millis(50);

/// A device with its client.
#[derive(Debug)]
pub struct Device {
    driver: Driver<SimPort>,
    entropy: Entropy,
}

impl Device {
    /// Creates the client that the options describe; it is idle.
    pub fn new(
        options: &Options,
        network: &Network,
        entropy: Entropy,
        client_id: String,
    ) -> Result<Self, Failure> {
        let config = Config {
            resolver: thread_mqtt_resolve::resolver::Config {
                // The NAT64 of the emulated border router leads to this machine.
                loopback: true,
                ..thread_mqtt_resolve::resolver::Config::default()
            },
            tls: match network.broker.scheme {
                Scheme::Mqtt => None,
                Scheme::Mqtts => Some(tls(options, network, &entropy)?),
            },
            session: session(options, client_id),
            retry: match options.retry {
                true => Retry::Forever,
                false => Retry::Never,
            },
            ..Config::new(network.broker.clone())
        };
        let client = Client::new(config).map_err(|error| Failure::of_options(&error))?;
        Ok(Self {
            driver: Driver::new(client, network.world.port()),
            entropy,
        })
    }

    /// Starts to connect.
    pub fn start(&mut self) {
        self.driver.start();
    }

    /// Starts to disconnect.
    pub fn stop(&mut self) {
        self.driver.stop();
    }

    /// Returns the client, for commands.
    pub fn client(&mut self) -> &mut Client {
        self.driver.client_mut()
    }

    /// Runs the world until the client has an event, or until `limit`. Calls `watch` whenever there
    /// was progress, and at least twenty times per second of virtual time. `watch` returns whether
    /// to continue.
    pub fn next_event(
        &mut self,
        limit: Duration,
        mut watch: impl FnMut() -> bool,
    ) -> Option<Event> {
        loop {
            let driver = &mut self.driver;
            let moved = self.entropy.scope(|| driver.turn());
            let goes_on = watch();
            if let Some(event) = driver.poll_event() {
                return Some(event);
            }
            if !goes_on {
                return None;
            }
            if moved {
                continue;
            }
            let now = driver.port().now();
            if now >= limit {
                return None;
            }
            driver.wait_until(Some(limit.min(now + TICK)));
        }
    }
}

fn tls(
    options: &Options,
    network: &Network,
    entropy: &Entropy,
) -> Result<thread_mqtt_tls::Config, Failure> {
    let builder = thread_mqtt_tls::Config::builder(entropy.provider()).in_place(suites::in_place);
    let builder = network.trust.add_to(builder)?;
    let builder = match options.keylog() {
        None => builder,
        Some(path) => builder.key_log(Arc::new(KeyLogFile::open(&path).map_err(|error| {
            Failure::usage(
                &format!(
                    "the file {} for TLS secrets cannot be written ({error})",
                    path.display()
                ),
                "give --keylog or SSLKEYLOGFILE a path that can be written",
            )
        })?)),
    };
    let builder = match options.tls {
        None => builder,
        Some(version) => builder.versions(&[version.into()]),
    };
    builder.build().map_err(|error| Failure::of_options(&error))
}

fn session(options: &Options, client_id: String) -> thread_mqtt_session::Config {
    // Room for one message of any permitted size in each direction, and for many small ones.
    let size = options.size + 1024;
    let default = thread_mqtt_session::Config::default();
    thread_mqtt_session::Config {
        version: options.mqtt.into(),
        client_id,
        username: options.username.clone(),
        password: options.password.clone().map(Into::into),
        // Messages in flight when a connection is lost are sent again over the next one.
        clean_start: !options.retry,
        session_expiry: if options.retry { 600 } else { 0 },
        max_packet_size: default.max_packet_size.max(size),
        outbox_bytes: default.outbox_bytes.max(size as usize),
        ..default
    }
}
