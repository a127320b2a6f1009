//! International host names: converts what a user types into the form used in DNS.
use crate::exit::Failure;
use std::borrow::Cow;

/// Returns a URI or host with the host name in ASCII (A-labels, RFC 5890; mapped by UTS 46).
/// Returns it unchanged if it is already ASCII, or if it is not a name, which the next parser
/// reports.
pub(crate) fn to_ascii(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let (scheme, host, behind) = parts(text);
    match idna::domain_to_ascii(host) {
        Ok(ascii) if !ascii.is_empty() => Cow::Owned(format!("{scheme}{ascii}{behind}")),
        _ => Cow::Borrowed(text),
    }
}

/// Refuses a host that is not ASCII and has no ASCII form.
pub(crate) fn check(text: &str) -> Result<(), Failure> {
    let (_, host, _) = parts(text);
    if to_ascii(host).is_ascii() {
        return Ok(());
    }
    let failure = Failure::usage(format_args!(
        "the host name {host:?} cannot be converted to ASCII (IDNA, UTS 46) for the DNS"
    ));
    // A label must not mix the two forms.
    let is_mixed = |label: &str| {
        let prefix = label.get(..4).unwrap_or_default();
        prefix.eq_ignore_ascii_case("xn--") && !label.is_ascii()
    };
    Err(match host.split('.').find(|label| is_mixed(label)) {
        Some(label) => failure.cure(format_args!(
            "remove xn-- from {label:?}: it marks a label that is already in ASCII"
        )),
        None => failure.cure("check the characters of the name"),
    })
}

/// Splits into the scheme, the host, and the rest.
fn parts(text: &str) -> (&str, &str, &str) {
    let start = text.find("://").map_or(0, |at| at + 3);
    let (scheme, rest) = text.split_at(start);
    let end = rest.find([':', '/', '?', '#']).unwrap_or(rest.len());
    let (host, behind) = rest.split_at(end);
    (scheme, host, behind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_form_in_ascii_is_told() {
        for (text, cause, cure) in [
            ("xn--ü", "\"xn--ü\"", "remove xn-- from \"xn--ü\""),
            (
                "mqtts://a.XN--bücher.example:8883",
                "\"a.XN--bücher.example\"",
                "remove xn-- from \"XN--bücher\"",
            ),
            (
                "mqtt://ü\u{ad}\u{200f}",
                "cannot be converted",
                "check the characters",
            ),
        ] {
            let told = check(text).unwrap_err().to_string();
            assert!(told.contains(cause) && told.contains(cure), "{told}");
        }
        for text in [
            "mqtts://bücher.example",
            "a..b",
            "xn--bcher-kva",
            "mqtt://",
            "[::1%ü]",
        ] {
            assert!(check(text).is_ok(), "{text}");
        }
    }

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
            // A full stop of another script.
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
