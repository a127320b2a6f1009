//! What tests need beside the code under test.
//!
//! - [`heap`]: an allocator that can be limited, for code that must survive a full heap.
//! - [`server`]: starts a server on free ports and waits until it listens.
pub mod heap;
pub mod server;
