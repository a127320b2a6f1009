//! Helpers for tests.
//!
//! - [`closed`]: ports that stay closed, for clients of a server that does not listen.
//! - [`heap`]: an allocator with a limit, for code that must survive a full heap.
//! - [`server`]: starts a server on free ports and waits until it listens.

pub mod closed;
pub mod heap;
pub mod server;
