//! RFC 5452: what an answer must match, and what a forger must guess.

use crate::world::*;
use core::convert::Infallible;
use core::net::SocketAddrV6;
use std::collections::HashSet;
use thread_mqtt_resolve::resolver::{AddressSource, Config, Family, Output};

/// Starts with one query for an A record to the border router.
fn asked() -> (World, Query) {
    let config = Config {
        family: Family::Inet,
        ..asking(&[AddressSource::BorderRouter])
    };
    let mut world = World::new(config, thread_network());
    let query = world.start(BROKER).remove(0);
    (world, query)
}

#[test]
fn only_the_server_asked_answers_only_the_question_asked_only_at_its_port() {
    let (mut world, query) = asked();
    let good = query.reply(&says(60, &["192.0.2.1"])).unwrap();
    let altered = |alter: &dyn Fn(&mut Vec<u8>)| {
        let mut forged = good.clone();
        alter(&mut forged);
        forged
    };
    let at_port = |port| SocketAddrV6::new(*query.to.ip(), port, 0, 0);
    let forgeries = [
        (
            "another server",
            server("fd00::2"),
            query.from_port,
            good.clone(),
        ),
        (
            "the server's other port",
            at_port(5353),
            query.from_port,
            good.clone(),
        ),
        (
            "another port of ours",
            query.to,
            query.from_port ^ 1,
            good.clone(),
        ),
        (
            "another id",
            query.to,
            query.from_port,
            altered(&|bytes| bytes[1] ^= 1),
        ),
        (
            "another name",
            query.to,
            query.from_port,
            altered(&|bytes| bytes[13] = b'x'),
        ),
        (
            "another type",
            query.to,
            query.from_port,
            altered(&|bytes| bytes[29] = AAAA as u8),
        ),
        (
            "our own query",
            query.to,
            query.from_port,
            query.payload.clone(),
        ),
        ("nothing", query.to, query.from_port, vec![]),
    ];
    for (what, from, to_port, payload) in forgeries {
        world
            .resolver
            .handle_datagram(from, to_port, &payload, world.now);
        assert!(
            world.resolver.poll_report().is_none() && world.resolver.is_busy(),
            "{what}"
        );
    }
    // Neither flow label nor zone of the sender's address matters.
    let from = SocketAddrV6::new(*query.to.ip(), 53, 7, 3);
    world
        .resolver
        .handle_datagram(from, query.from_port, &good, world.now);
    assert_eq!(world.resolver.poll_report().unwrap().candidates.len(), 1);
}

#[test]
fn an_answer_is_taken_once() {
    let mut world = World::new(asking(&[AddressSource::BorderRouter]), thread_network());
    let queries = world.start(BROKER);
    world.answer(&queries[0], &Says::NoData(None));
    world.answer(&queries[0], &says(60, &["192.0.2.66"]));
    world.answer(&queries[1], &says(60, &["2001:db8::1"]));
    assert_eq!(
        addresses(&world.resolver.poll_report().unwrap()),
        [v6("2001:db8::1")]
    );
}

#[test]
fn ids_and_ports_cannot_be_guessed_from_one_another() {
    let config = Config {
        cache: Default::default(),
        ..asking(&[AddressSource::BorderRouter])
    };
    let mut world = World::new(config, thread_network());
    let (mut ids, mut ports) = (HashSet::new(), HashSet::new());
    for _ in 0..500 {
        let queries = world.start(BROKER);
        assert_ne!(queries[0].from_port, queries[1].from_port);
        for query in queries {
            assert!(query.from_port >= 49152);
            ids.insert(query.id());
            ports.insert(query.from_port);
        }
    }
    // A thousand draws from 65536 and 16384: few coincide.
    assert!(
        ids.len() > 980 && ports.len() > 930,
        "{} ids, {} ports",
        ids.len(),
        ports.len()
    );
}

/// The worst possible generator.
struct Constant(u32);

impl rand_core::TryRng for Constant {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.0)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.into())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.fill(self.0 as u8);
        Ok(())
    }
}

#[test]
fn even_a_broken_generator_gives_two_ports_in_range() {
    for value in [0, u32::MAX, 0x1234_5678] {
        let mut world = World::new(asking(&[AddressSource::BorderRouter]), thread_network());
        world
            .resolver
            .start(&host(BROKER), &world.network, world.now);
        let mut ports = vec![];
        while let Some(output) = world.resolver.poll_output(world.now, &mut Constant(value)) {
            let Output::Transmit { from_port, .. } = output else {
                panic!("{output:?}")
            };
            ports.push(from_port);
        }
        assert!(
            ports.len() == 2 && ports[0] != ports[1] && ports.iter().all(|port| *port >= 49152),
            "{ports:?}"
        );
    }
}
