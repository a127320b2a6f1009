//! Checks what clap cannot: refuses an invalid command line before anything is sent, and names the
//! option at fault.
use crate::args::{
    CommonArguments, FamilyArgument, MqttArguments, MqttVersion, NetworkArguments,
    PropertyArguments, SessionArguments,
};
use crate::exit::Failure;
use thread_mqtt_client::Broker;
use thread_mqtt_resolve::{Host, Scheme};
use thread_mqtt_tls::Version;

/// Checks the options of every command that connects to brokers.
pub(crate) fn common(arguments: &CommonArguments, brokers: &[Broker]) -> Result<(), Failure> {
    let (mqtt, will) = (&arguments.mqtt, &arguments.will);
    security(arguments, brokers)?;
    idle(arguments)?;
    policy(&arguments.network)?;
    for broker in brokers {
        family(&arguments.network, &broker.uri.host)?;
    }
    for (option, given) in [("--id", &mqtt.id), ("--username", &mqtt.username)] {
        if let Some(given) = given {
            text(option, given)?;
        }
    }
    if let Some(topic) = &will.will_topic {
        topic_name("--will-topic", topic)?;
    }
    let will_properties = will.property_arguments();
    properties("will-", &will_properties)?;
    version("will-", &will_properties, mqtt.version)?;
    if mqtt.persistent {
        named(mqtt, "-c")?;
    }
    let has_password = mqtt.password.is_some() || mqtt.password_file.is_some();
    if mqtt.version == MqttVersion::V311 && has_password && mqtt.username.is_none() {
        return Err(
            Failure::usage("MQTT 3.1.1 does not allow a password without a user name")
                .cure("give the user name with -u, or use MQTT 5"),
        );
    }
    if will.will_delay.is_some() && mqtt.version == MqttVersion::V311 {
        return Err(only_v5("--will-delay"));
    }
    Ok(())
}

/// An option that has no effect together with another one, and why.
struct Idle {
    both_given: bool,
    option: &'static str,
    beside: &'static str,
    why: &'static str,
}

/// Refuses options that would be ignored: every option given must have an effect.
fn idle(arguments: &CommonArguments) -> Result<(), Failure> {
    let (mqtt, tls) = (&arguments.mqtt, &arguments.tls);
    let is_v311 = mqtt.version == MqttVersion::V311;
    refuse(&[
        Idle {
            both_given: is_v311 && mqtt.fallback,
            option: "--fallback",
            beside: "--mqtt 3.1.1",
            why: "--fallback is for version 5",
        },
        Idle {
            both_given: is_v311 && arguments.redirects.is_some(),
            option: "--redirects",
            beside: "--mqtt 3.1.1",
            why: "that version has no redirects",
        },
        Idle {
            both_given: tls.max_chain.is_some() && !tls.pin.is_empty() && tls.ca.is_none(),
            option: "--max-chain",
            beside: "--pin without --ca",
            why: "the pin replaces the path to a CA",
        },
        Idle {
            both_given: tls.require_ems
                && !tls.tls.is_empty()
                && !tls.tls.contains(&Version::Tls12),
            option: "--require-ems",
            beside: "--tls 1.3",
            why: "it applies to TLS 1.2 only",
        },
    ])
}

/// Refuses address options that would be ignored.
pub(crate) fn policy(network: &NetworkArguments) -> Result<(), Failure> {
    let beside = match network.family {
        FamilyArgument::Any => return Ok(()),
        FamilyArgument::Ipv4 => "--family ipv4",
        FamilyArgument::Ipv6 => "--family ipv6",
    };
    refuse(&[Idle {
        both_given: network.policy.is_some(),
        option: "--policy",
        beside,
        why: "it orders the two families",
    }])
}

fn refuse(options: &[Idle]) -> Result<(), Failure> {
    match options.iter().find(|idle| idle.both_given) {
        None => Ok(()),
        Some(Idle {
            option,
            beside,
            why,
            ..
        }) => Err(
            Failure::usage(format_args!("{option} has no effect with {beside}: {why}"))
                .cure(format_args!("leave {option} or {beside} out")),
        ),
    }
}

