//! Keeps a Thread device connected to its broker, publishes a counter and logs what it receives.
#![no_std]
extern crate alloc;

use alloc::format;
use alloc::string::{String, ToString};
use core::time::Duration;
use log::{error, info, warn};
use thread_mqtt::{Event, Message, Mqtt, QoS, Reached, SessionEvent};
use thread_mqtt_platform::{PlatformPort, config, keep_time};
use zephyr::kconfig::{CONFIG_APP_INTERVAL, CONFIG_APP_TOPIC};

/// The broker's CA certificate; empty if none was configured.
static CA: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/ca.pem"));

#[unsafe(no_mangle)]
extern "C" fn rust_main() {
    thread_mqtt_platform::start_log();
    match make() {
        Ok(mqtt) => run(mqtt),
        Err(why) => error!("{why}"),
    }
}

/// Creates this image's client. Returns an error text if its configuration is incomplete.
fn make() -> Result<Mqtt<PlatformPort>, String> {
    let client = config::client_from_options(CA).map_err(|error| error.to_string())?;
    let port = PlatformPort::open().ok_or("no event descriptor left for the client")?;
    let mut mqtt = Mqtt::with_client(*client, port);
    mqtt.subscribe(&[(CONFIG_APP_TOPIC, QoS::AtLeastOnce)])
        .map_err(|error| format!("CONFIG_APP_TOPIC: {error}"))?;
    Ok(mqtt)
}

/// Whether a message published while offline is stored until there is a connection, even if the
/// device restarts meanwhile.
const STORED: bool = cfg!(thread_mqtt = "durable");

/// Publishes at a fixed interval, forever.
fn run(mut mqtt: Mqtt<PlatformPort>) {
    let interval = Duration::from_secs(CONFIG_APP_INTERVAL.try_into().unwrap_or(10));
    let mut count: u32 = 0;
    let mut due = mqtt.now();
    mqtt.start();
    loop {
        // While offline and without storage, do not publish at that time.
        let event = if STORED || mqtt.is_online() {
            mqtt.next_until(due)
        } else {
            mqtt.next()
        };
        keep_time(mqtt.client().time_floor());
        if let Some(event) = event {
            tell(&event);
        } else if STORED || mqtt.is_online() {
            count += 1;
            due = mqtt.now() + interval;
            let message =
                Message::new(CONFIG_APP_TOPIC, format!("count {count}")).qos(QoS::AtLeastOnce);
            if let Err(error) = mqtt.publish(message) {
                warn!("count {count} was not queued: {error}");
            }
        }
    }
}

/// Logs one line for an event.
fn tell(event: &Event) {
    match event {
        Event::Failed { cause, .. } => {
            error!("{event}");
            if let Some(cure) = cause.cure() {
                error!("what to do: {cure}");
            }
        }
        Event::TimeUnknown { .. } | Event::CandidateFailed(..) => warn!("{event}"),
        Event::Session(SessionEvent::Message(message)) => info!(
            "received {}: {}",
            message.topic,
            String::from_utf8_lossy(&message.payload)
        ),
        Event::Session(SessionEvent::Published(token)) => info!("acknowledged {}", token.0),
        Event::Session(SessionEvent::Restored { messages, .. }) => {
            info!("{messages} messages from the last boot are sent first");
        }
        Event::Session(SessionEvent::StorageFailed(why)) => error!("{why}"),
        Event::Session(SessionEvent::RecordDamaged { key }) => {
            error!("record {key:04x} of the stored session is damaged and was dropped");
        }
        Event::Reached(Reached::Attached) | Event::Session(_) => {}
        _ => info!("{event}"),
    }
}
