//! Keeps a Thread device connected to its broker, publishes a counter and logs what comes back.
#![no_std]
extern crate alloc;

use alloc::format;
use alloc::string::ToString;
use core::time::Duration;
use log::{error, info, warn};
use thread_mqtt_client::{
    Client, Config, Event, Reached, Retry, TimeConfig, TimePolicy, TimeServer, Timers,
};
use thread_mqtt_driver::{Driver, Port};
use thread_mqtt_resolve::{BrokerUri, Scheme};
use thread_mqtt_session::{self as session, Message, QoS};
use thread_mqtt_platform::{PlatformPort, crypto, keep_time, resolver_config, time_floor};
use zephyr::kconfig::{
    CONFIG_APP_INTERVAL, CONFIG_APP_TOPIC, CONFIG_THREAD_MQTT_BROKER,
    CONFIG_THREAD_MQTT_TIME_DEADLINE, CONFIG_THREAD_MQTT_TIME_SERVERS,
};

/// The broker's CA certificate; empty if none was configured.
static CA: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/ca.pem"));

#[unsafe(no_mangle)]
extern "C" fn rust_main() {
    thread_mqtt_platform::start_log();
    match make() {
        Ok(driver) => run(driver),
        Err(why) => error!("{why}"),
    }
}

/// The client of this image, or the sentence that says what its configuration lacks.
fn make() -> Result<Driver<PlatformPort>, alloc::string::String> {
    let broker: BrokerUri = CONFIG_THREAD_MQTT_BROKER
        .parse()
        .map_err(|error| format!("CONFIG_THREAD_MQTT_BROKER: {error}"))?;
    let tls = match broker.scheme {
        Scheme::Mqtt => None,
        Scheme::Mqtts => {
            let provider = crypto::provider().map_err(|error| error.to_string())?;
            let config = thread_mqtt_tls::Config::builder(provider)
                .provider_failures(crypto::take_failure)
                .ca(CA)
                .and_then(|builder| builder.build());
            Some(config.map_err(|error| format!("CONFIG_APP_CA_FILE: {error}"))?)
        }
    };
    let mut client = Client::new(Config {
        broker,
        resolver: resolver_config().map_err(|error| error.to_string())?,
        tls,
        session: session::Config::default(),
        timers: Timers::default(),
        retry: Retry::Forever,
        time: time()?,
        time_floor: time_floor(),
    })
    .map_err(|error| error.to_string())?;
    client
        .subscribe(&[(CONFIG_APP_TOPIC, QoS::AtLeastOnce)])
        .map_err(|error| format!("CONFIG_APP_TOPIC: {error}"))?;
    let port = PlatformPort::open().ok_or("no event descriptor is left for the client")?;
    Ok(Driver::new(client, port))
}

/// How the time is learnt, by Kconfig.
fn time() -> Result<TimeConfig, alloc::string::String> {
    Ok(TimeConfig {
        servers: TimeServer::list(CONFIG_THREAD_MQTT_TIME_SERVERS)
            .map_err(|error| format!("CONFIG_THREAD_MQTT_TIME_SERVERS: {error}"))?,
        policy: match cfg!(CONFIG_THREAD_MQTT_TIME_STRICT) {
            true => TimePolicy::Strict,
            false => TimePolicy::Lenient,
        },
        deadline: Duration::from_secs(CONFIG_THREAD_MQTT_TIME_DEADLINE.try_into().unwrap_or(15)),
        ..TimeConfig::default()
    })
}

/// Publishes now and then, for ever.
fn run(mut driver: Driver<PlatformPort>) {
    let interval = Duration::from_secs(CONFIG_APP_INTERVAL.try_into().unwrap_or(10));
    let mut count: u32 = 0;
    let mut due = driver.port.now();
    driver.start();
    loop {
        let mut busy = driver.turn();
        while let Some(event) = driver.poll_event() {
            busy = true;
            tell(&event);
        }
        keep_time(driver.client.time_floor());
        if driver.port.now() >= due && driver.client.is_online() {
            count += 1;
            due = driver.port.now() + interval;
            let message =
                Message::new(CONFIG_APP_TOPIC, format!("count {count}")).qos(QoS::AtLeastOnce);
            if let Err(error) = driver.client.publish(message) {
                warn!("count {count} was not queued: {error}");
            }
            busy = true;
        }
        if !busy {
            let (until, interest) = driver.waits_for();
            let next = driver.client.is_online().then_some(due);
            driver
                .port
                .wait([until, next].into_iter().flatten().min(), interest);
        }
    }
}

/// One line of the log for an event.
fn tell(event: &Event) {
    match event {
        Event::Failed { cause, .. } => {
            error!("{event}");
            if let Some(cure) = cause.cure() {
                error!("what to do: {cure}");
            }
        }
        Event::TimeUnknown { .. } | Event::CandidateFailed(..) => warn!("{event}"),
        Event::Session(session::Event::Message(message)) => info!(
            "received {}: {}",
            message.topic,
            alloc::string::String::from_utf8_lossy(&message.payload)
        ),
        Event::Session(session::Event::Published(token)) => info!("acknowledged {}", token.0),
        Event::Reached(Reached::Attached) | Event::Session(_) => {}
        _ => info!("{event}"),
    }
}
