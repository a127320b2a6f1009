//! What the builder refuses, and its messages.
use std::time::Duration;
use thread_mqtt::{Builder, Error, KeepAlive, Overflow, Version};

fn error(builder: Builder) -> Error {
    builder.build().expect_err("it is refused")
}

#[test]
fn the_first_mistake_is_named() {
    let broker = error(Builder::new("http://broker"));
    assert!(matches!(broker, Error::Broker(_)), "{broker}");
    let provider = error(Builder::new("mqtts://broker").ca(b"").time_servers("a:b:c"));
    assert_eq!(provider, Error::ProviderMissing);
    let servers = error(Builder::new("mqtt://broker").time_servers("a:b:c"));
    assert!(
        servers.to_string().starts_with("time servers: "),
        "{servers}"
    );
}

#[test]
fn a_configuration_carries_what_was_asked_for() {
    let config = Builder::new("mqtt://broker:1884*3, mqtt://other")
        .client_id("c")
        .credentials("u", "p")
        .version(Version::V311)
        .session_expiry(7)
        .time_floor(9)
        .with_session(|session| session.outbox_messages = 3)
        .will_delay(5)
        .overflow(Overflow::DropOldest)
        .redirects(1)
        .fallback_to_v311()
        .learn_keep_alive(KeepAlive::AUTO)
        .backoff(Duration::from_secs(1), Duration::from_secs(2))
        .with_failover(|failover| failover.cluster = true)
        .build()
        .unwrap();
    assert_eq!(config.broker.port, 1884);
    assert_eq!(config.session.client_id, "c");
    assert_eq!(config.session.username.as_deref(), Some("u"));
    assert_eq!(config.session.password.as_deref(), Some(&b"p"[..]));
    assert_eq!(config.session.version, Version::V311);
    assert_eq!(config.session.session_expiry, 7);
    assert_eq!(config.session.outbox_messages, 3);
    assert_eq!(config.time_floor, 9);
    assert_eq!(config.session.will_delay, 5);
    assert_eq!(config.session.overflow, Overflow::DropOldest);
    assert_eq!(config.redirects, 1);
    assert!(config.fallback_to_v311);
    assert_eq!(config.keep_alive, KeepAlive::AUTO);
    assert_eq!(config.timers.backoff_min, Duration::from_secs(1));
    assert_eq!(config.timers.backoff_max, Duration::from_secs(2));
    assert!(config.failover.cluster);
    assert_eq!(config.failover.weight, 3);
    let others = config.failover.others.iter();
    let others: Vec<_> = others.map(|other| other.uri.to_string()).collect();
    assert_eq!(others, ["mqtt://other:1883"]);
}

/// The facade exports every name needed for a port, a store or a match on a cause, without the
/// crates below.
#[test]
fn an_application_names_all_through_the_facade() {
    use thread_mqtt::{
        AdvertisedPrefix, Cause, ConnectRefusal, ENCRYPTED, Preference, SessionConfigError,
        SessionError, TimeError,
    };
    let prefix = thread_mqtt::Prefix::WELL_KNOWN;
    let network = thread_mqtt::resolver::Network {
        prefixes: [AdvertisedPrefix {
            prefix,
            preference: Preference::High,
        }]
        .into(),
        ..Default::default()
    };
    assert_eq!(network.prefixes.len(), 1);
    let refused = SessionError::Refused(ConnectRefusal::new(Version::V5, 0x88));
    let failed = |cause: &Cause| matches!(cause, Cause::Time(TimeError::NoAnswer) | Cause::Mqtt(_));
    assert!(failed(&Cause::Mqtt(refused)));
    assert_ne!(ENCRYPTED, 0);
    let wrong = thread_mqtt::ConfigError::Session(SessionConfigError::KeepAlive);
    assert!(!Error::Client(wrong).to_string().is_empty());
}
