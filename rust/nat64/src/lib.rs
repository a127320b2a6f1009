//! From a broker URI to an ordered list of IPv6 addresses a Thread device can reach.
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