/// Refuses properties if the MQTT version has none. `of` is the prefix of each option's name.
pub(crate) fn version(
    of: &str,
    given: &PropertyArguments,
    version: MqttVersion,
) -> Result<(), Failure> {
    let options = [
        (given.content_type.is_some(), "content-type"),
        (given.payload_format.is_some(), "payload-format"),
        // For a will, the option is called --will-expiry.
        (
            given.message_expiry.is_some(),
            if of.is_empty() {
                "message-expiry"
            } else {
                "expiry"
            },
        ),
        (given.response_topic.is_some(), "response-topic"),
        (given.correlation_data.is_some(), "correlation-data"),
        (!given.user_property.is_empty(), "user-property"),
    ];
    match options.iter().find(|(is_given, _)| *is_given) {
        Some((_, option)) if version == MqttVersion::V311 => {
            Err(only_v5(&format!("--{of}{option}")))
        }
        _ => Ok(()),
    }
}

/// Refuses to keep a session without an identifier: the broker could not find it again.
fn named(mqtt: &MqttArguments, option: &str) -> Result<(), Failure> {
    if mqtt.id.as_deref() != Some("") {
        return Ok(());
    }
    Err(Failure::usage(format_args!(
        "--id is empty, but {option} keeps the session under that name"
    ))
    .cure(format_args!(
        "give a name after --id, or leave {option} out"
    )))
}

/// Checks how long the broker keeps the session.
pub(crate) fn expiry(
    arguments: &CommonArguments,
    session: Option<&SessionArguments>,
) -> Result<(), Failure> {
    let mqtt = &arguments.mqtt;
    let is_stored = session.is_some_and(|session| session.directory.is_some());
    if is_stored {
        named(mqtt, "--session")?;
    }
    let is_kept = mqtt.persistent || is_stored;
    // MQTT 5 section 3.1.3.2.2: when the session ends, at the latest.
    if arguments.will.will_delay.is_some() && !is_kept {
        return Err(Failure::usage(
            "--will-delay cannot outlast the session, which ends with the connection without -c",
        )
        .cure("add -c and an --id, or leave --will-delay out"));
    }
    let Some(seconds) = mqtt.session_expiry_interval else {
        return Ok(());
    };
    if mqtt.version == MqttVersion::V311 {
        return Err(only_v5("-x"));
    }
    // With -c only, this resumes a stored session and ends it.
    if is_stored && seconds == 0 {
        return Err(Failure::usage(
            "with -x 0 the broker drops the session when the connection ends, so --session cannot resume it",
        )
        .cure("give -x more seconds than pass between two commands, or leave it out"));
    }
    match is_kept {
        true => Ok(()),
        false => Err(Failure::usage(
            "-x sets how long the broker keeps the session, but without -c it is not kept",
        )
        .cure("add -c and an --id, or leave -x out")),
    }
}

/// Refuses a plain broker in the list if there are TLS options or a password: a single one lets
/// everyone on the way read along, which the user does not expect.
fn security(arguments: &CommonArguments, brokers: &[Broker]) -> Result<(), Failure> {
    let plain = brokers
        .iter()
        .find(|broker| broker.uri.scheme == Scheme::Mqtt);
    let Some(plain) = plain.map(|broker| &broker.uri) else {
        return Ok(());
    };
    let mqtt = &arguments.mqtt;
    let option = arguments.tls.given();
    if brokers
        .iter()
        .all(|broker| broker.uri.scheme == Scheme::Mqtt)
    {
        return match option {
            Some(option) => Err(Failure::usage(format_args!(
                "{option} is a TLS option, but the broker's URI is mqtt://, without TLS"
            ))
            .cure(format_args!("write mqtts://, or leave {option} out"))),
            None => Ok(()),
        };
    }
    let secret = [
        (mqtt.has_password(), "a password"),
        (mqtt.username.is_some(), "a user name"),
    ];
    let secret = secret.into_iter().find(|(is_given, _)| *is_given);
    let Some(option) = option.or(secret.map(|(_, option)| option)) else {
        return Ok(());
    };
    Err(Failure::usage(format_args!(
        "with {option}, the list of brokers must not mix mqtts:// and mqtt://: {plain} would be used \
         without TLS"
    ))
    .cure(format_args!(
        "write mqtts:// for each broker, or leave {plain} out"
    )))
}

