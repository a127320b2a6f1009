//! Whatever happens in whatever order: no panic, no endless loop, a report in time.

use crate::world::*;
use core::net::Ipv4Addr;
use proptest::prelude::*;
use thread_mqtt_resolve::resolver::{AddressSource, Config, Family, LookupError, Policy};
use thread_mqtt_resolve::{Network, Preference};

#[derive(Debug, Clone)]
enum Step {
    Start(&'static str),
    Network(u8),
    Answer(usize, u8),
    Platform(Result<&'static [&'static str], LookupError>),
    Noise(usize, Vec<u8>),
    TcpConnects,
    TcpAnswer(usize, u8),
    TcpNoise(Vec<u8>),
    TcpEnds,
    Sleep(u64),
    Cancel,
}

fn step() -> impl Strategy<Value = Step> {
    let name = prop::sample::select(vec![BROKER, "other.example", "192.0.2.7", "2001:db8::7"]);
    let platform: Vec<Result<&'static [&'static str], LookupError>> = vec![
        Ok(&["192.0.2.1", "2001:db8::1"]),
        Ok(&["fd64:1::c000:201"]),
        Ok(&[]),
        Err(LookupError::Platform(-2)),
    ];
    prop_oneof![
        2 => name.prop_map(Step::Start),
        2 => any::<u8>().prop_map(Step::Network),
        8 => (0usize..8, any::<u8>()).prop_map(|(query, reply)| Step::Answer(query, reply)),
        2 => prop::sample::select(platform).prop_map(Step::Platform),
        2 => (0usize..8, prop::collection::vec(any::<u8>(), 0..40)).prop_map(|(query, bytes)| Step::Noise(query, bytes)),
        2 => Just(Step::TcpConnects),
        2 => (0usize..8, any::<u8>()).prop_map(|(query, reply)| Step::TcpAnswer(query, reply)),
        1 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Step::TcpNoise),
        1 => Just(Step::TcpEnds),
        4 => (0u64..5000).prop_map(Step::Sleep),
        1 => Just(Step::Cancel),
    ]
}

fn network(bits: u8) -> Network {
    let mut network = Network {
        attached: true,
        native_ipv4: bits & 0x30 == 0x30,
        ..Network::default()
    };
    for (bit, prefix) in [(1, PREFIX), (2, OTHER_PREFIX)] {
        if bits & bit != 0 {
            network
                .prefixes
                .push(advertised(prefix, Preference::Medium));
        }
    }
    for (bit, address) in [(4, BORDER_ROUTER), (8, "fd00::2")] {
        if bits & bit != 0 {
            network.dns_servers.push(server(address));
        }
    }
    network
}

fn reply(choice: u8) -> Says {
    match choice % 9 {
        0 => says(60, &["192.0.2.1", "2001:db8::1"]),
        1 => says(1, &["192.0.2.2", "fd64:1::c000:201", "64:ff9b::c000:aa"]),
        2 => Says::NoData(Some(10)),
        3 => Says::NxDomain(Some(10)),
        4 => Says::Rcode(choice >> 4),
        5 => Says::Truncated,
        6 => Says::Garbage,
        7 => Says::Alias("cdn.test"),
        _ => says(60, &["0.0.0.0"]),
    }
}

fn config() -> impl Strategy<Value = Config> {
    let public = AddressSource::Public(Ipv4Addr::new(9, 9, 9, 9));
    let sources = vec![
        AddressSource::Platform,
        AddressSource::BorderRouter,
        public,
        AddressSource::Literal(ip("192.0.2.9")),
    ];
    let families = vec![Family::Unspecified, Family::Inet, Family::Inet6];
    let policies = vec![
        Policy::PreferNat64,
        Policy::PreferNative,
        Policy::Interleaved,
    ];
    (
        prop::sample::subsequence(sources, 0..=4),
        prop::sample::select(families),
        prop::sample::select(policies),
        0u64..10_000,
        0u8..4,
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(
            |(chain, family, policy, deadline, attempts, allow, tcp)| Config {
                chain,
                family,
                policy,
                deadline: ms(deadline),
                attempts,
                allow_well_known_prefix: allow,
                tcp,
                max_candidates: 5,
                ..Config::default()
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_order_of_events_is_survived(config in config(), steps in prop::collection::vec(step(), 0..40)) {
        let deadline = config.deadline;
        let mut world = World::as_configured(config, thread_network());
        let mut started = None;
        for step in steps {
            match step {
                Step::Start(name) => {
                    world.start(name);
                    started = Some(world.now);
                }
                Step::Network(bits) => {
                    world.change(network(bits));
                }
                Step::Answer(back, choice) => {
                    if let Some(query) = world.queries.iter().rev().nth(back).cloned() {
                        world.answer(&query, &reply(choice));
                    }
                }
                Step::Platform(answer) => drop(world.platform_answers(answer)),
                Step::Noise(back, bytes) => {
                    if let Some(query) = world.queries.iter().rev().nth(back).cloned() {
                        let mut payload = query.payload.clone();
                        payload[2] |= 0x80;
                        payload[7] = 2;
                        payload.extend(bytes);
                        world.resolver.handle_datagram(query.to, query.from_port, &payload, world.now);
                    }
                }
                Step::TcpConnects if world.tcp_asked.is_empty() => world.resolver.handle_tcp_connected(),
                Step::TcpConnects => {
                    let sent = world.tcp_connects();
                    world.queries.extend(sent);
                }
                Step::TcpAnswer(back, choice) => {
                    let query = world.queries.iter().rev().nth(back).cloned();
                    let says = reply(choice);
                    if let Some(query) = query.filter(|query| query.reply(&says).is_some()) {
                        world.tcp_answers(&query, &says);
                    }
                }
                Step::TcpNoise(bytes) => world.resolver.handle_tcp_data(&bytes, world.now),
                Step::TcpEnds => drop(world.tcp_ends()),
                Step::Sleep(time) => drop(world.pass(ms(time))),
                Step::Cancel => {
                    world.resolver.cancel();
                    started = None;
                }
            }
            world.poll();
            prop_assert_eq!(world.resolver.is_busy(), world.resolver.poll_timeout().is_some());
            if let Some(report) = world.resolver.poll_report() {
                prop_assert!(!world.resolver.is_busy());
                prop_assert!(report.candidates.len() <= 5);
                prop_assert_eq!(report.candidates.is_empty(), report.answered_by.is_none());
                started = None;
            }
            prop_assert_eq!(started.is_some(), world.resolver.is_busy());
        }

        // Without further input, a resolution in progress ends by its deadline.
        let mut wakes = 0;
        while let Some(next) = world.resolver.poll_timeout() {
            prop_assert!(next <= started.unwrap() + deadline, "waits beyond the deadline");
            let time = next.saturating_sub(world.now);
            world.pass(time);
            wakes += 1;
            prop_assert!(wakes < 60, "wakes too often");
        }
        if let Some(started) = started {
            let report = world.resolver.poll_report().expect("a report");
            prop_assert!(report.elapsed <= deadline);
            prop_assert_eq!(report.elapsed, world.now - started);
        }
    }
}
