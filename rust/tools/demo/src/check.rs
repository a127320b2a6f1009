//! Checks options before the world is created.
use crate::failure::Failure;
use crate::options::{Mqtt, Options, Peer};
use std::fs::OpenOptions;
use std::io;
use std::path::{self, Path};
use thread_mqtt_resolve::{BrokerUri, Scheme};
use thread_mqtt_session::{CommandError, Config, Message, Session};

/// Refuses options that cannot work. The broker's URI and the file of `--ca` are checked where they
/// are read, which is just as early.
pub fn options(options: &Options) -> Result<(), Failure> {
    topic(&options.topic)?;
    user(options)?;
    files(options)?;
    match &options.plot {
        Some(path) => writable(path).map_err(|error| plot_failure(path, &error)),
        None => Ok(()),
    }
}

/// Refuses TLS options without TLS.
pub fn tls(options: &Options, broker: &BrokerUri) -> Result<(), Failure> {
    let given = [
        (options.ca.is_some(), "--ca"),
        (options.tls.is_some(), "--tls"),
        (options.keylog.is_some(), "--keylog"),
    ];
    match given.iter().find(|(is_given, _)| *is_given) {
        Some((_, option)) if broker.scheme == Scheme::Mqtt => Err(Failure::usage(
            &format!("{option} is a TLS option, but {broker} does not use TLS"),
            &format!("write mqtts:// in --broker, or leave {option} out"),
        )),
        _ => Ok(()),
    }
}

/// Checks the user name and password, as far as the broker's rules are known.
fn user(options: &Options) -> Result<(), Failure> {
    let is_own = options.broker.is_none() && options.peer == Peer::Broker;
    let password = options.password.as_deref().filter(|word| !word.is_empty());
    match (&options.username, password) {
        (Some(_), None) if is_own => Err(Failure::usage(
            "the demo's own broker requires a password for a user",
            "give --password as well, or leave --username out",
        )),
        (Some(name), _) if is_own && (name.is_empty() || name.contains([':', '\n'])) => {
            Err(Failure::usage(
                &format!(
                    "the --username {name:?} cannot be used with Mosquitto, the demo's own broker"
                ),
                "choose a non-empty --username without colons and line breaks",
            ))
        }
        (_, Some(password)) if is_own && password.contains('\n') => Err(Failure::usage(
            "the --password contains a line break, which Mosquitto, the demo's own broker, rejects",
            "choose another --password",
        )),
        (None, _) if options.password.is_some() && options.mqtt == Mqtt::V311 => {
            Err(Failure::usage(
                "MQTT 3.1.1 does not allow a password without a user name",
                "give --username as well, or use --mqtt 5",
            ))
        }
        _ => Ok(()),
    }
}

/// Refuses to write two outputs to the same file.
fn files(options: &Options) -> Result<(), Failure> {
    let keylog = options.keylog();
    let keylog_by = match options.keylog {
        Some(_) => "--keylog",
        None => "SSLKEYLOGFILE",
    };
    let given = [
        ("--ca", options.ca.as_deref()),
        ("--pcap", options.pcap.as_deref()),
        (keylog_by, keylog.as_deref()),
        ("--plot", options.plot.as_deref()),
    ];
    let given: Vec<_> = given
        .iter()
        .filter_map(|(option, path)| Some((option, (*path)?)))
        .collect();
    for (place, (option, path)) in given.iter().enumerate() {
        for (before, other) in &given[..place] {
            if is_same_file(path, other) {
                return Err(Failure::usage(
                    &format!(
                        "{before} and {option} name the same file, {}",
                        path.display()
                    ),
                    &format!("give {option} a file of its own"),
                ));
            }
        }
    }
    Ok(())
}

/// Returns whether two paths lead to the same file, which need not exist yet. Devices such as
/// /dev/null may be named twice.
fn is_same_file(one: &Path, other: &Path) -> bool {
    let place = |path: &Path| match path.canonicalize() {
        Ok(path) => Some(path).filter(|path| path.is_file()),
        Err(_) => {
            let folder = path::absolute(path).ok()?.parent()?.canonicalize().ok()?;
            Some(folder.join(path.file_name()?))
        }
    };
    place(one).is_some_and(|one| place(other) == Some(one))
}

/// Reports that the file of `--plot` cannot be written.
pub fn plot_failure(path: &Path, error: &io::Error) -> Failure {
    Failure::usage(
        &format!("the picture {} cannot be written ({error})", path.display()),
        "give --plot a path that can be written",
    )
}

/// Keeps the file's contents until there is something to replace them.
fn writable(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    options.open(path).map(drop)
}

/// Checks the topic, which is published and subscribed to, with the session's own rules.
fn topic(topic: &str) -> Result<(), Failure> {
    let refused = |what: &str, cure: &str| {
        let cause = format!("the --topic {topic:?} cannot be used: {what}");
        Failure::usage(&cause, cure)
    };
    if topic.starts_with('$') {
        return Err(refused(
            "topics that begin with $ are reserved for the broker",
            "choose a --topic that begins with another character",
        ));
    }
    let mut session =
        Session::new(Config::default()).map_err(|error| Failure::from_error("setup", &error))?;
    let Err(error) = session.publish(Message::new(topic, Vec::new())) else {
        return Ok(());
    };
    let cure = match error {
        CommandError::WildcardInTopic => "choose a --topic without + and #",
        CommandError::EmptyTopic => "give --topic at least one character, or leave it out",
        _ => "choose another --topic, such as home/demo",
    };
    Err(refused(&error.to_string(), cure))
}
