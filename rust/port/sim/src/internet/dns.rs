//! The world's DNS server.
use super::zone::{Record, Unknown, Zone};
use core::net::IpAddr;
use domain::base::iana::{Rcode, Rtype};
use domain::base::{Message, MessageBuilder, Name, ToName, Ttl};
use domain::rdata::{A, Aaaa, Cname};

/// Maximum number of aliases followed before the server gives up (SERVFAIL).
const LONGEST_CHAIN: usize = 8;

/// The outcome of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Send this answer.
    Answer(Vec<u8>),
    /// Send nothing.
    Silence,
    /// Ask the host's resolver for the addresses of this name first; see [`answer_with`].
    AskHost(String),
}

/// Answers a query from the zone.
pub(crate) fn answer(zone: &Zone, query: &[u8]) -> Outcome {
    let Some((name, _)) = question(query) else {
        return Outcome::Silence;
    };
    let mut chain = vec![name.clone()];
    loop {
        let last = chain.last().unwrap_or(&name);
        match zone.names.get(last) {
            Some(Record::Alias(target)) if chain.len() <= LONGEST_CHAIN => {
                chain.push(target.trim_end_matches('.').to_ascii_lowercase());
            }
            Some(Record::Alias(_) | Record::ServerFailure) => {
                return reply(query, Rcode::SERVFAIL, &[], &[], zone.ttl);
            }
            Some(Record::Addresses { ipv4, ipv6 }) => {
                let addresses: Vec<IpAddr> = (ipv4.iter().copied().map(IpAddr::V4))
                    .chain(ipv6.iter().copied().map(IpAddr::V6))
                    .collect();
                return reply(query, Rcode::NOERROR, &chain, &addresses, zone.ttl);
            }
            Some(Record::NameError) => {
                return reply(query, Rcode::NXDOMAIN, &chain, &[], zone.ttl);
            }
            Some(Record::Refused) => return reply(query, Rcode::REFUSED, &[], &[], zone.ttl),
            Some(Record::Silence) => return Outcome::Silence,
            None if zone.unknown == Unknown::AskHost => return Outcome::AskHost(last.clone()),
            None => return reply(query, Rcode::NXDOMAIN, &chain, &[], zone.ttl),
        }
    }
}

/// Answers a query with the result of the host's resolver. An error becomes NXDOMAIN, because
/// `getaddrinfo` gives no detail.
pub(crate) fn answer_with(query: &[u8], addresses: Option<&[IpAddr]>, ttl: u32) -> Outcome {
    let Some((name, _)) = question(query) else {
        return Outcome::Silence;
    };
    match addresses {
        Some(addresses) => reply(query, Rcode::NOERROR, &[name], addresses, ttl),
        None => reply(query, Rcode::NXDOMAIN, &[name], &[], ttl),
    }
}

/// Returns the queried name, in lower case without its final dot, and the type. Returns `None`
/// unless the message is a single plain question.
fn question(query: &[u8]) -> Option<(String, Rtype)> {
    let message = Message::from_octets(query).ok()?;
    if message.header().qr() {
        return None;
    }
    let question = message.sole_question().ok()?;
    let name: Name<Vec<u8>> = question.qname().to_name();
    Some((
        name.to_string().trim_end_matches('.').to_ascii_lowercase(),
        question.qtype(),
    ))
}

