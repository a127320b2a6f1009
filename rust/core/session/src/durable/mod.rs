//! A session that survives a restart: [`store`] is the interface to the platform, [`record`] the
//! format, [`journal`] decides when to write, and [`restore`] starts a session from stored records.

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
