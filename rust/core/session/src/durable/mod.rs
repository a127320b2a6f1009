//! A session that outlives a restart: [`store`] is what a platform brings, [`record`] what is kept
//! in it, [`journal`] when, and [`restore`] how a session begins with it.

#[cfg(feature = "durable")]
mod journal;
#[cfg(feature = "durable")]
mod record;
#[cfg(feature = "durable")]
mod restore;
mod store;
#[cfg(not(feature = "durable"))]
mod without;

#[cfg(feature = "durable")]
pub(crate) use journal::Journal;
#[cfg(feature = "durable")]
pub(crate) use record::{Identity, Stored};
#[cfg(feature = "durable")]
pub use record::{is_message, is_record};
pub use store::{ENCRYPTED, Store, StoreError};
#[cfg(not(feature = "durable"))]
pub(crate) use without::{Identity, Journal};
