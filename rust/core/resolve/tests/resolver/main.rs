//! The resolver at explicit times, with servers of every kind.

mod cache;
mod chain;
mod forgery;
mod literals;
mod names;
mod network;
mod property;
#[cfg(feature = "dns-tcp")]
mod tcp;
mod undelivered;
mod world;
