//! `-D COMMAND PROPERTY VALUE`, as mosquitto_pub and mosquitto_sub write the properties of MQTT 5.
//!
//! It takes three values, a user property four, which is no shape of option that clap knows. So it is
//! rewritten to the option of this program before clap sees it.
use crate::exit::Failure;
use std::ffi::OsString;

/// Command, property, and the option that stands for it.
const OPTIONS: [(&str, &str, &str); 14] = [
    ("publish", "content-type", "--content-type"),
    ("publish", "payload-format-indicator", "--payload-format"),
    ("publish", "message-expiry-interval", "--message-expiry"),
    ("publish", "response-topic", "--response-topic"),
    ("publish", "correlation-data", "--correlation-data"),
    ("publish", "user-property", "--user-property"),
    ("will", "content-type", "--will-content-type"),
    ("will", "payload-format-indicator", "--will-payload-format"),
    ("will", "message-expiry-interval", "--will-expiry"),
    ("will", "response-topic", "--will-response-topic"),
    ("will", "correlation-data", "--will-correlation-data"),
    ("will", "user-property", "--will-user-property"),
    ("will", "will-delay-interval", "--will-delay"),
    (
        "connect",
        "session-expiry-interval",
        "--session-expiry-interval",
    ),
];

/// Stands between the name and the value of a user property from `-D`, where a person writes `=`. The name
/// of one may hold `=` (MQTT 5 section 3.3.2.3.7); no argument of a command line can hold this.
pub(crate) const BETWEEN: &str = "\0";

/// The command line with every `-D` as an option of its own.
pub(crate) fn rewrite(arguments: impl Iterator<Item = OsString>) -> Result<Vec<OsString>, Failure> {
    let mut arguments = arguments.peekable();
    let mut rewritten = Vec::new();
    while let Some(argument) = arguments.next() {
        if argument == "--" {
            rewritten.push(argument);
            break;
        }
        if argument != "-D" && argument != "--property" {
            rewritten.push(argument);
            continue;
        }
        let mut take = || arguments.next().ok_or_else(incomplete);
        let (command, property) = (take()?, take()?);
        let known = OPTIONS
            .iter()
            .find(|(of, name, _)| command == *of && property == *name);
        let Some((_, _, option)) = known else {
            return Err(unknown(&command, &property));
        };
        let mut whole = OsString::from(*option);
        whole.push("=");
        whole.push(take()?);
        if property == "user-property" {
            whole.push(BETWEEN);
            whole.push(take()?);
        }
        rewritten.push(whole);
    }
    rewritten.extend(arguments);
    Ok(rewritten)
}

fn incomplete() -> Failure {
    Failure::usage("-D needs a command, a property and a value").cure(
        "write for example -D publish content-type text/plain, or -D publish user-property NAME VALUE",
    )
}

fn unknown(command: &OsString, property: &OsString) -> Failure {
    let known: Vec<_> = OPTIONS
        .iter()
        .map(|(command, property, _)| format!("{command} {property}"))
        .collect();
    Failure::usage(format_args!(
        "-D {} {} is not a property that this program can set",
        command.display(),
        property.display()
    ))
    .cure(format_args!("use one of: {}", known.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(line: &str) -> Result<String, String> {
        let words = line.split(' ').map(OsString::from);
        match rewrite(words) {
            Ok(words) => Ok(words.join(" ".as_ref()).into_string().unwrap()),
            Err(failure) => Err(failure.to_string()),
        }
    }

    #[test]
    fn each_property_becomes_an_option() {
        for (line, options) in [
            ("x pub -t t", "x pub -t t"),
            (
                "-D publish content-type a/b -q 1",
                "--content-type=a/b -q 1",
            ),
            ("-D publish user-property a b", "--user-property=a\0b"),
            ("-D will user-property a=b =", "--will-user-property=a=b\0="),
            ("--property will will-delay-interval 5", "--will-delay=5"),
            ("-- -D publish", "-- -D publish"),
        ] {
            assert_eq!(rewritten(line).as_deref(), Ok(options), "{line}");
        }
    }

    #[test]
    fn what_is_unknown_or_incomplete_is_told() {
        for line in [
            "-D",
            "-D publish",
            "-D publish content-type",
            "-D will user-property a",
        ] {
            assert!(
                rewritten(line).unwrap_err().contains("needs a command"),
                "{line}"
            );
        }
        let unknown = rewritten("-D publish topic-alias 3").unwrap_err();
        assert!(unknown.contains("publish topic-alias"), "{unknown}");
        assert!(unknown.contains("publish content-type"), "{unknown}");
    }
}