/// Checks that the requested address family is the family of an address.
pub(crate) fn family(network: &NetworkArguments, host: &Host) -> Result<(), Failure> {
    use FamilyArgument::{Any, Ipv4, Ipv6};
    let (wanted, given, address) = match (network.family, host) {
        (Any, _) | (_, Host::Name(_)) | (Ipv4, Host::Ipv4(_)) | (Ipv6, Host::Ipv6(_)) => {
            return Ok(());
        }
        (Ipv4, _) => ("ipv4", "IPv6", host),
        (Ipv6, _) => ("ipv6", "IPv4", host),
    };
    Err(Failure::usage(format_args!(
        "--family {wanted} conflicts with {address}, which is an {given} address"
    ))
    .cure("leave --family out, or give the broker's name"))
}

fn only_v5(option: &str) -> Failure {
    Failure::usage(format_args!(
        "{option} requires MQTT 5, but --mqtt is 3.1.1"
    ))
    .cure(format_args!("leave {option} out, or use MQTT 5"))
}

/// Checks the properties of a message. `of` is the prefix of each option's name.
pub(crate) fn properties(of: &str, given: &PropertyArguments) -> Result<(), Failure> {
    if let Some(kind) = &given.content_type {
        text(&format!("--{of}content-type"), kind)?;
    }
    if let Some(topic) = &given.response_topic {
        topic_name(&format!("--{of}response-topic"), topic)?;
    }
    let option = format!("--{of}user-property");
    for (name, value) in &given.user_property {
        text(&option, name)?;
        text(&option, value)?;
    }
    Ok(())
}

/// Checks the topic of a message.
pub(crate) fn topic_name(option: &str, topic: &str) -> Result<(), Failure> {
    if topic.is_empty() {
        return Err(Failure::usage(format_args!(
            "{option} is empty, but a message needs a topic"
        ))
        .cure("give a topic, for example sensors/temperature"));
    }
    if topic.contains(['+', '#']) {
        return Err(Failure::usage(format_args!(
            "{option} {topic:?}: the topic of a message must not contain the wildcards + and #"
        ))
        .cure("give one topic; wildcards are for sub"));
    }
    text(option, topic)
}

/// Checks a text that goes to the broker. MQTT 5 section 1.5.4 and 3.1.1 section 1.5.3 advise
/// against control characters and non-characters, and a broker may close the connection because of
/// one. Mosquitto does, and the client would reconnect and send the same text again.
pub(crate) fn text(option: &str, text: &str) -> Result<(), Failure> {
    let Some((character, kind)) = text.chars().find_map(|c| Some((c, unwelcome(c)?))) else {
        return Ok(());
    };
    Err(Failure::usage(format_args!(
        "{option} {text:?} contains the {kind} U+{:04X}, for which brokers close the connection",
        u32::from(character)
    ))
    .cure("remove that character"))
}

fn unwelcome(character: char) -> Option<&'static str> {
    let number = u32::from(character);
    if character.is_control() {
        Some("control character")
    } else if (0xFDD0..=0xFDEF).contains(&number) || number & 0xFFFE == 0xFFFE {
        Some("non-character")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_brokers_refuse() {
        for c in [
            '\0',
            '\u{1}',
            '\t',
            '\u{1f}',
            '\u{7f}',
            '\u{9f}',
            '\u{fdd0}',
            '\u{fdef}',
            '\u{fffe}',
            '\u{1ffff}',
            '\u{10ffff}',
        ] {
            let refused = text("--topic", &format!("a{c}")).unwrap_err().to_string();
            let number = format!("U+{:04X}", u32::from(c));
            assert!(refused.contains(&number), "{refused}");
        }
        for c in [
            ' ',
            '~',
            '\u{a0}',
            'ü',
            '\u{fdcf}',
            '\u{fdf0}',
            '\u{fffd}',
            '\u{1f600}',
        ] {
            assert!(text("--topic", &format!("a{c}")).is_ok(), "{c:?}");
        }
    }
}
