//! DNS from the device: the border router's server, a public server through NAT64, and the
//! platform's resolver.
mod common;

use common::{READ, ready};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};
use core::time::Duration;
use domain::base::iana::{Rcode, Rtype};
use domain::base::{Message, MessageBuilder, Name};
use domain::rdata::{A, AllRecordData};
use thread_mqtt_driver::Port;
use thread_mqtt_resolve::resolver::{Family, LookupError};
use thread_sim::{Device, HostAccess, Radio, Record, SimPort, Unknown, World, WorldConfig};

const BROKER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);
const PUBLIC: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(8, 8, 8, 8), 53);
const LOCAL_PORT: u16 = 50_123;

fn world(config: WorldConfig) -> World {
    let world = ready(config);
    world.zone(|zone| {
        zone.set("broker.example", Record::a(BROKER));
        zone.set("alias.example", Record::Alias("broker.example".into()));
        zone.set(
            "both.example",
            Record::Addresses {
                ipv4: vec![BROKER],
                ipv6: vec![Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)],
            },
        );
        zone.set("broken.example", Record::ServerFailure);
        zone.set("quiet.example", Record::Silence);
    });
    world
}

fn query(id: u16, name: &str) -> Vec<u8> {
    let mut builder = MessageBuilder::new_vec().question();
    builder.header_mut().set_id(id);
    builder.header_mut().set_rd(true);
    let name = Name::<Vec<u8>>::from_chars(name.chars()).unwrap();
    builder.push((name, Rtype::A)).unwrap();
    builder.finish()
}

/// Sends a query and waits for the answer: RCODE and A records.
fn ask(port: &mut SimPort, server: SocketAddrV6, name: &str) -> Option<(Rcode, Vec<Ipv4Addr>)> {
    port.udp_send(LOCAL_PORT, server, &query(77, name)).unwrap();
    let limit = port.now() + Duration::from_secs(10);
    let mut buffer = [0; 1280];
    while port.now() < limit {
        if let Some((from, to, length)) = port.udp_receive(&mut buffer) {
            assert_eq!(
                (from.ip(), from.port(), to),
                (server.ip(), server.port(), LOCAL_PORT)
            );
            let message = Message::from_octets(&buffer[..length]).unwrap();
            assert_eq!(message.header().id(), 77);
            let addresses = message
                .answer()
                .unwrap()
                .limit_to::<A>()
                .map(|record| record.unwrap().data().addr())
                .collect();
            return Some((message.header().rcode(), addresses));
        }
        port.wait(Some(limit), READ);
    }
    None
}

fn resolve(port: &mut SimPort, name: &str, family: Family) -> Result<Vec<IpAddr>, LookupError> {
    port.platform_lookup(name, family)?;
    let limit = port.now() + Duration::from_secs(60);
    loop {
        if let Some(answer) = port.poll_platform_lookup() {
            return answer;
        }
        assert!(port.now() < limit, "the resolver never answered");
        port.wait(Some(limit), READ);
    }
}

#[test]
fn the_border_router_and_a_public_server_answer() {
    for device in [
        Device::Mtd,
        Device::Sleepy {
            poll: Duration::from_secs(2),
        },
    ] {
        let world = world(WorldConfig {
            device,
            ..WorldConfig::default()
        });
        let mut port = world.port();
        let border_router = port.network().dns_servers[0];
        let public = common::synthesised(&mut port, PUBLIC);
        for server in [border_router, public] {
            let found = ask(&mut port, server, "broker.example");
            assert_eq!(found, Some((Rcode::NOERROR, vec![BROKER])), "{server}");
            let missing = ask(&mut port, server, "missing.example");
            assert_eq!(missing, Some((Rcode::NXDOMAIN, vec![])), "{server}");
            assert_eq!(ask(&mut port, server, "quiet.example"), None, "{server}");
        }
        port.udp_close();
    }
}

#[test]
fn without_its_upstream_the_border_router_does_not_know_but_the_public_server_does() {
    let world = world(WorldConfig::default());
    world.set_dns_upstream(false);
    let mut port = world.port();
    let border_router = port.network().dns_servers[0];
    let (code, addresses) = ask(&mut port, border_router, "broker.example").unwrap();
    assert!(code != Rcode::NOERROR || addresses.is_empty());
    let public = common::synthesised(&mut port, PUBLIC);
    assert_eq!(
        ask(&mut port, public, "broker.example"),
        Some((Rcode::NOERROR, vec![BROKER]))
    );
    world.set_dns_upstream(true);
    assert_eq!(
        ask(&mut port, border_router, "broker.example"),
        Some((Rcode::NOERROR, vec![BROKER]))
    );
}

#[test]
fn the_platform_resolver_answers_with_ipv4_and_ipv6() {
    let world = world(WorldConfig {
        radio: Radio {
            loss: 0.1,
            ..Radio::default()
        },
        ..WorldConfig::default()
    });
    let mut port = world.port();
    let v4 = IpAddr::V4(BROKER);
    let v6 = IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]);
    assert_eq!(
        resolve(&mut port, "broker.example", Family::Inet),
        Ok(vec![v4])
    );
    assert_eq!(
        resolve(&mut port, "alias.example", Family::Inet),
        Ok(vec![v4])
    );
    assert_eq!(
        resolve(&mut port, "both.example", Family::Inet6),
        Ok(vec![v6])
    );
    let mut both = resolve(&mut port, "both.example", Family::Unspecified).unwrap();
    both.sort();
    assert_eq!(both, [v4, v6]);
    // One family is enough for an answer.
    let one = resolve(&mut port, "broker.example", Family::Unspecified);
    assert!(one.is_ok_and(|found| found.contains(&v4)));
    for name in ["missing.example", "broken.example", "quiet.example"] {
        assert!(resolve(&mut port, name, Family::Inet).is_err(), "{name}");
    }
    // The answer is returned once.
    assert_eq!(port.poll_platform_lookup(), None);
    assert!(port.platform_lookup("nul\0byte", Family::Inet).is_err());
}

#[test]
fn names_outside_the_zone_are_the_hosts_if_wished() {
    let world = world(WorldConfig {
        host_access: HostAccess::LoopbackOnly,
        ..WorldConfig::default()
    });
    let mut port = world.port();
    assert!(resolve(&mut port, "localhost", Family::Inet).is_err());
    world.zone(|zone| zone.unknown = Unknown::AskHost);
    let localhost = IpAddr::from([127, 0, 0, 1]);
    assert_eq!(
        resolve(&mut port, "localhost", Family::Inet),
        Ok(vec![localhost])
    );
}

#[test]
fn answers_are_well_formed() {
    let world = world(WorldConfig::default());
    let mut port = world.port();
    let public = common::synthesised(&mut port, PUBLIC);
    port.udp_send(LOCAL_PORT, public, &query(5, "alias.example"))
        .unwrap();
    let mut buffer = [0; 1280];
    port.wait(None, READ);
    let mut received = port.udp_receive(&mut buffer);
    while received.is_none() {
        port.wait(None, READ);
        received = port.udp_receive(&mut buffer);
    }
    let (_, _, length) = received.unwrap();
    let message = Message::from_octets(&buffer[..length]).unwrap();
    let records: Vec<_> = message
        .answer()
        .unwrap()
        .limit_to::<AllRecordData<_, _>>()
        .map(|record| record.unwrap().data().to_string())
        .collect();
    assert_eq!(records, ["broker.example.", "203.0.113.10"]);
}
