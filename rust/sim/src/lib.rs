//! A Thread network in one process: real OpenThread nodes on a simulated radio, NAT64 to host sockets.
mod config;
mod counters;
mod device;
mod engine;
mod ffi;
mod internet;
mod mac;
mod medium;
mod pacer;
mod pcap;
mod platform;
pub mod port;
mod world;

pub use config::{Device, HostAccess, MAX_HOPS, Node, Pacing, Radio, WorldConfig, WorldError};
pub use counters::{Counters, Traffic};
pub use internet::server::{Closing, Echo, VirtualServer, VirtualStream};
pub use internet::zone::{Record, Unknown, Zone};
pub use port::SimPort;
pub use world::World;
