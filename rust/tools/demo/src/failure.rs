//! What went wrong: a sentence with the cause and one with the cure.
use std::fmt;
use thread_mqtt_client::{Cause, Stage};
use thread_mqtt_resolve::resolver::Report;

/// Why the demo failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The stage that failed, as named in the timeline; `setup` before the world runs.
    pub stage: &'static str,
    /// The cause, as a sentence.
    pub cause: String,
    /// The cure, as a sentence.
    pub cure: String,
    /// An option cannot be used, and nothing was tried.
    pub usage: bool,
}

impl Failure {
    /// Joins a cause and a cure given as clauses: lower case, no full stop.
    pub fn new(stage: &'static str, cause: &str, cure: &str) -> Self {
        Self {
            stage,
            cause: sentence(cause),
            cure: sentence(cure),
            usage: false,
        }
    }

    /// Reports an option that cannot be used.
    pub fn usage(cause: &str, cure: &str) -> Self {
        Self {
            usage: true,
            ..Self::new("setup", cause, cure)
        }
    }

    /// Reports an error that the client found in its configuration, which comes from the options.
    pub fn of_options(error: &impl fmt::Display) -> Self {
        Self {
            usage: true,
            ..Self::from_error("setup", error)
        }
    }

    /// Splits the text of the project's errors into cause and cure: `cause; cure` or `cause: cure`.
    pub fn from_error(stage: &'static str, error: &impl fmt::Display) -> Self {
        let text = error.to_string();
        match text.split_once("; ").or_else(|| text.split_once(": ")) {
            Some((cause, cure)) => Self::new(stage, cause, cure),
            None => Self::new(stage, &text, "see --help for valid values"),
        }
    }

    /// Describes a failure of the client.
    pub fn from_cause(stage: Stage, cause: &Cause) -> Self {
        let name = stage_name(stage);
        if let Cause::Resolve(report) = cause {
            return Self::from_report(stage, report);
        }
        match cause.cure() {
            Some(cure) => Self::new(name, &cause.to_string(), cure),
            None => {
                let text = cause.to_string();
                match text.split_once("; ") {
                    Some((cause, cure)) => Self::new(name, cause, cure),
                    None => Self::new(name, &text, "check the broker's log"),
                }
            }
        }
    }
}

impl Failure {
    /// Describes the resolver failure whose cure the report gives.
    fn from_report(stage: Stage, report: &Report) -> Self {
        let cure = report
            .cure()
            .unwrap_or("check the border router's DNS and its uplink");
        let cause = match (
            stage,
            report.failures.iter().find(|one| one.cure() == Some(cure)),
        ) {
            (Stage::Prefix, _) => {
                "no NAT64 prefix is known, neither from the Thread network data nor by discovery, \
                 so no IPv4 address can be reached"
                    .to_owned()
            }
            (_, Some(failure)) => format!("the broker's address could not be found: {failure}"),
            (_, None) => report.to_string(),
        };
        Self::new(stage_name(stage), &cause, cure)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.cause, self.cure)
    }
}

impl std::error::Error for Failure {}

/// Returns the name of a client's stage in the timeline and in JSON.
pub fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::Attach => "attached",
        Stage::Prefix => "prefix",
        Stage::Time => "time",
        Stage::Resolve => "dns",
        Stage::Tcp => "tcp",
        Stage::Tls => "tls",
        Stage::Mqtt => "connack",
    }
}

/// Turns a clause into a sentence with a capital and a full stop.
fn sentence(clause: &str) -> String {
    let mut characters = clause.trim().chars();
    let mut text = String::with_capacity(clause.len() + 1);
    if let Some(first) = characters.next() {
        text.extend(first.to_uppercase());
    }
    text.push_str(characters.as_str());
    if !text.ends_with(['.', '!', '?']) {
        text.push('.');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use thread_mqtt_client::TcpError;

    #[test]
    fn errors_become_two_sentences() {
        let failure = Failure::from_error("setup", &"the host is empty: write a name after ://");
        assert_eq!(
            failure.to_string(),
            "The host is empty.\nWrite a name after ://."
        );
        let failure = Failure::from_error("setup", &"it is: broken; fix it.");
        assert_eq!(failure.to_string(), "It is: broken.\nFix it.");
    }

    #[test]
    fn every_cause_has_a_cure() {
        for error in [TcpError::Refused, TcpError::Other(-5)] {
            let failure = Failure::from_cause(Stage::Tcp, &Cause::Tcp(error));
            assert_eq!(failure.stage, "tcp");
            assert!(failure.cure.len() > 10 && failure.cause.ends_with('.'));
        }
    }
}
