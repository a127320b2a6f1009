//! The format in which `sub` prints a message.
use std::io::Write;
use thread_mqtt_session::{Message, Properties};

/// The characters allowed after a percent sign, apart from another percent sign.
pub(crate) const FORMATS: [char; 12] = ['t', 'p', 'x', 'l', 'q', 'r', 'C', 'D', 'E', 'F', 'P', 'R'];

/// Returns the first invalid percent sign, with the character after it.
pub(crate) fn unknown_in(format: &str) -> Option<String> {
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter == '%' {
            match letters.next() {
                Some(kind) if kind == '%' || FORMATS.contains(&kind) => {}
                other => {
                    return Some(
                        other
                            .into_iter()
                            .fold("%".to_owned(), |all, c| format!("{all}{c}")),
                    );
                }
            }
        }
    }
    None
}

/// Formats a message, with the syntax of mosquitto_sub.
pub(crate) fn format(format: &str, message: &Message) -> Vec<u8> {
    let none = Properties::default();
    let properties = message.properties.as_deref().unwrap_or(&none);
    let mut out = Vec::new();
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '%' => match letters.next() {
                Some(kind) => push(&mut out, kind, message, properties),
                None => out.push(b'%'),
            },
            '\\' => match letters.next() {
                Some('n') => out.push(b'\n'),
                Some('t') => out.push(b'\t'),
                Some('0') => out.push(0),
                Some('\\') | None => out.push(b'\\'),
                Some(other) => write_to(&mut out, format_args!("\\{other}")),
            },
            letter => write_to(&mut out, format_args!("{letter}")),
        }
    }
    out
}

fn push(out: &mut Vec<u8>, kind: char, message: &Message, properties: &Properties) {
    match kind {
        't' => out.extend_from_slice(message.topic.as_bytes()),
        'p' => out.extend_from_slice(&message.payload),
        'x' => {
            for byte in &message.payload {
                write_to(out, format_args!("{byte:02x}"));
            }
        }
        'l' => write_to(out, format_args!("{}", message.payload.len())),
        'q' => write_to(out, format_args!("{}", message.qos as u8)),
        'r' => write_to(out, format_args!("{}", u8::from(message.retain))),
        'C' => out.extend_from_slice(properties.content_type.as_deref().unwrap_or("").as_bytes()),
        'D' => out.extend_from_slice(properties.correlation_data.as_deref().unwrap_or(&[])),
        'E' => {
            if let Some(seconds) = properties.message_expiry {
                write_to(out, format_args!("{seconds}"));
            }
        }
        'F' => {
            if let Some(is_utf8) = properties.payload_is_utf8 {
                write_to(out, format_args!("{}", u8::from(is_utf8)));
            }
        }
        'P' => {
            for (place, (name, value)) in properties.user.iter().enumerate() {
                let blank = if place == 0 { "" } else { " " };
                write_to(out, format_args!("{blank}{name}:{value}"));
            }
        }
        'R' => out.extend_from_slice(
            properties
                .response_topic
                .as_deref()
                .unwrap_or("")
                .as_bytes(),
        ),
        '%' => out.push(b'%'),
        other => write_to(out, format_args!("%{other}")),
    }
}

fn write_to(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing to memory cannot fail.
    let _ = out.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use thread_mqtt_session::QoS;

    #[test]
    fn everything_of_a_message_can_be_printed() {
        let message = Message::new("a/b", [b'h', b'i', 255])
            .qos(QoS::AtLeastOnce)
            .retain(true)
            .properties(Properties {
                content_type: Some("text/plain".into()),
                correlation_data: Some(b"7".to_vec()),
                message_expiry: Some(60),
                payload_is_utf8: Some(true),
                response_topic: Some("answer".into()),
                user: vec![("a".into(), "b".into()), ("c".into(), "d".into())],
            });
        for (text, printed) in [
            ("%t", &b"a/b"[..]),
            ("%p", b"hi\xff"),
            ("%x %l %q %r", b"6869ff 3 1 1"),
            ("%C|%D|%E|%F|%R", b"text/plain|7|60|1|answer"),
            ("%P", b"a:b c:d"),
            ("100%%\\n\\t\\z", b"100%\n\t\\z"),
        ] {
            assert_eq!(unknown_in(text), None, "{text}");
            assert_eq!(format(text, &message), printed, "{text}");
        }
        for (text, unknown) in [("%t%y", "%y"), ("100%", "%"), ("%%%", "%")] {
            assert_eq!(unknown_in(text).as_deref(), Some(unknown), "{text}");
        }
        for known in FORMATS {
            let text = format!("%{known}");
            assert_ne!(format(&text, &message), text.as_bytes(), "{text}");
        }
        let bare = Message::new("t", "");
        assert_eq!(format("[%C%D%E%F%P%R]", &bare), b"[]");
    }
}
