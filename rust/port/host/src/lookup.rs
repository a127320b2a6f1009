//! The platform's resolver: `getaddrinfo`, which blocks and therefore runs on its own thread.
use crate::{Waker, code};
use dns_lookup::{AddrInfoHints, LookupErrorKind, SockType, getaddrinfo};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use thread_mqtt_resolve::resolver::{Family, LookupError};

pub(crate) type Answer = Result<Vec<IpAddr>, LookupError>;

#[derive(Debug)]
pub(crate) struct Lookup {
    /// Counts the queries, to recognise the answer to an abandoned one.
    question: u64,
    sender: Sender<(u64, Answer)>,
    receiver: Receiver<(u64, Answer)>,
}

impl Lookup {
    pub(crate) fn new() -> Self {
        let (sender, receiver) = channel();
        Self {
            question: 0,
            sender,
            receiver,
        }
    }

    /// Starts a query and abandons any earlier one.
    pub(crate) fn ask(&mut self, name: &str, family: Family, waker: Waker) -> io::Result<()> {
        self.question += 1;
        let question = self.question;
        let sender = self.sender.clone();
        let name = name.to_owned();
        thread::Builder::new()
            .name("getaddrinfo".to_owned())
            .spawn(move || {
                let _ = sender.send((question, addresses(&name, family)));
                waker.wake();
            })?;
        Ok(())
    }

    /// Returns the answer, once.
    pub(crate) fn poll(&mut self) -> Option<Answer> {
        self.receiver
            .try_iter()
            .find(|(question, _)| *question == self.question)
            .map(|(_, answer)| answer)
    }
}

fn addresses(name: &str, family: Family) -> Answer {
    let wanted = |address: &IpAddr| match family {
        Family::Unspecified => true,
        Family::Inet => address.is_ipv4(),
        Family::Inet6 => address.is_ipv6(),
    };
    if !is_localhost(name) {
        return Ok(getaddrinfo_all(name)?.into_iter().filter(wanted).collect());
    }
    // All of these names mean this host, and no DNS server may be asked (RFC 6761 section 6.3).
    // /etc/hosts normally says which of the two addresses this host has.
    let mut found = getaddrinfo_all("localhost").unwrap_or_default();
    found.retain(|address| address.is_loopback() && wanted(address));
    if found.is_empty() {
        found = vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()];
        found.retain(wanted);
    }
    Ok(found)
}

/// Returns whether a name is `localhost` or below it.
pub fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let front = name.strip_suffix("localhost");
    front.is_some_and(|front| front.is_empty() || front.ends_with('.'))
}

fn getaddrinfo_all(name: &str) -> Answer {
    // Ask for one socket type, or each address would be returned once per type.
    let hints = AddrInfoHints {
        socktype: SockType::Stream.into(),
        ..AddrInfoHints::default()
    };
    let found = getaddrinfo(Some(name), None, Some(hints)).map_err(failure)?;
    let mut addresses: Vec<IpAddr> = Vec::new();
    for address in found.flatten().map(|found| found.sockaddr.ip()) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

/// Translates an error of `getaddrinfo`. It does not distinguish a failing server from one that did
/// not answer; the network's servers, which are asked next, do.
fn failure(error: dns_lookup::LookupError) -> LookupError {
    match error.kind() {
        LookupErrorKind::NoName => LookupError::NameError,
        LookupErrorKind::NoData => LookupError::NoData,
        LookupErrorKind::Again => LookupError::Unanswered,
        LookupErrorKind::Fail => LookupError::ServerFailure,
        LookupErrorKind::System => LookupError::Platform(code(&error.into())),
        // Negative by convention of this project; some systems use positive numbers.
        _ => LookupError::Platform(-error.error_num().abs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn localhost_is_this_host() {
        for name in [
            "localhost",
            "broker.localhost",
            "localhost.",
            "broker.localhost.",
        ] {
            for family in [Family::Unspecified, Family::Inet, Family::Inet6] {
                let found = addresses(name, family).unwrap();
                assert!(!found.is_empty(), "{name} {family:?}");
                assert!(found.iter().all(IpAddr::is_loopback), "{found:?}");
            }
        }
        assert!(!is_localhost("notlocalhost") && !is_localhost("localhost.example"));
    }

    #[test]
    fn errors_keep_their_meaning() {
        for (number, meant) in [
            (libc::EAI_NONAME, LookupError::NameError),
            (libc::EAI_AGAIN, LookupError::Unanswered),
            (libc::EAI_FAIL, LookupError::ServerFailure),
            (
                libc::EAI_MEMORY,
                LookupError::Platform(-libc::EAI_MEMORY.abs()),
            ),
        ] {
            assert_eq!(failure(dns_lookup::LookupError::new(number)), meant);
        }
    }
}
