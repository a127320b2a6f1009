//! Options that are known not to work before the world is made.
use crate::failure::Failure;
use crate::options::Options;
use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use thread_mqtt_session::{CommandError, Config, Message, Session};

/// Refuses what nothing that happens later can cure. The broker's URI and the file of `--ca` are
/// checked where they are read, which is as early.
pub fn options(options: &Options) -> Result<(), Failure> {
    topic(&options.topic)?;
    match &options.plot {
        Some(path) => writable(path).map_err(|error| plot_failure(path, &error)),
        None => Ok(()),
    }
}

/// The file of `--plot` cannot be written.
pub fn plot_failure(path: &Path, error: &io::Error) -> Failure {
    Failure::usage(
        &format!("the picture {} cannot be written ({error})", path.display()),
        "give --plot a path that can be written",
    )
}

/// Leaves what the file holds until there is something to take its place.
fn writable(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    options.open(path).map(drop)
}

/// The topic is published to and subscribed to; the session knows what is wrong with one.
fn topic(topic: &str) -> Result<(), Failure> {
    let refused = |what: &str, cure: &str| {
        let cause = format!("the --topic {topic:?} cannot be used: {what}");
        Failure::usage(&cause, cure)
    };
    if topic.starts_with('$') {
        return Err(refused(
            "topics that begin with $ belong to the broker",
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
