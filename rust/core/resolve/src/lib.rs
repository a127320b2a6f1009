//! Turns a broker URI into an ordered list of IPv6 addresses that a Thread device can reach.
//!
//! A Thread network carries IPv6 only, but most brokers have only an IPv4 address. The border
//! router's NAT64 connects the two: an IPv4 address is reached through an IPv6 address made from it
//! and the network's NAT64 prefix. A platform's `getaddrinfo` does not make that address. This
//! crate does:
//!
//! ```text
//!  "mqtts://broker.example"      [uri]       scheme, host, port; an error names the wrong part
//!          |
//!          v
//!  name ---+--- literal          [resolver]  a chain of resolvers under one deadline,
//!          |       |                         each failure with its cause
//!     [dns] A, AAAA|
//!          |       |
//!          v       v
//!  IPv4 + NAT64 prefixes         [prefix]    RFC 6052; the prefixes come from the Thread network
//!          |                                 data, RFC 7050 discovery or the configuration
//!          v
//!  fd64:1::c000:201, ...                     candidates in the order to try
//! ```
//!
//! # Limitations
//!
//! The crate opens no sockets, reads no clock and draws no random numbers: it is told the time,
//! returns datagrams to send, and takes those that arrive. It never panics on what a server sends,
//! and its memory is bounded whatever a network offers. It is not a general DNS client: no EDNS, no
//! DNSSEC, no record types but A and AAAA. It does not wait for the network: start a resolution
//! once [`Network::attached`] is true.
//!
//! DNS over TCP needs the feature `dns-tcp`, [`resolver::Config::tcp`], and a caller that connects
//! ([`resolver::Output::TcpConnect`]). Most names resolve without it, because a single address is
//! enough. If no address fits into 512 octets, the answer consists of aliases, and the resolver
//! queries the name that they end in. If a server does not accept datagrams at all, the resolver
//! tries the next source of the chain.
//!
//! # The loop
//!
//! This is all it takes to drive a [`Resolver`]; the crate `thread-mqtt-client` does the same.
//!
//! ```
//! use core::net::{IpAddr, SocketAddrV6};
//! use core::time::Duration;
//! use thread_mqtt_resolve::resolver::{Config, LookupError, Output, Report};
//! use thread_mqtt_resolve::{BrokerUri, Network, Resolver};
//!
//! /// What the surroundings offer. On a device: sockets, uptime, an entropy source.
//! trait Surroundings {
//!     fn now(&self) -> Duration;
//!     fn rng(&mut self) -> &mut dyn rand_core::Rng;
//!     fn network(&self) -> Network;
//!     fn udp_send(&mut self, from_port: u16, to: SocketAddrV6, payload: &[u8]);
//!     fn udp_close(&mut self);
//!     fn ask_platform(&mut self, name: &str);
//!     /// Sleeps until something happens or `until` has come.
//!     fn wait(&mut self, until: Option<Duration>) -> Woken;
//! }
//!
//! enum Woken {
//!     Datagram { from: SocketAddrV6, to_port: u16, payload: Vec<u8> },
//!     PlatformAnswered(Result<Vec<IpAddr>, LookupError>),
//!     NetworkChanged,
//!     Timeout,
//! }
//!
//! fn resolve(resolver: &mut Resolver, uri: &BrokerUri, around: &mut dyn Surroundings) -> Report {
//!     resolver.start(&uri.host, &around.network(), around.now());
//!     loop {
//!         let now = around.now();
//!         while let Some(output) = resolver.poll_output(now, around.rng()) {
//!             match output {
//!                 Output::Transmit { from_port, to, payload } => around.udp_send(from_port, to, &payload),
//!                 Output::CloseUdp => around.udp_close(),
//!                 // With `Config::tcp`, which this program leaves out.
//!                 Output::TcpConnect(_) | Output::TcpClose => {}
//!                 Output::PlatformLookup { name, .. } => around.ask_platform(&name),
//!             }
//!         }
//!         if let Some(report) = resolver.poll_report() {
//!             return report; // `report.candidates`, or a sentence why there are none
//!         }
//!         let woken = around.wait(resolver.poll_timeout());
//!         let now = around.now();
//!         match woken {
//!             Woken::Datagram { from, to_port, payload } => resolver.handle_datagram(from, to_port, &payload, now),
//!             Woken::PlatformAnswered(answer) => resolver.handle_platform_lookup(answer, now),
//!             Woken::NetworkChanged => drop(resolver.handle_network(&around.network(), now)),
//!             Woken::Timeout => resolver.handle_timeout(now),
//!         }
//!     }
//! }
//!
//! # struct Offline(chacha20::ChaCha8Rng);
//! # impl Surroundings for Offline {
//! #     fn now(&self) -> Duration { Duration::ZERO }
//! #     fn rng(&mut self) -> &mut dyn rand_core::Rng { &mut self.0 }
//! #     fn network(&self) -> Network {
//! #         let prefix = "fd64:1::/96".parse().unwrap();
//! #         let preference = thread_mqtt_resolve::Preference::Medium;
//! #         let prefixes = vec![thread_mqtt_resolve::AdvertisedPrefix { prefix, preference }];
//! #         Network { attached: true, prefixes, ..Network::default() }
//! #     }
//! #     fn udp_send(&mut self, _: u16, _: SocketAddrV6, _: &[u8]) {}
//! #     fn udp_close(&mut self) {}
//! #     fn ask_platform(&mut self, _: &str) {}
//! #     fn wait(&mut self, _: Option<Duration>) -> Woken { Woken::PlatformAnswered(Ok(vec!["192.0.2.1".parse().unwrap()])) }
//! # }
//! # use rand_core::SeedableRng;
//! # let around = &mut Offline(chacha20::ChaCha8Rng::seed_from_u64(1));
//! let uri: BrokerUri = "mqtts://broker.example".parse()?;
//! let mut resolver = Resolver::new(Config { tcp: false, ..Config::default() });
//! let report = resolve(&mut resolver, &uri, around);
//! assert_eq!(report.to_string(), "platform resolver: fd64:1::c000:201 (NAT64 for 192.0.2.1) in 0.0 s");
//! # Ok::<(), thread_mqtt_resolve::uri::UriError>(())
//! ```
//!
//! # References
//!
//! RFC 1035, 2181, 2308, 3596, 4343, 5452 and 7766 for DNS; RFC 6052, 6147 and 7050 for NAT64 and
//! DNS64; RFC 8305 for the order of addresses and the wait for the other half.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

pub mod dns;
pub mod prefix;
pub mod resolver;
pub mod uri;

pub use prefix::{AdvertisedPrefix, Preference, Prefix, PrefixSource};
pub use resolver::{Candidate, Network, Resolver};
pub use uri::{BrokerUri, Host, Scheme};