/// Builds the answer: the aliases of `chain`, and the addresses of the queried type, which belong
/// to the last name of the chain.
fn reply(query: &[u8], code: Rcode, chain: &[String], addresses: &[IpAddr], ttl: u32) -> Outcome {
    let build = || {
        let query = Message::from_octets(query).ok()?;
        let kind = query.sole_question().ok()?.qtype();
        let ttl = Ttl::from_secs(ttl);
        let mut answer = MessageBuilder::new_vec().start_answer(&query, code).ok()?;
        answer.header_mut().set_ra(true);
        let names = chain
            .iter()
            .map(|name| Name::<Vec<u8>>::from_chars(name.chars()).ok())
            .collect::<Option<Vec<_>>>()?;
        for pair in names.windows(2) {
            answer.push((&pair[0], ttl, Cname::new(&pair[1]))).ok()?;
        }
        for address in addresses {
            let owner = names.last()?;
            match *address {
                IpAddr::V4(ipv4) if kind == Rtype::A => {
                    answer.push((owner, ttl, A::new(ipv4))).ok()?;
                }
                IpAddr::V6(ipv6) if kind == Rtype::AAAA => {
                    answer.push((owner, ttl, Aaaa::new(ipv6))).ok()?;
                }
                _ => {}
            }
        }
        Some(answer.finish())
    };
    build().map_or(Outcome::Silence, Outcome::Answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::{Ipv4Addr, Ipv6Addr};
    use domain::base::ParsedName;
    use domain::rdata::AllRecordData;

    fn query(name: &str, kind: Rtype) -> Vec<u8> {
        let mut builder = MessageBuilder::new_vec().question();
        builder.header_mut().set_id(0x1234);
        builder.header_mut().set_rd(true);
        let name = Name::<Vec<u8>>::from_chars(name.chars()).unwrap();
        builder.push((name, kind)).unwrap();
        builder.finish()
    }

    fn records(answer: &Outcome) -> (Rcode, Vec<String>) {
        let Outcome::Answer(bytes) = answer else {
            panic!("{answer:?}");
        };
        let message = Message::from_octets(bytes.as_slice()).unwrap();
        assert_eq!(message.header().id(), 0x1234);
        assert!(message.header().qr() && message.header().ra());
        let records = message
            .answer()
            .unwrap()
            .limit_to::<AllRecordData<&[u8], ParsedName<&[u8]>>>()
            .map(|record| record.unwrap().data().to_string())
            .collect();
        (message.header().rcode(), records)
    }

    fn zone() -> Zone {
        let mut zone = Zone::default();
        zone.set("Broker.Example.", Record::a(Ipv4Addr::new(203, 0, 113, 10)));
        zone.set("alias.example", Record::Alias("broker.example".into()));
        zone.set("loop.example", Record::Alias("loop.example".into()));
        zone.set(
            "six.example",
            Record::Addresses {
                ipv4: vec![],
                ipv6: vec![Ipv6Addr::LOCALHOST],
            },
        );
        zone.set("broken.example", Record::ServerFailure);
        zone.set("no.example", Record::Refused);
        zone.set("quiet.example", Record::Silence);
        zone
    }

    #[test]
    fn addresses_are_of_the_type_asked_for() {
        let ask = |name, kind| records(&answer(&zone(), &query(name, kind)));
        assert_eq!(
            ask("BROKER.example", Rtype::A),
            (Rcode::NOERROR, vec!["203.0.113.10".into()])
        );
        assert_eq!(ask("broker.example", Rtype::AAAA), (Rcode::NOERROR, vec![]));
        assert_eq!(
            ask("six.example", Rtype::AAAA),
            (Rcode::NOERROR, vec!["::1".into()])
        );
    }

    #[test]
    fn aliases_are_followed_but_not_for_ever() {
        let (code, records_) = records(&answer(&zone(), &query("alias.example", Rtype::A)));
        assert_eq!(code, Rcode::NOERROR);
        assert_eq!(records_, ["broker.example.", "203.0.113.10"]);
        let (code, _) = records(&answer(&zone(), &query("loop.example", Rtype::A)));
        assert_eq!(code, Rcode::SERVFAIL);
    }

    #[test]
    fn failures_have_their_codes() {
        let ask = |name| answer(&zone(), &query(name, Rtype::A));
        assert_eq!(records(&ask("broken.example")).0, Rcode::SERVFAIL);
        assert_eq!(records(&ask("no.example")).0, Rcode::REFUSED);
        assert_eq!(records(&ask("unknown.example")).0, Rcode::NXDOMAIN);
        assert_eq!(ask("quiet.example"), Outcome::Silence);
        assert_eq!(answer(&zone(), b"garbage"), Outcome::Silence);
    }

    #[test]
    fn the_hosts_answer_is_wrapped() {
        let mut zone = zone();
        zone.unknown = Unknown::AskHost;
        let query = query("elsewhere.example", Rtype::A);
        assert_eq!(
            answer(&zone, &query),
            Outcome::AskHost("elsewhere.example".into())
        );
        let addresses = [
            IpAddr::from([127, 0, 0, 1]),
            IpAddr::from(Ipv6Addr::LOCALHOST),
        ];
        let found = answer_with(&query, Some(&addresses), 60);
        assert_eq!(records(&found), (Rcode::NOERROR, vec!["127.0.0.1".into()]));
        assert_eq!(records(&answer_with(&query, None, 60)).0, Rcode::NXDOMAIN);
    }
}
