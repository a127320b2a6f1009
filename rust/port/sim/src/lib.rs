//! A Thread network in one process: real OpenThread nodes on a simulated radio, real NAT64 between
//! them and the IPv4 internet, and servers inside the same world or real sockets of this machine at
//! the far end. It needs no root, no hardware and no other process.
//!
//! ```text
//!   device              routers            border router           IPv4 internet
//!  ┌──────────────┐   ┌────────────┐   ┌───────────────────┐   ┌────────────────────┐
//!  │ SimPort      │   │ OpenThread │   │ leader, NAT64,    │   │ smoltcp, any       │
//!  │ TCP UDP DNS  │   │   0 … 8    │   │ DNS server, SRP   │   │ address            │
//!  │ OpenThread   │   │            │   │ OpenThread        │   ├──────────┬─────────┤
//!  └──────┬───────┘   └──┬──────┬──┘   └──┬─────────────┬──┘   │ Virtual- │ bridge  │
//!         │              │      │         │             │      │ Server,  │ to host │
//!  ═══════╧══════════════╧══════╧═════════╧═══════      └──────┤ DNS zone │ sockets │
//!   IEEE 802.15.4 medium: air time, CSMA/CA, ACKs,      IPv4   └──────────┴─────────┘
//!   loss, delay, duplication; pcap; one virtual clock   packets
//! ```
//!
//! ```
//! use core::time::Duration;
//! use thread_mqtt_driver::{Interest, Port, TcpState};
//! use thread_sim::{Echo, VirtualStream, World, WorldConfig};
//!
//! let world = World::new(WorldConfig { seed: 7, hops: 1, ..WorldConfig::default() })?;
//! assert!(world.run_until_ready(world.now() + Duration::from_secs(60)));
//!
//! // An IPv4-only server inside the world…
//! let server = "203.0.113.10:8883".parse()?;
//! world.serve(server, |_peer, _now| Some(Box::new(Echo::default()) as Box<dyn VirtualStream>));
//!
//! // …reached by the device through NAT64. A client runs over the same port.
//! let mut port = world.port();
//! let prefix = port.network().prefixes[0].prefix;
//! port.tcp_connect(core::net::SocketAddrV6::new(prefix.embed(*server.ip()), 8883, 0, 0)).unwrap();
//! while port.tcp_state() == TcpState::Connecting {
//!     port.wait(None, Interest { receive: true, send: false });
//! }
//! assert_eq!(port.tcp_state(), TcpState::Connected);
//! println!("connected after {} frames", world.totals().sent.frames);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is real and what is simulated
//!
//! Real, because it is OpenThread 1.4's own code (from the crate `openthread-sys`): MLE, the
//! network data and its NAT64 prefix, 6LoWPAN and mesh forwarding, link-layer security, CSMA
//! back-off and retransmission, SLAAC, the border routing manager, the NAT64 translator, the
//! DNS server with upstream queries, SRP, the DNS client and UDP.
//!
//! Simulated:
//!
//! - The radio: 250 kbit/s, CCA of 128 µs, turn-around of 192 µs, immediate acknowledgements, and
//!   collisions of frames that overlap at a receiver. A node hears its neighbours in the line, and
//!   also senses the carrier of their neighbours. There is no fading and no capture effect, and all
//!   signals are equally strong. Enhanced acknowledgements, and therefore CSL, are not supported.
//! - Time: computation takes none. OpenThread's cryptography takes zero virtual time.
//! - The device's build: OpenThread's FTD build with the link mode of a minimal Thread device,
//!   which is the same on the air.
//! - The device's TCP: smoltcp above OpenThread's IPv6, set up as a Zephyr product sets up Zephyr's
//!   TCP ([`port`] lists the differences).
//! - The border router's other link, which has no other hosts. NAT64 passes IPv4 packets to a
//!   smoltcp stack that terminates TCP, even if the far end is a socket of the host. For UDP, DNS
//!   (port 53) and the services of [`World::serve_udp`] answer. ICMP is not answered.
//!
//! # Time
//!
//! A world advances from event to event on a virtual clock in microseconds, some thousand times
//! faster than real time. The same [`WorldConfig`] and the same calls produce the same bytes on the
//! air. While a host socket or look-up is open, virtual time does not run ahead of the wall clock,
//! and the run is not repeatable.
//!
//! # Several worlds
//!
//! A [`World`] stays on its thread, and worlds on different threads do not see each other.
//! OpenThread shares a few globals between its instances (a random generator, lazily built tables).
//! A process-wide lock therefore lets one world at a time into it, call by call, and each world has
//! its own generator state.
//!
//! # Capturing the radio traffic
//!
//! [`World::capture`] writes a pcap file. To decrypt the frames, give Wireshark the [network
//! key](World::network_key) under *Preferences, Protocols, IEEE 802.15.4, Decryption Keys*, with
//! index 1 and *Thread hash*. To see full addresses, also give it the 6LoWPAN
//! [contexts](World::lowpan_contexts). With tshark:
//!
//! ```text
//! tshark -r thread.pcap -o 'uat:ieee802154_keys:"<32 hex digits>","1","Thread hash"' \
//!     -o 6lowpan.context0:fd00:1:2:3::/64 -o 6lowpan.context1:fd00:4:5:6::/64
//! ```
//!
//! # Building
//!
//! Cargo builds OpenThread itself, once, in a few minutes. It needs the Debian or Ubuntu packages
//! `build-essential cmake libclang-dev python3`, and rustfmt. OpenThread options without a cargo
//! feature are set in the repository's `.cargo/config.toml`. If they are missing, the build fails
//! with an error that says so.
//!
//! `unsafe` is confined to the private module `ffi`. Its documentation contains the rules that the
//! safety comments refer to.
mod config;
mod counters;
mod device;
mod engine;
mod ffi;
mod internet;
mod mac;
mod medium;
mod pacer;
mod patience;
mod pcap;
mod platform;
pub mod port;
mod tcp;
mod wire;
mod world;

pub use config::{Device, HostAccess, MAX_HOPS, Node, Pacing, Radio, WorldConfig, WorldError};
pub use counters::{Counters, Traffic};
pub use internet::server::{Closing, Echo, VirtualServer, VirtualService, VirtualStream};
pub use internet::zone::{Record, Unknown, Zone};
pub use port::SimPort;
pub use world::World;
