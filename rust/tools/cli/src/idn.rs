//! International host names: what a person writes becomes what the DNS knows.
use std::borrow::Cow;

/// A URI or a host with the host's name in ASCII (A-labels, RFC 5890; mapped by UTS 46). Unchanged if
/// it is ASCII already, or if it is not a name: what reads it next says what is wrong with it.
pub(crate) fn to_ascii(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let start = text.find("://").map_or(0, |at| at + 3);
    let (scheme, rest) = text.split_at(start);
    let end = rest.find([':', '/', '?', '#']).unwrap_or(rest.len());
    let (host, behind) = rest.split_at(end);
    match idna::domain_to_ascii(host) {
        Ok(ascii) if !ascii.is_empty() => Cow::Owned(format!("{scheme}{ascii}{behind}")),
        _ => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_what_the_dns_knows() {
        for (written, known) in [
            ("mqtts://bücher.example", "mqtts://xn--bcher-kva.example"),
            (
                "mqtts://BÜCHER.example:8884",
                "mqtts://xn--bcher-kva.example:8884",
            ),
            ("faß.example", "xn--fa-hia.example"),
            ("mqtt://例え.テスト/", "mqtt://xn--r8jz45g.xn--zckzah/"),
            // The full stop of another script.
            ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
            ("mqtts://broker.example:8883", "mqtts://broker.example:8883"),
            ("[2001:db8::1]", "[2001:db8::1]"),
        ] {
            assert_eq!(to_ascii(written), known);
        }
    }

    #[test]
    fn what_is_not_a_name_stays_as_it_is() {
        for text in ["mqtts://ü\u{0}.example", "mqtts://", "mqtts://\u{200b}"] {
            let ascii = to_ascii(text);
            assert!(ascii == text || ascii.is_ascii(), "{text:?}: {ascii:?}");
        }
    }
}
