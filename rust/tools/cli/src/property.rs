//! `-D COMMAND PROPERTY VALUE`, the syntax of mosquitto_pub and mosquitto_sub for MQTT 5
//! properties.
//!
//! It takes three values, or four for a user property, which clap cannot express. It is therefore
//! rewritten to this program's own option before clap parses it.
use crate::exit::Failure;
use clap::{Arg, Command};
use std::ffi::{OsStr, OsString};

/// Packet (called command in mosquitto_pub), property, and the corresponding option.
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

/// Separates the name and the value of a user property from `-D`, where a user types `=`. The name
/// may contain `=` (MQTT 5 section 3.3.2.3.7); no command-line argument can contain this character.
pub(crate) const BETWEEN: &str = "\0";

/// The id of `-D` in clap's definition, where it exists only for its help text.
const ID: &str = "property";

/// Returns the command line with every `-D` replaced by its own option.
pub(crate) fn rewrite(
    arguments: impl Iterator<Item = OsString>,
    cli: &Command,
) -> Result<Vec<OsString>, Failure> {
    let mut command = None;
    let mut words = arguments;
    let mut rewritten = Vec::new();
    while let Some(word) = words.next() {
        if word == "--" {
            rewritten.push(word);
            break;
        }
        let this = command.unwrap_or(cli);
        match Word::of(&word, this) {
            Word::Property { flags, of } => {
                rewritten.extend(flags);
                let mut take = || words.next().ok_or_else(incomplete);
                let of = of.map_or_else(&mut take, Ok)?;
                rewritten.push(option(this, &of, &mut take)?);
            }
            Word::Text => {
                rewritten.push(word);
                rewritten.extend(words.next());
            }
            Word::Other => {
                command = command.or_else(|| cli.find_subcommand(&word));
                rewritten.push(word);
            }
        }
    }
    rewritten.extend(words);
    Ok(rewritten)
}

/// The kind of a word on the command line.
enum Word {
    /// `-D`, possibly combined in one word with flags before it and the packet after it.
    Property {
        flags: Option<OsString>,
        of: Option<OsString>,
    },
    /// An option whose value is always the next word, even if that starts with a hyphen.
    Text,
    Other,
}

impl Word {
    fn of(word: &OsStr, command: &Command) -> Self {
        let Some(word) = word.to_str() else {
            return Self::Other;
        };
        let find = |is_it: &dyn Fn(&Arg) -> bool| command.get_arguments().find(|arg| is_it(arg));
        if let Some(long) = word.strip_prefix("--") {
            let (name, value) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (long, None),
            };
            let is_it = |arg: &Arg| {
                arg.get_long() == Some(name)
                    || arg.get_all_aliases().unwrap_or_default().contains(&name)
            };
            return find(&is_it).map_or(Self::Other, |arg| Self::with_option(arg, "", value));
        }
        let Some(letters) = word.strip_prefix('-') else {
            return Self::Other;
        };
        for (at, letter) in letters.char_indices() {
            match find(&|arg| arg.get_short() == Some(letter)) {
                Some(arg) if arg.get_action().takes_values() => {
                    let value = &letters[at + letter.len_utf8()..];
                    let value = (!value.is_empty()).then_some(value);
                    return Self::with_option(arg, &letters[..at], value);
                }
                Some(_) => {}
                None => return Self::Other,
            }
        }
        Self::Other
    }

    /// Returns the word for an option after these flags, with the value from the same word.
    fn with_option(arg: &Arg, flags: &str, value: Option<&str>) -> Self {
        match value {
            _ if arg.get_id() == ID => Self::Property {
                flags: (!flags.is_empty()).then(|| format!("-{flags}").into()),
                of: value.map(OsString::from),
            },
            None if arg.is_allow_hyphen_values_set() => Self::Text,
            _ => Self::Other,
        }
    }
}

/// Returns the [`OPTIONS`] that this command supports.
fn options(
    this: &Command,
) -> impl Iterator<Item = &'static (&'static str, &'static str, &'static str)> {
    OPTIONS.iter().filter(|(_, _, option)| {
        let long = option.trim_start_matches("--");
        this.get_arguments().any(|arg| arg.get_long() == Some(long))
    })
}

/// Returns the option for a property of this packet, and consumes the property's name and value.
fn option(
    this: &Command,
    of: &OsStr,
    mut take: impl FnMut() -> Result<OsString, Failure>,
) -> Result<OsString, Failure> {
    let property = take()?;
    let known = options(this).find(|(packet, name, _)| of == *packet && property == *name);
    let Some((_, _, option)) = known else {
        return Err(unknown(this, of, &property));
    };
    let mut whole = OsString::from(*option);
    whole.push("=");
    whole.push(take()?);
    if property == "user-property" {
        whole.push(BETWEEN);
        whole.push(take()?);
    }
    Ok(whole)
}

fn incomplete() -> Failure {
    Failure::usage("-D needs a command, a property and a value").cure(
        "use for example -D publish content-type text/plain, or -D publish user-property NAME VALUE",
    )
}

fn unknown(this: &Command, of: &OsStr, property: &OsStr) -> Failure {
    let known: Vec<_> = options(this)
        .map(|(packet, property, _)| format!("{packet} {property}"))
        .collect();
    Failure::usage(format_args!(
        "-D {} {} is not a property that {} can set",
        of.display(),
        property.display(),
        this.get_name()
    ))
    .cure(format_args!("use one of: {}", known.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Arguments;
    use clap::CommandFactory;

    fn rewritten(line: &str) -> Result<String, String> {
        let words = ["x", "pub"].into_iter().chain(line.split(' '));
        let words = words.map(OsString::from);
        match rewrite(words, &Arguments::command()) {
            Ok(words) => {
                let words = words[2..].join(" ".as_ref());
                Ok(words.into_string().unwrap())
            }
            Err(failure) => Err(failure.to_string()),
        }
    }

    #[test]
    fn each_property_becomes_an_option() {
        for (line, options) in [
            ("-t t", "-t t"),
            (
                "-D publish content-type a/b -q 1",
                "--content-type=a/b -q 1",
            ),
            ("-D publish user-property a b", "--user-property=a\0b"),
            ("-D will user-property a=b =", "--will-user-property=a=b\0="),
            ("--property will will-delay-interval 5", "--will-delay=5"),
            ("--property=will will-delay-interval 5", "--will-delay=5"),
            ("-Dwill will-delay-interval -5", "--will-delay=-5"),
            ("-rD publish content-type a", "-r --content-type=a"),
            ("-- -D publish", "-- -D publish"),
            ("--ca sub -m -D", "--ca sub -m -D"),
        ] {
            assert_eq!(rewritten(line).as_deref(), Ok(options), "{line}");
        }
    }

    /// If an option accepts any text, its value may look like an option.
    #[test]
    fn what_only_looks_like_a_property_stays() {
        for text in ["-D", "--property", "--", "-Dx"] {
            for option in [
                "-m",
                "-rm",
                "--message",
                "-P",
                "--pw",
                "-u",
                "-t",
                "--content-type",
            ] {
                let line = format!("{option} {text} -D publish content-type a");
                let options = format!("{option} {text} --content-type=a");
                assert_eq!(rewritten(&line), Ok(options));
            }
        }
        for line in ["-m=-D -D", "-m-D -D", "--message=x -D"] {
            assert!(rewritten(line).is_err(), "{line}");
        }
        // An option that does not take text is missing its value.
        let options = "--ca --content-type=a";
        assert_eq!(
            rewritten("--ca -D publish content-type a").as_deref(),
            Ok(options)
        );
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
