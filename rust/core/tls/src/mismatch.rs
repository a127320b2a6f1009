//! How the names of a certificate differ from the one connected to.

use alloc::boxed::Box;
use alloc::string::ToString;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rustls_pki_types::{CertificateDer, ServerName};

use crate::certificate::{self, CertificateSummary};
use crate::fault::{CertificateFault, NameMismatch};

/// Describes how the names of a certificate differ from the wanted one.
pub(crate) fn fault(
    end_entity: &CertificateDer<'_>,
    chain: &[CertificateSummary],
    server_name: &ServerName<'_>,
) -> CertificateFault {
    if !cfg!(feature = "summaries") {
        return CertificateFault::NameMismatch {
            expected: Box::default(),
            presented: Box::default(),
            mismatch: NameMismatch::Unknown,
        };
    }
    let expected = name_text(server_name);
    let leaf = chain.first();
    let presented = leaf.map(|leaf| leaf.names.clone()).unwrap_or_default();
    let is_common_name = || {
        let of = |attribute: &str| attribute.strip_prefix("CN=") == Some(&expected);
        leaf.is_some_and(|leaf| leaf.subject.split([',', '+']).any(of))
    };
    let mismatch = match server_name {
        // An iPAddress entry with this address would have matched.
        ServerName::IpAddress(_) if presented.iter().any(|name| is_address(name, &expected)) => {
            NameMismatch::AddressAsDnsName
        }
        _ if presented.iter().any(|name| has_final_dot(name, &expected)) => NameMismatch::FinalDot,
        _ if presented
            .iter()
            .any(|name| is_wide_wildcard(name, &expected)) =>
        {
            NameMismatch::WideWildcard
        }
        _ if !presented.is_empty() => NameMismatch::OtherNames,
        _ if certificate::has_alternative_names(end_entity) => NameMismatch::OtherKinds,
        _ if is_common_name() => NameMismatch::CommonName,
        _ => NameMismatch::NoNames,
    };
    CertificateFault::NameMismatch {
        expected,
        presented: presented.into_boxed_slice(),
        mismatch,
    }
}

/// Returns whether a name is this address, in any spelling.
fn is_address(name: &str, address: &str) -> bool {
    let bare = name.trim_matches(['[', ']']);
    let parsed = bare.parse::<IpAddr>();
    parsed.is_ok() && parsed == address.parse()
}

fn has_final_dot(name: &str, expected: &str) -> bool {
    let bare = name.strip_suffix('.');
    bare.is_some_and(|bare| bare.eq_ignore_ascii_case(expected))
}

/// Returns whether a name matches this one only by a wildcard above fewer than two labels.
fn is_wide_wildcard(name: &str, expected: &str) -> bool {
    let labels =
        |name| str::split_once(name, '.').map_or((name, ""), |(first, rest)| (first, rest));
    let ((star, above), (_, of_expected)) = (labels(name), labels(expected));
    star == "*" && !above.contains('.') && above.eq_ignore_ascii_case(of_expected)
}

fn name_text(name: &ServerName<'_>) -> Box<str> {
    use rustls_pki_types::IpAddr as Address;
    match name {
        ServerName::DnsName(name) => name.as_ref().into(),
        ServerName::IpAddress(Address::V4(v4)) => Ipv4Addr::from(*v4.as_ref()).to_string().into(),
        ServerName::IpAddress(Address::V6(v6)) => Ipv6Addr::from(*v6.as_ref()).to_string().into(),
        _ => Box::default(),
    }
}
