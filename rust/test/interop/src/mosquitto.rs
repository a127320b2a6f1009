//! The whole client against Mosquitto: from a URI to a message in both directions, and again after
//! the connection has ended, with the same session.

use std::net::TcpStream;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::Child;

use thread_mqtt_client::{Cause, Client, Config, Event, Reached, Retry, Timers};
use thread_mqtt_driver::Driver;
use thread_mqtt_host::{HostPort, Options};
use thread_mqtt_resolve::resolver;
use thread_mqtt_session::{Event as Mqtt, Message, QoS};
use thread_mqtt_test_support::server;
use thread_mqtt_tls::{Agreed, ConfigError, PublicKey, Suite, TlsError};

use crate::backend::{Backend, Identity, parallel};
use crate::matrix::{Counts, HANDSHAKE_FAILURE, Verdict, cell, reasons};
use crate::page::{self, head, row};
use crate::pki::{Chain, Device, Kind};
use crate::refusal::alert;
use crate::scratch::Scratch;

/// A running Mosquitto with two listeners; stopped and cleaned up when dropped.
pub(crate) struct Mosquitto {
    process: Child,
    _scratch: Scratch,
    /// Accepts any client.
    pub(crate) open: u16,
    /// Requires a device certificate.
    pub(crate) mutual: u16,
}

