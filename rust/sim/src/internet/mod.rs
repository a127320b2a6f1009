//! The IPv4 side of NAT64.
pub(crate) mod server;
pub(crate) mod zone;
