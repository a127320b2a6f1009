//! Events: stages that were reached, and candidates and attempts that failed.
use crate::error::Cause;
use crate::time::{TimeError, Utc};
use alloc::boxed::Box;
use core::fmt;
use core::time::Duration;
use thread_mqtt_resolve::resolver::{Candidate, Report};
use thread_mqtt_resolve::{BrokerUri, Prefix, PrefixSource};
use thread_mqtt_session::Version;
use thread_mqtt_tls::Agreed;

/// The stages of an attempt, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// The network is up.
    Attach,
    /// A NAT64 prefix is known (skipped for IPv6 literals and native IPv4).
    Prefix,
    /// The time is known (skipped without TLS, and where the platform knows it).
    Time,
    /// The broker's addresses are known.
    Resolve,
    /// TCP is connected.
    Tcp,
    /// TLS is established.
    Tls,
    /// The broker has sent CONNACK.
    Mqtt,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Attach => "attach",
            Self::Prefix => "prefix",
            Self::Time => "time",
            Self::Resolve => "resolve",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Mqtt => "MQTT",
        })
    }
}

/// The result of a finished stage.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reached {
    /// The network is attached.
    Attached,
    /// The prefix that will be tried first, and its source.
    Prefix(Prefix, PrefixSource),
    /// The time in Unix seconds, and the server that supplied it.
    Time(u64, Candidate),
    /// The addresses, and the source that supplied them.
    Resolved(Box<Report>),
    /// TCP is connected to this candidate.
    Tcp(Candidate, u16),
    /// TLS is established.
    Tls(Agreed),
    /// The broker has accepted the session.
    Online {
        /// Whether the broker still had the session.
        session_present: bool,
    },
}

impl Reached {
    /// Returns the stage that was finished.
    pub fn stage(&self) -> Stage {
        match self {
            Self::Attached => Stage::Attach,
            Self::Prefix(..) => Stage::Prefix,
            Self::Time(..) => Stage::Time,
            Self::Resolved(_) => Stage::Resolve,
            Self::Tcp(..) => Stage::Tcp,
            Self::Tls(_) => Stage::Tls,
            Self::Online { .. } => Stage::Mqtt,
        }
    }
}

impl fmt::Display for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attached => f.write_str("the network is up"),
            Self::Prefix(prefix, source) => write!(f, "NAT64 prefix {prefix} from the {source}"),
            Self::Time(seconds, server) => write!(f, "{}, from {server}", Utc(*seconds)),
            Self::Resolved(report) => report.fmt(f),
            Self::Tcp(candidate, port) => {
                write!(f, "connected to {candidate}, port {port}")
            }
            Self::Tls(agreed) => {
                write!(f, "{}, {}", agreed.version, agreed.suite())?;
                if let Some(group) = agreed.group() {
                    write!(f, ", {group}")?;
                }
                f.write_str(if agreed.resumed { ", resumed" } else { "" })
            }
            Self::Online { session_present } => f.write_str(if *session_present {
                "online, the broker resumed the session"
            } else {
                "online with a new session"
            }),
        }
    }
}

/// An event of the client.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A stage was finished.
    Reached(Reached),
    /// The time is not known, and [`TimePolicy::Lenient`](crate::TimePolicy::Lenient) continues
    /// without it: the broker's certificate is checked against a time that is known to have passed.
    TimeUnknown {
        /// Why it is not known.
        why: TimeError,
        /// That time, in Unix seconds.
        floor: u64,
    },
    /// TCP to one address failed. The next one is tried; after the last, [`Failed`](Self::Failed)
    /// follows with the same cause.
    CandidateFailed(Candidate, Cause),
    /// An attempt or a connection ended.
    Failed {
        /// The stage that failed.
        stage: Stage,
        /// The cause.
        cause: Cause,
        /// The pause before the next attempt; a change of the network may shorten it. `None` if
        /// there is no next attempt: after [`stop`](crate::Client::stop), or with
        /// [`Retry::Never`](crate::Retry::Never).
        retry_in: Option<Duration>,
    },
    /// The next attempt goes to this broker. Sent if there are several, for the first choice and
    /// for each change: the previous one failed or redirected here, or a preferred one is due to be
    /// tried again.
    Broker(BrokerUri),
    /// The broker seems not to support the version of MQTT that was used; this one is tried next
    /// ([`Config::fallback_to_v311`](crate::Config::fallback_to_v311)).
    Version(Version),
    /// [`KeepAlive::Auto`](crate::KeepAlive::Auto) has learned that the path tolerates this much
    /// silence. Store it, as `start` for the next boot.
    KeepAlive(Duration),
    /// The application did not poll in time, and this many events were dropped, oldest first.
    /// Events of the session are never dropped.
    Missed(u32),
    /// An event of the session: a message, an acknowledgement. `Connected` arrives as
    /// [`Reached::Online`].
    Session(thread_mqtt_session::Event),
    /// `stop` has completed.
    Stopped,
}

impl Event {
    /// Translates an event of the session into one of the client.
    pub(crate) fn of_session(event: thread_mqtt_session::Event) -> Self {
        match event {
            thread_mqtt_session::Event::Connected { session_present } => {
                Self::Reached(Reached::Online { session_present })
            }
            other => Self::Session(other),
        }
    }

    /// Returns the stage and cause, if the event reports a failure of an attempt, a connection or a
    /// single address.
    pub fn failure(&self) -> Option<(Stage, &Cause)> {
        match self {
            Self::CandidateFailed(_, cause) => Some((Stage::Tcp, cause)),
            Self::Failed { stage, cause, .. } => Some((*stage, cause)),
            _ => None,
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reached(reached) => write!(f, "{}: {reached}", reached.stage()),
            Self::TimeUnknown { why, floor } => why.in_full(*floor).fmt(f),
            Self::CandidateFailed(candidate, cause) => {
                write!(f, "TCP: {candidate}: {cause}")
            }
            Self::Failed {
                stage,
                cause,
                retry_in,
            } => {
                write!(f, "{stage} failed: {cause}")?;
                match retry_in {
                    // Rounded up: "in 0 s" would mean at once.
                    Some(pause) => {
                        let seconds = pause.as_secs() + u64::from(pause.subsec_nanos() > 0);
                        write!(f, "; next attempt in {seconds} s")
                    }
                    None => Ok(()),
                }
            }
            Self::Broker(uri) => write!(f, "the next broker is {uri}"),
            Self::Version(version) => write!(f, "the next attempt uses {version}"),
            Self::KeepAlive(silence) => {
                write!(f, "the path tolerates {} s of silence", silence.as_secs())
            }
            Self::Missed(count) => write!(
                f,
                "{count} events were dropped because they were not \
                 polled in time"
            ),
            Self::Session(event) => write!(f, "{event:?}"),
            Self::Stopped => f.write_str("stopped"),
        }
    }
}
