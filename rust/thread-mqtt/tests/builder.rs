//! What the builder refuses, and with which words.
use thread_mqtt::{Builder, Error, Version};

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
    let config = Builder::new("mqtt://broker:1884")
        .client_id("c")
        .credentials("u", "p")
        .version(Version::V311)
        .session_expiry(7)
        .time_floor(9)
        .with_session(|session| session.outbox_messages = 3)
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
}
