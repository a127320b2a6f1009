//! A device without a clock: it gets the time by SNTP through NAT64, over a radio that loses
//! frames, then uses TLS with a certificate checked against it.
use std::cell::RefCell;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::rc::Rc;
use std::time::Duration;
use thread_mqtt_client::{
    Cause, Client, Config, Event, Reached, Stage, TimeConfig, TimeError, TimePolicy,
};
use thread_mqtt_demo::entropy::Entropy;
use thread_mqtt_demo::network::InWorld;
use thread_mqtt_driver::Driver;
use thread_mqtt_testkit::fixed::{Fixed, UNIX_TIME};
use thread_mqtt_testkit::peer::{self, Server};
use thread_mqtt_testkit::tls::Tls;
use thread_sim::{Radio, Record, SimPort, World, WorldConfig};

const BROKER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(203, 0, 113, 10), 8883);
const CLOCK: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 123), 123);
const OTHER_CLOCK: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 124), 123);

/// RFC 5905 section 7.3: returns a valid answer to the question, with this Unix time.
fn answer(question: &[u8], unix_time: u64) -> Vec<u8> {
    let mut answer = vec![0; 48];
    answer[0] = 4 << 3 | 4;
    answer[1] = 2;
    answer[24..32].copy_from_slice(&question[40..48]);
    answer[40..44].copy_from_slice(&((unix_time + 2_208_988_800) as u32).to_be_bytes());
    answer
}

fn right(question: &[u8], now: Duration) -> Vec<u8> {
    answer(question, UNIX_TIME + now.as_secs())
}

/// A device with its client, in a world with a broker and two time server names.
struct Device {
    driver: Driver<SimPort>,
    entropy: Entropy,
    world: World,
}

impl Device {
    fn new(seed: u64, loss: f64, policy: TimePolicy) -> Self {
        let world = World::new(WorldConfig {
            seed,
            epoch: None,
            radio: Radio {
                loss,
                ..Radio::default()
            },
            ..WorldConfig::default()
        })
        .unwrap();
        world.zone(|zone| {
            zone.set("broker.example.com", Record::a(*BROKER.ip()));
            zone.set("time.example.com", Record::a(*CLOCK.ip()));
            zone.set("other-time.example.com", Record::a(*OTHER_CLOCK.ip()));
        });
        let server = peer::Config::new(Some(Tls::new(Fixed::P256.server())));
        world.serve(
            BROKER,
            InWorld(Server::new(server, seed, UNIX_TIME).unwrap()),
        );
        let entropy = Entropy::seeded(seed);
        let tls = thread_mqtt_tls::Config::builder(entropy.provider())
            .ca(Fixed::P256.root_pem().as_bytes())
            .and_then(|builder| builder.build())
            .unwrap();
        let client = Client::new(Config {
            tls: Some(tls),
            time: TimeConfig {
                servers: ["time.example.com", "other-time.example.com"]
                    .iter()
                    .map(|server| server.parse().unwrap())
                    .collect(),
                policy,
                ..TimeConfig::default()
            },
            time_floor: UNIX_TIME - 86_400,
            ..Config::new("mqtts://broker.example.com".parse().unwrap())
        })
        .unwrap();
        Self {
            driver: Driver::new(client, world.port()),
            entropy,
            world,
        }
    }

    /// Returns events until this one.
    fn run_until(&mut self, is_last: impl Fn(&Event) -> bool) -> Vec<Event> {
        self.driver.start();
        let limit = self.world.now() + Duration::from_secs(600);
        let mut events = Vec::new();
        while self.world.now() < limit {
            let driver = &mut self.driver;
            let moved = self.entropy.scope(|| driver.turn());
            if let Some(event) = driver.poll_event() {
                let last = is_last(&event);
                events.push(event);
                if last {
                    return events;
                }
            } else if !moved {
                driver.wait();
            }
        }
        panic!("it did not happen: {events:#?}");
    }
}

fn is_online(event: &Event) -> bool {
    matches!(event, Event::Reached(Reached::Online { .. }))
}

#[test]
fn the_time_comes_through_nat64_over_a_bad_radio() {
    for seed in 1..=10 {
        let mut device = Device::new(seed, 0.1, TimePolicy::Strict);
        device
            .world
            .serve_udp(CLOCK, |_, question: &[u8], now| vec![right(question, now)]);
        let events = device.run_until(is_online);
        let told = events.iter().find_map(|event| match event {
            Event::Reached(Reached::Time(seconds, server)) => Some((*seconds, *server)),
            _ => None,
        });
        let (seconds, server) = told.unwrap_or_else(|| panic!("seed {seed}: {events:#?}"));
        let since = seconds - UNIX_TIME;
        assert!(
            since <= device.world.now().as_secs(),
            "seed {seed}: {since}"
        );
        assert!(
            server.to_string().contains("NAT64 for 192.0.2.123"),
            "{server}"
        );
        // A server's answer is not proof.
        assert!(device.driver.client().time_floor() < seconds);
    }
}

#[test]
fn a_forger_who_has_not_seen_the_question_sets_no_clock() {
    let mut device = Device::new(1, 0.0, TimePolicy::Strict);
    device
        .world
        .serve_udp(CLOCK, |_, question: &[u8], now: Duration| {
            let far = UNIX_TIME + 30 * 365 * 86_400;
            let mut guesses: Vec<Vec<u8>> = (0..20)
                .map(|guess: u64| {
                    let mut forged = answer(question, far);
                    forged[24..32].copy_from_slice(&guess.to_be_bytes());
                    forged
                })
                .collect();
            guesses.push(right(question, now));
            guesses
        });
    device.run_until(is_online);
    let told = device
        .driver
        .client()
        .unix_time(device.world.now())
        .unwrap();
    assert!(told < UNIX_TIME + 3_600, "{told}");
}

#[test]
fn a_server_that_refuses_gives_way_to_the_next() {
    let mut device = Device::new(2, 0.0, TimePolicy::Strict);
    let asked = Rc::new(RefCell::new(0));
    let counter = Rc::clone(&asked);
    device
        .world
        .serve_udp(CLOCK, move |_, question: &[u8], _: Duration| {
            *counter.borrow_mut() += 1;
            let mut kiss = answer(question, 0);
            kiss[..2].copy_from_slice(&[0xe4, 0]);
            kiss[12..16].copy_from_slice(b"DENY");
            vec![kiss]
        });
    device
        .world
        .serve_udp(OTHER_CLOCK, |_, question: &[u8], now| {
            vec![right(question, now)]
        });
    let events = device.run_until(is_online);
    assert!(
        !events
            .iter()
            .any(|event| matches!(event, Event::Failed { .. }))
    );
    assert_eq!(*asked.borrow(), 1);
}

#[test]
fn nobody_answers() {
    // Strict: no TLS, and an error message.
    let mut strict = Device::new(3, 0.0, TimePolicy::Strict);
    let events = strict.run_until(|event| matches!(event, Event::Failed { .. }));
    let Some(Event::Failed { stage, cause, .. }) = events.last() else {
        panic!("{events:#?}");
    };
    assert_eq!(*stage, Stage::Time);
    assert_eq!(*cause, Cause::Time(TimeError::NoAnswer));

    // Lenient: a warning, and TLS with the time known so far.
    let mut lenient = Device::new(3, 0.0, TimePolicy::Lenient);
    let events = lenient.run_until(is_online);
    let warned = events.iter().any(|event| {
        matches!(
            event,
            Event::TimeUnknown {
                why: TimeError::NoAnswer,
                ..
            }
        )
    });
    assert!(warned, "{events:#?}");
}