impl Mosquitto {
    pub(crate) fn start(chain: &Chain) -> Self {
        let scratch = Scratch::new();
        let tls = format!(
            "certfile {}\nkeyfile {}\nallow_anonymous true\n",
            scratch.file("chain.pem", chain.sent.concat()),
            scratch.file("key.pem", &chain.key),
        );
        let devices = scratch.file("devices.pem", Device::root());
        let started = server::start(|[open, mutual]| {
            let config = format!(
                "user root\nper_listener_settings true\nset_tcp_nodelay true\n\
                 listener {open} 127.0.0.1\n{tls}\
                 listener {mutual} 127.0.0.1\n{tls}cafile {devices}\nrequire_certificate true\n"
            );
            let log = std::fs::File::create(scratch.path().join("log"))?;
            server::mosquitto(Path::new(&scratch.file("mosquitto.conf", config)))
                .stdout(log.try_clone()?)
                .stderr(log)
                .spawn()
        });
        let (process, [open, mutual]) = started.unwrap_or_else(|error| {
            let log = scratch.log();
            panic!("this test needs mosquitto; install it if it is missing ({error}): {log}")
        });
        Self {
            process,
            _scratch: scratch,
            open,
            mutual,
        }
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns a client on this host's sockets that makes one attempt.
fn client(port: u16, tls: thread_mqtt_tls::Config, id: &str) -> Driver<HostPort> {
    client_with(port, tls, id, (Retry::Never, Timers::default()))
}

pub(crate) fn client_with(
    port: u16,
    tls: thread_mqtt_tls::Config,
    id: &str,
    (retry, timers): (Retry, Timers),
) -> Driver<HostPort> {
    let config = Config {
        resolver: resolver::Config {
            chain: vec![resolver::AddressSource::Platform],
            ..resolver::Config::default()
        },
        tls: Some(tls),
        session: thread_mqtt_session::Config {
            client_id: id.to_owned(),
            ..thread_mqtt_session::Config::default()
        },
        timers,
        retry,
        ..Config::new(format!("mqtts://localhost:{port}").parse().unwrap())
    };
    let port = HostPort::new(Options::default()).unwrap();
    Driver::new(Client::new(config).unwrap(), port)
}

/// Connects, receives its own message and disconnects. Returns what TLS negotiated.
fn there_and_back(driver: &mut Driver<HostPort>) -> Result<Agreed, TlsError> {
    let topic = driver.client().session().client_id().to_owned();
    let mut agreed = None;
    driver.start();
    driver.run(|client, event| {
        match event {
            Event::Reached(Reached::Tls(tls)) => agreed = Some(tls),
            Event::Reached(Reached::Online { .. }) => {
                client.subscribe(&[(&topic, QoS::AtLeastOnce)]).unwrap();
                let message = Message::new(topic.as_str(), "there").qos(QoS::AtLeastOnce);
                client.publish(message).unwrap();
            }
            Event::Session(Mqtt::Message(message)) => {
                assert_eq!(message.payload, b"there");
                return ControlFlow::Break(Ok(()));
            }
            Event::Failed { cause, stage, .. } => match cause {
                Cause::Tls(error) => return ControlFlow::Break(Err(error)),
                other => panic!("{stage}: {other}"),
            },
            _ => {}
        }
        ControlFlow::Continue(())
    })?;
    stop(driver);
    Ok(agreed.unwrap())
}

/// Disconnects.
pub(crate) fn stop(driver: &mut Driver<HostPort>) {
    driver.stop();
    driver.run(|_, event| match event {
        Event::Stopped => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
}

#[test]
fn every_suite_key_and_identity_with_mqtt() {
    let jobs: Vec<_> = Backend::ALL
        .into_iter()
        .flat_map(|backend| Kind::ALL.map(|key| (backend, key)))
        .collect();
    let counts = parallel(&jobs, |(backend, key)| {
        let chain = Chain::new(&[*key, *key]);
        let broker = Mosquitto::start(&chain);
        let mut counts = Counts::new();
        for identity in Identity::all(*backend) {
            let port = match identity {
                Identity::Anonymous => broker.open,
                _ => broker.mutual,
            };
            for suite in Suite::ALL.iter().copied().filter(|s| key.goes_with(*s)) {
                let context = format!("{backend} {key} {identity:?} {suite}");
                let config = backend.config().ca(chain.root.as_bytes()).unwrap();
                let config = match identity.give(config.suites(&[suite])) {
                    Ok(config) => config.build().unwrap(),
                    Err(error) => {
                        let refused = ConfigError::KeyNotSupported(PublicKey::Rsa(2048));
                        assert_eq!(error, refused, "{context}");
                        assert!(!identity.is_usable(*backend), "{context}");
                        *counts.entry(Verdict::KeyNotSupported).or_default() += 2;
                        continue;
                    }
                };
                let id = format!("interop-{port}");
                let mut client = client(port, config, &id);
                for resumed in [false, true] {
                    match there_and_back(&mut client) {
                        Ok(agreed) => {
                            assert!(backend.verifies(*key), "{context}");
                            assert_eq!(agreed.suite(), suite.name(), "{context}");
                            assert_eq!(agreed.resumed, resumed, "{context}");
                            *counts.entry(Verdict::Works).or_default() += 1;
                        }
                        Err(error) => {
                            assert!(!backend.verifies(*key), "{context}: {error}");
                            assert_eq!(error, HANDSHAKE_FAILURE, "{context}");
                            *counts.entry(Verdict::HandshakeFailure).or_default() += 1;
                        }
                    }
                }
            }
        }
        counts
    });
    let mut total = Counts::new();
    let mut table = head(&[
        "", "RSA-2048", "RSA-3072", "RSA-4096", "P-256", "P-384", "Ed25519",
    ]);
    for (backend, counts) in Backend::ALL.iter().zip(counts.chunks(Kind::ALL.len())) {
        let cells = counts.iter().map(cell);
        table += &row([backend.to_string()].into_iter().chain(cells));
        for (verdict, n) in counts.iter().flatten() {
            *total.entry(*verdict).or_default() += n;
        }
    }
    page::check("mosquitto", &(table + &reasons(&total)));
    assert_eq!(total.values().sum::<u32>(), 792);
}

/// A device without a certificate, and one whose certificate is from another CA.
#[test]
fn a_client_that_mosquitto_does_not_let_in() {
    let chain = Chain::new(&[Kind::P256, Kind::P256]);
    parallel(&Backend::ALL, |backend| {
        let broker = Mosquitto::start(&chain);
        for suite in [Suite::EcdheEcdsaAes128GcmSha256, Suite::Aes128GcmSha256] {
            let config = || {
                let config = backend.config().ca(chain.root.as_bytes()).unwrap();
                config.suites(&[suite])
            };
            let anonymous = config().build().unwrap();
            let error =
                there_and_back(&mut client(broker.mutual, anonymous, "anonymous")).unwrap_err();
            assert!(error.cure().contains("client certificate"), "{error}");

            let stranger = config()
                .client_identity(chain.sent.concat().as_bytes(), chain.key.as_bytes())
                .unwrap();
            let stranger = stranger.build().unwrap();
            let error = there_and_back(&mut client(broker.mutual, stranger, "stranger"));
            let error = error.unwrap_err();
            assert_eq!(alert(&error).name(), Some("unknown_ca"), "{error}");
            assert!(error.cure().contains("the CA of the client certificate"));
        }
        // Others are still served.
        assert!(TcpStream::connect(("127.0.0.1", broker.open)).is_ok());
    });
}
